/*
 * proc.h - the process around a command: standard handles, signals, waiting.
 *
 * An interrupt (SIGINT, SIGTERM) sets a flag that callbacks and loops ask for,
 * so that a command ends between two groups and can say what is durable.  A
 * second one kills: by design nothing is lost then either.
 */
#ifndef TOOLS_PROC_H
#define TOOLS_PROC_H

#include <stdbool.h>

/*
 * To be called first.  Standard handles that are closed are opened in a way
 * that using them fails, so that no file of ours ever gets their numbers.
 * SIGPIPE and SIGXFSZ are ignored: what they stand for becomes an error of
 * the write.  An interrupt that the caller ignores stays ignored.
 */
void proc_start(void);

/* Whether an interrupt arrived. */
bool proc_interrupted(void);

/*
 * Waits until reading `fd` would not block.
 * @timeout_ms  0: look only; < 0: without end
 * Returns 1 readable (or at its end, or broken), 0 not within the time, -1
 * interrupted.
 */
int proc_wait_input(int fd, int timeout_ms);

/*
 * Waits until standard output takes PIPE_BUF bytes.  After an interrupt not for
 * long: whoever reads gets the rest, and whoever does not cannot hold us.
 * Returns 1 it does (or is broken: writing says how), -1 interrupted.
 */
int proc_wait_output(void);

/* Whether nobody reads our standard output any more. */
bool proc_output_closed(void);

/* No core dump from here on: a signing key comes into memory. */
void proc_no_core(void);

/* Seconds of a clock that only goes forward. */
double proc_clock(void);

#endif
