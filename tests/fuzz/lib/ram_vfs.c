/*
 * ram_vfs.c - the file layer below SQLite, over the files of ram.h.
 *
 * Locks are always given: there is one process, and what is tested does not
 * wait for itself.  A file without a name is a temporary one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "ram.h"

struct vfs_file {
    sqlite3_file head; /* first */
    struct ram *ram;
    struct ram_file *file;
    bool temporary;
    struct ram_file own; /* of a temporary one */
};

static struct vfs_file *self(sqlite3_file *f)
{
    return (struct vfs_file *)f;
}

static int file_close(sqlite3_file *f)
{
    struct vfs_file *s = self(f);
    if (s->temporary)
        free(s->own.data);
    else
        s->file->opens--;
    return SQLITE_OK;
}

static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    const struct ram_file *m = self(f)->file;
    size_t want = (size_t)n;
    size_t have = at < (sqlite3_int64)m->n ? m->n - (size_t)at : 0;
    have = have < want ? have : want;
    if (have)
        memcpy(to, m->data + at, have);
    if (have == want)
        return SQLITE_OK;
    memset((char *)to + have, 0, want - have);
    return SQLITE_IOERR_SHORT_READ;
}

static int grow(struct vfs_file *s, size_t n)
{
    struct ram_file *m = s->file;
    if (n > s->ram->most)
        return SQLITE_FULL;
    if (n > m->cap) {
        unsigned char *more = realloc(m->data, n * 2);
        MUST(more != NULL);
        m->data = more;
        m->cap = n * 2;
    }
    if (n > m->n)
        memset(m->data + m->n, 0, n - m->n);
    return SQLITE_OK;
}

static int file_write(sqlite3_file *f, const void *from, int n,
                      sqlite3_int64 at)
{
    struct vfs_file *s = self(f);
    size_t end = (size_t)at + (size_t)n;
    if (!s->temporary)
        s->ram->writes++;
    int rc = grow(s, end);
    if (rc)
        return rc;
    memcpy(s->file->data + at, from, (size_t)n);
    if (end > s->file->n)
        s->file->n = end;
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct vfs_file *s = self(f);
    if (!s->temporary)
        s->ram->writes++;
    int rc = grow(s, (size_t)size);
    if (!rc)
        s->file->n = (size_t)size;
    return rc;
}

static int file_sync(sqlite3_file *f, int flags)
{
    (void)f, (void)flags;
    return SQLITE_OK;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)self(f)->file->n;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *f, int level)
{
    (void)f, (void)level;
    return SQLITE_OK;
}

static int file_reserved(sqlite3_file *f, int *out)
{
    (void)f;
    *out = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
    (void)f;
    if (op != SQLITE_FCNTL_HAS_MOVED)
        return SQLITE_NOTFOUND;
    *(int *)arg = 0;
    return SQLITE_OK;
}

static int file_sector(sqlite3_file *f)
{
    (void)f;
    return 512;
}

static int file_device(sqlite3_file *f)
{
    (void)f;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int shm_map(sqlite3_file *f, int region, int size, int extend,
                   void volatile **out)
{
    struct ram_file *m = self(f)->file;
    *out = NULL;
    if (region < 0 || region >= RAM_REGIONS)
        return SQLITE_IOERR_SHMMAP;
    if (!m->region[region] && extend)
        m->region[region] = calloc(1, (size_t)size);
    *out = m->region[region];
    return SQLITE_OK;
}

static int shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    (void)f, (void)at, (void)n, (void)flags;
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *f)
{
    (void)f;
}

/* The last one that leaves takes the index with it. */
static int shm_unmap(sqlite3_file *f, int delete)
{
    struct ram_file *m = self(f)->file;
    (void)delete;
    for (int i = 0; m->opens <= 1 && i < RAM_REGIONS; i++) {
        free(m->region[i]);
        m->region[i] = NULL;
    }
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

static struct ram *ram_of(sqlite3_vfs *v)
{
    return v->pAppData;
}

static int vfs_open(sqlite3_vfs *v, const char *path, sqlite3_file *f,
                    int flags, int *out)
{
    struct vfs_file *s = self(f);
    struct ram *r = ram_of(v);
    memset(s, 0, sizeof *s);
    s->ram = r;
    s->temporary = path == NULL;
    s->file = path ? ram_find(r, path) : &s->own;
    if (!s->file && !(flags & SQLITE_OPEN_CREATE))
        return SQLITE_CANTOPEN;
    if (!s->file) {
        if (!(flags & SQLITE_OPEN_WAL))
            r->made++;
        ram_put(r, path, NULL, 0);
        s->file = ram_find(r, path);
    }
    s->file->opens++;
    s->head.pMethods = &methods;
    if (out)
        *out = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *v, const char *path, int sync)
{
    (void)sync;
    ram_of(v)->writes++;
    ram_remove(ram_of(v), path);
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *v, const char *path, int flags, int *out)
{
    (void)flags;
    *out = ram_find(ram_of(v), path) != NULL;
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *v, const char *path, int n, char *out)
{
    (void)v;
    return snprintf(out, (size_t)n, "%s", path) < n ? SQLITE_OK
                                                    : SQLITE_CANTOPEN;
}

static int vfs_random(sqlite3_vfs *v, int n, char *out)
{
    for (int i = 0; i < n; i++)
        out[i] = (char)fuzz_random(&ram_of(v)->random);
    return n;
}

static int vfs_sleep(sqlite3_vfs *v, int micros)
{
    (void)v;
    return micros;
}

static int vfs_time64(sqlite3_vfs *v, sqlite3_int64 *out)
{
    (void)v;
    *out = 212634000000000;
    return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *v, double *out)
{
    (void)v;
    *out = 2461041.5;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *v, int n, char *out)
{
    (void)v, (void)n, (void)out;
    return 0;
}

void ram_vfs_init(struct ram *r)
{
    r->vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(struct vfs_file),
        .mxPathname = RAM_PATH - 1,
        .zName = "ram",
        .pAppData = r,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xCurrentTimeInt64 = vfs_time64,
        .xGetLastError = vfs_last_error,
    };
}
