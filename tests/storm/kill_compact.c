/*
 * kill_compact.c - SIGKILL at every system call of a compaction, and of the
 * recovery from it.
 *
 * A child compacts under ptrace and is killed as it enters its n-th system
 * call.  Then: the directory opens, the floor is the old one or the new one,
 * parity is CLEAN, every entry above the floor can be read, no id is
 * forgotten, and the same call again finishes.  Of 200 kills, drawn by the
 * seed, the recovery is killed at system calls of its own first.
 *
 * STORM_BUDGET (seconds, 10): as many kills as fit, spread over all calls;
 * STORM_ALL: every call, whatever it takes.  CHECK_SEED.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

#define ENTRIES 36
#define TWICE 200 /* kills whose recovery is killed, too */
#define POINTS 3  /* ... each at so many of its calls */

static struct world base;
static uint64_t size, old_floor, new_floor, seed = 1;
static long calls; /* of a compaction that nobody kills */
static unsigned kills, old_held, new_held;

static uint64_t draw(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % (below ? below : 1);
}

static int compact(const struct world *w)
{
    struct plog_compact_report r;
    struct plog_compact_options o = {
        .struct_size = sizeof o, .wait_seconds = 1, .trim_store = true};
    return plog_compact(w->dir, &o, &r, NULL);
}

/* ---- Under ptrace ------------------------------------------------------- */

/* Compacts in a child and kills it at its n-th system call; n 0: never.
 * Returns how many calls there were, or -1 when tracing is not allowed. */
static long trace(const struct world *w, long n)
{
    int status;
    long seen = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
            _exit(3);
        raise(SIGSTOP);
        _exit(compact(w) ? 1 : 0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        return -1;
    ptrace(PTRACE_SETOPTIONS, pid, NULL,
           (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
    bool inside = false;
    int pass = 0;
    for (;;) {
        if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)pass))
            break;
        if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
            break;
        pass = 0;
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            pass = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
            continue;
        }
        inside = !inside;
        if (inside && ++seen == n) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return seen;
        }
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return seen;
}

/* ---- What must hold ----------------------------------------------------- */

static int next_line(void *arg, uint64_t seq, const char *line, size_t len)
{
    uint64_t *last = arg;
    (void)line, (void)len;
    CHECK(*last == 0 || seq == *last + 1);
    *last = seq;
    return 0;
}

static uint64_t floor_of(const struct world *w)
{
    struct plog_status s;
    CHECK_INT(plog_read_status(w->dir, NULL, &s, NULL), 0);
    return s.floor;
}

static void judge(struct world *w, long n)
{
    struct world_found f;
    struct plog_receipt again = {0};
    plog_reader *r;
    uint64_t last = 0;
    CHECK_INT(world_open(w), 0);
    world_close(w);
    uint64_t floor = floor_of(w);
    CHECK(floor == old_floor || floor == new_floor);
    old_held += floor == old_floor;
    new_held += floor == new_floor;
    if (!CHECK_INT(world_parity(w, NULL, &f), 0))
        printf("# killed at call %ld\n", n);
    CHECK_INT(plog_reader_open(&r, w->dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_log(r, floor + 1, 0, next_line, &last, NULL), 0);
    plog_reader_close(r);
    CHECK(last >= size);
    CHECK_INT(compact(w), 0);
    CHECK_UINT(floor_of(w), new_floor);
    CHECK_INT(world_parity(w, NULL, &f), 0);
    CHECK_INT(world_open(w), 0);
    CHECK_INT(world_put(w, "i2", "r2", "v2", &again), 0);
    CHECK(again.duplicate);
    world_close(w);
}

static void kill_at(long n, bool twice)
{
    struct world w = base;
    snprintf(w.dir, sizeof w.dir, "%.400s-%ld", base.dir, n);
    for (int i = 0; i < (twice ? POINTS : 1); i++) {
        world_copy(base.dir, w.dir);
        trace(&w, n);
        kills++;
        if (twice) {
            trace(&w, 1 + (long)draw((uint64_t)calls));
            kills++;
        }
        judge(&w, n);
        world_remove(w.dir);
    }
}

/* ---- The storm ---------------------------------------------------------- */

static void make(void)
{
    struct plog_peer_report p;
    struct plog_compact_report r;
    struct plog_compact_options plan = {.struct_size = sizeof plan,
                                        .dry_run = true};
    world_make(&base, PLOG_MERGE_JSON, 4096);
    for (int i = 0; i < ENTRIES; i++) {
        char id[16], record[16], value[16];
        snprintf(id, sizeof id, "i%d", i);
        snprintf(record, sizeof record, "r%d", i % 5);
        snprintf(value, sizeof value, "v%d", i);
        CHECK_INT(world_put(&base, id, record, value, NULL), 0);
    }
    world_close(&base);
    CHECK_INT(plog_peer_add(base.dir, "p", NULL, &p, NULL), 0);
    CHECK_INT(plog_peer_ack(base.dir, "p", 30, NULL, NULL, &p, NULL), 0);
    CHECK_INT(plog_compact(base.dir, &plan, &r, NULL), 0);
    new_floor = r.to;
    size = world_size(&base);
    CHECK(new_floor > 0);
}

static void storm(void)
{
    const char *budget = getenv("STORM_BUDGET");
    double until = world_seconds() + (budget ? strtod(budget, NULL) : 10);
    bool all = getenv("STORM_ALL") != NULL;
    make();
    struct world w = base;
    snprintf(w.dir, sizeof w.dir, "%.400s-0", base.dir);
    world_copy(base.dir, w.dir);
    calls = trace(&w, 0);
    world_remove(w.dir);
    if (calls < 0) {
        check_skip("a process may not trace its child here");
        return;
    }
    if (all) {
        for (long n = 1; n <= calls; n++)
            kill_at(n, false);
        for (int i = 0; i < TWICE; i++)
            kill_at(1 + (long)draw((uint64_t)calls), true);
    } else {
        for (unsigned i = 0; i < 8 || world_seconds() < until; i++)
            kill_at(1 + (long)draw((uint64_t)calls), i % 4 == 3);
    }
    printf("# %u kills in %ld system calls: the old floor held %u times, the"
           " new one %u times\n",
           kills, calls, old_held, new_held);
    world_end(&base, size);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"killed while compacting", storm}};
    const char *given = getenv("CHECK_SEED");
    seed = given ? strtoull(given, NULL, 10) : 1;
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
