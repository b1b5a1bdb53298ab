/*
 * echo.c - says whatever the library says, for run.py --echo to compare what a
 * mutant says with what the program itself said.
 *
 * A program that is changed and says the same, in every word and under every
 * fault, has not been told apart by these inputs; one that says something else
 * has been, whether or not a test would have called it wrong.  run.py counts
 * the two apart.
 *
 *     echo WORLD CALL [io|memory]
 *
 * WORLD is a log, or a log with one thing wrong; CALL one function that takes
 * a directory.  With io, it is called again and again on a fresh copy, its n-th
 * call of the I/O table failing; with memory, its n-th allocation.  Printed are
 * all it returns and reports, what it tells its callbacks, and the names and
 * sizes of all files then; what is random or a time is masked.  CALL `all` is
all but the doctor, who tells of the machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "paritylog_recovery.h"
#include "world.h"

static struct world w;
static char out[700]; /* a path that is not there */

/* ---- What is said, without what is random ----------------------------------
 */

/* Words of ten bytes and more that hold a digit: hashes, keys, paths, times. */
static void say_text(const char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t j = i;
        bool digit = false;
        while (j < n && p[j] > ' ' && p[j] != '"') {
            digit |= p[j] >= '0' && p[j] <= '9';
            j++;
        }
        if (j - i >= 10 && digit)
            printf("#");
        else
            fwrite(p + i, 1, j - i, stdout);
        if (j < n)
            putchar(p[j] < ' ' ? '~' : p[j]);
        i = j + 1;
    }
}

static void say(const char *what, const char *text)
{
    printf(" %s=", what);
    say_text(text ? text : "(null)", text ? strlen(text) : 6);
}

/* Small numbers of a report; addresses, hashes and times are none. */
static void say_words(const void *report, size_t n)
{
    const unsigned char *p = report;
    for (size_t i = 0; i + 4 <= n; i += 4) {
        uint32_t v;
        memcpy(&v, p + i, 4);
        if (v != 0 && v < 5000)
            printf(" %zu:%u", i, v);
    }
}

static void say_number(const char *what, uint64_t n)
{
    printf(" %s=%llu", what, (unsigned long long)n);
}

static int say_finding(void *arg, const struct plog_finding *f)
{
    (void)arg;
    printf("  finding");
    say_number("verdict", (uint64_t)f->verdict);
    say_number("seq", f->seq);
    say("file", f->file);
    say("next", f->next);
    say("leg", plog_leg_name(f->leg));
    say("expected", f->expected);
    say("found", f->found);
    printf("\n");
    return 0;
}

static int say_checkup(void *arg, const struct plog_checkup *c)
{
    (void)arg;
    printf("  checkup %d", (int)c->health);
    say("name", c->name);
    say("found", c->found);
    say("next", c->next);
    printf("\n");
    return 0;
}

static int say_out(void *arg, const char *text, size_t len)
{
    (void)arg;
    printf("  out ");
    say_text(text, len);
    printf("\n");
    return 0;
}

static int say_line(void *arg, const char *line, size_t len, bool proven)
{
    printf("  %s", proven ? "proven" : "unproven");
    return say_out(arg, line, len);
}

static union {
    unsigned char bytes[20000];
    uint32_t struct_size;
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
    unsigned char bytes[20000];
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
    if (!rc) {
        struct plog_receipt got;
        char text[3000];
        struct world_delta d = {
            .id = "new", .record = "1", .payload = "{\"v\":\"w\"}"};
        world_text(text, sizeof text, &d);
        rc = plog_append(p, text, strlen(text), &got, &err);
        say_number("size", rc ? 0 : got.size);
        rc = rc ? rc : plog_append(p, text, strlen(text), &got, &err);
        say_number("duplicate", rc ? 2 : got.duplicate);
    }
    plog_close(p);
    return rc;
}
static int call_reader(const char *dir)
{
    plog_reader *r = NULL;
    int rc = plog_reader_open(&r, dir, &o.open, &err);
    if (!rc) {
        char note[PLOG_CHECKPOINT_MAX];
        struct plog_record record;
        struct plog_head h;
        rc = plog_reader_head(r, &h, &err);
        say_number("size", rc ? 0 : h.size);
        rc = rc ? rc : plog_reader_checkpoint(r, note, &err);
        if (!rc)
            say("note", note);
        for (int i = 0; !rc && i < 3; i++) {
            char id[2] = {(char)('0' + i), 0};
            rc = plog_reader_get(r, (struct plog_span){"r", 1},
                                 (struct plog_span){id, 1}, &record, &err);
            if (!rc)
                say_text(record.payload.p, record.payload.n);
            say_number("version", record.version);
            rc = rc == PLOG_E_NOT_FOUND ? 0 : rc;
        }
    }
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
    (void)arg;
    printf("  peer %.*s", (int)p->name.n, p->name.p);
    say_number("cursor", p->cursor);
    say_number("lag", p->lag);
    printf("\n");
    return 0;
}
static int call_peers(const char *dir)
{
    return plog_peers(dir, &o.open, see_peer, NULL, &err);
}
static int see_redaction(void *arg, const struct plog_redaction *r)
{
    (void)arg;
    printf("  redaction");
    say_number("seq", r->seq);
    say_number("order", r->order);
    printf(" %.*s\n", (int)r->reason.n, r->reason.p);
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
    size_t size; /* of its options */
} calls_of[] = {
    {"open", call_open, sizeof o.open},
    {"reader", call_reader, sizeof o.open},
    {"status", call_status, sizeof o.open},
    {"verify", call_verify, sizeof o.check},
    {"parity", call_parity, sizeof o.check},
    {"replay", call_replay, sizeof o.replay},
    {"rebuild log", call_rebuild_log, sizeof o.rebuild},
    {"rebuild store", call_rebuild_store, sizeof o.rebuild},
    {"restore", call_restore, sizeof o.restore},
    {"drill", call_drill, sizeof o.drill},
    {"salvage", call_salvage, sizeof o.salvage},
    {"witness", call_witness, sizeof o.check},
    {"prove", call_prove, sizeof o.prove},
    {"prove consistency", call_prove_consistency, sizeof o.prove},
    {"redact", call_redact, sizeof o.redact},
    {"peer add", call_peer_add, sizeof o.peer},
    {"peer evict", call_peer_evict, sizeof o.peer},
    {"peer ack", call_peer_ack, sizeof o.peer},
    {"peer rewind", call_peer_rewind, sizeof o.peer},
    {"peers", call_peers, sizeof o.open},
    {"redactions", call_redactions, sizeof o.open},
    {"compact", call_compact, sizeof o.compact},
    {"doctor", call_doctor, sizeof o.doctor},
    {"inspect", call_inspect, sizeof o.inspect},
    {"subscribe", call_subscribe, sizeof o.open},
    {"rotate", call_rotate, sizeof o.rotate},
};

/* ---- Worlds
 * ------------------------------------------------------------------ */

static void flip(const char *name, long at)
{
    FILE *f = fopen(world_path(&w, name), "r+b");
    if (!f)
        return;
    fseek(f, at, at < 0 ? SEEK_END : SEEK_SET);
    long where = ftell(f);
    int c = fgetc(f);
    fseek(f, where, SEEK_SET);
    fputc(c ^ 1, f);
    fclose(f);
}

static void cut(const char *name, long by)
{
    struct stat st;
    const char *path = world_path(&w, name);
    if (stat(path, &st) == 0 && truncate(path, st.st_size - by))
        perror(path);
}

#define FIRST "log/00000000000000000001.jsonl"
static char last[64]; /* segment */

static void plain(void)
{
}
static void torn(void)
{
    cut(last, 40);
}
static void damaged(void)
{
    flip(FIRST, 700);
}
static void damaged_late(void)
{
    flip(last, -200);
}
static void damaged_header(void)
{
    flip(last, 30);
}
static void segment_gone(void)
{
    unlink(world_path(&w, FIRST));
}
static void store_gone(void)
{
    unlink(world_path(&w, "store.db"));
    unlink(world_path(&w, "store.db-wal"));
    unlink(world_path(&w, "store.db-shm"));
}
static void store_edited(void)
{
    world_sql(&w, "UPDATE state SET version=version+1 WHERE record_id='1'");
}
static void event_edited(void)
{
    world_sql(&w, "UPDATE events SET line=line||' ' WHERE seq=4");
}
static void event_gone(void)
{
    world_sql(&w,
              "DELETE FROM events WHERE seq=(SELECT max(seq)-1 FROM events)");
}
static void store_behind(void)
{
    struct plog_options real = {.struct_size = sizeof real};
    store_gone();
    (void)real;
    world_copy(world_path(&w, "early"), world_path(&w, "e2"));
    rename(world_path(&w, "e2/store.db"), world_path(&w, "store.db"));
}
static void store_ahead(void)
{
    cut(last, 1200);
}
static void pending(void)
{
    world_sql(&w, "UPDATE redactions SET pending=1");
}
static void compacted(void)
{
    struct plog_compact_options c = {.struct_size = sizeof c};
    struct plog_compact_report r;
    if (plog_compact(w.dir, &c, &r, NULL))
        printf("no compaction\n");
}
static void compacted_damaged(void)
{
    compacted();
    flip(last, -200);
}
static void snapshot_gone(void)
{
    compacted();
    world_remove(world_path(&w, "snapshots"));
}
static void uncompacted(void)
{
    struct plog_compact_options c = {.struct_size = sizeof c, .undo = true};
    struct plog_compact_report r;
    compacted();
    if (plog_compact(w.dir, &c, &r, NULL))
        printf("not undone\n");
}
static void keys_gone(void)
{
    world_remove(world_path(&w, "keys"));
}

static const struct change {
    const char *name;
    void (*make)(void);
} changes[] = {
    {"plain", plain},
    {"torn", torn},
    {"damaged", damaged},
    {"damaged-late", damaged_late},
    {"damaged-header", damaged_header},
    {"segment-gone", segment_gone},
    {"store-gone", store_gone},
    {"store-edited", store_edited},
    {"event-edited", event_edited},
    {"event-gone", event_gone},
    {"store-behind", store_behind},
    {"store-ahead", store_ahead},
    {"pending", pending},
    {"compacted", compacted},
    {"compacted-damaged", compacted_damaged},
    {"snapshot-gone", snapshot_gone},
    {"uncompacted", uncompacted},
    {"keys-gone", keys_gone},
};

static void rotate(void)
{
    struct plog_rotate_options r = {.struct_size = sizeof r};
    struct plog_rotate_report rep;
    if (plog_key_rotate(w.dir, &r, &rep, NULL))
        printf("not rotated\n");
}

/* Some of everything, in three segments. */
static void make_world(void)
{
    struct plog_cursor c = {{"src", 3}, {"*", 1}, {"page 7", 6}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    struct plog_peer_report added;
    struct plog_redact_options why = {.struct_size = sizeof why,
                                      .reason = "a test"};
    struct plog_redact_report redacted;
    uint64_t first;
    world_make(&w, PLOG_MERGE_JSON, 4096);
    for (int i = 0; i < 6; i++) {
        char id[8], record[8];
        snprintf(id, sizeof id, "i%d", i);
        snprintf(record, sizeof record, "%d", i % 3);
        CHECK_INT(world_put(&w, id, record, "some text", NULL), 0);
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    world_close(&w);
    mkdir(world_path(&w, "early"), 0700);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    size_t n;
    char *early = world_read(world_path(&w, "store.db"), &n);
    world_write(world_path(&w, "early/store.db"), early, n);
    free(early);
    CHECK_INT(plog_redact(w.dir, 4, &why, &redacted, NULL), 0);
    CHECK_INT(plog_peer_add(w.dir, "p", NULL, &added, NULL), 0);
    rotate();
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, "j1", "1", "more", NULL), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(world_put(&w, NULL, "1", "at the end", NULL), 0);
    world_close(&w);
    CHECK_INT(plog_peer_ack(w.dir, "p", first - 1, NULL, NULL, &added, NULL),
              0);
    snprintf(last, sizeof last, "log/%020llu.jsonl", (unsigned long long)first);
}

/* ---- Faults
 * ------------------------------------------------------------------ */

static struct plog_io io;
static unsigned long calls, allocations, fail_call, fail_allocation;

#define REAL plog_io_posix()
static bool fails(void)
{
    return ++calls == fail_call;
}
#define F(type, name, params, args)                                            \
    static type f_##name params                                                \
    {                                                                          \
        return fails() ? -EIO : REAL->name args;                               \
    }
F(int, open_at, (void *c, int d, const char *n, int f, uint32_t m),
  (c, d, n, f, m))
F(int64_t, pread, (void *c, int d, void *b, size_t n, uint64_t o),
  (c, d, b, n, o))
F(int64_t, pwrite, (void *c, int d, const void *b, size_t n, uint64_t o),
  (c, d, b, n, o))
F(int, fdatasync, (void *c, int d), (c, d))
F(int, fsync, (void *c, int d), (c, d))
F(int, truncate, (void *c, int d, uint64_t n), (c, d, n))
F(int, stat, (void *c, int d, struct plog_stat *s), (c, d, s))
F(int, stat_at, (void *c, int d, const char *n, struct plog_stat *s),
  (c, d, n, s))
F(int, rename_at, (void *c, int d, const char *n, int e, const char *m, bool r),
  (c, d, n, e, m, r))
F(int, unlink_at, (void *c, int d, const char *n), (c, d, n))
F(int, mkdir_at, (void *c, int d, const char *n, uint32_t m), (c, d, n, m))
F(int, rmdir_at, (void *c, int d, const char *n), (c, d, n))
F(int, list, (void *c, int d, int (*e)(void *, const char *), void *a),
  (c, d, e, a))
F(int, lock, (void *c, int d, int m), (c, d, m))
F(int, lock_byte, (void *c, int d, uint64_t b, int m), (c, d, b, m))
F(int, random, (void *c, void *b, size_t n), (c, b, n))
F(int, real_path, (void *c, const char *p, char *b, size_t n), (c, p, b, n))
F(int, file_system, (void *c, int d, struct plog_fs *f), (c, d, f))
static void *f_alloc(void *c, void *p, size_t n)
{
    if (n && ++allocations == fail_allocation)
        return NULL;
    return REAL->alloc(c, p, n);
}
static int f_event(void *c, const struct plog_store_event *e)
{
    (void)c;
    return !e->done && e->op != PLOG_STORE_READ && fails();
}

static void table(void)
{
    io = *REAL;
#define T(name) io.name = f_##name;
    T(open_at)
    T(pread)
    T(pwrite) T(fdatasync) T(fsync) T(truncate) T(stat) T(stat_at) T(rename_at)
        T(unlink_at) T(mkdir_at) T(rmdir_at) T(list) T(lock) T(lock_byte)
            T(random) T(real_path) T(file_system) T(alloc)
                io.store_event = f_event;
}

/* ---- One call
 * ---------------------------------------------------------------- */

static uint64_t tree;

static int see_file(const char *path, const struct stat *st, int type,
                    struct FTW *ftw)
{
    const char *name = path + ftw->base;
    uint64_t h = 1469598103934665603u;
    (void)type;
    if (strstr(name, "store.db-"))
        return 0;
    for (const char *p = name; *p; p++)
        h = (h ^ (unsigned char)(*p >= 'a' && *p <= 'f'   ? '0'
                                 : *p >= '0' && *p <= '9' ? '0'
                                                          : *p)) *
            1099511628211u;
    if (!S_ISDIR(st->st_mode) && !strstr(name, "store.db") &&
        !strstr(name, ".gz"))
        h = (h ^ (uint64_t)st->st_size) * 1099511628211u;
    tree += h;
    return 0;
}

static void prepare(const struct call *c)
{
    memset(&o, 0, sizeof o);
    memset(&report, 0, sizeof report);
    err = (struct plog_error){.code = 0};
    o.struct_size = (uint32_t)c->size;
    memcpy((unsigned char *)&o + 8, &(const struct plog_io *){&io},
           sizeof(void *));
    if (c->run == call_redact)
        o.redact.reason = "a reason";
    if (c->run == call_peer_evict)
        o.peer.reason = "a reason";
    if (c->run == call_verify || c->run == call_parity)
        o.check.finding = say_finding;
    if (c->run == call_doctor)
        o.doctor.checkup = say_checkup;
    if (c->run == call_prove || c->run == call_prove_consistency)
        o.prove.out = say_out;
    if (c->run == call_salvage)
        o.salvage.line = say_line;
}

static void one(const struct call *c, const char *from, unsigned long call,
                unsigned long allocation)
{
    snprintf(w.dir, sizeof w.dir, "%.400s-x", from);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    world_copy(from, w.dir);
    prepare(c);
    calls = allocations = 0;
    fail_call = call;
    fail_allocation = allocation;
    printf("%s %lu %lu\n", c->name, call, allocation);
    int rc = c->run(w.dir);
    fail_call = fail_allocation = 0;
    printf(" rc=%d code=%d line=%llu seq=%llu at=%d", rc, err.code,
           (unsigned long long)err.line, (unsigned long long)err.seq,
           err.has_offset);
    say("message", err.message);
    say("hint", err.hint);
    say("file", err.file);
    say("member", err.member);
    say_words(&report, sizeof report);
    tree = 0;
    nftw(w.dir, see_file, 16, FTW_PHYS);
    nftw(out, see_file, 16, FTW_PHYS);
    printf(" tree=%llx\n", (unsigned long long)tree);
    world_remove(w.dir);
    world_remove(out);
}

static int go(int argc, char **argv)
{
    char from[500];
    const char *fault = argc > 3 ? argv[3] : "";
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    table();
    if (argc < 3) {
        for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
            printf("world %s\n", changes[i].name);
        for (size_t i = 0; i < sizeof calls_of / sizeof *calls_of; i++)
            printf("call %s\n", calls_of[i].name);
        return 0;
    }
    make_world();
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (strcmp(changes[i].name, argv[1]) == 0)
            changes[i].make();
    snprintf(from, sizeof from, "%.499s", w.dir);
    for (size_t i = 0; i < sizeof calls_of / sizeof *calls_of; i++) {
        const struct call *c = &calls_of[i];
        if (strcmp(c->name, argv[2]) != 0 &&
            (strcmp(argv[2], "all") != 0 || c->run == call_doctor))
            continue;
        one(c, from, 0, 0);
        unsigned long n = *fault == 'i' ? calls : *fault ? allocations : 0;
        for (unsigned long k = 1; k <= n; k++)
            one(c, from, *fault == 'i' ? k : 0, *fault == 'i' ? 0 : k);
    }
    return 0;
}

static int status;
static int the_argc;
static char **the_argv;

static void run_it(void)
{
    status = go(the_argc, the_argv);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {{"echo", run_it}};
    the_argc = argc;
    the_argv = argv;
    return check_main(1, argv, cases, 1) || status;
}
