/* sim.c - see sim.h: the machine and what changes its disk. */
#include "sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

void sim_boot(struct sim *s, const struct sim_image *disk, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    if (disk)
        sim_image_copy(&s->cache, disk);
    else
        sim_image_init(&s->cache);
    s->random = seed;
    s->now_ns = INT64_C(1780000000) * 1000000000;
    sim_io_init(s);
    sim_vfs_init(s);
}

void sim_halt(struct sim *s)
{
    sim_vfs_fini(s);
    sim_image_free(&s->cache);
    for (size_t i = 0; i < s->history.count; i++)
        free(s->history.ops[i].bytes);
    free(s->history.ops);
    free(s->handles);
    memset(s, 0, sizeof *s);
}

uint64_t sim_random(struct sim *s)
{
    return check_random(&s->random);
}

void sim_fail(struct sim *s, enum sim_fault fault, unsigned long nth,
              int errno_value)
{
    s->fault = fault;
    s->fault_at = nth;
    s->fault_errno = errno_value;
    s->faulted = false;
}

/* Whether this operation of the kind is the one to fail. */
static bool fails(struct sim *s, enum sim_fault kind)
{
    if (s->fault != kind || --s->fault_at > 0)
        return false;
    s->fault = SIM_NO_FAULT;
    s->faulted = true;
    return true;
}

/* ---- History ------------------------------------------------------------ */

/* Room for one more operation; NULL when nobody records. */
static struct sim_op *next_op(struct sim *s, enum sim_op_kind kind, int node)
{
    struct sim_history *h = &s->history;
    if (!s->recording)
        return NULL;
    if (h->count == h->cap) {
        h->cap = h->cap * 2 + 64;
        h->ops = realloc(h->ops, h->cap * sizeof *h->ops);
        if (!h->ops)
            abort();
    }
    struct sim_op *op = &h->ops[h->count++];
    memset(op, 0, sizeof *op);
    op->kind = kind;
    op->node = node;
    return op;
}

static void name_op(struct sim_op *op, int dir, const char *name)
{
    if (!op)
        return;
    op->dir = op->to_dir = dir;
    snprintf(op->name, sizeof op->name, "%s", name);
}

int sim_do_write(struct sim *s, int node, const void *p, size_t n, size_t at)
{
    bool scratch = s->cache.nodes[node].scratch;
    if (n == 0)
        return 0;
    if (!scratch && fails(s, SIM_FAIL_WRITE))
        return -s->fault_errno;
    struct sim_op *op = scratch ? NULL : next_op(s, SIM_WRITE, node);
    if (op) {
        op->at = at;
        op->n = n;
        op->bytes = malloc(n);
        if (!op->bytes)
            abort();
        memcpy(op->bytes, p, n);
    }
    sim_image_write(&s->cache, node, p, n, at);
    return 0;
}

void sim_do_resize(struct sim *s, int node, size_t size)
{
    struct sim_op *op =
        s->cache.nodes[node].scratch ? NULL : next_op(s, SIM_RESIZE, node);
    if (op)
        op->n = size;
    sim_image_resize(&s->cache, node, size);
}

int sim_do_create(struct sim *s, int dir, const char *name, bool is_dir)
{
    int node = sim_image_node(&s->cache, is_dir);
    struct sim_op *op = next_op(s, SIM_LINK, node);
    name_op(op, dir, name);
    if (op)
        op->is_dir = is_dir;
    sim_image_link(&s->cache, dir, name, node);
    return node;
}

void sim_do_rename(struct sim *s, int dir, const char *name, int to_dir,
                   const char *to_name)
{
    int node = sim_image_find(&s->cache, dir, name);
    struct sim_op *op = next_op(s, SIM_RENAME, node);
    name_op(op, dir, name);
    if (op) {
        op->is_dir = s->cache.nodes[node].dir;
        op->to_dir = to_dir;
        snprintf(op->to_name, sizeof op->to_name, "%s", to_name);
    }
    sim_image_unlink(&s->cache, dir, name);
    sim_image_link(&s->cache, to_dir, to_name, node);
}

void sim_do_unlink(struct sim *s, int dir, const char *name)
{
    int node = sim_image_find(&s->cache, dir, name);
    name_op(next_op(s, SIM_UNLINK, node), dir, name);
    sim_image_unlink(&s->cache, dir, name);
}

int sim_do_sync(struct sim *s, int node)
{
    const struct sim_node *n = &s->cache.nodes[node];
    bool failed = !n->scratch && fails(s, SIM_FAIL_SYNC);
    if (n->scratch)
        return 0;
    struct sim_op *op = next_op(s, n->dir ? SIM_SYNC_DIR : SIM_SYNC, node);
    if (op)
        op->failed = failed;
    return failed ? -s->fault_errno : 0;
}
