/* fuzz_world.c - see fuzz_world.h. */
#include "fuzz_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "paritylog_recovery.h"

/* Each fails hard and says why: without a world there is no fuzzing. */
static void done(int rc, const struct plog_error *err)
{
    if (rc)
        fprintf(stderr, "the world: %d %s\n", rc, err->message);
    MUST(rc == 0);
}

static void put(plog *p, const char *id, const char *record, const char *op,
                const char *payload, const char *time)
{
    char text[512];
    struct plog_error err = {0};
    int n = snprintf(text, sizeof text,
                     "{\"id\":\"%s\",\"resource\":\"pets\",\"record_id\":\"%s\""
                     ",\"op\":\"%s\",\"payload\":%s,\"occurred_at\":\"%s\","
                     "\"provenance\":{\"source\":\"crm\",\"confidence\":0.5}}",
                     id, record, op, payload, time);
    done(plog_append(p, text, (size_t)n, NULL, &err), &err);
}

static void fill(struct fuzz_world *w)
{
    struct plog_options o = {.struct_size = sizeof o, .io = &w->ram.io};
    struct plog_error err = {0};
    struct plog_cursor c = {.source = plog_span_text("crm"),
                            .resource = plog_span_text("*"),
                            .cursor = plog_span_text("page-2")};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    plog *p;
    done(plog_open(&p, FUZZ_DIR, &o, &err), &err);
    put(p, "a1", "1", "upsert", "{\"name\":\"Mia\",\"kg\":4.20}",
        "2026-01-02T03:04:05Z");
    put(p, "a2", "1", "upsert", "{\"name\":\"old\"}", "2025-01-02T03:04:05Z");
    put(p, "a3", "2", "upsert", "{\"n\":\"Zo\\u00eb\"}",
        "2026-01-02T04:04:05+01:00");
    put(p, "a4", "2", "delete", "null", "2026-01-03T00:00:00Z");
    done(plog_set_strategy(p, PLOG_MERGE_JSON, NULL, &err), &err);
    put(p, "a5", "1", "upsert", "{\"kg\":5,\"tags\":[1]}",
        "2026-02-01T00:00:00Z");
    put(p, "a6", "3", "upsert", "{}", "2026-02-02T00:00:00Z");
    put(p, "a7", "\xc3\xa9", "upsert", "{\"x\":null}", "2026-02-03T00:00:00Z");
    done(plog_append_group(p, &g, NULL, &err), &err);
    plog_close(p);
}

sqlite3 *fuzz_world_raw(struct fuzz_world *w)
{
    sqlite3 *db = NULL;
    sqlite3_vfs_register(&w->ram.vfs, 0);
    int rc = sqlite3_open_v2(FUZZ_STORE, &db, SQLITE_OPEN_READWRITE, "ram");
    sqlite3_vfs_unregister(&w->ram.vfs);
    MUST(rc == SQLITE_OK);
    return db;
}

static void keep(struct fuzz_world *w)
{
    w->count = 0;
    for (int i = 0; i < RAM_FILES; i++) {
        const struct ram_file *f = &w->ram.file[i];
        if (!f->path[0] || strstr(f->path, "-wal"))
            continue;
        memcpy(w->kept[w->count].path, f->path, sizeof f->path);
        w->kept[w->count].data = malloc(f->n + 1);
        MUST(w->kept[w->count].data != NULL);
        if (f->n)
            memcpy(w->kept[w->count].data, f->data, f->n);
        w->kept[w->count].n = f->n;
        w->kept[w->count].mode = f->mode;
        w->count++;
    }
}

const unsigned char *fuzz_world_kept(const struct fuzz_world *w,
                                     const char *path, size_t *n)
{
    for (unsigned i = 0; i < w->count; i++)
        if (!strcmp(w->kept[i].path, path)) {
            *n = w->kept[i].n;
            return w->kept[i].data;
        }
    return NULL;
}

/* Most of them are as they were: they are only compared. */
void fuzz_world_reset(struct fuzz_world *w)
{
    struct ram *r = &w->ram;
    size_t n;
    for (int i = 0; i < RAM_FILES; i++)
        if (r->file[i].path[0] && !fuzz_world_kept(w, r->file[i].path, &n))
            ram_remove(r, r->file[i].path);
    for (unsigned i = 0; i < w->count; i++) {
        const struct ram_file *f = ram_find(r, w->kept[i].path);
        n = w->kept[i].n;
        if (!f || f->n != n || (n && memcmp(f->data, w->kept[i].data, n) != 0))
            ram_put(r, w->kept[i].path, w->kept[i].data, n);
        ram_find(r, w->kept[i].path)->mode = w->kept[i].mode;
    }
    r->folders = r->writes = r->made = 0;
}

void fuzz_world_make(struct fuzz_world *w)
{
    struct plog_init_options o = {.struct_size = sizeof o, .io = &w->ram.io};
    struct plog_error err = {0};
    struct plog_peer_options po = {.struct_size = sizeof po, .io = &w->ram.io};
    struct plog_peer_report report;
    struct plog_redact_options ro = {
        .struct_size = sizeof ro, .io = &w->ram.io, .reason = "gone"};
    struct plog_redact_report redacted;
    ram_init(&w->ram);
    o.origin = "example.org/fuzz";
    char vkey[PLOG_VKEY_MAX];
    done(plog_init(FUZZ_DIR, &o, vkey, &err), &err);
    fill(w);
    done(plog_peer_add(FUZZ_DIR, "near", &po, &report, &err), &err);
    done(plog_redact(FUZZ_DIR, 4, &ro, &redacted, &err), &err);
    sqlite3 *db = fuzz_world_raw(w);
    MUST(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL,
                      NULL) == SQLITE_OK);
    sqlite3_close(db);
    keep(w);
    fuzz_world_reset(w);
}
