/*
 * test_parity_mends.c - what parity tells to do about damage in the log: the
 * store heals it; the store cannot, because it ends before, or holds the same
 * damage; a restored copy that lost its orders/; and that a stretch which
 * nobody can read is told once. Each hint is followed, and leads out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "world.h"

#define HEALS "paritylog salvage DIR --from-store"
#define COPY "bring this file back from a copy of the log"
#define ORDERS "bring orders/ back"

static struct world w;
static struct world_found f;
static char kept[600];

/* Entries 1 to 40, one a group. */
static void make(void)
{
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 4096);
    world_put_range(&w, 2, 41);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
}

/* The path of the segment that holds entry `seq`. */
static const char *segment(int seq)
{
    static char name[60];
    int first = seq + 1;
    do
        snprintf(name, sizeof name, "log/%020d.jsonl", --first);
    while (first > 1 && !world_has(&w, name));
    return name;
}

static void damage(int seq)
{
    char value[16], path[700];
    size_t n;
    snprintf(value, sizeof value, "\"v%d\"", seq);
    snprintf(path, sizeof path, "%s", world_path(&w, segment(seq)));
    char *bytes = world_read(path, &n);
    char *at = strstr(bytes, value);
    REQUIRE(at != NULL);
    at[1] = 'x';
    world_write(path, bytes, n);
    free(bytes);
}

static void says(int verdict, const char *next)
{
    CHECK_INT(world_parity(&w, NULL, &f), verdict);
    for (unsigned i = 0; i < f.count; i++)
        if (f.first[i].leg == PLOG_LEG_LOG &&
            !CHECK(strncmp(f.first[i].next, next, strlen(next)) == 0))
            printf("# %s\n", f.first[i].next);
}

static uint64_t left(void)
{
    struct plog_salvage_report r;
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .from_store = true};
    CHECK_INT(plog_salvage(w.dir, &o, &r, NULL), 0);
    return r.left;
}

/* From the copy, as the hint says; and the store after it. */
static void bring_back(int seq)
{
    char from[700];
    struct plog_replay_report r;
    const char *name = segment(seq);
    snprintf(from, sizeof from, "%s/%s", kept, name);
    world_remove(world_path(&w, name));
    world_copy(from, world_path(&w, name));
    CHECK_INT(plog_replay(w.dir, NULL, &r, NULL), 0);
}

static void the_store_heals(void)
{
    make();
    damage(30);
    says(PLOG_E_TAMPERED, HEALS);
    CHECK_UINT(left(), 0);
    world_end(&w, 40);
    make(); /* nor is a missing segment said to be beyond it */
    CHECK_INT(unlink(world_path(&w, segment(20))), 0);
    says(PLOG_E_CORRUPT, HEALS);
    CHECK_UINT(left(), 0);
    world_end(&w, 40);
}

static void the_store_ends_before(void)
{
    char old[700];
    struct plog_replay_options o = {.struct_size = sizeof o, .to = 25};
    struct plog_replay_report r;
    struct plog_error err = {0};
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 4096);
    world_put_range(&w, 2, 21);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(old, sizeof old, "%.500s-old.db", w.dir);
    world_copy(world_path(&w, "store.db"), old);
    world_put_range(&w, 21, 41);
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
    world_drop_store(&w);
    world_copy(old, world_path(&w, "store.db"));
    damage(30);
    says(PLOG_E_TAMPERED, COPY);
    CHECK_UINT(left(), 1);
    says(PLOG_E_TAMPERED, COPY);
    CHECK_INT(plog_replay(w.dir, &o, &r, &err), PLOG_E_TAMPERED);
    CHECK(strstr(err.hint, "paritylog rebuild DIR --store --out NEW") != NULL);
    bring_back(30);
    world_end(&w, 40);
    world_drop_store(&w);
    world_copy(old, world_path(&w, "store.db"));
    CHECK_INT(unlink(world_path(&w, segment(26))), 0); /* in the middle */
    says(PLOG_E_CORRUPT, COPY);
}

static void both_are_damaged(void)
{
    make();
    damage(30);
    world_sql(&w, "UPDATE events SET line=replace(line,'\"v30\"','\"y30\"')"
                  " WHERE seq=30");
    says(PLOG_E_TAMPERED, COPY);
    CHECK_UINT(left(), 1);
    bring_back(30);
    says(PLOG_E_DIVERGED, ""); /* of the store alone, now */
}

/* Where the order itself is damaged, and the store has it, that is healed
 * first. In a copy that ends below the order nothing has it but orders/. */
static void an_order(void)
{
    char out[600], orders[700];
    size_t n;
    struct plog_redact_report redacted;
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "why"};
    struct plog_restore_options at = {.struct_size = sizeof at, .at_seq = 20};
    struct plog_restore_report r;
    make();
    CHECK_INT(plog_redact(w.dir, 5, &o, &redacted, NULL), 0);
    world_put_range(&w, 42, 50);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    CHECK_INT(plog_restore(w.dir, out, &at, &r, NULL), 0);
    const char *name = segment(41);
    char *bytes = world_read(world_path(&w, name), &n);
    char *reason = strstr(bytes, "\"why\"");
    REQUIRE(reason != NULL);
    reason[1] = 'x';
    world_write(world_path(&w, name), bytes, n);
    free(bytes);
    says(PLOG_E_TAMPERED, HEALS);
    CHECK_UINT(left(), 0);
    world_end(&w, 49);

    snprintf(w.dir, sizeof w.dir, "%.500s", out);
    snprintf(orders, sizeof orders, "%.500s-orders", out);
    world_copy(world_path(&w, "orders"), orders);
    world_remove(world_path(&w, "orders"));
    says(PLOG_E_TAMPERED, ORDERS);
    CHECK_UINT(left(), 1);
    world_copy(orders, world_path(&w, "orders"));
    world_write(world_path(&w, "orders/41"), "x", 1);
    says(PLOG_E_TAMPERED, ORDERS);
    world_remove(world_path(&w, "orders"));
    world_copy(orders, world_path(&w, "orders"));
    world_end(&w, 20);
}

/* The header behind which the log begins: a store that was trimmed up to there
 * proves what follows, from the snapshot on or from what archive/ has, and
 * without both of them nothing. */
static void a_trimmed_store(void)
{
    static const char *const gone[] = {NULL, "snapshots", "archive"};
    char path[700];
    size_t n;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    CHECK_INT(peers_trim(&w, NULL), 0);
    uint64_t floor = peers_floor(&w), size = world_size(&w);
    CHECK(floor > 5);
    snprintf(path, sizeof path, "%s",
             world_path(&w, segment((int)floor + 1)));
    char *bytes = world_read(path, &n);
    bytes[20] ^= 1;
    for (int i = 0; i < 3; i++) {
        world_write(path, bytes, n);
        if (gone[i])
            world_remove(world_path(&w, gone[i]));
        says(PLOG_E_CORRUPT, i < 2 ? HEALS : COPY);
        CHECK((f.report.entries == size - floor) == (i < 2));
        if (i < 2)
            CHECK_UINT(left(), 0);
    }
    free(bytes);
    world_remove(w.dir);
}

/* A key that nobody knows, in each segment. */
static void told_once(void)
{
    struct world other = {.p = NULL};
    make();
    world_make(&other, PLOG_ARRIVAL, 0);
    world_close(&other);
    world_remove(world_path(&w, "keys"));
    char keys[700];
    snprintf(keys, sizeof keys, "%s", world_path(&other, "keys"));
    world_copy(keys, world_path(&w, "keys"));
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_UNKNOWN_KEY);
    CHECK(f.count > 2);
    CHECK_UINT(f.unchecked, 2); /* of the log, of the store */
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"the store heals", the_store_heals},
        {"the store ends before", the_store_ends_before},
        {"both are damaged", both_are_damaged},
        {"an order", an_order},
        {"a trimmed store", a_trimmed_store},
        {"told once", told_once},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
