/*
 * test_queue_file.c - DIR/queue as a file: what may stand in its place, and
 * what a redaction leaves in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "redacting.h"
#include "slots.h"
#include "world.h"

#define START 4096 /* of the slots in the file */
#define SIZE (START + PLOG_SLOTS * sizeof(struct plog_slot))
#define SECRET "the-payload-that-must-go"

static const uint64_t another_layout = UINT64_C(0x706c6f6771000001);

static struct world w;
static struct plog_io io;
static int shut; /* tries at the lock that fail */

static int on_lock(void *ctx, int fd, int mode)
{
    if (mode == 2 && shut > 0) {
        shut--;
        return -EAGAIN;
    }
    return plog_io_posix()->lock(ctx, fd, mode);
}

static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "first", "1", SECRET, NULL), 0);
    world_close(&w);
}

/* Opens a handle that has waited once, so that it takes part if it can. */
static void open_waited(void)
{
    struct plog_options o = w.options;
    io = *plog_io_posix();
    io.lock = on_lock;
    shut = 1;
    o.io = &io;
    CHECK_INT(plog_open(&w.p, w.dir, &o, NULL), 0);
}

static void put(const void *bytes, size_t n)
{
    world_write(world_path(&w, PLOG_QUEUE_FILE), bytes, n);
    REQUIRE(chmod(world_path(&w, PLOG_QUEUE_FILE), 0600) == 0);
}

static void is_kept(const void *bytes, size_t n)
{
    static char now[800 * 1024];
    FILE *f = fopen(world_path(&w, PLOG_QUEUE_FILE), "rb");
    REQUIRE(f != NULL);
    CHECK_UINT(fread(now, 1, sizeof now, f), n);
    CHECK(memcmp(now, bytes, n) == 0);
    fclose(f);
}

static void is_taken_part(bool part)
{
    CHECK((plog_slots_own(&w.p->legs.dir.slots) != NULL) == part);
}

/* ---- What may stand there ------------------------------------------------ */

/* The handles do without it, and what is somebody else's stays, also when an
 * entry is redacted. */
static void odd_files(void)
{
    static char zeros[8], long_one[750 * 1024];
    static const char notes[32] = {[24] = 'n', 'o', 't', 'e', 's'};
    for (int k = 0; k < 8; k++) {
        struct plog_redact_report r;
        struct plog_error err = {.code = 0};
        char path[600];
        make();
        snprintf(path, sizeof path, "%s", world_path(&w, PLOG_QUEUE_FILE));
        if (k == 0)
            REQUIRE(symlink("elsewhere", path) == 0);
        if (k == 1)
            REQUIRE(mkdir(path, 0700) == 0);
        if (k == 2 || k == 3)
            put(zeros, sizeof zeros);
        if (k == 4)
            put("jobs that wait\n", 15);
        if (k == 5)
            memset(long_one, 'j', sizeof long_one);
        if (k == 6) /* longer than one whose making was cut off */
            memset(long_one, 0, sizeof long_one / 2);
        if (k == 5 || k == 6)
            put(long_one, sizeof long_one);
        if (k == 7) /* zeros, and no more than that, are ours */
            put(notes, sizeof notes);
        if (k == 2)
            REQUIRE(chmod(path, 0620) == 0);
        if (k == 3)
            REQUIRE(link(path, world_path(&w, "another")) == 0);
        open_waited();
        is_taken_part(false);
        CHECK_INT(world_put(&w, NULL, "2", "own", NULL), 0);
        if (k == 2 || k == 3)
            is_kept(zeros, sizeof zeros);
        world_close(&w);
        CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
        if (k == 3)
            is_kept(zeros, sizeof zeros);
        if (k == 4)
            is_kept("jobs that wait\n", 15);
        if (k == 5 || k == 6)
            is_kept(long_one, sizeof long_one);
        if (k == 7)
            is_kept(notes, sizeof notes);
        world_end(&w, 4);
    }
}

/* Holds the slot that another handle might have.  Returns what to close. */
static int live(void)
{
    int fd = open(world_path(&w, "lock"), O_RDWR | O_CLOEXEC);
    CHECK_INT(plog_io_posix()->lock_byte(NULL, fd, PLOG_SLOT_BYTE + 7, 2), 0);
    return fd;
}

/* A file that a crash or another release has left: as long as somebody uses it
 * their way it is theirs. */
static void other_layouts(void)
{
    static char junk[SIZE];
    for (int k = 0; k < 4; k++) {
        bool lives = k % 2;
        size_t n = k < 2 ? sizeof junk : 4100; /* shorter than ours */
        make();
        memset(junk, 0x5a, sizeof junk);
        memcpy(junk, &another_layout, sizeof another_layout);
        put(junk, n);
        int fd = lives ? live() : -1;
        open_waited();
        is_taken_part(!lives);
        if (lives)
            is_kept(junk, n);
        else
            CHECK_UINT(plog_slots_own(&w.p->legs.dir.slots)->state,
                       PLOG_SLOT_FREE);
        CHECK_INT(world_put(&w, NULL, "2", "own", NULL), 0);
        if (fd >= 0)
            close(fd);
        world_end(&w, 3);
    }
}

/* ---- When an entry is redacted ------------------------------------------- */

static uint64_t queue_is; /* its number */
static unsigned synced;

static int on_fsync(void *ctx, int fd)
{
    struct stat st;
    synced += fstat(fd, &st) == 0 && st.st_ino == queue_is;
    return plog_io_posix()->fsync(ctx, fd);
}

static int order(struct plog_redact_report *r, struct plog_error *err)
{
    struct plog_redact_options o = {.struct_size = sizeof o,
                                    .io = &io,
                                    .wait_seconds = -1,
                                    .reason = "asked for"};
    struct stat st;
    io = *plog_io_posix();
    io.fsync = on_fsync;
    queue_is = stat(world_path(&w, PLOG_QUEUE_FILE), &st) ? 0 : st.st_ino;
    synced = 0;
    return plog_redact(w.dir, 2, &o, r, err);
}

/* Whoever was killed has left what it had posted, or was answered; what a
 * living one has posted is not in the log yet, and nobody waits for it. */
static void of_the_dead(void)
{
    struct plog_redact_report r;
    struct plog_error err = {.code = 0};
    make();
    open_waited();
    struct plog_slot *own = plog_slots_own(&w.p->legs.dir.slots);
    REQUIRE(own != NULL);
    struct plog_slot *all = w.p->legs.dir.slots.slot;
    memcpy(own->text, "posted", 6);
    own->state = PLOG_SLOT_POSTED;
    for (unsigned i = 5; i < PLOG_SLOTS; i += 29) {
        all[i].state = i % 5;
        memcpy(all[i].text + i, SECRET, sizeof SECRET);
        memcpy(all[i].deltas[3].salt, SECRET, sizeof all[i].deltas[3].salt);
    }
    CHECK(redacting_has(&w, PLOG_QUEUE_FILE, SECRET));
    CHECK_INT(order(&r, &err), 0);
    CHECK_UINT(synced, 1);
    CHECK(!redacting_has(&w, PLOG_QUEUE_FILE, "the-payload"));
    CHECK(redacting_has(&w, PLOG_QUEUE_FILE, "posted"));
    CHECK_UINT(own->state, PLOG_SLOT_POSTED);
    own->state = PLOG_SLOT_FREE;
    world_end(&w, 3);
}

/* Of a handle that wipes nothing: as long as it lives nobody knows. */
static void of_another_release(void)
{
    static char all[SIZE];
    struct plog_redact_report r;
    struct plog_error err = {.code = 0};
    make();
    memcpy(all, &another_layout, sizeof another_layout);
    memcpy(all + 30000, SECRET, sizeof SECRET);
    put(all, sizeof all);
    int fd = live();
    CHECK_INT(order(&r, &err), PLOG_E_LOCKED);
    CHECK_TEXT(err.file, PLOG_QUEUE_FILE);
    CHECK_UINT(r.order, 3);
    is_kept(all, sizeof all);
    CHECK_INT(redacting_pending(&w), 1);
    close(fd);
    CHECK_INT(world_open(&w), 0);
    CHECK(!world_has(&w, PLOG_QUEUE_FILE));
    world_close(&w);
    CHECK_INT(redacting_pending(&w), 0);
    put(all, sizeof all);
    CHECK_INT(order(&r, &err), 0); /* for it came back */
    CHECK(!world_has(&w, PLOG_QUEUE_FILE));
    world_end(&w, 3);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"odd files", odd_files},
        {"other layouts", other_layouts},
        {"of the dead", of_the_dead},
        {"of another release", of_another_release},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
