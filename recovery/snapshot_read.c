/* snapshot_read.c - snapshots, read item by item once their text is proven. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "compaction.h"
#include "sha256.h"
#include "snapshot.h"

#define LONGEST (PLOG_LINE_MAX + PLOG_LINE_SLACK)
#define CHUNK 65536

/* ---- Text --------------------------------------------------------------- */

static int odd(struct plog_snapshot *s, struct plog_error *err,
               const char *what)
{
    char name[PLOG_SNAPSHOT_NAME], shown[64];
    plog_snapshot_name(s->floor, name);
    snprintf(shown, sizeof shown, PLOG_SNAPSHOT_DIR "/%s", name);
    plog_fail(err, PLOG_E_CORRUPT, "the snapshot of entry %llu %s",
              (unsigned long long)s->floor, what);
    plog_err_file(err, shown);
    if (s->lines)
        plog_err_line(err, s->lines);
    plog_snapshot_lost(s->dir, s->floor, err);
    return PLOG_E_CORRUPT;
}

/* The next line, without its LF, into `to`.  PLOG_END at the end. */
static int read_line(struct plog_snapshot *s, struct plog_buf *to,
                     struct plog_error *err)
{
    to->len = 0;
    for (;;) {
        size_t have = s->window.len - s->at;
        const char *from = s->window.data + s->at;
        const char *lf = have ? memchr(from, '\n', have) : NULL;
        size_t n = lf ? (size_t)(lf - from) : have;
        if (n && plog_buf_add(to, from, n))
            return plog_fail(err, PLOG_E_NOMEM, "out of memory");
        s->at += n + (lf != NULL);
        if (lf) {
            s->lines++;
            return 0;
        }
        if (s->ended)
            return to->len ? odd(s, err, "ends inside a line") : PLOG_END;
        if (to->len > LONGEST)
            return odd(s, err, "has a line that is too long");
        s->at = 0;
        size_t got = 0;
        int rc = plog_gz_read(&s->gz, s->window.data, CHUNK, &got, err);
        if (rc)
            return rc;
        s->window.len = got;
        s->ended = got < CHUNK;
    }
}

static int begin(struct plog_snapshot *s, struct plog_error *err)
{
    plog_gz_close(&s->gz);
    s->at = s->window.len = 0;
    s->ended = false;
    s->lines = 0;
    return plog_gz_open(&s->gz, s->io, s->fd, err);
}

static int check_digest(struct plog_snapshot *s, const unsigned char *digest,
                        struct plog_error *err)
{
    struct plog_sha256_state hash;
    unsigned char have[PLOG_HASH_SIZE];
    size_t got = CHUNK;
    int rc = begin(s, err);
    plog_sha256_begin(&hash);
    while (!rc && got == CHUNK) {
        rc = plog_gz_read(&s->gz, s->window.data, CHUNK, &got, err);
        if (!rc)
            plog_sha256_add(&hash, s->window.data, got);
    }
    plog_sha256_end(&hash, have);
    if (rc == PLOG_E_CORRUPT)
        return odd(s, err, "is not gzip, or damaged");
    if (!rc && memcmp(have, digest, sizeof have) != 0)
        rc = odd(s, err, "is not the one that the compact entry signs");
    return rc;
}

/* ---- Members ------------------------------------------------------------ */

/* Reads `{"KIND":{..}}` with exactly the members `names`. */
static bool take(struct plog_span line, const char *kind,
                 const char *const *names, struct plog_span *values,
                 size_t count)
{
    struct plog_json_walk w;
    struct plog_span name, value;
    plog_json_walk(&w, line);
    if (!plog_json_next(&w, &name, &value) || !plog_span_is(name, kind) ||
        plog_json_kind(value) != 'o')
        return false;
    return plog_json_members(value, names, values, count);
}

/* Decodes strings into one buffer that does not move, for which room is made
 * with the line. */
static bool decode(struct plog_snapshot *s, const struct plog_span *raw,
                   struct plog_span *const *to, int count)
{
    s->decoded.len = 0;
    for (int i = 0; i < count; i++) {
        size_t start = s->decoded.len;
        if (plog_json_kind(raw[i]) != 's' ||
            plog_json_unescape(plog_span(raw[i].p + 1, raw[i].n - 2),
                               &s->decoded))
            return false;
        *to[i] = plog_span(s->decoded.data + start, s->decoded.len - start);
    }
    return true;
}

static int entry_line(struct plog_snapshot *s, struct plog_snapshot_item *out,
                      struct plog_error *err)
{
    int rc = read_line(s, &s->line, err);
    if (rc)
        return rc == PLOG_END ? odd(s, err, "lacks an entry") : rc;
    out->line = plog_span(s->line.data, s->line.len);
    rc = plog_entry_parse(&s->parser, out->line, &out->entry, err);
    if (rc == PLOG_E_CORRUPT || (!rc && out->entry.seq > s->floor))
        rc = odd(s, err, "holds an entry that is none of it");
    return rc;
}

static int take_record(struct plog_snapshot *s, struct plog_span line,
                       struct plog_snapshot_item *out, struct plog_error *err)
{
    static const char *const names[] = {"resource", "record_id", "seq",
                                        "last",     "version",   "merged"};
    struct plog_span v[6];
    struct plog_folded *r = &out->record;
    struct plog_span *const texts[] = {&r->resource, &r->record_id};
    if (!take(line, "record", names, v, 6) || plog_u64_parse(v[2], &out->seq) ||
        plog_u64_parse(v[3], &r->last) || plog_u64_parse(v[4], &r->version) ||
        !decode(s, v, texts, 2))
        return odd(s, err, "has a record that is none");
    bool merged = plog_json_kind(v[5]) == 't';
    int rc = out->seq ? entry_line(s, out, err) : 0;
    if (rc)
        return rc;
    const struct plog_delta *d = &out->entry.delta;
    if (out->seq && (out->entry.seq != out->seq ||
                     out->entry.control != PLOG_CONTROL_NONE ||
                     !plog_span_equal(d->resource_text, r->resource) ||
                     !plog_span_equal(d->record_id_text, r->record_id)))
        return odd(s, err, "has a record with another one's entry");
    r->entry = out->seq ? &out->entry : NULL;
    r->line = out->line;
    if (merged)
        rc = read_line(s, &s->merged, err);
    if (rc || (merged && s->merged.len == 0))
        return rc < 0 ? rc : odd(s, err, "lacks a payload");
    if (merged)
        r->merged = plog_span(s->merged.data, s->merged.len);
    return 0;
}

static int take_id(struct plog_snapshot *s, struct plog_span line,
                   struct plog_snapshot_item *out, struct plog_error *err)
{
    static const char *const names[] = {"seq", "id", "leaf", "content"};
    struct plog_span v[4];
    struct plog_old_id *id = &out->id;
    if (!take(line, "id", names, v, 4) || plog_u64_parse(v[0], &id->seq) ||
        !plog_json_bytes(v[1], id->id, PLOG_HASH_SIZE) ||
        !plog_json_bytes(v[2], id->leaf, PLOG_HASH_SIZE))
        return odd(s, err, "has an id that is none");
    id->has_content = plog_json_kind(v[3]) != '0';
    if (id->has_content && !plog_json_bytes(v[3], id->content, PLOG_HASH_SIZE))
        return odd(s, err, "has an id that is none");
    return 0;
}

static int take_cursor(struct plog_snapshot *s, struct plog_span line,
                       struct plog_snapshot_item *out, struct plog_error *err)
{
    static const char *const names[] = {"source", "resource", "cursor", "seq"};
    struct plog_span v[4];
    struct plog_cursor *c = &out->cursor;
    struct plog_span *const texts[] = {&c->source, &c->resource, &c->cursor};
    if (!take(line, "cursor", names, v, 4) || plog_u64_parse(v[3], &out->seq) ||
        !decode(s, v, texts, 3))
        return odd(s, err, "has a cursor that is none");
    return 0;
}

static int take_small(struct plog_snapshot *s, struct plog_span line,
                      struct plog_snapshot_item *out, struct plog_error *err)
{
    static const char *const seq[] = {"seq"};
    static const char *const peer[] = {"name", "added"};
    static const char *const redaction[] = {"seq", "target"};
    struct plog_span v[2];
    struct plog_span *const texts[] = {&out->peer};
    if (out->kind == PLOG_SNAPSHOT_CONTROL)
        return take(line, "control", seq, v, 1) &&
                       !plog_u64_parse(v[0], &out->seq)
                   ? entry_line(s, out, err)
                   : odd(s, err, "has a control entry that is none");
    if (out->kind == PLOG_SNAPSHOT_PEER)
        return take(line, "peer", peer, v, 2) &&
                       !plog_u64_parse(v[1], &out->seq) &&
                       decode(s, v, texts, 1)
                   ? 0
                   : odd(s, err, "has a peer that is none");
    return take(line, "redaction", redaction, v, 2) &&
                   !plog_u64_parse(v[0], &out->seq) &&
                   !plog_u64_parse(v[1], &out->target)
               ? 0
               : odd(s, err, "has a redaction that is none");
}

static int kind_of(struct plog_span line, enum plog_snapshot_kind *kind)
{
    static const char *const begins[] = {
        "{\"control\":", "{\"record\":",    "{\"cursor\":",
        "{\"peer\":",    "{\"redaction\":", "{\"id\":"};
    for (int i = 0; i < 6; i++)
        if (line.n > strlen(begins[i]) &&
            memcmp(line.p, begins[i], strlen(begins[i])) == 0) {
            *kind = (enum plog_snapshot_kind)i;
            return 0;
        }
    return PLOG_E_CORRUPT;
}

int plog_snapshot_next(struct plog_snapshot *s, struct plog_snapshot_item *out,
                       struct plog_error *err)
{
    struct plog_json_fault fault;
    memset(out, 0, sizeof *out);
    int rc = read_line(s, &s->first, err);
    if (rc)
        return rc;
    struct plog_span line = plog_span(s->first.data, s->first.len);
    s->decoded.len = 0;
    rc = plog_buf_reserve(&s->decoded, line.n + 1);
    if (!rc)
        rc = plog_json_check(&s->json, line, &fault);
    if (rc == PLOG_E_NOMEM)
        return plog_fail(err, rc, "out of memory");
    if (rc || kind_of(line, &out->kind))
        return odd(s, err, "has a line that is none of it");
    switch (out->kind) {
    case PLOG_SNAPSHOT_RECORD:
        return take_record(s, line, out, err);
    case PLOG_SNAPSHOT_CURSOR:
        return take_cursor(s, line, out, err);
    case PLOG_SNAPSHOT_ID:
        return take_id(s, line, out, err);
    default:
        return take_small(s, line, out, err);
    }
}

/* Their text was proven, and they are the last: no need to take them apart. */
int plog_snapshot_next_id(struct plog_snapshot *s, struct plog_span *line,
                          struct plog_error *err)
{
    struct plog_snapshot_item item;
    int rc = 0;
    if (s->at_ids)
        rc = read_line(s, &s->first, err);
    while (!rc && !s->at_ids) {
        rc = plog_snapshot_next(s, &item, err);
        s->at_ids = !rc && item.kind == PLOG_SNAPSHOT_ID;
    }
    *line = plog_span(s->first.data, s->first.len);
    return rc;
}

/* ---- Opening ------------------------------------------------------------ */

static int take_first(struct plog_snapshot *s, struct plog_error *err)
{
    static const char *const names[] = {"format",       "floor",
                                        "strategy",     "max_line",
                                        "segment_size", "redactions"};
    struct plog_span v[6];
    struct plog_json_fault fault;
    struct plog_rules *r = &s->rules;
    uint64_t format = 0, floor = 0;
    char strategy[32];
    int rc = read_line(s, &s->first, err);
    if (rc < 0)
        return rc;
    int bad =
        rc ? rc
           : plog_json_check(&s->json, plog_span(s->first.data, s->first.len),
                             &fault);
    if (bad == PLOG_E_NOMEM)
        return plog_fail(err, bad, "out of memory");
    if (bad ||
        !take(plog_span(s->first.data, s->first.len), "snapshot", names, v,
              6) ||
        plog_u64_parse(v[0], &format) || plog_u64_parse(v[1], &floor) ||
        plog_u64_parse(v[3], &r->line_max) ||
        plog_u64_parse(v[4], &r->segment_size) ||
        plog_u64_parse(v[5], &r->redactions) || format != 1 ||
        floor != s->floor || v[2].n < 3 || v[2].n > sizeof strategy)
        return odd(s, err, "does not begin as one");
    memcpy(strategy, v[2].p + 1, v[2].n - 2);
    strategy[v[2].n - 2] = '\0';
    r->floor = r->base = s->floor;
    rc = plog_strategy_parse(strategy, &r->strategy)
             ? odd(s, err, "names no strategy")
             : read_line(s, &s->line, err);
    if (rc < 0)
        return rc;
    if (!rc)
        rc = plog_header_parse(&s->json, plog_span(s->line.data, s->line.len),
                               &s->header);
    if (rc == PLOG_E_NOMEM)
        return plog_fail(err, rc, "out of memory");
    if (rc || s->header.first != s->floor + 1)
        return odd(s, err, "has another header");
    return 0;
}

static int find(struct plog_snapshot *s, const struct plog_dir *d,
                struct plog_error *err)
{
    char name[PLOG_SNAPSHOT_NAME];
    const struct plog_io *io = d->io;
    int dir, rc = plog_snapshot_dir(d, false, &dir, err);
    if (rc < 0)
        return rc;
    s->fd = -ENOENT;
    plog_snapshot_name(s->floor, name);
    if (!rc) {
        s->fd = plog_io_open_regular(io, dir, name, O_RDONLY);
        io->close(io->ctx, dir);
    }
    if (s->fd == -ENOENT)
        return plog_snapshot_missing(d, s->floor, err);
    if (s->fd >= 0)
        return 0;
    if (!plog_io_says_odd(s->fd))
        return plog_fail_io(err, s->fd, PLOG_SNAPSHOT_DIR,
                            "opening a snapshot");
    return odd(s, err, "is not a regular file with one link");
}

/* Ready to be read from. */
static int set_up(struct plog_snapshot *s, const struct plog_dir *d,
                  uint64_t floor, struct plog_error *err)
{
    memset(s, 0, sizeof *s);
    s->io = d->io;
    s->dir = d;
    s->fd = -1;
    s->floor = floor;
    struct plog_buf *all[] = {&s->window, &s->first, &s->line, &s->merged,
                              &s->decoded};
    for (int i = 0; i < 5; i++)
        plog_buf_init(all[i], s->io);
    plog_json_init(&s->json, s->io);
    plog_entry_parser_init(&s->parser, s->io);
    return plog_buf_reserve(&s->window, CHUNK)
               ? plog_fail(err, PLOG_E_NOMEM, "out of memory")
               : find(s, d, err);
}

int plog_snapshot_peek(struct plog_snapshot *s, const struct plog_dir *d,
                       uint64_t floor, struct plog_error *err)
{
    int rc = set_up(s, d, floor, err);
    if (!rc)
        rc = begin(s, err);
    return rc ? rc : take_first(s, err);
}

int plog_snapshot_open(struct plog_snapshot *s, const struct plog_dir *d,
                       uint64_t floor, const unsigned char *digest,
                       struct plog_error *err)
{
    int rc = set_up(s, d, floor, err);
    if (!rc)
        rc = check_digest(s, digest, err);
    if (!rc)
        rc = begin(s, err);
    return rc ? rc : take_first(s, err);
}

int plog_snapshot_check(const struct plog_dir *d, uint64_t floor,
                        const unsigned char *digest, struct plog_error *err)
{
    struct plog_snapshot s;
    int rc = plog_snapshot_open(&s, d, floor, digest, err);
    plog_snapshot_close(&s);
    return rc;
}

/* Only a holder of the key can have signed both. */
int plog_snapshot_agrees(const struct plog_snapshot *s,
                         const struct plog_compaction *c,
                         struct plog_error *err)
{
    char name[PLOG_SNAPSHOT_NAME], shown[64];
    const struct plog_rules *r = &s->rules;
    bool root = !memcmp(s->header.last.root, c->root, PLOG_HASH_SIZE);
    if (root && r->strategy == c->rules.strategy &&
        r->line_max == c->rules.line_max &&
        r->segment_size == c->rules.segment_size)
        return 0;
    plog_snapshot_name(s->floor, name);
    snprintf(shown, sizeof shown, PLOG_SNAPSHOT_DIR "/%s", name);
    plog_fail(err, PLOG_E_CORRUPT,
              "the compact entry %llu that signs the snapshot has %s",
              (unsigned long long)c->at, root ? "other rules" : "another root");
    plog_err_file(err, shown);
    plog_err_hint(err,
                  "compare with a copy of DIR that was made before entry"
                  " %llu",
                  (unsigned long long)c->at);
    return PLOG_E_CORRUPT;
}

void plog_snapshot_close(struct plog_snapshot *s)
{
    if (!s->io)
        return;
    plog_gz_close(&s->gz);
    if (s->fd >= 0)
        s->io->close(s->io->ctx, s->fd);
    struct plog_buf *all[] = {&s->window, &s->first, &s->line, &s->merged,
                              &s->decoded};
    for (int i = 0; i < 5; i++)
        plog_buf_fini(all[i]);
    plog_json_fini(&s->json);
    plog_entry_parser_fini(&s->parser);
    s->io = NULL;
}
