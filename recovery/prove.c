/* prove.c - proofs, made in one verified pass over the log. */
#include <stdio.h>

#include "archive.h"
#include "check.h"
#include "paritylog_recovery.h"
#include "proof.h"
#include "reader.h"
#include "restore.h"

struct prove {
    const struct plog_prove_options *o;
    const struct plog_io *io;
    struct plog_reader reader;
    struct plog_walk walk;
    bool from_first; /* of archive/, all is read */
    uint64_t size;   /* of the tree that the proof is in */
    struct plog_proof proof;
    struct plog_proof parts; /* of it, before anything was read */
    uint64_t seq;            /* the entry whose line is kept; 0: none */
    struct plog_buf line, text;
    struct plog_note old;          /* of a consistency proof */
    struct plog_commit checkpoint; /* at `size` */
};

/* ---- The pass ----------------------------------------------------------- */

static int not_found(struct plog_error *err, const char *what, uint64_t n)
{
    return plog_fail(err, PLOG_E_NOT_FOUND, "there is no %s %llu", what,
                     (unsigned long long)n);
}

/* Why the log's end is not known: what a reading of it comes to, with its
 * place; else what is wrong with the two heads. */
static int no_end(struct prove *p, int verdict, struct plog_error *err)
{
    struct plog_walk w;
    struct plog_log_group g;
    int rc = plog_walk_open(&w, &p->reader.dir, &p->reader.keys, err);
    if (!rc)
        rc = plog_walk_start(&w, err);
    while (!rc)
        rc = plog_walk_next(&w, &g, err);
    plog_walk_close(&w);
    if (rc == PLOG_END &&
        verdict == PLOG_E_BEHIND) /* it ends where it begins */
        return not_found(err, "commit", p->size);
    if (rc == PLOG_END || (rc == PLOG_E_TORN && verdict != rc))
        rc = plog_fail(err, verdict, "log and store do not end alike: %s",
                       plog_strerror(verdict));
    if (err && !err->hint[0])
        plog_err_hint(err, "run: paritylog parity DIR");
    return rc;
}

/* The size of the tree: the commit asked for, or the last one that both legs
 * have. */
static int choose_size(struct prove *p, const char *dir, struct plog_error *err)
{
    struct plog_status s;
    struct plog_options o = {.struct_size = sizeof o,
                             .io = p->o->io,
                             .vkey = p->o->vkey,
                             .wait_seconds = p->o->wait_seconds};
    int rc = plog_read_status(dir, &o, &s, err);
    if (rc)
        return rc;
    uint64_t known = s.log_size;
    if (s.has_store && s.store_size < known)
        known = s.store_size;
    p->size = p->o->at ? p->o->at : known;
    if (p->size <= known && p->size > 0)
        return 0;
    /* Where the store is behind, or a group was not finished, there is none:
     * none that both legs have. */
    bool known_end =
        s.verdict == 0 ||
        ((s.verdict == PLOG_E_BEHIND || s.verdict == PLOG_E_TORN) && known);
    return known_end ? not_found(err, "commit", p->size)
                     : no_end(p, s.verdict, err);
}

static int take_group(struct prove *p, const struct plog_log_group *g,
                      struct plog_error *err)
{
    for (size_t i = 0; i < g->count; i++) {
        uint64_t seq = g->first + i;
        plog_proof_add(&p->proof, plog_scan_line(&p->walk.scan, i)->leaf);
        struct plog_span line = plog_scan_text(&p->walk.scan, i);
        if (seq == p->seq && plog_buf_add(&p->line, line.p, line.n))
            return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    }
    struct plog_progress at = {g->size, p->size, p->walk.bytes, "prove"};
    if (p->o->progress && p->o->progress(p->o->arg, &at))
        return plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
    return 0;
}

static int gone(uint64_t seq, uint64_t floor, struct plog_error *err)
{
    plog_fail_pruned(err, seq, floor);
    plog_err_hint(err, PLOG_ARCHIVE_NOT_HERE);
    return PLOG_E_PRUNED;
}

/* What the proof needs may lie below the floor, in the archive. */
static int is_whole(const struct prove *p, uint64_t floor,
                    struct plog_error *err)
{
    if (plog_proof_is_whole(&p->proof) && (p->seq == 0 || p->line.len))
        return 0;
    if (floor)
        return gone(p->seq ? p->seq : p->old.size, floor, err);
    return plog_fail(err, PLOG_E_CORRUPT, "the log does not give the proof");
}

/* Out of archive/: only the segments that the proof needs, and what leads from
 * there to log/: else it might be another history's. */
static int start(struct prove *p, struct plog_error *err)
{
    uint64_t before = p->seq ? p->seq - 1 : p->old.size;
    return p->reader.dir.with_archive && !p->from_first
               ? plog_walk_start_behind(&p->walk, before, err)
               : plog_walk_start(&p->walk, err);
}

static int reach_log(struct prove *p, struct plog_error *err)
{
    struct plog_log_group g;
    struct plog_chain at = p->walk.chain; /* what the proof is under */
    int rc = 0;
    while (!rc)
        rc = plog_walk_next_archived(&p->walk, &g, err);
    if (rc == PLOG_END)
        rc = plog_keychain_check(&p->walk.chain.chain, &p->reader.keys, err);
    p->walk.chain = at;
    return rc;
}

static int read_once(struct prove *p, struct plog_error *err)
{
    struct plog_log_group g;
    p->proof = p->parts;
    p->line.len = 0;
    int rc = plog_walk_open(&p->walk, &p->reader.dir, &p->reader.keys, err);
    if (!rc)
        rc = start(p, err);
    uint64_t floor = rc ? 0 : p->walk.chain.last.size;
    if (floor)
        plog_proof_begin(&p->proof, &p->walk.chain.tree);
    if (!rc && floor > p->size)
        return gone(p->size, floor, err);
    while (!rc && p->walk.chain.last.size < p->size) {
        rc = plog_walk_next(&p->walk, &g, err);
        if (!rc)
            rc = take_group(p, &g, err);
    }
    if (rc == PLOG_END || (!rc && p->walk.chain.last.size != p->size))
        return not_found(err, "commit", p->size);
    p->checkpoint = p->walk.chain.last;
    if (!rc)
        rc = reach_log(p, err);
    return rc ? rc : is_whole(p, floor, err);
}

static int read_again(struct prove *p, struct plog_error *err)
{
    plog_walk_close(&p->walk);
    return read_once(p, err);
}

/* A file that lies among those of archive/ and is none of them may be where the
 * proof would begin: from the first one on it is passed by. */
static int read_log(struct prove *p, struct plog_error *err)
{
    int rc = read_once(p, err);
    if (rc != PLOG_E_PRUNED)
        return rc;
    struct plog_error why = {0};
    p->reader.dir.with_archive = true;
    int again = read_again(p, &why);
    if (plog_check_is_verdict(again) && again != PLOG_E_PRUNED) {
        p->from_first = true;
        if (read_again(p, NULL) == 0)
            return 0;
    }
    if (again && again != PLOG_E_PRUNED && err)
        *err = why;
    return again;
}

/* ---- The text ----------------------------------------------------------- */

static int add_hashes(struct plog_buf *text, const struct plog_proof *proof)
{
    int rc = 0;
    for (unsigned i = 0; !rc && i < proof->count; i++) {
        rc = plog_buf_add_base64(text, proof->part[i].hash, PLOG_HASH_SIZE);
        if (!rc)
            rc = plog_buf_add_char(text, '\n');
    }
    return rc ? rc : plog_buf_add_char(text, '\n');
}

static int add_checkpoint(struct plog_buf *text, const struct plog_walk *w)
{
    const struct plog_commit *c = &w->chain.last;
    const struct plog_vkey *key = plog_keychain_find(&w->chain.chain, c->key);
    return key ? plog_note_format(text, w->chain.origin, c->size, c->root,
                                  key->id, c->sig)
               : PLOG_E_UNKNOWN_KEY;
}

static int give(struct prove *p, int rc, struct plog_error *err)
{
    if (rc)
        return plog_fail(err, rc, "writing the proof failed");
    rc = p->o->out ? p->o->out(p->o->arg, p->text.data, p->text.len) : 0;
    if (rc == PLOG_E_NOMEM) /* of our own callbacks */
        return plog_fail(err, rc, "out of memory");
    return rc ? plog_fail(err, PLOG_E_INTERRUPTED, "stopped") : 0;
}

int plog_prove_text(struct plog_buf *text, const struct plog_proof *proof,
                    const struct plog_walk *w, uint64_t seq,
                    const struct plog_span *line)
{
    char index[40];
    int rc = plog_buf_add_text(text, "c2sp.org/tlog-proof@v1\n");
    if (!rc && line) {
        rc = plog_buf_add_text(text, "extra ");
        if (!rc)
            rc = plog_buf_add_base64(text, line->p, line->n);
        if (!rc)
            rc = plog_buf_add_char(text, '\n');
    }
    snprintf(index, sizeof index, "index %llu\n",
             (unsigned long long)(seq - 1));
    if (!rc)
        rc = plog_buf_add_text(text, index);
    if (!rc)
        rc = add_hashes(text, proof);
    return rc ? rc : add_checkpoint(text, w);
}

static int write_inclusion(struct prove *p, struct plog_error *err)
{
    struct plog_span line = plog_span(p->line.data, p->line.len);
    int rc = plog_prove_text(&p->text, &p->proof, &p->walk, p->seq,
                             p->o->hide_entry ? NULL : &line);
    return give(p, rc, err);
}

static int write_consistency(struct prove *p, struct plog_error *err)
{
    const struct plog_note *n = &p->old;
    int rc = plog_buf_add_text(&p->text, "paritylog/consistency@v1\n");
    if (!rc)
        rc = add_hashes(&p->text, &p->proof);
    if (!rc)
        rc = plog_note_format(&p->text, n->origin, n->size, n->root, n->key_id,
                              n->sig);
    if (!rc)
        rc = plog_buf_add_char(&p->text, '\n');
    return give(p, rc ? rc : add_checkpoint(&p->text, &p->walk), err);
}

/* ---- Calls -------------------------------------------------------------- */

static int begin(struct prove *p, const char *dir,
                 const struct plog_prove_options *o, struct plog_error *err)
{
    memset(p, 0, sizeof *p);
    p->o = o;
    p->io = o->io ? o->io : plog_io_posix();
    plog_buf_init(&p->line, p->io);
    plog_buf_init(&p->text, p->io);
    int rc = plog_reader_open_log(&p->reader, p->io, dir, o->vkey, err);
    return rc ? rc : choose_size(p, dir, err);
}

static void end(struct prove *p)
{
    plog_walk_close(&p->walk);
    plog_reader_fini(&p->reader);
    plog_buf_fini(&p->line);
    plog_buf_fini(&p->text);
}

int plog_prove(const char *dir, uint64_t seq,
               const struct plog_prove_options *given, struct plog_error *err)
{
    struct plog_prove_options own;
    struct prove p;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    int rc = begin(&p, dir, &own, err);
    p.seq = seq;
    if (!rc && (seq == 0 || plog_proof_inclusion(&p.parts, seq - 1, p.size)))
        rc = not_found(err, "entry", seq);
    if (!rc)
        rc = read_log(&p, err);
    if (!rc)
        rc = write_inclusion(&p, err);
    end(&p);
    return plog_done(err, rc);
}

static int begin_consistency(struct prove *p, struct plog_error *err)
{
    const struct plog_note *n = &p->old;
    if (n->size > p->size)
        return plog_fail(err, PLOG_E_ROLLBACK,
                         "the checkpoint is of %llu entries, the log ends at"
                         " %llu",
                         (unsigned long long)n->size,
                         (unsigned long long)p->size);
    return plog_proof_consistency(&p->parts, n->size, p->size)
               ? plog_fail(err, PLOG_E_INPUT, "a checkpoint of nothing")
               : 0;
}

/* The older checkpoint must be one of this log, truly signed. */
static int check_note(struct prove *p, struct plog_error *err)
{
    const struct plog_note *n = &p->old;
    char id[PLOG_KEYID_TEXT];
    snprintf(id, sizeof id, "%02x%02x%02x%02x", n->key_id[0], n->key_id[1],
             n->key_id[2], n->key_id[3]);
    if (strcmp(n->origin, p->walk.chain.origin) != 0)
        return plog_fail(err, PLOG_E_FOREIGN, "the checkpoint is of `%s`",
                         n->origin);
    const struct plog_vkey *key = plog_keychain_find(&p->walk.chain.chain, id);
    if (!key)
        return plog_fail(err, PLOG_E_UNKNOWN_KEY,
                         "the checkpoint is signed by key %s", id);
    if (!plog_checkpoint_verify(key, n->origin, n->size, n->root, n->sig))
        return plog_fail(err, PLOG_E_TAMPERED,
                         "the signature of the checkpoint does not hold");
    return 0;
}

/* Whether the proof just made leads from the older root to the newer one. */
static int check_made(struct prove *p, struct plog_error *err)
{
    unsigned char hashes[PLOG_PROOF_MAX][PLOG_HASH_SIZE];
    for (unsigned i = 0; i < p->proof.count; i++)
        memcpy(hashes[i], p->proof.part[i].hash, PLOG_HASH_SIZE);
    if (plog_consistency_holds(
            p->old.size, p->size, p->old.root, p->checkpoint.root,
            (const unsigned char(*)[PLOG_HASH_SIZE])hashes, p->proof.count))
        return 0;
    return plog_fail(err, PLOG_E_FORK,
                     "the log has another root at entry %llu than the"
                     " checkpoint",
                     (unsigned long long)p->old.size);
}

int plog_prove_consistency(const char *dir, const char *note, size_t len,
                           const struct plog_prove_options *given,
                           struct plog_error *err)
{
    struct plog_prove_options own;
    struct prove p;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    int rc = begin(&p, dir, &own, err);
    if (!rc && plog_note_parse(plog_span(note, len), &p.old))
        rc = plog_fail(err, PLOG_E_INPUT, "not a signed checkpoint");
    if (!rc)
        rc = begin_consistency(&p, err);
    if (!rc)
        rc = read_log(&p, err);
    if (!rc)
        rc = check_note(&p, err);
    if (!rc)
        rc = check_made(&p, err);
    if (!rc)
        rc = write_consistency(&p, err);
    end(&p);
    return plog_done(err, rc);
}
