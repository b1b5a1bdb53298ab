/* doctor.c - one look at everything; see paritylog_recovery.h. */
#include "doctor.h"

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
    if (d->stopped)
        return;
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

bool plog_doctor_open_store(struct plog_doctor *d)
{
    struct plog_reader *r = &d->reader;
    return r->store_open || plog_reader_open_store(r, 0, NULL) == 0;
}

/* ---- Legs --------------------------------------------------------------- */

struct first {
    struct plog_doctor *d;
    char next[240], where[200];
    uint64_t unchecked;
    bool busy;     /* the log may have grown meanwhile */
    char why[160]; /* the first reason */
};

static int keep_first(void *arg, const struct plog_finding *f)
{
    struct first *x = arg;
    if (!x->next[0]) {
        snprintf(x->next, sizeof x->next, "%s", f->next);
        snprintf(x->where, sizeof x->where,
                 "; first: %s in the %s, %s seq %llu",
                 plog_code_word(f->verdict), plog_leg_name(f->leg), f->file,
                 (unsigned long long)f->seq);
    }
    return 0;
}

static int count_unchecked(void *arg, const struct plog_unchecked *u)
{
    struct first *x = arg;
    x->busy |= u->leg == PLOG_LEG_BOTH && u->to == 0;
    if (x->unchecked++ == 0)
        snprintf(x->why, sizeof x->why, "%s", u->why);
    return 0;
}

static int pass_progress(void *arg, const struct plog_progress *p)
{
    const struct plog_doctor_options *o = ((struct first *)arg)->d->o;
    return o->progress ? o->progress(o->arg, p) : 0;
}

/* A check that cannot be made is a finding; the rest is looked at all the
 * same. */
static void say_failed(struct plog_doctor *d, int rc,
                       const struct plog_error *why)
{
    bool log_gone = d->reader.dir.log < 0; /* then there is a store */
    plog_doctor_say(d, "log and store",
                    rc == PLOG_E_LOCKED ? PLOG_HEALTH_UNKNOWN : PLOG_HEALTH_BAD,
                    log_gone ? "paritylog salvage DIR --from-store" : why->hint,
                    "%s: %s%s%s", plog_code_word(rc), why->message,
                    why->file[0] ? ": " : "", why->file);
    d->legs_verdict = rc;
    d->report->legs.verdict = rc;
}

/* Where nobody writes, another parity would leave out the same. */
static void say_legs(struct plog_doctor *d, const struct first *x)
{
    const struct plog_check_report *r = &d->report->legs;
    if (r->verdict)
        plog_doctor_say(d, "log and store", PLOG_HEALTH_BAD, x->next, "%s%s",
                        plog_code_word(r->verdict), x->where);
    else
        plog_doctor_say(
            d, "log and store",
            x->busy        ? PLOG_HEALTH_WARN
            : x->unchecked ? PLOG_HEALTH_NOTE
                           : PLOG_HEALTH_OK,
            x->busy ? "paritylog parity DIR, when nobody writes" : NULL,
            "CLEAN: %llu entries, %llu records%s%s",
            (unsigned long long)r->entries, (unsigned long long)r->records,
            x->busy        ? "; not all was checked"
            : x->unchecked ? "; not compared: "
                           : "",
            x->busy ? "" : x->why);
    d->legs_verdict = r->verdict;
}

static int both_legs(struct plog_doctor *d, struct plog_error *err)
{
    struct first x = {.d = d};
    struct plog_error why = {0};
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .io = d->o->io,
                                   .vkey = d->o->vkey,
                                   .wait_seconds = d->o->wait_seconds,
                                   .finding = keep_first,
                                   .unchecked = count_unchecked,
                                   .progress = pass_progress,
                                   .arg = &x};
    int rc = plog_parity(d->path, &o, &d->report->legs, &why);
    if (rc == PLOG_E_INTERRUPTED || rc == PLOG_E_NOMEM) {
        if (err)
            *err = why;
        return rc;
    }
    if (rc)
        say_failed(d, rc, &why);
    else
        say_legs(d, &x);
    return 0;
}

/* Heads alone, which says nothing of content. */
static void heads(struct plog_doctor *d)
{
    const struct plog_status *s = &d->status;
    if (!d->has_status) {
        say_failed(d, d->why.code, &d->why);
        return;
    }
    d->legs_verdict = d->report->legs.verdict = s->verdict;
    d->report->legs.head.size = s->log_size;
    if (s->verdict)
        plog_doctor_say(d, "log and store", PLOG_HEALTH_BAD,
                        "paritylog parity DIR", "%s",
                        plog_code_word(s->verdict));
    else
        plog_doctor_say(d, "log and store", PLOG_HEALTH_NOTE,
                        "paritylog parity DIR compares their content",
                        "heads are equal, at %llu entries",
                        (unsigned long long)s->log_size);
}

/* The store's mark, and what was seen of the log itself. */
static void redactions(struct plog_doctor *d)
{
    const struct plog_status *s = &d->status;
    unsigned long long whole = d->report->legs.pending;
    char next[80];
    if (!d->has_status)
        return;
    snprintf(next, sizeof next, "paritylog redact DIR %llu --reason TEXT",
             (unsigned long long)d->report->legs.pending_at);
    if (s->pending)
        plog_doctor_say(d, "redactions", PLOG_HEALTH_WARN,
                        "end long reads, then: paritylog append DIR /dev/null;"
                        " what stays pending in paritylog redact DIR --list:"
                        " redact it again, which says why",
                        "%llu of %llu are pending: copies of a payload may be"
                        " left",
                        (unsigned long long)s->pending,
                        (unsigned long long)s->redactions);
    else if (whole)
        plog_doctor_say(d, "redactions", PLOG_HEALTH_WARN, next,
                        "%llu redacted entries are whole in the log again, the"
                        " first is %llu",
                        whole, (unsigned long long)d->report->legs.pending_at);
    else if (s->redactions)
        plog_doctor_say(d, "redactions", PLOG_HEALTH_OK, NULL, "%llu, all done",
                        (unsigned long long)s->redactions);
}

static void upkeep(struct plog_doctor *d)
{
    const struct plog_status *s = &d->status;
    if (!d->has_status)
        return;
    if (s->below_floor)
        plog_doctor_say(d, "compaction", PLOG_HEALTH_WARN,
                        "paritylog compact DIR",
                        "%llu segments below the floor are left of one that was"
                        " cut off",
                        (unsigned long long)s->below_floor);
    else if (s->floor && s->has_store) /* which knows the peers */
        plog_doctor_say(d, "compaction", PLOG_HEALTH_OK, NULL,
                        "the floor is entry %llu; %llu peers",
                        (unsigned long long)s->floor,
                        (unsigned long long)s->peers);
    if (s->wal_bytes > 256u << 20)
        plog_doctor_say(d, "SQLite's WAL", PLOG_HEALTH_WARN,
                        "see which program keeps reading for so long",
                        "%llu bytes: a long read keeps it from being emptied",
                        (unsigned long long)s->wal_bytes);
}

/* ---- All of it ---------------------------------------------------------- */

/* The directory is there; so must be one leg. */
static int check_any_leg(struct plog_doctor *d, struct plog_error *err)
{
    const struct plog_dir *dir = &d->reader.dir;
    struct plog_stat st;
    if (dir->log >= 0 ||
        d->io->stat_at(d->io->ctx, dir->dir, PLOG_STORE_FILE, &st) == 0)
        return 0;
    return plog_dir_no_log(dir, "log and store.db are missing", err);
}

static void read_status(struct plog_doctor *d)
{
    struct plog_options o = {.struct_size = sizeof o,
                             .io = d->o->io,
                             .vkey = d->o->vkey,
                             .wait_seconds = d->o->wait_seconds};
    int rc = plog_read_status(d->path, &o, &d->status, &d->why);
    d->has_status = rc == 0;
    d->why.code = rc;
}

static int look(struct plog_doctor *d, struct plog_error *err)
{
    static void (*const before[])(struct plog_doctor * d) = {
        plog_doctor_directory,   plog_doctor_writing,
        plog_doctor_file_system, plog_doctor_space,
        plog_doctor_signing_key, plog_doctor_trusted_keys,
        plog_doctor_libraries,   upkeep};
    static void (*const after[])(struct plog_doctor * d) = {
        redactions, plog_doctor_snapshots, plog_doctor_quarantine,
        plog_doctor_drill, plog_doctor_clock};
    int rc = 0;
    read_status(d);
    for (size_t i = 0; !d->stopped && i < sizeof before / sizeof *before; i++)
        before[i](d);
    if (!d->stopped && d->o->quick)
        heads(d);
    else if (!d->stopped)
        rc = both_legs(d, err);
    if (!rc && !d->stopped && !d->o->quick)
        rc = plog_doctor_archive(d, err);
    for (size_t i = 0; !rc && !d->stopped && i < sizeof after / sizeof *after;
         i++)
        after[i](d);
    if (!rc && d->stopped)
        rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
    return rc;
}

/* The legs first, whatever else is bad: a damaged log matters more than a
 * loose key. */
static int verdict(const struct plog_doctor *d)
{
    return d->legs_verdict                           ? d->legs_verdict
           : d->key_verdict                          ? d->key_verdict
           : d->report->counts[PLOG_HEALTH_BAD] != 0 ? PLOG_E_IO
                                                     : 0;
}

int plog_doctor(const char *dir, const struct plog_doctor_options *given,
                struct plog_doctor_report *report, struct plog_error *err)
{
    struct plog_doctor_options own;
    memset(report, 0, sizeof *report);
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    struct plog_doctor d = {.o = &own,
                            .report = report,
                            .path = dir,
                            .io = own.io ? own.io : plog_io_posix()};
    int64_t started = d.io->clock_mono_ns(d.io->ctx);
    int rc = plog_reader_open_dir(&d.reader, d.io, dir, PLOG_DIR_STORE, true,
                                  own.vkey, err);
    if (!rc)
        rc = check_any_leg(&d, err);
    if (!rc)
        rc = look(&d, err);
    plog_reader_fini(&d.reader);
    report->verdict = rc ? rc : verdict(&d);
    report->seconds = (double)(d.io->clock_mono_ns(d.io->ctx) - started) / 1e9;
    return plog_done(err, rc);
}
