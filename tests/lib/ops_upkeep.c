/*
 * ops_upkeep.c - the operations of paritylog_recovery.h that look after a log,
 * to be swept: doctor, inspect, proofs, redaction, peers, compaction.  See
 * sweep_ops.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sweep_ops.h"
#include "sweep_worlds.h"
#include "world.h"

/* ---- Looking ------------------------------------------------------------ */

static int op_witness(struct stage *s)
{
    struct plog_check_options o = {.struct_size = sizeof o, SWEEP_COMMON(s)};
    struct plog_witness_report r;
    return plog_witness(s->dir, s->file, &o, &r, &s->err);
}

static int tell_checkup(void *arg, const struct plog_checkup *c)
{
    (void)arg;
    return c->name[0] == '\0';
}

static int doctor(struct stage *s, bool quick)
{
    struct plog_doctor_options o = {.struct_size = sizeof o,
                                    .quick = quick,
                                    .checkup = tell_checkup,
                                    SWEEP_COMMON(s)};
    struct plog_doctor_report r;
    int rc = plog_doctor(s->dir, &o, &r, &s->err);
    /* What it could not look at it says, and goes on. */
    if (!rc && r.verdict && r.verdict != PLOG_E_IO &&
        r.verdict != PLOG_E_NOMEM && r.verdict != PLOG_E_KEY &&
        r.verdict != PLOG_E_LOCKED) /* so SQLite calls a failed lock */
        sweep_broken(s, "verdict %d", r.verdict);
    return rc;
}

static int op_doctor(struct stage *s)
{
    return doctor(s, false);
}

static int op_doctor_quick(struct stage *s)
{
    return doctor(s, true);
}

static int tell_odd_line(void *arg, const struct plog_inspected *l)
{
    sweep_tell_number(arg, l->line);
    sweep_tell_number(arg, l->kind);
    return 0;
}

static int inspect(struct stage *s, const char *path)
{
    struct plog_inspect_options o = {
        .struct_size = sizeof o, .io = s->io, .line = tell_odd_line, .arg = s};
    struct plog_inspect_report r;
    int rc = plog_inspect(path, &o, &r, &s->err);
    if (!rc)
        sweep_tell_number(s, r.lines);
    return rc;
}

static int op_inspect(struct stage *s)
{
    char path[500];
    snprintf(path, sizeof path, "%s/lines", s->top);
    return inspect(s, path);
}

static int op_inspect_gzip(struct stage *s)
{
    char path[500];
    snprintf(path, sizeof path, "%s/archive/00000000000000000001.jsonl.gz",
             s->dir);
    return inspect(s, path);
}

/* ---- Proofs ------------------------------------------------------------- */

static int tell_text(void *arg, const char *text, size_t len)
{
    sweep_tell(arg, text, len);
    return 0;
}

static int op_prove(struct stage *s)
{
    struct plog_prove_options o = {
        .struct_size = sizeof o, .out = tell_text, .arg = s, SWEEP_COMMON(s)};
    return plog_prove(s->dir, 5, &o, &s->err);
}

static int op_prove_consistency(struct stage *s)
{
    struct plog_prove_options o = {
        .struct_size = sizeof o, .out = tell_text, .arg = s, SWEEP_COMMON(s)};
    size_t n;
    char *note = world_read(s->file, &n);
    int rc = plog_prove_consistency(s->dir, note, n, &o, &s->err);
    free(note);
    return rc;
}

/* ---- Redaction, peers --------------------------------------------------- */

static int op_redact(struct stage *s)
{
    struct plog_redact_options o = {
        .struct_size = sizeof o, .reason = "a test", SWEEP_COMMON(s)};
    struct plog_redact_report r;
    return plog_redact(s->dir, 6, &o, &r, &s->err);
}

static const char *is_redacted(struct stage *s)
{
    struct plog_status st;
    if (plog_read_status(s->dir, NULL, &st, NULL))
        return "no status";
    return st.redactions == 2 && st.pending == 0 ? NULL : "it is not redacted";
}

static int tell_redaction(void *arg, const struct plog_redaction *r)
{
    sweep_tell_number(arg, r->seq);
    sweep_tell_number(arg, r->order);
    return 0;
}

static int op_redactions(struct stage *s)
{
    struct plog_options o = {.struct_size = sizeof o, SWEEP_COMMON(s)};
    return plog_redactions(s->dir, &o, tell_redaction, s, &s->err);
}

static struct plog_peer_options peer_options(const struct stage *s)
{
    return (struct plog_peer_options){.struct_size =
                                          sizeof(struct plog_peer_options),
                                      .reason = "a test",
                                      SWEEP_COMMON(s)};
}

static int op_peer_add(struct stage *s)
{
    struct plog_peer_options o = peer_options(s);
    struct plog_peer_report r;
    return plog_peer_add(s->dir, "q", &o, &r, &s->err);
}

static int op_peer_evict(struct stage *s)
{
    struct plog_peer_options o = peer_options(s);
    struct plog_peer_report r;
    return plog_peer_evict(s->dir, "p", &o, &r, &s->err);
}

static int op_peer_ack(struct stage *s)
{
    struct plog_peer_options o = peer_options(s);
    struct plog_peer_report r;
    return plog_peer_ack(s->dir, "p", 9, NULL, &o, &r, &s->err);
}

static int op_peer_rewind(struct stage *s)
{
    struct plog_peer_options o = peer_options(s);
    struct plog_peer_report r;
    return plog_peer_rewind(s->dir, "p", 2, &o, &r, &s->err);
}

struct cursor {
    uint64_t peers, cursor;
};

static int see_peer(void *arg, const struct plog_peer *p)
{
    struct cursor *c = arg;
    c->peers++;
    if (p->name.n == 1 && p->name.p[0] == 'p')
        c->cursor = p->cursor;
    return 0;
}

static struct cursor cursors_of(struct stage *s)
{
    struct cursor c = {0, 0};
    CHECK_INT(plog_peers(s->dir, NULL, see_peer, &c, NULL), 0);
    return c;
}

static const char *is_added(struct stage *s)
{
    return cursors_of(s).peers == 2 ? NULL : "no second peer";
}

static const char *is_evicted(struct stage *s)
{
    return cursors_of(s).peers == 0 ? NULL : "the peer is there";
}

static const char *is_acked(struct stage *s)
{
    return cursors_of(s).cursor == 9 ? NULL : "it is not acknowledged";
}

static const char *is_rewound(struct stage *s)
{
    return cursors_of(s).cursor == 2 ? NULL : "it is not rewound";
}

static int tell_peer(void *arg, const struct plog_peer *p)
{
    sweep_tell(arg, p->name.p, p->name.n);
    sweep_tell_number(arg, p->cursor);
    sweep_tell_number(arg, p->lag);
    return 0;
}

static int op_peers(struct stage *s)
{
    struct plog_options o = {.struct_size = sizeof o, SWEEP_COMMON(s)};
    return plog_peers(s->dir, &o, tell_peer, s, &s->err);
}

/* ---- Compaction --------------------------------------------------------- */

static int compacting(struct stage *s, struct plog_compact_options o)
{
    struct plog_compact_report r;
    o.struct_size = sizeof o;
    o.io = s->io;
    o.wait_seconds = SWEEP_WAIT;
    return plog_compact(s->dir, &o, &r, &s->err);
}

static int op_compact(struct stage *s)
{
    return compacting(s, (struct plog_compact_options){.struct_size = 0});
}

static int op_compact_dry(struct stage *s)
{
    return compacting(s, (struct plog_compact_options){.dry_run = true});
}

/* Without a peer nobody has to have proven anything. */
static int op_compact_discard(struct stage *s)
{
    return compacting(s, (struct plog_compact_options){.discard = true});
}

static int op_compact_trim(struct stage *s)
{
    return compacting(s, (struct plog_compact_options){.trim_store = true});
}

static int op_compact_undo(struct stage *s)
{
    return compacting(s, (struct plog_compact_options){.undo = true});
}

static uint64_t floor_of(struct stage *s)
{
    struct plog_status st = {.floor = 0};
    CHECK_INT(plog_read_status(s->dir, NULL, &st, NULL), 0);
    return st.below_floor ? UINT64_MAX : st.floor;
}

static const char *has_a_floor(struct stage *s)
{
    uint64_t floor = floor_of(s);
    return floor && floor != UINT64_MAX ? NULL : "it is not compacted";
}

static const char *has_no_floor(struct stage *s)
{
    return floor_of(s) == 0 ? NULL : "it is still compacted";
}

/* ---- All ---------------------------------------------------------------- */

#define TAKEN "log/archive log/snapshots"

static const struct sweep_op ops[] = {
    {.name = "witness", .world = "plain", .run = op_witness, .mine = "file"},
    {.name = "doctor", .world = "compacted", .run = op_doctor, .reads = true},
    {.name = "doctor quick",
     .world = "compacted",
     .run = op_doctor_quick,
     .reads = true},
    {.name = "inspect", .world = "plain", .run = op_inspect, .reads = true},
    {.name = "inspect gzip",
     .world = "compacted",
     .run = op_inspect_gzip,
     .reads = true},
    {.name = "prove", .world = "plain", .run = op_prove, .reads = true},
    {.name = "prove consistency",
     .world = "plain",
     .run = op_prove_consistency,
     .reads = true},
    {.name = "redact",
     .world = "plain",
     .run = op_redact,
     .entries = 1,
     .done = is_redacted,
     .rewrites = true,
     .mine = "log/quarantine"},
    {.name = "redactions",
     .world = "plain",
     .run = op_redactions,
     .reads = true},
    {.name = "peer add",
     .world = "plain",
     .run = op_peer_add,
     .entries = 1,
     .done = is_added,
     .again = PLOG_E_EXISTS},
    {.name = "peer evict",
     .world = "plain",
     .run = op_peer_evict,
     .entries = 1,
     .done = is_evicted,
     .again = PLOG_E_NOT_FOUND},
    {.name = "peer ack",
     .world = "plain",
     .run = op_peer_ack,
     .done = is_acked},
    {.name = "peer rewind",
     .world = "plain",
     .run = op_peer_rewind,
     .entries = 1,
     .done = is_rewound,
     .again = PLOG_E_INPUT},
    {.name = "peers", .world = "plain", .run = op_peers, .reads = true},
    {.name = "compact",
     .world = "plain",
     .run = op_compact,
     .entries = 1,
     .done = has_a_floor},
    {.name = "compact dry run",
     .world = "plain",
     .run = op_compact_dry,
     .reads = true},
    {.name = "compact discard",
     .world = "plain",
     .run = op_compact_discard,
     .entries = 1,
     .done = has_a_floor},
    {.name = "compact trim",
     .world = "plain",
     .run = op_compact_trim,
     .entries = 1,
     .done = has_a_floor},
    {.name = "compact halfway",
     .world = "halfway",
     .run = op_compact,
     .mine = TAKEN,
     .done = has_a_floor},
    {.name = "compact undo",
     .world = "compacted",
     .run = op_compact_undo,
     .entries = 1,
     .mine = TAKEN,
     .done = has_no_floor,
     .again = PLOG_E_INPUT},
};

const struct sweep_ops ops_upkeep = {ops, sizeof ops / sizeof *ops};
