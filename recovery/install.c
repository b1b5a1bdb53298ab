/*
 * install.c - a rebuilt leg in the place of the one there: first all of it is
 * rebuilt in thought, then the same steps as replay --fresh and salvage set the
 * old one aside and put the new one there.
 */
#include <stdio.h>

#include "install.h"

typedef int rebuild_fn(const char *dir, const char *out,
                       const struct plog_rebuild_options *o,
                       struct plog_rebuild_report *report,
                       struct plog_error *err);

/* Whether the whole leg comes out of the other one. */
static int rehearse(const char *dir, const struct plog_rebuild_options *o,
                    struct plog_rebuild_report *report, rebuild_fn *rebuild,
                    struct plog_error *err)
{
    struct plog_rebuild_options dry = *o;
    dry.install = false;
    dry.dry_run = true;
    int rc = rebuild(dir, NULL, &dry, report, err);
    report->dry_run = o->dry_run;
    return rc;
}

static int keep_place(void *arg, const struct plog_salvaged *what)
{
    struct plog_rebuild_report *r = arg;
    if (!r->quarantine[0])
        snprintf(r->quarantine, sizeof r->quarantine, "%s", what->quarantine);
    return 0;
}

int plog_install_log(const char *dir, const struct plog_rebuild_options *o,
                     struct plog_rebuild_report *report, struct plog_error *err)
{
    struct plog_salvage_report healed;
    struct plog_salvage_options heal = {.struct_size = sizeof heal,
                                        .io = o->io,
                                        .vkey = o->vkey,
                                        .wait_seconds = o->wait_seconds,
                                        .from_store = true,
                                        .allow_network_fs = o->allow_network_fs,
                                        .range = keep_place,
                                        .arg = report};
    int rc = rehearse(dir, o, report, plog_rebuild_log, err);
    if (rc || report->verdict || o->dry_run)
        return rc;
    rc = plog_salvage(dir, &heal, &healed, err);
    if (rc)
        return rc;
    report->head = healed.head; /* as it is, and not as it was planned */
    report->verdict = healed.verdict;
    if (healed.verdict == PLOG_E_FORK)
        snprintf(report->why, sizeof report->why,
                 "log and store are two signed histories: keep a copy of DIR,"
                 " and compare both heads with a witness or a peer");
    else if (healed.verdict)
        snprintf(report->why, sizeof report->why,
                 "the log is still not whole: paritylog parity DIR says why");
    return 0;
}

int plog_install_store(const char *dir, const struct plog_rebuild_options *o,
                       struct plog_rebuild_report *report,
                       struct plog_error *err)
{
    struct plog_replay_report replayed;
    struct plog_replay_options fresh = {.struct_size = sizeof fresh,
                                        .io = o->io,
                                        .vkey = o->vkey,
                                        .wait_seconds = o->wait_seconds,
                                        .fresh = true,
                                        .dry_run = o->dry_run,
                                        .allow_network_fs = o->allow_network_fs,
                                        .progress = o->progress,
                                        .arg = o->arg};
    int rc = rehearse(dir, o, report, plog_rebuild_store_read, err);
    if (rc || report->verdict)
        return rc;
    rc = plog_replay(dir, &fresh, &replayed, err);
    if (rc || o->dry_run)
        return rc;
    report->head = replayed.head; /* a writer may have come in between */
    report->entries = replayed.head.size;
    snprintf(report->quarantine, sizeof report->quarantine, "%.120s",
             replayed.quarantine);
    report->own_tables = replayed.own_tables;
    return 0;
}
