/* same.c - see same.h. */
#include "same.h"

#include <stdio.h>

#define CHUNK ((size_t)256 << 10)

/* ---- Files -------------------------------------------------------------- */

static int compare_files(const struct plog_io *io, int original, int copy,
                         char *buf, const char *name, struct plog_difference *d,
                         struct plog_error *err)
{
    char *other = buf + CHUNK;
    size_t n = CHUNK, m;
    for (uint64_t at = 0; n == CHUNK && !d->what[0]; at += n) {
        int rc = plog_io_pread_full(io, copy, buf, CHUNK, at, &n);
        if (!rc)
            rc = plog_io_pread_full(io, original, other, n, at, &m);
        if (rc)
            return plog_fail_segment(err, rc, plog_segment_parse(name),
                                     "comparing a segment");
        if (m < n || memcmp(buf, other, n) != 0)
            snprintf(d->what, sizeof d->what,
                     "log/%s differs within %llu bytes"
                     " from %llu on",
                     name, (unsigned long long)n, (unsigned long long)at);
        d->bytes += n;
    }
    return 0;
}

static int compare_segment(const struct plog_dir *original,
                           const struct plog_dir *copy, uint64_t first,
                           char *buf, struct plog_difference *d,
                           struct plog_error *err)
{
    const struct plog_io *io = copy->io;
    char name[PLOG_SEGMENT_NAME];
    struct plog_stat id;
    int a = -1, b = -1;
    plog_segment_name(first, name);
    int rc = plog_dir_open_segment(copy, first, false, &b, &id, err);
    if (!rc)
        rc = plog_dir_open_segment(original, first, false, &a, &id, err);
    if (rc == PLOG_E_CORRUPT && b >= 0) {
        snprintf(d->what, sizeof d->what, "log/%s is in the copy only", name);
        rc = 0;
    }
    if (!rc && !d->what[0])
        rc = compare_files(io, a, b, buf, name, d, err);
    if (a >= 0)
        io->close(io->ctx, a);
    if (b >= 0)
        io->close(io->ctx, b);
    return rc;
}

int plog_same_log(const struct plog_dir *original, const struct plog_dir *copy,
                  struct plog_difference *d, struct plog_error *err)
{
    struct plog_buf list;
    char *buf = plog_alloc(copy->io, 2 * CHUNK);
    if (!buf)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    plog_buf_init(&list, copy->io);
    int rc = plog_dir_segments(copy, &list, err);
    for (size_t i = 0; !rc && !d->what[0] && i < plog_segment_count(&list); i++)
        rc = compare_segment(original, copy, plog_segment_at(&list, i), buf, d,
                             err);
    plog_buf_fini(&list);
    plog_free(copy->io, buf);
    return rc;
}

/* ---- Rows --------------------------------------------------------------- */

static const struct table {
    const char *name, *sql;
} tables[] = {
    {"the head", "SELECT origin,size,root,range,key,sig,floor,redactions,"
                 "strategy,line_max,segment_size FROM main.meta"},
    {"events", "SELECT * FROM main.events WHERE seq>(SELECT floor FROM"
               " main.meta) ORDER BY seq"},
    {"commits", "SELECT * FROM main.checkpoints WHERE size>(SELECT floor FROM"
                " main.meta) ORDER BY size"},
    {"segments", "SELECT first FROM main.segments WHERE first<="
                 "(SELECT size FROM main.meta) AND first>(SELECT floor FROM"
                 " main.meta) ORDER BY first"},
    {"records", "SELECT * FROM main.state_now ORDER BY resource,record_id"},
    {"redactions", "SELECT seq,target FROM main.redactions ORDER BY seq"},
    {"peers", "SELECT name,added FROM main.peers ORDER BY name"},
    {"cursors", "SELECT * FROM main.cursors ORDER BY source,resource"},
};

static bool same_value(sqlite3_stmt *a, sqlite3_stmt *b, int i)
{
    int type = sqlite3_column_type(a, i);
    if (type != sqlite3_column_type(b, i))
        return false;
    if (type == SQLITE_INTEGER)
        return sqlite3_column_int64(a, i) == sqlite3_column_int64(b, i);
    if (type == SQLITE_FLOAT) {
        double x = sqlite3_column_double(a, i), y = sqlite3_column_double(b, i);
        return memcmp(&x, &y, sizeof x) == 0;
    }
    const void *p = sqlite3_column_blob(a, i), *q = sqlite3_column_blob(b, i);
    int n = sqlite3_column_bytes(a, i);
    return n == sqlite3_column_bytes(b, i) &&
           (n == 0 || memcmp(p, q, (size_t)n) == 0);
}

static bool same_row(sqlite3_stmt *a, sqlite3_stmt *b)
{
    int n = sqlite3_column_count(a);
    for (int i = 0; i < n; i++)
        if (!same_value(a, b, i))
            return false;
    return n == sqlite3_column_count(b);
}

static int compare_table(sqlite3_stmt *a, sqlite3_stmt *b, const char *name,
                         struct plog_difference *d, struct plog_error *err)
{
    for (uint64_t row = 1;; row++) {
        int x = plog_sql_row(a, err), y = plog_sql_row(b, err);
        if (x < 0 || y < 0)
            return x < 0 ? x : y;
        if (x == PLOG_END && y == PLOG_END)
            return 0;
        if (x != y || !same_row(a, b)) {
            snprintf(d->what, sizeof d->what, "%s: row %llu in key order %s",
                     name, (unsigned long long)row,
                     x == y ? "differs"
                     : x    ? "is in the copy only"
                            : "is in the original only");
            return 0;
        }
        d->rows++;
    }
}

int plog_same_store(struct plog_store *original, struct plog_store *copy,
                    struct plog_difference *d, struct plog_error *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && !d->what[0] && i < sizeof tables / sizeof *tables;
         i++) {
        sqlite3_stmt *a = NULL, *b = NULL;
        rc = plog_sql_prepare(original->db, tables[i].sql, &a, err);
        if (!rc)
            rc = plog_sql_prepare(copy->db, tables[i].sql, &b, err);
        if (!rc)
            rc = compare_table(a, b, tables[i].name, d, err);
        sqlite3_finalize(a);
        sqlite3_finalize(b);
    }
    return rc;
}
