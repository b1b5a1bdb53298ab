/* sample.c - see sample.h. */
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define SEGMENT_SIZE 26000
#define PADDING_MAX 100
#define FILLER_MAX 4000

/* ---- Random bytes and a clock -------------------------------------------- */

static uint64_t random_state;
static int64_t now_ns;

static int seeded_random(void *ctx, void *buf, size_t n)
{
    unsigned char *p = buf;
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)check_random(&random_state);
    return 0;
}

static int64_t seeded_clock(void *ctx)
{
    (void)ctx;
    return now_ns += 1234567;
}

const struct plog_io *sample_io(uint64_t seed)
{
    static struct plog_io io;
    io = *plog_io_posix();
    io.random = seeded_random;
    io.clock_real_ns = seeded_clock;
    random_state = seed;
    now_ns = 1767323045000000000; /* 2026-01-02T03:04:05Z */
    return &io;
}

/* ---- The log ------------------------------------------------------------- */

/* A delta about one of a few records, with what a payload may hold. */
static void write_delta(char *out, size_t cap, unsigned i, size_t filler)
{
    static const char *const names[] = {"Mia", "Zo\\u00eb \\/ \xc3\xbc",
                                        "\xe5\xb1\xb1\xe7\x94\xb0 \\\"T\\\"",
                                        "M\\u00fcller\\n"};
    char text[FILLER_MAX];
    for (size_t k = 0; k < filler; k++)
        text[k] = "abcdefghijklm nopqrstuvwxyz.,0123456789"[(k * 7 + i) % 39];
    text[filler] = '\0';
    snprintf(out, cap,
             "{\"id\": \"m-%04u\", \"resource\": \"%s\", \"record_id\": "
             "\"%u\", \"op\": \"%s\", \"payload\": {\"name\": \"%s\", \"kg\": "
             "%u.%02u0, \"tags\": [1, -2.5e3, true, null, {\"a\": []}], "
             "\"text\": \"%s\"}, \"occurred_at\": \"2026-01-%02uT03:04:05.%03u"
             "+01:00\", \"provenance\": {\"source\": \"%s\", \"confidence\": "
             "0.%u}%s}",
             i, i % 3 ? "pets" : "Zoo", i % 9, i % 8 == 5 ? "delete" : "upsert",
             names[i % 4], i, i % 100, text, 1 + (i * 5) % 28, i,
             i % 2 ? "crm" : "shop", 1 + i % 9,
             i % 5 ? "" : ", \"meta\": {\"trace\": \"t7\"}");
}

static unsigned deltas; /* written so far */

/* One group. */
static bool put(struct sample *s, unsigned count, size_t filler)
{
    static char texts[4][FILLER_MAX + 1000];
    struct plog_span spans[4];
    struct plog_receipt receipts[4];
    struct plog_cursor cursor = {{"crm", 3}, {"*", 1}, {"page \"7\"", 8}};
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = spans, .delta_count = count};
    for (unsigned i = 0; i < count; i++) {
        write_delta(texts[i], sizeof texts[i], deltas, filler);
        spans[i] = (struct plog_span){texts[i], strlen(texts[i])};
        deltas++;
    }
    if (count == 3) {
        g.cursors = &cursor;
        g.cursor_count = 1;
    }
    return CHECK_INT(plog_append_group(s->w.p, &g, receipts, NULL), 0);
}

static void forget(struct sample *s)
{
    for (size_t i = 0; i < SAMPLE_SEGMENTS; i++) {
        free(s->segments[i].data);
        memset(&s->segments[i], 0, sizeof s->segments[i]);
    }
    s->unit_count = s->line_count = 0;
}

static void map_segment(struct sample *s, size_t i)
{
    const struct sample_segment *seg = &s->segments[i];
    struct sample_unit u = {.kind = SAMPLE_HEADER, .segment = i};
    size_t at = 0;
    while (at < seg->size && seg->data[at] != '\n' &&
           s->line_count < SAMPLE_LINES_MAX) {
        const char *p = seg->data + at;
        struct sample_line l = {.segment = i, .at = at};
        l.n = (size_t)((char *)memchr(p, '\n', seg->size - at) - p) + 1;
        l.unit = s->unit_count;
        l.kind = !strncmp(p, "{\"segment\":", 11)  ? SAMPLE_HEADER
                 : !strncmp(p, "{\"commit\":", 10) ? SAMPLE_COMMIT
                                                   : SAMPLE_ENTRY;
        if (l.kind == SAMPLE_ENTRY)
            s->size++;
        l.seq = s->size;
        s->lines[s->line_count++] = l;
        at += l.n;
        if (l.kind == SAMPLE_ENTRY)
            continue;
        u.n = at - u.at;
        u.first = l.kind == SAMPLE_HEADER ? s->size + 1 : u.first;
        u.size = s->size;
        s->units[s->unit_count++] = u;
        u = (struct sample_unit){SAMPLE_GROUP, i, at, 0, s->size + 1, 0};
    }
    if (i + 1 == SAMPLE_SEGMENTS)
        s->units[s->unit_count++] = (struct sample_unit){
            SAMPLE_PADDING, i, at, seg->size - at, s->size + 1, s->size};
}

/* Reads the files, and returns how many bytes they have. */
static size_t load(struct sample *s)
{
    size_t total = 0;
    uint64_t first = 1;
    forget(s);
    s->size = 0;
    for (size_t i = 0; i < SAMPLE_SEGMENTS; i++) {
        struct sample_segment *seg = &s->segments[i];
        char path[64];
        snprintf(seg->name, sizeof seg->name, "%020llu.jsonl",
                 (unsigned long long)first);
        snprintf(path, sizeof path, "log/%s", seg->name);
        seg->first = first;
        seg->data = world_read(world_path(&s->w, path), &seg->size);
        total += seg->size;
        map_segment(s, i);
        first = s->size + 1;
    }
    return total;
}

static bool fill(struct sample *s)
{
    static const unsigned counts[] = {4, 1, 3, 2};
    for (unsigned i = 0; deltas < 49; i++) {
        if (!put(s, counts[i % 4], 880 + 30 * (i % 5)))
            return false;
        if (i == 4 &&
            !CHECK_INT(plog_set_strategy(s->w.p, PLOG_MERGE_JSON, NULL, NULL),
                       0))
            return false;
    }
    return true;
}

/* Fills up with LFs. */
static bool pad(struct sample *s, size_t total)
{
    struct sample_segment *last = &s->segments[SAMPLE_SEGMENTS - 1];
    char path[256];
    if (!CHECK(total < SAMPLE_BYTES && total + PADDING_MAX > SAMPLE_BYTES))
        return false;
    size_t n = SAMPLE_BYTES - total;
    char *data = realloc(last->data, last->size + n + 1);
    if (!data)
        abort();
    last->data = data;
    memset(data + last->size, '\n', n);
    snprintf(path, sizeof path, "log/%s", last->name);
    world_write(world_path(&s->w, path), data, last->size + n);
    return CHECK_UINT(load(s), SAMPLE_BYTES);
}

/* Makes the last group so long that all of it comes to almost SAMPLE_BYTES,
 * and the rest padding. */
static bool even_out(struct sample *s)
{
    const size_t filler = 600;
    world_close(&s->w);
    size_t before = load(s);
    CHECK_INT(world_open(&s->w), 0);
    if (!put(s, 1, filler))
        return false;
    world_close(&s->w);
    size_t with_one = load(s), one = with_one - before;
    size_t rest = SAMPLE_BYTES - PADDING_MAX / 2 - with_one;
    if (!CHECK(with_one + one < SAMPLE_BYTES - PADDING_MAX) ||
        !CHECK(filler + rest - one < FILLER_MAX))
        return false;
    CHECK_INT(world_open(&s->w), 0);
    if (!put(s, 1, filler + rest - one))
        return false;
    world_close(&s->w);
    return pad(s, load(s));
}

bool sample_make(struct sample *s, uint64_t seed)
{
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .io = sample_io(seed),
                                  .origin = "example.org/matrix",
                                  .segment_size_bytes = SEGMENT_SIZE};
    struct plog_peer_options peer = {.struct_size = sizeof peer, .io = o.io};
    struct plog_peer_report report;
    memset(s, 0, sizeof *s);
    deltas = 0;
    snprintf(s->w.dir, sizeof s->w.dir, "%.400s/log", check_dir());
    s->w.options.struct_size = sizeof s->w.options;
    s->w.options.io = o.io;
    return CHECK_INT(plog_init(s->w.dir, &o, s->w.vkey, NULL), 0) &&
           CHECK_INT(plog_peer_add(s->w.dir, "far", &peer, &report, NULL), 0) &&
           CHECK_INT(world_open(&s->w), 0) && fill(s) && even_out(s);
}

const char *sample_unit_bytes(const struct sample *s, size_t unit)
{
    const struct sample_unit *u = &s->units[unit];
    return s->segments[u->segment].data + u->at;
}

/* ---- A compacted one ------------------------------------------------------
 */

static void put_small(struct world *w, int from, int to)
{
    char id[20], record[4];
    CHECK_INT(world_open(w), 0);
    for (int i = from; i < to; i++) {
        snprintf(id, sizeof id, "id-%d", i);
        snprintf(record, sizeof record, "%d", i % 7);
        CHECK_INT(world_put(w, i % 3 ? id : NULL, record, id, NULL), 0);
    }
    world_close(w);
}

static void redact(const struct world *w, uint64_t seq)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "test"};
    struct plog_redact_report r;
    CHECK_INT(plog_redact(w->dir, seq, &o, &r, NULL), 0);
}

void sample_begin_compacted(struct world *w)
{
    struct plog_peer_options peer = {.struct_size = sizeof peer};
    struct plog_peer_report added;
    struct plog_rotate_options rotate = {.struct_size = sizeof rotate};
    struct plog_rotate_report rotated;
    world_make(w, PLOG_MERGE_JSON, 4096);
    CHECK_INT(plog_peer_add(w->dir, "far", &peer, &added, NULL), 0);
    put_small(w, 0, 40);
    redact(w, 9);
    CHECK_INT(plog_key_rotate(w->dir, &rotate, &rotated, NULL), 0);
}

void sample_compact(struct world *w)
{
    struct plog_peer_options peer = {.struct_size = sizeof peer};
    struct plog_peer_report acknowledged;
    struct plog_compact_options compact = {.struct_size = sizeof compact,
                                           .trim_store = true};
    struct plog_compact_report r;
    CHECK_INT(
        plog_peer_ack(w->dir, "far", 30, NULL, &peer, &acknowledged, NULL), 0);
    CHECK_INT(plog_compact(w->dir, &compact, &r, NULL), 0);
    CHECK(r.to > 0);
    redact(w, 36);
    put_small(w, 40, 50);
}
