/*
 * test_redact_back.c - a segment comes back from a backup that is older than
 * an order to redact: the payload is in the log again.  It gets into nothing
 * that is signed, it is told, and redacting again takes it out.
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
#include "redacting.h"
#include "scrub.h"
#include "world.h"

#define SEGMENT "log/00000000000000000001.jsonl"
#define PAYLOAD "\"v\":\"v0\"" /* of entry 2, on which r0 stands */
#define FLOOR_AT 50

static struct world w;
static struct plog_error err;
static char *backup; /* of the first segment */
static size_t backup_n;

static void bring_back(void)
{
    world_write(world_path(&w, SEGMENT), backup, backup_n);
}

/* Entry 2 is redacted; `backup` is from before. */
static void make(void)
{
    struct plog_redact_report r;
    peers_make(&w, PLOG_KEEP_LOCAL, 60);
    free(backup);
    backup = world_read(world_path(&w, SEGMENT), &backup_n);
    REQUIRE(strstr(backup, PAYLOAD) != NULL);
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", FLOOR_AT), 0);
}

static void clean_and_done(void)
{
    CHECK(!redacting_has(&w, SEGMENT, PAYLOAD));
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_INT(peers_parity(&w), 0);
    CHECK_TEXT(world_record(&w, "r0"), "null v1");
}

/* ---- Compaction ---------------------------------------------------------- */

/* It takes the payload out before anything is folded, signed, archived; a dry
 * run leaves it. */
static void is_taken_out_first(void)
{
    struct plog_compact_report r;
    make();
    bring_back();
    CHECK_INT(peers_compact_with(
                  &w, (struct plog_compact_options){.dry_run = true}, &r),
              0);
    CHECK(redacting_has(&w, SEGMENT, PAYLOAD));
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.to > 2);
    CHECK_INT(peers_parity(&w), 0);
    CHECK_INT(redacting_fresh(&w), 0);
    CHECK_TEXT(world_record(&w, "r0"), "null v1");
    CHECK_INT(peers_parity(&w), 0);
    CHECK_INT(peers_undo(&w, &r), 0); /* what was archived */
    clean_and_done();
    world_end(&w, world_size(&w));
}

/* It cannot be taken out, and waiting for readers would not help: why is told,
 * and not that a redaction is not finished. */
static void why_it_is_not(void)
{
    struct plog_compact_options o = {.struct_size = sizeof o};
    struct plog_compact_report r;
    make();
    bring_back();
    world_sql(&w, "UPDATE redactions SET seq=seq-5");
    err = (struct plog_error){.code = 0};
    CHECK_INT(plog_compact(w.dir, &o, &r, &err), PLOG_E_DIVERGED);
    CHECK(strstr(err.message, "the log holds no order for that"));
    CHECK_TEXT(err.hint, "run: paritylog parity DIR");
    CHECK_UINT(err.seq, 2);
    CHECK(redacting_has(&w, SEGMENT, PAYLOAD));
    CHECK_INT(redacting_pending(&w), 1);
    world_sql(&w, "UPDATE redactions SET seq=seq+5");
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
}

static enum back { NEVER, AFTER_THE_LOOK, WITHOUT_A_WORD } comes_back;

/* Where the fold begins, behind all that is checked. */
static int on_unlink(void *c, int dir, const char *name)
{
    if (comes_back != NEVER && strcmp(name, "fold.db") == 0)
        bring_back();
    return plog_io_posix()->unlink_at(c, dir, name);
}

static int on_progress(void *arg, const struct plog_progress *p)
{
    (void)arg;
    if (comes_back == WITHOUT_A_WORD && strcmp(p->phase, "fold") == 0)
        world_sql(&w, "CREATE TABLE IF NOT EXISTS kept AS SELECT * FROM"
                      " redactions; DELETE FROM redactions");
    return 0;
}

static int compact(enum back when)
{
    struct plog_compact_report r;
    struct plog_io io = *plog_io_posix();
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .io = &io,
                                     .wait_seconds = 0.5,
                                     .progress = on_progress};
    io.unlink_at = on_unlink;
    err = (struct plog_error){.code = 0};
    comes_back = when;
    int rc = plog_compact(w.dir, &o, &r, &err);
    comes_back = NEVER;
    return rc;
}

/* A file that is put there later still: the fold itself looks. */
static void never_into_a_snapshot(void)
{
    make();
    CHECK_INT(compact(AFTER_THE_LOOK), PLOG_E_LOCKED);
    CHECK_UINT(err.seq, 2);
    CHECK_TEXT(err.message, "entry 2 was redacted, and is whole in the log"
                            " again: its payload would go into the snapshot");
    CHECK_TEXT(err.hint, "run: paritylog redact DIR 2 --reason TEXT again");
    CHECK_UINT(peers_floor(&w), 0);
    CHECK_INT(compact(NEVER), 0);
    CHECK_TEXT(world_record(&w, "r0"), "null v1");
    world_end(&w, world_size(&w));
}

/* ---- A snapshot that has it ---------------------------------------------- */

#define UNDO                                                                   \
    "paritylog compact DIR --undo, then paritylog redact DIR 2 --reason TEXT"
#define PAST                                                                   \
    "append a newer delta of its record, paritylog compact DIR when the peers" \
    " have that, move archive/ out of DIR (the snapshot before stays for it)," \
    " append, and compact again; move out what paritylog doctor DIR then"       \
    " names"

static struct {
    unsigned count, unchecked;
    int verdict;
    char text[700];
} told;

static int on_finding(void *arg, const struct plog_finding *f)
{
    (void)arg;
    told.count++;
    told.verdict = f->verdict;
    snprintf(told.text, sizeof told.text, "%s seq %llu: %s; %s; %s", f->file,
             (unsigned long long)f->seq, f->expected, f->found, f->next);
    return 0;
}

static int count_unchecked(void *arg, const struct plog_unchecked *u)
{
    (void)arg, (void)u;
    told.unchecked++;
    return 0;
}

static void parity_names_the_snapshot(const char *next)
{
    struct plog_check_report r;
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .finding = on_finding,
                                   .unchecked = count_unchecked};
    char name[32], want[400];
    memset(&told, 0, sizeof told);
    CHECK_INT(plog_parity(w.dir, &o, &r, NULL), 0);
    snprintf(name, sizeof name, "%020llu", (unsigned long long)peers_floor(&w));
    snprintf(want, sizeof want,
             "snapshots/%s.jsonl.gz seq 2: the line as its order redacts it;"
             " the whole line, with its payload; %s",
             name, next);
    CHECK_UINT(told.count, 1);
    CHECK_TEXT(told.text, want);
    CHECK_UINT(told.unchecked,
               world_number(&w, "SELECT base>0 FROM meta") == 1);
}

/* As older versions made them.  A store that is made of it has `null` all the
 * same, and each step names the next one, up to the end. */
static void an_older_snapshot(void)
{
    struct plog_redact_report r;
    struct plog_compact_report undone;
    make();
    CHECK_INT(compact(WITHOUT_A_WORD), 0);
    world_sql(&w, "INSERT INTO redactions SELECT * FROM kept;"
                  " DROP TABLE kept");
    REQUIRE(peers_floor(&w) > 2);
    parity_names_the_snapshot(UNDO);
    CHECK_INT(redacting_order(&w, 2, &r, &err),
              PLOG_E_PRUNED); /* and not done already */
    CHECK_TEXT(err.hint, "run: " UNDO);
    CHECK_INT(redacting_fresh(&w), 0);
    CHECK_TEXT(world_record(&w, "r0"), "null v1");
    parity_names_the_snapshot(UNDO);
    CHECK_INT(redacting_order(&w, 2, &r, &err), PLOG_E_PRUNED);
    CHECK(strstr(err.message, "entry 2 was compacted away, with its payload"));
    CHECK_TEXT(err.hint, "run: " UNDO);
    CHECK_INT(peers_undo(&w, &undone), 0);
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    clean_and_done();
    CHECK_INT(peers_ack(&w, "p", FLOOR_AT), 0);
    CHECK_INT(compact(NEVER), 0);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
}

/* With newer deltas of all records. */
static void compact_past_it(void)
{
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 100, 130);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", world_size(&w)), 0);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 130, 140);
    world_close(&w);
    CHECK_INT(compact(NEVER), 0);
}

/* No undo brings it back: nobody is sent there, and nobody says that it is
 * gone; what is said leads out. */
static void no_undo_reaches_it(void)
{
    char name[80];
    struct plog_redact_report r;
    make();
    CHECK_INT(compact(WITHOUT_A_WORD), 0);
    world_sql(&w, "INSERT INTO redactions SELECT * FROM kept;"
                  " DROP TABLE kept");
    world_remove(world_path(&w, "archive"));
    parity_names_the_snapshot(PAST);
    CHECK_INT(redacting_order(&w, 2, &r, &err), PLOG_E_PRUNED);
    CHECK_TEXT(err.hint, PAST);
    snprintf(name, sizeof name, "snapshots/%020llu.jsonl.gz",
             (unsigned long long)peers_floor(&w));
    compact_past_it();
    CHECK_INT(peers_parity(&w), 0);
    CHECK(world_has(&w, name));
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    world_remove(world_path(&w, "archive"));
    compact_past_it();
    CHECK(!world_has(&w, name));
    world_end(&w, world_size(&w));
}

/* A look at the snapshot that fails is no look: "done already" is not said.
 * What is lost has no payload. */
static int no_snapshot(void *ctx, int dir, const char *name, int flags,
                       unsigned mode)
{
    return strcmp(name, "snapshots") == 0
               ? -EIO
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void it_cannot_be_read(void)
{
    char name[80];
    struct plog_redact_report r;
    struct plog_io io = *plog_io_posix();
    struct plog_redact_options o = {
        .struct_size = sizeof o, .reason = "asked", .dry_run = true};
    size_t n;
    make();
    CHECK_INT(compact(NEVER), 0);
    snprintf(name, sizeof name, "snapshots/%020llu.jsonl.gz",
             (unsigned long long)peers_floor(&w));
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    io.open_at = no_snapshot;
    o.io = &io;
    CHECK_INT(plog_redact(w.dir, 2, &o, &r, &err), PLOG_E_IO);
    char *bytes = world_read(world_path(&w, name), &n);
    bytes[n / 3] ^= 1;
    world_write(world_path(&w, name), bytes, n);
    CHECK_INT(redacting_order(&w, 2, &r, &err), PLOG_E_CORRUPT);
    CHECK_TEXT(err.file, name);
    CHECK_TEXT(err.hint, "run: paritylog compact DIR (makes it anew from"
                         " archive/), or copy it from a backup");
    free(bytes);
    CHECK_INT(compact(NEVER), 0);
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    world_remove(world_path(&w, name));
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    CHECK_INT(compact(NEVER), 0);
    world_end(&w, world_size(&w));
}

/* The line of the entry on which a record stood at the base is gone from the
 * store: no reason to keep a payload that must go. */
static void no_line_at_the_base(void)
{
    struct plog_redact_report r;
    struct plog_compact_report trimmed;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", FLOOR_AT), 0);
    CHECK_INT(peers_trim(&w, &trimmed), 0);
    uint64_t seq = (uint64_t)world_number(
        &w, "SELECT seq FROM state WHERE record_id='r0'");
    REQUIRE(seq > trimmed.to);
    world_sql(&w, "DELETE FROM events WHERE seq=(SELECT seq FROM base_state"
                  " WHERE record_id='r0')");
    if (!CHECK_INT(redacting_order(&w, seq, &r, &err), 0))
        printf("# %s\n", err.message);
    CHECK_UINT(r.seq, seq);
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM events WHERE line LIKE"
                               " '%\"redacted\"%'"),
              1);
}

/* ---- Without compaction -------------------------------------------------- */

static char doctor[300];

static int on_checkup(void *arg, const struct plog_checkup *c)
{
    (void)arg;
    if (strcmp(c->name, "redactions") == 0)
        snprintf(doctor, sizeof doctor, "%s: %s; %s",
                 plog_health_word(c->health), c->found, c->next);
    return 0;
}

static void doctor_says(const char *want)
{
    struct plog_doctor_report r;
    struct plog_doctor_options o = {.struct_size = sizeof o,
                                    .checkup = on_checkup};
    CHECK_INT(plog_doctor(w.dir, &o, &r, NULL), 0);
    CHECK_TEXT(doctor, want);
}

/* Who reads the log says so, and asking for it again takes it out: of the log,
 * and of a copy in quarantine/. */
static void told_and_redacted_again(void)
{
    struct plog_redact_report r;
    struct world_found f;
    make();
    doctor_says("ok: 1, all done; ");
    bring_back();
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_UINT(f.report.pending, 1);
    CHECK_UINT(f.report.pending_at, 2);
    doctor_says(
        "warn: 1 redacted entries are whole in the log again, the first is"
        " 2; paritylog redact DIR 2 --reason TEXT");
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    CHECK(r.already);
    CHECK_UINT(r.segments, 1);
    clean_and_done();
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_UINT(f.report.pending, 0);
    REQUIRE(mkdir(world_path(&w, "quarantine"), 0700) == 0);
    world_write(world_path(&w, "quarantine/a-copy"), backup, backup_n);
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    CHECK_UINT(r.quarantine, 1);
    world_end(&w, world_size(&w));
}

static uint64_t salvage(bool dry_run)
{
    struct plog_salvage_report r;
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .from_store = true, .dry_run = dry_run};
    CHECK_INT(plog_salvage(w.dir, &o, &r, NULL), 0);
    return r.pending;
}

static void opened_for_writing(void)
{
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
    clean_and_done();
}

/* A salvage sets the mark, and the next opening finishes: of what is whole, and
 * of what it set aside because it was not. */
static void salvaged(void)
{
    make();
    bring_back();
    CHECK_UINT(salvage(true), 0);
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_UINT(salvage(false), 1);
    CHECK_INT(redacting_pending(&w), 1);
    opened_for_writing();
    CHECK_UINT(salvage(false), 0);
    char *at = strstr(backup, "\"v\":\"v1\"");
    REQUIRE(at != NULL);
    at[6] = '2';
    bring_back();
    at[6] = '1';
    CHECK_UINT(salvage(false), 1);
    CHECK_INT(redacting_pending(&w), 1);
    opened_for_writing();
    world_end(&w, world_size(&w));
}

/* So does a replay, which is what follows a file that was copied back: of the
 * store that is there, of none, and of a new one. */
static void replayed(void)
{
    for (int i = 0; i < 3; i++) {
        struct plog_replay_report r;
        struct plog_replay_options o = {.struct_size = sizeof o,
                                        .fresh = i == 2};
        make();
        bring_back();
        if (i == 1) {
            world_drop_store(&w);
        }
        if (i == 0) {
            o.dry_run = true;
            CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
            CHECK_INT(redacting_pending(&w), 0);
            o.dry_run = false;
        }
        CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
        CHECK_INT(redacting_pending(&w), 1);
        opened_for_writing();
        CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
        CHECK_INT(redacting_pending(&w), 0);
        world_end(&w, world_size(&w));
    }
}

/* A copy that ends below the order has what a log has that was left alone. */
static void restored_below(void)
{
    char out[560];
    struct plog_restore_report r;
    struct plog_restore_options o = {.struct_size = sizeof o};
    static const char *const times[] = {NULL, "2999-01-01T00:00:00Z"};
    make();
    bring_back();
    for (int i = 0; i < 3; i++) {
        struct world copy = w;
        snprintf(out, sizeof out, "%.500s-copy%d", w.dir, i);
        snprintf(copy.dir, sizeof copy.dir, "%.511s", out);
        o.at_seq = i == 0 ? 20 : 0;
        o.at_time = i ? times[i - 1] : NULL;
        CHECK_INT(plog_restore(w.dir, out, &o, &r, NULL), 0);
        CHECK_INT(peers_parity(&copy), 0);
        CHECK_TEXT(world_record(&copy, "r0"), "null v1");
        size_t n;
        char *now = world_read(world_path(&copy, SEGMENT), &n);
        /* All of it is copied byte for byte, with the order. */
        CHECK_INT(strstr(now, PAYLOAD) != NULL, i > 0);
        free(now);
        CHECK_INT(world_has(&copy, "orders/62"), i == 0);
        world_remove(out);
    }
}

/* Log and store came back from before the order, and the log went on behind the
 * store: of the order that one knows nothing. */
static void restored_by_an_old_store(void)
{
    char out[560];
    struct world copy;
    struct plog_restore_report r;
    struct plog_restore_options o = {.struct_size = sizeof o, .at_seq = 20};
    peers_make(&w, PLOG_KEEP_LOCAL, 60);
    free(backup);
    backup = world_read(world_path(&w, SEGMENT), &backup_n);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_copy(world_path(&w, "store.db"), world_path(&w, "../old.db"));
    CHECK_INT(redacting_order(&w, 2, &(struct plog_redact_report){0}, &err), 0);
    bring_back();
    world_drop_store(&w);
    world_copy(world_path(&w, "../old.db"), world_path(&w, "store.db"));
    copy = w;
    snprintf(out, sizeof out, "%.500s-copy", w.dir);
    snprintf(copy.dir, sizeof copy.dir, "%.511s", out);
    CHECK_INT(plog_restore(w.dir, out, &o, &r, NULL), 0);
    CHECK_INT(peers_parity(&copy), 0);
    CHECK_TEXT(world_record(&copy, "r0"), "null v1");
    CHECK(world_has(&copy, "orders/62"));
    size_t n;
    char *now = world_read(world_path(&copy, SEGMENT), &n);
    CHECK(strstr(now, PAYLOAD) == NULL);
    free(now);
    world_remove(out);
}

/* A copy that goes on has the order in orders/ alone, and reaches past its
 * number: it is behind each point of the copy. */
static void restored_from_a_copy(void)
{
    char out[560];
    struct world kept;
    struct plog_restore_report r;
    struct plog_restore_options o = {.struct_size = sizeof o, .at_seq = 40};
    make();
    snprintf(out, sizeof out, "%.500s-copy", w.dir);
    o.continue_as = "test.example/on";
    CHECK_INT(plog_restore(w.dir, out, &o, &r, NULL), 0);
    kept = w;
    snprintf(w.dir, sizeof w.dir, "%.511s", out);
    snprintf(out, sizeof out, "%.500s-copy", w.dir);
    CHECK(world_has(&w, "orders/62"));
    CHECK_INT(world_open(&w), 0);
    for (int i = 0; i < 30; i++)
        CHECK_INT(world_put(&w, NULL, "on", "v", NULL), 0);
    world_close(&w);
    bring_back();
    o.continue_as = NULL;
    for (o.at_seq = 0; o.at_seq < 71; o.at_seq += 35) {
        struct world copy = w;
        snprintf(copy.dir, sizeof copy.dir, "%.511s", out);
        CHECK_INT(plog_restore(w.dir, out, &o, &r, NULL), 0);
        CHECK_INT(peers_parity(&copy), 0);
        CHECK_TEXT(world_record(&copy, "r0"), "null v1");
        CHECK(world_has(&copy, "orders/62"));
        world_remove(out);
    }
    world_remove(w.dir);
    w = kept;
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"is taken out before a compaction", is_taken_out_first},
        {"why it is not", why_it_is_not},
        {"never into a snapshot", never_into_a_snapshot},
        {"an older snapshot", an_older_snapshot},
        {"no undo reaches it", no_undo_reaches_it},
        {"it cannot be read", it_cannot_be_read},
        {"no line at the base", no_line_at_the_base},
        {"told, and redacted again", told_and_redacted_again},
        {"salvaged", salvaged},
        {"replayed", replayed},
        {"restored below the order", restored_below},
        {"restored from a copy", restored_from_a_copy},
        {"restored by an old store", restored_by_an_old_store},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    free(backup);
    return rc;
}
