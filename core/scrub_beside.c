/*
 * scrub_beside.c - what is no leg and may have a payload all the same: the
 * memory that writers share.
 */
#include <errno.h>

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

int plog_scrub_beside(struct plog_legs *l, struct plog_error *err)
{
    return wipe_queue(l, err);
}
