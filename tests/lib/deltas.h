/*
 * deltas.h - texts of deltas, put together of their members, and a parser that
 * they are given to: with a counted heap, and each text in a block of exactly
 * its size, so that one byte too far is seen.
 */
#ifndef DELTAS_H
#define DELTAS_H

#include <stdbool.h>
#include <stddef.h>

#include "delta.h"
#include "heap.h"

#define DELTAS_LINE 4096

/* Members, under short names: a text is put together of up to nine. */
#define ID "\"id\":\"i\""
#define RESOURCE "\"resource\":\"r\""
#define RECORD "\"record_id\":\"1\""
#define UPSERT "\"op\":\"upsert\""
#define DELETE "\"op\":\"delete\""
#define PAYLOAD "\"payload\":{\"a\":1}"
#define TIME "\"occurred_at\":\"2026-01-02T03:04:05Z\""
#define SOURCE "\"source\":\"s\""
#define PROVENANCE "\"provenance\":{" SOURCE ",\"confidence\":1}"
#define META "\"meta\":{\"m\":2}"
#define KEY RESOURCE "," RECORD
#define TAIL TIME "," PROVENANCE
#define UP(member) "{" KEY "," UPSERT "," PAYLOAD "," TAIL "," member "}"
#define WITH_CONFIDENCE(n)                                                     \
    "{" KEY "," UPSERT "," PAYLOAD "," TIME ",\"provenance\":{" SOURCE         \
    ",\"confidence\":" n "}}"
#define WITH_TIME(t)                                                           \
    "{" KEY "," UPSERT "," PAYLOAD ",\"occurred_at\":" t "," PROVENANCE "}"

struct deltas {
    struct heap h;
    struct plog_delta_parser p;
    struct plog_delta d;
    struct plog_error err;
    char *text; /* exactly the text's size, so that one byte too far is seen */
};

void deltas_init(struct deltas *r);
void deltas_fini(struct deltas *r);

/* Each returns the code of the library. */
int deltas_parse_max(struct deltas *r, const char *text, size_t n, size_t max);
int deltas_parse(struct deltas *r, const char *text);

/* Each fails the running case where it is not so. */
bool deltas_span(struct plog_span s, const char *want);
void deltas_taken(struct deltas *r, const char *text);
/* The refusal names `member`. */
void deltas_refused(struct deltas *r, const char *text, const char *member);

#endif
