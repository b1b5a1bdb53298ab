/* wal_gather.c - see wal_gather.h. */
#include "wal_gather.h"

/* SQLite, "WAL File Format": a file header of 32 bytes, then frames; a frame's
 * header has 24 bytes, of which 4 to 7 are not 0 in the frame that commits. */
#define FILE_HEADER 32
#define FRAME_HEADER 24

void plog_wal_gather_init(struct plog_wal_gather *g, const struct plog_io *io)
{
    memset(g, 0, sizeof *g);
    g->io = io;
}

void plog_wal_gather_fini(struct plog_wal_gather *g)
{
    plog_free(g->io, g->bytes);
    g->bytes = NULL;
    g->len = 0;
}

void plog_wal_gather_drop(struct plog_wal_gather *g)
{
    g->len = 0;
    g->commits = false;
}

int plog_wal_gather_flush(struct plog_wal_gather *g, plog_wal_write *write,
                          void *arg)
{
    size_t n = g->len;
    g->len = 0;
    return n ? write(arg, g->bytes, (int)n, g->at) : 0;
}

static bool is_last_header(const void *p, int n)
{
    static const unsigned char zero[4];
    return n == FRAME_HEADER && memcmp((const char *)p + 4, zero, 4) != 0;
}

/* Without memory for it every write goes its own way. */
static bool has_room(struct plog_wal_gather *g, size_t n)
{
    if (!g->bytes)
        g->bytes = plog_alloc(g->io, PLOG_WAL_GATHER_MAX);
    return g->bytes && n <= PLOG_WAL_GATHER_MAX;
}

int plog_wal_gather_write(struct plog_wal_gather *g, const void *p, int n,
                          int64_t at, plog_wal_write *write, void *arg)
{
    bool ends = n != FRAME_HEADER && g->commits;
    int rc = 0;
    if (at != g->at + (int64_t)g->len ||
        g->len + (size_t)n > PLOG_WAL_GATHER_MAX)
        rc = plog_wal_gather_flush(g, write, arg);
    g->commits = is_last_header(p, n);
    if (!rc && (at < FILE_HEADER || !has_room(g, (size_t)n)))
        return write(arg, p, n, at);
    if (rc)
        return rc;
    if (g->len == 0)
        g->at = at;
    memcpy(g->bytes + g->len, p, (size_t)n);
    g->len += (size_t)n;
    return ends ? plog_wal_gather_flush(g, write, arg) : 0;
}
