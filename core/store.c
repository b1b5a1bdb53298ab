/* store.c - see store.h. */
#include "store.h"

#include <stdio.h>

#include "connections.h"
#include "schema.h"

/* ---- Opening ------------------------------------------------------------ */

/* SQLite's own limit, less the longest ending that it adds to a name. */
#define PATH_MOST (512 + 1 - sizeof "-journal")

int plog_store_check_path(const char *path, struct plog_error *err)
{
    size_t n = strlen(path);
    if (n <= PATH_MOST)
        return 0;
    plog_fail(err, PLOG_E_IO,
              "the path of store.db has %zu bytes; SQLite opens none of more"
              " than %zu",
              n, PATH_MOST);
    plog_err_hint(err, "move the directory to a shorter path, or mount it"
                       " there");
    return PLOG_E_IO;
}

static int open_database(struct plog_store *s, const char *path,
                         enum plog_store_mode mode, struct plog_error *err)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    if (mode == PLOG_OPEN_READ)
        flags |= SQLITE_OPEN_READONLY;
    else
        flags |= SQLITE_OPEN_READWRITE;
    if (mode == PLOG_OPEN_CREATE)
        flags |= SQLITE_OPEN_CREATE;
    int rc = plog_store_check_path(path, err);
    if (rc)
        return rc;
    rc = sqlite3_open_v2(path, &s->db, flags, plog_vfs_name(s->vfs));
    if (rc == SQLITE_OK)
        return 0;
    if (!s->db)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    return plog_sql_fail(err, s->db, "opening the store");
}

int plog_store_set_cache(struct plog_store *s, unsigned kib,
                         struct plog_error *err)
{
    char sql[48];
    snprintf(sql, sizeof sql, "PRAGMA main.cache_size=-%u", kib);
    return plog_sql_exec(s->db, sql, err);
}

static int set_limits(struct plog_store *s, enum plog_store_mode mode,
                      int wait_ms, struct plog_error *err)
{
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, wait_ms);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    /* One connection writes and checkpoints, under the writer lock: SQLite
     * before 3.51.3 corrupts a database when two do (WAL reset). */
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    int rc = plog_sql_exec(s->db,
                           "PRAGMA mmap_size=0; PRAGMA cell_size_check=1;"
                           "PRAGMA wal_autocheckpoint=0",
                           err);
    if (!rc)
        rc = plog_store_set_cache(s, PLOG_STORE_CACHE, err);
    if (rc || mode == PLOG_OPEN_READ)
        return rc;
    /* The log is durable before the store commits: no sync of its own. */
    return plog_sql_exec(s->db, "PRAGMA synchronous=NORMAL", err);
}

static int check_wal_mode(struct plog_store *s, struct plog_error *err)
{
    sqlite3_stmt *q;
    int rc = plog_sql_prepare(s->db, "PRAGMA journal_mode=WAL", &q, err);
    if (!rc)
        rc = plog_sql_row(q, err);
    if (!rc && !plog_span_is(plog_sql_text(q, 0), "wal"))
        rc = plog_fail(err, PLOG_E_IO,
                       "store.db: SQLite cannot use WAL mode"
                       " on this file system");
    sqlite3_finalize(q);
    return rc;
}

static int store_line_of(void *arg, uint64_t seq, struct plog_span *line,
                         struct plog_error *err)
{
    int rc = plog_store_line(arg, seq, line, NULL, err);
    if (rc == PLOG_END)
        rc = plog_fail(err, PLOG_E_DIVERGED,
                       "store.db: no event %llu, on"
                       " which a record stands",
                       (unsigned long long)seq);
    return rc;
}

static int prepare_reading(struct plog_store *s, struct plog_error *err)
{
    const struct {
        sqlite3_stmt **to;
        const char *sql;
    } all[] = {
        {&s->get_meta, "SELECT origin,size,root,range,key,sig,segment,offset,"
                       "floor,redactions,strategy,line_max,segment_size,base"
                       " FROM main.meta WHERE id=1"},
        {&s->by_id, "SELECT seq FROM main.events WHERE id=?1"},
        {&s->by_seq, "SELECT line,previous FROM main.events WHERE seq=?1"},
        {&s->closing, "SELECT line FROM main.checkpoints WHERE size>=?1"
                      " ORDER BY size LIMIT 1"},
        {&s->rotations, "SELECT r.seq,e.line FROM main.rotations r LEFT JOIN"
                        " main.events e ON e.seq=r.seq ORDER BY r.seq"},
        {&s->get_cursor, "SELECT cursor FROM main.cursors WHERE source=?1"
                         " AND resource=?2"},
    };
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof all / sizeof *all; i++)
        rc = plog_sql_prepare(s->db, all[i].sql, all[i].to, err);
    s->fold.io = s->io;
    s->fold.origin = s->origin;
    s->fold.line_of = store_line_of;
    s->fold.line_arg = s;
    s->fold.recent = &s->recent;
    return rc ? rc : plog_fold_open(&s->fold, s->db, "main", err);
}

static int prepare_writing(struct plog_store *s, struct plog_error *err)
{
    const struct {
        sqlite3_stmt **to;
        const char *sql;
    } all[] = {
        {&s->begin, "BEGIN IMMEDIATE"},
        {&s->version, "PRAGMA data_version"},
        {&s->savepoint, "SAVEPOINT request"},
        {&s->release, "RELEASE request"},
        {&s->rollback_to, "ROLLBACK TO request"},
        {&s->commit, "COMMIT"},
        {&s->put_meta, "INSERT OR REPLACE INTO main.meta VALUES(1,?1,?2,?3,?4,"
                       "?5,?6,?7,?8,?9,?14,?10,?11,?12,?13)"},
        {&s->add_event, "INSERT INTO main.events VALUES(?1,?2,?3,?4,?5,?6,?7,"
                        "?8)"},
        {&s->add_commit, "INSERT INTO main.checkpoints VALUES(?1,?2)"},
        {&s->add_segment, "INSERT INTO main.segments VALUES(?1)"},
        {&s->add_rotation, "INSERT INTO main.rotations VALUES(?1)"},
        {&s->add_cursor, "INSERT OR REPLACE INTO main.cursors"
                         " VALUES(?1,?2,?3,?4)"},
    };
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof all / sizeof *all; i++)
        rc = plog_sql_prepare(s->db, all[i].sql, all[i].to, err);
    return rc;
}

static int count_wal(void *arg, sqlite3 *db, const char *schema, int pages)
{
    (void)db, (void)schema;
    struct plog_store *s = arg;
    s->wal_pages = s->wal_frames = pages;
    return SQLITE_OK;
}

static int read_origin(struct plog_store *s, struct plog_error *err)
{
    struct plog_store_head h;
    int rc = plog_store_get_head(s, &h, err);
    if (!rc)
        memcpy(s->origin, h.origin, sizeof h.origin);
    return rc;
}

int plog_store_open(struct plog_store *s, const struct plog_io *io,
                    const char *path, enum plog_store_mode mode, int wait_ms,
                    struct plog_error *err)
{
    memset(s, 0, sizeof *s);
    s->io = io;
    s->lock = s->wal_fd = -1;
    s->wait_ms = wait_ms;
    plog_entry_parser_init(&s->parser, io);
    plog_buf_init(&s->scratch, io);
    plog_buf_init(&s->range, io);
    plog_buf_init(&s->fold.base, io);
    plog_buf_init(&s->fold.merged, io);
    plog_entry_parser_init(&s->fold.parser, io);
    bool writes = mode != PLOG_OPEN_READ;
    plog_recent_open(&s->recent, io, NULL, writes);
    int rc = plog_connections_begin(io, err);
    if (rc)
        return rc;
    rc = plog_vfs_open(&s->vfs, io);
    if (rc) {
        plog_connections_end(io);
        return plog_fail(err, rc, "no file layer for SQLite");
    }
    if (!writes)
        plog_vfs_keep(s->vfs);
    rc = open_database(s, path, mode, err);
    s->recent.db = s->db;
    if (!rc)
        rc = set_limits(s, mode, wait_ms, err);
    if (!rc)
        rc = plog_schema_check(s->db, &s->has_tables, err);
    /* The view `records` calls json_extract, which older versions of SQLite
     * do not mark as harmless in a schema.  Its text is ours: just checked. */
    if (!rc)
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1, NULL);
    if (!rc && writes && (s->has_tables || mode == PLOG_OPEN_CREATE))
        rc = check_wal_mode(s, err);
    if (!rc && s->has_tables)
        rc = prepare_reading(s, err);
    if (!rc && s->has_tables && writes)
        rc = prepare_writing(s, err);
    if (!rc && s->has_tables)
        rc = read_origin(s, err);
    /* Ready made: a transaction that cannot be ended for want of memory would
     * keep the store's lock, and the next could not begin. */
    if (!rc)
        rc = plog_sql_prepare(s->db, "ROLLBACK", &s->rollback, err);
    if (!rc)
        sqlite3_wal_hook(s->db, count_wal, s);
    if (rc)
        plog_store_close(s);
    return rc;
}

void plog_store_close(struct plog_store *s)
{
    sqlite3_stmt **all[] = {&s->begin,        &s->commit,     &s->get_meta,
                            &s->put_meta,     &s->add_event,  &s->add_commit,
                            &s->add_segment,  &s->add_cursor, &s->by_id,
                            &s->by_seq,       &s->closing,    &s->get_cursor,
                            &s->add_rotation, &s->rotations,  &s->add_old_id,
                            &s->old_id,       &s->rollback,   &s->version,
                            &s->savepoint,    &s->release,    &s->rollback_to};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        sqlite3_finalize(*all[i]);
        *all[i] = NULL;
    }
    if (s->io) {
        plog_fold_close(&s->fold);
        plog_recent_close(&s->recent);
        plog_entry_parser_fini(&s->parser);
        plog_buf_fini(&s->scratch);
        plog_buf_fini(&s->range);
    }
    sqlite3_close(s->db);
    s->db = NULL;
    if (s->io && s->wal_fd >= 0)
        s->io->close(s->io->ctx, s->wal_fd);
    s->wal_fd = -1;
    if (s->vfs)
        plog_connections_end(s->io);
    plog_vfs_close(s->vfs);
    s->vfs = NULL;
}

int plog_store_create_tables(struct plog_store *s, const char *origin,
                             struct plog_error *err)
{
    struct plog_store_head h;
    memset(&h, 0, sizeof h);
    plog_tree_init(&h.tree);
    plog_hash_empty(h.commit.root);
    snprintf(h.origin, sizeof h.origin, "%s", origin);
    h.rules.line_max = PLOG_LINE_DEFAULT;
    h.rules.segment_size = PLOG_SEGMENT_DEFAULT;
    int rc = plog_sql_exec(s->db, "BEGIN IMMEDIATE", err);
    if (!rc)
        rc = plog_schema_create(s->db, err);
    if (!rc)
        rc = prepare_reading(s, err);
    if (!rc)
        rc = prepare_writing(s, err);
    if (!rc)
        rc = plog_store_put_head(s, &h, err);
    if (!rc)
        rc = plog_store_commit(s, err);
    if (rc) {
        plog_store_rollback(s);
        return rc;
    }
    s->has_tables = true;
    memcpy(s->origin, h.origin, sizeof h.origin);
    return 0;
}

/* ---- Transactions ------------------------------------------------------- */

void plog_store_rest(struct plog_store *s)
{
    if (!s->db) /* the store is gone, and SQLite knows no statements of none */
        return;
    for (sqlite3_stmt *q = sqlite3_next_stmt(s->db, NULL); q;
         q = sqlite3_next_stmt(s->db, q))
        if (sqlite3_stmt_busy(q))
            sqlite3_reset(q);
}

int plog_store_begin(struct plog_store *s, struct plog_error *err)
{
    plog_store_rollback(s); /* one that could not be ended at its time */
    int rc = plog_sql_run(s->begin, err);
    if (!rc)
        plog_recent_begin(&s->recent);
    return rc;
}

int plog_store_commit(struct plog_store *s, struct plog_error *err)
{
    plog_store_rest(s);
    int rc = plog_sql_run(s->commit, err);
    if (!rc)
        plog_recent_end(&s->recent, true);
    plog_store_doubt(s); /* SQLite syncs a WAL that it begins anew */
    return rc;
}

int plog_store_in_transaction(struct plog_store *s, struct plog_error *err)
{
    if (!sqlite3_get_autocommit(s->db))
        return 0;
    return plog_fail(err, PLOG_E_IO,
                     "SQLite ended the store's transaction after an error");
}

void plog_store_rollback(struct plog_store *s)
{
    if (!s->db)
        return;
    plog_store_rest(s);
    if (!sqlite3_get_autocommit(s->db)) {
        sqlite3_step(s->rollback);
        sqlite3_reset(s->rollback);
    }
    plog_recent_end(&s->recent, false);
}

int plog_store_end(struct plog_store *s, int rc, struct plog_error *err)
{
    if (!rc)
        rc = plog_store_commit(s, err);
    if (rc)
        plog_store_rollback(s);
    return rc;
}

int plog_store_begin_read(struct plog_store *s, struct plog_error *err)
{
    plog_store_rest(s);
    return plog_sql_exec(s->db, "BEGIN", err);
}
