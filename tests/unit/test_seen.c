/*
 * test_seen.c - heads of a log that somebody has seen: by a head that is named
 * and by notes in a file, each against a log that has it, that has another one,
 * that no longer or not yet goes so far; and whose key the notes may be by.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "key.h"
#include "peers.h"
#include "redact.h"
#include "said.h"
#include "tree.h"
#include "world.h"

#define LAST 24 /* entry of the log */

static struct world w;
static struct plog_error noting; /* of note_head */
/* As made; a fork of it, of what it was at 10; notes. */
static char kept[600], other[600], early[600], file[600];
static char notes[LAST + 1][PLOG_CHECKPOINT_MAX]; /* at commits */
static unsigned char roots[LAST + 1][PLOG_HASH_SIZE];
static char first_key[PLOG_VKEY_MAX], last_key[PLOG_VKEY_MAX];

/* ---- The log ---------------------------------------------------------------
 */

static void note_of(const char *dir, char *note)
{
    plog_reader *r = NULL;
    CHECK_INT(plog_reader_open(&r, dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_checkpoint(r, note, NULL), 0);
    plog_reader_close(r);
}

/* A group of three deltas, and its note. */
static void put_three(void)
{
    static char text[3][200];
    struct plog_span deltas[3];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = 3};
    for (int i = 0; i < 3; i++) {
        char record[8];
        snprintf(record, sizeof record, "r%d", i);
        struct world_delta d = {.record = record};
        world_text(text[i], sizeof text[i], &d);
        deltas[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    note_of(w.dir, notes[world_size(&w)]);
}

static int add_root(void *arg, uint64_t seq, const char *line, size_t n)
{
    struct plog_tree *tree = arg;
    unsigned char leaf[PLOG_HASH_SIZE];
    plog_line_leaf((struct plog_span){line, n}, leaf);
    if (plog_tree_add(tree, leaf) || seq > LAST)
        return -1;
    plog_tree_root(tree, roots[seq]);
    return 0;
}

static void read_roots(void)
{
    struct plog_tree tree = {.size = 0};
    plog_reader *r = NULL;
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_log(r, 1, 0, add_root, &tree, NULL), 0);
    plog_reader_close(r);
    CHECK_UINT(tree.size, LAST);
}

/* Entries 1 (init), 2-4, 5-7, 8-10 | 11-13, a peer 14, a rotation 15 | 16-18,
 * 19-21, 22-24; the fork has other entries from 22 on. */
static void make(void)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report r;
    uint64_t first;
    if (kept[0])
        return;
    world_make(&w, PLOG_ARRIVAL, 0);
    memcpy(first_key, w.vkey, sizeof first_key);
    for (int i = 0; i < 3; i++)
        put_three();
    world_close(&w);
    snprintf(early, sizeof early, "%.500s/early", check_dir());
    world_copy(w.dir, early);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    put_three();
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(plog_key_rotate(w.dir, &o, &r, NULL), 0);
    CHECK_INT(plog_key_show(w.dir, NULL, last_key, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    put_three();
    put_three();
    world_close(&w);
    snprintf(other, sizeof other, "%.500s/other", check_dir());
    world_copy(w.dir, other);
    CHECK_INT(world_open(&w), 0);
    put_three();
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 15), 0);
    read_roots();
    snprintf(kept, sizeof kept, "%.500s/kept", check_dir());
    world_copy(w.dir, kept);
    snprintf(file, sizeof file, "%.500s/notes", check_dir());
}

static void put_back(void)
{
    make();
    world_remove(w.dir);
    world_copy(kept, w.dir);
}

static void compact(void)
{
    struct plog_compact_options o = {.struct_size = sizeof o};
    struct plog_compact_report r;
    CHECK_INT(plog_compact(w.dir, &o, &r, NULL), 0);
    CHECK_UINT(r.to, 15);
}

/* The note of a fork three entries on, by the same key. */
static void note_of_fork(const char *dir, char *note)
{
    char on[600];
    plog *p = NULL;
    struct world_delta d = {.record = "another"};
    char text[200];
    snprintf(on, sizeof on, "%.500s/on", check_dir());
    world_copy(dir, on);
    CHECK_INT(plog_open(&p, on, NULL, NULL), 0);
    world_text(text, sizeof text, &d);
    for (int i = 0; i < 3; i++)
        CHECK_INT(plog_append(p, text, strlen(text), NULL, NULL), 0);
    plog_close(p);
    note_of(on, note);
    world_remove(on);
}

static void fork_note(char *note)
{
    note_of_fork(other, note);
}

/* ---- What is said of it
 * ------------------------------------------------------
 */

static bool both_say(struct plog_check_options o, const char *words)
{
    bool ok = CHECK(strstr(said_check(plog_verify, w.dir, &o), words) != NULL);
    if (!ok)
        printf("# verify: %s", said_check(plog_verify, w.dir, &o));
    const char *said = said_check(plog_parity, w.dir, &o);
    if (!CHECK(strstr(said, words) != NULL)) {
        printf("# parity: %s", said);
        ok = false;
    }
    return ok;
}

static bool says(struct plog_check_options o, const char *words)
{
    o.struct_size = sizeof o;
    bool ok = both_say(o, words);
    if (!ok)
        printf("# not: %s\n", words);
    return ok;
}

static struct plog_check_options expecting(uint64_t size,
                                           const unsigned char *root)
{
    struct plog_check_options o = {.has_expect_head = true,
                                   .expect_size = size};
    if (root)
        memcpy(o.expect_root, root, sizeof o.expect_root);
    return o;
}

/* ---- A head by name
 * ----------------------------------------------------------
 */

/* Of whatever size, also inside of a group. */
static void each_size(void)
{
    put_back();
    for (uint64_t size = 1; size <= LAST; size++) {
        char words[100];
        says(expecting(size, roots[size]), "CLEAN, head 24");
        snprintf(words, sizeof words,
                 "FORK in log, entry %" PRIu64 ": want %" PRIu64
                 ":#; got %" PRIu64 ":#; do keep a copy of DI",
                 size, size, size);
        says(expecting(size, roots[size == 9 ? 8 : 9]), words);
    }
    unsigned char nothing[PLOG_HASH_SIZE];
    plog_hash_empty(nothing);
    says(expecting(0, nothing), "CLEAN, head 24");
    says(expecting(0, NULL), "FORK in log: want 0:#; got 0:#; do keep a copy");
    says(expecting(LAST + 1, roots[LAST]),
         "ROLLBACK in log, entry 25: want 25:#; got 24:#; do keep a copy");
}

static char heads[2][120]; /* that a finding names */

static int note_heads(void *arg, const struct plog_finding *f)
{
    (void)arg;
    snprintf(heads[0], sizeof heads[0], "%s", f->expected);
    snprintf(heads[1], sizeof heads[1], "%s", f->found);
    return 0;
}

/* Both heads as whoever compares them has them. */
static void spelled_out(void)
{
    put_back();
    struct plog_check_options o = expecting(9, roots[8]);
    o.struct_size = sizeof o;
    o.finding = note_heads;
    for (int both = 0; both < 2; both++) {
        struct plog_check_report r;
        CHECK_INT((both ? plog_parity : plog_verify)(w.dir, &o, &r, NULL), 0);
        CHECK_INT(r.verdict, PLOG_E_FORK);
        for (int i = 0; i < 2; i++) {
            char base64[64], want[100];
            sodium_bin2base64(base64, sizeof base64, roots[8 + i],
                              PLOG_HASH_SIZE, sodium_base64_VARIANT_ORIGINAL);
            snprintf(want, sizeof want, "9:%s", base64);
            CHECK_TEXT(heads[i], want);
        }
    }
}

/* As long as archive/ has what was compacted away, it tells. */
static void below_the_floor(void)
{
    unsigned char nothing[PLOG_HASH_SIZE];
    plog_hash_empty(nothing);
    put_back();
    compact();
    says(expecting(0, nothing), "CLEAN, head 25");
    says(expecting(0, NULL), "FORK in log: want 0:#; got 0:#");
    for (uint64_t size = 1; size < 15; size++) {
        char words[60];
        snprintf(words, sizeof words, "FORK in log, entry %" PRIu64 ": want",
                 size);
        says(expecting(size, roots[size]), "CLEAN, head 25");
        says(expecting(size, roots[size + 1]), words);
    }
    world_remove(world_path(&w, "archive"));
    says(expecting(0, nothing), "CLEAN, head 25");
    says(expecting(0, NULL), "FORK in log: want 0:#; got 0:#");
    for (uint64_t size = 1; size < 15; size++) {
        char words[120];
        snprintf(words, sizeof words,
                 "PRUNED in log, entry %" PRIu64 ": want %" PRIu64
                 ":#; got entries up to 15 were compacted away; do put the f",
                 size, size);
        says(expecting(size, roots[size]), words);
    }
    for (uint64_t size = 15; size <= LAST; size++)
        says(expecting(size, roots[size]), "CLEAN, head 25");
    says(expecting(15, roots[14]), "FORK in log, entry 15");
    says(expecting(16, roots[15]), "FORK in log, entry 16");
}

/* No commit above the floor verifies: the header has the root there, and what
 * lies below is as far away as ever. */
static void no_group_above_the_floor(void)
{
    static const char name[] = "log/00000000000000000016.jsonl";
    size_t n;
    put_back();
    compact();
    world_remove(world_path(&w, "archive"));
    char *bytes = world_read(world_path(&w, name), &n);
    for (char *sig = bytes; (sig = strstr(sig, "\"sig\":\"")) != NULL; sig++)
        sig[20] = sig[20] == 'A' ? 'B' : 'A';
    world_write(world_path(&w, name), bytes, n);
    free(bytes);
    for (uint64_t size = 14; size <= 16; size++)
        for (int own = 0; own < 2; own++) {
            struct plog_check_options o = expecting(size, roots[size - !own]);
            o.struct_size = sizeof o;
            const char *said = said_check(plog_verify, w.dir, &o);
            bool ok = CHECK_INT(strstr(said, "PRUNED in log, entry 14") != NULL,
                                size == 14);
            ok &= CHECK_INT(strstr(said, "FORK in log, entry 15") != NULL,
                            size == 15 && !own);
            ok &= CHECK_INT(strstr(said, "ROLLBACK in log, entry 16") != NULL,
                            size == 16);
            if (!ok)
                printf("# %s", said);
        }
}

static void in_damage(void)
{
    size_t n;
    put_back();
    char *bytes =
        world_read(world_path(&w, "log/00000000000000000016.jsonl"), &n);
    char *line = strstr(bytes, "{\"seq\":20,");
    REQUIRE(line != NULL);
    line[30] ^= 1;
    world_write(world_path(&w, "log/00000000000000000016.jsonl"), bytes, n);
    free(bytes);
    struct plog_check_options o = {.struct_size = sizeof o};
    for (uint64_t size = 17; size <= LAST; size++) {
        o = expecting(size, roots[size]);
        o.struct_size = sizeof o;
        const char *said = said_check(plog_verify, w.dir, &o);
        bool damage = strstr(said, "a head that was seen lies in damage");
        if (!CHECK(damage == (size > 18)) ||
            !CHECK(strstr(said, "FORK") == NULL))
            printf("# %" PRIu64 ": %s", size, said);
    }
}

/* ---- Notes ----------------------------------------------------------------
 */

static struct plog_check_options with(const char *text)
{
    struct plog_check_options o = {.witness = file};
    world_write(file, text, strlen(text));
    return o;
}

/* Neither check says more than that. */
static void is_clean(struct plog_check_options o)
{
    o.struct_size = sizeof o;
    CHECK_TEXT(said_check(plog_verify, w.dir, &o),
               "CLEAN, head 24, 24 entries 1-24, 0 records, floor 0, 3"
               " segments, store 1 24, since 0, pending 0\n");
    CHECK_TEXT(said_check(plog_parity, w.dir, &o),
               "CLEAN, head 24, 24 entries 1-24, 3 records, floor 0, 3"
               " segments, store 1 24, since 0, pending 0\n");
}

/* In whatever order they stand. */
static void notes_in_a_file(void)
{
    char text[6000], note[PLOG_CHECKPOINT_MAX];
    put_back();
    snprintf(text, sizeof text, "%s%s%s", notes[24], notes[4], notes[13]);
    is_clean(with(text));
    fork_note(note);
    snprintf(text, sizeof text, "%s%s%s", notes[18], note, notes[4]);
    says(with(text), "FORK in log, entry 24: want 24:# (witness, line 6); got"
                     " 24:#; do keep a copy of DI");
    snprintf(text, sizeof text, "%s%s%s", note, notes[24], notes[4]);
    says(with(text), "want 24:# (witness, line 1); got");
    for (int cut = 0; cut < 2; cut++) { /* nobody is told CLEAN by mistake */
        struct plog_check_report report;
        struct plog_error why = {0};
        snprintf(text, sizeof text, "%.*s", cut ? 40 : 0, notes[13]);
        struct plog_check_options o = with(text);
        o.struct_size = sizeof o;
        CHECK_INT(plog_verify(w.dir, &o, &report, &why), PLOG_E_INPUT);
        CHECK(strstr(why.message, "holds no whole note, so there is nothing to"
                                  " compare with: ") != NULL);
        CHECK_TEXT(why.hint, "where this log was never compared before, begin"
                             " with: paritylog checkpoint DIR --witness FILE");
        CHECK_INT(plog_parity(w.dir, &o, &report, NULL), PLOG_E_INPUT);
    }
    snprintf(text, sizeof text, "%s%.40s", notes[13], notes[4]);
    says(with(text), "unchecked log 0-0: the witness file has a note that was"
                     " cut off");
    snprintf(text, sizeof text, "%s1\n2\n3\n4\n5\n6\n%s", notes[13], notes[4]);
    says(with(text), "CORRUPT in log, the witness file: want signed notes; got"
                     " line 6 and on are no note; do compare it with");
    struct plog_check_options o = with(text);
    o.struct_size = sizeof o;
    CHECK(strstr(said_check(plog_verify, w.dir, &o), "cut off") == NULL);
    compact();
    snprintf(text, sizeof text, "%s%s", notes[13], notes[18]);
    says(with(text), "unchecked log 13-13: a head that was seen lies below the"
                     " floor");
}

/* The fork goes on as the log did, and is compacted. */
static void another_archive(const char *dir)
{
    struct plog_compact_options o = {.struct_size = sizeof o};
    struct plog_compact_report report;
    struct world fork = w;
    char text[200];
    uint64_t first;
    plog *p = NULL;
    struct world_delta d = {.record = "another"};
    snprintf(fork.dir, sizeof fork.dir, "%.500s", dir);
    world_text(text, sizeof text, &d);
    CHECK_INT(plog_open(&p, dir, NULL, NULL), 0);
    CHECK_INT(plog_new_segment(p, &first, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(plog_append(p, text, strlen(text), NULL, NULL), 0);
    plog_close(p);
    CHECK_INT(peers_add(&fork, "q"), 0);
    CHECK_INT(plog_open(&p, dir, NULL, NULL), 0);
    CHECK_INT(plog_new_segment(p, &first, NULL), 0);
    CHECK_INT(plog_append(p, text, strlen(text), NULL, NULL), 0);
    plog_close(p);
    CHECK_INT(peers_ack(&fork, "q", first - 1), 0);
    CHECK_INT(plog_compact(dir, &o, &report, NULL), 0);
}

static int note_head(const char *text)
{
    struct plog_witness_report report;
    world_write(file, text, strlen(text));
    memset(&noting, 0, sizeof noting);
    return plog_witness(w.dir, file, NULL, &report, &noting);
}

/* The newest note is compared wherever it lies, and where nobody can tell, that
 * is no CLEAN; older ones follow from it. */
static void notes_below_the_floor(void)
{
    static const char pruned[] =
        "PRUNED in log, entry 13: want 13:# (witness, line 6); got entries up"
        " to 15 were compacted away; do put the f";
    char text[6000], fork[PLOG_CHECKPOINT_MAX], forked[6000];
    put_back();
    compact();
    note_of_fork(early, fork);
    snprintf(text, sizeof text, "%s%s", notes[7], notes[13]);
    snprintf(forked, sizeof forked, "%s%s", notes[7], fork);
    says(with(text), "CLEAN, head 25");
    says(with(text), "unchecked log 7-7: a head that was seen lies below");
    says(with(forked), "FORK in log, entry 13: want 13:# (witness, line 6)");
    CHECK_INT(note_head(forked), PLOG_E_FORK);
    CHECK_TEXT(noting.message, "the log does not agree with the witness, or is"
                               " damaged; nothing was noted");
    CHECK_INT(note_head(text), 0);
    /* One above the floor: what lies below it is not looked for. */
    snprintf(text, sizeof text, "%s%s%s", notes[7], notes[13], notes[18]);
    world_remove(world_path(&w, "archive"));
    says(with(text), "CLEAN, head 25");
    says(with(text), "unchecked log 7-13: heads that were seen lie below");
    snprintf(text, sizeof text, "%s%s", notes[7], notes[13]);
    says(with(text), pruned);
    says(with(forked), pruned);
    CHECK_INT(note_head(text), PLOG_E_PRUNED);
    CHECK_TEXT(noting.message,
               "whether the log has the newest head of the witness nothing here"
               " tells any more; nothing was noted");
    CHECK_TEXT(noting.hint, "run: paritylog verify DIR --witness FILE");
    /* Both at one size: each of them is the newest. */
    snprintf(text, sizeof text, "%s%s", fork, notes[13]);
    says(with(text), pruned);
    says(with(text), "want 13:# (witness, line 1); got entries up to 15");
}

#define ARCHIVED "archive/00000000000000000011.jsonl.gz"

/* What lies in archive/ tells only as far as it leads to the log. */
static void what_the_archive_tells(void)
{
    static const char pruned[] = "PRUNED in log, entry 13: want 13:#";
    static const char there[] =
        "PRUNED in log, " ARCHIVED ", entry 13: want 13:#";
    char text[3000];
    size_t n;
    put_back();
    compact();
    snprintf(text, sizeof text, "%s", notes[13]);
    world_remove(world_path(&w, "archive/00000000000000000001.jsonl.gz"));
    says(with(text), "CLEAN, head 25"); /* which is not needed */
    says(expecting(10, roots[10]), "CLEAN, head 25");
    says(expecting(9, roots[9]), "PRUNED in log, entry 9: want 9:#");
    char *bytes = world_read(world_path(&w, ARCHIVED), &n);
    bytes[n / 2] ^= 1;
    world_write(world_path(&w, ARCHIVED), bytes, n);
    says(with(text), there);
    world_write(world_path(&w, ARCHIVED), bytes, n / 2);
    says(with(text), there);
    free(bytes);
    world_remove(world_path(&w, ARCHIVED));
    says(with(text), pruned);
    world_remove(world_path(&w, "archive"));
    world_write(world_path(&w, "archive"), "x", 1);
    says(with(text), pruned);
    /* Whole segments of another history, signed by the same key. */
    world_remove(world_path(&w, "archive"));
    CHECK_INT(mkdir(world_path(&w, "archive"), 0700), 0);
    char fork[600], from[700];
    snprintf(fork, sizeof fork, "%.500s/forked", check_dir());
    world_copy(early, fork);
    another_archive(fork);
    for (int i = 0; i < 2; i++) {
        const char *name =
            i ? ARCHIVED : "archive/00000000000000000001.jsonl.gz";
        snprintf(from, sizeof from, "%s/%s", fork, name);
        bytes = world_read(from, &n);
        world_write(world_path(&w, name), bytes, n);
        free(bytes);
    }
    says(expecting(13, roots[13]), pruned);
}

/* From a checkpoint on: every head that must be compared is. */
static void since_a_checkpoint(void)
{
    char mark[600];
    put_back();
    snprintf(mark, sizeof mark, "%.500s/mark", check_dir());
    world_write(mark, notes[24], strlen(notes[24]));
    struct plog_check_options o = expecting(9, roots[8]);
    o.struct_size = sizeof o;
    o.since = mark;
    CHECK(strstr(said_check(plog_parity, w.dir, &o), "FORK in log, entry 9"));
    o = with(notes[13]);
    o.struct_size = sizeof o;
    o.since = mark;
    CHECK(strstr(said_check(plog_parity, w.dir, &o), "unchecked log 13") ==
          NULL);
    compact();
    world_write(mark, notes[13], strlen(notes[13]));
    o = (struct plog_check_options){
        .struct_size = sizeof o, .since = mark, .watermark = mark};
    struct plog_check_report r;
    CHECK_INT(plog_parity(w.dir, &o, &r, NULL), 0);
    CHECK(r.verdict == 0 && r.watermark);
    world_write(mark, notes[13], strlen(notes[13]));
    world_remove(world_path(&w, "archive"));
    CHECK_INT(plog_parity(w.dir, &o, &r, NULL), 0);
    CHECK_INT(r.verdict, PLOG_E_PRUNED);
    CHECK(!r.watermark);
}

/* Pinned is one key, and the notes by the others count as well. */
static void keys_of_notes(void)
{
    const char *keys[] = {NULL, first_key, last_key};
    char text[6000];
    put_back();
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "%s%s", notes[4], notes[24]);
        struct plog_check_options o = with(text);
        o.vkey = keys[i];
        says(o, "CLEAN, head 24");
        o.struct_size = sizeof o;
        CHECK(strstr(said_check(plog_verify, w.dir, &o), "unchecked") == NULL);
    }
}

/* As many others as keys/ may have: the pinned one counts all the same, and no
 * more than there is room for. */
static void many_keys_beside_the_pinned_one(void)
{
    char name[40], text[6000], line[PLOG_VKEY_MAX + 1];
    make();
    put_back();
    world_remove(world_path(&w, "keys"));
    CHECK_INT(mkdir(world_path(&w, "keys"), 0700), 0);
    for (int i = 0; i < PLOG_KEYS_MAX; i++) {
        struct plog_vkey k = {.name = "other.example/log"};
        unsigned char secret[crypto_sign_SECRETKEYBYTES];
        CHECK_INT(crypto_sign_keypair(k.public_key, secret), 0);
        plog_vkey_finish(&k);
        plog_vkey_format(&k, line);
        snprintf(name, sizeof name, "keys/%d.vkey", i);
        world_write(world_path(&w, name), line, strlen(line));
    }
    snprintf(text, sizeof text, "%s", notes[24]);
    struct plog_check_options o = with(text);
    o.vkey = last_key;
    says(o, "CLEAN, head 24");
    o.struct_size = sizeof o;
    CHECK(strstr(said_check(plog_verify, w.dir, &o), "unchecked") == NULL);
}

/* Each one a finding, with the line that it begins at. */
static void others_notes(void)
{
    struct plog_init_options stranger = {.struct_size = sizeof stranger,
                                         .origin = "elsewhere.example/log"};
    struct plog_init_options same = {.struct_size = sizeof same};
    char text[6000], dir[600], note[PLOG_CHECKPOINT_MAX], vkey[PLOG_VKEY_MAX];
    char origin[PLOG_ORIGIN_MAX + 1];
    put_back();
    snprintf(dir, sizeof dir, "%.500s/stranger", check_dir());
    CHECK_INT(plog_init(dir, &stranger, vkey, NULL), 0);
    note_of(dir, note);
    snprintf(text, sizeof text, "%s%s", notes[4], note);
    says(with(text),
         "FOREIGN in log, the witness file, entry 1: want signed heads of this"
         " log; got the note at line 6; do see who wrote the");
    snprintf(origin, sizeof origin, "%.*s", (int)strcspn(notes[4], "\n"),
             notes[4]);
    same.origin = origin;
    snprintf(dir, sizeof dir, "%.500s/same", check_dir());
    CHECK_INT(plog_init(dir, &same, vkey, NULL), 0);
    note_of(dir, note);
    says(with(note), "UNKNOWN_KEY in log, the witness file, entry 1: want"
                     " signed heads of this log; got the note at line 1");
    snprintf(text, sizeof text, "%s", notes[18]);
    char *sig = text + strlen(text) - 20;
    *sig = *sig == 'A' ? 'B' : 'A';
    says(with(text), "TAMPERED in log, the witness file, entry 18: want signed"
                     " heads of this log; got the note at line 1");
}

static int stop(void *arg, const struct plog_finding *f)
{
    (void)arg, (void)f;
    return 1;
}

static void stopped_at_a_note(void)
{
    struct plog_check_report r;
    struct plog_error err = {0};
    char text[6000];
    put_back();
    snprintf(text, sizeof text, "%s", notes[18]);
    char *sig = text + strlen(text) - 20;
    *sig = *sig == 'A' ? 'B' : 'A';
    struct plog_check_options o = with(text);
    o.struct_size = sizeof o;
    o.finding = stop;
    CHECK_INT(plog_verify(w.dir, &o, &r, &err), PLOG_E_INTERRUPTED);
    CHECK_INT(err.code, PLOG_E_INTERRUPTED);
    CHECK_INT(plog_parity(w.dir, &o, &r, &err), PLOG_E_INTERRUPTED);
    CHECK_INT(r.verdict, PLOG_E_TAMPERED);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"each size", each_size},
        {"spelled out", spelled_out},
        {"below the floor", below_the_floor},
        {"no group above the floor", no_group_above_the_floor},
        {"in damage", in_damage},
        {"notes in a file", notes_in_a_file},
        {"notes below the floor", notes_below_the_floor},
        {"what the archive tells", what_the_archive_tells},
        {"since a checkpoint", since_a_checkpoint},
        {"keys of notes", keys_of_notes},
        {"many keys beside the pinned one", many_keys_beside_the_pinned_one},
        {"others' notes", others_notes},
        {"stopped at a note", stopped_at_a_note},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
