/*
 * matrix_open.c - opening and replaying a damaged log destroys no byte of it.
 *
 * Cases of the damage matrix, drawn by CHECK_SEED, in a directory of their
 * own: with the store, and without it.  It is opened for writing and replayed,
 * whatever comes of that.  Then every byte of the damaged files is in log/
 * where it was, or in quarantine/; what was damaged and not just unfinished is
 * so yet, and as it was; an unfinished group is set aside only where no store
 * speaks for it; and the store holds what it held.
 *
 * STORM_BUDGET (seconds, 10): as many as fit; STORM_ALL: 500 of each kind.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "damage_kinds.h"
#include "halves.h"

#define EACH 500

static struct sample sample;
static const struct damage_kind *kinds;

/* ---- Where bytes went ---------------------------------------------------- */

static const char *sought;
static size_t sought_size;
static bool found_it;

static int look_into(const char *path, const struct stat *st, int type,
                     struct FTW *ftw)
{
    (void)st, (void)ftw;
    if (type != FTW_F || found_it)
        return 0;
    size_t n;
    char *bytes = world_read(path, &n);
    found_it = memmem(bytes, n, sought, sought_size) != NULL;
    free(bytes);
    return 0;
}

static bool in_quarantine(const struct world *w, const char *p, size_t n)
{
    sought = p;
    sought_size = n;
    found_it = false;
    nftw(world_path(w, "quarantine"), look_into, 16, FTW_PHYS);
    return found_it;
}

/* The length without LFs at the end, which mean nothing there. */
static size_t content(const char *p, size_t n)
{
    while (n > 0 && p[n - 1] == '\n')
        n--;
    return n;
}

/* Whether a damaged file is still in log/, and what is not in quarantine/.
 * @same  out: it is as it was */
static bool is_kept(const struct world *w, const struct served_file *f,
                    bool *same)
{
    char path[64];
    size_t n = 0, k = 0, all = content(f->data, f->size);
    char *now = NULL;
    snprintf(path, sizeof path, "log/%.40s", f->name);
    if (access(world_path(w, path), F_OK) == 0)
        now = world_read(world_path(w, path), &n);
    while (now && k < n && k < all && now[k] == f->data[k])
        k++;
    *same = k == all && content(now ? now : "", n) == all && now;
    free(now);
    return k == all || in_quarantine(w, f->data + k, all - k);
}

/* ---- One case ------------------------------------------------------------ */

struct tally {
    uint64_t cases, opened, replayed, torn, wrong, kind, at;
};

struct bench {
    struct world w;
    struct tally *tally;
    struct served served;
    char buf[8 * SAMPLE_BYTES];
};

static void write_log(struct bench *b, bool with_store)
{
    static const char *const store[] = {"store.db", "store.db-wal",
                                        "store.db-shm"};
    char path[64];
    world_remove(b->w.dir);
    world_copy(sample.w.dir, b->w.dir);
    for (size_t i = 0; i < SAMPLE_SEGMENTS; i++) {
        snprintf(path, sizeof path, "log/%.40s", sample.segments[i].name);
        unlink(world_path(&b->w, path));
    }
    for (size_t i = 0; i < b->served.count; i++) {
        const struct served_file *f = &b->served.files[i];
        snprintf(path, sizeof path, "log/%.40s", f->name);
        world_write(world_path(&b->w, path), f->data, f->size);
    }
    for (size_t i = 0; !with_store && i < 3; i++)
        unlink(world_path(&b->w, store[i]));
}

/* Opens and replays; what comes of it is judged by what is there then. */
static void use(struct bench *b)
{
    struct plog_options o = {.struct_size = sizeof o, .wait_seconds = 1};
    struct plog_replay_options ro = {.struct_size = sizeof ro};
    struct plog_replay_report report;
    plog *p = NULL;
    b->tally->opened += plog_open(&p, b->w.dir, &o, NULL) == 0;
    plog_close(p);
    b->tally->replayed += plog_replay(b->w.dir, &ro, &report, NULL) == 0;
}

static const char *judge(struct bench *b, bool with_store, int before)
{
    struct world_found after;
    bool all_same = true, same;
    for (size_t i = 0; i < b->served.count; i++) {
        if (!is_kept(&b->w, &b->served.files[i], &same))
            return "bytes of the log are gone";
        all_same &= same;
    }
    world_verify(&b->w, NULL, &after);
    if (before == PLOG_E_TORN && after.report.verdict == 0) {
        b->tally->torn++;
        return NULL;
    }
    if (after.report.verdict != before)
        return "the log was damaged, and is not so any more";
    if (!all_same)
        return "a damaged file is not as it was";
    if (with_store && world_number(&b->w, "SELECT count(*) FROM events") !=
                          (int64_t)sample.size)
        return "the store lost entries";
    return NULL;
}

static void run_case(struct bench *b, size_t kind, uint64_t i, bool with_store)
{
    struct damaged d;
    struct place p;
    struct world_found before;
    b->tally->kind = kind;
    b->tally->at = i;
    damaged_none(&sample, &d);
    kinds[kind].make(i, &d);
    damaged_serve(&sample, &d, &b->served, b->buf, sizeof b->buf);
    damaged_place(&sample, &b->served, &p);
    write_log(b, with_store);
    world_verify(&b->w, NULL, &before);
    use(b);
    const char *why = judge(b, with_store, before.report.verdict);
    bool padding = p.unit && p.unit->kind == SAMPLE_PADDING;
    struct world_found now;
    if (!why && with_store && before.report.verdict == PLOG_E_TORN &&
        !padding && (world_verify(&b->w, NULL, &now), now.report.verdict == 0))
        why = "a group that the store has passes for an unfinished one";
    b->tally->cases++;
    if (why && b->tally->wrong++ < 5)
        printf("# %s, case %llu, %s store: %s (%s before)\n", kinds[kind].name,
               (unsigned long long)i, with_store ? "with" : "without", why,
               plog_code_word(before.report.verdict));
}

/* ---- All of them --------------------------------------------------------- */

static void work(void *arg, unsigned k, unsigned n)
{
    struct bench *b = calloc(1, sizeof *b);
    double budget = halves_budget(), begin = world_seconds();
    uint64_t state = check_seed() * 101 + k;
    if (!b)
        abort();
    b->tally = (struct tally *)arg + k;
    served_init(&b->served);
    snprintf(b->w.dir, sizeof b->w.dir, "%.400s.%u", sample.w.dir, k);
    run_case(b, DAMAGE_CUT, SAMPLE_BYTES - 200, false); /* the last group */
    for (unsigned round = 0;
         budget > 0 ? world_seconds() < begin + budget : round < EACH / n;
         round++)
        for (size_t kind = 0; kind < DAMAGE_KINDS; kind++) {
            uint64_t i = check_random(&state) % kinds[kind].count;
            run_case(b, kind, i, true);
            run_case(b, kind, i, false);
        }
    free(b);
}

static void where(void *arg, unsigned k)
{
    const struct tally *t = (struct tally *)arg + k;
    printf("#   at: %s, case %llu\n", kinds[t->kind].name,
           (unsigned long long)t->at);
}

static void opening_destroys_nothing(void)
{
    unsigned n = halves_count();
    struct tally *t = halves_shared(n * sizeof *t), all = {0};
    double begin = world_seconds();
    REQUIRE(sample_make(&sample, check_seed()));
    kinds = damage_kinds(&sample);
    halves_run(work, t, where);
    for (unsigned k = 0; k < n; k++) {
        all.cases += t[k].cases;
        all.opened += t[k].opened;
        all.replayed += t[k].replayed;
        all.torn += t[k].torn;
        all.wrong += t[k].wrong;
    }
    printf("# %llu damaged logs: %llu opened, %llu replayed, %llu unfinished"
           " groups set aside, %llu wrong; seed %llu, %.0f s\n",
           (unsigned long long)all.cases, (unsigned long long)all.opened,
           (unsigned long long)all.replayed, (unsigned long long)all.torn,
           (unsigned long long)all.wrong, (unsigned long long)check_seed(),
           world_seconds() - begin);
    CHECK_UINT(all.wrong, 0);
    CHECK(all.torn >= n);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"opening_destroys_nothing", opening_destroys_nothing},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
