/* files.h - the files below a directory: copied, listed, compared. */
#ifndef FILES_H
#define FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_file {
    char name[200]; /* relative */
    uint64_t size, hash;
    uint32_t mode;
};

struct tree {
    struct tree_file *files; /* by name, directories among them */
    size_t count;
    uint64_t hash; /* of all, but SQLite's shared memory and an empty WAL */
};

/* Both fail the running case when they cannot. */
void tree_copy(const char *from, const char *to); /* onto nothing */
void tree_remove(const char *path);

void tree_read(struct tree *t, const char *path);
void tree_free(struct tree *t);
uint64_t tree_hash(const char *path);
const struct tree_file *tree_find(const struct tree *t, const char *name);

uint64_t tree_hash_bytes(uint64_t hash, const void *p, size_t n);

#endif
