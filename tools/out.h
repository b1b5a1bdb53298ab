/*
 * out.h - writing JSON and lines.
 *
 * A JSON document is written as it comes, on one line, without a tree: open
 * an object or array, write members, close it.  Members of an object have a
 * name; elements of an array have NULL for it.  Texts that are not UTF-8 get
 * U+FFFD where they are broken, so that the document always is.
 *
 * Standard output is checked, not hoped for: out_failed says whether anything
 * written so far was lost.
 */
#ifndef TOOLS_OUT_H
#define TOOLS_OUT_H

#include <stdio.h>

#include "paritylog.h"

#define OUT_DEPTH 12

struct out {
    FILE *file;
    char close[OUT_DEPTH]; /* what ends each open object or array */
    size_t depth;
    bool first; /* nothing stands yet in the innermost one */
};

/*
 * To be called behind proc_start, before anything is written: standard output
 * then never waits for a reader when there was an interrupt, and the reason of
 * its first failure is known.
 */
void out_start(void);

void out_init(struct out *o, FILE *file);
void out_object(struct out *o, const char *name);
void out_array(struct out *o, const char *name);
/* Closes the innermost; the outermost also ends the line. */
void out_end(struct out *o);

void out_text(struct out *o, const char *name, const char *text);
void out_span(struct out *o, const char *name, const char *p, size_t n);
/* `text`, or null when it is empty or NULL. */
void out_text_or_null(struct out *o, const char *name, const char *text);
void out_uint(struct out *o, const char *name, uint64_t value);
/* The shortest digits that read back as the same number. */
void out_double(struct out *o, const char *name, double value);
void out_bool(struct out *o, const char *name, bool value);
void out_null(struct out *o, const char *name);
/* JSON text, put in as it is. */
void out_raw(struct out *o, const char *name, const char *p, size_t n);
void out_base64(struct out *o, const char *name, const unsigned char *p,
                size_t n);
/* "head": its size and root. */
void out_head(struct out *o, const struct plog_head *h);
void out_hash(struct out *o, const char *name, const unsigned char *hash);

/* A document that is one array, on standard output.  It begins with the first
 * row, and is closed when all went well: an error is no empty list, and one
 * behind some rows leaves no document that looks whole. */
struct out_list {
    struct out out;
    const char *schema, *name;
    bool begun;
};

void out_list_init(struct out_list *l, const char *schema, const char *name);
/* Where the next row goes. */
struct out *out_list_row(struct out_list *l);
/* All rows were there.  After an error it is not called. */
void out_list_end(struct out_list *l);

/* Writes one line to standard output: a plog_line_fn, `arg` unused.  Returns
 * PLOG_E_INTERRUPTED or PLOG_E_IO when it is time to stop. */
int out_line(void *arg, uint64_t seq, const char *line, size_t len);

/* Whether writing to standard output failed; the first reason is kept. */
bool out_failed(void);
/* Sends what is buffered; then as out_failed. */
bool out_flush_failed(void);
/* The errno of the first failure; 0 for none. */
int out_errno(void);
/* What that failure is: PLOG_E_INTERRUPTED when an interrupt came while nobody
 * read, else PLOG_E_IO. */
int out_code(void);

#endif
