/* damage_kinds.c - see damage_kinds.h. */
#include "damage_kinds.h"

#include "check.h"

/* ---- Kinds of damage ----------------------------------------------------- */

static const struct sample *sample; /* that they are about */

/* Which byte of which segment the `i`-th byte of the log is; with `ends` each
 * segment has one place more, its end. */
static size_t find_byte(uint64_t i, bool ends, size_t *segment)
{
    for (size_t s = 0;; s++) {
        size_t n = sample->segments[s].size + (ends ? 1 : 0);
        *segment = s;
        if (i < n || s + 1 == SAMPLE_SEGMENTS)
            return (size_t)i;
        i -= n;
    }
}

static void flip(uint64_t i, struct damaged *d)
{
    size_t s, at = find_byte(i / 8, false, &s);
    char c = (char)(sample->segments[s].data[at] ^ 1 << i % 8);
    damaged_edit(sample, d, s, at, at + 1, &c, 1);
}

static void removed(uint64_t i, struct damaged *d)
{
    size_t s, at = find_byte(i, false, &s);
    damaged_edit(sample, d, s, at, at + 1, "", 0);
}

static void doubled(uint64_t i, struct damaged *d)
{
    size_t s, at = find_byte(i, false, &s);
    damaged_edit(sample, d, s, at, at, sample->segments[s].data + at, 1);
}

static void lf_put_in(uint64_t i, struct damaged *d)
{
    size_t s, at = find_byte(i, true, &s);
    damaged_edit(sample, d, s, at, at, "\n", 1);
}

static void byte_put_in(uint64_t i, struct damaged *d)
{
    size_t s, at = find_byte(i, true, &s);
    uint64_t state = check_seed() * 1000003 + i;
    char c = (char)check_random(&state);
    damaged_edit(sample, d, s, at, at, &c, 1);
}

static void cut(uint64_t i, struct damaged *d)
{
    size_t s, at = find_byte(i, false, &s);
    damaged_edit(sample, d, s, at, sample->segments[s].size, "", 0);
}

/* A line or a group. */
struct block {
    size_t segment, at, n;
};

static struct block blocks[2][SAMPLE_LINES_MAX]; /* lines, groups */
static size_t counts[2];

static void find_blocks(void)
{
    for (size_t i = 0; i < sample->line_count; i++) {
        const struct sample_line *l = &sample->lines[i];
        blocks[0][counts[0]++] = (struct block){l->segment, l->at, l->n};
    }
    for (size_t i = 0; i < sample->unit_count; i++) {
        const struct sample_unit *u = &sample->units[i];
        if (u->kind == SAMPLE_GROUP)
            blocks[1][counts[1]++] = (struct block){u->segment, u->at, u->n};
    }
}

/* A file made anew of its segment, from the front. */
struct writer {
    struct damaged_file *f;
    size_t segment, at;
};

static void copy_to(struct writer *w, size_t at)
{
    damaged_slice(w->f, w->segment, w->at, at - w->at);
    w->at = at;
}

static void put(struct writer *w, const struct block *b)
{
    damaged_slice(w->f, b->segment, b->at, b->n);
}

static struct writer write_anew(struct damaged *d, size_t segment)
{
    d->files[segment].count = 0;
    return (struct writer){&d->files[segment], segment, 0};
}

static void copy_rest(struct writer *w)
{
    copy_to(w, sample->segments[w->segment].size);
}

static void block_dropped(const struct block *b, struct damaged *d)
{
    struct writer w = write_anew(d, b->segment);
    copy_to(&w, b->at);
    w.at += b->n;
    copy_rest(&w);
}

/* `b` once more before `to`. */
static void block_copied(const struct block *b, const struct block *to,
                         struct damaged *d)
{
    struct writer w = write_anew(d, to->segment);
    copy_to(&w, to->at);
    put(&w, b);
    copy_rest(&w);
}

/* `a` stands before `b`. */
static void blocks_swapped(const struct block *a, const struct block *b,
                           struct damaged *d)
{
    struct writer w = write_anew(d, a->segment);
    copy_to(&w, a->at);
    put(&w, b);
    w.at += a->n;
    if (a->segment != b->segment) {
        copy_rest(&w);
        w = write_anew(d, b->segment);
    }
    copy_to(&w, b->at);
    put(&w, a);
    w.at += b->n;
    copy_rest(&w);
}

static void swapped(uint64_t i, const struct block *all, struct damaged *d)
{
    uint64_t b = 1;
    for (; i >= b; b++)
        i -= b;
    blocks_swapped(&all[i], &all[b], d);
}

static void line_dropped(uint64_t i, struct damaged *d)
{
    block_dropped(&blocks[0][i], d);
}

static void group_dropped(uint64_t i, struct damaged *d)
{
    block_dropped(&blocks[1][i], d);
}

static void line_copied(uint64_t i, struct damaged *d)
{
    block_copied(&blocks[0][i / counts[0]], &blocks[0][i % counts[0]], d);
}

static void group_copied(uint64_t i, struct damaged *d)
{
    block_copied(&blocks[1][i / counts[1]], &blocks[1][i % counts[1]], d);
}

static void lines_swapped(uint64_t i, struct damaged *d)
{
    swapped(i, blocks[0], d);
}

static void groups_swapped(uint64_t i, struct damaged *d)
{
    swapped(i, blocks[1], d);
}

/* Every way to have one of the segments, an empty file, or none, under each
 * name. */
#define CONTENTS (SAMPLE_SEGMENTS + 2)

static void segments_exchanged(uint64_t i, struct damaged *d)
{
    for (size_t s = SAMPLE_SEGMENTS; s-- > 0; i /= CONTENTS) {
        size_t from = i % CONTENTS;
        d->files[s].count = 0;
        if (from < SAMPLE_SEGMENTS)
            damaged_slice(&d->files[s], from, 0, sample->segments[from].size);
        else if (from > SAMPLE_SEGMENTS)
            damaged_drop(d, s);
    }
}

/* A segment under a further name, or under that one alone. */
#define NAMES 6

static void segment_renamed(uint64_t i, struct damaged *d)
{
    const uint64_t names[NAMES] = {2,
                                   sample->segments[1].first - 1,
                                   sample->segments[1].first + 1,
                                   sample->size,
                                   sample->size + 1,
                                   INT64_MAX};
    size_t s = i / 2 % SAMPLE_SEGMENTS;
    struct damaged_file f = d->files[s];
    f.first = names[i / 2 / SAMPLE_SEGMENTS];
    d->files[d->count++] = f;
    if (i % 2)
        damaged_drop(d, s);
}

static struct damage_kind kinds[] = {
    {"a bit flipped", flip, true, SAMPLE_BYTES * 8},
    {"a byte removed", removed, true, SAMPLE_BYTES},
    {"a byte doubled", doubled, true, SAMPLE_BYTES},
    {"an LF put in", lf_put_in, true, SAMPLE_BYTES + SAMPLE_SEGMENTS},
    {"a byte put in", byte_put_in, true, SAMPLE_BYTES + SAMPLE_SEGMENTS},
    {"a segment cut", cut, false, SAMPLE_BYTES},
    {"a line dropped", line_dropped, false, 0},
    {"a line copied", line_copied, false, 0},
    {"two lines swapped", lines_swapped, false, 0},
    {"a group dropped", group_dropped, false, 0},
    {"a group copied", group_copied, false, 0},
    {"two groups swapped", groups_swapped, false, 0},
    {"segments exchanged", segments_exchanged, false,
     CONTENTS *CONTENTS *CONTENTS - 1}, /* the last one is no log */
    {"a segment renamed", segment_renamed, false, NAMES *SAMPLE_SEGMENTS * 2},
};
_Static_assert(sizeof kinds / sizeof *kinds == DAMAGE_KINDS, "their number");

static void count_blocks(void)
{
    for (size_t i = 0; i < 2; i++) {
        struct damage_kind *k = &kinds[6 + 3 * i];
        k[0].count = counts[i];
        k[1].count = counts[i] * counts[i];
        k[2].count = counts[i] * (counts[i] - 1) / 2;
    }
}

const struct damage_kind *damage_kinds(const struct sample *s)
{
    sample = s;
    counts[0] = counts[1] = 0;
    find_blocks();
    count_blocks();
    return kinds;
}
