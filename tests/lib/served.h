/*
 * served.h - an I/O table over the real one in which the files of log/ come
 * from memory: a check of a changed file costs no file.
 *
 * Only for reading: opening a segment to write, or anything else in log/,
 * goes to the disk as ever.  One directory and one thread at a time.
 */
#ifndef SERVED_H
#define SERVED_H

#include "paritylog.h"

#define SERVED_FILES 12

struct served_file {
    char name[40]; /* below log/ */
    const char *data;
    size_t size;
};

struct served {
    struct plog_io io; /* must not move while in use */
    struct served_file files[SERVED_FILES];
    size_t count;
    int log; /* handle of log/, as the library has it; -1: none */
};

void served_init(struct served *s);

#endif
