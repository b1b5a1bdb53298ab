/*
 * kill_writers.c - the storm of kill -9 on the library: one to three writers
 * that append, rotate, compact, redact, restore and more are killed at random
 * moments, with the next ones opening what they left.
 *
 * What a writer was told reaches us through a pipe before we kill it, or never
 * (lib/ledger.h).  Some kills fall into opening and thus into the recovery
 * from the kill before; of several writers, those left alive mend and go on.
 * After up to twenty kills the log is held to the ledger.
 *
 * CHECK_SEED; STORM_BUDGET (seconds, 3); STORM_KILLS: so many instead,
 * whatever it takes.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "busy.h"
#include "check.h"
#include "order_shim.h"

#define WRITERS 3
#define GROUPS 100 /* of a log, then comes a new one */

static struct ledger ledger;
static struct busy *busy;
static uint64_t seed;
static unsigned long kills, opening, several, rounds;

static uint64_t draw(uint64_t below)
{
    return check_random(&seed) % below;
}

/* Kills one writer and counts what it was at. */
static void kill_one(pid_t pid, unsigned long opened_before)
{
    busy_stop(busy, pid);
    ledger_take(&ledger, 0);
    kills++;
    opening += ledger.opened == opened_before;
}

/* A third of the waits is about as long as opening takes. */
static int64_t moment(void)
{
    return (int64_t)(draw(3) ? draw(14000) : draw(2500));
}

/* One to three writers, killed one by one and replaced, and all at the end. */
static void one_round(void)
{
    pid_t pids[WRITERS];
    unsigned count = draw(2) ? 1 : 2 + (unsigned)draw(WRITERS - 1);
    unsigned long before = ledger.opened;
    for (unsigned i = 0; i < count; i++)
        pids[i] = busy_start(busy, &ledger, i, check_random(&seed));
    for (uint64_t left = draw(20); left > 0; left--) {
        unsigned victim = (unsigned)draw(count);
        ledger_listen(&ledger, moment());
        kill_one(pids[victim], before);
        several += count > 1;
        before = ledger.opened;
        pids[victim] = busy_start(busy, &ledger, victim, check_random(&seed));
    }
    ledger_listen(&ledger, moment());
    for (unsigned i = 0; i < count; i++) {
        kill_one(pids[i], before);
        several += count > 1;
    }
    ledger_take(&ledger, 0);
    rounds++;
}

static void new_log(const char *base)
{
    char dir[512];
    for (unsigned i = 0; ledger.dir[0] && i < WRITERS; i++) {
        char out[600];
        snprintf(out, sizeof out, "%s.out%u", ledger.dir, i);
        busy_remove(out);
    }
    if (ledger.dir[0])
        busy_remove(ledger.dir);
    snprintf(dir, sizeof dir, "%.400s/%lu", base, ledger.logs);
    ledger_begin(&ledger, dir);
    busy_reset(busy, GROUPS);
}

static void report(int64_t began)
{
    printf("# %lu kills (%lu before the log was open, %lu of several writers)"
           " in %lu rounds, seed %llu, %.1f s\n",
           kills, opening, several, rounds, (unsigned long long)check_seed(),
           (double)(ledger_now_us() - began) / 1e6);
    ledger_report(&ledger);
}

static void storm(void)
{
    const char *asked = getenv("STORM_KILLS"), *budget = getenv("STORM_BUDGET");
    unsigned long want = asked ? strtoul(asked, NULL, 10) : 0;
    double seconds = budget ? strtod(budget, NULL) : 3;
    int64_t began = ledger_now_us();
    const char *base = check_dir();
    seed = check_seed();
    busy = busy_share();
    if (!ledger_init(&ledger, check_random(&seed)))
        return;
    while (want ? kills < want
                : (double)(ledger_now_us() - began) < seconds * 1e6) {
        if (!ledger.dir[0] || atomic_load(&busy->next) >= GROUPS)
            new_log(base);
        one_round();
        ledger_judge(&ledger, order_io());
        if (check_failing())
            break; /* with the log as it is */
        if (want && rounds % 200 == 0)
            report(began);
    }
    CHECK(kills > 0);
    report(began);
    ledger_close(&ledger);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {{"killed writers", storm}};
    return check_main(argc, argv, cases, 1);
}
