/*
 * test_heal.c - a log made whole from the store's lines: where both legs have
 * lost something, where the table of segments is not true, files that are none
 * of the log's, what lies behind the store's head and below the floor, a disk
 * that fails, and a callback that says stop.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "peers.h"
#include "world.h"

static struct world w;
static char kept[600];
static uint64_t starts[8]; /* where its segments begin; 0: no more */

/* ---- A log of several segments ---------------------------------------------
 */

static void put(int from, int to)
{
    CHECK_INT(world_open(&w), 0);
    for (int i = from; i < to; i++) {
        char record[16], value[24];
        snprintf(record, sizeof record, "r%d", i % 7);
        snprintf(value, sizeof value, "v%d", i);
        CHECK_INT(world_put(&w, NULL, record, value, NULL), 0);
    }
    world_close(&w);
}

static void read_starts(void)
{
    char sql[80];
    for (int i = 0; i < 8; i++) {
        snprintf(sql, sizeof sql,
                 "SELECT first FROM segments ORDER BY first LIMIT 1 OFFSET %d",
                 i);
        int64_t first = world_number(&w, sql);
        starts[i] = first > 0 ? (uint64_t)first : 0;
    }
}

static void keep(void)
{
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
}

static void put_back(void)
{
    world_remove(w.dir);
    world_copy(kept, w.dir);
}

static void make(void)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    put(0, 40);
    read_starts();
    CHECK(starts[2] > 0);
    keep();
}

/* The path of the segment that begins at `first`. */
static const char *segment(uint64_t first)
{
    char name[60];
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
    return world_path(&w, name);
}

/* The value of entry `seq` is another one. */
static void damage(uint64_t seq)
{
    char value[40];
    size_t n;
    int i = 7;
    while (i > 0 && (starts[i] == 0 || starts[i] > seq))
        i--;
    snprintf(value, sizeof value, "\"v\":\"v%d\"", (int)seq - 2);
    char *bytes = world_read(segment(starts[i]), &n);
    char *at = strstr(bytes, value);
    if (CHECK(at != NULL)) {
        at[5] = 'x';
        world_write(segment(starts[i]), bytes, n);
    }
    free(bytes);
}

/* ---- Healing
 * ----------------------------------------------------------------- */

static struct {
    struct plog_salvage_report r;
    struct plog_error err;
    unsigned count, stop_at;
    char file[8][64], why[8][200], quarantine[8][128];
    bool healed[8], has_bytes[8];
    uint64_t from[8], to[8];
} heard;

static int hear(void *arg, const struct plog_salvaged *s)
{
    (void)arg;
    unsigned i = heard.count++;
    if (i < 8) {
        snprintf(heard.file[i], 64, "%s", s->file);
        snprintf(heard.why[i], 200, "%s", s->why);
        snprintf(heard.quarantine[i], 128, "%s", s->quarantine);
        heard.healed[i] = s->healed;
        heard.has_bytes[i] = s->has_bytes;
        heard.from[i] = s->from;
        heard.to[i] = s->to;
    }
    return heard.count == heard.stop_at;
}

static int heal_with(const struct plog_io *io, bool dry_run)
{
    struct plog_salvage_options o = {.struct_size = sizeof o,
                                     .io = io,
                                     .from_store = true,
                                     .dry_run = dry_run,
                                     .range = hear};
    unsigned stop_at = heard.stop_at;
    memset(&heard, 0, sizeof heard);
    heard.stop_at = stop_at;
    int rc = plog_salvage(w.dir, &o, &heard.r, &heard.err);
    if (rc)
        CHECK_INT(heard.err.code, rc);
    return rc;
}

static int heal(void)
{
    return heal_with(NULL, false);
}

/* All of it is as it was, byte for byte. */
static void is_whole(void)
{
    struct tree was, is;
    char path[700];
    CHECK_INT(heard.r.verdict, 0);
    CHECK_UINT(heard.r.left, 0);
    snprintf(path, sizeof path, "%s/log", kept);
    tree_read(&was, path);
    tree_read(&is, world_path(&w, "log"));
    CHECK(was.hash == is.hash);
    tree_free(&was);
    tree_free(&is);
}

/* In thought nothing changes; told to stop, it does, and says so; then it goes
 * through. */
static void in_thought_stopped_and_done(void)
{
    struct tree before, after;
    tree_read(&before, w.dir);
    CHECK_INT(heal_with(NULL, true), 0);
    CHECK(heard.count > 0 && heard.quarantine[0][0] == '\0');
    heard.stop_at = 1;
    CHECK_INT(heal_with(NULL, true), PLOG_E_INTERRUPTED);
    CHECK_TEXT(heard.err.message, "stopped");
    tree_read(&after, w.dir);
    CHECK(before.hash == after.hash);
    tree_free(&before);
    tree_free(&after);
    CHECK_INT(heal(), PLOG_E_INTERRUPTED);
    CHECK_TEXT(heard.err.message, "stopped");
    CHECK_UINT(heard.count, 1);
    CHECK(heard.healed[0]);
    heard.stop_at = 0;
    CHECK_INT(heal(), 0);
    is_whole();
}

/* ---- Files
 * ---------------------------------------------------------------------- */

/* A segment that begins at this entry, in another log. */
static void of_another_log(uint64_t first)
{
    struct world other;
    char from[700];
    bool added;
    uint64_t begins;
    world_make(&other, PLOG_LAST_WRITE_WINS, 0);
    while (world_size(&other) + 1 < first)
        CHECK_INT(world_put(&other, NULL, "r", "x", NULL), 0);
    CHECK_INT(plog_new_segment(other.p, &begins, NULL), 0);
    CHECK_UINT(begins, first);
    world_close(&other);
    snprintf(from, sizeof from, "%s/log/%020" PRIu64 ".jsonl", other.dir,
             first);
    CHECK_INT(plog_key_trust(w.dir, other.vkey, false, NULL, &added, NULL), 0);
    world_copy(from, segment(first));
}

static void files_of_others(void)
{
    char path[700];
    make();
    world_write(world_path(&w, "log/odd.txt"), "x", 1);
    in_thought_stopped_and_done();
    CHECK(!world_has(&w, "log/odd.txt"));
    /* A segment under the number of another entry. */
    put_back();
    snprintf(path, sizeof path, "%s", segment(starts[0]));
    world_copy(path, segment(starts[0] + 2));
    in_thought_stopped_and_done();
    /* ... and one where a row of the table says that one begins. */
    put_back();
    world_copy(path, segment(starts[1] + 2));
    char sql[80];
    snprintf(sql, sizeof sql, "INSERT INTO segments VALUES(%" PRIu64 ")",
             starts[1] + 2);
    world_sql(&w, sql);
    CHECK_INT(heal(), 0);
    is_whole();
    /* Of another log whose key is trusted: its own header proves nothing. */
    put_back();
    of_another_log(starts[1] + 2);
    CHECK_INT(heal(), 0);
    is_whole();
    CHECK_UINT(heard.r.healed, 1);
    /* A folder in the place of a segment. */
    put_back();
    CHECK_INT(unlink(segment(starts[1])), 0);
    CHECK_INT(mkdir(segment(starts[1]), 0700), 0);
    in_thought_stopped_and_done();
}

static void a_damaged_line(void)
{
    make();
    damage(starts[1] + 3);
    in_thought_stopped_and_done();
    CHECK_UINT(heard.r.from_store, 0); /* the second time nothing is left */
    put_back();
    damage(starts[1] + 3);
    damage(starts[2] + 2);
    CHECK_INT(heal(), 0);
    is_whole();
    CHECK_UINT(heard.r.healed, 2);
    CHECK_UINT(heard.r.from_store, 2);
    CHECK_UINT(heard.from[0], starts[1] + 3);
    CHECK_UINT(heard.to[0], starts[1] + 3);
}

/* Headers that are none, and what follows them. */
static void headers(void)
{
    static const char *const texts[] = {"", "no line", "no header\n",
                                        "{\"segment\":{}}\n"};
    make();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put_back();
        world_write(segment(starts[1]), texts[i], strlen(texts[i]));
        CHECK_INT(heal(), 0);
        is_whole();
    }
    put_back();
    size_t n;
    char *bytes = world_read(segment(starts[1]), &n);
    bytes[20] ^= 1;
    world_write(segment(starts[1]), bytes, n);
    free(bytes);
    CHECK_INT(heal(), 0);
    is_whole();
    CHECK_UINT(heard.r.from_store, 0); /* all groups are still good */
}

/* More than belongs into a segment, behind what is good. */
static void too_much_in_a_segment(void)
{
    static const char *const texts[] = {"x", "{}\n", "{\"seq\":18,\"re"};
    make();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put_back();
        FILE *f = fopen(segment(starts[1]), "ab");
        REQUIRE(f != NULL);
        fputs(texts[i], f);
        CHECK_INT(fclose(f), 0);
        CHECK_INT(heal(), 0);
        is_whole();
        CHECK_UINT(heard.r.healed, 1);
        CHECK_UINT(heard.r.from_store, 0);
    }
}

/* ---- The table of segments
 * -------------------------------------------------------- */

static void the_table_is_not_true(void)
{
    char sql[120];
    make();
    for (int gone = 0; gone < 3; gone++) {
        put_back();
        damage(starts[1] + 3);
        if (gone == 0) /* the file proves that it is one */
            snprintf(sql, sizeof sql,
                     "DELETE FROM segments WHERE first=%" PRIu64, starts[1]);
        else if (gone == 1)
            snprintf(sql, sizeof sql,
                     "DELETE FROM segments WHERE first=%" PRIu64, starts[2]);
        else /* within one that is good */
            snprintf(sql, sizeof sql,
                     "INSERT INTO segments VALUES(%" PRIu64 ")", starts[0] + 3);
        world_sql(&w, sql);
        CHECK_INT(heal(), 0);
        is_whole();
    }
}

/* ---- What both have lost
 * ------------------------------------------------------------ */

static void lost_by_both(void)
{
    char sql[160];
    make();
    damage(starts[1] + 3);
    snprintf(sql, sizeof sql, "DELETE FROM events WHERE seq=%" PRIu64,
             starts[1] + 3);
    world_sql(&w, sql);
    CHECK_INT(heal(), 0);
    CHECK_UINT(heard.r.left, 1);
    CHECK(!heard.healed[0] && heard.has_bytes[0]);
    CHECK_UINT(heard.from[0], starts[1] + 3);
    CHECK(heard.why[0][0] != '\0');
    CHECK(heard.r.verdict != 0);
    /* The next segment is missing: what stood before it is not proven. */
    CHECK_INT(unlink(segment(starts[2])), 0);
    CHECK_INT(heal(), 0);
    CHECK_UINT(heard.r.left, 2);
    CHECK(strstr(heard.why[1], "it is missing, and what stood before") != NULL);
    /* ... or has no header. */
    world_write(segment(starts[2]), "none\n", 5);
    CHECK_INT(heal(), 0);
    CHECK(strstr(heard.why[1], "its header is damaged, and") != NULL);
    /* With all of its entries lost, too. */
    put_back();
    CHECK_INT(unlink(segment(starts[1])), 0);
    snprintf(sql, sizeof sql,
             "DELETE FROM events WHERE seq>=%" PRIu64 " AND seq<%" PRIu64,
             starts[1], starts[2]);
    world_sql(&w, sql);
    CHECK_INT(heal(), 0);
    CHECK_UINT(heard.r.left, 1);
    CHECK(heard.why[0][0] != '\0');
    /* A commit that the store lacks is where the log would go on. */
    put_back();
    damage(starts[1] + 3);
    snprintf(sql, sizeof sql, "DELETE FROM checkpoints WHERE size=%" PRIu64,
             starts[1] + 3);
    world_sql(&w, sql);
    CHECK_INT(heal(), 0);
    CHECK_UINT(heard.r.left, 1);
    CHECK_TEXT(heard.why[0], "store.db: a commit row is missing");
}

/* ---- Behind the store's head, below the floor
 * ---------------------------------------- */

static void old_store(const char *from)
{
    char store[700];
    snprintf(store, sizeof store, "%s/store.db", from);
    world_drop_store(&w);
    world_copy(store, world_path(&w, "store.db"));
}

/* What the store has not come to is not its to judge: a file there is good, or
 * its damage stays. */
static void behind_the_head(void)
{
    char before[600];
    make();
    snprintf(before, sizeof before, "%.500s-before", w.dir);
    world_copy(kept, before);
    put(40, 70);
    read_starts();
    REQUIRE(starts[7] > 0);
    old_store(before);
    world_remove(kept);
    keep();
    damage(starts[1] + 3);
    CHECK_INT(heal(), 0);
    is_whole();
    CHECK_UINT(heard.r.healed, 1);
    CHECK_UINT(heard.count, 1);
    CHECK_UINT(heard.r.head.size, 71);
    damage(starts[6] + 2);
    CHECK_INT(heal(), 0);
    CHECK(heard.r.verdict != 0);
    CHECK_UINT(heard.r.left, 1);
    put_back();
    CHECK_INT(unlink(segment(starts[6])), 0);
    CHECK_INT(heal(), 0);
    CHECK(heard.r.verdict != 0);
    CHECK_INT(access(segment(starts[7]), F_OK), 0);
}

static void above_the_floor(void)
{
    struct plog_compact_report cr;
    char below[2][700];
    make();
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 30), 0);
    CHECK_INT(plog_compact(w.dir, NULL, &cr, NULL), 0);
    CHECK_UINT(cr.to + 1, starts[3]);
    const uint64_t gone[] = {1, starts[2]};
    for (int i = 0; i < 2; i++) {
        snprintf(below[i], sizeof below[i], "%s/log/%020llu.jsonl", kept,
                 (unsigned long long)gone[i]);
        world_copy(below[i], world_path(&w, i ? "../third" : "../first"));
    }
    world_remove(kept);
    read_starts();
    keep();
    damage(cr.to + 3);
    CHECK_INT(heal(), 0);
    is_whole();
    /* A store that has let go of nothing needs no snapshot. */
    put_back();
    world_remove(world_path(&w, "snapshots"));
    damage(cr.to + 3);
    CHECK_INT(heal(), 0);
    CHECK_UINT(heard.r.left, 0);
    CHECK_INT(heard.r.verdict, 0);
    /* One that a killed compaction has not come to take away stays; one behind
     * which there is a gap is none of those. */
    for (int i = 0; i < 2; i++) {
        put_back();
        world_copy(world_path(&w, "../third"), segment(gone[1]));
        if (i)
            world_copy(world_path(&w, "../first"), segment(1));
        damage(cr.to + 3);
        CHECK_INT(heal(), 0);
        CHECK_UINT(heard.r.left, 0);
        CHECK_UINT(heard.r.healed, 1 + i);
        CHECK_INT(heard.r.verdict, 0);
        CHECK_INT(access(segment(gone[1]), F_OK), 0);
        CHECK(access(segment(1), F_OK) != 0);
    }
}

/* An unfinished group at the end is the next writer's to mend. */
static void a_torn_end(void)
{
    make();
    uint64_t last = 0;
    for (int i = 0; i < 8 && starts[i]; i++)
        last = starts[i];
    FILE *f = fopen(segment(last), "ab");
    REQUIRE(f != NULL);
    fputs("{\"seq\":42,\"res", f);
    CHECK_INT(fclose(f), 0);
    CHECK_INT(heal(), 0);
    CHECK_UINT(heard.r.healed, 0);
    CHECK_UINT(heard.count, 0);
    CHECK_INT(heard.r.verdict, PLOG_E_TORN);
}

/* ---- A disk that fails
 * ------------------------------------------------------------------ */

static unsigned calls_left;

static int64_t no_read(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    if (calls_left && --calls_left == 0)
        return -EIO;
    return plog_io_posix()->pread(ctx, fd, p, n, at);
}

static int no_open(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    if (strstr(name, ".jsonl") && calls_left && --calls_left == 0)
        return -EIO;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static int no_move(void *ctx, int old_dir, const char *old, int dir,
                   const char *name, bool replace)
{
    if (calls_left && --calls_left == 0)
        return -EIO;
    return plog_io_posix()->rename_at(ctx, old_dir, old, dir, name, replace);
}

/* Nothing is set aside, and no segment left, for what cannot be read now. */
static void each_call(const struct plog_io *io, void (*spoil)(void))
{
    unsigned n = 0, failed = 0;
    do {
        put_back();
        spoil();
        calls_left = ++n;
        int rc = heal_with(io, false);
        CHECK(rc == PLOG_E_IO || rc == 0);
        failed += rc != 0;
        if (calls_left == 0)
            CHECK_INT(heal(), 0);
        is_whole();
    } while (calls_left == 0 && n < 100 && !check_failing());
    CHECK(failed > 0);
    printf("# %u of %u\n", failed, n - 1);
}

static char unreadable[40];

static int no_such_open(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    if (strcmp(name, unreadable) == 0)
        return -EACCES;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* As verify and parity do, it names the file and the reason. */
static void says_which(void)
{
    struct plog_io io = *plog_io_posix();
    char file[60];
    make();
    snprintf(unreadable, sizeof unreadable, "%020" PRIu64 ".jsonl", starts[1]);
    snprintf(file, sizeof file, "log/%s", unreadable);
    io.open_at = no_such_open;
    CHECK_INT(heal_with(&io, false), PLOG_E_IO);
    CHECK_TEXT(heard.err.file, file);
    CHECK_TEXT(heard.err.message, "opening a segment: Permission denied");
    CHECK_INT(heal(), 0);
    is_whole();
}

static void spoil(void)
{
    char path[700];
    damage(starts[1] + 3);
    snprintf(path, sizeof path, "%s", segment(starts[0]));
    world_copy(path, segment(starts[0] + 2));
}

static void no_header(void)
{
    world_write(segment(starts[1]), "none\n", 5);
}

/* Only the file says that a segment begins there. */
static void no_row(void)
{
    char sql[80];
    snprintf(sql, sizeof sql, "DELETE FROM segments WHERE first=%" PRIu64,
             starts[1]);
    world_sql(&w, sql);
    damage(starts[0] + 2);
}

static void at_the_end(void)
{
    damage(40);
}

static void a_failing_disk(void)
{
    struct plog_io io = *plog_io_posix();
    make();
    io.pread = no_read;
    each_call(&io, no_row);
    each_call(&io, at_the_end);
    each_call(&io, spoil);
    each_call(&io, no_header);
    io = *plog_io_posix();
    io.rename_at = no_move;
    each_call(&io, spoil);
    io = *plog_io_posix();
    io.open_at = no_open;
    each_call(&io, spoil);
}

static unsigned no_memory_in; /* allocations until one is refused; 0: none */

static void *alloc_or_not(void *ctx, void *p, size_t n)
{
    return n && no_memory_in && --no_memory_in == 0
               ? NULL
               : plog_io_posix()->alloc(ctx, p, n);
}

/* Without memory it says so, and calls nothing damaged for it or lost; tried in
 * thought, which takes the same steps. */
static void without_memory(void)
{
    struct plog_io io = *plog_io_posix();
    bool reached = true;
    unsigned failed = 0;
    make();
    damage(starts[1] + 3);
    io.alloc = alloc_or_not;
    for (unsigned n = 1; reached && n < 500; n += 4) {
        no_memory_in = n;
        int rc = heal_with(&io, true);
        reached = no_memory_in == 0;
        no_memory_in = 0;
        failed += rc != 0;
        if (!CHECK(rc == 0 || rc == PLOG_E_NOMEM))
            printf("# allocation %u: %s\n", n, heard.err.message);
        CHECK_UINT(heard.r.left, 0);
        CHECK(rc || heard.r.healed == 1);
    }
    CHECK(!reached && failed > 20);
    CHECK_INT(heal(), 0);
    is_whole();
}

/* ---- A leg in the place of the one there
 * --------------------------------------------------- */

/* The log went on behind the store, and is damaged there: no store helps. */
static void still_not_whole(void)
{
    struct plog_rebuild_options o = {.struct_size = sizeof o, .install = true};
    struct plog_rebuild_report r;
    make();
    put(40, 60);
    read_starts();
    damage(58);
    old_store(kept);
    damage(starts[1] + 3);
    CHECK_INT(plog_rebuild_log(w.dir, NULL, &o, &r, NULL), 0);
    CHECK(r.verdict != 0);
    CHECK(strstr(r.why, "still not whole") != NULL);
}

/* A store is only replaced by one that is whole. */
static void no_store_from_a_damaged_log(void)
{
    struct plog_rebuild_options o = {.struct_size = sizeof o, .install = true};
    struct plog_rebuild_report r;
    struct tree before, after;
    make();
    damage(starts[1] + 3);
    tree_read(&before, w.dir);
    CHECK_INT(plog_rebuild_store(w.dir, NULL, &o, &r, NULL), 0);
    CHECK(r.verdict != 0);
    tree_read(&after, w.dir);
    CHECK(before.hash == after.hash);
    tree_free(&after);
    put_back();
    o.dry_run = true;
    tree_free(&before);
    tree_read(&before, w.dir);
    CHECK_INT(plog_rebuild_store(w.dir, NULL, &o, &r, NULL), 0);
    CHECK_INT(r.verdict, 0);
    CHECK(r.dry_run);
    tree_read(&after, w.dir);
    CHECK(before.hash == after.hash);
    tree_free(&after);
    o.dry_run = false;
    world_remove(world_path(&w, "log"));
    CHECK_INT(mkdir(world_path(&w, "log"), 0700), 0);
    CHECK(plog_rebuild_store(w.dir, NULL, &o, &r, NULL) < 0);
    CHECK(world_has(&w, "store.db"));
    tree_free(&before);
}

/* Larger than what is written at once. */
static void a_large_segment(void)
{
    static char text[200000], payload[190000];
    struct plog_rebuild_options o = {.struct_size = sizeof o};
    struct plog_rebuild_report r;
    struct tree was, is;
    char out[600];
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    for (int i = 0; i < 14; i++) {
        size_t n = sizeof payload - 12;
        memcpy(payload, "{\"v\":\"", 6);
        memset(payload + 6, 'a' + i, n - 6);
        memcpy(payload + n, "\"}", 3);
        struct world_delta d = {.record = "r", .payload = payload};
        CHECK_INT(
            world_append(&w, world_text(text, sizeof text, &d), NULL, NULL), 0);
    }
    world_close(&w);
    snprintf(out, sizeof out, "%.500s-out", w.dir);
    CHECK_INT(plog_rebuild_log(w.dir, out, &o, &r, NULL), 0);
    CHECK_INT(r.verdict, 0);
    CHECK_UINT(r.segments, 1);
    CHECK(r.bytes > 14u * 180000u);
    strcat(out, "/log");
    tree_read(&was, world_path(&w, "log"));
    tree_read(&is, out);
    CHECK(was.hash == is.hash);
    tree_free(&was);
    tree_free(&is);
}

/* ---- What neither leg can give --------------------------------------------
 */

static void is_left(const char *why)
{
    struct tree before, after;
    tree_read(&before, world_path(&w, "log"));
    CHECK_INT(heal_with(NULL, false), 0);
    CHECK_UINT(heard.r.left, 1);
    CHECK_UINT(heard.r.healed, 0);
    CHECK(!heard.healed[0] && heard.has_bytes[0]);
    if (!CHECK(strstr(heard.why[0], why) != NULL))
        printf("# %s\n", heard.why[0]);
    tree_read(&after, world_path(&w, "log"));
    CHECK(before.hash == after.hash);
    tree_free(&before);
    tree_free(&after);
    put_back();
}

/* The last line of the log is not one any more. */
static void no_last_commit(void)
{
    int i = 7;
    while (i > 0 && starts[i] == 0)
        i--;
    size_t n;
    char *bytes = world_read(segment(starts[i]), &n), *at = bytes;
    for (char *p = bytes; (p = strstr(p, "\n{")) != NULL; p++)
        at = p;
    at[1] = 'x';
    world_write(segment(starts[i]), bytes, n);
    free(bytes);
}

/* The store has lost the commit up to which it must give lines; and the same
 * line is not what it was in both, at the very end.  No byte of the log is
 * changed. */
static void neither_can_give_it(void)
{
    make();
    damage(starts[1] + 2);
    char sql[100];
    snprintf(sql, sizeof sql, "DELETE FROM checkpoints WHERE size=%d",
             (int)starts[1] + 2);
    world_sql(&w, sql);
    is_left("a commit row is missing");
    damage(41);
    no_last_commit();
    world_sql(&w, "UPDATE events SET line=replace(line,'v39','w39') WHERE"
                  " seq=41");
    is_left("");
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"files of others", files_of_others},
        {"a damaged line", a_damaged_line},
        {"headers", headers},
        {"too much in a segment", too_much_in_a_segment},
        {"the table is not true", the_table_is_not_true},
        {"lost by both", lost_by_both},
        {"behind the head", behind_the_head},
        {"above the floor", above_the_floor},
        {"without memory", without_memory},
        {"a torn end", a_torn_end},
        {"a failing disk", a_failing_disk},
        {"says which file", says_which},
        {"still not whole", still_not_whole},
        {"no store from a damaged log", no_store_from_a_damaged_log},
        {"a large segment", a_large_segment},
        {"neither can give it", neither_can_give_it},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
