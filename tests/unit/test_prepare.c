/*
 * test_prepare.c - a group of which one delta repeats another one's id, where
 * memory or SQLite fails at any place: it is refused for that reason, or it is
 * there as a whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "check.h"
#include "engine.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static struct plog_error err;
static struct plog_receipt receipts[3];

static unsigned long nth, seen; /* the call that fails, from 1; calls so far */

static void *failing_alloc(void *ctx, void *p, size_t n)
{
    return n && ++seen == nth ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

static bool sql_fails(const char *call, const char *text, bool busy)
{
    (void)busy;
    return strcmp(call, "step") == 0 && strcmp(text, "ROLLBACK") != 0 &&
           ++seen == nth;
}

/* Three deltas, of which the last is the first once more. */
static int append(unsigned long k)
{
    char text[3][300], id[2][24];
    struct plog_span deltas[3];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = 3};
    for (int i = 0; i < 3; i++) {
        snprintf(id[i % 2], sizeof id[0], "%lu-%d", k, i % 2);
        struct world_delta d = {.id = id[i % 2], .record = i % 2 ? "s" : "r"};
        deltas[i] = plog_span_text(world_text(text[i], sizeof text[i], &d));
    }
    err = (struct plog_error){.code = 0};
    memset(receipts, 0, sizeof receipts);
    return plog_append_group(w.p, &g, receipts, &err);
}

static void each_place(bool memory)
{
    struct plog_io io = *plog_io_posix();
    uint64_t size;
    unsigned refused = 0, unknown = 0;
    io.alloc = failing_alloc;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    world_close(&w);
    const struct plog_io *before = w.options.io;
    for (unsigned long k = 1, reached = 1; reached && k < 200; k++) {
        nth = 0;
        w.options.io = memory ? &io : before;
        CHECK_INT(world_open(&w), 0);
        size = world_size(&w);
        seen = 0;
        nth = k;
        sql_calls.fails = memory ? NULL : sql_fails;
        int rc = append(k);
        sql_calls.fails = NULL;
        reached = seen >= nth;
        nth = 0;
        world_close(&w);
        w.options.io = before;
        /* Only what comes behind the log's write leaves it open: the head's
         * row, and the COMMIT. */
        bool open = rc == PLOG_E_INDETERMINATE && !memory;
        unknown += open;
        if (rc && !open) /* what nobody waits for may fail unheard */
            CHECK_INT(rc, memory ? PLOG_E_NOMEM : PLOG_E_IO);
        CHECK(rc == 0 || reached);
        CHECK_INT(err.code, rc);
        CHECK((err.message[0] != '\0') == (rc != 0));
        if (memory && rc)
            CHECK(strstr(err.message, "out of memory") != NULL);
        CHECK_UINT(world_size(&w), size + (rc ? 0 : 2));
        if (rc == 0) {
            CHECK_UINT(receipts[1].seq, size + 2);
            CHECK_UINT(receipts[2].seq, size + 1);
            CHECK(receipts[2].duplicate && !receipts[0].duplicate);
            CHECK_BYTES(receipts[2].leaf, 32, receipts[0].leaf, 32);
        }
        refused += rc != 0;
    }
    CHECK(refused > 5);
    CHECK(memory ? unknown == 0 : unknown == 1 || unknown == 2);
    CHECK_INT(world_parity(&w, NULL, &(struct world_found){.count = 0}), 0);
}

static void memory_runs_out(void)
{
    each_place(true);
}

static void sqlite_fails(void)
{
    each_place(false);
}

static bool commit_row_fails(const char *call, const char *text, bool busy)
{
    (void)busy;
    return strcmp(call, "step") == 0 &&
           strstr(text, "INSERT INTO main.checkpoints") && ++seen > 0;
}

/* The row of its commit is missed also where the row of a segment that begins
 * with the group could be had: each group that is refused is none. */
static void no_row_for_a_commit(void)
{
    unsigned began = 0;
    world_make(&w, PLOG_LAST_WRITE_WINS, PLOG_SEGMENT_MIN);
    for (unsigned long k = 1; began < 2 && k < 100; k++) {
        uint64_t size = world_size(&w), segment = w.p->legs.head.segment;
        seen = 0;
        sql_calls.fails = commit_row_fails;
        CHECK_INT(append(k), PLOG_E_IO);
        sql_calls.fails = NULL;
        CHECK(seen > 0);
        CHECK_UINT(world_size(&w), size);
        CHECK_INT(append(k), 0);
        began += w.p->legs.head.segment != segment;
    }
    CHECK_UINT(began, 2);
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"memory runs out", memory_runs_out},
        {"sqlite fails", sqlite_fails},
        {"no row for a commit", no_row_for_a_commit},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
