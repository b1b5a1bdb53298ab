/*
 * test_spans.c - texts of the log that have one spelling, changed everywhere:
 * what is taken says, written anew, the same bytes, and says nothing that
 * stood in the text before it; and nothing behind a text is read.
 *
 * Each text lies at the end of what can be read, so that one byte more is a
 * crash.  Before a changed one the right one is read, for what is left of it
 * in memory to be what a careless reader takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "at_end.h"
#include "check.h"
#include "line.h"
#include "note.h"
#include "sketch.h"

static struct plog_json json;
static struct plog_entry_parser parser;
static struct plog_buf again;

static void set_up(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    plog_json_init(&json, plog_io_posix());
    plog_entry_parser_init(&parser, plog_io_posix());
    plog_buf_init(&again, plog_io_posix());
}

/* ---- Readers ------------------------------------------------------------- */

/* Reads the text, and writes what it says into `again`; unless all that counts
 * is what it leaves behind in memory. */
typedef int reader(struct plog_span text);
static bool only_read;

static int read_commit(struct plog_span text)
{
    struct plog_commit c;
    int rc = plog_commit_parse(text, &c);
    if (!rc && !only_read)
        CHECK_INT(plog_commit_format(&again, &c), 0);
    return rc;
}

static int read_header(struct plog_span text)
{
    static struct plog_segment_header h;
    int rc = plog_header_parse(&json, text, &h);
    if (!rc && !only_read)
        CHECK_INT(plog_header_format(&again, h.origin, &h.tree, &h.last), 0);
    return rc;
}

static int read_note(struct plog_span text)
{
    struct plog_note n;
    int rc = plog_note_parse(text, &n);
    if (!rc && !only_read)
        CHECK_INT(
            plog_note_format(&again, n.origin, n.size, n.root, n.key_id, n.sig),
            0);
    return rc;
}

static int read_vkey(struct plog_span text)
{
    struct plog_vkey k;
    char out[PLOG_VKEY_MAX];
    int rc = plog_vkey_parse(text, &k);
    if (!rc && !only_read) {
        plog_vkey_format(&k, out);
        CHECK_INT(plog_buf_add_text(&again, out), 0);
    }
    return rc;
}

static int read_entry(struct plog_span text)
{
    struct plog_entry e;
    struct plog_error err = {0};
    size_t at;
    int rc = plog_entry_parse(&parser, text, &e, &err);
    if (only_read)
        return rc;
    /* a delta that nobody may give is damage where it stands */
    CHECK(err.code == rc || err.code == PLOG_E_INPUT);
    if (rc)
        return rc;
    CHECK_INT(e.control ? plog_control_format(&again, e.seq, e.control, e.args,
                                              e.logged_at)
                        : plog_entry_format(&again, &e, &at),
              0);
    return 0;
}

/* ---- Changes ------------------------------------------------------------- */

struct changing {
    reader *read;
    const char *text;
    size_t n;
    int codes[2];   /* that a refusal may have; 0: none */
    unsigned taken; /* of the changed ones */
};

static void try_one(struct changing *c, const char *changed, size_t n)
{
    if (n == c->n && memcmp(changed, c->text, n) == 0)
        return;
    struct plog_span good = plog_span(c->text, c->n), bad = at_end(changed, n);
    again.len = 0;
    only_read = true;
    c->read(good);
    only_read = false;
    int rc = c->read(bad);
    bool fits;
    if (rc == 0) {
        fits = CHECK_BYTES(again.data, again.len, bad.p, bad.n);
        c->taken++;
    } else {
        fits = CHECK(rc == c->codes[0] || rc == c->codes[1]);
    }
    if (!fits)
        printf("# %d: %.*s\n", rc, (int)bad.n, bad.p);
}

/* Every part of it left out, and stood there twice. */
static void parts(struct changing *c)
{
    static char changed[AT_END_ROOM];
    for (size_t from = 0; from < c->n; from++)
        for (size_t to = from + 1; to <= c->n && !check_failing(); to++) {
            memcpy(changed, c->text, from);
            memcpy(changed + from, c->text + to, c->n - to);
            try_one(c, changed, c->n - (to - from));
            if (to - from > 24)
                continue;
            memcpy(changed, c->text, to);
            memcpy(changed + to, c->text + from, c->n - from);
            try_one(c, changed, c->n + (to - from));
        }
}

/* Every byte another one. */
static void bytes(struct changing *c)
{
    static const char by[] = "0129afAFgZ{}[]\",:\\ +-./=\n\t\r\x01\x7f\x80\xc3";
    static char changed[AT_END_ROOM];
    for (size_t at = 0; at < c->n; at++)
        for (size_t i = 0; i < sizeof by && !check_failing(); i++) {
            memcpy(changed, c->text, c->n);
            changed[at] = by[i];
            try_one(c, changed, c->n);
            memcpy(changed + at + 1, c->text + at, c->n - at);
            try_one(c, changed, c->n + 1);
        }
}

static unsigned change(reader *read, const char *text, size_t n, int code,
                       int other)
{
    struct changing c = {
        .read = read, .text = text, .n = n, .codes = {code, other}};
    again.len = 0;
    CHECK_INT(read(at_end(text, n)), 0);
    CHECK_BYTES(again.data, again.len, text, n);
    parts(&c);
    bytes(&c);
    return c.taken;
}

/* ---- The texts ----------------------------------------------------------- */

static struct plog_tree tree;
static struct plog_commit last;

static void make(void)
{
    unsigned char leaf[PLOG_HASH_SIZE] = {1};
    set_up();
    memset(&last, 0, sizeof last);
    plog_tree_init(&tree);
    for (int i = 0; i < 3; i++)
        CHECK_INT(plog_tree_add(&tree, leaf), 0);
    last.size = 3;
    strcpy(last.key, "0123cdef");
    memset(last.sig, 0x5a, sizeof last.sig);
    plog_tree_root(&tree, last.root);
}

/* The text that was just written. */
static char *kept(size_t *n)
{
    char *text = malloc(again.len + 1);
    if (!text)
        abort();
    memcpy(text, again.data, again.len);
    text[again.len] = '\0';
    *n = again.len;
    again.len = 0;
    return text;
}

static void commits(void)
{
    size_t n;
    make();
    CHECK_INT(plog_commit_format(&again, &last), 0);
    char *text = kept(&n);
    CHECK(change(read_commit, text, n, PLOG_E_CORRUPT, 0) > 100);
    free(text);
}

static void headers(void)
{
    size_t n;
    make();
    CHECK_INT(plog_header_format(&again, "a.b", &tree, &last), 0);
    char *text = kept(&n);
    /* its signature and its key are the commit's business */
    CHECK(change(read_header, text, n, PLOG_E_CORRUPT, PLOG_E_FORMAT) > 100);
    free(text);
}

static void put(const char *text)
{
    CHECK_INT(plog_buf_add_text(&again, text), 0);
}

static char thousand[1000];

/* A header with an origin of `n` bytes, so many hashes, and no note. */
static char *odd_header(size_t n, unsigned hashes, size_t *len)
{
    again.len = 0;
    put("{\"segment\":{\"format\":1,\"origin\":\"");
    for (; n >= 1000; n -= 1000)
        CHECK_INT(plog_buf_add(&again, thousand, 1000), 0);
    while (n--)
        put("a");
    put("\",\"first\":8,\"tree\":[");
    for (unsigned i = 0; i < hashes; i++) {
        put(i ? ",\"" : "\"");
        CHECK_INT(plog_buf_add_base64(&again, last.root, PLOG_HASH_SIZE), 0);
        put("\"");
    }
    put("],\"checkpoint\":null}}");
    return kept(len);
}

/* More than there is room for; and no note where there has to be one. */
static void odd_headers(void)
{
    static struct plog_segment_header h;
    static const struct {
        size_t origin;
        unsigned hashes;
    } all[] = {
        {3, 3},  {PLOG_ORIGIN_MAX, 3}, {PLOG_ORIGIN_MAX + 1, 3}, {9000000, 3},
        {3, 65}, {3, 300000}};
    static const char later[] =
        "{\"segment\":{\"format\":2,\"of\":\"another kind\"}}";
    make();
    memset(thousand, 'a', sizeof thousand);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        size_t n;
        char *text = odd_header(all[i].origin, all[i].hashes, &n);
        CHECK_INT(plog_header_parse(&json, plog_span(text, n), &h),
                  PLOG_E_CORRUPT);
        free(text);
    }
    CHECK_INT(plog_header_parse(&json, plog_span_text(later), &h),
              PLOG_E_FORMAT);
}

static void notes(void)
{
    size_t n;
    unsigned char id[4] = {1, 2, 3, 4};
    make();
    CHECK_INT(plog_note_format(&again, "a.b", 71, last.root, id, last.sig), 0);
    char *text = kept(&n);
    CHECK(change(read_note, text, n, PLOG_E_INPUT, 0) > 100);
    free(text);
}

static void vkeys(void)
{
    /* the generator, as any point a key */
    static const unsigned char point[32] = {
        0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
        0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
        0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66};
    struct plog_vkey k = {.name = "a.b"};
    char text[PLOG_VKEY_MAX];
    set_up();
    memcpy(k.public_key, point, sizeof point);
    plog_vkey_finish(&k);
    plog_vkey_format(&k, text);
    /* the id is of name and key: no other text is one */
    CHECK_UINT(change(read_vkey, text, strlen(text), PLOG_E_INPUT, 0), 0);
}

#define SOME "\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","
#define REST                                                                   \
    "\"occurred_at\":\"2026-01-02T03:04:05Z\",\"provenance\":{"                \
    "\"source\":\"s\",\"confidence\":1}"
#define SALT "\"salt\":\"AAECAwQFBgcICQoLDA0ODw==\""
#define AT "\"logged_at\":\"2026-01-02T03:04:05.000000Z\""

static void entries(void)
{
    static const char *const lines[] = {
        "{\"seq\":7," SOME "\"payload\":{}," REST "," SALT "}",
        "{\"seq\":7,\"id\":\"i\",\"from\":{\"origin\":\"a.b\",\"seq\":3}," SOME
        "\"payload\":{\"a\":[1,\"\\n\"]}," REST
        ",\"meta\":{},\"outcome\":\"skipped\",\"merged\":{}," SALT "," AT "}",
        "{\"seq\":7,\"control\":\"source-cursor\",\"args\":{\"a\":1}," AT "}",
        "{\"seq\":7,\"control\":\"restore\",\"args\":{}}",
    };
    set_up();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        CHECK(change(read_entry, lines[i], strlen(lines[i]), PLOG_E_CORRUPT,
                     PLOG_E_FORMAT) > 5);
}

/* An ordinary line that ends anywhere is none, and where it goes on nobody
 * looks. */
static void cut_lines(void)
{
    static const char *const lines[] = {
        "{\"seq\":7," SOME
        "\"payload\":{\"a\":{\"b\":[1.5e-2,{}]},\"c\":\"\\n\"}," REST "," SALT
        "}",
        "{\"seq\":7,\"id\":\"i\"," SOME "\"payload\":{}," REST
        ",\"meta\":{\"m\":true},\"outcome\":\"skipped\"," SALT "," AT "}",
    };
    struct plog_sketch k;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        for (size_t n = 0; n <= strlen(lines[i]); n++) {
            struct plog_span line = at_end(lines[i], n);
            CHECK(plog_sketch_read(line, line.p + n, &k) ==
                  (n == strlen(lines[i])));
        }
}

/* A name that is too short for a segment of the archive. */
static void short_names(void)
{
    char name[PLOG_ARCHIVE_NAME];
    plog_archive_name(7, name);
    CHECK_UINT(plog_archive_parse(at_end(name, sizeof name).p), 7);
    for (size_t n = 0; n < sizeof name - 1; n++) {
        name[n] = '\0';
        CHECK_UINT(plog_archive_parse(at_end(name, n + 1).p), 0);
        plog_archive_name(7, name);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"odd headers", odd_headers},
        {"commits", commits},
        {"headers", headers},
        {"notes", notes},
        {"vkeys", vkeys},
        {"entries", entries},
        {"cut lines", cut_lines},
        {"short names", short_names},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
