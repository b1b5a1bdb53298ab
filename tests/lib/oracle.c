/* oracle.c - see oracle.h. */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "oracle_read.h"
#include "paritylog_recovery.h"

/* ---- The run that is recorded ------------------------------------------- */

void oracle_begin(struct oracle *o, const char *name,
                  const struct sim_image *disk, uint64_t seed,
                  struct oracle_counts *counts)
{
    memset(o, 0, sizeof *o);
    o->name = name;
    o->seed = o->first_seed = seed;
    o->counts = counts;
    o->twice_every = 4;
    o->again_every = o->parity_every = 16;
    o->breadth = (struct sim_breadth){6, 24, 48};
    o->again_breadth = (struct sim_breadth){2, 2, 4};
    sim_boot(&o->sim, disk, seed);
    sim_image_copy(&o->start, &o->sim.cache);
    o->sim.recording = true;
}

void oracle_end(struct oracle *o)
{
    oracle_close(o);
    sim_image_free(&o->start);
    sim_halt(&o->sim);
    free(o->log);
    free(o->seen);
}

int oracle_open_on(plog **p, struct sim *s, struct plog_error *err)
{
    struct plog_options options = {.struct_size = sizeof options, .io = &s->io};
    return plog_open(p, ORACLE_DIR, &options, err);
}

void oracle_open(struct oracle *o)
{
    struct plog_error err = {0};
    if (!CHECK_INT(oracle_open_on(&o->p, &o->sim, &err), 0))
        printf("#   %s\n", err.message);
}

void oracle_close(struct oracle *o)
{
    plog_close(o->p);
    o->p = NULL;
}

void oracle_init(struct oracle *o, enum plog_strategy strategy,
                 uint64_t segment_size)
{
    char vkey[PLOG_VKEY_MAX];
    struct plog_init_options options = {.struct_size = sizeof options,
                                        .io = &o->sim.io,
                                        .strategy = strategy,
                                        .origin = "world",
                                        .segment_size_bytes = segment_size};
    size_t began = o->sim.history.count;
    CHECK_INT(plog_init(ORACLE_DIR, &options, vkey, NULL), 0);
    oracle_ended(o, began, 0);
}

int oracle_append(struct oracle *o, const char *const *deltas, size_t count)
{
    struct plog_span spans[16];
    struct plog_group group = {
        .struct_size = sizeof group, .deltas = spans, .delta_count = count};
    struct plog_error err = {0};
    size_t began = o->sim.history.count;
    for (size_t i = 0; i < count; i++)
        spans[i] = (struct plog_span){deltas[i], strlen(deltas[i])};
    int rc = plog_append_group(o->p, &group, NULL, &err);
    if (rc && !o->twin)
        printf("# %s\n", err.message);
    return oracle_ended(o, began, rc);
}

bool oracle_head(struct sim *s, struct plog_head *head)
{
    struct plog_options options = {.struct_size = sizeof options, .io = &s->io};
    plog_reader *r = NULL;
    int rc = plog_reader_open(&r, ORACLE_DIR, &options, NULL);
    if (!rc)
        rc = plog_reader_head(r, head, NULL);
    plog_reader_close(r);
    return rc == 0;
}

int oracle_parity(struct sim *s)
{
    struct plog_check_options options = {.struct_size = sizeof options,
                                         .io = &s->io};
    struct plog_check_report report;
    int rc = plog_parity(ORACLE_DIR, &options, &report, NULL);
    return rc ? rc : report.verdict;
}

/* What the log and the store hold now; the twin's, where a call failed. */
static void look(struct oracle *o, struct oracle_call *c)
{
    struct plog_head head;
    bool recording = o->sim.recording;
    o->sim.recording = false; /* looking is no part of the run */
    CHECK_INT(oracle_parity(&o->sim), 0);
    if (CHECK(oracle_head(&o->sim, &head))) {
        c->size = head.size;
        memcpy(c->root, head.root, sizeof c->root);
    }
    c->store = oracle_store_digest(&o->sim);
    CHECK(c->store != 0);
    free(o->log);
    o->log = oracle_log_text(&o->sim.cache, &o->log_len);
    c->log_len = o->log_len;
    o->sim.recording = recording;
}

int oracle_ended(struct oracle *o, size_t began, int rc)
{
    struct oracle_call *c = &o->calls[o->count];
    bool open = rc == PLOG_E_INDETERMINATE;
    if (!CHECK(o->count < ORACLE_CALLS) || !CHECK(rc == 0 || o->twin) ||
        (open && !CHECK(o->count < o->twin->count)))
        return rc;
    if (rc && !open)
        return rc; /* nothing was written, and nothing may turn up */
    if (open)
        *c = o->twin->calls[o->count];
    else
        look(o, c);
    o->open = open;
    c->began = began;
    c->done = rc ? SIZE_MAX : o->sim.history.count;
    o->count++;
    return rc;
}

int oracle_reopen(struct oracle *o)
{
    struct plog_head head;
    oracle_close(o);
    int rc = oracle_open_on(&o->p, &o->sim, NULL);
    oracle_close(o);
    if (rc || !CHECK(oracle_head(&o->sim, &head)))
        return rc ? rc : PLOG_E_IO;
    for (unsigned i = 0; i < o->count; i++)
        if (o->calls[i].size == head.size &&
            o->calls[i].done > o->sim.history.count)
            o->calls[i].done = o->sim.history.count;
    if (!o->open)
        return 0;
    free(o->log); /* the failed call's bytes may yet turn up */
    o->log_len = o->twin->log_len;
    o->log = malloc(o->log_len + 1);
    if (!o->log)
        abort();
    memcpy(o->log, o->twin->log, o->log_len);
    return 0;
}

/* ---- Counts ------------------------------------------------------------ */

void oracle_add(struct oracle_counts *to, const struct oracle_counts *n)
{
    to->states += n->states;
    to->distinct += n->distinct;
    to->again += n->again;
    to->twice += n->twice;
    to->torn += n->torn;
    to->checked += n->checked;
    to->broken += n->broken;
}

void oracle_report(const struct oracle_counts *n, const char *what,
                   double seconds)
{
    printf("# %s: %lu disks, %lu of them different, %lu after a crash of the"
           " recovery, %lu with a quarantine, %lu opened twice, %lu checked by"
           " parity, %lu broken; %.0f s\n",
           what, n->states, n->distinct, n->again, n->torn, n->twice,
           n->checked, n->broken, seconds);
    fflush(stdout);
}
