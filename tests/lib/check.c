/* check.c - see check.h. */

#include "check.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handles.h"

static bool case_failed, any_failed;
static const char *case_name = "", *case_skipped;
static char *dirs[4096];
static size_t dir_count;

static bool report(bool holds, const char *file, int line, const char *text,
                   const char *got, const char *want)
{
    if (holds)
        return true;
    case_failed = true;
    printf("# %s:%d: %s", file, line, text);
    if (got)
        printf("\n#   got  %s\n#   want %s", got, want ? want : "(null)");
    printf("\n");
    return false;
}

bool check_true(bool holds, const char *text, const char *file, int line)
{
    return report(holds, file, line, text, NULL, NULL);
}

bool check_int(intmax_t got, intmax_t want, const char *text, const char *file,
               int line)
{
    char g[32], w[32];
    snprintf(g, sizeof g, "%jd", got);
    snprintf(w, sizeof w, "%jd", want);
    return report(got == want, file, line, text, g, w);
}

bool check_uint(uintmax_t got, uintmax_t want, const char *text,
                const char *file, int line)
{
    char g[32], w[32];
    snprintf(g, sizeof g, "%ju", got);
    snprintf(w, sizeof w, "%ju", want);
    return report(got == want, file, line, text, g, w);
}

bool check_text(const char *got, const char *want, const char *text,
                const char *file, int line)
{
    bool same = got && want ? strcmp(got, want) == 0 : got == want;
    return report(same, file, line, text, got ? got : "(null)", want);
}

static char *hex(const void *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    size_t shown = n > 64 ? 64 : n;
    char *out = malloc(2 * shown + 4);
    if (!out)
        abort();
    for (size_t i = 0; i < shown; i++) {
        out[2 * i] = digits[((const unsigned char *)p)[i] >> 4];
        out[2 * i + 1] = digits[((const unsigned char *)p)[i] & 15];
    }
    strcpy(out + 2 * shown, shown < n ? "..." : "");
    return out;
}

bool check_bytes(const void *got, size_t got_len, const void *want,
                 size_t want_len, const char *text, const char *file, int line)
{
    if (got_len == want_len && (!want_len || !memcmp(got, want, want_len)))
        return true;
    char *g = hex(got, got_len), *w = hex(want, want_len);
    report(false, file, line, text, g, w);
    free(g);
    free(w);
    return false;
}

void check_skip(const char *why)
{
    case_skipped = why;
}

const char *check_name(void)
{
    return case_name;
}

bool check_failing(void)
{
    return case_failed;
}

uint64_t check_seed(void)
{
    const char *text = getenv("CHECK_SEED");
    return text ? strtoull(text, NULL, 0) : 1;
}

uint64_t check_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

const char *check_dir(void)
{
    const char *base = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/plog-test-XXXXXX", base ? base : "/tmp") < 0 ||
        dir_count == sizeof dirs / sizeof *dirs || !mkdtemp(path)) {
        perror("check_dir");
        exit(1);
    }
    dirs[dir_count++] = path;
    return path;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_dirs(void)
{
    bool keep = any_failed && getenv("CHECK_KEEP");
    for (size_t i = 0; i < dir_count; i++) {
        if (keep)
            printf("# kept %s\n", dirs[i]);
        else
            nftw(dirs[i], remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(dirs[i]);
    }
}

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(name, argv[i]))
            return true;
    return argc < 2;
}

/* A handle that nobody closes, or somebody twice, is a failure of the case. */
static void check_handles(const char *name, unsigned open, unsigned closed)
{
    check_uint(handles_open(), open, "open handles", name, 0);
    check_uint(handles_not_open(), closed, "closed handles that were not open",
               name, 0);
}

int check_main(int argc, char **argv, const struct check_case *cases,
               size_t count)
{
    unsigned passed = 0, failed = 0, skipped = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < count; i++) {
        if (!wanted(cases[i].name, argc, argv))
            continue;
        case_name = cases[i].name;
        case_failed = false;
        case_skipped = NULL;
        unsigned open = handles_open(), closed = handles_not_open();
        cases[i].run();
        if (!case_failed)
            check_handles(cases[i].name, open, closed);
        if (case_failed) {
            printf("FAIL %s (seed %" PRIu64 ")\n", cases[i].name, check_seed());
            failed++;
        } else if (case_skipped) {
            printf("skip %s: %s\n", cases[i].name, case_skipped);
            skipped++;
        } else {
            printf("ok %s\n", cases[i].name);
            passed++;
        }
    }
    any_failed = failed > 0;
    remove_dirs();
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed > 0;
}
