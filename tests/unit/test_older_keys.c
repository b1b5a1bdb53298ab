/*
 * test_older_keys.c - log/ and keys/ of before a key rotation beside the newest
 * store: its head is signed by a key that only its own rotations name.  It is
 * believed where a trusted key leads there, and nothing else is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "files.h"
#include "world.h"

static struct world w;
static struct plog_error err;

/* A path beside the log; lives until the next call. */
static const char *beside(const char *what)
{
    static char path[700];
    snprintf(path, sizeof path, "%.500s-%s", w.dir, what);
    return path;
}

static void put(int from, int to)
{
    CHECK_INT(world_open(&w), 0);
    for (int i = from; i < to; i++) {
        char id[16];
        snprintf(id, sizeof id, "r%d", i);
        CHECK_INT(world_put(&w, id, id, "1", NULL), 0);
    }
    world_close(&w);
}

static void bring(const char *from)
{
    char path[700];
    static const char *const parts[] = {"log", "keys"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%.600s/%s", beside(from), parts[i]);
        world_remove(world_path(&w, parts[i]));
        world_copy(path, world_path(&w, parts[i]));
    }
}

/* Entries 1 to 4 of the first key, 5 the rotation, 6 to 8 of the next: the
 * whole of it is beside as `whole`, what was there before the rotation as
 * `older`. */
static void make(void)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report r;
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    put(2, 5);
    world_copy(w.dir, beside("older"));
    CHECK_INT(plog_key_rotate(w.dir, &o, &r, NULL), 0);
    put(6, 9);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_copy(w.dir, beside("whole"));
}

static int fresh(struct plog_replay_report *r)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    memset(&err, 0, sizeof err);
    return plog_replay(w.dir, &o, r, &err);
}

static int salvage(void)
{
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .from_store = true};
    struct plog_salvage_report r;
    return plog_salvage(w.dir, &o, &r, NULL);
}

static bool advised(const struct world_found *f, const char *what)
{
    bool all = true;
    for (unsigned i = 0; i < f->count && i < WORLD_FINDINGS; i++)
        all &= strstr(f->first[i].next, what) != NULL;
    return all;
}

/* ---- Believed ------------------------------------------------------------ */

static void rolled_back(void)
{
    struct world_found f;
    struct plog_replay_report r;
    struct tree before, now;
    make();
    bring("older");
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_ROLLBACK);
    CHECK_UINT(f.count, 1);
    CHECK_UINT(f.first[0].seq, 5);
    CHECK(advised(&f, "salvage DIR --from-store"));
    CHECK_INT(fresh(&r), PLOG_E_ROLLBACK);
    CHECK_TEXT(err.message, "the log ends at entry 4, but the store holds a"
                            " signed head at 8");
    CHECK(!world_has(&w, "quarantine"));
    CHECK_INT(salvage(), 0);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    CHECK_UINT(f.report.head.size, 8);
    tree_read(&now, world_path(&w, "log"));
    char whole[700];
    snprintf(whole, sizeof whole, "%.600s/log", beside("whole"));
    tree_read(&before, whole);
    CHECK(now.hash == before.hash);
    tree_free(&now);
    tree_free(&before);
    bring("whole");
    world_end(&w, 8);
}

/* Appended to by the old key, with the old store: two histories, whether the
 * log is the longer one or not, and none of them is to be set aside. */
static void gone_on(void)
{
    for (int last = 6; last < 12; last++) {
        struct world_found f;
        char store[700];
        make();
        world_remove(world_path(&w, "store.db"));
        bring("older");
        struct plog_replay_options o = {.struct_size = sizeof o};
        struct plog_replay_report r;
        CHECK_INT(plog_replay(w.dir, &o, &r, NULL), 0);
        put(5, last + 1);
        CHECK_UINT(world_size(&w), (unsigned)last);
        static const char *const ends[] = {"", "-wal", "-shm"};
        for (int i = 0; i < 3; i++) {
            snprintf(store, sizeof store, "store.db%s", ends[i]);
            if (world_has(&w, store))
                world_remove(world_path(&w, store));
        }
        snprintf(store, sizeof store, "%.600s/store.db", beside("whole"));
        world_copy(store, world_path(&w, "store.db"));
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_FORK);
        CHECK(f.count > 0);
        CHECK(advised(&f, "compare both heads"));
    }
}

/* Two histories of the new key, of whose rotation the store knows nothing any
 * more: the log does, and knows that both are signed. */
static void by_the_new_key(void)
{
    struct plog_check_options o = {.vkey = w.vkey}; /* of the first key */
    struct world_found f;
    struct world other;
    make();
    other = w;
    snprintf(other.dir, sizeof other.dir, "%.500s", beside("whole"));
    CHECK_INT(world_open(&other), 0);
    CHECK_INT(world_put(&other, "other", "other", "1", NULL), 0);
    world_close(&other);
    world_sql(&other, "DELETE FROM rotations");
    world_sql(&other, "PRAGMA wal_checkpoint(TRUNCATE)");
    put(9, 10);
    CHECK_INT(world_parity(&w, &o, &f), 0);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_remove(world_path(&w, "store.db"));
    world_copy(world_path(&other, "store.db"), world_path(&w, "store.db"));
    CHECK_INT(world_parity(&w, &o, &f), PLOG_E_FORK);
    CHECK_UINT(f.report.counts[-PLOG_E_FORK], 1);
    CHECK(f.count > 0 && advised(&f, "compare both heads"));
    world_sql(&w, "UPDATE meta SET sig=zeroblob(64)");
    CHECK_INT(world_parity(&w, &o, &f), PLOG_E_DIVERGED);
    world_remove(w.dir);
}

/* ---- Not believed -------------------------------------------------------- */

/* The store is the word of nobody: AHEAD, and it may be set aside. */
static void believed_by_nobody(const char *advice)
{
    struct world_found f;
    struct plog_replay_report r;
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_AHEAD);
    CHECK(f.count > 2);
    CHECK(advised(&f, advice));
    CHECK(advised(&f, "replay DIR --fresh"));
    CHECK_INT(fresh(&r), 0);
    CHECK(r.quarantine[0] != '\0');
    CHECK(world_has(&w, r.quarantine));
    world_end(&w, 4);
}

static void forged(void)
{
    static const char *const all[] = {
        /* A signature of the old key, of the new one, and none of the chain. */
        "UPDATE events SET line=replace(line, '\"old_sig\":\"',"
        " '\"old_sig\":\"AAAA') WHERE seq=5",
        "UPDATE events SET line=substr(line, 1, instr(line, '\"old_sig\":\"') +"
        " 20) || CASE substr(line, instr(line, '\"old_sig\":\"') + 21, 1) WHEN"
        " 'A' THEN 'B' ELSE 'A' END || substr(line, instr(line,"
        " '\"old_sig\":\"') + 22) WHERE seq=5",
        "DELETE FROM rotations",
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        make();
        bring("older");
        world_sql(&w, all[i]);
        believed_by_nobody("paritylog key trust DIR VKEY");
    }
}

/* Of the head itself: what the store proves is still taken from it. */
static void a_head_that_does_not_hold(void)
{
    struct world_found f;
    make();
    bring("older");
    world_sql(&w, "UPDATE meta SET sig=zeroblob(64)");
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_AHEAD);
    CHECK(advised(&f, "paritylog salvage DIR --from-store"));
    CHECK_INT(salvage(), 0);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
    struct plog_replay_report r;
    CHECK_INT(fresh(&r), 0);
    CHECK_UINT(r.head.size, 8);
    bring("whole");
    world_end(&w, 8);
}

static void restore_as(const char *from, const char *to, const char *name)
{
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .continue_as = name};
    struct plog_restore_report r;
    char at[700];
    snprintf(at, sizeof at, "%s", beside(from));
    CHECK_INT(plog_restore(at, beside(to), &o, &r, NULL), 0);
}

/* Whoever has a copy can make it go on, and have the name again in the end. */
static void taken_over(void)
{
    char origin[PLOG_VKEY_MAX], store[700];
    make();
    bring("older");
    snprintf(origin, sizeof origin, "%.*s", (int)strcspn(w.vkey, "+"), w.vkey);
    restore_as("older", "between", "example.org/between");
    restore_as("between", "taken", origin);
    snprintf(store, sizeof store, "%.600s/store.db", beside("taken"));
    world_remove(world_path(&w, "store.db"));
    world_copy(store, world_path(&w, "store.db"));
    believed_by_nobody("paritylog key trust DIR VKEY");
}

/* keys/signing.key is another one than the last rotation says: the old one, as
 * a copy of keys/ brings it back, or that of another log. */
static void another_signing_key(void)
{
    struct world other;
    char key[700], want[300], shown[PLOG_VKEY_MAX], id[9];
    make();
    const char *stranger = NULL;
    CHECK_INT(plog_key_show(w.dir, NULL, shown, NULL), 0);
    snprintf(id, sizeof id, "%.8s", strchr(shown, '+') + 1);
    for (int i = 0; i < 2; i++) {
        plog *p = NULL;
        if (i) {
            world_make(&other, PLOG_ARRIVAL, 0);
            world_close(&other);
            stranger = strchr(other.vkey, '+') + 1;
        }
        snprintf(key, sizeof key, "%.600s/keys/signing.key",
                 i ? other.dir : beside("older"));
        world_remove(world_path(&w, "keys/signing.key"));
        world_copy(key, world_path(&w, "keys/signing.key"));
        memset(&err, 0, sizeof err);
        CHECK_INT(plog_open(&p, w.dir, NULL, &err), PLOG_E_KEY);
        snprintf(want, sizeof want,
                 "the log is signed by key %s, and keys/signing.key is %.8s%s",
                 id, i ? stranger : strchr(w.vkey, '+') + 1,
                 i ? "" : ", which it had before a rotation");
        CHECK_TEXT(err.message, want);
        snprintf(want, sizeof want,
                 "put key %s back as keys/signing.key, from where it is kept",
                 id);
        CHECK_TEXT(err.hint, want);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"rolled back", rolled_back},
        {"gone on", gone_on},
        {"by the new key", by_the_new_key},
        {"forged", forged},
        {"a head that does not hold", a_head_that_does_not_hold},
        {"taken over", taken_over},
        {"another signing key", another_signing_key},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
