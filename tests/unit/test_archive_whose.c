/*
 * test_archive_whose.c - whose history archive/ holds: what is read out of it
 * must lead to where log/ begins, under the keys that the log had there.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "gz.h"
#include "peers.h"
#include "world.h"

static struct world w, other;
static struct plog_compact_report compacted;
static struct plog_error err;

/* ---- Who reads it -------------------------------------------------------- */

static char said[400]; /* the last that is not well */
static enum plog_health health;

static int hear(void *arg, const struct plog_checkup *c)
{
    (void)arg;
    if (strcmp(c->name, "archive") != 0)
        return 0;
    health = c->health;
    snprintf(said, sizeof said, "%s", c->found);
    return 0;
}

static int doctor(const char *pin)
{
    struct plog_doctor_options o = {.struct_size = sizeof o,
                                    .checkup = hear,
                                    .vkey = pin,
                                    .wait_seconds = 0.5};
    struct plog_doctor_report r;
    said[0] = '\0';
    health = PLOG_HEALTH_UNKNOWN;
    CHECK_INT(plog_doctor(w.dir, &o, &r, NULL), 0);
    return r.verdict;
}

static int restore_to(uint64_t at, bool dry_run, const char *as, char *out)
{
    static int next;
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .at_seq = at,
                                     .dry_run = dry_run,
                                     .continue_as = as,
                                     .wait_seconds = 0.5};
    struct plog_restore_report r;
    snprintf(out, 600, "%.500s-out%d", w.dir, next++);
    memset(&err, 0, sizeof err);
    int rc = plog_restore(w.dir, out, &o, &r, &err);
    CHECK_INT(access(out, F_OK), rc || dry_run ? -1 : 0);
    return rc;
}

static int restore(uint64_t at, bool dry_run)
{
    char out[600];
    return restore_to(at, dry_run, NULL, out);
}

static int skip(void *arg, const char *text, size_t len)
{
    (void)arg, (void)text, (void)len;
    return 0;
}

static int prove(uint64_t seq)
{
    struct plog_prove_options o = {
        .struct_size = sizeof o, .out = skip, .wait_seconds = 0.5};
    memset(&err, 0, sizeof err);
    return plog_prove(w.dir, seq, &o, &err);
}

/* Not the file of log/: that is as it should be. */
static void refuse(int code)
{
    static const char start[] = "archive/";
    CHECK_INT(doctor(NULL), PLOG_E_IO);
    CHECK_INT(health, PLOG_HEALTH_BAD);
    CHECK(strstr(said, start) != NULL && strstr(said, "log/0") == NULL);
    CHECK_INT(restore(3, false), code);
    CHECK(strncmp(err.file, start, sizeof start - 1) == 0);
    CHECK_INT(restore(3, true), code);
    CHECK_INT(restore(compacted.to, false), code);
    CHECK_INT(prove(3), code);
    CHECK(strncmp(err.file, start, sizeof start - 1) == 0);
    CHECK_INT(restore(0, false), 0); /* what lies in log/ needs none of it */
    CHECK_INT(peers_parity(&w), 0);
}

static void allow(void)
{
    CHECK_INT(doctor(NULL), 0);
    CHECK_INT(health, PLOG_HEALTH_OK);
    CHECK_INT(restore(3, false), 0);
    CHECK_INT(restore(compacted.to, false), 0);
    CHECK_INT(prove(3), 0);
}

/* ---- Another history, another log ---------------------------------------- */

static void fill_and_compact(struct world *x, char mark)
{
    char record[8], value[24];
    CHECK_INT(world_open(x), 0);
    for (int i = 0; i < 40; i++) {
        snprintf(record, sizeof record, "r%d", i % 7);
        snprintf(value, sizeof value, "%c%02d", mark, i);
        CHECK_INT(world_put(x, NULL, record, value, NULL), 0);
    }
    world_close(x);
    CHECK_INT(peers_add(x, "p"), 0);
    CHECK_INT(peers_ack(x, "p", 36), 0);
    CHECK_INT(peers_compact(x, &compacted), 0);
    CHECK(compacted.to > 20);
}

static void take_archive(void)
{
    char from[700];
    snprintf(from, sizeof from, "%s/archive", other.dir);
    world_copy(world_path(&w, "archive"), world_path(&w, "own"));
    world_remove(world_path(&w, "archive"));
    world_copy(from, world_path(&w, "archive"));
}

static void give_back(void)
{
    world_remove(world_path(&w, "archive"));
    world_copy(world_path(&w, "own"), world_path(&w, "archive"));
}

/* Two histories under one key, cut at the same entry. */
static void another_history(void)
{
    uint64_t to;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 0);
    other = w;
    snprintf(other.dir, sizeof other.dir, "%.500s-fork", w.dir);
    world_copy(w.dir, other.dir);
    fill_and_compact(&w, 'h');
    to = compacted.to;
    fill_and_compact(&other, 'f');
    REQUIRE(compacted.to == to);
    allow();
    take_archive();
    refuse(PLOG_E_FORK);
    CHECK(strstr(said, "another signed history") != NULL);
    struct plog_compact_options undo = {
        .struct_size = sizeof undo, .undo = true, .wait_seconds = 0.5};
    struct plog_compact_report r;
    memset(&err, 0, sizeof err);
    CHECK_INT(plog_compact(w.dir, &undo, &r, &err), PLOG_E_CORRUPT);
    CHECK(strstr(err.hint, "own archive/ back") != NULL);
    give_back();
    allow();
}

/* Whose key lies in keys/, too. */
static void another_log(void)
{
    char vkey[700], name[64];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 0);
    fill_and_compact(&w, 'h');
    uint64_t to = compacted.to;
    peers_make(&other, PLOG_LAST_WRITE_WINS, 0);
    fill_and_compact(&other, 'f');
    REQUIRE(compacted.to == to);
    snprintf(name, sizeof name, "keys/%.8s.vkey", strchr(other.vkey, '+') + 1);
    snprintf(vkey, sizeof vkey, "%s/%s", other.dir, name);
    world_copy(vkey, world_path(&w, name));
    allow();
    take_archive();
    refuse(PLOG_E_FOREIGN);
    CHECK(strstr(said, "of another log than log/") != NULL);
    CHECK(strstr(said, "another signed history") == NULL);
    give_back();
    allow();
}

/* ---- Its end ------------------------------------------------------------- */

static char last_name[64];
static char *last_text;
static size_t last_len;

static void read_last(void)
{
    static char text[64 << 10];
    struct plog_gz g;
    uint64_t at = compacted.to;
    do
        snprintf(last_name, sizeof last_name, "archive/%020llu.jsonl.gz",
                 (unsigned long long)at);
    while (!world_has(&w, last_name) && --at > 0);
    REQUIRE(at > 1);
    int fd = open(world_path(&w, last_name), O_RDONLY | O_CLOEXEC);
    CHECK_INT(plog_gz_open(&g, plog_io_posix(), fd, NULL), 0);
    CHECK_INT(plog_gz_read(&g, text, sizeof text - 1, &last_len, NULL), 0);
    plog_gz_close(&g);
    close(fd);
    text[last_len] = '\0';
    last_text = text;
}

static void write_last(size_t n, const char *more)
{
    struct plog_gz g;
    int fd = open(world_path(&w, last_name),
                  O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK_INT(plog_gz_create(&g, plog_io_posix(), fd, 6, NULL), 0);
    CHECK_INT(plog_gz_write(&g, last_text, n, NULL), 0);
    CHECK_INT(plog_gz_write(&g, more, strlen(more), NULL), 0);
    CHECK_INT(plog_gz_finish(&g, NULL), 0);
    plog_gz_close(&g);
    close(fd);
}

/* Behind its last group lies nothing; and that group is there. */
static void its_end(void)
{
    char entry[2000];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 0);
    fill_and_compact(&w, 'h');
    read_last();
    allow();
    write_last(last_len, "\n\n");
    refuse(PLOG_E_CORRUPT);
    const char *line = strstr(last_text, "\n{\"seq\":"),
               *end = strchr(line + 1, '\n');
    REQUIRE(end - line < (int)sizeof entry);
    snprintf(entry, sizeof entry, "%.*s", (int)(end - line), line + 1);
    write_last(last_len, entry);
    refuse(PLOG_E_CORRUPT);
    size_t n = last_len - 1; /* at the last LF, then behind that before */
    for (int lines = 0; lines < 2; lines++)
        while (last_text[--n] != '\n')
            ;
    write_last(n + 1, "");
    refuse(PLOG_E_CORRUPT);
    write_last(last_len, "");
    allow();
}

/* ---- Where log/ begins --------------------------------------------------- */

/* What is damaged there is not archive/. */
static void its_first_header(void)
{
    static const struct {
        const char *from, *to;
    } all[] = {{"\"segment\"", "\"segmenT\""},
               {"\"first\":", "\"first\":1"},
               {"\"tree\":[\"", "\"tree\":[\"A"},
               {"\"origin\":\"", "\"origin\":\"x"},
               {"\\n\\n\xe2\x80\x94 ", "\\n\\n\xe2\x80\x94 x"}};
    char name[64];
    size_t n;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 0);
    fill_and_compact(&w, 'h');
    snprintf(name, sizeof name, "log/%020llu.jsonl",
             (unsigned long long)compacted.to + 1);
    char *whole = world_read(world_path(&w, name), &n);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_compact_options undo = {.struct_size = sizeof undo,
                                            .undo = true,
                                            .dry_run = true,
                                            .wait_seconds = 0.5};
        struct plog_compact_report r;
        const char *at = strstr(whole, all[i].from);
        size_t before = (size_t)(at - whole), len = strlen(all[i].from),
               more = strlen(all[i].to);
        char *text = malloc(n + more);
        REQUIRE(at != NULL && text != NULL);
        memcpy(text, whole, before);
        memcpy(text + before, all[i].to, more);
        memcpy(text + before + more, at + len, n - before - len);
        world_write(world_path(&w, name), text, n - len + more);
        for (int pinned = 0; pinned < 2; pinned++) {
            undo.vkey = pinned ? w.vkey : NULL;
            memset(&err, 0, sizeof err);
            CHECK_INT(plog_compact(w.dir, &undo, &r, &err), PLOG_E_CORRUPT);
            CHECK_TEXT(err.file, name);
            CHECK(strstr(err.message, "archive/") == NULL);
        }
        free(text);
    }
    world_write(world_path(&w, name), whole, n);
    free(whole);
    allow();
}

/* ---- Keys ---------------------------------------------------------------- */

static void rotate(char *vkey)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report r;
    CHECK_INT(plog_key_rotate(w.dir, &o, &r, NULL), 0);
    snprintf(vkey, PLOG_VKEY_MAX, "%s", r.new_vkey);
}

static void put(int from, int to)
{
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, from, to);
    world_close(&w);
}

/* Any key of the log will do, also where the oldest files were moved away. */
static void under_each_key(void)
{
    char second[PLOG_VKEY_MAX], third[PLOG_VKEY_MAX], name[64];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    rotate(second);
    put(20, 40);
    rotate(third);
    put(40, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 55), 0);
    CHECK_INT(peers_compact(&w, &compacted), 0);
    const char *pins[] = {w.vkey, second, third, NULL};
    for (uint64_t at = 1; at < 35; at++) { /* past the first rotation */
        snprintf(name, sizeof name, "archive/%020llu.jsonl.gz",
                 (unsigned long long)at);
        if (!world_has(&w, name))
            continue;
        CHECK_INT(unlink(world_path(&w, name)), 0);
        for (int i = 0; i < 4; i++)
            if (!CHECK_INT(doctor(pins[i]), 0) ||
                !CHECK_INT(health, PLOG_HEALTH_OK))
                printf("# key %d, from %d on: %s\n", i + 1, (int)at, said);
    }
}

/* Its archive is under the name before, too. */
static void a_copy_that_goes_on(void)
{
    char out[600], vkey[PLOG_VKEY_MAX];
    struct plog_options o = {.struct_size = sizeof o};
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    CHECK_INT(peers_compact(&w, &compacted), 0);
    put(20, 40);
    CHECK_INT(restore_to(0, false, "test.example/on", out), 0);
    snprintf(w.dir, sizeof w.dir, "%.500s", out);
    put(40, 60);
    CHECK_INT(peers_ack(&w, "p", 55), 0);
    CHECK_INT(peers_compact(&w, &compacted), 0);
    CHECK_INT(plog_key_show(w.dir, &o, vkey, NULL), 0);
    CHECK_INT(doctor(vkey), 0);
    if (!CHECK_INT(health, PLOG_HEALTH_OK))
        printf("# %s\n", said);
    CHECK_INT(doctor(NULL), 0);
}

static void fill_with(struct world *x, const char *value)
{
    CHECK_INT(world_open(x), 0);
    for (int i = 0; i < 60; i++)
        CHECK_INT(world_put(x, NULL, "r", value, NULL), 0);
    world_close(x);
}

/* Files of the other that begin inside of a segment of ours, at or below `to`.
 */
static int mix_in(uint64_t from, uint64_t to)
{
    char name[64], own[64];
    int count = 0;
    for (uint64_t at = from + 1; at <= to; at++) {
        snprintf(name, sizeof name, "archive/%020llu.jsonl.gz",
                 (unsigned long long)at);
        snprintf(own, sizeof own, "log/%020llu.jsonl", (unsigned long long)at);
        if (!world_has(&other, name) || world_has(&w, own) ||
            world_has(&w, name))
            continue;
        world_take(&w, other.dir, name);
        count++;
    }
    return count;
}

/* Its segments begin elsewhere, so that no file of ours is in their place: a
 * compaction would put its own among them.  The reading goes by them where
 * they lie there already. */
static void among_our_own(void)
{
    struct plog_compact_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 25), 0);
    CHECK_INT(peers_compact(&w, &compacted), 0);
    uint64_t floor = compacted.to;
    other = w;
    snprintf(other.dir, sizeof other.dir, "%.500s-fork", w.dir);
    world_copy(w.dir, other.dir);
    fill_with(&w, "v");
    fill_with(&other, "another value, which is longer than that of ours");
    CHECK_INT(peers_ack(&other, "p", 90), 0);
    CHECK_INT(peers_compact(&other, NULL), 0);
    int64_t last = world_number(&w, "SELECT max(first) FROM segments");
    int count = mix_in(floor, (uint64_t)last);
    REQUIRE(count > 2);
    CHECK_INT(peers_parity(&w), 0);
    CHECK_INT(doctor(NULL), 0);
    CHECK_INT(health, PLOG_HEALTH_WARN);
    CHECK(strstr(said, "begin where no segment of this log does") != NULL);
    char file[80] = "archive/";
    const char *name = strstr(said, "the first is ");
    REQUIRE(name && sscanf(name, "the first is %40s", file + 8) == 1);
    CHECK(world_has(&w, file)); /* and lies there */
    CHECK_INT(peers_ack(&w, "p", 90), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_UINT(r.aside, (unsigned)count);
    REQUIRE(r.to + 1 == (uint64_t)last);
    compacted.to = r.to;
    allow();
    CHECK_INT(mix_in(floor, r.to), count);
    CHECK_INT(doctor(NULL), 0);
    CHECK_INT(health, PLOG_HEALTH_WARN);
    CHECK_INT(restore(3, false), 0);
    CHECK_INT(prove(3), 0);
    CHECK_INT(prove(r.to), 0);
    uint64_t segments = r.segments;
    CHECK_INT(peers_undo(&w, &r), 0);
    CHECK_UINT(r.segments, segments);
    CHECK_UINT(r.aside, (unsigned)count);
    CHECK_INT(mix_in(floor, (uint64_t)last), count);
    CHECK_INT(peers_parity(&w), 0);
}

/* A file in archive/ may be all that is left of a segment that log/ has lost:
 * whoever refuses that log has moved nothing. */
static void of_a_log_that_is_refused(void)
{
    char own[64], name[64], kept[600];
    struct plog_compact_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 60), 0);
    CHECK_INT(peers_compact(&w, &compacted), 0);
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(world_path(&w, "archive"), kept);
    CHECK_INT(peers_undo(&w, &r), 0);
    world_remove(world_path(&w, "archive"));
    world_copy(kept, world_path(&w, "archive"));
    int64_t first = world_number(&w, "SELECT min(first) FROM segments WHERE"
                                     " first>10");
    snprintf(own, sizeof own, "log/%020lld.jsonl", (long long)first);
    snprintf(name, sizeof name, "archive/%020lld.jsonl.gz", (long long)first);
    REQUIRE(world_has(&w, name));
    world_remove(world_path(&w, own));
    CHECK_INT(peers_compact(&w, &r), PLOG_E_CORRUPT);
    CHECK_UINT(r.aside, 0);
    CHECK(world_has(&w, name));
    CHECK(world_has(&w, "archive/00000000000000000001.jsonl.gz"));
    world_remove(kept);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"another history", another_history},
        {"another log", another_log},
        {"its end", its_end},
        {"its first header", its_first_header},
        {"under each key", under_each_key},
        {"a copy that goes on", a_copy_that_goes_on},
        {"among our own", among_our_own},
        {"of a log that is refused", of_a_log_that_is_refused},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
