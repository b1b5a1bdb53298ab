/*
 * test_heal_bare.c - segments of a header and nothing else, or of two groups:
 * cut down to it, they are healed from the store, wherever they stand; a copy
 * of log/ that was made right behind a rotation, put back beside a newer store;
 * and one in which nothing is missing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "world.h"

static struct world w;
static char kept[600];
static struct plog_salvage_report healed;

static void begin_segment(void)
{
    uint64_t first;
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    world_close(&w);
}

static void keep(void)
{
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
}

static uint64_t hash_of(const char *dir)
{
    char path[700];
    snprintf(path, sizeof path, "%s/log", dir);
    return tree_hash(path);
}

/* Parity calls the log `verdict`, which healing mends, byte for byte. */
static void heals(int verdict)
{
    struct world_found f;
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .from_store = true};
    CHECK_INT(world_parity(&w, NULL, &f), verdict);
    if (verdict)
        CHECK(strncmp(f.first[0].next, "paritylog salvage DIR --from-store",
                      34) == 0);
    CHECK_INT(plog_salvage(w.dir, &o, &healed, NULL), 0);
    CHECK_INT(healed.verdict, 0);
    CHECK_UINT(healed.left, 0);
    CHECK(hash_of(w.dir) == hash_of(kept));
    CHECK_INT(world_parity(&w, NULL, &f), 0);
}

static uint64_t start(int n)
{
    char sql[80];
    snprintf(sql, sizeof sql,
             "SELECT first FROM segments ORDER BY first LIMIT 1 OFFSET %d", n);
    return (uint64_t)world_number(&w, sql);
}

/* Only the header of the segment at `first` is left. */
static void cut(uint64_t first)
{
    char name[60];
    size_t n;
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
    char *bytes = world_read(world_path(&w, name), &n);
    char *lf = memchr(bytes, '\n', n);
    REQUIRE(lf != NULL);
    world_write(world_path(&w, name), bytes, (size_t)(lf - bytes) + 1);
    free(bytes);
}

static void cut_to_the_header(void)
{
    world_make(&w, PLOG_ARRIVAL, 4096);
    world_put_range(&w, 2, 40);
    int last = (int)world_number(&w, "SELECT count(*) FROM segments") - 1;
    CHECK(last > 2);
    keep();
    for (int i = 0; i <= last; i++) {
        uint64_t first = start(i);
        cut(first);
        heals(i < last ? PLOG_E_CORRUPT : PLOG_E_ROLLBACK);
        CHECK_UINT(healed.healed, 1);
    }
    cut(start(1)); /* two in a row */
    cut(start(2));
    heals(PLOG_E_CORRUPT);
    CHECK_UINT(healed.healed, 2);
}

/* Of the segment at `first` two groups are left, whole. */
static void cut_behind_two(uint64_t first)
{
    char name[60];
    size_t n;
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
    char *bytes = world_read(world_path(&w, name), &n), *end = bytes;
    for (int i = 0; i < 2; i++) {
        end = strstr(end, "\n{\"commit\":");
        REQUIRE(end != NULL);
        end = strchr(end + 1, '\n');
        REQUIRE(end != NULL);
    }
    world_write(world_path(&w, name), bytes, (size_t)(end - bytes) + 1);
    free(bytes);
}

/* What is left is good, and is not all. */
static void cut_between_groups(void)
{
    world_make(&w, PLOG_ARRIVAL, 4096);
    world_put_range(&w, 2, 40);
    for (int i = 40; world_number(&w, "SELECT max(seq)-max(first) FROM events,"
                                      " segments") < 3;
         i++)
        world_put_range(&w, i, i + 1);
    int last = (int)world_number(&w, "SELECT count(*) FROM segments") - 1;
    CHECK(last > 2);
    keep();
    for (int i = 0; i <= last; i++) {
        cut_behind_two(start(i));
        heals(i < last ? PLOG_E_CORRUPT : PLOG_E_ROLLBACK);
        CHECK_UINT(healed.healed, 1);
    }
}

/* One segment is lost by both, so that what stood before the next, which is
 * missing, is not proven; behind a good one it is again. */
static void goes_on_behind_what_is_lost(void)
{
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .from_store = true};
    char name[60], sql[120], path[700];
    size_t n, m;
    world_make(&w, PLOG_ARRIVAL, 4096);
    world_put_range(&w, 2, 60);
    CHECK(world_number(&w, "SELECT count(*) FROM segments") > 5);
    keep();
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", start(1));
    char *bytes = world_read(world_path(&w, name), &n);
    char *at = strstr(bytes, "\n{\"seq\":");
    REQUIRE(at != NULL);
    at[30] ^= 1;
    world_write(world_path(&w, name), bytes, n);
    free(bytes);
    snprintf(sql, sizeof sql, "DELETE FROM events WHERE seq=%" PRIu64,
             start(1));
    world_sql(&w, sql);
    for (int i = 2; i < 5; i += 2) {
        snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", start(i));
        world_remove(world_path(&w, name));
    }
    CHECK_INT(plog_salvage(w.dir, &o, &healed, NULL), 0);
    CHECK_UINT(healed.left, 2);
    CHECK_UINT(healed.healed, 1);
    CHECK(healed.verdict != 0);
    bytes = world_read(world_path(&w, name), &n); /* of the last one */
    snprintf(path, sizeof path, "%s/%s", kept, name);
    char *was = world_read(path, &m);
    CHECK_BYTES(bytes, n, was, m);
    free(bytes);
    free(was);
}

static unsigned told;
static char told_file[60], told_why[100];
static uint64_t told_from, told_to;

static int on_range(void *arg, const struct plog_salvaged *s)
{
    (void)arg;
    if (told++ == 0) {
        snprintf(told_file, sizeof told_file, "%s", s->file);
        snprintf(told_why, sizeof told_why, "%s", s->why);
        told_from = s->from;
        told_to = s->to;
        CHECK(!s->healed);
    }
    return 0;
}

/* Behind the store's head a key went over to another one, and what follows is
 * gone: the segment behind that is signed by the other key, and is good.  So is
 * the one before: what is told is the one between. */
static void a_rotation_behind_the_head(void)
{
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .range = on_range, .from_store = true};
    struct plog_rotate_report r;
    char before[600], name[60];
    world_make(&w, PLOG_ARRIVAL, 0);
    world_put_range(&w, 2, 6);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(before, sizeof before, "%.500s-before", w.dir);
    world_copy(w.dir, before);
    begin_segment();
    world_put_range(&w, 6, 8);
    CHECK_INT(plog_key_rotate(w.dir, NULL, &r, NULL), 0);
    world_put_range(&w, 8, 10);
    begin_segment();
    world_put_range(&w, 10, 12);
    begin_segment();
    world_put_range(&w, 12, 14);
    keep();
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", start(2));
    world_remove(world_path(&w, name));
    world_drop_store(&w);
    snprintf(before, sizeof before, "%.500s-before/store.db", w.dir);
    world_copy(before, world_path(&w, "store.db"));
    told = 0;
    CHECK_INT(plog_salvage(w.dir, &o, &healed, NULL), 0);
    CHECK_UINT(told, 1);
    CHECK_TEXT(told_file, name);
    CHECK_TEXT(told_why, "it is missing, and the store does not have all of"
                         " it");
    CHECK_UINT(told_from, 11);
    CHECK_UINT(told_to, 12);
    CHECK_UINT(healed.left, 1);
    CHECK_UINT(healed.healed, 0);
    CHECK_INT(healed.verdict, PLOG_E_CORRUPT);
    CHECK_UINT(healed.head.size, 14);
}

static char found[200];

static int on_finding(void *arg, const struct plog_finding *f)
{
    (void)arg;
    snprintf(found, sizeof found, "%s", f->found);
    return 0;
}

static void what_is_said(void)
{
    char want[200];
    struct plog_check_report r;
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .finding = on_finding};
    world_make(&w, PLOG_ARRIVAL, 4096);
    world_put_range(&w, 2, 40);
    uint64_t first = start(1), next = start(2);
    cut(first);
    CHECK_INT(plog_parity(w.dir, &o, &r, NULL), 0);
    snprintf(want, sizeof want,
             "the segment holds no entry; from %" PRIu64
             " on they are missing: the next one there starts at %" PRIu64,
             first, next);
    CHECK_TEXT(found, want);
}

/* An ordinary backup of log/, of a moment when its last segment was bare. */
static void put_back_beside_a_newer_store(void)
{
    char copy[600];
    world_make(&w, PLOG_ARRIVAL, 4096);
    world_put_range(&w, 2, 9);
    begin_segment();
    snprintf(copy, sizeof copy, "%.500s-log", w.dir);
    world_copy(world_path(&w, "log"), copy);
    world_put_range(&w, 9, 40);
    keep();
    world_remove(world_path(&w, "log"));
    world_copy(copy, world_path(&w, "log"));
    heals(PLOG_E_ROLLBACK);
    CHECK(healed.healed > 2);
}

static void a_bare_end_is_whole(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    world_put_range(&w, 2, 9);
    begin_segment();
    keep();
    heals(0);
    CHECK_UINT(healed.healed, 0);
    CHECK(!world_has(&w, "quarantine"));
}

static int no_look(void *ctx, int dir, const char *name, struct plog_stat *st)
{
    return strcmp(name, "00000000000000000001.jsonl") == 0
               ? -EIO
               : plog_io_posix()->stat_at(ctx, dir, name, st);
}

/* What is no segment has its name: nothing takes it where whether it is there
 * is not known. */
static void a_name_that_cannot_be_looked_at(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .from_store = true, .io = &io};
    struct plog_error err = {.code = 0};
    char to[100];
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    world_put_range(&w, 0, 4);
    begin_segment();
    world_put_range(&w, 4, 6);
    keep();
    const char *path = world_path(&w, "log/00000000000000000001.jsonl");
    CHECK_INT(unlink(path), 0);
    CHECK_INT(symlink("somewhere", path), 0);
    io.stat_at = no_look;
    CHECK_INT(plog_salvage(w.dir, &o, &healed, &err), PLOG_E_IO);
    CHECK_TEXT(err.file, "log/00000000000000000001.jsonl");
    CHECK_INT(readlink(path, to, sizeof to), 9);
    heals(PLOG_E_CORRUPT);
    CHECK(world_has(&w, "quarantine"));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"cut to the header", cut_to_the_header},
        {"cut between groups", cut_between_groups},
        {"goes on behind what is lost", goes_on_behind_what_is_lost},
        {"a rotation behind the head", a_rotation_behind_the_head},
        {"what is said", what_is_said},
        {"put back beside a newer store", put_back_beside_a_newer_store},
        {"a bare end is whole", a_bare_end_is_whole},
        {"a name that cannot be looked at", a_name_that_cannot_be_looked_at},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
