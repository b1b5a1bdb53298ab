/*
 * io_files.h - files in a fresh directory, made and read by the I/O table of
 * the operating system, for the tests of that table and what stands on it.
 */
#ifndef IO_FILES_H
#define IO_FILES_H

int io_files_open(int dir, const char *name, int flags); /* as the table does */

/* Each fails the running case when it cannot. */
int io_files_dir(void); /* fresh, and open */
void io_files_put(int dir, const char *name, const char *text);
void io_files_check(int dir, const char *name, const char *want);

/* Runs `body` in a child; what it returns is the exit status. */
int io_files_in_child(int (*body)(int arg), int arg);

#endif
