/*
 * test_commit_at.c - the commit at the store's head, read from the log: one
 * that both have alike and nobody signed, and a log that was cut while memory
 * still holds what was read of it before.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "commit_at.h"
#include "engine.h"
#include "world.h"

static struct world w;
static struct plog_error err;
static char copy[700]; /* of the log's segment */
static char *text;
static size_t length;

static struct plog_legs *legs(void)
{
    return &w.p->legs;
}

static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", "a", NULL), 0);
    CHECK_INT(world_put(&w, NULL, "2", "b", NULL), 0);
    text =
        world_read(world_path(&w, "log/00000000000000000001.jsonl"), &length);
    length = (size_t)legs()->head.offset; /* padding lies behind it */
    snprintf(copy, sizeof copy, "%.600s-copy", w.dir);
    memset(&err, 0, sizeof err);
}

static void end(void)
{
    free(text);
    CHECK_INT(unlink(copy), 0);
    world_end(&w, 3);
}

/* Whether the head stands in that much of the copy. */
static int stands(const struct plog_dir *d, const struct plog_store_head *h,
                  size_t n)
{
    world_write(copy, text, n);
    int fd = open(copy, O_RDONLY | O_CLOEXEC);
    int rc = plog_commit_stands(d, &legs()->chain, fd, h, &err);
    CHECK(plog_commit_lies(d, fd, h) == (n == length));
    close(fd);
    return rc;
}

/* Both legs may be changed alike: the signature is what counts. */
static void signed_by_nobody(void)
{
    make();
    struct plog_store_head h = legs()->head;
    CHECK_INT(stands(&legs()->dir, &h, length), 0);
    char *line = text;
    for (char *at = text; /* the last one */
         (at = memmem(at, (size_t)(text + length - at), "{\"commit\"", 9)) !=
         NULL;
         at++)
        line = at;
    char *sig = strstr(line, "\"sig\":\"");
    REQUIRE(sig != NULL);
    sig[20] = sig[20] == 'A' ? 'B' : 'A';
    CHECK_INT(
        plog_commit_parse(plog_span(line, (size_t)(text + length - 1 - line)),
                          &h.commit),
        0);
    CHECK_UINT(h.commit.size, 3);
    CHECK_INT(stands(&legs()->dir, &h, length), PLOG_END);
    end();
}

/* A head of another size has not that commit, be all else of it alike. */
static void of_another_size(void)
{
    make();
    struct plog_store_head h = legs()->head;
    world_write(copy, text, length);
    int fd = open(copy, O_RDONLY | O_CLOEXEC);
    CHECK(plog_commit_lies(&legs()->dir, fd, &h));
    for (int by = -1; by < 2; by += 2) {
        h.commit.size = legs()->head.commit.size + (uint64_t)by;
        CHECK(!plog_commit_lies(&legs()->dir, fd, &h));
        CHECK_INT(
            plog_commit_stands(&legs()->dir, &legs()->chain, fd, &h, &err),
            PLOG_END);
    }
    close(fd);
    end();
}

/* Memory that is given out again as it was given back. */
static _Alignas(16) char arena[1 << 18];
static size_t used;

static void *stale(void *ctx, void *p, size_t n)
{
    (void)ctx;
    char *to = n ? arena + used : NULL;
    used += (n + 15) & ~(size_t)15;
    if (!CHECK(used <= sizeof arena))
        abort();
    if (p && n)
        memmove(to, p, n);
    return to;
}

/* A log that ends before the head has not its commit, though memory has. */
static void cut_below_it(void)
{
    static const size_t lost[] = {1, 2, 10, 200};
    struct plog_io io = *plog_io_posix();
    struct plog_dir d;
    make();
    struct plog_store_head h = legs()->head;
    d = legs()->dir;
    d.io = &io;
    io.alloc = stale;
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        used = 0;
        CHECK_INT(stands(&d, &h, length), 0);
        used = 0;
        if (!CHECK_INT(stands(&d, &h, length - lost[i]), PLOG_END))
            printf("# %zu bytes\n", lost[i]);
    }
    end();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"signed by nobody", signed_by_nobody},
        {"of another size", of_another_size},
        {"cut below it", cut_below_it},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
