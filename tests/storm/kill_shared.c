/*
 * kill_shared.c - the storm of kill -9 on processes that share groups: six
 * append deltas without ids, one of them is killed at a random moment, and
 * another one takes its place.
 *
 * Whoever leads when it is killed has most of the others' deltas in its group.
 * So a survivor must hear of each of its own deltas that it is logged, in the
 * place that the receipt says; and no delta may be there twice, for nobody has
 * asked for it twice.  After a hundred kills the log is held to that.
 *
 * What was asked and told stands in memory that the processes share with us,
 * and that outlives them.
 *
 * CHECK_SEED; STORM_BUDGET (seconds, 3); STORM_KILLS: so many instead,
 * whatever it takes.
 */
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

#define WRITERS 6
#define MOST (1u << 20) /* deltas of a log */
#define ROUND 100       /* kills */

static struct {
    _Atomic unsigned next;  /* the next delta's number */
    _Atomic unsigned wrong; /* appends of a living process that failed */
    char what[200];         /* the first of them */
    _Atomic uint64_t told[MOST];
} *all;

static struct world w;
static uint64_t seed;
static unsigned long kills, acknowledged, logged, groups;

/* ---- A writer ----------------------------------------------------------- */

static void append_on(void)
{
    struct plog_error err;
    unsigned n;
    if (world_open(&w))
        _exit(2);
    while ((n = atomic_fetch_add(&all->next, 1)) < MOST) {
        char number[24], text[400];
        struct plog_receipt r;
        const struct world_delta d = {
            .record = number, .op = "upsert", .payload = "{}"};
        snprintf(number, sizeof number, "%u", n);
        world_text(text, sizeof text, &d);
        if (world_append(&w, text, &r, &err) == 0)
            all->told[n] = r.seq;
        else if (atomic_fetch_add(&all->wrong, 1) == 0)
            snprintf(all->what, sizeof all->what, "%d %.150s", err.code,
                     err.message);
    }
    _exit(0);
}

static pid_t start(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        append_on();
    CHECK(pid > 0);
    return pid;
}

static void end(pid_t pid)
{
    int status = 0;
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    kills++;
}

/* ---- What is there ------------------------------------------------------ */

/* Each delta at most once, and each that was acknowledged where it should be. */
static void judge(void)
{
    static uint64_t seqs[MOST];
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    unsigned asked = all->next < MOST ? all->next : MOST;
    memset(seqs, 0, sizeof seqs);
    REQUIRE(world_open(&w) == 0); /* mends what the last one left */
    world_end(&w, world_size(&w));
    REQUIRE(sqlite3_open(world_path(&w, "store.db"), &db) == SQLITE_OK);
    REQUIRE(sqlite3_prepare_v2(db,
                               "SELECT CAST(record_id AS INTEGER), seq"
                               " FROM events WHERE record_id IS NOT NULL",
                               -1, &q, NULL) == SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW) {
        unsigned n = (unsigned)sqlite3_column_int(q, 0);
        if (!CHECK(n < asked) || !CHECK_UINT(seqs[n], 0)) /* once */
            break;
        seqs[n] = (uint64_t)sqlite3_column_int64(q, 1);
        logged++;
    }
    sqlite3_finalize(q);
    sqlite3_close(db);
    for (unsigned n = 0; n < asked; n++) {
        if (all->told[n] && !CHECK_UINT(seqs[n], all->told[n]))
            break;
        acknowledged += all->told[n] != 0;
    }
    groups += (unsigned long)world_number(&w, "SELECT count(*)"
                                              " FROM checkpoints");
    if (!CHECK_UINT(all->wrong, 0))
        printf("# %s\n", all->what);
}

static void one_round(void)
{
    pid_t pids[WRITERS];
    world_make(&w, PLOG_ARRIVAL, 64 << 10);
    world_close(&w);
    w.options.wait_seconds = 600;
    memset(all, 0, sizeof *all);
    for (unsigned i = 0; i < WRITERS; i++)
        pids[i] = start();
    for (unsigned k = 0; k < ROUND; k++) {
        unsigned victim = (unsigned)(check_random(&seed) % WRITERS);
        usleep((useconds_t)(check_random(&seed) % 12000));
        end(pids[victim]);
        pids[victim] = start();
    }
    for (unsigned i = 0; i < WRITERS; i++)
        end(pids[i]);
    judge();
    world_remove(w.dir);
}

static void storm(void)
{
    const char *asked = getenv("STORM_KILLS"), *budget = getenv("STORM_BUDGET");
    unsigned long want = asked ? strtoul(asked, NULL, 10) : 0;
    double seconds = budget ? strtod(budget, NULL) : 3;
    double began = world_seconds();
    seed = check_seed();
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(all != MAP_FAILED);
    do
        one_round();
    while (!check_failing() &&
           (want ? kills < want : world_seconds() - began < seconds));
    printf("# %lu kills, %lu deltas logged in %lu groups, %lu acknowledged,"
           " seed %llu, %.1f s\n",
           kills, logged, groups, acknowledged,
           (unsigned long long)check_seed(), world_seconds() - began);
    CHECK(logged > groups);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {{"killed while sharing", storm}};
    return check_main(argc, argv, cases, 1);
}
