/* check.c - see check.h. */
#include "check.h"
#include "io.h"
#include "sha256.h"

#include <stdio.h>

const char *plog_leg_name(enum plog_leg leg)
{
    static const char *const names[] = {"log", "store", "both"};
    return names[leg];
}

/* ---- Findings ----------------------------------------------------------- */

bool plog_check_is_verdict(int code)
{
    return (code <= PLOG_E_BEHIND && code >= PLOG_E_FOREIGN) ||
           code == PLOG_E_PRUNED || code == PLOG_E_FORMAT ||
           code == PLOG_E_UNKNOWN_KEY;
}

/* Higher is graver. */
static int gravity(int code)
{
    static const int statuses[] = {4, 7, 3, 9, 12, 5};
    int i = sizeof statuses / sizeof *statuses - 1;
    while (i > 0 && statuses[i] != plog_exit_status(code))
        i--;
    return i;
}

void plog_check_closer(struct plog_check *c)
{
    c->closer = c->stopped = true;
}

void plog_check_find(struct plog_check *c, const struct plog_finding *f)
{
    struct plog_finding told = *f;
    struct plog_check_report *r = c->report;
    if (c->quick) {
        plog_check_closer(c);
        return;
    }
    if (-f->verdict > 0 && -f->verdict < PLOG_VERDICTS)
        r->counts[-f->verdict]++;
    if (r->verdict == 0 || gravity(f->verdict) > gravity(r->verdict))
        r->verdict = f->verdict;
    told.file = f->file ? f->file : "";
    told.expected = f->expected ? f->expected : "";
    told.found = f->found ? f->found : "";
    told.next = f->next ? f->next : "";
    if (c->o->finding && c->o->finding(c->o->arg, &told))
        c->stopped = true;
}

const char *plog_check_file(struct plog_check *c)
{
    plog_segment_file(c->walk.first, false, c->file);
    return c->file;
}

const char *plog_check_next(const struct plog_check *c, int code)
{
    /* What the store's head covers was whole once: damage. */
    if (code == PLOG_E_TORN && c->has_head &&
        c->head.commit.size > c->walk.chain.last.size)
        code = PLOG_E_CORRUPT;
    switch (code) {
    case PLOG_E_TORN:
        return "paritylog replay DIR (keeps the unfinished bytes in"
               " quarantine/)";
    case PLOG_E_UNKNOWN_KEY:
        if (c->walk.scan.fault.in_orders)
            return c->reader.keys.pinned
                       ? "see whose key that is: paritylog key list DIR;"
                         " without --key those that lie in keys/ count, too"
                       : "if it is a key of the log that this is a copy of:"
                         " paritylog key trust DIR VKEY";
        return c->reader.keys.pinned
                   ? "ask whoever runs the log for its key; the one that was"
                     " given is another's"
                   : "compare with the key you trust: paritylog verify DIR "
                     "--key"
                     " VKEY; if it is the log's: paritylog key trust DIR VKEY";
    case PLOG_E_FORMAT:
        return "use a newer paritylog";
    default:
        if (c->mends)
            return c->mends;
        return c->has_head
                   ? "paritylog salvage DIR --from-store (keeps the"
                     " damaged file in quarantine/)"
                   : "bring this file back from a copy; " PLOG_CHECK_BEFORE
                     "; what is left: paritylog salvage DIR --out FILE";
    }
}

void plog_check_fault(struct plog_check *c, int code,
                      const struct plog_error *why)
{
    const struct plog_fault *f = &c->walk.scan.fault;
    if (plog_check_hold(c, code, why))
        return;
    bool of_scan = f->what[0] && !c->walk.gap && c->walk.scan.io;
    struct plog_finding found = {.verdict = code,
                                 .leg = PLOG_LEG_LOG,
                                 .file = why->file,
                                 .has_offset = why->has_offset,
                                 .offset = why->offset,
                                 .seq = why->seq};
    found.expected = of_scan && f->expected[0] ? f->expected : "";
    found.found = of_scan && f->found[0] ? f->found
                  : of_scan              ? f->what
                                         : why->message;
    found.next = f->no_order && !c->has_head ? PLOG_CHECK_NO_ORDER
                                             : plog_check_next(c, code);
    c->strange |=
        code == PLOG_E_FORMAT || (code == PLOG_E_UNKNOWN_KEY && !f->in_orders);
    if (code == PLOG_E_TORN && !c->has_head)
        found.next = "keep a copy of DIR: no store can tell whether this was"
                     " an unfinished group or a damaged one; then: paritylog"
                     " replay DIR (keeps these bytes in quarantine/)";
    plog_check_find(c, &found);
}

void plog_check_unchecked(struct plog_check *c, enum plog_leg leg,
                          uint64_t from, uint64_t to, const char *why)
{
    struct plog_unchecked u = {leg, from, to, why};
    if (c->quick) {
        plog_check_closer(c);
        return;
    }
    if (c->o->unchecked && c->o->unchecked(c->o->arg, &u))
        c->stopped = true;
}

void plog_check_progress(struct plog_check *c, const char *phase, uint64_t done,
                         uint64_t total)
{
    struct plog_progress p = {done, total, c->walk.bytes + c->walk.scan.offset,
                              phase};
    if (!c->o->progress || done - c->last_told < 1000)
        return;
    c->last_told = done;
    if (c->o->progress(c->o->arg, &p))
        c->stopped = true;
}

void plog_check_hash(const unsigned char *hash, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrs"
                                 "tuvwxyz0123456789+/";
    for (int i = 0; i < 33; i += 3) { /* 33: the last byte is padding */
        unsigned v = (unsigned)hash[i] << 16 | (unsigned)hash[i + 1] << 8;
        if (i + 2 < PLOG_HASH_SIZE)
            v |= hash[i + 2];
        *out++ = digits[v >> 18 & 63];
        *out++ = digits[v >> 12 & 63];
        *out++ = digits[v >> 6 & 63];
        *out++ = i + 2 < PLOG_HASH_SIZE ? digits[v & 63] : '=';
    }
    *out = '\0';
}

/* ---- Keys --------------------------------------------------------------- */

const struct plog_vkey *plog_check_key(const struct plog_check *c,
                                       const struct plog_commit *commit)
{
    const struct plog_vkey *own =
        plog_keychain_find(&c->walk.chain.chain, commit->key);
    return own ? own
               : plog_keyring_find(&c->reader.keys,
                                   plog_span_text(commit->key));
}

void plog_check_keys(struct plog_check *c)
{
    struct plog_error why = {0};
    if (!plog_keychain_check(&c->walk.chain.chain, &c->reader.keys, &why))
        return;
    struct plog_finding f = {.verdict = PLOG_E_UNKNOWN_KEY,
                             .leg = PLOG_LEG_LOG,
                             .file = plog_check_file(c),
                             .found = why.message,
                             .next = plog_check_next(c, PLOG_E_UNKNOWN_KEY)};
    plog_check_find(c, &f);
}

/* ---- Opening ------------------------------------------------------------ */

/* The end of the log as it is now, under the lock; what a killed writer left
 * there may be mended before we come to it, so the file is kept open. */
static int freeze_end(struct plog_check *c, struct plog_error *err)
{
    struct plog_walk *w = &c->walk;
    struct plog_scan s;
    struct plog_stat id;
    size_t n = plog_segment_count(&w->segments);
    uint64_t last = plog_segment_at(&w->segments, n - 1);
    int rc = plog_dir_open_segment(&c->reader.dir, last, false, &w->stop_fd,
                                   &id, err);
    if (rc) {
        w->stop_fd = -1;
        return rc == PLOG_E_CORRUPT ? 0 : rc; /* the walk will find it */
    }
    plog_scan_open(&s, c->reader.io, w->stop_fd, id.size, true, &w->chain);
    rc = plog_scan_content_end(&s, &w->stop_offset);
    plog_scan_close(&s);
    w->stop_segment = last;
    w->stop_is_end = true;
    return rc ? plog_fail(err, rc, "reading the end of the log failed") : 0;
}

static int read_store_head(struct plog_check *c, struct plog_error *err)
{
    double wait = c->o->wait_seconds != 0 ? c->o->wait_seconds : 10;
    bool pending;
    int rc = c->reader.store_open
                 ? 0
                 : plog_reader_open_store(&c->reader, wait, err);
    if (!rc)
        rc = plog_store_begin_read(&c->reader.store, err);
    if (!rc)
        rc = plog_store_get_head(&c->reader.store, &c->head, err);
    if (!rc)
        rc = plog_store_compaction(&c->reader.store, &c->compaction, &pending,
                                   err);
    c->has_head = rc == 0;
    return rc;
}

static void odd_file(struct plog_check *c, const struct plog_error *why)
{
    struct plog_finding f = {.verdict = PLOG_E_CORRUPT,
                             .leg = PLOG_LEG_LOG,
                             .file = why->file,
                             .expected = "segments only",
                             .found = why->message};
    f.next = "see what it is; paritylog has not made it";
    plog_check_find(c, &f);
}

#define WORTH_A_THREAD (1u << 20) /* bytes of a segment */

/* A caller's table may not be ready for two threads, and tests count its calls
 * in order: there it has to be asked for. */
static bool has_two_threads(const struct plog_check_options *o)
{
    bool own = !o->io || o->io == plog_io_posix();
    return o->threads ? o->threads > 1 : own && plog_io_processors() > 1;
}

static int freeze(struct plog_check *c, struct plog_error *err)
{
    struct plog_walk *w = &c->walk;
    struct plog_dir *d = &c->reader.dir;
    double wait = c->o->wait_seconds != 0 ? c->o->wait_seconds : 10;
    bool has_store = c->store_error == 0;
    int rc = plog_dir_lock(d, true, has_store ? 0.05 : wait, err);
    c->bounded = rc == PLOG_E_LOCKED && has_store;
    if (rc && !c->bounded)
        return rc;
    if (has_store) { /* again: under the lock both legs stand still */
        plog_store_rollback(&c->reader.store);
        c->store_error = plog_reader_refresh(&c->reader, &c->store_why);
        if (!c->store_error)
            c->store_error = read_store_head(c, &c->store_why);
    }
    rc = plog_walk_open(w, d, &c->reader.keys, err);
    w->ahead = has_two_threads(c->o);
    w->ahead_least = c->o->threads ? 0 : WORTH_A_THREAD;
    if ((rc == PLOG_E_NOTHING || rc == PLOG_E_ROLLBACK) && c->has_head &&
        c->head.commit.size) {
        plog_fail(err, PLOG_E_ROLLBACK,
                  "log/ holds no segment, but the store holds entries up to"
                  " %llu",
                  (unsigned long long)c->head.commit.size);
        plog_err_hint(err, "run: paritylog salvage DIR --from-store");
        rc = PLOG_E_ROLLBACK;
    }
    if (rc == PLOG_E_CORRUPT && w->segments.len) {
        odd_file(c, err); /* told, and the rest is checked all the same */
        rc = 0;
    }
    if (!rc && c->bounded) {
        w->stop_segment = c->head.segment;
        w->stop_offset = c->head.offset;
    } else if (!rc)
        rc = freeze_end(c, err);
    plog_dir_unlock(d);
    return rc;
}

/* COMMIT, for temporary tables are to stay as they are. */
int plog_check_leave_store(struct plog_check *c, struct plog_error *err)
{
    c->has_left = true;
    plog_store_rest(&c->reader.store);
    return sqlite3_get_autocommit(c->reader.store.db)
               ? 0
               : plog_sql_exec(c->reader.store.db, "COMMIT", err);
}

int plog_check_join_store(struct plog_check *c, uint64_t *more,
                          struct plog_error *err)
{
    uint64_t size = c->walk.chain.last.size;
    int rc = read_store_head(c, err);
    *more = !rc && c->head.commit.size > size ? c->head.commit.size - size : 0;
    if (*more == 0)
        return rc;
    c->bounded = true;
    return plog_walk_extend(&c->walk, c->head.segment, c->head.offset, err);
}

int plog_check_open(struct plog_check *c, const char *dir,
                    const struct plog_check_options *o,
                    struct plog_check_report *report, struct plog_error *err)
{
    const struct plog_io *io = o->io ? o->io : plog_io_posix();
    memset(c, 0, sizeof *c);
    memset(report, 0, sizeof *report);
    c->o = o;
    c->report = report;
    c->started = io->clock_mono_ns(io->ctx);
    plog_buf_init(&c->seen, io);
    plog_buf_init(&c->notes.witness, io);
    plog_buf_init(&c->held, io);
    int rc = plog_reader_open_log(&c->reader, io, dir, o->vkey, err);
    if (rc)
        return rc;
    report->pinned = c->reader.keys.pinned;
    plog_check_read_notes(c);
    c->store_error = read_store_head(c, &c->store_why);
    if (c->store_error == PLOG_E_NOMEM)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    return freeze(c, err);
}

void plog_check_rewind(struct plog_check *c)
{
    struct plog_check_report *r = c->report;
    bool pinned = r->pinned;
    memset(r, 0, sizeof *r);
    r->pinned = pinned;
    plog_store_rest(&c->reader.store);
    plog_walk_rewind(&c->walk);
    c->walk.sketches = false;
    c->seen.len = c->seen_next = c->held.len = 0;
    c->below_floor = c->below_start = (struct plog_passed){.to = 0};
    c->begins = 0;
    c->last_told = c->upto = 0;
    c->stopped = c->quick = c->closer = false;
}

void plog_check_close(struct plog_check *c)
{
    struct plog_check_report *r = c->report;
    const struct plog_io *io = c->reader.io;
    const struct plog_chain *chain = &c->walk.chain;
    plog_check_tell_held(c); /* where it did not come to its end */
    const struct plog_vkey *key =
        chain->keys ? plog_check_key(c, &chain->last) : NULL;
    snprintf(r->origin, sizeof r->origin, "%s", chain->origin);
    r->head = plog_commit_head(&chain->last);
    if (r->head.size == 0) /* also where no log was read at all */
        plog_hash_empty(r->head.root);
    bool ours = key && plog_keychain_anchored(&chain->chain, &c->reader.keys);
    if (!ours && c->reader.keys.pinned) /* nothing is signed by it */
        key = &c->reader.keys.keys[0];
    if (key)
        plog_vkey_format(key, r->vkey);
    r->has_store = c->has_head;
    r->store_size = c->has_head ? c->head.commit.size : 0;
    r->segments = plog_segment_count(&c->walk.segments);
    r->bytes = c->walk.bytes + (c->walk.fd >= 0 ? c->walk.scan.offset : 0);
    r->seconds = (double)(io->clock_mono_ns(io->ctx) - c->started) / 1e9;
    if (c->reader.store_open)
        plog_store_rollback(&c->reader.store);
    plog_buf_fini(&c->seen);
    plog_buf_fini(&c->held);
    plog_buf_fini(&c->notes.witness);
    plog_walk_close(&c->walk);
    plog_reader_fini(&c->reader);
}
