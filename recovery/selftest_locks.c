/*
 * selftest_locks.c - whether locks exclude between two processes, and are free
 * again once their holder was killed; see selftest.h.
 *
 * In each test a child asks for what the parent holds, takes another lock, and
 * says what it was given; the parent asks for that, kills the child, and asks
 * again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "selftest.h"
#include "sql.h"
#include "vfs.h"

#define PATIENCE 10 /* seconds for a child's word */

/* ---- flock and byte locks ----------------------------------------------- */

struct lock_kind {
    const char *name, *ours, *theirs; /* files */
    bool bytes;
};

struct asked {
    int32_t taken, shared, folder, own;
};

struct lock_test {
    struct plog_selftest *t;
    const struct lock_kind *kind;
    int ours, theirs, folder; /* the parent's handles */
    struct asked child;
};

static int take(const struct lock_test *l, int fd, int mode)
{
    const struct plog_io *io = l->t->io;
    return l->kind->bytes ? io->lock_byte(io->ctx, fd, 0, mode)
                          : io->lock(io->ctx, fd, mode);
}

static int open_here(const struct plog_selftest *t, const char *name)
{
    return t->io->open_at(t->io->ctx, t->dir, name, O_RDWR | O_CREAT, 0600);
}

static int open_folder(const struct plog_selftest *t)
{
    return t->io->open_at(t->io->ctx, t->dir, ".", O_RDONLY | O_DIRECTORY, 0);
}

/* The child: over handles of its own, for those it inherited are one with the
 * parent's. */
static int ask_and_hold(void *arg)
{
    struct lock_test *l = arg;
    const struct plog_test_host *h = l->t->host;
    struct asked a = {0};
    int ours = open_here(l->t, l->kind->ours);
    int theirs = open_here(l->t, l->kind->theirs);
    int folder = open_folder(l->t);
    a.taken = take(l, ours, 2);
    a.shared = l->kind->bytes ? -EAGAIN : take(l, ours, 1);
    a.folder =
        l->kind->bytes ? -EAGAIN : l->t->io->lock(l->t->io->ctx, folder, 2);
    a.own = take(l, theirs, 2);
    if (h->say(h->ctx, &a, sizeof a))
        return 1;
    plog_selftest_wait_for_kill(l->t->io);
}

/* What the child was given; NULL when all of it is right. */
static const char *judge_child(const struct lock_test *l)
{
    const struct asked *a = &l->child;
    if (a->taken == 0)
        return "another process was given a lock that is held";
    if (a->shared == 0)
        return "another process was given a shared lock on what is held"
               " exclusively";
    if (a->folder == 0)
        return "another process was given the lock of a folder that is held";
    if (a->taken != -EAGAIN || a->shared != -EAGAIN || a->folder != -EAGAIN)
        return "asking for a lock that is held fails in another way";
    return a->own ? "another process was refused a lock that is free" : NULL;
}

/* The parent's side while the child lives; NULL: all right. */
static const char *judge_parent(const struct lock_test *l)
{
    const struct plog_io *io = l->t->io;
    if (take(l, l->theirs, 2) != -EAGAIN)
        return "a lock was given that another process holds";
    if (l->kind->bytes && io->lock_byte(io->ctx, l->theirs, 7, 2))
        return "a lock of one byte keeps others out of another byte";
    int second = open_here(l->t, l->kind->ours);
    int rc = second < 0 ? second : take(l, second, 2);
    if (second >= 0)
        io->close(io->ctx, second);
    return rc == -EAGAIN ? NULL
                         : "a second handle of a file was given its lock";
}

/* Whether the lock is there once its holder is gone; how long that took. */
static bool freed(const struct lock_test *l, double *seconds)
{
    const struct plog_io *io = l->t->io;
    double began = plog_selftest_clock(l->t);
    do {
        if (take(l, l->theirs, 2) == 0) {
            *seconds = plog_selftest_clock(l->t) - began;
            return true;
        }
        io->sleep_ns(io->ctx, 1000000);
    } while (plog_selftest_clock(l->t) - began < 2);
    return false;
}

static bool hold_ours(struct lock_test *l)
{
    l->ours = open_here(l->t, l->kind->ours);
    l->theirs = open_here(l->t, l->kind->theirs);
    l->folder = open_folder(l->t);
    return l->ours >= 0 && l->theirs >= 0 && l->folder >= 0 &&
           take(l, l->ours, 2) == 0 &&
           (l->kind->bytes || l->t->io->lock(l->t->io->ctx, l->folder, 2) == 0);
}

static void test_lock(struct plog_selftest *t, const struct lock_kind *kind)
{
    struct lock_test l = {.t = t, .kind = kind};
    const struct plog_test_host *h = t->host;
    const char *wrong = NULL;
    double seconds = 0;
    if (!hold_ours(&l))
        wrong = "a lock that is free was refused";
    else if (h->start(h->ctx, ask_and_hold, &l))
        wrong = "no second process could be started";
    else {
        if (!plog_selftest_hear(t, &l.child, sizeof l.child, PATIENCE))
            wrong = "the other process said nothing";
        if (!wrong)
            wrong = judge_child(&l);
        if (!wrong)
            wrong = judge_parent(&l);
        h->stop(h->ctx, true);
        if (!wrong && !freed(&l, &seconds))
            wrong = "a lock is still held 2 s after its holder was killed";
    }
    const int handles[] = {l.ours, l.theirs, l.folder};
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++)
        if (handles[i] >= 0)
            t->io->close(t->io->ctx, handles[i]);
    if (wrong) {
        plog_selftest_say(t, kind->name, PLOG_TEST_FAIL,
                          "keep logs on a file system with locks that hold",
                          "%s", wrong);
        return;
    }
    plog_selftest_figure(t, "freed_us", seconds * 1e6);
    plog_selftest_say(t, kind->name, PLOG_TEST_OK, NULL,
                      "exclude between processes and handles; free %.0f us"
                      " after kill -9",
                      seconds * 1e6);
}

/* ---- SQLite's locks and shared memory ----------------------------------- */

#define ROWS 30

struct sql_test {
    struct plog_selftest *t;
    struct plog_vfs *vfs;
    char path[PLOG_SELFTEST_PATH + 80];
};

static int open_db(struct sql_test *s, sqlite3 **db)
{
    int rc =
        sqlite3_open_v2(s->path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        plog_vfs_name(s->vfs));
    return rc ? rc
              : sqlite3_exec(*db, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
}

static int run_sql(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* The rows that this connection sees; -1: it cannot say. */
static int count_rows(sqlite3 *db)
{
    sqlite3_stmt *q = NULL;
    int n = -1;
    if (sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &q, NULL) == 0 &&
        sqlite3_step(q) == SQLITE_ROW)
        n = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    return n;
}

/* A child in the middle of a transaction. */
static int write_and_hold(void *arg)
{
    struct sql_test *s = arg;
    const struct plog_test_host *h = s->t->host;
    sqlite3 *db = NULL;
    int32_t rc = open_db(s, &db);
    if (!rc)
        rc = run_sql(db, "BEGIN IMMEDIATE; INSERT INTO t VALUES(2)");
    if (h->say(h->ctx, &rc, sizeof rc))
        return 1;
    plog_selftest_wait_for_kill(s->t->io);
}

/* A child that commits one row after the other. */
static int write_rows(void *arg)
{
    struct sql_test *s = arg;
    const struct plog_test_host *h = s->t->host;
    sqlite3 *db = NULL;
    int32_t rc = open_db(s, &db);
    int32_t word = 0;
    do {
        rc = rc ? rc : run_sql(db, "INSERT INTO t VALUES(3)");
        word = rc ? -rc : word + 1;
        if (h->say(h->ctx, &word, sizeof word))
            return 1;
    } while (word > 0 && word < ROWS);
    plog_selftest_wait_for_kill(s->t->io);
}

/* While the first child holds the writer's lock; NULL: all right. */
static const char *beside_a_writer(struct sql_test *s, sqlite3 **db)
{
    int32_t word = 0;
    if (!plog_selftest_hear(s->t, &word, sizeof word, PATIENCE))
        return "the other process said nothing";
    if (word || open_db(s, db))
        return "a second process cannot open the database";
    if (count_rows(*db) != 1)
        return "a row is seen that was not committed, or none";
    int rc = run_sql(*db, "BEGIN IMMEDIATE");
    return rc == SQLITE_BUSY
               ? NULL
               : "two processes were let into a transaction that writes";
}

/* Once it was killed. */
static const char *after_a_writer(sqlite3 *db)
{
    if (run_sql(db, "BEGIN IMMEDIATE"))
        return "the writer's lock is held after its holder was killed";
    if (count_rows(db) != 1)
        return "a row of a killed transaction is there";
    return run_sql(db, "INSERT INTO t VALUES(4); COMMIT")
               ? "writing after that fails"
               : NULL;
}

/* What the second child commits is seen at once by one that is open. */
static const char *see_rows(struct sql_test *s, sqlite3 **db)
{
    int32_t word = 0;
    while (word < ROWS) {
        if (!plog_selftest_hear(s->t, &word, sizeof word, PATIENCE))
            return "the other process said nothing";
        if (word < 0 || (!*db && open_db(s, db)))
            return "writing beside a reader fails";
        int seen = count_rows(*db);
        if (seen < word + 2)
            return "what another process committed is not seen";
    }
    return NULL;
}

static const char *first_child(struct sql_test *s)
{
    const struct plog_test_host *h = s->t->host;
    sqlite3 *db = NULL;
    if (h->start(h->ctx, write_and_hold, s))
        return "no second process could be started";
    const char *wrong = beside_a_writer(s, &db);
    h->stop(h->ctx, true);
    if (!wrong)
        wrong = after_a_writer(db);
    sqlite3_close(db);
    return wrong;
}

static const char *second_child(struct sql_test *s)
{
    const struct plog_test_host *h = s->t->host;
    sqlite3 *db = NULL;
    if (h->start(h->ctx, write_rows, s))
        return "no second process could be started";
    const char *wrong = see_rows(s, &db);
    h->stop(h->ctx, true);
    if (!wrong && count_rows(db) != ROWS + 2)
        wrong = "rows that were committed are gone after a kill";
    sqlite3_close(db);
    return wrong;
}

/* No connection is open when a child is made: SQLite's locks belong to the
 * process, and a copy would take those of its parent for its own. */
static const char *try_sql(struct sql_test *s)
{
    sqlite3 *db = NULL;
    int rc = open_db(s, &db);
    if (!rc)
        rc = run_sql(db, "PRAGMA journal_mode=WAL; CREATE TABLE t(x);"
                         "INSERT INTO t VALUES(1)");
    sqlite3_close(db);
    if (rc)
        return "a database in WAL mode cannot be made";
    const char *wrong = first_child(s);
    return wrong ? wrong : second_child(s);
}

static void test_sql(struct plog_selftest *t)
{
    static const char name[] = "SQLite's locks";
    struct sql_test s = {.t = t};
    snprintf(s.path, sizeof s.path, "%s/locks.db", t->path);
    int rc = plog_vfs_open(&s.vfs, t->io);
    const char *wrong = rc ? "SQLite has no file layer" : try_sql(&s);
    plog_vfs_close(s.vfs);
    if (wrong)
        plog_selftest_say(t, name, PLOG_TEST_FAIL,
                          "keep logs on a local file system", "%s", wrong);
    else
        plog_selftest_say(t, name, PLOG_TEST_OK, NULL,
                          "one writer at a time, free after kill -9; what one"
                          " process commits the other sees (%d rows)",
                          ROWS);
}

void plog_selftest_locks(struct plog_selftest *t)
{
    static const struct lock_kind kinds[] = {
        {"flock", "flock.1", "flock.2", false},
        {"byte locks", "bytes.1", "bytes.2", true}};
    if (!t->host) {
        plog_selftest_say(t, "locks", PLOG_TEST_SKIP, NULL,
                          "no second process can be made");
        return;
    }
    for (size_t i = 0; i < 2; i++)
        test_lock(t, &kinds[i]);
    test_sql(t);
}
