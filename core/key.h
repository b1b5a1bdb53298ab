/*
 * key.h - the signing key and the trusted keys of a directory.
 *
 * keys/signing.key holds one line, mode 0600:
 *   plain:      PRIVATE+KEY+NAME+HEX8+BASE64(0x01 || seed), the text form of
 *               Go's note package, 32-byte seed of RFC 8032;
 *   encrypted:  ENCRYPTED+KEY+NAME+HEX8+BASE64(0x01 || u32 ops || u32 mem_kib
 *               || salt[16] || nonce[24] || secretbox(0x01 || seed)), numbers
 *               big-endian, Argon2id 1.3, XSalsa20-Poly1305.
 * keys/HEX8.vkey holds one verifier key a line.
 * Secrets live in sodium_malloc memory and are wiped.
 */
#ifndef PLOG_KEY_H
#define PLOG_KEY_H

#include "err.h"
#include "note.h"

struct plog_signer {
    struct plog_vkey vkey;
    unsigned char *secret; /* 64 bytes, twice, sodium_malloc; NULL: none */
    unsigned held;         /* signatures asked about, plog_signer_holds */
};

void plog_signer_fini(struct plog_signer *s); /* wipes; may be called twice */

/* The functions that fill a signer take `s` as an output: what it held is not
 * looked at, and on failure it holds no secret. */

/* Makes a new key for `origin` with randomness from the I/O table.
 * Returns 0; PLOG_E_ARG when it may not be an origin; PLOG_E_IO;
 * PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_signer_generate(struct plog_signer *s,
                                         const struct plog_io *io,
                                         const char *origin,
                                         struct plog_error *err);

/* Signs the checkpoint text and checks the signature before giving it out.
 * Returns 0; PLOG_E_KEY when there is no secret or the key pair does not fit;
 * PLOG_E_ARG for an origin or size out of range.  `sig` is then untouched. */
PLOG_MUST_CHECK int plog_signer_sign(const struct plog_signer *s,
                                     const char *origin, uint64_t size,
                                     const unsigned char *root,
                                     unsigned char *sig);

/* The same without the check: nothing may be acknowledged on it before
 * plog_signer_holds said that it holds (core/engine.c). */
PLOG_MUST_CHECK int plog_signer_make(const struct plog_signer *s,
                                     const char *origin, uint64_t size,
                                     const unsigned char *root,
                                     unsigned char *sig);

/* Whether the signature that plog_signer_make has just made holds.  It is made
 * again from the second copy of the secret and compared, so that no fault of
 * memory or arithmetic goes unseen that befell only one of the two.  The first
 * of a signer, and one in PLOG_VERIFY_EVERY, is verified under the public key
 * instead: that takes three times as long, and sees what goes wrong each time.
 * One thread at a time. */
#define PLOG_VERIFY_EVERY 64u
PLOG_MUST_CHECK bool plog_signer_holds(struct plog_signer *s,
                                       const char *origin, uint64_t size,
                                       const unsigned char *root,
                                       const unsigned char *sig);

/* Whether the signature is one by key `k`, as plog_checkpoint_verify; faster
 * where `s` is that key: what it would have made itself needs no verifying. */
PLOG_MUST_CHECK bool plog_signer_confirms(const struct plog_signer *s,
                                          const struct plog_vkey *k,
                                          const char *origin, uint64_t size,
                                          const unsigned char *root,
                                          const unsigned char *sig);

/*
 * Writes keys/signing.key and keys/HEX8.vkey below the handle `keys_dir`:
 * temporary name, O_EXCL, 0600 (0644 for the vkey), fdatasync, rename without
 * replacing, fsync of the directory.  The vkey comes first, so that a crash
 * never leaves a secret without it.
 * @passphrase  NULL: plain form
 * Returns 0; PLOG_E_EXISTS when signing.key is there, or another key with
 * this id; PLOG_E_ARG for an empty passphrase; PLOG_E_KEY without a secret;
 * PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_signer_save(const struct plog_signer *s,
                                     const struct plog_io *io, int keys_dir,
                                     const char *passphrase,
                                     struct plog_error *err);

/*
 * Reads keys/signing.key: a regular file with one link, owned by the
 * effective user, not readable by others (mode & 077 == 0), at most 4 KiB.
 * KDF costs above 1 GiB or 16 passes are refused before they are paid.
 * @keys_dir  or why there is no handle, as plog_dir.keys
 * Returns 0; PLOG_E_KEY (missing, loose mode, wrong or missing passphrase,
 * malformed; err says which and the file); PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_signer_load(struct plog_signer *s,
                                     const struct plog_io *io, int keys_dir,
                                     const char *passphrase,
                                     struct plog_error *err);

/* The id of keys/signing.key, without its secret.
 * @sealed  out: it is under a passphrase
 * Returns 0; PLOG_E_KEY as plog_signer_load. */
PLOG_MUST_CHECK int plog_signer_id(const struct plog_io *io, int keys_dir,
                                   char id[PLOG_KEYID_TEXT], bool *sealed,
                                   struct plog_error *err);

/* Writes keys/HEX8.vkey, 0644; one that holds this very key will do.
 * Returns 0; PLOG_E_EXISTS for another key of this id; PLOG_E_IO. */
PLOG_MUST_CHECK int plog_vkey_save(const struct plog_vkey *k,
                                   const struct plog_io *io, int keys_dir,
                                   struct plog_error *err);

/*
 * keys/signing.key.new: the key that a rotation goes over to, from before its
 * entry is logged until it takes the name of the old one.
 * next_id: the id it names, in the clear also under a passphrase, empty when a
 * drop was cut off; PLOG_END when there is no such file.  install: writes zeros
 * over signing.key and renames.  drop: writes zeros over the new one and
 * removes it.  Each is on disk when it returns 0; else PLOG_E_KEY, PLOG_E_ARG,
 * PLOG_E_EXISTS, PLOG_E_IO or PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_signer_save_next(const struct plog_signer *s,
                                          const struct plog_io *io,
                                          int keys_dir, const char *passphrase,
                                          struct plog_error *err);
PLOG_MUST_CHECK int plog_signer_load_next(struct plog_signer *s,
                                          const struct plog_io *io,
                                          int keys_dir, const char *passphrase,
                                          struct plog_error *err);
PLOG_MUST_CHECK int plog_signer_next_id(const struct plog_io *io, int keys_dir,
                                        char id[PLOG_KEYID_TEXT],
                                        struct plog_error *err);
PLOG_MUST_CHECK int plog_signer_install_next(const struct plog_io *io,
                                             int keys_dir,
                                             struct plog_error *err);
PLOG_MUST_CHECK int plog_signer_drop_next(const struct plog_io *io,
                                          int keys_dir, struct plog_error *err);

/*
 * Text forms on their own, one line without its LF, for tests and fuzzing.
 * plog_signer_format appends the secret to `out`: wipe it before it is freed.
 * @kdf_ops, @kdf_mem_kib  0 for libsodium's moderate cost
 * Format returns 0, PLOG_E_ARG (costs out of range, empty passphrase),
 * PLOG_E_KEY (no secret), PLOG_E_IO (randomness) or PLOG_E_NOMEM.  Parse
 * returns 0, PLOG_E_KEY or PLOG_E_NOMEM; a plain form needs no passphrase and
 * ignores one.
 */
PLOG_MUST_CHECK int plog_signer_format(const struct plog_signer *s,
                                       const struct plog_io *io,
                                       const char *passphrase, uint32_t kdf_ops,
                                       uint32_t kdf_mem_kib,
                                       struct plog_buf *out);
PLOG_MUST_CHECK int plog_signer_parse(struct plog_signer *s,
                                      struct plog_span text,
                                      const char *passphrase,
                                      struct plog_error *err);

/* What to do where none of them is the log's. */
#define PLOG_KEY_TRUST                                                         \
    "with the log's own key, from where you keep it: paritylog key trust DIR"  \
    " VKEY, or --key VKEY"

/* Trusted verifier keys. */
struct plog_keyring {
    unsigned count;
    struct plog_vkey keys[PLOG_KEYS_MAX];
    bool pinned; /* given by the caller, not found in the directory */
};

/*
 * Reads every *.vkey file below `keys_dir` (< 0: no such directory), or takes
 * `pin` alone when it is not NULL.
 * Returns 0 (count may be 0); PLOG_E_ARG for a bad pin; PLOG_E_KEY for a
 * malformed file or more than PLOG_KEYS_MAX; PLOG_E_IO; PLOG_E_NOMEM.
 */
PLOG_MUST_CHECK int plog_keyring_load(struct plog_keyring *ring,
                                      const struct plog_io *io, int keys_dir,
                                      const char *pin, struct plog_error *err);

/* The key with this id (lower-case hex), or NULL. */
const struct plog_vkey *plog_keyring_find(const struct plog_keyring *ring,
                                          struct plog_span id_text);

#endif
