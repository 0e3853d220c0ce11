#include "tools/cli/mix_shares.h"

#include "tools/cli/cli.h"

#include <string.h>

/* Returns: the colon before a share, or NULL. */
static const char *share_of(const char *path)
{
    const char *colon = strrchr(path, ':');
    uint64_t share;
    return colon && ft_mix_share_parse(colon + 1, strlen(colon + 1), &share) ? colon : NULL;
}

const char *cli_mix_file_shares(const char **paths, size_t n, ft_buf *kept)
{
    const char *at;
    for (size_t i = 0; i < n; i++) {
        const char *colon = share_of(paths[i]);
        if (!colon && n > 1)
            cli_usage_error("which share has %s? write FILE:SHARE, or give --ratio or "
                            "--temperature", paths[i]);
        ft_buf_add(kept, paths[i], colon ? (size_t)(colon - paths[i]) : strlen(paths[i]));
        ft_buf_add_byte(kept, '\0');
    }
    for (size_t i = 0; i < n; i++) {
        const char *colon = share_of(paths[i]);
        ft_buf_add_fmt(kept, "%s%s", i ? "," : "", colon ? colon + 1 : "1");
    }
    ft_buf_add_byte(kept, '\0');
    cli_check(ft_buf_check(kept, cli_err()));
    at = (const char *)kept->p;
    for (size_t i = 0; i < n; i++, at += strlen(at) + 1)
        paths[i] = at;
    return at;
}

void cli_mix_ratio(const char *list, ft_mix_source *s, size_t n)
{
    const char *at = list;
    for (size_t i = 0;; i++) {
        size_t bytes = strcspn(at, ",");
        if (i >= n || (at[bytes] == '\0' && i + 1 < n))
            cli_usage_error("--ratio %s: not one share for each of the %zu files", list, n);
        if (!ft_mix_share_parse(at, bytes, &s[i].share))
            cli_usage_error("--ratio %s: '%.*s' is no number in (0, 1e9] of at most nine decimals",
                            list, (int)bytes, at);
        if (at[bytes] == '\0')
            break;
        at += bytes + 1;
    }
}
