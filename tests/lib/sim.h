/*
 * sim.h - a machine in memory: the I/O table and SQLite's files over one
 * simulated disk, whose history says what a crash could have left.
 *
 * Both legs write to the same disk, so that their operations stand in one
 * order.  A write is in the cache at once and on the disk when a sync of its
 * file returned 0; a name when one of its directory did.  What lies between is
 * pending: a crash leaves any part of it, in blocks of 512 bytes.  Bytes
 * around a write in the same block stay what they were (SQLite's "powersafe
 * overwrite", which the log assumes, too).
 *
 * One thread and one process: the library's helper thread does no I/O.
 */
#ifndef SIM_H
#define SIM_H

#include "paritylog.h"
#include "sim_image.h"

#define SIM_BLOCK 512

/* ---- History ------------------------------------------------------------ */

enum sim_op_kind {
    SIM_WRITE,
    SIM_RESIZE,
    SIM_LINK, /* a new file or directory gets its name */
    SIM_RENAME,
    SIM_UNLINK,
    SIM_SYNC,
    SIM_SYNC_DIR
};

struct sim_op {
    enum sim_op_kind kind;
    bool failed; /* a sync: what was pending never reaches the disk */
    bool is_dir; /* of a link */
    int node;    /* what it is about; the directory of SIM_SYNC_DIR */
    int dir, to_dir;
    char name[SIM_NAME], to_name[SIM_NAME];
    unsigned char *bytes; /* of a write; owned */
    size_t at, n;         /* n is the size of SIM_RESIZE */
};

struct sim_history {
    struct sim_op *ops;
    size_t count, cap;
};

/* ---- The machine -------------------------------------------------------- */

struct sim_handle;
struct sim_shm;
struct sim_file;

enum sim_fault { SIM_NO_FAULT, SIM_FAIL_SYNC, SIM_FAIL_WRITE };

struct sim {
    struct plog_io io; /* ctx is this struct: it must not move while in use */
    struct sim_image cache; /* what reads see */
    struct sim_history history;
    bool recording;
    uint64_t random; /* state of the machine's random numbers */
    int64_t now_ns;
    /* The fault_at-th sync or write from now on fails with fault_errno. */
    enum sim_fault fault;
    unsigned long fault_at;
    int fault_errno;
    bool faulted;
    /* Private. */
    struct sim_handle *handles;
    int handle_count;
    struct sim_shm *shm;
    struct sim_file *files;
    struct sqlite3_vfs *vfs;
};

/* A machine on a copy of `disk` (NULL: an empty one); the same seed gives the
 * same keys, salts and times. */
void sim_boot(struct sim *s, const struct sim_image *disk, uint64_t seed);
/* Everything of it; handles of the library must be closed. */
void sim_halt(struct sim *s);

/* The name of SQLite's VFS on this machine, for a connection of one's own;
 * registered until sim_halt. */
const char *sim_vfs_name(struct sim *s);

/* Fails the `nth` sync or write from now on, from 1. */
void sim_fail(struct sim *s, enum sim_fault fault, unsigned long nth,
              int errno_value);

/* ---- For sim_io.c and sim_vfs.c ----------------------------------------- */

/* Each changes the cache and, when recording, the history. */
int sim_do_write(struct sim *s, int node, const void *p, size_t n, size_t at);
void sim_do_resize(struct sim *s, int node, size_t size);
int sim_do_create(struct sim *s, int dir, const char *name, bool is_dir);
void sim_do_rename(struct sim *s, int dir, const char *name, int to_dir,
                   const char *to_name);
void sim_do_unlink(struct sim *s, int dir, const char *name);
int sim_do_sync(struct sim *s, int node);
uint64_t sim_random(struct sim *s);
void sim_io_init(struct sim *s);
void sim_vfs_init(struct sim *s);
void sim_vfs_fini(struct sim *s);

/* ---- Crashes ------------------------------------------------------------ */

struct sim_unit { /* at most one block of one operation */
    size_t op;
    size_t at, n; /* of a write */
};

/* A walk along a history: the disk for certain, and what is pending. */
struct sim_walk {
    const struct sim_history *history;
    size_t at; /* operations passed */
    struct sim_image disk;
    struct sim_unit *pending;
    size_t count, cap;
};

void sim_walk_init(struct sim_walk *w, const struct sim_image *start,
                   const struct sim_history *history);
/* Passes one operation.  False at the end. */
bool sim_walk_step(struct sim_walk *w);
void sim_walk_free(struct sim_walk *w);

enum sim_fate { SIM_KEPT, SIM_OLD, SIM_ZERO, SIM_GARBAGE };

/* The disk after a crash here: `fates` has one for each pending unit. */
void sim_walk_crash(const struct sim_walk *w, const unsigned char *fates,
                    uint64_t seed, struct sim_image *out);

/*
 * Calls `each` with the disks that a crash here could leave:
 *   nothing pending; every prefix; each unit alone as old, zeros or garbage
 *   with all others kept; each kept alone; all zeros; all garbage; and of the
 *   other subsets all, when there are at most `exhaustive` units, else `drawn`
 *   ones.  Of more than `most` units so many are drawn for each kind.
 * Stops when `each` is not 0, and returns that.
 */
struct sim_breadth {
    size_t exhaustive, drawn, most;
};
int sim_walk_each(const struct sim_walk *w, const struct sim_breadth *breadth,
                  uint64_t *seed,
                  int (*each)(void *arg, const struct sim_image *disk),
                  void *arg);

#endif
