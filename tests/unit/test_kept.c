/*
 * test_kept.c - an older log beside archive/ and snapshots/ that prove it to be
 * one: nobody brings a store up to it, and that is asked before anything is
 * made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "gz.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_error err;
static char older[600]; /* a copy of a time before */

/* A log of 22 deltas, and a store of 12 of them, where others were compacted
 * away behind both. */
static void make(void)
{
    char log[600];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 12);
    snprintf(older, sizeof older, "%.500s-older", w.dir);
    world_copy(w.dir, older);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 12, 22);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    snprintf(log, sizeof log, "%.500s-log", w.dir);
    world_copy(world_path(&w, "log"), log);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 22, 60);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    world_remove(world_path(&w, "log"));
    world_copy(log, world_path(&w, "log"));
    world_take_store(&w, older);
}

static void forget(void)
{
    world_remove(world_path(&w, "snapshots"));
    world_remove(world_path(&w, "archive"));
}

static int replay(const struct plog_io *io, bool fresh)
{
    struct plog_replay_options o = {
        .struct_size = sizeof o, .io = io, .fresh = fresh};
    struct plog_replay_report r;
    memset(&err, 0, sizeof err);
    return plog_replay(w.dir, &o, &r, &err);
}

static int open_it(bool leave)
{
    struct plog_options o = {.struct_size = sizeof o, .leave_behind = leave};
    plog *p = NULL;
    memset(&err, 0, sizeof err);
    int rc = plog_open(&p, w.dir, &o, &err);
    if (!rc)
        plog_close(p);
    return rc;
}

static uint64_t store_size(void)
{
    return (uint64_t)world_number(&w, "SELECT max(seq) FROM events");
}

/* An opening for writing says what a replay says, and so does a rehearsal. */
static void no_opening_brings_a_store_there(void)
{
    struct plog_compact_report r;
    make();
    uint64_t before = store_size();
    CHECK_INT(replay(NULL, false), PLOG_E_ROLLBACK);
    for (int leave = 0; leave < 2; leave++) {
        CHECK_INT(open_it(leave), PLOG_E_ROLLBACK);
        CHECK(strncmp(err.file, "snapshots/", 10) == 0);
        CHECK(strstr(err.hint, "to go on as it is, move files above") != NULL);
    }
    CHECK_INT(peers_compact_with(
                  &w, (struct plog_compact_options){.dry_run = true}, &r),
              PLOG_E_ROLLBACK);
    CHECK_UINT(store_size(), before);
    world_remove(world_path(&w, "snapshots"));
    CHECK_INT(open_it(false), PLOG_E_ROLLBACK);
    CHECK(strncmp(err.file, "archive/", 8) == 0);
    forget();
    CHECK_INT(open_it(false), 0);
    CHECK(store_size() > before);
    world_end(&w, world_size(&w));
}

/* A store that has all that the log has is as old: both legs go on. */
static void legs_of_one_age_go_on(void)
{
    make();
    world_remove(world_path(&w, "log"));
    char log[700];
    snprintf(log, sizeof log, "%.600s/log", older);
    world_copy(log, world_path(&w, "log"));
    CHECK_INT(open_it(false), 0);
    CHECK_INT(replay(NULL, false), PLOG_E_ROLLBACK);
}

static unsigned made; /* stores */

static int sees_a_store_made(void *ctx, int dir, const char *name, int flags,
                             unsigned mode)
{
    made += flags & O_CREAT && strstr(name, "store.") != NULL;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void asked_at_once(void)
{
    struct plog_io io = *plog_io_posix();
    io.open_at = sees_a_store_made;
    make();
    world_drop_store(&w);
    made = 0;
    CHECK_INT(replay(&io, true), PLOG_E_ROLLBACK);
    CHECK_UINT(made, 0);
    forget();
    CHECK_INT(replay(&io, true), 0);
    CHECK(made > 0);
    world_end(&w, world_size(&w));
}

static int archive_fails(void *ctx, int dir, const char *name, int flags,
                         unsigned mode)
{
    return strstr(name, ".jsonl.gz")
               ? -EIO
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* What cannot be read is an error, be anybody told of it or not. */
static void nobody_is_told(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_replay_options o = {
        .struct_size = sizeof o, .io = &io, .fresh = true};
    struct plog_replay_report r;
    io.open_at = archive_fails;
    make();
    world_drop_store(&w);
    CHECK_INT(plog_replay(w.dir, &o, &r, NULL), PLOG_E_IO);
    CHECK_INT(replay(&io, true), PLOG_E_IO);
    CHECK(err.file[0] != '\0');
}

static void pack(const char *name, const char *text)
{
    struct plog_gz g;
    int fd = open(world_path(&w, name), O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(plog_gz_create(&g, plog_io_posix(), fd, 1, NULL), 0);
    CHECK_INT(plog_gz_write(&g, text, strlen(text), NULL), 0);
    CHECK_INT(plog_gz_finish(&g, NULL), 0);
    plog_gz_close(&g);
    close(fd);
}

/* What ends before a header would stand proves nothing. */
static void files_without_a_header(void)
{
    static const char *const texts[] = {"", "{}\n", "{}\n{}\n"};
    struct world_found f;
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "a", "1", "one", NULL), 0);
    world_close(&w);
    CHECK_INT(mkdir(world_path(&w, "snapshots"), 0700), 0);
    CHECK_INT(mkdir(world_path(&w, "archive"), 0700), 0);
    for (int i = 0; i < 3; i++) {
        pack("snapshots/00000000000000001000.jsonl.gz", texts[i]);
        pack("archive/00000000000000001001.jsonl.gz", texts[i]);
        CHECK_INT(world_verify(&w, NULL, &f), 0);
        CHECK_INT(replay(NULL, true), 0);
    }
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"no opening brings a store there", no_opening_brings_a_store_there},
        {"legs of one age go on", legs_of_one_age_go_on},
        {"asked at once", asked_at_once},
        {"nobody is told", nobody_is_told},
        {"files without a header", files_without_a_header},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
