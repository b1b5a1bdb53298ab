/* scrub_lines.c - files of lines, with some of them redacted; see scrub.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "scan_window.h"
#include "scrub.h"

#define FLUSH (256u << 10)
/* A line that is longer is not one of ours: its bytes pass in pieces. */
#define LONGEST (PLOG_LINE_MAX + PLOG_LINE_SLACK)

struct copy {
    const struct plog_io *io;
    int from, to;
    uint64_t at; /* written so far */
    struct plog_buf out;
    const struct plog_scrub_target *targets;
    size_t count;
    bool loose;
    uint64_t hits;
};

static int flush(struct copy *c)
{
    int rc =
        plog_io_write_full(c->io, c->to, c->out.data, c->out.len, c->at, NULL);
    c->at += c->out.len;
    c->out.len = 0;
    return rc;
}

static int put(struct copy *c, struct plog_span bytes)
{
    if (plog_buf_add_span(&c->out, bytes))
        return -ENOMEM;
    return c->out.len >= FLUSH ? flush(c) : 0;
}

/* `,"resource":...,"record_id":...` of the target, as it is written. */
static struct plog_span record_of(const struct plog_scrub_target *t)
{
    static const char from[] = ",\"resource\":", to[] = ",\"op\":";
    const char *end = t->redacted.p + t->redacted.n;
    const char *a = memmem(t->redacted.p, t->redacted.n, from, sizeof from - 1);
    const char *b = a ? memmem(a, (size_t)(end - a), to, sizeof to - 1) : NULL;
    return b ? plog_span(a, (size_t)(b - a)) : plog_span(NULL, 0);
}

/* The line of the target, byte for byte, or one that says it is: of a damaged
 * copy the salt tells, or the seq that it begins with and its record.  A line
 * of another log may have the same seq, and is not touched. */
static bool is_like(const struct plog_scrub_target *t, struct plog_span line,
                    const unsigned char *leaf, bool loose)
{
    char start[40];
    if (plog_span_equal(line, t->redacted))
        return false;
    if (memcmp(leaf, t->leaf, PLOG_HASH_SIZE) == 0)
        return true;
    if (!loose)
        return false;
    int n = snprintf(start, sizeof start, "{\"seq\":%llu,",
                     (unsigned long long)t->seq);
    if (t->salt[0] && memmem(line.p, line.n, t->salt, 24))
        return true;
    struct plog_span record = record_of(t);
    return line.n > (size_t)n && memcmp(line.p, start, (size_t)n) == 0 &&
           record.n && memmem(line.p, line.n, record.p, record.n);
}

static int put_line(struct copy *c, struct plog_span line)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    plog_hash_leaf(line.p, line.n, leaf);
    for (size_t i = 0; i < c->count; i++)
        if (is_like(&c->targets[i], line, leaf, c->loose)) {
            c->hits++;
            return put(c, c->targets[i].redacted);
        }
    return put(c, line);
}

static int copy_all(struct copy *c, uint64_t size)
{
    struct plog_scan s;
    struct plog_span line;
    uint64_t at = 0;
    int rc = 0;
    plog_scan_open(&s, c->io, c->from, size, false, NULL);
    while (!rc && at < size) {
        plog_window_jump(&s, at);
        int got = plog_window_line(&s, at, at, LONGEST, &line);
        if (got < 0) {
            rc = got == PLOG_E_NOMEM ? -ENOMEM : -EIO;
        } else if (got == PLOG_WINDOW_LONG || got == PLOG_WINDOW_PART) {
            /* Without an end: whatever the window holds of it. */
            line = plog_span(s.window.data + (at - s.window_at),
                             s.window.len - (size_t)(at - s.window_at));
            const char *lf = memchr(line.p, '\n', line.n);
            if (lf)
                line.n = (size_t)(lf - line.p);
            rc = put_line(c, line);
            at += line.n;
        } else if (got == PLOG_END) {
            rc = -EIO; /* it shrank under us */
        } else {
            rc = put_line(c, line);
            at += line.n + 1;
            if (!rc)
                rc = put(c, plog_span("\n", 1));
        }
    }
    plog_scan_close(&s);
    return rc ? rc : flush(c);
}

static int install(struct copy *c, int dir, const char *fresh, const char *name)
{
    int rc = c->io->fdatasync(c->io->ctx, c->to);
    if (!rc)
        rc = c->io->rename_at(c->io->ctx, dir, fresh, dir, name, true);
    return rc ? rc : c->io->fsync(c->io->ctx, dir);
}

int plog_scrub_lines(const struct plog_io *io, int dir, const char *name,
                     const struct plog_scrub_target *t, size_t count,
                     bool loose, uint64_t *hits)
{
    struct copy c = {
        .io = io, .to = -1, .targets = t, .count = count, .loose = loose};
    char fresh[200];
    struct plog_stat st;
    *hits = 0;
    if (snprintf(fresh, sizeof fresh, "%s.new", name) >= (int)sizeof fresh)
        return -ENAMETOOLONG;
    c.from = io->open_at(io->ctx, dir, name, O_RDONLY | O_NOFOLLOW, 0);
    if (c.from < 0)
        return c.from;
    plog_buf_init(&c.out, io);
    (void)io->unlink_at(io->ctx, dir, fresh); /* of one that was cut off */
    int rc = io->stat(io->ctx, c.from, &st);
    if (!rc)
        rc = c.to =
            io->open_at(io->ctx, dir, fresh, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (rc >= 0)
        rc = copy_all(&c, st.size);
    if (!rc && c.hits)
        rc = install(&c, dir, fresh, name);
    if (c.to >= 0)
        io->close(io->ctx, c.to);
    if (c.to >= 0 && (rc || !c.hits)) {
        int bad = io->unlink_at(io->ctx, dir, fresh);
        if (!bad)
            bad = io->fsync(io->ctx, dir);
        rc = rc ? rc : bad;
    }
    io->close(io->ctx, c.from);
    plog_buf_fini(&c.out);
    *hits = c.hits;
    return rc;
}
