/*
 * power_cut.c - real power cuts, on ext4 and on xfs.
 *
 * A loop-mounted file system is shut down by ioctl from a second process at a
 * random moment, while one or two writers append, rotate, compact, redact,
 * replay: what was not synced is gone, data and names.  It is unmounted and
 * mounted, the log is opened there (or a cut falls into that, too), and held
 * to the ledger (lib/ledger.h), which lies in our memory.  The same log then
 * goes on, until it is long enough.
 *
 * CHECK_SEED; STORM_BUDGET (seconds for both, 4); STORM_CUTS, STORM_CUTS_XFS:
 * so many instead, whatever it takes.  Needs root, loop devices and mkfs.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "busy.h"
#include "check.h"
#include "loopfs.h"
#include "order_shim.h"

#define WRITERS 2
#define GROUPS 70 /* of a log, then comes a new one */

static struct ledger ledger;
static struct busy *busy;
static struct loopfs fs;
static uint64_t seed;
static unsigned long cuts, opening, unjudged, kept_names, lost;
static int mount_failed; /* the file system did not survive it */

static const char *const ext4_options[] = {"-F", "-E", "lazy_itable_init=0",
                                           NULL};
static const char *const xfs_options[] = {"-f", NULL};

static const struct kind {
    const char *type, *setting;
    const char *const *options;
    off_t size;
    double share;           /* of the budget */
    const char *mounted[3]; /* one of them for each log */
} kinds[] = {
    {"ext4",
     "STORM_CUTS",
     ext4_options,
     96 << 20,
     0.6,
     {"", "data=writeback", "data=journal"}},
    {"xfs", "STORM_CUTS_XFS", xfs_options, 320 << 20, 0.4, {"", "", ""}},
};

static uint64_t draw(uint64_t below)
{
    return check_random(&seed) % below;
}

static void new_log(void)
{
    char dir[600];
    for (unsigned i = 0; ledger.dir[0] && i < WRITERS; i++) {
        snprintf(dir, sizeof dir, "%s.out%u", ledger.dir, i);
        busy_remove(dir);
    }
    if (ledger.dir[0])
        busy_remove(ledger.dir);
    snprintf(dir, sizeof dir, "%.400s/%lu", fs.at, ledger.logs);
    ledger_begin(&ledger, dir);
    busy_reset(busy, GROUPS);
}

/* ---- One cut ------------------------------------------------------------ */

/* Often within the first milliseconds: opening, and the recovery in it. */
static int64_t moment(void)
{
    return (int64_t)(draw(3) ? draw(20000) : draw(4000));
}

static bool cut(const char *mounted)
{
    pid_t pids[WRITERS];
    unsigned count = draw(4) ? 1 : WRITERS;
    unsigned long before = ledger.opened;
    bool keep = draw(3) == 0;
    atomic_store(&busy->over, false);
    for (unsigned i = 0; i < count; i++)
        pids[i] = busy_start(busy, &ledger, i, check_random(&seed));
    ledger_listen(&ledger, moment());
    atomic_store(&busy->over, true);
    bool done = CHECK_INT(loopfs_cut(&fs, keep), 0);
    if (draw(2)) /* they meet the dead disk, and may not take it for done */
        ledger_listen(&ledger, (int64_t)draw(3000));
    for (unsigned i = 0; i < count; i++)
        busy_stop(busy, pids[i]);
    ledger_take(&ledger, 0);
    cuts++;
    kept_names += keep;
    opening += ledger.opened == before;
    if (!done || !CHECK_INT(loopfs_unmount(&fs), 0))
        return false;
    mount_failed = loopfs_mount(&fs, mounted);
    if (!mount_failed && (mount_failed = loopfs_sound(&fs)) != 0)
        CHECK_INT(loopfs_unmount(&fs), 0);
    return mount_failed == 0;
}

static void cut_and_judge(const char *mounted)
{
    if (!cut(mounted))
        return;
    if (draw(5) < 2) /* the next writer finds what this cut left */
        unjudged++;
    else if (!ledger.unsound)
        ledger_judge(&ledger, order_io());
    if (ledger.unsound) {
        mount_failed = -EUCLEAN;
        CHECK_INT(loopfs_unmount(&fs), 0);
    }
}

/* ---- One file system ---------------------------------------------------- */

static const char *prepare(const struct kind *k)
{
    static bool entered;
    char at[512];
    const char *why = loopfs_lacks(k->type);
    if (!why && !entered)
        why = loopfs_private();
    if (why)
        return why;
    entered = true;
    snprintf(at, sizeof at, "%.400s/%s", check_dir(), k->type);
    int memory = memfd_create("power_cut", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, k->size))
        return "there is no memory for it";
    why = loopfs_attach(&fs, memory, at);
    close(memory);
    if (!why)
        why = loopfs_format(&fs, k->type, k->options);
    if (!why && loopfs_mount(&fs, k->mounted[0]))
        why = "the kernel does not mount it";
    return why;
}

/* Seen of ext4, once in some thousand cuts: a file system that the kernel does
 * not mount any more, or one of whose files it does not open, for the checksum
 * of its inode is wrong.  Nothing is known of the log then; it counts apart. */
static bool again(const struct kind *k)
{
    printf("# %s: the file system is lost after cut %lu: %s\n", k->type, cuts,
           strerror(-mount_failed));
    mount_failed = 0;
    ledger.unsound = false;
    cuts--;
    lost++;
    ledger.dir[0] = '\0';
    return CHECK(lost <= 1 + cuts / 100) &&
           CHECK(!loopfs_format(&fs, k->type, k->options)) &&
           CHECK_INT(loopfs_mount(&fs, NULL), 0);
}

static void report(const struct kind *k, double seconds)
{
    printf("# %s: %lu power cuts (%lu before the log was open, %lu with the"
           " next cut before anybody judged, %lu with the journal written"
           " out; %lu file systems lost), seed %llu, %.1f s\n",
           k->type, cuts, opening, unjudged, kept_names, lost,
           (unsigned long long)check_seed(), seconds);
    ledger_report(&ledger);
}

static void storm(const struct kind *k)
{
    const char *asked = getenv(k->setting), *budget = getenv("STORM_BUDGET");
    unsigned long want = asked ? strtoul(asked, NULL, 10) : 0;
    double seconds = (budget ? strtod(budget, NULL) : 4) * k->share;
    const char *mounted = "";
    const char *why = prepare(k);
    int64_t began = ledger_now_us();
    if (why) {
        loopfs_detach(&fs);
        check_skip(why);
        return;
    }
    cuts = opening = unjudged = kept_names = lost = 0;
    mount_failed = 0;
    seed = check_seed();
    if (!busy)
        busy = busy_share();
    if (!ledger_init(&ledger, check_random(&seed)))
        return;
    ledger.shaky = true;
    while (want ? cuts < want
                : (double)(ledger_now_us() - began) < seconds * 1e6) {
        if (!ledger.dir[0] || atomic_load(&busy->next) >= GROUPS) {
            mounted = k->mounted[draw(3)];
            new_log();
            CHECK_INT(loopfs_unmount(&fs), 0);
            CHECK_INT(loopfs_mount(&fs, mounted), 0);
        }
        cut_and_judge(mounted);
        if (mount_failed && !again(k))
            break;
        if (check_failing())
            break;
        if (want && cuts % 500 == 0)
            report(k, (double)(ledger_now_us() - began) / 1e6);
    }
    CHECK(cuts > 0);
    report(k, (double)(ledger_now_us() - began) / 1e6);
    if (check_failing() && getenv("CHECK_KEEP")) {
        const char *const argv[] = {"cp", "-a", ledger.dir, check_dir(), NULL};
        loopfs_run(argv);
    }
    ledger_close(&ledger);
    loopfs_detach(&fs);
}

static void ext4(void)
{
    storm(&kinds[0]);
}

static void xfs(void)
{
    storm(&kinds[1]);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {{"ext4", ext4}, {"xfs", xfs}};
    return check_main(argc, argv, cases, 2);
}
