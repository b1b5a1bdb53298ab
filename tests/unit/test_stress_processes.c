/*
 * test_stress_processes.c - several processes do all that changes a log at
 * once: appends, rotations, peers, compaction, redaction, replay, restore.
 * Runs under the thread sanitizer, too.
 */
#include <stdio.h>

#include "busy.h"
#include "check.h"
#include "order_shim.h"

#define PROCESSES 3
#define GROUPS 150

/* Nobody is refused but as he may be, nobody sees damage, and in the end all
 * of it is there. */
static void all_at_once(void)
{
    static struct ledger l;
    struct busy *b = busy_share();
    pid_t pids[PROCESSES];
    uint64_t seed = check_seed();
    char dir[512];
    REQUIRE(ledger_init(&l, check_random(&seed)));
    snprintf(dir, sizeof dir, "%.400s/log", check_dir());
    ledger_begin(&l, dir);
    busy_reset(b, GROUPS);
    for (unsigned i = 0; i < PROCESSES; i++)
        pids[i] = busy_start(b, &l, i, check_random(&seed));
    int64_t until = ledger_now_us() + 100000000;
    while (atomic_load(&b->next) < GROUPS && ledger_now_us() < until)
        ledger_take(&l, 10000);
    for (unsigned i = 0; i < PROCESSES; i++)
        busy_stop(b, pids[i]);
    ledger_take(&l, 0);
    CHECK(l.acked_groups >= GROUPS / 2);
    ledger_judge(&l, order_io());
    ledger_close(&l);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {{"all at once", all_at_once}};
    return check_main(argc, argv, cases, 1);
}
