#include "data/leak_keys.h"

#include "base/mem.h"
#include "text/normal.h"

#include <string.h>

#define QUESTIONS (FT_PIECE_PROMPT | FT_PIECE_TEXT)

static const ft_digest nothing;

/* The digest of the canonical form of k->raw, and whether there is anything in it. */
static int digest_raw(ft_leak_keys *k, unsigned ignore, ft_digest *d, ft_err *e)
{
    int rc = ft_buf_check(&k->raw, e);
    ft_buf_clear(&k->form);
    *d = nothing;
    if (rc == 0 && k->raw.n)
        rc = ft_normalise_ignoring(k->raw.p, k->raw.n, ignore, &k->form, e);
    if (rc == 0 && k->form.n)
        *d = ft_digest_of(k->form.p, k->form.n);
    return rc;
}

static int digest_piece(ft_leak_keys *k, const ft_piece *p, unsigned ignore, ft_digest *d,
                        ft_err *e)
{
    ft_buf_clear(&k->raw);
    ft_buf_add(&k->raw, p->text.p, p->text.n);
    return digest_raw(k, ignore, d, e);
}

/* The pieces of some kinds as one text, line by line. Returns: how many they are. */
static size_t join(ft_leak_keys *k, const ft_piece_list *list, unsigned kinds)
{
    size_t n = 0;
    ft_buf_clear(&k->raw);
    for (size_t i = 0; i < list->n; i++)
        if (list->piece[i].kind & kinds) {
            if (n++)
                ft_buf_add_byte(&k->raw, '\n');
            ft_buf_add(&k->raw, list->piece[i].text.p, list->piece[i].text.n);
        }
    return n;
}

/* An empty question asks for nothing: it has no key. */
static int add(ft_leak_keys *k, const ft_digest *question, const ft_digest *answer, ft_err *e)
{
    ft_digest both[2] = {*question, *answer};
    int rc;
    if (ft_digest_is_zero(question))
        return 0;
    if ((rc = ft_grow(&k->key, &k->cap, k->n + 1, sizeof *k->key, e)) == 0)
        k->key[k->n++] = ft_digest_of(both, sizeof both);
    return rc;
}

/* ---- an item ---- */

/* The keys of one question with the answer in k->raw. */
static int add_answered(ft_leak_keys *k, const ft_piece_list *list, const ft_digest *question,
                        unsigned ignore, ft_err *e)
{
    ft_digest answer, whole;
    ft_buf text = {0};
    int rc = digest_raw(k, ignore, &answer, e);
    if (rc == 0)
        rc = add(k, question, &answer, e);
    if (rc < 0 || ft_digest_is_zero(&answer))
        return rc;
    ft_buf_add_byte(&text, '\n');
    ft_buf_add(&text, k->raw.p, k->raw.n);
    (void)join(k, list, QUESTIONS);
    ft_buf_add(&k->raw, text.p, text.n);
    rc = ft_buf_check(&text, e);
    ft_buf_free(&text);
    if (rc == 0 && (rc = digest_raw(k, ignore, &whole, e)) == 0)
        rc = add(k, &whole, &nothing, e);
    return rc;
}

int ft_leak_keys_of_item(const ft_piece_list *list, unsigned ignore, ft_leak_keys *k, ft_err *e)
{
    ft_digest question;
    int rc, answers = 0;
    k->n = 0;
    (void)join(k, list, QUESTIONS);
    if ((rc = digest_raw(k, ignore, &question, e)) < 0)
        return rc;
    for (size_t i = 0; i < list->n && rc == 0; i++)
        if (list->piece[i].kind == FT_PIECE_REFERENCE) {
            answers = 1;
            ft_buf_clear(&k->raw);
            ft_buf_add(&k->raw, list->piece[i].text.p, list->piece[i].text.n);
            rc = add_answered(k, list, &question, ignore, e);
        }
    if (rc < 0 || answers)
        return rc;
    if (join(k, list, FT_PIECE_RESPONSE))
        return add_answered(k, list, &question, ignore, e);
    return add(k, &question, &nothing, e);
}

/* ---- an example ---- */

/* The question that an answer belongs to: the last one before it, else the first behind it. */
static const ft_piece *question_of(const ft_piece_list *list, size_t answer)
{
    for (size_t i = answer; i-- > 0;)
        if (list->piece[i].kind == FT_PIECE_PROMPT)
            return &list->piece[i];
    for (size_t i = answer + 1; i < list->n; i++)
        if (list->piece[i].kind == FT_PIECE_PROMPT)
            return &list->piece[i];
    return NULL;
}

static int add_pair(ft_leak_keys *k, const ft_piece_list *list, size_t i, unsigned ignore,
                    ft_err *e)
{
    const ft_piece *q = question_of(list, i);
    ft_digest question, answer;
    int rc;
    if (!q)
        return 0;
    if ((rc = digest_piece(k, q, ignore, &question, e)) < 0 ||
        (rc = digest_piece(k, &list->piece[i], ignore, &answer, e)) < 0)
        return rc;
    return add(k, &question, &answer, e);
}

int ft_leak_keys_of_example(const ft_piece_list *list, unsigned ignore, ft_leak_keys *k, ft_err *e)
{
    ft_digest question, answer;
    int rc = 0;
    k->n = 0;
    for (size_t i = 0; i < list->n && rc == 0; i++) {
        if (list->piece[i].kind & (FT_PIECE_RESPONSE | FT_PIECE_REFERENCE))
            rc = add_pair(k, list, i, ignore, e);
        else if ((list->piece[i].kind & QUESTIONS) &&
                 (rc = digest_piece(k, &list->piece[i], ignore, &question, e)) == 0)
            rc = add(k, &question, &nothing, e);
    }
    if (rc < 0 || join(k, list, FT_PIECE_PROMPT) < 2)
        return rc;
    if ((rc = digest_raw(k, ignore, &question, e)) < 0)
        return rc;
    (void)join(k, list, FT_PIECE_RESPONSE);
    if ((rc = digest_raw(k, ignore, &answer, e)) < 0)
        return rc;
    return add(k, &question, &answer, e);
}

void ft_leak_keys_free(ft_leak_keys *k)
{
    ft_free(k->key);
    ft_buf_free(&k->raw);
    ft_buf_free(&k->form);
    *k = (ft_leak_keys){0};
}
