/*
 * test_whose_store.c - a reader does not answer from the store of another
 * directory; and damage of the log, or a log that is gone, stops none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "world.h"

static struct world mine, other;
static struct plog_error err;

#define SEGMENTS 20

/* A log `origin` in small segments; what its records say is `value`. */
static void make(struct world *w, const char *origin, const char *value)
{
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .origin = origin,
                                  .segment_size_bytes = PEERS_SEGMENT};
    memset(w, 0, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "%.400s/log", check_dir());
    CHECK_INT(plog_init(w->dir, &o, w->vkey, NULL), 0);
    w->options.struct_size = sizeof w->options;
    CHECK_INT(world_open(w), 0);
    for (int i = 0; i < 30; i++) {
        char record[16];
        snprintf(record, sizeof record, "r%d", i);
        CHECK_INT(world_put(w, NULL, record, value, NULL), 0);
    }
    world_close(w);
    world_sql(w, "PRAGMA wal_checkpoint(TRUNCATE)");
}

static void make_both(void)
{
    make(&mine, "example.org/mine", "m");
    make(&other, "example.org/other", "o");
}

/* Of `from`, in the place of what `mine` has. */
static void take(const struct world *from, const char *what)
{
    char path[700];
    if (world_has(&mine, what))
        world_remove(world_path(&mine, what));
    snprintf(path, sizeof path, "%s", world_path(from, what));
    world_copy(path, world_path(&mine, what));
}

static void take_store(void)
{
    static const char *const more[] = {"store.db-wal", "store.db-shm"};
    for (int i = 0; i < 2; i++)
        if (world_has(&mine, more[i]))
            world_remove(world_path(&mine, more[i]));
    take(&other, "store.db");
}

static const char *segment(uint64_t first)
{
    char name[60];
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
    return world_path(&mine, name);
}

/* Where the segments begin, by the store; 0 behind the last. */
static void read_starts(const struct world *w, uint64_t *first)
{
    memset(first, 0, SEGMENTS * sizeof *first);
    for (int i = 0; i + 1 < SEGMENTS; i++) {
        char sql[100];
        snprintf(sql, sizeof sql,
                 "SELECT first FROM segments ORDER BY first LIMIT 1 OFFSET %d",
                 i);
        int64_t n = world_number(w, sql);
        if (n > 0)
            first[i] = (uint64_t)n;
    }
}

/* Opens one and asks for a record. */
static int ask(const char *vkey)
{
    struct plog_options o = {.struct_size = sizeof o, .vkey = vkey};
    struct plog_record record;
    plog_reader *r = NULL;
    memset(&err, 0, sizeof err);
    int rc = plog_reader_open(&r, mine.dir, &o, &err);
    CHECK_INT(err.code, rc);
    CHECK((r != NULL) == (rc == 0));
    if (rc)
        return rc;
    rc = plog_reader_get(r, (struct plog_span){"r", 1},
                         (struct plog_span){"r3", 2}, &record, NULL);
    plog_reader_close(r);
    return rc;
}

static void is_foreign(void)
{
    CHECK_INT(ask(NULL), PLOG_E_FOREIGN);
    CHECK_TEXT(err.message, "the log is `example.org/mine`, the store belongs"
                            " to `example.org/other`");
    CHECK_TEXT(err.file, "store.db");
    CHECK_TEXT(err.hint, "run: paritylog parity DIR");
}

/* ---- Another's ----------------------------------------------------------- */

/* It is no second history, though its key is trusted: this directory signs with
 * the log's. */
static void parity_says_so(void)
{
    struct world_found f;
    CHECK_INT(world_parity(&mine, NULL, &f), PLOG_E_FOREIGN);
    CHECK_UINT(f.report.counts[-PLOG_E_FOREIGN], 1);
    CHECK_UINT(f.report.counts[-PLOG_E_FORK], 0);
    CHECK_UINT(f.report.counts[-PLOG_E_ROLLBACK], 0);
    for (unsigned i = 0; i < f.count && i < WORLD_FINDINGS; i++)
        CHECK(strncmp(f.first[i].next, "paritylog replay DIR --fresh", 28) ==
              0);
}

static void of_another_log(void)
{
    bool added;
    make_both();
    CHECK_INT(ask(NULL), 0);
    take_store();
    is_foreign();
    /* Whatever keys are trusted here. */
    CHECK_INT(ask(other.vkey), PLOG_E_FOREIGN);
    CHECK_INT(plog_key_trust(mine.dir, other.vkey, false, NULL, &added, NULL),
              0);
    is_foreign();
    parity_says_so();
    CHECK_INT(world_open(&other), 0);
    CHECK_INT(world_put(&other, NULL, "r9", "o", NULL), 0);
    world_close(&other);
    take_store(); /* one that goes further than the log */
    parity_says_so();
    world_remove(world_path(&mine, "keys"));
    is_foreign();
}

/* The log says nothing any more: what is trusted here does. */
static void without_a_log(void)
{
    uint64_t first[SEGMENTS];
    make_both();
    read_starts(&mine, first);
    for (int i = 0; first[i]; i++)
        world_remove(segment(first[i]));
    CHECK_INT(ask(NULL), 0);
    take_store();
    CHECK_INT(ask(NULL), PLOG_E_FOREIGN);
    CHECK(strstr(err.message, "of which no key is trusted here") != NULL);
    CHECK_INT(ask(other.vkey), 0);
    world_remove(world_path(&mine, "keys"));
    CHECK_INT(ask(NULL), 0);
}

/* A reader that is open hears of it, too. */
static void put_there_meanwhile(void)
{
    struct plog_head head;
    plog_reader *r = NULL;
    make_both();
    CHECK_INT(plog_reader_open(&r, mine.dir, NULL, NULL), 0);
    REQUIRE(r != NULL);
    take_store();
    memset(&err, 0, sizeof err);
    CHECK_INT(plog_reader_head(r, &head, &err), PLOG_E_FOREIGN);
    CHECK_INT(err.code, PLOG_E_FOREIGN);
    CHECK_INT(plog_reader_head(r, &head, &err), PLOG_E_FOREIGN);
    plog_reader_close(r);
}

/* ---- One's own ----------------------------------------------------------- */

/* One segment after the other is another's, damaged, cut or gone; and so are
 * all but one. */
static void damaged(void)
{
    uint64_t first[SEGMENTS];
    char from[700], was[700];
    make_both();
    read_starts(&mine, first);
    CHECK(first[3] != 0);
    snprintf(from, sizeof from, "%s",
             world_path(&other, "log/00000000000000000001.jsonl"));
    snprintf(was, sizeof was, "%s-was", mine.dir);
    for (int all = 0; all < 2; all++)
        for (int i = 0; first[i]; i++)
            for (int how = 0; how < 4; how++) {
                world_copy(mine.dir, was);
                for (int k = 0; first[k]; k++) {
                    if ((k == i) == all)
                        continue;
                    world_remove(segment(first[k]));
                    if (how == 0)
                        world_copy(from, segment(first[k]));
                    if (how == 1)
                        world_write(segment(first[k]), "{\"segment\":{}\n", 14);
                    if (how == 2)
                        world_write(segment(first[k]), "", 0);
                }
                if (!CHECK_INT(ask(NULL), 0))
                    printf("# all %d, segment %d, %d\n", all, i, how);
                world_remove(mine.dir);
                world_copy(was, mine.dir);
                world_remove(was);
            }
    world_end(&mine, 31);
}

/* A header whose name was edited, and no other segment: the store's head still
 * lies where it says. */
static void an_edited_name(void)
{
    struct world_found f;
    size_t n;
    world_make(&mine, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&mine, NULL, "r3", "1", NULL), 0);
    world_close(&mine);
    char *text = world_read(segment(1), &n);
    char *at = strstr(text, "\"origin\":\"");
    REQUIRE(at != NULL);
    at[16] ^= 1;
    world_write(segment(1), text, n);
    CHECK_INT(ask(NULL), 0);
    at[16] ^= 1;
    world_write(segment(1), text, n);
    free(text);
    CHECK_INT(world_parity(&mine, NULL, &f), 0);
    world_end(&mine, 2);
}

static void strange_names(void)
{
    make_both();
    world_write(world_path(&mine, "log/notes.txt"), "x", 1);
    CHECK_INT(ask(NULL), 0);
    take_store();
    is_foreign();
}

/* A copy that goes on has two names; and a store of either is of its log. */
static void with_two_names(void)
{
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .continue_as = "example.org/on"};
    struct plog_restore_report report;
    uint64_t first[SEGMENTS];
    char on[700], path[700];
    make_both();
    snprintf(on, sizeof on, "%s-on", mine.dir);
    CHECK_INT(plog_restore(mine.dir, on, &o, &report, NULL), 0);
    snprintf(mine.dir, sizeof mine.dir, "%.500s", on);
    CHECK_INT(ask(NULL), 0);
    CHECK_INT(world_open(&mine), 0);
    for (int i = 0; i < 30; i++)
        CHECK_INT(world_put(&mine, NULL, "r3", "x", NULL), 0);
    world_close(&mine);
    CHECK_INT(ask(NULL), 0);
    read_starts(&mine, first);
    for (int i = 0; first[i]; i++) { /* each alone */
        snprintf(path, sizeof path, "%.600s-%d", on, i);
        world_copy(on, path);
        snprintf(mine.dir, sizeof mine.dir, "%.500s", path);
        for (int k = 0; first[k]; k++)
            if (k != i)
                world_remove(segment(first[k]));
        CHECK_INT(ask(NULL), 0);
        snprintf(mine.dir, sizeof mine.dir, "%.500s", on);
    }
    take_store();
    CHECK_INT(ask(NULL), PLOG_E_FOREIGN);
}

/* A copy that goes on under a name of its own, as whoever does not know its key
 * sees it: its log begins under the first name, and no more can be read.  Its
 * store is its own all the same. */
static void a_copy_and_no_key(void)
{
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .continue_as = "example.org/copy"};
    struct plog_restore_report r;
    struct world_found f;
    struct world copy = {.options = {.struct_size = sizeof copy.options}};
    make_both();
    snprintf(copy.dir, sizeof copy.dir, "%.400s-copy", mine.dir);
    CHECK_INT(plog_restore(mine.dir, copy.dir, &o, &r, NULL), 0);
    CHECK_INT(world_open(&copy), 0);
    CHECK_INT(world_put(&copy, NULL, "r9", "c", NULL), 0);
    world_close(&copy);
    const char *const keys[] = {other.vkey, mine.vkey, NULL};
    for (int i = 0; i < 3; i++) {
        struct plog_check_options c = {.struct_size = sizeof c,
                                       .vkey = keys[i]};
        if (!keys[i])
            world_remove(world_path(&copy, "keys"));
        CHECK_INT(world_parity(&copy, &c, &f), PLOG_E_UNKNOWN_KEY);
        CHECK_UINT(f.report.counts[-PLOG_E_FOREIGN], 0);
        CHECK_UINT(f.report.counts[-PLOG_E_UNKNOWN_KEY], f.count);
        CHECK_TEXT(f.report.vkey, keys[i] ? keys[i] : "");
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"of another log", of_another_log},
        {"without a log", without_a_log},
        {"put there meanwhile", put_there_meanwhile},
        {"damaged", damaged},
        {"an edited name", an_edited_name},
        {"strange names", strange_names},
        {"with two names", with_two_names},
        {"a copy and no key", a_copy_and_no_key},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
