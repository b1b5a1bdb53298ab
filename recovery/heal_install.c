/*
 * heal_install.c - what was made for a damaged log takes its place.
 *
 * Each step is whole by itself: the old file is in quarantine/ on disk before
 * the new one has its name.  Whoever is killed between two of them leaves a log
 * of which some segments are healed, and the next run makes the others again.
 */
#include <errno.h>
#include <stdio.h>

#include "aside.h"
#include "heal.h"
#include "left.h"

/* ---- The steps ---------------------------------------------------------- */

int plog_heal_step(struct plog_heal *h, const struct plog_heal_step *step,
                   struct plog_error *err)
{
    h->healed += step->what != PLOG_HEAL_LEFT;
    h->left += step->what == PLOG_HEAL_LEFT;
    return plog_buf_add(&h->steps, step, sizeof *step)
               ? plog_fail(err, PLOG_E_NOMEM, "out of memory")
               : 0;
}

int plog_heal_aside(struct plog_heal *h, uint64_t first, const char *why,
                    struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    struct plog_heal_step step = {
        .what = PLOG_HEAL_ASIDE,
        .first = first,
        .told = {.from = first, .healed = true}}; /* who knows how far */
    plog_segment_name(first, name);
    snprintf(step.told.file, sizeof step.told.file, "log/%s", name);
    snprintf(step.told.why, sizeof step.told.why, "%s", why);
    return plog_heal_step(h, &step, err);
}

static struct plog_heal_step *step_at(const struct plog_heal *h, size_t i)
{
    return (void *)(h->steps.data + i * sizeof(struct plog_heal_step));
}

static size_t step_count(const struct plog_heal *h)
{
    return h->steps.len / sizeof(struct plog_heal_step);
}

void plog_heal_refuse(struct plog_heal *h, const char *why, bool also_left)
{
    for (size_t i = 0; i < step_count(h); i++) {
        struct plog_heal_step *step = step_at(h, i);
        if (step->what == PLOG_HEAL_LEFT && !also_left)
            continue;
        step->what = PLOG_HEAL_LEFT;
        step->told.healed = false;
        snprintf(step->told.why, sizeof step->told.why, "%s", why);
    }
    h->left = step_count(h);
    h->healed = h->entries = 0;
}

/* ---- The scratch folder ------------------------------------------------- */

int plog_heal_scratch(struct plog_heal *h, struct plog_error *err)
{
    if (h->dry_run)
        return 0;
    int fd,
        rc = plog_dir_folder(&h->legs->dir, PLOG_SALVAGE_DIR, true, &fd, err);
    if (rc)
        return rc;
    h->scratch = fd;
    rc = plog_left_salvage(h->legs->io, fd);
    return rc ? plog_fail_io(err, rc, PLOG_SALVAGE_DIR,
                             "emptying the scratch folder")
              : 0;
}

void plog_heal_drop(struct plog_heal *h)
{
    const struct plog_io *io = h->legs->io;
    if (h->scratch < 0)
        return;
    int rc = plog_left_salvage(io, h->scratch); /* the next run does it, too */
    io->close(io->ctx, h->scratch);
    h->scratch = -1;
    if (!rc && !io->rmdir_at(io->ctx, h->legs->dir.dir, PLOG_SALVAGE_DIR))
        (void)io->fsync(io->ctx, h->legs->dir.dir); /* only a scratch */
}

/* ---- In its place ------------------------------------------------------- */

/* What has the name of the segment: a file is copied, so that its name is there
 * all the time; what is none is moved. */
static int set_old_aside(struct plog_heal *h, struct plog_heal_step *step,
                         const char *name, struct plog_error *err)
{
    const struct plog_dir *d = &h->legs->dir;
    const struct plog_io *io = d->io;
    struct plog_stat st;
    int fd, rc = plog_dir_open_segment(d, step->first, false, &fd, &st, err);
    if (rc == 0) {
        io->close(io->ctx, fd);
        return plog_aside_bytes(d, step->first, 0, st.size,
                                step->told.quarantine, err);
    }
    if (rc != PLOG_E_CORRUPT)
        return rc;
    rc = io->stat_at(io->ctx, d->log, name, &st);
    if (rc == -ENOENT)
        return 0;
    return rc ? plog_fail_segment(err, rc, step->first, "looking at a segment")
              : plog_aside_file(d, name, step->told.quarantine, err);
}

static int put(struct plog_heal *h, struct plog_heal_step *step,
               const char *name, struct plog_error *err)
{
    const struct plog_io *io = h->legs->io;
    int log = h->legs->dir.log, rc = set_old_aside(h, step, name, err);
    if (rc)
        return rc;
    rc = io->rename_at(io->ctx, h->scratch, name, log, name, true);
    if (!rc)
        rc = io->fsync(io->ctx, log);
    if (!rc)
        rc = io->fsync(io->ctx, h->scratch);
    return rc ? plog_fail_segment(err, rc, step->first,
                                  "putting a segment in its place")
              : 0;
}

static int take(struct plog_heal *h, struct plog_heal_step *step,
                struct plog_error *err)
{
    const char *name = step->told.file + strlen("log/");
    if (h->dry_run || step->what == PLOG_HEAL_LEFT)
        return 0;
    return step->what == PLOG_HEAL_PUT
               ? put(h, step, name, err)
               : plog_aside_file(&h->legs->dir, name, step->told.quarantine,
                                 err);
}

int plog_heal_install(struct plog_heal *h, struct plog_error *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < step_count(h); i++) {
        struct plog_heal_step *step = step_at(h, i);
        rc = take(h, step, err);
        if (!rc && h->tell(h->arg, &step->told))
            rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
    }
    return rc;
}
