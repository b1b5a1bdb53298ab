/* doctor_keys.c - the keys that a directory has; see doctor.h. */
#include <errno.h>

#include "doctor.h"

static void key_trouble(struct plog_doctor *d, int code)
{
    if (!d->key_verdict)
        d->key_verdict = code;
}

/* Which key the log is signed by now, "" when that cannot be said. */
static void current_key(struct plog_doctor *d, char *id)
{
    struct plog_options o = {.struct_size = sizeof o,
                             .io = d->o->io,
                             .vkey = d->o->vkey,
                             .wait_seconds = d->o->wait_seconds};
    char vkey[PLOG_VKEY_MAX];
    struct plog_vkey key;
    id[0] = '\0';
    if (!plog_key_show(d->path, &o, vkey, NULL) &&
        !plog_vkey_parse(plog_span_text(vkey), &key))
        memcpy(id, key.id_text, sizeof key.id_text);
}

/* A file that names the right key may hold another secret, or none; under a
 * passphrase nobody can tell without it. */
static int read_secret(struct plog_doctor *d, char *id, bool *sealed,
                       struct plog_error *why)
{
    struct plog_signer s;
    int rc = plog_signer_id(d->io, d->reader.dir.keys, id, sealed, why);
    if (rc || *sealed)
        return rc;
    rc = plog_signer_load(&s, d->io, d->reader.dir.keys, NULL, why);
    plog_signer_fini(&s);
    if (rc == PLOG_E_KEY) /* not that of a passphrase */
        plog_err_hint(why, "put it back from a copy");
    return rc;
}

/* While a rotation is under way either of the two files may be in force.
 * Returns whether that is so, and then it is told. */
static bool rotates(struct plog_doctor *d, const char *id, const char *now)
{
    char next[PLOG_KEYID_TEXT];
    if (plog_signer_next_id(d->io, d->reader.dir.keys, next, NULL))
        return false;
    if (now[0] && strcmp(now, id) != 0 && strcmp(now, next) != 0)
        return false;
    if (!next[0]) {
        plog_doctor_say(d, "signing key", PLOG_HEALTH_WARN,
                        "paritylog append DIR /dev/null, which removes it",
                        "keys/signing.key.new is left of a rotation that was"
                        " undone");
        return true;
    }
    plog_doctor_say(
        d, "signing key", PLOG_HEALTH_WARN,
        "if none is under way: paritylog append DIR /dev/null, which"
        " ends or undoes it",
        "a rotation%s%s to %s has not ended", strcmp(id, next) ? " from " : "",
        strcmp(id, next) ? id : "", next);
    return true;
}

void plog_doctor_signing_key(struct plog_doctor *d)
{
    static const char name[] = "signing key";
    char id[PLOG_KEYID_TEXT], now[PLOG_KEYID_TEXT];
    struct plog_error why = {0};
    struct plog_stat st;
    bool sealed = false;
    int keys = d->reader.dir.keys;
    int rc =
        keys < 0 ? keys : d->io->stat_at(d->io->ctx, keys, "signing.key", &st);
    if (rc == -ENOENT) {
        plog_doctor_say(d, name, PLOG_HEALTH_WARN,
                        "put it back, or take this for a copy that is only"
                        " read",
                        "keys/signing.key is not there: nothing can be"
                        " appended");
        return;
    }
    if (keys == -EACCES || keys == -EPERM) {
        plog_doctor_say(d, name, PLOG_HEALTH_UNKNOWN,
                        "look as the user to whom keys/ belongs",
                        "keys/ is not for user %u", plog_io_effective_user());
        return;
    }
    rc = read_secret(d, id, &sealed, &why);
    if (rc) {
        bool with_file = rc == PLOG_E_IO && why.file[0];
        plog_doctor_say(d, name, PLOG_HEALTH_BAD, why.hint, "%s%s%s",
                        with_file ? why.file : "", with_file ? ": " : "",
                        why.message);
        key_trouble(d, PLOG_E_KEY);
        return;
    }
    current_key(d, now);
    if (rotates(d, id, now))
        return;
    if (now[0] && strcmp(now, id) != 0) {
        plog_doctor_say(d, name, PLOG_HEALTH_BAD, "put the log's own key back",
                        "keys/signing.key is %s, but the log is signed by %s",
                        id, now);
        key_trouble(d, PLOG_E_KEY);
        return;
    }
    plog_doctor_say(d, name, PLOG_HEALTH_OK, NULL, "%s, mode %04o, %s%s", id,
                    st.mode & 07777u,
                    sealed ? "under a passphrase" : "without a passphrase",
                    now[0] ? "" : "; which one the log needs is not known");
}

void plog_doctor_trusted_keys(struct plog_doctor *d)
{
    const struct plog_keyring *keys = &d->reader.keys;
    if (keys->pinned)
        plog_doctor_say(d, "trusted keys", PLOG_HEALTH_OK, NULL, "pinned: %s",
                        keys->keys[0].id_text);
    else if (keys->count == 0) {
        plog_doctor_say(d, "trusted keys", PLOG_HEALTH_BAD, PLOG_KEY_TRUST,
                        "keys/ holds no verifier key");
        key_trouble(d, PLOG_E_UNKNOWN_KEY);
    } else
        plog_doctor_say(d, "trusted keys", PLOG_HEALTH_NOTE,
                        "keep the verifier key elsewhere, and give it with"
                        " --key",
                        "%u in keys/, trusted only because they lie there",
                        keys->count);
}
