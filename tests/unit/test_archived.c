/*
 * test_archived.c - archive/ with a gap, or with a damaged file: what lies above
 * it counts on from the next floor whose snapshot is there, for who restores,
 * proves, and makes a snapshot anew.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_error err;
static uint64_t floors[2];           /* of the two compactions */
static uint64_t files[24], file_count; /* of archive/ */

static const char *name_of(uint64_t first)
{
    static char name[64];
    snprintf(name, sizeof name, "archive/%020llu.jsonl.gz",
             (unsigned long long)first);
    return name;
}

static const char *snapshot_of(uint64_t floor)
{
    static char name[64];
    snprintf(name, sizeof name, "snapshots/%020llu.jsonl.gz",
             (unsigned long long)floor);
    return name;
}

static void make(void)
{
    static const uint64_t acks[] = {50, 95};
    struct plog_compact_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 120);
    CHECK_INT(peers_add(&w, "p"), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(peers_ack(&w, "p", acks[i]), 0);
        CHECK_INT(peers_compact(&w, &r), 0);
        floors[i] = r.to;
    }
    file_count = 0;
    for (uint64_t at = 1; at <= floors[1]; at++)
        if (world_has(&w, name_of(at)))
            files[file_count++] = at;
    REQUIRE(file_count > 6 && floors[0] > files[2]);
    REQUIRE(world_has(&w, snapshot_of(floors[0])));
}

static struct plog_restore_report restored;

/* @time  NULL: to entry `at` */
static int restore_to(uint64_t at, const char *time)
{
    static int next;
    char out[600];
    struct plog_restore_options o = {
        .struct_size = sizeof o, .at_seq = time ? 0 : at, .at_time = time};
    snprintf(out, sizeof out, "%.500s-out%d", w.dir, next++);
    memset(&err, 0, sizeof err);
    int rc = plog_restore(w.dir, out, &o, &restored, &err);
    CHECK_INT(access(out, F_OK), rc ? -1 : 0);
    if (rc)
        return rc;
    struct world copy = {.p = NULL};
    snprintf(copy.dir, sizeof copy.dir, "%.500s", out);
    CHECK_INT(peers_parity(&copy), 0);
    CHECK_UINT(restored.head.size, at);
    return 0;
}

static int restore(uint64_t at)
{
    return restore_to(at, NULL);
}

static char proof[16384];
static size_t proof_len;

static int keep(void *arg, const char *text, size_t len)
{
    (void)arg;
    if (proof_len + len < sizeof proof)
        memcpy(proof + proof_len, text, len);
    proof_len += len;
    return 0;
}

static int prove(uint64_t seq, uint64_t at)
{
    struct plog_prove_options o = {
        .struct_size = sizeof o, .at = at, .out = keep};
    struct plog_proof_report p = {.seq = 0};
    proof_len = 0;
    memset(&err, 0, sizeof err);
    int rc = plog_prove(w.dir, seq, &o, &err);
    if (rc)
        return rc;
    CHECK_INT(
        plog_verify_proof(proof, proof_len, w.vkey, NULL, 0, &p, NULL), 0);
    CHECK_UINT(p.seq, seq);
    CHECK(at == 0 || p.size == at);
    free(p.memory);
    return 0;
}

static void lose(uint64_t first)
{
    CHECK_INT(unlink(world_path(&w, name_of(first))), 0);
}

static void damage(uint64_t first)
{
    size_t n;
    char *bytes = world_read(world_path(&w, name_of(first)), &n);
    memset(bytes + n / 2, 'X', 8);
    world_write(world_path(&w, name_of(first)), bytes, n);
    free(bytes);
}

/* All that lies above the first floor. */
static void counts_on(uint64_t victim)
{
    char time[40];
    CHECK_INT(restore(floors[0] + 3), 0);
    CHECK_UINT(restored.floor, floors[0]);
    memcpy(time, restored.logged_at, sizeof time);
    CHECK_INT(restore_to(floors[0] + 3, time), 0);
    CHECK_UINT(restored.floor, floors[0]);
    CHECK_INT(restore(floors[1]), 0);
    CHECK_INT(prove(floors[0] + 1, 0), 0);
    CHECK_INT(prove(floors[1], 0), 0);
    CHECK_INT(prove(floors[0] + 1, floors[1]), 0);
    for (int i = 0; i < 2; i++) { /* and nothing below it */
        CHECK_INT(i ? restore(3) : prove(3, 0), PLOG_E_CORRUPT);
        CHECK_TEXT(err.file, name_of(victim));
    }
    CHECK_INT(restore(floors[0]), PLOG_E_CORRUPT); /* it would be empty */
    CHECK_TEXT(err.file, name_of(victim));
}

static void below_a_snapshot(void)
{
    for (int gone = 0; gone < 2; gone++) {
        make();
        CHECK_INT(restore(floors[0] + 3), 0);
        CHECK_UINT(restored.floor, 0); /* all of it is there */
        if (gone)
            lose(files[1]);
        else
            damage(files[1]);
        counts_on(files[1]);
        CHECK_INT(unlink(world_path(&w, snapshot_of(floors[0]))), 0);
        CHECK_INT(restore(floors[0] + 3), PLOG_E_CORRUPT);
        CHECK_TEXT(err.file, name_of(files[1]));
    }
}

/* The tape came back from somewhere below the snapshot on. */
static void begins_between(void)
{
    make();
    lose(files[0]);
    CHECK_INT(restore(floors[0] + 3), 0);
    CHECK_UINT(restored.floor, floors[0]);
    CHECK_INT(restore(files[1] + 3), PLOG_E_PRUNED);
    CHECK_INT(prove(files[1], 0), 0);
    CHECK_INT(prove(3, 0), PLOG_E_PRUNED);
}

/* What is asked for lies below the damage: no snapshot stands for that. */
static void above_the_snapshot(void)
{
    make();
    damage(files[file_count - 1]);
    REQUIRE(files[file_count - 1] > floors[0] + 3);
    CHECK_INT(restore(floors[0] + 3), PLOG_E_CORRUPT);
    CHECK_TEXT(err.file, name_of(files[file_count - 1]));
    CHECK_INT(prove(floors[0] + 1, 0), PLOG_E_CORRUPT);
    CHECK_INT(restore(floors[1] + 2), 0); /* log/ has it */
}

/* The newest snapshot before is enough, and an older one will do. */
static void a_snapshot_made_anew(void)
{
    for (int i = 0; i < 3; i++) {
        struct plog_compact_report r;
        make();
        size_t n, m;
        char *was = world_read(world_path(&w, snapshot_of(floors[1])), &n);
        CHECK_INT(unlink(world_path(&w, snapshot_of(floors[1]))), 0);
        if (i < 2)
            lose(files[1]);
        if (i == 1)
            lose(files[0]);
        if (i == 2)
            world_write(world_path(&w, snapshot_of(floors[0])), "x", 1);
        CHECK_INT(peers_compact_with(
                      &w, (struct plog_compact_options){.dry_run = true}, &r),
                  0);
        CHECK(r.remade && !world_has(&w, snapshot_of(floors[1])));
        CHECK_INT(peers_compact(&w, &r), 0);
        CHECK(r.remade);
        char *is = world_read(world_path(&w, snapshot_of(floors[1])), &m);
        CHECK(n == m && memcmp(was, is, n) == 0);
        free(is);
        free(was);
        world_end(&w, world_size(&w));
    }
}

/* What a run of files right behind a gap stands on stays as long as they do.
 * For one further down all of archive/ would have to be read. */
static void a_snapshot_that_stays(void)
{
    for (int gap = 0; gap < 3; gap++) {
        make();
        size_t before = 0;
        while (files[before + 1] <= floors[0])
            before++;
        REQUIRE(before > 1);
        if (gap)
            lose(files[gap == 1 ? before : 1]);
        CHECK_INT(peers_ack(&w, "p", 118), 0);
        CHECK_INT(peers_compact(&w, NULL), 0);
        REQUIRE(peers_floor(&w) > floors[1]);
        CHECK_INT(world_has(&w, snapshot_of(floors[0])), gap == 1);
        CHECK_INT(restore(floors[0] + 3), gap == 2 ? PLOG_E_CORRUPT : 0);
        if (gap == 1)
            CHECK_UINT(restored.floor, floors[0]);
    }
}

/* Nor does a damaged snapshot stand for anything: the next one may. */
static void a_damaged_snapshot(void)
{
    make();
    size_t before = 0;
    while (files[before + 1] <= floors[0])
        before++;
    lose(files[before]);
    CHECK_INT(peers_ack(&w, "p", 118), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK_INT(restore(floors[1] + 3), 0);
    CHECK_UINT(restored.floor, floors[0]);
    world_write(world_path(&w, snapshot_of(floors[0])), "x", 1);
    CHECK_INT(restore(floors[1] + 3), 0);
    CHECK_UINT(restored.floor, floors[1]);
    world_write(world_path(&w, snapshot_of(floors[1])), "x", 1);
    CHECK_INT(restore(floors[1] + 3), PLOG_E_CORRUPT);
}

/* A commit below the floor is one, too, as long as the archive tells. */
static void under_an_old_commit(void)
{
    make();
    CHECK_INT(prove(20, 43), 0);
    CHECK(strstr(proof, "\n43\n") != NULL);
    CHECK_INT(prove(20, 20), 0);
    CHECK_INT(prove(20, floors[1]), 0);
    CHECK_INT(prove(43, 20), PLOG_E_NOT_FOUND); /* no entry of that tree */
    world_remove(world_path(&w, "archive"));
    CHECK_INT(prove(20, 43), PLOG_E_PRUNED);
    CHECK_INT(prove(floors[1] + 1, 0), 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"below a snapshot", below_a_snapshot},
        {"begins between", begins_between},
        {"above the snapshot", above_the_snapshot},
        {"a snapshot made anew", a_snapshot_made_anew},
        {"a snapshot that stays", a_snapshot_that_stays},
        {"a damaged snapshot", a_damaged_snapshot},
        {"under an old commit", under_an_old_commit},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
