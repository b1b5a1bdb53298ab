/*
 * damaged.h - a damaged sample, and what a check must say of it.
 *
 * A damaged log is files made of pieces: slices of the sample's segments and
 * literal bytes.  What is wrong with it first is known from how it was made:
 * every byte is determined by those before it, so that reading from the front
 * the first byte that differs from what must stand there is the place, and the
 * group that must stand there is the one to name.
 */
#ifndef DAMAGED_H
#define DAMAGED_H

#include "sample.h"
#include "served.h"

#define DAMAGED_PIECES 8
#define DAMAGED_LITERAL 16

struct piece {
    bool literal;
    size_t segment, at, n; /* a slice; of a literal only n */
    char bytes[DAMAGED_LITERAL];
};

struct damaged_file {
    uint64_t first; /* its name */
    struct piece pieces[DAMAGED_PIECES];
    size_t count;
};

struct damaged {
    struct damaged_file files[SERVED_FILES];
    size_t count;
};

/* Every segment as it is. */
void damaged_none(const struct sample *s, struct damaged *d);
/* Bytes `from` up to `to` of the segment in the place of the sample's are
 * replaced by a literal. */
void damaged_edit(const struct sample *s, struct damaged *d, size_t segment,
                  size_t from, size_t to, const char *bytes, size_t n);
/* Adds a slice behind what the file holds; an empty one adds nothing. */
void damaged_slice(struct damaged_file *f, size_t segment, size_t at, size_t n);
void damaged_drop(struct damaged *d, size_t file);

/* Files for `v`, by name; the bytes are in `buf` of `cap`. */
void damaged_serve(const struct sample *s, const struct damaged *d,
                   struct served *v, char *buf, size_t cap);
/* As text for another verifier: `FIRST:PIECE,PIECE...;...` of the files that
 * there are, PIECE being sSEGMENT.AT.N or =HEX; a whole segment under its own
 * name is left out, one that is missing is `-FIRST`. */
void damaged_text(const struct sample *s, const struct damaged *d, char *out,
                  size_t cap);

struct place {
    bool clean;    /* the log alone cannot tell anything */
    bool whole;    /* and nothing is missing at its end either */
    uint64_t size; /* of the whole groups before the place */
    bool missing;  /* the file itself: no offset */
    bool last;     /* in the last file */
    const struct sample_unit *unit; /* that must stand there; NULL: none */
    char file[64];
    uint64_t from, to; /* offsets that a finding may name, inclusive */
    uint64_t line;     /* of the line that holds the first changed byte */
    uint64_t seq;      /* its entry, or 0 */
    const char *tail;  /* the file from `from` on */
    size_t tail_size;
};

void damaged_place(const struct sample *s, const struct served *v,
                   struct place *p);

/* What plog_verify without a store, or plog_parity with the sample's, says.
 * @one  the damage is at one place: no second finding
 * Returns NULL when that is right, else what is wrong with it. */
const char *damaged_verify(const struct sample *s, const struct place *p,
                           const struct world_found *f, bool one);
const char *damaged_parity(const struct sample *s, const struct place *p,
                           const struct world_found *f);

#endif
