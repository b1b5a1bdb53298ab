/* walk.c - see walk.h. */
#include "walk.h"

#include "archive.h"

static void begin_chain(struct plog_walk *w, const struct plog_keyring *keys)
{
    plog_chain_init(&w->chain, keys);
    plog_orders_init(&w->orders, w->dir->io, w->dir, keys);
    w->orders.chain = &w->chain.chain;
    w->orders.looks_ahead = true;
    w->chain.orders = &w->orders;
}

int plog_walk_open(struct plog_walk *w, const struct plog_dir *dir,
                   const struct plog_keyring *keys, struct plog_error *err)
{
    memset(w, 0, sizeof *w);
    w->dir = dir;
    w->fd = w->stop_fd = -1;
    plog_buf_init(&w->segments, dir->io);
    begin_chain(w, keys);
    int rc = plog_dir_segments_of(dir, &w->segments, &w->log_first, err);
    if (!rc && w->segments.len == 0)
        rc = plog_dir_no_log(dir, "log/ holds no segment", err);
    return rc;
}

static void leave_segment(struct plog_walk *w)
{
    plog_scan_close(&w->scan);
    if (w->fd >= 0 && w->fd != w->stop_fd)
        w->dir->io->close(w->dir->io->ctx, w->fd);
    w->fd = -1;
}

void plog_walk_close(struct plog_walk *w)
{
    if (!w->dir)
        return;
    leave_segment(w);
    if (w->stop_fd >= 0)
        w->dir->io->close(w->dir->io->ctx, w->stop_fd);
    plog_orders_fini(&w->orders);
    plog_buf_fini(&w->segments);
    w->dir = NULL;
}

static int open_segment(struct plog_walk *w, struct plog_stat *id,
                        struct plog_error *err)
{
    if (w->stop_fd < 0 || w->first != w->stop_segment)
        return plog_dir_open_segment(w->dir, w->first, false, &w->fd, id, err);
    w->fd = w->stop_fd;
    int rc = w->dir->io->stat(w->dir->io->ctx, w->fd, id);
    return rc ? plog_fail_io(err, rc, "log", "looking at the last segment") : 0;
}

uint64_t plog_walk_last(const struct plog_walk *w)
{
    size_t n = plog_segment_count(&w->segments);
    return n ? plog_segment_at(&w->segments, n - 1) : 0;
}

void plog_walk_rewind(struct plog_walk *w)
{
    leave_segment(w);
    plog_orders_fini(&w->orders);
    begin_chain(w, w->chain.keys);
    w->index = 0;
    w->first = w->bytes = 0;
    w->torn = w->headless = w->entered = w->gap = false;
}

int plog_walk_enter(struct plog_walk *w, size_t i, struct plog_error *err)
{
    struct plog_stat id;
    leave_segment(w);
    w->index = i;
    w->first = plog_segment_at(&w->segments, i);
    int rc = open_segment(w, &id, err);
    if (rc)
        return rc;
    bool last = i + 1 == plog_segment_count(&w->segments);
    uint64_t limit = id.size;
    if (w->stop_segment == w->first) {
        last = w->stop_is_end;
        limit = w->stop_offset < limit ? w->stop_offset : limit;
    }
    plog_scan_open(&w->scan, w->dir->io, w->fd, limit, last, &w->chain);
    w->scan.first = w->first; /* also where its header is not read again */
    w->scan.sketches_kept = w->sketches;
    if (w->ahead && limit >= w->ahead_least)
        plog_scan_ahead(&w->scan);
    return 0;
}

/* The file that an error is about. */
static void name_file(const struct plog_walk *w, uint64_t first, int rc,
                      struct plog_error *err)
{
    char shown[PLOG_SEGMENT_FILE];
    bool archived = first < w->log_first;
    bool helps = rc == PLOG_E_CORRUPT || rc == PLOG_E_TAMPERED ||
                 rc == PLOG_E_FORK || rc == PLOG_E_FOREIGN;
    plog_segment_file(first, archived, shown);
    plog_err_file(err, shown);
    if (archived && helps)
        plog_err_hint(err, PLOG_ARCHIVE_HINT);
}

/* Tells apart an unfinished end and damage. */
static int fault(struct plog_walk *w, int rc, struct plog_error *err)
{
    bool torn = false;
    bool asks = rc == PLOG_E_CORRUPT || rc == PLOG_E_TAMPERED;
    if (asks && w->scan.is_last) {
        int bad = plog_scan_torn(&w->scan, &torn);
        if (bad)
            rc = bad;
    }
    plog_scan_error(&w->scan, w->first, err);
    if (w->first < w->log_first)
        name_file(w, w->first, rc, err);
    w->torn = torn;
    w->headless = torn && w->scan.offset == 0;
    if (!torn)
        return rc;
    if (err)
        err->code = PLOG_E_TORN;
    return PLOG_E_TORN;
}

bool plog_walk_find(const struct plog_walk *w, uint64_t first, size_t *i)
{
    for (size_t k = 0; k < plog_segment_count(&w->segments); k++)
        if (plog_segment_at(&w->segments, k) == first) {
            *i = k;
            return true;
        }
    return false;
}

/* The first one behind that; 0: none. */
uint64_t plog_walk_next_there(const struct plog_walk *w, uint64_t expected)
{
    for (size_t i = 0; i < plog_segment_count(&w->segments); i++)
        if (plog_segment_at(&w->segments, i) > expected)
            return plog_segment_at(&w->segments, i);
    return 0;
}

int plog_walk_missing(struct plog_walk *w, uint64_t expected,
                      struct plog_error *err)
{
    size_t i;
    uint64_t next = plog_walk_next_there(w, expected);
    w->gap = true;
    if (next)
        plog_fail(err, PLOG_E_CORRUPT,
                  plog_walk_find(w, expected, &i)
                      ? "the segment holds no entry; from %llu on they are"
                        " missing: the next one there starts at %llu"
                      : "the segment from entry %llu on is missing;"
                        " the next one there starts at %llu",
                  (unsigned long long)expected, (unsigned long long)next);
    else
        plog_fail(err, PLOG_E_CORRUPT,
                  "the segment from entry %llu on is missing, and none is"
                  " there behind it",
                  (unsigned long long)expected);
    name_file(w, expected, PLOG_E_CORRUPT, err);
    plog_err_seq(err, expected);
    return PLOG_E_CORRUPT;
}

int plog_walk_header(struct plog_walk *w, struct plog_error *err)
{
    w->gap = false;
    int rc = plog_scan_header(&w->scan, w->first);
    w->entered = true;
    return rc ? fault(w, rc, err) : 0;
}

int plog_walk_extend(struct plog_walk *w, uint64_t segment, uint64_t offset,
                     struct plog_error *err)
{
    uint64_t at = w->scan.offset, first = w->first;
    size_t i = 0;
    leave_segment(w);
    if (w->stop_fd >= 0)
        w->dir->io->close(w->dir->io->ctx, w->stop_fd);
    w->stop_fd = -1;
    w->stop_is_end = false;
    w->stop_segment = segment;
    w->stop_offset = offset;
    w->segments.len = 0;
    int rc = plog_dir_segments(w->dir, &w->segments, err);
    if (!rc && !plog_walk_find(w, first, &i))
        rc = plog_fail(err, PLOG_E_CORRUPT, "a segment that was read is gone");
    if (!rc && (rc = plog_walk_enter(w, i, err)) == 0)
        w->scan.offset = at;
    w->entered = false;
    return rc;
}

/* Whether the header at hand is damaged by itself, whatever is before it.  Of a
 * key that is not trusted nobody can say. */
static bool is_damaged(struct plog_walk *w)
{
    struct plog_chain before = w->chain;
    w->chain.broken = true;
    w->chain.origin[0] = '\0';
    w->chain.chain.count = 0;
    int rc = plog_scan_header(&w->scan, w->first);
    w->chain = before;
    w->scan.offset = 0; /* as where it was not taken */
    return rc && rc != PLOG_E_UNKNOWN_KEY;
}

/* Where the log's own first header is sound, archive/ has another history, or
 * another log's. */
static int not_of_this_log(struct plog_walk *w, uint64_t archived, int rc,
                           struct plog_error *err)
{
    bool asks =
        rc == PLOG_E_FORK || rc == PLOG_E_FOREIGN || rc == PLOG_E_CORRUPT;
    if (!asks || is_damaged(w))
        return rc;
    plog_fail(err, rc, "what archive/ holds up to entry %llu is %s",
              (unsigned long long)w->first - 1,
              rc == PLOG_E_FORK ? "another signed history than that of log/"
              : rc == PLOG_E_FOREIGN
                  ? "of another log than log/"
                  : "not what the first header of log/ follows");
    name_file(w, archived, rc, err);
    plog_err_hint(err, "put this log's own archive/ back from a backup");
    return rc;
}

/* The one behind that at hand.  A file of archive/ that begins inside of what
 * was read is none of this log's: where it leads does not matter. */
static size_t next_index(const struct plog_walk *w)
{
    size_t i = w->index + 1;
    while (!w->chain.broken && i < plog_segment_count(&w->segments) &&
           plog_segment_at(&w->segments, i) < w->log_first &&
           plog_segment_at(&w->segments, i) <= w->chain.last.size)
        i++;
    return i;
}

/* Goes on with the next segment.  PLOG_END when there is none. */
static int next_segment(struct plog_walk *w, struct plog_error *err)
{
    size_t next = next_index(w);
    if (next >= plog_segment_count(&w->segments) || w->stop_segment == w->first)
        return PLOG_END;
    uint64_t before = w->first;
    w->bytes += w->scan.limit;
    int rc = plog_walk_enter(w, next, err);
    if (rc)
        return rc;
    /* Also behind damage: a commit that verifies gave the size again. */
    if (w->chain.broken ? w->first > w->chain.last.size + 1
                        : w->first != w->chain.last.size + 1)
        return plog_walk_missing(w, w->chain.last.size + 1, err);
    rc = plog_walk_header(w, err);
    return before < w->log_first && w->first >= w->log_first
               ? not_of_this_log(w, before, rc, err)
               : rc;
}

/* The next group of a segment below `bound`. */
static int next_below(struct plog_walk *w, uint64_t bound,
                      struct plog_log_group *g, struct plog_error *err)
{
    w->entered = false;
    w->torn = w->headless = false;
    while (w->first < bound) {
        int rc = plog_scan_group(&w->scan, g);
        if (rc != PLOG_END)
            return rc ? fault(w, rc, err) : 0;
        rc = next_segment(w, err);
        if (rc)
            return rc;
    }
    return PLOG_END;
}

int plog_walk_next(struct plog_walk *w, struct plog_log_group *g,
                   struct plog_error *err)
{
    return next_below(w, UINT64_MAX, g, err);
}

int plog_walk_next_archived(struct plog_walk *w, struct plog_log_group *g,
                            struct plog_error *err)
{
    return next_below(w, w->log_first, g, err);
}

int plog_walk_resync(struct plog_walk *w, uint64_t *from, uint64_t *to,
                     struct plog_error *err)
{
    struct plog_commit c;
    *from = w->chain.last.size + 1;
    *to = 0;
    /* What is passed over may hold a rotation. */
    w->chain.chain.guessed = w->chain.chain.unsettled = true;
    if (w->gap && !w->scan.io)
        return PLOG_END; /* none is there */
    if (w->gap) {        /* the header of the next one there gives the range */
        w->chain.broken = true;
        int found = plog_walk_header(w, err);
        *to = found ? 0 : w->chain.last.size;
        return found;
    }
    /* 0, too, where the segment could not be opened */
    int rc = w->scan.offset ? plog_scan_resync(&w->scan, &c) : PLOG_END;
    if (rc == 0) {
        *to = c.size;
        return 0;
    }
    if (rc != PLOG_END)
        return plog_scan_error(&w->scan, w->first, err);
    w->chain.broken = true; /* the next header gives the range again */
    if (w->index + 1 >= plog_segment_count(&w->segments) ||
        w->stop_segment == w->first)
        return PLOG_END;
    w->bytes += w->scan.limit;
    rc = plog_walk_enter(w, w->index + 1, err);
    if (!rc)
        rc = plog_walk_header(w, err);
    if (!rc)
        *to = w->chain.last.size;
    return rc;
}
