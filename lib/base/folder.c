#define _GNU_SOURCE
#include "base/folder.h"

#include "base/io.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct ft_folder {
    DIR *dir;
    char *path;
};

/* The new name must outlive a power cut, or what is synced inside has no way to be found. */
static int make(const char *path, ft_err *e)
{
    if (mkdir(path, 0777) == 0)
        return ft_io_sync_folder_of(path, e);
    if (errno == EEXIST)
        return 0;
    return ft_err_sys(e, FT_ERR_CREATE, errno, "cannot make the folder %s", path);
}

static int open_and_lock(ft_folder *f, ft_err *e)
{
    int rc;
    do
        f->dir = opendir(f->path);
    while (!f->dir && errno == EINTR);
    if (!f->dir)
        return errno == ENOMEM ? ft_err_nomem(e, sizeof *f)
                               : ft_err_sys(e, FT_ERR_CREATE, errno, "cannot open the folder %s",
                                            f->path);
    do
        rc = flock(dirfd(f->dir), LOCK_EX | LOCK_NB);
    while (rc < 0 && errno == EINTR);
    if (rc < 0 && errno == EWOULDBLOCK)
        return ft_err_set(e, FT_ERR_CREATE, "another process is using the folder %s", f->path);
    return rc < 0 ? ft_err_sys(e, FT_ERR_CREATE, errno, "cannot lock the folder %s", f->path) : 0;
}

/* The path without slashes at its end: its last part is then what mkdir makes. */
static char *trimmed(const char *path, ft_err *e)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return ft_strndup(path, n, e);
}

int ft_folder_open(ft_folder **out, const char *path, ft_err *e)
{
    ft_folder *f = ft_new(1, sizeof *f, e);
    int rc;
    *out = NULL;
    if (!f)
        return FT_ERR_NOMEM;
    f->path = trimmed(path, e);
    rc = f->path ? make(f->path, e) : FT_ERR_NOMEM;
    if (rc == 0)
        rc = open_and_lock(f, e);
    if (rc < 0)
        ft_folder_free(&f);
    *out = f;
    return rc;
}

void ft_folder_free(ft_folder **f)
{
    if (!*f)
        return;
    if ((*f)->dir)
        closedir((*f)->dir);
    ft_free((*f)->path);
    ft_free(*f);
    *f = NULL;
}

int ft_folder_next(ft_folder *f, const char **name, ft_err *e)
{
    struct dirent *entry;
    errno = 0;
    entry = readdir(f->dir);
    if (!entry && errno)
        return ft_err_sys(e, FT_ERR_IO, errno, "reading the folder %s", f->path);
    if (!entry) {
        rewinddir(f->dir);
        return FT_EOS;
    }
    *name = entry->d_name;
    return 0;
}

int ft_folder_remove(ft_folder *f, const char *name, ft_err *e)
{
    if (unlinkat(dirfd(f->dir), name, 0) < 0 && errno != ENOENT)
        return ft_err_sys(e, FT_ERR_IO, errno, "removing %s/%s", f->path, name);
    return 0;
}

const char *ft_folder_path(const ft_folder *f)
{
    return f->path;
}
