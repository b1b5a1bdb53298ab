/*
 * full_disk.c - a disk that is full in the middle of everything, and has room
 * again.
 *
 * The log lies on a tmpfs that is made small under a writer (lib/busy.h) which
 * appends, rotates, compacts, redacts, replays, restores: some call finds no
 * space.  What comes back may only say so; nothing is acknowledged in part.  As
 * soon as there is room the same process goes on, without help.  In the end the
 * log is held to the ledger.
 *
 * CHECK_SEED; STORM_BUDGET (seconds, 2); STORM_SQUEEZES: so many instead. Needs
 * root.
 */
#include <stdio.h>
#include <stdlib.h>

#include "busy.h"
#include "check.h"
#include "loopfs.h"
#include "order_shim.h"

#define GROUPS 300
#define MIB ((uint64_t)1 << 20)
#define PATIENCE 20000000 /* us until the writer must have gone on */

static struct ledger ledger;
static struct busy *busy;
static uint64_t seed;
static char place[512];
static unsigned long squeezes, rounds;

static uint64_t draw(uint64_t below)
{
    return check_random(&seed) % below;
}

static unsigned long refused(void)
{
    unsigned long n = 0;
    for (size_t i = 0; i < sizeof ledger.ops / sizeof *ledger.ops; i++)
        n += ledger.ops[i].refused;
    return n;
}

static void new_log(void)
{
    char dir[600];
    if (ledger.dir[0]) {
        snprintf(dir, sizeof dir, "%s.out0", ledger.dir);
        busy_remove(dir);
        busy_remove(ledger.dir);
    }
    snprintf(dir, sizeof dir, "%.400s/%lu", place, ledger.logs);
    ledger_begin(&ledger, dir);
    busy_reset(busy, GROUPS);
    busy->tight = true;
}

/* Full, until somebody was refused something; then not any more, and something
 * must be acknowledged. */
static void squeeze(void)
{
    unsigned long before = refused();
    int64_t until = ledger_now_us() + 300000;
    CHECK_INT(loopfs_tmpfs_room(place, draw(40) * 4096), 0);
    while (refused() == before && ledger_now_us() < until)
        ledger_take(&ledger, 2000);
    ledger_listen(&ledger, (int64_t)draw(20000));
    CHECK_INT(loopfs_tmpfs_room(place, 256 * MIB), 0);
    squeezes++;
    unsigned long acknowledged = ledger.acked_groups;
    until = ledger_now_us() + PATIENCE;
    while (ledger.acked_groups == acknowledged && ledger_now_us() < until &&
           atomic_load(&busy->next) < GROUPS)
        ledger_take(&ledger, 2000);
    CHECK(ledger.acked_groups > acknowledged ||
          atomic_load(&busy->next) >= GROUPS);
}

static void one_round(void)
{
    pid_t pid = busy_start(busy, &ledger, 0, check_random(&seed));
    for (uint64_t left = 1 + draw(5); left > 0 && !check_failing(); left--) {
        ledger_listen(&ledger, (int64_t)draw(20000));
        squeeze();
    }
    ledger_listen(&ledger, (int64_t)draw(10000));
    busy_stop(busy, pid);
    ledger_take(&ledger, 0);
    ledger_judge(&ledger, order_io());
    rounds++;
}

static void storm(void)
{
    const char *asked = getenv("STORM_SQUEEZES");
    const char *budget = getenv("STORM_BUDGET");
    unsigned long want = asked ? strtoul(asked, NULL, 10) : 0;
    double seconds = budget ? strtod(budget, NULL) : 2;
    const char *why = loopfs_private();
    int64_t began = ledger_now_us();
    snprintf(place, sizeof place, "%.400s/small", check_dir());
    if (!why && loopfs_tmpfs(place, 256 * MIB))
        why = "a tmpfs cannot be mounted";
    if (why) {
        check_skip(why);
        return;
    }
    seed = check_seed();
    busy = busy_share();
    if (!ledger_init(&ledger, check_random(&seed)))
        return;
    while (!check_failing() &&
           (want ? squeezes < want
                 : (double)(ledger_now_us() - began) < seconds * 1e6)) {
        if (!ledger.dir[0] || atomic_load(&busy->next) >= GROUPS - 100)
            new_log();
        one_round();
    }
    CHECK(refused() > 0);
    printf("# %lu times full in %lu rounds, %lu operations refused, seed %llu,"
           " %.1f s\n",
           squeezes, rounds, refused(), (unsigned long long)check_seed(),
           (double)(ledger_now_us() - began) / 1e6);
    ledger_report(&ledger);
    ledger_close(&ledger);
    loopfs_tmpfs_end(place);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {{"a full disk", storm}};
    return check_main(argc, argv, cases, 1);
}
