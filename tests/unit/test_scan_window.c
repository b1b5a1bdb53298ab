/*
 * test_scan_window.c - lines, groups and files of any length, through a window
 * of one.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "hand.h"

/* ---- Long lines and groups ----------------------------------------------- */

static void long_lines(void)
{
    struct plog_commit c;
    bool torn;
    hand_begin();
    size_t at = hand.file.len;
    hand_add_many('x', HAND_LONGEST + 1);
    hand_add("\n");
    hand_good_group();
    CHECK_INT(hand_read_all(true), PLOG_E_CORRUPT);
    hand_says("a line longer than any may be");
    CHECK_UINT(hand.s.offset, at);
    CHECK_UINT(hand.s.fault.offset, at);
    /* No sign of a second group is in it, and one is behind it. */
    CHECK_INT(plog_scan_torn(&hand.s, &torn), 0);
    CHECK(torn);
    CHECK_INT(plog_scan_resync(&hand.s, &c), 0);
    CHECK_UINT(c.size, 2);
    CHECK_UINT(hand.s.offset, hand.file.len);
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), PLOG_END);
    hand_end();
    hand_begin(); /* behind a commit: what was whole once is no torn end */
    hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, true);
    hand_commit(&hand.a);
    hand_set("arrival\"},\"logged_at\"", "brrival\"},\"logged_at\"");
    hand_add_many('x', HAND_LONGEST + 1);
    CHECK(hand_read_all(true) < 0);
    CHECK_INT(plog_scan_torn(&hand.s, &torn), 0);
    CHECK(!torn);
    hand_end();
    hand_begin(); /* nothing but a long end */
    at = hand.file.len;
    hand_add_many('x', HAND_LONGEST + 1);
    CHECK_INT(hand_read_all(true), PLOG_E_CORRUPT);
    CHECK_INT(plog_scan_torn(&hand.s, &torn), 0);
    CHECK(torn);
    CHECK_INT(plog_scan_resync(&hand.s, &c), PLOG_END);
    CHECK_UINT(hand.s.offset, at);
    hand_end();
}

/* Many lines, none too long, and no commit: it ends where a group must. */
static void a_long_group(void)
{
    hand_begin();
    hand_open(false);
    CHECK_INT(plog_scan_header(&hand.s, 1), 0);
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), 0);
    hand.with_lines = true;
    hand.s.limit = hand.shows = 8 * HAND_FAR_LINE;
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), PLOG_E_CORRUPT);
    hand_says("a group longer than any may be");
    CHECK_UINT(hand.s.fault.offset, hand.file.len);
    CHECK_UINT(hand.s.fault.seq, 2);
    CHECK_UINT(hand.chain.last.size, 1);
    hand_end();
}

/* The lines of a group stay what they are while the window moves on. */
static void a_group_over_windows(void)
{
    char cursor[4200], want[100];
    memset(cursor, 'c', sizeof cursor);
    hand_begin();
    for (unsigned g = 0; g < 2; g++) {
        for (unsigned i = 0; i < 150; i++) {
            struct plog_buf args;
            struct plog_cursor c = {{"s", 1}, {"r", 1}, {cursor, 4000}};
            snprintf(cursor, 9, "%08u", g * 1000 + i);
            cursor[8] = 'c';
            plog_buf_init(&args, plog_io_posix());
            CHECK_INT(plog_cursor_args_format(&args, &c), 0);
            CHECK_INT(plog_buf_add_char(&args, '\0'), 0);
            hand_entry(PLOG_CONTROL_CURSOR, args.data, i == 0);
            plog_buf_fini(&args);
        }
        hand_commit(&hand.a);
    }
    hand_open(false);
    CHECK_INT(plog_scan_header(&hand.s, 1), 0);
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), 0);
    for (unsigned g = 0; g < 2; g++) {
        CHECK_INT(plog_scan_group(&hand.s, &hand.group), 0);
        CHECK_UINT(hand.group.count, 150);
        for (size_t i = 0; i < hand.group.count; i++) {
            struct plog_span line = plog_scan_text(&hand.s, i);
            snprintf(want, sizeof want, "\"cursor\":\"%08zu", g * 1000u + i);
            if (!CHECK(memmem(line.p, line.n, want, strlen(want)) != NULL))
                break;
            CHECK_BYTES(line.p, line.n,
                        hand.file.data + plog_scan_line(&hand.s, i)->offset,
                        line.n);
        }
    }
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), PLOG_END);
    hand_end();
}

/* ---- The window ---------------------------------------------------------- */

static void windows(void)
{
    static const size_t lengths[] = {
        300 << 10, (212 << 10) - 2, 40, 700 << 10, 1, 0, 90 << 10};
    struct plog_span line;
    hand_begin();
    hand.file.len = 0;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        hand_add_many((char)('a' + i), lengths[i]);
        hand_add("\n");
    }
    hand_open(false);
    uint64_t at = 0, third = 0;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        third = i == 2 ? at : third;
        CHECK_INT(plog_window_line(&hand.s, at, at, HAND_LONGEST, &line), 0);
        CHECK_BYTES(line.p, line.n, hand.file.data + at, lengths[i]);
        at += line.n + 1;
    }
    CHECK_INT(plog_window_line(&hand.s, at, at, HAND_LONGEST, &line), PLOG_END);
    plog_window_jump(&hand.s, third); /* back */
    CHECK_INT(plog_window_line(&hand.s, third, third, HAND_LONGEST, &line), 0);
    CHECK_BYTES(line.p, line.n, hand.file.data + third, 40);
    plog_window_jump(&hand.s, 0);
    CHECK_INT(plog_window_line(&hand.s, 0, 0, 100, &line), PLOG_WINDOW_LONG);
    at = 0;
    CHECK_INT(plog_window_skip(&hand.s, &at), 0);
    CHECK_UINT(at, lengths[0] + 1);
    plog_window_jump(&hand.s, hand.file.len - 1); /* and far ahead */
    CHECK_INT(plog_window_line(&hand.s, hand.file.len - 1, hand.file.len - 1,
                               100, &line),
              0);
    CHECK_UINT(line.n, 0);
    at = hand.file.len;
    CHECK_INT(plog_window_skip(&hand.s, &at), PLOG_END);
    hand_end();
}

/* However long the file is: what lies before the line at hand goes. */
static void it_does_not_grow(void)
{
    const size_t chunk = 64u << 10, length = 9999;
    struct plog_span line;
    hand_begin();
    hand.file.len = 0;
    for (int i = 0; i < 100; i++) {
        hand_add_many((char)('a' + i % 26), length);
        hand_add("\n");
    }
    hand_open(false);
    for (uint64_t at = 0; at < hand.file.len; at += line.n + 1) {
        line.n = 0;
        CHECK_INT(plog_window_line(&hand.s, at, at, HAND_LONGEST, &line), 0);
        CHECK_BYTES(line.p, line.n, hand.file.data + at, length);
        CHECK(hand.s.window.len <= 2 * chunk + length);
        CHECK(hand.s.window_at <= at && at - hand.s.window_at < 2 * chunk);
    }
    CHECK(hand.s.window.cap <= 4 * (chunk + length));
    CHECK(hand.s.window_at > hand.file.len - 3 * chunk);
    hand_end();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"long lines", long_lines},
        {"a group over windows", a_group_over_windows},
        {"windows", windows},
        {"it does not grow", it_does_not_grow},
        {"a long group", a_long_group},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    hand_forget();
    return rc;
}
