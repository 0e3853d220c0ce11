/* set_field.h: one field of a record is set; all others stay as they are, in their order. */
#ifndef FT_SET_FIELD_H
#define FT_SET_FIELD_H

#include "base/buf.h"
#include "base/mp.h"

/* Appends the map with field = value: in the place of the old value, or behind the last field. */
void ft_set_field(ft_mp map, const char *field, ft_mp value, ft_buf *out);

#endif
