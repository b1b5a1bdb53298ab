/* old_ids.c - see old_ids.h. */
#include "old_ids.h"

#include "redact.h"
#include "sha256.h"

void plog_content_hash(const struct plog_delta *d,
                       unsigned char out[PLOG_HASH_SIZE])
{
    const struct plog_span all[] = {d->resource, d->record_id,   d->op,
                                    d->payload,  d->occurred_at, d->provenance,
                                    d->meta};
    struct plog_sha256_state s;
    plog_sha256_begin(&s);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        plog_sha256_add(&s, all[i].p, all[i].n);
        plog_sha256_add(&s, "\n", 1);
    }
    plog_sha256_end(&s, out);
}

void plog_old_id_of(const struct plog_entry *e, struct plog_span line,
                    struct plog_old_id *out)
{
    memset(out, 0, sizeof *out);
    plog_sha256(e->delta.id_text.p, e->delta.id_text.n, out->id);
    out->seq = e->seq;
    plog_line_leaf(line, out->leaf);
    out->has_content = !e->redacted;
    if (out->has_content)
        plog_content_hash(&e->delta, out->content);
}

int plog_store_add_old_id(struct plog_store *s, const struct plog_old_id *id,
                          struct plog_error *err)
{
    int rc = s->add_old_id ? 0
                           : plog_sql_prepare(s->db,
                                              "INSERT OR REPLACE INTO"
                                              " main.old_ids"
                                              " VALUES(?1,?2,?3,?4)",
                                              &s->add_old_id, err);
    if (rc)
        return rc;
    sqlite3_bind_blob(s->add_old_id, 1, id->id, PLOG_HASH_SIZE, SQLITE_STATIC);
    plog_sql_bind_u64(s->add_old_id, 2, id->seq);
    sqlite3_bind_blob(s->add_old_id, 3, id->leaf, PLOG_HASH_SIZE,
                      SQLITE_STATIC);
    if (id->has_content)
        sqlite3_bind_blob(s->add_old_id, 4, id->content, PLOG_HASH_SIZE,
                          SQLITE_STATIC);
    else
        sqlite3_bind_null(s->add_old_id, 4);
    return plog_sql_run(s->add_old_id, err);
}

static bool take(struct plog_span s, unsigned char *out)
{
    if (s.n != PLOG_HASH_SIZE)
        return false;
    memcpy(out, s.p, PLOG_HASH_SIZE);
    return true;
}

int plog_store_find_old_id(struct plog_store *s, struct plog_span id,
                           struct plog_old_id *out, struct plog_error *err)
{
    unsigned char hash[PLOG_HASH_SIZE];
    plog_sha256(id.p, id.n, hash);
    return plog_store_old_id(s, hash, out, err);
}

int plog_store_old_id(struct plog_store *s, const unsigned char *id,
                      struct plog_old_id *out, struct plog_error *err)
{
    memset(out, 0, sizeof *out);
    memcpy(out->id, id, sizeof out->id);
    int rc = s->old_id ? 0
                       : plog_sql_prepare(s->db,
                                          "SELECT seq,leaf,content FROM"
                                          " main.old_ids WHERE id=?1",
                                          &s->old_id, err);
    if (rc)
        return rc;
    sqlite3_bind_blob(s->old_id, 1, out->id, PLOG_HASH_SIZE, SQLITE_STATIC);
    rc = plog_sql_row(s->old_id, err);
    if (rc)
        return rc;
    out->seq = plog_sql_u64(s->old_id, 0);
    out->has_content = take(plog_sql_text(s->old_id, 2), out->content);
    if (!take(plog_sql_text(s->old_id, 1), out->leaf))
        rc = plog_fail(err, PLOG_E_DIVERGED,
                       "store.db: the leaf of an old id is not one");
    sqlite3_reset(s->old_id);
    return rc;
}
