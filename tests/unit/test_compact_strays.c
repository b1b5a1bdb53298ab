/*
 * test_compact_strays.c - files that somebody put below the floor: segments in
 * log/ beside their archived copies, right ones and changed ones, and what an
 * undo and a compaction do with them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "peers.h"
#include "redacting.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static struct plog_compact_report report;
static struct plog_error err;
static char segment[64], packed_as[64]; /* names of the second segment */
static char *bytes;                     /* and what it holds, as it was */
static size_t len;
static char older[600]; /* log/ as it was before the compaction */

/* Sixty deltas, compacted up to twenty-five of them. */
static void make(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    uint64_t first = (uint64_t)world_number(&w, "SELECT first FROM segments"
                                                " ORDER BY first LIMIT 1"
                                                " OFFSET 1");
    snprintf(segment, sizeof segment, "log/%020" PRIu64 ".jsonl", first);
    snprintf(packed_as, sizeof packed_as, "archive/%020" PRIu64 ".jsonl.gz",
             first);
    bytes = world_read(world_path(&w, segment), &len);
    REQUIRE(len > 800);
    snprintf(older, sizeof older, "%.500s-older", w.dir);
    world_copy(world_path(&w, "log"), older);
    CHECK_INT(peers_ack(&w, "p", 25), 0);
    CHECK_INT(peers_compact(&w, &report), 0);
    CHECK(report.segments > 1);
}

/* Somebody puts the second segment there again, with a bit changed or not. */
static void put_back(bool changed)
{
    bytes[700] ^= changed;
    world_write(world_path(&w, segment), bytes, len);
}

static bool is_his(void)
{
    size_t n;
    char *now = world_read(world_path(&w, segment), &n);
    bool same = CHECK_BYTES(now, n, bytes, len);
    free(now);
    return same;
}

static void end(void)
{
    free(bytes);
    world_end(&w, world_size(&w));
}

static int undo(const struct plog_io *io, bool dry_run)
{
    struct plog_compact_options o = {
        .struct_size = sizeof o, .io = io, .undo = true, .dry_run = dry_run};
    err = (struct plog_error){.code = 0};
    return plog_compact(w.dir, &o, &report, &err);
}

static int no_look(void *ctx, int dir, const char *name, struct plog_stat *st)
{
    return strcmp(name, strchr(segment, '/') + 1) == 0
               ? -EIO
               : plog_io_posix()->stat_at(ctx, dir, name, st);
}

/* Whether it is there cannot be told: then it is not taken for what the undo
 * has brought, which would go when that fails. */
static void a_look_that_fails(void)
{
    struct plog_io io = *plog_io_posix();
    make();
    put_back(true);
    io.stat_at = no_look;
    CHECK_INT(undo(&io, false), PLOG_E_IO);
    CHECK(is_his());
    CHECK(!world_has(&w, "log/00000000000000000001.jsonl"));
    CHECK_UINT(peers_floor(&w), report.from);
    world_remove(world_path(&w, segment));
    CHECK_INT(undo(NULL, false), 0);
    end();
}

static int compact_to(uint64_t seq, bool discard)
{
    struct plog_peer_report acked;
    struct plog_head head;
    plog_reader *r;
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .discard = discard};
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_head(r, &head, NULL), 0);
    plog_reader_close(r);
    CHECK_INT(discard ? plog_peer_ack(w.dir, "p", head.size, head.root, NULL,
                                      &acked, NULL)
                      : peers_ack(&w, "p", seq),
              0);
    err = (struct plog_error){.code = 0};
    return plog_compact(w.dir, &o, &report, &err);
}

/* A changed one does not take the place of the archived one, which is proven,
 * and is kept; a right one goes without a word. */
static void beside_its_copy(void)
{
    for (int row = 0; row < 4; row++) {
        bool changed = row & 1, discard = row & 2;
        char *packed, *now;
        size_t was, is;
        make();
        packed = world_read(world_path(&w, packed_as), &was);
        put_back(changed);
        CHECK_INT(compact_to(50, discard), 0);
        CHECK(report.entry > 0);
        CHECK_UINT(report.aside, changed);
        CHECK_INT(world_has(&w, "quarantine"), changed);
        CHECK(!world_has(&w, segment));
        now = world_read(world_path(&w, packed_as), &is);
        CHECK_BYTES(now, is, packed, was);
        free(now);
        free(packed);
        if (!discard)
            CHECK_INT(undo(NULL, false), 0);
        end();
    }
}

/* The archive lacks it, and what is missing behind it: nobody can tell whether
 * it is of the log. */
static void without_a_copy(void)
{
    for (int discard = 0; discard < 2; discard++) {
        make();
        world_remove(world_path(&w, packed_as));
        put_back(false);
        CHECK_INT(compact_to(50, discard), 0);
        CHECK_UINT(report.aside, 1);
        CHECK(!world_has(&w, packed_as));
        CHECK(!world_has(&w, segment));
        end();
    }
}

/* All from it up to the floor, which archive/ lacks: they prove themselves, and
 * are kept there; with --discard, in quarantine/. */
static void leading_to_the_floor(void)
{
    char name[64], packed[64], path[600];
    size_t n;
    for (int discard = 0; discard < 2; discard++) {
        make();
        put_back(false);
        for (uint64_t first = report.to; first > 1; first--) {
            snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
            snprintf(packed, sizeof packed, "archive/%020" PRIu64 ".jsonl.gz",
                     first);
            if (!world_has(&w, packed))
                continue;
            snprintf(path, sizeof path, "%.500s/%.30s", older, name + 4);
            char *old = world_read(path, &n);
            world_write(world_path(&w, name), old, n);
            world_remove(world_path(&w, packed));
            free(old);
        }
        CHECK_INT(compact_to(25, discard), 0);
        CHECK(!report.resumed);
        CHECK_INT(report.aside > 1, discard);
        CHECK_INT(world_has(&w, "quarantine"), discard);
        CHECK_INT(world_has(&w, packed_as), !discard);
        CHECK(!world_has(&w, segment));
        if (!discard)
            CHECK_INT(undo(NULL, false), 0);
        end();
    }
}

/* What is no segment of the log gets no name in archive/, where nobody would
 * look at it, and where it would stand in the way of who reads there. */
static void under_another_name(void)
{
    static const char name[] = "log/00000000000000000002.jsonl";
    struct plog_compact_options dry = {.struct_size = sizeof dry,
                                       .dry_run = true};
    struct world_found f;
    for (int row = 0; row < 2; row++) {
        make();
        world_write(world_path(&w, name), bytes, row ? 0 : len);
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_CORRUPT);
        uint64_t before = tree_hash(w.dir);
        CHECK_INT(plog_compact(w.dir, &dry, &report, NULL), 0);
        CHECK_UINT(report.aside, 1);
        CHECK(tree_hash(w.dir) == before);
        CHECK_INT(compact_to(25, false), 0);
        CHECK_UINT(report.aside, 1);
        CHECK(!report.resumed);
        CHECK(!world_has(&w, name));
        CHECK(!world_has(&w, "archive/00000000000000000002.jsonl.gz"));
        CHECK_INT(world_parity(&w, NULL, &f), 0);
        CHECK_INT(undo(NULL, false), 0);
        end();
    }
}

/* What is no file there stops no compaction behind its entry. */
static void no_file(void)
{
    make();
    CHECK_INT(symlink("somewhere", world_path(&w, segment)), 0);
    CHECK_INT(compact_to(50, false), 0);
    CHECK_UINT(report.aside, 1);
    CHECK_INT(undo(NULL, false), 0);
    end();
}

/* What is wrong with a file of log/ is told of that, and what leads out. */
static void blamed_on_the_right_file(void)
{
    char hint[200];
    make();
    put_back(true);
    snprintf(hint, sizeof hint,
             "move DIR/%s away: archive/ has that segment; then run it again",
             segment);
    for (int dry_run = 0; dry_run < 2; dry_run++) {
        CHECK_INT(undo(NULL, dry_run), PLOG_E_CORRUPT);
        CHECK_TEXT(err.file, segment);
        CHECK_TEXT(err.hint, hint);
        CHECK(is_his());
    }
    char *packed = world_read(world_path(&w, packed_as), &len);
    world_remove(world_path(&w, packed_as));
    CHECK_INT(undo(NULL, false), PLOG_E_CORRUPT);
    CHECK_TEXT(err.file, segment);
    CHECK_TEXT(err.hint, "put that segment there, or its copy into archive/,"
                         " from a backup");
    world_write(world_path(&w, packed_as), packed, len - 1);
    free(packed);
    world_remove(world_path(&w, segment)); /* and now it is the archived one */
    CHECK_INT(undo(NULL, false), PLOG_E_CORRUPT);
    CHECK_TEXT(err.file, packed_as);
    CHECK(!world_has(&w, segment));
    end();
}

static bool pending_fails(const char *call, const char *sql, bool busy)
{
    (void)call, (void)busy;
    return strstr(sql, "UPDATE main.redactions SET pending=1 WHERE target") !=
           NULL;
}

/* Before a file may go to quarantine/ with a payload in it, the store says that
 * somebody has to look there. */
static void not_marked(void)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "x"};
    struct plog_redact_report r;
    make();
    CHECK_INT(plog_redact(w.dir, world_size(&w) - 2, &o, &r, NULL), 0);
    put_back(true);
    sql_calls.fails = pending_fails;
    CHECK_INT(compact_to(50, false), PLOG_E_IO);
    sql_calls.fails = NULL;
    CHECK(is_his());
    CHECK(!world_has(&w, "quarantine"));
    CHECK_UINT(report.aside, 0);
    CHECK_INT(unlink(world_path(&w, segment)), 0);
    end();
}

/* An older store that was replayed calls the compaction pending: what archive/
 * has is what that archived, and a segment of before a redaction, which leads
 * to the floor, too, does not take its place. */
static void behind_an_older_store(void)
{
    struct plog_redact_report r;
    struct plog_replay_options o = {.struct_size = sizeof o};
    struct plog_replay_report replayed;
    char last[64], packed[64], old[600], salt[80];
    size_t n, was, is;
    make();
    uint64_t from = peers_floor(&w);
    snprintf(old, sizeof old, "%.500s-old", w.dir);
    world_copy(w.dir, old);
    uint64_t first = (uint64_t)world_number(
        &w, "SELECT first FROM segments ORDER BY first DESC LIMIT 1 OFFSET 1");
    uint64_t behind =
        (uint64_t)world_number(&w, "SELECT max(first) FROM segments");
    REQUIRE(first > from);
    snprintf(last, sizeof last, "log/%020" PRIu64 ".jsonl", first);
    snprintf(packed, sizeof packed, "archive/%020" PRIu64 ".jsonl.gz", first);
    char *unredacted = world_read(world_path(&w, last), &n);
    char *line = strstr(unredacted, "\"salt\":"); /* of entry `first` */
    REQUIRE(line != NULL);
    snprintf(salt, sizeof salt, "%.40s", line);
    CHECK_INT(redacting_order(&w, first, &r, &err), 0);
    CHECK_INT(compact_to(behind - 1, false), 0);
    CHECK_UINT(peers_floor(&w), behind - 1);
    char *archived = world_read(world_path(&w, packed), &was);
    world_take_store(&w, old);
    world_write(world_path(&w, last), unredacted, n);
    CHECK_INT(plog_replay(w.dir, &o, &replayed, &err), 0);
    CHECK_INT(plog_compact(w.dir, NULL, &report, &err), 0);
    CHECK_UINT(report.aside, 1);
    CHECK(!world_has(&w, last));
    char *now = world_read(world_path(&w, packed), &is);
    CHECK_BYTES(now, is, archived, was);
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_INT(redacting_count(&w, "quarantine", salt), 0);
    CHECK_INT(undo(NULL, false), 0);
    free(now);
    free(archived);
    free(unredacted);
    end();
}

/* Killed when it had archived the last segment and had not yet taken it away,
 * and the archived one is damaged: that in log/ is the only one, and is
 * archived again.
 * @how  1: cut off; 2: a bit of it is another one; 3: gone */
static void beside_a_damaged_copy_as(int how, bool undone)
{
    char last[64], packed[64], path[700];
    size_t n, was, is;
    make();
    uint64_t first = (uint64_t)world_number(
        &w, "SELECT max(first) FROM segments WHERE first<="
            "(SELECT floor FROM compactions ORDER BY seq DESC LIMIT 1)");
    snprintf(last, sizeof last, "log/%020" PRIu64 ".jsonl", first);
    snprintf(packed, sizeof packed, "archive/%020" PRIu64 ".jsonl.gz", first);
    snprintf(path, sizeof path, "%s/%020" PRIu64 ".jsonl", older, first);
    char *whole = world_read(path, &n);
    char *archived = world_read(world_path(&w, packed), &was);
    world_sql(&w, "UPDATE compactions SET pending=1");
    world_write(world_path(&w, last), whole, n);
    archived[was / 2] ^= how == 2;
    world_write(world_path(&w, packed), archived, how == 1 ? was / 2 : was);
    archived[was / 2] ^= how == 2;
    if (how == 3)
        CHECK_INT(unlink(world_path(&w, packed)), 0);
    for (int dry = 1; dry >= 0; dry--) {
        struct plog_compact_options o = {.struct_size = sizeof o,
                                         .dry_run = dry};
        CHECK_INT(undone ? undo(NULL, dry)
                         : plog_compact(w.dir, &o, &report, &err),
                  0);
        CHECK_UINT(report.aside, how < 3);
    }
    CHECK_INT(world_has(&w, last), undone);
    if (!undone) {
        char *now = world_read(world_path(&w, packed), &is);
        CHECK_BYTES(now, is, archived, was);
        free(now);
        CHECK_INT(undo(NULL, false), 0);
    }
    char *back = world_read(world_path(&w, last), &is);
    CHECK_BYTES(back, is, whole, n);
    free(back);
    free(archived);
    free(whole);
    end();
}

static void beside_a_damaged_copy(void)
{
    for (int how = 1; how <= 3; how++) {
        beside_a_damaged_copy_as(how, false);
        beside_a_damaged_copy_as(how, true);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a look that fails", a_look_that_fails},
        {"beside its copy", beside_its_copy},
        {"beside a damaged copy", beside_a_damaged_copy},
        {"without a copy", without_a_copy},
        {"leading to the floor", leading_to_the_floor},
        {"under another name", under_another_name},
        {"no file", no_file},
        {"not marked", not_marked},
        {"behind an older store", behind_an_older_store},
        {"blamed on the right file", blamed_on_the_right_file},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
