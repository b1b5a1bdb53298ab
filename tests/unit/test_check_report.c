/*
 * test_check_report.c - what the report of a check says where there is little
 * to read: whose key it relied on, how much was read; and files that come, go
 * or are moved while it begins, which are no fault of the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "world.h"

#define FIRST "log/00000000000000000001.jsonl"

static struct world w;
static struct plog_io io;
static struct plog_check_report r;
static struct plog_error err;
static unsigned findings;
static char found[2][200]; /* of the first: its file, and what was found */

static int hear(void *arg, const struct plog_finding *f)
{
    (void)arg;
    if (findings++ == 0) {
        snprintf(found[0], sizeof found[0], "%s", f->file);
        snprintf(found[1], sizeof found[1], "%s", f->found);
    }
    return 0;
}

static int verify(const char *vkey)
{
    struct plog_check_options o = {
        .struct_size = sizeof o, .io = &io, .vkey = vkey, .finding = hear};
    memset(&err, 0, sizeof err);
    findings = 0;
    found[0][0] = found[1][0] = '\0';
    return plog_verify(w.dir, &o, &r, &err);
}

static void make(int count)
{
    io = *plog_io_posix();
    peers_make(&w, PLOG_ARRIVAL, count);
}

/* The name of the last segment; lives until the next call. */
static const char *last_segment(void)
{
    static char name[64];
    snprintf(name, sizeof name, "log/%020lld.jsonl",
             (long long)world_number(&w, "SELECT max(first) FROM segments"));
    return name;
}

/* ---- The key, and how much was read -------------------------------------- */

static void whose_key(void)
{
    make(3);
    CHECK_INT(verify(NULL), 0);
    CHECK_TEXT(r.vkey, w.vkey);
    CHECK(!r.pinned);
    CHECK_INT(verify(w.vkey), 0);
    CHECK_TEXT(r.vkey, w.vkey);
    CHECK(r.pinned);
    /* No commit tells: only the one that was given is relied on. */
    CHECK_INT(unlink(world_path(&w, FIRST)), 0);
    world_drop_store(&w);
    CHECK(verify(NULL) < 0);
    CHECK_TEXT(r.vkey, "");
    CHECK(!r.pinned && !r.has_store && r.head.size == 0);
    CHECK_UINT(r.bytes, 0);
    CHECK_UINT(r.segments, 0);
    CHECK(verify(w.vkey) < 0);
    CHECK_TEXT(r.vkey, w.vkey);
    CHECK(r.pinned);
}

/* What could be read counts, once. */
static void how_much(void)
{
    struct stat st;
    uint64_t all = 0;
    char name[64], path[700];
    make(24);
    CHECK_INT(verify(NULL), 0);
    CHECK_INT(r.verdict, 0);
    CHECK(r.segments > 1);
    uint64_t segments = r.segments;
    snprintf(name, sizeof name, "%s", last_segment());
    snprintf(path, sizeof path, "%s", world_path(&w, name));
    all = r.bytes;
    CHECK_INT(stat(path, &st), 0);
    CHECK(all > (uint64_t)st.st_size / 2);
    size_t n;
    char *text = world_read(path, &n);
    while (n > 1 && text[n - 1] == '\n' && text[n - 2] == '\n')
        n--; /* padding is not read as lines */
    free(text);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK_INT(verify(NULL), 0);
    CHECK_INT(r.verdict, PLOG_E_CORRUPT);
    CHECK(findings > 0);
    CHECK_TEXT(found[0], name);
    CHECK_UINT(r.segments, segments);
    CHECK_UINT(r.bytes, all - n);
}

/* What stands where the archive and the snapshots would is none of them. */
static void no_folders(void)
{
    make(3);
    world_write(world_path(&w, "archive"), "x", 1);
    world_write(world_path(&w, "snapshots"), "x", 1);
    CHECK_INT(verify(NULL), 0);
    CHECK_TEXT(err.message, "");
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(findings, 0);
}

/* ---- Files that come and go ---------------------------------------------- */

static const char *shy; /* is not there when it is opened, once */
static unsigned slept;

static int shy_open(void *c, int d, const char *name, int flags, uint32_t mode)
{
    if (shy && strcmp(name, shy) == 0 && !(flags & O_DIRECTORY)) {
        shy = NULL;
        return -ENOENT;
    }
    return plog_io_posix()->open_at(c, d, name, flags, mode);
}

static void no_sleep(void *c, int64_t ns)
{
    (void)c;
    CHECK(ns > 0);
    slept++;
}

/* It was listed, it was not there, and now it is: somebody had it away for a
 * moment, and the check begins anew. */
static void back_again(void)
{
    char name[64];
    make(24);
    uint64_t first =
        (uint64_t)world_number(&w, "SELECT first FROM segments ORDER BY first"
                                   " LIMIT 1 OFFSET 1");
    snprintf(name, sizeof name, "%020llu.jsonl", (unsigned long long)first);
    io.open_at = shy_open;
    io.sleep_ns = no_sleep;
    shy = name;
    slept = 0;
    CHECK_INT(verify(NULL), 0);
    CHECK(!shy);
    CHECK_UINT(slept, 1);
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(findings, 0);
    CHECK_UINT(r.head.size, world_size(&w));
    CHECK_UINT(r.entries, r.head.size);
}

static bool moves; /* the last segment goes when the lock is let go of */
static char away[2][700];

static int moving_lock(void *c, int fd, int mode)
{
    int rc = plog_io_posix()->lock(c, fd, mode);
    if (mode == 0 && moves) {
        moves = false;
        CHECK_INT(rename(away[0], away[1]), 0);
    }
    return rc;
}

/* The end of the log is what it was under the lock: that file is kept open,
 * whatever becomes of its name. */
static void moved_away(void)
{
    make(24);
    uint64_t size = world_size(&w);
    snprintf(away[0], sizeof away[0], "%s", world_path(&w, last_segment()));
    snprintf(away[1], sizeof away[1], "%.600s-away", w.dir);
    io.lock = moving_lock;
    io.sleep_ns = no_sleep;
    moves = true;
    slept = 0;
    CHECK_INT(verify(NULL), 0);
    CHECK(!moves);
    CHECK_UINT(slept, 0);
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(findings, 0);
    CHECK_UINT(r.head.size, size);
    CHECK_UINT(r.entries, size);
    CHECK_INT(rename(away[1], away[0]), 0);
}

static bool comes; /* the store has no name yet, and somebody has the lock */

static int coming_stat(void *c, int d, const char *name, struct plog_stat *st)
{
    return comes && strcmp(name, "store.db") == 0
               ? -ENOENT
               : plog_io_posix()->stat_at(c, d, name, st);
}

static int coming_lock(void *c, int fd, int mode)
{
    return comes && mode != 0 ? -EAGAIN : plog_io_posix()->lock(c, fd, mode);
}

static void coming_sleep(void *c, int64_t ns)
{
    no_sleep(c, ns);
    comes = slept < 3;
}

/* A store that is about to get its name is waited for, also by who did not say
 * for how long. */
static void a_store_that_comes(void)
{
    make(3);
    CHECK_INT(mkdir(world_path(&w, "store.new"), 0700), 0);
    io.stat_at = coming_stat;
    io.lock = coming_lock;
    io.sleep_ns = coming_sleep;
    comes = true;
    slept = 0;
    CHECK_INT(verify(NULL), 0);
    CHECK(!comes);
    CHECK_UINT(slept, 3);
    CHECK(r.has_store);
    CHECK_UINT(r.store_size, r.head.size);
    CHECK_INT(r.verdict, 0);
}

static int64_t now; /* of a clock that only sleep moves */
static double held; /* seconds that somebody has the lock */

static int64_t own_clock(void *c)
{
    (void)c;
    return now;
}

static void own_sleep(void *c, int64_t ns)
{
    no_sleep(c, ns);
    now += ns;
}

static int held_lock(void *c, int fd, int mode)
{
    return mode != 0 && (double)now < held * 1e9
               ? -EAGAIN
               : plog_io_posix()->lock(c, fd, mode);
}

static int while_held(double seconds)
{
    io.clock_mono_ns = own_clock;
    io.sleep_ns = own_sleep;
    io.wait_change = NULL;
    io.lock = held_lock;
    now = 0;
    held = seconds;
    return verify(NULL);
}

/* Where a store tells up to where to read, a writer is not waited for; without
 * one he is. */
static void a_writer_who_has_the_lock(void)
{
    make(3);
    uint64_t size = world_size(&w);
    CHECK_INT(while_held(5), 0); /* with one still */
    CHECK_INT(r.verdict, 0);
    CHECK(now < 200000000);
    CHECK_UINT(r.head.size, size);
    world_drop_store(&w);
    CHECK_INT(while_held(5), 0);
    CHECK_INT(r.verdict, 0);
    CHECK(now >= 5000000000 && now < 6000000000);
    CHECK_UINT(r.head.size, size);
    CHECK(!r.has_store);
    CHECK_INT(while_held(100), PLOG_E_LOCKED);
    CHECK_INT(err.code, PLOG_E_LOCKED);
    CHECK(now >= 9900000000 && now < 12000000000);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"whose key", whose_key},
        {"how much", how_much},
        {"no folders", no_folders},
        {"back again", back_again},
        {"moved away", moved_away},
        {"a store that comes", a_store_that_comes},
        {"a writer who has the lock", a_writer_who_has_the_lock},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
