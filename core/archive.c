/* archive.c - see archive.h. */
#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "gz.h"

#define CHUNK 65536
#define PART ".new"
#define LEVEL 6 /* lines are much alike */

void plog_archive_name(uint64_t first, char out[PLOG_ARCHIVE_NAME])
{
    plog_segment_name(first, out);
    memcpy(out + PLOG_SEGMENT_NAME - 1, ".gz", 4);
}

uint64_t plog_archive_parse(const char *name)
{
    char segment[PLOG_SEGMENT_NAME];
    if (strlen(name) != PLOG_ARCHIVE_NAME - 1 ||
        strcmp(name + PLOG_SEGMENT_NAME - 1, ".gz") != 0)
        return 0;
    memcpy(segment, name, sizeof segment - 1);
    segment[sizeof segment - 1] = '\0';
    return plog_segment_parse(segment);
}

int plog_archive_dir(const struct plog_dir *d, bool make, int *fd,
                     struct plog_error *err)
{
    return plog_dir_folder(d, PLOG_ARCHIVE_DIR, make, fd, err);
}

struct listing {
    struct plog_buf *list;
    int rc;
};

static int each_name(void *arg, const char *name)
{
    struct listing *l = arg;
    uint64_t first = plog_archive_parse(name);
    if (first)
        l->rc = plog_buf_add(l->list, &first, sizeof first);
    return l->rc;
}

int plog_archive_segments(const struct plog_dir *d, struct plog_buf *list,
                          struct plog_error *err)
{
    struct listing l = {list, 0};
    int fd, rc = plog_archive_dir(d, false, &fd, err);
    if (rc)
        return rc == PLOG_END ? 0 : rc;
    rc = d->io->list(d->io->ctx, fd, each_name, &l);
    d->io->close(d->io->ctx, fd);
    if (l.rc)
        return plog_fail(err, l.rc, "out of memory");
    return rc < 0 ? plog_fail_io(err, rc, PLOG_ARCHIVE_DIR, "listing") : 0;
}

int plog_archive_has(const struct plog_dir *d, uint64_t first, bool *has,
                     struct plog_error *err)
{
    char name[PLOG_ARCHIVE_NAME];
    struct plog_stat st;
    int dir, rc = plog_archive_dir(d, false, &dir, err);
    *has = false;
    if (rc)
        return rc == PLOG_END ? 0 : rc;
    plog_archive_name(first, name);
    rc = d->io->stat_at(d->io->ctx, dir, name, &st);
    d->io->close(d->io->ctx, dir);
    *has = rc == 0;
    return rc && rc != -ENOENT
               ? plog_fail_io(err, rc, PLOG_ARCHIVE_DIR, "looking for a file")
               : 0;
}

/* ---- Expanding ---------------------------------------------------------- */

/* Makes a file and takes its name away again.  A name that stays would be a
 * copy of the segment that nobody knows of; that making it failed does not mean
 * that it is not there. */
static int make_nameless(const struct plog_io *io, int dir, const char *name)
{
    int fd = io->open_at(io->ctx, dir, name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd == -EEXIST)
        return fd;
    int rc = io->unlink_at(io->ctx, dir, name);
    if (fd < 0 || !rc)
        return fd;
    io->close(io->ctx, fd);
    io->unlink_at(io->ctx, dir, name);
    return rc;
}

static int damaged(uint64_t first, int rc, struct plog_error *err)
{
    char shown[PLOG_SEGMENT_FILE];
    plog_segment_file(first, true, shown);
    plog_err_file(err, shown);
    if (rc == PLOG_E_CORRUPT)
        plog_err_hint(err, PLOG_ARCHIVE_HINT);
    return rc;
}

int plog_archive_open_packed(const struct plog_dir *d, uint64_t first, int *fd,
                             struct plog_error *err)
{
    char name[PLOG_ARCHIVE_NAME];
    int dir, rc = plog_archive_dir(d, false, &dir, err);
    if (rc < 0)
        return rc;
    *fd = -ENOENT;
    if (!rc) {
        plog_archive_name(first, name);
        *fd = plog_io_open_regular(d->io, dir, name, O_RDONLY);
        d->io->close(d->io->ctx, dir);
    }
    if (*fd == -ENOENT) {
        plog_fail(err, PLOG_E_CORRUPT, "the segment is missing");
        return damaged(first, PLOG_E_CORRUPT, err);
    }
    if (*fd >= 0)
        return 0;
    if (!plog_io_says_odd(*fd))
        return plog_fail_io(err, *fd, PLOG_ARCHIVE_DIR, "opening a segment");
    plog_fail(err, PLOG_E_CORRUPT, "not a regular file with one link");
    return damaged(first, PLOG_E_CORRUPT, err);
}

int plog_archive_expand(const struct plog_io *io, int from, int to,
                        const char *shown, bool compare, struct plog_error *err)
{
    struct plog_gz g;
    uint64_t at = 0;
    char *two = plog_alloc(io, 2 * (size_t)CHUNK);
    if (!two)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    int rc = plog_gz_open(&g, io, from, err);
    size_t got = CHUNK, have = 0;
    while (!rc && got == CHUNK) {
        rc = plog_gz_read(&g, two, CHUNK, &got, err);
        int bad = 0;
        if (!rc && compare)
            bad = plog_io_pread_full(io, to, two + CHUNK, CHUNK, at, &have);
        else if (!rc)
            bad = plog_io_write_full(io, to, two, got, at, NULL);
        if (bad)
            rc = plog_fail_io(err, bad, shown,
                              compare ? "reading what an archive is compared"
                                        " with"
                                      : "expanding a compressed file");
        else if (!rc && compare &&
                 (have != got || memcmp(two, two + CHUNK, got) != 0))
            rc = plog_fail(err, PLOG_E_CORRUPT,
                           "the archived segment is not the one of the log");
        at += got;
    }
    plog_gz_close(&g);
    plog_free(io, two);
    return rc;
}

/* Expands into a file that vanishes with its handle.
 * @elsewhere  out: that place cannot be written to, or is full
 * Returns the descriptor, or an error in `err`, which is not NULL. */
static int expand_at(const struct plog_io *io, int dir, const char *name,
                     int from, bool *elsewhere, struct plog_error *err)
{
    int rc, to = make_nameless(io, dir, name);
    *elsewhere = to == -EROFS || to == -EACCES || to == -EPERM;
    if (to < 0)
        rc = plog_fail_io(err, to, NULL, "making a file");
    else
        rc = plog_archive_expand(io, from, to, NULL, false, err);
    *elsewhere |= rc && plog_err_no_room(err);
    if (rc && to >= 0)
        io->close(io->ctx, to);
    return rc ? rc : to;
}

/* Beside the archive, or in /tmp: who reads a log because its disk is full must
 * not need room on it. */
static int expand(const struct plog_dir *d, int from, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    struct plog_error why;
    unsigned char r[8];
    char name[64];
    bool elsewhere = true;
    int dir, fd = -1;
    if (io->random(io->ctx, r, sizeof r))
        return plog_fail(err, PLOG_E_IO, "no randomness for a name");
    snprintf(name, sizeof name,
             "/tmp/paritylog-%02x%02x%02x%02x%02x%02x%02x%02x.tmp", r[0], r[1],
             r[2], r[3], r[4], r[5], r[6], r[7]);
    if (plog_archive_dir(d, false, &dir, NULL) == 0) {
        fd = expand_at(io, dir, name + strlen("/tmp/"), from, &elsewhere, &why);
        io->close(io->ctx, dir);
    }
    if (elsewhere)
        fd = expand_at(io, AT_FDCWD, name, from, &elsewhere, &why);
    if (fd >= 0)
        return fd;
    if (elsewhere) {
        struct plog_error last = why;
        plog_fail(&why, PLOG_E_IO,
                  "there is no place to expand it, in archive/ or in /tmp: %s",
                  last.message);
        plog_err_hint(&why, "make room in /tmp, or on the disk of DIR, and"
                            " delete nothing of DIR for it");
    }
    if (err)
        *err = why;
    return why.code;
}

int plog_archive_open(const struct plog_dir *d, uint64_t first, int *fd,
                      struct plog_stat *id, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    int from, to, rc = plog_archive_open_packed(d, first, &from, err);
    if (rc)
        return rc;
    to = expand(d, from, err);
    rc = to < 0 ? to : 0;
    io->close(io->ctx, from);
    if (!rc && io->stat(io->ctx, to, id))
        rc = plog_fail(err, PLOG_E_IO, "looking at an expanded segment failed");
    if (rc && to >= 0)
        io->close(io->ctx, to);
    if (!rc)
        *fd = to;
    return rc ? damaged(first, rc, err) : 0;
}

/* ---- To the archive and back -------------------------------------------- */

static int pack(const struct plog_io *io, int from, int to,
                struct plog_error *err)
{
    struct plog_gz g;
    uint64_t at = 0;
    size_t got = CHUNK;
    char *chunk = plog_alloc(io, CHUNK);
    if (!chunk)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    int rc = plog_gz_create(&g, io, to, LEVEL, err);
    while (!rc && got == CHUNK) {
        int bad = plog_io_pread_full(io, from, chunk, CHUNK, at, &got);
        rc = bad ? plog_fail_io(err, bad, "log", "reading a segment")
                 : plog_gz_write(&g, chunk, got, err);
        at += got;
    }
    if (!rc)
        rc = plog_gz_finish(&g, err);
    plog_gz_close(&g);
    plog_free(io, chunk);
    return rc;
}

/* Whether the archive holds this very segment already. */
static bool is_there(const struct plog_dir *d, uint64_t first, int segment,
                     uint64_t *bytes)
{
    struct plog_stat st = {0};
    int fd;
    if (plog_archive_open_packed(d, first, &fd, NULL))
        return false;
    bool same =
        plog_archive_expand(d->io, fd, segment, "log", true, NULL) == 0 &&
        d->io->stat(d->io->ctx, fd, &st) == 0;
    d->io->close(d->io->ctx, fd);
    if (bytes)
        *bytes = st.size;
    return same;
}

int plog_archive_is_copy(const struct plog_dir *d, uint64_t first, bool *same,
                         struct plog_error *err)
{
    struct plog_dir plain = *d;
    struct plog_stat id;
    struct plog_error why;
    int segment, fd;
    plain.with_archive = false;
    int rc = plog_dir_open_segment(&plain, first, false, &segment, &id, err);
    if (rc)
        return rc;
    rc = plog_archive_open_packed(d, first, &fd, &why);
    if (!rc) {
        rc = plog_archive_expand(d->io, fd, segment, "log", true, &why);
        d->io->close(d->io->ctx, fd);
    }
    d->io->close(d->io->ctx, segment);
    *same = rc == 0;
    if (rc && rc != PLOG_E_CORRUPT && err)
        *err = why;
    return rc == PLOG_E_CORRUPT ? 0 : rc;
}

/* What has the name and is another segment keeps its bytes: also where looking
 * for it failed, or it came to be there behind the look. */
static int give_name(const struct plog_dir *d, int dir, const char *part,
                     const char *name, bool *aside, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    struct plog_stat st;
    char kept[128];
    int bad = io->stat_at(io->ctx, dir, name, &st), rc = 0;
    if (bad && bad != -ENOENT)
        return plog_fail_io(err, bad, PLOG_ARCHIVE_DIR, "looking for a file");
    *aside = bad == 0;
    if (*aside)
        rc = plog_archive_aside(d, dir, name, kept, err);
    bad = rc ? 0 : io->rename_at(io->ctx, dir, part, dir, name, false);
    return bad ? plog_fail_io(err, bad, PLOG_ARCHIVE_DIR, "naming a segment")
               : rc;
}

/* Compresses into NAME.new, syncs, reads it again, renames. */
static int put(const struct plog_dir *d, int dir, uint64_t first, int segment,
               uint64_t *bytes, bool *aside, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    char name[PLOG_ARCHIVE_NAME], part[PLOG_ARCHIVE_NAME + sizeof PART];
    struct plog_stat st = {0};
    plog_archive_name(first, name);
    snprintf(part, sizeof part, "%s" PART, name);
    io->unlink_at(io->ctx, dir, part);
    int fd = io->open_at(io->ctx, dir, part, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return plog_fail_io(err, fd, PLOG_ARCHIVE_DIR, "making a file");
    int rc = pack(io, segment, fd, err), bad = 0;
    if (!rc && (bad = io->fdatasync(io->ctx, fd)) != 0)
        rc = plog_fail_io(err, bad, PLOG_ARCHIVE_DIR, "syncing a segment");
    if (!rc)
        rc = plog_archive_expand(io, fd, segment, "log", true, err);
    if (!rc && io->stat(io->ctx, fd, &st) == 0 && bytes)
        *bytes = st.size;
    io->close(io->ctx, fd);
    if (!rc)
        rc = give_name(d, dir, part, name, aside, err);
    if (rc)
        io->unlink_at(io->ctx, dir, part);
    return rc;
}

int plog_archive_segment(const struct plog_dir *d, uint64_t first,
                         uint64_t *bytes, bool *aside, struct plog_error *err)
{
    struct plog_dir plain = *d;
    bool moved = false;
    struct plog_stat id;
    int segment, dir, bad = 0;
    plain.with_archive = false;
    int rc = plog_dir_open_segment(&plain, first, false, &segment, &id, err);
    if (rc)
        return rc;
    rc = plog_archive_dir(d, true, &dir, err);
    if (!rc) {
        if (!is_there(d, first, segment, bytes))
            rc = put(d, dir, first, segment, bytes, &moved, err);
        /* A name that was there already may be in memory alone. */
        if (!rc && (bad = d->io->fsync(d->io->ctx, dir)) != 0)
            rc = plog_fail_io(err, bad, PLOG_ARCHIVE_DIR, "syncing the folder");
        d->io->close(d->io->ctx, dir);
    }
    d->io->close(d->io->ctx, segment);
    if (aside)
        *aside = moved;
    return rc;
}

/* Expands into NAME.new in log/, syncs, renames. */
static int bring(const struct plog_dir *d, uint64_t first, const char *name,
                 struct plog_error *err)
{
    const struct plog_io *io = d->io;
    char part[PLOG_SEGMENT_NAME + sizeof PART];
    int from, bad = 0, rc = plog_archive_open_packed(d, first, &from, err);
    if (rc)
        return rc;
    snprintf(part, sizeof part, "%s" PART, name);
    io->unlink_at(io->ctx, d->log, part);
    int fd =
        io->open_at(io->ctx, d->log, part, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        rc = plog_fail_io(err, fd, "log", "making a file");
    if (!rc)
        rc = plog_archive_expand(io, from, fd, "log", false, err);
    if (rc == PLOG_E_CORRUPT)
        damaged(first, rc, err);
    if (!rc && (bad = io->fdatasync(io->ctx, fd)) != 0)
        rc = plog_fail_io(err, bad, "log", "syncing a segment");
    if (fd >= 0)
        io->close(io->ctx, fd);
    io->close(io->ctx, from);
    if (!rc &&
        (bad = io->rename_at(io->ctx, d->log, part, d->log, name, false)) != 0)
        rc = plog_fail_io(err, bad, "log", "naming a segment");
    if (rc)
        io->unlink_at(io->ctx, d->log, part);
    return rc;
}

int plog_archive_restore(const struct plog_dir *d, uint64_t first,
                         bool *brought, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    char name[PLOG_SEGMENT_NAME];
    struct plog_stat st;
    *brought = false;
    plog_segment_name(first, name);
    int bad = io->stat_at(io->ctx, d->log, name, &st), rc = 0;
    if (bad && bad != -ENOENT)
        return plog_fail_io(err, bad, name, "looking for a segment");
    if (bad)
        rc = bring(d, first, name, err);
    *brought = bad && !rc;
    /* A name that was there already may be in memory alone. */
    if (!rc && (bad = io->fsync(io->ctx, d->log)) != 0)
        rc = plog_fail_io(err, bad, "log", "syncing the folder");
    return rc;
}
