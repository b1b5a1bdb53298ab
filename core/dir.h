/*
 * dir.h - the directory of a log: its handles, its locks, the names in it.
 *
 *   DIR/log/00000000000000000001.jsonl   segments, by their first seq
 *   DIR/store.db                         the store
 *   DIR/keys/                            keys
 *   DIR/quarantine/                      what could not be used
 *   DIR/archive/, DIR/snapshots/         what was compacted away
 *   DIR/lock                             the writer lock
 *   DIR/queue                            memory that its writers share
 *
 * The file `lock` carries two locks.  The flock is the writer lock itself;
 * whoever waits for it first takes byte 0 (the turnstile), so that a writer
 * that comes back at once cannot overtake those who wait.  Byte 1 is for
 * maintenance (compact, redact, key rotation, salvage), byte 2 for drills, and
 * those from PLOG_SLOT_BYTE on say whose slots are whose (slots.h).
 */
#ifndef PLOG_DIR_H
#define PLOG_DIR_H

#include "slots.h"

#define PLOG_SEGMENT_NAME 27 /* 20 digits, .jsonl, NUL */
#define PLOG_DIR_PATH_MAX 4096

struct plog_dir {
    const struct plog_io *io;
    char path[PLOG_DIR_PATH_MAX]; /* real path */
    int dir, log, keys, lock;     /* handles; -1 when not open; of keys/ then
                                     why not, a negative errno */
    struct plog_stat lock_id;     /* of the lock file when it was opened */
    bool locked;
    bool dry; /* it makes nothing: a lock without a file nobody holds, and it is
                 had without holding it */
    unsigned waits; /* for another process: see wait_for_commit in dir_lock.c */
    int watch;      /* -1: none */
    struct plog_slots slots;
    unsigned join_at;  /* waits, before a slot is claimed */
    bool with_archive; /* segments in archive/ count as if they were in log/ */
    /* Called before anything gets a name in quarantine/, where it may have a
     * payload that an order took out; NULL: nobody has to know. */
    int (*before_aside)(void *arg, struct plog_error *err);
    void *aside_arg;
};

enum plog_dir_mode {
    PLOG_DIR_READ,  /* what is there; the lock file only if it is there */
    PLOG_DIR_STORE, /* the same, and log/ only if it is there */
    PLOG_DIR_WRITE, /* the lock file is made when missing */
    PLOG_DIR_DRY,   /* the same, but nothing is made: see plog_dir.dry */
    PLOG_DIR_PLAN,  /* ... and log/ may be gone where a store is left */
    PLOG_DIR_MAKE   /* directories, too */
};

/*
 * Opens the handles.
 * Returns 0; PLOG_E_NOTHING when there is no directory; as plog_dir_no_log when
 * there is no log/ in it; PLOG_E_IO, also for a directory others may write to,
 * unless `loose`.
 */
PLOG_MUST_CHECK int plog_dir_open(struct plog_dir *d, const struct plog_io *io,
                                  const char *path, enum plog_dir_mode mode,
                                  bool loose, struct plog_error *err);
void plog_dir_close(struct plog_dir *d); /* unlocks; may be called twice */

/*
 * Says that there is no log, and what to do by what else is there.
 * @what  such as `log is missing`
 * Returns PLOG_E_ROLLBACK when there is a store, for then a log is lost;
 * PLOG_E_NOTHING.
 */
int plog_dir_no_log(const struct plog_dir *d, const char *what,
                    struct plog_error *err);
/* Looks for what only a log leaves behind.
 * @name  out: the first of it, or what cannot be looked at; NULL for none
 * Returns 0 or a negative errno. */
PLOG_MUST_CHECK int plog_dir_relic(const struct plog_dir *d, const char **name);

/* Whether a log's directory has a folder, or file, of that name: those that
 * stay, whoever made them. */
#define PLOG_DIR_FOLDERS 6
extern const char *const plog_dir_folders[PLOG_DIR_FOLDERS];
bool plog_dir_among(const char *const *list, size_t n, const char *name);
bool plog_dir_has_folder(const char *name);
bool plog_dir_has_file(const char *name);

/*
 * Takes the writer lock (or a shared one).
 * @wait_seconds  how long to try, as plog_io_until; < 0: once.  With a request
 *                in the own slot longer, while somebody is at it
 * Returns 0; PLOG_E_LOCKED, also when that request is done; PLOG_E_IO.
 */
PLOG_MUST_CHECK int plog_dir_lock(struct plog_dir *d, bool shared,
                                  double wait_seconds, struct plog_error *err);
void plog_dir_unlock(struct plog_dir *d);

/*
 * The maintenance lock (compact, redact, key rotation, salvage): one at a
 * time, beside whoever writes.  Held by this handle until it is given back or
 * closed.
 * Returns 0; PLOG_E_LOCKED; PLOG_E_IO.
 */
PLOG_MUST_CHECK int plog_dir_maintain(struct plog_dir *d, double wait_seconds,
                                      struct plog_error *err);
void plog_dir_maintained(struct plog_dir *d);

/* The lock file has another name, too: all of DIR was copied by hard links,
 * mostly, where no file of it would be taken.  Returns PLOG_E_IO. */
int plog_dir_fail_linked(struct plog_error *err);

/*
 * The same for drills: one at a time, whose copy of the log lies in the
 * directory.  Also had by who replaces lines of the log.
 * Returns 0; PLOG_E_LOCKED; PLOG_E_IO.
 */
PLOG_MUST_CHECK int plog_dir_drill(struct plog_dir *d, double wait_seconds,
                                   struct plog_error *err);
void plog_dir_drilled(struct plog_dir *d);

/* Whether the lock file is still the one with that name.  Returns 0;
 * PLOG_E_LOCKED (another file took its place: open again); PLOG_E_IO, also as
 * plog_dir_fail_linked. */
PLOG_MUST_CHECK int plog_dir_check_lock(const struct plog_dir *d,
                                        struct plog_error *err);

/* Whether two names are one file. */
bool plog_stat_same(const struct plog_stat *a, const struct plog_stat *b);

void plog_segment_name(uint64_t first, char out[PLOG_SEGMENT_NAME]);
/* Relative to the directory: in log/, or in archive/. */
#define PLOG_SEGMENT_FILE 48
void plog_segment_file(uint64_t first, bool archived,
                       char out[PLOG_SEGMENT_FILE]);
/* Returns 0 when `name` is not a segment's. */
uint64_t plog_segment_parse(const char *name);
/* Whether a file of that name in log/ is no segment, nor one in the making. */
bool plog_dir_is_odd(const char *name);

/* First seqs of all segments, ascending.  `out` holds uint64_t.
 * Returns 0; PLOG_E_CORRUPT for a file in log/ that does not belong there
 * (err->file); PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_dir_segments(const struct plog_dir *d,
                                      struct plog_buf *out,
                                      struct plog_error *err);
/* @log_first  out: where log/ begins, among those of archive/; 0: without */
PLOG_MUST_CHECK int plog_dir_segments_of(const struct plog_dir *d,
                                         struct plog_buf *out,
                                         uint64_t *log_first,
                                         struct plog_error *err);
static inline size_t plog_segment_count(const struct plog_buf *list)
{
    return list->len / sizeof(uint64_t);
}
uint64_t plog_segment_at(const struct plog_buf *list, size_t i);
/* Ascending, and each once: one may be in log/ and in archive/. */
void plog_segments_sort(struct plog_buf *list);
/* The last one that begins at or below entry `seq`: it holds that, if any does.
 * The root of `seq` entries can be had from that of `seq` + 1.  0: none. */
uint64_t plog_segment_of(const struct plog_buf *list, uint64_t seq);

/* As plog_fail_io, about the file of segment `first` in log/. */
int plog_fail_segment(struct plog_error *err, int rc, uint64_t first,
                      const char *doing);

/* Opens segment `first`.  @writing: O_RDWR.
 * Returns 0; PLOG_E_CORRUPT when it is missing, not a regular file, or has
 * a second link; PLOG_E_IO. */
PLOG_MUST_CHECK int plog_dir_open_segment(const struct plog_dir *d,
                                          uint64_t first, bool writing, int *fd,
                                          struct plog_stat *id,
                                          struct plog_error *err);

/* The path of store.db for SQLite. */
void plog_dir_store_path(const struct plog_dir *d, char *out, size_t cap);

/*
 * Opens a folder of the directory.
 * @make  when it is missing, too: its name is durable on return
 * Returns 0 with *fd; PLOG_END when there is none; PLOG_E_IO.
 */
PLOG_MUST_CHECK int plog_dir_folder(const struct plog_dir *d, const char *name,
                                    bool make, int *fd, struct plog_error *err);
/*
 * Makes quarantine/ and a new file or folder name in it: `STEM-TIME-N`; all
 * that goes there comes by here, behind d->before_aside.
 * @name  out: relative to the directory, quarantine/...; 128 bytes
 * @fd    out: handle of quarantine/
 */
PLOG_MUST_CHECK int plog_dir_quarantine(const struct plog_dir *d,
                                        const char *stem, char *name, int *fd,
                                        struct plog_error *err);

#endif
