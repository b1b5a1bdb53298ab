/*
 * test_restore.c - a log as it was at a point: which points there are, what
 * must not be passed over in silence, and what goes along into the copy.
 *
 * The copy is CLEAN and ends where the report says, or there is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "orders.h"
#include "paritylog_recovery.h"
#include "peers.h"
#include "world.h"

#define FIRST "log/00000000000000000001.jsonl"
#define LONG_AGO "2001-01-01T00:00:00Z"

static struct world w;
static char out[700];
static struct plog_restore_report r;
static struct plog_error err;

static int restore(struct plog_restore_options o)
{
    o.struct_size = sizeof o;
    memset(&err, 0, sizeof err);
    return plog_restore(w.dir, out, &o, &r, &err);
}
#define RESTORE(...) restore((struct plog_restore_options){__VA_ARGS__})

static void put(int count)
{
    for (int i = 0; i < count; i++)
        CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
}

static void begin(void)
{
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
}

static void next_segment(void)
{
    uint64_t first;
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
}

static void refused(int rc, int code, const char *words)
{
    if (!CHECK_INT(rc, code) || !CHECK_INT(err.code, code) ||
        !CHECK(strstr(err.message, words) != NULL))
        printf("# %d %s, expected %s\n", err.code, err.message, words);
    CHECK(access(out, F_OK) != 0);
}

/* There is a copy, CLEAN at that size; and no more. */
static void restored(int rc, uint64_t size)
{
    struct world copy = {.p = NULL};
    struct world_found f;
    if (!CHECK_INT(rc, 0)) {
        printf("# %s\n", err.message);
        return;
    }
    CHECK_UINT(r.head.size, size);
    snprintf(copy.dir, sizeof copy.dir, "%.500s", out);
    CHECK_INT(world_parity(&copy, NULL, &f), 0);
    CHECK_UINT(f.report.head.size, size + (r.vkey[0] != 0));
    world_remove(out);
}

static void flip_middle(const char *name)
{
    size_t n;
    char path[700];
    snprintf(path, sizeof path, "%s", world_path(&w, name));
    char *bytes = world_read(path, &n);
    bytes[n / 2] ^= 1;
    world_write(path, bytes, n);
    free(bytes);
}

/* ---- Points and names -------------------------------------------------------
 */

static void points(void)
{
    begin();
    put(4);
    world_close(&w);
    refused(RESTORE(.at_time = LONG_AGO), PLOG_E_NOT_FOUND,
            "no commit lies at or before it");
    refused(RESTORE(.at_time = "yesterday"), PLOG_E_INPUT, "yesterday");
    refused(RESTORE(.at_seq = 6), PLOG_E_NOT_FOUND, "the log ends at entry 5");
    restored(RESTORE(.at_seq = 3), 3);
    CHECK_UINT(r.left_out, 2);
    restored(RESTORE(.at_time = "2999-01-01T00:00:00Z"), 5);
    CHECK_UINT(r.left_out, 0);
    restored(RESTORE(.at_seq = 0), 5);
    CHECK(strlen(r.logged_at) == 27 && r.logged_at[26] == 'Z');
    world_drop_store(&w);
    refused(RESTORE(.at_seq = 6), PLOG_E_NOT_FOUND, "the log ends at entry 5");
    restored(RESTORE(.at_seq = 0), 5);
}

static void names(void)
{
    char own[300], key[800];
    size_t n;
    begin();
    put(1);
    world_close(&w);
    refused(RESTORE(.continue_as = "a name"), PLOG_E_ARG,
            "the name to go on under is not one");
    refused(RESTORE(.continue_as = ""), PLOG_E_ARG,
            "the name to go on under is not one");
    refused(RESTORE(.continue_as = "test.example/copy", .adopt = true),
            PLOG_E_ARG, "adopts nothing");
    snprintf(own, sizeof own, "%.*s", (int)strcspn(w.vkey, "+"), w.vkey);
    refused(RESTORE(.continue_as = own), PLOG_E_ARG, "is the log's own");
    CHECK_INT(RESTORE(.continue_as = "test.example/copy", .dry_run = true), 0);
    CHECK_TEXT(r.vkey, "");
    CHECK_UINT(r.continued.size, 0);
    CHECK(access(out, F_OK) != 0);
    CHECK_INT(RESTORE(.continue_as = "test.example/copy"), 0);
    CHECK(strncmp(r.vkey, "test.example/copy+", 18) == 0);
    /* Whom the copy is given to finds the key that it goes on with in it. */
    snprintf(key, sizeof key, "%s/keys/%.8s.vkey", out, r.vkey + 18);
    char *text = world_read(key, &n);
    CHECK_UINT(n, strlen(r.vkey) + 1);
    CHECK(text && strncmp(text, r.vkey, strlen(r.vkey)) == 0);
    free(text);
    restored(0, 2);
    CHECK_UINT(r.continued.size, 3);
}

/* Only the very head that somebody knows takes the key along. */
static void adopting(void)
{
    struct plog_restore_options o = {.adopt = true};
    struct plog_head head;
    begin();
    put(2);
    CHECK_INT(plog_get_head(w.p, &head, NULL), 0);
    world_close(&w);
    memcpy(o.adopt_root, head.root, sizeof o.adopt_root);
    o.adopt_size = 2;
    refused(restore(o), PLOG_E_FORK, "not the one to adopt");
    o.adopt_size = 3;
    o.adopt_root[31] ^= 1;
    refused(restore(o), PLOG_E_FORK, "not the one to adopt");
    o.adopt_root[31] ^= 1;
    CHECK_INT(restore(o), 0);
    CHECK(r.adopted);
    char key[720];
    snprintf(key, sizeof key, "%s/keys/signing.key", out);
    CHECK(access(key, F_OK) == 0);
    restored(0, 3);
}

static const char *key_file(const char *dir)
{
    static char path[720];
    snprintf(path, sizeof path, "%.690s/keys/signing.key", dir);
    return path;
}

static void write_key(const char *path, const char *key, size_t n)
{
    world_write(path, key, n);
    CHECK_INT(chmod(path, 0600), 0);
}

/* Takes the key along to the commit at `size`. */
static int adopt(uint64_t size, const char *passphrase, bool dry_run)
{
    struct plog_restore_options o = {.at_seq = size, .dry_run = true};
    CHECK_INT(restore(o), 0);
    o.dry_run = dry_run;
    o.adopt = true;
    o.adopt_size = r.head.size;
    memcpy(o.adopt_root, r.head.root, sizeof o.adopt_root);
    o.passphrase = passphrase;
    return restore(o);
}

static void not_adopted(uint64_t size, const char *words, const char *next)
{
    for (int dry_run = 0; dry_run < 2; dry_run++) {
        refused(adopt(size, NULL, dry_run), PLOG_E_KEY, words);
        CHECK(!r.adopted);
        if (!CHECK(strstr(err.hint, next) != NULL))
            printf("# %s\n", err.hint);
    }
}

/* Whoever adopts a copy is told to stop using the original: no copy that
 * nobody could write to says so.  A key that is under a passphrase is known by
 * its name alone where that is not given. */
static void adopting_needs_the_key(void)
{
    struct plog_rotate_options ro = {.struct_size = sizeof ro,
                                     .new_passphrase = "secret"};
    struct plog_rotate_report rotated;
    size_t n, m;
    begin();
    put(1);
    world_close(&w);
    char *key = world_read(key_file(w.dir), &n);
    CHECK_INT(unlink(key_file(w.dir)), 0);
    not_adopted(2, "there is no signing key", "--continue-as NAME");
    write_key(key_file(w.dir), key, n - 20);
    not_adopted(2, "malformed", "put the key back");
    write_key(key_file(w.dir), key, n);
    CHECK_INT(plog_key_rotate(w.dir, &ro, &rotated, NULL), 0);
    /* The secret of before the rotation is gone. */
    not_adopted(2, "which signs behind entry 2", "--continue-as NAME");
    refused(adopt(3, "other", false), PLOG_E_KEY, "wrong passphrase");
    CHECK(strstr(err.hint, "--passphrase-file") != NULL);
    for (int given = 0; given < 2; given++) {
        CHECK_INT(adopt(3, given ? "secret" : NULL, false), 0);
        CHECK(r.adopted);
        restored(0, 3);
    }
    char *sealed = world_read(key_file(w.dir), &m);
    write_key(key_file(w.dir), key, n);
    not_adopted(3, "which signs behind entry 3", "--continue-as NAME");
    /* A rotation that was cut off before the new file took the name. */
    write_key(world_path(&w, "keys/signing.key.new"), sealed, m);
    CHECK_INT(adopt(3, NULL, false), 0);
    struct world copy = {.options = {.struct_size = sizeof copy.options,
                                     .passphrase = "secret"}};
    snprintf(copy.dir, sizeof copy.dir, "%.500s", out);
    CHECK_INT(world_open(&copy), 0);
    CHECK_INT(world_put(&copy, NULL, "1", "v", NULL), 0);
    world_close(&copy);
    world_remove(out);
    free(sealed);
    free(key);
}

/* ---- An end that is not there -----------------------------------------------
 */

/* The store has what the log lost: a copy would be short of it. */
static void a_store_ahead(void)
{
    for (int torn = 0; torn < 2; torn++) {
        begin();
        put(2);
        size_t end = (size_t)world_number(&w, "SELECT offset FROM meta");
        put(1);
        world_close(&w);
        CHECK_INT(truncate(world_path(&w, FIRST), (off_t)end + 20 * torn), 0);
        int rc = RESTORE(.at_seq = 0);
        if (torn)
            refused(rc, err.code, "");
        else {
            refused(rc, PLOG_E_ROLLBACK,
                    "the log ends at entry 3, but the store holds 4");
            CHECK(strstr(err.hint, "parity") != NULL);
        }
        CHECK(rc != 0);
        restored(RESTORE(.at_seq = 3), 3); /* that much is there */
        world_drop_store(&w);
        restored(RESTORE(.at_seq = 0), 3);
    }
}

/* The last segment has no commit: what a crash may leave. */
static void no_commit_at_the_end(void)
{
    begin();
    put(2);
    next_segment();
    world_close(&w);
    restored(RESTORE(.at_seq = 0), 3);
    FILE *f = fopen(world_path(&w, "log/00000000000000000004.jsonl"), "a");
    REQUIRE(f != NULL);
    fputs("{\"seq\":4,", f);
    fclose(f);
    restored(RESTORE(.at_seq = 0), 3);
    world_drop_store(&w);
    restored(RESTORE(.at_seq = 0), 3);
    CHECK_INT(truncate(world_path(&w, "log/00000000000000000004.jsonl"), 9), 0);
    restored(RESTORE(.at_seq = 0), 3);
}

/* ... and no other has one. */
static void no_commit_at_all(void)
{
    size_t n;
    begin();
    put(2);
    world_close(&w);
    char *bytes = world_read(world_path(&w, FIRST), &n);
    size_t header = (size_t)(strchr(bytes, '\n') + 1 - bytes);
    free(bytes);
    CHECK_INT(truncate(world_path(&w, FIRST), (off_t)header + 9), 0);
    refused(RESTORE(.at_seq = 4), PLOG_E_CORRUPT, "has no commit line");
    world_drop_store(&w);
    refused(RESTORE(.at_seq = 4), PLOG_E_NOT_FOUND, "no commit lies at or");
    refused(RESTORE(.at_seq = 0), PLOG_E_NOT_FOUND, "no commit lies at or");
    CHECK_INT(truncate(world_path(&w, FIRST), (off_t)header), 0);
    refused(RESTORE(.at_seq = 1), PLOG_E_NOT_FOUND, "no commit lies at or");
}

/* ... with damage before it and no store: more was there than can be read. */
static void damage_behind_the_known_end(void)
{
    begin();
    put(8);
    next_segment();
    world_close(&w);
    flip_middle(FIRST);
    world_drop_store(&w);
    CHECK_INT(truncate(world_path(&w, "log/00000000000000000010.jsonl"), 9), 0);
    int rc = RESTORE(.at_seq = 0);
    CHECK(rc == PLOG_E_CORRUPT || rc == PLOG_E_TAMPERED);
    refused(rc, rc, "");
    rc = RESTORE(.at_time = "2999-01-01T00:00:00Z", .dry_run = true);
    CHECK(rc == PLOG_E_CORRUPT || rc == PLOG_E_TAMPERED);
    restored(RESTORE(.at_seq = 3), 3);
}

/* Right behind the point, too. */
static void damage_behind_the_point(void)
{
    for (int no_store = 0; no_store < 2; no_store++) {
        begin();
        put(8);
        world_close(&w);
        flip_middle(FIRST);
        if (no_store)
            world_drop_store(&w);
        uint64_t good = 1;
        while (RESTORE(.at_seq = good + 1, .dry_run = true) == 0)
            good++;
        CHECK(good > 1 && good < 8);
        restored(RESTORE(.at_seq = good), good);
        struct world_found f;
        CHECK(world_verify(&w, NULL, &f) != 0);
        CHECK_UINT(f.first[0].seq, good + 1);
        world_remove(w.dir);
    }
}

static void no_beginning(void)
{
    begin();
    put(2);
    next_segment();
    put(1);
    world_close(&w);
    CHECK_INT(unlink(world_path(&w, FIRST)), 0);
    int rc = RESTORE(.at_seq = 0);
    CHECK(rc == PLOG_E_CORRUPT || rc == PLOG_E_PRUNED);
    refused(rc, rc, "");
    world_drop_store(&w);
    rc = RESTORE(.at_seq = 0);
    CHECK(rc == PLOG_E_CORRUPT || rc == PLOG_E_PRUNED);
    refused(rc, rc, "");
}

/* ---- Floors -----------------------------------------------------------------
 */

static void compact(bool discard)
{
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .discard = discard};
    struct plog_compact_report c;
    struct plog_peer_report peer;
    struct plog_head head;
    CHECK_INT(plog_get_head(w.p, &head, NULL), 0);
    next_segment();
    put(1);
    world_close(&w);
    CHECK_INT(
        plog_peer_ack(w.dir, "p", head.size, head.root, NULL, &peer, NULL), 0);
    CHECK_INT(plog_compact(w.dir, &o, &c, NULL), 0);
    CHECK_UINT(c.to, head.size);
    CHECK_INT(world_open(&w), 0);
}

static void add_peer(void)
{
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(world_open(&w), 0);
}

/* Discarded up to 4, archived up to 8, 10 entries. */
static void two_floors(void)
{
    begin();
    put(2);
    add_peer();
    compact(true); /* 5 and 6 */
    put(2);
    compact(false); /* 9 and 10 */
    world_close(&w);
    restored(RESTORE(.at_seq = 0), 10);
    CHECK_UINT(r.floor, 8);
    restored(RESTORE(.at_seq = 8), 8); /* out of the archive */
    CHECK_UINT(r.floor, 4);
    restored(RESTORE(.at_seq = 6), 6);
    CHECK_UINT(r.floor, 4);
    refused(RESTORE(.at_seq = 3), PLOG_E_PRUNED, "");
    /* A copy that ends before the entry of its floor, and a copy of that. */
    CHECK_INT(RESTORE(.at_seq = 9), 0);
    struct world kept = w;
    char second[700];
    memcpy(second, out, sizeof second);
    snprintf(w.dir, sizeof w.dir, "%.500s", second);
    snprintf(out, sizeof out, "%.600s-again", w.dir);
    restored(RESTORE(.at_seq = 0), 9);
    CHECK_UINT(r.floor, 8);
    w = kept;
    memcpy(out, second, sizeof out);
    world_remove(out);
    refused(RESTORE(.at_time = LONG_AGO), PLOG_E_PRUNED, "");
    world_remove(world_path(&w, "snapshots"));
    refused(RESTORE(.at_seq = 0), PLOG_E_PRUNED, "");
}

/* A compaction that was killed: a segment below its floor is there yet. */
static void halfway(void)
{
    char kept[600], path[800];
    begin();
    put(2);
    add_peer();
    next_segment();
    put(2);
    world_close(&w);
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    tree_copy(w.dir, kept);
    CHECK_INT(world_open(&w), 0);
    compact(false);
    world_close(&w);
    snprintf(path, sizeof path, "%s/log/00000000000000000005.jsonl", kept);
    size_t n;
    char *bytes = world_read(path, &n);
    world_write(world_path(&w, "log/00000000000000000005.jsonl"), bytes, n);
    free(bytes);
    restored(RESTORE(.at_seq = 0), 8);
    CHECK_UINT(r.floor, 6);
}

/* ---- A disk that lies -------------------------------------------------------
 */

static struct plog_io io;
static size_t lost; /* the last bytes of each segment that is written */

static int64_t losing_pwrite(void *ctx, int fd, const void *buf, size_t n,
                             uint64_t offset)
{
    if (n > lost && memmem(buf, n, "{\"commit\":", 10)) {
        int64_t rc = plog_io_posix()->pwrite(ctx, fd, buf, n - lost, offset);
        return rc < 0 ? rc : (int64_t)n;
    }
    return plog_io_posix()->pwrite(ctx, fd, buf, n, offset);
}

static void a_disk_that_lies(void)
{
    begin();
    put(2);
    size_t end = (size_t)world_number(&w, "SELECT offset FROM meta");
    put(1);
    lost = (size_t)world_number(&w, "SELECT offset FROM meta") - end;
    world_close(&w);
    io = *plog_io_posix();
    io.pwrite = losing_pwrite;
    refused(RESTORE(.io = &io), PLOG_E_CORRUPT,
            "the copy does not read back as it was written");
    lost = 0;
    restored(RESTORE(.io = &io), 4);
}

/* ---- Compacted meanwhile ------------------------------------------------- */

static unsigned told;

/* When the copy has begun, what is being copied is taken away. */
static int compact_meanwhile(void *arg, const struct plog_progress *p)
{
    (void)p;
    if (++told == 2)
        CHECK_INT(
            plog_compact(arg, NULL, &(struct plog_compact_report){0}, NULL), 0);
    return 0;
}

static int append_meanwhile(void *arg, const struct plog_progress *p)
{
    (void)arg, (void)p;
    if (++told == 1) {
        CHECK_INT(world_open(&w), 0);
        put(1);
        world_close(&w);
    }
    return 0;
}

static void make_segments(void)
{
    begin();
    put(3);
    for (int i = 0; i < 3; i++) {
        next_segment();
        put(3);
    }
    world_close(&w);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 10), 0);
    told = 0;
}

/* The copy is begun anew, on the snapshot. */
static void compacted_meanwhile(void)
{
    make_segments();
    uint64_t size = world_size(&w);
    int rc = RESTORE(.progress = compact_meanwhile, .arg = w.dir);
    CHECK_UINT(world_size(&w), size + 1);
    CHECK(r.floor > 0);
    restored(rc, size + 1);
}

/* A rehearsal of the store leaves alone what writers add behind the end that it
 * began with; and begins anew, too. */
static void rehearsed_meanwhile(void)
{
    struct plog_rebuild_options o = {.struct_size = sizeof o,
                                     .dry_run = true,
                                     .progress = append_meanwhile,
                                     .arg = w.dir};
    struct plog_rebuild_report b;
    make_segments();
    io = *plog_io_posix(); /* nothing is read ahead */
    o.io = &io;
    uint64_t size = world_size(&w);
    CHECK_INT(plog_rebuild_store(w.dir, out, &o, &b, NULL), 0);
    CHECK_INT(b.verdict, 0);
    CHECK_UINT(b.entries, size);
    CHECK_UINT(world_size(&w), size + 1);
    o.progress = compact_meanwhile;
    told = 0;
    CHECK_INT(plog_rebuild_store(w.dir, out, &o, &b, NULL), 0);
    CHECK(told > 2);
    CHECK_INT(b.verdict, 0);
    CHECK_UINT(b.entries, size + 2);
}

/* ---- What fails on the way ------------------------------------------------
 */

static unsigned told;

static int stop(void *arg, const struct plog_progress *p)
{
    (void)arg;
    CHECK_TEXT(p->phase, "restore");
    told++;
    return 1;
}

static int no_segment(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    return flags & O_CREAT && strstr(name, ".jsonl")
               ? -EROFS
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* A group that was not copied is no progress, and who would stop there is told
 * why it ended. */
static void no_progress(void)
{
    begin();
    put(2);
    world_close(&w);
    io = *plog_io_posix();
    io.open_at = no_segment;
    told = 0;
    refused(RESTORE(.io = &io, .progress = stop), PLOG_E_IO, strerror(EROFS));
    CHECK_UINT(told, 0);
    refused(RESTORE(.progress = stop), PLOG_E_INTERRUPTED,
            "stopped at entry 1");
    CHECK_UINT(told, 1);
    restored(RESTORE(.at_seq = 0), 3);
}

/* The orders of a log come along, or there is no copy: also where a snapshot
 * does. */
static void no_orders(void)
{
    begin();
    put(2);
    for (int compacted = 0; compacted < 2; compacted++) {
        if (compacted) {
            CHECK_INT(world_open(&w), 0);
            add_peer();
            compact(true);
        }
        world_close(&w);
        world_write(world_path(&w, PLOG_ORDERS_DIR), "x", 1);
        refused(RESTORE(.at_seq = 0), PLOG_E_IO, "copying orders: ");
        CHECK_TEXT(err.file, PLOG_ORDERS_DIR);
        world_remove(world_path(&w, PLOG_ORDERS_DIR));
        restored(RESTORE(.at_seq = 0), compacted ? 6 : 3);
        CHECK_UINT(r.floor, compacted ? 4 : 0);
    }
}

/* A dry run says of a path what the call would; without one it does not look.
 */
static void into_what_is_there(void)
{
    struct plog_rebuild_options o = {.struct_size = sizeof o};
    struct plog_rebuild_report b;
    begin();
    put(3);
    world_close(&w);
    CHECK_INT(mkdir(out, 0700), 0);
    for (int dry = 0; dry < 2; dry++) {
        o.dry_run = dry;
        CHECK_INT(RESTORE(.dry_run = dry), PLOG_E_EXISTS);
        CHECK(strstr(err.message, "is there already") != NULL);
        CHECK_INT(plog_rebuild_log(w.dir, out, &o, &b, NULL), PLOG_E_EXISTS);
        CHECK_INT(plog_rebuild_store(w.dir, out, &o, &b, NULL), PLOG_E_EXISTS);
    }
    CHECK_INT(rmdir(out), 0);
    CHECK_INT(RESTORE(.dry_run = true), 0);
    CHECK_INT(plog_rebuild_log(w.dir, out, &o, &b, NULL), 0);
    CHECK(access(out, F_OK) != 0);
    struct plog_restore_options none = {.struct_size = sizeof none,
                                        .dry_run = true};
    CHECK_INT(plog_restore(w.dir, NULL, &none, &r, NULL), 0);
    CHECK_INT(plog_rebuild_store(w.dir, NULL, &o, &b, NULL), 0);
    world_end(&w, 4);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"points", points},
        {"names", names},
        {"adopting", adopting},
        {"adopting needs the key", adopting_needs_the_key},
        {"a store ahead", a_store_ahead},
        {"no commit at the end", no_commit_at_the_end},
        {"no commit at all", no_commit_at_all},
        {"damage behind the known end", damage_behind_the_known_end},
        {"damage behind the point", damage_behind_the_point},
        {"no beginning", no_beginning},
        {"two floors", two_floors},
        {"halfway", halfway},
        {"a disk that lies", a_disk_that_lies},
        {"no progress", no_progress},
        {"no orders", no_orders},
        {"compacted meanwhile", compacted_meanwhile},
        {"rehearsed meanwhile", rehearsed_meanwhile},
        {"into what is there", into_what_is_there},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
