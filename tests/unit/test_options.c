/*
 * test_options.c - what every function says of options that are none, of a
 * directory that is none, and of values out of their range, without having
 * touched anything.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "paritylog_recovery.h"
#include "world.h"

static struct world w;
static char out[700]; /* a path that is not there */

/* Room for the options of anything, with a struct_size in front. */
struct any {
    uint32_t struct_size;
    unsigned char rest[12000];
};

static union {
    struct any any;
    struct plog_options open;
    struct plog_init_options init;
    struct plog_check_options check;
    struct plog_replay_options replay;
    struct plog_rebuild_options rebuild;
    struct plog_restore_options restore;
    struct plog_drill_options drill;
    struct plog_salvage_options salvage;
    struct plog_prove_options prove;
    struct plog_redact_options redact;
    struct plog_peer_options peer;
    struct plog_compact_options compact;
    struct plog_doctor_options doctor;
    struct plog_inspect_options inspect;
    struct plog_rotate_options rotate;
} o;

static union {
    struct plog_check_report check;
    struct plog_replay_report replay;
    struct plog_rebuild_report rebuild;
    struct plog_restore_report restore;
    struct plog_drill_report drill;
    struct plog_salvage_report salvage;
    struct plog_witness_report witness;
    struct plog_redact_report redact;
    struct plog_peer_report peer;
    struct plog_compact_report compact;
    struct plog_doctor_report doctor;
    struct plog_inspect_report inspect;
    struct plog_rotate_report rotate;
    struct plog_status status;
} report;

/* ---- All that takes options and a directory -------------------------------
 */

static struct plog_error err;

static int call_open(const char *dir)
{
    plog *p = NULL;
    int rc = plog_open(&p, dir, &o.open, &err);
    CHECK((p != NULL) == (rc == 0));
    plog_close(p);
    return rc;
}
static int call_reader(const char *dir)
{
    plog_reader *r = NULL;
    int rc = plog_reader_open(&r, dir, &o.open, &err);
    CHECK((r != NULL) == (rc == 0));
    plog_reader_close(r);
    return rc;
}
static int call_status(const char *dir)
{
    return plog_read_status(dir, &o.open, &report.status, &err);
}
static int call_verify(const char *dir)
{
    return plog_verify(dir, &o.check, &report.check, &err);
}
static int call_parity(const char *dir)
{
    return plog_parity(dir, &o.check, &report.check, &err);
}
static int call_replay(const char *dir)
{
    return plog_replay(dir, &o.replay, &report.replay, &err);
}
static int call_rebuild_log(const char *dir)
{
    return plog_rebuild_log(dir, out, &o.rebuild, &report.rebuild, &err);
}
static int call_rebuild_store(const char *dir)
{
    return plog_rebuild_store(dir, out, &o.rebuild, &report.rebuild, &err);
}
static int call_restore(const char *dir)
{
    return plog_restore(dir, out, &o.restore, &report.restore, &err);
}
static int call_drill(const char *dir)
{
    return plog_drill(dir, &o.drill, &report.drill, &err);
}
static int call_salvage(const char *dir)
{
    return plog_salvage(dir, &o.salvage, &report.salvage, &err);
}
static int call_witness(const char *dir)
{
    return plog_witness(dir, out, &o.check, &report.witness, &err);
}
static int call_prove(const char *dir)
{
    return plog_prove(dir, 1, &o.prove, &err);
}
static int call_prove_consistency(const char *dir)
{
    return plog_prove_consistency(dir, "", 0, &o.prove, &err);
}
static int call_redact(const char *dir)
{
    return plog_redact(dir, 2, &o.redact, &report.redact, &err);
}
static int call_peer_add(const char *dir)
{
    return plog_peer_add(dir, "p", &o.peer, &report.peer, &err);
}
static int call_peer_evict(const char *dir)
{
    return plog_peer_evict(dir, "p", &o.peer, &report.peer, &err);
}
static int call_peer_ack(const char *dir)
{
    return plog_peer_ack(dir, "p", 1, NULL, &o.peer, &report.peer, &err);
}
static int call_peer_rewind(const char *dir)
{
    return plog_peer_rewind(dir, "p", 1, &o.peer, &report.peer, &err);
}
static int see_peer(void *arg, const struct plog_peer *p)
{
    (void)arg, (void)p;
    return 0;
}
static int call_peers(const char *dir)
{
    return plog_peers(dir, &o.open, see_peer, NULL, &err);
}
static int see_redaction(void *arg, const struct plog_redaction *r)
{
    (void)arg, (void)r;
    return 0;
}
static int call_redactions(const char *dir)
{
    return plog_redactions(dir, &o.open, see_redaction, NULL, &err);
}
static int call_compact(const char *dir)
{
    return plog_compact(dir, &o.compact, &report.compact, &err);
}
static int call_doctor(const char *dir)
{
    return plog_doctor(dir, &o.doctor, &report.doctor, &err);
}
static int call_inspect(const char *dir)
{
    return plog_inspect(dir, &o.inspect, &report.inspect, &err);
}
static int call_rotate(const char *dir)
{
    return plog_key_rotate(dir, &o.rotate, &report.rotate, &err);
}
static int call_key_show(const char *dir)
{
    char vkey[PLOG_VKEY_MAX];
    return plog_key_show(dir, &o.open, vkey, &err);
}
static int see_key(void *arg, const struct plog_key_info *k)
{
    (void)arg, (void)k;
    return 0;
}
static int call_key_list(const char *dir)
{
    return plog_key_list(dir, &o.open, see_key, NULL, &err);
}
static int call_key_trust(const char *dir)
{
    bool added;
    return plog_key_trust(dir, w.vkey, true, &o.open, &added, &err);
}
static int call_rehearse(const char *dir)
{
    return plog_rehearse(dir, &o.open, NULL, &err);
}
static int call_subscribe(const char *dir)
{
    plog_sub *sub = NULL;
    int rc = plog_subscribe(&sub, dir, 1, &o.open, &err);
    plog_sub_close(sub);
    return rc;
}

static const struct call {
    const char *name;
    int (*run)(const char *dir);
    size_t size;  /* of its options */
    double *wait; /* one of them */
    int locked;   /* its code while another process holds both locks */
} calls[] = {
    {"open", call_open, sizeof o.open, &o.open.wait_seconds, PLOG_E_LOCKED},
    {"reader", call_reader, sizeof o.open, &o.open.wait_seconds, 0},
    {"status", call_status, sizeof o.open, &o.open.wait_seconds, 0},
    {"verify", call_verify, sizeof o.check, &o.check.wait_seconds, 0},
    {"parity", call_parity, sizeof o.check, &o.check.wait_seconds, 0},
    {"replay", call_replay, sizeof o.replay, &o.replay.wait_seconds,
     PLOG_E_LOCKED},
    {"rebuild log", call_rebuild_log, sizeof o.rebuild, &o.rebuild.wait_seconds,
     0},
    {"rebuild store", call_rebuild_store, sizeof o.rebuild,
     &o.rebuild.wait_seconds, 0},
    {"restore", call_restore, sizeof o.restore, &o.restore.wait_seconds, 0},
    {"drill", call_drill, sizeof o.drill, &o.drill.wait_seconds, 0},
    {"salvage", call_salvage, sizeof o.salvage, &o.salvage.wait_seconds,
     PLOG_E_LOCKED},
    {"witness", call_witness, sizeof o.check, &o.check.wait_seconds, 0},
    {"prove", call_prove, sizeof o.prove, &o.prove.wait_seconds, 0},
    {"prove consistency", call_prove_consistency, sizeof o.prove,
     &o.prove.wait_seconds, PLOG_E_INPUT},
    {"redact", call_redact, sizeof o.redact, &o.redact.wait_seconds,
     PLOG_E_LOCKED},
    {"peer add", call_peer_add, sizeof o.peer, &o.peer.wait_seconds,
     PLOG_E_LOCKED},
    {"peer evict", call_peer_evict, sizeof o.peer, &o.peer.wait_seconds,
     PLOG_E_LOCKED},
    {"peer ack", call_peer_ack, sizeof o.peer, &o.peer.wait_seconds,
     PLOG_E_LOCKED},
    {"peer rewind", call_peer_rewind, sizeof o.peer, &o.peer.wait_seconds,
     PLOG_E_LOCKED},
    {"peers", call_peers, sizeof o.open, &o.open.wait_seconds, 0},
    {"redactions", call_redactions, sizeof o.open, &o.open.wait_seconds, 0},
    {"compact", call_compact, sizeof o.compact, &o.compact.wait_seconds,
     PLOG_E_LOCKED},
    {"doctor", call_doctor, sizeof o.doctor, &o.doctor.wait_seconds, 0},
    {"inspect", call_inspect, sizeof o.inspect, NULL, PLOG_E_IO},
    {"subscribe", call_subscribe, sizeof o.open, &o.open.wait_seconds, 0},
    {"key show", call_key_show, sizeof o.open, &o.open.wait_seconds, 0},
    {"key list", call_key_list, sizeof o.open, &o.open.wait_seconds, 0},
    {"key trust", call_key_trust, sizeof o.open, &o.open.wait_seconds, 0},
    {"rehearse", call_rehearse, sizeof o.open, &o.open.wait_seconds, 0},
    {"rotate", call_rotate, sizeof o.rotate, &o.rotate.wait_seconds,
     PLOG_E_LOCKED},
};

/* ---- Cases -----------------------------------------------------------------
 */

static void make(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    CHECK_INT(world_put(&w, "i", "1", "v", NULL), 0);
    world_close(&w);
    snprintf(out, sizeof out, "%s-out", w.dir);
}

static void refused(const struct call *c, uint32_t size, const char *dir)
{
    err = (struct plog_error){.code = 0};
    o.any.struct_size = size;
    int rc = c->run(dir);
    if (!CHECK_INT(rc, PLOG_E_ARG) || !CHECK_INT(err.code, rc) ||
        !CHECK(strstr(err.message, "struct_size") != NULL))
        printf("# %s, struct_size %u: %s\n", c->name, size, err.message);
}

/* A size that none of our structures has, and bytes that we do not know. */
static void sizes_of(size_t from, size_t to)
{
    make();
    for (size_t i = from; i < to; i++) {
        const struct call *c = &calls[i];
        memset(&o, 0, sizeof o);
        refused(c, 0, w.dir);
        refused(c, 4, w.dir);
        refused(c, (uint32_t)c->size + 5000, w.dir);
        o.any.struct_size = (uint32_t)c->size + 8;
        ((unsigned char *)&o)[c->size + 3] = 1;
        err = (struct plog_error){.code = 0};
        if (!CHECK_INT(c->run(w.dir), PLOG_E_ARG))
            printf("# %s: takes what it does not know\n", c->name);
        CHECK(access(out, F_OK) != 0);
    }
    world_end(&w, 2);
}

/* What an older caller has: nothing behind its size is read. */
static void smaller(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char vkey[PLOG_VKEY_MAX];
    bool added;
    plog_reader *r = NULL;
    plog_sub *sub = NULL;
    plog *p = NULL;
    REQUIRE(two != MAP_FAILED);
    CHECK_INT(mprotect(two + page, page, PROT_NONE), 0);
    make();
    for (uint32_t size = 8; size <= 32; size += 8) {
        void *at = two + page - size;
        memset(two, 0, page);
        memcpy(at, &size, sizeof size);
        CHECK_INT(plog_open(&p, w.dir, at, NULL), 0);
        plog_close(p);
        CHECK_INT(plog_reader_open(&r, w.dir, at, NULL), 0);
        plog_reader_close(r);
        CHECK_INT(plog_subscribe(&sub, w.dir, 1, at, NULL), 0);
        plog_sub_close(sub);
        CHECK_INT(plog_read_status(w.dir, at, &report.status, NULL), 0);
        CHECK_INT(plog_key_show(w.dir, at, vkey, NULL), 0);
        CHECK_INT(plog_key_list(w.dir, at, see_key, NULL, NULL), 0);
        CHECK_INT(plog_key_trust(w.dir, vkey, true, at, &added, NULL), 0);
        CHECK_INT(plog_peers(w.dir, at, see_peer, NULL, NULL), 0);
        CHECK_INT(plog_redactions(w.dir, at, see_redaction, NULL, NULL), 0);
    }
    munmap(two, 2 * page);
    world_end(&w, 2);
}

/* What a newer caller has, who asks for nothing new. */
static void larger(void)
{
    make();
    memset(&o, 0, sizeof o);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const struct call *c = &calls[i];
        if (c->size != sizeof o.open)
            continue;
        o.any.struct_size = (uint32_t)c->size + 4096;
        err = (struct plog_error){.code = 0};
        if (!CHECK_INT(c->run(w.dir), 0))
            printf("# %s: %s\n", c->name, err.message);
    }
    world_end(&w, 2);
}

#define CALLS (sizeof calls / sizeof *calls)

static void sizes(void)
{
    sizes_of(0, CALLS - 1);
}

static void rotate_takes_only_its_own(void)
{
    sizes_of(CALLS - 1, CALLS);
}

/* Options that are good for this call. */
static void prepare(const struct call *c)
{
    memset(&o, 0, sizeof o);
    o.any.struct_size = (uint32_t)c->size;
    if (c->run == call_redact)
        o.redact.reason = "a reason";
    if (c->run == call_peer_evict)
        o.peer.reason = "a reason";
}

static void no_log(void)
{
    char none[700];
    make();
    snprintf(none, sizeof none, "%s-none", w.dir);
    for (size_t i = 0; i < CALLS; i++) {
        const struct call *c = &calls[i];
        prepare(c);
        err = (struct plog_error){.code = 0};
        int rc = c->run(none);
        int want = c->run == call_inspect ? PLOG_E_IO : PLOG_E_NOTHING;
        if (!CHECK_INT(rc, want) || !CHECK_INT(err.code, rc))
            printf("# %s: %s\n", c->name, err.message);
        CHECK(access(none, F_OK) != 0);
        CHECK(access(out, F_OK) != 0);
    }
}

/* An error that was met on the way and dealt with, or that the caller had there
 * before. */
static void stale(void)
{
    err = (struct plog_error){.code = PLOG_E_NOTHING, .message = "of before"};
}

static bool told(const char *name, int rc)
{
    bool ok = CHECK_INT(err.code, rc < 0 ? rc : 0);
    ok &= CHECK(rc < 0 || err.message[0] == '\0');
    if (!ok)
        printf("# %s returned %d: %s\n", name, rc, err.message);
    return ok;
}

/* Whose code is looked at without the return value must not be misled. */
static void no_error_is_left(void)
{
    char vkey[PLOG_VKEY_MAX], dir[700];
    unsigned good = 0;
    make();
    for (size_t i = 0; i < CALLS; i++) {
        prepare(&calls[i]);
        stale();
        int rc = calls[i].run(w.dir);
        told(calls[i].name, rc);
        good += rc == 0;
        world_remove(out);
    }
    CHECK(good >= 22);
    snprintf(dir, sizeof dir, "%s-new", w.dir);
    err = (struct plog_error){.code = 0};
    told("init", plog_init(dir, NULL, vkey, &err));
    world_end(&w, world_size(&w));
}

static void no_error_is_left_by_handles(void)
{
    struct plog_span text = {NULL, 0}, value;
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = &text, .delta_count = 1};
    struct plog_ticket *t;
    struct plog_head head;
    struct plog_record record;
    plog_reader *r;
    plog_sub *s;
    char delta[300], note[PLOG_CHECKPOINT_MAX];
    uint64_t seq;
    const char *line;
    size_t len;
    make();
    CHECK_INT(world_open(&w), 0);
    text.p = world_text(delta, sizeof delta, &(struct world_delta){.id = "j"});
    text.n = strlen(delta);
#define TELLS(call) (stale(), told(#call, (call)))
    TELLS(plog_append(w.p, text.p, text.n, NULL, &err));
    TELLS(plog_append_group(w.p, &g, NULL, &err));
    TELLS(plog_submit(w.p, &g, &t, &err));
    TELLS(plog_wait(t, NULL, &err));
    TELLS(plog_set_strategy(w.p, PLOG_ARRIVAL, NULL, &err));
    TELLS(plog_new_segment(w.p, &seq, &err));
    TELLS(plog_new_segment(w.p, &seq, &err)); /* PLOG_PRESENT */
    TELLS(plog_catch_up(w.p, &err));
    TELLS(plog_get_head(w.p, &head, &err));
    char *entry = world_line(&w, 2, &len);
    TELLS(plog_apply_logged(w.p, entry, len, &err));
    free(entry);
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    TELLS(plog_reader_head(r, &head, &err));
    value = (struct plog_span){"1", 1};
    TELLS(plog_reader_get(r, (struct plog_span){"r", 1}, value, &record, &err));
    TELLS(plog_reader_get(r, value, value, &record, &err)); /* NOT_FOUND */
    TELLS(plog_reader_checkpoint(r, note, &err));
    TELLS(plog_reader_cursor(r, value, value, &value, &err));
    plog_reader_close(r);
    CHECK_INT(plog_subscribe(&s, w.dir, head.size, NULL, NULL), 0);
    TELLS(plog_sub_next(s, 0, &seq, &line, &len, &err));
    TELLS(plog_sub_next(s, 0, &seq, &line, &len, &err)); /* PLOG_TIMEOUT */
    plog_sub_close(s);
    world_end(&w, world_size(&w));
}

/* Another process at work: who would have to wait longer than he may says so,
 * whoever only reads does not wait. */
static void locked(void)
{
    char path[700];
    make();
    snprintf(path, sizeof path, "%s/lock", w.dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
    for (size_t i = 0; i < CALLS; i++) {
        const struct call *c = &calls[i];
        prepare(c);
        if (c->wait)
            *c->wait = 0.05;
        err = (struct plog_error){.code = 0};
        double began = world_seconds();
        int rc = c->run(w.dir);
        double took = world_seconds() - began;
        bool waits = rc == PLOG_E_LOCKED;
        if (!CHECK_INT(rc, c->locked) || !CHECK(took < 5) ||
            !CHECK(!waits || took >= 0.05) ||
            !CHECK(!waits || strstr(err.message, "holds the lock") != NULL))
            printf("# %s: %s, %.2f s\n", c->name, err.message, took);
        world_remove(out);
    }
    close(fd);
    world_end(&w, 2);
}

static void what_init_takes(void)
{
    static const struct plog_init_options bad[] = {
        {.strategy = (enum plog_strategy)77},
        {.line_max_bytes = 1023},
        {.line_max_bytes = PLOG_LINE_MAX + 1u},
        {.segment_size_bytes = 4095},
        {.segment_size_bytes = (1ull << 40) + 1},
        {.origin = ""},
        {.origin = "a b"},
        {.origin = "a+b"},
    };
    static const struct plog_init_options good[] = {
        {.line_max_bytes = 1024, .segment_size_bytes = 4096},
        {.line_max_bytes = PLOG_LINE_MAX, .segment_size_bytes = 1ull << 40},
        {.origin = "a.example/b"},
    };
    char dir[700], vkey[PLOG_VKEY_MAX];
    const char *top = check_dir();
    snprintf(dir, sizeof dir, "%s/log", top);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct plog_init_options one = bad[i];
        one.struct_size = sizeof one;
        err = (struct plog_error){.code = 0};
        CHECK_INT(plog_init(dir, &one, vkey, &err), PLOG_E_ARG);
        CHECK(err.message[0] != '\0');
        CHECK(access(dir, F_OK) != 0);
    }
    struct plog_init_options odd = {.struct_size = 3};
    CHECK_INT(plog_init(dir, &odd, vkey, &err), PLOG_E_ARG);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct plog_init_options one = good[i];
        struct plog_status s;
        one.struct_size = sizeof one;
        snprintf(dir, sizeof dir, "%s/log%zu", top, i);
        CHECK_INT(plog_init(dir, &one, vkey, &err), 0);
        CHECK_INT(plog_read_status(dir, NULL, &s, NULL), 0);
        CHECK_INT(plog_init(dir, &one, vkey, &err), PLOG_E_EXISTS);
    }
    snprintf(dir, sizeof dir, "%s/plain", top);
    CHECK_INT(plog_init(dir, NULL, vkey, NULL), 0); /* all by default */
}

static int none(void *arg, const struct plog_key_info *k)
{
    (void)arg, (void)k;
    return 0;
}
static int no_peer(void *arg, const struct plog_peer *p)
{
    (void)arg, (void)p;
    return 0;
}
static int no_row(void *arg, const struct plog_row *row)
{
    (void)arg, (void)row;
    return 0;
}

/* A path that was forgotten, or SQL, is the caller's mistake and not the
 * disk's; nor is it a crash. */
static void nothing_given(void)
{
    char vkey[PLOG_VKEY_MAX];
    plog *p;
    plog_reader *r;
    plog_sub *s;
    struct plog_status st;
    struct plog_check_report check;
    struct plog_replay_report replay;
    struct plog_restore_report restored;
    struct plog_rotate_report rotated;
    struct plog_salvage_report salvaged;
    struct plog_inspect_report inspected;
    struct plog_drill_report drilled;
    struct plog_doctor_report doctor;
    struct plog_selftest_report tested;
    struct plog_witness_report noted;
    make();
#define NO_PATH(call)                                                          \
    do {                                                                       \
        err = (struct plog_error){.code = 0};                                  \
        if (!CHECK_INT((call), PLOG_E_ARG) ||                                  \
            !CHECK_INT(err.code, PLOG_E_ARG) || !CHECK(err.message[0]))        \
            printf("# %s: %s\n", #call, err.message);                          \
    } while (0)
    NO_PATH(plog_init(NULL, NULL, vkey, &err));
    NO_PATH(plog_open(&p, NULL, NULL, &err));
    NO_PATH(plog_rehearse(NULL, NULL, NULL, &err));
    NO_PATH(plog_reader_open(&r, NULL, NULL, &err));
    NO_PATH(plog_subscribe(&s, NULL, 1, NULL, &err));
    NO_PATH(plog_read_status(NULL, NULL, &st, &err));
    NO_PATH(plog_key_show(NULL, NULL, vkey, &err));
    NO_PATH(plog_key_list(NULL, NULL, none, NULL, &err));
    NO_PATH(plog_key_rotate(NULL, NULL, &rotated, &err));
    NO_PATH(plog_verify(NULL, NULL, &check, &err));
    NO_PATH(plog_parity(NULL, NULL, &check, &err));
    NO_PATH(plog_replay(NULL, NULL, &replay, &err));
    NO_PATH(plog_salvage(NULL, NULL, &salvaged, &err));
    NO_PATH(plog_restore(NULL, "x", NULL, &restored, &err));
    NO_PATH(plog_restore(w.dir, NULL, NULL, &restored, &err));
    NO_PATH(plog_drill(NULL, NULL, &drilled, &err));
    NO_PATH(plog_doctor(NULL, NULL, &doctor, &err));
    NO_PATH(plog_inspect(NULL, NULL, &inspected, &err));
    NO_PATH(plog_selftest(NULL, NULL, &tested, &err));
    NO_PATH(plog_witness(NULL, "x", NULL, &noted, &err));
    NO_PATH(plog_witness(w.dir, NULL, NULL, &noted, &err));
    NO_PATH(plog_peers(NULL, NULL, no_peer, NULL, &err));
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    NO_PATH(plog_reader_query(r, NULL, no_row, NULL, &err));
    plog_reader_close(r);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"sizes", sizes},
        {"nothing given", nothing_given},
        {"rotate takes only its own", rotate_takes_only_its_own},
        {"smaller", smaller},
        {"larger", larger},
        {"no log", no_log},
        {"no error is left", no_error_is_left},
        {"no error is left by handles", no_error_is_left_by_handles},
        {"locked", locked},
        {"what init takes", what_init_takes},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
