/*
 * scanner.h - the scanner of JSON with a counted heap, given each text in a
 * block of exactly its size, so that one byte too far is seen.
 */
#ifndef SCANNER_H
#define SCANNER_H

#include <stddef.h>

#include "heap.h"
#include "json.h"

struct scanner {
    struct heap h;
    struct plog_json j;
    struct plog_buf out;
    struct plog_json_fault fault;
};

void scanner_init(struct scanner *r);
void scanner_fini(struct scanner *r);

/* Each returns the code of the library. */
int scanner_compact(struct scanner *r, const char *p, size_t n);
int scanner_check(struct scanner *r, const char *p, size_t n);

/* Such a block, to be freed. */
char *scanner_exact(const char *p, size_t n);

#endif
