/*
 * test_heal_strangers.c - a log of few segments, healed from the store: files
 * under names where none begins, also within damage and above a floor; a
 * header behind the store's head; a store of another log; and a disk that is
 * full, or cannot be read behind the damage, which changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "files.h"
#include "peers.h"
#include "world.h"

static struct world w;
static uint64_t whole; /* what the folder log/ has in it */

/* ---- Logs ---------------------------------------------------------------- */

static void put(int from, int to)
{
    CHECK_INT(world_open(&w), 0);
    for (int i = from; i < to; i++) {
        char value[8];
        snprintf(value, sizeof value, "v%d", i);
        CHECK_INT(world_put(&w, NULL, "r", value, NULL), 0);
    }
}

static void next_segment(uint64_t want)
{
    uint64_t first = 0;
    CHECK_INT(plog_new_segment(w.p, &first, NULL), 0);
    CHECK_UINT(first, want);
}

/* The path of the segment that begins at `first`. */
static const char *segment(uint64_t first)
{
    char name[60];
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
    return world_path(&w, name);
}

/* The first `what` in it is another text. */
static void spoil(uint64_t first, const char *what)
{
    size_t n;
    char *bytes = world_read(segment(first), &n), *at = strstr(bytes, what);
    if (CHECK(at != NULL)) {
        at[strlen(what) - 1] ^= 1;
        world_write(segment(first), bytes, n);
    }
    free(bytes);
}

static uint64_t log_hash(void)
{
    return tree_hash(world_path(&w, "log"));
}

/* Its name is no file's, and its content that of one. */
static void copy_segment(uint64_t from, uint64_t to)
{
    char path[700];
    snprintf(path, sizeof path, "%s", segment(from));
    world_copy(path, segment(to));
}

/* Entry i has the value `vi`; segments at 1, 7 and 10; 12 entries. */
static void make(void)
{
    world_make(&w, PLOG_ARRIVAL, 0);
    world_close(&w);
    put(2, 7);
    next_segment(7);
    world_close(&w);
    put(7, 10);
    next_segment(10);
    world_close(&w);
    put(10, 13);
    world_close(&w);
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    whole = log_hash();
}

/* ---- Healing ------------------------------------------------------------- */

static struct plog_salvage_report report;
static struct plog_error err;
static char said[600]; /* of each file */

static int hear(void *arg, const struct plog_salvaged *s)
{
    size_t n = strlen(said);
    (void)arg;
    snprintf(said + n, sizeof said - n, "%s %d %" PRIu64 "-%" PRIu64 " %s %s; ",
             s->file + 22, s->healed, s->from, s->to, s->why,
             s->quarantine[0] ? "aside" : "");
    return 0;
}

static int heal(const struct plog_io *io)
{
    struct plog_salvage_options o = {
        .struct_size = sizeof o, .io = io, .from_store = true, .range = hear};
    memset(&err, 0, sizeof err);
    said[0] = '\0';
    int rc = plog_salvage(w.dir, &o, &report, &err);
    CHECK_INT(err.code, rc);
    return rc;
}

/* Byte for byte; and there is nothing left to do. */
static void is_whole(const char *told, uint64_t healed, uint64_t from_store)
{
    CHECK_TEXT(said, told);
    CHECK_INT(report.verdict, 0);
    CHECK_UINT(report.healed, healed);
    CHECK_UINT(report.from_store, from_store);
    CHECK_UINT(report.left, 0);
    CHECK(log_hash() == whole);
    CHECK(!world_has(&w, "salvage"));
    CHECK_INT(heal(NULL), 0);
    CHECK_TEXT(said, "");
    CHECK_UINT(report.healed, 0);
}

/* ---- Files of no segment ------------------------------------------------- */

#define NONE "no segment of this log begins here aside; "

/* A segment with damage goes on behind a file that only says it is one. */
static void within_damage(void)
{
    make();
    spoil(1, "\"v3\"");
    copy_segment(1, 5);
    CHECK_INT(heal(NULL), 0);
    is_whole("01.jsonl 1 3-3  aside; 05.jsonl 1 5-0 " NONE, 2, 1);
    world_end(&w, 12);
}

/* Above a floor, too. */
static void above_the_floor(void)
{
    struct plog_compact_report r;
    make();
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_INT(peers_ack(&w, "p", 7), 0);
    CHECK_INT(peers_compact(&w, &r), 0);
    CHECK_UINT(r.to, 6);
    whole = log_hash();
    copy_segment(7, 8);
    copy_segment(10, 12);
    CHECK_INT(heal(NULL), 0);
    is_whole("08.jsonl 1 8-0 " NONE "12.jsonl 1 12-0 " NONE, 2, 0);
    world_end(&w, world_size(&w));
}

/* ---- Behind the store's head --------------------------------------------- */

/* The header does not hold; what stands behind it does, and is not set aside:
 * only the log has it. */
static void a_header_behind_the_head(void)
{
    make();
    world_copy(world_path(&w, "store.db"), world_path(&w, "old"));
    put(13, 15);
    next_segment(15);
    world_close(&w);
    put(15, 18);
    world_close(&w);
    whole = log_hash();
    world_sql(&w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_remove(world_path(&w, "store.db"));
    world_copy(world_path(&w, "old"), world_path(&w, "store.db"));
    spoil(15, "{\"segment\"");
    CHECK_INT(world_number(&w, "SELECT size FROM meta"), 12);
    CHECK_INT(world_number(&w, "SELECT max(first) FROM segments"), 10);
    CHECK_INT(heal(NULL), 0);
    is_whole("15.jsonl 1 0-0  aside; ", 1, 0);
    CHECK_INT(world_open(&w), 0); /* the store comes there, too */
    world_close(&w);
    world_end(&w, 17);
}

/* ---- A store of another log ---------------------------------------------- */

/* Nobody here knows its keys: that it is another log's says more. */
static void of_another_log(void)
{
    char mine[600], name[2][100], want[300];
    struct world other;
    make();
    snprintf(name[0], sizeof name[0], "%.*s", (int)strcspn(w.vkey, "+"),
             w.vkey);
    snprintf(mine, sizeof mine, "%s", world_path(&w, "store.db"));
    world_make(&other, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&other, NULL, "r", "x", NULL), 0);
    world_close(&other);
    world_sql(&other, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(name[1], sizeof name[1], "%.*s", (int)strcspn(other.vkey, "+"),
             other.vkey);
    world_remove(mine);
    world_copy(world_path(&other, "store.db"), mine);
    CHECK_INT(heal(NULL), PLOG_E_FOREIGN);
    snprintf(want, sizeof want, "the log is `%s`, the store belongs to `%s`",
             name[0], name[1]);
    CHECK_TEXT(err.message, want);
    CHECK_TEXT(said, "");
    CHECK(log_hash() == whole);
    CHECK(!world_has(&w, "quarantine"));
}

/* The first segment, or the last, or all but one, are another log's, whose key
 * is trusted here, or is not: the others stay what they are. */
static void files_of_another_log(void)
{
    struct world other;
    struct world_found f;
    bool added;
    char theirs[600];
    for (int how = 0; how < 8; how++) {
        make();
        world_make(&other, PLOG_ARRIVAL, 0);
        CHECK_INT(world_put(&other, NULL, "r", "x", NULL), 0);
        world_close(&other);
        snprintf(theirs, sizeof theirs, "%s",
                 world_path(&other, "log/00000000000000000001.jsonl"));
        static const uint64_t firsts[] = {1, 7, 10};
        for (int i = 0; i < 3; i++)
            if (how / 2 == 3 ? i != 1 : i == how / 2) {
                world_remove(segment(firsts[i]));
                world_copy(theirs, segment(firsts[i]));
            }
        if (how % 2)
            CHECK_INT(
                plog_key_trust(w.dir, other.vkey, false, NULL, &added, NULL),
                0);
        if (how == 0) { /* nothing signed by a known key says their name */
            CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_UNKNOWN_KEY);
            CHECK_UINT(f.count, 1);
            CHECK_UINT(f.report.head.size, 12);
        }
        if (how < 2) { /* the store's name is that of the others */
            CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_FOREIGN);
            CHECK_UINT(f.count, 1);
            CHECK_TEXT(f.first[0].file, "log/00000000000000000001.jsonl");
            CHECK(strstr(f.first[0].next, "salvage DIR --from-store") != NULL);
        }
        CHECK_INT(heal(NULL), 0);
        CHECK(log_hash() == whole);
        CHECK_INT(world_parity(&w, NULL, &f), 0);
        world_end(&w, 12);
    }
}

/* All segments are another log's, of however many files: that is another
 * history, and nobody is told to mend its files by this store. */
static void a_log_of_another(void)
{
    struct world other;
    struct world_found f;
    uint64_t first;
    bool added;
    for (int segments = 1; segments < 3; segments++) {
        make();
        world_make(&other, PLOG_ARRIVAL, 0);
        CHECK_INT(world_put(&other, NULL, "r", "x", NULL), 0);
        if (segments > 1) {
            CHECK_INT(plog_new_segment(other.p, &first, NULL), 0);
            CHECK_INT(world_put(&other, NULL, "r", "y", NULL), 0);
        }
        world_close(&other);
        world_remove(world_path(&w, "log"));
        char theirs[600];
        snprintf(theirs, sizeof theirs, "%s", world_path(&other, "log"));
        world_copy(theirs, world_path(&w, "log"));
        CHECK_INT(plog_key_trust(w.dir, other.vkey, false, NULL, &added, NULL),
                  0);
        CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_FORK);
        for (unsigned i = 0; i < f.count && i < WORLD_FINDINGS; i++)
            CHECK(strstr(f.first[i].next, "compare both heads") != NULL);
    }
}

/* The name in the first header is damaged: that is all that is wrong. */
static void a_damaged_name(void)
{
    struct world_found f;
    make();
    spoil(1, "\"origin\":\"plog-0");
    CHECK(world_verify(&w, NULL, &f) != 0);
    for (unsigned i = 0; i < f.count; i++)
        CHECK_TEXT(f.first[i].file, "log/00000000000000000001.jsonl");
    CHECK_UINT(f.report.head.size, 12);
    CHECK(world_parity(&w, NULL, &f) != 0);
    for (unsigned i = 0; i < f.count; i++)
        CHECK_TEXT(f.first[i].file, "log/00000000000000000001.jsonl");
    CHECK_INT(heal(NULL), 0);
    CHECK(log_hash() == whole);
    world_end(&w, 12);
}

/* ---- The disk ------------------------------------------------------------ */

static int no_folder(void *ctx, int dir, const char *name, uint32_t mode)
{
    return strcmp(name, "salvage") == 0
               ? -ENOSPC
               : plog_io_posix()->mkdir_at(ctx, dir, name, mode);
}

static int no_segment(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    if (flags & O_CREAT && strstr(name, ".jsonl"))
        return -ENOSPC;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Without its folder it does not begin; a log that is whole takes no more than
 * that, whatever its last segment holds. */
static void a_full_disk(void)
{
    struct plog_io io = *plog_io_posix();
    make();
    io.mkdir_at = no_folder;
    CHECK_INT(heal(&io), PLOG_E_IO);
    CHECK_TEXT(err.message, "making the folder: No space left on device");
    CHECK_TEXT(err.file, "salvage");
    io = *plog_io_posix();
    io.open_at = no_segment;
    CHECK_INT(heal(&io), 0);
    is_whole("", 0, 0);
    spoil(7, "\"v8\"");
    CHECK_INT(heal(&io), PLOG_E_IO);
    CHECK_TEXT(said, "");
    CHECK_INT(heal(NULL), 0);
    is_whole("07.jsonl 1 8-8  aside; ", 1, 1);
}

static int stats_left; /* handles that can be looked at, until one cannot */

static int stat_fails(void *ctx, int fd, struct plog_stat *out)
{
    return --stats_left == 0 ? -ENOENT : plog_io_posix()->stat(ctx, fd, out);
}

/* A table may say of an open file that there is none: what stands under that
 * name is not written over all the same. */
static void no_look_at_what_is_open(void)
{
    struct plog_io io = *plog_io_posix();
    char kept[600];
    unsigned told = 0;
    make();
    spoil(1, "\"v3\"");
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
    io.stat = stat_fails;
    bool failed = true;
    for (int n = 1; failed && n < 60; n++) {
        world_remove(w.dir);
        world_copy(kept, w.dir);
        stats_left = n;
        int rc = heal(&io);
        failed = stats_left <= 0;
        told += rc != 0;
        CHECK(rc || log_hash() == whole);
        if (rc == 0 && !CHECK(strncmp(said, "01.jsonl 1 ", 11) == 0 &&
                              strstr(said, " aside; ") != NULL))
            printf("# %d: %s\n", n, said);
    }
    CHECK(told > 0 && !failed);
}

static int stray; /* the handle of a file that cannot be read */

static int open_stray(void *ctx, int dir, const char *name, int flags,
                      uint32_t mode)
{
    int fd = plog_io_posix()->open_at(ctx, dir, name, flags, mode);
    if (fd >= 0 && strcmp(name, "00000000000000000005.jsonl") == 0)
        stray = fd;
    return fd;
}

static int close_stray(void *ctx, int fd)
{
    if (fd == stray)
        stray = -1;
    return plog_io_posix()->close(ctx, fd);
}

static int64_t read_no_stray(void *ctx, int fd, void *buf, size_t n,
                             uint64_t at)
{
    return fd == stray ? -EIO : plog_io_posix()->pread(ctx, fd, buf, n, at);
}

/* Whether a file is a segment nobody knows when it cannot be read; that is what
 * is told. */
static void no_read_of_a_name(void)
{
    struct plog_io io = *plog_io_posix();
    make();
    spoil(1, "\"v3\"");
    copy_segment(1, 5);
    io.open_at = open_stray;
    io.close = close_stray;
    io.pread = read_no_stray;
    stray = -1;
    CHECK_INT(heal(&io), PLOG_E_IO);
    CHECK_TEXT(err.file, "log/00000000000000000005.jsonl");
    CHECK(strstr(err.message, "memory") == NULL);
    CHECK_TEXT(said, "");
    CHECK_INT(heal(NULL), 0);
    is_whole("01.jsonl 1 3-3  aside; 05.jsonl 1 5-0 " NONE, 2, 1);
}

/* Where the store's table of segments has a gap, a file that only says it is
 * one does not make a segment before it too long: that is whole, and nothing is
 * written for it. */
static void within_a_gap(void)
{
    struct plog_io io = *plog_io_posix();
    make();
    world_sql(&w, "DELETE FROM segments WHERE first=7");
    copy_segment(1, 4);
    io.open_at = no_segment;
    CHECK_INT(heal(&io), 0);
    CHECK_TEXT(err.message, "");
    is_whole("04.jsonl 1 4-0 " NONE, 1, 0);
    world_sql(&w, "INSERT INTO segments VALUES(7)");
    world_end(&w, 12);
}

#define FAR (200u << 10)

static int far_reads; /* of what lies there, until one fails; 0: none does */

static int64_t not_far(void *ctx, int fd, void *buf, size_t n, uint64_t offset)
{
    if (offset + n > FAR && far_reads > 0 && --far_reads == 0)
        return -EIO;
    return plog_io_posix()->pread(ctx, fd, buf, n, offset);
}

/* Those of the sizes `from` to `to` are none any more. */
static void spoil_commits(int from, int to)
{
    char what[40];
    for (int size = to; size >= from; size--) {
        snprintf(what, sizeof what, "{\"commit\":{\"size\":%d", size);
        spoil(1, what);
    }
}

/* What goes on behind the damage is not known: it is not taken for lost. */
static void no_read_behind_the_damage(void)
{
    static char text[41000], payload[40000];
    struct world_delta d = {.record = "1", .payload = payload};
    char kept[600];
    unsigned told = 0;
    struct plog_io io = *plog_io_posix();
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "r", "v2", NULL), 0);
    snprintf(payload, sizeof payload, "{\"v\":\"%039000d\"}", 0);
    world_text(text, sizeof text, &d);
    for (int i = 0; i < 8; i++)
        CHECK_INT(world_append(&w, text, NULL, NULL), 0);
    world_close(&w);
    whole = log_hash();
    spoil_commits(2, 7);
    uint64_t spoilt = log_hash();
    io.pread = not_far;
    CHECK(spoilt != whole);
    snprintf(kept, sizeof kept, "%.500s-kept", w.dir);
    world_copy(w.dir, kept);
    for (int i = 1; i < 12; i++) {
        world_remove(w.dir);
        world_copy(kept, w.dir);
        far_reads = i;
        int rc = heal(&io);
        told += rc != 0;
        if (rc == 0)
            is_whole("01.jsonl 1 2-8  aside; ", 1, 7);
        else
            CHECK_INT(rc, PLOG_E_IO);
        if (rc && !said[0])
            CHECK(log_hash() == spoilt);
    }
    CHECK(told > 2);
}

static char kept_as[128];

static int keep_name(void *arg, const struct plog_salvaged *s)
{
    (void)arg;
    snprintf(kept_as, sizeof kept_as, "%s", s->quarantine);
    return 0;
}

static bool has_payload(const char *name)
{
    size_t n;
    char *bytes = world_read(world_path(&w, name), &n);
    bool has = memmem(bytes, n, "taken-out", 9) != NULL;
    CHECK(n > 0);
    free(bytes);
    return has;
}

/* A copy of a segment, of before an order to redact, under the name of another
 * one or of none: the payload goes out of quarantine/, too. */
static void copies_with_a_payload(void)
{
    static const char *const names[] = {"00000000000000000003.jsonl",
                                        "00000000000000000001.jsonl.old"};
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "x"};
    struct plog_salvage_options heal = {
        .struct_size = sizeof heal, .from_store = true, .range = keep_name};
    struct plog_salvage_report healed;
    struct plog_redact_report r;
    for (int i = 0; i < 2; i++) {
        char name[80];
        size_t n;
        world_make(&w, PLOG_LAST_WRITE_WINS, 0);
        CHECK_INT(world_put(&w, NULL, "a", "stays", NULL), 0);
        CHECK_INT(world_put(&w, NULL, "b", "taken-out", NULL), 0);
        CHECK_INT(world_put(&w, NULL, "c", "stays", NULL), 0);
        world_close(&w);
        char *bytes = world_read(segment(1), &n);
        CHECK_INT(plog_redact(w.dir, 3, &o, &r, NULL), 0);
        snprintf(name, sizeof name, "log/%s", names[i]);
        world_write(world_path(&w, name), bytes, n);
        free(bytes);
        kept_as[0] = '\0';
        CHECK_INT(plog_salvage(w.dir, &heal, &healed, NULL), 0);
        CHECK_UINT(healed.healed, 1);
        CHECK_UINT(healed.pending, 1);
        CHECK(!world_has(&w, name));
        REQUIRE(kept_as[0] != '\0');
        CHECK(has_payload(kept_as));
        CHECK_INT(world_open(&w), 0); /* goes through it */
        CHECK(!has_payload(kept_as));
        CHECK_INT(world_number(&w, "SELECT sum(pending) FROM redactions"), 0);
        world_end(&w, 5);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"within damage", within_damage},
        {"above the floor", above_the_floor},
        {"a header behind the head", a_header_behind_the_head},
        {"of another log", of_another_log},
        {"files of another log", files_of_another_log},
        {"a log of another", a_log_of_another},
        {"a damaged name", a_damaged_name},
        {"a full disk", a_full_disk},
        {"no look at what is open", no_look_at_what_is_open},
        {"no read of a name", no_read_of_a_name},
        {"within a gap", within_a_gap},
        {"no read behind the damage", no_read_behind_the_damage},
        {"copies with a payload", copies_with_a_payload},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
