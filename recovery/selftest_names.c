/* selftest_names.c - what the log takes for granted of names: new ones are
 * made once, a rename replaces at once, links are seen; see selftest.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "selftest.h"

#define PATIENCE 10 /* seconds for a child's word */

static int create(const struct plog_selftest *t, const char *name)
{
    return t->io->open_at(t->io->ctx, t->dir, name, O_RDWR | O_CREAT | O_EXCL,
                          0600);
}

static void close_it(const struct plog_selftest *t, int fd)
{
    if (fd >= 0)
        t->io->close(t->io->ctx, fd);
}

/* ---- New names ---------------------------------------------------------- */

#define NAMES 200

struct race {
    struct plog_selftest *t;
    unsigned char won[NAMES]; /* by one of the two */
};

static void race_for_names(struct race *r)
{
    char name[24];
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "new-%d", i);
        int fd = create(r->t, name);
        r->won[i] = fd >= 0;
        close_it(r->t, fd);
    }
}

static int race_as_child(void *arg)
{
    struct race *r = arg;
    const struct plog_test_host *h = r->t->host;
    if (h->say(h->ctx, "", 1))
        return 1;
    race_for_names(r);
    return h->say(h->ctx, r->won, sizeof r->won) ? 1 : 0;
}

/* NULL: each name was made once. */
static const char *race(struct plog_selftest *t)
{
    struct race ours = {.t = t}, theirs = {.t = t};
    const struct plog_test_host *h = t->host;
    const char *wrong = NULL;
    char begun;
    if (h->start(h->ctx, race_as_child, &ours))
        return "no second process could be started";
    bool heard = plog_selftest_hear(t, &begun, 1, PATIENCE);
    if (heard)
        race_for_names(&ours);
    heard =
        heard && plog_selftest_hear(t, theirs.won, sizeof theirs.won, PATIENCE);
    h->stop(h->ctx, true);
    if (!heard)
        return "the other process said nothing";
    for (int i = 0; i < NAMES; i++)
        if (ours.won[i] + theirs.won[i] != 1)
            wrong = "a name was made by two processes, or by none";
    return wrong;
}

static void new_names(struct plog_selftest *t)
{
    static const char name[] = "new names";
    const char *wrong = NULL;
    int first = create(t, "new"), second = create(t, "new");
    close_it(t, first);
    close_it(t, second);
    if (first < 0)
        wrong = "a file cannot be made";
    else if (second != -EEXIST)
        wrong = "O_EXCL makes a name that is there";
    else if (t->host)
        wrong = race(t);
    if (wrong)
        plog_selftest_say(t, name, PLOG_TEST_FAIL,
                          "keep logs on a local file system", "%s", wrong);
    else
        plog_selftest_say(t, name, PLOG_TEST_OK, NULL,
                          "O_EXCL makes each once; %d of them raced for by two"
                          " processes",
                          t->host ? NAMES : 0);
}

/* ---- Renames ------------------------------------------------------------ */

#define RENAMES 150
#define FILLED 512 /* bytes, all the same */

struct reads {
    uint32_t done, missing, mixed;
};

static int write_filled(const struct plog_selftest *t, const char *name,
                        char with)
{
    char bytes[FILLED];
    memset(bytes, with, sizeof bytes);
    int fd = create(t, name);
    int rc = fd < 0
                 ? fd
                 : plog_io_write_full(t->io, fd, bytes, sizeof bytes, 0, NULL);
    close_it(t, fd);
    return rc;
}

/* Reads the file that is being replaced, until it is full of Z. */
static int read_on(void *arg)
{
    struct plog_selftest *t = arg;
    struct reads r = {0};
    char bytes[FILLED + 1] = "", last = 'a';
    size_t got;
    if (t->host->say(t->host->ctx, "", 1))
        return 1;
    while (last != 'Z') {
        int fd = t->io->open_at(t->io->ctx, t->dir, "name", O_RDONLY, 0);
        int rc = fd < 0 ? fd
                        : plog_io_pread_full(t->io, fd, bytes, sizeof bytes, 0,
                                             &got);
        close_it(t, fd);
        r.done++;
        r.missing += rc != 0;
        if (rc)
            continue;
        last = bytes[0];
        r.mixed += got != FILLED || memcmp(bytes, bytes + 1, FILLED - 1) != 0;
    }
    return t->host->say(t->host->ctx, &r, sizeof r) ? 1 : 0;
}

static int replace_often(struct plog_selftest *t)
{
    int rc = 0;
    for (int i = 1; !rc && i <= RENAMES; i++) {
        rc = write_filled(t, "next", (char)(i < RENAMES ? 'a' + i % 26 : 'Z'));
        if (!rc)
            rc = t->io->rename_at(t->io->ctx, t->dir, "next", t->dir, "name",
                                  true);
    }
    return rc;
}

static const char *rename_beside_reader(struct plog_selftest *t,
                                        struct reads *r)
{
    const struct plog_test_host *h = t->host;
    char begun;
    if (h->start(h->ctx, read_on, t))
        return "no second process could be started";
    bool heard = plog_selftest_hear(t, &begun, 1, PATIENCE);
    int rc = heard ? replace_often(t) : 0;
    heard = heard && !rc && plog_selftest_hear(t, r, sizeof *r, PATIENCE);
    h->stop(h->ctx, true);
    return rc           ? "a rename over a name that is there fails"
           : !heard     ? "the other process did not see the last rename"
           : r->missing ? "while it was replaced, a name was not there"
           : r->mixed   ? "while it was replaced, a file was not whole"
                        : NULL;
}

/* Without replacing. */
static const char *rename_onto_taken(struct plog_selftest *t)
{
    struct plog_stat st;
    const struct plog_io *io = t->io;
    if (write_filled(t, "taken", 't') || write_filled(t, "mover", 'm'))
        return "a file cannot be made";
    if (io->rename_at(io->ctx, t->dir, "mover", t->dir, "taken", false) !=
        -EEXIST)
        return "a rename that must not replace does so";
    return io->stat_at(io->ctx, t->dir, "mover", &st) ||
                   io->stat_at(io->ctx, t->dir, "taken", &st)
               ? "a rename that was refused has lost a name"
               : NULL;
}

static void renames(struct plog_selftest *t)
{
    static const char name[] = "rename";
    struct reads r = {0};
    const char *wrong = write_filled(t, "name", 'a') ? "a file cannot be made"
                                                     : rename_onto_taken(t);
    if (!wrong && t->host)
        wrong = rename_beside_reader(t, &r);
    if (wrong)
        plog_selftest_say(t, name, PLOG_TEST_FAIL,
                          "keep logs on a local file system", "%s", wrong);
    else if (t->host)
        plog_selftest_say(t, name, PLOG_TEST_OK, NULL,
                          "replaces at once: %d renames, %u reads beside them",
                          RENAMES, r.done);
    else
        plog_selftest_say(t, name, PLOG_TEST_OK, NULL,
                          "refuses a name that is taken");
}

static void directory_sync(struct plog_selftest *t)
{
    int rc = t->io->fsync(t->io->ctx, t->dir);
    if (rc)
        plog_selftest_say(t, "sync of a directory", PLOG_TEST_FAIL,
                          "keep logs on another file system",
                          "refused (error %d): new names would not last", -rc);
    else
        plog_selftest_say(t, "sync of a directory", PLOG_TEST_OK, NULL,
                          "accepted");
}

/* ---- Links -------------------------------------------------------------- */

/* NULL: all right; `hard` out: whether there are hard links here. */
static const char *try_links(struct plog_selftest *t, bool *hard)
{
    const struct plog_io *io = t->io;
    const struct plog_test_host *h = t->host;
    struct plog_stat st;
    int rc = h->link_at(h->ctx, t->dir, "linked", "symbolic", true);
    if (rc && rc != -EPERM && rc != -EOPNOTSUPP)
        return "a symbolic link cannot be made";
    int fd =
        rc ? -ELOOP : io->open_at(io->ctx, t->dir, "symbolic", O_RDONLY, 0);
    close_it(t, fd);
    if (fd != -ELOOP)
        return "O_NOFOLLOW follows a symbolic link";
    rc = h->link_at(h->ctx, t->dir, "linked", "hard", false);
    *hard = rc == 0;
    if (rc)
        return rc == -EPERM || rc == -EOPNOTSUPP ? NULL
                                                 : "a hard link cannot be made";
    if (io->stat_at(io->ctx, t->dir, "linked", &st) || st.links != 2)
        return "a second link is not counted";
    return io->unlink_at(io->ctx, t->dir, "hard") ||
                   io->stat_at(io->ctx, t->dir, "linked", &st) || st.links != 1
               ? "a link that is gone is still counted"
               : NULL;
}

/* The handle and the name are one file; once the name is gone, it shows. */
static const char *try_identity(struct plog_selftest *t, int fd)
{
    const struct plog_io *io = t->io;
    struct plog_stat a, b;
    if (io->stat(io->ctx, fd, &a) ||
        io->stat_at(io->ctx, t->dir, "linked", &b) || a.inode != b.inode ||
        a.device != b.device)
        return "a handle and its name are two files by their numbers";
    return io->unlink_at(io->ctx, t->dir, "linked") ||
                   io->stat(io->ctx, fd, &a) || a.links != 0
               ? "a file that was removed under its handle has a link"
               : NULL;
}

static void links(struct plog_selftest *t)
{
    static const char name[] = "links";
    bool hard = false;
    int fd = create(t, "linked");
    const char *wrong = fd < 0    ? "a file cannot be made"
                        : t->host ? try_links(t, &hard)
                                  : NULL;
    if (!wrong)
        wrong = try_identity(t, fd);
    close_it(t, fd);
    if (wrong)
        plog_selftest_say(t, name, PLOG_TEST_FAIL,
                          "keep logs on a local file system", "%s", wrong);
    else
        plog_selftest_say(t, name, PLOG_TEST_OK, NULL,
                          "%s; a removed file shows",
                          !t->host ? "not made here"
                          : hard   ? "O_NOFOLLOW refuses symbolic ones, hard"
                                     " ones are counted"
                                   : "O_NOFOLLOW refuses symbolic ones; there"
                                     " are no hard ones here");
}

static void modes(struct plog_selftest *t)
{
    struct plog_stat st = {0};
    int fd = create(t, "mode");
    int rc = fd < 0 ? fd : t->io->stat(t->io->ctx, fd, &st);
    close_it(t, fd);
    if (rc || (st.mode & 077) != 0 || st.owner != plog_io_effective_user())
        plog_selftest_say(t, "modes", PLOG_TEST_FAIL,
                          "keep logs on a file system with owners and modes",
                          "a file made for its owner alone has mode %03o and"
                          " owner %u: others could read the signing key",
                          (unsigned)(st.mode & 0777), (unsigned)st.owner);
    else
        plog_selftest_say(t, "modes", PLOG_TEST_OK, NULL,
                          "a file for its owner alone stays so");
}

void plog_selftest_names(struct plog_selftest *t)
{
    new_names(t);
    renames(t);
    directory_sync(t);
    links(t);
    modes(t);
}
