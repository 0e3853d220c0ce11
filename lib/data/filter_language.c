#include "data/filter_language.h"

#include "base/mem.h"

#include <libexttextcat/textcat.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "/usr/share/libexttextcat/"
#define LOOK_BYTES 1000

struct ft_language {
    void *handle;
    candidate_t *found;
};

int ft_language_new(ft_language **out, ft_err *e)
{
    ft_language *l = ft_new(1, sizeof *l, e);
    *out = l;
    if (!l)
        return FT_ERR_NOMEM;
    if (access(FOLDER "fpdb.conf", R_OK) == 0)
        l->handle = special_textcat_Init(FOLDER "fpdb.conf", FOLDER);
    if (l->handle)
        l->found = textcat_GetClassifyFullOutput(l->handle);
    if (l->found)
        return 0;
    ft_language_free(out);
    return ft_err_set(e, FT_ERR_NOINPUT, "no language fingerprints in " FOLDER
                      ": install libexttextcat-data, or use --off chat_language and no --language");
}

void ft_language_free(ft_language **lp)
{
    ft_language *l = *lp;
    if (!l)
        return;
    if (l->found)
        textcat_ReleaseClassifyFullOutput(l->handle, l->found);
    if (l->handle)
        textcat_Done(l->handle);
    ft_free(l);
    *lp = NULL;
}

ft_guess ft_language_guess(ft_language *l, const ft_words *classes, const void *text, size_t n)
{
    ft_guess g = {0};
    const uint8_t *p = text;
    size_t letters = 0, end = 0, limit = n < LOOK_BYTES ? n : LOOK_BYTES;
    int found;
    char padded[LOOK_BYTES + 16];
    for (size_t len; end < limit; end += len) {      /* ends at a whole character */
        uint32_t c;
        len = ft_char_at(p + end, n - end, &c);
        letters += (ft_char_class(classes, c) & FT_CHAR_LETTER) != 0;
        letters += c >= 0x3040 && c <= 0xd7a3;       /* such a letter says as much as two */
        if (c >= 0xdc00 && c <= 0xdcff)              /* no UTF-8: the library must not see it */
            return g;
    }
    if (letters < FT_LANGUAGE_LETTERS_MIN)
        return g;
    /* The library also looks at what stands behind the text: always the same, then. */
    memcpy(padded, p, end);
    memset(padded + end, 0, sizeof padded - end);
    found = textcat_ClassifyFull(l->handle, padded, end, l->found);
    for (int i = 0; i < found && g.n < 5; i++) {
        const char *name = l->found[i].name;
        size_t k = name ? strcspn(name, "-") : 0;
        if (k == 0 || k >= sizeof g.name[0])
            continue;
        memcpy(g.name[g.n], name, k);
        g.name[g.n++][k] = '\0';
    }
    return g;
}

int ft_guess_has(const ft_guess *g, const char *name)
{
    for (size_t i = 0; i < g->n; i++)
        if (strcmp(g->name[i], name) == 0)
            return 1;
    return 0;
}

int ft_guesses_differ(const ft_guess *a, const ft_guess *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (ft_guess_has(a, b->name[i]))
            return 0;
    return a->n > 0 && b->n > 0;
}
