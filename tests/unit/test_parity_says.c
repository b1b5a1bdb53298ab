/*
 * test_parity_says.c - all that parity says of a log with one thing wrong in
 * its store: each finding with every member, what is left unchecked and why,
 * and the numbers of the report.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "peers.h"
#include "said.h"
#include "world.h"

static struct world w;
static char kept[2][600]; /* as made, and compacted */

/* ---- The log --------------------------------------------------------------
 */

static void put(int from, int to)
{
    for (int i = from; i < to; i++) {
        char id[16], record[16], value[24];
        snprintf(id, sizeof id, "i%02d", i);
        snprintf(record, sizeof record, "r%d", i % 4);
        snprintf(value, sizeof value, "v%02d", i);
        CHECK_INT(world_put(&w, id, record, value, NULL), 0);
    }
}

static void put_cursor(const char *page)
{
    struct plog_cursor c = {{"src", 3}, {"*", 1}, {page, strlen(page)}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
}

static void new_segment(void)
{
    uint64_t first;
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
}

static void redact(uint64_t seq)
{
    struct plog_redact_options o = {.struct_size = sizeof o,
                                    .reason = "a test"};
    struct plog_redact_report r;
    CHECK_INT(plog_redact(w.dir, seq, &o, &r, NULL), 0);
}

static void keep(int which)
{
    snprintf(kept[which], sizeof kept[which], "%.500s/kept", check_dir());
    world_copy(w.dir, kept[which]);
}

/* Entries 1 to 30: init, deltas 2-11, a cursor 12, a redaction 13 of 5, peers
 * 14 and 15, one gone again 16, a rotation 17, deltas 18-29, a cursor 30; with
 * segments at 1, 10, 18 and 26.  The second one is compacted up to 17. */
static void make(void)
{
    struct plog_peer_options why = {.struct_size = sizeof why,
                                    .reason = "left"};
    struct plog_rotate_options rotate = {.struct_size = sizeof rotate};
    struct plog_compact_options compact = {.struct_size = sizeof compact};
    struct plog_compact_report compacted;
    struct plog_rotate_report rotated;
    struct plog_peer_report peer;
    if (kept[0][0])
        return;
    world_make(&w, PLOG_ARRIVAL, 0);
    put(2, 10);
    new_segment();
    put(10, 12);
    put_cursor("page 1");
    world_close(&w);
    redact(5);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_add(&w, "q"), 0);
    CHECK_INT(plog_peer_evict(w.dir, "q", &why, &peer, NULL), 0);
    CHECK_INT(plog_key_rotate(w.dir, &rotate, &rotated, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    new_segment();
    put(18, 26);
    new_segment();
    put(26, 30);
    put_cursor("page 2");
    world_close(&w);
    CHECK_UINT(world_size(&w), 30);
    CHECK_INT(peers_ack(&w, "p", 17), 0);
    keep(0);
    CHECK_INT(plog_compact(w.dir, &compact, &compacted, NULL), 0);
    CHECK_UINT(compacted.to, 17);
    keep(1);
}

/* ---- One thing wrong ------------------------------------------------------
 */

struct wrong {
    const char *sql, *says;
};

static void each(int which, const struct wrong *all, size_t n)
{
    struct plog_check_options o = {.struct_size = sizeof o};
    make();
    for (size_t i = 0; i < n; i++) {
        world_remove(w.dir);
        world_copy(kept[which], w.dir);
        if (all[i].sql[0])
            world_sql(&w, all[i].sql);
        const char *said = said_check(plog_parity, w.dir, &o);
        if (!CHECK(strcmp(said, all[i].says) == 0))
            printf("# %s\n%s", all[i].sql, said);
    }
}

/* How a finding of the store ends, and the report of a check of all. */
#define FRESH "; do paritylog replay \n"
#define ALL                                                                    \
    ", head 30, 30 entries 1-30, 4 records, floor 0, 4 segments, store 1 30,"  \
    " since 0, pending 0\n"
#define ABOVE                                                                  \
    ", head 31, 14 entries 18-31, 4 records, floor 17, 2 segments, store 1"    \
    " 31, since 0, pending 0\n"

/* ---- The cases --------------------------------------------------------------
 */

/* Each column of an event, a row less, a row more. */
static void events(void)
{
    static const struct wrong all[] = {
        {"", "CLEAN" ALL},
        {"UPDATE events SET id='other' WHERE seq=7",
         "DIVERGED in store, store.db, entry 7: want columns that follow from "
         "the line; got other ones" FRESH "DIVERGED" ALL},
        {"UPDATE events SET id=NULL WHERE seq=7",
         "DIVERGED in store, store.db, entry 7: want columns that follow from "
         "the line; got other ones" FRESH "DIVERGED" ALL},
        {"UPDATE events SET resource='q' WHERE seq=8",
         "DIVERGED in store, store.db, entry 8: want columns that follow from "
         "the line; got other ones" FRESH "DIVERGED" ALL},
        {"UPDATE events SET record_id='9' WHERE seq=9",
         "DIVERGED in store, store.db, entry 9: want columns that follow from "
         "the line; got other ones" FRESH "DIVERGED" ALL},
        {"UPDATE events SET op='delete' WHERE seq=10",
         "DIVERGED in store, store.db, entry 10: want columns that follow from "
         "the line; got other ones" FRESH "DIVERGED" ALL},
        {"UPDATE events SET outcome='skipped' WHERE seq=11",
         "DIVERGED in store, store.db, entry 11: want columns that follow from "
         "the line; got other ones" FRESH "DIVERGED" ALL},
        {"UPDATE events SET previous=NULL WHERE seq=11",
         "DIVERGED in store, store.db, entry 11: want columns that follow from "
         "the line; got other ones" FRESH "DIVERGED" ALL},
        {"UPDATE events SET previous=1 WHERE seq=2",
         "DIVERGED in store, store.db, entry 2: want columns that follow from "
         "the line; got other ones" FRESH "DIVERGED" ALL},
        {"UPDATE events SET op='upsert' WHERE seq=12",
         "DIVERGED in store, store.db, entry 12: want columns that follow from "
         "the line; got other ones" FRESH "DIVERGED" ALL},
        {"UPDATE events SET line=line||' ' WHERE seq=20",
         "DIVERGED in store, store.db, entry 20: want leaf #; got leaf #" FRESH
         "DIVERGED" ALL},
        {"UPDATE events SET line=(SELECT line FROM events WHERE seq=21) WHERE "
         "seq=20",
         "DIVERGED in store, store.db, entry 20: want leaf #; got leaf #" FRESH
         "DIVERGED" ALL},
        {"DELETE FROM events WHERE seq=20",
         "DIVERGED in store, store.db, entry 20: want an event row; got "
         "none" FRESH "DIVERGED" ALL},
        {"DELETE FROM events WHERE seq=30",
         "DIVERGED in store, store.db, entry 30: want an event row; got "
         "none" FRESH "DIVERGED" ALL},
        {"DELETE FROM events WHERE seq=1",
         "DIVERGED in store, store.db, entry 1: want an event row; got "
         "none" FRESH "DIVERGED" ALL},
        {"INSERT INTO events(seq,line) VALUES(31,'{}'),(32,'{}')",
         "AHEAD in store, store.db, entry 31: want no row: the log has no such "
         "entry; got an event row" FRESH
         "AHEAD in store, store.db, entry 32: want no row: the log has no such "
         "entry; got an event row" FRESH "AHEAD" ALL},
        {"INSERT INTO events(seq,line) VALUES(0,'{}'),(-1,'{}')",
         "DIVERGED in store, store.db: want no row; got an event row that no "
         "entry of the log answers to" FRESH
         "DIVERGED in store, store.db: want no row; got an event row that no "
         "entry of the log answers to" FRESH "DIVERGED" ALL},
        {"UPDATE events SET line='{}' WHERE seq=13",
         "DIVERGED in store, store.db, entry 13: want leaf #; got leaf #" FRESH
         "DIVERGED" ALL},
        {"UPDATE events SET line='{}' WHERE seq=5",
         "DIVERGED in store, store.db, entry 5: want leaf #; got leaf #" FRESH
         "DIVERGED in store, store.db, entry 5: want the redacted line that "
         "the order makes; got another line" FRESH "DIVERGED" ALL},
    };
    each(0, all, sizeof all / sizeof *all);
}

/* What stands beside the events. */
static void rows(void)
{
    static const struct wrong all[] = {
        {"UPDATE checkpoints SET line=replace(line,'sig','gis') WHERE size=20",
         "DIVERGED in store, store.db, entry 20: want the commit line of the "
         "log; got other bytes" FRESH "DIVERGED" ALL},
        {"DELETE FROM checkpoints WHERE size=20",
         "DIVERGED in store, store.db, entry 20: want the commit line of the "
         "log; got no commit row" FRESH "DIVERGED" ALL},
        {"DELETE FROM checkpoints WHERE size=30",
         "DIVERGED in store, store.db, entry 30: want the commit line of the "
         "log; got no commit row" FRESH "DIVERGED" ALL},
        {"INSERT INTO checkpoints VALUES(31,'x')",
         "AHEAD in store, store.db, entry 31: want no row: the log has no such "
         "commit; got a commit row" FRESH "AHEAD" ALL},
        {"INSERT INTO checkpoints VALUES(-1,'x')",
         "DIVERGED in store, store.db, entry 1: want no commit row inside this "
         "group; got a commit row" FRESH "DIVERGED" ALL},
        {"DELETE FROM segments WHERE first=1",
         "DIVERGED in store, store.db, entry 1: want a segment row; got "
         "none" FRESH "DIVERGED" ALL},
        {"DELETE FROM segments WHERE first=18",
         "DIVERGED in store, store.db, entry 18: want a segment row; got "
         "none" FRESH "DIVERGED" ALL},
        {"INSERT INTO segments VALUES(19),(20)",
         "DIVERGED in store, store.db, entry 26: want no segment row here; got "
         "a segment row" FRESH "DIVERGED in store, store.db, entry 26: want no "
         "segment row here; got a segment row" FRESH "DIVERGED" ALL},
        {"INSERT INTO segments VALUES(31)",
         "AHEAD in store, store.db, entry 31: want no row: the log has no such "
         "segment; got a segment row" FRESH "AHEAD" ALL},
        {"INSERT INTO segments VALUES(-1)",
         "DIVERGED in store, store.db, entry 1: want no segment row here; got "
         "a segment row" FRESH "DIVERGED" ALL},
        {"DELETE FROM rotations", "DIVERGED in store, store.db, entry 17: want "
                                  "rotation 17; got none" FRESH "DIVERGED" ALL},
        {"UPDATE rotations SET seq=18",
         "DIVERGED in store, store.db, entry 17: want rotation 17; got "
         "rotation 18" FRESH "DIVERGED" ALL},
        {"INSERT INTO rotations VALUES(18)",
         "DIVERGED in store, store.db, entry 18: want none; got rotation "
         "18" FRESH "DIVERGED" ALL},
        {"INSERT INTO rotations VALUES(3)",
         "DIVERGED in store, store.db, entry 17: want rotation 17; got "
         "rotation 3" FRESH "DIVERGED" ALL},
        {"DELETE FROM redactions",
         "DIVERGED in store, store.db, entry 13: want redaction of entry 5; "
         "got none" FRESH
         "DIVERGED in store, store.db: want 1 redactions; got 0 rows" FRESH
         "DIVERGED" ALL},
        {"UPDATE redactions SET target=6",
         "DIVERGED in store, store.db, entry 13: want redaction of entry 5; "
         "got another" FRESH "DIVERGED" ALL},
        {"UPDATE redactions SET seq=14",
         "DIVERGED in store, store.db, entry 13: want redaction of entry 5; "
         "got none" FRESH "DIVERGED" ALL},
        {"DELETE FROM peers",
         "DIVERGED in store, store.db, entry 14: want peer: as the log has it; "
         "got peer: another, or none" FRESH "DIVERGED" ALL},
        {"UPDATE peers SET added=15",
         "DIVERGED in store, store.db, entry 14: want peer: as the log has it; "
         "got peer: another, or none" FRESH "DIVERGED" ALL},
        {"UPDATE peers SET added=99",
         "DIVERGED in store, store.db, entry 14: want peer: as the log has it; "
         "got peer: another, or none" FRESH "DIVERGED" ALL},
        {"UPDATE peers SET name='z'",
         "DIVERGED in store, store.db, entry 14: want peer: as the log has it; "
         "got peer: another, or none" FRESH
         "DIVERGED in store, store.db, entry 14: want peer: none; got peer: a "
         "row the log does not give" FRESH "DIVERGED" ALL},
        {"UPDATE peers SET cursor=31",
         "DIVERGED in store, store.db, entry 14: want peer: entries up to the "
         "head; got peer: more than there is" FRESH "DIVERGED" ALL},
        {"UPDATE peers SET cursor=-1",
         "DIVERGED in store, store.db, entry 14: want peer: entries up to the "
         "head; got peer: more than there is" FRESH "DIVERGED" ALL},
        {"INSERT INTO peers(name,added,cursor) VALUES('q',15,1)",
         "DIVERGED in store, store.db, entry 15: want peer: none; got peer: a "
         "row the log does not give" FRESH "DIVERGED" ALL},
        {"INSERT INTO peers(name,added,cursor) VALUES('r',-1,1)",
         "DIVERGED in store, store.db: want peer: none; got peer: a row the "
         "log does not give" FRESH "DIVERGED" ALL},
        {"INSERT INTO redactions(seq,target,pending) VALUES(-1,6,0)",
         "DIVERGED in store, store.db: want 1 redactions; got 2 rows" FRESH
         "DIVERGED" ALL},
        {"INSERT INTO compactions VALUES(-1,0,0)",
         "DIVERGED in store, store.db: want compaction: none; got compaction: "
         "a row the log does not give" FRESH "DIVERGED" ALL},
    };
    each(0, all, sizeof all / sizeof *all);
}

/* What follows from the entries. */
static void records(void)
{
    static const struct wrong all[] = {
        {"UPDATE state SET version=version+1 WHERE record_id='r1'",
         "DIVERGED in store, store.db, entry 29: want record: as the log "
         "folds; got record: other content" FRESH "DIVERGED" ALL},
        {"UPDATE state SET payload_len=2 WHERE record_id='r2'",
         "DIVERGED in store, store.db, entry 26: want record: as the log "
         "folds; got record: other content" FRESH "DIVERGED" ALL},
        {"UPDATE state SET last=2 WHERE record_id='r3'",
         "DIVERGED in store, store.db, entry 27: want record: as the log "
         "folds; got record: other content" FRESH "DIVERGED" ALL},
        {"UPDATE state SET confidence=0.5 WHERE record_id='r3'",
         "DIVERGED in store, store.db, entry 27: want record: as the log "
         "folds; got record: other content" FRESH "DIVERGED" ALL},
        {"DELETE FROM state WHERE record_id='r0'",
         "DIVERGED in store, store.db, entry 28: want record: as the log "
         "folds; got record: none" FRESH "DIVERGED" ALL},
        {"UPDATE state SET record_id='r9' WHERE record_id='r0'",
         "DIVERGED in store, store.db, entry 28: want record: as the log "
         "folds; got record: none" FRESH
         "DIVERGED in store, store.db, entry 28: want record: none; got "
         "record: a row the log does not give" FRESH "DIVERGED" ALL},
        {"UPDATE cursors SET cursor='page 3'",
         "DIVERGED in store, store.db, entry 30: want cursor: as the log "
         "folds; got cursor: other content" FRESH "DIVERGED" ALL},
        {"UPDATE cursors SET seq=12",
         "DIVERGED in store, store.db, entry 30: want cursor: as the log "
         "folds; got cursor: other content" FRESH "DIVERGED" ALL},
        {"DELETE FROM cursors",
         "DIVERGED in store, store.db, entry 30: want cursor: as the log "
         "folds; got cursor: none" FRESH "DIVERGED" ALL},
        {"INSERT INTO cursors(source,resource,cursor,seq) "
         "VALUES('a','b','c',7)",
         "DIVERGED in store, store.db, entry 7: want cursor: none; got cursor: "
         "a row the log does not give" FRESH "DIVERGED" ALL},
        {"UPDATE meta SET strategy='last-write-wins'",
         "DIVERGED in store, store.db, entry 30: want meta: the rules that the "
         "log sets; got other ones" FRESH "DIVERGED" ALL},
        {"UPDATE meta SET size=29",
         "DIVERGED in store, store.db, entry 29: want #; got #" FRESH
         "DIVERGED in store, store.db, entry 30: want a store that ends with "
         "its head; got rows of entry 30, and a head at 29: its files are of "
         "different moments" FRESH
         "AHEAD in store, store.db, entry 30: want no row: the log has no such "
         "entry; got an event row" FRESH
         "AHEAD in store, store.db, entry 30: want no row: the log has no such "
         "commit; got a commit row" FRESH
         "DIVERGED in store, store.db, entry 12: want cursor: as the log "
         "folds; got cursor: other content" FRESH
         "DIVERGED, head 30, 29 entries 1-29, 4 records, floor 0, 4 segments, "
         "store 1 29, since 0, pending 0\n"},
        {"UPDATE meta SET size=31",
         "DIVERGED in store, store.db: want a store; got store.db: the head's "
         "range does not fit its size" FRESH
         "unchecked store 1-30: the store cannot be read\n"
         "DIVERGED, head 30, 30 entries 1-30, 0 records, floor 0, 4 segments, "
         "store 0 0, since 0, pending 0\n"},
        {"UPDATE meta SET segment=18",
         "DIVERGED in store, store.db, entry 30: want meta: segment or offset "
         "of the log; got meta: another segment or offset" FRESH
         "DIVERGED" ALL},
        {"UPDATE meta SET offset=offset+1",
         "DIVERGED in store, store.db, entry 30: want meta: segment or offset "
         "of the log; got meta: another segment or offset" FRESH
         "DIVERGED" ALL},
        {"UPDATE meta SET origin='other.example/log'",
         "FOREIGN in store, store.db: want #; got other.example/log" FRESH
         "FOREIGN" ALL},
        {"UPDATE meta SET root=zeroblob(32)",
         "DIVERGED in store, store.db: want a store; got store.db: the head's "
         "range does not hash to its root" FRESH
         "unchecked store 1-30: the store cannot be read\n"
         "DIVERGED, head 30, 30 entries 1-30, 0 records, floor 0, 4 segments, "
         "store 0 0, since 0, pending 0\n"},
        {"UPDATE meta SET sig=zeroblob(64)",
         "DIVERGED in store, store.db, entry 30: want meta: key or signature "
         "of the log; got meta: another key or signature" FRESH "DIVERGED" ALL},
        {"UPDATE meta SET key='00000000'",
         "DIVERGED in store, store.db, entry 30: want meta: key or signature "
         "of the log; got meta: another key or signature" FRESH "DIVERGED" ALL},
        {"UPDATE meta SET redactions=2",
         "DIVERGED in store, store.db, entry 30: want meta: the rules that the "
         "log sets; got other ones" FRESH "DIVERGED" ALL},
        {"UPDATE meta SET floor=1",
         "DIVERGED in store, store.db, entry 30: want meta: the floor that the "
         "last compact entry sets; got meta: another floor" FRESH
         "DIVERGED in store, store.db, entry 30: want meta: the rules that the "
         "log sets; got other ones" FRESH "DIVERGED" ALL},
        {"UPDATE meta SET base=1",
         "DIVERGED in store, store.db, entry 30: want meta: the floor that the "
         "last compact entry sets; got meta: another floor" FRESH
         "DIVERGED in store, store.db, entry 30: want meta: the rules that the "
         "log sets; got other ones" FRESH "DIVERGED" ALL},
        {"UPDATE meta SET line_max=2000",
         "DIVERGED in store, store.db, entry 30: want meta: the rules that the "
         "log sets; got other ones" FRESH "DIVERGED" ALL},
        {"INSERT INTO old_ids SELECT zeroblob(32),7,zeroblob(32),NULL",
         "DIVERGED in store, store.db, entry 7: want old id: none; got old id: "
         "a row the log does not give" FRESH "DIVERGED" ALL},
    };
    each(0, all, sizeof all / sizeof *all);
}

/* The same above a floor. */
static void compacted(void)
{
    static const struct wrong all[] = {
        {"", "CLEAN" ABOVE},
        {"UPDATE compactions SET floor=16",
         "DIVERGED in store, store.db, entry 31: want meta: the floor that the "
         "last compact entry sets; got meta: another floor" FRESH
         "DIVERGED in store, store.db, entry 31: want compaction: as the log "
         "has it; got compaction: another, or none" FRESH
         "DIVERGED in store, store.db, entry 31: want compaction: none; got "
         "compaction: a row the log does not give" FRESH "DIVERGED" ABOVE},
        {"DELETE FROM compactions",
         "DIVERGED in store, store.db, entry 31: want meta: the floor that the "
         "last compact entry sets; got meta: another floor" FRESH
         "DIVERGED in store, store.db, entry 31: want compaction: as the log "
         "has it; got compaction: another, or none" FRESH "DIVERGED" ABOVE},
        {"UPDATE compactions SET seq=30",
         "DIVERGED in store, store.db, entry 31: want compaction: as the log "
         "has it; got compaction: another, or none" FRESH
         "DIVERGED in store, store.db, entry 30: want compaction: none; got "
         "compaction: a row the log does not give" FRESH "DIVERGED" ABOVE},
        {"INSERT INTO compactions VALUES(-1,3,0)",
         "DIVERGED in store, store.db: want compaction: none; got compaction: "
         "a row the log does not give" FRESH "DIVERGED" ABOVE},
        {"INSERT INTO compactions VALUES(0,3,0),(30,3,0)",
         "DIVERGED in store, store.db: want compaction: none; got compaction: "
         "a row the log does not give" FRESH
         "DIVERGED in store, store.db, entry 30: want compaction: none; got "
         "compaction: a row the log does not give" FRESH "DIVERGED" ABOVE},
        {"DELETE FROM events WHERE seq=7",
         "DIVERGED in store, store.db, entry 7: want id: as in the snapshot; "
         "got id: none" FRESH "DIVERGED" ABOVE},
        {"DELETE FROM events WHERE seq=17",
         "DIVERGED in store, store.db, entry 17: want event: as in the "
         "snapshot; got event: none" FRESH "DIVERGED" ABOVE},
        {"UPDATE events SET line=line||' ' WHERE seq=7",
         "DIVERGED in store, store.db, entry 7: want id: as in the snapshot; "
         "got id: another" FRESH "DIVERGED" ABOVE},
        {"UPDATE events SET line=line||' ' WHERE seq=20",
         "DIVERGED in store, store.db, entry 20: want leaf #; got leaf #" FRESH
         "DIVERGED" ABOVE},
        {"UPDATE state SET payload_len=2 WHERE record_id='r2'",
         "DIVERGED in store, store.db, entry 26: want record: as the log "
         "folds; got record: other content" FRESH "DIVERGED" ABOVE},
        {"DELETE FROM checkpoints WHERE size=10", "CLEAN" ABOVE},
        {"DELETE FROM segments WHERE first=10", "CLEAN" ABOVE},
        {"UPDATE cursors SET cursor='page 3'",
         "DIVERGED in store, store.db, entry 30: want cursor: as the log "
         "folds; got cursor: other content" FRESH "DIVERGED" ABOVE},
        {"DELETE FROM peers",
         "DIVERGED in store, store.db, entry 14: want peer: as the log has it; "
         "got peer: another, or none" FRESH "DIVERGED" ABOVE},
        {"DELETE FROM redactions",
         "DIVERGED in store, store.db, entry 13: want redaction: as in the "
         "snapshot; got redaction: none" FRESH
         "DIVERGED in store, store.db: want 1 redactions; got 0 rows" FRESH
         "DIVERGED" ABOVE},
        {"DELETE FROM rotations",
         "DIVERGED in store, store.db, entry 17: want rotation 17; got "
         "none" FRESH "DIVERGED" ABOVE},
        {"UPDATE meta SET floor=16",
         "DIVERGED in store, store.db, entry 31: want meta: the floor that the "
         "last compact entry sets; got meta: another floor" FRESH
         "DIVERGED in store, store.db, entry 31: want meta: the rules that the "
         "log sets; got other ones" FRESH "DIVERGED" ABOVE},
        {"UPDATE meta SET floor=0",
         "DIVERGED in store, store.db, entry 31: want meta: the floor that the "
         "last compact entry sets; got meta: another floor" FRESH
         "DIVERGED in store, store.db, entry 31: want meta: the rules that the "
         "log sets; got other ones" FRESH "DIVERGED" ABOVE},
        {"UPDATE meta SET base=17",
         "DIVERGED in store, store.db, entry 2: want id: as in the snapshot; "
         "got id: none" FRESH "DIVERGED in store, store.db, entry 3: want id: "
         "as in the snapshot; got id: none" FRESH
         "DIVERGED in store, store.db, entry 4: want id: as in the snapshot; "
         "got id: none" FRESH "DIVERGED in store, store.db, entry 5: want id: "
         "as in the snapshot; got id: none" FRESH
         "DIVERGED in store, store.db, entry 6: want id: as in the snapshot; "
         "got id: none" FRESH "DIVERGED in store, store.db, entry 7: want id: "
         "as in the snapshot; got id: none" FRESH
         "DIVERGED in store, store.db, entry 8: want id: as in the snapshot; "
         "got id: none" FRESH "DIVERGED in store, store.db, entry 9: want id: "
         "as in the snapshot; got id: none" FRESH
         "DIVERGED in store, store.db, entry 10: want id: as in the snapshot; "
         "got id: none" FRESH "DIVERGED in store, store.db, entry 11: want id: "
         "as in the snapshot; got id: none" FRESH
         "DIVERGED in store, store.db: want 10 old ids; got 0 rows" FRESH
         "DIVERGED in store, store.db, entry 17: want base_state: the records "
         "of the snapshot; got base_state: other rows" FRESH "DIVERGED" ABOVE},
        {"UPDATE meta SET strategy='last-write-wins'",
         "DIVERGED in store, store.db, entry 31: want meta: the rules that the "
         "log sets; got other ones" FRESH "DIVERGED" ABOVE},
    };
    each(1, all, sizeof all / sizeof *all);
}

/* A segment is gone, and the store is whole: what stood there is damage all
 * the same, and nothing rests on it. */
static void a_segment_is_gone(void)
{
    struct plog_check_options o = {.struct_size = sizeof o};
    make();
    world_remove(w.dir);
    world_copy(kept[0], w.dir);
    world_remove(world_path(&w, "log/00000000000000000018.jsonl"));
    CHECK_TEXT(said_check(plog_parity, w.dir, &o),
               "CORRUPT in log, log/00000000000000000018.jsonl, entry 18: want"
               " ; got the segment from entry 18 on is missing; the next one"
               " there starts at 26; do paritylog salvage\n"
               "unchecked log 18-25: damaged: see the findings\n"
               "unchecked store 1-30: records: the log does not give their"
               " fold\n"
               "CORRUPT, head 30, 22 entries 1-30, 0 records, floor 0, 3"
               " segments, store 1 30, since 0, pending 0\n");
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"events", events},
        {"rows", rows},
        {"records", records},
        {"compacted", compacted},
        {"a segment is gone", a_segment_is_gone},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
