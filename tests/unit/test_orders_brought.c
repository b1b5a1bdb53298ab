/*
 * test_orders_brought.c - orders and compact entries that came along in
 * orders/: which proofs count, and what lies beside them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "orders_dir.h"
#include "peers.h"
#include "world.h"

static struct plog_io io; /* the real one, which the cases change */
static struct plog_orders o;
static struct plog_dir d;
static struct plog_keyring ring;

static void dir_begin(void)
{
    orders_dir_begin(&d, &io, &ring, &o);
}

static void dir_end(void)
{
    orders_dir_end(&d, &o);
}

static void *no_memory(void *ctx, void *p, size_t n)
{
    return n ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

static uint64_t at_of(const struct plog_compaction *c)
{
    return c ? c->at : 0;
}

static uint64_t found_at(uint64_t seq)
{
    const struct plog_known_order *list;
    size_t n;
    CHECK(plog_orders_find(&o, seq) == NULL); /* the log has none */
    if (plog_orders_brought(&o, &list, &n))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (list[i].order.seq == seq && !list[i].unknown)
            return list[i].order.at;
    return 0;
}

static struct plog_buf proof;
static struct plog_vkey signed_by;

static int take_text(void *arg, const char *text, size_t len)
{
    (void)arg;
    return plog_buf_add(&proof, text, len);
}

/* A proof of entry `seq` of the world's log. */
static void prove(const struct world *w, uint64_t seq)
{
    struct plog_prove_options p = {.struct_size = sizeof p, .out = take_text};
    proof.len = 0;
    CHECK_INT(plog_prove(w->dir, seq, &p, NULL), 0);
    CHECK(proof.len > 0);
}

/* A log with an order about entry 2 as entry 4, and an ordinary entry 3. */
static void other_log(struct world *w)
{
    struct plog_redact_report r;
    struct plog_redact_options q = {.struct_size = sizeof q, .reason = "why"};
    plog_buf_init(&proof, plog_io_posix());
    world_make(w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(w, "a", "1", "one", NULL), 0);
    CHECK_INT(world_put(w, "b", "1", "two", NULL), 0);
    CHECK_INT(plog_redact(w->dir, 2, &q, &r, NULL), 0);
    CHECK_UINT(r.order, 4);
    world_close(w);
    CHECK_INT(plog_vkey_parse(plog_span_text(w->vkey), &signed_by), 0);
}

static int orders_folder(void)
{
    CHECK_INT(mkdirat(d.dir, PLOG_ORDERS_DIR, 0700), 0);
    return openat(d.dir, PLOG_ORDERS_DIR, O_RDONLY | O_DIRECTORY);
}

static void trust(const struct plog_vkey *k)
{
    ring.keys[ring.count++] = *k;
}

static void an_order_that_came_along(void)
{
    struct world w;
    other_log(&w);
    for (int row = 0; row < 7; row++) {
        struct plog_keychain chain = {.count = 0};
        struct plog_vkey other = signed_by;
        other.public_key[3] ^= 1;
        dir_begin();
        int folder = orders_folder();
        prove(&w, row == 3 ? 3 : 4); /* 3 is no order */
        orders_dir_put(folder, row == 4 ? ".4" : "4", proof.data,
                       row == 5 ? proof.len - 9 : proof.len);
        if (row != 1)
            trust(row == 2 || row == 6 ? &other : &signed_by);
        if (row == 6) { /* the log's own key vouches, too */
            chain.keys[0] = signed_by;
            chain.count = 1;
            o.chain = &chain;
        }
        bool counts = row == 0 || row == 6;
        if (!CHECK_UINT(found_at(2), counts ? 4 : 0))
            printf("#   row %d\n", row);
        CHECK_INT(plog_orders_doubt(&o), 0);
        if (counts) { /* it is held: nothing has to meet it */
            size_t i = 0;
            REQUIRE(o.brought.len > 0);
            struct plog_known_order *k = (void *)o.brought.data;
            CHECK_INT(
                plog_orders_need(&o, 2, k->order.leaf, plog_span_text("")),
                PLOG_E_TAMPERED);
            k->needed = true;
            CHECK(plog_orders_unheld(&o, &i) == NULL);
        }
        close(folder);
        dir_end();
    }
    plog_buf_fini(&proof);
}

static unsigned reads; /* of orders/ and of the file in it */

static int counting_open(void *ctx, int dir, const char *name, int flags,
                         uint32_t mode)
{
    reads += strcmp(name, PLOG_ORDERS_DIR) == 0 || strcmp(name, "4") == 0;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Once; whose it is, is asked again with each key that the log has more. */
static void read_once(void)
{
    struct world w;
    struct plog_keychain chain = {.count = 0};
    const struct plog_known_order *list;
    size_t n;
    bool any;
    char key[PLOG_KEYID_TEXT];
    other_log(&w);
    prove(&w, 4);
    dir_begin();
    int folder = orders_folder();
    orders_dir_put(folder, "4", proof.data, proof.len);
    orders_dir_put(folder, "5", "no proof", 8);
    io.open_at = counting_open;
    reads = 0;
    o.chain = &chain;
    CHECK_UINT(found_at(2), 0);
    CHECK_INT(plog_orders_brought(&o, &list, &n), 0);
    CHECK(n == 1 && !list[0].held && list[0].unknown);
    CHECK_INT(plog_orders_unproven(&o, &any), 0);
    CHECK(any);
    for (int i = 0; i < 2; i++) { /* another key first */
        chain.keys[i] = signed_by;
        if (i == 0)
            plog_vkey_finish(memset(&chain.keys[0], 1, 1));
        chain.count++;
        CHECK_UINT(found_at(2), i ? 4 : 0);
        CHECK_INT(plog_orders_brought(&o, &list, &n), 0);
        CHECK(n == 1 && list[0].held == (i == 1));
    }
    CHECK_INT(plog_orders_unproven(&o, &any), 0);
    CHECK(!any); /* what is no proof is nobody's */
    CHECK(plog_orders_wanted(&o, key) == NULL);
    CHECK_UINT(reads, 2);
    close(folder);
    dir_end();
    plog_buf_fini(&proof);
}

/* A proof of another entry is nobody's, so no reading has to learn a key. */
static void no_order_of_ours(void)
{
    struct world w;
    bool any;
    char key[PLOG_KEYID_TEXT];
    other_log(&w);
    prove(&w, 3);
    dir_begin();
    int folder = orders_folder();
    orders_dir_put(folder, "3", proof.data, proof.len);
    CHECK_INT(plog_orders_unproven(&o, &any), 0);
    CHECK(!any && o.files.len == 0);
    prove(&w, 4);
    orders_dir_put(folder, "4", proof.data, proof.len);
    plog_orders_fini(&o);
    plog_orders_init(&o, &io, &d, &ring);
    CHECK_INT(plog_orders_unproven(&o, &any), 0);
    CHECK(any);
    const struct plog_known_order *k = (void *)o.brought.data;
    CHECK_TEXT(plog_orders_strange(&o, k->file, key), "4");
    close(folder);
    dir_end();
    plog_buf_fini(&proof);
}

/* By the key that it names, or by none. */
static void a_broken_signature(void)
{
    struct world w;
    struct plog_keychain chain = {.count = 1};
    struct plog_vkey other;
    bool any;
    other_log(&w);
    prove(&w, 4);
    char *c = proof.data + proof.len - 12; /* still of base64 */
    *c = *c == 'A' ? 'B' : 'A';
    for (int known = 0; known < 2; known++) {
        dir_begin();
        int folder = orders_folder();
        orders_dir_put(folder, "4", proof.data, proof.len);
        if (known)
            trust(&signed_by);
        CHECK_UINT(found_at(2), 0);
        CHECK_INT(plog_orders_unproven(&o, &any), 0);
        CHECK_INT(any, !known);
        close(folder);
        dir_end();
    }
    /* One id has one key: no later one is tried. */
    dir_begin();
    int folder = orders_folder();
    prove(&w, 4);
    orders_dir_put(folder, "4", proof.data, proof.len);
    other = signed_by;
    other.public_key[3] ^= 1;
    trust(&other);
    CHECK_UINT(found_at(2), 0);
    chain.keys[0] = signed_by;
    o.chain = &chain;
    CHECK_UINT(found_at(2), 0);
    close(folder);
    dir_end();
    plog_buf_fini(&proof);
}

/* Whatever lies beside it. */
static void odd_files_beside_it(void)
{
    static char large[(2 << 20) + 1];
    struct world w;
    other_log(&w);
    prove(&w, 4);
    dir_begin();
    int folder = orders_folder();
    trust(&signed_by);
    orders_dir_put(folder, "4", proof.data, proof.len);
    orders_dir_put(folder, "0large", large, sizeof large);
    orders_dir_put(folder, "0empty", "", 0);
    CHECK_INT(mkdirat(folder, "0folder", 0700), 0);
    CHECK_INT(symlinkat("4", folder, "0link"), 0);
    CHECK_INT(mkfifoat(folder, "0fifo", 0600), 0);
    CHECK_UINT(found_at(2), 4);
    CHECK_INT(plog_orders_doubt(&o), 0);
    close(folder);
    dir_end();
    plog_buf_fini(&proof);
}

static void no_memory_for_a_proof(void)
{
    dir_begin();
    int folder = orders_folder();
    trust(&signed_by);
    orders_dir_put(folder, "4", "no proof", 8);
    io.alloc = no_memory;
    CHECK(plog_orders_find(&o, 2) == NULL);
    CHECK_INT(plog_orders_doubt(&o), PLOG_E_NOMEM);
    io.alloc = plog_io_posix()->alloc;
    dir_end();
    dir_begin();
    trust(&signed_by);
    CHECK(plog_orders_find(&o, 2) == NULL);
    CHECK_INT(plog_orders_doubt(&o), 0);
    close(folder);
    dir_end();
}

/* None is read where no key is at hand; one that cannot be read may be the
 * one that is asked for. */
static void proofs_that_cannot_be_read(void)
{
    struct world w;
    other_log(&w);
    prove(&w, 4);
    for (int row = 0; row < 4; row++) {
        dir_begin();
        int folder = orders_folder();
        trust(&signed_by);
        orders_dir_put(folder, "4", proof.data, proof.len);
        io.open_at = orders_failing_open;
        io.list = orders_failing_list;
        orders_unreadable = row == 0 ? "4" : row == 1 ? PLOG_ORDERS_DIR : NULL;
        orders_unlisted = row == 2 ? folder : -1;
        if (row == 3)
            o.keys = NULL;
        CHECK_UINT(found_at(2), 0);
        CHECK_INT(plog_orders_doubt(&o), row == 3 ? 0 : PLOG_E_IO);
        orders_unreadable = NULL;
        orders_unlisted = -1;
        close(folder);
        dir_end();
    }
    plog_buf_fini(&proof);
}

/* The compact entry of a proof as it stands in its log, which undoes it. */
static void undone_line(struct plog_buf *b, uint64_t at)
{
    struct plog_proof_report r;
    char vkey[PLOG_VKEY_MAX];
    plog_vkey_format(&signed_by, vkey);
    CHECK_INT(plog_verify_proof(proof.data, proof.len, vkey, NULL, 0, &r, NULL),
              0);
    CHECK_INT(plog_buf_add_span(b, r.entry), 0);
    CHECK_INT(plog_buf_add_char(b, '\n'), 0);
    free(r.memory);
    orders_floor_line(b, 3, at);
}

/* A compact entry that came along counts while the log does not have it, and
 * maybe another of that number: anybody can prove one that was undone. */
static void a_floor_that_came_along(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_compact_options c = {.struct_size = sizeof c};
    plog_buf_init(&proof, plog_io_posix());
    world_make(&w, PLOG_ARRIVAL, 4096);
    for (int i = 0; i < 30; i++) {
        char id[8];
        snprintf(id, sizeof id, "i%d", i);
        CHECK_INT(world_put(&w, id, "1", id, NULL), 0);
    }
    world_close(&w);
    CHECK_INT(plog_vkey_parse(plog_span_text(w.vkey), &signed_by), 0);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    CHECK_INT(plog_compact(w.dir, &c, &r, NULL), 0);
    REQUIRE(r.entry > 20 && r.to > 0);
    prove(&w, r.entry);
    for (int row = 0; row < 4; row++) {
        struct plog_buf b;
        dir_begin();
        int folder = orders_folder();
        trust(&signed_by);
        orders_dir_put(folder, "1", proof.data, proof.len);
        plog_buf_init(&b, &io);
        if (row) { /* the log has another compact entry, it, or another there */
            if (row == 2)
                undone_line(&b, r.entry + 5);
            else
                orders_floor_line(&b, 3, row == 1 ? 7 : r.entry);
            orders_dir_put(d.log, "00000000000000000001.jsonl", b.data, b.len);
        }
        plog_buf_fini(&b);
        CHECK_UINT(at_of(plog_orders_floor(&o, r.to)), row == 2 ? 0 : r.entry);
        CHECK_UINT(at_of(plog_orders_floor(&o, r.to + 1)), 0);
        CHECK_INT(plog_orders_doubt(&o), 0);
        close(folder);
        dir_end();
    }
    plog_buf_fini(&proof);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"an_order_that_came_along", an_order_that_came_along},
        {"read_once", read_once},
        {"no_order_of_ours", no_order_of_ours},
        {"a_broken_signature", a_broken_signature},
        {"odd_files_beside_it", odd_files_beside_it},
        {"no_memory_for_a_proof", no_memory_for_a_proof},
        {"proofs_that_cannot_be_read", proofs_that_cannot_be_read},
        {"a_floor_that_came_along", a_floor_that_came_along},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
