#include "data/set_field.h"

void ft_set_field(ft_mp map, const char *field, ft_mp value, ft_buf *out)
{
    ft_mp_iter it = ft_mp_iter_of(map);
    ft_mp key, old;
    ft_slice name;
    int there = ft_mp_get(map, field, &old), set = 0;
    ft_mp_put_map(out, (size_t)ft_mp_count(map) + !there);
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &old)) {
        int is_it = !set && ft_mp_str(key, &name) && ft_slice_is(name, field);
        ft_mp_put_raw(out, key);
        ft_mp_put_raw(out, is_it ? value : old);
        set |= is_it;
    }
    if (!there) {
        ft_mp_put_cstr(out, field);
        ft_mp_put_raw(out, value);
    }
}
