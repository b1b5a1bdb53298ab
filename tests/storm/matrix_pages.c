/*
 * matrix_pages.c - the damage matrix of the store's files.
 *
 * A bit of every byte of store.db and of its WAL is changed, every page is
 * zeroed or another one put in its place, both files are cut.  Whether that
 * changed what the log determines is asked of SQLite itself, by a connection
 * that knows nothing of the library: all rows, and the index by which an id is
 * found.  If it did, or SQLite can no longer read it, parity must not say
 * CLEAN; in no case may it crash, fail to come to an end, blame the log, or
 * change a byte.
 *
 * STORM_BUDGET (seconds, 10): cases drawn by CHECK_SEED until the time is
 * over; STORM_ALL: every case.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "halves.h"
#include "sample.h"

#define PAGE 4096u
#define SECTOR 512u

struct image {
    char *bytes;
    size_t size;
};

static struct sample sample;
static struct image store, old_store, wal; /* whole; with the WAL beside it */
static uint64_t whole;                     /* the digest of its content */

/* ---- What SQLite reads of it --------------------------------------------- */

static const char *const queries[] = {
    "SELECT origin,size,root,range,key,sig,segment,offset,floor,redactions,"
    "strategy,line_max,segment_size FROM meta",
    "SELECT * FROM events NOT INDEXED",
    "SELECT id,seq FROM events INDEXED BY events_id WHERE id IS NOT NULL"
    " ORDER BY id",
    "SELECT * FROM checkpoints",
    "SELECT * FROM segments",
    "SELECT * FROM rotations",
    "SELECT seq,target FROM redactions NOT INDEXED",
    "SELECT * FROM state",
    "SELECT * FROM state_recent",
    "SELECT * FROM base_state",
    "SELECT * FROM cursors",
    "SELECT name,added FROM peers",
    "SELECT seq,floor FROM compactions",
    "SELECT * FROM old_ids",
};

static void mix(uint64_t *h, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *h = (*h ^ ((const unsigned char *)p)[i]) * 0x100000001b3u;
}

static bool mix_rows(sqlite3 *db, const char *sql, uint64_t *h)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    while (!rc && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(s); i++) {
            int type = sqlite3_column_type(s, i);
            int n = sqlite3_column_bytes(s, i);
            mix(h, &type, sizeof type);
            mix(h, &n, sizeof n);
            mix(h, sqlite3_column_blob(s, i), (size_t)n);
        }
        rc = 0;
    }
    sqlite3_finalize(s);
    mix(h, "\n", 1);
    return rc == SQLITE_DONE;
}

/* A digest of the content, or 0 when it cannot be read. */
static uint64_t digest(sqlite3 *db)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        if (!mix_rows(db, queries[i], &h))
            return 0;
    return h ? h : 1;
}

/* Of store.db alone.  The two bytes that say that there is a WAL do not fit a
 * database in memory and are no content. */
static uint64_t digest_of(const struct image *i)
{
    sqlite3 *db = NULL;
    uint64_t h = 0;
    unsigned char *copy = sqlite3_malloc64(i->size + 1);
    if (!copy)
        abort();
    memcpy(copy, i->bytes, i->size);
    if (i->size > 19)
        copy[18] = copy[19] = 1;
    if (sqlite3_open(":memory:", &db) == SQLITE_OK &&
        sqlite3_deserialize(db, "main", copy, (sqlite3_int64)i->size,
                            (sqlite3_int64)i->size,
                            SQLITE_DESERIALIZE_FREEONCLOSE) == SQLITE_OK)
        h = digest(db);
    sqlite3_close(db);
    return h;
}

static uint64_t digest_at(const char *path)
{
    sqlite3 *db = NULL;
    uint64_t h = 0;
    if (sqlite3_open(path, &db) == SQLITE_OK)
        h = digest(db);
    sqlite3_close(db);
    return h;
}

/* ---- Kinds of damage ----------------------------------------------------- */

static struct image copy_of(const struct image *i)
{
    struct image out = {malloc(i->size + 1), i->size};
    if (!out.bytes)
        abort();
    memcpy(out.bytes, i->bytes, i->size);
    return out;
}

static void change_byte(struct image *i, uint64_t at)
{
    uint64_t state = check_seed() * 977 + at;
    i->bytes[at] ^= (char)(1 << check_random(&state) % 8);
}

static void page_zeroed(struct image *i, uint64_t n)
{
    memset(i->bytes + n * PAGE, 0, PAGE);
}

static void page_replaced(struct image *i, uint64_t n)
{
    uint64_t pages = i->size / PAGE;
    memmove(i->bytes + n / pages * PAGE, i->bytes + n % pages * PAGE, PAGE);
}

static void cut(struct image *i, uint64_t n)
{
    i->size = (size_t)n * SECTOR;
}

static struct kind {
    const char *name;
    void (*make)(struct image *i, uint64_t n);
    bool of_wal;
    uint64_t count;
} kinds[] = {
    {"a byte of store.db", change_byte, false, 0},
    {"a page zeroed", page_zeroed, false, 0},
    {"a page replaced", page_replaced, false, 0},
    {"store.db cut", cut, false, 0},
    {"a byte of the WAL", change_byte, true, 0},
    {"the WAL cut", cut, true, 0},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static void count_cases(void)
{
    uint64_t pages = store.size / PAGE;
    const uint64_t counts[KINDS] = {store.size,    pages,
                                    pages * pages, store.size / SECTOR,
                                    wal.size,      wal.size / SECTOR};
    for (size_t k = 0; k < KINDS; k++)
        kinds[k].count = counts[k];
}

/* ---- One case ------------------------------------------------------------ */

struct tally {
    struct counts {
        uint64_t cases, changed, found, same, failed, wrong;
    } of[KINDS];
    uint64_t kind, at;
};

struct bench {
    struct world w;
    char scratch[600]; /* a store.db to be read by SQLite */
    struct tally *tally;
};

static void put_files(const char *dir, const struct image *db,
                      const struct image *log)
{
    char path[700];
    snprintf(path, sizeof path, "%.600s/store.db-shm", dir);
    unlink(path);
    snprintf(path, sizeof path, "%.600s/store.db-wal", dir);
    unlink(path);
    if (log)
        world_write(path, log->bytes, log->size);
    snprintf(path, sizeof path, "%.600s/store.db", dir);
    world_write(path, db->bytes, db->size);
}

static bool unchanged(const char *path, const struct image *i)
{
    size_t n;
    char *now = world_read(path, &n);
    bool same = n == i->size && memcmp(now, i->bytes, n) == 0;
    free(now);
    return same;
}

static const char *judge(const struct world_found *f, int rc, bool changed)
{
    const uint64_t *n = f->report.counts;
    if (rc)
        return NULL; /* it came to no end, and says so */
    if (changed && f->report.verdict == 0)
        return "changed, and CLEAN";
    if (n[-PLOG_E_CORRUPT] || n[-PLOG_E_TAMPERED] || n[-PLOG_E_TORN])
        return "the log is blamed, and it is whole";
    return NULL;
}

static int note_finding(void *arg, const struct plog_finding *f)
{
    struct world_found *all = arg;
    if (all->count++ == 0) {
        all->first[0].verdict = f->verdict;
        all->first[0].leg = f->leg;
        all->first[0].seq = f->seq;
        snprintf(all->first[0].next, sizeof all->first[0].next, "%.150s",
                 f->found);
    }
    return 0;
}

static void run_case(struct bench *b, size_t kind, uint64_t at)
{
    const struct kind *k = &kinds[kind];
    struct counts *c = &b->tally->of[kind];
    struct image i = copy_of(k->of_wal ? &wal : &store);
    struct world_found f = {.count = 0};
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .finding = note_finding,
                                   .arg = &f,
                                   .threads = 1 + (uint32_t)(at % 2)};
    struct plog_error err = {0};
    uint64_t h;
    b->tally->kind = kind;
    b->tally->at = at;
    k->make(&i, at);
    if (k->of_wal) {
        char path[700];
        put_files(b->scratch, &old_store, &i);
        snprintf(path, sizeof path, "%.600s/store.db", b->scratch);
        h = digest_at(path);
    } else {
        h = digest_of(&i);
    }
    put_files(b->w.dir, k->of_wal ? &old_store : &i, k->of_wal ? &i : NULL);
    int rc = plog_parity(b->w.dir, &o, &f.report, &err);
    const char *why = judge(&f, rc, h != whole);
    if (!why &&
        !unchanged(world_path(&b->w, k->of_wal ? "store.db-wal" : "store.db"),
                   &i))
        why = "parity changed it";
    c->cases++;
    c->changed += h != whole;
    c->found += rc == 0 && f.report.verdict != 0;
    c->same += h == whole && f.report.verdict != 0;
    c->failed += rc != 0;
    if (rc && c->failed < 3)
        printf("# %s, case %llu: %s: %s\n", k->name, (unsigned long long)at,
               plog_code_word(rc), err.message);
    if (why && c->wrong++ < 5)
        printf("# %s, case %llu: %s; %u findings: %s %llu %s\n", k->name,
               (unsigned long long)at, why, f.count,
               plog_code_word(f.first[0].verdict),
               (unsigned long long)f.first[0].seq, f.first[0].next);
    free(i.bytes);
}

/* ---- All of them --------------------------------------------------------- */

static void work(void *arg, unsigned k, unsigned n)
{
    struct bench b = {.tally = (struct tally *)arg + k};
    double budget = halves_budget(), begin = world_seconds();
    uint64_t state = check_seed() * 53 + k;
    snprintf(b.w.dir, sizeof b.w.dir, "%.400s.%u", sample.w.dir, k);
    world_copy(sample.w.dir, b.w.dir);
    snprintf(b.scratch, sizeof b.scratch, "%s", check_dir());
    for (unsigned round = 0;
         budget > 0 && (round < 1 || world_seconds() < begin + budget); round++)
        for (size_t kind = 0; kind < KINDS; kind++)
            run_case(&b, kind, check_random(&state) % kinds[kind].count);
    for (size_t kind = 0; budget <= 0 && kind < KINDS; kind++)
        for (uint64_t i = k; i < kinds[kind].count; i += n)
            run_case(&b, kind, i);
    world_remove(b.scratch);
}

static void where(void *arg, unsigned k)
{
    const struct tally *t = (struct tally *)arg + k;
    printf("#   at: %s, case %llu\n", kinds[t->kind].name,
           (unsigned long long)t->at);
}

static struct image load(const char *name)
{
    struct image i;
    i.bytes = world_read(world_path(&sample.w, name), &i.size);
    return i;
}

/* The sample with one entry more, whose store has a WAL. */
static bool make_images(void)
{
    struct world *w = &sample.w;
    if (!sample_make(&sample, check_seed()))
        return false;
    world_sql(w, "PRAGMA wal_checkpoint(TRUNCATE)");
    CHECK_INT(world_open(w), 0);
    CHECK_INT(world_put(w, "more", "1", "x", NULL), 0);
    CHECK_INT(world_put(w, NULL, "2", "y", NULL), 0);
    old_store = load("store.db");
    wal = load("store.db-wal");
    world_close(w);
    world_sql(w, "PRAGMA wal_checkpoint(TRUNCATE)");
    store = load("store.db");
    whole = digest_of(&store);
    return CHECK(whole != 0) && CHECK(wal.size > PAGE);
}

static void every_byte_and_page(void)
{
    unsigned n = halves_count();
    struct tally *t = halves_shared(n * sizeof *t);
    double begin = world_seconds();
    REQUIRE(make_images());
    count_cases();
    halves_run(work, t, where);
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct counts all = {0};
        for (unsigned k = 0; k < n; k++) {
            const struct counts *c = &t[k].of[kind];
            all.cases += c->cases;
            all.changed += c->changed;
            all.found += c->found;
            all.same += c->same;
            all.failed += c->failed;
            all.wrong += c->wrong;
        }
        printf("# %-18s %7llu of %llu: %llu changed the content, %llu found"
               " (%llu of them the same to SQLite), %llu came to no end, %llu"
               " wrong\n",
               kinds[kind].name, (unsigned long long)all.cases,
               (unsigned long long)kinds[kind].count,
               (unsigned long long)all.changed, (unsigned long long)all.found,
               (unsigned long long)all.same, (unsigned long long)all.failed,
               (unsigned long long)all.wrong);
        CHECK_UINT(all.wrong, 0);
        CHECK(all.cases > 0);
    }
    printf("# seed %llu, %.0f s\n", (unsigned long long)check_seed(),
           world_seconds() - begin);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"every_byte_and_page", every_byte_and_page},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
