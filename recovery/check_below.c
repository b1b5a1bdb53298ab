/*
 * check_below.c - heads that were seen below the floor: archive/ may still have
 * what they are of.
 *
 * Nothing that a file there says proves anything, signatures included: whoever
 * holds the key may have signed two histories.  So all lines from the segment
 * of the head up to the floor are hashed again.  Only the log's own lead to the
 * root that it has at the floor; then it had the root at the head, too.
 *
 * Of the notes of a witness only the newest is looked for.  Each was added when
 * the log had the newest before it, so that a log which has the last one has
 * them all.
 */
#include <stdio.h>

#include "archive_lines.h"
#include "check.h"
#include "kept.h"
#include "redact.h"

struct below {
    struct plog_check *c;
    struct plog_dir dir; /* with the archive */
    struct plog_tree tree;
    struct plog_seen *seen;
    size_t count, next; /* those before `next` have their root */
    uint64_t floor;
};

/* Of heads that the lines at hand have come to. */
static void note_roots(struct below *b)
{
    while (b->next < b->count && b->seen[b->next].size <= b->tree.size) {
        struct plog_seen *seen = &b->seen[b->next++];
        seen->known = seen->size == b->tree.size;
        if (seen->known)
            plog_tree_root(&b->tree, seen->found);
    }
}

/* The first header gives the range; of the others nothing is needed. */
static int take_header(struct below *b, struct plog_archive_lines *l,
                       bool is_first, struct plog_error *err)
{
    struct plog_segment_header h;
    struct plog_span line;
    if (!is_first) {
        int rc = plog_archive_lines_next(l, PLOG_HEADER_MOST, &line, err);
        return rc == PLOG_END ||
                       (!rc && plog_line_kind(line) != PLOG_LINE_SEGMENT)
                   ? plog_archive_lines_odd(l, "does not begin with a header",
                                            err)
                   : rc;
    }
    int rc = plog_archive_lines_header(l, &h, err);
    if (rc)
        return rc;
    if (h.tree.size != l->first - 1)
        return plog_archive_lines_odd(l, "has no header of its place", err);
    b->tree = h.tree;
    note_roots(b);
    return 0;
}

/* No more lines than there are entries up to the floor, and a commit behind
 * each, so that no file is read for ever. */
static int take_line(struct below *b, struct plog_archive_lines *l,
                     struct plog_span line, bool *commit,
                     struct plog_error *err)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    enum plog_line_kind kind = plog_line_kind(line);
    if (kind == PLOG_LINE_COMMIT && !*commit) {
        *commit = true;
        return 0;
    }
    plog_line_leaf(line, leaf);
    if (kind != PLOG_LINE_ENTRY || b->tree.size >= b->floor ||
        plog_tree_add(&b->tree, leaf))
        return plog_archive_lines_odd(l, "has a line that is none of the log's",
                                      err);
    *commit = false;
    note_roots(b);
    plog_check_progress(b->c, "log", b->tree.size, b->floor);
    return b->c->stopped ? PLOG_E_INTERRUPTED : 0;
}

static int read_segment(struct below *b, uint64_t first, bool is_first,
                        struct plog_error *err)
{
    struct plog_archive_lines l;
    struct plog_span line;
    bool commit = true;
    int rc = plog_segment_lines_open(&l, &b->dir, first, err);
    if (!rc)
        rc = take_header(b, &l, is_first, err);
    while (!rc && (rc = plog_archive_lines_next(&l, PLOG_LINE_LONGEST, &line,
                                                err)) == 0)
        rc = take_line(b, &l, line, &commit, err);
    plog_archive_lines_close(&l);
    return rc == PLOG_END ? 0 : rc;
}

/* Returns 0 when the lines lead to the root at the floor; PLOG_E_CORRUPT or
 * another verdict when they do not, or are not there. */
static int read_up(struct below *b, struct plog_error *err)
{
    unsigned char own[PLOG_HASH_SIZE], got[PLOG_HASH_SIZE];
    struct plog_buf list;
    plog_buf_init(&list, b->dir.io);
    int rc = plog_dir_segments(&b->dir, &list, err);
    /* In which the first head that is looked for lies, or behind which it
     * stands. */
    uint64_t first = rc ? 0 : plog_segment_of(&list, b->seen[b->next].size + 1);
    plog_buf_fini(&list);
    if (rc || first == 0)
        return rc ? rc : PLOG_E_CORRUPT;
    rc = read_segment(b, first, true, err);
    while (!rc && b->tree.size < b->floor && b->tree.size + 1 > first) {
        first = b->tree.size + 1;
        rc = read_segment(b, first, false, err);
    }
    if (rc || b->tree.size != b->floor)
        return rc ? rc : PLOG_E_CORRUPT;
    plog_tree_root(&b->tree, got);
    plog_tree_root(&b->c->walk.chain.tree, own);
    return memcmp(own, got, sizeof own) == 0 ? 0 : PLOG_E_CORRUPT;
}

/* The first head that must be compared.  Those before it are left out. */
static bool find_asked(struct below *b)
{
    while (b->next < b->count && !b->seen[b->next].asked)
        b->next++;
    return b->next < b->count;
}

int plog_check_below(struct plog_check *c, struct plog_error *err)
{
    const struct plog_tree *at = &c->walk.chain.tree;
    struct below b = {.c = c, .dir = c->reader.dir, .floor = c->report->floor};
    struct plog_error why = {0};
    b.seen = (struct plog_seen *)(void *)c->seen.data;
    c->below[0] = '\0';
    while (b.count < c->seen.len / sizeof *b.seen &&
           b.seen[b.count].size < b.floor)
        b.count++;
    if (at->size != b.floor || !find_asked(&b))
        return 0;
    b.dir.with_archive = plog_kept_is_folder(&b.dir, PLOG_ARCHIVE_DIR);
    int rc = read_up(&b, &why);
    if (rc && plog_check_is_verdict(rc) && !plog_check_moved(c)) {
        for (size_t i = 0; i < b.count; i++)
            b.seen[i].known = false;
        snprintf(c->below, sizeof c->below, "%.63s", why.file);
        return 0;
    }
    if (rc == PLOG_E_NOMEM || rc == PLOG_E_INTERRUPTED)
        plog_fail(&why, rc, "%s", plog_strerror(rc));
    if (rc && err)
        *err = why;
    return rc;
}
