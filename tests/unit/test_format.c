/*
 * test_format.c - everything that writes a text writes all of it, or says that
 * there was no room and leaves what was there.
 *
 * A formatter is a row of appends, each of which may need memory.  Each is run
 * with every number of bytes left in the buffer and a heap that refuses the
 * first request behind them and grants the next: whoever goes on after the
 * refusal leaves a hole and returns 0.
 */
#include <string.h>

#include "check.h"
#include "compaction.h"
#include "heap.h"
#include "note.h"
#include "redact.h"

#define SIZE 65536

typedef int format_fn(struct plog_buf *b, const void *what);

static void in_this_room(struct heap *h, format_fn *format, const void *what,
                         const struct plog_buf *whole, size_t room, size_t nth,
                         bool undoes)
{
    struct plog_buf b;
    plog_buf_init(&b, &h->io);
    heap_fail(h, 0, false);
    CHECK_INT(plog_buf_reserve(&b, SIZE), 0);
    memset(b.data, '.', b.cap);
    size_t before = b.len = b.cap - room;
    heap_fail(h, nth, false);
    int rc = format(&b, what);
    CHECK_INT(rc, heap_failed(h) ? PLOG_E_NOMEM : 0);
    CHECK(b.data[before - 1] == '.');
    if (rc == 0)
        CHECK_BYTES(b.data + before, b.len - before, whole->data, whole->len);
    CHECK(rc == 0 || !undoes || b.len == before);
    plog_buf_fini(&b);
}

/* @undoes  what it had appended is gone when it fails */
static void in_every_room(format_fn *format, const void *what,
                          const char *expected, bool undoes)
{
    struct heap h;
    struct plog_buf whole;
    heap_init(&h);
    plog_buf_init(&whole, &h.io);
    CHECK_INT(format(&whole, what), 0);
    if (expected)
        CHECK_BYTES(whole.data, whole.len, expected, strlen(expected));
    REQUIRE(whole.len > 0 && whole.len < SIZE);
    for (size_t room = 0; room <= whole.len; room++)
        for (size_t nth = 1; nth <= 3; nth++)
            in_this_room(&h, format, what, &whole, room, nth, undoes);
    plog_buf_fini(&whole);
    CHECK_UINT(h.live, 0);
}

/* ---- Arguments of control entries --------------------------------------- */

static int strategy(struct plog_buf *b, const void *what)
{
    return plog_strategy_args_format(b, *(const enum plog_strategy *)what);
}

static int init(struct plog_buf *b, const void *what)
{
    return plog_init_args_format(b, what);
}

static int cursor(struct plog_buf *b, const void *what)
{
    return plog_cursor_args_format(b, what);
}

static int peer_add(struct plog_buf *b, const void *what)
{
    return plog_peer_args_format(b, PLOG_CONTROL_PEER_ADD, what);
}

static int peer_evict(struct plog_buf *b, const void *what)
{
    return plog_peer_args_format(b, PLOG_CONTROL_PEER_EVICT, what);
}

static int peer_rewind(struct plog_buf *b, const void *what)
{
    return plog_peer_args_format(b, PLOG_CONTROL_PEER_REWIND, what);
}

static void arguments(void)
{
    static const enum plog_strategy merge = PLOG_MERGE_JSON;
    static const struct plog_init_args rules = {PLOG_LAST_WRITE_WINS, 1000, 77};
    static const struct plog_cursor c = {{"s\"", 2}, {"r", 1}, {"c", 1}};
    static const struct plog_peer_args p = {{"p", 1}, 12, {"lost", 4}};
    in_every_room(strategy, &merge, "{\"strategy\":\"merge-json\"}", false);
    in_every_room(init, &rules,
                  "{\"strategy\":\"last-write-wins\",\"max_line\":1000,"
                  "\"segment_size\":77}",
                  false);
    in_every_room(cursor, &c,
                  "{\"source\":\"s\\\"\",\"resource\":\"r\",\"cursor\":\"c\"}",
                  false);
    in_every_room(peer_add, &p, "{\"name\":\"p\"}", false);
    in_every_room(peer_evict, &p,
                  "{\"name\":\"p\",\"seq\":12,\"reason\":\"lost\"}", false);
    in_every_room(peer_rewind, &p, "{\"name\":\"p\",\"seq\":12}", false);
}

/* ---- Rotations, orders, compactions ------------------------------------- */

static struct plog_signer old_signer, new_signer;
static unsigned char root[PLOG_HASH_SIZE];

static void make_signers(void)
{
    const struct plog_io *io = plog_io_posix();
    CHECK_INT(plog_signer_generate(&old_signer, io, "old.example", NULL), 0);
    CHECK_INT(plog_signer_generate(&new_signer, io, "new.example", NULL), 0);
}

static int rotation(struct plog_buf *b, const void *what)
{
    return plog_rotation_make(b, *(const uint64_t *)what, root, &old_signer,
                              &new_signer);
}

static int restored(struct plog_buf *b, const void *what)
{
    return plog_restore_make(b, *(const uint64_t *)what, root, &old_signer.vkey,
                             &new_signer);
}

static int order(struct plog_buf *b, const void *what)
{
    return plog_order_format(b, what, plog_span_text("a \"reason\""));
}

static int compaction(struct plog_buf *b, const void *what)
{
    return plog_compaction_format(b, what);
}

static int kept_rotation(struct plog_buf *b, const void *what)
{
    return plog_compaction_add_rotation(b, what);
}

static void keys_and_floors(void)
{
    static const uint64_t size = 12;
    struct plog_order o = {.seq = 3, .at = 9};
    struct plog_compaction c = {.from = 0,
                                .to = 7,
                                .archive = true,
                                .has_snapshot = true,
                                .rules = {PLOG_ARRIVAL, 10, 20},
                                .peers = {"[]", 2},
                                .rotations = {"[]", 2}};
    struct plog_entry e = {
        .seq = 5, .control = PLOG_CONTROL_ROTATE, .args = {"{\"a\":1}", 7}};
    make_signers();
    in_every_room(rotation, &size, NULL, false);
    in_every_room(restored, &size, NULL, false);
    in_every_room(order, &o, NULL, false);
    in_every_room(compaction, &c, NULL, false);
    c.to = 0;
    c.from = 7;
    c.has_snapshot = c.archive = false;
    in_every_room(compaction, &c, NULL, false);
    in_every_room(kept_rotation, &e, "{\"seq\":5,\"rotate\":{\"a\":1}}", false);
    e.control = PLOG_CONTROL_RESTORE;
    in_every_room(kept_rotation, &e, "{\"seq\":5,\"restore\":{\"a\":1}}",
                  false);
    plog_signer_fini(&old_signer);
    plog_signer_fini(&new_signer);
}

/* A signer without a secret signs nothing, nor does one with another's. */
static void no_secret(void)
{
    static const uint64_t size = 12, beyond = UINT64_MAX;
    struct heap h;
    struct plog_buf b;
    heap_init(&h);
    plog_buf_init(&b, &h.io);
    make_signers();
    unsigned char *mine = old_signer.secret, *other = new_signer.secret;
    new_signer.secret = NULL;
    CHECK_INT(rotation(&b, &size), PLOG_E_KEY);
    CHECK_INT(restored(&b, &size), PLOG_E_KEY);
    new_signer.secret = mine;
    CHECK_INT(rotation(&b, &size), PLOG_E_KEY);
    CHECK_INT(restored(&b, &size), PLOG_E_KEY);
    new_signer.secret = other;
    old_signer.secret = NULL;
    CHECK_INT(rotation(&b, &size), PLOG_E_KEY);
    old_signer.secret = other;
    CHECK_INT(rotation(&b, &size), PLOG_E_KEY);
    old_signer.secret = mine;
    CHECK_INT(rotation(&b, &beyond), PLOG_E_ARG);
    CHECK_INT(restored(&b, &beyond), PLOG_E_ARG);
    CHECK_UINT(b.len, 0);
    CHECK_UINT(h.live, 0);
    plog_signer_fini(&old_signer);
    plog_signer_fini(&new_signer);
}

/* ---- Lines --------------------------------------------------------------- */

static int entry(struct plog_buf *b, const void *what)
{
    size_t at = 0;
    int rc = plog_entry_format(b, what, &at);
    CHECK(rc || at > 10);
    return rc;
}

static int redacted(struct plog_buf *b, const void *what)
{
    return plog_redacted_format(b, what, root);
}

static int control(struct plog_buf *b, const void *what)
{
    return plog_control_format(b, 7, PLOG_CONTROL_STRATEGY,
                               plog_span_text("{}"), plog_span_text(what));
}

static int commit(struct plog_buf *b, const void *what)
{
    return plog_commit_format(b, what);
}

struct header {
    struct plog_tree tree;
    struct plog_commit last;
};

static int header(struct plog_buf *b, const void *what)
{
    const struct header *h = what;
    return plog_header_format(b, "a.example/b", &h->tree, &h->last);
}

static struct plog_span raw(const char *text)
{
    return plog_span_text(text);
}

static void lines(void)
{
    struct plog_entry e = {.seq = 42,
                           .from = raw("other.example/x"),
                           .from_seq = 7,
                           .skipped = true,
                           .merged = raw("{\"m\":1}"),
                           .salt = raw("AAAA"),
                           .logged_at = raw("2026-01-02T03:04:05.000000Z")};
    e.delta = (struct plog_delta){.id = raw("\"i\""),
                                  .resource = raw("\"r\""),
                                  .record_id = raw("\"1\""),
                                  .op = raw("\"upsert\""),
                                  .payload = raw("{}"),
                                  .occurred_at = raw("\"t\""),
                                  .provenance = raw("{\"p\":1}"),
                                  .meta = raw("[0]")};
    in_every_room(
        entry, &e,
        "{\"seq\":42,\"id\":\"i\",\"from\":{\"origin\":\"other.example/x\","
        "\"seq\":7},\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","
        "\"payload\":{},\"occurred_at\":\"t\",\"provenance\":{\"p\":1},"
        "\"meta\":[0],\"outcome\":\"skipped\",\"merged\":{\"m\":1},"
        "\"salt\":\"AAAA\",\"logged_at\":\"2026-01-02T03:04:05.000000Z\"}",
        true);
    in_every_room(redacted, &e, NULL, true);
    in_every_room(control, "2026-01-02T03:04:05.000000Z",
                  "{\"seq\":7,\"control\":\"strategy\",\"args\":{},"
                  "\"logged_at\":\"2026-01-02T03:04:05.000000Z\"}",
                  true);
}

static void commits_and_headers(void)
{
    struct header h;
    memset(&h, 0, sizeof h);
    plog_tree_init(&h.tree);
    in_every_room(header, &h,
                  "{\"segment\":{\"format\":1,\"origin\":\"a.example/b\","
                  "\"first\":1,\"tree\":[],\"checkpoint\":null}}",
                  true);
    for (int i = 0; i < 7; i++)
        CHECK_INT(plog_tree_add(&h.tree, root), 0);
    h.last.size = 7;
    strcpy(h.last.key, "01234567");
    plog_tree_root(&h.tree, h.last.root);
    in_every_room(header, &h, NULL, true);
    in_every_room(commit, &h.last, NULL, true);
}

/* ---- Notes --------------------------------------------------------------- */

static int note(struct plog_buf *b, const void *what)
{
    const struct plog_commit *c = what;
    static const unsigned char id[4] = {1, 2, 3, 4};
    return plog_note_format(b, "a.example/b", c->size, c->root, id, c->sig);
}

static int checkpoint_text(struct plog_buf *b, const char *origin,
                           uint64_t size, const unsigned char *r)
{
    char text[PLOG_CHECKPOINT_TEXT_MAX];
    size_t n = plog_checkpoint_write(text, origin, size, r);
    return n ? plog_buf_add(b, text, n) : PLOG_E_ARG;
}

static int checkpoint(struct plog_buf *b, const void *what)
{
    const struct plog_commit *c = what;
    return checkpoint_text(b, "a.example/b", c->size, c->root);
}

static void notes(void)
{
    struct plog_commit c = {.size = 9};
    strcpy(c.key, "01234567");
    in_every_room(note, &c, NULL, true);
    in_every_room(checkpoint, &c,
                  "a.example/b\n9\n"
                  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
                  true);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"arguments", arguments},
        {"keys and floors", keys_and_floors},
        {"no secret", no_secret},
        {"lines", lines},
        {"commits and headers", commits_and_headers},
        {"notes", notes},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
