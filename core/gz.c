/* gz.c - reading gzip files; see gz.h. */
#include "gz.h"

#include "io.h"

#define GZIP (15 + 16) /* window bits; 16 asks for gzip around it */

static voidpf from_table(voidpf io, uInt items, uInt size)
{
    return plog_alloc(io, (size_t)items * size);
}

static void to_table(voidpf io, voidpf p)
{
    plog_free(io, p);
}

void plog_gz_memory(z_stream *z, const struct plog_io *io)
{
    z->zalloc = from_table;
    z->zfree = to_table;
    z->opaque = (voidpf)(uintptr_t)io;
}

void plog_gz_close(struct plog_gz *g)
{
    if (!g->io)
        return;
    if (g->writer)
        plog_gz_end_writing(g);
    if (g->open)
        inflateEnd(&g->z);
    plog_free(g->io, g->buffer);
    memset(g, 0, sizeof *g);
}

int plog_gz_open(struct plog_gz *g, const struct plog_io *io, int fd,
                 struct plog_error *err)
{
    memset(g, 0, sizeof *g);
    g->io = io;
    g->fd = fd;
    plog_gz_memory(&g->z, io);
    g->buffer = plog_alloc(io, PLOG_GZ_BUFFER);
    g->open = g->buffer && inflateInit2(&g->z, GZIP) == Z_OK;
    if (g->open)
        return 0;
    plog_gz_close(g);
    return plog_fail(err, PLOG_E_NOMEM, "out of memory");
}

static int fill(struct plog_gz *g, struct plog_error *err)
{
    size_t got = 0;
    int rc = plog_io_pread_full(g->io, g->fd, g->buffer, PLOG_GZ_BUFFER,
                                g->offset, &got);
    if (rc)
        return plog_fail_io(err, rc, NULL, "reading a compressed file");
    g->offset += got;
    g->z.next_in = g->buffer;
    g->z.avail_in = (uInt)got;
    return 0;
}

static int damaged(struct plog_error *err, const char *what)
{
    return plog_fail(err, PLOG_E_CORRUPT, "a compressed file %s", what);
}

/* Behind the end there is nothing. */
static int check_end(struct plog_gz *g, struct plog_error *err)
{
    g->ended = true;
    int rc = g->z.avail_in ? 0 : fill(g, err);
    if (!rc && g->z.avail_in)
        rc = damaged(err, "has bytes behind its end");
    return rc;
}

int plog_gz_read(struct plog_gz *g, void *p, size_t n, size_t *got,
                 struct plog_error *err)
{
    *got = 0;
    while (*got < n && !g->ended) {
        size_t part = n - *got < (1u << 30) ? n - *got : (1u << 30);
        int rc = g->z.avail_in ? 0 : fill(g, err);
        if (rc)
            return rc;
        if (!g->z.avail_in)
            return damaged(err, "is cut off");
        g->z.next_out = (Bytef *)p + *got;
        g->z.avail_out = (uInt)part;
        rc = inflate(&g->z, Z_NO_FLUSH);
        *got += part - g->z.avail_out;
        if (rc == Z_STREAM_END)
            rc = check_end(g, err);
        else if (rc == Z_MEM_ERROR)
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
        else if (rc != Z_OK && rc != Z_BUF_ERROR)
            rc = damaged(err, "is not gzip, or damaged");
        else
            rc = 0;
        if (rc)
            return rc;
    }
    return 0;
}
