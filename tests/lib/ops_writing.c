/*
 * ops_writing.c - every operation of paritylog.h that writes, to be swept:
 * see sweep_ops.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sweep_ops.h"
#include "sweep_worlds.h"
#include "world.h"

/* ---- Making and opening ------------------------------------------------- */

static int op_init(struct stage *s)
{
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .io = s->io,
                                  .origin = SWEEP_ORIGIN,
                                  .wait_seconds = SWEEP_WAIT};
    char vkey[PLOG_VKEY_MAX];
    return plog_init(s->dir, &o, vkey, &s->err);
}

static int op_open(struct stage *s)
{
    struct plog_options o = sweep_options(s);
    plog *p = NULL;
    int rc = plog_open(&p, s->dir, &o, &s->err);
    if (rc && p)
        sweep_broken(s, "plog_open failed and gave a handle");
    plog_close(p);
    return rc;
}

/* ---- Appending ---------------------------------------------------------- */

/* Opens without a fault and arms it. */
static plog *opened(struct stage *s, bool leave_behind)
{
    struct plog_options o = sweep_options(s);
    plog *p = NULL;
    o.leave_behind = leave_behind;
    if (plog_open(&p, s->dir, &o, &s->err))
        sweep_broken(s, "it does not open: %s", s->err.message);
    sweep_go(s);
    return p;
}

static int append_one(struct stage *s, plog *p, const char *id, int fill)
{
    char text[5000];
    struct plog_receipt r;
    unsigned i = s->tries++;
    snprintf(s->tried[i].id, sizeof s->tried[i].id, "%s", id);
    sweep_delta(text, sizeof text, id, "r2", fill);
    int rc = plog_append(p, text, strlen(text), &r, &s->err);
    s->tried[i].acked = rc == 0;
    s->tried[i].seq = r.seq;
    return rc;
}

/* After a fault that has gone: the handle goes on, or is poisoned and reads;
 * after a failed sync of the log it must be poisoned. */
static void go_on(struct stage *s, plog *p, int rc)
{
    struct plog_error first = s->err;
    struct plog_head h;
    if (rc >= 0 || s->ever)
        return;
    failing_stop();
    int next = append_one(s, p, "after", 20);
    if (next != 0 && next != PLOG_E_POISONED)
        sweep_broken(s, "after code %d the handle returns %d: %s", rc, next,
                     s->err.message);
    if (next == 0 && failing_log_sync())
        sweep_broken(s, "a sync of the log failed, and the handle writes on");
    if (plog_get_head(p, &h, &s->err))
        sweep_broken(s, "after code %d the handle does not read: %s", rc,
                     s->err.message);
    s->err = first;
}

static int op_append(struct stage *s)
{
    plog *p = opened(s, false);
    int rc = append_one(s, p, "n1", 60);
    go_on(s, p, rc);
    plog_close(p);
    return rc;
}

/* Enough for several segments, and for the thread that checks signatures. */
#define MANY 10
static int op_append_many(struct stage *s)
{
    plog *p = opened(s, false);
    int rc = 0;
    for (int i = 0; i < MANY && !rc; i++) {
        char id[SWEEP_TEXT];
        snprintf(id, sizeof id, "n%d", i);
        rc = append_one(s, p, id, 900);
    }
    go_on(s, p, rc);
    plog_close(p);
    return rc;
}

/* Of an entry that is there, or was before it was compacted away. */
static int op_append_twice(struct stage *s)
{
    char text[5000];
    struct plog_receipt r;
    plog *p = opened(s, false);
    sweep_delta(text, sizeof text, "i2", "r3", 60);
    int rc = plog_append(p, text, strlen(text), &r, &s->err);
    if (rc == 0 && (!r.duplicate || r.seq != 3))
        sweep_broken(s, "a repeat was not recognised");
    go_on(s, p, rc);
    plog_close(p);
    return rc;
}

static int hook(void *arg, struct sqlite3 *db, const uint64_t *seqs,
                size_t count)
{
    (void)arg, (void)db, (void)seqs, (void)count;
    return 0;
}

#define GROUP 3
static int op_append_group(struct stage *s)
{
    static const char *const ids[GROUP] = {"n1", "n2", "n3"};
    static char text[GROUP][5000];
    struct plog_span deltas[GROUP];
    struct plog_receipt r[GROUP];
    struct plog_cursor c = {{"src", 3}, {"*", 1}, {"page 8", 6}};
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = deltas,
                           .delta_count = GROUP,
                           .cursors = &c,
                           .cursor_count = 1,
                           .hook = hook};
    plog *p = opened(s, false);
    for (int i = 0; i < GROUP; i++) {
        sweep_delta(text[i], sizeof text[i], ids[i], ids[i], 40);
        deltas[i] = (struct plog_span){text[i], strlen(text[i])};
        snprintf(s->tried[i].id, sizeof s->tried[i].id, "%s", ids[i]);
    }
    s->tries = GROUP;
    int rc = plog_append_group(p, &g, r, &s->err);
    for (int i = 0; i < GROUP; i++) {
        s->tried[i].acked = rc == 0;
        s->tried[i].seq = r[i].seq;
    }
    go_on(s, p, rc);
    plog_close(p);
    return rc;
}

static const char *group_is_there(struct stage *s)
{
    struct world w = {.p = NULL};
    memcpy(w.dir, s->dir, sizeof s->dir);
    for (int i = 1; i <= GROUP; i++) {
        char id[SWEEP_TEXT];
        snprintf(id, sizeof id, "n%d", i);
        if (strcmp(world_record(&w, id), "none") == 0)
            return "a record of the group is missing";
    }
    return NULL;
}

static int op_strategy(struct stage *s)
{
    struct plog_receipt r;
    plog *p = opened(s, false);
    int rc = plog_set_strategy(p, SWEEP_STRATEGY, &r, &s->err);
    go_on(s, p, rc);
    plog_close(p);
    return rc;
}

static const char *strategy_is_set(struct stage *s)
{
    struct plog_status st;
    if (plog_read_status(s->dir, NULL, &st, NULL))
        return "no status";
    return st.strategy == SWEEP_STRATEGY ? NULL : "another strategy";
}

static int op_new_segment(struct stage *s)
{
    uint64_t first;
    plog *p = opened(s, false);
    int rc = plog_new_segment(p, &first, &s->err);
    go_on(s, p, rc);
    plog_close(p);
    return rc;
}

static const char *segment_is_new(struct stage *s)
{
    struct plog_status st;
    if (plog_read_status(s->dir, NULL, &st, NULL))
        return "no status";
    return st.segments >= 4 ? NULL : "no segment more";
}

/* The faults come while a handle with a new delta is closed, which cannot
 * fail. */
static int op_close(struct stage *s)
{
    struct plog_options o = sweep_options(s);
    plog *p = NULL;
    if (plog_open(&p, s->dir, &o, &s->err))
        sweep_broken(s, "it does not open: %s", s->err.message);
    for (int i = 0; i < 4; i++) { /* so that there is padding to trim */
        char id[SWEEP_TEXT];
        snprintf(id, sizeof id, "n%d", i);
        if (append_one(s, p, id, 10))
            sweep_broken(s, "no append: %s", s->err.message);
    }
    sweep_go(s);
    plog_close(p);
    return 0;
}

static int op_get_head(struct stage *s)
{
    struct plog_head h;
    plog *p = opened(s, false);
    int rc = plog_get_head(p, &h, &s->err);
    if (rc == 0)
        sweep_tell(s, h.root, sizeof h.root);
    plog_close(p);
    return rc;
}

static int op_catch_up(struct stage *s)
{
    plog *p = opened(s, true);
    int rc = plog_catch_up(p, &s->err);
    plog_close(p);
    return rc;
}

static int op_apply_logged(struct stage *s)
{
    char path[500];
    size_t n;
    snprintf(path, sizeof path, "%s/lines", s->top);
    char *line = world_read(path, &n);
    plog *p = opened(s, true);
    int rc = plog_apply_logged(p, line, n, &s->err);
    free(line);
    plog_close(p);
    return rc;
}

/* ---- All ---------------------------------------------------------------- */

static const struct sweep_op ops[] = {
    {.name = "init",
     .world = "",
     .run = op_init,
     .entries = 1,
     .closed = true,
     .mine = "log",
     .again = PLOG_E_EXISTS},
    {.name = "open", .world = "plain", .run = op_open},
    {.name = "open behind", .world = "behind", .run = op_open},
    {.name = "open cut", .world = "cut", .run = op_open},
    {.name = "open halfway",
     .world = "halfway",
     .run = op_open,
     .mine = "log/archive log/snapshots"},
    {.name = "open compacted", .world = "compacted", .run = op_open},
    {.name = "append",
     .world = "plain",
     .run = op_append,
     .entries = 1,
     .arms = true},
    {.name = "append many",
     .world = "plain",
     .run = op_append_many,
     .entries = MANY,
     .arms = true},
    {.name = "append group",
     .world = "plain",
     .run = op_append_group,
     .entries = GROUP + 1,
     .arms = true,
     .repeats = true,
     .done = group_is_there},
    {.name = "append compacted",
     .world = "compacted",
     .run = op_append,
     .entries = 1,
     .arms = true},
    {.name = "append twice",
     .world = "plain",
     .run = op_append_twice,
     .arms = true},
    {.name = "append twice below",
     .world = "compacted",
     .run = op_append_twice,
     .arms = true},
    {.name = "set strategy",
     .world = "plain",
     .run = op_strategy,
     .entries = 1,
     .arms = true,
     .repeats = true,
     .done = strategy_is_set},
    {.name = "new segment",
     .world = "plain",
     .run = op_new_segment,
     .arms = true,
     .again = PLOG_PRESENT,
     .done = segment_is_new},
    {.name = "close",
     .world = "plain",
     .run = op_close,
     .entries = 4,
     .arms = true},
    {.name = "get head", .world = "plain", .run = op_get_head, .arms = true},
    {.name = "catch up", .world = "behind", .run = op_catch_up, .arms = true},
    {.name = "apply logged",
     .world = "behind",
     .run = op_apply_logged,
     .arms = true,
     .again = PLOG_PRESENT},
};

const struct sweep_ops ops_writing = {ops, sizeof ops / sizeof *ops};
