/*
 * dir_lock.c - the locks of a directory: of its one writer, and of upkeep.
 *
 * Those who wait stand in line at a byte of the lock file; who is next asks for
 * the lock itself.
 */
#include <errno.h>

#include "dir.h"

#define PAUSE 70000        /* ns, at first, of who is next */
#define PAUSE_LINE 400000  /* of the others */
#define PAUSE_MOST 1000000 /* they double up to that */
#define PATIENCE 200       /* pauses before they do */
#define WATCH_AFTER 64     /* waits: closing a watch takes some ms */
#define WATCH 400000       /* ns: not every holder writes */
#define SOON 4             /* moments, when the holder is about to go */
#define MOMENT 20000       /* ns */

/* Who is next asks often, for a group takes some 200 us and the log would lie
 * idle; the others only have to be there when the next one got in. */
struct waiter {
    const struct plog_io *io;
    int64_t until;
    int64_t pause;
    unsigned patience;
    unsigned tries; /* at the lock itself, by who is next */
    unsigned soon;  /* that many more, and the lock should be free */
};

/* Sleeps a little.  False when the time is over. */
static bool wait_more(struct waiter *w)
{
    const struct plog_io *io = w->io;
    if (io->clock_mono_ns(io->ctx) >= w->until)
        return false;
    io->sleep_ns(io->ctx, w->pause);
    if (w->patience)
        w->patience--;
    else if (w->pause < PAUSE_MOST)
        w->pause *= 2;
    return true;
}

/* The same for who is next, in a process that has waited often.  The last that
 * a holder writes is the store's COMMIT, and until then it is left alone: who
 * asks all the time takes the processor from it. */
static bool wait_for_commit(struct plog_dir *d, struct waiter *w)
{
    const struct plog_io *io = w->io;
    bool first = w->tries++ == 0;
    d->waits += first;
    if (!io->wait_change || d->waits < WATCH_AFTER)
        return wait_more(w);
    int64_t left = w->until - io->clock_mono_ns(io->ctx);
    if (left <= 0)
        return false;
    if (w->soon) {
        w->soon--;
        io->sleep_ns(io->ctx, MOMENT);
        return true;
    }
    /* At first what was written before is forgotten, and the lock tried again:
     * it may have become free meanwhile. */
    int64_t most = first ? 0 : left < WATCH ? left : WATCH;
    int rc = io->wait_change(io->ctx, &d->watch, d->path, most);
    if (rc < 0)
        d->waits = 0; /* no watch to be had, for some time or ever */
    else if (!first)
        w->soon = rc > 0 ? SOON : 1;
    return true;
}

static int lock_failed(struct plog_dir *d, int rc, struct plog_error *err)
{
    if (rc != -EAGAIN)
        return plog_fail_io(err, rc, "lock", "locking");
    plog_fail(err, PLOG_E_LOCKED, "another process holds the lock of %s",
              d->path);
    plog_err_file(err, "lock");
    plog_err_hint(err, "wait longer with --wait SECONDS");
    return PLOG_E_LOCKED;
}

int plog_dir_lock(struct plog_dir *d, bool shared, double wait_seconds,
                  struct plog_error *err)
{
    const struct plog_io *io = d->io;
    int mode = shared ? 1 : 2, rc = -EAGAIN;
    struct waiter w = {
        io, plog_io_until(io, wait_seconds), PAUSE_LINE, PATIENCE, 0, 0};
    if (d->lock < 0) {
        plog_fail(err, PLOG_E_IO, "there is no lock file");
        return PLOG_E_IO;
    }
    /* A reader's handle may be read-only, which an OFD write lock refuses. */
    while (!shared && (rc = io->lock_byte(io->ctx, d->lock, 0, 2)) == -EAGAIN)
        if (!wait_more(&w))
            break;
    if (!shared && rc)
        return lock_failed(d, rc, err);
    w.pause = PAUSE;
    w.patience = PATIENCE;
    while ((rc = io->lock(io->ctx, d->lock, mode)) == -EAGAIN)
        if (shared ? !wait_more(&w) : !wait_for_commit(d, &w))
            break;
    if (!shared)
        io->lock_byte(io->ctx, d->lock, 0, 0);
    if (rc)
        return lock_failed(d, rc, err);
    d->locked = true;
    return 0;
}

void plog_dir_unlock(struct plog_dir *d)
{
    if (d->locked)
        d->io->lock(d->io->ctx, d->lock, 0);
    d->locked = false;
}

int plog_dir_maintain(struct plog_dir *d, double wait_seconds,
                      struct plog_error *err)
{
    const struct plog_io *io = d->io;
    struct waiter w = {io, plog_io_until(io, wait_seconds), PAUSE, 0, 0, 0};
    int rc;
    while ((rc = io->lock_byte(io->ctx, d->lock, 1, 2)) == -EAGAIN)
        if (!wait_more(&w))
            break;
    return rc ? lock_failed(d, rc, err) : 0;
}

void plog_dir_maintained(struct plog_dir *d)
{
    d->io->lock_byte(d->io->ctx, d->lock, 1, 0);
}

int plog_dir_check_lock(const struct plog_dir *d, struct plog_error *err)
{
    struct plog_stat st;
    int rc = d->io->stat_at(d->io->ctx, d->dir, "lock", &st);
    if (!rc && plog_stat_same(&st, &d->lock_id) && st.links == 1)
        return 0;
    if (rc && rc != -ENOENT)
        return plog_fail_io(err, rc, "lock", "looking at the lock file");
    plog_fail(err, PLOG_E_LOCKED, "the lock file was replaced");
    plog_err_file(err, "lock");
    return PLOG_E_LOCKED;
}
