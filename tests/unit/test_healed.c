/*
 * test_healed.c - healing a log from the store, and what it leaves alone: what
 * is intact, also under keys that only the store still knows; a history or a
 * log that is not the store's; segments of two names or joined; what the store
 * has not come to; all of it in thought. And that it says so when the disk did
 * not do what it was asked to.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "world.h"

static struct world w;

/* ---- Logs ---------------------------------------------------------------- */

static void put(int from, int to)
{
    for (int i = from; i < to; i++) {
        char record[16], value[24];
        snprintf(record, sizeof record, "r%d", i % 7);
        snprintf(value, sizeof value, "v%d", i);
        CHECK_INT(world_put(&w, NULL, record, value, NULL), 0);
    }
}

static uint64_t next_segment(void)
{
    uint64_t first = 0;
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    return first;
}

static void rotate(void)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report r;
    world_close(&w);
    CHECK_INT(plog_key_rotate(w.dir, &o, &r, NULL), 0);
    CHECK_INT(world_open(&w), 0);
}

/* The path of the segment that begins at `first`. */
static const char *segment(uint64_t first)
{
    char name[60];
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
    return world_path(&w, name);
}

/* The value of an entry that put() made is another one. */
static void damage(uint64_t first, const char *value)
{
    size_t n;
    char *bytes = world_read(segment(first), &n), *at = strstr(bytes, value);
    if (CHECK(at != NULL)) {
        at[1] = 'x';
        world_write(segment(first), bytes, n);
    }
    free(bytes);
}

static char kept_log[600], kept_store[600];

/* The closed log, or its store alone, to come back to. */
static void keep_log(void)
{
    snprintf(kept_log, sizeof kept_log, "%.500s-kept", w.dir);
    world_copy(w.dir, kept_log);
}

static void keep_store(void)
{
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(kept_store, sizeof kept_store, "%.500s-store.db", w.dir);
    world_copy(world_path(&w, "store.db"), kept_store);
}

static void back_to_log(void)
{
    world_remove(w.dir);
    world_copy(kept_log, w.dir);
}

static void back_to_store(void)
{
    world_drop_store(&w);
    world_copy(kept_store, world_path(&w, "store.db"));
}

static uint64_t log_hash(void)
{
    return tree_hash(world_path(&w, "log"));
}

/* ---- Healing ------------------------------------------------------------- */

static struct {
    struct plog_salvage_report r;
    struct plog_error err;
    unsigned count;
    bool healed;
    uint64_t from, to;
    char file[64], why[200];
} heard;

static int hear(void *arg, const struct plog_salvaged *s)
{
    (void)arg;
    heard.count++;
    heard.healed = s->healed;
    heard.from = s->from;
    heard.to = s->to;
    snprintf(heard.file, sizeof heard.file, "%s", s->file);
    snprintf(heard.why, sizeof heard.why, "%s", s->why);
    return 0;
}

static int heal(struct plog_salvage_options o)
{
    memset(&heard, 0, sizeof heard);
    o.struct_size = sizeof o;
    o.from_store = true;
    o.range = hear;
    int rc = plog_salvage(w.dir, &o, &heard.r, &heard.err);
    if (rc)
        CHECK_INT(heard.err.code, rc);
    return rc;
}

static int heal_over(const struct plog_io *io)
{
    return heal((struct plog_salvage_options){.io = io});
}

/* ---- What is intact ------------------------------------------------------ */

static int no_new_segment(void *ctx, int dir, const char *name, int flags,
                          uint32_t mode)
{
    if (flags & O_CREAT && strstr(name, ".jsonl"))
        return -ENOSPC;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Where nothing is wrong nothing is written: a full disk does no harm, and of
 * three keys the last one is enough, for the store knows the others. */
static void intact(void)
{
    struct plog_io io = *plog_io_posix();
    char vkey[PLOG_VKEY_MAX];
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    for (int i = 0; i < 3; i++) {
        put(10 * i, 10 * i + 3);
        if (i < 2)
            rotate();
        put(10 * i + 3, 10 * i + 6);
        next_segment();
    }
    world_close(&w);
    CHECK_INT(plog_key_show(w.dir, NULL, vkey, NULL), 0);
    uint64_t before = log_hash();
    io.open_at = no_new_segment;
    CHECK_INT(heal((struct plog_salvage_options){.io = &io, .vkey = vkey}), 0);
    CHECK_UINT(heard.count, 0);
    CHECK_UINT(heard.r.healed, 0);
    CHECK_UINT(heard.r.from_store, 0);
    CHECK_INT(heard.r.verdict, 0);
    CHECK(log_hash() == before);
    CHECK(!world_has(&w, "quarantine"));
    world_end(&w, world_size(&w));
}

/* ---- What is not the store's --------------------------------------------- */

/* Two copies that both went over to a new key.  The log of one is not made that
 * of the other, whose store lies beside it: what it has signed stays. */
static void of_two_histories(void)
{
    for (int segments = 1; segments < 3; segments++) {
        world_make(&w, PLOG_LAST_WRITE_WINS, 0);
        put(0, 5);
        world_close(&w);
        keep_log();
        CHECK_INT(world_open(&w), 0);
        rotate();
        put(5, 12);
        world_close(&w);
        keep_store();
        back_to_log();
        CHECK_INT(world_open(&w), 0);
        rotate();
        put(20, 22);
        if (segments == 2)
            next_segment();
        put(22, 29);
        world_close(&w);
        back_to_store();
        uint64_t before = log_hash();
        CHECK_INT(heal_over(NULL), 0);
        CHECK_INT(heard.r.verdict, PLOG_E_FORK);
        CHECK(log_hash() == before);
        CHECK_UINT(heard.r.healed, 0);
        /* Of what the store covers its keys decide. */
        CHECK_UINT(heard.r.left, segments == 2);
    }
}

/* Another log's folder: the store is the stranger there, and of the log nothing
 * is set aside; the more so when its keys are trusted. */
static void of_another_log(void)
{
    char vkey[PLOG_VKEY_MAX], log[700], want[600], name[2][200];
    bool added = false;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 5);
    world_close(&w);
    memcpy(vkey, w.vkey, sizeof vkey);
    snprintf(name[0], sizeof name[0], "%.*s", (int)strcspn(vkey, "+"), vkey);
    snprintf(log, sizeof log, "%.500s-log", w.dir);
    world_copy(world_path(&w, "log"), log);
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(5, 8);
    world_close(&w);
    snprintf(name[1], sizeof name[1], "%.*s", (int)strcspn(w.vkey, "+"),
             w.vkey);
    world_remove(world_path(&w, "log"));
    world_copy(log, world_path(&w, "log"));
    snprintf(want, sizeof want, "the log is `%s`, the store belongs to `%s`",
             name[0], name[1]);
    uint64_t before = log_hash();
    for (int trusted = 0; trusted < 2; trusted++) {
        CHECK_INT(heal_over(NULL), PLOG_E_FOREIGN);
        CHECK_TEXT(heard.err.message, want);
        CHECK_UINT(heard.count, 0);
        CHECK(log_hash() == before);
        CHECK_INT(plog_key_trust(w.dir, vkey, false, NULL, &added, NULL), 0);
        CHECK(added == !trusted);
    }
    CHECK(!world_has(&w, "quarantine"));
}

/* ---- Names of segments ---------------------------------------------------
 */

/* A copy that goes on under another name: the segments from there on bear that
 * one, and those before the first. */
static void under_two_names(void)
{
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .continue_as = "copy.example/log"};
    struct plog_restore_report r;
    static const uint64_t first[] = {1, 7, 10, 13, 15}; /* 10: the entry */
    char to[600], original[600];
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    memcpy(original, w.dir, sizeof w.dir);
    put(0, 5);
    CHECK_UINT(next_segment(), 7);
    put(5, 8);
    world_close(&w);
    snprintf(to, sizeof to, "%.500s-copy", w.dir);
    CHECK_INT(plog_restore(w.dir, to, &o, &r, NULL), 0);
    snprintf(w.dir, sizeof w.dir, "%.500s", to);
    CHECK_INT(world_open(&w), 0);
    put(8, 10);
    CHECK_UINT(next_segment(), first[3]);
    put(10, 12);
    world_close(&w);
    uint64_t whole = log_hash(), last = world_size(&w);
    CHECK_UINT(last, first[4] - 1);
    keep_store();
    world_take_store(&w, original);
    size_t n;
    char *bytes = world_read(segment(first[2]), &n);
    damage(first[2], "\"restore\""); /* the entry that gives the name */
    CHECK_INT(heal_over(NULL), 0);
    CHECK_UINT(heard.r.left, 2);
    CHECK_TEXT(world_path(&w, heard.file), segment(first[3]));
    CHECK_TEXT(heard.why,
               "its header has a name that nothing before it gives the log,"
               " and what stood before it could not be proven");
    world_write(segment(first[2]), bytes, n);
    free(bytes);
    CHECK(log_hash() == whole);
    back_to_store();
    for (int i = 0; i < 4; i++) {
        CHECK_INT(unlink(segment(first[i])), 0);
        CHECK_INT(heal_over(NULL), 0);
        CHECK_INT(heard.r.verdict, 0);
        CHECK_UINT(heard.count, 1);
        CHECK(heard.healed);
        CHECK_TEXT(world_path(&w, heard.file), segment(first[i]));
        CHECK_UINT(heard.from, first[i]);
        CHECK_UINT(heard.to, first[i + 1] - 1);
        CHECK_UINT(heard.r.healed, 1);
        CHECK_UINT(heard.r.left, 0);
        CHECK_UINT(heard.r.from_store, heard.to - heard.from + 1);
        CHECK(log_hash() == whole);
    }
    world_end(&w, last);
}

/* Behind the damage goes on what belongs into the next segment: that is none of
 * this one, which ends where the next one begins. */
static void joined_with_the_next(void)
{
    size_t n[2];
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 5);
    uint64_t first = next_segment();
    put(5, 8);
    world_close(&w);
    uint64_t whole = log_hash();
    char *bytes[] = {world_read(segment(1), &n[0]),
                     world_read(segment(first), &n[1])};
    char *both = malloc(n[0] + n[1]), *at = strstr(bytes[0], "\"v4\"");
    at = at ? strstr(at, "\"root\":\"") : NULL; /* of its commit */
    REQUIRE(both != NULL && at != NULL);
    at[9] ^= 1;
    memcpy(both, bytes[0], n[0]);
    memcpy(both + n[0], bytes[1], n[1]);
    world_write(segment(1), both, n[0] + n[1]);
    free(both);
    free(bytes[0]);
    free(bytes[1]);
    CHECK_INT(heal_over(NULL), 0);
    CHECK_INT(heard.r.verdict, 0);
    CHECK_UINT(heard.count, 1);
    CHECK(heard.healed);
    CHECK_UINT(heard.from, 6);
    CHECK_UINT(heard.to, 6);
    CHECK_UINT(heard.r.from_store, 1);
    CHECK(log_hash() == whole);
    world_end(&w, 9);
}

/* ---- What the store has not come to -------------------------------------- */

/* The end of a segment is gone, and another one follows: what both lost is no
 * segment that is whole. */
static void a_store_behind(void)
{
    uint64_t first;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 5);
    world_close(&w);
    keep_store();
    CHECK_INT(world_open(&w), 0);
    put(5, 10);
    first = next_segment();
    put(10, 15);
    world_close(&w);
    back_to_store();
    size_t n;
    char *bytes = world_read(segment(1), &n), *at = strstr(bytes, "\"v8\"");
    REQUIRE(at != NULL);
    world_write(segment(1), bytes, (size_t)(at - bytes));
    free(bytes);
    CHECK_UINT(first, 12);
    uint64_t hash = log_hash();
    CHECK_INT(heal_over(NULL), 0);
    CHECK(!heard.healed);
    CHECK_TEXT(heard.why, "neither leg has all of its entries");
    CHECK_UINT(heard.r.healed, 0);
    CHECK(heard.r.left > 0);
    CHECK(heard.r.verdict != 0);
    CHECK(log_hash() == hash);
}

/* ---- In thought ---------------------------------------------------------- */

static void in_thought(void)
{
    struct plog_rebuild_options o = {
        .struct_size = sizeof o, .install = true, .dry_run = true};
    struct plog_rebuild_report r;
    struct tree before, after;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 5);
    world_close(&w);
    damage(1, "\"v2\"");
    tree_read(&before, w.dir);
    CHECK_INT(plog_rebuild_log(w.dir, NULL, &o, &r, NULL), 0);
    CHECK_INT(r.verdict, 0);
    CHECK(r.dry_run);
    CHECK_TEXT(r.quarantine, "");
    CHECK_TEXT(r.why, "");
    CHECK_UINT(r.head.size, 6);
    tree_read(&after, w.dir);
    CHECK(before.hash == after.hash);
    tree_free(&before);
    tree_free(&after);
    o.dry_run = false;
    CHECK_INT(plog_rebuild_log(w.dir, NULL, &o, &r, NULL), 0);
    CHECK(r.quarantine[0] != '\0');
    CHECK(!r.dry_run);
    CHECK_INT(r.verdict, 0);
    CHECK_TEXT(r.why, "");
    CHECK_UINT(r.head.size, 6);
    world_end(&w, 6);
}

/* ---- What the disk did --------------------------------------------------- */

static const char *refused; /* the folder whose sync fails, or "rename" */
static bool renamed;        /* before that none does */
static bool dir_synced;     /* since its folder salvage/ went */

/* Whether a handle is of the folder `name` of the log; "": of its own. */
static bool is_folder(int fd, const char *name)
{
    char link[40], path[700], want[700];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    char *dir = realpath(w.dir, NULL);
    snprintf(want, sizeof want, "%.600s%s%s", dir ? dir : "", *name ? "/" : "",
             name);
    free(dir);
    return strcmp(path, want) == 0;
}

static int no_rename(void *ctx, int old_dir, const char *old, int dir,
                     const char *name, bool replace)
{
    bool ours = is_folder(old_dir, "salvage");
    if (ours && strcmp(refused, "rename") == 0)
        return -EIO;
    renamed |= ours;
    return plog_io_posix()->rename_at(ctx, old_dir, old, dir, name, replace);
}

static int no_sync(void *ctx, int fd)
{
    if (renamed && *refused && is_folder(fd, refused))
        return -EIO;
    dir_synced |= is_folder(fd, "");
    return plog_io_posix()->fsync(ctx, fd);
}

static int watched_rmdir(void *ctx, int dir, const char *name)
{
    int rc = plog_io_posix()->rmdir_at(ctx, dir, name);
    if (rc == 0 && strcmp(name, "salvage") == 0)
        dir_synced = false;
    return rc;
}

/* A segment has its name when that is on disk, and not before; and of the
 * folder in which it was made nothing comes back after a power cut. */
static void on_disk(void)
{
    static const char *const all[] = {"rename", "log", "salvage", ""};
    struct plog_io io = *plog_io_posix();
    io.rename_at = no_rename;
    io.fsync = no_sync;
    io.rmdir_at = watched_rmdir;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    put(0, 5);
    world_close(&w);
    uint64_t whole = log_hash();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bool fails = all[i][0] != '\0';
        refused = all[i];
        renamed = dir_synced = false;
        damage(1, "\"v2\"");
        CHECK_INT(heal_over(&io), fails ? PLOG_E_IO : 0);
        CHECK_UINT(heard.count, !fails); /* healed is what is told as healed */
        if (fails && !CHECK(strstr(heard.err.message, "in its place") != NULL))
            printf("# %s: %s\n", refused, heard.err.message);
        CHECK(!world_has(&w, "salvage"));
        CHECK(dir_synced);
        CHECK_INT(heal_over(NULL), 0);
        CHECK(log_hash() == whole);
    }
    world_end(&w, 6);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"intact", intact},
        {"of two histories", of_two_histories},
        {"of another log", of_another_log},
        {"under two names", under_two_names},
        {"joined with the next", joined_with_the_next},
        {"a store behind", a_store_behind},
        {"in thought", in_thought},
        {"on disk", on_disk},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
