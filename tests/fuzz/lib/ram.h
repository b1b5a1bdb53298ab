/*
 * ram.h - an I/O table over memory: a few files by their full paths, no disk,
 * no system call; and below SQLite a file layer over the same files.
 *
 * Made for fuzzing, where a directory is built and dropped thousands of times
 * a second.  It does what it is asked at once: no faults, no order of syncs,
 * one process, one thread.  A directory is there when a file lies below it.
 */
#ifndef RAM_H
#define RAM_H

#include <sqlite3.h>

#include "buf.h"

#define RAM_FILES 40
#define RAM_PATH 96
#define RAM_REGIONS 4 /* of 32 KiB: SQLite's index of a WAL */

struct ram_file {
    char path[RAM_PATH]; /* "" when not in use */
    unsigned char *data;
    size_t n, cap;
    uint32_t mode;
    unsigned opens;
    unsigned char *region[RAM_REGIONS];
};

struct ram {
    struct plog_io io;
    sqlite3_vfs vfs;
    struct ram_file file[RAM_FILES];
    char folder[RAM_FILES][RAM_PATH]; /* of open handles */
    unsigned folders;
    uint64_t random;
    size_t most; /* bytes of one file */
    /* What changed a file with a name: bytes written, cut or removed. */
    unsigned writes;
    unsigned made; /* files that were not there, but for an empty WAL */
};

void ram_init(struct ram *r);
/* Drops all files; handles must be closed. */
void ram_clear(struct ram *r);
/* Puts a file there, or another content into it; fails hard when full. */
void ram_put(struct ram *r, const char *path, const void *data, size_t n);
/* NULL when there is none; until the next change. */
struct ram_file *ram_find(struct ram *r, const char *path);
void ram_remove(struct ram *r, const char *path);

/* Fills r->vfs; called by ram_init. */
void ram_vfs_init(struct ram *r);

#endif
