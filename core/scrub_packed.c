/*
 * scrub_packed.c - the bytes of a file in quarantine/, expanded where it is
 * gzip; see scrub.h.
 *
 * One of archive/ or snapshots/ that could not be expanded as a whole is there
 * as it was, and users move there whatever they have.  So all of a file is
 * given out that can be: each of its members, however many there are, what
 * stands before, between and behind them as it is, and behind a damaged one the
 * next that can be found.  What only begins as gzip does is given out as it is.
 *
 * A few bytes may come to more than anybody can wait for, under the writer
 * lock.  No segment of the log meets the limits, whatever is in it; a snapshot
 * may, and is told as any.
 */
#include <errno.h>
#include <fcntl.h>

#include "gz.h"
#include "scrub.h"

#define BUFFER PLOG_GZ_BUFFER
#define HEAD 10
#define TRAILER 8
#define GZIP (15 + 16) /* window bits; 16 asks for gzip around it, */
#define BARE (-15)     /* and this for nothing */
#define RATIO PLOG_SCRUB_RATIO
#define AGAIN 8 /* times that it may be read */

/* Of the file, where the bytes at hand stand. */
static uint64_t here(const struct plog_scrub_source *s)
{
    return s->at - s->z.avail_in;
}

static void seek(struct plog_scrub_source *s, uint64_t to)
{
    s->at = to;
    s->z.next_in = s->buffer;
    s->z.avail_in = 0;
}

static int fill(struct plog_scrub_source *s)
{
    uint64_t left = s->size - s->at;
    size_t got = 0, want = left < BUFFER ? (size_t)left : BUFFER;
    int rc = plog_io_pread_full(s->io, s->fd, s->buffer, want, s->at, &got);
    s->at += got;
    s->spent += got;
    s->z.next_in = s->buffer;
    s->z.avail_in = (uInt)got;
    return rc ? rc : got < want ? -EIO /* it shrank under us */ : 0;
}

/* Goes to `to`, with a whole head of it at hand, or all that is left.  What the
 * buffer has is not read again, however small the members are. */
static int stand(struct plog_scrub_source *s, uint64_t to)
{
    uint64_t begins = here(s) - (uint64_t)(s->z.next_in - s->buffer);
    uint64_t need = s->size - to < HEAD ? s->size : to + HEAD;
    if (to < begins || need > s->at) {
        seek(s, to);
        return fill(s);
    }
    s->z.next_in = s->buffer + (to - begins);
    s->z.avail_in = (uInt)(s->at - to);
    return 0;
}

/* ---- Members ------------------------------------------------------------ */

/* Whether a member begins here.
 * @strict  no other bytes look so but by chance that nobody has */
static bool is_head(const unsigned char *p, size_t n, bool strict)
{
    if (n < HEAD || p[0] != 0x1f || p[1] != 0x8b || p[2] != 8 || (p[3] & 0xe0))
        return false;
    return !strict || ((p[8] == 0 || p[8] == 2 || p[8] == 4) &&
                       (p[9] <= 13 || p[9] == 255));
}

/* Whether it is one as we make them (gz.h), but for one byte at most. */
static bool is_ours(const unsigned char *p, size_t n)
{
    static const unsigned char head[HEAD - 2] = {0x1f, 0x8b, 8};
    int wrong = 0;
    for (size_t i = 0; n >= HEAD && i < sizeof head; i++)
        wrong += p[i] != head[i];
    return n >= HEAD && wrong <= 1;
}

static const unsigned char *find_head(const unsigned char *p, size_t n)
{
    const unsigned char *end = p + n;
    while (n && (p = memchr(p, 0x1f, (size_t)(end - p))) != NULL &&
           !is_head(p, (size_t)(end - p), true))
        p++;
    return n ? p : NULL;
}

/* Expands the member, from behind its head where that is damaged. */
static int expand_from(struct plog_scrub_source *s, uint64_t from, bool bare)
{
    s->bare = bare;
    s->expanding = true;
    s->member_gave = false;
    int rc = stand(s, from);
    return rc                                                 ? rc
           : inflateReset2(&s->z, bare ? BARE : GZIP) == Z_OK ? 0
                                                              : -ENOMEM;
}

/* What stands at `from`, where one may begin. */
static int begin(struct plog_scrub_source *s, uint64_t from)
{
    s->member = from;
    s->expanding = false;
    s->ended = from >= s->size;
    int rc = s->ended ? 0 : stand(s, from);
    if (s->ended || rc || !s->unpack)
        return rc;
    if (is_head(s->z.next_in, s->z.avail_in, false))
        return expand_from(s, from, false);
    return is_ours(s->z.next_in, s->z.avail_in)
               ? expand_from(s, from + HEAD, true)
               : 0;
}

/* Behind a damaged member that gave something: the next one. */
static int begin_next(struct plog_scrub_source *s)
{
    uint64_t at = s->member + 1;
    for (;;) {
        int rc = stand(s, at);
        if (rc)
            return rc;
        const unsigned char *head = find_head(s->z.next_in, s->z.avail_in);
        if (head || s->at == s->size)
            return begin(s,
                         head ? at + (uint64_t)(head - s->z.next_in) : s->size);
        at = s->at - (HEAD - 1);
    }
}

/* The member at hand cannot be read on. */
static int skip_damage(struct plog_scrub_source *s)
{
    if (s->member_gave)
        return begin_next(s);
    int rc = stand(s, s->member);
    if (rc)
        return rc;
    if (!s->bare && is_ours(s->z.next_in, s->z.avail_in))
        return expand_from(s, s->member + HEAD, true);
    s->expanding = false;
    return 0;
}

static int expand(struct plog_scrub_source *s, char *p, size_t n, size_t *got)
{
    int rc = s->z.avail_in || s->at == s->size ? 0 : fill(s);
    if (rc)
        return rc;
    s->z.next_out = (Bytef *)p;
    s->z.avail_out = (uInt)n;
    rc = inflate(&s->z, Z_NO_FLUSH);
    *got = n - s->z.avail_out;
    s->given += *got;
    s->member_gave |= *got > 0 || rc == Z_STREAM_END;
    s->packed |= s->member_gave;
    if (rc == Z_STREAM_END)
        return begin(s, here(s) + (s->bare ? TRAILER : 0));
    if (rc == Z_MEM_ERROR)
        return -ENOMEM;
    bool cut = *got == 0 && s->z.avail_in == 0 && s->at == s->size;
    return cut || (rc != Z_OK && rc != Z_BUF_ERROR) ? skip_damage(s) : 0;
}

/* What is no member, up to the next one: but for what may be the beginning of
 * its head, in the next piece. */
static int copy(struct plog_scrub_source *s, char *p, size_t n, size_t *got)
{
    int rc = stand(s, here(s));
    size_t have = s->z.avail_in, past = here(s) == s->member;
    if (rc)
        return rc;
    if (s->unpack && have) {
        const unsigned char *head = find_head(s->z.next_in + past, have - past);
        have = head               ? (size_t)(head - s->z.next_in)
               : s->at == s->size ? have
                                  : have - (HEAD - 1);
    }
    if (have == 0)
        return begin(s, here(s));
    *got = n < have ? n : have;
    memcpy(p, s->z.next_in, *got);
    s->z.next_in += *got;
    s->z.avail_in -= (uInt)*got;
    return 0;
}

int plog_scrub_source_read(struct plog_scrub_source *s, char *p, size_t n,
                           size_t *got)
{
    int rc = 0;
    *got = 0;
    while (!rc && *got < n && !s->ended) {
        size_t part = 0;
        rc = s->expanding ? expand(s, p + *got, n - *got, &part)
                          : copy(s, p + *got, n - *got, &part);
        *got += part;
        if (!rc && (s->given > s->free + RATIO * s->size ||
                    s->spent > s->free + AGAIN * s->size))
            rc = -E2BIG;
    }
    return rc;
}

/* ---- The file ----------------------------------------------------------- */

int plog_scrub_source_rewind(struct plog_scrub_source *s)
{
    s->given = s->spent = 0;
    s->packed = false;
    seek(s, 0);
    return begin(s, 0);
}

int plog_scrub_source_open(struct plog_scrub_source *s,
                           const struct plog_io *io, int dir, const char *name,
                           bool unpack)
{
    struct plog_stat st;
    memset(s, 0, sizeof *s);
    s->io = io;
    s->unpack = unpack;
    s->free = PLOG_SCRUB_FREE;
    s->fd = io->open_at(io->ctx, dir, name, O_RDONLY | O_NOFOLLOW, 0);
    if (s->fd < 0)
        return s->fd;
    int rc = io->stat(io->ctx, s->fd, &st);
    s->size = rc ? 0 : st.size;
    s->buffer = plog_alloc(io, BUFFER);
    if (!rc && !s->buffer)
        rc = -ENOMEM;
    plog_gz_memory(&s->z, io);
    if (!rc && unpack) {
        s->open = inflateInit2(&s->z, GZIP) == Z_OK;
        rc = s->open ? 0 : -ENOMEM;
    }
    if (!rc)
        rc = plog_scrub_source_rewind(s);
    if (rc)
        plog_scrub_source_close(s);
    return rc;
}

void plog_scrub_source_close(struct plog_scrub_source *s)
{
    if (s->fd < 0)
        return;
    if (s->open)
        inflateEnd(&s->z);
    plog_free(s->io, s->buffer);
    s->io->close(s->io->ctx, s->fd);
    s->fd = -1;
}
