/*
 * test_parity_damage.c - parity where one leg is damaged, shorter, or another
 * history: what the store proves and what it cannot, how many lines are named,
 * an end that is torn, heads that point nowhere, and a disk that fails while
 * damage is looked at.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "sql_calls.h"
#include "world.h"

#define SEGMENT_1 "log/00000000000000000001.jsonl"

static struct world w;

/* ---- What was heard --------------------------------------------------------
 */

static struct {
    struct plog_check_report r;
    struct plog_error err;
    unsigned findings, named;
    int verdict[8]; /* of the first ones */
    uint64_t seq[8];
    char expected[8][200], next[8][200], unchecked[900];
    char fork_next[200]; /* of the last one that is a FORK */
} heard;

static int on_finding(void *arg, const struct plog_finding *f)
{
    (void)arg;
    if (heard.findings < 8) {
        heard.verdict[heard.findings] = f->verdict;
        heard.seq[heard.findings] = f->seq;
        snprintf(heard.expected[heard.findings], 200, "%s", f->expected);
        snprintf(heard.next[heard.findings], 200, "%s", f->next);
    }
    if (f->verdict == PLOG_E_FORK)
        snprintf(heard.fork_next, sizeof heard.fork_next, "%s", f->next);
    heard.findings++;
    heard.named += f->has_offset;
    return 0;
}

static int on_unchecked(void *arg, const struct plog_unchecked *u)
{
    size_t n = strlen(heard.unchecked);
    (void)arg;
    snprintf(heard.unchecked + n, sizeof heard.unchecked - n,
             "%" PRIu64 "-%" PRIu64 " %s; ", u->from, u->to, u->why);
    return 0;
}

/* Returns the verdict, or the code of a check that did not come to its end. */
static int parity_with(struct plog_check_options o)
{
    memset(&heard, 0, sizeof heard);
    o.struct_size = sizeof o;
    o.finding = on_finding;
    o.unchecked = on_unchecked;
    int rc = plog_parity(w.dir, &o, &heard.r, &heard.err);
    if (rc)
        CHECK_INT(heard.err.code, rc);
    return rc ? rc : heard.r.verdict;
}

static int parity(void)
{
    return parity_with((struct plog_check_options){.vkey = NULL});
}

static bool said(const char *part)
{
    if (strstr(heard.unchecked, part))
        return true;
    printf("# unchecked: %s\n", heard.unchecked);
    return false;
}

/* ---- Logs -------------------------------------------------------------------
 */

static void put(int from, int to)
{
    CHECK_INT(world_open(&w), 0);
    for (int i = from; i < to; i++) {
        char record[16], value[24];
        snprintf(record, sizeof record, "r%d", i % 7);
        snprintf(value, sizeof value, "v%d", i);
        CHECK_INT(world_put(&w, NULL, record, value, NULL), 0);
    }
    world_close(&w);
}

static void make(int entries, uint64_t segment)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, segment);
    put(0, entries);
}

/* One group of so many deltas. */
static void put_group(int count)
{
    static char text[200][160];
    static struct plog_span d[200];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = (size_t)count};
    CHECK_INT(world_open(&w), 0);
    for (int i = 0; i < count; i++) {
        char record[16];
        snprintf(record, sizeof record, "g%d", i);
        struct world_delta delta = {.record = record, .payload = "{\"x\":1}"};
        world_text(text[i], sizeof text[i], &delta);
        d[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    world_close(&w);
}

static void new_segment(void)
{
    uint64_t first;
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    world_close(&w);
}

static void keep_store(void)
{
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_copy(world_path(&w, "store.db"), world_path(&w, "../old.db"));
}

static void old_store(void)
{
    world_drop_store(&w);
    world_copy(world_path(&w, "../old.db"), world_path(&w, "store.db"));
}

/* Each `from` in the file becomes `to`, of the same length. */
static unsigned replace(const char *name, const char *from, const char *to)
{
    char path[700];
    size_t n;
    unsigned count = 0;
    snprintf(path, sizeof path, "%s", world_path(&w, name));
    char *bytes = world_read(path, &n);
    for (char *at = bytes; (at = strstr(at, from)); at += strlen(to), count++)
        memcpy(at, to, strlen(to));
    CHECK(count > 0);
    world_write(path, bytes, n);
    free(bytes);
    return count;
}

/* The file ends `less` bytes behind the last of those texts. */
static void cut_behind(const char *name, const char *text, size_t more)
{
    char path[700];
    size_t n;
    snprintf(path, sizeof path, "%s", world_path(&w, name));
    char *bytes = world_read(path, &n), *last = NULL;
    for (char *at = bytes; (at = strstr(at, text)); at++)
        last = at;
    if (CHECK(last != NULL))
        world_write(path, bytes, (size_t)(last - bytes) + more);
    free(bytes);
}

/* ---- Lines
 * ------------------------------------------------------------------- */

/* So many of one group are named, and the others counted. */
static void a_hundred_lines(void)
{
    make(2, 0);
    put_group(100);
    put(2, 4);
    CHECK_INT(parity(), 0);
    CHECK_UINT(
        replace(SEGMENT_1, "\"payload\":{\"x\":1}", "\"payload\":{\"x\":2}"),
        100);
    CHECK_INT(parity(), PLOG_E_TAMPERED);
    CHECK_UINT(heard.findings, 64);
    CHECK_UINT(heard.named, 64);
    CHECK_UINT(heard.seq[0], 4);
    CHECK_UINT(heard.r.counts[-PLOG_E_TAMPERED], 100);
    CHECK(!strstr(heard.unchecked, "damaged")); /* the store proves it */
    CHECK_UINT(heard.r.entries, 105);
    CHECK_UINT(heard.r.head.size, 105);
}

/* Once the store has proven the one, the log is whole again for the next. */
static void two_lines(void)
{
    make(12, 0);
    replace(SEGMENT_1, "\"v\":\"v5\"", "\"v\":\"x5\"");
    replace(SEGMENT_1, "\"v\":\"v8\"", "\"v\":\"x8\"");
    CHECK_INT(parity(), PLOG_E_TAMPERED);
    CHECK_UINT(heard.findings, 2);
    CHECK_UINT(heard.named, 2);
    CHECK_UINT(heard.seq[0], 7);
    CHECK_UINT(heard.seq[1], 10);
    CHECK_TEXT(heard.unchecked, "1-13 key rotations: damage may hide one; ");
    CHECK_UINT(heard.r.head.size, 13);
    CHECK_UINT(heard.r.entries, 13);
    /* The first group and the last count as well. */
    make(2, 0);
    replace(SEGMENT_1, "\"control\":\"init\"", "\"control\":\"jnit\"");
    replace(SEGMENT_1, "\"v\":\"v1\"", "\"v\":\"x1\"");
    CHECK_INT(parity(), PLOG_E_TAMPERED);
    CHECK_UINT(heard.r.entries, 3);
    CHECK_UINT(heard.r.from, 1);
    CHECK_UINT(heard.r.to, 3);
}

/* What the store lost too is proven by nobody. */
static void a_line_that_both_lost(void)
{
    make(12, 0);
    replace(SEGMENT_1, "\"v\":\"v5\"", "\"v\":\"x5\"");
    CHECK_INT(parity(), PLOG_E_TAMPERED);
    CHECK_UINT(heard.findings, 1);
    CHECK(!strstr(heard.unchecked, "damaged"));
    world_sql(&w, "DELETE FROM events WHERE seq=7");
    CHECK_INT(parity(), PLOG_E_TAMPERED);
    CHECK_UINT(heard.r.entries, 12);
    CHECK(said("7-7 damaged: see the findings"));
    CHECK(said("records: the log does not give their fold"));
    /* Nor what comes behind two of them, and yet it is gone through. */
    replace(SEGMENT_1, "\"v\":\"v8\"", "\"v\":\"x8\"");
    CHECK_INT(parity(), PLOG_E_TAMPERED);
    CHECK(heard.findings >= 2);
    CHECK_UINT(heard.r.head.size, 13);
}

/* The page of the store that has this text is no page any more. */
static void spoil_page(const char *text)
{
    size_t n;
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    char *bytes = world_read(world_path(&w, "store.db"), &n);
    char *at = memmem(bytes, n, text, strlen(text));
    if (CHECK(at != NULL)) {
        memset(bytes + (size_t)(at - bytes) / 4096 * 4096, 0, 8);
        world_write(world_path(&w, "store.db"), bytes, n);
    }
    free(bytes);
}

static unsigned lines_asked; /* of the store */

static bool count_lines(const char *call, const char *sql, bool busy)
{
    static const char one[] = "SELECT line,previous FROM main.events";
    (void)busy;
    lines_asked +=
        strcmp(call, "step") == 0 && strncmp(sql, one, sizeof one - 1) == 0;
    return false;
}

/* The log goes on alone where no more rows can be read, and what is damaged in
 * it behind that is told, too; the store is not asked about it any more. */
static void rows_and_lines(void)
{
    make(60, 0);
    replace(SEGMENT_1, "\"v\":\"v50\"", "\"v\":\"x50\"");
    sql_calls.fails = count_lines;
    lines_asked = 0;
    CHECK_INT(parity(), PLOG_E_TAMPERED);
    CHECK_UINT(heard.findings, 1);
    CHECK_UINT(heard.named, 1); /* by the store */
    CHECK_TEXT(heard.unchecked, "1-61 key rotations: damage may hide one; ");
    CHECK(lines_asked > 0);
    spoil_page("\"v\":\"v30\"");
    lines_asked = 0;
    CHECK_INT(parity(), PLOG_E_TAMPERED);
    CHECK_UINT(lines_asked, 0);
    sql_calls.fails = NULL;
    CHECK_UINT(heard.findings, 2);
    CHECK_INT(heard.verdict[0], PLOG_E_DIVERGED);
    CHECK_TEXT(heard.expected[0], "rows that can be read");
    CHECK_INT(heard.verdict[1], PLOG_E_TAMPERED);
    CHECK_UINT(heard.seq[1], 52);
    CHECK(said("the store cannot be read on"));
    CHECK(said("52-52 damaged: see the findings"));
    CHECK_UINT(heard.r.head.size, 61);
}

/* ---- Ends
 * --------------------------------------------------------------------- */

static void a_torn_end(void)
{
    static const char half[] = "{\"seq\":14,\"res";
    size_t n;
    make(12, 0);
    cut_behind(SEGMENT_1, "\"}}\n", 4); /* without what was padded */
    char *bytes = world_read(world_path(&w, SEGMENT_1), &n);
    char *longer = malloc(n + sizeof half);
    REQUIRE(longer != NULL);
    memcpy(longer, bytes, n);
    memcpy(longer + n, half, sizeof half - 1);
    world_write(world_path(&w, SEGMENT_1), longer, n + sizeof half - 1);
    free(longer);
    free(bytes);
    CHECK_INT(parity(), PLOG_E_TORN);
    CHECK_UINT(heard.findings, 1);
    CHECK(strstr(heard.next[0], "paritylog replay DIR") != NULL);
    CHECK_UINT(heard.r.head.size, 13);
    /* What the store's head covers was whole once. */
    cut_behind(SEGMENT_1, "{\"commit\":", 0);
    CHECK(parity() != PLOG_E_TORN);
    CHECK_UINT(heard.r.counts[-PLOG_E_TORN], 0);
    CHECK(heard.r.verdict != 0);
}

/* Two segments behind the store's head are told once. */
static void behind(void)
{
    make(4, 0);
    keep_store();
    put(4, 6);
    new_segment();
    put(6, 8);
    new_segment();
    old_store();
    CHECK_INT(parity(), PLOG_E_BEHIND);
    CHECK_UINT(heard.findings, 1);
    CHECK_UINT(heard.seq[0], 6);
    CHECK_TEXT(heard.expected[0], "entries up to 6");
    CHECK_UINT(heard.r.head.size, 9);
}

/* ... also when the log is damaged at its end. */
static void behind_and_damaged(void)
{
    make(4, 0);
    keep_store();
    put(4, 12);
    old_store();
    replace(SEGMENT_1, "\"v\":\"v11\"", "\"v\":\"x11\"");
    CHECK_INT(parity(), PLOG_E_BEHIND);
    CHECK_UINT(heard.r.counts[-PLOG_E_TORN], 1);
    CHECK_UINT(heard.r.counts[-PLOG_E_AHEAD], 0);
    CHECK_UINT(heard.r.head.size, 12);
}

/* A bare segment, made after the store's head, is none of its business. */
static void a_bare_segment(void)
{
    make(4, 0);
    keep_store();
    new_segment();
    CHECK_INT(parity(), 0);
    world_sql(&w, "UPDATE meta SET offset=offset+1");
    CHECK_INT(parity(), PLOG_E_DIVERGED);
    CHECK(strstr(heard.expected[0], "offset of the log") != NULL);
    old_store();
    CHECK_INT(parity(), 0);
}

/* The log lost its end, and the bare segment behind it, which the store has. */
static void an_end_that_is_lost(void)
{
    make(4, 0);
    new_segment();
    put(4, 6);
    new_segment();
    CHECK_INT(parity(), 0);
    CHECK_INT(unlink(world_path(&w, "log/00000000000000000006.jsonl")), 0);
    CHECK_INT(unlink(world_path(&w, "log/00000000000000000008.jsonl")), 0);
    CHECK_INT(parity(), PLOG_E_ROLLBACK);
    CHECK_UINT(heard.findings, 1);
    CHECK_UINT(heard.seq[0], 6);
    /* A head that nobody signed is the store's fault. */
    world_sql(&w, "UPDATE meta SET key='00000000'");
    CHECK_INT(parity(), PLOG_E_AHEAD);
}

/* Keys that the log has gone over to since. */
static void a_rotation_behind_the_head(void)
{
    struct plog_rotate_options ro = {.struct_size = sizeof ro};
    struct plog_rotate_report rr;
    make(4, 0);
    keep_store();
    CHECK_INT(plog_key_rotate(w.dir, &ro, &rr, NULL), 0);
    put(4, 6);
    old_store();
    CHECK_INT(parity(), PLOG_E_BEHIND);
    CHECK_UINT(heard.findings, 1);
}

/* Log and keychain of before a rotation: the store's head is signed all the
 * same, by a key that is only trusted. */
static void set_back_before_a_rotation(void)
{
    struct plog_rotate_options ro = {.struct_size = sizeof ro};
    struct plog_rotate_report rr;
    make(4, 0);
    world_copy(world_path(&w, "log"), world_path(&w, "../log-before"));
    CHECK_INT(plog_key_rotate(w.dir, &ro, &rr, NULL), 0);
    put(4, 6);
    world_remove(world_path(&w, "log"));
    world_copy(world_path(&w, "../log-before"), world_path(&w, "log"));
    CHECK_INT(parity(), PLOG_E_ROLLBACK);
}

/* A head inside of a group is no commit of the log. */
static void a_head_inside_of_a_group(void)
{
    make(2, 0);
    put_group(10);
    world_sql(&w, "UPDATE meta SET size=7");
    CHECK(parity() < 0);
    CHECK(heard.r.counts[-PLOG_E_DIVERGED] > 0);
}

/* ---- Two histories
 * --------------------------------------------------------------- */

static void forked_at(bool damaged, int to)
{
    char copy[700], own[600];
    make(4, 0);
    snprintf(copy, sizeof copy, "%.500s-copy", w.dir);
    world_copy(w.dir, copy);
    put(4, 9);
    keep_store();
    snprintf(own, sizeof own, "%s", w.dir);
    snprintf(w.dir, sizeof w.dir, "%.510s", copy);
    put(20, to);
    snprintf(w.dir, sizeof w.dir, "%.510s", own);
    world_remove(world_path(&w, "log"));
    world_copy(strcat(copy, "/log"), world_path(&w, "log"));
    if (damaged)
        replace(SEGMENT_1, "\"v\":\"v1\"", "\"v\":\"x1\"");
}

static void forked(bool damaged)
{
    forked_at(damaged, 25);
}

static void two_histories(void)
{
    forked(false);
    CHECK_INT(parity(), PLOG_E_FORK);
    for (unsigned i = 0; i < heard.findings && i < 8; i++)
        CHECK(strstr(heard.next[i], "keep a copy of DIR") != NULL);
}

static unsigned lists_left; /* of folders that are read to their end */

static int list_fails(void *ctx, int dir,
                      int (*each)(void *arg, const char *name), void *arg)
{
    int rc = plog_io_posix()->list(ctx, dir, each, arg);
    if (lists_left == 0)
        return -EIO;
    lists_left--;
    return rc;
}

/* Where the log cannot be read a second time, nobody knows of what else
 * differs; but a signed head that is another one is a history of its own. */
static void two_histories_and_no_second_look(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_check_options o = {.io = &io};
    io.list = list_fails;
    forked(false);
    lists_left = 100;
    CHECK_INT(parity_with(o), PLOG_E_FORK);
    unsigned all = 100 - lists_left, looks = 0;
    for (unsigned n = 1; n < all; n++) {
        unsigned fresh = 0;
        lists_left = n;
        if (parity_with(o) != PLOG_E_FORK)
            continue;
        CHECK(strstr(heard.fork_next, "keep a copy of DIR") != NULL);
        for (unsigned i = 0; i < heard.findings && i < 8; i++)
            fresh += strstr(heard.next[i], "--fresh") != NULL;
        looks += fresh > 0;
    }
    CHECK_UINT(looks, 1);
}

/* That the log is shorter makes them no less two; one that has lost its end and
 * gone no other way is one. */
static void two_histories_of_two_lengths(void)
{
    for (int to = 21; to < 25; to++) {
        forked_at(false, to);
        CHECK_INT(parity(), PLOG_E_FORK);
        CHECK_UINT(heard.r.counts[-PLOG_E_ROLLBACK], 0);
        for (unsigned i = 0; i < heard.findings && i < 8; i++)
            CHECK_TEXT(heard.next[i], "keep a copy of DIR; compare both heads"
                                      " with a witness or a peer; ways on:"
                                      " FORK in paritylog(1)");
    }
    forked_at(false, 20); /* the log as it was before */
    CHECK_INT(parity(), PLOG_E_ROLLBACK);
    CHECK_UINT(heard.findings, 1);
    CHECK(strstr(heard.next[0], "salvage DIR --from-store") != NULL);
}

/* Beside the log is a file that is none of it, which makes them no less two. */
static void two_histories_and_an_odd_file(void)
{
    forked(false);
    world_write(world_path(&w, "log/odd.txt"), "x", 1);
    CHECK(parity() < 0);
    CHECK(heard.r.counts[-PLOG_E_FORK] > 0);
    CHECK(heard.findings > 1);
    for (unsigned i = 0; i < heard.findings && i < 8; i++)
        CHECK(!strstr(heard.next[i], "replay"));
}

/* Where a head is nobody's, or the log cannot be walked, a row that differs is
 * the store's fault alone. */
static void one_history(void)
{
    make(6, 0);
    world_sql(&w, "UPDATE state SET version=9");
    CHECK_INT(parity(), PLOG_E_DIVERGED);
    CHECK(strstr(heard.next[0], "replay DIR --fresh") != NULL);
    world_write(world_path(&w, "log/odd.txt"), "x", 1);
    CHECK(parity() < 0);
    CHECK(heard.r.counts[-PLOG_E_DIVERGED] > 0);
    for (unsigned i = 0; i < heard.findings && i < 8; i++)
        CHECK(!strstr(heard.next[i], "compare both heads"));
    CHECK_INT(unlink(world_path(&w, "log/odd.txt")), 0);
    world_sql(&w, "UPDATE meta SET key='00000000'");
    CHECK_INT(parity(), PLOG_E_DIVERGED);
    CHECK(heard.findings > 1);
    for (unsigned i = 0; i < heard.findings && i < 8; i++)
        CHECK(!strstr(heard.next[i], "compare both heads"));
}

/* A store whose head says that it holds nothing is no history. */
static void a_head_of_nothing(void)
{
    make(4, 0);
    world_sql(&w, "UPDATE meta SET size=0,range=x'',key='',sig=x'',root=x'e3b0"
                  "c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85"
                  "5'");
    CHECK(parity() < 0);
    CHECK_UINT(heard.r.counts[-PLOG_E_BEHIND], 0); /* no replay gets on */
    CHECK(heard.r.counts[-PLOG_E_DIVERGED] > 0);
    CHECK_UINT(heard.r.counts[-PLOG_E_FORK], 0);
    CHECK(heard.findings > 1);
    for (unsigned i = 0; i < heard.findings && i < 8; i++)
        CHECK(!strstr(heard.next[i], "compare both heads"));
}

/* With the log damaged below, nobody can tell by its roots. */
static void two_histories_in_damage(void)
{
    forked(true);
    CHECK(parity() < 0);
    CHECK(heard.r.counts[-PLOG_E_TAMPERED] > 0);
}

/* The other history went over to a key of its own before they parted: what is
 * signed with it is still one's word against the other's. */
static void two_histories_and_a_new_key(void)
{
    struct plog_rotate_options ro = {.struct_size = sizeof ro};
    struct plog_rotate_report rr;
    char before[600];
    make(4, 0);
    snprintf(before, sizeof before, "%.500s-before", w.dir);
    world_copy(w.dir, before);
    CHECK_INT(plog_key_rotate(w.dir, &ro, &rr, NULL), 0);
    put(4, 9);
    char own[600], log[700];
    snprintf(own, sizeof own, "%.590s", w.dir);
    snprintf(w.dir, sizeof w.dir, "%.510s", before);
    put(20, 30);
    snprintf(w.dir, sizeof w.dir, "%.510s", own);
    world_remove(world_path(&w, "log"));
    snprintf(log, sizeof log, "%s/log", before);
    world_copy(log, world_path(&w, "log"));
    CHECK_INT(parity(), PLOG_E_FORK);
    CHECK(heard.r.counts[-PLOG_E_DIVERGED] > 0);
    CHECK(heard.findings > 2);
    for (unsigned i = 0; i < heard.findings && i < 8; i++)
        if (!CHECK(strstr(heard.next[i], "--fresh") == NULL))
            printf("# %d at %" PRIu64 "\n", heard.verdict[i], heard.seq[i]);
}

/* ---- A disk that fails
 * --------------------------------------------------------------- */

static unsigned reads_left;

static int64_t no_read(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    if (reads_left && --reads_left == 0)
        return -EIO;
    return plog_io_posix()->pread(ctx, fd, p, n, at);
}

/* Whichever read it is: an error, or the damage; never that all is well. */
static void each_read(void)
{
    struct plog_io io = *plog_io_posix();
    unsigned n = 0, errors = 0;
    io.pread = no_read;
    do {
        reads_left = ++n;
        int rc = parity_with((struct plog_check_options){.io = &io});
        if (rc == PLOG_E_IO)
            errors++;
        else
            CHECK(heard.r.verdict != 0 || rc != 0);
    } while (reads_left == 0 && n < 400);
    CHECK(n > 2 && errors > 2);
    printf("# %u of %u\n", errors, n - 1);
}

static void damage_on_a_failing_disk(void)
{
    char name[60];
    make(40, 4096);
    replace(SEGMENT_1, "\"v\":\"v5\"", "\"v\":\"x5\"");
    each_read();
    world_sql(&w, "DELETE FROM events WHERE seq=7");
    each_read();
    snprintf(name, sizeof name, "log/%020" PRId64 ".jsonl",
             world_number(&w, "SELECT first FROM segments ORDER BY first LIMIT"
                              " 1 OFFSET 1"));
    CHECK_INT(unlink(world_path(&w, name)), 0);
    each_read();
}

/* Without a store the log alone is verified. */
static void no_store_on_a_failing_disk(void)
{
    make(12, 0);
    world_drop_store(&w);
    each_read();
}

/* ---- A checkpoint, and a key that is pinned
 * --------------------------------------------- */

static void pinned_without_any_other_key(void)
{
    char text[PLOG_CHECKPOINT_MAX], path[600];
    plog_reader *r = NULL;
    make(8, 0);
    snprintf(path, sizeof path, "%.500s/note", check_dir());
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_checkpoint(r, text, NULL), 0);
    plog_reader_close(r);
    world_write(path, text, strlen(text));
    put(8, 12);
    struct plog_check_options o = {.since = path, .vkey = w.vkey};
    CHECK_INT(parity_with(o), 0);
    CHECK_UINT(heard.r.since, 9);
    world_remove(world_path(&w, "keys"));
    CHECK_INT(mkdir(world_path(&w, "keys"), 0700), 0);
    CHECK_INT(parity_with(o), 0);
    CHECK_UINT(heard.r.since, 9);
    /* What lies there is of no account, then. */
    world_write(world_path(&w, "keys/odd.vkey"), "no key\n", 7);
    CHECK_INT(parity_with(o), 0);
    CHECK_UINT(heard.r.since, 9);
    unlink(path);
}

static int segments_left; /* rows of segments that can be read */

static bool segments_fail(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return !strcmp(call, "step") && strstr(sql, "FROM main.segments") &&
           --segments_left == 0;
}

/* The row of the very segment that begins with damage: what is told is that it
 * could not be read. */
static void damage_and_no_row(void)
{
    char first[60], name[60];
    make(3, 0);
    new_segment();
    snprintf(first, sizeof first, "log/%020" PRIu64 ".jsonl",
             world_size(&w) + 1);
    put(3, 6);
    snprintf(name, sizeof name, "%s", first);
    replace(name, "\"v\":\"v3\"", "\"v\":\"x3\"");
    int failed = 0, damaged = parity();
    CHECK(damaged == PLOG_E_CORRUPT || damaged == PLOG_E_TAMPERED);
    for (int n = 1; n < 20; n++) {
        segments_left = n;
        sql_calls.fails = segments_fail;
        int rc = parity();
        sql_calls.fails = NULL;
        CHECK_INT(rc, segments_left > 0 ? damaged : PLOG_E_IO);
        failed += segments_left <= 0;
    }
    CHECK(failed > 1);
}

static int closings_left; /* commits of the store that can be looked up */

static bool closing_fails(const char *call, const char *sql, bool busy)
{
    (void)busy;
    return !strcmp(call, "step") &&
           strstr(sql, "FROM main.checkpoints WHERE size>=?1") &&
           --closings_left == 0;
}

/* A letter of the key's name, in one commit line after the other. */
static void a_key_renamed(void)
{
    make(3, 0);
    for (int i = 0; i < 4; i++) {
        size_t n;
        char *log = world_read(world_path(&w, SEGMENT_1), &n), *at = log;
        if (!CHECK(log != NULL))
            return;
        for (int k = 0; k <= i && at; k++)
            at = strstr(at + 1, "{\"commit\":");
        at = at ? strstr(at, "\"key\":\"") : NULL;
        if (!CHECK(at != NULL))
            return;
        char was = at[8];
        at[8] = was == '0' ? '1' : '0';
        world_write(world_path(&w, SEGMENT_1), log, n);
        CHECK_INT(parity(), PLOG_E_CORRUPT);
        CHECK_UINT(heard.findings, 1);
        CHECK_UINT(heard.seq[0], i + 1);
        CHECK(strstr(heard.expected[0], ", which signed the store's copy"));
        /* Where the store's copy cannot be read nobody knows that key. */
        int unknown = 0;
        for (int k = 1; k < 12; k++) {
            closings_left = k;
            sql_calls.fails = closing_fails;
            int rc = parity();
            sql_calls.fails = NULL;
            CHECK_INT(rc, closings_left > 0          ? PLOG_E_CORRUPT
                          : rc == PLOG_E_UNKNOWN_KEY ? rc
                                                     : PLOG_E_IO);
            unknown += rc == PLOG_E_UNKNOWN_KEY;
        }
        CHECK_INT(unknown, 1);
        at[8] = was;
        world_write(world_path(&w, SEGMENT_1), log, n);
        free(log);
    }
    CHECK_INT(parity(), 0);
}

/* The same where the store's copy of that commit is no better: it says whose
 * name that was no more. */
static void a_key_renamed_in_both(void)
{
    static const char *const edits[] = {
        "DELETE FROM checkpoints WHERE size=3",
        "DELETE FROM checkpoints WHERE size>=3",
        "UPDATE checkpoints SET line='{}' WHERE size=3",
        "UPDATE checkpoints SET line=(SELECT line FROM checkpoints WHERE"
        " size=2) WHERE size=3",
        "UPDATE checkpoints SET "
        "line=replace(line,'\"sig\":\"','\"sig\":\"AAAA')"
        " WHERE size=3",
        "UPDATE checkpoints SET line=replace(line,substr(line,"
        "instr(line,'\"sig\":\"')+7,4),'AAAA') WHERE size=3"};
    make(3, 0);
    keep_store();
    size_t n;
    char *log = world_read(world_path(&w, SEGMENT_1), &n), *at = log;
    for (int i = 0; at && i < 3; i++)
        at = strstr(at + 1, "{\"commit\":");
    at = at ? strstr(at, "\"key\":\"") : NULL;
    REQUIRE(at != NULL);
    at[8] = at[8] == '0' ? '1' : '0';
    world_write(world_path(&w, SEGMENT_1), log, n);
    free(log);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        old_store();
        world_sql(&w, edits[i]);
        parity();
        bool ok = CHECK(heard.r.counts[-PLOG_E_UNKNOWN_KEY] == 1);
        ok &= CHECK_INT(heard.verdict[0], PLOG_E_UNKNOWN_KEY);
        ok &= CHECK_UINT(heard.seq[0], 3);
        ok &= CHECK(!strstr(heard.expected[0], "the store's copy"));
        if (!ok)
            printf("# %s\n", edits[i]);
    }
    old_store();
    CHECK_INT(parity(), PLOG_E_CORRUPT);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a hundred lines", a_hundred_lines},
        {"two lines", two_lines},
        {"a line that both lost", a_line_that_both_lost},
        {"a torn end", a_torn_end},
        {"behind", behind},
        {"behind and damaged", behind_and_damaged},
        {"a bare segment", a_bare_segment},
        {"an end that is lost", an_end_that_is_lost},
        {"a rotation behind the head", a_rotation_behind_the_head},
        {"set back before a rotation", set_back_before_a_rotation},
        {"a head inside of a group", a_head_inside_of_a_group},
        {"two histories", two_histories},
        {"two histories of two lengths", two_histories_of_two_lengths},
        {"two histories and an odd file", two_histories_and_an_odd_file},
        {"two histories and no second look", two_histories_and_no_second_look},
        {"one history", one_history},
        {"two histories in damage", two_histories_in_damage},
        {"two histories and a new key", two_histories_and_a_new_key},
        {"damage on a failing disk", damage_on_a_failing_disk},
        {"no store on a failing disk", no_store_on_a_failing_disk},
        {"pinned without any other key", pinned_without_any_other_key},
        {"damage and no row", damage_and_no_row},
        {"a key renamed", a_key_renamed},
        {"a key renamed in both", a_key_renamed_in_both},
        {"a head of nothing", a_head_of_nothing},
        {"rows and lines that are damaged", rows_and_lines},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
