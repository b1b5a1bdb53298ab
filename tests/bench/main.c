/*
 * main.c - make bench: every row beside its reference, in the same run.
 *
 *     bench [--dir DIR] [--runs N] [--seconds S] [--json FILE] [--command FILE]
 *           [--events N] [--large-events N] [--disk-events N] [--compact-mb N]
 *           [--commit NAME] [WORD...]
 *
 * DIR (default .) must lie on the disk that is to be measured; where a sync
 * does nothing the bench refuses with exit status 2.  Repetitions are
 * outermost.  Each row that writes is preceded by the overwrite loop (O), and
 * its ratio is to that one, because disks drift.  Figures are medians of all
 * runs, with the least and the greatest.  WORD: only rows with one of them in
 * their name; a ratio to a row that was not run is left out.
 */
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

static struct bench_settings want = {
    .dir = ".", .commit = "", .runs = 5, .seconds = 1.0};
static struct bench_task task = {.command = "build/paritylog",
                                 .events = 200000,
                                 .large_events = 200000,
                                 .disk_events = 100000,
                                 .compact_bytes = UINT64_C(300) * 1000000};
static char **words;
static int word_count;

/* ---- The directory of all runs ------------------------------------------ */

static char top[BENCH_PATH], raw[BENCH_PATH], shared[BENCH_PATH],
    large[BENCH_PATH];
static pid_t owner;

static void clean_up(void)
{
    if (getpid() == owner)
        bench_remove_tree(top);
}

/* The row's process ends by it as well: then we do, and clean up. */
static void leave(int signal)
{
    if (bench_child > 0)
        kill(bench_child, signal);
}

static void make_top(void)
{
    snprintf(top, sizeof top, "%.400s/paritylog-bench.XXXXXX", want.dir);
    if (!mkdtemp(top))
        bench_die(top, strerror(errno));
    owner = getpid();
    atexit(clean_up);
    signal(SIGINT, leave);
    signal(SIGTERM, leave);
    snprintf(raw, sizeof raw, "%.500s/raw", top);
    snprintf(shared, sizeof shared, "%.500s/shared", top);
    snprintf(large, sizeof large, "%.500s/large", top);
    if (mkdir(shared, 0700))
        bench_die(shared, strerror(errno));
    task.dir = top;
    task.raw = raw;
    task.shared = shared;
    task.large = large;
}

/* ---- All rows ----------------------------------------------------------- */

static bool is_wanted(size_t row)
{
    const struct bench_row *r = &bench_rows[row];
    if (!r->run)
        return false;
    for (int i = 0; i < word_count; i++)
        if (strstr(r->name, words[i]))
            return true;
    return word_count == 0;
}

static bool any_wanted(enum bench_kind kind)
{
    for (size_t i = 0; i < bench_row_count; i++)
        if (bench_rows[i].kind == kind && is_wanted(i))
            return true;
    return false;
}

/* What rows stand on is made by a process of its own, for its memory. */
static void prepare(void)
{
    for (size_t i = 0; i < bench_row_count; i++)
        if (is_wanted(i))
            bench_make_pool(bench_rows[i].shape);
    bench_make_pool(BENCH_PLAIN);
    bool longs = any_wanted(BENCH_LARGE);
    if (longs || any_wanted(BENCH_READS)) {
        fprintf(stderr, "a log of %llu entries\n",
                (unsigned long long)task.events);
        bench_apart(bench_prepare_reads, &task);
    }
    if (longs) {
        fprintf(stderr, "a log of %llu entries\n",
                (unsigned long long)task.large_events);
        bench_apart(bench_prepare_large, &task);
    }
}

static void tell(size_t i, unsigned n)
{
    double rate = bench_all[i][n][BENCH_RATE], ms = bench_all[i][n][BENCH_MS];
    fprintf(stderr, "run %u: %s", n + 1, bench_rows[i].name);
    if (rate == rate)
        fprintf(stderr, ": %.0f/s", rate);
    if (ms == ms)
        fprintf(stderr, ": %.2f ms", ms);
    fputc('\n', stderr);
}

static void run_all(void)
{
    for (unsigned n = 0; n < want.runs; n++)
        for (size_t i = 0; i < bench_row_count; i++) {
            unsigned most = bench_rows[i].runs_max;
            if (!is_wanted(i) || (most && n >= most))
                continue;
            bench_run(i, &task, bench_all[i][n]);
            bench_runs_of[i] = n + 1;
            tell(i, n);
        }
}

/* ---- Options ------------------------------------------------------------ */

static bool parse_number(const char *name, const char *value)
{
    const struct {
        const char *name;
        uint64_t *to, unit;
    } all[] = {{"--events", &task.events, 1000},
               {"--large-events", &task.large_events, 1000},
               {"--disk-events", &task.disk_events, 1000},
               {"--compact-mb", &task.compact_bytes, 1}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(name, all[i].name)) {
            uint64_t n = strtoull(value, NULL, 10);
            n = i == 3 ? n * 1000000 : n / all[i].unit * all[i].unit;
            if (n == 0)
                bench_die(name, "is too small");
            *all[i].to = n;
            return true;
        }
    return false;
}

static void parse(int argc, char **argv)
{
    int i = 1;
    for (; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2) {
        const char *value = argv[i + 1];
        if (!strcmp(argv[i], "--dir"))
            want.dir = value;
        else if (!strcmp(argv[i], "--json"))
            want.json = value;
        else if (!strcmp(argv[i], "--commit"))
            want.commit = value;
        else if (!strcmp(argv[i], "--command"))
            task.command = value;
        else if (!strcmp(argv[i], "--runs"))
            want.runs = (unsigned)atoi(value);
        else if (!strcmp(argv[i], "--seconds"))
            task.seconds = want.seconds = atof(value);
        else if (!parse_number(argv[i], value))
            bench_die(argv[i], "no such option");
    }
    words = argv + i;
    word_count = argc - i;
    if (want.runs < 1 || want.runs > BENCH_RUNS || !(want.seconds > 0))
        bench_die("a number", "out of range");
    task.seconds = want.seconds;
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    const char *why = bench_why_not(want.dir);
    if (why) {
        fprintf(stderr, "bench: not here: %s\n", why);
        return 2;
    }
    if (sodium_init() < 0)
        bench_die("libsodium", "does not start");
    make_top();
    bench_look_at(&want);
    prepare();
    run_all();
    bench_print_machine(stdout, &want, &task);
    bench_print_table();
    if (want.json)
        bench_print_json(&want, &task);
    return 0;
}
