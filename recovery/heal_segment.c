/*
 * heal_segment.c - one segment, made whole from its file and from the store.
 *
 * The new file is written in DIR/salvage, where it waits for the others.
 */
#include <stdio.h>

#include "heal.h"
#include "outlog.h"

/* What the segment is healed with, and how far it came. */
struct work {
    struct plog_heal *h;
    uint64_t first, next; /* entries first..next - 1; next 0: to the end */
    struct plog_scan scan;
    int fd;          /* of the file; -1: there is none */
    bool usable;     /* it is still read */
    bool changed;    /* what was written is not what the file holds */
    uint64_t behind; /* the first entry behind the file, which is whole */
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

void plog_heal_keys(struct plog_heal *h, uint64_t size)
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
        if (rc == PLOG_END)
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
        plog_heal_passed(h, &h->stored.last);
        w->changed = true;
    }
    if (rc && rc != PLOG_END)
        return rc;
    if (to && h->stored.last.size != to)
        return unhealed(w, "the store has no commit where the log goes on");
    h->chain.tree = h->stored.tree;
    h->chain.last = h->stored.last;
    h->chain.broken = false;
    plog_heal_keys(h, h->chain.last.size);
    return 0;
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
        int rc = w->usable ? plog_scan_group(&w->scan, &g) : PLOG_END;
        if (rc == 0) {
            plog_heal_passed(w->h, &g.commit);
            rc = w->h->dry_run ? 0
                               : plog_outlog_group(&w->out, &w->scan, &g, err);
        } else if (rc == PLOG_END) {
            w->usable = false;
            w->behind = w->changed ? 0 : w->h->chain.last.size + 1;
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

/* Why its header does not count, where nothing before it is proven.  A name may
 * be that of a copy that goes on, whose entry for it is lost. */
static int no_start(struct work *w)
{
    char why[160];
    int code = w->scan.fault.code;
    const char *is = code == PLOG_E_FOREIGN
                         ? "has a name that nothing before it gives the"
                           " log"
                     : code == PLOG_E_UNKNOWN_KEY
                         ? "is signed by a key that is not trusted here"
                     : code == PLOG_E_FORMAT ? "is of another format"
                                             : "is damaged";
    if (w->fd < 0)
        return unhealed(w, "it is missing, and what stood before it could not"
                           " be proven");
    snprintf(why, sizeof why,
             "its header %s, and what stood before it could not be proven", is);
    return unhealed(w, why);
}

/* Opens what there is of the segment, and stands the chain before it. */
static int open_file(struct work *w, bool is_last, struct plog_error *err)
{
    struct plog_heal *h = w->h;
    struct plog_stat id = {0};
    if (w->first <= h->legs->head.commit.size + 1)
        plog_heal_keys(h, w->first - 1);
    struct plog_chain before = h->chain;
    w->usable = plog_dir_open_segment(&h->legs->dir, w->first, false, &w->fd,
                                      &id, NULL) == 0;
    w->changed = !w->usable;
    if (!h->known) {
        h->chain.broken = true;
        /* Behind the store's head, what is lost may hide a rotation. */
        h->chain.chain.unsettled |= w->first > h->legs->head.commit.size + 1;
    }
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
    return h->known ? 0 : no_start(w);
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

/* What is left as it is, where no bytes say so.  Of a file that is whole it is
 * the one behind it, of which no row says where it began. */
static void name_left(struct work *w, bool known)
{
    const struct plog_heal *h = w->h;
    struct plog_mended *m = w->m;
    char name[PLOG_SEGMENT_NAME];
    if (m->has_bytes)
        return;
    m->from = known ? h->chain.last.size + 1 : w->first;
    m->to = w->next ? w->next - 1 : h->legs->head.commit.size;
    if (m->to < m->from)
        m->to = 0;
    if (w->behind <= w->first)
        return;
    plog_segment_name(w->behind, name);
    snprintf(m->file, sizeof m->file, "log/%s", name);
    if (w->next)
        snprintf(m->why, sizeof m->why,
                 "it is missing, and the store does not have all of it");
}

int plog_heal_segment(struct plog_heal *h, uint64_t first, uint64_t next,
                      bool is_last, struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    const struct plog_io *io = h->legs->io;
    struct plog_heal_step step = {.what = PLOG_HEAL_PUT, .first = first};
    struct work w = {
        .h = h, .first = first, .next = next, .fd = -1, .m = &step.told};
    uint64_t entries = h->entries;
    bool known = h->known;
    plog_segment_name(first, name);
    snprintf(step.told.file, sizeof step.told.file, "log/%s", name);
    int rc = open_file(&w, is_last, err);
    if (!rc)
        rc = write_segment(&w, err);
    plog_scan_close(&w.scan);
    if (w.fd >= 0)
        io->close(io->ctx, w.fd);
    if (rc < 0)
        return rc;
    h->known = rc == 0;
    step.told.healed = rc == 0;
    if (rc && known && h->parted.size == 0)
        h->parted = h->chain.last;
    if (rc) {
        step.what = PLOG_HEAL_LEFT;
        h->entries = entries; /* nothing is made of them */
        name_left(&w, known);
    }
    if (!h->dry_run && (rc || !w.changed)) /* if it was made at all */
        io->unlink_at(io->ctx, h->scratch, name);
    return rc || w.changed ? plog_heal_step(h, &step, err) : 0;
}
