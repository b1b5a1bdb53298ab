/*
 * test_resumed.c - a replay that is killed between two of its transactions
 * goes on where it stood, and gives the very same store; and what a command
 * clears away is only what nobody is at work on.
 *
 * test_killed.c has logs that are replayed in one transaction.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "killing.h"
#include "world.h"

static struct world w;

/* ---- Killed and continued ----------------------------------------------- */

#define GROUP 500
#define ENTRIES 40500 /* more than one transaction of a replay */

static void append_group(int first)
{
    static char text[GROUP][256];
    static struct plog_span deltas[GROUP];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = deltas, .delta_count = GROUP};
    for (int i = 0; i < GROUP; i++) {
        char id[24], record[24], time[32];
        struct world_delta d = {.id = id,
                                .record = record,
                                .payload = "{\"text\":\"some words\"}",
                                .time = time};
        snprintf(id, sizeof id, "id-%d", first + i);
        snprintf(record, sizeof record, "%d", (first + i) * 7 % 9001);
        snprintf(time, sizeof time, "2026-01-02T03:04:%02dZ", (first + i) % 60);
        world_text(text[i], sizeof text[i], &d);
        deltas[i].p = text[i];
        deltas[i].n = strlen(text[i]);
    }
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
}

static int replay(void *arg, const struct plog_io *io)
{
    struct plog_replay_report r;
    struct plog_replay_options o = {.struct_size = sizeof o, .io = io};
    return plog_replay(arg, &o, &r, NULL);
}

/* The head of what a kill left of the store; 0: none, or not yet tables. */
static uint64_t store_size(void)
{
    struct plog_status s;
    struct plog_options o = {.struct_size = sizeof o};
    if (!world_has(&w, "store.db"))
        return 0;
    return plog_read_status(w.dir, &o, &s, NULL) ? 0 : s.store_size;
}

/* The store's content as one file, without what is left of its making. */
static char *canonical(size_t *len)
{
    char path[600], sql[700];
    snprintf(path, sizeof path, "%.500s/canonical.db", check_dir());
    snprintf(sql, sizeof sql, "VACUUM INTO '%s'", path);
    unlink(path);
    world_sql(&w, sql);
    return world_read(path, len);
}

static void the_same_store(const char *want, size_t want_len)
{
    size_t len;
    char *got = canonical(&len);
    CHECK_BYTES(got, len, want, want_len);
    free(got);
}

static void at_many_points(void)
{
    size_t want_len;
    long kills = 0, between = 0, n = 1;
    world_make(&w, PLOG_LAST_WRITE_WINS, 1 << 20);
    for (int i = 0; i < ENTRIES; i += GROUP)
        append_group(i);
    world_close(&w);
    world_drop_store(&w);
    REQUIRE(replay(w.dir, NULL) == 0);
    char *want = canonical(&want_len);
    for (bool again = true; again; n = n * 5 / 4 + 3) {
        world_drop_store(&w);
        again = killing_run(n, replay, w.dir);
        uint64_t size = store_size();
        kills += again;
        between += again && size > 0 && size <= ENTRIES;
        if (again) /* once more, on what it left */
            (void)killing_run(n, replay, w.dir);
        CHECK(store_size() >= size);
        CHECK_INT(replay(w.dir, NULL), 0);
        the_same_store(want, want_len);
    }
    free(want);
    printf("# %ld kills, %ld of them between transactions\n", kills, between);
    CHECK(kills >= 10);
    CHECK(between >= 2);
    world_end(&w, ENTRIES + 1);
}

/* ---- What is cleared away ----------------------------------------------- */

static char out[600]; /* where a restore goes */

static int restore(void)
{
    struct plog_restore_report r;
    struct plog_restore_options o = {.struct_size = sizeof o};
    int rc = plog_restore(w.dir, out, &o, &r, NULL);
    if (!rc)
        world_remove(out);
    return rc;
}

static int drill(void)
{
    struct plog_drill_report r;
    struct plog_drill_options o = {.struct_size = sizeof o};
    int rc = plog_drill(w.dir, &o, &r, NULL);
    return rc ? rc : r.verdict;
}

/* Makes a folder as a kill leaves it. */
static void leave(char *path, size_t cap, const char *stem, const char *end)
{
    char file[720];
    snprintf(path, cap, "%.600s%s", stem, end);
    CHECK_INT(mkdir(path, 0700), 0);
    snprintf(file, sizeof file, "%.690s/log", path);
    CHECK_INT(mkdir(file, 0700), 0);
    snprintf(file, sizeof file, "%.690s/store.db", path);
    world_write(file, "x", 1);
}

static bool is_there(const char *path)
{
    char file[720];
    snprintf(file, sizeof file, "%.690s/store.db", path);
    return access(file, F_OK) == 0;
}

static void make_small(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(world_put(&w, "a", "1", "x", NULL), 0);
    world_close(&w);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
}

/* Somebody is at work on it: it stays until they are gone. */
static void parts_in_use(void)
{
    char part[640];
    make_small();
    leave(part, sizeof part, out, ".part-0123abcd");
    int fd = open(part, O_RDONLY | O_DIRECTORY);
    REQUIRE(fd >= 0);
    CHECK_INT(flock(fd, LOCK_EX | LOCK_NB), 0);
    CHECK_INT(restore(), 0);
    CHECK(is_there(part));
    close(fd);
    CHECK_INT(restore(), 0);
    CHECK_INT(access(part, F_OK), -1);
    world_end(&w, 2);
}

/* Names that only look like those, and a link to somewhere else. */
static void strangers(void)
{
    static const char *const ends[] = {".part-0123ABCD", ".part-0123abc",
                                       ".part-0123abcde", ".part-0123abcd.old",
                                       "2.part-0123abcd"};
    char path[5][640], target[640], link[640];
    make_small();
    for (int i = 0; i < 5; i++)
        leave(path[i], sizeof path[i], out, ends[i]);
    leave(target, sizeof target, out, "-elsewhere");
    snprintf(link, sizeof link, "%.600s.part-89abcdef", out);
    CHECK_INT(symlink(target, link), 0);
    CHECK_INT(restore(), 0);
    for (int i = 0; i < 5; i++)
        CHECK(is_there(path[i]));
    CHECK(is_there(target));
    CHECK(is_there(link));
    world_end(&w, 2);
}

/* One drill at a time; the next clears away what a killed one left. */
static void drills(void)
{
    char stem[600], whole[640], part[640];
    struct flock byte = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 1};
    make_small();
    snprintf(stem, sizeof stem, "%.500s/drill-", w.dir);
    leave(whole, sizeof whole, stem, "0123abcd");
    leave(part, sizeof part, stem, "0123abcd.part-4567cdef");
    int fd = open(world_path(&w, "lock"), O_RDWR);
    REQUIRE(fd >= 0);
    CHECK_INT(fcntl(fd, F_OFD_SETLK, &byte), 0);
    CHECK_INT(drill(), PLOG_E_LOCKED);
    CHECK(is_there(whole) && is_there(part));
    CHECK(!world_has(&w, "drill.json"));
    close(fd);
    CHECK_INT(drill(), 0);
    CHECK_INT(access(whole, F_OK), -1);
    CHECK_INT(access(part, F_OK), -1);
    world_end(&w, 2);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"replay killed and continued", at_many_points},
        {"parts in use", parts_in_use},
        {"strangers", strangers},
        {"drills", drills},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
