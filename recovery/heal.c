/*
 * heal.c - see heal.h.
 *
 * A crash leaves a healed file in DIR/salvage, or a segment that is in
 * quarantine and not yet in log/: both are mended by running again.
 */
#include "heal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "aside.h"
#include "outlog.h"

/* ---- One segment -------------------------------------------------------- */

/* What the segment is healed with, and how far it came. */
struct work {
    struct plog_heal *h;
    uint64_t first, next; /* entries first..next - 1; next 0: to the end */
    struct plog_scan scan;
    int fd;       /* of the file; -1: there is none */
    bool usable;  /* it is still read */
    bool changed; /* what was written is not what the file holds */
    struct plog_outlog out;
    struct plog_mended *m;
};

static bool complete(const struct work *w)
{
    return w->next && w->h->chain.last.size + 1 >= w->next;
}

static int unhealed(struct work *w, const char *why)
{
    snprintf(w->m->why, sizeof w->m->why, "%.190s", why);
    return PLOG_END;
}

/* The keys of the log up to entry `size`, as the store has them: what did not
 * come through the scan may have held a rotation. */
static void settle_keys(struct plog_heal *h, uint64_t size)
{
    struct plog_keychain *k = &h->chain.chain;
    *k = h->stored.keys;
    while (k->count > 1 && k->from[k->count - 1] > size + 1)
        k->count--;
    snprintf(h->chain.origin, sizeof h->chain.origin, "%s",
             plog_keychain_name(k, size ? size : 1, h->legs->head.origin));
}

/* Takes the store's groups up to entry `to` (0: as far as it has any). */
static int take_stored(struct work *w, uint64_t to, struct plog_error *err)
{
    struct plog_heal *h = w->h;
    struct plog_stored_group g;
    int rc =
        plog_store_log_seek(&h->stored, &h->chain.tree, &h->chain.last, err);
    while (!rc && (to == 0 || h->stored.last.size < to) &&
           !(w->next && h->stored.last.size + 1 >= w->next)) {
        rc = plog_store_log_next(&h->stored, &g, err);
        if (rc == PLOG_END && to == 0)
            break;
        if (rc)
            return rc == PLOG_E_NOMEM || rc == PLOG_E_IO
                       ? rc
                       : unhealed(w, err->message);
        if (!h->dry_run)
            rc = plog_outlog_add(&w->out, g.text.p, g.text.n, err);
        if (w->m->from == 0)
            w->m->from = g.first;
        w->m->to = g.size;
        h->entries += g.size - g.first + 1;
        w->changed = true;
    }
    if (rc && rc != PLOG_END)
        return rc;
    if (to && h->stored.last.size != to)
        return unhealed(w, "the store has no commit where the log goes on");
    h->chain.tree = h->stored.tree;
    h->chain.last = h->stored.last;
    h->chain.broken = false;
    settle_keys(h, h->chain.last.size);
    return 0;
}

static int take_logged(struct work *w, const struct plog_log_group *g,
                       struct plog_error *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && !w->h->dry_run && i < g->count; i++) {
        struct plog_span line = plog_scan_text(&w->scan, i);
        rc = plog_outlog_add(&w->out, line.p, line.n, err);
        if (!rc)
            rc = plog_outlog_add(&w->out, "\n", 1, err);
    }
    if (!rc && !w->h->dry_run)
        rc = plog_outlog_add(&w->out, g->commit_line.p, g->commit_line.n, err);
    return rc || w->h->dry_run ? rc : plog_outlog_add(&w->out, "\n", 1, err);
}

/* The bytes that neither leg proves. */
static void name_bytes(struct work *w, uint64_t begin, uint64_t end,
                       uint64_t from, uint64_t to)
{
    w->m->has_bytes = true;
    w->m->begin = begin;
    w->m->end = end;
    w->m->from = from;
    w->m->to = to;
}

/* The file is damaged here: goes on behind the next commit in it that the
 * store leads to, or without it. */
static int pass_damage(struct work *w, int fault, struct plog_error *err)
{
    struct plog_chain before = w->h->chain;
    struct plog_commit c;
    uint64_t begin = w->scan.offset;
    bool torn = false;
    if (w->scan.is_last && plog_scan_torn(&w->scan, &torn))
        torn = false;
    if (fault == PLOG_E_IO || fault == PLOG_E_NOMEM)
        return plog_scan_error(&w->scan, w->first, err);
    int rc = plog_scan_resync(&w->scan, &c);
    w->h->chain = before;
    if (rc == 0 && w->next && c.size >= w->next)
        rc = PLOG_END; /* of another segment */
    if (rc == 0) {
        rc = take_stored(w, c.size, err);
        if (rc == PLOG_END)
            name_bytes(w, begin, w->scan.offset, before.last.size + 1, c.size);
        return rc;
    }
    if (rc != PLOG_END)
        return plog_scan_error(&w->scan, w->first, err);
    w->usable = false;
    w->changed |= !torn; /* an unfinished group is the next writer's to mend */
    rc = take_stored(w, 0, err);
    if (rc == PLOG_END)
        name_bytes(w, begin, w->scan.limit, before.last.size + 1, 0);
    return rc;
}

static int take_all(struct work *w, struct plog_error *err)
{
    struct plog_log_group g;
    while (!complete(w)) {
        if (!w->usable)
            return take_stored(w, 0, err);
        int rc = plog_scan_group(&w->scan, &g);
        if (rc == 0)
            rc = take_logged(w, &g, err);
        else if (rc == PLOG_END) {
            w->usable = false;
            rc = take_stored(w, 0, err);
        } else
            rc = pass_damage(w, rc, err);
        if (rc)
            return rc;
        if (!w->usable)
            break;
    }
    if (w->next && !complete(w))
        return unhealed(w, "neither leg has all of its entries");
    /* More than belongs here is damage, too. */
    struct plog_chain here = w->h->chain;
    if (w->usable && plog_scan_group(&w->scan, &g) != PLOG_END)
        w->changed = true;
    w->h->chain = here;
    return 0;
}

/* ---- Its file ----------------------------------------------------------- */

/* Behind a header that is not one, the groups may still be good. */
static int skip_header(struct work *w)
{
    char bytes[8192];
    size_t got = 0;
    if (plog_io_pread_full(w->h->legs->io, w->fd, bytes, sizeof bytes, 0, &got))
        return PLOG_END;
    const char *lf = memchr(bytes, '\n', got);
    if (!lf)
        return PLOG_END;
    w->scan.offset = (uint64_t)(lf - bytes) + 1;
    return 0;
}

/* Opens what there is of the segment, and stands the chain before it. */
static int open_file(struct work *w, bool is_last, struct plog_error *err)
{
    struct plog_heal *h = w->h;
    struct plog_stat id = {0};
    if (w->first <= h->legs->head.commit.size + 1)
        settle_keys(h, w->first - 1);
    struct plog_chain before = h->chain;
    w->usable = plog_dir_open_segment(&h->legs->dir, w->first, false, &w->fd,
                                      &id, NULL) == 0;
    w->changed = !w->usable;
    if (!h->known)
        h->chain.broken = true;
    if (w->usable) {
        plog_scan_open(&w->scan, h->legs->io, w->fd, id.size, is_last,
                       &h->chain);
        int rc = plog_scan_header(&w->scan, w->first);
        if (rc == PLOG_E_IO || rc == PLOG_E_NOMEM)
            return plog_scan_error(&w->scan, w->first, err);
        if (rc == 0)
            return 0;
        h->chain = before;
        w->changed = true;
        w->usable = skip_header(w) == 0;
    }
    return h->known
               ? 0
               : unhealed(w, w->fd < 0 ? "it is missing, and what stood before"
                                         " it could not be proven"
                                       : "its header is damaged, and what stood"
                                         " before it could not be proven");
}

static int write_segment(struct work *w, struct plog_error *err)
{
    struct plog_heal *h = w->h;
    plog_outlog_init(&w->out, h->legs->io, h->scratch);
    int rc = 0;
    if (!h->dry_run)
        rc = plog_outlog_segment(&w->out, h->chain.origin, &h->chain.tree,
                                 &h->chain.last, err);
    if (!rc)
        rc = take_all(w, err);
    if (!rc)
        rc = plog_outlog_finish(&w->out, err);
    plog_outlog_close(&w->out);
    return rc;
}

static void drop_scratch(struct plog_heal *h, const char *name)
{
    if (!h->dry_run)
        h->legs->io->unlink_at(h->legs->io->ctx, h->scratch, name);
}

/* The old file is copied to quarantine, then the new one takes its name; what
 * is no file is moved there. */
static int install(struct work *w, const char *name, struct plog_error *err)
{
    struct plog_heal *h = w->h;
    const struct plog_io *io = h->legs->io;
    struct plog_stat st;
    if (h->dry_run)
        return 0;
    int rc = 0;
    if (w->fd >= 0)
        rc = io->stat(io->ctx, w->fd, &st)
                 ? plog_fail(err, PLOG_E_IO, "looking at %s failed", name)
                 : plog_aside_bytes(&h->legs->dir, w->first, 0, st.size,
                                    w->m->quarantine, err);
    else if (io->stat_at(io->ctx, h->legs->dir.log, name, &st) == 0)
        rc = plog_aside_file(&h->legs->dir, name, w->m->quarantine, err);
    if (rc)
        return rc;
    rc = io->rename_at(io->ctx, h->scratch, name, h->legs->dir.log, name, true);
    if (!rc)
        rc = io->fsync(io->ctx, h->legs->dir.log);
    if (!rc)
        rc = io->fsync(io->ctx, h->scratch);
    return rc ? plog_fail_io(err, rc, name, "putting a segment in its place")
              : 0;
}

/* Heals the segment at `first` if it needs it; the chain moves behind it. */
static int heal_segment(struct plog_heal *h, uint64_t first, uint64_t next,
                        bool is_last, struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    struct plog_mended m = {.from = 0};
    struct work w = {.h = h, .first = first, .next = next, .fd = -1, .m = &m};
    plog_segment_name(first, name);
    snprintf(m.file, sizeof m.file, "log/%s", name);
    drop_scratch(h, name);
    int rc = open_file(&w, is_last, err);
    if (!rc)
        rc = write_segment(&w, err);
    if (!rc && w.changed)
        rc = install(&w, name, err);
    drop_scratch(h, name);
    plog_scan_close(&w.scan);
    if (w.fd >= 0)
        h->legs->io->close(h->legs->io->ctx, w.fd);
    if (rc < 0)
        return rc;
    h->known = rc == 0;
    m.healed = rc == 0;
    h->healed += rc == 0 && w.changed;
    h->left += rc == PLOG_END;
    if ((rc || w.changed) && h->tell && h->tell(h->arg, &m))
        return plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
    return 0;
}

/* ---- All segments ------------------------------------------------------- */

static bool has(const struct plog_buf *list, uint64_t first)
{
    for (size_t i = 0; i < plog_segment_count(list); i++)
        if (plog_segment_at(list, i) == first)
            return true;
    return false;
}

/* A name that the log has or had. */
static bool is_ours(const struct plog_heal *h, const char *origin)
{
    const struct plog_keychain *k = &h->stored.keys;
    for (unsigned i = 0; i < k->count; i++)
        if (strcmp(k->keys[i].name, origin) == 0)
            return true;
    return strcmp(h->legs->head.origin, origin) == 0;
}

/* Whether the file at `first` begins with the header of that segment: its
 * checkpoint is signed, and its name and range fit. */
static bool is_segment(struct plog_heal *h, uint64_t first)
{
    struct plog_scan s;
    struct plog_chain *chain = plog_alloc(h->legs->io, sizeof *chain);
    struct plog_stat id;
    int fd;
    bool fits = false;
    if (chain &&
        !plog_dir_open_segment(&h->legs->dir, first, false, &fd, &id, NULL)) {
        plog_chain_init(chain, &h->legs->keys);
        plog_scan_open(&s, h->legs->io, fd, id.size, false, chain);
        fits = plog_scan_header(&s, first) == 0 && is_ours(h, chain->origin);
        plog_scan_close(&s);
        h->legs->io->close(h->legs->io->ctx, fd);
    }
    plog_free(h->legs->io, chain);
    return fits;
}

/* The least of both lists above `first`; 0: none. */
static uint64_t following(const struct plog_heal *h, uint64_t first)
{
    const struct plog_buf *lists[] = {&h->files, &h->starts};
    uint64_t least = 0;
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < plog_segment_count(lists[k]); i++) {
            uint64_t at = plog_segment_at(lists[k], i);
            if (at > first && (least == 0 || at < least))
                least = at;
        }
    return least;
}

/* A file that is no segment of this log where it says it begins: a copy under
 * another name, or of another log. */
static int set_stranger_aside(struct plog_heal *h, uint64_t first,
                              struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    struct plog_mended m = {.from = first, .to = first, .healed = true};
    plog_segment_name(first, name);
    snprintf(m.file, sizeof m.file, "log/%s", name);
    snprintf(m.why, sizeof m.why, "no segment of this log begins here");
    int rc = h->dry_run
                 ? 0
                 : plog_aside_file(&h->legs->dir, name, m.quarantine, err);
    h->healed++;
    if (!rc && h->tell && h->tell(h->arg, &m))
        rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
    return rc;
}

/*
 * Whether a segment begins at `first`.  The table of segments is not signed,
 * so a file that proves itself counts as much; and a row of the table counts
 * only where nothing proves the contrary.
 */
static bool begins_here(struct plog_heal *h, uint64_t first)
{
    if (h->known && h->chain.last.size >= first)
        return false; /* it lies within what was proven already */
    return has(&h->starts, first) ||
           (has(&h->files, first) &&
            (first > h->legs->head.commit.size || is_segment(h, first)));
}

/* Reads the whole file at `first`; the chain moves behind it when all of it is
 * good. */
static int read_whole(struct plog_heal *h, uint64_t first, bool *good,
                      struct plog_error *err)
{
    struct plog_scan s;
    struct plog_log_group g;
    struct plog_stat id;
    struct plog_chain before = h->chain;
    int fd;
    *good = false;
    if (!h->known ||
        plog_dir_open_segment(&h->legs->dir, first, false, &fd, &id, NULL))
        return 0;
    plog_scan_open(&s, h->legs->io, fd, id.size, following(h, first) == 0,
                   &h->chain);
    int rc = plog_scan_header(&s, first);
    while (!rc)
        rc = plog_scan_group(&s, &g);
    *good = rc == PLOG_END;
    if (!*good)
        h->chain = before;
    if (rc == PLOG_E_IO || rc == PLOG_E_NOMEM)
        plog_scan_error(&s, first, err);
    plog_scan_close(&s);
    h->legs->io->close(h->legs->io->ctx, fd);
    return rc == PLOG_E_IO || rc == PLOG_E_NOMEM ? rc : 0;
}

/* Whether the file at `first` needs nothing: it is good, and the next segment
 * follows right behind it, as far as either leg knows of one. */
static int is_intact(struct plog_heal *h, uint64_t first, bool *intact,
                     struct plog_error *err)
{
    if (first <= h->legs->head.commit.size + 1)
        settle_keys(h, first - 1);
    struct plog_chain before = h->chain;
    int rc = read_whole(h, first, intact, err);
    if (rc || !*intact)
        return rc;
    uint64_t end = h->chain.last.size + 1, next = following(h, first);
    while (next && !(has(&h->files, next) &&
                     (next > h->legs->head.commit.size || is_segment(h, next))))
        next = following(h, next);
    *intact = next ? next == end || has(&h->starts, end)
                   : end > h->legs->head.commit.size || has(&h->starts, end);
    if (!*intact)
        h->chain = before;
    return 0;
}

static int heal_all(struct plog_heal *h, struct plog_error *err)
{
    int rc = 0;
    bool intact;
    h->known = true;
    for (uint64_t first = following(h, 0); !rc && first;
         first = following(h, first)) {
        if (!begins_here(h, first)) {
            if (has(&h->files, first))
                rc = set_stranger_aside(h, first, err);
            continue;
        }
        rc = is_intact(h, first, &intact, err);
        if (rc || intact)
            continue;
        uint64_t next = following(h, first);
        while (next && !begins_here(h, next))
            next = following(h, next);
        rc = heal_segment(h, first, next, next == 0, err);
    }
    return rc;
}

static int read_starts(struct plog_heal *h, struct plog_error *err)
{
    sqlite3_stmt *s = NULL;
    int rc = plog_sql_prepare(
        h->legs->store.db,
        "SELECT first FROM main.segments WHERE first>0 ORDER BY first", &s,
        err);
    while (!rc && (rc = plog_sql_row(s, err)) == 0) {
        uint64_t first = plog_sql_u64(s, 0);
        rc = plog_buf_add(&h->starts, &first, sizeof first);
    }
    sqlite3_finalize(s);
    return rc == PLOG_END ? 0 : rc;
}

/* A log that names itself otherwise is not this store's to heal: rather the
 * store is the stranger here. */
static int check_origin(struct plog_heal *h, struct plog_error *err)
{
    struct plog_scan s;
    struct plog_chain chain;
    struct plog_stat id;
    int fd;
    if (h->files.len == 0 ||
        plog_dir_open_segment(&h->legs->dir, plog_segment_at(&h->files, 0),
                              false, &fd, &id, NULL))
        return 0;
    plog_chain_init(&chain, &h->legs->keys);
    plog_scan_open(&s, h->legs->io, fd, id.size, false, &chain);
    int rc = plog_scan_header(&s, plog_segment_at(&h->files, 0));
    plog_scan_close(&s);
    h->legs->io->close(h->legs->io->ctx, fd);
    if (rc || is_ours(h, chain.origin))
        return 0;
    return plog_fail(err, PLOG_E_FOREIGN,
                     "the log is `%s`, the store belongs"
                     " to `%s`",
                     chain.origin, h->legs->head.origin);
}

static int make_scratch(struct plog_heal *h, struct plog_error *err)
{
    const struct plog_io *io = h->legs->io;
    int dir = h->legs->dir.dir;
    h->scratch = -1;
    if (h->dry_run)
        return 0;
    int rc = io->mkdir_at(io->ctx, dir, "salvage", 0700);
    if (!rc)
        rc = io->fsync(io->ctx, dir);
    if (!rc || rc == -EEXIST)
        rc = h->scratch =
            io->open_at(io->ctx, dir, "salvage", O_RDONLY | O_DIRECTORY, 0);
    return rc < 0 ? plog_fail_io(err, rc, "salvage", "making a scratch folder")
                  : 0;
}

/* Files in log/ that are no segment go to quarantine, each told. */
static int check_names(struct plog_heal *h, struct plog_error *err)
{
    for (;;) {
        struct plog_mended m = {.healed = true,
                                .why = "a file that is no segment"};
        struct plog_error why = {0};
        int rc = plog_dir_segments(&h->legs->dir, &h->files, &why);
        if (rc != PLOG_E_CORRUPT) {
            if (rc && err)
                *err = why;
            return rc;
        }
        snprintf(m.file, sizeof m.file, "%.60s", why.file);
        if (h->dry_run)
            return h->tell ? h->tell(h->arg, &m) : 0;
        rc = plog_aside_file(&h->legs->dir, why.file + strlen("log/"),
                             m.quarantine, err);
        h->healed++;
        if (!rc && h->tell && h->tell(h->arg, &m))
            rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
        if (rc)
            return rc;
    }
}

int plog_heal(struct plog_heal *h, struct plog_error *err)
{
    struct plog_legs *l = h->legs;
    h->scratch = -1;
    plog_buf_init(&h->files, l->io);
    plog_buf_init(&h->starts, l->io);
    plog_chain_init(&h->chain, &l->keys);
    plog_orders_init(&h->orders, l->io, &l->dir, &l->keys);
    h->chain.orders = &h->orders;
    int rc = plog_store_get_head(&l->store, &l->head, err);
    if (!rc) {
        memcpy(h->chain.origin, l->head.origin, sizeof h->chain.origin);
        rc = check_names(h, err);
    }
    if (!rc) {
        struct plog_error why = {0};
        rc = plog_store_log_open(&h->stored, &l->store, &l->head, &l->keys,
                                 &l->dir, &why);
        /* Keys that nobody knows are another log's: its name says more. */
        int stranger = rc ? check_origin(h, err) : 0;
        if (rc && !stranger && err)
            *err = why;
        rc = stranger ? stranger : rc;
    }
    if (!rc)
        rc = check_origin(h, err);
    if (!rc)
        rc = make_scratch(h, err);
    if (!rc)
        rc = read_starts(h, err);
    if (!rc)
        rc = heal_all(h, err);
    plog_store_log_close(&h->stored);
    if (h->scratch >= 0) {
        l->io->close(l->io->ctx, h->scratch);
        if (!l->io->rmdir_at(l->io->ctx, l->dir.dir, "salvage"))
            (void)l->io->fsync(l->io->ctx, l->dir.dir); /* only a scratch */
    }
    plog_buf_fini(&h->files);
    plog_buf_fini(&h->starts);
    plog_orders_fini(&h->orders);
    return rc;
}
