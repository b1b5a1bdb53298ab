/*
 * test_compact_later.c - an older log and store put back beside archive/ and
 * snapshots/ that know more: what they hold of the later history is proof of
 * it, and is not lost to a redaction, a compaction or an undo.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_compact_report report;

/* Files below `folder` whose name begins so and whose bytes hold `text`. */
static unsigned holding(const char *folder, const char *name, const char *text)
{
    char path[700];
    unsigned found = 0;
    size_t n;
    struct dirent *e;
    DIR *d = opendir(world_path(&w, folder));
    while (d && (e = readdir(d)) != NULL) {
        if (strncmp(e->d_name, name, strlen(name)) != 0 || e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%.40s/%.200s", folder, e->d_name);
        char *bytes = world_read(world_path(&w, path), &n);
        found += memmem(bytes, n, text, strlen(text)) != NULL;
        free(bytes);
    }
    if (d)
        closedir(d);
    return found;
}

static void copy_legs(const char *from, const char *to)
{
    char a[700], b[700];
    snprintf(a, sizeof a, "%.600s/log", from);
    snprintf(b, sizeof b, "%.600s/log", to);
    world_copy(a, b);
    size_t n;
    snprintf(a, sizeof a, "%.600s/store.db", from);
    snprintf(b, sizeof b, "%.600s/store.db", to);
    char *bytes = world_read(a, &n);
    world_write(b, bytes, n);
    free(bytes);
}

/* Entries up to 23 are kept; 60 are written, and `cut` of them compacted away;
 * then log and store are as they were kept. */
static void roll_back(uint64_t cut, bool discard)
{
    char kept[600], made[600];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 22);
    CHECK_INT(peers_add(&w, "p"), 0);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    CHECK_INT(mkdir(kept, 0700), 0);
    copy_legs(w.dir, kept);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 22, 60);
    struct plog_head h;
    CHECK_INT(plog_get_head(w.p, &h, NULL), 0);
    world_close(&w);
    if (discard) {
        struct plog_peer_report pr;
        CHECK_INT(plog_peer_ack(w.dir, "p", h.size, h.root, NULL, &pr, NULL),
                  0);
        CHECK_INT(
            peers_compact_with(
                &w, (struct plog_compact_options){.discard = true}, &report),
            0);
    } else {
        CHECK_INT(peers_ack(&w, "p", cut), 0);
        CHECK_INT(peers_compact(&w, &report), 0);
    }
    CHECK_UINT(report.aside, 0);
    world_remove(world_path(&w, "log"));
    static const char *const store[] = {"store.db", "store.db-wal",
                                        "store.db-shm"};
    for (int i = 0; i < 3; i++)
        unlink(world_path(&w, store[i]));
    snprintf(made, sizeof made, "%.500s", w.dir);
    copy_legs(kept, made);
}

/* ---- It is proof --------------------------------------------------------- */

static void both_say_rollback(const char *folder, uint64_t size)
{
    struct world_found f;
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK_UINT(f.count, 1);
    CHECK_UINT(f.first[0].seq, size);
    CHECK(strncmp(f.first[0].file, folder, strlen(folder)) == 0);
    CHECK(strstr(f.first[0].next, "keep a copy of DIR") != NULL);
}

static void an_archive_proves_it(void)
{
    struct world_found f;
    roll_back(50, false);
    both_say_rollback("snapshots/", report.to);
    world_remove(world_path(&w, "snapshots"));
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK_UINT(f.first[0].seq, report.to);
    CHECK(strncmp(f.first[0].file, "archive/", 8) == 0);
    /* As it says: what lies above is moved out. */
    world_remove(world_path(&w, "archive"));
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    world_end(&w, world_size(&w));
}

/* The highest name in a folder of the log; those above `most` are removed. */
static uint64_t last_of(const char *folder, uint64_t most)
{
    char path[600];
    uint64_t last = 0;
    snprintf(path, sizeof path, "%s", world_path(&w, folder));
    DIR *d = opendir(path);
    CHECK(d != NULL);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        uint64_t first = strtoull(e->d_name, NULL, 10);
        if (first > most)
            CHECK_INT(unlinkat(dirfd(d), e->d_name, 0), 0);
        else if (first > last)
            last = first;
    }
    if (d)
        closedir(d);
    return last;
}

/* Only what the older log has as its last segment, too: what it lacks of that
 * is signed. */
static void an_archived_last_segment_proves_it(void)
{
    struct world_found f;
    char file[80];
    size_t n;
    roll_back(50, false);
    world_remove(world_path(&w, "snapshots"));
    uint64_t last = last_of("log", UINT64_MAX), end = world_size(&w);
    CHECK_UINT(last_of("archive", last), last);
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK_UINT(f.count, 1);
    CHECK(f.first[0].seq > end);
    snprintf(file, sizeof file, "archive/%020" PRIu64 ".jsonl.gz", last);
    CHECK_TEXT(f.first[0].file, file);
    /* Damaged it proves nothing. */
    char *bytes = world_read(world_path(&w, file), &n);
    bytes[n / 2] ^= 1;
    world_write(world_path(&w, file), bytes, n);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    free(bytes);
    world_remove(world_path(&w, "archive"));
    world_end(&w, end);
}

static int replay(bool fresh, bool dry_run, struct plog_error *err)
{
    struct plog_replay_options o = {.struct_size = sizeof o,
                                    .fresh = fresh,
                                    .dry_run = dry_run,
                                    .wait_seconds = 0.5};
    struct plog_replay_report r;
    memset(err, 0, sizeof *err);
    return plog_replay(w.dir, &o, &r, err);
}

/* Whoever makes a store of it would say that all is well. */
static void no_store_is_made_of_it(void)
{
    struct plog_error err;
    struct plog_rebuild_report r;
    struct plog_rebuild_options o = {.struct_size = sizeof o, .install = true};
    roll_back(50, false);
    for (int there = 1; there >= 0; there--) {
        for (int i = 0; i < 4; i++) {
            CHECK_INT(replay(i & 1, i & 2, &err), PLOG_E_ROLLBACK);
            CHECK(strncmp(err.file, "snapshots/", 10) == 0);
            CHECK(strstr(err.hint, "to go on as it is, move files above") !=
                  NULL);
        }
        CHECK_INT(plog_rebuild_store(w.dir, NULL, &o, &r, &err),
                  PLOG_E_ROLLBACK);
        CHECK(world_has(&w, "store.db") == there);
        CHECK(!world_has(&w, "quarantine") && !world_has(&w, "store.new"));
        world_drop_store(&w);
    }
    world_remove(world_path(&w, "snapshots"));
    CHECK_INT(replay(false, false, &err), PLOG_E_ROLLBACK);
    CHECK(strncmp(err.file, "archive/", 8) == 0);
    world_remove(world_path(&w, "archive"));
    CHECK_INT(replay(false, false, &err), 0);
    world_end(&w, world_size(&w));
}

static void a_snapshot_alone_proves_it(void)
{
    roll_back(50, true);
    CHECK(!world_has(&w, "archive"));
    both_say_rollback("snapshots/", report.to);
}

/* All that is left of the archive is the first line of its last file; that is
 * signed, and names what lay before it. */
static void a_header_proves_it(void)
{
    struct world_found f;
    static char text[70000];
    char file[80], path[700];
    roll_back(50, false);
    world_remove(world_path(&w, "snapshots"));
    uint64_t last = last_of("archive", UINT64_MAX), end = world_size(&w);
    CHECK(last > end + 1);
    snprintf(file, sizeof file, "archive/%020" PRIu64 ".jsonl.gz", last);
    snprintf(path, sizeof path, "%s", world_path(&w, file));
    gzFile z = gzopen(path, "rb");
    CHECK(z != NULL && gzgets(z, text, sizeof text) != NULL);
    gzclose(z);
    world_remove(world_path(&w, "archive"));
    CHECK_INT(mkdir(world_path(&w, "archive"), 0700), 0);
    z = gzopen(path, "wb");
    CHECK(z != NULL && gzputs(z, text) > 0);
    gzclose(z);
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK_UINT(f.count, 1);
    CHECK_UINT(f.first[0].seq, last - 1);
    CHECK_TEXT(f.first[0].file, file);
}

/* A damaged line of that older log could be healed from the store; it would be
 * older all the same, so nothing is changed. */
static void a_healed_log_is_older(void)
{
    struct plog_rebuild_options o = {.struct_size = sizeof o, .install = true};
    struct plog_rebuild_report r;
    static const char name[] = "log/00000000000000000001.jsonl";
    size_t n, m;
    roll_back(50, false);
    char *bytes = world_read(world_path(&w, name), &n);
    char *at = strstr(bytes, "\"op\"");
    REQUIRE(at != NULL);
    at[1] = 'O';
    world_write(world_path(&w, name), bytes, n);
    CHECK_INT(plog_rebuild_log(w.dir, NULL, &o, &r, NULL), 0);
    CHECK_INT(r.verdict, PLOG_E_ROLLBACK);
    CHECK(r.refused);
    CHECK_TEXT(r.quarantine, "");
    char *now = world_read(world_path(&w, name), &m);
    CHECK_BYTES(now, m, bytes, n);
    free(now);
    free(bytes);
}

/* An older log alone, beside the store of the later one, that was trimmed
 * behind its end: they have nothing in common to compare. */
static void a_trimmed_store_proves_it(void)
{
    struct world_found f;
    char kept[600], log[700];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 22);
    CHECK_INT(peers_add(&w, "p"), 0);
    uint64_t end = world_size(&w);
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(world_path(&w, "log"), kept);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 22, 60);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    CHECK_INT(peers_trim(&w, &report), 0);
    CHECK(report.to > end);
    snprintf(log, sizeof log, "%s", world_path(&w, "log"));
    world_remove(log);
    world_copy(kept, log);
    world_remove(world_path(&w, "archive"));
    world_remove(world_path(&w, "snapshots"));
    CHECK_INT(world_verify(&w, NULL, &f), 0);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK_UINT(f.count, 1);
    CHECK_UINT(f.first[0].seq, end + 1);
    CHECK(strncmp(f.first[0].file, "log/", 4) == 0);
    CHECK(strstr(f.first[0].next, "the store was trimmed") != NULL);
}

/* Names alone prove nothing. */
static void names_prove_nothing(void)
{
    static const char name[] = "archive/00000000000000000777.jsonl.gz";
    static const char other[] = "snapshots/00000000000000000777.jsonl.gz";
    struct world_found f;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 22);
    CHECK_INT(mkdir(world_path(&w, "archive"), 0700), 0);
    CHECK_INT(mkdir(world_path(&w, "snapshots"), 0700), 0);
    world_write(world_path(&w, name), "hello", 5);
    world_write(world_path(&w, other), "hello", 5);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_INT(world_verify(&w, NULL, &f), 0);
}

/* What a cut off undo leaves is of this log. */
static void an_undo_is_none(void)
{
    char twin[64];
    struct world_found f;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    CHECK_INT(peers_compact(&w, &report), 0);
    char kept[600];
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(world_path(&w, "archive"), kept);
    snprintf(twin, sizeof twin, "%s", report.snapshot);
    CHECK_INT(peers_undo(&w, &report), 0);
    CHECK_UINT(report.aside, 0);
    world_remove(world_path(&w, "archive"));
    world_copy(kept, world_path(&w, "archive"));
    CHECK(world_has(&w, twin));
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_INT(peers_compact(&w, &report), 0);
    CHECK_UINT(report.aside, 0);
    CHECK(!world_has(&w, "quarantine"));
    world_end(&w, world_size(&w));
}

/* ---- It stays ------------------------------------------------------------ */

static void a_redaction_keeps_it(void)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "r"};
    struct plog_redact_report r;
    struct plog_error err = {0};
    roll_back(50, false);
    CHECK_INT(plog_redact(w.dir, 23, &o, &r, &err), 0);
    CHECK_UINT(r.aside, 2); /* the segment that goes on, the snapshot */
    CHECK_UINT(holding("quarantine", "0", "\"v22\""), 1);
    /* As text, so the payload that was to go went there, too. */
    CHECK_UINT(holding("quarantine", "0", "\"v20\""), 1);
    CHECK_UINT(holding("quarantine", "0", "\"v21\""), 0);
}

/* It went on from the older log, and comes past what lies there. */
static void a_compaction_keeps_it(void)
{
    for (int hello = 0; hello < 2; hello++) {
        const char *look = hello ? "hello" : "\"v30\"";
        roll_back(50, false);
        char *names[] = {"archive/00000000000000000001.jsonl.gz",
                         "archive/00000000000000000777.jsonl.gz"};
        if (hello)
            for (int i = 0; i < 2; i++)
                world_write(world_path(&w, names[i]), "hello", 5);
        CHECK_INT(world_open(&w), 0);
        peers_put(&w, 100, 160);
        world_close(&w);
        CHECK_INT(peers_ack(&w, "p", 60), 0);
        CHECK_INT(peers_compact(&w, &report), 0);
        CHECK(report.aside > 2);
        CHECK(holding("quarantine", "0", look) > 0);
        CHECK(!hello || world_has(&w, names[1]));
        CHECK_INT(peers_compact(&w, &report), 0);
        CHECK_UINT(report.aside, 0);
        world_remove(world_path(&w, names[1]));
        world_end(&w, world_size(&w));
    }
}

/* Of the same floor, but another history. */
static void a_snapshot_of_the_same_name(void)
{
    char name[64];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    CHECK_INT(peers_compact_with(
                  &w, (struct plog_compact_options){.dry_run = true}, &report),
              0);
    snprintf(name, sizeof name, "snapshots/%020llu.jsonl.gz",
             (unsigned long long)report.to);
    CHECK_INT(mkdir(world_path(&w, "snapshots"), 0700), 0);
    world_write(world_path(&w, name), "hello", 5);
    CHECK_INT(peers_compact(&w, &report), 0);
    CHECK_UINT(report.aside, 1);
    CHECK_UINT(holding("quarantine", name + strlen("snapshots/"), "hello"), 1);
    world_end(&w, world_size(&w));
}

/* The snapshot of two compactions ago is known also where no event of that
 * time is left. */
static void trimmed_and_discarded(void)
{
    struct plog_peer_report pr;
    struct plog_head h;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    CHECK_INT(peers_add(&w, "p"), 0);
    for (int i = 1; i < 5; i++) {
        CHECK_INT(world_open(&w), 0);
        CHECK_INT(plog_get_head(w.p, &h, NULL), 0);
        peers_put(&w, 30 * i, 30 * i + 30);
        world_close(&w);
        CHECK_INT(plog_peer_ack(w.dir, "p", h.size, h.root, NULL, &pr, NULL),
                  0);
        CHECK_INT(peers_compact_with(&w,
                                     (struct plog_compact_options){
                                         .discard = true, .trim_store = true},
                                     &report),
                  0);
        CHECK_UINT(report.aside, 0);
    }
    CHECK_UINT(holding("snapshots", "0", ""), 2);
    world_end(&w, world_size(&w));
}

/* ---- Snapshots that nothing needs ---------------------------------------- */

#define ON_FIRST 25 /* a record stands on it at the first floor */

static char doctor_said[300];

static int on_checkup(void *arg, const struct plog_checkup *c)
{
    (void)arg;
    if (strcmp(c->name, "snapshots") == 0)
        snprintf(doctor_said, sizeof doctor_said, "%s: %s",
                 plog_health_word(c->health), c->found);
    return 0;
}

static const char *doctor_says(void)
{
    struct plog_doctor_report r;
    struct plog_doctor_options o = {
        .struct_size = sizeof o, .quick = true, .checkup = on_checkup};
    doctor_said[0] = '\0';
    CHECK_INT(plog_doctor(w.dir, &o, &r, NULL), 0);
    return doctor_said;
}

/* Thirty more deltas, and all before them go; the store is trimmed. */
static void trim_on(int round)
{
    uint64_t size = world_size(&w);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 30 * round, 30 * round + 30);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", size), 0);
    CHECK_INT(peers_trim(&w, &report), 0);
    CHECK(report.entry > 0);
}

/* The first snapshot stays for the archive, which begins behind it; then that
 * is moved away, when the store has nothing of that time any more.
 * @first  out: its name */
static void outlive(char first[80])
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    CHECK_INT(peers_add(&w, "p"), 0);
    trim_on(1);
    snprintf(first, 80, "snapshots/%020llu.jsonl.gz",
             (unsigned long long)report.to);
    world_remove(world_path(&w, "archive"));
    trim_on(2);
    trim_on(3);
    trim_on(4);
    CHECK(world_has(&w, first));
    CHECK_UINT(report.left, 0);
    world_remove(world_path(&w, "archive"));
}

/* What redacting an entry below the floor says: the same as before, or that the
 * payload is in no file any more. */
static bool is_gone(uint64_t seq)
{
    struct plog_redact_report r;
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "asked"};
    struct plog_error err = {.code = 0};
    CHECK_INT(plog_redact(w.dir, seq, &o, &r, &err), PLOG_E_PRUNED);
    CHECK(strncmp(err.hint, "no undo brings it back", 22) == 0);
    bool gone = strstr(err.hint, "do not have its line any more") != NULL;
    CHECK(gone != (strstr(err.hint, "what doctor then names") != NULL));
    CHECK(strlen(err.hint) < sizeof err.hint - 1);
    return gone;
}

static void known_by_its_commit(void)
{
    char first[80];
    outlive(first);
    CHECK_TEXT(doctor_says(), ""); /* it goes with the next one */
    CHECK_INT(peers_parity(&w), 0);
    CHECK(!is_gone(ON_FIRST));
    CHECK(is_gone(5)); /* on which nothing stood */
    trim_on(5);
    CHECK(!world_has(&w, first));
    CHECK(is_gone(ON_FIRST));
    CHECK_UINT(report.left, 0);
    CHECK_UINT(report.aside, 0);
    world_end(&w, world_size(&w));
}

/* A store that was made anew has nothing of it: it stays, and that is told. */
static void told_where_nobody_knows(void)
{
    char first[80], want[300];
    struct plog_replay_report replayed;
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    outlive(first);
    CHECK_INT(plog_replay(w.dir, &o, &replayed, NULL), 0);
    snprintf(want, sizeof want,
             "warn: 1 that nothing needs, the first is %s; the store cannot"
             " tell whether it is of this log, and it may have payloads that"
             " went",
             first + strlen("snapshots/"));
    CHECK_TEXT(doctor_says(), want);
    trim_on(5);
    CHECK(world_has(&w, first));
    CHECK_UINT(report.left, 1);
    CHECK_TEXT(report.left_file, first);
    CHECK_TEXT(doctor_says(), want);
    CHECK(!is_gone(ON_FIRST));
    world_remove(world_path(&w, first));
    CHECK_TEXT(doctor_says(), "");
    CHECK(is_gone(ON_FIRST));
    trim_on(6);
    CHECK_UINT(report.left, 0);
    CHECK_TEXT(report.left_file, "");
    world_end(&w, world_size(&w));
}

/* An undo that fails takes back what it brought, and nothing else. */
static void what_an_undo_did_not_bring(void)
{
    char kept[600], last[64];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(world_path(&w, "log"), kept);
    CHECK_INT(peers_compact(&w, &report), 0);
    /* The newest that went, out of a backup. */
    uint64_t found = 0;
    for (uint64_t first = 1; first <= report.to; first++) {
        snprintf(last, sizeof last, "archive/%020llu.jsonl.gz",
                 (unsigned long long)first);
        if (world_has(&w, last))
            found = first;
    }
    size_t n;
    char from[700];
    snprintf(from, sizeof from, "%.600s/%020llu.jsonl", kept,
             (unsigned long long)found);
    char *bytes = world_read(from, &n);
    snprintf(last, sizeof last, "log/%020llu.jsonl", (unsigned long long)found);
    world_write(world_path(&w, last), bytes, n);
    free(bytes);
    world_write(world_path(&w, "archive/00000000000000000001.jsonl.gz"), "x",
                1);
    CHECK_INT(peers_undo(&w, &report), PLOG_E_CORRUPT);
    CHECK(world_has(&w, last));
    CHECK(!world_has(&w, "log/00000000000000000001.jsonl"));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"an archive proves it", an_archive_proves_it},
        {"an archived last segment proves it",
         an_archived_last_segment_proves_it},
        {"no store is made of it", no_store_is_made_of_it},
        {"a header proves it", a_header_proves_it},
        {"a healed log is older", a_healed_log_is_older},
        {"a snapshot alone proves it", a_snapshot_alone_proves_it},
        {"a trimmed store proves it", a_trimmed_store_proves_it},
        {"names prove nothing", names_prove_nothing},
        {"an undo is none", an_undo_is_none},
        {"a redaction keeps it", a_redaction_keeps_it},
        {"a compaction keeps it", a_compaction_keeps_it},
        {"a snapshot of the same name", a_snapshot_of_the_same_name},
        {"trimmed and discarded", trimmed_and_discarded},
        {"known by its commit", known_by_its_commit},
        {"told where nobody knows", told_where_nobody_knows},
        {"what an undo did not bring", what_an_undo_did_not_bring},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
