/*
 * test_thread_groups.c - threads whose requests share a group, and readers
 * among writers.  Runs under the thread sanitizer, too.
 */
#include <pthread.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "sha256.h"
#include "world.h"

static struct world w;

/* ---- Requests that share a group ---------------------------------------- */

#define MATES 12

typedef int hook_fn(void *, sqlite3 *, const uint64_t *, size_t);

struct mate {
    const char *text;
    hook_fn *hook;
    struct plog_receipt receipt;
    int result;
};

static struct mate mates[MATES];
static char texts[MATES][500];
static sem_t held, let_go;

/* Holds the lock, so that everybody else queues behind it. */
static int hold(void *arg, sqlite3 *db, const uint64_t *seqs, size_t n)
{
    (void)arg, (void)db, (void)seqs, (void)n;
    sem_post(&held);
    while (sem_wait(&let_go))
        ;
    return 0;
}

static void *append_mate(void *arg)
{
    struct mate *m = arg;
    struct plog_span d = {m->text, strlen(m->text)};
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = &d,
                           .delta_count = 1,
                           .hook = m->hook};
    m->result = plog_append_group(w.p, &g, &m->receipt, NULL);
    return NULL;
}

/* Appends all mates at once: they queue while one delta of its own holds the
 * lock, and then share one group. */
static void append_together(void)
{
    pthread_t first, ids[MATES];
    char text[500];
    struct world_delta d = {.id = "first"};
    struct mate m = {.text = world_text(text, sizeof text, &d), .hook = hold};
    sem_init(&held, 0, 0);
    sem_init(&let_go, 0, 0);
    CHECK_INT(pthread_create(&first, NULL, append_mate, &m), 0);
    while (sem_wait(&held))
        ;
    for (unsigned i = 0; i < MATES; i++)
        CHECK_INT(pthread_create(&ids[i], NULL, append_mate, &mates[i]), 0);
    usleep(300000); /* they queue */
    sem_post(&let_go);
    for (unsigned i = 0; i < MATES; i++)
        pthread_join(ids[i], NULL);
    pthread_join(first, NULL);
    CHECK_INT(m.result, 0);
    sem_destroy(&held);
    sem_destroy(&let_go);
}

static void set_mate(unsigned i, const char *id)
{
    struct world_delta d = {.id = id};
    mates[i].text = world_text(texts[i], sizeof texts[0], &d);
}

/* Good, doubled, clashing and refused requests in one group: each gets its
 * own answer, the good ones share a commit, and the three doubled ones are
 * one entry with one receipt. */
static void mates_do_not_harm_each_other(void)
{
    static const int want[] = {0, PLOG_E_CONFLICT, PLOG_E_INPUT, 0};
    unsigned together = 0, first = 0;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "taken", "1", "x", NULL), 0);
    memset(mates, 0, sizeof mates);
    for (unsigned i = 0; i < MATES; i++) {
        static const char *const ids[] = {NULL, "taken", NULL, "double"};
        char id[20];
        snprintf(id, sizeof id, "good-%u", i);
        set_mate(i, ids[i % 4] ? ids[i % 4] : id);
        if (i % 4 == 2)
            mates[i].text = "{\"id\":1}";
    }
    append_together();
    for (unsigned i = 0; i < MATES; i++) {
        const struct plog_receipt *r = &mates[i].receipt;
        CHECK_INT(mates[i].result, want[i % 4]);
        together += mates[i].result == 0 && r->size == 3 + MATES / 4 + 1;
        if (i % 4 != 3)
            continue;
        first += !r->duplicate;
        CHECK_UINT(r->seq, mates[3].receipt.seq);
        CHECK_UINT(r->size, mates[3].receipt.size);
        CHECK_BYTES(r->leaf, 32, mates[3].receipt.leaf, 32);
        CHECK_BYTES(r->root, 32, mates[3].receipt.root, 32);
        CHECK_BYTES(r->sig, 64, mates[3].receipt.sig, 64);
    }
    CHECK(together > 1); /* else nothing was shared, and nothing tested */
    CHECK_UINT(first, 1);
    world_end(&w, 3 + MATES / 4 + 1);
}

static int refuse(void *arg, sqlite3 *db, const uint64_t *seqs, size_t n)
{
    (void)arg, (void)seqs, (void)n;
    return sqlite3_exec(db, "CREATE TABLE mine(n)", NULL, NULL, NULL) ? 0 : 1;
}

/* A hook that refuses takes back its own request and table only; the seqs of
 * the others close up. */
static void a_refusing_hook_takes_only_its_own(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    memset(mates, 0, sizeof mates);
    for (unsigned i = 0; i < MATES; i++) {
        char id[20];
        snprintf(id, sizeof id, "m-%u", i);
        set_mate(i, id);
        mates[i].hook = i % 3 == 1 ? refuse : NULL;
    }
    append_together();
    for (unsigned i = 0; i < MATES; i++)
        CHECK_INT(mates[i].result, i % 3 == 1 ? PLOG_E_HOOK : 0);
    CHECK_INT((int)world_number(&w, "SELECT count(*) FROM sqlite_schema WHERE"
                                    " name='mine'"),
              0);
    world_end(&w, 2 + MATES - MATES / 3);
}

static int roll_back(void *arg, sqlite3 *db, const uint64_t *seqs, size_t n)
{
    (void)arg, (void)seqs, (void)n;
    return sqlite3_exec(db,
                        "CREATE TABLE IF NOT EXISTS mine(n PRIMARY KEY);"
                        "INSERT OR ROLLBACK INTO mine VALUES(1),(1)",
                        NULL, NULL, NULL);
}

/* When SQLite rolls the whole transaction back in the middle of a group,
 * nothing of it is written in either leg, nobody is told otherwise, and all
 * may be sent again. */
static void a_rollback_takes_the_whole_group(void)
{
    struct world_found f;
    struct plog_receipt again;
    world_make(&w, PLOG_ARRIVAL, 0);
    memset(mates, 0, sizeof mates);
    for (unsigned i = 0; i < MATES; i++) {
        char id[20];
        snprintf(id, sizeof id, "m-%u", i);
        set_mate(i, id);
        mates[i].hook = i % 5 == 2 ? roll_back : NULL;
    }
    append_together();
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    for (unsigned i = 0; i < MATES; i++) {
        int rc = mates[i].result;
        CHECK(rc == PLOG_E_LOCKED || rc == (mates[i].hook ? PLOG_E_HOOK : 0));
        CHECK_INT(world_append(&w, mates[i].text, &again, NULL), 0);
        CHECK(again.duplicate == (rc == 0));
        CHECK(rc != 0 || again.seq == mates[i].receipt.seq);
    }
    world_end(&w, 2 + MATES);
}

/* ---- Readers among writers ---------------------------------------------- */

#define SENDERS 6
#define EACH 50

static atomic_bool writing;

/* The head only grows, and records are whole at any moment. */
static void *read_along(void *unused)
{
    uintptr_t wrong = 0;
    plog_reader *r = NULL;
    uint64_t last = 0;
    (void)unused;
    wrong += plog_reader_open(&r, w.dir, NULL, NULL) != 0;
    while (r && atomic_load(&writing)) {
        struct plog_head head = {0};
        struct plog_record record;
        struct plog_span resource = {"r", 1}, id = {"1", 1};
        wrong += plog_reader_head(r, &head, NULL) != 0 || head.size < last;
        last = head.size;
        int rc = plog_reader_get(r, resource, id, &record, NULL);
        wrong += rc != 0 && rc != PLOG_E_NOT_FOUND;
        wrong += rc == 0 && (record.seq == 0 || record.version == 0 ||
                             record.payload.n < 2);
        wrong += plog_get_head(w.p, &head, NULL) != 0 || head.size < last;
    }
    plog_reader_close(r);
    return (void *)wrong;
}

struct sender {
    int number;
    unsigned failed;
    struct plog_receipt receipts[EACH];
};

static void *send_all(void *arg)
{
    struct sender *s = arg;
    for (int i = 0; i < EACH; i++) {
        char id[20];
        snprintf(id, sizeof id, "s%d-%d", s->number, i);
        s->failed += world_put(&w, id, "1", id, &s->receipts[i]) != 0;
    }
    return NULL;
}

/* Each receipt's leaf is that of the line which the log holds at its seq. */
static void check_receipts(const struct sender *s)
{
    for (int i = 0; i < EACH; i++) {
        unsigned char leaf[PLOG_HASH_SIZE];
        char id[40];
        size_t len;
        char *line = world_line(&w, s->receipts[i].seq, &len);
        snprintf(id, sizeof id, "\"id\":\"s%d-%d\"", s->number, i);
        plog_hash_leaf(line, len, leaf);
        bool ok = CHECK(strstr(line, id) != NULL);
        ok &= CHECK_BYTES(leaf, 32, s->receipts[i].leaf, 32);
        ok &= CHECK(s->receipts[i].size >= s->receipts[i].seq);
        free(line);
        if (!ok)
            break;
    }
}

/* Readers on other threads disturb nobody and see only whole heads; what the
 * writers were told stands in the log. */
static void readers_among_writers(void)
{
    static struct sender senders[SENDERS];
    pthread_t writers[SENDERS], readers[3];
    world_make(&w, PLOG_ARRIVAL, 16 << 10);
    atomic_store(&writing, true);
    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_create(&readers[i], NULL, read_along, NULL), 0);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.number = i};
        CHECK_INT(pthread_create(&writers[i], NULL, send_all, &senders[i]), 0);
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(writers[i], NULL);
    atomic_store(&writing, false);
    for (int i = 0; i < 3; i++) {
        void *wrong = NULL;
        pthread_join(readers[i], &wrong);
        CHECK_UINT((uintptr_t)wrong, 0);
    }
    for (int i = 0; i < SENDERS; i++) {
        CHECK_UINT(senders[i].failed, 0);
        check_receipts(&senders[i]);
    }
    world_end(&w, 1 + SENDERS * EACH);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"mates_do_not_harm_each_other", mates_do_not_harm_each_other},
        {"a_refusing_hook_takes_only_its_own",
         a_refusing_hook_takes_only_its_own},
        {"a_rollback_takes_the_whole_group", a_rollback_takes_the_whole_group},
        {"readers_among_writers", readers_among_writers},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
