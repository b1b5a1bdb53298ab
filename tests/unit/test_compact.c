/*
 * test_compact.c - taking away what every peer has: PulseDB's five tests and
 * their holes, readers below the floor, stores from a snapshot, keys below the
 * floor.  Undo, damage and readers meanwhile: test_compact_*.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "peers.h"
#include "world.h"

/* ---- PulseDB's five ------------------------------------------------------ */

static void nobody(void)
{
    struct world w;
    struct plog_compact_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_UINT(r.to, 0);
    CHECK_UINT(r.peers, 0);
    CHECK_TEXT(r.why, "no peer was added, or each was evicted: nobody is known"
                      " to have received anything");
    CHECK_INT(peers_add(&w, "idle"), 0);
    CHECK_INT(peers_add(&w, "busy"), 0);
    CHECK_INT(peers_ack(&w, "busy", 30), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_UINT(r.to, 0);
    CHECK_TEXT(r.holder, "idle");
    CHECK_TEXT(r.why, "peer idle has acknowledged nothing yet");
    CHECK_UINT(peers_floor(&w), 0);
    CHECK_INT(peers_ack(&w, "idle", 1), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_UINT(r.to, 0);
    CHECK_TEXT(r.why, "no sealed segment ends at or below entry 1, up to which"
                      " peer idle has received the log");
    world_end(&w, 43);
}

static void slowest_of_several(void)
{
    struct world w;
    struct plog_compact_report r;
    plog_reader *reader;
    uint64_t last = 0;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "a"), 0);
    CHECK_INT(peers_add(&w, "b"), 0);
    CHECK_INT(peers_add(&w, "c"), 0);
    CHECK_INT(peers_ack(&w, "a", 50), 0);
    CHECK_INT(peers_ack(&w, "b", 30), 0);
    CHECK_INT(peers_ack(&w, "c", 61), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_TEXT(r.holder, "b");
    CHECK(r.to > 0 && r.to <= 30);
    CHECK_UINT(peers_floor(&w), r.to);
    CHECK(!world_has(&w, "log/00000000000000000001.jsonl"));
    CHECK(world_has(&w, "archive/00000000000000000001.jsonl.gz"));
    /* Everything above stays, and can be read without a gap. */
    CHECK_INT(plog_reader_open(&reader, w.dir, NULL, NULL), 0);
    CHECK_INT(
        plog_reader_log(reader, r.to + 1, 0, peers_count_line, &last, NULL), 0);
    CHECK_UINT(last, r.entry);
    CHECK_INT(plog_reader_log(reader, r.to, 0, peers_count_line, &last, NULL),
              PLOG_E_PRUNED);
    plog_reader_close(reader);
    CHECK_INT(peers_parity(&w), 0);
    /* A second run takes nothing away. */
    uint64_t floor = r.to;
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_UINT(r.segments, 0);
    CHECK_UINT(r.entry, 0);
    CHECK_UINT(peers_floor(&w), floor);
    world_end(&w, 65);
}

/* ---- Holes of theirs ----------------------------------------------------- */

/* Where a pull stands and what a peer has are two things, also by one name. */
static void two_kinds_of_cursor(void)
{
    struct world w;
    plog_reader *r;
    struct plog_span got;
    struct plog_cursor k = {
        .source = {"hub", 3}, .resource = {"*", 1}, .cursor = {"17", 2}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &k, .cursor_count = 1};
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    CHECK_INT(peers_add(&w, "hub"), 0);
    CHECK_INT(peers_ack(&w, "hub", 12), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "hub", 14), 0);
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_cursor(r, k.source, k.resource, &got, NULL), 0);
    CHECK(got.n == 2 && memcmp(got.p, "17", 2) == 0);
    plog_reader_close(r);
    CHECK_INT(world_number(&w, "SELECT cursor FROM peers WHERE name='hub'"),
              14);
    world_end(&w, 23);
}

static int take_peer(void *arg, const struct plog_peer *p)
{
    if (p->name.n == 4 && memcmp(p->name.p, "dead", 4) == 0)
        *(struct plog_peer *)arg = *p;
    return 0;
}

static void dead_peer(void)
{
    struct world w;
    struct plog_peer dead = {.lag = 0};
    struct plog_peer_report done;
    struct plog_compact_report r;
    struct plog_peer_options why = {.struct_size = sizeof why,
                                    .reason = "it burned"};
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "dead"), 0);
    CHECK_INT(peers_add(&w, "dead"), PLOG_E_EXISTS);
    CHECK_INT(peers_add(&w, "well"), 0);
    CHECK_INT(peers_ack(&w, "well", 50), 0);
    CHECK_INT(plog_peers(w.dir, NULL, take_peer, &dead, NULL), 0);
    CHECK(dead.holds_floor);
    CHECK_UINT(dead.lag, 63);
    CHECK(dead.lag_bytes > 10000);
    CHECK(dead.seen_age < 0);
    CHECK_INT(plog_peer_evict(w.dir, "nobody", &why, &done, NULL),
              PLOG_E_NOT_FOUND);
    CHECK_INT(plog_peer_evict(w.dir, "dead", &why, &done, NULL), 0);
    CHECK_UINT(done.entry, 64);
    size_t len;
    char *line = world_line(&w, 64, &len);
    CHECK(strstr(line, "\"control\":\"peer-evict\"") != NULL &&
          strstr(line, "it burned") != NULL);
    free(line);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.to > 0);
    world_end(&w, 65);
}

static void acknowledgements(void)
{
    struct world w;
    struct plog_peer_report done;
    struct plog_head head;
    unsigned char other[PLOG_HASH_SIZE] = {1};
    plog_reader *reader;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(plog_reader_open(&reader, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_head(reader, &head, NULL), 0);
    plog_reader_close(reader);
    CHECK_INT(peers_ack(&w, "q", 5), PLOG_E_NOT_FOUND);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    CHECK_INT(peers_ack(&w, "p", 19), PLOG_E_INPUT);
    CHECK_INT(peers_ack(&w, "p", head.size + 1), PLOG_E_INPUT);
    CHECK_INT(plog_peer_ack(w.dir, "p", 25, other, NULL, &done, NULL),
              PLOG_E_FORK);
    CHECK_INT(world_number(&w, "SELECT cursor FROM peers"), 20);
    CHECK_INT(
        plog_peer_ack(w.dir, "p", head.size, head.root, NULL, &done, NULL), 0);
    CHECK_INT(world_number(&w, "SELECT root NOTNULL FROM peers"), 1);
    CHECK_INT(peers_ack(&w, "p", head.size),
              0); /* said again, the proof stays */
    CHECK_INT(world_number(&w, "SELECT root NOTNULL FROM peers"), 1);
    CHECK_INT(plog_peer_rewind(w.dir, "p", 10, NULL, &done, NULL), 0);
    CHECK_UINT(done.before, head.size);
    CHECK_INT(world_number(&w, "SELECT cursor FROM peers"), 10);
    CHECK_INT(plog_peer_rewind(w.dir, "p", 11, NULL, &done, NULL),
              PLOG_E_INPUT);
    world_end(&w, 43);
}

/* ---- Reading below the floor --------------------------------------------- */

static void repeated_ids(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_receipt first = {0}, again = {0};
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, "i3", "r3", "v3", &first), 0);
    CHECK(first.duplicate);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.to > first.seq);
    for (int round = 0; round < 3; round++) {
        CHECK_INT(world_open(&w), 0);
        CHECK_INT(world_put(&w, "i3", "r3", "v3", &again), 0);
        CHECK(again.duplicate);
        CHECK_UINT(again.seq, first.seq);
        CHECK_UINT(again.size, round == 0 ? again.size : r.to);
        CHECK_INT(memcmp(again.leaf, first.leaf, sizeof first.leaf), 0);
        CHECK_INT(world_put(&w, "i3", "r3", "other", NULL), PLOG_E_CONFLICT);
        world_close(&w);
        CHECK_INT(peers_parity(&w), 0);
        if (round == 0)
            CHECK_INT(peers_trim(&w, NULL), 0);
        struct plog_replay_report replayed;
        struct plog_replay_options fresh = {.struct_size = sizeof fresh,
                                            .fresh = true};
        if (round == 1)
            CHECK_INT(plog_replay(w.dir, &fresh, &replayed, NULL), 0);
    }
    world_end(&w, 43);
}

static void readers_below(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_error err;
    plog_sub *sub;
    plog_reader *reader;
    uint64_t seq, last = 0;
    const char *line;
    size_t len;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_INT(plog_subscribe(&sub, w.dir, 1, NULL, NULL), 0);
    CHECK_INT(plog_sub_next(sub, 0, &seq, &line, &len, NULL), PLOG_E_PRUNED);
    CHECK_UINT(len, r.to);
    CHECK_INT(plog_sub_next(sub, 0, &seq, &line, &len, NULL), 0);
    CHECK_UINT(seq, r.to + 1);
    plog_sub_close(sub);
    CHECK_INT(plog_reader_open(&reader, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_log(reader, 1, 0, peers_count_line, &last, &err),
              PLOG_E_PRUNED);
    CHECK_UINT(err.seq, r.to + 1);
    CHECK(strstr(err.message, "snapshots/") != NULL);
    /* Nothing is asked for, of what is gone: that is said all the same. */
    last = 0;
    CHECK_INT(plog_reader_log(reader, 3, 2, peers_count_line, &last, &err),
              PLOG_E_PRUNED);
    CHECK_UINT(last, 0);
    struct plog_span res = {"r", 1}, id = {"r3", 2};
    char sql[120], gone[60];
    snprintf(sql, sizeof sql,
             "SELECT max(seq) FROM events WHERE record_id='r3' AND seq<=%llu",
             (unsigned long long)r.to);
    snprintf(gone, sizeof gone, "entry %lld was compacted away",
             (long long)world_number(&w, sql));
    CHECK_INT(plog_reader_history(reader, res, id, peers_count_line, &last,
                                  &err),
              PLOG_E_PRUNED);
    CHECK(strstr(err.message, gone) != NULL);
    plog_reader_close(reader);
    world_end(&w, 43);
}

/* ---- A store from the snapshot ------------------------------------------- */

static void delete_record(struct world *w, const char *record)
{
    char text[512];
    struct world_delta d = {.record = record, .op = "delete"};
    CHECK_INT(world_append(w, world_text(text, sizeof text, &d), NULL, NULL),
              0);
}

static void all_strategies(void)
{
    static const enum plog_strategy all[] = {PLOG_LAST_WRITE_WINS, PLOG_ARRIVAL,
                                             PLOG_HIGHEST_CONFIDENCE,
                                             PLOG_KEEP_LOCAL, PLOG_MERGE_JSON};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct world w;
        struct plog_compact_report r;
        char before[200];
        world_make(&w, all[i], PEERS_SEGMENT);
        peers_put(&w, 0, 20);
        delete_record(&w, "r2");
        delete_record(&w, "gone");
        peers_put(&w, 20, 26);
        CHECK_INT(plog_set_strategy(w.p, PLOG_ARRIVAL, NULL, NULL), 0);
        peers_put(&w, 26, 50);
        world_close(&w);
        snprintf(before, sizeof before, "%s", world_record(&w, "r3"));
        CHECK_INT(peers_add(&w, "p"), 0);
        CHECK_INT(peers_ack(&w, "p", 24), 0);
        CHECK_INT(peers_compact(&w, &r), 0);
        CHECK(r.to > 10);
        CHECK_INT(peers_ack(&w, "p", 40), 0);
        CHECK_INT(peers_compact(&w, &r), 0); /* from the snapshot before */
        CHECK(r.from > 10 && r.to > r.from);
        CHECK_INT(peers_trim(&w, &r), 0);
        CHECK(r.trimmed > 0);
        CHECK_TEXT(world_record(&w, "r3"), before);
        CHECK_INT(peers_parity(&w), 0);
        CHECK_INT(world_open(&w), 0);
        peers_put(&w, 50, 60);
        world_close(&w);
        CHECK_INT(peers_parity(&w), 0);
        CHECK_INT(peers_ack(&w, "p", 60), 0);
        CHECK_INT(peers_compact(&w, &r), 0); /* on a trimmed store */
        world_end(&w, r.entry);
        world_remove(w.dir);
    }
}

/* ---- Everything into the past -------------------------------------------- */

static void a_bare_end(void)
{
    struct world w;
    struct plog_compact_report r;
    uint64_t first = 0;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 12);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 14), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_UINT(first, 15);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), PLOG_PRESENT);
    world_close(&w);
    CHECK_INT(peers_parity(&w), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_UINT(r.to, 14);
    CHECK_UINT(r.entry, 15);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 12, 14);
    world_close(&w);
    world_end(&w, 17);
}

static void keys_below(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_rotate_report rotated;
    struct plog_check_options pin = {.struct_size = sizeof pin};
    struct world_found f;
    char first[PLOG_VKEY_MAX], last[PLOG_VKEY_MAX];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    snprintf(first, sizeof first, "%s", w.vkey);
    CHECK_INT(plog_key_rotate(w.dir, NULL, &rotated, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 20, 50);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 45), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.to > 25);
    CHECK_INT(plog_key_rotate(w.dir, NULL, &rotated, NULL), 0);
    snprintf(last, sizeof last, "%s", rotated.new_vkey);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 50, 52);
    world_close(&w);
    const char *pins[] = {NULL, first, last};
    for (int i = 0; i < 3; i++) {
        pin.vkey = pins[i];
        CHECK_INT(world_verify(&w, &pin, &f), 0);
        CHECK_UINT(f.report.floor, r.to);
        CHECK_INT(world_parity(&w, &pin, &f), 0);
    }
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"nobody, or one at 0", nobody},
        {"slowest of several", slowest_of_several},
        {"two kinds of cursor", two_kinds_of_cursor},
        {"dead peer", dead_peer},
        {"acknowledgements", acknowledgements},
        {"repeated ids", repeated_ids},
        {"readers below", readers_below},
        {"all strategies", all_strategies},
        {"a bare end", a_bare_end},
        {"keys below", keys_below},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
