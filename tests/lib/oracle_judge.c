/* oracle_judge.c - see oracle.h: whether a disk keeps what was promised. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "oracle.h"
#include "oracle_read.h"

#define AGAIN_MOST 8 /* operations of a recovery that are crash points */

/* ---- What must hold ----------------------------------------------------- */

/* Prints what is broken.  The seed and the operation say where. */
static void broken(struct oracle *o, const char *what,
                   const struct plog_error *err)
{
    o->counts->broken++;
    if (++o->printed <= 5)
        printf("# %s, seed %" PRIu64 ", crash behind operation %zu of %zu:"
               " %s: %s %s\n",
               o->name, o->first_seed, o->at, o->sim.history.count, what,
               plog_code_word(err->code), err->message);
}

/* The recorded call that left this head, between what was acknowledged and
 * what was attempted; NULL: there is none. */
static const struct oracle_call *call_of(const struct oracle *o,
                                         const struct plog_head *head)
{
    for (unsigned i = 0; i < o->count; i++) {
        const struct oracle_call *c = &o->calls[i];
        if (c->size == head->size && c->began < o->at && c->size >= o->least &&
            !memcmp(c->root, head->root, sizeof c->root))
            return c;
    }
    return NULL;
}

/* The recorded text up to this head, or the header of the next segment more. */
static bool holds_log(const struct oracle *o, const struct oracle_call *c,
                      const struct sim_image *m)
{
    static const char header[] = "\n{\"segment\":";
    size_t len;
    char *text = oracle_log_text(m, &len);
    bool holds =
        len >= c->log_len && len <= o->log_len && !memcmp(text, o->log, len);
    if (holds && len > c->log_len)
        holds = len - c->log_len > sizeof header &&
                !memcmp(text + c->log_len, header, sizeof header - 1) &&
                !memchr(text + c->log_len + 1, '\n', len - c->log_len - 1);
    free(text);
    return holds;
}

/* Whether what stood in the segments of `before` is still somewhere. */
static bool kept_bytes(const struct sim_image *before,
                       const struct sim_image *after)
{
    int dir = sim_image_path(before, ORACLE_DIR "/log");
    for (int i = 0; dir >= 0 && i < before->name_count; i++) {
        const struct sim_name *e = &before->names[i];
        const char *dot = strchr(e->name, '.');
        if (e->dir != dir || !dot || strcmp(dot, ".jsonl"))
            continue; /* not a copy that was being made */
        const unsigned char *p = sim_image_bytes(before, e->node);
        size_t n = sim_image_size(before, e->node), same = 0;
        while (n > 0 && (p[n - 1] == '\n')) /* padding */
            n--;
        int node = sim_image_find(after, dir, e->name);
        const unsigned char *q = node < 0 ? NULL : sim_image_bytes(after, node);
        size_t m = q ? sim_image_size(after, node) : 0;
        while (same < n && same < m && p[same] == q[same])
            same++;
        if (same < n && !oracle_keeps(after, p + same, n - same))
            return false;
    }
    return true;
}

/* ---- One disk ----------------------------------------------------------- */

static int judge(struct oracle *o, const struct sim_image *disk, bool again);

/* Opens; finishes an init that was cut off, when nothing had been promised. */
static int open_or_init(struct oracle *o, struct sim *s, plog **p, bool *anew,
                        struct plog_error *err)
{
    char vkey[PLOG_VKEY_MAX];
    struct plog_init_options options = {
        .struct_size = sizeof options, .io = &s->io, .origin = "world"};
    int rc = oracle_open_on(p, s, err);
    *anew = o->anew;
    if (rc && o->mend) {
        rc = o->mend(s, err);
        return rc ? rc : oracle_open_on(p, s, err);
    }
    if (rc == 0 || o->least > 0)
        return rc;
    rc = plog_init(ORACLE_DIR, &options, vkey, err);
    *anew = true; /* its key, and so its bytes, are others */
    return rc ? rc : oracle_open_on(p, s, err);
}

/* What the disk of `s` must be, having come from `disk` to the end of `c`. */
static const char *compare(const struct oracle *o, struct sim *s,
                           const struct sim_image *disk,
                           const struct oracle_call *c)
{
    if (!c)
        return "no recorded head between acknowledged and attempted";
    if (!holds_log(o, c, &s->cache))
        return "other bytes in the log";
    if (oracle_store_digest(s) != c->store)
        return "the store is not the fold of the log";
    if (!kept_bytes(o->before ? o->before : disk, &s->cache))
        return "bytes of the log are gone";
    return NULL;
}

/* Opens and compares; opens one in so many a second time.
 * @opened  out: operations of the recovery when the first opening returned
 * @size    out: of the log that it found
 * @anew    out: it was made anew, so that no recorded head is its
 * Returns what is wrong, or NULL. */
static const char *recover(struct oracle *o, struct sim *s,
                           const struct sim_image *disk, size_t *opened,
                           uint64_t *size, bool *anew, struct plog_error *err)
{
    struct plog_head head = {0};
    plog *p = NULL;
    int rc = open_or_init(o, s, &p, anew, err);
    *opened = s->history.count;
    if (!rc)
        rc = plog_get_head(p, &head, err);
    plog_close(p);
    if (rc)
        return "it does not open";
    *size = head.size;
    const char *what = NULL;
    bool recording = s->recording;
    s->recording = o->holds == NULL && recording; /* looking is none of it */
    if (o->holds && !call_of(o, &head))
        what = "no recorded head between acknowledged and attempted";
    else if (o->holds)
        what = o->holds(o, s, err);
    else if (!*anew)
        what = compare(o, s, disk, call_of(o, &head));
    if (what)
        return what;
    if (o->twice_every == 0 || check_random(&o->seed) % o->twice_every)
        return NULL;
    uint64_t files = oracle_files_hash(&s->cache);
    uint64_t store = oracle_store_digest(s);
    o->counts->twice++;
    s->recording = false;
    rc = oracle_open_on(&p, s, err);
    plog_close(p);
    if (rc)
        return "it does not open again";
    if (oracle_files_hash(&s->cache) != files ||
        oracle_store_digest(s) != store)
        return "opening again changed it";
    return NULL;
}

static int judge_again(void *arg, const struct sim_image *disk)
{
    return judge(arg, disk, true);
}

/* Crashes the recovery that `s` recorded, from `disk` on, at every operation
 * or at AGAIN_MOST of them. */
static void crash_recovery(struct oracle *o, const struct sim *s,
                           const struct sim_image *disk, size_t opened,
                           uint64_t size, bool anew)
{
    struct sim_walk w;
    uint64_t least = o->least;
    o->anew = anew;
    o->before = disk; /* what the first crash left must be kept */
    sim_walk_init(&w, disk, &s->history);
    while (sim_walk_step(&w)) {
        if (check_random(&o->seed) % s->history.count >= AGAIN_MOST)
            continue;
        if (w.at >= opened && size > o->least)
            o->least = size; /* it was shown to its caller */
        sim_walk_each(&w, &o->again_breadth, &o->seed, judge_again, o);
    }
    sim_walk_free(&w);
    o->least = least;
    o->anew = false;
    o->before = NULL;
}

static bool seen_before(struct oracle *o, uint64_t key)
{
    if (o->seen_count * 2 >= o->seen_cap) {
        uint64_t *old = o->seen;
        size_t cap = o->seen_cap;
        o->seen_cap = cap ? cap * 2 : 4096;
        o->seen = calloc(o->seen_cap, sizeof *o->seen);
        if (!o->seen)
            abort();
        o->seen_count = 0;
        for (size_t i = 0; i < cap; i++)
            if (old[i])
                seen_before(o, old[i]);
        free(old);
    }
    key += !key;
    size_t i = key & (o->seen_cap - 1);
    while (o->seen[i] && o->seen[i] != key)
        i = (i + 1) & (o->seen_cap - 1);
    if (o->seen[i])
        return true;
    o->seen[i] = key;
    o->seen_count++;
    return false;
}

static int judge(struct oracle *o, const struct sim_image *disk, bool again)
{
    struct oracle_counts *n = o->counts;
    uint64_t key = sim_image_hash(disk) + o->least * 0x9e3779b97f4a7c15u;
    size_t opened;
    uint64_t size = 0;
    bool anew;
    struct plog_error err = {0};
    n->states++;
    if (seen_before(o, key))
        return 0;
    n->distinct++;
    n->again += again;
    struct sim s;
    sim_boot(&s, disk, o->seed + 1);
    bool deeper = !again && o->again_every &&
                  check_random(&o->seed) % o->again_every == 0;
    s.recording = deeper;
    const char *what = recover(o, &s, disk, &opened, &size, &anew, &err);
    n->torn += sim_image_path(&s.cache, ORACLE_DIR "/quarantine") >= 0;
    s.recording = false;
    if (!what && o->parity_every &&
        (o->holds || check_random(&o->seed) % o->parity_every == 0)) {
        n->checked++;
        err.code = oracle_parity(&s);
        what = err.code ? "parity" : NULL;
    }
    if (what)
        broken(o, what, &err);
    else if (deeper)
        crash_recovery(o, &s, disk, opened, size, anew);
    sim_halt(&s);
    return 0;
}

static int judge_first(void *arg, const struct sim_image *disk)
{
    return judge(arg, disk, false);
}

unsigned long oracle_crash_from(struct oracle *o, size_t from)
{
    unsigned long before = o->counts->broken;
    struct sim_walk w;
    sim_walk_init(&w, &o->start, &o->sim.history);
    while (sim_walk_step(&w)) {
        if (w.at <= from ||
            (o->op_every > 1 && check_random(&o->seed) % o->op_every))
            continue;
        o->at = w.at;
        o->least = 0;
        for (unsigned i = 0; i < o->count; i++)
            if (o->calls[i].done <= o->at)
                o->least = o->calls[i].size;
        sim_walk_each(&w, &o->breadth, &o->seed, judge_first, o);
    }
    sim_walk_free(&w);
    return o->counts->broken - before;
}

unsigned long oracle_crash_all(struct oracle *o)
{
    return oracle_crash_from(o, 0);
}
