/*
 * test_feed.c - the groups of a log in batches: how much is in one, however
 * long the log is, and when a file of the reader is synced.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "engine.h"
#include "feed.h"
#include "world.h"

#define DELTAS 16
#define BATCH ((size_t)256 << 10) /* see feed.c */
#define SYNC ((size_t)8 << 20)    /* there, too */

static struct world w;
static struct plog_walk walk;
static struct plog_feed feed;

/* A log of some groups of 40 KB each: 640 KB. */
static void make(void)
{
    static char payload[40000], text[40500];
    struct world_delta d = {.payload = payload};
    memset(payload, 'v', sizeof payload);
    memcpy(payload, "{\"v\":\"", 6);
    memcpy(payload + sizeof payload - 3, "\"}", 3);
    world_text(text, sizeof text, &d);
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < DELTAS; i++)
        CHECK_INT(world_append(&w, text, NULL, NULL), 0);
}

static unsigned syncs, fails_at; /* calls so far; the one that fails, from 1 */
static int synced;               /* the handle of the last one */

static int counted(void *ctx, int fd)
{
    (void)ctx;
    synced = fd;
    return ++syncs == fails_at ? -EIO : 0;
}

static void start(int sync_fd)
{
    struct plog_legs *l = &w.p->legs;
    CHECK_INT(plog_walk_open(&walk, &l->dir, &l->keys, NULL), 0);
    CHECK_INT(plog_walk_start(&walk, NULL), 0);
    plog_feed_open(&feed, &walk, 0, NULL, sync_fd, false);
}

/* Of a log of any length no more is in memory: a batch, and the group that was
 * too much for it. */
static void batches_are_bounded(void)
{
    const struct plog_batch *b;
    size_t lines = 0, batches = 0;
    make();
    start(-1);
    while ((b = plog_feed_next(&feed)) != NULL) {
        CHECK(b->text.len < BATCH + 41000);
        CHECK_UINT(b->groups.len / sizeof(struct plog_feed_group),
                   b->lines.len / sizeof(struct plog_feed_line));
        lines += b->lines.len / sizeof(struct plog_feed_line);
        batches++;
    }
    CHECK_INT(feed.stop, PLOG_END);
    CHECK_UINT(lines, DELTAS + 1);
    CHECK(batches == 3);
    plog_feed_close(&feed);
    plog_walk_close(&walk);
    world_end(&w, DELTAS + 1);
}

/* The disk has work early: a sync for each so many bytes, none by whoever has
 * no file, and no further one when one failed, which is told at the end. */
static void synced_now_and_then(void)
{
    static const struct {
        int fd;
        unsigned fails_at, syncs;
    } all[] = {{77, 0, 2}, {77, 1, 1}, {77, 2, 2}, {-1, 0, 0}};
    struct plog_io io = *plog_io_posix();
    const struct plog_io *before;
    make();
    io.fdatasync = counted;
    before = w.p->legs.dir.io;
    w.p->legs.dir.io = &io;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        syncs = 0;
        synced = -1;
        fails_at = all[i].fails_at;
        start(all[i].fd);
        feed.unsynced = SYNC - 1; /* as if so many were read before */
        while (plog_feed_next(&feed) != NULL)
            feed.unsynced += SYNC - BATCH;
        CHECK_INT(feed.stop, PLOG_END);
        if (!CHECK_UINT(syncs, all[i].syncs))
            printf("#   row %zu\n", i);
        CHECK_INT(synced, all[i].syncs ? 77 : -1);
        CHECK_INT(feed.sync_failed, all[i].fails_at ? -EIO : 0);
        plog_feed_close(&feed);
        plog_walk_close(&walk);
    }
    w.p->legs.dir.io = before;
    world_end(&w, DELTAS + 1);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"batches are bounded", batches_are_bounded},
        {"synced now and then", synced_now_and_then},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
