/*
 * test_redact_keys.c - which keys an order that came along in orders/ counts
 * under.  A copy that goes on is read with the key that it has now and no
 * other: the one that signed the order is met only behind the line that the
 * order is about.  It counts all the same, from the first line on; an order by
 * a key that is never one of the log's counts nowhere.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "buf.h"
#include "check.h"
#include "peers.h"
#include "redacting.h"
#include "world.h"

#define SEGMENT "log/00000000000000000001.jsonl"
#define PAYLOAD "\"v\":\"v0\"" /* of entry 2 */
#define OTHER "\"v\":\"v1\""   /* of entry 3, which nobody of ours redacted */
#define ORDER "orders/63"

static struct world w;      /* the copy */
static struct world forger; /* another one, under a name and key of its own */
static struct plog_error err;
static char key[PLOG_VKEY_MAX]; /* of the copy, the one that it has now */
static char *backup;            /* of the first segment */
static size_t backup_n;

static void take(struct world *to, const struct world *from, uint64_t at,
                 const char *name, char *vkey)
{
    struct plog_restore_report r;
    struct plog_restore_options o = {
        .struct_size = sizeof o, .at_seq = at, .continue_as = name};
    char out[560];
    snprintf(out, sizeof out, "%.480s-%s", from->dir, name ? name + 5 : "at");
    CHECK_INT(plog_restore(from->dir, out, &o, &r, NULL), 0);
    to->p = NULL;
    to->options = from->options;
    snprintf(to->dir, sizeof to->dir, "%.511s", out);
    if (vkey)
        memcpy(vkey, r.vkey, PLOG_VKEY_MAX);
}

/* Another key at 32; 62 entries. */
static void make_source(struct world *source)
{
    struct plog_rotate_report r;
    struct plog_rotate_options o = {.struct_size = sizeof o};
    peers_make(source, PLOG_KEEP_LOCAL, 30);
    CHECK_INT(plog_key_rotate(source->dir, &o, &r, NULL), 0);
    CHECK_INT(world_open(source), 0);
    peers_put(source, 30, 60);
    world_close(source);
}

/* The order of entry 2, at 63, is signed by the second key; the copy ends at
 * 40 and goes on. */
static void make(void)
{
    struct world source = {.p = NULL};
    struct plog_redact_report r;
    make_source(&source);
    free(backup);
    backup = world_read(world_path(&source, SEGMENT), &backup_n);
    REQUIRE(strstr(backup, PAYLOAD) != NULL);
    CHECK_INT(redacting_order(&source, 2, &r, &err), 0);
    CHECK_UINT(r.order, 63);
    take(&w, &source, 40, "test.on", key);
    world_remove(source.dir);
    REQUIRE(world_has(&w, ORDER));
    CHECK_INT(world_open(&w), 0);
    for (int i = 0; i < 30; i++)
        CHECK_INT(world_put(&w, NULL, "on", "v", NULL), 0);
    world_close(&w);
    take(&forger, &w, 0, "test.forged", NULL);
}

static void bring_back(void)
{
    world_write(world_path(&w, SEGMENT), backup, backup_n);
}

static void done(void)
{
    world_remove(forger.dir);
    world_remove(w.dir);
}

/* Both checks, with the copy's key alone, and with those that lie there. */
static void finds(int verdict, uint64_t pending)
{
    for (int i = 0; i < 2; i++) {
        struct plog_check_options o = {.vkey = i ? key : NULL};
        struct world_found f;
        CHECK_INT(world_verify(&w, &o, &f), verdict);
        CHECK_INT(world_parity(&w, &o, &f), verdict);
        CHECK_UINT(f.report.pending, pending);
        CHECK_UINT(f.report.pending_at, pending ? 2 : 0);
    }
}

static bool stored(const struct world *of, const char *payload)
{
    char sql[120];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM events WHERE seq<4 AND line LIKE '%%%s%%'",
             payload);
    return world_number(of, sql) != 0;
}

static int replay(bool fresh, struct plog_replay_report *r)
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .fresh = fresh, .vkey = key};
    return plog_replay(w.dir, &o, r, &err);
}

/* ---- A key of the log --------------------------------------------------- */

static void clean(void)
{
    struct plog_drill_report d;
    struct plog_drill_options o = {.struct_size = sizeof o, .vkey = key};
    make();
    finds(0, 0);
    CHECK_INT(plog_drill(w.dir, &o, &d, NULL), 0);
    CHECK_INT(d.verdict, 0);
    done();
}

/* There is nothing to heal; and behind damage all comes back as it was. */
static void salvaged(void)
{
    struct plog_salvage_report r;
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .vkey = key, .from_store = true};
    size_t n, m;
    make();
    CHECK_INT(plog_salvage(w.dir, &o, &r, &err), 0);
    CHECK(!world_has(&w, "quarantine"));
    char *before = world_read(world_path(&w, SEGMENT), &n);
    char *damaged = strdup(before);
    strstr(damaged, OTHER)[5] = 'x';
    world_write(world_path(&w, SEGMENT), damaged, n);
    CHECK_INT(plog_salvage(w.dir, &o, &r, &err), 0);
    char *after = world_read(world_path(&w, SEGMENT), &m);
    CHECK(n == m && memcmp(before, after, n) == 0);
    finds(0, 0);
    free(before);
    free(damaged);
    free(after);
    done();
}

static void told(void)
{
    make();
    bring_back();
    finds(0, 1);
    done();
}

static void replayed(void)
{
    struct plog_replay_report r;
    make();
    CHECK_INT(replay(true, &r), 0);
    CHECK(!stored(&w, PAYLOAD));
    finds(0, 0);
    bring_back();
    CHECK_INT(replay(true, &r), 0);
    CHECK(!stored(&w, PAYLOAD));
    CHECK(stored(&w, OTHER));
    CHECK_TEXT(world_record(&w, "r0"), "null v1");
    finds(0, 1);
    world_drop_store(&w);
    CHECK_INT(replay(false, &r), 0);
    CHECK(!stored(&w, PAYLOAD));
    finds(0, 1);
    done();
}

/* A replay that stops below the rotation has what the key behind it ordered;
 * so has one that goes on from there, wherever that is. */
static void stopped_below_the_key(void)
{
    static const uint64_t ends[] = {1, 20};
    struct plog_replay_report r;
    struct plog_replay_options o = {
        .struct_size = sizeof o, .fresh = true, .vkey = key};
    make();
    bring_back();
    for (int i = 0; i < 2; i++) {
        o.to = ends[i];
        CHECK_INT(plog_replay(w.dir, &o, &r, &err), 0);
        CHECK_UINT(r.head.size, o.to);
        CHECK(!stored(&w, PAYLOAD));
        CHECK_INT(replay(false, &r), 0);
        CHECK(!stored(&w, PAYLOAD));
        finds(0, 1);
    }
    done();
}

static void rebuilt_and_restored(void)
{
    struct plog_rebuild_report b;
    struct plog_rebuild_options bo = {.struct_size = sizeof bo, .vkey = key};
    struct plog_restore_report r;
    struct plog_restore_options ro = {.struct_size = sizeof ro, .vkey = key};
    struct world other = {.p = NULL};
    make();
    bring_back();
    snprintf(other.dir, sizeof other.dir, "%.490s-built", w.dir);
    CHECK_INT(plog_rebuild_store(w.dir, other.dir, &bo, &b, &err), 0);
    CHECK(!stored(&other, PAYLOAD));
    world_remove(other.dir);
    snprintf(other.dir, sizeof other.dir, "%.490s-again", w.dir);
    CHECK_INT(plog_restore(w.dir, other.dir, &ro, &r, &err), 0);
    CHECK(!redacting_has(&other, SEGMENT, PAYLOAD));
    CHECK(!stored(&other, PAYLOAD));
    CHECK_INT(peers_parity(&other), 0);
    world_remove(other.dir);
    done();
}

/* Into a snapshot it gets neither. */
static void compacted(void)
{
    struct plog_compact_report c;
    struct plog_compact_options o = {
        .struct_size = sizeof o, .vkey = key, .wait_seconds = 0.5};
    make();
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 60), 0);
    bring_back();
    CHECK_INT(plog_compact(w.dir, &o, &c, &err), PLOG_E_LOCKED);
    CHECK_UINT(err.seq, 2);
    done();
}

/* The entry that lets the copy begin where it does, by that key. */
static void floor_too(void)
{
    struct world source = {.p = NULL};
    struct plog_compact_report c;
    struct plog_compact_options co = {.struct_size = sizeof co,
                                      .wait_seconds = 0.5};
    struct plog_replay_report r;
    make_source(&source);
    uint64_t end = world_size(&source);
    CHECK_INT(peers_add(&source, "p"), 0);
    CHECK_INT(peers_ack(&source, "p", 25), 0);
    CHECK_INT(plog_compact(source.dir, &co, &c, &err), 0);
    CHECK(c.to > 2 && c.to < 32);
    take(&w, &source, end, "test.on", key);
    world_remove(source.dir);
    REQUIRE(!world_has(&w, SEGMENT));
    REQUIRE(world_has(&w, "orders"));
    finds(0, 0);
    CHECK_INT(replay(true, &r), 0);
    CHECK_UINT(r.base, c.to);
    finds(0, 0);
    world_remove(world_path(&w, "orders"));
    finds(PLOG_E_CORRUPT, 0);
    world_remove(w.dir);
}

/* ---- What fails once ---------------------------------------------------- */

static int fails; /* of the calls below, which */
static long nth;  /* counted down; 0: none */

static bool now(int which)
{
    return fails == which && nth > 0 && --nth == 0;
}

static int open_at(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    return now(0) ? -EIO
                  : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static int64_t pread_at(void *ctx, int fd, void *buf, size_t n, uint64_t offset)
{
    return now(1) ? -EIO : plog_io_posix()->pread(ctx, fd, buf, n, offset);
}

static int list(void *ctx, int dir, int (*each)(void *, const char *),
                void *arg)
{
    return now(2) ? -EIO : plog_io_posix()->list(ctx, dir, each, arg);
}

static void *alloc(void *ctx, void *p, size_t n)
{
    return n && now(3) ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

/* Nobody takes for none what he could not read: the payload gets into no
 * store, and no parity says that nothing is pending. */
static void one_call_fails(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_replay_report r;
    struct plog_check_report c;
    struct plog_replay_options ro = {
        .struct_size = sizeof ro, .fresh = true, .vkey = key, .io = &io};
    struct plog_check_options co = {
        .struct_size = sizeof co, .vkey = key, .io = &io};
    io.open_at = open_at;
    io.pread = pread_at;
    io.list = list;
    io.alloc = alloc;
    make();
    bring_back();
    CHECK_INT(replay(true, &r), 0);
    for (fails = 0; fails < 4; fails++) {
        bool reached = true;
        for (long n = 1; reached && n < 2000; n += fails == 3 ? 7 : 1) {
            nth = n;
            int rc = plog_parity(w.dir, &co, &c, NULL);
            if (rc == 0 && c.verdict == 0 && !CHECK_UINT(c.pending, 1))
                printf("# parity, call %d, %ld\n", fails, n);
            reached = nth == 0;
        }
        CHECK(!reached);
        reached = true;
        for (long n = 1; reached && n < 2000; n += fails == 3 ? 7 : 1) {
            nth = n;
            int rc = plog_replay(w.dir, &ro, &r, NULL);
            reached = nth == 0;
            nth = 0;
            if (rc == 0 && !CHECK(!stored(&w, PAYLOAD)))
                printf("# replay, call %d, %ld\n", fails, n);
            if (world_has(&w, "quarantine")) /* hundreds of old stores */
                world_remove(world_path(&w, "quarantine"));
        }
        CHECK(!reached);
    }
    nth = 0;
    finds(0, 1);
    done();
}

/* ---- Another key -------------------------------------------------------- */

/* The forger's order of entry 3 lies in our orders/. */
static void forge(void)
{
    struct plog_redact_report r;
    struct world at = {.p = NULL};
    char name[40];
    size_t n;
    make();
    CHECK_INT(redacting_order(&forger, 3, &r, &err), 0);
    take(&at, &forger, 40, NULL, NULL);
    snprintf(name, sizeof name, "orders/%llu", (unsigned long long)r.order);
    char *order = world_read(world_path(&at, name), &n);
    world_write(world_path(&w, "orders/forged"), order, n);
    free(order);
    world_remove(at.dir);
}

/* The line of `text` that begins so; "" when there is none. */
static struct plog_span line_of(const char *text, const char *mark)
{
    const char *at = strstr(text, mark);
    CHECK(at != NULL);
    return plog_span(at ? at : "", at ? strcspn(at, "\n") + 1 : 0);
}

/* A text with `n` bytes of it replaced. */
static void splice(const char *path, char *text, size_t len, const char *at,
                   size_t n, struct plog_span by)
{
    char *changed = malloc(len + by.n);
    size_t before = (size_t)(at - text);
    memcpy(changed, text, before);
    memcpy(changed + before, by.p, by.n);
    memcpy(changed + before + by.n, at + n, len - before - n);
    world_write(path, changed, len - n + by.n);
    free(changed);
}

/* The restore entry that names the forger's key, behind the end of our log, in
 * a group that no commit closes. */
static void name_the_key(void)
{
    char name[60], from[60];
    uint64_t first = world_size(&w) + 1;
    size_t n, end;
    snprintf(from, sizeof from, "log/%020llu.jsonl", (unsigned long long)first);
    do
        snprintf(name, sizeof name, "log/%020llu.jsonl",
                 (unsigned long long)--first);
    while (first > 1 && !world_has(&w, name));
    char *ours = world_read(world_path(&w, name), &n);
    char *theirs = world_read(world_path(&forger, from), &end);
    end = strlen(ours); /* zeros pad it */
    splice(world_path(&w, name), ours, n, ours + end, 0,
           line_of(theirs, "{\"seq\":"));
    free(theirs);
    free(ours);
}

/* Entry 3 as the forger redacted it, in our file. */
static void redact_as_forged(void)
{
    size_t n, m;
    char *ours = world_read(world_path(&w, SEGMENT), &n);
    char *theirs = world_read(world_path(&forger, SEGMENT), &m);
    struct plog_span is = line_of(ours, "{\"seq\":3,");
    splice(world_path(&w, SEGMENT), ours, n, is.p, is.n,
           line_of(theirs, "{\"seq\":3,"));
    CHECK(redacting_has(&w, SEGMENT, OTHER) == false);
    free(theirs);
    free(ours);
}

/* It takes nothing out, neither by itself nor when its key is named by what is
 * none of the log. */
static void forged_takes_nothing(void)
{
    struct plog_replay_report r;
    for (int named = 0; named < 2; named++) {
        forge();
        if (named) {
            name_the_key();
            finds(PLOG_E_TORN, 0);
        } else {
            finds(0, 0);
        }
        CHECK_INT(replay(true, &r), 0);
        CHECK_INT(r.torn_bytes > 0, named);
        CHECK(stored(&w, OTHER));
        CHECK_INT(redacting_fresh(&w), 0);
        CHECK(stored(&w, OTHER));
        finds(0, 0);
        done();
    }
}

/* ... and makes no line good: neither leg, nor both.  Nobody has heard of its
 * key, or it is named by what is none of the log. */
static void forged_is_found(void)
{
    struct plog_replay_report r;
    for (int named = 0; named < 2; named++) {
        int verdict = PLOG_E_UNKNOWN_KEY;
        forge();
        redact_as_forged();
        if (named)
            name_the_key();
        finds(verdict, 0);
        CHECK_INT(replay(true, &r), verdict);
        CHECK_UINT(err.seq, 3);
        CHECK(strstr(err.message, "orders/forged by key ") != NULL);
        CHECK_INT(redacting_fresh(&w), verdict);
        world_drop_store(&w);
        CHECK_INT(replay(false, &r), verdict);
        done();
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"clean", clean},
        {"salvaged", salvaged},
        {"told", told},
        {"replayed", replayed},
        {"stopped below the key", stopped_below_the_key},
        {"rebuilt and restored", rebuilt_and_restored},
        {"compacted", compacted},
        {"the floor, too", floor_too},
        {"one call fails", one_call_fails},
        {"a forged one takes nothing", forged_takes_nothing},
        {"a forged one is found", forged_is_found},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    free(backup);
    return rc;
}
