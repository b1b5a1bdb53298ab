/*
 * sim_vfs.c - SQLite's files on a simulated machine (see sim.h).
 *
 * Locks and shared memory are those of one process: they tell its connections
 * apart and vanish with the machine.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define SHM_LOCKS 8
#define SHM_REGIONS 32

struct sim_shm {
    struct sim_shm *next;
    int node, users;
    void *regions[SHM_REGIONS];
    int shared[SHM_LOCKS];
    bool exclusive[SHM_LOCKS];
};

struct sim_file {
    sqlite3_file head; /* first: SQLite hands it back to us */
    struct sim *sim;
    struct sim_file *next; /* of the machine's open ones */
    int node, lock;
    bool read_only;
    int dir_to_sync; /* of a journal just made; -1: none */
    struct sim_shm *shm;
    unsigned shm_shared, shm_exclusive; /* bits of what this one holds */
};

static struct sim_file *self(sqlite3_file *f)
{
    return (struct sim_file *)f;
}

/* ---- Bytes -------------------------------------------------------------- */

static int f_close(sqlite3_file *f)
{
    struct sim_file *s = self(f), **at = &s->sim->files;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    return SQLITE_OK;
}

static int f_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    const struct sim_file *s = self(f);
    size_t size = sim_image_size(&s->sim->cache, s->node), have = 0;
    if ((size_t)at < size)
        have = size - (size_t)at;
    if (have > (size_t)n)
        have = (size_t)n;
    if (have)
        memcpy(to, sim_image_bytes(&s->sim->cache, s->node) + at, have);
    memset((char *)to + have, 0, (size_t)n - have);
    return have == (size_t)n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int f_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    struct sim_file *s = self(f);
    if (s->read_only)
        return SQLITE_IOERR_WRITE;
    return sim_do_write(s->sim, s->node, from, (size_t)n, (size_t)at)
               ? SQLITE_IOERR_WRITE
               : SQLITE_OK;
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    sim_do_resize(self(f)->sim, self(f)->node, (size_t)size);
    return SQLITE_OK;
}

/* As SQLite's own VFS: a new journal's name is synced with its first bytes. */
static int f_sync(sqlite3_file *f, int flags)
{
    struct sim_file *s = self(f);
    (void)flags;
    if (sim_do_sync(s->sim, s->node))
        return SQLITE_IOERR_FSYNC;
    if (s->dir_to_sync >= 0 && sim_do_sync(s->sim, s->dir_to_sync))
        return SQLITE_IOERR_DIR_FSYNC;
    s->dir_to_sync = -1;
    return SQLITE_OK;
}

static int f_size(sqlite3_file *f, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)sim_image_size(&self(f)->sim->cache, self(f)->node);
    return SQLITE_OK;
}

/* ---- Locks -------------------------------------------------------------- */

/* The strongest lock that another connection has on the same file. */
static int others(const struct sim_file *s)
{
    int most = SQLITE_LOCK_NONE;
    for (const struct sim_file *o = s->sim->files; o; o = o->next)
        if (o != s && o->node == s->node && o->lock > most)
            most = o->lock;
    return most;
}

static int f_lock(sqlite3_file *f, int level)
{
    struct sim_file *s = self(f);
    int held = others(s);
    if (level <= s->lock)
        return SQLITE_OK;
    if ((level == SQLITE_LOCK_SHARED && held >= SQLITE_LOCK_PENDING) ||
        (level == SQLITE_LOCK_RESERVED && held >= SQLITE_LOCK_RESERVED) ||
        (level == SQLITE_LOCK_EXCLUSIVE && held >= SQLITE_LOCK_SHARED))
        return SQLITE_BUSY;
    s->lock = level;
    return SQLITE_OK;
}

static int f_unlock(sqlite3_file *f, int level)
{
    if (self(f)->lock > level)
        self(f)->lock = level;
    return SQLITE_OK;
}

static int f_reserved(sqlite3_file *f, int *out)
{
    *out = others(self(f)) >= SQLITE_LOCK_RESERVED;
    return SQLITE_OK;
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
    (void)f, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int f_sector(sqlite3_file *f)
{
    (void)f;
    return 4096; /* as SQLite's own VFS says of every disk */
}

static int f_device(sqlite3_file *f)
{
    (void)f;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- Shared memory ------------------------------------------------------ */

static struct sim_shm *shm_of(struct sim_file *s)
{
    struct sim *sim = s->sim;
    if (s->shm)
        return s->shm;
    struct sim_shm *m = sim->shm;
    while (m && m->node != s->node)
        m = m->next;
    if (!m) {
        m = calloc(1, sizeof *m);
        if (!m)
            abort();
        m->node = s->node;
        m->next = sim->shm;
        sim->shm = m;
    }
    m->users++;
    return s->shm = m;
}

static int f_shm_map(sqlite3_file *f, int region, int size, int extend,
                     void volatile **out)
{
    struct sim_shm *m = shm_of(self(f));
    *out = NULL;
    if (region >= SHM_REGIONS)
        return SQLITE_FULL;
    if (!m->regions[region] && extend)
        m->regions[region] = calloc(1, (size_t)size);
    *out = m->regions[region];
    return SQLITE_OK;
}

static int f_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    struct sim_file *s = self(f);
    struct sim_shm *m = shm_of(s);
    bool shared = flags & SQLITE_SHM_SHARED;
    for (int i = at; flags & SQLITE_SHM_LOCK && i < at + n; i++) {
        unsigned bit = 1u << i;
        bool other = m->exclusive[i] && !(s->shm_exclusive & bit);
        int sharing = m->shared[i] - (s->shm_shared & bit ? 1 : 0);
        if (other || (!shared && sharing > 0))
            return SQLITE_BUSY;
    }
    for (int i = at; i < at + n; i++) {
        unsigned bit = 1u << i;
        if (flags & SQLITE_SHM_UNLOCK) {
            m->shared[i] -= s->shm_shared & bit ? 1 : 0;
            m->exclusive[i] = m->exclusive[i] && !(s->shm_exclusive & bit);
            s->shm_shared &= ~bit;
            s->shm_exclusive &= ~bit;
        } else if (shared) {
            m->shared[i] += s->shm_shared & bit ? 0 : 1;
            s->shm_shared |= bit;
        } else {
            m->exclusive[i] = true;
            s->shm_exclusive |= bit;
        }
    }
    return SQLITE_OK;
}

static void f_shm_barrier(sqlite3_file *f)
{
    (void)f;
}

static int f_shm_unmap(sqlite3_file *f, int drop)
{
    struct sim_file *s = self(f);
    struct sim_shm *m = s->shm, **at = &s->sim->shm;
    (void)drop;
    if (!m)
        return SQLITE_OK;
    f_shm_lock(f, 0, SHM_LOCKS, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    s->shm = NULL;
    if (--m->users > 0)
        return SQLITE_OK;
    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    for (int i = 0; i < SHM_REGIONS; i++)
        free(m->regions[i]);
    free(m);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_reserved,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_device,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

/* ---- Names -------------------------------------------------------------- */

static struct sim *machine(sqlite3_vfs *v)
{
    return v->pAppData;
}

/* The directory of a path and the name in it. */
static int parent_of(struct sim *s, const char *path, const char **name)
{
    char dir[512];
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 0, path);
    return sim_image_path(&s->cache, dir);
}

static int v_open(sqlite3_vfs *v, const char *path, sqlite3_file *f, int flags,
                  int *out_flags)
{
    struct sim *s = machine(v);
    struct sim_file *file = self(f);
    const char *name = NULL;
    int dir = path ? parent_of(s, path, &name) : -1;
    int node = dir < 0 ? -1 : sim_image_find(&s->cache, dir, name);
    memset(file, 0, sizeof *file);
    file->dir_to_sync = -1;
    if (path && (dir < 0 || (node < 0 && !(flags & SQLITE_OPEN_CREATE))))
        return SQLITE_CANTOPEN;
    if (!path) {
        node = sim_image_node(&s->cache, false);
        s->cache.nodes[node].scratch = true;
    } else if (node < 0) {
        node = sim_do_create(s, dir, name, false);
    }
    /* Made or found, as SQLite's own VFS has it: whoever made it may not have
     * come to the sync. */
    if (path && (flags & SQLITE_OPEN_CREATE) &&
        (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)))
        file->dir_to_sync = dir;
    if (out_flags)
        *out_flags = flags;
    file->head.pMethods = &methods;
    file->sim = s;
    file->read_only = flags & SQLITE_OPEN_READONLY;
    file->node = node;
    file->next = s->files;
    s->files = file;
    return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *v, const char *path, int sync_dir)
{
    struct sim *s = machine(v);
    const char *name;
    int dir = parent_of(s, path, &name);
    if (dir < 0 || sim_image_find(&s->cache, dir, name) < 0)
        return SQLITE_IOERR_DELETE_NOENT;
    sim_do_unlink(s, dir, name);
    if (sync_dir && sim_do_sync(s, dir))
        return SQLITE_IOERR_DIR_FSYNC;
    return SQLITE_OK;
}

/* An empty journal is none, as SQLite's own VFS has it. */
static int v_access(sqlite3_vfs *v, const char *path, int flags, int *out)
{
    struct sim *s = machine(v);
    int node = sim_image_path(&s->cache, path);
    *out = node >= 0;
    if (node >= 0 && flags == SQLITE_ACCESS_EXISTS)
        *out = s->cache.nodes[node].dir || sim_image_size(&s->cache, node) > 0;
    return SQLITE_OK;
}

static int v_full_path(sqlite3_vfs *v, const char *path, int n, char *out)
{
    (void)v;
    sqlite3_snprintf(n, out, "%s%s", *path == '/' ? "" : "/", path);
    return SQLITE_OK;
}

static int v_random(sqlite3_vfs *v, int n, char *out)
{
    for (int i = 0; i < n; i++)
        out[i] = (char)sim_random(machine(v));
    return n;
}

static int v_sleep(sqlite3_vfs *v, int micros)
{
    machine(v)->now_ns += (int64_t)micros * 1000;
    return micros;
}

static int v_time64(sqlite3_vfs *v, sqlite3_int64 *out)
{
    *out = INT64_C(210866760000000) + machine(v)->now_ns / 1000000;
    return SQLITE_OK;
}

static int v_time(sqlite3_vfs *v, double *out)
{
    sqlite3_int64 t;
    v_time64(v, &t);
    *out = (double)t / 86400000.0;
    return SQLITE_OK;
}

static int v_last_error(sqlite3_vfs *v, int n, char *out)
{
    (void)v, (void)n, (void)out;
    return 0;
}

void sim_vfs_init(struct sim *s)
{
    sqlite3_vfs *v = calloc(1, sizeof *v);
    char *name = malloc(40);
    if (!v || !name)
        abort();
    sqlite3_initialize();
    snprintf(name, 40, "sim-%p", (void *)s);
    v->iVersion = 2;
    v->szOsFile = (int)sizeof(struct sim_file);
    v->mxPathname = 512;
    v->zName = name;
    v->pAppData = s;
    v->xOpen = v_open;
    v->xDelete = v_delete;
    v->xAccess = v_access;
    v->xFullPathname = v_full_path;
    v->xRandomness = v_random;
    v->xSleep = v_sleep;
    v->xCurrentTime = v_time;
    v->xCurrentTimeInt64 = v_time64;
    v->xGetLastError = v_last_error;
    if (sqlite3_vfs_register(v, 0) != SQLITE_OK)
        abort();
    s->vfs = v;
    s->io.vfs_base = v;
}

void sim_vfs_fini(struct sim *s)
{
    sqlite3_vfs_unregister(s->vfs);
    free((void *)(uintptr_t)s->vfs->zName);
    free(s->vfs);
    while (s->shm) {
        struct sim_shm *m = s->shm;
        s->shm = m->next;
        for (int i = 0; i < SHM_REGIONS; i++)
            free(m->regions[i]);
        free(m);
    }
}

const char *sim_vfs_name(struct sim *s)
{
    return s->vfs->zName;
}
