/*
 * test_meanwhile.c - another process is killed while a call waits for the
 * lock, or has given it back to read on: the call mends what that left, or
 * goes by what was there when it looked.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "killing.h"
#include "peers.h"
#include "world.h"

/* ---- The other process -------------------------------------------------- */

/* Made before the caller has opened anything, because SQLite's handles must
 * not cross a fork; it waits until it is told to go. */
static struct {
    pid_t pid;
    int go;   /* ours: a byte lets it go on */
    int wait; /* its own: where that byte comes */
} other;

typedef int action(void *arg, const struct plog_io *io);

/* `kill_at` 0: it is not killed. */
static void other_start(action *act, void *arg, long kill_at)
{
    int ends[2];
    char byte;
    REQUIRE(pipe(ends) == 0);
    fflush(stdout);
    other.pid = fork();
    REQUIRE(other.pid >= 0);
    if (other.pid == 0) {
        close(ends[1]);
        other.wait = ends[0];
        if (read(ends[0], &byte, 1) != 1)
            _exit(0);
        _exit(act(arg, kill_at ? killing_io(kill_at) : plog_io_posix()) != 0);
    }
    close(ends[0]);
    other.go = ends[1];
}

/* Returns whether it was killed; else it must have done its work. */
static bool other_end(bool go)
{
    int status = 0;
    if (go)
        CHECK_INT(write(other.go, "g", 1), 1);
    close(other.go);
    CHECK_INT(waitpid(other.pid, &status, 0), other.pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) != 1);
    return WIFEXITED(status) && WEXITSTATUS(status) != 0;
}

/* ---- The moment --------------------------------------------------------- */

static void (*act_now)(void); /* NULL: it has come */
static int act_mode;          /* at which kind of locking */

/* At the unlocking, or before a shared locking. */
static int lock_late(void *ctx, int fd, int mode)
{
    void (*act)(void) = mode == act_mode ? act_now : NULL;
    int rc = mode == 0 ? plog_io_posix()->lock(ctx, fd, mode) : 0;
    if (act) {
        act_now = NULL;
        act();
    }
    return mode == 0 ? rc : plog_io_posix()->lock(ctx, fd, mode);
}

/* Who wants to write queues at a byte first. */
static int queue_late(void *ctx, int fd, uint64_t byte, int mode)
{
    void (*act)(void) = mode == act_mode ? act_now : NULL;
    if (act) {
        act_now = NULL;
        act();
    }
    return plog_io_posix()->lock_byte(ctx, fd, byte, mode);
}

static const struct plog_io *late_io(int mode, void (*act)(void))
{
    static struct plog_io io;
    io = *plog_io_posix();
    if (mode == 2)
        io.lock_byte = queue_late;
    else
        io.lock = lock_late;
    act_mode = mode;
    act_now = act;
    return &io;
}

static bool was_killed;

static void let_go(void)
{
    was_killed = other_end(true);
}

/* ---- init --------------------------------------------------------------- */

static char dir[600];

static int init(void *arg, const struct plog_io *io)
{
    char vkey[PLOG_VKEY_MAX];
    struct plog_error err;
    struct plog_init_options o = {.struct_size = sizeof o, .io = io};
    (void)arg;
    int rc = plog_init(dir, &o, vkey, &err);
    if (rc && rc != PLOG_E_EXISTS)
        printf("# init: %d %s\n", rc, err.message);
    return rc;
}

static void init_goes_on(void)
{
    struct world w = {.p = NULL};
    struct world_found f;
    bool again = true;
    snprintf(dir, sizeof dir, "%.500s/log", check_dir());
    snprintf(w.dir, sizeof w.dir, "%.511s", dir);
    for (long n = 1; again && n < 500; n++) {
        other_start(init, NULL, n);
        int rc = init(NULL, late_io(2, let_go));
        again = was_killed;
        /* Killed behind its last commit it has made all of it. */
        CHECK(rc == 0 || rc == PLOG_E_EXISTS);
        CHECK(rc == 0 || n > 10);
        CHECK_INT(world_parity(&w, NULL, &f), 0);
        CHECK_UINT(f.report.head.size, 1);
        world_remove(dir);
    }
    CHECK(!again);
}

/* ---- A log -------------------------------------------------------------- */

static struct world base;

static int append_six(plog *p)
{
    struct plog_group g = {.struct_size = sizeof g, .delta_count = 6};
    struct plog_span spans[6];
    char texts[6][900];
    char payload[600], record[16];
    struct world_delta d = {
        .record = record, .op = "upsert", .payload = payload};
    snprintf(payload, sizeof payload, "{\"v\":\"%0500d\"}", 0);
    for (unsigned i = 0; i < 6; i++) {
        snprintf(record, sizeof record, "r%u", i);
        world_text(texts[i], sizeof texts[i], &d);
        spans[i] = (struct plog_span){texts[i], strlen(texts[i])};
    }
    g.deltas = spans;
    return plog_append_group(p, &g, NULL, NULL);
}

static int put(void *arg, const struct plog_io *io)
{
    struct plog_options o = {.struct_size = sizeof o, .io = io};
    plog *p;
    (void)arg;
    int rc = plog_open(&p, base.dir, &o, NULL);
    if (!rc)
        rc = append_six(p);
    plog_close(p);
    return rc;
}

/* Segments of 4096 bytes, so that a group of 6 begins a new one. */
static void make(void)
{
    world_make(&base, PLOG_LAST_WRITE_WINS, 4096);
    world_close(&base);
    CHECK_INT(put(NULL, plog_io_posix()), 0);
    CHECK_INT(put(NULL, plog_io_posix()), 0);
}

/* What a killed writer left is mended while the log is read: the answer is the
 * one of the moment in which the reader had the lock. */
static void mend(void)
{
    CHECK_INT(world_open(&base), 0);
    world_close(&base);
}

static void mend_and_append(void)
{
    CHECK_INT(put(NULL, plog_io_posix()), 0);
}

static unsigned verdicts[64];

static void check_as_it_was(bool parity, void (*meanwhile)(void))
{
    struct world_found was, now;
    struct plog_check_options o = {.struct_size = sizeof o};
    int (*check)(const struct world *, const struct plog_check_options *,
                 struct world_found *) = parity ? world_parity : world_verify;
    int verdict = check(&base, NULL, &was);
    CHECK(verdict == 0 || verdict == PLOG_E_BEHIND || verdict == PLOG_E_TORN);
    o.io = late_io(0, meanwhile);
    CHECK_INT(check(&base, &o, &now), verdict);
    CHECK(!act_now);
    CHECK_UINT(now.count, was.count);
    CHECK_UINT(now.report.head.size, was.report.head.size);
    verdicts[-verdict]++;
}

static void checked_as_it_was(void)
{
    char saved[600];
    bool again = true;
    make();
    memset(verdicts, 0, sizeof verdicts);
    snprintf(saved, sizeof saved, "%.500s-saved", base.dir);
    CHECK_INT(rename(base.dir, saved), 0);
    for (long n = 1; again && n < 500; n++)
        for (int kind = 0; kind < 4; kind++) {
            world_copy(saved, base.dir);
            again = killing_run(n, put, NULL);
            check_as_it_was(kind & 1, kind & 2 ? mend : mend_and_append);
            world_remove(base.dir);
        }
    CHECK(!again);
    CHECK(verdicts[-PLOG_E_BEHIND] > 0 && verdicts[-PLOG_E_TORN] > 0);
    CHECK_INT(rename(saved, base.dir), 0);
    world_end(&base, world_size(&base));
}

/* ---- compact ------------------------------------------------------------ */

/* A writer that is killed while a compaction is about to compare the legs
 * leaves the store behind: mended, and compacted. */
static void compacted(void)
{
    char saved[600];
    bool again = true;
    make();
    CHECK_INT(peers_add(&base, "p"), 0);
    CHECK_INT(peers_ack(&base, "p", 13), 0);
    snprintf(saved, sizeof saved, "%.500s-saved", base.dir);
    for (long n = 1; again && n < 500; n++) {
        struct plog_compact_options o = {.struct_size = sizeof o};
        struct plog_compact_report r;
        struct plog_error err = {.code = 0};
        struct world_found f;
        world_copy(base.dir, saved);
        other_start(put, NULL, n);
        o.io = late_io(1, let_go);
        if (!CHECK_INT(plog_compact(base.dir, &o, &r, &err), 0))
            printf("# killed at %ld: %s\n", n, err.message);
        CHECK(!act_now);
        CHECK(r.entry > 0);
        again = was_killed;
        CHECK_INT(world_parity(&base, NULL, &f), 0);
        world_remove(base.dir);
        CHECK_INT(rename(saved, base.dir), 0);
    }
    CHECK(!again);
    world_end(&base, world_size(&base));
}

static bool appends;
static unsigned killed;

static int ends_at_wal(void *ctx, const struct plog_store_event *e)
{
    (void)ctx;
    if (appends && e->op == PLOG_STORE_WRITE && e->file == PLOG_STORE_WAL)
        _exit(0); /* the log has it, the store not */
    return 0;
}

static int put_half(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    plog *p;
    io.store_event = ends_at_wal;
    int rc = plog_open(&p, base.dir, &o, NULL);
    appends = true;
    return rc ? rc : append_six(p);
}

static int spawner[2]; /* to it and from it */

/* A writer for each byte, killed in the middle; their parent has no store
 * open, as this process has when it asks for one. */
static void spawn(int in, int out)
{
    char byte;
    while (read(in, &byte, 1) == 1) {
        int status = 1;
        pid_t pid = fork();
        if (pid == 0)
            _exit(put_half() == 0 ? 1 : 2);
        byte = pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
        if (write(out, &byte, 1) != 1)
            break;
    }
    _exit(0);
}

static void start_spawner(void)
{
    int to[2], from[2];
    REQUIRE(pipe(to) == 0 && pipe(from) == 0);
    fflush(stdout);
    if (fork() == 0) {
        close(to[1]);
        close(from[0]);
        spawn(to[0], from[1]);
    }
    close(to[0]);
    close(from[1]);
    spawner[0] = to[1];
    spawner[1] = from[0];
}

/* Before each comparison another writer is killed. */
static void killed_again(void)
{
    char was = 0;
    CHECK(write(spawner[0], "k", 1) == 1 && read(spawner[1], &was, 1) == 1);
    killed += was == 1;
    act_now = killed_again;
}

static int held = -1;

/* And then somebody is at SQLite's WAL, so that the store cannot be settled. */
static void killed_and_held(void)
{
    struct flock moving = {.l_type = F_WRLCK, .l_start = 121, .l_len = 1};
    killed_again();
    act_now = NULL;
    held = open(world_path(&base, "store.db-shm"), O_RDWR);
    CHECK_INT(fcntl(held, F_OFD_SETLK, &moving), 0);
}

/* Who never finds the legs at rest takes nothing away, and says what is in the
 * way; the next one does. */
static void compacted_among_kills(void)
{
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .wait_seconds = -1};
    struct plog_compact_report r;
    struct plog_error err;
    make();
    CHECK_INT(peers_add(&base, "p"), 0);
    CHECK_INT(peers_ack(&base, "p", 13), 0);
    start_spawner();
    o.io = late_io(1, killed_again);
    killed = 0;
    CHECK_INT(plog_compact(base.dir, &o, &r, &err), PLOG_E_BEHIND);
    act_now = NULL;
    CHECK_INT(err.code, PLOG_E_BEHIND);
    CHECK(strstr(err.message, "so nothing is taken away") != NULL);
    CHECK(killed >= 4);
    CHECK_UINT(peers_floor(&base), 0);
    o.io = late_io(1, killed_and_held);
    CHECK_INT(plog_compact(base.dir, &o, &r, &err), PLOG_E_LOCKED);
    CHECK_INT(err.code, PLOG_E_LOCKED);
    CHECK(held >= 0 && close(held) == 0);
    close(spawner[0]);
    close(spawner[1]);
    CHECK(wait(NULL) > 0);
    CHECK_UINT(peers_floor(&base), 0);
    CHECK_INT(peers_compact(&base, &r), 0);
    CHECK(r.to > 0);
    world_end(&base, world_size(&base));
}

/* ---- status ------------------------------------------------------------- */

static int opened[2]; /* a pipe: the other process has the log open */

/* Opens, waits, and appends a group, which begins a segment. */
static int put_later(void *arg, const struct plog_io *io)
{
    struct plog_options o = {.struct_size = sizeof o, .io = io};
    char byte = 'o';
    plog *p;
    (void)arg;
    int rc = plog_open(&p, base.dir, &o, NULL);
    if (!rc &&
        (write(opened[1], &byte, 1) != 1 || read(other.wait, &byte, 1) != 1))
        rc = PLOG_E_IO;
    if (!rc)
        rc = append_six(p);
    if (!rc)
        _exit(2); /* without closing: as if killed */
    return rc;
}

static int rotate(void *arg, const struct plog_io *io)
{
    struct plog_rotate_report r;
    struct plog_rotate_options o = {.struct_size = sizeof o, .io = io};
    (void)arg;
    return plog_key_rotate(base.dir, &o, &r, NULL);
}

/* The beginning of a group behind the last one. */
static void tear_end(void)
{
    char path[700];
    snprintf(path, sizeof path, "%s/log/%020lld.jsonl", base.dir,
             (long long)world_number(&base, "SELECT segment FROM meta"));
    long end = (long)world_number(&base, "SELECT offset FROM meta");
    FILE *f = fopen(path, "r+");
    REQUIRE(f != NULL);
    CHECK_INT(fseek(f, end, SEEK_SET), 0);
    CHECK(fputs("{\"se", f) > 0);
    CHECK_INT(fclose(f), 0);
}

/* A rotation is killed before the new key's file is in keys/, and a writer
 * goes on with that key in a new segment: status knows it from the store. */
static void key_known_from_store(void)
{
    bool again = true;
    char saved[600], byte;
    int unsaved = 0;
    make();
    snprintf(saved, sizeof saved, "%.500s-saved", base.dir);
    CHECK_INT(rename(base.dir, saved), 0);
    for (long n = 20; again && n < 500; n += 3) {
        struct plog_status s;
        world_copy(saved, base.dir);
        REQUIRE(pipe(opened) == 0);
        other_start(put_later, NULL, 0);
        CHECK_INT(write(other.go, "g", 1), 1);
        CHECK_INT(read(opened[0], &byte, 1), 1);
        again = killing_run(n, rotate, NULL);
        CHECK(other_end(true));
        tear_end();
        CHECK_INT(plog_read_status(base.dir, NULL, &s, NULL), 0);
        CHECK_INT(s.verdict, PLOG_E_TORN);
        CHECK_UINT(s.log_size, s.store_size);
        CHECK(s.log_size >= 19);
        close(opened[0]);
        close(opened[1]);
        world_remove(base.dir);
        unsaved++;
    }
    CHECK(!again);
    CHECK_INT(rename(saved, base.dir), 0);
    world_end(&base, world_size(&base));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"init waits for one that is killed", init_goes_on},
        {"parity and verify, while it is mended", checked_as_it_was},
        {"compact, while a writer is killed", compacted},
        {"compact, while writers are killed", compacted_among_kills},
        {"status, before a new key is in keys/", key_known_from_store},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
