/*
 * test_callbacks.c - what the caller is told of on the way, and that he can
 * stop it there: each callback of each function says no at its n-th call, n =
 * 1, 2, ... until it is never asked that often.
 *
 * Stopped, the function says PLOG_E_INTERRUPTED, both legs are as good as
 * before, no part of a copy is left; run again it completes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "paritylog_recovery.h"
#include "peers.h"
#include "world.h"

#define GROUP 1500

static struct world base, w;
static char out[700];

struct counter {
    unsigned calls, stop_at;
};

static struct counter c;

static int tick(void *arg)
{
    struct counter *at = arg;
    CHECK(at == &c);
    return ++at->calls == at->stop_at;
}
static int progress(void *arg, const struct plog_progress *p)
{
    CHECK(p->phase && *p->phase);
    return tick(arg);
}
static int finding(void *arg, const struct plog_finding *f)
{
    CHECK(f->verdict < 0);
    return tick(arg);
}
static int entry(void *arg, const struct plog_replayed *e)
{
    CHECK(e->seq > 0);
    return tick(arg);
}
static int line(void *arg, const char *text, size_t len, bool proven)
{
    CHECK(text && len && proven);
    return tick(arg);
}
static int range(void *arg, const struct plog_salvaged *s)
{
    CHECK(s->file != NULL);
    return tick(arg);
}
static int text(void *arg, const char *p, size_t len)
{
    CHECK(p && len);
    return tick(arg);
}
static int checkup(void *arg, const struct plog_checkup *up)
{
    CHECK(up->name[0] && up->found[0]);
    return tick(arg);
}
static int odd_line(void *arg, const struct plog_inspected *l)
{
    CHECK(l->line > 0);
    return tick(arg);
}

/* ---- The calls --------------------------------------------------------------
 */

static struct plog_error err;

#define CHECKING(name, call, what)                                             \
    static int name(void)                                                      \
    {                                                                          \
        struct plog_check_options o = {                                        \
            .struct_size = sizeof o, .what = what, .arg = &c};                 \
        struct plog_check_report r;                                            \
        return call(w.dir, &o, &r, &err);                                      \
    }
CHECKING(verify_progress, plog_verify, progress)
CHECKING(parity_progress, plog_parity, progress)
CHECKING(verify_finding, plog_verify, finding)
CHECKING(parity_finding, plog_parity, finding)

static int witness_progress(void)
{
    struct plog_check_options o = {
        .struct_size = sizeof o, .progress = progress, .arg = &c};
    struct plog_witness_report r;
    return plog_witness(w.dir, out, &o, &r, &err);
}

static int replay(struct plog_replay_options o)
{
    struct plog_replay_report r;
    o.struct_size = sizeof o;
    o.arg = &c;
    return plog_replay(w.dir, &o, &r, &err);
}
static int replay_progress(void)
{
    return replay(
        (struct plog_replay_options){.progress = progress, .fresh = true});
}
static int replay_entry(void)
{
    return replay((struct plog_replay_options){.entry = entry, .fresh = true});
}
static int replay_dry(void)
{
    return replay(
        (struct plog_replay_options){.entry = entry, .dry_run = true});
}

static int rebuild_log(void)
{
    struct plog_rebuild_options o = {
        .struct_size = sizeof o, .progress = progress, .arg = &c};
    struct plog_rebuild_report r;
    return plog_rebuild_log(w.dir, out, &o, &r, &err);
}
static int rebuild_store(void)
{
    struct plog_rebuild_options o = {
        .struct_size = sizeof o, .progress = progress, .arg = &c};
    struct plog_rebuild_report r;
    return plog_rebuild_store(w.dir, out, &o, &r, &err);
}
static int restore(void)
{
    struct plog_restore_options o = {
        .struct_size = sizeof o, .progress = progress, .arg = &c};
    struct plog_restore_report r;
    return plog_restore(w.dir, out, &o, &r, &err);
}
static int drill(void)
{
    struct plog_drill_options o = {
        .struct_size = sizeof o, .progress = progress, .arg = &c};
    struct plog_drill_report r;
    return plog_drill(w.dir, &o, &r, &err);
}

static int salvage(struct plog_salvage_options o)
{
    struct plog_salvage_report r;
    o.struct_size = sizeof o;
    o.arg = &c;
    return plog_salvage(w.dir, &o, &r, &err);
}
static int salvage_line(void)
{
    return salvage((struct plog_salvage_options){.line = line});
}
static int salvage_range(void)
{
    return salvage((struct plog_salvage_options){.range = range});
}
static int salvage_progress(void)
{
    return salvage((struct plog_salvage_options){.progress = progress});
}

static int prove(struct plog_prove_options o)
{
    o.struct_size = sizeof o;
    o.arg = &c;
    return plog_prove(w.dir, 3, &o, &err);
}
static int prove_out(void)
{
    return prove((struct plog_prove_options){.out = text});
}
static int prove_progress(void)
{
    return prove((struct plog_prove_options){.progress = progress});
}

static int compact(void)
{
    struct plog_compact_options o = {
        .struct_size = sizeof o, .progress = progress, .arg = &c};
    struct plog_compact_report r;
    return plog_compact(w.dir, &o, &r, &err);
}

static int doctor_checkup(void)
{
    struct plog_doctor_options o = {
        .struct_size = sizeof o, .checkup = checkup, .arg = &c};
    struct plog_doctor_report r;
    return plog_doctor(w.dir, &o, &r, &err);
}
static int doctor_progress(void)
{
    struct plog_doctor_options o = {
        .struct_size = sizeof o, .progress = progress, .arg = &c};
    struct plog_doctor_report r;
    return plog_doctor(w.dir, &o, &r, &err);
}

static int inspect(struct plog_inspect_options o)
{
    struct plog_inspect_report r;
    char path[600];
    snprintf(path, sizeof path, "%s/lines", w.dir);
    o.struct_size = sizeof o;
    o.arg = &c;
    return plog_inspect(path, &o, &r, &err);
}
static int inspect_line(void)
{
    return inspect((struct plog_inspect_options){.line = odd_line});
}
static int inspect_progress(void)
{
    return inspect((struct plog_inspect_options){.progress = progress});
}

/* ---- Stopping ---------------------------------------------------------------
 */

/* In a copy of `base`; how often it asked when nobody stopped it. */
static unsigned asked(const char *name, int (*call)(void), unsigned stop_at,
                      unsigned all)
{
    snprintf(w.dir, sizeof w.dir, "%.400s-copy", base.dir);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    world_copy(base.dir, w.dir);
    c = (struct counter){.stop_at = stop_at};
    err = (struct plog_error){.code = 0};
    int rc = call();
    unsigned calls = c.calls;
    /* At the last call all may have been done. */
    bool stopped = stop_at && calls >= stop_at && (rc || stop_at != all);
    if (!CHECK_INT(rc, stopped ? PLOG_E_INTERRUPTED : 0) ||
        !CHECK(!rc || err.code == rc) || !CHECK(!stop_at || calls <= stop_at))
        printf("# %s, stopped at %u: %s\n", name, stop_at, err.message);
    if (rc == PLOG_E_INTERRUPTED) {
        CHECK(access(out, F_OK) != 0);
        c.stop_at = 0;
        if (!CHECK_INT(call(), 0))
            printf("# %s, once more: %s\n", name, err.message);
    }
    world_remove(w.dir);
    world_remove(out);
    return calls;
}

static void stop_everywhere(const char *name, int (*call)(void))
{
    unsigned all = asked(name, call, 0, 0);
    if (!CHECK(all > 0))
        printf("# %s never asks\n", name);
    for (unsigned n = 1; n <= all + 1; n += n < 4 ? 1 : 1 + all / 4)
        asked(name, call, n, all);
}
#define STOP(call) stop_everywhere(#call, call)

static void make(void)
{
    static char lines[30000];
    uint64_t first;
    world_make(&base, PLOG_LAST_WRITE_WINS, 4096);
    for (int i = 0; i < 20; i++)
        CHECK_INT(world_put(&base, NULL, i % 2 ? "1" : "2", "v", NULL), 0);
    CHECK_INT(plog_new_segment(base.p, &first, NULL), 0);
    CHECK_INT(world_put(&base, NULL, "1", "v", NULL), 0);
    world_close(&base);
    CHECK_INT(peers_add(&base, "p"), 0);
    CHECK_INT(peers_ack(&base, "p", first), 0);
    for (int i = 0; i < 2500; i++)
        strcpy(lines + 10 * i, i % 100 ? "{\"a\":\"b\"}\n" : "{\"a\":\"b }\n");
    world_write(world_path(&base, "lines"), lines, strlen(lines));
}

static void of_checks(void)
{
    make();
    STOP(doctor_checkup);
    STOP(inspect_line);
    STOP(inspect_progress);
    STOP(prove_out);
    STOP(prove_progress);
}

/* These ask now and then only. */
static void of_long_checks(void)
{
    static char texts[GROUP][300];
    static struct plog_span deltas[GROUP];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = GROUP};
    make();
    for (int i = 0; i < GROUP; i++) {
        char record[16];
        struct world_delta d = {.record = record};
        snprintf(record, sizeof record, "%d", i);
        world_text(texts[i], sizeof texts[i], &d);
        deltas[i] = (struct plog_span){texts[i], strlen(texts[i])};
    }
    CHECK_INT(world_open(&base), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(plog_append_group(base.p, &g, NULL, NULL), 0);
    world_close(&base);
    STOP(verify_progress);
    STOP(parity_progress);
    STOP(witness_progress);
    STOP(doctor_progress);
}

static void of_findings(void)
{
    make();
    world_sql(&base, "UPDATE events SET op='x' WHERE seq>3");
    STOP(parity_finding);
    size_t n;
    char path[700];
    snprintf(path, sizeof path, "%s/log/00000000000000000001.jsonl", base.dir);
    char *bytes = world_read(path, &n);
    bytes[n / 2] ^= 1;
    world_write(path, bytes, n);
    free(bytes);
    STOP(verify_finding);
}

static void of_what_writes(void)
{
    make();
    STOP(replay_progress);
    STOP(replay_entry);
    STOP(replay_dry);
    STOP(rebuild_log);
    STOP(rebuild_store);
    STOP(restore);
    STOP(drill);
    STOP(compact);
    STOP(salvage_line);
    STOP(salvage_progress);
    world_end(&base, 23);
}

static void of_salvage(void)
{
    make();
    size_t n;
    char path[700];
    snprintf(path, sizeof path, "%s/log/00000000000000000001.jsonl", base.dir);
    char *bytes = world_read(path, &n);
    bytes[n / 2] ^= 1;
    world_write(path, bytes, n);
    free(bytes);
    STOP(salvage_range);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"of checks", of_checks},     {"of long checks", of_long_checks},
        {"of findings", of_findings}, {"of what writes", of_what_writes},
        {"of salvage", of_salvage},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
