/*
 * test_line.c - commit lines and segment headers, changed in every place: what
 * is not exactly what we write is damage, and a later format is known as one.
 * Numbers that make no sense of a proof come last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "heap.h"
#include "line.h"
#include "proof.h"

#define LONGEST 4000
#define BAD PLOG_E_CORRUPT

static struct plog_json json;
static char header[LONGEST], first_header[LONGEST], commit[LONGEST];

static void keep(char *out, struct plog_buf *b)
{
    CHECK(b->len < LONGEST);
    snprintf(out, LONGEST, "%.*s", (int)b->len, b->data);
    b->len = 0;
}

static void make(void)
{
    struct plog_tree tree;
    struct plog_commit last = {.size = 0};
    struct plog_buf b;
    unsigned char leaf[PLOG_HASH_SIZE] = {1};
    plog_buf_init(&b, plog_io_posix());
    plog_tree_init(&tree);
    CHECK_INT(plog_header_format(&b, "a.example/b", &tree, &last), 0);
    keep(first_header, &b);
    for (int i = 0; i < 7; i++)
        CHECK_INT(plog_tree_add(&tree, leaf), 0);
    last.size = 7;
    strcpy(last.key, "0123cdef");
    plog_tree_root(&tree, last.root);
    CHECK_INT(plog_header_format(&b, "a.example/b", &tree, &last), 0);
    keep(header, &b);
    CHECK_INT(plog_commit_format(&b, &last), 0);
    keep(commit, &b);
    plog_buf_fini(&b);
}

struct change {
    const char *what, *by;
    int code;
};

static void replace(char *out, const char *line, const struct change *c)
{
    const char *at = strstr(line, c->what);
    if (!CHECK(at != NULL)) {
        printf("# no %s\n", c->what);
        exit(1);
    }
    CHECK(snprintf(out, LONGEST, "%.*s%s%s", (int)(at - line), line, c->by,
                   at + strlen(c->what)) < LONGEST);
}

/* ---- Commits ----------------------------------------------------------------
 */

static int parse_commit(const char *text)
{
    struct plog_commit c;
    return plog_commit_parse(plog_span_text(text), &c);
}

static void commits(void)
{
    static const struct change c[] = {
        {"{\"commit\"", "{\"comnit\"", BAD},
        {"\"size\":7", "\"size\":0", BAD},
        {"\"size\":7", "\"size\":07", BAD},
        {"\"size\":7", "\"size\":\"7\"", BAD},
        {"\"size\":7", "\"size\":", BAD},
        {"\"root\"", "\"r00t\"", BAD},
        {"\"root\":\"", "\"root\":\"A", BAD},
        {"\"root\":\"", "\"root\":\"?", BAD},
        {"\"key\"", "\"kex\"", BAD},
        {"0123cdef", "0123cde", BAD},
        {"0123cdef", "0123cdeff", BAD},
        {"0123cdef", "0123cdeg", BAD},
        {"0123cdef", "0123cdeF", BAD},
        {"0123cdef", "0123cd/f", BAD},
        {"0123cdef", "0123cd:f", BAD},
        {"0123cdef", "0123cd`f", BAD},
        {"\"sig\"", "\"sog\"", BAD},
        {"\"sig\":\"", "\"sig\":\"A", BAD},
        {"}}", "} }", BAD},
        {"}}", "}}}", BAD},
        {"}}", "}", BAD},
        {"}}", ",\"more\":1}}", BAD},
    };
    char text[LONGEST];
    make();
    CHECK_INT(parse_commit(commit), 0);
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        replace(text, commit, &c[i]);
        if (!CHECK_INT(parse_commit(text), c[i].code))
            printf("# %s\n", text);
    }
    /* Cut anywhere. */
    for (size_t n = 0; n < strlen(commit); n++) {
        struct plog_commit out;
        CHECK_INT(plog_commit_parse(plog_span(commit, n), &out), BAD);
    }
}

/* ---- Headers ----------------------------------------------------------------
 */

static int parse_header(const char *text)
{
    static struct plog_segment_header h;
    return plog_header_parse(&json, plog_span_text(text), &h);
}

static void headers(void)
{
    static const struct change c[] = {
        {"{\"segment\"", "{\"sigment\"", BAD},
        {"{\"segment\":{", "{\"segment\":[{", BAD},
        {"{\"segment\":{", "{\"segment\":7,\"x\":{", BAD},
        {"\"format\":1,", "\"format\":1},\"x\":{", BAD},
        {"\"tree\":[", "\"tree\":[77,", BAD},
        {"\"format\"", "\"farmat\"", BAD},
        {"\"format\":1", "\"format\":\"1\"", BAD},
        {"\"format\":1", "\"format\":-1", BAD},
        {"\"format\":1", "\"format\":2", PLOG_E_FORMAT},
        {"\"format\":1", "\"format\":0", PLOG_E_FORMAT},
        {"\"origin\"", "\"urigin\"", BAD},
        {"\"a.example/b\"", "7", BAD},
        {"\"a.example/b\"", "\"\"", BAD},
        {"\"a.example/b\"", "\"a b\"", BAD},
        {"\"a.example/b\"", "\"a.example\"", BAD}, /* the note has another */
        {"\"a.example/b\"", "\"\\u0061.example/b\"", BAD},
        {"\"first\":8", "\"first\":7", BAD},
        {"\"first\":8", "\"first\":9", BAD},
        {"\"first\":8", "\"first\":0", BAD},
        {"\"first\":8", "\"first\":1", BAD},
        {"\"first\":8", "\"first\":\"8\"", BAD},
        {"\"first\":8", "\"forst\":8", BAD},
        {"\"tree\":[", "\"trae\":[", BAD},
        {"\"tree\":[", "\"tree\":[7,", BAD},
        {"\"tree\":[", "\"tree\":[\"\",", BAD},
        {"\"tree\":[\"", "\"tree\":[\"A", BAD},
        {"\"checkpoint\":\"", "\"checkpoint\":7,\"x\":\"", BAD},
        {"\"checkpoint\":\"", "\"checkpoint\":null,\"x\":\"", BAD},
        {"\"checkpoint\":\"", "\"checkpoint\":\"b", BAD},
        {"\"checkpoint\"", "\"chockpoint\"", BAD},
        {"\\n7\\n", "\\n6\\n", BAD},
        {"}}", ",\"more\":1}}", BAD},
        {"}}", "},\"more\":1}", BAD},
        {"{\"segment\"", "{ \"segment\"", BAD},
        {"{\"segment\"", "[\"segment\"", BAD},
    };
    static const struct change f[] = {
        {"\"first\":1", "\"first\":2", BAD},
        {"\"tree\":[]", "\"tree\":{}", BAD},
        {"\"tree\":[]", "\"tree\":null", BAD},
        {"null", "\"\"", BAD},
        {"null", "false", BAD},
        {"\"a.example/b\"", "\"b\"", 0}, /* whoever asks for it compares */
        {"\"a.example/b\"", "\"\"", BAD},
        {"\"a.example/b\"", "\"a.example+b\"", BAD},
        {"\"a.example/b\"", "\"a.example\177b\"", BAD},
    };
    char text[LONGEST];
    make();
    CHECK_INT(parse_header(header), 0);
    CHECK_INT(parse_header(first_header), 0);
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        replace(text, header, &c[i]);
        if (!CHECK_INT(parse_header(text), c[i].code))
            printf("# %s -> %s\n", c[i].what, c[i].by);
    }
    for (size_t i = 0; i < sizeof f / sizeof *f; i++) {
        replace(text, first_header, &f[i]);
        if (!CHECK_INT(parse_header(text), f[i].code))
            printf("# %s -> %s\n", f[i].what, f[i].by);
    }
    CHECK_INT(parse_header(""), BAD);
    CHECK_INT(parse_header("{}"), BAD);
    CHECK_INT(parse_header("[]"), BAD);
    /* Behind the number of another format anything may stand. */
    CHECK_INT(parse_header("{\"segment\":{\"format\":2}}"), PLOG_E_FORMAT);
    CHECK_INT(parse_header("{\"segment\":{\"format\":2,\"origin\":7}}"),
              PLOG_E_FORMAT);
    CHECK_INT(parse_header("{\"segment\":{\"format\":2,\"name\":\"a\"},"
                           "\"more\":[]}"),
              PLOG_E_FORMAT);
    CHECK_INT(parse_header("{\"segment\":{\"format\":1}}"), BAD);
    /* A root that is not that of the hashes beside it. */
    const char *root = strstr(header, "\\n7\\n");
    snprintf(text, sizeof text, "%s", header);
    char *digit = text + (root - header) + 6;
    *digit = *digit == 'A' ? 'B' : 'A';
    CHECK_INT(parse_header(text), BAD);
}

/* More hashes than any tree has, and as many. */
static void too_many_hashes(void)
{
    static char text[LONGEST + 70 * 50];
    make();
    for (unsigned n = PLOG_TREE_HASHES - 1; n < PLOG_TREE_HASHES + 4; n++) {
        char *tree = strstr(header, "\"tree\":[") + strlen("\"tree\":[");
        char *at = text + (tree - header);
        memcpy(text, header, (size_t)(tree - header));
        for (unsigned i = 0; i < n; i++)
            at += sprintf(at,
                          "%s\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
                          i ? "," : "");
        strcpy(at, strchr(tree, ']'));
        CHECK_INT(parse_header(text), BAD);
    }
}

/* An origin of the greatest length, and one more. */
static void long_origins(void)
{
    struct plog_tree tree;
    struct plog_commit none = {.size = 0};
    struct plog_buf b;
    char origin[PLOG_ORIGIN_MAX + 2];
    plog_tree_init(&tree);
    plog_buf_init(&b, plog_io_posix());
    for (size_t n = PLOG_ORIGIN_MAX; n <= PLOG_ORIGIN_MAX + 1; n++) {
        struct plog_segment_header h;
        memset(origin, 'a', n);
        origin[n] = '\0';
        b.len = 0;
        CHECK_INT(plog_header_format(&b, origin, &tree, &none), 0);
        CHECK_INT(plog_header_parse(&json, plog_span(b.data, b.len), &h),
                  n > PLOG_ORIGIN_MAX ? BAD : 0);
    }
    plog_buf_fini(&b);
}

static void header_without_memory(void)
{
    bool failed = true;
    make();
    for (size_t n = 1; failed && n < 100; n++) {
        struct heap heap;
        struct plog_json j;
        static struct plog_segment_header h;
        heap_init(&heap);
        plog_json_init(&j, &heap.io);
        heap_fail(&heap, n, false);
        int rc = plog_header_parse(&j, plog_span_text(header), &h);
        failed = heap_failed(&heap);
        CHECK_INT(rc, failed ? PLOG_E_NOMEM : 0);
        plog_json_fini(&j);
        CHECK_UINT(heap.live, 0);
    }
    CHECK(!failed);
}

/* ---- Proofs -----------------------------------------------------------------
 */

static void senseless_proofs(void)
{
    static struct plog_proof p;
    static unsigned char h[3][PLOG_HASH_SIZE];
    uint64_t beyond = (uint64_t)INT64_MAX + 1;
    CHECK_INT(plog_proof_inclusion(&p, 0, 0), PLOG_E_ARG);
    CHECK_INT(plog_proof_inclusion(&p, 7, 7), PLOG_E_ARG);
    CHECK_INT(plog_proof_inclusion(&p, 8, 7), PLOG_E_ARG);
    CHECK_INT(plog_proof_inclusion(&p, 6, 7), 0);
    CHECK_INT(plog_proof_inclusion(&p, 6, beyond), PLOG_E_ARG);
    CHECK_INT(plog_proof_inclusion(&p, 6, beyond - 1), 0);
    CHECK_INT(plog_proof_consistency(&p, 0, 7), PLOG_E_ARG);
    CHECK_INT(plog_proof_consistency(&p, 8, 7), PLOG_E_ARG);
    CHECK_INT(plog_proof_consistency(&p, 7, 7), 0);
    CHECK_INT(plog_proof_consistency(&p, 7, beyond), PLOG_E_ARG);
    CHECK_INT(plog_proof_consistency(&p, 7, beyond - 1), 0);
    CHECK(!plog_inclusion_holds(7, 7, h[0], h, 3, h[0]));
    CHECK(!plog_inclusion_holds(0, 1, h[0], h, 1, h[0]));
    CHECK(plog_inclusion_holds(0, 1, h[0], h, 0, h[0]));
    CHECK(!plog_consistency_holds(0, 7, h[0], h[0], h, 0));
    CHECK(!plog_consistency_holds(8, 7, h[0], h[0], h, 0));
    CHECK(!plog_consistency_holds(3, 7, h[0], h[0], h, 0));
    CHECK(!plog_consistency_holds(7, 7, h[0], h[0], h, 1));
    CHECK(plog_consistency_holds(7, 7, h[0], h[0], h, 0));
    CHECK(!plog_consistency_holds(1, 2, h[0], h[0], h, 3));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"commits", commits},
        {"headers", headers},
        {"too many hashes", too_many_hashes},
        {"long origins", long_origins},
        {"header without memory", header_without_memory},
        {"senseless proofs", senseless_proofs},
    };
    plog_json_init(&json, plog_io_posix());
    int status = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    plog_json_fini(&json);
    return status;
}
