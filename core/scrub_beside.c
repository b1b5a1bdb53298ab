/*
 * scrub_beside.c - what is no leg and may have a payload all the same: the
 * memory that writers share, and what killed commands left.
 */
#include <errno.h>
#include <stdio.h>

#include "left.h"
#include "scrub.h"

static int wipe_queue(struct plog_legs *l, struct plog_error *err)
{
    struct plog_dir *d = &l->dir;
    int rc = plog_slots_scrub(&d->slots, l->io, d->dir, d->lock, &d->lock_id);
    if (rc != -EBUSY)
        return rc ? plog_fail_io(err, rc, PLOG_QUEUE_FILE,
                                 "taking out what nobody waits for")
                  : 0;
    plog_fail(err, PLOG_E_LOCKED,
              "a writer of another release may use the file");
    plog_err_file(err, PLOG_QUEUE_FILE);
    plog_err_hint(err, "end that one; the next opening for writing finishes"
                       " it");
    return PLOG_E_LOCKED;
}

int plog_scrub_begin_alone(struct plog_legs *l, struct plog_error *err)
{
    int rc = plog_dir_drill(&l->dir, -1, err);
    if (rc != PLOG_E_LOCKED)
        return rc;
    plog_fail(err, rc, "a drill is under way, and its copy may have it");
    plog_err_hint(err, "when that has ended, run it again; or the next opening"
                       " for writing finishes it");
    return rc;
}

int plog_scrub_beside(struct plog_legs *l, struct plog_scrub_report *report,
                      struct plog_error *err)
{
    struct plog_left left = {0};
    int rc = wipe_queue(l, err);
    if (!rc)
        rc = plog_left_clear(&l->dir, &left, err);
    if (!report->left) {
        report->left_why = left.why;
        snprintf(report->left_file, sizeof report->left_file, "%.255s",
                 left.file);
    }
    report->left += left.count;
    return rc;
}
