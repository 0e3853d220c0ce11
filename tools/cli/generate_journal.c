#include "tools/cli/generate_journal.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/mp.h"
#include "kernels/kernels.h"
#include "tools/cli/cli.h"

#include <string.h>
#include <unistd.h>

static const char magic[] = "ft-generate journal 1\n";
enum { HEADER = sizeof magic - 1 + sizeof(ft_digest), SYNC_EVERY = 16 };

struct cli_journal {
    const char *path;
    ft_map map;                  /* what stood there when it was opened */
    size_t end;                  /* of its whole entries                */
    size_t at;                   /* of the next one                     */
    ft_out *out;
    ft_buf body, entry;
    uint64_t found, added;
};

static _Noreturn void refuse(const char *path, const char *what)
{
    ft_err_set(cli_err(), FT_ERR_DATA, "%s: %s", path, what);
    cli_fail();
}

/* ---- reading ---- */

/* The entry at an offset. Returns: its length in bytes, or 0 when none stands there whole. */
static size_t entry_at(const cli_journal *j, size_t at, cli_journal_answer *a)
{
    ft_rd r = ft_rd_of(j->map.p + at, j->map.n - at);
    uint32_t n = ft_rd_u32(&r);
    uint64_t hash = ft_rd_u64(&r), cut = 0;
    const uint8_t *p = ft_rd_bytes(&r, n);
    ft_slice digest;
    ft_mp body = {p, n}, v;
    size_t used;
    if (r.failed || ft_hash64(p, n, 0) != hash || ft_mp_check(p, n, &used, NULL) < 0 || used != n ||
        !ft_mp_get(body, "record", &v) || !ft_mp_bin(v, &digest) || digest.n != sizeof a->record ||
        !ft_mp_get_uint(body, "number", &a->number) || !ft_mp_get_str(body, "answer", &a->text) ||
        !ft_mp_get_uint(body, "prompt_tokens", &a->prompt_tokens) ||
        !ft_mp_get_uint(body, "answer_tokens", &a->answer_tokens) ||
        !ft_mp_get_uint(body, "cut", &cut))
        return 0;
    memcpy(&a->record, digest.p, sizeof a->record);
    a->cut = cut != 0;
    return ft_rd_at(&r);
}

static void find_end(cli_journal *j)
{
    cli_journal_answer a;
    size_t n;
    j->at = j->end = HEADER;
    while ((n = entry_at(j, j->end, &a)) > 0)
        j->end += n;
    if (j->end < j->map.n)
        cli_note("%s: its last %zu bytes are no whole answer and are answered again", j->path,
                 j->map.n - j->end);
}

int cli_journal_find(cli_journal *j, uint64_t number, const ft_digest *record,
                     cli_journal_answer *a)
{
    size_t n;
    if (j->at >= j->end || (n = entry_at(j, j->at, a)) == 0 || a->number > number)
        return 0;
    if (a->number < number || !ft_digest_equal(&a->record, record)) {
        ft_err_set(cli_err(), FT_ERR_DATA, "%s: what it answered as record %llu is not in this "
                   "stream; it was made from other data", j->path, (unsigned long long)a->number);
        cli_fail();
    }
    j->at += n;
    j->found++;
    return 1;
}

/* ---- writing ---- */

static void put(cli_journal *j, const void *p, size_t n)
{
    cli_check(ft_out_write(j->out, p, n, cli_err()));
    cli_check(ft_out_flush(j->out, cli_err()));
}

void cli_journal_add(cli_journal *j, const cli_journal_answer *a)
{
    ft_buf *b = &j->body;
    ft_buf_clear(b);
    ft_buf_clear(&j->entry);
    ft_mp_put_map(b, 6);
    ft_mp_put_cstr(b, "number");
    ft_mp_put_uint(b, a->number);
    ft_mp_put_cstr(b, "record");
    ft_mp_put_bin(b, &a->record, sizeof a->record);
    ft_mp_put_cstr(b, "answer");
    ft_mp_put_str(b, (const char *)a->text.p, a->text.n);
    ft_mp_put_cstr(b, "prompt_tokens");
    ft_mp_put_uint(b, a->prompt_tokens);
    ft_mp_put_cstr(b, "answer_tokens");
    ft_mp_put_uint(b, a->answer_tokens);
    ft_mp_put_cstr(b, "cut");
    ft_mp_put_uint(b, (uint64_t)a->cut);
    cli_check(ft_buf_check(b, cli_err()));
    ft_buf_add_u32(&j->entry, (uint32_t)b->n);
    ft_buf_add_u64(&j->entry, ft_hash64(b->p, b->n, 0));
    ft_buf_add(&j->entry, b->p, b->n);
    cli_check(ft_buf_check(&j->entry, cli_err()));
    put(j, j->entry.p, j->entry.n);
    if (++j->added % SYNC_EVERY == 0)
        cli_check(ft_out_sync(j->out, cli_err()));
}

/* ---- opening ---- */

ft_digest cli_journal_settings(const ft_model *m, const ft_tokenizer *t, const cli_adapters *a)
{
    ft_mp options = cli_payload_options();
    ft_digest d = ft_tokenizer_digest(t);
    ft_slice chat = {0};
    ft_buf b = {0};
    if (ft_gguf_kv_find(m->gguf, "tokenizer.chat_template"))
        cli_check(ft_gguf_string(m->gguf, "tokenizer.chat_template", &chat, cli_err()));
    ft_buf_add_fmt(&b, "%s %s %s %d ", FT_VERSION, ft_kernels_get()->name, m->transform, a->named);
    ft_buf_add(&b, options.p, options.n);
    ft_buf_add_u64(&b, cli_seed());
    ft_buf_add(&b, &m->digest, sizeof m->digest);
    ft_buf_add(&b, &d, sizeof d);
    ft_buf_add(&b, chat.p, chat.n);
    for (size_t i = 0; i < a->n; i++) {
        d = ft_reader_digest(a->list[i].reader);
        ft_buf_add(&b, &d, sizeof d);
        ft_buf_add_fmt(&b, "%s=", a->list[i].name ? a->list[i].name : "");
    }
    cli_check(ft_buf_check(&b, cli_err()));
    d = ft_digest_of(b.p, b.n);
    ft_buf_free(&b);
    return d;
}

/* Whether the file holds no journal yet: it is missing, or its making was cut short. */
static int is_new(const cli_journal *j)
{
    return j->map.n < HEADER &&
           memcmp(j->map.p ? (const char *)j->map.p : magic, magic,
                  j->map.n < sizeof magic - 1 ? j->map.n : sizeof magic - 1) == 0;
}

cli_journal *cli_journal_open(const char *path, const ft_digest *settings)
{
    cli_journal *j = ft_new(1, sizeof *j, cli_err());
    if (!j)
        cli_fail();
    j->path = path;
    if (access(path, F_OK) == 0)
        cli_check(ft_map_open(&j->map, path, cli_err()));
    if (is_new(j)) {
        cli_check(ft_out_open_log(&j->out, path, cli_err()));
        cli_check(ft_out_write(j->out, magic, sizeof magic - 1, cli_err()));
        put(j, settings, sizeof *settings);
        cli_check(ft_out_sync(j->out, cli_err()));
        cli_check(ft_io_sync_folder_of(path, cli_err()));
        j->at = j->end = HEADER;
        return j;
    }
    if (j->map.n < HEADER || memcmp(j->map.p, magic, sizeof magic - 1) != 0)
        refuse(path, "this is no journal of ft-generate; name another file with --resume");
    if (memcmp(j->map.p + sizeof magic - 1, settings, sizeof *settings) != 0)
        refuse(path, "the journal was made with other options, another model or other adapters; "
               "go on with those, or name another file with --resume");
    find_end(j);
    cli_check(ft_out_open_log_at(&j->out, path, j->end, cli_err()));
    return j;
}

uint64_t cli_journal_found(const cli_journal *j)
{
    return j->found;
}

void cli_journal_close(cli_journal **out)
{
    cli_journal *j = *out;
    if (!j)
        return;
    if (j->at < j->end)
        refuse(j->path, "it has answers to records that this stream does not have; it was made "
               "from other data");
    cli_check(ft_out_sync(j->out, cli_err()));
    cli_check(ft_out_commit(&j->out, cli_err()));
    ft_map_close(&j->map);
    ft_buf_free(&j->body);
    ft_buf_free(&j->entry);
    ft_free(j);
    *out = NULL;
}
