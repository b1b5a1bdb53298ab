/*
 * test_scan_fails.c - a scan whose reads fail or give less, for good or just
 * once, or that runs out of memory.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "compaction.h"
#include "hand.h"

/* ---- Reads that fail ----------------------------------------------------- */

static void reads(void)
{
    struct plog_commit c;
    struct plog_span line;
    uint64_t where = 0;
    bool torn;
    hand_begin();
    size_t at = hand.file.len;
    hand_add_many('x', 600 << 10);
    hand_add("\n");
    hand_good_group();
    hand_open(true);
    CHECK_INT(plog_scan_header(&hand.s, 1), 0);
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), 0);
    hand.fails_at = 300 << 10; /* the end cannot be read */
    CHECK_INT(plog_scan_content_end(&hand.s, &where), PLOG_E_IO);
    hand_says("reading failed (5)");
    CHECK_INT(plog_scan_torn(&hand.s, &torn), PLOG_E_IO);
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), PLOG_E_IO);
    CHECK_UINT(hand.chain.last.size, 1);
    CHECK_INT(plog_scan_resync(&hand.s, &c), PLOG_E_IO);
    hand.fails_at = 0;
    hand.shows = 300 << 10; /* it is shorter than it was */
    CHECK_INT(plog_scan_content_end(&hand.s, &where), PLOG_E_IO);
    hand_says("reading failed (0)");
    CHECK_INT(plog_scan_resync(&hand.s, &c), PLOG_END);
    plog_window_jump(&hand.s, at);
    CHECK_INT(plog_window_line(&hand.s, at, at, HAND_LONGEST, &line),
              PLOG_WINDOW_PART);
    CHECK_UINT(line.n, (300 << 10) - at);
    plog_window_jump(&hand.s, 400 << 10);
    CHECK_INT(
        plog_window_line(&hand.s, 400 << 10, 400 << 10, HAND_LONGEST, &line),
        PLOG_END);
    hand_end();
    hand_begin(); /* padding that cannot be read to its end */
    hand_add_many('\n', 600 << 10);
    hand_open(true);
    CHECK_INT(plog_scan_header(&hand.s, 1), 0);
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), 0);
    hand.fails_at = 300 << 10;
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), PLOG_E_IO);
    hand.fails_at = 0;
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), PLOG_END);
    hand_end();
    hand_begin(); /* a long line that cannot be passed over */
    hand_add_many('x', HAND_LONGEST + (1 << 20));
    hand_add("\n");
    hand_good_group();
    CHECK_INT(hand_read_all(true), PLOG_E_CORRUPT);
    hand.fails_at = HAND_LONGEST + (900 << 10);
    CHECK_INT(plog_scan_resync(&hand.s, &c), PLOG_E_IO);
    hand.fails_at = 0;
    hand.s.window.len = 0; /* the end, the line up to its most, and one more */
    hand.reads_left = 1 + HAND_LONGEST / (256 << 10) + 1;
    hand.later_shows = hand.shows;
    hand.later_fails_at = 1;
    CHECK_INT(plog_scan_torn(&hand.s, &torn), PLOG_E_IO);
    hand_end();
    hand_begin(); /* a tail that goes while it is looked at */
    at = hand.file.len;
    hand_add_many('x', 600 << 10);
    for (int fails = 0; fails < 2; fails++) {
        hand_open(true);
        CHECK_INT(plog_scan_header(&hand.s, 1), 0);
        CHECK_INT(plog_scan_group(&hand.s, &hand.group), 0);
        hand.reads_left = 1; /* the end is looked for first */
        hand.later_shows = fails ? 300 << 10 : at;
        if (fails)
            hand.allocations = 0;
        plog_window_jump(&hand.s, hand.file.len);
        plog_window_jump(&hand.s, at);
        CHECK_INT(plog_scan_torn(&hand.s, &torn), fails ? PLOG_E_NOMEM : 0);
        CHECK(fails || torn);
        hand.allocations = hand.reads_left = -1;
        plog_scan_close(&hand.s);
    }
    hand_end();
    hand_begin(); /* a line that there is no memory to read */
    at = hand.file.len;
    hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, true);
    int rc = PLOG_E_NOMEM;
    for (long n = 0; rc == PLOG_E_NOMEM && n < 50; n++) {
        hand_open(true);
        snprintf(hand.chain.origin, sizeof hand.chain.origin, "log");
        hand.s.offset = at;
        plog_window_jump(&hand.s, at);
        CHECK_INT(plog_window_line(&hand.s, at, at, HAND_LONGEST, &line), 0);
        hand.allocations = n;
        rc = plog_scan_torn(&hand.s, &torn);
        CHECK(n > 0 || rc == PLOG_E_NOMEM);
        CHECK(rc == 0 || hand.s.fault.code == PLOG_E_NOMEM);
        CHECK(rc || torn == (hand.chain.last.size == 1));
        hand.allocations = -1;
        plog_scan_close(&hand.s);
    }
    CHECK_INT(rc, 0);
    hand_end();
}

/* ---- What fails just once ------------------------------------------------ */

/* With each number of allocations, until it is `want`. */
static void without_memory(int (*read)(void), int want)
{
    const struct plog_chain before = hand.chain;
    int rc = PLOG_E_NOMEM;
    for (long n = 0; n < 200; n++) {
        hand.chain = before;
        hand.allocations = n;
        rc = read();
        bool all = hand.allocations != 0;
        hand.allocations = -1;
        if (rc != want)
            CHECK_INT(rc, PLOG_E_NOMEM);
        if (rc == PLOG_E_NOMEM)
            CHECK_INT(hand.s.fault.code, rc);
        plog_scan_close(&hand.s);
        if (all)
            break;
    }
    CHECK_INT(rc, want);
    hand.chain = before;
}

static int read_one(void)
{
    return hand_read_all(false);
}

/* The second segment, behind the first group. */
static int read_second(void)
{
    return hand_read_next(2);
}

static void compact_group(void)
{
    struct plog_compaction c = {.from = 1, .to = 0};
    struct plog_buf args;
    c.rules.strategy = PLOG_ARRIVAL;
    c.rules.line_max = PLOG_LINE_DEFAULT;
    c.rules.segment_size = PLOG_SEGMENT_DEFAULT;
    c.peers = c.rotations = plog_span_text("[]");
    plog_buf_init(&args, plog_io_posix());
    CHECK_INT(plog_compaction_format(&args, &c), 0);
    CHECK_INT(plog_buf_add_char(&args, '\0'), 0);
    hand_entry(PLOG_CONTROL_COMPACT, args.data, true);
    hand_commit(&hand.a);
    plog_buf_fini(&args);
}

static void memory_runs_out(void)
{
    hand_begin();
    compact_group();
    without_memory(read_one, PLOG_END);
    hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, true);
    size_t at = hand.file.len;
    hand_commit(&hand.a);
    hand.file.data[at - 5]++; /* of the time: the line, but not its hash */
    without_memory(read_one, PLOG_E_TAMPERED);
    hand_end();
    hand_begin();
    hand_next_segment();
    hand_restore(1, &hand.a);
    hand_commit(&hand.copy);
    without_memory(read_second, 0);
    hand_end();
}

/* An empty line asks for the end of the content. */
static void reading_fails_once(void)
{
    bool over = false;
    hand_begin();
    hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, true);
    hand_add("\n");
    hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, false);
    hand_commit(&hand.a);
    for (long n = 0; !over && n < 50; n++) {
        plog_chain_init(&hand.chain, &hand.ring);
        hand.later_shows = hand.file.len;
        hand.later_fails_at = 1;
        hand.reads_left = n;
        int rc = hand_read_all(false);
        over = hand.reads_left >= 0;
        CHECK_INT(rc, over ? PLOG_E_CORRUPT : PLOG_E_IO);
        CHECK_INT(hand.s.fault.code, rc);
        hand_says(over ? "an empty line inside the log" : "reading failed");
        hand.fails_at = 0;
        hand.reads_left = -1;
        plog_scan_close(&hand.s);
    }
    CHECK(over);
    hand_end();
}

/* Behind what is longer than a line may be. */
static void a_long_tail_breaks_off(void)
{
    bool torn;
    hand_begin();
    uint64_t at = hand.file.len;
    CHECK_INT(hand_read_all(true), PLOG_END);
    hand.s.limit = hand.shows = hand.later_shows = at + (40u << 20);
    hand.s.offset = at;
    hand.reads_left = 1; /* the end is looked for first */
    hand.later_fails_at = at + (24u << 20);
    CHECK_INT(plog_scan_torn(&hand.s, &torn), PLOG_E_IO);
    CHECK(!torn);
    hand_says("reading failed");
    hand_end();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"reads", reads},
        {"memory runs out", memory_runs_out},
        {"reading fails once", reading_fails_once},
        {"a long tail breaks off", a_long_tail_breaks_off},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    hand_forget();
    return rc;
}
