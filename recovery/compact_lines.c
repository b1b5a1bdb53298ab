/* compact_lines.c - see compact_lines.h. */
#include "compact_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>

#include "io.h"

struct place {
    uint64_t offset; /* in its segment */
    uint64_t sum;
    uint32_t n, segment; /* bytes; index in the list */
};

_Static_assert(sizeof(struct place) == 24, "places have no holes");

static uint64_t sum_of(const struct plog_compact_lines *l,
                       struct plog_span line)
{
    uint64_t sum;
    crypto_shorthash((unsigned char *)&sum, (const unsigned char *)line.p,
                     line.n, l->key);
    return sum;
}

int plog_compact_lines_open(struct plog_compact_lines *l,
                            const struct plog_dir *dir, int scratch,
                            uint64_t first, size_t memory,
                            struct plog_error *err)
{
    const struct plog_io *io = dir->io;
    memset(l, 0, sizeof *l);
    l->dir = dir;
    l->first = first;
    l->memory = memory;
    plog_buf_init(&l->rest, io);
    plog_buf_init(&l->segments, io);
    plog_buf_init(&l->line, io);
    l->fd = io->open_at(io->ctx, scratch, PLOG_COMPACT_LINES_FILE,
                        O_RDWR | O_CREAT | O_EXCL, 0600);
    if (l->fd < 0)
        return plog_fail_io(err, l->fd, PLOG_COMPACT_LINES_FILE,
                            "making a file");
    int rc = io->unlink_at(io->ctx, scratch, PLOG_COMPACT_LINES_FILE);
    if (rc)
        return plog_fail_io(err, rc, PLOG_COMPACT_LINES_FILE,
                            "taking its name away");
    if (io->random(io->ctx, l->key, sizeof l->key))
        return plog_fail(err, PLOG_E_IO, "no randomness for a key");
    return 0;
}

void plog_compact_lines_close(struct plog_compact_lines *l)
{
    if (!l->dir)
        return;
    const struct plog_io *io = l->dir->io;
    for (size_t i = 0; i < PLOG_COMPACT_LINES_OPEN; i++)
        if (l->open[i].segment)
            io->close(io->ctx, l->open[i].fd);
    if (l->fd >= 0)
        io->close(io->ctx, l->fd);
    plog_buf_fini(&l->rest);
    plog_buf_fini(&l->segments);
    plog_buf_fini(&l->line);
    l->dir = NULL;
}

/* ---- Noting ------------------------------------------------------------- */

static int write_rest(struct plog_compact_lines *l, struct plog_error *err)
{
    const struct plog_io *io = l->dir->io;
    int rc = plog_io_write_full(io, l->fd, l->rest.data, l->rest.len,
                                l->written * sizeof(struct place), NULL);
    if (rc)
        return plog_fail_io(err, rc, PLOG_COMPACT_LINES_FILE, "writing it");
    l->written = l->count;
    l->rest.len = 0;
    return 0;
}

int plog_compact_lines_add(struct plog_compact_lines *l, uint64_t segment,
                           uint64_t offset, struct plog_span line,
                           struct plog_error *err)
{
    size_t known = plog_segment_count(&l->segments);
    int rc = 0;
    if (known == 0 || plog_segment_at(&l->segments, known - 1) != segment)
        rc = plog_buf_add(&l->segments, &segment, sizeof segment);
    struct place p = {.offset = offset,
                      .sum = sum_of(l, line),
                      .n = (uint32_t)line.n,
                      .segment =
                          (uint32_t)(plog_segment_count(&l->segments) - 1)};
    if (!rc)
        rc = plog_buf_add(&l->rest, &p, sizeof p);
    if (rc)
        return plog_fail(err, rc, "out of memory");
    l->count++;
    return l->rest.len < l->memory ? 0 : write_rest(l, err);
}

/* ---- Reading again ------------------------------------------------------ */

static int find(struct plog_compact_lines *l, uint64_t seq, struct place *out,
                struct plog_error *err)
{
    const struct plog_io *io = l->dir->io;
    uint64_t i = seq - l->first;
    size_t got = 0;
    if (seq < l->first || i >= l->count)
        return plog_fail(err, PLOG_E_CORRUPT,
                         "a record stands on entry %llu, which was not read",
                         (unsigned long long)seq);
    if (i >= l->written) {
        memcpy(out, l->rest.data + (i - l->written) * sizeof *out, sizeof *out);
        return 0;
    }
    int rc =
        plog_io_pread_full(io, l->fd, out, sizeof *out, i * sizeof *out, &got);
    if (!rc && got != sizeof *out)
        rc = -EIO;
    return rc ? plog_fail_io(err, rc, PLOG_COMPACT_LINES_FILE, "reading it")
              : 0;
}

/* A few segments stay open: each has its place, and another goes. */
static int open_segment(struct plog_compact_lines *l, uint32_t index, int *fd,
                        struct plog_error *err)
{
    const struct plog_io *io = l->dir->io;
    uint64_t segment = plog_segment_at(&l->segments, index);
    size_t at = index % PLOG_COMPACT_LINES_OPEN;
    struct plog_stat id;
    *fd = l->open[at].fd;
    if (l->open[at].segment == segment)
        return 0;
    if (l->open[at].segment)
        io->close(io->ctx, *fd);
    l->open[at].segment = 0;
    int rc = plog_dir_open_segment(l->dir, segment, false, fd, &id, err);
    if (rc)
        return rc;
    l->open[at].segment = segment;
    l->open[at].fd = *fd;
    return 0;
}

int plog_compact_lines_get(struct plog_compact_lines *l, uint64_t seq,
                           struct plog_span *out, struct plog_error *err)
{
    const struct plog_io *io = l->dir->io;
    struct place p;
    size_t got = 0;
    int fd, rc = find(l, seq, &p, err);
    if (!rc)
        rc = open_segment(l, p.segment, &fd, err);
    if (rc)
        return rc;
    l->line.len = 0;
    if (plog_buf_reserve(&l->line, p.n))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    rc = plog_io_pread_full(io, fd, l->line.data, p.n, p.offset, &got);
    if (rc)
        return plog_fail_io(err, rc, "log", "reading a segment");
    *out = plog_span(l->line.data, p.n);
    if (got == p.n && sum_of(l, *out) == p.sum)
        return 0;
    return plog_fail(err, PLOG_E_CORRUPT,
                     "entry %llu is not what it was when it was verified",
                     (unsigned long long)seq);
}
