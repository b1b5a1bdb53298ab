/*
 * selftest.c - the order of it all, the scratch folder, the report; see
 * paritylog_recovery.h.
 *
 * Nothing outside of the scratch folder is opened for writing.  It is held by
 * its handle, and all that is removed is removed below that.  A folder that a
 * kill of selftest left is named and not removed: it may be at work.
 */
#include "selftest.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>

#define SECONDS_DEFAULT 30
#define SECONDS_MAX 59
#define SECONDS_FEW 5     /* below: half as many turns are enough */
#define SECONDS_AT_ALL 57 /* no new turn after that, whatever is missing */
#define ROOM_BYTES (64ull << 20)

static const char *const words[] = {"ok", "warn", "FAIL", "skip"};

const char *plog_test_word(enum plog_test_result r)
{
    return (unsigned)r < PLOG_TEST_RESULTS ? words[r] : "skip";
}

/* ---- What the parts share ----------------------------------------------- */

void plog_selftest_say(struct plog_selftest *t, const char *name,
                       enum plog_test_result result, const char *next,
                       const char *format, ...)
{
    char found[500];
    va_list ap;
    va_start(ap, format);
    vsnprintf(found, sizeof found, format, ap);
    va_end(ap);
    struct plog_test one = {.name = name,
                            .result = result,
                            .found = found,
                            .next = next ? next : "",
                            .figures = t->figures,
                            .figure_count = t->figure_count};
    t->figure_count = 0;
    if (t->stopped)
        return;
    t->report->counts[result]++;
    if (t->o->test && t->o->test(t->o->arg, &one))
        t->stopped = true;
}

void plog_selftest_figure(struct plog_selftest *t, const char *name,
                          double value)
{
    if (t->figure_count < PLOG_SELFTEST_FIGURES)
        t->figures[t->figure_count++] = (struct plog_test_figure){name, value};
}

double plog_selftest_clock(const struct plog_selftest *t)
{
    return (double)(t->io->clock_mono_ns(t->io->ctx) - t->started) / 1e9;
}

bool plog_selftest_goes_on(struct plog_selftest *t, const char *phase,
                           uint64_t done)
{
    struct plog_progress p = {.done = done, .phase = phase};
    if (!t->stopped && t->o->progress && t->o->progress(t->o->arg, &p))
        t->stopped = true;
    return !t->stopped;
}

bool plog_selftest_has_time(struct plog_selftest *t, const char *phase,
                            double share, uint64_t done, uint64_t least)
{
    double now = plog_selftest_clock(t);
    double end = 2 * t->o->seconds + 15; /* where the disk is slow */
    if (t->o->seconds < SECONDS_FEW)
        least = (least + 1) / 2;
    return plog_selftest_goes_on(t, phase, done) && now < SECONDS_AT_ALL &&
           (now < t->measuring + share * (t->o->seconds - t->measuring) ||
            (done < least && now < end));
}

void plog_selftest_seed(struct plog_selftest *t, uint64_t test)
{
    t->random = t->report->seed * 1000 + test;
}

/* splitmix64 */
uint64_t plog_selftest_draw(struct plog_selftest *t, uint64_t n)
{
    uint64_t z = t->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return n ? (z ^ (z >> 31)) % n : 0;
}

bool plog_selftest_hear(struct plog_selftest *t, void *p, size_t n,
                        double seconds)
{
    unsigned char *to = p;
    double until = plog_selftest_clock(t) + seconds;
    size_t got = 0;
    while (got < n) {
        if (!plog_selftest_goes_on(t, "processes", 0))
            return false;
        int64_t rc = t->host->hear(t->host->ctx, to + got, n - got, 50);
        if (rc == 0 || (rc < 0 && rc != -EAGAIN))
            return false;
        if (rc > 0)
            got += (size_t)rc;
        else if (plog_selftest_clock(t) > until)
            return false;
    }
    return true;
}

void plog_selftest_wait_for_kill(const struct plog_io *io)
{
    for (;;)
        io->sleep_ns(io->ctx, 1000000000);
}

/* ---- Removing ----------------------------------------------------------- */

#define DEPTH 6

struct removing {
    const struct plog_io *io;
    int dir, depth, rc;
};

static int remove_below(const struct plog_io *io, int dir, const char *name,
                        int depth);

static int remove_one(void *arg, const char *name)
{
    struct removing *r = arg;
    int rc = r->io->unlink_at(r->io->ctx, r->dir, name);
    if (rc == -EISDIR || rc == -EPERM)
        rc = remove_below(r->io, r->dir, name, r->depth - 1);
    if (rc && rc != -ENOENT && !r->rc)
        r->rc = rc;
    return 0;
}

static int remove_below(const struct plog_io *io, int dir, const char *name,
                        int depth)
{
    int rc = depth > 0 ? 0 : -ELOOP;
    int fd =
        rc ? rc : io->open_at(io->ctx, dir, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    /* A listing that is changed meanwhile may leave names out. */
    for (int turn = 0; turn < 3; turn++) {
        struct removing r = {io, fd, depth, 0};
        rc = io->list(io->ctx, fd, remove_one, &r);
        if (!rc)
            rc = r.rc;
        if (!rc)
            rc = io->rmdir_at(io->ctx, dir, name);
        if (rc != -ENOTEMPTY && rc != -EEXIST)
            break;
    }
    io->close(io->ctx, fd);
    return rc;
}

int plog_selftest_remove(const struct plog_io *io, int dir, const char *name)
{
    return remove_below(io, dir, name, DEPTH);
}

/* ---- The scratch folder ------------------------------------------------- */

static int open_parent(struct plog_selftest *t, const char *dir,
                       struct plog_error *err)
{
    const struct plog_io *io = t->io;
    struct plog_fs fs;
    int rc = io->real_path(io->ctx, dir, t->parent_path, sizeof t->parent_path);
    if (!rc)
        rc = io->open_at(io->ctx, AT_FDCWD, t->parent_path,
                         O_RDONLY | O_DIRECTORY, 0);
    if (rc < 0) {
        plog_fail_io(err, rc, dir, "opening the directory");
        plog_err_hint(err, "name a directory that is there and can be written");
        return PLOG_E_IO;
    }
    t->parent = rc;
    if (!io->file_system || io->file_system(io->ctx, t->parent, &fs) ||
        fs.free_bytes >= ROOM_BYTES)
        return 0;
    plog_fail(err, PLOG_E_IO,
              "there is no space for it: %llu MiB are free, and %llu may be"
              " taken for a while",
              (unsigned long long)(fs.free_bytes >> 20), ROOM_BYTES >> 20);
    plog_err_hint(err, "make room, or name a directory on another disk");
    return PLOG_E_IO;
}

static int make_scratch(struct plog_selftest *t, struct plog_error *err)
{
    const struct plog_io *io = t->io;
    unsigned char r[4];
    int rc = io->random(io->ctx, r, sizeof r);
    if (rc)
        return plog_fail_io(err, rc, t->parent_path, "making a name");
    snprintf(t->name, sizeof t->name, PLOG_SELFTEST_STEM "%02x%02x%02x%02x",
             r[0], r[1], r[2], r[3]);
    snprintf(t->path, sizeof t->path, "%s/%s", t->parent_path, t->name);
    rc = io->mkdir_at(io->ctx, t->parent, t->name, 0700);
    if (rc) { /* also when it is there: then it is not ours */
        t->name[0] = '\0';
        plog_fail_io(err, rc, t->path, "making a folder to test in");
        plog_err_hint(err, "name a directory that you may write to, on a file"
                           " system that is not read-only");
        return PLOG_E_IO;
    }
    t->dir =
        io->open_at(io->ctx, t->parent, t->name, O_RDONLY | O_DIRECTORY, 0);
    return t->dir < 0
               ? plog_fail_io(err, t->dir, t->path, "opening that folder")
               : 0;
}

static int remove_scratch(struct plog_selftest *t, struct plog_error *err)
{
    if (t->dir >= 0)
        t->io->close(t->io->ctx, t->dir);
    int rc = t->name[0] ? plog_selftest_remove(t->io, t->parent, t->name) : 0;
    if (t->parent >= 0)
        t->io->close(t->io->ctx, t->parent);
    return rc ? plog_fail_io(err, rc, t->path, "removing the test's folder")
              : 0;
}

struct left {
    char first[80];
    unsigned count;
};

static int count_left(void *arg, const char *name)
{
    struct left *l = arg;
    size_t n = sizeof PLOG_SELFTEST_STEM - 1;
    if (strncmp(name, PLOG_SELFTEST_STEM, n) == 0 && l->count++ == 0)
        snprintf(l->first, sizeof l->first, "%.79s", name);
    return 0;
}

static void say_left(struct plog_selftest *t)
{
    struct left l = {.count = 0};
    t->io->list(t->io->ctx, t->parent, count_left, &l);
    if (l.count > 1) /* one is ours */
        plog_selftest_say(t, "left over", PLOG_TEST_WARN,
                          "remove them once no selftest runs here",
                          "%u folders of others: %s...", l.count - 1,
                          strcmp(l.first, t->name) ? l.first
                                                   : PLOG_SELFTEST_STEM);
}

/* ---- All of it ---------------------------------------------------------- */

static int run(struct plog_selftest *t, struct plog_error *err)
{
    static void (*const parts[])(struct plog_selftest *) = {
        plog_selftest_system, plog_selftest_locks,
        plog_selftest_names,  plog_selftest_sync,
        plog_selftest_rates,  plog_selftest_crashes,
        plog_selftest_errors, say_left};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!plog_selftest_goes_on(t, "begin", 0))
            return plog_fail(err, PLOG_E_INTERRUPTED, "stopped");
        parts[i](t);
    }
    return t->stopped ? plog_fail(err, PLOG_E_INTERRUPTED, "stopped") : 0;
}

static int begin(struct plog_selftest *t, struct plog_selftest_options *own,
                 struct plog_error *err)
{
    if (own->seconds == 0)
        own->seconds = SECONDS_DEFAULT;
    if (!(own->seconds > 0 && own->seconds <= SECONDS_MAX))
        return plog_fail(err, PLOG_E_ARG, "the time must be 1 to %d seconds",
                         SECONDS_MAX);
    if (own->host && own->host->struct_size != sizeof *own->host)
        return plog_fail(err, PLOG_E_ARG, "the host's struct_size is %u",
                         (unsigned)own->host->struct_size);
    if (sodium_init() < 0)
        return plog_fail(err, PLOG_E_IO, "libsodium cannot be initialised");
    if (!own->seed && t->io->random(t->io->ctx, &own->seed, sizeof own->seed))
        return plog_fail(err, PLOG_E_IO, "no randomness for a seed");
    own->seed %= 1000000007; /* short enough to be typed */
    own->seed += own->seed == 0;
    t->report->seed = own->seed;
    return 0;
}

int plog_selftest(const char *dir, const struct plog_selftest_options *given,
                  struct plog_selftest_report *report, struct plog_error *err)
{
    struct plog_selftest_options own;
    struct plog_error late;
    memset(report, 0, sizeof *report);
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    if (!dir)
        return plog_fail(err, PLOG_E_ARG, "no directory was given");
    const struct plog_io *io = own.io ? own.io : plog_io_posix();
    struct plog_selftest *t = plog_alloc(io, sizeof *t);
    if (!t)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    t->o = &own;
    t->report = report;
    t->io = io;
    t->host = own.host;
    t->parent = t->dir = -1;
    t->started = io->clock_mono_ns(io->ctx);
    int rc = begin(t, &own, err);
    if (!rc)
        rc = open_parent(t, dir, err);
    if (!rc)
        rc = make_scratch(t, err);
    if (!rc)
        rc = run(t, err);
    int gone = remove_scratch(t, rc ? &late : err);
    if (!rc)
        rc = gone;
    report->verdict = rc ? rc : report->counts[PLOG_TEST_FAIL] ? PLOG_E_IO : 0;
    report->seconds = plog_selftest_clock(t);
    plog_free(io, t);
    return plog_done(err, rc);
}
