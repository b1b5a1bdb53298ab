/*
 * matrix.c - the damage matrix: a log of 64 KiB in three segments, damaged in
 * every place and in every way, and what verify and parity say of it.
 *
 * Every bit flipped; every byte removed, doubled, put in; every segment cut at
 * every place; lines and groups dropped, repeated, swapped with and copied
 * before every other one; segments dropped, swapped, renamed, doubled.  From
 * how the damage was made follows which group it hit and which line:
 * plog_verify, without a store, must name the group, and plog_parity, with the
 * whole store, the line (see damaged.h).  The log is read from memory.
 *
 * STORM_BUDGET (seconds, 10): cases drawn by CHECK_SEED until the time is
 * over.  STORM_ALL: every case, about 900,000 (a quarter of an hour).
 * MATRIX_OUT=DIR: a copy of the log, DIR/log and DIR/keys, and what verify
 * said of each case, DIR/cases.N, for verify_matrix.py.  MATRIX_VERIFY: no
 * parity.
 */
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "halves.h"
#include "damaged.h"

/* ---- Signatures ---------------------------------------------------------- */

/* Most cases hold the same signed texts: each is checked once.  This takes the
 * place of libsodium's function of this name. */
int crypto_sign_verify_detached(const unsigned char *sig,
                                const unsigned char *m, unsigned long long n,
                                const unsigned char *pk)
{
    static struct checked {
        unsigned char all[64 + 32 + 256];
        size_t n;
        int result;
    } table[1 << 10];
    unsigned char all[sizeof table->all];
    uint64_t hash = 0;
    size_t len = 64 + 32 + (size_t)n;
    if (n > 256)
        return crypto_sign_ed25519_verify_detached(sig, m, n, pk);
    memcpy(all, sig, 64);
    memcpy(all + 64, pk, 32);
    memcpy(all + 96, m, (size_t)n);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ all[i]) * 0x100000001b3u;
    struct checked *c = &table[(hash >> 20) % (sizeof table / sizeof *table)];
    if (c->n == len && memcmp(c->all, all, len) == 0)
        return c->result;
    memcpy(c->all, all, len);
    c->n = len;
    return c->result = crypto_sign_ed25519_verify_detached(sig, m, n, pk);
}

/* ---- Kinds of damage ----------------------------------------------------- */

static struct sample sample;

/* Which byte of which segment the `i`-th byte of the log is; with `ends` each
 * segment has one place more, its end. */
static size_t find_byte(uint64_t i, bool ends, size_t *segment)
{
    for (size_t s = 0;; s++) {
        size_t n = sample.segments[s].size + (ends ? 1 : 0);
        *segment = s;
        if (i < n || s + 1 == SAMPLE_SEGMENTS)
            return (size_t)i;
        i -= n;
    }
}

static void flip(uint64_t i, struct damaged *d)
{
    size_t s, at = find_byte(i / 8, false, &s);
    char c = (char)(sample.segments[s].data[at] ^ 1 << i % 8);
    damaged_edit(&sample, d, s, at, at + 1, &c, 1);
}

static void removed(uint64_t i, struct damaged *d)
{
    size_t s, at = find_byte(i, false, &s);
    damaged_edit(&sample, d, s, at, at + 1, "", 0);
}

static void doubled(uint64_t i, struct damaged *d)
{
    size_t s, at = find_byte(i, false, &s);
    damaged_edit(&sample, d, s, at, at, sample.segments[s].data + at, 1);
}

static void lf_put_in(uint64_t i, struct damaged *d)
{
    size_t s, at = find_byte(i, true, &s);
    damaged_edit(&sample, d, s, at, at, "\n", 1);
}

static void byte_put_in(uint64_t i, struct damaged *d)
{
    size_t s, at = find_byte(i, true, &s);
    uint64_t state = check_seed() * 1000003 + i;
    char c = (char)check_random(&state);
    damaged_edit(&sample, d, s, at, at, &c, 1);
}

static void cut(uint64_t i, struct damaged *d)
{
    size_t s, at = find_byte(i, false, &s);
    damaged_edit(&sample, d, s, at, sample.segments[s].size, "", 0);
}

/* A line or a group. */
struct block {
    size_t segment, at, n;
};

static struct block blocks[2][SAMPLE_LINES_MAX]; /* lines, groups */
static size_t counts[2];

static void find_blocks(void)
{
    for (size_t i = 0; i < sample.line_count; i++) {
        const struct sample_line *l = &sample.lines[i];
        blocks[0][counts[0]++] = (struct block){l->segment, l->at, l->n};
    }
    for (size_t i = 0; i < sample.unit_count; i++) {
        const struct sample_unit *u = &sample.units[i];
        if (u->kind == SAMPLE_GROUP)
            blocks[1][counts[1]++] = (struct block){u->segment, u->at, u->n};
    }
}

/* A file made anew of its segment, from the front. */
struct writer {
    struct damaged_file *f;
    size_t segment, at;
};

static void copy_to(struct writer *w, size_t at)
{
    damaged_slice(w->f, w->segment, w->at, at - w->at);
    w->at = at;
}

static void put(struct writer *w, const struct block *b)
{
    damaged_slice(w->f, b->segment, b->at, b->n);
}

static struct writer write_anew(struct damaged *d, size_t segment)
{
    d->files[segment].count = 0;
    return (struct writer){&d->files[segment], segment, 0};
}

static void copy_rest(struct writer *w)
{
    copy_to(w, sample.segments[w->segment].size);
}

static void block_dropped(const struct block *b, struct damaged *d)
{
    struct writer w = write_anew(d, b->segment);
    copy_to(&w, b->at);
    w.at += b->n;
    copy_rest(&w);
}

/* `b` once more before `to`. */
static void block_copied(const struct block *b, const struct block *to,
                         struct damaged *d)
{
    struct writer w = write_anew(d, to->segment);
    copy_to(&w, to->at);
    put(&w, b);
    copy_rest(&w);
}

/* `a` stands before `b`. */
static void blocks_swapped(const struct block *a, const struct block *b,
                           struct damaged *d)
{
    struct writer w = write_anew(d, a->segment);
    copy_to(&w, a->at);
    put(&w, b);
    w.at += a->n;
    if (a->segment != b->segment) {
        copy_rest(&w);
        w = write_anew(d, b->segment);
    }
    copy_to(&w, b->at);
    put(&w, a);
    w.at += b->n;
    copy_rest(&w);
}

static void swapped(uint64_t i, const struct block *all, struct damaged *d)
{
    uint64_t b = 1;
    for (; i >= b; b++)
        i -= b;
    blocks_swapped(&all[i], &all[b], d);
}

static void line_dropped(uint64_t i, struct damaged *d)
{
    block_dropped(&blocks[0][i], d);
}

static void group_dropped(uint64_t i, struct damaged *d)
{
    block_dropped(&blocks[1][i], d);
}

static void line_copied(uint64_t i, struct damaged *d)
{
    block_copied(&blocks[0][i / counts[0]], &blocks[0][i % counts[0]], d);
}

static void group_copied(uint64_t i, struct damaged *d)
{
    block_copied(&blocks[1][i / counts[1]], &blocks[1][i % counts[1]], d);
}

static void lines_swapped(uint64_t i, struct damaged *d)
{
    swapped(i, blocks[0], d);
}

static void groups_swapped(uint64_t i, struct damaged *d)
{
    swapped(i, blocks[1], d);
}

/* Every way to have one of the segments, an empty file, or none, under each
 * name. */
#define CONTENTS (SAMPLE_SEGMENTS + 2)

static void segments_exchanged(uint64_t i, struct damaged *d)
{
    for (size_t s = SAMPLE_SEGMENTS; s-- > 0; i /= CONTENTS) {
        size_t from = i % CONTENTS;
        d->files[s].count = 0;
        if (from < SAMPLE_SEGMENTS)
            damaged_slice(&d->files[s], from, 0, sample.segments[from].size);
        else if (from > SAMPLE_SEGMENTS)
            damaged_drop(d, s);
    }
}

/* A segment under a further name, or under that one alone. */
#define NAMES 6

static void segment_renamed(uint64_t i, struct damaged *d)
{
    const uint64_t names[NAMES] = {2,
                                   sample.segments[1].first - 1,
                                   sample.segments[1].first + 1,
                                   sample.size,
                                   sample.size + 1,
                                   INT64_MAX};
    size_t s = i / 2 % SAMPLE_SEGMENTS;
    struct damaged_file f = d->files[s];
    f.first = names[i / 2 / SAMPLE_SEGMENTS];
    d->files[d->count++] = f;
    if (i % 2)
        damaged_drop(d, s);
}

static struct kind {
    const char *name;
    void (*make)(uint64_t i, struct damaged *d);
    bool one; /* place */
    uint64_t count;
} kinds[] = {
    {"a bit flipped", flip, true, SAMPLE_BYTES * 8},
    {"a byte removed", removed, true, SAMPLE_BYTES},
    {"a byte doubled", doubled, true, SAMPLE_BYTES},
    {"an LF put in", lf_put_in, true, SAMPLE_BYTES + SAMPLE_SEGMENTS},
    {"a byte put in", byte_put_in, true, SAMPLE_BYTES + SAMPLE_SEGMENTS},
    {"a segment cut", cut, false, SAMPLE_BYTES},
    {"a line dropped", line_dropped, false, 0},
    {"a line copied", line_copied, false, 0},
    {"two lines swapped", lines_swapped, false, 0},
    {"a group dropped", group_dropped, false, 0},
    {"a group copied", group_copied, false, 0},
    {"two groups swapped", groups_swapped, false, 0},
    {"segments exchanged", segments_exchanged, false,
     CONTENTS *CONTENTS *CONTENTS - 1}, /* the last one is no log */
    {"a segment renamed", segment_renamed, false, NAMES *SAMPLE_SEGMENTS * 2},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static void count_blocks(void)
{
    for (size_t i = 0; i < 2; i++) {
        struct kind *k = &kinds[6 + 3 * i];
        k[0].count = counts[i];
        k[1].count = counts[i] * counts[i];
        k[2].count = counts[i] * (counts[i] - 1) / 2;
    }
}

/* ---- One case ------------------------------------------------------------ */

struct tally {
    struct counts {
        uint64_t cases, clean, torn, wrong;
    } of[KINDS];
    uint64_t kind, at; /* the case at hand */
};

struct bench {
    struct tally *tally;
    struct world bare, whole; /* without a store; with it */
    struct served served;
    FILE *out;
    bool verify_only;
    char buf[8 * SAMPLE_BYTES];
};

static void complain(const struct kind *k, uint64_t i, const char *who,
                     const char *why, const struct place *p,
                     const struct world_found *f)
{
    printf("# %s, case %llu: %s: %s\n", k->name, (unsigned long long)i, who,
           why);
    printf("#   it is in %s, byte %llu to %llu, line %llu, seq %llu; %u found",
           p->clean ? "no file" : p->file, (unsigned long long)p->from,
           (unsigned long long)p->to, (unsigned long long)p->line,
           (unsigned long long)p->seq, f->count);
    for (unsigned n = 0; n < f->count && n < 3; n++)
        printf("\n#   %s in %s, byte %llu, seq %llu",
               plog_code_word(f->first[n].verdict), f->first[n].file,
               (unsigned long long)f->first[n].offset,
               (unsigned long long)f->first[n].seq);
    printf("\n");
}

static void record(struct bench *b, const struct damaged *d,
                   const struct world_found *f)
{
    char text[1000];
    const struct world_finding *one = &f->first[0];
    if (!b->out)
        return;
    damaged_text(&sample, d, text, sizeof text);
    if (f->count == 0)
        fprintf(b->out, "OK %llu", (unsigned long long)f->report.head.size);
    else if (one->has_offset)
        fprintf(b->out, "%s %s %llu", plog_code_word(one->verdict), one->file,
                (unsigned long long)one->offset);
    else
        fprintf(b->out, "%s %s -", plog_code_word(one->verdict), one->file);
    fprintf(b->out, "\t%s\n", text);
}

static void run_case(struct bench *b, size_t kind, uint64_t i)
{
    const struct kind *k = &kinds[kind];
    struct counts *c = &b->tally->of[kind];
    struct plog_check_options o = {.io = &b->served.io};
    struct damaged d;
    struct place p;
    struct world_found f;
    b->tally->kind = kind;
    b->tally->at = i;
    damaged_none(&sample, &d);
    k->make(i, &d);
    damaged_serve(&sample, &d, &b->served, b->buf, sizeof b->buf);
    damaged_place(&sample, &b->served, &p);
    world_verify(&b->bare, &o, &f);
    const char *why = damaged_verify(&sample, &p, &f, k->one);
    if (why && c->wrong < 2)
        complain(k, i, "verify", why, &p, &f);
    record(b, &d, &f);
    c->cases++;
    c->clean += f.count == 0;
    c->torn += f.report.verdict == PLOG_E_TORN;
    bool wrong = why != NULL;
    c->wrong += wrong;
    if (b->verify_only)
        return;
    world_parity(&b->whole, &o, &f);
    why = damaged_parity(&sample, &p, &f);
    if (why && c->wrong < 2)
        complain(k, i, "parity", why, &p, &f);
    c->wrong += !wrong && why;
}

/* ---- All of them --------------------------------------------------------- */

static void open_out(struct bench *b, unsigned k)
{
    const char *out = getenv("MATRIX_OUT");
    char path[512];
    if (!out)
        return;
    snprintf(path, sizeof path, "%.400s/cases.%u", out, k);
    b->out = fopen(path, "w");
    CHECK(b->out != NULL);
}

/* Cases in turn of all kinds, drawn by the seed, until the time is over. */
static void draw(struct bench *b, unsigned k, double until)
{
    uint64_t state = check_seed() * 7919 + k;
    while (world_seconds() < until)
        for (size_t kind = 0; kind < KINDS; kind++)
            run_case(b, kind, check_random(&state) % kinds[kind].count);
}

static void without_store(const struct world *w)
{
    static const char *const names[] = {"store.db", "store.db-wal",
                                        "store.db-shm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        world_remove(world_path(w, names[i]));
}

/* A connection that stays open beside all others and an empty WAL, so that
 * opening the store is cheap. */
static sqlite3 *keep_open(const struct world *w)
{
    sqlite3 *db = NULL;
    CHECK_INT(sqlite3_open(world_path(w, "store.db"), &db), SQLITE_OK);
    CHECK_INT(
        sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL),
        SQLITE_OK);
    return db;
}

static void work(void *arg, unsigned k, unsigned n)
{
    struct tally *tallies = arg;
    struct bench *b = calloc(1, sizeof *b);
    double budget = halves_budget(), begin = world_seconds();
    if (!b)
        abort();
    b->tally = &tallies[k];
    served_init(&b->served);
    snprintf(b->whole.dir, sizeof b->whole.dir, "%.400s.%u", sample.w.dir, k);
    snprintf(b->bare.dir, sizeof b->bare.dir, "%.400s.%u.bare", sample.w.dir,
             k);
    world_copy(sample.w.dir, b->whole.dir);
    world_copy(sample.w.dir, b->bare.dir);
    without_store(&b->bare);
    sqlite3 *beside = keep_open(&b->whole);
    open_out(b, k);
    b->verify_only = getenv("MATRIX_VERIFY") != NULL;
    if (budget > 0)
        draw(b, k, begin + budget);
    for (size_t kind = 0; budget <= 0 && kind < KINDS; kind++)
        for (uint64_t i = k; i < kinds[kind].count; i += n)
            run_case(b, kind, i);
    if (b->out)
        CHECK(fclose(b->out) == 0);
    sqlite3_close(beside);
    free(b);
}

static void where(void *arg, unsigned k)
{
    const struct tally *t = (struct tally *)arg + k;
    printf("#   at: %s, case %llu\n", kinds[t->kind].name,
           (unsigned long long)t->at);
}

static void report(const struct tally *t, unsigned n, double seconds)
{
    uint64_t all = 0;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct counts c = {0};
        for (unsigned k = 0; k < n; k++) {
            c.cases += t[k].of[kind].cases;
            c.clean += t[k].of[kind].clean;
            c.torn += t[k].of[kind].torn;
            c.wrong += t[k].of[kind].wrong;
        }
        all += c.cases;
        printf("# %-20s %7llu of %llu: %llu found (%llu as torn), %llu"
               " nothing to find, %llu wrong\n",
               kinds[kind].name, (unsigned long long)c.cases,
               (unsigned long long)kinds[kind].count,
               (unsigned long long)(c.cases - c.clean),
               (unsigned long long)c.torn, (unsigned long long)c.clean,
               (unsigned long long)c.wrong);
        CHECK_UINT(c.wrong, 0);
        CHECK(c.cases > 0);
    }
    printf("# %llu cases in %.0f s, seed %llu\n", (unsigned long long)all,
           seconds, (unsigned long long)check_seed());
}

static void keep_log(void)
{
    const char *out = getenv("MATRIX_OUT");
    char to[512];
    if (!out)
        return;
    for (size_t i = 0; i < 2; i++) {
        const char *name = i ? "keys" : "log";
        snprintf(to, sizeof to, "%.400s/%s", out, name);
        world_remove(to);
        world_copy(world_path(&sample.w, name), to);
    }
}

static void every_damage_is_found_and_placed(void)
{
    unsigned n = halves_count();
    struct tally *tallies = halves_shared(n * sizeof *tallies);
    double begin = world_seconds();
    REQUIRE(sample_make(&sample, check_seed()));
    find_blocks();
    count_blocks();
    keep_log();
    halves_run(work, tallies, where);
    report(tallies, n, world_seconds() - begin);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"every_damage_is_found_and_placed", every_damage_is_found_and_placed},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
