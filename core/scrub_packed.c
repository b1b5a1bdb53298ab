/*
 * scrub_packed.c - the bytes of a file in quarantine/, expanded where it is
 * gzip; see scrub.h.
 *
 * One of archive/ or snapshots/ that could not be expanded as a whole is there
 * as it was, and users move there whatever they have.  So all of a file is
 * given out that can be: each of its members, however many there are, what
 * stands between and behind them as it is, and behind a damaged one the next
 * that can be found.  What only begins as gzip does is given out as it is.
 *
 * A few bytes may come to more than anybody can wait for, under the writer
 * lock.  No segment or snapshot comes near the limits.
 */
#include <errno.h>
#include <fcntl.h>

#include "gz.h"
#include "scrub.h"

#define BUFFER PLOG_GZ_BUFFER
#define HEAD 10
#define GZIP (15 + 16)         /* window bits; 16 asks for gzip around it */
#define FREE (64ull << 20)     /* bytes that may come of any file, */
#define RATIO PLOG_SCRUB_RATIO /* and of each byte of it */
#define AGAIN 8                /* times that it may be read */

static void seek(struct plog_scrub_source *s, uint64_t to)
{
    s->at = to;
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

/* The next member from `at` on, or the end of the file. */
static int find_head(struct plog_scrub_source *s, uint64_t at, uint64_t *found)
{
    int rc = 0;
    *found = s->size;
    while (!rc && *found == s->size && at + HEAD <= s->size) {
        seek(s, at);
        rc = fill(s);
        const unsigned char *p = s->buffer, *end = p + s->z.avail_in;
        while (!rc && (p = memchr(p, 0x1f, (size_t)(end - p))) != NULL &&
               !is_head(p, (size_t)(end - p), true))
            p++;
        if (!rc && p)
            *found = at + (uint64_t)(p - s->buffer);
        at = s->at - (HEAD - 1);
    }
    return rc;
}

/* From `from` on bytes are given out as they are, to the next member. */
static int pass(struct plog_scrub_source *s, uint64_t from)
{
    int rc = find_head(s, from + 1, &s->raw_end);
    s->expanding = false;
    seek(s, from);
    return rc;
}

/* What stands at `from`, where one may begin. */
static int begin(struct plog_scrub_source *s, uint64_t from)
{
    seek(s, from);
    s->ended = from >= s->size;
    int rc = s->ended ? 0 : fill(s);
    if (s->ended || rc)
        return rc;
    if (!is_head(s->buffer, s->z.avail_in, false))
        return pass(s, from);
    s->member = from;
    s->member_gave = false;
    s->expanding = true;
    return inflateReset(&s->z) == Z_OK ? 0 : -ENOMEM;
}

/* The member at hand cannot be read on. */
static int skip_damage(struct plog_scrub_source *s)
{
    uint64_t next;
    if (!s->member_gave)
        return pass(s, s->member);
    int rc = find_head(s, s->member + 1, &next);
    return rc ? rc : begin(s, next);
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
        return begin(s, s->at - s->z.avail_in);
    if (rc == Z_MEM_ERROR)
        return -ENOMEM;
    bool cut = *got == 0 && s->z.avail_in == 0 && s->at == s->size;
    return cut || (rc != Z_OK && rc != Z_BUF_ERROR) ? skip_damage(s) : 0;
}

static int copy(struct plog_scrub_source *s, char *p, size_t n, size_t *got)
{
    uint64_t left = s->raw_end - (s->at - s->z.avail_in);
    int rc = s->z.avail_in || left == 0 ? 0 : fill(s);
    if (rc)
        return rc;
    if (left == 0)
        return begin(s, s->raw_end);
    n = n < s->z.avail_in ? n : s->z.avail_in;
    n = n < left ? n : (size_t)left;
    memcpy(p, s->z.next_in, n);
    s->z.next_in += n;
    s->z.avail_in -= (uInt)n;
    *got = n;
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
        if (!rc && (s->given > FREE + RATIO * s->size ||
                    s->spent > FREE + AGAIN * s->size))
            rc = -E2BIG;
    }
    return rc;
}

/* ---- The file ----------------------------------------------------------- */

int plog_scrub_source_rewind(struct plog_scrub_source *s)
{
    s->given = s->spent = 0;
    s->packed = false;
    if (s->unpack)
        return begin(s, 0);
    s->raw_end = s->size;
    s->ended = s->size == 0;
    seek(s, 0);
    return 0;
}

int plog_scrub_source_open(struct plog_scrub_source *s,
                           const struct plog_io *io, int dir, const char *name,
                           bool unpack)
{
    struct plog_stat st;
    unsigned char magic[2] = {0};
    size_t got = 0;
    memset(s, 0, sizeof *s);
    s->io = io;
    s->fd = io->open_at(io->ctx, dir, name, O_RDONLY | O_NOFOLLOW, 0);
    if (s->fd < 0)
        return s->fd;
    int rc = io->stat(io->ctx, s->fd, &st);
    s->size = rc ? 0 : st.size;
    if (!rc && unpack)
        rc = plog_io_pread_full(io, s->fd, magic, sizeof magic, 0, &got);
    s->unpack = magic[0] == 0x1f && magic[1] == 0x8b;
    s->buffer = plog_alloc(io, BUFFER);
    if (!rc && !s->buffer)
        rc = -ENOMEM;
    plog_gz_memory(&s->z, io);
    if (!rc && s->unpack) {
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
