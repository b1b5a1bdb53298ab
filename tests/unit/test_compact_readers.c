/*
 * test_compact_readers.c - while somebody reads: a compaction passes by, and
 * SQLite's WAL stays bounded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "io.h"
#include "peers.h"
#include "world.h"

static struct world *passing;
static int passes; /* 0: it has happened */

/* Compacts at the moment in which the first segment is to be opened. */
static int open_late(void *ctx, int dir, const char *name, int flags,
                     uint32_t mode)
{
    if (passes && strcmp(name, "00000000000000000001.jsonl") == 0 &&
        --passes == 0)
        CHECK_INT(peers_compact(passing, NULL), 0);
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void passed_by(void)
{
    struct plog_io io = *plog_io_posix();
    io.open_at = open_late;
    for (int i = 1; i <= 3; i++) {
        struct world w;
        struct world_found f;
        struct plog_check_options o = {.struct_size = sizeof o, .io = &io};
        peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
        CHECK_INT(peers_add(&w, "p"), 0);
        CHECK_INT(peers_ack(&w, "p", 40), 0);
        passing = &w;
        passes = i;
        CHECK_INT(world_parity(&w, &o, &f), 0);
        CHECK(passes > 0 || peers_floor(&w) > 0);
        passes = 0;
        int expected = peers_floor(&w) ? 0 : PLOG_E_INPUT;
        CHECK_INT(peers_undo(&w, NULL), expected);
        passes = i;
        CHECK_INT(world_verify(&w, &o, &f), 0);
        passes = 0;
        world_end(&w, world_size(&w));
    }
}

static unsigned rounds; /* how often it has happened */
static uint64_t begins; /* the first segment that is left */
static bool is_anew;    /* the check has begun, and it has not happened */

/* As a replay makes the store anew, which no reader of the one before keeps
 * from being durable; and a compaction takes away what is read next. */
static void take_away(void)
{
    struct plog_compact_report r;
    struct plog_replay_report replayed;
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    CHECK_INT(plog_replay(passing->dir, &o, &replayed, NULL), 0);
    CHECK_INT(peers_ack(passing, "p", begins + 14), 0);
    CHECK_INT(peers_compact(passing, &r), 0);
    CHECK(r.to >= begins);
    begins = r.to + 1;
    rounds++;
}

static int open_too_late(void *ctx, int dir, const char *name, int flags,
                         uint32_t mode)
{
    char *end;
    bool first = strtoull(name, &end, 10) == begins && !strcmp(end, ".jsonl");
    is_anew |= strcmp(name, "lock") == 0;
    if (first && is_anew && rounds < 7) {
        is_anew = false;
        take_away();
    }
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Where something vanishes each time that a check begins anew, it does not do so
 * for ever; and what it could not look at it does not call damaged. */
static void passed_by_each_time(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_check_options o = {.struct_size = sizeof o, .io = &io};
    io.open_at = open_too_late;
    for (int both = 0; both < 2; both++) {
        struct plog_check_report r;
        struct plog_error err = {.code = 0};
        struct world w;
        peers_make(&w, PLOG_LAST_WRITE_WINS, 80);
        CHECK_INT(peers_add(&w, "p"), 0);
        passing = &w;
        rounds = 0;
        begins = 1;
        is_anew = false;
        int rc = (both ? plog_parity : plog_verify)(w.dir, &o, &r, &err);
        CHECK_INT(rc, PLOG_E_LOCKED);
        CHECK_INT(err.code, PLOG_E_LOCKED);
        CHECK(strstr(err.message, "each of 5 times") != NULL);
        CHECK(strstr(err.hint, "run it again") != NULL);
        CHECK_UINT(rounds, 5);
        rounds = 7; /* and now nothing vanishes */
        CHECK_INT((both ? plog_parity : plog_verify)(w.dir, &o, &r, &err), 0);
        CHECK_INT(r.verdict, 0);
        CHECK_UINT(r.floor, begins - 1);
        world_end(&w, world_size(&w));
    }
}

/* Ends a compaction behind its entry, with segments left that lie below. */
static int stop_behind(void *arg, const struct plog_progress *p)
{
    (void)arg;
    return strcmp(p->phase, "archive") == 0;
}

static bool undoes; /* at once, so that all is as it was */

/* What is left goes when it is to be opened. */
static int open_left(void *ctx, int dir, const char *name, int flags,
                     uint32_t mode)
{
    bool now = passes && atoi(name) > 0 && strstr(name, ".jsonl") &&
               strtoull(name, NULL, 10) <= begins && --passes == 0;
    if (now)
        CHECK_INT(peers_compact(passing, NULL), 0);
    int fd = plog_io_posix()->open_at(ctx, dir, name, flags, mode);
    if (now && undoes)
        CHECK_INT(peers_undo(passing, NULL), 0);
    return fd;
}

/* A check begins when the floor has moved already, and ends with the floor
 * where it was. */
static void passed_by_behind_the_entry(void)
{
    struct plog_io io = *plog_io_posix();
    io.open_at = open_left;
    for (int i = 0; i < 16; i++) {
        struct plog_check_options o = {.struct_size = sizeof o, .io = &io};
        struct world w;
        struct world_found f;
        bool both = i & 1, left = i & 2;
        undoes = i & 4;
        peers_make(&w, PLOG_LAST_WRITE_WINS, 80);
        CHECK_INT(peers_add(&w, "p"), 0);
        CHECK_INT(peers_ack(&w, "p", 60), 0);
        if (left)
            CHECK_INT(peers_compact_with(&w,
                                         (struct plog_compact_options){
                                             .progress = stop_behind},
                                         NULL),
                      PLOG_E_INTERRUPTED);
        passing = &w;
        begins = left ? peers_floor(&w) : 60;
        passes = i & 8 ? 2 : 1;
        int rc = (both ? world_parity : world_verify)(&w, &o, &f);
        if (!CHECK_INT(rc, 0))
            printf("# turn %d: %s %s\n", i, f.first[0].file, f.first[0].next);
        CHECK(passes == 0 || (both && left)); /* which begins at the floor */
        passes = 0;
        world_end(&w, world_size(&w));
    }
}

/* What is missing for good is found as before. */
static void missing_for_good(void)
{
    struct world w;
    struct world_found f;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 80);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    uint64_t next = (uint64_t)world_number(
        &w, "SELECT min(first) FROM segments WHERE first>(SELECT floor+1 FROM"
            " meta)");
    char name[64];
    snprintf(name, sizeof name, "log/%020llu.jsonl", (unsigned long long)next);
    CHECK_INT(remove(world_path(&w, name)), 0);
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_CORRUPT);
    CHECK_TEXT(f.first[0].file, name);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_CORRUPT);
    CHECK_TEXT(f.first[0].file, name);
    world_remove(w.dir);
}

/* Readers that come and go do not let SQLite's WAL grow. */
static void wal_is_bounded(void)
{
    struct world w;
    struct plog_status s;
    plog_reader *r;
    struct plog_head head;
    uint64_t most = 0;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    for (int i = 0; i < 40; i++) {
        peers_put(&w, i * 100, (i + 1) * 100);
        CHECK_INT(plog_reader_head(r, &head, NULL), 0);
        CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
        most = s.wal_bytes > most ? s.wal_bytes : most;
        CHECK(s.wal_frames - s.wal_moved < 2200);
    }
    plog_reader_close(r);
    CHECK(most < 10u << 20);
    CHECK(s.wal_frames > 0);
    world_end(&w, 4001);
}

static void put_group(struct world *w, int from)
{
    static char text[500][256];
    static struct plog_span spans[500];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = spans, .delta_count = 500};
    for (int i = 0; i < 500; i++) {
        char id[16], record[16];
        struct world_delta d = {.id = id, .record = record};
        snprintf(id, sizeof id, "i%d", from + i);
        snprintf(record, sizeof record, "r%d", i % 7);
        world_text(text[i], sizeof text[i], &d);
        spans[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w->p, &g, NULL, NULL), 0);
}

/* The ids of each batch lie all over their table: 30 MB, unless the WAL is
 * moved on the way. */
static void wal_is_bounded_while_trimming(void)
{
    struct world w;
    struct plog_status s;
    struct plog_compact_report r;
    uint64_t first;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    for (int i = 0; i < 30000; i += 500)
        put_group(&w, i);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30001), 0);
    CHECK_INT(peers_trim(&w, &r), 0);
    CHECK(r.trimmed > 29000);
    CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
    CHECK(s.wal_bytes > 0 && s.wal_bytes < 12u << 20);
    printf("# the WAL took %llu bytes\n", (unsigned long long)s.wal_bytes);
    CHECK_INT(peers_parity(&w), 0);
    world_remove(w.dir);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"passed by a compaction", passed_by},
        {"passed by each time", passed_by_each_time},
        {"passed by behind the entry", passed_by_behind_the_entry},
        {"missing for good", missing_for_good},
        {"the WAL is bounded", wal_is_bounded},
        {"the WAL is bounded while trimming", wal_is_bounded_while_trimming},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
