/*
 * test_scan_tail.c - what stands behind the last group: torn by a crash, or
 * the rest of a group that was whole once.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "hand.h"

#define NOT_ONE "{\"commit\":{\"x\":1}}"
#define NO_ENTRY "{\"seq\":x,"

/* More than a group can have is not torn, whatever it is. */
static void a_long_tail(void)
{
    bool torn;
    hand_begin();
    hand_open(true);
    CHECK_INT(plog_scan_header(&hand.s, 1), 0);
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), 0);
    for (unsigned more = 0; more < 2; more++) {
        hand.s.limit = hand.s.offset + PLOG_GROUP_MAX + PLOG_LINE_SLACK + more;
        hand.shows = hand.s.limit;
        CHECK_INT(plog_scan_torn(&hand.s, &torn), 0);
        CHECK(torn == (more == 0));
    }
    hand_end();
}

/* One changed byte may have joined two lines: a second group shows all the
 * same, up to four times that something looks like one. */
static void tails(void)
{
    static const struct {
        const char *before, *behind; /* of what it is put around */
        bool entry, commit;          /* that is there */
        bool further;                /* entries lie between */
        bool joined;                 /* entry and commit */
        bool torn;
    } all[] = {
        {"", "\n", true, false, false, false, true},
        {"", "\n", true, true, false, false, true},
        {"", "\n", true, true, false, true, true},
        {"", "x\n", true, true, false, true, true}, /* its own line end */
        {"", "xy\n", true, true, false, true, false},
        {"", "x\ny\n", true, true, false, true, false},
        {"", "\nx\n", true, true, false, true, false},
        {"", "\nx\n", true, true, false, false, false},
        {"x", "\n", true, true, false, false, true},
        {"x", "xy\n", false, true, false, false, false},
        {"x", "\n", true, false, true, false, false},
        {NOT_ONE, "\n", false, true, false, false, true},
        {NOT_ONE, "xy\n", false, true, false, false, false},
        {NOT_ONE NOT_ONE NOT_ONE, "xy\n", false, true, false, false, false},
        {NOT_ONE NOT_ONE NOT_ONE NOT_ONE, "x\n", false, true, false, false,
         true},
        {NO_ENTRY, "\n", true, false, true, false, false},
        {"x" NO_ENTRY NO_ENTRY NO_ENTRY, "\n", true, false, true, false, false},
        {"x" NO_ENTRY NO_ENTRY NO_ENTRY NO_ENTRY, "\n", true, false, true,
         false, true},
        {"{\"commit\":{\"size\":7", "\n", false, false, false, false, true},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_buf kept;
        bool torn;
        hand_begin();
        size_t at = hand.file.len;
        if (all[i].further)
            hand_good_group();
        size_t from = hand.file.len;
        hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, true);
        size_t commit_at = hand.file.len;
        hand_commit(&hand.a);
        if (all[i].joined)
            hand.file.data[commit_at - 1] = 'y';
        size_t to = all[i].commit ? hand.file.len - 1 : commit_at - 1;
        if (!all[i].entry)
            from = all[i].commit ? commit_at : to;
        plog_buf_init(&kept, plog_io_posix());
        CHECK_INT(plog_buf_add(&kept, hand.file.data + from, to - from), 0);
        hand.file.len = at;
        hand_add(all[i].before);
        CHECK_INT(plog_buf_add(&hand.file, kept.data, kept.len), 0);
        hand_add(all[i].behind);
        plog_buf_fini(&kept);
        hand_open(true);
        CHECK_INT(plog_scan_header(&hand.s, 1), 0);
        CHECK_INT(plog_scan_group(&hand.s, &hand.group), 0);
        CHECK_INT(plog_scan_torn(&hand.s, &torn), 0);
        if (!CHECK(torn == all[i].torn))
            printf("# case %zu: %.*s\n", i, (int)(hand.file.len - at),
                   hand.file.data + at);
        hand_end();
    }
}

/* A commit by a key that is not in force there is no crash's doing, when it is
 * one of this log. */
static void by_another_key(void)
{
    static const struct {
        const char *origin;
        bool changed, torn;
    } all[] = {{"log", false, false}, {"log", true, true}, {"", false, true}};
    for (size_t i = 0; i < 3; i++) {
        bool torn;
        hand_begin();
        size_t at = hand.file.len;
        hand_good_group();
        if (all[i].changed) {
            char *sig = memmem(hand.file.data + at, hand.file.len - at,
                               "\"sig\":\"", 7);
            sig[20] = sig[20] == 'A' ? 'B' : 'A';
        }
        hand_open(true);
        CHECK_INT(plog_scan_header(&hand.s, 1), 0);
        CHECK_INT(plog_scan_group(&hand.s, &hand.group), 0);
        hand.chain.chain.count = 0; /* as if it had gone over to b */
        CHECK_INT(plog_keychain_add(&hand.chain.chain, &hand.b.vkey, 0), 0);
        snprintf(hand.chain.origin, sizeof hand.chain.origin, "%s",
                 all[i].origin);
        CHECK_INT(plog_scan_torn(&hand.s, &torn), 0);
        CHECK(torn == all[i].torn);
        hand_end();
    }
}

/* A payload may be anything, also a commit of this very log: quoted, it is no
 * sign of a second group. */
static void a_quoted_commit(void)
{
    static const char begin[] =
        "{\"seq\":2,\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","
        "\"payload\":";
    static const char end[] =
        ",\"occurred_at\":\"2026-01-02T03:04:05Z\",\"provenance\":{\"source\":"
        "\"s\",\"confidence\":1},\"salt\":\"AAECAwQFBgcICQoLDA0ODw==\","
        "\"logged_at\":\"" HAND_AT "\"}";
    char text[1500], commit[1000];
    bool torn = false;
    hand_begin();
    const char *from =
        memmem(hand.file.data, hand.file.len, "{\"commit\":{", 11);
    REQUIRE(from != NULL);
    snprintf(commit, sizeof commit, "%.*s",
             (int)(hand.file.data + hand.file.len - 1 - from), from);
    snprintf(text, sizeof text, "%s%s%s", begin, commit, end);
    for (int quoted = 1; quoted >= 0; quoted--) {
        size_t at = hand.file.len;
        hand_text_entry(text);
        if (!quoted) /* the entry is none, and then the commit counts */
            hand.file.data[at + 2] = 'x';
        hand_open(true);
        CHECK_INT(plog_scan_header(&hand.s, 1), 0);
        CHECK_INT(plog_scan_group(&hand.s, &hand.group), 0);
        CHECK_INT(plog_scan_torn(&hand.s, &torn), 0);
        CHECK(torn == quoted);
        plog_scan_close(&hand.s);
        plog_chain_init(&hand.chain, &hand.ring);
        hand.file.len = at;
    }
    hand_end();
}

#define DELTA "\"resource\":\"r\",\"record_id\":\"1\","
#define WHEN                                                                   \
    "\"occurred_at\":\"2026-01-02T03:04:05Z\",\"provenance\":{\"source\":"     \
    "\"s\",\"confidence\":1},"
#define SALTED "\"salt\":\"AAECAwQFBgcICQoLDA0ODw==\""
#define LOGGED ",\"logged_at\":\"" HAND_AT "\"}"

/* The last group is what its key signed, all of it, and a line of it is wrong
 * all the same: its writer's doing, and no crash's.  Cut at any byte, or with
 * one that changed, it may be a crash's again. */
static void as_it_was_signed(void)
{
    static const char *const lines[] = {
        "{\"seq\":2," DELTA "\"op\":\"delete\",\"payload\":null," WHEN
        "\"merged\":{}," SALTED LOGGED,
        "{\"seq\":2," DELTA "\"op\":\"upsert\",\"payload\":{}," WHEN SALTED
        ",\"logged_at\":\"2026-13-45T25:61:61.000000Z\"}",
        "{\"seq\":2," DELTA "\"op\":\"upsert\",\"payload\":{}," WHEN SALTED "}",
        "{\"seq\":3," DELTA "\"op\":\"upsert\",\"payload\":{}," WHEN SALTED "}",
        "{\"seq\":2,\"control\":\"redact\",\"args\":{}" LOGGED,
        "no line of this format",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        for (int harm = 0; harm < 3; harm++) {
            bool torn = false;
            hand_begin();
            size_t at = hand.file.len;
            hand_text_entry(lines[i]);
            hand_commit(&hand.a);
            if (harm == 1)
                hand.file.data[at + 3] = 'x';
            if (harm == 2)
                hand.file.len--;
            CHECK_INT(hand_read_all(true), PLOG_E_CORRUPT);
            CHECK_INT(plog_scan_torn(&hand.s, &torn), 0);
            if (!CHECK(torn == (harm != 0)))
                printf("# harm %d: %s\n", harm, lines[i]);
            hand_end();
        }
    }
}

/* So it is with what a rotation says of the log that it stands in. */
static void a_rotation_as_signed(void)
{
    unsigned char root[PLOG_HASH_SIZE] = {7};
    struct plog_buf args;
    bool torn = true;
    hand_begin();
    plog_buf_init(&args, plog_io_posix());
    CHECK_INT(plog_rotation_make(&args, 2, root, &hand.a, &hand.b), 0);
    CHECK_INT(plog_buf_add_char(&args, '\0'), 0);
    hand_entry(PLOG_CONTROL_ROTATE, args.data, true);
    hand_commit(&hand.a);
    CHECK_INT(hand_read_all(true), PLOG_E_TAMPERED);
    hand_says("another history");
    CHECK_INT(plog_scan_torn(&hand.s, &torn), 0);
    CHECK(!torn);
    plog_buf_fini(&args);
    hand_end();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a long tail", a_long_tail},
        {"tails", tails},
        {"by another key", by_another_key},
        {"a quoted commit", a_quoted_commit},
        {"as it was signed", as_it_was_signed},
        {"a rotation as signed", a_rotation_as_signed},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    hand_forget();
    return rc;
}
