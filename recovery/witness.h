/*
 * witness.h - heads of a log that were noted outside of it.
 *
 * The file is signed notes, five lines each, one behind the other.  A crash may
 * leave the beginning of one; that is passed over, line by line.
 */
#ifndef PLOG_WITNESS_H
#define PLOG_WITNESS_H

#include "io.h"
#include "key.h"

#define PLOG_WITNESS_MAX (64u << 20) /* bytes of the file */

/* Who has seen a head. */
enum plog_seen_by {
    PLOG_SEEN_CALLER, /* --expect-head */
    PLOG_SEEN_WITNESS,
    PLOG_SEEN_SINCE,
    PLOG_SEEN_WATERMARK /* that is to be replaced */
};

struct plog_seen {
    uint64_t size;
    unsigned char root[PLOG_HASH_SIZE];
    enum plog_seen_by by;
    uint64_t line; /* in the file, from 1; 0: not from one */
    bool asked;    /* it must be compared, wherever it lies */
    bool known;    /* the log's root there is, by lines below the floor: */
    unsigned char found[PLOG_HASH_SIZE];
};

/* What a note came to. */
struct plog_witness_note {
    struct plog_note note;
    uint64_t line;
    int code; /* 0; PLOG_E_FOREIGN, UNKNOWN_KEY or TAMPERED */
};

struct plog_witness_file {
    uint64_t notes, odd; /* odd: lines that belong to no note */
    uint64_t first_odd;  /* the first of them; 0: none */
    uint64_t changed;    /* the first of lines that no crash leaves; 0: none */
};

/* Lines between notes, as they are read (witness_odd.c). */
struct plog_witness_odd {
    const struct plog_keyring *keys;
    char name[PLOG_ORIGIN_MAX + 1]; /* of the note before; empty: none yet */
    struct plog_span origin;        /* first line of the note at hand */
    uint64_t first;                 /* of these lines, in the file, from 1 */
    int line;     /* that is awaited, 0..4, of a note that was cut off */
    bool changed; /* a line is no beginning of that */
};

/* The line at hand.  @open  it does not end */
void plog_witness_odd_line(struct plog_witness_odd *o, struct plog_span s,
                           uint64_t line, bool open);
/* A note follows, or the end of the file.
 * @changed  set to the first of the lines, unless a crash may leave them or it
 *           is set */
void plog_witness_odd_end(struct plog_witness_odd *o, uint64_t *changed);

/*
 * Reads every note of `path`, a path of the process.
 * @keys  that may have signed them
 * @each  told of each note, in order; not 0 stops
 * @file  out: what else is in it
 * Returns 0; PLOG_E_NOTHING when there is no such file; PLOG_E_INPUT when it
 * is longer than PLOG_WITNESS_MAX or not a regular file; PLOG_E_INTERRUPTED;
 * PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_witness_read(
    const struct plog_io *io, const char *path, const struct plog_keyring *keys,
    int (*each)(void *arg, const struct plog_witness_note *n), void *arg,
    struct plog_witness_file *file, struct plog_error *err);

/* What is to be kept of a log must lie outside of its directory, or it is set
 * back with it (and might overwrite a part of it).
 * @what  for the message: `the witness file`
 * Returns 0; PLOG_E_INPUT; PLOG_E_NOTHING without `dir`; PLOG_E_IO when the
 * folder of `path` cannot be found. */
PLOG_MUST_CHECK int plog_witness_place(const struct plog_io *io,
                                       const char *dir, const char *path,
                                       const char *what,
                                       struct plog_error *err);

#endif
