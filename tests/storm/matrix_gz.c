/*
 * matrix_gz.c - the damage matrix of what compaction leaves: archive/ and
 * snapshots/, all of it gzip.
 *
 * Every byte of every file is changed, removed, put in and cut at; members and
 * junk are put behind; files are exchanged, emptied and removed.  What a file
 * holds is asked of zlib.  A snapshot of other text must be named by parity,
 * and one of the same text, compressed as it may be, must not.  An archived
 * segment of other text must stop `compact --undo` and a restore below the
 * floor, with nothing changed; where they come to an end, the segments are what
 * they were, byte for byte.
 *
 * STORM_BUDGET (seconds, 10): cases drawn by CHECK_SEED until the time is
 * over; STORM_ALL: every case.  MATRIX_OUT=DIR: the compacted log, DIR/gz, and
 * what parity said of each changed snapshot, DIR/gz.N, for verify_matrix.py.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "halves.h"
#include "sample.h"

#define FILES_MAX 24
#define TEXT_MAX 200000u

struct file {
    char name[64]; /* below the directory */
    char *bytes, *text;
    size_t size, text_size;
    bool snapshot;
};

static struct world original;
static struct file files[FILES_MAX];
static size_t file_count;

/* ---- What a file holds --------------------------------------------------- */

/* The text of a gzip file of one member and nothing behind it, or false. */
static bool inflated(const char *p, size_t n, char *out, size_t *len)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)p, .avail_in = (uInt)n};
    z.next_out = (Bytef *)out;
    z.avail_out = TEXT_MAX;
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        abort();
    bool whole = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0;
    *len = TEXT_MAX - z.avail_out;
    inflateEnd(&z);
    return whole;
}

static bool same_text(const struct file *f, const char *p, size_t n)
{
    static char text[TEXT_MAX];
    size_t len;
    return inflated(p, n, text, &len) && len == f->text_size &&
           memcmp(text, f->text, len) == 0;
}

static void load(struct file *f, const struct world *w, const char *folder,
                 const char *name)
{
    memset(f, 0, sizeof *f);
    snprintf(f->name, sizeof f->name, "%.20s/%.40s", folder, name);
    f->bytes = world_read(world_path(w, f->name), &f->size);
    f->snapshot = folder[0] == 's';
}

static size_t load_all(const struct world *w, const char *folder,
                       struct file *to)
{
    size_t n = 0;
    DIR *d = opendir(world_path(w, folder));
    CHECK(d != NULL);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.' && n < FILES_MAX)
            load(&to[n++], w, folder, e->d_name);
    if (d)
        closedir(d);
    return n;
}

/* ---- Kinds of damage ----------------------------------------------------- */

struct damage {
    const struct file *file;
    char *bytes; /* NULL: removed */
    size_t size;
};

static void splice(struct damage *d, size_t at, size_t drop, const void *put,
                   size_t n)
{
    const struct file *f = d->file;
    d->size = f->size - drop + n;
    memcpy(d->bytes, f->bytes, at);
    memcpy(d->bytes + at, put, n);
    memcpy(d->bytes + at + n, f->bytes + at + drop, f->size - at - drop);
}

static void changed(struct damage *d, uint64_t i)
{
    uint64_t state = check_seed() * 31 + i;
    char c = (char)(d->file->bytes[i] ^ 1 << check_random(&state) % 8);
    splice(d, (size_t)i, 1, &c, 1);
}

static void removed(struct damage *d, uint64_t i)
{
    splice(d, (size_t)i, 1, "", 0);
}

static void put_in(struct damage *d, uint64_t i)
{
    uint64_t state = check_seed() + i;
    char c = (char)check_random(&state);
    splice(d, (size_t)i, 0, &c, 1);
}

static void cut(struct damage *d, uint64_t i)
{
    d->size = (size_t)i;
    memcpy(d->bytes, d->file->bytes, d->size);
}

/* 0: junk; 1: a NUL; 2: the file once more; 3: an empty member; from 4 on
 * other files in its place, an empty one, none. */
static void others(struct damage *d, uint64_t i)
{
    static const char empty[] = "\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0"
                                "\0";
    const struct file *f = d->file;
    splice(d, f->size, 0, "junk", i ? i == 1 : 4);
    if (i == 1)
        d->bytes[f->size] = '\0';
    else if (i == 2)
        splice(d, f->size, 0, f->bytes, f->size);
    else if (i == 3)
        splice(d, f->size, 0, empty, sizeof empty);
    else if (i >= 4 && i < 4 + file_count) {
        d->size = files[i - 4].size;
        memcpy(d->bytes, files[i - 4].bytes, d->size);
    } else if (i == 4 + file_count) {
        d->size = 0;
    } else if (i > 4 + file_count) {
        free(d->bytes);
        d->bytes = NULL;
    }
}

static struct kind {
    const char *name;
    void (*make)(struct damage *d, uint64_t i);
    bool each_byte; /* else those of others() */
} kinds[] = {
    {"a byte changed", changed, true}, {"a byte removed", removed, true},
    {"a byte put in", put_in, true},   {"cut", cut, true},
    {"another file", others, false},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static uint64_t cases_of(const struct kind *k, const struct file *f)
{
    return k->each_byte ? f->size : 6 + file_count;
}

static uint64_t count(const struct kind *k)
{
    uint64_t n = 0;
    for (size_t i = 0; i < file_count; i++)
        n += cases_of(k, &files[i]);
    return n;
}

static void make_damage(const struct kind *k, uint64_t i, struct damage *d)
{
    size_t f = 0;
    while (i >= cases_of(k, &files[f]))
        i -= cases_of(k, &files[f++]);
    d->file = &files[f];
    d->bytes = malloc(2 * TEXT_MAX);
    if (!d->bytes)
        abort();
    k->make(d, i);
}

/* ---- One case ------------------------------------------------------------ */

struct tally {
    struct counts {
        uint64_t cases, same, refused, wrong;
    } of[KINDS];
    uint64_t kind, at;
};

struct bench {
    struct world w;
    struct tally *tally;
    FILE *out;
};

static void put_file(const struct world *w, const struct file *f,
                     const char *bytes, size_t n)
{
    const char *path = world_path(w, f->name);
    if (bytes)
        world_write(path, bytes, n);
    else
        unlink(path);
}

static void record(struct bench *b, const struct damage *d,
                   const struct world_found *f)
{
    if (!b->out)
        return;
    fprintf(b->out, "%s\t%s\t",
            f->count ? plog_code_word(f->first[0].verdict) : "OK",
            d->file->name);
    for (size_t i = 0; d->bytes && i < d->size; i++)
        fprintf(b->out, "%02x", (unsigned)(unsigned char)d->bytes[i]);
    fprintf(b->out, "%s\n", d->bytes ? "" : "-");
}

static const char *judge_snapshot(struct bench *b, const struct damage *d,
                                  bool same)
{
    struct world_found f;
    world_parity(&b->w, NULL, &f);
    record(b, d, &f);
    if (same)
        return f.count ? "the same text, and blamed" : NULL;
    if (f.count != 1)
        return f.count ? "more than the snapshot is blamed" : "not found";
    if (strcmp(f.first[0].file, d->file->name) != 0)
        return "another file is blamed";
    return f.first[0].verdict == (d->bytes ? PLOG_E_CORRUPT : PLOG_E_PRUNED)
               ? NULL
               : "another verdict";
}

/* Whether every archived segment is back in log/ as it was. */
static bool segments_are_back(const struct world *w)
{
    bool same = true;
    char name[64];
    size_t n;
    for (size_t i = 0; i < file_count; i++) {
        const struct file *f = &files[i];
        if (f->snapshot)
            continue;
        snprintf(name, sizeof name, "log/%.26s",
                 f->name + sizeof "archive/" - 1);
        char *now = world_read(world_path(w, name), &n);
        same &= n == f->text_size && memcmp(now, f->text, n) == 0;
        free(now);
    }
    return same;
}

static const char *judge_undo(struct bench *b, bool same)
{
    struct plog_compact_options o = {.struct_size = sizeof o, .undo = true};
    struct plog_compact_report r;
    int rc = plog_compact(b->w.dir, &o, &r, NULL);
    const char *why = NULL;
    if (rc == 0) {
        if (!same)
            why = "undone from another text";
        else if (!segments_are_back(&b->w))
            why = "undone, and not to what it was";
        world_remove(b->w.dir);
        world_copy(original.dir, b->w.dir);
    } else if (same) {
        why = "the same text, and not undone";
    }
    return why;
}

static const char *judge_restore(struct bench *b, bool same)
{
    struct plog_restore_options o = {.struct_size = sizeof o, .at_seq = 8};
    struct plog_restore_report r;
    struct world_found f;
    struct world copy = {.p = NULL};
    const char *why = NULL;
    snprintf(copy.dir, sizeof copy.dir, "%.500s.out", b->w.dir);
    int rc = plog_restore(b->w.dir, copy.dir, &o, &r, NULL);
    if (rc == 0) {
        world_parity(&copy, NULL, &f);
        if (f.count || f.report.head.size != r.head.size || r.head.size > 8)
            why = "restored from another text";
        world_remove(copy.dir);
    } else if (same) {
        why = "the same text, and not restored";
    }
    return why;
}

static void run_case(struct bench *b, size_t kind, uint64_t at)
{
    struct counts *c = &b->tally->of[kind];
    struct damage d;
    b->tally->kind = kind;
    b->tally->at = at;
    make_damage(&kinds[kind], at, &d);
    bool same = d.bytes && same_text(d.file, d.bytes, d.size);
    const char *why;
    put_file(&b->w, d.file, d.bytes, d.size);
    if (d.file->snapshot) {
        why = judge_snapshot(b, &d, same);
    } else {
        why = at % 16 == 0 ? judge_restore(b, same) : NULL;
        if (!why)
            why = judge_undo(b, same);
    }
    put_file(&b->w, d.file, d.file->bytes, d.file->size);
    c->cases++;
    c->same += same;
    c->refused += !same && !why;
    if (why && c->wrong++ < 5)
        printf("# %s, case %llu, %s: %s\n", kinds[kind].name,
               (unsigned long long)at, d.file->name, why);
    free(d.bytes);
}

/* ---- All of them --------------------------------------------------------- */

static void work(void *arg, unsigned k, unsigned n)
{
    struct bench b = {.tally = (struct tally *)arg + k};
    double budget = halves_budget(), begin = world_seconds();
    uint64_t state = check_seed() * 71 + k;
    const char *out = getenv("MATRIX_OUT");
    char path[500];
    snprintf(b.w.dir, sizeof b.w.dir, "%.400s.%u", original.dir, k);
    world_copy(original.dir, b.w.dir);
    if (out) {
        snprintf(path, sizeof path, "%.400s/gz.%u", out, k);
        CHECK((b.out = fopen(path, "w")) != NULL);
    }
    for (unsigned round = 0;
         budget > 0 && (round < 1 || world_seconds() < begin + budget); round++)
        for (size_t kind = 0; kind < KINDS; kind++)
            run_case(&b, kind, check_random(&state) % count(&kinds[kind]));
    for (size_t kind = 0; budget <= 0 && kind < KINDS; kind++)
        for (uint64_t i = k; i < count(&kinds[kind]); i += n)
            run_case(&b, kind, i);
    if (b.out)
        CHECK(fclose(b.out) == 0);
}

static void where(void *arg, unsigned k)
{
    const struct tally *t = (struct tally *)arg + k;
    printf("#   at: %s, case %llu\n", kinds[t->kind].name,
           (unsigned long long)t->at);
}

static bool make(void)
{
    static char text[TEXT_MAX];
    const char *out = getenv("MATRIX_OUT");
    char to[500];
    sample_begin_compacted(&original);
    sample_compact(&original);
    file_count = load_all(&original, "archive", files);
    file_count += load_all(&original, "snapshots", files + file_count);
    for (size_t i = 0; i < file_count; i++) {
        struct file *f = &files[i];
        if (!CHECK(inflated(f->bytes, f->size, text, &f->text_size)))
            return false;
        f->text = malloc(f->text_size + 1);
        if (!f->text)
            abort();
        memcpy(f->text, text, f->text_size);
    }
    if (out) {
        snprintf(to, sizeof to, "%.400s/gz", out);
        world_remove(to);
        world_copy(original.dir, to);
    }
    return CHECK(file_count > 3);
}

static void every_byte_of_every_file(void)
{
    unsigned n = halves_count();
    struct tally *t = halves_shared(n * sizeof *t);
    double begin = world_seconds();
    REQUIRE(make());
    halves_run(work, t, where);
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct counts all = {0};
        for (unsigned k = 0; k < n; k++) {
            all.cases += t[k].of[kind].cases;
            all.same += t[k].of[kind].same;
            all.refused += t[k].of[kind].refused;
            all.wrong += t[k].of[kind].wrong;
        }
        printf("# %-16s %6llu of %llu: %llu refused, %llu of the same text,"
               " %llu wrong\n",
               kinds[kind].name, (unsigned long long)all.cases,
               (unsigned long long)count(&kinds[kind]),
               (unsigned long long)all.refused, (unsigned long long)all.same,
               (unsigned long long)all.wrong);
        CHECK_UINT(all.wrong, 0);
        CHECK(all.refused > 0);
    }
    printf("# %zu files, seed %llu, %.0f s\n", file_count,
           (unsigned long long)check_seed(), world_seconds() - begin);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"every_byte_of_every_file", every_byte_of_every_file},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
