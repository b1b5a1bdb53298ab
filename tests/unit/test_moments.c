/*
 * test_moments.c - stores, logs and snapshots that were put together from
 * different moments: every command says the same of them, and names what then
 * works.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "peers.h"
#include "world.h"

#define ANEW "paritylog replay DIR --fresh (keeps this store in quarantine/)"

static struct world w;
static struct world_found f;
static struct plog_error err;
static struct plog_replay_report r;
static char old[600]; /* a copy of before */

static int replay(bool dry_run, bool fresh)
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .dry_run = dry_run, .fresh = fresh};
    memset(&err, 0, sizeof err);
    return plog_replay(w.dir, &o, &r, &err);
}

static void keep_old(void)
{
    world_close(&w);
    snprintf(old, sizeof old, "%.500s.old", w.dir);
    world_copy(w.dir, old);
}

/* ---- Rows behind the head ----------------------------------------------- */

/* A replay, its dry run and an opening say the same, and what heals it. */
static void refused(const char *sql)
{
    world_take_store(&w, old);
    world_sql(&w, sql);
    for (int dry = 1; dry >= 0; dry--)
        if (!CHECK_INT(replay(dry != 0, false), PLOG_E_DIVERGED) ||
            !CHECK(!strcmp(err.hint, "run: " ANEW) ||
                   !strcmp(err.hint, "run: paritylog parity DIR")))
            printf("# %s\n", sql);
    CHECK_INT(world_open(&w), PLOG_E_DIVERGED);
    CHECK(world_parity(&w, NULL, &f) != PLOG_E_BEHIND);
    CHECK_TEXT(f.first[0].next, ANEW);
    CHECK_INT(replay(false, true), 0);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
}

/* As when store.db and its WAL are of different moments. */
static void rows_behind_the_head(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    keep_old();
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 30, 50);
    world_close(&w);
    refused("INSERT INTO events SELECT 40,'x',resource,record_id,op,outcome,"
            "previous,line FROM events WHERE seq=5");
    refused("INSERT INTO checkpoints VALUES(40,'x')");
    refused("INSERT INTO segments VALUES(33)");
    refused("INSERT INTO rotations VALUES(32)");
    refused("INSERT INTO redactions VALUES(32,2,0)");
    refused("INSERT INTO compactions VALUES(32,11,0)");
    world_remove(old);
    world_end(&w, 51);
}

/* Where the log was compacted past the store, too, and nothing of the two is
 * compared. */
static void before_the_floor(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 32), 0);
    keep_old();
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK(peers_floor(&w) > 0);
    world_take_store(&w, old);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_BEHIND);
    CHECK_INT(replay(true, false), 0);
    refused("INSERT INTO compactions VALUES(33,11,0)");
    world_remove(old);
    world_end(&w, 33);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"rows behind the head", rows_behind_the_head},
        {"before the floor", before_the_floor},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
