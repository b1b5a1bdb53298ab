/*
 * key_file.c - reading and writing keys/signing.key and keys/HEX8.vkey; see
 * key.h.
 *
 * The secret's text stays in memory that is wiped afterwards and that never
 * grows while it holds it, because growing leaves a copy behind.
 */
#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#include "io.h"

#define REPLACED_MOST 10 /* times that a name gets another file meanwhile */
#define KEY_NAME "signing.key"
#define KEY_PATH "keys/" KEY_NAME
#define NEXT_NAME KEY_NAME ".new" /* while a rotation is under way */
#define KEY_FILE_MAX 4096
#define TEMP_SUFFIX ".tmp"
#define TEXT_RESERVE 1024 /* more than the longest text form and its LF */

#define PUT_BACK "move it away and put the key back from a copy"
#define MAKE_PRIVATE "chmod 600 DIR/" KEY_PATH

static int check_private(const struct plog_stat *st, struct plog_error *err)
{
    unsigned mode = st->mode & 07777u, user = plog_io_effective_user();
    if (!S_ISREG(st->mode) || st->links != 1) {
        plog_fail(err, PLOG_E_KEY,
                  KEY_PATH " is not a regular file with one link");
        plog_err_hint(err, PUT_BACK);
    } else if (st->owner != user) {
        plog_fail(err, PLOG_E_KEY,
                  KEY_PATH " belongs to user %u, this is user %u", st->owner,
                  user);
        plog_err_hint(err, "run it as user %u", st->owner);
    } else if (mode & 077) {
        plog_fail(err, PLOG_E_KEY,
                  KEY_PATH " has mode %04o: others may read or change it",
                  mode);
        plog_err_hint(err, MAKE_PRIVATE);
    } else if (st->size > KEY_FILE_MAX) {
        plog_fail(err, PLOG_E_KEY, KEY_PATH " is longer than %d bytes",
                  KEY_FILE_MAX);
        plog_err_hint(err, PUT_BACK);
    } else
        return 0;
    return PLOG_E_KEY;
}

/* A folder that could not be opened: see plog_dir.keys. */
static int no_folder(int why, struct plog_error *err)
{
    if (why != -ENOTDIR && why != -ELOOP)
        return plog_fail_io(err, why, "keys", "opening a directory");
    plog_fail(err, PLOG_E_KEY, "keys/ is a link or a file, and not a folder");
    plog_err_hint(err, "put the folder itself there: links are not followed");
    return PLOG_E_KEY;
}

static int not_for_us(const struct plog_io *io, int keys_dir, const char *name,
                      int why, struct plog_error *err)
{
    struct plog_stat st;
    int rc = plog_fail_io(err, why, KEY_PATH, "opening the signing key");
    if ((why != -EACCES && why != -EPERM) ||
        io->stat_at(io->ctx, keys_dir, name, &st))
        return rc;
    if (st.owner == plog_io_effective_user())
        plog_err_hint(err, MAKE_PRIVATE);
    else
        plog_err_hint(err, "run it as user %u, to whom the key belongs",
                      st.owner);
    return rc;
}

static int open_key_file(const struct plog_io *io, int keys_dir,
                         const char *name, struct plog_error *err)
{
    /* O_NONBLOCK: a FIFO in its place must not hang us. */
    int fd = keys_dir < 0 ? keys_dir
                          : io->open_at(io->ctx, keys_dir, name,
                                        O_RDONLY | O_NONBLOCK, 0);
    if (fd == -ENOENT) {
        plog_fail(err, PLOG_E_KEY, "there is no signing key (" KEY_PATH ")");
        plog_err_file(err, KEY_PATH);
        plog_err_hint(err, "this directory can be read and checked without "
                           "it; appending needs the key put back");
        return PLOG_E_KEY;
    }
    if (keys_dir < 0)
        return no_folder(keys_dir, err);
    if (fd == -ELOOP) {
        plog_fail(err, PLOG_E_KEY,
                  KEY_PATH " is a symbolic link, not a regular file");
        plog_err_hint(err, PUT_BACK);
        return PLOG_E_KEY;
    }
    return fd < 0 ? not_for_us(io, keys_dir, name, fd, err) : fd;
}

static int read_once(const struct plog_io *io, int keys_dir, const char *name,
                     char *text, size_t *len, struct plog_error *err)
{
    struct plog_stat st = {.links = 0};
    int fd = -1, rc = 0;
    /* A file that was given no name any more: there is another by now. */
    for (int i = 0; i < REPLACED_MOST && st.links == 0 && !rc; i++) {
        if (fd >= 0)
            io->close(io->ctx, fd);
        fd = open_key_file(io, keys_dir, name, err);
        if (fd < 0)
            return fd;
        rc = io->stat(io->ctx, fd, &st);
    }
    if (rc < 0)
        rc = plog_fail_io(err, rc, KEY_PATH, "stat");
    else
        rc = check_private(&st, err);
    if (rc == 0) {
        rc = plog_io_pread_full(io, fd, text, KEY_FILE_MAX, 0, len);
        if (rc < 0)
            rc = plog_fail_io(err, rc, KEY_PATH, "read");
    }
    io->close(io->ctx, fd);
    return rc;
}

/*
 * Reads the file into `text`, KEY_FILE_MAX bytes.  A rotation overwrites the
 * old secret with zeros before the new file takes its name; its entry is on
 * disk by then, so that the new key is in force.  That file is read instead,
 * be the rotation under way or cut off there; once more when it has taken the
 * name meanwhile.
 */
static int read_key_file(const struct plog_io *io, int keys_dir,
                         const char *name, char *text, size_t *len,
                         struct plog_error *err)
{
    for (int i = 0;; i++) {
        int rc = read_once(io, keys_dir, name, text, len, err);
        if (rc || *len == 0 || text[0] != '\0' ||
            strcmp(name, NEXT_NAME) == 0 || i == REPLACED_MOST)
            return rc;
        struct plog_stat st;
        if (io->stat_at(io->ctx, keys_dir, NEXT_NAME, &st) == 0 &&
            read_once(io, keys_dir, NEXT_NAME, text, len, err) == 0)
            return 0;
    }
}

static int load(struct plog_signer *s, const struct plog_io *io, int keys_dir,
                const char *name, const char *passphrase,
                struct plog_error *err)
{
    char text[KEY_FILE_MAX];
    size_t len = 0;
    memset(s, 0, sizeof *s);
    int rc = read_key_file(io, keys_dir, name, text, &len, err);
    if (rc == 0) {
        if (len > 0 && text[len - 1] == '\n')
            len--;
        rc = plog_signer_parse(s, plog_span(text, len), passphrase, err);
    }
    if (rc && keys_dir >= 0)
        plog_err_file(err, KEY_PATH);
    sodium_memzero(text, sizeof text);
    return rc;
}

int plog_signer_load(struct plog_signer *s, const struct plog_io *io,
                     int keys_dir, const char *passphrase,
                     struct plog_error *err)
{
    return load(s, io, keys_dir, KEY_NAME, passphrase, err);
}

int plog_signer_load_next(struct plog_signer *s, const struct plog_io *io,
                          int keys_dir, const char *passphrase,
                          struct plog_error *err)
{
    return load(s, io, keys_dir, NEXT_NAME, passphrase, err);
}

/* Returns 0 when the file holds exactly `text`, -EEXIST when not, or why it
 * cannot be read. */
static int look_at_text(const struct plog_io *io, int keys_dir,
                        const char *name, struct plog_span text)
{
    struct plog_buf have;
    plog_buf_init(&have, io);
    int rc = plog_io_read_all(io, keys_dir, name, text.n, &have);
    if (plog_io_says_odd(rc) || rc == -EFBIG ||
        (!rc && !plog_span_equal(plog_span(have.data, have.len), text)))
        rc = -EEXIST;
    plog_buf_fini(&have);
    return rc;
}

int plog_vkey_save(const struct plog_vkey *k, const struct plog_io *io,
                   int keys_dir, struct plog_error *err)
{
    char text[PLOG_VKEY_MAX + 1], name[32], path[40];
    plog_vkey_format(k, text);
    size_t n = strlen(text);
    text[n++] = '\n';
    snprintf(name, sizeof name, "%s.vkey", k->id_text);
    snprintf(path, sizeof path, "keys/%s", name);
    int rc = plog_io_write_file(io, keys_dir, name, TEMP_SUFFIX, text, n, 0644,
                                false);
    if (rc == -EEXIST)
        rc = look_at_text(io, keys_dir, name, plog_span(text, n));
    if (rc == 0)
        rc = io->fsync(io->ctx, keys_dir); /* that call may not have */
    if (rc == -EEXIST) {
        rc = plog_fail(err, PLOG_E_EXISTS, "%s is there, and is not this key",
                       path);
        plog_err_hint(err,
                      "look at it, mv DIR/%s to another folder, then run"
                      " again",
                      path);
    } else if (rc < 0)
        rc = plog_fail_io(err, rc, path, "write");
    if (rc)
        plog_err_file(err, path);
    return rc;
}

static int write_secret(const struct plog_signer *s, const struct plog_io *io,
                        int keys_dir, const char *name, const char *passphrase,
                        struct plog_buf *text, struct plog_error *err)
{
    int rc = plog_buf_reserve(text, TEXT_RESERVE);
    if (rc == 0)
        rc = plog_signer_format(s, io, passphrase, 0, 0, text);
    if (rc == 0)
        rc = plog_buf_add_char(text, '\n');
    if (rc)
        return plog_fail(err, rc, "cannot write the signing key as text: %s",
                         plog_strerror(rc));
    rc = plog_io_write_file(io, keys_dir, name, TEMP_SUFFIX, text->data,
                            text->len, 0600, false);
    if (rc == -EEXIST)
        return plog_fail(err, PLOG_E_EXISTS, "keys/%s is there already", name);
    return rc < 0 ? plog_fail_io(err, rc, KEY_PATH, "write") : 0;
}

static int save_secret(const struct plog_signer *s, const struct plog_io *io,
                       int keys_dir, const char *name, const char *passphrase,
                       struct plog_error *err)
{
    struct plog_buf text;
    plog_buf_init(&text, io);
    int rc = write_secret(s, io, keys_dir, name, passphrase, &text, err);
    if (rc)
        plog_err_file(err, KEY_PATH);
    if (text.cap > 0)
        sodium_memzero(text.data, text.cap);
    plog_buf_fini(&text);
    return rc;
}

int plog_signer_save(const struct plog_signer *s, const struct plog_io *io,
                     int keys_dir, const char *passphrase,
                     struct plog_error *err)
{
    struct plog_stat st;
    if (!s->secret)
        return plog_fail(err, PLOG_E_KEY, "there is no secret to save");
    if (passphrase && !*passphrase)
        return plog_fail(err, PLOG_E_ARG, "the passphrase is empty");
    if (io->stat_at(io->ctx, keys_dir, KEY_NAME, &st) >= 0)
        return plog_fail(err, PLOG_E_EXISTS, KEY_PATH " is there already");
    int rc = plog_vkey_save(&s->vkey, io, keys_dir, err);
    return rc ? rc : save_secret(s, io, keys_dir, KEY_NAME, passphrase, err);
}

/* ---- The key that a rotation goes over to ------------------------------- */

int plog_signer_save_next(const struct plog_signer *s, const struct plog_io *io,
                          int keys_dir, const char *passphrase,
                          struct plog_error *err)
{
    if (passphrase && !*passphrase)
        return plog_fail(err, PLOG_E_ARG, "the passphrase is empty");
    return save_secret(s, io, keys_dir, NEXT_NAME, passphrase, err);
}

/* The id that a key file names, in the clear in both forms:
 * KIND+KEY+NAME+HEX8+...  Returns whether there is one. */
static bool find_id(struct plog_span text, char id[PLOG_KEYID_TEXT])
{
    const char *at = text.p, *end = text.p + text.n;
    for (int plus = 0; at && plus < 3; plus++) {
        at = memchr(at, '+', (size_t)(end - at));
        if (at)
            at++;
    }
    if (!at || end - at < PLOG_KEYID_TEXT)
        return false;
    memcpy(id, at, PLOG_KEYID_TEXT - 1);
    id[PLOG_KEYID_TEXT - 1] = '\0';
    return true;
}

static int no_key(struct plog_error *err)
{
    plog_fail(err, PLOG_E_KEY, KEY_PATH " is no key");
    plog_err_hint(err, PUT_BACK);
    return PLOG_E_KEY;
}

int plog_signer_id(const struct plog_io *io, int keys_dir,
                   char id[PLOG_KEYID_TEXT], bool *sealed,
                   struct plog_error *err)
{
    char text[KEY_FILE_MAX];
    size_t len = 0;
    int rc = read_key_file(io, keys_dir, KEY_NAME, text, &len, err);
    *sealed = !rc && len > 10 && memcmp(text, "ENCRYPTED+", 10) == 0;
    if (!rc && !find_id(plog_span(text, len), id))
        rc = no_key(err);
    sodium_memzero(text, sizeof text);
    return rc;
}

int plog_signer_next_id(const struct plog_io *io, int keys_dir,
                        char id[PLOG_KEYID_TEXT], struct plog_error *err)
{
    char text[KEY_FILE_MAX];
    size_t len = 0;
    struct plog_stat st;
    int rc = io->stat_at(io->ctx, keys_dir, NEXT_NAME, &st);
    if (rc)
        return rc == -ENOENT ? PLOG_END
                             : plog_fail_io(err, rc, "keys/" NEXT_NAME, "stat");
    rc = read_once(io, keys_dir, NEXT_NAME, text, &len, err);
    if (!rc && !find_id(plog_span(text, len), id))
        id[0] = '\0'; /* plog_signer_drop_next was cut off in its zeros */
    sodium_memzero(text, sizeof text);
    return rc;
}

/* Writes zeros over a secret, as far as the file system writes in place. */
static int wipe_file(const struct plog_io *io, int keys_dir, const char *name)
{
    static const char zeros[KEY_FILE_MAX];
    struct plog_stat st;
    int fd = plog_io_open_regular(io, keys_dir, name, O_RDWR);
    if (fd < 0)
        return fd;
    int rc = io->stat(io->ctx, fd, &st);
    if (!rc)
        rc = plog_io_write_full(
            io, fd, zeros,
            st.size < sizeof zeros ? (size_t)st.size : sizeof zeros, 0, NULL);
    if (!rc)
        rc = io->fdatasync(io->ctx, fd);
    io->close(io->ctx, fd);
    return rc;
}

int plog_signer_install_next(const struct plog_io *io, int keys_dir,
                             struct plog_error *err)
{
    int rc = wipe_file(io, keys_dir, KEY_NAME);
    if (rc && rc != -ENOENT)
        return plog_fail_io(err, rc, KEY_PATH, "wipe");
    rc = io->rename_at(io->ctx, keys_dir, NEXT_NAME, keys_dir, KEY_NAME, true);
    if (!rc)
        rc = io->fsync(io->ctx, keys_dir);
    return rc ? plog_fail_io(err, rc, KEY_PATH, "replace") : 0;
}

int plog_signer_drop_next(const struct plog_io *io, int keys_dir,
                          struct plog_error *err)
{
    /* Nothing was signed with it: where it cannot be overwritten, on a full
     * disk, it goes all the same, or no rotation could begin again. */
    int wiped = wipe_file(io, keys_dir, NEXT_NAME);
    (void)wiped;
    int rc = io->unlink_at(io->ctx, keys_dir, NEXT_NAME);
    if (!rc)
        rc = io->fsync(io->ctx, keys_dir);
    if (rc == -ENOENT)
        rc = 0;
    return rc ? plog_fail_io(err, rc, "keys/" NEXT_NAME, "remove") : 0;
}
