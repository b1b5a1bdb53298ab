/*
 * compacting.c - half of a log goes: removed, or into the archive.
 *
 * A segment ends at the half, and the one peer there is has acknowledged it
 * with its root.  The time that counts for those who wait is that from the
 * compact entry, behind which segments are taken away, to the last fsync.
 */
#include "compacting.h"

#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "calls.h"

#define ARCHIVE_LEVEL 6 /* as core/archive.c has it */
#define SNAPSHOT_LEVEL 1
#define LINE_BYTES 370 /* about, of an event of ours in the log */
#define PEER "reader"

/* ---- A log of two halves ------------------------------------------------ */

uint64_t halves_make(const struct bench_task *t, char *path)
{
    uint64_t events = t->compact_bytes / LINE_BYTES / 2000 * 1000, first;
    struct plog_head head;
    struct plog_peer_options o = {.struct_size = sizeof o};
    struct plog_peer_report peer;
    struct plog_error err = {0};
    snprintf(path, BENCH_PATH, "%s/log", t->dir);
    ours_init(path);
    plog *p = ours_open(path, NULL);
    ours_fill(p, 0, events, 1000);
    ours_check(plog_new_segment(p, &first, &err), "a new segment", &err);
    ours_check(plog_get_head(p, &head, &err), "the head", &err);
    plog_close(p);
    ours_check(plog_peer_add(path, PEER, &o, &peer, &err), "a peer", &err);
    p = ours_open(path, NULL);
    ours_fill(p, events, events, 1000);
    plog_close(p);
    ours_check(plog_peer_ack(path, PEER, head.size, head.root, &o, &peer, &err),
               "its acknowledgement", &err);
    return head.size;
}

/* ---- Times -------------------------------------------------------------- */

static double entry_began, last_fsync;

static ssize_t noting_pwrite(int fd, const void *p, size_t n, off_t at)
{
    static const char entry[] = "\"control\":\"compact\"";
    if (entry_began == 0 && memmem(p, n, entry, sizeof entry - 1))
        entry_began = bench_seconds();
    return calls_real_pwrite(fd, p, n, at);
}

static int noting_fsync(int fd)
{
    int rc = calls_real_fsync(fd);
    last_fsync = bench_seconds();
    return rc;
}

void halves_compact(const char *path, bool discard, struct halves_times *out)
{
    struct plog_compact_options o = {
        .struct_size = sizeof o, .wait_seconds = 60, .discard = discard};
    struct plog_error err = {0};
    calls_pwrite = noting_pwrite;
    calls_fsync = noting_fsync;
    entry_began = last_fsync = 0;
    double began = bench_seconds();
    ours_check(plog_compact(path, &o, &out->report, &err), "compact", &err);
    out->whole = bench_seconds() - began;
    out->entry = last_fsync - entry_began;
    if (!out->report.segments || entry_began < began)
        bench_die("compact", out->report.why);
}

/* ---- Removed ------------------------------------------------------------ */

static double parity_seconds(const char *path)
{
    struct plog_check_report report;
    struct plog_error err = {0};
    double began = bench_seconds();
    ours_check(plog_parity(path, NULL, &report, &err), "parity", &err);
    double seconds = bench_seconds() - began;
    if (report.verdict)
        bench_die("parity", plog_code_word(report.verdict));
    return seconds;
}

static double snapshot_deflate(const char *path, const char *name)
{
    char file[2 * BENCH_PATH];
    size_t n;
    snprintf(file, sizeof file, "%s/%s", path, name);
    unsigned char *bytes = bare_inflated(file, &n);
    double seconds = bare_deflate(bytes, n, SNAPSHOT_LEVEL);
    free(bytes);
    return seconds;
}

/* The whole call against parity of what goes and zlib of the snapshot. */
void bench_compact(const struct bench_task *t, struct bench_figures *f)
{
    char path[BENCH_PATH];
    struct halves_times times;
    uint64_t half = halves_make(t, path);
    double parity = parity_seconds(path) / 2;
    halves_compact(path, true, &times);
    if (times.report.to != half)
        bench_die("compact", "did not go to the half");
    f->m[BENCH_MS] = times.entry * 1e3;
    f->m[BENCH_RATIO] =
        times.whole / (parity + snapshot_deflate(path, times.report.snapshot));
    f->m[BENCH_MB] = (double)times.report.bytes / 1e6 / times.whole;
}

/* ---- Archived ----------------------------------------------------------- */

struct deflating {
    uint64_t half; /* segments that begin at or below it */
    double seconds;
    uint64_t bytes;
};

static void deflate_segment(void *arg, const char *path)
{
    struct deflating *d = arg;
    size_t n;
    if (strtoull(strrchr(path, '/') + 1, NULL, 10) > d->half)
        return;
    unsigned char *bytes = bare_inflated(path, &n);
    d->seconds += bare_deflate(bytes, n, ARCHIVE_LEVEL);
    d->bytes += n;
    free(bytes);
}

/* The segments compressed, synced, read again, compared, and unlinked, against
 * zlib alone on the same bytes in memory. */
void bench_archive(const struct bench_task *t, struct bench_figures *f)
{
    char path[BENCH_PATH], segments[BENCH_PATH + 8];
    struct halves_times times;
    struct deflating d = {.half = halves_make(t, path)};
    snprintf(segments, sizeof segments, "%s/log", path);
    bare_each_segment(segments, deflate_segment, &d);
    halves_compact(path, false, &times);
    if (times.report.bytes != d.bytes)
        bench_die("archive", "took other segments");
    f->m[BENCH_MB] = (double)d.bytes / 1e6 / times.entry;
    f->m[BENCH_RATIO] = d.seconds / times.entry;
    f->m[BENCH_MS] = times.entry * 1e3;
}
