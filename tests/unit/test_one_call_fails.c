/*
 * test_one_call_fails.c - one call fails, of the I/O table, of the allocator or
 * of SQLite, while small logs are checked, proven, noted, compacted and mended:
 * what is told is that error and nothing else, all memory comes back, and the
 * same again, unharmed, comes to its end.
 *
 * Each place of the code fails once (one_place.h).  In test_sql_fails.c, too,
 * of which the logs are larger and the table never fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "err.h"
#include "files.h"
#include "one_place.h"
#include "parity.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

/* ---- Calls that fail --------------------------------------------------- */

static const char *only; /* how the calls that count begin, with | between */
static struct plog_io io;
static long live; /* allocations of the table */

static bool counts(const char *text)
{
    const char *p = only;
    while (p) {
        size_t n = strcspn(p, "|");
        if (strncmp(text, p, n) == 0)
            return true;
        p = p[n] ? p + n + 1 : NULL;
    }
    return false;
}

/* Whether this call fails. */
static bool strikes(const char *call, const char *of)
{
    char text[100];
    snprintf(text, sizeof text, "%s %s", call, of);
    return counts(text) && one_place_fails(text, 0);
}

static const struct plog_io *real(void)
{
    return plog_io_posix();
}

static void *on_alloc(void *ctx, void *p, size_t n)
{
    if (n && strikes("alloc", ""))
        return NULL;
    live += !p && n ? 1 : p && !n ? -1 : 0;
    return real()->alloc(ctx, p, n);
}

static int on_open(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    return strikes("open", name) ? -EIO
                                 : real()->open_at(ctx, dir, name, flags, mode);
}

static int on_rename(void *ctx, int from, const char *name, int to,
                     const char *new_name, bool replace)
{
    return strikes("rename", name)
               ? -EIO
               : real()->rename_at(ctx, from, name, to, new_name, replace);
}

static int64_t on_pread(void *ctx, int fd, void *buf, size_t n, uint64_t at)
{
    return strikes("read", "") ? -EIO : real()->pread(ctx, fd, buf, n, at);
}

static int64_t on_pwrite(void *ctx, int fd, const void *buf, size_t n,
                         uint64_t at)
{
    return strikes("write", "") ? -EIO : real()->pwrite(ctx, fd, buf, n, at);
}

static int on_fsync(void *ctx, int fd)
{
    (void)ctx, (void)fd; /* nothing here looks at what a crash would leave */
    return strikes("sync", "") ? -EIO : 0;
}

static int on_stat(void *ctx, int fd, struct plog_stat *out)
{
    return strikes("fstat", "") ? -EIO : real()->stat(ctx, fd, out);
}

static int on_stat_at(void *ctx, int dir, const char *name,
                      struct plog_stat *out)
{
    return strikes("stat", name) ? -EIO : real()->stat_at(ctx, dir, name, out);
}

static int on_mkdir(void *ctx, int dir, const char *name, uint32_t mode)
{
    return strikes("mkdir", name) ? -EIO
                                  : real()->mkdir_at(ctx, dir, name, mode);
}

static int on_rmdir(void *ctx, int dir, const char *name)
{
    return strikes("rmdir", name) ? -EIO : real()->rmdir_at(ctx, dir, name);
}

static int on_list(void *ctx, int dir, int (*each)(void *arg, const char *name),
                   void *arg)
{
    return strikes("list", "") ? -EIO : real()->list(ctx, dir, each, arg);
}

static int on_lock(void *ctx, int fd, int mode)
{
    return mode && strikes("lock", "") ? -EIO : real()->lock(ctx, fd, mode);
}

static int on_random(void *ctx, void *to, size_t n)
{
    return strikes("random", "") ? -EIO : real()->random(ctx, to, n);
}

static int on_file_system(void *ctx, int fd, struct plog_fs *out)
{
    return strikes("space", "") ? -EIO : real()->file_system(ctx, fd, out);
}

static bool on_sql(const char *call, const char *text, bool has_begun)
{
    (void)has_begun;
    return strcmp(text, "ROLLBACK") != 0 && strikes(call, text);
}

static void spoil_table(void)
{
    io = *real();
    io.alloc = on_alloc;
    io.open_at = on_open;
    io.pread = on_pread;
    io.pwrite = on_pwrite;
    io.fsync = io.fdatasync = on_fsync;
    io.stat = on_stat;
    io.stat_at = on_stat_at;
    io.mkdir_at = on_mkdir;
    io.rmdir_at = on_rmdir;
    io.rename_at = on_rename;
    io.list = on_list;
    io.lock = on_lock;
    io.random = on_random;
    io.file_system = on_file_system;
    sql_calls.fails = on_sql;
    sql_calls.no_sync = true;
}

/* ---- Each place -------------------------------------------------------- */

static struct world w;
static char kept[600], note[600], beside[600];
static struct plog_error err;
static struct plog_head head;
static uint64_t told; /* of all that was given out */
static unsigned findings;

static void tell(uint64_t n)
{
    told = tree_hash_bytes(told, &n, sizeof n);
}

struct trial {
    const char *only;      /* calls */
    int (*act)(void);      /* gives 0, unharmed */
    void (*before)(void);  /* NULL: nothing needs to be put back */
    bool (*after)(int rc); /* what holds behind a failure; NULL: no more */
};

static int run(void *arg)
{
    const struct trial *t = arg;
    memset(&err, 0, sizeof err);
    told = findings = 0;
    return t->act();
}

/* The fault, and nothing else: no verdict is made of it. */
static bool is_told(int rc)
{
    bool fits = true;
    fits &= CHECK(rc == PLOG_E_IO || rc == PLOG_E_NOMEM ||
                  rc == PLOG_E_INDETERMINATE || rc == PLOG_E_LOCKED);
    fits &= CHECK_INT(err.code, rc);
    fits &= CHECK(err.message[0] != '\0');
    fits &= CHECK(rc == PLOG_E_NOMEM || !strstr(err.message, "out of memory"));
    return fits;
}

/* How many places failed without effect. */
static unsigned each_place(const struct trial *t)
{
    uint64_t base = 0;
    unsigned silent = 0;
    struct trial own = *t;
    only = t->only;
    for (size_t i = 0; i == 0 || i <= one_place_count(); i++) {
        if (t->before)
            t->before();
        live = 0;
        int rc = one_place_run(i, run, &own);
        bool fits = CHECK_INT(live, 0);
        if (i == 0) { /* unharmed */
            base = told;
            fits &= CHECK_INT(rc, 0);
        } else {
            fits &= one_place_has_failed();
            fits &= rc ? is_told(rc) : CHECK_UINT(told, base);
            fits &= !t->after || t->after(rc);
            silent += rc == 0;
        }
        if (!fits)
            printf("# %s: %d %s\n", one_place_text(i), rc, err.message);
    }
    printf("# %s: %zu places, %u without effect\n", t->only, one_place_count(),
           silent);
    return silent;
}

/* ---- Logs -------------------------------------------------------------- */

static void keep(void)
{
    world_close(&w);
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    if (access(kept, F_OK) == 0)
        tree_remove(kept);
    world_copy(w.dir, kept);
}

static void put_back(void)
{
    world_remove(w.dir);
    world_copy(kept, w.dir);
}

/* Six entries in two segments, and a note of the first four. */
static void make(void)
{
    char text[PLOG_CHECKPOINT_MAX];
    uint64_t first;
    plog_reader *r = NULL;
    spoil_table();
    world_make(&w, PLOG_ARRIVAL, 0);
    peers_put(&w, 1, 4);
    snprintf(note, sizeof note, "%.500s-note", w.dir);
    snprintf(beside, sizeof beside, "%.500s-beside", w.dir);
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_checkpoint(r, text, NULL), 0);
    plog_reader_close(r);
    world_write(note, text, strlen(text));
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    peers_put(&w, 4, 6);
    CHECK_INT(plog_get_head(w.p, &head, NULL), 0);
    keep();
}

static void flip_a_value(const char *file, const char *value)
{
    size_t n;
    const char *path = world_path(&w, file);
    char *bytes = world_read(path, &n), *at = strstr(bytes, value);
    if (CHECK(at != NULL)) {
        at[1] ^= 1;
        world_write(path, bytes, n);
    }
    free(bytes);
}

/* ---- Checks ------------------------------------------------------------ */

static int tell_finding(void *arg, const struct plog_finding *f)
{
    (void)arg;
    findings++;
    tell((uint64_t)-f->verdict);
    tell(f->seq);
    return 0;
}

static int check_with(struct plog_check_options o, bool parity)
{
    struct plog_check_report r;
    o.struct_size = sizeof o;
    o.io = &io;
    o.finding = tell_finding;
    int rc = parity ? plog_parity(w.dir, &o, &r, &err)
                    : plog_verify(w.dir, &o, &r, &err);
    tell((uint64_t)-r.verdict);
    tell(r.head.size);
    return rc;
}

static int verify(void)
{
    struct plog_check_options o = {
        .witness = note, .has_expect_head = true, .expect_size = head.size};
    memcpy(o.expect_root, head.root, sizeof o.expect_root);
    return check_with(o, false);
}

static int parity(void)
{
    return check_with((struct plog_check_options){.watermark = beside}, true);
}

/* Of a head within a segment, which is to be met again. */
static int parity_since_head(void)
{
    return check_with((struct plog_check_options){.since = beside}, true);
}

/* Where it is written, it is written whole. */
static bool watermark_is_whole(int rc)
{
    struct plog_check_options o = {.struct_size = sizeof o, .since = beside};
    struct plog_check_report r;
    if (rc && access(beside, F_OK) != 0)
        return true;
    return CHECK_INT(plog_parity(w.dir, &o, &r, NULL), 0) &&
           CHECK_INT(r.verdict, 0) && CHECK_UINT(r.since, 6);
}

static void no_watermark(void)
{
    unlink(beside);
}

static void of_a_whole_log(void)
{
    make();
    each_place(
        &(struct trial){"alloc|open|read|list|stat|fstat", verify, NULL, NULL});
    each_place(&(struct trial){"alloc|open /|list", parity, no_watermark,
                               watermark_is_whole});

    no_watermark();
    CHECK_INT(parity(), 0);
    each_place(&(struct trial){"alloc", parity_since_head, NULL, NULL});
}

/* A clock of which each look takes longer than a transaction that reads may:
 * the store is left and joined again between any two groups. */
static int64_t slow_clock(void *ctx)
{
    static int64_t now;
    (void)ctx;
    return now += 30000000;
}

static int parity_upto(void)
{
    struct plog_check_options o = {
        .struct_size = sizeof o, .io = &io, .finding = tell_finding};
    struct plog_check_report r;
    int rc = plog_parity_upto(w.dir, 4, &o, &r, &err);
    tell((uint64_t)-r.verdict);
    tell(r.head.size);
    return rc;
}

static void of_a_log_up_to_a_place(void)
{
    make();
    io.clock_mono_ns = slow_clock;
    each_place(
        &(struct trial){"alloc|prepare|step|exec", parity_upto, NULL, NULL});
}

/* Rows that no entry answers to, before and behind the others, and one that
 * is not its line: it goes on with the entries at hand. */
static void of_rows_too_many(void)
{
    make();
    world_sql(&w, "INSERT INTO events(seq,line) VALUES(-1,'{}'),(0,'{}');"
                  "INSERT INTO checkpoints VALUES(-1,'x'),(0,'x');"
                  "UPDATE events SET line=line||' ' WHERE seq=3;"
                  "INSERT INTO old_ids VALUES(zeroblob(32),4,zeroblob(32),"
                  "NULL)");
    each_place(&(struct trial){"step|exec", parity, NULL, NULL});
}

/* ---- Damage ------------------------------------------------------------ */

#define FIRST "log/00000000000000000001.jsonl"

static int verify_it(void)
{
    return check_with((struct plog_check_options){.expect_size = 4}, false);
}

/* What is damaged stays so, however closely it can be said. */
static int parity_of_damage(void)
{
    int rc = check_with((struct plog_check_options){.expect_size = 0}, true);
    told = rc == 0 && findings > 0;
    return rc;
}

static void of_a_damaged_log(void)
{
    make();
    flip_a_value(FIRST, "v2");
    each_place(&(struct trial){"alloc|open|read|list|stat|fstat", verify_it,
                               NULL, NULL});
    each_place(&(struct trial){"alloc|step", parity_of_damage, NULL, NULL});
    /* And nothing proves the line. */
    world_sql(&w, "UPDATE events SET line=replace(line,'v2','w2') WHERE seq=3");
    each_place(&(struct trial){"step", parity_of_damage, NULL, NULL});
}

/* Entries of 60,000 bytes: damage from the second one to the third reaches
 * further than what is read at once. */
static void make_long(void)
{
    static char text[61000], value[60000];
    size_t n;
    spoil_table();
    world_make(&w, PLOG_ARRIVAL, 0);
    memset(value, 'a', sizeof value - 1);
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text,
                 "{\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","
                 "\"payload\":{\"v\":\"%s\"},\"occurred_at\":\"2026-01-02T"
                 "03:04:05Z\",\"provenance\":{\"source\":\"s\","
                 "\"confidence\":1}}",
                 value);
        CHECK_INT(world_append(&w, text, NULL, NULL), 0);
    }
    keep();
    const char *path = world_path(&w, FIRST);
    char *bytes = world_read(path, &n);
    if (CHECK(n > 240000)) {
        memset(bytes + 70000, 'x', 80000);
        world_write(path, bytes, n);
    }
    free(bytes);
}

static void of_long_damage(void)
{
    make_long();
    each_place(&(struct trial){"read", verify_it, NULL, NULL});
    each_place(&(struct trial){"read", parity_of_damage, NULL, NULL});
}

static int salvage(void)
{
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .io = &io, .from_store = true};
    struct plog_salvage_report r;
    int rc = plog_salvage(w.dir, &o, &r, &err);
    if (!rc && r.left) /* it says of what that it could not be healed */
        rc = plog_fail(&err, PLOG_E_IO, "%u left", (unsigned)r.left);
    return rc;
}

/* And a file that is none of the log's. */
static void damaged(void)
{
    put_back();
    flip_a_value(FIRST, "v2");
    world_write(world_path(&w, "log/odd"), "x", 1);
}

static bool heals_then(int rc)
{
    struct world_found f;
    bool fits = rc == 0 || CHECK_INT(salvage(), 0);
    fits &= CHECK_INT(world_parity(&w, NULL, &f), 0);
    return fits && CHECK_UINT(f.report.head.size, 6);
}

static void without_log(void)
{
    put_back();
    world_remove(world_path(&w, "log"));
}

static void while_healing(void)
{
    struct plog_salvage_report r;
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .from_store = true};
    make();
    each_place(&(struct trial){"list|fstat|rename odd|rmdir|mkdir|open "
                               "salv|sync|step SELECT origin,size",
                               salvage, damaged, heals_then});
    CHECK_UINT(
        each_place(&(struct trial){"rename odd", salvage, damaged, heals_then}),
        0);
    each_place(
        &(struct trial){"open /|mkdir", salvage, without_log, heals_then});
    CHECK_INT(plog_salvage(world_path(&w, "none"), &o, &r, &err),
              PLOG_E_NOTHING);
    CHECK_INT(plog_salvage(world_path(&w, "lock"), &o, &r, &err),
              PLOG_E_NOTHING);
    CHECK_INT(err.code, PLOG_E_NOTHING);
}

/* ---- Notes outside ----------------------------------------------------- */

static int note_head(void)
{
    struct plog_check_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_witness_report r;
    int rc = plog_witness(w.dir, beside, &o, &r, &err);
    CHECK(rc == 0 || (!r.appended && r.head.size == 0));
    tell(r.appended);
    return rc;
}

/* The note of four entries, and one that was cut off. */
static void one_note_and_a_half(void)
{
    size_t n;
    char *bytes = world_read(note, &n), *both = malloc(n + 20);
    if (CHECK(both != NULL)) {
        memcpy(both, bytes, n);
        memcpy(both + n, bytes, 20);
        world_write(beside, both, n + 20);
    }
    free(both);
    free(bytes);
}

/* Once the call can be made, both heads stand there. */
static bool notes_then(int rc)
{
    struct plog_check_options o = {.struct_size = sizeof o, .witness = beside};
    struct world_found f;
    if (rc && !CHECK_INT(note_head(), 0))
        return false;
    size_t n, heads = 0;
    char *bytes = world_read(beside, &n);
    for (char *p = bytes; (p = strstr(p, "\n\n")) != NULL; p++)
        heads++;
    free(bytes);
    return CHECK_UINT(heads, 2) && CHECK_INT(world_verify(&w, &o, &f), 0);
}

static void of_a_head_noted(void)
{
    make();
    each_place(&(struct trial){"alloc|open /|read|write|sync|fstat|lock",
                               note_head, one_note_and_a_half, notes_then});
}

/* ---- Proofs ------------------------------------------------------------ */

static size_t given; /* bytes of a proof */
static int out_says;

static int take_proof(void *arg, const char *text, size_t n)
{
    (void)arg;
    given += n;
    told = tree_hash_bytes(told, text, n);
    return out_says;
}

static struct plog_prove_options proving(void)
{
    given = 0;
    return (struct plog_prove_options){.struct_size =
                                           sizeof(struct plog_prove_options),
                                       .io = &io,
                                       .out = take_proof};
}

static int prove(void)
{
    struct plog_prove_options o = proving();
    return plog_prove(w.dir, 3, &o, &err);
}

static int prove_consistency(void)
{
    struct plog_prove_options o = proving();
    size_t n;
    one_place_pause(true);
    char *text = world_read(note, &n);
    one_place_pause(false);
    int rc = plog_prove_consistency(w.dir, text, n, &o, &err);
    free(text);
    return rc;
}

/* Half a proof is none. */
static bool is_all_or_nothing(int rc)
{
    return CHECK((rc == 0) == (given > 0));
}

static void of_a_proof(void)
{
    make();
    out_says = 0;
    each_place(&(struct trial){"alloc|open|read|list", prove, NULL,
                               is_all_or_nothing});
    each_place(
        &(struct trial){"alloc", prove_consistency, NULL, is_all_or_nothing});
    /* Who takes it may lack memory, too. */
    out_says = PLOG_E_NOMEM;
    CHECK_INT(prove(), PLOG_E_NOMEM);
    CHECK_INT(err.code, PLOG_E_NOMEM);
    CHECK_TEXT(err.message, "out of memory");
    out_says = 1;
    CHECK_INT(prove(), PLOG_E_INTERRUPTED);
    CHECK_TEXT(err.message, "stopped");
}

/* ---- Drills ------------------------------------------------------------ */

static int drill(void)
{
    struct plog_drill_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_drill_report r;
    return plog_drill(w.dir, &o, &r, &err);
}

/* Where it cannot be removed, that is what is said. */
static bool leaves_no_scratch(int rc)
{
    struct tree t;
    bool fits = true;
    if (rc && strncmp(err.message, "removing the scratch", 20) == 0)
        return true;
    tree_read(&t, w.dir);
    for (size_t i = 0; i < t.count; i++)
        fits &= CHECK(strncmp(t.files[i].name, "drill-", 6) != 0);
    tree_free(&t);
    return fits;
}

static int no_rmdir(void *ctx, int dir, const char *name)
{
    (void)ctx, (void)dir, (void)name;
    return -EBUSY;
}

static unsigned stop_at, asked;

static int stop(void *arg, const struct plog_progress *p)
{
    (void)arg, (void)p;
    return ++asked == stop_at;
}

/* Who stopped it is told so, wherever that was, and not of the scratch that
 * stays: the next one takes that away. */
static void stopped_and_not_removed(void)
{
    struct plog_io stays = *real();
    struct plog_drill_options o = {
        .struct_size = sizeof o, .io = &stays, .progress = stop};
    struct plog_drill_report r;
    int rc = PLOG_E_INTERRUPTED;
    stays.rmdir_at = no_rmdir;
    for (stop_at = 1; rc == PLOG_E_INTERRUPTED && stop_at < 30; stop_at++) {
        asked = 0;
        rc = plog_drill(w.dir, &o, &r, &err);
        CHECK_INT(err.code, rc);
    }
    CHECK(asked < stop_at && asked > 1);
    CHECK_INT(rc, PLOG_E_IO); /* nobody stops it, and the scratch stays */
    o = (struct plog_drill_options){.struct_size = sizeof o};
    CHECK_INT(plog_drill(w.dir, &o, &r, &err), 0);
    CHECK_INT(r.verdict, 0);
    CHECK(leaves_no_scratch(0));
}

static void a_long_scratch(void)
{
    static char path[9000];
    struct plog_drill_options o = {.struct_size = sizeof o, .scratch = path};
    struct plog_drill_report r;
    memset(path, 'a', sizeof path - 1);
    CHECK_INT(plog_drill(w.dir, &o, &r, &err), PLOG_E_ARG);
    CHECK_TEXT(err.message, "the scratch path is too long");
    path[0] = '\0';
    CHECK_INT(plog_drill(w.dir, &o, &r, &err), PLOG_E_ARG);
}

static void of_a_drill(void)
{
    make();
    each_place(&(struct trial){"open lock|open keys|random|space", drill, NULL,
                               leaves_no_scratch});
    stopped_and_not_removed();
    a_long_scratch();
}

/* ---- Compaction and redaction ------------------------------------------ */

static int compact_with(bool dry_run)
{
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .io = &io,
                                     .wait_seconds = 0.05,
                                     .dry_run = dry_run};
    struct plog_compact_report r;
    int rc = plog_compact(w.dir, &o, &r, &err);
    if (!rc) {
        tell(r.from);
        tell(r.to);
    }
    return rc;
}

static int compact(void)
{
    return compact_with(false);
}

static int plan(void)
{
    return compact_with(true);
}

static bool compacts_then(int rc)
{
    struct world_found f;
    bool fits = rc == 0 || CHECK_INT(compact(), 0);
    fits &= CHECK_UINT(peers_floor(&w), 4);
    return fits && CHECK_INT(world_parity(&w, NULL, &f), 0);
}

static void while_compacting(void)
{
    uint64_t first;
    make();
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 5), 0);
    keep();
    each_place(&(struct trial){"list", compact, put_back, compacts_then});
    /* And what the next one plans to do. */
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    peers_put(&w, 6, 8);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", first), 0);
    each_place(&(struct trial){"alloc|stat 0", plan, NULL, NULL});
    CHECK_UINT(peers_floor(&w), 4);
}

static int redact_with(bool dry_run)
{
    struct plog_redact_options o = {.struct_size = sizeof o,
                                    .io = &io,
                                    .wait_seconds = 0.05,
                                    .dry_run = dry_run,
                                    .reason = "asked for"};
    struct plog_redact_report r;
    int rc = plog_redact(w.dir, 3, &o, &r, &err);
    if (!rc)
        tell(r.merged);
    return rc;
}

static int redact(void)
{
    return redact_with(false);
}

static int look_at_it(void)
{
    return redact_with(true);
}

static bool is_there(void)
{
    size_t n;
    char *line = world_line(&w, 3, &n);
    bool there = line && strstr(line, "\"v\":\"v2\"");
    free(line);
    return there;
}

static bool redacts_then(int rc)
{
    struct world_found f;
    bool fits = rc == 0 || CHECK_INT(redact(), 0);
    fits &= CHECK(!is_there());
    return fits && CHECK_INT(world_parity(&w, NULL, &f), 0);
}

static void while_redacting(void)
{
    make();
    each_place(&(struct trial){"alloc", look_at_it, NULL, NULL});
    CHECK(is_there());
    /* The last lock is that of who closes the log, when all is done. */
    CHECK_UINT(
        each_place(&(struct trial){"lock", redact, put_back, redacts_then}), 1);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"of a whole log", of_a_whole_log},
        {"of a log up to a place", of_a_log_up_to_a_place},
        {"of rows too many", of_rows_too_many},
        {"of a damaged log", of_a_damaged_log},
        {"of long damage", of_long_damage},
        {"while healing", while_healing},
        {"of a head noted", of_a_head_noted},
        {"of a proof", of_a_proof},
        {"of a drill", of_a_drill},
        {"while compacting", while_compacting},
        {"while redacting", while_redacting},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
