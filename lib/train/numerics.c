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

int ft_numerics_name(const char *compute, char *out, size_t cap, ft_err *e)
{
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_NOLOAD);
    const char *core, *config;
    char version[32] = "";
    if (!library)    /* it is loaded, so only memory can be short */
        return ft_err_set(e, FT_ERR_NOMEM, "out of memory while asking OpenBLAS for its name");
    core = ask(library, "openblas_get_corename");
    config = ask(library, "openblas_get_config");    /* "OpenBLAS 0.3.21 …" */
    if (config)
        (void)sscanf(config, "%*31s %31s", version);
    if (core)
        snprintf(out, cap, "%s %s openblas %s %s", ft_kernels_get()->name, compute, core, version);
    dlclose(library);
    return core && *version ? 0
                            : ft_err_set(e, FT_ERR_INTERNAL, "OpenBLAS does not say which version "
                                         "and kernels it is");
}
