/*
 * note.h - checkpoints as C2SP tlog-checkpoint and signed-note texts.
 *
 * The signed text is `ORIGIN\nSIZE\nROOT\n`, ROOT in standard base64.  A
 * signed note is that text, an empty line, and one line a signature:
 * `- ORIGIN BASE64(KEYID || SIG)\n`, where the dash is U+2014.
 * Sources: C2SP signed-note, tlog-checkpoint; RFC 8032.
 */
#ifndef PLOG_NOTE_H
#define PLOG_NOTE_H

#include "buf.h"

/* A verifier key: C2SP vkey `NAME+HEX8+BASE64(0x01 || public key)`. */
struct plog_vkey {
    char name[PLOG_ORIGIN_MAX + 1];
    unsigned char id[4];           /* SHA-256(NAME "\n" 0x01 PUBLIC)[0..4] */
    char id_text[PLOG_KEYID_TEXT]; /* lower case */
    unsigned char public_key[32];
};

/* Whether `name` may be an origin: 1-255 bytes of valid UTF-8, no white
 * space (also not Unicode's), no control character, no '+'. */
bool plog_origin_valid(struct plog_span name);

/* Fills id, id_text from name and public_key. */
void plog_vkey_finish(struct plog_vkey *k);
/* Reads a vkey text: key id must fit, algorithm 1, canonical base64, and the
 * public key a point of the main subgroup (no small order).
 * Returns 0 or PLOG_E_INPUT. */
PLOG_MUST_CHECK int plog_vkey_parse(struct plog_span text,
                                    struct plog_vkey *out);
/* Writes the text into `out`, PLOG_VKEY_MAX bytes. */
void plog_vkey_format(const struct plog_vkey *k, char *out);

/* Most bytes of a signed text; it takes no NUL. */
#define PLOG_CHECKPOINT_TEXT_MAX (PLOG_ORIGIN_MAX + 1 + 20 + 1 + 44 + 1)

/* Writes the signed text of a checkpoint into `out`, PLOG_CHECKPOINT_TEXT_MAX
 * bytes.  Returns its length, or 0 when origin or size are out of range. */
size_t plog_checkpoint_write(char *out, const char *origin, uint64_t size,
                             const unsigned char *root);

/* Checks an Ed25519 signature over the checkpoint text (small-order keys and
 * S >= L are refused).  Allocates nothing.  Returns true when it holds. */
bool plog_checkpoint_verify(const struct plog_vkey *k, const char *origin,
                            uint64_t size, const unsigned char *root,
                            const unsigned char *sig);

/* Appends the signed note with one signature.  Returns as above. */
PLOG_MUST_CHECK int plog_note_format(struct plog_buf *b, const char *origin,
                                     uint64_t size, const unsigned char *root,
                                     const unsigned char key_id[4],
                                     const unsigned char *sig);

struct plog_note {
    char origin[PLOG_ORIGIN_MAX + 1];
    uint64_t size;
    unsigned char root[PLOG_HASH_SIZE];
    unsigned char key_id[4];
    unsigned char sig[PLOG_SIG_SIZE];
};
/* Reads a signed note with exactly one signature, by the origin's own key;
 * re-encoding gives the same bytes.  The signature is not checked.
 * Returns 0 or PLOG_E_INPUT. */
PLOG_MUST_CHECK int plog_note_parse(struct plog_span text,
                                    struct plog_note *out);

#endif
