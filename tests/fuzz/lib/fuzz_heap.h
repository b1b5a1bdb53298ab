/*
 * fuzz_heap.h - SQLite at its quickest, for a target that does little else: one
 * thread, no counting, blocks that are handed out again as they came back.
 */
#ifndef FUZZ_HEAP_H
#define FUZZ_HEAP_H

/* Before anything else is asked of SQLite.  Under AddressSanitizer the memory
 * stays malloc's, so that what is read beyond it is seen. */
void fuzz_heap_use(void);

#endif
