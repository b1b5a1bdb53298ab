/*
 * store_wal.c - SQLite's WAL: moving it into the database, and what a failed
 * sync makes of it.
 *
 * A sync that failed has lost pages that reads go on showing.  SQLite would
 * take the next sync, which has nothing left to write, for a good one, and
 * move frames into the database that the disk does not hold: cut off by a
 * crash in that, the store would be neither the old nor the new one, and might
 * look whole.  So the WAL is written anew, byte for byte, before anything is
 * moved out of it.  (After no other failure: a crash may leave garbage where
 * bytes are written again, and what a checkpoint that failed later has moved
 * already needs them.)  That it has to be is noted in the lock file, for the
 * next handle to take the lock: of any process, for they all see the same
 * pages, and not beyond a crash of the machine, which shows what the disk
 * holds.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>

#include "io.h"

#define NOTE "the store's WAL is to be written anew\n"
#define KEPT_PAGES 4000   /* 16 MB: a longer file is cut */
#define BEGIN_PAGES 64    /* 256 KiB: few calls, and no long wait at the end */
#define FRAME (24 + 4096) /* bytes of a page in the WAL (SQLite) */

/* ---- The note ----------------------------------------------------------- */

/* Left out where it cannot be written: this handle knows. */
static void note(struct plog_store *s)
{
    s->doubted = true;
    if (s->lock >= 0 &&
        plog_io_write_full(s->io, s->lock, NOTE, sizeof NOTE - 1, 0, NULL) < 0)
        return;
}

static bool is_doubted(const struct plog_store *s)
{
    struct plog_stat st;
    if (s->doubted || s->lock < 0)
        return s->doubted;
    return s->io->stat(s->io->ctx, s->lock, &st) < 0 || st.size > 0;
}

static int trust(struct plog_store *s)
{
    int rc = s->lock < 0 ? 0 : s->io->truncate(s->io->ctx, s->lock, 0);
    if (!rc)
        s->doubted = false;
    return rc;
}

/* ---- Writing it anew ---------------------------------------------------- */

static int write_anew(const struct plog_io *io, int fd)
{
    char part[16384];
    uint64_t at = 0;
    size_t n = sizeof part;
    int rc = 0;
    while (!rc && n == sizeof part) {
        rc = plog_io_pread_full(io, fd, part, sizeof part, at, &n);
        if (!rc && n > 0)
            rc = plog_io_write_full(io, fd, part, n, at, NULL);
        at += n;
    }
    return rc ? rc : io->fdatasync(io->ctx, fd);
}

static const char *wal_path(const struct plog_store *s)
{
    return sqlite3_filename_wal(sqlite3_db_filename(s->db, "main"));
}

/* Under the writer lock nobody else adds to the WAL or begins it anew. */
static int renew(struct plog_store *s)
{
    int fd = plog_io_open_regular(s->io, AT_FDCWD, wal_path(s), O_RDWR);
    int rc = fd == -ENOENT ? 0 : fd < 0 ? fd : write_anew(s->io, fd);
    if (fd >= 0)
        s->io->close(s->io->ctx, fd);
    return rc ? rc : trust(s);
}

/* ---- On its way to the disk --------------------------------------------- */

/* How many this connection has written since it was asked last. */
static int pages_written(const struct plog_store *s)
{
    int now = 0, most;
    sqlite3_db_status(s->db, SQLITE_DBSTATUS_CACHE_WRITE, &now, &most, 1);
    return now;
}

/* Of the processes that add to it the one that fills a part begins that part:
 * each would else begin what the others have begun.  Closing it is no danger to
 * SQLite's locks, which lie on other files.  Should somebody put another WAL in
 * its place, only the hint is lost. */
void plog_store_write_back(struct plog_store *s)
{
    int before = s->wal_pages - pages_written(s);
    int from = before > 0 ? before - before % BEGIN_PAGES : 0;
    int pages = s->wal_pages - from;
    if (!s->io->write_back || pages < BEGIN_PAGES)
        return;
    if (s->wal_fd < 0)
        s->wal_fd =
            plog_io_open_regular(s->io, AT_FDCWD, wal_path(s), O_RDONLY);
    if (s->wal_fd >= 0)
        s->io->write_back(s->io->ctx, s->wal_fd, (uint64_t)from * FRAME,
                          (uint64_t)pages * FRAME);
}

/* ---- Commits and checkpoints -------------------------------------------- */

void plog_store_doubt(struct plog_store *s)
{
    if (plog_vfs_wal_lost(s->vfs))
        note(s);
}

bool plog_store_checkpoint(struct plog_store *s)
{
    int in_wal = 0, moved = 0;
    plog_store_rest(s);
    s->moved = SQLITE_IOERR;
    if (is_doubted(s) && renew(s))
        return false;
    s->moved = sqlite3_wal_checkpoint_v2(
        s->db, "main", SQLITE_CHECKPOINT_PASSIVE, &in_wal, &moved);
    plog_store_doubt(s);
    s->wal_pages = in_wal > moved ? in_wal - moved : 0;
    return s->moved == SQLITE_OK && in_wal == moved;
}

int plog_store_settle(struct plog_store *s, struct plog_error *err)
{
    if (plog_store_checkpoint(s))
        return 0;
    int why = plog_sql_code(s->moved);
    if (why == 0 || why == PLOG_E_LOCKED)
        return plog_fail(err, PLOG_E_LOCKED,
                         "a reader keeps the store from being made durable");
    plog_fail(err, why, "moving SQLite's WAL into the store failed: %s",
              sqlite3_errstr(s->moved));
    plog_err_file(err, PLOG_STORE_FILE);
    return why;
}

/* Whether nobody but this connection has committed since it last looked: under
 * the writer lock, some other program. */
static bool is_ours(struct plog_store *s, uint32_t before)
{
    uint32_t now = 0;
    return sqlite3_file_control(s->db, "main", SQLITE_FCNTL_DATA_VERSION,
                                &now) == SQLITE_OK &&
           now == before;
}

/* What an emptied WAL begins with: nothing, to SQLite.  Its space is kept, else
 * a full disk would be met by a COMMIT, when the log has the group already, and
 * not by the log's own write.  SQLite's lock keeps out those who do not know of
 * the writer lock, for what they commit must not go.  Without it the frames are
 * read once more, and were moved already. */
static void unmake_header(struct plog_store *s, uint32_t before)
{
    static const char zeros[32];
    if (sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return;
    int fd = is_ours(s, before)
                 ? plog_io_open_regular(s->io, AT_FDCWD, wal_path(s), O_RDWR)
                 : -1;
    if (fd >= 0 &&
        plog_io_write_full(s->io, fd, zeros, sizeof zeros, 0, NULL) == 0)
        s->wal_frames = 0;
    if (fd >= 0)
        s->io->close(s->io->ctx, fd);
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

/* When the restart succeeds, nobody reads the WAL any more, and under the
 * writer lock nobody adds to it. */
void plog_store_empty_wal(struct plog_store *s)
{
    bool keeps = s->wal_frames <= KEPT_PAGES;
    int mode = keeps ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_TRUNCATE;
    uint32_t before = 0;
    if (!plog_store_checkpoint(s) ||
        sqlite3_file_control(s->db, "main", SQLITE_FCNTL_DATA_VERSION,
                             &before) != SQLITE_OK)
        return;
    sqlite3_busy_timeout(s->db, 0); /* nobody is waited for */
    int rc = sqlite3_wal_checkpoint_v2(s->db, "main", mode, NULL, NULL);
    plog_store_doubt(s);
    if (rc == SQLITE_OK && keeps)
        unmake_header(s, before);
    else if (rc == SQLITE_OK)
        s->wal_frames = 0;
    sqlite3_busy_timeout(s->db, s->wait_ms);
}
