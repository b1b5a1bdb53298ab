/* ahead.c - see ahead.h. */
#include "ahead.h"

#include <pthread.h>

#include "io.h"
#include "sha256.h"
#include "thread.h"

#define CHUNK (128u << 10)
#define CARRY (64u << 10) /* of a line that goes on in the next block */
#define LINES 1024        /* known lines of a block; more are left alone */

struct known {
    struct plog_ahead_line line;
    uint32_t n; /* its bytes, without LF */
};

/* `carry` bytes that stood at the end of the block before, then those read. */
struct block {
    uint64_t offset; /* in the file, of the bytes read */
    size_t carry, n;
    bool hashed; /* so are its lines */
    size_t count;
    struct known lines[LINES];
    char data[CARRY + CHUNK];
};

/*
 * Blocks go round: the reader fills `filled` % PLOG_AHEAD_BLOCKS while it is
 * less than PLOG_AHEAD_BLOCKS before `freed`, the scan holds `taken` - 1.
 * Invariant: freed <= taken <= freed + 1 and taken <= filled.
 */
struct plog_ahead {
    const struct plog_io *io;
    int fd;
    uint64_t limit;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    uint64_t filled, freed;
    bool ended, stop;
    /* The scan's own. */
    uint64_t taken, next;
    size_t asked; /* lines of the block at hand that lie behind */
    struct block blocks[PLOG_AHEAD_BLOCKS];
};

/* ---- The reader --------------------------------------------------------- */

static void know(struct block *b, struct plog_span line, uint64_t offset,
                 const char *readable)
{
    struct known *k = &b->lines[b->count];
    if (b->count == LINES || !plog_sketch_read(line, readable, &k->line.sketch))
        return;
    k->line.hashed = b->hashed;
    if (b->hashed)
        plog_hash_leaf(line.p, line.n, k->line.leaf);
    k->line.offset = offset;
    k->n = (uint32_t)line.n;
    b->count++;
}

/* The whole lines of a block.  Returns where the unfinished one begins. */
static const char *know_lines(struct block *b)
{
    const char *begin = b->data + CARRY - b->carry;
    const char *end = b->data + CARRY + b->n, *p = begin, *lf;
    while ((lf = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        uint64_t offset = b->offset - b->carry + (uint64_t)(p - begin);
        know(b, plog_span(p, (size_t)(lf - p)), offset, end);
        p = lf + 1;
    }
    return p;
}

/* Reads the block at `at`; the unfinished line of the one before goes on in it.
 * A long one is given up: nobody asks for a line where its rest begins. */
static bool fill(struct plog_ahead *a, struct block *b, uint64_t at,
                 struct plog_span unfinished)
{
    size_t n = a->limit - at < CHUNK ? (size_t)(a->limit - at) : CHUNK;
    b->count = 0;
    b->offset = at;
    b->carry = unfinished.n <= CARRY ? unfinished.n : 0;
    if (b->carry)
        memcpy(b->data + CARRY - b->carry, unfinished.p, b->carry);
    return n > 0 &&
           plog_io_pread_full(a->io, a->fd, b->data + CARRY, n, at, &b->n) ==
               0 &&
           b->n > 0;
}

/* A block that may be filled, or NULL when it is to end. */
static struct block *wait_for_room(struct plog_ahead *a)
{
    pthread_mutex_lock(&a->mutex);
    while (!a->stop && a->filled - a->freed == PLOG_AHEAD_BLOCKS)
        pthread_cond_wait(&a->changed, &a->mutex);
    bool stop = a->stop;
    struct block *b = &a->blocks[a->filled % PLOG_AHEAD_BLOCKS];
    /* One that the scan has, and one for it to go on with. */
    b->hashed = a->filled - a->freed >= 2;
    pthread_mutex_unlock(&a->mutex);
    return stop ? NULL : b;
}

static void publish(struct plog_ahead *a, bool ended)
{
    pthread_mutex_lock(&a->mutex);
    if (ended)
        a->ended = true;
    else
        a->filled++;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->mutex);
}

static void *read_on(void *arg)
{
    struct plog_ahead *a = arg;
    struct plog_span unfinished = {"", 0};
    struct block *b;
    uint64_t at = 0;
    while ((b = wait_for_room(a)) != NULL) {
        if (!fill(a, b, at, unfinished))
            break;
        const char *rest = know_lines(b);
        /* In its block until the next is filled: that is another one, and this
         * one is not given back before. */
        unfinished = plog_span(rest, (size_t)(b->data + CARRY + b->n - rest));
        at += b->n;
        publish(a, false);
    }
    publish(a, true);
    return NULL;
}

/* ---- Starting and stopping ---------------------------------------------- */

static void drop(struct plog_ahead *a)
{
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->mutex);
    plog_free(a->io, a);
}

struct plog_ahead *plog_ahead_start(const struct plog_io *io, int fd,
                                    uint64_t limit)
{
    struct plog_ahead *a = io->alloc(io->ctx, NULL, sizeof *a);
    if (!a)
        return NULL;
    memset(a, 0, offsetof(struct plog_ahead, blocks)); /* those are large */
    a->io = io;
    a->fd = fd;
    a->limit = limit;
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->changed, NULL);
    if (plog_thread_start(&a->thread, read_on, a))
        return a;
    drop(a);
    return NULL;
}

void plog_ahead_stop(struct plog_ahead *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->mutex);
    a->stop = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->mutex);
    pthread_join(a->thread, NULL);
    drop(a);
}

/* ---- The scan's side ---------------------------------------------------- */

bool plog_ahead_take(struct plog_ahead *a, uint64_t offset,
                     struct plog_span *out)
{
    if (offset != a->next)
        return false;
    pthread_mutex_lock(&a->mutex);
    if (a->freed < a->taken) {
        a->freed++;
        pthread_cond_signal(&a->changed);
    }
    while (!a->ended && a->filled == a->taken)
        pthread_cond_wait(&a->changed, &a->mutex);
    bool there = a->filled > a->taken;
    pthread_mutex_unlock(&a->mutex);
    a->asked = 0;
    if (!there)
        return false;
    const struct block *b = &a->blocks[a->taken++ % PLOG_AHEAD_BLOCKS];
    a->next = b->offset + b->n;
    *out = plog_span(b->data + CARRY, b->n);
    return true;
}

const struct plog_ahead_line *plog_ahead_line(struct plog_ahead *a,
                                              uint64_t offset, size_t n)
{
    if (a->freed == a->taken)
        return NULL;
    const struct block *b = &a->blocks[(a->taken - 1) % PLOG_AHEAD_BLOCKS];
    while (a->asked < b->count && b->lines[a->asked].line.offset < offset)
        a->asked++;
    if (a->asked == b->count || b->lines[a->asked].line.offset != offset ||
        b->lines[a->asked].n != n)
        return NULL;
    return &b->lines[a->asked].line;
}
