/*
 * test_parity_peers.c - rows of peers that are not what the entries say, of
 * those that were added and of those that were evicted: what is told, whole.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "peers.h"
#include "said.h"
#include "world.h"

static struct world w;

/* Entries 1 to 4; the peers a 5, b 6, of which b is evicted 7, and c 8. */
static void make(void)
{
    struct plog_peer_report r;
    struct plog_peer_options o = {.struct_size = sizeof o, .reason = "gone"};
    world_make(&w, PLOG_ARRIVAL, 0);
    peers_put(&w, 1, 4);
    world_close(&w);
    CHECK_INT(peers_add(&w, "a"), 0);
    CHECK_INT(peers_add(&w, "b"), 0);
    CHECK_INT(plog_peer_evict(w.dir, "b", &o, &r, NULL), 0);
    CHECK_INT(peers_add(&w, "c"), 0);
}

static void each_row(void)
{
#define NONE "peer: none; got peer: a row the log does not give"
#define OTHER "peer: as the log has it; got peer: another, or none"
#define MORE "peer: entries up to the head; got peer: more than there is"
    static const struct {
        const char *edit, *undo;
        int seq; /* 0: nothing is told */
        const char *told;
    } rows[] = {
        {"INSERT INTO peers VALUES('x',3,0,NULL,NULL)",
         "DELETE FROM peers WHERE name='x'", 3, NONE},
        {"INSERT INTO peers VALUES('b',6,0,NULL,NULL)",
         "DELETE FROM peers WHERE name='b'", 6, NONE},
        {"DELETE FROM peers WHERE name='c'",
         "INSERT INTO peers VALUES('c',8,0,NULL,NULL)", 8, OTHER},
        {"UPDATE peers SET added=4 WHERE name='c'",
         "UPDATE peers SET added=8 WHERE name='c'", 8, OTHER},
        {"UPDATE peers SET cursor=8 WHERE name='a'",
         "UPDATE peers SET cursor=0 WHERE name='a'", 0, NULL},
        {"UPDATE peers SET cursor=9 WHERE name='a'",
         "UPDATE peers SET cursor=0 WHERE name='a'", 5, MORE},
        {"UPDATE peers SET cursor=-1 WHERE name='a'",
         "UPDATE peers SET cursor=0 WHERE name='a'", 5, MORE},
    };
    struct plog_check_options o = {.struct_size = sizeof o};
    char want[400];
    make();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world_sql(&w, rows[i].edit);
        want[0] = '\0';
        if (rows[i].seq)
            snprintf(want, sizeof want,
                     "DIVERGED in store, store.db, entry %d: want %s; do"
                     " paritylog replay \n",
                     rows[i].seq, rows[i].told);
        snprintf(want + strlen(want), sizeof want - strlen(want),
                 "%s, head 8, 8 entries 1-8, 3 records, floor 0, 1 segments,"
                 " store 1 8, since 0, pending 0\n",
                 rows[i].seq ? "DIVERGED" : "CLEAN");
        if (!CHECK_TEXT(said_check(plog_parity, w.dir, &o), want))
            printf("# %s\n", rows[i].edit);
        world_sql(&w, rows[i].undo);
    }
    world_end(&w, 8);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"each row", each_row},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
