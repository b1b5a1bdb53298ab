/*
 * sim_image.h - what a simulated disk holds: a tree of names and files.
 *
 * A copy shares the files' bytes until one side writes, so that thousands of
 * disks which differ in a block or two cost little.  Files are numbered; a
 * number is never given twice in images that come from one another.
 */
#ifndef SIM_IMAGE_H
#define SIM_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_ROOT 0 /* the directory that paths begin in */
#define SIM_NAME 80

struct sim_bytes; /* shared, counted */

struct sim_node {
    bool dir;
    bool scratch; /* SQLite's temporary files: gone with the machine */
    struct sim_bytes *bytes; /* NULL: empty */
};

struct sim_name {
    int dir, node;
    char name[SIM_NAME];
};

struct sim_image {
    struct sim_node *nodes;
    struct sim_name *names;
    int node_count, node_cap, name_count, name_cap;
};

void sim_image_init(struct sim_image *m); /* an empty root directory */
void sim_image_copy(struct sim_image *to, const struct sim_image *from);
void sim_image_free(struct sim_image *m);

/* A new file or directory without a name.  Returns its number. */
int sim_image_node(struct sim_image *m, bool dir);
/* Makes files up to `node`, so that a number of another image is one here. */
void sim_image_reach(struct sim_image *m, int node, bool dir);

/* The node called `name` in `dir`; -1: none. */
int sim_image_find(const struct sim_image *m, int dir, const char *name);
/* A path from the root, with or without a leading slash; -1: none. */
int sim_image_path(const struct sim_image *m, const char *path);
/* Gives `node` a name, in place of what had it. */
void sim_image_link(struct sim_image *m, int dir, const char *name, int node);
void sim_image_unlink(struct sim_image *m, int dir, const char *name);
int sim_image_links(const struct sim_image *m, int node);
/* The directory of a node; the root's is the root. */
int sim_image_parent(const struct sim_image *m, int node);

size_t sim_image_size(const struct sim_image *m, int node);
/* The bytes, for reading, until the next write; NULL for an empty file. */
const unsigned char *sim_image_bytes(const struct sim_image *m, int node);
/* Fills with zeros up to `at`.  `from` NULL writes zeros. */
void sim_image_write(struct sim_image *m, int node, const void *from, size_t n,
                     size_t at);
void sim_image_resize(struct sim_image *m, int node, size_t size);

/* A number for names and contents: equal images have equal ones. */
uint64_t sim_image_hash(const struct sim_image *m);

/* Multiplies and folds: fast, and good enough to tell states apart. */
uint64_t sim_hash(uint64_t seed, const void *bytes, size_t n);

#endif
