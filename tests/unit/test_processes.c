/*
 * test_processes.c - several processes on one directory: the lock, forks,
 * the same deltas sent by many, fairness, and one that is killed.
 */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

#define PROCESSES 6
#define EACH 150

static struct world w;

/* What a child leaves for its parent. */
struct told {
    uint64_t seqs[EACH];
    unsigned fresh; /* receipts that were no duplicates */
    double slowest;
};
static struct told *told;

static void make(uint64_t segment_size)
{
    world_make(&w, PLOG_ARRIVAL, segment_size);
    world_close(&w);
    w.options.wait_seconds = 60;
    size_t n = PROCESSES * sizeof *told;
    if (!told)
        told = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                    -1, 0);
    REQUIRE(told != MAP_FAILED);
    memset(told, 0, n);
}

/* Appends `count` deltas with ids from WHO-FIRST on. */
static int child(const char *who, int first, int count, struct told *mine)
{
    int rc = world_open(&w);
    for (int i = 0; !rc && i < count; i++) {
        char id[40];
        struct plog_receipt r = {0};
        double began = world_seconds();
        snprintf(id, sizeof id, "%s-%d", who, first + i);
        rc = world_put(&w, id, "1", id, &r);
        double took = world_seconds() - began;
        if (mine && i < EACH)
            mine->seqs[i] = r.seq;
        if (mine && took > mine->slowest)
            mine->slowest = took;
        if (mine)
            mine->fresh += !r.duplicate;
    }
    world_close(&w);
    return rc != 0;
}

static pid_t start(const char *who, int first, int count, struct told *mine)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(who, first, count, mine));
    return pid;
}

static void wait_for(pid_t pid)
{
    int status = 1;
    waitpid(pid, &status, 0);
    CHECK_INT(status, 0);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* ---- All at once -------------------------------------------------------- */

/* Six processes: each receipt has a seq of its own, none is missing, each
 * stands in the log, and nobody waits for more than five seconds. */
static void six_at_once(void)
{
    static uint64_t all[PROCESSES * EACH];
    pid_t pids[PROCESSES];
    make(32 << 10);
    for (int i = 0; i < PROCESSES; i++) {
        char who[4] = {'p', (char)('0' + i), 0};
        pids[i] = start(who, 0, EACH, &told[i]);
    }
    for (int i = 0; i < PROCESSES; i++) {
        wait_for(pids[i]);
        CHECK(told[i].slowest < 5);
        memcpy(all + i * EACH, told[i].seqs, sizeof told[i].seqs);
        for (int k = 0; k < EACH; k += 37) {
            char id[40];
            snprintf(id, sizeof id, "\"id\":\"p%d-%d\"", i, k);
            char *line = world_line(&w, told[i].seqs[k], NULL);
            CHECK(strstr(line, id) != NULL);
            free(line);
        }
    }
    qsort(all, PROCESSES * EACH, sizeof *all, by_number);
    for (uint64_t i = 0; i < PROCESSES * EACH; i++)
        if (!CHECK_UINT(all[i], i + 2))
            break;
    world_end(&w, 1 + PROCESSES * EACH);
}

/* All send the same deltas: each is logged once, each process gets the one
 * seq of it, and exactly one of them hears that it was first. */
static void all_send_the_same(void)
{
    pid_t pids[PROCESSES];
    unsigned fresh = 0;
    make(8 << 10);
    for (int i = 0; i < PROCESSES; i++)
        pids[i] = start("same", 0, 50, &told[i]);
    for (int i = 0; i < PROCESSES; i++) {
        wait_for(pids[i]);
        fresh += told[i].fresh;
        CHECK_BYTES(told[i].seqs, sizeof told[i].seqs, told[0].seqs,
                    sizeof told[0].seqs);
    }
    CHECK_UINT(fresh, 50);
    world_end(&w, 51);
}

/* One is killed again and again; what the others were told stands, each id
 * once, and the killed one's deltas, sent again, are known or new, never
 * twice. */
static void one_is_killed(void)
{
    uint64_t seed = check_seed();
    pid_t pids[2];
    make(16 << 10);
    for (int i = 0; i < 2; i++)
        pids[i] = start(i ? "b" : "a", 0, EACH, &told[i]);
    for (int i = 0; i < 25; i++) {
        pid_t victim = start("victim", i * 3, 60, NULL);
        usleep((useconds_t)(check_random(&seed) % 15000));
        kill(victim, SIGKILL);
        waitpid(victim, NULL, 0);
    }
    for (int i = 0; i < 2; i++)
        wait_for(pids[i]);
    wait_for(start("victim", 0, EACH, &told[2]));
    uint64_t size = world_size(&w);
    CHECK(size >= 1 + 3 * EACH);
    CHECK_INT((int)world_number(&w, "SELECT count(*)-count(DISTINCT id) FROM"
                                    " events WHERE seq>1"),
              0);
    CHECK_INT((int)world_number(&w, "SELECT count(*) FROM events WHERE id GLOB"
                                    " '[ab]-*'"),
              2 * EACH);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < EACH; k += 29) {
            char id[40];
            snprintf(id, sizeof id, "\"id\":\"%c-%d\"", i ? 'b' : 'a', k);
            char *line = world_line(&w, told[i].seqs[k], NULL);
            CHECK(strstr(line, id) != NULL);
            free(line);
        }
    world_end(&w, size);
}

/* ---- The lock ----------------------------------------------------------- */

/* A hook that holds the lock until it is told to let go. */
static int hold(void *arg, sqlite3 *db, const uint64_t *seqs, size_t n)
{
    const int *pipes = arg;
    char c = 'x';
    (void)db, (void)seqs, (void)n;
    return write(pipes[0], &c, 1) != 1 || read(pipes[1], &c, 1) < 0;
}

/* Whoever may not wait hears LOCKED and wrote nothing; whoever waits for a
 * while gets in as soon as the other is done; readers never wait. */
static void waiting_for_the_lock(void)
{
    int here[2], there[2];
    char c;
    const char *text = "{\"resource\":\"r\",\"record_id\":\"1\",\"op\":"
                       "\"upsert\",\"payload\":{},\"occurred_at\":\"2026-01-02"
                       "T03:04:05Z\",\"provenance\":{\"source\":\"s\","
                       "\"confidence\":1}}";
    struct plog_error err = {0};
    make(0);
    REQUIRE(pipe(here) == 0 && pipe(there) == 0);
    w.options.wait_seconds = -1;
    /* Children are made before anything is open here. */
    int hold_now[2], come_now[2];
    REQUIRE(pipe(hold_now) == 0 && pipe(come_now) == 0);
    fflush(stdout);
    pid_t patient = fork();
    if (patient == 0) {
        w.options.wait_seconds = 60;
        _exit(read(come_now[0], &c, 1) != 1 || child("patient", 0, 1, NULL));
    }
    pid_t holder = fork();
    if (holder == 0) {
        int pipes[2] = {here[1], there[0]};
        if (read(hold_now[0], &c, 1) != 1)
            _exit(1);
        struct plog_span d = {text, strlen(text)};
        struct plog_group g = {.struct_size = sizeof g,
                               .deltas = &d,
                               .delta_count = 1,
                               .hook = hold,
                               .hook_arg = pipes};
        int rc = world_open(&w);
        _exit(rc || plog_append_group(w.p, &g, NULL, NULL));
    }
    close(here[1]);
    struct world impatient = w;
    CHECK_INT(world_open(&impatient), 0);
    CHECK_INT(write(hold_now[1], "x", 1), 1);
    REQUIRE(read(here[0], &c, 1) == 1); /* the lock is held */
    double began = world_seconds();
    CHECK_INT(world_append(&impatient, text, NULL, &err), PLOG_E_LOCKED);
    CHECK(err.hint[0] != '\0');
    CHECK_INT(world_open(&w), PLOG_E_LOCKED);
    w.options.wait_seconds = 0.3;
    CHECK_INT(world_open(&w), PLOG_E_LOCKED);
    double took = world_seconds() - began;
    CHECK(took >= 0.3 && took < 5);
    CHECK_UINT(world_size(&w), 1); /* readers see what is committed */
    CHECK_INT(write(come_now[1], "x", 1), 1);
    usleep(100000);
    CHECK_INT(write(there[1], "x", 1), 1);
    wait_for(holder);
    wait_for(patient);
    CHECK_INT(world_append(&impatient, text, NULL, NULL), 0);
    world_close(&impatient);
    close(here[0]);
    for (int i = 0; i < 2; i++) {
        close(there[i]);
        close(hold_now[i]);
        close(come_now[i]);
    }
    world_end(&w, 4);
}

/* Whether this process holds SQLite's lock that says that somebody has the
 * shared memory mapped: asked by a child, who has no locks of its own. */
static bool holds_shared_memory(void)
{
    int status = 1;
    pid_t pid = fork();
    if (pid == 0) {
        struct flock l = {.l_type = F_WRLCK,
                          .l_whence = SEEK_SET,
                          .l_start = 128, /* sqlite.org/walformat.html, 2.2 */
                          .l_len = 1};
        int fd = open(world_path(&w, "store.db-shm"), O_RDWR | O_CLOEXEC);
        _exit(fd < 0 || fcntl(fd, F_GETLK, &l) ? 2 : l.l_type == F_UNLCK);
    }
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Looking does not take from the other handles of the process the locks that
 * keep another process from cutting their shared memory off: a POSIX lock goes
 * when any descriptor of its file is closed. */
static void looking_drops_no_lock(void)
{
    struct plog_status s;
    struct plog_check_report checked;
    plog_reader *r = NULL;
    make(0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, "a", "1", "x", NULL), 0);
    CHECK(holds_shared_memory());
    CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
    CHECK(s.wal_frames > 0);
    CHECK(holds_shared_memory());
    CHECK_INT(plog_parity(w.dir, NULL, &checked, NULL), 0);
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    plog_reader_close(r);
    CHECK(holds_shared_memory());
    world_end(&w, 2);
}

/* ---- Forks -------------------------------------------------------------- */

static int use_everything(void)
{
    struct plog_head head;
    char text[500];
    struct world_delta d = {.id = "c"};
    world_text(text, sizeof text, &d);
    struct plog_span s = {text, strlen(text)};
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = &s, .delta_count = 1};
    int wrong = plog_append(w.p, s.p, s.n, NULL, NULL) != PLOG_E_ARG;
    wrong |= (plog_append_group(w.p, &g, NULL, NULL) != PLOG_E_ARG) << 1;
    wrong |= (plog_set_strategy(w.p, PLOG_ARRIVAL, NULL, NULL) != PLOG_E_ARG)
             << 2;
    wrong |= (plog_apply_logged(w.p, s.p, s.n, NULL) != PLOG_E_ARG) << 3;
    wrong |= (plog_catch_up(w.p, NULL) != PLOG_E_ARG) << 4;
    wrong |= (plog_get_head(w.p, &head, NULL) != PLOG_E_ARG) << 5;
    plog_close(w.p); /* allowed, and takes nothing from the parent */
    w.p = NULL;
    wrong |= (world_open(&w) != PLOG_E_ARG) << 6; /* test_forked says why */
    return wrong;
}

/* In a child every call on its parent's handle fails, and the parent goes on as
 * if nothing had been. */
static void a_child_has_no_handle(void)
{
    make(0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, "before", "1", "x", NULL), 0);
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(use_everything());
        int status = 1;
        waitpid(pid, &status, 0);
        CHECK_INT(WEXITSTATUS(status), 0);
        CHECK(WIFEXITED(status));
    }
    CHECK_INT(world_put(&w, "after", "1", "x", NULL), 0);
    world_end(&w, 3);
}

/* Handles opened by parent and child write in turns: each notices what the
 * other did before it writes. */
static void turn_by_turn(void)
{
    struct world other;
    struct plog_receipt r;
    char id[20];
    make(4096);
    other = w;
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_open(&other), 0);
    for (unsigned i = 0; i < 60; i++) {
        snprintf(id, sizeof id, "%u", i);
        CHECK_INT(world_put(i % 2 ? &w : &other, id, "1", id, &r), 0);
        CHECK_UINT(r.seq, i + 2);
        CHECK_INT(world_put(i % 2 ? &other : &w, id, "1", id, &r), 0);
        CHECK(r.duplicate && r.seq == i + 2);
    }
    CHECK_INT(plog_set_strategy(other.p, PLOG_KEEP_LOCAL, NULL, NULL), 0);
    CHECK_INT(world_put(&w, NULL, "1", "late", &r), 0);
    CHECK(r.skipped); /* the other handle knows the new strategy */
    world_close(&other);
    world_end(&w, 63);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"six_at_once", six_at_once},
        {"all_send_the_same", all_send_the_same},
        {"one_is_killed", one_is_killed},
        {"waiting_for_the_lock", waiting_for_the_lock},
        {"looking_drops_no_lock", looking_drops_no_lock},
        {"a_child_has_no_handle", a_child_has_no_handle},
        {"turn_by_turn", turn_by_turn},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
