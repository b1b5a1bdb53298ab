/* test_key_load.c - which file is loaded as the signing key: one of the owner
 * alone, regular, whole, and found although it is replaced meanwhile. */
#include "check.h"
#include "engine.h"
#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "keys.h"

/* ---- Files of all kinds -------------------------------------------------- */

static void test_key_file__modes(void)
{
    struct plog_signer s;
    struct plog_error err;
    int dir = keys_dir();
    for (unsigned mode = 0; mode < 0100; mode++) {
        keys_put_text(dir, "signing.key", KEYS_SKEY "\n", 0600 | mode);
        keys_check_load(dir, mode ? PLOG_E_KEY : 0, "mode");
    }
    keys_put_text(dir, "signing.key", KEYS_SKEY "\n", 0400);
    keys_check_load(dir, 0, "");
    keys_put_text(dir, "signing.key", KEYS_SKEY "\n", 0644);
    CHECK_INT(plog_signer_load(&s, plog_io_posix(), dir, NULL, &err),
              PLOG_E_KEY);
    CHECK(strstr(err.message, "keys/signing.key has mode 0644") != NULL);
    CHECK_TEXT(err.hint, "chmod 600 DIR/keys/signing.key");
    close(dir);
}

static void test_key_file__kinds(void)
{
    int dir = keys_dir();
    keys_check_load(dir, PLOG_E_KEY, "no signing key");
    keys_put_text(dir, "real", KEYS_SKEY "\n", 0600);
    CHECK_INT(symlinkat("real", dir, "signing.key"), 0);
    keys_check_load(dir, PLOG_E_KEY, "symbolic link");
    unlinkat(dir, "signing.key", 0);
    CHECK_INT(linkat(dir, "real", dir, "signing.key", 0), 0);
    keys_check_load(dir, PLOG_E_KEY, "one link");
    unlinkat(dir, "real", 0);
    keys_check_load(dir, 0, "");
    unlinkat(dir, "signing.key", 0);
    CHECK_INT(mkdirat(dir, "signing.key", 0700), 0);
    keys_check_load(dir, PLOG_E_KEY, "regular file");
    unlinkat(dir, "signing.key", AT_REMOVEDIR);
    CHECK_INT(mkfifoat(dir, "signing.key", 0600), 0);
    keys_check_load(dir, PLOG_E_KEY, "regular file"); /* and does not hang */
    close(dir);
    keys_check_load(-ENOENT, PLOG_E_KEY, "there is no signing key");
}

static void test_key_file__owner(void)
{
    int dir = keys_dir();
    keys_put_text(dir, "signing.key", KEYS_SKEY "\n", 0600);
    if (fchownat(dir, "signing.key", geteuid() + 1, (gid_t)-1, 0))
        check_skip("giving a file away needs root");
    else
        keys_check_load(dir, PLOG_E_KEY, "belongs to user");
    close(dir);
}

static void test_key_file__content(void)
{
    static const char *const bad[] = {"",
                                      "\n",
                                      "\n" KEYS_SKEY "\n",
                                      KEYS_SKEY "\n\n",
                                      KEYS_SKEY "\n" KEYS_SKEY "\n",
                                      KEYS_SKEY "\r\n",
                                      " " KEYS_SKEY "\n",
                                      KEYS_SKEY " \n",
                                      KEYS_VKEY "\n",
                                      "PUBLIC+KEY+" KEYS_ORIGIN "\n"};
    char most[5000];
    int dir = keys_dir();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        keys_put_text(dir, "signing.key", bad[i], 0600);
        keys_check_load(dir, PLOG_E_KEY, "malformed signing key");
    }
    keys_put_text(dir, "signing.key", KEYS_SKEY,
                  0600); /* an editor may cut the LF */
    keys_check_load(dir, 0, "");
    memset(most, '\n', sizeof most);
    keys_put(dir, "signing.key", most, 4096, 0600);
    keys_check_load(dir, PLOG_E_KEY, "malformed signing key");
    keys_put(dir, "signing.key", most, 4097, 0600);
    keys_check_load(dir, PLOG_E_KEY, "longer than 4096 bytes");
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
    int dir = keys_dir();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        keys_put_text(dir, "signing.key", bad[i], 0600);
        CHECK_INT(plog_signer_id(plog_io_posix(), dir, id, &sealed, NULL),
                  PLOG_E_KEY);
    }
    keys_put_text(dir, "signing.key", "ENCRYPTED+KEY+a+0123abcd+", 0600);
    CHECK_INT(plog_signer_id(plog_io_posix(), dir, id, &sealed, NULL), 0);
    CHECK_TEXT(id, "0123abcd");
    CHECK(sealed);
    close(dir);
}

/* ---- Files that go while they are read ----------------------------------- */

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
    int dir = keys_dir();
    keys_put_text(dir, "signing.key", KEYS_SKEY "\n", 0600);
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
    int dir = keys_dir();
    keys_put(dir, "signing.key", zeros, sizeof zeros, 0600);
    for (int kind = 0; kind < 4; kind++) {
        if (kind == 1)
            keys_put(dir, "signing.key.new", zeros, sizeof zeros, 0600);
        if (kind > 1)
            keys_put_text(dir, "signing.key.new", KEYS_SKEY "\n",
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

/* ---- What is told ---------------------------------------------------------
 */

static int opens;

static int count_open(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    CHECK_TEXT(name, "signing.key.new");
    /* Whoever else rotates takes it away behind the first look. */
    return opens++ ? -ENOENT
                   : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* The key to come, cut off in its zeros, stands for itself: it is read once,
 * and no third file is looked for. */
static void test_key_file__zeros_to_come(void)
{
    static const char zeros[200];
    struct plog_signer s;
    struct plog_error err = {.code = 0};
    struct plog_io io = *plog_io_posix();
    int dir = keys_dir();
    keys_put(dir, "signing.key.new", zeros, sizeof zeros, 0600);
    io.open_at = count_open;
    opens = 0;
    CHECK_INT(plog_signer_load_next(&s, &io, dir, NULL, &err), PLOG_E_KEY);
    CHECK_INT(opens, 1);
    CHECK_TEXT(err.message,
               "malformed signing key (expected one line"
               " PRIVATE+KEY+NAME+ID+BASE64 or ENCRYPTED+KEY+NAME+ID+BASE64)");
    CHECK_TEXT(err.file, "keys/signing.key");
    plog_signer_fini(&s);
    close(dir);
}

/* A key that loads names no file to look at. */
static void test_key_file__no_error(void)
{
    struct plog_signer s;
    struct plog_error err = {.code = 0};
    int dir = keys_dir();
    CHECK_INT(plog_signer_load(&s, plog_io_posix(), dir, NULL, &err),
              PLOG_E_KEY);
    CHECK_TEXT(err.message, "there is no signing key (keys/signing.key)");
    CHECK_TEXT(err.file, "keys/signing.key");
    CHECK_TEXT(err.hint, "this directory can be read and checked without it;"
                         " appending needs the key put back");
    plog_signer_fini(&s);
    memset(&err, 0, sizeof err); /* where it is the folder, no file is named */
    CHECK_INT(plog_signer_load(&s, plog_io_posix(), -ENOTDIR, NULL, &err),
              PLOG_E_KEY);
    CHECK_TEXT(err.file, "");
    plog_signer_fini(&s);
    keys_put_text(dir, "signing.key", KEYS_SKEY "\n", 0600);
    keys_put_text(dir, "signing.key.new", KEYS_SKEY "\n", 0600);
    for (int next = 0; next < 2; next++) {
        memset(&err, 0, sizeof err);
        CHECK_INT(
            next ? plog_signer_load_next(&s, plog_io_posix(), dir, NULL, &err)
                 : plog_signer_load(&s, plog_io_posix(), dir, NULL, &err),
            0);
        CHECK_INT(err.code, 0);
        CHECK_TEXT(err.message, "");
        CHECK_TEXT(err.file, "");
        CHECK_TEXT(err.hint, "");
        CHECK_TEXT(s.vkey.id_text, "cc714670");
        plog_signer_fini(&s);
    }
    close(dir);
}

/* Where it is not known which key signs, none that is at hand does. */
static void test_key_file__none_in_force(void)
{
    static const struct plog_keychain none;
    struct plog_error err = {.code = 0};
    struct plog_signer s = keys_golden();
    int dir = keys_dir();
    keys_put_text(dir, "signing.key", KEYS_SKEY "\n", 0600);
    CHECK_INT(
        plog_signer_in_force(&s, plog_io_posix(), dir, NULL, &none, 1, &err),
        PLOG_E_KEY);
    CHECK(strstr(err.message, "signed by key ?") != NULL);
    plog_signer_fini(&s);
    close(dir);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"key_file__replaced", test_key_file__replaced},
        {"key_file__zeros", test_key_file__zeros},
        {"key_file__zeros_to_come", test_key_file__zeros_to_come},
        {"key_file__no_error", test_key_file__no_error},
        {"key_file__none_in_force", test_key_file__none_in_force},
        {"key_file__modes", test_key_file__modes},
        {"key_file__kinds", test_key_file__kinds},
        {"key_file__owner", test_key_file__owner},
        {"key_file__content", test_key_file__content},
        {"key_file__id", test_key_file__id},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
