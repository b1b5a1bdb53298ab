/*
 * test_pipe.c - what is made ahead comes in order, all of it and nothing else,
 * and no more of it waits than was said; with a thread and without one.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "no_threads.h"
#include "pipe.h"

static struct source {
    int last; /* the number that is the last one */
    size_t weight;
    atomic_int made;
    int slots[PLOG_PIPE_SLOTS]; /* what is in them */
    bool signals_blocked;
} source;

static int make(void *arg, unsigned slot, size_t *weight)
{
    struct source *s = arg;
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    s->signals_blocked = sigismember(&set, SIGTERM) == 1;
    s->slots[slot] = atomic_fetch_add(&s->made, 1);
    *weight = s->weight;
    return s->slots[slot] == s->last;
}

static void wait_a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* Takes `count` of them, and looks how far ahead the maker is. */
static void take(struct plog_pipe *p, int from, int count, int ahead_max)
{
    unsigned slot = 99;
    for (int i = from; i < from + count; i++) {
        REQUIRE(plog_pipe_take(p, &slot));
        CHECK_INT(source.slots[slot], i);
        if (i % 16 == 0)
            wait_a_moment();
        CHECK(atomic_load(&source.made) - i <= ahead_max);
        CHECK_INT(source.slots[slot], i); /* nobody fills the one at hand */
    }
}

static void in_order(void)
{
    for (int threaded = 0; threaded < 2; threaded++)
        for (unsigned slots = 1; slots <= PLOG_PIPE_SLOTS; slots++) {
            struct plog_pipe p;
            unsigned slot, asked = threads_asked, joined = threads_joined;
            memset(&source, 0, sizeof source);
            source.last = 99;
            plog_pipe_open(&p, slots, 0, make, &source, threaded);
            CHECK_INT(p.has_thread, threaded);
            take(&p, 0, 100, threaded ? (int)slots : 1);
            CHECK(!plog_pipe_take(&p, &slot));
            CHECK(!plog_pipe_take(&p, &slot));
            CHECK_INT(source.made, 100);
            CHECK_INT(source.signals_blocked, threaded);
            plog_pipe_close(&p);
            plog_pipe_close(&p);
            CHECK_UINT(threads_asked - asked, (unsigned)threaded);
            CHECK_UINT(threads_joined - joined, (unsigned)threaded);
        }
}

/* What is heavy waits alone. */
static void by_weight(void)
{
    static const struct {
        size_t weight, max;
        int ahead;
    } all[] = {{10, 9, 1}, {10, 10, 2}, {10, 19, 2}, {10, 20, 3}, {1, 99, 4}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_pipe p;
        memset(&source, 0, sizeof source);
        source.last = 49;
        source.weight = all[i].weight;
        plog_pipe_open(&p, 4, all[i].max, make, &source, true);
        take(&p, 0, 50, all[i].ahead);
        plog_pipe_close(&p);
    }
}

/* Whoever has enough ends it, wherever the maker is. */
static void left_early(void)
{
    for (int taken = 0; taken < 8; taken++)
        for (int threaded = 0; threaded < 2; threaded++) {
            struct plog_pipe p;
            memset(&source, 0, sizeof source);
            source.last = -1; /* never */
            plog_pipe_open(&p, 3, 0, make, &source, threaded);
            take(&p, 0, taken, 3);
            plog_pipe_close(&p);
            int made = source.made;
            wait_a_moment();
            CHECK_INT(source.made, made);
        }
}

/* Where no thread can be had it is made by who takes it, and none is waited
 * for. */
static void no_thread(void)
{
    struct plog_pipe p;
    unsigned slot, joined = threads_joined;
    memset(&source, 0, sizeof source);
    source.last = 9;
    no_threads = true;
    plog_pipe_open(&p, 3, 0, make, &source, true);
    no_threads = false;
    CHECK(!p.has_thread);
    take(&p, 0, 10, 1);
    CHECK(!plog_pipe_take(&p, &slot));
    CHECK_INT(source.made, 10);
    CHECK(!source.signals_blocked);
    plog_pipe_close(&p);
    CHECK_UINT(threads_joined, joined);
}

/* A table of the caller's own is driven by the caller's threads alone. */
static void whose_table(void)
{
    struct plog_io io = *plog_io_posix();
    CHECK(plog_pipe_may_thread(plog_io_posix()));
    CHECK(!plog_pipe_may_thread(&io));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"in order", in_order},       {"by weight", by_weight},
        {"left early", left_early},   {"no thread", no_thread},
        {"whose table", whose_table},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
