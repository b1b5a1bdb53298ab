/* test_tree.c - SHA-256 and the Merkle tree against published vectors and a
 * tree written straight from the text of RFC 6962. */
#include "check.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_MOST ((uint64_t)INT64_MAX)

struct bytes {
    unsigned char data[64];
    size_t n;
};

static bool tree_equal(const struct plog_tree *a, const struct plog_tree *b)
{
    return a->size == b->size && a->count == b->count &&
           memcmp(a->hashes, b->hashes, (size_t)a->count * PLOG_HASH_SIZE) == 0;
}

static struct bytes unhex(const char *hex)
{
    struct bytes out = {.n = strlen(hex) / 2};
    for (size_t i = 0; i < out.n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out.data[i] = (unsigned char)strtoul(two, NULL, 16);
    }
    return out;
}

static void check_hash(const unsigned char *got, const char *hex)
{
    struct bytes want = unhex(hex);
    CHECK_BYTES(got, PLOG_HASH_SIZE, want.data, want.n);
}

/* FIPS 180-2's examples, so that either library is known to be the one. */
static void test_sha256__published_vectors(void)
{
    unsigned char hash[PLOG_HASH_SIZE];
    const char *two_blocks =
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    char *many = malloc(1000000);
    REQUIRE(many);
    memset(many, 'a', 1000000);
    plog_sha256("abc", 3, hash);
    check_hash(hash, "ba7816bf8f01cfea414140de5dae2223"
                     "b00361a396177a9cb410ff61f20015ad");
    plog_sha256(two_blocks, strlen(two_blocks), hash);
    check_hash(hash, "248d6a61d20638b8e5c026930c3e6039"
                     "a33ce45964ff2167f6ecedd419db06c1");
    plog_sha256(many, 1000000, hash);
    check_hash(hash, "cdc76e5c9914fb9281a1c7e284d73e67"
                     "f1809a48a497200e046d39ccc7112cd0");
    plog_hash_empty(hash);
    check_hash(hash, "e3b0c44298fc1c149afbf4c8996fb924"
                     "27ae41e4649b934ca495991b7852b855");
    free(many);
}

/* In parts of any size it is the same. */
static void test_sha256__in_parts(void)
{
    unsigned char text[3000], want[32], got[32];
    struct plog_sha256_state s;
    uint64_t state = check_seed();
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)check_random(&state);
    for (int round = 0; round < 200; round++) {
        size_t n = check_random(&state) % (sizeof text + 1);
        plog_sha256(text, n, want);
        plog_sha256_begin(&s);
        for (size_t at = 0; at < n;) {
            size_t part = check_random(&state) % 200;
            part = part < n - at ? part : n - at;
            plog_sha256_add(&s, part ? text + at : NULL, part);
            at += part;
        }
        plog_sha256_end(&s, got);
        CHECK_BYTES(got, 32, want, 32);
    }
}

/* Leaf and node are what their definition says, and a result may be written
 * over an input. */
static void test_sha256__prefixes(void)
{
    unsigned char text[65] = {0}, want[32], got[32], a[32], b[32];
    memcpy(text + 1, "leaf", 4);
    plog_sha256(text, 5, want);
    plog_hash_leaf("leaf", 4, got);
    CHECK_BYTES(got, 32, want, 32);
    plog_sha256(text, 1, want);
    plog_hash_leaf(NULL, 0, got);
    CHECK_BYTES(got, 32, want, 32);

    memset(a, 0xaa, 32);
    memset(b, 0xbb, 32);
    text[0] = 1;
    memcpy(text + 1, a, 32);
    memcpy(text + 33, b, 32);
    plog_sha256(text, 65, want);
    plog_hash_node(a, b, got);
    CHECK_BYTES(got, 32, want, 32);
    memcpy(got, a, 32);
    plog_hash_node(got, b, got);
    CHECK_BYTES(got, 32, want, 32);
    memcpy(got, b, 32);
    plog_hash_node(a, got, got);
    CHECK_BYTES(got, 32, want, 32);
}

/* The inputs and roots that the Certificate Transparency projects publish. */
static void test_tree__certificate_transparency_roots(void)
{
    static const char *const leaves[] = {"",
                                         "00",
                                         "10",
                                         "2021",
                                         "3031",
                                         "40414243",
                                         "5051525354555657",
                                         "606162636465666768696a6b6c6d6e6f"};
    static const char *const roots[] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    struct plog_tree t;
    unsigned char hash[PLOG_HASH_SIZE];
    plog_tree_init(&t);
    for (size_t i = 0;; i++) {
        plog_tree_root(&t, hash);
        check_hash(hash, roots[i]);
        CHECK_UINT(t.size, i);
        if (i == 8)
            break;
        struct bytes leaf = unhex(leaves[i]);
        plog_hash_leaf(leaf.data, leaf.n, hash);
        CHECK_INT(plog_tree_add(&t, hash), 0);
    }
}

/* RFC 6962, 2.1, word for word: MTH over n leaves splits at the largest power
 * of two below n. */
static void naive_root(const unsigned char *leaves, size_t n,
                       unsigned char *out)
{
    unsigned char left[32], right[32];
    size_t k = 1;
    if (n == 0) {
        plog_sha256("", 0, out);
        return;
    }
    if (n == 1) {
        memcpy(out, leaves, 32);
        return;
    }
    while (2 * k < n)
        k *= 2;
    naive_root(leaves, k, left);
    naive_root(leaves + 32 * k, n - k, right);
    plog_hash_node(left, right, out);
}

static unsigned char *random_leaves(size_t n)
{
    unsigned char *leaves = malloc(n * 32);
    uint64_t state = check_seed();
    for (size_t i = 0; leaves && i < n; i++) {
        uint64_t r = check_random(&state);
        plog_hash_leaf(&r, r % (sizeof r + 1), leaves + 32 * i);
    }
    return leaves;
}

static unsigned ones(uint64_t n)
{
    return n ? (unsigned)(n & 1) + ones(n >> 1) : 0;
}

static void test_tree__agrees_with_the_definition(void)
{
    enum { MOST = 5000 };
    unsigned char *leaves = random_leaves(MOST), got[32], want[32];
    uint64_t state = check_seed() + 1;
    struct plog_tree t;
    REQUIRE(leaves);
    plog_tree_init(&t);
    for (size_t n = 0;; n++) {
        if (n <= 300 || check_random(&state) % 100 == 0 || n == MOST) {
            plog_tree_root(&t, got);
            naive_root(leaves, n, want);
            CHECK_BYTES(got, 32, want, 32);
        }
        CHECK_UINT(t.count, ones(n));
        if (n == MOST)
            break;
        CHECK_INT(plog_tree_add(&t, leaves + 32 * n), 0);
    }
    free(leaves);
}

/* A range stored at any size goes on exactly as the one that never was. */
static void test_tree__load_goes_on_where_it_was_stored(void)
{
    enum { MOST = 140 };
    unsigned char *leaves = random_leaves(MOST), got[32], want[32];
    struct plog_tree t, again;
    REQUIRE(leaves);
    plog_tree_init(&t);
    for (size_t n = 0; n < MOST; n++) {
        unsigned count = t.count;
        REQUIRE(plog_tree_load(&again, n, t.count ? t.hashes[0] : NULL,
                               t.count) == 0);
        CHECK(tree_equal(&t, &again));
        REQUIRE(plog_tree_add(&t, leaves + 32 * n) == 0);
        CHECK(!tree_equal(&t, &again));
        REQUIRE(plog_tree_add(&again, leaves + 32 * n) == 0);
        CHECK(tree_equal(&t, &again));
        plog_tree_root(&t, want);
        plog_tree_root(&again, got);
        CHECK_BYTES(got, 32, want, 32);
        CHECK(t.count <= count + 1);
    }
    again.hashes[again.count - 1][31] ^= 1;
    CHECK(!tree_equal(&t, &again));
    free(leaves);
}

static void test_tree__load_refuses_counts_that_do_not_fit(void)
{
    unsigned char hashes[PLOG_TREE_HASHES + 1][PLOG_HASH_SIZE] = {{0}};
    struct plog_tree t;
    for (uint64_t size = 0; size < 70; size++)
        for (unsigned count = 0; count <= PLOG_TREE_HASHES + 1; count++)
            CHECK_INT(plog_tree_load(&t, size, hashes[0], count),
                      count == ones(size) ? 0 : PLOG_E_CORRUPT);
    CHECK_INT(plog_tree_load(&t, SIZE_MOST, hashes[0], 63), 0);
    CHECK_INT(plog_tree_load(&t, SIZE_MOST, hashes[0], 62), PLOG_E_CORRUPT);
    CHECK_INT(plog_tree_load(&t, SIZE_MOST + 1, hashes[0], 1), PLOG_E_CORRUPT);
    CHECK_INT(plog_tree_load(&t, UINT64_MAX, hashes[0], 64), PLOG_E_CORRUPT);
    CHECK_INT(plog_tree_load(&t, 7, hashes[0], UINT32_MAX), PLOG_E_CORRUPT);
}

/* The last leaf goes in, the one after it does not and changes nothing. */
static void test_tree__largest_size(void)
{
    unsigned char hashes[PLOG_TREE_HASHES][PLOG_HASH_SIZE] = {{0}};
    unsigned char leaf[32] = {1}, before[32], after[32];
    struct plog_tree t;
    REQUIRE(plog_tree_load(&t, SIZE_MOST - 1, hashes[0], 62) == 0);
    CHECK_INT(plog_tree_add(&t, leaf), 0);
    CHECK_UINT(t.count, 63);
    CHECK_UINT(t.size, SIZE_MOST);
    CHECK_BYTES(t.hashes[62], 32, leaf, 32);
    plog_tree_root(&t, before);
    CHECK_INT(plog_tree_add(&t, leaf), PLOG_E_ARG);
    CHECK_UINT(t.size, SIZE_MOST);
    plog_tree_root(&t, after);
    CHECK_BYTES(after, 32, before, 32);

    /* 62 carries in one addition */
    REQUIRE(plog_tree_load(&t, (UINT64_C(1) << 62) - 1, hashes[0], 62) == 0);
    CHECK_INT(plog_tree_add(&t, leaf), 0);
    CHECK_UINT(t.count, 1);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"sha256__published_vectors", test_sha256__published_vectors},
        {"sha256__in_parts", test_sha256__in_parts},
        {"sha256__prefixes", test_sha256__prefixes},
        {"tree__certificate_transparency_roots",
         test_tree__certificate_transparency_roots},
        {"tree__agrees_with_the_definition",
         test_tree__agrees_with_the_definition},
        {"tree__load_goes_on_where_it_was_stored",
         test_tree__load_goes_on_where_it_was_stored},
        {"tree__load_refuses_counts_that_do_not_fit",
         test_tree__load_refuses_counts_that_do_not_fit},
        {"tree__largest_size", test_tree__largest_size},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
