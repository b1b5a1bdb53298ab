/*
 * segment.c - any bytes as the only segment of a log.
 *
 * Of a log whose key is out of reach, nothing is ever taken but the groups
 * that it has, each at its place: a changed file is at most a shorter one.
 * Of a log that is signed anew behind every change, whatever is taken has the
 * numbers, the times, the root and the signature that it must have, the root
 * computed by the definition of RFC 6962.
 */
#include <stdio.h>

#include "fuzz_log.h"
#include "ram.h"
#include "redact.h"
#include "walk.h"

#define FILE_1 "/d/log/00000000000000000001.jsonl"
#define FILE_5 "/d/log/00000000000000000005.jsonl"
#define LEAVES 512

static struct ram ram;
static struct plog_dir dir;
static struct plog_keyring ring;
static struct plog_signer closed, open, next; /* of the first: used once */
static struct fuzz_log original[2], work;
static struct plog_entry_parser parser;

static void set_up(void)
{
    if (ram.io.open_at)
        return;
    ram_init(&ram);
    fuzz_signer(&closed, "example.org/closed", 7);
    fuzz_signer(&open, "example.org/open", 8);
    fuzz_signer(&next, "example.org/open", 9);
    ring.keys[0] = closed.vkey;
    ring.keys[1] = open.vkey;
    ring.count = 2;
    fuzz_log_init(&original[0], &closed);
    fuzz_log_fill(&original[0]);
    fuzz_log_init(&original[1], &closed);
    fuzz_log_fill(&original[1]);
    fuzz_log_header(&original[1]);
    for (int i = 0; i < 2; i++) {
        char line[300];
        int n = snprintf(
            line, sizeof line,
            "{\"seq\":%d,\"control\":\"peer-add\",\"args\":{\"name\":\"p%d\"},"
            "\"logged_at\":\"2026-01-02T03:04:05.678901Z\"}",
            5 + i, i);
        fuzz_log_line(&original[1], plog_span(line, (size_t)n));
        fuzz_log_commit(&original[1]);
    }
    plog_signer_fini(&closed); /* nobody signs for it any more */
    fuzz_log_init(&work, &open);
    plog_entry_parser_init(&parser, fuzz_memory());
}

/* ---- The closed log ----------------------------------------------------- */

static bool has_commit(const struct plog_commit *c)
{
    struct plog_buf line;
    bool has = false;
    plog_buf_init(&line, fuzz_memory());
    MUST(!plog_commit_format(&line, c));
    for (int i = 0; i < 2; i++)
        has |= memmem(original[i].text.data, original[i].text.len, line.data,
                      line.len) != NULL;
    plog_buf_fini(&line);
    return has;
}

static void check_closed(const struct plog_log_group *g, struct plog_span file,
                         uint64_t first)
{
    struct plog_span own = fuzz_span(&original[first == 5].text);
    MUST(has_commit(&g->commit));
    if (!g->root_checked)
        return; /* behind damage: its lines are not vouched for */
    MUST(first == 1 || first == 5);
    MUST(g->end <= own.n && memcmp(own.p, file.p, (size_t)g->end) == 0);
}

/* ---- The open log ------------------------------------------------------- */

static unsigned char leaves[LEAVES][PLOG_HASH_SIZE];

/* MTH of RFC 6962, 2.1, as it stands there. */
static void tree_hash(size_t from, size_t n, unsigned char *out)
{
    unsigned char right[PLOG_HASH_SIZE];
    size_t k = 1;
    if (n == 1) {
        memcpy(out, leaves[from], PLOG_HASH_SIZE);
        return;
    }
    while (k * 2 < n)
        k *= 2;
    tree_hash(from, k, out);
    tree_hash(from + k, n - k, right);
    plog_hash_node(out, right, out);
}

static void check_open(const struct plog_walk *w,
                       const struct plog_log_group *g, const char *origin)
{
    unsigned char root[PLOG_HASH_SIZE];
    struct plog_entry e;
    MUST(fuzz_is_ours(&open, origin, g->commit.size, g->commit.root,
                      g->commit.sig) ||
         fuzz_is_ours(&next, origin, g->commit.size, g->commit.root,
                      g->commit.sig));
    MUST(g->count > 0 && g->size == g->first + g->count - 1 &&
         g->commit.size == g->size);
    for (size_t i = 0; i < g->count; i++) {
        struct plog_span line = plog_scan_text(&w->scan, i);
        MUST(!plog_entry_parse(&parser, line, &e, NULL));
        MUST(e.seq == g->first + i && (e.logged_at.n > 0) == (i == 0));
        MUST((e.seq == 1) == (e.control == PLOG_CONTROL_INIT));
        if (e.seq > LEAVES)
            return;
        plog_line_leaf(line, leaves[e.seq - 1]);
    }
    if (!g->root_checked || w->first != 1)
        return;
    tree_hash(0, (size_t)g->size, root);
    MUST(memcmp(root, g->commit.root, sizeof root) == 0);
}

/* ---- One file ----------------------------------------------------------- */

static int next_group(struct plog_walk *w, struct plog_log_group *g,
                      struct plog_span file, uint64_t *end)
{
    struct plog_error err = {0};
    int rc = plog_walk_next(w, g, &err);
    if (rc) {
        MUST(rc == PLOG_END || (rc < 0 && err.code == rc));
        MUST(rc == PLOG_END || fuzz_is_message(err.message, 512));
        MUST(!err.has_offset || err.offset <= file.n);
        return rc;
    }
    MUST(g->begin >= *end && g->end > g->begin && g->end <= file.n);
    *end = g->end;
    const char *origin = w->chain.origin;
    if (!strcmp(origin, closed.vkey.name))
        check_closed(g, file, w->first);
    else {
        MUST(!strcmp(origin, open.vkey.name));
        check_open(w, g, origin);
    }
    return 0;
}

/* Returns whether it was clean to its end. */
static bool read_all(struct plog_walk *w, struct plog_span file)
{
    struct plog_log_group g;
    uint64_t end = 0, from, to;
    int rc = 0;
    while (!rc)
        rc = next_group(w, &g, file, &end);
    bool clean = rc == PLOG_END;
    for (uint64_t i = end; rc == PLOG_END && end && i < file.n; i++)
        MUST(file.p[i] == '\n'); /* padding */
    for (int tries = 0; rc < 0 && tries < 64; tries++) {
        if (w->torn || plog_walk_resync(w, &from, &to, NULL))
            break;
        do
            rc = next_group(w, &g, file, &end);
        while (!rc);
    }
    return clean;
}

static bool check(const uint8_t *data, size_t size)
{
    static const char five[] = "\"first\":5,";
    struct plog_span file = plog_span((const char *)data, size);
    struct plog_error err = {0};
    struct plog_walk w;
    bool clean = false;
    bool later = memmem(file.p, size < 128 ? size : 128, five, sizeof five - 1);
    ram_remove(&ram, later ? FILE_1 : FILE_5);
    ram_put(&ram, later ? FILE_5 : FILE_1, data, size);
    if (!dir.io)
        MUST(!plog_dir_open(&dir, &ram.io, "/d", PLOG_DIR_READ, true, &err));
    int rc = plog_walk_open(&w, &dir, &ring, &err);
    MUST(rc == 0);
    rc = later ? plog_walk_start_segment(&w, 5, &err)
               : plog_walk_start(&w, &err);
    MUST(rc == 0 || (rc < 0 && err.code == rc));
    if (!rc)
        clean = read_all(&w, file);
    plog_walk_close(&w);
    return clean;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool checked;
    set_up();
    if (!checked) { /* a reader that takes nothing would pass all the rest */
        for (int i = 0; i < 2; i++)
            MUST(check((const uint8_t *)original[i].text.data,
                       original[i].text.len));
        fuzz_log_clear(&work, &open);
        fuzz_log_fill(&work);
        MUST(check((const uint8_t *)work.text.data, work.text.len));
    }
    checked = true;
    check(data, size);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed)
{
    uint64_t random = seed;
    size_t kind = fuzz_below(&random, 16);
    struct plog_buf *text = &work.text;
    set_up();
    if (kind < 3)
        return LLVMFuzzerMutate(data, size, max);
    if (kind < 6) /* not signed anew */
        return fuzz_mutate_lines((char *)data, size, max, &random);
    if (kind == 6) {
        text = &original[fuzz_below(&random, 2)].text;
    } else if (kind == 7) {
        fuzz_log_clear(&work, &open);
        fuzz_log_fill(&work);
    } else {
        size = fuzz_mutate_lines((char *)data, size, max, &random);
        fuzz_log_resign(&work, plog_span((char *)data, size), &open, &next,
                        &random);
    }
    if (text->len > max)
        return size;
    memcpy(data, text->data, text->len);
    return text->len;
}
