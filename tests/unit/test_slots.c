/*
 * test_slots.c - the memory that writers share, by itself: whose file it may
 * be, who has which slot, and at whom is rung.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "slots.h"

#define SIZE (4096 + PLOG_SLOTS * sizeof(struct plog_slot))

static struct plog_io io;
static uint32_t another; /* added to who owns a file */
static int dir;
static char path[600]; /* of the file */

static int on_stat(void *ctx, int fd, struct plog_stat *out)
{
    int rc = plog_io_posix()->stat(ctx, fd, out);
    out->owner += another;
    return rc;
}

static void set_up(void)
{
    const char *at = check_dir();
    io = *plog_io_posix();
    io.stat = on_stat;
    another = 0;
    dir = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof path, "%.500s/" PLOG_QUEUE_FILE, at);
    unlink(path);
}

/* A handle of the lock file takes part.  Returns whether it has a slot. */
static bool join(struct plog_slots *s)
{
    struct plog_stat id;
    int lock = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    memset(s, 0, sizeof *s);
    CHECK_INT(plog_io_posix()->stat(NULL, lock, &id), 0);
    return plog_slots_join(s, &io, dir, lock, &id);
}

static void leave(struct plog_slots *s)
{
    plog_slots_leave(s);
    CHECK(s->slot == NULL && !plog_slots_own(s));
    plog_slots_leave(s);
    close(s->lock);
}

/* ---- The file ----------------------------------------------------------- */

static void size_is(size_t size)
{
    struct stat st;
    CHECK_INT(stat(path, &st), 0);
    CHECK_UINT((uintmax_t)st.st_size, size);
}

/* Each has its own, and what one leaves is there for the next. */
static void two(void)
{
    struct plog_slots a, b, c;
    struct stat st;
    set_up();
    CHECK(join(&a) && join(&b));
    CHECK_INT(stat(path, &st), 0);
    CHECK_UINT(st.st_mode & 07777, 0600);
    size_is(SIZE);
    CHECK_UINT(a.own, 0);
    CHECK_UINT(b.own, 1);
    b.slot[1].state = PLOG_SLOT_POSTED;
    b.slot[1].first = 1;
    CHECK(plog_slots_waits(&b) && !plog_slots_waits(&a));
    CHECK(plog_slots_lives(&a, 1));
    CHECK_UINT(a.slot[1].state, PLOG_SLOT_POSTED); /* they see the same */
    plog_slots_leave(&b);            /* the lock file is open still */
    CHECK(!plog_slots_lives(&a, 1)); /* and it is emptied */
    leave(&b);
    CHECK_UINT(a.slot[1].state, PLOG_SLOT_FREE);
    CHECK_UINT(a.slot[1].first, 0);
    a.slot[1].state = PLOG_SLOT_DONE;
    CHECK(join(&c));
    CHECK_UINT(c.own, 1);
    CHECK_UINT(c.slot[1].state, PLOG_SLOT_FREE);
    leave(&c);
    leave(&a);
    close(dir);
}

/* One that others may write to, or that is another one's, is left alone. */
static void for_its_owner_alone(void)
{
    static const struct {
        mode_t mode;
        uint32_t another;
        bool ours;
    } all[] = {{0600, 0, true},  {0700, 0, true},  {0640, 0, false},
               {0620, 0, false}, {0604, 0, false}, {0601, 0, false},
               {0600, 1, false}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_slots s;
        set_up();
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        CHECK_INT(fchmod(fd, all[i].mode), 0);
        close(fd);
        another = all[i].another;
        CHECK_INT(join(&s), all[i].ours);
        CHECK((s.slot != NULL) == all[i].ours);
        size_is(all[i].ours ? SIZE : 0);
        leave(&s);
        close(dir);
    }
}

/* A power cut may lose the head and keep what slots had; nothing of another
 * size is one of ours then. */
static void without_its_head(void)
{
    static char left[SIZE + 1];
    static const struct {
        size_t size;
        bool used, ours;
    } all[] = {{SIZE, true, true},      {SIZE, false, true},
               {SIZE - 1, true, false}, {SIZE - 1, false, true},
               {SIZE + 1, true, false}, {SIZE + 1, false, false}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_slots s;
        set_up();
        memset(left, all[i].used ? 0x5a : 0, sizeof left);
        memset(left, 0, 24);
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        CHECK_INT(write(fd, left, all[i].size), all[i].size);
        close(fd);
        if (!CHECK_INT(join(&s), all[i].ours))
            printf("# row %zu\n", i);
        size_is(all[i].ours ? SIZE : all[i].size);
        if (all[i].ours && s.slot) {
            CHECK_UINT(s.own, 0);
            CHECK_UINT(s.slot[0].state, PLOG_SLOT_FREE);
            CHECK(!plog_slots_lives(&s, 1));
            CHECK_UINT(s.slot[1].state, PLOG_SLOT_FREE);
        }
        leave(&s);
        close(dir);
    }
}

/* ---- Bells -------------------------------------------------------------- */

/* The next one that waits behind the own slot, or who holds the turnstile. */
static void next_one(void)
{
    static const struct {
        struct {
            unsigned slot;
            enum plog_slot_state state;
            uint32_t first;
        } is[3];
        unsigned rung; /* PLOG_SLOTS: nobody */
    } all[] = {
        {{{7, PLOG_SLOT_POSTED, 0}, {9, PLOG_SLOT_POSTED, 0}}, 7},
        {{{3, PLOG_SLOT_POSTED, 0}, {63, PLOG_SLOT_POSTED, 0}}, 63},
        {{{3, PLOG_SLOT_POSTED, 0}, {4, PLOG_SLOT_POSTED, 0}}, 3},
        {{{7, PLOG_SLOT_POSTED, 0}, {9, PLOG_SLOT_POSTED, 1}}, 9},
        {{{7, PLOG_SLOT_POSTED, 1}, {9, PLOG_SLOT_POSTED, 0}}, 7},
        {{{7, PLOG_SLOT_POSTED, 1}, {9, PLOG_SLOT_POSTED, 1}}, 7},
        {{{7, PLOG_SLOT_POSTED, 0}, {2, PLOG_SLOT_BACK, 1}}, 2},
        {{{8, PLOG_SLOT_TAKEN, 0}, {9, PLOG_SLOT_BACK, 0}}, 8},
        {{{6, PLOG_SLOT_DONE, 0}, {9, PLOG_SLOT_BACK, 0}}, 9},
        {{{6, PLOG_SLOT_DONE, 1}, {8, PLOG_SLOT_FREE, 1}}, PLOG_SLOTS},
        {{{5, PLOG_SLOT_POSTED, 1}}, PLOG_SLOTS}, /* it is the own one */
        {{{5, PLOG_SLOT_POSTED, 0}, {4, PLOG_SLOT_POSTED, 0}}, 4},
    };
    static struct plog_slot slot[PLOG_SLOTS];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_slots s = {.slot = slot, .own = 5};
        memset(slot, 0, sizeof slot);
        for (size_t k = 0; k < 3 && all[i].is[k].slot; k++) {
            slot[all[i].is[k].slot].state = all[i].is[k].state;
            slot[all[i].is[k].slot].first = all[i].is[k].first;
        }
        plog_slots_ring_next(&s);
        for (unsigned k = 0; k < PLOG_SLOTS; k++)
            if (!CHECK_UINT(slot[k].bell, k == all[i].rung))
                printf("# row %zu, slot %u\n", i, k);
    }
    struct plog_slots none = {.own = 5};
    plog_slots_ring_next(&none); /* takes no part */
    CHECK(!plog_slots_waits(&none));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"two", two},
        {"for its owner alone", for_its_owner_alone},
        {"without its head", without_its_head},
        {"the next one", next_one},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
