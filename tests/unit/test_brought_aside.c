/*
 * test_brought_aside.c - a copy that goes on has the order to redact an entry
 * in orders/ alone, of which its store can keep no mark.  What went to
 * quarantine/ with the payload is searched by whatever maintenance comes next,
 * however the one that moved it ended; and what cannot be searched is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "peers.h"
#include "redacting.h"
#include "world.h"

#define NAME "00000000000000000001.jsonl"
#define SEGMENT "log/" NAME
#define PACKED "archive/" NAME ".gz"
#define ORDER "orders/62"
#define PAYLOAD "\"v\":\"v0\"" /* of entry 2 */

static struct world w; /* the copy */
static struct plog_error err;
static char original[600]; /* before the order, compacted */
static char *backup;       /* of the first segment */
static size_t backup_n;

static void make(void)
{
    peers_make(&w, PLOG_KEEP_LOCAL, 60);
    free(backup);
    backup = world_read(world_path(&w, SEGMENT), &backup_n);
    REQUIRE(strstr(backup, PAYLOAD) != NULL);
    snprintf(original, sizeof original, "%.500s-first", w.dir);
    world_copy(w.dir, original);
    struct world first = w;
    memcpy(first.dir, original, sizeof first.dir);
    CHECK_INT(peers_add(&first, "p"), 0);
    CHECK_INT(peers_ack(&first, "p", 50), 0);
    CHECK_INT(peers_compact(&first, &(struct plog_compact_report){0}), 0);
    redacting_copy(&w);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 100, 130);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 60), 0);
}

static int in_quarantine(void)
{
    return redacting_count(&w, "quarantine", PAYLOAD);
}

static void done(void)
{
    CHECK(world_has(&w, "quarantine"));
    CHECK_INT(in_quarantine(), 0);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
    world_remove(original);
}

/* ---- A compaction -------------------------------------------------------- */

/* archive/ has the first segment as it was, which goes to quarantine/. */
static void make_archived(void)
{
    make();
    CHECK_INT(mkdir(world_path(&w, "archive"), 0700), 0);
    world_take(&w, original, PACKED);
}

static int stop(void *arg, const struct plog_progress *p)
{
    (void)arg;
    return strcmp(p->phase, "archive") == 0;
}

/* Ended behind the move, as by a kill: the next one of any kind goes on. */
static int next_compact(void)
{
    return peers_compact(&w, &(struct plog_compact_report){0});
}

static int next_undo(void)
{
    return peers_undo(&w, &(struct plog_compact_report){0});
}

static int next_redact(void)
{
    return redacting_order(&w, 60, &(struct plog_redact_report){0}, &err);
}

static int next_replay(void)
{
    return plog_replay(w.dir, NULL, &(struct plog_replay_report){0}, &err);
}

static int next_fresh(void)
{
    return redacting_fresh(&w);
}

static int next_salvage(void)
{
    return plog_salvage(w.dir, NULL, &(struct plog_salvage_report){0}, &err);
}

static void stopped_behind_the_move(void)
{
    static int (*const next[])(void) = {next_compact, next_undo,  next_redact,
                                        next_replay,  next_fresh, next_salvage};
    for (size_t i = 0; i < sizeof next / sizeof *next; i++) {
        struct plog_compact_report r;
        struct plog_compact_options o = {.struct_size = sizeof o,
                                         .progress = stop};
        make_archived();
        CHECK_INT(plog_compact(w.dir, &o, &r, &err), PLOG_E_INTERRUPTED);
        CHECK_INT(in_quarantine(), 1);
        CHECK_INT(next[i](), 0);
        done();
    }
}

static int no_such_sector(void *ctx, int dir, const char *name, int flags,
                          uint32_t mode)
{
    return strncmp(name, NAME "-", sizeof NAME) == 0 &&
                   flags == (O_RDONLY | O_NOFOLLOW)
               ? -EIO
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* The compaction is done, and says what is left; so does the next one, until it
 * can be done. */
static void not_to_be_searched(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_compact_report r;
    struct plog_compact_options o = {.struct_size = sizeof o, .io = &io};
    io.open_at = no_such_sector;
    make_archived();
    CHECK_INT(plog_compact(w.dir, &o, &r, &err), PLOG_E_IO);
    CHECK_UINT(r.aside, 1);
    CHECK(r.entry > 0);
    CHECK(strncmp(err.file, "quarantine/" NAME, 30) == 0);
    CHECK(err.hint[0]);
    CHECK_INT(in_quarantine(), 1);
    CHECK_INT(plog_compact(w.dir, &o, &r, &err), PLOG_E_IO);
    CHECK_UINT(r.entry, 0);
    CHECK_INT(in_quarantine(), 1);
    CHECK_INT(peers_compact(&w, &r), 0);
    done();
}

/* An undo that ends with a new store has closed the one that it began with. */
static void undone_of_a_trimmed_one(void)
{
    struct plog_compact_report r;
    char name[60];
    make();
    CHECK_INT(peers_trim(&w, &r), 0);
    snprintf(name, sizeof name, "archive/%020d.jsonl.gz",
             (int)world_number(&w, "SELECT max(first) FROM segments"));
    size_t n;
    char path[700];
    snprintf(path, sizeof path, "%s/" PACKED, original);
    char *bytes = world_read(path, &n);
    world_write(world_path(&w, name), bytes, n);
    free(bytes);
    CHECK_INT(peers_undo(&w, &r), 0);
    CHECK_UINT(r.aside, 1);
    done();
}

/* ---- A salvage ----------------------------------------------------------- */

/* Without a store nobody can look: whoever makes one does. */
static void salvaged_without_a_store(void)
{
    for (int fresh = 0; fresh < 2; fresh++) {
        size_t n;
        make();
        char *newer = world_read(world_path(&w, SEGMENT), &n);
        char *at = strstr(backup, "\"id\":\"i0\"");
        REQUIRE(at != NULL);
        at[7] = '9';
        world_write(world_path(&w, SEGMENT), backup, backup_n);
        world_drop_store(&w);
        CHECK_INT(next_salvage(), 0);
        CHECK_INT(in_quarantine(), 1);
        world_write(world_path(&w, SEGMENT), newer, n);
        free(newer);
        CHECK_INT(fresh ? next_fresh() : next_replay(), 0);
        done();
    }
}

/* ---- What cannot be searched --------------------------------------------- */

/* 17 folders in each other. */
static void put_deep(void)
{
    char name[80] = "quarantine";
    (void)!mkdir(world_path(&w, name), 0700);
    for (int i = 0; i < 17; i++) {
        strcat(name, "/d");
        CHECK_INT(mkdir(world_path(&w, name), 0700), 0);
    }
}

static void said(void)
{
    CHECK(strstr(err.message, "more than 16 folders deep") != NULL);
    CHECK(strncmp(err.hint, "move it out of DIR", 18) == 0);
    err = (struct plog_error){.code = 0};
}

/* Nothing waits for it: a salvage gives all that there is to read, and its
 * verdict; a compaction and an undo are done, and so is a redaction as far as
 * it goes. */
static void nothing_waits(void)
{
    struct plog_salvage_report s;
    struct plog_salvage_options o = {.struct_size = sizeof o};
    struct plog_compact_options co = {.struct_size = sizeof co};
    struct plog_compact_report r;
    make();
    put_deep();
    world_write(world_path(&w, "quarantine/old.jsonl-1"), backup, backup_n);
    size_t n;
    char *good = world_read(world_path(&w, SEGMENT), &n);
    char *bad = malloc(n);
    memcpy(bad, good, n);
    bad[n / 2] ^= 1;
    world_write(world_path(&w, SEGMENT), bad, n);
    for (int from_store = 0; from_store < 2; from_store++) {
        o.from_store = from_store;
        CHECK_INT(plog_salvage(w.dir, &o, &s, &err), 0);
        CHECK(s.all_read == !from_store);
        CHECK((s.verdict == 0) == from_store);
        CHECK_INT(s.pending_code, PLOG_E_IO);
        CHECK(strstr(s.pending_why, "more than 16 folders deep") != NULL);
        CHECK_INT(in_quarantine(), 0);
    }
    free(good);
    free(bad);
    CHECK_INT(plog_compact(w.dir, &co, &r, &err), PLOG_E_IO);
    said();
    CHECK(r.entry > 0);
    CHECK(peers_floor(&w) > 2);
    CHECK_INT(next_replay(), PLOG_E_IO);
    said();
    co.undo = true;
    CHECK_INT(plog_compact(w.dir, &co, &r, &err), PLOG_E_IO);
    said();
    CHECK(r.undone);
    CHECK_UINT(peers_floor(&w), 0);
    CHECK_INT(next_redact(), PLOG_E_IO);
    said();
    CHECK_INT(redacting_pending(&w), 1);
    world_remove(world_path(&w, "quarantine/d"));
    CHECK_INT(next_redact(), 0);
    CHECK_INT(redacting_pending(&w), 0);
    done();
}

static unsigned opened; /* files in quarantine/ */

static int count_opens(void *ctx, int at, const char *name, int flags,
                       uint32_t mode)
{
    opened += strcmp(name, "note") == 0;
    return plog_io_posix()->open_at(ctx, at, name, flags, mode);
}

/* What is pending and what came along, in one search; behind what was moved
 * there, in one more. */
static void searched_once(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_redact_report r;
    struct plog_compact_report c;
    struct plog_redact_options ro = {
        .struct_size = sizeof ro, .reason = "asked", .io = &io};
    struct plog_compact_options co = {.struct_size = sizeof co, .io = &io};
    io.open_at = count_opens;
    make_archived();
    CHECK_INT(mkdir(world_path(&w, "quarantine"), 0700), 0);
    world_write(world_path(&w, "quarantine/note"), "a note\n", 7);
    world_write(world_path(&w, "quarantine/old.jsonl-1"), backup, backup_n);
    opened = 0;
    CHECK_INT(plog_compact(w.dir, &co, &c, &err), 0);
    CHECK_UINT(c.aside, 1);
    CHECK_UINT(opened, 2);
    CHECK_INT(in_quarantine(), 0);
    world_write(world_path(&w, "quarantine/old.jsonl-1"), backup, backup_n);
    opened = 0;
    CHECK_INT(plog_redact(w.dir, 60, &ro, &r, &err), 0);
    CHECK_UINT(opened, 1);
    CHECK_UINT(r.quarantine, 1);
    CHECK_INT(in_quarantine(), 0);
    opened = 0;
    CHECK_INT(plog_redact(w.dir, 61, &ro, &r, &err), 0);
    CHECK_UINT(opened, 1);
    done();
}

static int unreadable_orders(void *ctx, int dir, const char *name, int flags,
                             uint32_t mode)
{
    return strcmp(name, "orders") == 0
               ? -EIO
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Then what the log itself has orders for is done, and stays pending. */
static void orders_not_to_be_read(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_redact_report r;
    struct plog_redact_options o = {
        .struct_size = sizeof o, .reason = "asked", .io = &io};
    char name[60];
    size_t n;
    io.open_at = unreadable_orders;
    make();
    snprintf(name, sizeof name, "log/%020d.jsonl",
             (int)world_number(&w, "SELECT max(first) FROM segments"
                                   " WHERE first<=60"));
    char *own = world_read(world_path(&w, name), &n);
    CHECK_INT(mkdir(world_path(&w, "quarantine"), 0700), 0);
    world_write(world_path(&w, "quarantine/old.jsonl-1"), backup, backup_n);
    world_write(world_path(&w, "quarantine/own"), own, n);
    free(own);
    CHECK_INT(plog_redact(w.dir, 60, &o, &r, &err), PLOG_E_IO);
    CHECK_TEXT(err.file, "orders");
    CHECK(strstr(err.message, "orders/ cannot be read") != NULL);
    CHECK_UINT(r.quarantine, 1);
    CHECK_INT(in_quarantine(), 1);
    CHECK_INT(redacting_pending(&w), 1);
    CHECK_INT(next_redact(), 0);
    CHECK_INT(redacting_pending(&w), 0);
    done();
}

/* ---- A replay ------------------------------------------------------------ */

/* The old store itself has the payload, as older versions made it. */
static void in_the_old_store(void)
{
    size_t n, newer_n;
    make();
    char *order = world_read(world_path(&w, ORDER), &n);
    char *newer = world_read(world_path(&w, SEGMENT), &newer_n);
    world_remove(world_path(&w, ORDER));
    world_write(world_path(&w, SEGMENT), backup, backup_n);
    CHECK_INT(next_fresh(), 0);
    world_remove(world_path(&w, "quarantine"));
    world_write(world_path(&w, ORDER), order, n);
    world_write(world_path(&w, SEGMENT), newer, newer_n);
    free(order);
    free(newer);
    CHECK_INT(next_fresh(), 0);
    done();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"stopped behind the move", stopped_behind_the_move},
        {"not to be searched", not_to_be_searched},
        {"undone of a trimmed one", undone_of_a_trimmed_one},
        {"salvaged without a store", salvaged_without_a_store},
        {"in the old store", in_the_old_store},
        {"nothing waits", nothing_waits},
        {"searched once", searched_once},
        {"orders not to be read", orders_not_to_be_read},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    free(backup);
    return rc;
}
