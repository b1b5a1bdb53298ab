/*
 * test_store_redact.c - which orders the store says are seen to: all of them,
 * but for those about entries that are out of reach, which are kept.
 */
#include <stdio.h>

#include "check.h"
#include "engine.h"
#include "world.h"

static struct world w;

static int64_t pending_of(uint64_t target)
{
    char sql[100];
    snprintf(sql, sizeof sql, "SELECT pending FROM redactions WHERE target=%d",
             (int)target);
    return world_number(&w, sql);
}

static void scrubbed_or_kept(void)
{
    static const uint64_t kept[] = {4, 6};
    struct plog_buf seqs;
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    world_sql(&w, "INSERT INTO redactions VALUES(11,3,1),(12,4,1),(13,5,2),"
                  "(14,6,2),(15,7,0)");
    CHECK_INT(world_open(&w), 0);
    struct plog_store *s = &w.p->legs.store;
    plog_buf_init(&seqs, plog_io_posix());
    CHECK_INT(plog_buf_add(&seqs, kept, sizeof kept), 0);
    CHECK_INT(plog_store_begin(s, NULL), 0);
    CHECK_INT(plog_store_scrubbed(s, &seqs, NULL), 0);
    CHECK_INT(plog_store_commit(s, NULL), 0);
    for (uint64_t target = 3; target < 8; target++)
        CHECK_INT(pending_of(target), target == 4 || target == 6 ? 2 : 0);
    CHECK_INT(plog_store_begin(s, NULL), 0);
    CHECK_INT(plog_store_not_kept(s, 4, NULL), 0);
    CHECK_INT(plog_store_commit(s, NULL), 0);
    CHECK_INT(pending_of(4), 2);
    CHECK_INT(pending_of(6), 1);
    plog_buf_fini(&seqs);
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"scrubbed or kept", scrubbed_or_kept},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
