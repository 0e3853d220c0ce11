#include "tools/cli/provenance.h"

#include "base/json.h"

static void put_hex(ft_buf *b, ft_mp digest)
{
    ft_slice s = {0};
    (void)ft_mp_bin(digest, &s);
    for (size_t i = 0; i < s.n; i++)
        ft_buf_add_fmt(b, "%02x", s.p[i]);
}

static void put_node_json(ft_buf *b, ft_mp id, ft_mp node)
{
    ft_mp_iter it = ft_mp_iter_of(node);
    ft_mp key, value;
    ft_slice k;
    ft_buf_add_str(b, "{\"id\":\"");
    put_hex(b, id);
    ft_buf_add_str(b, "\"");
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        ft_buf_add_str(b, ",");
        ft_json_put(b, key);
        ft_buf_add_str(b, ":");
        if (ft_mp_bin(value, &k)) {
            ft_buf_add_str(b, "\"");
            put_hex(b, value);
            ft_buf_add_str(b, "\"");
        } else if (ft_mp_str(key, &k) && ft_slice_is(k, "inputs")) {
            ft_mp_iter inputs = ft_mp_iter_of(value);
            const char *sep = "[\"";
            for (; ft_mp_next(&inputs, &value); sep = "\",\"") {
                ft_buf_add_str(b, sep);
                put_hex(b, value);
            }
            ft_buf_add_str(b, *sep == '[' ? "[]" : "\"]");
        } else {
            ft_json_put(b, value);
        }
    }
    ft_buf_add_str(b, "}");
}

/* The first eight hex digits name a node to the eye. */
static void put_short(ft_buf *b, ft_mp digest)
{
    ft_slice s = {0};
    (void)ft_mp_bin(digest, &s);
    for (size_t i = 0; i < s.n && i < 4; i++)
        ft_buf_add_fmt(b, "%02x", s.p[i]);
}

/* Whether a string can be shown as it is; others are quoted, so that none can steer a terminal. */
static int is_word(ft_slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return 0;
    return s.n > 0;
}

static void put_node_text(ft_buf *b, ft_mp id, ft_mp node)
{
    static const char *const shown[] = {"tool", "version", "kind", "options", "seed", "records"};
    ft_mp v;
    ft_slice s;
    ft_buf_add_str(b, "    ");
    put_short(b, id);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        if (!ft_mp_get(node, shown[i], &v) || (ft_mp_type_of(v) == FT_MP_MAP && v.n == 1))
            continue;
        ft_buf_add_str(b, i < 3 ? " " : "  ");
        if (i > 3)
            ft_buf_add_fmt(b, "%s ", shown[i]);
        if (ft_mp_str(v, &s) && is_word(s))
            ft_buf_add(b, s.p, s.n);
        else
            ft_json_put(b, v);
    }
    if (ft_mp_get(node, "inputs", &v) && ft_mp_count(v) > 0) {
        ft_mp_iter it = ft_mp_iter_of(v);
        ft_buf_add_str(b, "  from");
        while (ft_mp_next(&it, &v)) {
            ft_buf_add_str(b, " ");
            put_short(b, v);
        }
    }
    ft_buf_add_str(b, "\n");
}

void cli_history_put(ft_buf *b, ft_mp array, int json)
{
    ft_mp_iter it = array.n ? ft_mp_iter_of(array) : (ft_mp_iter){0};
    ft_mp pair, id, node;
    const char *sep = "";
    if (json)
        ft_buf_add_str(b, "[");
    while (ft_mp_next(&it, &pair)) {
        ft_mp_iter two = ft_mp_iter_of(pair);
        if (!ft_mp_next(&two, &id) || !ft_mp_next(&two, &node))
            break;
        if (json) {
            ft_buf_add_str(b, sep);
            put_node_json(b, id, node);
        } else {
            put_node_text(b, id, node);
        }
        sep = ",";
    }
    if (json)
        ft_buf_add_str(b, "]");
}
