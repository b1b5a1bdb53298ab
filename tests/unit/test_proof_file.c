/*
 * test_proof_file.c - a proof is text that a stranger sends: each way in which
 * one is no proof, or proves something else, has its own answer.
 *
 * The proofs are made here, of seven leaves by a key that nobody keeps.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "key.h"
#include "proof.h"

#define LEAVES 7
#define OLD 3
#define SEQ 5

static struct plog_signer signer;
static char vkey[PLOG_VKEY_MAX];
static unsigned char leaf[LEAVES][PLOG_HASH_SIZE];
static char entry[LEAVES][40];

static void start(void)
{
    CHECK_INT(
        plog_signer_generate(&signer, plog_io_posix(), "proof.test", NULL), 0);
    plog_vkey_format(&signer.vkey, vkey);
    for (int i = 0; i < LEAVES; i++) {
        snprintf(entry[i], sizeof entry[i], "{\"seq\":%d,\"some\":\"entry\"}",
                 i + 1);
        plog_hash_leaf(entry[i], strlen(entry[i]), leaf[i]);
    }
}

static void root_of(unsigned size, unsigned char *root)
{
    struct plog_tree t;
    plog_tree_init(&t);
    for (unsigned i = 0; i < size; i++)
        CHECK_INT(plog_tree_add(&t, leaf[i]), 0);
    plog_tree_root(&t, root);
}

/* A note over `size` leaves that says it is by `origin`. */
static void add_note(struct plog_buf *b, const char *origin, unsigned size)
{
    unsigned char root[PLOG_HASH_SIZE], sig[PLOG_SIG_SIZE];
    root_of(size, root);
    CHECK_INT(plog_signer_sign(&signer, signer.vkey.name, size, root, sig), 0);
    CHECK_INT(plog_note_format(b, origin, size, root, signer.vkey.id, sig), 0);
}

static void add_hashes(struct plog_buf *b, struct plog_proof *p)
{
    for (int i = 0; i < LEAVES; i++)
        plog_proof_add(p, leaf[i]);
    CHECK(plog_proof_is_whole(p));
    for (unsigned i = 0; i < p->count; i++) {
        CHECK_INT(plog_buf_add_base64(b, p->part[i].hash, PLOG_HASH_SIZE), 0);
        CHECK_INT(plog_buf_add_char(b, '\n'), 0);
    }
    CHECK_INT(plog_buf_add_char(b, '\n'), 0);
}

/* Of entry SEQ, which is in it. */
static void inclusion(struct plog_buf *b, const char *origin)
{
    struct plog_proof p;
    char index[40];
    plog_buf_init(b, plog_io_posix());
    CHECK_INT(plog_buf_add_text(b, "c2sp.org/tlog-proof@v1\nextra "), 0);
    CHECK_INT(plog_buf_add_base64(b, (const unsigned char *)entry[SEQ - 1],
                                  strlen(entry[SEQ - 1])),
              0);
    snprintf(index, sizeof index, "\nindex %d\n", SEQ - 1);
    CHECK_INT(plog_buf_add_text(b, index), 0);
    CHECK_INT(plog_proof_inclusion(&p, SEQ - 1, LEAVES), 0);
    add_hashes(b, &p);
    add_note(b, origin, LEAVES);
}

static void consistency(struct plog_buf *b)
{
    struct plog_proof p;
    plog_buf_init(b, plog_io_posix());
    CHECK_INT(plog_buf_add_text(b, "paritylog/consistency@v1\n"), 0);
    CHECK_INT(plog_proof_consistency(&p, OLD, LEAVES), 0);
    add_hashes(b, &p);
    add_note(b, signer.vkey.name, OLD);
    CHECK_INT(plog_buf_add_char(b, '\n'), 0);
    add_note(b, signer.vkey.name, LEAVES);
}

/* ---- One change to a good one ---------------------------------------------
 */

enum act { REPLACE, CUT_AT, CUT_BEHIND, APPEND };

struct change {
    const char *what; /* the text changed, or where the proof ends */
    enum act act;
    const char *to;
    int code;
    const char *says; /* in the message */
};

static char *changed(const struct plog_buf *b, const struct change *c,
                     size_t *n)
{
    const char *at = memmem(b->data, b->len, c->what, strlen(c->what));
    char *out = malloc(b->len + 6000);
    if (!out || !at)
        abort();
    size_t before = (size_t)(at - b->data), skip = strlen(c->what);
    *n = before + (c->act == CUT_BEHIND ? skip : 0);
    if (c->act == APPEND)
        *n = b->len;
    memcpy(out, b->data, *n);
    if (c->act == REPLACE || c->act == APPEND) {
        memcpy(out + *n, c->to, strlen(c->to));
        *n += strlen(c->to);
    }
    if (c->act == REPLACE) {
        memcpy(out + *n, at + skip, b->len - before - skip);
        *n += b->len - before - skip;
    }
    return out;
}

/* What to do about it. */
static const char *hint_of(int code)
{
    return code == PLOG_E_TAMPERED
               ? "it proves nothing: ask for another one, and see that the"
                 " entry is the line that it is about"
           : code == PLOG_E_UNKNOWN_KEY
               ? "see whether it is of the log that you mean, and ask whoever"
                 " runs that for its key"
               : "";
}

static void refuses(const struct plog_buf *b, const struct change *all,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct plog_proof_report r;
        struct plog_error err = {.code = 0};
        size_t n;
        char *text = changed(b, &all[i], &n);
        int rc = plog_verify_proof(text, n, vkey, NULL, 0, &r, &err);
        bool ok = CHECK_INT(rc, all[i].code);
        ok &= CHECK_INT(err.code, rc);
        ok &= CHECK(strstr(err.message, all[i].says) != NULL);
        ok &= CHECK_TEXT(err.hint, hint_of(rc));
        ok &= CHECK(r.memory == NULL && r.entry.p == NULL);
        if (!ok)
            printf("# `%s` -> `%s`: %s\n", all[i].what,
                   all[i].to ? all[i].to : "(end)", err.message);
        free(text);
    }
}

static void of_an_entry(void)
{
    struct plog_proof_report r;
    struct plog_buf b;
    static char many[65 * 45 + 2];
    char hash[46] = "\n";
    start();
    inclusion(&b, signer.vkey.name);
    CHECK_INT(plog_verify_proof(b.data, b.len, vkey, NULL, 0, &r, NULL), 0);
    CHECK(!r.consistency && !r.redacted);
    CHECK_UINT(r.seq, SEQ);
    CHECK_UINT(r.size, LEAVES);
    CHECK_TEXT(r.origin, "proof.test");
    CHECK_BYTES(r.entry.p, r.entry.n, entry[SEQ - 1], strlen(entry[SEQ - 1]));
    CHECK_BYTES(r.leaf, PLOG_HASH_SIZE, leaf[SEQ - 1], PLOG_HASH_SIZE);
    free(r.memory);
    for (int i = 0; i < 62; i++) /* and three of its own: 65 */
        strcat(many, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    many[strlen(many)] = '\0';
    char *index = memmem(b.data, b.len, "index ", 6);
    REQUIRE(index != NULL);
    memcpy(hash + 1, strchr(index, '\n') + 1, 43); /* its first hash */
    char too_many[sizeof many + 60];
    snprintf(too_many, sizeof too_many, "\n%s%s", many, hash + 1);
    const struct change all[] = {
        {"c2sp.org", CUT_AT, NULL, PLOG_E_INPUT, "it has no line"},
        {"tlog-proof@v1", REPLACE, "tlog-proof@v2", PLOG_E_INPUT,
         "no format that is known"},
        {"tlog-proof@v1", REPLACE, "tlog-proof@v", PLOG_E_INPUT,
         "no format that is known"},
        {"c2sp.org/tlog-proof@v1", REPLACE, "", PLOG_E_INPUT,
         "no format that is known"},
        {"extra ", CUT_AT, NULL, PLOG_E_INPUT, "the index is not one"},
        {"extra ", REPLACE, "extra A", PLOG_E_INPUT, "extra is not base64"},
        {"extra ", REPLACE, "extra \n", PLOG_E_INPUT, "extra is not base64"},
        {"extra ", REPLACE, "extra ====", PLOG_E_INPUT, "extra is not base64"},
        {"extra ", REPLACE, "extrb ", PLOG_E_INPUT, "the index is not one"},
        {"index 4", REPLACE, "index 4x", PLOG_E_INPUT, "the index is not one"},
        {"index 4", REPLACE, "place 4", PLOG_E_INPUT, "the index is not one"},
        {"index 4\n", CUT_AT, NULL, PLOG_E_INPUT, "the index is not one"},
        {"index 4\n", CUT_BEHIND, NULL, PLOG_E_INPUT,
         "it ends within the hashes"},
        {"index 4\n", REPLACE, "index 4\nnone\n", PLOG_E_INPUT,
         "a hash is not one"},
        {hash, REPLACE, too_many, PLOG_E_INPUT, "too many hashes"},
        {"\n\nproof.test\n", CUT_BEHIND, NULL, PLOG_E_INPUT,
         "it ends within a checkpoint"},
        {"\xe2\x80\x94", CUT_AT, NULL, PLOG_E_INPUT,
         "it ends within a checkpoint"},
        {"\xe2\x80\x94", REPLACE, "--", PLOG_E_INPUT,
         "the checkpoint is not one"},
        {"\n7\n", REPLACE, "\n8\n", PLOG_E_TAMPERED,
         "the signature of the checkpoint does not hold"},
        {"proof.test", APPEND, "more\n", PLOG_E_INPUT,
         "something follows the checkpoint"},
        {"proof.test", APPEND, "\xe2\x80\x94 w", PLOG_E_INPUT,
         "something follows the checkpoint"},
        {"extra ", REPLACE, "extra 1234\nplace 4\nextra ", PLOG_E_INPUT,
         "the index is not one"},
        {"index 4", REPLACE, "index 5", PLOG_E_TAMPERED, "does not lead"},
        {"index 4", REPLACE, "index 7", PLOG_E_TAMPERED, "does not lead"},
    };
    refuses(&b, all, sizeof all / sizeof *all);
    /* A witness's signature behind the log's is passed over. */
    struct change witness = {"proof.test", APPEND, "\xe2\x80\x94 w abc\n", 0,
                             ""};
    size_t n;
    char *text = changed(&b, &witness, &n);
    CHECK_INT(plog_verify_proof(text, n, vkey, NULL, 0, &r, NULL), 0);
    free(r.memory);
    free(text);
    plog_buf_fini(&b);
    plog_signer_fini(&signer);
}

/* Of a checkpoint that is another one this is told, whatever follows it. */
static void the_checkpoint_first(void)
{
    struct plog_proof_report r;
    struct plog_error err = {.code = 0};
    struct plog_buf b;
    start();
    inclusion(&b, signer.vkey.name);
    char *size = memmem(b.data, b.len, "\n7\n", 3);
    REQUIRE(size != NULL);
    size[1] = '8';
    CHECK_INT(plog_buf_add_text(&b, "more\n"), 0);
    CHECK_INT(plog_verify_proof(b.data, b.len, vkey, NULL, 0, &r, &err),
              PLOG_E_TAMPERED);
    CHECK_TEXT(err.message, "the signature of the checkpoint does not hold");
    size[1] = '7';
    CHECK_INT(plog_verify_proof(b.data, b.len, vkey, NULL, 0, &r, &err),
              PLOG_E_INPUT);
    CHECK_TEXT(err.message, "not a proof: something follows the checkpoint");
    plog_buf_fini(&b);
    plog_signer_fini(&signer);
}

static void of_two_sizes(void)
{
    static const struct change all[] = {
        {"@v1\n", REPLACE, "@v\n", PLOG_E_INPUT, "no format that is known"},
        {"@v1\n", CUT_BEHIND, NULL, PLOG_E_INPUT, "it ends within the hashes"},
        {"\n\nproof.test\n", CUT_BEHIND, NULL, PLOG_E_INPUT,
         "it ends within a checkpoint"},
        {"\n\nproof.test\n7\n", CUT_AT, NULL, PLOG_E_INPUT,
         "it ends within a checkpoint"},
        {"\nproof.test\n7\n", CUT_AT, NULL, PLOG_E_INPUT,
         "no empty line between the checkpoints"},
        {"\nproof.test\n7\n", REPLACE, "proof.test\n7\n", PLOG_E_INPUT,
         "no empty line between the checkpoints"},
        {"\nproof.test\n7\n", REPLACE, "x\nproof.test\n7\n", PLOG_E_INPUT,
         "no empty line between the checkpoints"},
        {"proof.test\n7\n", CUT_BEHIND, NULL, PLOG_E_INPUT,
         "it ends within a checkpoint"},
        {"\n3\n", REPLACE, "\n2\n", PLOG_E_TAMPERED,
         "the signature of the checkpoint does not hold"},
        {"proof.test\n7\n", REPLACE, "other.test\n7\n", PLOG_E_INPUT,
         "the checkpoint is not one"},
        {"@v1\n", REPLACE,
         "@v1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
         "\n",
         PLOG_E_TAMPERED, "does not lead"},
    };
    struct plog_proof_report r;
    struct plog_buf b;
    start();
    consistency(&b);
    CHECK_INT(plog_verify_proof(b.data, b.len, vkey, NULL, 0, &r, NULL), 0);
    CHECK(r.consistency && r.memory == NULL);
    CHECK_UINT(r.old_size, OLD);
    CHECK_UINT(r.size, LEAVES);
    unsigned char root[PLOG_HASH_SIZE];
    root_of(OLD, root);
    CHECK_BYTES(r.old_root, PLOG_HASH_SIZE, root, PLOG_HASH_SIZE);
    root_of(LEAVES, root);
    CHECK_BYTES(r.root, PLOG_HASH_SIZE, root, PLOG_HASH_SIZE);
    refuses(&b, all, sizeof all / sizeof *all);
    plog_buf_fini(&b);
    plog_signer_fini(&signer);
}

/* ---- The key ----------------------------------------------------------------
 */

/* The id of the key alone says nothing: the name counts, too. */
static void by_whom(void)
{
    struct plog_proof_report r;
    struct plog_error err = {.code = 0};
    struct plog_buf b;
    char other[PLOG_VKEY_MAX];
    start();
    inclusion(&b, "another.name");
    CHECK_INT(plog_verify_proof(b.data, b.len, vkey, NULL, 0, &r, &err),
              PLOG_E_UNKNOWN_KEY);
    CHECK_TEXT(err.message, "the checkpoint is signed by another key");
    CHECK_TEXT(err.hint, hint_of(PLOG_E_UNKNOWN_KEY));
    plog_buf_fini(&b);
    inclusion(&b, signer.vkey.name);
    CHECK_INT(plog_verify_proof(b.data, b.len, vkey, NULL, 0, &r, &err), 0);
    free(r.memory);
    plog_signer_fini(&signer);
    start(); /* the same name, another key */
    CHECK_INT(plog_verify_proof(b.data, b.len, vkey, NULL, 0, &r, &err),
              PLOG_E_UNKNOWN_KEY);
    snprintf(other, sizeof other, "%s", vkey);
    other[strlen(other) - 1] ^= 1;
    CHECK_INT(plog_verify_proof(b.data, b.len, other, NULL, 0, &r, &err),
              PLOG_E_ARG);
    CHECK_TEXT(err.message, "the verifier key is not one");
    plog_buf_fini(&b);
    plog_signer_fini(&signer);
}

/* From OLD to LEAVES, where the second checkpoint is by a new key of that
 * name.
 * @first, @second  out: the keys, PLOG_VKEY_MAX bytes each */
static void across_a_rotation(struct plog_buf *b, const char *name, char *first,
                              char *second)
{
    struct plog_proof p;
    start();
    plog_buf_init(b, plog_io_posix());
    CHECK_INT(plog_buf_add_text(b, "paritylog/consistency@v1\n"), 0);
    CHECK_INT(plog_proof_consistency(&p, OLD, LEAVES), 0);
    add_hashes(b, &p);
    add_note(b, signer.vkey.name, OLD);
    CHECK_INT(plog_buf_add_char(b, '\n'), 0);
    plog_vkey_format(&signer.vkey, first);
    plog_signer_fini(&signer);
    CHECK_INT(plog_signer_generate(&signer, plog_io_posix(), name, NULL), 0);
    add_note(b, signer.vkey.name, LEAVES);
    plog_vkey_format(&signer.vkey, second);
    plog_signer_fini(&signer);
}

/* Between two checkpoints the log's key may have been rotated: each holds under
 * the key that it names. */
static void by_two_keys(void)
{
    struct plog_proof_report r;
    struct plog_buf b;
    char one[PLOG_VKEY_MAX], two[PLOG_VKEY_MAX], keys[2 * PLOG_VKEY_MAX + 8];
    across_a_rotation(&b, "proof.test", one, two);
    CHECK_INT(plog_verify_proof(b.data, b.len, one, NULL, 0, &r, NULL),
              PLOG_E_UNKNOWN_KEY);
    CHECK_INT(plog_verify_proof(b.data, b.len, two, NULL, 0, &r, NULL),
              PLOG_E_UNKNOWN_KEY);
    snprintf(keys, sizeof keys, " \n%s\r\n\t%s\n", two, one);
    CHECK_INT(plog_verify_proof(b.data, b.len, keys, NULL, 0, &r, NULL), 0);
    CHECK(r.consistency && r.old_size == OLD && r.size == LEAVES);
    char *size = memmem(b.data, b.len, "\n7\n", 3);
    REQUIRE(size != NULL);
    size[1] = '8';
    CHECK_INT(plog_verify_proof(b.data, b.len, keys, NULL, 0, &r, NULL),
              PLOG_E_TAMPERED);
    plog_buf_fini(&b);
}

/* Two logs may begin alike, and each be trusted: one does not extend the
 * other. */
static void of_two_logs(void)
{
    struct plog_proof_report r;
    struct plog_error err = {.code = 0};
    struct plog_buf b;
    char one[PLOG_VKEY_MAX], two[PLOG_VKEY_MAX], keys[2 * PLOG_VKEY_MAX + 8];
    across_a_rotation(&b, "copy.test", one, two);
    snprintf(keys, sizeof keys, "%s %s", one, two);
    CHECK_INT(plog_verify_proof(b.data, b.len, keys, NULL, 0, &r, &err),
              PLOG_E_FOREIGN);
    CHECK_TEXT(err.message, "the two checkpoints are of different logs");
    plog_buf_fini(&b);
}

/* No key, one that is none behind a good one, and too many of them. */
static void odd_lists_of_keys(void)
{
    struct plog_proof_report r;
    struct plog_error err = {.code = 0};
    struct plog_buf b;
    char one[PLOG_VKEY_MAX], two[PLOG_VKEY_MAX], keys[66 * PLOG_VKEY_MAX];
    across_a_rotation(&b, "proof.test", one, two);
    CHECK_INT(plog_verify_proof(b.data, b.len, " \n", NULL, 0, &r, &err),
              PLOG_E_ARG);
    CHECK_TEXT(err.message, "the verifier key is not one");
    snprintf(keys, sizeof keys, "%s %s%s", one, two, one);
    CHECK_INT(plog_verify_proof(b.data, b.len, keys, NULL, 0, &r, &err),
              PLOG_E_ARG);
    keys[0] = '\0';
    for (int i = 0; i < 63; i++)
        sprintf(keys + strlen(keys), "%s ", one);
    strcat(keys, two);
    CHECK_INT(plog_verify_proof(b.data, b.len, keys, NULL, 0, &r, &err), 0);
    strcat(keys, " ");
    strcat(keys, one);
    CHECK_INT(plog_verify_proof(b.data, b.len, keys, NULL, 0, &r, &err),
              PLOG_E_ARG);
    CHECK_TEXT(err.message, "more than 64 verifier keys");
    plog_buf_fini(&b);
}

/* The line that is proved may be given beside the proof, and then counts. */
static void the_line_beside_it(void)
{
    struct plog_proof_report r;
    struct plog_error err = {.code = 0};
    struct plog_buf b;
    start();
    inclusion(&b, signer.vkey.name);
    CHECK_INT(plog_verify_proof(b.data, b.len, vkey, entry[0], strlen(entry[0]),
                                &r, &err),
              PLOG_E_TAMPERED);
    CHECK(r.memory == NULL && r.entry.p == NULL);
    char *extra = memmem(b.data, b.len, "extra ", 6);
    REQUIRE(extra != NULL);
    size_t n = (size_t)(strchr(extra, '\n') + 1 - extra);
    memmove(extra, extra + n, b.len - (size_t)(extra - b.data) - n);
    b.len -= n;
    CHECK_INT(plog_verify_proof(b.data, b.len, vkey, NULL, 0, &r, &err),
              PLOG_E_INPUT);
    CHECK_TEXT(err.message,
               "the entry's line is neither in the proof nor given");
    CHECK_INT(plog_verify_proof(b.data, b.len, vkey, entry[SEQ - 1],
                                strlen(entry[SEQ - 1]), &r, &err),
              0);
    CHECK(r.memory == NULL && r.entry.p == entry[SEQ - 1]);
    CHECK_INT(
        plog_verify_proof(b.data, b.len, vkey, entry[SEQ - 1], 0, &r, &err),
        PLOG_E_TAMPERED);
    /* Nobody reads what is longer than any proof. */
    CHECK_INT(plog_verify_proof(b.data, PLOG_PROOF_FILE_MAX + 1u, vkey, NULL, 0,
                                &r, &err),
              PLOG_E_INPUT);
    CHECK_TEXT(err.message, "not a proof: it is too long");
    plog_buf_fini(&b);
    plog_signer_fini(&signer);
}

/* ---- Redacted lines ------------------------------------------------------ */

#define RECORD "\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","
#define WHEN                                                                   \
    "\"occurred_at\":\"2026-01-02T03:04:05Z\",\"provenance\":{\"source\":"     \
    "\"s\",\"confidence\":1}"
#define SALTED ",\"salt\":\"AAECAwQFBgcICQoLDA0ODw==\""
#define CONTROL "\"control\":\"peer-add\",\"args\":{\"name\":\"p\"}"

/* What a line says that names the leaf of entry SEQ. */
static void name_leaf(char *out, size_t size, const char *begin)
{
    struct plog_buf b;
    plog_buf_init(&b, plog_io_posix());
    CHECK_INT(plog_buf_add_base64(&b, leaf[SEQ - 1], PLOG_HASH_SIZE), 0);
    snprintf(out, size, "%s,\"redacted\":\"%.*s\"}", begin, (int)b.len, b.data);
    plog_buf_fini(&b);
}

/* The leaf alone is in the tree, so any line could name it: it has to be the
 * redacted line of that entry, and then still proves its leaf only. */
static void lines_that_name_the_leaf(void)
{
    static const struct {
        const char *begin;
        bool good;
    } all[] = {
        {"{\"seq\":5," RECORD WHEN, true},
        {"{\"seq\":5,\"id\":\"x\"," RECORD WHEN ",\"outcome\":\"skipped\"",
         true},
        {"{\"seq\":4," RECORD WHEN, false},
        {"{\"seq\":6," RECORD WHEN, false},
        {"{\"seq\":5," RECORD "\"payload\":{}," WHEN, false},
        {"{\"seq\":5," RECORD "\"payload\":{}," WHEN SALTED, false},
        {"{\"seq\":5," RECORD WHEN ",\"meta\":{}", false},
        {"{\"seq\":5," RECORD WHEN ",\"merged\":{}", false},
        {"{\"seq\":5," RECORD WHEN SALTED, false},
        {"{\"seq\":5," RECORD WHEN ",\"new\":1", false},
        {"{\"seq\":5," CONTROL, false},
        {"{\"seq\":5", false},
        {"{\"seq\":5,", false},
    };
    struct plog_proof_report r;
    struct plog_error err;
    struct plog_buf b;
    char line[600];
    start();
    inclusion(&b, signer.vkey.name);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        name_leaf(line, sizeof line, all[i].begin);
        err.code = 0;
        int rc = plog_verify_proof(b.data, b.len, vkey, line, strlen(line), &r,
                                   &err);
        bool ok = CHECK_INT(rc, all[i].good ? 0 : PLOG_E_INPUT);
        if (rc)
            ok &= CHECK_TEXT(err.message,
                             "the line is no redacted line of entry 5");
        else
            ok &= CHECK(r.redacted && r.order == 0 && r.seq == SEQ);
        if (!ok)
            printf("# %s\n", line);
        free(r.memory);
    }
    plog_buf_fini(&b);
    plog_signer_fini(&signer);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"of an entry", of_an_entry},
        {"the checkpoint first", the_checkpoint_first},
        {"lines that name the leaf", lines_that_name_the_leaf},
        {"of two sizes", of_two_sizes},
        {"by whom", by_whom},
        {"by two keys", by_two_keys},
        {"of two logs", of_two_logs},
        {"odd lists of keys", odd_lists_of_keys},
        {"the line beside it", the_line_beside_it},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
