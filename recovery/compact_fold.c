/*
 * compact_fold.c - the snapshot at a cut.
 *
 * A scratch store is made from the snapshot before and the segments above it,
 * every group verified, with the code that makes any store; then it is written
 * down.  Nothing is copied from the store that is in use.
 */
#include <errno.h>
#include <stdio.h>

#include "compact.h"
#include "walk.h"

#define SCRATCH "fold.db"
#define ENTRIES_A_TRANSACTION 10000

struct folding {
    struct plog_compacting *c;
    struct plog_store store;
    struct plog_store_head head;
    struct plog_walk walk;
    uint64_t base; /* the snapshot that it began with; 0: none */
    unsigned char digest[PLOG_HASH_SIZE];
};

/* Returns the first error: what stays would be taken for the new one. */
static int remove_scratch(const struct plog_io *io, int dir)
{
    static const char *const names[] = {SCRATCH, SCRATCH "-wal", SCRATCH "-shm",
                                        SCRATCH "-journal"};
    int first = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int rc = io->unlink_at(io->ctx, dir, names[i]);
        if (rc && rc != -ENOENT && !first)
            first = rc;
    }
    return first;
}

/* Without a sync: whatever a crash leaves of it is thrown away. */
static int open_scratch(struct folding *f, int dir, struct plog_error *err)
{
    const struct plog_dir *d = &f->c->p->legs.dir;
    char path[PLOG_DIR_PATH_MAX + 32];
    int n = snprintf(path, sizeof path, "%s/" PLOG_SNAPSHOT_DIR "/" SCRATCH,
                     d->path);
    if (n < 0 || (size_t)n >= PLOG_DIR_PATH_MAX)
        return plog_fail(err, PLOG_E_ARG, "the path is too long");
    int rc = remove_scratch(f->c->io, dir);
    if (rc)
        return plog_fail_io(err, rc, PLOG_SNAPSHOT_DIR "/" SCRATCH,
                            "removing what an earlier one left");
    rc = plog_store_open(&f->store, f->c->io, path, PLOG_OPEN_CREATE, 0, err);
    if (!rc)
        rc = plog_sql_exec(f->store.db, "PRAGMA synchronous=OFF", err);
    if (!rc)
        rc = plog_store_create_tables(&f->store, f->c->p->origin, err);
    return rc ? rc : plog_store_get_head(&f->store, &f->head, err);
}

/* The walk stands at the first entry above the present floor, or at the very
 * first one. */
static int load_base(struct folding *f, struct plog_error *err)
{
    const struct plog_compaction *base;
    uint64_t floor = f->c->from;
    /* A log that is whole needs none: a copy may have no snapshot. */
    if (plog_segment_at(&f->walk.segments, 0) == 1)
        return plog_walk_start(&f->walk, err);
    if (floor == 0)
        return plog_fail(err, PLOG_E_CORRUPT,
                         "the log does not begin at entry"
                         " 1");
    int rc = plog_walk_start_floor(&f->walk, floor, err);
    if (rc)
        return rc;
    base = plog_orders_floor_at(&f->walk.orders, floor);
    rc = base ? 0 : plog_orders_doubt(&f->walk.orders);
    if (rc)
        return plog_fail(err, rc, "looking for the compact entry failed");
    if (!base)
        return plog_fail(err, PLOG_E_CORRUPT, "the compact entry is gone");
    memcpy(f->digest, base->snapshot, sizeof f->digest);
    f->base = floor;
    struct plog_snapshot s;
    rc = plog_snapshot_open(&s, &f->c->p->legs.dir, floor, f->digest, err);
    s.without_ids = true;
    if (!rc)
        rc = plog_snapshot_load(&s, &f->store, &f->head, err);
    plog_snapshot_close(&s);
    return rc;
}

static int apply_group(struct folding *f, const struct plog_log_group *g,
                       struct plog_error *err)
{
    struct plog_entry e;
    struct plog_applied applied;
    int rc = 0;
    for (size_t i = 0; !rc && i < g->count; i++) {
        struct plog_span line = plog_scan_text(&f->walk.scan, i);
        rc = plog_entry_parse(&f->store.parser, line, &e, err);
        if (!rc)
            rc = plog_store_apply(&f->store, &f->head.rules, &e, line, &applied,
                                  err);
    }
    return rc;
}

static int end_batch(struct folding *f, bool again, struct plog_error *err)
{
    int rc = plog_store_commit(&f->store, err);
    if (!rc && f->store.wal_pages > 1000)
        plog_store_checkpoint(&f->store);
    if (!rc)
        rc = plog_compact_tell(f->c, "fold", f->walk.chain.last.size, f->c->to,
                               err);
    return rc || !again ? rc : plog_store_begin(&f->store, err);
}

static int apply_all(struct folding *f, struct plog_error *err)
{
    struct plog_log_group g;
    uint64_t done = f->walk.chain.last.size;
    int rc = plog_store_begin(&f->store, err);
    while (!rc && f->walk.chain.last.size < f->c->to) {
        rc = plog_walk_next(&f->walk, &g, err);
        if (!rc)
            rc = apply_group(f, &g, err);
        if (!rc && g.size - done >= ENTRIES_A_TRANSACTION) {
            done = g.size;
            rc = end_batch(f, true, err);
        }
    }
    if (!rc)
        rc = end_batch(f, false, err);
    if (rc > 0 || (!rc && f->walk.chain.last.size != f->c->to))
        rc = plog_fail(err, PLOG_E_CORRUPT,
                       "no commit of the log stands at entry %llu",
                       (unsigned long long)f->c->to);
    return rc;
}

/* The scratch store's head is the floor. */
static void set_head(struct folding *f)
{
    const struct plog_chain *chain = &f->walk.chain;
    memcpy(f->head.origin, chain->origin, sizeof f->head.origin);
    f->head.tree = chain->tree;
    f->head.commit = chain->last;
    f->c->at_to = chain->last;
    f->c->rules = f->head.rules;
}

static int write_down(struct folding *f, struct plog_error *err)
{
    const struct plog_dir *d = &f->c->p->legs.dir;
    struct plog_snapshot before;
    int rc = 0;
    memset(&before, 0, sizeof before);
    if (f->base)
        rc = plog_snapshot_open(&before, d, f->base, f->digest, err);
    if (!rc)
        rc =
            plog_snapshot_write(d, &f->store, &f->head,
                                f->base ? &before : NULL, &f->c->snapshot, err);
    plog_snapshot_close(&before);
    return rc;
}

int plog_compact_fold(struct plog_compacting *c, struct plog_error *err)
{
    struct folding f = {.c = c};
    const struct plog_dir *d = &c->p->legs.dir;
    int dir, rc = plog_snapshot_dir(d, true, &dir, err);
    if (rc)
        return rc;
    rc = open_scratch(&f, dir, err);
    if (!rc)
        rc = plog_walk_open(&f.walk, d, &c->p->legs.keys, err);
    if (!rc)
        rc = load_base(&f, err);
    if (!rc)
        rc = apply_all(&f, err);
    if (!rc) {
        set_head(&f);
        rc = write_down(&f, err);
    }
    plog_walk_close(&f.walk);
    plog_store_close(&f.store);
    int left = remove_scratch(c->io, dir);
    (void)left; /* the next one tries again, and tells */
    c->io->close(c->io->ctx, dir);
    return rc;
}
