/*
 * test_place_fails.c - a new folder that cannot be made or finished, or filled:
 * what is said of it, and what is there then; and the secret that was copied
 * into it.
 */
#include "place.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "orders.h"
#include "world.h"

static char top[500];      /* a folder */
static char new_path[600]; /* in it */
static struct plog_io io;  /* of which calls are replaced */
static struct plog_error err;

static void begin(void)
{
    snprintf(top, sizeof top, "%.400s", check_dir());
    snprintf(new_path, sizeof new_path, "%s/new", top);
    io = *plog_io_posix();
    memset(&err, 0, sizeof err);
}

static const char *in(const char *folder, const char *name)
{
    static char paths[3][1100];
    static unsigned next;
    char *path = paths[next++ % 3];
    snprintf(path, sizeof paths[0], "%.600s/%.400s", folder, name);
    return path;
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* ---- Made, and finished -----------------------------------------------------
 */

static int no_random(void *ctx, void *to, size_t n)
{
    (void)ctx;
    memset(to, 0, n);
    return -EIO;
}
static int no_folder(void *ctx, int dir, const char *name, uint32_t mode)
{
    (void)ctx, (void)dir, (void)name, (void)mode;
    return -EROFS;
}
static int no_lock(void *ctx, int fd, int mode)
{
    CHECK(fd >= 0);
    CHECK_INT(mode, 2);
    return mode ? -ENOLCK : plog_io_posix()->lock(ctx, fd, mode);
}

/* Without a name, a folder or a lock on it there is none: which of them is
 * said, and nothing is left. */
static void cannot_be_made(void)
{
    static const char *const messages[] = {
        "making a name: Input/output error",
        "making a directory: Read-only file system",
        "locking the new folder failed"};
    for (int i = 0; i < 3; i++) {
        struct plog_place p;
        begin();
        if (i == 0)
            io.random = no_random;
        if (i == 1)
            io.mkdir_at = no_folder;
        if (i == 2)
            io.lock = no_lock;
        CHECK_INT(plog_place_make(&p, &io, new_path, &err), PLOG_E_IO);
        CHECK_INT(err.code, PLOG_E_IO);
        CHECK_TEXT(err.message, messages[i]);
        plog_place_close(&p);
        CHECK(!is_there(new_path) && !is_there(in(top, "new.part-00000000")));
    }
}

/* The n-th sync of a folder fails; those of log/ and keys/ come first. */
static int syncs_left;
static int one_sync_fails(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return --syncs_left == 0 ? -EIO : 0;
}

/* Where a sync fails nothing has its name; with the last one, of the folder
 * around it, it has, and whoever asked for it hears that this may not last. */
static void each_sync_fails(void)
{
    for (int n = 1; n <= 5; n++) {
        struct plog_place p;
        char part[PLOG_DIR_PATH_MAX];
        begin();
        CHECK_INT(plog_place_make(&p, &io, new_path, &err), 0);
        memcpy(part, p.part, sizeof part);
        io.fsync = one_sync_fails;
        syncs_left = n;
        CHECK_INT(plog_place_finish(&p, &err), n < 5 ? PLOG_E_IO : 0);
        CHECK_INT(err.code, n < 5 ? PLOG_E_IO : 0);
        CHECK_TEXT(err.message,
                   n < 4   ? "syncing the new folder: Input/output error"
                   : n < 5 ? "syncing its parent: Input/output error"
                           : "");
        CHECK_TEXT(err.file, n < 5 ? new_path : "");
        CHECK_INT(syncs_left, n < 5 ? 0 : 1);
        CHECK_INT(is_there(new_path), n >= 4);
        CHECK_INT(is_there(part), n < 4);
        plog_place_close(&p);
        CHECK(!is_there(part));
        CHECK_INT(is_there(new_path), n >= 4);
        if (n >= 4)
            world_remove(new_path);
    }
}

/* ---- Filled -----------------------------------------------------------------
 */

/* A log from which something is copied, open; and a place. */
struct source {
    struct world w;
    struct plog_dir dir;
    struct plog_place p;
};

static void open_source(struct source *s)
{
    begin();
    memset(s, 0, sizeof *s);
    world_make(&s->w, PLOG_ARRIVAL, 0);
    world_close(&s->w);
    snprintf(top, sizeof top, "%.400s", s->w.dir);
    snprintf(new_path, sizeof new_path, "%s-new", top);
    CHECK_INT(plog_dir_open(&s->dir, plog_io_posix(), s->w.dir, PLOG_DIR_READ,
                            false, NULL),
              0);
    CHECK_INT(plog_place_make(&s->p, &io, new_path, &err), 0);
}

static void close_source(struct source *s)
{
    plog_place_close(&s->p);
    plog_dir_close(&s->dir);
}

static bool copied(const struct source *s, const char *name)
{
    return is_there(in(s->p.part, name));
}

static int mkdir_code;
static int no_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    (void)ctx, (void)dir;
    CHECK_TEXT(name, PLOG_ORDERS_DIR);
    CHECK_UINT(mode, 0700);
    return mkdir_code;
}

/* Where their folder cannot be made it is said why; that it is there already
 * is no reason. */
static void no_folder_for_orders(void)
{
    static const struct {
        int said;
        const char *message;
    } all[] = {{-ENOSPC, "No space left on device"},
               {-EROFS, "Read-only file system"},
               {-EEXIST, "No such file or directory"}}; /* a lie */
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct source s;
        char message[100];
        open_source(&s);
        CHECK_INT(mkdir(in(top, PLOG_ORDERS_DIR), 0700), 0);
        world_write(in(top, PLOG_ORDERS_DIR "/12"),
                    "c2sp.org/tlog-proof@v1\na", 24);
        io.mkdir_at = no_mkdir;
        mkdir_code = all[i].said;
        CHECK_INT(plog_place_orders(&s.p, &s.dir, &err), PLOG_E_IO);
        snprintf(message, sizeof message, "copying an order: %s",
                 all[i].message);
        CHECK_TEXT(err.message, message);
        CHECK_TEXT(err.file, PLOG_ORDERS_DIR "/12");
        CHECK_INT(plog_place_order(&s.p, 56, plog_span("d", 1), &err),
                  PLOG_E_IO);
        snprintf(message, sizeof message, "writing an order: %s",
                 all[i].message);
        CHECK_TEXT(err.message, message);
        CHECK_TEXT(err.file, PLOG_ORDERS_DIR);
        CHECK(!copied(&s, PLOG_ORDERS_DIR));
        close_source(&s);
    }
}

static char secret[200];          /* of keys/signing.key, a line */
static unsigned wiped, not_wiped; /* blocks of its length, when given back */

static void *spy_alloc(void *ctx, void *p, size_t n)
{
    size_t len = strlen(secret);
    if (p && n == 0 && malloc_usable_size(p) >= len) {
        const char *bytes = p;
        size_t zeros = 0;
        while (zeros < len && bytes[zeros] == 0)
            zeros++;
        wiped += zeros == len;
        not_wiped += memmem(p, malloc_usable_size(p), secret, len) != NULL;
    }
    return plog_io_posix()->alloc(ctx, p, n);
}

/* No copy of the secret stays in memory that others are given next. */
static void the_secret_is_wiped(void)
{
    struct source s;
    size_t n;
    open_source(&s);
    char *key = world_read(in(top, "keys/signing.key"), &n);
    snprintf(secret, sizeof secret, "%s", key);
    free(key);
    CHECK(n > 40 && n < sizeof secret);
    io.alloc = spy_alloc;
    wiped = not_wiped = 0;
    CHECK_INT(plog_place_keys(&s.p, &s.dir, true, &err), 0);
    CHECK_UINT(wiped, 1);
    CHECK_UINT(not_wiped, 0);
    io.alloc = plog_io_posix()->alloc;
    close_source(&s);
}

/* The disk that is full is that of the new path, and not of the log. */
static void on_a_full_disk(void)
{
    struct source s;
    open_source(&s);
    memset(&err, 0, sizeof err);
    plog_fail_io(&err, -EIO, "keys/x", "copying");
    plog_place_say_full(&s.p, &err);
    CHECK(strstr(err.hint, "new path") == NULL);
    plog_fail_io(&err, -ENOSPC, "keys/x", "copying");
    plog_place_say_full(&s.p, &err);
    CHECK(strstr(err.hint, s.p.path) != NULL);
    CHECK(strstr(err.hint, "another disk") != NULL);
    close_source(&s);
    s.p.part[0] = '\0'; /* where none was begun it is not that disk */
    plog_fail_io(&err, -ENOSPC, "keys/x", "copying");
    plog_place_say_full(&s.p, &err);
    CHECK(plog_err_no_room(&err));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"cannot be made", cannot_be_made},
        {"each sync fails", each_sync_fails},
        {"no folder for orders", no_folder_for_orders},
        {"on a full disk", on_a_full_disk},
        {"the secret is wiped", the_secret_is_wiped},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
