/*
 * test_scrub_left.c - something in quarantine/ that cannot be searched: the
 * payload goes from everywhere else, the redaction stays pending and says why,
 * no opening tries it again, and nothing else waits for it; moved out, it is
 * done.  And databases that users move there, of a log whose line is redacted
 * already; and how often a segment of the archive is expanded for many orders.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "redacting.h"
#include "sql_calls.h"
#include "world.h"

#define SEGMENT "log/00000000000000000001.jsonl"
#define PACKED "archive/00000000000000000001.jsonl.gz"
#define PAYLOAD "\"v\":\"v3\"" /* of entry 5 */

static struct world w;
static struct plog_error err;
static struct plog_redact_report report;
static char old[600]; /* the directory as it was before the order */

static int redact(uint64_t seq)
{
    err = (struct plog_error){.code = 0};
    return redacting_order(&w, seq, &report, &err);
}

static void make(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    snprintf(old, sizeof old, "%.500s-old", w.dir);
    world_copy(w.dir, old);
    CHECK_INT(mkdir(world_path(&w, "quarantine"), 0700), 0);
}

static void end(void)
{
    world_remove(old);
    world_end(&w, world_size(&w));
}

static unsigned vacuums_of_an_opening(void)
{
    sql_calls_count("VACUUM");
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
    return sql_calls_counted();
}

/* The old segment 17 folders deep. */
static void put_deep(void)
{
    char name[80] = "quarantine", to[700];
    size_t n;
    char *bytes = world_read(world_path(&w, SEGMENT), &n);
    for (int i = 0; i < 17; i++) {
        strcat(name, "/d");
        CHECK_INT(mkdir(world_path(&w, name), 0700), 0);
    }
    strcat(name, "/lines");
    snprintf(to, sizeof to, "%s", world_path(&w, name));
    world_write(to, bytes, n);
    free(bytes);
}

static const char *out_of_it(void)
{
    static char path[600];
    snprintf(path, sizeof path, "%.500s-out", w.dir);
    return path;
}

static void said(void)
{
    CHECK(strstr(err.message, "its payload is not gone yet") != NULL);
    CHECK(strstr(err.message, "more than 16 folders deep") != NULL);
    CHECK(strstr(err.file, "quarantine/d/d/d") == err.file);
    CHECK(strstr(err.hint, "move it out of DIR") == err.hint);
}

static void left_and_told(void)
{
    struct plog_compact_report r;
    make();
    put_deep();
    world_take(&w, old, SEGMENT);
    CHECK_INT(redact(5), PLOG_E_IO);
    said();
    CHECK(!redacting_has(&w, SEGMENT, PAYLOAD));
    CHECK(!redacting_has(&w, "store.db", PAYLOAD));
    CHECK_INT(redacting_pending(&w), 1);
    CHECK_UINT(vacuums_of_an_opening(), 0);
    CHECK_INT(redact(12), PLOG_E_IO); /* it is done as far as that goes */
    CHECK_INT(redacting_pending(&w), 2);
    CHECK_UINT(vacuums_of_an_opening(), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    struct plog_compact_options dry = {.dry_run = true};
    CHECK_INT(peers_compact_with(&w, dry, &r), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(peers_floor(&w) > 5);
    CHECK_INT(redacting_pending(&w), 2);
    CHECK_INT(redact(5), PLOG_E_IO); /* also below the floor */
    said();
    CHECK_INT(rename(world_path(&w, "quarantine/d"), out_of_it()), 0);
    CHECK_INT(redact(5), 0);
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_INT(peers_parity(&w), 0);
    world_remove(out_of_it());
    end();
}

/* What is moved out is missed by the next compaction, too. */
static void done_by_a_compaction(void)
{
    struct plog_compact_report r;
    make();
    put_deep();
    CHECK_INT(redact(5), PLOG_E_IO);
    CHECK_INT(rename(world_path(&w, "quarantine/d"), out_of_it()), 0);
    CHECK_INT(redacting_pending(&w), 1);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_INT(redacting_pending(&w), 0);
    world_remove(out_of_it());
    end();
}

/* ---- Databases ------------------------------------------------------------ */

#define LATE "\"v\":\"v64\""

static void copy_as(const char *from, const char *to)
{
    size_t n;
    char *bytes = world_read(world_path(&w, from), &n);
    world_write(world_path(&w, to), bytes, n);
    free(bytes);
}

/* A store as it is while it is written to: the entry is in its WAL alone, and
 * the log has no salt of it any more when it comes to quarantine/. */
static void a_store_with_its_wal(void)
{
    make();
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 60, 66);
    copy_as("store.db", "bk");
    copy_as("store.db-wal", "bk-wal");
    world_close(&w);
    CHECK(!redacting_has(&w, "bk", LATE) && redacting_has(&w, "bk-wal", LATE));
    uint64_t seq = (uint64_t)world_number(
        &w, "SELECT seq FROM events WHERE line LIKE '%\"v64\"%'");
    CHECK_INT(redact(seq), 0);
    CHECK_INT(mkdir(world_path(&w, "quarantine/a"), 0700), 0);
    CHECK_INT(mkdir(world_path(&w, "quarantine/b"), 0700), 0);
    copy_as("bk", "quarantine/a/store.db");
    copy_as("bk-wal", "quarantine/a/store.db-wal");
    copy_as("bk", "quarantine/b/any");
    copy_as("bk-wal", "quarantine/b/any-wal");
    unlink(world_path(&w, "bk"));
    unlink(world_path(&w, "bk-wal"));
    CHECK_INT(redact(seq), 0);
    CHECK_INT(redacting_count(&w, "quarantine", LATE), 0);
    CHECK(!world_has(&w, "quarantine/a/store.db"));
    CHECK(!world_has(&w, "quarantine/b/any-wal"));
    CHECK_INT(redacting_pending(&w), 0);
    copy_as("store.db", "quarantine/a/store.db"); /* which is clean */
    CHECK_INT(redact(seq), 0);
    CHECK(world_has(&w, "quarantine/a/store.db"));
    end();
}

/* ---- Many orders ---------------------------------------------------------- */

static unsigned opened[120]; /* files of archive/, by the number in the name */

static int count_opens(void *ctx, int at, const char *name, int flags,
                       uint32_t mode)
{
    const char *gz = strstr(name, ".jsonl.gz");
    unsigned long n = gz && !gz[9] ? strtoul(name, NULL, 10) : 0;
    if (n && n < 120)
        opened[n]++;
    return plog_io_posix()->open_at(ctx, at, name, flags, mode);
}

static unsigned most_opens(void)
{
    unsigned most = 0;
    for (size_t i = 0; i < sizeof opened / sizeof *opened; i++)
        most = opened[i] > most ? opened[i] : most;
    return most;
}

/* Orders that follow each other in two segments of the archive, in turn: each
 * segment is expanded once for the orders, and that of the lines once. */
static void orders_in_turn(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_compact_options dry = {
        .struct_size = sizeof dry, .io = &io, .dry_run = true};
    struct plog_compact_report r;
    plog *p;
    make();
    for (uint64_t seq = 5; seq < 13; seq += 2)
        CHECK_INT(redact(seq), 0);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 60, 80);
    world_close(&w);
    for (uint64_t seq = 6; seq < 13; seq += 2)
        CHECK_INT(redact(seq), 0);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 80, 110);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 105), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    REQUIRE(peers_floor(&w) > 90);
    world_sql(&w, "UPDATE redactions SET pending=1");
    world_write(world_path(&w, "quarantine/note"), "", 0);
    io.open_at = count_opens;
    CHECK_INT(plog_compact(w.dir, &dry, &r, &err), 0);
    CHECK_UINT(most_opens(), 1);
    memset(opened, 0, sizeof opened);
    CHECK_INT(plog_open(&p, w.dir, &o, &err), 0);
    plog_close(p);
    CHECK(most_opens() >= 1 && most_opens() <= 2); /* lines, and orders */
    CHECK_INT(redacting_pending(&w), 0);
    end();
}

/* Each opening tries again, and is told so before it has done anything. */
static void while_a_drill_runs(void)
{
    const struct plog_io *posix = plog_io_posix();
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "x"};
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    int drill = open(world_path(&w, "lock"), O_RDWR);
    CHECK_INT(posix->lock_byte(NULL, drill, 2, 2), 0);
    sql_calls_count("VACUUM");
    CHECK_INT(plog_redact(w.dir, 5, &o, &report, &err), PLOG_E_LOCKED);
    CHECK(strstr(err.message, "a drill is under way") != NULL);
    CHECK_UINT(sql_calls_counted(), 0);
    CHECK_UINT(vacuums_of_an_opening(), 0);
    CHECK_INT(posix->lock_byte(NULL, drill, 2, 0), 0);
    CHECK_UINT(vacuums_of_an_opening(), 1);
    CHECK_INT(posix->lock_byte(NULL, drill, 2, 2), 0); /* given back */
    close(drill);
    CHECK_UINT(vacuums_of_an_opening(), 0);
    CHECK(!redacting_has(&w, SEGMENT, PAYLOAD));
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"left and told", left_and_told},
        {"done by a compaction", done_by_a_compaction},
        {"a store with its WAL", a_store_with_its_wal},
        {"orders in turn", orders_in_turn},
        {"while a drill runs", while_a_drill_runs},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
