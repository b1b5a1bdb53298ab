/*
 * test_since_head.c - parity from a checkpoint on compares each head that it
 * was given, whatever stands behind the head: nothing, a bare header, what a
 * crash left of one, or damage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "peers.h"
#include "said.h"
#include "world.h"

#define BARE "log/00000000000000000007.jsonl"

static struct world w;
static char mark[600], file[600], kept[600];
static char header[2000]; /* of the segment behind the head */
static size_t header_n;

static void note(const char *path)
{
    char text[PLOG_CHECKPOINT_MAX];
    plog_reader *r = NULL;
    REQUIRE(plog_reader_open(&r, w.dir, NULL, NULL) == 0);
    CHECK_INT(plog_reader_checkpoint(r, text, NULL), 0);
    plog_reader_close(r);
    world_write(path, text, strlen(text));
}

/* A group of one delta. */
static void put(const char *record)
{
    CHECK_INT(world_put(&w, NULL, record, "v", NULL), 0);
}

/* Entries 1 to 3 | 4 to 6, each a group, and notes: of 6, `mark`, and of 6 in a
 * history that went its own way behind 4, `file`.  Kept as it was at 4, too. */
static void make(void)
{
    char dir[sizeof w.dir];
    uint64_t first;
    world_make(&w, PLOG_ARRIVAL, 0);
    snprintf(mark, sizeof mark, "%.500s/mark", check_dir());
    snprintf(file, sizeof file, "%.500s/notes", check_dir());
    put("a");
    put("b");
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    put("c");
    world_close(&w);
    memcpy(dir, w.dir, sizeof dir);
    snprintf(kept, sizeof kept, "%.500s/kept", check_dir());
    world_copy(dir, kept);
    snprintf(w.dir, sizeof w.dir, "%.400s/other", check_dir());
    world_copy(dir, w.dir);
    CHECK_INT(world_open(&w), 0);
    put("x");
    put("y");
    world_close(&w);
    note(file);
    memcpy(w.dir, dir, sizeof dir);
    CHECK_INT(world_open(&w), 0);
    put("d");
    put("e");
    CHECK_UINT(world_size(&w), 6);
    world_close(&w);
    note(mark);
}

/* The header of 7 and on; the log itself stays as it is. */
static void read_header(void)
{
    char dir[sizeof w.dir];
    uint64_t first;
    memcpy(dir, w.dir, sizeof dir);
    snprintf(w.dir, sizeof w.dir, "%.400s/rotated", check_dir());
    world_copy(dir, w.dir);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_UINT(first, 7);
    world_close(&w);
    char *bytes = world_read(world_path(&w, BARE), &header_n);
    REQUIRE(header_n < sizeof header);
    memcpy(header, bytes, header_n);
    free(bytes);
    memcpy(w.dir, dir, sizeof dir);
}

static bool says(struct plog_check_options o, const char *words)
{
    o.since = mark;
    const char *said = said_check(plog_parity, w.dir, &o);
    bool ok = CHECK(strstr(said, words) != NULL);
    if (!ok)
        printf("# not: %s\n# but: %s", words, said);
    return ok;
}

static const struct plog_check_options no_more = {.struct_size = 0};
/* A head of 6 that nobody has seen. */
static const struct plog_check_options wrong = {.has_expect_head = true,
                                                .expect_size = 6};
static const char fork[] = "FORK in log, entry 6: want 6:#";

/* ---- Nothing wrong behind it -------------------------------------------- */

static void each_kind_of_head(void)
{
    char own[600];
    struct plog_check_options noted = {.witness = file};
    says(no_more, "CLEAN, head 6, 3 entries 4-6, ");
    says(wrong, fork);
    says(noted, "FORK in log, entry 6: want 6:# (witness, line 1); got 6:#;");
    snprintf(own, sizeof own, "%s", mark);
    snprintf(mark, sizeof mark, "%s", file);
    says(no_more,
         "FORK in log, entry 6: want 6:# (checkpoint, line 1); got 6:#;");
    snprintf(mark, sizeof mark, "%s", own);
}

static void before_a_bare_header(void)
{
    uint64_t first;
    size_t n, m;
    make();
    each_kind_of_head();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_UINT(first, 7);
    world_close(&w);
    each_kind_of_head();
    /* Nor is a fork's head noted as one that was found clean. */
    struct plog_check_options o = wrong;
    struct plog_check_report r;
    char *before = world_read(mark, &n);
    o.struct_size = sizeof o;
    o.since = o.watermark = mark;
    CHECK_INT(plog_parity(w.dir, &o, &r, NULL), 0);
    CHECK(r.verdict == PLOG_E_FORK && !r.watermark);
    char *after = world_read(mark, &m);
    CHECK_BYTES(after, m, before, n);
    free(before);
    free(after);
    world_end(&w, 6);
}

/* ---- What a crash leaves ------------------------------------------------- */

static const size_t cuts[] = {0, 1, 10, 100};

/* At whatever byte the header ends: an unfinished end, and the head is there.
 */
static void before_half_a_header(void)
{
    struct world_found f;
    struct plog_check_options o = {.since = mark};
    make();
    read_header();
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        world_write(world_path(&w, BARE), header, cuts[i]);
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_TORN);
        CHECK_INT(world_parity(&w, &o, &f), PLOG_E_TORN);
        CHECK_UINT(f.count, 1);
        CHECK_TEXT(f.first[0].file, BARE);
        CHECK_UINT(f.report.head.size, 6);
        says(wrong, fork);
    }
}

/* The same with both legs as they were at 4. */
static void set_back_before_half_a_header(void)
{
    struct world_found f;
    struct plog_check_options o = {.since = mark};
    make();
    snprintf(w.dir, sizeof w.dir, "%.500s", kept);
    for (size_t i = 0; i < 2; i++) {
        world_write(world_path(&w, "log/00000000000000000005.jsonl"), "", 0);
        CHECK_INT(world_parity(&w, i ? &o : NULL, &f),
                  i ? PLOG_E_ROLLBACK : PLOG_E_TORN);
        CHECK_UINT(f.count, i + 1);
        CHECK_UINT(f.report.head.size, 4);
    }
    says(no_more, "ROLLBACK in log, entry 6: want 6:#");
}

/* ---- Damage -------------------------------------------------------------- */

/* Entry `seq` has a byte that is another one, in both legs. */
static void damage(uint64_t seq)
{
    char words[40], sql[80];
    size_t n;
    const char *path =
        world_path(&w, seq < 7 ? "log/00000000000000000004.jsonl" : BARE);
    snprintf(words, sizeof words, "{\"seq\":%" PRIu64 ",", seq);
    char *bytes = world_read(path, &n);
    char *line = strstr(bytes, words);
    REQUIRE(line != NULL);
    line[30] ^= 1;
    world_write(path, bytes, n);
    free(bytes);
    snprintf(sql, sizeof sql,
             "UPDATE events SET line=line||' ' WHERE seq=%" PRIu64, seq);
    world_sql(&w, sql);
}

static void before_damage(void)
{
    uint64_t first;
    make();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    put("f");
    put("g");
    world_close(&w);
    damage(7);
    says(wrong, fork);
}

/* Its own group is damaged, and none follows: it was not compared, which is
 * said; or a header follows, which has the root. */
static void in_damage_at_the_end(void)
{
    uint64_t first;
    make();
    damage(6);
    says(wrong, "unchecked log 6-6: a head that was seen lies in damage");
    make();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    world_close(&w);
    damage(6);
    says(wrong, fork);
    struct plog_check_options o = wrong;
    o.struct_size = sizeof o;
    CHECK(strstr(said_check(plog_verify, w.dir, &o), fork) != NULL);
    damage(5); /* of which that header says nothing */
    o.expect_size = 5;
    const char *said = said_check(plog_verify, w.dir, &o);
    CHECK(strstr(said, "5-5: a head that was seen lies in damage") != NULL);
    CHECK(strstr(said, "FORK") == NULL);
}

/* ---- Beside a store that is older --------------------------------------- */

static void put_on(int from, int to)
{
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, from, to);
    world_close(&w);
}

/* It stands before the floor, and the key was rotated since: nothing in it
 * leads to the segment of the checkpoint, but the log does. */
static void beside_a_store_before_the_floor(void)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report r;
    struct world_found f;
    peers_make(&w, PLOG_ARRIVAL, 3);
    snprintf(mark, sizeof mark, "%.500s/mark", check_dir());
    snprintf(kept, sizeof kept, "%.500s/kept", check_dir());
    world_copy(w.dir, kept);
    put_on(3, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", world_size(&w)), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK_INT(plog_key_rotate(w.dir, &o, &r, NULL), 0);
    put_on(40, 70);
    note(mark);
    put_on(70, 80);
    struct plog_check_options c = {.since = mark};
    CHECK_INT(world_parity(&w, &c, &f), 0);
    world_drop_store(&w);
    world_take_store(&w, kept);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_BEHIND);
    CHECK_UINT(f.count, 1);
    CHECK_INT(world_parity(&w, &c, &f), PLOG_E_BEHIND);
    CHECK_UINT(f.count, 1);
}

/* ---- Without a store, or with one that was trimmed ----------------------- */

/* Nothing then says which rows lie below the notes; the heads are asked for all
 * the same, also that of the note that would be replaced. */
static void without_a_store(void)
{
    static const char want[] =
        "ROLLBACK in log, entry 6: want 6:# (%s, line 1); got 4:#";
    char words[100];
    for (int garbage = 0; garbage < 2; garbage++) {
        make();
        snprintf(w.dir, sizeof w.dir, "%.500s", kept);
        world_drop_store(&w);
        if (garbage)
            world_write(world_path(&w, "store.db"), "no store", 8);
        snprintf(words, sizeof words, want, "checkpoint");
        says(no_more, words);
        struct plog_check_options o = {.struct_size = sizeof o,
                                       .watermark = mark};
        snprintf(words, sizeof words, want, "watermark");
        CHECK(strstr(said_check(plog_parity, w.dir, &o), words) != NULL);
        says(wrong, "ROLLBACK in log, entry 6: want 6:#");
    }
}

static void put_at(const char *time)
{
    char text[600];
    struct world_delta d = {.record = "1", .payload = "{}", .time = time};
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, NULL),
              0);
}

/* An entry that lost has no row below the base, and is the last of its record
 * all the same. */
static void behind_a_trim(void)
{
    struct plog_check_options o = {.since = mark};
    struct world_found f;
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    snprintf(mark, sizeof mark, "%.500s/mark", check_dir());
    put_at("2026-01-09T00:00:00Z");
    put_at("2026-01-02T00:00:00Z");
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    put_on(3, 40);
    CHECK_INT(peers_ack(&w, "p", world_size(&w)), 0);
    CHECK_INT(peers_trim(&w, NULL), 0);
    CHECK_UINT(world_number(&w, "SELECT count(*) FROM events WHERE seq=3"), 0);
    put_on(40, 42);
    note(mark);
    CHECK_INT(world_open(&w), 0);
    put_at("2026-01-10T00:00:00Z");
    world_close(&w);
    CHECK_INT(world_parity(&w, &o, &f), 0);
    world_sql(&w, "UPDATE events SET previous=previous+1 WHERE seq=(SELECT"
                  " max(seq) FROM events)");
    CHECK_INT(world_parity(&w, &o, &f), PLOG_E_DIVERGED);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"before a bare header", before_a_bare_header},
        {"before half a header", before_half_a_header},
        {"set back before half a header", set_back_before_half_a_header},
        {"before damage", before_damage},
        {"in damage at the end", in_damage_at_the_end},
        {"beside a store before the floor", beside_a_store_before_the_floor},
        {"without a store", without_a_store},
        {"behind a trim", behind_a_trim},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
