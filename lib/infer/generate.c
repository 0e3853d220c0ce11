#include "infer/generate.h"

static int is_stop(const ft_stop *stop, uint32_t id)
{
    for (size_t i = 0; i < stop->n; i++)
        if (stop->ids[i] == id)
            return 1;
    return 0;
}

int ft_generate(ft_decoder *d, const uint32_t *prompt, size_t n, const ft_stop *stop,
                size_t max_tokens, uint32_t *answer, size_t *n_answer, ft_err *e)
{
    size_t context = ft_decoder_context(d);
    int rc;
    *n_answer = 0;
    if (n >= context)
        return ft_err_set(e, FT_ERR_DATA, "the prompt has %zu tokens and leaves no room for an "
                          "answer in a context of %zu", n, context);
    ft_decoder_reset(d);
    rc = ft_decoder_feed(d, prompt, n, e);
    if (rc < 0)
        return rc;
    while (*n_answer < max_tokens) {
        uint32_t id = ft_decoder_best(d);
        if (is_stop(stop, id))
            return FT_ENDED;
        answer[(*n_answer)++] = id;
        if (*n_answer == max_tokens || ft_decoder_tokens(d) == context)
            break;
        rc = ft_decoder_feed(d, &id, 1, e);
        if (rc < 0)
            return rc;
    }
    return FT_CUT;
}
