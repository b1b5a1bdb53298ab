/*
 * test_scan_header.c - the header of a segment: of another log, another history
 * or another format.
 */
#include <string.h>

#include "check.h"
#include "hand.h"

static void headers(void)
{
    hand_begin();
    hand_next_segment();
    hand_good_group();
    CHECK_INT(hand_read_next(2), 0);
    hand_end();
    hand_begin(); /* of another log */
    hand_next_segment();
    hand.file.len = 0;
    hand_header("lag");
    hand_good_group();
    CHECK_INT(hand_read_next(2), PLOG_E_FOREIGN);
    hand_says("a segment of another log");
    hand_end();
    hand_begin(); /* the same, where the chain takes its place from the header
                   */
    hand_next_segment();
    hand.file.len = 0;
    hand_header("lag");
    hand.chain.broken = true;
    CHECK_INT(hand_read_next(2), PLOG_E_FOREIGN);
    hand_says("a segment of another log");
    CHECK_TEXT(hand.chain.origin, "log");
    CHECK(hand.chain.broken);
    hand_end();
    hand_begin(); /* behind another history that was signed, too */
    CHECK_INT(hand_read_all(false), PLOG_END);
    plog_scan_close(&hand.s);
    hand.file.len = 0;
    plog_tree_init(&hand.tree);
    hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, true);
    hand_commit(&hand.a);
    hand.file.len = 0;
    hand_header("log");
    CHECK_INT(hand_read_next(2), PLOG_E_FORK);
    hand_says("the header follows another signed history");
    plog_scan_close(&hand.s);
    memset(hand.last.sig, 1, sizeof hand.last.sig); /* which nobody signed */
    hand.file.len = 0;
    hand_header("log");
    CHECK_INT(hand_read_next(2), PLOG_E_CORRUPT);
    hand_says("not the header that follows entry 1");
    hand_end();
    hand_begin(); /* this history, and another signature or size */
    hand_next_segment();
    memset(hand.last.sig, 1, sizeof hand.last.sig);
    hand.file.len = 0;
    hand_header("log");
    CHECK_INT(hand_read_next(2), PLOG_E_CORRUPT);
    hand_says("not the header that follows entry 1");
    plog_scan_close(&hand.s);
    hand.file.len = 0;
    hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, true);
    hand_commit(&hand.a);
    hand.file.len = 0;
    hand_header("log");
    CHECK_INT(hand_read_next(2), PLOG_E_CORRUPT);
    hand_says("not the header that follows entry 1");
    plog_scan_close(&hand.s);
    /* The name of the file says that entries are missing: it is believed as
     * far as the header does. */
    CHECK_INT(hand_read_next(3), PLOG_END);
    CHECK_UINT(hand.chain.last.size, 2);
    plog_scan_close(&hand.s);
    CHECK_INT(hand_read_next(4), PLOG_E_CORRUPT);
    hand_says("the header names another place than the file");
    hand_end();
}

/* Another number of the format: what follows says whose header it is. */
static void other_formats(void)
{
    static const struct {
        const char *what, *to;
        int code;
    } all[] = {
        {"\"format\":1", "\"format\":2", PLOG_E_CORRUPT},
        {"\"format\":1", "\"format\":9", PLOG_E_CORRUPT},
        {"\"format\":1,\"origin\"", "\"format\":2,\"origin\"", PLOG_E_CORRUPT},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int bare = 0; bare < 2; bare++) {
            hand_begin();
            if (bare)
                hand.file.len =
                    (size_t)(strchr(hand.file.data, '\n') + 1 - hand.file.data);
            hand_set(all[i].what, all[i].to);
            hand_open(true);
            CHECK_INT(plog_scan_header(&hand.s, 1), all[i].code);
            hand_says("and what follows verifies as format 1");
            CHECK_TEXT(hand.chain.origin, "");
            CHECK_UINT(hand.chain.last.size, 0);
            CHECK_UINT(hand.s.offset, 0);
            hand_end();
        }
    static const struct {
        const char *what, *to;
    } newer[] = {
        {"\"size\":1", "\"sise\":1"}, /* another spelling of a commit */
        {"\"strategy\":", "\"strategi\":"},
        {"\"origin\":\"log\"", "\"origin\":\"lag\""},
        {"\"first\":1", "\"first\":3"},
        {"\"first\":1", "\"fjrst\":1"},
    };
    for (size_t i = 0; i < sizeof newer / sizeof *newer; i++) {
        hand_begin();
        hand_set("\"format\":1", "\"format\":2");
        hand_set(newer[i].what, newer[i].to);
        hand_open(true);
        CHECK_INT(plog_scan_header(&hand.s, 1), PLOG_E_FORMAT);
        hand_says("format 2; this program reads format 1");
        CHECK_TEXT(hand.chain.origin, "");
        hand_end();
    }
    /* Whoever cannot look, for want of memory, does not say that it is ours. */
    int rc = 0;
    for (long n = 0; rc != PLOG_E_CORRUPT && n < 50; n++) {
        hand_begin();
        hand_set("\"format\":1", "\"format\":2");
        hand_open(true);
        hand.allocations = n;
        rc = plog_scan_header(&hand.s, 1);
        if (rc != PLOG_E_NOMEM && rc != PLOG_E_CORRUPT)
            CHECK_INT(rc, PLOG_E_FORMAT);
        CHECK_INT(hand.s.fault.code, rc);
        CHECK_TEXT(hand.chain.origin, "");
        hand_end();
    }
    CHECK_INT(rc, PLOG_E_CORRUPT);
}

/* The same of a later segment: whoever looks leaves the chain as it was, and
 * goes on when the number is put right. */
static void another_format_later(void)
{
    hand_begin();
    hand_next_segment();
    hand_good_group();
    hand_set("\"format\":1", "\"format\":2");
    struct plog_commit last = hand.chain.last;
    CHECK_INT(hand_read_next(2), PLOG_E_CORRUPT);
    hand_says("and what follows verifies as format 1");
    CHECK_UINT(hand.s.fault.offset, 0);
    CHECK_UINT(hand.s.offset, 0);
    CHECK_TEXT(hand.chain.origin, "log");
    CHECK_UINT(hand.chain.last.size, 1);
    CHECK_UINT(hand.chain.tree.size, 1);
    CHECK_BYTES(hand.chain.last.root, PLOG_HASH_SIZE, last.root,
                PLOG_HASH_SIZE);
    CHECK_UINT(hand.chain.chain.count, 1);
    plog_scan_close(&hand.s);
    hand_set("\"format\":2", "\"format\":1");
    CHECK_INT(hand_read_next(2), 0);
    CHECK_UINT(hand.chain.last.size, 2);
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), PLOG_END);
    hand_end();
}

/* What cannot be read for want of memory is not called damaged. */
static void without_memory(void)
{
    int rc = -1;
    long n = 0;
    for (; rc && n < 50; n++) {
        hand_begin();
        hand_open(true);
        hand.allocations = n;
        rc = plog_scan_header(&hand.s, 1);
        CHECK_INT(rc, rc ? PLOG_E_NOMEM : 0);
        CHECK_INT(hand.s.fault.code, rc);
        CHECK_TEXT(hand.s.fault.what, rc ? "out of memory" : "");
        CHECK_TEXT(hand.chain.origin, rc ? "" : "log");
        hand_end();
    }
    CHECK(n > 1 && rc == 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"headers", headers},
        {"other formats", other_formats},
        {"another format later", another_format_later},
        {"without memory", without_memory},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    hand_forget();
    return rc;
}
