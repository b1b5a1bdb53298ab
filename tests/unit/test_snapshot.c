/*
 * test_snapshot.c - snapshots that somebody with the key has made wrong: their
 * digest fits, and what they hold does not.
 *
 * A real one is taken apart, changed in one place and compressed again; reading
 * it from its first line to its last must end in PLOG_E_CORRUPT with the words
 * for that place, unless the change is allowed.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "files.h"
#include "paritylog_recovery.h"
#include "peers.h"
#include "reader.h"
#include "snapshot.h"
#include "world.h"

#define TEXT (1u << 20)
#define LONGEST_LINE (17u << 20) /* there is no longer one */

static struct world w;
static uint64_t floor_at;
static char path[600];
static char whole[TEXT]; /* the snapshot's text */

/* ---- A log with everything in its snapshot ------------------------------- */

static void put(const char *record, const char *op, const char *payload,
                int minute)
{
    char text[500], time[40], id[16];
    snprintf(time, sizeof time, "2026-01-02T03:%02d:05Z", minute);
    snprintf(id, sizeof id, "i%d", minute);
    struct world_delta d = {
        .id = id, .record = record, .op = op, .payload = payload, .time = time};
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, NULL),
              0);
}

static void read_whole(void)
{
    gzFile gz = gzopen(path, "rb");
    REQUIRE(gz != NULL);
    int n = gzread(gz, whole, TEXT - 1);
    CHECK(n > 0);
    whole[n > 0 ? n : 0] = '\0';
    gzclose(gz);
}

static void make(void)
{
    struct plog_cursor c = {{"src", 3}, {"*", 1}, {"page 7", 6}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    struct plog_redact_options why = {.struct_size = sizeof why,
                                      .reason = "a test"};
    struct plog_redact_report redacted;
    struct plog_compact_options o = {.struct_size = sizeof o};
    struct plog_compact_report r = {.to = 0};
    uint64_t first;
    char name[PLOG_SNAPSHOT_NAME];
    if (floor_at)
        return;
    world_make(&w, PLOG_MERGE_JSON, 0);
    put("1", "upsert", "{\"a\":1}", 1);
    put("1", "upsert", "{\"b\":2}", 2); /* merged with what was there */
    put("2", "upsert", "{\"c\":3}", 3);
    put("3", "upsert", "{\"d\":3}", 4);
    put("3", "delete", "null", 5);
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    world_close(&w);
    CHECK_INT(plog_redact(w.dir, 4, &why, &redacted, NULL), 0);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    put("4", "upsert", "{}", 6);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", first - 1), 0);
    CHECK_INT(plog_compact(w.dir, &o, &r, NULL), 0);
    floor_at = r.to;
    plog_snapshot_name(floor_at, name);
    snprintf(path, sizeof path, "%s/" PLOG_SNAPSHOT_DIR "/%s", w.dir, name);
    read_whole();
}

/* ---- Reading a changed one ------------------------------------------------
 */

static void write_text(const char *text, size_t n)
{
    unlink(path);
    gzFile gz = gzopen(path, "wb");
    REQUIRE(gz != NULL);
    CHECK(n == 0 || gzwrite(gz, text, (unsigned)n) == (int)n);
    CHECK_INT(gzclose(gz), Z_OK);
}

/* Up to the end or to what is wrong. */
static int read_text(const char *text, size_t n, bool ids_only,
                     struct plog_error *err)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    struct plog_dir d;
    struct plog_snapshot s;
    struct plog_snapshot_item item;
    struct plog_span line;
    crypto_hash_sha256(digest, (const unsigned char *)text, n);
    write_text(text, n);
    int rc =
        plog_dir_open(&d, plog_io_posix(), w.dir, PLOG_DIR_READ, false, NULL);
    CHECK_INT(rc, 0);
    rc = plog_snapshot_open(&s, &d, floor_at, digest, err);
    while (!rc)
        rc = ids_only ? plog_snapshot_next_id(&s, &line, err)
                      : plog_snapshot_next(&s, &item, err);
    plog_snapshot_close(&s);
    plog_dir_close(&d);
    return rc;
}

static uint64_t odd_line; /* where the last one is odd */

static void must_be_odd(const char *text, size_t n, const char *words)
{
    struct plog_error err = {.code = 0};
    CHECK_INT(read_text(text, n, false, &err), PLOG_E_CORRUPT);
    if (!CHECK(strstr(err.message, words) != NULL))
        printf("# %s\n", err.message);
    CHECK(strstr(err.file, PLOG_SNAPSHOT_DIR "/") != NULL);
    CHECK_TEXT(err.hint, "run: paritylog compact DIR (makes it anew from"
                         " archive/), or copy it from a backup");
    odd_line = err.line;
}

/* `whole` with `what`, behind `where`, replaced. */
static char *changed(const char *where, const char *what, const char *by)
{
    char *out = malloc(TEXT + 1000);
    const char *at = strstr(whole, where);
    if (!CHECK(out && at))
        exit(1);
    at = strstr(at, what);
    if (!CHECK(at != NULL)) {
        printf("# no %s behind %s\n", what, where);
        exit(1);
    }
    snprintf(out, TEXT + 1000, "%.*s%s%s", (int)(at - whole), whole, by,
             at + strlen(what));
    return out;
}

struct change {
    const char *where, *what, *by, *words;
};

static void changes(const struct change *all, size_t count)
{
    make();
    for (size_t i = 0; i < count; i++) {
        char *text = changed(all[i].where, all[i].what, all[i].by);
        uint64_t line = 1;
        for (size_t at = 0; text[at] && text[at] == whole[at]; at++)
            line += text[at] == '\n';
        must_be_odd(text, strlen(text), all[i].words);
        if (!CHECK(odd_line == line || odd_line == line + 1))
            printf("# line %" PRIu64 " for %" PRIu64 "\n", odd_line, line);
        free(text);
    }
}

/* ---- Cases ----------------------------------------------------------------
 */

static void as_it_is(void)
{
    struct plog_error err = {.code = 0};
    make();
    printf("%s", getenv("CHECK_TELL") ? whole : "");
    CHECK_INT(read_text(whole, strlen(whole), false, &err), PLOG_END);
    CHECK_INT(read_text(whole, strlen(whole), true, &err), PLOG_END);
}

static void another_beginning(void)
{
    static const struct change all[] = {
        {"{\"snap", "\"snapshot\"", "\"snapshut\"", "does not begin as one"},
        {"{\"snap", "\"snapshot\"", "\"snap\"", "does not begin as one"},
        {"{\"snap", "\"snapshot\"", "\"\"", "does not begin as one"},
        {"{\"snap", "\"floor\"", "\"flo\"", "does not begin as one"},
        {"{\"snap", "\"snapshot\":{", "\"snapshot\":[{", "does not begin"},
        {"{\"snap", "\"format\":1", "\"format\":2", "does not begin as one"},
        {"{\"snap", "\"format\":1", "\"format\":\"1\"", "does not begin"},
        {"{\"snap", "\"floor\":", "\"floor\":1", "does not begin as one"},
        {"{\"snap", "\"floor\":", "\"floor\":-", "does not begin as one"},
        {"{\"snap", "\"floor\"", "\"flour\"", "does not begin as one"},
        {"{\"snap", "\"max_line\":", "\"max_line\":-", "does not begin"},
        {"{\"snap", "\"segment_size\":", "\"segment_size\":-", "not begin"},
        {"{\"snap", "\"redactions\":", "\"redactions\":-", "does not begin"},
        {"{\"snap", "\"merge-json\"", "1", "does not begin as one"},
        {"{\"snap", "\"merge-json\"", "\"merge-jsan\"", "names no strategy"},
        {"{\"snap", "\"merge-json\"", "\"a-name-of-more-than-thirty-bytes\"",
         "does not begin as one"},
        {"{\"snap", "}}", ",\"more\":1}}", "does not begin as one"},
        {"{\"segment\"", "{\"segment\"", "{\"sigment\"", "has another header"},
        {"{\"segment\"", "\"first\":", "\"first\":1", "has another header"},
    };
    changes(all, sizeof all / sizeof *all);
    must_be_odd(whole, 0, "does not begin as one");
    CHECK_UINT(odd_line, 0);
    must_be_odd("\n", 1, "does not begin as one");
    CHECK_UINT(odd_line, 1);
    must_be_odd(whole, 10, "ends inside a line");
    CHECK_UINT(odd_line, 0);
    const char *lf = strchr(whole, '\n');
    must_be_odd(whole, (size_t)(lf + 1 - whole), "has another header");
    CHECK_UINT(odd_line, 1);
}

static void another_item(void)
{
    static const struct change all[] = {
        {"\n{\"control\"", "\n{\"control\"", "\n{\"cuntrol\"", "none of it"},
        {"\n{\"control\"", "\n{\"control\"", "\n{control", "none of it"},
        {"\n{\"control\"", "\n{\"control\"", "\n\n{\"control\"", "none of it"},
        {"\n{\"control\"", "{\"seq\"", "{\"sec\"",
         "control entry that is none"},
        {"\n{\"control\"", "{\"seq\":", "{\"seq\":-", "is none"},
        {"\n{\"control\"", "{\"seq\":", "{\"seq\":\"1\",\"x\":", "is none"},
        {"\n{\"control\"", "\n{\"seq\":", "\n{\"sec\":", "is none of it"},
        {"\n{\"control\"", "\n{\"seq\":", "\n{\"seq\":99", "is none of it"},
        {"\n{\"record\"", "{\"resource\"", "{\"resaurce\"", "record that is"},
        {"\n{\"record\"", "\"resource\":\"r\"", "\"resource\":1",
         "record that"},
        {"\n{\"record\"",
         "\"record_id\":", "\"record_id\":[],\"x\":", "record"},
        {"\n{\"record\"", "\"seq\":", "\"seq\":[],\"x\":", "record that is"},
        {"\n{\"record\"", "\"last\":", "\"last\":[],\"x\":", "record that is"},
        {"\n{\"record\"", "\"last\":", "\"last\":\"1\",\"x\":", "record that"},
        {"\n{\"record\"", "\"version\":", "\"version\":\"\",\"x\":", "record"},
        {"\n{\"record\"", "\"resource\":\"r\"", "\"resource\":\"s\"",
         "another one's entry"},
        {"\n{\"record\"", "\"resource\":\"r\"", "\"resource\":\"rs\"",
         "another one's entry"},
        {"\n{\"record\"", "\"record_id\":\"", "\"record_id\":\"9",
         "another one's entry"},
        {"\n{\"record\"", "\"seq\":", "\"seq\":1", "another one's entry"},
        {"\n{\"record\"", "\"seq\":", "\"seq\":-", "record that is none"},
        {"\n{\"record\"", "\"last\":", "\"last\":-", "record that is none"},
        {"\n{\"record\"", "\"version\":", "\"version\":-", "record that"},
        {"\n{\"cursor\"", "\"seq\":", "\"seq\":-", "cursor that is none"},
        {"\n{\"peer\"", "\"added\":", "\"added\":-", "peer that is none"},
        {"\n{\"id\"", "\"seq\":", "\"seq\":-", "id that is none"},
        {"\n{\"id\"", "\"id\":\"", "\"id\":1,\"x\":\"", "id that is none"},
        {"\n{\"id\"", "\"leaf\":\"", "\"leaf\":1,\"x\":\"", "id that is"},
        {"\n{\"cursor\"", "\"source\":\"src\"", "\"source\":1", "cursor that"},
        {"\n{\"cursor\"", "\"cursor\":\"page 7\"", "\"cursor\":[]", "cursor"},
        {"\n{\"cursor\"", "\"seq\":", "\"seq\":\"\",\"x\":", "cursor that is"},
        {"\n{\"cursor\"", "\"seq\":", "\"sec\":", "cursor that is none"},
        {"\n{\"cursor\"", "\"seq\":", "\"se\":", "cursor that is none"},
        {"\n{\"peer\"", "\"name\":\"p\"", "\"name\":1", "peer that is none"},
        {"\n{\"peer\"", "\"added\":", "\"added\":\"\",\"x\":", "peer that is"},
        {"\n{\"peer\"", "\"added\":", "\"added\":null,\"x\":", "peer that is"},
        {"\n{\"peer\"", "{\"name\"", "[{\"name\"", "none of it"},
        {"\n{\"redaction\"", "\"seq\":", "\"seq\":\"\",\"x\":", "redaction"},
        {"\n{\"redaction\"", "\"target\":", "\"torget\":", "redaction that"},
        {"\n{\"redaction\"", "\"target\":4", "\"target\":\"4\"", "redaction"},
        {"\n{\"redaction\"", "\"seq\":8", "\"seq\":\"8\"", "redaction that"},
        {"\n{\"id\"", "\"seq\":", "\"seq\":\"\",\"x\":", "id that is none"},
        {"\n{\"id\"", "\"seq\":", "\"sec\":", "id that is none"},
        {"\n{\"id\"", "\"id\":\"", "\"id\":\"A", "id that is none"},
        {"\n{\"id\"", "\"leaf\":\"", "\"leaf\":\"A", "id that is none"},
        {"\n{\"id\"", "\"content\":\"", "\"content\":\"A", "id that is none"},
        {"\n{\"id\"", "\"content\":\"", "\"content\":1,\"x\":\"", "id that is"},
        /* one member more */
        {"\n{\"control\"", "}}", ",\"x\":1}}", "control entry that is none"},
        {"\n{\"record\"", "}}", ",\"x\":1}}", "record that is none"},
        {"\n{\"cursor\"", "}}", ",\"x\":1}}", "cursor that is none"},
        {"\n{\"peer\"", "}}", ",\"x\":1}}", "peer that is none"},
        {"\n{\"redaction\"", "}}", ",\"x\":1}}", "redaction that is none"},
        {"\n{\"id\"", "}}", ",\"x\":1}}", "id that is none"},
    };
    changes(all, sizeof all / sizeof *all);
}

/* One line more, before the cursor. */
static void a_line_more(void)
{
    static const char *const kinds[] = {"control", "record",    "cursor",
                                        "peer",    "redaction", "id"};
    static const char *const values[] = {"1", "{}", "{\"seq\":1,\"x\":1}",
                                         "{\"id\":1,\"leaf\":1}"};
    static const struct {
        const char *line, *words;
    } all[] = {
        {"{\"a\":1}", "none of it"},
        {"{}", "none of it"},
        {"{\"id\":{\"seq\":1,\"id\":1,\"leaf\":\"\",\"content\":null}}",
         "id that is none"},
        {"{\"id\":{\"seq\":1,\"id\":\"AA==\",\"leaf\":1,\"content\":null}}",
         "id that is none"},
        /* A record that stands on no entry has no line of it. */
        {"{\"record\":{\"resource\":\"r\",\"record_id\":\"z\",\"seq\":0,"
         "\"last\":2,\"version\":0,\"merged\":false}}",
         NULL},
        {"{\"record\":{\"resource\":\"r\",\"record_id\":\"z\",\"seq\":0,"
         "\"last\":2,\"version\":0,\"merged\":true}}\n{}",
         NULL},
        {"{\"record\":{\"resource\":\"r\",\"record_id\":\"z\",\"seq\":2,"
         "\"last\":2,\"version\":1,\"merged\":false}}\nINIT",
         "another one's entry"},
        {"{\"record\":{\"resource\":\"r\",\"record_id\":\"z\",\"seq\":1,"
         "\"last\":2,\"version\":1,\"merged\":false}}\nINIT",
         "another one's entry"},
    };
    char line[600], more[700], init[300];
    make();
    const char *first = strstr(whole, "\n{\"seq\":1,");
    REQUIRE(first != NULL);
    snprintf(init, sizeof init, "%.*s", (int)strcspn(first + 1, "\n"),
             first + 1);
    for (int i = 0; i < 24; i++) {
        snprintf(line, sizeof line, "{\"%s\":%s}", kinds[i / 4], values[i % 4]);
        snprintf(more, sizeof more, "\n%s\n{\"cursor\"", line);
        char *text = changed("\n{\"cursor\"", "\n{\"cursor\"", more);
        must_be_odd(text, strlen(text), i == 2 ? "is none" : "that is none");
        CHECK_INT(read_text(text, strlen(text), true, NULL), PLOG_E_CORRUPT);
        free(text);
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_error err = {.code = 0};
        const char *at = strstr(all[i].line, "INIT");
        snprintf(line, sizeof line, "%.*s%s",
                 at ? (int)(at - all[i].line) : 500, all[i].line,
                 at ? init : "");
        snprintf(more, sizeof more, "\n%s\n{\"cursor\"", line);
        char *text = changed("\n{\"cursor\"", "\n{\"cursor\"", more);
        if (all[i].words)
            must_be_odd(text, strlen(text), all[i].words);
        else
            CHECK_INT(read_text(text, strlen(text), false, &err), PLOG_END);
        free(text);
    }
}

/* The header must be that of the segment behind this floor. */
static void the_header_of_another(void)
{
    char origin[300], by[500];
    make();
    const char *header = strstr(whole, "\n{\"segment\"");
    REQUIRE(header != NULL);
    const char *name = strstr(header, "\"origin\":\"") + 10;
    snprintf(origin, sizeof origin, "%.*s", (int)strcspn(name, "\""), name);
    snprintf(by, sizeof by,
             "\n{\"segment\":{\"format\":1,\"origin\":\"%s\",\"first\":1,"
             "\"tree\":[],\"checkpoint\":null}}",
             origin);
    size_t n = strcspn(header + 1, "\n") + 1;
    char *text = malloc(TEXT + 1000);
    REQUIRE(text != NULL);
    snprintf(text, TEXT + 1000, "%.*s%s%s", (int)(header - whole), whole, by,
             header + n);
    must_be_odd(text, strlen(text), "has another header");
    free(text);
}

/* In the middle of the line behind another one. */
static void cut_in_a_second_line(void)
{
    static const char *const at[] = {"\n{\"seq\":1,", "\n{\"a\":1,\"b\":2}"};
    make();
    for (int i = 0; i < 2; i++) {
        const char *line = strstr(whole, at[i]);
        REQUIRE(line != NULL);
        must_be_odd(whole, (size_t)(line - whole) + 5, "ends inside a line");
    }
}

static void a_line_too_long(void)
{
    size_t n = LONGEST_LINE + (1u << 20);
    char *text = malloc(n);
    make();
    REQUIRE(text != NULL);
    memset(text, 'a', n);
    must_be_odd(text, n, "has a line that is too long");
    free(text);
}

/* Cut behind any line: what needs a second line says so, the rest ends. */
static void cut_anywhere(void)
{
    unsigned ends = 0, odd = 0;
    make();
    for (const char *at = whole; *at; at++) {
        struct plog_error err = {.code = 0};
        size_t n = (size_t)(at - whole);
        if (at != whole && at[-1] != '\n')
            continue;
        int rc = read_text(whole, n, false, &err);
        CHECK(rc == PLOG_END || rc == PLOG_E_CORRUPT);
        ends += rc == PLOG_END;
        odd += rc == PLOG_E_CORRUPT;
        if (rc == PLOG_E_CORRUPT && at > strstr(whole, "\n{\"control\""))
            CHECK(strstr(err.message, "lacks an entry") ||
                  strstr(err.message, "lacks a payload"));
    }
    CHECK(ends > 5 && odd > 5);
    struct plog_error err = {.code = 0};
    size_t n = strlen(whole);
    CHECK_INT(read_text(whole, n - 1, false, &err), PLOG_E_CORRUPT);
    CHECK(strstr(err.message, "ends inside a line") != NULL);
    CHECK_INT(read_text(whole, n - 1, true, &err), PLOG_E_CORRUPT);
}

/* A payload that a merge left is a line of its own, and never empty. */
static void an_empty_payload(void)
{
    make();
    const char *merged = strstr(whole, "\n{\"a\":1,\"b\":2}\n");
    REQUIRE(merged != NULL);
    char *text = changed("\n{\"a\":1,\"b\":2}\n", "{\"a\":1,\"b\":2}", "");
    must_be_odd(text, strlen(text), "lacks a payload");
    free(text);
}

/* What is no file, no gzip, or another text than was signed. */
static void another_file(void)
{
    struct plog_dir d;
    struct plog_snapshot s;
    struct plog_error err = {.code = 0};
    unsigned char digest[crypto_hash_sha256_BYTES];
    make();
    crypto_hash_sha256(digest, (const unsigned char *)whole, strlen(whole));
    CHECK_INT(
        plog_dir_open(&d, plog_io_posix(), w.dir, PLOG_DIR_READ, false, NULL),
        0);
    for (int i = 0; i < 5; i++) {
        static const char *const words[] = {
            "is not the one", "is not gzip", "is missing",
            "is not a regular file", "is not a regular file"};
        char other[620];
        snprintf(other, sizeof other, "%s.other", path);
        unlink(path);
        if (i == 0)
            write_text("{}\n", 3);
        if (i == 1)
            world_write(path, "text", 4);
        if (i == 3)
            CHECK_INT(mkfifo(path, 0600), 0);
        if (i == 4) {
            write_text(whole, strlen(whole));
            CHECK_INT(link(path, other), 0);
        }
        CHECK_INT(plog_snapshot_open(&s, &d, floor_at, digest, &err),
                  i == 2 ? PLOG_E_PRUNED : PLOG_E_CORRUPT);
        if (!CHECK(strstr(err.message, words[i]) != NULL))
            printf("# %s\n", err.message);
        plog_snapshot_close(&s);
        unlink(other);
    }
    write_text(whole, strlen(whole));
    CHECK_INT(plog_snapshot_open(&s, &d, floor_at, digest, &err), 0);
    plog_snapshot_close(&s);
    plog_snapshot_close(&s); /* twice does no harm */
    plog_dir_close(&d);
}

/* ---- What comes back --------------------------------------------------------
 */

static int see_redaction(void *arg, const struct plog_redaction *r)
{
    unsigned *seen = arg;
    *seen += r->seq == 4 && !r->pending;
    return 0;
}

/* A store made from it has all that counts on, and nothing else. */
static void all_of_it(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report r;
    struct plog_span cursor;
    struct world_found f;
    plog_reader *reader = NULL;
    unsigned seen = 0;
    make();
    write_text(whole, strlen(whole));
    CHECK(strstr(whole, "{\"control\":{\"seq\":1}}\n{\"seq\":1,") != NULL);
    CHECK(strstr(whole, "\"control\":\"init\"") != NULL);
    CHECK(strstr(whole, "\"control\":\"redact\"") == NULL);
    CHECK(strstr(whole, "\"control\":\"peer-add\"") == NULL);
    CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
    CHECK_UINT(r.base, floor_at);
    CHECK_INT(plog_reader_open(&reader, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_cursor(reader, plog_span("src", 3), plog_span("*", 1),
                                 &cursor, NULL),
              0);
    CHECK_BYTES(cursor.p, cursor.n, "page 7", 6);
    plog_reader_close(reader);
    CHECK_INT(plog_redactions(w.dir, NULL, see_redaction, &seen, NULL), 0);
    CHECK_UINT(seen, 1);
    CHECK_TEXT(world_record(&w, "1"), "{\"a\":1,\"b\":2} v2");
    CHECK_TEXT(world_record(&w, "3"), "deleted v2");
    CHECK_INT(world_parity(&w, NULL, &f), 0);
}

/* Compacts all of another log that is open, but one entry; the text of its
 * snapshot is in `whole`. */
static uint64_t compact_other(struct world *other, bool trim)
{
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .trim_store = trim};
    struct plog_compact_report r = {.to = 0};
    uint64_t first;
    char name[PLOG_SNAPSHOT_NAME], kept[sizeof path];
    world_close(other);
    CHECK_INT(peers_add(other, "p"), 0);
    CHECK_INT(world_open(other), 0);
    CHECK_INT(plog_new_segment(other->p, &first, NULL), 0);
    CHECK_INT(world_put(other, "last", "1", "v", NULL), 0);
    world_close(other);
    CHECK_INT(peers_ack(other, "p", first - 1), 0);
    CHECK_INT(plog_compact(other->dir, &o, &r, NULL), 0);
    CHECK_UINT(r.to, first - 1);
    memcpy(kept, path, sizeof kept);
    plog_snapshot_name(r.to, name);
    snprintf(path, sizeof path, "%s/" PLOG_SNAPSHOT_DIR "/%s", other->dir,
             name);
    read_whole();
    memcpy(path, kept, sizeof kept);
    return r.to;
}

static int skips_all(void *arg, const struct plog_record *current,
                     const struct plog_delta_view *delta,
                     struct plog_span *merged)
{
    (void)arg, (void)current, (void)delta, (void)merged;
    return 0;
}

/* Its record has a place, and stands on no entry. */
static void a_record_never_applied(void)
{
    struct world other;
    world_make(&other, PLOG_CUSTOM, 0);
    other.options.custom = skips_all;
    CHECK_INT(world_open(&other), 0);
    CHECK_INT(world_put(&other, "a", "1", "v", NULL), 0);
    CHECK_INT(world_put(&other, "b", "2", "v", NULL), 0);
    compact_other(&other, false);
    CHECK(strstr(whole, "\"record_id\":\"2\",\"seq\":0,\"last\":3,"
                        "\"version\":0,\"merged\":false}}\n{") != NULL);
    CHECK_TEXT(world_record(&other, "2"), "none");
    world_end(&other, 6);
    floor_at = 0; /* `whole` is another one's */
}

/* The restore entry of a copy holds its key: without it nothing verifies. */
static void a_copy_that_went_on(void)
{
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .continue_as = "test.example/copy"};
    struct plog_restore_report r;
    struct world other;
    char copy[600];
    world_make(&other, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&other, "a", "1", "v", NULL), 0);
    world_close(&other);
    snprintf(copy, sizeof copy, "%.500s-copy", other.dir);
    CHECK_INT(plog_restore(other.dir, copy, &o, &r, NULL), 0);
    snprintf(other.dir, sizeof other.dir, "%.500s", copy);
    CHECK_INT(world_open(&other), 0);
    CHECK_INT(plog_set_strategy(other.p, PLOG_MERGE_JSON, NULL, NULL), 0);
    compact_other(&other, false);
    CHECK(strstr(whole, "\"control\":\"restore\"") != NULL);
    CHECK(strstr(whole, "\"control\":\"strategy\"") != NULL);
    CHECK(strstr(whole, "\"control\":\"init\"") != NULL);
    world_end(&other, 7);
    floor_at = 0;
}

/* ---- Writing one ------------------------------------------------------------
 */

/* Writes what the store of `other` holds; the digest of it is checked there. */
static int write_one(const struct world *other, uint64_t *ids,
                     struct plog_error *err)
{
    struct plog_reader r;
    struct plog_store_head head;
    struct plog_snapshot_written out;
    CHECK_INT(plog_reader_open_log(&r, plog_io_posix(), other->dir, NULL, NULL),
              0);
    CHECK_INT(plog_reader_open_store(&r, 0, NULL), 0);
    CHECK_INT(plog_store_get_head(&r.store, &head, NULL), 0);
    int rc = plog_snapshot_write(&r.dir, &r.store, &head, NULL, NULL, NULL,
                                 &out, err);
    *ids = out.ids;
    if (!rc)
        CHECK(out.bytes > 100);
    plog_reader_fini(&r);
    return rc;
}

/* Of a store without the events of ids: their hashes are in a table. */
static void old_ids(void)
{
    struct world other;
    uint64_t ids;
    world_make(&other, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&other, "a", "1", "v", NULL), 0);
    CHECK_INT(world_put(&other, "b", "1", "v", NULL), 0);
    compact_other(&other, true);
    CHECK_INT(world_number(&other, "SELECT count(*) FROM old_ids"), 2);
    CHECK_INT(write_one(&other, &ids, NULL), 0);
    CHECK_UINT(ids, 3);
    floor_at = 0;
}

/* A record that stands on an event that is not there is no record. */
static void no_event(void)
{
    struct plog_error err = {.code = 0};
    struct world other;
    uint64_t ids;
    char made[700];
    world_make(&other, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&other, "a", "1", "v", NULL), 0);
    CHECK_INT(world_put(&other, "b", "2", "v", NULL), 0);
    world_close(&other);
    world_sql(&other, "DELETE FROM events WHERE seq=2");
    CHECK_INT(write_one(&other, &ids, &err), PLOG_E_DIVERGED);
    CHECK_TEXT(err.message, "store.db: no event 2, on which a record stands");
    snprintf(made, sizeof made, "%.500s/" PLOG_SNAPSHOT_DIR, other.dir);
    CHECK_INT(rmdir(made), 0); /* nothing is in it */
}

/* ---- No memory --------------------------------------------------------------
 */

#define ROOM 1024 /* that a line is refused, the first one that needs it */

static void *no_room(void *ctx, void *p, size_t n)
{
    return n == ROOM ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

/* Writes one where the line at hand may not come to more than half of ROOM. */
static int write_small(const struct world *other)
{
    struct plog_io io = *plog_io_posix();
    struct plog_reader r;
    struct plog_store_head head;
    struct plog_snapshot_written out;
    struct plog_error err = {.code = 0};
    io.alloc = no_room;
    CHECK_INT(plog_reader_open_log(&r, plog_io_posix(), other->dir, NULL, NULL),
              0);
    CHECK_INT(plog_reader_open_store(&r, 0, NULL), 0);
    CHECK_INT(plog_store_get_head(&r.store, &head, NULL), 0);
    r.dir.io = &io;
    int rc = plog_snapshot_write(&r.dir, &r.store, &head, NULL, NULL, NULL,
                                 &out, &err);
    r.dir.io = plog_io_posix();
    CHECK_INT(err.code, rc);
    plog_reader_fini(&r);
    return rc;
}

/* Each line ends wherever it may for want of room, with its member; no part of
 * a file stays. */
static void no_memory(void)
{
    static const char *const texts[] = {
        "UPDATE state SET record_id=printf('%%0*d',%d,1)",
        "UPDATE cursors SET cursor=printf('%%0*d',%d,1)",
        "UPDATE peers SET name=printf('%%0*d',%d,1)",
        "UPDATE cursors SET source=printf('%%0*d',%d,1)",
        "UPDATE state SET resource=printf('%%0*d',%d,1)"};
    struct plog_cursor c = {{"src", 3}, {"*", 1}, {"page 7", 6}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    struct world other, kept;
    char sql[200], made[700];
    world_make(&other, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&other, NULL, "1", "v", NULL), 0);
    CHECK_INT(plog_append_group(other.p, &g, NULL, NULL), 0);
    world_close(&other);
    CHECK_INT(peers_add(&other, "p"), 0);
    kept = other;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        unsigned refused = 0;
        snprintf(other.dir, sizeof other.dir, "%.400s-%zu", kept.dir, i);
        world_copy(kept.dir, other.dir);
        snprintf(made, sizeof made, "%.500s/" PLOG_SNAPSHOT_DIR, other.dir);
        for (int n = 400; n < 512; n += 3) {
            snprintf(sql, sizeof sql, texts[i], n);
            world_sql(&other, sql);
            int rc = write_small(&other);
            CHECK(rc == 0 || rc == PLOG_E_NOMEM);
            refused += rc != 0;
            CHECK(rc == 0 || rmdir(made) == 0);
            if (rc == 0)
                tree_remove(made);
        }
        CHECK(refused > 3);
    }
}

/* ---- The entry that signs it ------------------------------------------------
 */

/* A trimmed store needs its snapshot, and the entry that says which. */
static void another_entry(void)
{
    static const struct {
        const char *sql;
        int code;
        const char *words;
    } all[] = {
        {"SELECT 1", 0, ""},
        {"DELETE FROM compactions", PLOG_E_BEHIND, "before the compact entry"},
        {"UPDATE compactions SET seq=seq-1", PLOG_E_DIVERGED,
         "no compact entry sets its floor"},
        {"UPDATE compactions SET seq=99", PLOG_E_DIVERGED,
         "no compact entry sets its floor"},
        {"UPDATE compactions SET floor=2;UPDATE meta SET floor=2",
         PLOG_E_DIVERGED, "no compact entry sets its floor"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_rebuild_options o = {.struct_size = sizeof o,
                                         .dry_run = true};
        struct plog_rebuild_report r;
        struct plog_error err = {.code = 0};
        struct world other;
        world_make(&other, PLOG_ARRIVAL, 0);
        CHECK_INT(world_put(&other, "a", "1", "v", NULL), 0);
        compact_other(&other, true);
        world_sql(&other, all[i].sql);
        if (!CHECK_INT(plog_rebuild_log(other.dir, "-", &o, &r, &err),
                       all[i].code) ||
            !CHECK(strstr(err.message, all[i].words) != NULL))
            printf("# %zu: %s\n", i, err.message);
        if (i == 0) {
            CHECK_INT(r.verdict, 0);
            world_remove(world_path(&other, PLOG_SNAPSHOT_DIR));
            CHECK_INT(plog_rebuild_log(other.dir, "-", &o, &r, &err),
                      PLOG_E_PRUNED);
        }
        world_remove(other.dir);
    }
    floor_at = 0;
}

static void names(void)
{
    uint64_t floor = 0;
    CHECK(plog_snapshot_parse("00000000000000000042.jsonl.gz", &floor));
    CHECK_UINT(floor, 42);
    CHECK(!plog_snapshot_parse("00000000000000000042.jsonl", &floor));
    CHECK(!plog_snapshot_parse("00000000000000000042.jsonl.gx", &floor));
    CHECK(!plog_snapshot_parse("0000000000000000004x.jsonl.gz", &floor));
    CHECK(!plog_snapshot_parse("90000000000000000042.jsonl.gz", &floor));
    CHECK(!plog_snapshot_parse("000000000000000000042.jsonl.gz", &floor));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"as it is", as_it_is},
        {"another beginning", another_beginning},
        {"another item", another_item},
        {"a line more", a_line_more},
        {"the header of another", the_header_of_another},
        {"cut in a second line", cut_in_a_second_line},
        {"a line too long", a_line_too_long},
        {"cut anywhere", cut_anywhere},
        {"an empty payload", an_empty_payload},
        {"another file", another_file},
        {"all of it", all_of_it},
        {"a record never applied", a_record_never_applied},
        {"a copy that went on", a_copy_that_went_on},
        {"old ids", old_ids},
        {"no event", no_event},
        {"no memory", no_memory},
        {"another entry", another_entry},
        {"names", names},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
