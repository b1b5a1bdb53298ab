/*
 * delta.h - a change to one record, as the caller gives it.
 *
 * A delta has resource, record_id, op, occurred_at, provenance{source,
 * confidence}; payload is an object (with op delete: an object, null or
 * absent, and logged as null); id and meta are optional; no other member, no
 * member twice, in any order.
 */
#ifndef PLOG_DELTA_H
#define PLOG_DELTA_H

#include "json.h"

/* An instant: seconds since 1970 (negative before) and nanoseconds. */
struct plog_instant {
    int64_t seconds;
    int32_t nanos; /* 0..999,999,999, counted upwards also before 1970 */
};

/*
 * Reads an RFC 3339 time: any offset (-23:59..+23:59), T/t, Z/z, at most 9
 * fraction digits, no second 60, real days of the proleptic Gregorian
 * calendar, years 0000-9999.
 * @text  without quotes, unescaped
 * Returns 0 or PLOG_E_INPUT.
 */
PLOG_MUST_CHECK int plog_instant_parse(struct plog_span text,
                                       struct plog_instant *out);
/* By the wall clock, also before 1970. */
struct plog_instant plog_instant_now(const struct plog_io *io);
/* -1, 0 or 1. */
int plog_instant_compare(struct plog_instant a, struct plog_instant b);
/* Writes UTC with nanoseconds cut to microseconds: 2026-01-02T03:04:05.123456Z
 * into `out` (at least 32 bytes). */
void plog_instant_format(struct plog_instant t, char *out);

/*
 * Members of a delta or of an entry line that carries one.  Raw spans are
 * compact JSON values as they will stand in the log (strings with quotes);
 * n == 0 means absent.  Decoded spans are unescaped bytes.
 */
struct plog_delta {
    struct plog_span id, resource, record_id, op, payload, occurred_at,
        provenance, meta;                                    /* raw */
    struct plog_span id_text, resource_text, record_id_text; /* decoded */
    struct plog_span source_text, occurred_text;             /* decoded */
    bool is_delete;
    double confidence;
    struct plog_instant instant;
};

/* Owns the memory that a delta's spans point into; reusable. */
struct plog_delta_parser {
    struct plog_json json;
    struct plog_buf compact; /* the delta without white space */
    struct plog_buf decoded; /* unescaped texts */
};
void plog_delta_parser_init(struct plog_delta_parser *p,
                            const struct plog_io *io);
void plog_delta_parser_fini(struct plog_delta_parser *p);

/*
 * Reads one delta.
 * @text      one JSON object as the caller wrote it; may be any bytes
 * @line_max  the log's limit in bytes; a text whose compact form is longer
 *            is refused
 * @out       spans into `p`, valid until its next use; raw payload of a
 *            delete is `null`
 * Returns 0; PLOG_E_INPUT with a message that names what was expected and
 * found, never a payload: err->offset (into `text`) where it is not JSON,
 * err->member where a member is wrong;
 * PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_delta_parse(struct plog_delta_parser *p,
                                     struct plog_span text, size_t line_max,
                                     struct plog_delta *out,
                                     struct plog_error *err);

/*
 * Checks and decodes the raw members already found in `d` (resource,
 * record_id, op, payload, occurred_at, provenance, and id, meta when present)
 * and fills the decoded ones.  Used by plog_delta_parse and by the reader of
 * entry lines.  Decoded texts that need unescaping go to `decoded`, which
 * must not move afterwards: room for all raw bytes is reserved up front.
 * Returns 0; PLOG_E_INPUT with err->member; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_delta_decode(struct plog_delta *d,
                                      struct plog_buf *decoded,
                                      struct plog_error *err);

/* The common spellings of a number from 0 to 1 without a locale: 0, 1, 0.ddd.
 * @raw  a JSON number
 * Returns false for any other; out of that range it may be taken, too. */
bool plog_delta_plain_number(struct plog_span raw, double *out);

/* Whether two deltas have the same content: resource, record_id, op, payload,
 * meta, provenance and occurred_at byte for byte. */
bool plog_delta_same(const struct plog_delta *a, const struct plog_delta *b);

#endif
