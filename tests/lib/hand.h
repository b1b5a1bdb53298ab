/*
 * hand.h - a log written by hand, segment by segment, in memory: also what
 * only a holder of the key can write; and a scan of it, whose reads and
 * allocations fail where a test says so.
 *
 * The scan alone is asked, as walk.c asks it.  One for the process.
 */
#ifndef HAND_H
#define HAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan_window.h"

#define HAND_AT "2026-01-02T03:04:05.000000Z"
#define HAND_ARRIVAL "{\"strategy\":\"arrival\"}"
#define HAND_LONGEST (PLOG_LINE_MAX + PLOG_LINE_SLACK)
#define HAND_FAR_LINE ((size_t)16 << 20)

struct hand {
    struct plog_io io;
    struct plog_buf file;
    uint64_t shows;    /* bytes of it that reading gives */
    uint64_t fails_at; /* reading beyond it is an error; 0: never */
    long allocations;  /* that succeed; < 0: all */
    long reads_left;   /* then `shows` becomes `later_shows` */
    uint64_t later_shows, later_fails_at;
    bool with_lines; /* beyond what is in memory: LFs, HAND_FAR_LINE apart */

    struct plog_signer a, b, copy; /* a signs; copy has another name */
    struct plog_tree tree;
    struct plog_commit last;
    struct plog_keyring ring;
    struct plog_chain chain;
    struct plog_scan s;
    struct plog_log_group group;
};

extern struct hand hand;

/* The first segment up to its first group, which is init. */
void hand_begin(void);
void hand_end(void);
void hand_forget(void); /* the signers, before the program ends */

/* Each appends to the file. */
void hand_add(const char *text);
void hand_add_many(char c, size_t n);
void hand_entry(enum plog_control control, const char *args, bool opens);
void hand_text_entry(const char *text);
void hand_commit(const struct plog_signer *by);
void hand_good_group(void);
void hand_header(const char *origin);
void hand_restore(uint64_t size, const struct plog_signer *old);
/* Over the first `what` that is there. */
void hand_set(const char *what, const char *to);

void hand_open(bool is_last);
/* Reads header and groups; the first code that is not 0. */
int hand_read_all(bool is_last);
void hand_next_segment(void); /* when all of this one is read */
/* Reads the second segment with the chain of the first. */
int hand_read_next(uint64_t first);
bool hand_says(const char *what); /* the fault of the scan */

#endif
