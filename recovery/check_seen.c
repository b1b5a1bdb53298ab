/*
 * check_seen.c - heads that somebody has seen: each must be in the log.
 *
 * They come from --expect-head, from a checkpoint, and from the notes of a
 * witness; a note that is not of this log is a finding by itself.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

static struct plog_seen *seen_at(struct plog_check *c, size_t i)
{
    return (struct plog_seen *)(void *)c->seen.data + i;
}

static size_t seen_count(const struct plog_check *c)
{
    return c->seen.len / sizeof(struct plog_seen);
}

static void spell(const struct plog_seen *seen, char *out, size_t cap)
{
    static const char *const files[] = {"", "witness", "checkpoint",
                                        "watermark"};
    char hash[48], where[48] = "";
    plog_check_hash(seen->root, hash);
    if (seen->line)
        snprintf(where, sizeof where, " (%s, line %llu)", files[seen->by],
                 (unsigned long long)seen->line);
    snprintf(out, cap, "%llu:%s%s", (unsigned long long)seen->size, hash,
             where);
}

static void head_differs(struct plog_check *c, int code,
                         const struct plog_seen *seen,
                         const unsigned char *found, uint64_t size)
{
    char want[140], got[100], hash[48];
    spell(seen, want, sizeof want);
    plog_check_hash(found, hash);
    snprintf(got, sizeof got, "%llu:%s", (unsigned long long)size, hash);
    struct plog_finding f = {.verdict = code,
                             .leg = PLOG_LEG_LOG,
                             .seq = seen->size,
                             .expected = want,
                             .found = got};
    f.next = "keep a copy of DIR; somebody has seen another history of it";
    plog_check_find(c, &f);
}

/* It must be compared, and nobody can tell any more. */
static void head_pruned(struct plog_check *c, const struct plog_seen *seen)
{
    char want[140], got[100];
    spell(seen, want, sizeof want);
    snprintf(got, sizeof got, "entries up to %llu were compacted away",
             (unsigned long long)c->report->floor);
    struct plog_finding f = {.verdict = PLOG_E_PRUNED,
                             .leg = PLOG_LEG_LOG,
                             .file = c->below[0] ? c->below : NULL,
                             .seq = seen->size,
                             .expected = want,
                             .found = got,
                             .next = "put the files of archive/ back from a"
                                     " backup, which tell; or compare a copy of"
                                     " the log from before, and go on with a"
                                     " head above the floor"};
    plog_check_find(c, &f);
}

/* They come in the order of their sizes. */
static void pass_by(struct plog_passed *p, uint64_t size)
{
    if (p->to == 0)
        p->from = size;
    p->to = size;
}

/* Of one below the floor; older notes of a witness follow from the newest. */
static void judge_below(struct plog_check *c, const struct plog_seen *seen)
{
    if (seen->known && memcmp(seen->found, seen->root, sizeof seen->root) != 0)
        head_differs(c, PLOG_E_FORK, seen, seen->found, seen->size);
    else if (!seen->known && seen->asked)
        head_pruned(c, seen);
    else if (!seen->known)
        pass_by(&c->below_floor, seen->size);
}

static void not_compared(struct plog_check *c, const struct plog_seen *seen)
{
    if (seen->size < c->begins)
        pass_by(&c->below_start, seen->size);
    else
        plog_check_unchecked(c, PLOG_LEG_LOG, seen->size, seen->size,
                             "a head that was seen lies in damage");
}

static void tell_range(struct plog_check *c, const struct plog_passed *p,
                       const char *one, const char *many)
{
    if (p->to)
        plog_check_unchecked(c, PLOG_LEG_LOG, p->from, p->to,
                             p->from == p->to ? one : many);
}

void plog_check_tell_passed(struct plog_check *c)
{
    const struct plog_witness_file *f = &c->notes.file;
    if (f->odd && !f->changed)
        plog_check_unchecked(c, PLOG_LEG_LOG, 0, 0,
                             "the witness file has a note that was cut off");
    tell_range(c, &c->below_floor, "a head that was seen lies below the floor",
               "heads that were seen lie below the floor");
    tell_range(c, &c->below_start,
               "a head that was seen lies below the checkpoint",
               "heads that were seen lie below the checkpoint");
}

static int see(struct plog_check *c, const struct plog_seen *seen)
{
    unsigned char nothing[PLOG_HASH_SIZE];
    if (seen->size)
        return plog_buf_add(&c->seen, seen, sizeof *seen);
    plog_hash_empty(nothing); /* which every log begins with */
    if (memcmp(nothing, seen->root, sizeof nothing) != 0)
        head_differs(c, PLOG_E_FORK, seen, nothing, 0);
    return 0;
}

/* A note that is not one of this log is a finding by itself. */
static int see_note(struct plog_check *c, const struct plog_seen_note *n)
{
    char where[60];
    if (n->code == 0)
        return see(c, &n->seen);
    snprintf(where, sizeof where, "the note at line %llu",
             (unsigned long long)n->seen.line);
    struct plog_finding f = {.verdict = n->code,
                             .leg = PLOG_LEG_LOG,
                             .file = "the witness file",
                             .seq = n->seen.size,
                             .expected = "signed heads of this log",
                             .found = where};
    f.next = "see who wrote the witness file";
    plog_check_find(c, &f);
    return 0;
}

static void changed_note(struct plog_check *c, uint64_t line)
{
    char found[60];
    snprintf(found, sizeof found, "line %llu and on are no note",
             (unsigned long long)line);
    struct plog_finding f = {.verdict = PLOG_E_CORRUPT,
                             .leg = PLOG_LEG_LOG,
                             .file = "the witness file",
                             .expected = "signed notes",
                             .found = found};
    f.next = "compare it with another copy; what it knew may be lost";
    plog_check_find(c, &f);
}

/* Each of them was compared with the log when the next was added; so the newest
 * is enough where the older can be compared no more. */
static void ask_newest(struct plog_check *c)
{
    uint64_t newest = 0;
    for (size_t i = 0; i < seen_count(c); i++)
        if (seen_at(c, i)->by == PLOG_SEEN_WITNESS &&
            seen_at(c, i)->size > newest)
            newest = seen_at(c, i)->size;
    for (size_t i = 0; i < seen_count(c); i++)
        if (seen_at(c, i)->by == PLOG_SEEN_WITNESS &&
            seen_at(c, i)->size == newest)
            seen_at(c, i)->asked = true;
}

static int by_size(const void *a, const void *b)
{
    const struct plog_seen *x = a, *y = b;
    return (x->size > y->size) - (x->size < y->size);
}

static void sort_seen(struct plog_check *c)
{
    if (c->seen.len)
        qsort(c->seen.data, seen_count(c), sizeof(struct plog_seen), by_size);
}

static int take_file(struct plog_check *c, const struct plog_seen_file *n,
                     struct plog_error *err)
{
    if (n->code)
        *err = n->why;
    else if (n->seen.line && see(c, &n->seen))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    return n->code;
}

static int take_witness(struct plog_check *c, struct plog_error *err)
{
    const struct plog_check_notes *n = &c->notes;
    const struct plog_seen_note *all = (const void *)n->witness.data;
    struct plog_seen seen = {.size = c->o->expect_size, .asked = true};
    int rc = 0;
    memcpy(seen.root, c->o->expect_root, sizeof seen.root);
    if (c->o->has_expect_head)
        rc = see(c, &seen);
    for (size_t i = 0; !rc && i < n->witness.len / sizeof *all; i++)
        rc = c->stopped ? PLOG_E_INTERRUPTED : see_note(c, &all[i]);
    if (rc == PLOG_E_NOMEM)
        return plog_fail(err, rc, "out of memory");
    if (rc || c->stopped)
        return plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
    if (n->file.changed)
        changed_note(c, n->file.changed);
    if (n->code)
        *err = n->why;
    ask_newest(c);
    return n->code;
}

int plog_check_take_notes(struct plog_check *c, struct plog_error *err)
{
    int rc = take_file(c, &c->notes.watermark, err);
    if (!rc)
        rc = take_witness(c, err);
    if (!rc)
        rc = take_file(c, &c->notes.since, err);
    if (!rc)
        c->report->since = c->notes.since.seen.size;
    sort_seen(c);
    return rc;
}

void plog_check_expected(struct plog_check *c, const struct plog_tree *before,
                         const struct plog_log_group *g)
{
    unsigned char root[PLOG_HASH_SIZE];
    struct plog_tree tree = *before;
    /* `before` is another place when the walk took its tree from a header. */
    bool known = g->root_checked && before->size + 1 == g->first;
    for (; c->seen_next < seen_count(c); c->seen_next++) {
        const struct plog_seen *seen = seen_at(c, c->seen_next);
        if (seen->size > g->size)
            return;
        if (known && seen->size == before->size) {
            plog_tree_root(before, root);
            if (memcmp(root, seen->root, sizeof root) != 0)
                head_differs(c, PLOG_E_FORK, seen, root, seen->size);
            continue;
        }
        if (seen->size < c->report->floor) {
            judge_below(c, seen);
            continue;
        }
        if (!known || seen->size < g->first) {
            not_compared(c, seen);
            continue;
        }
        while (tree.size < seen->size) {
            size_t i = (size_t)(tree.size + 1 - g->first);
            if (plog_tree_add(&tree, plog_scan_line(&c->walk.scan, i)->leaf))
                return;
        }
        plog_tree_root(&tree, root);
        if (memcmp(root, seen->root, sizeof root) != 0)
            head_differs(c, PLOG_E_FORK, seen, root, seen->size);
    }
}

/* The end of the log, where its lines lead to the root that is signed there. */
static bool lead_to_the_end(const struct plog_chain *chain)
{
    unsigned char root[PLOG_HASH_SIZE];
    if (chain->tree.size != chain->last.size)
        return false;
    plog_tree_root(&chain->tree, root);
    return memcmp(root, chain->last.root, sizeof root) == 0;
}

/* Of one that no group came behind. */
static void judge_last(struct plog_check *c, const struct plog_seen *seen)
{
    const struct plog_commit *last = &c->walk.chain.last;
    if (seen->size < c->report->floor)
        judge_below(c, seen);
    else if (seen->size != last->size || !lead_to_the_end(&c->walk.chain))
        not_compared(c, seen);
    else if (memcmp(last->root, seen->root, sizeof seen->root) != 0)
        head_differs(c, PLOG_E_FORK, seen, last->root, seen->size);
}

void plog_check_expected_end(struct plog_check *c)
{
    const struct plog_commit *last = &c->walk.chain.last;
    size_t n = seen_count(c);
    while (c->seen_next < n && seen_at(c, c->seen_next)->size <= last->size)
        judge_last(c, seen_at(c, c->seen_next++));
    if (n && seen_at(c, n - 1)->size > last->size)
        head_differs(c, PLOG_E_ROLLBACK, seen_at(c, n - 1), last->root,
                     last->size);
}
