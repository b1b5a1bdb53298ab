/*
 * test_faults.c - every call of the table fails with EIO, and every allocation,
 * of the operations in which tests/storm/sweep*.c found most: what it keeps out
 * is named there.
 *
 *   open cut          a rollback that had no memory left its transaction open;
 *                     an error while the end was looked at was DIVERGED
 *   parity compacted  died of a compact entry that could not be read twice;
 *                     errors were TAMPERED, CORRUPT
 *   compact trim      closed a snapshot that was never opened; a reader was
 *                     said to be in the way
 *   replay            set a store aside that could not be looked at
 *   append twice      a repeat was DIVERGED for want of memory
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep_worlds.h"

#define WAIT 0.2

static int op_open(struct stage *s)
{
    struct plog_options o = {
        .struct_size = sizeof o, .io = s->io, .wait_seconds = WAIT};
    plog *p = NULL;
    int rc = plog_open(&p, s->dir, &o, &s->err);
    plog_close(p);
    return rc;
}

static int op_parity(struct stage *s)
{
    struct plog_check_options o = {
        .struct_size = sizeof o, .io = s->io, .wait_seconds = WAIT};
    struct plog_check_report r;
    int rc = plog_parity(s->dir, &o, &r, &s->err);
    if (!rc && r.verdict)
        sweep_broken(s, "verdict %d", r.verdict);
    return rc;
}

static int op_trim(struct stage *s)
{
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .io = s->io,
                                     .wait_seconds = WAIT,
                                     .trim_store = true};
    struct plog_compact_report r;
    return plog_compact(s->dir, &o, &r, &s->err);
}

static int op_replay(struct stage *s)
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .io = s->io, .wait_seconds = WAIT};
    struct plog_replay_report r;
    return plog_replay(s->dir, &o, &r, &s->err);
}

/* The entry was redacted, in the store. */
static int op_append_twice(struct stage *s)
{
    struct plog_options o = {
        .struct_size = sizeof o, .io = s->io, .wait_seconds = WAIT};
    char text[5000];
    struct plog_receipt r;
    plog *p = NULL;
    int rc = plog_open(&p, s->dir, &o, &s->err);
    sweep_delta(text, sizeof text, "i2", "r3", 60);
    if (!rc)
        rc = plog_append(p, text, strlen(text), &r, &s->err);
    if (!rc && !r.duplicate)
        sweep_broken(s, "a repeat was not recognised");
    plog_close(p);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct sweep_op ops[] = {
        {.name = "open cut", .world = "cut", .run = op_open},
        {.name = "parity compacted",
         .world = "compacted",
         .run = op_parity,
         .reads = true},
        {.name = "compact trim",
         .world = "plain",
         .run = op_trim,
         .entries = 1},
        {.name = "replay", .world = "cut", .run = op_replay},
        {.name = "append twice", .world = "plain", .run = op_append_twice},
    };
    setenv("STORM_ALL", "1", 0);
    setenv("SWEEP_KIND", "EIO|allocation", 0);
    return sweep_main(argc, argv, "faults", sweep_make_worlds, ops,
                      sizeof ops / sizeof *ops);
}
