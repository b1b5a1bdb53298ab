/*
 * scrub_lines.c - files of lines, with some of them redacted; see scrub.h.
 *
 * A file is read once to see whether it has such a line, which writes nothing;
 * one that has is read again, and what it becomes takes its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "gz.h"
#include "scrub.h"

#define CHUNK (64u << 10)
#define FLUSH (256u << 10)
#define LEVEL 6
/* A line that is longer is not one of ours: its bytes pass in pieces. */
#define LONGEST (PLOG_LINE_MAX + PLOG_LINE_SLACK)

/* Lines on their way; without a file they are only looked at. */
struct filter {
    const struct plog_io *io;
    const struct plog_scrub_search *search;
    bool loose, packed;
    uint64_t hits;
    struct plog_buf line; /* begun in a chunk before */
    int to;               /* -1: none */
    uint64_t at;          /* written so far */
    struct plog_buf out;
    struct plog_gz gz; /* in place of both */
};

/* What of our errors an errno says. */
static int as_errno(int rc)
{
    return rc == PLOG_E_NOMEM ? -ENOMEM : rc ? -EIO : 0;
}

/* ---- Writing ------------------------------------------------------------ */

static int flush(struct filter *f)
{
    int rc =
        plog_io_write_full(f->io, f->to, f->out.data, f->out.len, f->at, NULL);
    f->at += f->out.len;
    f->out.len = 0;
    return rc;
}

static int put(struct filter *f, struct plog_span bytes)
{
    if (f->to < 0)
        return 0;
    if (f->packed)
        return as_errno(plog_gz_write(&f->gz, bytes.p, bytes.n, NULL));
    if (plog_buf_add_span(&f->out, bytes))
        return -ENOMEM;
    return f->out.len >= FLUSH ? flush(f) : 0;
}

static int put_line(struct filter *f, struct plog_span line)
{
    const struct plog_scrub_target *t =
        plog_scrub_find_line(f->search, line, f->loose);
    f->hits += t != NULL;
    return put(f, t ? t->redacted : line);
}

/* ---- Reading ------------------------------------------------------------ */

/* The line that began before, if any, and these bytes of it. */
static int end_line(struct filter *f, struct plog_span rest)
{
    if (f->line.len == 0)
        return put_line(f, rest);
    if (plog_buf_add_span(&f->line, rest))
        return -ENOMEM;
    int rc = put_line(f, plog_span(f->line.data, f->line.len));
    f->line.len = 0;
    return rc;
}

static int feed(struct filter *f, const char *p, size_t n)
{
    int rc = 0;
    while (!rc && n) {
        if (*p == '\n' && f->to < 0 && f->line.len == 0) {
            p++; /* an empty line is none, and a gigabyte of them is soon here
                  */
            n--;
            continue;
        }
        const char *lf = memchr(p, '\n', n);
        size_t part = lf ? (size_t)(lf - p) : n;
        if (lf) {
            rc = end_line(f, plog_span(p, part));
            if (!rc)
                rc = put(f, plog_span("\n", 1));
            part++;
        } else if (plog_buf_add(&f->line, p, part)) {
            rc = -ENOMEM;
        } else if (f->line.len > LONGEST) {
            rc = end_line(f, plog_span(NULL, 0));
        }
        p += part;
        n -= part;
    }
    return rc;
}

/* All of the source; to the first hit where nothing is written. */
static int pass_all(struct filter *f, struct plog_scrub_source *s, char *chunk)
{
    size_t got = CHUNK;
    int rc = 0;
    while (!rc && got == CHUNK && (f->to >= 0 || !f->hits)) {
        rc = plog_scrub_source_read(s, chunk, CHUNK, &got);
        if (!rc)
            rc = feed(f, chunk, got);
    }
    if (!rc && f->line.len && (f->to >= 0 || !f->hits))
        rc = end_line(f, plog_span(NULL, 0));
    return rc;
}

/* ---- The file ----------------------------------------------------------- */

static int write_all(struct filter *f, struct plog_scrub_source *s, char *chunk)
{
    f->packed = s->packed;
    f->hits = 0;
    f->line.len = 0;
    int rc = plog_scrub_source_rewind(s);
    if (!rc && f->packed)
        rc = as_errno(plog_gz_create(&f->gz, f->io, f->to, LEVEL, NULL));
    if (!rc)
        rc = pass_all(f, s, chunk);
    if (!rc)
        rc = f->packed ? as_errno(plog_gz_finish(&f->gz, NULL)) : flush(f);
    plog_gz_close(&f->gz);
    return rc ? rc : f->io->fdatasync(f->io->ctx, f->to);
}

static int take_name(const struct plog_scrub_file *file)
{
    const struct plog_io *io = file->io;
    int rc = io->rename_at(io->ctx, file->scratch_dir, file->scratch, file->dir,
                           file->name, true);
    if (!rc)
        rc = io->fsync(io->ctx, file->dir);
    if (!rc && file->scratch_dir != file->dir)
        rc = io->fsync(io->ctx, file->scratch_dir);
    return rc;
}

static int replace(struct filter *f, const struct plog_scrub_file *file,
                   struct plog_scrub_source *s, char *chunk)
{
    const struct plog_io *io = f->io;
    f->to = io->open_at(io->ctx, file->scratch_dir, file->scratch,
                        O_RDWR | O_CREAT | O_EXCL, 0600);
    if (f->to < 0)
        return f->to;
    int rc = write_all(f, s, chunk);
    io->close(io->ctx, f->to);
    if (!rc)
        rc = take_name(file);
    if (rc)
        (void)io->unlink_at(io->ctx, file->scratch_dir, file->scratch);
    return rc;
}

int plog_scrub_rewrite(const struct plog_scrub_file *file,
                       struct plog_scrub_source *s,
                       const struct plog_scrub_search *search, bool loose,
                       uint64_t *hits)
{
    struct filter f = {
        .io = file->io, .search = search, .loose = loose, .to = -1};
    char *chunk = plog_alloc(file->io, CHUNK);
    *hits = 0;
    if (!chunk)
        return -ENOMEM;
    plog_buf_init(&f.line, f.io);
    plog_buf_init(&f.out, f.io);
    int rc = pass_all(&f, s, chunk);
    if (!rc && f.hits)
        rc = replace(&f, file, s, chunk);
    *hits = f.hits;
    plog_buf_fini(&f.out);
    plog_buf_fini(&f.line);
    plog_free(file->io, chunk);
    return rc;
}

int plog_scrub_lines(const struct plog_io *io, int dir, const char *name,
                     const struct plog_scrub_target *t, size_t count,
                     uint64_t *hits)
{
    struct plog_scrub_search search;
    struct plog_scrub_source source;
    char fresh[200];
    struct plog_scrub_file file = {io, dir, name, dir, fresh};
    *hits = 0;
    if (snprintf(fresh, sizeof fresh, "%s.new", name) >= (int)sizeof fresh)
        return -ENAMETOOLONG;
    int rc = plog_scrub_search_init(&search, io, t, count);
    if (rc)
        return rc;
    (void)io->unlink_at(io->ctx, dir, fresh); /* of one that was cut off */
    rc = plog_scrub_source_open(&source, io, dir, name, false);
    if (!rc) {
        rc = plog_scrub_rewrite(&file, &source, &search, false, hits);
        plog_scrub_source_close(&source);
    }
    plog_scrub_search_fini(&search);
    return rc;
}
