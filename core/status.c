/*
 * status.c - where both legs stand, by their heads alone.
 *
 * When the store's head is what the log ends with, that is all.  Else
 * somebody is writing or did not finish: the lock, taken shared for an
 * instant, tells which.  Without a store the floor is looked for in the log.
 */
#include <errno.h>
#include <stdio.h>

#include "commit_at.h"
#include "reader.h"
#include "tail.h"

/* Of a file below `dir`; 0 when there is none. */
static int file_size(struct plog_reader *r, int dir, const char *name,
                     uint64_t *out, struct plog_error *err)
{
    struct plog_stat st = {.size = 0};
    int rc = r->io->stat_at(r->io->ctx, dir, name, &st);
    *out = rc ? 0 : st.size;
    return rc && rc != -ENOENT ? plog_fail_io(err, rc, name, "looking at it")
                               : 0;
}

static int count_segments(struct plog_reader *r, struct plog_status *out,
                          struct plog_error *err)
{
    struct plog_buf list;
    char name[PLOG_SEGMENT_NAME], shown[PLOG_SEGMENT_FILE];
    uint64_t size;
    plog_buf_init(&list, r->io);
    int rc = plog_dir_segments(&r->dir, &list, err);
    out->segments = plog_segment_count(&list);
    out->below_floor = 0;
    out->log_bytes = 0;
    for (size_t i = 0; !rc && i < out->segments; i++) {
        plog_segment_name(plog_segment_at(&list, i), name);
        rc = file_size(r, r->dir.log, name, &size, err);
        if (rc) {
            plog_segment_file(plog_segment_at(&list, i), false, shown);
            plog_err_file(err, shown);
        }
        out->log_bytes += size;
        out->below_floor += plog_segment_at(&list, i) <= out->floor;
    }
    plog_buf_fini(&list);
    if (!rc && out->segments == 0)
        rc = plog_dir_no_log(&r->dir, "log/ holds no segment", err);
    return rc;
}

static void set_log_head(struct plog_status *out, const struct plog_commit *c)
{
    out->log_has_commit = c->size > 0;
    out->log_size = c->size;
    memcpy(out->log_root, c->root, sizeof out->log_root);
}

/* Whether the log ends with the store's head. */
static bool heads_meet(struct plog_reader *r, const struct plog_store_head *h)
{
    struct plog_stat id;
    struct plog_tail t;
    struct plog_keychain keys;
    char name[PLOG_SEGMENT_NAME];
    int fd;
    if (plog_dir_open_segment(&r->dir, h->segment, false, &fd, &id, NULL))
        return false;
    plog_tail_init(&t, &r->dir);
    t.fd = fd;
    plog_segment_name(h->commit.size + 1, name);
    bool meet = plog_store_keys(&r->store, h, &r->keys, &keys, NULL) == 0 &&
                plog_commit_stands(&r->dir, &keys, fd, h, NULL) == 0 &&
                plog_tail_is_clean(&t, h->offset, true, NULL) == 0 &&
                (h->commit.size + 1 == h->segment ||
                 r->io->stat_at(r->io->ctx, r->dir.log, name, &id) == -ENOENT);
    plog_tail_close(&t);
    return meet;
}

/* Behind the store's head, if that lies in one of the last two segments: the
 * store knows keys that a killed rotation has not put into keys/ yet. */
static int start_at_head(struct plog_reader *r, struct plog_walk *w,
                         const struct plog_store_head *h)
{
    size_t n = plog_segment_count(&w->segments);
    if (!h || h->segment < plog_segment_at(&w->segments, n > 1 ? n - 2 : 0))
        return PLOG_END;
    int rc = plog_store_keys(&r->store, h, &r->keys, &w->chain.chain, NULL);
    if (!rc)
        rc = plog_walk_start_at(w, h, NULL);
    if (rc)
        w->chain.chain.count = 0;
    return rc;
}

/* Reads the end of the log.
 * @h  the store's head, or NULL */
static void read_log_end(struct plog_reader *r, const struct plog_store_head *h,
                         struct plog_status *out)
{
    struct plog_walk w;
    struct plog_log_group g;
    uint64_t content = 0;
    size_t last = (size_t)out->segments - 1;
    int rc = plog_walk_open(&w, &r->dir, &r->keys, NULL);
    if (!rc && start_at_head(r, &w, h) != 0)
        rc = plog_walk_start_segment(&w, plog_segment_at(&w.segments, last),
                                     NULL);
    if (rc && w.headless && last > 0) /* an unborn segment: the one before */
        rc = plog_walk_start_segment(&w, plog_segment_at(&w.segments, last - 1),
                                     NULL);
    while (!rc)
        rc = plog_walk_next(&w, &g, NULL);
    snprintf(out->origin, sizeof out->origin, "%s", w.chain.origin);
    set_log_head(out, &w.chain.last);
    out->verdict = rc == PLOG_END ? 0 : rc;
    if (rc != PLOG_END && w.fd >= 0 &&
        plog_scan_content_end(&w.scan, &content) == 0 &&
        content > w.scan.offset)
        out->tail_bytes = content - w.scan.offset;
    plog_walk_close(&w);
}

/* Without a store the log says where it begins: the entry that set its floor is
 * looked for in all of it.  So the lock is not held, and where the log begins
 * with entry 1 nothing is read. */
static void find_floor(struct plog_reader *r, struct plog_status *out)
{
    struct plog_walk w;
    const struct plog_compaction *c = NULL;
    if (!plog_walk_open(&w, &r->dir, &r->keys, NULL) &&
        plog_segment_at(&w.segments, 0) > 1)
        c = plog_orders_floor(&w.orders, plog_segment_at(&w.segments, 0) - 1);
    out->floor = c ? c->to : 0;
    plog_walk_close(&w);
}

/* Whether the store's head lies in the log, which may have another name further
 * on: a copy that goes on has it from there. */
static bool head_lies(struct plog_reader *r, const struct plog_store_head *h)
{
    struct plog_stat id;
    int fd;
    if (plog_dir_open_segment(&r->dir, h->segment, false, &fd, &id, NULL))
        return false;
    bool lies = plog_commit_lies(&r->dir, fd, h);
    r->io->close(r->io->ctx, fd);
    return lies;
}

static void compare(struct plog_reader *r, const struct plog_store_head *h,
                    struct plog_status *out)
{
    if (out->origin[0] && strcmp(out->origin, h->origin) != 0 &&
        !head_lies(r, h))
        out->verdict = PLOG_E_FOREIGN;
    else if (out->store_size < out->log_size)
        out->verdict = PLOG_E_BEHIND;
    else if (out->store_size > out->log_size)
        out->verdict = out->verdict && out->verdict != PLOG_E_TORN
                           ? out->verdict
                           : PLOG_E_ROLLBACK;
    else if (memcmp(out->store_root, out->log_root, PLOG_HASH_SIZE) != 0)
        out->verdict = PLOG_E_FORK;
}

static int count_pending(struct plog_reader *r, struct plog_status *out,
                         struct plog_error *err)
{
    struct plog_buf seqs;
    plog_buf_init(&seqs, r->io);
    int rc = plog_store_pending(&r->store, &seqs, err);
    out->pending = seqs.len / sizeof(uint64_t);
    plog_buf_fini(&seqs);
    return rc;
}

/* Asking another database for an index makes one, which SQLite knows nothing of
 * and never closes. */
static bool is_in_wal_mode(struct plog_reader *r)
{
    sqlite3_stmt *q = NULL;
    bool is = plog_sql_prepare(r->store.db, "PRAGMA main.journal_mode", &q,
                               NULL) == 0 &&
              plog_sql_row(q, NULL) == 0 &&
              plog_span_is(plog_sql_text(q, 0), "wal");
    sqlite3_finalize(q);
    return is;
}

/* From the index of SQLite's WAL (sqlite.org/walformat.html, 2.1): mxFrame and
 * nBackfill, in the byte order of this machine.  Through the connection, which
 * has it mapped: to open the file here, and to close it, would take from every
 * handle of this process the locks that SQLite holds on it. */
static void read_wal_index(struct plog_reader *r, struct plog_status *out)
{
    enum { region = 32768 }; /* as SQLite maps it */
    sqlite3_file *f = NULL;
    void volatile *map = NULL;
    uint32_t frames, moved;
    if (!is_in_wal_mode(r))
        return; /* nothing waits in a WAL that is not there */
    if (sqlite3_file_control(r->store.db, "main", SQLITE_FCNTL_FILE_POINTER,
                             &f) ||
        !f || !f->pMethods || f->pMethods->iVersion < 2)
        return;
    /* Whatever it says: an index that may only be read is mapped, too, and told
     * of as SQLITE_READONLY. */
    f->pMethods->xShmMap(f, 0, region, 0, &map);
    if (!map)
        return; /* nothing waits in a WAL without an index */
    const volatile uint32_t *head = map;
    frames = head[4];
    moved = head[24];
    out->wal_frames = frames;
    out->wal_moved = moved < frames ? moved : frames;
}

static int read_store(struct plog_reader *r, double wait,
                      struct plog_store_head *h, struct plog_status *out,
                      struct plog_error *err)
{
    int rc = r->store_open ? plog_reader_refresh(r, err)
                           : plog_reader_open_store(r, wait, err);
    if (!rc)
        rc = plog_store_get_head(&r->store, h, err);
    if (rc)
        return rc;
    out->has_store = true;
    out->store_size = h->commit.size;
    memcpy(out->store_root, h->commit.root, sizeof out->store_root);
    out->floor = h->rules.floor;
    out->strategy = h->rules.strategy;
    out->redactions = h->rules.redactions;
    out->base = h->rules.base;
    rc = plog_sql_number(r->store.db, "SELECT count(*) FROM main.peers", 0, 0,
                         &out->peers, err);
    if (!rc)
        rc = plog_sql_number(r->store.db,
                             "SELECT max(seq) FROM main.compactions", 0, 0,
                             &out->compaction, err);
    if (!rc)
        rc = count_pending(r, out, err);
    if (rc)
        return rc;
    read_wal_index(r, out);
    rc = file_size(r, r->dir.dir, PLOG_STORE_FILE, &out->store_bytes, err);
    return rc ? rc
              : file_size(r, r->dir.dir, PLOG_STORE_FILE "-wal",
                          &out->wal_bytes, err);
}

/* What there is to say of a store that cannot be read. */
static int without_store(struct plog_reader *r, int store,
                         const struct plog_error *why, struct plog_status *out,
                         struct plog_error *err)
{
    out->verdict = store;
    out->has_store = false; /* of which nothing can be said */
    if (store != PLOG_E_BEHIND)
        snprintf(out->store_why, sizeof out->store_why, "%.250s", why->message);
    find_floor(r, out);
    return out->floor ? count_segments(r, out, err) : 0; /* again, with it */
}

/* Both ends stand still: with the lock, where there is one. */
static int look_again(struct plog_reader *r, int64_t until, int *store,
                      struct plog_store_head *h, struct plog_status *out,
                      struct plog_error *why, struct plog_error *err)
{
    int rc = plog_dir_lock(&r->dir, true, plog_io_left(r->io, until), err);
    if (rc)
        return rc;
    rc = count_segments(r, out, err);
    if (*store == 0)
        *store = read_store(r, plog_io_left(r->io, until), h, out, why);
    if (!rc)
        read_log_end(r, *store == 0 ? h : NULL, out);
    plog_dir_unlock(&r->dir);
    return rc;
}

static int look(struct plog_reader *r, double wait, struct plog_status *out,
                struct plog_error *err)
{
    struct plog_store_head h;
    int64_t until = plog_io_until(r->io, wait);
    int rc = count_segments(r, out, err);
    if (rc)
        return rc;
    struct plog_error why = {0};
    int store = read_store(r, wait, &h, out, &why);
    if (store == 0 && out->floor)
        rc = count_segments(r, out, err); /* again, with the floor */
    if (rc)
        return rc;
    if (store == 0 && heads_meet(r, &h)) {
        snprintf(out->origin, sizeof out->origin, "%s", h.origin);
        set_log_head(out, &h.commit);
        return 0;
    }
    rc = look_again(r, until, &store, &h, out, &why, err);
    if (!rc && store != 0)
        return without_store(r, store, &why, out, err);
    if (!rc)
        compare(r, &h, out);
    return rc;
}

int plog_read_status(const char *dir, const struct plog_options *given,
                     struct plog_status *out, struct plog_error *err)
{
    struct plog_options own;
    const struct plog_options *o = &own;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    struct plog_reader r;
    const struct plog_io *io = o->io ? o->io : plog_io_posix();
    double wait = o->wait_seconds != 0 ? o->wait_seconds : 10;
    memset(out, 0, sizeof *out);
    int rc = plog_reader_open_log(&r, io, dir, o->vkey, err);
    if (!rc)
        rc = look(&r, wait, out, err);
    plog_reader_fini(&r);
    return plog_done(err, rc);
}
