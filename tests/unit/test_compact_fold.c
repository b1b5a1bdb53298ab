/*
 * test_compact_fold.c - the snapshot at a cut: how far its making is is told,
 * and whoever says stop there is obeyed; and one that the log's key has signed
 * otherwise than the entries give it is not made up, nor is a rotation.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_compact_report report;
static struct plog_error err;

static void make(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 36), 0);
}

static int compact(struct plog_compact_options o)
{
    o.struct_size = sizeof o;
    memset(&err, 0, sizeof err);
    int rc = plog_compact(w.dir, &o, &report, &err);
    CHECK_INT(err.code, rc);
    return rc;
}

/* ---- What is told -------------------------------------------------------- */

static struct {
    char phases[200]; /* each once */
    uint64_t done, total;
    const char *stop_at;
} heard;

static int hear(void *arg, const struct plog_progress *p)
{
    size_t n = strlen(heard.phases);
    (void)arg;
    if (!strstr(heard.phases, p->phase))
        snprintf(heard.phases + n, sizeof heard.phases - n, "%s ", p->phase);
    if (!strcmp(p->phase, "fold")) {
        CHECK(p->done > heard.done);
        CHECK(heard.total == 0 || heard.total == p->total);
        heard.done = p->done;
        heard.total = p->total;
    }
    return heard.stop_at && !strcmp(p->phase, heard.stop_at);
}

static void told(void)
{
    make();
    memset(&heard, 0, sizeof heard);
    heard.stop_at = "fold";
    CHECK_INT(compact((struct plog_compact_options){.progress = hear}),
              PLOG_E_INTERRUPTED);
    CHECK_TEXT(err.message, "stopped");
    CHECK_TEXT(heard.phases, "fold ");
    CHECK_UINT(peers_floor(&w), 0);
    memset(&heard, 0, sizeof heard);
    CHECK_INT(compact((struct plog_compact_options){.progress = hear}), 0);
    CHECK_UINT(report.to, peers_floor(&w));
    CHECK(report.to > 20);
    CHECK_UINT(heard.done, report.to);
    CHECK_UINT(heard.total, report.to);
    CHECK_TEXT(heard.phases, "fold archive ");
    CHECK_INT(peers_parity(&w), 0);
}

/* A group that fills what is read at once, with the cut right behind it: no
 * more is told than that it is folded. */
static void told_of_a_large_group(void)
{
    static char payload[300 << 10], text[sizeof payload + 400];
    struct world_delta d = {.record = "large", .payload = payload};
    uint64_t first;
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(world_open(&w), 0);
    snprintf(payload, sizeof payload, "{\"a\":\"%0*u\"}",
             (int)sizeof payload - 20, 0u);
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, NULL),
              0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_UINT(first, 4);
    CHECK_INT(world_put(&w, NULL, "r", "v", NULL), 0);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 3), 0);
    memset(&heard, 0, sizeof heard);
    CHECK_INT(compact((struct plog_compact_options){.progress = hear}), 0);
    CHECK_UINT(report.to, 3);
    CHECK_UINT(report.entries, 3);
    CHECK_UINT(report.records, 1);
    CHECK_UINT(heard.done, 3);
    CHECK_UINT(heard.total, 3);
    CHECK_INT(peers_parity(&w), 0);
    world_remove(w.dir);
}

static int snapshot_fd = -1; /* that is being written */

static int open_snapshot(void *ctx, int dir, const char *name, int flags,
                         uint32_t mode)
{
    int fd = plog_io_posix()->open_at(ctx, dir, name, flags, mode);
    if (fd >= 0 && strstr(name, ".jsonl.gz.new"))
        snapshot_fd = fd;
    return fd;
}

static int stat_lies(void *ctx, int fd, struct plog_stat *out)
{
    int rc = plog_io_posix()->stat(ctx, fd, out);
    if (fd != snapshot_fd)
        return rc;
    snapshot_fd = -2; /* the handle is another file's next */
    out->size = 4711;
    return -EIO;
}

/* What it takes on disk is told where it is known. */
static void of_no_known_size(void)
{
    struct plog_io io = *plog_io_posix();
    io.open_at = open_snapshot;
    io.stat = stat_lies;
    make();
    snapshot_fd = -1;
    CHECK_INT(compact((struct plog_compact_options){.io = &io}), 0);
    CHECK_INT(snapshot_fd, -2);
    CHECK_UINT(report.snapshot_bytes, 0);
    CHECK_INT(peers_parity(&w), 0);
}

/* A name that no peer can have, in a store that somebody changed: what is told
 * of it ends where there is no more room. */
static void of_a_name_too_long(void)
{
    make();
    world_sql(&w, "UPDATE peers SET name=printf('%0999d',7)");
    CHECK_INT(compact((struct plog_compact_options){.dry_run = true}), 0);
    CHECK_UINT(strlen(report.holder), PLOG_NAME_MAX);
    CHECK_UINT(report.holder_cursor, 36);
    CHECK_TEXT(report.why, "");
}

/* ---- What was signed ----------------------------------------------------- */

static int give(void *arg, plog *p, struct plog_buf *args,
                struct plog_error *why)
{
    (void)p;
    return plog_buf_add_text(args, arg)
               ? plog_fail(why, PLOG_E_NOMEM, "out of memory")
               : 0;
}

/* The compact entry that a copy has written, signed with another value of this
 * member.  The copy is w-copy, with the snapshot that it made. */
static void sign_another(const char *member)
{
    char original[600], copy[600];
    struct plog_receipt receipt;
    size_t n;
    snprintf(original, sizeof original, "%.500s", w.dir);
    snprintf(copy, sizeof copy, "%.500s-copy", w.dir);
    world_copy(original, copy);
    snprintf(w.dir, sizeof w.dir, "%.500s", copy);
    CHECK_INT(compact((struct plog_compact_options){.progress = NULL}), 0);
    char *line = world_line(&w, report.entry, &n);
    snprintf(w.dir, sizeof w.dir, "%.500s", original);
    char *args = strstr(line, "{\"from\":"),
         *end = strstr(line, "\"rotations\"");
    char *value = strstr(line, member);
    REQUIRE(args != NULL && end != NULL && value != NULL);
    *(strchr(end, '}') + 1) = '\0';
    value += strlen(member);
    *value = *value == '4' ? '5' : *value == 'A' ? 'B' : 'A';
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_engine_control(w.p, PLOG_CONTROL_COMPACT, give, args,
                                  &receipt, NULL),
              0);
    free(line);
    world_close(&w);
    CHECK_UINT(receipt.seq, report.entry);
}

static void not_what_was_signed(void)
{
    char name[64], made[700], want[200];
    make();
    sign_another("\"snapshot\":\"");
    snprintf(name, sizeof name, "%s", report.snapshot);
    snprintf(made, sizeof made, "%.500s-copy/%s", w.dir, name);
    snprintf(want, sizeof want,
             "entries up to %" PRIu64 " were compacted away, and their snapshot"
             " %s is missing",
             report.to, name);
    for (int i = 0; i < 3; i++) {
        bool there = i > 0; /* the one that the entries give */
        if (i == 1)
            world_copy(made, world_path(&w, name));
        CHECK_INT(compact((struct plog_compact_options){.progress = NULL}),
                  there ? PLOG_E_CORRUPT : PLOG_E_PRUNED);
        CHECK_TEXT(err.message,
                   there ? "the snapshot of entry 33 is not the one that the"
                           " compact entry signs"
                         : want);
        CHECK(!report.remade);
        CHECK_UINT(report.entry, 0);
        CHECK_INT(world_has(&w, name), there); /* refused: it stays */
        CHECK(!world_has(&w, "snapshots/fold.db"));
        CHECK(!world_has(&w, "quarantine"));
        CHECK_INT(peers_parity(&w), there ? PLOG_E_CORRUPT : PLOG_E_PRUNED);
    }
    struct plog_replay_options fresh = {.struct_size = sizeof fresh,
                                        .fresh = true};
    struct plog_replay_report replayed;
    CHECK_INT(plog_replay(w.dir, &fresh, &replayed, NULL), PLOG_E_CORRUPT);
    CHECK(world_has(&w, name) && !world_has(&w, "quarantine"));
}

/* The snapshot is the one that it signs; what else it says of the entries is
 * not so. */
static void not_what_the_snapshot_says(void)
{
    static const struct {
        const char *member, *what;
    } wrong[] = {
        {"\"root\":\"", "another root"},
        {"\"segment_size\":", "other rules"},
    };
    struct world_found f;
    struct plog_replay_report replayed;
    char made[700];
    for (int i = 0; i < 2; i++) {
        make();
        sign_another(wrong[i].member);
        snprintf(made, sizeof made, "%.500s-copy/%s", w.dir, report.snapshot);
        world_remove(world_path(&w, "snapshots"));
        CHECK_INT(mkdir(world_path(&w, "snapshots"), 0700), 0);
        world_copy(made, world_path(&w, report.snapshot));
        CHECK_INT(compact((struct plog_compact_options){.progress = NULL}),
                  PLOG_E_CORRUPT);
        if (i == 0) { /* nothing was taken away for that */
            CHECK(strstr(err.message, "does not lead to the floor") != NULL);
            CHECK_INT(peers_parity(&w), 0);
            for (uint64_t first = 1; first <= 33; first++) {
                snprintf(made, sizeof made, "log/%020" PRIu64 ".jsonl", first);
                (void)unlink(world_path(&w, made));
            }
        } else {
            CHECK(strstr(err.message, wrong[i].what) != NULL);
        }
        CHECK(!world_has(&w, "log/00000000000000000001.jsonl"));
        CHECK_INT(world_verify(&w, NULL, &f), i ? 0 : PLOG_E_CORRUPT);
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_CORRUPT);
        CHECK(f.count > 0 && f.first[f.count - 1].verdict == PLOG_E_CORRUPT);
        world_drop_store(&w);
        CHECK_INT(plog_replay(w.dir, NULL, &replayed, &err), PLOG_E_CORRUPT);
        CHECK(strstr(err.message, wrong[i].what) != NULL);
        CHECK(!world_has(&w, "store.db"));
    }
}

/* ---- Rotations ----------------------------------------------------------- */

static bool spoiled;

static int spoil(void *arg, const struct plog_progress *p)
{
    (void)arg;
    if (!spoiled && !strcmp(p->phase, "fold")) { /* parity was before */
        spoiled = true;
        world_sql(&w, "UPDATE events SET line='{}' WHERE seq=(SELECT max(seq)"
                      " FROM rotations)");
    }
    return 0;
}

/* The line of a rotation, which is to go into the compact entry, is none any
 * more by then: nothing is signed in its place.  It is the last of `count`. */
static void cannot_read_the_last(int count)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report r;
    world_make(&w, PLOG_LAST_WRITE_WINS, PEERS_SEGMENT);
    world_close(&w);
    for (int i = 0; i < count; i++)
        CHECK_INT(plog_key_rotate(w.dir, &o, &r, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 0, 40);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 36), 0);
    uint64_t size = world_size(&w);
    spoiled = false;
    CHECK_INT(compact((struct plog_compact_options){.progress = spoil}),
              PLOG_E_CORRUPT);
    CHECK(spoiled);
    CHECK_TEXT(err.message, "seq: missing or not a number from 1");
    CHECK_UINT(report.entry, 0);
    CHECK_UINT(peers_floor(&w), 0);
    CHECK_UINT(world_size(&w), size);
}

static void a_rotation_that_cannot_be_read(void)
{
    cannot_read_the_last(1);
    cannot_read_the_last(2);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"told", told},
        {"told of a large group", told_of_a_large_group},
        {"of no known size", of_no_known_size},
        {"of a name too long", of_a_name_too_long},
        {"not what was signed", not_what_was_signed},
        {"not what the snapshot says", not_what_the_snapshot_says},
        {"a rotation that cannot be read", a_rotation_that_cannot_be_read},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
