/*
 * test_compressing.c - zlib fails, no second thread can be had, a file is
 * finished twice: no half of a file is taken for a whole one.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "gz.h"
#include "no_threads.h"

#define BLOCK (256u << 10) /* as core/gz_write.c has it */
#define MUCH (7 * BLOCK - 100)

/* ---- In front of zlib ---------------------------------------------------- */

enum mishap { NONE, RESET, WINDOW, PACK, INPUT, FULL, MISHAPS };

static atomic_int mishap;
static atomic_int left; /* blocks until it happens */

static void *real(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);
    if (!f)
        abort();
    return f;
}

static bool happens(enum mishap what)
{
    return mishap == (int)what && left-- == 0;
}

int deflateReset(z_stream *z)
{
    int (*f)(z_stream *);
    void *found = real("deflateReset");
    memcpy(&f, &found, sizeof f);
    return happens(RESET) ? Z_STREAM_ERROR : f(z);
}

int deflateSetDictionary(z_stream *z, const Bytef *p, uInt n)
{
    int (*f)(z_stream *, const Bytef *, uInt);
    void *found = real("deflateSetDictionary");
    memcpy(&f, &found, sizeof f);
    return happens(WINDOW) ? Z_STREAM_ERROR : f(z, p, n);
}

int deflate(z_stream *z, int flush)
{
    int (*f)(z_stream *, int);
    void *found = real("deflate");
    memcpy(&f, &found, sizeof f);
    if (happens(PACK))
        return Z_BUF_ERROR;
    bool some = happens(INPUT), all = happens(FULL);
    int rc = f(z, flush);
    z->avail_in = some ? 1 : z->avail_in;
    z->avail_out = all ? 0 : z->avail_out;
    return rc;
}

/* ---- A file -------------------------------------------------------------- */

static struct plog_error err;
static char text[MUCH], packed[2][2 * MUCH];

static void fill(void)
{
    uint64_t state = check_seed();
    for (size_t i = 0; i < MUCH; i++)
        text[i] = (char)('a' + check_random(&state) % 5);
}

static int new_file(void)
{
    static int next;
    char name[600];
    snprintf(name, sizeof name, "%.500s/%d.gz", check_dir(), next++);
    return open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
}

static int write_all(struct plog_gz *g, int fd)
{
    err = (struct plog_error){.code = 0};
    int rc = plog_gz_create(g, plog_io_posix(), fd, 1, &err);
    if (!rc)
        rc = plog_gz_write(g, text, MUCH, &err);
    return rc ? rc : plog_gz_finish(g, &err);
}

static size_t pack(char *out)
{
    struct plog_gz g;
    int fd = new_file();
    CHECK_INT(write_all(&g, fd), 0);
    plog_gz_close(&g);
    ssize_t n = pread(fd, out, sizeof *packed, 0);
    CHECK(n > 100);
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

/* ---- Cases --------------------------------------------------------------- */

/* Each thing that zlib may say, at the first, a middle and the last block. */
static void zlib_fails(void)
{
    struct plog_gz g;
    fill();
    for (int what = RESET; what < MISHAPS; what++)
        for (int block = 0; block < 7 - (what == WINDOW); block += 3) {
            int fd = new_file();
            mishap = what;
            left = block;
            CHECK_INT(write_all(&g, fd), PLOG_E_IO);
            CHECK_TEXT(err.message, "compressing failed");
            CHECK_INT(err.code, PLOG_E_IO);
            plog_gz_close(&g);
            close(fd);
        }
    mishap = NONE;
    CHECK(pack(packed[0]) > MUCH / 8);
}

static void without_a_thread(void)
{
    fill();
    size_t two = pack(packed[0]);
    unsigned asked = threads_asked;
    no_threads = true;
    size_t one = pack(packed[1]);
    no_threads = false;
    CHECK_UINT(threads_asked, asked + 1);
    CHECK_BYTES(packed[1], one, packed[0], two);
}

static unsigned most; /* threads that were seen at once */

static int64_t count_threads(void *ctx, int fd, const void *p, size_t n,
                             uint64_t at)
{
    unsigned now = 0;
    DIR *d = opendir("/proc/self/task");
    usleep(2000); /* one that ends at once has ended */
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        now += e->d_name[0] != '.';
    if (d)
        closedir(d);
    most = now > most ? now : most;
    return plog_io_posix()->pwrite(ctx, fd, p, n, at);
}

/* The second one stays until the file is done, and not longer. */
static void with_a_thread(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_gz g;
    int fd = new_file();
    fill();
    io.pwrite = count_threads;
    most = 0;
    CHECK_INT(plog_gz_create(&g, &io, fd, 1, &err), 0);
    CHECK_INT(plog_gz_write(&g, text, MUCH, &err), 0);
    CHECK_UINT(most, 2);
    CHECK_INT(plog_gz_finish(&g, &err), 0);
    plog_gz_close(&g);
    close(fd);
    most = 0;
    fd = new_file();
    CHECK_INT(count_threads(NULL, fd, "x", 1, 0), 1);
    CHECK_UINT(most, 1);
    close(fd);
}

static void finished_twice(void)
{
    struct plog_gz g;
    int fd = new_file();
    fill();
    CHECK_INT(write_all(&g, fd), 0);
    uint64_t size = g.offset;
    CHECK_INT(plog_gz_finish(&g, &err), PLOG_E_IO);
    CHECK_TEXT(err.message, "a compressed file was finished");
    CHECK_INT(plog_gz_write(&g, "x", 1, &err), PLOG_E_IO);
    CHECK_UINT(g.offset, size);
    plog_gz_close(&g);
    CHECK_INT(lseek(fd, 0, SEEK_END), (off_t)size);
    close(fd);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"zlib fails", zlib_fails},
        {"without a thread", without_a_thread},
        {"with a thread", with_a_thread},
        {"finished twice", finished_twice},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
