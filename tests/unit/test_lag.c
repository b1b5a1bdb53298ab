/*
 * test_lag.c - how far each peer is behind, in entries, bytes and seconds, and
 * what of that an odd store must not make up; and acknowledgements whose root
 * the log cannot give.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "paritylog_recovery.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_io io;
static struct plog_peer seen; /* of the last one; spans are gone */
static unsigned peers;
static struct plog_error err;

/* The clock, some seconds ahead of the real one. */
static int64_t ahead;
static int64_t other_clock(void *ctx)
{
    return plog_io_posix()->clock_real_ns(ctx) + ahead * 1000000000;
}

static int see(void *arg, const struct plog_peer *p)
{
    (void)arg;
    seen = *p;
    peers++;
    return 0;
}

static int look(void)
{
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    memset(&err, 0, sizeof err);
    peers = 0;
    return plog_peers(w.dir, &o, see, NULL, &err);
}

static int ack(const char *name, uint64_t seq, const unsigned char *root)
{
    struct plog_peer_report r;
    memset(&err, 0, sizeof err);
    return plog_peer_ack(w.dir, name, seq, root, NULL, &r, &err);
}

static void put(int count)
{
    for (int i = 0; i < count; i++)
        CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
}

static void next_segment(void)
{
    uint64_t first;
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
}

/* Entry 4 adds the peer; segments begin at 1, 5 and 8. */
static void make(void)
{
    memset(&w, 0, sizeof w);
    io = *plog_io_posix();
    io.clock_real_ns = other_clock;
    ahead = 0;
    world_make(&w, PLOG_ARRIVAL, 0);
    put(2);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(world_open(&w), 0);
    next_segment();
    put(3);
    next_segment();
    put(2);
    world_close(&w);
}

static uint64_t length(const char *name)
{
    size_t n;
    free(world_read(world_path(&w, name), &n));
    return n;
}

#define FIRST "log/00000000000000000001.jsonl"
#define SECOND "log/00000000000000000005.jsonl"
#define THIRD "log/00000000000000000008.jsonl"

/* ---- Figures ----------------------------------------------------------------
 */

static void bytes(void)
{
    make();
    uint64_t a = length(FIRST), b = length(SECOND), c = length(THIRD);
    CHECK(a > 300 && b > 300 && c > 300);
    const uint64_t expected[] = {
        a + b + c,     (uint64_t)((double)a * 3 / 4) + b + c,
        a / 2 + b + c, a / 4 + b + c,
        b + c,         (uint64_t)((double)b * 2 / 3) + c,
        b / 3 + c,     c,
        c / 2,         0};
    for (uint64_t cursor = 0; cursor <= 9; cursor++) {
        if (cursor)
            CHECK_INT(ack("p", cursor, NULL), 0);
        CHECK_INT(look(), 0);
        CHECK_UINT(peers, 1);
        CHECK_UINT(seen.cursor, cursor);
        CHECK_UINT(seen.lag, 9 - cursor);
        CHECK_UINT(seen.lag_bytes, expected[cursor]);
        CHECK(seen.holds_floor);
    }
}

static void seconds(void)
{
    make();
    CHECK_INT(look(), 0);
    CHECK(seen.seen_age < 0); /* never */
    CHECK(seen.lag_seconds >= 0 && seen.lag_seconds < 60);
    CHECK_INT(ack("p", 5, NULL), 0);
    ahead = 1000;
    CHECK_INT(look(), 0);
    CHECK(seen.seen_age > 900 && seen.seen_age < 1100);
    CHECK(seen.added_age > 900 && seen.added_age < 1100);
    CHECK(seen.lag_seconds > 900 && seen.lag_seconds < 1100);
    ahead = -1000; /* a clock that went back: not before it */
    CHECK_INT(look(), 0);
    CHECK(seen.seen_age == 0 && seen.added_age == 0 && seen.lag_seconds == 0);
    CHECK_INT(ack("p", 9, NULL), 0);
    ahead = 1000;
    CHECK_INT(look(), 0);
    CHECK(seen.lag_seconds == 0);
}

/* What the store says of a time, and of an entry, may be no such thing. */
static void an_odd_store(void)
{
    make();
    CHECK_INT(ack("p", 5, NULL), 0);
    world_sql(&w, "UPDATE peers SET seen='yesterday'");
    CHECK_INT(look(), 0);
    CHECK(seen.seen_age < 0);
    world_sql(&w, "UPDATE peers SET cursor=99");
    CHECK_INT(look(), 0);
    CHECK_UINT(seen.lag, 0);
    CHECK_UINT(seen.lag_bytes, 0);
    CHECK(seen.lag_seconds == 0);
    world_sql(&w, "UPDATE peers SET cursor=5");
    world_sql(&w, "UPDATE events SET line='x' WHERE seq=6");
    CHECK(look() < 0);
    CHECK(err.code < 0 && err.message[0]);
    CHECK_UINT(peers, 0);
    world_sql(&w, "DELETE FROM events WHERE seq=6");
    CHECK_INT(look(), 0); /* gone is no error: below a floor they are */
    CHECK(seen.lag_seconds == 0);
    world_sql(&w, "UPDATE events SET line='x' WHERE seq=4");
    CHECK_INT(look(), PLOG_E_CORRUPT);
}

/* Segments that the store does not know yet are not behind its head. */
static void a_store_behind(void)
{
    char kept[600], from[700];
    make();
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    tree_copy(w.dir, kept);
    uint64_t expected = length(FIRST) + length(SECOND) + length(THIRD);
    CHECK_INT(world_open(&w), 0);
    put(3);
    next_segment();
    put(3);
    world_close(&w);
    static const char *const names[] = {"store.db", "store.db-wal",
                                        "store.db-shm"};
    for (int i = 0; i < 3; i++) {
        unlink(world_path(&w, names[i]));
        snprintf(from, sizeof from, "%s/%s", kept, names[i]);
        if (access(from, F_OK) == 0)
            world_copy(from, world_path(&w, names[i]));
    }
    CHECK_INT(look(), 0);
    CHECK_UINT(seen.lag, 9);
    CHECK_UINT(seen.lag_bytes, expected);
}

/* ---- Acknowledging ----------------------------------------------------------
 */

static void nobody(void)
{
    char name[256];
    make();
    CHECK_INT(ack("q", 3, NULL), PLOG_E_NOT_FOUND);
    CHECK_TEXT(err.message, "there is no peer q");
    memset(name, 'q', 255);
    name[255] = '\0';
    CHECK_INT(ack(name, 3, NULL), PLOG_E_NOT_FOUND);
    CHECK_UINT(strlen(err.message), strlen("there is no peer ") + 200);
}

/* A root that the log cannot give is not believed. */
static void no_root(void)
{
    struct plog_compact_options o = {.struct_size = sizeof o};
    struct plog_compact_report c;
    unsigned char root[PLOG_HASH_SIZE] = {0};
    size_t n;
    make();
    for (uint64_t seq = 1; seq <= 9; seq++)
        CHECK_INT(ack("p", seq, root), PLOG_E_FORK);
    CHECK_INT(look(), 0);
    CHECK_UINT(seen.cursor, 0);
    /* Damage before it. */
    char *whole = world_read(world_path(&w, SECOND), &n);
    whole[n / 2] ^= 1;
    world_write(world_path(&w, SECOND), whole, n);
    int rc = ack("p", 6, root);
    CHECK(rc == PLOG_E_CORRUPT || rc == PLOG_E_TAMPERED);
    CHECK_INT(err.code, rc);
    whole[n / 2] ^= 1;
    world_write(world_path(&w, SECOND), whole, n);
    free(whole);
    /* A name in log/ that is none of ours. */
    world_write(world_path(&w, "log/notes.txt"), "x", 1);
    rc = ack("p", 6, root);
    CHECK(rc < 0 && rc != PLOG_E_FORK);
    CHECK_INT(err.code, rc);
    CHECK_INT(unlink(world_path(&w, "log/notes.txt")), 0);
    /* Below the floor. */
    CHECK_INT(ack("p", 7, NULL), 0);
    CHECK_INT(plog_compact(w.dir, &o, &c, NULL), 0);
    CHECK_UINT(c.to, 7);
    CHECK_INT(peers_add(&w, "new"), 0);
    CHECK_INT(ack("new", 3, root), PLOG_E_PRUNED);
    CHECK_INT(ack("new", 3, NULL), 0);
    CHECK_INT(ack("new", 8, root), PLOG_E_FORK);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"bytes", bytes},
        {"seconds", seconds},
        {"an odd store", an_odd_store},
        {"a store behind", a_store_behind},
        {"nobody", nobody},
        {"no root", no_root},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
