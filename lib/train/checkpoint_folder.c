#include "train/checkpoint_folder.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char prefix[] = "checkpoint-", suffix[] = ".ft", temporary[] = ".ft.ft-tmp";

enum { DIGITS = 10, NAME_BYTES = sizeof prefix + DIGITS + sizeof suffix };

static void name_of(uint64_t step, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%s%0*llu%s", prefix, DIGITS,
             (unsigned long long)(step % 10000000000u), suffix);
}

/* Whether a name is "checkpoint-", ten digits and the end given; then *step is the number. */
static int is_ours(const char *name, const char *end, uint64_t *step)
{
    size_t at = sizeof prefix - 1;
    if (strncmp(name, prefix, at) != 0)
        return 0;
    *step = 0;
    for (int i = 0; i < DIGITS; i++, at++) {
        if (name[at] < '0' || name[at] > '9')
            return 0;
        *step = *step * 10 + (uint64_t)(name[at] - '0');
    }
    return strcmp(name + at, end) == 0;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int add_step(ft_checkpoint_folder *f, uint64_t step, ft_err *e)
{
    int rc = ft_grow(&f->steps, &f->cap, f->n + 1, sizeof *f->steps, e);
    if (rc == 0)
        f->steps[f->n++] = step;
    return rc;
}

static int list_and_clean(ft_checkpoint_folder *f, ft_err *e)
{
    const char *name;
    uint64_t step;
    int rc;
    while ((rc = ft_folder_next(f->folder, &name, e)) == 0) {
        /* The folder is locked: nobody is writing a temporary file of ours. */
        if (is_ours(name, temporary, &step))
            rc = ft_folder_remove(f->folder, name, e);
        else if (is_ours(name, suffix, &step))
            rc = add_step(f, step, e);
        if (rc < 0)
            return rc;
    }
    if (f->n > 0)
        qsort(f->steps, f->n, sizeof *f->steps, ascending);
    return rc < 0 ? rc : 0;
}

int ft_checkpoint_folder_open(ft_checkpoint_folder **out, const char *path, ft_err *e)
{
    ft_checkpoint_folder *f = ft_new(1, sizeof *f, e);
    int rc;
    *out = NULL;
    if (!f)
        return FT_ERR_NOMEM;
    rc = ft_folder_open(&f->folder, path, e);
    if (rc == 0) {
        f->path = ft_new(strlen(ft_folder_path(f->folder)) + 1 + NAME_BYTES, 1, e);
        rc = f->path ? list_and_clean(f, e) : FT_ERR_NOMEM;
    }
    if (rc < 0)
        ft_checkpoint_folder_free(&f);
    *out = f;
    return rc;
}

void ft_checkpoint_folder_free(ft_checkpoint_folder **f)
{
    if (!*f)
        return;
    ft_folder_free(&(*f)->folder);
    ft_free((*f)->steps);
    ft_free((*f)->path);
    ft_free(*f);
    *f = NULL;
}

const char *ft_checkpoint_path(ft_checkpoint_folder *f, uint64_t step)
{
    char name[NAME_BYTES];
    const char *folder = ft_folder_path(f->folder);
    name_of(step, name);
    snprintf(f->path, strlen(folder) + 1 + NAME_BYTES, "%s/%s", folder, name);
    return f->path;
}

/* Removes what is older than `step`, but for the one of step `before`. */
static int remove_older(ft_checkpoint_folder *f, uint64_t step, uint64_t before, ft_err *e)
{
    char name[NAME_BYTES];
    size_t kept = 0;
    int rc = 0;
    for (size_t i = 0; i < f->n && rc == 0; i++) {
        uint64_t s = f->steps[i];
        /* Later ones are damaged, or this run would have begun there: they are overwritten when it
         * comes to them. */
        if (s >= step || s == before) {
            f->steps[kept++] = s;
            continue;
        }
        name_of(s, name);
        rc = ft_folder_remove(f->folder, name, e);
    }
    if (rc == 0)
        f->n = kept;
    return rc;
}

int ft_checkpoint_folder_took(ft_checkpoint_folder *f, uint64_t step, ft_err *e)
{
    uint64_t before = 0;
    for (size_t i = 0; i < f->n && f->steps[i] < step; i++)
        before = f->steps[i];
    f->good = step;
    return remove_older(f, step, before, e);    /* which a killed run may have left to do */
}

int ft_checkpoint_folder_saved(ft_checkpoint_folder *f, uint64_t step, ft_err *e)
{
    int rc = remove_older(f, step, f->good, e);
    if (rc < 0)
        return rc;
    f->good = step;
    for (size_t i = 0; i < f->n; i++)
        if (f->steps[i] == step)
            return 0;
    rc = add_step(f, step, e);
    if (rc == 0)
        qsort(f->steps, f->n, sizeof *f->steps, ascending);
    return rc;
}
