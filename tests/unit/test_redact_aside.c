/*
 * test_redact_aside.c - what goes to quarantine/ may have a payload that an
 * order took out, for it came from a backup.  The store says so before it goes
 * there, on disk, whatever ends the salvage then, and the next opening for
 * writing takes the payload out.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "peers.h"
#include "redacting.h"
#include "world.h"

#define PAYLOAD "\"v\":\"v0\"" /* of entry 2, in the first segment */

static struct world w;
static struct plog_salvage_report report;
static struct plog_error err;
static sqlite3 *client; /* of somebody else */
static char *backup;    /* of the first segment, from before the redaction */
static size_t backup_n;

/* ---- A log, a backup, damage --------------------------------------------- */

/* The path of the n-th segment, from 0. */
static const char *segment(int n)
{
    char sql[80], name[60];
    snprintf(sql, sizeof sql,
             "SELECT first FROM segments ORDER BY first LIMIT 1 OFFSET %d", n);
    snprintf(name, sizeof name, "log/%020d.jsonl", (int)world_number(&w, sql));
    return world_path(&w, name);
}

static void make(void)
{
    struct plog_redact_report r;
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "asked"};
    peers_make(&w, PLOG_KEEP_LOCAL, 60);
    free(backup);
    backup = world_read(segment(0), &backup_n);
    REQUIRE(strstr(backup, PAYLOAD) != NULL);
    CHECK_INT(plog_redact(w.dir, 2, &o, &r, NULL), 0);
}

/* The backup takes the name of the n-th segment, with another byte in the line
 * of the payload: the line comes from the store, without it. */
static void bring_back_damaged(int n)
{
    char *at = strstr(backup, "\"id\":\"i0\"");
    REQUIRE(at != NULL);
    at[7] = '9';
    world_write(segment(n), backup, backup_n);
    at[7] = '0';
}

static void spoil(int n)
{
    size_t len;
    char *bytes = world_read(segment(n), &len), *at = strstr(bytes, "\"v\":\"");
    REQUIRE(at != NULL);
    at[6] = 'x';
    world_write(segment(n), bytes, len);
    free(bytes);
}

/* ---- Where the payload is ------------------------------------------------ */

static int files_with_it(const char *folder)
{
    return redacting_count(&w, folder, PAYLOAD);
}

static int heal(const struct plog_io *io)
{
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .io = io,
                                     .wait_seconds = 0.05,
                                     .from_store = true};
    memset(&err, 0, sizeof err);
    int rc = plog_salvage(w.dir, &o, &report, &err);
    CHECK_INT(err.code, rc);
    return rc;
}

/* It lies in quarantine/, which is told, and goes with the next opening. */
static void told_and_gone(void)
{
    CHECK_INT(report.verdict, 0);
    CHECK_UINT(report.pending, 1);
    CHECK_INT(files_with_it("quarantine"), 1);
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
    CHECK_INT(files_with_it("quarantine"), 0);
    CHECK_INT(files_with_it("log"), 0);
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_INT(peers_parity(&w), 0);
}

/* ---- Ended in its middle ------------------------------------------------- */

static int renames; /* into log/ that are made, then none; < 0: all */
static bool wal_synced, marked;

static int on_rename(void *c, int from, const char *name, int to,
                     const char *new_name, bool over)
{
    if (over && strstr(new_name, ".jsonl") && renames >= 0 && renames-- == 0)
        return -EIO;
    return plog_io_posix()->rename_at(c, from, name, to, new_name, over);
}

/* Behind the last that was written to it. */
static int on_store(void *c, const struct plog_store_event *e)
{
    (void)c;
    if (e->done && e->file == PLOG_STORE_WAL)
        wal_synced = e->op == PLOG_STORE_SYNC;
    return 0;
}

/* The first byte that goes to quarantine/. */
static int on_open(void *c, int dir, const char *name, int flags, unsigned mode)
{
    if (strstr(name, "-at-0-") && (flags & O_CREAT)) {
        CHECK(wal_synced);
        CHECK_INT(redacting_pending(&w), 1);
        marked = true;
    }
    return plog_io_posix()->open_at(c, dir, name, flags, mode);
}

/* The segment with the payload is whole again, another one is not: nobody who
 * goes on finds anything to note. */
static void ended_behind_the_first(void)
{
    struct plog_io io = *plog_io_posix();
    io.rename_at = on_rename;
    io.store_event = on_store;
    io.open_at = on_open;
    for (int whole = 0; whole < 2; whole++) {
        make();
        bring_back_damaged(0);
        spoil(3);
        renames = whole;
        wal_synced = marked = false;
        CHECK_INT(heal(&io), PLOG_E_IO);
        CHECK(marked);
        CHECK_INT(files_with_it("quarantine"), 1);
        CHECK_INT(redacting_pending(&w), 1);
        renames = -1;
        CHECK_INT(heal(NULL), 0);
        CHECK_UINT(report.healed, whole ? 1 : 2);
        if (!whole) { /* it was kept twice */
            CHECK_INT(files_with_it("quarantine"), 2);
            REQUIRE(world_open(&w) == 0);
            world_close(&w);
            CHECK_INT(files_with_it("quarantine"), 0);
        } else
            told_and_gone();
        world_end(&w, world_size(&w));
    }
}

/* ---- Under any name ------------------------------------------------------ */

/* A copy where no segment begins, a file that is none, and the place of another
 * segment. */
static void under_any_name(void)
{
    const char *const names[] = {"log/00000000000000000005.jsonl",
                                 "log/old.jsonl", NULL};
    for (int i = 0; i < 3; i++) {
        make();
        world_write(names[i] ? world_path(&w, names[i]) : segment(2), backup,
                    backup_n);
        CHECK_INT(heal(NULL), 0);
        CHECK_UINT(report.healed, 1);
        told_and_gone();
        world_end(&w, world_size(&w));
    }
}

/* What is only read and cannot be used is copied there, too; then the segment
 * is brought back from a newer copy. */
static void only_read(void)
{
    struct plog_salvage_options o = {.struct_size = sizeof o};
    for (int dry = 1; dry >= 0; dry--) {
        size_t n;
        make();
        char *newer = world_read(segment(0), &n);
        bring_back_damaged(0);
        o.dry_run = dry;
        CHECK_INT(plog_salvage(w.dir, &o, &report, NULL), 0);
        CHECK_UINT(report.ranges, 1);
        CHECK_UINT(report.pending, dry ? 0 : 1);
        CHECK_INT(report.pending_code, 0);
        CHECK_INT(redacting_pending(&w), dry ? 0 : 1);
        world_write(segment(0), newer, n);
        free(newer);
        report.verdict = 0; /* as it is now */
        if (!dry)
            told_and_gone();
        world_end(&w, world_size(&w));
    }
}

/* A store that cannot be asked is not one that knows of nothing. */
static void only_read_and_a_client(void)
{
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .wait_seconds = 0.05};
    make();
    bring_back_damaged(0);
    REQUIRE(sqlite3_open(world_path(&w, "store.db"), &client) == SQLITE_OK);
    REQUIRE(sqlite3_exec(client,
                         "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE;"
                         " UPDATE meta SET floor=0",
                         NULL, NULL, NULL) == SQLITE_OK);
    CHECK_INT(plog_salvage(w.dir, &o, &report, NULL), 0);
    CHECK_UINT(report.ranges, 1);
    CHECK_UINT(report.pending, 0);
    CHECK_INT(report.pending_code, PLOG_E_LOCKED);
    CHECK(report.pending_why[0] != '\0');
    sqlite3_close(client);
}

/* Where nothing goes there, nothing is pending. */
static void nothing_set_aside(void)
{
    make();
    REQUIRE(unlink(segment(2)) == 0);
    CHECK_INT(heal(NULL), 0);
    CHECK_UINT(report.healed, 1);
    CHECK_UINT(report.pending, 0);
    CHECK_INT(redacting_pending(&w), 0);
    world_end(&w, world_size(&w));
}

/* ---- Below a floor ------------------------------------------------------- */

/* Entries 2 and 50 are redacted, and 2 is below the floor. */
static void make_above(void)
{
    struct plog_redact_report r;
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "asked"};
    struct plog_compact_report compacted;
    make();
    CHECK_INT(plog_redact(w.dir, 50, &o, &r, NULL), 0);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    CHECK_INT(peers_compact(&w, &compacted), 0);
    REQUIRE(compacted.to > 2 && compacted.to < 50);
}

/* Whatever has a payload of below the floor is looked for as well, and stops
 * none of those above. */
static void above_a_floor(void)
{
    for (int whole = 0; whole < 2; whole++) {
        make_above();
        if (whole)
            world_write(world_path(&w, "log/old.jsonl"), backup, backup_n);
        else
            world_write(world_path(&w, "log/notes.txt"), "notes", 5);
        CHECK_INT(heal(NULL), 0);
        CHECK_UINT(report.pending, 2);
        CHECK_INT(redacting_pending(&w), 2);
        CHECK_INT(files_with_it("quarantine"), whole);
        CHECK_INT(world_open(&w), 0);
        world_close(&w);
        CHECK_INT(redacting_pending(&w), 0);
        CHECK_INT(files_with_it("quarantine"), 0);
        world_end(&w, world_size(&w));
    }
}

/* What is only read is kept there, too; and a store made anew knows of it. */
static void below_a_floor(void)
{
    struct plog_salvage_options o = {.struct_size = sizeof o};
    for (int fresh = 0; fresh < 2; fresh++) {
        make_above();
        int at = (int)world_number(&w, "SELECT count(*) FROM segments,meta"
                                       " WHERE first<=floor");
        size_t n;
        char *good = world_read(segment(at), &n);
        world_write(segment(at), backup, backup_n);
        CHECK_INT(plog_salvage(w.dir, &o, &report, NULL), 0);
        CHECK_UINT(report.pending, 2);
        CHECK(files_with_it("quarantine") > 0);
        world_write(segment(at), good, n);
        free(good);
        if (fresh)
            CHECK_INT(redacting_fresh(&w), 0);
        CHECK_INT(redacting_pending(&w), 2);
        CHECK_INT(world_open(&w), 0);
        world_close(&w);
        CHECK_INT(redacting_pending(&w), 0);
        CHECK_INT(files_with_it("quarantine"), 0);
        world_end(&w, world_size(&w));
    }
}

/* ---- A store that is in use ---------------------------------------------- */

/* It is refused before a byte has moved, and works when the client is gone. */
static void another_client(void)
{
    struct tree was, is;
    make();
    bring_back_damaged(0);
    tree_read(&was, world_path(&w, "log"));
    REQUIRE(sqlite3_open(world_path(&w, "store.db"), &client) == SQLITE_OK);
    REQUIRE(sqlite3_exec(client, "BEGIN IMMEDIATE", NULL, NULL, NULL) ==
            SQLITE_OK);
    CHECK_INT(heal(NULL), PLOG_E_LOCKED);
    tree_read(&is, world_path(&w, "log"));
    CHECK(was.hash == is.hash);
    CHECK(!world_has(&w, "quarantine"));
    tree_free(&was);
    tree_free(&is);
    sqlite3_close(client);
    CHECK_INT(heal(NULL), 0);
    told_and_gone();
    world_end(&w, world_size(&w));
}

/* ---- A store that cannot be told ----------------------------------------- */

static void spoil_index(void)
{
    size_t n;
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    int64_t size = world_number(&w, "PRAGMA page_size");
    int64_t page = world_number(&w, "SELECT rootpage FROM sqlite_schema WHERE"
                                    " name='redactions_pending'");
    char *bytes = world_read(world_path(&w, "store.db"), &n);
    REQUIRE(page > 1 && (size_t)(page * size) <= n);
    memset(bytes + (page - 1) * size, 0x5a, (size_t)size);
    world_write(world_path(&w, "store.db"), bytes, n);
    free(bytes);
}

/* The log is healed all the same; that nobody knows of payloads is told, and
 * the store that is made in its place takes all of them for pending. */
static void a_damaged_index(void)
{
    make();
    bring_back_damaged(0);
    spoil_index();
    CHECK_INT(heal(NULL), 0);
    CHECK_TEXT(err.message, "");
    CHECK_INT(report.verdict, 0);
    CHECK_UINT(report.healed, 1);
    CHECK_UINT(report.pending, 0);
    CHECK_INT(report.pending_code, PLOG_E_DIVERGED);
    CHECK_TEXT(report.pending_why, "using the store: database disk image is"
                                   " malformed (SQLite 11)");
    CHECK_INT(files_with_it("quarantine"), 1);
    CHECK_INT(heal(NULL), 0); /* and again, where nothing is left to heal */
    CHECK_UINT(report.healed, 0);
    CHECK_INT(report.pending_code, PLOG_E_DIVERGED);
    CHECK_INT(redacting_fresh(&w), 0);
    CHECK_INT(heal(NULL), 0);
    CHECK_INT(report.pending_code, 0);
    CHECK_TEXT(report.pending_why, "");
    told_and_gone();
    world_end(&w, world_size(&w));
}

static bool begins;

/* Behind the healing: what was healed is told. */
static int take_store(void *arg, const struct plog_salvaged *what)
{
    (void)arg, (void)what;
    if (begins)
        CHECK_INT(sqlite3_exec(client, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                  SQLITE_OK);
    begins = false;
    return 0;
}

static void another_client_behind_it(void)
{
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .wait_seconds = 0.05,
                                     .from_store = true,
                                     .range = take_store};
    make();
    world_write(segment(0), backup, backup_n);
    spoil(3);
    REQUIRE(sqlite3_open(world_path(&w, "store.db"), &client) == SQLITE_OK);
    begins = true;
    CHECK_INT(plog_salvage(w.dir, &o, &report, &err), 0);
    CHECK_UINT(report.healed, 1);
    CHECK_INT(report.pending_code, PLOG_E_LOCKED);
    sqlite3_close(client);
    CHECK_INT(heal(NULL), 0);
    CHECK_INT(report.pending_code, 0);
    CHECK_UINT(report.pending, 1);
    world_end(&w, world_size(&w));
}

/* ---- A store made anew --------------------------------------------------- */

/* Marks are not in the log: the new store has them by itself. */
static void marks_of_the_old_store(void)
{
    for (int gone = 0; gone < 2; gone++) {
        struct plog_replay_report r;
        make();
        world_write(world_path(&w, "log/old.jsonl"), backup, backup_n);
        CHECK_INT(heal(NULL), 0);
        CHECK_INT(redacting_pending(&w), 1);
        if (gone) {
            world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
            REQUIRE(unlink(world_path(&w, "store.db")) == 0);
            CHECK_INT(plog_replay(w.dir, NULL, &r, NULL), 0);
        } else
            CHECK_INT(redacting_fresh(&w), 0);
        CHECK_INT(redacting_pending(&w), 1);
        told_and_gone();
        world_end(&w, world_size(&w));
    }
}

/* Made up to an entry before the order, it comes to that later. */
static void made_in_two_steps(void)
{
    for (int how = 0; how < 2; how++) {
        struct plog_replay_report r;
        struct plog_replay_options o = {
            .struct_size = sizeof o, .fresh = how, .to = 3};
        make();
        world_write(world_path(&w, "log/old.jsonl"), backup, backup_n);
        CHECK_INT(heal(NULL), 0);
        if (!how)
            world_drop_store(&w);
        CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
        CHECK_UINT(r.head.size, 3);
        CHECK_INT(plog_replay(w.dir, NULL, &r, NULL), 0);
        CHECK_INT(redacting_pending(&w), 1);
        told_and_gone();
        world_end(&w, world_size(&w));
    }
}

/* Where no old one is known and nothing was kept, none is pending. */
static void nothing_kept(void)
{
    struct plog_replay_report r;
    make();
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    REQUIRE(unlink(world_path(&w, "store.db")) == 0);
    CHECK_INT(plog_replay(w.dir, NULL, &r, NULL), 0);
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_INT(redacting_fresh(&w),
              0); /* and one that knows of none goes there */
    CHECK_INT(redacting_pending(&w), 0);
    world_end(&w, world_size(&w));
}

/* The old one is older than the order, and has the payload itself. */
static void an_older_store(void)
{
    char kept[600];
    struct plog_redact_report r;
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "asked"};
    peers_make(&w, PLOG_KEEP_LOCAL, 60);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(world_path(&w, "store.db"), kept);
    CHECK_INT(plog_redact(w.dir, 2, &o, &r, NULL), 0);
    (void)unlink(world_path(&w, "store.db-wal"));
    (void)unlink(world_path(&w, "store.db-shm"));
    REQUIRE(unlink(world_path(&w, "store.db")) == 0);
    world_copy(kept, world_path(&w, "store.db"));
    CHECK_INT(redacting_fresh(&w), 0);
    CHECK_INT(redacting_pending(&w), 1);
    CHECK_INT(files_with_it("quarantine"), 1);
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
    CHECK_INT(files_with_it("quarantine"), 0);
    CHECK_INT(redacting_pending(&w), 0);
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"ended behind the first", ended_behind_the_first},
        {"under any name", under_any_name},
        {"only read", only_read},
        {"only read, and a client", only_read_and_a_client},
        {"nothing set aside", nothing_set_aside},
        {"above a floor", above_a_floor},
        {"below a floor", below_a_floor},
        {"another client", another_client},
        {"a damaged index", a_damaged_index},
        {"another client behind it", another_client_behind_it},
        {"marks of the old store", marks_of_the_old_store},
        {"made in two steps", made_in_two_steps},
        {"nothing kept", nothing_kept},
        {"an older store", an_older_store},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    free(backup);
    return rc;
}
