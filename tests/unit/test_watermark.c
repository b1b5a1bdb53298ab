/*
 * test_watermark.c - the nightly check that keeps one file: it begins at the
 * checkpoint there, and leaves the next one in its place.  Only where the file
 * is not there yet all is checked; one that is not to be believed stays, and
 * is told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "paritylog_recovery.h"
#include "said.h"
#include "world.h"

static struct world w;
static char mark[600];
static struct plog_check_report report;
static struct plog_error err;

/* Entries 1 to 3, in two segments. */
static void make(void)
{
    uint64_t first;
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_INT(world_put(&w, NULL, "2", "v", NULL), 0);
    world_close(&w);
    snprintf(mark, sizeof mark, "%.500s-mark", w.dir);
    unlink(mark);
}

static int parity(const char *since, const char *watermark, const char *vkey)
{
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .since = since,
                                   .watermark = watermark,
                                   .vkey = vkey};
    memset(&err, 0, sizeof err);
    return plog_parity(w.dir, &o, &report, &err);
}

/* A checkpoint of `size` was gone on from, or all of it was checked. */
static void is_clean(int rc, uint64_t since)
{
    if (!CHECK_INT(rc, 0))
        printf("# %s\n", err.message);
    CHECK_INT(report.verdict, 0);
    CHECK_UINT(report.since, since);
    CHECK_UINT(report.head.size, 3);
    CHECK_UINT(report.entries, since ? 1 : 3);
}

static void is_clean_without(uint64_t size)
{
    CHECK_INT(parity(NULL, NULL, NULL), 0);
    CHECK_INT(report.verdict, 0);
    CHECK_UINT(report.head.size, size);
}

/* The file is as it was. */
static void stays(const char *note, size_t n, int rc, int code)
{
    size_t now;
    CHECK_INT(rc, code);
    CHECK(!report.watermark);
    char *here = world_read(mark, &now);
    CHECK_BYTES(here, now, note, n);
    free(here);
}

static void the_first_night(void)
{
    char other[700];
    make();
    snprintf(other, sizeof other, "%s.other", mark);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(parity(mark, i ? other : NULL, NULL), PLOG_E_IO);
        CHECK_INT(err.code, PLOG_E_IO);
        CHECK_TEXT(err.message, "there is no such file yet");
        CHECK_TEXT(err.file, mark);
        CHECK_TEXT(err.hint, "the first time, without --since: paritylog parity"
                             " DIR --watermark FILE");
        CHECK(!report.watermark);
        CHECK(access(mark, F_OK) != 0 && access(other, F_OK) != 0);
    }
    is_clean(parity(mark, mark, NULL), 0);
    CHECK(report.watermark);
    is_clean(parity(mark, mark, NULL), 3); /* and the next one */
    CHECK(report.watermark);
    is_clean(parity(mark, other, NULL), 3);
    CHECK(report.watermark && access(other, F_OK) == 0);
}

/* The file is as it was, and nothing was checked. */
static void is_refused(int code, const char *words, const char *note, size_t n)
{
    size_t now;
    CHECK_INT(parity(mark, mark, NULL), code);
    CHECK_INT(err.code, code);
    CHECK_TEXT(err.message, words);
    CHECK_TEXT(err.file, mark);
    CHECK_UINT(err.line, 1);
    CHECK_TEXT(err.hint, "check all of it: paritylog parity DIR");
    CHECK_UINT(report.entries, 0);
    CHECK_UINT(report.since, 0);
    CHECK(!report.watermark);
    char *stays = world_read(mark, &now);
    CHECK_BYTES(stays, now, note, n);
    free(stays);
}

/* One note, but none of this log: all of it must not be checked in its stead,
 * for then nobody would hear that the history is another one. */
static void not_to_be_believed(void)
{
    char name[600], foreign[2000];
    size_t n;
    make();
    is_clean(parity(NULL, mark, NULL), 0);
    char *note = world_read(mark, &n);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(note, "\n"), note);
    char *size = strstr(note, "\n3\n");
    REQUIRE(size != NULL);
    size[1] = '2';
    world_write(mark, note, n);
    is_refused(PLOG_E_TAMPERED,
               "the signature of the checkpoint does not verify", note, n);
    size[1] = '3';
    int len = snprintf(foreign, sizeof foreign, "x%s", note);
    char *dash = strstr(foreign, "\n\n");
    REQUIRE(dash != NULL);
    dash = strchr(dash, ' ') + 1; /* the name again, before the signature */
    memmove(dash + 1, dash, (size_t)(foreign + len + 1 - dash));
    *dash = 'x';
    len++;
    world_write(mark, foreign, (size_t)len);
    is_refused(PLOG_E_FOREIGN, "the checkpoint is of another log", foreign,
               (size_t)len);
    world_write(mark, note, n);
    is_clean(parity(mark, mark, NULL), 3);
    free(note);
}

/* Whose key is given needs none from the directory: what is wrong there stands
 * in nobody's way, also where some of it can be read. */
static void a_key_that_is_given(void)
{
    char own[PLOG_VKEY_MAX], other[PLOG_VKEY_MAX], path[80], text[900];
    make();
    snprintf(other, sizeof other, "%s", w.vkey);
    world_remove(w.dir);
    make();
    snprintf(own, sizeof own, "%s", w.vkey);
    is_clean(parity(NULL, mark, own), 0);
    const char *id = strchr(own, '+');
    REQUIRE(id != NULL);
    snprintf(path, sizeof path, "keys/%.8s.vkey", id + 1);
    CHECK(world_has(&w, path));
    is_clean(parity(mark, NULL, own), 3);
    const char *const odd[][2] = {{"", ""}, {"odd\n", ""}, {other, "\nodd\n"}};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        int n = snprintf(text, sizeof text, "%s%s", odd[i][0], odd[i][1]);
        world_write(world_path(&w, path), text, (size_t)n);
        is_clean(parity(mark, NULL, own), 3);
    }
    /* Also another one alone: it signed the checkpoint, whatever lies there. */
    world_write(world_path(&w, path), other, strlen(other));
    is_clean(parity(mark, NULL, own), 3);
}

/* The note that it would take the place of is compared first: it is a witness
 * of its head, and the only one, maybe. */
static void what_it_replaces(void)
{
    char early[600], dir[600], *note;
    size_t n;
    make();
    snprintf(dir, sizeof dir, "%s", w.dir);
    snprintf(early, sizeof early, "%.500s-early", w.dir);
    world_copy(w.dir, early);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "3", "v", NULL), 0);
    CHECK_INT(world_put(&w, NULL, "4", "v", NULL), 0);
    world_close(&w);
    CHECK_INT(parity(NULL, mark, NULL), 0);
    CHECK(report.watermark && report.head.size == 5);
    note = world_read(mark, &n);
    for (int shorter = 0; shorter < 2; shorter++) {
        struct plog_check_options o = {.watermark = mark};
        const char *words = shorter
                                ? "ROLLBACK in log, entry 5: want 5:#"
                                  " (watermark, line 1); got 3:#;"
                                : "FORK in log, entry 5: want 5:# (watermark,"
                                  " line 1); got 5:#;";
        snprintf(w.dir, sizeof w.dir, "%.400s-%d", dir, shorter);
        world_copy(early, w.dir);
        CHECK_INT(world_open(&w), 0);
        for (int i = 0; !shorter && i < 3; i++)
            CHECK_INT(world_put(&w, NULL, "5", "v", NULL), 0);
        world_close(&w);
        stays(note, n, parity(NULL, mark, NULL), 0);
        CHECK_INT(report.verdict, shorter ? PLOG_E_ROLLBACK : PLOG_E_FORK);
        const char *said = said_check(plog_parity, w.dir, &o);
        if (!CHECK(strncmp(said, words, strlen(words)) == 0))
            printf("# %s", said);
        /* As the checkpoint, too, it is one head. */
        stays(note, n, parity(mark, mark, NULL), 0);
        CHECK_UINT(report.counts[-report.verdict], 1);
        is_clean_without(shorter ? 3 : 6);
    }
    free(note);
}

/* Nor is it replaced where it is by another log, or a key that nobody knows. */
static void what_it_does_not_know(void)
{
    char dir[600], *note;
    size_t n;
    make();
    is_clean(parity(NULL, mark, NULL), 0);
    note = world_read(mark, &n);
    char *sig = note + n - 20;
    *sig = *sig == 'A' ? 'B' : 'A';
    world_write(mark, note, n);
    stays(note, n, parity(NULL, mark, NULL), PLOG_E_TAMPERED);
    CHECK_TEXT(err.message, "the signature of the checkpoint does not verify");
    CHECK_TEXT(err.file, mark);
    CHECK_TEXT(err.hint, "name another file for --watermark, or move this one"
                         " away");
    *sig = *sig == 'A' ? 'B' : 'A';
    free(note);
    snprintf(dir, sizeof dir, "%s", w.dir);
    unlink(mark);
    is_clean(parity(NULL, mark, NULL), 0);
    note = world_read(mark, &n);
    world_remove(w.dir);
    char kept[600];
    snprintf(kept, sizeof kept, "%s", mark);
    make();
    snprintf(mark, sizeof mark, "%s", kept);
    world_write(mark, note, n);
    stays(note, n, parity(NULL, mark, NULL), PLOG_E_FOREIGN);
    CHECK_TEXT(err.message, "the checkpoint is of another log");
    CHECK(strncmp(err.hint, "name another file", 17) == 0);
    free(note);
    /* Another log of the same name. */
    static char text[PLOG_CHECKPOINT_MAX];
    char vkey[PLOG_VKEY_MAX];
    plog_reader *r = NULL;
    struct plog_init_options o = {.struct_size = sizeof o};
    o.origin = report.origin;
    is_clean(parity(NULL, NULL, NULL), 0);
    snprintf(dir, sizeof dir, "%.500s-same", w.dir);
    CHECK_INT(plog_init(dir, &o, vkey, NULL), 0);
    REQUIRE(plog_reader_open(&r, dir, NULL, NULL) == 0);
    CHECK_INT(plog_reader_checkpoint(r, text, NULL), 0);
    plog_reader_close(r);
    world_write(mark, text, strlen(text));
    stays(text, strlen(text), parity(NULL, mark, NULL), PLOG_E_UNKNOWN_KEY);
    CHECK(strncmp(err.hint, "name another file", 17) == 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"the first night", the_first_night},
        {"not to be believed", not_to_be_believed},
        {"a key that is given", a_key_that_is_given},
        {"what it replaces", what_it_replaces},
        {"what it does not know", what_it_does_not_know},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
