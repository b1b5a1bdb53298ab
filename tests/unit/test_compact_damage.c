/*
 * test_compact_damage.c - a compacted log and its store with something wrong:
 * files, rows, snapshots that are none, snapshots mended, and a disk that
 * refuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "peers.h"
#include "sha256.h"
#include "snapshot.h"
#include "world.h"

/* ---- Damage -------------------------------------------------------------- */

static void damaged(void)
{
    struct world w, copy;
    struct plog_compact_report r;
    struct world_found f;
    char name[64];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    snprintf(name, sizeof name, "%s", r.snapshot);
    /* The snapshot: found, and no store is set aside for one that cannot be. */
    copy = w;
    snprintf(copy.dir, sizeof copy.dir, "%.400s-copy", w.dir);
    world_copy(w.dir, copy.dir);
    size_t len;
    char *bytes = world_read(world_path(&copy, name), &len);
    bytes[len / 2] ^= 1;
    world_write(world_path(&copy, name), bytes, len);
    free(bytes);
    CHECK_INT(world_parity(&copy, NULL, &f), PLOG_E_CORRUPT);
    CHECK(strncmp(f.first[0].file, "snapshots/", 10) == 0);
    CHECK(f.unchecked > 0);
    struct plog_replay_report replayed;
    struct plog_replay_options fresh = {.struct_size = sizeof fresh,
                                        .fresh = true};
    world_remove(world_path(&copy, "archive")); /* which gives it again */
    CHECK_INT(plog_replay(copy.dir, &fresh, &replayed, NULL), PLOG_E_CORRUPT);
    CHECK(world_has(&copy, name));
    CHECK(world_has(&copy, "store.db"));
    CHECK_INT(unlink(world_path(&copy, name)), 0);
    CHECK_INT(world_parity(&copy, NULL, &f), PLOG_E_PRUNED);
    CHECK_INT(plog_replay(copy.dir, &fresh, &replayed, NULL), PLOG_E_PRUNED);
    CHECK(world_has(&copy, "store.db"));
    world_remove(copy.dir);
    /* A log cut behind the floor and before the entry that excuses it. */
    world_copy(w.dir, copy.dir);
    CHECK_INT(unlink(world_path(&copy, "store.db")), 0);
    snprintf(name, sizeof name, "log/%020llu.jsonl",
             (unsigned long long)r.to + 1);
    char *kept = world_read(world_path(&copy, name), &len);
    CHECK_INT(system(NULL) != 0, 1);
    char command[1200];
    snprintf(command, sizeof command, "rm '%s'/log/*", copy.dir);
    CHECK_INT(system(command), 0);
    world_write(world_path(&copy, name), kept, len);
    free(kept);
    CHECK_INT(world_verify(&copy, NULL, &f), PLOG_E_CORRUPT);
    world_remove(copy.dir);
    /* The first segment that is left, gone. */
    world_copy(w.dir, copy.dir);
    CHECK_INT(unlink(world_path(&copy, name)), 0);
    CHECK_INT(world_verify(&copy, NULL, &f), PLOG_E_CORRUPT);
    CHECK_INT(world_parity(&copy, NULL, &f) < 0, 1);
    world_remove(copy.dir);
    /* Rows of the store. */
    static const char *const changes[] = {
        "UPDATE meta SET floor=3",
        "UPDATE compactions SET floor=3",
        "DELETE FROM compactions",
        "UPDATE peers SET added=3",
        "DELETE FROM peers",
        "INSERT INTO peers VALUES('x',2,0,NULL,NULL)",
        "UPDATE state SET version=version+1 WHERE record_id='r3'",
        "UPDATE events SET line=replace(line,'v3','v4') WHERE id='i3'",
        "DELETE FROM events WHERE id='i3'",
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        world_copy(w.dir, copy.dir);
        world_sql(&copy, changes[i]);
        int rc = world_parity(&copy, NULL, &f);
        if (rc == 0)
            printf("# not seen: %s\n", changes[i]);
        CHECK(rc < 0);
        world_remove(copy.dir);
    }
    world_end(&w, 43);
}

/* Rows of what a trimmed store keeps, that no entry gives: found, whether there
 * is a base or not; and an id that nobody has logged makes no duplicate. */
static void rows_too_many(void)
{
    static const char *const changes[] = {
        "INSERT INTO base_state SELECT 'x',record_id,seq,last,version,seconds,"
        "nanos,confidence,origin,origin_seq,payload_at,payload_len,merged FROM"
        " state",
        "INSERT INTO old_ids VALUES(zeroblob(32),40,zeroblob(32),NULL)",
        "INSERT INTO old_ids VALUES(zeroblob(32),4000,zeroblob(32),NULL)",
        "INSERT INTO old_ids VALUES(zeroblob(32),-4,zeroblob(32),NULL)",
        "INSERT INTO compactions VALUES(-5,30,0)",
        "UPDATE base_state SET version=version+1", /* of a trimmed one */
        "DELETE FROM base_state WHERE record_id='r3'",
    };
    static const char fresh[] = "INSERT INTO old_ids "
                                "VALUES(x'"
                                "d098ab5e44b9aabb755f76d806598f43573c662b35e4a2"
                                "eab1e312ec9ad195e2',40,zeroblob(32),NULL)";
    struct world w, copy;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 40), 0);
    copy = w;
    snprintf(copy.dir, sizeof copy.dir, "%.400s-copy", w.dir);
    for (int trimmed = 0; trimmed < 2; trimmed++) {
        struct plog_receipt r = {0};
        struct world_found f;
        for (size_t i = 0; i < (trimmed ? 7 : 5); i++) {
            world_copy(w.dir, copy.dir);
            world_sql(&copy, changes[i]);
            CHECK_INT(world_parity(&copy, NULL, &f), PLOG_E_DIVERGED);
            world_remove(copy.dir);
        }
        world_copy(w.dir, copy.dir);
        world_sql(&copy, fresh);
        CHECK_INT(world_parity(&copy, NULL, &f), PLOG_E_DIVERGED);
        CHECK_INT(world_open(&copy), 0);
        CHECK_INT(world_put(&copy, "fresh", "r", "v", &r), 0);
        CHECK(!r.duplicate);
        world_close(&copy);
        world_remove(copy.dir);
        CHECK_INT(trimmed ? 0 : peers_trim(&w, NULL), 0);
    }
    world_end(&w, 43);
}

/* Whoever has the key can sign any text as a snapshot: what is none is refused
 * from its first line on, and read no further than it goes. */
static void no_snapshot(void)
{
    static const char *const texts[] = {"",
                                        "\n",
                                        "\n{}\n{}",
                                        "{\n",
                                        "{}\n",
                                        "x\n",
                                        "{\"snapshot\":\n",
                                        "{\"snapshot\":{\n",
                                        "{\"snapshot\":{\"format\":1}}\n{}\n"};
    const struct plog_io *io = plog_io_posix();
    struct world w;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 1);
    CHECK_INT(mkdir(world_path(&w, "snapshots"), 0700), 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        unsigned char digest[PLOG_HASH_SIZE];
        struct plog_snapshot s;
        struct plog_dir dir;
        struct plog_gz gz;
        size_t n = strlen(texts[i]);
        const char *path =
            world_path(&w, "snapshots/00000000000000000008.jsonl.gz");
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        REQUIRE(fd >= 0);
        CHECK_INT(plog_gz_create(&gz, io, fd, 1, NULL), 0);
        CHECK_INT(plog_gz_write(&gz, texts[i], n, NULL), 0);
        CHECK_INT(plog_gz_finish(&gz, NULL), 0);
        plog_gz_close(&gz);
        close(fd);
        plog_sha256(texts[i], n, digest);
        CHECK_INT(plog_dir_open(&dir, io, w.dir, PLOG_DIR_READ, true, NULL), 0);
        CHECK_INT(plog_snapshot_open(&s, &dir, 8, digest, NULL),
                  PLOG_E_CORRUPT);
        plog_snapshot_close(&s);
        plog_dir_close(&dir);
    }
    world_remove(w.dir);
}

/* A snapshot that is gone, or damaged, comes back from the archive as it was
 * signed; without the archive it does not, and nothing else is lost. */
static void mend_twice(struct world *w, const char *name)
{
    struct plog_compact_report r;
    struct world_found f;
    size_t len, again;
    char *bytes = world_read(world_path(w, name), &len);
    bytes[len / 2] ^= 1;
    world_write(world_path(w, name), bytes, len);
    CHECK_INT(world_parity(w, NULL, &f), PLOG_E_CORRUPT);
    CHECK_INT(peers_compact(w, &r), 0);
    CHECK(r.remade);
    bytes[len / 2] ^= 1;
    char *now = world_read(world_path(w, name), &again);
    CHECK(again == len && memcmp(now, bytes, len) == 0);
    free(now);
    free(bytes);
    CHECK_INT(peers_parity(w), 0);
    CHECK_INT(unlink(world_path(w, name)), 0);
    CHECK_INT(world_parity(w, NULL, &f), PLOG_E_PRUNED);
    CHECK_INT(peers_compact(w, &r), 0);
    CHECK(r.remade);
    CHECK_INT(peers_parity(w), 0);
}

static void snapshot_mended(void)
{
    struct world w;
    struct plog_compact_report r;
    char name[64], archive[600], aside[600];
    peers_make(&w, PLOG_MERGE_JSON, 60);
    CHECK_INT(peers_add(&w, "p"), 0);
    for (int i = 0; i < 2; i++) { /* the second stands on the first */
        CHECK_INT(peers_ack(&w, "p", i ? 50 : 25), 0);
        CHECK_INT(peers_compact(&w, &r), 0);
        snprintf(name, sizeof name, "%s", r.snapshot);
        mend_twice(&w, name);
    }
    snprintf(archive, sizeof archive, "%.400s/archive", w.dir);
    snprintf(aside, sizeof aside, "%.400s-archive", w.dir);
    CHECK_INT(unlink(world_path(&w, name)), 0);
    CHECK_INT(rename(archive, aside), 0);
    CHECK_INT(peers_compact(&w, &r), PLOG_E_PRUNED);
    CHECK_INT(rename(aside, archive), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    world_end(&w, world_size(&w));
}

/* ---- A disk that refuses ------------------------------------------------- */

static int keep_scratch(void *ctx, int dir, const char *name)
{
    return strcmp(name, "fold.db") ? plog_io_posix()->unlink_at(ctx, dir, name)
                                   : -EIO;
}

/* What a killed one left and cannot be removed is an error of the disk, and no
 * verdict on the store. */
static void scratch_cannot_be_removed(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_io io = *plog_io_posix();
    io.unlink_at = keep_scratch;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    CHECK_INT(mkdir(world_path(&w, "snapshots"), 0700), 0);
    world_copy(world_path(&w, "store.db"), world_path(&w, "snapshots/fold.db"));
    CHECK_INT(
        peers_compact_with(&w, (struct plog_compact_options){.io = &io}, &r),
        PLOG_E_IO);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK(!world_has(&w, "snapshots/fold.db"));
    world_end(&w, world_size(&w));
}

static int refuse_writes(void *ctx, const struct plog_store_event *e)
{
    (void)ctx;
    return !e->done && e->op == PLOG_STORE_WRITE && e->file == PLOG_STORE_MAIN;
}

/* A disk that fails is no reader in the way, and not waited for. */
static void store_cannot_be_written(void)
{
    struct world w;
    struct plog_compact_report r;
    struct plog_io io = *plog_io_posix();
    io.store_event = refuse_writes;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 40);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    CHECK_INT(world_open(&w), 0); /* the WAL is not to be empty */
    peers_put(&w, 40, 44);
    CHECK_INT(
        peers_compact_with(&w, (struct plog_compact_options){.io = &io}, &r),
        PLOG_E_IO);
    CHECK_UINT(peers_floor(&w), 0);
    world_close(&w);
    CHECK_INT(peers_compact(&w, &r), 0);
    world_end(&w, world_size(&w));
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"damaged", damaged},
        {"rows too many", rows_too_many},
        {"no snapshot", no_snapshot},
        {"a snapshot mended", snapshot_mended},
        {"a scratch store that stays", scratch_cannot_be_removed},
        {"a store that cannot be written", store_cannot_be_written},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
