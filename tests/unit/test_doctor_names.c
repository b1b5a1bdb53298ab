/*
 * test_doctor_names.c - what the doctor says of names in the directory, in log/
 * and in keys/: which are ours, which a command left that was killed, which
 * nobody knows; of a file, of a folder, and of what is neither.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

static struct world w;
static char said[4][800]; /* what the "directory" has, by what it begins with */
static enum plog_health health;

static const char *const begins[] = {
    "others may read or change: ", "holds what is not ours: ",
    "of a command that was killed, or is under way: ", "mode "};

static int hear(void *arg, const struct plog_checkup *c)
{
    (void)arg;
    if (strcmp(c->name, "directory") != 0)
        return 0;
    health = c->health;
    for (int i = 0; i < 4; i++)
        if (strncmp(c->found, begins[i], strlen(begins[i])) == 0)
            snprintf(said[i], sizeof said[i], "%s",
                     c->found + strlen(begins[i]));
    return 0;
}

static void ask(void)
{
    struct plog_doctor_options o = {
        .struct_size = sizeof o, .quick = true, .checkup = hear};
    struct plog_doctor_report r;
    memset(said, 0, sizeof said);
    CHECK_INT(plog_doctor(w.dir, &o, &r, NULL), 0);
}

static void begin(void)
{
    if (!w.dir[0]) {
        world_make(&w, PLOG_ARRIVAL, 0);
        CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
        world_close(&w);
    }
    ask();
    CHECK_INT(health, PLOG_HEALTH_OK);
}

enum kind { A_FILE, A_FOLDER, A_LINK, A_PIPE };

/* Makes it, asks, and takes it away again. */
static void with(const char *name, enum kind kind, uint32_t mode)
{
    char path[700];
    snprintf(path, sizeof path, "%s", world_path(&w, name));
    if (kind == A_FILE)
        close(open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    if (kind == A_FOLDER)
        CHECK(mkdir(path, 0700) == 0);
    if (kind == A_LINK)
        CHECK(symlink("lock", path) == 0);
    if (kind == A_PIPE)
        CHECK(mkfifo(path, 0600) == 0);
    if (kind != A_LINK)
        CHECK(chmod(path, mode) == 0);
    ask();
    CHECK(remove(path) == 0);
}

/* 0: ours, 1: not, 2: of a command that was killed. */
static void whose(void)
{
    static const struct {
        const char *name;
        enum kind kind;
        int place;
    } all[] = {
        {"archive", A_FOLDER, 0},
        {"snapshots", A_FOLDER, 0},
        {"orders", A_FOLDER, 0},
        {"quarantine", A_FOLDER, 0},
        {"archive", A_FILE, 1},
        {"archive", A_LINK, 1},
        {"orders", A_PIPE, 1},
        {"others", A_FOLDER, 1},
        {"drill-7", A_FOLDER, 2},
        {"drill-7", A_FILE, 1},
        {"salvage", A_FOLDER, 2},
        {"salvage", A_FILE, 1},
        {"drill.json", A_FILE, 0},
        {"drill.json", A_FOLDER, 1},
        {"drill.json", A_LINK, 1},
        {"drill.json.tmp", A_FILE, 2},
        {"drill.json.tmp", A_FOLDER, 1},
        {"drill.json.tmp2", A_FILE, 1},
        {"allow-network-fs", A_FILE, 0},
        {"store.db-journal", A_FILE, 1},
        {"lock2", A_FILE, 1},
        {"log/00000000000000000777.jsonl.new", A_FILE, 2},
        {"log/00000000000000000777.jsonl.new", A_FOLDER, 1},
        {"log/00000000000000000777.jsonl", A_FOLDER, 1},
        {"log/.jsonl.new", A_FILE, 1},
        {"log/notes", A_FILE, 1},
        {"keys/a.vkey", A_FILE, 0},
        {"keys/.vkey", A_FILE, 1},
        {"keys/a.vkey.tmp", A_FILE, 2},
        {"keys/signing.key.new", A_FILE, 0},
        {"keys/signing.key.tmp", A_FILE, 2},
        {"keys/signing.key.new.tmp", A_FILE, 2},
        {"keys/signing.key.tmp", A_FOLDER, 1},
        {"keys/signing.key.old", A_FILE, 1},
    };
    begin();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        with(all[i].name, all[i].kind, all[i].kind == A_FOLDER ? 0700 : 0600);
        bool fits = CHECK_TEXT(said[1], all[i].place == 1 ? all[i].name : "");
        fits &= CHECK_TEXT(said[2], all[i].place == 2 ? all[i].name : "");
        fits &= CHECK_TEXT(said[0], "");
        fits &=
            CHECK_INT(health, all[i].place ? PLOG_HEALTH_WARN : PLOG_HEALTH_OK);
        if (!fits)
            printf("# %s, kind %d\n", all[i].name, (int)all[i].kind);
    }
}

/* Who may do what: nobody but the owner; a verifier key may be read. */
static void loose(void)
{
    static const struct {
        const char *name;
        enum kind kind;
        uint32_t most; /* modes that are taken */
    } all[] = {{"drill.json", A_FILE, 0700},
               {"archive", A_FOLDER, 0700},
               {"keys/a.vkey", A_FILE, 0755},
               {"allow-network-fs", A_FILE, 0777}};
    begin();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (uint32_t bit = 1; bit < 0100; bit <<= 1) {
            with(all[i].name, all[i].kind, 0700 | bit);
            if (!CHECK_TEXT(said[0], bit & ~all[i].most ? all[i].name : ""))
                printf("# %s, %o\n", all[i].name, bit);
        }
    for (uint32_t bit = 1; bit < 0100; bit <<= 1) {
        char want[100];
        snprintf(want, sizeof want,
                 "%04o: others may look into it, expected 0700", 0700 | bit);
        CHECK(chmod(w.dir, 0700 | bit) == 0);
        ask();
        CHECK_TEXT(said[3], want);
        CHECK_INT(health, PLOG_HEALTH_WARN);
    }
    CHECK(chmod(w.dir, 0700) == 0);
    begin();
}

/* So many that only some are named; the others are counted. */
static void many(void)
{
    char name[300], path[800];
    begin();
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "log/%060d", i);
        snprintf(path, sizeof path, "%s", world_path(&w, name));
        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
    ask();
    const char *more = strstr(said[1], ", and ");
    REQUIRE(more != NULL);
    int shown = 0, rest = 0;
    for (const char *at = said[1]; (at = strstr(at, "log/")) != NULL; at++)
        shown++;
    CHECK_INT(sscanf(more, ", and %d more", &rest), 1);
    CHECK_INT(shown + rest, 40);
    CHECK(shown > 1);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "log/%060d", i);
        CHECK(unlink(world_path(&w, name)) == 0);
    }
    snprintf(path, sizeof path, "%.400s/%0250d", w.dir, 7);
    for (int i = 0; i < 2; i++) {
        path[strlen(path) - 1] = (char)('0' + i);
        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
    ask();
    CHECK_TEXT(said[1], "2 with long names");
    for (int i = 0; i < 2; i++) {
        path[strlen(path) - 1] = (char)('0' + i);
        CHECK(unlink(path) == 0);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"whose", whose},
        {"loose", loose},
        {"many", many},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
