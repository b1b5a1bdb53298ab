/* print.c - the machine, the tables and the JSON. */
#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include "bench.h"
#ifdef PLOG_WITH_LIBCRYPTO
#include <openssl/crypto.h>
#endif

/* ---- The machine -------------------------------------------------------- */

static void processor(char *out, size_t cap)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    snprintf(out, cap, "unknown processor");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "model name", 10) && strchr(line, ':')) {
            const char *name = strchr(line, ':') + 1;
            name += strspn(name, " \t");
            snprintf(out, cap, "%.*s", (int)strcspn(name, "\n\"\\"), name);
            break;
        }
    if (f)
        fclose(f);
}

static const char *hasher(void)
{
#ifdef PLOG_WITH_LIBCRYPTO
    return OpenSSL_version(OPENSSL_VERSION);
#else
    return "libsodium";
#endif
}

void bench_print_machine(FILE *out, const struct bench_settings *s,
                         const struct bench_task *t)
{
    struct utsname u;
    char cpu[128];
    uname(&u);
    processor(cpu, sizeof cpu);
    fprintf(out,
            "%s, %ld processors; %s %s; %s; an overwrite and its fdatasync"
            " %.0f us\nSQLite %s, libsodium %s, zlib %s; SHA-256 by %s\n%u"
            " runs of %.2f s; logs of %llu and %llu entries; %s\n",
            cpu, sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release,
            s->filesystem, s->sync_us, sqlite3_libversion(),
            sodium_version_string(), zlibVersion(), hasher(), s->runs,
            s->seconds, (unsigned long long)t->events,
            (unsigned long long)t->large_events, s->commit);
}

/* ---- Tables ------------------------------------------------------------- */

static struct bench_spread of(size_t row, enum bench_metric m)
{
    double values[BENCH_RUNS];
    for (unsigned n = 0; n < bench_runs_of[row]; n++)
        values[n] = bench_all[row][n][m];
    return bench_spread(values, bench_runs_of[row]);
}

/* The ratio to the overwrite loop right before, run by run. */
static void print_over_limit(size_t row)
{
    double values[BENCH_RUNS];
    for (unsigned n = 0; n < bench_runs_of[row]; n++)
        values[n] =
            bench_all[row][n][BENCH_RATE] / bench_all[row][n][BENCH_O_RATE];
    struct bench_spread s = bench_spread(values, bench_runs_of[row]);
    if (s.count)
        printf("  %.2f O (%.2f-%.2f)", s.median, s.least, s.most);
}

/* The rate with its spread; of all other figures the median. */
static void print_row(size_t row)
{
    struct bench_spread rate = of(row, BENCH_RATE);
    printf("%-44s", bench_rows[row].name);
    if (rate.count)
        printf("%11.0f/s (%.0f-%.0f)", rate.median, rate.least, rate.most);
    print_over_limit(row);
    for (int m = BENCH_MB; m < BENCH_METRIC_COUNT; m++) {
        struct bench_spread s = of(row, (enum bench_metric)m);
        if (s.count && (m < BENCH_O_RATE || m > BENCH_O_P99))
            printf("  %s %.5g", bench_metric_name((enum bench_metric)m),
                   s.median);
    }
    putchar('\n');
}

static bool is_met(const struct bench_limit *l, double median, double limit)
{
    return l->at_most ? median <= limit : median >= limit;
}

static const char *verdict(const struct bench_limit *l, double median)
{
    return isnan(l->floor)                               ? "-"
           : !is_met(l, median, l->floor)                ? "BELOW"
           : !isnan(l->aim) && is_met(l, median, l->aim) ? "aim"
                                                         : "floor";
}

static void print_bound(const char *name, bool at_most, double value)
{
    if (!isnan(value))
        printf(", %s %s %g", name, at_most ? "<=" : ">=", value);
}

static void print_limits(void)
{
    double values[BENCH_RUNS];
    puts("\nheld against (limits in ms hold for an O of at most 140 us, else in"
         " proportion)");
    for (size_t i = 0; i < bench_limit_count; i++) {
        const struct bench_limit *l = &bench_limits[i];
        struct bench_spread s =
            bench_spread(values, bench_limit_values(l, values));
        if (!s.count)
            continue;
        printf("%-6s %.3g (%.3g-%.3g)", verdict(l, s.median), s.median, s.least,
               s.most);
        print_bound("floor", l->at_most, l->floor);
        print_bound("aim", l->at_most, l->aim);
        printf(": %s: %s\n", l->row, l->what);
    }
}

void bench_print_table(void)
{
    const char *group = "";
    for (size_t i = 0; i < bench_row_count; i++) {
        if (!bench_runs_of[i])
            continue;
        if (strcmp(group, bench_rows[i].group))
            printf("\n%s\n", bench_rows[i].group);
        group = bench_rows[i].group;
        print_row(i);
    }
    print_limits();
    for (size_t i = 0; i < bench_row_count; i++)
        if (!bench_rows[i].run)
            printf("skip %s: %s\n", bench_rows[i].name, bench_rows[i].skip);
}

/* ---- JSON --------------------------------------------------------------- */

/* Those that there are: what a run could not tell is left out. */
static void json_values(FILE *out, const double *values, unsigned n)
{
    const char *before = "";
    fputc('[', out);
    for (unsigned i = 0; i < n; i++) {
        if (!isfinite(values[i]))
            continue;
        fprintf(out, "%s%.6g", before, values[i]);
        before = ",";
    }
    fputc(']', out);
}

static void json_number(FILE *out, const char *name, double value)
{
    if (isnan(value))
        fprintf(out, ",\"%s\":null", name);
    else
        fprintf(out, ",\"%s\":%.6g", name, value);
}

static void json_row(FILE *out, size_t row)
{
    fprintf(out, "{\"group\":\"%s\",\"name\":\"%s\",\"figures\":{",
            bench_rows[row].group, bench_rows[row].name);
    for (int m = 0, first = 1; m < BENCH_METRIC_COUNT; m++) {
        double values[BENCH_RUNS];
        unsigned told = 0;
        for (unsigned n = 0; n < bench_runs_of[row]; n++) {
            double v = bench_all[row][n][m];
            if (!isnan(v))
                values[told++] = v;
        }
        if (!told)
            continue;
        fprintf(out, "%s\"%s\":", first ? "" : ",",
                bench_metric_name((enum bench_metric)m));
        json_values(out, values, told);
        first = 0;
    }
    fputs("}}", out);
}

static void json_limits(FILE *out)
{
    bool first = true;
    for (size_t i = 0; i < bench_limit_count; i++) {
        const struct bench_limit *l = &bench_limits[i];
        double values[BENCH_RUNS];
        unsigned n = bench_limit_values(l, values);
        struct bench_spread s = bench_spread(values, n);
        if (!s.count)
            continue;
        fprintf(out, "%s\n{\"row\":\"%s\",\"what\":\"%s\",\"at_most\":%s",
                first ? "" : ",", l->row, l->what,
                l->at_most ? "true" : "false");
        json_number(out, "floor", l->floor);
        json_number(out, "aim", l->aim);
        fprintf(out, ",\"verdict\":\"%s\",\"values\":", verdict(l, s.median));
        json_values(out, values, n);
        fputc('}', out);
        first = false;
    }
}

static void json_skipped(FILE *out)
{
    bool first = true;
    for (size_t i = 0; i < bench_row_count; i++)
        if (!bench_rows[i].run) {
            fprintf(out, "%s\n{\"name\":\"%s\",\"why\":\"%s\"}",
                    first ? "" : ",", bench_rows[i].name, bench_rows[i].skip);
            first = false;
        }
}

static void json_machine(FILE *out, const struct bench_settings *s,
                         const struct bench_task *t)
{
    struct utsname u;
    char cpu[128];
    uname(&u);
    processor(cpu, sizeof cpu);
    fprintf(out,
            "{\"schema\":\"paritylog/bench/2\",\n\"commit\":\"%s\",\n"
            "\"machine\":{\"processor\":\"%s\",\"processors\":%ld,\"kernel\":"
            "\"%s %s\",\"file_system\":\"%s\",\"sync_us\":%.1f},\n",
            s->commit, cpu, sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release,
            s->filesystem, s->sync_us);
    fprintf(out,
            "\"libraries\":{\"sqlite\":\"%s\",\"libsodium\":\"%s\",\"zlib\":"
            "\"%s\",\"sha256\":\"%s\"},\n",
            sqlite3_libversion(), sodium_version_string(), zlibVersion(),
            hasher());
    fprintf(out,
            "\"settings\":{\"runs\":%u,\"seconds\":%g,\"events\":%llu,"
            "\"large_events\":%llu,\"disk_events\":%llu,\"compact_bytes\":"
            "%llu},\n",
            s->runs, s->seconds, (unsigned long long)t->events,
            (unsigned long long)t->large_events,
            (unsigned long long)t->disk_events,
            (unsigned long long)t->compact_bytes);
}

void bench_print_json(const struct bench_settings *s,
                      const struct bench_task *t)
{
    bool first = true;
    FILE *out = fopen(s->json, "w");
    if (!out)
        bench_die(s->json, strerror(errno));
    json_machine(out, s, t);
    fputs("\"rows\":[", out);
    for (size_t i = 0; i < bench_row_count; i++) {
        if (!bench_runs_of[i])
            continue;
        fputs(first ? "\n" : ",\n", out);
        json_row(out, i);
        first = false;
    }
    fputs("\n],\n\"limits\":[", out);
    json_limits(out);
    fputs("\n],\n\"skipped\":[", out);
    json_skipped(out);
    fputs("\n]}\n", out);
    if (fclose(out))
        bench_die(s->json, strerror(errno));
}
