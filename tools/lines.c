/* lines.c - see lines.h. */
#include "lines.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "proc.h"

#define CHUNK ((size_t)64 << 10)

void lines_init(struct lines *in, int fd, const char *name, size_t at_most)
{
    *in =
        (struct lines){.fd = fd, .name = name, .at_most = at_most, .first = 1};
}

void lines_fini(struct lines *in)
{
    free(in->buf);
    free(in->refs);
}

struct plog_span lines_get(const struct lines *in, size_t i)
{
    assert(i < in->count);
    return (struct plog_span){in->buf + in->refs[i].at, in->refs[i].len};
}

void lines_locate(const struct lines *in, size_t i, struct plog_error *err)
{
    size_t at = i < in->count ? in->refs[i].at : in->start;
    snprintf(err->file, sizeof err->file, "%s", in->name);
    err->line = in->first + i;
    err->offset = in->offset + at + (err->has_offset ? err->offset : 0);
    err->has_offset = true;
}

/* Forgets the group and moves what follows it to the front. */
static void drop_group(struct lines *in)
{
    in->first += in->count;
    in->count = 0;
    in->offset += in->start;
    in->len -= in->start;
    in->scanned -= in->start;
    if (in->len > 0)
        memmove(in->buf, in->buf + in->start, in->len);
    in->start = 0;
}

static int no_memory(struct plog_error *err)
{
    return fail_set(err, PLOG_E_NOMEM, "out of memory while reading lines");
}

/* Takes the bytes up to `end` as a line; `skip` is 1 for its LF. */
static int take_line(struct lines *in, size_t end, size_t skip,
                     struct plog_error *err)
{
    if (in->count == in->room) {
        size_t room = in->room ? in->room * 2 : 64;
        struct lines_ref *refs = realloc(in->refs, room * sizeof *refs);
        if (!refs)
            return no_memory(err);
        in->refs = refs;
        in->room = room;
    }
    in->refs[in->count++] = (struct lines_ref){in->start, end - in->start};
    in->start = in->scanned = end + skip;
    return 0;
}

static bool is_full(const struct lines *in)
{
    if (in->at_most)
        return in->count >= in->at_most;
    return in->count >= LINES_GROUP || in->start >= LINES_GROUP_BYTES;
}

static int too_long(struct lines *in, const char *what, size_t limit,
                    struct plog_error *err)
{
    fail_set(err, PLOG_E_INPUT,
             "expected %s of at most %zu bytes, found no end within them", what,
             limit);
    lines_locate(in, in->count, err);
    return err->code;
}

/* Takes the whole lines that are in the buffer, until the group is full. */
static int take_lines(struct lines *in, struct plog_error *err)
{
    while (!is_full(in) && in->scanned < in->len) {
        char *lf = memchr(in->buf + in->scanned, '\n', in->len - in->scanned);
        size_t end = lf ? (size_t)(lf - in->buf) : in->len;
        in->scanned = end;
        if (end - in->start > LINES_MAX)
            return too_long(in, "a line", LINES_MAX, err);
        if (end > PLOG_GROUP_MAX)
            return too_long(in, "a group", PLOG_GROUP_MAX, err);
        if (!lf)
            return 0;
        int rc = take_line(in, end, 1, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int make_room(struct lines *in, struct plog_error *err)
{
    if (in->cap - in->len >= CHUNK)
        return 0;
    size_t cap = in->cap ? in->cap * 2 : 4 * CHUNK;
    char *buf = realloc(in->buf, cap);
    if (!buf)
        return no_memory(err);
    in->buf = buf;
    in->cap = cap;
    return 0;
}

static int read_some(struct lines *in, struct plog_error *err)
{
    int rc = make_room(in, err);
    if (rc != 0)
        return rc;
    ssize_t n = read(in->fd, in->buf + in->len, CHUNK);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n < 0) {
        fail_errno(err, errno, "reading failed");
        lines_locate(in, in->count, err);
        return err->code;
    }
    in->at_end = n == 0;
    in->len += (size_t)n;
    return 0;
}

int lines_next_group(struct lines *in, struct plog_error *err)
{
    drop_group(in);
    for (;;) {
        int rc = take_lines(in, err);
        if (rc != 0)
            return rc;
        if (is_full(in))
            return 0;
        if (in->at_end && in->start < in->len)
            return take_line(in, in->len, 0, err);
        if (in->at_end)
            return in->count ? 0 : PLOG_END;
        bool hurry = in->count > 0 && !in->at_most;
        int ready = proc_wait_input(in->fd, hurry ? 0 : -1);
        if (ready < 0)
            return fail_set(err, PLOG_E_INTERRUPTED,
                            "interrupted while reading the input");
        if (ready == 0)
            return 0;
        rc = read_some(in, err);
        if (rc != 0)
            return rc;
    }
}
