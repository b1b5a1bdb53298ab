/*
 * paritylog.h - the dual log: a signed JSONL log and a SQLite store that
 * follows it.
 *
 * What the library promises: a delta is on disk in the log before the store
 * commits it and before the caller hears of it; nothing acknowledged is lost;
 * the store is a function of the log; every change inside the signed region
 * is found.  What it does not promise: a log signed on this machine proves
 * nothing against whoever holds the key, and nothing on one disk shows that
 * both legs were set back together.  See docs/THREATS.md.
 *
 * A path or SQL text that is NULL is PLOG_E_ARG; any other pointer that is not
 * said to be allowed NULL must not be.
 *
 * Argument order: handle, inputs, outputs, callback and then its data, error
 * last.  A length follows its pointer.  Texts are UTF-8 and, unless said
 * otherwise, borrowed for the call only.
 *
 * Errors: functions return 0 (PLOG_OK) or a negative PLOG_E_ code; a positive
 * value is a documented "none" or "end".  A `struct plog_error *` may be NULL.
 * The error belongs to the caller and not to the handle, because one handle
 * serves many threads.  When a function does not fail, err->code is 0 after it,
 * whatever it was before; when it returns what a callback said, and that is
 * negative, err->code is that.  On failure outputs hold what the comment says,
 * or are untouched.
 *
 * Options: a struct of options, or plog_group, is zero-initialised, and its
 * struct_size set to its sizeof.  No byte behind that size is read; what the
 * struct of an older caller lacks is 0.  A larger one is taken when all that
 * this version does not know is 0 in it, and refused with PLOG_E_ARG when not,
 * as is a size of 0 to 4, or one that is more than 4,096 bytes too large.
 * Where options may be NULL they are all 0.
 *
 * Waiting: `wait_seconds` of any options is how long a call may wait for each
 * lock that it needs; then it returns PLOG_E_LOCKED.  0 is ten seconds, less
 * than 0 and NaN not at all, INFINITY (or more than a clock can count) for
 * ever.  An append that another process has at hand by then is waited for, up
 * to a minute more, and then PLOG_E_INDETERMINATE: that process may log it yet.
 *
 * Threads: a `plog` may be used by any number of threads at once; a
 * `plog_reader` or a `plog_sub` by one thread at a time.  A thread that calls
 * the library needs a stack of 512 KiB (256 KiB where it does not restore,
 * drill or salvage), and what its callbacks take.
 *
 * Processes: close every handle before fork(), or run a program in the child
 * (exec).  In a child that has handles of its parent every call with one of
 * them that can fail does so with PLOG_E_ARG, and so does opening another one:
 * SQLite would believe that it has the parent's locks.  Closing one there frees
 * memory and descriptors; the store stays the parent's.  And nothing else in
 * the process may open and close store.db, be it to copy it or to hash it: with
 * that POSIX takes away all locks that the process has on the file.  The next
 * call that writes notices when that has done harm, and mends it; what was read
 * meanwhile may be of two states.
 */
#ifndef PARITYLOG_H
#define PARITYLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PLOG_API __attribute__((visibility("default")))
#define PLOG_MUST_CHECK __attribute__((warn_unused_result))
#else
#define PLOG_API
#define PLOG_MUST_CHECK
#endif

#define PLOG_VERSION "0.1.0"
#define PLOG_FORMAT 1

/* ---- Limits (docs/FORMAT.md) -------------------------------------------- */

#define PLOG_HASH_SIZE 32
#define PLOG_SIG_SIZE 64
#define PLOG_ORIGIN_MAX 255     /* bytes of an origin */
#define PLOG_VKEY_MAX 320       /* bytes of a verifier key, with its NUL */
#define PLOG_KEYID_TEXT 9       /* eight hex digits and a NUL */
#define PLOG_NAME_MAX 255       /* decoded bytes of id, resource, source */
#define PLOG_RECORD_ID_MAX 4096 /* decoded bytes of record_id */
#define PLOG_LINE_DEFAULT (1u << 20)
#define PLOG_LINE_MAX (16u << 20)
#define PLOG_LINE_MIN 1024u
#define PLOG_LINE_SLACK (64u << 10) /* a log line may be so much longer */
#define PLOG_DEPTH_MAX 64 /* open brackets, the delta being the first */
/* Bytes of one group: those of each delta without white space between tokens,
 * and of each cursor, and 512 more for each, which what its line adds fits
 * into: so never more than 131,071 deltas. */
#define PLOG_GROUP_MAX (64u << 20)
#define PLOG_KEYS_MAX 64 /* keys of one log; trusted keys in one keys/ */
#define PLOG_SEGMENT_DEFAULT (16u << 20)
#define PLOG_SEGMENT_MIN 4096u
#define PLOG_SEGMENT_MAX (1ull << 40)
/* Bytes of the absolute path, links followed, of a directory that plog_init
 * makes: PLOG_E_ARG when it is longer.  SQLite opens no store in one of more
 * than 495: PLOG_E_IO, wherever the directory was moved to later.  The rest is
 * for what is made inside. */
#define PLOG_DIR_MAX 448
#define PLOG_CHECKPOINT_MAX 1024 /* bytes of a signed note, with its NUL */

/* ---- Errors and verdicts ------------------------------------------------ */

/*
 * X(name, value, exit status of the command, word, sentence)
 * Verdicts of verify and parity are the same codes: what a check finds and
 * what a call refuses for are one vocabulary.
 */
#define PLOG_CODES(X)                                                          \
    X(OK, 0, 0, "CLEAN", "done and clean")                                     \
    X(E_IO, -1, 1, "IO", "an input or output operation failed")                \
    X(E_NOMEM, -2, 1, "NOMEM", "out of memory")                                \
    X(E_INDETERMINATE, -3, 1, "INDETERMINATE",                                 \
      "the outcome is unknown until the directory is opened again")            \
    X(E_POISONED, -4, 1, "POISONED",                                           \
      "an earlier write or sync failed; this handle only reads")               \
    X(E_ARG, -5, 2, "USAGE", "the call or command line is wrong")              \
    X(E_BEHIND, -6, 3, "BEHIND", "the store is behind the log")                \
    X(E_AHEAD, -7, 3, "AHEAD", "the store holds rows that the log lacks")      \
    X(E_DIVERGED, -8, 3, "DIVERGED", "log and store hold different content")   \
    X(E_TORN, -9, 4, "TORN", "the log ends in an unfinished group")            \
    X(E_CORRUPT, -10, 5, "CORRUPT", "the log is damaged")                      \
    X(E_TAMPERED, -11, 5, "TAMPERED", "content does not match its signature")  \
    X(E_ROLLBACK, -12, 5, "ROLLBACK",                                          \
      "a signed head lies above the log's end")                                \
    X(E_FORK, -13, 5, "FORK", "two signed histories of one log")               \
    X(E_FOREIGN, -14, 5, "FOREIGN", "this belongs to another log")             \
    X(E_INPUT, -15, 6, "INPUT", "the input was refused")                       \
    X(E_CONFLICT, -16, 6, "CONFLICT", "this id is taken by other content")     \
    X(E_POLICY, -17, 6, "POLICY", "the policy refused the delta")              \
    X(E_EXISTS, -18, 6, "EXISTS", "something is there already")                \
    X(E_SQL, -19, 6, "SQL", "the statement was refused")                       \
    X(E_PRUNED, -20, 7, "PRUNED", "this part of the log was compacted away")   \
    X(E_NOT_FOUND, -21, 8, "NOT_FOUND", "no such record or entry")             \
    X(E_FORMAT, -22, 9, "UNSUPPORTED_FORMAT", "a newer format")                \
    X(E_NOTHING, -23, 10, "NOTHING", "there is no log here")                   \
    X(E_LOCKED, -24, 11, "LOCKED", "another process holds the lock")           \
    X(E_KEY, -25, 12, "KEY", "no usable signing key")                          \
    X(E_UNKNOWN_KEY, -26, 12, "UNKNOWN_KEY",                                   \
      "signed by a key not trusted here")                                      \
    X(E_INTERRUPTED, -27, 130, "INTERRUPTED", "interrupted")                   \
    X(E_HOOK, -28, 6, "HOOK", "the caller's hook refused the group")           \
    X(E_MISMATCH, -29, 3, "MISMATCH", "the entry differs from the logged one")

enum plog_code {
#define PLOG_CODE_ENUM(name, value, status, word, text) PLOG_##name = (value),
    PLOG_CODES(PLOG_CODE_ENUM)
#undef PLOG_CODE_ENUM
};

/* Documented positive returns: not errors. */
#define PLOG_END 1     /* nothing more */
#define PLOG_TIMEOUT 2 /* nothing within the time given */

/* What went wrong, where, and what to do.  All texts end in NUL and never
 * hold a payload.  Zero-initialise before use. */
struct plog_error {
    int code;          /* PLOG_E_... */
    char message[512]; /* what was expected and what was found */
    char hint[256];    /* the next step; never a destructive command */
    char file[256];    /* relative to the directory; "" when none */
    char member[80];   /* the member of the line at fault; "" when none */
    uint64_t line;     /* from 1; 0 when none */
    uint64_t offset;   /* byte offset, when has_offset */
    uint64_t seq;      /* 0 when none */
    bool has_offset;
    bool has_index;
    /* Which delta of the call, from 0, when has_index; its cursors count on
     * behind its deltas. */
    uint64_t index;
};

/* Returns the sentence of `code`; never NULL. */
PLOG_API const char *plog_strerror(int code);

/* Returns the next step of a hint as findings have it: without its `run: `. */
PLOG_API const char *plog_hint_step(const char *hint);

/* Returns the word of `code` (CLEAN, BEHIND, ...); never NULL. */
PLOG_API const char *plog_code_word(int code);

/* Returns the exit status that the command contract gives `code`. */
PLOG_API int plog_exit_status(int code);

/* ---- The I/O table ------------------------------------------------------ */

struct plog_stat {
    uint64_t device, inode, size, links;
    uint32_t mode; /* as st_mode */
    uint32_t owner;
};

/* What the store's file layer did, for tests that watch or fail it. */
enum plog_store_op {
    PLOG_STORE_OPEN,
    PLOG_STORE_READ,
    PLOG_STORE_WRITE,
    PLOG_STORE_SYNC,
    PLOG_STORE_TRUNCATE,
    PLOG_STORE_DELETE
};
enum plog_store_file {
    PLOG_STORE_MAIN,
    PLOG_STORE_WAL,
    PLOG_STORE_JOURNAL,
    PLOG_STORE_TEMP
};
struct plog_store_event {
    enum plog_store_op op;
    enum plog_store_file file;
    const void *data; /* what is written; NULL for other operations */
    uint64_t offset, length;
    bool done;  /* false: about to happen (a non-zero return fails it) */
    int result; /* SQLite's code, when done */
};

struct plog_fs {
    uint64_t type;       /* as statfs(2) has it */
    uint64_t free_bytes; /* for who is not root */
};

struct sqlite3_vfs; /* SQLite's own */
struct sqlite3;

/*
 * Every system call, the clock, randomness and memory of the library go
 * through one of these.  Functions return >= 0, or a negative errno value.
 * `ctx` is passed through.  File handles are >= 3 and close on exec.
 * All of it is called, whatever struct_size says: a table is built with the
 * header of the library that it is given to.
 * A table of the caller's own is called by the threads that call the library,
 * several at once when several do, and besides by one of the library's own:
 * that which plog_submit starts, all of it, until plog_close; and with
 * plog_check_options.threads of 2 or more that which reads ahead, `pread`
 * alone. With that of plog_io_posix the library may use more threads.
 */
struct plog_io {
    uint32_t struct_size; /* sizeof(struct plog_io) */
    void *ctx;
    /* `dir` is a handle or AT_FDCWD; `flags` are those of open(2), to which
     * O_CLOEXEC and O_NOFOLLOW are added. */
    int (*open_at)(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode);
    int (*close)(void *ctx, int fd);
    int64_t (*pread)(void *ctx, int fd, void *buf, size_t n, uint64_t offset);
    int64_t (*pwrite)(void *ctx, int fd, const void *buf, size_t n,
                      uint64_t offset);
    int (*fdatasync)(void *ctx, int fd);
    int (*fsync)(void *ctx, int fd);
    int (*truncate)(void *ctx, int fd, uint64_t size);
    int (*stat)(void *ctx, int fd, struct plog_stat *out);
    int (*stat_at)(void *ctx, int dir, const char *name,
                   struct plog_stat *out); /* does not follow links */
    /* Fails with -EEXIST when the new name is taken and `replace` is false. */
    int (*rename_at)(void *ctx, int old_dir, const char *old_name, int new_dir,
                     const char *new_name, bool replace);
    int (*unlink_at)(void *ctx, int dir, const char *name);
    int (*mkdir_at)(void *ctx, int dir, const char *name, uint32_t mode);
    int (*rmdir_at)(void *ctx, int dir, const char *name);
    /* Calls `each` with every name but . and ..; stops when it is not 0. */
    int (*list)(void *ctx, int dir, int (*each)(void *arg, const char *name),
                void *arg);
    /* Whole-file lock (flock), never waiting: -EAGAIN when held.
     * `mode`: 0 unlock, 1 shared, 2 exclusive. */
    int (*lock)(void *ctx, int fd, int mode);
    /* Byte-range lock of this open file (OFD), exclusive or unlock, as above.
     */
    int (*lock_byte)(void *ctx, int fd, uint64_t byte, int mode);
    int64_t (*clock_real_ns)(void *ctx); /* since 1970 */
    int64_t (*clock_mono_ns)(void *ctx);
    void (*sleep_ns)(void *ctx, int64_t ns);
    int (*random)(void *ctx, void *buf, size_t n);
    int64_t (*process_id)(void *ctx);
    /* Absolute path without links, into `out` of `cap` bytes with NUL. */
    int (*real_path)(void *ctx, const char *path, char *out, size_t cap);
    /* realloc(3); `n` 0 frees and returns NULL. */
    void *(*alloc)(void *ctx, void *p, size_t n);
    /* The file layer below SQLite; NULL: SQLite's default one. */
    struct sqlite3_vfs *vfs_base;
    /* Told of every store operation before and after; may be NULL. */
    int (*store_event)(void *ctx, const struct plog_store_event *event);
    /* The file system that the handle is on; may be NULL: nobody knows. */
    int (*file_system)(void *ctx, int fd, struct plog_fs *out);
    /* Begins to bring what was written in a range to the disk, and waits for
     * nothing: a hint that promises nothing.  May be NULL. */
    void (*write_back)(void *ctx, int fd, uint64_t offset, uint64_t n);
    /* Waits, for `ns` at most, until some process has written to a file in the
     * directory `path` since the last call.  `*watch` is a handle for that, to
     * be closed; the call that finds -1 there makes it, and waits for nothing.
     * Returns 1 when somebody has written, 0, or -errno.  May be NULL. */
    int (*wait_change)(void *ctx, int *watch, const char *path, int64_t ns);
};

/* The real thing.  Constant for the life of the process. */
PLOG_API const struct plog_io *plog_io_posix(void);

/* ---- Words -------------------------------------------------------------- */

struct plog_span {
    const char *p;
    size_t n;
};

enum plog_strategy {
    PLOG_LAST_WRITE_WINS, /* default: the newer occurred_at */
    PLOG_ARRIVAL,         /* always applies */
    PLOG_HIGHEST_CONFIDENCE,
    PLOG_KEEP_LOCAL, /* only if absent */
    PLOG_MERGE_JSON,
    PLOG_CUSTOM /* a callback decides; its answer is logged */
};
#define PLOG_STRATEGIES 6

/* Returns the name (last-write-wins, arrival, ...); NULL for no strategy. */
PLOG_API const char *plog_strategy_name(enum plog_strategy s);
/* Finds the strategy called `name`.  Returns 0, or PLOG_E_ARG. */
PLOG_API int plog_strategy_parse(const char *name, enum plog_strategy *out);

struct plog_receipt {
    uint64_t seq;
    uint64_t size; /* of the tree that the commit signs */
    unsigned char leaf[PLOG_HASH_SIZE];
    unsigned char root[PLOG_HASH_SIZE];
    unsigned char sig[PLOG_SIG_SIZE];
    /* Same id, same content: seq, leaf and `skipped` are those of the first
     * time, and size, root and sig those of the commit that closed its group.
     * Of an entry that was compacted away seq and leaf are all that is kept:
     * the commit is that at the floor, which signs the entry, too, and
     * `skipped` is false. */
    bool duplicate;
    bool skipped; /* logged, but it lost to what is there */
    bool warned;  /* the policy let it pass with a warning; never of a
                     duplicate, for the log does not hold it */
};

struct plog_head {
    uint64_t size;
    unsigned char root[PLOG_HASH_SIZE];
    unsigned char sig[PLOG_SIG_SIZE];
    char key[PLOG_KEYID_TEXT];
};

/* A record as it stands; spans live until the next call on the same handle. */
struct plog_record {
    struct plog_span resource, record_id; /* decoded */
    struct plog_span payload;             /* JSON text; n == 0: tombstone */
    struct plog_span source;              /* decoded */
    struct plog_span occurred_at;         /* as written, without quotes */
    double confidence;
    uint64_t version; /* applied deltas since the beginning */
    uint64_t seq;     /* of the delta that it stands on */
};

/* A delta as the policy and a custom strategy see it. */
struct plog_delta_view {
    struct plog_span id, resource, record_id, source; /* decoded */
    bool is_delete;
    struct plog_span payload;     /* compact JSON text, null for a delete */
    struct plog_span meta;        /* n == 0: none */
    struct plog_span occurred_at; /* as written, without quotes */
    double confidence;
};

enum plog_policy_answer {
    PLOG_ALLOW,
    PLOG_WARN,       /* written; the receipt says so */
    PLOG_QUARANTINE, /* refused, to be kept aside by the caller */
    PLOG_REJECT
};

/* ---- Options ------------------------------------------------------------ */

enum plog_ack {
    PLOG_ACK_STORE, /* both legs have the deltas: readers see them */
    /* The log has them, durable, and the store follows within the same group:
     * sooner, but a reader may not see yet what was acknowledged.  Requests
     * with a hook, and control entries, are told as above. */
    PLOG_ACK_LOG
};

struct plog_options {
    uint32_t struct_size; /* sizeof(struct plog_options) */
    /* NULL: plog_io_posix().  Not copied: it outlives what is opened with it,
     * a handle, a reader or a subscription, and so do the callbacks' args. */
    const struct plog_io *io;
    double wait_seconds; /* for the writer lock; see "Waiting" above */
    /* Secret for a signing key kept under a passphrase; NULL: none. */
    const char *passphrase;
    /* Verifier key to pin, or NULL: those in keys/ are trusted. */
    const char *vkey;
    /* Asked for each delta, on the caller's thread, also in plog_submit, and by
     * several threads at once when several append; before anything is
     * written.  `reason` takes at most `reason_cap` bytes with NUL. */
    enum plog_policy_answer (*policy)(void *arg,
                                      const struct plog_delta_view *delta,
                                      char *reason, size_t reason_cap);
    void *policy_arg;
    /* Strategy `custom`: decides whether the delta applies.  `current` is
     * NULL when the record is absent.  To replace the payload, set `*merged`
     * to a compact JSON object (no white space outside strings) that lives
     * until the next call.  Returns 1 (or more) applied,
     * 0 skipped, < 0 to refuse the request, with PLOG_E_INPUT.  `*merged` is
     * looked at only for an upsert that is applied.  Runs under the writer lock
     * and must not call into the same handle.
     * Like `replayed` and plog_group.hook, which may not either, on the thread
     * that writes at this moment: one at a time, but any that is inside a call
     * of this handle, for the groups of all, or the handle's own (plog_submit).
     */
    int (*custom)(void *arg, const struct plog_record *current,
                  const struct plog_delta_view *delta,
                  struct plog_span *merged);
    void *custom_arg;
    /* Told, in order and inside the transaction, of every entry that this
     * handle takes out of the log into the store: at opening, in
     * plog_catch_up and plog_apply_logged, and in any later call that takes the
     * writer lock and finds the store behind, such as the plog_append after
     * one that was PLOG_E_INDETERMINATE.  When that transaction fails it is
     * told of them again.
     * Told of nothing else: not of what is appended, here or elsewhere; nor of
     * what any other handle, process or function brought into the store before
     * (plog_peer_add, plog_replay, ...); nor of a store that is made anew.  So
     * it alone does not keep a caller's own tables whole: see plog_group.hook,
     * whose rules hold here, too, though nobody enforces them.
     * Not 0: the replay stops with PLOG_E_HOOK. */
    int (*replayed)(void *arg, struct sqlite3 *db, uint64_t seq,
                    const char *line, size_t len);
    void *replayed_arg;
    /* Opens although the store is behind and leaves it so: appends are
     * refused with PLOG_E_BEHIND until plog_apply_logged or plog_catch_up
     * brought it to the log's end. */
    bool leave_behind;
    /* Lets a directory that others may write to pass, where these options are
     * given: readers and checks never look.  What writes with options of its
     * own (plog_key_rotate, plog_redact, plog_compact, plog_peer_add,
     * plog_replay, plog_salvage, ...) has no such field and refuses with
     * PLOG_E_IO; take the right away first: chmod go-w. */
    bool allow_loose_modes;
    /* Writes on a network file system, where SQLite's WAL is not safe; so does
     * an empty file DIR/allow-network-fs.  Else that is PLOG_E_IO. */
    bool allow_network_fs;
    /* When callers are told. */
    enum plog_ack ack;
};

struct plog_init_options {
    uint32_t struct_size;
    const struct plog_io *io;
    const char *origin; /* NULL: plog- and a UUIDv7 */
    enum plog_strategy strategy;
    uint64_t segment_size_bytes; /* 0: PLOG_SEGMENT_DEFAULT; MIN to MAX */
    uint64_t line_max_bytes;     /* 0: PLOG_LINE_DEFAULT; MIN to MAX */
    const char *passphrase;      /* NULL: the key file is not encrypted */
    double wait_seconds;
    bool allow_network_fs; /* as in plog_options; it is not kept */
};

/* The current verifier key of the log in `dir`, from keys/ and checked
 * against the first header.
 * @vkey  out, at least PLOG_VKEY_MAX bytes
 * Returns 0; PLOG_E_NOTHING; PLOG_E_UNKNOWN_KEY when keys/ has none for this
 * log; PLOG_E_IO. */
PLOG_API PLOG_MUST_CHECK int plog_key_show(const char *dir,
                                           const struct plog_options *options,
                                           char *vkey, struct plog_error *err);

struct plog_rotate_options {
    uint32_t struct_size;
    const struct plog_io *io;
    double wait_seconds;        /* for each of the two locks */
    const char *passphrase;     /* of the old key file; NULL: none */
    const char *new_passphrase; /* of the new one; NULL: as the old */
    const char *vkey;           /* pin */
    bool dry_run;               /* looks, and changes nothing */
};
struct plog_rotate_report {
    char old_vkey[PLOG_VKEY_MAX];
    char new_vkey[PLOG_VKEY_MAX]; /* "" after a dry run */
    uint64_t size;                /* of the last commit by the old key */
    unsigned keys;                /* that the log has had then */
};

/*
 * Goes over to a new signing key: keys/signing.key.new is written; a rotate
 * entry, signed by both keys, is logged as a group of its own, the last that
 * the old key signs; the old secret is overwritten and replaced.  Handles that
 * are open in other processes take the new key when they write next, unless
 * it is under a passphrase: then they refuse with PLOG_E_KEY.
 * Returns 0: all of it is on disk.  PLOG_E_LOCKED while other maintenance is
 * under way; PLOG_E_ARG when the log has had PLOG_KEYS_MAX keys, or keys/ holds
 * as many; PLOG_E_INDETERMINATE: the next opening finishes or undoes it; as
 * plog_open.
 */
PLOG_API PLOG_MUST_CHECK int
plog_key_rotate(const char *dir, const struct plog_rotate_options *options,
                struct plog_rotate_report *report, struct plog_error *err);

/*
 * Adds a verifier key to those that DIR trusts, as keys/HEX8.vkey (0644).
 * The key may have any name: that of the log, or of a peer.  A folder keys/
 * that is gone is made (0700).
 * @added  out: false when it was there already
 * Returns 0; PLOG_E_INPUT when it is not a verifier key; PLOG_E_EXISTS when
 * another key has this id, in keys/ or in the log; PLOG_E_ARG when keys/ is
 * full; PLOG_E_KEY when keys/ is no folder; PLOG_E_NOTHING; PLOG_E_IO.
 */
PLOG_API PLOG_MUST_CHECK int plog_key_trust(const char *dir, const char *vkey,
                                            bool dry_run,
                                            const struct plog_options *options,
                                            bool *added,
                                            struct plog_error *err);

/* One key of a log, or a trusted one. */
struct plog_key_info {
    char vkey[PLOG_VKEY_MAX];
    char id[PLOG_KEYID_TEXT];
    bool in_log;       /* one of the log's own */
    uint64_t from, to; /* sizes it signs; to 0: in force */
    bool current;
    bool trusted; /* in keys/ */
    bool secret;  /* keys/signing.key is this one */
};
/* Gives the keys of the log in their order, then the other trusted ones.
 * Reads the store; without one the whole log.
 * @each  not 0 stops and is returned
 * Returns 0; PLOG_E_NOTHING; PLOG_E_UNKNOWN_KEY; a verdict; PLOG_E_IO. */
PLOG_API PLOG_MUST_CHECK int
plog_key_list(const char *dir, const struct plog_options *options,
              int (*each)(void *arg, const struct plog_key_info *key),
              void *arg, struct plog_error *err);

/* ---- Writing ------------------------------------------------------------ */

typedef struct plog plog;

/*
 * Makes an empty log, store and key in directory `dir` (created, 0700, when
 * missing; its parent must exist).  Finishes an earlier init of the same
 * origin that was cut off.
 * @dir      path of the directory
 * @options  may be NULL
 * @vkey     out: the verifier key, at least PLOG_VKEY_MAX bytes
 * Returns 0; PLOG_E_EXISTS when a log or store is there; PLOG_E_INPUT in
 * the folders (log/, keys/, ...) of another; PLOG_E_ARG for an origin, number
 * or path (PLOG_DIR_MAX) out of range; PLOG_E_LOCKED; PLOG_E_IO; PLOG_E_NOMEM.
 * On return 0 log, store, key and all directories are on disk.
 */
PLOG_API PLOG_MUST_CHECK int plog_init(const char *dir,
                                       const struct plog_init_options *options,
                                       char *vkey, struct plog_error *err);

/*
 * Opens `dir` for appending: checks the head, and when the last process did
 * not finish, sets a torn tail aside and replays what the store lacks.
 * @out  the handle, to be closed with plog_close; NULL on failure
 * Returns 0; PLOG_E_NOTHING; PLOG_E_BEHIND when there is a log but no store;
 * PLOG_E_KEY without a usable signing key, or keys/; PLOG_E_LOCKED; and every
 * verdict that forbids writing (CORRUPT, TAMPERED, ROLLBACK, FORK, FOREIGN,
 * AHEAD, DIVERGED, PRUNED, UNKNOWN_KEY, UNSUPPORTED_FORMAT), in which case
 * nothing was changed.
 */
PLOG_API PLOG_MUST_CHECK int plog_open(plog **out, const char *dir,
                                       const struct plog_options *options,
                                       struct plog_error *err);

/* Closes `p`, trims the padding of the last segment and frees the handle.
 * Other threads must be done with it.  Trimming takes the writer lock: while
 * another process holds that, this waits for up to wait_seconds, and then
 * leaves the padding, which harms nothing.  NULL is allowed. */
PLOG_API void plog_close(plog *p);

/*
 * Appends one delta as JSON text.
 * @delta    one JSON object (docs/FORMAT.md, "Input"), without a line end
 * @len      its bytes
 * @receipt  out, may be NULL; on failure all zero, or untouched
 * Returns 0: the delta is on disk in the log and committed in the store.
 * PLOG_E_INPUT, PLOG_E_CONFLICT, PLOG_E_POLICY: refused, nothing written.
 * PLOG_E_LOCKED: nothing written.  PLOG_E_IO: nothing written, the handle
 * lives.  PLOG_E_INDETERMINATE: it may appear yet: at any moment, when another
 * process has it at hand, or after the next opening; append again with the same
 * ids.  PLOG_E_POISONED: nothing written.  Or a verdict, as plog_open.
 * Any thread; concurrent calls, those of other processes too, share one sync.
 */
PLOG_API PLOG_MUST_CHECK int plog_append(plog *p, const char *delta, size_t len,
                                         struct plog_receipt *receipt,
                                         struct plog_error *err);

struct plog_ticket; /* of plog_submit */

/* A source cursor that moves in the same group as its data. */
struct plog_cursor {
    struct plog_span source;   /* 1..PLOG_NAME_MAX bytes */
    struct plog_span resource; /* 1..PLOG_NAME_MAX bytes, or "*" for all */
    struct plog_span cursor;   /* opaque, at most 4,096 bytes */
};

/* What goes into a group beside the deltas.  Zero-initialise. */
struct plog_group {
    uint32_t struct_size;
    const struct plog_span *deltas; /* `delta_count` JSON texts */
    size_t delta_count;
    const struct plog_cursor *cursors;
    size_t cursor_count;
    /* Runs inside the store's transaction after the deltas were applied and
     * before anything is logged, with the seq of each delta (of a repeat that
     * of the first time), so that the caller's own tables commit together with
     * them.  Not called for a group of repeats alone, which is not logged.  It
     * may read all of the store, and not change our tables, attach, set a
     * pragma (those that only tell are allowed), make a savepoint, or end the
     * transaction; its own tables are outside parity.  They may be virtual ones
     * (FTS5, R*Tree).  It cannot make a trigger: triggers are off here, so one
     * that another program made on such a table does not fire, and foreign
     * keys are not enforced.
     * Not 0: the request is refused with PLOG_E_HOOK, and so is one whose SQL
     * ended the transaction (INSERT OR ROLLBACK); other threads' groups that
     * shared that are refused with PLOG_E_LOCKED then: send them again.
     * What it wrote is lost, and the deltas are not, when the process dies
     * between the log's sync and the store's commit, or this is
     * PLOG_E_INDETERMINATE, or the store is made anew from the log.  A hook
     * that goes by its own mark, kept in a table of its own, and not by
     * `seqs`, makes that good: it takes from `events` (docs/FORMAT.md, section
     * 9) all that stands above the mark, then moves it.  README.md, "In a
     * program", has one.  What lies above the mark before the next group, a
     * reader finds with plog_reader_log. */
    int (*hook)(void *arg, struct sqlite3 *db, const uint64_t *seqs,
                size_t count);
    void *hook_arg;
};

/*
 * A dry run of plog_open, and of plog_append_group where `group` is not NULL:
 * whether the log could be written to, with that key, and the group is one that
 * can be logged, as far as that does not depend on other entries: whether an
 * id is there already, be it in the group, what a merge comes to, and whether
 * the strategy in force needs a callback are not looked for, and the hook is
 * not called; the policy is asked.  Changes no byte.
 * Returns as those two.
 */
PLOG_API PLOG_MUST_CHECK int plog_rehearse(const char *dir,
                                           const struct plog_options *options,
                                           const struct plog_group *group,
                                           struct plog_error *err);

/*
 * Appends several deltas as one group: all become durable, or none.
 * @receipts  out, `delta_count` of them, may be NULL; on failure as above
 * Returns as plog_append; err->index names the delta at fault.  PLOG_E_ARG for
 * a group without deltas and cursors.
 * A repeat of an id inside the group counts as twice in a row.
 */
PLOG_API PLOG_MUST_CHECK int plog_append_group(plog *p,
                                               const struct plog_group *group,
                                               struct plog_receipt *receipts,
                                               struct plog_error *err);

/*
 * Hands over a group and goes on: many may be in flight, and share a sync.
 * Checked and copied on the caller's thread; written by a thread of the
 * handle's own, which the first call starts (if none can be started, the call
 * writes by itself); so that thread calls the I/O table, hooks and `custom`.
 * Groups of one thread are logged in their order.  Waits while 64 MiB or 65,536
 * groups are queued.
 * @group  as of plog_append_group; free again on return, but for hook_arg
 * @out    the ticket for plog_wait, which must follow before plog_close; NULL
 *         on failure
 * Returns 0: queued, and nothing is durable yet.  PLOG_E_INPUT, PLOG_E_POLICY,
 * PLOG_E_NOMEM, PLOG_E_ARG: refused, nothing queued.
 * Any thread.
 */
PLOG_API PLOG_MUST_CHECK int plog_submit(plog *p,
                                         const struct plog_group *group,
                                         struct plog_ticket **out,
                                         struct plog_error *err);

/*
 * Waits until a submitted group is done, and frees the ticket, however it went.
 * @receipts  out, one a delta, may be NULL; on failure as above
 * Returns as plog_append_group; PLOG_E_ARG in a child that was forked later,
 * where the ticket stays as it is: only the parent can tell how far it got.
 * Any thread, one for each ticket.
 */
PLOG_API PLOG_MUST_CHECK int plog_wait(struct plog_ticket *ticket,
                                       struct plog_receipt *receipts,
                                       struct plog_error *err);

/* Changes the strategy, from the next entry on, by a control entry.  With
 * PLOG_CUSTOM every handle needs plog_options.custom from then on; one without
 * refuses deltas with PLOG_E_INPUT.
 * Returns as plog_append. */
PLOG_API PLOG_MUST_CHECK int plog_set_strategy(plog *p, enum plog_strategy s,
                                               struct plog_receipt *receipt,
                                               struct plog_error *err);

/* What plog_apply_logged found. */
#define PLOG_PRESENT 1

/*
 * Applies the group of one entry that is already in the log to the store.
 * @line  the exact bytes of the entry line, without LF
 * Returns 0 when the store lacked it and holds it now; PLOG_PRESENT when it
 * held it, byte for byte; PLOG_E_MISMATCH when log or store hold other bytes
 * at its seq; PLOG_E_PRUNED when the store held it and its events up to there
 * were taken away; PLOG_E_NOT_FOUND when the log has no such seq;
 * PLOG_E_BEHIND when entries before its group are missing in the store;
 * PLOG_E_INPUT when it is no entry line, PLOG_E_FORMAT when it has a member
 * that this version does not know; or as plog_catch_up.
 * Durable on return 0 as any replayed entry: the log is its guarantee.
 */
PLOG_API PLOG_MUST_CHECK int plog_apply_logged(plog *p, const char *line,
                                               size_t len,
                                               struct plog_error *err);

/* Replays all that the store lacks, after plog_options.leave_behind.
 * Returns 0, or as plog_open. */
PLOG_API PLOG_MUST_CHECK int plog_catch_up(plog *p, struct plog_error *err);

/*
 * Ends the last segment and makes the next one, of a header alone, so that the
 * one before is sealed: it never changes again but by redaction, and it may be
 * compacted away.  Nothing is done while the last one holds no group.
 * @first  out: seq of the next entry, which names the last segment
 * Returns 0: durable in the log; PLOG_PRESENT when there was nothing to do; as
 * plog_append, PLOG_E_BEHIND with leave_behind.  Any thread.
 */
PLOG_API PLOG_MUST_CHECK int plog_new_segment(plog *p, uint64_t *first,
                                              struct plog_error *err);

/*
 * The head committed in the store when the call began.  Takes the writer lock
 * for a moment, as an append does, and mends what another process left, so that
 * it is the log's, too; plog_reader_head takes none.
 * Returns 0; PLOG_E_LOCKED; a verdict, as plog_open; PLOG_E_IO; PLOG_E_NOMEM.
 * With leave_behind it is the store's own head; of a poisoned handle the one
 * that the store holds, read without the lock.  Any thread.
 */
PLOG_API PLOG_MUST_CHECK int plog_get_head(plog *p, struct plog_head *out,
                                           struct plog_error *err);

/* ---- Reading ------------------------------------------------------------ */

/*
 * A reader does one thing at a time.  Where one of its functions calls back
 * (history, log, cursors, query), or asks `stop`, any other call with the same
 * reader returns PLOG_E_ARG, and the one that is under way is not disturbed;
 * nor may the reader be closed there.  Open a second one for that.
 */
typedef struct plog_reader plog_reader;

/*
 * Opens `dir` for reading only; changes no byte of log, store or keys.
 * Returns 0; PLOG_E_NOTHING; PLOG_E_BEHIND when there is no store;
 * PLOG_E_LOCKED while a new one is put in its place; PLOG_E_DIVERGED when it is
 * not one of ours; PLOG_E_FOREIGN when it is that of another log, also from a
 * later call that finds another file there; PLOG_E_IO.
 */
PLOG_API PLOG_MUST_CHECK int
plog_reader_open(plog_reader **out, const char *dir,
                 const struct plog_options *options, struct plog_error *err);
PLOG_API void plog_reader_close(plog_reader *r);

/* The log's name; lives as long as the reader. */
PLOG_API const char *plog_reader_origin(const plog_reader *r);

/* The head that the store stands at now. */
PLOG_API PLOG_MUST_CHECK int
plog_reader_head(plog_reader *r, struct plog_head *out, struct plog_error *err);

/* Finds one record.  Returns 0; PLOG_E_NOT_FOUND for none or a tombstone
 * (then out->version says which: 0 none). */
PLOG_API PLOG_MUST_CHECK int plog_reader_get(plog_reader *r,
                                             struct plog_span resource,
                                             struct plog_span record_id,
                                             struct plog_record *out,
                                             struct plog_error *err);

/* Gives one entry line without LF, which lives until it returns; not 0 stops
 * and is returned.  Not to be used in it: the reader. */
typedef int plog_line_fn(void *arg, uint64_t seq, const char *line, size_t len);

/* The exact entry lines of one record, oldest first, losers included.
 * Returns 0; PLOG_E_NOT_FOUND when there never was one; PLOG_E_PRUNED. */
PLOG_API PLOG_MUST_CHECK int plog_reader_history(plog_reader *r,
                                                 struct plog_span resource,
                                                 struct plog_span record_id,
                                                 plog_line_fn *each, void *arg,
                                                 struct plog_error *err);

/* The entry lines from `from` (0: the first that is left) to `to` (0: the
 * head), read from the log, up to the head committed in the store; none when
 * `from` lies above `to`.  Returns 0; PLOG_E_PRUNED;
 * PLOG_E_NOT_FOUND when `from` lies above the head; a verdict on damage. */
PLOG_API PLOG_MUST_CHECK int plog_reader_log(plog_reader *r, uint64_t from,
                                             uint64_t to, plog_line_fn *each,
                                             void *arg, struct plog_error *err);

/* The cursor of (source, resource).  Returns 0; PLOG_E_NOT_FOUND when none
 * was set.  `*out` lives until the next call. */
PLOG_API PLOG_MUST_CHECK int plog_reader_cursor(plog_reader *r,
                                                struct plog_span source,
                                                struct plog_span resource,
                                                struct plog_span *out,
                                                struct plog_error *err);

/* Gives every source cursor, by source and resource, with the entry that set
 * it; from one state of the store.
 * @each  not 0 stops and is returned; does not use the reader
 * Returns 0; PLOG_E_DIVERGED; PLOG_E_IO. */
PLOG_API PLOG_MUST_CHECK int plog_reader_cursors(
    plog_reader *r,
    int (*each)(void *arg, const struct plog_cursor *cursor, uint64_t seq),
    void *arg, struct plog_error *err);

/* Gives one row of a query: `count` names and values.  A value whose `p` is
 * NULL is SQL NULL, and no other is; `types` are SQLite's fundamental type
 * numbers.  A REAL is a text of at most 17 digits that reads back as the same
 * double, in any locale with a point: 1.0, 0.30000000000000004, 1.0e+300, Inf.
 */
struct plog_row {
    int count;
    const char *const *names;
    const struct plog_span *values;
    const int *types;
};
/* Runs one SQL statement that only reads; enforced by SQLite's authorizer,
 * not by looking at the text.  A caller's own tables may be read, virtual ones
 * (FTS5, R*Tree), too, and pragmas that only tell.  Returns 0; PLOG_E_SQL when
 * it would write, attach, load or is not one statement; PLOG_E_INTERRUPTED.
 * With no rows `each` is called once with values NULL, to give the names; it
 * does not use the reader. */
PLOG_API PLOG_MUST_CHECK int
plog_reader_query(plog_reader *r, const char *sql,
                  int (*each)(void *arg, const struct plog_row *row), void *arg,
                  struct plog_error *err);

/* Asks `stop` again and again while a query computes, on the same thread; not
 * 0 ends it with PLOG_E_INTERRUPTED.  NULL: never.  `stop` does not use the
 * reader. */
PLOG_API void plog_reader_set_stop(plog_reader *r, int (*stop)(void *arg),
                                   void *arg);

/* The last commit as a signed note with one signature (C2SP tlog-checkpoint).
 * @out  at least PLOG_CHECKPOINT_MAX bytes */
PLOG_API PLOG_MUST_CHECK int plog_reader_checkpoint(plog_reader *r, char *out,
                                                    struct plog_error *err);

struct plog_status {
    char origin[PLOG_ORIGIN_MAX + 1];
    enum plog_strategy strategy;
    bool has_store;
    uint64_t store_size;
    unsigned char store_root[PLOG_HASH_SIZE];
    uint64_t log_size; /* of the last commit line found in the log */
    unsigned char log_root[PLOG_HASH_SIZE];
    bool log_has_commit;
    uint64_t segments, log_bytes, floor;
    uint64_t below_floor; /* of the segments: a compaction was cut off */
    uint64_t compaction;  /* the last compact entry, also of an undo; 0: none */
    uint64_t base;        /* events of the store up to it may be gone */
    uint64_t peers;
    uint64_t store_bytes, wal_bytes;
    /* Frames in SQLite's WAL, and how many of them are in the database, too;
     * when the first grows far above the second, a reader holds them.  0 where
     * the store is read from a private copy, as on a read-only mount or a full
     * disk, and to who may not write while nobody who may has it open. */
    uint64_t wal_frames, wal_moved;
    uint64_t tail_bytes; /* bytes after the last commit that are not padding */
    uint64_t redactions; /* orders to redact that the store has applied */
    uint64_t pending;    /* of them: copies of the payload may be left */
    int verdict;         /* 0: heads equal.  Never a claim about content. */
    char store_why[256]; /* why a store that is there cannot be read; or "" */
};
/* Compares heads only; reads no more than the end of the last segment.
 * Works without a store; then it reads all of a compacted log, without its
 * lock, for where the floor is.  Returns 0 whatever the verdict;
 * PLOG_E_NOTHING. */
PLOG_API PLOG_MUST_CHECK int
plog_read_status(const char *dir, const struct plog_options *options,
                 struct plog_status *out, struct plog_error *err);

/* ---- Proofs ------------------------------------------------------------- */

#define PLOG_PROOF_FILE_MAX                                                    \
    (48u << 20) /* an entry in base64, and the proof                           \
                 */

struct plog_proof_report {
    bool consistency; /* between old_size and size; else of one entry */
    char origin[PLOG_ORIGIN_MAX + 1];
    uint64_t seq, size, old_size;
    unsigned char leaf[PLOG_HASH_SIZE];
    unsigned char root[PLOG_HASH_SIZE], old_root[PLOG_HASH_SIZE];
    struct plog_span entry; /* the line, into memory that the caller frees */
    char *memory;           /* free(3); NULL when there is none */
    /* The line is a redacted one: the proof says that an entry with this leaf
     * is in the log, and nothing of the line itself; what that says, only the
     * order to redact it vouches for (plog_verify_order). */
    bool redacted;
    uint64_t order; /* the entry that is this order; 0: it was not seen */
};

/*
 * Checks a proof without any log.
 * @text, @len    the file, at most PLOG_PROOF_FILE_MAX
 * @vkey          the verifier key that is trusted; or several, at most 64, with
 *                white space between them: each checkpoint is checked under
 *                the key that it names.  A consistency proof across a key
 *                rotation needs the log's keys at both ends.
 * @entry, @n     the entry's line, if it is not in the proof; else NULL
 * Returns 0: it holds; of a line with `redacted`, for its leaf alone.
 * PLOG_E_ARG: `vkey` is no verifier key; PLOG_E_INPUT: not a proof, or a line
 * with a leaf that is no redacted line of that entry; PLOG_E_UNKNOWN_KEY:
 * signed by another key; PLOG_E_TAMPERED: it does not hold; PLOG_E_FOREIGN: its
 * two checkpoints are of different logs; PLOG_E_NOMEM.
 */
PLOG_API PLOG_MUST_CHECK int plog_verify_proof(const char *text, size_t len,
                                               const char *vkey,
                                               const char *entry, size_t n,
                                               struct plog_proof_report *report,
                                               struct plog_error *err);

/*
 * Checks a proof of the order to redact an entry, and that it makes the line of
 * that entry the one in `report`: then all of that line is proven.
 * @text, @len  a proof as above, of the order, with its line; a file of orders/
 *              is one
 * @vkey        as above; in a copy that goes on, the order may be by the old
 * key
 * @report      of a proof that holds, with `redacted`; `order` is set
 * Returns 0, or as plog_verify_proof; PLOG_E_ARG without `redacted`;
 * PLOG_E_INPUT: it is of another entry than an order; PLOG_E_TAMPERED: the
 * order makes another line.
 */
PLOG_API PLOG_MUST_CHECK int plog_verify_order(const char *text, size_t len,
                                               const char *vkey,
                                               struct plog_proof_report *report,
                                               struct plog_error *err);

/* ---- Files beside a log ------------------------------------------------- */

/*
 * Whether a new file or directory lies outside of logs: of all of `dir`, and of
 * the folders and files that any other log has.  What lies there is taken for
 * damage, or for part of a log.
 * @io    NULL: plog_io_posix()
 * @dir   NULL: none
 * @path  need not be there
 * Returns 0, also where that cannot be said, because its folder cannot be
 * found; PLOG_E_INPUT; PLOG_E_ARG.
 */
PLOG_API PLOG_MUST_CHECK int plog_path_outside(const struct plog_io *io,
                                               const char *dir,
                                               const char *path,
                                               struct plog_error *err);

/* ---- Live subscription -------------------------------------------------- */

typedef struct plog_sub plog_sub;

/*
 * Follows the log from `from` on (1: the beginning; 0: what comes next).
 * Entries come from the store, after their group was committed, so none is
 * shown that could still vanish, and a slow reader loses none: what was
 * compacted away meanwhile is reported, not skipped in silence.
 */
PLOG_API PLOG_MUST_CHECK int plog_subscribe(plog_sub **out, const char *dir,
                                            uint64_t from,
                                            const struct plog_options *options,
                                            struct plog_error *err);
/*
 * Waits at most `timeout_seconds` for the next entry: 0 or less, or NaN, not at
 * all; INFINITY for ever.
 * @line, @len  out: live until the next call
 * Returns 0; PLOG_TIMEOUT; PLOG_E_PRUNED when entries were removed before
 * they could be delivered: `*seq` is then the first that is lost, `*len`
 * their number, and the next call goes on behind them.
 */
PLOG_API PLOG_MUST_CHECK int plog_sub_next(plog_sub *s, double timeout_seconds,
                                           uint64_t *seq, const char **line,
                                           size_t *len, struct plog_error *err);
PLOG_API void plog_sub_close(plog_sub *s);

#ifdef __cplusplus
}
#endif
#endif
