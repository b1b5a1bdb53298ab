/*
 * test_unfit.c - an entry that was rightly signed, and that no store can take:
 * an order to redact another line than there is, or an id that was there.  The
 * engine makes none; it takes somebody with the key.
 *
 * What lies before it can still be had where a snapshot gives it; the store
 * that is there stays; and nothing is left of one that was begun.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "legs.h"
#include "paritylog_recovery.h"
#include "peers.h"
#include "redact.h"
#include "world.h"

static struct world w;
static struct plog_error err;
static struct plog_rebuild_report report;
static struct plog_io io;
static char out[600];
static uint64_t size; /* of the log without that entry */

/* ---- Such a log ---------------------------------------------------------- */

static const char leaf_of_none[PLOG_HASH_SIZE] = "no line has this leaf";
static const char *delta; /* what is behind its seq; NULL: an order */

#define NOW "2026-02-03T04:05:06.000000Z"
#define REST                                                                   \
    "\"resource\":\"r\",\"record_id\":\"new\",\"op\":\"upsert\",\"payload\":{" \
    "},"                                                                       \
    "\"occurred_at\":\"2026-01-02T03:04:05Z\",\"provenance\":{\"source\":"     \
    "\"s\",\"confidence\":1}"
#define END ",\"salt\":\"AAECAwQFBgcICQoLDA0ODw==\",\"logged_at\":\"" NOW "\"}"

static void write_delta(struct plog_buf *text, uint64_t seq)
{
    CHECK_INT(plog_buf_add_text(text, "{\"seq\":"), 0);
    CHECK_INT(plog_buf_add_u64(text, seq), 0);
    CHECK_INT(plog_buf_add_text(text, delta), 0);
}

static void write_order(struct plog_buf *text, uint64_t seq)
{
    struct plog_order order = {.seq = seq - 1};
    struct plog_buf args;
    plog_buf_init(&args, plog_io_posix());
    memcpy(order.leaf, leaf_of_none, sizeof order.leaf);
    memcpy(order.line, leaf_of_none, sizeof order.line);
    CHECK_INT(plog_order_format(&args, &order, plog_span_text("a test")), 0);
    CHECK_INT(plog_control_format(text, seq, PLOG_CONTROL_REDACT,
                                  plog_span(args.data, args.len),
                                  plog_span_text(NOW)),
              0);
    plog_buf_fini(&args);
}

/* One entry more, with its commit. */
static void sign(struct plog_buf *text, struct plog_store_head *head,
                 const struct plog_signer *s)
{
    struct plog_commit c = {.size = head->commit.size + 1};
    unsigned char leaf[PLOG_HASH_SIZE];
    if (delta)
        write_delta(text, c.size);
    else
        write_order(text, c.size);
    plog_hash_leaf(text->data, text->len, leaf);
    CHECK_INT(plog_tree_add(&head->tree, leaf), 0);
    plog_tree_root(&head->tree, c.root);
    memcpy(c.key, s->vkey.id_text, sizeof c.key);
    CHECK_INT(plog_signer_sign(s, s->vkey.name, c.size, c.root, c.sig), 0);
    CHECK_INT(plog_buf_add_char(text, '\n'), 0);
    CHECK_INT(plog_commit_format(text, &c), 0);
    CHECK_INT(plog_buf_add_char(text, '\n'), 0);
}

static void add_to_the_log(const struct plog_store_head *head,
                           const struct plog_buf *text)
{
    char path[700];
    size_t n;
    snprintf(path, sizeof path, "%.500s/log/%020llu.jsonl", w.dir,
             (unsigned long long)head->segment);
    char *log = world_read(path, &n);
    char *more = realloc(log, n + text->len);
    REQUIRE(more != NULL && n >= head->offset);
    memcpy(more + head->offset, text->data, text->len);
    world_write(path, more, head->offset + text->len);
    free(more);
}

static void add_unfit(void)
{
    struct plog_options o = {.struct_size = sizeof o};
    struct plog_legs l;
    struct plog_signer s;
    struct plog_store_head head;
    struct plog_buf text;
    plog_buf_init(&text, plog_io_posix());
    CHECK_INT(
        plog_legs_open(&l, plog_io_posix(), w.dir, PLOG_DIR_WRITE, &o, NULL),
        0);
    CHECK_INT(plog_legs_open_store(&l, false, NULL), 0);
    CHECK_INT(plog_store_get_head(&l.store, &head, NULL), 0);
    CHECK_INT(plog_signer_load(&s, plog_io_posix(), l.dir.keys, NULL, NULL), 0);
    plog_legs_close(&l);
    size = head.commit.size;
    sign(&text, &head, &s);
    head.segment = head.segment ? head.segment : 1;
    add_to_the_log(&head, &text);
    plog_signer_fini(&s);
    plog_buf_fini(&text);
}

static void make(bool compacted)
{
    uint64_t first = 0;
    io = *plog_io_posix();
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    peers_put(&w, 0, 4);
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    peers_put(&w, 4, 6);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", first - 1), 0);
    if (compacted)
        CHECK_INT(peers_compact(&w, NULL), 0);
    add_unfit();
    snprintf(out, sizeof out, "%.500s-out", w.dir);
}

/* ---- Cases --------------------------------------------------------------- */

static int rebuild(void)
{
    struct plog_rebuild_options o = {.struct_size = sizeof o, .io = &io};
    memset(&err, 0, sizeof err);
    return plog_rebuild_store(w.dir, out, &o, &report, &err);
}

static bool is_there(void)
{
    struct stat st;
    return stat(out, &st) == 0;
}

static void says_which(void)
{
    char want[80];
    snprintf(want, sizeof want, "entry %llu: the order to redact entry %llu",
             (unsigned long long)size + 1, (unsigned long long)size);
    if (!CHECK(strstr(err.message, want) != NULL))
        printf("# %s\n", err.message);
}

/* The log verifies, and is told to be wrong where it is applied. */
static void nothing_before_it(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report r;
    make(false);
    CHECK_INT(rebuild(), PLOG_E_CORRUPT);
    CHECK_INT(err.code, PLOG_E_CORRUPT);
    says_which();
    CHECK(!is_there());
    CHECK_INT(plog_replay(w.dir, &o, &r, &err), PLOG_E_CORRUPT);
    says_which();
    CHECK(!world_has(&w, "store.new") && world_has(&w, "store.db"));
    CHECK_INT(world_number(&w, "SELECT size FROM meta"), (int64_t)size);
}

/* What a snapshot gives stands, and the report names what is missing. */
static void a_snapshot_before_it(void)
{
    struct world copy;
    make(true);
    uint64_t floor = 5;
    CHECK_INT(rebuild(), 0);
    CHECK_INT(report.verdict, PLOG_E_CORRUPT);
    CHECK_UINT(report.head.size, floor);
    CHECK_UINT(report.missing_from, floor + 1);
    CHECK_UINT(report.missing_to, size + 1);
    CHECK(strstr(report.why, "the order to redact") != NULL);
    CHECK(is_there());
    copy = w;
    snprintf(copy.dir, sizeof copy.dir, "%.500s", out);
    CHECK_INT(world_number(&copy, "SELECT size FROM meta"), (int64_t)floor);
    CHECK_INT(world_number(&copy, "SELECT count(*) FROM state"), 4);
    world_remove(out);
}

static int no_unlink(void *ctx, int dir, const char *name)
{
    if (strcmp(name, "store.db") == 0)
        return -EIO;
    return plog_io_posix()->unlink_at(ctx, dir, name);
}

static unsigned syncs, fail_at;

static int sync_fails(void *ctx, const struct plog_store_event *e)
{
    (void)ctx;
    return !e->done && e->op == PLOG_STORE_SYNC && ++syncs == fail_at;
}

/* The store without journal cannot be taken away, or that with one not be
 * brought to the disk: an error, and no store. */
static void a_disk_that_fails(void)
{
    make(true);
    io.unlink_at = no_unlink;
    CHECK_INT(rebuild(), PLOG_E_IO);
    CHECK_TEXT(err.file, "store.db");
    CHECK(strstr(err.message, "removing it") != NULL);
    CHECK(!is_there());
    io = *plog_io_posix();
    io.store_event = sync_fails;
    unsigned last = 0;
    fail_at = 0;
    do {
        fail_at++;
        syncs = 0;
        int rc = rebuild();
        last += strstr(err.message, "moving SQLite's WAL") != NULL;
        CHECK(rc == PLOG_E_IO || (rc == 0 && report.verdict));
        CHECK_INT(err.code, rc);
        CHECK_INT(is_there(), rc == 0);
        if (rc == 0)
            world_remove(out);
    } while (syncs >= fail_at);
    CHECK(last > 0);
}

static void damage(const char *path, size_t at)
{
    size_t n;
    char *bytes = world_read(path, &n);
    CHECK(at < n);
    bytes[at] ^= 1;
    world_write(path, bytes, n);
    free(bytes);
}

/* A compaction was cut off while it took segments away, and the first one that
 * it meant to keep is damaged or gone; or the last one that was to go is
 * damaged, too.  The snapshot is all that can be had. */
enum harm { DAMAGED, MISSING, BOTH };

static void only_the_snapshot(enum harm harm)
{
    char name[64], kept[700];
    uint64_t first[2];
    world_make(&w, PLOG_ARRIVAL, 0);
    io = *plog_io_posix();
    for (int i = 0; i < 2; i++) {
        peers_put(&w, 4 * i, 4 * i + 4);
        CHECK_INT(plog_new_segment(w.p, &first[i], NULL), 0);
    }
    peers_put(&w, 8, 10);
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", first[1] - 1), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_new_segment(w.p, &size, NULL), 0);
    world_close(&w);
    snprintf(name, sizeof name, "log/%020llu.jsonl",
             (unsigned long long)first[0]);
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(world_path(&w, name), kept);
    CHECK_INT(peers_compact(&w, NULL), 0);
    world_copy(kept, world_path(&w, name));
    if (harm == BOTH)
        damage(world_path(&w, name), 1500);
    snprintf(name, sizeof name, "log/%020llu.jsonl",
             (unsigned long long)first[1]);
    if (harm == DAMAGED)
        damage(world_path(&w, name), 30);
    else
        CHECK_INT(unlink(world_path(&w, name)), 0);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    CHECK_INT(rebuild(), 0);
    CHECK(report.verdict != 0 && report.why[0]);
    CHECK_UINT(report.head.size, first[1] - 1);
    CHECK_UINT(report.missing_from, first[1]);
    CHECK(is_there());
    world_remove(out);
    world_remove(kept);
    world_remove(w.dir);
}

static void nothing_behind_the_snapshot(void)
{
    only_the_snapshot(DAMAGED);
    only_the_snapshot(MISSING);
    only_the_snapshot(BOTH);
}

/* ---- Ids ------------------------------------------------------------------
 */

static int replay(bool fresh, struct plog_replay_report *r)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = fresh};
    memset(&err, 0, sizeof err);
    return plog_replay(w.dir, &o, r, &err);
}

/* The error names the entry and what leads on: a copy of what is before it,
 * which is whole. */
static void leads_out(uint64_t seq)
{
    struct plog_restore_options o = {.struct_size = sizeof o,
                                     .at_seq = seq - 1};
    struct plog_restore_report r;
    struct world copy = w;
    struct world_found f;
    char want[60];
    snprintf(want, sizeof want, "restore DIR --out NEWDIR --at %llu",
             (unsigned long long)seq - 1);
    CHECK_UINT(err.seq, seq);
    CHECK(strstr(err.hint, want) != NULL);
    CHECK_INT(plog_restore(w.dir, out, &o, &r, NULL), 0);
    snprintf(copy.dir, sizeof copy.dir, "%.500s", out);
    CHECK_INT(world_parity(&copy, NULL, &f), 0);
    CHECK_UINT(f.report.head.size, seq - 1);
    world_remove(out);
}

/* One id twice, also where another spelling hides it: the store that is there
 * and one that is made say which, and do not take it for their own fault. */
static void an_id_twice(void)
{
    static const char *const twice[] = {",\"id\":\"same\"," REST END,
                                        ",\"id\":\"s\\u0061me\"," REST END};
    static const struct world_delta first = {.id = "same", .record = "1"};
    char text[300], want[80];
    struct plog_replay_report r;
    for (int i = 0; i < 4; i++) {
        memset(&w, 0, sizeof w);
        world_make(&w, PLOG_ARRIVAL, 0);
        CHECK_INT(
            world_append(&w, world_text(text, sizeof text, &first), NULL, NULL),
            0);
        world_close(&w);
        delta = twice[i % 2];
        add_unfit();
        delta = NULL;
        snprintf(out, sizeof out, "%.500s-out", w.dir);
        if (i >= 2)
            world_drop_store(&w);
        CHECK_INT(replay(false, &r), PLOG_E_CORRUPT);
        snprintf(want, sizeof want, "entry %llu: its id is that of entry 2",
                 (unsigned long long)size + 1);
        if (!CHECK(strstr(err.message, want) != NULL))
            printf("# %s\n", err.message);
        leads_out(size + 1);
        world_remove(w.dir);
    }
}

/* The store says so of an entry that has another one in the log: that is the
 * store's. */
static void an_id_of_the_store(void)
{
    static const struct world_delta first = {.id = "other", .record = "1"};
    char text[300];
    struct plog_replay_report r;
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(
        world_append(&w, world_text(text, sizeof text, &first), NULL, NULL), 0);
    world_close(&w);
    delta = ",\"id\":\"same\"," REST END;
    add_unfit();
    delta = NULL;
    world_sql(&w, "UPDATE events SET id='same' WHERE seq=2");
    CHECK_INT(replay(false, &r), PLOG_E_DIVERGED);
    CHECK(strstr(err.hint, "parity") != NULL);
    CHECK_INT(replay(true, &r), 0);
    world_remove(w.dir);
}

/* The same of an order: no circle of parity and replay without a store. */
static void an_order_without_a_store(void)
{
    struct plog_replay_report r;
    make(false);
    world_drop_store(&w);
    CHECK_INT(replay(false, &r), PLOG_E_CORRUPT);
    says_which();
    leads_out(size + 1);
    world_remove(w.dir);
}

/* A payload that a custom strategy chose for what it did not apply: it does not
 * count, and parity tells of it. */
static void merged_and_skipped(void)
{
    struct plog_replay_report r;
    struct world_found f;
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_CUSTOM, 0);
    world_close(&w);
    delta = "," REST ",\"outcome\":\"skipped\",\"merged\":{\"v\":1}" END;
    add_unfit();
    delta = NULL;
    CHECK_INT(replay(false, &r), 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM records"), 0);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
    CHECK_UINT(f.count, 1);
    CHECK_UINT(f.first[0].seq, size + 1);
    world_remove(w.dir);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"nothing before it", nothing_before_it},
        {"a snapshot before it", a_snapshot_before_it},
        {"a disk that fails", a_disk_that_fails},
        {"nothing behind the snapshot", nothing_behind_the_snapshot},
        {"an id twice", an_id_twice},
        {"an id of the store", an_id_of_the_store},
        {"an order without a store", an_order_without_a_store},
        {"merged and skipped", merged_and_skipped},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
