/*
 * test_scrub_files.c - what users move to quarantine/: names that look like
 * ours, gzip files of more than one member, damaged or with text about them,
 * databases under any name and compressed, and bytes that expand without end.
 * What is innocent stays, byte for byte; what cannot be searched is told.
 *
 * Here the targets are made by hand; test_scrub_left.c has the whole way.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "scrub.h"
#include "world.h"

#define RECORD "\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","
#define SALT "c2FsdC1vZi10aGUtc2VjcmV0"
#define LINE                                                                   \
    "{\"seq\":7,\"id\":\"i\"," RECORD "\"payload\":\"secret\",\"salt\":\"" SALT \
    "\"}"
#define REDACTED                                                               \
    "{\"seq\":7,\"id\":\"i\"," RECORD                                          \
    "\"occurred_at\":\"2026\",\"redacted\":\"...\"}"

static struct world dir;
static struct plog_scrub_target target;
static struct plog_scrub_report report;
static struct plog_error err;
static uint64_t segment_size; /* of the log */

/* @salted  whether the salt is known */
static void start(bool salted)
{
    static int next;
    memset(&dir, 0, sizeof dir);
    snprintf(dir.dir, sizeof dir.dir, "%.400s/%d", check_dir(), next++);
    CHECK_INT(mkdir(dir.dir, 0700), 0);
    CHECK_INT(mkdir(world_path(&dir, "quarantine"), 0700), 0);
    memset(&target, 0, sizeof target);
    target.seq = 7;
    plog_hash_leaf(LINE, strlen(LINE), target.leaf);
    if (salted)
        strcpy(target.salt, SALT);
    target.redacted = plog_span_text(REDACTED);
}

static int search_for(const struct plog_scrub_target *t, size_t count)
{
    static struct plog_legs l;
    memset(&l, 0, sizeof l);
    memset(&report, 0, sizeof report);
    err = (struct plog_error){.code = 0};
    l.io = plog_io_posix();
    l.head.rules.segment_size = segment_size;
    l.dir.dir = open(dir.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(l.dir.path, sizeof l.dir.path, "%s", dir.dir);
    int rc = plog_scrub_quarantine(&l, t, count, &report, &err);
    close(l.dir.dir);
    return rc;
}

static int scrub_for(const struct plog_scrub_target *t, size_t count)
{
    int rc = search_for(t, count);
    CHECK(access(world_path(&dir, "scrub.new"), F_OK) != 0);
    return rc;
}

static int scrub(void)
{
    return scrub_for(&target, 1);
}

static char *path_of(const char *name)
{
    static char path[1200];
    snprintf(path, sizeof path, "%s/quarantine/%s", dir.dir, name);
    return path;
}

static bool there(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

static void put_bytes(const char *name, const void *p, size_t n)
{
    world_write(path_of(name), p, n);
}

static void put(const char *name, const char *text)
{
    put_bytes(name, text, strlen(text));
}

static bool holds(const char *name, const char *want, size_t want_n)
{
    size_t n;
    char *bytes = world_read(path_of(name), &n);
    bool same = CHECK_BYTES(bytes, n, want, want_n);
    free(bytes);
    return same;
}

/* ---- gzip by zlib itself -------------------------------------------------- */

/* Appends one member to what is there.  Returns how long it is. */
static size_t member(const char *name, const char *text, size_t n)
{
    static unsigned char out[1 << 20];
    z_stream z = {0};
    CHECK_INT(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = sizeof out;
    CHECK_INT(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t len = sizeof out - z.avail_out;
    deflateEnd(&z);
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                  0600);
    CHECK_INT(write(fd, out, len), len);
    close(fd);
    return len;
}

static size_t text_member(const char *name, const char *text)
{
    return member(name, text, strlen(text));
}

static void append_bytes(const char *name, const char *p, size_t n)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                  0600);
    CHECK_INT(write(fd, p, n), n);
    close(fd);
}

static void append(const char *name, const char *text)
{
    append_bytes(name, text, strlen(text));
}

static void flip(const char *name, size_t at)
{
    size_t n;
    char *bytes = world_read(path_of(name), &n);
    REQUIRE(at < n);
    bytes[at] = (char)(bytes[at] ^ 0xff);
    put_bytes(name, bytes, n);
    free(bytes);
}

static bool holds_packed(const char *name, const char *want)
{
    char text[4096];
    gzFile f = gzopen(path_of(name), "rb");
    int n = gzread(f, text, sizeof text);
    bool same = CHECK(!gzdirect(f)) &&
                CHECK_BYTES(text, (size_t)(n < 0 ? 0 : n), want, strlen(want));
    gzclose(f);
    return same;
}

/* ---- Neighbours ----------------------------------------------------------- */

/* Names that look like those of scratch files, and the names of keys. */
static void neighbours(void)
{
    static const char *const names[] = {
        "lines.new", "lines.scrub", "z.gz.scrub", "z.gz.scrub.new", "z.gz.new",
        "lock.new",  "scrub.new"};
    start(true);
    put("lines", "one\n" LINE "\ntwo");
    put("lock", "");
    text_member("z.gz", "one\n" LINE "\ntwo");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        put(names[i], names[i]);
    put("signing.key", "key\n");
    put("signing.key.new", "another key\n");
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.quarantine, 2);
    holds("lines", "one\n" REDACTED "\ntwo", strlen(REDACTED) + 8);
    holds_packed("z.gz", "one\n" REDACTED "\ntwo");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        holds(names[i], names[i], strlen(names[i]));
    holds("signing.key.new", "another key\n", 12);
    /* What a killed one left is ours. */
    world_write(world_path(&dir, "scrub.new"), LINE, strlen(LINE));
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.quarantine, 0);
}

/* What bears the name of our scratch file: it can be moved, and where nothing
 * is to be searched it is in nobody's way. */
static void a_folder_for_scratch(void)
{
    start(true);
    CHECK_INT(mkdir(world_path(&dir, "scrub.new"), 0700), 0);
    put("lines", LINE "\n");
    CHECK_INT(search_for(&target, 1), PLOG_E_IO);
    CHECK_TEXT(err.file, "scrub.new");
    CHECK(strstr(err.hint, "can be moved out of DIR") != NULL);
    world_remove(world_path(&dir, "quarantine"));
    CHECK_INT(search_for(&target, 1), 0);
    CHECK_INT(rmdir(world_path(&dir, "scrub.new")), 0);
}

static void long_names(void)
{
    char name[256];
    for (size_t n = 190; n < 256; n += 5) {
        start(true);
        memset(name, 'n', n);
        name[n] = '\0';
        put(name, LINE "\nbehind");
        CHECK_INT(scrub(), 0);
        CHECK_UINT(report.left, 0);
        holds(name, REDACTED "\nbehind", strlen(REDACTED) + 7);
    }
    start(true); /* and the deepest of them */
    char deep[16 * 256 + 16] = "";
    size_t at = 0;
    memset(name, 'd', 255);
    name[255] = '\0';
    int fd = open(world_path(&dir, "quarantine"), O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 16; i++) {
        CHECK_INT(mkdirat(fd, name, 0700), 0);
        int in = openat(fd, name, O_RDONLY | O_DIRECTORY);
        close(fd);
        fd = in;
        at += (size_t)snprintf(deep + at, sizeof deep - at, "/%s", name);
    }
    int file = openat(fd, name, O_WRONLY | O_CREAT, 0600);
    CHECK_INT(write(file, LINE, strlen(LINE)), strlen(LINE));
    close(file);
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.left, 0);
    CHECK_UINT(report.quarantine, 1);
    struct stat st;
    CHECK_INT(fstatat(fd, name, &st, 0), 0);
    CHECK_UINT((uint64_t)st.st_size, strlen(REDACTED));
    close(fd);
}

/* ---- Members -------------------------------------------------------------- */

/* Wherever it stands, it goes, and the others stay. */
static void members(void)
{
    start(true);
    text_member("behind.gz", "one\n");
    text_member("behind.gz", LINE "\n");
    text_member("behind.gz", "two\n");
    text_member("first.gz", LINE "\n");
    text_member("first.gz", "");
    text_member("first.gz", "two\n");
    text_member("across.gz", "one\n{\"seq\":7,\"id\"");
    text_member("across.gz", &LINE[13]);
    text_member("none.gz", "one\n");
    text_member("none.gz", "two\n");
    size_t n;
    char *none = world_read(path_of("none.gz"), &n);
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.quarantine, 3);
    holds_packed("behind.gz", "one\n" REDACTED "\ntwo\n");
    holds_packed("first.gz", REDACTED "\ntwo\n");
    holds_packed("across.gz", "one\n" REDACTED);
    holds("none.gz", none, n);
    free(none);
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.quarantine, 0);
}

/* Text that only begins so, text behind a member, and zeros to fill a block. */
static void with_text(void)
{
    start(true);
    put("text", "\x1f\x8b\n" LINE "\n\x1f\x8b\x08");
    put("long", "\x1f\x8b\x08 looks like a head\n" LINE "\nbehind\n");
    text_member("tail.gz", "one\n");
    append("tail.gz", LINE "\nbehind\n");
    text_member("between.gz", "one\n");
    append("between.gz", "text\n");
    text_member("between.gz", LINE "\n");
    append("headed.gz", "\x1f\x8b\x08 looks like a head\n");
    text_member("headed.gz", LINE "\n");
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.quarantine, 5);
    holds("text", "\x1f\x8b\n" REDACTED "\n\x1f\x8b\x08",
          strlen(REDACTED) + 7);
    holds("long", "\x1f\x8b\x08 looks like a head\n" REDACTED "\nbehind\n",
          strlen(REDACTED) + 30);
    holds_packed("tail.gz", "one\n" REDACTED "\nbehind\n");
    holds_packed("between.gz", "one\ntext\n" REDACTED "\n");
    holds_packed("headed.gz",
                 "\x1f\x8b\x08 looks like a head\n" REDACTED "\n");
}

/* A member whose head is damaged, one with text before it, and both: none of
 * these begins as gzip does. */
static void damaged_heads(void)
{
    for (size_t at = 0; at < 8; at++) {
        start(true);
        text_member("first.gz", LINE "\nbehind\n");
        flip("first.gz", at);
        text_member("two.gz", "one\n");
        flip("two.gz", at);
        text_member("two.gz", LINE "\n");
        size_t n = text_member("second.gz", "one\n");
        text_member("second.gz", LINE "\n");
        flip("second.gz", n + at);
        CHECK_INT(scrub(), 0);
        CHECK_UINT(report.quarantine, 3);
        holds_packed("first.gz", REDACTED "\nbehind\n");
        holds_packed("two.gz", "one\n" REDACTED "\n");
        holds_packed("second.gz", "one\n" REDACTED "\n");
    }
    start(true);
    append("noted", "a note\n");
    text_member("noted", LINE "\n");
    append("innocent", "a note\n");
    text_member("innocent", "one\n");
    size_t n;
    char *innocent = world_read(path_of("innocent"), &n);
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.quarantine, 1);
    holds_packed("noted", "a note\n" REDACTED "\n");
    holds("innocent", innocent, n);
    free(innocent);
}

/* A head, or what looks like one, anywhere about the end of a piece that is
 * read at once. */
static void heads_across_pieces(void)
{
    static char raw[(64 << 10) + 20];
    memset(raw, 'x', sizeof raw);
    for (size_t n = sizeof raw - 40; n <= sizeof raw; n++) {
        start(true);
        append_bytes("text", raw, n);
        append("text", "\n");
        text_member("text", LINE "\n");
        append_bytes("near", raw, n);
        append("near", "\x1f\x8b\n" LINE "\n");
        CHECK_INT(scrub(), 0);
        CHECK_UINT(report.quarantine, 2);
        gzFile f = gzopen(path_of("text"), "rb");
        static char text[sizeof raw + 400];
        int got = gzread(f, text, sizeof text);
        gzclose(f);
        CHECK(got == (int)(n + strlen(REDACTED) + 2) &&
              memcmp(text, raw, n) == 0 &&
              memcmp(text + n, "\n" REDACTED "\n", strlen(REDACTED) + 2) == 0);
        size_t near_n;
        char *near = world_read(path_of("near"), &near_n);
        CHECK(near_n == n + strlen(REDACTED) + 4);
        free(near);
    }
}

/* Behind a damaged one the next is found. */
static void behind_damage(void)
{
    char noise[3000];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)('a' + (x = x * 1664525u + 1013904223u) % 26);
    for (int cut = 0; cut < 3; cut++) {
        start(true);
        size_t n = member("d.gz", noise, sizeof noise);
        if (cut == 1) /* in its middle, or its end is missing */
            flip("d.gz", n / 2);
        else if (cut == 2)
            CHECK_INT(truncate(path_of("d.gz"), (off_t)n - 6), 0);
        else
            flip("d.gz", 20);
        text_member("d.gz", "between\n");
        text_member("d.gz", LINE "\nbehind\n");
        CHECK_INT(scrub(), 0);
        CHECK_UINT(report.quarantine, 1);
        gzFile f = gzopen(path_of("d.gz"), "rb");
        char text[2 * sizeof noise];
        int got = gzread(f, text, sizeof text);
        gzclose(f);
        static const char end[] = "between\n" REDACTED "\nbehind\n";
        CHECK(got > 0 && memmem(text, (size_t)got, end, sizeof end - 1));
    }
}

/* ---- Databases ------------------------------------------------------------ */

#define EVENTS "CREATE TABLE events(seq INTEGER PRIMARY KEY, line TEXT);"

/* What is done in it stays in the WAL. */
static void in_wal(const char *name, const char *first, const char *then)
{
    sqlite3 *db = NULL;
    char wal[40];
    size_t n, wal_n;
    CHECK_INT(sqlite3_open(path_of("live"), &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "PRAGMA journal_mode=WAL;" EVENTS
                               "PRAGMA wal_checkpoint(TRUNCATE)",
                           NULL, NULL, NULL),
              SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, first, NULL, NULL, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, then, NULL, NULL, NULL), SQLITE_OK);
    char *bytes = world_read(path_of("live"), &n);
    char *log = world_read(path_of("live-wal"), &wal_n);
    snprintf(wal, sizeof wal, "%s-wal", name);
    put_bytes(name, bytes, n);
    put_bytes(wal, log, wal_n);
    free(bytes);
    free(log);
    sqlite3_close(db);
    CHECK_INT(unlink(path_of("live")), 0);
}

#define INSERT(line) "INSERT INTO events VALUES(7,'" line "')"
#define UPDATE(line) "UPDATE events SET line='" line "'"

/* Without a salt the beginning of the line tells, in whichever frame. */
static void in_a_wal(void)
{
    for (int salted = 0; salted < 2; salted++) {
        start(salted);
        in_wal("store.db", INSERT(LINE), "");
        in_wal("store.db-1", INSERT(LINE), UPDATE(REDACTED));
        in_wal("store.db-2", INSERT(REDACTED), "");
        in_wal("backup", INSERT(LINE), "");
        in_wal("other", "INSERT INTO events VALUES(8,'other')", "");
        in_wal("notes", INSERT(LINE), "");
        put("notes", "no database");
        in_wal("folder", INSERT(LINE), "");
        CHECK_INT(unlink(path_of("folder")), 0);
        CHECK_INT(mkdir(path_of("folder"), 0700), 0);
        CHECK_INT(scrub(), 0);
        CHECK_UINT(report.quarantine, 8);
        CHECK(!there("folder-wal") && there("folder"));
        CHECK(!there("notes-wal") && there("notes"));
        CHECK(!there("store.db") && !there("store.db-wal"));
        CHECK(!there("store.db-1") && !there("store.db-1-wal"));
        CHECK(there("store.db-2") && there("store.db-2-wal"));
        CHECK(!there("backup") && !there("backup-wal"));
        CHECK(there("other") && there("other-wal"));
    }
}

/* A line of another log has the seq, and parts from ours before the payload;
 * a longer seq begins like it. */
static void of_another_log(void)
{
    static const char *const lines[] = {
        "{\"seq\":7,\"id\":\"j\"," RECORD "\"payload\":\"secret\"}",
        "{\"seq\":71,\"id\":\"i\"," RECORD "\"payload\":\"secret\"}",
        "{\"seq\":6,\"id\":\"i\"," RECORD "\"payload\":\"secret\"}",
        "{\"seq\":7,\"id\":\"i\",\"resource\":\"q\",\"payload\":1}"};
    start(false);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char name[20], sql[300];
        snprintf(name, sizeof name, "store.db-%zu", i);
        snprintf(sql, sizeof sql,
                 "INSERT INTO events VALUES(8,'%s')", lines[i]);
        in_wal(name, sql, "");
    }
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.quarantine, 0);
}

/* A line may lie across the pieces that are read. */
static void across_pieces(void)
{
    const size_t piece = (size_t)256 << 10;
    char *bytes = calloc(1, 3 * piece);
    if (!bytes)
        abort();
    start(false);
    for (size_t i = 0; i < 60; i += 7) {
        memset(bytes, 0, 3 * piece);
        memcpy(bytes, "SQLite format 3", 16);
        memcpy(bytes + 2 * piece - i, LINE, strlen(LINE));
        put_bytes("copy", bytes, 3 * piece);
        memcpy(bytes + 2 * piece - i, REDACTED, strlen(REDACTED));
        put_bytes("redacted", bytes, 3 * piece);
        CHECK_INT(scrub(), 0);
        if (!CHECK(!there("copy")) || !CHECK(there("redacted")))
            printf("# at %zu\n", i);
    }
    free(bytes);
}

static void packed_database(void)
{
    size_t n;
    start(false);
    in_wal("a", INSERT(LINE), "");
    in_wal("b", INSERT(REDACTED), "");
    for (const char *name = "ab"; *name; name++) {
        char from[] = {*name, '-', 'w', 'a', 'l', '\0'};
        char to[] = "store.db-?.gz";
        to[9] = *name;
        char *bytes = world_read(path_of(from), &n);
        member(to, bytes, n);
        free(bytes);
    }
    put("store.db", "no database");
    text_member("store.db.gz", "lines\n" LINE "\n");
    CHECK_INT(scrub(), 0);
    CHECK(!there("store.db-a.gz") && there("store.db-b.gz"));
    CHECK(there("store.db"));
    holds_packed("store.db.gz", "lines\n" REDACTED "\n");
}

/* ---- Without end ---------------------------------------------------------- */

/* `mib` of one byte, in members that come to no more than that. */
static void bomb(const char *name, int mib, char fill)
{
    static char many[16 << 20];
    size_t n;
    memset(many, fill, sizeof many);
    member(name, many, sizeof many);
    char *one = world_read(path_of(name), &n);
    for (int i = 16; i < mib; i += 16)
        append_bytes(name, one, n);
    free(one);
}

/* It is left, and told; all else is done. */
static void bombs(void)
{
    size_t n, now_n;
    start(true);
    put("lines", LINE "\n");
    bomb("zeros.gz", 128, 0);
    text_member("zeros.gz", LINE "\n");
    char *was = world_read(path_of("zeros.gz"), &n);
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.left, 1);
    CHECK_UINT(report.quarantine, 1);
    holds("lines", REDACTED "\n", strlen(REDACTED) + 1);
    CHECK_INT(plog_scrub_say_left(&report, &err), PLOG_E_IO);
    CHECK_TEXT(err.file, "quarantine/zeros.gz");
    CHECK(strstr(err.message, "expands to more than 64 times") != NULL);
    CHECK(strstr(err.hint, "move it out of DIR, or expand it") == err.hint);
    char *now = world_read(path_of("zeros.gz"), &now_n);
    CHECK(n == now_n && memcmp(was, now, n) == 0);
    free(was);
    free(now);
    start(true); /* up to there it is searched */
    bomb("lines.gz", 48, '\n');
    text_member("lines.gz", LINE "\n");
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.left, 0);
    CHECK_UINT(report.quarantine, 1);
}

/* One that is too long to be told is told by its end. */
static void long_paths(void)
{
    char path[400] = "", name[123] = "/";
    start(true);
    memset(name + 1, 'n', sizeof name - 2);
    for (int i = 0; i < 2; i++) {
        strcat(path, name);
        CHECK_INT(mkdir(path_of(path), 0700), 0);
    }
    strcat(path, "/a-bomb");
    bomb(path, 128, 0);
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.left, 1);
    CHECK_INT(plog_scrub_say_left(&report, &err), PLOG_E_IO);
    CHECK(strncmp(err.file, "quarantine/.../n", 16) == 0);
    CHECK(strcmp(err.file + strlen(err.file) - 8, "n/a-bomb") == 0);
    CHECK(strncmp(err.message, "quarantine/.../a-bomb was not searched: it"
                  " expands", 50) == 0);
}

/* A segment of the log may come to what its rules say, whatever is in it. */
static void as_long_as_a_segment(void)
{
    segment_size = 48 << 20;
    start(true);
    bomb("segment.gz", 128, 'A');
    text_member("segment.gz", "\n" LINE "\n");
    CHECK_INT(scrub(), 0);
    segment_size = 0;
    CHECK_UINT(report.left, 0);
    CHECK_UINT(report.quarantine, 1);
}

/* However small they are, none is read twice. */
static void small_members(void)
{
    char text[20];
    start(true);
    for (int i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, "line %d\n", i);
        text_member("many.gz", text);
    }
    text_member("many.gz", LINE "\n");
    CHECK_INT(scrub(), 0);
    CHECK_UINT(report.left, 0);
    CHECK_UINT(report.quarantine, 1);
}

/* ---- Many ----------------------------------------------------------------- */

/* Each of many targets is found, by its seq as by its salt. */
static void many_targets(void)
{
    enum { MANY = 500 };
    static struct plog_scrub_target t[MANY];
    static char redacted[MANY][200], text[MANY * 300], want[MANY * 300];
    char line[300];
    size_t n = 0, m = 0;
    start(true);
    for (int i = 0; i < MANY; i++) {
        t[i].seq = (uint64_t)(3 * i + 2);
        snprintf(redacted[i], sizeof redacted[i],
                 "{\"seq\":%d,\"resource\":\"r\",\"record_id\":\"%d\",\"op\":"
                 "\"upsert\",\"redacted\":1}",
                 3 * i + 2, i);
        t[i].redacted = plog_span_text(redacted[i]);
        snprintf(line, sizeof line, "{\"seq\":%d,\"any\":%d}", 3 * i + 2, i);
        plog_hash_leaf(line, strlen(line), t[i].leaf);
        /* The first half is that of others, too. */
        snprintf(t[i].salt, sizeof t[i].salt, "%012dsalt%08d", i / 5, i * 7);
        if (i % 3 == 0)
            snprintf(line, sizeof line, "damaged %s damaged", t[i].salt);
        n += (size_t)sprintf(text + n, "%s\nother %d\n", line, i);
        m += (size_t)sprintf(want + m, "%s\nother %d\n", redacted[i], i);
    }
    for (int i = 0; i < MANY; i++) { /* between them */
        n += (size_t)sprintf(text + n, "{\"seq\":%d,\"any\":1}\n", 3 * i + 1);
        m += (size_t)sprintf(want + m, "{\"seq\":%d,\"any\":1}\n", 3 * i + 1);
    }
    put("lines", text);
    CHECK_INT(scrub_for(t, MANY), 0);
    holds("lines", want, m);
    CHECK_UINT(report.quarantine, 1);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"neighbours", neighbours},
        {"a folder for scratch", a_folder_for_scratch},
        {"long paths", long_paths},
        {"long names", long_names},
        {"members", members},
        {"with text", with_text},
        {"damaged heads", damaged_heads},
        {"heads across pieces", heads_across_pieces},
        {"behind damage", behind_damage},
        {"in a WAL", in_a_wal},
        {"of another log", of_another_log},
        {"across pieces", across_pieces},
        {"packed database", packed_database},
        {"bombs", bombs},
        {"as long as a segment", as_long_as_a_segment},
        {"small members", small_members},
        {"many targets", many_targets},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
