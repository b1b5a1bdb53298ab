/*
 * dir_inside.c - new paths that lie in the folders of a log: what somebody else
 * puts there is taken for damage.
 */
#include "dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

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

static bool is_ours(const char *name)
{
    static const char *const all[] = {"log",    "keys",      "archive",
                                      "orders", "snapshots", "quarantine"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(name, all[i]) == 0)
            return true;
    return false;
}

/* The path with links followed, of what need not be there.  False: it cannot
 * be said, and who uses the path hears why. */
static bool resolve(const struct plog_io *io, const char *path, char *out)
{
    char parent[PLOG_DIR_PATH_MAX];
    size_t n = strlen(path), base;
    if (io->real_path(io->ctx, path, out, PLOG_DIR_PATH_MAX) == 0)
        return true;
    while (n > 1 && path[n - 1] == '/')
        n--;
    for (base = n; base > 0 && path[base - 1] != '/';)
        base--;
    if (n >= sizeof parent)
        return false;
    snprintf(parent, sizeof parent, "%.*s", (int)base, path);
    if (io->real_path(io->ctx, base ? parent : ".", out, PLOG_DIR_PATH_MAX))
        return false;
    size_t used = strlen(out);
    return (size_t)snprintf(out + used, PLOG_DIR_PATH_MAX - used, "/%.*s",
                            (int)(n - base),
                            path + base) < PLOG_DIR_PATH_MAX - used;
}

int plog_dir_outside(const struct plog_io *io, const char *path,
                     struct plog_error *err)
{
    char at[PLOG_DIR_PATH_MAX], *slash;
    if (!resolve(io, path, at))
        return 0;
    while ((slash = strrchr(at, '/')) != NULL && slash != at) {
        *slash = '\0';
        if (!is_ours(slash + 1) || !is_of_a_log(io, at))
            continue;
        plog_fail(err, PLOG_E_INPUT, "%.200s lies in a folder of a log", path);
        plog_err_hint(err, "name a path outside of it");
        return PLOG_E_INPUT;
    }
    return 0;
}
