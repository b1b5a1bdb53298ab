/*
 * keyring.c - the verifier keys that a directory trusts; see key.h.
 *
 * A key id is 32 bits of a hash, which somebody can meet on purpose: two
 * different keys with one id are refused, so that an id means one key.
 */
#include "key.h"

#include <errno.h>
#include <stdio.h>

#include "io.h"

#define SUFFIX ".vkey"
#define FILE_MAX ((size_t)PLOG_KEYS_MAX * PLOG_VKEY_MAX)
#define PATH_SIZE 300 /* "keys/" and a file name */

/* Names found in the directory, each with its NUL; `code` is apart from what
 * the listing returns, which are errno values. */
struct names {
    struct plog_buf text;
    unsigned count;
    int code;
};

static int collect_name(void *arg, const char *name)
{
    struct names *found = arg;
    size_t n = strlen(name), suffix = sizeof SUFFIX - 1;
    if (n <= suffix || strcmp(name + n - suffix, SUFFIX) != 0)
        return 0;
    if (found->count++ >= PLOG_KEYS_MAX)
        found->code = PLOG_E_KEY;
    else
        found->code = plog_buf_add(&found->text, name, n + 1);
    return found->code;
}

static int add_key(struct plog_keyring *ring, const struct plog_vkey *k,
                   struct plog_error *err)
{
    const struct plog_vkey *have =
        plog_keyring_find(ring, plog_span_text(k->id_text));
    if (have && !strcmp(have->name, k->name) &&
        !memcmp(have->public_key, k->public_key, sizeof k->public_key))
        return 0;
    if (have)
        return plog_fail(err, PLOG_E_KEY, "two different keys have the id %s",
                         k->id_text);
    if (ring->count >= PLOG_KEYS_MAX)
        return plog_fail(err, PLOG_E_KEY, "more than %d verifier keys",
                         PLOG_KEYS_MAX);
    ring->keys[ring->count++] = *k;
    return 0;
}

/* Adds the keys of one file, one a line; a last line may lack its LF. */
static int add_lines(struct plog_keyring *ring, struct plog_span text,
                     struct plog_error *err)
{
    uint64_t line = 0;
    while (text.n > 0) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;
        struct plog_vkey k;
        int rc;
        line++;
        if (plog_vkey_parse(plog_span(text.p, n), &k))
            rc = plog_fail(err, PLOG_E_KEY,
                           "not a verifier key (NAME+ID+BASE64, Ed25519)");
        else
            rc = add_key(ring, &k, err);
        if (rc) {
            plog_err_line(err, line);
            return rc;
        }
        text.p += end ? n + 1 : n;
        text.n -= end ? n + 1 : n;
    }
    return 0;
}

static int load_file(struct plog_keyring *ring, const struct plog_io *io,
                     int keys_dir, const char *name, struct plog_error *err)
{
    char path[PATH_SIZE];
    struct plog_buf text;
    snprintf(path, sizeof path, "keys/%s", name);
    plog_buf_init(&text, io);
    int rc = plog_io_read_all(io, keys_dir, name, FILE_MAX, &text);
    if (rc == -ELOOP || rc == -EISDIR || rc == -EINVAL || rc == -EMLINK)
        rc = plog_fail(err, PLOG_E_KEY,
                       "%s is not a regular file with one link", path);
    else if (rc == -EFBIG)
        rc = plog_fail(err, PLOG_E_KEY, "%s is longer than %zu bytes", path,
                       FILE_MAX);
    else if (rc < 0)
        rc = plog_fail_io(err, rc, path, "read");
    else
        rc = add_lines(ring, plog_span(text.data, text.len), err);
    if (rc)
        plog_err_file(err, path);
    if (rc == PLOG_E_KEY)
        plog_err_hint(err,
                      "mv DIR/%s to another folder; paritylog key trust"
                      " DIR VKEY then adds a key that the log lacks",
                      path);
    plog_buf_fini(&text);
    return rc;
}

static int load_dir(struct plog_keyring *ring, const struct plog_io *io,
                    int keys_dir, struct plog_error *err)
{
    struct names found = {.count = 0};
    plog_buf_init(&found.text, io);
    int rc = io->list(io->ctx, keys_dir, collect_name, &found);
    if (found.code == PLOG_E_KEY) {
        rc = plog_fail(err, PLOG_E_KEY, "keys has more than %d .vkey files",
                       PLOG_KEYS_MAX);
        plog_err_hint(err, "move those that are not the log's out of"
                           " DIR/keys/");
    } else if (found.code)
        rc = plog_fail(err, found.code, "out of memory");
    else if (rc < 0)
        rc = plog_fail_io(err, rc, "keys", "list");
    for (size_t at = 0; rc == 0 && at < found.text.len;) {
        const char *name = found.text.data + at;
        rc = load_file(ring, io, keys_dir, name, err);
        at += strlen(name) + 1;
    }
    plog_buf_fini(&found.text);
    return rc;
}

int plog_keyring_load(struct plog_keyring *ring, const struct plog_io *io,
                      int keys_dir, const char *pin, struct plog_error *err)
{
    ring->count = 0;
    ring->pinned = pin != NULL;
    if (pin) {
        if (plog_vkey_parse(plog_span_text(pin), &ring->keys[0]))
            return plog_fail(err, PLOG_E_ARG,
                             "not a verifier key (NAME+ID+BASE64, Ed25519)");
        ring->count = 1;
        return 0;
    }
    return keys_dir < 0 ? 0 : load_dir(ring, io, keys_dir, err);
}

const struct plog_vkey *plog_keyring_find(const struct plog_keyring *ring,
                                          struct plog_span id_text)
{
    for (unsigned i = 0; i < ring->count; i++)
        if (plog_span_is(id_text, ring->keys[i].id_text))
            return &ring->keys[i];
    return NULL;
}
