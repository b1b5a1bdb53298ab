/*
 * test_doctor_says.c - what the doctor says of each thing that may be wrong
 * with a directory, and of what it cannot look at; and drills that find, or
 * meet, something.
 */
#include <errno.h>
#include <fcntl.h>
#include <dlfcn.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "fs.h"
#include "sql_calls.h"
#include "world.h"

static struct world w;

/* ---- What was heard --------------------------------------------------------
 */

static struct {
    unsigned count, stop_at;
    char name[40][24], found[40][300], next[40][200];
    enum plog_health health[40];
    struct plog_doctor_report r;
    struct plog_error err;
} heard;

static int hear(void *arg, const struct plog_checkup *c)
{
    (void)arg;
    unsigned i = heard.count++;
    if (!CHECK(i < 40))
        return 1;
    snprintf(heard.name[i], sizeof heard.name[i], "%s", c->name);
    snprintf(heard.found[i], sizeof heard.found[i], "%s", c->found);
    snprintf(heard.next[i], sizeof heard.next[i], "%s", c->next);
    heard.health[i] = c->health;
    if (c->health == PLOG_HEALTH_OK)
        CHECK_TEXT(c->next, "");
    return heard.count == heard.stop_at;
}

static int doctor_with(struct plog_doctor_options o)
{
    unsigned stop_at = heard.stop_at;
    memset(&heard, 0, sizeof heard);
    heard.stop_at = stop_at;
    o.struct_size = sizeof o;
    o.checkup = hear;
    return plog_doctor(w.dir, &o, &heard.r, &heard.err);
}

static int quick(const struct plog_io *io)
{
    return doctor_with((struct plog_doctor_options){.io = io, .quick = true});
}

/* Whether it was said under the name, with that text in it. */
static bool was_said(const char *name, enum plog_health health,
                     const char *text)
{
    for (unsigned i = 0; i < heard.count; i++)
        if (!strcmp(heard.name[i], name) && heard.health[i] == health &&
            strstr(heard.found[i], text))
            return true;
    return false;
}

static bool says(const char *name, enum plog_health health, const char *text)
{
    if (was_said(name, health, text))
        return true;
    for (unsigned i = 0; i < heard.count; i++)
        if (!strcmp(heard.name[i], name))
            printf("# %s: %s\n", plog_health_word(heard.health[i]),
                   heard.found[i]);
    return false;
}

static void make(int entries)
{
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    for (int i = 0; i < entries; i++)
        CHECK_INT(world_put(&w, NULL, i % 2 ? "a" : "b", "x", NULL), 0);
    world_close(&w);
}

/* ---- Names
 * -------------------------------------------------------------------- */

static void names_in_it(void)
{
    static const struct {
        const char *name; /* with a / at its end: a folder */
        const char *found;
    } table[] = {
        {"mine/", "not ours: mine"},
        {"mine", "not ours: mine"},
        {"drill-1234/", "killed, or is under way: drill-1234"},
        {"drill-1234", "not ours: drill-1234"},
        {"store.new/", "killed, or is under way: store.new"},
        {"store.new", "not ours: store.new"},
        {"salvage/", "killed, or is under way: salvage"},
        {"drill.json.tmp", "killed, or is under way: drill.json.tmp"},
        {"log/00000000000000000009.jsonl/", "not ours: log/0000"},
        {"log/00000000000000000009.jsonl.new", "under way: log/0000"},
        {"log/00000000000000000009.jsonl.new/", "not ours: log/0000"},
        {"log/x", "not ours: log/x"},
        {"keys/mine/", "not ours: keys/mine"},
        {"keys/00000000.vkey.tmp", "under way: keys/00000000.vkey.tmp"},
        {"keys/signing.key.tmp", "under way: keys/signing.key.tmp"},
        {"keys/signing.key.new.tmp", "under way: keys/signing.key.new.tmp"},
        {"keys/signing.key.copy", "not ours: keys/signing.key.copy"},
    };
    make(1);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char path[700];
        size_t n = strlen(table[i].name);
        snprintf(path, sizeof path, "%s", world_path(&w, table[i].name));
        bool folder = table[i].name[n - 1] == '/';
        if (folder)
            CHECK_INT(mkdir(path, 0700), 0);
        else
            world_write(path, "", 0);
        CHECK_INT(quick(NULL), 0);
        if (!CHECK(says("directory", PLOG_HEALTH_WARN, table[i].found)))
            printf("# %s\n", table[i].name);
        CHECK(!was_said("directory", PLOG_HEALTH_OK, ""));
        CHECK_INT(folder ? rmdir(path) : unlink(path), 0);
    }
    CHECK_INT(quick(NULL), 0);
    CHECK(says("directory", PLOG_HEALTH_OK, "mode 0700"));
    /* Who looks at the key tells its mode, and the marker is made by hand. */
    CHECK_INT(chmod(world_path(&w, "keys/signing.key"), 0644), 0);
    world_write(world_path(&w, PLOG_FS_MARKER), "", 0);
    CHECK_INT(chmod(world_path(&w, PLOG_FS_MARKER), 0644), 0);
    quick(NULL);
    CHECK(says("directory", PLOG_HEALTH_OK, "mode 0700"));
    CHECK(!was_said("directory", PLOG_HEALTH_WARN, ""));
    CHECK_INT(unlink(world_path(&w, PLOG_FS_MARKER)), 0);
    CHECK_INT(chmod(world_path(&w, "keys/signing.key"), 0600), 0);
    CHECK_INT(chmod(world_path(&w, "store.db"), 0644), 0);
    CHECK_INT(quick(NULL), 0);
    CHECK(says("directory", PLOG_HEALTH_WARN, "read or change: store.db"));
    CHECK(!was_said("directory", PLOG_HEALTH_OK, ""));
}

/* ---- Quarantine
 * ------------------------------------------------------------------ */

static const char *bad_name;

static int no_open(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    return bad_name && !strcmp(name, bad_name)
               ? -EACCES
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static int no_stat(void *ctx, int dir, const char *name, struct plog_stat *st)
{
    return bad_name && !strcmp(name, bad_name)
               ? -ENOENT
               : plog_io_posix()->stat_at(ctx, dir, name, st);
}

static void in_quarantine(void)
{
    struct plog_io io = *plog_io_posix();
    make(1);
    CHECK_INT(quick(NULL), 0);
    CHECK(says("quarantine", PLOG_HEALTH_OK, "empty"));
    CHECK_INT(mkdir(world_path(&w, "quarantine"), 0700), 0);
    world_write(world_path(&w, "quarantine/one"), "123", 3);
    CHECK_INT(mkdir(world_path(&w, "quarantine/folder"), 0700), 0);
    world_write(world_path(&w, "quarantine/folder/two"), "45", 2);
    CHECK_INT(quick(NULL), 0);
    CHECK(says("quarantine", PLOG_HEALTH_NOTE, "2 files, 5 bytes"));
    /* Gone while it was looked at. */
    io.stat_at = no_stat;
    bad_name = "one";
    CHECK_INT(quick(&io), 0);
    CHECK(says("quarantine", PLOG_HEALTH_NOTE, "1 files, 2 bytes"));
    bad_name = "two";
    CHECK_INT(quick(&io), 0);
    CHECK(says("quarantine", PLOG_HEALTH_NOTE, "1 files, 3 bytes"));
    io.stat_at = plog_io_posix()->stat_at;
    io.open_at = no_open;
    bad_name = "folder";
    CHECK_INT(quick(&io), 0);
    CHECK(says("quarantine", PLOG_HEALTH_UNKNOWN, "cannot be listed"));
}

/* ---- Keys
 * ----------------------------------------------------------------------------
 */

static const char *refused_name; /* opened for writing, or at all */
static int refused_flags, refused_why;

static int refusing_open(void *ctx, int dir, const char *name, int flags,
                         uint32_t mode)
{
    if (!strcmp(name, refused_name) && (flags & O_ACCMODE) == refused_flags)
        return refused_why;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Another log's signing key. */
static void stranger(const char *to)
{
    char path[600], key[700], vkey[PLOG_VKEY_MAX];
    struct plog_init_options o = {.struct_size = sizeof o};
    snprintf(path, sizeof path, "%.500s/stranger", check_dir());
    CHECK_INT(plog_init(path, &o, vkey, NULL), 0);
    snprintf(key, sizeof key, "%s/keys/signing.key", path);
    unlink(to);
    world_copy(key, to);
    world_remove(path);
}

static void keys(void)
{
    char path[700];
    make(1);
    CHECK_INT(quick(NULL), 0);
    CHECK(says("signing key", PLOG_HEALTH_OK, "mode 0600, without a passphr"));
    snprintf(path, sizeof path, "%s", world_path(&w, "keys/signing.key"));
    world_copy(path, world_path(&w, "../own.key"));
    stranger(path);
    CHECK_INT(quick(NULL), 0);
    CHECK(says("signing key", PLOG_HEALTH_BAD, "but the log is signed by"));
    CHECK_INT(heard.r.verdict, PLOG_E_KEY);
    /* A rotation whose keys are both another log's is none of this one. */
    stranger(world_path(&w, "keys/signing.key.new"));
    CHECK_INT(quick(NULL), 0);
    CHECK(says("signing key", PLOG_HEALTH_BAD, "but the log is signed by"));
    /* Which one the log needs is not known while log/ cannot be read. */
    CHECK_INT(rename(world_path(&w, "log"), world_path(&w, "../away")), 0);
    CHECK_INT(quick(NULL), 0);
    CHECK(says("signing key", PLOG_HEALTH_WARN, "has not ended"));
    CHECK_INT(rename(world_path(&w, "../away"), world_path(&w, "log")), 0);
    /* The new file is the log's: a rotation that has not ended. */
    CHECK_INT(unlink(world_path(&w, "keys/signing.key.new")), 0);
    world_copy(world_path(&w, "../own.key"),
               world_path(&w, "keys/signing.key.new"));
    CHECK_INT(quick(NULL), 0);
    CHECK(says("signing key", PLOG_HEALTH_WARN, "has not ended"));
    CHECK_INT(unlink(world_path(&w, "keys/signing.key.new")), 0);
    CHECK_INT(unlink(path), 0);
    world_copy(world_path(&w, "../own.key"), path); /* or has not begun */
    stranger(world_path(&w, "keys/signing.key.new"));
    CHECK_INT(quick(NULL), 0);
    CHECK(says("signing key", PLOG_HEALTH_WARN, "has not ended"));
    CHECK_INT(unlink(world_path(&w, "keys/signing.key.new")), 0);
    world_copy(path, world_path(&w, "keys/signing.key.new")); /* the same */
    CHECK_INT(quick(NULL), 0);
    CHECK(says("signing key", PLOG_HEALTH_WARN, "a rotation to "));
    CHECK_INT(unlink(world_path(&w, "keys/signing.key.new")), 0);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(quick(NULL), 0);
    CHECK(says("signing key", PLOG_HEALTH_WARN, "is not there"));
    /* Two things are wrong with keys: the first one is the verdict. */
    world_copy(world_path(&w, "../own.key"), path);
    CHECK_INT(chmod(path, 0644), 0);
    snprintf(path, sizeof path, "%s",
             world_path(&w, "keys")); /* its verifier key goes */
    char line[800];
    snprintf(line, sizeof line, "rm -f '%.700s'/*.vkey", path);
    CHECK_INT(system(line), 0);
    CHECK_INT(quick(NULL), 0);
    CHECK(says("signing key", PLOG_HEALTH_BAD, ""));
    CHECK(says("trusted keys", PLOG_HEALTH_BAD, "no verifier key"));
    world_remove(path);
    CHECK_INT(quick(NULL), 0);
    CHECK(says("signing key", PLOG_HEALTH_WARN, "is not there"));
}

static const char *next_of(const char *name)
{
    for (unsigned i = 0; i < heard.count; i++)
        if (!strcmp(heard.name[i], name))
            return heard.next[i];
    return "";
}

/* Another user's, a link: with its path, and what to do. */
static void keys_not_for_us(void)
{
    struct plog_io io = *plog_io_posix();
    static const char other[] = "run it as user 12345";
    io.open_at = refusing_open;
    make(1);
    refused_name = "signing.key";
    refused_flags = O_RDONLY;
    refused_why = -EACCES;
    CHECK_INT(quick(&io), 0);
    CHECK(says("signing key", PLOG_HEALTH_BAD,
               "keys/signing.key: opening the signing key: Permission"));
    CHECK_TEXT(next_of("signing key"), "chmod 600 DIR/keys/signing.key");
    REQUIRE(geteuid() != 0 ||
            chown(world_path(&w, "keys/signing.key"), 12345, 0) == 0);
    if (geteuid() == 0) {
        CHECK_INT(quick(&io), 0);
        CHECK(strstr(next_of("signing key"), other) != NULL);
        refused_name = "none";
        CHECK_INT(quick(&io), 0);
        CHECK(says("signing key", PLOG_HEALTH_BAD, "belongs to user 12345"));
        CHECK_TEXT(next_of("signing key"), other);
    }
    refused_name = "keys";
    CHECK_INT(quick(&io), 0);
    CHECK(says("signing key", PLOG_HEALTH_UNKNOWN, "keys/ is not for user "));
    refused_why = -ELOOP;
    CHECK_INT(quick(&io), 0);
    CHECK(says("signing key", PLOG_HEALTH_BAD, "keys/ is a link or a file"));
}

static void a_sealed_key(void)
{
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .passphrase = "correct horse"};
    memset(&w, 0, sizeof w);
    snprintf(w.dir, sizeof w.dir, "%.400s/log", check_dir());
    CHECK_INT(plog_init(w.dir, &o, w.vkey, NULL), 0);
    CHECK_INT(quick(NULL), 0);
    CHECK(says("signing key", PLOG_HEALTH_OK, "under a passphrase"));
}

/* ---- What it stands on
 * ----------------------------------------------------------------- */

static uint64_t free_bytes;

static int file_system(void *ctx, int fd, struct plog_fs *out)
{
    int rc = plog_io_posix()->file_system(ctx, fd, out);
    if (!free_bytes)
        return -EIO;
    out->free_bytes = free_bytes;
    return rc;
}

static void who_may_write(void)
{
    struct plog_io io = *plog_io_posix();
    io.open_at = refusing_open;
    make(1);
    refused_name = "lock";
    refused_flags = O_RDWR;
    refused_why = -EROFS;
    CHECK_INT(quick(&io), 0);
    CHECK(says("file system", PLOG_HEALTH_BAD, "mounted read-only"));
    CHECK_INT(heard.r.verdict, PLOG_E_IO);
    refused_why = -EACCES;
    CHECK_INT(quick(&io), 0);
    CHECK(says("directory", PLOG_HEALTH_WARN, "lock is not for user "));
    CHECK_INT(heard.r.verdict, 0);
    CHECK_INT(unlink(world_path(&w, "lock")), 0);
    refused_why = -ENOENT;
    CHECK_INT(quick(&io), 0);
    CHECK(!was_said("directory", PLOG_HEALTH_WARN, ""));
    CHECK(!was_said("file system", PLOG_HEALTH_BAD, ""));
}

static void the_ground(void)
{
    struct plog_io io = *plog_io_posix();
    make(1);
    io.file_system = NULL;
    CHECK_INT(quick(&io), 0);
    CHECK(says("file system", PLOG_HEALTH_UNKNOWN, "not known"));
    CHECK(says("free space", PLOG_HEALTH_UNKNOWN, "not known"));
    io.file_system = file_system;
    CHECK_INT(quick(&io), 0);
    CHECK(says("file system", PLOG_HEALTH_UNKNOWN, "not known"));
    CHECK(says("free space", PLOG_HEALTH_UNKNOWN, "not known"));
    /* A WAL that a long read has made large; no room for a copy. */
    free_bytes = 64ull << 20;
    CHECK_INT(quick(&io), 0);
    CHECK(says("free space", PLOG_HEALTH_OK, "64 MiB"));
    world_write(world_path(&w, "store.db-wal"), "", 0);
    CHECK_INT(truncate(world_path(&w, "store.db-wal"), 257 << 20), 0);
    CHECK_INT(quick(&io), 0);
    CHECK(says("SQLite's WAL", PLOG_HEALTH_WARN, "269484032 bytes"));
    CHECK_INT(truncate(world_path(&w, "store.db-wal"), 256 << 20), 0);
    CHECK_INT(quick(&io), 0);
    CHECK(!was_said("SQLite's WAL", PLOG_HEALTH_WARN, ""));
    CHECK(says("free space", PLOG_HEALTH_OK, "store have 256.1 MiB"));
    unlink(world_path(&w, "store.db-wal"));
    CHECK_INT(truncate(world_path(&w, "store.db"), 40 << 20), 0);
    CHECK_INT(quick(&io), 0);
    CHECK(says("free space", PLOG_HEALTH_WARN, "less than a second copy"));
}

static void sqlite_itself(void)
{
    make(1);
    sql_calls.version = 3051002;
    CHECK_INT(quick(NULL), 0);
    CHECK(says("SQLite", PLOG_HEALTH_NOTE, "WAL-reset defect"));
    sql_calls.version = 3051003;
    CHECK_INT(quick(NULL), 0);
    CHECK(says("SQLite", PLOG_HEALTH_OK, ""));
    sql_calls.version = 0;
}

/* ---- Notes of drills, and the clock
 * ------------------------------------------------------ */

static void notes_of_drills(void)
{
#define NOTE(members) "{\"schema\":\"paritylog/drill-note/1\"" members "}\n"
    static const struct {
        const char *text;
        enum plog_health health;
        const char *found;
    } table[] = {
        {"\n\n", PLOG_HEALTH_UNKNOWN, "cannot be read"},
        {"", PLOG_HEALTH_UNKNOWN, "cannot be read"},
        {"[1]\n", PLOG_HEALTH_UNKNOWN, "cannot be read"},
        {"{\"schema\":\"other\",\"at\":\"2026-01-02T03:04:05Z\",\"verdict\":"
         "\"CLEAN\"}",
         PLOG_HEALTH_UNKNOWN, "cannot be read"},
        {NOTE(",\"at\":\"2026-01-02T03:04:05Z\""), PLOG_HEALTH_UNKNOWN,
         "cannot be read"},
        {NOTE(",\"at\":\"2026-01-02T03:04:05Z\",\"verdict\":7"),
         PLOG_HEALTH_UNKNOWN, "cannot be read"},
        {NOTE(",\"at\":1,\"verdict\":\"CLEAN\""), PLOG_HEALTH_UNKNOWN,
         "cannot be read"},
        {NOTE(",\"at\":\"noon\",\"verdict\":\"CLEAN\""), PLOG_HEALTH_UNKNOWN,
         "cannot be read"},
        {NOTE(",\"verdict\":\"CLEAN\""), PLOG_HEALTH_UNKNOWN, "cannot be read"},
        {NOTE(",\"at\":\"2020-01-02T03:04:05Z\",\"verdict\":\"CLEAN\""),
         PLOG_HEALTH_WARN, "CLEAN"},
        {NOTE(",\"at\":\"2020-01-02T03:04:05Z\",\"verdict\":\"CORRUPT\""),
         PLOG_HEALTH_BAD, "CORRUPT"},
        {NOTE(",\"at\":\"2020-01-02T03:04:05Z\",\"verdict\":"
              "\"ABCDEFGHIJKLMNOPQRSTUVWXYZ\""),
         PLOG_HEALTH_BAD, ": ABCDEFGHIJKLMNOPQRSTUVW, "},
    };
    make(1);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        world_write(world_path(&w, "drill.json"), table[i].text,
                    strlen(table[i].text));
        CHECK_INT(quick(NULL), 0);
        if (!CHECK(says("last drill", table[i].health, table[i].found)))
            printf("# %s\n", table[i].text);
    }
}

#define ODD_TIME                                                               \
    "UPDATE events SET line=replace(line,'at\":\"2','at\":\"x') WHERE seq=3"

static void the_clock(void)
{
    static const char *const edits[] = {
        "UPDATE events SET line='{}' WHERE seq=3", ODD_TIME,
        "DELETE FROM events WHERE seq=3"};
    make(2);
    CHECK_INT(quick(NULL), 0);
    CHECK(says("clock", PLOG_HEALTH_OK, "was logged at 2"));
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        world_sql(&w, edits[i]);
        CHECK_INT(quick(NULL), 0);
        CHECK(says("clock", PLOG_HEALTH_UNKNOWN, "cannot be read"));
    }
}

/* ---- Legs
 * ------------------------------------------------------------------------------------
 */

static int is_locked(void *ctx, int fd, int mode)
{
    (void)ctx, (void)fd;
    return mode ? -EAGAIN : 0;
}

/* Where nothing was compacted away nothing is looked for in archive/; that it
 * is no folder is told once, among the names. */
static void no_archive(void)
{
    make(2);
    world_write(world_path(&w, "archive"), "x", 1);
    CHECK_INT(doctor_with((struct plog_doctor_options){.io = NULL}), 0);
    CHECK(says("directory", PLOG_HEALTH_WARN, "not ours: archive"));
    for (unsigned i = 0; i < heard.count; i++)
        CHECK(strcmp(heard.name[i], "archive") != 0);
}

static void the_legs(void)
{
    struct plog_redact_options ro = {
        .struct_size = sizeof ro, .wait_seconds = 0.05, .reason = "a test"};
    struct plog_redact_report rr;
    struct plog_io io = *plog_io_posix();
    sqlite3 *db = NULL;
    make(4);
    CHECK_INT(sqlite3_open(world_path(&w, "store.db"), &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "BEGIN; SELECT * FROM events", NULL, NULL, NULL),
              SQLITE_OK);
    CHECK_INT(plog_redact(w.dir, 3, &ro, &rr, NULL), PLOG_E_LOCKED);
    CHECK_INT(quick(NULL), 0);
    CHECK(says("redactions", PLOG_HEALTH_WARN, "1 of 1 are pending"));
    sqlite3_close(db);
    CHECK_INT(world_open(&w), 0);
    world_close(&w);
    CHECK_INT(quick(NULL), 0);
    CHECK(says("redactions", PLOG_HEALTH_OK, "1, all done"));
    /* A lock that is not given: not known, and not bad. */
    world_drop_store(&w);
    io.lock = is_locked;
    CHECK_INT(doctor_with((struct plog_doctor_options){.io = &io,
                                                       .wait_seconds = 0.05}),
              0);
    CHECK(says("log and store", PLOG_HEALTH_UNKNOWN, "LOCKED"));
    CHECK_INT(heard.r.verdict, PLOG_E_LOCKED);
    /* Stopped before it came to the legs: nothing is said of them. */
    heard.stop_at = 1;
    CHECK_INT(quick(NULL), PLOG_E_INTERRUPTED);
    CHECK_INT(heard.r.legs.verdict, 0);
    heard.stop_at = 0;
    CHECK_INT(quick(NULL), 0);
    CHECK_INT(heard.r.legs.verdict, PLOG_E_BEHIND);
    CHECK_TEXT(plog_health_word((enum plog_health)77), "unknown");
    CHECK_TEXT(plog_health_word(PLOG_HEALTH_BAD), "bad");
}

static int stop(void *arg, const struct plog_progress *p)
{
    (void)p;
    ++*(unsigned *)arg;
    return 1;
}

static void progress(void)
{
    static char text[1200][150];
    static struct plog_span d[1200];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = 1200};
    struct plog_doctor_report r;
    unsigned steps = 0;
    make(1);
    for (int i = 0; i < 1200; i++) {
        struct world_delta delta = {.record = "q"};
        world_text(text[i], sizeof text[i], &delta);
        d[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    world_close(&w);
    struct plog_doctor_options o = {
        .struct_size = sizeof o, .progress = stop, .arg = &steps};
    CHECK_INT(plog_doctor(w.dir, &o, &r, NULL), PLOG_E_INTERRUPTED);
    CHECK_UINT(steps, 1);
    CHECK_INT(plog_doctor(w.dir, &o, &r, &heard.err), PLOG_E_INTERRUPTED);
    CHECK_INT(heard.err.code, PLOG_E_INTERRUPTED);
    o.progress = NULL;
    CHECK_INT(plog_doctor(w.dir, &o, &r, NULL), 0);
    CHECK_UINT(r.legs.entries, 1202);
}

/* ---- Drills
 * ------------------------------------------------------------------------------------
 */

static struct plog_drill_report drilled;
static struct plog_error why;

static int drill(struct plog_drill_options o)
{
    o.struct_size = sizeof o;
    memset(&why, 0, sizeof why);
    return plog_drill(w.dir, &o, &drilled, &why);
}

/* What drill.json says. */
static bool noted(const char *verdict)
{
    char want[60];
    size_t n;
    snprintf(want, sizeof want, "\"verdict\":\"%s\"", verdict);
    char *text = world_read(world_path(&w, "drill.json"), &n);
    bool is = strstr(text, want) != NULL;
    if (!is)
        printf("# %s\n", text);
    free(text);
    return is;
}

static int no_byte(void *ctx, int fd, uint64_t byte, int mode)
{
    int rc = byte == 2 && mode ? *(int *)ctx : 0;
    return rc ? rc : plog_io_posix()->lock_byte(NULL, fd, byte, mode);
}

static void one_drill_at_a_time(void)
{
    struct plog_io io = *plog_io_posix();
    int rc = -EAGAIN;
    make(3);
    io.ctx = &rc;
    io.lock_byte = no_byte;
    CHECK_INT(drill((struct plog_drill_options){.io = &io, .wait_seconds = -1}),
              PLOG_E_LOCKED);
    CHECK(strstr(why.message, "another drill, or a redaction,") != NULL);
    rc = -EIO;
    CHECK_INT(drill((struct plog_drill_options){.io = &io}), PLOG_E_IO);
    CHECK(!world_has(&w, "drill.json"));
    rc = 0;
    CHECK_INT(drill((struct plog_drill_options){.io = &io}), 0);
    CHECK_INT(drilled.verdict, 0);
    CHECK(noted("CLEAN"));
}

static void drills_refused(void)
{
    struct plog_io io = *plog_io_posix();
    char path[5000];
    make(3);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK_INT(drill((struct plog_drill_options){.scratch = path}), PLOG_E_ARG);
    CHECK(strstr(why.message, "too long") != NULL);
    /* Nobody knows how much room there is: it is tried. */
    free_bytes = 0;
    io.file_system = file_system;
    CHECK_INT(drill((struct plog_drill_options){.io = &io}), 0);
    CHECK_INT(drilled.verdict, 0);
    io.file_system = NULL;
    CHECK_INT(drill((struct plog_drill_options){.io = &io}), 0);
    CHECK_INT(drilled.verdict, 0);
}

/* A copy that is not the original: changed as soon as it is there. */
static char scratch[700];
static bool changed;

static int64_t change_it(void *ctx)
{
    struct world copy;
    (void)ctx;
    if (!changed && scratch[0] && access(scratch, F_OK) == 0) {
        changed = true;
        snprintf(copy.dir, sizeof copy.dir, "%.500s", scratch);
        world_sql(&copy, "UPDATE state SET version=version+1");
    }
    return plog_io_posix()->clock_mono_ns(NULL);
}

static int keep_it(void *ctx, int dir, const char *name)
{
    return strcmp(name, "store.db") == 0
               ? -EACCES
               : plog_io_posix()->unlink_at(ctx, dir, name);
}

/* The copy is there, and cannot be looked at. */
static int no_list(void *ctx, int dir, int (*each)(void *, const char *),
                   void *arg)
{
    return access(scratch, F_OK) == 0
               ? -EIO
               : plog_io_posix()->list(ctx, dir, each, arg);
}

static int no_note(void *ctx, int dir, const char *name, int flags,
                   uint32_t mode)
{
    return strcmp(name, "drill.json.tmp") == 0
               ? -EACCES
               : plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void what_a_drill_finds(void)
{
    struct plog_io io = *plog_io_posix();
    make(6);
    snprintf(scratch, sizeof scratch, "%s-scratch", w.dir);
    io.clock_mono_ns = change_it;
    changed = false;
    struct plog_drill_options o = {.io = &io, .scratch = scratch};
    CHECK_INT(drill(o), 0);
    CHECK(changed);
    CHECK_INT(drilled.verdict, PLOG_E_DIVERGED);
    CHECK(strstr(drilled.what, "parity of the restored copy") != NULL);
    CHECK(noted("DIVERGED"));
    CHECK(access(scratch, F_OK) != 0);
    /* The copy cannot be removed. */
    io = *plog_io_posix();
    io.unlink_at = keep_it;
    CHECK_INT(drill(o), PLOG_E_IO);
    CHECK(strstr(why.message, "removing the scratch") != NULL);
    CHECK(noted("IO"));
    world_remove(scratch);
    /* Nor could it be looked at before: the first counts. */
    io.list = no_list;
    CHECK_INT(drill(o), PLOG_E_IO);
    CHECK(why.message[0] && !strstr(why.message, "removing the scratch"));
    CHECK(access(scratch, F_OK) == 0);
    CHECK(noted("IO"));
    world_remove(scratch);
    /* Nor can it be noted. */
    io = *plog_io_posix();
    io.open_at = no_note;
    CHECK_INT(drill(o), PLOG_E_IO);
    CHECK(strstr(why.message, "noting the drill") != NULL);
    /* Nothing came back, and that cannot be noted either: the first counts. */
    CHECK_INT(mkdir(scratch, 0700), 0);
    CHECK_INT(drill(o), PLOG_E_EXISTS);
    CHECK_INT(drilled.verdict, PLOG_E_EXISTS);
    CHECK_INT(rmdir(scratch), 0);
    scratch[0] = '\0';
}

/* A head of the store inside of a group. */
static void a_head_without_a_commit(void)
{
    char text[4][150];
    struct plog_span d[4];
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = d, .delta_count = 4};
    make(1);
    for (int i = 0; i < 4; i++) {
        struct world_delta delta = {.record = "q"};
        world_text(text[i], sizeof text[i], &delta);
        d[i] = (struct plog_span){text[i], strlen(text[i])};
    }
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    world_close(&w);
    world_sql(&w, "UPDATE meta SET size=4");
    int rc = drill((struct plog_drill_options){.wait_seconds = 1});
    CHECK_INT(rc, PLOG_E_DIVERGED);
    CHECK(strstr(why.message, "does not fit") != NULL);
}

/* A group of two, of which the first line says no time any more, or one that
 * is none. */
static void no_time_of_the_last_group(void)
{
    static const char *const edits[] = {
        "UPDATE events SET line=(SELECT line FROM events WHERE seq=4) WHERE"
        " seq=3",
        "UPDATE events SET line=replace(line,'\"logged_at\":\"20',"
        "'\"logged_at\":\"x0') WHERE seq=3"};
    static char text[2][300];
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct plog_span deltas[2];
        struct plog_group g = {
            .struct_size = sizeof g, .deltas = deltas, .delta_count = 2};
        make(1);
        for (int k = 0; k < 2; k++) {
            world_text(text[k], sizeof text[k],
                       &(struct world_delta){.id = NULL});
            deltas[k] = (struct plog_span){text[k], strlen(text[k])};
        }
        CHECK_INT(world_open(&w), 0);
        CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
        world_close(&w);
        CHECK_INT(quick(NULL), 0);
        CHECK(says("clock", PLOG_HEALTH_OK, "the last group was logged at"));
        world_sql(&w, edits[i]);
        CHECK_INT(quick(NULL), 0);
        CHECK(says("clock", PLOG_HEALTH_UNKNOWN, "cannot be read"));
        world_remove(w.dir);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"names in it", names_in_it},
        {"in quarantine", in_quarantine},
        {"keys", keys},
        {"a sealed key", a_sealed_key},
        {"who may write", who_may_write},
        {"keys not for us", keys_not_for_us},
        {"the ground", the_ground},
        {"SQLite itself", sqlite_itself},
        {"notes of drills", notes_of_drills},
        {"the clock", the_clock},
        {"no archive", no_archive},
        {"the legs", the_legs},
        {"progress", progress},
        {"one drill at a time", one_drill_at_a_time},
        {"drills refused", drills_refused},
        {"what a drill finds", what_a_drill_finds},
        {"a head without a commit", a_head_without_a_commit},
        {"no time of the last group", no_time_of_the_last_group},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
