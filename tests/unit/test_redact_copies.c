/*
 * test_redact_copies.c - a payload that is redacted is in no file that an
 * undone or a killed compaction left.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_compact_report r;
static char snapshot[64]; /* of the compaction */

static unsigned files(const char *folder)
{
    struct dirent *e;
    unsigned n = 0;
    DIR *d = opendir(world_path(&w, folder));
    while (d && (e = readdir(d)) != NULL)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static void keep(const char *name, const char *as)
{
    size_t n;
    char *bytes = world_read(world_path(&w, name), &n);
    world_write(world_path(&w, as), bytes, n);
    free(bytes);
}

/* Compacted and undone.  What stood in the archive and the snapshot is kept
 * beside the log, in kept-1 and kept-2. */
static void undone(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 50), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(r.to > 2);
    snprintf(snapshot, sizeof snapshot, "%s", r.snapshot);
    CHECK_UINT(files("snapshots"), 1);
    CHECK(files("archive") > 1);
    keep("archive/00000000000000000001.jsonl.gz", "kept-1");
    keep(snapshot, "kept-2");
    CHECK_INT(peers_undo(&w, &r), 0);
    CHECK_UINT(files("snapshots"), 1); /* for who loses the undo's entry */
    CHECK_UINT(files("archive"), 0);
}

static const struct plog_io *io; /* of redact; NULL: the usual one */

static int redact(uint64_t seq, bool dry_run)
{
    struct plog_redact_options o = {
        .struct_size = sizeof o, .io = io, .reason = "x", .dry_run = dry_run};
    struct plog_redact_report report;
    struct plog_error err = {0};
    int rc = plog_redact(w.dir, seq, &o, &report, &err);
    if (rc)
        printf("# %s\n", err.message);
    return rc;
}

static void gone(void)
{
    CHECK_UINT(files("snapshots"), 1);
    CHECK(world_has(&w, "snapshots/mine.txt")); /* none of ours */
    CHECK_UINT(files("archive"), 0);
}

/* As a compaction leaves it that is killed at one place or another. */
static void leave(void)
{
    keep("kept-1", "archive/00000000000000000001.jsonl.gz");
    keep("kept-2", snapshot);
    keep("kept-2", "snapshots/00000000000000000050.jsonl.gz.new");
    keep("kept-2", "snapshots/fold.db");
    keep("kept-2", "snapshots/fold.db-wal");
    keep("kept-2", "snapshots/mine.txt");
}

static void no_copy_is_left(void)
{
    undone();
    CHECK_INT(redact(3, false), 0);
    CHECK_UINT(files("snapshots"), 0);
    leave();
    CHECK_INT(redact(2, true), 0); /* which changes nothing */
    CHECK_UINT(files("snapshots"), 5);
    CHECK_UINT(files("archive"), 1);
    CHECK_INT(redact(2, false), 0);
    gone();
    leave();
    CHECK_INT(redact(2, false), 0); /* again: it is done already */
    gone();
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
}

/* What is below the floor stays: the log stands on it. */
static void what_is_needed_stays(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    for (unsigned at = 20; at <= 40; at += 20) {
        CHECK_INT(peers_ack(&w, "p", at), 0);
        CHECK_INT(peers_compact(&w, &r), 0);
    }
    unsigned snapshots = files("snapshots"), archived = files("archive");
    CHECK_UINT(snapshots, 2);
    CHECK_INT(redact(r.to + 1, false), 0);
    CHECK_UINT(files("snapshots"), snapshots);
    CHECK_UINT(files("archive"), archived);
    CHECK_INT(peers_undo(&w, &r), 0);
    CHECK_UINT(files("snapshots"), 2);
    CHECK_INT(redact(r.to + 1, false), 0);
    CHECK_UINT(files("snapshots"), 1);
    CHECK_INT(peers_parity(&w), 0);
    world_end(&w, world_size(&w));
}

static int no_unlink(void *ctx, int dir, const char *name)
{
    return strcmp(name, strchr(snapshot, '/') + 1) == 0
               ? -EPERM
               : plog_io_posix()->unlink_at(ctx, dir, name);
}

static int no_fold_unlink(void *ctx, int dir, const char *name)
{
    return strcmp(name, "fold.db") == 0
               ? -EPERM
               : plog_io_posix()->unlink_at(ctx, dir, name);
}

static int no_rename(void *ctx, int old_dir, const char *old, int dir,
                     const char *name, bool replace)
{
    return strcmp(old, strchr(snapshot, '/') + 1) == 0
               ? -EPERM
               : plog_io_posix()->rename_at(ctx, old_dir, old, dir, name,
                                            replace);
}

/* What cannot be removed is told, before the log says anything; so is what is
 * no copy and cannot be moved. */
static void a_copy_that_stays(void)
{
    struct plog_io odd = *plog_io_posix();
    undone();
    uint64_t size = world_size(&w);
    odd.unlink_at = no_unlink;
    odd.rename_at = no_rename;
    io = &odd;
    CHECK_INT(redact(2, false), PLOG_E_IO);
    CHECK_UINT(world_size(&w), size);
    CHECK_INT(unlink(world_path(&w, snapshot)), 0);
    CHECK_INT(mkdir(world_path(&w, snapshot), 0700), 0);
    CHECK_INT(redact(2, false), PLOG_E_IO);
    CHECK_UINT(world_size(&w), size);
    CHECK_INT(rmdir(world_path(&w, snapshot)), 0);
    leave();
    odd = *plog_io_posix();
    odd.unlink_at = no_fold_unlink;
    CHECK_INT(redact(2, false), PLOG_E_IO);
    CHECK_UINT(world_size(&w), size);
    CHECK(world_has(&w, "snapshots/fold.db"));
    io = NULL;
    CHECK_INT(redact(2, false), 0);
    gone();
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"no copy is left", no_copy_is_left},
        {"what is needed stays", what_is_needed_stays},
        {"a copy that stays", a_copy_that_stays},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
