/* sweep_judge.c - see sweep_judge.h. */
#include "sweep_judge.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "order_shim.h"
#include "world.h"

/* ---- Lines -------------------------------------------------------------- */

/* The lines of a log, hashed, and where the ids of the deltas tried are. */
struct lines {
    const struct stage *s;
    uint64_t hash[JUDGE_LINES];
    uint64_t first, last;
    uint64_t at[SWEEP_IDS]; /* seq of each id that was tried; 0: not there */
    uint64_t ids_above;     /* deltas above this size */
    uint64_t above;
    bool overrun;
};

static bool holds_id(const char *line, size_t len, const char *id)
{
    char text[SWEEP_TEXT + 8];
    int n = snprintf(text, sizeof text, "\"id\":\"%s\"", id);
    return memmem(line, len, text, (size_t)n) != NULL;
}

static int note_line(void *arg, uint64_t seq, const char *line, size_t len)
{
    struct lines *l = arg;
    if (seq >= JUDGE_LINES) {
        l->overrun = true;
        return 0;
    }
    if (!l->first)
        l->first = seq;
    l->last = seq;
    l->hash[seq] = tree_hash_bytes(3, line, len);
    l->ids_above += seq > l->above && memmem(line, len, "\"id\":\"", 6);
    for (unsigned i = 0; l->s && i < l->s->tries; i++)
        if (holds_id(line, len, l->s->tried[i].id))
            l->at[i] = seq;
    return 0;
}

static int read_lines(const char *dir, struct lines *l)
{
    struct plog_status st;
    plog_reader *r = NULL;
    int rc = plog_read_status(dir, NULL, &st, NULL);
    if (!rc)
        rc = plog_reader_open(&r, dir, NULL, NULL);
    if (!rc)
        rc = plog_reader_log(r, st.floor + 1, 0, note_line, l, NULL);
    plog_reader_close(r);
    return rc;
}

void sweep_look(const struct sweep_op *op, struct sweep_base *base,
                const char *top)
{
    char path[440];
    struct lines l = {0};
    snprintf(path, sizeof path, "%.400s/stage", top);
    tree_read(&base->tree, path);
    if (op->closed && !op->like)
        return;
    /* In a copy: what opening mends is what the operation begins with. */
    char copy[440];
    snprintf(path, sizeof path, "%.300s/worlds/%s/log", top,
             op->like ? op->like : op->world);
    snprintf(copy, sizeof copy, "%.400s/look", top);
    tree_copy(path, copy);
    plog *p = NULL;
    CHECK_INT(plog_open(&p, copy, NULL, NULL), 0);
    plog_close(p);
    CHECK_INT(read_lines(copy, &l), 0);
    CHECK(!l.overrun);
    base->size = l.last;
    memcpy(base->lines, l.hash, sizeof base->lines);
    tree_remove(copy);
}

/* ---- States ------------------------------------------------------------- */

bool sweep_was_judged(struct sweep_base *base, const struct tree *after,
                      const struct stage *s, int rc)
{
    uint64_t state = after->hash + (rc == 0);
    for (unsigned i = 0; i < s->tries; i++)
        state = state * 31 + (s->tried[i].acked ? s->tried[i].seq + 1 : 0);
    for (size_t i = 0; i < base->judged_count; i++)
        if (base->judged[i] == state)
            return true;
    if (base->judged_count % 256 == 0) {
        size_t n = base->judged_count + 256;
        base->judged = realloc(base->judged, n * sizeof *base->judged);
        if (!base->judged)
            abort();
    }
    base->judged[base->judged_count++] = state;
    return false;
}

/* ---- Files -------------------------------------------------------------- */

static bool starts_with(const char *text, const char *start, size_t n)
{
    return strncmp(text, start, n) == 0;
}

/* Whether the name begins with one of those in `all`. */
static bool is_one_of(const char *name, const char *all)
{
    while (all && *all) {
        size_t n = strcspn(all, " ");
        if (n && starts_with(name, all, n))
            return true;
        all += n + (all[n] == ' ');
    }
    return false;
}

/* Segments and store are judged by what they hold; the lock file may note that
 * a sync of SQLite's WAL has failed. */
static void check_files(const struct sweep_op *op, const struct tree *before,
                        const struct tree *after)
{
    for (size_t i = 0; i < before->count; i++) {
        const struct tree_file *f = &before->files[i], *g;
        if (is_one_of(f->name, "log/store.db log/log/ log/lock") ||
            is_one_of(f->name, op->mine))
            continue;
        g = tree_find(after, f->name);
        if (!g)
            sweep_complain("%s is gone", f->name);
        else if (g->hash != f->hash || g->mode != f->mode)
            sweep_complain("%s was changed", f->name);
    }
}

/* Made by a reader to expand a segment, and empty still.  Where no name can be
 * taken away for ever, this one cannot; and a reader that is run again does not
 * write there. */
static bool had_to_stay(const struct stage *s, const struct tree_file *f)
{
    return s->ever && f->size == 0 && strstr(f->name, "archive/paritylog-");
}

/* Once the operation completes, nothing half-made is left; but for a public key
 * that an init was about to write, and then drew another. */
static void check_leftovers(const struct tree *before, const struct stage *s)
{
    struct tree t;
    tree_read(&t, s->top);
    for (size_t i = 0; i < t.count; i++) {
        const char *name = t.files[i].name;
        if ((strstr(name, ".part-") || strstr(name, ".tmp") ||
             strstr(name, ".new")) &&
            !strstr(name, ".vkey.tmp") && !had_to_stay(s, &t.files[i]) &&
            !tree_find(before, name))
            sweep_complain("%s is left after the operation completed", name);
    }
    tree_free(&t);
}

/* ---- The log ------------------------------------------------------------ */

static void check_old_lines(const struct sweep_base *base,
                            const struct lines *l)
{
    for (uint64_t seq = l->first; seq <= base->size && seq; seq++)
        if (base->lines[seq] && l->hash[seq] != base->lines[seq])
            sweep_complain("entry %" PRIu64 " is lost or changed", seq);
}

static void check_acknowledged(const struct stage *s, const struct lines *l)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < s->tries; i++) {
        found += l->at[i] > l->above;
        if (s->tried[i].acked && l->at[i] != s->tried[i].seq)
            sweep_complain("%s was acknowledged as %" PRIu64
                           ", and is at %" PRIu64,
                           s->tried[i].id, s->tried[i].seq, l->at[i]);
    }
    if (s->tries && l->ids_above != found)
        sweep_complain("%" PRIu64 " deltas, of which %" PRIu64 " were tried",
                       l->ids_above, found);
}

/* Both legs are CLEAN, and stand at `from` to `to` entries. */
static uint64_t check_legs(const char *dir, uint64_t from, uint64_t to,
                           const char *when)
{
    struct plog_check_options o = {.struct_size = sizeof o};
    struct plog_check_report r;
    struct plog_error err = {0};
    int rc = plog_parity(dir, &o, &r, &err);
    if (rc || r.verdict)
        sweep_complain("%s: parity returns %d, verdict %d: %s", when, rc,
                       r.verdict, err.message);
    else if (r.head.size < from || r.head.size > to)
        sweep_complain("%s: the log ends at %" PRIu64 ", not from %" PRIu64
                       " to %" PRIu64,
                       when, r.head.size, from, to);
    return r.head.size;
}

/* What a handle opened over the real table finds. */
static void check_reopened(const struct sweep_op *op,
                           const struct sweep_base *base, const struct stage *s,
                           int rc)
{
    struct plog_error err = {0};
    plog *p = NULL;
    uint64_t least = base->size + (rc == 0 ? op->entries : 0);
    uint64_t most = base->size + op->entries + s->tries;
    if (op->harmed || (op->closed && rc))
        return;
    int opened = plog_open(&p, s->dir, NULL, &err);
    plog_close(p);
    if (rc && op->storeless &&
        (opened == PLOG_E_BEHIND || opened == PLOG_E_PRUNED))
        return;
    if (opened) {
        sweep_complain("it does not open: %d, %s", opened, err.message);
        return;
    }
    struct lines l = {.s = s, .above = base->size};
    check_legs(s->dir, least, most, "opened again");
    if (base->size == 0)
        return;
    if (read_lines(s->dir, &l) || l.overrun)
        sweep_complain("its entries cannot be read");
    if (!op->rewrites)
        check_old_lines(base, &l);
    check_acknowledged(s, &l);
}

/* ---- All of it ---------------------------------------------------------- */

static void check_done(const struct sweep_op *op, struct stage *s,
                       const char *when)
{
    const char *missing = op->done ? op->done(s) : NULL;
    if (missing)
        sweep_complain("%s: %s", when, missing);
}

void sweep_judge(const struct sweep_op *op, const struct sweep_base *base,
                 const struct tree *after, const struct stage *s, int rc)
{
    struct stage again = *s;
    check_files(op, &base->tree, after);
    check_reopened(op, base, s, rc);
    if (rc == 0)
        check_done(op, &again, "returned 0");
    failing_start(FAILING_NOTHING, 0, false);
    memset(&again.err, 0, sizeof again.err);
    again.tries = 0;
    again.io = order_io();
    again.ever = false;
    int second = op->run(&again);
    failing_stop();
    if (second && !(op->again && second == op->again))
        sweep_complain("run again it returns %d: %s", second,
                       again.err.message);
    else
        check_done(op, &again, "run again");
    if (!op->harmed)
        check_legs(s->dir, base->size + op->entries,
                   base->size + op->entries * (op->repeats ? 3 : 1) + s->tries,
                   "run again");
    check_leftovers(&base->tree, s);
}
