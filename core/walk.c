/* walk.c - see walk.h. */
#include "walk.h"

#include <stdio.h>

#include "compaction.h"
#include "scan_window.h"

static void begin_chain(struct plog_walk *w, const struct plog_keyring *keys)
{
    plog_chain_init(&w->chain, keys);
    plog_orders_init(&w->orders, w->dir->io, w->dir, keys);
    w->orders.chain = &w->chain.chain;
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
    int rc = plog_dir_segments(dir, &w->segments, err);
    if (!rc && w->segments.len == 0)
        rc = plog_fail(err, PLOG_E_NOTHING, "log/ holds no segment");
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

void plog_walk_rewind(struct plog_walk *w)
{
    leave_segment(w);
    plog_orders_fini(&w->orders);
    begin_chain(w, w->chain.keys);
    w->index = 0;
    w->first = w->bytes = 0;
    w->torn = w->headless = w->entered = w->gap = false;
}

/* Opens segment `i` for scanning; the header is not read yet. */
static int enter_segment(struct plog_walk *w, size_t i, struct plog_error *err)
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
    w->scan.sketches_kept = w->sketches;
    if (w->ahead && limit >= w->ahead_least)
        plog_scan_ahead(&w->scan);
    return 0;
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
    w->torn = torn;
    w->headless = torn && w->scan.offset == 0;
    if (!torn)
        return rc;
    if (err)
        err->code = PLOG_E_TORN;
    return PLOG_E_TORN;
}

static int missing(struct plog_walk *w, uint64_t expected,
                   struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME], shown[PLOG_SEGMENT_NAME + 4];
    plog_segment_name(expected, name);
    snprintf(shown, sizeof shown, "log/%s", name);
    w->gap = true;
    plog_fail(err, PLOG_E_CORRUPT,
              "the segment from entry %llu on is missing;"
              " the next one there starts at %llu",
              (unsigned long long)expected, (unsigned long long)w->first);
    plog_err_file(err, shown);
    plog_err_seq(err, expected);
    return PLOG_E_CORRUPT;
}

/* There is no compact entry, or none that could be read. */
static int no_floor(struct plog_walk *w, int otherwise, struct plog_error *err)
{
    int doubt = plog_orders_doubt(&w->orders);
    return doubt ? plog_fail(err, doubt, "looking for a compact entry failed")
                 : otherwise;
}

static int read_header(struct plog_walk *w, struct plog_error *err)
{
    w->gap = false;
    int rc = plog_scan_header(&w->scan, w->first);
    w->entered = true;
    return rc ? fault(w, rc, err) : 0;
}

/* The key id of the first commit in the segment at hand; "" for none. */
static int first_commit_key(struct plog_walk *w, char *id)
{
    const size_t max = PLOG_LINE_MAX + PLOG_LINE_SLACK;
    struct plog_span line;
    struct plog_commit c;
    uint64_t at = w->scan.offset;
    int rc = 0;
    id[0] = '\0';
    while (!rc && !id[0]) {
        plog_window_jump(&w->scan, at);
        rc = plog_window_line(&w->scan, at, at, max, &line);
        if (rc == PLOG_WINDOW_LONG) { /* damage, with commits behind it */
            rc = plog_window_skip(&w->scan, &at);
            continue;
        }
        if (!rc && plog_line_kind(line) == PLOG_LINE_COMMIT) {
            if (plog_commit_parse(line, &c))
                return 0;
            memcpy(id, c.key, sizeof c.key);
        }
        at += rc ? 0 : line.n + 1;
    }
    return rc < 0 ? rc : 0;
}

/* Looks through one segment for rotations: the first one away from key `id`
 * gives it, and one that names a trusted key shows that there is a way. */
static int seek_rotations(struct plog_walk *w, struct plog_scan *s,
                          const char *id, struct plog_vkey *first, bool *way)
{
    static const char mark[] = "\"control\":\"r"; /* rotate, restore */
    const size_t max = PLOG_LINE_MAX + PLOG_LINE_SLACK;
    struct plog_span line;
    struct plog_entry e;
    struct plog_rotation r;
    uint64_t at = 0;
    int rc = 0;
    while (!rc && !*way) {
        plog_window_jump(s, at);
        rc = plog_window_line(s, at, at, max, &line);
        if (rc == PLOG_WINDOW_LONG) {
            rc = plog_window_skip(s, &at);
            continue;
        }
        if (rc)
            break;
        at += line.n + 1;
        if (line.n <= 64 || !memmem(line.p, 64, mark, sizeof mark - 1))
            continue;
        int bad = plog_entry_parse(&s->parser, line, &e, NULL);
        if (bad == PLOG_E_NOMEM)
            return plog_scan_fault(s, bad, at, 0, "out of memory");
        if (!bad && !plog_rotation_of(&e, &r)) {
            struct plog_keychain two = {.count = 2};
            two.keys[0] = r.old_key;
            two.keys[1] = r.new_key;
            if (!first->name[0] && !strcmp(r.old_key.id_text, id))
                *first = r.old_key;
            *way =
                first->name[0] && plog_keychain_anchored(&two, w->chain.keys);
        }
    }
    return rc < 0 ? rc : 0;
}

/* A trusted key may be any of the log's.  When it is not the first, which has
 * this id, the rotations ahead name the first; whether they lead to a trusted
 * one is asked again of what was verified, at the end (plog_keychain_check). */
static int find_key_ahead(struct plog_walk *w, const char *id,
                          struct plog_error *err)
{
    struct plog_vkey first = {.name = ""};
    bool way = false;
    int rc;
    for (size_t i = 0; !way && i < plog_segment_count(&w->segments); i++) {
        struct plog_scan s;
        struct plog_stat st;
        int fd;
        rc = plog_dir_open_segment(w->dir, plog_segment_at(&w->segments, i),
                                   false, &fd, &st, err);
        if (rc == PLOG_E_IO || rc == PLOG_E_NOMEM)
            return rc;
        if (rc)
            continue; /* the walk will say so */
        plog_scan_open(&s, w->dir->io, fd, st.size, false, &w->chain);
        rc = seek_rotations(w, &s, id, &first, &way);
        if (rc)
            plog_scan_error(&s, plog_segment_at(&w->segments, i), err);
        plog_scan_close(&s);
        w->dir->io->close(w->dir->io->ctx, fd);
        if (rc)
            return rc;
    }
    return way && plog_keychain_add(&w->chain.chain, &first, 0) ? PLOG_E_NOMEM
                                                                : 0;
}

static int find_first_key(struct plog_walk *w, struct plog_error *err)
{
    char id[PLOG_KEYID_TEXT];
    int rc = first_commit_key(w, id);
    if (rc < 0)
        return plog_scan_error(&w->scan, w->first, err);
    if (!id[0] || plog_keyring_find(w->chain.keys, plog_span_text(id)))
        return 0;
    return find_key_ahead(w, id, err);
}

/* The key of the commit before the segment at hand, where no rotation lies
 * below the floor: any trusted one, or one that rotations ahead name. */
static int floor_key(struct plog_walk *w, struct plog_error *err)
{
    struct plog_keychain *k = &w->chain.chain;
    struct plog_segment_header h;
    struct plog_span line;
    int rc = plog_window_line(&w->scan, 0, 0, PLOG_LINE_SLACK, &line);
    if (!rc)
        rc = plog_header_parse(&w->scan.parser.json, line, &h);
    if (rc == PLOG_E_NOMEM)
        return plog_fail(err, rc, "out of memory");
    if (rc)
        return 0; /* reading the header says what is wrong */
    const struct plog_vkey *own =
        plog_keyring_find(w->chain.keys, plog_span_text(h.last.key));
    if (own)
        return plog_keychain_add(k, own, 0);
    return find_key_ahead(w, h.last.key, err);
}

/* Begins at the segment at hand, behind entries that were compacted away. */
static int start_above(struct plog_walk *w, const struct plog_compaction *floor,
                       struct plog_error *err)
{
    struct plog_keychain *k = &w->chain.chain;
    int rc = plog_compaction_keys(floor, w->first - 1, k);
    if (!rc && k->count == 0)
        rc = floor_key(w, err);
    if (rc)
        return rc;
    bool known = k->count > 0;
    rc = read_header(w, err);
    if (known)
        k->unsettled = false;
    return rc;
}

int plog_walk_start(struct plog_walk *w, struct plog_error *err)
{
    int rc = enter_segment(w, 0, err);
    if (rc)
        return rc;
    w->chain.chain.count = 0;
    w->chain.chain.unsettled = w->chain.chain.guessed = false;
    if (w->first != 1) {
        const struct plog_compaction *floor =
            plog_orders_floor(&w->orders, w->first - 1);
        return floor ? start_above(w, floor, err)
                     : no_floor(w, missing(w, 1, err), err);
    }
    rc = read_header(w, err);
    return rc ? rc : find_first_key(w, err);
}

static bool find_segment(const struct plog_walk *w, uint64_t first, size_t *i)
{
    for (size_t k = 0; k < plog_segment_count(&w->segments); k++)
        if (plog_segment_at(&w->segments, k) == first) {
            *i = k;
            return true;
        }
    return false;
}

int plog_walk_start_floor(struct plog_walk *w, uint64_t floor,
                          struct plog_error *err)
{
    size_t i;
    const struct plog_compaction *c;
    if (floor == 0)
        return plog_walk_start(w, err);
    if (!find_segment(w, floor + 1, &i))
        return missing(w, floor + 1, err);
    int rc = enter_segment(w, i, err);
    if (rc)
        return rc;
    c = plog_orders_floor_at(&w->orders, floor);
    if (!c)
        return no_floor(w,
                        plog_fail(err, PLOG_E_CORRUPT,
                                  "no compact entry sets the floor %llu that"
                                  " the store has",
                                  (unsigned long long)floor),
                        err);
    w->chain.chain.count = 0;
    w->chain.chain.unsettled = w->chain.chain.guessed = false;
    return start_above(w, c, err);
}

int plog_walk_start_segment(struct plog_walk *w, uint64_t first,
                            struct plog_error *err)
{
    size_t i;
    if (!find_segment(w, first, &i))
        return missing(w, first, err);
    int rc = enter_segment(w, i, err);
    return rc ? rc : read_header(w, err);
}

int plog_walk_start_at(struct plog_walk *w, const struct plog_store_head *h,
                       struct plog_error *err)
{
    size_t i;
    if (!find_segment(w, h->segment, &i))
        return PLOG_END;
    int rc = enter_segment(w, i, err);
    if (!rc)
        rc = plog_commit_stands(w->dir, &w->chain.chain, w->fd, h, err);
    if (rc)
        return rc;
    memcpy(w->chain.origin, h->origin, sizeof w->chain.origin);
    w->chain.tree = h->tree;
    w->chain.last = h->commit;
    w->scan.offset = h->offset;
    w->entered = false;
    return 0;
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
    if (!rc && !find_segment(w, first, &i))
        rc = plog_fail(err, PLOG_E_CORRUPT, "a segment that was read is gone");
    if (!rc)
        rc = enter_segment(w, i, err);
    w->scan.offset = at;
    w->entered = false;
    return rc;
}

/* Goes on with the next segment.  PLOG_END when there is none. */
static int next_segment(struct plog_walk *w, struct plog_error *err)
{
    if (w->index + 1 >= plog_segment_count(&w->segments) ||
        w->stop_segment == w->first)
        return PLOG_END;
    w->bytes += w->scan.limit;
    int rc = enter_segment(w, w->index + 1, err);
    if (rc)
        return rc;
    if (!w->chain.broken && w->first != w->chain.last.size + 1)
        return missing(w, w->chain.last.size + 1, err);
    return read_header(w, err);
}

int plog_walk_next(struct plog_walk *w, struct plog_log_group *g,
                   struct plog_error *err)
{
    w->entered = false;
    w->torn = w->headless = false;
    for (;;) {
        int rc = plog_scan_group(&w->scan, g);
        if (rc == PLOG_END)
            rc = next_segment(w, err);
        else
            return rc ? fault(w, rc, err) : 0;
        if (rc)
            return rc;
    }
}

int plog_walk_resync(struct plog_walk *w, uint64_t *from, uint64_t *to,
                     struct plog_error *err)
{
    struct plog_commit c;
    *from = w->chain.last.size + 1;
    *to = 0;
    w->chain.chain.guessed = true;
    if (w->gap) { /* the header of the next one there gives the range */
        w->chain.broken = true;
        int found = read_header(w, err);
        *to = found ? 0 : w->chain.last.size;
        return found;
    }
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
    rc = enter_segment(w, w->index + 1, err);
    if (!rc)
        rc = read_header(w, err);
    if (!rc)
        *to = w->chain.last.size;
    return rc;
}

/* ---- The commit before an offset ---------------------------------------- */

static bool same_commit(const struct plog_commit *a,
                        const struct plog_commit *b)
{
    return a->size == b->size && !memcmp(a->root, b->root, sizeof a->root) &&
           !strcmp(a->key, b->key) && !memcmp(a->sig, b->sig, sizeof a->sig);
}

/* No commit line and no header is longer. */
#define REACH 8192u

/* The last line that ends at `offset`, read from the file. */
static int line_before(const struct plog_io *io, int fd, uint64_t offset,
                       struct plog_buf *b, struct plog_span *line)
{
    size_t n = offset < REACH ? (size_t)offset : REACH;
    size_t got = 0;
    b->len = 0;
    int rc = plog_buf_reserve(b, n + 1);
    if (!rc)
        rc = plog_io_pread_full(io, fd, b->data, n, offset - n, &got);
    if (rc)
        return rc == PLOG_E_NOMEM ? rc : PLOG_E_IO;
    if (got < n || n < 2 || b->data[n - 1] != '\n')
        return PLOG_END;
    const char *lf = memrchr(b->data, '\n', n - 1);
    if (!lf && n < offset)
        return PLOG_END;
    const char *start = lf ? lf + 1 : b->data;
    *line = plog_span(start, (size_t)(b->data + n - 1 - start));
    return 0;
}

static int read_commit(const struct plog_io *io, struct plog_span line,
                       const struct plog_store_head *h, const char *origin,
                       struct plog_commit *c)
{
    struct plog_json json;
    struct plog_segment_header header;
    if (plog_line_kind(line) == PLOG_LINE_COMMIT)
        return plog_commit_parse(line, c) ? PLOG_END : 0;
    plog_json_init(&json, io);
    int rc = plog_header_parse(&json, line, &header);
    plog_json_fini(&json);
    if (rc)
        return rc == PLOG_E_NOMEM ? rc : PLOG_END;
    if (strcmp(header.origin, origin) != 0)
        return PLOG_E_FOREIGN;
    *c = header.last;
    return header.first == h->segment ? 0 : PLOG_END;
}

/* Whether the segment's header names the store's log. */
static int check_origin(const struct plog_io *io, int fd, const char *origin,
                        struct plog_buf *b)
{
    struct plog_buf want;
    size_t got = 0;
    plog_buf_init(&want, io);
    int rc = plog_buf_add_text(&want, "{\"segment\":{\"format\":1,\"origin\":");
    if (!rc)
        rc = plog_buf_add_json(&want, plog_span_text(origin));
    if (!rc)
        rc = plog_buf_add_char(&want, ',');
    b->len = 0;
    if (!rc)
        rc = plog_buf_reserve(b, want.len);
    if (!rc && plog_io_pread_full(io, fd, b->data, want.len, 0, &got))
        rc = PLOG_E_IO;
    if (!rc && (got < want.len || memcmp(b->data, want.data, want.len) != 0))
        rc = PLOG_END;
    plog_buf_fini(&want);
    return rc;
}

int plog_commit_reads(const struct plog_dir *dir,
                      const struct plog_keychain *keys, int fd,
                      const struct plog_store_head *h,
                      const struct plog_vkey **key, struct plog_error *err)
{
    struct plog_buf b;
    struct plog_span line;
    struct plog_commit c;
    /* A header has the name that the log had before it: the first one of a
     * restored copy that goes on is still by its old name. */
    const char *origin = plog_keychain_name(
        keys, h->segment > 1 ? h->segment - 1 : 1, h->origin);
    plog_buf_init(&b, dir->io);
    int rc = check_origin(dir->io, fd, origin, &b);
    if (!rc)
        rc = line_before(dir->io, fd, h->offset, &b, &line);
    if (!rc)
        rc = read_commit(dir->io, line, h, origin, &c);
    plog_buf_fini(&b);
    if (rc == PLOG_END)
        return rc;
    if (rc == PLOG_E_FOREIGN)
        return plog_fail(err, rc, "the segment belongs to another log");
    if (rc)
        return plog_fail(err, rc, "reading the log's last commit failed");
    if (!same_commit(&c, &h->commit))
        return PLOG_END;
    *key = plog_keychain_at(keys, c.size);
    if (!*key || strcmp((*key)->id_text, c.key) != 0)
        return plog_fail(err, PLOG_E_UNKNOWN_KEY,
                         "the head is signed by key"
                         " %s, which is not trusted here",
                         c.key);
    return 0;
}

int plog_commit_stands(const struct plog_dir *dir,
                       const struct plog_keychain *keys, int fd,
                       const struct plog_store_head *h, struct plog_error *err)
{
    const struct plog_vkey *key;
    const struct plog_commit *c = &h->commit;
    int rc = plog_commit_reads(dir, keys, fd, h, &key, err);
    if (rc)
        return rc;
    return plog_checkpoint_verify(key, h->origin, c->size, c->root, c->sig)
               ? 0
               : PLOG_END;
}
