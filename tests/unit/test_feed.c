/*
 * test_feed.c - the groups of a log in batches: how much is in one, however
 * long the log is.
 */
#include <string.h>

#include "check.h"
#include "engine.h"
#include "feed.h"
#include "world.h"

#define DELTAS 16
#define BATCH ((size_t)256 << 10) /* see feed.c */

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

static void start(void)
{
    struct plog_legs *l = &w.p->legs;
    CHECK_INT(plog_walk_open(&walk, &l->dir, &l->keys, NULL), 0);
    CHECK_INT(plog_walk_start(&walk, NULL), 0);
    plog_feed_open(&feed, &walk, 0, NULL, -1, false);
}

/* Of a log of any length no more is in memory: a batch, and the group that was
 * too much for it. */
static void batches_are_bounded(void)
{
    const struct plog_batch *b;
    size_t lines = 0, batches = 0;
    make();
    start();
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

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"batches are bounded", batches_are_bounded},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
