/*
 * test_killed.c - restore, drill, rebuild and replay killed at every few I/O
 * calls, and run again: the second run comes to its end, both legs are what
 * they were, and nothing is left lying about.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "killing.h"
#include "world.h"

static struct world base;
static char out[600]; /* where restore and rebuild write */

static void make(int entries)
{
    world_make(&base, PLOG_LAST_WRITE_WINS, 4096);
    for (int i = 0; i < entries; i++) {
        char id[16], record[16];
        snprintf(id, sizeof id, "i%d", i);
        snprintf(record, sizeof record, "%d", i % 5);
        CHECK_INT(world_put(&base, id, record, "some text", NULL), 0);
    }
    world_close(&base);
    snprintf(out, sizeof out, "%.500s-out", base.dir);
}

/* Names in `dir` that hold `word`. */
static int names_with(const char *dir, const char *word)
{
    int n = 0;
    DIR *d = opendir(dir);
    if (!d)
        return -1;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strstr(e->d_name, word) != NULL;
    closedir(d);
    return n;
}

/* Beside the new path nothing is left. */
static void no_parts(void)
{
    char parent[600];
    snprintf(parent, sizeof parent, "%s", base.dir);
    *strrchr(parent, '/') = '\0';
    CHECK_INT(names_with(parent, ".part-"), 0);
}

static bool same_file(const char *a, const char *b)
{
    size_t n, m;
    char *x = world_read(a, &n), *y = world_read(b, &m);
    bool same = n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

static void same_log(const char *dir)
{
    char path[700], a[1000], b[1000];
    int n = 0;
    snprintf(path, sizeof path, "%s/log", base.dir);
    DIR *d = opendir(path);
    REQUIRE(d != NULL);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (!strstr(e->d_name, ".jsonl"))
            continue;
        snprintf(a, sizeof a, "%s/log/%.200s", base.dir, e->d_name);
        snprintf(b, sizeof b, "%s/log/%.200s", dir, e->d_name);
        CHECK(same_file(a, b));
        n++;
    }
    closedir(d);
    CHECK(n > 1);
}

/* ---- What is killed ----------------------------------------------------- */

static int restore(void *arg, const struct plog_io *io)
{
    struct plog_restore_report r;
    struct plog_restore_options o = {.struct_size = sizeof o, .io = io};
    return plog_restore(arg, out, &o, &r, NULL);
}

static int rebuild_log(void *arg, const struct plog_io *io)
{
    struct plog_rebuild_report r;
    struct plog_rebuild_options o = {.struct_size = sizeof o, .io = io};
    int rc = plog_rebuild_log(arg, out, &o, &r, NULL);
    return rc ? rc : r.verdict;
}

static int drill(void *arg, const struct plog_io *io)
{
    struct plog_drill_report r;
    struct plog_drill_options o = {.struct_size = sizeof o, .io = io};
    int rc = plog_drill(arg, &o, &r, NULL);
    return rc ? rc : r.verdict;
}

static int replay_fresh(void *arg, const struct plog_io *io)
{
    struct plog_replay_report r;
    struct plog_replay_options o = {
        .struct_size = sizeof o, .io = io, .fresh = true};
    return plog_replay(arg, &o, &r, NULL);
}

static int replay(void *arg, const struct plog_io *io)
{
    struct plog_replay_report r;
    struct plog_replay_options o = {.struct_size = sizeof o, .io = io};
    return plog_replay(arg, &o, &r, NULL);
}

/* ---- And again ---------------------------------------------------------- */

typedef int action(void *arg, const struct plog_io *io);

/* Kills `act` on the base at every `step`-th call; after each, `then` looks at
 * what there is. */
static void kill_all(action *act, long step, void (*then)(bool killed))
{
    bool again = true;
    long n = 1, kills = 0;
    for (; again && n < 20000; n += step) {
        again = killing_run(n, act, base.dir);
        kills += again;
        then(again);
    }
    CHECK(!again);
    CHECK(kills > 10);
    printf("# %ld kills\n", kills);
}

static void after_copy(bool killed)
{
    struct world copy = base;
    struct world_found f;
    if (killed && access(out, F_OK) != 0)
        CHECK_INT(restore(base.dir, NULL), 0);
    snprintf(copy.dir, sizeof copy.dir, "%.511s", out);
    same_log(out);
    CHECK_INT(world_parity(&copy, NULL, &f), 0);
    world_remove(out);
    no_parts();
    CHECK_INT(world_parity(&base, NULL, &f), 0);
}

static void restored(void)
{
    make(24);
    kill_all(restore, 11, after_copy);
    world_end(&base, 25);
}

static void after_rebuild(bool killed)
{
    if (killed && access(out, F_OK) != 0)
        CHECK_INT(rebuild_log(base.dir, NULL), 0);
    same_log(out);
    world_remove(out);
    no_parts();
}

static void rebuilt(void)
{
    make(24);
    kill_all(rebuild_log, 3, after_rebuild);
    world_end(&base, 25);
}

static void after_drill(bool killed)
{
    struct world_found f;
    (void)killed;
    CHECK_INT(drill(base.dir, NULL), 0);
    CHECK_INT(names_with(base.dir, "drill-"), 0);
    CHECK_INT(names_with(base.dir, "drill.json"), 1);
    CHECK_INT(world_parity(&base, NULL, &f), 0);
}

static void drilled(void)
{
    make(24);
    kill_all(drill, 17, after_drill);
    world_end(&base, 25);
}

static void after_replay(bool killed)
{
    struct world_found f;
    if (killed)
        CHECK_INT(replay(base.dir, NULL), 0);
    CHECK_INT(world_parity(&base, NULL, &f), 0);
    CHECK_UINT(f.report.head.size, 25);
}

static void replayed(void)
{
    make(24);
    kill_all(replay_fresh, 7, after_replay);
    world_end(&base, 25);
}

/* A replay of what is missing goes on where it stood; the store is then byte
 * for byte, table by table, what one that was never killed makes. */
static void after_catching_up(bool killed)
{
    struct world_found f;
    (void)killed;
    CHECK_INT(replay(base.dir, NULL), 0);
    CHECK_INT(world_parity(&base, NULL, &f), 0);
    CHECK_INT(drill(base.dir, NULL), 0); /* compares with one made anew */
    world_drop_store(&base);
}

static void caught_up(void)
{
    make(24);
    after_catching_up(false);
    kill_all(replay, 7, after_catching_up);
    CHECK_INT(replay(base.dir, NULL), 0);
    world_end(&base, 25);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"restore", restored},
        {"rebuild --log", rebuilt},
        {"drill", drilled},
        {"replay --fresh", replayed},
        {"replay from nothing", caught_up},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
