/*
 * test_rotation.c - the arguments of a rotate and of a restore entry, one
 * thing wrong at a time; and the chain of keys that they make.
 *
 * These are texts that somebody else wrote, and what they say decides who may
 * sign: test_rotate.c has whole logs, this has what is in them.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rotate.h"

#define SIZE 7

static struct plog_signer a, b, restored;
static unsigned char root[PLOG_HASH_SIZE];
static struct plog_buf args;

static void start(const char *name)
{
    const struct plog_io *io = plog_io_posix();
    plog_buf_init(&args, io);
    CHECK_INT(plog_signer_generate(&a, io, name, NULL), 0);
    CHECK_INT(plog_signer_generate(&b, io, name, NULL), 0);
    CHECK_INT(plog_signer_generate(&restored, io, "a.copy", NULL), 0);
    memset(root, 7, sizeof root);
}

static void end(void)
{
    plog_buf_fini(&args);
    plog_signer_fini(&a);
    plog_signer_fini(&b);
    plog_signer_fini(&restored);
}

static void make(bool restores, uint64_t size)
{
    args.len = 0;
    CHECK_INT(restores
                  ? plog_restore_make(&args, size, root, &a.vkey, &restored)
                  : plog_rotation_make(&args, size, root, &a, &b),
              0);
}

static int parse(bool restores, struct plog_span text, uint64_t seq,
                 struct plog_rotation *r)
{
    return restores ? plog_restore_parse(text, seq, r)
                    : plog_rotation_parse(text, seq, r);
}

/* ---- Read back ------------------------------------------------------------
 */

/* A name may hold what JSON escapes. */
static void round_trip(void)
{
    static const char *const names[] = {"plain", "a\"quoted\"", "back\\slash",
                                        "\\\"\\\"\\\\"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int restores = 0; restores < 2; restores++) {
            struct plog_rotation r;
            start(names[i]);
            make(restores, SIZE);
            CHECK_INT(parse(restores, plog_span(args.data, args.len),
                            SIZE + (uint64_t)restores, &r),
                      0);
            CHECK(r.restores == restores);
            CHECK_UINT(r.size, SIZE);
            CHECK_TEXT(r.old_key.name, names[i]);
            CHECK_TEXT(r.new_key.name, restores ? "a.copy" : names[i]);
            CHECK_BYTES(r.root, sizeof r.root, root, sizeof root);
            CHECK(plog_vkey_same(&r.old_key, &a.vkey));
            CHECK(plog_vkey_same(&r.new_key,
                                 restores ? &restored.vkey : &b.vkey));
            end();
        }
}

/* What both keys sign is a text that stands in the format: its first line tells
 * a rotation from a copy that goes on. */
static void what_is_signed(void)
{
    char both[2][PLOG_VKEY_MAX], text[1000];
    struct plog_rotation r;
    struct plog_buf hash;
    start("log");
    plog_buf_init(&hash, plog_io_posix());
    CHECK_INT(plog_buf_add_base64(&hash, root, sizeof root), 0);
    plog_vkey_format(&a.vkey, both[0]);
    for (int restores = 0; restores < 2; restores++) {
        const struct plog_vkey *to = restores ? &restored.vkey : &b.vkey;
        make(restores, SIZE);
        CHECK_INT(parse(restores, plog_span(args.data, args.len),
                        SIZE + (uint64_t)restores, &r),
                  0);
        plog_vkey_format(to, both[1]);
        int n = snprintf(text, sizeof text,
                         "paritylog %s, format 1\nlog\n%d\n%.*s\n%s\n%s\n",
                         restores ? "restored copy" : "key rotation", SIZE,
                         (int)hash.len, hash.data, both[0], both[1]);
        const unsigned char *p = (const unsigned char *)text;
        CHECK_INT(crypto_sign_verify_detached(
                      r.new_sig, p, (unsigned long long)n, to->public_key),
                  0);
        if (!restores)
            CHECK_INT(crypto_sign_verify_detached(r.old_sig, p,
                                                  (unsigned long long)n,
                                                  a.vkey.public_key),
                      0);
    }
    plog_buf_fini(&hash);
    end();
}

/* ---- One thing wrong ------------------------------------------------------
 */

struct change {
    const char *what, *to;
    int code;
    bool only; /* of a rotation, not of a restore */
};

static void changed(bool restores, const struct change *c)
{
    struct plog_rotation r;
    struct plog_buf text;
    plog_buf_init(&text, plog_io_posix());
    char *at = memmem(args.data, args.len, c->what, strlen(c->what));
    REQUIRE(at != NULL);
    size_t before = (size_t)(at - args.data), skip = strlen(c->what);
    CHECK_INT(plog_buf_add(&text, args.data, before), 0);
    CHECK_INT(plog_buf_add_text(&text, c->to), 0);
    CHECK_INT(plog_buf_add(&text, at + skip, args.len - before - skip), 0);
    int rc = parse(restores, plog_span(text.data, text.len),
                   SIZE + (uint64_t)restores, &r);
    if (!CHECK_INT(rc, c->code))
        printf("# %s: `%s` -> `%s`\n", restores ? "restore" : "rotate", c->what,
               c->to);
    plog_buf_fini(&text);
}

static void one_wrong(void)
{
    static char long_name[800];
    memset(long_name, 'x', sizeof long_name - 1);
    memcpy(long_name, "\"old\":\"", 7);
    static const struct change all[] = {
        {"\"size\":", "\"size\":1", PLOG_E_CORRUPT, false},
        {"\"size\":", "\"size\":-", PLOG_E_CORRUPT, false},
        {"\"size\":", "\"length\":", PLOG_E_CORRUPT, false},
        /* a name that only begins like it, and one that goes on */
        {"\"size\":", "\"siz\":", PLOG_E_CORRUPT, false},
        {"\"root\":", "\"\":", PLOG_E_CORRUPT, false},
        {"\"old\":", "\"olds\":", PLOG_E_CORRUPT, false},
        {"\"new\":", "\"ne\":", PLOG_E_CORRUPT, false},
        {"\"new_sig\":", "\"new_si\":", PLOG_E_CORRUPT, true},
        {"\"root\":", "\"root\":7,\"x\":", PLOG_E_CORRUPT, false},
        {"\"root\":\"", "\"root\":\"A", PLOG_E_CORRUPT, false},
        {"\"root\":\"B", "\"root\":\"C", PLOG_E_TAMPERED, false},
        {"\"old\":", "\"old\":{\"x\":1},\"y\":", PLOG_E_CORRUPT, false},
        {"\"old\":\"", long_name, PLOG_E_CORRUPT, false},
        {"\"old\":\"log", "\"old\":\"loG", PLOG_E_CORRUPT, false},
        {"\"old\":\"log", "\"old\":\"\\u006cog", PLOG_E_CORRUPT, false},
        {"\"old\":\"log", "\"old\":\"l\\/og", PLOG_E_CORRUPT, false},
        {"\"new\":", "\"new\":null,\"n\":", PLOG_E_CORRUPT, false},
        {"\"new_sig\":\"", "\"new_sig\":\"A", PLOG_E_CORRUPT, true},
        {"\"old_sig\":\"", "\"old_sig\":\"A", PLOG_E_CORRUPT, true},
        {"\"old_sig\":\"", "\"old_sig\":{},\"x\":\"", PLOG_E_CORRUPT, true},
        {"{", "{\"more\":1,", PLOG_E_CORRUPT, false},
        {"\"}", "\",\"more\":1}", PLOG_E_CORRUPT, false},
    };
    start("log");
    for (int restores = 0; restores < 2; restores++) {
        make(restores, SIZE);
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            if (!restores || !all[i].only)
                changed(restores, &all[i]);
    }
    /* Members that are no strings, all else in its place. */
    static const char *const members[] = {"root", "old", "new", "old_sig",
                                          "new_sig"};
    for (size_t i = 0; i < 5; i++) {
        char name[20];
        struct plog_rotation r;
        make(false, SIZE);
        snprintf(name, sizeof name, "\"%s\":\"", members[i]);
        char *at = memmem(args.data, args.len, name, strlen(name));
        REQUIRE(at != NULL);
        at += strlen(name) - 1;
        char *stop = memchr(at + 1, '"', args.len - (size_t)(at - args.data));
        memset(at, '1', (size_t)(stop + 1 - at)); /* a long number */
        CHECK_INT(plog_rotation_parse(plog_span(args.data, args.len), SIZE, &r),
                  PLOG_E_CORRUPT);
    }
    end();
}

/* The same key in another spelling: our entries have one. */
static void another_spelling(void)
{
    static const struct change slash = {"\"old\":\"a/b", "\"old\":\"a\\/b",
                                        PLOG_E_CORRUPT, false};
    start("a/b");
    for (int restores = 0; restores < 2; restores++) {
        make(restores, SIZE);
        changed(restores, &slash);
    }
    end();
}

/* Each entry stands where it says: a rotation is the last that the old key
 * signs, a restore the first of the new one. */
static void the_place(void)
{
    struct plog_rotation r;
    start("log");
    for (int restores = 0; restores < 2; restores++) {
        make(restores, SIZE);
        for (uint64_t seq = SIZE - 1; seq <= SIZE + 2; seq++)
            CHECK_INT(parse(restores, plog_span(args.data, args.len), seq, &r),
                      seq == SIZE + (uint64_t)restores ? 0 : PLOG_E_CORRUPT);
    }
    /* No log has so many entries; what both keys sign cannot say it. */
    static const char most[] = "9223372036854775808";
    for (int restores = 0; restores < 2; restores++) {
        struct plog_buf text;
        make(restores, SIZE);
        plog_buf_init(&text, plog_io_posix());
        CHECK_INT(plog_buf_add_text(&text, "{\"size\":"), 0);
        CHECK_INT(plog_buf_add_text(&text, most), 0);
        char *rest = memchr(args.data, ',', args.len);
        CHECK_INT(
            plog_buf_add(&text, rest, args.len - (size_t)(rest - args.data)),
            0);
        CHECK_INT(parse(restores, plog_span(text.data, text.len),
                        ((uint64_t)1 << 63) + (uint64_t)restores, &r),
                  PLOG_E_CORRUPT);
        plog_buf_fini(&text);
    }
    CHECK_INT(plog_rotation_make(&args, UINT64_MAX, root, &a, &b), PLOG_E_ARG);
    CHECK_INT(plog_restore_make(&args, UINT64_MAX, root, &a.vkey, &restored),
              PLOG_E_ARG);
    end();
}

static int sevens(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 7, n);
    return 0;
}

/* Two names for the key that `sevens` gives, for which the id, 32 bits of a
 * hash of both, is the same. */
static const char *const twins[] = {"log-1220", "log-170255"};

/* Nobody could tell them apart by it: a copy may not go on so. */
static void two_keys_of_one_id(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_signer one, other;
    struct plog_rotation r;
    io.random = sevens;
    start("log");
    CHECK_INT(plog_signer_generate(&one, &io, twins[0], NULL), 0);
    CHECK_INT(plog_signer_generate(&other, &io, twins[1], NULL), 0);
    CHECK_TEXT(one.vkey.id_text, other.vkey.id_text);
    args.len = 0;
    CHECK_INT(plog_restore_make(&args, SIZE, root, &one.vkey, &other), 0);
    CHECK_INT(plog_restore_parse(plog_span(args.data, args.len), SIZE + 1, &r),
              PLOG_E_CORRUPT);
    args.len = 0; /* each of them may go on as a third one */
    CHECK_INT(plog_restore_make(&args, SIZE, root, &one.vkey, &restored), 0);
    CHECK_INT(plog_restore_parse(plog_span(args.data, args.len), SIZE + 1, &r),
              0);
    plog_signer_fini(&one);
    plog_signer_fini(&other);
    end();
}

/* Well signed, and still not what such an entry may say. */
static void the_keys(void)
{
    struct plog_rotation r;
    struct plog_signer mixed;
    start("log");
    args.len = 0; /* from a key to itself */
    CHECK_INT(plog_rotation_make(&args, SIZE, root, &a, &a), 0);
    CHECK_INT(plog_rotation_parse(plog_span(args.data, args.len), SIZE, &r),
              PLOG_E_CORRUPT);
    args.len = 0; /* a rotation keeps the name, a restore changes it */
    CHECK_INT(plog_rotation_make(&args, SIZE, root, &a, &restored), 0);
    CHECK_INT(plog_rotation_parse(plog_span(args.data, args.len), SIZE, &r),
              PLOG_E_CORRUPT);
    args.len = 0;
    CHECK_INT(plog_restore_make(&args, SIZE, root, &a.vkey, &b), 0);
    CHECK_INT(plog_restore_parse(plog_span(args.data, args.len), SIZE + 1, &r),
              PLOG_E_CORRUPT);
    args.len = 0; /* a secret that is not this key's, and none */
    mixed = (struct plog_signer){.vkey = a.vkey, .secret = b.secret};
    CHECK_INT(plog_rotation_make(&args, SIZE, root, &mixed, &b), PLOG_E_KEY);
    CHECK_INT(plog_rotation_make(&args, SIZE, root, &b, &mixed), PLOG_E_KEY);
    mixed.secret = NULL;
    CHECK_INT(plog_restore_make(&args, SIZE, root, &a.vkey, &mixed),
              PLOG_E_KEY);
    CHECK_UINT(args.len, 0);
    end();
}

/* ---- The chain ------------------------------------------------------------
 */

/* A key of a name with any id: the chain asks for no more. */
static struct plog_vkey key(const char *name, const char *id, char byte)
{
    struct plog_vkey k = {.name = ""};
    snprintf(k.name, sizeof k.name, "%s", name);
    snprintf(k.id_text, sizeof k.id_text, "%s", id);
    memset(k.public_key, byte, sizeof k.public_key);
    return k;
}

static int rotate(struct plog_keychain *k, struct plog_vkey from,
                  struct plog_vkey to, uint64_t size, bool restores,
                  const char **why)
{
    struct plog_rotation r = {
        .size = size, .old_key = from, .new_key = to, .restores = restores};
    *why = "";
    return plog_keychain_rotate(k, &r, why);
}

static void chain(void)
{
    static struct plog_keychain k;
    const struct plog_vkey one = key("log", "00000001", 1),
                           two = key("log", "00000002", 2),
                           three = key("log", "00000003", 3),
                           copy = key("copy", "00000004", 4);
    const char *why;
    memset(&k, 0, sizeof k);
    CHECK(plog_keychain_at(&k, 5) == NULL);
    CHECK_TEXT(plog_keychain_name(&k, 5, "none"), "none");
    for (int restores = 0; restores < 2; restores++) { /* from none at all */
        CHECK_INT(rotate(&k, one, two, 5, restores, &why), PLOG_E_CORRUPT);
        CHECK_TEXT(why, "a rotation away from a key that is not in force");
    }
    CHECK_UINT(k.count, 0);
    CHECK_INT(plog_keychain_add(&k, &one, 9), 0); /* the first: from 0 on */
    CHECK_TEXT(plog_keychain_name(&k, 5, "none"), "log");
    CHECK_INT(rotate(&k, two, three, 5, false, &why), PLOG_E_CORRUPT);
    CHECK_INT(rotate(&k, one, two, 5, false, &why), 0);
    CHECK_TEXT(plog_keychain_at(&k, 5)->id_text, one.id_text);
    CHECK_TEXT(plog_keychain_at(&k, 6)->id_text, two.id_text);
    CHECK_INT(rotate(&k, one, two, 5, false, &why), 0); /* as it is known */
    CHECK_UINT(k.count, 2);
    CHECK_INT(rotate(&k, one, two, 4, false, &why), PLOG_E_CORRUPT);
    CHECK_TEXT(why, "a rotation to a key id that this log has used");
    CHECK_INT(rotate(&k, one, three, 5, false, &why), PLOG_E_CORRUPT);
    CHECK_TEXT(why, "a rotation where the store knows another one");
    CHECK_INT(rotate(&k, one, three, 4, false, &why), PLOG_E_CORRUPT);
    CHECK_TEXT(why, "a rotation where the store knows another one");
    CHECK_INT(rotate(&k, two, one, 8, false, &why), PLOG_E_CORRUPT);
    CHECK_TEXT(why, "a rotation to a key id that this log has used");
    /* The restore that is known, and it again from another place. */
    CHECK_INT(rotate(&k, two, copy, 8, true, &why), 0);
    CHECK_TEXT(plog_keychain_name(&k, 9, "none"), "copy");
    CHECK_TEXT(plog_keychain_name(&k, 8, "none"), "log");
    CHECK_INT(rotate(&k, two, copy, 8, true, &why), 0);
    CHECK_UINT(k.count, 3);
    CHECK_INT(rotate(&k, two, copy, 9, true, &why), PLOG_E_CORRUPT);
    CHECK_TEXT(why, "a rotation away from a key that is not in force");
    CHECK_INT(rotate(&k, one, copy, 8, true, &why), PLOG_E_CORRUPT);
    CHECK_UINT(k.count, 3);
}

static void as_many_as_there_may_be(void)
{
    static struct plog_keychain k;
    struct plog_vkey last = key("log", "first", 0);
    const char *why;
    memset(&k, 0, sizeof k);
    CHECK_INT(plog_keychain_add(&k, &last, 0), 0);
    for (unsigned i = 1; i <= PLOG_KEYS_MAX; i++) {
        char id[PLOG_KEYID_TEXT];
        snprintf(id, sizeof id, "%08u", i);
        struct plog_vkey next = key("log", id, (char)i);
        int rc = rotate(&k, last, next, i * 2, false, &why);
        CHECK_INT(rc, i < PLOG_KEYS_MAX ? 0 : PLOG_E_CORRUPT);
        last = next;
    }
    CHECK_TEXT(why, "more rotations than a log may have");
    CHECK_UINT(k.count, PLOG_KEYS_MAX);
    CHECK_INT(plog_keychain_add(&k, &last, 999), PLOG_E_CORRUPT);
    CHECK_UINT(k.count, PLOG_KEYS_MAX);
}

/* A trusted key is one of the log's when all of it is the same, and the log
 * still has its name. */
static void anchored(void)
{
    static struct plog_keychain k;
    static struct plog_keyring ring;
    struct plog_error err = {.code = 0};
    const char *why;
    memset(&k, 0, sizeof k);
    memset(&ring, 0, sizeof ring);
    CHECK_INT(plog_keychain_check(&k, &ring, &err), 0); /* nothing to check */
    const struct plog_vkey log = key("log", "00000001", 1),
                           copy = key("copy", "00000002", 2);
    const struct {
        struct plog_vkey trusted;
        bool before, behind; /* the restore */
    } all[] = {
        {log, true, false},
        {copy, false, true},
        {key("log", "00000003", 1), false, false}, /* another id */
        {key("log", "00000001", 9), false, false}, /* the id of another key */
        {key("lag", "00000001", 1), false, false},
        {key("log", "00000002", 2), false, false},
    };
    ring.count = 1;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ring.keys[0] = all[i].trusted;
        k.count = 0;
        CHECK_INT(plog_keychain_add(&k, &log, 0), 0);
        CHECK(plog_keychain_anchored(&k, &ring) == all[i].before);
        CHECK_INT(rotate(&k, log, copy, 5, true, &why), 0);
        CHECK(plog_keychain_anchored(&k, &ring) == all[i].behind);
        CHECK_INT(plog_keychain_check(&k, &ring, &err),
                  all[i].behind ? 0 : PLOG_E_UNKNOWN_KEY);
    }
    CHECK(strstr(err.message, "its last one is 00000002") != NULL);
}

/* Who only copied the log can give it another name and then the first one
 * again: his key is not one that the first key vouches for. */
static void the_name_came_back(void)
{
    static struct plog_keychain k;
    static struct plog_keyring ring;
    const char *why;
    const struct plog_vkey own = key("log", "00000001", 1),
                           next = key("log", "00000002", 2),
                           between = key("copy", "00000003", 3),
                           back = key("log", "00000004", 4),
                           last = key("log", "00000005", 5);
    const struct {
        struct plog_vkey trusted;
        bool anchored;
    } all[] = {
        {own, false}, {next, false}, {between, false},
        {back, true}, {last, true},
    };
    memset(&k, 0, sizeof k);
    memset(&ring, 0, sizeof ring);
    CHECK_INT(plog_keychain_add(&k, &own, 0), 0);
    CHECK_INT(rotate(&k, own, next, 3, false, &why), 0);
    CHECK_INT(rotate(&k, next, between, 5, true, &why), 0);
    CHECK_INT(rotate(&k, between, back, 7, true, &why), 0);
    CHECK_INT(rotate(&k, back, last, 9, false, &why), 0);
    ring.count = 1;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ring.keys[0] = all[i].trusted;
        CHECK(plog_keychain_anchored(&k, &ring) == all[i].anchored);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"round trip", round_trip},
        {"what is signed", what_is_signed},
        {"one wrong", one_wrong},
        {"another spelling", another_spelling},
        {"the place", the_place},
        {"two keys of one id", two_keys_of_one_id},
        {"the keys", the_keys},
        {"the chain", chain},
        {"as many as there may be", as_many_as_there_may_be},
        {"anchored", anchored},
        {"the name came back", the_name_came_back},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
