/*
 * feed.h - the groups of a log, verified ahead of who applies them.
 *
 * A thread of its own (pipe.h) walks the log and copies each group that holds
 * into a batch; whoever takes the batches gets whole groups only, in order,
 * and nothing that was not verified.  What is wrong with the log is told where
 * it stands: behind all groups before it.  With walk->orders.in_force no line
 * is given with a payload that an order in orders/ took out.
 *
 * Memory: batches that wait come to 1 MiB of lines and one group, 120 bytes a
 * line, and 1 MiB for what unusual lines were parsed into.
 */
#ifndef PLOG_FEED_H
#define PLOG_FEED_H

#include "legs.h"
#include "pipe.h"
#include "sketch.h"

struct plog_feed_group {
    uint64_t size;              /* seq of its last entry */
    uint64_t segment;           /* first seq of the segment it stands in */
    uint64_t end;               /* byte offset behind it */
    size_t count;               /* lines, of the batch's */
    size_t commit_at, commit_n; /* in the text */
};

struct plog_feed_line {
    size_t at, n;              /* in the text */
    size_t parsed;             /* its number among `parsed`; 0: it is not */
    struct plog_sketch sketch; /* of an ordinary line */
};

/* Whole groups.  Invariant: tree.size == commit.size, if there is a group. */
struct plog_batch {
    struct plog_buf text;   /* lines and commit lines */
    struct plog_buf lines;  /* struct plog_feed_line */
    struct plog_buf parsed; /* struct plog_entry: spans point into the text */
    struct plog_buf groups; /* struct plog_feed_group */
    /* Behind the last group. */
    struct plog_tree tree;
    struct plog_commit commit;
    char origin[PLOG_ORIGIN_MAX + 1];
    uint64_t walked; /* bytes of the log so far */
};

struct plog_feed {
    struct plog_walk *walk;   /* the thread's, until the feed is closed */
    struct plog_log_end *end; /* to be found; NULL: the feed ends where `to`
                                 says */
    uint64_t to;              /* no group above it is given; 0: all are */
    struct plog_pipe pipe;
    struct plog_batch batches[PLOG_PIPE_SLOTS];
    struct plog_batch *held; /* given last */
    struct plog_entry_parser parser;
    struct plog_buf redacted; /* the line at hand, by an order */
    bool beyond;              /* `to` was reached */
    /* How the walk ended, behind the last batch: 0 when `to` was reached;
     * PLOG_END; what plog_walk_next returned, with its error. */
    int stop;
    struct plog_error err;
    /* A file to be synced now and then, so that the disk has work early.  A
     * sync that failed is told at the end. */
    int sync_fd;
    size_t unsynced; /* bytes of lines */
    int sync_failed; /* errno; 0: none has */
};

/*
 * Begins to read on from where `walk` stands.
 * @walk      borrowed, and not touched until the feed is closed
 * @end       out, when the feed ends; with it the walk goes on to the log's
 *            end, beyond `to`
 * @sync_fd   see there; -1: none
 * @threaded  whether a thread may be started
 */
void plog_feed_open(struct plog_feed *f, struct plog_walk *walk, uint64_t to,
                    struct plog_log_end *end, int sync_fd, bool threaded);

/* The next batch, valid until the next call; NULL behind the last one, and
 * f->stop then says why. */
const struct plog_batch *plog_feed_next(struct plog_feed *f);

/*
 * Line `i` of a batch.
 * @p     for the lines that were not read ahead
 * @line  out: its text
 * @out   what its row and its fold need (plog_sketch_entry); spans into the
 *        batch and `p`
 * Returns as plog_entry_read.
 */
PLOG_MUST_CHECK int plog_feed_entry(const struct plog_batch *b, size_t i,
                                    struct plog_entry_parser *p,
                                    struct plog_span *line,
                                    struct plog_entry *out,
                                    struct plog_error *err);

/* Ends the thread.  May be called twice. */
void plog_feed_close(struct plog_feed *f);

#endif
