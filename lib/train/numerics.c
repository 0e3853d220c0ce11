#define _GNU_SOURCE
#include "train/numerics.h"

#include "kernels/kernels.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* Calls a function of OpenBLAS that returns a static text. */
static const char *ask(void *library, const char *function)
{
    char *(*call)(void);
    void *found = library ? dlsym(library, function) : NULL;
    if (!found)
        return NULL;
    memcpy(&call, &found, sizeof call);
    return call();
}

char *ft_numerics_name(const char *compute, char *out, size_t cap)
{
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_NOLOAD);
    const char *core = ask(library, "openblas_get_corename");
    const char *config = ask(library, "openblas_get_config");    /* "OpenBLAS 0.3.21 …" */
    char version[32] = "";
    if (config)
        (void)sscanf(config, "%*31s %31s", version);
    snprintf(out, cap, "%s %s openblas %s %s", ft_kernels_get()->name, compute,
             core ? core : "none", version);
    if (library)
        dlclose(library);
    return out;
}
