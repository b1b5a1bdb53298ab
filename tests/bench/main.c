/*
 * main.c - make bench: every row beside its reference, in the same run.
 *
 *     bench [--dir DIR] [--runs N] [--seconds S] [--events N] [--json FILE]
 *           [WORD...]
 *
 * DIR (default .) must lie on the disk that is to be measured.  Repetitions
 * are outermost.  Each row runs in a process of its own and in an empty
 * directory; each row that writes is preceded by the overwrite loop (O), and
 * its ratio is to that one, because disks drift.  Figures are medians of all
 * runs, with the least and the greatest.  WORD: only rows with it in their
 * name.
 */
#include <errno.h>
#include <ftw.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define RUNS_MAX 25
#define ROWS_MAX 40

enum kind { WRITES, READS };

struct row {
    const char *name;
    void (*run)(const struct bench_task *, struct bench_row *);
    enum kind kind;
    unsigned batch, callers;
    const char *base; /* the row that `ratio` is to; NULL: O before it */
};

static const struct row rows[] = {
    {"O: overwrite + fdatasync, 1", bench_overwrite, WRITES, 1, 1, NULL},
    {"A: append + fdatasync, 1", bench_append, WRITES, 1, 1, NULL},
    {"N: by hand in C, 1", bench_naive, WRITES, 1, 1, NULL},
    {"N: by hand in C, 100", bench_naive, WRITES, 100, 1, NULL},
    {"N: by hand in C, 1000", bench_naive, WRITES, 1000, 1, NULL},
    {"S: SQLite alone FULL, 1", bench_sqlite, WRITES, 1, 1, NULL},
    {"S: SQLite alone FULL, 100", bench_sqlite, WRITES, 100, 1, NULL},
    {"S: SQLite alone FULL, 1000", bench_sqlite, WRITES, 1000, 1, NULL},
    {"paritylog, 1", bench_ours, WRITES, 1, 1, NULL},
    {"paritylog, 100", bench_ours, WRITES, 100, 1, NULL},
    {"paritylog, 1000", bench_ours, WRITES, 1000, 1, NULL},
    {"paritylog, 16 threads, 1", bench_threads, WRITES, 1, 16, NULL},
    {"paritylog, 64 threads, 1", bench_threads, WRITES, 1, 64, NULL},
    {"paritylog, 8 processes, 1", bench_processes, WRITES, 1, 8, NULL},
    {"SQLite bulk insert", bench_bulk, READS, 0, 1, NULL},
    {"SQLite scan", bench_scan, READS, 0, 1, NULL},
    {"open and close", bench_open, READS, 0, 1, NULL},
    {"verify", bench_verify, READS, 0, 1, "SQLite scan"},
    {"parity", bench_parity, READS, 0, 1, "SQLite scan"},
    {"replay --fresh", bench_rebuild, READS, 0, 1, "SQLite bulk insert"},
};
#define ROWS (sizeof rows / sizeof *rows)

/* What a run of a row came to. */
struct figure {
    double rate, ratio, p50, p99, bytes, rss;
};

static struct {
    const char *dir, *json;
    unsigned runs;
    double seconds;
    uint64_t events;
    char **words;
    int word_count;
} want = {".", NULL, 5, 1.0, 200000, NULL, 0};

static struct figure figures[ROWS][RUNS_MAX];

/* ---- One row ------------------------------------------------------------ */

static int drop(const char *path, const struct stat *st, int kind,
                struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, drop, 8, FTW_PHYS | FTW_DEPTH);
}

static struct figure child(const struct row *w, const struct bench_task *t)
{
    struct bench_row r = {0};
    struct figure f = {0};
    w->run(t, &r);
    bench_row_end(&r);
    f.rate = r.seconds > 0 ? (double)r.events / r.seconds : 0;
    f.p50 = bench_percentile(&r, 50);
    f.p99 = bench_percentile(&r, 99);
    f.bytes = r.bytes && r.events ? (double)r.bytes / (double)r.events : 0;
    bench_row_free(&r);
    return f;
}

/* In a process of its own, so that its memory is its own. */
static struct figure run(const struct row *w, const struct bench_task *t)
{
    struct figure f = {0};
    struct rusage usage;
    int ends[2], status = 1;
    fflush(NULL);
    if (pipe(ends))
        bench_die("pipe", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        f = child(w, t);
        _exit(write(ends[1], &f, sizeof f) != sizeof f);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], &f, sizeof f);
    close(ends[0]);
    if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || status ||
        n != sizeof f)
        bench_die(w->name, "did not end well");
    f.rss = (double)usage.ru_maxrss / 1024;
    return f;
}

static struct figure measure(const struct row *w, double seconds)
{
    char dir[512];
    snprintf(dir, sizeof dir, "%.400s/paritylog-bench.XXXXXX", want.dir);
    if (!mkdtemp(dir))
        bench_die(dir, strerror(errno));
    struct bench_task t = {.dir = dir,
                           .seconds = seconds,
                           .batch = w->batch,
                           .callers = w->callers,
                           .events = want.events};
    struct figure f = run(w, &t);
    remove_tree(dir);
    return f;
}

static bool is_wanted(const struct row *w)
{
    for (int i = 0; i < want.word_count; i++)
        if (strstr(w->name, want.words[i]))
            return true;
    return want.word_count == 0;
}

/* ---- All rows ----------------------------------------------------------- */

static void write_rows(unsigned n)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind != WRITES || !is_wanted(&rows[i]))
            continue;
        struct figure o = measure(&rows[0], want.seconds / 3);
        figures[i][n] = measure(&rows[i], want.seconds);
        figures[i][n].ratio = figures[i][n].rate / o.rate;
        fprintf(stderr, "run %u: %s: %.0f/s, %.2f O\n", n + 1, rows[i].name,
                figures[i][n].rate, figures[i][n].ratio);
    }
}

/* Those share one log and one table, made once. */
static void read_rows(void)
{
    char dir[512];
    snprintf(dir, sizeof dir, "%.400s/paritylog-bench.XXXXXX", want.dir);
    if (!mkdtemp(dir))
        bench_die(dir, strerror(errno));
    struct bench_task t = {
        .dir = dir, .seconds = want.seconds / 2, .events = want.events};
    bench_make_log(&t);
    for (unsigned n = 0; n < want.runs; n++)
        for (size_t i = 0; i < ROWS; i++) {
            if (rows[i].kind != READS)
                continue;
            if (rows[i].run == bench_bulk) {
                char path[600];
                snprintf(path, sizeof path, "%s/base.db", dir);
                remove(path);
            }
            figures[i][n] = run(&rows[i], &t);
            for (size_t b = 0; rows[i].base && b < i; b++)
                if (!strcmp(rows[b].name, rows[i].base))
                    figures[i][n].ratio =
                        figures[i][n].rate / figures[b][n].rate;
            fprintf(stderr, "run %u: %s: %.0f/s\n", n + 1, rows[i].name,
                    figures[i][n].rate);
        }
    remove_tree(dir);
}

/* ---- What is printed ---------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct spread {
    double least, median, most;
};

/* Of one member of a row's figures over all runs. */
static struct spread spread(size_t row, size_t member)
{
    double all[RUNS_MAX];
    for (unsigned n = 0; n < want.runs; n++)
        memcpy(&all[n], (const char *)&figures[row][n] + member, sizeof *all);
    qsort(all, want.runs, sizeof *all, ascending);
    return (struct spread){all[0], all[want.runs / 2], all[want.runs - 1]};
}

#define SPREAD(row, member) spread(row, offsetof(struct figure, member))

static void print_machine(FILE *out)
{
    struct utsname u;
    char model[128] = "unknown";
    FILE *f = fopen("/proc/cpuinfo", "r");
    uname(&u);
    for (char line[256]; f && fgets(line, sizeof line, f);)
        if (sscanf(line, "model name : %127[^\n]", model) == 1)
            break;
    if (f)
        fclose(f);
    fprintf(out,
            "%s, %ld processors, %s %s, SQLite %s, libsodium %s; %u runs of"
            " %.1f s, %llu events read; median (least-greatest)\n\n",
            model, sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release,
            sqlite3_libversion(), sodium_version_string(), want.runs,
            want.seconds, (unsigned long long)want.events);
}

static void print_table(void)
{
    print_machine(stdout);
    puts("| row, events a commit | events/s | ratio | p50 us | p99 us |"
         " bytes/event | peak RSS MiB |\n| --- | --- | --- | --- | --- | ---"
         " | --- |");
    for (size_t i = 0; i < ROWS; i++) {
        struct spread rate = SPREAD(i, rate), ratio = SPREAD(i, ratio);
        if (rate.median == 0)
            continue;
        printf("| %s | %.0f (%.0f-%.0f) | %.2f (%.2f-%.2f) %s | %.0f | %.0f |"
               " %.0f | %.0f |\n",
               rows[i].name, rate.median, rate.least, rate.most, ratio.median,
               ratio.least, ratio.most, rows[i].base ? rows[i].base : "O",
               SPREAD(i, p50).median, SPREAD(i, p99).median,
               SPREAD(i, bytes).median, SPREAD(i, rss).median);
    }
}

static void print_json(void)
{
    FILE *out = want.json ? fopen(want.json, "w") : NULL;
    if (!out)
        return;
    fprintf(out, "{\"schema\":\"paritylog/bench/1\",\"runs\":%u,\"rows\":[",
            want.runs);
    bool first = true;
    for (size_t i = 0; i < ROWS; i++) {
        struct spread rate = SPREAD(i, rate), ratio = SPREAD(i, ratio);
        if (rate.median == 0)
            continue;
        fprintf(out,
                "%s\n{\"name\":\"%s\",\"rate\":[%.1f,%.1f,%.1f],\"ratio\":"
                "[%.4f,%.4f,%.4f],\"p50\":%.1f,\"p99\":%.1f,\"bytes\":%.1f,"
                "\"rss_mib\":%.1f}",
                first ? "" : ",", rows[i].name, rate.least, rate.median,
                rate.most, ratio.least, ratio.median, ratio.most,
                SPREAD(i, p50).median, SPREAD(i, p99).median,
                SPREAD(i, bytes).median, SPREAD(i, rss).median);
        first = false;
    }
    fputs("\n]}\n", out);
    if (fclose(out))
        bench_die(want.json, strerror(errno));
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
        else if (!strcmp(argv[i], "--runs"))
            want.runs = (unsigned)atoi(value);
        else if (!strcmp(argv[i], "--seconds"))
            want.seconds = atof(value);
        else if (!strcmp(argv[i], "--events"))
            want.events = strtoull(value, NULL, 10) / 1000 * 1000;
        else
            bench_die(argv[i], "no such option");
    }
    want.words = argv + i;
    want.word_count = argc - i;
    if (want.runs < 1 || want.runs > RUNS_MAX || want.seconds <= 0 ||
        want.events < 1000)
        bench_die("a number", "out of range");
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    if (sodium_init() < 0)
        bench_die("libsodium", "does not start");
    bool reads = false;
    for (size_t i = 0; i < ROWS; i++)
        reads |= rows[i].kind == READS && is_wanted(&rows[i]);
    for (unsigned n = 0; n < want.runs; n++)
        write_rows(n);
    if (reads)
        read_rows();
    print_table();
    print_json();
    return 0;
}
