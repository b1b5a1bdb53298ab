/* find_line.c - see find_line.h. */
#include "find_line.h"

#include "line.h"

#define LINE_LONGEST (PLOG_LINE_MAX + PLOG_LINE_SLACK)

struct file {
    const struct plog_io *io;
    int fd;
    uint64_t limit;
    struct plog_buf buf;
};

/* Reads the line that starts at `at` into the buffer.  PLOG_END at the
 * limit. */
static int read_line(struct file *f, uint64_t at, struct plog_span *line)
{
    size_t n = 4096;
    f->buf.len = 0;
    if (at >= f->limit)
        return PLOG_END;
    for (;;) {
        size_t got = 0, want = f->limit - at < n ? (size_t)(f->limit - at) : n;
        int rc = plog_buf_reserve(&f->buf, want);
        if (rc)
            return rc;
        if (plog_io_pread_full(f->io, f->fd, f->buf.data, want, at, &got))
            return PLOG_E_IO;
        const char *lf = got ? memchr(f->buf.data, '\n', got) : NULL;
        if (lf) {
            *line = plog_span(f->buf.data, (size_t)(lf - f->buf.data));
            return 0;
        }
        if (got < n || n > LINE_LONGEST)
            return PLOG_E_CORRUPT;
        n *= 4;
    }
}

/* The start of the first line that begins behind `at`. */
static int next_start(struct file *f, uint64_t at, uint64_t *start)
{
    struct plog_span rest;
    int rc = read_line(f, at, &rest);
    if (!rc)
        *start = at + rest.n + 1;
    return rc;
}

/* The seq that an entry line starts with; 0 for another kind of line. */
static uint64_t seq_of(struct plog_span line)
{
    const char *comma;
    uint64_t seq = 0;
    if (plog_line_kind(line) != PLOG_LINE_ENTRY ||
        !(comma = memchr(line.p, ',', line.n)))
        return 0;
    const char *digits = line.p + strlen("{\"seq\":");
    if (plog_u64_parse(plog_span(digits, (size_t)(comma - digits)), &seq))
        return 0;
    return seq;
}

/* Halves until few bytes are left; the wanted line starts at or behind
 * `*low`. */
static int bisect(struct file *f, uint64_t seq, uint64_t *low)
{
    uint64_t high = f->limit, start;
    struct plog_span line;
    *low = 0;
    while (high - *low > 8192) {
        uint64_t mid = *low + (high - *low) / 2, found = 0;
        int rc = next_start(f, mid, &start);
        while (!rc && start < high) {
            rc = read_line(f, start, &line);
            if (rc)
                break;
            found = seq_of(line);
            if (found)
                break;
            start += line.n + 1;
        }
        if (rc < 0)
            return rc;
        if (found == 0 || found > seq)
            high = mid;
        else
            *low = start;
        if (found == seq)
            break;
    }
    return 0;
}

static int find(struct file *f, uint64_t seq, struct plog_buf *out)
{
    struct plog_span line;
    uint64_t at;
    int rc = bisect(f, seq, &at);
    while (!rc) {
        rc = read_line(f, at, &line);
        if (rc)
            break;
        uint64_t found = seq_of(line);
        if (found == seq)
            return plog_buf_add_span(out, line);
        if (found > seq)
            return PLOG_E_CORRUPT;
        at += line.n + 1;
    }
    return rc == PLOG_END ? PLOG_E_CORRUPT : rc;
}

/* ---- The segment -------------------------------------------------------- */

static void leave(struct plog_finder *f)
{
    if (f->first)
        f->dir->io->close(f->dir->io->ctx, f->fd);
    f->first = 0;
}

void plog_finder_close(struct plog_finder *f)
{
    leave(f);
    if (f->listed)
        plog_buf_fini(&f->segments);
    f->listed = false;
}

int plog_finder_segment(struct plog_finder *f, uint64_t seq, uint64_t *first,
                        struct plog_error *err)
{
    *first = 0;
    if (!f->listed) {
        plog_buf_init(&f->segments, f->dir->io);
        int rc = plog_dir_segments(f->dir, &f->segments, err);
        if (rc) {
            plog_buf_fini(&f->segments);
            return rc;
        }
        f->listed = true;
    }
    size_t n = plog_segment_count(&f->segments), behind = n;
    if (seq < UINT64_MAX)
        behind = plog_first_from(f->segments.data, n, sizeof seq, 0, seq + 1);
    if (behind)
        *first = plog_segment_at(&f->segments, behind - 1);
    return 0;
}

int plog_find_segment(const struct plog_dir *dir, uint64_t seq, uint64_t *first,
                      struct plog_error *err)
{
    struct plog_finder f = {.dir = dir};
    int rc = plog_finder_segment(&f, seq, first, err);
    plog_finder_close(&f);
    return rc;
}

/* Opens the segment that holds `seq`, unless that is the one at hand. */
static int go_to(struct plog_finder *f, uint64_t seq, struct plog_error *err)
{
    uint64_t first;
    int rc = plog_finder_segment(f, seq, &first, err);
    if (!rc && first == 0)
        rc = plog_fail(err, PLOG_E_CORRUPT, "no segment holds entry %llu",
                       (unsigned long long)seq);
    if (rc || first == f->first)
        return rc;
    leave(f);
    rc = plog_dir_open_segment(f->dir, first, false, &f->fd, &f->id, err);
    f->first = rc ? 0 : first;
    return rc;
}

int plog_finder_line(struct plog_finder *finder, uint64_t segment,
                     uint64_t offset, uint64_t seq, struct plog_buf *out,
                     struct plog_error *err)
{
    const struct plog_io *io = finder->dir->io;
    struct file f = {.io = io};
    int rc = go_to(finder, seq, err);
    if (rc)
        return rc;
    f.fd = finder->fd;
    f.limit = finder->first == segment && offset < finder->id.size
                  ? offset
                  : finder->id.size;
    plog_buf_init(&f.buf, io);
    rc = find(&f, seq, out);
    plog_buf_fini(&f.buf);
    if (rc) {
        plog_fail(err, rc, "entry %llu is not where the log must hold it",
                  (unsigned long long)seq);
        plog_err_seq(err, seq);
        plog_err_hint(err, "run: paritylog verify DIR");
    }
    return rc;
}

int plog_find_line(const struct plog_dir *dir, uint64_t segment,
                   uint64_t offset, uint64_t seq, struct plog_buf *out,
                   struct plog_error *err)
{
    struct plog_finder f = {.dir = dir};
    int rc = plog_finder_line(&f, segment, offset, seq, out, err);
    plog_finder_close(&f);
    return rc;
}
