/*
 * test_scrub_again.c - a payload that came back, or that an order from
 * elsewhere is about, while a segment of the log cannot be read: nobody is told
 * that it is seen to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "engine.h"
#include "peers.h"
#include "redacting.h"
#include "scrub.h"
#include "world.h"

static struct world w;
static struct plog_io io; /* the real one, which the cases change */
static struct plog_error err;
static char unreadable[40]; /* the segment that cannot be opened */

static int failing_open(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    return strcmp(name, unreadable) == 0
               ? -EIO
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void open_over_it(void)
{
    io = *plog_io_posix();
    io.open_at = failing_open;
    unreadable[0] = '\0';
    memset(&err, 0, sizeof err);
    w.options.io = &io;
    CHECK_INT(world_open(&w), 0);
}

static void cannot_read(uint64_t first)
{
    snprintf(unreadable, sizeof unreadable, "%020llu.jsonl",
             (unsigned long long)first);
}

/* ---- Whole again -------------------------------------------------------- */

/* Two entries in two segments are whole again, and the second of these cannot
 * be read: then none of them is marked, and the error is told. */
static void a_segment_cannot_be_read(void)
{
    struct plog_redact_report r;
    char log[700], old[700];
    uint64_t count = 99, later;
    world_make(&w, PLOG_ARRIVAL, 4096);
    for (int i = 0; i < 40; i++)
        CHECK_INT(world_put(&w, NULL, "r", "v", NULL), 0);
    world_close(&w);
    later = (uint64_t)world_number(&w, "SELECT min(first) FROM segments WHERE"
                                       " first>1");
    REQUIRE(later > 2 && later < 30);
    snprintf(log, sizeof log, "%s", world_path(&w, "log"));
    snprintf(old, sizeof old, "%.600s-old", w.dir);
    world_copy(log, old);
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    CHECK_INT(redacting_order(&w, later, &r, &err), 0);
    for (int i = 0; i < 2; i++) { /* as from a backup */
        char name[60], from[800];
        size_t n;
        snprintf(name, sizeof name, "log/%020llu.jsonl",
                 (unsigned long long)(i ? later : 1));
        snprintf(from, sizeof from, "%s/%s", old, name + 4);
        char *text = world_read(from, &n);
        world_write(world_path(&w, name), text, n);
        free(text);
    }
    open_over_it();
    cannot_read(later);
    CHECK_INT(plog_scrub_again(&w.p->legs, &count, &err), PLOG_E_IO);
    CHECK_INT(err.code, PLOG_E_IO);
    CHECK_UINT(count, 0);
    CHECK_INT(redacting_pending(&w), 0);
    unreadable[0] = '\0';
    CHECK_INT(plog_scrub_again(&w.p->legs, &count, &err), 0);
    CHECK_UINT(count, 2);
    CHECK_INT(redacting_pending(&w), 2);
    world_close(&w);
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    CHECK_INT(redacting_pending(&w), 0);
}

/* ---- An order that came along -------------------------------------------- */

/* A copy with an order in orders/ about entry 2, of which the store has no
 * line: it would be looked for in the log. */
static void the_line_cannot_be_read(void)
{
    struct plog_redact_report r;
    struct plog_restore_report copied;
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .at_seq = 10,
                                     .continue_as = "test.example/on"};
    char out[560];
    size_t n;
    peers_make(&w, PLOG_KEEP_LOCAL, 20);
    CHECK_INT(redacting_order(&w, 2, &r, &err), 0);
    snprintf(out, sizeof out, "%.500s-copy", w.dir);
    CHECK_INT(plog_restore(w.dir, out, &o, &copied, NULL), 0);
    snprintf(w.dir, sizeof w.dir, "%.511s", out);
    REQUIRE(world_has(&w, "orders"));
    world_sql(&w, "DELETE FROM events WHERE seq=2");
    CHECK_INT(mkdir(world_path(&w, "quarantine"), 0700), 0);
    world_write(world_path(&w, "quarantine/old.jsonl-1"), "a line\n", 7);
    open_over_it();
    cannot_read(1);
    CHECK_INT(plog_scrub_brought(&w.p->legs, &err), PLOG_E_IO);
    CHECK_INT(err.code, PLOG_E_IO);
    CHECK_TEXT(err.file, "log/00000000000000000001.jsonl");
    CHECK(err.message[0] != '\0');
    unreadable[0] = '\0';
    CHECK_INT(plog_scrub_brought(&w.p->legs, &err), 0);
    char *text = world_read(world_path(&w, "quarantine/old.jsonl-1"), &n);
    CHECK_BYTES(text, n, "a line\n", 7);
    free(text);
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a segment cannot be read", a_segment_cannot_be_read},
        {"the line cannot be read", the_line_cannot_be_read},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
