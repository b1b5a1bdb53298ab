/*
 * test_shared_queue.c - requests that one handle posts and another one's group
 * takes: what the owner is told, and what it finds out when the leader is
 * killed, fails or lies.
 *
 * The owner's table keeps the writer lock from it until it is let in, so that
 * what happens before is somebody else's doing.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "killing.h"
#include "shared_queue.h"
#include "slots.h"
#include "world.h"

#define START 4096 /* of the slots in the file */

static struct world w;

/* ---- Two handles -------------------------------------------------------- */

/* A table that finds the lock taken. */
struct gate {
    struct plog_io io;
    _Atomic int shut;    /* tries that fail; < 0: all */
    _Atomic bool broken; /* the lock cannot even be asked for */
};
static struct gate owner_gate, leader_gate;

static int through(struct gate *g, void *ctx, int fd, int mode)
{
    if (mode == 2 && g->shut != 0) {
        if (g->broken)
            return -EIO;
        if (g->shut > 0)
            g->shut--;
        return -EAGAIN;
    }
    return plog_io_posix()->lock(ctx, fd, mode);
}

static int owner_lock(void *ctx, int fd, int mode)
{
    return through(&owner_gate, ctx, fd, mode);
}

/* Nor does it stand in the leader's way at the turnstile. */
static int owner_byte(void *ctx, int fd, uint64_t byte, int mode)
{
    return byte == 0 && mode == 2 && owner_gate.shut < 0
               ? -EAGAIN
               : plog_io_posix()->lock_byte(ctx, fd, byte, mode);
}

static int leader_lock(void *ctx, int fd, int mode)
{
    return through(&leader_gate, ctx, fd, mode);
}

/* Opens a handle that has waited once, so that it takes part. */
static plog *open_over(struct gate *g, const struct plog_io *base,
                       int (*lock)(void *, int, int), double patience)
{
    struct plog_options o = w.options;
    struct plog_error err;
    plog *p = NULL;
    g->io = *base;
    g->io.lock = lock;
    if (g == &owner_gate)
        g->io.lock_byte = owner_byte;
    g->shut = 1;
    o.io = &g->io;
    o.wait_seconds = patience;
    if (plog_open(&p, w.dir, &o, &err))
        CHECK_TEXT(err.message, "opened");
    g->shut = 0;
    return p;
}

static struct {
    plog *p;
    pthread_t thread;
    char text[400];
    struct plog_receipt receipt;
    struct plog_error err;
    int rc;
} owner;

static void *append_one(void *arg)
{
    (void)arg;
    owner.rc = plog_append(owner.p, owner.text, strlen(owner.text),
                           &owner.receipt, &owner.err);
    return NULL;
}

static struct plog_slot *slots(void)
{
    static struct plog_slot *map;
    static char path[600];
    const size_t n = START + PLOG_SLOTS * sizeof *map;
    if (map && strcmp(path, world_path(&w, PLOG_QUEUE_FILE)) == 0)
        return map;
    if (map)
        plog_io_unmap((char *)map - START, n);
    map = NULL;
    snprintf(path, sizeof path, "%s", world_path(&w, PLOG_QUEUE_FILE));
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat st; /* whole, for it may be in the making */
    bool whole = fd >= 0 && fstat(fd, &st) == 0 && (size_t)st.st_size >= n;
    char *at = whole ? plog_io_map(fd, n) : NULL;
    if (fd >= 0)
        close(fd);
    map = at ? (struct plog_slot *)(void *)(at + START) : NULL;
    return map;
}

/* The slot that the owner has posted its request in; NULL when there is none
 * for twenty seconds. */
static struct plog_slot *posted(void)
{
    for (int tries = 0; tries < 20000; tries++) {
        struct plog_slot *s = slots();
        for (unsigned i = 0; s && i < PLOG_SLOTS; i++)
            if (s[i].state == PLOG_SLOT_POSTED)
                return &s[i];
        usleep(1000);
    }
    return NULL;
}

/* Makes a log, and an owner whose request is posted. */
static struct plog_slot *post(const char *id, const char *record,
                              double patience)
{
    const struct world_delta d = {.id = id,
                                  .record = record,
                                  .op = "upsert",
                                  .payload = "{\"v\":\"posted\"}"};
    owner.p = open_over(&owner_gate, plog_io_posix(), owner_lock, patience);
    if (!CHECK(owner.p != NULL))
        return NULL;
    world_text(owner.text, sizeof owner.text, &d);
    memset(&owner.receipt, 0, sizeof owner.receipt);
    owner_gate.shut = -1;
    if (!CHECK_INT(pthread_create(&owner.thread, NULL, append_one, NULL), 0))
        return NULL;
    struct plog_slot *s = posted();
    CHECK(s != NULL);
    return s;
}

/* Lets the owner in and waits until it has its answer. */
static int answer(void)
{
    owner_gate.shut = 0;
    pthread_join(owner.thread, NULL);
    return owner.rc;
}

static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "first", "1", "there", NULL), 0);
    world_close(&w);
}

/* No slot has a delta of a request that is settled, nor its salt. */
static void check_wiped(void)
{
    static const struct plog_slot none;
    const struct plog_slot *s = slots();
    for (unsigned i = 0; i < PLOG_SLOTS; i++)
        if (!CHECK(memcmp(s[i].text, none.text, sizeof none.text) == 0) ||
            !CHECK(memcmp(s[i].deltas, none.deltas, sizeof none.deltas) == 0))
            printf("# slot %u\n", i);
}

/* The posted delta is in the log, once, where the receipt says. */
static void check_logged(void)
{
    check_wiped();
    char sql[200];
    char *line = world_line(&w, owner.receipt.seq, NULL);
    CHECK(line && strstr(line, "\"posted\"") != NULL);
    free(line);
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM events WHERE record_id='9'");
    CHECK_INT(world_number(&w, sql), 1);
}

/* ---- Served ------------------------------------------------------------- */

static void a_group_of_two(void)
{
    struct plog_receipt r;
    make();
    plog *leader = open_over(&leader_gate, plog_io_posix(), leader_lock, 10);
    struct plog_slot *s = post(NULL, "9", 30);
    REQUIRE(s != NULL);
    w.p = leader;
    CHECK_INT(world_put(&w, NULL, "2", "own", &r), 0);
    CHECK_INT(answer(), 0);
    CHECK_UINT(r.seq, 3);
    CHECK_UINT(r.size, 4); /* its group has the other's, too */
    CHECK_UINT(owner.receipt.seq, 4);
    CHECK_UINT(owner.receipt.size, 4);
    CHECK(!owner.receipt.duplicate && !owner.receipt.skipped);
    CHECK_BYTES(owner.receipt.sig, sizeof r.sig, r.sig, sizeof r.sig);
    CHECK_BYTES(owner.receipt.root, sizeof r.root, r.root, sizeof r.root);
    CHECK_UINT(s->state, PLOG_SLOT_FREE);
    check_logged();
    plog_close(owner.p);
    world_end(&w, 4);
}

/* The owner hears what is wrong with its own, and the others go on. */
static void refused_alone(void)
{
    struct plog_receipt r;
    make();
    w.p = open_over(&leader_gate, plog_io_posix(), leader_lock, 10);
    post("first", "9", 10);
    CHECK_INT(world_put(&w, NULL, "2", "own", &r), 0);
    CHECK_UINT(r.size, 3);
    CHECK_INT(answer(), PLOG_E_CONFLICT);
    CHECK_INT(owner.err.code, PLOG_E_CONFLICT);
    CHECK_TEXT(owner.err.member, "id");
    CHECK_UINT(owner.err.seq, 2);
    CHECK_UINT(owner.receipt.seq, 0);
    check_wiped();
    plog_close(owner.p);
    world_end(&w, 3);
}

/* Known already: the receipt of the first time, and a group of one. */
static void a_repeat(void)
{
    struct plog_receipt r;
    const struct world_delta d = {.id = "first",
                                  .record = "1",
                                  .op = "upsert",
                                  .payload = "{\"v\":\"there\"}"};
    make();
    w.p = open_over(&leader_gate, plog_io_posix(), leader_lock, 10);
    owner.p = open_over(&owner_gate, plog_io_posix(), owner_lock, 10);
    world_text(owner.text, sizeof owner.text, &d);
    owner_gate.shut = -1;
    REQUIRE(pthread_create(&owner.thread, NULL, append_one, NULL) == 0);
    REQUIRE(posted() != NULL);
    CHECK_INT(world_put(&w, NULL, "2", "own", &r), 0);
    CHECK_INT(answer(), 0);
    CHECK(owner.receipt.duplicate);
    CHECK_UINT(owner.receipt.seq, 2);
    CHECK_UINT(owner.receipt.size, 2);
    plog_close(owner.p);
    world_end(&w, 3);
}

/* ---- Not served --------------------------------------------------------- */

/* Whose time is over takes its request back, for good. */
static void given_up(void)
{
    make();
    w.p = open_over(&leader_gate, plog_io_posix(), leader_lock, 10);
    struct plog_slot *s = post(NULL, "9", 1);
    REQUIRE(s != NULL);
    pthread_join(owner.thread, NULL);
    CHECK_INT(owner.rc, PLOG_E_LOCKED);
    CHECK_UINT(s->state, PLOG_SLOT_FREE);
    check_wiped();
    CHECK_INT(world_put(&w, NULL, "2", "own", NULL), 0);
    owner_gate.shut = 0;
    append_one(NULL);
    CHECK_INT(owner.rc, 0);
    CHECK_UINT(owner.receipt.seq, 4);
    check_logged();
    plog_close(owner.p);
    world_end(&w, 4);
}

static unsigned state_in_hook;

static int look(void *arg, struct sqlite3 *db, const uint64_t *seqs,
                size_t count)
{
    const struct plog_slot *s = arg;
    (void)db, (void)seqs, (void)count;
    state_in_hook = s->state;
    return 0;
}

/* A hook may take its time, so whoever waits is not bound to it. */
static void not_beside_a_hook(void)
{
    const struct world_delta d = {
        .record = "2", .op = "upsert", .payload = "{}"};
    char text[1000];
    world_text(text, sizeof text, &d);
    const struct plog_span delta = {text, strlen(text)};
    make();
    w.p = open_over(&leader_gate, plog_io_posix(), leader_lock, 10);
    struct plog_slot *s = post(NULL, "9", 10);
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = &delta,
                           .delta_count = 1,
                           .hook = look,
                           .hook_arg = s};
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    CHECK_UINT(state_in_hook, PLOG_SLOT_POSTED);
    CHECK_INT(answer(), 0);
    CHECK_UINT(owner.receipt.seq, 4);
    check_logged();
    plog_close(owner.p);
    world_end(&w, 4);
}

/* What a full group has no room for stays posted, for the next one. */
static void no_room_for_it(void)
{
    struct plog_request full = {.encoded_bytes = PLOG_GROUP_MAX - 1};
    struct plog_receipt r;
    make();
    w.p = open_over(&leader_gate, plog_io_posix(), leader_lock, 10);
    struct plog_slot *s = post(NULL, "9", 30);
    REQUIRE(s != NULL);
    CHECK(plog_shared_take(w.p, &full) == NULL);
    CHECK(full.next == NULL);
    CHECK_UINT(s->state, PLOG_SLOT_POSTED);
    CHECK_INT(world_put(&w, NULL, "2", "own", &r), 0);
    CHECK_UINT(r.size, 4);
    CHECK_INT(answer(), 0);
    CHECK_UINT(owner.receipt.seq, 4);
    check_logged();
    plog_close(owner.p);
    world_end(&w, 4);
}

/* Nobody serves the dead: its byte of the lock file is free. */
static void of_a_dead_owner(void)
{
    int status;
    make();
    pid_t pid = fork();
    if (pid == 0) {
        post(NULL, "9", 30);
        pause();
    }
    struct plog_slot *s = posted();
    REQUIRE(s != NULL);
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    w.p = open_over(&leader_gate, plog_io_posix(), leader_lock, 10);
    CHECK_INT(world_put(&w, NULL, "2", "own", NULL), 0);
    /* The first free slot was claimed anew, by the leader. */
    CHECK_UINT(s->state, PLOG_SLOT_FREE);
    check_wiped();
    world_end(&w, 3);
}

/* What a slot may say that nobody has posted, and what becomes of it: it is
 * left alone, or given back, and its owner sees to it. */
static void lies(void)
{
    for (int k = 0; k < 8; k++) {
        make();
        w.p = open_over(&leader_gate, plog_io_posix(), leader_lock, 10);
        struct plog_slot *s = post(NULL, "9", 10);
        REQUIRE(s != NULL);
        switch (k) {
        case 0:
            s->key[0] ^= 1;
            break;
        case 1:
            s->origin[0] ^= 1;
            break;
        case 2:
            s->until = 1;
            break;
        case 3:
            s->count = PLOG_SLOT_DELTAS + 1;
            break;
        case 4:
            s->deltas[0].length = PLOG_SLOT_TEXT + 1;
            break;
        case 5:
            s->deltas[0].salt[3] = '"';
            break;
        case 6:
            s->deltas[0].length = UINT32_MAX;
            break;
        default:
            s->text[0] = '[';
        }
        CHECK_INT(world_put(&w, NULL, "2", "own", NULL), 0);
        CHECK_UINT(s->state, k < 3 ? PLOG_SLOT_POSTED : PLOG_SLOT_BACK);
        CHECK_INT(answer(), 0);
        CHECK_UINT(owner.receipt.seq, 4);
        check_logged();
        plog_close(owner.p);
        world_end(&w, 4);
    }
}

static bool lives_seen; /* the leader has found that an owner lives */

static int seeing_byte(void *ctx, int fd, uint64_t byte, int mode)
{
    int rc = plog_io_posix()->lock_byte(ctx, fd, byte, mode);
    lives_seen |= rc && byte >= PLOG_SLOT_BYTE;
    return rc;
}

/* Then it looks at the clock, to see whether that one waits still. */
static int64_t withdrawing_clock(void *ctx)
{
    struct plog_slot *s = slots();
    for (unsigned i = 0; lives_seen && i < PLOG_SLOTS; i++)
        if (s[i].state == PLOG_SLOT_POSTED)
            s[i].state = PLOG_SLOT_FREE;
    return plog_io_posix()->clock_mono_ns(ctx);
}

/* What its owner withdraws while the leader looks at it is not taken. */
static void withdrawn(void)
{
    make();
    w.p = open_over(&leader_gate, plog_io_posix(), leader_lock, 10);
    struct plog_slot *s = post(NULL, "9", 10);
    REQUIRE(s != NULL);
    lives_seen = false;
    leader_gate.io.lock_byte = seeing_byte;
    leader_gate.io.clock_mono_ns = withdrawing_clock;
    CHECK_INT(world_put(&w, NULL, "2", "own", NULL), 0);
    CHECK(lives_seen);
    leader_gate.io.clock_mono_ns = plog_io_posix()->clock_mono_ns;
    CHECK_UINT(s->state, PLOG_SLOT_FREE);
    CHECK_UINT(world_size(&w), 3);
    CHECK_INT(answer(), 0);
    CHECK_UINT(owner.receipt.seq, 4);
    check_logged();
    plog_close(owner.p);
    world_end(&w, 4);
}

/* A request whose owner has something to do in the store's transaction is not
 * posted. */
static void with_a_hook(void)
{
    static const char text[] =
        "{\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","
        "\"payload\":{},\"occurred_at\":\"2026-01-02T03:04:05Z\","
        "\"provenance\":{\"source\":\"s\",\"confidence\":1}}";
    const struct plog_span delta = {text, sizeof text - 1};
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = &delta, .delta_count = 1};
    struct plog_request q;
    make();
    w.p = open_over(&leader_gate, plog_io_posix(), leader_lock, 10);
    struct plog_slot *own = plog_slots_own(&w.p->legs.dir.slots);
    REQUIRE(own != NULL);
    for (int hook = 0; hook < 2; hook++) {
        g.hook = hook ? look : NULL;
        CHECK_INT(plog_request_build(&q, plog_io_posix(), &g, NULL, 4096, NULL),
                  0);
        CHECK_INT(plog_shared_post(w.p, &q), !hook);
        CHECK_UINT(own->state, hook ? PLOG_SLOT_FREE : PLOG_SLOT_POSTED);
        own->state = PLOG_SLOT_FREE;
        plog_request_free(&q);
    }
    world_end(&w, 2);
}

/* ---- A leader that is killed, or fails ----------------------------------- */

static const char *leader_id;

/* It is there before the owner has opened anything, because SQLite's handles
 * must not cross a fork, and goes on when it is told. */
static int go;

static pid_t start_leader(const struct plog_io *(*table)(long), long n)
{
    int ends[2];
    char byte;
    if (pipe(ends))
        return -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        if (read(ends[0], &byte, 1) != 1)
            _exit(0);
        w.p = open_over(&leader_gate, table(n), leader_lock, 10);
        int rc = w.p ? world_put(&w, leader_id, "2", "own", NULL) : 1;
        plog_close(w.p);
        _exit(rc != 0);
    }
    close(ends[0]);
    go = ends[1];
    return pid;
}

/* Runs the leader beside a posted request; returns its status. */
static int lead(pid_t pid, const char *id)
{
    int status = -1;
    post(id, "9", 10);
    CHECK_INT(write(go, "g", 1), 1);
    close(go);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    return status;
}

/* The owner has its delta in the log, once. */
static void answered(void)
{
    CHECK_INT(answer(), 0);
    check_logged();
    plog_close(owner.p);
}

/* At each of its calls.  In some the group was logged, and in the others not;
 * the owner has its delta there once. */
static void leader_killed(void)
{
    unsigned alone = 0, together = 0;
    int status = -1;
    for (long n = 1; n < 400 && status != 0; n++) {
        make();
        status = lead(start_leader(killing_io, n), NULL);
        CHECK(WIFEXITED(status));
        answered();
        bool both = owner.receipt.size == 4;
        CHECK_UINT(owner.receipt.size, both ? 4 : 3);
        together += both;
        alone += !both;
        world_end(&w, owner.receipt.size);
    }
    CHECK_INT(status, 0);
    printf("# killed: %u times before the group was logged, %u after\n", alone,
           together);
    CHECK(alone > 0 && together > 0);
}

static int sync_fails(void *ctx, int fd)
{
    (void)ctx;
    (void)fd;
    return -EIO;
}

static int write_fails(void *ctx, int fd)
{
    static int calls;
    return calls++ ? plog_io_posix()->fdatasync(ctx, fd) : -EIO;
}

/* Its sync fails for ever, or once. */
static const struct plog_io *failing_sync(long n)
{
    static struct plog_io io;
    io = *plog_io_posix();
    io.fdatasync = n ? sync_fails : write_fails;
    return &io;
}

static void leader_fails(void)
{
    for (long n = 0; n < 2; n++) {
        make();
        int status = lead(start_leader(failing_sync, n), NULL);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) != 0);
        answered();
        world_end(&w, owner.receipt.size);
    }
}

static int64_t no_room(void *ctx, int fd, const void *bytes, size_t n,
                       uint64_t offset)
{
    if (n > 7 && memcmp(bytes, "{\"seq\":", 7) == 0)
        return -ENOSPC;
    return plog_io_posix()->pwrite(ctx, fd, bytes, n, offset);
}

static const struct plog_io *full_disk(long n)
{
    static struct plog_io io;
    (void)n;
    io = *plog_io_posix();
    io.pwrite = no_room;
    return &io;
}

/* An id that stands for other content only in a group that came to nothing. */
static void no_conflict_with_nothing(void)
{
    make();
    leader_id = "same";
    int status = lead(start_leader(full_disk, 0), "same");
    leader_id = NULL;
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    answered();
    CHECK_UINT(owner.receipt.seq, 3);
    world_end(&w, 3);
}

/* What was promised of a group that came to nothing is taken back: an owner
 * that cannot look is told why not, and does not doubt. */
static void retracted(void)
{
    struct plog_error err;
    char text[400];
    make();
    w.p = open_over(&leader_gate, full_disk(0), leader_lock, 10);
    struct plog_slot *s = post(NULL, "9", 30);
    REQUIRE(s != NULL);
    world_text(text, sizeof text, &(struct world_delta){.record = "2"});
    CHECK_INT(world_append(&w, text, NULL, &err), PLOG_E_IO);
    CHECK_UINT(s->logged, 0);
    owner_gate.broken = true;
    plog_slots_ring(s);
    pthread_join(owner.thread, NULL);
    owner_gate.broken = false;
    owner_gate.shut = 0;
    CHECK_INT(owner.rc, PLOG_E_IO);
    CHECK_TEXT(owner.err.message, "locking: Input/output error");
    CHECK_UINT(world_size(&w), 2);
    plog_close(owner.p);
    world_end(&w, 2);
}

/* ---- Before the owner looks --------------------------------------------- */

static void nothing(void)
{
}

static void redacted(void)
{
    const struct plog_redact_options o = {.struct_size = sizeof o,
                                          .reason = "x"};
    struct plog_redact_report r;
    CHECK_INT(plog_redact(w.dir, 4, &o, &r, NULL), 0);
}

static void replaced(void)
{
    CHECK_INT(unlink(world_path(&w, "lock")), 0);
}

/* A leader is killed when both legs have its group, and then that. */
static void promised(void)
{
    static void (*const acts[])(void) = {nothing, redacted, replaced};
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        bool seen = false;
        for (long n = 1; n < 400 && !seen; n++) {
            make();
            int status = lead(start_leader(killing_io, n), NULL);
            REQUIRE(status != 0);
            CHECK_INT(world_open(&w), 0); /* mends what is there */
            world_close(&w);
            seen = world_size(&w) == 4;
            if (seen)
                acts[i]();
            CHECK_INT(answer(), 0);
            CHECK_UINT(owner.receipt.size, seen ? 4 : 3);
            CHECK_UINT(owner.receipt.seq, owner.receipt.size);
            CHECK_INT(world_number(&w, "SELECT count(*) FROM events WHERE"
                                       " record_id='9'"),
                      1);
            plog_close(owner.p);
            world_end(&w, world_size(&w));
        }
        CHECK(seen);
    }
}

/* ---- Another lock file --------------------------------------------------- */

/* Handles of the old lock file and of the new one share no slots. */
static void another_lock_file(void)
{
    struct stat old, new;
    make();
    plog *first = open_over(&leader_gate, plog_io_posix(), leader_lock, 10);
    CHECK_INT(stat(world_path(&w, PLOG_QUEUE_FILE), &old), 0);
    replaced();
    plog *second = open_over(&owner_gate, plog_io_posix(), owner_lock, 10);
    CHECK_INT(stat(world_path(&w, PLOG_QUEUE_FILE), &new), 0);
    CHECK(old.st_ino != new.st_ino);
    for (int i = 0; i < 4; i++) {
        w.p = i % 2 ? second : first;
        CHECK_INT(world_put(&w, NULL, "2", "own", NULL), 0);
    }
    plog_close(second);
    w.p = first;
    world_end(&w, 6);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a group of two", a_group_of_two},
        {"refused alone", refused_alone},
        {"a repeat", a_repeat},
        {"given up", given_up},
        {"no room for it", no_room_for_it},
        {"of a dead owner", of_a_dead_owner},
        {"slots that lie", lies},
        {"withdrawn", withdrawn},
        {"with a hook", with_a_hook},
        {"the leader is killed", leader_killed},
        {"the leader's sync fails", leader_fails},
        {"no conflict with what is not there", no_conflict_with_nothing},
        {"retracted", retracted},
        {"promised, and then", promised},
        {"another lock file", another_lock_file},
        {"not beside a hook", not_beside_a_hook},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
