/*
 * test_parity_redact.c - an order to redact that makes no sense, rightly
 * signed, in the log and in the store: it takes somebody with the key.  Both
 * legs have the same line, which proves it true and no more: it is told to make
 * no sense, and nothing is read out of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "legs.h"
#include "world.h"

static struct world w;

/* ---- Such a log ---------------------------------------------------------- */

/* One entry more, with its commit.  Returns the length of the entry. */
static size_t sign(struct plog_buf *text, struct plog_store_head *head,
                   const struct plog_signer *s, enum plog_control control,
                   const char *args)
{
    struct plog_commit c = {.size = ++head->commit.size};
    unsigned char leaf[PLOG_HASH_SIZE];
    size_t from = text->len, n;
    CHECK_INT(
        plog_control_format(text, c.size, control, plog_span_text(args),
                            plog_span_text("2026-02-03T04:05:06.000000Z")),
        0);
    n = text->len - from;
    plog_hash_leaf(text->data + from, n, leaf);
    CHECK_INT(plog_tree_add(&head->tree, leaf), 0);
    plog_tree_root(&head->tree, c.root);
    memcpy(c.key, s->vkey.id_text, sizeof c.key);
    CHECK_INT(plog_signer_sign(s, s->vkey.name, c.size, c.root, c.sig), 0);
    CHECK_INT(plog_buf_add_char(text, '\n'), 0);
    CHECK_INT(plog_commit_format(text, &c), 0);
    CHECK_INT(plog_buf_add_char(text, '\n'), 0);
    return n;
}

/* The order, and behind it an entry that nothing is wrong with.  Returns the
 * length of the order. */
static size_t sign_both(struct plog_buf *text, const char *order)
{
    struct plog_options o = {.struct_size = sizeof o};
    struct plog_legs l;
    struct plog_signer s;
    struct plog_store_head head;
    CHECK_INT(
        plog_legs_open(&l, plog_io_posix(), w.dir, PLOG_DIR_WRITE, &o, NULL),
        0);
    CHECK_INT(plog_legs_open_store(&l, false, NULL), 0);
    CHECK_INT(plog_store_get_head(&l.store, &head, NULL), 0);
    CHECK_INT(plog_signer_load(&s, plog_io_posix(), l.dir.keys, NULL, NULL), 0);
    plog_legs_close(&l);
    size_t n = sign(text, &head, &s, PLOG_CONTROL_REDACT, order);
    sign(text, &head, &s, PLOG_CONTROL_STRATEGY, "{\"strategy\":\"arrival\"}");
    plog_signer_fini(&s);
    return n;
}

/* In the place of the padding. */
static void add_to_the_log(const struct plog_buf *text)
{
    const char *path = world_path(&w, "log/00000000000000000001.jsonl");
    size_t n;
    char *log = world_read(path, &n);
    while (n > 1 && log[n - 2] == '\n')
        n--;
    char *more = realloc(log, n + text->len);
    REQUIRE(more != NULL);
    memcpy(more + n, text->data, text->len);
    world_write(path, more, n + text->len);
    free(more);
}

static void make(const char *order)
{
    struct plog_buf text;
    char sql[900];
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
    world_close(&w);
    plog_buf_init(&text, plog_io_posix());
    size_t line = sign_both(&text, order);
    add_to_the_log(&text);
    snprintf(sql, sizeof sql, "INSERT INTO events(seq,line) VALUES(3,'%.*s')",
             (int)line, text.data);
    world_sql(&w, sql);
    plog_buf_fini(&text);
}

/* ---- Cases --------------------------------------------------------------- */

static char found[4][200];
static unsigned count;

static int on_finding(void *arg, const struct plog_finding *f)
{
    (void)arg;
    if (count < 4)
        snprintf(found[count], sizeof found[count], "%s in %s: %.150s",
                 plog_code_word(f->verdict), plog_leg_name(f->leg), f->found);
    count++;
    return 0;
}

#define HASH "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""

static void makes_no_sense(void)
{
    static const char *const all[] = {
        "{\"seq\":3,\"leaf\":" HASH ",\"line\":" HASH ",\"reason\":\"r\"}",
        "{\"seq\":0,\"leaf\":" HASH ",\"line\":" HASH ",\"reason\":\"r\"}",
        "{\"seq\":2,\"leaf\":" HASH ",\"line\":" HASH ",\"reason\":\"\"}",
        "{\"seq\":2,\"leaf\":\"\",\"line\":" HASH ",\"reason\":\"r\"}",
        "{\"seq\":2}",
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_check_options o = {.struct_size = sizeof o,
                                       .finding = on_finding};
        struct plog_check_report r;
        make(all[i]);
        count = 0;
        memset(found, 0, sizeof found);
        CHECK_INT(plog_parity(w.dir, &o, &r, NULL), 0);
        CHECK_INT(r.verdict, PLOG_E_CORRUPT);
        CHECK_UINT(r.counts[-PLOG_E_DIVERGED], 0);
        CHECK_UINT(count, 2);
        CHECK_TEXT(found[0], "CORRUPT in log: control `redact` makes no sense");
        CHECK_TEXT(found[1], "CORRUPT in store: a redact entry makes no sense");
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"makes no sense", makes_no_sense},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
