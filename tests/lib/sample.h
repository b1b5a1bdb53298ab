/*
 * sample.h - a log of 64 KiB in three segments, its store, and a map of what
 * lies where in it.
 *
 * Entries of about 1.2 KB in groups of up to four, with control entries among
 * them; padding fills the last segment up.  Its bytes are a function of the
 * seed: salts, key and clock come from it.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "world.h"

#define SAMPLE_SEGMENTS 3
#define SAMPLE_BYTES 65536u
#define SAMPLE_LINES_MAX 128

enum sample_kind {
    SAMPLE_HEADER,
    SAMPLE_GROUP,
    SAMPLE_PADDING,
    SAMPLE_ENTRY,
    SAMPLE_COMMIT
};

struct sample_segment {
    char name[40]; /* below log/ */
    char *data;
    size_t size;
    uint64_t first;
};

/* A header, a group or the padding, in the order of reading. */
struct sample_unit {
    enum sample_kind kind;
    size_t segment, at, n;
    uint64_t first, size; /* entries; of a header the first is yet to come */
};

struct sample_line {
    enum sample_kind kind;       /* SAMPLE_HEADER, _ENTRY, _COMMIT */
    size_t unit, segment, at, n; /* n with its LF */
    uint64_t seq;                /* of an entry; of a commit its size */
};

struct sample {
    struct world w;
    struct sample_segment segments[SAMPLE_SEGMENTS];
    struct sample_unit units[SAMPLE_LINES_MAX];
    size_t unit_count;
    struct sample_line lines[SAMPLE_LINES_MAX];
    size_t line_count;
    uint64_t size; /* entries */
};

/* Makes it in a fresh directory; w.p is closed.  Lives until exit. */
bool sample_make(struct sample *s, uint64_t seed);

/* Another log: rotated to another key, redacted, with a peer, and closed; then
 * compacted into archive/, trimmed, redacted once more, and gone on with.  No
 * table of its store is empty. */
void sample_begin_compacted(struct world *w);
void sample_compact(struct world *w);

/* An I/O table whose random bytes and clock are functions of the seed; one
 * for the whole process. */
const struct plog_io *sample_io(uint64_t seed);

const char *sample_unit_bytes(const struct sample *s, size_t unit);

#endif
