/* heal.c - see heal.h: which segments there are, and which need it. */
#include "heal.h"

#include <stdio.h>

#include "check.h"
#include "kept.h"

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
bool plog_heal_is_segment(struct plog_heal *h, uint64_t first)
{
    struct plog_scan s;
    struct plog_chain *chain = plog_alloc(h->legs->io, sizeof *chain);
    struct plog_stat id;
    struct plog_error why = {.code = 0};
    int fd;
    int rc = chain ? plog_dir_open_segment(&h->legs->dir, first, false, &fd,
                                           &id, &why)
                   : plog_fail(&why, PLOG_E_NOMEM, "out of memory");
    if (!rc) {
        plog_chain_init(chain, &h->legs->keys);
        plog_scan_open(&s, h->legs->io, fd, id.size, false, chain);
        rc = plog_scan_header(&s, first);
        if (rc == PLOG_E_NOMEM)
            plog_fail(&why, rc, "out of memory");
        else if (rc)
            (void)plog_scan_error(&s, first, &why);
        plog_scan_close(&s);
        h->legs->io->close(h->legs->io->ctx, fd);
    }
    bool fits = !rc && is_ours(h, chain->origin);
    plog_free(h->legs->io, chain);
    if (rc == PLOG_E_IO || rc == PLOG_E_NOMEM) {
        h->failed = rc; /* nobody knows: nothing may be set aside for it */
        h->why = why;
    }
    return fits;
}

static int say_failed(const struct plog_heal *h, struct plog_error *err)
{
    if (err)
        *err = h->why;
    return h->failed;
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
           (has(&h->files, first) && (first > h->legs->head.commit.size ||
                                      plog_heal_is_segment(h, first)));
}

void plog_heal_passed(struct plog_heal *h, const struct plog_commit *last)
{
    const struct plog_commit *head = &h->legs->head.commit;
    if (last->size == head->size)
        h->met = memcmp(last->root, head->root, sizeof head->root) == 0;
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
        if ((rc = plog_scan_group(&s, &g)) == 0)
            plog_heal_passed(h, &g.commit);
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
        plog_heal_keys(h, first - 1);
    struct plog_chain before = h->chain;
    int rc = read_whole(h, first, intact, err);
    if (rc || !*intact)
        return rc;
    uint64_t end = h->chain.last.size + 1, next = following(h, first);
    while (next &&
           !(has(&h->files, next) && (next > h->legs->head.commit.size ||
                                      plog_heal_is_segment(h, next))))
        next = following(h, next);
    if (h->failed)
        return say_failed(h, err);
    /* One that ends before its first entry is told by its own row. */
    bool ends = end > first && has(&h->starts, end);
    *intact = ends || (next ? next == end : end > h->legs->head.commit.size);
    if (!*intact)
        h->chain = before;
    return 0;
}

static int heal_all(struct plog_heal *h, struct plog_error *err)
{
    int rc = 0;
    bool intact;
    for (uint64_t first = following(h, 0); !rc && first;
         first = following(h, first)) {
        bool begins = begins_here(h, first);
        if (h->failed)
            return say_failed(h, err);
        if (!begins) {
            /* A copy under another name, or of another log. */
            if (has(&h->files, first))
                rc = plog_heal_aside(h, first,
                                     "no segment of this log begins here", err);
            continue;
        }
        rc = is_intact(h, first, &intact, err);
        if (rc || intact)
            continue;
        uint64_t next = following(h, first);
        while (next && !begins_here(h, next))
            next = following(h, next);
        if (h->failed)
            return say_failed(h, err);
        rc = plog_heal_segment(h, first, next, next == 0, err);
    }
    return rc;
}

/* One begins behind the floor in any case: what stands there may be lost, and
 * its row, too. */
static int read_starts(struct plog_heal *h, struct plog_error *err)
{
    sqlite3_stmt *s = NULL;
    uint64_t first = h->floor + 1;
    int rc = plog_sql_prepare(
        h->legs->store.db,
        "SELECT first FROM main.segments WHERE first>?1 ORDER BY first", &s,
        err);
    if (!rc)
        plog_sql_bind_u64(s, 1, first);
    if (!rc && h->floor < h->legs->head.commit.size)
        rc = plog_buf_add(&h->starts, &first, sizeof first);
    while (!rc && (rc = plog_sql_row(s, err)) == 0) {
        first = plog_sql_u64(s, 0);
        rc = plog_buf_add(&h->starts, &first, sizeof first);
    }
    sqlite3_finalize(s);
    return rc == PLOG_END ? 0 : rc;
}

/* Reads the header of the file at `first`; false when it is none. */
static bool read_name(struct plog_heal *h, uint64_t first,
                      struct plog_chain *chain)
{
    struct plog_scan s;
    struct plog_stat id;
    int fd;
    if (plog_dir_open_segment(&h->legs->dir, first, false, &fd, &id, NULL))
        return false;
    plog_chain_init(chain, &h->legs->keys);
    plog_scan_open(&s, h->legs->io, fd, id.size, false, chain);
    int rc = plog_scan_header(&s, first);
    plog_scan_close(&s);
    h->legs->io->close(h->legs->io->ctx, fd);
    return rc == 0;
}

/* A log that names itself otherwise is not this store's to heal: rather the
 * store is the stranger here.  But files of another log may have got into this
 * one, also in the place of its first. */
static int check_origin(struct plog_heal *h, struct plog_error *err)
{
    struct plog_chain chain;
    char other[PLOG_ORIGIN_MAX + 1] = "";
    for (size_t i = 0; i < plog_segment_count(&h->files); i++) {
        if (!read_name(h, plog_segment_at(&h->files, i), &chain))
            continue;
        if (is_ours(h, chain.origin))
            return 0;
        if (!other[0])
            memcpy(other, chain.origin, sizeof other);
    }
    return other[0] ? plog_fail(err, PLOG_E_FOREIGN,
                                "the log is `%s`, the store belongs"
                                " to `%s`",
                                other, h->legs->head.origin)
                    : 0;
}

struct odd {
    struct plog_heal *h;
    int rc;
};

static int add_odd(void *arg, const char *name)
{
    struct odd *o = arg;
    struct plog_heal_step step = {
        .what = PLOG_HEAL_ASIDE,
        .told = {.healed = true, .why = "a file that is no segment"}};
    if (!plog_dir_is_odd(name))
        return 0;
    snprintf(step.told.file, sizeof step.told.file, "log/%.255s", name);
    o->rc = plog_heal_step(o->h, &step, NULL);
    return o->rc != 0;
}

/* Files in log/ that are no segment are to go to quarantine. */
static int check_names(struct plog_heal *h, struct plog_error *err)
{
    const struct plog_dir *d = &h->legs->dir;
    struct plog_error why = {.code = 0};
    struct odd o = {.h = h};
    int rc = plog_dir_segments(d, &h->files, &why);
    if (rc == PLOG_E_CORRUPT) {
        rc = d->io->list(d->io->ctx, d->log, add_odd, &o);
        rc = o.rc     ? plog_fail(&why, o.rc, "out of memory")
             : rc < 0 ? plog_fail_io(&why, rc, "log", "listing segments")
                      : 0;
    }
    if (rc)
        *err = why;
    return rc;
}

/* All was read, so that it is known what comes of it, also where this is only a
 * plan: every group is proven, but others may be missing, or be meant. */
static int judge(struct plog_heal *h, struct plog_error *err)
{
    const struct plog_commit *head = &h->legs->head.commit;
    struct plog_error why;
    h->comes_to = h->left || !h->known              ? PLOG_E_CORRUPT
                  : h->chain.last.size < head->size ? PLOG_E_ROLLBACK
                  : head->size > h->floor && !h->met
                      ? PLOG_E_FORK
                      : 0; /* below it, nobody can tell */
    if (h->comes_to)
        return 0;
    int rc =
        plog_kept_refuse(&h->legs->dir, &h->chain, h->chain.last.size, &why);
    if (plog_check_is_verdict(rc))
        h->comes_to = rc;
    else if (rc && err)
        *err = why;
    return h->comes_to ? 0 : rc;
}

/* ---- What comes of it --------------------------------------------------- */

/* The root at `size`, within the group at hand. */
static int root_within(const struct plog_stored_group *g,
                       struct plog_tree *tree, uint64_t size,
                       unsigned char *root)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    struct plog_span text = g->text;
    int rc = 0;
    while (!rc && tree->size < size) {
        const char *lf = memchr(text.p, '\n', text.n);
        struct plog_span line = plog_span(text.p, (size_t)(lf - text.p));
        plog_line_leaf(line, leaf);
        rc = plog_tree_add(tree, leaf);
        text = plog_span(lf + 1, text.n - line.n - 1);
    }
    plog_tree_root(tree, root);
    return rc;
}

/* Whether the store led no further because it goes another way: then it proves
 * that one, from its own beginning to behind that place. */
static int is_fork(struct plog_heal *h, bool *fork, struct plog_error *err)
{
    unsigned char root[PLOG_HASH_SIZE];
    struct plog_store_log *s = &h->stored;
    struct plog_stored_group g;
    uint64_t size = h->parted.size;
    *fork = false;
    if (size <= h->base.size || size > h->legs->head.commit.size)
        return 0;
    int rc = plog_store_log_seek(s, &h->base_tree, &h->base, err);
    while (!rc && s->last.size < size) {
        struct plog_tree before = s->tree;
        rc = plog_store_log_next(s, &g, err);
        if (rc || g.size < size)
            continue;
        if (root_within(&g, &before, size, root))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
        *fork = memcmp(root, h->parted.root, sizeof root) != 0;
    }
    return rc == PLOG_E_IO || rc == PLOG_E_NOMEM ? rc : 0;
}

/* Two signed histories stay as they are.  And what lies below the floor goes
 * only for all that the store has above it, and where the log is to begin there
 * at all: as long as it is there, the log may be whole without that. */
static int decide(struct plog_heal *h, struct plog_error *err)
{
    char why[160];
    uint64_t begins = h->floor;
    bool fork = h->comes_to == PLOG_E_FORK;
    int rc = h->comes_to && !fork ? is_fork(h, &fork, err) : 0;
    /* Of a floor above the store's own, the log itself says that it stands. */
    if (!rc && h->strays && h->floor <= h->base.size)
        rc = plog_store_log_undone(&h->legs->store, h->floor, &begins, err);
    if (rc)
        return rc;
    if (fork) {
        h->comes_to = PLOG_E_FORK;
        plog_heal_refuse(h,
                         "log and store are two signed histories, and neither"
                         " is changed for the other's sake",
                         true);
    } else if (h->strays &&
               (h->left || h->chain.last.size < h->legs->head.commit.size ||
                begins < h->floor)) {
        snprintf(why, sizeof why,
                 begins < h->floor
                     ? "the compaction up to entry %llu was undone, and the"
                       " store had been trimmed by then"
                     : "what the store has behind its floor, entry %llu, is"
                       " not all proven, so nothing is changed for it",
                 (unsigned long long)h->floor);
        plog_heal_refuse(h, why, false);
    }
    return 0;
}

int plog_heal(struct plog_heal *h, struct plog_error *err)
{
    struct plog_legs *l = h->legs;
    h->scratch = -1;
    plog_buf_init(&h->files, l->io);
    plog_buf_init(&h->starts, l->io);
    plog_buf_init(&h->steps, l->io);
    plog_chain_init(&h->chain, &l->keys);
    plog_orders_init(&h->orders, l->io, &l->dir, &l->keys);
    h->orders.chain = &h->stored.keys; /* once it is open; none before */
    h->chain.orders = &h->orders;
    int rc = plog_store_get_head(&l->store, &l->head, err);
    if (!rc) {
        memcpy(h->chain.origin, l->head.origin, sizeof h->chain.origin);
        rc = check_names(h, err);
    }
    if (!rc) {
        struct plog_error why = {0};
        rc = plog_store_log_open(&h->stored, &l->store, &l->head, &l->keys,
                                 &l->dir, true, &why);
        /* Keys that nobody knows are another log's: its name says more. */
        int stranger = rc ? check_origin(h, err) : 0;
        if (rc && !stranger)
            *err = why;
        rc = stranger ? stranger : rc;
    }
    if (!rc)
        rc = check_origin(h, err);
    if (!rc)
        rc = plog_heal_scratch(h, err);
    if (!rc)
        rc = plog_heal_begin(h, err);
    if (!rc)
        rc = read_starts(h, err);
    if (!rc)
        rc = heal_all(h, err);
    if (!rc)
        rc = judge(h, err);
    if (!rc)
        rc = decide(h, err);
    plog_store_log_close(&h->stored); /* it reads; what follows may write */
    if (!rc)
        rc = plog_heal_install(h, err);
    plog_heal_drop(h);
    plog_buf_fini(&h->files);
    plog_buf_fini(&h->starts);
    plog_buf_fini(&h->steps);
    plog_orders_fini(&h->orders);
    return rc;
}
