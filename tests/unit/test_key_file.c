/* test_key_file.c - the signing key, the one that a rotation goes over to and
 * their verifier keys, saved: whole, alone and over nothing of another kind. */
#include "check.h"
#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "keys.h"

static void test_key_file__round_trip(void)
{
    struct plog_signer s, again;
    struct plog_error err;
    struct plog_buf b;
    struct keys_rig r;
    int dir = keys_dir();
    keys_rig_init(&r);
    umask(022);
    REQUIRE(plog_signer_generate(&s, &r.io, KEYS_ORIGIN, &err) == 0);
    CHECK_INT(plog_signer_save(&s, &r.io, dir, NULL, &err), 0);
    CHECK_UINT(keys_mode_of(dir, "signing.key"), 0600);
    char name[32], vkey[PLOG_VKEY_MAX + 1];
    snprintf(name, sizeof name, "%s.vkey", s.vkey.id_text);
    CHECK_UINT(keys_mode_of(dir, name), 0644);
    CHECK_INT(keys_count(dir), 2); /* no temporary file is left */
    plog_vkey_format(&s.vkey, vkey);
    strcat(vkey, "\n");
    plog_buf_init(&b, &r.io);
    CHECK_INT(plog_io_read_all(&r.io, dir, name, 4096, &b), 0);
    CHECK_BYTES(b.data, b.len, vkey, strlen(vkey));
    plog_buf_fini(&b);

    REQUIRE(plog_signer_load(&again, &r.io, dir, NULL, &err) == 0);
    CHECK(keys_same(&s, &again));
    plog_signer_fini(&s);
    plog_signer_fini(&again);
    close(dir);
}

/* With libsodium's moderate costs, as users get them. */
static void test_key_file__encrypted(void)
{
    struct plog_signer s = keys_golden(), again;
    struct plog_error err;
    int dir = keys_dir();
    CHECK_INT(plog_signer_save(&s, plog_io_posix(), dir, "", &err), PLOG_E_ARG);
    CHECK_INT(keys_count(dir), 0);
    CHECK_INT(plog_signer_save(&s, plog_io_posix(), dir, "secret", &err), 0);
    CHECK_INT(plog_signer_load(&again, plog_io_posix(), dir, NULL, &err),
              PLOG_E_KEY);
    CHECK_TEXT(err.file, "keys/signing.key");
    CHECK_INT(plog_signer_load(&again, plog_io_posix(), dir, "secret", &err),
              0);
    CHECK(keys_same(&s, &again));
    plog_signer_fini(&again);
    plog_signer_fini(&s);
    close(dir);
}

static void test_key_file__never_replaced(void)
{
    struct plog_signer s = keys_golden(), other, again;
    struct plog_error err;
    struct keys_rig r;
    int dir = keys_dir();
    keys_rig_init(&r);
    REQUIRE(plog_signer_generate(&other, &r.io, "other", &err) == 0);
    CHECK_INT(plog_signer_save(&s, &r.io, dir, NULL, &err), 0);
    CHECK_INT(plog_signer_save(&other, &r.io, dir, NULL, &err), PLOG_E_EXISTS);
    CHECK_INT(plog_signer_save(&s, &r.io, dir, NULL, &err), PLOG_E_EXISTS);
    CHECK_INT(keys_count(dir), 2);
    REQUIRE(plog_signer_load(&again, &r.io, dir, NULL, &err) == 0);
    CHECK(keys_same(&s, &again));

    /* its own vkey left by an unfinished call will do, another's not */
    CHECK_INT(unlinkat(dir, "signing.key", 0), 0);
    CHECK_INT(plog_signer_save(&s, &r.io, dir, NULL, &err), 0);
    CHECK_INT(unlinkat(dir, "signing.key", 0), 0);
    keys_put_text(dir, "cc714670.vkey", KEYS_OTHER_VKEY "\n", 0644);
    CHECK_INT(plog_signer_save(&s, &r.io, dir, NULL, &err), PLOG_E_EXISTS);
    CHECK_TEXT(err.file, "keys/cc714670.vkey");
    CHECK_INT(keys_count(dir), 1);
    plog_signer_fini(&s);
    CHECK_INT(plog_signer_save(&s, &r.io, dir, NULL, &err), PLOG_E_KEY);
    plog_signer_fini(&other);
    plog_signer_fini(&again);
    close(dir);
}

/* What has the name of a verifier key and is another: longer, or no file. */
static void test_key_file__vkey_of_another_kind(void)
{
    struct plog_signer s = keys_golden();
    struct plog_error err;
    char large[4000];
    memset(large, 'x', sizeof large);
    for (int kind = 0; kind < 6; kind++) {
        int dir = keys_dir();
        if (kind == 0)
            keys_put(dir, "cc714670.vkey", large, sizeof large, 0644);
        if (kind == 1)
            CHECK_INT(mkdirat(dir, "cc714670.vkey", 0700), 0);
        if (kind == 2)
            CHECK_INT(symlinkat("x", dir, "cc714670.vkey"), 0);
        if (kind == 3)
            CHECK_INT(mkfifoat(dir, "cc714670.vkey", 0600), 0);
        if (kind == 4)
            keys_put_text(dir, "cc714670.vkey", KEYS_VKEY,
                          0644); /* without its LF */
        if (kind == 5)
            keys_put_text(dir, "cc714670.vkey", KEYS_VKEY "\n", 0644);
        CHECK_INT(plog_vkey_save(&s.vkey, plog_io_posix(), dir, &err),
                  kind < 5 ? PLOG_E_EXISTS : 0);
        CHECK_INT(keys_count(dir), 1);
        close(dir);
    }
    plog_signer_fini(&s);
}

static int64_t no_pread(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    (void)ctx, (void)fd, (void)p, (void)n, (void)at;
    return -EIO;
}

/* What cannot be compared is not said to hold another key. */
static void test_key_file__vkey_that_cannot_be_read(void)
{
    struct plog_signer s = keys_golden();
    struct plog_error err;
    struct plog_io io = *plog_io_posix();
    int dir = keys_dir();
    keys_put_text(dir, "cc714670.vkey", KEYS_VKEY "\n", 0644);
    io.pread = no_pread;
    CHECK_INT(plog_vkey_save(&s.vkey, &io, dir, &err), PLOG_E_IO);
    CHECK_TEXT(err.file, "keys/cc714670.vkey");
    CHECK_INT(plog_vkey_save(&s.vkey, plog_io_posix(), dir, &err), 0);
    plog_signer_fini(&s);
    close(dir);
}

static void test_key_file__next(void)
{
    static const char zeros[sizeof KEYS_SKEY];
    struct plog_signer s = keys_golden(), again;
    struct plog_error err;
    const struct plog_io *io = plog_io_posix();
    char id[PLOG_KEYID_TEXT];
    int dir = keys_dir();
    CHECK_INT(plog_signer_next_id(io, dir, id, &err), PLOG_END);
    CHECK_INT(plog_signer_drop_next(io, dir, &err), 0); /* there is none */
    CHECK_INT(plog_signer_save_next(&s, io, dir, "", &err), PLOG_E_ARG);
    CHECK_TEXT(err.message, "the passphrase is empty");
    CHECK_INT(keys_count(dir), 0);
    CHECK_INT(plog_signer_save_next(&s, io, dir, NULL, &err), 0);
    CHECK_INT(plog_signer_save_next(&s, io, dir, NULL, &err), PLOG_E_EXISTS);
    CHECK_TEXT(err.message, "keys/signing.key.new is there already");
    CHECK_INT(plog_signer_next_id(io, dir, id, &err), 0);
    CHECK_TEXT(id, s.vkey.id_text);
    /* Cut off while it was dropped: it is there, and names no key. */
    keys_put(dir, "signing.key.new", zeros, sizeof zeros, 0600);
    CHECK_INT(plog_signer_next_id(io, dir, id, &err), 0);
    CHECK_TEXT(id, "");
    CHECK_INT(plog_signer_drop_next(io, dir, &err), 0);
    CHECK_INT(keys_count(dir), 0);

    /* over no old key, over one, and not over what cannot be wiped */
    for (int old = 0; old < 3; old++) {
        CHECK_INT(plog_signer_save_next(&s, io, dir, NULL, &err), 0);
        if (old == 1)
            keys_put_text(dir, "signing.key", "old", 0600);
        if (old == 2) {
            CHECK_INT(unlinkat(dir, "signing.key", 0), 0);
            CHECK_INT(mkdirat(dir, "signing.key", 0700), 0);
            CHECK_INT(plog_signer_install_next(io, dir, &err), PLOG_E_IO);
            CHECK_INT(plog_signer_next_id(io, dir, id, &err), 0);
            continue;
        }
        CHECK_INT(plog_signer_install_next(io, dir, &err), 0);
        CHECK_INT(keys_count(dir), 1);
        CHECK_INT(plog_signer_load(&again, io, dir, NULL, &err), 0);
        CHECK(keys_same(&s, &again));
        plog_signer_fini(&again);
    }
    close(dir);
    dir = keys_dir();
    CHECK_INT(plog_signer_install_next(io, dir, &err), PLOG_E_IO);
    plog_signer_fini(&s);
    close(dir);
}

/* Reads all of an open file: `n` bytes, which are `want`. */
static void check_open_file(int fd, const char *want, size_t n)
{
    char have[400];
    CHECK_BYTES(have, (size_t)pread(fd, have, sizeof have, 0), want, n);
    close(fd);
}

/* As a text file, which an editor leaves as it is. */
static void test_key_file__one_line(void)
{
    struct plog_signer s = keys_golden();
    struct plog_error err;
    int dir = keys_dir();
    CHECK_INT(plog_signer_save(&s, plog_io_posix(), dir, NULL, &err), 0);
    check_open_file(openat(dir, "signing.key", O_RDONLY), KEYS_SKEY "\n",
                    strlen(KEYS_SKEY) + 1);
    plog_signer_fini(&s);
    close(dir);
}

/* A secret that is no longer used, be it the old one or one that never was:
 * what its file was made of holds it no more. */
static void test_key_file__wiped(void)
{
    static const char zeros[sizeof KEYS_SKEY];
    const struct plog_io *io = plog_io_posix();
    struct plog_signer s = keys_golden();
    struct plog_error err;
    int dir = keys_dir();
    CHECK_INT(plog_signer_save(&s, io, dir, NULL, &err), 0);
    int old = openat(dir, "signing.key", O_RDONLY);
    CHECK_INT(plog_signer_save_next(&s, io, dir, NULL, &err), 0);
    CHECK_INT(plog_signer_install_next(io, dir, &err), 0);
    check_open_file(old, zeros, sizeof zeros);
    CHECK_INT(plog_signer_save_next(&s, io, dir, NULL, &err), 0);
    int next = openat(dir, "signing.key.new", O_RDONLY);
    CHECK_INT(plog_signer_drop_next(io, dir, &err), 0);
    check_open_file(next, zeros, sizeof zeros);
    plog_signer_fini(&s);
    close(dir);
}

/* ---- In which order ------------------------------------------------------ */

static char calls[40]; /* a letter for each that changes something */

static void note(char letter)
{
    size_t n = strlen(calls);
    if (n + 1 < sizeof calls)
        snprintf(calls + n, sizeof calls - n, "%c", letter);
}

static int64_t note_pwrite(void *ctx, int fd, const void *p, size_t n,
                           uint64_t at)
{
    note('w');
    return plog_io_posix()->pwrite(ctx, fd, p, n, at);
}

static int note_fdatasync(void *ctx, int fd)
{
    note('s');
    return plog_io_posix()->fdatasync(ctx, fd);
}

static int note_fsync(void *ctx, int fd)
{
    note('d');
    return plog_io_posix()->fsync(ctx, fd);
}

static int note_rename(void *ctx, int from, const char *old, int to,
                       const char *name, bool replace)
{
    note('r');
    return plog_io_posix()->rename_at(ctx, from, old, to, name, replace);
}

static int note_unlink(void *ctx, int dir, const char *name)
{
    note('u');
    return plog_io_posix()->unlink_at(ctx, dir, name);
}

/* The zeros are on disk before the file loses its name, or a power cut would
 * leave the secret where nobody finds it to wipe it. */
static void test_key_file__wiped_on_disk(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_signer s = keys_golden();
    struct plog_error err = {.code = 0};
    int dir = keys_dir();
    io.pwrite = note_pwrite;
    io.fdatasync = note_fdatasync;
    io.fsync = note_fsync;
    io.rename_at = note_rename;
    io.unlink_at = note_unlink;
    CHECK_INT(plog_signer_save(&s, plog_io_posix(), dir, NULL, &err), 0);
    for (int drops = 0; drops < 2; drops++) {
        calls[0] = '\0';
        CHECK_INT(plog_signer_save_next(&s, &io, dir, NULL, &err), 0);
        CHECK_TEXT(calls, "wsrd");
        calls[0] = '\0';
        CHECK_INT(drops ? plog_signer_drop_next(&io, dir, &err)
                        : plog_signer_install_next(&io, dir, &err),
                  0);
        CHECK_TEXT(calls, drops ? "wsud" : "wsrd");
        CHECK_INT(err.code, 0);
        CHECK_TEXT(err.file, "");
    }
    CHECK_INT(keys_count(dir), 2);
    plog_signer_fini(&s);
    close(dir);
}

static unsigned calls_left; /* of unlink and fsync, before one fails */

static int unlink_or_not(void *ctx, int dir, const char *name)
{
    return calls_left-- == 0 ? -EIO
                             : plog_io_posix()->unlink_at(ctx, dir, name);
}

static int fsync_or_not(void *ctx, int fd)
{
    return calls_left-- == 0 ? -EIO : plog_io_posix()->fsync(ctx, fd);
}

/* A secret that stays under its name, or may come back with the next power
 * cut, was not dropped. */
static void test_key_file__not_dropped(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_signer s = keys_golden();
    int dir = keys_dir();
    io.unlink_at = unlink_or_not;
    io.fsync = fsync_or_not;
    for (unsigned n = 0; n < 3; n++) {
        struct plog_error err = {.code = 0};
        int rc = plog_signer_save_next(&s, plog_io_posix(), dir, NULL, &err);
        CHECK_INT(rc, 0);
        calls_left = n;
        rc = plog_signer_drop_next(&io, dir, &err);
        CHECK_INT(rc, n < 2 ? PLOG_E_IO : 0);
        CHECK_INT(err.code, rc);
        CHECK_TEXT(err.message, rc ? "remove: Input/output error" : "");
        CHECK_TEXT(err.file, rc ? "keys/signing.key.new" : "");
        CHECK_INT(keys_count(dir), n == 0);
        calls_left = 9;
        CHECK_INT(plog_signer_drop_next(&io, dir, &err), 0);
        CHECK_INT(keys_count(dir), 0);
    }
    plog_signer_fini(&s);
    close(dir);
}

/* What a crash left under the temporary name is not in the way, and is not
 * followed if it is a link. */
static void test_key_file__leftover_temporary(void)
{
    struct plog_signer s = keys_golden();
    struct plog_error err;
    int dir = keys_dir();
    keys_put_text(dir, "victim", "untouched", 0644);
    CHECK_INT(symlinkat("victim", dir, "signing.key.tmp"), 0);
    keys_put_text(dir, "cc714670.vkey.tmp", "half a k", 0666);
    CHECK_INT(plog_signer_save(&s, plog_io_posix(), dir, NULL, &err), 0);
    CHECK_INT(keys_count(dir), 3);
    CHECK_UINT(keys_mode_of(dir, "cc714670.vkey"), 0644);
    keys_check_load(dir, 0, "");
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
    struct plog_signer s = keys_golden(), again;
    struct plog_error err;
    int rc = -1;
    long n = 0;
    for (; rc && n < 100; n++) {
        struct keys_rig r;
        int dir = keys_dir();
        keys_rig_init(&r);
        r.calls_left = n;
        rc = plog_signer_save(&s, &r.io, dir, NULL, &err);
        CHECK(rc == 0 || rc == PLOG_E_IO);
        if (rc)
            CHECK(err.file[0] != '\0');
        r.calls_left = -1;
        int later = plog_signer_save(&s, &r.io, dir, NULL, &err);
        CHECK(later == 0 || later == PLOG_E_EXISTS);
        if (later == PLOG_E_EXISTS)
            CHECK(keys_mode_of(dir, "cc714670.vkey") == 0644);
        CHECK_INT(plog_signer_load(&again, &r.io, dir, NULL, &err), 0);
        CHECK(keys_same(&s, &again));
        CHECK_INT(keys_count(dir), 2);
        plog_signer_fini(&again);
        close(dir);
    }
    CHECK(n > 10);
    plog_signer_fini(&s);
}

static void test_key__every_allocation_fails_once(void)
{
    struct plog_signer s = keys_golden(), again;
    struct plog_error err;
    struct plog_keyring ring;
    int rc = -1;
    long n = 0;
    for (; rc && n < 100; n++) {
        struct keys_rig r;
        int dir = keys_dir();
        keys_rig_init(&r);
        r.allocs_left = n;
        rc = plog_signer_save(&s, &r.io, dir, NULL, &err);
        if (rc == 0)
            rc = plog_keyring_load(&ring, &r.io, dir, NULL, &err);
        CHECK(rc == 0 || rc == PLOG_E_NOMEM);
        CHECK(rc == 0 || err.code == PLOG_E_NOMEM);
        r.allocs_left = 0; /* reading the key takes none of ours */
        if (plog_signer_load(&again, &r.io, dir, NULL, &err) == 0)
            CHECK(keys_same(&s, &again));
        else
            CHECK_INT(err.code, PLOG_E_KEY);
        plog_signer_fini(&again);
        close(dir);
    }
    CHECK_UINT(ring.count, 1);
    CHECK(n > 3);
    plog_signer_fini(&s);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"key_file__round_trip", test_key_file__round_trip},
        {"key_file__encrypted", test_key_file__encrypted},
        {"key_file__never_replaced", test_key_file__never_replaced},
        {"key_file__vkey_of_another_kind", test_key_file__vkey_of_another_kind},
        {"key_file__vkey_that_cannot_be_read",
         test_key_file__vkey_that_cannot_be_read},
        {"key_file__next", test_key_file__next},
        {"key_file__one_line", test_key_file__one_line},
        {"key_file__wiped", test_key_file__wiped},
        {"key_file__wiped_on_disk", test_key_file__wiped_on_disk},
        {"key_file__not_dropped", test_key_file__not_dropped},
        {"key_file__leftover_temporary", test_key_file__leftover_temporary},
        {"key_file__every_call_fails_once",
         test_key_file__every_call_fails_once},
        {"key__every_allocation_fails_once",
         test_key__every_allocation_fails_once},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
