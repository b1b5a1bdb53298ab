/*
 * fuzz_world.h - a whole log with its store, in memory, made by the library
 * itself; and the state of all its files, to come back to.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include "fuzz.h"
#include "ram.h"

#define FUZZ_DIR "/d"
#define FUZZ_STORE FUZZ_DIR "/store.db"

struct fuzz_world {
    struct ram ram;
    struct {
        char path[RAM_PATH];
        unsigned char *data;
        size_t n;
        uint32_t mode;
    } kept[RAM_FILES];
    unsigned count;
};

/* Makes it: 15 entries of every kind that needs no compaction, about four
 * records, all of the store in store.db and none in its WAL. */
void fuzz_world_make(struct fuzz_world *w);
/* Every file as it was then, and no other. */
void fuzz_world_reset(struct fuzz_world *w);
/* The file as it was; NULL when it was not there. */
const unsigned char *fuzz_world_kept(const struct fuzz_world *w,
                                     const char *path, size_t *n);
/* Opens store.db by a connection that knows nothing of the library. */
sqlite3 *fuzz_world_raw(struct fuzz_world *w);

#endif
