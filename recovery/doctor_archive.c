/* doctor_archive.c - what was compacted away, in archive/; see doctor.h. */
#include "archive.h"
#include "check.h"
#include "doctor.h"

#define NAME "archive"

struct archived {
    struct plog_doctor *d;
    struct plog_walk walk;
    uint64_t floor, first, files;
};

/* The oldest may have been moved away: then it begins at some header. */
static int start(struct archived *a, struct plog_error *err)
{
    if (a->first == 1)
        return plog_walk_start(&a->walk, err);
    return plog_walk_start_segment(&a->walk, a->first, err);
}

static int tell(struct archived *a, struct plog_error *err)
{
    const struct plog_doctor_options *o = a->d->o;
    struct plog_progress p = {a->walk.chain.last.size, a->floor, a->walk.bytes,
                              NAME};
    return o->progress && o->progress(o->arg, &p)
               ? plog_fail(err, PLOG_E_INTERRUPTED, "stopped")
               : 0;
}

static int read_all(struct archived *a, struct plog_error *err)
{
    struct plog_log_group g;
    int rc = start(a, err);
    while (!rc && a->walk.chain.last.size < a->floor) {
        rc = plog_walk_next(&a->walk, &g, err);
        if (!rc)
            rc = tell(a, err);
    }
    return rc;
}

static void say(struct archived *a, int rc, const struct plog_error *why)
{
    struct plog_doctor *d = a->d;
    bool gap = a->walk.gap;
    if (rc == 0)
        plog_doctor_say(d, NAME, PLOG_HEALTH_OK, NULL,
                        "%llu files, entries %llu to %llu, whole",
                        (unsigned long long)a->files,
                        (unsigned long long)a->first,
                        (unsigned long long)a->floor);
    else if (plog_check_is_verdict(rc) || rc == PLOG_END)
        plog_doctor_say(d, NAME, gap ? PLOG_HEALTH_WARN : PLOG_HEALTH_BAD,
                        gap ? "where it was not discarded, copy that file from"
                              " a backup"
                            : "copy that file from a backup",
                        "%s: %s%s%s", plog_code_word(rc), why->file,
                        why->file[0] ? ": " : "", why->message);
    else
        plog_doctor_say(d, NAME, PLOG_HEALTH_UNKNOWN, why->hint, "%s: %s",
                        why->file, why->message);
}

/* Files at or below the floor, and the first of them. */
static int list(struct archived *a, struct plog_error *err)
{
    struct plog_buf all;
    plog_buf_init(&all, a->d->io);
    int rc = plog_archive_segments(&a->d->reader.dir, &all, err);
    for (size_t i = 0; i < plog_segment_count(&all); i++) {
        uint64_t first = plog_segment_at(&all, i);
        if (first > a->floor)
            continue;
        a->files++;
        if (a->first == 0 || first < a->first)
            a->first = first;
    }
    plog_buf_fini(&all);
    return rc;
}

int plog_doctor_archive(struct plog_doctor *d, struct plog_error *err)
{
    struct archived a = {.d = d, .floor = d->report->legs.floor};
    struct plog_dir dir = d->reader.dir;
    struct plog_error why = {.code = 0};
    if (dir.log < 0 || a.floor == 0)
        return 0;
    dir.with_archive = true;
    int rc = list(&a, &why);
    if (!rc && a.files == 0)
        return 0;
    if (!rc)
        rc = plog_walk_open(&a.walk, &dir, &d->reader.keys, &why);
    if (!rc)
        rc = read_all(&a, &why);
    if (rc == PLOG_E_INTERRUPTED || rc == PLOG_E_NOMEM) {
        if (err)
            *err = why;
    } else {
        say(&a, rc, &why);
        rc = 0;
    }
    plog_walk_close(&a.walk);
    return rc;
}
