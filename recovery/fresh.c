/* fresh.c - see fresh.h. */
#include "fresh.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "left.h"

/* ---- Without journal ---------------------------------------------------- */

static int set_journal(struct plog_store *s, const char *sql, const char *mode,
                       struct plog_error *err)
{
    sqlite3_stmt *q;
    plog_store_rest(s);
    int rc = plog_sql_prepare(s->db, sql, &q, err);
    if (!rc)
        rc = plog_sql_row(q, err);
    if (!rc && !plog_span_is(plog_sql_text(q, 0), mode))
        rc = plog_fail(err, PLOG_E_IO, "store.db: no journal mode %s", mode);
    sqlite3_finalize(q);
    return rc;
}

int plog_fresh_begin(struct plog_legs *l, int *fd, struct plog_error *err)
{
    const struct plog_io *io = l->io;
    struct plog_store *s = &l->store;
    *fd = plog_io_open_regular(io, l->dir.dir, PLOG_STORE_FILE, O_RDWR);
    if (*fd < 0) {
        int rc = *fd;
        *fd = -1;
        return plog_fail_io(err, rc, PLOG_STORE_FILE, "opening the new store");
    }
    /* A defensive connection keeps its journal. */
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    int rc = set_journal(s, "PRAGMA journal_mode=OFF", "off", err);
    return rc ? rc : plog_sql_exec(s->db, "PRAGMA synchronous=OFF", err);
}

/* A WAL with something in it would be a part of the store. */
static int check_alone(struct plog_legs *l, struct plog_error *err)
{
    struct plog_stat st;
    int rc =
        l->io->stat_at(l->io->ctx, l->dir.dir, PLOG_STORE_FILE "-wal", &st);
    if (rc == -ENOENT || (rc == 0 && st.size == 0))
        return 0;
    return rc ? plog_fail_io(err, rc, PLOG_STORE_FILE, "looking for its WAL")
              : plog_fail(err, PLOG_E_IO, "the new store kept a WAL");
}

int plog_fresh_end(struct plog_legs *l, int *fd, struct plog_error *err)
{
    int rc = set_journal(&l->store, "PRAGMA journal_mode=WAL", "wal", err);
    /* Nobody else has it open: closing takes the WAL away. */
    sqlite3_db_config(l->store.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    plog_legs_close_store(l);
    if (!rc)
        rc = check_alone(l, err);
    if (!rc) {
        rc = l->io->fsync(l->io->ctx, *fd);
        if (rc)
            rc =
                plog_fail_io(err, rc, PLOG_STORE_FILE, "syncing the new store");
    }
    plog_fresh_drop(l, fd);
    return rc;
}

/* The file last: closing it earlier would end SQLite's locks. */
void plog_fresh_drop(struct plog_legs *l, int *fd)
{
    plog_legs_close_store(l);
    if (*fd >= 0)
        l->io->close(l->io->ctx, *fd);
    *fd = -1;
}

int plog_fresh_unmake(struct plog_legs *l, struct plog_error *err)
{
    static const char *const names[] = {PLOG_STORE_FILE, PLOG_STORE_FILE "-wal",
                                        PLOG_STORE_FILE "-shm",
                                        PLOG_STORE_FILE "-journal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int rc = l->io->unlink_at(l->io->ctx, l->dir.dir, names[i]);
        if (rc && rc != -ENOENT)
            return plog_fail_io(err, rc, names[i], "removing it");
    }
    return 0;
}

/* ---- The folder --------------------------------------------------------- */

static int make_folder(const struct plog_dir *d, struct plog_legs *out,
                       struct plog_error *err)
{
    const struct plog_io *io = d->io;
    int n = snprintf(out->dir.path, sizeof out->dir.path, "%.*s/%s",
                     (int)(sizeof out->dir.path - 64), d->path, PLOG_FRESH_DIR);
    if (n < 0 || strncmp(out->dir.path, d->path, strlen(d->path)) != 0)
        return plog_fail(err, PLOG_E_ARG, "the path is too long");
    int rc = io->mkdir_at(io->ctx, d->dir, PLOG_FRESH_DIR, 0700);
    if (!rc)
        rc = io->open_at(io->ctx, d->dir, PLOG_FRESH_DIR,
                         O_RDONLY | O_DIRECTORY, 0);
    if (rc < 0)
        return plog_fail_io(err, rc, PLOG_FRESH_DIR,
                            "making a folder for the new store");
    out->dir.dir = rc;
    return 0;
}

int plog_fresh_make(const struct plog_legs *from, const char *origin,
                    struct plog_legs *out, struct plog_error *err)
{
    memset(out, 0, sizeof *out);
    (void)plog_left_store(&from->dir); /* else making it fails */
    out->options = from->options;
    out->wait_seconds = from->wait_seconds;
    out->network_fs = true; /* the caller has seen to that */
    out->dir = from->dir;
    out->dir.dir = out->dir.lock = -1;
    out->dir.locked = false;
    out->keys = from->keys;
    out->io = from->io;
    plog_tail_init(&out->tail, &out->dir);
    int rc = make_folder(&from->dir, out, err);
    if (!rc)
        rc = plog_legs_open_store(out, true, err);
    if (!rc)
        rc = plog_store_create_tables(&out->store, origin, err);
    return rc ? rc : plog_store_get_head(&out->store, &out->head, err);
}

int plog_fresh_install(const struct plog_legs *fresh, const struct plog_dir *to,
                       struct plog_error *err)
{
    const struct plog_io *io = to->io;
    int rc = io->rename_at(io->ctx, fresh->dir.dir, PLOG_STORE_FILE, to->dir,
                           PLOG_STORE_FILE, false);
    if (!rc)
        rc = io->fsync(io->ctx, to->dir);
    return rc ? plog_fail_io(err, rc, PLOG_STORE_FILE, "naming the new store")
              : 0;
}

void plog_fresh_close(struct plog_legs *fresh, const struct plog_dir *dir)
{
    if (!fresh->io)
        return;
    plog_legs_close_store(fresh);
    plog_tail_close(&fresh->tail);
    if (fresh->dir.dir >= 0)
        fresh->io->close(fresh->io->ctx, fresh->dir.dir);
    fresh->io = NULL;
    (void)plog_left_store(dir); /* its name says what it is */
}
