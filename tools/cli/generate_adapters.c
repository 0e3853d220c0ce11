#include "tools/cli/generate_adapters.h"

#include "base/mem.h"
#include "tools/cli/cli.h"
#include "train/adapter_stream.h"

#include <string.h>

/* An adapter of another base than those before it would change the weights that they are for. */
static void add(cli_adapters *a, ft_model *m, const char *name, const char *path)
{
    cli_named_adapter *to = &a->list[a->n];
    const char *before = m->transform, *warning = NULL;
    cli_check(ft_adapter_read(&to->adapter, m, path, cli_pool(), &to->reader, &warning, cli_err()));
    if (warning)
        cli_warn("%s: %s", path, warning);
    if (a->n > 0 && strcmp(before, m->transform) != 0) {
        ft_err_set(cli_err(), FT_ERR_DATA, "%s was trained on the model in %s, the adapters before "
                   "it were not; generate in two runs", path, m->transform);
        cli_fail();
    }
    if (to->adapter->cfg.method == FT_METHOD_FULL && (a->n > 0 || name)) {
        ft_err_set(cli_err(), FT_ERR_DATA, "%s has all weights of a model, not something beside "
                   "them: give it alone, by -a, or merge it", path);
        cli_fail();
    }
    to->name = name;
    a->n++;
    if (to->adapter->cfg.rank > a->max_rank)
        a->max_rank = to->adapter->cfg.rank;
    if (to->adapter->cfg.virtual_tokens > a->max_virtual)
        a->max_virtual = to->adapter->cfg.virtual_tokens;
}

static void check_name(const cli_adapters *a, const char *name)
{
    if (!*name || strcmp(name, "base") == 0)
        cli_usage_error("--adapters: '%s' is no name for an adapter", name);
    for (size_t i = 0; i < a->n; i++)
        if (a->list[i].name && strcmp(a->list[i].name, name) == 0)
            cli_usage_error("--adapters: the name '%s' is given twice", name);
}

void cli_adapters_read(cli_adapters *a, ft_model *m, const char *named)
{
    if (cli_adapter())
        add(a, m, NULL, cli_adapter());
    if (!named)
        return;
    if (a->n && a->list[0].adapter->cfg.method == FT_METHOD_FULL)
        cli_usage_error("--adapters does not go with an adapter of method full (-a)");
    a->named = 1;
    a->names = ft_strndup(named, strlen(named), cli_err());
    if (!a->names)
        cli_fail();
    for (char *p = a->names, *end; p; p = end) {
        char *path = strchr(p, '=');
        end = strchr(p, ',');
        if (end)
            *end++ = '\0';
        if (!path || (end && path > end) || !path[1])
            cli_usage_error("--adapters: '%s' is not NAME=FILE", p);
        *path++ = '\0';
        check_name(a, p);
        if (a->n == sizeof a->list / sizeof *a->list)
            cli_usage_error("--adapters takes %d at most", CLI_ADAPTERS_MAX);
        add(a, m, p, path);
    }
}

void cli_adapters_free(cli_adapters *a)
{
    for (size_t i = 0; i < a->n; i++) {
        ft_adapter_free(&a->list[i].adapter);
        ft_reader_free(&a->list[i].reader);
    }
    ft_free(a->names);
    *a = (cli_adapters){0};
}

int cli_adapters_find(const cli_adapters *a, ft_mp record, const ft_adapter **l, ft_err *e)
{
    ft_slice name;
    ft_mp v;
    *l = a->n && !a->list[0].name ? a->list[0].adapter : NULL;
    if (!a->named || !ft_mp_get(record, "adapter", &v))
        return 0;
    if (!ft_mp_str(v, &name))
        return ft_err_set(e, FT_ERR_DATA, "adapter is no string");
    if (ft_slice_is(name, "base")) {
        *l = NULL;
        return 0;
    }
    for (size_t i = 0; i < a->n; i++)
        if (a->list[i].name && ft_slice_is(name, a->list[i].name)) {
            *l = a->list[i].adapter;
            return 0;
        }
    return ft_err_set(e, FT_ERR_DATA, "the adapter '%.*s' is none of --adapters",
                      (int)(name.n < 64 ? name.n : 64), (const char *)name.p);
}
