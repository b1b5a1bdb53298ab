/*
 * test_compact_mended.c - the files that compactions leave and need: snapshots
 * that go and stay, one that is made anew or cannot be, an undo of what the
 * archive still has, folders that cannot be opened.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "peers.h"
#include "world.h"

static struct world w;
static char kept[600];
static struct plog_compact_report report;
static struct plog_error err;

static void put(int from, int to)
{
    CHECK_INT(world_open(&w), 0);
    for (int i = from; i < to; i++) {
        char record[16], value[24];
        snprintf(record, sizeof record, "r%d", i % 7);
        snprintf(value, sizeof value, "v%d", i);
        CHECK_INT(world_put(&w, NULL, record, value, NULL), 0);
    }
    world_close(&w);
}

static int compact_with(struct plog_compact_options o)
{
    o.struct_size = sizeof o;
    memset(&err, 0, sizeof err);
    return plog_compact(w.dir, &o, &report, &err);
}

static int compact(void)
{
    return compact_with((struct plog_compact_options){.undo = false});
}

static int undo(void)
{
    return compact_with((struct plog_compact_options){.undo = true});
}

/* Acknowledges the head, with its root, and appends some more. */
static void go_on(void)
{
    struct plog_head h;
    struct plog_peer_report pr;
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_get_head(w.p, &h, NULL), 0);
    world_close(&w);
    CHECK_INT(plog_peer_ack(w.dir, "p", h.size, h.root, NULL, &pr, NULL), 0);
    put(0, 14);
}

static void make(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    world_close(&w);
    put(0, 30);
    CHECK_INT(peers_add(&w, "p"), 0);
    go_on();
}

/* A state to come back to. */
static void keep(void)
{
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
}

static void put_back(void)
{
    world_remove(w.dir);
    world_copy(kept, w.dir);
}

/* Compacts up to a new floor; the name of its snapshot. */
static uint64_t compact_once(char *name)
{
    uint64_t before = peers_floor(&w);
    CHECK_INT(compact(), 0);
    CHECK(report.to > before);
    snprintf(name, 64, "%s", report.snapshot);
    return report.to;
}

static void end(void)
{
    world_end(&w, world_size(&w));
}

/* ---- Snapshots that go and stay -------------------------------------------
 */

/* Of three the first goes: what is in the archive begins at entry 1, and an
 * undo needs only the one before. */
static void the_oldest_goes(void)
{
    char name[3][64];
    make();
    for (int i = 0; i < 3; i++) {
        compact_once(name[i]);
        CHECK(world_has(&w, name[i]));
        go_on();
    }
    CHECK(!world_has(&w, name[0]));
    CHECK(world_has(&w, name[1]));
    CHECK(world_has(&w, name[2]));
    end();
}

/* Where what lies below was discarded, the archive stands on its snapshot. */
static void what_the_archive_stands_on_stays(void)
{
    char name[4][64];
    make();
    CHECK_INT(compact_with((struct plog_compact_options){.discard = true}), 0);
    snprintf(name[0], sizeof name[0], "%s", report.snapshot);
    for (int i = 1; i < 4; i++) {
        go_on();
        compact_once(name[i]);
    }
    CHECK(world_has(&w, name[0]));
    CHECK(!world_has(&w, name[1]));
    CHECK(world_has(&w, name[2]));
    CHECK(world_has(&w, name[3]));
    end();
}

/* A name of the archive's above the floor, of a segment that the log has not:
 * it may be all that is left of one. */
#define ABOVE "archive/00000000000000000777.jsonl.gz"

static void what_else_lies_there(void)
{
    char name[64];
    make();
    CHECK_INT(mkdir(world_path(&w, "snapshots"), 0700), 0);
    world_write(world_path(&w, "snapshots/killed.new"), "x", 1);
    world_write(world_path(&w, "snapshots/new"), "x", 1);
    world_write(world_path(&w, "snapshots/.new"), "x", 1);
    world_write(world_path(&w, "snapshots/mine.txt"), "x", 1);
    CHECK_INT(mkdir(world_path(&w, "archive"), 0700), 0);
    world_write(world_path(&w, ABOVE), "x", 1);
    compact_once(name);
    CHECK(world_has(&w, ABOVE));
    CHECK(!world_has(&w, "snapshots/killed.new"));
    CHECK(world_has(&w, "snapshots/new"));
    CHECK(world_has(&w, "snapshots/.new"));
    CHECK(world_has(&w, "snapshots/mine.txt"));
    end();
}

/* Two rotations below the floor go into the compact entry: without them what is
 * left has no key that the first one leads to. */
static void keys_from_below(void)
{
    struct plog_rotate_options ro = {.struct_size = sizeof ro};
    struct plog_rotate_report rr;
    struct plog_check_options o = {.vkey = w.vkey};
    struct world_found f;
    char name[64];
    size_t n;
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    for (int i = 0; i < 2; i++) {
        put(0, 3);
        CHECK_INT(plog_key_rotate(w.dir, &ro, &rr, NULL), 0);
    }
    put(0, 30);
    go_on();
    compact_once(name);
    char *line = world_line(&w, report.entry, &n);
    char *one = strstr(line, "\"rotations\":[{\"seq\":6,");
    char *two = one ? strstr(one, "},{\"seq\":") : NULL;
    CHECK(two != NULL);
    free(line);
    CHECK_INT(world_verify(&w, &o, &f), 0);
    CHECK_INT(world_parity(&w, &o, &f), 0);
    end();
}

/* ---- Made anew
 * --------------------------------------------------------------- */

static void the_whole_folder_is_gone(void)
{
    char name[64];
    make();
    compact_once(name);
    world_remove(world_path(&w, "snapshots"));
    go_on();
    CHECK_INT(compact(), 0);
    CHECK(report.remade);
    CHECK(report.to > 0);
    end();
}

/* The one before an undo is what stands below the floor again. */
static void gone_after_an_undo(void)
{
    char first[64], second[64];
    make();
    uint64_t floor = compact_once(first);
    go_on();
    compact_once(second);
    CHECK_INT(undo(), 0);
    CHECK_UINT(peers_floor(&w), floor);
    CHECK_INT(unlink(world_path(&w, first)), 0);
    CHECK_INT(compact(), 0);
    CHECK(report.remade);
    CHECK(world_has(&w, first));
    end();
}

/* The segments of log/ that end at or below the floor, as they were. */
static void put_segments_back(uint64_t floor)
{
    char name[60], path[700];
    for (uint64_t first = 1; first <= floor; first++) {
        snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
        snprintf(path, sizeof path, "%.500s/%s", kept, name);
        if (access(path, F_OK) == 0)
            world_take(&w, kept, name);
    }
}

/* What was discarded lies in log/ again, as behind an older log that was put
 * back: that is all there is to make the snapshot of, so it goes behind that.
 * Also where the compaction is still to be finished. */
static void of_what_was_discarded(void)
{
    static const struct plog_compact_options discard = {.discard = true};
    for (int pending = 0; pending < 2; pending++) {
        char first[64];
        make();
        compact_once(first);
        go_on();
        keep();
        CHECK_INT(compact_with(discard), 0);
        go_on();
        CHECK_INT(unlink(world_path(&w, report.snapshot)), 0);
        put_segments_back(report.to);
        if (pending)
            world_sql(&w, "UPDATE compactions SET pending=1 WHERE seq=(SELECT"
                          " max(seq) FROM compactions)");
        for (int dry_run = 1; dry_run >= 0; dry_run--) {
            CHECK_INT(compact_with((struct plog_compact_options){
                          .dry_run = dry_run}),
                      0);
            CHECK(report.remade);
        }
        world_remove(kept);
        end();
    }
}

/* An archive without its beginning does not give it; what is wrong is told, and
 * that nothing is taken away any more. */
static void the_archive_has_lost_its_beginning(void)
{
    char name[64];
    make();
    uint64_t floor = compact_once(name);
    go_on();
    CHECK_INT(unlink(world_path(&w, name)), 0);
    CHECK_INT(unlink(world_path(&w, "archive/00000000000000000001.jsonl.gz")),
              0);
    CHECK_INT(compact(), PLOG_E_PRUNED);
    CHECK_INT(err.code, PLOG_E_PRUNED);
    CHECK_TEXT(err.hint, "copy the snapshot, or what archive/ lacks, from a"
                         " backup; archive/ does not give it: the log does not"
                         " begin at entry 1");
    CHECK_UINT(peers_floor(&w), floor);
    CHECK(!world_has(&w, name));
}

static int stop(void *arg, const struct plog_progress *p)
{
    (void)arg;
    return strcmp(p->phase, "fold") == 0;
}

static int no_rename(void *ctx, int old_dir, const char *old, int dir,
                     const char *name, bool replace)
{
    if (strstr(old, ".snapshot") || strncmp(old, "snapshot", 8) == 0 ||
        !replace)
        return -EIO;
    return plog_io_posix()->rename_at(ctx, old_dir, old, dir, name, replace);
}

static unsigned syncs_left;

static int sync_fails(void *ctx, int fd)
{
    return syncs_left && --syncs_left == 0 ? -EIO
                                           : plog_io_posix()->fsync(ctx, fd);
}

/* What is in the way of mending is no fault of the archive's. */
static void not_mended_yet(void)
{
    char name[64];
    struct plog_io io = *plog_io_posix();
    make();
    compact_once(name);
    world_write(world_path(&w, name), "damaged", 7);
    CHECK_INT(compact_with((struct plog_compact_options){.progress = stop}),
              PLOG_E_INTERRUPTED);
    CHECK_INT(err.code, PLOG_E_INTERRUPTED);
    world_write(world_path(&w, name), "damaged", 7);
    keep();
    io.rename_at = no_rename;
    CHECK_INT(compact_with((struct plog_compact_options){.io = &io}),
              PLOG_E_IO);
    CHECK_INT(err.code, PLOG_E_IO);
    CHECK(strstr(err.message, "setting a file aside") != NULL);
    CHECK(world_has(&w, name));
    io.rename_at = plog_io_posix()->rename_at;
    io.fsync = sync_fails;
    unsigned aside = 0, n = 0;
    do {
        put_back();
        syncs_left = ++n;
        int rc = compact_with((struct plog_compact_options){.io = &io});
        CHECK_INT(rc, syncs_left ? 0 : PLOG_E_IO);
        CHECK_INT(err.code, rc);
        aside += strstr(err.message, "setting a file aside") != NULL;
        CHECK_INT(compact(), 0);
        CHECK(world_has(&w, name));
    } while (syncs_left == 0 && n < 40);
    CHECK_UINT(aside, 2); /* of both folders */
    end();
}

/* An undo that refuses has made no snapshot anew either: it has no need of that
 * of the floor that it takes back. */
static void no_need_of_it(void)
{
    char first[64], second[64];
    make();
    compact_once(first);
    go_on();
    uint64_t floor = compact_once(second);
    CHECK_INT(unlink(world_path(&w, first)), 0);
    CHECK_INT(unlink(world_path(&w, second)), 0);
    CHECK_INT(undo(), PLOG_E_PRUNED);
    CHECK(!report.remade);
    CHECK(!world_has(&w, first));
    CHECK(!world_has(&w, second));
    CHECK_UINT(peers_floor(&w), floor);
    CHECK_INT(compact(), 0);
    CHECK(world_has(&w, second));
    end();
}

/* ---- Undone
 * ------------------------------------------------------------------- */

static void nothing_to_undo(void)
{
    char name[64];
    make();
    uint64_t floor = compact_once(name);
    keep();
    world_remove(world_path(&w, "archive"));
    CHECK_INT(undo(), PLOG_E_INPUT);
    CHECK(strstr(err.message, "not in archive/ any more") != NULL);
    CHECK(strstr(err.hint, "paritylog status") != NULL);
    CHECK_UINT(peers_floor(&w), floor);
    put_back();
    CHECK_INT(unlink(world_path(&w, "archive/00000000000000000001.jsonl.gz")),
              0);
    CHECK_INT(undo(), PLOG_E_CORRUPT);
    CHECK_TEXT(err.file, "archive/00000000000000000001.jsonl.gz");
    CHECK(strstr(err.message, "missing") != NULL);
    CHECK_UINT(peers_floor(&w), floor);
    CHECK(!world_has(&w, "log/00000000000000000001.jsonl"));
    put_back();
    /* Only said. */
    CHECK_INT(compact_with(
                  (struct plog_compact_options){.undo = true, .dry_run = true}),
              0);
    CHECK_UINT(report.from, floor);
    CHECK_UINT(report.to, 0);
    CHECK_UINT(report.entries, floor);
    CHECK(!report.undone);
    CHECK_UINT(peers_floor(&w), floor);
    CHECK(!world_has(&w, "log/00000000000000000001.jsonl"));
    CHECK_INT(undo(), 0);
    CHECK(report.undone);
    CHECK_UINT(peers_floor(&w), 0);
    CHECK_INT(undo(), PLOG_E_INPUT);
    CHECK(strstr(err.message, "was undone") != NULL);
    /* What it had still to do is done without any snapshot. */
    world_remove(world_path(&w, "snapshots"));
    world_sql(&w, "UPDATE compactions SET pending=1");
    CHECK_INT(compact_with((struct plog_compact_options){.undo = true}),
              PLOG_E_INPUT);
    CHECK_INT(world_number(&w, "SELECT max(pending) FROM compactions"), 0);
    end();
}

/* A store that says another floor than the last compact entry sets. */
static void the_floor_is_another(void)
{
    char name[64];
    make();
    compact_once(name);
    world_sql(&w, "UPDATE meta SET floor=floor-1");
    CHECK_INT(undo(), PLOG_E_INPUT);
    CHECK(!world_has(&w, "log/00000000000000000001.jsonl"));
    world_sql(&w, "UPDATE meta SET floor=floor+1");
    CHECK_INT(undo(), 0);
    end();
}

/* ---- Folders that cannot be opened
 * --------------------------------------------- */

static const char *closed;
static unsigned opens_left;

static int open_fails(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    if (strcmp(name, closed) == 0 && opens_left && --opens_left == 0)
        return -EIO;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* `silent`: it only means that a segment is archived once more. */
static void each_open_of(const char *name, bool discard, unsigned silent)
{
    struct plog_io io = *plog_io_posix();
    struct world_found f;
    unsigned n = 0, failed = 0;
    io.open_at = open_fails;
    closed = name;
    do {
        put_back();
        opens_left = ++n;
        int rc = compact_with(
            (struct plog_compact_options){.io = &io, .discard = discard});
        CHECK(rc == 0 || (rc == PLOG_E_IO && opens_left == 0));
        CHECK_INT(err.code, rc);
        failed += rc != 0;
        CHECK_INT(compact(), 0);
        CHECK(peers_floor(&w) > 0);
        CHECK_INT(world_parity(&w, NULL, &f), 0);
    } while (opens_left == 0 && n < 40);
    CHECK(failed > 0);
    CHECK_UINT(failed + silent, n - 1);
}

static void closed_folders(void)
{
    char name[64];
    make();
    compact_once(name);
    go_on();
    keep();
    each_open_of("snapshots", false, 0);
    each_open_of("archive", true, 0);
    each_open_of("archive", false, 2);
    each_open_of(name + strlen("snapshots/"), false, 0);
}

static int never_opens(void *ctx, int dir, const char *name, int flags,
                       uint32_t mode)
{
    opens_left -= strcmp(name, closed) == 0;
    return strcmp(name, closed) == 0
               ? -EIO
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* What came along with copies may hold an order to redact a line that the
 * snapshot would give out: without it nothing is cut.  An undo gives out
 * nothing new, and the floor of the log stands in the log. */
static void what_came_along_cannot_be_read(void)
{
    struct plog_io io = *plog_io_posix();
    const struct plog_compact_options cut = {.io = &io};
    const struct plog_compact_options undo = {.io = &io, .undo = true};
    char name[64];
    io.open_at = never_opens;
    closed = "orders";
    make();
    compact_once(name);
    go_on();
    uint64_t floor = report.to;
    opens_left = 1000;
    memset(&err, 0, sizeof err);
    CHECK_INT(compact_with(cut), PLOG_E_IO);
    CHECK_TEXT(err.file, "orders");
    CHECK(opens_left < 1000);
    CHECK_UINT(peers_floor(&w), floor);
    CHECK_INT(compact(), 0);
    CHECK(peers_floor(&w) > floor);
    CHECK_INT(compact_with(undo), 0);
    CHECK_UINT(peers_floor(&w), floor);
    end();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"the oldest goes", the_oldest_goes},
        {"what the archive stands on stays", what_the_archive_stands_on_stays},
        {"what else lies there", what_else_lies_there},
        {"keys from below", keys_from_below},
        {"the whole folder is gone", the_whole_folder_is_gone},
        {"gone after an undo", gone_after_an_undo},
        {"of what was discarded", of_what_was_discarded},
        {"the archive has lost its beginning",
         the_archive_has_lost_its_beginning},
        {"not mended yet", not_mended_yet},
        {"nothing to undo", nothing_to_undo},
        {"no need of it", no_need_of_it},
        {"the floor is another", the_floor_is_another},
        {"closed folders", closed_folders},
        {"what came along cannot be read", what_came_along_cannot_be_read},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
