/* test_key.c - signing keys, their text forms and files, and the keyring.
 *
 * A rig is the real I/O table with a counted heap, counted calls and a
 * random source that repeats, so that each may be made to fail at its n-th
 * use. */
#include "check.h"
#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

#define ORIGIN "example.com/log"
#define VKEY ORIGIN "+cc714670+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"
#define SKEY                                                                   \
    "PRIVATE+KEY+" ORIGIN                                                      \
    "+cc714670+AZ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"
#define OTHER_VKEY                                                             \
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define OPS 1u
#define MEM_KIB 8u

struct rig {
    struct plog_io io;
    uint64_t random_state;
    const unsigned char *seed;    /* given out first, when set */
    long allocs_left, calls_left; /* < 0: never fail */
    bool random_fails;
    long randoms_left;
};

static bool spent(long *left)
{
    if (*left <= 0)
        return *left == 0; /* and so on: it stays broken */
    (*left)--;
    return false;
}

static void *rig_alloc(void *ctx, void *p, size_t n)
{
    struct rig *r = ctx;
    if (n > 0 && spent(&r->allocs_left))
        return NULL;
    return plog_io_posix()->alloc(NULL, p, n);
}

static int rig_random(void *ctx, void *buf, size_t n)
{
    struct rig *r = ctx;
    if (r->random_fails || spent(&r->randoms_left))
        return -EIO;
    for (size_t i = 0; i < n; i++) {
        uint64_t any = check_random(&r->random_state);
        ((unsigned char *)buf)[i] = r->seed ? r->seed[i] : (unsigned char)any;
    }
    r->seed = NULL;
    return 0;
}

static int rig_open_at(void *ctx, int dir, const char *name, int flags,
                       uint32_t mode)
{
    struct rig *r = ctx;
    if (spent(&r->calls_left))
        return -EIO;
    return plog_io_posix()->open_at(NULL, dir, name, flags, mode);
}

static int64_t rig_pwrite(void *ctx, int fd, const void *p, size_t n,
                          uint64_t offset)
{
    struct rig *r = ctx;
    if (spent(&r->calls_left))
        return -EIO;
    return plog_io_posix()->pwrite(NULL, fd, p, n > 16 ? 16 : n, offset);
}

static int rig_fdatasync(void *ctx, int fd)
{
    struct rig *r = ctx;
    return spent(&r->calls_left) ? -EIO : plog_io_posix()->fdatasync(NULL, fd);
}

static int rig_fsync(void *ctx, int fd)
{
    struct rig *r = ctx;
    return spent(&r->calls_left) ? -EIO : plog_io_posix()->fsync(NULL, fd);
}

static int rig_rename_at(void *ctx, int old_dir, const char *old_name,
                         int new_dir, const char *new_name, bool replace)
{
    struct rig *r = ctx;
    if (spent(&r->calls_left))
        return -EIO;
    return plog_io_posix()->rename_at(NULL, old_dir, old_name, new_dir,
                                      new_name, replace);
}

static void rig_init(struct rig *r)
{
    memset(r, 0, sizeof *r);
    r->io = *plog_io_posix();
    r->io.ctx = r;
    r->io.alloc = rig_alloc;
    r->io.random = rig_random;
    r->io.open_at = rig_open_at;
    r->io.pwrite = rig_pwrite;
    r->io.fdatasync = rig_fdatasync;
    r->io.fsync = rig_fsync;
    r->io.rename_at = rig_rename_at;
    r->random_state = check_seed();
    r->allocs_left = r->calls_left = r->randoms_left = -1;
}

static void unhex(const char *hex, unsigned char *out)
{
    for (size_t i = 0; hex[2 * i]; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (unsigned char)strtoul(two, NULL, 16);
    }
}

static int open_dir(const char *path)
{
    int fd = plog_io_posix()->open_at(NULL, AT_FDCWD, path,
                                      O_RDONLY | O_DIRECTORY, 0);
    CHECK(fd >= 0);
    return fd;
}

static int fresh_dir(void)
{
    return open_dir(check_dir());
}

static void put_file(int dir, const char *name, const char *text, size_t n,
                     mode_t mode)
{
    unlinkat(dir, name, 0);
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0 && write(fd, text, n) == (ssize_t)n);
    CHECK(fchmod(fd, mode) == 0);
    close(fd);
}

static void put_text(int dir, const char *name, const char *text, mode_t mode)
{
    put_file(dir, name, text, strlen(text), mode);
}

static unsigned mode_of(int dir, const char *name)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
        return 0;
    return st.st_mode & 07777;
}

static int count_name(void *arg, const char *name)
{
    (void)name;
    ++*(int *)arg;
    return 0;
}

static int files_in(int dir)
{
    int n = 0;
    CHECK_INT(plog_io_posix()->list(NULL, dir, count_name, &n), 0);
    return n;
}

static struct plog_signer golden(void)
{
    struct plog_signer s;
    CHECK_INT(plog_signer_parse(&s, plog_span_text(SKEY), NULL, NULL), 0);
    return s;
}

static bool same_key(const struct plog_signer *a, const struct plog_signer *b)
{
    return a->secret && b->secret && !sodium_memcmp(a->secret, b->secret, 64) &&
           !strcmp(a->vkey.name, b->vkey.name) &&
           !memcmp(a->vkey.public_key, b->vkey.public_key, 32) &&
           !memcmp(a->vkey.id, b->vkey.id, 4) &&
           !strcmp(a->vkey.id_text, b->vkey.id_text);
}

/* ---- Signers ------------------------------------------------------------ */

/* RFC 8032, 7.1, tests 1 to 3: public key and signature from the seed. */
static void test_key__published_vectors(void)
{
    static const struct {
        const char *seed, *public_key, *message, *sig;
    } vectors[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
         "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
         "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
         "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
         "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        unsigned char seed[32], want[64], message[2], sig[64];
        struct plog_signer s;
        struct rig r;
        rig_init(&r);
        unhex(vectors[i].seed, seed);
        r.seed = seed;
        REQUIRE(plog_signer_generate(&s, &r.io, ORIGIN, NULL) == 0);
        unhex(vectors[i].public_key, want);
        CHECK_BYTES(s.vkey.public_key, 32, want, 32);
        unhex(vectors[i].message, message);
        crypto_sign_detached(sig, NULL, message, strlen(vectors[i].message) / 2,
                             s.secret);
        unhex(vectors[i].sig, want);
        CHECK_BYTES(sig, 64, want, 64);
        plog_signer_fini(&s);
    }
}

static void test_key__generate(void)
{
    struct plog_signer a, b;
    struct plog_error err;
    struct rig r;
    rig_init(&r);
    REQUIRE(plog_signer_generate(&a, &r.io, ORIGIN, &err) == 0);
    REQUIRE(plog_signer_generate(&b, &r.io, ORIGIN, &err) == 0);
    CHECK(!same_key(&a, &b));
    plog_signer_fini(&a);
    plog_signer_fini(&a);
    plog_signer_fini(&b);
    CHECK_INT(plog_signer_generate(&a, &r.io, "a b", &err), PLOG_E_ARG);
    CHECK(!a.secret);
    CHECK_INT(plog_signer_generate(&a, &r.io, "a+b", &err), PLOG_E_ARG);
    CHECK_INT(plog_signer_generate(&a, &r.io, "", &err), PLOG_E_ARG);
    r.random_fails = true;
    CHECK_INT(plog_signer_generate(&a, &r.io, ORIGIN, &err), PLOG_E_IO);
    CHECK_INT(err.code, PLOG_E_IO);
    CHECK(!a.secret);
    plog_signer_fini(&a);
}

/* The same bytes as OpenSSL's, and nothing without a check. */
static void test_key__sign(void)
{
    unsigned char root[32], sig[64], want[64], none[64] = {0};
    struct plog_signer s = golden();
    REQUIRE(s.secret);
    unhex("222b0bd51fcef7e65c2e62db2ed65457013bab56be6fafeb19ee11d453153c80",
          root);
    unhex("63d0d2f83ece7aeb504a1efa8f6c2526389f53e9c85afbd9dd622d21f15d7859"
          "ae23b4da943ccc3971789ce5231c1cd6533291b624e8177321108f35f15a640a",
          want);
    CHECK_INT(plog_signer_sign(&s, ORIGIN, 5, root, sig), 0);
    CHECK_BYTES(sig, 64, want, 64);
    CHECK(plog_checkpoint_verify(&s.vkey, ORIGIN, 5, root, sig));
    CHECK(!plog_checkpoint_verify(&s.vkey, "foreign", 5, root, sig));

    memset(sig, 0, sizeof sig);
    CHECK_INT(plog_signer_sign(&s, "a b", 5, root, sig), PLOG_E_ARG);
    CHECK_INT(plog_signer_sign(&s, ORIGIN, UINT64_MAX, root, sig), PLOG_E_ARG);
    s.vkey.public_key[0] ^= 1; /* the pair does not fit any more */
    CHECK_INT(plog_signer_sign(&s, ORIGIN, 5, root, sig), PLOG_E_KEY);
    s.vkey.public_key[0] ^= 1;
    sodium_mprotect_readwrite(s.secret);
    s.secret[3] ^= 1; /* nor with a secret that rotted in memory */
    CHECK_INT(plog_signer_sign(&s, ORIGIN, 5, root, sig), PLOG_E_KEY);
    plog_signer_fini(&s);
    CHECK_INT(plog_signer_sign(&s, ORIGIN, 5, root, sig), PLOG_E_KEY);
    CHECK_BYTES(sig, 64, none, 64);
}

/* Another signature by the same secret: of a signer that draws its nonce. */
static void sign_otherwise(const struct plog_signer *s, const char *text,
                           size_t n, unsigned char sig[64])
{
    unsigned char az[64], r[32], h[64], k[32];
    crypto_hash_sha512_state st;
    crypto_hash_sha512(az, s->secret, 32);
    az[0] &= 248;
    az[31] = (unsigned char)((az[31] & 127) | 64);
    crypto_core_ed25519_scalar_random(r);
    crypto_scalarmult_ed25519_base_noclamp(sig, r);
    crypto_hash_sha512_init(&st);
    crypto_hash_sha512_update(&st, sig, 32);
    crypto_hash_sha512_update(&st, s->vkey.public_key, 32);
    crypto_hash_sha512_update(&st, (const unsigned char *)text, n);
    crypto_hash_sha512_final(&st, h);
    crypto_core_ed25519_scalar_reduce(k, h);
    crypto_core_ed25519_scalar_mul(k, k, az);
    crypto_core_ed25519_scalar_add(sig + 32, k, r);
}

/* The same answers as verifying, whoever made it, with a secret or without. */
static void test_key__confirms(void)
{
    unsigned char root[32] = {7}, other[32] = {8}, sigs[3][64];
    char text[PLOG_CHECKPOINT_TEXT_MAX];
    struct plog_error err;
    struct rig r;
    struct plog_signer s = golden(), stranger, none = {.secret = NULL};
    REQUIRE(s.secret);
    rig_init(&r);
    CHECK_INT(plog_signer_generate(&stranger, &r.io, ORIGIN, &err), 0);
    size_t n = plog_checkpoint_write(text, ORIGIN, 5, root);
    CHECK_INT(plog_signer_sign(&s, ORIGIN, 5, root, sigs[0]), 0);
    sign_otherwise(&s, text, n, sigs[1]);
    CHECK(memcmp(sigs[0], sigs[1], 64) != 0);
    CHECK_INT(plog_signer_sign(&stranger, ORIGIN, 5, root, sigs[2]), 0);
    const struct plog_signer *whose[] = {&s, &stranger, &none};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            const struct plog_signer *by = whose[i];
            CHECK(plog_signer_confirms(by, &s.vkey, ORIGIN, 5, root, sigs[k]) ==
                  (k < 2));
            CHECK(plog_signer_confirms(by, &stranger.vkey, ORIGIN, 5, root,
                                       sigs[k]) == (k == 2));
            CHECK(!plog_signer_confirms(by, &s.vkey, ORIGIN, 6, root, sigs[k]));
            CHECK(
                !plog_signer_confirms(by, &s.vkey, ORIGIN, 5, other, sigs[k]));
            CHECK(
                !plog_signer_confirms(by, &s.vkey, "other", 5, root, sigs[k]));
            CHECK(
                !plog_signer_confirms(by, &s.vkey, "two\n1", 5, root, sigs[k]));
        }
    for (int bit = 0; bit < 512; bit++) {
        sigs[0][bit / 8] ^= (unsigned char)(1 << bit % 8);
        CHECK(!plog_signer_confirms(&s, &s.vkey, ORIGIN, 5, root, sigs[0]));
        sigs[0][bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    sodium_mprotect_readwrite(s.secret);
    s.secret[3] ^= 1; /* a secret that rotted judges nothing */
    CHECK(plog_signer_confirms(&s, &s.vkey, ORIGIN, 5, root, sigs[0]));
    plog_signer_fini(&s);
    plog_signer_fini(&stranger);
}

/* ---- Text forms --------------------------------------------------------- */

static void test_key__plain_text(void)
{
    struct plog_signer s = golden(), again;
    struct plog_buf b;
    char vkey[PLOG_VKEY_MAX];
    plog_buf_init(&b, plog_io_posix());
    plog_vkey_format(&s.vkey, vkey);
    CHECK_TEXT(vkey, VKEY);
    CHECK_INT(plog_signer_format(&s, plog_io_posix(), NULL, 0, 0, &b), 0);
    CHECK_BYTES(b.data, b.len, SKEY, strlen(SKEY));
    CHECK_INT(
        plog_signer_parse(&again, plog_span(b.data, b.len), "unused", NULL), 0);
    CHECK(same_key(&s, &again));
    plog_signer_fini(&again);
    plog_signer_fini(&s);
    CHECK_INT(plog_signer_format(&s, plog_io_posix(), NULL, 0, 0, &b),
              PLOG_E_KEY);
    plog_buf_fini(&b);
}

/* The encrypted form of the golden key, cheap, in `b`. */
static void seal_golden(struct plog_buf *b, const char *passphrase)
{
    struct plog_signer s = golden();
    struct rig r;
    rig_init(&r);
    plog_buf_init(b, plog_io_posix());
    CHECK_INT(plog_signer_format(&s, &r.io, passphrase, OPS, MEM_KIB, b), 0);
    plog_signer_fini(&s);
}

static void test_key__encrypted_text(void)
{
    struct plog_signer s = golden(), again;
    struct plog_buf b, same;
    struct plog_error err;
    const char *kind = "ENCRYPTED+KEY+" ORIGIN "+cc714670+AQAAAAEAAAAI";
    seal_golden(&b, "open sesame");
    seal_golden(&same, "open sesame");
    CHECK_BYTES(b.data, b.len, same.data, same.len);
    CHECK_BYTES(b.data, strlen(kind), kind, strlen(kind));
    struct plog_span text = plog_span(b.data, b.len);
    CHECK_INT(plog_signer_parse(&again, text, "open sesame", &err), 0);
    CHECK(same_key(&s, &again));
    plog_signer_fini(&again);

    CHECK_INT(plog_signer_parse(&again, text, "open Sesame", &err), PLOG_E_KEY);
    CHECK(strstr(err.message, "wrong passphrase") != NULL);
    CHECK(!again.secret);
    CHECK_INT(plog_signer_parse(&again, text, "", &err), PLOG_E_KEY);
    CHECK(strstr(err.message, "wrong passphrase") != NULL);
    CHECK_INT(plog_signer_parse(&again, text, NULL, &err), PLOG_E_KEY);
    CHECK(strstr(err.message, "no passphrase was given") != NULL);
    CHECK(!strstr(err.message, "wrong"));
    CHECK(err.hint[0] != '\0');
    plog_buf_fini(&b);
    plog_buf_fini(&same);
    plog_signer_fini(&s);
}

static void test_key__format_refuses(void)
{
    struct plog_signer s = golden();
    struct plog_buf b;
    struct rig r;
    rig_init(&r);
    plog_buf_init(&b, &r.io);
    CHECK_INT(plog_signer_format(&s, &r.io, "", OPS, MEM_KIB, &b), PLOG_E_ARG);
    CHECK_INT(plog_signer_format(&s, &r.io, "p", 17, MEM_KIB, &b), PLOG_E_ARG);
    CHECK_INT(plog_signer_format(&s, &r.io, "p", OPS, 7, &b), PLOG_E_ARG);
    CHECK_INT(plog_signer_format(&s, &r.io, "p", OPS, (1u << 20) + 1, &b),
              PLOG_E_ARG);
    r.random_fails = true;
    CHECK_INT(plog_signer_format(&s, &r.io, "p", OPS, MEM_KIB, &b), PLOG_E_IO);
    r.random_fails = false;
    for (int i = 0; i < 2; i++) { /* the salt, the nonce */
        r.randoms_left = i;
        CHECK_INT(plog_signer_format(&s, &r.io, "p", OPS, MEM_KIB, &b),
                  PLOG_E_IO);
    }
    CHECK_UINT(b.len, 0);
    plog_buf_fini(&b);
    plog_signer_fini(&s);
}

/* An encrypted key text with other bytes at `at` of its blob. */
static int parse_patched(size_t at, const unsigned char *p, size_t n,
                         struct plog_error *err)
{
    const size_t head = strlen("ENCRYPTED+KEY+" ORIGIN "+cc714670+");
    unsigned char blob[98];
    struct plog_buf b, text;
    struct plog_signer s;
    seal_golden(&b, "p");
    plog_buf_init(&text, plog_io_posix());
    CHECK_INT(plog_base64_decode(plog_span(b.data + head, b.len - head), blob,
                                 sizeof blob),
              0);
    memcpy(blob + at, p, n);
    CHECK_INT(plog_buf_add(&text, b.data, head), 0);
    CHECK_INT(plog_buf_add_base64(&text, blob, sizeof blob), 0);
    int rc = plog_signer_parse(&s, plog_span(text.data, text.len), "p", err);
    CHECK((rc == 0) == (s.secret != NULL));
    plog_signer_fini(&s);
    plog_buf_fini(&b);
    plog_buf_fini(&text);
    return rc;
}

/* Would take hours and terabytes if they were paid. */
static void test_key__costs_are_refused_before_they_are_paid(void)
{
    static const unsigned char bad[][8] = {
        {0, 0, 0, 17, 0, 0, 0, 8}, {255, 255, 255, 255, 0, 0, 0, 8},
        {0, 0, 0, 1, 0, 16, 0, 1}, {0, 0, 0, 1, 255, 255, 255, 255},
        {0, 0, 0, 0, 0, 0, 0, 8},  {0, 0, 0, 1, 0, 0, 0, 7},
        {0, 0, 0, 1, 0, 0, 0, 0},  {128, 0, 0, 1, 0, 0, 0, 8}};
    static const unsigned char good[8] = {0, 0, 0, 1, 0, 0, 0, 8};
    const unsigned char algorithm = 2;
    struct plog_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(parse_patched(1, bad[i], 8, &err), PLOG_E_KEY);
        CHECK(strstr(err.message, "out of range") != NULL);
    }
    CHECK_INT(parse_patched(1, good, 8, &err), 0);
    CHECK_INT(parse_patched(0, &algorithm, 1, &err), PLOG_E_KEY);
}

/* Each changed bit of the plain form, and the lowest of each byte of the
 * encrypted one (higher ones ask for high costs), is refused. */
static void test_key__every_changed_byte_is_refused(void)
{
    struct plog_signer s;
    char plain[] = SKEY;
    struct plog_buf b;
    for (size_t i = 0; i < sizeof plain - 1; i++)
        for (int bit = 0; bit < 8; bit++) {
            plain[i] = (char)(plain[i] ^ (1 << bit));
            CHECK_INT(plog_signer_parse(&s, plog_span(plain, sizeof plain - 1),
                                        NULL, NULL),
                      PLOG_E_KEY);
            CHECK(!s.secret);
            plain[i] = (char)(plain[i] ^ (1 << bit));
        }
    seal_golden(&b, "p");
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 1;
        CHECK_INT(plog_signer_parse(&s, plog_span(b.data, b.len), "p", NULL),
                  PLOG_E_KEY);
        CHECK(!s.secret);
        b.data[i] ^= 1;
    }
    for (size_t n = 0; n < b.len; n++)
        CHECK_INT(plog_signer_parse(&s, plog_span(b.data, n), "p", NULL),
                  PLOG_E_KEY);
    for (size_t n = 0; n < sizeof plain - 1; n++)
        CHECK_INT(plog_signer_parse(&s, plog_span(plain, n), "p", NULL),
                  PLOG_E_KEY);
    plog_buf_fini(&b);
}

/* ---- The key file ------------------------------------------------------- */

static void test_key_file__round_trip(void)
{
    struct plog_signer s, again;
    struct plog_error err;
    struct plog_buf b;
    struct rig r;
    int dir = fresh_dir();
    rig_init(&r);
    umask(022);
    REQUIRE(plog_signer_generate(&s, &r.io, ORIGIN, &err) == 0);
    CHECK_INT(plog_signer_save(&s, &r.io, dir, NULL, &err), 0);
    CHECK_UINT(mode_of(dir, "signing.key"), 0600);
    char name[32], vkey[PLOG_VKEY_MAX + 1];
    snprintf(name, sizeof name, "%s.vkey", s.vkey.id_text);
    CHECK_UINT(mode_of(dir, name), 0644);
    CHECK_INT(files_in(dir), 2); /* no temporary file is left */
    plog_vkey_format(&s.vkey, vkey);
    strcat(vkey, "\n");
    plog_buf_init(&b, &r.io);
    CHECK_INT(plog_io_read_all(&r.io, dir, name, 4096, &b), 0);
    CHECK_BYTES(b.data, b.len, vkey, strlen(vkey));
    plog_buf_fini(&b);

    REQUIRE(plog_signer_load(&again, &r.io, dir, NULL, &err) == 0);
    CHECK(same_key(&s, &again));
    plog_signer_fini(&s);
    plog_signer_fini(&again);
    close(dir);
}

/* With libsodium's moderate costs, as users get them. */
static void test_key_file__encrypted(void)
{
    struct plog_signer s = golden(), again;
    struct plog_error err;
    int dir = fresh_dir();
    CHECK_INT(plog_signer_save(&s, plog_io_posix(), dir, "", &err), PLOG_E_ARG);
    CHECK_INT(files_in(dir), 0);
    CHECK_INT(plog_signer_save(&s, plog_io_posix(), dir, "secret", &err), 0);
    CHECK_INT(plog_signer_load(&again, plog_io_posix(), dir, NULL, &err),
              PLOG_E_KEY);
    CHECK_TEXT(err.file, "keys/signing.key");
    CHECK_INT(plog_signer_load(&again, plog_io_posix(), dir, "secret", &err),
              0);
    CHECK(same_key(&s, &again));
    plog_signer_fini(&again);
    plog_signer_fini(&s);
    close(dir);
}

static void test_key_file__never_replaced(void)
{
    struct plog_signer s = golden(), other, again;
    struct plog_error err;
    struct rig r;
    int dir = fresh_dir();
    rig_init(&r);
    REQUIRE(plog_signer_generate(&other, &r.io, "other", &err) == 0);
    CHECK_INT(plog_signer_save(&s, &r.io, dir, NULL, &err), 0);
    CHECK_INT(plog_signer_save(&other, &r.io, dir, NULL, &err), PLOG_E_EXISTS);
    CHECK_INT(plog_signer_save(&s, &r.io, dir, NULL, &err), PLOG_E_EXISTS);
    CHECK_INT(files_in(dir), 2);
    REQUIRE(plog_signer_load(&again, &r.io, dir, NULL, &err) == 0);
    CHECK(same_key(&s, &again));

    /* its own vkey left by an unfinished call will do, another's not */
    CHECK_INT(unlinkat(dir, "signing.key", 0), 0);
    CHECK_INT(plog_signer_save(&s, &r.io, dir, NULL, &err), 0);
    CHECK_INT(unlinkat(dir, "signing.key", 0), 0);
    put_text(dir, "cc714670.vkey", OTHER_VKEY "\n", 0644);
    CHECK_INT(plog_signer_save(&s, &r.io, dir, NULL, &err), PLOG_E_EXISTS);
    CHECK_TEXT(err.file, "keys/cc714670.vkey");
    CHECK_INT(files_in(dir), 1);
    plog_signer_fini(&s);
    CHECK_INT(plog_signer_save(&s, &r.io, dir, NULL, &err), PLOG_E_KEY);
    plog_signer_fini(&other);
    plog_signer_fini(&again);
    close(dir);
}

/* What has the name of a verifier key and is another: longer, or no file. */
static void test_key_file__vkey_of_another_kind(void)
{
    struct plog_signer s = golden();
    struct plog_error err;
    char large[4000];
    memset(large, 'x', sizeof large);
    for (int kind = 0; kind < 6; kind++) {
        int dir = fresh_dir();
        if (kind == 0)
            put_file(dir, "cc714670.vkey", large, sizeof large, 0644);
        if (kind == 1)
            CHECK_INT(mkdirat(dir, "cc714670.vkey", 0700), 0);
        if (kind == 2)
            CHECK_INT(symlinkat("x", dir, "cc714670.vkey"), 0);
        if (kind == 3)
            CHECK_INT(mkfifoat(dir, "cc714670.vkey", 0600), 0);
        if (kind == 4)
            put_text(dir, "cc714670.vkey", VKEY, 0644); /* without its LF */
        if (kind == 5)
            put_text(dir, "cc714670.vkey", VKEY "\n", 0644);
        CHECK_INT(plog_vkey_save(&s.vkey, plog_io_posix(), dir, &err),
                  kind < 5 ? PLOG_E_EXISTS : 0);
        CHECK_INT(files_in(dir), 1);
        close(dir);
    }
    plog_signer_fini(&s);
}

/* ---- Files that go while they are read ---------------------------------- */

static int nameless, looks; /* how often a file has no name any more */

static int stat_nameless(void *ctx, int fd, struct plog_stat *out)
{
    int rc = plog_io_posix()->stat(ctx, fd, out);
    if (looks++ < nameless)
        out->links = 0;
    return rc;
}

/* The one that has its name by then is read; but not for ever. */
static void test_key_file__replaced(void)
{
    struct plog_signer s;
    struct plog_error err;
    struct plog_io io = *plog_io_posix();
    int dir = fresh_dir();
    put_text(dir, "signing.key", SKEY "\n", 0600);
    io.stat = stat_nameless;
    for (nameless = 0; nameless < 12; nameless++) {
        looks = 0;
        int rc = plog_signer_load(&s, &io, dir, NULL, &err);
        CHECK_INT(rc, nameless < 10 ? 0 : PLOG_E_KEY);
        CHECK_INT(looks, nameless < 10 ? nameless + 1 : 10);
        if (rc)
            CHECK_TEXT(err.message, "keys/signing.key is not a regular file"
                                    " with one link");
        plog_signer_fini(&s);
    }
    close(dir);
}

/* Zeros are read on in the file that takes its place; where that one is not
 * there, cannot be read or is zeros itself, there is no key. */
static void test_key_file__zeros(void)
{
    static const char zeros[200];
    struct plog_signer s;
    struct plog_error err;
    const struct plog_io *io = plog_io_posix();
    int dir = fresh_dir();
    put_file(dir, "signing.key", zeros, sizeof zeros, 0600);
    for (int kind = 0; kind < 4; kind++) {
        if (kind == 1)
            put_file(dir, "signing.key.new", zeros, sizeof zeros, 0600);
        if (kind > 1)
            put_text(dir, "signing.key.new", SKEY "\n",
                     kind == 2 ? 0644 : 0600);
        CHECK_INT(plog_signer_load(&s, io, dir, NULL, &err),
                  kind < 3 ? PLOG_E_KEY : 0);
        plog_signer_fini(&s);
        if (kind == 1)
            CHECK_INT(plog_signer_load_next(&s, io, dir, NULL, &err),
                      PLOG_E_KEY);
    }
    close(dir);
}

static int64_t no_pread(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    (void)ctx, (void)fd, (void)p, (void)n, (void)at;
    return -EIO;
}

/* What cannot be compared is not said to hold another key. */
static void test_key_file__vkey_that_cannot_be_read(void)
{
    struct plog_signer s = golden();
    struct plog_error err;
    struct plog_io io = *plog_io_posix();
    int dir = fresh_dir();
    put_text(dir, "cc714670.vkey", VKEY "\n", 0644);
    io.pread = no_pread;
    CHECK_INT(plog_vkey_save(&s.vkey, &io, dir, &err), PLOG_E_IO);
    CHECK_TEXT(err.file, "keys/cc714670.vkey");
    CHECK_INT(plog_vkey_save(&s.vkey, plog_io_posix(), dir, &err), 0);
    plog_signer_fini(&s);
    close(dir);
}

/* ---- The key that a rotation goes over to ------------------------------- */

static void test_key_file__next(void)
{
    struct plog_signer s = golden(), again;
    struct plog_error err;
    const struct plog_io *io = plog_io_posix();
    char id[PLOG_KEYID_TEXT];
    int dir = fresh_dir();
    CHECK_INT(plog_signer_next_id(io, dir, id, &err), PLOG_END);
    CHECK_INT(plog_signer_drop_next(io, dir, &err), 0); /* there is none */
    CHECK_INT(plog_signer_save_next(&s, io, dir, "", &err), PLOG_E_ARG);
    CHECK_TEXT(err.message, "the passphrase is empty");
    CHECK_INT(files_in(dir), 0);
    CHECK_INT(plog_signer_save_next(&s, io, dir, NULL, &err), 0);
    CHECK_INT(plog_signer_save_next(&s, io, dir, NULL, &err), PLOG_E_EXISTS);
    CHECK_TEXT(err.message, "keys/signing.key.new is there already");
    CHECK_INT(plog_signer_next_id(io, dir, id, &err), 0);
    CHECK_TEXT(id, s.vkey.id_text);
    CHECK_INT(plog_signer_drop_next(io, dir, &err), 0);
    CHECK_INT(files_in(dir), 0);

    /* over no old key, over one, and not over what cannot be wiped */
    for (int old = 0; old < 3; old++) {
        CHECK_INT(plog_signer_save_next(&s, io, dir, NULL, &err), 0);
        if (old == 1)
            put_text(dir, "signing.key", "old", 0600);
        if (old == 2) {
            CHECK_INT(unlinkat(dir, "signing.key", 0), 0);
            CHECK_INT(mkdirat(dir, "signing.key", 0700), 0);
            CHECK_INT(plog_signer_install_next(io, dir, &err), PLOG_E_IO);
            CHECK_INT(plog_signer_next_id(io, dir, id, &err), 0);
            continue;
        }
        CHECK_INT(plog_signer_install_next(io, dir, &err), 0);
        CHECK_INT(files_in(dir), 1);
        CHECK_INT(plog_signer_load(&again, io, dir, NULL, &err), 0);
        CHECK(same_key(&s, &again));
        plog_signer_fini(&again);
    }
    close(dir);
    dir = fresh_dir();
    CHECK_INT(plog_signer_install_next(io, dir, &err), PLOG_E_IO);
    plog_signer_fini(&s);
    close(dir);
}

static void check_load(int dir, int want, const char *says)
{
    struct plog_signer s;
    struct plog_error err;
    memset(&err, 0, sizeof err);
    CHECK_INT(plog_signer_load(&s, plog_io_posix(), dir, NULL, &err), want);
    CHECK((want == 0) == (s.secret != NULL));
    if (want) {
        CHECK_INT(err.code, want);
        CHECK_TEXT(err.file, "keys/signing.key");
        CHECK(!strstr(err.message, "AZ1hsZ3v")); /* no secret in it */
        if (!check_true(strstr(err.message, says) != NULL, says, __FILE__,
                        __LINE__))
            printf("# said: %s\n", err.message);
    }
    plog_signer_fini(&s);
}

static void test_key_file__modes(void)
{
    struct plog_signer s;
    struct plog_error err;
    int dir = fresh_dir();
    for (unsigned mode = 0; mode < 0100; mode++) {
        put_text(dir, "signing.key", SKEY "\n", 0600 | mode);
        check_load(dir, mode ? PLOG_E_KEY : 0, "mode");
    }
    put_text(dir, "signing.key", SKEY "\n", 0400);
    check_load(dir, 0, "");
    put_text(dir, "signing.key", SKEY "\n", 0644);
    CHECK_INT(plog_signer_load(&s, plog_io_posix(), dir, NULL, &err),
              PLOG_E_KEY);
    CHECK(strstr(err.message, "keys/signing.key has mode 0644") != NULL);
    CHECK_TEXT(err.hint, "chmod 600 keys/signing.key");
    close(dir);
}

static void test_key_file__kinds(void)
{
    int dir = fresh_dir();
    check_load(dir, PLOG_E_KEY, "no signing key");
    put_text(dir, "real", SKEY "\n", 0600);
    CHECK_INT(symlinkat("real", dir, "signing.key"), 0);
    check_load(dir, PLOG_E_KEY, "symbolic link");
    unlinkat(dir, "signing.key", 0);
    CHECK_INT(linkat(dir, "real", dir, "signing.key", 0), 0);
    check_load(dir, PLOG_E_KEY, "one link");
    unlinkat(dir, "real", 0);
    check_load(dir, 0, "");
    unlinkat(dir, "signing.key", 0);
    CHECK_INT(mkdirat(dir, "signing.key", 0700), 0);
    check_load(dir, PLOG_E_KEY, "regular file");
    unlinkat(dir, "signing.key", AT_REMOVEDIR);
    CHECK_INT(mkfifoat(dir, "signing.key", 0600), 0);
    check_load(dir, PLOG_E_KEY, "regular file"); /* and does not hang */
    close(dir);
}

static void test_key_file__owner(void)
{
    int dir = fresh_dir();
    put_text(dir, "signing.key", SKEY "\n", 0600);
    if (fchownat(dir, "signing.key", geteuid() + 1, (gid_t)-1, 0))
        check_skip("giving a file away needs root");
    else
        check_load(dir, PLOG_E_KEY, "belongs to user");
    close(dir);
}

static void test_key_file__content(void)
{
    static const char *const bad[] = {"",
                                      "\n",
                                      "\n" SKEY "\n",
                                      SKEY "\n\n",
                                      SKEY "\n" SKEY "\n",
                                      SKEY "\r\n",
                                      " " SKEY "\n",
                                      SKEY " \n",
                                      VKEY "\n",
                                      "PUBLIC+KEY+" ORIGIN "\n"};
    char most[5000];
    int dir = fresh_dir();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text(dir, "signing.key", bad[i], 0600);
        check_load(dir, PLOG_E_KEY, "malformed signing key");
    }
    put_text(dir, "signing.key", SKEY, 0600); /* an editor may cut the LF */
    check_load(dir, 0, "");
    memset(most, '\n', sizeof most);
    put_file(dir, "signing.key", most, 4096, 0600);
    check_load(dir, PLOG_E_KEY, "malformed signing key");
    put_file(dir, "signing.key", most, 4097, 0600);
    check_load(dir, PLOG_E_KEY, "longer than 4096 bytes");
    close(dir);
}

/* Its id is found without its secret, and only where three plus stand before
 * it; a sanitizer sees that nothing is made of a plus that is not there. */
static void test_key_file__id(void)
{
    static const char *const bad[] = {
        "",           "\n",    "PRIVATE", "PRIVATE+", "PRIVATE+KEY+a",
        "+++1234567", "a+b+c+"};
    char id[PLOG_KEYID_TEXT];
    bool sealed;
    int dir = fresh_dir();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text(dir, "signing.key", bad[i], 0600);
        CHECK_INT(plog_signer_id(plog_io_posix(), dir, id, &sealed, NULL),
                  PLOG_E_KEY);
    }
    put_text(dir, "signing.key", "ENCRYPTED+KEY+a+0123abcd+", 0600);
    CHECK_INT(plog_signer_id(plog_io_posix(), dir, id, &sealed, NULL), 0);
    CHECK_TEXT(id, "0123abcd");
    CHECK(sealed);
    close(dir);
}

/* What a crash left under the temporary name is not in the way, and is not
 * followed if it is a link. */
static void test_key_file__leftover_temporary(void)
{
    struct plog_signer s = golden();
    struct plog_error err;
    int dir = fresh_dir();
    put_text(dir, "victim", "untouched", 0644);
    CHECK_INT(symlinkat("victim", dir, "signing.key.tmp"), 0);
    put_text(dir, "cc714670.vkey.tmp", "half a k", 0666);
    CHECK_INT(plog_signer_save(&s, plog_io_posix(), dir, NULL, &err), 0);
    CHECK_INT(files_in(dir), 3);
    CHECK_UINT(mode_of(dir, "cc714670.vkey"), 0644);
    check_load(dir, 0, "");
    struct plog_buf b;
    plog_buf_init(&b, plog_io_posix());
    CHECK_INT(plog_io_read_all(plog_io_posix(), dir, "victim", 99, &b), 0);
    CHECK_BYTES(b.data, b.len, "untouched", 9);
    plog_buf_fini(&b);
    plog_signer_fini(&s);
    close(dir);
}

/* Whatever call fails while saving: there is no key file, or a whole one; and
 * without one a later call succeeds. */
static void test_key_file__every_call_fails_once(void)
{
    struct plog_signer s = golden(), again;
    struct plog_error err;
    int rc = -1;
    long n = 0;
    for (; rc && n < 100; n++) {
        struct rig r;
        int dir = fresh_dir();
        rig_init(&r);
        r.calls_left = n;
        rc = plog_signer_save(&s, &r.io, dir, NULL, &err);
        CHECK(rc == 0 || rc == PLOG_E_IO);
        if (rc)
            CHECK(err.file[0] != '\0');
        r.calls_left = -1;
        int later = plog_signer_save(&s, &r.io, dir, NULL, &err);
        CHECK(later == 0 || later == PLOG_E_EXISTS);
        if (later == PLOG_E_EXISTS)
            CHECK(mode_of(dir, "cc714670.vkey") == 0644);
        CHECK_INT(plog_signer_load(&again, &r.io, dir, NULL, &err), 0);
        CHECK(same_key(&s, &again));
        CHECK_INT(files_in(dir), 2);
        plog_signer_fini(&again);
        close(dir);
    }
    CHECK(n > 10);
    plog_signer_fini(&s);
}

static void test_key__every_allocation_fails_once(void)
{
    struct plog_signer s = golden(), again;
    struct plog_error err;
    struct plog_keyring ring;
    int rc = -1;
    long n = 0;
    for (; rc && n < 100; n++) {
        struct rig r;
        int dir = fresh_dir();
        rig_init(&r);
        r.allocs_left = n;
        rc = plog_signer_save(&s, &r.io, dir, NULL, &err);
        if (rc == 0)
            rc = plog_keyring_load(&ring, &r.io, dir, NULL, &err);
        CHECK(rc == 0 || rc == PLOG_E_NOMEM);
        CHECK(rc == 0 || err.code == PLOG_E_NOMEM);
        r.allocs_left = 0; /* reading the key takes none of ours */
        if (plog_signer_load(&again, &r.io, dir, NULL, &err) == 0)
            CHECK(same_key(&s, &again));
        else
            CHECK_INT(err.code, PLOG_E_KEY);
        plog_signer_fini(&again);
        close(dir);
    }
    CHECK_UINT(ring.count, 1);
    CHECK(n > 3);
    plog_signer_fini(&s);
}

/* ---- The keyring -------------------------------------------------------- */

#define TWINS                                                                  \
    "same+25c169e3+AU9YeDZQJVeHZbyVYYCMJYn/c0aTE+jOj4AzxYrNEGll\n"             \
    "same+25c169e3+AcERrWAAqOFbwspPVIlm10TGVm9+x+lSftUaBVyfWAsg\n"

static int load_ring(struct plog_keyring *ring, int dir, struct plog_error *err)
{
    memset(err, 0, sizeof *err);
    return plog_keyring_load(ring, plog_io_posix(), dir, NULL, err);
}

static void test_keyring__directory(void)
{
    struct plog_keyring ring;
    struct plog_error err;
    int dir = fresh_dir();
    CHECK_INT(load_ring(&ring, -1, &err), 0);
    CHECK_UINT(ring.count, 0);
    CHECK_INT(load_ring(&ring, dir, &err), 0);
    CHECK_UINT(ring.count, 0);
    put_text(dir, "cc714670.vkey", VKEY "\n", 0644);
    put_text(dir, "all.vkey", OTHER_VKEY "\n" VKEY, 0644);
    put_text(dir, "signing.key", "not looked at", 0600);
    put_text(dir, ".vkey", "a name without a stem", 0600);
    put_text(dir, "x.vkey.tmp", "half a k", 0600);
    put_text(dir, "empty.vkey", "", 0600);
    CHECK_INT(load_ring(&ring, dir, &err), 0);
    CHECK_UINT(ring.count, 2);
    CHECK(!ring.pinned);
    const struct plog_vkey *k =
        plog_keyring_find(&ring, plog_span_text("c74f20a3"));
    REQUIRE(k);
    CHECK_TEXT(k->name, "PeterNeumann");
    CHECK(plog_keyring_find(&ring, plog_span_text("cc714670")) != NULL);
    CHECK(!plog_keyring_find(&ring, plog_span_text("C74F20A3")));
    CHECK(!plog_keyring_find(&ring, plog_span_text("c74f20a")));
    CHECK(!plog_keyring_find(&ring, plog_span_text("c74f20a33")));
    CHECK(!plog_keyring_find(&ring, plog_span("c74f20a3", 9)));
    CHECK(!plog_keyring_find(&ring, plog_span(NULL, 0)));
    close(dir);
}

static void test_keyring__refused(void)
{
    static const struct {
        const char *text;
        uint64_t line;
    } bad[] = {{"\n", 1},        {VKEY "\n\n", 2},
               {VKEY "\r\n", 1}, {VKEY "\n" OTHER_VKEY "x\n", 2},
               {SKEY "\n", 1},   {"# a comment\n", 1}};
    struct plog_keyring ring;
    struct plog_error err;
    int dir = fresh_dir();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text(dir, "a.vkey", bad[i].text, 0644);
        CHECK_INT(load_ring(&ring, dir, &err), PLOG_E_KEY);
        CHECK_TEXT(err.file, "keys/a.vkey");
        CHECK_UINT(err.line, bad[i].line);
    }
    unlinkat(dir, "a.vkey", 0);
    put_text(dir, "real", VKEY "\n", 0644);
    CHECK_INT(symlinkat("real", dir, "a.vkey"), 0);
    CHECK_INT(load_ring(&ring, dir, &err), PLOG_E_KEY);
    unlinkat(dir, "a.vkey", 0);
    CHECK_INT(linkat(dir, "real", dir, "a.vkey", 0), 0);
    CHECK_INT(load_ring(&ring, dir, &err), PLOG_E_KEY);
    unlinkat(dir, "a.vkey", 0);
    CHECK_INT(mkdirat(dir, "a.vkey", 0700), 0);
    CHECK_INT(load_ring(&ring, dir, &err), PLOG_E_KEY);
    unlinkat(dir, "a.vkey", AT_REMOVEDIR);
    CHECK_INT(mkfifoat(dir, "a.vkey", 0600), 0);
    CHECK_INT(load_ring(&ring, dir, &err), PLOG_E_KEY);
    CHECK_TEXT(err.message, "keys/a.vkey is not a regular file with one link");
    unlinkat(dir, "a.vkey", 0);
    static char large[PLOG_KEYS_MAX * PLOG_VKEY_MAX + 1];
    put_file(dir, "a.vkey", large, sizeof large, 0644);
    CHECK_INT(load_ring(&ring, dir, &err), PLOG_E_KEY);
    CHECK_TEXT(err.message, "keys/a.vkey is longer than 20480 bytes");
    put_file(dir, "a.vkey", large, sizeof large - 1, 0644);
    CHECK_INT(load_ring(&ring, dir, &err), PLOG_E_KEY);
    CHECK(strstr(err.message, "not a verifier key") != NULL);
    put_text(dir, "a.vkey", TWINS, 0644); /* of one name and id */
    CHECK_INT(load_ring(&ring, dir, &err), PLOG_E_KEY);
    CHECK_TEXT(err.message, "two different keys have the id 25c169e3");
    CHECK_UINT(err.line, 2);
    put_text(dir, "a.vkey", VKEY "\n", 0644);
    unlinkat(dir, "real", 0);
    CHECK_INT(load_ring(&ring, dir, &err), 0);
    CHECK_UINT(ring.count, 1);
    close(dir);
    CHECK_INT(load_ring(&ring, dir, &err), PLOG_E_IO);
}

/* 64 keys are taken, in one file or in many; the next one is an error and not
 * a key left out. */
static void test_keyring__limit(void)
{
    struct plog_keyring ring;
    struct plog_error err;
    struct plog_buf all;
    struct rig r;
    int dir = fresh_dir(), many = fresh_dir();
    rig_init(&r);
    plog_buf_init(&all, &r.io);
    for (int i = 0; i <= PLOG_KEYS_MAX; i++) {
        char text[PLOG_VKEY_MAX + 1], name[32];
        struct plog_signer s;
        REQUIRE(plog_signer_generate(&s, &r.io, "many", &err) == 0);
        plog_vkey_format(&s.vkey, text);
        strcat(text, "\n");
        CHECK_INT(plog_buf_add(&all, text, strlen(text)), 0);
        snprintf(name, sizeof name, "%s.vkey", s.vkey.id_text);
        put_text(many, name, text, 0644);
        put_file(dir, "all.vkey", all.data, all.len, 0644);
        plog_signer_fini(&s);
        int want = i < PLOG_KEYS_MAX ? 0 : PLOG_E_KEY;
        if (i < PLOG_KEYS_MAX - 1)
            continue;
        CHECK_INT(load_ring(&ring, dir, &err), want);
        CHECK_UINT(ring.count, PLOG_KEYS_MAX);
        CHECK_INT(load_ring(&ring, many, &err), want);
    }
    plog_buf_fini(&all);
    close(dir);
    close(many);
}

static void test_keyring__pin(void)
{
    struct plog_keyring ring;
    struct plog_error err;
    int dir = fresh_dir();
    put_text(dir, "cc714670.vkey", VKEY "\n", 0644);
    CHECK_INT(plog_keyring_load(&ring, plog_io_posix(), dir, OTHER_VKEY, &err),
              0);
    CHECK_UINT(ring.count, 1);
    CHECK(ring.pinned);
    CHECK(!plog_keyring_find(&ring, plog_span_text("cc714670")));
    CHECK(plog_keyring_find(&ring, plog_span_text("c74f20a3")) != NULL);
    CHECK_INT(
        plog_keyring_load(&ring, plog_io_posix(), dir, OTHER_VKEY "\n", &err),
        PLOG_E_ARG);
    CHECK_UINT(ring.count, 0);
    CHECK_INT(plog_keyring_load(&ring, plog_io_posix(), dir, "", NULL),
              PLOG_E_ARG);
    close(dir);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"key__published_vectors", test_key__published_vectors},
        {"key__generate", test_key__generate},
        {"key__sign", test_key__sign},
        {"key__confirms", test_key__confirms},
        {"key__plain_text", test_key__plain_text},
        {"key__encrypted_text", test_key__encrypted_text},
        {"key__format_refuses", test_key__format_refuses},
        {"key__costs_are_refused_before_they_are_paid",
         test_key__costs_are_refused_before_they_are_paid},
        {"key__every_changed_byte_is_refused",
         test_key__every_changed_byte_is_refused},
        {"key_file__round_trip", test_key_file__round_trip},
        {"key_file__encrypted", test_key_file__encrypted},
        {"key_file__never_replaced", test_key_file__never_replaced},
        {"key_file__vkey_of_another_kind", test_key_file__vkey_of_another_kind},
        {"key_file__replaced", test_key_file__replaced},
        {"key_file__zeros", test_key_file__zeros},
        {"key_file__vkey_that_cannot_be_read",
         test_key_file__vkey_that_cannot_be_read},
        {"key_file__next", test_key_file__next},
        {"key_file__modes", test_key_file__modes},
        {"key_file__kinds", test_key_file__kinds},
        {"key_file__owner", test_key_file__owner},
        {"key_file__content", test_key_file__content},
        {"key_file__id", test_key_file__id},
        {"key_file__leftover_temporary", test_key_file__leftover_temporary},
        {"key_file__every_call_fails_once",
         test_key_file__every_call_fails_once},
        {"key__every_allocation_fails_once",
         test_key__every_allocation_fails_once},
        {"keyring__directory", test_keyring__directory},
        {"keyring__refused", test_keyring__refused},
        {"keyring__limit", test_keyring__limit},
        {"keyring__pin", test_keyring__pin},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
