/*
 * test_entry.c - entry lines, member by member: what each must be, where it
 * must stand, and what the parser says of the first that is not so.
 *
 * Names of the files that hold them are at the end.
 */
#include <stdio.h>
#include <string.h>

#include "archive.h"
#include "check.h"
#include "heap.h"
#include "line.h"

#define LONGEST 2000
#define HASH "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""
#define SALT "\"AAAAAAAAAAAAAAAAAAAAAA==\""
#define TIME "\"2026-01-02T03:04:05.000000Z\""
#define REST                                                                   \
    "\"occurred_at\":\"2026-01-02T03:04:05Z\",\"provenance\":{"                \
    "\"source\":\"s\",\"confidence\":1}"

static const char delta[] =
    "{\"seq\":7,\"id\":\"i\",\"from\":{\"origin\":\"a.example\",\"seq\":3},"
    "\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\",\"payload\":{}"
    "," REST ",\"meta\":{},\"outcome\":\"skipped\",\"merged\":{},\"salt\":" SALT
    ",\"logged_at\":" TIME "}";
static const char small[] =
    "{\"seq\":7,\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"delete\","
    "\"payload\":null," REST ",\"salt\":" SALT "}";
static const char redacted[] =
    "{\"seq\":7,\"id\":\"i\",\"resource\":\"r\",\"record_id\":\"1\","
    "\"op\":\"upsert\"," REST ",\"outcome\":\"skipped\",\"logged_at\":" TIME
    ",\"redacted\":" HASH "}";
static const char control[] =
    "{\"seq\":7,\"control\":\"strategy\",\"args\":{},\"logged_at\":" TIME "}";

static struct plog_entry_parser parser;
static struct plog_entry e;

static int parse(const char *line, struct plog_error *err)
{
    return plog_entry_parse(&parser, plog_span_text(line), &e, err);
}

static void replace(char *out, const char *line, const char *what,
                    const char *by)
{
    const char *at = strstr(line, what);
    if (!CHECK(at != NULL)) {
        printf("# no %s\n", what);
        at = line;
        what = "";
    }
    CHECK(snprintf(out, LONGEST, "%.*s%s%s", (int)(at - line), line, by,
                   at + strlen(what)) < LONGEST);
}

struct change {
    const char *what, *by;
    int code;
    const char *member;
};

static void changes(const char *line, const struct change *c, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[LONGEST];
        struct plog_error err = {.code = 0};
        replace(text, line, c[i].what, c[i].by);
        bool same = CHECK_INT(parse(text, &err), c[i].code);
        same &= CHECK_INT(err.code, c[i].code);
        if (c[i].code == PLOG_E_CORRUPT)
            same &= CHECK_TEXT(err.member, c[i].member);
        if (!same)
            printf("# %s -> %s: %s\n", c[i].what, c[i].by, err.message);
    }
}
#define CHANGES(line, c) changes(line, c, sizeof c / sizeof *c)
#define BAD PLOG_E_CORRUPT
#define NEW PLOG_E_FORMAT

/* ---- Deltas ---------------------------------------------------------------
 */

/* An origin with an escape is read as what it says. */
static void escaped_origin(void)
{
    char text[LONGEST];
    replace(text, delta, "a.example", "\\u0061.exam\\u0070le");
    CHECK_INT(parse(text, NULL), 0);
    CHECK(plog_span_is(e.from, "a.example"));
}

/* Of two faults the one that comes first is told. */
static void first_fault(void)
{
    static const struct change d[] = {
        {"\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"delete\","
         "\"payload\":null",
         "\"resource\":7,\"record_id\":\"1\",\"op\":\"delete\","
         "\"payload\":{}",
         BAD, "resource"},
        {"null," REST,
         "{},\"occurred_at\":\"2026-01-02T03:04:05Z\","
         "\"provenance\":{\"source\":\"s\",\"confidence\":2}",
         BAD, "provenance.confidence"},
    };
    static const struct change c[] = {
        {"\"occurred_at\":\"2026-01-02T03:04:05Z\",", "", NEW, ""},
        {",\"provenance\":{\"source\":\"s\",\"confidence\":1}", "", NEW, ""},
    };
    CHANGES(small, d);
    CHANGES(delta, c);
}

static void all_members(void)
{
    CHECK_INT(parse(delta, NULL), 0);
    CHECK_UINT(e.seq, 7);
    CHECK_UINT(e.from_seq, 3);
    CHECK(plog_span_is(e.from, "a.example"));
    CHECK(plog_span_is(e.delta.id_text, "i"));
    CHECK(plog_span_is(e.delta.payload, "{}"));
    CHECK(plog_span_is(e.delta.meta, "{}"));
    CHECK(plog_span_is(e.merged, "{}"));
    CHECK(e.skipped && !e.redacted && e.control == PLOG_CONTROL_NONE);
    CHECK_UINT(e.salt.n, 24);
    CHECK_UINT(e.logged_at.n, 27);
    CHECK_INT(parse(small, NULL), 0);
    CHECK(e.delta.is_delete && !e.skipped && e.merged.n == 0 && e.from.n == 0);
    CHECK_UINT(e.logged_at.n, 0);
}

static void every_member_wrong(void)
{
    static const struct change c[] = {
        {"{\"seq\":7", "{\"sec\":7", BAD, "seq"},
        {"{\"seq\":7", "{\"seq\":0", BAD, "seq"},
        {"{\"seq\":7", "{\"seq\":\"7\"", BAD, "seq"},
        {"{\"seq\":7", "{\"seq\":-7", BAD, "seq"},
        {"\"from\":{", "\"from\":[{", BAD, ""},
        {"{\"origin\":\"a.example\",\"seq\":3}", "7", BAD, "from"},
        {"{\"origin\":\"a.example\",\"seq\":3}", "{}", BAD, "from"},
        {"\"origin\":\"a", "\"urigin\":\"a", BAD, "from"},
        {"\"origin\":\"a.example\"", "\"origin\":7", BAD, "from"},
        {"\"origin\":\"a.example\"", "\"origin\":\"\"", BAD, "from"},
        {"\"origin\":\"a.example\"", "\"origin\":\"a b\"", BAD, "from"},
        {"\"origin\":\"a.example\"", "\"origin\":\"a\\u0020b\"", BAD, "from"},
        {"\"origin\":\"a.example\"", "\"origin\":\"a\\nb\"", BAD, "from"},
        {"\"seq\":3}", "\"seq\":0}", BAD, "from"},
        {"\"seq\":3}", "\"seq\":\"\"}", BAD, "from"},
        {"\"seq\":3}", "\"sec\":3}", BAD, "from"},
        {"\"seq\":3}", "\"seq\":3,\"x\":1}", BAD, "from"},
        {"\"resource\":\"r\"", "\"resaurce\":\"r\"", NEW, ""},
        {"\"resource\":\"r\"", "\"resource\":7", BAD, "resource"},
        {"\"record_id\"", "\"record_ix\"", NEW, ""},
        {"\"op\":\"upsert\"", "\"ap\":\"upsert\"", NEW, ""},
        {"\"op\":\"upsert\"", "\"op\":\"upsart\"", BAD, "op"},
        {"\"op\":\"upsert\"", "\"op\":7", BAD, "op"},
        {"\"payload\":{}", "\"payload\":7", BAD, "payload"},
        {"\"payload\":{},", "\"paylaad\":{},", NEW, ""},
        {"\"occurred_at\"", "\"accurred_at\"", NEW, ""},
        {"\"provenance\"", "\"pravenance\"", NEW, ""},
        {"\"confidence\":1", "\"confidence\":2", BAD, "provenance.confidence"},
        {"\"meta\"", "\"mata\"", NEW, ""},
        {"\"skipped\"", "\"taken\"", BAD, "outcome"},
        {"\"merged\":{}", "\"merged\":[]", BAD, "merged"},
        {"\"salt\"", "\"sald\"", NEW, ""},
        {SALT, "7", BAD, "salt"},
        {SALT, "77", BAD, "salt"},
        {SALT, "\"\"", BAD, "salt"},
        {SALT, HASH, BAD, "salt"},
        {"\"logged_at\":" TIME, "\"logged_at\":7", BAD, "logged_at"},
        {"\"logged_at\":" TIME, "\"logged_at\":\"now\"", BAD, "logged_at"},
        {"05.000000Z", "05Z", BAD, "logged_at"},
        {"\"logged_at\"", "\"lagged_at\"", NEW, ""},
        {TIME "}", TIME ",\"more\":1}", NEW, ""},
        {TIME "}", TIME ",\"redacted\":" HASH "}", NEW, ""},
        {"{\"seq\":7", "{ \"seq\":7", BAD, ""},
        {"\"op\":\"upsert\"", "\"op\":\"delete\"", BAD, "payload"},
    };
    static const struct change deletes[] = {
        {"\"payload\":null", "\"payload\":{}", BAD, "payload"},
        {"\"salt\"", "\"merged\":{},\"salt\"", BAD, "merged"},
        {",\"salt\":" SALT, "", BAD, "salt"},
        {"\"resource\":\"r\",", "", NEW, ""},
        {"\"record_id\":\"1\",", "", NEW, ""},
        {"\"op\":\"delete\",", "", NEW, ""},
        {"," REST ",\"salt\":" SALT, "", BAD, "entry"},
        {",\"op\":\"delete\",\"payload\":null," REST ",\"salt\":" SALT, "", BAD,
         "entry"},
    };
    CHANGES(delta, c);
    CHANGES(small, deletes);
    /* A time in no form, and one in another than ours. */
    static const char *const times[][2] = {
        {"\"now\"", "not a time"},
        {"\"2026-01-02T03:04:05Z\"", "not in the form we write"}};
    for (int i = 0; i < 2; i++) {
        char text[LONGEST];
        struct plog_error err = {0};
        replace(text, delta, TIME, times[i][0]);
        CHECK_INT(parse(text, &err), BAD);
        CHECK(strstr(err.message, times[i][1]) != NULL);
    }
}

static void redacted_ones(void)
{
    static const struct change c[] = {
        {HASH, "7", BAD, "redacted"},
        {HASH, SALT, BAD, "redacted"},
        {"\"redacted\"", "\"redactod\"", NEW, ""},
        {",\"redacted\":" HASH, "", BAD, "entry"},
        {"\"outcome\"", "\"meta\":{},\"outcome\"", NEW, ""},
        {"\"logged_at\"", "\"salt\":" SALT ",\"logged_at\"", NEW, ""},
        {HASH "}", HASH ",\"more\":1}", NEW, ""},
        {"\"skipped\"", "\"taken\"", BAD, "outcome"},
        {"\"op\":\"upsert\"", "\"op\":\"upsert\",\"payload\":{}", BAD, ""},
    };
    char text[LONGEST];
    CHECK_INT(parse(redacted, NULL), 0);
    CHECK(e.redacted && e.skipped && e.salt.n == 0);
    CHECK(plog_span_is(e.delta.payload, "null"));
    replace(text, redacted, "upsert", "delete");
    CHECK_INT(parse(text, NULL), 0);
    CHECK(e.delta.is_delete);
    changes(redacted, c, sizeof c / sizeof *c - 1);
    replace(text, redacted, c[8].what, c[8].by);
    CHECK(parse(text, NULL) != 0);
}

/* ---- Control entries -------------------------------------------------------
 */

static void controls(void)
{
    static const struct change c[] = {
        {"\"strategy\"", "7", BAD, "control"},
        {"\"strategy\"", "\"strategi\"", NEW, ""},
        {"\"strategy\"", "\"\"", NEW, ""},
        {"\"args\":{}", "\"args\":[]", BAD, "args"},
        {"\"args\":{}", "\"orgs\":{}", BAD, "args"},
        {"\"logged_at\":" TIME, "\"logged_at\":null", BAD, "logged_at"},
        {TIME "}", TIME ",\"more\":1}", NEW, ""},
    };
    CHECK_INT(parse(control, NULL), 0);
    CHECK_INT(e.control, PLOG_CONTROL_STRATEGY);
    CHECK(plog_span_is(e.args, "{}"));
    CHANGES(control, c);
    for (int i = PLOG_CONTROL_INIT; i <= PLOG_CONTROL_RESTORE; i++) {
        char text[LONGEST], name[40];
        snprintf(name, sizeof name, "\"%s\"",
                 plog_control_name((enum plog_control)i));
        replace(text, control, "\"strategy\"", name);
        CHECK_INT(parse(text, NULL), 0);
        CHECK_INT(e.control, i);
    }
}

static void no_memory(void)
{
    static const char *const all[] = {delta, small, redacted, control};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct heap h;
        struct plog_entry_parser p;
        struct plog_error err = {.code = 0};
        bool failed = true;
        heap_init(&h);
        for (size_t n = 1; failed; n++) {
            plog_entry_parser_init(&p, &h.io);
            heap_fail(&h, n, false);
            int rc = plog_entry_parse(&p, plog_span_text(all[i]), &e, &err);
            failed = heap_failed(&h);
            CHECK_INT(rc, failed ? PLOG_E_NOMEM : 0);
            plog_entry_parser_fini(&p);
            CHECK_UINT(h.live, 0);
        }
    }
}

/* ---- Names of files --------------------------------------------------------
 */

static void names(void)
{
    static const char *const bad[] = {
        "",
        "00000000000000000042",
        "00000000000000000042.json",
        "00000000000000000042.jsonll",
        "00000000000000000042.jsonx",
        "0000000000000000004.jsonl0",
        "0000000000000000004a.jsonl",
        "0000000000000000004/.jsonl",
        "0000000000000000004:.jsonl",
        "10000000000000000042.jsonl",
        "00000000000000000042xjsonl",
        ".0000000000000000042.jsonl",
    };
    char name[40];
    CHECK_UINT(plog_segment_parse("00000000000000000042.jsonl"), 42);
    CHECK_UINT(plog_archive_parse("00000000000000000043.jsonl.gz"), 43);
    CHECK_UINT(plog_segment_parse("09223372036854775807.jsonl"), INT64_MAX);
    CHECK_UINT(plog_segment_parse("09223372036854775808.jsonl"), 0);
    CHECK_UINT(plog_segment_parse("18446744073709551658.jsonl"), 0);
    CHECK_UINT(plog_segment_parse("20000000000000000000.jsonl"), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_UINT(plog_segment_parse(bad[i]), 0);
        snprintf(name, sizeof name, "%s.gz", bad[i]);
        CHECK_UINT(plog_archive_parse(name), 0);
    }
    CHECK_UINT(plog_archive_parse("00000000000000000043.jsonl.gx"), 0);
    CHECK_UINT(plog_archive_parse("00000000000000000043.jsonl-gz"), 0);
    CHECK_UINT(plog_archive_parse("00000000000000000043.jsonl"), 0);
    CHECK_UINT(plog_archive_parse("00000000000000000043.jsonl.gzz"), 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"all members", all_members},
        {"escaped origin", escaped_origin},
        {"first fault", first_fault},
        {"every member wrong", every_member_wrong},
        {"redacted ones", redacted_ones},
        {"controls", controls},
        {"no memory", no_memory},
        {"names", names},
    };
    plog_entry_parser_init(&parser, plog_io_posix());
    int status = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    plog_entry_parser_fini(&parser);
    return status;
}
