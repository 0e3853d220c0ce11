#include "tools/cli/model_history.h"

#include "stream/history.h"
#include "tools/cli/cli_internal.h"

int cli_model_object(const ft_gguf *g, const char *key, ft_mp *v, ft_err *e)
{
    const ft_gguf_kv *kv = ft_gguf_kv_find(g, key);
    ft_rd r;
    size_t used = 0;
    int rc;
    *v = (ft_mp){NULL, 0};
    if (!kv)
        return 0;
    if (kv->type != FT_GV_ARRAY || kv->item != FT_GV_U8)
        return ft_err_set(e, FT_ERR_DATA, "%s: %s is not an array of bytes", ft_gguf_path(g), key);
    r = ft_rd_of(kv->raw.p, kv->raw.n);
    (void)ft_rd_u32(&r);                       /* type of the items */
    (void)ft_rd_u64(&r);                       /* their number: the rest */
    *v = (ft_mp){r.p, ft_rd_left(&r)};
    rc = ft_mp_check(v->p, v->n, &used, e);
    if (rc == 0 && used != v->n)
        rc = ft_err_set(e, FT_ERR_DATA, "%zu bytes behind it", v->n - used);
    return rc < 0 ? ft_err_wrap(e, "%s: %s", ft_gguf_path(g), key) : 0;
}

int cli_model_history(const ft_gguf *g, ft_mp *array, ft_err *e)
{
    ft_history *h = NULL;
    int rc = cli_model_object(g, "ft.history", array, e);
    if (rc < 0 || array->n == 0)
        return rc;
    rc = ft_history_new(&h, e);
    if (rc == 0)
        rc = ft_history_merge(h, *array, e);
    ft_history_free(&h);
    return rc < 0 ? ft_err_wrap(e, "%s: ft.history", ft_gguf_path(g)) : 0;
}

void cli_put_model_history(const ft_gguf *base, const ft_digest *base_digest,
                           const ft_reader *adapter, ft_buf *b)
{
    static const ft_digest none;
    ft_history *h = NULL;
    ft_buf options = {0};
    ft_mp array;
    if (cli.no_history)
        return;
    cli_check(ft_history_new(&h, &cli.err));
    cli_check(cli_model_history(base, &array, &cli.err));
    if (array.n)
        cli_check(ft_history_merge(h, array, &cli.err));
    else
        cli_check(ft_history_add_file(h, "model", base_digest, &cli.err));
    if (adapter && ft_reader_history(adapter).n)
        cli_check(ft_history_merge(h, ft_reader_history(adapter), &cli.err));
    cli_put_options(&options);
    cli_check(ft_buf_check(&options, &cli.err));
    cli_check(ft_history_add(h, cli.tool->name, FT_VERSION, "model",
                             (ft_mp){options.p, options.n}, NULL, ft_gguf_tensor_count(base), &none,
                             &cli.err));
    cli_check(ft_history_put(h, b, &cli.err));
    ft_buf_free(&options);
    ft_history_free(&h);
}
