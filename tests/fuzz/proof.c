/*
 * proof.c - any bytes as a proof, of a log of eleven entries whose key signed
 * five heads and nothing else.
 *
 * A proof that is taken says what is so: that this very line is the entry of
 * that number under one of these heads (or a redacted form that names its
 * leaf), or that one of them extends another.  Proofs made of pieces of true
 * ones, and of heads that another key signed, are among those tried.
 */
#include "proof.h"

#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "key.h"
#include "note.h"
#include "redact.h"

#define ENTRIES 11
#define HEADS 5
#define NAME "example.org/fuzz"

struct head {
    uint64_t size;
    unsigned char root[PLOG_HASH_SIZE];
    char note[PLOG_CHECKPOINT_MAX];
    size_t note_n;
};

static char lines[ENTRIES][96];
static unsigned char leaves[ENTRIES][PLOG_HASH_SIZE];
static struct head heads[HEADS], other; /* the other is by another key */
static char vkey[PLOG_VKEY_MAX];
static struct plog_buf text;

static void sign_head(struct head *h, const struct plog_signer *s, uint64_t n)
{
    struct plog_tree t;
    struct plog_buf b;
    unsigned char sig[PLOG_SIG_SIZE];
    plog_tree_init(&t);
    for (uint64_t i = 0; i < n; i++)
        MUST(!plog_tree_add(&t, leaves[i]));
    plog_tree_root(&t, h->root);
    h->size = n;
    plog_buf_init(&b, fuzz_memory());
    MUST(!plog_signer_make(s, s->vkey.name, n, h->root, sig) &&
         !plog_note_format(&b, s->vkey.name, n, h->root, s->vkey.id, sig));
    memcpy(h->note, b.data, b.len);
    h->note_n = b.len;
    plog_buf_fini(&b);
}

static void set_up(void)
{
    static const uint64_t sizes[HEADS] = {1, 3, 4, 7, ENTRIES};
    struct plog_signer s, wrong;
    if (text.io)
        return;
    plog_buf_init(&text, fuzz_memory());
    fuzz_signer(&s, NAME, 7);
    fuzz_signer(&wrong, NAME, 8);
    plog_vkey_format(&s.vkey, vkey);
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(lines[i], sizeof lines[i],
                 "{\"seq\":%d,\"control\":\"peer-add\",\"args\":{\"name\":\"p%d"
                 "\"}}",
                 i + 1, i);
        plog_hash_leaf(lines[i], strlen(lines[i]), leaves[i]);
    }
    for (int i = 0; i < HEADS; i++)
        sign_head(&heads[i], &s, sizes[i]);
    sign_head(&other, &wrong, ENTRIES);
    plog_signer_fini(&s);
    plog_signer_fini(&wrong);
}

static bool is_head(uint64_t size, const unsigned char *root)
{
    for (int i = 0; i < HEADS; i++)
        if (heads[i].size == size && !memcmp(heads[i].root, root, 32))
            return true;
    return false;
}

static bool check(const uint8_t *data, size_t size, struct plog_span entry)
{
    struct plog_proof_report r;
    struct plog_error err = {0};
    int rc = plog_verify_proof((const char *)data, size, vkey, entry.p, entry.n,
                               &r, &err);
    if (rc) {
        MUST(rc == PLOG_E_INPUT || rc == PLOG_E_TAMPERED ||
             rc == PLOG_E_UNKNOWN_KEY);
        MUST(err.code == rc && !r.memory && !r.entry.p);
        MUST(fuzz_is_message(err.message, sizeof err.message));
        return false;
    }
    MUST(strcmp(r.origin, NAME) == 0 && is_head(r.size, r.root));
    if (r.consistency)
        MUST(is_head(r.old_size, r.old_root) && r.old_size <= r.size);
    else {
        MUST(r.seq >= 1 && r.seq <= r.size);
        MUST(memcmp(r.leaf, leaves[r.seq - 1], sizeof r.leaf) == 0);
        MUST(r.redacted || plog_span_is(r.entry, lines[r.seq - 1]));
        MUST(!entry.p || plog_span_equal(entry, r.entry));
    }
    free(r.memory);
    return true;
}

/* ---- Made of true pieces ------------------------------------------------ */

static void add(const char *p)
{
    MUST(!plog_buf_add_text(&text, p));
}

static void add_hash(const unsigned char *hash)
{
    MUST(!plog_buf_add_base64(&text, hash, PLOG_HASH_SIZE));
    add("\n");
}

/* One in 16 pieces is another one than it should be. */
static bool astray(uint64_t *random)
{
    return random && fuzz_below(random, 16) == 0;
}

static void add_note(const struct head *h, uint64_t *random)
{
    if (astray(random))
        h = fuzz_below(random, 2) ? &other : &heads[fuzz_below(random, HEADS)];
    MUST(!plog_buf_add(&text, h->note, h->note_n));
}

static void add_hashes(struct plog_proof *p, uint64_t *random)
{
    for (int i = 0; i < ENTRIES; i++)
        plog_proof_add(p, leaves[i]);
    for (unsigned i = 0; i < p->count; i++) {
        if (astray(random))
            add_hash(leaves[fuzz_below(random, ENTRIES)]);
        if (!astray(random))
            add_hash(p->part[i].hash);
    }
    add("\n");
}

/* @random  NULL: without a fault */
static void add_inclusion(const struct head *h, uint64_t index, bool extra,
                          uint64_t *random)
{
    struct plog_proof p;
    MUST(!plog_proof_inclusion(&p, index, h->size));
    add("c2sp.org/tlog-proof@v1\n");
    uint64_t shown = astray(random) ? fuzz_below(random, ENTRIES) : index;
    if (extra) {
        const char *line = lines[shown];
        add("extra ");
        MUST(!plog_buf_add_base64(&text, line, strlen(line)));
        add("\n");
    }
    add("index ");
    MUST(!plog_buf_add_u64(&text, astray(random) ? index + 1 : index));
    add("\n");
    add_hashes(&p, random);
    add_note(h, random);
}

static void new_inclusion(uint64_t *random)
{
    const struct head *h = &heads[fuzz_below(random, HEADS)];
    add_inclusion(h, fuzz_below(random, h->size), fuzz_below(random, 4) != 0,
                  random);
    if (fuzz_below(random, 4) == 0)
        add("\xe2\x80\x94 w.example.org c2ln\n");
}

static void add_consistency(const struct head *a, const struct head *b,
                            uint64_t *random)
{
    struct plog_proof p;
    MUST(!plog_proof_consistency(&p, a->size, b->size));
    add("paritylog/consistency@v1\n");
    add_hashes(&p, random);
    add_note(a, random);
    add("\n");
    add_note(b, random);
}

static void new_consistency(uint64_t *random)
{
    size_t a = fuzz_below(random, HEADS), b = fuzz_below(random, HEADS);
    add_consistency(&heads[a < b ? a : b], &heads[a < b ? b : a], random);
}

/* A reader that takes nothing would pass all the rest. */
static void check_good_ones(void)
{
    for (int i = 0; i < HEADS; i++) {
        for (uint64_t index = 0; index < heads[i].size; index++) {
            struct plog_span line = plog_span_text(lines[index]);
            text.len = 0;
            add_inclusion(&heads[i], index, index % 2, NULL);
            MUST(check((const uint8_t *)text.data, text.len, line));
        }
        for (int k = i; k < HEADS; k++) {
            text.len = 0;
            add_consistency(&heads[i], &heads[k], NULL);
            MUST(check((const uint8_t *)text.data, text.len,
                       plog_span(NULL, 0)));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool checked;
    set_up();
    if (!checked)
        check_good_ones();
    checked = true;
    check(data, size, plog_span(NULL, 0));
    if (size % 4 == 0)
        check(data, size, plog_span_text(lines[size / 4 % ENTRIES]));
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed)
{
    uint64_t random = seed;
    size_t kind = fuzz_below(&random, 64);
    set_up();
    if (kind > 3)
        return LLVMFuzzerMutate(data, size, max);
    text.len = 0;
    if (kind == 0)
        new_consistency(&random);
    else
        new_inclusion(&random);
    if (text.len > max)
        return size;
    memcpy(data, text.data, text.len);
    size = text.len;
    return fuzz_below(&random, 4) ? size : LLVMFuzzerMutate(data, size, max);
}
