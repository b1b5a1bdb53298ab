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
    uint64_t segments, bytes;
    double seconds;
};

/*
 * Checks the log alone: form, order, hashes, roots, signatures, segments.
 * Returns 0 when the check ran to its end (the verdict is in the report);
 * PLOG_E_NOTHING, PLOG_E_IO, PLOG_E_NOMEM, PLOG_E_INTERRUPTED when not.
 */
PLOG_API PLOG_MUST_CHECK int plog_verify(const char *dir,
                                         const struct plog_check_options *o,
                                         struct plog_check_report *report,
                                         struct plog_error *err);

/*
 * Checks both legs at one frozen head: all that plog_verify does, every
 * event row and commit against the log byte for byte, and the records
 * against the fold of the log.  Returns as plog_verify.
 */
PLOG_API PLOG_MUST_CHECK int plog_parity(const char *dir,
                                         const struct plog_check_options *o,
                                         struct plog_check_report *report,
                                         struct plog_error *err);

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
};

struct plog_replay_report {
    uint64_t from, to;   /* entries now in the store that were not; 0: none */
    uint64_t applied;    /* entries inserted */
    uint64_t present;    /* entries that the store held already */
    uint64_t skipped;    /* of the inserted: logged as skipped */
    uint64_t torn_bytes; /* of an unfinished group set aside */
    bool dry_run, fresh;
    char quarantine[256]; /* where an old store or a tail went; "" if none */
    struct plog_head head;
    double seconds;
};

/*
 * Applies to the store what it lacks, verified group by group before it is
 * inserted.  Idempotent; a replay that was killed goes on where it stood.
 * Creates the store when there is none.
 * Returns 0; a verdict when the log or store forbids it; nothing is changed
 * then, except that whole groups before the damage may have been applied.
 */
PLOG_API PLOG_MUST_CHECK int plog_replay(const char *dir,
                                         const struct plog_replay_options *o,
                                         struct plog_replay_report *report,
                                         struct plog_error *err);

#ifdef __cplusplus
}
#endif
#endif
