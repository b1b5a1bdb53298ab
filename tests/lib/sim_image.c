/* sim_image.c - see sim_image.h. */
#include "sim_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sim_bytes {
    unsigned shared; /* images that hold it */
    bool hashed;
    uint64_t hash;
    size_t size, cap;
    unsigned char *p;
};

static void *grown(void *p, size_t n)
{
    p = realloc(p, n ? n : 1);
    if (!p)
        abort();
    return p;
}

/* ---- Bytes -------------------------------------------------------------- */

static void release(struct sim_bytes *b)
{
    if (!b || --b->shared > 0)
        return;
    free(b->p);
    free(b);
}

/* The bytes of `node`, held by this image alone and with room for `size`. */
static struct sim_bytes *own(struct sim_node *node, size_t size)
{
    struct sim_bytes *old = node->bytes, *b = old;
    if (!old || old->shared > 1) {
        b = grown(NULL, sizeof *b);
        *b = (struct sim_bytes){.shared = 1};
        b->size = old ? old->size : 0;
        b->cap = (b->size > size ? b->size : size) + 512;
        b->p = grown(NULL, b->cap);
        if (old)
            memcpy(b->p, old->p, old->size);
        release(old);
        node->bytes = b;
    }
    if (b->cap < size) {
        b->cap = size + size / 2;
        b->p = grown(b->p, b->cap);
    }
    b->hashed = false;
    return b;
}

size_t sim_image_size(const struct sim_image *m, int node)
{
    return m->nodes[node].bytes ? m->nodes[node].bytes->size : 0;
}

const unsigned char *sim_image_bytes(const struct sim_image *m, int node)
{
    return m->nodes[node].bytes ? m->nodes[node].bytes->p : NULL;
}

void sim_image_write(struct sim_image *m, int node, const void *from, size_t n,
                     size_t at)
{
    struct sim_bytes *b = own(&m->nodes[node], at + n);
    if (at > b->size)
        memset(b->p + b->size, 0, at - b->size);
    if (from)
        memcpy(b->p + at, from, n);
    else
        memset(b->p + at, 0, n);
    if (at + n > b->size)
        b->size = at + n;
}

void sim_image_resize(struct sim_image *m, int node, size_t size)
{
    struct sim_bytes *b = own(&m->nodes[node], size);
    if (size > b->size)
        memset(b->p + b->size, 0, size - b->size);
    b->size = size;
}

/* ---- Images ------------------------------------------------------------- */

void sim_image_init(struct sim_image *m)
{
    memset(m, 0, sizeof *m);
    sim_image_node(m, true);
}

void sim_image_copy(struct sim_image *to, const struct sim_image *from)
{
    size_t nodes = (size_t)from->node_count * sizeof *from->nodes;
    size_t names = (size_t)from->name_count * sizeof *from->names;
    *to = *from;
    to->node_cap = from->node_count;
    to->name_cap = from->name_count;
    to->nodes = memcpy(grown(NULL, nodes), from->nodes, nodes);
    to->names = grown(NULL, names);
    if (names)
        memcpy(to->names, from->names, names);
    for (int i = 0; i < to->node_count; i++)
        if (to->nodes[i].bytes)
            to->nodes[i].bytes->shared++;
}

void sim_image_free(struct sim_image *m)
{
    for (int i = 0; i < m->node_count; i++)
        release(m->nodes[i].bytes);
    free(m->nodes);
    free(m->names);
    memset(m, 0, sizeof *m);
}

int sim_image_node(struct sim_image *m, bool dir)
{
    if (m->node_count == m->node_cap) {
        m->node_cap = m->node_cap * 2 + 16;
        m->nodes = grown(m->nodes, (size_t)m->node_cap * sizeof *m->nodes);
    }
    m->nodes[m->node_count] = (struct sim_node){.dir = dir};
    return m->node_count++;
}

void sim_image_reach(struct sim_image *m, int node, bool dir)
{
    while (m->node_count <= node)
        sim_image_node(m, dir);
    m->nodes[node].dir = dir;
}

/* ---- Names -------------------------------------------------------------- */

static int index_of(const struct sim_image *m, int dir, const char *name)
{
    for (int i = 0; i < m->name_count; i++)
        if (m->names[i].dir == dir && !strcmp(m->names[i].name, name))
            return i;
    return -1;
}

int sim_image_find(const struct sim_image *m, int dir, const char *name)
{
    if (!strcmp(name, "."))
        return dir;
    if (!strcmp(name, ".."))
        return sim_image_parent(m, dir);
    int i = index_of(m, dir, name);
    return i < 0 ? -1 : m->names[i].node;
}

int sim_image_path(const struct sim_image *m, const char *path)
{
    char part[SIM_NAME];
    int node = SIM_ROOT;
    while (node >= 0) {
        path += strspn(path, "/");
        size_t n = strcspn(path, "/");
        if (n == 0)
            break;
        if (n >= sizeof part || !m->nodes[node].dir)
            return -1;
        memcpy(part, path, n);
        part[n] = '\0';
        node = sim_image_find(m, node, part);
        path += n;
    }
    return node;
}

void sim_image_link(struct sim_image *m, int dir, const char *name, int node)
{
    int i = index_of(m, dir, name);
    if (i < 0) {
        if (m->name_count == m->name_cap) {
            m->name_cap = m->name_cap * 2 + 16;
            m->names = grown(m->names, (size_t)m->name_cap * sizeof *m->names);
        }
        i = m->name_count++;
    }
    m->names[i] = (struct sim_name){.dir = dir, .node = node};
    snprintf(m->names[i].name, SIM_NAME, "%s", name);
}

void sim_image_unlink(struct sim_image *m, int dir, const char *name)
{
    int i = index_of(m, dir, name);
    if (i >= 0)
        m->names[i] = m->names[--m->name_count];
}

int sim_image_links(const struct sim_image *m, int node)
{
    int n = 0;
    for (int i = 0; i < m->name_count; i++)
        n += m->names[i].node == node;
    return n;
}

int sim_image_parent(const struct sim_image *m, int node)
{
    for (int i = 0; i < m->name_count; i++)
        if (m->names[i].node == node)
            return m->names[i].dir;
    return SIM_ROOT;
}

/* ---- Hashes ------------------------------------------------------------- */

static uint64_t mixed(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 29;
}

uint64_t sim_hash(uint64_t seed, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t h = mixed(seed ^ n), word;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 31;
    }
    word = 0;
    if (n)
        memcpy(&word, p, n);
    return mixed(h ^ word);
}

static uint64_t bytes_hash(struct sim_bytes *b)
{
    if (!b)
        return 1;
    if (!b->hashed)
        b->hash = sim_hash(2, b->p, b->size);
    b->hashed = true;
    return b->hash;
}

/* A sum, because the order of names says nothing. */
uint64_t sim_image_hash(const struct sim_image *m)
{
    uint64_t sum = 0;
    for (int i = 0; i < m->name_count; i++) {
        const struct sim_name *n = &m->names[i];
        const struct sim_node *node = &m->nodes[n->node];
        uint64_t h = sim_hash((uint64_t)n->dir, n->name, strlen(n->name));
        h = mixed(
            h + (node->dir ? (uint64_t)n->node + 3 : bytes_hash(node->bytes)));
        sum += h;
    }
    return sum;
}
