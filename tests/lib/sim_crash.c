/* sim_crash.c - see sim.h: what a crash could have left on the disk. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim.h"

/* ---- One operation ------------------------------------------------------ */

/* Does `n` bytes of a write, or all of another operation, to `m`. */
static void apply(struct sim_image *m, const struct sim_op *op, size_t at,
                  size_t n, const unsigned char *bytes)
{
    switch (op->kind) {
    case SIM_WRITE:
        sim_image_reach(m, op->node, false);
        sim_image_write(m, op->node, bytes, n, at);
        break;
    case SIM_RESIZE:
        sim_image_reach(m, op->node, false);
        sim_image_resize(m, op->node, op->n);
        break;
    case SIM_LINK:
        sim_image_reach(m, op->node, op->is_dir);
        sim_image_link(m, op->dir, op->name, op->node);
        break;
    case SIM_RENAME:
        if (sim_image_find(m, op->dir, op->name) == op->node)
            sim_image_unlink(m, op->dir, op->name);
        sim_image_reach(m, op->node, op->is_dir);
        sim_image_link(m, op->to_dir, op->to_name, op->node);
        break;
    case SIM_UNLINK:
        if (sim_image_find(m, op->dir, op->name) == op->node)
            sim_image_unlink(m, op->dir, op->name);
        break;
    case SIM_SYNC:
    case SIM_SYNC_DIR:
        break;
    }
}

static void apply_unit(struct sim_image *m, const struct sim_op *op,
                       const struct sim_unit *u, enum sim_fate fate,
                       uint64_t *seed)
{
    unsigned char other[SIM_BLOCK] = {0};
    if (fate == SIM_OLD)
        return;
    if (fate == SIM_KEPT || op->kind != SIM_WRITE) {
        apply(m, op, u->at, u->n, op->bytes ? op->bytes + (u->at - op->at) : 0);
        return;
    }
    for (size_t i = 0; fate == SIM_GARBAGE && i < u->n; i++)
        other[i] = (unsigned char)check_random(seed);
    apply(m, op, u->at, u->n, other);
}

/* ---- The walk ----------------------------------------------------------- */

void sim_walk_init(struct sim_walk *w, const struct sim_image *start,
                   const struct sim_history *history)
{
    memset(w, 0, sizeof *w);
    w->history = history;
    sim_image_copy(&w->disk, start);
}

void sim_walk_free(struct sim_walk *w)
{
    sim_image_free(&w->disk);
    free(w->pending);
    memset(w, 0, sizeof *w);
}

static void add_unit(struct sim_walk *w, size_t at, size_t n)
{
    if (w->count == w->cap) {
        w->cap = w->cap * 2 + 64;
        w->pending = realloc(w->pending, w->cap * sizeof *w->pending);
        if (!w->pending)
            abort();
    }
    w->pending[w->count++] = (struct sim_unit){w->at, at, n};
}

static bool is_synced(const struct sim_op *op, const struct sim_op *sync)
{
    bool of_file = op->kind == SIM_WRITE || op->kind == SIM_RESIZE;
    if (sync->kind == SIM_SYNC)
        return of_file && op->node == sync->node;
    return !of_file && (op->dir == sync->node || op->to_dir == sync->node);
}

/* What it covers is on the disk now, or never will be. */
static void sync_now(struct sim_walk *w, const struct sim_op *sync)
{
    size_t left = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct sim_op *op = &w->history->ops[w->pending[i].op];
        if (!is_synced(op, sync))
            w->pending[left++] = w->pending[i];
        else if (!sync->failed)
            apply_unit(&w->disk, op, &w->pending[i], SIM_KEPT, NULL);
    }
    w->count = left;
}

bool sim_walk_step(struct sim_walk *w)
{
    if (w->at == w->history->count)
        return false;
    const struct sim_op *op = &w->history->ops[w->at];
    if (op->kind == SIM_SYNC || op->kind == SIM_SYNC_DIR) {
        sync_now(w, op);
    } else if (op->kind != SIM_WRITE) {
        add_unit(w, 0, 0);
    } else {
        size_t end = op->at + op->n;
        for (size_t at = op->at; at < end;) {
            size_t next = (at / SIM_BLOCK + 1) * SIM_BLOCK;
            next = next < end ? next : end;
            add_unit(w, at, next - at);
            at = next;
        }
    }
    w->at++;
    return true;
}

void sim_walk_crash(const struct sim_walk *w, const unsigned char *fates,
                    uint64_t seed, struct sim_image *out)
{
    sim_image_copy(out, &w->disk);
    for (size_t i = 0; i < w->count; i++)
        apply_unit(out, &w->history->ops[w->pending[i].op], &w->pending[i],
                   (enum sim_fate)fates[i], &seed);
}

/* ---- Every crash here --------------------------------------------------- */

struct each {
    const struct sim_walk *w;
    unsigned char *fates;
    uint64_t *seed;
    int (*each)(void *arg, const struct sim_image *disk);
    void *arg;
};

static int give(struct each *e)
{
    struct sim_image disk;
    sim_walk_crash(e->w, e->fates, check_random(e->seed), &disk);
    int rc = e->each(e->arg, &disk);
    sim_image_free(&disk);
    return rc;
}

static int give_prefixes(struct each *e, size_t most)
{
    size_t n = e->w->count, step = n > most ? n / most : 1;
    int rc = 0;
    for (size_t k = 0; !rc && k <= n; k += step) {
        memset(e->fates, SIM_OLD, n);
        memset(e->fates, SIM_KEPT, k);
        rc = give(e);
    }
    return rc;
}

/* Unit `i` as `fate`, all others as `others`. */
static int give_single(struct each *e, size_t i, enum sim_fate others,
                       enum sim_fate fate)
{
    memset(e->fates, (int)others, e->w->count);
    e->fates[i] = (unsigned char)fate;
    return give(e);
}

static int give_singles(struct each *e, size_t most)
{
    size_t n = e->w->count;
    int rc = 0;
    for (size_t k = 0; !rc && k < n && k < most; k++) {
        size_t i = n <= most ? k : check_random(e->seed) % n;
        rc = give_single(e, i, SIM_KEPT, SIM_OLD);
        if (!rc)
            rc = give_single(e, i, SIM_KEPT, SIM_ZERO);
        if (!rc)
            rc = give_single(e, i, SIM_KEPT, SIM_GARBAGE);
        if (!rc)
            rc = give_single(e, i, SIM_OLD, SIM_KEPT);
    }
    return rc;
}

static int give_subsets(struct each *e, const struct sim_breadth *b)
{
    size_t n = e->w->count;
    size_t count = n <= b->exhaustive ? (size_t)1 << n : b->drawn;
    int rc = 0;
    for (size_t k = 0; !rc && k < count; k++) {
        for (size_t i = 0; i < n; i++) {
            bool kept =
                n <= b->exhaustive ? k >> i & 1 : check_random(e->seed) & 1;
            e->fates[i] = kept ? SIM_KEPT : SIM_OLD;
        }
        rc = give(e);
    }
    return rc;
}

int sim_walk_each(const struct sim_walk *w, const struct sim_breadth *breadth,
                  uint64_t *seed,
                  int (*each)(void *arg, const struct sim_image *disk),
                  void *arg)
{
    struct each e = {w, malloc(w->count + 1), seed, each, arg};
    if (!e.fates)
        abort();
    int rc = give_prefixes(&e, breadth->most);
    if (!rc)
        rc = give_singles(&e, breadth->most);
    memset(e.fates, SIM_ZERO, w->count);
    if (!rc && w->count)
        rc = give(&e);
    memset(e.fates, SIM_GARBAGE, w->count);
    if (!rc && w->count)
        rc = give(&e);
    if (!rc)
        rc = give_subsets(&e, breadth);
    free(e.fates);
    return rc;
}
