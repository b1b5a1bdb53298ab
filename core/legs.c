/* legs.c - see legs.h.  Mending is in repair.c, replaying in replay.c. */
#include "commit_at.h"
#include "fs.h"
#include "legs.h"

#include <errno.h>
#include <fcntl.h>

static void init_legs(struct plog_legs *l, const struct plog_io *io,
                      const struct plog_options *options)
{
    memset(l, 0, sizeof *l);
    l->io = io;
    l->options = options;
    l->wait_seconds = 10;
    if (options->wait_seconds != 0)
        l->wait_seconds = options->wait_seconds;
    l->network_fs = options->allow_network_fs;
    l->dir.dir = l->dir.log = l->dir.keys = l->dir.lock = -1;
    plog_tail_init(&l->tail, &l->dir);
}

int plog_legs_open(struct plog_legs *l, const struct plog_io *io,
                   const char *path, enum plog_dir_mode mode,
                   const struct plog_options *options, struct plog_error *err)
{
    init_legs(l, io, options);
    int rc =
        plog_dir_open(&l->dir, io, path, mode, options->allow_loose_modes, err);
    if (!rc)
        rc = plog_keyring_load(&l->keys, io, l->dir.keys, options->vkey, err);
    if (rc)
        plog_legs_close(l);
    return rc;
}

void plog_legs_take(struct plog_legs *l, struct plog_dir *dir,
                    const struct plog_keyring *keys,
                    const struct plog_options *options)
{
    init_legs(l, dir->io, options);
    l->dir = *dir;
    l->keys = *keys;
    dir->dir = dir->log = dir->keys = dir->lock = dir->watch = -1;
}

void plog_legs_close_store(struct plog_legs *l)
{
    if (l->store_open)
        plog_store_close(&l->store);
    l->store_open = false;
}

void plog_legs_close(struct plog_legs *l)
{
    if (!l->io) /* nothing was opened */
        return;
    plog_legs_close_store(l);
    plog_tail_close(&l->tail);
    plog_dir_close(&l->dir);
    l->io = NULL;
}

static int no_store(struct plog_error *err)
{
    plog_fail(err, PLOG_E_BEHIND, "there is a log but no store");
    plog_err_file(err, PLOG_STORE_FILE);
    plog_err_hint(err, "run: paritylog replay DIR");
    return PLOG_E_BEHIND;
}

/* The store by its name, which must be one file throughout the opening. */
static int look_at_store(struct plog_legs *l, struct plog_stat *st,
                         struct plog_error *err)
{
    int rc = l->io->stat_at(l->io->ctx, l->dir.dir, PLOG_STORE_FILE, st);
    if (rc == -ENOENT)
        return PLOG_END;
    if (rc)
        return plog_fail_io(err, rc, PLOG_STORE_FILE, "looking at the store");
    if ((st->mode & 0170000) == 0100000 && st->links == 1)
        return 0;
    plog_fail(err, PLOG_E_DIVERGED,
              "store.db is not a regular file with one"
              " link");
    plog_err_file(err, PLOG_STORE_FILE);
    return PLOG_E_DIVERGED;
}

/* Made by us, because SQLite would let others read it; its WAL and shared
 * memory take the mode of the database. */
static int make_file(struct plog_legs *l, struct plog_error *err)
{
    int fd = l->io->open_at(l->io->ctx, l->dir.dir, PLOG_STORE_FILE,
                            O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return plog_fail_io(err, fd, PLOG_STORE_FILE, "making the store");
    l->io->close(l->io->ctx, fd);
    return 0;
}

int plog_legs_open_store(struct plog_legs *l, bool create,
                         struct plog_error *err)
{
    char path[PLOG_DIR_PATH_MAX];
    struct plog_stat before;
    int wait_ms = plog_io_wait_ms(l->wait_seconds);
    int rc = plog_fs_check(&l->dir, l->network_fs, err);
    if (!rc)
        rc = look_at_store(l, &before, err);
    if (rc < 0)
        return rc;
    bool missing = rc == PLOG_END;
    if (missing && !create)
        return no_store(err);
    plog_dir_store_path(&l->dir, path, sizeof path);
    rc = plog_store_check_path(path, err);
    if (!rc && missing)
        rc = make_file(l, err);
    if (rc)
        return rc;
    rc = plog_store_open(&l->store, l->io, path,
                         create ? PLOG_OPEN_CREATE : PLOG_OPEN_WRITE, wait_ms,
                         err);
    if (rc)
        return rc;
    l->store_open = true;
    l->store.lock = l->dir.lock;
    l->store.fold.options = l->options;
    rc = look_at_store(l, &l->store_id, err);
    if (rc == PLOG_END ||
        (!rc && !missing && !plog_stat_same(&before, &l->store_id)))
        rc = plog_fail(err, PLOG_E_LOCKED,
                       "store.db was replaced while it"
                       " was opened");
    if (!rc && missing)
        rc = l->io->fsync(l->io->ctx, l->dir.dir)
                 ? plog_fail(err, PLOG_E_IO, "syncing the directory failed")
                 : 0;
    if (!rc && !l->store.has_tables && !create)
        rc = no_store(err);
    if (l->io->stat_at(l->io->ctx, l->dir.dir, PLOG_STORE_WAL_FILE, &l->wal_id))
        l->wal_id.inode = 0;
    if (rc)
        plog_legs_close_store(l);
    return rc;
}

/* ---- Head check --------------------------------------------------------- */

/* A crash right after a rotation leaves a segment the store knows nothing of;
 * and nobody writes beside one that somebody put further on. */
static int check_no_next(const struct plog_dir *dir, uint64_t segment,
                         struct plog_error *err)
{
    struct plog_buf list;
    plog_buf_init(&list, dir->io);
    int rc = plog_dir_segments(dir, &list, err);
    if (rc == PLOG_E_CORRUPT)
        rc = 0; /* an odd file, which verify names */
    size_t n = plog_segment_count(&list);
    if (!rc && n && plog_segment_at(&list, n - 1) > segment)
        rc = PLOG_END;
    plog_buf_fini(&list);
    return rc;
}

int plog_legs_end_here(struct plog_tail *tail, const struct plog_dir *dir,
                       const struct plog_keychain *keys,
                       const struct plog_store_head *h, struct plog_error *err)
{
    int rc = tail->end < h->offset ? PLOG_END : 0;
    if (!rc)
        rc = plog_commit_stands(dir, keys, tail->fd, h, err);
    if (!rc)
        rc = check_no_next(dir, h->segment, err);
    return rc ? rc : plog_tail_is_clean(tail, h->offset, true, err);
}

int plog_legs_check(struct plog_legs *l, struct plog_error *err)
{
    int rc = plog_store_begin(&l->store, err);
    if (!rc)
        rc = plog_store_get_head(&l->store, &l->head, err);
    if (!rc && l->head.commit.size == 0)
        rc = PLOG_END;
    if (!rc)
        rc = plog_store_keys(&l->store, &l->head, &l->keys, &l->chain, err);
    if (!rc)
        rc = plog_tail_open(&l->tail, l->head.segment, err);
    if (rc == PLOG_E_CORRUPT)
        rc = PLOG_END; /* the segment is gone: the repair says what is wrong */
    if (!rc)
        rc = plog_legs_end_here(&l->tail, &l->dir, &l->chain, &l->head, err);
    if (rc)
        plog_store_rollback(&l->store);
    return rc;
}
