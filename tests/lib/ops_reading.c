/*
 * ops_reading.c - the operations of paritylog.h that read, and those about
 * keys, to be swept: see sweep_ops.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sweep_ops.h"
#include "sweep_worlds.h"
#include "world.h"

/* ---- Reading ------------------------------------------------------------ */

static const struct plog_span resource = {"r", 1}, record = {"r2", 2};

static void tell_span(struct stage *s, struct plog_span t)
{
    sweep_tell(s, t.p, t.n);
}

static int tell_line(void *arg, uint64_t seq, const char *line, size_t len)
{
    sweep_tell_number(arg, seq);
    sweep_tell(arg, line, len);
    return 0;
}

static int tell_cursor(void *arg, const struct plog_cursor *c, uint64_t seq)
{
    tell_span(arg, c->cursor);
    sweep_tell_number(arg, seq);
    return 0;
}

static int tell_row(void *arg, const struct plog_row *row)
{
    for (int i = 0; row->values && i < row->count; i++)
        tell_span(arg, row->values[i]);
    return 0;
}

static int read_get(struct stage *s, plog_reader *r)
{
    struct plog_record out;
    int rc = plog_reader_get(r, resource, record, &out, &s->err);
    if (!rc)
        tell_span(s, out.payload);
    return rc;
}

static int read_history(struct stage *s, plog_reader *r)
{
    return plog_reader_history(r, resource, record, tell_line, s, &s->err);
}

static int read_log(struct stage *s, plog_reader *r)
{
    struct plog_head h;
    int rc = plog_reader_head(r, &h, &s->err);
    if (!rc)
        rc = plog_reader_log(r, 6, 0, tell_line, s, &s->err);
    return rc;
}

static int read_cursors(struct stage *s, plog_reader *r)
{
    struct plog_span out;
    int rc = plog_reader_cursor(r, (struct plog_span){"src", 3},
                                (struct plog_span){"*", 1}, &out, &s->err);
    if (!rc)
        tell_span(s, out);
    if (!rc)
        rc = plog_reader_cursors(r, tell_cursor, s, &s->err);
    return rc;
}

static int read_query(struct stage *s, plog_reader *r)
{
    return plog_reader_query(
        r, "SELECT record_id,payload,version FROM records ORDER BY payload,1",
        tell_row, s, &s->err);
}

static int read_checkpoint(struct stage *s, plog_reader *r)
{
    char note[PLOG_CHECKPOINT_MAX];
    int rc = plog_reader_checkpoint(r, note, &s->err);
    if (!rc)
        sweep_tell(s, note, strlen(note));
    return rc;
}

static int reading(struct stage *s, int (*read)(struct stage *, plog_reader *))
{
    struct plog_options o = sweep_options(s);
    plog_reader *r = NULL;
    int rc = plog_reader_open(&r, s->dir, &o, &s->err);
    if (!rc)
        rc = read(s, r);
    plog_reader_close(r);
    return rc;
}

static int op_get(struct stage *s)
{
    return reading(s, read_get);
}
static int op_history(struct stage *s)
{
    return reading(s, read_history);
}
static int op_log(struct stage *s)
{
    return reading(s, read_log);
}
static int op_cursors(struct stage *s)
{
    return reading(s, read_cursors);
}
static int op_query(struct stage *s)
{
    return reading(s, read_query);
}
static int op_checkpoint(struct stage *s)
{
    return reading(s, read_checkpoint);
}

static int op_status(struct stage *s)
{
    struct plog_options o = sweep_options(s);
    struct plog_status st;
    int rc = plog_read_status(s->dir, &o, &st, &s->err);
    if (!rc && (st.verdict == PLOG_E_IO || st.verdict == PLOG_E_NOMEM ||
                st.verdict == PLOG_E_LOCKED)) {
        rc = s->err.code = st.verdict; /* it is told so */
        snprintf(s->err.message, sizeof s->err.message, "as the verdict");
    }
    if (rc)
        return rc;
    sweep_tell_number(s, st.store_size);
    sweep_tell_number(s, st.log_size);
    sweep_tell_number(s, st.segments);
    sweep_tell_number(s, st.floor);
    sweep_tell_number(s, st.peers);
    sweep_tell_number(s, (uint64_t)st.verdict);
    return 0;
}

static int op_subscribe(struct stage *s)
{
    struct plog_options o = sweep_options(s);
    plog_sub *sub = NULL;
    const char *line;
    uint64_t seq;
    size_t len;
    int rc = plog_subscribe(&sub, s->dir, 6, &o, &s->err);
    while (!rc && (rc = plog_sub_next(sub, 0, &seq, &line, &len, &s->err)) == 0)
        tell_line(s, seq, line, len);
    plog_sub_close(sub);
    return rc == PLOG_TIMEOUT ? 0 : rc;
}

/* ---- Keys --------------------------------------------------------------- */

static int op_key_show(struct stage *s)
{
    struct plog_options o = sweep_options(s);
    char vkey[PLOG_VKEY_MAX];
    int rc = plog_key_show(s->dir, &o, vkey, &s->err);
    if (!rc)
        sweep_tell(s, vkey, strlen(vkey));
    return rc;
}

static int tell_key(void *arg, const struct plog_key_info *k)
{
    sweep_tell(arg, k->vkey, strlen(k->vkey));
    sweep_tell_number(arg, k->to);
    sweep_tell_number(arg, k->trusted + 2u * k->secret);
    return 0;
}

static int op_key_list(struct stage *s)
{
    struct plog_options o = sweep_options(s);
    return plog_key_list(s->dir, &o, tell_key, s, &s->err);
}

static int op_key_trust(struct stage *s)
{
    struct plog_options o = sweep_options(s);
    char path[500];
    size_t n;
    bool added;
    snprintf(path, sizeof path, "%s/vkey", s->top);
    char *vkey = world_read(path, &n);
    int rc = plog_key_trust(s->dir, vkey, false, &o, &added, &s->err);
    free(vkey);
    return rc;
}

static int op_rehearse(struct stage *s)
{
    struct plog_options o = sweep_options(s);
    struct plog_cursor c = {{"s", 1}, {"r", 1}, {"c", 1}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    return plog_rehearse(s->dir, &o, &g, &s->err);
}

static int op_key_rotate(struct stage *s)
{
    struct plog_rotate_options o = {
        .struct_size = sizeof o, .io = s->io, .wait_seconds = SWEEP_WAIT};
    struct plog_rotate_report r;
    return plog_key_rotate(s->dir, &o, &r, &s->err);
}

/* ---- All ---------------------------------------------------------------- */

static const struct sweep_op ops[] = {
    {.name = "reader get", .world = "plain", .run = op_get, .reads = true},
    {.name = "reader history",
     .world = "plain",
     .run = op_history,
     .reads = true},
    {.name = "reader log", .world = "plain", .run = op_log, .reads = true},
    {.name = "reader cursors",
     .world = "plain",
     .run = op_cursors,
     .reads = true},
    {.name = "reader query", .world = "plain", .run = op_query, .reads = true},
    {.name = "reader checkpoint",
     .world = "plain",
     .run = op_checkpoint,
     .reads = true},
    {.name = "status", .world = "compacted", .run = op_status, .reads = true},
    {.name = "subscribe", .world = "plain", .run = op_subscribe, .reads = true},
    {.name = "key show", .world = "plain", .run = op_key_show, .reads = true},
    {.name = "key list",
     .world = "compacted",
     .run = op_key_list,
     .reads = true},
    {.name = "key trust", .world = "plain", .run = op_key_trust},
    {.name = "rehearse", .world = "plain", .run = op_rehearse, .reads = true},
    {.name = "key rotate",
     .world = "plain",
     .run = op_key_rotate,
     .entries = 1,
     .repeats = true,
     .mine = "log/keys/signing.key"},
};

const struct sweep_ops ops_reading = {ops, sizeof ops / sizeof *ops};
