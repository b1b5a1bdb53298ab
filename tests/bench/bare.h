/* bare.h - zlib and files, without anything of ours. */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include "bench.h"

/* Seconds that zlib takes to compress bytes in memory, in one stream. */
double bare_deflate(const unsigned char *bytes, size_t n, int level);
/* The content of a file, plain or gzip; to be freed. */
unsigned char *bare_inflated(const char *path, size_t *n);
/* Calls `each` with the path of each *.jsonl in `dir`, in order of names. */
void bare_each_segment(const char *dir, void (*each)(void *arg, const char *),
                       void *arg);

#endif
