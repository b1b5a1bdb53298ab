/*
 * rotate.h - the keys of one log, in the order of its rotations.
 *
 * A rotate entry names the old and the new key and is signed inside by both,
 * so it vouches for the new key before anybody who trusts the old one, and
 * for the old key before anybody who trusts the new one.  Its commit is the
 * last by the old key.  docs/FORMAT.md, section 5.
 *
 * A restore entry is a copy that goes on under a name of its own: the new key
 * has another name, signs alone, and the entry's own commit is its first.  So
 * whoever trusts the old log trusts nothing of what follows, and whoever trusts
 * the new one all of it.
 */
#ifndef PLOG_ROTATE_H
#define PLOG_ROTATE_H

#include "key.h"
#include "line.h"

struct plog_rotation {
    /* The last size before the new key: of a rotation that of its own commit,
     * of a restore that of the commit before. */
    uint64_t size;
    unsigned char root[PLOG_HASH_SIZE]; /* of the entries before it */
    struct plog_vkey old_key, new_key;
    unsigned char old_sig[PLOG_SIG_SIZE], new_sig[PLOG_SIG_SIZE];
    bool restores; /* then there is no old_sig */
};

/* Appends the arguments of a rotate entry, signed by both.
 * @size  the seq that the entry will have; @root  of the entries before it
 * Returns 0; PLOG_E_KEY without both secrets; PLOG_E_NOMEM. */
PLOG_MUST_CHECK int plog_rotation_make(struct plog_buf *args, uint64_t size,
                                       const unsigned char *root,
                                       const struct plog_signer *old_signer,
                                       const struct plog_signer *new_signer);

/* Reads the arguments of a rotate entry with seq `seq`, and checks all that
 * they prove by themselves.
 * Returns 0; PLOG_E_CORRUPT; PLOG_E_TAMPERED when they are well-formed and a
 * signature inside does not verify. */
PLOG_MUST_CHECK int plog_rotation_parse(struct plog_span args, uint64_t seq,
                                        struct plog_rotation *out);

/* The same of a restore entry: `size` entries were restored, with this root;
 * `old_key` is the one that would sign the next. */
PLOG_MUST_CHECK int plog_restore_make(struct plog_buf *args, uint64_t size,
                                      const unsigned char *root,
                                      const struct plog_vkey *old_key,
                                      const struct plog_signer *new_signer);
PLOG_MUST_CHECK int plog_restore_parse(struct plog_span args, uint64_t seq,
                                       struct plog_rotation *out);

/* Whichever of both the entry is.  Returns as they do; PLOG_END for any other
 * entry. */
PLOG_MUST_CHECK int plog_rotation_of(const struct plog_entry *e,
                                     struct plog_rotation *out);

/*
 * The keys of a log: keys[i] signs commits from size from[i] on, up to the
 * one before from[i + 1].
 * Invariant: from[0] is 0 and from ascends; no id is there twice.  Two keys
 * have the same `from` when a copy goes on right behind a rotation: the first
 * of them signs nothing.
 */
struct plog_keychain {
    unsigned count;
    /* What was not read may hold a rotation: the next commit may be by
     * another trusted key, which is then the one in force. */
    bool unsettled;
    bool guessed; /* damage was passed over: `from` may be too high */
    uint64_t from[PLOG_KEYS_MAX];
    struct plog_vkey keys[PLOG_KEYS_MAX];
};

/* The key that signs the commit of `size`; NULL for an empty chain. */
const struct plog_vkey *plog_keychain_at(const struct plog_keychain *k,
                                         uint64_t size);
/* The log's name at `size`: that of the key.  `fallback` for an empty chain. */
const char *plog_keychain_name(const struct plog_keychain *k, uint64_t size,
                               const char *fallback);
/* The key with this id, whenever it was in force; or NULL. */
const struct plog_vkey *plog_keychain_find(const struct plog_keychain *k,
                                           const char *id_text);
/* The key in force from `from` on, behind those that are there. */
PLOG_MUST_CHECK int plog_keychain_add(struct plog_keychain *k,
                                      const struct plog_vkey *key,
                                      uint64_t from);
/* Goes on with the new key behind `r`, whose old key must be the one in force
 * there.  `*why` says what is wrong.  Returns 0 or PLOG_E_CORRUPT. */
PLOG_MUST_CHECK int plog_keychain_rotate(struct plog_keychain *k,
                                         const struct plog_rotation *r,
                                         const char **why);
/* Whether one of the keys is trusted that the log has had since it took its
 * present name. */
bool plog_keychain_anchored(const struct plog_keychain *k,
                            const struct plog_keyring *trusted);
/* The same as an error.  Returns 0 or PLOG_E_UNKNOWN_KEY. */
PLOG_MUST_CHECK int plog_keychain_check(const struct plog_keychain *k,
                                        const struct plog_keyring *trusted,
                                        struct plog_error *err);
bool plog_vkey_same(const struct plog_vkey *a, const struct plog_vkey *b);

#endif
