/*
 * selftest_sync.c - what a sync costs, and whether it reaches the disk; see
 * selftest.h.
 *
 * Two signs of a sync that does nothing: it comes back faster than any device
 * answers; and the kernel's counters of the device tell of fewer writes than
 * there were syncs of something new, although each has to write at least a
 * block.  What lies below the kernel (a hypervisor, a disk that lies) shows in
 * neither.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "buf.h"
#include "selftest.h"

#define SYNCS 400 /* of each kind, at most */
#define LEAST 20
#define SMALL 256                    /* bytes of an append */
#define WRITTEN (SYNCS * SMALL)      /* ahead, for overwriting */
#define IMPLAUSIBLE_US 5             /* no device answers so soon */
#define COUNTED(syncs) ((syncs) / 2) /* writes: more than this, or none */

struct syncs {
    double us[SYNCS]; /* ascending, at the end */
    unsigned count;
    int rc; /* negative errno of the first that failed */
};

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at_share(const struct syncs *s, double share)
{
    return s->count ? s->us[(unsigned)(share * (s->count - 1))] : 0;
}

/* ---- Measuring ---------------------------------------------------------- */

/* Writes and syncs at once, until its share of the time is over. */
static void measure(struct plog_selftest *t, int fd, double share,
                    struct syncs *s)
{
    const struct plog_io *io = t->io;
    char bytes[SMALL];
    while (!s->rc && s->count < SYNCS &&
           plog_selftest_has_time(t, "sync", share, s->count, LEAST)) {
        memset(bytes, 'a' + (int)(s->count % 26), sizeof bytes);
        s->rc = plog_io_write_full(io, fd, bytes, sizeof bytes,
                                   (uint64_t)s->count * SMALL, NULL);
        int64_t began = io->clock_mono_ns(io->ctx);
        if (!s->rc)
            s->rc = io->fdatasync(io->ctx, fd);
        int64_t took = io->clock_mono_ns(io->ctx) - began;
        if (!s->rc)
            s->us[s->count++] = (double)took / 1e3;
    }
    qsort(s->us, s->count, sizeof *s->us, ascending);
}

static int new_file(const struct plog_selftest *t, const char *name)
{
    return t->io->open_at(t->io->ctx, t->dir, name, O_RDWR | O_CREAT | O_EXCL,
                          0600);
}

static int write_ahead(const struct plog_selftest *t, int fd)
{
    char *bytes = plog_alloc(t->io, WRITTEN);
    int rc = bytes ? 0 : -ENOMEM;
    if (bytes)
        memset(bytes, '\n', WRITTEN);
    if (!rc)
        rc = plog_io_write_full(t->io, fd, bytes, WRITTEN, 0, NULL);
    plog_free(t->io, bytes);
    return rc ? rc : t->io->fsync(t->io->ctx, fd);
}

static void say_syncs(struct plog_selftest *t, const char *name,
                      const struct syncs *s)
{
    double median = at_share(s, 0.5), p99 = at_share(s, 0.99);
    double longest = at_share(s, 1);
    if (s->rc) {
        plog_selftest_say(t, name, PLOG_TEST_FAIL,
                          "look into the kernel's log for errors of this disk",
                          "writing or syncing fails (error %d)", -s->rc);
        return;
    }
    plog_selftest_figure(t, "syncs_count", s->count);
    plog_selftest_figure(t, "median_us", median);
    plog_selftest_figure(t, "p99_us", p99);
    plog_selftest_figure(t, "max_us", longest);
    if (median < IMPLAUSIBLE_US)
        plog_selftest_say(t, name, PLOG_TEST_WARN,
                          t->memory ? "keep logs on a disk"
                                    : "find out why, before you rely on it",
                          "median %.1f us, p99 %.1f us, max %.1f us, of %u: no"
                          " device answers so soon; this %s may not sync",
                          median, p99, longest, s->count,
                          t->memory ? "file system in memory (tmpfs)"
                                    : "disk or file system");
    else
        plog_selftest_say(t, name, PLOG_TEST_OK, NULL,
                          "median %.0f us, p99 %.0f us, max %.0f us, of %u",
                          median, p99, longest, s->count);
}

/* ---- The kernel's counters of the device -------------------------------- */

struct counters {
    bool known, write_back;
    uint64_t writes, flushes;
};

/* A file of the device, without its line end; "" when it cannot be read. */
static void read_sys(const struct plog_selftest *t, uint64_t device,
                     const char *name, char out[400])
{
    char path[120];
    struct plog_buf text;
    out[0] = '\0';
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/%s", major(device),
             minor(device), name);
    plog_buf_init(&text, t->io);
    if (!plog_io_read_all(t->io, AT_FDCWD, path, 399, &text) && text.len) {
        memcpy(out, text.data, text.len);
        out[text.len] = '\0';
        out[strcspn(out, "\n")] = '\0';
    }
    plog_buf_fini(&text);
}

/* Of a partition, the queue is that of its disk. */
static void read_queue(const struct plog_selftest *t, uint64_t device,
                       const char *name, char out[400])
{
    char longer[60];
    snprintf(longer, sizeof longer, "queue/%s", name);
    read_sys(t, device, longer, out);
    snprintf(longer, sizeof longer, "../queue/%s", name);
    if (!out[0])
        read_sys(t, device, longer, out);
}

/* Fields 5 and 16 of the kernel's `stat` of a block device. */
static struct counters count_device(const struct plog_selftest *t)
{
    struct counters c = {.known = false};
    struct plog_stat st;
    char text[400], on[400], cache[400];
    unsigned long long field[17] = {0};
    int n = 0;
    if (t->io->stat(t->io->ctx, t->dir, &st))
        return c;
    read_sys(t, st.device, "stat", text);
    read_queue(t, st.device, "iostats", on);
    read_queue(t, st.device, "write_cache", cache);
    for (char *at = text; n < 17; n++) {
        char *end;
        field[n] = strtoull(at, &end, 10);
        if (end == at)
            break;
        at = end;
    }
    c.known = n >= 11 && strcmp(on, "1") == 0;
    c.write_back = n >= 16 && strcmp(cache, "write back") == 0;
    c.writes = field[4];
    c.flushes = field[15];
    return c;
}

static void say_reached(struct plog_selftest *t, const struct counters *a,
                        const struct counters *b, unsigned syncs)
{
    static const char name[] = "sync reaches the disk";
    unsigned long long writes = b->writes - a->writes;
    unsigned long long flushes = b->flushes - a->flushes;
    if (!a->known || !b->known || syncs < LEAST) {
        plog_selftest_say(t, name, PLOG_TEST_SKIP, NULL,
                          t->memory ? "there is no disk below it"
                                    : "the kernel has no counters of the device"
                                      " below it");
        return;
    }
    plog_selftest_figure(t, "syncs_count", syncs);
    plog_selftest_figure(t, "writes_count", (double)writes);
    plog_selftest_figure(t, "flushes_count", (double)flushes);
    if (writes <= COUNTED(syncs))
        plog_selftest_say(t, name, PLOG_TEST_FAIL,
                          "find out what keeps them from it: a preloaded"
                          " library, or the file system",
                          "%u syncs of new bytes, and the device saw %llu"
                          " writes: what is acknowledged is not on disk",
                          syncs, writes);
    else if (a->write_back && flushes == 0)
        plog_selftest_say(t, name, PLOG_TEST_WARN,
                          "see that the disk's cache outlives a power cut",
                          "%u syncs: the device saw %llu writes, and no flush"
                          " of its cache",
                          syncs, writes);
    else
        plog_selftest_say(t, name, PLOG_TEST_OK, NULL,
                          "%u syncs: the device saw %llu writes, %llu flushes",
                          syncs, writes, flushes);
}

/* ---- All of it ---------------------------------------------------------- */

static void run(struct plog_selftest *t, struct syncs *growing,
                struct syncs *in_place)
{
    const struct plog_io *io = t->io;
    int a = new_file(t, "growing"), b = new_file(t, "in-place");
    growing->rc = a < 0 ? a : 0;
    in_place->rc = b < 0 ? b : write_ahead(t, b);
    struct counters before = count_device(t);
    measure(t, a, 0.1, growing);
    measure(t, b, 0.18, in_place);
    struct counters after = count_device(t);
    say_syncs(t, "sync of appends", growing);
    say_syncs(t, "sync in place", in_place);
    if (!growing->rc && !in_place->rc)
        say_reached(t, &before, &after, growing->count + in_place->count);
    if (a >= 0)
        io->close(io->ctx, a);
    if (b >= 0)
        io->close(io->ctx, b);
}

void plog_selftest_sync(struct plog_selftest *t)
{
    struct syncs *two = plog_alloc(t->io, 2 * sizeof *two);
    t->measuring = plog_selftest_clock(t);
    if (two)
        run(t, &two[0], &two[1]);
    else
        plog_selftest_say(t, "sync of appends", PLOG_TEST_SKIP, NULL,
                          "out of memory");
    plog_free(t->io, two);
}
