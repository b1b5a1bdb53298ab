/*
 * test_redact_floor.c - an older store was put back, and what caught it up
 * finds an order about an entry that a later compaction took away: nothing
 * else waits for it, and where the archive has its payload, the way out is
 * told.
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
#include "redacting.h"
#include "sql_calls.h"
#include "world.h"

#define SEGMENT "log/00000000000000000001.jsonl"
#define PACKED "archive/00000000000000000001.jsonl.gz"
#define PAYLOAD "\"v\":\"v3\"" /* of entry 5 */
#define OF_12 "\"v\":\"v10\""

static struct world w;
static struct plog_error err;
static char old[600]; /* the directory as it was before the order */

static int redact(uint64_t seq)
{
    struct plog_redact_report r;
    struct plog_redact_options o = {
        .struct_size = sizeof o, .reason = "asked", .wait_seconds = 0.05};
    err = (struct plog_error){.code = 0};
    return plog_redact(w.dir, seq, &o, &r, &err);
}

static int compact(void)
{
    struct plog_compact_report r;
    struct plog_compact_options o = {.struct_size = sizeof o};
    err = (struct plog_error){.code = 0};
    return plog_compact(w.dir, &o, &r, &err);
}

static void open_once(void)
{
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
}

/* Entry `seq` is redacted, and below the floor; `old` is from before.
 * @older  what is compacted away before that; 0: nothing */
static void make_of(uint64_t seq, uint64_t older)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    snprintf(old, sizeof old, "%.500s-old", w.dir);
    world_copy(w.dir, old);
    CHECK_INT(redact(seq), 0);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 60, 90);
    world_close(&w);
    if (older) {
        CHECK_INT(peers_ack(&w, "p", older), 0);
        CHECK_INT(compact(), 0);
    }
    CHECK_INT(peers_ack(&w, "p", 55), 0);
    CHECK_INT(compact(), 0);
    REQUIRE(peers_floor(&w) > seq);
}

static void make(uint64_t older)
{
    make_of(5, older);
}

/* The first segment of the archive as a compaction before the order makes it.
 */
static void pack_whole(void)
{
    struct world before = w;
    struct plog_compact_report r;
    memcpy(before.dir, old, sizeof before.dir);
    CHECK_INT(peers_ack(&before, "p", 55), 0);
    CHECK_INT(peers_compact(&before, &r), 0);
}

static bool store_has(const char *text)
{
    static const char *const names[] = {"store.db", "store.db-wal"};
    bool has = false;
    for (int i = 0; i < 2; i++) {
        size_t n;
        if (!world_has(&w, names[i]))
            continue;
        char *bytes = world_read(world_path(&w, names[i]), &n);
        has |= memmem(bytes, n, text, strlen(text)) != NULL;
        free(bytes);
    }
    return has;
}

static void done_at_the_next_opening(void)
{
    make(0);
    world_take_store(&w, old);
    CHECK(store_has(PAYLOAD));
    open_once();
    CHECK_INT(redacting_pending(&w), 0);
    CHECK(!store_has(PAYLOAD));
    CHECK_INT(redact(80), 0);
    CHECK_INT(peers_ack(&w, "p", 75), 0);
    CHECK_INT(compact(), 0);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
}

static unsigned vacuums_of_an_opening(void)
{
    sql_calls_count("VACUUM");
    open_once();
    return sql_calls_counted();
}

/* The others are taken out all the same; the archive is not changed. */
static void kept_in_the_archive(void)
{
    static const char undo[] = "run: paritylog compact DIR --undo, then"
                               " paritylog redact DIR 5 --reason TEXT";
    struct plog_compact_report r;
    make(0);
    world_take_store(&w, old);
    pack_whole();
    world_take(&w, old, PACKED);
    CHECK_UINT(vacuums_of_an_opening(), 1);
    CHECK_INT(redacting_pending(&w), 1);
    CHECK(!store_has(PAYLOAD));
    CHECK_UINT(vacuums_of_an_opening(), 0); /* once is enough */
    CHECK_INT(redacting_pending(&w), 1);
    CHECK_INT(redact(80), 0);
    char *line = world_line(&w, 80, NULL);
    CHECK(strstr(line, "\"redacted\":\"") != NULL);
    free(line);
    CHECK_INT(redacting_pending(&w), 1);
    CHECK_INT(compact(), PLOG_E_PRUNED);
    CHECK_TEXT(err.message, "entry 5 was compacted away, with its payload,"
                            " which is in " PACKED);
    CHECK_TEXT(err.file, PACKED);
    CHECK_UINT(err.seq, 5);
    CHECK_TEXT(err.hint, undo);
    CHECK_INT(redact(5), PLOG_E_PRUNED);
    CHECK(strstr(err.message, "its payload is not gone yet") != NULL);
    CHECK_TEXT(err.file, PACKED);
    CHECK_TEXT(err.hint, undo);
    CHECK_UINT(vacuums_of_an_opening(), 0);
    CHECK_INT(peers_undo(&w, &r), 0);
    CHECK_INT(redacting_pending(&w), 1);
    open_once(); /* within reach again */
    CHECK_INT(redacting_pending(&w), 0);
    CHECK(!redacting_has(&w, SEGMENT, PAYLOAD));
    CHECK_INT(redact(5), 0);
    CHECK(!world_has(&w, PACKED));
    CHECK_INT(compact(), 0);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
}

/* Two floors higher no undo reaches there. */
static void moved_out_of_the_archive(void)
{
    make(30);
    world_take_store(&w, old);
    pack_whole();
    world_take(&w, old, PACKED);
    open_once();
    CHECK_INT(redact(5), PLOG_E_PRUNED);
    CHECK_TEXT(err.hint, "move " PACKED " out of DIR, then run: paritylog"
                         " redact DIR 5 --reason TEXT");
    CHECK_INT(redacting_pending(&w), 1);
    unlink(world_path(&w, PACKED));
    CHECK_UINT(vacuums_of_an_opening(), 0);
    CHECK_INT(redacting_pending(&w), 1);
    CHECK_INT(redact(5), 0);
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_INT(compact(), 0);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
}

/* A copy in log/ is read before the archived one, and it is that which has to
 * go; a compaction sees to it by itself. */
static void brought_back_into_the_log(void)
{
    for (int moved = 0; moved < 2; moved++) {
        make(30);
        world_take_store(&w, old);
        world_take(&w, old, SEGMENT);
        open_once();
        CHECK_INT(redact(5), PLOG_E_PRUNED);
        CHECK_TEXT(err.file, SEGMENT);
        CHECK_TEXT(err.hint, "move " SEGMENT " out of DIR, then run: paritylog"
                             " redact DIR 5 --reason TEXT");
        if (moved) {
            unlink(world_path(&w, SEGMENT));
            CHECK_INT(redact(5), 0);
            CHECK_INT(redacting_pending(&w), 0);
        }
        CHECK_INT(compact(), 0);
        CHECK_INT(redacting_pending(&w), 0);
        CHECK(world_has(&w, PACKED));
        CHECK(!world_has(&w, SEGMENT));
        CHECK_INT(redacting_count(&w, "quarantine", PAYLOAD), 0);
        CHECK_INT(peers_parity(&w), 0);
        world_end(&w, world_size(&w));
    }
}

/* Killed when that file has gone to quarantine/: the next opening goes on. */
static int no_dir_sync(void *ctx, int fd)
{
    return world_has(&w, SEGMENT) ? plog_io_posix()->fsync(ctx, fd) : -EIO;
}

static void killed_behind_the_move(void)
{
    struct plog_compact_report r;
    struct plog_io io = *plog_io_posix();
    struct plog_compact_options o = {.struct_size = sizeof o, .io = &io};
    make(30);
    world_take_store(&w, old);
    world_take(&w, old, SEGMENT);
    open_once();
    CHECK_INT(redact(5), PLOG_E_PRUNED);
    io.fsync = no_dir_sync;
    CHECK_INT(plog_compact(w.dir, &o, &r, &err), PLOG_E_IO);
    CHECK(!world_has(&w, SEGMENT));
    CHECK_INT(redacting_count(&w, "quarantine", PAYLOAD), 1);
    open_once();
    CHECK_INT(redacting_count(&w, "quarantine", PAYLOAD), 0);
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_INT(compact(), 0);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
}

/* The store has no line of it any more; its freed pages may have. */
static void trimmed(void)
{
    struct plog_compact_report r;
    make(0);
    CHECK_INT(peers_ack(&w, "p", 75), 0);
    CHECK_INT(peers_trim(&w, &r), 0);
    world_sql(&w, "UPDATE redactions SET pending=1"); /* as a salvage does */
    REQUIRE(world_number(&w, "SELECT count(*) FROM events WHERE seq=5") == 0);
    open_once();
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_INT(redact(85), 0);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
}

/* ---- Copies in quarantine/ ------------------------------------------------ */

static int in_quarantine(void)
{
    return redacting_count(&w, "quarantine", PAYLOAD);
}

/* Entry 5 is below the floor, and so is the order; somebody put a copy of its
 * segment into quarantine/.
 * @trims  the store has no row of the entry, either */
static void make_with_copy(bool trims)
{
    struct plog_compact_report r;
    make(0);
    CHECK_INT(peers_ack(&w, "p", 75), 0);
    CHECK_INT(trims ? peers_trim(&w, &r) : compact(), 0);
    REQUIRE((int64_t)peers_floor(&w) >
            world_number(&w, "SELECT seq FROM redactions WHERE target=5"));
    CHECK_INT(mkdir(world_path(&w, "quarantine"), 0700), 0);
    char from[700];
    snprintf(from, sizeof from, "%s/" SEGMENT, old);
    world_copy(from, world_path(&w, "quarantine/a-copy"));
    REQUIRE(in_quarantine() == 1);
}

/* The archive has the order, and the line where the store has none. */
static void a_copy_in_quarantine(void)
{
    struct plog_redact_report r;
    make_with_copy(false);
    CHECK_INT(redacting_order(&w, 5, &r, &err), 0);
    CHECK(r.already);
    CHECK_UINT(r.quarantine, 1);
    CHECK_INT(in_quarantine(), 0);
    CHECK_INT(redacting_pending(&w), 0);
    world_end(&w, world_size(&w));
    make_with_copy(true);
    world_sql(&w, "UPDATE redactions SET pending=1"); /* as a salvage does */
    REQUIRE(world_number(&w, "SELECT count(*) FROM events WHERE seq=5") == 0);
    open_once();
    CHECK_INT(in_quarantine(), 0);
    CHECK_INT(redacting_pending(&w), 0);
    world_end(&w, world_size(&w));
}

/* Nothing tells any more what to look for: nobody says that it is gone, the
 * others are taken out, and compactions go on. */
static void nothing_tells(void)
{
    static const char next[] =
        "move out of DIR what quarantine/ may have of it, all of it if in"
        " doubt; then run: paritylog compact DIR";
    for (int trims = 0; trims < 2; trims++) {
        make_with_copy(trims);
        world_remove(world_path(&w, "archive"));
        world_sql(&w, "UPDATE redactions SET pending=1");
        open_once();
        CHECK_INT(redacting_pending(&w), 1);
        CHECK_INT(in_quarantine(), 1);
        CHECK_INT(redact(5), PLOG_E_PRUNED);
        CHECK(strstr(err.hint, next) != NULL);
        CHECK(strlen(err.hint) < sizeof err.hint - 1);
        if (!trims) {
            CHECK(strstr(err.message, "does not tell which bytes of"
                                      " quarantine/ may have been it"));
            CHECK_TEXT(err.file, "quarantine");
        }
        CHECK_INT(redact(85), 0);
        CHECK_INT(redacting_pending(&w), 1);
        CHECK_INT(peers_ack(&w, "p", 90), 0);
        CHECK_INT(compact(), 0);
        CHECK_INT(redacting_pending(&w), 1);
        world_remove(world_path(&w, "quarantine"));
        CHECK_INT(compact(), 0);
        CHECK_INT(redacting_pending(&w), 0);
        CHECK_INT(redact(5), trims ? PLOG_E_PRUNED : 0);
        CHECK_INT(peers_parity(&w), 0);
        world_end(&w, world_size(&w));
    }
}

/* The payload is out of reach in the archive, and not in quarantine/. */
static void in_both(void)
{
    char from[700];
    size_t whole_n;
    make(0);
    snprintf(from, sizeof from, "%s/" SEGMENT, old);
    char *whole = world_read(from, &whole_n);
    pack_whole();
    world_take(&w, old, PACKED);
    CHECK_INT(mkdir(world_path(&w, "quarantine"), 0700), 0);
    REQUIRE(!in_quarantine());
    world_write(world_path(&w, "quarantine/a-copy"), whole, whole_n);
    free(whole);
    CHECK_INT(redact(5), PLOG_E_PRUNED);
    CHECK_INT(in_quarantine(), 0);
    CHECK_INT(redacting_pending(&w), 1);
}

static unsigned expanded;

static int on_make(void *c, int dir, const char *name, int flags, unsigned mode)
{
    expanded += strncmp(name, "paritylog-", 10) == 0 && (flags & O_CREAT);
    return plog_io_posix()->open_at(c, dir, name, flags, mode);
}

/* However many of a segment are pending, it is expanded once. */
static void many_of_a_segment(void)
{
    struct plog_io io = *plog_io_posix();
    io.open_at = on_make;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    for (uint64_t seq = 2; seq < 8; seq++)
        CHECK_INT(redact(seq), 0);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 60, 90);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 85), 0);
    CHECK_INT(compact(), 0);
    REQUIRE((int64_t)peers_floor(&w) >
            world_number(&w, "SELECT max(seq) FROM redactions"));
    world_sql(&w, "UPDATE redactions SET pending=1");
    w.options.io = &io;
    expanded = 0;
    open_once();
    w.options.io = NULL;
    CHECK_INT(redacting_pending(&w), 0);
    CHECK(expanded >= 2 && expanded <= 3);
    world_end(&w, world_size(&w));
}

static char stray[40];
static bool marked;

static int on_rename(void *c, int from, const char *name, int to,
                     const char *new_name, bool over)
{
    if (strncmp(new_name, stray + 4, 26) == 0 && new_name[26] == '-') {
        CHECK_INT(redacting_pending(&w), 1);
        marked = true;
    }
    return plog_io_posix()->rename_at(c, from, name, to, new_name, over);
}

/* A compaction sets a segment aside that somebody put below the floor: the
 * store knows of that before, and it is looked for at once. */
static void a_stray_set_aside(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_compact_report r;
    struct plog_compact_options o = {.struct_size = sizeof o, .io = &io};
    io.rename_at = on_rename;
    make_of(12, 30);
    int64_t first = world_number(&w, "SELECT max(first) FROM segments WHERE"
                                     " first<=12");
    REQUIRE(first > 1);
    snprintf(stray, sizeof stray, "log/%020d.jsonl", (int)first);
    world_take(&w, old, stray);
    REQUIRE(redacting_has(&w, stray, OF_12));
    CHECK_INT(peers_ack(&w, "p", 75), 0);
    marked = false;
    CHECK_INT(plog_compact(w.dir, &o, &r, NULL), 0);
    CHECK_UINT(r.aside, 1);
    CHECK(marked && !world_has(&w, stray));
    CHECK_INT(redacting_count(&w, "quarantine", "\"redacted\":"), 1);
    CHECK_INT(redacting_count(&w, "quarantine", OF_12), 0);
    CHECK_INT(redacting_pending(&w), 0);
    world_end(&w, world_size(&w));
}

struct said {
    char found[200], warned[200], next[160];
};

static int keep_said(void *arg, const struct plog_checkup *c)
{
    struct said *said = arg;
    if (strcmp(c->name, "archive") == 0 && c->health == PLOG_HEALTH_BAD) {
        snprintf(said->found, sizeof said->found, "%s", c->found);
        snprintf(said->next, sizeof said->next, "%s", c->next);
    }
    if (strcmp(c->name, "archive") == 0 && c->health == PLOG_HEALTH_WARN &&
        !said->warned[0])
        snprintf(said->warned, sizeof said->warned, "%s", c->found);
    return 0;
}

static const struct said *doctor(void)
{
    static struct said said;
    struct plog_doctor_options o = {
        .struct_size = sizeof o, .checkup = keep_said, .arg = &said};
    struct plog_doctor_report r;
    memset(&said, 0, sizeof said);
    CHECK_INT(plog_doctor(w.dir, &o, &r, NULL), 0);
    return &said;
}

/* Nothing is pending: a file of before the order was put into archive/ behind
 * it.  The doctor reads all of that, and what it says helps. */
static void seen_by_the_doctor(void)
{
    struct plog_compact_report r;
    for (int far = 0; far < 2; far++) { /* no undo reaches there */
        make(far ? 30 : 0);
        CHECK_TEXT(doctor()->found, "");
        pack_whole();
        world_take(&w, old, PACKED);
        CHECK_TEXT(doctor()->found, "1 payloads are back that were redacted,"
                                    " the first is of entry 5, in " PACKED);
        if (far) {
            CHECK(strstr(doctor()->next, "put that file back as it was"));
            unlink(world_path(&w, PACKED));
        } else {
            CHECK(strstr(doctor()->next, "compact DIR --undo, then paritylog"
                                         " compact DIR, which takes out"));
            CHECK_INT(peers_undo(&w, &r), 0);
            CHECK_INT(compact(), 0);
            CHECK(world_has(&w, PACKED));
        }
        CHECK_TEXT(doctor()->found, "");
        CHECK_INT(redacting_pending(&w), 0);
        world_end(&w, world_size(&w));
    }
}

/* A store of another history knows orders, too, about entries of its own: they
 * say nothing of archive/, also where the log lies behind all of that store, so
 * that no check can tell. */
static void ordered_in_another_history(void)
{
    for (int past = 0; past < 2; past++) {
        char own[512];
        make(0);
        REQUIRE(peers_floor(&w) > 7);
        snprintf(own, sizeof own, "%s", w.dir);
        snprintf(w.dir, sizeof w.dir, "%.500s", old);
        CHECK_INT(redact(7), 0);
        uint64_t theirs = world_size(&w);
        snprintf(w.dir, sizeof w.dir, "%s", own);
        if (past) {
            CHECK_INT(peers_ack(&w, "p", world_size(&w)), 0);
            CHECK_INT(compact(), 0);
        }
        CHECK((peers_floor(&w) > theirs) == past);
        CHECK_TEXT(doctor()->found, "");
        world_take_store(&w, old);
        CHECK_TEXT(doctor()->found, "");
        world_drop_store(&w);
    }
}

/* The file that had the order was discarded later: what is left is well, and
 * what is said of it must not lead to the payload. */
static void its_order_discarded(void)
{
    struct plog_compact_options o = {.discard = true};
    struct plog_peer_report acked;
    struct plog_head h;
    make(0);
    uint64_t floor = peers_floor(&w);
    REQUIRE(world_number(&w, "SELECT seq FROM redactions") > (int64_t)floor);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_get_head(w.p, &h, NULL), 0);
    world_close(&w);
    CHECK_INT(plog_peer_ack(w.dir, "p", h.size, h.root, NULL, &acked, NULL), 0);
    CHECK_INT(peers_compact_with(&w, o, NULL), 0);
    REQUIRE(world_number(&w, "SELECT seq FROM redactions") <
            (int64_t)peers_floor(&w));
    CHECK_TEXT(doctor()->found, "");
    CHECK(strstr(doctor()->warned, "/00000000000000000001.jsonl.gz: entry 5 is"
                                   " redacted, which is not proven"));
    pack_whole();
    world_take(&w, old, PACKED);
    CHECK_TEXT(doctor()->found, "1 payloads are back that were redacted,"
                                " the first is of entry 5, in " PACKED);
    CHECK(strstr(doctor()->next, "move it out of DIR"));
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"done at the next opening", done_at_the_next_opening},
        {"kept in the archive", kept_in_the_archive},
        {"moved out of the archive", moved_out_of_the_archive},
        {"brought back into the log", brought_back_into_the_log},
        {"killed behind the move", killed_behind_the_move},
        {"trimmed", trimmed},
        {"a copy in quarantine", a_copy_in_quarantine},
        {"nothing tells", nothing_tells},
        {"in both", in_both},
        {"many of a segment", many_of_a_segment},
        {"a stray set aside", a_stray_set_aside},
        {"seen by the doctor", seen_by_the_doctor},
        {"ordered in another history", ordered_in_another_history},
        {"its order discarded", its_order_discarded},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
