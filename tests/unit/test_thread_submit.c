/*
 * test_thread_submit.c - several groups in flight, and acknowledgement by the
 * log.  Runs under the thread sanitizer, too.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "no_threads.h"
#include "order_shim.h"
#include "world.h"

static struct world w;
static struct plog_io io; /* the order shim's, which the cases change */
static bool fail_commits, fail_syncs;

static int event(void *ctx, const struct plog_store_event *e)
{
    if (fail_commits && order_is_commit(e))
        return 1;
    return order_io()->store_event(ctx, e);
}

static int sync_log(void *ctx, int fd)
{
    return fail_syncs ? -EIO : order_io()->fdatasync(ctx, fd);
}

static void make(enum plog_ack ack)
{
    fail_commits = fail_syncs = no_threads = false;
    world_make(&w, PLOG_ARRIVAL, 0);
    io = *order_io();
    io.store_event = event;
    io.fdatasync = sync_log;
    w.options.io = &io;
    w.options.ack = ack;
    CHECK_INT(world_open(&w), 0);
}

/* Submits a delta with that id and record. */
static int submit(const char *id, const char *record, struct plog_ticket **t,
                  struct plog_error *err)
{
    char text[300];
    struct world_delta d = {.id = id, .record = record};
    struct plog_span s = {text, 0};
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = &s, .delta_count = 1};
    s.n = strlen(world_text(text, sizeof text, &d));
    return plog_submit(w.p, &g, t, err);
}

/* ---- In flight ---------------------------------------------------------- */

#define MANY 300

/* Logged in the order in which they were submitted, each with its receipt. */
static void in_their_order(void)
{
    static struct plog_ticket *t[MANY];
    uint64_t commits = 0, last = 0;
    make(PLOG_ACK_STORE);
    for (int i = 0; i < MANY; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%d", i);
        CHECK_INT(submit(id, id, &t[i], NULL), 0);
    }
    for (int i = 0; i < MANY; i++) {
        struct plog_receipt r = {0};
        CHECK_INT(plog_wait(t[i], &r, NULL), 0);
        CHECK_UINT(r.seq, (unsigned)i + 2);
        CHECK(r.size >= r.seq && !r.duplicate);
        commits += r.size != last;
        last = r.size;
    }
    printf("# %d groups submitted, %llu commits\n", MANY,
           (unsigned long long)commits);
    CHECK_UINT(last, MANY + 1);
    world_end(&w, MANY + 1);
}

/* What is refused at once has no ticket; what is refused later says so. */
static void refusals(void)
{
    struct plog_ticket *t = NULL, *u = NULL, *v = NULL;
    struct plog_error err = {0};
    struct plog_span s = {"{", 1};
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = &s, .delta_count = 1};
    make(PLOG_ACK_STORE);
    CHECK_INT(plog_submit(w.p, &g, &t, &err), PLOG_E_INPUT);
    CHECK(t == NULL);
    g.delta_count = 0;
    CHECK_INT(plog_submit(w.p, &g, &t, &err), PLOG_E_ARG);
    CHECK(t == NULL);
    CHECK_INT(submit("a", "one", &t, &err), 0);
    CHECK_INT(submit("a", "two", &u, &err), 0);
    CHECK_INT(submit("b", "two", &v, &err), 0);
    CHECK_INT(plog_wait(u, NULL, &err), PLOG_E_CONFLICT);
    CHECK_TEXT(err.member, "id");
    CHECK_INT(plog_wait(t, NULL, &err), 0);
    CHECK_INT(plog_wait(v, NULL, &err), 0);
    world_end(&w, 3);
}

/* A group without deltas has no receipt, and is logged all the same. */
static void a_cursor_alone(void)
{
    struct plog_ticket *t = NULL;
    struct plog_error err = {0};
    struct plog_receipt r[2] = {{.seq = 77}, {.seq = 78}};
    struct plog_cursor c = {plog_span_text("src"), plog_span_text("res"),
                            plog_span_text("at-9")};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    make(PLOG_ACK_STORE);
    if (!CHECK_INT(plog_submit(w.p, &g, &t, &err), 0))
        printf("# %s\n", err.message);
    REQUIRE(t != NULL);
    CHECK_INT(plog_wait(t, r, &err), 0);
    CHECK_UINT(r[0].seq, 77);
    CHECK_UINT(r[1].seq, 78);
    CHECK_INT(world_number(&w, "SELECT seq FROM cursors WHERE source='src' AND"
                               " resource='res' AND cursor='at-9'"),
              2);
    world_end(&w, 2);
}

static void after_a_failed_sync(void)
{
    struct plog_error err = {0};
    struct plog_ticket *t = NULL;
    make(PLOG_ACK_STORE);
    fail_syncs = true;
    CHECK_INT(submit("a", "one", &t, NULL), 0);
    CHECK_INT(plog_wait(t, NULL, &err), PLOG_E_INDETERMINATE);
    CHECK_TEXT(err.hint, "open the directory again (paritylog replay DIR) and"
                         " see in its log whether it is there; deltas are just"
                         " appended again with the same ids, which are"
                         " recognised");
    fail_syncs = false;
    CHECK_INT(submit("b", "one", &t, NULL), 0);
    CHECK_INT(plog_wait(t, NULL, NULL), PLOG_E_POISONED);
    world_close(&w);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(submit("b", "one", &t, NULL), 0);
    CHECK_INT(plog_wait(t, NULL, NULL), 0);
    world_end(&w, world_size(&w));
}

/* Without a thread of its own the call writes by itself. */
static void no_thread_to_be_had(void)
{
    struct plog_ticket *t = NULL;
    struct plog_receipt r;
    make(PLOG_ACK_STORE);
    no_threads = true;
    for (unsigned i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%u", i);
        CHECK_INT(submit(id, id, &t, NULL), 0);
        CHECK_UINT(world_size(&w), i + 2);
        CHECK_INT(plog_wait(t, &r, NULL), 0);
        CHECK_UINT(r.seq, i + 2);
    }
    CHECK(!w.p->queue.has_writer);
    no_threads = false;
    world_end(&w, 21);
}

static void *submit_one(void *arg)
{
    static struct plog_ticket *t;
    CHECK_INT(submit("late", "r", &t, NULL), 0);
    *(_Atomic bool *)arg = true;
    return t;
}

/* A full queue makes the next one wait until there is room. */
static void a_full_queue(void)
{
    struct plog_queue *q;
    struct plog_ticket *first = NULL;
    void *late = NULL;
    _Atomic bool done = false;
    pthread_t id;
    make(PLOG_ACK_STORE);
    q = &w.p->queue;
    plog_queue_take_turn(q);
    CHECK_INT(submit("first", "r", &first, NULL), 0);
    pthread_mutex_lock(&q->mutex);
    q->bytes += PLOG_GROUP_MAX;
    pthread_mutex_unlock(&q->mutex);
    CHECK_INT(pthread_create(&id, NULL, submit_one, &done), 0);
    for (int i = 0; i < 50; i++) {
        usleep(1000);
        CHECK(!done);
    }
    pthread_mutex_lock(&q->mutex);
    q->bytes -= PLOG_GROUP_MAX;
    pthread_mutex_unlock(&q->mutex);
    plog_queue_give_turn(q); /* whose batch makes room */
    CHECK_INT(pthread_join(id, &late), 0);
    CHECK(done);
    CHECK_INT(plog_wait(first, NULL, NULL), 0);
    CHECK_INT(plog_wait(late, NULL, NULL), 0);
    world_end(&w, 3);
}

/* Threads that append and threads that submit share the handle. */
static void *mix(void *arg)
{
    const char *name = arg;
    struct plog_ticket *t[8] = {NULL};
    for (int i = 0; i < 400; i++) {
        char id[32];
        snprintf(id, sizeof id, "%s%d", name, i);
        if (name[0] == 'a') {
            CHECK_INT(world_put(&w, id, id, "x", NULL), 0);
            continue;
        }
        if (t[i % 8])
            CHECK_INT(plog_wait(t[i % 8], NULL, NULL), 0);
        CHECK_INT(submit(id, id, &t[i % 8], NULL), 0);
        if (i % 100 == 50) { /* without a request */
            struct plog_head head;
            CHECK_INT(plog_get_head(w.p, &head, NULL), 0);
        }
    }
    for (int i = 0; i < 8; i++)
        if (t[i])
            CHECK_INT(plog_wait(t[i], NULL, NULL), 0);
    return NULL;
}

static void beside_others(void)
{
    static char *names[] = {"a", "s", "ab", "sb"};
    pthread_t id[4];
    make(PLOG_ACK_STORE);
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&id[i], NULL, mix, names[i]), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_join(id[i], NULL), 0);
    world_end(&w, 1601);
}

/* A child that was forked later has neither thread nor ticket. */
static void in_a_child(void)
{
    struct plog_ticket *t = NULL, *u = NULL;
    int status = 1;
    make(PLOG_ACK_STORE);
    CHECK_INT(submit("a", "r", &t, NULL), 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(plog_wait(t, NULL, NULL) != PLOG_E_ARG ||
              submit("b", "r", &u, NULL) != PLOG_E_ARG || u);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    CHECK_INT(plog_wait(t, NULL, NULL), 0);
    world_end(&w, 2);
}

/* ---- Acknowledged by the log -------------------------------------------- */

static int hook(void *arg, struct sqlite3 *db, const uint64_t *seqs, size_t n)
{
    (void)db, (void)seqs;
    *(size_t *)arg += n;
    return 0;
}

static int put_hooked(const char *id, size_t *calls)
{
    char text[300];
    struct world_delta d = {.id = id};
    struct plog_span s = {text, 0};
    struct plog_group g = {.struct_size = sizeof g,
                           .deltas = &s,
                           .delta_count = 1,
                           .hook = hook,
                           .hook_arg = calls};
    s.n = strlen(world_text(text, sizeof text, &d));
    return plog_append_group(w.p, &g, NULL, NULL);
}

/* The log has it, so a store that cannot follow takes nothing back; whoever
 * wants both hears that it may be missing. */
static void the_store_cannot_follow(void)
{
    static const struct {
        enum plog_ack ack;
        bool hooked;
        int code;
    } all[] = {{PLOG_ACK_STORE, false, PLOG_E_INDETERMINATE},
               {PLOG_ACK_LOG, false, 0},
               {PLOG_ACK_LOG, true, PLOG_E_INDETERMINATE}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_receipt r = {0};
        size_t calls = 0;
        make(all[i].ack);
        CHECK_INT(world_put(&w, "a", "r", "x", NULL), 0);
        fail_commits = true;
        CHECK_INT(all[i].hooked ? put_hooked("b", &calls)
                                : world_put(&w, "b", "r", "y", &r),
                  all[i].code);
        fail_commits = false;
        CHECK_UINT(world_size(&w), 2); /* of the store */
        CHECK_UINT(r.seq, all[i].code || all[i].hooked ? 0 : 3);
        CHECK_INT(world_put(&w, "c", "r", "z", &r), 0);
        CHECK_UINT(r.seq, 4);
        world_end(&w, 4);
    }
}

static void told_early_and_whole(void)
{
    static struct plog_ticket *t[MANY];
    make(PLOG_ACK_LOG);
    for (int i = 0; i < MANY; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%d", i);
        CHECK_INT(submit(id, id, &t[i], NULL), 0);
    }
    for (int i = 0; i < MANY; i++) {
        struct plog_receipt r = {0};
        CHECK_INT(plog_wait(t[i], &r, NULL), 0);
        CHECK_UINT(r.seq, (unsigned)i + 2);
        CHECK(r.size >= r.seq);
    }
    CHECK_INT(world_put(&w, "last", "r", "x", NULL), 0);
    world_end(&w, MANY + 2);
}

/* What was handed over is written soon, whether or not anybody waits for it. */
static void nobody_waits(void)
{
    struct plog_ticket *t = NULL;
    make(PLOG_ACK_STORE);
    CHECK_INT(submit("a", "one", &t, NULL), 0);
    CHECK_INT(plog_wait(t, NULL, NULL), 0);
    for (unsigned i = 0; i < 4 && !check_failing(); i++) {
        usleep(5000); /* the handle's thread has gone to sleep */
        CHECK_INT(submit(NULL, "one", &t, NULL), 0);
        double until = world_seconds() + 5;
        while (world_size(&w) < i + 3 && world_seconds() < until)
            usleep(500);
        CHECK_UINT(world_size(&w), i + 3);
        CHECK_INT(plog_wait(t, NULL, NULL), 0);
    }
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"in_their_order", in_their_order},
        {"refusals", refusals},
        {"a cursor alone", a_cursor_alone},
        {"after_a_failed_sync", after_a_failed_sync},
        {"no_thread_to_be_had", no_thread_to_be_had},
        {"a_full_queue", a_full_queue},
        {"beside_others", beside_others},
        {"in_a_child", in_a_child},
        {"the_store_cannot_follow", the_store_cannot_follow},
        {"told_early_and_whole", told_early_and_whole},
        {"nobody_waits", nobody_waits},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
