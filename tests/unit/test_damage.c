/*
 * test_damage.c - a small log of three segments, damaged in every place.
 *
 * Bytes are changed, removed and doubled, lengths cut: verify never says
 * CLEAN, names the file and a place at or before the damage, and parity names
 * the very entry, because the store proves the others.  Every 29th place, from
 * CHECK_SEED on; with DAMAGE_ALL set every single one (a minute).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "paritylog_recovery.h"

#define SEGMENTS_MAX 16

struct segment {
    char name[64], path[512];
    char *data;
    size_t size;
};

static char dir[512];
static struct segment segments[SEGMENTS_MAX];
static unsigned segment_count;

static size_t stride(void)
{
    return getenv("DAMAGE_ALL") ? 1 : 29;
}

static size_t start(void)
{
    return (size_t)check_seed() % stride();
}

/* ---- Files -------------------------------------------------------------- */

static void write_segment(const struct segment *s, const char *p, size_t n)
{
    int fd = open(s->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n)
        abort();
    close(fd);
}

static void restore(const struct segment *s)
{
    write_segment(s, s->data, s->size);
}

static void load(uint64_t first)
{
    struct segment *s = &segments[segment_count];
    struct stat st;
    char name[64];
    snprintf(name, sizeof name, "log/%020llu.jsonl", (unsigned long long)first);
    memcpy(s->name, name, sizeof name);
    snprintf(s->path, sizeof s->path, "%.400s/%.60s", dir, name);
    int fd = open(s->path, O_RDONLY);
    if (fd < 0)
        return;
    if (fstat(fd, &st) || !(s->data = malloc((size_t)st.st_size + 2)))
        abort();
    s->size = (size_t)st.st_size;
    if (read(fd, s->data, s->size) != st.st_size)
        abort();
    close(fd);
    segment_count++;
}

/* ---- The log ------------------------------------------------------------ */

static void append(plog *p, int i)
{
    char text[700];
    snprintf(text, sizeof text,
             "{\"resource\":\"r\",\"record_id\":\"%d\",\"op\":\"upsert\","
             "\"payload\":{\"v\":%d,\"text\":\"%0300d\"},\"occurred_at\":"
             "\"2026-01-02T03:04:05Z\",\"provenance\":{\"source\":\"s\","
             "\"confidence\":1}}",
             i % 4, i, i);
    CHECK_INT(plog_append(p, text, strlen(text), NULL, NULL), 0);
}

static void make_log(void)
{
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .segment_size_bytes = 4096};
    char vkey[PLOG_VKEY_MAX];
    plog *p = NULL;
    if (segment_count)
        return;
    snprintf(dir, sizeof dir, "%s/log", check_dir());
    CHECK_INT(plog_init(dir, &o, vkey, NULL), 0);
    CHECK_INT(plog_open(&p, dir, NULL, NULL), 0);
    for (int i = 0; i < 13; i++)
        append(p, i);
    plog_close(p);
    for (uint64_t first = 1; first < 15; first++)
        load(first);
}

/* ---- What is found ------------------------------------------------------ */

struct seen {
    unsigned count;
    struct plog_finding first;
    char file[64];
};

static int note(void *arg, const struct plog_finding *f)
{
    struct seen *s = arg;
    if (s->count++ == 0) {
        s->first = *f;
        snprintf(s->file, sizeof s->file, "%.60s", f->file);
    }
    return 0;
}

static int check(int (*what)(const char *, const struct plog_check_options *,
                             struct plog_check_report *, struct plog_error *),
                 struct seen *s)
{
    struct plog_check_options o = {
        .struct_size = sizeof o, .finding = note, .arg = s};
    struct plog_check_report report;
    struct plog_error err = {0};
    memset(s, 0, sizeof *s);
    int rc = what(dir, &o, &report, &err);
    if (!CHECK_INT(rc, 0))
        printf("#   %s\n", err.message);
    return report.verdict;
}

/* Returns the seq that parity names first. */
static uint64_t must_be_found(const struct segment *s, size_t at,
                              const char *how)
{
    struct seen found;
    bool ok = CHECK(check(plog_verify, &found) != 0);
    ok &= CHECK_TEXT(found.file, s->name);
    ok &= CHECK(!found.first.has_offset || found.first.offset <= at);
    ok &= CHECK(check(plog_parity, &found) != 0);
    if (!ok)
        printf("#   %s at byte %zu of %s\n", how, at, s->name);
    return found.first.seq;
}

/* The entry in whose line a byte lies; 0: header or commit line. */
static uint64_t entry_at(const struct segment *s, size_t at)
{
    size_t start = at;
    unsigned long long seq = 0;
    while (start > 0 && s->data[start - 1] != '\n')
        start--;
    if (sscanf(s->data + start, "{\"seq\":%llu,", &seq) != 1)
        return 0;
    return seq;
}

/* One flipped bit in a byte. */
static void every_byte_flipped(void)
{
    make_log();
    CHECK(segment_count >= 3);
    for (unsigned i = 0; i < segment_count; i++) {
        struct segment *s = &segments[i];
        for (size_t at = start(); at < s->size; at += stride()) {
            uint64_t seq = entry_at(s, at);
            bool whole_line = s->data[at] != '\n';
            s->data[at] ^= 1;
            restore(s);
            uint64_t named = must_be_found(s, at, "flipped");
            /* The line end is the line's, too, but joins it with the next. */
            if (seq && whole_line && !CHECK_UINT(named, seq))
                printf("#   flipped at %zu of %s\n", at, s->name);
            s->data[at] ^= 1;
        }
        restore(s);
    }
}

/* A byte gone, a byte twice (an LF more or less at the very end is
 * padding and changes nothing). */
static void every_byte_removed_and_doubled(void)
{
    make_log();
    for (unsigned i = 0; i < segment_count; i++) {
        struct segment *s = &segments[i];
        char *copy = malloc(s->size + 1);
        for (size_t at = start(); at < s->size; at += stride()) {
            bool last_lf = i + 1 == segment_count && at + 1 == s->size;
            memcpy(copy, s->data, at);
            memcpy(copy + at, s->data + at + 1, s->size - at - 1);
            write_segment(s, copy, s->size - 1);
            must_be_found(s, at, "removed");
            memcpy(copy + at + 1, s->data + at, s->size - at);
            copy[at] = s->data[at];
            write_segment(s, copy, s->size + 1);
            if (!last_lf)
                must_be_found(s, at + 1, "doubled");
        }
        free(copy);
        restore(s);
    }
}

/* Every cut: with the store at the head it is never just a torn tail, and
 * nobody may append. */
static void every_cut(void)
{
    make_log();
    struct segment *s = &segments[segment_count - 1];
    for (size_t cut = start(); cut < s->size; cut += stride()) {
        struct seen found;
        plog *p = NULL;
        write_segment(s, s->data, cut);
        CHECK(check(plog_verify, &found) != 0 ||
              (cut > 0 && s->data[cut - 1] == '\n'));
        int verdict = check(plog_parity, &found);
        if (!CHECK(plog_exit_status(verdict) == 5))
            printf("#   cut at %zu: %s\n", cut, plog_code_word(verdict));
        CHECK(plog_open(&p, dir, NULL, NULL) < 0);
        CHECK(p == NULL);
    }
    restore(s);
}

/* A segment missing, swapped with another, or under a wrong name. */
static void segments_missing_and_swapped(void)
{
    make_log();
    for (unsigned i = 0; i < segment_count; i++) {
        struct segment *s = &segments[i],
                       *t = &segments[(i + 1) % segment_count];
        struct seen found;
        unlink(s->path);
        CHECK(check(plog_parity, &found) != 0);
        CHECK_UINT(found.count, 1); /* and nothing is held against the store */
        CHECK_INT(found.first.leg, PLOG_LEG_LOG);
        if (i + 1 < segment_count)
            CHECK_INT(check(plog_verify, &found), PLOG_E_CORRUPT);
        write_segment(s, t->data, t->size);
        CHECK_INT(check(plog_verify, &found), PLOG_E_CORRUPT);
        CHECK_TEXT(found.file, s->name);
        write_segment(t, s->data, s->size);
        CHECK_INT(check(plog_verify, &found), PLOG_E_CORRUPT);
        restore(s);
        restore(t);
    }
}

/* A file that is no segment is told, and the rest is checked all the same. */
static void a_file_that_is_no_segment(void)
{
    struct segment odd;
    struct seen found;
    make_log();
    snprintf(odd.path, sizeof odd.path, "%.400s/log/notes.txt", dir);
    write_segment(&odd, "x", 1);
    CHECK_INT(check(plog_parity, &found), PLOG_E_CORRUPT);
    CHECK_UINT(found.count, 1);
    CHECK_TEXT(found.file, "log/notes.txt");
    unlink(odd.path);
}

/* A pin that fits nothing: nothing else can be said. */
static void a_wrong_pin(void)
{
    char other[600], vkey[PLOG_VKEY_MAX];
    struct seen found = {0};
    struct plog_check_report report;
    make_log();
    snprintf(other, sizeof other, "%.400s/other", check_dir());
    CHECK_INT(plog_init(other, NULL, vkey, NULL), 0);
    struct plog_check_options o = {
        .struct_size = sizeof o, .vkey = vkey, .finding = note, .arg = &found};
    CHECK_INT(plog_parity(dir, &o, &report, NULL), 0);
    CHECK_INT(report.verdict, PLOG_E_UNKNOWN_KEY);
    CHECK_UINT(report.counts[-PLOG_E_AHEAD], 0);
    CHECK_UINT(report.counts[-PLOG_E_ROLLBACK], 0);
}

/* What was damaged is as it was: the checks changed no byte. */
static void clean_at_the_end(void)
{
    struct seen found;
    make_log();
    CHECK_INT(check(plog_verify, &found), 0);
    CHECK_INT(check(plog_parity, &found), 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"every_byte_flipped", every_byte_flipped},
        {"every_byte_removed_and_doubled", every_byte_removed_and_doubled},
        {"every_cut", every_cut},
        {"segments_missing_and_swapped", segments_missing_and_swapped},
        {"a_file_that_is_no_segment", a_file_that_is_no_segment},
        {"a_wrong_pin", a_wrong_pin},
        {"clean_at_the_end", clean_at_the_end},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
