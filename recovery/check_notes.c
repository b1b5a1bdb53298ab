/*
 * check_notes.c - notes of heads that somebody has seen, read before the head
 * that is checked is frozen: others may append meanwhile, and note what they
 * have appended.
 *
 * They are read once.  What they come to is told when the check begins, and
 * again when it begins anew at the same frozen head.
 */
#include "check.h"

#include <errno.h>

#include "watermark.h"

/* A pinned key is one of the log's, and its notes may be by the others, which
 * only keys/ names.  The pinned one counts whatever lies there. */
static void add_other_keys(struct plog_check *c, struct plog_keyring *all)
{
    struct plog_keyring found;
    if (plog_keyring_load(&found, c->reader.io, c->reader.dir.keys, NULL, NULL))
        return;
    for (unsigned i = 0; i < found.count && all->count < PLOG_KEYS_MAX; i++)
        if (!plog_keyring_find(all, plog_span_text(found.keys[i].id_text)))
            all->keys[all->count++] = found.keys[i];
}

static int keep(void *arg, const struct plog_witness_note *n)
{
    struct plog_check_notes *notes = arg;
    struct plog_seen_note kept = {.code = n->code};
    kept.seen.size = n->note.size;
    kept.seen.line = n->line;
    kept.seen.by = PLOG_SEEN_WITNESS;
    memcpy(kept.seen.root, n->note.root, sizeof kept.seen.root);
    return plog_buf_add(&notes->witness, &kept, sizeof kept);
}

/* NOTHING is for a log that is not there. */
static int no_witness(const char *path, struct plog_error *err)
{
    int rc = plog_fail_io(err, -ENOENT, path, "reading the witness file");
    plog_err_hint(err, "see that the path is right; paritylog checkpoint DIR"
                       " --witness FILE makes a new one");
    return rc;
}

static int no_note(const char *path, struct plog_error *err)
{
    plog_fail(err, PLOG_E_INPUT,
              "the witness file holds no whole note, so there is nothing to"
              " compare with: %.300s",
              path);
    plog_err_hint(err, "where this log was never compared before, begin with:"
                       " paritylog checkpoint DIR --witness FILE");
    return PLOG_E_INPUT;
}

static int read_witness(struct plog_check *c, const struct plog_keyring *all)
{
    struct plog_check_notes *n = &c->notes;
    int rc = plog_witness_read(c->reader.io, c->o->witness, all, keep, n,
                               &n->file, &n->why);
    if (rc == PLOG_E_NOTHING)
        return no_witness(c->o->witness, &n->why);
    return !rc && n->file.notes == 0 && !n->file.changed
               ? no_note(c->o->witness, &n->why)
               : rc;
}

/* One file of a nightly job: its watermark is the checkpoint of the next. */
static bool one_file(const struct plog_check_options *o)
{
    return o->since && o->watermark && !strcmp(o->since, o->watermark);
}

static int read_since(struct plog_check *c, const struct plog_keyring *all)
{
    struct plog_seen_file *f = &c->notes.since;
    int rc =
        plog_watermark_read(c->reader.io, c->o->since, all, &f->seen, &f->why);
    f->seen.by = PLOG_SEEN_SINCE;
    /* The first night: all of it. */
    if (rc == PLOG_E_NOTHING && one_file(c->o))
        rc = 0;
    if (rc == PLOG_E_NOTHING) /* which is for a log */
        rc = f->why.code = PLOG_E_IO;
    return rc;
}

/* The note that the new one would replace is a witness of its head, and may be
 * the only one. */
static int read_watermark(struct plog_check *c, const struct plog_keyring *all)
{
    struct plog_seen_file *f = &c->notes.watermark;
    int rc = plog_watermark_place(c->reader.io, c->reader.dir.path,
                                  c->o->watermark, &f->why);
    if (rc || one_file(c->o))
        return rc;
    rc = plog_watermark_read(c->reader.io, c->o->watermark, all, &f->seen,
                             &f->why);
    f->seen.by = PLOG_SEEN_WATERMARK;
    if (rc == PLOG_E_FOREIGN || rc == PLOG_E_UNKNOWN_KEY ||
        rc == PLOG_E_TAMPERED)
        plog_err_hint(&f->why, "name another file for --watermark, or move this"
                               " one away");
    return rc == PLOG_E_NOTHING ? 0 : rc;
}

void plog_check_read_notes(struct plog_check *c)
{
    struct plog_check_notes *n = &c->notes;
    struct plog_keyring all = c->reader.keys;
    if (all.pinned && (c->o->witness || c->o->since || c->o->watermark))
        add_other_keys(c, &all);
    if (c->o->witness)
        n->code = read_witness(c, &all);
    if (c->o->since)
        n->since.code = read_since(c, &all);
    if (c->o->watermark)
        n->watermark.code = read_watermark(c, &all);
}
