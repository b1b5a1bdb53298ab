/*
 * test_old_ids.c - ids that outlive their events, in the store by themselves:
 * found again, and a damaged row or table is not taken for no id.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "old_ids.h"

static struct plog_store s;

static void set_up(const char *sql)
{
    memset(&s, 0, sizeof s);
    CHECK_INT(sqlite3_open(":memory:", &s.db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(s.db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void tear_down(void)
{
    sqlite3_finalize(s.add_old_id);
    sqlite3_finalize(s.old_id);
    CHECK_INT(sqlite3_close(s.db), SQLITE_OK);
}

#define TABLE                                                                  \
    "CREATE TABLE old_ids(id BLOB PRIMARY KEY, seq INTEGER NOT NULL,"          \
    " leaf BLOB NOT NULL, content BLOB) STRICT, WITHOUT ROWID"

static struct plog_old_id make(const char *id, uint64_t seq, bool content)
{
    struct plog_old_id r = {.seq = seq, .has_content = content};
    plog_sha256(id, strlen(id), r.id);
    memset(r.leaf, (int)seq, sizeof r.leaf);
    memset(r.content, 9, sizeof r.content);
    return r;
}

static int find(const char *id, struct plog_old_id *out)
{
    return plog_store_find_old_id(&s, plog_span_text(id), out, NULL);
}

static void there_and_back(void)
{
    struct plog_old_id a = make("a", 5, true), b = make("b", 6, false), found;
    set_up(TABLE);
    CHECK_INT(find("a", &found), PLOG_END);
    CHECK_INT(plog_store_add_old_id(&s, &a, NULL), 0);
    CHECK_INT(plog_store_add_old_id(&s, &b, NULL), 0);
    CHECK_INT(find("a", &found), 0);
    CHECK_BYTES(&found, sizeof found, &a, sizeof a);
    CHECK_INT(find("b", &found), 0);
    CHECK_UINT(found.seq, 6);
    CHECK(!found.has_content);
    CHECK_BYTES(found.leaf, sizeof found.leaf, b.leaf, sizeof b.leaf);
    CHECK_INT(find("c", &found), PLOG_END);
    b = make("a", 7, false); /* the later one is the one that counts */
    CHECK_INT(plog_store_add_old_id(&s, &b, NULL), 0);
    CHECK_INT(find("a", &found), 0);
    CHECK_UINT(found.seq, 7);
    CHECK(!found.has_content);
    tear_down();
}

/* An id of which that much is left is no id that nobody has used. */
static void a_damaged_row(void)
{
    static const char *const leaves[] = {"x''", "zeroblob(31)", "zeroblob(33)"};
    for (int i = 0; i < 3; i++) {
        struct plog_old_id a = make("a", 5, true), found;
        struct plog_error err = {0};
        char sql[100];
        set_up(TABLE);
        CHECK_INT(plog_store_add_old_id(&s, &a, NULL), 0);
        snprintf(sql, sizeof sql, "UPDATE old_ids SET leaf=%s", leaves[i]);
        CHECK_INT(sqlite3_exec(s.db, sql, NULL, NULL, NULL), SQLITE_OK);
        CHECK_INT(plog_store_old_id(&s, a.id, &found, &err), PLOG_E_DIVERGED);
        CHECK(strstr(err.message, "the leaf of an old id") != NULL);
        tear_down();
    }
}

static void no_table(void)
{
    struct plog_old_id a = make("a", 5, true), found;
    set_up("CREATE TABLE other(x)");
    CHECK_INT(find("a", &found), PLOG_E_DIVERGED);
    CHECK_INT(plog_store_add_old_id(&s, &a, NULL), PLOG_E_DIVERGED);
    tear_down();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"there_and_back", there_and_back},
        {"a_damaged_row", a_damaged_row},
        {"no_table", no_table},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
