/*
 * test_redact_wal.c - the store's pages and its WAL hold a payload, too: what
 * is told when they cannot be emptied, by whatever is in the way, and that the
 * redaction is finished when it is run again.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;
static struct plog_error err;
static struct plog_redact_report report;
static bool keeps; /* the WAL's file cannot be cut */

/* ---- A file layer that cannot cut the WAL -------------------------------- */

static struct plog_io io;
static sqlite3_vfs layer;
static const sqlite3_io_methods *below;
static int (*open_below)(sqlite3_vfs *, const char *, sqlite3_file *, int,
                         int *);

static int cut(sqlite3_file *f, sqlite3_int64 size)
{
    return keeps ? SQLITE_IOERR_TRUNCATE : below->xTruncate(f, size);
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
                     int flags, int *out)
{
    static sqlite3_io_methods methods;
    int rc = open_below(vfs, name, f, flags, out);
    if (rc == SQLITE_OK && flags & SQLITE_OPEN_WAL) {
        below = f->pMethods;
        methods = *below;
        methods.xTruncate = cut;
        f->pMethods = &methods;
    }
    return rc;
}

/* Entries 2 to 5, of which 4 is to go. */
static void begin(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(world_put(&w, NULL, i % 2 ? "1" : "2", "secret", NULL), 0);
    world_close(&w);
    io = *plog_io_posix();
    layer = *sqlite3_vfs_find(NULL);
    open_below = layer.xOpen;
    layer.xOpen = open_file;
    io.vfs_base = &layer;
    keeps = false;
}

static int redact(void)
{
    struct plog_redact_options o = {.struct_size = sizeof o,
                                    .io = &io,
                                    .wait_seconds = -1,
                                    .reason = "asked for"};
    err = (struct plog_error){.code = 0};
    return plog_redact(w.dir, 4, &o, &report, &err);
}

static uint64_t pending(void)
{
    struct plog_status s;
    CHECK_INT(plog_read_status(w.dir, NULL, &s, NULL), 0);
    CHECK_INT(s.verdict, 0);
    CHECK_UINT(s.redactions, 1);
    return s.pending;
}

static bool log_has(const char *text)
{
    size_t n;
    char *log =
        world_read(world_path(&w, "log/00000000000000000001.jsonl"), &n);
    bool has = memmem(log, n, text, strlen(text)) != NULL;
    free(log);
    return has;
}

/* ---- Cases --------------------------------------------------------------- */

#define NOT_YET                                                                \
    "entry 4 is ordered to be redacted by entry 6, but its payload is not"     \
    " gone yet: "

static bool no_vacuum(const char *call, const char *sql, bool busy)
{
    (void)call, (void)busy;
    return strcmp(sql, "VACUUM") == 0;
}

/* Who is in the way, and what then is to be done. */
static void not_emptied(void)
{
    static const struct {
        const char *what;
        int code;
        const char *says, *hint;
    } all[] = {
        {"disk", PLOG_E_IO,
         NOT_YET "emptying the store's WAL: disk I/O error (SQLite 1546", ""},
        {"pages", PLOG_E_IO, NOT_YET "writing to the store: ", ""},
        {"reader", PLOG_E_LOCKED,
         NOT_YET "a reader holds an old state of the store, so its WAL cannot"
                 " be emptied",
         "end long reads and run it again, with a longer wait; or the next"
         " opening for writing finishes it"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        sqlite3 *db = NULL;
        begin();
        keeps = strcmp(all[i].what, "disk") == 0;
        sql_calls.fails = strcmp(all[i].what, "pages") ? NULL : no_vacuum;
        if (strcmp(all[i].what, "reader") == 0) {
            CHECK_INT(sqlite3_open(world_path(&w, "store.db"), &db), SQLITE_OK);
            CHECK_INT(sqlite3_exec(db, "BEGIN; SELECT * FROM events", NULL,
                                   NULL, NULL),
                      SQLITE_OK);
        }
        bool ok = CHECK_INT(redact(), all[i].code);
        ok &= CHECK_INT(err.code, all[i].code);
        ok &=
            CHECK(strncmp(err.message, all[i].says, strlen(all[i].says)) == 0);
        ok &= CHECK_TEXT(err.hint, all[i].hint);
        ok &= CHECK_UINT(report.order, 6);
        ok &= CHECK_UINT(report.segments, 0);
        ok &= CHECK_UINT(pending(), 1);
        if (!ok)
            printf("# %s: %s\n", all[i].what, err.message);
        keeps = false;
        sql_calls.fails = NULL;
        sqlite3_close(db);
        CHECK_INT(redact(), 0);
        CHECK(report.already);
        CHECK_UINT(report.order, 6);
        CHECK_UINT(pending(), 0);
        CHECK(log_has("\"redacted\":\""));
        world_end(&w, 6);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"not emptied", not_emptied},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
