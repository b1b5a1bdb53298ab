/*
 * test_left.c - what killed commands left in the directory, when a payload is
 * taken out: it goes, unless somebody is at it, or it cannot be.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "left.h"
#include "redacting.h"
#include "scrub.h"
#include "world.h"

#define SECRET "the-payload-that-must-go"
#define SEGMENT "00000000000000000001.jsonl"

static struct world w;
static struct plog_redact_report report;
static struct plog_error err;

static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "i", "1", SECRET, NULL), 0);
    world_close(&w);
}

static void folder(const char *name)
{
    CHECK_INT(mkdir(world_path(&w, name), 0700), 0);
}

static void file(const char *name)
{
    world_write(world_path(&w, name), SECRET, sizeof SECRET);
}

#define STORE_LEFT "drill-4567ef89.part-0123abcd/store.new"

static void leave_all(bool whole)
{
    static const char *const folders[] = {"drill-0123abcd",
                                          "drill-0123abcd/log",
                                          "drill-4567ef89.part-0123abcd",
                                          "drill-4567ef89.part-0123abcd/log",
                                          STORE_LEFT,
                                          "store.new",
                                          "salvage",
                                          "archive"};
    static const char *const files[] = {"drill-0123abcd/log/" SEGMENT,
                                        "drill-0123abcd/store.db",
                                        "drill-4567ef89.part-0123abcd/log/"
                                        "x.new",
                                        "drill-4567ef89.part-0123abcd/"
                                        "store.new/store.db",
                                        "store.new/store.db",
                                        "store.new/store.db-journal",
                                        "salvage/" SEGMENT,
                                        "log/" SEGMENT ".new",
                                        "archive/" SEGMENT ".gz.new"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        folder(folders[i]);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        file(files[i]);
    CHECK_INT(redacting_count(&w, "log", SECRET), whole ? 2 : 1);
}

static int order(void)
{
    return redacting_order(&w, 2, &report, &err);
}

static void is_gone(void)
{
    static const char *const names[] = {"drill-0123abcd",
                                        "drill-4567ef89.part-0123abcd",
                                        "store.new", "salvage"};
    CHECK_INT(redacting_pending(&w), 0);
    CHECK_INT(redacting_count(&w, ".", SECRET), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!CHECK(!world_has(&w, names[i])))
            printf("# %s\n", names[i]);
}

static void goes(void)
{
    make();
    leave_all(true);
    CHECK_INT(order(), 0);
    is_gone();
    world_end(&w, 3);
}

/* Nobody redacts it again: the mark is enough. */
static void goes_when_it_is_opened(void)
{
    make();
    CHECK_INT(order(), 0);
    leave_all(false);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(redacting_count(&w, ".", SECRET), 9);
    CHECK_INT(plog_scrub_mark(&w.p->legs.store, &err), 0);
    world_close(&w);
    CHECK_INT(redacting_pending(&w), 1);
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
    is_gone();
    world_end(&w, 3);
}

/* Under a name that is like one of ours somebody keeps his own. */
static void stays(void)
{
    static const char *const files[] = {
        "drill-notes/a", "drill-0123abcg/a", "drill-0123abcd.part-1/a",
        "salvage/mine.jsonl", "archive/old.jsonl.gz.new"};
    char name[64];
    make();
    folder("archive");
    folder("salvage");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(files[i], "/"),
                 files[i]);
        if (!world_has(&w, name))
            folder(name);
        file(files[i]);
    }
    folder("log/00000000000000000009.jsonl.new");
    CHECK_INT(symlink("drill-notes", world_path(&w, "store.new")), 0);
    CHECK_INT(symlink("drill-notes", world_path(&w, "drill-0123abcd")), 0);
    CHECK_INT(order(), 0);
    CHECK(world_has(&w, "store.new") && world_has(&w, "drill-0123abcd"));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        CHECK(world_has(&w, files[i]));
    CHECK_INT(redacting_pending(&w), 0);
}

/* The copy that a living one makes it takes away itself, if it lives that
 * long. */
static void a_drill_is_under_way(void)
{
    make();
    leave_all(true);
    int fd = open(world_path(&w, "lock"), O_RDWR | O_CLOEXEC);
    CHECK_INT(plog_io_posix()->lock_byte(NULL, fd, 2, 2), 0);
    CHECK_INT(order(), PLOG_E_LOCKED);
    CHECK(strstr(err.message, "a drill is under way") != NULL);
    CHECK_UINT(report.order, 3);
    CHECK_INT(redacting_pending(&w), 1);
    CHECK(world_has(&w, "drill-0123abcd/store.db"));
    CHECK(redacting_has(&w, "log/" SEGMENT, SECRET)); /* it may read that */
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
    CHECK_INT(redacting_pending(&w), 1);
    close(fd);
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
    is_gone();
    world_end(&w, 3);
}

static struct plog_io io;
static int refusals; /* of the lock of drills */

static int on_byte(void *ctx, int fd, uint64_t byte, int mode)
{
    if (byte == 2 && mode == 2 && refusals > 0) {
        refusals--;
        return -EAGAIN;
    }
    return plog_io_posix()->lock_byte(ctx, fd, byte, mode);
}

static int order_over_io(void)
{
    const struct plog_redact_options o = {
        .struct_size = sizeof o, .io = &io, .reason = "asked"};
    return plog_redact(w.dir, 2, &o, &report, &err);
}

/* Before it has the writer lock, so that writers do not. */
static void waits_for_a_drill(void)
{
    make();
    io = *plog_io_posix();
    io.lock_byte = on_byte;
    refusals = 5;
    CHECK_INT(order_over_io(), 0);
    CHECK_INT(refusals, 0);
    is_gone();
    world_end(&w, 3);
}

static struct plog_drill_report drilled;
static unsigned drills;

static int drill(void)
{
    const struct plog_drill_options o = {.struct_size = sizeof o,
                                         .wait_seconds = -1};
    return plog_drill(w.dir, &o, &drilled, NULL);
}

static int on_rename(void *ctx, int from, const char *old, int to,
                     const char *name, bool replace)
{
    if (strcmp(name, SEGMENT) == 0) {
        drills++;
        CHECK_INT(drill(), PLOG_E_LOCKED);
    }
    return plog_io_posix()->rename_at(ctx, from, old, to, name, replace);
}

/* One that copied the line before and compared it behind would say that the
 * log has another one. */
static void no_drill_meanwhile(void)
{
    make();
    io = *plog_io_posix();
    io.rename_at = on_rename;
    drills = 0;
    CHECK_INT(order_over_io(), 0);
    CHECK_UINT(drills, 1);
    CHECK(!world_has(&w, "drill.json"));
    CHECK_INT(drill(), 0);
    CHECK_INT(drilled.verdict, 0);
    world_end(&w, 3);
}

/* It is named, and holds up nothing else; openings do not try each time. */
static void cannot_be_removed(void)
{
    static const char *const names[] = {"drill-0123abcd", "store.new"};
    for (int i = 0; i < 2; i++) {
        char inner[64];
        make();
        leave_all(true);
        snprintf(inner, sizeof inner, "%s/mine", names[i]);
        folder(inner);
        CHECK_INT(order(), PLOG_E_IO);
        CHECK_TEXT(err.file, names[i]);
        CHECK(strstr(err.message, "what a killed command left") != NULL);
        CHECK(strncmp(err.hint, "move it out of DIR", 18) == 0);
        CHECK_INT(redacting_pending(&w), 1);
        CHECK_INT(redacting_count(&w, ".", SECRET), 0);
        CHECK_INT(world_number(&w, "SELECT max(pending) FROM redactions"), 2);
        CHECK_INT(world_open(&w), 0);
        world_close(&w);
        CHECK(world_has(&w, inner));
        CHECK_INT(order(), PLOG_E_IO);
        CHECK_INT(rmdir(world_path(&w, inner)), 0);
        CHECK_INT(order(), 0);
        is_gone();
        world_end(&w, 3);
    }
}

static int own = -1; /* handle of the directory */

static int no_archive(void *c, int dir, const char *name, int flags,
                      unsigned mode)
{
    return dir == own && strcmp(name, "archive") == 0
               ? -EACCES
               : plog_io_posix()->open_at(c, dir, name, flags, mode);
}

/* A folder that cannot be opened is named, and the rest goes all the same. */
static void cannot_be_opened(void)
{
    struct plog_scrub_report found = {0};
    struct plog_left left;
    struct plog_dir d;
    io = *plog_io_posix();
    make();
    leave_all(true);
    CHECK_INT(plog_dir_open(&d, &io, w.dir, PLOG_DIR_WRITE, false, NULL), 0);
    io.open_at = no_archive;
    own = d.dir;
    CHECK_INT(plog_left_clear(&d, &left, &err), 0);
    CHECK_UINT(left.count, 1);
    CHECK_INT(left.why, -EACCES);
    CHECK_TEXT(left.file, "archive");
    found.left = left.count;
    found.left_why = left.why;
    snprintf(found.left_file, sizeof found.left_file, "%.200s", left.file);
    CHECK_INT(plog_scrub_say_left(&found, &err), PLOG_E_IO);
    CHECK_TEXT(err.file, "archive");
    CHECK(strstr(err.hint, "move it out") == NULL);
    CHECK(!world_has(&w, "salvage"));
    CHECK(!world_has(&w, "store.new"));
    plog_dir_close(&d);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"goes", goes},
        {"goes when it is opened", goes_when_it_is_opened},
        {"stays", stays},
        {"a drill is under way", a_drill_is_under_way},
        {"waits for a drill", waits_for_a_drill},
        {"no drill meanwhile", no_drill_meanwhile},
        {"cannot be removed", cannot_be_removed},
        {"cannot be opened", cannot_be_opened},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
