/* stats_internal.h: what a report holds, for stats_doc.c, which builds it, and stats_write.c. */
#ifndef FT_CLI_STATS_INTERNAL_H
#define FT_CLI_STATS_INTERNAL_H

#include "tools/cli/stats_doc.h"

enum stats_node_type { NODE_SECTION, NODE_FIGURE, NODE_TEXT, NODE_NOTE, NODE_TABLE,
                       NODE_HISTOGRAM };

typedef struct stats_place {     /* bytes in the document's texts */
    size_t at, n;
} stats_place;

typedef struct stats_node {
    enum stats_node_type type;
    const char *key, *label, *unit;
    enum stats_kind kind;
    double v;
    stats_place text;
    const stats_column *columns;
    size_t n_columns, bars;
    size_t rows;                 /* of a table; bins of a histogram                       */
    size_t first_number;         /* rows * (n_columns - 1); or rows + 1 edges, rows counts */
    size_t first_name;
} stats_node;

struct stats_doc {
    stats_node *v;
    size_t n, cap;
    double *numbers;
    size_t n_numbers, numbers_cap;
    stats_place *names;
    size_t n_names, names_cap;
    ft_buf texts;
};

#endif
