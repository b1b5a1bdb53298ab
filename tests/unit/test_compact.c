/*
 * test_compact.c - taking away what every peer has: PulseDB's five tests and
 * their holes, stores from a snapshot, undo, discard, trim, keys below the
 * floor, damage.  Kills at every call: test_compact_kills.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "sha256.h"
#include "snapshot.h"
#include "world.h"

/* ---- PulseDB's five ----------------------------------------------------- */

static void nobody(void)
{
    struct world w;
    struct plog_compact_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_UINT(r.to, 0);
    CHECK_UINT(r.peers, 0);
    CHECK_TEXT(r.why, "no peer was added: nobody has received anything");
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

/* ---- Holes of theirs ---------------------------------------------------- */

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
    world_end(&w, 42);
}

/* ---- Reading below the floor -------------------------------------------- */

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
    struct plog_span res = {"pets", 4}, id = {"r3", 2};
    (void)res;
    (void)id;
    plog_reader_close(reader);
    world_end(&w, 43);
}

/* ---- A store from the snapshot ------------------------------------------ */

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

/* ---- Undo, discard ------------------------------------------------------ */

static void undone(void)
{
    struct world w;
    struct plog_compact_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_undo(&w, &r), PLOG_E_INPUT);
    CHECK_INT(peers_ack(&w, "p", 25), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    uint64_t first = r.to;
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_INT(peers_undo(&w, &r), 0);
    CHECK(r.undone);
    CHECK_UINT(peers_floor(&w), first);
    CHECK_INT(peers_parity(&w), 0);
    CHECK_INT(peers_undo(&w, &r), PLOG_E_INPUT); /* one step */
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.to > first);
    CHECK_INT(peers_trim(&w, &r), 0);
    CHECK_INT(peers_undo(&w, &r), 0); /* the store comes anew from the log */
    CHECK_UINT(peers_floor(&w), first);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
}

static void undone_to_the_beginning(void)
{
    struct world w;
    struct plog_compact_report r;
    uint64_t last = 0;
    plog_reader *reader;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_INT(peers_undo(&w, &r), 0);
    CHECK_UINT(peers_floor(&w), 0);
    CHECK(!world_has(&w, "archive/00000000000000000001.jsonl.gz"));
    CHECK_INT(plog_reader_open(&reader, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_log(reader, 1, 0, peers_count_line, &last, NULL), 0);
    plog_reader_close(reader);
    CHECK_INT(peers_parity(&w), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.to > 0);
    world_end(&w, r.entry);
}

/* An undo that was cut off before it made the trimmed store anew: the floor is
 * 0 again in the log, but the store still stands on the snapshot.  It heals
 * what lies above that, and says what it lacks. */
static void undone_and_cut_off(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_rebuild_report rebuilt;
    struct plog_salvage_report healed;
    struct plog_salvage_options heal = {.struct_size = sizeof heal,
                                        .from_store = true};
    char out[600], segment[64];
    size_t len;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    CHECK_INT(peers_trim(&w, &r), 0);
    uint64_t floor = r.to;
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_copy(world_path(&w, "store.db"), world_path(&w, "before"));
    CHECK_INT(peers_undo(&w, &r), 0);
    world_remove(world_path(&w, "store.db"));
    world_remove(world_path(&w, "store.db-wal"));
    world_remove(world_path(&w, "store.db-shm"));
    world_copy(world_path(&w, "before"), world_path(&w, "store.db"));
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
    CHECK_INT(peers_parity(&w), 0);
    CHECK(world_number(&w, "SELECT base FROM meta") == (int64_t)floor);
    snprintf(out, sizeof out, "%.500s-rebuilt", w.dir);
    CHECK_INT(plog_rebuild_log(w.dir, out, NULL, &rebuilt, NULL), 0);
    CHECK_INT(rebuilt.verdict, PLOG_E_PRUNED);
    CHECK_UINT(rebuilt.missing_from, 1);
    CHECK_UINT(rebuilt.missing_to, floor);
    snprintf(segment, sizeof segment, "log/%020" PRIu64 ".jsonl", floor + 1);
    char *bytes = world_read(world_path(&w, segment), &len);
    REQUIRE(len > 800);
    bytes[700] ^= 1;
    world_write(world_path(&w, segment), bytes, len);
    free(bytes);
    CHECK_INT(plog_salvage(w.dir, &heal, &healed, NULL), 0);
    CHECK_UINT(healed.healed, 1);
    CHECK_INT(peers_parity(&w), 0);
    /* Its floor is none that the last compact entry sets. */
    CHECK_INT(peers_trim(&w, &r), 0);
    CHECK_UINT(r.trimmed, 0);
    CHECK_INT(peers_parity(&w), 0);
    /* What is wrong above comes before what lacks below. */
    world_sql(&w, "UPDATE events SET line='x' WHERE seq=(SELECT max(seq)-2"
                  " FROM events)");
    world_remove(out);
    CHECK_INT(plog_rebuild_log(w.dir, out, NULL, &rebuilt, NULL), 0);
    CHECK(rebuilt.verdict != 0 && rebuilt.verdict != PLOG_E_PRUNED);
    CHECK(rebuilt.missing_from > floor + 1);
}

/* The crash after segments were taken away took the commit of the compact entry
 * from the store: that is behind, and nothing else is said of it. */
static void behind_the_compact_entry(void)
{
    struct world w;
    struct world_found f;
    struct plog_compact_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_copy(world_path(&w, "store.db"), world_path(&w, "before"));
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.to > 1);
    world_remove(world_path(&w, "store.db"));
    world_remove(world_path(&w, "store.db-wal"));
    world_remove(world_path(&w, "store.db-shm"));
    world_copy(world_path(&w, "before"), world_path(&w, "store.db"));
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_BEHIND);
    CHECK_UINT(f.count, 1);
    CHECK_TEXT(f.first[0].next, "paritylog replay DIR");
    CHECK(f.unchecked > 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_UINT(peers_floor(&w), r.to);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, r.entry);
}

static void discarded(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_peer_report done;
    struct plog_head head;
    plog_reader *reader;
    const struct plog_compact_options discard = {.discard = true};
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    CHECK_INT(peers_compact_with(&w, discard, &r), PLOG_E_INPUT);
    CHECK_UINT(peers_floor(&w), 0);
    CHECK_INT(plog_reader_open(&reader, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_head(reader, &head, NULL), 0);
    plog_reader_close(reader);
    CHECK_INT(
        plog_peer_ack(w.dir, "p", head.size, head.root, NULL, &done, NULL), 0);
    CHECK_INT(peers_compact_with(&w, discard, &r), 0);
    CHECK(r.to > 0);
    CHECK(!world_has(&w, "archive"));
    CHECK_INT(peers_undo(&w, &r), PLOG_E_INPUT);
    world_end(&w, 43);
}

/* ---- Everything into the past ------------------------------------------- */

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

/* ---- Damage ------------------------------------------------------------- */

static void damaged(void)
{
    struct world w, copy;
    struct plog_compact_report r;
    struct world_found f;
    char name[64];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    snprintf(name, sizeof name, "%s", r.snapshot);
    /* The snapshot: found, and no store is set aside for one that cannot be. */
    copy = w;
    snprintf(copy.dir, sizeof copy.dir, "%.400s-copy", w.dir);
    world_copy(w.dir, copy.dir);
    size_t len;
    char *bytes = world_read(world_path(&copy, name), &len);
    bytes[len / 2] ^= 1;
    world_write(world_path(&copy, name), bytes, len);
    free(bytes);
    CHECK_INT(world_parity(&copy, NULL, &f), PLOG_E_CORRUPT);
    CHECK(strncmp(f.first[0].file, "snapshots/", 10) == 0);
    CHECK(f.unchecked > 0);
    struct plog_replay_report replayed;
    struct plog_replay_options fresh = {.struct_size = sizeof fresh,
                                        .fresh = true};
    CHECK_INT(plog_replay(copy.dir, &fresh, &replayed, NULL), PLOG_E_CORRUPT);
    CHECK(world_has(&copy, "store.db"));
    CHECK_INT(unlink(world_path(&copy, name)), 0);
    CHECK_INT(world_parity(&copy, NULL, &f), PLOG_E_PRUNED);
    CHECK_INT(plog_replay(copy.dir, &fresh, &replayed, NULL), PLOG_E_PRUNED);
    CHECK(world_has(&copy, "store.db"));
    world_remove(copy.dir);
    /* A log cut behind the floor and before the entry that excuses it. */
    world_copy(w.dir, copy.dir);
    CHECK_INT(unlink(world_path(&copy, "store.db")), 0);
    snprintf(name, sizeof name, "log/%020llu.jsonl",
             (unsigned long long)r.to + 1);
    char *kept = world_read(world_path(&copy, name), &len);
    CHECK_INT(system(NULL) != 0, 1);
    char command[1200];
    snprintf(command, sizeof command, "rm '%s'/log/*", copy.dir);
    CHECK_INT(system(command), 0);
    world_write(world_path(&copy, name), kept, len);
    free(kept);
    CHECK_INT(world_verify(&copy, NULL, &f), PLOG_E_CORRUPT);
    world_remove(copy.dir);
    /* The first segment that is left, gone. */
    world_copy(w.dir, copy.dir);
    CHECK_INT(unlink(world_path(&copy, name)), 0);
    CHECK_INT(world_verify(&copy, NULL, &f), PLOG_E_CORRUPT);
    CHECK_INT(world_parity(&copy, NULL, &f) < 0, 1);
    world_remove(copy.dir);
    /* Rows of the store. */
    static const char *const changes[] = {
        "UPDATE meta SET floor=3",
        "UPDATE compactions SET floor=3",
        "DELETE FROM compactions",
        "UPDATE peers SET added=3",
        "DELETE FROM peers",
        "INSERT INTO peers VALUES('x',2,0,NULL,NULL)",
        "UPDATE state SET version=version+1 WHERE record_id='r3'",
        "UPDATE events SET line=replace(line,'v3','v4') WHERE id='i3'",
        "DELETE FROM events WHERE id='i3'",
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        world_copy(w.dir, copy.dir);
        world_sql(&copy, changes[i]);
        int rc = world_parity(&copy, NULL, &f);
        if (rc == 0)
            printf("# not seen: %s\n", changes[i]);
        CHECK(rc < 0);
        world_remove(copy.dir);
    }
    world_end(&w, 43);
}

/* Rows of what a trimmed store keeps, that no entry gives: found, whether there
 * is a base or not; and an id that nobody has logged makes no duplicate. */
static void rows_too_many(void)
{
    static const char *const changes[] = {
        "INSERT INTO base_state SELECT 'x',record_id,seq,last,version,seconds,"
        "nanos,confidence,origin,origin_seq,payload_at,payload_len,merged FROM"
        " state",
        "INSERT INTO old_ids VALUES(zeroblob(32),40,zeroblob(32),NULL)",
        "INSERT INTO old_ids VALUES(zeroblob(32),4000,zeroblob(32),NULL)",
        "INSERT INTO old_ids VALUES(zeroblob(32),-4,zeroblob(32),NULL)",
        "INSERT INTO compactions VALUES(-5,30,0)",
        "UPDATE base_state SET version=version+1", /* of a trimmed one */
        "DELETE FROM base_state WHERE record_id='r3'",
    };
    static const char fresh[] = "INSERT INTO old_ids "
                                "VALUES(x'"
                                "d098ab5e44b9aabb755f76d806598f43573c662b35e4a2"
                                "eab1e312ec9ad195e2',40,zeroblob(32),NULL)";
    struct world w, copy;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    copy = w;
    snprintf(copy.dir, sizeof copy.dir, "%.400s-copy", w.dir);
    for (int trimmed = 0; trimmed < 2; trimmed++) {
        struct plog_receipt r = {0};
        struct world_found f;
        for (size_t i = 0; i < (trimmed ? 7 : 5); i++) {
            world_copy(w.dir, copy.dir);
            world_sql(&copy, changes[i]);
            CHECK_INT(world_parity(&copy, NULL, &f), PLOG_E_DIVERGED);
            world_remove(copy.dir);
        }
        world_copy(w.dir, copy.dir);
        world_sql(&copy, fresh);
        CHECK_INT(world_parity(&copy, NULL, &f), PLOG_E_DIVERGED);
        CHECK_INT(world_open(&copy), 0);
        CHECK_INT(world_put(&copy, "fresh", "r", "v", &r), 0);
        CHECK(!r.duplicate);
        world_close(&copy);
        world_remove(copy.dir);
        CHECK_INT(trimmed ? 0 : peers_trim(&w, NULL), 0);
    }
    world_end(&w, 43);
}

/* Whoever has the key can sign any text as a snapshot: what is none is refused
 * from its first line on, and read no further than it goes. */
static void no_snapshot(void)
{
    static const char *const texts[] = {"",
                                        "\n",
                                        "\n{}\n{}",
                                        "{\n",
                                        "{}\n",
                                        "x\n",
                                        "{\"snapshot\":\n",
                                        "{\"snapshot\":{\n",
                                        "{\"snapshot\":{\"format\":1}}\n{}\n"};
    const struct plog_io *io = plog_io_posix();
    struct world w;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 1);
    CHECK_INT(mkdir(world_path(&w, "snapshots"), 0700), 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        unsigned char digest[PLOG_HASH_SIZE];
        struct plog_snapshot s;
        struct plog_dir dir;
        struct plog_gz gz;
        size_t n = strlen(texts[i]);
        const char *path =
            world_path(&w, "snapshots/00000000000000000008.jsonl.gz");
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        REQUIRE(fd >= 0);
        CHECK_INT(plog_gz_create(&gz, io, fd, 1, NULL), 0);
        CHECK_INT(plog_gz_write(&gz, texts[i], n, NULL), 0);
        CHECK_INT(plog_gz_finish(&gz, NULL), 0);
        plog_gz_close(&gz);
        close(fd);
        plog_sha256(texts[i], n, digest);
        CHECK_INT(plog_dir_open(&dir, io, w.dir, PLOG_DIR_READ, true, NULL), 0);
        CHECK_INT(plog_snapshot_open(&s, &dir, 8, digest, NULL),
                  PLOG_E_CORRUPT);
        plog_snapshot_close(&s);
        plog_dir_close(&dir);
    }
    world_remove(w.dir);
}

/* Acknowledgements are not in the log.  A store made anew knows only that what
 * went was received, also where a peer has gone back since; an undo takes that
 * knowledge along. */
static void cursors_of_a_new_store(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_peer_report done;
    struct plog_replay_report replayed;
    struct plog_replay_options fresh = {.struct_size = sizeof fresh,
                                        .fresh = true};
    static const char cursor[] = "SELECT cursor FROM peers WHERE name='p'";
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 55), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.to < 53);
    CHECK_INT(plog_peer_rewind(w.dir, "p", 53, NULL, &done, NULL), 0);
    CHECK_INT(plog_replay(w.dir, &fresh, &replayed, NULL), 0);
    CHECK_INT(world_number(&w, cursor), (int64_t)r.to);
    CHECK_INT(peers_undo(&w, NULL), 0);
    CHECK_INT(world_number(&w, cursor), 0);
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_INT(peers_undo(&w, NULL), 0);
    CHECK_INT(world_number(&w, cursor), 50); /* said to this very store */
    world_end(&w, world_size(&w));
}

/* A snapshot that is gone, or damaged, comes back from the archive as it was
 * signed; without the archive it does not, and nothing else is lost. */
static void mend_twice(struct world *w, const char *name)
{
    struct plog_compact_report r;
    struct world_found f;
    size_t len, again;
    char *bytes = world_read(world_path(w, name), &len);
    bytes[len / 2] ^= 1;
    world_write(world_path(w, name), bytes, len);
    CHECK_INT(world_parity(w, NULL, &f), PLOG_E_CORRUPT);
    CHECK_INT(peers_compact(w, &r), 0);
    CHECK(r.remade);
    bytes[len / 2] ^= 1;
    char *now = world_read(world_path(w, name), &again);
    CHECK(again == len && memcmp(now, bytes, len) == 0);
    free(now);
    free(bytes);
    CHECK_INT(peers_parity(w), 0);
    CHECK_INT(unlink(world_path(w, name)), 0);
    CHECK_INT(world_parity(w, NULL, &f), PLOG_E_PRUNED);
    CHECK_INT(peers_compact(w, &r), 0);
    CHECK(r.remade);
    CHECK_INT(peers_parity(w), 0);
}

static void snapshot_mended(void)
{
    struct world w;
    struct plog_compact_report r;
    char name[64], archive[600], aside[600];
    peers_make(&w, PLOG_MERGE_JSON, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    for (int i = 0; i < 2; i++) { /* the second stands on the first */
        CHECK_INT(peers_ack(&w, "p", i ? 50 : 25), 0);
        CHECK_INT(peers_compact(&w, &r), 0);
        snprintf(name, sizeof name, "%s", r.snapshot);
        mend_twice(&w, name);
    }
    snprintf(archive, sizeof archive, "%.400s/archive", w.dir);
    snprintf(aside, sizeof aside, "%.400s-archive", w.dir);
    CHECK_INT(unlink(world_path(&w, name)), 0);
    CHECK_INT(rename(archive, aside), 0);
    CHECK_INT(peers_compact(&w, &r), PLOG_E_PRUNED);
    CHECK_INT(rename(aside, archive), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    world_end(&w, world_size(&w));
}

/* ---- While somebody reads ----------------------------------------------- */

static struct world *passing;
static int passes; /* 0: it has happened */

/* Compacts at the moment in which the first segment is to be opened. */
static int open_late(void *ctx, int dir, const char *name, int flags,
                     uint32_t mode)
{
    if (passes && strcmp(name, "00000000000000000001.jsonl") == 0 &&
        --passes == 0)
        CHECK_INT(peers_compact(passing, NULL), 0);
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void passed_by(void)
{
    struct plog_io io = *plog_io_posix();
    io.open_at = open_late;
    for (int i = 1; i <= 3; i++) {
        struct world w;
        struct world_found f;
        struct plog_check_options o = {.struct_size = sizeof o, .io = &io};
        peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
        CHECK_INT(peers_add(&w, "p"), 0);
        CHECK_INT(peers_ack(&w, "p", 40), 0);
        passing = &w;
        passes = i;
        CHECK_INT(world_parity(&w, &o, &f), 0);
        CHECK(passes > 0 || peers_floor(&w) > 0);
        passes = 0;
        int expected = peers_floor(&w) ? 0 : PLOG_E_INPUT;
        CHECK_INT(peers_undo(&w, NULL), expected);
        passes = i;
        CHECK_INT(world_verify(&w, &o, &f), 0);
        passes = 0;
        world_end(&w, world_size(&w));
    }
}

/* Readers that come and go do not let SQLite's WAL grow. */
static void wal_is_bounded(void)
{
    struct world w;
    struct plog_status s;
    plog_reader *r;
    struct plog_head head;
    uint64_t most = 0;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    for (int i = 0; i < 40; i++) {
        peers_put(&w, i * 100, (i + 1) * 100);
        CHECK_INT(plog_reader_head(r, &head, NULL), 0);
        CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
        most = s.wal_bytes > most ? s.wal_bytes : most;
        CHECK(s.wal_frames - s.wal_moved < 2200);
    }
    plog_reader_close(r);
    CHECK(most < 10u << 20);
    CHECK(s.wal_frames > 0);
    world_end(&w, 4001);
}

static void put_group(struct world *w, int from)
{
    static char text[500][256];
    static struct plog_span spans[500];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = spans, .delta_count = 500};
    for (int i = 0; i < 500; i++) {
        char id[16], record[16];
        struct world_delta d = {.id = id, .record = record};
        snprintf(id, sizeof id, "i%d", from + i);
        snprintf(record, sizeof record, "r%d", i % 7);
        world_text(text[i], sizeof text[i], &d);
        spans[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w->p, &g, NULL, NULL), 0);
}

/* The ids of each batch lie all over their table: 30 MB, unless the WAL is
 * moved on the way. */
static void wal_is_bounded_while_trimming(void)
{
    struct world w;
    struct plog_status s;
    struct plog_compact_report r;
    uint64_t first;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    for (int i = 0; i < 30000; i += 500)
        put_group(&w, i);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30001), 0);
    CHECK_INT(peers_trim(&w, &r), 0);
    CHECK(r.trimmed > 29000);
    CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
    CHECK(s.wal_bytes > 0 && s.wal_bytes < 12u << 20);
    printf("# the WAL took %llu bytes\n", (unsigned long long)s.wal_bytes);
    CHECK_INT(peers_parity(&w), 0);
    world_remove(w.dir);
}

/* ---- A disk that refuses ------------------------------------------------- */

static int keep_scratch(void *ctx, int dir, const char *name)
{
    return strcmp(name, "fold.db") ? plog_io_posix()->unlink_at(ctx, dir, name)
                                   : -EIO;
}

/* What a killed one left and cannot be removed is an error of the disk, and no
 * verdict on the store. */
static void scratch_cannot_be_removed(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_io io = *plog_io_posix();
    io.unlink_at = keep_scratch;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    CHECK_INT(mkdir(world_path(&w, "snapshots"), 0700), 0);
    world_copy(world_path(&w, "store.db"), world_path(&w, "snapshots/fold.db"));
    CHECK_INT(
        peers_compact_with(&w, (struct plog_compact_options){.io = &io}, &r),
        PLOG_E_IO);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(!world_has(&w, "snapshots/fold.db"));
    world_end(&w, world_size(&w));
}

static int refuse_writes(void *ctx, const struct plog_store_event *e)
{
    (void)ctx;
    return !e->done && e->op == PLOG_STORE_WRITE && e->file == PLOG_STORE_MAIN;
}

/* A disk that fails is no reader in the way, and not waited for. */
static void store_cannot_be_written(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_io io = *plog_io_posix();
    io.store_event = refuse_writes;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    CHECK_INT(world_open(&w), 0); /* the WAL is not to be empty */
    peers_put(&w, 40, 44);
    CHECK_INT(
        peers_compact_with(&w, (struct plog_compact_options){.io = &io}, &r),
        PLOG_E_IO);
    CHECK_UINT(peers_floor(&w), 0);
    world_close(&w);
    CHECK_INT(peers_compact(&w, &r), 0);
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
        {"undone", undone},
        {"undone to the beginning", undone_to_the_beginning},
        {"undone and cut off", undone_and_cut_off},
        {"behind the compact entry", behind_the_compact_entry},
        {"discarded", discarded},
        {"a bare end", a_bare_end},
        {"keys below", keys_below},
        {"damaged", damaged},
        {"rows too many", rows_too_many},
        {"no snapshot", no_snapshot},
        {"cursors of a new store", cursors_of_a_new_store},
        {"a snapshot mended", snapshot_mended},
        {"passed by a compaction", passed_by},
        {"the WAL is bounded", wal_is_bounded},
        {"the WAL is bounded while trimming", wal_is_bounded_while_trimming},
        {"a scratch store that stays", scratch_cannot_be_removed},
        {"a store that cannot be written", store_cannot_be_written},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
