/* vfs.c - see vfs.h. */
#include "vfs.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>

#include "buf.h"
#include "wal_gather.h"

struct plog_vfs {
    sqlite3_vfs vfs; /* first: SQLite hands it back to us */
    sqlite3_vfs *base;
    const struct plog_io *io;
    bool keeps;           /* every file */
    const char *database; /* path of the main file; SQLite keeps it */
    char name[48];
    bool wal_lost; /* a sync of the WAL failed */
    struct plog_wal_gather gather;
};

struct file {
    sqlite3_file head; /* first */
    struct plog_vfs *owner;
    enum plog_store_file kind;
    const char *shm_of; /* path, until its shared memory was looked at */
    sqlite3_file *base; /* right behind this struct */
};

static struct file *self(sqlite3_file *f)
{
    return (struct file *)f;
}

/* Reports what is about to happen; not 0 fails it as an I/O error would. */
static bool refused(const struct plog_io *io, struct plog_store_event *e)
{
    e->done = false;
    return io->store_event && io->store_event(io->ctx, e) != 0;
}

static int done(const struct plog_io *io, struct plog_store_event *e, int rc)
{
    e->done = true;
    e->result = rc;
    if (io->store_event)
        io->store_event(io->ctx, e);
    return rc;
}

/* Whether SQLite may use what lies at a path: nothing, or a regular file with
 * one link.  It follows no symbolic links itself, but would write through a
 * hard link and wait for a FIFO. */
static bool may_use(const struct plog_vfs *v, const char *path, const char *end)
{
    char name[4400];
    struct plog_stat st;
    int n = snprintf(name, sizeof name, "%s%s", path, end);
    if (n < 0 || (size_t)n >= sizeof name)
        return false;
    if (v->io->stat_at(v->io->ctx, AT_FDCWD, name, &st))
        return true; /* what opening it says then counts */
    return (st.mode & 0170000) == 0100000 && st.links == 1;
}

static struct plog_store_event event(struct file *f, enum plog_store_op op,
                                     uint64_t offset, uint64_t length)
{
    struct plog_store_event e = {0};
    e.op = op;
    e.file = f->kind;
    e.offset = offset;
    e.length = length;
    return e;
}

static int write_out(void *arg, const void *from, int n, int64_t at)
{
    struct file *s = arg;
    struct plog_store_event e =
        event(s, PLOG_STORE_WRITE, (uint64_t)at, (uint64_t)n);
    e.data = from;
    if (refused(s->owner->io, &e))
        return SQLITE_IOERR_WRITE;
    return done(s->owner->io, &e,
                s->base->pMethods->xWrite(s->base, from, n, at));
}

/* Before anything else is done with the WAL. */
static int flush(struct file *s)
{
    return s->kind == PLOG_STORE_WAL
               ? plog_wal_gather_flush(&s->owner->gather, write_out, s)
               : SQLITE_OK;
}

static int file_close(sqlite3_file *f)
{
    struct file *s = self(f);
    if (s->kind == PLOG_STORE_WAL)
        plog_wal_gather_drop(&s->owner->gather);
    return s->base->pMethods->xClose(s->base);
}

static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    struct file *s = self(f);
    struct plog_store_event e =
        event(s, PLOG_STORE_READ, (uint64_t)at, (uint64_t)n);
    int rc = flush(s);
    if (rc != SQLITE_OK)
        return rc;
    if (refused(s->owner->io, &e))
        return SQLITE_IOERR_READ;
    rc = s->base->pMethods->xRead(s->base, to, n, at);
#ifdef SQLITE_IOERR_CORRUPTFS
    /* So SQLite calls EIO, to report a damaged database; but a read that failed
     * says nothing of what is on the disk. */
    if (rc == SQLITE_IOERR_CORRUPTFS)
        rc = SQLITE_IOERR_READ;
#endif
    return done(s->owner->io, &e, rc);
}

static int file_write(sqlite3_file *f, const void *from, int n,
                      sqlite3_int64 at)
{
    struct file *s = self(f);
    if (s->kind != PLOG_STORE_WAL)
        return write_out(s, from, n, at);
    return plog_wal_gather_write(&s->owner->gather, from, n, at, write_out, s);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct file *s = self(f);
    struct plog_store_event e =
        event(s, PLOG_STORE_TRUNCATE, (uint64_t)size, 0);
    int rc = flush(s);
    if (rc != SQLITE_OK)
        return rc;
    if (refused(s->owner->io, &e))
        return SQLITE_IOERR_TRUNCATE;
    return done(s->owner->io, &e, s->base->pMethods->xTruncate(s->base, size));
}

static int file_sync(sqlite3_file *f, int flags)
{
    struct file *s = self(f);
    struct plog_store_event e = event(s, PLOG_STORE_SYNC, 0, 0);
    int rc = flush(s);
    if (rc != SQLITE_OK)
        return rc;
    rc = SQLITE_IOERR_FSYNC;
    if (!refused(s->owner->io, &e))
        rc = done(s->owner->io, &e, s->base->pMethods->xSync(s->base, flags));
    s->owner->wal_lost |= rc != SQLITE_OK && s->kind == PLOG_STORE_WAL;
    return rc;
}

/* The rest is passed on as it is. */
#define BASE(f) (self(f)->base)
static int file_size(sqlite3_file *f, sqlite3_int64 *out)
{
    int rc = flush(self(f));
    return rc != SQLITE_OK ? rc : BASE(f)->pMethods->xFileSize(BASE(f), out);
}
static int file_lock(sqlite3_file *f, int level)
{
    return BASE(f)->pMethods->xLock(BASE(f), level);
}
static int file_unlock(sqlite3_file *f, int level)
{
    return BASE(f)->pMethods->xUnlock(BASE(f), level);
}
static int file_reserved(sqlite3_file *f, int *out)
{
    return BASE(f)->pMethods->xCheckReservedLock(BASE(f), out);
}
static int file_control(sqlite3_file *f, int op, void *arg)
{
    return BASE(f)->pMethods->xFileControl(BASE(f), op, arg);
}
static int file_sector(sqlite3_file *f)
{
    return BASE(f)->pMethods->xSectorSize(BASE(f));
}
static int file_device(sqlite3_file *f)
{
    return BASE(f)->pMethods->xDeviceCharacteristics(BASE(f));
}
static int file_shm_map(sqlite3_file *f, int page, int size, int extend,
                        void volatile **out)
{
    struct file *s = self(f);
    if (s->shm_of && !may_use(s->owner, s->shm_of, "-shm"))
        return SQLITE_CANTOPEN;
    s->shm_of = NULL;
    return BASE(f)->pMethods->xShmMap(BASE(f), page, size, extend, out);
}
/* SQLite gives the lock to write (the first) back when a transaction ends. */
static int file_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    if (at == 0 && flags & SQLITE_SHM_UNLOCK)
        plog_wal_gather_drop(&self(f)->owner->gather);
    return BASE(f)->pMethods->xShmLock(BASE(f), at, n, flags);
}
static void file_shm_barrier(sqlite3_file *f)
{
    BASE(f)->pMethods->xShmBarrier(BASE(f));
}
static int file_shm_unmap(sqlite3_file *f, int drop)
{
    return BASE(f)->pMethods->xShmUnmap(BASE(f), drop);
}

/* Version 2: shared memory, but no memory-mapped pages (xFetch), which would
 * read past the report and die of SIGBUS on a truncated file. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static enum plog_store_file kind_of(int flags)
{
    if (flags & SQLITE_OPEN_MAIN_DB)
        return PLOG_STORE_MAIN;
    if (flags & SQLITE_OPEN_WAL)
        return PLOG_STORE_WAL;
    if (flags & SQLITE_OPEN_MAIN_JOURNAL)
        return PLOG_STORE_JOURNAL;
    return PLOG_STORE_TEMP;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f,
                    int flags, int *out_flags)
{
    struct plog_vfs *v = (struct plog_vfs *)vfs;
    struct file *s = self(f);
    s->head.pMethods = NULL;
    s->owner = v;
    s->kind = kind_of(flags);
    s->base = (sqlite3_file *)(void *)(s + 1);
    s->base->pMethods = NULL;
    s->shm_of = NULL;
    if (s->kind != PLOG_STORE_TEMP && path && !may_use(v, path, ""))
        return SQLITE_CANTOPEN;
    if (s->kind == PLOG_STORE_MAIN)
        v->database = s->shm_of = path;
    struct plog_store_event e = event(s, PLOG_STORE_OPEN, 0, 0);
    if (refused(v->io, &e))
        return SQLITE_CANTOPEN;
    int rc = v->base->xOpen(v->base, path, s->base, flags, out_flags);
    if (s->base->pMethods)
        s->head.pMethods = &methods;
    return done(v->io, &e, rc);
}

/* A rollback journal names a super-journal, any path: SQLite removes that file
 * when it rolls back.  We never make one, so a journal that names one was put
 * there by somebody; for SQLite there is no file but those of the database. */
static bool is_ours(const struct plog_vfs *v, const char *path)
{
    size_t n = v->database ? strlen(v->database) : 0;
    return n && strncmp(path, v->database, n) == 0 &&
           (!strcmp(path + n, "-journal") || !strcmp(path + n, "-wal"));
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
    struct plog_vfs *v = (struct plog_vfs *)vfs;
    struct plog_store_event e = {0};
    if (v->keeps)
        return SQLITE_OK;
    if (!is_ours(v, path))
        return SQLITE_IOERR_DELETE;
    e.op = PLOG_STORE_DELETE;
    e.file = !strcmp(path + strlen(path) - 4, "-wal") ? PLOG_STORE_WAL
                                                      : PLOG_STORE_JOURNAL;
    if (refused(v->io, &e))
        return SQLITE_IOERR_DELETE;
    return done(v->io, &e, v->base->xDelete(v->base, path, sync_dir));
}

static sqlite3_vfs *base_of(sqlite3_vfs *vfs)
{
    return ((struct plog_vfs *)vfs)->base;
}
static int vfs_access(sqlite3_vfs *v, const char *path, int flags, int *out)
{
    *out = 0;
    if (!is_ours((struct plog_vfs *)v, path))
        return SQLITE_OK;
    return base_of(v)->xAccess(base_of(v), path, flags, out);
}
static int vfs_full_path(sqlite3_vfs *v, const char *path, int n, char *out)
{
    return base_of(v)->xFullPathname(base_of(v), path, n, out);
}
static int vfs_random(sqlite3_vfs *v, int n, char *out)
{
    return base_of(v)->xRandomness(base_of(v), n, out);
}
static int vfs_sleep(sqlite3_vfs *v, int micros)
{
    return base_of(v)->xSleep(base_of(v), micros);
}
static int vfs_time(sqlite3_vfs *v, double *out)
{
    return base_of(v)->xCurrentTime(base_of(v), out);
}
static int vfs_time64(sqlite3_vfs *v, sqlite3_int64 *out)
{
    return base_of(v)->xCurrentTimeInt64(base_of(v), out);
}
static int vfs_last_error(sqlite3_vfs *v, int n, char *out)
{
    return base_of(v)->xGetLastError(base_of(v), n, out);
}

int plog_vfs_open(struct plog_vfs **out, const struct plog_io *io)
{
    *out = NULL;
    int rc = sqlite3_initialize(); /* else finding one would fail silently */
    if (rc != SQLITE_OK)
        return rc == SQLITE_NOMEM ? PLOG_E_NOMEM : PLOG_E_IO;
    sqlite3_vfs *base = io->vfs_base ? io->vfs_base : sqlite3_vfs_find(NULL);
    if (!base)
        return PLOG_E_IO;
    struct plog_vfs *v = plog_alloc(io, sizeof *v);
    if (!v)
        return PLOG_E_NOMEM;
    v->base = base;
    v->io = io;
    v->database = NULL;
    plog_wal_gather_init(&v->gather, io);
    snprintf(v->name, sizeof v->name, "plog-%p", (void *)v);
    v->vfs.iVersion = 2;
    v->vfs.szOsFile = (int)sizeof(struct file) + base->szOsFile;
    v->vfs.mxPathname = base->mxPathname;
    v->vfs.zName = v->name;
    v->vfs.xOpen = vfs_open;
    v->vfs.xDelete = vfs_delete;
    v->vfs.xAccess = vfs_access;
    v->vfs.xFullPathname = vfs_full_path;
    v->vfs.xRandomness = vfs_random;
    v->vfs.xSleep = vfs_sleep;
    v->vfs.xCurrentTime = vfs_time;
    v->vfs.xCurrentTimeInt64 = vfs_time64;
    v->vfs.xGetLastError = vfs_last_error;
    if (sqlite3_vfs_register(&v->vfs, 0) != SQLITE_OK) {
        plog_free(io, v);
        return PLOG_E_NOMEM;
    }
    *out = v;
    return 0;
}

void plog_vfs_keep(struct plog_vfs *v)
{
    v->keeps = true;
}

void plog_vfs_close(struct plog_vfs *v)
{
    if (!v)
        return;
    sqlite3_vfs_unregister(&v->vfs);
    plog_wal_gather_fini(&v->gather);
    plog_free(v->io, v);
}

bool plog_vfs_wal_lost(struct plog_vfs *v)
{
    bool lost = v->wal_lost;
    v->wal_lost = false;
    return lost;
}

const char *plog_vfs_name(const struct plog_vfs *v)
{
    return v->name;
}
