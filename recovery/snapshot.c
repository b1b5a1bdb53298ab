/* snapshot.c - names of snapshots, and writing them from a store. */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "archive.h"
#include "fold_table.h"
#include "sha256.h"

#define PART ".new"
#define LEVEL 1 /* hashes do not shrink, however long one tries */

/* ---- Lines -------------------------------------------------------------- */

struct writer {
    const struct plog_io *io;
    struct plog_store *store;
    const struct plog_store_head *head;
    const struct plog_snapshot_tables *tables; /* NULL: the store's records */
    struct plog_snapshot_written *out;
    struct plog_snapshot *before; /* its ids come first */
    struct plog_gz gz;
    struct plog_sha256_state hash;
    struct plog_buf b; /* the line at hand */
    struct plog_entry_parser parser;
};

/* Ends the line in the buffer. */
static int end_line(struct writer *w, int rc, struct plog_error *err)
{
    if (!rc)
        rc = plog_buf_add_char(&w->b, '\n');
    if (rc)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    plog_sha256_add(&w->hash, w->b.data, w->b.len);
    rc = plog_gz_write(&w->gz, w->b.data, w->b.len, err);
    w->b.len = 0;
    return rc;
}

static int raw_line(struct writer *w, struct plog_span line,
                    struct plog_error *err)
{
    return end_line(w, plog_buf_add_span(&w->b, line), err);
}

static int number(struct plog_buf *b, const char *before, uint64_t n)
{
    int rc = plog_buf_add_text(b, before);
    return rc ? rc : plog_buf_add_u64(b, n);
}

static int text(struct plog_buf *b, const char *before, struct plog_span s)
{
    int rc = plog_buf_add_text(b, before);
    return rc ? rc : plog_buf_add_json(b, s);
}

static int hash(struct plog_buf *b, const char *before, struct plog_span s)
{
    int rc = plog_buf_add_text(b, before);
    if (!rc)
        rc = plog_buf_add_base64(b, s.p, s.n);
    return rc ? rc : plog_buf_add_char(b, '"');
}

static int write_first(struct writer *w, struct plog_error *err)
{
    struct plog_buf *b = &w->b;
    const struct plog_store_head *h = w->head;
    int rc = number(b, "{\"snapshot\":{\"format\":", 1);
    if (!rc)
        rc = number(b, ",\"floor\":", h->commit.size);
    if (!rc)
        rc = text(b, ",\"strategy\":",
                  plog_span_text(plog_strategy_name(h->rules.strategy)));
    if (!rc)
        rc = number(b, ",\"max_line\":", h->rules.line_max);
    if (!rc)
        rc = number(b, ",\"segment_size\":", h->rules.segment_size);
    if (!rc)
        rc = number(b, ",\"redactions\":", h->rules.redactions);
    if (!rc)
        rc = plog_buf_add_text(b, "}}");
    rc = end_line(w, rc, err);
    if (rc)
        return rc;
    return end_line(w, plog_header_format(b, h->origin, &h->tree, &h->commit),
                    err);
}

/* Entries that what comes later depends on. */
static bool counts_on(enum plog_control c)
{
    return c == PLOG_CONTROL_INIT || c == PLOG_CONTROL_STRATEGY ||
           c == PLOG_CONTROL_ROTATE || c == PLOG_CONTROL_RESTORE;
}

static int write_control(struct writer *w, sqlite3_stmt *q,
                         struct plog_error *err)
{
    struct plog_entry e;
    int rc = plog_entry_parse(&w->parser, plog_sql_text(q, 1), &e, err);
    if (rc || !counts_on(e.control))
        return rc;
    rc = number(&w->b, "{\"control\":{\"seq\":", plog_sql_u64(q, 0));
    rc = end_line(w, rc ? rc : plog_buf_add_text(&w->b, "}}"), err);
    return rc ? rc : raw_line(w, plog_sql_text(q, 1), err);
}

static int write_row(struct writer *w, struct plog_span resource,
                     struct plog_span record_id, const struct plog_current *now,
                     struct plog_error *err)
{
    struct plog_buf *b = &w->b;
    struct plog_span line;
    const struct plog_fold *fold = &w->store->fold;
    int rc = text(b, "{\"record\":{\"resource\":", resource);
    if (!rc)
        rc = text(b, ",\"record_id\":", record_id);
    if (!rc)
        rc = number(b, ",\"seq\":", now->seq);
    if (!rc)
        rc = number(b, ",\"last\":", now->last);
    if (!rc)
        rc = number(b, ",\"version\":", now->version);
    if (!rc)
        rc = plog_buf_add_text(b, now->merged.n ? ",\"merged\":true}}"
                                                : ",\"merged\":false}}");
    rc = end_line(w, rc, err);
    if (!rc && now->seq)
        rc = fold->line_of(fold->line_arg, now->seq, &line, err);
    if (!rc && now->seq)
        rc = raw_line(w, line, err);
    if (!rc && now->merged.n)
        rc = raw_line(w, now->merged, err);
    w->out->records++;
    return rc;
}

static int write_record(struct writer *w, sqlite3_stmt *q,
                        struct plog_error *err)
{
    const struct plog_current now = {.seq = plog_sql_u64(q, 2),
                                     .last = plog_sql_u64(q, 3),
                                     .version = plog_sql_u64(q, 4),
                                     .merged = plog_sql_text(q, 5)};
    return write_row(w, plog_sql_text(q, 0), plog_sql_text(q, 1), &now, err);
}

/* Rows of a table, sorted. */
struct sorted {
    struct plog_fold_place *rows;
    size_t count, at;
};

/* As the database sorts them: one column, then the other. */
static bool is_before(const struct plog_fold_row *a,
                      const struct plog_fold_row *b)
{
    int order =
        plog_span_compare(plog_fold_row_resource(a), plog_fold_row_resource(b));
    if (order == 0)
        order = plog_span_compare(plog_fold_row_record_id(a),
                                  plog_fold_row_record_id(b));
    return order < 0;
}

static struct plog_fold_row *take_least(struct sorted *all, size_t count)
{
    struct sorted *least = NULL;
    for (size_t i = 0; i < count; i++)
        if (all[i].at < all[i].count &&
            (!least ||
             is_before(all[i].rows[all[i].at].row, least->rows[least->at].row)))
            least = &all[i];
    return least ? least->rows[least->at++].row : NULL;
}

static int write_tables(struct writer *w, struct plog_error *err)
{
    struct sorted all[PLOG_SNAPSHOT_TABLES] = {{.rows = NULL}};
    struct plog_fold_row *row;
    struct plog_current now;
    size_t count = w->tables->count;
    int rc = 0;
    for (size_t i = 0; !rc && i < count; i++)
        if (plog_fold_table_sort(&w->tables->all[i], &all[i].rows,
                                 &all[i].count))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    while (!rc && (row = take_least(all, count)) != NULL) {
        plog_fold_row_get(row, &now);
        rc = write_row(w, plog_fold_row_resource(row),
                       plog_fold_row_record_id(row), &now, err);
    }
    for (size_t i = 0; i < count; i++)
        plog_free(w->io, all[i].rows);
    return rc;
}

static int write_cursor(struct writer *w, sqlite3_stmt *q,
                        struct plog_error *err)
{
    struct plog_buf *b = &w->b;
    int rc = text(b, "{\"cursor\":{\"source\":", plog_sql_text(q, 0));
    if (!rc)
        rc = text(b, ",\"resource\":", plog_sql_text(q, 1));
    if (!rc)
        rc = text(b, ",\"cursor\":", plog_sql_text(q, 2));
    if (!rc)
        rc = number(b, ",\"seq\":", plog_sql_u64(q, 3));
    return end_line(w, rc ? rc : plog_buf_add_text(b, "}}"), err);
}

static int write_peer(struct writer *w, sqlite3_stmt *q, struct plog_error *err)
{
    int rc = text(&w->b, "{\"peer\":{\"name\":", plog_sql_text(q, 0));
    if (!rc)
        rc = number(&w->b, ",\"added\":", plog_sql_u64(q, 1));
    return end_line(w, rc ? rc : plog_buf_add_text(&w->b, "}}"), err);
}

static int write_redaction(struct writer *w, sqlite3_stmt *q,
                           struct plog_error *err)
{
    int rc = number(&w->b, "{\"redaction\":{\"seq\":", plog_sql_u64(q, 0));
    if (!rc)
        rc = number(&w->b, ",\"target\":", plog_sql_u64(q, 1));
    return end_line(w, rc ? rc : plog_buf_add_text(&w->b, "}}"), err);
}

static int put_id(struct writer *w, uint64_t seq, struct plog_span id,
                  struct plog_span leaf, struct plog_span content,
                  struct plog_error *err)
{
    struct plog_buf *b = &w->b;
    int rc = number(b, "{\"id\":{\"seq\":", seq);
    if (!rc)
        rc = hash(b, ",\"id\":\"", id);
    if (!rc)
        rc = hash(b, ",\"leaf\":\"", leaf);
    if (!rc)
        rc = content.n ? hash(b, ",\"content\":\"", content)
                       : plog_buf_add_text(b, ",\"content\":null");
    w->out->ids++;
    return end_line(w, rc ? rc : plog_buf_add_text(b, "}}"), err);
}

static int write_old_id(struct writer *w, sqlite3_stmt *q,
                        struct plog_error *err)
{
    return put_id(w, plog_sql_u64(q, 0), plog_sql_text(q, 1),
                  plog_sql_text(q, 2), plog_sql_text(q, 3), err);
}

static struct plog_span bytes(const unsigned char *hash_bytes)
{
    return plog_span((const char *)hash_bytes, PLOG_HASH_SIZE);
}

static int write_id(struct writer *w, sqlite3_stmt *q, struct plog_error *err)
{
    struct plog_entry e;
    struct plog_old_id id;
    struct plog_span line = plog_sql_text(q, 0);
    int rc = plog_entry_parse(&w->parser, line, &e, err);
    if (rc)
        return rc;
    plog_old_id_of(&e, line, &id);
    return put_id(w, id.seq, bytes(id.id), bytes(id.leaf),
                  id.has_content ? bytes(id.content) : plog_span(NULL, 0), err);
}

/* ---- The whole ---------------------------------------------------------- */

static const struct part {
    const char *sql;
    int (*write)(struct writer *w, sqlite3_stmt *row, struct plog_error *err);
} parts[] = {
    {"SELECT seq,line FROM main.events WHERE op IS NULL ORDER BY seq",
     write_control},
    {"SELECT resource,record_id,seq,last,version,merged FROM main.state"
     " ORDER BY resource,record_id",
     write_record},
    {"SELECT source,resource,cursor,seq FROM main.cursors ORDER BY source,"
     "resource",
     write_cursor},
    {"SELECT name,added FROM main.peers ORDER BY name", write_peer},
    {"SELECT seq,target FROM main.redactions ORDER BY seq", write_redaction},
    {"SELECT seq,id,leaf,content FROM main.old_ids ORDER BY seq", write_old_id},
    {"SELECT line FROM main.events WHERE seq>?1 AND id IS NOT NULL ORDER BY"
     " seq",
     write_id},
};

/* The ids of the snapshot before. */
static int copy_ids(struct writer *w, struct plog_error *err)
{
    struct plog_span line;
    int rc = 0;
    while (w->before && !rc &&
           (rc = plog_snapshot_next_id(w->before, &line, err)) == 0) {
        rc = raw_line(w, line, err);
        w->out->ids++;
    }
    return rc == PLOG_END ? 0 : rc;
}

static int write_parts(struct writer *w, struct plog_error *err)
{
    int rc = write_first(w, err);
    for (size_t i = 0; !rc && i < sizeof parts / sizeof *parts; i++) {
        sqlite3_stmt *q = NULL;
        if (parts[i].write == write_id)
            rc = copy_ids(w, err);
        if (parts[i].write == write_record && w->tables) {
            rc = write_tables(w, err);
            continue;
        }
        if (!rc)
            rc = plog_sql_prepare(w->store->db, parts[i].sql, &q, err);
        if (!rc && sqlite3_bind_parameter_count(q))
            plog_sql_bind_u64(q, 1, w->head->rules.base);
        while (!rc && (rc = plog_sql_row(q, err)) == 0)
            rc = parts[i].write(w, q, err);
        sqlite3_finalize(q);
        rc = rc == PLOG_END ? 0 : rc;
    }
    return rc ? rc : plog_gz_finish(&w->gz, err);
}

static int write_file(struct writer *w, int fd, struct plog_error *err)
{
    struct plog_stat st;
    plog_buf_init(&w->b, w->io);
    plog_entry_parser_init(&w->parser, w->io);
    plog_sha256_begin(&w->hash);
    int rc = plog_gz_create(&w->gz, w->io, fd, LEVEL, err), bad = 0;
    if (!rc)
        rc = write_parts(w, err);
    plog_gz_close(&w->gz);
    plog_sha256_end(&w->hash, w->out->digest);
    if (!rc && (bad = w->io->fdatasync(w->io->ctx, fd)) != 0)
        rc = plog_fail_io(err, bad, PLOG_SNAPSHOT_DIR, "syncing a snapshot");
    if (!rc && w->io->stat(w->io->ctx, fd, &st) == 0)
        w->out->bytes = st.size;
    plog_entry_parser_fini(&w->parser);
    plog_buf_fini(&w->b);
    return rc;
}

/* What has the name and another text is not what a killed compaction left. */
static int keep_another(const struct plog_dir *d, int dir, uint64_t floor,
                        struct plog_snapshot_written *out,
                        struct plog_error *err)
{
    char name[PLOG_SNAPSHOT_NAME], kept[128];
    struct plog_stat st;
    struct plog_error why;
    plog_snapshot_name(floor, name);
    if (d->io->stat_at(d->io->ctx, dir, name, &st) == -ENOENT)
        return 0; /* as usual: nothing is lost */
    int rc = plog_snapshot_check(d, floor, out->digest, &why);
    out->aside = rc == PLOG_E_CORRUPT;
    if (out->aside)
        return plog_archive_aside(d, dir, name, kept, err);
    if (rc && rc != PLOG_E_PRUNED && err)
        *err = why;
    return rc == PLOG_E_PRUNED ? 0 : rc;
}

/* Before anything is moved for it. */
static int not_wanted(uint64_t floor, struct plog_error *err)
{
    return plog_fail(err, PLOG_E_CORRUPT,
                     "the archive does not give the snapshot of entry %llu that"
                     " was signed",
                     (unsigned long long)floor);
}

int plog_snapshot_write(const struct plog_dir *d, struct plog_store *store,
                        const struct plog_store_head *head,
                        const struct plog_snapshot_tables *tables,
                        struct plog_snapshot *before, const unsigned char *want,
                        struct plog_snapshot_written *out,
                        struct plog_error *err)
{
    const struct plog_io *io = d->io;
    char name[PLOG_SNAPSHOT_NAME], part[PLOG_SNAPSHOT_NAME + sizeof PART];
    struct writer w = {.io = io,
                       .store = store,
                       .head = head,
                       .tables = tables,
                       .before = before,
                       .out = out};

    int dir, bad = 0, rc = plog_snapshot_dir(d, true, &dir, err);
    memset(out, 0, sizeof *out);
    if (rc)
        return rc;
    plog_snapshot_name(head->commit.size, name);
    snprintf(part, sizeof part, "%s" PART, name);
    io->unlink_at(io->ctx, dir, part);
    int fd = io->open_at(io->ctx, dir, part, O_RDWR | O_CREAT | O_EXCL, 0600);
    rc = fd < 0 ? plog_fail_io(err, fd, PLOG_SNAPSHOT_DIR, "making a file")
                : write_file(&w, fd, err);
    if (fd >= 0)
        io->close(io->ctx, fd);
    if (!rc && want && memcmp(out->digest, want, PLOG_HASH_SIZE) != 0)
        rc = not_wanted(head->commit.size, err);
    if (!rc)
        rc = keep_another(d, dir, head->commit.size, out, err);
    if (!rc && (bad = io->rename_at(io->ctx, dir, part, dir, name, true)) != 0)
        rc = plog_fail_io(err, bad, PLOG_SNAPSHOT_DIR, "naming a snapshot");
    if (!rc && (bad = io->fsync(io->ctx, dir)) != 0)
        rc = plog_fail_io(err, bad, PLOG_SNAPSHOT_DIR, "syncing the folder");
    if (rc)
        io->unlink_at(io->ctx, dir, part);
    io->close(io->ctx, dir);
    if (rc)
        return rc;
    return plog_snapshot_check(d, head->commit.size, out->digest, err);
}
