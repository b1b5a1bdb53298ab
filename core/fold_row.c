/* fold_row.c - see fold_row.h. */
#include "fold_row.h"

void plog_fold_row_read(sqlite3_stmt *s, int from, struct plog_current *out)
{
    memset(out, 0, sizeof *out);
    out->known = true;
    out->seq = plog_sql_u64(s, from);
    out->last = plog_sql_u64(s, from + 1);
    out->version = plog_sql_u64(s, from + 2);
    out->instant.seconds = sqlite3_column_int64(s, from + 3);
    out->instant.nanos = sqlite3_column_int(s, from + 4);
    out->confidence = sqlite3_column_double(s, from + 5);
    out->origin = plog_sql_text(s, from + 6);
    out->origin_seq = plog_sql_u64(s, from + 7);
    out->payload_at = plog_sql_u64(s, from + 8);
    out->payload_len = plog_sql_u64(s, from + 9);
    out->merged = plog_sql_text(s, from + 10);
    out->present = out->merged.n || out->payload_len;
}

int plog_fold_row_write(sqlite3_stmt *s, struct plog_span resource,
                        struct plog_span record_id,
                        const struct plog_current *now, struct plog_error *err)
{
    plog_sql_bind(s, 1, resource);
    plog_sql_bind(s, 2, record_id);
    plog_sql_bind_u64(s, 3, now->seq);
    plog_sql_bind_u64(s, 4, now->last);
    plog_sql_bind_u64(s, 5, now->version);
    sqlite3_bind_int64(s, 6, now->instant.seconds);
    sqlite3_bind_int(s, 7, now->instant.nanos);
    sqlite3_bind_double(s, 8, now->confidence);
    plog_sql_bind(s, 9, now->origin.n ? now->origin : plog_span(NULL, 0));
    plog_sql_bind_u64(s, 10, now->origin_seq);
    plog_sql_bind_u64(s, 11, now->payload_at);
    plog_sql_bind_u64(s, 12, now->payload_len);
    plog_sql_bind(s, 13, now->merged.n ? now->merged : plog_span(NULL, 0));
    return plog_sql_run(s, err);
}
