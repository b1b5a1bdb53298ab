/*
 * drill.c - a restore that is only a rehearsal: does the log bring everything
 * back, and how long does it take?
 */
#include <fcntl.h>
#include <stdio.h>

#include "again.h"
#include "left.h"
#include "paritylog_recovery.h"
#include "same.h"

struct drill {
    const struct plog_drill_options *o;
    struct plog_drill_report *report;
    const struct plog_io *io;
    struct plog_reader original, copy;
    struct plog_store_head head; /* of the original's store, frozen */
    char scratch[PLOG_DIR_PATH_MAX];
    bool made;
    bool began; /* it tried to restore: its outcome is noted */
    int guard;  /* of DIR/lock: one drill at a time; -1: none */
};

static double since(const struct drill *d, int64_t *then)
{
    int64_t now = d->io->clock_mono_ns(d->io->ctx);
    double seconds = (double)(now - *then) / 1e9;
    *then = now;
    return seconds;
}

static void fails(struct drill *d, int verdict, const char *what)
{
    if (d->report->verdict)
        return;
    d->report->verdict = verdict;
    snprintf(d->report->what, sizeof d->report->what, "%.230s", what);
}

static double patience(const struct drill *d)
{
    return d->o->wait_seconds != 0 ? d->o->wait_seconds : 10;
}

/* ---- One at a time ------------------------------------------------------ */

/* Then what is there of earlier ones was left by a kill. */
static int guard(struct drill *d, struct plog_error *err)
{
    const struct plog_dir *dir = &d->original.dir;
    const struct plog_io *io = d->io;
    struct plog_dir own = {.io = io};
    if (d->guard >= 0)
        return 0; /* it began before */
    d->guard = io->open_at(io->ctx, dir->dir, "lock", O_RDWR, 0);
    if (d->guard < 0)
        return plog_fail_io(err, d->guard, "lock", "opening the lock file");
    own.lock = d->guard; /* the original's is a reader's */
    int rc = plog_dir_drill(&own, patience(d), err);
    if (!rc) /* what stays is told by doctor */
        (void)plog_left_sweep(io, dir->dir, dir->path, "drill-", NULL);
    return rc;
}

/* Both legs come a second time, and the store once more while it is made. */
static int check_space(struct drill *d, struct plog_error *err)
{
    struct plog_status s;
    struct plog_fs fs;
    struct plog_options o = {.struct_size = sizeof o,
                             .io = d->o->io,
                             .wait_seconds = d->o->wait_seconds};
    const struct plog_io *io = d->io;
    if (d->o->scratch || !io->file_system ||
        io->file_system(io->ctx, d->original.dir.dir, &fs) ||
        plog_read_status(d->original.dir.path, &o, &s, NULL))
        return 0;
    uint64_t need = s.log_bytes + 2 * s.store_bytes + (1u << 20);
    if (fs.free_bytes >= need)
        return 0;
    plog_fail(
        err, PLOG_E_IO,
        "no space for a copy: it takes %llu bytes, and %llu are free on this"
        " disk",
        (unsigned long long)need, (unsigned long long)fs.free_bytes);
    plog_err_hint(err, "name a path on another disk with --scratch");
    return PLOG_E_IO;
}

/* ---- Steps -------------------------------------------------------------- */

/* The original's head stays as it is now, whatever writers do meanwhile.  Not
 * before the guard: a redaction that has it waits for readers of the store. */
static int freeze(struct drill *d, struct plog_error *err)
{
    unsigned char r[4] = {0};
    int rc = plog_reader_open_store(&d->original, patience(d), err);
    if (!rc)
        rc = plog_store_begin_read(&d->original.store, err);
    if (!rc)
        rc = plog_store_get_head(&d->original.store, &d->head, err);
    if (!rc && d->head.commit.size == 0)
        rc = plog_fail(err, PLOG_E_NOTHING, "the store holds no entry yet");
    if (rc)
        return rc;
    if (d->io->random(d->io->ctx, r, sizeof r))
        return plog_fail(err, PLOG_E_IO, "no randomness for a name");
    int n = d->o->scratch
                ? snprintf(d->scratch, sizeof d->scratch, "%s", d->o->scratch)
                : snprintf(d->scratch, sizeof d->scratch,
                           "%.4000s/drill-%02x%02x%02x%02x",
                           d->original.dir.path, r[0], r[1], r[2], r[3]);
    return n > 0 && (size_t)n < sizeof d->scratch
               ? 0
               : plog_fail(err, PLOG_E_ARG, "the scratch path is too long");
}

static int restore(struct drill *d, const char *dir, struct plog_error *err)
{
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .io = d->o->io,
                                     .vkey = d->o->vkey,
                                     .wait_seconds = d->o->wait_seconds,
                                     .at_seq = d->head.commit.size,
                                     .progress = d->o->progress,
                                     .arg = d->o->arg};
    int rc = plog_restore(dir, d->scratch, &o, &d->report->restore, err);
    d->made = rc == 0;
    if (!rc && d->report->restore.head.size != d->head.commit.size)
        fails(d, PLOG_E_DIVERGED, "the log has no commit at the store's head");
    return rc;
}

static int check(struct drill *d, struct plog_error *err)
{
    struct plog_check_report report;
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .io = d->o->io,
                                   .vkey = d->o->vkey,
                                   .progress = d->o->progress,
                                   .arg = d->o->arg};
    int rc = plog_parity(d->scratch, &o, &report, err);
    d->report->records = report.records;
    if (!rc && report.verdict)
        fails(d, report.verdict, "parity of the restored copy is not clean");
    return rc;
}

/* The copy has what an order in orders/ left, also of a line that is whole in
 * the log again: where all is well but for that, it is what to do about it. */
static int explain(struct drill *d, struct plog_difference *diff,
                   struct plog_error *err)
{
    struct plog_check_report report;
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .io = d->o->io,
                                   .wait_seconds = d->o->wait_seconds,
                                   .vkey = d->o->vkey,
                                   .progress = d->o->progress,
                                   .arg = d->o->arg};
    int rc = plog_parity(d->original.dir.path, &o, &report, err);
    if (!rc && !report.verdict && report.pending)
        snprintf(diff->what, sizeof diff->what,
                 "entry %llu is whole in the log again, and an order took its"
                 " payload out; run: paritylog redact DIR %llu --reason TEXT,"
                 " then drill again",
                 (unsigned long long)report.pending_at,
                 (unsigned long long)report.pending_at);
    return rc;
}

static int compare(struct drill *d, struct plog_error *err)
{
    struct plog_difference diff = {.what = ""};
    int rc = plog_reader_open_log(&d->copy, d->io, d->scratch, d->o->vkey, err);
    if (!rc)
        rc = plog_reader_open_store(&d->copy, 0, err);
    if (!rc)
        rc = plog_store_begin_read(&d->copy.store, err);
    if (!rc)
        rc = plog_same_log(&d->original.dir, &d->copy.dir, &diff, err);
    if (!rc && diff.what[0])
        rc = explain(d, &diff, err);
    if (!rc)
        rc = plog_same_store(&d->original.store, &d->copy.store, &diff, err);
    if (diff.what[0])
        fails(d, PLOG_E_DIVERGED, diff.what);
    return rc;
}

/* ---- The note of it ----------------------------------------------------- */

static int note(struct drill *d, struct plog_error *err)
{
    char text[400], at[40];
    struct plog_buf root;
    int64_t ns = d->io->clock_real_ns(d->io->ctx);
    struct plog_instant now = {.seconds = ns / 1000000000};
    plog_instant_format(now, at);
    plog_buf_init(&root, d->io);
    int rc = plog_buf_add_base64(&root, d->head.commit.root, PLOG_HASH_SIZE);
    if (!rc)
        rc = plog_buf_add_char(&root, '\0');
    if (rc)
        return plog_fail(err, rc, "out of memory");
    int n = snprintf(text, sizeof text,
                     "{\"schema\":\"paritylog/drill-note/1\",\"at\":\"%s\","
                     "\"ok\":%s,\"verdict\":\"%s\",\"seconds\":%.3f,\"head\":{"
                     "\"size\":%llu,\"root\":\"%s\"}}\n",
                     at, d->report->verdict ? "false" : "true",
                     plog_code_word(d->report->verdict), d->report->seconds,
                     (unsigned long long)d->head.commit.size, root.data);
    rc = plog_io_write_file(d->io, d->original.dir.dir, "drill.json", ".tmp",
                            text, (size_t)n, 0600, true);
    plog_buf_fini(&root);
    return rc ? plog_fail_io(err, rc, "drill.json", "noting the drill") : 0;
}

static int attempt(struct drill *d, const char *dir, struct plog_error *err)
{
    int rc = plog_reader_open_log(&d->original, d->io, dir, d->o->vkey, err);
    if (!rc)
        rc = guard(d, err);
    int64_t then = d->io->clock_mono_ns(d->io->ctx);
    if (!rc)
        rc = freeze(d, err);
    if (!rc)
        rc = check_space(d, err);
    d->began = rc == 0;
    if (!rc)
        rc = restore(d, dir, err);
    d->report->restore_seconds = since(d, &then);
    if (!rc)
        rc = check(d, err);
    d->report->parity_seconds = since(d, &then);
    if (!rc)
        rc = compare(d, err);
    d->report->compare_seconds = since(d, &then);
    return rc;
}

/* Of the copy nothing is left; the original stays open. */
static int leave(struct drill *d, int rc, struct plog_error *err)
{
    plog_reader_fini(&d->copy);
    int gone = d->made ? plog_left_remove(d->io, d->scratch) : 0;
    d->made = false;
    return gone && !rc
               ? plog_fail_io(err, gone, d->scratch, "removing the scratch")
               : rc;
}

/* The copy is of the log as it was when its files were read, and the store as
 * it was a moment before: where the log was compacted or redacted meanwhile,
 * the two differ and both are well. */
static int run(struct drill *d, const char *dir, struct plog_error *err)
{
    struct plog_again again;
    int rc;
    plog_again_begin(&again, d->io, dir);
    for (;;) {
        rc = leave(d, attempt(d, dir, err), err);
        if (!plog_again(&again, rc ? rc : d->report->verdict))
            break;
        plog_reader_fini(&d->original);
        memset(d->report, 0, sizeof *d->report);
        d->began = false;
    }
    rc = plog_again_end(&again, rc, err);
    if (rc == PLOG_E_LOCKED || rc == PLOG_E_INTERRUPTED ||
        rc == PLOG_E_NOMEM) { /* it shows nothing, and is not noted */
        memset(d->report, 0, sizeof *d->report);
        d->began = false;
    }
    return rc;
}

int plog_drill(const char *dir, const struct plog_drill_options *given,
               struct plog_drill_report *report, struct plog_error *err)
{
    struct plog_drill_options own;
    struct plog_error why = {.code = 0};
    if (!err)
        err = &why;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    memset(report, 0, sizeof *report);
    struct drill d = {.o = &own,
                      .report = report,
                      .io = own.io ? own.io : plog_io_posix(),
                      .guard = -1};
    int64_t started = d.io->clock_mono_ns(d.io->ctx);
    int rc = run(&d, dir, err);
    report->seconds = since(&d, &started);
    if (!rc)
        rc = note(&d, err);
    else if (d.began) { /* it ran, and nothing came back */
        report->verdict = rc;
        if (note(&d, NULL))
            report->verdict = rc; /* what is wrong is told already */
    }
    if (d.guard >= 0)
        d.io->close(d.io->ctx, d.guard);
    plog_reader_fini(&d.original);
    return plog_done(err, rc);
}
