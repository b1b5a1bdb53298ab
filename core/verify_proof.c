/* verify_proof.c - proofs, checked without any log. */
#include <stdlib.h>

#include "key.h"
#include "proof.h"
#include "redact.h"

/* A proof file while it is read. */
struct proof_file {
    struct plog_span rest;
    unsigned char hashes[PLOG_PROOF_MAX][PLOG_HASH_SIZE];
    unsigned count;
    struct plog_keyring keys; /* that are trusted */
    bool unsigned_;           /* whether a signature holds is not asked */
    struct plog_error *err;
};

static int malformed(struct proof_file *f, const char *what)
{
    return plog_fail(f->err, PLOG_E_INPUT, "not a proof: %s", what);
}

/* The next line, without its LF.  False at the end, or without LF. */
static bool next_line(struct proof_file *f, struct plog_span *line)
{
    const char *lf = f->rest.n ? memchr(f->rest.p, '\n', f->rest.n) : NULL;
    if (!lf)
        return false;
    *line = plog_span(f->rest.p, (size_t)(lf - f->rest.p));
    f->rest = plog_span(lf + 1, f->rest.n - line->n - 1);
    return true;
}

static bool begins(struct plog_span line, const char *word,
                   struct plog_span *value)
{
    size_t n = strlen(word);
    if (line.n < n || memcmp(line.p, word, n) != 0)
        return false;
    *value = plog_span(line.p + n, line.n - n);
    return true;
}

/* Hashes, one a line, and the empty line behind them. */
static int read_hashes(struct proof_file *f)
{
    struct plog_span line;
    while (next_line(f, &line)) {
        if (line.n == 0)
            return 0;
        if (f->count == PLOG_PROOF_MAX)
            return malformed(f, "too many hashes");
        if (plog_base64_decode(line, f->hashes[f->count++], PLOG_HASH_SIZE))
            return malformed(f, "a hash is not one");
    }
    return malformed(f, "it ends within the hashes");
}

/* Takes the trusted keys, with white space between them. */
static int read_keys(struct proof_file *f, const char *text)
{
    static const char space[] = " \t\r\n";
    for (text += strspn(text, space); *text; text += strspn(text, space)) {
        size_t n = strcspn(text, space);
        if (f->keys.count == PLOG_KEYS_MAX)
            return plog_fail(f->err, PLOG_E_ARG, "more than %d verifier keys",
                             PLOG_KEYS_MAX);
        if (plog_vkey_parse(plog_span(text, n), &f->keys.keys[f->keys.count++]))
            return plog_fail(f->err, PLOG_E_ARG, "the verifier key is not one");
        text += n;
    }
    return f->keys.count
               ? 0
               : plog_fail(f->err, PLOG_E_ARG, "the verifier key is not one");
}

/* Whether a note holds under the key that it names. */
static int check_signature(struct proof_file *f, const struct plog_note *n)
{
    bool known = false;
    for (unsigned i = 0; i < f->keys.count; i++) {
        const struct plog_vkey *key = &f->keys.keys[i];
        if (memcmp(n->key_id, key->id, sizeof n->key_id) != 0 ||
            strcmp(n->origin, key->name) != 0)
            continue;
        known = true;
        if (plog_checkpoint_verify(key, n->origin, n->size, n->root, n->sig))
            return 0;
    }
    return known ? plog_fail(f->err, PLOG_E_TAMPERED,
                             "the signature of the checkpoint does not hold")
                 : plog_fail(f->err, PLOG_E_UNKNOWN_KEY,
                             "the checkpoint is signed by another key");
}

/* Checks one signature line under the text of a note. */
static int check_note(struct proof_file *f, struct plog_span text,
                      struct plog_span line, struct plog_note *out)
{
    struct plog_buf b;
    plog_buf_init(&b, plog_io_posix());
    int rc = plog_buf_add(&b, text.p, text.n);
    if (!rc)
        rc = plog_buf_add(&b, line.p, line.n);
    if (!rc)
        rc = plog_buf_add_char(&b, '\n');
    if (rc)
        rc = plog_fail(f->err, PLOG_E_NOMEM, "out of memory");
    else if (plog_note_parse(plog_span(b.data, b.len), out))
        rc = malformed(f, "the checkpoint is not one");
    else if (!f->unsigned_)
        rc = check_signature(f, out);
    plog_buf_fini(&b);
    return rc;
}

/* The next note: three lines, an empty one, the log's signature.  Behind that
 * of the log there may be those of witnesses, which are not looked at. */
static int read_note(struct proof_file *f, bool is_last, struct plog_note *out)
{
    static const char dash[] = "\xe2\x80\x94 ";
    struct plog_span text = f->rest, line = {NULL, 0}, more;
    for (int i = 0; i < 4; i++)
        if (!next_line(f, &line))
            return malformed(f, "it ends within a checkpoint");
    text.n -= f->rest.n;
    if (!next_line(f, &line))
        return malformed(f, "it ends within a checkpoint");
    int rc = check_note(f, text, line, out);
    while (!rc && is_last && f->rest.n)
        if (!next_line(f, &more) || !begins(more, dash, &line))
            return malformed(f, "something follows the checkpoint");
    return rc;
}

static void set_head(struct plog_proof_report *r, const struct plog_note *n)
{
    memcpy(r->origin, n->origin, sizeof r->origin);
    r->size = n->size;
    memcpy(r->root, n->root, sizeof r->root);
}

/* ---- Inclusion ---------------------------------------------------------- */

/* Decodes the entry in the `extra` line. */
static int read_extra(struct proof_file *f, struct plog_span text,
                      struct plog_proof_report *r)
{
    size_t pad = 0;
    if (text.n % 4 || text.n == 0)
        return malformed(f, "extra is not base64");
    while (pad < 2 && text.p[text.n - 1 - pad] == '=')
        pad++;
    size_t n = text.n / 4 * 3 - pad;
    r->memory = malloc(n + 1);
    if (!r->memory)
        return plog_fail(f->err, PLOG_E_NOMEM, "out of memory");
    if (plog_base64_decode(text, r->memory, n))
        return malformed(f, "extra is not base64");
    r->entry = plog_span(r->memory, n);
    return 0;
}

/* A redacted line names the leaf that is proven, so that any line can: it has
 * to be one of this entry. */
static int check_redacted(struct proof_file *f, struct plog_span line,
                          uint64_t seq)
{
    struct plog_entry_parser parser;
    struct plog_entry e;
    plog_entry_parser_init(&parser, plog_io_posix());
    int rc = plog_entry_parse(&parser, line, &e, NULL);
    plog_entry_parser_fini(&parser);
    if (rc == PLOG_E_NOMEM)
        return plog_fail(f->err, rc, "out of memory");
    return rc || !e.redacted || e.seq != seq
               ? plog_fail(f->err, PLOG_E_INPUT,
                           "the line is no redacted line of entry %llu",
                           (unsigned long long)seq)
               : 0;
}

static int check_inclusion(struct proof_file *f, struct plog_span entry,
                           struct plog_proof_report *r, struct plog_note *note)
{
    struct plog_span line, value;
    uint64_t index;
    bool more = next_line(f, &line);
    int rc = 0;
    if (more && begins(line, "extra ", &value)) {
        rc = read_extra(f, value, r);
        more = next_line(f, &line);
    }
    if (rc)
        return rc;
    if (!more || !begins(line, "index ", &value) ||
        plog_u64_parse(value, &index))
        return malformed(f, "the index is not one");
    rc = read_hashes(f);
    if (!rc)
        rc = read_note(f, true, note);
    if (rc)
        return rc;
    if (entry.p)
        r->entry = entry;
    if (!r->entry.p)
        return plog_fail(f->err, PLOG_E_INPUT,
                         "the entry's line is neither in the proof nor given");
    plog_line_leaf(r->entry, r->leaf);
    r->redacted = plog_line_is_redacted(r->entry);
    r->seq = index + 1;
    set_head(r, note);
    if (r->redacted && (rc = check_redacted(f, r->entry, r->seq)) != 0)
        return rc;
    if (!plog_inclusion_holds(index, note->size, r->leaf,
                              (const unsigned char(*)[PLOG_HASH_SIZE])f->hashes,
                              f->count, note->root))
        return plog_fail(f->err, PLOG_E_TAMPERED,
                         "the proof does not lead from the entry to the"
                         " signed root");
    return 0;
}

/* ---- Consistency -------------------------------------------------------- */

static int check_consistency(struct proof_file *f, struct plog_proof_report *r)
{
    struct plog_note old, now;
    struct plog_span line;
    r->consistency = true;
    int rc = read_hashes(f);
    if (!rc)
        rc = read_note(f, false, &old);
    if (!rc && (!next_line(f, &line) || line.n))
        rc = malformed(f, "no empty line between the checkpoints");
    if (!rc)
        rc = read_note(f, true, &now);
    if (rc)
        return rc;
    if (strcmp(old.origin, now.origin) != 0)
        return plog_fail(f->err, PLOG_E_FOREIGN,
                         "the two checkpoints are of different logs");
    set_head(r, &now);
    r->old_size = old.size;
    memcpy(r->old_root, old.root, sizeof r->old_root);
    if (!plog_consistency_holds(
            old.size, now.size, old.root, now.root,
            (const unsigned char(*)[PLOG_HASH_SIZE])f->hashes, f->count))
        return plog_fail(f->err, PLOG_E_TAMPERED,
                         "the proof does not lead from the older root to the"
                         " newer one");
    return 0;
}

/* Nothing of it counts then. */
static void drop_entry(struct plog_proof_report *r)
{
    free(r->memory);
    r->memory = NULL;
    r->entry = plog_span(NULL, 0);
}

#define INCLUSION "c2sp.org/tlog-proof@v1"

int plog_proof_read(struct plog_span text, struct plog_proof_report *out,
                    struct plog_note *note)
{
    struct proof_file f = {.rest = text, .unsigned_ = true};
    struct plog_span line;
    memset(out, 0, sizeof *out);
    int rc = text.n > PLOG_PROOF_FILE_MAX || !next_line(&f, &line) ||
                     !plog_span_equal(line, plog_span_text(INCLUSION))
                 ? PLOG_E_INPUT
                 : check_inclusion(&f, plog_span(NULL, 0), out, note);
    if (rc)
        drop_entry(out);
    return rc;
}

int plog_verify_proof(const char *text, size_t len, const char *vkey,
                      const char *entry, size_t n,
                      struct plog_proof_report *report, struct plog_error *err)
{
    struct proof_file f = {.rest = {text, len}, .err = err};
    struct plog_span line;
    struct plog_note note;
    memset(report, 0, sizeof *report);
    if (read_keys(&f, vkey))
        return PLOG_E_ARG;
    if (len > PLOG_PROOF_FILE_MAX)
        return malformed(&f, "it is too long");
    if (!next_line(&f, &line))
        return malformed(&f, "it has no line");
    int rc;
    if (plog_span_equal(line, plog_span_text(INCLUSION)))
        rc = check_inclusion(&f, plog_span(entry, n), report, &note);
    else if (plog_span_equal(line, plog_span_text("paritylog/consistency@v1")))
        rc = check_consistency(&f, report);
    else
        rc = malformed(&f, "its first line names no format that is known");
    if (rc == PLOG_E_TAMPERED)
        plog_err_hint(err, "it proves nothing: ask for another one, and see"
                           " that the entry is the line that it is about");
    if (rc == PLOG_E_UNKNOWN_KEY)
        plog_err_hint(err, "see whether it is of the log that you mean, and"
                           " ask whoever runs that for its key");
    if (rc)
        drop_entry(report);
    return plog_done(err, rc);
}

/* ---- The order to redact ------------------------------------------------ */

/* Whether the entry of `own` is the order that makes the line of `r` this one.
 * The leaf is salted, so an order that names it is about that entry and none of
 * another log. */
static int check_order(const struct plog_proof_report *own,
                       const struct plog_proof_report *r,
                       struct plog_error *err)
{
    struct plog_entry_parser parser;
    struct plog_order order;
    unsigned char line[PLOG_HASH_SIZE];
    plog_entry_parser_init(&parser, plog_io_posix());
    int is =
        own->consistency ? 0 : plog_order_read(&parser, own->entry, &order);
    plog_entry_parser_fini(&parser);
    if (is < 0)
        return plog_fail(err, is, "out of memory");
    if (!is || order.at != own->seq)
        return plog_fail(err, PLOG_E_INPUT, "it proves no order to redact");
    plog_sha256(r->entry.p, r->entry.n, line);
    if (order.seq != r->seq ||
        memcmp(order.leaf, r->leaf, sizeof order.leaf) != 0 ||
        memcmp(order.line, line, sizeof line) != 0)
        return plog_fail(err, PLOG_E_TAMPERED,
                         "the order of entry %llu does not make entry %llu this"
                         " redacted line",
                         (unsigned long long)order.at,
                         (unsigned long long)r->seq);
    return 0;
}

int plog_verify_order(const char *text, size_t len, const char *vkey,
                      struct plog_proof_report *report, struct plog_error *err)
{
    struct plog_proof_report own;
    if (!report->redacted)
        return plog_fail(err, PLOG_E_ARG, "the entry was not redacted");
    int rc = plog_verify_proof(text, len, vkey, NULL, 0, &own, err);
    if (rc)
        return rc;
    rc = check_order(&own, report, err);
    if (!rc)
        report->order = own.seq;
    free(own.memory);
    return plog_done(err, rc);
}
