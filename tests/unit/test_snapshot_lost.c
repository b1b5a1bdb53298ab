/*
 * test_snapshot_lost.c - the snapshot and the store are gone, the archive is
 * there: a replay makes both anew, and where it cannot, it says why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static struct plog_compact_report compacted;
static struct plog_error err;

/* Cut at two floors. */
static void make(bool discard_first)
{
    struct plog_peer_report pr;
    struct plog_head h;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_get_head(w.p, &h, NULL), 0);
    peers_put(&w, 40, 80);
    world_close(&w);
    CHECK_INT(plog_peer_ack(w.dir, "p", h.size, h.root, NULL, &pr, NULL), 0);
    struct plog_compact_options o = {.discard = discard_first};
    CHECK_INT(peers_compact_with(&w, o, &compacted), 0);
    CHECK_INT(peers_ack(&w, "p", 70), 0);
    CHECK_INT(peers_compact(&w, &compacted), 0);
    CHECK(compacted.from > 0);
}

static int replay(bool fresh, bool dry_run, struct plog_replay_report *r)
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .fresh = fresh, .dry_run = dry_run};
    memset(&err, 0, sizeof err);
    return plog_replay(w.dir, &o, r, &err);
}

static void made_anew(void)
{
    for (int i = 0; i < 8; i++) {
        bool fresh = i & 1, damaged = i & 2, discarded = i & 4;
        struct plog_replay_report r;
        size_t n, m;
        make(discarded);
        char *before = world_read(world_path(&w, compacted.snapshot), &n);
        world_drop_store(&w);
        if (damaged)
            world_write(world_path(&w, compacted.snapshot), "damaged", 7);
        else
            CHECK_INT(unlink(world_path(&w, compacted.snapshot)), 0);
        CHECK_INT(replay(fresh, true, &r), 0); /* which changes nothing */
        CHECK(r.remade);
        CHECK_UINT(r.base, compacted.to);
        CHECK(world_has(&w, compacted.snapshot) == damaged);
        CHECK_INT(replay(fresh, false, &r), 0);
        CHECK_INT(err.code, 0);
        CHECK(r.remade);
        CHECK_UINT(r.base, compacted.to);
        char *after = world_read(world_path(&w, compacted.snapshot), &m);
        CHECK(n == m && memcmp(before, after, n) == 0);
        CHECK(fresh || world_has(&w, "quarantine") == damaged);
        CHECK_INT(replay(true, false, &r), 0);
        CHECK(!r.remade);
        free(before);
        free(after);
        world_end(&w, world_size(&w));
    }
}

/* Where the archive does not give it, neither compact nor replay sends to the
 * other one. */
static void not_made(void)
{
    for (int i = 0; i < 2; i++) {
        struct plog_replay_report r;
        make(false);
        CHECK_INT(unlink(world_path(&w, compacted.snapshot)), 0);
        CHECK_INT(
            unlink(world_path(&w, "archive/00000000000000000001.jsonl.gz")), 0);
        world_remove(world_path(&w, "snapshots"));
        if (i)
            world_drop_store(&w);
        struct plog_compact_options o = {.struct_size = sizeof o,
                                         .dry_run = true};
        memset(&err, 0, sizeof err);
        CHECK_INT(i ? replay(false, true, &r)
                    : plog_compact(w.dir, &o, &compacted, &err),
                  PLOG_E_PRUNED);
        CHECK(!world_has(&w, "snapshots"));
        o.dry_run = false;
        memset(&err, 0, sizeof err);
        CHECK_INT(i ? replay(false, false, &r)
                    : plog_compact(w.dir, &o, &compacted, &err),
                  PLOG_E_PRUNED);
        CHECK(strstr(err.message, "snapshots/") != NULL);
        CHECK(strstr(err.hint, "from a backup; archive/ does not give it") !=
              NULL);
        CHECK(strstr(err.hint, "compact DIR") == NULL);
    }
}

/* Reads it, and looks for `words` in what leads out. */
static void hints(const char *words, const char *lacks)
{
    char out[600];
    struct plog_rebuild_options o = {.struct_size = sizeof o};
    struct plog_rebuild_report r;
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    memset(&err, 0, sizeof err);
    CHECK_INT(plog_rebuild_store(w.dir, out, &o, &r, &err), PLOG_E_PRUNED);
    if (!CHECK(strstr(err.hint, words) && !strstr(err.hint, lacks)))
        printf("# %s\n", err.hint);
}

/* Nobody is sent to what refuses without a store, or needs an archive that is
 * not there. */
static void what_leads_out(void)
{
    struct world_found f;
    for (int i = 0; i < 2; i++) {
        make(false);
        world_remove(world_path(&w, "snapshots"));
        if (i)
            world_remove(world_path(&w, "archive"));
        hints(i ? "copy it, or archive/, from a backup; or,"
                : "run: paritylog compact DIR (makes",
              "replay");
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_PRUNED);
        CHECK(strncmp(f.first[0].next, i ? "copy it" : "paritylog compact DIR ",
                      i ? 7 : 22) == 0);
        world_drop_store(&w);
        hints(i ? "copy it, or archive/, from a backup, then"
                : "run: paritylog replay DIR (makes",
              "compact");
    }
}

/* A log cannot be made of a trimmed store without it: that store is no way out
 * of its own. */
static void no_log_of_a_trimmed_store(void)
{
    char out[600];
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    for (int i = 0; i < 4; i++) {
        bool damaged = i & 1, bare = i & 2;
        const char *hint =
            bare ? "copy it, or archive/, from a backup: the store was trimmed"
                 : "run: paritylog compact DIR (makes it anew from archive/)";
        struct plog_rebuild_options o = {.struct_size = sizeof o};
        struct plog_rebuild_report r;
        make(false);
        CHECK_INT(peers_trim(&w, NULL), 0);
        if (damaged)
            world_write(world_path(&w, compacted.snapshot), "damaged", 7);
        else
            world_remove(world_path(&w, "snapshots"));
        if (bare)
            world_remove(world_path(&w, "archive"));
        memset(&err, 0, sizeof err);
        CHECK_INT(plog_rebuild_log(w.dir, out, &o, &r, &err),
                  damaged ? PLOG_E_CORRUPT : PLOG_E_PRUNED);
        if (!CHECK(strncmp(err.hint, hint, strlen(hint)) == 0))
            printf("# %s\n", err.hint);
    }
}

/* What is lost is missed by dry runs as it is in earnest; the one that makes it
 * anew says so. */
static void dry_runs(void)
{
    char out[600];
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    for (int i = 0; i < 8; i++) {
        bool dry = i & 1, damaged = i & 2, bare = i & 4;
        int want = damaged ? PLOG_E_CORRUPT : PLOG_E_PRUNED;
        struct plog_rebuild_options o = {.struct_size = sizeof o,
                                         .dry_run = dry};
        struct plog_restore_options ro = {.struct_size = sizeof ro,
                                          .dry_run = dry};
        struct plog_rebuild_report r;
        struct plog_restore_report rr;
        make(false);
        if (damaged)
            world_write(world_path(&w, compacted.snapshot), "damaged", 7);
        else
            world_remove(world_path(&w, "snapshots"));
        if (bare)
            world_remove(world_path(&w, "archive"));
        CHECK_INT(plog_rebuild_store(w.dir, out, &o, &r, &err), want);
        memset(&err, 0, sizeof err);
        CHECK_INT(plog_restore(w.dir, out, &ro, &rr, &err), want);
        CHECK(strncmp(err.hint, bare ? "copy it, or" : "run: paritylog compact",
                      bare ? 11 : 22) == 0);
        o.install = true;
        CHECK_INT(plog_rebuild_store(w.dir, NULL, &o, &r, &err),
                  bare ? want : 0);
        if (!bare && !dry) /* from the snapshot now: it has no more */
            CHECK_INT(world_number(&w, "SELECT base>0 FROM meta"), 1);
    }
}

/* Who was sent to the store is not sent there again. */
static void the_store_does_not_have_it(void)
{
    char out[600];
    struct plog_rebuild_options o = {.struct_size = sizeof o};
    struct plog_rebuild_report r;
    struct plog_replay_report rr;
    make(false);
    CHECK_INT(replay(true, false, &rr), 0);
    world_remove(world_path(&w, "archive"));
    world_remove(world_path(&w, "snapshots"));
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    memset(&err, 0, sizeof err);
    CHECK_INT(plog_rebuild_log(w.dir, out, &o, &r, &err), PLOG_E_PRUNED);
    CHECK(strstr(err.hint, "from a backup: the store was trimmed") != NULL);
}

static unsigned rows_left; /* that are put, before one is refused */

static bool no_row(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return !strcmp(call, "step") && strstr(sql, "INSERT INTO main.events") &&
           rows_left && --rows_left == 0;
}

/* A row of the snapshot that the new store does not take is not left out: the
 * store is not made, and the old one stays. */
static void a_row_that_is_not_taken(void)
{
    struct plog_replay_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 24);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    CHECK_INT(peers_compact(&w, &compacted), 0);
    sql_calls.no_sync = true;
    for (unsigned n = 1; n < 12; n++) {
        rows_left = n;
        sql_calls.fails = no_row;
        int rc = replay(true, false, &r);
        sql_calls.fails = NULL;
        CHECK_UINT(rows_left, 0);
        if (!CHECK_INT(rc, PLOG_E_IO) || !CHECK_INT(err.code, PLOG_E_IO))
            printf("# row %u: %s\n", n, err.message);
        CHECK_INT(peers_parity(&w), 0);
    }
    CHECK_INT(replay(true, false, &r), 0);
    CHECK_UINT(r.base, compacted.to);
    sql_calls.no_sync = false;
    world_end(&w, world_size(&w));
}

/* The archive is damaged as well, in its last file: a dry run, which makes
 * nothing, has read all that it would take. */
static void neither_is_whole(void)
{
    struct plog_replay_report r;
    char name[64];
    size_t n;
    make(false);
    uint64_t last = 0;
    for (uint64_t at = 1; at <= compacted.to; at++) {
        snprintf(name, sizeof name, "archive/%020" PRIu64 ".jsonl.gz", at);
        last = world_has(&w, name) ? at : last;
    }
    CHECK(last > compacted.from);
    snprintf(name, sizeof name, "archive/%020" PRIu64 ".jsonl.gz", last);
    char *bytes = world_read(world_path(&w, name), &n);
    bytes[n / 2] ^= 1;
    world_write(world_path(&w, name), bytes, n);
    free(bytes);
    world_remove(world_path(&w, "snapshots"));
    world_drop_store(&w);
    for (int dry = 1; dry >= 0; dry--) {
        CHECK_INT(replay(false, dry, &r), PLOG_E_PRUNED);
        CHECK(!r.remade);
        CHECK(strstr(err.hint, "archive/ does not give it: archive/") != NULL);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"made anew", made_anew},
        {"not made", not_made},
        {"what leads out", what_leads_out},
        {"no log of a trimmed store", no_log_of_a_trimmed_store},
        {"dry runs", dry_runs},
        {"neither is whole", neither_is_whole},
        {"the store does not have it", the_store_does_not_have_it},
        {"a row that is not taken", a_row_that_is_not_taken},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
