/* scan_window.c - the bytes of a segment that are at hand; see scan_window.h.
 */
#include "scan_window.h"

#define CHUNK (64u << 10)

/* Bytes that were read ahead.  Returns PLOG_END when there are none: then the
 * scan reads from here on. */
static int take_ahead(struct plog_scan *s, uint64_t have)
{
    struct plog_span bytes;
    if (!s->ahead)
        return PLOG_END;
    if (plog_ahead_take(s->ahead, have, &bytes))
        return plog_buf_add_span(&s->window, bytes);
    plog_ahead_stop(s->ahead);
    s->ahead = NULL;
    return PLOG_END;
}

static int read_chunk(struct plog_scan *s, uint64_t have)
{
    size_t got = 0;
    size_t n = s->limit - have < CHUNK ? (size_t)(s->limit - have) : CHUNK;
    if (plog_buf_reserve(&s->window, n))
        return PLOG_E_NOMEM;
    int rc = plog_io_pread_full(s->io, s->fd, s->window.data + s->window.len, n,
                                have, &got);
    if (rc)
        return plog_scan_fault(s, PLOG_E_IO, have, 0, "reading failed (%d)",
                               -rc);
    s->window.len += got;
    return got ? 0 : PLOG_END; /* the file shrank under us */
}

/* Drops what lies before `keep` and reads one more chunk.  PLOG_END at the
 * limit. */
static int more(struct plog_scan *s, uint64_t keep)
{
    size_t drop = (size_t)(keep - s->window_at);
    uint64_t have = s->window_at + s->window.len;
    if (have >= s->limit)
        return PLOG_END;
    if (drop > 0 && (drop >= CHUNK || drop == s->window.len)) {
        memmove(s->window.data, s->window.data + drop, s->window.len - drop);
        s->window.len -= drop;
        s->window_at = keep;
    }
    int rc = take_ahead(s, have);
    if (rc == PLOG_END)
        rc = read_chunk(s, have);
    return rc == PLOG_E_NOMEM ? plog_scan_fault(s, rc, have, 0, "out of memory")
                              : rc;
}

void plog_window_jump(struct plog_scan *s, uint64_t offset)
{
    if (offset < s->window_at || offset > s->window_at + s->window.len) {
        s->window.len = 0;
        s->window_at = offset;
    }
}

int plog_window_line(struct plog_scan *s, uint64_t keep, uint64_t at,
                     size_t max, struct plog_span *line)
{
    uint64_t seen = at;
    for (;;) {
        uint64_t end = s->window_at + s->window.len;
        if (seen < end) {
            const char *p = s->window.data + (seen - s->window_at);
            const char *lf = memchr(p, '\n', (size_t)(end - seen));
            uint64_t stop = lf ? seen + (uint64_t)(lf - p) : end;
            if (stop - at > max)
                return PLOG_WINDOW_LONG;
            *line = plog_span(s->window.data + (at - s->window_at),
                              (size_t)(stop - at));
            if (lf)
                return 0;
            seen = end;
        }
        int rc = more(s, keep);
        if (rc == PLOG_END && seen == at)
            return PLOG_END;
        if (rc == PLOG_END)
            return PLOG_WINDOW_PART;
        if (rc)
            return rc;
    }
}

int plog_window_skip(struct plog_scan *s, uint64_t *at)
{
    for (;;) {
        plog_window_jump(s, *at);
        uint64_t end = s->window_at + s->window.len;
        if (*at < end) {
            const char *p = s->window.data + (*at - s->window_at);
            const char *lf = memchr(p, '\n', (size_t)(end - *at));
            if (lf) {
                *at += (uint64_t)(lf - p) + 1;
                return 0;
            }
            *at = end;
        }
        int rc = more(s, *at);
        if (rc)
            return rc;
    }
}

int plog_window_next(struct plog_scan *s, uint64_t *at, struct plog_span *line)
{
    const size_t max = PLOG_LINE_MAX + PLOG_LINE_SLACK;
    int rc;
    plog_window_jump(s, *at);
    while ((rc = plog_window_line(s, *at, *at, max, line)) ==
           PLOG_WINDOW_LONG) {
        rc = plog_window_skip(s, at);
        if (rc)
            return rc;
    }
    if (rc == 0)
        *at += line->n + 1;
    return rc == PLOG_WINDOW_PART ? PLOG_END : rc;
}

int plog_window_rotation(struct plog_scan *s, uint64_t *at,
                         struct plog_rotation *out)
{
    static const char mark[] = "\"control\":\"r"; /* rotate, restore */
    struct plog_span line;
    struct plog_entry e;
    int rc;
    while ((rc = plog_window_next(s, at, &line)) == 0) {
        if (line.n <= 64 || !memmem(line.p, 64, mark, sizeof mark - 1))
            continue;
        int bad = plog_entry_parse(&s->parser, line, &e, NULL);
        if (bad == PLOG_E_NOMEM)
            return plog_scan_fault(s, bad, *at, 0, "out of memory");
        if (!bad && !plog_rotation_of(&e, out))
            return 0;
    }
    return rc;
}
