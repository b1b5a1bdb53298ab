/*
 * test_dir_relic.c - a directory without a log: what is left of one, what
 * cannot be looked at, and a keys/ that is none, as opening and init say it.
 * Nothing is made there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

static struct plog_io io; /* the real one, which the cases change */
static struct world w;
static struct plog_error err;
static const char *unseen; /* what nobody can look at */

static int failing_stat_at(void *ctx, int dir, const char *name,
                           struct plog_stat *out)
{
    return unseen && strcmp(name, unseen) == 0
               ? -EIO
               : plog_io_posix()->stat_at(ctx, dir, name, out);
}

/* An empty directory. */
static void set_up(void)
{
    static int next;
    io = *plog_io_posix();
    io.stat_at = failing_stat_at;
    unseen = NULL;
    memset(&w, 0, sizeof w);
    memset(&err, 0, sizeof err);
    snprintf(w.dir, sizeof w.dir, "%.400s/r%d", check_dir(), next++);
    CHECK_INT(mkdir(w.dir, 0700), 0);
}

static int init(void)
{
    struct plog_init_options o = {.struct_size = sizeof o, .io = &io};
    return plog_init(w.dir, &o, w.vkey, &err);
}

static int open_it(void)
{
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    plog *p = NULL;
    int rc = plog_open(&p, w.dir, &o, &err);
    CHECK(rc && !p);
    return rc;
}

static bool there(const char *name)
{
    struct stat st;
    return lstat(world_path(&w, name), &st) == 0;
}

static const char *const relics[] = {"store.db", "store.db-wal", "archive",
                                     "snapshots", "quarantine"};

/* Which one cannot be looked at is named. */
static void one_that_cannot_be_seen(void)
{
    for (int i = 0; i < 5; i++) {
        set_up();
        unseen = relics[i];
        CHECK_INT(open_it(), PLOG_E_IO);
        CHECK_TEXT(err.file, relics[i]);
        CHECK(strstr(err.message, "looking for a log") != NULL);
        CHECK_INT(init(), PLOG_E_IO);
        CHECK_TEXT(err.file, relics[i]);
        CHECK(!there("log") && !there("keys"));
    }
}

/* A folder for keys, in which there is none, makes no difference. */
static void beside_an_empty_keys(void)
{
    for (int i = 0; i < 5; i++) {
        set_up();
        CHECK_INT(mkdir(world_path(&w, "keys"), 0700), 0);
        CHECK_INT(mkdir(world_path(&w, relics[i]), 0700), 0);
        CHECK_INT(init(), PLOG_E_EXISTS);
        CHECK(strstr(err.message, relics[i]) != NULL);
        CHECK(!there("log") && !there("lock"));
        CHECK(!there("keys/signing.key"));
    }
}

/* As another system says of a link that it was told not to follow. */
static int open_no_link(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    int rc = plog_io_posix()->open_at(ctx, dir, name, flags, mode);
    return rc == -ENOTDIR ? -ELOOP : rc;
}

/* What is no folder is called by its name. */
static void keys_is_no_folder(void)
{
    for (int kind = 0; kind < 4; kind++) {
        set_up();
        const char *keys = world_path(&w, "keys");
        if (kind == 0)
            world_write(keys, "", 0);
        else
            CHECK_INT(symlink(kind == 1 ? "keys" : "none", keys), 0);
        if (kind == 3)
            io.open_at = open_no_link;
        CHECK_INT(init(), kind == 3 ? PLOG_E_IO : PLOG_E_NOTHING);
        if (kind == 3)
            CHECK_TEXT(err.file, "keys");
        else
            CHECK_TEXT(err.message, "there is no log here: keys is not a"
                                    " directory");
        CHECK(!there("store.db") && !there("keys/signing.key"));
    }
}

static int no_keys(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    return strcmp(name, "keys") == 0 && flags == (O_RDONLY | O_DIRECTORY)
               ? -EIO
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static int closes_what_is_open(void *ctx, int fd)
{
    CHECK(fd >= 0);
    return plog_io_posix()->close(ctx, fd);
}

/* Without log/: a folder for keys may be there, with those of others, but
 * where it cannot be looked into nothing is made. */
static void keys_that_cannot_be_seen(void)
{
    set_up();
    CHECK_INT(mkdir(world_path(&w, "keys"), 0700), 0);
    io.open_at = no_keys;
    io.close = closes_what_is_open;
    CHECK_INT(init(), PLOG_E_IO);
    CHECK_TEXT(err.file, "keys/signing.key");
    CHECK(!there("log"));
    io = *plog_io_posix();
    CHECK_INT(init(), 0);
    CHECK(there("keys/signing.key"));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"one that cannot be seen", one_that_cannot_be_seen},
        {"beside an empty keys", beside_an_empty_keys},
        {"keys is no folder", keys_is_no_folder},
        {"keys that cannot be seen", keys_that_cannot_be_seen},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
