/*
 * test_doctor_words.c - the very words of the doctor, and what it says besides:
 * of a signing key that is damaged, or while a rotation is under way or was
 * undone, of legs of which one is gone or cannot be looked at, and of a
 * directory without any; of redactions and compactions that were held up, and
 * of the last drill.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_doctor_report report;
static struct plog_error err;

/* ---- What was said ------------------------------------------------------- */

static const char *about; /* a name */
static char said[2000];   /* of it: one line each */

static int hear(void *arg, const struct plog_checkup *c)
{
    size_t n = strlen(said);
    (void)arg;
    if (strcmp(c->name, about) == 0)
        snprintf(said + n, sizeof said - n, "%s: %s; do %s\n",
                 plog_health_word(c->health), c->found, c->next);
    return 0;
}

static int doctor(const char *name, const struct plog_io *io, bool quick)
{
    struct plog_doctor_options o = {.struct_size = sizeof o,
                                    .io = io,
                                    .wait_seconds = 0.01,
                                    .quick = quick,
                                    .checkup = hear};
    about = name;
    said[0] = '\0';
    memset(&err, 0, sizeof err);
    return plog_doctor(w.dir, &o, &report, &err);
}

static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "r", "x", NULL), 0);
    world_close(&w);
}

/* ---- Keys ---------------------------------------------------------------- */

static char own[9], other[9]; /* ids of two keys */

static void take_id(char *id, const char *vkey)
{
    const char *at = strchr(vkey, '+');
    snprintf(id, 9, "%.8s", at ? at + 1 : "");
    CHECK_UINT(strlen(id), 8);
}

/* All that is said of the signing key is one line, with the ids in it. */
static void key_is(const char *health, const char *found, const char *next,
                   int verdict)
{
    char want[600];
    CHECK_INT(doctor("signing key", NULL, true), 0);
    snprintf(want, sizeof want, "%s: %s; do %s\n", health, found, next);
    CHECK_TEXT(said, want);
    CHECK_INT(report.verdict, verdict);
}

#define ENDS_IT                                                                \
    "if none is under way: paritylog append DIR /dev/null, which ends or undo" \
    "es it"

static void a_rotation(void)
{
    struct plog_init_options o = {.struct_size = sizeof o};
    char dir[600], vkey[PLOG_VKEY_MAX], found[200], key[700], new[700];
    make();
    take_id(own, w.vkey);
    snprintf(dir, sizeof dir, "%.500s/other", check_dir());
    CHECK_INT(plog_init(dir, &o, vkey, NULL), 0);
    take_id(other, vkey);
    snprintf(key, sizeof key, "%s", world_path(&w, "keys/signing.key"));
    snprintf(new, sizeof new, "%s", world_path(&w, "keys/signing.key.new"));
    snprintf(found, sizeof found, "%s, mode 0600, without a passphrase", own);
    key_is("ok", found, "", 0);
    /* Its new key is there. */
    snprintf(dir + strlen(dir), 50, "/keys/signing.key");
    world_copy(dir, new);
    snprintf(found, sizeof found, "a rotation from %s to %s has not ended", own,
             other);
    key_is("warn", found, ENDS_IT, 0);
    /* It has the name, too. */
    unlink(new);
    world_copy(key, new);
    snprintf(found, sizeof found, "a rotation to %s has not ended", own);
    key_is("warn", found, ENDS_IT, 0);
    /* It was undone, and that cut off. */
    world_write(new, "\0\0\0\0", 4);
    key_is("warn", "keys/signing.key.new is left of a rotation that was undone",
           "paritylog append DIR /dev/null, which removes it", 0);
    /* Another log's key is that, whatever lies beside it. */
    unlink(key);
    world_copy(dir, key);
    snprintf(found, sizeof found,
             "keys/signing.key is %s, but the log is signed by %s", other, own);
    unlink(new);
    world_copy(key, new);
    key_is("bad", found, "put the log's own key back", PLOG_E_KEY);
    unlink(new);
    key_is("bad", found, "put the log's own key back", PLOG_E_KEY);
    unlink(key);
    key_is("warn", "keys/signing.key is not there: nothing can be appended",
           "put it back, or take this for a copy that is only read", 0);
}

/* The file names the log's key, and holds the secret of none. */
static void a_damaged_secret(void)
{
    static const char next[] = "; do put it back from a copy\n";
    char path[600], begins[100];
    size_t n;
    make();
    take_id(own, w.vkey);
    snprintf(path, sizeof path, "%s", world_path(&w, "keys/signing.key"));
    char *text = world_read(path, &n);
    REQUIRE(n > 20);
    text[n - 10] = text[n - 10] == 'A' ? 'B' : 'A';
    world_write(path, text, n);
    free(text);
    CHECK_INT(doctor("signing key", NULL, true), 0);
    CHECK_INT(report.verdict, PLOG_E_KEY);
    snprintf(begins, sizeof begins,
             "bad: the signing key is damaged: its id is %s, its seed has ",
             own);
    size_t at_least = strlen(begins);
    REQUIRE(strlen(said) > at_least + 8);
    CHECK_TEXT(said + at_least + 8, next); /* behind that one's id */
    said[at_least] = '\0';
    CHECK_TEXT(said, begins);
}

/* ---- Legs ---------------------------------------------------------------- */

static void legs_are(const struct plog_io *io, bool quick, int verdict,
                     const char *want)
{
    CHECK_INT(doctor("log and store", io, quick), 0);
    CHECK_TEXT(said, want);
    CHECK_INT(report.verdict, verdict);
    CHECK_INT(report.legs.verdict, verdict);
}

static int no_lock(void *ctx, int fd, int mode)
{
    (void)ctx, (void)fd;
    return mode ? -EAGAIN : 0;
}

static int no_segment(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    return strstr(name, ".jsonl")
               ? -EIO
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void legs(void)
{
    char locked[800];
    struct plog_io io = *plog_io_posix();
    make();
    legs_are(NULL, false, 0, "ok: CLEAN: 2 entries, 1 records; do \n");
    legs_are(NULL, true, 0,
             "note: heads are equal, at 2 entries; do paritylog parity DIR"
             " compares their content\n");
    io.open_at = no_segment;
    legs_are(&io, false, PLOG_E_IO,
             "bad: IO: opening a segment: Input/output error: "
             "log/00000000000000000001.jsonl; do the disk itself failed: keep a"
             " copy of DIR on another one (cp -a) before anything else; dmesg"
             " may say more\n");
    /* The log may grow meanwhile. */
    io = *plog_io_posix();
    io.lock = no_lock;
    legs_are(&io, false, 0,
             "warn: CLEAN: 2 entries, 1 records; not all was checked; do"
             " paritylog parity DIR, when nobody writes\n");
    io = *plog_io_posix();
    world_drop_store(&w);
    legs_are(NULL, true, PLOG_E_BEHIND,
             "bad: BEHIND; do paritylog parity DIR\n");
    legs_are(NULL, false, PLOG_E_BEHIND,
             "bad: BEHIND; first: BEHIND in the store, store.db seq 1; do"
             " paritylog replay DIR\n");
    io.lock = no_lock;
    snprintf(locked, sizeof locked,
             "unknown: LOCKED: another process holds the lock of %s: lock; do"
             " wait longer: wait_seconds, or --wait SECONDS\n",
             w.dir);
    legs_are(&io, false, PLOG_E_LOCKED, locked);
}

static void no_leg(void)
{
    make();
    world_remove(world_path(&w, "log"));
    legs_are(NULL, false, PLOG_E_ROLLBACK,
             "bad: ROLLBACK: the log is gone: log is missing, but store.db is"
             " there; do paritylog salvage DIR --from-store\n");
    world_drop_store(&w);
    CHECK_INT(doctor("log and store", NULL, false), PLOG_E_NOTHING);
    CHECK_TEXT(said, "");
    CHECK_INT(report.verdict, PLOG_E_NOTHING);
    CHECK_TEXT(err.message, "there is no log here: log and store.db are"
                            " missing, but keys/signing.key is there");
    CHECK_TEXT(err.hint, "if there was a log, bring it back from a copy or a"
                         " peer before anything else");
    world_remove(world_path(&w, "keys"));
    CHECK_INT(doctor("log and store", NULL, false), PLOG_E_NOTHING);
    CHECK_TEXT(err.message,
               "there is no log here: log and store.db are missing");
    CHECK_TEXT(err.hint, "see that the path is right; paritylog init DIR"
                         " makes a new log");
    for (int i = 0; i < PLOG_HEALTHS; i++)
        CHECK_UINT(report.counts[i], 0);
}

/* ---- Upkeep -------------------------------------------------------------- */

static void upkeep_is(const char *name, const char *want)
{
    CHECK_INT(doctor(name, NULL, true), 0);
    CHECK_TEXT(said, want);
    CHECK_INT(report.verdict, 0);
}

static sqlite3 *read_store(void)
{
    sqlite3 *db = NULL;
    CHECK_INT(sqlite3_open(world_path(&w, "store.db"), &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "BEGIN; SELECT * FROM events", NULL, NULL, NULL),
              SQLITE_OK);
    return db;
}

static int no_unlink(void *ctx, int dir, const char *name)
{
    return strstr(name, ".jsonl") ? -EIO
                                  : plog_io_posix()->unlink_at(ctx, dir, name);
}

/* Before, while the end of it is held up, and when it is done. */
static void upkeep(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_redact_report redacted;
    struct plog_redact_options o = {
        .struct_size = sizeof o, .wait_seconds = -1, .reason = "asked"};
    peers_make(&w, PLOG_ARRIVAL, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    upkeep_is("compaction", "");
    upkeep_is("redactions", "");
    io.unlink_at = no_unlink;
    CHECK_INT(
        peers_compact_with(&w, (struct plog_compact_options){.io = &io}, NULL),
        PLOG_E_IO);
    upkeep_is("compaction", "warn: 3 segments below the floor are left of one"
                            " that was cut off; do paritylog compact DIR\n");
    CHECK_INT(peers_compact(&w, NULL), 0);
    upkeep_is("compaction", "ok: the floor is entry 25; 1 peers; do \n");
    sqlite3 *db = read_store();
    CHECK_INT(plog_redact(w.dir, 33, &o, &redacted, NULL), PLOG_E_LOCKED);
    upkeep_is("redactions",
              "warn: 1 of 1 are pending: copies of a payload may be left; do"
              " end long reads, then: paritylog append DIR /dev/null; what"
              " stays pending in paritylog redact DIR --list: redact it again,"
              " which says why\n");
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
    CHECK_INT(plog_redact(w.dir, 34, &o, &redacted, NULL), 0);
    upkeep_is("redactions", "ok: 2, all done; do \n");
    world_end(&w, world_size(&w));
}

/* ---- The last drill ------------------------------------------------------ */

static int64_t in_march(void *ctx)
{
    (void)ctx;
    return 1772323200LL * 1000000000; /* 2026-03-01T00:00:00Z */
}

/* It is well for 31 days; one that failed is bad at once. */
static void the_last_drill(void)
{
    static const struct {
        const char *at, *verdict, *want;
    } all[] = {
        {"2026-02-28T00:00:00Z", "CLEAN",
         "ok: 2026-02-28T00:00:00.000000Z: CLEAN, 1 days ago; do \n"},
        {"2026-01-29T00:00:00Z", "CLEAN",
         "ok: 2026-01-29T00:00:00.000000Z: CLEAN, 31 days ago; do \n"},
        {"2026-01-28T00:00:00Z", "CLEAN",
         "warn: 2026-01-28T00:00:00.000000Z: CLEAN, 32 days ago; do paritylog "
         "drill"
         " DIR\n"},
        {"2026-03-01T01:00:00Z", "CLEAN",
         "ok: 2026-03-01T01:00:00.000000Z: CLEAN, 0 days ago; do \n"},
        {"2026-03-02T00:00:00Z", "CLEAN",
         "warn: 2026-03-02T00:00:00.000000Z, which is in the future: CLEAN; do "
         "set"
         " this machine's clock\n"},
        {"2026-03-02T00:00:00Z", "CORRUPT",
         "bad: 2026-03-02T00:00:00.000000Z, which is in the future: CORRUPT; do"
         " set this machine's clock, then: paritylog drill DIR\n"},
        {"2026-03-01T01:00:00Z", "CORRUPT",
         "bad: 2026-03-01T01:00:00.000000Z: CORRUPT, 0 days ago; do paritylog "
         "drill DIR\n"},
        {"2026-02-28T00:00:00Z", "CORRUPT",
         "bad: 2026-02-28T00:00:00.000000Z: CORRUPT, 1 days ago; do paritylog "
         "drill"
         " DIR\n"},
    };
    struct plog_io io = *plog_io_posix();
    char note[200];
    make();
    io.clock_real_ns = in_march;
    CHECK_INT(doctor("last drill", &io, true), 0);
    CHECK_TEXT(said, "warn: never: whether it can be restored was not tried; do"
                     " paritylog drill DIR, and put it into cron\n");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int n = snprintf(note, sizeof note,
                         "{\"schema\":\"paritylog/drill-note/1\",\"at\":\"%s\","
                         "\"verdict\":\"%s\"}\n\n",
                         all[i].at, all[i].verdict);
        world_write(world_path(&w, "drill.json"), note, (size_t)n);
        CHECK_INT(doctor("last drill", &io, true), 0);
        CHECK_TEXT(said, all[i].want);
    }
    world_write(world_path(&w, "drill.json"), "{}", 2);
    CHECK_INT(doctor("last drill", &io, true), 0);
    CHECK_TEXT(said,
               "unknown: drill.json cannot be read; do paritylog drill DIR\n");
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a rotation", a_rotation},
        {"a damaged secret", a_damaged_secret},
        {"legs", legs},
        {"no leg", no_leg},
        {"upkeep", upkeep},
        {"the last drill", the_last_drill},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
