/*
 * parity_records.c - records against the fold of the log.
 *
 * Both state tables are read in key order side by side; where one has a row
 * that the other lacks, or the same key with other columns, that is a
 * finding, named by the entry that the fold stands on.
 */
#include <stdio.h>

#include "parity.h"

/* -1: the left key comes first. */
static int compare_keys(sqlite3_stmt *a, sqlite3_stmt *b, int columns)
{
    for (int i = 0; i < columns; i++) {
        int order = plog_span_compare(plog_sql_text(a, i), plog_sql_text(b, i));
        if (order)
            return order;
    }
    return 0;
}

static bool same_row(sqlite3_stmt *a, sqlite3_stmt *b)
{
    for (int i = 0; i < sqlite3_column_count(a); i++) {
        int type = sqlite3_column_type(a, i);
        if (type != sqlite3_column_type(b, i))
            return false;
        if (type == SQLITE_FLOAT
                ? memcmp(&(double){sqlite3_column_double(a, i)},
                         &(double){sqlite3_column_double(b, i)},
                         sizeof(double)) != 0
                : !plog_span_equal(plog_sql_text(a, i), plog_sql_text(b, i)))
            return false;
    }
    return true;
}

struct pair {
    struct plog_parity *p;
    sqlite3_stmt *want, *have; /* of the fold, of the store */
    int keys;                  /* leading columns that are the key */
    int seq_column;
    const char *what;
    uint64_t count;
};

static void differ(struct pair *m, sqlite3_stmt *row, const char *expected,
                   const char *found)
{
    char want[96], got[96];
    snprintf(want, sizeof want, "%s: %s", m->what, expected);
    snprintf(got, sizeof got, "%s: %s", m->what, found);
    plog_parity_find(m->p, PLOG_E_DIVERGED, plog_sql_u64(row, m->seq_column),
                     want, got);
}

static int merge_rows(struct pair *m, struct plog_error *err)
{
    bool want, have;
    int rc = plog_sql_next(m->want, &want, err);
    if (!rc)
        rc = plog_sql_next(m->have, &have, err);
    while (!rc && (want || have) && !m->p->c->stopped) {
        int order = !want   ? 1
                    : !have ? -1
                            : compare_keys(m->want, m->have, m->keys);
        if (order < 0)
            differ(m, m->want, "as the log folds", "none");
        else if (order > 0)
            differ(m, m->have, "none", "a row the log does not give");
        else if (!same_row(m->want, m->have))
            differ(m, m->want, "as the log folds", "other content");
        m->count += order <= 0;
        if (order <= 0)
            rc = plog_sql_next(m->want, &want, err);
        if (!rc && order >= 0)
            rc = plog_sql_next(m->have, &have, err);
        plog_check_progress(m->p->c, "records", m->count, 0);
    }
    return rc;
}

static int compare_tables(struct plog_parity *p, const char *table,
                          const char *with, int keys, int seq_column,
                          const char *what, uint64_t *count,
                          struct plog_error *err)
{
    struct pair m = {p, NULL, NULL, keys, seq_column, what, 0};
    char sql[160];
    snprintf(sql, sizeof sql, "SELECT * FROM temp.%s ORDER BY 1,2", table);
    int rc = plog_sql_prepare(p->db, sql, &m.want, err);
    snprintf(sql, sizeof sql, "SELECT * FROM main.%s ORDER BY 1,2", with);
    if (!rc)
        rc = plog_sql_prepare(p->db, sql, &m.have, err);
    if (!rc)
        rc = merge_rows(&m, err);
    sqlite3_finalize(m.want);
    sqlite3_finalize(m.have);
    if (count)
        *count = m.count;
    return rc;
}

static void compare_rules(struct plog_parity *p)
{
    const struct plog_store_head *h = &p->c->head;
    const struct plog_rules *r = &h->rules;
    if (r->strategy != p->rules.strategy || r->line_max != p->rules.line_max ||
        r->segment_size != p->rules.segment_size ||
        r->redactions != p->rules.redactions || r->floor != p->rules.floor ||
        r->base > r->floor)
        plog_parity_find(p, PLOG_E_DIVERGED, h->commit.size,
                         "meta: the rules that the log sets", "other ones");
}

/* Where damage hides the head, the log may have taken its name behind what
 * could be read: then that of any segment counts. */
static void compare_origin(struct plog_parity *p)
{
    const struct plog_store_head *h = &p->c->head;
    const char *origin = p->origin[0] ? p->origin : p->c->walk.chain.origin;
    if (p->damaged && !p->origin[0] &&
        plog_reader_check_log(&p->c->reader, NULL) != PLOG_E_FOREIGN)
        return;
    if (h->commit.size > 0 && origin[0] && strcmp(h->origin, origin) != 0)
        plog_parity_find(p, PLOG_E_FOREIGN, 0, origin, h->origin);
}

static int compare_state(struct plog_parity *p, struct plog_error *err)
{
    const char *source;
    int rc = plog_recent_source(p->db, &source, err);
    return rc ? rc
              : compare_tables(p, "state", source, 2, 2, "record",
                               &p->c->report->records, err);
}

int plog_parity_records(struct plog_parity *p, struct plog_error *err)
{
    compare_origin(p); /* also when damage hides the rest */
    if (!p->fold_whole) {
        plog_check_unchecked(p->c, PLOG_LEG_STORE, 1, p->c->head.commit.size,
                             "records: the log does not give their fold");
        return 0;
    }
    if (p->partial)
        return plog_parity_touched(p, err);
    if (p->c->quick && p->c->o->skip_records)
        return 0;
    int rc = 0;
    if (!p->c->quick)
        rc = compare_state(p, err);
    else if (!p->c->upto)
        rc = plog_parity_tallied(p, err);
    if (!rc)
        rc = compare_tables(p, "cursors", "cursors", 2, 3, "cursor", NULL, err);
    if (!rc)
        rc = plog_parity_peers(p, err);
    if (!rc)
        compare_rules(p);
    if (!rc && p->c->upto && !p->c->stopped)
        rc = plog_check_leave_store(p->c, err);
    if (!rc && p->c->upto && !p->c->stopped)
        rc = plog_parity_tallied(p, err);
    return rc;
}
