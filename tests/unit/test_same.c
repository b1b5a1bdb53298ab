/*
 * test_same.c - a copy that is not the original: each way in which a file or a
 * row may differ is told, with its name and place, and the first one only.
 *
 * A drill says CLEAN by this comparison, so it must not pass over anything.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "peers.h"
#include "same.h"
#include "sql_calls.h"
#include "world.h"

static struct world w, copy;

/* ---- Files ------------------------------------------------------------------
 */

#define FIRST "00000000000000000001.jsonl"
#define SECOND "00000000000000000009.jsonl"
#define CHUNK (256u << 10) /* that is compared at a time */
#define LONG (2 * CHUNK + 100)

/* Two folders with files of any bytes: their content is not read. */
static void make_files(void)
{
    static char bytes[LONG];
    static const struct world none;
    w = copy = none;
    world_make(&w, PLOG_ARRIVAL, 0); /* for its other folders */
    world_close(&w);
    memset(bytes, 'a', sizeof bytes);
    world_write(world_path(&w, "log/" FIRST), bytes, LONG);
    world_write(world_path(&w, "log/" SECOND), bytes, 100);
    snprintf(copy.dir, sizeof copy.dir, "%.400s-copy", w.dir);
    tree_copy(w.dir, copy.dir);
}

static int compare_logs(const struct plog_io *io, struct plog_difference *d,
                        struct plog_error *err)
{
    struct plog_dir a, b;
    memset(d, 0, sizeof *d);
    CHECK_INT(plog_dir_open(&a, io, w.dir, PLOG_DIR_READ, false, NULL), 0);
    CHECK_INT(plog_dir_open(&b, io, copy.dir, PLOG_DIR_READ, false, NULL), 0);
    int rc = plog_same_log(&a, &b, d, err);
    plog_dir_close(&a);
    plog_dir_close(&b);
    return rc;
}

static void change_byte(const char *path, off_t at)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0 && pwrite(fd, "b", 1, at) == 1);
    close(fd);
}

static void end_files(void)
{
    world_remove(w.dir);
    world_remove(copy.dir);
}

static void differs(const char *words, uint64_t bytes)
{
    struct plog_difference d;
    CHECK_INT(compare_logs(plog_io_posix(), &d, NULL), 0);
    if (!CHECK(words ? strstr(d.what, words) != NULL : !d.what[0]))
        printf("# `%s`, expected `%s`\n", d.what, words ? words : "");
    CHECK_UINT(d.bytes, bytes);
    end_files();
}

static void files(void)
{
    make_files();
    differs(NULL, LONG + 100);
    make_files(); /* what the original goes on with does not count */
    CHECK_INT(truncate(world_path(&copy, "log/" FIRST), CHUNK + 1), 0);
    differs(NULL, CHUNK + 1 + 100);
    make_files();
    change_byte(world_path(&copy, "log/" FIRST), 0);
    change_byte(world_path(&copy, "log/" SECOND), 0);
    differs("log/" FIRST " differs within 262144 bytes from 0 on", CHUNK);
    make_files();
    change_byte(world_path(&w, "log/" FIRST), LONG - 1);
    differs("log/" FIRST " differs within 100 bytes from 524288 on", LONG);
    make_files(); /* the original ends before */
    CHECK_INT(truncate(world_path(&w, "log/" FIRST), LONG - 1), 0);
    differs("log/" FIRST " differs within 100 bytes from 524288 on", LONG);
    make_files();
    CHECK_INT(truncate(world_path(&w, "log/" FIRST), CHUNK), 0);
    differs("log/" FIRST " differs within 262144 bytes from 262144 on",
            2 * CHUNK);
}

static void a_file_more(void)
{
    make_files();
    CHECK_INT(unlink(world_path(&w, "log/" FIRST)), 0);
    change_byte(world_path(&copy, "log/" SECOND), 0);
    differs("log/" FIRST " is in the copy only", 0);
    make_files(); /* a restored copy may end before */
    CHECK_INT(unlink(world_path(&copy, "log/" SECOND)), 0);
    differs(NULL, LONG);
    struct plog_difference d;
    struct plog_error err = {.code = 0};
    make_files(); /* none that could be compared */
    CHECK_INT(link(world_path(&copy, "log/" FIRST), world_path(&copy, "x")), 0);
    CHECK_INT(compare_logs(plog_io_posix(), &d, &err), PLOG_E_CORRUPT);
    CHECK_TEXT(err.file, "log/" FIRST);
    CHECK_TEXT(d.what, "");
    end_files();
}

/* ---- Reading fails ----------------------------------------------------------
 */

static struct plog_io io;
static unsigned reads, fail_at;

static int64_t failing_pread(void *ctx, int fd, void *buf, size_t n,
                             uint64_t offset)
{
    if (++reads == fail_at)
        return -5;
    return plog_io_posix()->pread(ctx, fd, buf, n, offset);
}

static void a_file_that_cannot_be_read(void)
{
    struct plog_difference d;
    io = *plog_io_posix();
    io.pread = failing_pread;
    make_files();
    for (fail_at = 1;; fail_at++) {
        struct plog_error err = {.code = 0};
        reads = 0;
        int rc = compare_logs(&io, &d, &err);
        if (reads < fail_at) {
            CHECK_INT(rc, 0);
            break;
        }
        CHECK_INT(rc, PLOG_E_IO);
        CHECK_INT(err.code, PLOG_E_IO);
        CHECK(strcmp(err.file, "log/" FIRST) == 0 ||
              strcmp(err.file, "log/" SECOND) == 0);
    }
    CHECK(fail_at > 8);
    end_files();
}

static bool no_memory;

static void *no_alloc(void *ctx, void *p, size_t n)
{
    return n && no_memory ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

static void without_memory(void)
{
    struct plog_difference d = {.what = ""};
    struct plog_error err = {.code = 0};
    struct plog_dir a, b;
    io = *plog_io_posix();
    io.alloc = no_alloc;
    make_files();
    CHECK_INT(plog_dir_open(&a, &io, w.dir, PLOG_DIR_READ, false, NULL), 0);
    CHECK_INT(plog_dir_open(&b, &io, copy.dir, PLOG_DIR_READ, false, NULL), 0);
    no_memory = true;
    CHECK_INT(plog_same_log(&a, &b, &d, &err), PLOG_E_NOMEM);
    no_memory = false;
    CHECK_INT(err.code, PLOG_E_NOMEM);
    CHECK_TEXT(err.message, "out of memory");
    CHECK(!d.what[0] && d.bytes == 0);
    plog_dir_close(&a);
    plog_dir_close(&b);
    end_files();
}

/* ---- Rows -------------------------------------------------------------------
 */

static void make_rows(void)
{
    static const struct world none;
    struct plog_cursor c = {{"src", 3}, {"*", 1}, {"page 7", 6}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    w = copy = none;
    world_make(&w, PLOG_MERGE_JSON, 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(world_put(&w, NULL, i % 2 ? "1" : "2", "v", NULL), 0);
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    snprintf(copy.dir, sizeof copy.dir, "%.400s-copy", w.dir);
    tree_copy(w.dir, copy.dir);
}

static void open_rows(struct plog_reader *r, const char *dir)
{
    CHECK_INT(plog_reader_open_log(r, plog_io_posix(), dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_open_store(r, 0, NULL), 0);
    CHECK_INT(plog_store_begin_read(&r->store, NULL), 0);
}

static void rows(void)
{
    static const struct {
        const char *here, *there, *what;
    } all[] = {
        {NULL, NULL, ""},
        {NULL, "UPDATE meta SET floor=1",
         "the head: row 1 in key order"
         " differs"},
        {NULL, "UPDATE events SET line=line||' ' WHERE seq=2",
         "events: row 2 in key order differs"},
        {"UPDATE events SET line=replace(line,'v','w') WHERE seq=3", NULL,
         "events: row 3 in key order differs"},
        {NULL, "UPDATE events SET previous=1 WHERE seq=2",
         "events: row 2 in key order differs"}, /* from NULL */
        {NULL, "DELETE FROM events WHERE seq=7",
         "events: row 7 in key order is in the original only"},
        {"DELETE FROM events WHERE seq=7", NULL,
         "events: row 7 in key order is in the copy only"},
        {NULL, "DELETE FROM checkpoints WHERE size=1",
         "commits: row 1 in key order differs"},
        {NULL, "INSERT INTO segments VALUES(3)",
         "segments: row 2 in key order is in the copy only"},
        {NULL, "UPDATE state SET confidence=0.5 WHERE record_id='2'",
         "records: row 2 in key order differs"},
        {NULL,
         "UPDATE state SET version=version+1;"
         "UPDATE cursors SET cursor='x'",
         "records: row 1 in key order differs"}, /* the first difference */
        {NULL, "INSERT INTO redactions VALUES(2,1,0)",
         "redactions: row 1 in key order is in the copy only"},
        {NULL, "UPDATE redactions SET pending=1", ""},
        {NULL, "UPDATE peers SET cursor=2", ""}, /* what the log has not */
        {NULL, "UPDATE peers SET name='q'",
         "peers: row 1 in key order"
         " differs"},
        {NULL, "UPDATE cursors SET cursor=''",
         "cursors: row 1 in key order differs"},
        {"UPDATE cursors SET cursor=''", "UPDATE cursors SET cursor=''", ""},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_difference d = {.what = ""};
        struct plog_reader a, b;
        make_rows();
        if (all[i].here)
            world_sql(&w, all[i].here);
        if (all[i].there)
            world_sql(&copy, all[i].there);
        open_rows(&a, w.dir);
        open_rows(&b, copy.dir);
        CHECK_INT(plog_same_store(&a.store, &b.store, &d, NULL), 0);
        CHECK_TEXT(d.what, all[i].what);
        CHECK(d.what[0] || d.rows > 15);
        plog_reader_fini(&a);
        plog_reader_fini(&b);
        end_files();
    }
}

static const char *fails_on; /* a statement, or the whole of it */
static unsigned fails_from;  /* the n-th step of such a one */

static bool on_sql(const char *call, const char *text, bool busy)
{
    (void)busy;
    return fails_on && strcmp(call, "step") == 0 && strstr(text, fails_on) &&
           fails_from && --fails_from == 0;
}

/* Of either of both stores, at each row: no difference is made of it. */
static void rows_that_cannot_be_read(void)
{
    struct plog_reader a, b;
    make_rows();
    open_rows(&a, w.dir);
    open_rows(&b, copy.dir);
    sql_calls.fails = on_sql;
    for (unsigned at = 1;; at++) {
        struct plog_difference d = {.what = ""};
        struct plog_error err = {.code = 0};
        fails_on = "main.events";
        fails_from = at;
        int rc = plog_same_store(&a.store, &b.store, &d, &err);
        fails_on = NULL;
        CHECK(!d.what[0]);
        if (fails_from && CHECK_INT(rc, 0)) {
            CHECK(at > 8); /* some rows, of both */
            break;
        }
        if (!CHECK_INT(rc, PLOG_E_IO) || !CHECK_INT(err.code, rc))
            break;
    }
    plog_reader_fini(&a);
    plog_reader_fini(&b);
    end_files();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"files", files},
        {"a file more", a_file_more},
        {"a file that cannot be read", a_file_that_cannot_be_read},
        {"without memory", without_memory},
        {"rows", rows},
        {"rows that cannot be read", rows_that_cannot_be_read},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
