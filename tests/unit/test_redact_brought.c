/*
 * test_redact_brought.c - a copy that goes on has the order to redact an entry
 * in orders/ alone, and a segment comes back from a backup that is older: the
 * payload gets into no store and no snapshot, it is told, and redacting again
 * takes it out, by an order of the copy's own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "peers.h"
#include "redacting.h"
#include "world.h"

#define SEGMENT "log/00000000000000000001.jsonl"
#define PAYLOAD "\"v\":\"v0\"" /* of entry 2, on which r0 stands */
#define ORDER "orders/62"

static struct world w; /* the copy */
static struct plog_error err;
static char *backup; /* of the first segment */
static size_t backup_n;

static void bring_back(void)
{
    world_write(world_path(&w, SEGMENT), backup, backup_n);
}

static void make(void)
{
    peers_make(&w, PLOG_KEEP_LOCAL, 60);
    free(backup);
    backup = world_read(world_path(&w, SEGMENT), &backup_n);
    REQUIRE(strstr(backup, PAYLOAD) != NULL);
    redacting_copy(&w);
    REQUIRE(world_has(&w, ORDER));
    CHECK_INT(world_open(&w), 0);
    for (int i = 0; i < 30; i++)
        CHECK_INT(world_put(&w, NULL, "on", "v", NULL), 0);
    world_close(&w);
}

static bool in_the_store(void)
{
    return world_number(&w, "SELECT count(*) FROM events WHERE seq=2 AND line"
                            " LIKE '%\"v\":\"v0\"%'") != 0;
}

static void parity_tells(uint64_t count)
{
    struct world_found f;
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_UINT(f.report.pending, count);
    CHECK_UINT(f.report.pending_at, count ? 2 : 0);
}

static void clean_and_done(void)
{
    CHECK(!redacting_has(&w, SEGMENT, PAYLOAD));
    CHECK(!in_the_store());
    CHECK_INT(redacting_pending(&w), 0);
    parity_tells(0);
    CHECK_TEXT(world_record(&w, "r0"), "null v1");
}

/* The first time the copy gets an order of its own; then that one is named. */
static void redacted_again(void)
{
    struct plog_redact_report r;
    make();
    uint64_t size = world_size(&w);
    bring_back();
    parity_tells(1);
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    CHECK(!r.already);
    CHECK_UINT(r.order, size + 1);
    CHECK_UINT(r.segments, 1);
    clean_and_done();
    bring_back();
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    CHECK(r.already);
    CHECK_UINT(r.order, size + 1);
    CHECK_UINT(r.segments, 1);
    clean_and_done();
    world_end(&w, size + 1);
}

/* Killed behind the order: the next opening for writing goes on. */
static void killed_behind_the_order(void)
{
    struct plog_receipt receipt;
    make();
    bring_back();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_engine_redact(w.p, 2, plog_span_text("x"), &receipt, NULL),
              0);
    world_close(&w);
    CHECK(redacting_has(&w, SEGMENT, PAYLOAD));
    CHECK_INT(redacting_pending(&w), 1);
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
    clean_and_done();
    world_end(&w, world_size(&w));
}

/* Whatever makes the store: it has what the order left. */
static void replayed(void)
{
    static const char *const files[] = {"store.db", "store.db-wal",
                                        "store.db-shm"};
    struct plog_replay_report r;
    struct plog_redact_report again;
    make();
    bring_back();
    CHECK_INT(redacting_fresh(&w), 0);
    CHECK(!in_the_store());
    CHECK_TEXT(world_record(&w, "r0"), "null v1");
    parity_tells(1);
    for (int i = 0; i < 3; i++)
        world_remove(world_path(&w, files[i]));
    CHECK_INT(plog_replay(w.dir, NULL, &r, NULL), 0);
    CHECK(!in_the_store());
    parity_tells(1);
    CHECK_INT(redacting_order(&w, 2, &again, &err), 0);
    clean_and_done();
    world_end(&w, world_size(&w));
}

/* As older versions made it of such a log; the way out is the same. */
static void whole_in_both(void)
{
    struct plog_redact_report r;
    char aside[600];
    size_t n;
    make();
    snprintf(aside, sizeof aside, "%s", world_path(&w, ORDER));
    char *order = world_read(aside, &n);
    world_remove(aside);
    bring_back();
    CHECK_INT(redacting_fresh(&w), 0);
    CHECK(in_the_store());
    parity_tells(0);
    world_write(aside, order, n);
    free(order);
    parity_tells(1);
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    clean_and_done();
    world_end(&w, world_size(&w));
}

/* No store of this log was ever without the order, whatever its number: that is
 * one of another log, and tells nothing of how far the store has come.  The
 * record stands on a later entry, so that nothing else differs. */
static void whole_in_the_store_alone(void)
{
    struct plog_redact_report r;
    struct plog_restore_report copied;
    struct plog_restore_options o = {
        .struct_size = sizeof o, .at_seq = 3, .continue_as = "test.example/on"};
    struct world_found f;
    char out[560], sql[1000];
    size_t n;
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < 6; i++)
        CHECK_INT(world_put(&w, NULL, "r", "v", NULL), 0);
    world_close(&w);
    char *text = world_read(world_path(&w, SEGMENT), &n);
    const char *line = strstr(text, "{\"seq\":2,");
    REQUIRE(line != NULL);
    snprintf(sql, sizeof sql, "UPDATE events SET line='%.*s' WHERE seq=2",
             (int)strcspn(line, "\n"), line);
    free(text);
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    CHECK_UINT(r.order, 8);
    snprintf(out, sizeof out, "%.500s-copy", w.dir);
    CHECK_INT(plog_restore(w.dir, out, &o, &copied, NULL), 0);
    world_remove(w.dir);
    snprintf(w.dir, sizeof w.dir, "%.511s", out);
    world_sql(&w, sql);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
    CHECK_UINT(f.first[0].seq, 2);
    world_remove(w.dir);
}

/* A proven order of the same number that is about the first log's own line
 * behind the point concerns no entry of the copy. */
static void another_line(void)
{
    char out[560];
    size_t n;
    struct plog_compact_report c;
    struct plog_redact_report r;
    struct plog_restore_report copied;
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .at_seq = 40,
                                     .continue_as = "test.example/on"};
    peers_make(&w, PLOG_KEEP_LOCAL, 60);
    CHECK_INT(redacting_order(&w, 50, &r, &err), 0);
    snprintf(out, sizeof out, "%.500s-later", w.dir);
    struct plog_restore_options later = {.struct_size = sizeof later,
                                         .at_seq = 55};
    CHECK_INT(plog_restore(w.dir, out, &later, &copied, NULL), 0);
    struct world from = {.p = NULL};
    snprintf(from.dir, sizeof from.dir, "%.511s", out);
    char *order = world_read(world_path(&from, ORDER), &n);
    world_remove(out);
    snprintf(out, sizeof out, "%.500s-copy", w.dir);
    CHECK_INT(plog_restore(w.dir, out, &o, &copied, NULL), 0);
    world_remove(w.dir);
    snprintf(w.dir, sizeof w.dir, "%.511s", out);
    CHECK(!world_has(&w, "orders"));
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 100, 130);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(mkdir(world_path(&w, "orders"), 0700), 0);
    world_write(world_path(&w, ORDER), order, n);
    free(order);
    struct world_found f;
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_UINT(f.report.pending, 0);
    CHECK_INT(redacting_fresh(&w), 0);
    CHECK_INT(peers_ack(&w, "p", 60), 0);
    CHECK_INT(peers_compact(&w, &c), 0);
    CHECK_TEXT(c.why, "");
    CHECK(c.to > 50);
    world_end(&w, world_size(&w));
}

/* A copy of it would not be what it is: the drill says why, and what to do. */
static void drilled(void)
{
    struct plog_redact_report r;
    struct plog_drill_report d;
    make();
    CHECK_INT(plog_drill(w.dir, NULL, &d, NULL), 0);
    CHECK_INT(d.verdict, 0);
    bring_back();
    CHECK_INT(plog_drill(w.dir, NULL, &d, NULL), 0);
    CHECK_INT(d.verdict, PLOG_E_DIVERGED);
    CHECK_TEXT(d.what,
               "entry 2 is whole in the log again, and an order took its"
               " payload out; run: paritylog redact DIR 2 --reason TEXT,"
               " then drill again");
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    CHECK_INT(plog_drill(w.dir, NULL, &d, NULL), 0);
    CHECK_INT(d.verdict, 0);
    world_end(&w, world_size(&w));
}

/* ---- An order of its own, killed before its commit ---------------------- */

/* The copy's own end is not finished; what is redacted rests on the order that
 * came along. */
static void beside_a_killed_order(void)
{
    struct plog_replay_report r;
    struct plog_restore_report copied;
    struct plog_restore_options o = {.struct_size = sizeof o};
    struct world_found f;
    char out[560];
    make();
    uint64_t size = world_size(&w);
    redacting_killed(&w, 2);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    for (int store = 1; store >= 0; store--) {
        if (!store)
            world_drop_store(&w);
        CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_TORN);
        CHECK_INT(world_parity(&w, NULL, &f),
                  store ? PLOG_E_TORN : PLOG_E_BEHIND);
        CHECK_UINT(f.report.counts[-PLOG_E_TAMPERED], 0);
        for (o.at_seq = size - 1; o.at_seq <= size; o.at_seq++) {
            CHECK_INT(plog_restore(w.dir, out, &o, &copied, &err), 0);
            CHECK_UINT(copied.head.size, o.at_seq);
            world_remove(out);
        }
    }
    CHECK_INT(plog_replay(w.dir, NULL, &r, &err), 0);
    world_end(&w, size);
}

/* The payload is back: no copy has it, whatever the order that was not finished
 * says of the line. */
static void restored_beside_a_killed_order(void)
{
    struct plog_restore_report copied;
    struct plog_restore_options o = {.struct_size = sizeof o};
    struct world copy = {.p = NULL};
    struct world_found f;
    char last[60];
    size_t n;
    make();
    redacting_killed(&w, 2);
    bring_back();
    snprintf(copy.dir, sizeof copy.dir, "%.500s-out", w.dir);
    for (int other = 0; other < 2; other++) {
        if (other) { /* of another line with that number */
            snprintf(last, sizeof last, "log/%020d.jsonl",
                     (int)world_number(&w, "SELECT segment FROM meta"));
            char *log = world_read(world_path(&w, last), &n);
            char *leaf = strstr(log, "\"leaf\":\"");
            REQUIRE(leaf != NULL);
            leaf[9] = leaf[9] == 'A' ? 'B' : 'A';
            world_write(world_path(&w, last), log, n);
            free(log);
        }
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_TORN);
        CHECK_UINT(f.report.pending, 1);
        CHECK_INT(plog_restore(w.dir, copy.dir, &o, &copied, &err), 0);
        CHECK(!redacting_has(&copy, SEGMENT, PAYLOAD));
        world_remove(copy.dir);
    }
    world_remove(w.dir);
}

/* ---- Compaction ---------------------------------------------------------- */

static void compacted(void)
{
    struct plog_compact_report c;
    make();
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    CHECK_INT(peers_compact(&w, &c), 0);
    CHECK(c.to > 2);
    CHECK_INT(peers_parity(&w), 0);
    CHECK_INT(redacting_fresh(&w), 0);
    CHECK_TEXT(world_record(&w, "r0"), "null v1");
    CHECK_INT(peers_undo(&w, &c), 0);
    clean_and_done();
    world_end(&w, world_size(&w));
}

static void never_into_a_snapshot(void)
{
    struct plog_redact_report r;
    struct plog_compact_report c;
    struct plog_compact_options o = {.struct_size = sizeof o};
    make();
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    bring_back();
    CHECK_INT(plog_compact(w.dir, &o, &c, &err), PLOG_E_LOCKED);
    CHECK_UINT(err.seq, 2);
    CHECK_TEXT(err.hint, "run: paritylog redact DIR 2 --reason TEXT again");
    CHECK_UINT(peers_floor(&w), 0);
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    CHECK_INT(peers_compact(&w, &c), 0);
    CHECK(c.to > 2);
    world_end(&w, world_size(&w));
}

/* ---- Two at once ----------------------------------------------------------
 */

static bool other_first;
static struct plog_redact_report other;

/* The maintenance lock is taken behind the look. */
static int on_lock(void *ctx, int fd, uint64_t byte, int mode)
{
    bool now = other_first && byte == 1 && mode == 2;
    if (now) {
        other_first = false;
        CHECK_INT(redacting_order(&w, 2, &other, &err), 0);
    }
    return plog_io_posix()->lock_byte(ctx, fd, byte, mode);
}

static void somebody_was_faster(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_redact_report r;
    struct plog_redact_options o = {
        .struct_size = sizeof o, .reason = "asked", .io = &io};
    io.lock_byte = on_lock;
    make();
    other_first = true;
    CHECK_INT(plog_redact(w.dir, 2, &o, &r, NULL), 0);
    CHECK(!other_first);
    CHECK(r.already);
    CHECK_UINT(r.order, other.order);
    CHECK(r.order > 0);
    world_end(&w, world_size(&w));
}

/* ---- Set aside ----------------------------------------------------------- */

static int in_quarantine(void)
{
    return redacting_count(&w, "quarantine", PAYLOAD);
}

static struct plog_salvage_report salvaged;

static void salvage(bool from_store)
{
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .wait_seconds = 0.05,
                                     .from_store = from_store};
    CHECK_INT(plog_salvage(w.dir, &o, &salvaged, NULL), 0);
}

/* No row of the store can be marked: it is taken out at once. */
static void set_aside(void)
{
    for (int from_store = 0; from_store < 2; from_store++) {
        size_t n;
        make();
        char *newer = world_read(world_path(&w, SEGMENT), &n);
        char *at = strstr(backup, "\"id\":\"i0\"");
        REQUIRE(at != NULL);
        at[7] = '9';
        if (from_store)
            world_write(world_path(&w, "log/old.jsonl"), backup, backup_n);
        else
            bring_back();
        at[7] = '0';
        salvage(from_store);
        CHECK_INT(salvaged.pending_code, 0);
        CHECK(world_has(&w, "quarantine"));
        CHECK_INT(in_quarantine(), 0);
        world_write(world_path(&w, SEGMENT), newer, n);
        free(newer);
        clean_and_done();
        world_end(&w, world_size(&w));
    }
}

static int no_such_sector(void *ctx, int dir, const char *name, int flags,
                          uint32_t mode)
{
    return strcmp(name, "orders") == 0
               ? -EIO
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Whether there is such an order cannot be told, and that stops nothing: the
 * next salvage goes on. */
static void set_aside_and_not_to_be_read(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .io = &io, .from_store = true};
    io.open_at = no_such_sector;
    make();
    CHECK_INT(redacting_order(&w, 2, &(struct plog_redact_report){0}, &err), 0);
    world_write(world_path(&w, "log/old.jsonl"), backup, backup_n);
    CHECK_INT(plog_salvage(w.dir, &o, &salvaged, &err), 0);
    CHECK_INT(salvaged.verdict, 0);
    CHECK_INT(salvaged.pending_code, PLOG_E_IO);
    CHECK(strncmp(salvaged.pending_why, "orders/ cannot be read", 22) == 0);
    CHECK_UINT(salvaged.healed, 1);
    CHECK_INT(in_quarantine(), 1);
    salvage(true);
    CHECK_UINT(salvaged.healed, 0);
    CHECK_INT(in_quarantine(), 0);
    world_end(&w, world_size(&w));
}

/* A salvage that was killed behind that is run again: it finds nothing to
 * heal. */
static void killed_behind_the_aside(void)
{
    make();
    CHECK_INT(mkdir(world_path(&w, "quarantine"), 0700), 0);
    world_write(world_path(&w, "quarantine/old.jsonl-1"), backup, backup_n);
    salvage(true);
    CHECK_UINT(salvaged.healed, 0);
    CHECK_INT(in_quarantine(), 0);
    world_end(&w, world_size(&w));
}

/* ---- What cannot be read ------------------------------------------------- */

static int orders_left; /* times that orders/ can be opened */

static int few_times(void *ctx, int dir, const char *name, int flags,
                     uint32_t mode)
{
    return strcmp(name, "orders") == 0 && --orders_left == 0
               ? -EIO
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Nor where it could be read before, or will be again. */
static void not_read_at_times(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_compact_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_compact_report c;
    make();
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    io.open_at = few_times;
    bool failed = true;
    for (int n = 1; failed && n < 20; n++) {
        orders_left = n;
        int rc = plog_compact(w.dir, &o, &c, &err);
        failed = orders_left <= 0;
        CHECK(failed || n > 2);
        CHECK_INT(rc, failed ? PLOG_E_IO : 0);
        CHECK(failed == (peers_floor(&w) == 0));
    }
    CHECK(!failed);
    world_end(&w, world_size(&w));
}

/* Nobody can tell that there is no order then: no store is made, no snapshot,
 * and no parity is clean. */
static void not_to_be_read(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_check_report p;
    struct plog_replay_report r;
    struct plog_check_options po = {.struct_size = sizeof po, .io = &io};
    struct plog_replay_options ro = {
        .struct_size = sizeof ro, .fresh = true, .io = &io};
    struct plog_compact_options co = {.struct_size = sizeof co, .io = &io};
    struct plog_compact_report c;
    io.open_at = no_such_sector;
    make();
    CHECK_INT(redacting_order(&w, 2, &(struct plog_redact_report){0}, &err), 0);
    CHECK_INT(plog_replay(w.dir, &ro, &r, &err), PLOG_E_IO);
    CHECK_TEXT(err.file, "orders");
    CHECK_TEXT(err.message, "orders/ cannot be read, and may hold an order to"
                            " redact what is whole in log/");
    CHECK(strstr(err.hint, "can be read") != NULL);
    CHECK_INT(plog_parity(w.dir, &po, &p, &err), PLOG_E_IO);
    CHECK_TEXT(err.file, "orders");
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    CHECK_INT(plog_compact(w.dir, &co, &c, &err), PLOG_E_IO);
    CHECK_TEXT(err.file, "orders");
    CHECK_UINT(peers_floor(&w), 0);
    world_end(&w, world_size(&w));
}

/* A redacted line asks for it; then it is no folder either that is read. */
static void the_order_is_not_to_be_read(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_check_report p;
    struct plog_replay_report r;
    struct plog_check_options po = {.struct_size = sizeof po, .io = &io};
    struct plog_replay_options ro = {
        .struct_size = sizeof ro, .fresh = true, .io = &io};
    make();
    for (int link = 0; link < 2; link++) {
        if (link) {
            world_copy(world_path(&w, "orders"), world_path(&w, "kept"));
            world_remove(world_path(&w, "orders"));
            REQUIRE(symlink("kept", world_path(&w, "orders")) == 0);
        } else {
            io.open_at = no_such_sector;
        }
        for (int i = 0; i < 3; i++) {
            memset(&err, 0, sizeof err);
            CHECK_INT(i == 0   ? plog_verify(w.dir, &po, &p, &err)
                      : i == 1 ? plog_parity(w.dir, &po, &p, &err)
                               : plog_replay(w.dir, &ro, &r, &err),
                      PLOG_E_IO);
            CHECK_TEXT(err.file, "orders");
            if (i == 0)
                CHECK_TEXT(err.message, "orders/ cannot be read, and may hold"
                                        " the order to redact it");
            CHECK_TEXT(err.hint, "see that the disk is well and that every file"
                                 " there can be read");
        }
        io.open_at = plog_io_posix()->open_at;
    }
    world_remove(w.dir);
}

/* What is no folder holds none. */
static void no_folder(void)
{
    make();
    CHECK_INT(redacting_order(&w, 2, &(struct plog_redact_report){0}, &err), 0);
    world_remove(world_path(&w, "orders"));
    world_write(world_path(&w, "orders"), "x\n", 2);
    parity_tells(0);
    CHECK_INT(redacting_fresh(&w), 0);
    world_end(&w, world_size(&w));
}

/* ---- No order ------------------------------------------------------------ */

/* Nothing vouches for what is redacted: no order is signed for it. */
static void without_an_order(void)
{
    struct plog_redact_report r;
    make();
    uint64_t size = world_size(&w);
    world_remove(world_path(&w, ORDER));
    CHECK_INT(redacting_order(&w, 2, &r, &err), PLOG_E_DIVERGED);
    CHECK_TEXT(err.message, "entry 2 is redacted, and neither the store nor"
                            " orders/ has an order for that");
    CHECK_TEXT(err.hint, "run: paritylog parity DIR");
    CHECK_UINT(world_size(&w), size);
    world_remove(w.dir);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"redacted again", redacted_again},
        {"killed behind the order", killed_behind_the_order},
        {"replayed", replayed},
        {"whole in both", whole_in_both},
        {"whole in the store alone", whole_in_the_store_alone},
        {"an order about another line", another_line},
        {"drilled", drilled},
        {"beside a killed order", beside_a_killed_order},
        {"restored beside a killed order", restored_beside_a_killed_order},
        {"compacted", compacted},
        {"never into a snapshot", never_into_a_snapshot},
        {"somebody was faster", somebody_was_faster},
        {"set aside", set_aside},
        {"set aside, and not to be read", set_aside_and_not_to_be_read},
        {"killed behind the aside", killed_behind_the_aside},
        {"not to be read", not_to_be_read},
        {"the order is not to be read", the_order_is_not_to_be_read},
        {"not read at times", not_read_at_times},
        {"no folder", no_folder},
        {"without an order", without_an_order},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    free(backup);
    return rc;
}
