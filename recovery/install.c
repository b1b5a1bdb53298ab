/*
 * install.c - a rebuilt leg in the place of the one there: first all of it is
 * rebuilt in thought, and the log that is there healed in thought, for it may
 * know more than the store; then the same steps as replay --fresh and salvage
 * set the old one aside and put the new one there.
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

/* Of a plan: the first entry that neither leg has. */
static int keep_missing(void *arg, const struct plog_salvaged *what)
{
    struct plog_rebuild_report *r = arg;
    if (!what->healed && r->missing_from == 0) {
        r->missing_from = what->from;
        r->missing_to = what->to;
    }
    return 0;
}

static void say_why(struct plog_rebuild_report *r)
{
    const char *why = "the log is still not whole: paritylog parity DIR says"
                      " why";
    if (r->verdict == PLOG_E_FORK)
        why = "log and store are two signed histories: keep a copy of DIR, and"
              " compare both heads with a witness or a peer";
    else if (r->verdict == PLOG_E_PRUNED)
        why = "the store ends before the log begins: nothing of the log can"
              " come from it";
    snprintf(r->why, sizeof r->why, "%s", why);
}

/* The store is whole; but the log in DIR may have what it does not know. */
static int plan(const char *dir, struct plog_salvage_options heal,
                struct plog_rebuild_report *report, struct plog_error *err)
{
    struct plog_salvage_report planned;
    heal.dry_run = true;
    heal.range = keep_missing;
    int rc = plog_salvage(dir, &heal, &planned, err);
    bool mends = planned.healed && !planned.left;
    if (rc || (mends && !planned.comes_to))
        return rc; /* its head shows when it is done */
    report->verdict = mends ? planned.comes_to : planned.verdict;
    if (report->verdict == PLOG_E_FORK) /* both have all of theirs */
        report->missing_from = report->missing_to = 0;
    if (report->verdict)
        say_why(report);
    else
        report->head = planned.head;
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
    int rc = rehearse(dir, o, report, plog_rebuild_log_read, err);
    if (!rc && !report->verdict)
        rc = plan(dir, heal, report, err);
    report->refused = !rc && report->verdict;
    if (rc || report->verdict || o->dry_run)
        return rc;
    rc = plog_salvage(dir, &heal, &healed, err);
    if (rc)
        return rc;
    report->head = healed.head; /* as it is, and not as it was planned */
    report->verdict = healed.verdict;
    if (healed.verdict)
        say_why(report);
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
    report->refused = !rc && report->verdict;
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
