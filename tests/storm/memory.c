/*
 * memory.c - what every command needs of memory does not grow with the log.
 *
 * Logs of several sizes; each command runs alone as a child of this small
 * process, and its peak (ru_maxrss) is printed.  SQLite's caches fill up with
 * the first entries, so what counts is the growth from the second largest log
 * to the largest, and a ceiling.  A tenth of the entries are on one record.
 *
 * STORM_SIZES (2000 20000; in full 10000 100000 1000000), PARITYLOG.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

#define SIZES 4
#define CEILING_KIB (64l << 10)
#define CACHES_KIB                                                             \
    (12l << 10) /* what may fill up, beside half as much again                 \
                 */

static uint64_t sizes[SIZES];
static int count;
static char top[400];

static const char *setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value ? value : otherwise;
}

static void read_sizes(void)
{
    char text[200];
    snprintf(text, sizeof text, "%s", setting("STORM_SIZES", "2000 20000"));
    for (char *at = strtok(text, " "); at && count < SIZES;
         at = strtok(NULL, " "))
        sizes[count++] = strtoull(at, NULL, 10);
}

/* ---- One command -------------------------------------------------------- */

/* Runs it with words split at spaces; D stands for the directory, O for a new
 * path.  The peak in KiB, or -1. */
static long peak_of(const char *words, const char *dir, int *status)
{
    char text[1300], out[500];
    char *argv[20] = {"paritylog"};
    struct rusage usage;
    int n = 1;
    snprintf(text, sizeof text, "%s", words);
    snprintf(out, sizeof out, "%s-out", dir);
    for (char *at = strtok(text, " "); at && n < 19; at = strtok(NULL, " ")) {
        argv[n++] = strcmp(at, "D") == 0   ? (char *)(uintptr_t)dir
                    : strcmp(at, "O") == 0 ? out
                                           : at;
    }
    argv[n] = NULL;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        dup2(null, 2);
        execv(setting("PARITYLOG", "build/paritylog"), argv);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, status, 0, &usage) != pid)
        return -1;
    *status = WIFEXITED(*status) ? WEXITSTATUS(*status) : 255;
    world_remove(out);
    return usage.ru_maxrss;
}

static void write_input(const char *path, uint64_t n)
{
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    for (uint64_t i = 0; i < n; i++) {
        char record[24] = "hot";
        if (i % 10 != 9)
            snprintf(record, sizeof record, "%llu",
                     (unsigned long long)(i * 7 % (n / 5)));
        fprintf(f,
                "{\"id\":\"i%llu\",\"resource\":\"r\",\"record_id\":\"%s\","
                "\"op\":\"upsert\",\"payload\":{\"text\":\"some words\","
                "\"n\":%llu},\"occurred_at\":\"2026-01-01T00:00:00Z\","
                "\"provenance\":{\"source\":\"s\",\"confidence\":1}}\n",
                (unsigned long long)i, record, (unsigned long long)i);
    }
    CHECK(fclose(f) == 0);
}

/* In the order in which they run; the log is compacted on the way. */
static const struct row {
    const char *words;
    int status;
} rows[] = {
    {"init D", 0},
    {"append D D.in --quiet", 0},
    {"status D", 0},
    {"verify D", 0},
    {"parity D", 0},
    {"replay D --fresh --quiet", 0},
    {"rebuild D --log --out O", 0},
    {"rebuild D --store --out O", 0},
    {"restore D --out O", 0},
    {"drill D", 0},
    {"salvage D", 0},
    {"salvage D --from-store", 0},
    {"doctor D", 0},
    {"inspect D/log/00000000000000000001.jsonl", 0},
    {"get D r 1", 0},
    {"history D r 1", 0},
    {"history D r hot", 0},
    {"log D", 0},
    {"query D SELECT/**/count(*)/**/FROM/**/records", 0},
    {"query D SELECT/**/payload/**/FROM/**/records", 0},
    {"prove D 5", 0},
    {"redact D 11 --reason test", 0}, /* on the record of many */
    {"checkpoint D", 0},
    {"peer add D far", 0},
    {"rotate D", 0},
    {"peer ack D far %", 0},
    {"peer list D", 0},
    {"compact D --dry-run", 0},
    {"compact D", 0},
    {"verify D", 0},
    {"parity D", 0},
    {"prove D 5", 0},
    {"log D --from 5 --to 5", 7}, /* it is below the floor */
    {"restore D --out O --at 100", 0},
    {"replay D --fresh --quiet", 0},
    {"compact D --undo", 0},
    {"log D --from 5 --to 5", 0},
    {"peer ack D far %", 0}, /* a new store has only what the log says */
    {"compact D --trim-store", 0},
    {"log D --from 5 --to 5", 7},
    {"parity D", 0},
};
#define ROWS (sizeof rows / sizeof *rows)

static long peaks[SIZES][ROWS];

/* `D/..` and `D.in` in a word, and % for the seq to acknowledge. */
static void fill_in(const char *words, const char *dir, uint64_t n, char *out,
                    size_t cap)
{
    size_t at = 0;
    for (const char *c = words; *c && at + 450 < cap; c++) {
        bool path = *c == 'D' && (c[1] == '/' || c[1] == '.');
        if (path)
            at += (size_t)snprintf(out + at, cap - at, "%s", dir);
        else if (*c == '%')
            at += (size_t)snprintf(out + at, cap - at, "%llu",
                                   (unsigned long long)n);
        else
            out[at++] = *c;
    }
    out[at] = '\0';
}

static void measure(int s)
{
    char dir[450], words[1200], input[500];
    snprintf(dir, sizeof dir, "%s/log-%llu", top, (unsigned long long)sizes[s]);
    snprintf(input, sizeof input, "%s.in", dir);
    write_input(input, sizes[s]);
    for (size_t i = 0; i < ROWS; i++) {
        int status = 0;
        /* init, the deltas, the order to redact, the peer */
        fill_in(rows[i].words, dir, sizes[s] + 3, words, sizeof words);
        peaks[s][i] = peak_of(words, dir, &status);
        if (!CHECK_INT(status, rows[i].status))
            printf("# %s\n", words);
    }
    unlink(input);
    world_remove(dir);
}

static void constant(void)
{
    struct world w;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0); /* for a folder of its own */
    world_close(&w);
    snprintf(top, sizeof top, "%.380s", w.dir);
    for (int s = 0; s < count; s++)
        measure(s);
    printf("# peak in KiB, by entries\n# %-44s", "command");
    for (int s = 0; s < count; s++)
        printf(" %9llu", (unsigned long long)sizes[s]);
    putchar('\n');
    for (size_t i = 0; i < ROWS; i++) {
        printf("# %-44s", rows[i].words);
        for (int s = 0; s < count; s++)
            printf(" %9ld", peaks[s][i]);
        putchar('\n');
        for (int s = 0; s < count; s++)
            CHECK(peaks[s][i] > 0 && peaks[s][i] < CEILING_KIB);
        if (count < 2)
            continue;
        long most = peaks[count - 1][i], before = peaks[count - 2][i];
        CHECK(most < before + before / 2 + CACHES_KIB);
        /* Ten times the entries, and SQLite's caches are fuller: that is all.
         */
        CHECK(sizes[count - 2] < 100000 || most < 2 * before);
    }
    world_remove(w.dir);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {{"memory is constant", constant}};
    read_sizes();
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
