/*
 * line.h - the three kinds of line of format 1, read and written.
 *
 *   {"segment":{"format":1,"origin":..,"first":..,"tree":[..],"checkpoint":..}}
 *   {"seq":..,...}                                  an entry, a leaf of the
 * tree
 *   {"commit":{"size":..,"root":..,"key":..,"sig":..}}  closes a group
 *
 * Members stand in one order, there is no space outside strings, and what we
 * spell ourselves has one spelling.  Lines are given and taken without LF.
 *
 * What formats appends to its buffer and returns 0 or PLOG_E_NOMEM, when only a
 * part may stand there.
 */
#ifndef PLOG_LINE_H
#define PLOG_LINE_H

#include "delta.h"
#include "err.h"
#include "note.h"
#include "tree.h"

#define PLOG_SALT_SIZE 16

enum plog_line_kind {
    PLOG_LINE_ENTRY,
    PLOG_LINE_COMMIT,
    PLOG_LINE_SEGMENT,
    PLOG_LINE_OTHER
};
/* Tells the kind by the first member; says nothing about the rest. */
enum plog_line_kind plog_line_kind(struct plog_span line);

/* ---- Commit ------------------------------------------------------------- */

struct plog_commit {
    uint64_t size; /* 0: there is none yet */
    unsigned char root[PLOG_HASH_SIZE];
    char key[PLOG_KEYID_TEXT];
    unsigned char sig[PLOG_SIG_SIZE];
};
/* What callers are told of it. */
struct plog_head plog_commit_head(const struct plog_commit *c);
PLOG_MUST_CHECK int plog_commit_format(struct plog_buf *b,
                                       const struct plog_commit *c);
/* Returns 0, or PLOG_E_CORRUPT unless re-encoding gives the same bytes. */
PLOG_MUST_CHECK int plog_commit_parse(struct plog_span line,
                                      struct plog_commit *out);

/* ---- Segment header ----------------------------------------------------- */

struct plog_segment_header {
    uint64_t format;
    char origin[PLOG_ORIGIN_MAX + 1];
    uint64_t first;          /* seq of the first entry */
    struct plog_tree tree;   /* over all entries before it */
    struct plog_commit last; /* the commit before it; size 0: none */
};
/* The header that follows commit `last` with range `tree`. */
PLOG_MUST_CHECK int plog_header_format(struct plog_buf *b, const char *origin,
                                       const struct plog_tree *tree,
                                       const struct plog_commit *last);
/* Returns 0; PLOG_E_CORRUPT; PLOG_E_FORMAT when `format` is not 1 (then only
 * it is filled); PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_header_parse(struct plog_json *json,
                                      struct plog_span line,
                                      struct plog_segment_header *out);

/* ---- Entry -------------------------------------------------------------- */

enum plog_control {
    PLOG_CONTROL_NONE, /* a delta */
    PLOG_CONTROL_INIT,
    PLOG_CONTROL_STRATEGY,
    PLOG_CONTROL_ROTATE,
    PLOG_CONTROL_CURSOR,
    PLOG_CONTROL_PEER_ADD,
    PLOG_CONTROL_PEER_EVICT,
    PLOG_CONTROL_PEER_REWIND,
    PLOG_CONTROL_COMPACT,
    PLOG_CONTROL_REDACT,
    PLOG_CONTROL_RESTORE
};
const char *plog_control_name(enum plog_control c);

struct plog_entry {
    uint64_t seq;
    enum plog_control control;
    struct plog_span args;   /* raw, of a control entry */
    struct plog_delta delta; /* of a delta */
    struct plog_span from;   /* decoded origin of another instance, or n 0 */
    uint64_t from_seq;
    bool skipped;               /* outcome */
    struct plog_span merged;    /* raw payload that a custom strategy chose */
    struct plog_span salt;      /* base64 text */
    struct plog_span logged_at; /* decoded; n 0: not the first of its group */
    bool redacted; /* its payload is gone: payload is null, meta, merged and
                      salt are empty */
    unsigned char leaf[PLOG_HASH_SIZE]; /* of the line as it was, then */
};

/* Keeps the memory that entries point into; reusable. */
struct plog_entry_parser {
    struct plog_json json;
    struct plog_buf decoded;
};
void plog_entry_parser_init(struct plog_entry_parser *p,
                            const struct plog_io *io);
void plog_entry_parser_fini(struct plog_entry_parser *p);

/*
 * Reads an entry line.
 * @out  spans into `line` and `p`, valid until the parser's next use
 * Returns 0; PLOG_E_FORMAT for an unknown member or control name in an
 * otherwise well-formed line; PLOG_E_CORRUPT with err->message; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_entry_parse(struct plog_entry_parser *p,
                                     struct plog_span line,
                                     struct plog_entry *out,
                                     struct plog_error *err);

/* The same for a line that plog_entry_parse has taken before: it is not
 * scanned again.  For any other line the result is undefined. */
PLOG_MUST_CHECK int plog_entry_read(struct plog_entry_parser *p,
                                    struct plog_span line,
                                    struct plog_entry *out,
                                    struct plog_error *err);

/*
 * Appends the line of a delta entry and moves the raw spans payload and
 * merged of `e` into it, as offsets from the line's start.
 * @payload_at  out: where the payload's first byte lies in the line
 */
PLOG_MUST_CHECK int plog_entry_format(struct plog_buf *b,
                                      const struct plog_entry *e,
                                      size_t *payload_at);

/* Appends the line of a control entry; `args` is compact JSON. */
PLOG_MUST_CHECK int plog_control_format(struct plog_buf *b, uint64_t seq,
                                        enum plog_control control,
                                        struct plog_span args,
                                        struct plog_span logged_at);

/* ---- Arguments of the control entries of this version ------------------- */

struct plog_init_args {
    enum plog_strategy strategy;
    uint64_t line_max, segment_size;
};
PLOG_MUST_CHECK int plog_init_args_format(struct plog_buf *b,
                                          const struct plog_init_args *a);
/* What parses returns 0; PLOG_E_CORRUPT for arguments that make no sense; what
 * decodes, PLOG_E_NOMEM, too. */
PLOG_MUST_CHECK int plog_init_args_parse(struct plog_span args,
                                         struct plog_init_args *out);
PLOG_MUST_CHECK int plog_strategy_args_format(struct plog_buf *b,
                                              enum plog_strategy s);
PLOG_MUST_CHECK int plog_strategy_args_parse(struct plog_span args,
                                             enum plog_strategy *out);
#define PLOG_CURSOR_MAX 4096 /* decoded bytes */
/* Whether its texts have lengths that one may have (FORMAT.md section 3.3). */
bool plog_cursor_fits(const struct plog_cursor *c);
PLOG_MUST_CHECK int plog_cursor_args_format(struct plog_buf *b,
                                            const struct plog_cursor *c);
/* Who receives the log: peer-add has a name, peer-rewind a cursor, too,
 * peer-evict all three. */
struct plog_peer_args {
    struct plog_span name;   /* 1..PLOG_NAME_MAX bytes */
    uint64_t cursor;         /* what it had then, or has no more than */
    struct plog_span reason; /* 1..PLOG_NAME_MAX bytes */
};
PLOG_MUST_CHECK int plog_peer_args_format(struct plog_buf *b,
                                          enum plog_control control,
                                          const struct plog_peer_args *a);
/* Decoded spans point into `decoded`, which is emptied first. */
PLOG_MUST_CHECK int plog_peer_args_parse(const struct plog_entry *e,
                                         struct plog_buf *decoded,
                                         struct plog_peer_args *out);
/* Whether a control entry makes sense to this version.  Returns 0;
 * PLOG_E_CORRUPT; PLOG_E_TAMPERED for a rotation whose signatures inside do
 * not verify; PLOG_E_FORMAT for one of a later version; PLOG_E_NOMEM.
 * @scratch  emptied */
PLOG_MUST_CHECK int plog_control_check(const struct plog_entry *e,
                                       struct plog_buf *scratch);
/* Decoded spans point into `decoded`, which is emptied first. */
PLOG_MUST_CHECK int plog_cursor_args_parse(struct plog_span args,
                                           struct plog_buf *decoded,
                                           struct plog_cursor *out);

#endif
