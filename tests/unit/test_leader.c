/*
 * test_leader.c - the write path where only a look inside leads: requests too
 * large for one group, signatures that do not hold, a poisoned handle, bytes
 * behind the padding, clocks before 1970, events that were taken away.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "peers.h"
#include "sql_calls.h"
#include "world.h"

#define FIRST "log/00000000000000000001.jsonl"

static struct plog_io io; /* the real one, which the cases change */
static struct world w;
static struct plog_error err;

static void make(uint64_t segment_size)
{
    world_make(&w, PLOG_ARRIVAL, segment_size);
    io = *plog_io_posix();
    w.options.io = &io;
    w.options.wait_seconds = -1;
    CHECK_INT(world_open(&w), 0);
    memset(&err, 0, sizeof err);
}

static int put(const char *id)
{
    char text[300];
    struct world_delta d = {.id = id};
    memset(&err, 0, sizeof err);
    return world_append(&w, world_text(text, sizeof text, &d), NULL, &err);
}

/* ---- Groups ------------------------------------------------------------- */

struct waiting {
    struct plog_request r;
    struct plog_receipt all[2];
    char text[300];
};

/* As a thread that waits for its turn leaves it in the queue. */
static void add(struct waiting *q)
{
    memset(q->all, 0, sizeof q->all);
    q->r.receipts = q->all;
    *w.p->queue.end = &q->r;
    w.p->queue.end = &q->r.next;
    w.p->queue.count++;
    w.p->queue.bytes += q->r.encoded_bytes;
}

static void enqueue(struct waiting *q, const char *id, size_t bytes)
{
    struct world_delta d = {.id = id};
    struct plog_span s = {q->text, 0};
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = &s, .delta_count = 1};
    s.n = strlen(world_text(q->text, sizeof q->text, &d));
    CHECK_INT(plog_request_build(&q->r, &io, &g, &w.p->options, 1 << 20, NULL),
              0);
    q->r.encoded_bytes = bytes;
    add(q);
}

static int count_calls(void *arg, struct sqlite3 *db, const uint64_t *seqs,
                       size_t n)
{
    (void)db, (void)seqs, (void)n;
    ++*(int *)arg;
    return 0;
}

/* Two deltas in one group; the second one's id stands for other content. */
static void enqueue_refused(struct waiting *q, const char *id)
{
    char second[300];
    struct world_delta d = {.id = id};
    struct world_delta e = {.id = "taken", .payload = "{\"other\":1}"};
    struct plog_span s[2] = {{q->text, 0}, {second, 0}};
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = s, .delta_count = 2};
    s[0].n = strlen(world_text(q->text, sizeof q->text, &d));
    s[1].n = strlen(world_text(second, sizeof second, &e));
    CHECK_INT(plog_request_build(&q->r, &io, &g, &w.p->options, 1 << 20, NULL),
              0);
    add(q);
}

/* One that is refused after it has written a row leaves no trace in the group
 * of the others, and a hook of theirs still runs once. */
static void one_refused_among_many(void)
{
    for (int hooked = 0; hooked < 2; hooked++) {
        static struct waiting q[4];
        struct plog_receipt own;
        int calls = 0;
        make(0);
        CHECK_INT(put("taken"), 0);
        enqueue(&q[0], "qa", 1);
        if (hooked) {
            q[0].r.hook = count_calls;
            q[0].r.hook_arg = &calls;
        }
        enqueue_refused(&q[1], "qb");
        enqueue(&q[2], "qb", 1);
        enqueue(&q[3], "qa", 1);
        CHECK_INT(world_put(&w, "own", "r", "x", &own), 0);
        CHECK_INT(calls, hooked);
        CHECK_INT(q[0].r.result, 0);
        CHECK_INT(q[1].r.result, PLOG_E_CONFLICT);
        CHECK_INT(q[2].r.result, 0);
        CHECK_INT(q[3].r.result, 0);
        CHECK_UINT(q[0].all[0].seq, 3);
        CHECK_UINT(q[2].all[0].seq, 4);
        CHECK(!q[2].all[0].duplicate);
        CHECK_UINT(q[3].all[0].seq, 3);
        CHECK(q[3].all[0].duplicate);
        CHECK_UINT(own.seq, 5);
        for (int k = 0; k < 4; k++) {
            CHECK_UINT(q[k].all[0].size, k == 1 ? 0 : 5);
            plog_request_free(&q[k].r);
        }
        world_end(&w, 5);
    }
}

static unsigned releases; /* until one fails */
static bool for_ever;     /* and those behind it */

static bool release_fails(const char *call, const char *sql, bool busy)
{
    (void)busy;
    if (strcmp(call, "step") != 0 || strcmp(sql, "RELEASE request") != 0)
        return false;
    bool now = releases == 0;
    releases -= now && for_ever ? 0 : 1;
    return now;
}

/* Kept apart in the store, and SQLite fails to join one with the others: it
 * hears of that, and the log has nothing of it.  Where even that cannot be
 * taken back none of them is there. */
static void one_that_cannot_join(void)
{
    for (unsigned k = 0; k < 8; k++) {
        static struct waiting q[2];
        int calls = 0, rc[3];
        make(0);
        for (int i = 0; i < 2; i++) {
            enqueue(&q[i], i ? "qb" : "qa", 1);
            q[i].r.hook = count_calls;
            q[i].r.hook_arg = &calls;
        }
        for_ever = k >= 4;
        releases = k % 4;
        sql_calls.fails = release_fails;
        rc[2] = put("own");
        sql_calls.fails = NULL;
        CHECK_INT(calls, k == 4 ? 1 : 2);
        uint64_t size = 1;
        for (unsigned i = 0; i < 3; i++) {
            rc[i] = i < 2 ? q[i].r.result : rc[2];
            bool fails = for_ever ? k < 7 : i == k;
            if (!CHECK_INT(rc[i], fails ? PLOG_E_IO : 0))
                printf("#   row %u, %u\n", k, i);
            size += rc[i] == 0;
            if (i < 2)
                plog_request_free(&q[i].r);
        }
        CHECK_INT(err.code, rc[2]);
        CHECK((rc[2] != 0) == (err.message[0] != '\0'));
        CHECK_INT(put("next"), 0);
        world_end(&w, size + 1);
    }
}

/* Those that wait share a group as far as its limit goes, in their order; one
 * that is as large as a group by itself still gets one. */
static void groups_end_at_their_limit(void)
{
    static const size_t half = PLOG_GROUP_MAX / 2, most = PLOG_GROUP_MAX;
    static const struct {
        size_t bytes[4]; /* of those that wait; the last one is ours, small */
        uint64_t sizes[4];
    } all[] = {
        {{1, 1, 1}, {5, 5, 5, 5}},
        {{half, half, 1}, {3, 3, 5, 5}},
        {{half, half + 1, 1}, {2, 5, 5, 5}},
        {{most, most, most}, {2, 3, 4, 5}},
        {{most + 1, 1, most + 1}, {2, 3, 4, 5}},
        {{1, most + 1, 1}, {2, 3, 5, 5}},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct waiting q[3];
        struct plog_receipt own;
        make(0);
        for (int k = 0; k < 3; k++) {
            char id[8];
            snprintf(id, sizeof id, "q%d", k);
            enqueue(&q[k], id, all[i].bytes[k]);
        }
        CHECK_INT(world_put(&w, "own", "r", "x", &own), 0);
        for (int k = 0; k < 3; k++) {
            CHECK(q[k].r.done);
            CHECK_INT(q[k].r.result, 0);
            CHECK_UINT(q[k].all[0].seq, (unsigned)k + 2);
            if (!CHECK_UINT(q[k].all[0].size, all[i].sizes[k]))
                printf("#   row %zu, %d\n", i, k);
            plog_request_free(&q[k].r);
        }
        CHECK_UINT(own.seq, 5);
        CHECK_UINT(own.size, all[i].sizes[3]);
        CHECK(!w.p->queue.first && w.p->queue.end == &w.p->queue.first);
        CHECK(w.p->queue.count == 0 && w.p->queue.bytes == 0);
        world_end(&w, 5);
    }
}

/* ---- Signatures --------------------------------------------------------- */

static bool sync_fails;

static int failing_fdatasync(void *ctx, int fd)
{
    return sync_fails ? -EIO : plog_io_posix()->fdatasync(ctx, fd);
}

/* The secret in memory is damaged: what it signs is not acknowledged. */
static void damage_key(void)
{
    CHECK_INT(sodium_mprotect_readwrite(w.p->signer.secret), 0);
    w.p->signer.secret[3] ^= 4;
}

static void a_signature_that_does_not_hold(void)
{
    for (int row = 0; row < 4; row++) {
        struct plog_head head;
        make(0);
        for (int i = 0; row >= 2 && i < 20; i++) { /* then into the padding */
            char id[8];
            snprintf(id, sizeof id, "i%d", i);
            CHECK_INT(put(id), 0);
        }
        io.fdatasync = failing_fdatasync;
        sync_fails = row % 2;
        damage_key();
        CHECK_INT(put("bad"), PLOG_E_INDETERMINATE);
        const char *says = sync_fails ? "syncing a group" : "does not hold";
        if (!CHECK(strstr(err.message, says) != NULL))
            printf("#   %s\n", err.message);
        sync_fails = false;
        CHECK_INT(put("next"), PLOG_E_POISONED);
        CHECK_INT(plog_get_head(w.p, &head, NULL), 0);
        CHECK_UINT(head.size, row < 2 ? 1 : 21);
        CHECK_INT(world_open(&w), 0); /* it is set aside */
        CHECK(world_has(&w, "quarantine"));
        CHECK_INT(put("next"), 0);
        world_end(&w, row < 2 ? 2 : 22);
    }
}

/* ---- A poisoned handle -------------------------------------------------- */

static int64_t full_pwrite(void *ctx, int fd, const void *p, size_t n,
                           uint64_t at)
{
    return sync_fails ? -ENOSPC : plog_io_posix()->pwrite(ctx, fd, p, n, at);
}

/* One that wrote nothing lives: there was no room, and now there is. */
static void no_room_poisons_nothing(void)
{
    make(0);
    CHECK_INT(put("a"), 0);
    io.pwrite = full_pwrite;
    sync_fails = true;
    CHECK_INT(put("b"), PLOG_E_IO);
    CHECK(!w.p->poisoned);
    CHECK_INT(put("b"), PLOG_E_IO);
    sync_fails = false;
    CHECK_INT(put("b"), 0);
    world_end(&w, 3);
}

/* One that wrote in vain only reads, from the store as it is. */
static void a_poisoned_handle_reads(void)
{
    struct plog_head head, again;
    uint64_t first;
    make(0);
    CHECK_INT(put("a"), 0);
    char *line = world_line(&w, 2, NULL);
    io.fdatasync = failing_fdatasync;
    sync_fails = true;
    CHECK_INT(put("b"), PLOG_E_INDETERMINATE);
    sync_fails = false;
    CHECK_INT(plog_catch_up(w.p, &err), PLOG_E_POISONED);
    CHECK(strstr(err.message, "open again") != NULL);
    CHECK_INT(plog_apply_logged(w.p, line, strlen(line), &err),
              PLOG_E_POISONED);
    CHECK_INT(plog_new_segment(w.p, &first, &err), PLOG_E_POISONED);
    CHECK_INT(plog_set_strategy(w.p, PLOG_KEEP_LOCAL, NULL, &err),
              PLOG_E_POISONED);
    CHECK_INT(plog_get_head(w.p, &head, &err), 0);
    CHECK_UINT(head.size, 2);
    world_sql(&w, "CREATE TABLE kept AS SELECT root FROM meta");
    world_sql(&w, "UPDATE meta SET root=zeroblob(32)");
    CHECK_INT(plog_get_head(w.p, &again, &err), PLOG_E_DIVERGED);
    world_sql(&w, "UPDATE meta SET root=(SELECT root FROM kept)");
    world_sql(&w, "DROP TABLE kept");
    CHECK_INT(plog_get_head(w.p, &again, &err), 0);
    CHECK_UINT(again.size, 2);
    CHECK_BYTES(again.root, sizeof again.root, head.root, sizeof head.root);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(put("b"), 0);
    free(line);
    world_end(&w, 3);
}

/* Without the lock there is no head to give, nor anything to apply. */
static void without_the_lock(void)
{
    struct plog_head head;
    make(0);
    int fd = open(world_path(&w, "lock"), O_RDWR);
    CHECK_INT(io.lock(NULL, fd, 2), 0);
    CHECK_INT(plog_get_head(w.p, &head, NULL), PLOG_E_LOCKED);
    CHECK_INT(plog_catch_up(w.p, NULL), PLOG_E_LOCKED);
    CHECK_INT(plog_apply_logged(w.p, "{}", 2, NULL), PLOG_E_LOCKED);
    close(fd);
    CHECK_INT(plog_get_head(w.p, &head, NULL), 0);
    world_end(&w, 1);
}

/* ---- Behind the end ----------------------------------------------------- */

/* Something that is not padding stands further behind than each group looks:
 * no segment is ended over it. */
static void bytes_behind_the_padding(void)
{
    char id[16];
    int rc = 0, i = 0, refused = 0;
    make(4096);
    CHECK_INT(put("first"), 0);
    int fd = open(world_path(&w, FIRST), O_WRONLY);
    char padding[8000];
    memset(padding, '\n', sizeof padding);
    memcpy(padding + 7000, "lost", 4);
    CHECK_INT(pwrite(fd, padding, sizeof padding, (off_t)w.p->legs.head.offset),
              sizeof padding);
    close(fd);
    for (; i < 30 && !world_has(&w, "quarantine"); i++) {
        snprintf(id, sizeof id, "i%d", i);
        while ((rc = put(id)) == PLOG_E_TORN && refused < 3)
            refused++;
        CHECK_INT(rc, 0);
    }
    CHECK_INT(refused, 1); /* once: then it is set aside */
    CHECK(i < 30);
    world_end(&w, (uint64_t)i + 2);
}

/* ---- Clocks ------------------------------------------------------------- */

static int64_t real_ns;

static int64_t old_clock(void *ctx)
{
    (void)ctx;
    return real_ns;
}

/* A clock that was never set counts backwards from 1970. */
static void clocks_before_1970(void)
{
    static const struct {
        int64_t ns;
        const char *text;
    } all[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {-1000, "1969-12-31T23:59:59.999999Z"},
        {-1000000000, "1969-12-31T23:59:59.000000Z"},
        {-1000000001, "1969-12-31T23:59:58.999999Z"},
        {-86400000000000, "1969-12-31T00:00:00.000000Z"},
        {1500000000, "1970-01-01T00:00:01.500000Z"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char wanted[80], vkey[PLOG_VKEY_MAX];
        io = *plog_io_posix();
        io.clock_real_ns = old_clock;
        real_ns = all[i].ns;
        struct plog_init_options o = {.struct_size = sizeof o, .io = &io};
        memset(&w, 0, sizeof w);
        snprintf(w.dir, sizeof w.dir, "%.400s/c%zu", check_dir(), i);
        CHECK_INT(plog_init(w.dir, &o, vkey, NULL), 0);
        w.options.struct_size = sizeof w.options;
        w.options.io = &io;
        CHECK_INT(world_open(&w), 0);
        CHECK_INT(put("a"), 0);
        snprintf(wanted, sizeof wanted, "\"logged_at\":\"%s\"", all[i].text);
        for (uint64_t seq = 1; seq <= 2; seq++) {
            char *line = world_line(&w, seq, NULL);
            if (!CHECK(line && strstr(line, wanted)))
                printf("#   %lld: %s\n", (long long)all[i].ns, line);
            free(line);
        }
        world_end(&w, 2);
    }
}

/* ---- Entries that are logged already ------------------------------------ */

/* What was taken away is not said to be other bytes. */
static void applied_and_taken_away(void)
{
    struct plog_compact_report r;
    struct plog_compact_options c = {.struct_size = sizeof c,
                                     .trim_store = true};
    char *lines[30];
    make(4096);
    for (uint64_t i = 2; i < 30; i++) {
        char id[8];
        snprintf(id, sizeof id, "i%d", (int)i);
        CHECK_INT(put(id), 0);
        lines[i] = world_line(&w, i, NULL);
    }
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 25), 0);
    CHECK_INT(plog_compact(w.dir, &c, &r, NULL), 0);
    REQUIRE(r.to > 3);
    CHECK_INT(world_open(&w), 0);
    int gone = 0;
    for (uint64_t i = 2; i < 30; i++) {
        int rc = plog_apply_logged(w.p, lines[i], strlen(lines[i]), &err);
        bool held = world_number(&w, "SELECT max(seq) FROM events") > 0;
        char sql[80];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM events WHERE seq=%d",
                 (int)i);
        held = world_number(&w, sql) == 1;
        gone += !held;
        CHECK_INT(rc, held ? PLOG_PRESENT : PLOG_E_PRUNED);
        if (!held)
            CHECK_UINT(err.seq, i);
        free(lines[i]);
    }
    CHECK(gone > 0);
    /* A row that is missing above that is another matter. */
    char *last = world_line(&w, 29, NULL);
    world_sql(&w, "DELETE FROM events WHERE seq=29");
    CHECK_INT(plog_apply_logged(w.p, last, strlen(last), &err),
              PLOG_E_MISMATCH);
    free(last);
    world_close(&w);
}

static long reads_left; /* of the database until one fails; < 0: none does */

static int failing_read(void *ctx, const struct plog_store_event *e)
{
    (void)ctx;
    return e->op == PLOG_STORE_READ && !e->done && reads_left >= 0 &&
           reads_left-- == 0;
}

/* A row that cannot be read is not one that differs. */
static void applied_and_unreadable(void)
{
    long failed = 0;
    make(0);
    CHECK_INT(put("a"), 0);
    char *line = world_line(&w, 2, NULL);
    io.store_event = failing_read;
    for (bool reached = true; reached;) {
        reads_left = -1;
        CHECK_INT(world_open(&w), 0);
        world_sql(&w, "UPDATE meta SET segment=segment"); /* no cache */
        reads_left = failed;
        int rc = plog_apply_logged(w.p, line, strlen(line), &err);
        reached = reads_left < 0;
        CHECK_INT(rc, reached ? PLOG_E_IO : PLOG_PRESENT);
        failed += reached;
    }
    CHECK(failed > 0);
    free(line);
    reads_left = -1;
    world_end(&w, 2);
}

/* The log ends in a group that is not whole: it holds no such entry yet. */
static void applied_from_a_torn_group(void)
{
    struct world old;
    size_t n;
    make(0);
    CHECK_INT(put("a"), 0);
    world_close(&w);
    old = w;
    snprintf(old.dir, sizeof old.dir, "%.400s-old", w.dir);
    world_copy(w.dir, old.dir);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(put("b"), 0);
    char *line = world_line(&w, 3, NULL);
    world_close(&w);
    char *log = world_read(world_path(&w, FIRST), &n);
    char *commit = strstr(log, "{\"commit\":{\"size\":3");
    REQUIRE(commit != NULL);
    world_write(world_path(&old, FIRST), log, (size_t)(commit - log));
    old.options.leave_behind = true;
    CHECK_INT(world_open(&old), 0);
    memset(&err, 0, sizeof err);
    int rc = plog_apply_logged(old.p, line, strlen(line), &err);
    if (!CHECK_INT(rc, PLOG_E_NOT_FOUND))
        printf("#   %s\n", err.message);
    free(line);
    free(log);
    world_close(&old);
}

/* ------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"one that cannot join", one_that_cannot_join},
        {"groups_end_at_their_limit", groups_end_at_their_limit},
        {"one_refused_among_many", one_refused_among_many},
        {"a_signature_that_does_not_hold", a_signature_that_does_not_hold},
        {"no_room_poisons_nothing", no_room_poisons_nothing},
        {"a_poisoned_handle_reads", a_poisoned_handle_reads},
        {"without_the_lock", without_the_lock},
        {"bytes_behind_the_padding", bytes_behind_the_padding},
        {"clocks_before_1970", clocks_before_1970},
        {"applied_and_taken_away", applied_and_taken_away},
        {"applied_and_unreadable", applied_and_unreadable},
        {"applied_from_a_torn_group", applied_from_a_torn_group},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
