/* feed.c - see feed.h. */
#include "feed.h"

#define BATCH_BYTES ((size_t)256 << 10)
#define FEED_WAITING_MAX ((size_t)1 << 20)
#define PARSED_MAX 512u /* of a batch */
#define TEXT_KEPT ((size_t)1 << 20)
#define SYNC_BYTES ((size_t)8 << 20)

/* ---- Making batches ----------------------------------------------------- */

static void init(struct plog_batch *b, const struct plog_io *io)
{
    plog_buf_init(&b->text, io);
    plog_buf_init(&b->lines, io);
    plog_buf_init(&b->parsed, io);
    plog_buf_init(&b->groups, io);
}

static void fini(struct plog_batch *b)
{
    plog_buf_fini(&b->text);
    plog_buf_fini(&b->lines);
    plog_buf_fini(&b->parsed);
    plog_buf_fini(&b->groups);
}

static void empty(struct plog_batch *b)
{
    b->text.len = b->lines.len = b->parsed.len = b->groups.len = 0;
}

/* The text that counts of entry `seq`: where an order came along and the line
 * is whole, for a file of the log came back from a copy, what the order left.
 * Returns 1 when it is that one. */
static int text_of(struct plog_feed *f, uint64_t seq, struct plog_span *text)
{
    struct plog_orders *o = &f->walk->orders;
    int is = o->in_force
                 ? plog_orders_redact(o, &f->parser, seq, *text, &f->redacted)
                 : 0;
    if (is > 0)
        *text = plog_span(f->redacted.data, f->redacted.len);
    return is;
}

static int add_line(struct plog_feed *f, struct plog_batch *b, uint64_t seq,
                    size_t i)
{
    const struct plog_scan *s = &f->walk->scan;
    struct plog_span text = plog_scan_text(s, i);
    int is = text_of(f, seq, &text);
    struct plog_feed_line l = {b->text.len, text.n, 0, *plog_scan_sketch(s, i)};
    if (is)
        memset(&l.sketch, 0, sizeof l.sketch);
    int rc = is < 0 ? is : plog_buf_add_span(&b->text, text);
    return rc ? rc : plog_buf_add(&b->lines, &l, sizeof l);
}

static int add_group(struct plog_feed *f, struct plog_batch *b,
                     const struct plog_log_group *g)
{
    const struct plog_walk *w = f->walk;
    struct plog_feed_group to = {.size = g->size,
                                 .segment = w->first,
                                 .end = g->end,
                                 .count = g->count,
                                 .commit_n = g->commit_line.n};
    int rc = plog_buf_reserve(&b->text, (size_t)(g->end - g->begin));
    for (size_t i = 0; !rc && i < g->count; i++)
        rc = add_line(f, b, g->first + i, i);
    to.commit_at = b->text.len;
    if (!rc)
        rc = plog_buf_add_span(&b->text, g->commit_line);
    if (!rc)
        rc = plog_buf_add(&b->groups, &to, sizeof to);
    b->tree = w->chain.tree;
    b->commit = g->commit;
    b->walked = w->bytes + w->scan.offset;
    memcpy(b->origin, w->chain.origin, sizeof b->origin);
    return rc;
}

/* Unusual lines, here, where the text of the batch does not move any more; but
 * none with texts that need unescaping. */
static int parse(struct plog_feed *f, struct plog_batch *b)
{
    struct plog_feed_line *l = (void *)b->lines.data;
    size_t left = b->lines.len / sizeof *l, count = 0;
    struct plog_entry e;
    for (; left && count < PARSED_MAX; left--, l++) {
        if (l->sketch.seq)
            continue;
        struct plog_span line = plog_span(b->text.data + l->at, l->n);
        int rc = plog_entry_read(&f->parser, line, &e, NULL);
        if (!rc && f->parser.decoded.len == 0) {
            rc = plog_buf_add(&b->parsed, &e, sizeof e);
            l->parsed = ++count;
        }
        if (rc == PLOG_E_NOMEM)
            return rc;
    }
    return 0;
}

int plog_feed_entry(const struct plog_batch *b, size_t i,
                    struct plog_entry_parser *p, struct plog_span *line,
                    struct plog_entry *out, struct plog_error *err)
{
    const struct plog_feed_line *l = (const void *)b->lines.data;
    l += i;
    *line = plog_span(b->text.data + l->at, l->n);
    if (!l->sketch.seq && !l->parsed)
        return plog_entry_read(p, *line, out, err);
    if (l->sketch.seq)
        plog_sketch_entry(&l->sketch, *line, out);
    else
        memcpy(out, b->parsed.data + (l->parsed - 1) * sizeof *out,
               sizeof *out);
    return 0;
}

static int next_group(struct plog_feed *f, struct plog_log_group *g)
{
    return f->end ? plog_legs_end_next(f->walk, f->end, g, &f->err)
                  : plog_walk_next(f->walk, g, &f->err);
}

/* Groups up to a size, or up to where the log takes another name. */
static int fill(struct plog_feed *f, struct plog_batch *b)
{
    struct plog_log_group g;
    char origin[PLOG_ORIGIN_MAX + 1];
    memcpy(origin, f->walk->chain.origin, sizeof origin);
    while (b->text.len < BATCH_BYTES) {
        int rc = next_group(f, &g);
        if (rc)
            return rc;
        if (f->to && g.size > f->to) {
            f->beyond = true;
            return 0;
        }
        rc = add_group(f, b, &g);
        if (rc)
            empty(b); /* the group may be there in part */
        if (rc)
            return plog_orders_brought_fail(&f->walk->orders, rc, &f->err);
        if (strcmp(origin, f->walk->chain.origin) != 0)
            break;
    }
    return 0;
}

static int to_the_end(struct plog_feed *f)
{
    struct plog_log_group g;
    int rc = 0;
    while (!rc)
        rc = next_group(f, &g);
    return rc;
}

static void sync_early(struct plog_feed *f, size_t n)
{
    const struct plog_io *io = f->walk->dir->io;
    f->unsynced += n;
    if (f->sync_fd < 0 || f->sync_failed || f->unsynced < SYNC_BYTES)
        return;
    f->unsynced = 0;
    f->sync_failed = io->fdatasync(io->ctx, f->sync_fd);
}

static int make(void *arg, unsigned slot, size_t *weight)
{
    struct plog_feed *f = arg;
    struct plog_batch *b = &f->batches[slot];
    empty(b);
    f->stop = fill(f, b);
    if (parse(f, b)) {
        empty(b);
        f->stop = plog_fail(&f->err, PLOG_E_NOMEM, "out of memory");
    }
    if (!f->stop && f->beyond && f->end)
        f->stop = to_the_end(f);
    sync_early(f, b->text.len);
    *weight = b->text.len;
    return f->stop || f->beyond;
}

/* ---- Taking them -------------------------------------------------------- */

void plog_feed_open(struct plog_feed *f, struct plog_walk *walk, uint64_t to,
                    struct plog_log_end *end, int sync_fd, bool threaded)
{
    const struct plog_io *io = walk->dir->io;
    memset(f, 0, sizeof *f);
    f->walk = walk;
    walk->sketches = walk->scan.sketches_kept = true;
    f->to = to;
    f->end = end;
    f->sync_fd = sync_fd;
    plog_entry_parser_init(&f->parser, io);
    plog_buf_init(&f->redacted, io);
    for (size_t i = 0; i < PLOG_PIPE_SLOTS; i++)
        init(&f->batches[i], io);
    plog_pipe_open(&f->pipe, PLOG_PIPE_SLOTS, FEED_WAITING_MAX, make, f,
                   threaded);
}

const struct plog_batch *plog_feed_next(struct plog_feed *f)
{
    unsigned slot;
    if (f->held && f->held->text.cap > TEXT_KEPT) /* a large group's */
        fini(f->held);
    f->held = plog_pipe_take(&f->pipe, &slot) ? &f->batches[slot] : NULL;
    return f->held;
}

void plog_feed_close(struct plog_feed *f)
{
    if (!f->walk)
        return;
    plog_pipe_close(&f->pipe);
    for (size_t i = 0; i < PLOG_PIPE_SLOTS; i++)
        fini(&f->batches[i]);
    plog_entry_parser_fini(&f->parser);
    plog_buf_fini(&f->redacted);
    f->walk = NULL;
}
