/*
 * test_prove.c - proofs that a log gives, and those that it must refuse: of
 * entries and sizes that it has not, below the floor, where log and store do
 * not reach equally far, and from checkpoints that are not its own.
 *
 * Each proof that is given is checked by plog_verify_proof, which knows the
 * verifier key alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "paritylog_recovery.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_error err;

static struct {
    char text[20000];
    size_t len;
} proof;

static int keep(void *arg, const char *text, size_t len)
{
    (void)arg;
    CHECK(proof.len + len < sizeof proof.text);
    memcpy(proof.text + proof.len, text, len);
    proof.len += len;
    return 0;
}

static int goes_on(void *arg, const struct plog_progress *p)
{
    (void)arg;
    CHECK_TEXT(p->phase, "prove");
    return 0;
}

static struct plog_prove_options options(uint64_t at)
{
    proof.len = 0;
    memset(&err, 0, sizeof err);
    return (struct plog_prove_options){.struct_size =
                                           sizeof(struct plog_prove_options),
                                       .at = at,
                                       .out = keep,
                                       .progress = goes_on};
}

static int prove(uint64_t seq, uint64_t at)
{
    struct plog_prove_options o = options(at);
    return plog_prove(w.dir, seq, &o, &err);
}

static int consistency(const char *note, uint64_t at)
{
    struct plog_prove_options o = options(at);
    return plog_prove_consistency(w.dir, note, strlen(note), &o, &err);
}

/* The proof at hand holds. */
static void holds(uint64_t seq, uint64_t old_size, uint64_t size)
{
    struct plog_proof_report r = {.memory = NULL};
    CHECK_INT(
        plog_verify_proof(proof.text, proof.len, w.vkey, NULL, 0, &r, NULL), 0);
    CHECK_UINT(r.seq, seq);
    CHECK_UINT(r.old_size, old_size);
    CHECK_UINT(r.size, size);
    free(r.memory);
}

static void refused(int rc, int code, const char *words)
{
    if (!CHECK_INT(rc, code) || !CHECK_INT(err.code, code) ||
        !CHECK(strstr(err.message, words) != NULL))
        printf("# %d %s, expected %s\n", err.code, err.message, words);
    CHECK_UINT(proof.len, 0);
}

static void put(int count)
{
    for (int i = 0; i < count; i++)
        CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
}

/* Entries 4 and 5 are one group. */
static void make(void)
{
    static char text[2][300];
    struct plog_span deltas[2];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = 2};
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    put(2);
    for (int i = 0; i < 2; i++) {
        world_text(text[i], sizeof text[i], &(struct world_delta){.id = NULL});
        deltas[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
}

static const char *checkpoint(const struct world *of)
{
    static char notes[2][PLOG_CHECKPOINT_MAX];
    static unsigned next;
    plog_reader *r = NULL;
    char *note = notes[next++ % 2];
    CHECK_INT(plog_reader_open(&r, of->dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_checkpoint(r, note, NULL), 0);
    plog_reader_close(r);
    return note;
}

/* ---- What there is, and what not --------------------------------------------
 */

static void entries_and_sizes(void)
{
    make();
    put(2);
    world_close(&w);
    for (uint64_t at = 1; at <= 7; at++)
        for (uint64_t seq = 0; seq <= at + 1; seq++) {
            int rc = prove(seq, at);
            if (seq == 0 || seq > at)
                refused(rc, PLOG_E_NOT_FOUND, "there is no entry");
            else if (at == 4)
                refused(rc, PLOG_E_NOT_FOUND, "there is no commit 4");
            else if (CHECK_INT(rc, 0))
                holds(seq, 0, at);
        }
    refused(prove(1, 8), PLOG_E_NOT_FOUND, "there is no commit 8");
    CHECK_INT(prove(7, 0), 0);
    holds(7, 0, 7);
}

/* A log that was begun and holds no commit proves nothing. */
static void no_commit(void)
{
    size_t n;
    make();
    world_close(&w);
    const char *first = world_path(&w, "log/00000000000000000001.jsonl");
    char *bytes = world_read(first, &n);
    CHECK_INT(truncate(first, (off_t)(strchr(bytes, '\n') + 1 - bytes)), 0);
    free(bytes);
    world_remove(world_path(&w, "store.db"));
    world_remove(world_path(&w, "store.db-wal"));
    refused(prove(1, 0), PLOG_E_NOT_FOUND, "there is no commit 0");
    refused(prove(1, 1), PLOG_E_NOT_FOUND, "there is no commit 1");
}

/* Up to what both legs have: an entry of the log alone may yet vanish. */
static void a_store_behind(void)
{
    char kept[600];
    make();
    world_close(&w);
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    tree_copy(w.dir, kept);
    CHECK_INT(world_open(&w), 0);
    put(1);
    world_close(&w);
    world_drop_store(&w);
    strcat(kept, "/store.db");
    world_copy(kept, world_path(&w, "store.db"));
    strcat(kept, "-wal");
    if (access(kept, F_OK) == 0)
        world_copy(kept, world_path(&w, "store.db-wal"));
    CHECK_INT(prove(2, 0), 0);
    holds(2, 0, 5);
    refused(prove(6, 0), PLOG_E_NOT_FOUND, "there is no entry 6");
    refused(prove(2, 6), PLOG_E_NOT_FOUND, "there is no commit 6");
    world_remove(world_path(&w, "store.db"));
    world_remove(world_path(&w, "store.db-wal"));
    CHECK_INT(prove(6, 0), 0); /* without a store, the log's word */
    holds(6, 0, 6);
}

/* What the log's end is is not known: why, and who tells more. */
static void an_end_that_is_not_known(void)
{
    static const char first[] = "log/00000000000000000001.jsonl";
    static const char next[] = "run: paritylog parity DIR";
    struct plog_prove_options o = options(9);
    make();
    uint64_t cut = (uint64_t)world_number(&w, "SELECT offset FROM meta");
    put(1);
    world_close(&w);
    size_t n;
    char *bytes = world_read(world_path(&w, first), &n);
    CHECK_INT(truncate(world_path(&w, first), (off_t)cut), 0);
    refused(prove(1, 9), PLOG_E_ROLLBACK, "log and store do not end alike: ");
    CHECK_TEXT(err.hint, next);
    CHECK_TEXT(err.file, "");
    CHECK_INT(plog_prove(w.dir, 1, &o, NULL), PLOG_E_ROLLBACK);
    /* The last commit is none: torn is another word for what is missing. */
    bytes[n - 20] ^= 1;
    world_write(world_path(&w, first), bytes, n);
    refused(prove(1, 9), PLOG_E_ROLLBACK, "log and store do not end alike: ");
    CHECK_TEXT(err.hint, next);
    /* Damaged before its end: that is told, with its place. */
    char *at = strstr(bytes, "\"seq\":3,");
    REQUIRE(at != NULL);
    at[6] = '9';
    world_write(world_path(&w, first), bytes, cut);
    refused(prove(1, 9), PLOG_E_CORRUPT, "");
    CHECK_TEXT(err.file, first);
    CHECK_UINT(err.offset, (uint64_t)(at - 1 - bytes));
    CHECK_UINT(err.seq, 3);
    CHECK(err.message[0] != '\0');
    CHECK_TEXT(err.hint, "run: paritylog verify DIR"); /* as it was */
    CHECK_INT(plog_prove(w.dir, 1, &o, NULL), PLOG_E_CORRUPT);
    CHECK_INT(prove(1, 2), 0); /* what lies before it is proven */
    holds(1, 0, 2);
    free(bytes);
}

/* ---- A log that ends meanwhile ----------------------------------------------
 */

static struct plog_io io;
static unsigned opened, cut_at;
static uint64_t cut_to;

/* The segment loses its end when it is opened for the `cut_at`-th time. */
static int cutting_open(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    if (strcmp(name, "00000000000000000001.jsonl") == 0 && ++opened == cut_at)
        CHECK_INT(truncate(world_path(&w, "log/00000000000000000001.jsonl"),
                           (off_t)cut_to),
                  0);
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void an_end_that_goes(void)
{
    struct plog_prove_options o;
    io = *plog_io_posix();
    io.open_at = cutting_open;
    /* At the last opening, when the size is known already. */
    make();
    cut_to = (uint64_t)world_number(&w, "SELECT offset FROM meta");
    put(1);
    world_close(&w);
    opened = cut_at = 0;
    o = options(6);
    o.io = &io;
    CHECK_INT(plog_prove(w.dir, 2, &o, &err), 0);
    cut_at = opened;
    opened = 0;
    o = options(6);
    o.io = &io;
    refused(plog_prove(w.dir, 2, &o, &err), PLOG_E_NOT_FOUND,
            "there is no commit 6");
}

/* ---- Below the floor --------------------------------------------------------
 */

static char old_note[PLOG_CHECKPOINT_MAX];

/* The floor is 5; of entry 5 there is a checkpoint, and of 3. */
static void make_compacted(bool discard)
{
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .discard = discard};
    struct plog_compact_report r;
    struct plog_peer_report peer;
    struct plog_head head;
    uint64_t first;
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    put(2);
    snprintf(old_note, sizeof old_note, "%s", checkpoint(&w));
    put(1);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_get_head(w.p, &head, NULL), 0);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    put(1);
    world_close(&w);
    CHECK_INT(plog_peer_ack(w.dir, "p", 5, head.root, NULL, &peer, NULL), 0);
    CHECK_INT(plog_compact(w.dir, &o, &r, NULL), 0);
    CHECK_UINT(r.to, 5);
}

static void the_archive(void)
{
    size_t n;
    char path[700];
    make_compacted(false);
    CHECK_INT(prove(2, 0), 0);
    holds(2, 0, 7);
    CHECK_INT(prove(6, 0), 0);
    holds(6, 0, 7);
    CHECK_INT(consistency(old_note, 0), 0);
    holds(0, 3, 7);
    /* Damaged, it gives no proof, and says so. */
    snprintf(path, sizeof path, "%s",
             world_path(&w, "archive/00000000000000000001.jsonl.gz"));
    char *bytes = world_read(path, &n);
    bytes[n / 2] ^= 1;
    world_write(path, bytes, n);
    free(bytes);
    int rc = prove(2, 0);
    CHECK(rc == PLOG_E_CORRUPT || rc == PLOG_E_TAMPERED);
    CHECK_INT(err.code, rc);
    CHECK_UINT(proof.len, 0);
    struct plog_prove_options o = options(0);
    CHECK_INT(plog_prove(w.dir, 2, &o, NULL), rc);
    CHECK_INT(prove(6, 0), 0);
    holds(6, 0, 7);
}

static void no_archive(void)
{
    make_compacted(true);
    refused(prove(2, 0), PLOG_E_PRUNED, "2");
    refused(prove(5, 0), PLOG_E_PRUNED, "5");
    refused(consistency(old_note, 0), PLOG_E_PRUNED, "3");
    struct plog_prove_options o = options(0);
    CHECK_INT(plog_prove(w.dir, 2, &o, NULL), PLOG_E_PRUNED);
    CHECK_INT(prove(6, 0), 0);
    holds(6, 0, 7);
}

/* ---- Checkpoints ------------------------------------------------------------
 */

/* The note with the first character of a line changed into another. */
static const char *changed(const char *note, int line, size_t at, char to)
{
    static char text[PLOG_CHECKPOINT_MAX];
    snprintf(text, sizeof text, "%s", note);
    char *p = text;
    for (int i = 0; i < line; i++)
        p = strchr(p, '\n') + 1;
    p[at] = p[at] == to ? 'B' : to;
    return text;
}

static void checkpoints(void)
{
    struct world other;
    char note[PLOG_CHECKPOINT_MAX];
    make();
    snprintf(note, sizeof note, "%s", checkpoint(&w));
    other = w;
    other.p = NULL;
    snprintf(other.dir, sizeof other.dir, "%.400s-other", w.dir);
    world_close(&w);
    tree_copy(w.dir, other.dir);
    CHECK_INT(world_open(&w), 0);
    put(2);
    world_close(&w);
    CHECK_INT(consistency(note, 0), 0);
    holds(0, 5, 7);
    CHECK_INT(consistency(note, 5), 0);
    holds(0, 5, 5);
    refused(consistency(note, 3), PLOG_E_ROLLBACK, "the log ends at 3");
    refused(consistency("", 0), PLOG_E_INPUT, "not a signed checkpoint");
    refused(consistency(changed(note, 1, 0, '0'), 0), PLOG_E_INPUT,
            "a checkpoint of nothing");
    /* The signature line: a dash of three bytes, a blank, the name. */
    size_t name = strlen(w.vkey) ? strcspn(note, "\n") : 0;
    refused(consistency(changed(note, 4, 4 + name + 1, 'A'), 0),
            PLOG_E_UNKNOWN_KEY, "is signed by key");
    refused(consistency(changed(note, 4, 4 + name + 1 + 20, 'A'), 0),
            PLOG_E_TAMPERED, "does not hold");
    refused(consistency(changed(note, 2, 0, 'A'), 0), PLOG_E_TAMPERED,
            "does not hold");
    /* One that goes on otherwise, under the same key. */
    CHECK_INT(world_open(&other), 0);
    CHECK_INT(world_put(&other, NULL, "1", "w", NULL), 0);
    world_close(&other);
    refused(consistency(checkpoint(&other), 0), PLOG_E_FORK,
            "another root at entry 6");
    CHECK_INT(plog_verify(w.dir, NULL, &(struct plog_check_report){0}, NULL),
              0);
}

static void another_log(void)
{
    char note[PLOG_CHECKPOINT_MAX];
    make();
    snprintf(note, sizeof note, "%s", checkpoint(&w));
    world_close(&w);
    make();
    world_close(&w);
    refused(consistency(note, 0), PLOG_E_FOREIGN, "the checkpoint is of");
}

/* ---- Without memory ---------------------------------------------------------
 */

static unsigned long asked, denied; /* the request that is denied; 0: none */

static void *stingy(void *ctx, void *p, size_t n)
{
    if (n && ++asked == denied)
        return NULL;
    return plog_io_posix()->alloc(ctx, p, n);
}

/* Whichever request is denied: the proof as it always is, or none. */
static void without_memory(void)
{
    char note[PLOG_CHECKPOINT_MAX], payload[400], text[700];
    struct world_delta d = {.record = "1", .payload = payload};
    snprintf(payload, sizeof payload, "{\"v\":\"%0380d\"}", 0);
    make();
    snprintf(note, sizeof note, "%s", checkpoint(&w));
    CHECK_INT(world_append(&w, world_text(text, sizeof text, &d), NULL, NULL),
              0);
    put(3);
    world_close(&w);
    io = *plog_io_posix();
    io.alloc = stingy;
    for (int kind = 0; kind < 3; kind++) {
        static char whole[sizeof proof.text];
        size_t len = 0;
        unsigned refusals = 0;
        denied = 0;
        do {
            struct plog_prove_options o = options(0);
            o.io = &io;
            o.hide_entry = kind == 1;
            asked = 0;
            int rc = kind < 2 ? plog_prove(w.dir, 6, &o, &err)
                              : plog_prove_consistency(w.dir, note,
                                                       strlen(note), &o, &err);
            if (denied == 0) {
                CHECK_INT(rc, 0);
                memcpy(whole, proof.text, len = proof.len);
                if (kind != 1)
                    holds(kind ? 0 : 6, kind ? 5 : 0, 9);
                CHECK(!strncmp(whole + 22, "\nextra ", 7) == (kind == 0));
            } else if (rc == 0) {
                CHECK_BYTES(proof.text, proof.len, whole, len);
            } else {
                refused(rc, PLOG_E_NOMEM, "");
                CHECK(err.message[0] != '\0');
                refusals++;
            }
        } while (denied++ == 0 || asked >= denied - 1);
        CHECK(refusals > 5);
    }
}

/* ---- Redacted lines ------------------------------------------------------ */

/* The order among those that are proven here makes a redacted line; any other
 * entry, and any other order, does not. */
static void with_its_order(void)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "r"};
    struct plog_redact_report rr;
    struct plog_proof_report r, edited;
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(world_put(&w, NULL, "r", "v", NULL), 0);
    CHECK_INT(plog_redact(w.dir, 2, &o, &rr, NULL), 0);
    CHECK_INT(plog_redact(w.dir, 3, &o, &rr, NULL), 0);
    world_close(&w);
    CHECK_INT(prove(2, 0), 0);
    CHECK_INT(
        plog_verify_proof(proof.text, proof.len, w.vkey, NULL, 0, &r, &err), 0);
    CHECK(r.redacted && r.order == 0);
    for (uint64_t seq = 1; seq <= 6; seq++) {
        int want = seq == 5 ? 0 : seq == 6 ? PLOG_E_TAMPERED : PLOG_E_INPUT;
        CHECK_INT(prove(seq, 0), 0);
        CHECK_INT(plog_verify_order(proof.text, proof.len, w.vkey, &r, &err),
                  want);
        CHECK_INT(err.code, want);
        CHECK_UINT(r.order, seq < 5 ? 0 : 5);
    }
    /* The same leaf, of another record. */
    CHECK_INT(prove(2, 0), 0);
    char *line = strndup(r.entry.p, r.entry.n), *at = strstr(line, "\"r\"");
    REQUIRE(at != NULL);
    at[1] = 'q';
    CHECK_INT(plog_verify_proof(proof.text, proof.len, w.vkey, line, r.entry.n,
                                &edited, &err),
              0);
    CHECK(edited.redacted);
    CHECK_INT(prove(5, 0), 0);
    CHECK_INT(plog_verify_order(proof.text, proof.len, w.vkey, &edited, &err),
              PLOG_E_TAMPERED);
    CHECK(strstr(err.message, "does not make entry 2 this") != NULL);
    /* One that is changed proves nothing, and another line needs none. */
    char *digit = proof.text + proof.len - 8; /* a bit more may be none */
    *digit = *digit == 'B' ? 'C' : 'B';
    CHECK_INT(plog_verify_order(proof.text, proof.len, w.vkey, &r, &err),
              PLOG_E_TAMPERED);
    free(edited.memory);
    edited.redacted = false;
    CHECK_INT(plog_verify_order(proof.text, proof.len, w.vkey, &edited, &err),
              PLOG_E_ARG);
    CHECK_UINT(edited.order, 0);
    free(line);
    free(r.memory);
    world_end(&w, 6);
}

/* A copy that ends below the order has it in orders/, as such a proof. */
static void with_an_order_that_came_along(void)
{
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "r"};
    struct plog_restore_options ro = {.struct_size = sizeof ro, .at_seq = 3};
    struct plog_redact_report rr;
    struct plog_restore_report cr;
    struct plog_proof_report r;
    char out[600], path[700];
    size_t n;
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(world_put(&w, NULL, "r", "v", NULL), 0);
    CHECK_INT(plog_redact(w.dir, 2, &o, &rr, NULL), 0);
    world_close(&w);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    CHECK_INT(plog_restore(w.dir, out, &ro, &cr, NULL), 0);
    struct plog_prove_options po = options(0);
    CHECK_INT(plog_prove(out, 2, &po, &err), 0);
    CHECK_INT(
        plog_verify_proof(proof.text, proof.len, w.vkey, NULL, 0, &r, &err), 0);
    CHECK_UINT(r.size, 3);
    snprintf(path, sizeof path, "%s/orders/%llu", out,
             (unsigned long long)rr.order);
    char *order = world_read(path, &n);
    CHECK_INT(plog_verify_order(order, n, w.vkey, &r, &err), 0);
    CHECK_UINT(r.order, rr.order);
    free(order);
    free(r.memory);
    world_remove(out);
    world_end(&w, 5);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"with its order", with_its_order},
        {"with an order that came along", with_an_order_that_came_along},
        {"entries and sizes", entries_and_sizes},
        {"no commit", no_commit},
        {"a store behind", a_store_behind},
        {"an end that is not known", an_end_that_is_not_known},
        {"an end that goes", an_end_that_goes},
        {"the archive", the_archive},
        {"no archive", no_archive},
        {"checkpoints", checkpoints},
        {"another log", another_log},
        {"without memory", without_memory},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
