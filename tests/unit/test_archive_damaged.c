/*
 * test_archive_damaged.c - a file of archive/ that is missing or damaged: who
 * meets it names it, and says what to do; the doctor looks at all of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_compact_report compacted;
static struct plog_error err;
static char victim[64]; /* in archive/, in the middle */
static uint64_t victim_at;

/* @before  there is a compaction up to that; 0: none */
static void make_behind(uint64_t before)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    if (before) {
        CHECK_INT(peers_ack(&w, "p", before), 0);
        CHECK_INT(peers_compact(&w, &compacted), 0);
    }
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    CHECK_INT(peers_compact(&w, &compacted), 0);
    victim_at = 0;
    for (uint64_t at = 2; !victim_at && at < compacted.to; at++) {
        snprintf(victim, sizeof victim, "archive/%020llu.jsonl.gz",
                 (unsigned long long)at);
        victim_at = world_has(&w, victim) ? at : 0;
    }
    CHECK(victim_at > 0);
}

static void make(void)
{
    make_behind(0);
}

enum harm { GONE, BYTES, CUT, EDITED, HARMS };

/* Edited: whole as a gzip file, but it holds another segment. */
static void harm(enum harm h)
{
    size_t n, m;
    char *bytes = world_read(world_path(&w, victim), &n);
    char *other =
        world_read(world_path(&w, "archive/00000000000000000001.jsonl.gz"), &m);
    if (h == GONE)
        CHECK_INT(unlink(world_path(&w, victim)), 0);
    memset(bytes + n / 2, 'X', 8);
    if (h == BYTES || h == CUT)
        world_write(world_path(&w, victim), bytes, h == CUT ? n / 3 : n);
    if (h == EDITED)
        world_write(world_path(&w, victim), other, m);
    free(bytes);
    free(other);
}

static int undo(bool dry_run)
{
    struct plog_compact_options o = {
        .struct_size = sizeof o, .undo = true, .dry_run = dry_run};
    struct plog_compact_report r;
    memset(&err, 0, sizeof err);
    return plog_compact(w.dir, &o, &r, &err);
}

static int skip(void *arg, const char *text, size_t len)
{
    (void)arg, (void)text, (void)len;
    return 0;
}

static int prove(void)
{
    struct plog_prove_options o = {.struct_size = sizeof o, .out = skip};
    memset(&err, 0, sizeof err);
    return plog_prove(w.dir, victim_at + 1, &o, &err);
}

static int restore(void)
{
    static int next;
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .at_seq = compacted.to - 1};
    struct plog_restore_report r;
    char out[600];
    snprintf(out, sizeof out, "%.500s-out%d", w.dir, next++);
    memset(&err, 0, sizeof err);
    return plog_restore(w.dir, out, &o, &r, &err);
}

static void names_it(int rc, enum harm h)
{
    CHECK(rc == PLOG_E_CORRUPT || rc == PLOG_E_TAMPERED);
    if (!CHECK_TEXT(err.file, victim) ||
        !CHECK(strncmp(err.hint, "copy that file from a backup", 28) == 0))
        printf("# harm %d: %s\n", (int)h, err.message);
}

static void who_meets_it(void)
{
    for (enum harm h = GONE; h < HARMS; h++) {
        make();
        harm(h);
        names_it(undo(true), h);
        names_it(undo(false), h);
        CHECK(!world_has(&w, "log/00000000000000000001.jsonl"));
        names_it(prove(), h);
        names_it(restore(), h);
        CHECK_INT(peers_parity(&w), 0);
        world_end(&w, world_size(&w));
    }
}

static void a_rehearsal(void)
{
    struct plog_compact_options o = {
        .struct_size = sizeof o, .undo = true, .dry_run = true};
    struct plog_compact_report r;
    uint64_t bytes;
    make();
    bytes = compacted.bytes;
    CHECK_INT(plog_compact(w.dir, &o, &r, NULL), 0);
    CHECK_UINT(r.bytes, bytes);
    CHECK_INT(undo(false), 0);
    world_end(&w, world_size(&w));
}

/* ---- The doctor ---------------------------------------------------------- */

static struct plog_checkup last;
static char found[300], first_said[300];
static unsigned heard[PLOG_HEALTH_UNKNOWN + 1];

static int hear(void *arg, const struct plog_checkup *c)
{
    (void)arg;
    if (strcmp(c->name, "archive") == 0) {
        last = *c;
        heard[c->health]++;
        snprintf(found, sizeof found, "%s", c->found);
        if (!first_said[0])
            memcpy(first_said, found, sizeof found);
    }
    return 0;
}

static int doctor(bool quick)
{
    struct plog_doctor_options o = {
        .struct_size = sizeof o, .checkup = hear, .quick = quick};
    struct plog_doctor_report r;
    memset(&last, 0, sizeof last);
    memset(heard, 0, sizeof heard);
    first_said[0] = '\0';
    CHECK_INT(plog_doctor(w.dir, &o, &r, NULL), 0);
    return r.verdict;
}

static void the_doctor(void)
{
    char want[100];
    for (enum harm h = GONE; h < HARMS; h++) {
        make();
        CHECK_INT(doctor(true), 0);
        CHECK(last.name == NULL);
        CHECK_INT(doctor(false), 0);
        CHECK_INT(last.health, PLOG_HEALTH_OK);
        snprintf(want, sizeof want, "entries 1 to %llu, whole",
                 (unsigned long long)compacted.to);
        CHECK(strstr(found, want) != NULL);
        harm(h);
        CHECK_INT(doctor(false), PLOG_E_IO);
        CHECK_INT(last.health, PLOG_HEALTH_BAD);
        CHECK(strstr(found, victim) != NULL);
    }
    /* Its beginning was moved away, or all of it. */
    make();
    CHECK_INT(unlink(world_path(&w, "archive/00000000000000000001.jsonl.gz")),
              0);
    CHECK_INT(doctor(false), 0);
    CHECK_INT(last.health, PLOG_HEALTH_OK);
    world_remove(world_path(&w, "archive"));
    CHECK_INT(doctor(false), 0);
    CHECK(last.name == NULL);
}

/* Nobody knows what the compaction before kept; the last one says it. */
static void which_may_be_missing(void)
{
    char name[64];
    uint64_t from;
    make_behind(25);
    from = compacted.from;
    CHECK(from > victim_at);
    for (uint64_t at = 2; at <= compacted.to; at++) {
        size_t n;
        snprintf(name, sizeof name, "archive/%020llu.jsonl.gz",
                 (unsigned long long)at);
        if (!world_has(&w, name))
            continue;
        char *bytes = world_read(world_path(&w, name), &n);
        CHECK_INT(unlink(world_path(&w, name)), 0);
        CHECK_INT(doctor(false), at > from ? PLOG_E_IO : 0);
        CHECK_UINT(heard[PLOG_HEALTH_BAD], at > from);
        CHECK_UINT(heard[PLOG_HEALTH_WARN], at <= from);
        CHECK(strstr(found, name) != NULL);
        world_write(world_path(&w, name), bytes, n);
        free(bytes);
    }
    CHECK_INT(doctor(false), 0);
    CHECK_UINT(heard[PLOG_HEALTH_OK], 1);
    CHECK_INT(unlink(world_path(&w, victim)), 0); /* a gap up to there */
    for (uint64_t at = victim_at; at <= from + 1; at++) {
        snprintf(name, sizeof name, "archive/%020llu.jsonl.gz",
                 (unsigned long long)at);
        unlink(world_path(&w, name));
    }
    CHECK_INT(doctor(false), PLOG_E_IO);
}

/* What was discarded once is missing for ever: that hides nothing of the rest,
 * nor does one damaged file. */
static void behind_a_gap(void)
{
    char name[64], harmed[2][64];
    unsigned n = 0;
    uint64_t next = 0; /* the segment behind the gap */
    make_behind(25);
    for (uint64_t at = compacted.to; n < 2 && at > victim_at; at--) {
        snprintf(name, sizeof name, "archive/%020llu.jsonl.gz",
                 (unsigned long long)at);
        if (world_has(&w, name))
            memcpy(harmed[n++], name, sizeof name);
    }
    CHECK_UINT(n, 2);
    for (uint64_t at = victim_at + 1; !next; at++) {
        snprintf(name, sizeof name, "archive/%020llu.jsonl.gz",
                 (unsigned long long)at);
        next = world_has(&w, name) ? at : 0;
    }
    harm(GONE);
    CHECK_INT(doctor(false), 0);
    CHECK_UINT(heard[PLOG_HEALTH_WARN], 1);
    CHECK_UINT(heard[PLOG_HEALTH_OK], 0);
    for (unsigned i = 0; i < 2; i++) {
        memcpy(victim, harmed[i], sizeof victim);
        harm(i ? EDITED : BYTES);
        CHECK_INT(doctor(false), PLOG_E_IO);
        CHECK_UINT(heard[PLOG_HEALTH_WARN], 1);
        CHECK_UINT(heard[PLOG_HEALTH_BAD], i + 1);
        CHECK(strstr(found, harmed[0]) != NULL); /* the higher one */
    }
    /* The first, too: how far nothing could be read includes the gap. */
    world_write(world_path(&w, "archive/00000000000000000001.jsonl.gz"), "x",
                1);
    CHECK_INT(doctor(false), PLOG_E_IO);
    CHECK_UINT(heard[PLOG_HEALTH_WARN], 0);
    CHECK_UINT(heard[PLOG_HEALTH_BAD], 3);
    CHECK_UINT(heard[PLOG_HEALTH_OK], 0);
    CHECK(strstr(first_said, "00000000000000000001.jsonl.gz") != NULL);
    snprintf(name, sizeof name, "passed over: entries 1 to %llu",
             (unsigned long long)next - 1);
    CHECK(strstr(first_said, name) != NULL);
}

static struct plog_progress told;
static unsigned tells, stop_at;

static int tell(void *arg, const struct plog_progress *p)
{
    (void)arg;
    if (strcmp(p->phase, "archive") != 0)
        return 0;
    CHECK(p->done > told.done && p->total == compacted.to);
    CHECK(p->bytes >= told.bytes);
    told = *p;
    return ++tells == stop_at;
}

/* Reading what was archived takes as long as reading the log: that is told
 * group by group, and may be stopped. */
static void the_doctor_tells(void)
{
    make();
    for (stop_at = 0; stop_at < 3; stop_at++) {
        struct plog_doctor_options o = {
            .struct_size = sizeof o, .checkup = hear, .progress = tell};
        struct plog_doctor_report r;
        memset(&err, 0, sizeof err);
        memset(&told, 0, sizeof told);
        memset(&last, 0, sizeof last);
        tells = 0;
        int rc = plog_doctor(w.dir, &o, &r, &err);
        CHECK_INT(rc, stop_at ? PLOG_E_INTERRUPTED : 0);
        CHECK_TEXT(err.message, stop_at ? "stopped" : "");
        CHECK(stop_at ? tells == stop_at : told.done == compacted.to);
        CHECK((last.name == NULL) == (stop_at > 0));
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"who meets it", who_meets_it},
        {"a rehearsal", a_rehearsal},
        {"the doctor", the_doctor},
        {"behind a gap", behind_a_gap},
        {"which may be missing", which_may_be_missing},
        {"the doctor tells", the_doctor_tells},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
