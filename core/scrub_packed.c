/*
 * scrub_packed.c - gzip files in quarantine/, with some of their lines
 * redacted; see scrub.h.
 *
 * One of archive/ or snapshots/ that could not be expanded as a whole is there
 * as it was, and users move whole ones there.  Of a damaged one that has such a
 * line, what can be read stays.
 *
 *   NAME.scrub      the text, while it is looked at
 *   NAME.scrub.new  both as plog_scrub_lines makes it,
 *   NAME.new        and packed again, which then takes the name
 *
 * Whoever is killed leaves text that the next one looks through as any other.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "gz.h"
#include "scrub.h"

#define CHUNK (256u << 10)
#define LEVEL 6

struct packed {
    const struct plog_io *io;
    int dir;
    char text[200], fresh[200];
    char *chunk;
};

/* What of our errors an errno says. */
static int as_errno(int rc)
{
    return rc == PLOG_E_NOMEM ? -ENOMEM : rc ? -EIO : 0;
}

static int make(const struct packed *p, const char *name)
{
    (void)p->io->unlink_at(p->io->ctx, p->dir, name); /* of a killed one */
    return p->io->open_at(p->io->ctx, p->dir, name, O_RDWR | O_CREAT | O_EXCL,
                          0600);
}

/* As far as it can be read. */
static int expand(const struct packed *p, int from, int to)
{
    struct plog_gz g;
    uint64_t at = 0;
    size_t got = CHUNK;
    int bad = 0, rc = plog_gz_open(&g, p->io, from, NULL);
    while (!rc && !bad && got == CHUNK) {
        rc = plog_gz_read(&g, p->chunk, CHUNK, &got, NULL);
        if (!rc || rc == PLOG_E_CORRUPT)
            bad = plog_io_write_full(p->io, to, p->chunk, got, at, NULL);
        at += got;
    }
    plog_gz_close(&g);
    return bad ? bad : rc == PLOG_E_CORRUPT ? 0 : as_errno(rc);
}

static int pack(const struct packed *p, int from, int to)
{
    struct plog_gz g;
    uint64_t at = 0;
    size_t got = CHUNK;
    int bad = 0, rc = plog_gz_create(&g, p->io, to, LEVEL, NULL);
    while (!rc && !bad && got == CHUNK) {
        bad = plog_io_pread_full(p->io, from, p->chunk, CHUNK, at, &got);
        if (!bad)
            rc = plog_gz_write(&g, p->chunk, got, NULL);
        at += got;
    }
    if (!rc && !bad)
        rc = plog_gz_finish(&g, NULL);
    plog_gz_close(&g);
    return bad ? bad : as_errno(rc);
}

/* The text of `name`, where plog_scrub_lines takes it on. */
static int write_text(const struct packed *p, const char *name)
{
    const struct plog_io *io = p->io;
    int to = -1;
    int rc = io->open_at(io->ctx, p->dir, name, O_RDONLY | O_NOFOLLOW, 0);
    if (rc < 0)
        return rc;
    int from = rc;
    rc = to = make(p, p->text);
    if (to >= 0) {
        rc = expand(p, from, to);
        io->close(io->ctx, to);
    }
    io->close(io->ctx, from);
    return rc;
}

/* The redacted text, packed, under the name. */
static int install(const struct packed *p, const char *name)
{
    const struct plog_io *io = p->io;
    int to = -1;
    int rc = io->open_at(io->ctx, p->dir, p->text, O_RDONLY | O_NOFOLLOW, 0);
    if (rc < 0)
        return rc;
    int from = rc;
    rc = to = make(p, p->fresh);
    if (to >= 0) {
        rc = pack(p, from, to);
        if (!rc)
            rc = io->fdatasync(io->ctx, to);
        io->close(io->ctx, to);
    }
    io->close(io->ctx, from);
    if (!rc)
        rc = io->rename_at(io->ctx, p->dir, p->fresh, p->dir, name, true);
    if (rc && to >= 0)
        (void)io->unlink_at(io->ctx, p->dir, p->fresh);
    return rc;
}

int plog_scrub_packed(const struct plog_io *io, int dir, const char *name,
                      const struct plog_scrub_target *t, size_t count,
                      uint64_t *hits)
{
    struct packed p = {.io = io, .dir = dir};
    *hits = 0;
    if (snprintf(p.text, sizeof p.text, "%s.scrub", name) >=
            (int)sizeof p.text - 4 ||
        snprintf(p.fresh, sizeof p.fresh, "%s.new", name) < 0)
        return -ENAMETOOLONG;
    p.chunk = plog_alloc(io, CHUNK);
    if (!p.chunk)
        return -ENOMEM;
    int rc = write_text(&p, name);
    if (!rc)
        rc = plog_scrub_lines(io, dir, p.text, t, count, true, hits);
    if (!rc && *hits)
        rc = install(&p, name);
    int bad = io->unlink_at(io->ctx, dir, p.text);
    if (!bad)
        bad = io->fsync(io->ctx, dir);
    plog_free(io, p.chunk);
    return rc ? rc : bad == -ENOENT ? 0 : bad;
}

int plog_scrub_is_packed(const struct plog_io *io, int dir, const char *name,
                         bool *is)
{
    unsigned char magic[2] = {0};
    size_t got = 0;
    int fd = io->open_at(io->ctx, dir, name, O_RDONLY | O_NOFOLLOW, 0);
    *is = false;
    if (fd < 0)
        return fd;
    int rc = plog_io_pread_full(io, fd, magic, sizeof magic, 0, &got);
    io->close(io->ctx, fd);
    *is = !rc && got == sizeof magic && magic[0] == 0x1f && magic[1] == 0x8b;
    return rc;
}
