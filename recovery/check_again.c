/*
 * check_again.c - compacted under our eyes: a check holds no lock, and what it
 * is about to read may be taken away, or brought back.
 *
 * That looks like damage and is none, so the check starts over; when it has to
 * do so each time, it could not look, and says that.
 */
#include <errno.h>

#include "check.h"

#define PAUSE_NS 20000000 /* doubled each time */

/* Whether a compaction, or an undo of one, has done anything since the head was
 * frozen.  The floor alone does not tell: an undo sets it back, and segments go
 * only behind the entry that moves it. */
static bool has_moved(const struct plog_check *c)
{
    const struct plog_walk *w = &c->walk;
    struct plog_status s;
    struct plog_options o = {.struct_size = sizeof o,
                             .io = c->o->io,
                             .wait_seconds = c->o->wait_seconds};
    uint64_t floor = c->head.rules.floor, below = 0;
    if (!c->has_head || plog_read_status(c->reader.dir.path, &o, &s, NULL) ||
        !s.has_store)
        return false;
    for (size_t i = 0; i < plog_segment_count(&w->segments); i++)
        below += plog_segment_at(&w->segments, i) <= floor;
    return s.compaction != c->compaction || s.floor != floor ||
           s.below_floor != below;
}

/* The segment at hand was there when the segments were listed, and not when it
 * was to be opened; by now it may be back. */
static bool came_or_went(const struct plog_check *c)
{
    const struct plog_io *io = c->reader.io;
    char name[PLOG_SEGMENT_NAME];
    struct plog_stat st;
    if (c->walk.gap || c->walk.first == 0)
        return false;
    plog_segment_name(c->walk.first, name);
    int rc = io->stat_at(io->ctx, c->reader.dir.log, name, &st);
    return rc == -ENOENT ||
           (!rc && (st.mode & 0170000) == 0100000 && st.links == 1);
}

bool plog_check_moved(struct plog_check *c)
{
    if (!c->again && !c->report->verdict)
        c->again = has_moved(c);
    return c->again;
}

bool plog_check_vanished(struct plog_check *c, int code)
{
    if (c->again)
        return true;
    if (code != PLOG_E_CORRUPT || c->report->verdict ||
        (c->walk.fd >= 0 && !c->walk.gap))
        return false;
    c->again = c->walk.fd < 0 && came_or_went(c);
    return plog_check_moved(c);
}

bool plog_check_once_more(const struct plog_check_options *o, bool again,
                          int tries)
{
    const struct plog_io *io = o->io ? o->io : plog_io_posix();
    if (!again || tries + 1 >= PLOG_CHECK_TRIES)
        return false;
    io->sleep_ns(io->ctx, (int64_t)PAUSE_NS << tries);
    return true;
}

int plog_check_gave_up(bool again, int rc, struct plog_error *err)
{
    if (!again)
        return rc;
    plog_fail(err, PLOG_E_LOCKED,
              "the log is being compacted, or that is being undone: what was"
              " to be read went away each of %d times",
              PLOG_CHECK_TRIES);
    plog_err_hint(err, "run it again when that is done; nothing is known to be"
                       " wrong");
    return PLOG_E_LOCKED;
}
