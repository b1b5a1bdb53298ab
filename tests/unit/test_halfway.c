/*
 * test_halfway.c - reading begins when a compaction has moved the floor and not
 * yet removed what lies below it, which goes while it is read.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "world.h"

#define FIRST "00000000000000000001.jsonl"

static struct world w;
static struct plog_error err;
static unsigned opened;

static int no_unlink(void *ctx, int dir, const char *name)
{
    return strstr(name, ".jsonl") ? -EIO
                                  : plog_io_posix()->unlink_at(ctx, dir, name);
}

/* A log halfway through a compaction. */
static void make(void)
{
    struct plog_io io = *plog_io_posix();
    io.unlink_at = no_unlink;
    opened = 0;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 20), 0);
    CHECK_INT(
        peers_compact_with(&w, (struct plog_compact_options){.io = &io}, NULL),
        PLOG_E_IO);
    CHECK(peers_floor(&w) > 0);
    CHECK(world_has(&w, "log/" FIRST));
}

/* The compaction goes on when the first segment is about to be read. */
static int on_open(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    if (strcmp(name, FIRST) == 0 && opened++ == 0)
        CHECK_INT(peers_compact(&w, NULL), 0);
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void rebuilt(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_rebuild_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_rebuild_report r;
    char out[600];
    make();
    uint64_t size = world_size(&w);
    io.open_at = on_open;
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    if (!CHECK_INT(plog_rebuild_store(w.dir, out, &o, &r, &err), 0))
        printf("# %s\n", err.message);
    CHECK(opened > 0);
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(r.head.size, size);
    world_remove(out);
    world_end(&w, size);
}

static void restored(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_restore_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_restore_report r;
    char out[600];
    make();
    uint64_t size = world_size(&w);
    io.open_at = on_open;
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    if (!CHECK_INT(plog_restore(w.dir, out, &o, &r, &err), 0))
        printf("# %s\n", err.message);
    CHECK(opened > 0);
    CHECK_UINT(r.head.size, size);
    world_remove(out);
    world_end(&w, size);
}

/* What is gone for another reason is told. */
static void gone(void)
{
    struct plog_rebuild_options o = {.struct_size = sizeof o};
    struct plog_rebuild_report r;
    char out[600];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 30);
    CHECK_INT(unlink(world_path(&w, "log/" FIRST)), 0);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    int rc = plog_rebuild_store(w.dir, out, &o, &r, &err);
    CHECK(rc || r.verdict);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"rebuilt", rebuilt},
        {"restored", restored},
        {"gone", gone},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
