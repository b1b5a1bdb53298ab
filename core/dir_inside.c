/*
 * dir_inside.c - new paths that lie in the directory of a log: what somebody
 * else puts there is taken for damage.
 */
#include "dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fs.h"

static bool is_a(const struct plog_io *io, const char *dir, const char *name,
                 uint32_t type)
{
    char path[PLOG_DIR_PATH_MAX + 8];
    struct plog_stat st;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return io->stat_at(io->ctx, AT_FDCWD, path, &st) == 0 &&
           (st.mode & S_IFMT) == type;
}

static bool is_of_a_log(const struct plog_io *io, const char *dir)
{
    return is_a(io, dir, "lock", S_IFREG) && is_a(io, dir, "log", S_IFDIR) &&
           is_a(io, dir, "keys", S_IFDIR);
}

bool plog_dir_among(const char *const *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

const char *const plog_dir_folders[PLOG_DIR_FOLDERS] = {
    "log", "keys", "archive", "orders", "snapshots", "quarantine"};

bool plog_dir_has_folder(const char *name)
{
    return plog_dir_among(plog_dir_folders, PLOG_DIR_FOLDERS, name);
}

bool plog_dir_has_file(const char *name)
{
    static const char *const all[] = {
        "lock",         PLOG_QUEUE_FILE, "store.db",    "store.db-wal",
        "store.db-shm", "drill.json",    PLOG_FS_MARKER};
    return plog_dir_among(all, sizeof all / sizeof *all, name);
}

/* The path with the links of its folder followed, of what need not be there.
 * False: it cannot be said, and who uses the path hears why. */
static bool resolve(const struct plog_io *io, const char *path, char *out)
{
    char parent[PLOG_DIR_PATH_MAX];
    size_t n = strlen(path), base;
    while (n > 1 && path[n - 1] == '/')
        n--;
    for (base = n; base > 0 && path[base - 1] != '/';)
        base--;
    size_t dots = strspn(path + base, ".");
    if (n >= sizeof parent || (dots && dots <= 2 && base + dots == n))
        return false; /* that is there */
    snprintf(parent, sizeof parent, "%.*s", (int)base, path);
    if (io->real_path(io->ctx, base ? parent : ".", out, PLOG_DIR_PATH_MAX))
        return false;
    size_t used = strlen(out);
    return (size_t)snprintf(out + used, PLOG_DIR_PATH_MAX - used, "/%.*s",
                            (int)(n - base),
                            path + base) < PLOG_DIR_PATH_MAX - used;
}

/* Whether `at` lies below `own`; both are real. */
static bool is_below(const char *at, const char *own)
{
    size_t n = strlen(own);
    while (n > 0 && own[n - 1] == '/')
        n--;
    return strncmp(at, own, n) == 0 && at[n] == '/';
}

/* Whether `at`, which is cut, is or lies in what some log has in its
 * directory. */
static bool is_of_any(const struct plog_io *io, char *at)
{
    char *slash;
    while ((slash = strrchr(at, '/')) != NULL && slash != at) {
        *slash = '\0';
        if ((plog_dir_has_folder(slash + 1) || plog_dir_has_file(slash + 1)) &&
            is_of_a_log(io, at))
            return true;
    }
    return false;
}

static int refuse(const char *path, const char *where, struct plog_error *err)
{
    plog_fail(err, PLOG_E_INPUT, "%.200s lies in %s", path, where);
    plog_err_hint(err, "name a path outside of it");
    return PLOG_E_INPUT;
}

int plog_path_outside(const struct plog_io *io, const char *dir,
                      const char *path, struct plog_error *err)
{
    char own[PLOG_DIR_PATH_MAX], at[PLOG_DIR_PATH_MAX];
    if (!io)
        io = plog_io_posix();
    if (!path || !path[0])
        return plog_fail(err, PLOG_E_ARG, "no path was given");
    bool has_own = dir && !io->real_path(io->ctx, dir, own, sizeof own);
    for (int whole = 0; whole < 2; whole++) { /* a link may lead there, too */
        if (whole ? io->real_path(io->ctx, path, at, sizeof at) != 0
                  : !resolve(io, path, at))
            continue;
        if (has_own && is_below(at, own))
            return refuse(path, "the directory of the log", err);
        if (is_of_any(io, at))
            return refuse(path, "a folder of a log", err);
    }
    return plog_done(err, 0);
}
