/*
 * test_memory.c - goal 8: what verify, parity and replay need of memory does
 * not grow with the log.
 *
 * Log and checks are made in children of this small process, so that each peak
 * is of one alone: the children of a Python begin with the 14 MB that it has,
 * which is more than verify ever takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

#define GROUP 2000
#define CEILING_KIB (45l << 10) /* 16 MB + 8 MB are SQLite's two caches */
#define GROWTH_KIB (2l << 10)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||     \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static struct world w;

/* Why the peak of a process would not be ours; NULL: it is. */
static const char *distorted(void)
{
    const char *preload = getenv("LD_PRELOAD");
    if (SANITIZED)
        return "a sanitizer keeps memory of its own";
    if (preload && strstr(preload, "vgpreload"))
        return "valgrind keeps memory of its own";
    return NULL;
}

/* ---- In a child --------------------------------------------------------- */

/* Runs `act` in a child, which must return 0; its peak in KiB, or -1. */
static long peak_of(int (*act)(int arg), int arg)
{
    struct rusage usage;
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(act(arg) ? 1 : 0);
    if (!CHECK(pid > 0) || !CHECK_INT(wait4(pid, &status, 0, &usage), pid) ||
        !CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return -1;
    return usage.ru_maxrss;
}

static int append_group(plog *p, int first)
{
    static char text[GROUP][256];
    static struct plog_span deltas[GROUP];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = GROUP};
    for (int i = 0; i < GROUP; i++) {
        char id[24], record[24];
        struct world_delta d = {
            .id = id, .record = record, .payload = "{\"text\":\"some words\"}"};
        snprintf(id, sizeof id, "id-%d", first + i);
        snprintf(record, sizeof record, "record-%d", (first + i) * 7 / 10);
        world_text(text[i], sizeof text[i], &d);
        deltas[i].p = text[i];
        deltas[i].n = strlen(text[i]);
    }
    return plog_append_group(p, &g, NULL, NULL);
}

static int fill(int count)
{
    int rc = world_open(&w);
    for (int i = 0; !rc && i < count; i += GROUP)
        rc = append_group(w.p, i);
    world_close(&w);
    return rc;
}

static int verify(int size)
{
    struct world_found f;
    return world_verify(&w, NULL, &f) ||
           f.report.head.size != (uint64_t)size + 1;
}

static int parity(int size)
{
    struct world_found f;
    return world_parity(&w, NULL, &f) ||
           f.report.head.size != (uint64_t)size + 1;
}

static int replay(int size)
{
    struct plog_replay_report r;
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    return plog_replay(w.dir, &o, &r, NULL) || r.applied != (uint64_t)size + 1;
}

/* ---- Cases -------------------------------------------------------------- */

struct peaks {
    long verify, parity, replay; /* KiB */
};

static struct peaks peaks_at(int count)
{
    struct peaks p = {-1, -1, -1};
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    world_close(&w);
    if (peak_of(fill, count) > 0)
        p = (struct peaks){peak_of(verify, count), peak_of(parity, count),
                           peak_of(replay, count)};
    printf("# %d entries: verify %ld KiB, parity %ld KiB, replay %ld KiB\n",
           count, p.verify, p.parity, p.replay);
    world_remove(w.dir);
    return p;
}

static void eight_times_the_log(void)
{
    if (distorted()) {
        check_skip(distorted());
        return;
    }
    struct peaks small = peaks_at(20000), large = peaks_at(160000);
    CHECK(small.verify > 0 && small.parity > 0);
    CHECK(large.verify > 0 && large.parity > 0);
    /* Parity fills SQLite's caches first, which 20,000 entries do not. */
    CHECK(large.verify - small.verify < GROWTH_KIB);
    CHECK(large.parity < CEILING_KIB);
    CHECK(large.replay > 0 && large.replay < CEILING_KIB);
}

/* ---- Behind a kill ------------------------------------------------------ */

#define PADDING (1u << 20)

static size_t largest;

static void *measured(void *ctx, void *p, size_t n)
{
    largest = n > largest ? n : largest;
    return plog_io_posix()->alloc(ctx, p, n);
}

/* A writer that keeps writing pads its segment ahead; killed in the middle of
 * a group, it leaves a line of it and a million empty ones behind. */
static void padding_behind_an_unfinished_group(void)
{
    static const char torn[] = "{\"seq\":3,\"resource\":\"r";
    struct plog_io io = *plog_io_posix();
    size_t len;
    io.alloc = measured;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "a", "r", "x", NULL), 0);
    world_close(&w);
    const char *path = world_path(&w, "log/00000000000000000001.jsonl");
    char *log = world_read(path, &len);
    char *more = realloc(log, len + PADDING);
    REQUIRE(more != NULL);
    memset(more + len, '\n', PADDING);
    memcpy(more + len, torn, sizeof torn - 1);
    world_write(path, more, len + PADDING);
    free(more);
    w.options.io = &io;
    largest = 0;
    CHECK_INT(world_open(&w), 0);
    printf("# %zu bytes at once\n", largest);
    CHECK(largest > 0 && largest < PADDING);
    CHECK_INT(world_put(&w, "b", "r", "x", NULL), 0);
    world_end(&w, 3);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"eight times the log", eight_times_the_log},
        {"padding behind an unfinished group",
         padding_behind_an_unfinished_group},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
