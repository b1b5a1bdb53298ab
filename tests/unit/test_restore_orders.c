/*
 * test_restore_orders.c - a copy that ends below the orders it needs: to redact
 * what it holds, or to begin where it does. They come along with a proof under
 * the commit that closes their own group, so damage behind that does no harm;
 * damage before it is told; and it does not matter whether the order was read
 * as the first group behind the point.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "world.h"

#define FIRST "log/00000000000000000001.jsonl"

static struct world w;
static struct plog_error err;
static struct plog_restore_report r;
static char out[600];

static int restore(struct plog_restore_options o)
{
    o.struct_size = sizeof o;
    memset(&err, 0, sizeof err);
    return plog_restore(w.dir, out, &o, &r, &err);
}
#define RESTORE(...) restore((struct plog_restore_options){__VA_ARGS__})

/* Entry `seq` is another one. */
static void damage(int seq)
{
    char name[60], value[16];
    size_t n;
    int first = seq + 1; /* of the segment that holds it */
    do
        snprintf(name, sizeof name, "log/%020d.jsonl", --first);
    while (first > 1 && !world_has(&w, name));
    snprintf(value, sizeof value, "\"v%d\"", seq);
    char *bytes = world_read(world_path(&w, name), &n);
    char *at = strstr(bytes, value);
    REQUIRE(at != NULL);
    at[1] = 'x';
    world_write(world_path(&w, name), bytes, n);
    free(bytes);
}

static const char *in_log(const char *name)
{
    static char path[60];
    snprintf(path, sizeof path, "log/%s", name);
    return path;
}

static void redact(uint64_t seq)
{
    struct plog_redact_report report;
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "x"};
    CHECK_INT(plog_redact(w.dir, seq, &o, &report, NULL), 0);
}

static void begin(void)
{
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 4096);
    world_close(&w);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
}

/* There is a copy, CLEAN at that size, with that order. */
static void restored(int rc, uint64_t size, const char *order)
{
    struct world copy = {.p = NULL};
    struct world_found f;
    if (!CHECK_INT(rc, 0)) {
        printf("# %s\n", err.message);
        return;
    }
    CHECK_UINT(r.head.size, size);
    snprintf(copy.dir, sizeof copy.dir, "%.500s", out);
    CHECK_INT(world_parity(&copy, NULL, &f), 0);
    if (order)
        CHECK(world_has(&copy, order));
    else
        CHECK(!world_has(&copy, "orders"));
    world_remove(out);
}

/* Entries 2 to 30, 31 redacts 5, 32 to 60. */
static void make(void)
{
    begin();
    world_put_range(&w, 2, 31);
    redact(5);
    world_put_range(&w, 32, 61);
}

static void damage_behind_the_order(void)
{
    make();
    damage(50);
    for (int no_store = 0; no_store < 2; no_store++) {
        if (no_store)
            world_drop_store(&w);
        restored(RESTORE(.at_seq = 4), 4, NULL);
        restored(RESTORE(.at_seq = 20), 20, "orders/31");
        restored(RESTORE(.at_seq = 30), 30, "orders/31");
        restored(RESTORE(.at_seq = 31), 31, NULL);
        CHECK_INT(RESTORE(.at_seq = 50), PLOG_E_TAMPERED);
    }
}

/* The log goes on behind the store, and the copy with it: so do the orders. */
static void a_store_below_the_order(void)
{
    begin();
    world_put_range(&w, 2, 25);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_copy(world_path(&w, "store.db"), world_path(&w, "../old.db"));
    world_put_range(&w, 25, 31);
    redact(5);
    world_put_range(&w, 32, 61);
    world_drop_store(&w);
    world_copy(world_path(&w, "../old.db"), world_path(&w, "store.db"));
    restored(RESTORE(.at_seq = 20), 20, "orders/31");
    restored(RESTORE(.at_seq = 30), 30, "orders/31");
}

/* Nothing proves the order then: neither dry nor in earnest. */
static void damage_before_the_order(void)
{
    make();
    damage(28);
    for (int dry = 0; dry < 2; dry++) {
        CHECK_INT(RESTORE(.at_seq = 20, .dry_run = dry != 0), PLOG_E_TAMPERED);
        CHECK_UINT(err.seq, 28);
        CHECK(strstr(err.hint, "ordered behind that") != NULL);
        CHECK(access(out, F_OK) != 0);
    }
    restored(RESTORE(.at_seq = 4), 4, NULL);
}

/* The same where a segment of before the order is there, so that only the whole
 * lines of the copy ask for it. */
static void damage_before_the_order_of_a_whole_line(void)
{
    size_t n;
    begin();
    world_put_range(&w, 2, 31);
    char *whole = world_read(world_path(&w, FIRST), &n);
    redact(5);
    world_write(world_path(&w, FIRST), whole, n);
    free(whole);
    damage(28);
    for (int dry = 0; dry < 2; dry++) {
        CHECK_INT(RESTORE(.at_seq = 20, .dry_run = dry != 0), PLOG_E_TAMPERED);
        CHECK_UINT(err.seq, 28);
        CHECK(access(out, F_OK) != 0);
    }
}

/* Of a point in time the next group is read, to know that it lies behind: that
 * the order is met there does not make it one of the copy. */
static void a_time_before_the_order(void)
{
    char time[40];
    size_t n;
    make();
    char *line = world_line(&w, 30, &n);
    char *at = strstr(line, "\"logged_at\":\"");
    REQUIRE(at != NULL);
    snprintf(time, sizeof time, "%.27s", at + 13);
    free(line);
    restored(RESTORE(.at_time = time), 30, "orders/31");
    damage(50);
    world_drop_store(&w);
    restored(RESTORE(.at_time = time), 30, "orders/31");
}

/* ---- A segment that nobody can read --------------------------------------
 */

static char unreadable[40]; /* its name */

static int no_such_sector(void *ctx, int dir, const char *name, int flags,
                          uint32_t mode)
{
    return strcmp(name, unreadable) == 0
               ? -EIO
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Its orders are unknown, so no line may pass for one without: a segment of
 * before the order is there, and the order's own is not. */
static void an_order_that_cannot_be_read(void)
{
    size_t n;
    struct plog_io io = *plog_io_posix();
    io.open_at = no_such_sector;
    begin();
    world_put_range(&w, 2, 31);
    char *backup = world_read(world_path(&w, FIRST), &n);
    redact(5);
    world_put_range(&w, 32, 61);
    world_write(world_path(&w, FIRST), backup, n);
    free(backup);
    uint64_t first = 31;
    do
        snprintf(unreadable, sizeof unreadable, "%020d.jsonl", (int)first);
    while (!world_has(&w, in_log(unreadable)) && first-- > 1);
    CHECK(first > 21);
    for (int no_store = 0; no_store < 2; no_store++) {
        if (no_store)
            world_drop_store(&w);
        CHECK_INT(RESTORE(.at_seq = 20, .io = &io), PLOG_E_IO);
        CHECK_TEXT(err.message, "looking for orders to redact failed");
        CHECK_TEXT(err.hint, "run: paritylog parity DIR");
        CHECK(access(out, F_OK) != 0);
        restored(RESTORE(.at_seq = 20), 20, "orders/31");
    }
}

/* ---- Many orders ----------------------------------------------------------
 */

static unsigned opened, renamed;

static int count_open(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    opened += strcmp(name, &FIRST[4]) == 0;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static int count_rename(void *ctx, int from_dir, const char *from, int to_dir,
                        const char *to, bool replace)
{
    renamed += strcmp(to, &FIRST[4]) == 0;
    return plog_io_posix()->rename_at(ctx, from_dir, from, to_dir, to, replace);
}

/* How often a restore opens the first segment: which is whole, and written
 * again in the copy. */
static unsigned opens(const char *whole, size_t n)
{
    struct plog_io io = *plog_io_posix();
    io.open_at = count_open;
    io.rename_at = count_rename;
    world_write(world_path(&w, FIRST), whole, n);
    opened = renamed = 0;
    int rc = RESTORE(.at_seq = 20, .io = &io);
    CHECK_UINT(renamed, 1);
    restored(rc, 20, "orders/31");
    return opened;
}

/* One reading and one writing does for all of them. */
static void many_orders(void)
{
    size_t n;
    begin();
    world_put_range(&w, 2, 31);
    char *whole = world_read(world_path(&w, FIRST), &n);
    redact(2);
    unsigned one = opens(whole, n);
    for (uint64_t seq = 3; seq < 9; seq++)
        redact(seq);
    CHECK_UINT(opens(whole, n), one);
    free(whole);
}

/* ---- A crash while an order is logged ------------------------------------ */

static void put_back(const char *name, const char *bytes, size_t n)
{
    char path[600];
    snprintf(path, sizeof path, "%s", world_path(&w, name));
    world_write(path, bytes, n);
}

/* What was not finished orders nothing, and is no reason to give no copy. */
static void an_order_that_was_not_finished(void)
{
    char last[60];
    size_t n, first_n, store_n;
    begin();
    world_put_range(&w, 2, 31);
    redact(5);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    char *first = world_read(world_path(&w, FIRST), &first_n);
    char *store = world_read(world_path(&w, "store.db"), &store_n);
    int64_t end = world_number(&w, "SELECT offset FROM meta");
    snprintf(last, sizeof last, "log/%020d.jsonl",
             (int)world_number(&w, "SELECT segment FROM meta"));
    redact(6);
    char *bytes = world_read(world_path(&w, last), &n);
    char *commit = strstr(bytes + end, "{\"commit\"");
    REQUIRE(commit != NULL && strstr(bytes + end, "\"redact\"") < commit);
    put_back(last, bytes, (size_t)(commit - bytes));
    put_back(FIRST, first, first_n);
    world_drop_store(&w);
    put_back("store.db", store, store_n);
    for (int no_store = 0; no_store < 2; no_store++) {
        if (no_store)
            world_drop_store(&w);
        int rc = RESTORE(.at_seq = 20);
        struct world copy = {.p = NULL};
        snprintf(copy.dir, sizeof copy.dir, "%.500s", out);
        CHECK_TEXT(world_record(&copy, "r6"), "{\"v\":\"v6\"} v1");
        CHECK(!world_has(&copy, "orders/32"));
        restored(rc, 20, "orders/31");
    }
    free(first);
    free(store);
    free(bytes);
}

/* ---- A log that grows ------------------------------------------------------
 */

static struct {
    char name[60], *bytes;
    size_t n;
} grown; /* the last segment */

static int grow(void *arg, const struct plog_progress *p)
{
    (void)arg;
    if (p->done == 1)
        world_write(world_path(&w, grown.name), grown.bytes, grown.n);
    return 0;
}

/* Without a store, the order is the first group behind the end that was known:
 * what follows it does no harm. */
static void an_order_that_was_added(void)
{
    uint64_t first;
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    world_put_range(&w, 2, 11);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    world_close(&w);
    world_put_range(&w, 11, 16);
    snprintf(grown.name, sizeof grown.name, "log/%020d.jsonl", (int)first);
    size_t end = (size_t)world_number(&w, "SELECT offset FROM meta");
    redact(5);
    world_put_range(&w, 17, 21);
    damage(18);
    grown.bytes = world_read(world_path(&w, grown.name), &grown.n);
    REQUIRE(end < grown.n);
    REQUIRE(truncate(world_path(&w, grown.name), (off_t)end) == 0);
    world_drop_store(&w);
    restored(RESTORE(.progress = grow), 15, "orders/16");
    free(grown.bytes);
}

/* The entry that lets the log begin where it does stands behind the point. */
static void damage_behind_a_compaction(void)
{
    struct plog_compact_report c;
    char order[30];
    begin();
    world_put_range(&w, 2, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    CHECK_INT(plog_compact(w.dir, NULL, &c, NULL), 0);
    uint64_t at = world_size(&w);
    CHECK(c.to > 2 && c.to < 21);
    snprintf(order, sizeof order, "orders/%" PRIu64, at);
    world_put_range(&w, (int)at + 1, (int)at + 30);
    damage((int)at + 20);
    world_drop_store(&w);
    restored(RESTORE(.at_seq = 30), 30, order);
    restored(RESTORE(.at_seq = at), at, NULL);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"damage behind the order", damage_behind_the_order},
        {"a store below the order", a_store_below_the_order},
        {"damage before the order", damage_before_the_order},
        {"damage before the order of a whole line",
         damage_before_the_order_of_a_whole_line},
        {"a time before the order", a_time_before_the_order},
        {"an order that cannot be read", an_order_that_cannot_be_read},
        {"many orders", many_orders},
        {"an order that was not finished", an_order_that_was_not_finished},
        {"an order that was added", an_order_that_was_added},
        {"damage behind a compaction", damage_behind_a_compaction},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
