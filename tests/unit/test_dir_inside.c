/*
 * test_dir_inside.c - which new paths lie in the directory of a log: all of the
 * own one, and of any other what it has there.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

static struct world own, other;
static char base[400];

static void make(void)
{
    static int next;
    snprintf(base, sizeof base, "%.300s/i%d", check_dir(), next++);
    CHECK_INT(mkdir(base, 0700), 0);
    world_make(&own, PLOG_ARRIVAL, 0);
    world_close(&own);
    world_make(&other, PLOG_ARRIVAL, 0);
    world_close(&other);
}

static int ask(const char *dir, const char *in, const char *name)
{
    char path[1200];
    struct plog_error err = {.code = 1};
    snprintf(path, sizeof path, "%s/%s", in, name);
    int rc = plog_path_outside(NULL, dir, path, &err);
    CHECK_INT(err.code, rc);
    CHECK(!rc || strstr(err.hint, "outside") != NULL);
    return rc;
}

static void all_of_the_own(void)
{
    static const char *const all[] = {"x",  "store.db", "log/x", "log/x/y/../z",
                                      "a.", "..."};
    make();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bool there = strstr(all[i], "..") == NULL || all[i][0] == '.';
        CHECK_INT(ask(own.dir, own.dir, all[i]), there ? PLOG_E_INPUT : 0);
    }
    CHECK_INT(ask(NULL, own.dir, "x"), 0);
    CHECK_INT(ask(own.dir, base, "x"), 0);
    char beside[600];
    snprintf(beside, sizeof beside, "%s-beside", own.dir);
    CHECK_INT(mkdir(beside, 0700), 0);
    CHECK_INT(ask(own.dir, beside, "x"), 0);
}

static void what_others_have(void)
{
    static const char *const ours[] = {"log",       "keys/x",    "archive",
                                       "orders",    "lock",      "snapshots/",
                                       "queue",     "store.db",  "store.db-shm",
                                       "log/x/y/z", "drill.json"};
    static const char *const free_ones[] = {"x", "logs", "x/log", "store.db.x"};
    char name[700];
    make();
    CHECK_INT(mkdir(world_path(&other, "log/x"), 0700), 0);
    CHECK_INT(mkdir(world_path(&other, "log/x/y"), 0700), 0);
    CHECK_INT(mkdir(world_path(&other, "x"), 0700), 0);
    for (int i = 0; i < 2; i++) {
        const char *dir = i ? own.dir : NULL;
        for (size_t k = 0; k < sizeof ours / sizeof *ours; k++)
            if (!CHECK_INT(ask(dir, other.dir, ours[k]), PLOG_E_INPUT))
                printf("# %s\n", ours[k]);
        for (size_t k = 0; k < sizeof free_ones / sizeof *free_ones; k++)
            CHECK_INT(ask(dir, other.dir, free_ones[k]), 0);
    }
    /* By a link to its folder, and as a link. */
    snprintf(name, sizeof name, "%s/folder", base);
    CHECK_INT(symlink(world_path(&other, "log"), name), 0);
    CHECK_INT(ask(own.dir, base, "folder/x"), PLOG_E_INPUT);
    snprintf(name, sizeof name, "%s/file", base);
    CHECK_INT(symlink(world_path(&other, "lock"), name), 0);
    CHECK_INT(ask(own.dir, base, "file"), PLOG_E_INPUT);
    snprintf(name, sizeof name, "%s/out", own.dir);
    CHECK_INT(symlink(base, name), 0); /* it lies here, wherever it leads */
    CHECK_INT(ask(own.dir, own.dir, "out"), PLOG_E_INPUT);
}

static void no_log(void)
{
    static const char *const made[] = {"log", "keys"};
    struct plog_error err;
    char name[700];
    make();
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s/%s", base, made[i]);
        CHECK_INT(mkdir(name, 0700), 0);
    }
    CHECK_INT(ask(own.dir, base, "log/x"), 0); /* no lock there */
    snprintf(name, sizeof name, "%s/lock", base);
    CHECK_INT(mkdir(name, 0700), 0);
    CHECK_INT(ask(own.dir, base, "log/x"), 0);    /* nor is that one */
    CHECK_INT(ask("/", base, "x"), PLOG_E_INPUT); /* all lies in that one */
    CHECK_INT(ask(own.dir, base, "none/x"), 0);
    CHECK_INT(plog_path_outside(NULL, own.dir, NULL, &err), PLOG_E_ARG);
    CHECK_INT(plog_path_outside(NULL, NULL, "", NULL), PLOG_E_ARG);
    CHECK_INT(plog_path_outside(NULL, "/none", "/", NULL), 0);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"all of the own", all_of_the_own},
        {"what others have", what_others_have},
        {"no log", no_log},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
