/* fuzz_tables.h - every row of every table of a store, to compare them. */
#ifndef FUZZ_TABLES_H
#define FUZZ_TABLES_H

#include "fuzz_world.h"

struct fuzz_tables {
    char *rows; /* bytes: type, length and value of each column */
    size_t n;
};

/* Asked of SQLite alone; free t->rows with sqlite3_free. */
void fuzz_tables_read(struct fuzz_tables *t, struct fuzz_world *w);

#endif
