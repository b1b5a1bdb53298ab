/*
 * test_taking_away.c - the segments below a new floor, once the compact entry
 * is durable: each is told and may be the last for now, a file that cannot be
 * taken away is no success, and the first thing that goes wrong is what is
 * told.  The next compaction does the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_compact_report report;
static struct plog_error err;

/* Some segments; peer `p` has proven that it has all. */
static void make(void)
{
    static char kept[600];
    struct world_found f;
    struct plog_peer_report r;
    if (kept[0]) {
        world_remove(w.dir);
        world_copy(kept, w.dir);
        return;
    }
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(world_verify(&w, NULL, &f), 0);
    CHECK_INT(plog_peer_ack(w.dir, "p", f.report.head.size, f.report.head.root,
                            NULL, &r, NULL),
              0);
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
}

static int compact(struct plog_compact_options o)
{
    o.struct_size = sizeof o;
    memset(&err, 0, sizeof err);
    int rc = plog_compact(w.dir, &o, &report, &err);
    CHECK_INT(err.code, rc);
    return rc;
}

static bool has_segment(uint64_t first)
{
    char name[60];
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
    return world_has(&w, name);
}

/* It stopped with segments below the floor; the same again takes them away. */
static void goes_on(bool discard)
{
    struct plog_status s = {.floor = 0};
    CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
    CHECK(s.floor > 0 && s.below_floor > 0);
    CHECK_INT(compact((struct plog_compact_options){.discard = discard}), 0);
    CHECK(report.resumed);
    CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
    CHECK_UINT(s.below_floor, 0);
    world_end(&w, world_size(&w));
}

/* ---- Told ---------------------------------------------------------------- */

static struct {
    const char *phase;
    unsigned count, stop_at; /* 0: never */
    uint64_t done[8], total;
} told;

static int on_progress(void *arg, const struct plog_progress *p)
{
    (void)arg;
    if (strcmp(p->phase, told.phase) != 0)
        return 0;
    if (told.count < 8)
        told.done[told.count] = p->done;
    told.total = p->total;
    return ++told.count == told.stop_at;
}

/* Each segment by its first entry; told to stop, the others stay for now. */
static void told_and_stopped(void)
{
    for (int discard = 0; discard < 2; discard++)
        for (unsigned stop_at = 0; stop_at < 2; stop_at++) {
            struct plog_compact_options o = {.discard = discard == 1,
                                             .progress = on_progress};
            make();
            uint64_t second = (uint64_t)world_number(
                &w, "SELECT first FROM segments WHERE first>1 ORDER BY first");
            memset(&told, 0, sizeof told);
            told.phase = discard ? "remove" : "archive";
            told.stop_at = stop_at;
            CHECK_INT(compact(o), stop_at ? PLOG_E_INTERRUPTED : 0);
            CHECK(!has_segment(1));
            CHECK_UINT(told.done[0], 1);
            CHECK_UINT(told.total, peers_floor(&w));
            CHECK_INT(has_segment(second), stop_at == 1);
            if (stop_at) {
                CHECK_UINT(told.count, 1);
                goes_on(discard);
            } else {
                CHECK(told.count > 1);
                CHECK_UINT(told.done[1], second);
                world_end(&w, world_size(&w));
            }
        }
}

/* ---- A disk that fails --------------------------------------------------- */

static unsigned calls_left;

static int no_unlink(void *ctx, int dir, const char *name)
{
    size_t n = strlen(name);
    if (n > 6 && !strcmp(name + n - 6, ".jsonl") && calls_left &&
        --calls_left == 0)
        return -EIO;
    return plog_io_posix()->unlink_at(ctx, dir, name);
}

/* A segment that stays in the log is not taken away. */
static void a_file_that_stays(void)
{
    struct plog_io io = *plog_io_posix();
    io.unlink_at = no_unlink;
    for (unsigned nth = 1; nth < 3; nth++) {
        make();
        calls_left = nth;
        CHECK_INT(compact((struct plog_compact_options){.io = &io}), PLOG_E_IO);
        CHECK_UINT(calls_left, 0);
        CHECK(strstr(err.message, "taking a segment away") != NULL);
        CHECK_INT(has_segment(1), nth == 1);
        goes_on(false);
    }
}

static bool is_gone;

static int no_list(void *ctx, int dir, int (*each)(void *, const char *),
                   void *arg)
{
    char link[40], path[700];
    snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (told.count && n > 8 && !memcmp(path + n - 8, "/archive", 8))
        is_gone = true;
    return is_gone ? -ENXIO : plog_io_posix()->list(ctx, dir, each, arg);
}

static int no_sync(void *ctx, int fd)
{
    return is_gone ? -EIO : plog_io_posix()->fsync(ctx, fd);
}

/* The folder of archived segments cannot be read, and then nothing can be
 * synced any more: what came first is told. */
static void the_first_error(void)
{
    struct plog_io io = *plog_io_posix();
    io.list = no_list;
    io.fsync = no_sync;
    make();
    is_gone = false;
    memset(&told, 0, sizeof told);
    told.phase = "archive";
    CHECK_INT(compact((struct plog_compact_options){.io = &io,
                                                    .progress = on_progress}),
              PLOG_E_IO);
    CHECK(is_gone);
    if (!CHECK(strstr(err.message, "listing") != NULL))
        printf("# %s\n", err.message);
    CHECK_INT(compact((struct plog_compact_options){.wait_seconds = 0}), 0);
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"told and stopped", told_and_stopped},
        {"a file that stays", a_file_that_stays},
        {"the first error", the_first_error},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
