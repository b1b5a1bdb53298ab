/*
 * test_dir_lock.c - waiting for the writer lock with a request in a slot: one
 * that was seen to at the last moment, and how soon after a bell the lock is
 * asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "dir.h"

static struct plog_io io;
static struct plog_dir d;
static struct plog_slot *own;
static struct plog_error err;

/* A directory with a slot of ours, in which a request waits. */
static void set_up(void)
{
    static int next;
    char path[600];
    io = *plog_io_posix();
    memset(&err, 0, sizeof err);
    snprintf(path, sizeof path, "%.500s/d%d", check_dir(), next++);
    CHECK_INT(plog_dir_open(&d, &io, path, PLOG_DIR_MAKE, true, &err), 0);
    CHECK(plog_slots_join(&d.slots, &io, d.dir, d.lock, &d.lock_id));
    own = plog_slots_own(&d.slots);
    own->state = PLOG_SLOT_POSTED;
}

static bool lock_is_free(void)
{
    int fd = openat(d.dir, "lock", O_RDWR | O_CLOEXEC);
    bool is = plog_io_posix()->lock(NULL, fd, 2) == 0 &&
              plog_io_posix()->lock_byte(NULL, fd, 0, 2) == 0;
    close(fd);
    return is;
}

static enum plog_slot_state left_as; /* by who had the lock before */

static int lock_of_another(void *ctx, int fd, int mode)
{
    int rc = plog_io_posix()->lock(ctx, fd, mode);
    if (mode == 2)
        own->state = left_as;
    return rc;
}

/* Who had the lock has answered before it let go: then nobody keeps it. */
static void answered_at_the_last_moment(void)
{
    static const enum plog_slot_state all[] = {
        PLOG_SLOT_POSTED, PLOG_SLOT_TAKEN, PLOG_SLOT_BACK, PLOG_SLOT_DONE};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        set_up();
        bool done = all[i] == PLOG_SLOT_DONE;
        io.lock = lock_of_another;
        left_as = all[i];
        CHECK_INT(plog_dir_lock(&d, false, 1, &err), done ? PLOG_E_LOCKED : 0);
        CHECK(d.locked == !done);
        CHECK(lock_is_free() == done);
        CHECK_UINT(own->state, i ? all[i] : PLOG_SLOT_FREE); /* withdrawn */
        io.lock = plog_io_posix()->lock;
        plog_dir_close(&d);
    }
}

static unsigned tries;
static int64_t at[6]; /* when the lock was asked for */

static int another_holds_it(void *ctx, int fd, int mode)
{
    (void)fd;
    if (mode != 2)
        return 0;
    if (tries == 0)
        own->bell += 1;
    if (tries < 6)
        at[tries] = plog_io_posix()->clock_mono_ns(ctx);
    tries++;
    return -EAGAIN;
}

/* After a bell the lock is about to be free: it is asked for several times in
 * less than one pause of who stands in line, when the processor is ours. */
static void soon_after_a_bell(void)
{
    int64_t least = INT64_MAX;
    set_up();
    io.lock = another_holds_it;
    for (int i = 0; i < 300 && least >= 800000; i++) {
        own->state = PLOG_SLOT_POSTED;
        tries = 0;
        CHECK_INT(plog_dir_lock(&d, false, 0.003, &err), PLOG_E_LOCKED);
        if (tries > 4 && at[4] - at[1] < least)
            least = at[4] - at[1];
    }
    CHECK(least < 800000); /* ns: two pauses */
    io.lock = plog_io_posix()->lock;
    plog_dir_close(&d);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"answered at the last moment", answered_at_the_last_moment},
        {"soon after a bell", soon_after_a_bell},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
