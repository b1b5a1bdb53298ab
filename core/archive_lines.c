/* archive_lines.c - see archive_lines.h. */
#include "archive_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "line.h"
#include "snapshot_names.h"

#define CHUNK 65536

static void begin(struct plog_archive_lines *l, const struct plog_dir *d,
                  const char *folder, uint64_t first)
{
    memset(l, 0, sizeof *l);
    l->io = d->io;
    l->folder = folder;
    l->first = first;
    l->fd = -1;
    plog_buf_init(&l->text, d->io);
}

int plog_archive_lines_open(struct plog_archive_lines *l,
                            const struct plog_dir *d, uint64_t first,
                            struct plog_error *err)
{
    int fd;
    begin(l, d, PLOG_ARCHIVE_DIR, first);
    l->packed = true;
    int rc = plog_archive_open_packed(d, first, &fd, err);
    if (rc)
        return rc;
    l->fd = fd;
    return plog_gz_open(&l->gz, d->io, fd, err);
}

int plog_segment_lines_open(struct plog_archive_lines *l,
                            const struct plog_dir *d, uint64_t first,
                            struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    begin(l, d, "log", first);
    plog_segment_name(first, name);
    int fd = d->log < 0 ? -ENOENT
                        : plog_io_open_regular(d->io, d->log, name, O_RDONLY);
    if (fd == -ENOENT)
        return plog_archive_lines_open(l, d, first, err);
    if (plog_io_says_odd(fd))
        return plog_archive_lines_odd(l, "is not a regular file with one link",
                                      err);
    if (fd < 0)
        return plog_fail_segment(err, fd, first, "opening a segment");
    l->fd = fd;
    return 0;
}

int plog_snapshot_lines_open(struct plog_archive_lines *l,
                             const struct plog_dir *d, uint64_t floor,
                             struct plog_error *err)
{
    char name[PLOG_SNAPSHOT_NAME];
    int dir, fd = -ENOENT;
    begin(l, d, PLOG_SNAPSHOT_DIR, floor);
    l->packed = true;
    plog_snapshot_name(floor, name);
    int rc = plog_snapshot_dir(d, false, &dir, err);
    if (rc < 0)
        return rc;
    if (!rc) {
        fd = plog_io_open_regular(d->io, dir, name, O_RDONLY);
        d->io->close(d->io->ctx, dir);
    }
    if (fd == -ENOENT || plog_io_says_odd(fd))
        return plog_archive_lines_odd(l, "is missing, or no file", err);
    if (fd < 0)
        return plog_fail_io(err, fd, PLOG_SNAPSHOT_DIR, "opening a snapshot");
    l->fd = fd;
    return plog_gz_open(&l->gz, d->io, fd, err);
}

void plog_archive_lines_close(struct plog_archive_lines *l)
{
    if (!l->io)
        return;
    if (l->fd >= 0)
        l->io->close(l->io->ctx, l->fd);
    plog_gz_close(&l->gz);
    plog_buf_fini(&l->text);
    l->io = NULL;
}

/* The file, relative to the directory. */
static void name_file(const struct plog_archive_lines *l, char shown[64])
{
    char name[PLOG_SNAPSHOT_NAME];
    if (strcmp(l->folder, PLOG_SNAPSHOT_DIR) != 0) {
        plog_segment_file(l->first, l->packed, shown);
        return;
    }
    plog_snapshot_name(l->first, name);
    snprintf(shown, 64, "%s/%s", l->folder, name);
}

int plog_archive_lines_odd(const struct plog_archive_lines *l, const char *what,
                           struct plog_error *err)
{
    char shown[64];
    name_file(l, shown);
    plog_fail(err, PLOG_E_CORRUPT, "a file %s", what);
    plog_err_file(err, shown);
    return PLOG_E_CORRUPT;
}

/* One more part of the text, behind what is left of it.  Whatever ends it is
 * kept until that was given out. */
static int more(struct plog_archive_lines *l, struct plog_error *err)
{
    char shown[64];
    size_t got = 0;
    if (l->at)
        memmove(l->text.data, l->text.data + l->at, l->text.len - l->at);
    l->text.len -= l->at;
    l->at = 0;
    if (plog_buf_reserve(&l->text, CHUNK))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    char *to = l->text.data + l->text.len;
    int bad = 0;
    if (l->packed)
        l->ended = plog_gz_read(&l->gz, to, CHUNK, &got, &l->why);
    else
        bad = plog_io_pread_full(l->io, l->fd, to, CHUNK, l->offset, &got);
    if (bad)
        l->ended = plog_fail_io(&l->why, bad, NULL, "reading a segment");
    name_file(l, shown);
    if (l->ended)
        plog_err_file(&l->why, shown);
    else if (got < CHUNK)
        l->ended = PLOG_END;
    l->offset += got;
    l->text.len += got;
    return 0;
}

int plog_archive_lines_next(struct plog_archive_lines *l, size_t max,
                            struct plog_span *line, struct plog_error *err)
{
    size_t seen = 0;
    for (;;) {
        size_t have = l->text.len - l->at;
        const char *from = have ? l->text.data + l->at : "";
        const char *lf = memchr(from + seen, '\n', have - seen);
        size_t n = lf ? (size_t)(lf - from) : have;
        if (n > max)
            return plog_archive_lines_odd(l, "has a line that is too long",
                                          err);
        if (lf) {
            *line = plog_span(from, n);
            l->at += n + 1;
            return 0;
        }
        if (l->ended == PLOG_END && n)
            return plog_archive_lines_odd(l, "ends inside a line", err);
        if (l->ended && l->ended != PLOG_END && err)
            *err = l->why;
        if (l->ended)
            return l->ended;
        seen = have;
        int rc = more(l, err);
        if (rc)
            return rc;
    }
}

int plog_archive_lines_header(struct plog_archive_lines *l,
                              struct plog_segment_header *out,
                              struct plog_error *err)
{
    struct plog_span line;
    struct plog_json json;
    int rc = plog_archive_lines_next(l, PLOG_HEADER_MOST, &line, err);
    if (rc == PLOG_END)
        return plog_archive_lines_odd(l, "ends before its header", err);
    if (rc)
        return rc;
    plog_json_init(&json, l->io);
    rc = plog_header_parse(&json, line, out);
    plog_json_fini(&json);
    if (rc == PLOG_E_NOMEM)
        return plog_fail(err, rc, "out of memory");
    return rc ? plog_archive_lines_odd(l, "has no header", err) : 0;
}

uint64_t plog_segment_lines_end(const struct plog_dir *d, uint64_t first,
                                uint64_t last)
{
    struct plog_archive_lines l;
    struct plog_commit c = {0};
    struct plog_span line;
    uint64_t size = first - 1;
    enum plog_line_kind kind, before = PLOG_LINE_SEGMENT;
    int rc = plog_segment_lines_open(&l, d, first, NULL);
    if (!rc)
        rc = plog_archive_lines_next(&l, PLOG_HEADER_MOST, &line, NULL);
    while (!rc && (rc = plog_archive_lines_next(&l, PLOG_LINE_LONGEST, &line,
                                                NULL)) == 0) {
        kind = plog_line_kind(line);
        if (kind == PLOG_LINE_ENTRY
                ? size++ >= last
                : kind != PLOG_LINE_COMMIT || before != PLOG_LINE_ENTRY ||
                      plog_commit_parse(line, &c) != 0)
            break;
        before = kind;
    }
    plog_archive_lines_close(&l);
    return rc == PLOG_END && before == PLOG_LINE_COMMIT ? c.size : 0;
}
