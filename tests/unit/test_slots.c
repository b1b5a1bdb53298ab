/*
 * test_slots.c - the memory that writers share, by itself: whose file it may
 * be, who has which slot, and at whom is rung.
 */
#include <errno.h>
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
static uint64_t last;    /* byte of the lock file that was let go */
static int dir;
static char path[600]; /* of the file */

static int on_stat(void *ctx, int fd, struct plog_stat *out)
{
    int rc = plog_io_posix()->stat(ctx, fd, out);
    out->owner += another;
    return rc;
}

static int on_lock_byte(void *ctx, int fd, uint64_t at, int mode)
{
    if (mode == 0 && at > last)
        last = at;
    return plog_io_posix()->lock_byte(ctx, fd, at, mode);
}

static void set_up(void)
{
    const char *at = check_dir();
    io = *plog_io_posix();
    io.stat = on_stat;
    io.lock_byte = on_lock_byte;
    another = 0;
    last = 0;
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

/* What was begun and not finished is finished: whoever has it open has the same
 * file. */
static void one_that_was_begun(void)
{
    static const off_t sizes[] = {0, 100, 4096, SIZE};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct plog_slots s;
        struct stat was, is;
        set_up();
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        CHECK_INT(ftruncate(fd, sizes[i]), 0);
        CHECK_INT(fstat(fd, &was), 0);
        CHECK(join(&s));
        CHECK_INT(stat(path, &is), 0);
        CHECK_UINT(is.st_ino, was.st_ino);
        size_is(SIZE);
        leave(&s);
        close(fd);
        close(dir);
    }
}

/* One that was cut is made anew by who is alone; nothing is written to it
 * while another has it mapped. */
static void one_that_was_cut(void)
{
    struct plog_slots a, b;
    struct stat was, is;
    set_up();
    CHECK(join(&a));
    CHECK_INT(truncate(path, 5000), 0);
    CHECK_INT(stat(path, &was), 0);
    CHECK(!join(&b) && b.slot == NULL);
    size_is(5000);
    leave(&b);
    leave(&a);
    int fd = open(path, O_RDONLY | O_CLOEXEC); /* so its number is not free */
    CHECK(join(&b));
    CHECK_INT(stat(path, &is), 0);
    CHECK(is.st_ino != was.st_ino);
    size_is(SIZE);
    leave(&b);
    close(fd);
    close(dir);
}

/* How often the file is mapped in this process. */
static unsigned mapped(void)
{
    char line[1000];
    unsigned n = 0;
    FILE *f = fopen("/proc/self/maps", "re");
    while (f && fgets(line, sizeof line, f))
        n += strstr(line, path) != NULL;
    if (f)
        fclose(f);
    return n;
}

/* Who finds none free maps the file all the same, asks again, and lets go of no
 * byte that is not of a slot. */
static void all_are_taken(void)
{
    static struct plog_slots all[PLOG_SLOTS];
    struct plog_slots one;
    set_up();
    for (unsigned i = 0; i < PLOG_SLOTS; i++)
        CHECK(join(&all[i]) && all[i].own == i);
    CHECK(!join(&one));
    const struct plog_slot *slot = one.slot;
    CHECK(slot != NULL);
    CHECK_UINT(mapped(), PLOG_SLOTS + 1);
    leave(&all[9]);
    CHECK(plog_slots_join(&one, &io, dir, one.lock, &one.id));
    CHECK_UINT(one.own, 9);
    CHECK(one.slot == slot);
    CHECK_UINT(mapped(), PLOG_SLOTS);
    leave(&one);
    CHECK(join(&all[9]));
    CHECK(!join(&one));
    leave(&one);
    for (unsigned i = 0; i < PLOG_SLOTS; i++)
        leave(&all[i]);
    CHECK_UINT(last, PLOG_SLOT_BYTE + PLOG_SLOTS - 1);
    CHECK_UINT(mapped(), 0);
    close(dir);
}

/* ---- Nothing stays ------------------------------------------------------ */

static bool has(const struct plog_slot *slot)
{
    return slot->text[7] || slot->deltas[1].salt[0];
}

static void write_in(struct plog_slot *slot)
{
    slot->text[7] = slot->deltas[1].salt[0] = 's';
}

/* What nobody holds is wiped, by whoever takes part or does not, and each keeps
 * the slot it has; who gets one anew finds it empty. */
static void wiped(void)
{
    for (int part = 0; part < 3; part++) {
        struct plog_slots a, b, c, none = {.slot = NULL};
        set_up();
        CHECK(join(&a) && join(&b) && join(&c));
        for (unsigned i = 0; i < 4; i++)
            write_in(&a.slot[i]);
        CHECK(plog_slots_lives(&c, 1) && has(&a.slot[1]));
        plog_slots_leave(&b);
        const struct plog_slots *by = part == 0 ? &none : part == 1 ? &a : &c;
        int lock = openat(dir, "lock", O_RDWR | O_CLOEXEC);
        CHECK_INT(plog_slots_scrub(by, &io, dir, part ? by->lock : lock, &a.id),
                  0);
        CHECK(has(&a.slot[0]) && !has(&a.slot[1]));
        CHECK(has(&a.slot[2]) && !has(&a.slot[3]));
        CHECK_INT(plog_slots_scrub(by, &io, dir, -1, &a.id), -EBADF);
        CHECK(plog_slots_lives(&a, 2) && plog_slots_lives(&c, 0));
        write_in(&a.slot[1]);
        leave(&b);
        CHECK(join(&b));
        CHECK_UINT(b.own, 1);
        CHECK(!has(&a.slot[1]));
        close(lock);
        leave(&a);
        leave(&b);
        leave(&c);
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
        {"one that was begun", one_that_was_begun},
        {"one that was cut", one_that_was_cut},
        {"all are taken", all_are_taken},
        {"wiped", wiped},
        {"the next one", next_one},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
