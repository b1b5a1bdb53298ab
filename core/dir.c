/* dir.c - see dir.h. */
#include "dir.h"

#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

bool plog_stat_same(const struct plog_stat *a, const struct plog_stat *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* ---- Opening ------------------------------------------------------------ */

static int open_dir_at(const struct plog_dir *d, int at, const char *name,
                       bool make, int *out, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    int fd = io->open_at(io->ctx, at, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd == -ENOENT && make) {
        int rc = io->mkdir_at(io->ctx, at, name, 0700);
        if (rc && rc != -EEXIST)
            return plog_fail_io(err, rc, name, "making a directory");
        fd = io->open_at(io->ctx, at, name, O_RDONLY | O_DIRECTORY, 0);
        if (fd >= 0 && at >= 0)
            rc = io->fsync(io->ctx, at);
        if (fd >= 0 && at >= 0 && rc) {
            io->close(io->ctx, fd);
            return plog_fail_io(err, rc, name, "syncing a directory");
        }
    }
    if (fd == -ENOTDIR)
        return plog_fail(err, PLOG_E_NOTHING,
                         "there is no log here: %s is not a directory", name);
    if (fd == -ENOENT) {
        char what[300];
        snprintf(what, sizeof what, "%.280s is missing", name);
        return plog_dir_no_log(d, what, err);
    }
    if (fd < 0)
        return plog_fail_io(err, fd, name, "opening a directory");
    *out = fd;
    return 0;
}

/* Whoever only reads does without keys that are not there or not for him: the
 * caller may have pinned one. */
static int open_keys(struct plog_dir *d, bool make, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    if (make)
        return open_dir_at(d, d->dir, "keys", true, &d->keys, err);
    int fd = io->open_at(io->ctx, d->dir, "keys", O_RDONLY | O_DIRECTORY, 0);
    bool without = fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ||
                   fd == -EACCES || fd == -EPERM;
    if (fd < 0 && !without)
        return plog_fail_io(err, fd, "keys", "opening a directory");
    d->keys = fd;
    return 0;
}

/* A directory that others may write to lets them swap files under us. */
static int check_mode(const struct plog_dir *d, bool loose,
                      struct plog_error *err)
{
    struct plog_stat st;
    int rc = d->io->stat(d->io->ctx, d->dir, &st);
    if (rc)
        return plog_fail_io(err, rc, ".", "looking at the directory");
    if (loose || (st.mode & 022) == 0)
        return 0;
    plog_fail(err, PLOG_E_IO,
              "the directory may be written by others (mode"
              " %04o)",
              (unsigned)(st.mode & 07777));
    plog_err_hint(err, "run: chmod 700 on the directory");
    return PLOG_E_IO;
}

static int open_lock(struct plog_dir *d, enum plog_dir_mode mode,
                     struct plog_error *err)
{
    const struct plog_io *io = d->io;
    bool reads = mode == PLOG_DIR_READ || mode == PLOG_DIR_STORE;
    d->dry = mode != PLOG_DIR_WRITE && mode != PLOG_DIR_MAKE;
    int flags = reads ? O_RDONLY : d->dry ? O_RDWR : O_RDWR | O_CREAT;
    int fd = io->open_at(io->ctx, d->dir, "lock", flags, 0600);
    if (fd < 0 && (reads || (d->dry && fd == -ENOENT)))
        return 0; /* who only reads does without */
    if (fd < 0)
        return plog_fail_io(err, fd, "lock", "opening the lock file");
    d->lock = fd;
    int rc = plog_io_check_regular(io, fd);
    if (rc == -EMLINK && io->stat(io->ctx, fd, &d->lock_id) == 0 &&
        d->lock_id.links > 1)
        return plog_dir_fail_linked(err);
    if (!rc)
        rc = io->stat(io->ctx, fd, &d->lock_id);
    return rc ? plog_fail_io(err, rc, "lock", "checking the lock file") : 0;
}

static int real_path(struct plog_dir *d, const char *path,
                     struct plog_error *err)
{
    /* SQLite adds suffixes to the path and must fit its own limit. */
    size_t cap = sizeof d->path - sizeof "/store.db-journal";
    if (!path)
        return plog_fail(err, PLOG_E_ARG, "no directory was given");
    int rc = d->io->real_path(d->io->ctx, path, d->path, cap);
    if (rc == -ENOENT || rc == -ENOTDIR)
        return plog_fail(err, PLOG_E_NOTHING,
                         "there is no log here: no"
                         " directory %s",
                         path);
    return rc < 0 ? plog_fail_io(err, rc, path, "finding the directory") : 0;
}

int plog_dir_open(struct plog_dir *d, const struct plog_io *io,
                  const char *path, enum plog_dir_mode mode, bool loose,
                  struct plog_error *err)
{
    memset(d, 0, sizeof *d);
    d->io = io;
    d->dir = d->log = d->keys = d->lock = d->watch = -1;
    d->join_at = PLOG_JOIN_AFTER;
    bool make = mode == PLOG_DIR_MAKE;
    int rc = make ? open_dir_at(d, AT_FDCWD, path, true, &d->dir, err) : 0;
    if (!rc)
        rc = real_path(d, path, err);
    if (!rc && d->dir < 0)
        rc = open_dir_at(d, AT_FDCWD, d->path, false, &d->dir, err);
    if (!rc)
        rc = check_mode(d, loose || mode == PLOG_DIR_READ, err);
    if (!rc)
        rc = open_dir_at(d, d->dir, "log", make, &d->log, err);
    bool no_log = rc == PLOG_E_NOTHING || rc == PLOG_E_ROLLBACK;
    if (no_log && mode == PLOG_DIR_STORE && d->dir >= 0)
        rc = 0;
    if (rc == PLOG_E_ROLLBACK && mode == PLOG_DIR_PLAN)
        rc = 0;
    if (!rc)
        rc = open_keys(d, make, err);
    if (!rc)
        rc = open_lock(d, mode, err);
    if (rc)
        plog_dir_close(d);
    return rc;
}

void plog_dir_close(struct plog_dir *d)
{
    int *all[] = {&d->dir, &d->log, &d->keys, &d->lock, &d->watch};
    if (d->locked)
        plog_dir_unlock(d);
    plog_slots_leave(&d->slots);
    for (size_t i = 0; d->io && i < sizeof all / sizeof *all; i++) {
        if (*all[i] >= 0)
            d->io->close(d->io->ctx, *all[i]);
        *all[i] = -1;
    }
}

/* ---- Names -------------------------------------------------------------- */

void plog_segment_name(uint64_t first, char out[PLOG_SEGMENT_NAME])
{
    snprintf(out, PLOG_SEGMENT_NAME, "%020llu.jsonl",
             (unsigned long long)(first & INT64_MAX));
}

void plog_segment_file(uint64_t first, bool archived,
                       char out[PLOG_SEGMENT_FILE])
{
    char name[PLOG_ARCHIVE_NAME];
    if (archived)
        plog_archive_name(first, name);
    else
        plog_segment_name(first, name);
    snprintf(out, PLOG_SEGMENT_FILE, "%s/%s",
             archived ? PLOG_ARCHIVE_DIR : "log", name);
}

uint64_t plog_segment_parse(const char *name)
{
    uint64_t n = 0;
    if (strlen(name) != PLOG_SEGMENT_NAME - 1 || strcmp(name + 20, ".jsonl"))
        return 0;
    if (name[0] != '0') /* nineteen digits hold every seq below 2^63 */
        return 0;
    for (int i = 0; i < 20; i++) {
        if (name[i] < '0' || name[i] > '9')
            return 0;
        n = n * 10 + (uint64_t)(name[i] - '0');
    }
    return n <= INT64_MAX ? n : 0;
}

uint64_t plog_segment_at(const struct plog_buf *list, size_t i)
{
    uint64_t n;
    memcpy(&n, list->data + i * sizeof n, sizeof n);
    return n;
}

uint64_t plog_segment_of(const struct plog_buf *list, uint64_t seq)
{
    uint64_t best = 0;
    for (size_t i = 0; i < plog_segment_count(list); i++) {
        uint64_t first = plog_segment_at(list, i);
        if (first <= seq && first > best)
            best = first;
    }
    return best;
}

bool plog_dir_is_odd(const char *name)
{
    /* Ours while a last segment is being rewritten: harmless, made anew. */
    bool anew = strlen(name) > 8 && strstr(name, ".jsonl.new");
    return !anew && plog_segment_parse(name) == 0;
}

struct listing {
    struct plog_buf *out;
    char odd[256];
    int rc;
};

static int add_name(void *arg, const char *name)
{
    struct listing *l = arg;
    uint64_t first = plog_segment_parse(name);
    if (first) {
        l->rc = plog_buf_add(l->out, &first, sizeof first);
        return l->rc != 0;
    }
    if (plog_dir_is_odd(name))
        snprintf(l->odd, sizeof l->odd, "log/%.240s", name);
    return 0;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

void plog_segments_sort(struct plog_buf *list)
{
    size_t n = plog_segment_count(list), kept = 0;
    uint64_t *all = (void *)list->data;
    if (n > 1)
        qsort(all, n, sizeof *all, by_number);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || all[kept - 1] != all[i])
            all[kept++] = all[i];
    list->len = kept * sizeof *all;
}

int plog_dir_segments(const struct plog_dir *d, struct plog_buf *out,
                      struct plog_error *err)
{
    uint64_t first;
    return plog_dir_segments_of(d, out, &first, err);
}

/* Where log/ begins, of segments in any order. */
static uint64_t lowest(const struct plog_buf *list)
{
    uint64_t first = 0;
    for (size_t i = 0; i < plog_segment_count(list); i++)
        if (!first || plog_segment_at(list, i) < first)
            first = plog_segment_at(list, i);
    return first;
}

int plog_dir_segments_of(const struct plog_dir *d, struct plog_buf *out,
                         uint64_t *log_first, struct plog_error *err)
{
    struct listing l = {out, "", 0};
    out->len = 0;
    *log_first = 0;
    /* A plan, or who reads the store alone, may find no log/ at all. */
    int rc = d->log < 0 ? 0 : d->io->list(d->io->ctx, d->log, add_name, &l);
    if (l.rc)
        return plog_fail(err, l.rc, "out of memory");
    if (rc < 0)
        return plog_fail_io(err, rc, "log", "listing segments");
    *log_first = d->with_archive ? lowest(out) : 0;
    if (d->with_archive && (rc = plog_archive_segments(d, out, err)) < 0)
        return rc;
    plog_segments_sort(out);
    if (!l.odd[0])
        return 0;
    plog_fail(err, PLOG_E_CORRUPT, "a file that is no segment");
    plog_err_file(err, l.odd);
    return PLOG_E_CORRUPT;
}

int plog_fail_segment(struct plog_error *err, int rc, uint64_t first,
                      const char *doing)
{
    char shown[PLOG_SEGMENT_FILE];
    plog_segment_file(first, false, shown);
    return plog_fail_io(err, rc, shown, doing);
}

int plog_dir_open_segment(const struct plog_dir *d, uint64_t first,
                          bool writing, int *fd, struct plog_stat *id,
                          struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME], shown[PLOG_SEGMENT_FILE];
    const struct plog_io *io = d->io;
    plog_segment_name(first, name);
    plog_segment_file(first, false, shown);
    int f = d->log < 0 ? -ENOENT
                       : plog_io_open_regular(io, d->log, name,
                                              writing ? O_RDWR : O_RDONLY);
    if (f == -ENOENT && d->with_archive && !writing)
        return plog_archive_open(d, first, fd, id, err);
    if (f == -ENOENT || plog_io_says_odd(f)) {
        plog_fail(err, PLOG_E_CORRUPT,
                  f == -ENOENT ? "the segment is missing"
                               : "not a regular file with one link");
        plog_err_file(err, shown);
        return PLOG_E_CORRUPT;
    }
    if (f < 0)
        return plog_fail_io(err, f, shown, "opening a segment");
    int rc = io->stat(io->ctx, f, id);
    if (rc) {
        io->close(io->ctx, f);
        return plog_fail_io(err, rc, shown, "looking at a segment");
    }
    *fd = f;
    return 0;
}

void plog_dir_store_path(const struct plog_dir *d, char *out, size_t cap)
{
    snprintf(out, cap, "%s/store.db", d->path);
}

/* Whether a file of that name is there, or the WAL or shared memory of one: a
 * database that came to lie beside those of another would be read with them. */
static int look_taken(const struct plog_io *io, int fd, const char *name)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char file[140];
    struct plog_stat st;
    int rc = -ENOENT;
    for (int i = 0; rc == -ENOENT && i < 3; i++) {
        snprintf(file, sizeof file, "%s%s", name, ends[i]);
        rc = io->stat_at(io->ctx, fd, file, &st);
    }
    return rc;
}

int plog_dir_folder(const struct plog_dir *d, const char *name, bool make,
                    int *fd, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW, rc = 0;
    *fd = io->open_at(io->ctx, d->dir, name, flags, 0);
    if (*fd == -ENOENT && !make)
        return PLOG_END;
    if (*fd == -ENOENT && (rc = io->mkdir_at(io->ctx, d->dir, name, 0700)) == 0)
        *fd = io->open_at(io->ctx, d->dir, name, flags, 0);
    if (rc)
        return plog_fail_io(err, rc, name, "making the folder");
    if (*fd < 0)
        return plog_fail_io(err, *fd, name, "opening the folder");
    /* Who made it may have been killed before, or the sync have failed. */
    if (make && (rc = io->fsync(io->ctx, d->dir)) != 0) {
        io->close(io->ctx, *fd);
        return plog_fail_io(err, rc, name, "making the folder");
    }
    return 0;
}

int plog_dir_quarantine(const struct plog_dir *d, const char *stem, char *name,
                        int *fd, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    int rc = d->before_aside ? d->before_aside(d->aside_arg, err) : 0;
    if (!rc)
        rc = plog_dir_folder(d, "quarantine", true, fd, err);
    if (rc)
        return rc;
    long long seconds = io->clock_real_ns(io->ctx) / 1000000000;
    for (unsigned i = 1; i < 10000; i++) {
        snprintf(name, 128, "quarantine/%.60s-%lld-%u", stem, seconds, i);
        rc = look_taken(io, *fd, name + strlen("quarantine/"));
        if (rc == -ENOENT)
            return 0;
        if (rc)
            break;
    }
    io->close(io->ctx, *fd);
    return plog_fail_io(err, rc ? rc : -EEXIST, "quarantine",
                        "finding a free name");
}
