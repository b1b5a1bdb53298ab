/*
 * test_thread_parse.c - a large group is parsed by two threads, and nobody can
 * tell: the same items, the same errors, the policy on its caller's thread.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "no_threads.h"
#include "request.h"

#define MOST 600 /* deltas; together some 150 KB */

static char texts[MOST][300];
static struct plog_span deltas[MOST];
static struct plog_io other; /* the same table, but not the system's own */
static struct plog_error err;

/* Names that are escaped, so that they are decoded; payloads of any length. */
static void fill(void)
{
    other = *plog_io_posix();
    for (int i = 0; i < MOST; i++) {
        int n = snprintf(
            texts[i], sizeof texts[i],
            "{ \"id\":\"d%d\", \"resource\":\"\\u0072%d\",\"record_id\":\"%d\","
            "\"op\":\"upsert\",\"payload\":{\"v\":\"%0*d\"},\"occurred_at\":"
            "\"2026-01-02T03:04:05Z\",\"provenance\":{\"source\":\"s\","
            "\"confidence\":0.%d}}",
            i, i % 7, i, 20 + i % 90, i, 1 + i % 9);
        deltas[i] = plog_span(texts[i], (size_t)n);
    }
}

static int build(struct plog_request *r, const struct plog_io *io, size_t count,
                 const struct plog_options *o)
{
    struct plog_group g = {.deltas = deltas, .delta_count = count};
    err = (struct plog_error){.code = 0};
    int rc = plog_request_build(r, io, &g, o, PLOG_LINE_DEFAULT, &err);
    CHECK_INT(err.code, rc);
    return rc;
}

static void check_same(const struct plog_item *a, const struct plog_item *b)
{
    const struct plog_delta *x = &a->entry.delta, *y = &b->entry.delta;
    CHECK(plog_delta_same(x, y) && plog_span_equal(x->id_text, y->id_text));
    CHECK(plog_span_equal(x->resource_text, y->resource_text));
    CHECK(plog_span_equal(x->record_id_text, y->record_id_text));
    CHECK(plog_span_equal(x->source_text, y->source_text));
    CHECK(plog_span_equal(x->occurred_text, y->occurred_text));
    CHECK(x->confidence == y->confidence);
    CHECK(a->entry.salt.n == 24 && a->entry.salt.p == a->salt);
    CHECK(!plog_span_equal(a->entry.salt, b->entry.salt));
}

/* Also where no thread can be had. */
static void same_items(void)
{
    struct plog_request two, one;
    for (int i = 0; i < 2; i++) {
        unsigned asked_before = threads_asked;
        no_threads = i == 1;
        CHECK_INT(build(&two, plog_io_posix(), MOST, NULL), 0);
        no_threads = false;
        CHECK_UINT(threads_asked, asked_before + 1);
        CHECK_INT(build(&one, &other, MOST, NULL), 0);
        CHECK_UINT(threads_asked, asked_before + 1);
        CHECK_UINT(two.count, MOST);
        CHECK_UINT(two.delta_count, MOST);
        CHECK_UINT(two.encoded_bytes, one.encoded_bytes);
        for (size_t k = 0; k < MOST; k++)
            check_same(&two.items[k], &one.items[k]);
        plog_request_free(&two);
        plog_request_free(&one);
    }
}

/* No two deltas share a salt, whoever drew them. */
static void salts_differ(void)
{
    struct plog_request r;
    CHECK_INT(build(&r, plog_io_posix(), MOST, NULL), 0);
    for (size_t i = 0; i < MOST; i++)
        for (size_t k = 0; k < i; k++)
            CHECK(memcmp(r.items[i].salt, r.items[k].salt, 24) != 0);
    plog_request_free(&r);
}

/* The first that is wrong is told, in either half or both. */
static void first_error(void)
{
    static const size_t bad[][2] = {
        {0, 0}, {3, 590}, {290, 310}, {599, 599}, {320, 321}};
    static const struct plog_span wrong = {"{\"resource\":7}", 14};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct plog_request r;
        struct plog_error alone;
        struct plog_span was[2] = {deltas[bad[i][0]], deltas[bad[i][1]]};
        deltas[bad[i][0]] = deltas[bad[i][1]] = wrong;
        CHECK_INT(build(&r, &other, MOST, NULL), PLOG_E_INPUT);
        alone = err;
        plog_request_free(&r);
        for (int k = 0; k < 2; k++) {
            no_threads = k == 1;
            CHECK_INT(build(&r, plog_io_posix(), MOST, NULL), PLOG_E_INPUT);
            no_threads = false;
            plog_request_free(&r);
            CHECK(err.has_index && err.index == bad[i][0]);
            CHECK_TEXT(err.message, alone.message);
            CHECK_TEXT(err.member, alone.member);
        }
        deltas[bad[i][1]] = was[1];
        deltas[bad[i][0]] = was[0];
    }
}

static size_t asked;
static pthread_t caller;

static enum plog_policy_answer
count_and_refuse(void *arg, const struct plog_delta_view *delta, char *reason,
                 size_t cap)
{
    char id[16];
    CHECK(pthread_equal(pthread_self(), caller) != 0);
    snprintf(id, sizeof id, "d%zu", asked);
    CHECK(plog_span_is(delta->id, id));
    snprintf(reason, cap, "enough");
    return asked++ == *(size_t *)arg ? PLOG_REJECT : PLOG_ALLOW;
}

static void policy_in_order(void)
{
    static const size_t last[] = {0, 299, 450, MOST};
    caller = pthread_self();
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
        struct plog_request r;
        size_t end = last[i];
        struct plog_options o = {.policy = count_and_refuse,
                                 .policy_arg = &end};
        unsigned started = threads_asked;
        asked = 0;
        CHECK_INT(build(&r, plog_io_posix(), MOST, &o),
                  end < MOST ? PLOG_E_POLICY : 0);
        CHECK_UINT(asked, end < MOST ? end + 1 : MOST);
        CHECK_UINT(threads_asked, started);
        plog_request_free(&r);
    }
}

/* Groups of few bytes or of one delta are not divided, and as good. */
static void small_groups(void)
{
    static char large[200000];
    struct plog_span was = deltas[0];
    struct plog_request r;
    for (size_t count = 1; count < 4; count++) {
        CHECK_INT(build(&r, plog_io_posix(), count, NULL), 0);
        CHECK_UINT(r.delta_count, count);
        plog_request_free(&r);
    }
    int n = snprintf(large, sizeof large, "%.*s%0*d%s",
                     (int)(strstr(texts[0], "000") - texts[0]), texts[0],
                     150000, 0, strstr(texts[0], "\"},\"occ"));
    deltas[0] = plog_span(large, (size_t)n);
    for (size_t count = 1; count < 4; count++) {
        CHECK_INT(build(&r, plog_io_posix(), count, NULL), 0);
        CHECK(r.items[0].entry.delta.payload.n > 150000);
        CHECK(plog_span_is(r.items[count - 1].entry.delta.record_id_text,
                           count == 1   ? "0"
                           : count == 2 ? "1"
                                        : "2"));
        plog_request_free(&r);
    }
    deltas[0] = was;
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"same items", same_items},     {"salts differ", salts_differ},
        {"first error", first_error},   {"policy in order", policy_in_order},
        {"small groups", small_groups},
    };
    fill();
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
