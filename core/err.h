/*
 * err.h - filling a struct plog_error.
 *
 * The first error wins: a function that fails while cleaning up after a
 * failure passes NULL.
 */
#ifndef PLOG_ERR_H
#define PLOG_ERR_H

#include <stdarg.h>

#include "paritylog.h"

/* Clears `err`, sets code and message, returns `code`.  `err` may be NULL. */
int plog_fail(struct plog_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As plog_fail for a negative errno `rc` from the I/O table, with the name of
 * the file (NULL: none) and what was tried; the code is PLOG_E_NOMEM for
 * -ENOMEM, else PLOG_E_IO.  Where the value itself says what to do, that is the
 * hint. */
int plog_fail_io(struct plog_error *err, int rc, const char *file,
                 const char *doing);

/* The hint of a full disk, and whether an error is of one. */
#define PLOG_MAKE_ROOM                                                         \
    "make room on this disk, and delete nothing of DIR for it"
bool plog_err_no_room(const struct plog_error *err);

/* Gives PLOG_E_NOMEM its text where it comes from a place without an `err`.
 * Returns `rc`. */
int plog_say_nomem(struct plog_error *err, int rc);

/* What a public function ends with: the above, and no error where it did not
 * fail, such as one that was met on the way and dealt with, or that the caller
 * had left there.  Returns `rc`. */
int plog_done(struct plog_error *err, int rc);

/* The hint of a lock, for a program and for the command. */
#define PLOG_WAIT_LONGER "wait longer: wait_seconds, or --wait SECONDS"

/* What a callback that stops a call said, which is returned as it is: when it
 * looks like an error, `err` must tell of it, and not of an earlier call. */
int plog_stopped(struct plog_error *err, int answer);

/*
 * Copies a caller's versioned struct, whose first member is its size.  What an
 * older caller does not know is 0; what a newer one asks for and this version
 * does not have is refused unless it is 0.
 * @own       out, `own_size` bytes, with that as its size: it may be given on
 * @given     the caller's, or NULL: all 0
 * Returns 0 or PLOG_E_ARG.
 */
PLOG_MUST_CHECK int plog_take_options(void *own, size_t own_size,
                                      const void *given,
                                      struct plog_error *err);

/* Adds detail to an error just set; each returns err->code, or `code` of a
 * NULL err is lost, so use them as statements. */
/* An entry that was compacted away: names the floor, the earliest seq that can
 * be read, and the snapshot.  Returns PLOG_E_PRUNED. */
int plog_fail_pruned(struct plog_error *err, uint64_t seq, uint64_t floor);
void plog_err_hint(struct plog_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void plog_err_file(struct plog_error *err, const char *file);
void plog_err_at(struct plog_error *err, const char *file, uint64_t offset);
void plog_err_seq(struct plog_error *err, uint64_t seq);
void plog_err_line(struct plog_error *err, uint64_t line);
void plog_err_member(struct plog_error *err, const char *member);
void plog_err_index(struct plog_error *err, uint64_t index);

#endif
