/*
 * scrub.h - after an order to redact: taking the payload out of every place
 * in the directory where its bytes may still lie.
 *
 * Order: the lock of drills -> freed pages and the WAL of the store -> copies
 * in quarantine/ -> the segment, because it is where the payload can be read
 * that the copies are looked for by -> what lies beside: queue, what killed
 * commands left -> the store's note that nothing is pending.  Each step may be
 * repeated, so whoever is cut off begins anew.
 */
#ifndef PLOG_SCRUB_H
#define PLOG_SCRUB_H

#include <zlib.h>

#include "find_line.h"
#include "legs.h"

struct plog_scrub_report {
    uint64_t entries;    /* whose payload was taken out */
    uint64_t segments;   /* files of the log that were replaced */
    uint64_t quarantine; /* files there that were changed or removed */
    uint64_t left;       /* files and folders that were not searched there, or
                            not removed */
    int left_why;        /* of the first: a negative errno, */
    char left_file[256]; /* and which it is, below the directory */
    bool brought; /* some of what was looked for came along: no mark keeps that
                   * in mind where something is left */
};

/* What is looked for, of one entry. */
struct plog_scrub_target {
    uint64_t seq;
    unsigned char leaf[PLOG_HASH_SIZE];
    char salt[25]; /* "" when the line in the log is redacted already */
    struct plog_span redacted;
};

/*
 * Does all that is pending; and takes out of quarantine/, in the same search,
 * what orders in orders/ are about, which came along with a copy: the store has
 * no rows of them, and so no marks.
 * @l  under the writer lock and the maintenance lock, no transaction open
 * Returns 0: no file below the directory holds such a payload any more, on
 * disk.  PLOG_E_LOCKED: a reader holds an old snapshot of the store, and what
 * is left is done later; PLOG_E_CORRUPT, PLOG_E_DIVERGED when a leg is not
 * what it must be; PLOG_E_IO; PLOG_E_NOMEM.  Where it is orders/ that cannot be
 * read, all else was done, and stays pending.
 * An entry that is out of reach (plog_scrub_below) stays pending, and stops
 * none of the others; so does one that was compacted away with its orders where
 * archive/ has them no more, while something lies in quarantine/; and all,
 * while some of that cannot be searched (report->left).  Where nothing but such
 * are, the store's pages are emptied once; quarantine/ is searched each time,
 * for those of which it is known what to look for.
 */
PLOG_MUST_CHECK int plog_scrub(struct plog_legs *l,
                               struct plog_scrub_report *report,
                               struct plog_error *err);

/*
 * Whether the payload of an entry that was compacted away is still in archive/,
 * or in a segment that somebody put into log/, where nothing takes it out.
 * @l  as above
 * Returns 0: it is not, or cannot be read there; PLOG_E_PRUNED: it is, and the
 * hint leads out; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_scrub_below(struct plog_legs *l, uint64_t seq,
                                     struct plog_error *err);

/*
 * Looks for entries above the floor whose line is whole in the log although the
 * store has their order, for a file of the log came back from a copy; says in
 * the store that their redactions are pending, so that the next plog_scrub
 * takes the payload out again.  What it costs: some reads for each order.
 * @l      under the writer lock, no transaction open; its head is the store's
 * @count  out: how many there are
 * Returns 0, also where the log cannot be read; PLOG_E_IO; PLOG_E_NOMEM; a
 * store error.
 */
PLOG_MUST_CHECK int plog_scrub_again(struct plog_legs *l, uint64_t *count,
                                     struct plog_error *err);

/*
 * Says in a transaction of its own that the redactions of entries are pending.
 * @seqs, @count  these entries
 * @more          and as many behind each
 * Returns 0; PLOG_E_LOCKED; a store error.
 */
PLOG_MUST_CHECK int plog_scrub_set_pending(struct plog_store *s,
                                           const uint64_t *seqs, size_t count,
                                           uint64_t more,
                                           struct plog_error *err);

/*
 * Says that all redactions are pending, also those below the floor: before a
 * file that may have some payload goes to quarantine/, where nobody would look
 * for it.
 * @s  under the writer lock, no transaction open; nothing is read from it
 *     half-way
 * Returns 0: on disk, or there is no order; PLOG_E_LOCKED; PLOG_E_IO;
 * PLOG_E_NOMEM; a store error.
 */
PLOG_MUST_CHECK int plog_scrub_mark(struct plog_store *s,
                                    struct plog_error *err);

/*
 * The part of plog_scrub that is about orders/, for maintenance that leaves the
 * rest to the next opening: at its end, whatever the one before came to.
 * Without orders/ or anything in quarantine/ it costs two looks.
 * @l  under the writer lock, no transaction open; its head is the store's, or
 *     its store is closed: then that is opened, if there is something to do
 * Returns 0; PLOG_E_BEHIND: there is no store; PLOG_E_UNKNOWN_KEY; PLOG_E_IO,
 * also where something could not be searched; PLOG_E_NOMEM; a store error.
 */
PLOG_MUST_CHECK int plog_scrub_brought(struct plog_legs *l,
                                       struct plog_error *err);

/* ---- Between its files -------------------------------------------------- */

/* Where lines are looked up: log and archive.  What targets are about is asked
 * in their order, so that each segment is opened once. */
struct plog_scrub_reach {
    struct plog_legs *l;
    struct plog_dir all;
    struct plog_finder lines, orders;
    bool read_orders;
    struct plog_buf known; /* struct plog_order of what is pending, by `at` */
};

void plog_scrub_reach_init(struct plog_scrub_reach *r, struct plog_legs *l);
void plog_scrub_reach_close(struct plog_scrub_reach *r);

/* Whether the log has the whole line of which the store has the rest, or has
 * let go below the floor.
 * @f  of the log, or of the log with the archive
 * Returns 0, also where the line cannot be read; PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_scrub_whole(struct plog_legs *l, struct plog_finder *f,
                                     uint64_t seq, bool *whole,
                                     struct plog_error *err);

/* As plog_scrub_below. */
PLOG_MUST_CHECK int plog_scrub_out_of_reach(struct plog_scrub_reach *r,
                                            uint64_t seq,
                                            struct plog_error *err);

/* Whether all that is left of an entry below the floor does not tell what to
 * look for: it stays pending then, and nothing is wrong with that but what may
 * lie in quarantine/.
 * Returns 0; PLOG_E_DIVERGED; PLOG_E_IO; PLOG_E_NOMEM; a store error. */
PLOG_MUST_CHECK int plog_scrub_lost(struct plog_scrub_reach *r, uint64_t seq,
                                    bool *lost, struct plog_error *err);

/*
 * Appends the line of an entry as the store has it.
 * @gone  where that dropped it, log and archive are asked
 * Returns 0; PLOG_END: it is not there; PLOG_E_CORRUPT: nor in the log, which
 * must have it; PLOG_E_IO; PLOG_E_NOMEM; a store error.
 */
PLOG_MUST_CHECK int plog_scrub_line(struct plog_scrub_reach *r, uint64_t seq,
                                    bool gone, struct plog_buf *text,
                                    struct plog_error *err);

/*
 * Fills in what is looked for of entry t->seq, but for the bytes of
 * t->redacted, which may move: they are appended to `text`.
 * Returns 0; PLOG_END: it was compacted away, and nothing tells; PLOG_E_PRUNED:
 * with its payload; PLOG_E_DIVERGED; what reading gives.
 */
PLOG_MUST_CHECK int plog_scrub_learn(struct plog_scrub_reach *r,
                                     struct plog_scrub_target *t,
                                     struct plog_buf *text,
                                     struct plog_error *err);

/* The same of every entry that an order in orders/ is about: appended to
 * `targets`, ascending.  Returns 0; PLOG_E_IO, PLOG_E_UNKNOWN_KEY, a store
 * error: there may be more; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_scrub_learn_brought(struct plog_scrub_reach *r,
                                             struct plog_buf *targets,
                                             struct plog_buf *text,
                                             struct plog_error *err);

/* Returns PLOG_E_DIVERGED, said. */
int plog_scrub_misfit(uint64_t seq, const char *what, struct plog_error *err);

/* Whether anything lies in quarantine/.  Returns 0 or PLOG_E_IO. */
PLOG_MUST_CHECK int plog_scrub_kept(struct plog_legs *l, bool *any,
                                    struct plog_error *err);

/*
 * Changes or removes what quarantine/ holds of `count` targets.
 * Returns 0, also where some of it could not be searched: report->left then
 * says how much, and whoever asked has to keep the targets pending;
 * PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_scrub_quarantine(struct plog_legs *l,
                                          const struct plog_scrub_target *t,
                                          size_t count,
                                          struct plog_scrub_report *report,
                                          struct plog_error *err);

/* Keeps drills from copying the log, until plog_dir_drilled.  Returns 0;
 * PLOG_E_LOCKED while one is under way; PLOG_E_IO. */
PLOG_MUST_CHECK int plog_scrub_begin_alone(struct plog_legs *l,
                                           struct plog_error *err);

/*
 * Takes out what is no leg and may have any payload: of the memory that writers
 * share, what nobody waits for; all that killed commands left (left.h).
 * Returns 0, also where some of that could not be removed, as
 * plog_scrub_quarantine; PLOG_E_LOCKED while somebody is at it, and what is
 * left is done later; PLOG_E_IO.  Behind plog_scrub_begin_alone.
 */
PLOG_MUST_CHECK int plog_scrub_beside(struct plog_legs *l,
                                      struct plog_scrub_report *report,
                                      struct plog_error *err);

/* Says what was left, and what can be done.  Returns PLOG_E_IO; 0 when nothing
 * was. */
PLOG_MUST_CHECK int plog_scrub_say_left(const struct plog_scrub_report *report,
                                        struct plog_error *err);

/* ---- Finding (scrub_find.c) ---------------------------------------------- */

#define PLOG_SCRUB_HALF 12 /* of a salt */
/* Pieces that are searched one after the other have so much in common. */
#define PLOG_SCRUB_OVERLAP 4200

/* Targets, ready to be found. */
struct plog_scrub_search {
    const struct plog_scrub_target *targets; /* ascending */
    size_t count;
    struct plog_buf halves;  /* of the salts that are known, in order */
    unsigned char may[8192]; /* bits: how one of them begins, by its hash */
};

/* Returns 0 or -ENOMEM. */
PLOG_MUST_CHECK int plog_scrub_search_init(struct plog_scrub_search *s,
                                           const struct plog_io *io,
                                           const struct plog_scrub_target *t,
                                           size_t count);
void plog_scrub_search_fini(struct plog_scrub_search *s);
/* The target that a line is.  @loose: also when it is only like it.  NULL:
 * none, or it is redacted. */
const struct plog_scrub_target *
plog_scrub_find_line(const struct plog_scrub_search *s, struct plog_span line,
                     bool loose);
/* Whether bytes of a database, or of its WAL, have part of a target's line. */
bool plog_scrub_find_bytes(const struct plog_scrub_search *s, const char *p,
                           size_t n);

/* ---- Reading (scrub_packed.c) -------------------------------------------- */

/* A file that comes to more than these bytes, and so many times its size, is
 * not expanded to its end.  The bytes are those of a segment that a single
 * group makes longer than the log's segment_size, which are added. */
#define PLOG_SCRUB_FREE (PLOG_GROUP_MAX + 2ull * PLOG_LINE_MAX)
#define PLOG_SCRUB_RATIO 64

/* A file, expanded where it is gzip. */
struct plog_scrub_source {
    const struct plog_io *io;
    int fd;
    bool unpack;           /* else it is given as it is, whatever it is */
    bool packed;           /* so far something was expanded */
    uint64_t size, at;     /* of the file; read so far */
    uint64_t given, spent; /* expanded; read for all of it */
    uint64_t free;         /* as PLOG_SCRUB_FREE */
    uint64_t member;       /* where the one at hand begins, or what is none */
    bool expanding, bare, member_gave, ended, open;
    z_stream z; /* and what is in the buffer */
    unsigned char *buffer;
};

/* Returns 0 or a negative errno. */
PLOG_MUST_CHECK int plog_scrub_source_open(struct plog_scrub_source *s,
                                           const struct plog_io *io, int dir,
                                           const char *name, bool unpack);
/* @got  out: fewer than `n` only at the end
 * Returns 0; -E2BIG when it comes to too much; another negative errno. */
PLOG_MUST_CHECK int plog_scrub_source_read(struct plog_scrub_source *s, char *p,
                                           size_t n, size_t *got);
PLOG_MUST_CHECK int plog_scrub_source_rewind(struct plog_scrub_source *s);
void plog_scrub_source_close(struct plog_scrub_source *s);

/* ---- Writing (scrub_lines.c) --------------------------------------------- */

struct plog_scrub_file {
    const struct plog_io *io;
    int dir;
    const char *name;
    int scratch_dir;     /* what takes the name is made there, */
    const char *scratch; /* under this one, which is nobody else's, and free */
};

/*
 * Gives a file its lines again, those of targets in their redacted form; packed
 * when it was.  One that has none of them stays untouched.
 * @source  of this file, at its beginning
 * @hits    out: lines that were replaced
 * Returns 0; -E2BIG; -ENOMEM or another negative errno.
 */
PLOG_MUST_CHECK int plog_scrub_rewrite(const struct plog_scrub_file *file,
                                       struct plog_scrub_source *source,
                                       const struct plog_scrub_search *search,
                                       bool loose, uint64_t *hits);

/* The same of a file of lines in log/, of which only the very lines go; its
 * scratch file is `name`.new, as others there. */
PLOG_MUST_CHECK int plog_scrub_lines(const struct plog_io *io, int dir,
                                     const char *name,
                                     const struct plog_scrub_target *t,
                                     size_t count, uint64_t *hits);

#endif
