/* failing.c - see failing.h; what lies below SQLite is in failing_sqlite.c. */
#include "failing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "failing_in.h"
#include "order_shim.h"

#define FDS 4096
#define FAILED_SYNCS 64
#define BEHIND 32

const char *const failing_names[FAILING_WHATS] = {
    "nothing",          "EIO",          "EIO, done",
    "ENOSPC",           "EINTR",        "short",
    "sync EINTR",       "SQLite",       "SQLite call",
    "SQLite EINTR",     "SQLite short", "allocation",
    "SQLite allocation"};

static struct {
    enum failing_what what;
    unsigned long nth, counts[FAILING_WHATS];
    bool ever, going, reached, again; /* again: was interrupted just now */
    char hit[400];
    struct plog_stat failed[FAILED_SYNCS];
    int failed_count;
    char resynced[200];
    bool log_sync;
    char behind[BEHIND][160];
    size_t behind_count;
} f;

static struct failing_live live;
static char names[FDS][120];

/* ---- Arming ------------------------------------------------------------- */

void failing_start(enum failing_what what, unsigned long nth, bool ever)
{
    memset(&f, 0, sizeof f);
    f.what = what;
    f.nth = nth;
    f.ever = ever;
}

void failing_go(void)
{
    f.going = true;
}

void failing_stop(void)
{
    f.going = false;
}

unsigned long failing_count(enum failing_what what)
{
    return f.counts[what];
}

bool failing_reached(void)
{
    return f.reached;
}

const char *failing_hit(void)
{
    return f.reached ? f.hit : "nothing";
}

const char *failing_resynced(void)
{
    return f.resynced[0] ? f.resynced : NULL;
}

bool failing_log_sync(void)
{
    return f.log_sync;
}

struct failing_live failing_live(void)
{
    live.sqlite = failing_sqlite_live();
    return live;
}

__attribute__((noinline)) void failing_struck(void)
{
    __asm__ volatile("");
}

const char *failing_behind(size_t i)
{
    return i < f.behind_count ? f.behind[i] : NULL;
}

static void note_behind(const char *call, const char *name)
{
    char text[sizeof *f.behind];
    snprintf(text, sizeof text, "%s %.100s", call, name);
    for (size_t i = 0; i < f.behind_count; i++)
        if (strcmp(f.behind[i], text) == 0)
            return;
    if (f.behind_count < BEHIND && strncmp(call, "closing", 7) != 0 &&
        strncmp(call, "unlocking", 9) != 0)
        memcpy(f.behind[f.behind_count++], text, sizeof text);
}

bool failing_now(unsigned whats, const char *call, const char *name)
{
    for (int w = 0; f.going && f.what == FAILING_NOTHING && w < FAILING_WHATS;
         w++)
        f.counts[w] += whats >> w & 1;
    if (f.going && f.reached &&
        (whats & (1u << FAILING_IO | 1u << FAILING_ALLOC)))
        note_behind(call, name);
    if (!f.going || !(whats & 1u << f.what))
        return false;
    bool interrupts =
        f.what == FAILING_INTERRUPT || f.what == FAILING_CALL_INTERRUPT;
    if (interrupts && f.again) { /* the same call, made again */
        f.again = false;
        return false;
    }
    unsigned long count = ++f.counts[f.what];
    if (f.nth == 0 || count < f.nth || (count > f.nth && !f.ever))
        return false;
    if (!f.reached)
        snprintf(f.hit, sizeof f.hit, "%s %.300s", call, name);
    f.reached = true;
    f.again = interrupts;
    failing_struck();
    return true;
}

#define ALL (1u << FAILING_IO | 1u << FAILING_LATE)
#define ROOM (ALL | 1u << FAILING_SPACE)
#define MOVES (1u << FAILING_INTERRUPT | 1u << FAILING_SHORT)

static int error(void)
{
    if (f.what == FAILING_SPACE)
        return -ENOSPC;
    return f.what == FAILING_SYNC || f.what == FAILING_INTERRUPT ? -EINTR
                                                                 : -EIO;
}

static bool late(void)
{
    return f.what == FAILING_LATE;
}

static const char *name_of(int fd)
{
    return fd >= 0 && fd < FDS ? names[fd] : "?";
}

/* ---- The table ---------------------------------------------------------- */

static const struct plog_io *real(void)
{
    return order_io();
}

static int f_open(void *c, int dir, const char *name, int flags, uint32_t mode)
{
    bool fails = failing_now(flags & O_CREAT ? ROOM : ALL,
                             flags & O_CREAT ? "making" : "opening", name);
    if (fails && !late())
        return error();
    int fd = real()->open_at(c, dir, name, flags, mode);
    if (fd >= 0 && fails) {
        real()->close(c, fd);
        return error();
    }
    live.handles += fd >= 0;
    if (fd >= 0 && fd < FDS)
        snprintf(names[fd], sizeof names[fd], "%.119s", name);
    return fd;
}

static int f_close(void *c, int fd)
{
    bool fails = failing_now(ALL, "closing", name_of(fd));
    int rc = real()->close(c, fd);
    live.handles -= rc == 0;
    return fails ? error() : rc;
}

static int64_t f_pread(void *c, int fd, void *p, size_t n, uint64_t at)
{
    bool fails = failing_now(ALL | MOVES, "reading", name_of(fd));
    if (fails && f.what != FAILING_SHORT)
        return error();
    if (!p && n) { /* memory that was refused is read into */
        fprintf(stderr, "reading %s into no memory\n", name_of(fd));
        abort();
    }
    return real()->pread(c, fd, p, fails && n > 1 ? n / 2 : n, at);
}

static int64_t f_pwrite(void *c, int fd, const void *p, size_t n, uint64_t at)
{
    bool fails = failing_now(ROOM | MOVES, "writing", name_of(fd));
    if (!fails)
        return real()->pwrite(c, fd, p, n, at);
    if (f.what == FAILING_INTERRUPT)
        return -EINTR;
    size_t part = late() ? n : n > 1 ? n / 2 : f.what == FAILING_SHORT;
    int64_t wrote = part ? real()->pwrite(c, fd, p, part, at) : 0;
    return f.what == FAILING_SHORT ? wrote : error();
}

/* A sync that fails marks the pages clean, and the next one says nothing: so
 * there must be none. */
static void note_sync(void *c, int fd, bool fails)
{
    struct plog_stat st;
    if (real()->stat(c, fd, &st) || !S_ISREG(st.mode))
        return;
    for (int i = 0; i < f.failed_count; i++)
        if (f.failed[i].inode == st.inode && f.failed[i].device == st.device)
            snprintf(f.resynced, sizeof f.resynced, "%s", name_of(fd));
    if (fails && f.failed_count < FAILED_SYNCS)
        f.failed[f.failed_count++] = st;
    if (fails && strstr(name_of(fd), ".jsonl"))
        f.log_sync = true;
}

#define SYNCS (ROOM | 1u << FAILING_SYNC)

static int f_datasync(void *c, int fd)
{
    bool fails = failing_now(SYNCS, "syncing", name_of(fd));
    note_sync(c, fd, fails);
    int rc = fails && !late() ? 0 : real()->fdatasync(c, fd);
    return fails ? error() : rc;
}

static int f_sync(void *c, int fd)
{
    bool fails = failing_now(SYNCS, "syncing all of", name_of(fd));
    note_sync(c, fd, fails);
    int rc = fails && !late() ? 0 : real()->fsync(c, fd);
    return fails ? error() : rc;
}

static int f_truncate(void *c, int fd, uint64_t size)
{
    bool fails = failing_now(ALL, "cutting", name_of(fd));
    int rc = fails && !late() ? 0 : real()->truncate(c, fd, size);
    return fails ? error() : rc;
}

static int f_stat(void *c, int fd, struct plog_stat *out)
{
    return failing_now(ALL, "looking at", name_of(fd))
               ? error()
               : real()->stat(c, fd, out);
}

static int f_stat_at(void *c, int dir, const char *name, struct plog_stat *out)
{
    return failing_now(ALL, "looking for", name)
               ? error()
               : real()->stat_at(c, dir, name, out);
}

static int f_rename(void *c, int d, const char *from, int e, const char *to,
                    bool replace)
{
    bool fails = failing_now(ROOM, "renaming to", to);
    int rc =
        fails && !late() ? 0 : real()->rename_at(c, d, from, e, to, replace);
    return fails ? error() : rc;
}

static int f_unlink(void *c, int dir, const char *name)
{
    bool fails = failing_now(ALL, "removing", name);
    int rc = fails && !late() ? 0 : real()->unlink_at(c, dir, name);
    return fails ? error() : rc;
}

static int f_mkdir(void *c, int dir, const char *name, uint32_t mode)
{
    bool fails = failing_now(ROOM, "making folder", name);
    int rc = fails && !late() ? 0 : real()->mkdir_at(c, dir, name, mode);
    return fails ? error() : rc;
}

static int f_rmdir(void *c, int dir, const char *name)
{
    bool fails = failing_now(ALL, "removing folder", name);
    int rc = fails && !late() ? 0 : real()->rmdir_at(c, dir, name);
    return fails ? error() : rc;
}

struct some {
    int (*each)(void *arg, const char *name);
    void *arg;
    unsigned long left;
};

static int give_some(void *arg, const char *name)
{
    struct some *s = arg;
    if (s->left-- == 0)
        return -EIO;
    return s->each(s->arg, name);
}

/* Before it fails it gives out none, one or two names, or late: all. */
static int f_list(void *c, int dir, int (*each)(void *arg, const char *name),
                  void *arg)
{
    struct some s = {each, arg, f.nth % 3};
    if (!failing_now(ALL, "listing", name_of(dir)))
        return real()->list(c, dir, each, arg);
    int rc = late() ? real()->list(c, dir, each, arg)
                    : real()->list(c, dir, give_some, &s);
    f.behind_count = 0; /* of the names that it gave out */
    return rc > 0 ? rc : error();
}

static int f_lock(void *c, int fd, int mode)
{
    return failing_now(ALL, mode ? "locking" : "unlocking", name_of(fd))
               ? error()
               : real()->lock(c, fd, mode);
}

static int f_lock_byte(void *c, int fd, uint64_t byte, int mode)
{
    return failing_now(ALL, mode ? "locking a byte of" : "unlocking a byte of",
                       name_of(fd))
               ? error()
               : real()->lock_byte(c, fd, byte, mode);
}

static int f_random(void *c, void *p, size_t n)
{
    return failing_now(ALL, "drawing", "random bytes")
               ? error()
               : real()->random(c, p, n);
}

static int f_real_path(void *c, const char *path, char *out, size_t cap)
{
    return failing_now(ALL, "resolving", path)
               ? error()
               : real()->real_path(c, path, out, cap);
}

static int f_file_system(void *c, int fd, struct plog_fs *out)
{
    return failing_now(ALL, "asking for the file system of", name_of(fd))
               ? error()
               : real()->file_system(c, fd, out);
}

static void *f_alloc(void *c, void *p, size_t n)
{
    (void)c;
    if (n == 0) {
        live.table -= p != NULL;
        free(p);
        return NULL;
    }
    char size[40];
    snprintf(size, sizeof size, "%zu bytes", n);
    if (failing_now(1u << FAILING_ALLOC, "allocating", size))
        return NULL;
    void *fresh = realloc(p, n);
    if (fresh && !p) {
        live.table++;
        memset(fresh, 0xa5, n); /* nobody may count on zeroes */
    }
    return fresh;
}

static int f_event(void *c, const struct plog_store_event *e)
{
    static const char *const ops[] = {"SQLite opens",  "SQLite reads",
                                      "SQLite writes", "SQLite syncs",
                                      "SQLite cuts",   "SQLite deletes"};
    static const char *const files[] = {"the database", "the WAL",
                                        "the journal", "a file of its own"};
    int rc = real()->store_event(c, e);
    if (rc || e->done)
        return rc;
    return failing_now(1u << FAILING_EVENT, ops[e->op], files[e->file]);
}

const struct plog_io *failing_io(void)
{
    static struct plog_io io;
    if (io.struct_size)
        return &io;
    io = *real();
    io.open_at = f_open;
    io.close = f_close;
    io.pread = f_pread;
    io.pwrite = f_pwrite;
    io.fdatasync = f_datasync;
    io.fsync = f_sync;
    io.truncate = f_truncate;
    io.stat = f_stat;
    io.stat_at = f_stat_at;
    io.rename_at = f_rename;
    io.unlink_at = f_unlink;
    io.mkdir_at = f_mkdir;
    io.rmdir_at = f_rmdir;
    io.list = f_list;
    io.lock = f_lock;
    io.lock_byte = f_lock_byte;
    io.random = f_random;
    io.real_path = f_real_path;
    io.file_system = f_file_system;
    io.alloc = f_alloc;
    io.store_event = f_event;
    io.vfs_base = failing_vfs();
    return &io;
}
