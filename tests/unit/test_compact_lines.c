/*
 * test_compact_lines.c - lines that a compaction reads again: from many
 * segments, changed meanwhile, every call failing; and that the snapshot does
 * not depend on whether lines are read again or copied.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "compact_lines.h"
#include "peers.h"
#include "world.h"

#define SEGMENTS 40
#define LINES 100 /* of each */
#define COUNT ((uint64_t)SEGMENTS * LINES)
#define MEMORY ((size_t)64 << 10) /* of 96,000 bytes of places */

static char top[600];
static struct plog_io io;
static struct plog_dir d;
static struct plog_error err;
static struct plog_compact_lines lines;
static int scratch;
static long left; /* calls until one fails; < 0: none does */

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

static int failing_open(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    return fails() ? -EIO
                   : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static int failing_unlink(void *ctx, int dir, const char *name)
{
    return fails() ? -EIO : plog_io_posix()->unlink_at(ctx, dir, name);
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

static int failing_random(void *ctx, void *p, size_t n)
{
    return fails() ? -EIO : plog_io_posix()->random(ctx, p, n);
}

static void *failing_alloc(void *ctx, void *p, size_t n)
{
    return n && fails() ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

/* ---- Segments ----------------------------------------------------------- */

/* Entry 1 is not among them, so they begin with 2. */
static uint64_t segment_of(uint64_t seq)
{
    return (seq - 2) / LINES * LINES + 2;
}

/* Some are longer than others. */
static size_t text_of(uint64_t seq, char *out, size_t cap)
{
    int n = snprintf(out, cap, "{\"seq\":%llu,\"x\":\"%0*d\"}",
                     (unsigned long long)seq, (int)(seq * 7919 % 300), 0);
    return (size_t)n;
}

static const char *segment_path(uint64_t segment)
{
    static char path[700];
    char name[PLOG_SEGMENT_NAME];
    plog_segment_name(segment, name);
    snprintf(path, sizeof path, "%s/log/%s", top, name);
    return path;
}

static int each(int (*what)(FILE *f, uint64_t seq, uint64_t at))
{
    char text[400];
    uint64_t at = 0, before = 0;
    FILE *f = NULL;
    int rc = 0;
    for (uint64_t seq = 2; !rc && seq < 2 + COUNT; seq++) {
        if (segment_of(seq) != before) {
            if (f)
                fclose(f);
            before = segment_of(seq);
            f = fopen(segment_path(before), what ? "r" : "w");
            at = 0;
        }
        if (!f)
            return -1;
        size_t n = text_of(seq, text, sizeof text);
        if (what)
            rc = what(f, seq, at);
        else
            fprintf(f, "%s\n", text);
        at += n + 1;
    }
    if (f)
        fclose(f);
    return rc;
}

static int add(FILE *f, uint64_t seq, uint64_t at)
{
    char text[400];
    (void)f;
    size_t n = text_of(seq, text, sizeof text);
    return plog_compact_lines_add(&lines, segment_of(seq), at,
                                  plog_span(text, n), &err);
}

static void make(void)
{
    char name[700];
    io = *plog_io_posix();
    left = -1;
    snprintf(top, sizeof top, "%s/lines", check_dir());
    CHECK_INT(mkdir(top, 0700), 0);
    snprintf(name, sizeof name, "%s/log", top);
    CHECK_INT(mkdir(name, 0700), 0);
    CHECK_INT(each(NULL), 0);
    memset(&d, 0, sizeof d);
    d.io = &io;
    d.dir = scratch = open(top, O_RDONLY | O_DIRECTORY);
    d.log = open(name, O_RDONLY | O_DIRECTORY);
    CHECK(d.dir >= 0 && d.log >= 0);
}

static void end(void)
{
    plog_compact_lines_close(&lines);
    plog_compact_lines_close(&lines);
    close(d.log);
    close(d.dir);
    world_remove(top);
}

static int get(uint64_t seq)
{
    char want[400];
    struct plog_span line = {NULL, 0};
    int rc = plog_compact_lines_get(&lines, seq, &line, &err);
    if (!rc)
        CHECK_BYTES(line.p, line.n, want, text_of(seq, want, sizeof want));
    return rc;
}

/* ---- Cases -------------------------------------------------------------- */

/* In any order, also while more are added; none has a name. */
static void in_any_order(void)
{
    uint64_t state = check_seed();
    make();
    CHECK_INT(plog_compact_lines_open(&lines, &d, scratch, 2, MEMORY, &err),
              0);
    CHECK(faccessat(scratch, PLOG_COMPACT_LINES_FILE, F_OK, 0) != 0);
    CHECK_INT(get(2), PLOG_E_CORRUPT);
    CHECK_INT(each(add), 0);
    for (int i = 0; i < 3000; i++)
        CHECK_INT(get(2 + check_random(&state) % COUNT), 0);
    for (uint64_t seq = 2; seq < 2 + COUNT; seq++)
        CHECK_INT(get(seq), 0);
    static const uint64_t none[] = {0, 1, 2 + COUNT, UINT64_MAX};
    for (int i = 0; i < 4; i++)
        CHECK_INT(get(none[i]), PLOG_E_CORRUPT);
    end();
}

/* A byte that changed since, and a file that ends before. */
static void changed_meanwhile(void)
{
    make();
    CHECK_INT(plog_compact_lines_open(&lines, &d, scratch, 2, MEMORY, &err),
              0);
    CHECK_INT(each(add), 0);
    int fd = open(segment_path(2), O_RDWR);
    CHECK_INT(pwrite(fd, "X", 1, 3), 1);
    CHECK_INT(get(2), PLOG_E_CORRUPT);
    CHECK_TEXT(err.message,
               "entry 2 is not what it was when it was verified");
    CHECK_INT(get(3), 0);
    CHECK_INT(ftruncate(fd, 20), 0);
    CHECK_INT(get(3), PLOG_E_CORRUPT);
    close(fd);
    CHECK_INT(unlink(segment_path(segment_of(1 + COUNT))), 0);
    CHECK_INT(get(1 + COUNT), PLOG_E_CORRUPT);
    end();
}

/* The file of places is shorter than what was written to it. */
static void cut_meanwhile(void)
{
    make();
    CHECK_INT(plog_compact_lines_open(&lines, &d, scratch, 2, MEMORY, &err),
              0);
    CHECK_INT(each(add), 0);
    CHECK_INT(ftruncate(lines.fd, 40), 0);
    CHECK_INT(get(2), 0);
    CHECK_INT(get(3), PLOG_E_IO);
    CHECK_TEXT(err.file, PLOG_COMPACT_LINES_FILE);
    CHECK(strstr(err.message, "reading it") != NULL);
    end();
}

static int all_of_it(void)
{
    uint64_t state = 5;
    int rc = plog_compact_lines_open(&lines, &d, scratch, 2, MEMORY, &err);
    if (!rc)
        rc = each(add);
    for (int i = 0; !rc && i < 60; i++)
        rc = get(2 + check_random(&state) % COUNT);
    plog_compact_lines_close(&lines);
    faccessat(scratch, PLOG_COMPACT_LINES_FILE, F_OK, 0) == 0
        ? unlinkat(scratch, PLOG_COMPACT_LINES_FILE, 0)
        : 0;
    return rc;
}

static void every_call_fails_once(void)
{
    make();
    for (int kind = 0; kind < 6; kind++)
        for (long n = 0, reached = 1; reached; n++) {
            io.open_at = kind == 0 ? failing_open : io.open_at;
            io.unlink_at = kind == 1 ? failing_unlink : io.unlink_at;
            io.pread = kind == 2 ? failing_pread : io.pread;
            io.pwrite = kind == 3 ? failing_pwrite : io.pwrite;
            io.random = kind == 4 ? failing_random : io.random;
            io.alloc = kind == 5 ? failing_alloc : io.alloc;
            left = n;
            int rc = all_of_it();
            reached = left < 0;
            io = *plog_io_posix();
            CHECK_INT(rc, !reached ? 0 : kind == 5 ? PLOG_E_NOMEM : PLOG_E_IO);
        }
    left = -1;
    end();
}

/* ---- Two ways to one snapshot ------------------------------------------- */

static void put_random(struct world *w, uint64_t *state, int count)
{
    char text[600], id[24], record[16], payload[64], time[32], confidence[8];
    static int next;
    CHECK_INT(world_open(w), 0);
    for (int i = 0; i < count; i++) {
        uint64_t r = check_random(state);
        snprintf(id, sizeof id, "id-%d", next++);
        snprintf(record, sizeof record, "r%d", (int)(r % 60));
        snprintf(payload, sizeof payload, "{\"f%d\":%d}", (int)(r >> 8 & 3), i);
        snprintf(time, sizeof time, "2026-01-01T00:00:%02dZ",
                 (int)(r >> 16) & 31);
        snprintf(confidence, sizeof confidence, "0.%d", (int)(r >> 24) & 7);
        struct world_delta one = {.id = r >> 32 & 1 ? id : NULL,
                                  .record = record,
                                  .op = r >> 33 & 7 ? "upsert" : "delete",
                                  .payload = payload,
                                  .time = time,
                                  .confidence = confidence};
        if (!strcmp(one.op, "delete"))
            one.payload = NULL;
        CHECK_INT(world_append(w, world_text(text, sizeof text, &one), NULL,
                               &err),
                  0);
    }
    world_close(w);
}

/* Behind a cut the lines are read again from the log; a snapshot that is gone
 * is made from the archive, where every entry gets its row: byte for byte the
 * same, or it would not be what was signed. */
static void one_snapshot(enum plog_strategy strategy)
{
    struct world w = {.p = NULL};
    uint64_t state = check_seed() + (uint64_t)strategy;
    struct plog_compact_options o = {.struct_size = sizeof o};
    struct plog_compact_report r;
    world_make(&w, strategy, 4096);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    for (int round = 0; round < 3; round++) {
        put_random(&w, &state, 400);
        uint64_t size = world_size(&w);
        CHECK_INT(peers_ack(&w, "p", size), 0);
        put_random(&w, &state, 30);
        CHECK_INT(plog_compact(w.dir, &o, &r, &err), 0);
        CHECK(r.segments > PLOG_COMPACT_LINES_OPEN);
        CHECK_INT(unlink(world_path(&w, r.snapshot)), 0);
        CHECK_INT(plog_compact(w.dir, &o, &r, &err), 0);
        CHECK(r.remade);
    }
    world_end(&w, world_size(&w));
}

static void arrival(void)
{
    one_snapshot(PLOG_ARRIVAL);
}

static void last_write(void)
{
    one_snapshot(PLOG_LAST_WRITE_WINS);
}

static void merges(void)
{
    one_snapshot(PLOG_MERGE_JSON);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"in_any_order", in_any_order},
        {"changed_meanwhile", changed_meanwhile},
        {"cut_meanwhile", cut_meanwhile},
        {"every_call_fails_once", every_call_fails_once},
        {"one_snapshot_arrival", arrival},
        {"one_snapshot_last_write", last_write},
        {"one_snapshot_merges", merges},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
