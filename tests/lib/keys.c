/* keys.c - see keys.h. */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "io.h"

static bool spent(long *left)
{
    if (*left <= 0)
        return *left == 0; /* and so on: it stays broken */
    (*left)--;
    return false;
}

static void *rig_alloc(void *ctx, void *p, size_t n)
{
    struct keys_rig *r = ctx;
    if (n > 0 && spent(&r->allocs_left))
        return NULL;
    return plog_io_posix()->alloc(NULL, p, n);
}

static int rig_random(void *ctx, void *buf, size_t n)
{
    struct keys_rig *r = ctx;
    if (r->random_fails || spent(&r->randoms_left))
        return -EIO;
    for (size_t i = 0; i < n; i++) {
        uint64_t any = check_random(&r->random_state);
        ((unsigned char *)buf)[i] = r->seed ? r->seed[i] : (unsigned char)any;
    }
    r->seed = NULL;
    return 0;
}

static int rig_open_at(void *ctx, int dir, const char *name, int flags,
                       uint32_t mode)
{
    struct keys_rig *r = ctx;
    if (spent(&r->calls_left))
        return -EIO;
    return plog_io_posix()->open_at(NULL, dir, name, flags, mode);
}

static int64_t rig_pwrite(void *ctx, int fd, const void *p, size_t n,
                          uint64_t offset)
{
    struct keys_rig *r = ctx;
    if (spent(&r->calls_left))
        return -EIO;
    return plog_io_posix()->pwrite(NULL, fd, p, n > 16 ? 16 : n, offset);
}

static int rig_fdatasync(void *ctx, int fd)
{
    struct keys_rig *r = ctx;
    return spent(&r->calls_left) ? -EIO : plog_io_posix()->fdatasync(NULL, fd);
}

static int rig_fsync(void *ctx, int fd)
{
    struct keys_rig *r = ctx;
    return spent(&r->calls_left) ? -EIO : plog_io_posix()->fsync(NULL, fd);
}

static int rig_rename_at(void *ctx, int old_dir, const char *old_name,
                         int new_dir, const char *new_name, bool replace)
{
    struct keys_rig *r = ctx;
    if (spent(&r->calls_left))
        return -EIO;
    return plog_io_posix()->rename_at(NULL, old_dir, old_name, new_dir,
                                      new_name, replace);
}

void keys_rig_init(struct keys_rig *r)
{
    memset(r, 0, sizeof *r);
    r->io = *plog_io_posix();
    r->io.ctx = r;
    r->io.alloc = rig_alloc;
    r->io.random = rig_random;
    r->io.open_at = rig_open_at;
    r->io.pwrite = rig_pwrite;
    r->io.fdatasync = rig_fdatasync;
    r->io.fsync = rig_fsync;
    r->io.rename_at = rig_rename_at;
    r->random_state = check_seed();
    r->allocs_left = r->calls_left = r->randoms_left = -1;
}

struct plog_signer keys_golden(void)
{
    struct plog_signer s;
    CHECK_INT(plog_signer_parse(&s, plog_span_text(KEYS_SKEY), NULL, NULL), 0);
    return s;
}

bool keys_same(const struct plog_signer *a, const struct plog_signer *b)
{
    return a->secret && b->secret && !sodium_memcmp(a->secret, b->secret, 64) &&
           !strcmp(a->vkey.name, b->vkey.name) &&
           !memcmp(a->vkey.public_key, b->vkey.public_key, 32) &&
           !memcmp(a->vkey.id, b->vkey.id, 4) &&
           !strcmp(a->vkey.id_text, b->vkey.id_text);
}

static int open_dir(const char *path)
{
    int fd = plog_io_posix()->open_at(NULL, AT_FDCWD, path,
                                      O_RDONLY | O_DIRECTORY, 0);
    CHECK(fd >= 0);
    return fd;
}

int keys_dir(void)
{
    return open_dir(check_dir());
}

void keys_put(int dir, const char *name, const char *text, size_t n,
              mode_t mode)
{
    unlinkat(dir, name, 0);
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0 && write(fd, text, n) == (ssize_t)n);
    CHECK(fchmod(fd, mode) == 0);
    close(fd);
}

void keys_put_text(int dir, const char *name, const char *text, mode_t mode)
{
    keys_put(dir, name, text, strlen(text), mode);
}

unsigned keys_mode_of(int dir, const char *name)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
        return 0;
    return st.st_mode & 07777;
}

static int count_name(void *arg, const char *name)
{
    (void)name;
    ++*(int *)arg;
    return 0;
}

int keys_count(int dir)
{
    int n = 0;
    CHECK_INT(plog_io_posix()->list(NULL, dir, count_name, &n), 0);
    return n;
}

void keys_check_load(int dir, int want, const char *says)
{
    struct plog_signer s;
    struct plog_error err;
    memset(&err, 0, sizeof err);
    CHECK_INT(plog_signer_load(&s, plog_io_posix(), dir, NULL, &err), want);
    CHECK((want == 0) == (s.secret != NULL));
    if (want) {
        CHECK_INT(err.code, want);
        CHECK_TEXT(err.file, "keys/signing.key");
        CHECK(!strstr(err.message, "AZ1hsZ3v")); /* no secret in it */
        if (!check_true(strstr(err.message, says) != NULL, says, __FILE__,
                        __LINE__))
            printf("# said: %s\n", err.message);
    }
    plog_signer_fini(&s);
}
