/* test_delta_changed.c - a delta with changed bytes is refused, or what was
 * taken of it reads back the same; and without memory it is not taken. */
#include "check.h"
#include "delta.h"
#include "deltas.h"

#include <stdio.h>
#include <string.h>

static const char full[] =
    "{\"id\":\"a\\u0062\",\"resource\":\"r\",\"record_id\":\"\xc3\xa9\"," UPSERT
    ", \"payload\":{\"a\":[1,{\"b\":\"\\ud83d\\ude00\"}],\"c\":-1.5e3},"
    "\"occurred_at\":\"2026-01-02T03:04:05.678+01:00\",\"provenance\":{" SOURCE
    ",\"confidence\":0.75},\"meta\":{}}";

/* ---- Mutations ----------------------------------------------------------- */

/* What was taken, written again from its raw values, reads back the same. */
static void check_again(struct deltas *r, struct deltas *again)
{
    const struct plog_delta *d = &r->d;
    char text[DELTAS_LINE], id[DELTAS_LINE] = "", meta[DELTAS_LINE] = "";
    if (d->id.n)
        snprintf(id, sizeof id, "\"id\":%.*s,", (int)d->id.n, d->id.p);
    if (d->meta.n)
        snprintf(meta, sizeof meta, ",\"meta\":%.*s", (int)d->meta.n,
                 d->meta.p);
    int n = snprintf(text, sizeof text,
                     "{%s\"resource\":%.*s,\"record_id\":%.*s,\"op\":%.*s,"
                     "\"payload\":%.*s,\"occurred_at\":%.*s,"
                     "\"provenance\":%.*s%s}",
                     id, (int)d->resource.n, d->resource.p, (int)d->record_id.n,
                     d->record_id.p, (int)d->op.n, d->op.p, (int)d->payload.n,
                     d->payload.p, (int)d->occurred_at.n, d->occurred_at.p,
                     (int)d->provenance.n, d->provenance.p, meta);
    REQUIRE(n > 0 && (size_t)n < sizeof text);
    deltas_taken(again, text);
    CHECK(plog_delta_same(d, &again->d));
    CHECK(plog_span_equal(d->id, again->d.id));
    CHECK(plog_span_equal(d->id_text, again->d.id_text));
    CHECK(plog_span_equal(d->source_text, again->d.source_text));
    CHECK(d->is_delete == again->d.is_delete);
    CHECK(d->confidence == again->d.confidence);
    CHECK_INT(plog_instant_compare(d->instant, again->d.instant), 0);
}

static void try_text(struct deltas *r, struct deltas *again, const char *text,
                     size_t n)
{
    int rc = deltas_parse_max(r, text, n, DELTAS_LINE);
    if (rc == 0) {
        check_again(r, again);
        return;
    }
    CHECK_INT(rc, PLOG_E_INPUT);
    CHECK(r->err.has_offset || r->err.member[0] || r->err.message[0] == ':');
    CHECK(!r->err.has_offset || r->err.offset <= n);
}

static void test_mutation__every_byte(void)
{
    struct deltas r, again;
    char text[sizeof full];
    deltas_init(&r);
    deltas_init(&again);
    for (size_t i = 0; i < sizeof full - 1; i++)
        for (int c = 0; c < 256; c++) {
            memcpy(text, full, sizeof full);
            text[i] = (char)c;
            try_text(&r, &again, text, sizeof full - 1);
        }
    deltas_fini(&r);
    deltas_fini(&again);
}

static void test_mutation__bytes_out_and_in(void)
{
    static const char in[] = "\"\\{}[],: \n\r0e.-tz\x80\xc3";
    struct deltas r, again;
    char text[sizeof full + 1];
    size_t n = sizeof full - 1;
    deltas_init(&r);
    deltas_init(&again);
    for (size_t i = 0; i <= n; i++) {
        CHECK_INT(deltas_parse_max(&r, full, i, DELTAS_LINE),
                  i < n ? PLOG_E_INPUT : 0);
        if (i < n) {
            memcpy(text, full, i);
            memcpy(text + i, full + i + 1, n - i - 1);
            try_text(&r, &again, text, n - 1);
        }
        for (size_t k = 0; k < sizeof in; k++) {
            memcpy(text, full, i);
            text[i] = in[k];
            memcpy(text + i + 1, full + i, n - i);
            try_text(&r, &again, text, n + 1);
        }
    }
    deltas_fini(&r);
    deltas_fini(&again);
}

static void test_mutation__random(void)
{
    struct deltas r, again;
    char text[sizeof full];
    uint64_t state = check_seed();
    deltas_init(&r);
    deltas_init(&again);
    for (int round = 0; round < 20000; round++) {
        memcpy(text, full, sizeof full);
        for (uint64_t k = 1 + check_random(&state) % 4; k > 0; k--)
            text[check_random(&state) % (sizeof full - 1)] =
                full[check_random(&state) % (sizeof full - 1)];
        try_text(&r, &again, text, sizeof full - 1);
    }
    deltas_fini(&r);
    deltas_fini(&again);
}

/* ---- Memory -------------------------------------------------------------- */

static void test_memory__every_allocation_fails(void)
{
    bool reached = true;
    for (size_t nth = 1; reached; nth++) {
        for (int for_ever = 0; for_ever < 2; for_ever++) {
            struct deltas r;
            deltas_init(&r);
            heap_fail(&r.h, nth, for_ever);
            int rc = deltas_parse(&r, full);
            reached = heap_failed(&r.h);
            CHECK_INT(rc, reached ? PLOG_E_NOMEM : 0);
            CHECK_INT(r.err.code, rc);
            heap_fail(&r.h, 0, false);
            deltas_taken(&r, full);
            deltas_fini(&r);
        }
        REQUIRE(nth < 1000);
    }
}

static void test_memory__decoding_does_not_move(void)
{
    struct deltas r;
    struct plog_buf decoded;
    deltas_init(&r);
    deltas_taken(&r, full);
    for (size_t before = 0; before < 130; before += 13) {
        struct plog_delta d = r.d;
        plog_buf_init(&decoded, &r.h.io);
        for (size_t i = 0; i < before; i++)
            REQUIRE(plog_buf_add_char(&decoded, 'x') == 0);
        CHECK_INT(plog_delta_decode(&d, &decoded, NULL), 0);
        deltas_span(d.id_text, "ab");
        CHECK(d.id_text.p >= decoded.data &&
              d.id_text.p < decoded.data + decoded.len);
        plog_buf_fini(&decoded);
    }
    deltas_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"mutation__every_byte", test_mutation__every_byte},
        {"mutation__bytes_out_and_in", test_mutation__bytes_out_and_in},
        {"mutation__random", test_mutation__random},
        {"memory__every_allocation_fails", test_memory__every_allocation_fails},
        {"memory__decoding_does_not_move", test_memory__decoding_does_not_move},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
