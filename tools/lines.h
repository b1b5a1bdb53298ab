/*
 * lines.h - reading input lines as groups, in bounded memory.
 *
 * A group closes
 *  - at `at_most` lines, when the caller set a number, and not before the
 *    input ends;
 *  - else at 1,000 lines, at 1 MiB, or when nothing more can be read without
 *    waiting: what is slow in coming does not hold back what is here.
 *
 * A line may be LINES_MAX bytes long and a group PLOG_GROUP_MAX; the reader
 * stops there instead of taking the rest in.  The last line needs no LF.
 */
#ifndef TOOLS_LINES_H
#define TOOLS_LINES_H

#include "paritylog.h"

/* More than any log takes, because white space is removed from a delta. */
#define LINES_MAX ((size_t)PLOG_LINE_MAX + PLOG_LINE_SLACK)
#define LINES_GROUP 1000
#define LINES_GROUP_BYTES (1u << 20)

struct lines_ref {
    size_t at, len; /* into the buffer */
};

struct lines {
    int fd;
    const char *name; /* for errors; "-" is standard input */
    size_t at_most;   /* lines of a group; 0: the rules above */
    char *buf;
    size_t len, cap;
    size_t start;   /* where the line begins that is looked for */
    size_t scanned; /* no LF from start to here */
    struct lines_ref *refs;
    size_t count, room; /* lines of the group */
    uint64_t first;     /* number of its first line, from 1 */
    uint64_t offset;    /* of buf[0] in the input */
    bool at_end;
};

void lines_init(struct lines *in, int fd, const char *name, size_t at_most);
void lines_fini(struct lines *in);

/*
 * Reads the next group; the one before is dropped.
 * Returns 0; PLOG_END; PLOG_E_INPUT for a line or group that is too long,
 * with file, line and offset; PLOG_E_IO; PLOG_E_NOMEM; PLOG_E_INTERRUPTED.
 */
PLOG_MUST_CHECK int lines_next_group(struct lines *in, struct plog_error *err);

/* Line `i` of the group, without its LF; lives until the next group. */
struct plog_span lines_get(const struct lines *in, size_t i);

/* Sets file, line and offset of `err`, which was about byte err->offset of
 * line `i` of the group. */
void lines_locate(const struct lines *in, size_t i, struct plog_error *err);

#endif
