/*
 * enter.c - opening a handle, and the checks each time the writer lock is
 * taken.
 *
 * At opening the head check of legs.c runs in full.  Later only what another
 * process can have changed is looked at: whether lock file, last segment and
 * store are still the ones of those names, whether the store's head moved,
 * whether something stands behind the head in the log.  Whatever does not
 * fit leads to the full check, and that one to the repair.
 */
#include <errno.h>

#include "commit_at.h"
#include "engine.h"

/* ---- Each time the lock is taken ---------------------------------------- */

/* Rises when another connection has written; 0: nobody knows. */
static uint64_t store_version(plog *p)
{
    sqlite3_stmt *q = p->legs.store.version;
    uint64_t v = plog_sql_row(q, NULL) == 0 ? plog_sql_u64(q, 0) : 0;
    sqlite3_reset(q);
    return v;
}

/* The file of a name is still `id`: 0; PLOG_END when not. */
static int check_name(const plog *p, const char *name,
                      const struct plog_stat *id, struct plog_error *err)
{
    struct plog_stat st;
    int rc = p->io->stat_at(p->io->ctx, p->legs.dir.dir, name, &st);
    if (rc && rc != -ENOENT)
        return plog_fail_io(err, rc, name, "looking at the store");
    return !rc && st.links == 1 && plog_stat_same(&st, id) ? 0 : PLOG_END;
}

/*
 * The store is still the file of its name, and so is its WAL: 0; PLOG_END when
 * not.  Whoever opens and closes store.db in this process takes SQLite's locks
 * from it (POSIX has it so), and the next program that reads the store may
 * then remove the WAL: what is committed into that, nobody sees.
 */
static int check_store(const plog *p, struct plog_error *err)
{
    if (!p->legs.store_open)
        return PLOG_END;
    int rc = check_name(p, PLOG_STORE_FILE, &p->legs.store_id, err);
    if (!rc && p->legs.wal_id.inode)
        rc = check_name(p, PLOG_STORE_WAL_FILE, &p->legs.wal_id, err);
    return rc;
}

/* Another process wrote: its head must be what the log holds there. */
static int follow_head(plog *p, struct plog_error *err)
{
    struct plog_store_head h;
    const struct plog_vkey *key;
    int rc = plog_store_get_head(&p->legs.store, &h, err);
    if (rc)
        return rc;
    if (strcmp(h.origin, p->origin) != 0)
        return plog_fail(err, PLOG_E_FOREIGN, "store.db now belongs to `%s`",
                         h.origin);
    bool moved = h.commit.size != p->legs.head.commit.size ||
                 memcmp(h.commit.root, p->legs.head.commit.root,
                        sizeof h.commit.root) != 0 ||
                 h.segment != p->legs.head.segment ||
                 h.offset != p->legs.head.offset;
    p->legs.head.rules = h.rules; /* what may be gone moves by itself */
    if (!moved)
        return 0;
    if (h.commit.size < p->legs.head.commit.size)
        return PLOG_END; /* never on its own: let the full check judge */
    if (h.segment != p->legs.tail.first)
        rc = plog_tail_open(&p->legs.tail, h.segment, NULL);
    if (rc)
        return PLOG_END;
    rc =
        plog_store_keys(&p->legs.store, &h, &p->legs.keys, &p->legs.chain, err);
    if (!rc)
        rc = plog_commit_reads(&p->legs.dir, &p->legs.chain, p->legs.tail.fd,
                               &h, &key, err);
    if (!rc && !plog_signer_confirms(&p->signer, key, h.origin, h.commit.size,
                                     h.commit.root, h.commit.sig))
        rc = PLOG_END;
    if (!rc)
        p->legs.head = h;
    return rc;
}

static int no_next_segment(plog *p)
{
    char name[PLOG_SEGMENT_NAME];
    struct plog_stat st;
    uint64_t next = p->legs.head.commit.size + 1;
    if (next == p->legs.head.segment)
        return 0;
    plog_segment_name(next, name);
    int rc = p->io->stat_at(p->io->ctx, p->legs.dir.log, name, &st);
    return rc == -ENOENT ? 0 : PLOG_END;
}

/* On lock file and store that are known to be those of their names.  Returns 0
 * with a transaction open, PLOG_END when the full check must look, or an
 * error. */
static int quick_check(plog *p, struct plog_error *err)
{
    if (!p->head_known || plog_tail_check(&p->legs.tail))
        return PLOG_END;
    int rc = plog_store_begin(&p->legs.store, err);
    uint64_t version = rc ? 0 : store_version(p);
    if (!rc && version != p->data_version)
        rc = follow_head(p, err);
    if (!rc && p->legs.tail.end < p->legs.head.offset)
        rc = PLOG_END;
    if (!rc)
        rc = plog_tail_is_clean(&p->legs.tail, p->legs.head.offset, false, err);
    if (!rc)
        rc = no_next_segment(p);
    if (rc)
        plog_store_rollback(&p->legs.store);
    else
        p->data_version = version;
    return rc;
}

int plog_engine_begin_again(plog *p, struct plog_error *err)
{
    int rc = plog_store_begin(&p->legs.store, err);
    if (!rc && store_version(p) != p->data_version) {
        p->head_known = false;
        rc = plog_fail(err, PLOG_E_LOCKED,
                       "store.db was written to by another program");
    }
    return rc;
}

static int check_origin(plog *p, struct plog_error *err)
{
    if (!p->origin[0])
        memcpy(p->origin, p->legs.head.origin, sizeof p->origin);
    if (strcmp(p->origin, p->legs.head.origin) == 0)
        return 0;
    return plog_fail(err, PLOG_E_FOREIGN,
                     "the directory now holds the log"
                     " `%s`",
                     p->legs.head.origin);
}

/* The check in full, and the repair when it does not pass. */
static int full_check(plog *p, struct plog_error *err)
{
    bool behind = p->behind;
    int rc = plog_legs_check(&p->legs, err);
    if (rc == PLOG_END) {
        rc = check_origin(p, err);
        if (!rc)
            rc = plog_legs_repair(&p->legs, behind, err);
        if (!rc && behind)
            return plog_store_begin(&p->legs.store, err);
        if (!rc)
            rc = plog_legs_check(&p->legs, err);
        if (rc == PLOG_END)
            rc = plog_fail(err, PLOG_E_DIVERGED,
                           "log and store do not agree"
                           " after a replay");
    }
    if (!rc)
        rc = check_origin(p, err);
    if (!rc)
        rc = plog_engine_signer(p, err);
    if (rc) {
        plog_store_rollback(&p->legs.store);
        return rc;
    }
    p->data_version = store_version(p);
    p->head_known = true;
    if (p->checkpointed == 0)
        p->checkpointed = p->io->clock_mono_ns(p->io->ctx);
    p->behind = false;
    return 0;
}

static int open_legs(plog *p, struct plog_error *err)
{
    int rc = plog_legs_open(&p->legs, p->io, p->path, PLOG_DIR_WRITE,
                            &p->options, err);
    if (!rc)
        rc = plog_dir_lock(&p->legs.dir, false, p->legs.wait_seconds, err);
    if (!rc)
        rc = plog_legs_open_store(&p->legs, false, err);
    if (rc)
        plog_legs_close(&p->legs);
    return rc;
}

/* Takes the lock, on the files that have their names now. */
static int take_lock(plog *p, struct plog_error *err)
{
    if (!p->legs.io) /* an earlier attempt to begin anew failed */
        return open_legs(p, err);
    int rc = plog_dir_lock(&p->legs.dir, false, p->legs.wait_seconds, err);
    if (rc)
        return rc;
    rc = plog_dir_check_lock(&p->legs.dir, err);
    if (rc == PLOG_E_LOCKED) {
        if (plog_slots_waits(&p->legs.dir.slots))
            plog_shared_note(p);
        plog_legs_close(&p->legs); /* another lock file: begin anew */
        p->head_known = false;
        return open_legs(p, err);
    }
    if (!rc)
        rc = check_store(p, err);
    if (rc != PLOG_END)
        return rc;
    plog_legs_close_store(&p->legs);
    p->head_known = false;
    return plog_legs_open_store(&p->legs, false, err);
}

int plog_engine_enter(plog *p, struct plog_error *err)
{
    int rc = take_lock(p, err);
    if (rc == PLOG_E_LOCKED && !p->legs.dir.locked)
        return rc; /* nothing was looked at, and what is known stands */
    if (!rc)
        rc = quick_check(p, err);
    if (rc == PLOG_END)
        rc = full_check(p, err);
    else if (!rc && (rc = plog_engine_signer(p, err)) != 0)
        plog_store_rollback(&p->legs.store);
    if (rc) {
        p->head_known = false;
        plog_dir_unlock(&p->legs.dir);
    }
    return rc;
}

void plog_engine_leave(plog *p)
{
    plog_store_rollback(&p->legs.store);
    plog_dir_unlock(&p->legs.dir);
}

/* ---- Opening and closing ------------------------------------------------ */

static char *copy_text(const struct plog_io *io, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = plog_alloc(io, n);
    if (copy)
        memcpy(copy, text, n);
    return copy;
}

static int copy_options(plog *p, const struct plog_options *o,
                        struct plog_error *err)
{
    p->options = *o;
    p->options.vkey = p->options.passphrase = NULL;
    if (!o->vkey)
        return 0;
    p->options.vkey = p->vkey = copy_text(p->io, o->vkey);
    return p->vkey ? 0 : plog_fail(err, PLOG_E_NOMEM, "out of memory");
}

static int open_handle(plog *p, const char *dir, const struct plog_options *o,
                       struct plog_error *err)
{
    int rc = copy_options(p, o, err);
    if (!rc)
        rc = plog_legs_open(&p->legs, p->io, dir, PLOG_DIR_WRITE, &p->options,
                            err);
    if (rc)
        return rc;
    memcpy(p->path, p->legs.dir.path, sizeof p->path);
    /* For now: of a rotation that was cut off, the key in force may be in the
     * other file, which the head will tell. */
    p->passphrase = o->passphrase;
    rc = plog_signer_load(&p->signer, p->io, p->legs.dir.keys, p->passphrase,
                          err);
    char next[PLOG_KEYID_TEXT];
    if (rc == PLOG_E_KEY &&
        plog_signer_next_id(p->io, p->legs.dir.keys, next, NULL) == 0)
        rc = 0;
    if (!rc)
        rc = plog_dir_lock(&p->legs.dir, false, p->legs.wait_seconds, err);
    if (!rc)
        rc = plog_legs_open_store(&p->legs, false, err);
    p->behind = p->options.leave_behind;
    if (!rc)
        rc = full_check(p, err);
    p->line_max = (size_t)p->legs.head.rules.line_max;
    p->passphrase = NULL;
    if (!rc && !p->behind)
        plog_engine_settle(p);
    if (!rc && !p->behind)
        plog_engine_scrub(p);
    if (!rc)
        plog_shared_join(p);
    if (!rc)
        plog_engine_leave(p);
    return rc;
}

int plog_engine_new(plog **out, const struct plog_io *io,
                    struct plog_error *err)
{
    plog *p = *out = plog_alloc(io, sizeof *p);
    if (!p)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    p->io = io;
    p->pid = io->process_id(io->ctx);
    p->legs.dir.dir = p->legs.dir.log = p->legs.dir.keys = -1;
    p->legs.dir.lock = p->legs.tail.fd = -1;
    plog_queue_init(&p->queue);
    return 0;
}

int plog_open(plog **out, const char *dir, const struct plog_options *given,
              struct plog_error *err)
{
    struct plog_options own;
    const struct plog_options *o = &own;
    *out = NULL;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    const struct plog_io *io = o->io ? o->io : plog_io_posix();
    plog *p;
    int rc = plog_engine_new(&p, io, err);
    if (rc)
        return rc;
    rc = open_handle(p, dir, o, err);
    if (rc) {
        p->poisoned = true; /* nothing to trim */
        plog_close(p);
        return plog_done(err, rc);
    }
    *out = p;
    return plog_done(err, 0);
}

#define CLOSE_FRAMES 250 /* the next opening reads all of them: 4 us each */

/* Ends the transaction.  Rows that wait are moved by who has learnt of them
 * anyway; where that fails they wait on. */
static void settle(struct plog_store *s)
{
    bool moved = s->recent.known && plog_recent_settle(&s->recent, NULL) == 0 &&
                 s->recent.spoilt;
    if (!moved || plog_store_commit(s, NULL))
        plog_store_rollback(s);
}

/* Cuts the padding, at the offset that the store holds now and not at the one
 * this process remembers; and leaves no long WAL behind. */
static void trim(plog *p)
{
    if (p->poisoned || p->behind || !p->head_known)
        return;
    if (plog_dir_lock(&p->legs.dir, false, p->legs.wait_seconds, NULL))
        return;
    if (plog_dir_check_lock(&p->legs.dir, NULL) == 0 &&
        check_store(p, NULL) == 0 && quick_check(p, NULL) == 0) {
        plog_tail_trim(&p->legs.tail, p->legs.head.offset);
        settle(&p->legs.store);
        if (p->legs.store.wal_frames > CLOSE_FRAMES)
            plog_store_empty_wal(&p->legs.store);
    }
    plog_engine_leave(p);
}

/* In a child: what is open stays the parent's, but for descriptors, which the
 * child only has too.  With them the lock of a parent that was killed would
 * live on. */
static void let_go(plog *p)
{
    struct plog_dir *d = &p->legs.dir;
    d->locked = false;         /* not to be unlocked from here */
    d->slots.own = PLOG_SLOTS; /* nor given up */
    if (p->legs.io)
        plog_tail_close(&p->legs.tail);
    plog_dir_close(d);
}

void plog_close(plog *p)
{
    if (!p)
        return;
    bool forked = p->io->process_id(p->io->ctx) != p->pid;
    plog_queue_fini(&p->queue, forked);
    if (forked) {
        let_go(p);
    } else {
        trim(p);
        plog_legs_close(&p->legs);
    }
    plog_signer_fini(&p->signer);
    plog_free(p->io, p->guests);
    plog_free(p->io, p->vkey);
    plog_free(p->io, p);
}
