/*
 * test_request.c - what a caller hands over, before the log is looked at: how
 * much it may be, what the policy says, and what runs out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "request.h"
#include "world.h"

static struct plog_error err;
static struct plog_request r;

static int build(const struct plog_io *io, const struct plog_group *g,
                 const struct plog_options *o)
{
    err = (struct plog_error){.code = 0};
    int rc = plog_request_build(&r, io, g, o, PLOG_LINE_DEFAULT, &err);
    CHECK_INT(err.code, rc);
    return rc;
}

static const char text[] =
    "{\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\",\"payload\":{},"
    "\"occurred_at\":\"2026-01-02T03:04:05Z\",\"provenance\":{\"source\":\"s\","
    "\"confidence\":1}}";
static const struct plog_span one = {text, sizeof text - 1};
static const struct plog_group group = {
    .struct_size = sizeof group, .deltas = &one, .delta_count = 1};

/* ---- How much ---------------------------------------------------------------
 */

/* No number that a caller gives is multiplied beyond what there is. */
static void counts(void)
{
    static const struct {
        size_t deltas, cursors;
    } all[] = {{SIZE_MAX, 1},
               {1, SIZE_MAX},
               {SIZE_MAX / 2, 0},
               {0, SIZE_MAX / 2},
               {SIZE_MAX / 2 / sizeof(struct plog_item) + 1, 0}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_group g = {.delta_count = all[i].deltas,
                               .cursor_count = all[i].cursors};
        CHECK_INT(build(plog_io_posix(), &g, NULL), PLOG_E_INPUT);
        CHECK_TEXT(err.message, "too many deltas in one group");
        plog_request_free(&r);
        plog_request_free(&r); /* once more does nothing */
    }
}

/* A group has an end, counted as its lines will be. */
static void as_much_as_fits(void)
{
    enum { most = 2800 };
    static char cursor[4096];
    static struct plog_cursor all[most];
    memset(cursor, 1, sizeof cursor); /* six bytes each when spelled */
    for (size_t i = 0; i < most; i++)
        all[i] =
            (struct plog_cursor){{"s", 1}, {"r", 1}, {cursor, sizeof cursor}};
    struct plog_group g = {.cursors = all, .cursor_count = most};
    CHECK_INT(build(plog_io_posix(), &g, NULL), PLOG_E_INPUT);
    CHECK_TEXT(err.message,
               "the group comes to 70361200 bytes, with 512 for each delta"
               " beside its own; at most 67108864 may be");
    CHECK_TEXT(err.hint, "send it in parts");
    plog_request_free(&r);
    g.cursor_count = most - 200;
    CHECK_INT(build(plog_io_posix(), &g, NULL), 0);
    CHECK_UINT(r.count, most - 200);
    plog_request_free(&r);
}

static void cursors(void)
{
    static char name[PLOG_NAME_MAX + 2], value[4098];
    memset(name, 'n', sizeof name);
    memset(value, 'v', sizeof value);
    const struct {
        struct plog_cursor c;
        int code;
    } all[] = {
        {{{name, PLOG_NAME_MAX}, {name, PLOG_NAME_MAX}, {value, 4096}}, 0},
        {{{name, 1}, {name, 1}, {value, 0}}, 0},
        {{{name, 0}, {name, 1}, {value, 1}}, PLOG_E_INPUT},
        {{{name, 1}, {name, 0}, {value, 1}}, PLOG_E_INPUT},
        {{{name, PLOG_NAME_MAX + 1}, {name, 1}, {value, 1}}, PLOG_E_INPUT},
        {{{name, 1}, {name, PLOG_NAME_MAX + 1}, {value, 1}}, PLOG_E_INPUT},
        {{{name, 1}, {name, 1}, {value, 4097}}, PLOG_E_INPUT},
        {{{"a\0b", 3}, {name, 1}, {value, 1}}, PLOG_E_INPUT},
        {{{name, 1}, {"\0", 1}, {value, 1}}, PLOG_E_INPUT},
        {{{name, 1}, {name, 1}, {"v\0", 2}}, PLOG_E_INPUT},
        {{{name, 1}, {name, 1}, {"\xff", 1}}, PLOG_E_INPUT},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_group g = {.cursors = &all[i].c, .cursor_count = 1};
        if (!CHECK_INT(build(plog_io_posix(), &g, NULL), all[i].code))
            printf("# case %zu: %s\n", i, err.message);
        if (all[i].code && i + 1 < sizeof all / sizeof *all)
            CHECK(strstr(err.message, "none a NUL") != NULL);
        CHECK(!all[i].code || (err.has_index && err.index == 0));
        plog_request_free(&r);
    }
}

/* Which one it is: they count on behind the deltas. */
static void the_cursor_at_fault(void)
{
    struct plog_cursor all[3];
    struct plog_span d[2];
    char delta[2][400];
    for (int i = 0; i < 2; i++) {
        struct world_delta of = {.payload = "{}"};
        d[i].p = world_text(delta[i], sizeof delta[0], &of);
        d[i].n = strlen(delta[i]);
    }
    for (int i = 0; i < 3; i++)
        all[i] = (struct plog_cursor){{"s", 1}, {"r", 1}, {"c", 1}};
    all[2].source.n = 0;
    struct plog_group g = {
        .deltas = d, .delta_count = 2, .cursors = all, .cursor_count = 3};
    CHECK_INT(build(plog_io_posix(), &g, NULL), PLOG_E_INPUT);
    CHECK(err.has_index);
    CHECK_UINT(err.index, 4);
    plog_request_free(&r);
}

/* ---- The policy -------------------------------------------------------------
 */

static enum plog_policy_answer
answer(void *arg, const struct plog_delta_view *delta, char *reason, size_t cap)
{
    CHECK_UINT(delta->record_id.n, 1);
    snprintf(reason, cap, "because");
    return *(enum plog_policy_answer *)arg;
}

static void policies(void)
{
    static const struct {
        int says, code;
        bool warned;
        const char *message;
    } all[] = {
        {PLOG_ALLOW, 0, false, ""},
        {PLOG_WARN, 0, true, ""},
        {PLOG_QUARANTINE, PLOG_E_POLICY, false,
         "quarantined by the policy: because"},
        {PLOG_REJECT, PLOG_E_POLICY, false, "rejected by the policy: because"},
        {77, PLOG_E_POLICY, false, "rejected by the policy: because"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        enum plog_policy_answer says = (enum plog_policy_answer)all[i].says;
        struct plog_options o = {.policy = answer, .policy_arg = &says};
        CHECK_INT(build(plog_io_posix(), &group, &o), all[i].code);
        CHECK_TEXT(err.message, all[i].message);
        CHECK(r.items[0].warned == all[i].warned);
        CHECK(err.has_index == (all[i].code != 0));
        plog_request_free(&r);
    }
    CHECK_INT(build(plog_io_posix(), &group, NULL), 0); /* there is none */
    plog_request_free(&r);
}

/* ---- What runs out ----------------------------------------------------------
 */

static long left = -1;

static void *memory(void *ctx, void *p, size_t n)
{
    if (n && left == 0)
        return NULL;
    left -= n && left > 0;
    return plog_io_posix()->alloc(ctx, p, n);
}

static int no_random(void *ctx, void *buf, size_t n)
{
    (void)ctx, (void)buf, (void)n;
    return -5;
}

/* A delta whose texts fill more than one piece of memory, after each number of
 * allocations. */
static void memory_runs_out(void)
{
    static char long_text[70000];
    struct plog_io io = *plog_io_posix();
    struct plog_cursor c = {{"s", 1}, {"r", 1}, {"c", 1}};
    struct plog_span delta = {long_text, 0};
    struct plog_group g = {
        .deltas = &delta, .delta_count = 1, .cursors = &c, .cursor_count = 1};
    int n = snprintf(long_text, sizeof long_text,
                     "{\"resource\":\"\\u0072\",\"record_id\":\"");
    memset(long_text + n, 'i', 4000);
    n += 4000;
    n += snprintf(long_text + n, sizeof long_text - (size_t)n,
                  "\\n\",\"op\":\"upsert\",\"payload\":{\"v\":\"");
    memset(long_text + n, 'p', 59000);
    n += 59000;
    n += snprintf(long_text + n, sizeof long_text - (size_t)n,
                  "\"},\"occurred_at\":\"2026-01-02T03:04:05Z\",\"provenance\":"
                  "{\"source\":\"s\",\"confidence\":1}}");
    delta.n = (size_t)n;
    io.alloc = memory;
    int rc = PLOG_E_NOMEM;
    for (long k = 0; rc && k < 100; k++) {
        left = k;
        rc = build(&io, &g, NULL);
        if (rc)
            CHECK_INT(rc, PLOG_E_NOMEM);
        plog_request_free(&r);
    }
    left = -1;
    CHECK_INT(rc, 0);
    CHECK_INT(build(&io, &g, NULL), 0);
    CHECK_UINT(r.items[0].entry.delta.record_id_text.n, 4001);
    CHECK(r.items[0].entry.delta.record_id_text.p[4000] == '\n');
    CHECK_BYTES(r.items[0].entry.delta.resource_text.p, 1, "r", 1);
    plog_request_free(&r);
    io.random = no_random;
    CHECK_INT(build(&io, &g, NULL), PLOG_E_IO);
    CHECK_TEXT(err.message, "no randomness for a salt");
    plog_request_free(&r);
}

#define SMALL 200 /* deltas */

static size_t taken; /* bytes of memory, so far */
static unsigned takes;

static void *counting(void *ctx, void *p, size_t n)
{
    taken += n;
    takes += n > 0;
    return plog_io_posix()->alloc(ctx, p, n);
}

/* What a group takes grows with its texts, not with the square of them; and
 * one that has no room behind the others disturbs none of them. */
static void memory_for_many(void)
{
    static struct plog_span all[SMALL + 1];
    static char large[200000];
    struct plog_io io = *plog_io_posix();
    struct plog_group g = {.deltas = all, .delta_count = SMALL};
    int begin = (int)(strstr(text, "{}") - text);
    int n = snprintf(large, sizeof large, "%.*s{\"v\":\"", begin, text);
    memset(large + n, 'p', 150000);
    n += 150000;
    n += snprintf(large + n, sizeof large - (size_t)n, "\"}%s",
                  text + begin + 2);
    for (int i = 0; i < SMALL; i++)
        all[i] = one;
    io.alloc = counting;
    taken = takes = 0;
    CHECK_INT(build(&io, &g, NULL), 0);
    CHECK(takes < SMALL / 10); /* many texts to a piece */
    CHECK(taken > SMALL * sizeof *r.items);
    CHECK(taken < SMALL * (sizeof *r.items + 4 * sizeof text) + 4096);
    plog_request_free(&r);
    all[SMALL - 1] = (struct plog_span){large, (size_t)n};
    all[SMALL] = one;
    g.delta_count = SMALL + 1;
    CHECK_INT(build(&io, &g, NULL), 0);
    for (int i = 0; i <= SMALL; i++) {
        struct plog_span p = r.items[i].entry.delta.payload;
        if (i == SMALL - 1)
            CHECK_BYTES(p.p, p.n, large + begin, 150000 + 8);
        else
            CHECK_BYTES(p.p, p.n, "{}", 2);
    }
    plog_request_free(&r);
}

static unsigned draws; /* calls for random bytes, and what they were for */
static size_t drawn;

static int counted_random(void *ctx, void *buf, size_t n)
{
    draws++;
    drawn += n;
    return plog_io_posix()->random(ctx, buf, n);
}

/* One call to the kernel draws the salts of 64 deltas, and no byte more than
 * they take; no two are the same. */
static void salts_for_many(void)
{
    enum { most = 130 };
    static struct plog_span all[most];
    static const size_t counts[] = {1, 2, 63, 64, 65, 128, most};
    struct plog_io io = *plog_io_posix();
    struct plog_group g = {.deltas = all};
    io.random = counted_random;
    for (size_t i = 0; i < most; i++)
        all[i] = one;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        size_t n = g.delta_count = counts[i];
        draws = 0;
        drawn = 0;
        CHECK_INT(build(&io, &g, NULL), 0);
        CHECK_UINT(r.count, n);
        CHECK_UINT(draws, (n + 63) / 64);
        CHECK_UINT(drawn, n * PLOG_SALT_SIZE);
        for (size_t k = 0; k < n; k++) {
            CHECK_UINT(r.items[k].entry.salt.n, 24);
            for (size_t j = 0; j < k; j++)
                CHECK(strcmp(r.items[j].salt, r.items[k].salt) != 0);
        }
        plog_request_free(&r);
        plog_request_free(&r); /* what is gone is not freed again */
    }
}

static int no_args(void *arg, plog *p, struct plog_buf *args,
                   struct plog_error *why)
{
    (void)arg, (void)p, (void)args, (void)why;
    return 0;
}

/* Control entries, without the memory for one. */
static void no_memory_for_control(void)
{
    struct plog_io io = *plog_io_posix();
    int rc[4];
    io.alloc = memory;
    left = 0;
    rc[0] = plog_request_redact(&r, &io, 7, plog_span_text("why"), &err);
    plog_request_free(&r);
    rc[1] = plog_request_control(&r, &io, PLOG_CONTROL_COMPACT, no_args, NULL,
                                 &err);
    plog_request_free(&r);
    rc[2] = plog_request_rotate(&r, &io, NULL, &err);
    plog_request_free(&r);
    rc[3] = plog_request_strategy(&r, &io, PLOG_ARRIVAL, &err);
    plog_request_free(&r);
    left = -1;
    for (int i = 0; i < 4; i++)
        CHECK_INT(rc[i], PLOG_E_NOMEM);
    CHECK_TEXT(err.message, "out of memory");
}

/* What is well leaves a caller's error as it was, of whatever call that is. */
static void no_error(void)
{
    struct plog_cursor c = {{"s", 1}, {"r", 1}, {"c", 1}};
    struct plog_group g = group;
    const struct plog_error before = {
        .code = PLOG_E_BEHIND, .message = "an earlier call", .file = "log"};
    g.cursors = &c;
    g.cursor_count = 1;
    memcpy(&err, &before, sizeof err);
    CHECK_INT(plog_request_build(&r, plog_io_posix(), &g, NULL,
                                 PLOG_LINE_DEFAULT, &err),
              0);
    CHECK_BYTES(&err, sizeof err, &before, sizeof before);
    CHECK_UINT(r.count, 2);
    CHECK_UINT(r.delta_count, 1);
    plog_request_free(&r);
    CHECK_INT(plog_request_strategy(&r, plog_io_posix(), PLOG_ARRIVAL, &err),
              0);
    CHECK_BYTES(&err, sizeof err, &before, sizeof before);
    CHECK_UINT(r.count, 1);
    plog_request_free(&r);
}

/* ---- What a callback adds ---------------------------------------------------
 */

static char big[(1 << 20) + 2];

static int merge(void *arg, const struct plog_record *current,
                 const struct plog_delta_view *delta, struct plog_span *merged)
{
    (void)arg, (void)current, (void)delta;
    *merged = plog_span(big, strlen(big));
    return 1;
}

/* A line with what a custom strategy made of it may be a little longer than a
 * delta, and no more. */
static void a_long_line(void)
{
    struct world w;
    static char delta[(1 << 20) + 400];
    struct plog_error why;
    world_make(&w, PLOG_CUSTOM, 0);
    w.options.custom = merge;
    CHECK_INT(world_open(&w), 0);
    memset(big, 'm', sizeof big - 1);
    memcpy(big, "{\"m\":\"", 6);
    static const struct {
        size_t payload, merged;
        int code;
    } all[] = {{100, 900 << 10, 0},
               {60 << 10, 1000 << 10, 0},
               {900 << 10, 100, 0},
               {900 << 10, 900 << 10, PLOG_E_INPUT}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        memset(big + 6, 'm', sizeof big - 7);
        memcpy(big + all[i].merged - 2, "\"}", 3);
        int n = snprintf(delta, sizeof delta, "%.*s",
                         (int)(strstr(text, "{}") - text), text);
        n += snprintf(delta + n, sizeof delta - (size_t)n, "{\"v\":\"");
        memset(delta + n, 'p', all[i].payload);
        n += (int)all[i].payload;
        snprintf(delta + n, sizeof delta - (size_t)n, "\"}%s",
                 strstr(text, "{}") + 2);
        uint64_t before = world_size(&w);
        CHECK_INT(world_append(&w, delta, NULL, &why), all[i].code);
        CHECK_UINT(world_size(&w), before + (all[i].code == 0));
        if (all[i].code)
            CHECK(strstr(why.message, "more than this log allows") != NULL);
    }
    world_end(&w, 4);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"counts", counts},
        {"as much as fits", as_much_as_fits},
        {"cursors", cursors},
        {"the cursor at fault", the_cursor_at_fault},
        {"policies", policies},
        {"memory runs out", memory_runs_out},
        {"memory for many", memory_for_many},
        {"salts for many", salts_for_many},
        {"no memory for control", no_memory_for_control},
        {"no error", no_error},
        {"a long line", a_long_line},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
