/*
 * paritylog_recovery.h - checking both legs and mending one from the other.
 *
 * Everything here works when plog_open refuses.  verify and parity only
 * read.  Reports come through callbacks; nothing is printed.  Conventions as
 * in paritylog.h.
 */
#ifndef PARITYLOG_RECOVERY_H
#define PARITYLOG_RECOVERY_H

#include "paritylog.h"

#ifdef __cplusplus
extern "C" {
#endif

enum plog_leg { PLOG_LEG_LOG, PLOG_LEG_STORE, PLOG_LEG_BOTH };
/* Returns "log", "store" or "both". */
PLOG_API const char *plog_leg_name(enum plog_leg leg);

/* One difference.  Texts live for the call; none holds a payload. */
struct plog_finding {
    int verdict; /* PLOG_E_BEHIND ... */
    enum plog_leg leg;
    const char *file; /* relative to the directory; "" when none */
    bool has_offset;
    uint64_t offset;              /* byte offset in file */
    uint64_t seq;                 /* 0 when none */
    const char *expected, *found; /* hashes or numbers */
    const char *next;             /* what to run next */
};

/* A range of entries or rows that was not read, and why. */
struct plog_unchecked {
    enum plog_leg leg;
    uint64_t from, to; /* inclusive; to 0: unknown */
    const char *why;
};

struct plog_progress {
    uint64_t done, total; /* entries; total 0: unknown */
    uint64_t bytes;
    const char *phase; /* "log", "store", "records", "replay" */
};

struct plog_check_options {
    uint32_t struct_size;
    const struct plog_io *io; /* NULL: plog_io_posix() */
    const char *vkey;         /* pin; NULL: keys/ is trusted and noted */
    bool has_expect_head;
    uint64_t expect_size;
    unsigned char expect_root[PLOG_HASH_SIZE];
    double wait_seconds;
    /* Each difference, in the order found; not 0 stops the check. */
    int (*finding)(void *arg, const struct plog_finding *f);
    int (*unchecked)(void *arg, const struct plog_unchecked *u);
    int (*progress)(void *arg, const struct plog_progress *p);
    void *arg;
    /* A file of signed notes kept outside (plog_witness): each must be a head
     * of this log.  NULL: none.  Below the floor the newest note, as the other
     * heads that are expected, is compared with archive/, else PRUNED; older
     * ones are unchecked. */
    const char *witness;
    /* A file with a signed note of this log, a head that it must have.  Parity
     * does not check again what lies below its segment, and lists that as
     * unchecked.  NULL: all. */
    const char *since;
    /* Where parity puts the note of the head that it found clean; only then is
     * it written.  Outside of the directory, and no file with something
     * else in it than one note (else PLOG_E_INPUT).  A note that is there must
     * be a head of this log, as one that is expected.  The same path as
     * `since`, not there yet: all is checked.  NULL: nowhere. */
    const char *watermark;
    /* 1: all on the calling thread.  2 or more: the log is read ahead, and its
     * lines hashed, by a second one, which calls io->pread meanwhile; where no
     * thread can be started all is done as with 1.  0: 2 where there are two
     * processors and the table is plog_io_posix(), else 1.  What is found does
     * not depend on it, and callbacks are called on the calling thread. */
    uint32_t threads;
    /* Parity only.  The records need not be compared with the fold of the log,
     * nor the links between the entries about one: where nothing is found they
     * are left out, and listed as unchecked. */
    bool skip_records;
};

#define PLOG_VERDICTS 32

struct plog_check_report {
    int verdict; /* the gravest; PLOG_OK: clean */
    char origin[PLOG_ORIGIN_MAX + 1];
    char vkey[PLOG_VKEY_MAX];       /* that the check relied on */
    bool pinned;                    /* false: UNPINNED */
    struct plog_head head;          /* where it stood: the last good commit */
    uint64_t counts[PLOG_VERDICTS]; /* by -code: exact */
    uint64_t entries, records;      /* compared */
    uint64_t from, to;              /* entries checked, inclusive */
    uint64_t floor; /* entries up to it were compacted away; 0: none were */
    uint64_t segments, bytes;
    double seconds;
    bool has_store;
    uint64_t store_size; /* entries in the store, when there is one */
    uint64_t since;      /* size of the checkpoint that was read; 0: none */
    bool watermark;      /* the note was written */
    uint64_t pending;    /* redacted entries whose payload is in the log yet,
                            or, by the store, may be in copies */
    uint64_t pending_at; /* seq of the first of them */
};

/*
 * Checks the log alone: form, order, hashes, roots, signatures, segments.
 * Returns 0 when the check ran to its end (the verdict is in the report);
 * PLOG_E_NOTHING, PLOG_E_IO, PLOG_E_NOMEM, PLOG_E_INTERRUPTED when not;
 * PLOG_E_LOCKED when compactions passed it by each time that it began.
 */
PLOG_API PLOG_MUST_CHECK int plog_verify(const char *dir,
                                         const struct plog_check_options *o,
                                         struct plog_check_report *report,
                                         struct plog_error *err);

/*
 * Checks both legs at one frozen head: all that plog_verify does, every
 * event row and commit against the log byte for byte, and the records
 * against the fold of the log.  Returns as plog_verify; with `since` also
 * PLOG_E_INPUT for a file that is no note, and PLOG_E_FOREIGN,
 * PLOG_E_UNKNOWN_KEY or PLOG_E_TAMPERED for the note in it.
 */
PLOG_API PLOG_MUST_CHECK int plog_parity(const char *dir,
                                         const struct plog_check_options *o,
                                         struct plog_check_report *report,
                                         struct plog_error *err);

enum plog_replay_state {
    PLOG_REPLAY_APPLIED, /* inserted, and its record is what it says */
    PLOG_REPLAY_SKIPPED, /* inserted; the log says that it lost */
    PLOG_REPLAY_PRESENT  /* the store held it already */
};
struct plog_replayed {
    uint64_t seq;
    enum plog_replay_state state;
    const char *strategy; /* by which it lost; NULL unless it is skipped */
};

struct plog_replay_options {
    uint32_t struct_size;
    const struct plog_io *io;
    const char *vkey;
    double wait_seconds;
    bool dry_run; /* says what would be done and changes nothing */
    bool fresh;   /* sets the store aside in quarantine/ and builds a new one */
    uint64_t to;  /* stop at the last group that ends at or below; 0: all */
    int (*progress)(void *arg, const struct plog_progress *p);
    void *arg;
    /* Each entry up to where the replay ends, in order, also in a dry run. What
     * is told of an entry that is applied is true when the call returns 0. */
    int (*entry)(void *arg, const struct plog_replayed *e); /* not 0 stops */
    bool allow_network_fs; /* as in plog_options */
};

struct plog_replay_report {
    uint64_t base;       /* the snapshot that a new store began with; 0: none */
    uint64_t from, to;   /* entries now in the store that were not; 0: none */
    uint64_t applied;    /* entries inserted */
    uint64_t present;    /* entries that the store held already */
    uint64_t skipped;    /* of the inserted: logged as skipped */
    uint64_t torn_bytes; /* of an unfinished group set aside */
    bool dry_run, fresh;
    char quarantine[256];  /* where an old store or a tail went; "" if none */
    struct plog_head head; /* where the store stands; of a dry run: would */
    double seconds;
    /* With `fresh`: tables in the store that is set aside that are the caller's
     * own.  They stay behind there.  0 also where it could not be read. */
    uint64_t own_tables;
    bool remade; /* the snapshot it began with was gone or damaged, and made
                    anew from the archive; of a dry run: it would be */
};

/*
 * Applies to the store what it lacks, verified group by group before it is
 * inserted.  Idempotent; a replay that was killed goes on where it stood.
 * Creates the store when there is none.  With `fresh` the old store stays until
 * the new one is on disk; killed before that, it begins anew.  A caller's own
 * tables (plog_append_group) are no function of the log: with `fresh` they stay
 * behind in the old store, report->quarantine, and a later plog_redact of an
 * entry that this store held removes it whole.  Copy them before that, or make
 * them anew from the log (README.md, "In a program").  A store that is made
 * because there is none has none of them either.  Where a file of the log came
 * from a copy that is older than an order to redact, it sets the mark that this
 * redaction is pending.
 * Returns 0; PLOG_E_LOCKED when another process writes, or compacts, redacts,
 * rotates or mends the log, for longer than wait_seconds; a verdict when the
 * log or store forbids it, PLOG_E_ROLLBACK also where archive/ or snapshots/
 * prove that the log was longer; nothing is changed then, except that whole
 * groups before the damage may have been applied, but not with `fresh`.
 */
PLOG_API PLOG_MUST_CHECK int plog_replay(const char *dir,
                                         const struct plog_replay_options *o,
                                         struct plog_replay_report *report,
                                         struct plog_error *err);

/* ---- A leg in a new place ----------------------------------------------- */

struct plog_rebuild_options {
    uint32_t struct_size;
    const struct plog_io *io;
    const char *vkey;
    double wait_seconds;
    bool dry_run; /* verifies all of it and writes nothing */
    int (*progress)(void *arg, const struct plog_progress *p);
    void *arg;
    /* In the place of the leg there, which goes to quarantine/; `out` is not
     * used.  Only when all of it can be rebuilt. */
    bool install;
    bool allow_network_fs; /* of what is written; as in plog_options */
};

struct plog_rebuild_report {
    int verdict; /* PLOG_OK, or why the rest could not be rebuilt */
    char why[240];
    uint64_t missing_from, missing_to; /* entries; 0: none, to 0: unknown */
    char origin[PLOG_ORIGIN_MAX + 1];
    struct plog_head head; /* of what was rebuilt */
    uint64_t entries, segments, bytes;
    bool dry_run;
    char quarantine[128]; /* of `install`: where the old one went first */
    double seconds;
    uint64_t own_tables; /* of `install`: as in plog_replay_report */
    bool refused; /* with install: the leg that is there stays as it was */
};

/*
 * Writes the log that the store of `dir` holds into a new directory: each
 * group is verified before it is written, nothing is signed again, and where
 * the store is whole the files are those of the log, byte for byte.  Works
 * without log/.
 * @dir  only read
 * @out  path of the new directory, which must not exist; it gets log/ and the
 *       verifier keys, no store and no signing key.  In a dry run it may be
 *       NULL
 * Returns 0: `out` is on disk under its name (unless dry_run), with all that
 * the store proves; report->verdict says whether that is all of it.
 * PLOG_E_EXISTS; PLOG_E_INPUT when `out` lies in log/ or another folder of a
 * log; PLOG_E_BEHIND, PLOG_E_DIVERGED without a usable store, or when it proves
 * no entry at all (TAMPERED, UNKNOWN_KEY, too): nothing is written then.
 * PLOG_E_INTERRUPTED, PLOG_E_IO, PLOG_E_NOMEM.
 */
PLOG_API PLOG_MUST_CHECK int
plog_rebuild_log(const char *dir, const char *out,
                 const struct plog_rebuild_options *o,
                 struct plog_rebuild_report *report, struct plog_error *err);

/* The same for the store, folded from the log of `dir`, which is verified
 * group by group; damage ends it, and what stands before it is kept.  The new
 * store has none of a caller's own tables; with `install` they stay behind in
 * the one that is set aside, as with plog_replay.
 * PLOG_E_LOCKED besides, when another program reads the new store meanwhile. */
PLOG_API PLOG_MUST_CHECK int
plog_rebuild_store(const char *dir, const char *out,
                   const struct plog_rebuild_options *o,
                   struct plog_rebuild_report *report, struct plog_error *err);

struct plog_restore_options {
    uint32_t struct_size;
    const struct plog_io *io;
    const char *vkey;
    double wait_seconds;
    uint64_t at_seq;     /* the last commit at or below; 0: no such bound */
    const char *at_time; /* RFC 3339: groups logged at or before; NULL: none */
    bool dry_run;
    /* Takes the signing key along, only if the restored head is exactly this
     * one, and the key is the one that signs behind it (else PLOG_E_KEY, also
     * in a dry run).  Else the copy has none and refuses appends. */
    bool adopt;
    uint64_t adopt_size;
    unsigned char adopt_root[PLOG_HASH_SIZE];
    int (*progress)(void *arg, const struct plog_progress *p);
    void *arg;
    /* Goes on under this name, which is not the log's: with a signing key of
     * its own and a restore entry behind the restored head.  NULL: no. */
    const char *continue_as;
    const char *passphrase; /* of that key; NULL: none.  Of one that goes along:
                             * then it is opened, and not only its name read */
    bool allow_network_fs;  /* for the new place; as in plog_options */
};

struct plog_restore_report {
    char origin[PLOG_ORIGIN_MAX + 1];
    struct plog_head source; /* the log's end */
    struct plog_head head;   /* what was restored */
    char logged_at[40];      /* of its last group */
    uint64_t left_out;       /* entries of the log above it */
    uint64_t floor; /* the copy begins behind it, with a snapshot; 0: at 1 */
    uint64_t segments, bytes;
    bool dry_run, adopted;
    double seconds;
    char vkey[PLOG_VKEY_MAX];   /* of the copy that goes on; "" otherwise */
    struct plog_head continued; /* its head, then */
};

/*
 * Restores a log as it was at a point into a new directory: log, store made
 * from it, verifier keys.  Whole groups only.  Without `adopt` no signing key
 * goes along, so that the copy can never pass for the original; with
 * `continue_as` it takes another name, and a key of that.  The copy's store is
 * made from the log: a caller's own tables are not in it.
 * @dir  only read; damage above the point does no harm, unless it lies below an
 *       entry that redacted or compacted what the copy holds.  What comes out
 *       of archive/ must lead to where log/ begins
 * @out  must not exist; in a dry run it may be NULL
 * Returns 0: on disk under `out` (unless dry_run).  PLOG_E_EXISTS;
 * PLOG_E_NOT_FOUND when no commit lies at or before the point, or a seq is
 * above the log's end; PLOG_E_FORK when `adopt` names another head, PLOG_E_KEY
 * when no key to sign behind it is there (nothing is written); PLOG_E_INPUT for
 * a time that is none, and when `out` lies in log/ or another folder of a log;
 * PLOG_E_ARG for a name that is none or the log's own, or together with
 * `adopt`; a verdict when the log is damaged below the point, or such an entry;
 * PLOG_E_LOCKED when it was compacted or redacted each time that it was read;
 * PLOG_E_INTERRUPTED, PLOG_E_IO, PLOG_E_NOMEM.
 */
PLOG_API PLOG_MUST_CHECK int plog_restore(const char *dir, const char *out,
                                          const struct plog_restore_options *o,
                                          struct plog_restore_report *report,
                                          struct plog_error *err);

struct plog_drill_options {
    uint32_t struct_size;
    const struct plog_io *io;
    const char *vkey;
    double wait_seconds;
    const char *scratch; /* a path that is not there; NULL: inside `dir` */
    int (*progress)(void *arg, const struct plog_progress *p);
    void *arg;
};

struct plog_drill_report {
    int verdict; /* PLOG_OK: the restored copy is the original */
    char what[240];
    struct plog_restore_report restore;
    uint64_t records; /* compared */
    double restore_seconds, parity_seconds, compare_seconds, seconds;
};

/*
 * Restores into a scratch directory, runs parity there, compares log and
 * store with the originals byte for byte and row by row, removes the scratch
 * again, and notes the outcome in drill.json.  Where the log is compacted or
 * redacted meanwhile, it begins anew.
 * Returns 0 when it ran to its end (the outcome is in report->verdict); what
 * plog_restore returns; PLOG_E_LOCKED while another drill, or a redaction, is
 * under way for longer than wait_seconds, or when the log was compacted or
 * redacted each time; PLOG_E_INTERRUPTED by `progress` (of neither, nor of
 * NOMEM, anything is noted); PLOG_E_IO, PLOG_E_NOMEM.
 */
PLOG_API PLOG_MUST_CHECK int plog_drill(const char *dir,
                                        const struct plog_drill_options *o,
                                        struct plog_drill_report *report,
                                        struct plog_error *err);

/* ---- Salvage ------------------------------------------------------------ */

/* Bytes of the log that cannot be used, or a segment that was healed. */
struct plog_salvaged {
    const char *file; /* relative to the directory */
    bool has_bytes;
    uint64_t begin, end; /* byte offsets, when has_bytes */
    uint64_t from, to;   /* entries; 0: none, or unknown */
    bool healed;
    const char *why;
    const char *quarantine; /* where the bytes went; "" when nowhere */
};

struct plog_salvage_options {
    uint32_t struct_size;
    const struct plog_io *io;
    const char *vkey;
    double wait_seconds;
    bool from_store; /* heals log/ from the store's lines */
    bool dry_run;
    /* Each line of every intact group, entries and commits, without LF;
     * `proven` is false behind damage, where roots cannot be computed.  Not
     * called with from_store.  Not 0 stops. */
    int (*line)(void *arg, const char *line, size_t len, bool proven);
    int (*range)(void *arg, const struct plog_salvaged *s);
    int (*progress)(void *arg, const struct plog_progress *p);
    void *arg;
    bool allow_network_fs; /* as in plog_options */
};

struct plog_salvage_report {
    int verdict;  /* of the log, afterwards; in a dry run, as it is (as
                   * plog_verify) */
    int comes_to; /* of a dry run with from_store: what it is when that is done;
                   * else as verdict */
    struct plog_head head;              /* the last good commit */
    uint64_t groups, entries, unproven; /* intact; of them not proven */
    uint64_t ranges, bytes;             /* that cannot be used */
    uint64_t healed, left;              /* segments, with from_store */
    uint64_t from_store;                /* entries that came from it */
    uint64_t pending; /* redacted entries: copies of a payload may be left; 0
                       * where nothing was healed or set aside */
    int pending_code; /* not 0: that is not known, for the store cannot be asked
                       * or told; PLOG_E_LOCKED: now; PLOG_E_IO: or in a copy
                       * with orders/ quarantine/ could not be searched */
    char pending_why[240]; /* ..., and why */
    bool all_read; /* without from_store: every line that can be read was given
                    * out, also where an error came behind that */
    bool dry_run;
    double seconds;
};

/*
 * What can still be read of a damaged log.
 *
 * Without from_store: gives out every intact group, names every byte range
 * that cannot be used, and copies these to quarantine/; the log is not
 * changed.  With from_store: makes damaged and missing segments whole from the
 * store, each group under its original signature; a segment that both legs
 * together do not prove is left as it is, and replaced files go to
 * quarantine/ first.  Holds the writer lock.  May be killed and run again.
 * The store is only read, but for the mark that redactions are pending where a
 * payload may have come back, set before a file goes to quarantine/: a caller's
 * own tables stay as they are.  What an order in orders/ is about, of which the
 * store has no row to mark, is taken out of quarantine/ at the end.
 * Returns 0 when it ran to its end; PLOG_E_FOREIGN when store and log are of
 * different logs; PLOG_E_BEHIND without a store; PLOG_E_LOCKED;
 * PLOG_E_INTERRUPTED, PLOG_E_NOTHING, PLOG_E_IO, PLOG_E_NOMEM.
 */
PLOG_API PLOG_MUST_CHECK int plog_salvage(const char *dir,
                                          const struct plog_salvage_options *o,
                                          struct plog_salvage_report *report,
                                          struct plog_error *err);

/* ---- Witness ------------------------------------------------------------ */

struct plog_witness_report {
    struct plog_head head; /* that the witness knows now */
    bool appended;         /* false: it knew it already */
};

/*
 * Notes the present head, signed, in a file outside of the log: what shows
 * later that log and store were both set back.  The log is verified first, and
 * all that the file says must hold of it.
 * @path     made (0644) when missing; the caller keeps it out of reach of
 *           whoever may write to `dir`
 * @options  io, vkey, wait_seconds, progress; may be NULL
 * Returns 0: the note is on disk; the verdict when the log does not agree
 * (ROLLBACK, FORK, ...), with nothing noted; PLOG_E_LOCKED; what plog_verify
 * returns.
 */
PLOG_API PLOG_MUST_CHECK int
plog_witness(const char *dir, const char *path,
             const struct plog_check_options *options,
             struct plog_witness_report *report, struct plog_error *err);

/* ---- Proofs ------------------------------------------------------------- */

struct plog_prove_options {
    uint32_t struct_size;
    const struct plog_io *io;
    const char *vkey;
    double wait_seconds;
    uint64_t at;     /* under the commit of this size; 0: the last one */
    bool hide_entry; /* without the entry's line: who checks has to have it */
    int (*progress)(void *arg, const struct plog_progress *p);
    /* The text of the proof, in pieces; not 0 stops. */
    int (*out)(void *arg, const char *text, size_t len);
    void *arg;
};

/*
 * Proves that entry `seq` is in the log: a C2SP tlog-proof, whose `extra` is
 * the entry's line.  Reads and verifies the log up to the commit that it
 * stands under, never past the head that the store has committed.
 * Returns 0; PLOG_E_NOT_FOUND without such an entry or commit; a verdict when
 * the log is damaged below; PLOG_E_INTERRUPTED, PLOG_E_IO, PLOG_E_NOMEM.
 */
PLOG_API PLOG_MUST_CHECK int plog_prove(const char *dir, uint64_t seq,
                                        const struct plog_prove_options *o,
                                        struct plog_error *err);

/*
 * Proves that the log extends the one that a checkpoint was signed of
 * (docs/FORMAT.md, "Consistency").
 * @note, @len  the older signed note, of this log and by its key
 * Returns as plog_prove; PLOG_E_INPUT for a note that is none; PLOG_E_FOREIGN,
 * PLOG_E_UNKNOWN_KEY, PLOG_E_TAMPERED for one of another log, key, or with a
 * false signature; PLOG_E_ROLLBACK when it is above the log's end;
 * PLOG_E_FORK when the log has another root there.
 */
PLOG_API PLOG_MUST_CHECK int
plog_prove_consistency(const char *dir, const char *note, size_t len,
                       const struct plog_prove_options *o,
                       struct plog_error *err);

/* A proof is checked with plog_verify_proof (paritylog.h). */

/* ---- Redaction ---------------------------------------------------------- */

struct plog_redact_options {
    uint32_t struct_size;
    const struct plog_io *io;
    double wait_seconds;    /* for each lock, and for readers of the store */
    const char *passphrase; /* of the signing key; NULL: none */
    const char *vkey;       /* pin */
    const char *reason;     /* 1..255 bytes, UTF-8; signed with the order */
    bool dry_run;           /* looks, and changes nothing */
};

struct plog_redact_report {
    uint64_t seq;
    uint64_t order; /* entry that orders it; 0 after a dry run */
    unsigned char leaf[PLOG_HASH_SIZE];
    bool already;        /* it was ordered before, by an entry of this log */
    uint64_t segments;   /* files of the log that were replaced */
    uint64_t quarantine; /* files there that were changed or removed; a store
                            as a whole, with a caller's own tables in it */
    /* Later entries about the record whose custom strategy logged a payload,
     * which may hold something of this one: how many, and the first. */
    uint64_t merged, merged_first;
    double seconds;
    uint64_t aside; /* as in plog_compact_report */
};

/*
 * Takes the payload of entry `seq` (and its meta and salt) out of log, store,
 * freed pages, SQLite's WAL, DIR/queue and quarantine/, and removes what killed
 * commands left in `dir`; leaf, root and every proof hold on.  The order is an
 * entry of the log, signed with its reason; whatever is cut off behind it, the
 * next opening for writing finishes.  A copy that has one only in orders/ gets
 * one of its own.
 * Out of reach: peers, backups, restored copies, free blocks of the disk, and
 * what a caller copied into tables of his own: he removes it there, before the
 * order, whose VACUUM then takes it out of freed pages, too.
 * Returns 0: the payload is gone, on disk.  PLOG_E_NOT_FOUND when the log never
 * had the entry; PLOG_E_PRUNED below the floor, where archive/ and the snapshot
 * may hold its payload (plog_compact with `undo` brings it back); PLOG_E_INPUT
 * for a control entry or a reason out of range; PLOG_E_LOCKED while other
 * maintenance is under way, or (report->order is set then) a reader of the
 * store or a drill is in the way of the last step, or a writer of another
 * release that may use DIR/queue; as plog_append.  PLOG_E_PRUNED is also
 * said of one that was ordered before, where its order went with archive/, too,
 * and quarantine/ holds something: nothing tells whether it is the payload.
 */
PLOG_API PLOG_MUST_CHECK int
plog_redact(const char *dir, uint64_t seq,
            const struct plog_redact_options *options,
            struct plog_redact_report *report, struct plog_error *err);

/* ---- Peers -------------------------------------------------------------- */

/*
 * A peer is whoever receives the log: its cursor is the seq up to which it has
 * it durably.  Adding and evicting are signed entries; acknowledgements are
 * rows of the store: losing one delays compaction, no more.
 */
struct plog_peer_options {
    uint32_t struct_size;
    const struct plog_io *io;
    double wait_seconds;
    const char *passphrase; /* of the signing key; NULL: none */
    const char *vkey;       /* pin */
    const char *reason;     /* to evict: 1..255 bytes, UTF-8 */
    bool dry_run;           /* checks, and changes nothing */
    bool allow_network_fs;
};

struct plog_peer {
    struct plog_span name; /* until the callback returns */
    uint64_t added;        /* the entry that added it */
    uint64_t cursor;       /* entries up to it have been received; 0: none */
    bool proven;           /* its last acknowledgement came with a root */
    unsigned char root[PLOG_HASH_SIZE]; /* of the first `cursor` entries */
    struct plog_span seen; /* when it last acknowledged; n 0: never */
    double seen_age;       /* seconds since; < 0: never */
    double added_age;      /* seconds since it was added; < 0: that entry is
                              below the floor and gone */
    uint64_t lag;          /* entries of the log above its cursor */
    uint64_t lag_bytes;    /* about those, as far as log/ has them: of the
                              segment with its cursor a part by number of
                              entries, and the whole segments behind */
    double lag_seconds;    /* since the first of those in log/ was logged; 0:
                              it has all */
    bool holds_floor;      /* nobody has less */
};

/* What an acknowledgement, a rewind, adding or evicting came to. */
struct plog_peer_report {
    uint64_t before, cursor; /* the peer's; of an evicted one both its last */
    uint64_t entry;          /* seq of the control entry; 0: none */
};

/* Adds a peer, at cursor 0.  Returns 0: durable in both legs; PLOG_E_EXISTS;
 * PLOG_E_INPUT for a name that is none; as plog_append. */
PLOG_API PLOG_MUST_CHECK int
plog_peer_add(const char *dir, const char *name,
              const struct plog_peer_options *options,
              struct plog_peer_report *report, struct plog_error *err);
/* Evicts one, with a reason: it no longer holds the floor.
 * Returns as above; PLOG_E_NOT_FOUND. */
PLOG_API PLOG_MUST_CHECK int
plog_peer_evict(const char *dir, const char *name,
                const struct plog_peer_options *options,
                struct plog_peer_report *report, struct plog_error *err);
/*
 * Notes that a peer has durably received the entries up to `seq`.
 * @root  of that many entries, PLOG_HASH_SIZE bytes; NULL: it does not say
 * Returns 0; PLOG_E_INPUT when that goes back or past the head; PLOG_E_FORK
 * when the log has another root there; PLOG_E_NOT_FOUND.  On 0 the row is
 * committed; a crash of the machine may lose it.
 */
PLOG_API PLOG_MUST_CHECK int
plog_peer_ack(const char *dir, const char *name, uint64_t seq,
              const unsigned char *root,
              const struct plog_peer_options *options,
              struct plog_peer_report *report, struct plog_error *err);
/* Sets a cursor back, to what the peer says that it has now; by an entry, so
 * that no older store undoes it.
 * Returns as above; PLOG_E_PRUNED below the floor.  On 0 it is durable. */
PLOG_API PLOG_MUST_CHECK int
plog_peer_rewind(const char *dir, const char *name, uint64_t seq,
                 const struct plog_peer_options *options,
                 struct plog_peer_report *report, struct plog_error *err);
/* Tells of each peer, by name.  `each` may stop with another value than 0,
 * which is returned. */
PLOG_API PLOG_MUST_CHECK int
plog_peers(const char *dir, const struct plog_options *options,
           int (*each)(void *arg, const struct plog_peer *peer), void *arg,
           struct plog_error *err);

/* ---- Compaction --------------------------------------------------------- */

/* Zero-initialise and set struct_size. */
struct plog_compact_options {
    uint32_t struct_size;
    const struct plog_io *io;
    double wait_seconds;    /* for each lock, and for readers of the store */
    const char *passphrase; /* of the signing key; NULL: none */
    const char *vkey;       /* pin */
    bool dry_run;           /* only the plan */
    bool discard;           /* segments are removed, not archived */
    bool trim_store; /* events that nothing stands on go from the store */
    bool undo;       /* brings back what the last one took */
    int (*progress)(void *arg, const struct plog_progress *p);
    void *arg;
    bool allow_network_fs;
};

struct plog_compact_report {
    bool dry_run, discard, undone;
    bool resumed; /* an earlier one was finished first */
    bool remade;  /* the snapshot at the floor was gone or damaged, and made
                     anew from the archive; of a dry run: it would be */
    uint64_t from, to; /* the floor before and after */
    uint64_t entry;    /* seq of the compact entry; 0: none was made */
    uint64_t peers;    /* active ones */
    char holder[PLOG_NAME_MAX + 1]; /* who holds the floor; "" for none */
    uint64_t holder_cursor;
    char why[200];                     /* nothing goes: the reason; else "" */
    uint64_t segments, entries, bytes; /* that go, or went */
    uint64_t archived_bytes;           /* of them, compressed */
    char snapshot[64];                 /* name below DIR; "" for none */
    unsigned char digest[PLOG_HASH_SIZE];
    uint64_t snapshot_bytes, records, ids;
    uint64_t trimmed; /* events dropped from the store */
    double seconds;
    /* Undone, of a store that was trimmed: where that went, and the caller's
     * own tables in it, as in plog_replay_report. */
    char quarantine[256];
    uint64_t own_tables;
    /* Files of archive/ and snapshots/ that stood in the way and are not of
     * this log as it is, as after a rollback; and segments of log/ below the
     * floor before that are no copies of the archived ones: now in quarantine/.
     */
    uint64_t aside;
    /* Snapshots that nothing needs and that stay all the same: the store was
     * trimmed, or made anew, and cannot tell whether they are of this log.  The
     * first of them, below DIR; "" for none. */
    uint64_t left;
    char left_file[64];
};

/*
 * Takes away the segments that every peer has received, after a snapshot and a
 * signed compact entry; or, with `undo`, brings back what the last compaction
 * archived.  Before, the log is verified and both legs are compared: rows up to
 * where they go; all of them, records too, where there is a floor, with
 * `trim_store`, or when something differs.
 * After `trim_store`, `undo` makes the store anew from the log: a caller's own
 * tables then stay behind in quarantine/, as after plog_replay with `fresh`.
 * Returns 0, also when there is nothing to take away: report->why then says
 * why.  PLOG_E_INPUT when --discard lacks a proven acknowledgement, or there is
 * nothing to undo; the verdict of parity when the legs differ; PLOG_E_LOCKED
 * when a reader keeps the store from being made durable; as plog_open.
 * Durable on return 0: the entry, the snapshot, the archive, and that the
 * segments are gone.  What a crash cuts off, the next call finishes.
 */
PLOG_API PLOG_MUST_CHECK int
plog_compact(const char *dir, const struct plog_compact_options *options,
             struct plog_compact_report *report, struct plog_error *err);

struct plog_redaction {
    uint64_t seq, order;
    bool pending; /* copies of the payload may be left */
    /* n 0: those of entries that the store does not have, below the floor */
    struct plog_span resource, record_id, reason, logged_at;
};
/* Gives every redaction, by entry, from the store.
 * @each  not 0 stops and is returned
 * Returns 0; PLOG_E_NOTHING; PLOG_E_BEHIND without a store; PLOG_E_DIVERGED;
 * PLOG_E_IO; PLOG_E_NOMEM. */
PLOG_API PLOG_MUST_CHECK int
plog_redactions(const char *dir, const struct plog_options *options,
                int (*each)(void *arg, const struct plog_redaction *r),
                void *arg, struct plog_error *err);

/* ---- Doctor ------------------------------------------------------------- */

enum plog_health {
    PLOG_HEALTH_OK,
    PLOG_HEALTH_NOTE, /* to know, nothing to do */
    PLOG_HEALTH_WARN,
    PLOG_HEALTH_BAD,
    PLOG_HEALTH_UNKNOWN /* could not be looked at */
};
/* `ok`, `note`, `warn`, `bad`, `unknown`. */
PLOG_API const char *plog_health_word(enum plog_health h);
#define PLOG_HEALTHS 5

/* One thing that was looked at. */
struct plog_checkup {
    const char *name; /* a constant: `signing key`, `free space`, ... */
    enum plog_health health;
    const char *found; /* in words */
    const char *next;  /* what to do; "" for nothing */
};

struct plog_doctor_options {
    uint32_t struct_size;
    const struct plog_io *io;
    const char *vkey; /* pin */
    double wait_seconds;
    bool quick; /* compares the heads of both legs, and not their content */
    int (*checkup)(void *arg, const struct plog_checkup *c); /* not 0 stops */
    int (*progress)(void *arg, const struct plog_progress *p);
    void *arg;
};

struct plog_doctor_report {
    /* That of the legs, or why they could not be checked; if that is PLOG_OK,
     * PLOG_E_KEY or PLOG_E_UNKNOWN_KEY for a bad key, PLOG_E_IO for anything
     * else that is bad. */
    int verdict;
    uint64_t counts[PLOG_HEALTHS];
    struct plog_check_report
        legs; /* after `quick` only verdict and head size */
    double seconds;
};

/*
 * Looks at all that only needs reading: directory, file system, space, keys,
 * libraries, both legs, quarantine, the last drill, the clock.  Changes no
 * byte of log, store or keys.
 * Returns 0 when it ran to its end; PLOG_E_NOTHING; PLOG_E_INTERRUPTED;
 * PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_API PLOG_MUST_CHECK int
plog_doctor(const char *dir, const struct plog_doctor_options *options,
            struct plog_doctor_report *report, struct plog_error *err);

/* ---- Selftest ----------------------------------------------------------- */

enum plog_test_result {
    PLOG_TEST_OK,
    PLOG_TEST_WARN, /* works, and is not what it should be */
    PLOG_TEST_FAIL, /* no log should be kept here before this is mended */
    PLOG_TEST_SKIP  /* could not be tried; `found` says why */
};
#define PLOG_TEST_RESULTS 4
/* `ok`, `warn`, `FAIL`, `skip`. */
PLOG_API const char *plog_test_word(enum plog_test_result r);

/* A number behind `found`; the unit is the last word of its name. */
struct plog_test_figure {
    const char *name;
    double value;
};

/* One thing that was tried.  Texts and figures live for the call. */
struct plog_test {
    const char *name; /* a constant: `flock`, `sync of appends`, ... */
    enum plog_test_result result;
    const char *found; /* in words and figures */
    const char *next;  /* what to do; "" for nothing */
    const struct plog_test_figure *figures;
    size_t figure_count;
};

/*
 * What selftest needs beside the I/O table, and a library has no business to
 * do by itself: processes, and links.  Given by the program, which knows
 * whether it may fork.  Functions return >= 0, or a negative errno value;
 * `ctx` is passed through.  One child at a time.
 */
struct plog_test_host {
    uint32_t struct_size; /* sizeof(struct plog_test_host) */
    void *ctx;
    /* fork(2): runs `work` in a child that has a copy of all memory and
     * handles, and ends it, without any clean-up, with what `work` returns (0
     * to 99).  It must not outlive the parent.  The library has no database
     * and no log open at this moment; the program must have no second thread,
     * no handle of a log open, and its own databases are not used in the child.
     */
    int (*start)(void *ctx, int (*work)(void *arg), void *arg);
    /* In the child: sends all `n` bytes (at most 512) to the parent, or none.
     */
    int (*say)(void *ctx, const void *p, size_t n);
    /* In the parent: receives at most `n` bytes.  0 when the child is gone;
     * -EAGAIN when nothing came in `timeout_ms`, or a signal did. */
    int64_t (*hear)(void *ctx, void *p, size_t n, int timeout_ms);
    /* Waits for the child's end; with `kill` it gets SIGKILL first.  Returns
     * its exit status, or 256 and the signal that ended it. */
    int (*stop)(void *ctx, bool kill);
    /* A symbolic link `name` to the text `to`, or a hard link to that file;
     * both names below `dir`. */
    int (*link_at)(void *ctx, int dir, const char *to, const char *name,
                   bool symbolic);
};

struct plog_selftest_options {
    uint32_t struct_size;
    const struct plog_io *io;
    const struct plog_test_host *host; /* NULL: what needs it is skipped */
    double seconds; /* how long all of it may take; 0: 30; at most 59 */
    uint64_t seed;  /* of what is drawn; 0: by the I/O table's randomness */
    bool allow_network_fs; /* then a network is a warning */
    int (*test)(void *arg, const struct plog_test *t); /* not 0 stops */
    int (*progress)(void *arg, const struct plog_progress *p);
    void *arg;
};

struct plog_selftest_report {
    int verdict; /* PLOG_OK; PLOG_E_IO when a test failed */
    uint64_t counts[PLOG_TEST_RESULTS];
    uint64_t seed;
    uint64_t kills, calls, faults; /* ends of a process at random times, at a
                                      call; errors that were injected */
    double seconds;
};

/*
 * Tries whether a log can be kept below `dir`: that locks exclude, a sync
 * reaches the disk, and that logs of its own outlive kill -9 at random times
 * and at disk calls, and errors of the disk, with acknowledged deltas a part
 * of the recovered and these of the attempted ones.
 * @dir  any directory that may be written to, also that of a log; all happens
 *       in a new folder in it, paritylog-selftest-XXXXXXXX (0700), which is
 *       removed at the end, however it ends but by a kill.  Nothing else is
 *       touched.
 * Takes up to 64 MiB of its disk.  It cannot show what a power cut does.
 * Returns 0 when it ran to its end (the verdict is in the report);
 * PLOG_E_IO when it cannot run there: no such directory, read-only, no space;
 * PLOG_E_ARG for seconds out of range; PLOG_E_INTERRUPTED; PLOG_E_NOMEM.
 * Forks through `host`, from the calling thread.
 */
PLOG_API PLOG_MUST_CHECK int
plog_selftest(const char *dir, const struct plog_selftest_options *options,
              struct plog_selftest_report *report, struct plog_error *err);

/* ---- Any JSONL file ----------------------------------------------------- */

enum plog_line_class {
    PLOG_LINE_OK,
    PLOG_LINE_TORN,     /* the last line has no LF, or ends inside a value */
    PLOG_LINE_CUT,      /* it ends inside a value */
    PLOG_LINE_JOINED,   /* an object behind an object */
    PLOG_LINE_NULS,     /* NUL bytes, as a lost block leaves them */
    PLOG_LINE_NOT_JSON, /* anything else that is no JSON object */
    PLOG_LINE_NOT_UTF8,
    PLOG_LINE_EMPTY,
    PLOG_LINE_CR,        /* it ends in CR LF */
    PLOG_LINE_BOM,       /* a byte order mark stands before it */
    PLOG_LINE_STRICT,    /* JSON that strict readers refuse: a member twice, a
                            lone surrogate, an escaped NUL, brackets too deep */
    PLOG_LINE_DUPLICATE, /* the same bytes as a line before */
    PLOG_LINE_CONFLICT,  /* what git leaves of a merge */
    PLOG_LINE_LONG,      /* longer than 16 MiB */
    PLOG_LINE_CLASSES
};
/* Returns "ok", "torn", ... */
PLOG_API const char *plog_line_class_name(enum plog_line_class c);

struct plog_inspected {
    enum plog_line_class kind;
    uint64_t line;           /* from 1 */
    uint64_t offset, length; /* bytes, without the LF; of gzip: inflated */
    const char *what;        /* what a reader trips over; "" when none */
    uint64_t same_as;        /* of a duplicate: 0 unknown */
};

struct plog_inspect_options {
    uint32_t struct_size;
    const struct plog_io *io;
    /* Each line that is not ok, in order; not 0 stops. */
    int (*line)(void *arg, const struct plog_inspected *l);
    int (*progress)(void *arg, const struct plog_progress *p);
    void *arg;
};

struct plog_inspect_report {
    uint64_t lines, bytes;
    uint64_t counts[PLOG_LINE_CLASSES];
    uint64_t compared;    /* lines that were looked at for duplicates */
    uint64_t first_fault; /* offset of the first line that is not ok */
    bool gzip, broken_gzip, segment; /* segment: looks like one of a log */
};

/*
 * Classifies the lines of any JSONL file, plain or gzip; reads only.
 * @path  of the process; a regular file
 * Memory: one line, and 16 MiB to find duplicates among the first million.
 * Returns 0; PLOG_E_INPUT for a database of SQLite, and where this process has
 * a store open also for what may be a file of it: to close that would take the
 * locks; PLOG_E_INTERRUPTED, PLOG_E_IO, PLOG_E_NOMEM.
 */
PLOG_API PLOG_MUST_CHECK int plog_inspect(const char *path,
                                          const struct plog_inspect_options *o,
                                          struct plog_inspect_report *report,
                                          struct plog_error *err);

#ifdef __cplusplus
}
#endif
#endif
