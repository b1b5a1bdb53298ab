/*
 * json_rows.h - texts that our scanner takes, with their compact form, and
 * such as it refuses, with the place of the fault.
 *
 * (json_table.h has texts with what RFC 8259 says of them.)
 */
#ifndef JSON_ROWS_H
#define JSON_ROWS_H

#include <stddef.h>
#include <stdint.h>

#define JSON_ROWS_ANY (SIZE_MAX / 2) /* such an offset is not looked at */

struct json_row {
    const char *p;
    size_t n;
    const char *compact; /* NULL: the same; only for what is taken */
    size_t offset;       /* only for what is refused */
};

extern const struct json_row json_rows_taken[], json_rows_refused[];
extern const size_t json_rows_taken_count, json_rows_refused_count;

#endif
