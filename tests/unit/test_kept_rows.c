/*
 * test_kept_rows.c - rows that a store keeps and no entry of the log above the
 * floor answers to: ids above the base, which a trim that was cut off leaves,
 * and what a peer is said to have.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "again.h"
#include "check.h"
#include "old_ids.h"
#include "peers.h"
#include "said.h"
#include "sql_calls.h"
#include "world.h"

#define FLOOR 9

static struct world w;
static char kept[600];
static struct plog_old_id ids[FLOOR + 1];
static struct plog_head at_floor;

/* ---- The log ---------------------------------------------------------------
 */

static int take_id(void *arg, uint64_t seq, const char *line, size_t n)
{
    struct plog_entry_parser *parser = arg;
    struct plog_entry e;
    struct plog_span text = {line, n};
    if (plog_entry_parse(parser, text, &e, NULL))
        return -1;
    if (seq <= FLOOR)
        plog_old_id_of(&e, text, &ids[seq]);
    return 0;
}

/* Entries 2 to 8 have an id, 9 has none; then another segment, and a peer that
 * has the first. */
static void make(void)
{
    struct plog_entry_parser parser;
    struct plog_peer_report peer;
    plog_reader *r = NULL;
    uint64_t first;
    if (kept[0])
        return;
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 2; i <= 12; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%d", i);
        if (i == FLOOR + 1) {
            CHECK_INT(plog_get_head(w.p, &at_floor, NULL), 0);
            CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
        }
        CHECK_INT(world_put(&w, i == FLOOR ? NULL : id, "1", "v", NULL), 0);
    }
    world_close(&w);
    plog_entry_parser_init(&parser, plog_io_posix());
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_log(r, 1, 0, take_id, &parser, NULL), 0);
    plog_reader_close(r);
    plog_entry_parser_fini(&parser);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(
        plog_peer_ack(w.dir, "p", FLOOR, at_floor.root, NULL, &peer, NULL), 0);
    snprintf(kept, sizeof kept, "%.500s/kept", check_dir());
    world_copy(w.dir, kept);
}

static void put_back(void)
{
    make();
    world_remove(w.dir);
    world_copy(kept, w.dir);
}

static int compact(struct plog_compact_report *r, struct plog_error *err)
{
    struct plog_compact_options o = {.struct_size = sizeof o};
    *err = (struct plog_error){.code = 0};
    return plog_compact(w.dir, &o, r, err);
}

/* ---- Old ids ----------------------------------------------------------------
 */

static void bind(sqlite3_stmt *q, int i, const unsigned char *hash, bool wrong)
{
    unsigned char other[PLOG_HASH_SIZE];
    memcpy(other, hash, sizeof other);
    other[PLOG_HASH_SIZE - 1] ^= wrong;
    CHECK_INT(sqlite3_bind_blob(q, i, other, sizeof other, SQLITE_TRANSIENT),
              SQLITE_OK);
}

enum { RIGHT = 0, ID = 1, LEAF = 2, CONTENT = 4, NO_CONTENT = 8 };

/* The row of entry `of` under another number, with some of it wrong. */
static void put_row(int of, int64_t seq, int wrong)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    CHECK_INT(sqlite3_open(world_path(&w, "store.db"), &db), SQLITE_OK);
    CHECK_INT(sqlite3_prepare_v2(db, "INSERT INTO old_ids VALUES(?1,?2,?3,?4)",
                                 -1, &q, NULL),
              SQLITE_OK);
    bind(q, 1, ids[of].id, wrong & ID);
    CHECK_INT(sqlite3_bind_int64(q, 2, seq), SQLITE_OK);
    bind(q, 3, ids[of].leaf, (wrong & LEAF) != 0);
    if (!(wrong & NO_CONTENT))
        bind(q, 4, ids[of].content, (wrong & CONTENT) != 0);
    CHECK_INT(sqlite3_step(q), SQLITE_DONE);
    sqlite3_finalize(q);
    sqlite3_close(db);
}

static void rows_above_the_base(void)
{
    static const struct {
        int of;
        int64_t seq;
        int wrong;
        bool fits;
    } all[] = {
        {2, 2, RIGHT, true},          {8, 8, RIGHT, true},
        {5, 5, NO_CONTENT, true},     {5, 5, ID, false},
        {5, 5, LEAF, false},          {5, 5, CONTENT, false},
        {5, 6, RIGHT, false},         {1, 1, RIGHT, false},
        {9, 9, RIGHT, false},         {10 - 5, 40, RIGHT, false},
        {5, 0, RIGHT, false},         {5, -1, RIGHT, false},
        {5, FLOOR + 1, RIGHT, false},
    };
    struct plog_check_options o = {.struct_size = sizeof o};
    struct plog_compact_report r;
    struct plog_error err;
    put_back();
    CHECK_INT(compact(&r, &err), 0);
    CHECK_UINT(r.to, FLOOR);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        world_sql(&w, "DELETE FROM old_ids");
        put_row(all[i].of, all[i].seq, all[i].wrong);
        const char *said = said_check(plog_parity, w.dir, &o);
        const char *told = strstr(said, "want old id: none; got old id: a row"
                                        " the log does not give");
        char entry[40];
        snprintf(entry, sizeof entry, ", entry %d: want old id",
                 (int)all[i].seq);
        bool ok = CHECK((told == NULL) == all[i].fits);
        ok &= CHECK(!told || all[i].seq <= 0 || strstr(said, entry));
        ok &= CHECK(all[i].fits == (strncmp(said, "CLEAN", 5) == 0));
        if (!ok)
            printf("# %zu: %s", i, said);
    }
}

/* Its payload has gone from the line since, and the row still knows what it
 * was: that is no difference. */
static void a_row_of_a_redacted_entry(void)
{
    struct plog_check_options o = {.struct_size = sizeof o};
    struct plog_redact_options ro = {.struct_size = sizeof ro,
                                     .reason = "asked for"};
    struct plog_compact_report r;
    struct plog_redact_report redacted;
    struct plog_error err;
    put_back();
    CHECK_INT(plog_redact(w.dir, 5, &ro, &redacted, NULL), 0);
    CHECK_INT(compact(&r, &err), 0);
    world_sql(&w, "DELETE FROM old_ids");
    put_row(5, 5, RIGHT);
    CHECK(strncmp(said_check(plog_parity, w.dir, &o), "CLEAN", 5) == 0);
    world_sql(&w, "DELETE FROM old_ids");
    put_row(5, 5, LEAF);
    CHECK(strncmp(said_check(plog_parity, w.dir, &o), "DIVERGED", 8) == 0);
    world_sql(&w, "UPDATE old_ids SET leaf=x'00'");
    CHECK(strncmp(said_check(plog_parity, w.dir, &o), "DIVERGED", 8) == 0);
}

/* An entry without an id has none in its row, and the first one none before
 * it. */
static void columns_of_what_has_none(void)
{
    static const struct {
        const char *sql, *says;
    } all[] = {
        {"UPDATE events SET id='x' WHERE seq=9", ", entry 9: want columns"},
        {"UPDATE events SET previous=-1 WHERE seq=1",
         ", entry 1: want columns"}};
    struct plog_check_options o = {.struct_size = sizeof o};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        put_back();
        world_sql(&w, all[i].sql);
        const char *said = said_check(plog_parity, w.dir, &o);
        if (!CHECK(strstr(said, all[i].says) != NULL))
            printf("# %s\n", said);
    }
}

/* What goes above the floor is not known by such a row either. */
static void rows_above_the_floor(void)
{
    struct plog_check_options o = {.struct_size = sizeof o};
    put_back(); /* there is no floor */
    put_row(5, 5, RIGHT);
    CHECK(strstr(said_check(plog_parity, w.dir, &o),
                 "DIVERGED in store, store.db, entry 5: want old id: none; got"
                 " old id: a row the log does not give") != NULL);
}

/* ---- What peers have
 * ---------------------------------------------------------
 */

static void said_of_a_peer(void)
{
    static const struct {
        const char *sql, *says;
    } all[] = {
        {"UPDATE peers SET cursor=14",
         "by the store, peer p has received more than there is (entry 14)"},
        {"UPDATE peers SET cursor=99,root=NULL",
         "by the store, peer p has received more than there is (entry 99)"},
        {"UPDATE peers SET root=zeroblob(32)",
         "by the store, peer p named another root than the log has (entry 9)"},
        {"UPDATE peers SET cursor=8",
         "by the store, peer p named another root than the log has (entry 8)"},
        {"UPDATE peers SET cursor=13,root=NULL", NULL},
        {"UPDATE peers SET cursor=0,root=zeroblob(32)", NULL},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_compact_report r;
        struct plog_error err;
        put_back();
        world_sql(&w, all[i].sql);
        int rc = compact(&r, &err);
        bool ok = CHECK_INT(rc, all[i].says ? PLOG_E_DIVERGED : 0);
        if (all[i].says) {
            ok &= CHECK_TEXT(err.message, all[i].says);
            ok &= CHECK_TEXT(err.file, "store.db");
            ok &= CHECK_TEXT(err.hint, "ask the peer what it has; then:"
                                       " paritylog peer rewind DIR NAME SEQ");
        }
        if (!ok)
            printf("# %s: %d %s\n", all[i].sql, rc, err.message);
    }
}

/* ---- Somebody compacts or redacts meanwhile ------------------------------ */

/* Whoever reads looks again where something has moved since, and not without
 * an end. */
static void looks_again(void)
{
    struct plog_again a;
    put_back();
    plog_again_begin(&a, plog_io_posix(), w.dir);
    CHECK(!plog_again(&a, PLOG_E_CORRUPT));
    world_sql(&w, "UPDATE meta SET redactions=redactions+1");
    CHECK(!plog_again(&a, PLOG_E_IO));
    CHECK(plog_again(&a, PLOG_E_CORRUPT));
    CHECK(!plog_again(&a, PLOG_E_CORRUPT));
    world_sql(&w, "UPDATE meta SET floor=floor+1");
    CHECK(plog_again(&a, PLOG_E_PRUNED));
    world_sql(&w, "INSERT INTO redactions VALUES(13,2,1)");
    CHECK(plog_again(&a, PLOG_E_DIVERGED)); /* it replaces a line */
    for (int tries = 4; tries <= 20; tries++) {
        world_sql(&w, "UPDATE meta SET redactions=redactions+1");
        CHECK(plog_again(&a, PLOG_E_NOT_FOUND) == (tries < 20));
    }
}

/* The floor has moved already, and what lies below it goes: that alone tells,
 * and so does a compact entry that leaves the floor where it was. */
static void looks_again_where_files_go(void)
{
    static const char first[] = "log/00000000000000000001.jsonl";
    struct plog_again a;
    struct plog_error err = {.code = 0};
    put_back();
    world_sql(&w, "UPDATE meta SET floor=9");
    plog_again_begin(&a, plog_io_posix(), w.dir);
    CHECK(!plog_again(&a, PLOG_E_CORRUPT));
    world_remove(world_path(&w, first));
    CHECK(plog_again(&a, PLOG_E_CORRUPT));
    CHECK(!plog_again(&a, PLOG_E_CORRUPT));
    CHECK_INT(plog_again_end(&a, PLOG_E_CORRUPT, &err), PLOG_E_CORRUPT);
    CHECK_INT(err.code, 0);
    world_sql(&w, "INSERT INTO compactions VALUES(13,9,0)");
    CHECK(plog_again(&a, PLOG_E_CORRUPT));
    CHECK(!plog_again(&a, PLOG_E_CORRUPT));
    CHECK(!a.gave_up);
}

/* ---- Memory ---------------------------------------------------------------
 */

static bool in_index; /* a row of it has just been read */
static unsigned index_rows;

static bool at_the_index(const char *call, const char *sql, bool busy)
{
    (void)busy;
    in_index = strcmp(call, "step") == 0 && strstr(sql, "INDEXED BY events_id");
    index_rows += in_index;
    return false;
}

static void *no_memory(void *ctx, void *p, size_t n)
{
    return n && in_index ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

/* An id that cannot be kept to compare the next one with ends the check. */
static void no_memory_for_an_id(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_check_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_check_report r;
    struct plog_error err = {.code = 0};
    make();
    io.alloc = no_memory;
    sql_calls.fails = at_the_index;
    CHECK_INT(plog_parity(kept, &o, &r, &err), PLOG_E_NOMEM);
    sql_calls.fails = NULL;
    in_index = false;
    CHECK_TEXT(err.message, "out of memory");
    CHECK_UINT(index_rows, 1);
    io.alloc = plog_io_posix()->alloc;
    CHECK_INT(plog_parity(kept, &o, &r, &err), 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"rows above the base", rows_above_the_base},
        {"a row of a redacted entry", a_row_of_a_redacted_entry},
        {"columns of what has none", columns_of_what_has_none},
        {"rows above the floor", rows_above_the_floor},
        {"said of a peer", said_of_a_peer},
        {"looks again", looks_again},
        {"looks again where files go", looks_again_where_files_go},
        {"no memory for an id", no_memory_for_an_id},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
