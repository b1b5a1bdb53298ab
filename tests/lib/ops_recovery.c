/*
 * ops_recovery.c - the operations of paritylog_recovery.h that check, mend,
 * make anew and restore, to be swept: see sweep_ops.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sweep_ops.h"
#include "sweep_worlds.h"
#include "world.h"

/* ---- Checking ----------------------------------------------------------- */

static int tell_finding(void *arg, const struct plog_finding *f)
{
    sweep_tell_number(arg, (uint64_t)f->verdict);
    sweep_tell_number(arg, f->seq);
    return 0;
}

static struct plog_check_options check_options(struct stage *s)
{
    return (struct plog_check_options){.struct_size =
                                           sizeof(struct plog_check_options),
                                       .finding = tell_finding,
                                       .arg = s,
                                       SWEEP_COMMON(s)};
}

typedef int check_fn(const char *, const struct plog_check_options *,
                     struct plog_check_report *, struct plog_error *);

static int checking(struct stage *s, check_fn *check,
                    const struct plog_check_options *o)
{
    struct plog_check_report r;
    int rc = check(s->dir, o, &r, &s->err);
    if (rc)
        return rc;
    if (r.verdict)
        sweep_broken(s, "verdict %d", r.verdict);
    sweep_tell_number(s, r.head.size);
    sweep_tell_number(s, r.entries);
    sweep_tell_number(s, r.records);
    sweep_tell_number(s, r.segments);
    sweep_tell_number(s, r.floor);
    sweep_tell_number(s, r.pending);
    return 0;
}

/* Of the store verify says something when it can, and never a verdict. */
static int op_verify(struct stage *s)
{
    struct plog_check_options o = check_options(s);
    return checking(s, plog_verify, &o);
}

static int op_verify_witness(struct stage *s)
{
    struct plog_check_options o = check_options(s);
    o.witness = s->file;
    return checking(s, plog_verify, &o);
}

static int op_parity(struct stage *s)
{
    struct plog_check_options o = check_options(s);
    return checking(s, plog_parity, &o);
}

static int op_parity_since(struct stage *s)
{
    struct plog_check_options o = check_options(s);
    o.since = s->file;
    return checking(s, plog_parity, &o);
}

static int op_parity_watermark(struct stage *s)
{
    struct plog_check_options o = check_options(s);
    o.watermark = s->out;
    return checking(s, plog_parity, &o);
}

static const char *note_is_there(struct stage *s)
{
    size_t n;
    char *text = world_read(s->out, &n);
    free(text);
    return n > 0 ? NULL : "no note";
}

/* ---- Replaying, making anew --------------------------------------------- */

static int replaying(struct stage *s, bool dry_run, bool fresh)
{
    struct plog_replay_options o = {.struct_size = sizeof o,
                                    .dry_run = dry_run,
                                    .fresh = fresh,
                                    SWEEP_COMMON(s)};
    struct plog_replay_report r;
    int rc = plog_replay(s->dir, &o, &r, &s->err);
    if (!rc) {
        sweep_tell_number(s, r.applied);
        sweep_tell_number(s, r.present);
        sweep_tell_number(s, r.head.size);
    }
    return rc;
}

static int op_replay(struct stage *s)
{
    return replaying(s, false, false);
}

static int op_replay_dry(struct stage *s)
{
    return replaying(s, true, false);
}

static int op_replay_fresh(struct stage *s)
{
    return replaying(s, false, true);
}

typedef int rebuild_fn(const char *, const char *,
                       const struct plog_rebuild_options *,
                       struct plog_rebuild_report *, struct plog_error *);

static int rebuilding(struct stage *s, rebuild_fn *rebuild, bool install)
{
    struct plog_rebuild_options o = {
        .struct_size = sizeof o, .install = install, SWEEP_COMMON(s)};
    struct plog_rebuild_report r;
    int rc = rebuild(s->dir, install ? NULL : s->out, &o, &r, &s->err);
    if (!rc && r.verdict)
        sweep_broken(s, "verdict %d: %s", r.verdict, r.why);
    return rc;
}

static int op_rebuild_log(struct stage *s)
{
    return rebuilding(s, plog_rebuild_log, false);
}

static int op_rebuild_log_here(struct stage *s)
{
    return rebuilding(s, plog_rebuild_log, true);
}

static int op_rebuild_store(struct stage *s)
{
    return rebuilding(s, plog_rebuild_store, false);
}

static int op_rebuild_store_here(struct stage *s)
{
    return rebuilding(s, plog_rebuild_store, true);
}

/* What was made is whole: the log verifies up to the end of the other one; a
 * copy with a store is CLEAN. */
static const char *copy_is_whole(struct stage *s, check_fn *check, bool all)
{
    struct plog_check_options o = {.struct_size = sizeof o};
    struct plog_check_report here, there;
    if (plog_verify(s->dir, &o, &here, NULL) || check(s->out, &o, &there, NULL))
        return "the copy cannot be checked";
    if (there.verdict)
        return "the copy is not CLEAN";
    return !all || here.head.size == there.head.size
               ? NULL
               : "the copy is not all of it";
}

static const char *log_is_made(struct stage *s)
{
    return copy_is_whole(s, plog_verify, true);
}

/* The store alone: there is no log to compare it with, so it is put beside. */
static const char *store_is_made(struct stage *s)
{
    char path[500];
    size_t n;
    snprintf(path, sizeof path, "%s/store.db", s->out);
    free(world_read(path, &n));
    return n ? NULL : "no store";
}

static const char *copy_is_made(struct stage *s)
{
    return copy_is_whole(s, plog_parity, true);
}

static const char *part_is_made(struct stage *s)
{
    return copy_is_whole(s, plog_parity, false);
}

static int restoring(struct stage *s, uint64_t at, bool adopt, const char *name)
{
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .at_seq = at,
                                     .continue_as = name,
                                     SWEEP_COMMON(s)};
    struct plog_restore_report r;
    struct plog_head h = {0};
    plog_reader *reader = NULL;
    if (adopt) { /* whose head is known from outside */
        struct plog_options real = {.struct_size = sizeof real};
        failing_stop();
        if (plog_reader_open(&reader, s->dir, &real, NULL) ||
            plog_reader_head(reader, &h, NULL))
            sweep_broken(s, "no head");
        plog_reader_close(reader);
        sweep_go(s);
        o.adopt = true;
        o.adopt_size = h.size;
        memcpy(o.adopt_root, h.root, sizeof h.root);
    }
    return plog_restore(s->dir, s->out, &o, &r, &s->err);
}

static int op_restore(struct stage *s)
{
    return restoring(s, 0, false, NULL);
}

static int op_restore_at(struct stage *s)
{
    return restoring(s, 7, false, NULL);
}

static int op_restore_adopt(struct stage *s)
{
    return restoring(s, 0, true, NULL);
}

static int op_restore_continue(struct stage *s)
{
    return restoring(s, 0, false, "sweep.example/other");
}

static int op_drill(struct stage *s)
{
    struct plog_drill_options o = {.struct_size = sizeof o, SWEEP_COMMON(s)};
    struct plog_drill_report r;
    int rc = plog_drill(s->dir, &o, &r, &s->err);
    if (!rc && r.verdict)
        sweep_broken(s, "verdict %d: %s", r.verdict, r.what);
    return rc;
}

static int tell_salvaged(void *arg, const char *line, size_t len, bool proven)
{
    sweep_tell(arg, line, len);
    sweep_tell_number(arg, proven);
    return 0;
}

static int salvaging(struct stage *s, bool from_store)
{
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .from_store = from_store,
                                     .line = tell_salvaged,
                                     .arg = s,
                                     SWEEP_COMMON(s)};
    struct plog_salvage_report r;
    int rc = plog_salvage(s->dir, &o, &r, &s->err);
    if (!rc && from_store && r.verdict)
        sweep_broken(s, "verdict %d, %llu segments left", r.verdict,
                     (unsigned long long)r.left);
    return rc;
}

static int op_salvage(struct stage *s)
{
    return salvaging(s, false);
}

static int op_salvage_heal(struct stage *s)
{
    return salvaging(s, true);
}

/* ---- All ---------------------------------------------------------------- */

static const struct sweep_op ops[] = {
    {.name = "verify", .world = "plain", .run = op_verify, .reads = true},
    {.name = "verify witness",
     .world = "plain",
     .run = op_verify_witness,
     .reads = true},
    {.name = "verify below", /* the note lies below the floor */
     .world = "compacted",
     .run = op_verify_witness,
     .reads = true},
    {.name = "verify compacted",
     .world = "compacted",
     .run = op_verify,
     .reads = true},
    {.name = "parity", .world = "plain", .run = op_parity, .reads = true},
    {.name = "parity compacted",
     .world = "compacted",
     .run = op_parity,
     .reads = true},
    {.name = "parity since",
     .world = "plain",
     .run = op_parity_since,
     .reads = true},
    {.name = "parity watermark",
     .world = "plain",
     .run = op_parity_watermark,
     .done = note_is_there},
    {.name = "replay", .world = "cut", .run = op_replay},
    {.name = "replay dry run",
     .world = "cut",
     .run = op_replay_dry,
     .reads = true},
    {.name = "replay fresh",
     .world = "plain",
     .run = op_replay_fresh,
     .storeless = true},
    {.name = "replay fresh compacted",
     .world = "compacted",
     .run = op_replay_fresh,
     .storeless = true},
    {.name = "replay storeless",
     .world = "storeless",
     .run = op_replay,
     .closed = true,
     .like = "plain"},
    {.name = "rebuild log",
     .world = "plain",
     .run = op_rebuild_log,
     .done = log_is_made,
     .again = PLOG_E_EXISTS},
    {.name = "rebuild log install",
     .world = "logless",
     .run = op_rebuild_log_here,
     .closed = true,
     .like = "plain"},
    {.name = "rebuild store",
     .world = "plain",
     .run = op_rebuild_store,
     .done = store_is_made,
     .again = PLOG_E_EXISTS},
    {.name = "rebuild store install",
     .world = "plain",
     .run = op_rebuild_store_here,
     .storeless = true},
    {.name = "restore",
     .world = "plain",
     .run = op_restore,
     .done = copy_is_made,
     .again = PLOG_E_EXISTS},
    {.name = "restore at",
     .world = "compacted",
     .run = op_restore_at,
     .done = part_is_made,
     .again = PLOG_E_EXISTS},
    {.name = "restore adopt",
     .world = "compacted",
     .run = op_restore_adopt,
     .done = copy_is_made,
     .again = PLOG_E_EXISTS},
    {.name = "restore continue",
     .world = "plain",
     .run = op_restore_continue,
     .done = part_is_made,
     .again = PLOG_E_EXISTS},
    {.name = "drill",
     .world = "plain",
     .run = op_drill,
     .mine = "log/drill.json"},
    {.name = "salvage",
     .world = "damaged",
     .run = op_salvage,
     .closed = true,
     .like = "plain",
     .harmed = true},
    {.name = "salvage from store",
     .world = "damaged",
     .run = op_salvage_heal,
     .closed = true,
     .like = "plain"},
};

const struct sweep_ops ops_recovery = {ops, sizeof ops / sizeof *ops};
