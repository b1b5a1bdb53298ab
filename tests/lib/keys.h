/*
 * keys.h - a key that is always the same, directories with files of keys, and
 * an I/O table for them.
 *
 * A keys_rig is the real table with a counted heap, counted calls and a random
 * source that repeats, so that each may be made to fail at its n-th use.
 */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "key.h"

#define KEYS_ORIGIN "example.com/log"
#define KEYS_VKEY                                                              \
    KEYS_ORIGIN "+cc714670+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"
#define KEYS_SKEY                                                              \
    "PRIVATE+KEY+" KEYS_ORIGIN                                                 \
    "+cc714670+AZ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"
#define KEYS_OTHER_VKEY                                                        \
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

struct keys_rig {
    struct plog_io io;
    uint64_t random_state;
    const unsigned char *seed;    /* given out first, when set */
    long allocs_left, calls_left; /* < 0: never fail */
    bool random_fails;
    long randoms_left;
};

void keys_rig_init(struct keys_rig *r);

struct plog_signer keys_golden(void); /* of KEYS_SKEY */
bool keys_same(const struct plog_signer *a, const struct plog_signer *b);

int keys_dir(void); /* fresh, and open */
/* In place of what has the name. */
void keys_put(int dir, const char *name, const char *text, size_t n,
              mode_t mode);
void keys_put_text(int dir, const char *name, const char *text, mode_t mode);
unsigned keys_mode_of(int dir, const char *name); /* 0: there is none */
int keys_count(int dir);                          /* of its files */

/* Loading signing.key gives `want`, and an error that says `says`. */
void keys_check_load(int dir, int want, const char *says);

#endif
