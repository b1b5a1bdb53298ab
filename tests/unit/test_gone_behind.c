/*
 * test_gone_behind.c - segments that are missing behind damage: each is told
 * by itself, by whoever reads the log, and what hangs on them does not stand
 * before them nor blame a file that is good.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "said.h"
#include "world.h"

#define FIRST "log/00000000000000000001.jsonl"
#define SECOND "log/00000000000000000004.jsonl"
#define THIRD "log/00000000000000000007.jsonl"
#define FOURTH "log/00000000000000000010.jsonl"

static struct world w;

/* ---- Logs ---------------------------------------------------------------- */

static void put(int from, int to)
{
    char record[8];
    for (int i = from; i <= to; i++) {
        snprintf(record, sizeof record, "r%d", i);
        CHECK_INT(world_put(&w, NULL, record, "v", NULL), 0);
    }
}

static void next_segment(void)
{
    uint64_t first;
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
}

/* Entries 1 to 12 in four segments, one a group. */
static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    put(2, 3);
    next_segment();
    put(4, 6);
    next_segment();
    put(7, 9);
    next_segment();
    put(10, 12);
    world_close(&w);
}

static void gone(const char *name)
{
    CHECK_INT(unlink(world_path(&w, name)), 0);
}

/* Over the first `what` that is there, as long. */
static void set(const char *name, const char *what, const char *to)
{
    char path[700];
    size_t n;
    snprintf(path, sizeof path, "%s", world_path(&w, name));
    char *bytes = world_read(path, &n), *at = strstr(bytes, what);
    if (CHECK(at != NULL)) {
        memcpy(at, to, strlen(to));
        world_write(path, bytes, n);
    }
    free(bytes);
}

/* ---- What is said -------------------------------------------------------- */

static void begins(said_check_fn *check, const char *want)
{
    struct plog_check_options o = {.struct_size = sizeof o};
    const char *said = said_check(check, w.dir, &o);
    if (!CHECK(strncmp(said, want, strlen(want)) == 0))
        printf("# %s# not\n# %s\n", said, want);
}

static char ranges[400];

static int keep_range(void *arg, const struct plog_salvaged *s)
{
    size_t n = strlen(ranges);
    (void)arg;
    snprintf(ranges + n, sizeof ranges - n, "%s %" PRIu64 "-%" PRIu64 "%s; ",
             s->file, s->from, s->to, s->has_bytes ? "" : " missing");
    return 0;
}

static void salvage_says(const char *want, uint64_t intact)
{
    struct plog_salvage_report r;
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .dry_run = true, .range = keep_range};
    ranges[0] = '\0';
    CHECK_INT(plog_salvage(w.dir, &o, &r, NULL), 0);
    CHECK_TEXT(ranges, want);
    CHECK_UINT(r.entries, intact);
}

static void heals(void)
{
    struct plog_salvage_report r;
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .from_store = true};
    CHECK_INT(plog_salvage(w.dir, &o, &r, NULL), 0);
    CHECK_INT(r.verdict, 0);
    world_end(&w, 12);
}

/* ---- Cases --------------------------------------------------------------- */

#define SECOND_IS_GONE                                                         \
    "CORRUPT in log, " SECOND ", entry 4: want ; got the segment from entry 4" \
    " on is missing; the next one there starts at "

/* The commit behind the damage says how many entries there are. */
static void behind_damage(void)
{
    make();
    set(FIRST, "\"record_id\":\"r2\"", "\"record_id\":\"r9\"");
    gone(SECOND);
    gone(THIRD);
    salvage_says(FIRST " 2-2; " SECOND " 4-9 missing; ", 5);
    begins(plog_parity,
           "TAMPERED in log, " FIRST " at 448, entry 2: want #; got #; do"
           " paritylog salvage\n" SECOND_IS_GONE "10; do paritylog salvage\n");
    heals();
    set(FIRST, "\"record_id\":\"r2\"", "\"record_id\":\"r9\"");
    gone(SECOND);
    gone(THIRD);
    world_drop_store(&w);
    begins(plog_verify,
           "TAMPERED in log, " FIRST " at 448, entry 2: want root #; got root"
           " #; do bring this file b\n"
           "unchecked log 2-2: damaged: see the findings\n" SECOND_IS_GONE
           "10; do bring this file b\n"
           "unchecked log 3-3: behind damage: hashes follow again from the"
           " next segment header\n"
           "unchecked log 4-9: damaged: see the findings\n"
           "TAMPERED, head 12,");
}

/* In what is gone the log went over to another key: what is behind that is as
 * good as it was.
 * @how  the segment is missing, its header is lost, or all of it */
static void a_rotation(int how)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report turned;
    struct world_found f;
    world_make(&w, PLOG_ARRIVAL, 0);
    put(2, 3);
    next_segment();
    world_close(&w);
    CHECK_INT(plog_key_rotate(w.dir, &o, &turned, NULL), 0);
    CHECK_UINT(turned.size, 4);
    CHECK_INT(world_open(&w), 0);
    next_segment();
    put(6, 7);
    next_segment();
    put(8, 9);
    world_close(&w);
    world_drop_store(&w);
    if (how == 0)
        gone(SECOND);
    else if (how == 1)
        set(SECOND, "{\"segment\"", "{\"sEgment\"");
    else
        CHECK_INT(truncate(world_path(&w, SECOND), 0), 0);
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_CORRUPT);
    if (!CHECK_UINT(f.count, 1))
        printf("# %d: %s\n", how, f.first[1].file);
    CHECK_TEXT(f.first[0].file, SECOND);
    CHECK_UINT(f.report.entries, 7);
    CHECK_UINT(f.report.head.size, 8);
}

static void a_rotation_is_gone(void)
{
    for (int how = 0; how < 3; how++)
        a_rotation(how);
}

/* ---- Orders --------------------------------------------------------------
 */

/* Entry 2 is redacted, by the order that entry 4 is, alone in its segment. */
static void make_redacted(void)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "r"};
    struct plog_redact_report r;
    world_make(&w, PLOG_ARRIVAL, 0);
    put(2, 3);
    next_segment();
    world_close(&w);
    CHECK_INT(plog_redact(w.dir, 2, &o, &r, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    put(5, 6);
    next_segment();
    put(7, 9);
    next_segment();
    put(10, 12);
    world_close(&w);
}

#define NO_ORDER                                                               \
    "TAMPERED in log, " FIRST " at 448, entry 2: want ; got a redacted line,"  \
    " and no order for it: that may be in what is missing; do "

static void an_order_is_gone(void)
{
    make_redacted();
    gone(SECOND);
    begins(plog_parity,
           "unchecked log 2-2: damaged: see the findings\n" SECOND_IS_GONE
           "7; do paritylog salvage\n");
    heals();
    gone(SECOND);
    world_drop_store(&w);
    begins(plog_verify,
           "unchecked log 2-2: damaged: see the findings\n" SECOND_IS_GONE
           "7; do bring this file b\n"
           "unchecked log 3-3: behind damage: hashes follow again from the"
           " next segment header\n"
           "unchecked log 4-6: damaged: see the findings\n" NO_ORDER
           "bring back from a\nCORRUPT, head 12,");
}

/* Nothing else is wrong with what is there: the line may be somebody's. */
static void all_behind_is_gone(void)
{
    struct world_found f;
    make_redacted();
    gone(SECOND);
    gone(THIRD);
    gone(FOURTH);
    world_drop_store(&w);
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_TAMPERED);
    CHECK_UINT(f.count, 1);
    CHECK_UINT(f.first[0].seq, 2);
    CHECK(strstr(f.first[0].next, "or this file and all behind it") != NULL);
}

/* The order is there, and makes another line. */
static void not_as_the_order_says(void)
{
    struct world_found f;
    make_redacted();
    set(FIRST, "\"record_id\":\"r2\"", "\"record_id\":\"r9\"");
    gone(THIRD);
    world_drop_store(&w);
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_TAMPERED);
    CHECK_UINT(f.count, 2);
    CHECK_INT(f.first[0].verdict, PLOG_E_TAMPERED);
    CHECK_UINT(f.first[0].seq, 2);
}

static unsigned opens_left; /* of THIRD; then it cannot be opened */

static int some_opens(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    bool third = strcmp(name, &THIRD[4]) == 0;
    if (third && opens_left == 0)
        return -EACCES;
    opens_left -= third;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static unsigned told;

static int count_told(void *arg, const struct plog_finding *f)
{
    (void)arg;
    told += f->seq == 2 && f->verdict == PLOG_E_TAMPERED;
    return 0;
}

/* What was found is told also of a check that does not come to its end. */
static void not_to_the_end(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_check_options o = {
        .struct_size = sizeof o, .io = &io, .finding = count_told};
    struct plog_check_report r;
    unsigned times = 0;
    int rc = PLOG_E_IO;
    make_redacted();
    world_drop_store(&w);
    gone(SECOND);
    io.open_at = some_opens;
    for (unsigned n = 0; rc && n < 9; n++) {
        opens_left = n;
        told = 0;
        rc = plog_verify(w.dir, &o, &r, NULL);
        if (rc)
            CHECK_INT(rc, PLOG_E_IO);
        times += rc && told;
    }
    CHECK_INT(rc, 0);
    CHECK(times > 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"behind damage", behind_damage},
        {"a rotation is gone", a_rotation_is_gone},
        {"an order is gone", an_order_is_gone},
        {"all behind is gone", all_behind_is_gone},
        {"not as the order says", not_as_the_order_says},
        {"not to the end", not_to_the_end},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
