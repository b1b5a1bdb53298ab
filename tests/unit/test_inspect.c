/*
 * test_inspect.c - the lines of any file: which class each one is, cut at every
 * byte, equal ones among many, compressed and broken, and what stops it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "paritylog_recovery.h"
#include "world.h"

static struct plog_inspect_report report;
static struct plog_error err;

static struct {
    unsigned count, stop_at; /* 0: never */
    enum plog_line_class kind[64];
    uint64_t line[64], offset[64], same_as[64];
    unsigned wrong; /* duplicates that name another line */
} heard;

static int on_line(void *arg, const struct plog_inspected *l)
{
    uint64_t *half = arg;
    if (heard.count < 64) {
        heard.kind[heard.count] = l->kind;
        heard.line[heard.count] = l->line;
        heard.offset[heard.count] = l->offset;
        heard.same_as[heard.count] = l->same_as;
    }
    heard.wrong += half && l->same_as != l->line - *half;
    return ++heard.count == heard.stop_at;
}

static const char *path_of(const char *name)
{
    static const char *dir; /* check_dir() makes another one each time */
    static char path[600];
    dir = dir ? dir : check_dir();
    snprintf(path, sizeof path, "%.500s/%s", dir, name);
    return path;
}

static int inspect_with(struct plog_inspect_options o)
{
    unsigned stop_at = heard.stop_at;
    memset(&heard, 0, sizeof heard);
    heard.stop_at = stop_at;
    o.struct_size = sizeof o;
    memset(&err, 0, sizeof err);
    int rc = plog_inspect(path_of("lines"), &o, &report, &err);
    CHECK_INT(err.code, rc);
    return rc;
}

/* The file holds these bytes. */
static int inspect(const char *bytes, size_t n)
{
    world_write(path_of("lines"), bytes, n);
    return inspect_with((struct plog_inspect_options){.line = on_line});
}

/* ---- Classes
 * ------------------------------------------------------------------ */

static void each_class(void)
{
    static const struct {
        const char *line;
        size_t n; /* 0: all of the text */
        enum plog_line_class kind;
    } table[] = {
        {"{\"a\":1}", 0, PLOG_LINE_OK},
        {"{ }", 0, PLOG_LINE_OK},
        {"[1, 2]", 0, PLOG_LINE_NOT_JSON}, /* only objects are lines */
        {"7", 0, PLOG_LINE_NOT_JSON},
        {"{\"a\":tru}", 0, PLOG_LINE_NOT_JSON},
        {"{\"a\":trux", 0, PLOG_LINE_NOT_JSON},
        {"{\"a\":tru", 0, PLOG_LINE_CUT},
        {"<<<<<<< ours", 0, PLOG_LINE_CONFLICT},
        {"=======", 0, PLOG_LINE_CONFLICT},
        {">>>>>>> theirs", 0, PLOG_LINE_CONFLICT},
        {"||||||| base", 0, PLOG_LINE_CONFLICT},
        {"========", 0, PLOG_LINE_NOT_JSON},
        {"======", 0, PLOG_LINE_NOT_JSON},
        {"{\"a\":1}{\"a\":2}", 0, PLOG_LINE_JOINED},
        {"{\"a\":1}]", 0, PLOG_LINE_NOT_JSON},
        {"{\"a\":1} x", 0, PLOG_LINE_NOT_JSON},
        {"words", 0, PLOG_LINE_NOT_JSON},
        {"{\"a\":1,\"a\":2}", 0, PLOG_LINE_STRICT},
        {"{\"a\":\"\\ud800\"}", 0, PLOG_LINE_STRICT},
        {"{\"a\":\"\\u0000\"}", 0, PLOG_LINE_STRICT},
        {"{\"a\":\"x", 0, PLOG_LINE_CUT},
        {"{\"a\":", 0, PLOG_LINE_CUT},
        {"\xef\xbb\xbf{\"a\":1}", 0, PLOG_LINE_BOM},
        {"{\"a\":1}\r", 0, PLOG_LINE_CR},
        {"{\"a\":\"\xff\"}", 0, PLOG_LINE_NOT_UTF8},
        {"a\0b", 3, PLOG_LINE_NULS},
        {"", 0, PLOG_LINE_EMPTY},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char text[64];
        size_t n = table[i].n ? table[i].n : strlen(table[i].line);
        memcpy(text, table[i].line, n);
        text[n] = '\n';
        CHECK_INT(inspect(text, n + 1), 0);
        if (!CHECK_UINT(report.counts[table[i].kind], 1))
            printf("# %s: %s\n", table[i].line,
                   heard.count ? plog_line_class_name(heard.kind[0]) : "ok");
        CHECK_UINT(report.lines, 1);
    }
    CHECK_TEXT(plog_line_class_name(PLOG_LINE_CUT), "cut");
    CHECK_TEXT(plog_line_class_name(PLOG_LINE_CLASSES), "?");
}

/* A text that ends too early was cut, wherever; without a line feed it may have
 * been torn while it was written. */
static void cut_at_each_byte(void)
{
    static const char whole[] =
        "{\"a\":[1,-2.5e+3,true,null],\"b\\u00e9\":\"x\\n\xc3\xa9\",\"c\":{}}";
    char text[sizeof whole + 1];
    for (size_t n = 1; n < sizeof whole - 1; n++) {
        memcpy(text, whole, n);
        text[n] = '\n';
        CHECK_INT(inspect(text, n + 1), 0);
        CHECK_UINT(heard.count, 1);
        bool utf8 = (unsigned char)whole[n - 1] == 0xc3;
        if (!CHECK_INT(heard.kind[0],
                       utf8 ? PLOG_LINE_NOT_UTF8 : PLOG_LINE_CUT))
            printf("# %.*s\n", (int)n, text);
        CHECK_INT(inspect(text, n), 0);
        CHECK_INT(heard.kind[0], utf8 ? PLOG_LINE_NOT_UTF8 : PLOG_LINE_TORN);
    }
    /* Whole, but for the line feed; and what is no JSON is that in any case. */
    CHECK_INT(inspect(whole, sizeof whole - 1), 0);
    CHECK_INT(heard.kind[0], PLOG_LINE_TORN);
    CHECK_INT(inspect("{}\nwords", 8), 0);
    CHECK_INT(heard.kind[0], PLOG_LINE_NOT_JSON);
    CHECK_UINT(report.first_fault, 3);
}

static void the_first_fault(void)
{
    static const char text[] = "{}\n{ }\n\n{  }\n\n";
    CHECK_INT(inspect(text, sizeof text - 1), 0);
    CHECK_UINT(report.first_fault, 7);
    CHECK_UINT(report.lines, 5);
    CHECK_UINT(heard.offset[1], 13);
    /* Nobody needs to listen. */
    CHECK_INT(inspect_with((struct plog_inspect_options){.line = NULL}), 0);
    CHECK_UINT(report.counts[PLOG_LINE_EMPTY], 2);
    CHECK_INT(inspect("\n{}\n\n", 5), 0); /* it may be the very first byte */
    CHECK_UINT(report.first_fault, 0);
    CHECK_UINT(heard.count, 2);
}

/* ---- Equal lines
 * ------------------------------------------------------------------ */

#define MANY 20000u

/* Enough that some share a place of the table. */
static void equal_lines(void)
{
    char *text = malloc(MANY * 2 * 12), *at = text;
    uint64_t half = MANY;
    REQUIRE(text != NULL);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < MANY; i++)
            at += sprintf(at, "{\"n\":%u}\n", i);
    world_write(path_of("lines"), text, (size_t)(at - text));
    CHECK_INT(inspect_with(
                  (struct plog_inspect_options){.line = on_line, .arg = &half}),
              0);
    CHECK_UINT(report.counts[PLOG_LINE_OK], MANY);
    CHECK_UINT(report.counts[PLOG_LINE_DUPLICATE], MANY);
    CHECK_UINT(report.compared, 2 * MANY);
    CHECK_UINT(heard.wrong, 0);
    CHECK_UINT(heard.same_as[5], 6);
    free(text);
}

/* Beyond the room of the table nothing is compared, and said so. */
static void more_than_are_compared(void)
{
    const unsigned room = 1u << 20;
    char *text = malloc((room + 10) * 14), *at = text;
    REQUIRE(text != NULL);
    for (unsigned i = 0; i < room + 5; i++)
        at += sprintf(at, "{\"\":%u}\n", i);
    at += sprintf(at, "{\"\":1}\n");
    world_write(path_of("lines"), text, (size_t)(at - text));
    CHECK_INT(inspect_with((struct plog_inspect_options){.line = NULL}), 0);
    CHECK_UINT(report.lines, room + 6);
    CHECK_UINT(report.counts[PLOG_LINE_OK], room + 6);
    CHECK_UINT(report.compared, room);
    free(text);
}

/* ---- Files
 * ------------------------------------------------------------------------- */

static size_t compress_text(const char *text, char *out, size_t cap)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)text,
                  .avail_in = (unsigned)strlen(text),
                  .next_out = (Bytef *)out,
                  .avail_out = (unsigned)cap};
    CHECK_INT(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    CHECK_INT(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return cap - z.avail_out;
}

static void compressed(void)
{
    char gz[400], two[800];
    size_t n = compress_text("{\"a\":1}\n{\"b\":2}\nx\n", gz, sizeof gz);
    CHECK_INT(inspect(gz, n), 0);
    CHECK(report.gzip && !report.broken_gzip);
    CHECK_UINT(report.lines, 3);
    CHECK_UINT(report.counts[PLOG_LINE_NOT_JSON], 1);
    memcpy(two, gz, n);
    memcpy(two + n, gz, n); /* another member */
    CHECK_INT(inspect(two, 2 * n), 0);
    CHECK(!report.broken_gzip);
    CHECK_UINT(report.lines, 6);
    CHECK_UINT(report.counts[PLOG_LINE_DUPLICATE], 2);
    /* Each byte damaged: it is broken, or it was one that says nothing. */
    unsigned broken = 0;
    for (size_t i = 10; i < n; i++) {
        memcpy(two, gz, n);
        two[i] = (char)~two[i];
        CHECK_INT(inspect(two, n), 0);
        broken += report.broken_gzip;
    }
    CHECK_UINT(broken, n - 10);
    for (size_t i = 2; i < n; i++) {
        CHECK_INT(inspect(gz, i), 0);
        CHECK(report.gzip && report.broken_gzip);
    }
    /* Half of the mark is none. */
    CHECK_INT(inspect("\x1f\n", 2), 0);
    CHECK(!report.gzip);
    CHECK_UINT(report.counts[PLOG_LINE_NOT_JSON], 1);
    CHECK_INT(inspect("\x1f", 1), 0);
    CHECK(!report.gzip);
    CHECK_INT(inspect("", 0), 0);
    CHECK_UINT(report.lines, 0);
}

/* More than is inflated at once, in each of two members. */
static void long_and_compressed(void)
{
    static char text[700001], gz[300000];
    size_t lines = 0, at = 0;
    while (at + 40 < sizeof text)
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "{\"a\":%zu,\"b\":\"bbbbbbbbbbbb\"}\n", lines++);
    size_t n = compress_text(text, gz, sizeof gz / 2);
    CHECK(n < sizeof gz / 2);
    memcpy(gz + n, gz, n);
    for (size_t members = 1; members < 3; members++) {
        CHECK_INT(inspect(gz, members * n), 0);
        CHECK(report.gzip && !report.broken_gzip);
        CHECK_UINT(report.bytes, members * at);
        CHECK_UINT(report.lines, members * lines);
        CHECK_UINT(report.counts[PLOG_LINE_OK], lines);
        CHECK_UINT(report.counts[PLOG_LINE_DUPLICATE], (members - 1) * lines);
        CHECK_UINT(report.first_fault, members == 1 ? 0 : at);
    }
    /* Cut off in the second one: what came before is there. */
    CHECK_INT(inspect(gz, n + n / 2), 0);
    CHECK(report.broken_gzip);
    CHECK(report.bytes > at && report.bytes < 2 * at);
    CHECK_UINT(report.counts[PLOG_LINE_OK], lines);
}

static int64_t no_read(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    unsigned *left = ctx;
    return *left && --*left == 0 ? -EIO
                                 : plog_io_posix()->pread(NULL, fd, p, n, at);
}

static void *no_memory(void *ctx, void *p, size_t n)
{
    (void)ctx, (void)p, (void)n;
    return NULL;
}

static void files(void)
{
    struct plog_io io = *plog_io_posix();
    char gz[400], other[600];
    unsigned left;
    snprintf(other, sizeof other, "%s", path_of("other"));
    /* A file of two names is one as well; a folder is none. */
    world_write(other, "{}\n", 3);
    unlink(path_of("lines"));
    CHECK_INT(link(other, path_of("lines")), 0);
    CHECK_INT(inspect_with((struct plog_inspect_options){.line = NULL}), 0);
    CHECK_UINT(report.counts[PLOG_LINE_OK], 1);
    unlink(path_of("lines"));
    unlink(other);
    CHECK_INT(inspect_with((struct plog_inspect_options){.line = NULL}),
              PLOG_E_IO);
    CHECK_TEXT(err.file, path_of("lines"));
    CHECK_TEXT(err.hint, "see that the path is right");
    memset(&err, 0, sizeof err);
    CHECK_INT(plog_inspect(check_dir(), NULL, &report, &err), PLOG_E_IO);
    CHECK(strstr(err.hint, "name one file") != NULL);
    /* Each read fails. */
    size_t n = compress_text("{\"a\":1}\n", gz, sizeof gz);
    io.ctx = &left;
    io.pread = no_read;
    for (int zipped = 0; zipped < 2; zipped++) {
        world_write(path_of("lines"), zipped ? gz : "{}\n", zipped ? n : 3);
        unsigned k = 0;
        do {
            left = ++k;
            int rc = inspect_with((struct plog_inspect_options){.io = &io});
            CHECK_INT(rc, left ? 0 : PLOG_E_IO);
        } while (left == 0 && k < 20);
        CHECK(k > 2);
    }
    io = *plog_io_posix();
    io.alloc = no_memory;
    CHECK_INT(inspect_with((struct plog_inspect_options){.io = &io}),
              PLOG_E_NOMEM);
}

static int no_random(void *ctx, void *buf, size_t n)
{
    (void)ctx, (void)buf, (void)n;
    return -EIO;
}

/* Whoever knows the key under which lines are looked up can write lines that
 * take for ever: one that everybody knows is none. */
static void no_randomness(void)
{
    struct plog_io io = *plog_io_posix();
    io.random = no_random;
    world_write(path_of("lines"), "{}\n", 3);
    CHECK_INT(inspect_with((struct plog_inspect_options){.io = &io}),
              PLOG_E_IO);
    CHECK_TEXT(err.message, "no randomness");
    CHECK_UINT(report.lines, 0);
}

static int says(const char *path)
{
    struct plog_inspect_options o = {.struct_size = sizeof o};
    memset(&err, 0, sizeof err);
    return plog_inspect(path, &o, &report, &err);
}

/* A database is no lines, whatever its name; lines are, whatever theirs. */
static void a_store(void)
{
    static const char *const names[] = {"store.db", "store.db-wal", "lines"};
    struct world s;
    world_make(&s, PLOG_ARRIVAL, 0);
    world_close(&s);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        world_write(path_of(names[i]), "{}\n", 3);
        CHECK_INT(says(path_of(names[i])), 0);
        CHECK_UINT(report.counts[PLOG_LINE_OK], 1);
    }
    CHECK_INT(says(world_path(&s, "store.db")), PLOG_E_INPUT);
    CHECK(strncmp(err.message, "a file of the store", 19) == 0);
    CHECK_INT(link(world_path(&s, "store.db"), path_of("twin")), 0);
    CHECK_INT(says(path_of("twin")), PLOG_E_INPUT);
    CHECK(strncmp(err.message, "a file of the store", 19) == 0);
    CHECK_INT(unlink(path_of("twin")), 0);
}

/* Nothing that may be a file of a store is opened in a process that has one. */
static void a_store_that_is_open(void)
{
    static const char *const files[] = {"store.db", "store.db-wal",
                                        "store.db-shm"};
    char name[40], more[700];
    struct world s;
    world_make(&s, PLOG_ARRIVAL, 0);
    world_write(path_of("lines"), "{}\n", 3);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        CHECK_INT(says(world_path(&s, files[i])), PLOG_E_INPUT);
        snprintf(name, sizeof name, "link%zu", i);
        CHECK_INT(symlink(world_path(&s, files[i]), path_of(name)), 0);
        CHECK_INT(says(path_of(name)), PLOG_E_INPUT);
        snprintf(name, sizeof name, "twin%zu", i);
        CHECK_INT(link(world_path(&s, files[i]), path_of(name)), 0);
        CHECK_INT(says(path_of(name)), PLOG_E_INPUT);
        CHECK(strstr(err.message, "a second name") != NULL);
        CHECK_INT(unlink(path_of(name)), 0);
    }
    CHECK_INT(says(path_of("lines")), 0);
    world_write(path_of("store.db.jsonl"), "{}\n", 3); /* no name of one */
    CHECK_INT(says(path_of("store.db.jsonl")), 0);
    CHECK_INT(world_put(&s, NULL, "r", "v", NULL), 0); /* its locks hold */
    world_close(&s);
    snprintf(more, sizeof more, "%s", path_of("more"));
    CHECK_INT(link(path_of("lines"), more), 0);
    CHECK_INT(says(more), 0);
    CHECK_INT(says(world_path(&s, "log/00000000000000000001.jsonl")), 0);
}

/* ---- More lines than can be numbered
 * ---------------------------------------------------- */

/* As if so many had been read before. */
static int skip_ahead(void *arg, const struct plog_inspected *l)
{
    if (l->kind == PLOG_LINE_EMPTY)
        report.lines = *(uint64_t *)arg;
    return 0;
}

/* Lines are remembered by 32 bits of their number: beyond that none is told to
 * be that of another one. */
static void far_down(void)
{
    static const char text[] = "\n{\"a\":1}\n{\"a\":1}\n";
    static const struct {
        uint64_t before, compared, equal;
    } table[] = {{1, 2, 1},
                 {UINT32_MAX - 3, 2, 1},
                 {UINT32_MAX - 2, 1, 0},
                 {UINT32_MAX - 1, 0, 0},
                 {UINT32_MAX, 0, 0}};
    world_write(path_of("lines"), text, sizeof text - 1);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint64_t before = table[i].before;
        CHECK_INT(inspect_with((struct plog_inspect_options){.line = skip_ahead,
                                                             .arg = &before}),
                  0);
        CHECK_UINT(report.lines, before + 2);
        CHECK_UINT(report.compared, table[i].compared);
        CHECK_UINT(report.counts[PLOG_LINE_DUPLICATE], table[i].equal);
        CHECK_UINT(report.counts[PLOG_LINE_OK], 2 - table[i].equal);
    }
}

/* ---- Stopped
 * ------------------------------------------------------------------------ */

static int on_progress(void *arg, const struct plog_progress *p)
{
    unsigned *steps = arg;
    CHECK_TEXT(p->phase, "inspect");
    CHECK_UINT(p->done % 1000, 0);
    return ++*steps == 2;
}

static int go_on(void *arg, const struct plog_progress *p)
{
    (void)p;
    ++*(unsigned *)arg;
    return 0;
}

static void stopped(void)
{
    static char text[12 * 3500];
    char *at = text;
    unsigned steps = 0;
    CHECK_INT(inspect("x\n{}\ny\nz\n", 9), 0);
    CHECK_UINT(heard.count, 3);
    heard.stop_at = 2;
    CHECK_INT(inspect("x\n{}\ny\nz\n", 9), PLOG_E_INTERRUPTED);
    CHECK_UINT(heard.count, 2);
    CHECK(strstr(err.message, "line 3") != NULL);
    heard.stop_at = 0;
    for (int i = 0; i < 3500; i++)
        at += sprintf(at, "{\"\":%d}\n", i);
    world_write(path_of("lines"), text, (size_t)(at - text));
    CHECK_INT(inspect_with((struct plog_inspect_options){.progress = go_on,
                                                         .arg = &steps}),
              0);
    CHECK_UINT(steps, 3);
    steps = 0;
    CHECK_INT(inspect_with((struct plog_inspect_options){
                  .progress = on_progress, .arg = &steps}),
              PLOG_E_INTERRUPTED);
    CHECK_UINT(steps, 2);
    CHECK(strstr(err.message, "line 2000") != NULL);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"each class", each_class},
        {"cut at each byte", cut_at_each_byte},
        {"the first fault", the_first_fault},
        {"equal lines", equal_lines},
        {"more than are compared", more_than_are_compared},
        {"compressed", compressed},
        {"far down", far_down},
        {"long and compressed", long_and_compressed},
        {"files", files},
        {"a store", a_store},
        {"a store that is open", a_store_that_is_open},
        {"no randomness", no_randomness},
        {"stopped", stopped},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
