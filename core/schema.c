/* schema.c - see schema.h. */
#include "schema.h"

#include <stdio.h>

#include "fold.h"
#include "store.h"

#define APPLICATION_ID 0x706c6f67 /* "plog" */

struct object {
    const char *name, *sql;
};

/* Rows of `state` that no newer one hides, and those that count of the newer
 * ones (recent.h).  Not one view over another: joined, it would be copied. */
#define NOT_HIDDEN                                                             \
    " state s LEFT JOIN state_recent r ON r.resource=s.resource"               \
    " AND r.record_id=s.record_id"
#define NEWEST                                                                 \
    "SELECT resource, record_id, seq, max(last) AS last, version, seconds,"    \
    " nanos, confidence, origin, origin_seq, payload_at, payload_len, merged"  \
    " FROM state_recent GROUP BY resource, record_id"
#define RECORD_OF                                                              \
    "SELECT s.resource, s.record_id,"                                          \
    " CASE WHEN s.merged IS NOT NULL THEN s.merged"                            \
    " WHEN s.payload_len=0 THEN NULL"                                          \
    " ELSE CAST(substr(CAST(e.line AS BLOB),s.payload_at+1,s.payload_len)"     \
    " AS TEXT) END AS payload,"                                                \
    " json_extract(e.line,'$.provenance.source') AS source, s.confidence,"     \
    " json_extract(e.line,'$.occurred_at') AS occurred_at, s.version, s.seq"   \
    " FROM"

static const struct object objects[] = {
    {"meta", "CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id=1),"
             " origin TEXT NOT NULL,"
             " size INTEGER NOT NULL," /* entries applied */
             " root BLOB NOT NULL,"
             " range BLOB NOT NULL," /* compact range, largest subtree first */
             " key TEXT NOT NULL,"   /* key id of the last commit */
             " sig BLOB NOT NULL,"
             " segment INTEGER NOT NULL," /* where the log goes on */
             " offset INTEGER NOT NULL,"
             " floor INTEGER NOT NULL," /* highest seq compacted away */
             " base INTEGER NOT NULL,"  /* events up to it may be gone */
             " redactions INTEGER NOT NULL,"
             " strategy TEXT NOT NULL,"
             " line_max INTEGER NOT NULL,"
             " segment_size INTEGER NOT NULL) STRICT"},
    {"events", "CREATE TABLE events(seq INTEGER PRIMARY KEY,"
               " id TEXT," /* the caller's, NULL when there is none */
               " resource TEXT, record_id TEXT, op TEXT, outcome TEXT,"
               " previous INTEGER," /* the entry before about this record */
               " line TEXT NOT NULL) STRICT"},
    {"events_id",
     "CREATE UNIQUE INDEX events_id ON events(id) WHERE id IS NOT NULL"},
    {"checkpoints", "CREATE TABLE checkpoints(size INTEGER PRIMARY KEY,"
                    " line TEXT NOT NULL) STRICT"},
    {"segments", "CREATE TABLE segments(first INTEGER PRIMARY KEY) STRICT"},
    {"rotations", "CREATE TABLE rotations(seq INTEGER PRIMARY KEY) STRICT"},
    {"redactions", "CREATE TABLE redactions(seq INTEGER PRIMARY KEY,"
                   " target INTEGER NOT NULL," /* the entry it is about */
                   " pending INTEGER NOT NULL" /* copies may be left */
                   ") STRICT"},
    {"redactions_pending",
     "CREATE INDEX redactions_pending ON redactions(seq) WHERE pending=1"},
    {"state", "CREATE TABLE state(" PLOG_STATE_COLUMNS ") " PLOG_STATE_OPTIONS},
    {"state_recent", /* `last` in the order of the columns of `state` */
     "CREATE TABLE state_recent(" PLOG_RECENT_COLUMNS ") STRICT"},
    {"state_now", "CREATE VIEW state_now AS SELECT s.* FROM" NOT_HIDDEN
                  " WHERE r.last IS NULL UNION ALL " NEWEST},
    {"base_state", /* state at meta.base */
     "CREATE TABLE base_state(" PLOG_STATE_COLUMNS ") " PLOG_STATE_OPTIONS},
    {"cursors", "CREATE TABLE cursors(source TEXT NOT NULL,"
                " resource TEXT NOT NULL, cursor TEXT NOT NULL,"
                " seq INTEGER NOT NULL, PRIMARY KEY(source, resource))"
                " STRICT, WITHOUT ROWID"},
    {"peers", "CREATE TABLE peers(name TEXT PRIMARY KEY,"
              " added INTEGER NOT NULL,"  /* the entry that added it */
              " cursor INTEGER NOT NULL," /* what it has received */
              " root BLOB," /* of that many entries; NULL: it did not say */
              " seen TEXT"  /* when it last acknowledged */
              ") STRICT, WITHOUT ROWID"},
    {"compactions", "CREATE TABLE compactions(seq INTEGER PRIMARY KEY,"
                    " floor INTEGER NOT NULL,"  /* that the entry sets */
                    " pending INTEGER NOT NULL" /* segments may be left */
                    ") STRICT"},
    {"old_ids", "CREATE TABLE old_ids(id BLOB PRIMARY KEY," /* SHA-256 of it */
                " seq INTEGER NOT NULL, leaf BLOB NOT NULL,"
                " content BLOB) STRICT, WITHOUT ROWID"},
    {"records", "CREATE VIEW records AS " RECORD_OF NOT_HIDDEN
                " JOIN events e ON e.seq=s.seq WHERE s.seq>0 AND r.last IS NULL"
                " UNION ALL " RECORD_OF " (" NEWEST ") s"
                " JOIN events e ON e.seq=s.seq WHERE s.seq>0"},
};
#define OBJECTS (sizeof objects / sizeof *objects)

int plog_schema_create(sqlite3 *db, struct plog_error *err)
{
    char sql[96];
    int rc = 0;
    for (size_t i = 0; !rc && i < OBJECTS; i++)
        rc = plog_sql_exec(db, objects[i].sql, err);
    snprintf(sql, sizeof sql,
             "PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION_ID,
             PLOG_SCHEMA_VERSION);
    return rc ? rc : plog_sql_exec(db, sql, err);
}

bool plog_schema_is_ours(const char *name)
{
    for (size_t i = 0; name && i < OBJECTS; i++)
        if (sqlite3_stricmp(name, objects[i].name) == 0)
            return true;
    return false;
}

bool plog_schema_has(sqlite3 *db, const char *table)
{
    sqlite3_stmt *s = NULL;
    bool ours = false;
    int rc = plog_sql_prepare(db,
                              "SELECT sql FROM sqlite_schema WHERE type='table'"
                              " AND name=?1",
                              &s, NULL);
    if (!rc) {
        plog_sql_bind(s, 1, plog_span_text(table));
        rc = plog_sql_row(s, NULL);
    }
    for (size_t i = 0; !rc && i < OBJECTS; i++)
        ours |= strcmp(table, objects[i].name) == 0 &&
                plog_span_is(plog_sql_text(s, 0), objects[i].sql);
    sqlite3_finalize(s);
    return ours;
}

static int pragma_number(sqlite3 *db, const char *sql, sqlite3_int64 *out,
                         struct plog_error *err)
{
    sqlite3_stmt *s;
    int rc = plog_sql_prepare(db, sql, &s, err);
    if (!rc)
        rc = plog_sql_row(s, err);
    if (rc == PLOG_END)
        rc = plog_fail(err, PLOG_E_DIVERGED, "store.db gives no %s", sql);
    if (!rc)
        *out = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return rc;
}

static int odd(struct plog_error *err, const char *what, const char *name)
{
    plog_fail(err, PLOG_E_DIVERGED, "store.db: %s %s", what, name);
    plog_err_file(err, PLOG_STORE_FILE);
    plog_err_hint(err, "run: paritylog replay DIR --fresh"
                       " (keeps this store in quarantine/)");
    return PLOG_E_DIVERGED;
}

/* One row of sqlite_schema; sets the bit of the object that it is. */
static int check_row(sqlite3_stmt *s, unsigned *seen, struct plog_error *err)
{
    const char *type = (const char *)sqlite3_column_text(s, 0);
    const char *name = (const char *)sqlite3_column_text(s, 1);
    const char *table = (const char *)sqlite3_column_text(s, 2);
    const char *sql = (const char *)sqlite3_column_text(s, 3);
    if (!type || !name || !table)
        return odd(err, "a broken schema row", "");
    if (!strcmp(type, "trigger") &&
        (plog_schema_is_ours(table) || plog_schema_is_ours(name)))
        return odd(err, "a trigger that is not ours:", name);
    for (size_t i = 0; i < OBJECTS; i++) {
        if (sqlite3_stricmp(name, objects[i].name) != 0)
            continue;
        if (!sql || strcmp(sql, objects[i].sql) != 0)
            return odd(err, "another definition of", name);
        *seen |= 1u << i;
        return 0;
    }
    if (!strcmp(type, "index") && sql && plog_schema_is_ours(table))
        return odd(err, "an index that is not ours:", name);
    return 0;
}

static int check_rows(sqlite3 *db, unsigned *seen, struct plog_error *err)
{
    sqlite3_stmt *s;
    int rc = plog_sql_prepare(
        db, "SELECT type,name,tbl_name,sql FROM sqlite_schema", &s, err);
    while (!rc && (rc = plog_sql_row(s, err)) == 0)
        rc = check_row(s, seen, err);
    sqlite3_finalize(s);
    return rc == PLOG_END ? 0 : rc;
}

/* Told before any definition is looked at: they are other ones. */
static int other_version(sqlite3_int64 version, struct plog_error *err)
{
    if (version > PLOG_SCHEMA_VERSION)
        return plog_fail(err, PLOG_E_FORMAT,
                         "store.db has schema %lld, this"
                         " program knows %d",
                         version, PLOG_SCHEMA_VERSION);
    char what[80];
    snprintf(what, sizeof what, "has schema %lld, this program knows",
             (long long)version);
    return odd(err, what, "a newer one only");
}

int plog_schema_check(sqlite3 *db, bool *has_tables, struct plog_error *err)
{
    sqlite3_int64 id = 0, version = 0;
    unsigned seen = 0;
    *has_tables = false;
    int rc = pragma_number(db, "PRAGMA application_id", &id, err);
    if (!rc)
        rc = pragma_number(db, "PRAGMA user_version", &version, err);
    if (!rc && id == APPLICATION_ID && version != PLOG_SCHEMA_VERSION)
        rc = other_version(version, err);
    if (!rc)
        rc = check_rows(db, &seen, err);
    if (rc)
        return rc;
    *has_tables = seen != 0;
    if (!seen && id == 0 && version == 0)
        return 0;
    if (id != APPLICATION_ID || version != PLOG_SCHEMA_VERSION ||
        seen != (1u << OBJECTS) - 1)
        return odd(err, "not a whole store of ours", "");
    return 0;
}

int plog_schema_count_own(sqlite3 *db, uint64_t *count, struct plog_error *err)
{
    sqlite3_stmt *s;
    *count = 0;
    int rc = plog_sql_prepare(db,
                              "SELECT name FROM sqlite_schema WHERE"
                              " type='table' AND name NOT LIKE 'sqlite\\_%'"
                              " ESCAPE '\\'",
                              &s, err);
    while (!rc && (rc = plog_sql_row(s, err)) == 0)
        *count += !plog_schema_is_ours((const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    return rc == PLOG_END ? 0 : rc;
}
