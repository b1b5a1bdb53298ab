/* reader_open.c - opening a directory without changing a byte of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "reader.h"

/* While a store is replaced again and again under its reader. */
#define OPEN_TRIES 100
#define REPLACING_NS 2000000 /* between two looks for the new one */

int plog_reader_open_log(struct plog_reader *r, const struct plog_io *io,
                         const char *dir, const char *vkey,
                         struct plog_error *err)
{
    return plog_reader_open_dir(r, io, dir, PLOG_DIR_READ, true, vkey, err);
}

int plog_reader_open_dir(struct plog_reader *r, const struct plog_io *io,
                         const char *dir, enum plog_dir_mode mode, bool loose,
                         const char *vkey, struct plog_error *err)
{
    memset(r, 0, sizeof *r);
    r->io = io;
    r->pid = io->process_id(io->ctx);
    r->dir.dir = r->dir.log = r->dir.keys = r->dir.lock = -1;
    plog_buf_init(&r->copy, io);
    int rc = plog_dir_open(&r->dir, io, dir, mode, loose, err);
    if (!rc)
        rc = plog_keyring_load(&r->keys, io, r->dir.keys, vkey, err);
    return rc;
}

static void drop_private_copy(struct plog_reader *r)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char name[80];
    for (size_t i = 0; r->private_copy[0] && i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", r->private_copy, ends[i]);
        r->io->unlink_at(r->io->ctx, AT_FDCWD, name);
    }
    r->private_copy[0] = '\0';
}

void plog_reader_fini(struct plog_reader *r)
{
    if (!r->io)
        return;
    if (r->store_open)
        plog_store_close(&r->store);
    r->store_open = false;
    drop_private_copy(r);
    plog_dir_close(&r->dir);
    plog_buf_fini(&r->copy);
    r->io = NULL;
}

static int copy_file(struct plog_reader *r, const char *from, const char *to)
{
    const struct plog_io *io = r->io;
    size_t chunk = 256u << 10, got = chunk;
    int in = io->open_at(io->ctx, r->dir.dir, from, O_RDONLY, 0);
    if (in < 0)
        return in;
    int out =
        io->open_at(io->ctx, AT_FDCWD, to, O_RDWR | O_CREAT | O_EXCL, 0600);
    char *buf = out < 0 ? NULL : plog_alloc(io, chunk);
    int rc = out < 0 ? out : buf ? 0 : -ENOMEM;
    for (uint64_t at = 0; !rc && got == chunk; at += got) {
        rc = plog_io_pread_full(io, in, buf, chunk, at, &got);
        if (!rc)
            rc = plog_io_write_full(io, out, buf, got, at, NULL);
    }
    plog_free(io, buf);
    if (out >= 0)
        io->close(io->ctx, out);
    io->close(io->ctx, in);
    return rc;
}

/* Database and WAL, with a name of nobody else's in `place`. */
static int copy_store(struct plog_reader *r, const char *place,
                      const char *doing, struct plog_error *err)
{
    unsigned char random[8];
    char wal[80];
    struct plog_stat st;
    if (r->io->random(r->io->ctx, random, sizeof random))
        return plog_fail(err, PLOG_E_IO, "no randomness for a name");
    snprintf(r->private_copy, sizeof r->private_copy,
             "%s/paritylog-%02x%02x%02x%02x%02x%02x%02x%02x.db", place,
             random[0], random[1], random[2], random[3], random[4], random[5],
             random[6], random[7]);
    snprintf(wal, sizeof wal, "%s-wal", r->private_copy);
    int rc = copy_file(r, PLOG_STORE_FILE, r->private_copy);
    if (!rc && r->io->stat_at(r->io->ctx, r->dir.dir, PLOG_STORE_FILE "-wal",
                              &st) == 0)
        rc = copy_file(r, PLOG_STORE_FILE "-wal", wal);
    return rc ? plog_fail_io(err, rc, PLOG_STORE_FILE, doing) : 0;
}

/* A disk that is full may be that of /tmp, too. */
static int open_private_copy(struct plog_reader *r, bool full, int wait_ms,
                             struct plog_error *err)
{
    const char *doing = full ? "copying the store of a full disk to another one"
                             : "copying a store from a read-only place";
    int rc = copy_store(r, "/tmp", doing, err);
    if (rc && plog_err_no_room(err)) {
        drop_private_copy(r);
        rc = copy_store(r, "/dev/shm", doing, err);
    }
    if (rc && plog_err_no_room(err))
        plog_err_hint(err, "make room in /tmp or /dev/shm, for as much as"
                           " store.db and its WAL have");
    return rc ? rc
              : plog_store_open(&r->store, r->io, r->private_copy,
                                PLOG_OPEN_READ, wait_ms, err);
}

/* What opening the lock file to write says: opening store.db here and closing
 * it again would drop the locks that SQLite holds on it in this process. */
static int is_writable(struct plog_reader *r)
{
    int fd = r->io->open_at(r->io->ctx, r->dir.dir, "lock", O_RDWR, 0);
    if (fd >= 0)
        r->io->close(r->io->ctx, fd);
    return fd < 0 ? fd : 0;
}

/* The store cannot be opened where it lies if SQLite cannot make its shared
 * memory: in a directory that may not be written, or on a full disk.  No writer
 * can be at work on a read-only mount; elsewhere the lock keeps them out while
 * the store is copied, and the copy ages.
 * @busy  out: a writer is there, and may make what was missed: try again
 * @err   in: why it cannot be opened; not NULL */
static int open_otherwise(struct plog_reader *r, int wait_ms, bool *busy,
                          struct plog_error *err)
{
    const struct plog_io *io = r->io;
    int place = is_writable(r);
    bool full = plog_err_no_room(err);
    bool others = place != -EROFS;
    bool locks = others && !r->dir.locked && r->dir.lock >= 0;
    *busy = false;
    if (!full && place != -EROFS && place != -EACCES && place != -EPERM)
        return PLOG_E_IO;
    int lock = locks ? io->lock(io->ctx, r->dir.lock, 1) : 0;
    *busy = lock == -EAGAIN;
    if (*busy) {
        plog_fail(err, PLOG_E_LOCKED,
                  "the store can only be read from a copy, and another process"
                  " writes to it");
        plog_err_hint(err, PLOG_WAIT_LONGER);
        return PLOG_E_LOCKED;
    }
    r->copy_ages = others;
    int rc = open_private_copy(r, full, wait_ms, err);
    if (locks && !lock)
        io->lock(io->ctx, r->dir.lock, 0);
    return rc;
}

/* Whether somebody is about to name a store made anew, who has set aside the
 * one before: the folder with it is there, and its maker holds the lock.  Where
 * a kill left the folder, nobody does.
 * @lock  -EAGAIN: held; else unknown */
static bool is_replaced_now(struct plog_reader *r, int *lock)
{
    const struct plog_io *io = r->io;
    struct plog_stat st;
    *lock = 0;
    if (r->dir.locked ||
        io->stat_at(io->ctx, r->dir.dir, PLOG_FRESH_DIR, &st) != 0)
        return false;
    if (r->dir.lock < 0)
        return true; /* it may be */
    *lock = io->lock(io->ctx, r->dir.lock, 1);
    if (*lock == 0)
        io->lock(io->ctx, r->dir.lock, 0);
    return *lock == -EAGAIN;
}

/* Between the two renames no file has the name of the store: one that had the
 * WAL of the old one beside it would be read with that. */
static int stat_store(struct plog_reader *r, int64_t until, int *lock,
                      struct plog_stat *st)
{
    const struct plog_io *io = r->io;
    int rc = io->stat_at(io->ctx, r->dir.dir, PLOG_STORE_FILE, st);
    *lock = 0;
    while (rc == -ENOENT) {
        bool again =
            is_replaced_now(r, lock) && io->clock_mono_ns(io->ctx) < until;
        if (again)
            io->sleep_ns(io->ctx, REPLACING_NS);
        /* It may have come before it was looked for who makes it. */
        rc = io->stat_at(io->ctx, r->dir.dir, PLOG_STORE_FILE, st);
        if (!again)
            break;
    }
    return rc;
}

static int no_store(struct plog_reader *r, int lock, struct plog_error *err)
{
    struct plog_stat st;
    bool comes = lock == -EAGAIN;
    int code = comes ? PLOG_E_LOCKED : PLOG_E_BEHIND;
    if (r->dir.log < 0) /* nor was there when it was opened */
        return plog_dir_no_log(&r->dir, "log and store.db are missing", err);
    if (r->io->stat_at(r->io->ctx, r->dir.dir, "log", &st) == -ENOENT) {
        plog_fail(err, PLOG_E_NOTHING,
                  "there is no log here any more: log and store.db went while"
                  " it was read");
        plog_err_hint(err, "if nobody meant that, bring the directory back from"
                           " a copy or a peer before anything else");
        return PLOG_E_NOTHING;
    }
    plog_fail(err, code,
              comes ? "another process is about to put a new store in the place"
                      " of the old one"
                    : "there is a log but no store");
    plog_err_file(err, PLOG_STORE_FILE);
    plog_err_hint(err, comes ? PLOG_WAIT_LONGER : "run: paritylog replay DIR");
    return code;
}

/* Opens the file that has the name at the time.
 * @st  out: which one that is, before it was opened */
static int open_named(struct plog_reader *r, int wait_ms, int64_t until,
                      struct plog_stat *st, struct plog_error *err)
{
    char path[PLOG_DIR_PATH_MAX];
    int lock, rc = stat_store(r, until, &lock, st);
    if (rc == -ENOENT) {
        st->inode = 0; /* not one that was replaced */
        return no_store(r, lock, err);
    }
    if (rc)
        return plog_fail_io(err, rc, PLOG_STORE_FILE, "looking at the store");
    if ((st->mode & 0170000) != 0100000 || st->links != 1)
        return plog_fail(err, PLOG_E_DIVERGED,
                         "store.db is not a regular file"
                         " with one link");
    plog_dir_store_path(&r->dir, path, sizeof path);
    struct plog_error why = {0}, *e = err ? err : &why;
    bool again;
    do {
        again = false;
        rc =
            plog_store_open(&r->store, r->io, path, PLOG_OPEN_READ, wait_ms, e);
        if (rc == PLOG_E_IO)
            rc = open_otherwise(r, wait_ms, &again, e);
        again = again && r->io->clock_mono_ns(r->io->ctx) < until;
        if (again)
            r->io->sleep_ns(r->io->ctx, REPLACING_NS);
    } while (again);
    return rc;
}

/* Whether another file has the name now.  A store that is set aside goes
 * before its WAL does, so one that still has its name was opened with its own
 * WAL and not with that of the next one. */
static bool replaced(struct plog_reader *r, const struct plog_stat *before)
{
    struct plog_stat now;
    int rc = r->io->stat_at(r->io->ctx, r->dir.dir, PLOG_STORE_FILE, &now);
    return rc == -ENOENT || (!rc && (now.device != before->device ||
                                     now.inode != before->inode));
}

int plog_reader_open_store(struct plog_reader *r, double wait_seconds,
                           struct plog_error *err)
{
    struct plog_stat st = {0};
    int rc, tries = 0, wait_ms = plog_io_wait_ms(wait_seconds);
    int64_t until = plog_io_until(r->io, wait_seconds);
    r->wait_seconds = wait_seconds;
    do {
        if (tries)
            plog_store_close(&r->store);
        drop_private_copy(r);
        r->copy_ages = false;
        rc = open_named(r, wait_ms, until, &st, err);
    } while (st.inode && replaced(r, &st) && ++tries < OPEN_TRIES);
    if (!rc && !r->store.has_tables) {
        plog_store_close(&r->store);
        plog_fail(err, PLOG_E_BEHIND, "store.db is empty");
        plog_err_hint(err, "run: paritylog replay DIR");
        return PLOG_E_BEHIND;
    }
    if (rc)
        return rc;
    rc = r->asks_log ? plog_reader_check_log(r, err) : 0;
    if (rc) {
        plog_store_close(&r->store);
        return rc;
    }
    r->store_open = true;
    memcpy(r->origin, r->store.origin, sizeof r->origin);
    return 0;
}

bool plog_reader_is_current(struct plog_reader *r)
{
    int moved = 0;
    if (!r->store_open || r->copy_ages)
        return false;
    sqlite3_file_control(r->store.db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return !moved;
}

int plog_reader_refresh(struct plog_reader *r, struct plog_error *err)
{
    if (r->store_open) {
        plog_store_rest(&r->store);
        if (plog_reader_is_current(r))
            return 0;
        plog_store_close(&r->store);
        r->store_open = false;
    }
    return plog_reader_open_store(r, r->wait_seconds, err);
}

bool plog_reader_forked(const struct plog_reader *r)
{
    return r->io->process_id(r->io->ctx) != r->pid;
}

int plog_reader_enter(struct plog_reader *r, struct plog_error *err)
{
    if (plog_reader_forked(r))
        return plog_fail(err, PLOG_E_ARG,
                         "this reader was opened before a fork,"
                         " and is the parent's");
    if (r->busy)
        return plog_fail(err, PLOG_E_ARG,
                         "this reader is in the middle of another call, whose"
                         " callback this is; open a second reader for it");
    r->busy = true;
    return 0;
}

int plog_reader_leave(struct plog_reader *r, int rc, struct plog_error *err)
{
    r->busy = false;
    return plog_done(err, rc);
}

int plog_reader_begin(struct plog_reader *r, struct plog_error *err)
{
    int rc = plog_reader_refresh(r, err);
    return rc ? rc : plog_store_begin_read(&r->store, err);
}

int plog_reader_open(struct plog_reader **out, const char *dir,
                     const struct plog_options *given, struct plog_error *err)
{
    struct plog_options own;
    const struct plog_options *o = &own;
    *out = NULL;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    const struct plog_io *io = o->io ? o->io : plog_io_posix();
    double wait = o->wait_seconds != 0 ? o->wait_seconds : 10;
    struct plog_reader *r = plog_alloc(io, sizeof *r);
    if (!r)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    int rc = plog_reader_open_log(r, io, dir, o->vkey, err);
    r->asks_log = true;
    if (!rc)
        rc = plog_reader_open_store(r, wait, err);
    if (rc) {
        plog_reader_close(r);
        return plog_done(err, rc);
    }
    *out = r;
    return plog_done(err, 0);
}

void plog_reader_close(struct plog_reader *r)
{
    if (!r)
        return;
    const struct plog_io *io = r->io;
    /* In a child store and private copy are the parent's. */
    if (io && plog_reader_forked(r))
        plog_buf_fini(&r->copy);
    else
        plog_reader_fini(r);
    plog_free(io, r);
}

const char *plog_reader_origin(const struct plog_reader *r)
{
    return r->origin;
}
