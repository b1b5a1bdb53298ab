/* loopfs.c - see loopfs.h. */
#include "loopfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are the same number. */
#define SHUT_DOWN _IOR('X', 125, uint32_t)
#define KEEP_JOURNAL 1u
#define DROP_JOURNAL 2u

const char *loopfs_private(void)
{
    if (geteuid() != 0)
        return "only root may mount";
    if (unshare(CLONE_NEWNS))
        return "no mount namespace of its own is to be had here";
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
        return "mounts cannot be made private here";
    return NULL;
}

int loopfs_run(const char *const *argv)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        int nothing = open("/dev/null", O_RDWR);
        dup2(nothing, 0);
        dup2(nothing, 1);
        dup2(nothing, 2);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const char *loopfs_lacks(const char *type)
{
    static char why[80];
    char mkfs[40];
    const char *argv[] = {mkfs, "-V", NULL};
    snprintf(mkfs, sizeof mkfs, "mkfs.%s", type);
    if (access("/dev/loop-control", R_OK | W_OK))
        return "there is no /dev/loop-control";
    if (loopfs_run(argv) == 0)
        return NULL;
    snprintf(why, sizeof why, "%s is not installed", mkfs);
    return why;
}

/* ---- The device --------------------------------------------------------- */

/* Where /dev is not the kernel's own, a new device has no node there. */
static void open_device(struct loopfs *fs, int n)
{
    fs->number = n;
    snprintf(fs->device, sizeof fs->device, "/dev/loop%d", n);
    if (access(fs->device, F_OK)) {
        snprintf(fs->device, sizeof fs->device, "%.500s-loop%d", fs->at, n);
        mknod(fs->device, S_IFBLK | 0600, makedev(7, (unsigned)n));
    }
    fs->loop = open(fs->device, O_RDWR | O_CLOEXEC);
}

/* Another process may take the free one first. */
static const char *take_device(struct loopfs *fs, int control)
{
    for (int tries = 0; tries < 50; tries++) {
        int n = ioctl(control, LOOP_CTL_GET_FREE);
        if (n < 0)
            return "no loop device is free";
        struct loop_config c = {.fd = (uint32_t)fs->memory,
                                .block_size = 512,
                                .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
        open_device(fs, n);
        if (fs->loop < 0)
            return "a loop device cannot be opened";
        if (ioctl(fs->loop, LOOP_CONFIGURE, &c) == 0)
            return NULL;
        bool taken = errno == EBUSY;
        close(fs->loop);
        fs->loop = -1;
        if (!taken)
            return "a loop device cannot be set up";
    }
    return "every free loop device was taken by others";
}

/* Reads (value < 0) or sets how many KiB a request may have. */
static int request_size(const struct loopfs *fs, int value)
{
    char path[80], text[16] = "";
    snprintf(path, sizeof path, "/sys/block/loop%d/queue/max_sectors_kb",
             fs->number);
    int fd = open(path, value < 0 ? O_RDONLY : O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (value >= 0)
        snprintf(text, sizeof text, "%d", value);
    ssize_t n = value < 0 ? read(fd, text, sizeof text - 1)
                          : write(fd, text, strlen(text));
    close(fd);
    return n > 0 ? atoi(text) : -1;
}

const char *loopfs_whole_pages(struct loopfs *fs)
{
    int before = request_size(fs, -1);
    if (ioctl(fs->loop, LOOP_SET_BLOCK_SIZE, 4096UL) ||
        request_size(fs, 4) != 4)
        return "the size of requests to a loop device cannot be set";
    fs->request_kib = before;
    return NULL;
}

const char *loopfs_attach(struct loopfs *fs, int memory, const char *at)
{
    memset(fs, 0, sizeof *fs);
    fs->loop = -1;
    fs->memory = memory;
    snprintf(fs->at, sizeof fs->at, "%s", at);
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        return "/dev/loop-control cannot be opened";
    const char *why = take_device(fs, control);
    close(control);
    if (!why && mkdir(at, 0700) && errno != EEXIST)
        why = "a place to mount it cannot be made";
    return why;
}

void loopfs_detach(struct loopfs *fs)
{
    loopfs_unmount(fs);
    if (fs->loop >= 0 && fs->request_kib > 0)
        request_size(fs, fs->request_kib);
    fs->request_kib = 0;
    if (fs->loop >= 0)
        close(fs->loop);
    fs->loop = -1;
}

/* ---- The file system ---------------------------------------------------- */

const char *loopfs_format(struct loopfs *fs, const char *type,
                          const char *const *options)
{
    char mkfs[40];
    const char *argv[24] = {mkfs, "-q"};
    size_t n = 2;
    snprintf(mkfs, sizeof mkfs, "mkfs.%s", type);
    snprintf(fs->type, sizeof fs->type, "%s", type);
    while (*options && n < 20)
        argv[n++] = *options++;
    argv[n] = fs->device;
    return loopfs_run(argv) ? "mkfs failed" : NULL;
}

int loopfs_mount(struct loopfs *fs, const char *options)
{
    if (mount(fs->device, fs->at, fs->type, MS_NOATIME, options))
        return -errno;
    fs->mounted = true;
    return 0;
}

/* What was killed may take a moment to let go of its files. */
/* Reads a file and where it lies, also behind its end, or lists a folder, as
 * far as it goes. */
static int try_one(const char *path, const struct stat *st, int type,
                   struct FTW *ftw)
{
    (void)st, (void)ftw;
    if (type == FTW_SL)
        return 0;
    struct fiemap map = {.fm_length = FIEMAP_MAX_OFFSET};
    char part[65536];
    errno = 0;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = type == FTW_F || fd < 0 ? NULL : fdopendir(fd);
    while (dir ? readdir(dir) != NULL : read(fd, part, sizeof part) > 0)
        ;
    if (!dir && fd >= 0 && errno == 0)
        ioctl(fd, FS_IOC_FIEMAP, &map);
    int why = errno;
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    return why == EBADMSG || why == EUCLEAN ? why : 0;
}

int loopfs_sound(const struct loopfs *fs)
{
    int rc = nftw(fs->at, try_one, 16, FTW_PHYS | FTW_MOUNT);
    return rc > 0 ? -rc : 0;
}

int loopfs_unmount(struct loopfs *fs)
{
    struct timespec moment = {0, 1000000};
    int tries = 2000;
    if (!fs->mounted)
        return 0;
    while (umount2(fs->at, UMOUNT_NOFOLLOW)) {
        if (errno != EBUSY || --tries == 0)
            return -errno;
        nanosleep(&moment, NULL);
    }
    fs->mounted = false;
    /* What the kernel remembers of the device is not what is on it: blocks of
     * a transaction that the cut took must be read anew.  It writes nothing
     * that the file system did not mean to be on disk by now. */
    return ioctl(fs->loop, BLKFLSBUF, 0) ? -errno : 0;
}

int loopfs_cut(struct loopfs *fs, bool keep_names)
{
    uint32_t how = keep_names ? KEEP_JOURNAL : DROP_JOURNAL;
    int fd = open(fs->at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || ioctl(fd, SHUT_DOWN, &how) ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return rc;
}

/* ---- Memory that runs out ----------------------------------------------- */

static int tmpfs(const char *at, uint64_t bytes, unsigned long flags)
{
    char size[64];
    snprintf(size, sizeof size, "size=%" PRIu64, bytes);
    return mount("tmpfs", at, "tmpfs", flags, size) ? -errno : 0;
}

int loopfs_tmpfs(const char *at, uint64_t bytes)
{
    if (mkdir(at, 0700) && errno != EEXIST)
        return -errno;
    return tmpfs(at, bytes, 0);
}

int loopfs_tmpfs_room(const char *at, uint64_t bytes)
{
    struct statvfs st;
    int rc = -EINVAL;
    /* Whoever writes meanwhile needs more than was counted. */
    for (int i = 0; rc == -EINVAL && i < 100; i++) {
        if (statvfs(at, &st))
            return -errno;
        rc = tmpfs(at, (st.f_blocks - st.f_bfree) * st.f_frsize + bytes,
                   MS_REMOUNT);
    }
    return rc;
}

void loopfs_tmpfs_end(const char *at)
{
    umount2(at, MNT_DETACH | UMOUNT_NOFOLLOW);
}
