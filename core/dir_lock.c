/*
 * dir_lock.c - the locks of a directory: of its one writer, and of upkeep.
 *
 * Those who wait stand in line at a byte of the lock file; who is next asks for
 * the lock itself.  Who has posted a request (shared_queue.h) stands in no
 * line: whoever is served first serves it, too.
 */
#include <errno.h>
#include <stdatomic.h>

#include "dir.h"

#define PAUSE 70000            /* ns, at first, of who is next */
#define PAUSE_LINE 400000      /* of the others */
#define PAUSE_MOST 1000000     /* they double up to that */
#define PATIENCE 200           /* pauses before they do */
#define WATCH_AFTER 64         /* waits: closing a watch takes some ms */
#define WATCH 400000           /* ns: not every holder writes */
#define SOON 4                 /* moments, when the holder is about to go */
#define MOMENT 20000           /* ns */
#define LONG 20000000          /* ns, of waiting with a request */
#define TAKEN_WAIT 60000000000 /* beyond the time given, for an answer */

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
    plog_err_hint(err, PLOG_WAIT_LONGER);
    return PLOG_E_LOCKED;
}

/* Takes the own request back, so that nobody else sees to it. */
static void withdraw(struct plog_slot *own)
{
    uint32_t posted = PLOG_SLOT_POSTED;
    atomic_compare_exchange_strong(&own->state, &posted, PLOG_SLOT_FREE);
}

/* Whether to stop waiting, `late` ns after the time given: not while somebody
 * is at the request, unless that never ends. */
static bool gives_up(struct plog_slot *own, int64_t late)
{
    if (late < 0)
        return false;
    withdraw(own);
    return own->state != PLOG_SLOT_TAKEN || late >= TAKEN_WAIT;
}

/* The lock, unless somebody else stands at the turnstile.  Who has waited for
 * `long`, which is when many come that take no part, stands there, too. */
static int try_lock(struct plog_dir *d, struct plog_slot *own, bool is_long)
{
    const struct plog_io *io = d->io;
    if (is_long && !own->first)
        own->first = io->lock_byte(io->ctx, d->lock, 0, 2) == 0;
    int rc = io->lock(io->ctx, d->lock, 2);
    if (rc || own->first)
        return rc;
    rc = io->lock_byte(io->ctx, d->lock, 0, 2);
    if (rc)
        io->lock(io->ctx, d->lock, 0);
    else
        io->lock_byte(io->ctx, d->lock, 0, 0);
    return rc;
}

/* Waits with a request in the own slot; -EAGAIN also when somebody has seen to
 * it.  Whoever leaves the lock rings at who is next; all look now and then,
 * too, for not everybody who leaves it takes part. */
static int lock_or_be_served(struct plog_dir *d, int64_t until)
{
    const struct plog_io *io = d->io;
    struct plog_slot *own = plog_slots_own(&d->slots);
    int64_t now = io->clock_mono_ns(io->ctx), keep = now + LONG;
    unsigned soon = 0;
    int rc = -EAGAIN;
    while (own->state != PLOG_SLOT_DONE) {
        uint32_t bell = own->bell;
        rc = try_lock(d, own, now >= keep);
        now = io->clock_mono_ns(io->ctx);
        if (rc != -EAGAIN || gives_up(own, now - until))
            break;
        if (own->state != PLOG_SLOT_DONE)
            plog_slots_sleep(&d->slots, bell, soon ? MOMENT : PAUSE_LINE);
        soon = own->bell != bell ? SOON : soon ? soon - 1 : 0;
    }
    if (own->first)
        io->lock_byte(io->ctx, d->lock, 0, 0);
    own->first = false;
    withdraw(own);
    if (rc == 0 && own->state == PLOG_SLOT_DONE) {
        io->lock(io->ctx, d->lock, 0);
        rc = -EAGAIN;
    }
    return rc;
}

int plog_dir_lock(struct plog_dir *d, bool shared, double wait_seconds,
                  struct plog_error *err)
{
    const struct plog_io *io = d->io;
    int mode = shared ? 1 : 2, rc = -EAGAIN;
    struct waiter w = {
        io, plog_io_until(io, wait_seconds), PAUSE_LINE, PATIENCE, 0, 0};
    if (d->lock < 0 && d->dry)
        return 0;
    if (d->lock < 0) {
        plog_fail(err, PLOG_E_IO, "there is no lock file");
        return PLOG_E_IO;
    }
    if (!shared && plog_slots_waits(&d->slots)) {
        rc = lock_or_be_served(d, w.until);
        d->locked = rc == 0;
        return rc ? lock_failed(d, rc, err) : 0;
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
    if (d->locked)
        plog_slots_ring_next(&d->slots);
    d->locked = false;
}

static int take_byte(struct plog_dir *d, uint64_t byte, double wait_seconds,
                     struct plog_error *err)
{
    const struct plog_io *io = d->io;
    struct waiter w = {io, plog_io_until(io, wait_seconds), PAUSE, 0, 0, 0};
    int rc;
    if (d->lock < 0 && d->dry)
        return 0;
    while ((rc = io->lock_byte(io->ctx, d->lock, byte, 2)) == -EAGAIN)
        if (!wait_more(&w))
            break;
    return rc ? lock_failed(d, rc, err) : 0;
}

static void give_byte(struct plog_dir *d, uint64_t byte)
{
    if (d->lock >= 0)
        d->io->lock_byte(d->io->ctx, d->lock, byte, 0);
}

int plog_dir_maintain(struct plog_dir *d, double wait_seconds,
                      struct plog_error *err)
{
    return take_byte(d, 1, wait_seconds, err);
}

void plog_dir_maintained(struct plog_dir *d)
{
    give_byte(d, 1);
}

int plog_dir_drill(struct plog_dir *d, double wait_seconds,
                   struct plog_error *err)
{
    int rc = take_byte(d, 2, wait_seconds, err);
    if (rc != PLOG_E_LOCKED)
        return rc;
    plog_fail(err, rc, "another drill, or a redaction, is under way");
    plog_err_hint(err, PLOG_WAIT_LONGER);
    return rc;
}

void plog_dir_drilled(struct plog_dir *d)
{
    give_byte(d, 2);
}

int plog_dir_fail_linked(struct plog_error *err)
{
    plog_fail(err, PLOG_E_IO,
              "the lock file has another name, too (a hard link): what is"
              " written here would be written there");
    plog_err_file(err, "lock");
    plog_err_hint(err, "if DIR was copied by hard links (cp -l), that is no"
                       " copy: make one with files of its own, cp -a DIR NEW,"
                       " and use NEW in the place of DIR");
    return PLOG_E_IO;
}

int plog_dir_check_lock(const struct plog_dir *d, struct plog_error *err)
{
    struct plog_stat st;
    int rc = d->io->stat_at(d->io->ctx, d->dir, "lock", &st);
    bool same = !rc && plog_stat_same(&st, &d->lock_id);
    if (same && st.links == 1)
        return 0;
    if (same && st.links > 1)
        return plog_dir_fail_linked(err);
    if (rc && rc != -ENOENT)
        return plog_fail_io(err, rc, "lock", "looking at the lock file");
    plog_fail(err, PLOG_E_LOCKED, "the lock file was replaced");
    plog_err_file(err, "lock");
    return PLOG_E_LOCKED;
}
