/*
 * test_witness.c - heads noted outside of the log: what file may hold them and
 * where it may lie, what in it counts, and each call that fails while one more
 * is noted.  The watermark of parity is such a file, too.
 */
#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "paritylog_recovery.h"
#include "world.h"

static struct world w;
static char file[600]; /* beside the log */
static struct plog_io io;
static struct plog_witness_report r;
static struct plog_error err;

static void begin(void)
{
    memset(&w, 0, sizeof w);
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
    snprintf(file, sizeof file, "%.500s-seen", w.dir);
    unlink(file);
    io = *plog_io_posix();
}

static int witness_at(const char *path)
{
    struct plog_check_options o = {.struct_size = sizeof o, .io = &io};
    memset(&err, 0, sizeof err);
    return plog_witness(w.dir, path, &o, &r, &err);
}

static int witness(void)
{
    return witness_at(file);
}

static void put(void)
{
    CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
}

static void refused(int rc, int code, const char *words)
{
    if (!CHECK_INT(rc, code) || !CHECK_INT(err.code, code) ||
        !CHECK(strstr(err.message, words) != NULL))
        printf("# %d %s, expected %s\n", err.code, err.message, words);
}

/* The bytes of the file; the caller frees them. */
static char *text_of(size_t *n)
{
    return world_read(file, n);
}

/* Of a log that is closed again, the only one in the file. */
static char *first_note(size_t *n)
{
    begin();
    world_close(&w);
    CHECK_INT(witness(), 0);
    return text_of(n);
}

/* ---- What is no such file ---------------------------------------------------
 */

static int parity(const char *since, const char *watermark)
{
    struct plog_check_options o = {
        .struct_size = sizeof o, .since = since, .watermark = watermark};
    struct plog_check_report report;
    memset(&err, 0, sizeof err);
    return plog_parity(w.dir, &o, &report, &err);
}

static void no_such_file(void)
{
    char other[700];
    begin();
    world_close(&w);
    snprintf(other, sizeof other, "%s.other", file);
    for (int i = 0; i < 4; i++) {
        if (i == 0)
            CHECK_INT(mkdir(file, 0700), 0);
        if (i == 1)
            CHECK_INT(mkfifo(file, 0600), 0);
        if (i == 2) {
            world_write(file, "x", 1);
            CHECK_INT(link(file, other), 0);
        }
        if (i == 3) { /* as long as nobody would read */
            world_write(file, "x", 1);
            CHECK_INT(truncate(file, (64 << 20) + 1), 0);
        }
        refused(witness(), PLOG_E_INPUT, "or not a regular file with one link");
        refused(parity(file, NULL), PLOG_E_INPUT,
                "it is too long, or not a regular file with one link");
        CHECK_TEXT(err.file, file);
        refused(parity(NULL, file), PLOG_E_INPUT, "is not replaced");
        CHECK_INT(remove(file), 0);
    }
    unlink(other);
    CHECK_INT(symlink("nowhere", file), 0);
    CHECK_INT(witness(), PLOG_E_IO);
    CHECK_INT(parity(file, NULL), PLOG_E_IO);
    unlink(file);
    refused(parity(file, NULL), PLOG_E_IO, "there is no such file yet");
    CHECK_INT(err.code, PLOG_E_IO);
}

static int64_t failing_pread(void *ctx, int fd, void *buf, size_t n,
                             uint64_t offset)
{
    (void)ctx, (void)fd, (void)buf, (void)n, (void)offset;
    return -EIO;
}

static void a_read_that_fails(void)
{
    struct plog_witness_file f;
    static const struct plog_keyring none;
    begin();
    world_close(&w);
    CHECK_INT(witness(), 0);
    io.pread = failing_pread;
    CHECK_INT(plog_witness_read(&io, file, &none, NULL, NULL, &f, &err),
              PLOG_E_IO);
    CHECK_INT(err.code, PLOG_E_IO);
}

/* ---- Where it lies ----------------------------------------------------------
 */

static void places(void)
{
    char path[5000], here[600];
    begin();
    world_close(&w);
    snprintf(path, sizeof path, "%s/lock/log", w.dir);
    refused(plog_witness_place(&io, path, file, "a witness", &err),
            PLOG_E_NOTHING, "no directory");
    snprintf(path, sizeof path, "%s/none", w.dir);
    refused(plog_witness_place(&io, path, file, "a witness", &err),
            PLOG_E_NOTHING, "no directory");
    snprintf(path, sizeof path, "%s/seen", w.dir);
    refused(witness_at(path), PLOG_E_INPUT, "in the directory of a log");
    snprintf(path, sizeof path, "%s/log/seen", w.dir);
    refused(witness_at(path), PLOG_E_INPUT, "in the directory of a log");
    /* A folder whose name begins as that of the log is another one. */
    snprintf(path, sizeof path, "%s-beside", w.dir);
    CHECK_INT(mkdir(path, 0700), 0);
    strcat(path, "/seen");
    CHECK_INT(witness_at(path), 0);
    CHECK(r.appended);
    snprintf(path, sizeof path, "%s-nowhere/seen", w.dir);
    refused(witness_at(path), PLOG_E_IO, "finding the folder of the file");
    memset(path, 'a', 4500);
    path[0] = '/';
    path[4500] = '\0';
    CHECK_INT(witness_at(path), PLOG_E_IO);
    /* The working directory; and that of the log. */
    CHECK(getcwd(here, sizeof here) != NULL && chdir(check_dir()) == 0);
    CHECK_INT(witness_at("seen"), 0);
    CHECK(r.appended && access("seen", F_OK) == 0);
    CHECK_INT(parity(NULL, "seen"), 0);
    CHECK_INT(parity("seen", "marked"), 0);
    CHECK(access("marked", F_OK) == 0);
    CHECK_INT(chdir(w.dir), 0);
    refused(witness_at("seen"), PLOG_E_INPUT, "in the directory of a log");
    CHECK_INT(chdir(here), 0);
}

/* ---- What is in it ----------------------------------------------------------
 */

/* What parity is to begin from is one note, and nothing that only has one in
 * it: where it is not, is said. */
static void no_note_to_begin_from(void)
{
    static const struct {
        const char *before, *behind;
        bool note;
        uint64_t line; /* 0: it is one */
    } all[] = {
        {"", "", true, 0},   {"", "", false, 1},       {"x\n", "", false, 1},
        {"\n", "", true, 1}, {"x\n", "", true, 1},     {"", "x\n", true, 6},
        {"", "\n", true, 6}, {"", "cut off", true, 6}, {"x\n", "y", true, 1},
    };
    size_t n;
    char whole[2000];
    char *note = first_note(&n);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(whole, sizeof whole, "%s%s%s", all[i].before,
                 all[i].note ? note : "", all[i].behind);
        world_write(file, whole, strlen(whole));
        int rc = parity(file, NULL);
        CHECK_INT(rc, all[i].line ? PLOG_E_INPUT : 0);
        CHECK_INT(err.code, rc);
        CHECK_UINT(err.line, all[i].line);
        CHECK_TEXT(err.message, rc ? "it is not a signed note" : "");
        CHECK_TEXT(err.file, rc ? file : "");
        CHECK_TEXT(err.hint, rc ? "check all of it: paritylog parity DIR" : "");
    }
    free(note);
}

static int count(void *arg, const struct plog_witness_note *n)
{
    unsigned *left = arg;
    CHECK(n->code == PLOG_E_FOREIGN);
    return (*left)-- == 1;
}

static int read_file(struct plog_witness_file *f, unsigned stop_at)
{
    static const struct plog_keyring none;
    memset(&err, 0, sizeof err);
    return plog_witness_read(plog_io_posix(), file, &none, count, &stop_at, f,
                             &err);
}

static void lines(void)
{
    static const struct {
        const char *before, *between, *behind;
        uint64_t odd, first_odd, changed;
    } all[] = {
        {"", "", "", 0, 0, 0},
        {"x\n", "", "", 1, 1, 0},
        {"", "x\n\n", "", 2, 6, 6},
        {"", "1\n2\n3\n4\n", "", 4, 6, 6},
        {"", "1\n2\n3\n4\n5\n", "", 5, 6, 6},
        {"", "1\n2\n3\n4\n5\n6\n", "", 6, 6, 6},
        {"1\n2\n3\n4\n5\n6\n", "x\n", "1\n2\n3\n4\n5\n6\n7\n", 14, 1, 12},
        {"", "x\n", "1\n2\n3\n4\n5\n6\n", 7, 6, 6},
        {"", "", "cut off", 1, 11, 11},
    };
    size_t n;
    char whole[3000];
    char *note = first_note(&n);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_witness_file f;
        snprintf(whole, sizeof whole, "%s%s%s%s%s", all[i].before, note,
                 all[i].between, note, all[i].behind);
        world_write(file, whole, strlen(whole));
        CHECK_INT(read_file(&f, 0), 0);
        CHECK_UINT(f.notes, 2);
        CHECK_UINT(f.odd, all[i].odd);
        CHECK_UINT(f.first_odd, all[i].first_odd);
        CHECK_UINT(f.changed, all[i].changed);
        refused(read_file(&f, 1), PLOG_E_INTERRUPTED, "stopped");
        refused(read_file(&f, 2), PLOG_E_INTERRUPTED, "stopped");
        refused(parity(NULL, file), PLOG_E_INPUT, "is not replaced");
    }
    world_write(file, "", 0);
    refused(parity(file, NULL), PLOG_E_INPUT, "it is not a signed note");
    CHECK_UINT(err.line, 1);
    world_write(file, "x\n", 2);
    refused(parity(file, NULL), PLOG_E_INPUT, "it is not a signed note");
    CHECK_UINT(err.line, 1);
    world_write(file, note, n);
    CHECK_INT(parity(file, NULL), 0);
    CHECK_INT(parity(NULL, file), 0);
    free(note);
}

struct lines_of {
    const char *at[5];
    int n[5];
};

static void take_lines(const char *note, struct lines_of *l)
{
    for (int i = 0; i < 5; i++) {
        l->at[i] = note;
        l->n[i] = (int)strcspn(note, "\n");
        note += l->n[i] + 1;
    }
}

static int ignore(void *arg, const struct plog_witness_note *n)
{
    (void)arg, (void)n;
    return 0;
}

/* Whether what stands before `note` was changed, by who knows the log's key. */
static bool was_changed(const char *before, const char *note)
{
    static struct plog_keyring keys;
    struct plog_witness_file f;
    char whole[4000];
    keys.count = 1;
    CHECK_INT(plog_vkey_parse(plog_span_text(w.vkey), &keys.keys[0]), 0);
    snprintf(whole, sizeof whole, "%s%s%s", note, before, note);
    world_write(file, whole, strlen(whole));
    CHECK_INT(
        plog_witness_read(plog_io_posix(), file, &keys, ignore, NULL, &f, &err),
        0);
    CHECK_UINT(f.notes, 2);
    if (f.changed)
        CHECK_UINT(f.changed, 6);
    return f.changed != 0;
}

/* Of a note that was cut off, at whatever byte, the rest is missed and the next
 * one ends its line; so of two of them. */
static void cut_off(void)
{
    size_t n;
    char text[2000];
    char *note = first_note(&n);
    for (size_t cut = 1; cut + 1 < n; cut++) {
        const char *lf = note[cut - 1] == '\n' ? "" : "\n";
        snprintf(text, sizeof text, "%.*s%s", (int)cut, note, lf);
        CHECK(!was_changed(text, note));
        snprintf(text, sizeof text, "%.*s%s%.*s\n", (int)cut, note, lf, 9,
                 note);
        CHECK(!was_changed(text, note));
        /* The last one in the file. */
        struct plog_witness_file f;
        snprintf(text, sizeof text, "%s%.*s", note, (int)cut, note);
        world_write(file, text, strlen(text));
        CHECK_INT(read_file(&f, 0), 0);
        CHECK_UINT(f.changed, 0);
    }
    free(note);
}

/* Lines that no crash takes away or puts there. */
static void taken_apart(void)
{
    static const char *const others[] = {"zzz\n", "\n",  "x\nx\nx\nx\n",
                                         "1\n",   " \n", "\xe2\x80\x94\n"};
    struct lines_of l;
    size_t n;
    char text[2000];
    char *note = first_note(&n);
    take_lines(note, &l);
    for (int gone = 0; gone < 4; gone++) {
        *text = '\0';
        for (int i = 0; i < 5; i++)
            if (i != gone)
                snprintf(text + strlen(text), 500, "%.*s\n", l.n[i], l.at[i]);
        CHECK(was_changed(text, note));
    }
    for (int shorter = 0; shorter < 3; shorter++) {
        *text = '\0';
        for (int i = 0; i < 5; i++)
            snprintf(text + strlen(text), 500, "%.*s\n",
                     l.n[i] - (i == shorter), l.at[i]);
        if (shorter != 1) /* which is another number, or none */
            CHECK(was_changed(text, note));
    }
    snprintf(text, sizeof text, "%.*s- %s", (int)(l.at[4] - note), note,
             l.at[4] + 4);
    CHECK(was_changed(text, note));
    /* All five, and the last is no base64 of 68 bytes. */
    snprintf(text, sizeof text, "%.*s==\n", (int)n - 3, note);
    CHECK(was_changed(text, note));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK(was_changed(others[i], note));
    /* As what a disk may show for bytes that never came to it. */
    memcpy(text, note, n);
    memset(text + n, 0, 100);
    world_write(file, text, n + 100);
    struct plog_witness_file f;
    CHECK_INT(read_file(&f, 0), 0);
    CHECK_UINT(f.changed, 6);
    free(note);
}

/* The newest note counts, wherever it stands. */
static void the_newest(void)
{
    size_t n, m;
    char both[3000];
    begin();
    CHECK_INT(witness(), 0);
    CHECK_INT(err.code, 0);
    CHECK_TEXT(err.message, "");
    CHECK_TEXT(err.hint, "");
    CHECK(r.appended);
    char *old = text_of(&n);
    put();
    CHECK_INT(witness(), 0);
    CHECK(r.appended);
    CHECK_UINT(r.head.size, 3);
    char *notes = text_of(&m);
    snprintf(both, sizeof both, "%s%s", notes + n, old);
    world_write(file, both, strlen(both));
    CHECK_INT(witness(), 0);
    CHECK(!r.appended);
    put();
    CHECK_INT(witness(), 0);
    CHECK(r.appended);
    CHECK_INT(witness(), 0);
    CHECK(!r.appended);
    world_close(&w);
    free(old);
    free(notes);
}

/* A group that a crash cut off is no reason not to note what stands. */
static void a_torn_log(void)
{
    begin();
    world_close(&w);
    FILE *f = fopen(world_path(&w, "log/00000000000000000001.jsonl"), "a");
    REQUIRE(f != NULL);
    fputs("{\"seq\":3,", f);
    fclose(f);
    CHECK_INT(witness(), 0);
    CHECK(r.appended);
    CHECK_UINT(r.head.size, 2);
}

/* ---- Noting one -------------------------------------------------------------
 */

static unsigned busy, slept;
static int busy_lock(void *ctx, int fd, int mode)
{
    if (busy && mode == 2) {
        busy--;
        return -EAGAIN;
    }
    return plog_io_posix()->lock(ctx, fd, mode);
}
static void no_sleep(void *ctx, int64_t ns)
{
    (void)ctx;
    CHECK_INT(ns, 10000000);
    slept++;
}

static void another_is_noting(void)
{
    begin();
    world_close(&w);
    io.lock = busy_lock;
    io.sleep_ns = no_sleep;
    busy = 1000;
    CHECK_INT(witness(), 0);
    CHECK(r.appended);
    CHECK_UINT(slept, 1000);
    busy = 2000;
    slept = 0;
    CHECK_INT(witness(), PLOG_E_IO);
    CHECK(!r.appended);
    CHECK_UINT(slept, 1000);
    busy = 0;
}

static const char *slipped_in;
static int late_lock(void *ctx, int fd, int mode)
{
    struct stat st, of;
    if (slipped_in && mode == 2 && stat(file, &of) == 0 &&
        fstat(fd, &st) == 0 && st.st_ino == of.st_ino) {
        FILE *f = fopen(file, "a");
        if (CHECK(f != NULL)) {
            fputs(slipped_in, f);
            fclose(f);
        }
        slipped_in = NULL;
    }
    return plog_io_posix()->lock(ctx, fd, mode);
}

/* Between the comparison and the lock: with that the log was not compared. */
static void another_has_noted(void)
{
    size_t n;
    begin();
    CHECK_INT(witness(), 0);
    char *note = text_of(&n);
    put();
    io.lock = late_lock;
    slipped_in = note;
    refused(witness(), PLOG_E_LOCKED, "the witness file changed meanwhile");
    CHECK(!r.appended);
    CHECK_INT(witness(), 0);
    CHECK(r.appended);
    /* What it knows already is not added in any case. */
    slipped_in = note;
    CHECK_INT(witness(), 0);
    CHECK(!r.appended);
    free(note);
    world_close(&w);
}

static bool fails_on_folders;
static int failing_sync(void *ctx, int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) == fails_on_folders)
        return -EIO;
    return plog_io_posix()->fsync(ctx, fd);
}

/* What is not on disk is not noted. */
static void not_synced(void)
{
    for (int i = 0; i < 2; i++) {
        begin();
        world_close(&w);
        fails_on_folders = i;
        io.fsync = failing_sync;
        CHECK_INT(witness(), PLOG_E_IO);
        CHECK_INT(err.code, PLOG_E_IO);
        CHECK(!r.appended);
        CHECK_UINT(r.head.size, 0);
    }
}

static struct stat synced[9];
static unsigned syncs;
static int noted_sync(void *ctx, int fd)
{
    if (CHECK(syncs < 9))
        CHECK_INT(fstat(fd, &synced[syncs++]), 0);
    return plog_io_posix()->fsync(ctx, fd);
}

/* Whether these two were synced, in this order, and nothing else. */
static bool were_synced(const char *path, const char *folder)
{
    struct stat st[2];
    CHECK_INT(stat(path, &st[0]), 0);
    CHECK_INT(stat(folder, &st[1]), 0);
    for (unsigned i = 0; i < 2; i++)
        if (!CHECK(i < syncs && synced[i].st_ino == st[i].st_ino &&
                   synced[i].st_dev == st[i].st_dev))
            return false;
    return CHECK_UINT(syncs, 2);
}

/* The file, and the folder that its name is in: be it the working directory or
 * another one. */
static void what_is_synced(void)
{
    char here[600], folder[600], path[700];
    begin();
    world_close(&w);
    io.fsync = noted_sync;
    syncs = 0;
    CHECK_INT(witness(), 0);
    snprintf(folder, sizeof folder, "%.500s/..", w.dir);
    CHECK(were_synced(file, folder));
    snprintf(folder, sizeof folder, "%.500s-noted", w.dir);
    CHECK_INT(mkdir(folder, 0700), 0);
    snprintf(path, sizeof path, "%s/seen", folder);
    CHECK(getcwd(here, sizeof here) != NULL && chdir(folder) == 0);
    syncs = 0;
    CHECK_INT(witness_at("seen"), 0);
    CHECK_INT(chdir(here), 0);
    CHECK(were_synced(path, folder));
    world_remove(folder);
}

static bool grows;
static int growing_open(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    if (grows && (flags & O_CREAT) && strcmp(name, file) == 0)
        put();
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* What was checked is noted, and no more, whatever writers do meanwhile. */
static void it_grows(void)
{
    begin();
    uint64_t size = world_size(&w);
    io.open_at = growing_open;
    for (unsigned i = 0; i < 3; i++) {
        grows = true;
        CHECK_INT(witness(), 0);
        CHECK(r.appended);
        CHECK_UINT(r.head.size, size + i);
        CHECK_UINT(world_size(&w), size + i + 1);
    }
    grows = false;
    CHECK_INT(witness(), 0);
    CHECK_UINT(r.head.size, size + 3);
    world_close(&w);
}

/* ---- No room ----------------------------------------------------------------
 */

static int64_t full_pwrite(void *ctx, int fd, const void *buf, size_t n,
                           uint64_t offset)
{
    (void)ctx;
    if (n < 2) /* the half of a half */
        return -ENOSPC;
    return pwrite(fd, buf, n / 2, (off_t)offset);
}

static void no_room(void)
{
    size_t before = 0, after = 0;
    begin();
    for (int i = 0; i < 2; i++) { /* the first note, one more */
        char *was = i ? text_of(&before) : NULL;
        io.pwrite = full_pwrite;
        CHECK_INT(witness(), PLOG_E_IO);
        CHECK(!r.appended);
        char *is = text_of(&after);
        CHECK_UINT(after, before);
        CHECK(is && (!was || memcmp(is, was, before) == 0));
        free(was);
        free(is);
        io = *plog_io_posix();
        CHECK_INT(witness(), 0);
        CHECK(r.appended);
        put();
    }
    world_close(&w);
}

static int no_truncate(void *ctx, int fd, uint64_t size)
{
    (void)ctx, (void)fd, (void)size;
    return -EIO;
}

static size_t missing; /* bytes of a write; 0: all of it goes */

static int64_t cut_pwrite(void *ctx, int fd, const void *buf, size_t n,
                          uint64_t offset)
{
    (void)ctx;
    if (n <= missing)
        return -ENOSPC;
    return pwrite(fd, buf, n - missing, (off_t)offset);
}

/* What has arrived stays then, and the next note begins on a line of its own:
 * it was cut off, and nobody changed it, also where only its last byte, which
 * ends the line, is not there. */
static void not_taken_back(void)
{
    static const size_t all[] = {100, 2, 1};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_witness_file f;
        begin();
        CHECK_INT(witness(), 0);
        put();
        io.pwrite = cut_pwrite;
        io.truncate = no_truncate;
        missing = all[i];
        CHECK_INT(witness(), PLOG_E_IO);
        CHECK_INT(err.code, PLOG_E_IO);
        CHECK(!r.appended);
        CHECK_INT(read_file(&f, 0), 0);
        CHECK_UINT(f.notes, 1);
        CHECK(f.odd > 0);
        CHECK_UINT(f.changed, 0);
        io = *plog_io_posix();
        CHECK_INT(witness(), 0);
        CHECK(r.appended);
        CHECK_INT(read_file(&f, 0), 0);
        CHECK_UINT(f.notes, all[i] == 1 ? 3 : 2);
        CHECK_UINT(f.changed, 0);
        world_close(&w);
    }
}

/* A crash may leave any beginning of a first note; nothing else that is no note
 * is written to. */
static void begun(void)
{
    size_t n;
    begin();
    CHECK_INT(witness(), 0);
    char *note = text_of(&n);
    REQUIRE(note && n > 100);
    for (size_t cut = 0; cut < n; cut += cut < 60 ? 1 : 7) {
        struct plog_witness_file f;
        world_write(file, note, cut);
        if (!CHECK_INT(witness(), 0))
            printf("# cut at %zu: %s\n", cut, err.message);
        CHECK_INT(read_file(&f, 0), 0);
        CHECK_UINT(f.notes, cut + 1 == n ? 2 : 1); /* its LF came */
        CHECK_UINT(f.changed, 0);
    }
    note[3] ^= 1; /* another name */
    for (size_t cut = 4; cut < n; cut += 7) {
        world_write(file, note, cut);
        refused(witness(), PLOG_E_INPUT, "is no witness file");
    }
    free(note);
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"no such file", no_such_file},
        {"a read that fails", a_read_that_fails},
        {"places", places},
        {"no note to begin from", no_note_to_begin_from},
        {"lines", lines},
        {"cut off", cut_off},
        {"taken apart", taken_apart},
        {"the newest", the_newest},
        {"a torn log", a_torn_log},
        {"another is noting", another_is_noting},
        {"another has noted", another_has_noted},
        {"not synced", not_synced},
        {"what is synced", what_is_synced},
        {"it grows", it_grows},
        {"no room", no_room},
        {"not taken back", not_taken_back},
        {"begun", begun},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
