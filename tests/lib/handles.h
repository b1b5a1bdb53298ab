/*
 * handles.h - whether every handle of the process is closed, and once: check.h
 * looks at both after each case.
 */
#ifndef HANDLES_H
#define HANDLES_H

/* close(2), counted: for a test that stands there itself. */
int handles_close(int fd);
/* How often close(2) was given a handle that is not open: with threads that is
 * another one's, sooner or later. */
unsigned handles_not_open(void);
/* So many of them were meant. */
void handles_forgive(unsigned closed);
/* How many are open. */
unsigned handles_open(void);

#endif
