/*
 * json_table.h - JSON texts, each with what RFC 8259 says of it.
 *
 *   y  a text that every reader must take
 *   n  one that none may take
 *   i  left to the reader; then `takes` says what ours does, and `why`
 */
#ifndef JSON_TABLE_H
#define JSON_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct json_case {
    char kind;
    bool takes;
    const char *why; /* of an i */
    const char *text;
    size_t n;
};

extern const struct json_case json_cases[];
extern const size_t json_case_count;

#endif
