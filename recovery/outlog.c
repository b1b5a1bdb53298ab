/* outlog.c - see outlog.h. */
#include "outlog.h"

#include <fcntl.h>

#define FLUSH ((size_t)1 << 20)

void plog_outlog_init(struct plog_outlog *o, const struct plog_io *io, int dir)
{
    memset(o, 0, sizeof *o);
    o->io = io;
    o->dir = dir;
    o->fd = -1;
    plog_buf_init(&o->pending, io);
}

static int flush(struct plog_outlog *o, struct plog_error *err)
{
    int rc = plog_io_write_full(o->io, o->fd, o->pending.data, o->pending.len,
                                o->offset, NULL);
    if (rc)
        return plog_fail_io(err, rc, "log", "writing a segment");
    o->offset += o->pending.len;
    o->bytes += o->pending.len;
    o->pending.len = 0;
    return 0;
}

static int end_segment(struct plog_outlog *o, struct plog_error *err)
{
    if (o->fd < 0)
        return 0;
    int rc = flush(o, err);
    if (!rc) {
        rc = o->io->fdatasync(o->io->ctx, o->fd);
        if (rc)
            rc = plog_fail_io(err, rc, "log", "syncing a segment");
    }
    o->io->close(o->io->ctx, o->fd);
    o->fd = -1;
    return rc;
}

int plog_outlog_finish(struct plog_outlog *o, struct plog_error *err)
{
    int rc = end_segment(o, err);
    if (rc || o->segments == 0)
        return rc;
    rc = o->io->fsync(o->io->ctx, o->dir);
    return rc ? plog_fail_io(err, rc, "log", "syncing the folder") : 0;
}

int plog_outlog_segment(struct plog_outlog *o, const char *origin,
                        const struct plog_tree *tree,
                        const struct plog_commit *last, struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    int rc = end_segment(o, err);
    if (rc)
        return rc;
    plog_segment_name(last->size + 1, name);
    o->fd = o->io->open_at(o->io->ctx, o->dir, name, O_RDWR | O_CREAT | O_EXCL,
                           0600);
    if (o->fd < 0)
        return plog_fail_io(err, o->fd, name, "making a segment");
    o->offset = 0;
    o->segments++;
    rc = plog_header_format(&o->pending, origin, tree, last);
    if (!rc)
        rc = plog_buf_add_char(&o->pending, '\n');
    return rc ? plog_fail(err, rc, "out of memory") : 0;
}

int plog_outlog_add(struct plog_outlog *o, const void *p, size_t n,
                    struct plog_error *err)
{
    if (plog_buf_add(&o->pending, p, n))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    return o->pending.len >= FLUSH ? flush(o, err) : 0;
}

static int add_line(struct plog_outlog *o, struct plog_span line,
                    struct plog_error *err)
{
    int rc = plog_outlog_add(o, line.p, line.n, err);
    return rc ? rc : plog_outlog_add(o, "\n", 1, err);
}

int plog_outlog_group(struct plog_outlog *o, const struct plog_scan *scan,
                      const struct plog_log_group *g, struct plog_error *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < g->count; i++)
        rc = add_line(o, plog_scan_text(scan, i), err);
    return rc ? rc : add_line(o, g->commit_line, err);
}

void plog_outlog_close(struct plog_outlog *o)
{
    if (!o->io)
        return;
    if (o->fd >= 0)
        o->io->close(o->io->ctx, o->fd);
    o->fd = -1;
    plog_buf_fini(&o->pending);
    o->io = NULL;
}
