/*
 * test_scan_says.c - what a scan says of a group that is wrong, in full: code,
 * text, place, and what was expected; and which of several faults it names.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "hand.h"

/* A control entry's line, as text. */
#define ENTRY(seq, more)                                                       \
    "{\"seq\":" seq                                                            \
    ",\"control\":\"strategy\",\"args\":{\"strategy\":\"arrival\"}" more "}\n"
#define OPENS ",\"logged_at\":\"" HAND_AT "\""

static struct plog_error err;

/* The whole of an error, but its code. */
static const char *said(uint64_t first)
{
    static char text[900];
    err = (struct plog_error){.code = 0};
    int rc = plog_scan_error(&hand.s, first, &err);
    CHECK_INT(rc, err.code);
    CHECK_TEXT(err.hint, "run: paritylog verify DIR");
    CHECK_TEXT(err.file, "log/00000000000000000001.jsonl");
    CHECK(err.has_offset);
    snprintf(text, sizeof text, "%s, at +%lld, seq %llu", err.message,
             (long long)err.offset - (long long)hand.file.len,
             (unsigned long long)err.seq);
    return text;
}

/* Reads the first group and then the one at hand: `text` behind it, and behind
 * that what `more` adds.  Places are told from where the first group ends. */
static int read_behind(const char *text, void (*more)(void), bool is_last)
{
    size_t at = hand.file.len;
    hand_add(text);
    if (more)
        more();
    hand_open(is_last);
    CHECK_INT(plog_scan_header(&hand.s, 1), 0);
    CHECK_INT(plog_scan_group(&hand.s, &hand.group), 0);
    CHECK_UINT(hand.s.offset, at);
    int rc = plog_scan_group(&hand.s, &hand.group);
    CHECK_UINT(hand.s.offset, rc ? at : hand.file.len);
    CHECK_UINT(hand.chain.last.size, rc ? 1 : hand.last.size);
    hand.file.len = at;
    return rc;
}

/* What a commit by the right key says of `size` entries. */
static void commit_of(uint64_t size)
{
    unsigned char sig[PLOG_SIG_SIZE];
    struct plog_commit c = hand.last;
    c.size = size;
    CHECK_INT(plog_signer_sign(&hand.a, hand.a.vkey.name, size, c.root, sig),
              0);
    memcpy(c.sig, sig, sizeof sig);
    CHECK_INT(plog_commit_format(&hand.file, &c), 0);
    hand_add("\n");
}

static void of_one(void)
{
    commit_of(1);
}
static void of_two(void)
{
    commit_of(2);
}
static void of_three(void)
{
    commit_of(3);
}
static void of_three_by_another(void)
{
    unsigned char sig[PLOG_SIG_SIZE];
    struct plog_commit c = hand.last;
    c.size = 3;
    memcpy(c.key, hand.b.vkey.id_text, sizeof c.key);
    CHECK_INT(plog_signer_sign(&hand.b, hand.b.vkey.name, 3, c.root, sig), 0);
    memcpy(c.sig, sig, sizeof sig);
    CHECK_INT(plog_commit_format(&hand.file, &c), 0);
    hand_add("\n");
}
static void padding(void)
{
    hand_add_many('\n', 9000);
}
static void a_far_end(void)
{
    padding();
    hand_add("{\"x\"}\n");
}

static void one_fault(void)
{
    static const struct {
        const char *text;
        void (*more)(void);
        bool is_last;
        int code;
        const char *says;
    } all[] = {
        {"x\n", of_two, false, PLOG_E_CORRUPT,
         "not a line of this format, at +0, seq 2"},
        {ENTRY("2", OPENS) "x\ny\n", of_three, false, PLOG_E_CORRUPT,
         "not a line of this format, at +103, seq 3"},
        {"\nx\n", of_two, false, PLOG_E_CORRUPT,
         "an empty line inside the log, at +0, seq 2"},
        {ENTRY("2", OPENS) "\n\nx\n", NULL, true, PLOG_E_CORRUPT,
         "an empty line inside the log, at +103, seq 3"},
        /* A fault explains what then is missing. */
        {"x\n", NULL, false, PLOG_E_CORRUPT,
         "not a line of this format, at +0, seq 2"},
        {ENTRY("2", OPENS), NULL, false, PLOG_E_CORRUPT,
         "the group has no commit line, at +103, seq 3"},
        {ENTRY("2", OPENS) "{\"se", NULL, false, PLOG_E_CORRUPT,
         "the group has no commit line, at +103, seq 3"},
        {ENTRY("2", OPENS), padding, true, PLOG_E_CORRUPT,
         "an empty line inside the log, at +103, seq 3"},
        {ENTRY("3", OPENS), padding, true, PLOG_E_CORRUPT,
         "out of order: expected seq 2, found seq 3, at +0, seq 2"},
        {ENTRY("2", OPENS), a_far_end, true, PLOG_E_CORRUPT,
         "an empty line inside the log, at +103, seq 3"},
        {ENTRY("3", OPENS) "x\n", of_three, false, PLOG_E_CORRUPT,
         "out of order: expected seq 2, found seq 3, at +0, seq 2"},
        {ENTRY("2", ""), of_two, false, PLOG_E_CORRUPT,
         "the group's first entry has no logged_at, at +0, seq 2"},
        {ENTRY("2", OPENS) ENTRY("3", OPENS), of_three, false, PLOG_E_CORRUPT,
         "logged_at inside a group: a commit line is missing before it, at"
         " +103, seq 3"},
        {ENTRY("2", OPENS) "{\"commit\":{\"size\":2}}\n", NULL, false,
         PLOG_E_CORRUPT, "the commit line is not one, at +103, seq 2"},
        /* Whatever the commit signs, it is not what stands before it. */
        {"", of_one, false, PLOG_E_CORRUPT,
         "the commit signs another number of entries: expected size 1, found"
         " size 1, at +0, seq 2"},
        {"", of_two, false, PLOG_E_CORRUPT,
         "the commit signs another number of entries: expected size 1, found"
         " size 2, at +0, seq 2"},
        {ENTRY("2", OPENS), of_three, false, PLOG_E_CORRUPT,
         "the commit signs another number of entries: expected size 2, found"
         " size 3, at +103, seq 2"},
        {ENTRY("2", OPENS) ENTRY("3", ""), of_two, false, PLOG_E_CORRUPT,
         "the commit signs another number of entries: expected size 3, found"
         " size 2, at +164, seq 2"},
        /* Behind an empty line, too, the commit tells whether somebody signed
         * what nobody knows. */
        {ENTRY("2", OPENS ",\"nobody\":1") "\n", of_three, false,
         PLOG_E_TAMPERED,
         "an unknown or misplaced member in an entry, at +0, seq 2"},
        {ENTRY("2", OPENS) "\n", of_three, false, PLOG_E_CORRUPT,
         "an empty line inside the log, at +103, seq 3"},
    };
    hand_begin();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        plog_chain_init(&hand.chain, &hand.ring);
        bool ok = CHECK_INT(
            read_behind(all[i].text, all[i].more, all[i].is_last), all[i].code);
        ok &= CHECK_TEXT(said(1), all[i].says);
        ok &= CHECK_INT(err.code, all[i].code);
        if (!ok)
            printf("# case %zu\n", i);
        plog_scan_close(&hand.s);
    }
    hand_end();
}

static void an_empty_line_by_another(void)
{
    char want[200];
    hand_begin();
    CHECK_INT(read_behind(ENTRY("2", OPENS) "\n", of_three_by_another, false),
              PLOG_E_UNKNOWN_KEY);
    snprintf(want, sizeof want,
             "signed by a key that is not trusted here, found key %s, at +104,"
             " seq 3",
             hand.b.vkey.id_text);
    CHECK_TEXT(said(1), want);
    plog_scan_close(&hand.s);
    hand_end();
}

/* By which key a commit is, and by which it should be. */
static void whose_commit(void)
{
    char want[300];
    for (int how = 0; how < 4; how++) {
        const struct plog_signer *by = how < 2 ? &hand.b : &hand.a;
        hand_begin();
        if (how == 1) {
            hand.ring.keys[1] = hand.b.vkey;
            hand.ring.count = 2;
        }
        hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, true);
        size_t commit = hand.file.len;
        hand_commit(by);
        char *sig = memmem(hand.file.data + commit, hand.file.len - commit,
                           "\"sig\":\"", 7);
        REQUIRE(sig != NULL);
        if (how == 2)
            sig[20] = sig[20] == 'A' ? 'B' : 'A';
        int rc = hand_read_all(false);
        static const int codes[] = {PLOG_E_UNKNOWN_KEY, PLOG_E_TAMPERED,
                                    PLOG_E_TAMPERED, PLOG_END};
        CHECK_INT(rc, codes[how]);
        CHECK_UINT(hand.chain.last.size, how == 3 ? 2 : 1);
        CHECK_UINT(hand.chain.chain.count, 1);
        if (rc != PLOG_END) {
            const char *a = hand.a.vkey.id_text, *b = hand.b.vkey.id_text;
            said(1);
            if (how == 0)
                snprintf(want, sizeof want,
                         "signed by a key that is not trusted here, found key"
                         " %s",
                         b);
            if (how == 1)
                snprintf(want, sizeof want,
                         "signed by a key that is not in force at size 2:"
                         " expected key %s, found key %s",
                         a, b);
            if (how == 2)
                snprintf(want, sizeof want,
                         "the signature over size 2 does not verify");
            CHECK_TEXT(err.message, want);
            CHECK_UINT(err.offset, commit);
            CHECK_UINT(err.seq, 2);
        }
        hand_end();
    }
}

/* A later header, which does not go on from here. */
static void another_header(void)
{
    static const struct {
        uint64_t first; /* by the file's name */
        const char *origin, *from, *to;
        int code;
        const char *says;
    } all[] = {
        {4, "log", "", "", PLOG_E_CORRUPT,
         "the header names another place than the file: expected first 4,"
         " found first 2"},
        {2, "lag", "", "", PLOG_E_FOREIGN,
         "a segment of another log: expected a segment of log, found one of"
         " lag"},
        {2, "log", "\"first\":2", "\"first\":3", PLOG_E_CORRUPT,
         "the header is not one"},
        {2, "log", "{\"seg", "{\"sag", PLOG_E_CORRUPT, "the header is not one"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        hand_begin();
        hand_next_segment();
        hand.file.len = 0;
        hand_header(all[i].origin);
        hand_good_group();
        hand_set(all[i].from, all[i].to);
        CHECK_INT(hand_read_next(all[i].first), all[i].code);
        CHECK_UINT(hand.s.offset, 0);
        CHECK_UINT(hand.chain.last.size, 1);
        CHECK_TEXT(hand.chain.origin, "log");
        said(1);
        CHECK_INT(err.code, all[i].code);
        CHECK_UINT(err.offset, 0);
        CHECK_TEXT(err.message, all[i].says);
        hand_end();
    }
}

/* Roots are told as they stand in commits. */
static void another_root(void)
{
    struct plog_buf want;
    unsigned char root[PLOG_HASH_SIZE];
    hand_begin();
    struct plog_tree before = hand.tree;
    size_t at = hand.file.len;
    hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, true);
    hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, false);
    hand_commit(&hand.a);
    char *time = memmem(hand.file.data + at, hand.file.len - at, "03:04:05", 8);
    REQUIRE(time != NULL);
    time[7] = '6';
    for (int i = 0; i < 2; i++) { /* what the lines hash to now */
        unsigned char leaf[PLOG_HASH_SIZE];
        const char *line = hand.file.data + at;
        line = i ? strchr(line, '\n') + 1 : line;
        plog_hash_leaf(line, (size_t)(strchr(line, '\n') - line), leaf);
        CHECK_INT(plog_tree_add(&before, leaf), 0);
    }
    plog_tree_root(&before, root);
    plog_buf_init(&want, plog_io_posix());
    CHECK_INT(plog_buf_add_text(&want, "the lines of entries 2 to 3 do not hash"
                                       " to their signed root: expected root "),
              0);
    CHECK_INT(plog_buf_add_base64(&want, hand.last.root, PLOG_HASH_SIZE), 0);
    CHECK_INT(plog_buf_add_text(&want, ", found root "), 0);
    CHECK_INT(plog_buf_add_base64(&want, root, PLOG_HASH_SIZE), 0);
    CHECK_INT(plog_buf_add_char(&want, '\0'), 0);
    CHECK_INT(hand_read_all(false), PLOG_E_TAMPERED);
    said(1);
    CHECK_TEXT(err.message, want.data);
    CHECK_UINT(err.offset, at);
    CHECK_UINT(err.seq, 2);
    CHECK_UINT(hand.chain.tree.size, 1); /* nothing of it was taken */
    plog_buf_fini(&want);
    hand_end();
}

/* What a group gives when nothing is wrong with it. */
static void a_good_one(void)
{
    for (int kept = 0; kept < 2; kept++) {
        hand_begin();
        size_t at = hand.file.len;
        hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, true);
        size_t second = hand.file.len;
        hand_entry(PLOG_CONTROL_STRATEGY, HAND_ARRIVAL, false);
        size_t commit = hand.file.len;
        hand_commit(&hand.a);
        hand_open(false);
        hand.s.sketches_kept = kept;
        CHECK_INT(plog_scan_header(&hand.s, 1), 0);
        CHECK_INT(plog_scan_group(&hand.s, &hand.group), 0);
        CHECK_INT(plog_scan_group(&hand.s, &hand.group), 0);
        const struct plog_log_group *g = &hand.group;
        CHECK_UINT(g->begin, at);
        CHECK_UINT(g->end, hand.file.len);
        CHECK_UINT(g->first, 2);
        CHECK_UINT(g->size, 3);
        CHECK_UINT(g->count, 2);
        CHECK(g->root_checked);
        CHECK_BYTES(g->commit_line.p, g->commit_line.n, hand.file.data + commit,
                    hand.file.len - commit - 1);
        CHECK_UINT(plog_scan_line(&hand.s, 0)->offset, at);
        CHECK_UINT(plog_scan_line(&hand.s, 1)->offset, second);
        struct plog_span line = plog_scan_text(&hand.s, 1);
        CHECK_BYTES(line.p, line.n, hand.file.data + second,
                    commit - second - 1);
        CHECK_UINT(hand.s.sketches.len,
                   kept ? 2 * sizeof(struct plog_sketch) : 0);
        CHECK_UINT(hand.chain.tree.size, 3);
        CHECK_BYTES(hand.chain.last.root, PLOG_HASH_SIZE, hand.last.root,
                    PLOG_HASH_SIZE);
        CHECK_INT(plog_scan_group(&hand.s, &hand.group), PLOG_END);
        hand_end();
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"one fault", one_fault},
        {"an empty line, by another", an_empty_line_by_another},
        {"whose commit", whose_commit},
        {"another header", another_header},
        {"another root", another_root},
        {"a good one", a_good_one},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    hand_forget();
    return rc;
}
