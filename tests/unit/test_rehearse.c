/*
 * test_rehearse.c - a rehearsal refuses what the real thing would, in the same
 * words, and nothing else: also where the log goes on behind the store.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "files.h"
#include "peers.h"
#include "world.h"

#define SECRET "keys/signing.key"

static struct world w;
static char old[600]; /* a copy of the directory, as it was before */

static void make_old(void)
{
    snprintf(old, sizeof old, "%.500s-old", w.dir);
    world_copy(w.dir, old);
}

static void rotate(struct plog_rotate_report *r, bool dry_run)
{
    struct plog_rotate_options o = {.struct_size = sizeof o,
                                    .dry_run = dry_run};
    CHECK_INT(plog_key_rotate(w.dir, &o, r, NULL), 0);
}

/* Both say that, with the same words. */
static void both_say(int code)
{
    struct plog_error dry = {0}, real = {0};
    plog *p = NULL;
    CHECK_INT(plog_rehearse(w.dir, NULL, NULL, &dry), code);
    CHECK_INT(plog_open(&p, w.dir, NULL, &real), code);
    plog_close(p);
    CHECK_TEXT(dry.message, real.message);
    CHECK_TEXT(dry.hint, real.hint);
    CHECK(code == 0 || code == PLOG_E_CORRUPT || dry.hint[0]);
}

/* `log/` has a rotation that the store does not know of. */
static void make_behind(void)
{
    struct plog_rotate_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    make_old();
    rotate(&r, false);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 20, 25);
    world_close(&w);
    world_take_store(&w, old);
}

static void behind_a_rotation(void)
{
    struct plog_rotate_report dry, real;
    make_behind();
    CHECK_INT(plog_rehearse(w.dir, NULL, NULL, NULL), 0);
    rotate(&dry, true);
    make_behind();
    rotate(&dry, true);
    rotate(&real, false);
    CHECK_TEXT(dry.old_vkey, real.old_vkey);
    CHECK_UINT(dry.size, real.size);
    CHECK_UINT(dry.keys, real.keys);
    world_end(&w, world_size(&w));
}

static void the_key_of_before(void)
{
    struct plog_error err = {0};
    make_behind();
    world_take(&w, old, SECRET);
    CHECK_INT(plog_rehearse(w.dir, NULL, NULL, &err), PLOG_E_KEY);
    CHECK(strstr(err.message, ", which it had before a rotation") != NULL);
    CHECK(strncmp(err.hint, "put key ", 8) == 0);
    both_say(PLOG_E_KEY);
}

static void no_key(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 3);
    unlink(world_path(&w, SECRET));
    both_say(PLOG_E_KEY);
}

static void behind_the_floor(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    CHECK_INT(peers_add(&w, "p"), 0);
    make_old();
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 20, 80);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 70), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    world_take_store(&w, old);
    both_say(PLOG_E_PRUNED);
}

static void an_empty_group(void)
{
    struct plog_group g = {.struct_size = sizeof g};
    struct plog_error err = {0};
    peers_make(&w, PLOG_LAST_WRITE_WINS, 1);
    CHECK_INT(plog_rehearse(w.dir, NULL, &g, &err), PLOG_E_ARG);
    CHECK_TEXT(err.message, "an empty group");
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_append_group(w.p, &g, NULL, &err), PLOG_E_ARG);
    CHECK_TEXT(err.message, "an empty group");
    world_close(&w);
}

/* ---- What a dry run leaves as it is ---------------------------------------
 */

static uint64_t log_hash(void)
{
    return tree_hash(world_path(&w, "log"));
}

static int dry_compact(bool trim, bool undo)
{
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .dry_run = true,
                                     .trim_store = trim,
                                     .undo = undo,
                                     .wait_seconds = 0.5};
    struct plog_compact_report r;
    return plog_compact(w.dir, &o, &r, NULL);
}

/* Of a log with peer p at 14, whose last compaction can be undone. */
static void dry_runs(uint64_t end)
{
    struct plog_peer_options o = {.struct_size = sizeof o,
                                  .dry_run = true,
                                  .wait_seconds = 0.5,
                                  .reason = "gone"};
    struct plog_peer_report r;
    CHECK_INT(dry_compact(false, false), 0);
    CHECK_INT(dry_compact(true, false), 0);
    CHECK_INT(dry_compact(false, true), 0);
    CHECK_INT(plog_peer_add(w.dir, "q", &o, &r, NULL), 0);
    CHECK_INT(plog_peer_add(w.dir, "p", &o, &r, NULL), PLOG_E_EXISTS);
    CHECK_INT(plog_peer_ack(w.dir, "p", 20, NULL, &o, &r, NULL), 0);
    CHECK_UINT(r.cursor, 20);
    CHECK_INT(plog_peer_ack(w.dir, "p", end, NULL, &o, &r, NULL), 0);
    CHECK_INT(plog_peer_ack(w.dir, "p", end + 1, NULL, &o, &r, NULL),
              PLOG_E_INPUT);
    CHECK_INT(plog_peer_rewind(w.dir, "p", 18, &o, &r, NULL), PLOG_E_INPUT);
    CHECK_INT(plog_peer_evict(w.dir, "p", &o, &r, NULL), 0);
    CHECK_INT(plog_peer_evict(w.dir, "q", &o, &r, NULL), PLOG_E_NOT_FOUND);
}

static void make_compacted(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 14), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK(peers_floor(&w) > 0);
}

static void of_a_torn_end(void)
{
    static const char torn[] = "{\"seq\":23,\"res";
    char name[60];
    make_compacted();
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl",
             (uint64_t)world_number(&w, "SELECT max(first) FROM segments"));
    size_t n;
    char *bytes = world_read(world_path(&w, name), &n);
    char *more = realloc(bytes, n + sizeof torn);
    REQUIRE(more != NULL);
    memcpy(more + n, torn, sizeof torn);
    world_write(world_path(&w, name), more, n + sizeof torn - 1);
    free(more);
    uint64_t before = log_hash(), end = world_size(&w);
    dry_runs(end);
    CHECK(log_hash() == before);
    CHECK(!world_has(&w, "quarantine"));
    CHECK_UINT(world_size(&w), end);
    CHECK_INT(world_open(&w), 0);
    world_end(&w, end);
}

static void of_a_store_behind(void)
{
    make_compacted();
    make_old();
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 20, 23);
    world_close(&w);
    uint64_t end = world_size(&w);
    world_take_store(&w, old);
    uint64_t before = log_hash();
    dry_runs(end);
    CHECK(log_hash() == before);
    CHECK_UINT(world_size(&w), end - 3);
    CHECK_INT(world_open(&w), 0);
    world_end(&w, end);
}

/* The keys behind the store are known, too, and entries and orders there. */
static void of_a_store_before_a_rotation(void)
{
    struct plog_redact_options redact = {.struct_size = sizeof redact,
                                         .reason = "x"};
    struct plog_peer_options peer = {.struct_size = sizeof peer,
                                     .dry_run = true};
    struct plog_compact_options compact = {.struct_size = sizeof compact,
                                           .dry_run = true};
    struct plog_compact_report cut;
    struct plog_rotate_report rotated;
    struct plog_peer_report acked;
    struct plog_redact_report r, real;
    unsigned char root[PLOG_HASH_SIZE];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    CHECK_INT(peers_add(&w, "p"), 0);
    make_old();
    rotate(&rotated, false);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 20, 60);
    uint64_t end = world_size(&w);
    memcpy(root, w.p->legs.head.commit.root, sizeof root);
    world_close(&w);
    CHECK_INT(plog_redact(w.dir, 5, &redact, &real, NULL), 0);
    world_take_store(&w, old);
    uint64_t before = log_hash();
    CHECK_INT(plog_peer_ack(w.dir, "p", end, root, &peer, &acked, NULL), 0);
    CHECK_UINT(acked.cursor, end);
    root[0] ^= 1;
    CHECK_INT(plog_peer_ack(w.dir, "p", end, root, &peer, &acked, NULL),
              PLOG_E_FORK);
    CHECK_INT(plog_compact(w.dir, &compact, &cut, NULL), 0);
    redact.dry_run = true;
    CHECK_INT(plog_redact(w.dir, 50, &redact, &r, NULL), 0);
    CHECK_UINT(r.seq, 50);
    CHECK(!r.already);
    CHECK_INT(plog_redact(w.dir, 5, &redact, &r, NULL), 0);
    CHECK(r.already);
    CHECK_UINT(r.order, real.order);
    CHECK_INT(plog_redact(w.dir, 4, &redact, &r, NULL), 0);
    CHECK(!r.already);
    CHECK_INT(plog_redact(w.dir, end + 2, &redact, &r, NULL), PLOG_E_NOT_FOUND);
    CHECK_INT(plog_redact(w.dir, rotated.size, &redact, &r, NULL),
              PLOG_E_INPUT);
    CHECK(log_hash() == before);
    redact.dry_run = false;
    CHECK_INT(plog_redact(w.dir, 50, &redact, &real, NULL), 0);
}

/* Whoever has lost the lock file gets it back from who writes. */
static void without_a_lock_file(void)
{
    struct plog_replay_options replay = {.struct_size = sizeof replay,
                                         .dry_run = true};
    struct plog_salvage_options salvage = {.struct_size = sizeof salvage,
                                           .dry_run = true};
    struct plog_redact_options redact = {
        .struct_size = sizeof redact, .reason = "x", .dry_run = true};
    struct plog_replay_report replayed;
    struct plog_salvage_report salvaged;
    struct plog_redact_report redacted;
    struct plog_rotate_report rotated;
    make_compacted();
    uint64_t end = world_size(&w);
    CHECK_INT(unlink(world_path(&w, "lock")), 0);
    dry_runs(end);
    rotate(&rotated, true);
    CHECK_INT(plog_replay(w.dir, &replay, &replayed, NULL), 0);
    replay.fresh = true;
    CHECK_INT(plog_replay(w.dir, &replay, &replayed, NULL), 0);
    for (int i = 0; i < 2; i++) {
        salvage.from_store = i;
        CHECK_INT(plog_salvage(w.dir, &salvage, &salvaged, NULL), 0);
    }
    CHECK_INT(plog_redact(w.dir, end - 1, &redact, &redacted, NULL),
              PLOG_E_INPUT);
    CHECK(!world_has(&w, "lock"));
    CHECK_INT(world_open(&w), 0);
    world_end(&w, end);
    CHECK(world_has(&w, "lock"));
}

/* A directory that others may write to is refused dry as well. */
static void in_a_loose_folder(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 3);
    CHECK_INT(chmod(w.dir, 0777), 0);
    both_say(PLOG_E_IO);
    CHECK_INT(chmod(w.dir, 0700), 0);
    both_say(0);
}

static long reads; /* that succeed; < 0: all */

static int64_t f_pread(void *ctx, int fd, void *to, size_t n, uint64_t at)
{
    if (reads >= 0 && reads-- == 0)
        return -EIO;
    return plog_io_posix()->pread(ctx, fd, to, n, at);
}

/* What cannot be read has its own name. */
static void a_read_fails(void)
{
    struct plog_io io = *plog_io_posix();
    struct plog_rotate_options o = {
        .struct_size = sizeof o, .dry_run = true, .io = &io};
    struct plog_rotate_report r;
    struct plog_error err;
    int rc = PLOG_E_IO;
    io.pread = f_pread;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    for (long n = 0; rc && n < 100; n++) {
        reads = n;
        memset(&err, 0, sizeof err);
        rc = plog_key_rotate(w.dir, &o, &r, &err);
        if (!rc || !CHECK_INT(rc, PLOG_E_IO))
            continue;
        if (!CHECK(err.file[0] && (strncmp(err.file, "log", 3) != 0 ||
                                   world_has(&w, err.file))))
            printf("# read %ld: %s: %s\n", n, err.file, err.message);
    }
    CHECK_INT(rc, 0);
    reads = -1;
}

/* ---- Files too many -------------------------------------------------------
 */

/* A file that is no segment holds up nobody who has nothing to mend. */
static void beside_a_stray(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    world_write(world_path(&w, "log/notes"), "x", 1);
    both_say(0);
    for (int dry = 1; dry >= 0; dry--) {
        struct plog_redact_options o = {
            .struct_size = sizeof o, .reason = "x", .dry_run = dry};
        struct plog_redact_report r;
        CHECK_INT(plog_redact(w.dir, 4, &o, &r, NULL), PLOG_E_CORRUPT);
        CHECK_INT(plog_redact(w.dir, 99, &o, &r, NULL), PLOG_E_NOT_FOUND);
    }
    CHECK_UINT(world_size(&w), 21);
}

static void beside_a_copy(void)
{
    peers_make(&w, PLOG_LAST_WRITE_WINS, 20);
    world_copy(world_path(&w, "log/00000000000000000001.jsonl"),
               world_path(&w, "log/00000000000000000200.jsonl"));
    both_say(PLOG_E_CORRUPT);
    CHECK_INT(dry_compact(false, false), PLOG_E_CORRUPT);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"behind a rotation", behind_a_rotation},
        {"the key of before", the_key_of_before},
        {"no key", no_key},
        {"behind the floor", behind_the_floor},
        {"an empty group", an_empty_group},
        {"of a torn end", of_a_torn_end},
        {"of a store behind", of_a_store_behind},
        {"of a store before a rotation", of_a_store_before_a_rotation},
        {"without a lock file", without_a_lock_file},
        {"in a loose folder", in_a_loose_folder},
        {"a read fails", a_read_fails},
        {"beside a stray", beside_a_stray},
        {"beside a copy", beside_a_copy},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
