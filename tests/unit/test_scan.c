/*
 * test_scan.c - a segment read from memory: groups that only a holder of the
 * key can write, copies that go on, and as many keys as there may be.
 *
 * What a check says of whole logs is in test_damage.c and test_rotate.c.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "hand.h"

/* ---- Groups -------------------------------------------------------------- */

static void by_rule(void)
{
    static const struct {
        enum plog_control control;
        const char *args; /* NULL: `text` is the whole line */
        const char *text;
        bool opens;
        int code;
        const char *what;
    } all[] = {
        {PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, NULL, true, PLOG_END, ""},
        {PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, NULL, false, PLOG_E_CORRUPT,
         "the group's first entry has no logged_at"},
        {PLOG_CONTROL_STRATEGY, "{\"strategy\":\"none\"}", NULL, true,
         PLOG_E_CORRUPT, "control `strategy` makes no sense"},
        {PLOG_CONTROL_INIT,
         "{\"strategy\":\"arrival\",\"max_line\":4096,\"segment_size\":65536}",
         NULL, true, PLOG_E_CORRUPT, "init is the first entry, and only that"},
        {PLOG_CONTROL_NONE, NULL,
         "{\"seq\":2,\"control\":\"strategy\",\"args\":" HAND_ARRIVAL
         ",\"logged_at\":\"" HAND_AT "\",\"new\":1}",
         true, PLOG_E_FORMAT, ""},
        {PLOG_CONTROL_NONE, NULL,
         "{\"seq\":3,\"control\":\"strategy\",\"args\":" HAND_ARRIVAL
         ",\"logged_at\":\"" HAND_AT "\"}",
         true, PLOG_E_CORRUPT, "out of order"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        hand_begin();
        if (all[i].args)
            hand_entry(all[i].control, all[i].args, all[i].opens);
        else
            hand_text_entry(all[i].text);
        hand_commit(&hand.a);
        bool ok = CHECK_INT(hand_read_all(false), all[i].code);
        ok &= all[i].code < 0 && *all[i].what ? hand_says(all[i].what) : true;
        if (!ok)
            printf("# case %zu: %s\n", i, hand.s.fault.what);
        CHECK_UINT(hand.chain.last.size, all[i].code == PLOG_END ? 2 : 1);
        hand_end();
    }
    hand_begin(); /* a log that begins with something else */
    hand.file.len = 0;
    plog_tree_init(&hand.tree);
    memset(&hand.last, 0, sizeof hand.last);
    hand_header("log");
    hand_good_group();
    CHECK_INT(hand_read_all(false), PLOG_E_CORRUPT);
    hand_says("init is the first entry, and only that");
    hand_end();
}

/* A fault in a line explains more than what is then wrong with the commit, but
 * not whose commit it is. */
static void a_line_and_the_commit(void)
{
    hand_begin();
    hand_entry(PLOG_CONTROL_STRATEGY, "{\"strategy\":\"none\"}", true);
    hand_commit(&hand.b);
    CHECK_INT(hand_read_all(false), PLOG_E_UNKNOWN_KEY);
    hand_end();
    hand_begin();
    hand.ring.keys[1] = hand.copy.vkey;
    hand.ring.count = 2;
    hand_entry(PLOG_CONTROL_STRATEGY, "{\"strategy\":\"none\"}", true);
    hand_commit(&hand.copy); /* trusted, and by another name */
    hand.chain.chain.unsettled = true;
    hand_open(false);
    CHECK_INT(plog_scan_header(&hand.s, 1), 0);
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), 0);
    hand.chain.chain.unsettled = true;
    unsigned keys = hand.chain.chain.count;
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), PLOG_E_FOREIGN);
    CHECK_UINT(hand.chain.chain.count, keys); /* refused, it adds no key */
    CHECK(hand.chain.chain.unsettled);
    CHECK_UINT(hand.chain.last.size, 1);
    hand_end();
    hand_begin(); /* unknown members that the key does not vouch for */
    size_t at = hand.file.len;
    hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, true);
    hand_commit(&hand.a);
    char *to = strstr(hand.file.data + at, "strategy");
    memcpy(to, "strategie", 8);
    CHECK_INT(hand_read_all(false), PLOG_E_TAMPERED);
    hand_end();
}

/* A redacted line, where nobody holds the orders. */
static void redacted(void)
{
    hand_begin();
    hand_text_entry(
        "{\"seq\":2,\"resource\":\"r\",\"record_id\":\"1\",\"op\":"
        "\"upsert\",\"occurred_at\":\"" HAND_AT
        "\",\"provenance\":{\"source\":\"s\",\"confidence\":1},"
        "\"logged_at\":\"" HAND_AT
        "\",\"redacted\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        "\"}");
    hand_commit(&hand.a);
    hand.chain.orders = NULL;
    CHECK_INT(hand_read_all(false), PLOG_E_TAMPERED);
    hand_says("a redacted line, and no order that makes it this one");
    CHECK_UINT(hand.s.fault.seq, 2);
    hand_end();
}

/* ---- A restored copy goes on --------------------------------------------- */

static void restored(void)
{
    hand_begin();
    hand_next_segment();
    hand_restore(1, &hand.a);
    hand_commit(&hand.copy);
    CHECK_INT(hand_read_next(2), 0);
    CHECK_TEXT(hand.chain.origin, "copy");
    hand_end();
    hand_begin(); /* in the middle of a segment */
    hand_next_segment();
    hand_good_group();
    hand_restore(2, &hand.a);
    hand_commit(&hand.copy);
    CHECK_INT(hand_read_next(2), 0);
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), PLOG_E_CORRUPT);
    hand_says("a restore entry that begins no segment");
    CHECK_TEXT(hand.chain.origin, "log");
    CHECK_UINT(hand.chain.chain.count, 1);
    hand_end();
    hand_begin(); /* from a key that was never in force */
    hand_next_segment();
    hand_restore(1, &hand.b);
    hand_commit(&hand.copy);
    CHECK_INT(hand_read_next(2), PLOG_E_CORRUPT);
    hand_says("a rotation away from a key that is not in force");
    CHECK_TEXT(hand.chain.origin, "log");
    hand_end();
    hand_begin(); /* the new name, and then the old key's commit: nothing moved
                   */
    hand_next_segment();
    hand_restore(1, &hand.a);
    hand_commit(&hand.a);
    CHECK(hand_read_next(2) < 0);
    CHECK_TEXT(hand.chain.origin, "log");
    CHECK_UINT(hand.chain.chain.count, 1);
    CHECK_UINT(hand.chain.last.size, 1);
    hand_end();
    hand_begin(); /* with another entry in its group */
    hand_next_segment();
    hand_restore(1, &hand.a);
    hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, false);
    hand_commit(&hand.a);
    CHECK_INT(hand_read_next(2), PLOG_E_CORRUPT);
    hand_says("a key rotation is the only entry of its group");
    CHECK_TEXT(hand.chain.origin, "log");
    hand_end();
}

/* ---- As many keys as there may be ---------------------------------------- */

static void fill_chain(void)
{
    struct plog_vkey k = hand.b.vkey;
    hand.chain.chain.count = 0;
    for (unsigned i = 0; i < PLOG_KEYS_MAX; i++) {
        snprintf(k.id_text, sizeof k.id_text, "key-%04u", i);
        CHECK_INT(plog_keychain_add(&hand.chain.chain, &k, i), 0);
    }
    hand.chain.chain.unsettled = true;
}

static void too_many_keys(void)
{
    hand_begin();
    hand_open(false);
    CHECK_INT(plog_scan_header(&hand.s, 1), 0);
    fill_chain();
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), PLOG_E_CORRUPT);
    hand_says("more keys than a log may have");
    plog_scan_close(&hand.s);
    hand_open(false); /* the next commit that holds */
    hand.s.offset = 1;
    fill_chain();
    struct plog_commit c;
    CHECK_INT(plog_scan_resync(&hand.s, &c), PLOG_E_CORRUPT);
    hand_says("more keys than a log may have");
    plog_scan_close(&hand.s);
    hand.file.len = 0; /* a header that names one */
    hand_header("log");
    plog_chain_init(&hand.chain, &hand.ring);
    fill_chain();
    hand_open(false);
    CHECK_INT(plog_scan_header(&hand.s, 2), PLOG_E_CORRUPT);
    hand_says("more keys than a log may have");
    hand_end();
}

/* ---- Ordinary lines ------------------------------------------------------ */

#define DELTA                                                                  \
    "\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\",\"payload\":{}," \
    "\"occurred_at\":\"2026-01-02T03:04:05Z\",\"provenance\":{\"source\":"     \
    "\"s\",\"confidence\":1},\"salt\":\"AAECAwQFBgcICQoLDA0ODw==\""

/* What a line is by itself says nothing of its place. */
static void ordinary_lines_out_of_place(void)
{
    hand_begin();
    hand.file.len = 0;
    plog_tree_init(&hand.tree);
    memset(&hand.last, 0, sizeof hand.last);
    hand_header("log");
    hand_text_entry("{\"seq\":1," DELTA ",\"logged_at\":\"" HAND_AT "\"}");
    hand_commit(&hand.a);
    CHECK_INT(hand_read_all(false), PLOG_E_CORRUPT);
    hand_says("init is the first entry, and only that");
    hand_end();
    hand_begin();
    hand_next_segment();
    hand_restore(1, &hand.a);
    hand_text_entry("{\"seq\":3," DELTA "}");
    hand_commit(&hand.a);
    CHECK_INT(hand_read_next(2), PLOG_E_CORRUPT);
    hand_says("a key rotation is the only entry of its group");
    hand_end();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"by rule", by_rule},
        {"a line and the commit", a_line_and_the_commit},
        {"redacted", redacted},
        {"restored", restored},
        {"too many keys", too_many_keys},
        {"ordinary lines out of place", ordinary_lines_out_of_place},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    hand_forget();
    return rc;
}
