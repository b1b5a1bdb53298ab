/*
 * test_odd_keys.c - who may sign next, when the store says something else than
 * the log, and what the engine refuses of a key that is to come.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "world.h"

static struct world w;
static struct plog_error err;

/* A log by a name of our choice, rotated at 3 and at 5; 6 is a delta. */
static void make_rotated(struct world *out)
{
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .origin = "same.log"};
    struct plog_rotate_options rotate = {.struct_size = sizeof rotate};
    struct plog_rotate_report r;
    memset(out, 0, sizeof *out);
    snprintf(out->dir, sizeof out->dir, "%.400s/log", check_dir());
    CHECK_INT(plog_init(out->dir, &o, out->vkey, NULL), 0);
    out->options.struct_size = sizeof out->options;
    for (int i = 0; i < 2; i++) {
        CHECK_INT(world_open(out), 0);
        CHECK_INT(world_put(out, NULL, "1", "x", NULL), 0);
        CHECK_INT(plog_key_rotate(out->dir, &rotate, &r, NULL), 0);
    }
    CHECK_INT(world_open(out), 0);
    CHECK_INT(world_put(out, NULL, "1", "x", NULL), 0);
    world_close(out);
}

/* What a reader says of the keys that its store has. */
static int keys(const struct world *of)
{
    char out[PLOG_CHECKPOINT_MAX];
    plog_reader *r = NULL;
    err = (struct plog_error){.code = 0};
    CHECK_INT(plog_reader_open(&r, of->dir, NULL, NULL), 0);
    int rc = plog_reader_checkpoint(r, out, &err);
    plog_reader_close(r);
    return rc;
}

/* ---- Rows -------------------------------------------------------------------
 */

static void rows(void)
{
    static const struct {
        const char *sql;
        int code;
        const char *says;
    } all[] = {
        {"SELECT 1", 0, ""},
        {"DELETE FROM events WHERE seq=5", PLOG_E_DIVERGED,
         "rotation 5: its event is not one"},
        {"UPDATE events SET line=(SELECT line FROM events WHERE seq=3)"
         " WHERE seq=5",
         PLOG_E_DIVERGED, "rotation 5: its event is not one"},
        {"UPDATE rotations SET seq=4 WHERE seq=5", PLOG_E_DIVERGED,
         "rotation 4: its event is not one"},
        {"UPDATE events SET line='x' WHERE seq=3", PLOG_E_DIVERGED,
         "rotation 3: its event is not one"},
        {"UPDATE meta SET key='00000000'", PLOG_E_DIVERGED,
         "rotation 5: the head is by a key that is not in force"},
        {"DELETE FROM rotations WHERE seq=5", PLOG_E_DIVERGED,
         "rotation 3: the head is by a key that is not in force"},
        {"DELETE FROM rotations WHERE seq=3", 0, ""}, /* one is trusted */
        {"DELETE FROM rotations", 0, ""},
    };
    struct world copy;
    make_rotated(&w);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        copy = w;
        snprintf(copy.dir, sizeof copy.dir, "%.400s-%zu", w.dir, i);
        world_copy(w.dir, copy.dir);
        world_sql(&copy, all[i].sql);
        bool ok = CHECK_INT(keys(&copy), all[i].code);
        ok &= CHECK(strstr(err.message, all[i].says) != NULL);
        if (!ok)
            printf("# %s: %s\n", all[i].sql, err.message);
    }
}

/* The head of before a rotation, and the rotation: it lies above. */
static void above_the_head(void)
{
    struct world before;
    char sql[1200];
    make_rotated(&w);
    before = w;
    snprintf(before.dir, sizeof before.dir, "%.400s-before", w.dir);
    world_copy(w.dir, before.dir);
    struct plog_rotate_options rotate = {.struct_size = sizeof rotate};
    struct plog_rotate_report r;
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
    world_close(&w);
    CHECK_INT(plog_key_rotate(w.dir, &rotate, &r, NULL), 0);
    CHECK_INT(keys(&w), 0);
    snprintf(sql, sizeof sql,
             "ATTACH '%s/store.db' AS b; INSERT OR REPLACE INTO main.meta"
             " SELECT * FROM b.meta",
             before.dir);
    world_sql(&w, sql);
    CHECK_INT(keys(&w), PLOG_E_DIVERGED);
    CHECK(strstr(err.message,
                 "rotation 8: the head is by a key that is not in force"));
    world_sql(&w, "UPDATE meta SET size=0, range=x'', key='', sig=x'', root="
                  "x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b"
                  "7852b855'");
    CHECK_INT(keys(&w), PLOG_E_DIVERGED);
    CHECK(strstr(err.message, "rotation 0: above the head") != NULL);
    /* Who writes would begin with what the log has, and meet what is there. */
    plog *p = NULL;
    CHECK_INT(plog_open(&p, w.dir, NULL, &err), PLOG_E_DIVERGED);
    CHECK(p == NULL);
    CHECK(strstr(err.message, ", and a head at 0: its files are of") != NULL);
    CHECK_TEXT(err.file, "store.db");
    CHECK_TEXT(err.hint, "run: paritylog replay DIR --fresh (keeps this store"
                         " in quarantine/)");
}

/* A rotation of another log of the same name, at the same place. */
static void of_another_log(void)
{
    struct world other;
    char sql[1200];
    make_rotated(&w);
    make_rotated(&other);
    snprintf(sql, sizeof sql,
             "ATTACH '%s/store.db' AS b; UPDATE main.events SET line=(SELECT"
             " line FROM b.events WHERE seq=5) WHERE seq=5",
             other.dir);
    world_sql(&w, sql);
    CHECK_INT(keys(&w), PLOG_E_DIVERGED);
    CHECK_TEXT(err.message, "store.db: rotation 5: a rotation away from a key"
                            " that is not in force");
    CHECK_UINT(err.seq, 5);
    CHECK_TEXT(err.file, "store.db");
}

/* ---- The key that is to come ------------------------------------------------
 */

static int rotate_to(const struct plog_signer *next)
{
    struct plog_receipt r;
    err = (struct plog_error){.code = 0};
    return plog_engine_rotate(w.p, next, &r, &err);
}

/* Whatever asks the engine for it: under the writer lock all is asked again,
 * because another process may have been first. */
static void refused(void)
{
    const struct plog_io *io = plog_io_posix();
    struct plog_signer next, other;
    char vkey[PLOG_VKEY_MAX];
    bool added;
    make_rotated(&w);
    CHECK_INT(world_open(&w), 0);
    REQUIRE(w.p != NULL);
    CHECK_INT(plog_signer_generate(&other, io, "other.log", NULL), 0);
    CHECK_INT(rotate_to(&other), PLOG_E_ARG);
    CHECK_TEXT(err.message, "the new key has another name");
    CHECK_INT(rotate_to(&w.p->signer), PLOG_E_ARG); /* to itself */
    CHECK(strstr(err.message, "was used already") != NULL);
    struct plog_signer first = {.vkey = w.p->legs.chain.keys[0]};
    CHECK_INT(rotate_to(&first), PLOG_E_ARG); /* long retired */
    CHECK(strstr(err.message, first.vkey.id_text) != NULL);
    /* Trusted, and so perhaps a peer's. */
    CHECK_INT(plog_signer_generate(&next, io, "same.log", NULL), 0);
    world_close(&w);
    plog_vkey_format(&next.vkey, vkey);
    CHECK_INT(plog_key_trust(w.dir, vkey, false, NULL, &added, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(rotate_to(&next), PLOG_E_ARG);
    CHECK(strstr(err.message, next.vkey.id_text) != NULL);
    CHECK_UINT(world_size(&w), 6);
    plog_signer_fini(&next);
    plog_signer_fini(&other);
    world_end(&w, 6);
}

/* In one group with anything else it is refused, and the rest goes on. */
static int beside(plog *p, void *arg, struct plog_error *e)
{
    struct plog_request r, other;
    struct plog_work work = {.next_seq = 7};
    plog_buf_init(&work.lines, p->io);
    CHECK_INT(plog_request_strategy(&other, p->io, PLOG_ARRIVAL, e), 0);
    CHECK_INT(plog_request_rotate(&r, p->io, arg, e), 0);
    work.tree = p->legs.head.tree;
    r.next = &other;
    int rc = plog_engine_prepare(p, &work, &r, PLOG_MARKED, e);
    CHECK_INT(rc, PLOG_E_ARG);
    r.next = NULL;
    CHECK_INT(plog_buf_add_text(&work.lines, "another entry\n"), 0);
    CHECK_INT(plog_engine_prepare(p, &work, &r, PLOG_MARKED, e), rc);
    CHECK_UINT(work.next_seq, 7);
    CHECK_UINT(work.lines.len, 14);
    CHECK_INT(plog_engine_prepare(p, &work, &other, PLOG_MARKED, e), 0);
    CHECK_UINT(work.next_seq, 8);
    plog_store_rollback(&p->legs.store);
    plog_request_free(&r);
    plog_request_free(&other);
    plog_buf_fini(&work.lines);
    return rc;
}

static void shares_no_group(void)
{
    struct plog_signer next;
    make_rotated(&w);
    CHECK_INT(world_open(&w), 0);
    REQUIRE(w.p != NULL);
    CHECK_INT(plog_signer_generate(&next, plog_io_posix(), "same.log", NULL),
              0);
    CHECK_INT(plog_engine_locked(w.p, beside, &next, &err), PLOG_E_ARG);
    CHECK_INT(rotate_to(&next), 0);
    plog_signer_fini(&next);
    world_close(&w);
}

/* A log has no more keys than fit. */
static void the_last_one(void)
{
    struct plog_signer next;
    make_rotated(&w);
    CHECK_INT(world_open(&w), 0);
    REQUIRE(w.p != NULL);
    CHECK_INT(plog_signer_generate(&next, plog_io_posix(), "same.log", NULL),
              0);
    unsigned count = w.p->legs.chain.count;
    for (unsigned i = count; i < PLOG_KEYS_MAX; i++)
        w.p->legs.chain.keys[i] = w.p->legs.chain.keys[0];
    for (unsigned i = count; i < PLOG_KEYS_MAX; i++)
        w.p->legs.chain.from[i] = 1000 + i;
    w.p->legs.chain.count = PLOG_KEYS_MAX;
    CHECK_INT(rotate_to(&next), PLOG_E_ARG);
    CHECK(strstr(err.message, "a log has at most 64 keys") != NULL);
    w.p->legs.chain.count = count;
    CHECK_UINT(world_size(&w), 6);
    plog_signer_fini(&next);
    world_close(&w);
}

/* ---- Control entries --------------------------------------------------------
 */

/* What the store is told to apply was checked when it was read; a caller that
 * did not is told which entry it is. */
static void control_entries(void)
{
    static const struct {
        enum plog_control control;
        uint64_t seq;
        const char *args;
        int code;
    } all[] = {
        {PLOG_CONTROL_INIT, 1,
         "{\"strategy\":\"arrival\",\"max_line\":4096,\"segment_size\":65536}",
         0},
        {PLOG_CONTROL_INIT, 2,
         "{\"strategy\":\"arrival\",\"max_line\":4096,\"segment_size\":65536}",
         PLOG_E_CORRUPT},
        {PLOG_CONTROL_INIT, 1, "{\"strategy\":\"arrival\"}", PLOG_E_CORRUPT},
        {PLOG_CONTROL_STRATEGY, 4, "{\"strategy\":\"merge-json\"}", 0},
        {PLOG_CONTROL_STRATEGY, 4, "{\"strategy\":\"none\"}", PLOG_E_CORRUPT},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_rules rules = {.strategy = PLOG_KEEP_LOCAL, .line_max = 7};
        struct plog_entry e = {.seq = all[i].seq, .control = all[i].control};
        e.args = plog_span_text(all[i].args);
        err = (struct plog_error){.code = 0};
        CHECK_INT(plog_store_apply_control(NULL, &rules, &e, &err),
                  all[i].code);
        CHECK_UINT(err.seq, all[i].code ? all[i].seq : 0);
        CHECK_INT(rules.line_max, all[i].seq == 1 && !all[i].code ? 4096 : 7);
        CHECK_INT(rules.strategy == PLOG_KEEP_LOCAL, all[i].code != 0);
    }
}

/* Without keys/, or with something else in its place, nobody signs, and what is
 * missing is named. */
static void no_folder(void)
{
    char at[700], aside[700];
    plog *p = NULL;
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    snprintf(at, sizeof at, "%s/keys", w.dir);
    snprintf(aside, sizeof aside, "%s/aside", w.dir);
    CHECK_INT(rename(at, aside), 0);
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            CHECK_INT(symlink("aside", at), 0);
        if (i == 2)
            world_write(at, "", 0);
        err = (struct plog_error){.code = 0};
        CHECK_INT(plog_open(&p, w.dir, NULL, &err), PLOG_E_KEY);
        CHECK_INT(err.code, PLOG_E_KEY);
        CHECK(strstr(err.message, "keys/") != NULL);
        CHECK(p == NULL);
        if (i > 0)
            CHECK_INT(unlink(at), 0);
    }
    CHECK_INT(rename(aside, at), 0);
    world_end(&w, 1);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"rows", rows},
        {"above the head", above_the_head},
        {"of another log", of_another_log},
        {"refused", refused},
        {"shares no group", shares_no_group},
        {"the last one", the_last_one},
        {"control entries", control_entries},
        {"no folder", no_folder},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
