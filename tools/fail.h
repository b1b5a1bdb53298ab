/*
 * fail.h - how errors are said: one form for people, one for programs.
 *
 * With --json an error is one line on standard error,
 * {"error":{"code","message","hint","file","line","offset","durable":{…}}};
 * members that are not known are left out.
 */
#ifndef TOOLS_FAIL_H
#define TOOLS_FAIL_H

#include "cli.h"

/* What a command knows beyond the library's error. */
struct fail_more {
    bool has_durable;
    uint64_t lines; /* of the input that are durable, from its beginning */
    uint64_t size;  /* of the log */
    unsigned char root[PLOG_HASH_SIZE];
    uint64_t column; /* byte in the line, from 1; 0: unknown */
};

/*
 * Says why a call failed and returns the exit status.  When standard output
 * is broken that is the reason, whatever the call made of it.
 * @rc    what the call returned
 * @more  may be NULL
 */
int fail(struct cli *c, int rc, const struct plog_error *err,
         const struct fail_more *more);

/* What to do next: that of the error, or what goes for every `code`; never
 * NULL. */
const char *fail_hint(int code, const struct plog_error *err);

/* Says what is wrong with the command line; returns 2. */
int fail_usage(struct cli *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Fills `err` and returns `code`: for what a command finds itself. */
int fail_set(struct plog_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same of a file of the caller's that errno `why` kept from being read or
 * written: that is put behind the text, and what to do by it is the hint. */
int fail_errno(struct plog_error *err, int why, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A remark on standard error that does not end the command; with --json a line
 * {"note":"..."}. */
void fail_note(const struct cli *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
