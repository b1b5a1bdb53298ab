/*
 * test_reports.c - the numbers in the reports of what makes a log anew:
 * restored to each entry of it, rebuilt from either leg, replayed in part and
 * in full; and what is on disk then is what the report says.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "world.h"

#define LAST 20

static struct world w;
static char out[700];
static struct plog_head heads[LAST + 1]; /* by size; size 0: no commit there */
static struct plog_error err;

/* ---- The log ---------------------------------------------------------------
 */

static void note_head(void)
{
    struct plog_head h;
    CHECK_INT(plog_get_head(w.p, &h, NULL), 0);
    CHECK(h.size <= LAST);
    heads[h.size] = h;
}

static void put(int count)
{
    for (int i = 0; i < count; i++) {
        char record[8];
        snprintf(record, sizeof record, "r%d", i % 3);
        CHECK_INT(world_put(&w, NULL, record, "some text", NULL), 0);
        note_head();
    }
}

static void put_group(void)
{
    static char text[4][200];
    struct plog_span deltas[4];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = 4};
    for (int i = 0; i < 4; i++) {
        struct world_delta d = {.record = "g"};
        world_text(text[i], sizeof text[i], &d);
        deltas[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    note_head();
}

static void new_segment(void)
{
    uint64_t first;
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
}

/* Segments at 1, 8 and 15; entries 8 to 11 and 15 to 18 are one group each. */
static void make(void)
{
    memset(heads, 0, sizeof heads);
    world_make(&w, PLOG_ARRIVAL, 0);
    note_head();
    put(6);
    new_segment();
    put_group();
    put(3);
    new_segment();
    put_group();
    put(2);
    world_close(&w);
    CHECK_UINT(world_size(&w), LAST);
    snprintf(out, sizeof out, "%s-out", w.dir);
    err = (struct plog_error){.code = 0};
}

/* The last commit at or below. */
static const struct plog_head *head_at(uint64_t seq)
{
    while (seq > 1 && heads[seq].size == 0)
        seq--;
    return &heads[seq];
}

static bool is_head(const struct plog_head *h, uint64_t size)
{
    const struct plog_head *want = &heads[size];
    bool ok = CHECK_UINT(h->size, size);
    ok &= CHECK(memcmp(h->root, want->root, sizeof h->root) == 0);
    ok &= CHECK(memcmp(h->sig, want->sig, sizeof h->sig) == 0);
    ok &= CHECK_TEXT(h->key, want->key);
    return ok;
}

static bool is_origin(const char *origin)
{
    size_t n = strcspn(w.vkey, "+");
    return CHECK(strlen(origin) == n && memcmp(origin, w.vkey, n) == 0);
}

/* The segments in a log: how many, and their bytes. */
static uint64_t segments_in(const char *dir, uint64_t *bytes)
{
    struct tree t;
    char path[800];
    uint64_t count = 0;
    *bytes = 0;
    snprintf(path, sizeof path, "%s/log", dir);
    tree_read(&t, path);
    for (size_t i = 0; i < t.count; i++)
        if (strstr(t.files[i].name, ".jsonl")) {
            count++;
            *bytes += t.files[i].size;
        }
    tree_free(&t);
    return count;
}

static uint64_t segments_up_to(uint64_t size)
{
    return size >= 15 ? 3 : size >= 8 ? 2 : 1;
}

/* ---- Restored --------------------------------------------------------------
 */

static void restored_at(uint64_t at, bool dry_run)
{
    struct plog_restore_options o = {
        .struct_size = sizeof o, .at_seq = at, .dry_run = dry_run};
    struct plog_restore_report r;
    uint64_t bytes, size = head_at(at ? at : LAST)->size;
    CHECK_INT(plog_restore(w.dir, out, &o, &r, &err), 0);
    bool ok = is_head(&r.head, size);
    ok &= CHECK_UINT(r.source.size, LAST);
    ok &= CHECK(!memcmp(r.source.root, heads[LAST].root, PLOG_HASH_SIZE));
    ok &= is_origin(r.origin);
    ok &= CHECK_UINT(r.left_out, LAST - size);
    ok &= CHECK_UINT(r.segments, segments_up_to(size));
    ok &= CHECK(r.dry_run == dry_run && !r.adopted);
    ok &= CHECK_UINT(r.floor, 0);
    ok &= CHECK_UINT(r.continued.size, 0);
    ok &= CHECK_TEXT(r.vkey, "");
    ok &= CHECK_UINT(strlen(r.logged_at) >= 20, 1);
    ok &= CHECK((access(out, F_OK) == 0) == !dry_run);
    if (!dry_run) {
        struct world copy = w;
        struct world_found f;
        snprintf(copy.dir, sizeof copy.dir, "%.500s", out);
        ok &= CHECK_UINT(segments_in(out, &bytes), r.segments);
        ok &= CHECK_UINT(bytes, r.bytes);
        ok &= CHECK_INT(world_parity(&copy, NULL, &f), 0);
        ok &= is_head(&f.report.head, size);
        world_remove(out);
    }
    if (!ok)
        printf("# at %" PRIu64 ", dry run %d\n", at, dry_run);
}

static void restored(void)
{
    make();
    for (uint64_t at = 0; at <= LAST; at++)
        for (int dry_run = 0; dry_run < 2; dry_run++)
            restored_at(at, dry_run);
    world_end(&w, LAST);
}

static void restored_too_far(void)
{
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .at_seq = LAST + 1};
    struct plog_restore_report r;
    make();
    CHECK_INT(plog_restore(w.dir, out, &o, &r, &err), PLOG_E_NOT_FOUND);
    CHECK_INT(err.code, PLOG_E_NOT_FOUND);
    CHECK(access(out, F_OK) != 0);
    o = (struct plog_restore_options){.struct_size = sizeof o,
                                      .at_time = "2000-01-01T00:00:00Z"};
    CHECK_INT(plog_restore(w.dir, out, &o, &r, &err), PLOG_E_NOT_FOUND);
    o.at_time = "2000-01-01";
    CHECK_INT(plog_restore(w.dir, out, &o, &r, &err), PLOG_E_INPUT);
    CHECK(access(out, F_OK) != 0);
    o.at_time = "2999-01-01T00:00:00Z"; /* all of it */
    CHECK_INT(plog_restore(w.dir, out, &o, &r, &err), 0);
    is_head(&r.head, LAST);
    CHECK_INT(plog_restore(w.dir, out, &o, &r, &err), PLOG_E_EXISTS);
    CHECK_INT(err.code, PLOG_E_EXISTS);
    world_remove(out);
}

/* The signing key goes along to exactly the head that is named. */
static void adopted(void)
{
    struct plog_restore_options o = {
        .struct_size = sizeof o, .adopt = true, .adopt_size = LAST};
    struct plog_restore_report r;
    char key[800];
    make();
    snprintf(key, sizeof key, "%s/keys/signing.key", out);
    memcpy(o.adopt_root, heads[LAST].root, sizeof o.adopt_root);
    CHECK_INT(plog_restore(w.dir, out, &o, &r, &err), 0);
    CHECK(r.adopted);
    CHECK(access(key, F_OK) == 0);
    world_remove(out);
    o.adopt_root[31] ^= 1;
    CHECK_INT(plog_restore(w.dir, out, &o, &r, &err), PLOG_E_FORK);
    CHECK(access(out, F_OK) != 0);
    memcpy(o.adopt_root, heads[LAST].root, sizeof o.adopt_root);
    o.adopt_size = LAST - 1;
    CHECK_INT(plog_restore(w.dir, out, &o, &r, &err), PLOG_E_FORK);
    CHECK(access(out, F_OK) != 0);
    o = (struct plog_restore_options){.struct_size = sizeof o};
    CHECK_INT(plog_restore(w.dir, out, &o, &r, &err), 0);
    CHECK(!r.adopted);
    CHECK(access(key, F_OK) != 0);
    world_remove(out);
}

/* Under another name, with a key of its own. */
static void continued(void)
{
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .at_seq = 13,
                                     .continue_as = "other.example/log"};
    struct plog_restore_report r;
    struct world copy;
    struct world_found f;
    make();
    CHECK_INT(plog_restore(w.dir, out, &o, &r, &err), 0);
    is_head(&r.head, 13);
    is_origin(r.origin);
    CHECK_UINT(r.continued.size, 14);
    CHECK(strncmp(r.vkey, "other.example/log+", 18) == 0);
    memset(&copy, 0, sizeof copy);
    snprintf(copy.dir, sizeof copy.dir, "%.500s", out);
    CHECK_INT(world_parity(&copy, NULL, &f), 0);
    CHECK_UINT(f.report.head.size, 14);
    CHECK_TEXT(f.report.origin, "other.example/log");
    CHECK_TEXT(f.report.vkey, r.vkey);
    CHECK(memcmp(f.report.head.root, r.continued.root, PLOG_HASH_SIZE) == 0);
    CHECK_TEXT(f.report.head.key, r.continued.key);
    CHECK_INT(plog_open(&copy.p, out, NULL, NULL), 0);
    CHECK_INT(world_put(&copy, NULL, "1", "on", NULL), 0);
    world_end(&copy, 15);
    world_remove(out);
}

/* ---- Rebuilt ---------------------------------------------------------------
 */

static void rebuilt(void)
{
    make();
    for (int dry_run = 0; dry_run < 2; dry_run++) {
        struct plog_rebuild_options o = {.struct_size = sizeof o,
                                         .dry_run = dry_run};
        struct plog_rebuild_report r;
        uint64_t bytes, here;
        CHECK_INT(plog_rebuild_log(w.dir, out, &o, &r, &err), 0);
        CHECK_INT(r.verdict, 0);
        CHECK_TEXT(r.why, "");
        CHECK_UINT(r.missing_from, 0);
        CHECK_UINT(r.missing_to, 0);
        is_origin(r.origin);
        is_head(&r.head, LAST);
        CHECK_UINT(r.entries, LAST);
        CHECK_UINT(r.segments, 3);
        CHECK(r.dry_run == dry_run);
        CHECK_TEXT(r.quarantine, "");
        if (!dry_run) {
            CHECK_UINT(segments_in(out, &bytes), 3);
            CHECK_UINT(r.bytes, bytes);
            CHECK_UINT(segments_in(w.dir, &here), 3);
        }
        CHECK((access(out, F_OK) == 0) == !dry_run);
        world_remove(out);
        CHECK_INT(plog_rebuild_store(w.dir, out, &o, &r, &err), 0);
        CHECK_INT(r.verdict, 0);
        is_origin(r.origin);
        is_head(&r.head, LAST);
        CHECK_UINT(r.entries, LAST);
        CHECK((access(out, F_OK) == 0) == !dry_run);
        world_remove(out);
    }
    world_end(&w, LAST);
}

/* What the store does not prove is missing, from there to its end. */
static void rebuilt_in_part(void)
{
    for (uint64_t seq = 1; seq <= LAST; seq++) {
        struct plog_rebuild_options o = {.struct_size = sizeof o};
        struct plog_rebuild_report r;
        char sql[80];
        make();
        snprintf(sql, sizeof sql,
                 "UPDATE events SET line=line||' ' WHERE seq=%" PRIu64, seq);
        world_sql(&w, sql);
        int rc = plog_rebuild_log(w.dir, out, &o, &r, &err);
        if (seq == 1) {
            CHECK(rc != 0 && err.code == rc);
            CHECK(access(out, F_OK) != 0);
            continue;
        }
        uint64_t size = head_at(seq - 1)->size;
        CHECK_INT(rc, 0);
        bool ok = CHECK(r.verdict != 0 && r.why[0]);
        ok &= is_head(&r.head, size);
        ok &= CHECK_UINT(r.entries, size);
        ok &= CHECK_UINT(r.missing_from, size + 1);
        ok &= CHECK_UINT(r.missing_to, LAST);
        ok &= CHECK_UINT(r.segments, segments_up_to(size));
        if (!ok)
            printf("# %" PRIu64 ": %d %s\n", seq, r.verdict, r.why);
        world_remove(out);
    }
}

/* ---- Replayed --------------------------------------------------------------
 */

struct entries {
    uint64_t next, applied, present;
};

static int see_entry(void *arg, const struct plog_replayed *e)
{
    struct entries *seen = arg;
    CHECK_UINT(e->seq, seen->next);
    CHECK(e->strategy == NULL);
    seen->next++;
    seen->applied += e->state == PLOG_REPLAY_APPLIED;
    seen->present += e->state == PLOG_REPLAY_PRESENT;
    return 0;
}

/* From nothing up to `to`, then all the rest. */
static void replayed_to(uint64_t to, bool dry_run)
{
    struct entries seen = {1, 0, 0};
    struct plog_replay_options o = {.struct_size = sizeof o,
                                    .to = to,
                                    .dry_run = dry_run,
                                    .entry = see_entry,
                                    .arg = &seen};
    struct plog_replay_report r;
    uint64_t size = head_at(to)->size;
    world_drop_store(&w);
    CHECK_INT(plog_replay(w.dir, &o, &r, &err), 0);
    bool ok = CHECK_UINT(r.base, 0);
    ok &= CHECK_UINT(r.from, 1);
    ok &= CHECK_UINT(r.to, size);
    ok &= CHECK_UINT(r.applied, size);
    ok &= CHECK_UINT(r.present, 0);
    ok &= CHECK_UINT(r.skipped, 0);
    ok &= CHECK_UINT(r.torn_bytes, 0);
    ok &= CHECK(r.dry_run == dry_run && !r.fresh);
    ok &= CHECK_TEXT(r.quarantine, "");
    ok &= CHECK_UINT(seen.next, size + 1);
    ok &= CHECK_UINT(seen.applied, size);
    ok &= CHECK((world_has(&w, "store.db")) == !dry_run);
    if (!dry_run) {
        ok &= is_head(&r.head, size);
        seen = (struct entries){1, 0, 0};
        o.to = 0;
        ok &= CHECK_INT(plog_replay(w.dir, &o, &r, &err), 0);
        ok &= CHECK_UINT(r.from, size < LAST ? size + 1 : 0);
        ok &= CHECK_UINT(r.to, size < LAST ? LAST : 0);
        ok &= CHECK_UINT(r.applied, LAST - size);
        ok &= CHECK_UINT(r.present, size);
        ok &= CHECK_UINT(seen.present, size);
        ok &= CHECK_UINT(seen.next, LAST + 1);
        ok &= is_head(&r.head, LAST);
    }
    if (!ok)
        printf("# to %" PRIu64 ", dry run %d\n", to, dry_run);
}

static void replayed(void)
{
    make();
    for (uint64_t to = 1; to <= LAST; to++)
        for (int dry_run = 1; dry_run >= 0; dry_run--)
            replayed_to(to, dry_run);
    world_end(&w, LAST);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"restored", restored}, {"restored too far", restored_too_far},
        {"adopted", adopted},   {"continued", continued},
        {"rebuilt", rebuilt},   {"rebuilt in part", rebuilt_in_part},
        {"replayed", replayed},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
