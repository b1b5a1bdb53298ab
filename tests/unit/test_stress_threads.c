/*
 * test_stress_threads.c - on one handle writers and who begins segments, beside
 * it who acknowledges and compacts, who redacts, who reads and who follows.
 * Runs under the thread sanitizer, too.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "peers.h"
#include "world.h"

#define WRITERS 3
#define EACH 60

static struct world w;
static atomic_uint writing; /* writers that are not done */
static atomic_uint wrong, compacted, redacted, read_lines, followed;

static void want(bool holds, const char *what, int rc)
{
    if (holds)
        return;
    atomic_fetch_add(&wrong, 1);
    printf("# %s: %d (%s)\n", what, rc, plog_code_word(rc));
}

/* Until each of the others has come to do what it is there for. */
static bool goes_on(int i)
{
    bool all = atomic_load(&compacted) && atomic_load(&redacted);
    return i < EACH || (!all && i < 20 * EACH);
}

static void *write_some(void *arg)
{
    for (int i = 0; goes_on(i); i++) {
        char id[24], record[8];
        uint64_t first;
        snprintf(id, sizeof id, "w%d-%d", (int)(intptr_t)arg, i);
        snprintf(record, sizeof record, "%d", i % 7);
        int rc = world_put(&w, id, record, id, NULL);
        want(rc == 0, "append", rc);
        if (i % 9 == 8) {
            rc = plog_new_segment(w.p, &first, NULL);
            want(rc == 0 || rc == PLOG_PRESENT, "segment", rc);
        }
    }
    atomic_fetch_sub(&writing, 1);
    return NULL;
}

/* A peer that has all; what it has goes. */
static void *compact_along(void *unused)
{
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .wait_seconds = 60};
    struct plog_compact_report r;
    struct plog_peer_report p;
    struct plog_head head;
    (void)unused;
    while (atomic_load(&writing)) {
        int rc = plog_get_head(w.p, &head, NULL);
        want(rc == 0, "head", rc);
        rc = plog_peer_ack(w.dir, "p", head.size, head.root, NULL, &p, NULL);
        want(rc == 0, "acknowledgement", rc);
        o.trim_store = !o.trim_store;
        rc = plog_compact(w.dir, &o, &r, NULL);
        want(rc == 0 || rc == PLOG_E_LOCKED, "compact", rc);
        if (rc == 0 && r.to > r.from)
            atomic_fetch_add(&compacted, 1);
    }
    return NULL;
}

static void *redact_along(void *unused)
{
    struct plog_redact_options o = {
        .struct_size = sizeof o, .wait_seconds = 60, .reason = "stress"};
    struct plog_redact_report r;
    struct plog_head head;
    (void)unused;
    while (atomic_load(&writing)) {
        int rc = plog_get_head(w.p, &head, NULL);
        if (rc == 0)
            rc = plog_redact(w.dir, head.size, &o, &r, NULL);
        want(rc == 0 || rc == PLOG_E_LOCKED || rc == PLOG_E_INPUT ||
                 rc == PLOG_E_PRUNED,
             "redact", rc);
        if (rc == 0)
            atomic_fetch_add(&redacted, 1);
    }
    return NULL;
}

static int count(void *arg, uint64_t seq, const char *line, size_t len)
{
    (void)arg, (void)seq, (void)line, (void)len;
    atomic_fetch_add(&read_lines, 1);
    return 0;
}

static void *read_along(void *unused)
{
    struct plog_status s;
    (void)unused;
    while (atomic_load(&writing)) {
        plog_reader *r = NULL;
        int rc = plog_reader_open(&r, w.dir, NULL, NULL);
        want(rc == 0, "reader", rc);
        rc = plog_read_status(w.dir, NULL, &s, NULL);
        want(rc == 0 && s.store_size <= s.log_size, "status", rc);
        if (r) {
            rc = plog_reader_log(r, s.floor + 1, 0, count, NULL, NULL);
            want(rc == 0 || rc == PLOG_E_PRUNED || rc == PLOG_E_NOT_FOUND,
                 "log", rc);
        }
        plog_reader_close(r);
    }
    return NULL;
}

static void *follow_along(void *arg)
{
    plog_sub *s = arg;
    uint64_t seq, last = 0;
    const char *line;
    size_t len;
    while (atomic_load(&writing)) {
        int rc = plog_sub_next(s, 0.1, &seq, &line, &len, NULL);
        want(rc == 0 || rc == PLOG_TIMEOUT || rc == PLOG_E_PRUNED, "follow",
             rc);
        if (rc == PLOG_E_PRUNED)
            last = seq + len - 1;
        if (rc)
            continue;
        want(seq == last + 1, "order", 0);
        last = seq;
        atomic_fetch_add(&followed, 1);
    }
    return NULL;
}

static void everybody(void)
{
    static void *(*const others[])(void *) = {compact_along, redact_along,
                                              read_along, follow_along};
    pthread_t ids[WRITERS + 4];
    struct world_found f;
    plog_sub *sub = NULL;
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(plog_subscribe(&sub, w.dir, 1, NULL, NULL), 0);
    atomic_store(&writing, WRITERS);
    for (int i = 0; i < WRITERS + 4; i++)
        CHECK_INT(
            pthread_create(&ids[i], NULL,
                           i < WRITERS ? write_some : others[i - WRITERS],
                           i < WRITERS ? (void *)(intptr_t)i : (void *)sub),
            0);
    for (int i = 0; i < WRITERS + 4; i++)
        pthread_join(ids[i], NULL);
    plog_sub_close(sub);
    CHECK_UINT(atomic_load(&wrong), 0);
    CHECK(atomic_load(&compacted) > 0);
    CHECK(atomic_load(&redacted) > 0);
    CHECK(atomic_load(&read_lines) > 0);
    CHECK(atomic_load(&followed) > 0);
    world_close(&w);
    CHECK_INT(world_open(&w), 0); /* finishes a redaction that was held up */
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_UINT(f.count, 0);
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {{"everybody", everybody}};
    return check_main(argc, argv, cases, 1);
}
