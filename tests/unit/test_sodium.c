/*
 * test_sodium.c - libsodium that does not start, has no memory or refuses: no
 * key is made, read or believed, and nothing is written.
 *
 * The functions below take the place of libsodium's for the whole program and
 * call them, unless a case has armed them.
 */
#include <dlfcn.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "key.h"
#include "world.h"

enum call { INIT, MALLOC, PWHASH, CALLS };
static unsigned fail[CALLS]; /* so often from now on */

static bool fails(enum call c)
{
    if (fail[c] == 0)
        return false;
    fail[c]--;
    return true;
}

/* Declares `real`, libsodium's function of that name. */
#define REAL(type, name)                                                       \
    static type *real;                                                         \
    if (!real)                                                                 \
    *(void **)&real = dlsym(RTLD_NEXT, name)

typedef int init_fn(void);
int sodium_init(void)
{
    REAL(init_fn, "sodium_init");
    return fails(INIT) ? -1 : real();
}

typedef void *malloc_fn(size_t n);
void *sodium_malloc(size_t n)
{
    REAL(malloc_fn, "sodium_malloc");
    return fails(MALLOC) ? NULL : real(n);
}

typedef int pwhash_fn(unsigned char *out, unsigned long long n,
                      const char *passphrase, unsigned long long len,
                      const unsigned char *salt, unsigned long long ops,
                      size_t mem, int alg);
int crypto_pwhash(unsigned char *out, unsigned long long n,
                  const char *passphrase, unsigned long long len,
                  const unsigned char *salt, unsigned long long ops, size_t mem,
                  int alg)
{
    REAL(pwhash_fn, "crypto_pwhash");
    return fails(PWHASH) ? -1
                         : real(out, n, passphrase, len, salt, ops, mem, alg);
}

/* ------------------------------------------------------------------------- */

static const struct plog_io *io(void)
{
    return plog_io_posix();
}

#define OPS 1u
#define MEM_KIB 8u

static void no_key_is_made(void)
{
    static const enum call calls[] = {INIT, MALLOC};
    for (int i = 0; i < 2; i++) {
        struct plog_signer s;
        fail[calls[i]] = 1;
        CHECK_INT(plog_signer_generate(&s, io(), "name", NULL), PLOG_E_NOMEM);
        CHECK(s.secret == NULL);
        CHECK_UINT(fail[calls[i]], 0);
    }
}

static void no_key_is_read(void)
{
    struct plog_signer s, again;
    struct plog_error err = {0};
    struct plog_buf plain, sealed;
    plog_buf_init(&plain, io());
    plog_buf_init(&sealed, io());
    CHECK_INT(plog_signer_generate(&s, io(), "name", NULL), 0);
    CHECK_INT(plog_signer_format(&s, io(), NULL, 0, 0, &plain), 0);
    fail[PWHASH] = 1;
    CHECK_INT(plog_signer_format(&s, io(), "p", OPS, MEM_KIB, &sealed),
              PLOG_E_NOMEM);
    CHECK_UINT(sealed.len, 0);
    CHECK_INT(plog_signer_format(&s, io(), "p", OPS, MEM_KIB, &sealed), 0);
    struct plog_span p = plog_span(plain.data, plain.len),
                     c = plog_span(sealed.data, sealed.len);
    fail[INIT] = 1;
    CHECK_INT(plog_signer_parse(&again, p, NULL, &err), PLOG_E_NOMEM);
    CHECK_TEXT(err.message, "libsodium cannot start");
    CHECK(again.secret == NULL);
    fail[MALLOC] = 1;
    CHECK_INT(plog_signer_parse(&again, p, NULL, &err), PLOG_E_NOMEM);
    CHECK(again.secret == NULL);
    fail[PWHASH] = 1; /* not a wrong passphrase: nobody knows */
    CHECK_INT(plog_signer_parse(&again, c, "p", &err), PLOG_E_NOMEM);
    CHECK(again.secret == NULL);
    CHECK_INT(plog_signer_parse(&again, c, "p", &err), 0);
    CHECK(memcmp(again.secret, s.secret, 64) == 0);
    plog_signer_fini(&again);
    plog_signer_fini(&s);
    plog_buf_fini(&plain);
    plog_buf_fini(&sealed);
}

/* Neither a key nor a signature is good because nobody could check it. */
static void nothing_is_believed(void)
{
    struct plog_signer s;
    struct plog_vkey k;
    unsigned char root[PLOG_HASH_SIZE] = {1}, sig[PLOG_SIG_SIZE];
    char text[PLOG_VKEY_MAX];
    CHECK_INT(plog_signer_generate(&s, io(), "name", NULL), 0);
    plog_vkey_format(&s.vkey, text);
    CHECK_INT(plog_signer_sign(&s, "name", 7, root, sig), 0);
    fail[INIT] = 1;
    CHECK_INT(plog_vkey_parse(plog_span_text(text), &k), PLOG_E_INPUT);
    CHECK_INT(plog_vkey_parse(plog_span_text(text), &k), 0);
    fail[INIT] = 1;
    CHECK(!plog_checkpoint_verify(&k, "name", 7, root, sig));
    CHECK(plog_checkpoint_verify(&k, "name", 7, root, sig));
    plog_signer_fini(&s);
}

/* init leaves nothing that looks like a log, and can be called again. */
static void no_log_is_made(void)
{
    struct world w;
    char vkey[PLOG_VKEY_MAX];
    struct stat st;
    memset(&w, 0, sizeof w);
    w.options.struct_size = sizeof w.options;
    snprintf(w.dir, sizeof w.dir, "%.400s/none", check_dir());
    fail[MALLOC] = 1;
    CHECK_INT(plog_init(w.dir, NULL, vkey, NULL), PLOG_E_NOMEM);
    CHECK(stat(world_path(&w, "keys/signing.key"), &st) != 0);
    CHECK(stat(world_path(&w, "store.db"), &st) != 0);
    CHECK_INT(plog_init(w.dir, NULL, vkey, NULL), 0);
    fail[MALLOC] = 1;
    CHECK_INT(world_open(&w), PLOG_E_NOMEM);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, "a", "1", "a", NULL), 0);
    world_end(&w, 2);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"no_key_is_made", no_key_is_made},
        {"no_key_is_read", no_key_is_read},
        {"nothing_is_believed", nothing_is_believed},
        {"no_log_is_made", no_log_is_made},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
