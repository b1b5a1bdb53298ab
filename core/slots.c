/* slots.c - see slots.h. */
#include "slots.h"

#include <errno.h>
#include <fcntl.h>

#include "futex.h"

#define LAYOUT (UINT64_C(0x706c6f6771000002) ^ sizeof(struct plog_slot) << 8)
_Static_assert(sizeof(struct plog_slot) < 65536, "it stands in LAYOUT");
#define START 4096 /* of the slots */
#define SIZE (START + PLOG_SLOTS * sizeof(struct plog_slot))

/* What the file begins with. */
struct head {
    uint64_t layout;        /* 0: not in use yet */
    uint64_t device, inode; /* of the lock file whose bytes say who lives */
};

/* Every byte is written, so that each has its place on the disk: a page of a
 * mapping that finds none kills the process.  (A file system that writes
 * nothing in its place may find none yet: THREATS.md.) */
static int fill(const struct plog_io *io, int fd)
{
    static const char zeros[START];
    int rc = 0;
    for (uint64_t at = 0; !rc && at < SIZE; at += sizeof zeros)
        rc = plog_io_write_full(io, fd, zeros, sizeof zeros, at, NULL);
    return rc;
}

static bool is_zeros(const struct plog_io *io, int fd)
{
    static const char zeros[START];
    char some[START];
    size_t got = sizeof some;
    int rc = 0;
    for (uint64_t at = 0; !rc && got == sizeof some; at += got) {
        rc = plog_io_pread_full(io, fd, some, sizeof some, at, &got);
        if (!rc && memcmp(some, zeros, got) != 0)
            return false;
    }
    return !rc;
}

/* Ours, of whatever release, or one whose making was cut off; with it whole, a
 * power cut may have lost its head and kept what slots had.  What else has this
 * name is not touched. */
static bool is_ours(const struct plog_io *io, int fd, const struct head *h,
                    uint64_t size)
{
    if (h->layout)
        return h->layout >> 24 == LAYOUT >> 24;
    return size == SIZE || (size < SIZE && is_zeros(io, fd));
}

/* What there is under the name, if it is ours. */
struct file {
    struct plog_stat st;
    struct head head;
};

static int open_ours(const struct plog_io *io, int dir, int create,
                     struct file *f)
{
    size_t got;
    int fd = io->open_at(io->ctx, dir, PLOG_QUEUE_FILE, O_RDWR | create, 0600);
    if (fd < 0)
        return fd;
    int rc = plog_io_check_regular(io, fd);
    if (!rc)
        rc = io->stat(io->ctx, fd, &f->st);
    memset(&f->head, 0, sizeof f->head);
    if (!rc)
        rc = plog_io_pread_full(io, fd, &f->head, sizeof f->head, 0, &got);
    if (!rc && !is_ours(io, fd, &f->head, f->st.size))
        rc = -EEXIST;
    if (!rc)
        return fd;
    io->close(io->ctx, fd);
    return rc;
}

/* Of the owner alone: what it says is trusted. */
static int open_file(const struct plog_io *io, int dir, struct file *f)
{
    int fd = open_ours(io, dir, O_CREAT, f);
    if (fd < 0 ||
        (f->st.owner == plog_io_effective_user() && (f->st.mode & 077) == 0))
        return fd;
    io->close(io->ctx, fd);
    return -EPERM;
}

static bool claim(const struct plog_slots *s, unsigned i)
{
    return s->io->lock_byte(s->io->ctx, s->lock, PLOG_SLOT_BYTE + i, 2) == 0;
}

static void release(const struct plog_slots *s, unsigned i)
{
    s->io->lock_byte(s->io->ctx, s->lock, PLOG_SLOT_BYTE + i, 0);
}

/* But for us. */
static bool anybody_lives(const struct plog_slots *s)
{
    for (unsigned i = 0; i < PLOG_SLOTS; i++) {
        if (i == s->own)
            continue;
        if (!claim(s, i))
            return true;
        release(s, i);
    }
    return false;
}

/* One that nobody has used since its last owner ended. */
static void empty(struct plog_slot *slot)
{
    plog_slots_wipe(slot);
    slot->sleeps = slot->first = 0;
    slot->state = PLOG_SLOT_FREE;
}

static void claim_any(struct plog_slots *s)
{
    for (s->own = 0; s->own < PLOG_SLOTS && !claim(s, s->own);)
        s->own++;
    struct plog_slot *own = plog_slots_own(s);
    if (own)
        empty(own);
}

static struct head head_of(const struct plog_stat *lock)
{
    return (struct head){LAYOUT, lock->device, lock->inode};
}

/* Whether the file is of this layout and this lock file, and whole. */
static bool is_same(const struct file *f, const struct head *ours)
{
    return f->st.size >= SIZE && memcmp(&f->head, ours, sizeof *ours) == 0;
}

/* The file of this layout and this lock file.  Another one, which another
 * release, a crash or a copy has left, makes place when nobody uses it; by its
 * name alone, for who has it mapped is of another lock file. */
static struct plog_slot *map_file(const struct plog_slots *s, int dir)
{
    const struct plog_io *io = s->io;
    const struct head ours = head_of(&s->id);
    struct file f;
    int rc = 0, fd = open_file(io, dir, &f);
    if (fd < 0)
        return NULL;
    bool same = is_same(&f, &ours);
    if (!same && anybody_lives(s))
        rc = -EBUSY;
    if (!rc && !same && f.head.layout != 0) {
        io->close(io->ctx, fd);
        io->unlink_at(io->ctx, dir, PLOG_QUEUE_FILE);
        fd = open_file(io, dir, &f);
        rc = fd < 0 ? fd : f.head.layout ? -EEXIST : 0;
    }
    if (!rc && f.st.size < SIZE)
        rc = fill(io, fd);
    struct head *head = rc ? NULL : plog_io_map(fd, SIZE);
    if (fd >= 0)
        io->close(io->ctx, fd);
    if (!head)
        return NULL;
    *head = ours;
    return (struct plog_slot *)(void *)((char *)head + START);
}

bool plog_slots_join(struct plog_slots *s, const struct plog_io *io, int dir,
                     int lock, const struct plog_stat *id)
{
    struct plog_slot *slot = s->slot;
    *s = (struct plog_slots){
        .io = io, .lock = lock, .id = *id, .own = PLOG_SLOTS};
    s->slot = slot ? slot : map_file(s, dir);
    if (s->slot)
        claim_any(s);
    return plog_slots_own(s) != NULL;
}

void plog_slots_leave(struct plog_slots *s)
{
    if (!s->slot)
        return;
    if (plog_slots_own(s))
        release(s, s->own);
    plog_io_unmap((char *)s->slot - START, SIZE);
    s->slot = NULL;
}

bool plog_slots_waits(const struct plog_slots *s)
{
    const struct plog_slot *own = plog_slots_own(s);
    return own && own->state != PLOG_SLOT_FREE;
}

bool plog_slots_lives(const struct plog_slots *s, unsigned i)
{
    if (!claim(s, i))
        return true;
    empty(&s->slot[i]);
    release(s, i);
    return false;
}

/* ---- Nothing stays ------------------------------------------------------ */

void plog_slots_wipe(struct plog_slot *slot)
{
    memset(slot->deltas, 0, sizeof slot->deltas);
    memset(slot->text, 0, sizeof slot->text);
}

/* By the file, for a handle that takes no part has it not mapped. */
static int wipe_unused(const struct plog_slots *s, int fd)
{
    static const char zeros[sizeof(struct plog_slot)];
    const struct plog_io *io = s->io;
    int rc = 0;
    for (unsigned i = 0; !rc && i < PLOG_SLOTS; i++) {
        rc = i == s->own
                 ? -EAGAIN
                 : io->lock_byte(io->ctx, s->lock, PLOG_SLOT_BYTE + i, 2);
        if (rc == 0) {
            rc = plog_io_write_full(io, fd, zeros, sizeof zeros,
                                    START + i * sizeof zeros, NULL);
            release(s, i);
        } else if (rc == -EAGAIN) {
            rc = 0;
        }
    }
    return rc ? rc : io->fsync(io->ctx, fd);
}

int plog_slots_scrub(const struct plog_slots *own, const struct plog_io *io,
                     int dir, int lock, const struct plog_stat *id)
{
    const struct head ours = head_of(id);
    struct plog_slots s = {
        .io = io, .lock = lock, .own = own->slot ? own->own : PLOG_SLOTS};
    struct file f;
    int rc, fd = open_ours(io, dir, 0, &f);
    if (fd == -ENOENT || fd == -EEXIST || plog_io_says_odd(fd))
        return 0;
    if (fd < 0)
        return fd;
    if (is_same(&f, &ours))
        rc = wipe_unused(&s, fd);
    else if (anybody_lives(&s))
        rc = -EBUSY;
    else if ((rc = io->unlink_at(io->ctx, dir, PLOG_QUEUE_FILE)) == 0)
        rc = io->fsync(io->ctx, dir);
    io->close(io->ctx, fd);
    return rc;
}

/* ---- Bells -------------------------------------------------------------- */

void plog_slots_sleep(const struct plog_slots *s, uint32_t seen, int64_t ns)
{
    struct plog_slot *own = plog_slots_own(s);
    own->sleeps = 1;
    plog_futex_wait_shared(&own->bell, seen, ns);
    own->sleeps = 0;
}

void plog_slots_ring(struct plog_slot *slot)
{
    slot->bell += 1;
    if (slot->sleeps)
        plog_futex_wake_shared(&slot->bell);
}

static bool waits(const struct plog_slot *slot)
{
    uint32_t state = slot->state;
    return state != PLOG_SLOT_FREE && state != PLOG_SLOT_DONE;
}

void plog_slots_ring_next(struct plog_slots *s)
{
    unsigned next = PLOG_SLOTS;
    for (unsigned k = 1; s->slot && k <= PLOG_SLOTS; k++) {
        unsigned i = (s->own + k) % PLOG_SLOTS;
        if (i == s->own || !waits(&s->slot[i]))
            continue;
        if (next == PLOG_SLOTS || s->slot[i].first)
            next = i;
        if (s->slot[i].first)
            break;
    }
    if (next < PLOG_SLOTS)
        plog_slots_ring(&s->slot[next]);
}
