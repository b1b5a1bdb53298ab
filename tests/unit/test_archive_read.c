/*
 * test_archive_read.c - archive/ is read in a stream: no check writes a file,
 * of what is not the log's no more is read than shows that, and what could not
 * be read is named.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive_lines.h"
#include "check.h"
#include "gz.h"
#include "peers.h"
#include "world.h"

static struct world w;
static struct plog_io io;
static struct plog_error err;

/* ---- A table that counts ------------------------------------------------- */

static unsigned made;            /* files */
static uint64_t packed;          /* bytes of files of archive/ that were read */
static bool is_packed[1u << 16]; /* by handle */

static int counting_open(void *c, int dir, const char *name, int flags,
                         unsigned mode)
{
    int fd = plog_io_posix()->open_at(c, dir, name, flags, mode);
    size_t n = strlen(name);
    made += flags & O_CREAT && n > 4 && !strcmp(name + n - 4, ".tmp");
    if (fd >= 0 && (size_t)fd < sizeof is_packed)
        is_packed[fd] =
            n == PLOG_ARCHIVE_NAME - 1 && !strcmp(name + n - 3, ".gz");
    return fd;
}

static int64_t counting_pread(void *c, int fd, void *p, size_t n, uint64_t at)
{
    int64_t got = plog_io_posix()->pread(c, fd, p, n, at);
    if (got > 0 && (size_t)fd < sizeof is_packed && is_packed[fd])
        packed += (uint64_t)got;
    return got;
}

static void count(void)
{
    io = *plog_io_posix();
    io.open_at = counting_open;
    io.pread = counting_pread;
    made = 0;
    packed = 0;
    memset(&err, 0, sizeof err);
}

/* ---- What lies there ----------------------------------------------------- */

#define LARGE (1u << 20)

/* Packs a text, and then much that gzip makes no smaller.
 * @begins  what each line of that does, of 100 bytes; NULL: it has no end */
static void put(const char *name, struct plog_span text, const char *begins)
{
    struct plog_gz g;
    uint64_t state = check_seed();
    char *much = malloc(LARGE);
    REQUIRE(much != NULL);
    for (size_t i = 0; i < LARGE; i++) {
        size_t at = i % 100;
        much[i] = (char)check_random(&state);
        if (much[i] == '\n')
            much[i] = ' ';
        if (begins && at == 99)
            much[i] = '\n';
        else if (begins && at < strlen(begins))
            much[i] = begins[at];
    }
    int fd = open(world_path(&w, name), O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(plog_gz_create(&g, plog_io_posix(), fd, 1, NULL), 0);
    CHECK_INT(plog_gz_write(&g, text.p, text.n, NULL), 0);
    CHECK_INT(plog_gz_write(&g, much, LARGE, NULL), 0);
    CHECK_INT(plog_gz_finish(&g, NULL), 0);
    plog_gz_close(&g);
    close(fd);
    free(much);
}

static const char *const kinds[] = {"x", "{\"commit\":", "{\"seq\":", "\n"};

/* The first `lines` of a file of the log; the caller frees them. */
static struct plog_span first_lines(const char *name, int lines)
{
    size_t n, end = 0;
    char *bytes = world_read(world_path(&w, name), &n);
    while (lines-- > 0 && end < n)
        end += strcspn(bytes + end, "\n") + 1;
    return plog_span(bytes, end);
}

static int verify(void)
{
    struct plog_check_options o = {.io = &io};
    struct world_found f;
    count();
    return world_verify(&w, &o, &f);
}

static int replay(void)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_replay_report r;
    count();
    return plog_replay(w.dir, &o, &r, &err);
}

#define CHUNKS (2ull * 65536) /* what is read of a file that is not ours */

/* Names above the log's, whose contents are others. */
static void strangers_are_not_read(void)
{
    char name[80];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 22);
    CHECK_INT(mkdir(world_path(&w, "archive"), 0700), 0);
    for (unsigned i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "archive/%020u.jsonl.gz", 1000 + i);
        put(name, plog_span("\n", i % 2), i < 4 ? kinds[i] : NULL);
    }
    CHECK_INT(verify(), 0);
    CHECK_UINT(made, 0);
    CHECK(packed > 0 && packed <= 5 * CHUNKS);
    CHECK_INT(replay(), 0);
    CHECK_UINT(made, 0);
    CHECK(packed > 0 && packed <= 5 * CHUNKS);
    world_end(&w, world_size(&w));
}

/* A header of the log's own, its lines, and then others. */
static void read_as_far_as_it_is_ours(void)
{
    char last[80] = "", name[80], twin[100];
    peers_make(&w, PLOG_LAST_WRITE_WINS, 22);
    CHECK_INT(mkdir(world_path(&w, "archive"), 0700), 0);
    for (uint64_t first = 1; first < 24; first++) {
        snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", first);
        if (world_has(&w, name))
            snprintf(last, sizeof last, "%s", name);
    }
    snprintf(twin, sizeof twin, "archive/%s.gz", last + strlen("log/"));
    for (int lines = 1; lines < 13; lines++) {
        struct plog_span text = first_lines(last, 1 + lines / 4);
        const char *kind = kinds[lines % 4];
        put(twin, text, kind);
        free((char *)(uintptr_t)text.p);
        CHECK_INT(verify(), 0);
        CHECK_UINT(made, 0);
        /* Lines of entries are read as far as a group may go. */
        CHECK(packed > 0 && (packed <= CHUNKS || kind == kinds[2]));
    }
    world_end(&w, world_size(&w));
}

/* ---- Heads below the floor ----------------------------------------------- */

static char notes[600];

/* A head that was noted at 23 lies below the floor. */
static void compact_past_a_note(void)
{
    struct plog_witness_report r;
    peers_make(&w, PLOG_LAST_WRITE_WINS, 21);
    CHECK_INT(peers_add(&w, "p"), 0);
    CHECK_UINT(world_size(&w), 23);
    snprintf(notes, sizeof notes, "%.500s-notes", w.dir);
    CHECK_INT(plog_witness(w.dir, notes, NULL, &r, NULL), 0);
    CHECK_INT(world_open(&w), 0);
    peers_put(&w, 21, 60);
    world_close(&w);
    CHECK_INT(peers_ack(&w, "p", 55), 0);
    CHECK_INT(peers_compact(&w, NULL), 0);
    CHECK(peers_floor(&w) > 35);
}

static int check_notes(struct world_found *f)
{
    struct plog_check_options o = {.io = &io, .witness = notes};
    count();
    int rc = world_verify(&w, &o, f);
    CHECK_UINT(made, 0);
    CHECK(packed > 0);
    CHECK_INT(world_parity(&w, &o, f), rc);
    CHECK_UINT(made, 0);
    return rc;
}

/* The archived segment in which entry 24 lies. */
static void holds_the_note(char name[80])
{
    char other[80];
    for (uint64_t first = 1; first <= 24; first++) {
        snprintf(other, sizeof other, "archive/%020" PRIu64 ".jsonl.gz", first);
        if (world_has(&w, other))
            snprintf(name, 80, "%s", other);
    }
}

static void nothing_is_written(void)
{
    struct world_found f;
    compact_past_a_note();
    CHECK_INT(check_notes(&f), 0);
    world_end(&w, world_size(&w));
}

/* It is told which file it was. */
static void says_which_file(void)
{
    char name[80];
    struct world_found f;
    size_t n;
    compact_past_a_note();
    holds_the_note(name);
    char *bytes = world_read(world_path(&w, name), &n);
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            CHECK_INT(unlink(world_path(&w, name)), 0);
        else
            world_write(world_path(&w, name), bytes, i ? n / 2 : 10);
        CHECK_INT(check_notes(&f), PLOG_E_PRUNED);
        CHECK_TEXT(f.first[0].file, name);
    }
    world_write(world_path(&w, name), bytes, n);
    free(bytes);
    CHECK_INT(check_notes(&f), 0);
    world_end(&w, world_size(&w));
}

/* All of an archived segment; the caller frees it. */
static struct plog_span packed_lines(const struct plog_dir *d, uint64_t first)
{
    struct plog_archive_lines l;
    struct plog_span line;
    struct plog_buf all;
    plog_buf_init(&all, plog_io_posix());
    CHECK_INT(plog_archive_lines_open(&l, d, first, NULL), 0);
    while (plog_archive_lines_next(&l, PLOG_LINE_LONGEST, &line, NULL) == 0)
        CHECK_INT(plog_buf_add(&all, line.p, line.n + 1), 0);
    plog_archive_lines_close(&l);
    return plog_span(all.data, all.len);
}

/* What goes on behind its header for ever is not read for ever. */
static void no_more_than_it_can_hold(void)
{
    char name[80];
    struct world_found f;
    struct plog_archive_lines l;
    struct plog_span header;
    struct plog_dir d;
    compact_past_a_note();
    holds_the_note(name);
    uint64_t first = plog_archive_parse(strchr(name, '/') + 1);
    CHECK_INT(
        plog_dir_open(&d, plog_io_posix(), w.dir, PLOG_DIR_READ, false, NULL),
        0);
    CHECK_INT(plog_archive_lines_open(&l, &d, first, NULL), 0);
    CHECK_INT(plog_archive_lines_next(&l, PLOG_HEADER_MOST, &header, NULL), 0);
    header.n++; /* its LF */
    for (unsigned i = 0; i < 4; i++) {
        put(name, header, kinds[i]);
        CHECK_INT(check_notes(&f), PLOG_E_PRUNED);
        CHECK_TEXT(f.first[0].file, name);
        CHECK(packed <= 2 * CHUNKS); /* by both */
    }
    plog_archive_lines_close(&l);
    plog_dir_close(&d);
}

/* Nor to learn where it ends. */
static void its_end(void)
{
    char name[80];
    struct plog_dir d;
    compact_past_a_note();
    holds_the_note(name);
    uint64_t first = plog_archive_parse(strchr(name, '/') + 1);
    uint64_t floor = peers_floor(&w), end;
    count();
    CHECK_INT(plog_dir_open(&d, &io, w.dir, PLOG_DIR_READ, false, NULL), 0);
    end = plog_segment_lines_end(&d, first, floor);
    CHECK(end > first && end <= floor);
    CHECK_UINT(plog_segment_lines_end(&d, first, end), end);
    CHECK_UINT(plog_segment_lines_end(&d, first, end - 1), 0);
    struct plog_span whole = packed_lines(&d, first);
    for (unsigned i = 0; i < 4; i++) {
        put(name, whole, kinds[i]);
        packed = 0;
        CHECK_UINT(plog_segment_lines_end(&d, first, floor), 0);
        CHECK(packed > 0 && packed <= CHUNKS);
    }
    free((char *)(uintptr_t)whole.p);
    plog_dir_close(&d);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"strangers are not read", strangers_are_not_read},
        {"read as far as it is ours", read_as_far_as_it_is_ours},
        {"nothing is written", nothing_is_written},
        {"says which file", says_which_file},
        {"no more than it can hold", no_more_than_it_can_hold},
        {"its end", its_end},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
