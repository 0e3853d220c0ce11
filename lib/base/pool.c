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

/* The parallel loop: threads that look for work find it open, and take task numbers from a shared
 * counter. */
struct loop {
    void (*fn)(void *, size_t, unsigned);
    void *ctx;
    size_t tasks;
    atomic_size_t next;
};

struct helper {
    ft_pool *pool;
    unsigned worker;
    pthread_t thread;
};

struct ft_pool {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    ft_job *head, **tail;      /* queue of jobs not yet taken */
    int stopping;
    int patience;              /* PATIENCE, or 0 where threads outnumber processors */
    atomic_uint queued;        /* jobs in the queue, to be looked at without the lock */
    atomic_uint asleep;        /* threads that wait for `work` */

    /* A helper counts itself in, then looks whether the loop is open; who closes it looks who is
     * in afterwards. So nobody is inside a loop that has ended, and only then it is changed. */
    struct loop loop;
    atomic_ullong open;        /* number of the loop that runs, 0: none           */
    atomic_uint inside;        /* helpers that work for it                        */
    atomic_int taken;          /* whether a caller has it                         */
    atomic_int waited_for;     /* whether that sleeps until `inside` is 0         */
    unsigned long long loops;  /* numbers given; of who has the loop              */

    unsigned started;          /* threads besides the caller */
    struct helper helpers[MAX_THREADS];
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

static void run_tasks(struct loop *l, unsigned worker)
{
    size_t task;
    while ((task = atomic_fetch_add(&l->next, 1)) < l->tasks)
        l->fn(l->ctx, task, worker);
}

/* Works for the loop that is open, once. *last: the loop it worked for. Returns: whether it did. */
static int join_loop(ft_pool *p, unsigned worker, unsigned long long *last)
{
    unsigned long long open = atomic_load(&p->open);
    if (open == 0 || open == *last)
        return 0;
    atomic_fetch_add(&p->inside, 1);
    open = atomic_load(&p->open);
    if (open && open != *last) {
        *last = open;
        run_tasks(&p->loop, worker);
    }
    if (atomic_fetch_sub(&p->inside, 1) == 1 && atomic_load(&p->waited_for)) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->done);
        pthread_mutex_unlock(&p->lock);
    }
    return 1;
}

static int is_idle(ft_pool *p, unsigned long long last)
{
    unsigned long long open = atomic_load(&p->open);
    return !p->head && !p->stopping && (open == 0 || open == last);
}

/* Looks for work for a while, without the lock. */
static void await_work(ft_pool *p, unsigned worker, unsigned long long *last)
{
    for (int i = 0; i < p->patience; i++) {
        if (join_loop(p, worker, last))
            i = 0;
        if (atomic_load_explicit(&p->queued, memory_order_acquire))
            return;
        pause_a_little();
    }
    (void)join_loop(p, worker, last);
}

static void *worker_main(void *arg)
{
    const struct helper *self = arg;
    ft_pool *p = self->pool;
    unsigned long long last = 0;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        if (!p->head) {
            pthread_mutex_unlock(&p->lock);
            await_work(p, self->worker, &last);
            pthread_mutex_lock(&p->lock);
        }
        atomic_fetch_add(&p->asleep, 1);
        while (is_idle(p, last))
            pthread_cond_wait(&p->work, &p->lock);
        atomic_fetch_sub(&p->asleep, 1);
        if (p->head) {
            ft_job *job = p->head;
            atomic_fetch_sub(&p->queued, 1);
            p->head = job->next;
            if (!p->head)
                p->tail = &p->head;
            run_job(p, job);
        } else if (p->stopping) {
            break;
        }
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
    while (p->started + 1 < threads) {
        struct helper *h = &p->helpers[p->started];
        h->pool = p;
        h->worker = p->started + 1;
        if (pthread_create(&h->thread, NULL, worker_main, h) != 0)
            break;
        p->started++;
    }
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

/* Opens the loop, and wakes as many threads as there is work for. */
static void open_loop(ft_pool *p, size_t tasks)
{
    unsigned asleep;
    atomic_store(&p->open, ++p->loops);
    asleep = atomic_load(&p->asleep);
    if (asleep == 0)
        return;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 1; i < tasks && i <= asleep; i++)
        pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

static void close_loop(ft_pool *p)
{
    atomic_store(&p->open, 0);
    for (int i = 0; i < p->patience && atomic_load(&p->inside); i++)
        pause_a_little();
    if (atomic_load(&p->inside) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->waited_for, 1);
    while (atomic_load(&p->inside))
        pthread_cond_wait(&p->done, &p->lock);
    atomic_store(&p->waited_for, 0);
    pthread_mutex_unlock(&p->lock);
}

void ft_pool_run(ft_pool *p, size_t tasks, void (*fn)(void *ctx, size_t task, unsigned worker),
                 void *ctx)
{
    /* A loop inside of a loop, and one without helpers, is run here. */
    if (tasks < 2 || p->started == 0 || atomic_exchange(&p->taken, 1)) {
        for (size_t task = 0; task < tasks; task++)
            fn(ctx, task, 0);
        return;
    }
    p->loop.fn = fn;
    p->loop.ctx = ctx;
    p->loop.tasks = tasks;
    atomic_store(&p->loop.next, 0);
    open_loop(p, tasks);
    run_tasks(&p->loop, 0);
    close_loop(p);
    atomic_store(&p->taken, 0);
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
        pthread_join(p->helpers[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    ft_free(p);
    *pp = NULL;
}
