/*
 * test_catching_up.c - a store that lacks the log's last groups, and is opened:
 * by a caller whose hook ends the transaction, where SQLite fails, under the
 * key that the log went over to meanwhile, and up to a segment that holds no
 * group yet.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static struct plog_error err;

/* ---- A store behind the log ---------------------------------------------- */

static char *store; /* of an earlier time */
static size_t store_size;

/* A log of two entries, whose store is kept; and open. */
static void make(enum plog_strategy strategy)
{
    world_make(&w, strategy, 0);
    CHECK_INT(world_put(&w, "a", "1", "a", NULL), 0);
    world_close(&w);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    free(store);
    store = world_read(world_path(&w, "store.db"), &store_size);
    CHECK_INT(world_open(&w), 0);
}

/* Closes, and the store is the one that was kept. */
static void set_back(void)
{
    world_close(&w);
    unlink(world_path(&w, "store.db-wal"));
    unlink(world_path(&w, "store.db-shm"));
    world_write(world_path(&w, "store.db"), store, store_size);
}

static int open_it(void)
{
    err = (struct plog_error){.code = 0};
    int rc = plog_open(&w.p, w.dir, &w.options, &err);
    CHECK_INT(err.code, rc);
    CHECK((w.p == NULL) == (rc != 0));
    return rc;
}

/* The head, and the entries up to it. */
static void check_size(int64_t size)
{
    CHECK_INT(world_number(&w, "SELECT size FROM meta"), size);
    CHECK_INT(world_number(&w, "SELECT max(seq) FROM events"), size);
}

/* ---- The caller's hook --------------------------------------------------- */

static const char *statement; /* that it runs at entry 4 */

static int run_statement(void *arg, struct sqlite3 *db, uint64_t seq,
                         const char *line, size_t len)
{
    (void)arg, (void)line, (void)len;
    if (seq == 4)
        CHECK_INT(sqlite3_exec(db, statement, NULL, NULL, NULL), SQLITE_OK);
    return 0;
}

/* Rows that are written behind it would stand without a head, or a head
 * without them. */
static void a_hook_ends_the_transaction(void)
{
    static const char *const all[] = {"ROLLBACK", "COMMIT"};
    for (int i = 0; i < 2; i++) {
        make(PLOG_LAST_WRITE_WINS);
        for (int k = 0; k < 4; k++) {
            char id[8];
            snprintf(id, sizeof id, "b%d", k);
            CHECK_INT(world_put(&w, id, id, "b", NULL), 0);
        }
        set_back();
        statement = all[i];
        w.options.replayed = run_statement;
        CHECK_INT(open_it(), PLOG_E_IO);
        CHECK_TEXT(err.message, "SQLite ended the store's transaction after"
                                " an error");
        CHECK_INT(world_number(&w, "SELECT size FROM meta"), 2);
        /* The entries behind it are not there in either case. */
        CHECK_INT(world_number(&w, "SELECT max(seq) FROM events"), i ? 4 : 2);
        w.options.replayed = NULL;
        if (i == 0) {
            CHECK_INT(open_it(), 0);
            check_size(6);
            world_end(&w, 6);
        }
    }
}

/* SQLite drops no table while a statement stands on a row, as on the record's
 * whose payload is merged. */
static void a_hook_drops_its_table(void)
{
    static const enum plog_strategy all[] = {PLOG_ARRIVAL, PLOG_MERGE_JSON};
    statement = "DROP TABLE mine";
    for (int i = 0; i < 2; i++) {
        make(all[i]);
        CHECK_INT(world_put(&w, "b", "1", "b", NULL), 0);
        CHECK_INT(world_put(&w, "c", "1", "c", NULL), 0);
        set_back();
        world_sql(&w, "CREATE TABLE mine(n)");
        w.options.replayed = run_statement;
        CHECK_INT(open_it(), 0);
        w.options.replayed = NULL;
        CHECK_INT(world_number(&w, "SELECT count(*) FROM sqlite_schema"
                                   " WHERE name='mine'"),
                  0);
        world_end(&w, 4);
    }
}

/* ---- SQLite ---------------------------------------------------------------
 */

static struct {
    const char *part; /* of a text */
    unsigned nth, seen;
} sql;

static bool sql_fails(const char *call, const char *text, bool busy)
{
    (void)busy;
    return strcmp(call, "step") == 0 && strstr(text, sql.part) &&
           ++sql.seen == sql.nth;
}

/* Whatever cannot be read or written is told in words, and the next opening
 * finds all as it was. */
static void sqlite_fails(void)
{
    static const char *const all[] = {
        "INSERT OR REPLACE INTO main.meta",
        "COMMIT",
        "INSERT INTO main.events",
        "FROM main.rotations", /* which keys the log has had */
        "FROM main.meta",
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bool reached = true;
        make(PLOG_LAST_WRITE_WINS);
        CHECK_INT(world_put(&w, "b", "2", "b", NULL), 0);
        CHECK_INT(world_put(&w, "c", "1", "c", NULL), 0);
        for (sql.nth = 1; reached && sql.nth < 30; sql.nth++) {
            set_back();
            sql.part = all[i];
            sql.seen = 0;
            sql_calls.fails = sql_fails;
            int rc = open_it();
            sql_calls.fails = NULL;
            reached = sql.seen >= sql.nth;
            CHECK_INT(rc, reached ? PLOG_E_IO : 0);
            if (reached && !CHECK(strstr(err.message, "using the store")))
                printf("# %s %u: %s\n", all[i], sql.nth, err.message);
            CHECK_TEXT(err.file, reached ? "store.db" : "");
            /* What was committed is looked at once more. */
            bool later = world_number(&w, "SELECT size FROM meta") == 4;
            CHECK(!later || !reached || all[i][0] == 'F');
            check_size(later ? 4 : 2);
        }
        CHECK(!reached && sql.nth > 2);
        world_end(&w, 4);
    }
}

static unsigned told;
static uint64_t told_last;

static int count_progress(void *arg, const struct plog_progress *p)
{
    (void)arg;
    told++;
    told_last = p->done;
    CHECK_TEXT(p->phase, "replay");
    return 0;
}

/* How far a replay came is told when it is committed, and of what could not be
 * nothing is. */
static void what_is_told_was_committed(void)
{
    static const char *const all[] = {"INSERT OR REPLACE INTO main.meta",
                                      "COMMIT", "nothing of it"};
    struct plog_replay_options o = {.struct_size = sizeof o,
                                    .progress = count_progress};
    struct plog_replay_report r;
    make(PLOG_LAST_WRITE_WINS);
    CHECK_INT(world_put(&w, "b", "2", "b", NULL), 0);
    for (int i = 0; i < 3; i++) {
        set_back();
        sql.part = all[i];
        sql.seen = told = 0;
        sql.nth = 1;
        sql_calls.fails = sql_fails;
        int rc = plog_replay(w.dir, &o, &r, &err);
        sql_calls.fails = NULL;
        CHECK_INT(rc, i < 2 ? PLOG_E_IO : 0);
        CHECK_UINT(told, i < 2 ? 0 : 1);
        check_size(i < 2 ? 2 : 3);
    }
    CHECK_UINT(told_last, 3);
    world_end(&w, 3);
}

/* ---- Keys -----------------------------------------------------------------
 */

/* The store stands at a commit of the old key, and trusted is the one that the
 * log went over to behind it. */
static void a_key_that_came_later(void)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report r;
    struct plog_replay_options replay = {.struct_size = sizeof replay};
    struct plog_replay_report report;
    char old[40];
    make(PLOG_ARRIVAL);
    CHECK_INT(world_put(&w, "b", "2", "b", NULL), 0);
    world_close(&w);
    CHECK_INT(plog_key_rotate(w.dir, &o, &r, &err), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, "c", "3", "c", NULL), 0);
    set_back();
    snprintf(old, sizeof old, "keys/%.8s.vkey", strchr(w.vkey, '+') + 1);
    CHECK_INT(unlink(world_path(&w, old)), 0);
    CHECK_INT(open_it(), PLOG_E_UNKNOWN_KEY);
    check_size(2);
    CHECK_INT(plog_replay(w.dir, &replay, &report, &err), 0);
    CHECK_UINT(report.applied, 3);
    check_size(5);
    CHECK_INT(open_it(), 0);
    CHECK_INT(world_put(&w, "d", "4", "d", NULL), 0);
    world_end(&w, 6);
}

/* ---- The end of the log ---------------------------------------------------
 */

/* The last segment holds no group yet: the store goes on in it, as the one did
 * that was there when it was made. */
static void a_bare_segment(void)
{
    uint64_t first = 0;
    make(PLOG_ARRIVAL);
    CHECK_INT(world_put(&w, "b", "2", "b", NULL), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_UINT(first, 4);
    int64_t offset = world_number(&w, "SELECT offset FROM meta");
    for (int i = 0; i < 2; i++) {
        CHECK_INT(world_number(&w, "SELECT segment FROM meta"), 4);
        CHECK_INT(world_number(&w, "SELECT offset FROM meta"), offset);
        CHECK_INT(world_number(&w, "SELECT count(*) FROM segments"), 2);
        CHECK_INT(world_number(&w, "SELECT max(first) FROM segments"), 4);
        check_size(3);
        if (i == 0) {
            set_back();
            CHECK_INT(open_it(), 0);
        }
    }
    CHECK_INT(world_put(&w, "c", "3", "c", NULL), 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM segments"), 2);
    world_end(&w, 4);
}

/* A segment in the store's table that the log has not is none that a repair
 * left: it stays, and is found. */
static void a_segment_of_nobody(void)
{
    struct world_found f;
    make(PLOG_ARRIVAL);
    CHECK_INT(world_put(&w, "b", "2", "b", NULL), 0);
    set_back();
    world_sql(&w, "INSERT INTO segments VALUES(1000)");
    CHECK_INT(open_it(), 0);
    check_size(3);
    CHECK_INT(world_number(&w, "SELECT max(first) FROM segments"), 1000);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_AHEAD);
    CHECK_UINT(f.count, 1);
    CHECK_UINT(f.first[0].seq, 1000);
    CHECK_INT(f.first[0].leg, PLOG_LEG_STORE);
    world_sql(&w, "DELETE FROM segments WHERE first=1000");
    world_end(&w, 3);
}

static unsigned reads, good_reads; /* of the group in question */

/* From some read on, the disk gives another byte. */
static int64_t spoilt_pread(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    static const char payload[] = "{\"v\":\"c\"}";
    int64_t got = plog_io_posix()->pread(ctx, fd, p, n, at);
    char *found =
        got > 0 ? memmem(p, (size_t)got, payload, sizeof payload - 1) : NULL;
    if (found && reads++ >= good_reads)
        found[6] = 'x';
    return got;
}

/* Of a segment whose first group is damaged the store takes nothing: it stands
 * where its last commit does, and goes on when the group can be read again. */
static void damage_behind_a_header(void)
{
    static const char name[] = "log/00000000000000000004.jsonl";
    struct plog_io io = *plog_io_posix();
    uint64_t first = 0;
    size_t n;
    bool reached = true, verified = false;
    io.pread = spoilt_pread;
    make(PLOG_ARRIVAL);
    CHECK_INT(world_put(&w, "b", "2", "b", NULL), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_UINT(first, 4);
    CHECK_INT(world_put(&w, "c", "3", "c", NULL), 0);
    CHECK_INT(world_put(&w, "d", "4", "d", NULL), 0);
    const struct plog_io *before = w.options.io;
    char *segment = world_read(world_path(&w, name), &n);
    for (good_reads = 0; reached && good_reads < 20; good_reads++) {
        set_back();
        world_write(world_path(&w, name), segment, n);
        reads = 0;
        w.options.io = &io;
        int rc = open_it();
        w.options.io = before;
        reached = reads > good_reads;
        if (!reached)
            CHECK_INT(rc, 0);
        int64_t size = world_number(&w, "SELECT size FROM meta");
        CHECK(rc ? size == 2 || size == 3 : size == 5);
        check_size(size);
        CHECK_INT(world_number(&w, "SELECT segment FROM meta"), rc ? 1 : 4);
        CHECK_INT(world_number(&w, "SELECT count(*) FROM segments"),
                  rc ? 1 : 2);
        verified |= size == 3;
    }
    CHECK(verified && !reached);
    free(segment);
    world_close(&w);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, "e", "5", "e", NULL), 0);
    world_end(&w, 6);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a hook ends the transaction", a_hook_ends_the_transaction},
        {"a hook drops its table", a_hook_drops_its_table},
        {"sqlite fails", sqlite_fails},
        {"what is told was committed", what_is_told_was_committed},
        {"a key that came later", a_key_that_came_later},
        {"a bare segment", a_bare_segment},
        {"a segment of nobody", a_segment_of_nobody},
        {"damage behind a header", damage_behind_a_header},
    };
    int status = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    free(store);
    return status;
}
