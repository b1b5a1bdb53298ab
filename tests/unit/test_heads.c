/*
 * test_heads.c - heads that somebody has seen, more than one of them, and below
 * the floor: in which order they are looked for, how far back that makes a
 * check read, and what of archive/ counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "paritylog_recovery.h"
#include "peers.h"
#include "redact.h"
#include "tree.h"
#include "world.h"

static struct world w;
static char notes[600], mark[600]; /* files beside the log */

typedef int check_fn(const char *, const struct plog_check_options *,
                     struct plog_check_report *, struct plog_error *);
static check_fn *const both[] = {plog_verify, plog_parity};

static struct {
    struct plog_error err;
    unsigned findings;
    uint64_t seq; /* of the first one */
    char unchecked[600];
} heard;

static int on_finding(void *arg, const struct plog_finding *f)
{
    (void)arg;
    if (heard.findings++ == 0)
        heard.seq = f->seq;
    return 0;
}

static int on_unchecked(void *arg, const struct plog_unchecked *u)
{
    size_t n = strlen(heard.unchecked);
    (void)arg;
    snprintf(heard.unchecked + n, sizeof heard.unchecked - n,
             "%" PRIu64 "-%" PRIu64 " %s; ", u->from, u->to, u->why);
    return 0;
}

/* Returns the verdict, or the code of a check that did not come to its end. */
static int run(check_fn *check, struct plog_check_options o)
{
    struct plog_check_report r;
    memset(&heard, 0, sizeof heard);
    o.struct_size = sizeof o;
    o.finding = on_finding;
    o.unchecked = on_unchecked;
    int rc = check(w.dir, &o, &r, &heard.err);
    return rc ? rc : r.verdict;
}

static void put(int from, int to)
{
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, from, to);
    world_close(&w);
}

static void make(int entries)
{
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_LAST_WRITE_WINS, PEERS_SEGMENT);
    world_close(&w);
    put(0, entries);
    snprintf(notes, sizeof notes, "%.500s-notes", w.dir);
    snprintf(mark, sizeof mark, "%.500s-mark", w.dir);
    unlink(notes);
    unlink(mark);
}

/* A note of the log's head is added. */
static void note(void)
{
    struct plog_witness_report r;
    CHECK_INT(plog_witness(w.dir, notes, NULL, &r, NULL), 0);
}

static struct plog_check_options expects(uint64_t size,
                                         const unsigned char *root)
{
    struct plog_check_options o = {.has_expect_head = true,
                                   .expect_size = size};
    memcpy(o.expect_root, root, PLOG_HASH_SIZE);
    return o;
}

/* The root of the first `size` entries. */
static void root_of(uint64_t size, unsigned char root[PLOG_HASH_SIZE])
{
    struct plog_tree tree;
    plog_tree_init(&tree);
    for (uint64_t seq = 1; seq <= size; seq++) {
        unsigned char leaf[PLOG_HASH_SIZE];
        size_t n;
        char *line = world_line(&w, seq, &n);
        plog_line_leaf(plog_span(line, n), leaf);
        CHECK_INT(plog_tree_add(&tree, leaf), 0);
        free(line);
    }
    plog_tree_root(&tree, root);
}

static void compact(uint64_t acknowledged)
{
    CHECK_INT(peers_ack(&w, "p", acknowledged), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK(peers_floor(&w) > 0);
}

/* ---- Cases --------------------------------------------------------------- */

/* Somebody's head lies behind the witness's newest: both are looked for. */
static void in_any_order(void)
{
    unsigned char root[PLOG_HASH_SIZE];
    make(8);
    note();
    put(8, 20);
    root_of(13, root);
    for (int i = 0; i < 2; i++) {
        struct plog_check_options o = expects(13, root);
        o.witness = notes;
        CHECK_INT(run(both[i], o), 0);
        CHECK_UINT(heard.findings, 0);
        CHECK_TEXT(heard.unchecked, "");
    }
}

/* Of a witness only the newest note is looked for: an older one does not make
 * parity from a checkpoint on begin before that. */
static void since_and_a_witness(void)
{
    char alone[600];
    make(4);
    note();
    put(4, 40);
    CHECK_INT(run(plog_parity, (struct plog_check_options){.watermark = mark}),
              0);
    put(40, 60);
    note();
    struct plog_check_options o = {.since = mark};
    CHECK_INT(run(plog_parity, o), 0);
    snprintf(alone, sizeof alone, "%.*s", (int)strcspn(heard.unchecked, ";"),
             heard.unchecked);
    CHECK(strstr(alone, "below the checkpoint") != NULL);
    o.witness = notes;
    CHECK_INT(run(plog_parity, o), 0);
    heard.unchecked[strcspn(heard.unchecked, ";")] = '\0';
    CHECK_TEXT(heard.unchecked, alone);
}

/* A file of archive/ under the name of another one proves nothing, also where
 * what it holds leads up to the log. */
static void another_name(void)
{
    char first[80], second[80], path[700];
    unsigned char root[PLOG_HASH_SIZE];
    uint64_t at = 1;
    make(40);
    CHECK_INT(peers_add(&w, "p"), 0);
    compact(36);
    snprintf(first, sizeof first, "archive/%020d.jsonl.gz", 1);
    do
        snprintf(second, sizeof second, "archive/%020" PRIu64 ".jsonl.gz",
                 ++at);
    while (at < 40 && !world_has(&w, second));
    uint64_t size = at - 1;
    CHECK_INT(peers_undo(&w, NULL), 0);
    root_of(size, root);
    compact(36);
    struct plog_check_options o = expects(size, root);
    for (int i = 0; i < 2; i++)
        CHECK_INT(run(both[i], o), 0);
    snprintf(path, sizeof path, "%s", world_path(&w, first));
    CHECK_INT(rename(world_path(&w, second), path), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(run(both[i], o), PLOG_E_PRUNED);
        CHECK_UINT(heard.seq, size);
    }
}

static int stop(void *arg, const struct plog_progress *p)
{
    (void)p;
    ++*(unsigned *)arg;
    return 1;
}

/* Whoever says stop while archive/ is read is not asked again. */
static void stopped(void)
{
    static char text[2300][160];
    static struct plog_span d[2300];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = 2300};
    unsigned char root[PLOG_HASH_SIZE];
    uint64_t first;
    make(3);
    root_of(3, root);
    for (int i = 0; i < 2300; i++) {
        struct world_delta delta = {.record = "q"};
        world_text(text[i], sizeof text[i], &delta);
        d[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    peers_put(&w, 3, 5);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    compact(first - 1);
    CHECK(peers_floor(&w) > 2300);
    for (int i = 0; i < 2; i++) {
        struct plog_check_options o = expects(3, root);
        unsigned steps = 0;
        CHECK_INT(run(both[i], o), 0);
        o.progress = stop;
        o.arg = &steps;
        CHECK_INT(run(both[i], o), PLOG_E_INTERRUPTED);
        CHECK_UINT(steps, 1);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"in any order", in_any_order},
        {"since and a witness", since_and_a_witness},
        {"another name", another_name},
        {"stopped", stopped},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
