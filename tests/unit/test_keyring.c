/* test_keyring.c - the verifier keys of a directory, or the one that is
 * pinned: taken, refused, found by their id, and how many there may be. */
#include "check.h"
#include "key.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "keys.h"

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
    int dir = keys_dir();
    CHECK_INT(load_ring(&ring, -1, &err), 0);
    CHECK_UINT(ring.count, 0);
    CHECK_INT(load_ring(&ring, dir, &err), 0);
    CHECK_UINT(ring.count, 0);
    keys_put_text(dir, "cc714670.vkey", KEYS_VKEY "\n", 0644);
    keys_put_text(dir, "all.vkey", KEYS_OTHER_VKEY "\n" KEYS_VKEY, 0644);
    keys_put_text(dir, "signing.key", "not looked at", 0600);
    keys_put_text(dir, ".vkey", "a name without a stem", 0600);
    keys_put_text(dir, "x.vkey.tmp", "half a k", 0600);
    keys_put_text(dir, "empty.vkey", "", 0600);
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
    } bad[] = {{"\n", 1},
               {KEYS_VKEY "\n\n", 2},
               {KEYS_VKEY "\r\n", 1},
               {KEYS_VKEY "\n" KEYS_OTHER_VKEY "x\n", 2},
               {KEYS_SKEY "\n", 1},
               {"# a comment\n", 1}};
    struct plog_keyring ring;
    struct plog_error err;
    int dir = keys_dir();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        keys_put_text(dir, "a.vkey", bad[i].text, 0644);
        CHECK_INT(load_ring(&ring, dir, &err), PLOG_E_KEY);
        CHECK_TEXT(err.file, "keys/a.vkey");
        CHECK_UINT(err.line, bad[i].line);
    }
    unlinkat(dir, "a.vkey", 0);
    keys_put_text(dir, "real", KEYS_VKEY "\n", 0644);
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
    keys_put(dir, "a.vkey", large, sizeof large, 0644);
    CHECK_INT(load_ring(&ring, dir, &err), PLOG_E_KEY);
    CHECK_TEXT(err.message, "keys/a.vkey is longer than 20480 bytes");
    keys_put(dir, "a.vkey", large, sizeof large - 1, 0644);
    CHECK_INT(load_ring(&ring, dir, &err), PLOG_E_KEY);
    CHECK(strstr(err.message, "not a verifier key") != NULL);
    keys_put_text(dir, "a.vkey", TWINS, 0644); /* of one name and id */
    CHECK_INT(load_ring(&ring, dir, &err), PLOG_E_KEY);
    CHECK_TEXT(err.message, "two different keys have the id 25c169e3");
    CHECK_UINT(err.line, 2);
    keys_put_text(dir, "a.vkey", KEYS_VKEY "\n", 0644);
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
    struct keys_rig r;
    int dir = keys_dir(), many = keys_dir();
    keys_rig_init(&r);
    plog_buf_init(&all, &r.io);
    for (int i = 0; i <= PLOG_KEYS_MAX; i++) {
        char text[PLOG_VKEY_MAX + 1], name[32];
        struct plog_signer s;
        REQUIRE(plog_signer_generate(&s, &r.io, "many", &err) == 0);
        plog_vkey_format(&s.vkey, text);
        strcat(text, "\n");
        CHECK_INT(plog_buf_add(&all, text, strlen(text)), 0);
        snprintf(name, sizeof name, "%s.vkey", s.vkey.id_text);
        keys_put_text(many, name, text, 0644);
        keys_put(dir, "all.vkey", all.data, all.len, 0644);
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
    int dir = keys_dir();
    keys_put_text(dir, "cc714670.vkey", KEYS_VKEY "\n", 0644);
    CHECK_INT(
        plog_keyring_load(&ring, plog_io_posix(), dir, KEYS_OTHER_VKEY, &err),
        0);
    CHECK_UINT(ring.count, 1);
    CHECK(ring.pinned);
    CHECK(!plog_keyring_find(&ring, plog_span_text("cc714670")));
    CHECK(plog_keyring_find(&ring, plog_span_text("c74f20a3")) != NULL);
    CHECK_INT(plog_keyring_load(&ring, plog_io_posix(), dir,
                                KEYS_OTHER_VKEY "\n", &err),
              PLOG_E_ARG);
    CHECK_UINT(ring.count, 0);
    CHECK_INT(plog_keyring_load(&ring, plog_io_posix(), dir, "", NULL),
              PLOG_E_ARG);
    close(dir);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"keyring__directory", test_keyring__directory},
        {"keyring__refused", test_keyring__refused},
        {"keyring__limit", test_keyring__limit},
        {"keyring__pin", test_keyring__pin},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
