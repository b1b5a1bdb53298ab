/*
 * test_unheard.c - a log of more entries than lie between two words of
 * progress: each call with nobody listening, and with somebody who is told how
 * far it is and stops it at each word.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "paritylog_recovery.h"
#include "peers.h"
#include "world.h"

#define GROUPS 8
#define GROUP 300
#define LAST (1 + GROUPS * GROUP)

static struct world w;
static char kept[600], out[700];
static struct plog_error err;

/* ---- The log ---------------------------------------------------------------
 */

static void put_group(void)
{
    static char text[GROUP][200];
    static struct plog_span d[GROUP];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = GROUP};
    for (int i = 0; i < GROUP; i++) {
        char record[16];
        snprintf(record, sizeof record, "r%d", i);
        struct world_delta delta = {.record = record};
        world_text(text[i], sizeof text[i], &delta);
        d[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
}

static void make(void)
{
    uint64_t first;
    if (kept[0])
        return;
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < GROUPS; i++) {
        put_group();
        if (i == 5)
            CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    }
    world_close(&w);
    CHECK_UINT(world_size(&w), LAST);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", LAST), 0);
    snprintf(kept, sizeof kept, "%.500s/kept", check_dir());
    world_copy(w.dir, kept);
    snprintf(out, sizeof out, "%s-out", w.dir);
}

static void put_back(void)
{
    world_remove(w.dir);
    world_copy(kept, w.dir);
    world_remove(out);
}

/* ---- Who listens
 * -------------------------------------------------------------
 */

struct heard {
    unsigned words, stop_at; /* 0: never */
    uint64_t last, bytes;
    char phase[16];
};
static struct heard heard;
static bool listening;

static int hear(void *arg, const struct plog_progress *p)
{
    struct heard *h = arg;
    CHECK(p->total == 0 || p->done <= p->total);
    if (strcmp(h->phase, p->phase) == 0)
        CHECK(p->done >= h->last);
    snprintf(h->phase, sizeof h->phase, "%s", p->phase);
    h->last = p->done;
    h->bytes += p->bytes;
    return ++h->words == h->stop_at;
}

#define COMMON .progress = listening ? hear : NULL, .arg = &heard

static int call_verify(void)
{
    struct plog_check_options o = {.struct_size = sizeof o, COMMON};
    struct plog_check_report r;
    return plog_verify(w.dir, &o, &r, &err);
}

static int call_parity(void)
{
    struct plog_check_options o = {.struct_size = sizeof o, COMMON};
    struct plog_check_report r;
    return plog_parity(w.dir, &o, &r, &err);
}

static int call_compact(void)
{
    struct plog_compact_options o = {.struct_size = sizeof o, COMMON};
    struct plog_compact_report r;
    return plog_compact(w.dir, &o, &r, &err);
}

static int call_replay(void)
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .fresh = true, COMMON};
    struct plog_replay_report r;
    return plog_replay(w.dir, &o, &r, &err);
}

static int call_rebuild_log(void)
{
    struct plog_rebuild_options o = {.struct_size = sizeof o, COMMON};
    struct plog_rebuild_report r;
    return plog_rebuild_log(w.dir, out, &o, &r, &err);
}

static int call_rebuild_store(void)
{
    struct plog_rebuild_options o = {.struct_size = sizeof o, COMMON};
    struct plog_rebuild_report r;
    return plog_rebuild_store(w.dir, out, &o, &r, &err);
}

static int call_restore(void)
{
    struct plog_restore_options o = {.struct_size = sizeof o, COMMON};
    struct plog_restore_report r;
    return plog_restore(w.dir, out, &o, &r, &err);
}

static int call_salvage(void)
{
    struct plog_salvage_options o = {.struct_size = sizeof o, COMMON};
    struct plog_salvage_report r;
    return plog_salvage(w.dir, &o, &r, &err);
}

static int call_prove(void)
{
    struct plog_prove_options o = {.struct_size = sizeof o, COMMON};
    return plog_prove(w.dir, 1500, &o, &err);
}

static int call_witness(void)
{
    struct plog_check_options o = {.struct_size = sizeof o, COMMON};
    struct plog_witness_report r;
    return plog_witness(w.dir, out, &o, &r, &err);
}

static const struct call {
    const char *name;
    int (*run)(void);
} calls[] = {
    {"verify", call_verify},
    {"parity", call_parity},
    {"compact", call_compact},
    {"replay", call_replay},
    {"rebuild log", call_rebuild_log},
    {"rebuild store", call_rebuild_store},
    {"restore", call_restore},
    {"salvage", call_salvage},
    {"prove", call_prove},
    {"witness", call_witness},
};

/* ---- Cases -----------------------------------------------------------------
 */

static int call(const struct call *c, unsigned stop_at)
{
    heard = (struct heard){.stop_at = stop_at};
    err = (struct plog_error){.code = 0};
    put_back();
    return c->run();
}

static void nobody_listens(void)
{
    make();
    listening = false;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (!CHECK_INT(call(&calls[i], 0), 0))
            printf("# %s: %s\n", calls[i].name, err.message);
}

static void somebody_stops(void)
{
    make();
    listening = true;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const struct call *c = &calls[i];
        if (!CHECK_INT(call(c, 0), 0) || !CHECK(heard.words > 0) ||
            !CHECK(heard.bytes > 0 || c->run == call_rebuild_log))
            printf("# %s: %u words, %s\n", c->name, heard.words, err.message);
        unsigned words = heard.words, step = 1 + words / 8;
        for (unsigned at = 1; at <= words; at += step)
            if (!CHECK_INT(call(c, at), PLOG_E_INTERRUPTED) ||
                !CHECK_INT(err.code, PLOG_E_INTERRUPTED) ||
                !CHECK(strncmp(err.message, "stopped", 7) == 0) ||
                !CHECK_UINT(heard.words, at) ||
                !CHECK(c->run == call_verify || access(out, F_OK) != 0))
                printf("# %s, word %u of %u: %s\n", c->name, at, words,
                       err.message);
    }
    put_back();
    world_end(&w, LAST + 1);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"nobody listens", nobody_listens},
        {"somebody stops", somebody_stops},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
