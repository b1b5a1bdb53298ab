/*
 * fuzz_log.h - segments made and signed anew, so that what was changed in
 * them passes hash and signature.
 */
#ifndef FUZZ_LOG_H
#define FUZZ_LOG_H

#include "fuzz_lines.h"
#include "line.h"

/* A segment while it is written: where the log stands behind its text. */
struct fuzz_log {
    struct plog_buf text;
    struct plog_tree tree;
    struct plog_commit last;
    const struct plog_signer *signer;
};

void fuzz_log_init(struct fuzz_log *l, const struct plog_signer *s);
/* An empty log again, the memory kept. */
void fuzz_log_clear(struct fuzz_log *l, const struct plog_signer *s);
void fuzz_log_fini(struct fuzz_log *l);
/* The header of a segment that begins here; the text is emptied first. */
void fuzz_log_header(struct fuzz_log *l);
void fuzz_log_line(struct fuzz_log *l, struct plog_span line);
void fuzz_log_commit(struct fuzz_log *l);

/* A small log: init, and two groups of deltas. */
void fuzz_log_fill(struct fuzz_log *l);

/*
 * Writes the lines of `text` as a log that begins at seq 1, with what they are
 * in their place for: numbers, times, roots and signatures made right, and
 * now and then left wrong.  A rotate entry goes over to `next`; a redact entry
 * is about an entry before it, which may be redacted then.
 */
void fuzz_log_resign(struct fuzz_log *l, struct plog_span text,
                     const struct plog_signer *s,
                     const struct plog_signer *next, uint64_t *random);

/* Changes lines of a segment: values in one, or whole lines. */
size_t fuzz_mutate_lines(char *text, size_t n, size_t max, uint64_t *random);

#endif
