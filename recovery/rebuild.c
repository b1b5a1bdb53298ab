/* rebuild.c - what both directions share: see rebuild.h. */
#include "rebuild.h"

#include <stdio.h>

#include "again.h"

int plog_rebuild_tell(struct plog_rebuild *b, uint64_t done, uint64_t bytes)
{
    struct plog_progress p = {done, b->total, bytes, "rebuild"};
    return b->o->progress ? b->o->progress(b->o->arg, &p) : 0;
}

int plog_rebuild_end_at(struct plog_rebuild *b, int rc,
                        const struct plog_error *why)
{
    struct plog_rebuild_report *r = b->report;
    if (r->head.size == 0 || rc == PLOG_E_INTERRUPTED || rc == PLOG_E_NOMEM ||
        rc == PLOG_E_IO)
        return rc;
    r->verdict = rc;
    r->missing_from = r->head.size + 1;
    r->missing_to = b->total > r->head.size ? b->total : 0;
    snprintf(r->why, sizeof r->why, "%.200s", why->message);
    return 0;
}

int plog_rebuild_begin(struct plog_rebuild *b, const char *dir, const char *out,
                       enum plog_dir_mode mode, struct plog_error *err)
{
    memset(b->report, 0, sizeof *b->report);
    b->report->dry_run = b->o->dry_run;
    int rc = plog_reader_open_dir(&b->reader, b->io, dir, mode, true,
                                  b->o->vkey, err);
    if (!rc && b->o->dry_run)
        return out ? plog_place_check(b->io, out, err) : 0;
    if (!rc) {
        rc = plog_place_make(&b->place, b->io, out, err);
        if (!rc)
            rc = plog_place_keys(&b->place, &b->reader.dir, false, err);
        if (!rc)
            rc = plog_place_orders(&b->place, &b->reader.dir, err);
    }
    return rc;
}

/* Removes what was not finished. */
static void end(struct plog_rebuild *b)
{
    plog_place_close(&b->place);
    plog_reader_fini(&b->reader);
}

static int run(struct plog_rebuild *b, const char *dir, const char *out,
               plog_rebuild_attempt *attempt, struct plog_error *err)
{
    struct plog_again again;
    struct plog_rebuild fresh = *b;
    int rc;
    int64_t started = b->io->clock_mono_ns(b->io->ctx);
    plog_again_begin(&again, b->io, dir);
    while ((rc = attempt(b, dir, out, err)) != 0 || b->report->verdict) {
        if (!plog_again(&again, rc ? rc : b->report->verdict))
            break; /* it is damage, or moves each time */
        end(b);
        *b = fresh;
    }
    rc = plog_again_end(&again, rc, err);
    if (!rc && !b->o->dry_run)
        rc = plog_place_finish(&b->place, err);
    if (rc)
        plog_place_say_full(&b->place, err);
    end(b);
    b->report->seconds =
        (double)(b->io->clock_mono_ns(b->io->ctx) - started) / 1e9;
    return rc;
}

int plog_rebuild(const char *dir, const char *out,
                 const struct plog_rebuild_options *given,
                 struct plog_rebuild_report *report,
                 plog_rebuild_attempt *attempt, plog_install *install,
                 struct plog_error *err)
{
    struct plog_rebuild_options own;
    struct plog_error why = {.code = 0};
    if (!err)
        err = &why;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    if (own.install)
        return plog_done(err, install(dir, &own, report, err));
    struct plog_rebuild b = {
        .o = &own, .report = report, .io = own.io ? own.io : plog_io_posix()};
    return plog_done(err, run(&b, dir, out, attempt, err));
}
