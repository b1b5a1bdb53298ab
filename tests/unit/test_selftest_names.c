/*
 * test_selftest_names.c - what selftest finds of names, renames, links and
 * modes, where one of them is not as it should be: the very words, by tables
 * and second processes that do one thing wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "selftesting.h"

static struct selftesting s;

#define LOCAL "keep logs on a local file system"
#define WORD(x)                                                                \
    {                                                                          \
        &(x), sizeof(x), 0                                                     \
    }
#define GONE                                                                   \
    {                                                                          \
        NULL, 0, 0                                                             \
    }

static const struct selftesting_word none[] = {GONE};

static const struct plog_io *real(void)
{
    return plog_io_posix();
}

static void finds(const char *name, const char *found)
{
    selftesting_run(&s, plog_selftest_names);
    selftesting_check(&s, name, found ? PLOG_TEST_FAIL : PLOG_TEST_OK, found,
                      found ? LOCAL : "");
    CHECK_UINT(s.count, 5);
    selftesting_end(&s);
}

/* ---- As it should be ----------------------------------------------------- */

static void alone(void)
{
    selftesting_begin(&s, 1);
    selftesting_run(&s, plog_selftest_names);
    selftesting_check(&s, "new names", PLOG_TEST_OK,
                      "O_EXCL makes each once; 0 of them raced for by two"
                      " processes",
                      "");
    selftesting_check(&s, "rename", PLOG_TEST_OK,
                      "refuses a name that is taken", "");
    selftesting_check(&s, "sync of a directory", PLOG_TEST_OK, "accepted", "");
    selftesting_check(&s, "links", PLOG_TEST_OK,
                      "not made here; a removed file shows", "");
    selftesting_check(&s, "modes", PLOG_TEST_OK,
                      "a file for its owner alone stays so", "");
    selftesting_end(&s);
}

static void by_two(void)
{
    selftesting_begin(&s, 1);
    selftesting_fork(&s);
    selftesting_run(&s, plog_selftest_names);
    selftesting_check(&s, "new names", PLOG_TEST_OK,
                      "O_EXCL makes each once; 200 of them raced for by two"
                      " processes",
                      "");
    const struct selftesting_told *r = selftesting_the(&s, "rename");
    CHECK_INT(r->result, PLOG_TEST_OK);
    CHECK(strncmp(r->found, "replaces at once: 150 renames, ", 31) == 0);
    CHECK(r->found[31] > '0' && r->found[31] <= '9'); /* reads */
    selftesting_check(&s, "links", PLOG_TEST_OK,
                      "O_NOFOLLOW refuses symbolic ones, hard ones are"
                      " counted; a removed file shows",
                      "");
    CHECK_INT(s.starts, 2);
    CHECK_INT(s.stops, 2);
    selftesting_end(&s);
}

static int say_nothing(void *ctx, const void *p, size_t n)
{
    (void)ctx, (void)p, (void)n;
    return -EPIPE;
}

/* Children that cannot say a word end by themselves. */
static void mute_children(void)
{
    selftesting_begin(&s, 1);
    selftesting_fork(&s);
    s.host.say = say_nothing;
    selftesting_run(&s, plog_selftest_names);
    selftesting_check(&s, "new names", PLOG_TEST_FAIL,
                      "the other process said nothing", LOCAL);
    selftesting_check(&s, "rename", PLOG_TEST_FAIL,
                      "the other process did not see the last rename", LOCAL);
    CHECK_INT(s.starts, 2);
    CHECK_INT(s.stops, 2);
    selftesting_end(&s);
}

static bool is_short; /* what the child reads; else bytes of two files */

static int64_t mixed_pread(void *ctx, int fd, void *buf, size_t n, uint64_t at)
{
    int64_t got = real()->pread(ctx, fd, buf, n, at);
    if (!selftesting_is_child || got < 1)
        return got;
    if (is_short)
        return at ? 0 : got - 1;
    ((char *)buf)[got - 1] = '-';
    return got;
}

static int sync_nothing(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return 0;
}

static void not_whole(void)
{
    for (int i = 0; i < 2; i++) {
        selftesting_begin(&s, 1);
        selftesting_fork(&s);
        s.io.pread = mixed_pread;
        s.io.fsync = s.io.fdatasync = sync_nothing;
        is_short = i;
        selftesting_run(&s, plog_selftest_names);
        selftesting_check(&s, "rename", PLOG_TEST_FAIL,
                          "while it was replaced, a file was not whole", LOCAL);
        selftesting_end(&s);
    }
}

/* ---- New names ----------------------------------------------------------- */

static const char *lied_about;
static int lie;
static unsigned lies, lie_at; /* at the n-th; 0: each */

/* Whether this is the call that is to go wrong. */
static bool now_is_it(const char *name)
{
    return strcmp(name, lied_about) == 0 && (++lies == lie_at || lie_at == 0);
}

static void begin(const struct selftesting_word *words, const char *about,
                  int what, unsigned at)
{
    selftesting_begin(&s, 1);
    selftesting_script(&s, words);
    lied_about = about;
    lie = what;
    lie_at = at;
    lies = 0;
}

static int on_open(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    if (!now_is_it(name))
        return real()->open_at(ctx, dir, name, flags, mode);
    return lie ? lie : real()->open_at(ctx, dir, name, flags & ~O_EXCL, mode);
}

static void open_lies(const char *about, int what, unsigned at)
{
    begin(none, about, what, at);
    s.io.open_at = on_open;
}

static void new_names(void)
{
    open_lies("new", -EACCES, 1);
    finds("new names", "a file cannot be made");
    open_lies("new", 0, 2);
    finds("new names", "O_EXCL makes a name that is there");
    open_lies("new", -EACCES, 2);
    finds("new names", "O_EXCL makes a name that is there");
    begin(none, "", 0, 1);
    s.start_rc = -EAGAIN;
    finds("new names", "no second process could be started");
    begin(none, "", 0, 1);
    finds("new names", "the other process said nothing");
}

static unsigned words_heard;

/* Nothing when it begins; and then it says that it made each name. */
static int64_t hear_late(void *ctx, void *p, size_t n, int timeout_ms)
{
    (void)ctx, (void)timeout_ms;
    if (words_heard++ == 0)
        return -EIO;
    memset(p, 1, n);
    return (int64_t)n;
}

/* We make all of them here; the other one says which it made. */
static void raced_for(void)
{
    static unsigned char won[200];
    const struct selftesting_word half[] = {{"", 1, 0}, GONE},
                                  two[] = {{"", 1, 0}, WORD(won), GONE};
    static const char wrong[] = "a name was made by two processes, or by none";
    begin(half, "", 0, 1);
    finds("new names", "the other process said nothing");
    begin(none, "", 0, 1);
    s.host.hear = hear_late;
    words_heard = 0;
    finds("new names", "the other process said nothing");
    memset(won, 0, sizeof won);
    begin(two, "", 0, 1);
    finds("new names", NULL);
    CHECK_INT(s.starts, 2); /* the other one is of the renames */
    CHECK_INT(s.stops, 2);
    won[199] = 1;
    begin(two, "", 0, 1);
    finds("new names", wrong);
    won[199] = 0;
    won[0] = 1;
    begin(two, "", 0, 1);
    finds("new names", wrong);
    won[0] = 0;
    begin(two, "new-100", -EIO, 1); /* nobody made it */
    s.io.open_at = on_open;
    finds("new names", wrong);
}

/* ---- Renames ------------------------------------------------------------- */

static unsigned renames, refuse_rename, skip_rename;
static const char *lose; /* a name that a refused rename takes away */

static int on_rename(void *ctx, int from_dir, const char *from, int to_dir,
                     const char *to, bool replace)
{
    if (++renames == refuse_rename)
        return -EIO;
    if (renames == skip_rename)
        return 0;
    if (lose && !replace) {
        unlinkat(to_dir, lose, 0);
        return -EEXIST;
    }
    return real()->rename_at(ctx, from_dir, from, to_dir, to, replace);
}

static void rename_lies(const struct selftesting_word *words, unsigned refuse,
                        unsigned skip, const char *lost)
{
    begin(words, "", 0, 1);
    s.io.rename_at = on_rename;
    renames = 0;
    refuse_rename = refuse;
    skip_rename = skip;
    lose = lost;
}

static void onto_taken(void)
{
    static const char *const made[] = {"name", "taken", "mover"};
    for (int i = 0; i < 3; i++) {
        open_lies(made[i], -EROFS, 1);
        finds("rename", "a file cannot be made");
    }
    rename_lies(none, 1, 0, NULL);
    finds("rename", "a rename that must not replace does so");
    rename_lies(none, 0, 1, NULL);
    finds("rename", "a rename that must not replace does so");
    rename_lies(none, 0, 0, "mover");
    finds("rename", "a rename that was refused has lost a name");
    rename_lies(none, 0, 0, "taken");
    finds("rename", "a rename that was refused has lost a name");
}

struct reads {
    uint32_t done, missing, mixed;
};

/* What the other one has read meanwhile. */
static void beside_reader(void)
{
    static const struct reads all = {99, 0, 0}, missing = {99, 1, 0},
                              mixed = {99, 0, 1};
    static unsigned char won[200];
    const struct selftesting_word
        begun[] = {{"", 1, 0}, WORD(won), {"", 1, 0}, GONE},
        silent[] = {{"", 1, 0}, WORD(won), GONE},
        late[] = {{"", 1, 0}, WORD(won), {NULL, 0, -EIO}, WORD(all), GONE};
    const struct reads *reads[] = {&all, &missing, &mixed};
    static const char *const found[] = {
        NULL, "while it was replaced, a name was not there",
        "while it was replaced, a file was not whole"};
    for (int i = 0; i < 3; i++) {
        const struct selftesting_word words[] = {
            {"", 1, 0}, WORD(won), {"", 1, 0}, WORD(*reads[i]), GONE};
        rename_lies(words, 0, 0, NULL);
        finds("rename", found[i]);
        CHECK_UINT(renames, 1 + 150);
        CHECK_INT(s.stops, 2);
        if (i == 0)
            CHECK_TEXT(selftesting_the(&s, "rename")->found,
                       "replaces at once: 150 renames, 99 reads beside them");
    }
    rename_lies(begun, 0, 0, NULL);
    finds("rename", "the other process did not see the last rename");
    rename_lies(silent, 0, 0, NULL);
    finds("rename", "the other process did not see the last rename");
    CHECK_UINT(renames, 1);        /* none beside nobody */
    rename_lies(late, 0, 0, NULL); /* it was not heard when it began */
    finds("rename", "the other process did not see the last rename");
    CHECK_UINT(renames, 1);
    rename_lies(begun, 77, 0, NULL);
    finds("rename", "a rename over a name that is there fails");
    CHECK_UINT(renames, 77); /* and no more after that */
    begin(begun, "next", -EROFS, 3);
    s.io.open_at = on_open;
    finds("rename", "a rename over a name that is there fails");
    begin(none, "", 0, 1);
    s.start_rc = -EAGAIN;
    finds("rename", "no second process could be started");
}

/* ---- The directory's sync, modes ----------------------------------------- */

static int no_sync(void *ctx, int fd)
{
    (void)ctx;
    CHECK_INT(fd, s.t.dir);
    return -EINVAL;
}

static struct plog_stat change; /* of the second file's */
static int stat_rc;

static int on_stat(void *ctx, int fd, struct plog_stat *out)
{
    int rc = real()->stat(ctx, fd, out);
    if (now_is_it("")) {
        out->mode ^= change.mode;
        out->owner += change.owner;
        out->inode += change.inode;
        out->device += change.device;
        out->links += change.links;
        return stat_rc ? stat_rc : rc;
    }
    return rc;
}

static void stat_lies(unsigned at, struct plog_stat by, int rc)
{
    begin(none, "", 0, at);
    s.io.stat = on_stat;
    change = by;
    stat_rc = rc;
}

static void modes(void)
{
    static const struct {
        struct plog_stat by;
        int rc;
        const char *mode; /* NULL: all right */
        unsigned owner;
    } all[] = {{{.mode = 0100}, 0, NULL, 0},
               {{.mode = 0040}, 0, "640", 0},
               {{.mode = 0001}, 0, "601", 0},
               {{.owner = 7}, 0, "600", 7},
               {{.mode = 0}, -EIO, "600", 0}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char want[200];
        snprintf(want, sizeof want,
                 "a file made for its owner alone has mode %s and owner %u:"
                 " others could read the signing key",
                 all[i].mode ? all[i].mode : "", geteuid() + all[i].owner);
        /* the first two are of the links */
        stat_lies(3, all[i].by, all[i].rc);
        selftesting_run(&s, plog_selftest_names);
        selftesting_check(&s, "links", PLOG_TEST_OK, NULL, "");
        if (all[i].mode)
            selftesting_check(&s, "modes", PLOG_TEST_FAIL, want,
                              "keep logs on a file system with owners and"
                              " modes");
        else
            selftesting_check(&s, "modes", PLOG_TEST_OK, NULL, "");
        selftesting_end(&s);
    }
    open_lies("mode", -EROFS, 1);
    selftesting_run(&s, plog_selftest_names);
    selftesting_check(&s, "modes", PLOG_TEST_FAIL, NULL, NULL);
    selftesting_end(&s);
}

static void directory(void)
{
    selftesting_begin(&s, 1);
    s.io.fsync = no_sync;
    selftesting_run(&s, plog_selftest_names);
    selftesting_check(&s, "sync of a directory", PLOG_TEST_FAIL,
                      "refused (error 22): new names would not last",
                      "keep logs on another file system");
    selftesting_end(&s);
}

/* ---- Links --------------------------------------------------------------- */

static int link_rc[2]; /* hard, symbolic; 1: it is made */

static int on_link(void *ctx, int dir, const char *to, const char *name,
                   bool symbolic)
{
    (void)ctx;
    if (link_rc[symbolic] != 1)
        return link_rc[symbolic];
    int rc =
        symbolic ? symlinkat(to, dir, name) : linkat(dir, to, dir, name, 0);
    return rc ? -errno : 0;
}

static void links_of(int hard, int symbolic, const char *found)
{
    begin(none, "", 0, 1);
    s.host.link_at = on_link;
    link_rc[0] = hard;
    link_rc[1] = symbolic;
    finds("links", found);
}

static void refused_links(void)
{
    static const char not_hard[] = "O_NOFOLLOW refuses symbolic ones; there are"
                                   " no hard ones here; a removed file shows";
    links_of(1, 1, NULL);
    links_of(1, -EIO, "a symbolic link cannot be made");
    links_of(1, -EPERM, NULL);
    links_of(1, -EOPNOTSUPP, NULL);
    links_of(-EIO, 1, "a hard link cannot be made");
    links_of(-EPERM, 1, NULL);
    CHECK_TEXT(selftesting_the(&s, "links")->found, not_hard);
    links_of(-EOPNOTSUPP, 1, NULL);
    CHECK_TEXT(selftesting_the(&s, "links")->found, not_hard);
    links_of(0, 1, "a second link is not counted");
}

static int open_follows(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    if (strcmp(name, "symbolic") == 0)
        return openat(dir, "linked", O_RDONLY | O_CLOEXEC);
    return real()->open_at(ctx, dir, name, flags, mode);
}

static int on_stat_at(void *ctx, int dir, const char *name,
                      struct plog_stat *out)
{
    int rc = real()->stat_at(ctx, dir, name, out);
    if (now_is_it(name))
        out->links += lie > 0 ? (unsigned)lie : 0;
    return lie < 0 && lies == lie_at ? lie : rc;
}

static int on_unlink(void *ctx, int dir, const char *name)
{
    return now_is_it(name) ? lie : real()->unlink_at(ctx, dir, name);
}

/* It is gone, and said not to be. */
static int unlink_says(void *ctx, int dir, const char *name)
{
    int rc = real()->unlink_at(ctx, dir, name);
    return now_is_it(name) ? lie : rc;
}

static void wrong_links(void)
{
    static const char uncounted[] = "a second link is not counted",
                      counted[] = "a link that is gone is still counted",
                      two[] = "a handle and its name are two files by their"
                              " numbers",
                      has[] = "a file that was removed under its handle has a"
                              " link";
    begin(none, "", 0, 1);
    s.io.open_at = open_follows;
    finds("links", "O_NOFOLLOW follows a symbolic link");
    const char *const after[] = {uncounted, counted, two};
    for (unsigned at = 1; at <= 3; at++) {
        begin(none, "linked", -EIO, at);
        s.io.stat_at = on_stat_at;
        finds("links", after[at - 1]);
    }
    for (unsigned at = 1; at <= 2; at++) {
        begin(none, "linked", 1, at);
        s.io.stat_at = on_stat_at;
        finds("links", after[at - 1]);
    }
    begin(none, "hard", -EIO, 1);
    s.io.unlink_at = on_unlink;
    finds("links", counted);
    begin(none, "linked", -EIO, 1);
    s.io.unlink_at = on_unlink;
    finds("links", has);
    stat_lies(1, (struct plog_stat){.inode = 1}, 0);
    finds("links", two);
    stat_lies(1, (struct plog_stat){.device = 1}, 0);
    finds("links", two);
    stat_lies(1, (struct plog_stat){.mode = 0}, -EIO);
    finds("links", two);
    stat_lies(2, (struct plog_stat){.links = 1}, 0);
    finds("links", has);
    stat_lies(2, (struct plog_stat){.mode = 0}, -EIO);
    finds("links", has);
    open_lies("linked", -EROFS, 1);
    finds("links", "a file cannot be made");
}

/* A removal that fails counts, also where the link is gone. */
static void refused_removal(void)
{
    begin(none, "hard", -EIO, 1);
    s.io.unlink_at = unlink_says;
    finds("links", "a link that is gone is still counted");
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"alone", alone},
        {"by two", by_two},
        {"mute children", mute_children},
        {"not whole", not_whole},
        {"new names", new_names},
        {"raced for", raced_for},
        {"onto taken", onto_taken},
        {"beside a reader", beside_reader},
        {"modes", modes},
        {"directory", directory},
        {"refused links", refused_links},
        {"wrong links", wrong_links},
        {"refused removal", refused_removal},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
