/* doctor.c - one look at everything; see paritylog_recovery.h. */
#include "doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const words[] = {"ok", "note", "warn", "bad", "unknown"};

const char *plog_health_word(enum plog_health h)
{
    return (unsigned)h < PLOG_HEALTHS ? words[h] : "unknown";
}

void plog_doctor_say(struct plog_doctor *d, const char *name,
                     enum plog_health health, const char *next,
                     const char *format, ...)
{
    char found[400];
    va_list ap;
    va_start(ap, format);
    vsnprintf(found, sizeof found, format, ap);
    va_end(ap);
    struct plog_checkup c = {
        .name = name, .health = health, .found = found, .next = next};
    if (!c.next)
        c.next = "";
    d->report->counts[health]++;
    if (d->o->checkup && d->o->checkup(d->o->arg, &c))
        d->stopped = true;
}

static void worse(struct plog_doctor *d, int code)
{
    if (!d->report->verdict)
        d->report->verdict = code;
}

/* ---- Keys --------------------------------------------------------------- */

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

static void signing_key(struct plog_doctor *d)
{
    static const char name[] = "signing key";
    char id[PLOG_KEYID_TEXT], now[PLOG_KEYID_TEXT];
    struct plog_error why = {0};
    struct plog_stat st;
    bool sealed = false;
    if (d->reader.dir.keys < 0 ||
        d->io->stat_at(d->io->ctx, d->reader.dir.keys, "signing.key", &st)) {
        plog_doctor_say(d, name, PLOG_HEALTH_WARN,
                        "put it back, or take this for a copy that is only"
                        " read",
                        "keys/signing.key is not there: nothing can be"
                        " appended");
        return;
    }
    int rc = plog_signer_id(d->io, d->reader.dir.keys, id, &sealed, &why);
    if (rc) {
        plog_doctor_say(d, name, PLOG_HEALTH_BAD, why.hint, "%s", why.message);
        worse(d, PLOG_E_KEY);
        return;
    }
    current_key(d, now);
    if (now[0] && strcmp(now, id) != 0) {
        plog_doctor_say(d, name, PLOG_HEALTH_BAD, "put the log's own key back",
                        "keys/signing.key is %s, but the log is signed by %s",
                        id, now);
        worse(d, PLOG_E_KEY);
        return;
    }
    plog_doctor_say(d, name, PLOG_HEALTH_OK, NULL, "%s, mode %04o, %s%s", id,
                    st.mode & 07777u,
                    sealed ? "under a passphrase" : "without a passphrase",
                    now[0] ? "" : "; which one the log needs is not known");
}

static void trusted_keys(struct plog_doctor *d)
{
    const struct plog_keyring *keys = &d->reader.keys;
    if (keys->pinned)
        plog_doctor_say(d, "trusted keys", PLOG_HEALTH_OK, NULL, "pinned: %s",
                        keys->keys[0].id_text);
    else if (keys->count == 0) {
        plog_doctor_say(d, "trusted keys", PLOG_HEALTH_BAD,
                        "put the log's verifier key back into keys/",
                        "keys/ holds no verifier key");
        worse(d, PLOG_E_UNKNOWN_KEY);
    } else
        plog_doctor_say(d, "trusted keys", PLOG_HEALTH_NOTE,
                        "keep the verifier key elsewhere, and give it with"
                        " --key",
                        "%u in keys/, trusted only because they lie there",
                        keys->count);
}

/* ---- Legs --------------------------------------------------------------- */

struct first {
    struct plog_doctor *d;
    char next[240], where[200];
    uint64_t unchecked;
};

static int keep_first(void *arg, const struct plog_finding *f)
{
    struct first *x = arg;
    if (!x->next[0]) {
        snprintf(x->next, sizeof x->next, "%s", f->next ? f->next : "");
        snprintf(x->where, sizeof x->where,
                 "; first: %s in the %s, %s seq %llu",
                 plog_code_word(f->verdict), plog_leg_name(f->leg),
                 f->file ? f->file : "", (unsigned long long)f->seq);
    }
    return 0;
}

static int count_unchecked(void *arg, const struct plog_unchecked *u)
{
    (void)u;
    ((struct first *)arg)->unchecked++;
    return 0;
}

static int pass_progress(void *arg, const struct plog_progress *p)
{
    const struct plog_doctor_options *o = ((struct first *)arg)->d->o;
    return o->progress ? o->progress(o->arg, p) : 0;
}

static int both_legs(struct plog_doctor *d, struct plog_error *err)
{
    struct first x = {.d = d};
    struct plog_check_report *r = &d->report->legs;
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .io = d->o->io,
                                   .vkey = d->o->vkey,
                                   .wait_seconds = d->o->wait_seconds,
                                   .finding = keep_first,
                                   .unchecked = count_unchecked,
                                   .progress = pass_progress,
                                   .arg = &x};
    int rc = plog_parity(d->path, &o, r, err);
    if (rc)
        return rc;
    if (r->verdict)
        plog_doctor_say(d, "log and store", PLOG_HEALTH_BAD, x.next, "%s%s",
                        plog_code_word(r->verdict), x.where);
    else
        plog_doctor_say(
            d, "log and store", x.unchecked ? PLOG_HEALTH_WARN : PLOG_HEALTH_OK,
            x.unchecked ? "paritylog parity DIR, when nobody writes" : NULL,
            "CLEAN: %llu entries, %llu records%s",
            (unsigned long long)r->entries, (unsigned long long)r->records,
            x.unchecked ? "; not all was checked" : "");
    worse(d, r->verdict);
    return 0;
}

/* Heads alone, which says nothing of content. */
static void heads(struct plog_doctor *d)
{
    const struct plog_status *s = &d->status;
    d->report->legs.verdict = s->verdict;
    d->report->legs.head.size = s->log_size;
    if (!d->has_status)
        plog_doctor_say(d, "log and store", PLOG_HEALTH_UNKNOWN,
                        "paritylog parity DIR", "their heads cannot be read");
    else if (s->verdict)
        plog_doctor_say(d, "log and store", PLOG_HEALTH_BAD,
                        "paritylog parity DIR", "%s",
                        plog_code_word(s->verdict));
    else
        plog_doctor_say(d, "log and store", PLOG_HEALTH_NOTE,
                        "paritylog parity DIR compares their content",
                        "heads are equal, at %llu entries",
                        (unsigned long long)s->log_size);
    worse(d, d->has_status ? s->verdict : PLOG_E_IO);
}

static void upkeep(struct plog_doctor *d)
{
    const struct plog_status *s = &d->status;
    if (!d->has_status)
        return;
    if (s->pending)
        plog_doctor_say(d, "redactions", PLOG_HEALTH_WARN,
                        "end long reads, then open it for writing, e.g."
                        " paritylog strategy DIR",
                        "%llu of %llu are pending: copies of a payload may be"
                        " left",
                        (unsigned long long)s->pending,
                        (unsigned long long)s->redactions);
    else if (s->redactions)
        plog_doctor_say(d, "redactions", PLOG_HEALTH_OK, NULL, "%llu, all done",
                        (unsigned long long)s->redactions);
    if (s->wal_bytes > 256u << 20)
        plog_doctor_say(d, "SQLite's WAL", PLOG_HEALTH_WARN,
                        "see which program keeps reading for so long",
                        "%llu bytes: a long read keeps it from being emptied",
                        (unsigned long long)s->wal_bytes);
}

/* ---- All of it ---------------------------------------------------------- */

static int look(struct plog_doctor *d, struct plog_error *err)
{
    struct plog_options o = {.struct_size = sizeof o,
                             .io = d->o->io,
                             .vkey = d->o->vkey,
                             .wait_seconds = d->o->wait_seconds};
    d->has_status = plog_read_status(d->path, &o, &d->status, NULL) == 0;
    plog_doctor_directory(d);
    plog_doctor_file_system(d);
    plog_doctor_space(d);
    signing_key(d);
    trusted_keys(d);
    plog_doctor_libraries(d);
    upkeep(d);
    int rc = 0;
    if (d->o->quick)
        heads(d);
    else
        rc = both_legs(d, err);
    if (rc)
        return rc;
    plog_doctor_quarantine(d);
    plog_doctor_drill(d);
    plog_doctor_clock(d);
    if (d->report->counts[PLOG_HEALTH_BAD])
        worse(d, PLOG_E_IO);
    return d->stopped ? plog_fail(err, PLOG_E_INTERRUPTED, "stopped") : 0;
}

int plog_doctor(const char *dir, const struct plog_doctor_options *given,
                struct plog_doctor_report *report, struct plog_error *err)
{
    struct plog_doctor_options own;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    memset(report, 0, sizeof *report);
    struct plog_doctor d = {.o = &own,
                            .report = report,
                            .path = dir,
                            .io = own.io ? own.io : plog_io_posix()};
    int64_t started = d.io->clock_mono_ns(d.io->ctx);
    int rc = plog_reader_open_dir(&d.reader, d.io, dir, PLOG_DIR_STORE,
                                  own.vkey, err);
    if (!rc)
        rc = look(&d, err);
    plog_reader_fini(&d.reader);
    report->seconds = (double)(d.io->clock_mono_ns(d.io->ctx) - started) / 1e9;
    return rc;
}
