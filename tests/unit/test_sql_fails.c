/*
 * test_sql_fails.c - a statement that SQLite cannot prepare or run, at every
 * place of the code that does so: what is told then is an error, and never what
 * the rows would have said.
 *
 * A place (one_place.h) counts once for each statement, and again where that
 * gave rows before.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "everything.h"
#include "files.h"
#include "one_place.h"
#include "sql_calls.h"
#include "world.h"

/* ---- SQLite, between it and the library ---------------------------------- */

static const char *only; /* a part of the texts that count; NULL: all do */

/* Whether this call fails. */
static bool fails_here(const char *call, const char *text, bool has_begun)
{
    (void)call;
    if (strcmp(text, "ROLLBACK") == 0 || (only && !strstr(text, only)))
        return false;
    return one_place_fails(text,
                           tree_hash_bytes(has_begun, text, strlen(text)));
}

/* ---- The log ----------------------------------------------------------------
 */

static struct world w;
static char kept[600], note[600];

static int compact(struct plog_compact_options o)
{
    struct plog_compact_report r;
    struct plog_error err = {0};
    o.struct_size = sizeof o;
    int rc = plog_compact(w.dir, &o, &r, &err);
    if (rc)
        printf("# %s\n", err.message);
    return rc;
}

static void make_once(void)
{
    static bool made;
    if (made)
        return;
    made = true;
    sql_calls.fails = fails_here;
    snprintf(note, sizeof note, "%.500s/note", check_dir());
    everything_make(&w, note);
    snprintf(kept, sizeof kept, "%.500s/kept", check_dir());
    world_copy(w.dir, kept);
}

static void put_back(void)
{
    world_remove(w.dir);
    world_copy(kept, w.dir);
}

/* ---- Each place -----------------------------------------------------------
 */

struct outcome {
    struct plog_error err;
    uint64_t told; /* of all that was given out */
    unsigned findings;
};

static void tell(struct outcome *o, uint64_t n)
{
    o->told = tree_hash_bytes(o->told, &n, sizeof n);
}

struct trial {
    int (*act)(struct outcome *o);
    struct outcome *o;
};

static int act_of(void *arg)
{
    struct trial *t = arg;
    return t->act(t->o);
}

/* Runs `act` with each place failing; `judge` looks at each outcome whose code
 * is not 0.  With 0 it must have given out what it gives out unharmed.
 * @again  puts the world back before each
 * Returns how many had no effect. */
static unsigned each_place(const char *part, int (*act)(struct outcome *o),
                           bool (*judge)(int rc, const struct outcome *o),
                           void (*again)(void))
{
    struct outcome base = {.told = 0}, o;
    unsigned silent = 0;
    struct trial t = {act, &o};
    only = part;
    for (size_t i = 0; i == 0 || i <= one_place_count(); i++) {
        if (again)
            again();
        memset(&o, 0, sizeof o);
        int rc = one_place_run(i, act_of, &t);
        if (i == 0) { /* unharmed */
            base = o;
            CHECK_INT(rc, 0);
            CHECK(one_place_count() > 1);
            continue;
        }
        bool fits = one_place_has_failed();
        if (rc == 0)
            fits &= CHECK_UINT(o.told, base.told);
        else
            fits &= judge(rc, &o);
        silent += rc == 0;
        if (!fits)
            printf("# %s\n# %d: %s\n", one_place_text(i), rc, o.err.message);
    }
    printf("# %zu places, %u without effect\n", one_place_count(), silent);
    return silent;
}

/* The disk's fault, and nobody else's. */
static bool is_an_error(int rc, const struct outcome *o)
{
    bool fits = true;
    fits &= CHECK_INT(rc, PLOG_E_IO);
    fits &= CHECK_INT(o->err.code, rc);
    fits &= CHECK(o->err.message[0] != '\0');
    fits &= CHECK_UINT(o->findings, 0);
    return fits;
}

/* ---- Checks ----------------------------------------------------------------
 */

static int tell_finding(void *arg, const struct plog_finding *f)
{
    struct outcome *o = arg;
    o->findings++;
    tell(o, (uint64_t)-f->verdict);
    tell(o, f->seq);
    return 0;
}

static int tell_unchecked(void *arg, const struct plog_unchecked *u)
{
    tell(arg, u->from);
    tell(arg, u->to);
    return 0;
}

static int check_with(struct plog_check_options c, struct plog_check_report *r,
                      struct outcome *o)
{
    c.struct_size = sizeof c;
    c.finding = tell_finding;
    c.unchecked = tell_unchecked;
    c.arg = o;
    int rc = plog_parity(w.dir, &c, r, &o->err);
    tell(o, (uint64_t)-r->verdict);
    tell(o, r->head.size);
    return rc;
}

static int parity(struct outcome *o)
{
    struct plog_check_report r;
    int rc = check_with((struct plog_check_options){.vkey = NULL}, &r, o);
    tell(o, r.records);
    tell(o, r.floor);
    return rc;
}

/* Where the store does not give the keys, all of the log does. */
static int parity_since(struct outcome *o)
{
    static uint64_t least;
    struct plog_check_report r;
    int rc = check_with((struct plog_check_options){.since = note}, &r, o);
    if (one_place_now() == 0)
        least = r.entries;
    o->told = 0;
    tell(o, (uint64_t)-r.verdict);
    tell(o, o->findings);
    tell(o, r.entries >= least && r.head.size > 0);
    return rc;
}

static void of_a_whole_log(void)
{
    make_once();
    put_back();
    CHECK_UINT(each_place(NULL, parity, is_an_error, NULL), 0);
}

/* Where the store has let go of its events, the snapshot stands for them. */
static void of_a_trimmed_store(void)
{
    make_once();
    put_back();
    CHECK_INT(compact((struct plog_compact_options){.trim_store = true}), 0);
    CHECK_UINT(each_place(NULL, parity, is_an_error, NULL), 0);
}

/* What is told of the one is none of the other's business. */
static bool is_no_better(int rc, const struct outcome *o)
{
    bool fits = true;
    fits &= CHECK_INT(rc, PLOG_E_IO);
    fits &= CHECK_INT(o->err.code, rc);
    fits &= CHECK(o->err.message[0] != '\0');
    return fits;
}

/* Whether an order let the content of an old id go. */
static void of_a_dropped_content(void)
{
    make_once();
    put_back();
    CHECK_INT(compact((struct plog_compact_options){.trim_store = true}), 0);
    world_sql(&w, "UPDATE old_ids SET content=NULL");
    each_place("main.redactions WHERE target=", parity, is_no_better, NULL);
}

static void since_a_checkpoint(void)
{
    make_once();
    put_back();
    CHECK_UINT(each_place(NULL, parity_since, is_an_error, NULL), 0);
}

static void of_rows_too_many(void)
{
    make_once();
    put_back();
    world_sql(
        &w, "INSERT INTO events(seq,line) VALUES(-1,'{}'),(0,'{}'),"
            "(901,'{}'),(902,'{}');"
            "INSERT INTO checkpoints VALUES(-2,'x'),(-1,'x'),(900,'x'),"
            "(901,'x');"
            "INSERT OR IGNORE INTO segments VALUES(61),(62),(63),(900),(901)");
    CHECK_UINT(each_place(NULL, parity, is_no_better, NULL), 0);
}

/* A byte of an entry above the floor; the store proves the line. */
static void damage(uint64_t seq)
{
    char want[32], path[600];
    struct tree t;
    put_back();
    snprintf(want, sizeof want, "{\"seq\":%u,", (unsigned)seq);
    snprintf(path, sizeof path, "%s/log", w.dir);
    tree_read(&t, path);
    for (size_t i = 0; i < t.count; i++) {
        char file[900];
        size_t n;
        snprintf(file, sizeof file, "%s/%s", path, t.files[i].name);
        char *bytes = world_read(file, &n), *at = strstr(bytes, want);
        char *value = at ? strstr(at, "\"v\":\"v") : NULL;
        if (CHECK(n > 0) && value) {
            value[6] ^= 1;
            world_write(file, bytes, n);
        }
        free(bytes);
    }
    tree_free(&t);
}

/* What is damaged stays so, however much can be said of it. */
static int parity_of_damage(struct outcome *o)
{
    int rc = parity(o);
    /* How closely it can be said is another matter. */
    o->told = rc == 0 && o->findings > 0;
    return rc;
}

static void of_a_damaged_log(void)
{
    make_once();
    damage(68);
    each_place(NULL, parity_of_damage, is_no_better, NULL);
}

/* ---- Compaction ------------------------------------------------------------
 */

static int compacting(struct outcome *o, struct plog_compact_options c)
{
    struct plog_compact_report r;
    c.struct_size = sizeof c;
    c.wait_seconds = 0.05;
    int rc = plog_compact(w.dir, &c, &r, &o->err);
    tell(o, r.from);
    tell(o, r.to);
    tell(o, r.entries);
    return rc;
}

static int compact_on(struct outcome *o)
{
    return compacting(o, (struct plog_compact_options){.undo = false});
}

static int compact_back(struct outcome *o)
{
    return compacting(o, (struct plog_compact_options){.undo = true});
}

/* The same again completes. */
static bool completes(int rc, const struct outcome *o)
{
    struct world_found f;
    bool fits = true;
    fits &= CHECK(rc == PLOG_E_IO || rc == PLOG_E_INDETERMINATE ||
                  rc == PLOG_E_LOCKED);
    fits &= CHECK_INT(o->err.code, rc);
    fits &= CHECK(o->err.message[0] != '\0');
    fits &= CHECK_INT(compact((struct plog_compact_options){.undo = false}), 0);
    fits &= CHECK_INT(world_parity(&w, NULL, &f), 0);
    return fits;
}

static void while_compacting(void)
{
    static const char *const about[] = {"peers", "rotations r", "compact",
                                        "redactions"};
    make_once();
    for (size_t i = 0; i < sizeof about / sizeof *about; i++)
        each_place(about[i], compact_on, completes, put_back);
}

static void while_undoing(void)
{
    make_once();
    each_place("compact", compact_back, completes, put_back);
}

/* ---- Healing ----------------------------------------------------------------
 */

static void damage_again(void)
{
    damage(68);
}

static int heal(struct outcome *o)
{
    struct plog_salvage_options s = {.struct_size = sizeof s,
                                     .from_store = true};
    struct plog_salvage_report r;
    int rc = plog_salvage(w.dir, &s, &r, &o->err);
    tell(o, (uint64_t)-r.verdict);
    tell(o, r.healed);
    return rc;
}

static bool heals_then(int rc, const struct outcome *o)
{
    struct outcome again = {.told = 0};
    struct world_found f;
    bool fits = true;
    fits &= CHECK_INT(rc, PLOG_E_IO);
    fits &= CHECK_INT(o->err.code, rc);
    fits &= CHECK_INT(heal(&again), 0);
    fits &= CHECK_INT(world_parity(&w, NULL, &f), 0);
    return fits;
}

static void while_healing(void)
{
    make_once();
    each_place("main.segments", heal, heals_then, damage_again);
    each_place("main.events", heal, heals_then, damage_again);
}

/* ---- The doctor
 * -------------------------------------------------------------- */

static int tell_checkup(void *arg, const struct plog_checkup *c)
{
    tell(arg, (uint64_t)c->health);
    return 0;
}

/* It goes on where it cannot look, and says so. */
static int doctor(struct outcome *o)
{
    struct plog_doctor_options d = {
        .struct_size = sizeof d, .checkup = tell_checkup, .arg = o};
    struct plog_doctor_report r;
    int rc = plog_doctor(w.dir, &d, &r, &o->err);
    if (rc)
        return rc;
    if (r.counts[PLOG_HEALTH_UNKNOWN] || r.verdict)
        return r.verdict ? r.verdict : PLOG_E_IO;
    return 0;
}

static bool is_told(int rc, const struct outcome *o)
{
    (void)o;
    bool fits = true;
    fits &= CHECK_INT(rc, PLOG_E_IO);
    return fits;
}

static void while_the_doctor_looks(void)
{
    make_once();
    put_back();
    each_place("checkpoints WHERE size<", doctor, is_told, NULL);
    each_place("temp.", doctor, is_told, NULL);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"of a whole log", of_a_whole_log},
        {"of a trimmed store", of_a_trimmed_store},
        {"of a dropped content", of_a_dropped_content},
        {"since a checkpoint", since_a_checkpoint},
        {"of rows too many", of_rows_too_many},
        {"of a damaged log", of_a_damaged_log},
        {"while compacting", while_compacting},
        {"while undoing", while_undoing},
        {"while healing", while_healing},
        {"while the doctor looks", while_the_doctor_looks},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
