/*
 * salvage.c - what can still be read of a damaged log, and healing it from
 * the other leg (heal.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "fs.h"
#include "aside.h"
#include "check.h"
#include "heal.h"
#include "paritylog_recovery.h"
#include "reader.h"
#include "scrub.h"
#include "strays.h"

struct salvage {
    const struct plog_salvage_options *o;
    struct plog_salvage_report *report;
    const struct plog_io *io;
    struct plog_legs legs;
    struct plog_walk walk;
    bool asked; /* the store, to mark redactions as pending */
    bool fork;  /* log and store are two histories */
};

static int tell(struct salvage *s, const struct plog_salvaged *what,
                struct plog_error *err)
{
    if (s->o->range && s->o->range(s->o->arg, what))
        return plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
    return 0;
}

/* ---- Reading what is intact --------------------------------------------- */

static int give(struct salvage *s, struct plog_span line, bool proven,
                struct plog_error *err)
{
    if (s->o->line && s->o->line(s->o->arg, line.p, line.n, proven))
        return plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
    return 0;
}

static int give_group(struct salvage *s, const struct plog_log_group *g,
                      struct plog_error *err)
{
    struct plog_salvage_report *r = s->report;
    int rc = 0;
    for (size_t i = 0; !rc && i < g->count; i++)
        rc = give(s, plog_scan_text(&s->walk.scan, i), g->root_checked, err);
    if (!rc)
        rc = give(s, g->commit_line, g->root_checked, err);
    r->groups++;
    r->entries += g->count;
    r->unproven += g->root_checked ? 0 : g->count;
    struct plog_progress p = {g->size, 0, s->walk.bytes + s->walk.scan.offset,
                              "salvage"};
    if (!rc && s->o->progress && s->o->progress(s->o->arg, &p))
        rc = plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
    return rc;
}

static void not_known(struct salvage *s, const struct plog_error *why)
{
    struct plog_salvage_report *r = s->report;
    r->pending = 0;
    r->pending_code = why->code ? why->code : PLOG_E_NOMEM;
    snprintf(r->pending_why, sizeof r->pending_why, "%.230s", why->message);
}

static int open_store(struct salvage *s, struct plog_error *err)
{
    struct plog_legs *l = &s->legs;
    int rc = l->store_open ? 0 : plog_legs_open_store(l, false, err);
    return rc ? rc : plog_store_get_head(&l->store, &l->head, err);
}

/* Before something goes to quarantine, once: a payload that an order took out
 * may be in it, whatever its name, so the store says, on disk, that all
 * redactions are pending.  Where there is no store, one that is made knows that
 * by itself; what else is wrong with it stops no reading, and damage just there
 * no healing. */
static int mark(void *arg, struct plog_error *err)
{
    struct salvage *s = arg;
    struct plog_error why = {.code = 0};
    if (s->asked)
        return 0;
    int rc = open_store(s, &why);
    if (!rc)
        rc = plog_scrub_mark(&s->legs.store, &why);
    if (rc && s->o->from_store && !plog_check_is_verdict(rc)) {
        if (err)
            *err = why;
        return rc;
    }
    s->asked = true;
    if (rc && rc != PLOG_E_BEHIND) /* there is none */
        not_known(s, &why);
    return 0;
}

/* Also where a run before this one has kept the bytes. */
static void count_kept(struct salvage *s)
{
    struct plog_error why = {.code = 0};
    struct plog_buf seqs;
    if (s->report->bytes == 0 || s->o->dry_run || s->report->pending_code)
        return;
    plog_buf_init(&seqs, s->io);
    int rc = open_store(s, &why);
    if (!rc)
        rc = plog_store_pending(&s->legs.store, &seqs, &why);
    s->report->pending = seqs.len / sizeof(uint64_t);
    plog_buf_fini(&seqs);
    if (rc && rc != PLOG_E_BEHIND) /* there is none */
        not_known(s, &why);
}

/* What went to quarantine/ may also have a payload under an order that came
 * along.  Of that the store can keep no mark, so it is taken out at once, or by
 * the maintenance that comes next; without a store, by the replay that makes
 * one.  What is in the way of that stops nothing. */
static void scrub_brought(struct salvage *s)
{
    struct plog_error why = {.code = 0};
    if (s->o->dry_run || s->report->pending_code)
        return;
    if (s->legs.store_open)
        plog_store_rollback(&s->legs.store);
    int rc = plog_scrub_brought(&s->legs, &why);
    if (rc && rc != PLOG_E_BEHIND)
        not_known(s, &why);
}

/* Names bytes begin..end of segment `first` and keeps a copy of them. */
static int keep(struct salvage *s, uint64_t first, uint64_t begin, uint64_t end,
                uint64_t from, uint64_t to, const char *why,
                struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME], file[64], kept[128] = "";
    int rc = 0;
    plog_segment_name(first, name);
    snprintf(file, sizeof file, "log/%s", name);
    if (end > begin && !s->o->dry_run)
        rc = plog_aside_once(&s->legs.dir, first, begin, end, kept, err);
    if (rc)
        return rc;
    s->report->ranges++;
    s->report->bytes += end - begin;
    struct plog_salvaged what = {.file = file,
                                 .has_bytes = end > begin,
                                 .begin = begin,
                                 .end = end,
                                 .from = from,
                                 .to = to,
                                 .why = why,
                                 .quarantine = kept};
    return tell(s, &what, err);
}

/* Where the content of the file at hand ends. */
static uint64_t content_end(struct salvage *s)
{
    uint64_t end = 0;
    if (plog_scan_content_end(&s->walk.scan, &end))
        end = s->walk.scan.limit;
    return end;
}

/* Nothing in the log says where it begins, for the compact entry is lost as
 * well: the store may know of its floor. */
static uint64_t lost_from(struct salvage *s)
{
    struct plog_legs *l = &s->legs;
    struct plog_walk *w = &s->walk;
    uint64_t from = w->chain.last.size + 1;
    if (from > 1 || w->index > 0 ||
        (!l->store_open && plog_legs_open_store(l, false, NULL)) ||
        plog_store_get_head(&l->store, &l->head, NULL))
        return from;
    uint64_t floor = l->head.rules.floor;
    return floor + 1 < w->first ? floor + 1 : from;
}

/* Damage: names it and finds the next group that is good.  Returns 0,
 * PLOG_END, or an error. */
static int pass(struct salvage *s, int code, struct plog_error *err)
{
    struct plog_walk *w = &s->walk;
    struct plog_error why = *err;
    uint64_t first = w->first, begin = w->scan.offset, from, to;
    bool gap = w->gap || w->scan.io == NULL;
    uint64_t end = gap ? 0 : content_end(s);
    if (code == PLOG_E_TORN) {
        from = w->chain.last.size + 1;
        int rc = keep(s, first, begin, end, from, 0, why.message, err);
        return rc ? rc : PLOG_END;
    }
    uint64_t lost = gap ? lost_from(s) : 0;
    int rc = plog_walk_resync(w, &from, &to, err);
    if (rc < 0 && !plog_check_is_verdict(rc))
        return rc;
    from = lost ? lost : from;
    struct plog_error next = *err;
    if (!gap && rc == 0 && w->first == first)
        end = w->scan.offset;
    int told =
        gap ? keep(s, from, 0, 0, from, rc ? 0 : to, why.message, err)
            : keep(s, first, begin, end, from, rc ? 0 : to, why.message, err);
    if (told)
        return told;
    *err = next;
    return rc;
}

static int read_intact(struct salvage *s, struct plog_error *err)
{
    struct plog_walk *w = &s->walk;
    struct plog_log_group g;
    int rc = plog_walk_open(w, &s->legs.dir, &s->legs.keys, err);
    if (rc == PLOG_E_CORRUPT && w->segments.len)
        rc = 0; /* a strange name in log/ does no harm here */
    if (!rc)
        rc = plog_walk_start(w, err);
    while (rc != PLOG_END) {
        if (rc < 0 && !plog_check_is_verdict(rc))
            return rc;
        if (rc < 0) {
            rc = pass(s, rc, err);
            continue;
        }
        rc = plog_walk_next(w, &g, err);
        if (rc == 0) {
            rc = give_group(s, &g, err);
            if (rc)
                return rc;
        }
    }
    count_kept(s);
    return 0;
}

/* ---- Healing ------------------------------------------------------------ */

static int mended(void *arg, const struct plog_mended *m)
{
    struct salvage *s = arg;
    struct plog_salvaged what = {.file = m->file,
                                 .has_bytes = m->has_bytes,
                                 .begin = m->begin,
                                 .end = m->end,
                                 .from = m->from,
                                 .to = m->to,
                                 .healed = m->healed,
                                 .why = m->why,
                                 .quarantine = m->quarantine};
    return tell(s, &what, NULL);
}

static int count_pending(struct salvage *s, struct plog_error *err)
{
    struct plog_buf seqs;
    uint64_t whole;
    plog_buf_init(&seqs, s->io);
    int rc = s->o->dry_run ? 0 : plog_scrub_again(&s->legs, &whole, err);
    if (!rc)
        rc = plog_store_pending(&s->legs.store, &seqs, err);
    s->report->pending = rc ? 0 : seqs.len / sizeof(uint64_t);
    plog_buf_fini(&seqs);
    return rc;
}

/* Files that came from a copy may have payloads that an order took out.  Of
 * those that were set aside the store knows; those in log/ are looked for.  The
 * next opening for writing goes through both.  What the store cannot say takes
 * nothing away from what was healed. */
static int tell_redactions(struct salvage *s, struct plog_error *err)
{
    struct plog_error why = {.code = 0};
    int rc = count_pending(s, &why);
    bool unknown = plog_check_is_verdict(rc) || rc == PLOG_E_LOCKED;
    if (rc && !unknown) {
        *err = why;
        return rc;
    }
    if (s->report->pending_code) /* it could not be marked */
        s->report->pending = 0;
    else if (rc) /* of an entry that is not there nothing comes back */
        not_known(s, &why);
    return 0;
}

static int heal(struct salvage *s, struct plog_error *err)
{
    struct plog_heal h = {
        .legs = &s->legs, .dry_run = s->o->dry_run, .tell = mended, .arg = s};
    int rc = plog_legs_open_store(&s->legs, false, err);
    if (!rc)
        rc = plog_heal(&h, err);
    if (rc == PLOG_E_DIVERGED)
        plog_err_hint(err,
                      "nothing is changed: the store is damaged where it"
                      " says what the log was.  Of the log alone: paritylog"
                      " verify DIR; to go on with that keep a copy, move"
                      " store.db* out of DIR, and run: paritylog replay"
                      " DIR");
    if (!rc)
        rc = tell_redactions(s, err);
    s->report->healed = h.healed;
    s->report->left = h.left;
    s->report->comes_to = h.comes_to;
    s->fork |= h.comes_to == PLOG_E_FORK;
    s->report->from_store = h.entries;
    return rc;
}

/* Where a store is left, log/ may be gone as a whole.
 * @made  out */
static int make_log_folder(const struct plog_io *io, const char *dir,
                           bool *made, struct plog_error *err)
{
    struct plog_stat st;
    int fd = io->open_at(io->ctx, AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd == -ENOENT || fd == -ENOTDIR)
        return 0; /* opening it will say so */
    if (fd < 0)
        return plog_fail_io(err, fd, dir, "opening the directory");
    int rc = io->stat_at(io->ctx, fd, PLOG_STORE_FILE, &st);
    int log = rc ? 0 : io->stat_at(io->ctx, fd, "log", &st);
    if (log == -ENOENT) {
        rc = io->mkdir_at(io->ctx, fd, "log", 0700);
        *made = rc == 0;
        if (!rc)
            rc = io->fsync(io->ctx, fd);
    } else
        rc = rc == -ENOENT ? 0 : rc ? rc : log;
    io->close(io->ctx, fd);
    return rc ? plog_fail_io(err, rc, "log", "making the folder") : 0;
}

/* What was refused, or left as it is, has changed nothing: an empty log/ would
 * be taken for one that lost its segments.  One that holds anything stays. */
static void take_back_folder(const struct plog_io *io, const char *dir)
{
    int fd = io->open_at(io->ctx, AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return;
    if (io->rmdir_at(io->ctx, fd, "log") == 0)
        (void)io->fsync(io->ctx, fd);
    io->close(io->ctx, fd);
}

/* The head that the store has, when it is signed by a key of the log: the log
 * must have it, too, whatever else it says. */
static void expect_stored(struct salvage *s, struct plog_check_options *o)
{
    struct plog_legs *l = &s->legs;
    struct plog_keychain keys;
    const struct plog_store_head *h = &l->head;
    if ((!l->store_open && plog_legs_open_store(l, false, NULL)) ||
        plog_store_get_head(&l->store, &l->head, NULL) || h->commit.size == 0 ||
        plog_store_keys(&l->store, h, &l->keys, &keys, NULL) ||
        !plog_checkpoint_verify(plog_keychain_at(&keys, h->commit.size),
                                h->origin, h->commit.size, h->commit.root,
                                h->commit.sig))
        return;
    o->has_expect_head = true;
    o->expect_size = h->commit.size;
    memcpy(o->expect_root, h->commit.root, sizeof o->expect_root);
}

/* Whether log and store are two histories: asked of a log that is not well, for
 * all of it is read once more. */
static bool is_fork(const struct salvage *s, const char *dir)
{
    struct plog_reader r;
    struct plog_store_head head;
    bool fork = !plog_reader_open_log(&r, s->io, dir, s->o->vkey, NULL) &&
                !plog_reader_open_store(&r, s->legs.wait_seconds, NULL) &&
                !plog_reader_begin(&r, NULL) &&
                !plog_store_get_head(&r.store, &head, NULL) &&
                plog_legs_fork(&r.dir, &r.keys, &r.store, &head, NULL,
                               plog_strays_begin);
    plog_reader_fini(&r);
    return fork;
}

/* The log as it is now. */
static int judge(struct salvage *s, const char *dir,
                 struct plog_check_options *o, struct plog_error *err)
{
    struct plog_check_report report;
    int rc = plog_verify(dir, o, &report, err);
    /* The shorter one may be whole, and end below the other's head. */
    if (report.verdict && o->has_expect_head && !s->fork)
        s->fork = is_fork(s, dir);
    s->report->verdict =
        s->fork && report.verdict ? PLOG_E_FORK : report.verdict;
    s->report->head = report.head;
    if (!s->o->dry_run || !s->o->from_store)
        s->report->comes_to = s->report->verdict;
    if (rc != PLOG_E_ROLLBACK || !s->o->from_store)
        return rc;
    s->report->verdict = rc; /* there is none; what was told says why */
    return 0;
}

int plog_salvage(const char *dir, const struct plog_salvage_options *given,
                 struct plog_salvage_report *report, struct plog_error *err)
{
    struct plog_salvage_options own;
    struct plog_options open = {.struct_size = sizeof open};
    struct plog_error why = {.code = 0};
    if (!err)
        err = &why;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    memset(report, 0, sizeof *report);
    report->dry_run = own.dry_run;
    struct salvage s = {
        .o = &own, .report = report, .io = own.io ? own.io : plog_io_posix()};
    int64_t started = s.io->clock_mono_ns(s.io->ctx);
    open.vkey = own.vkey;
    open.wait_seconds = own.wait_seconds;
    open.allow_network_fs = own.allow_network_fs;
    bool made = false;
    int rc = own.from_store && !own.dry_run
                 ? make_log_folder(s.io, dir, &made, err)
                 : 0;
    if (!rc)
        rc = plog_legs_open(&s.legs, s.io, dir,
                            !own.dry_run     ? PLOG_DIR_WRITE
                            : own.from_store ? PLOG_DIR_PLAN
                                             : PLOG_DIR_DRY,
                            &open, err);
    s.legs.dir.before_aside = mark;
    s.legs.dir.aside_arg = &s;
    if (!rc) /* at once: else the store's word would only be missed */
        rc = plog_fs_check(&s.legs.dir, s.legs.network_fs, err);
    if (!rc)
        rc = plog_dir_maintain(&s.legs.dir, s.legs.wait_seconds, err);
    if (!rc)
        rc = plog_dir_lock(&s.legs.dir, false, s.legs.wait_seconds, err);
    if (!rc)
        rc = own.from_store ? heal(&s, err) : read_intact(&s, err);
    report->all_read = !rc && !own.from_store;
    struct plog_check_options check = {.struct_size = sizeof check,
                                       .io = own.io,
                                       .vkey = own.vkey,
                                       .wait_seconds = own.wait_seconds};
    if (!rc) {
        scrub_brought(&s);
        expect_stored(&s, &check);
    }
    if (made)
        take_back_folder(s.io, dir);
    plog_walk_close(&s.walk);
    plog_legs_close(&s.legs);
    if (!rc)
        rc = judge(&s, dir, &check, err);
    report->seconds = (double)(s.io->clock_mono_ns(s.io->ctx) - started) / 1e9;
    return plog_done(err, rc);
}
