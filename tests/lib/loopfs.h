/*
 * loopfs.h - a file system of one's own, on a loop device over memory, whose
 * power can be cut.
 *
 * It lives in a mount namespace of this process and its children, over a file
 * without a name, and the loop device frees itself: however the process ends,
 * nothing is left mounted and no device is left in use.
 */
#ifndef LOOPFS_H
#define LOOPFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loopfs {
    char device[600]; /* /dev/loopN, or a node of our own */
    int number;       /* N */
    char type[8];     /* ext4, xfs */
    char at[512];     /* where it is mounted */
    int loop, memory; /* the device, and what it lies on */
    bool mounted;
    int request_kib; /* that the device took at once before; 0: unchanged */
};

/* Gives this process mounts of its own.  NULL, or why that cannot be. */
const char *loopfs_private(void);
/* Whether a file system of `type` can be made here; NULL, or why not. */
const char *loopfs_lacks(const char *type);

/* Sets `fs` up over `memory`, an open file of `size` bytes.  NULL or why. */
const char *loopfs_attach(struct loopfs *fs, int memory, const char *at);
/* Makes the device take whole pages, and one at a time.  Over memory that runs
 * out Linux takes a request of which only the beginning was written for a good
 * one (seen with 6.18): no sync would ever say so. */
const char *loopfs_whole_pages(struct loopfs *fs);
/* Makes a file system; `options` of mkfs, NULL-ended.  NULL or why. */
const char *loopfs_format(struct loopfs *fs, const char *type,
                          const char *const *options);
/* 0 or a negative errno value. */
int loopfs_mount(struct loopfs *fs, const char *options);
int loopfs_unmount(struct loopfs *fs);
/* Reads each of its files and lists each folder.  0, or -EBADMSG or -EUCLEAN
 * when the kernel finds its own data about one damaged: seen of ext4
 * (Linux 6.18) after a power cut by ioctl, once in some thousand; nothing is to
 * be said of a log there. */
int loopfs_sound(const struct loopfs *fs);
/* Unmounts and lets go of device and memory. */
void loopfs_detach(struct loopfs *fs);

/* Pulls the plug: what was not synced is gone, data and names. `keep_names`:
 * the journal is written out first, and only data is lost. */
int loopfs_cut(struct loopfs *fs, bool keep_names);

/* ---- Memory that runs out ------------------------------------------------ */

/* Mounts a tmpfs of `bytes`, or gives the one there another size, `bytes` above
 * what is used now.  0 or a negative errno value. */
int loopfs_tmpfs(const char *at, uint64_t bytes);
int loopfs_tmpfs_room(const char *at, uint64_t bytes);
void loopfs_tmpfs_end(const char *at);

/* Runs a program quietly; its exit status. */
int loopfs_run(const char *const *argv);

#endif
