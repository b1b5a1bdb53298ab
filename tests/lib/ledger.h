/*
 * ledger.h - the oracle of the storms on real kernels: who was promised what.
 *
 * Writers (lib/busy.h) tell through one pipe what they are about to do, and
 * then what they were told in return; a note goes in one write, so several of
 * them can share the pipe, and a note that was written survives its writer.
 * The ledger lies in the memory of the process that kills, which is never
 * killed, and on no disk.  After a crash it holds the log to
 *
 *     acknowledged <= recovered <= attempted
 *
 * byte for byte: every acknowledged delta stands at its seq with its leaf; no
 * line but those attempted; a group whole, in one piece, or not at all; what
 * was seen in an opened log stays; a payload that was redacted stays away; the
 * store is never ahead of the log; after opening parity is CLEAN.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "paritylog_recovery.h"

#define LEDGER_GROUPS 1000
#define LEDGER_ENTRIES 8000
#define LEDGER_MOST 6 /* deltas in a group */

/* ---- Deltas, a function of their group's number -------------------------- */

unsigned ledger_count(unsigned group);
/* The text of delta `i`, into at least LEDGER_TEXT bytes; its length. */
#define LEDGER_TEXT 24000
size_t ledger_delta(char *out, unsigned group, unsigned i);

/* ---- Notes, from a writer ------------------------------------------------ */

enum ledger_kind {
    LEDGER_MADE,     /* init came back */
    LEDGER_OPENED,   /* so did open */
    LEDGER_ATTEMPT,  /* group `number` is about to be appended */
    LEDGER_DONE,     /* ... and was acknowledged, with `got` */
    LEDGER_DUE,      /* entry `number` is about to be redacted */
    LEDGER_REDACTED, /* ... and that was acknowledged */
    LEDGER_DID,      /* operation `text` came back with `code` */
    LEDGER_WRONG     /* ... which it may not */
};

struct ledger_note {
    uint32_t kind, number, count;
    int32_t code;
    struct ledger_got {
        uint64_t seq;
        unsigned char leaf[PLOG_HASH_SIZE];
    } got[LEDGER_MOST];
    char text[240];
};
void ledger_tell(int pipe, const struct ledger_note *note);

/* ---- The ledger ---------------------------------------------------------- */

struct ledger {
    char dir[512];
    char origin[40];
    uint64_t segment_size;
    int pipe[2]; /* notes are read from [0]; writers write to [1] */
    bool made;   /* init was acknowledged */
    /* The disk loses pages that were taken and never synced, and SQLite cannot
     * tell: the store may be found damaged, and is made anew from the log. */
    bool frail;
    unsigned long anew;
    /* The file system may be one that the kernel finds damaged by itself
     * (loopfs_sound): it says so in the middle of a call, and then `unsound` is
     * set and nothing is judged. */
    bool shaky, unsound;
    uint64_t seed;
    struct {
        bool attempted, acknowledged, counted;
        uint64_t first; /* its first seq; 0: not known */
    } groups[LEDGER_GROUPS];
    struct {
        bool known, due, redacted;
        unsigned char leaf[PLOG_HASH_SIZE];
    } entries[LEDGER_ENTRIES];
    uint64_t size; /* the greatest that was promised or seen */
    /* Of all logs together. */
    unsigned long logs, judged, torn, behind;
    unsigned long acked_groups, acked_deltas, lost_groups, kept_groups;
    unsigned long opened, notes, wrong;
    struct {
        char name[24];
        unsigned long done, refused;
    } ops[24];
};

/* Makes the pipe and clears the counts. */
bool ledger_init(struct ledger *l, uint64_t seed);
void ledger_close(struct ledger *l);
/* Whether the text of an error says that the file system is damaged. */
bool ledger_unsound(struct ledger *l, const char *message);
/* A new log, in `dir`, which is not there yet. */
void ledger_begin(struct ledger *l, const char *dir);
/* Takes the notes that are in the pipe; waits at most `wait_us` for one, and
 * returns whether there was any. */
bool ledger_take(struct ledger *l, int64_t wait_us);
/* Takes notes for so long. */
void ledger_listen(struct ledger *l, int64_t us);

/* With all writers dead and all notes taken: opens the log, and holds it to
 * the ledger.  `io` is the table to open with; NULL: the real one. */
void ledger_judge(struct ledger *l, const struct plog_io *io);
/* Prints operations and counts, as comments. */
void ledger_report(const struct ledger *l);

int64_t ledger_now_us(void);

#endif
