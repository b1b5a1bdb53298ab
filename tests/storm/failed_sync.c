/*
 * failed_sync.c - real failures of fsync and fdatasync.
 *
 * A file system on a loop device lies over a file in a tmpfs, and that runs out
 * of memory under a writer: the kernel cannot write pages back that it has
 * taken, a sync fails once (EIO or ENOSPC), the pages count as clean from then
 * on, and the next sync says 0.  The writer (lib/busy.h) may acknowledge
 * nothing that this was for, and its handle must be poisoned; it opens again
 * and again while the cache lies.  Then the memory grows back, and the log is
 * held to the ledger on what the disk has: after an unmount, or first on the
 * same mount, where reading still shows bytes that the disk lacks.  SQLite's
 * pages are lost without anybody being told: such a store must be found, and is
 * made anew from the log.
 *
 * CHECK_SEED; STORM_BUDGET (seconds for all, 3); STORM_FAILURES: so many failed
 * syncs of each file system instead.  Needs root, loop devices and mkfs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "busy.h"
#include "check.h"
#include "loopfs.h"
#include "order_shim.h"

#define GROUPS 400
#define CYCLES 8 /* of a file system, then a new one is made */
#define MIB ((uint64_t)1 << 20)

static struct ledger ledger;
static struct busy *busy;
static struct loopfs fs;
static uint64_t seed;
static char memory[512], place[512];
static unsigned long cycles, failures, none, same_mount, read_only, lost;
static bool unsound; /* the file system, so that a new one is made */

static const struct kind {
    const char *name, *type;
    const char *options[10];
    off_t size;
} kinds[] = {
    {"ext4 without a journal",
     "ext4",
     {"-F", "-O", "^has_journal", "-b", "4096", "-E",
      "nodiscard,lazy_itable_init=0", NULL},
     200 << 20},
    {"ext4",
     "ext4",
     {"-F", "-b", "4096", "-E", "nodiscard,lazy_itable_init=0", NULL},
     200 << 20},
    {"xfs", "xfs", {"-f", "-K", NULL}, 320 << 20},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static uint64_t draw(uint64_t below)
{
    return check_random(&seed) % below;
}

/* ---- The ground --------------------------------------------------------- */

static const char *make_ground(const struct kind *k)
{
    char file[600], dir[600];
    const char *why;
    loopfs_detach(&fs);
    snprintf(file, sizeof file, "%s/disk", memory);
    unlink(file);
    if (loopfs_tmpfs_room(memory, 1024 * MIB))
        return "a tmpfs cannot be given another size";
    int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, k->size))
        return "there is no memory for it";
    why = loopfs_attach(&fs, fd, place);
    close(fd);
    if (!why)
        why = loopfs_whole_pages(&fs);
    if (!why)
        why = loopfs_format(&fs, k->type, k->options);
    if (!why && loopfs_mount(&fs, NULL))
        why = "the kernel does not mount it";
    if (why)
        return why;
    snprintf(dir, sizeof dir, "%s/%lu", fs.at, ledger.logs);
    ledger_begin(&ledger, dir);
    busy_reset(busy, GROUPS);
    busy->tight = busy->frail = ledger.frail = true;
    /* What it is to be trusted with has to be there first. */
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .origin = ledger.origin,
                                  .segment_size_bytes = ledger.segment_size};
    char vkey[PLOG_VKEY_MAX];
    ledger.made = CHECK_INT(plog_init(dir, &o, vkey, NULL), 0);
    return NULL;
}

static const char *prepare(const struct kind *k)
{
    static bool entered;
    const char *why = loopfs_lacks(k->type);
    if (!why && !entered) {
        why = loopfs_private();
        snprintf(memory, sizeof memory, "%.400s/memory", check_dir());
        snprintf(place, sizeof place, "%.400s/place", check_dir());
        if (!why && loopfs_tmpfs(memory, 1024 * MIB))
            why = "a tmpfs cannot be mounted";
        entered = !why;
    }
    return why ? why : make_ground(k);
}

/* ---- One failure -------------------------------------------------------- */

/* Lets the writer run until a sync has failed, and a while longer. */
static void squeeze(pid_t pid)
{
    int64_t until = ledger_now_us() + 8000000;
    CHECK_INT(loopfs_tmpfs_room(memory, draw(24) * 4096), 0);
    while (!atomic_load(&busy->failed) && ledger_now_us() < until)
        ledger_take(&ledger, 2000);
    ledger_listen(&ledger, (int64_t)draw(30000));
    busy_stop(busy, pid);
    ledger_take(&ledger, 0);
    none += atomic_load(&busy->failed) == 0;
    failures += atomic_load(&busy->failed);
    atomic_store(&busy->failed, 0);
}

static bool writable(void)
{
    struct statvfs st;
    char file[600];
    snprintf(file, sizeof file, "%s/probe", fs.at);
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0 && statvfs(fs.at, &st) == 0 && !(st.f_flag & ST_RDONLY);
}

static void one_cycle(void)
{
    /* Under way, with padding written ahead, before it becomes tight. */
    pid_t pid = busy_start(busy, &ledger, 0, check_random(&seed));
    ledger_listen(&ledger, (int64_t)draw(30000));
    squeeze(pid);
    cycles++;
    CHECK_INT(loopfs_tmpfs_room(memory, 1024 * MIB), 0);
    bool open_first = writable();
    read_only += !open_first;
    if (open_first && draw(2) && !loopfs_sound(&fs)) {
        same_mount++;
        ledger_judge(&ledger, order_io());
    }
    CHECK_INT(loopfs_unmount(&fs), 0);
    CHECK_INT(loopfs_mount(&fs, NULL), 0);
    if (!ledger.unsound && loopfs_sound(&fs) == 0)
        ledger_judge(&ledger, order_io());
    else
        ledger.unsound = true;
    unsound = ledger.unsound;
    lost += unsound;
    ledger.unsound = false;
    CHECK(lost <= 1 + cycles / 20);
}

static void storm(const struct kind *k, double seconds, unsigned long want)
{
    const char *why =
        ledger_init(&ledger, check_random(&seed)) ? prepare(k) : "no pipe";
    int64_t began = ledger_now_us();
    ledger.shaky = true;
    cycles = failures = none = same_mount = read_only = lost = 0;
    unsound = false;
    while (!why && !check_failing() &&
           (want ? failures < want && cycles < 50 * want
                 : (double)(ledger_now_us() - began) < seconds * 1e6)) {
        if (unsound || cycles % CYCLES == CYCLES - 1 ||
            atomic_load(&busy->next) >= GROUPS - 50)
            why = make_ground(k);
        if (!why)
            one_cycle();
    }
    if (why) {
        check_skip(why);
    } else {
        CHECK(failures > 0);
        printf(
            "# %s: %lu failed syncs in %lu squeezes (%lu without), %lu"
            " opened before the unmount, %lu with the file system"
            " read-only then, %lu file systems lost, %lu stores found damaged"
            " and made anew, seed %llu, %.1f s\n",
            k->name, failures, cycles, none, same_mount, read_only, lost,
            ledger.anew, (unsigned long long)check_seed(),
            (double)(ledger_now_us() - began) / 1e6);
        ledger_report(&ledger);
    }
    ledger_close(&ledger);
    loopfs_detach(&fs);
}

static void run(const struct kind *k)
{
    const char *asked = getenv("STORM_FAILURES");
    const char *budget = getenv("STORM_BUDGET");
    seed = check_seed();
    if (!busy)
        busy = busy_share();
    fs.loop = fs.loop ? fs.loop : -1;
    storm(k, (budget ? strtod(budget, NULL) : 3) / KINDS,
          asked ? strtoul(asked, NULL, 10) : 0);
}

static void bare_ext4(void)
{
    run(&kinds[0]);
}

static void ext4(void)
{
    run(&kinds[1]);
}

static void xfs(void)
{
    run(&kinds[2]);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"ext4 without a journal", bare_ext4}, {"ext4", ext4}, {"xfs", xfs}};
    return check_main(argc, argv, cases, KINDS);
}
