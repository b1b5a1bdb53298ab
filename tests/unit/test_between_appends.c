/*
 * test_between_appends.c - what a handle looks at before it writes again: that
 * the log still goes as far as the store says, and of the store no row that
 * nobody else has written.  And a key that cannot be read when it is opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "sql_calls.h"
#include "world.h"

#define FIRST "log/00000000000000000001.jsonl"

static struct world w;
static struct plog_error err;

static int put(const char *id)
{
    char text[300];
    struct world_delta delta = {.id = id};
    memset(&err, 0, sizeof err);
    return world_append(&w, world_text(text, sizeof text, &delta), NULL, &err);
}

/* ---- The end of the log ----------------------------------------------------
 */

/* The file was made shorter under the handle, by a byte, a line, a group or all
 * of it: nothing is written behind a hole, and what is put back is used. */
static void the_log_was_cut(void)
{
    size_t n, now;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(put("a"), 0);
    CHECK_INT(put("b"), 0);
    char *log = world_read(world_path(&w, FIRST), &n);
    const char *line = memrchr(log, '\n', n - 1);
    const char *group = memrchr(log, '\n', (size_t)(line - log));
    const size_t to[] = {n - 1, (size_t)(line - log) + 1,
                         (size_t)(group - log) + 1, 1, 0};
    for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
        CHECK_INT(truncate(world_path(&w, FIRST), (off_t)to[i]), 0);
        CHECK_INT(put("c"), PLOG_E_ROLLBACK);
        CHECK_INT(err.code, PLOG_E_ROLLBACK);
        CHECK_TEXT(err.message,
                   i < 3 ? "the log ends at entry 2, but the store holds a"
                           " signed head at 3"
                         : "the log ends at entry 0, but the store holds a"
                           " signed head at 3");
        CHECK_TEXT(err.hint, "run: paritylog parity DIR");
        char *left = world_read(world_path(&w, FIRST), &now);
        CHECK_BYTES(left, now, log, to[i]);
        free(left);
        CHECK(!world_has(&w, "quarantine"));
        int fd = open(world_path(&w, FIRST), O_WRONLY);
        CHECK_INT(pwrite(fd, log, n, 0), n);
        close(fd);
    }
    free(log);
    CHECK_INT(put("c"), 0);
    world_end(&w, 4);
}

/* ---- The rows of the store -------------------------------------------------
 */

static unsigned heads_read;

static bool count_heads(const char *call, const char *sql, bool busy)
{
    (void)busy;
    heads_read +=
        strcmp(call, "step") == 0 && strstr(sql, "FROM main.meta") != NULL;
    return false;
}

/* How often the head is read for one more delta. */
static unsigned heads_for(const char *id)
{
    heads_read = 0;
    sql_calls.fails = count_heads;
    CHECK_INT(put(id), 0);
    sql_calls.fails = NULL;
    return heads_read;
}

/* The head is read again when another handle wrote, once, and costs nothing
 * as long as none does. */
static void the_head_is_read_again(void)
{
    struct world other;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(put("a"), 0);
    CHECK_UINT(heads_for("b"), 0);
    CHECK_UINT(heads_for("c"), 0);
    other = w;
    other.p = NULL;
    CHECK_INT(world_open(&other), 0);
    CHECK_INT(world_put(&other, "d", "r", "d", NULL), 0);
    world_close(&other);
    CHECK_UINT(heads_for("e"), 1);
    CHECK_UINT(heads_for("f"), 0);
    world_end(&w, 7);
}

/* ---- The signing key -------------------------------------------------------
 */

static struct plog_io io;
static int said; /* of opening keys/signing.key */

static int no_key(void *ctx, int dir, const char *name, int flags,
                  uint32_t mode)
{
    if (said && strcmp(name, "signing.key") == 0)
        return said;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void put_next_key(const char *key, size_t n)
{
    char path[700];
    snprintf(path, sizeof path, "%s", world_path(&w, "keys/signing.key.new"));
    world_write(path, key, n);
    CHECK_INT(chmod(path, 0600), 0);
}

/* Beside the key of a rotation that was cut off, the other one may be missing;
 * where it only cannot be read, that is what is said. */
static void a_key_that_cannot_be_read(void)
{
    static const struct {
        int said, codes[2]; /* alone, and beside the other */
        const char *message;
    } all[] = {
        {-EIO, {PLOG_E_IO, PLOG_E_IO}, "opening the signing key: Input/output error"},
        {-EMFILE, {PLOG_E_IO, PLOG_E_IO}, "opening the signing key: Too many open files"},
        {-ENOENT,
         {PLOG_E_KEY, 0},
         "there is no signing key (keys/signing.key)"},
    };
    size_t n;
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    char *key = world_read(world_path(&w, "keys/signing.key"), &n);
    io = *plog_io_posix();
    io.open_at = no_key;
    w.options.io = &io;
    for (int beside = 0; beside < 2; beside++)
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            struct plog_options o = {.struct_size = sizeof o, .io = &io};
            if (beside)
                put_next_key(key, n);
            said = all[i].said;
            memset(&err, 0, sizeof err);
            CHECK_INT(plog_open(&w.p, w.dir, &o, &err), all[i].codes[beside]);
            CHECK_INT(w.p != NULL, all[i].codes[beside] == 0);
            if (!w.p) {
                CHECK_TEXT(err.message, all[i].message);
                CHECK_TEXT(err.file, "keys/signing.key");
            }
            world_close(&w);
            CHECK_INT(world_has(&w, "keys/signing.key.new"),
                      beside && all[i].codes[beside]);
        }
    said = 0;
    free(key);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(put("a"), 0);
    world_end(&w, 2);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"the log was cut", the_log_was_cut},
        {"the head is read again", the_head_is_read_again},
        {"a key that cannot be read", a_key_that_cannot_be_read},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
