/*
 * failing_sqlite.c - the allocator and the system calls below SQLite, made to
 * fail; see failing.h.
 *
 * SQLite's unix file layer lets its system calls be replaced by name
 * (sqlite3_vfs.xSetSystemCall); those of the table are not touched by that.
 * fsync is not among them: FAILING_EVENT has the syncs.
 */
#include "failing.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing_in.h"

/* ---- Memory ------------------------------------------------------------- */

#define HEAD 16 /* keeps the alignment; holds the size */

static long living;

long failing_sqlite_live(void)
{
    return living;
}

static bool refuses(int n)
{
    char size[40];
    snprintf(size, sizeof size, "%d bytes", n);
    return failing_now(1u << FAILING_SQLITE_ALLOC, "allocating", size);
}

static void *m_malloc(int n)
{
    char *p = refuses(n) ? NULL : malloc((size_t)n + HEAD);
    if (!p)
        return NULL;
    memcpy(p, &n, sizeof n);
    memset(p + HEAD, 0xa5, (size_t)n);
    living++;
    return p + HEAD;
}

static void m_free(void *p)
{
    if (!p)
        return;
    living--;
    free((char *)p - HEAD);
}

static void *m_realloc(void *p, int n)
{
    if (refuses(n))
        return NULL;
    char *fresh = realloc((char *)p - HEAD, (size_t)n + HEAD);
    if (!fresh)
        return NULL;
    memcpy(fresh, &n, sizeof n);
    return fresh + HEAD;
}

static int m_size(void *p)
{
    int n;
    memcpy(&n, (char *)p - HEAD, sizeof n);
    return n;
}

static int m_round(int n)
{
    return (n + 7) & ~7;
}

static int m_init(void *arg)
{
    (void)arg;
    return SQLITE_OK;
}

static void m_shutdown(void *arg)
{
    (void)arg;
}

/* ---- System calls ------------------------------------------------------- */

#define CALL (1u << FAILING_CALL)
#define TWICE (1u << FAILING_CALL_INTERRUPT)
#define MOVES (CALL | TWICE | 1u << FAILING_CALL_SHORT)
#define ROOM (1u << FAILING_SPACE)

static bool fails(unsigned whats, int why, const char *call, const char *name)
{
    if (!failing_now(whats, call, name))
        return false;
    errno = why;
    return true;
}

/* Which error of the kinds in `whats` has come, one at a time. */
static int refused(unsigned whats, const char *call, const char *name)
{
    if (fails(whats & TWICE, EINTR, call, name))
        return EINTR;
    if (fails(whats & ROOM, ENOSPC, call, name))
        return ENOSPC;
    return fails(whats & CALL, EIO, call, name) ? EIO : 0;
}

static int s_open(const char *path, int flags, int mode)
{
    unsigned room = flags & O_CREAT ? ROOM : 0;
    if (refused(CALL | TWICE | room, "SQLite: open", path))
        return -1;
    return open(path, flags | O_CLOEXEC, mode);
}

static int s_access(const char *path, int mode)
{
    return refused(CALL, "SQLite: access", path) ? -1 : access(path, mode);
}

static int s_fstat(int fd, struct stat *out)
{
    return refused(CALL, "SQLite: fstat", "") ? -1 : fstat(fd, out);
}

static int s_ftruncate(int fd, off_t n)
{
    return refused(CALL | TWICE, "SQLite: ftruncate", "") ? -1
                                                          : ftruncate(fd, n);
}

static int s_fcntl(int fd, int command, ...)
{
    va_list ap;
    va_start(ap, command);
    void *arg = va_arg(ap, void *);
    va_end(ap);
    /* Letting go of a lock does not fail. */
    bool locks = command == F_SETLK || command == F_GETLK;
    bool fails_too = locks && (command == F_GETLK ||
                               ((const struct flock *)arg)->l_type != F_UNLCK);
    if (fails_too && refused(CALL, "SQLite: fcntl", "a lock"))
        return -1;
    if (locks)
        return fcntl(fd, command, arg);
    return fcntl(fd, command, (int)(intptr_t)arg);
}

/* Half of it, where that is what fails. */
static size_t part_of(size_t n, const char *call)
{
    bool half = n > 1 && failing_now(1u << FAILING_CALL_SHORT, call, "");
    return half ? n / 2 : n;
}

static ssize_t s_read(int fd, void *p, size_t n)
{
    if (refused(CALL | TWICE, "SQLite: read", ""))
        return -1;
    return read(fd, p, part_of(n, "SQLite: read"));
}

static ssize_t s_pread(int fd, void *p, size_t n, off_t at)
{
    if (refused(CALL | TWICE, "SQLite: pread", ""))
        return -1;
    return pread(fd, p, part_of(n, "SQLite: pread"), at);
}

static ssize_t s_write(int fd, const void *p, size_t n)
{
    if (refused(CALL | TWICE | ROOM, "SQLite: write", ""))
        return -1;
    return write(fd, p, part_of(n, "SQLite: write"));
}

static ssize_t s_pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (refused(CALL | TWICE | ROOM, "SQLite: pwrite", ""))
        return -1;
    return pwrite(fd, p, part_of(n, "SQLite: pwrite"), at);
}

static int s_unlink(const char *path)
{
    return refused(CALL, "SQLite: unlink", path) ? -1 : unlink(path);
}

static void *s_mmap(void *at, size_t n, int protection, int flags, int fd,
                    off_t offset)
{
    return refused(CALL, "SQLite: mmap", "")
               ? MAP_FAILED
               : mmap(at, n, protection, flags, fd, offset);
}

static void replace(sqlite3_vfs *v, const char *name, sqlite3_syscall_ptr call)
{
    if (v->iVersion >= 3 && v->xGetSystemCall(v, name))
        v->xSetSystemCall(v, name, call);
}

static void replace_calls(sqlite3_vfs *v)
{
    replace(v, "open", (sqlite3_syscall_ptr)s_open);
    replace(v, "access", (sqlite3_syscall_ptr)s_access);
    replace(v, "fstat", (sqlite3_syscall_ptr)s_fstat);
    replace(v, "ftruncate", (sqlite3_syscall_ptr)s_ftruncate);
    replace(v, "fcntl", (sqlite3_syscall_ptr)s_fcntl);
    replace(v, "read", (sqlite3_syscall_ptr)s_read);
    replace(v, "pread", (sqlite3_syscall_ptr)s_pread);
    replace(v, "pread64", (sqlite3_syscall_ptr)s_pread);
    replace(v, "write", (sqlite3_syscall_ptr)s_write);
    replace(v, "pwrite", (sqlite3_syscall_ptr)s_pwrite);
    replace(v, "pwrite64", (sqlite3_syscall_ptr)s_pwrite);
    replace(v, "unlink", (sqlite3_syscall_ptr)s_unlink);
    replace(v, "mmap", (sqlite3_syscall_ptr)s_mmap);
}

/* SQLite waits up to ten seconds for what a fault keeps from it; not here. */
static int no_sleep(sqlite3_vfs *v, int micros)
{
    (void)v;
    return micros;
}

struct sqlite3_vfs *failing_vfs(void)
{
    static sqlite3_vfs quick;
    if (!quick.zName) {
        quick = *sqlite3_vfs_find(NULL);
        quick.xSleep = no_sleep;
    }
    return &quick;
}

void failing_init(void)
{
    static const sqlite3_mem_methods memory = {
        .xMalloc = m_malloc,
        .xFree = m_free,
        .xRealloc = m_realloc,
        .xSize = m_size,
        .xRoundup = m_round,
        .xInit = m_init,
        .xShutdown = m_shutdown,
    };
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &memory) != SQLITE_OK ||
        sqlite3_initialize() != SQLITE_OK)
        abort();
    replace_calls(sqlite3_vfs_find(NULL));
}
