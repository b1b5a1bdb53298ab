/*
 * test_archive.c - segments in archive/: an archive that is not the log's, and
 * every call failing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "check.h"
#include "gz.h"

/* ---- A table that is made to fail --------------------------------------- */

static struct plog_io io;
static struct plog_dir d;
static struct plog_error err;
static char path[600];
static bool brought;
static long left; /* calls until one fails; < 0: none does */

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

static int64_t failing_pread(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    return fails() ? -EIO : plog_io_posix()->pread(ctx, fd, p, n, at);
}

static int64_t failing_pwrite(void *ctx, int fd, const void *p, size_t n,
                              uint64_t at)
{
    return fails() ? -ENOSPC : plog_io_posix()->pwrite(ctx, fd, p, n, at);
}

static int failing_fdatasync(void *ctx, int fd)
{
    return fails() ? -EIO : plog_io_posix()->fdatasync(ctx, fd);
}

static int failing_fsync(void *ctx, int fd)
{
    return fails() ? -EIO : plog_io_posix()->fsync(ctx, fd);
}

static int failing_rename(void *ctx, int a, const char *from, int b,
                          const char *to, bool replace)
{
    return fails() ? -EIO
                   : plog_io_posix()->rename_at(ctx, a, from, b, to, replace);
}

static int failing_stat(void *ctx, int fd, struct plog_stat *out)
{
    return fails() ? -EIO : plog_io_posix()->stat(ctx, fd, out);
}

static void no_failures(void)
{
    io = *plog_io_posix();
    left = -1;
}

static const char *below(const char *name)
{
    static char out[2][800];
    static int next;
    snprintf(out[++next % 2], sizeof out[0], "%s/%s", path, name);
    return out[next % 2];
}

static void put(const char *name, const char *p, size_t n)
{
    int fd = open(below(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, p, n), n);
    close(fd);
}

static size_t get(const char *name, char *p, size_t cap)
{
    int fd = open(below(name), O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, p, cap);
    CHECK(n >= 0);
    close(fd);
    return n < 0 ? 0 : (size_t)n;
}

static bool there(const char *name)
{
    struct stat st;
    return lstat(below(name), &st) == 0;
}

#define LARGE 150000
static char in[LARGE], out[2 * LARGE];

/* What deflate makes no smaller. */
static void fill(void)
{
    uint64_t state = check_seed();
    for (size_t i = 0; i < LARGE; i++)
        in[i] = (char)check_random(&state);
}

/* ---- Segments ----------------------------------------------------------- */

#define NAME "00000000000000000007"
#define SEGMENT "log/" NAME ".jsonl"
#define PACKED "archive/" NAME ".jsonl.gz"

static void set_up(void)
{
    static int next;
    no_failures();
    memset(&err, 0, sizeof err);
    memset(&d, 0, sizeof d);
    snprintf(path, sizeof path, "%.500s/a%d", check_dir(), next++);
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK_INT(mkdir(below("log"), 0700), 0);
    d.io = &io;
    d.dir = open(path, O_RDONLY | O_DIRECTORY);
    d.log = open(below("log"), O_RDONLY | O_DIRECTORY);
    fill();
    put(SEGMENT, in, LARGE);
}

static void tear_down(void)
{
    close(d.log);
    close(d.dir);
}

static bool is_whole(const char *name)
{
    size_t n = get(name, out, sizeof out);
    return n == LARGE && memcmp(in, out, n) == 0;
}

/* What is expanded of the archive is the segment. */
static bool archive_is_whole(void)
{
    struct plog_stat st;
    int fd;
    bool same = plog_archive_open(&d, 7, &fd, &st, &err) == 0;
    if (same) {
        same = st.size == LARGE && pread(fd, out, sizeof out, 0) == LARGE &&
               memcmp(in, out, LARGE) == 0;
        close(fd);
    }
    return same;
}

static void there_and_back(void)
{
    uint64_t bytes = 0;
    struct plog_buf list;
    set_up();
    plog_buf_init(&list, &io);
    CHECK_INT(plog_archive_segments(&d, &list, &err), 0); /* no folder yet */
    CHECK_UINT(list.len, 0);
    CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), 0);
    CHECK(archive_is_whole());
    CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), 0); /* is there */
    CHECK_INT(plog_archive_segment(&d, 7, &bytes, NULL, &err), 0);
    struct stat st;
    CHECK_INT(lstat(below(PACKED), &st), 0);
    CHECK_UINT(bytes, st.st_size);
    put("archive/other", "", 0); /* a name that is none of ours */
    put("archive/" NAME ".jsonl.gz.new", "", 0);
    put("archive/x0000000000000000007.jsonl.gz", "", 0);
    CHECK_INT(plog_archive_segments(&d, &list, &err), 0);
    CHECK_UINT(plog_segment_count(&list), 1);
    CHECK_UINT(plog_segment_at(&list, 0), 7);
    plog_buf_fini(&list);
    CHECK_INT(plog_archive_restore(&d, 7, &brought, &err), 0);
    CHECK(!brought); /* nothing to do */
    CHECK_INT(unlink(below(SEGMENT)), 0);
    CHECK_INT(plog_archive_restore(&d, 7, &brought, &err), 0);
    CHECK(brought);
    CHECK(is_whole(SEGMENT));
    tear_down();
}

static int pack(int fd, const char *p, size_t n)
{
    struct plog_gz g;
    int rc = plog_gz_create(&g, &io, fd, 6, &err);
    if (!rc)
        rc = plog_gz_write(&g, p, n, &err);
    if (!rc)
        rc = plog_gz_finish(&g, &err);
    plog_gz_close(&g);
    return rc;
}

static int packing_fd(void)
{
    return open(below(PACKED), O_RDWR | O_CREAT | O_TRUNC, 0600);
}

/* An archived segment that is not the one of the log is made anew, or the
 * segment would be taken away with nothing of it left. */
static void another_segment_in_the_archive(void)
{
    for (int row = 0; row < 6; row++) {
        size_t n = LARGE;
        set_up();
        CHECK_INT(mkdir(below("archive"), 0700), 0);
        memcpy(out, in, LARGE);
        out[LARGE] = 'x';
        if (row < 3)
            out[row == 0 ? 0 : row == 1 ? 65536 : LARGE - 1] ^= 1;
        else if (row < 5)
            n = row == 3 ? LARGE - 1 : LARGE + 1;
        int fd = packing_fd();
        CHECK_INT(pack(fd, out, n), 0);
        if (row == 5)
            CHECK_INT(pwrite(fd, "damage", 6, 5000), 6);
        close(fd);
        CHECK(!archive_is_whole());
        CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), 0);
        CHECK(archive_is_whole());
        tear_down();
    }
}

static int no_look(void *ctx, int dir, const char *name, struct plog_stat *st)
{
    (void)ctx, (void)dir, (void)name, (void)st;
    return -EIO;
}

/* Whether something has the name is not known: it stays, whoever's it is. */
static void a_name_that_cannot_be_looked_at(void)
{
    set_up();
    CHECK_INT(mkdir(below("archive"), 0700), 0);
    put(PACKED, "another's", 9);
    io.stat_at = no_look;
    CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), PLOG_E_IO);
    CHECK_UINT(get(PACKED, out, sizeof out), 9);
    CHECK(memcmp(out, "another's", 9) == 0);
    CHECK(!there(PACKED ".new"));
    no_failures();
    CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), 0);
    CHECK(archive_is_whole());
    CHECK(there("quarantine"));
    put(SEGMENT, "his", 3);
    io.stat_at = no_look;
    brought = true;
    CHECK_INT(plog_archive_restore(&d, 7, &brought, &err), PLOG_E_IO);
    CHECK(!brought);
    CHECK_TEXT(err.file, NAME ".jsonl");
    CHECK_UINT(get(SEGMENT, out, sizeof out), 3);
    no_failures();
    tear_down();
}

static int no_new_file(void *ctx, int dir, const char *name, int flags,
                       uint32_t mode)
{
    return flags & O_CREAT
               ? -ENOSPC
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Nor is anything expanded into a file that could not be made. */
static void no_room_for_a_name(void)
{
    set_up();
    CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), 0);
    CHECK_INT(unlink(below(SEGMENT)), 0);
    io.open_at = no_new_file;
    CHECK_INT(plog_archive_restore(&d, 7, &brought, &err), PLOG_E_IO);
    CHECK(strstr(err.message, "making a file") != NULL);
    CHECK(!there(SEGMENT));
    no_failures();
    CHECK_INT(plog_archive_restore(&d, 7, &brought, &err), 0);
    CHECK(is_whole(SEGMENT));
    tear_down();
}

/* It fails, and has written something there. */
static int odd_stat(void *ctx, int fd, struct plog_stat *st)
{
    int rc = plog_io_posix()->stat(ctx, fd, st);
    if (rc || st->size == LARGE) /* the segment itself */
        return rc;
    st->size = UINT64_MAX / 3;
    return -EIO;
}

/* What is durable is so, also where nobody can tell how long it is. */
static void of_unknown_size(void)
{
    struct stat st;
    uint64_t bytes = 0;
    set_up();
    io.stat = odd_stat;
    CHECK_INT(plog_archive_segment(&d, 7, &bytes, NULL, &err), 0);
    CHECK_UINT(bytes, 0);
    no_failures();
    CHECK(archive_is_whole());
    CHECK_INT(unlink(below(PACKED)), 0);
    CHECK_INT(plog_archive_segment(&d, 7, &bytes, NULL, &err), 0);
    CHECK_INT(lstat(below(PACKED), &st), 0);
    CHECK_UINT(bytes, st.st_size);
    CHECK(bytes > LARGE / 2);
    tear_down();
}

static void odd_archives(void)
{
    struct plog_stat st;
    int fd;
    for (int kind = 0; kind < 6; kind++) {
        set_up();
        memset(&err, 0, sizeof err);
        CHECK_INT(unlink(below(SEGMENT)), 0);
        if (kind)
            CHECK_INT(mkdir(below("archive"), 0700), 0);
        if (kind == 2)
            CHECK_INT(mkdir(below(PACKED), 0700), 0);
        if (kind == 3)
            CHECK_INT(symlink("x", below(PACKED)), 0);
        if (kind == 4)
            CHECK_INT(mkfifo(below(PACKED), 0600), 0);
        if (kind == 5)
            put(PACKED, "no gzip", 7);
        fd = -77;
        CHECK_INT(plog_archive_open(&d, 7, &fd, &st, &err), PLOG_E_CORRUPT);
        CHECK_INT(fd, -77); /* none that was closed */
        CHECK_TEXT(err.file, PACKED);
        if (!CHECK_TEXT(err.message,
                        kind < 2 ? "the segment is missing"
                        : kind < 5
                            ? "not a regular file with one link"
                            : "a compressed file is not gzip, or damaged"))
            printf("#   kind %d\n", kind);
        CHECK_INT(plog_archive_restore(&d, 7, &brought, &err), PLOG_E_CORRUPT);
        CHECK(!there(SEGMENT) && !there(SEGMENT ".new"));
        tear_down();
    }
    set_up(); /* what cannot be opened for another reason is no damage */
    put("archive", "", 0);
    CHECK_INT(plog_archive_open(&d, 7, &fd, &st, &err), PLOG_E_IO);
    tear_down();
}

static int the_same_name(void *ctx, void *p, size_t n)
{
    (void)ctx;
    memset(p, 0xab, n);
    return 0;
}

/* A file of that name is somebody else's, and stays. */
static void a_name_that_is_taken(void)
{
    static const char taken[] = "archive/paritylog-abababababababab.tmp";
    struct plog_stat st;
    int fd;
    set_up();
    CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), 0);
    io.random = the_same_name;
    CHECK(archive_is_whole());
    CHECK(!there(taken));
    put(taken, "mine", 4);
    CHECK_INT(plog_archive_open(&d, 7, &fd, &st, &err), PLOG_E_IO);
    CHECK_TEXT(err.message, "making a file: File exists");
    CHECK_TEXT(err.file, PACKED);
    CHECK(there(taken));
    CHECK_INT(unlink(below(taken)), 0);
    CHECK(archive_is_whole());
    tear_down();
}

/* A copy that is another one's, or damaged, is none; that is no error. */
static void whether_it_is_a_copy(void)
{
    bool same = false;
    set_up();
    CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), 0);
    CHECK_INT(plog_archive_is_copy(&d, 7, &same, &err), 0);
    CHECK(same);
    int fd = packing_fd();
    CHECK_INT(pack(fd, in, LARGE - 1), 0);
    close(fd);
    CHECK_INT(plog_archive_is_copy(&d, 7, &same, &err), 0);
    CHECK(!same && err.code == 0 && !err.message[0]);
    put(PACKED, "no gzip", 7);
    CHECK_INT(plog_archive_is_copy(&d, 7, &same, &err), 0);
    CHECK(!same && err.code == 0 && !err.message[0] && !err.file[0]);
    io.pread = failing_pread;
    left = 0;
    CHECK_INT(plog_archive_is_copy(&d, 7, &same, &err), PLOG_E_IO);
    CHECK_INT(err.code, PLOG_E_IO);
    CHECK(!same && err.message[0]);
    no_failures();
    tear_down();
}

static void fail_all(void)
{
    io.pread = failing_pread;
    io.pwrite = failing_pwrite;
    io.fdatasync = failing_fdatasync;
    io.fsync = failing_fsync;
    io.rename_at = failing_rename;
    io.stat = failing_stat;
}

/* Whichever call fails: on success the archive is whole and synced; what has
 * the name is whole at any rate. */
static void every_call_fails_once(void)
{
    uint64_t bytes;
    for (int again = 0; again < 2; again++)
        for (long n = 0, reached = 1; reached; n++) {
            set_up();
            if (again)
                CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), 0);
            fail_all();
            left = n;
            int rc = plog_archive_segment(&d, 7, &bytes, NULL, &err);
            reached = left < 0;
            no_failures();
            CHECK(rc == 0 || (reached && rc == PLOG_E_IO));
            if (rc == 0 || there(PACKED))
                CHECK(archive_is_whole());
            CHECK(!there("archive/" NAME ".jsonl.gz.new"));
            tear_down();
        }
    for (long n = 0, reached = 1; reached; n++) {
        set_up();
        CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), 0);
        CHECK_INT(unlink(below(SEGMENT)), 0);
        fail_all();
        left = n;
        int rc = plog_archive_restore(&d, 7, &brought, &err);
        reached = left < 0;
        no_failures();
        CHECK_INT(rc, reached ? PLOG_E_IO : 0);
        if (rc == 0 || there(SEGMENT))
            CHECK(is_whole(SEGMENT));
        CHECK(!there(SEGMENT ".new"));
        tear_down();
    }
}

/* ---- Making files, names and memory ------------------------------------- */

static int failed; /* the code that the call which failed stands for */

static bool fails_as(int code)
{
    bool now = fails();
    failed = now ? code : failed;
    return now;
}

static int poor_open(void *ctx, int dir, const char *name, int flags,
                     uint32_t mode)
{
    return fails_as(PLOG_E_IO)
               ? -EIO
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static int poor_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    return fails_as(PLOG_E_IO)
               ? -EIO
               : plog_io_posix()->mkdir_at(ctx, dir, name, mode);
}

static int poor_unlink(void *ctx, int dir, const char *name)
{
    return fails_as(PLOG_E_IO) ? -EIO
                               : plog_io_posix()->unlink_at(ctx, dir, name);
}

static int poor_random(void *ctx, void *p, size_t n)
{
    return fails_as(PLOG_E_IO) ? -EIO : plog_io_posix()->random(ctx, p, n);
}

static int poor_stat(void *ctx, int fd, struct plog_stat *to)
{
    return fails_as(PLOG_E_IO) ? -EIO : plog_io_posix()->stat(ctx, fd, to);
}

static int poor_list(void *ctx, int fd, int (*each)(void *arg, const char *),
                     void *arg)
{
    return fails_as(PLOG_E_IO) ? -EIO
                               : plog_io_posix()->list(ctx, fd, each, arg);
}

static void *poor_alloc(void *ctx, void *p, size_t n)
{
    return n && fails_as(PLOG_E_NOMEM) ? NULL
                                       : plog_io_posix()->alloc(ctx, p, n);
}

static int no_sync(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return 0;
}

/* Syncs take nearly all the time. */
static void well_again(void)
{
    no_failures();
    io.fsync = io.fdatasync = no_sync;
}

static void be_poor(long calls)
{
    io.open_at = poor_open;
    io.mkdir_at = poor_mkdir;
    io.unlink_at = poor_unlink;
    io.random = poor_random;
    io.stat = poor_stat;
    io.list = poor_list;
    io.alloc = poor_alloc;
    left = calls;
    failed = 0;
}

static int act_archive(void)
{
    return plog_archive_segment(&d, 7, NULL, NULL, &err);
}

static int act_restore(void)
{
    return plog_archive_restore(&d, 7, &brought, &err);
}

static int act_open(void)
{
    struct plog_stat st;
    int fd, rc = plog_archive_open(&d, 7, &fd, &st, &err);
    if (!rc) {
        CHECK_UINT(st.size, LARGE);
        close(fd);
    }
    return rc;
}

static int act_list(void)
{
    struct plog_buf list;
    plog_buf_init(&list, &io);
    int rc = plog_archive_segments(&d, &list, &err);
    if (!rc) {
        CHECK_UINT(plog_segment_count(&list), 1);
        CHECK_UINT(plog_segment_at(&list, 0), 7);
    }
    plog_buf_fini(&list);
    return rc;
}

static int count_name(void *arg, const char *name)
{
    (void)name;
    ++*(int *)arg;
    return 0;
}

static int files_in(const char *folder)
{
    int n = 0, fd = open(below(folder), O_RDONLY | O_DIRECTORY);
    if (fd >= 0) {
        CHECK_INT(plog_io_posix()->list(NULL, fd, count_name, &n), 0);
        close(fd);
    }
    return n;
}

/* Each of these calls fails once: that is told, what is whole stays so, no
 * other file is left, and then it works. */
static void poor(int (*act)(void), bool archived, bool away)
{
    for (long n = 0, reached = 1; reached; n++) {
        set_up();
        well_again();
        if (archived)
            CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), 0);
        if (away)
            CHECK_INT(unlink(below(SEGMENT)), 0);
        memset(&err, 0, sizeof err);
        be_poor(n);
        int rc = act();
        reached = left < 0;
        well_again();
        CHECK(rc == 0 || rc == failed);
        CHECK(rc == 0 || (err.code == rc && err.message[0]));
        CHECK(there(SEGMENT) == (!away || (rc == 0 && act == act_restore)));
        CHECK(!archived || archive_is_whole());
        CHECK_INT(act(), 0);
        CHECK(archive_is_whole());
        CHECK(!there(SEGMENT) || is_whole(SEGMENT));
        CHECK_INT(files_in("archive"), 1);
        CHECK_INT(files_in("log"), there(SEGMENT));
        tear_down();
        CHECK(n < 60);
    }
}

static void files_and_memory(void)
{
    poor(act_archive, false, false);
    poor(act_archive, true, false);
    poor(act_restore, true, true);
    poor(act_open, true, true);
    poor(act_list, true, true);
}

/* An archive that cannot be written is expanded elsewhere. */
static int open_errno;

static int no_new_files(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    if (flags & O_CREAT && (name[0] != '/' || open_errno == EIO))
        return -open_errno;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void an_archive_to_read_only(void)
{
    static const int all[] = {EROFS, EACCES, EPERM, ENOSPC, EIO};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        set_up();
        well_again();
        CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), 0);
        io.open_at = no_new_files;
        open_errno = all[i];
        CHECK_INT(archive_is_whole(), i < 4);
        if (i >= 4)
            CHECK_TEXT(err.file, PACKED);
        well_again();
        CHECK_INT(files_in("archive"), 1);
        tear_down();
    }
}

static bool in_tmp, tmp_is_full;

static int where_it_is_made(void *ctx, int dir, const char *name, int flags,
                            uint32_t mode)
{
    if (flags & O_CREAT)
        in_tmp = name[0] == '/';
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static int64_t full(void *ctx, int fd, const void *p, size_t n, uint64_t at)
{
    return in_tmp && !tmp_is_full ? plog_io_posix()->pwrite(ctx, fd, p, n, at)
                                  : -ENOSPC;
}

/* Who reads because the disk is full needs no room on it; where /tmp has none
 * either, that is said, of the file that was to be read. */
static void on_a_full_disk(void)
{
    for (int which = 0; which < 2; which++) {
        set_up();
        well_again();
        CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), 0);
        io.open_at = where_it_is_made;
        io.pwrite = full;
        tmp_is_full = which == 1;
        CHECK_INT(archive_is_whole(), !tmp_is_full);
        if (tmp_is_full) {
            CHECK_TEXT(err.file, PACKED);
            CHECK(strstr(err.message, "in archive/ or in /tmp: ") != NULL);
            CHECK(strstr(err.hint, "make room in /tmp, or ") != NULL);
        }
        well_again();
        CHECK_INT(files_in("archive"), 1);
        tear_down();
    }
}

/* Setting one aside reads the one file and writes the other. */
static void an_aside_that_fails(void)
{
    char kept[128];
    for (int writing = 0; writing < 2; writing++) {
        set_up();
        well_again();
        CHECK_INT(plog_archive_segment(&d, 7, NULL, NULL, &err), 0);
        int folder = open(below("archive"), O_RDONLY | O_DIRECTORY);
        if (writing)
            io.pwrite = failing_pwrite;
        else
            io.pread = failing_pread;
        left = 0;
        CHECK_INT(plog_archive_aside(&d, folder, NAME ".jsonl.gz", kept, &err),
                  PLOG_E_IO);
        CHECK_TEXT(err.file, writing ? kept : NAME ".jsonl.gz");
        CHECK_INT(strncmp(kept, "quarantine/" NAME, 31), 0);
        well_again();
        CHECK(archive_is_whole());
        CHECK(!there(kept));
        close(folder);
        tear_down();
    }
}

/* ------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"there_and_back", there_and_back},
        {"another_segment_in_the_archive", another_segment_in_the_archive},
        {"a name that cannot be looked at", a_name_that_cannot_be_looked_at},
        {"no room for a name", no_room_for_a_name},
        {"of unknown size", of_unknown_size},
        {"odd_archives", odd_archives},
        {"a name that is taken", a_name_that_is_taken},
        {"whether it is a copy", whether_it_is_a_copy},
        {"every_call_fails_once", every_call_fails_once},
        {"files_and_memory", files_and_memory},
        {"an_archive_to_read_only", an_archive_to_read_only},
        {"on_a_full_disk", on_a_full_disk},
        {"an aside that fails", an_aside_that_fails},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
