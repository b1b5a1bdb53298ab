/* oracle_read.c - see oracle_read.h. */
#include "oracle_read.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

/* ---- The log ------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct sim_name *const *)a)->name,
                  (*(const struct sim_name *const *)b)->name);
}

/* The segments in order, in `out`.  Returns how many. */
static int segments(const struct sim_image *m, const struct sim_name **out,
                    int most)
{
    int dir = sim_image_path(m, ORACLE_DIR "/log"), n = 0;
    for (int i = 0; dir >= 0 && i < m->name_count && n < most; i++) {
        const struct sim_name *e = &m->names[i];
        size_t len = strlen(e->name);
        if (e->dir == dir && len > 6 && !strcmp(e->name + len - 6, ".jsonl"))
            out[n++] = e;
    }
    qsort(out, (size_t)n, sizeof *out, by_name);
    return n;
}

char *oracle_log_text(const struct sim_image *m, size_t *len)
{
    const struct sim_name *all[64];
    int n = segments(m, all, 64);
    size_t total = 0;
    for (int i = 0; i < n; i++)
        total += sim_image_size(m, all[i]->node);
    char *text = malloc(total + 1);
    if (!text)
        abort();
    *len = 0;
    for (int i = 0; i < n; i++) {
        size_t size = sim_image_size(m, all[i]->node);
        if (size)
            memcpy(text + *len, sim_image_bytes(m, all[i]->node), size);
        *len += size;
    }
    while (*len > 0 && text[*len - 1] == '\n')
        --*len;
    return text;
}

/* ---- The store ---------------------------------------------------------- */

static uint64_t digest_of(sqlite3 *db, const char *sql, uint64_t h)
{
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK) {
        printf("# %s: %s\n", sql, sqlite3_errmsg(db));
        return 0;
    }
    int rc;
    while ((rc = sqlite3_step(q)) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(q); i++) {
            int type = sqlite3_column_type(q, i);
            const void *p = sqlite3_column_blob(q, i);
            size_t n = (size_t)sqlite3_column_bytes(q, i);
            h = sim_hash(h + (uint64_t)type, p ? p : "", n);
        }
    sqlite3_finalize(q);
    return rc == SQLITE_DONE ? h : 0;
}

uint64_t oracle_store_digest(struct sim *s)
{
    static const char *const all[] = {
        "SELECT origin,size,root,range,key,sig,floor,strategy FROM meta",
        "SELECT line_max FROM meta",
        "SELECT * FROM events ORDER BY seq",
        "SELECT * FROM checkpoints ORDER BY size",
        "SELECT * FROM state_now ORDER BY resource,record_id",
        "SELECT * FROM rotations ORDER BY seq",
        "SELECT * FROM cursors ORDER BY source,resource",
        "SELECT name,added FROM peers ORDER BY name",
        "SELECT seq,target FROM redactions ORDER BY seq",
        "SELECT * FROM old_ids ORDER BY id",
    };
    sqlite3 *db = NULL;
    uint64_t h = 1;
    int rc = sqlite3_open_v2(ORACLE_DIR "/store.db", &db, SQLITE_OPEN_READONLY,
                             sim_vfs_name(s));
    /* Reading must leave the WAL as it is. */
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    for (size_t i = 0; rc == SQLITE_OK && h && i < sizeof all / sizeof *all;
         i++)
        h = digest_of(db, all[i], h);
    sqlite3_close(db);
    return rc == SQLITE_OK ? h : 0;
}

/* ---- Files -------------------------------------------------------------- */

static bool is_kept_in(const struct sim_image *m, int dir)
{
    return dir == sim_image_path(m, ORACLE_DIR "/log") ||
           dir == sim_image_path(m, ORACLE_DIR "/quarantine");
}

uint64_t oracle_files_hash(const struct sim_image *m)
{
    uint64_t sum = 0;
    for (int i = 0; i < m->name_count; i++) {
        const struct sim_name *e = &m->names[i];
        if (m->nodes[e->node].dir || !is_kept_in(m, e->dir))
            continue;
        uint64_t h = sim_hash((uint64_t)e->dir, e->name, strlen(e->name));
        size_t size = sim_image_size(m, e->node);
        sum += sim_hash(
            h, size ? sim_image_bytes(m, e->node) : (const unsigned char *)"",
            size);
    }
    return sum;
}

bool oracle_keeps(const struct sim_image *m, const unsigned char *bytes,
                  size_t n)
{
    for (int i = 0; i < m->name_count; i++) {
        const struct sim_name *e = &m->names[i];
        size_t size = sim_image_size(m, e->node);
        if (m->nodes[e->node].dir || !is_kept_in(m, e->dir) || size < n)
            continue;
        if (memmem(sim_image_bytes(m, e->node), size, bytes, n))
            return true;
    }
    return false;
}
