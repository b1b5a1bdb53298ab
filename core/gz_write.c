/*
 * gz_write.c - gzip files, compressed by two threads.
 *
 * The text is cut into blocks, each compressed by itself with the end of the
 * one before for its window; the pieces behind one another are one deflate
 * stream.  Where it is cut does not depend on who compresses what, so the same
 * text gives the same file, with a second thread or without.
 *
 * The second thread sees nothing but blocks in memory: the table is called by
 * the caller's thread alone.
 */
#include <pthread.h>

#include "gz.h"
#include "io.h"
#include "thread.h"

#define RAW (-15) /* window bits; below 0 asks for deflate alone */
#define WINDOW (32u << 10)
#define BLOCK (256u << 10)
#define PIECE (BLOCK + (BLOCK >> 3)) /* what deflates badly grows by less */
#define BLOCKS 4
#define FINISHED "a compressed file was finished"

struct block {
    size_t window, n; /* bytes of text[], before WINDOW and from there on */
    bool last;
    bool packed; /* under the mutex */
    bool failed;
    size_t piece_n;
    uLong crc;
    unsigned char text[WINDOW + BLOCK], piece[PIECE];
};

/*
 * Blocks go round: the caller fills `filled` % BLOCKS, either thread packs
 * `begun` % BLOCKS, and `written` % BLOCKS is the next to be written.
 * Invariant: written <= begun <= filled < written + BLOCKS.
 */
struct plog_gz_writer {
    z_stream own, other; /* the caller's thread's; the second one's */
    int level;
    bool own_open, other_open, ended;
    uLong crc;
    uint64_t size;
    bool tried, has_thread; /* to start it */
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    uint64_t filled, begun, written;
    bool stop;
    struct block blocks[BLOCKS];
};

static bool begin(z_stream *z, const struct plog_io *io, int level)
{
    plog_gz_memory(z, io);
    return deflateInit2(z, level, Z_DEFLATED, RAW, 8, Z_DEFAULT_STRATEGY) ==
           Z_OK;
}

/* ---- Blocks ------------------------------------------------------------- */

static void pack(z_stream *z, struct block *b)
{
    const unsigned char *text = b->text + WINDOW;
    int rc = deflateReset(z);
    if (rc == Z_OK && b->window)
        rc = deflateSetDictionary(z, text - b->window, (uInt)b->window);
    z->next_in = b->text + WINDOW;
    z->avail_in = (uInt)b->n;
    z->next_out = b->piece;
    z->avail_out = PIECE;
    if (rc == Z_OK)
        rc = deflate(z, b->last ? Z_FINISH : Z_SYNC_FLUSH);
    b->failed = rc != (b->last ? Z_STREAM_END : Z_OK) || z->avail_in > 0 ||
                z->avail_out == 0;
    b->piece_n = PIECE - z->avail_out;
    b->crc = crc32(0, text, (uInt)b->n);
}

/* Packs the next block that nobody has begun; there is one.  The mutex is held
 * before and after. */
static void pack_next(struct plog_gz_writer *w, z_stream *z)
{
    struct block *b = &w->blocks[w->begun++ % BLOCKS];
    pthread_mutex_unlock(&w->mutex);
    pack(z, b);
    pthread_mutex_lock(&w->mutex);
    b->packed = true;
}

static void *serve(void *arg)
{
    struct plog_gz_writer *w = arg;
    pthread_mutex_lock(&w->mutex);
    while (!w->stop) {
        if (w->begun == w->filled) {
            pthread_cond_wait(&w->changed, &w->mutex);
            continue;
        }
        pack_next(w, &w->other);
        pthread_cond_signal(&w->changed);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

static void start(struct plog_gz_writer *w, const struct plog_io *io)
{
    w->tried = true;
    w->other_open = begin(&w->other, io, w->level);
    w->has_thread = w->other_open && plog_thread_start(&w->thread, serve, w);
}

static int put(struct plog_gz *g, const void *p, size_t n,
               struct plog_error *err)
{
    int bad = plog_io_write_full(g->io, g->fd, p, n, g->offset, NULL);
    g->offset += n;
    return bad ? plog_fail_io(err, bad, NULL, "writing a compressed file") : 0;
}

/* Writes the oldest block, packing others while it is not ready. */
static int write_oldest(struct plog_gz *g, struct plog_error *err)
{
    struct plog_gz_writer *w = g->writer;
    struct block *b = &w->blocks[w->written % BLOCKS];
    pthread_mutex_lock(&w->mutex);
    while (!b->packed)
        if (w->begun < w->filled)
            pack_next(w, &w->own);
        else
            pthread_cond_wait(&w->changed, &w->mutex);
    b->packed = false;
    w->written++;
    pthread_mutex_unlock(&w->mutex);
    if (b->failed)
        return plog_fail(err, PLOG_E_IO, "compressing failed");
    w->crc = crc32_combine(w->crc, b->crc, (z_off_t)b->n);
    w->size += b->n;
    return put(g, b->piece, b->piece_n, err);
}

/* The block at hand is full, or the last. */
static void hand_over(struct plog_gz *g, bool last)
{
    struct plog_gz_writer *w = g->writer;
    w->blocks[w->filled % BLOCKS].last = last;
    if (!last && !w->tried)
        start(w, g->io);
    pthread_mutex_lock(&w->mutex);
    w->filled++;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->mutex);
}

/* The next block, with the end of the one before for its window. */
static int go_on(struct plog_gz *g, struct plog_error *err)
{
    struct plog_gz_writer *w = g->writer;
    const struct block *before = &w->blocks[w->filled % BLOCKS];
    hand_over(g, false);
    while (w->filled - w->written == BLOCKS) {
        int rc = write_oldest(g, err);
        if (rc)
            return rc;
    }
    struct block *b = &w->blocks[w->filled % BLOCKS];
    memcpy(b->text, before->text + BLOCK, WINDOW);
    b->window = WINDOW;
    b->n = 0;
    return 0;
}

/* ---- The file ----------------------------------------------------------- */

int plog_gz_create(struct plog_gz *g, const struct plog_io *io, int fd,
                   int level, struct plog_error *err)
{
    unsigned char head[10] = {0x1f, 0x8b, 8};
    head[8] = level < 2 ? 4 : level == 9 ? 2 : 0;
    head[9] = 3; /* written on Unix */
    memset(g, 0, sizeof *g);
    struct plog_gz_writer *w = plog_alloc(io, sizeof *w);
    if (!w)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    memset(w, 0, offsetof(struct plog_gz_writer, blocks)); /* those are large */
    for (int i = 0; i < BLOCKS; i++) {
        w->blocks[i].packed = false;
        w->blocks[i].window = w->blocks[i].n = 0;
    }
    g->io = io;
    g->fd = fd;
    g->writer = w;
    w->level = level;
    w->crc = crc32(0, NULL, 0);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->changed, NULL);
    w->own_open = begin(&w->own, io, level);
    if (w->own_open)
        return put(g, head, sizeof head, err);
    plog_gz_close(g);
    return plog_fail(err, PLOG_E_NOMEM, "out of memory");
}

int plog_gz_write(struct plog_gz *g, const void *p, size_t n,
                  struct plog_error *err)
{
    struct plog_gz_writer *w = g->writer;
    const char *from = p;
    if (w->ended)
        return plog_fail(err, PLOG_E_IO, FINISHED);
    while (n) {
        struct block *b = &w->blocks[w->filled % BLOCKS];
        int rc = b->n == BLOCK ? go_on(g, err) : 0;
        if (rc)
            return rc;
        b = &w->blocks[w->filled % BLOCKS];
        size_t part = n < BLOCK - b->n ? n : BLOCK - b->n;
        memcpy(b->text + WINDOW + b->n, from, part);
        b->n += part;
        from += part;
        n -= part;
    }
    return 0;
}

static void little_endian(unsigned char *out, uint64_t n)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(n >> 8 * i);
}

int plog_gz_finish(struct plog_gz *g, struct plog_error *err)
{
    struct plog_gz_writer *w = g->writer;
    unsigned char tail[8];
    int rc = 0;
    if (w->ended)
        return plog_fail(err, PLOG_E_IO, FINISHED);
    w->ended = true;
    hand_over(g, true);
    while (!rc && w->written < w->filled)
        rc = write_oldest(g, err);
    little_endian(tail, w->crc);
    little_endian(tail + 4, w->size);
    return rc ? rc : put(g, tail, sizeof tail, err);
}

void plog_gz_end_writing(struct plog_gz *g)
{
    struct plog_gz_writer *w = g->writer;
    if (w->has_thread) {
        pthread_mutex_lock(&w->mutex);
        w->stop = true;
        pthread_cond_signal(&w->changed);
        pthread_mutex_unlock(&w->mutex);
        pthread_join(w->thread, NULL);
    }
    if (w->own_open)
        deflateEnd(&w->own);
    if (w->other_open)
        deflateEnd(&w->other);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->mutex);
    plog_free(g->io, w);
    g->writer = NULL;
}
