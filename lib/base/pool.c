#define _GNU_SOURCE
#include "base/pool.h"

#include "base/mem.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

enum { MAX_THREADS = 256 };
enum job_state { IDLE, QUEUED, RUNNING, DONE };

/* Turns of a thread that has nothing to do before it sleeps: some ten microseconds, about what
 * waking it would take. Parallel loops follow each other faster than that. */
enum { PATIENCE = 1000 };

struct ft_pool {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    ft_job *head, **tail;      /* queue of jobs not yet taken */
    int stopping;
    int patience;              /* PATIENCE, or 0 where threads outnumber processors */
    atomic_uint queued;        /* jobs in the queue, to be looked at without the lock */
    unsigned started;          /* threads besides the caller */
    pthread_t threads[MAX_THREADS];
};

static int state_of(const ft_job *job)
{
    return __atomic_load_n(&job->state, __ATOMIC_ACQUIRE);
}

static void set_state(ft_job *job, enum job_state state)
{
    __atomic_store_n(&job->state, state, __ATOMIC_RELEASE);
}

static void pause_a_little(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Called with the lock held; runs the job without it. The job may be gone once it is done. */
static void run_job(ft_pool *p, ft_job *job)
{
    set_state(job, RUNNING);
    pthread_mutex_unlock(&p->lock);
    job->run(job->arg);
    pthread_mutex_lock(&p->lock);
    set_state(job, DONE);
    pthread_cond_broadcast(&p->done);
}

/* Looks for work for a while, without the lock. */
static void await_work(ft_pool *p)
{
    for (int i = 0; i < p->patience; i++) {
        if (atomic_load_explicit(&p->queued, memory_order_acquire))
            return;
        pause_a_little();
    }
}

static void *worker_main(void *arg)
{
    ft_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        if (!p->head && !p->stopping) {
            pthread_mutex_unlock(&p->lock);
            await_work(p);
            pthread_mutex_lock(&p->lock);
        }
        while (!p->head && !p->stopping)
            pthread_cond_wait(&p->work, &p->lock);
        if (!p->head)
            break;
        ft_job *job = p->head;
        atomic_fetch_sub(&p->queued, 1);
        p->head = job->next;
        if (!p->head)
            p->tail = &p->head;
        run_job(p, job);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static unsigned processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (unsigned)n;
}

int ft_pool_new(ft_pool **out, unsigned threads, ft_err *e)
{
    ft_pool *p = ft_new(1, sizeof *p, e);
    sigset_t all, old;
    *out = NULL;
    if (!p)
        return FT_ERR_NOMEM;
    if (threads == 0)
        threads = processors();
    if (threads > MAX_THREADS)
        threads = MAX_THREADS;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->done, NULL);
    p->tail = &p->head;
    p->patience = threads <= processors() ? PATIENCE : 0;
    /* Signals belong to the main thread: its handlers remove temporary files. */
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    while (p->started + 1 < threads &&
           pthread_create(&p->threads[p->started], NULL, worker_main, p) == 0)
        p->started++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    *out = p;
    return 0;
}

unsigned ft_pool_threads(const ft_pool *p)
{
    return p->started + 1;
}

void ft_pool_submit(ft_pool *p, ft_job *job)
{
    job->next = NULL;
    if (p->started == 0) {
        job->run(job->arg);
        set_state(job, DONE);
        return;
    }
    pthread_mutex_lock(&p->lock);
    set_state(job, QUEUED);
    atomic_fetch_add(&p->queued, 1);
    *p->tail = job;
    p->tail = &job->next;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

void ft_pool_wait(ft_pool *p, ft_job *job)
{
    for (int i = 0; i < p->patience && state_of(job) == RUNNING; i++)
        pause_a_little();
    if (state_of(job) == DONE)
        return;
    pthread_mutex_lock(&p->lock);
    if (state_of(job) == QUEUED) {
        ft_job **at = &p->head;
        while (*at != job)
            at = &(*at)->next;
        *at = job->next;
        atomic_fetch_sub(&p->queued, 1);
        if (p->tail == &job->next)
            p->tail = at;
        run_job(p, job);
    }
    while (state_of(job) == RUNNING)
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

/* The parallel loop is one job per thread, each taking task numbers from a shared counter. */
struct loop {
    void (*fn)(void *, size_t, unsigned);
    void *ctx;
    size_t tasks;
    atomic_size_t next;
    atomic_uint worker;
};

static void loop_job(void *arg)
{
    struct loop *l = arg;
    unsigned worker = atomic_fetch_add(&l->worker, 1);
    size_t task;
    while ((task = atomic_fetch_add(&l->next, 1)) < l->tasks)
        l->fn(l->ctx, task, worker);
}

void ft_pool_run(ft_pool *p, size_t tasks, void (*fn)(void *ctx, size_t task, unsigned worker),
                 void *ctx)
{
    struct loop l = {fn, ctx, tasks, 0, 0};
    ft_job jobs[MAX_THREADS];
    size_t helpers = tasks < p->started + 1 ? tasks : p->started + 1;
    helpers = helpers ? helpers - 1 : 0;
    for (size_t i = 0; i < helpers; i++) {
        jobs[i] = (ft_job){loop_job, &l, NULL, IDLE};
        ft_pool_submit(p, &jobs[i]);
    }
    loop_job(&l);
    for (size_t i = 0; i < helpers; i++)
        ft_pool_wait(p, &jobs[i]);
}

void ft_pool_free(ft_pool **pp)
{
    ft_pool *p = *pp;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = 1;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->started; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    ft_free(p);
    *pp = NULL;
}
