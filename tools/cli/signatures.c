#include "tools/cli/signatures.h"

#include "base/hash.h"
#include "base/json.h"
#include "tools/cli/cli.h"

#include <string.h>

void cli_put_drawn(ft_buf *b, uint64_t draws, size_t n_units, const char *cluster)
{
    ft_buf_add_fmt(b, ",\"bootstrap\":\"n:%llu|seed:%llu|level:95|units:%zu|by:",
                   (unsigned long long)draws, (unsigned long long)cli_seed(), n_units);
    ft_buf_add_str(b, cluster ? "cluster\",\"cluster\":" : "example\"");
    if (cluster)
        ft_json_put_string(b, cluster, strlen(cluster));
}

void cli_put_data(ft_buf *b, const ft_reader *in, const char *references)
{
    ft_digest data = ft_reader_digest(in);
    const ft_digest *template = &ft_reader_header(in)->template_;
    char hex[33];
    ft_buf_add_fmt(b, ",\"data\":\"%s\"", ft_digest_hex(&data, hex));
    if (references)
        ft_buf_add_fmt(b, ",\"references\":\"%s\"", references);
    if (!ft_digest_is_zero(template))
        ft_buf_add_fmt(b, ",\"template\":\"%s\"", ft_digest_hex(template, hex));
}
