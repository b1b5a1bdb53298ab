/* sweeping.c - see sweeping.h. */
#include "sweeping.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "order_shim.h"
#include "sweep_judge.h"
#include "sweep_ops.h"
#include "sweep_worlds.h"
#include "files.h"
#include "handles.h"
#include "world.h"

#define HANG_SECONDS 240 /* of a machine that may have much else to do */
#define COMPLAINTS 400
#define JUDGED 8    /* of so many states of a case after an error one is */
#define AT_LEAST 20 /* positions, however long the worlds took */

/* One row of what is swept: an operation and a kind of fault. */
struct row {
    const struct sweep_op *op;
    struct sweep_base *base;
    enum failing_what what;
    bool ever;
    unsigned long calls, swept, reached;
};

static struct {
    const char *name;
    const struct sweep_op *ops;
    size_t op_count;
    sweep_worlds *worlds;
    const char *kind; /* the only one; NULL: all */
    char top[300];
    struct sweep_base *bases; /* of each operation */
    struct row *rows;
    size_t row_count;
    unsigned long total, swept, reached, judged, violations, states;
} sweep;

static struct {
    const struct row *row;
    unsigned long at;
    char hit[400]; /* once it has run */
} now;

/* ---- What an operation may call ----------------------------------------- */

struct plog_options sweep_options(const struct stage *s)
{
    return (struct plog_options){.struct_size = sizeof(struct plog_options),
                                 SWEEP_COMMON(s)};
}

void sweep_go(struct stage *s)
{
    (void)s;
    failing_go();
}

void sweep_tell(struct stage *s, const void *p, size_t n)
{
    s->told = tree_hash_bytes(s->told, p, n);
    s->told = tree_hash_bytes(s->told, &n, sizeof n);
}

void sweep_tell_number(struct stage *s, uint64_t n)
{
    sweep_tell(s, &n, sizeof n);
}

void sweep_broken(struct stage *s, const char *format, ...)
{
    va_list ap;
    if (s->broken[0])
        return;
    va_start(ap, format);
    vsnprintf(s->broken, sizeof s->broken, format, ap);
    va_end(ap);
}

/* ---- Telling ------------------------------------------------------------ */

/* Where we are, in words that SWEEP_* take. */
static const char *where(void)
{
    static char text[300];
    if (!now.row)
        return "making the worlds";
    snprintf(text, sizeof text, "SWEEP_OP='%s' SWEEP_KIND='%s%s' SWEEP_AT=%lu",
             now.row->op->name, failing_names[now.row->what],
             now.row->ever ? " for ever" : "", now.at);
    return text;
}

void sweep_complain(const char *format, ...)
{
    va_list ap;
    char text[600];
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    sweep.violations++;
    if (sweep.violations > COMPLAINTS)
        return;
    printf("# %s: %s\n#   %s\n", where(), now.hit[0] ? now.hit : failing_hit(),
           text);
}

static void on_death(int number)
{
    char text[400];
    int n =
        snprintf(text, sizeof text, "\n# %s: %s\n#   %s\n", where(),
                 failing_hit(), number == SIGALRM ? "it hangs" : "it crashed");
    if (write(STDOUT_FILENO, text, (size_t)n) < 0)
        _exit(4);
    signal(number, SIG_DFL);
    raise(number);
    _exit(3);
}

/* ---- One run ------------------------------------------------------------ */

static void set_stage(struct stage *s, const struct plog_io *io)
{
    memset(s, 0, sizeof *s);
    snprintf(s->top, sizeof s->top, "%s/stage", sweep.top);
    snprintf(s->dir, sizeof s->dir, "%s/log", s->top);
    snprintf(s->out, sizeof s->out, "%s/out", s->top);
    snprintf(s->file, sizeof s->file, "%s/file", s->top);
    s->io = io;
}

/* Sets the stage anew, unless it is as it has to be. */
static bool fresh; /* it is */

static void set_up(const struct row *r)
{
    static const struct sweep_op *of;
    char from[400], to[400];
    struct stat st;
    if (fresh && of && strcmp(of->world, r->op->world) == 0)
        return;
    snprintf(from, sizeof from, "%s/worlds/%s", sweep.top, r->op->world);
    snprintf(to, sizeof to, "%s/stage", sweep.top);
    if (lstat(to, &st) == 0)
        tree_remove(to);
    if (r->op->world[0])
        tree_copy(from, to);
    else
        CHECK(mkdir(to, 0700) == 0);
    of = r->op;
    fresh = true;
}

/* Runs the operation with the `at`-th call failing; 0: none. */
static int run_at(const struct row *r, unsigned long at, struct stage *s)
{
    set_stage(s, failing_io());
    s->ever = r->ever;
    sqlite3_shutdown(); /* so that its beginning is swept, too */
    struct failing_live before = failing_live();
    unsigned handles = handles_open();
    alarm(HANG_SECONDS);
    failing_start(at ? r->what : FAILING_NOTHING, at, r->ever);
    if (!r->op->arms)
        failing_go();
    int rc = r->op->run(s);
    failing_stop();
    alarm(0);
    sqlite3_shutdown();
    struct failing_live after = failing_live();
    if (after.table != before.table)
        sweep_complain("code %d, and %ld allocations live on", rc,
                       after.table - before.table);
    if (after.sqlite != before.sqlite)
        sweep_complain("code %d, and %ld of SQLite's allocations live on", rc,
                       after.sqlite - before.sqlite);
    if (after.handles != before.handles)
        sweep_complain("code %d, and %ld handles are open", rc,
                       after.handles - before.handles);
    else if (handles_open() != handles)
        sweep_complain("code %d, and SQLite has a file open", rc);
    return rc;
}

static bool invisible(enum failing_what w)
{
    return w == FAILING_INTERRUPT || w == FAILING_SHORT ||
           w == FAILING_CALL_INTERRUPT || w == FAILING_CALL_SHORT;
}

static bool allocates(enum failing_what w)
{
    return w == FAILING_ALLOC || w == FAILING_SQLITE_ALLOC;
}

static bool in_contract(const struct row *r, int rc)
{
    if (rc == (allocates(r->what) ? PLOG_E_NOMEM : PLOG_E_IO))
        return true;
    if (r->op->entries && rc == PLOG_E_INDETERMINATE)
        return true;
    if (r->what == FAILING_CALL && rc == PLOG_E_LOCKED) /* so SQLite says */
        return true;
    for (size_t i = 0; i < sizeof r->op->code / sizeof *r->op->code; i++)
        if (r->op->code[i] && rc == r->op->code[i])
            return true;
    return false;
}

static void check_code(const struct row *r, const struct stage *s, int rc)
{
    if (rc == 0)
        return;
    if (!failing_reached())
        sweep_complain("fails without a fault: %d, %s", rc, s->err.message);
    else if (invisible(r->what))
        sweep_complain("was seen: %d, %s", rc, s->err.message);
    else if (!in_contract(r, rc))
        sweep_complain("code %d: %s", rc, s->err.message);
    else if (s->err.code != rc || !s->err.message[0])
        sweep_complain("returned %d, told %d: %s", rc, s->err.code,
                       s->err.message);
}

/* Whether the text begins with one of those in `list`. */
static bool begins_with_one(const char *text, const char *list)
{
    for (; list; list = strchr(list, '|') ? strchr(list, '|') + 1 : NULL)
        if (strncmp(text, list, strcspn(list, "|")) == 0)
            return true;
    return false;
}

/* Whether a failure that was told was the end of it. */
static void check_end(const struct row *r, int rc)
{
    const char *call;
    if (!r->op->behind || !failing_reached())
        return;
    for (size_t i = 0; rc && (call = failing_behind(i)); i++)
        if (!begins_with_one(call, r->op->behind))
            sweep_complain("behind it: %s", call);
}

/* One position: false when it was past the last call. */
static bool run_position(struct row *r, unsigned long at)
{
    struct stage s;
    struct tree after;
    now.row = r;
    now.at = at;
    now.hit[0] = '\0';
    set_up(r);
    int rc = run_at(r, at, &s);
    snprintf(now.hit, sizeof now.hit, "%s", failing_hit());
    bool reached = failing_reached();
    r->swept++;
    sweep.swept++;
    r->reached += reached;
    sweep.reached += reached;
    check_code(r, &s, rc);
    check_end(r, rc);
    if (s.broken[0])
        sweep_complain("%s", s.broken);
    if (failing_resynced())
        sweep_complain("a sync of %s failed and was made again",
                       failing_resynced());
    if (rc == 0 && r->op->reads && s.told != r->base->told)
        sweep_complain("it returned 0 and gave out something else");
    tree_read(&after, s.top);
    fresh = after.hash == r->base->tree.hash;
    if (!fresh && r->op->reads)
        sweep_complain("it changed the directory");
    if (!r->op->reads && !sweep_was_judged(r->base, &after, &s, rc) &&
        (!sweep.kind || rc == 0 || sweep.states++ % JUDGED == 0)) {
        sweep.judged++;
        fresh = false;
        sweep_judge(r->op, r->base, &after, &s, rc);
    }
    tree_free(&after);
    return reached;
}

/* ---- Preparing ---------------------------------------------------------- */

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* Whether `list` has that name, alone or among others. */
static bool lists(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (; list; list = strchr(list, '|') ? strchr(list, '|') + 1 : NULL)
        if (strncmp(list, name, n) == 0 && (list[n] == '\0' || list[n] == '|'))
            return true;
    return false;
}

static bool wanted(const char *what, const char *name)
{
    const char *list = setting(what);
    return !list || lists(list, name);
}

static void add_row(const struct sweep_op *op, struct sweep_base *base,
                    enum failing_what what, bool ever)
{
    char kind[60];
    unsigned long calls = failing_count(what);
    snprintf(kind, sizeof kind, "%s%s", failing_names[what],
             ever ? " for ever" : "");
    if (calls == 0 || !wanted("SWEEP_KIND", kind) ||
        (sweep.kind && strcmp(sweep.kind, kind) != 0))
        return;
    sweep.rows =
        realloc(sweep.rows, (sweep.row_count + 1) * sizeof *sweep.rows);
    if (!sweep.rows)
        abort();
    sweep.rows[sweep.row_count++] =
        (struct row){op, base, what, ever, calls, 0, 0};
    sweep.total += calls;
}

/* Runs the operation unharmed, for what it does and how many calls it makes. */
static void prepare(const struct sweep_op *op, struct sweep_base *base)
{
    struct row r = {.op = op, .base = base};
    struct stage s;
    struct tree after;
    now.row = &r;
    now.at = 0;
    fresh = false;
    set_up(&r);
    sweep_look(op, base, sweep.top);
    int rc = run_at(&r, 0, &s);
    base->told = s.told;
    if (rc || s.broken[0])
        sweep_complain("fails without a fault: %d, %s %s", rc, s.err.message,
                       s.broken);
    for (int w = FAILING_IO; w < FAILING_WHATS; w++) {
        add_row(op, base, (enum failing_what)w, false);
        if (w != FAILING_LATE && w != FAILING_SYNC)
            add_row(op, base, (enum failing_what)w, true);
    }
    tree_read(&after, s.top);
    fresh = false;
    if (op->reads && after.hash != base->tree.hash)
        sweep_complain("it changed the directory");
    if (!op->reads)
        sweep_judge(op, base, &after, &s, rc);
    tree_free(&after);
}

static void make(void)
{
    struct sigaction act = {.sa_handler = on_death};
    char path[400];
    sigaction(SIGALRM, &act, NULL);
    sigaction(SIGABRT, &act, NULL);
#ifndef __SANITIZE_ADDRESS__
    sigaction(SIGSEGV, &act, NULL);
    sigaction(SIGBUS, &act, NULL);
#endif
    failing_init();
    snprintf(sweep.top, sizeof sweep.top, "%.250s", check_dir());
    snprintf(path, sizeof path, "%s/worlds", sweep.top);
    CHECK(mkdir(path, 0700) == 0);
    sweep.worlds(path);
    sweep.bases = calloc(sweep.op_count, sizeof *sweep.bases);
    if (!sweep.bases)
        abort();
    for (size_t i = 0; i < sweep.op_count; i++)
        if (wanted("SWEEP_OP", sweep.ops[i].name))
            prepare(&sweep.ops[i], &sweep.bases[i]);
}

/* ---- Sweeping ----------------------------------------------------------- */

/* The `k`-th position of all, of `total`. */
static void at_position(unsigned long k)
{
    size_t i = 0;
    while (k >= sweep.rows[i].calls)
        k -= sweep.rows[i++].calls;
    run_position(&sweep.rows[i], k + 1);
}

static void all_positions(void)
{
    const char *at = setting("SWEEP_AT"), *given = setting("SWEEP_STRIDE");
    unsigned long stride = given ? strtoul(given, NULL, 10) : 1;
    for (size_t i = 0; i < sweep.row_count; i++) {
        struct row *r = &sweep.rows[i];
        unsigned long step = r->what == FAILING_SQLITE_ALLOC ? stride : 1;
        unsigned long n = at ? strtoul(at, NULL, 10) : 1 + check_seed() % step;
        /* A fault may lead to calls that were not made without one. */
        for (; run_position(r, n) && !at; n += step)
            ;
    }
}

static unsigned long common(unsigned long a, unsigned long b)
{
    return b ? common(b, a % b) : a;
}

/* A stride without common divisor comes by every position once. */
static void some_positions(double until)
{
    uint64_t seed = check_seed();
    if (sweep.total == 0)
        return;
    unsigned long k = (unsigned long)(check_random(&seed) % sweep.total);
    unsigned long stride =
        1 + (unsigned long)(check_random(&seed) % sweep.total);
    while (common(stride, sweep.total) != 1)
        stride++;
    for (unsigned long i = 0; i < sweep.total; i++) {
        if (i >= AT_LEAST && world_seconds() >= until)
            break;
        at_position(k);
        k = (k + stride) % sweep.total;
    }
}

/* ---- The table ---------------------------------------------------------- */

static void print_table(void)
{
    printf("# positions swept, by kind of fault (once + for ever)\n# %-22s",
           "operation");
    for (int w = 1; w < FAILING_WHATS; w++)
        printf(" %12.12s", failing_names[w]);
    printf(" %9s\n", "all");
    for (size_t i = 0; i < sweep.op_count; i++) {
        unsigned long by[FAILING_WHATS] = {0}, all = 0;
        for (size_t j = 0; j < sweep.row_count; j++) {
            if (sweep.rows[j].op != &sweep.ops[i])
                continue;
            by[sweep.rows[j].what] += sweep.rows[j].swept;
            all += sweep.rows[j].swept;
        }
        if (!all)
            continue;
        printf("# %-22.22s", sweep.ops[i].name);
        for (int w = 1; w < FAILING_WHATS; w++)
            printf(" %12lu", by[w]);
        printf(" %9lu\n", all);
    }
}

static void storm(void)
{
    const char *budget = setting("STORM_BUDGET");
    double began = world_seconds();
    make();
    if (setting("STORM_ALL") || setting("SWEEP_AT"))
        all_positions();
    else
        some_positions(world_seconds() + (budget ? strtod(budget, NULL) : 10));
    print_table();
    printf("# %s: seed %" PRIu64 ", %lu positions of %lu, %lu faults reached,"
           " %lu states judged, %lu commits in order, %.0f s\n",
           sweep.name, check_seed(), sweep.swept, sweep.total, sweep.reached,
           sweep.judged, order_commits_checked(), world_seconds() - began);
    CHECK_UINT(sweep.violations, 0);
    CHECK(sweep.reached > 0);
}

/* ---- Cases ----------------------------------------------------------------
 */

#define CASES 64
#define MOST 8 /* positions of what writes, unless SWEEP_MOST says */

static void begin_cases(void)
{
    char path[400];
    if (sweep.top[0])
        return;
    failing_init();
    snprintf(sweep.top, sizeof sweep.top, "%.250s", check_dir());
    snprintf(path, sizeof path, "%s/worlds", sweep.top);
    CHECK(mkdir(path, 0700) == 0);
}

/* Which positions are left out depends on the seed. */
static void some_of(const struct sweep_op *op, struct row *row)
{
    const char *given = setting("SWEEP_MOST");
    unsigned long most = given ? strtoul(given, NULL, 10) : MOST;
    unsigned long step = 1 + row->calls / (op->reads ? 4 * most : most);
    unsigned long n = 1 + check_seed() % step;
    while (run_position(row, n))
        n += step;
}

static void sweep_one(const struct sweep_op *op, const char *kind)
{
    struct sweep_base base = {.size = 0};
    char path[400];
    begin_cases();
    snprintf(path, sizeof path, "%s/worlds", sweep.top);
    sweep_make_world(path, op->world);
    if (op->like)
        sweep_make_world(path, op->like);
    sweep.kind = kind;
    sweep.row_count = sweep.total = sweep.reached = sweep.violations = 0;
    prepare(op, &base);
    for (size_t i = 0; i < sweep.row_count; i++)
        some_of(op, &sweep.rows[i]);
    CHECK_UINT(sweep.violations, 0);
    CHECK(sweep.reached > 0 || sweep.total == 0);
    tree_free(&base.tree);
    free(base.judged);
}

static void run_case(void)
{
    const char *name = check_name(), *kind = strrchr(name, ',') + 2;
    for (size_t i = 0; i < sweep.op_count; i++) {
        size_t n = strlen(sweep.ops[i].name);
        if (strncmp(name, sweep.ops[i].name, n) == 0 && name[n] == ',')
            sweep_one(&sweep.ops[i], kind);
    }
}

int sweep_cases(int argc, char **argv, const struct sweep_ops *ops,
                const char *names, const char *kinds)
{
    static char text[CASES][100];
    static struct check_case cases[CASES];
    size_t count = 0;
    sweep.ops = ops->all;
    sweep.op_count = ops->count;
    for (size_t i = 0; i < ops->count; i++)
        for (int w = 1; w < FAILING_WHATS && count < CASES; w++)
            if (lists(names, ops->all[i].name) &&
                lists(kinds, failing_names[w])) {
                snprintf(text[count], sizeof *text, "%s, %s", ops->all[i].name,
                         failing_names[w]);
                cases[count] = (struct check_case){text[count], run_case};
                count++;
            }
    return check_main(argc, argv, cases, count);
}

int sweep_main(int argc, char **argv, const char *name, sweep_worlds *worlds,
               const struct sweep_op *ops, size_t count)
{
    const struct check_case cases[] = {{name, storm}};
    sweep.name = name;
    sweep.worlds = worlds;
    sweep.ops = ops;
    sweep.op_count = count;
    return check_main(argc, argv, cases, 1);
}
