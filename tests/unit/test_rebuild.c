/*
 * test_rebuild.c - one leg from the other beside a floor: the snapshot goes
 * along, and a compaction that passes by lets the work begin anew.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "snapshot.h"
#include "sql_calls.h"
#include "world.h"

#define FIRST "00000000000000000001.jsonl"

static struct world w;
static struct plog_error err;
static struct plog_rebuild_report r;
static char out[600];

/* Thirty deltas, and a peer that has the first twenty entries. */
static void make(void)
{
    memset(&w, 0, sizeof w);
    memset(&err, 0, sizeof err);
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
}

static void same_file(const char *name)
{
    char path[900];
    size_t n, m;
    snprintf(path, sizeof path, "%s/%.200s", out, name);
    if (!CHECK(access(path, F_OK) == 0))
        return;
    char *want = world_read(world_path(&w, name), &n),
         *got = world_read(path, &m);
    CHECK_BYTES(got, m, want, n);
    CHECK(n > 0);
    free(want);
    free(got);
}

/* All of it was rebuilt. */
static void is_whole(int rc, bool dry_run)
{
    if (!CHECK_INT(rc, 0))
        printf("# %s\n", err.message);
    CHECK_INT(r.verdict, 0);
    CHECK_TEXT(r.why, "");
    CHECK_UINT(r.missing_from, 0);
    CHECK_UINT(r.missing_to, 0);
    CHECK_UINT(r.entries, world_size(&w));
    CHECK_UINT(r.head.size, world_size(&w));
    CHECK_INT(r.dry_run, dry_run);
    CHECK_TEXT(r.quarantine, "");
    CHECK_INT(access(out, F_OK) == 0, !dry_run);
}

typedef int rebuild_fn(const char *dir, const char *to,
                       const struct plog_rebuild_options *o,
                       struct plog_rebuild_report *report,
                       struct plog_error *e);

/* What was compacted away is in the snapshot alone: without it neither the new
 * log nor the new store could be checked or made from the other again. */
static void the_snapshot_goes_along(void)
{
    static rebuild_fn *const all[] = {plog_rebuild_store, plog_rebuild_log};
    char name[PLOG_SNAPSHOT_NAME], path[80], log[80];
    make();
    CHECK_INT(peers_compact(&w, NULL), 0);
    uint64_t floor = peers_floor(&w);
    CHECK(floor > 0);
    plog_snapshot_name(floor, name);
    snprintf(path, sizeof path, PLOG_SNAPSHOT_DIR "/%s", name);
    snprintf(log, sizeof log, "log/%020llu.jsonl",
             (unsigned long long)floor + 1);
    for (int i = 0; i < 4; i++) {
        struct plog_rebuild_options o = {.struct_size = sizeof o,
                                         .dry_run = i % 2 == 0};
        is_whole(all[i / 2](w.dir, out, &o, &r, &err), o.dry_run);
        if (o.dry_run)
            continue;
        same_file(path);
        if (i / 2)
            same_file(log);
        world_remove(out);
    }
    world_end(&w, world_size(&w));
}

static unsigned opened, passes_at;

/* Compacts when the first segment is to be opened the n-th time. */
static int open_late(void *ctx, int dir, const char *name, int flags,
                     uint32_t mode)
{
    if (strcmp(name, FIRST) == 0 && ++opened == passes_at)
        CHECK_INT(peers_compact(&w, NULL), 0);
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Whenever it passes by: what there is then is rebuilt. */
static void a_compaction_passes_by(void)
{
    struct plog_io io = *plog_io_posix();
    io.open_at = open_late;
    for (unsigned i = 0; i < 4; i++) {
        struct plog_rebuild_options o = {
            .struct_size = sizeof o, .io = &io, .dry_run = i % 2 == 0};
        make();
        opened = 0;
        passes_at = 1 + i / 2;
        int rc = plog_rebuild_store(w.dir, out, &o, &r, &err);
        CHECK_UINT(opened, passes_at); /* and then it is gone */
        is_whole(rc, o.dry_run);
        CHECK(peers_floor(&w) > 0);
        if (!o.dry_run)
            world_remove(out);
        world_remove(w.dir);
    }
}

/* Gone for another reason: that is said, and nothing is made. */
static void a_segment_is_gone(void)
{
    for (int i = 0; i < 2; i++) {
        struct plog_rebuild_options o = {.struct_size = sizeof o,
                                         .dry_run = i == 0};
        make();
        CHECK_INT(unlink(world_path(&w, "log/" FIRST)), 0);
        CHECK_INT(plog_rebuild_store(w.dir, out, &o, &r, &err), PLOG_E_CORRUPT);
        CHECK_INT(err.code, PLOG_E_CORRUPT);
        CHECK(strstr(err.message, "the segment from entry 1 on is missing"));
        CHECK_INT(r.verdict, 0);
        CHECK_UINT(r.entries, 0);
        CHECK(access(out, F_OK) != 0);
        world_remove(w.dir);
    }
}

static unsigned syncs_left;

static int one_fsync_fails(void *ctx, int fd)
{
    return syncs_left-- == 0 ? -EIO : plog_io_posix()->fsync(ctx, fd);
}

/* A new leg whose names may be gone after a power cut is none: whatever folder
 * is not synced, that is said, and nothing is left of what is not complete. */
static void a_folder_is_not_synced(void)
{
    static rebuild_fn *const all[] = {plog_rebuild_store, plog_rebuild_log};
    struct plog_io io = *plog_io_posix();
    io.fsync = one_fsync_fails;
    make();
    for (int i = 0; i < 2; i++) {
        struct plog_rebuild_options o = {.struct_size = sizeof o, .io = &io};
        int rc = PLOG_E_IO;
        unsigned n = 0, of_segments = 0, in_place = 0;
        for (; rc && n < 30; n++) {
            memset(&err, 0, sizeof err);
            syncs_left = n;
            rc = all[i](w.dir, out, &o, &r, &err);
            if (rc == 0)
                break;
            CHECK_INT(rc, PLOG_E_IO);
            CHECK_INT(err.code, rc);
            CHECK(strstr(err.message, "sync") ||
                  strstr(err.message, "Input/output error"));
            of_segments += strcmp(err.file, "log") == 0 &&
                           strncmp(err.message, "syncing the folder", 18) == 0;
            if (access(out, F_OK) == 0) { /* all but that it has its name */
                in_place++;
                world_remove(out);
            }
        }
        is_whole(rc, false);
        CHECK(in_place <= 1);
        CHECK(n > 1 && syncs_left < 30); /* each of them failed once */
        CHECK_UINT(of_segments, (unsigned)i);
        world_remove(out);
    }
}

/* All that the log says follows from its own keys, which its compact entry
 * names; but none of them is the one that counts here. */
static void nobody_trusts_it(void)
{
    struct plog_rotate_options ro = {.struct_size = sizeof ro};
    struct plog_rotate_report rr;
    struct world other;
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_LAST_WRITE_WINS, PEERS_SEGMENT);
    world_close(&w);
    CHECK_INT(plog_key_rotate(w.dir, &ro, &rr, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 0, 30);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 25), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    world_make(&other, PLOG_LAST_WRITE_WINS, 0);
    world_close(&other);
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        struct plog_rebuild_options o = {
            .struct_size = sizeof o, .vkey = other.vkey, .dry_run = dry_run};
        memset(&err, 0, sizeof err);
        CHECK_INT(plog_rebuild_store(w.dir, out, &o, &r, &err),
                  PLOG_E_UNKNOWN_KEY);
        CHECK(strstr(err.message, "no key that is trusted here") != NULL);
        CHECK(access(out, F_OK) != 0);
        o.vkey = NULL;
        is_whole(plog_rebuild_store(w.dir, out, &o, &r, &err), dry_run);
        world_remove(out);
    }
}

/* The last segment of log/, without the last commit line. */
static void cut_last_commit(void)
{
    char name[60];
    uint64_t first = 100;
    size_t n;
    do
        snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", --first);
    while (first > 1 && !world_has(&w, name));
    char *bytes = world_read(world_path(&w, name), &n), *end = NULL;
    for (char *at = bytes; (at = strstr(at, "{\"commit\":")) != NULL; at++)
        end = at;
    REQUIRE(end != NULL);
    world_write(world_path(&w, name), bytes, (size_t)(end - bytes));
    free(bytes);
}

/* Neither in thought nor in earnest. */
static void is_refused(int code, const char *words)
{
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        struct plog_rebuild_options o = {.struct_size = sizeof o,
                                         .dry_run = dry_run};
        memset(&err, 0, sizeof err);
        CHECK_INT(plog_rebuild_store(w.dir, out, &o, &r, &err), code);
        if (!CHECK(strstr(err.message, words) != NULL))
            printf("# %s\n", err.message);
        CHECK(access(out, F_OK) != 0);
    }
}

/* A line is redacted, and the order for that was not finished: verify calls it
 * TAMPERED, and no store has it. */
static void an_order_that_is_none(void)
{
    struct plog_redact_options ro = {.struct_size = sizeof ro, .reason = "x"};
    struct plog_redact_report rr;
    make();
    CHECK_INT(plog_redact(w.dir, 4, &ro, &rr, NULL), 0);
    world_drop_store(&w);
    cut_last_commit();
    is_refused(PLOG_E_TAMPERED, "entry 4 is redacted");
}

/* The log ends in a compact entry that was not finished, or that somebody wrote
 * there: no store begins with its snapshot, which no signature vouches for. */
static void a_floor_that_is_none(void)
{
    char kept[600], log[700], last[80], path[800];
    size_t n;
    make();
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 30, 60);
    world_close(&w);
    CHECK_INT(peers_compact(&w, NULL), 0);
    uint64_t floor = peers_floor(&w), first = 100;
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    snprintf(log, sizeof log, "%s", world_path(&w, "log"));
    world_copy(log, kept);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK(floor > 0 && peers_floor(&w) > floor);
    do
        snprintf(last, sizeof last, "%020" PRIu64 ".jsonl", --first);
    while (snprintf(path, sizeof path, "%s/%s", log, last) > 0 && first > 1 &&
           access(path, F_OK) != 0);
    char *bytes = world_read(path, &n);
    world_remove(log);
    world_copy(kept, log);
    world_write(path, bytes, n);
    free(bytes);
    cut_last_commit();
    world_drop_store(&w);
    is_refused(PLOG_E_TORN, "with the compact entry for the floor");
    CHECK_TEXT(err.hint, "run: paritylog replay DIR");
    CHECK_INT(plog_replay(w.dir, NULL, &(struct plog_replay_report){0}, NULL),
              0);
    CHECK_UINT(peers_floor(&w), floor);
    struct plog_rebuild_options o = {.struct_size = sizeof o};
    is_whole(plog_rebuild_store(w.dir, out, &o, &r, &err), false);
}

/* What it took away is gone, so that no replay makes a log of the rest. */
static void the_only_floor_is_none(void)
{
    make();
    CHECK_INT(peers_compact(&w, NULL), 0);
    world_drop_store(&w);
    cut_last_commit();
    is_refused(PLOG_E_CORRUPT, "the log begins behind entry 1");
    CHECK_INT(plog_replay(w.dir, NULL, &(struct plog_replay_report){0}, NULL),
              PLOG_E_CORRUPT);
}

static unsigned head_rows;

static bool head_row_fails(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return strcmp(call, "step") == 0 &&
           strstr(sql, "INSERT INTO main.checkpoints") && head_rows++ == 0;
}

/* A store that begins with a snapshot is none without the commit it ends at. */
static void no_row_for_the_head(void)
{
    struct plog_rebuild_options o = {.struct_size = sizeof o};
    make();
    CHECK_INT(peers_compact(&w, NULL), 0);
    head_rows = 0;
    sql_calls.fails = head_row_fails;
    CHECK_INT(plog_rebuild_store(w.dir, out, &o, &r, &err), PLOG_E_IO);
    sql_calls.fails = NULL;
    CHECK(access(out, F_OK) != 0);
    is_whole(plog_rebuild_store(w.dir, out, &o, &r, &err), false);
    world_remove(out);
}

static void damage(uint64_t first)
{
    char name[64];
    size_t n;
    snprintf(name, sizeof name, "log/%020llu.jsonl", (unsigned long long)first);
    char *bytes = world_read(world_path(&w, name), &n);
    bytes[n / 2] ^= 1;
    world_write(world_path(&w, name), bytes, n);
    free(bytes);
}

/* An older store, and two places behind its end where the log is damaged: what
 * neither has begins with the first of them, in the plan as well. */
static void behind_an_older_store(void)
{
    struct plog_rebuild_options o = {
        .struct_size = sizeof o, .install = true, .dry_run = true};
    char older[600];
    make();
    snprintf(older, sizeof older, "%.500s-older", w.dir);
    world_copy(w.dir, older);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 30, 90);
    world_close(&w);
    uint64_t first = (uint64_t)world_number(
        &w, "SELECT min(first) FROM segments WHERE first>40");
    damage(first);
    damage((uint64_t)world_number(
        &w, "SELECT max(first) FROM segments WHERE first<80"));
    world_take_store(&w, older);
    for (int i = 0; i < 2; i++) {
        memset(&r, 0, sizeof r);
        CHECK_INT(plog_rebuild_log(w.dir, NULL, &o, &r, &err), 0);
        CHECK_INT(r.verdict, PLOG_E_TAMPERED);
        CHECK(r.refused && r.why[0]);
        CHECK(r.missing_from > first && r.missing_from < first + 12);
        CHECK(r.missing_to >= r.missing_from && r.missing_to < first + 12);
        o.dry_run = false;
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"behind an older store", behind_an_older_store},
        {"no row for the head", no_row_for_the_head},
        {"the snapshot goes along", the_snapshot_goes_along},
        {"a compaction passes by", a_compaction_passes_by},
        {"a segment is gone", a_segment_is_gone},
        {"nobody trusts it", nobody_trusts_it},
        {"an order that is none", an_order_that_is_none},
        {"a floor that is none", a_floor_that_is_none},
        {"the only floor is none", the_only_floor_is_none},
        {"a folder is not synced", a_folder_is_not_synced},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
