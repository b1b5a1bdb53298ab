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
#include "damage_kinds.h"
#include "halves.h"

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

static struct sample sample;
static const struct damage_kind *kinds;

/* ---- One case ------------------------------------------------------------ */

struct tally {
    struct counts {
        uint64_t cases, clean, torn, wrong;
    } of[DAMAGE_KINDS];
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

static void complain(const struct damage_kind *k, uint64_t i, const char *who,
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
    const struct damage_kind *k = &kinds[kind];
    struct counts *c = &b->tally->of[kind];
    struct plog_check_options o = {.io = &b->served.io,
                                   .threads = 1 + (uint32_t)(i % 2)};
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
    do
        for (size_t kind = 0; kind < DAMAGE_KINDS; kind++)
            run_case(b, kind, check_random(&state) % kinds[kind].count);
    while (world_seconds() < until);
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
    for (size_t kind = 0; budget <= 0 && kind < DAMAGE_KINDS; kind++)
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
    for (size_t kind = 0; kind < DAMAGE_KINDS; kind++) {
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
    kinds = damage_kinds(&sample);
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
