/*
 * selftest_life.c - a log that is written to, and what must be in it then; see
 * selftest.h.
 *
 * Delta k has the id `dK` and is about record `r` and k mod 41; what it says
 * follows from k alone.  So the whole store follows from how many deltas are
 * in it, and nothing has to be kept to judge it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "buf.h"
#include "selftest.h"

#define GROUP_MAX 6
#define PEER "p"
#define SEGMENT_BYTES 4096 /* a new one every few groups */

/* ---- What delta k says -------------------------------------------------- */

static bool is_delete(uint64_t k)
{
    return k * 7 % 11 == 3;
}

/* Of an upsert. */
static size_t payload(char out[256], uint64_t k)
{
    int pad = (int)(k * 37 % 150);
    return (size_t)snprintf(out, 256, "{\"k\":%llu,\"pad\":\"%0*d\"}",
                            (unsigned long long)k, pad + 1, 0);
}

size_t plog_life_text(char out[PLOG_LIFE_TEXT], uint64_t k)
{
    char what[256] = "null";
    bool gone = is_delete(k);
    if (!gone)
        payload(what, k);
    return (size_t)snprintf(
        out, PLOG_LIFE_TEXT,
        "{\"id\":\"d%llu\",\"resource\":\"selftest\",\"record_id\":\"r%u\","
        "\"op\":\"%s\",\"payload\":%s,\"occurred_at\":\"2026-01-01T00:00:00Z\","
        "\"provenance\":{\"source\":\"selftest\",\"confidence\":1}}",
        (unsigned long long)k, (unsigned)(k % PLOG_LIFE_RECORDS),
        gone ? "delete" : "upsert", what);
}

/* The last one up to `n` about record `r`; 0: none. */
static uint64_t last_about(uint64_t n, uint64_t r)
{
    uint64_t k = n - n % PLOG_LIFE_RECORDS + r;
    if (k > n)
        k = k >= PLOG_LIFE_RECORDS ? k - PLOG_LIFE_RECORDS : 0;
    return k;
}

/* ---- Making ------------------------------------------------------------- */

int plog_life_make(struct plog_life *life, struct plog_selftest *t,
                   struct plog_error *err)
{
    char vkey[PLOG_VKEY_MAX];
    unsigned number = life->number + 1;
    struct plog_peer_report added;
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .io = t->io,
                                  .wait_seconds = PLOG_SELFTEST_WAIT,
                                  .strategy = PLOG_ARRIVAL,
                                  .segment_size_bytes = SEGMENT_BYTES,
                                  .allow_network_fs = true};
    struct plog_peer_options peer = {.struct_size = sizeof peer,
                                     .io = t->io,
                                     .wait_seconds = PLOG_SELFTEST_WAIT,
                                     .allow_network_fs = true};
    int rc =
        life->name[0] ? plog_selftest_remove(t->io, t->dir, life->name) : 0;
    if (rc)
        return plog_fail_io(err, rc, life->path, "removing a log of the test");
    *life =
        (struct plog_life){.t = t, .io = t->io, .number = number, .oldest = 1};
    snprintf(life->name, sizeof life->name, "life-%u", number);
    snprintf(life->path, sizeof life->path, "%s/%s", t->path, life->name);
    rc = plog_init(life->path, &o, vkey, err);
    return rc ? rc : plog_peer_add(life->path, PEER, &peer, &added, err);
}

/* ---- Living ------------------------------------------------------------- */

static uint64_t draw(struct plog_life *life, uint64_t n)
{
    life->random = life->random * 6364136223846793005u + 1442695040888963407u;
    return (life->random >> 33) % n;
}

static void tell(struct plog_life *life)
{
    if (life->tell)
        life->tell(life);
}

static int open_log(struct plog_life *life, const struct plog_io *io, plog **p,
                    struct plog_error *err)
{
    struct plog_options o = {.struct_size = sizeof o,
                             .io = io,
                             .wait_seconds = PLOG_SELFTEST_WAIT,
                             .allow_network_fs = true,
                             .allow_loose_modes = true};
    return plog_open(p, life->path, &o, err);
}

/* The library says which failures leave nothing behind. */
static bool wrote_nothing(int rc)
{
    return rc == PLOG_E_IO || rc == PLOG_E_POISONED || rc == PLOG_E_NOMEM;
}

static int append(struct plog_life *life, plog *p, struct plog_error *err)
{
    char texts[GROUP_MAX][PLOG_LIFE_TEXT];
    struct plog_span spans[GROUP_MAX];
    struct plog_life_note *n = &life->note;
    size_t count = draw(life, 2) ? 1 : 2 + draw(life, GROUP_MAX - 1);
    struct plog_group group = {
        .struct_size = sizeof group, .deltas = spans, .delta_count = count};
    for (size_t i = 0; i < count; i++)
        spans[i] = plog_span(texts[i],
                             plog_life_text(texts[i], n->acknowledged + 1 + i));
    n->attempted = n->acknowledged + count;
    tell(life);
    int rc = count == 1 ? plog_append(p, spans[0].p, spans[0].n, NULL, err)
                        : plog_append_group(p, &group, NULL, err);
    if (!rc)
        n->acknowledged = n->attempted;
    else if (wrote_nothing(rc))
        n->attempted = n->acknowledged;
    tell(life);
    return rc;
}

/* Closes, lets the peer have all of it, compacts, and opens again. */
static int compact(struct plog_life *life, plog **p, struct plog_error *err)
{
    struct plog_head head;
    struct plog_peer_report acked;
    struct plog_compact_report report;
    struct plog_peer_options peer = {.struct_size = sizeof peer,
                                     .io = life->io,
                                     .wait_seconds = PLOG_SELFTEST_WAIT,
                                     .allow_network_fs = true};
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .io = life->io,
                                     .wait_seconds = PLOG_SELFTEST_WAIT,
                                     .allow_network_fs = true};
    int rc = plog_get_head(*p, &head, err);
    plog_close(*p);
    *p = NULL;
    if (!rc && head.size)
        rc = plog_peer_ack(life->path, PEER, head.size, NULL, &peer, &acked,
                           err);
    if (!rc)
        rc = plog_compact(life->path, &o, &report, err);
    return rc ? rc : open_log(life, life->io, p, err);
}

static int step(struct plog_life *life, plog **p, struct plog_error *err)
{
    uint64_t first;
    if (life->compacting && draw(life, life->compacting) == 0)
        return compact(life, p, err);
    if (draw(life, 12) == 0) {
        int rc = plog_new_segment(*p, &first, err);
        return rc == PLOG_PRESENT ? 0 : rc;
    }
    int rc = append(life, *p, err);
    /* One that was refused is tried again: the handle lives. */
    return rc == PLOG_E_IO && life->faults && !life->faults->for_ever ? 0 : rc;
}

int plog_life_live(struct plog_life *life)
{
    struct plog_error err = {0};
    plog *p = NULL;
    life->note = (struct plog_life_note){.attempted = life->deltas,
                                         .acknowledged = life->deltas};
    int rc = open_log(life, life->io, &p, &err);
    tell(life);
    for (unsigned i = 0; !rc && !life->only_open; i++) {
        if (life->steps && i == life->steps)
            break;
        rc = step(life, &p, &err);
    }
    plog_close(p);
    if (rc) {
        life->note.code = rc;
        snprintf(life->note.what, sizeof life->note.what, "%s: %.60s",
                 plog_code_word(rc), err.message);
        tell(life);
    }
    return rc;
}

/* ---- Judging ------------------------------------------------------------ */

struct seen {
    uint64_t deltas;      /* the store is to hold */
    uint64_t first, last; /* ids; 0: none */
    uint64_t records;
    const char *wrong;
};

/* Ids one after the other, without a hole. */
static int see_id(void *arg, const struct plog_row *row)
{
    struct seen *s = arg;
    char text[24];
    if (!row->values)
        return 0;
    snprintf(text, sizeof text, "%.*s", (int)row->values[0].n,
             row->values[0].p);
    uint64_t k = text[0] == 'd' ? strtoull(text + 1, NULL, 10) : 0;
    if (!s->first)
        s->first = k;
    else if (k != s->last + 1)
        s->wrong = "a delta is missing, or out of order, in the store";
    s->last = k;
    return 0;
}

static int see_record(void *arg, const struct plog_row *row)
{
    struct seen *s = arg;
    char text[24], want[256];
    if (!row->values)
        return 0;
    snprintf(text, sizeof text, "%.*s", (int)row->values[0].n,
             row->values[0].p);
    uint64_t k = last_about(s->deltas, strtoull(text + 1, NULL, 10));
    size_t n = is_delete(k) ? 0 : payload(want, k);
    if (k == 0 || text[0] != 'r' ||
        !plog_span_equal(row->values[1], plog_span(want, n)))
        s->wrong = "a record is not what its deltas make of it";
    s->records++;
    return 0;
}

static int look(struct plog_life *life, const char *sql,
                int (*each)(void *arg, const struct plog_row *row),
                struct seen *s, struct plog_error *err)
{
    struct plog_options o = {.struct_size = sizeof o,
                             .io = life->t->io,
                             .wait_seconds = PLOG_SELFTEST_WAIT};
    plog_reader *r = NULL;
    int rc = plog_reader_open(&r, life->path, &o, err);
    if (!rc)
        rc = plog_reader_query(r, sql, each, s, err);
    plog_reader_close(r);
    return rc;
}

static int complain(char *why, const char *what)
{
    snprintf(why, 200, "%.190s", what);
    return PLOG_E_DIVERGED;
}

static int failed(char *why, const char *doing, int rc,
                  const struct plog_error *err)
{
    snprintf(why, 200, "%s: %s: %.150s", doing, plog_code_word(rc),
             err->message);
    return rc;
}

/* Acknowledged <= recovered <= attempted, by whole groups. */
static int judge_ids(struct plog_life *life, char *why)
{
    struct seen s = {.deltas = 0};
    struct plog_error err = {0};
    const struct plog_life_note *n = &life->note;
    int rc = look(life,
                  "SELECT id FROM events WHERE id IS NOT NULL"
                  " ORDER BY seq",
                  see_id, &s, &err);
    if (rc)
        return failed(why, "reading the store", rc, &err);
    uint64_t found = s.first ? s.last : life->oldest - 1;
    if (s.wrong)
        return complain(why, s.wrong);
    if (s.first && s.first != life->oldest)
        return complain(why, "the first deltas are gone from the store");
    life->deltas = found;
    if (found == n->acknowledged || found == n->attempted)
        return 0;
    snprintf(why, 200,
             "%llu deltas were acknowledged and %llu attempted, and %llu are"
             " there",
             (unsigned long long)n->acknowledged,
             (unsigned long long)n->attempted, (unsigned long long)found);
    return PLOG_E_DIVERGED;
}

static int judge_records(struct plog_life *life, char *why)
{
    struct seen s = {.deltas = life->deltas};
    struct plog_error err = {0};
    int rc = look(life, "SELECT record_id,payload FROM records", see_record, &s,
                  &err);
    if (rc)
        return failed(why, "reading the store", rc, &err);
    uint64_t want = s.deltas < PLOG_LIFE_RECORDS ? s.deltas : PLOG_LIFE_RECORDS;
    if (!s.wrong && s.records != want)
        s.wrong = "a record is missing, or one too many";
    return s.wrong ? complain(why, s.wrong) : 0;
}

static int judge_parity(struct plog_life *life, struct plog_head *head,
                        char *why)
{
    struct plog_check_report report;
    struct plog_error err = {0};
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .io = life->t->io,
                                   .wait_seconds = PLOG_SELFTEST_WAIT};
    int rc = plog_parity(life->path, &o, &report, &err);
    if (rc)
        return failed(why, "parity", rc, &err);
    *head = report.head;
    return report.verdict ? failed(why, "parity", report.verdict, &err) : 0;
}

/* The store, made anew from the log alone, says the same. */
static int judge_fresh(struct plog_life *life, const struct plog_head *before,
                       char *why)
{
    struct seen s = {.deltas = 0};
    struct plog_error err = {0};
    struct plog_head head;
    struct plog_replay_report report;
    struct plog_replay_options o = {.struct_size = sizeof o,
                                    .io = life->t->io,
                                    .wait_seconds = PLOG_SELFTEST_WAIT,
                                    .fresh = true,
                                    .allow_network_fs = true};
    int rc = plog_replay(life->path, &o, &report, &err);
    if (!rc)
        rc = look(life,
                  "SELECT id FROM events WHERE id IS NOT NULL"
                  " ORDER BY seq LIMIT 1",
                  see_id, &s, &err);
    if (rc)
        return failed(why, "replay --fresh", rc, &err);
    /* What was compacted away is not in its events any more. */
    life->oldest = s.first ? s.first : life->deltas + 1;
    struct plog_life_note all = {.attempted = life->deltas,
                                 .acknowledged = life->deltas};
    life->note = all;
    rc = judge_ids(life, why);
    if (!rc)
        rc = judge_records(life, why);
    if (!rc)
        rc = judge_parity(life, &head, why);
    if (!rc && (head.size != before->size ||
                memcmp(head.root, before->root, PLOG_HASH_SIZE) != 0))
        rc = complain(why, "replay --fresh came to another head");
    return rc;
}

int plog_life_judge(struct plog_life *life, bool fresh, char *why)
{
    struct plog_error err = {0};
    struct plog_head head;
    plog *p = NULL;
    int rc = open_log(life, life->t->io, &p, &err);
    if (rc)
        return failed(why, "opening it again", rc, &err);
    plog_close(p);
    rc = judge_ids(life, why);
    if (!rc)
        rc = judge_records(life, why);
    if (!rc)
        rc = judge_parity(life, &head, why);
    if (!rc && fresh)
        rc = judge_fresh(life, &head, why);
    return rc;
}
