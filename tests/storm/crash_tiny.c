/*
 * crash_tiny.c - a tiny world, exhausted: every log of up to three entries
 * about two keys, each an upsert or a delete, in every split into groups.
 *
 * Of each: every crash while it is written, on a simulated disk (oracle.h);
 * and at rest, every bit of its log flipped, which verify must find.
 *
 * STORM_BUDGET (seconds, 10): so many of the 292 worlds as fit, drawn by the
 * seed, and of their bits one in 64; STORM_ALL: all of it, in two processes.
 * CHECK_SEED.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "oracle.h"
#include "paritylog_recovery.h"
#include "world.h"

#define MOST 3
#define WORLDS (4 * 1 + 16 * 2 + 64 * 4)
#define WORKERS 2

struct tally {
    struct oracle_counts crashes;
    unsigned long flips, missed, worlds;
};

static struct sim_image made; /* a machine with an empty log */
static struct tally *tally;   /* of this process; shared with the first */
static uint64_t seed;
static bool all;

/* ---- Writing ------------------------------------------------------------ */

/* Entries of a world, 2 bits each: key and kind; and where groups end. */
struct tiny {
    unsigned entries, kinds, splits;
};

static struct tiny tiny_world(unsigned k)
{
    if (k < 4)
        return (struct tiny){1, k, 0};
    if (k < 4 + 32)
        return (struct tiny){2, (k - 4) / 2, (k - 4) % 2};
    return (struct tiny){3, (k - 36) / 4, (k - 36) % 4};
}

static void write_world(struct oracle *o, struct tiny t)
{
    char texts[MOST][400];
    const char *group[MOST];
    size_t count = 0;
    oracle_open(o);
    for (unsigned i = 0; i < t.entries; i++) {
        unsigned kind = t.kinds >> (2 * i) & 3;
        char id[16], payload[24];
        snprintf(id, sizeof id, "i%u", i);
        snprintf(payload, sizeof payload, "{\"v\":%u}", i);
        struct world_delta d = {.id = id,
                                .record = kind & 1 ? "b" : "a",
                                .op = kind & 2 ? "delete" : "upsert",
                                .payload = kind & 2 ? "null" : payload};
        group[count++] = world_text(texts[i], sizeof texts[i], &d);
        if (i + 1 == t.entries || t.splits >> i & 1) {
            CHECK_INT(oracle_append(o, group, count), 0);
            count = 0;
        }
    }
    oracle_close(o);
}

/* ---- At rest ------------------------------------------------------------ */

static int verdict_of(struct sim *s, bool parity)
{
    struct plog_check_options options = {.struct_size = sizeof options,
                                         .io = &s->io};
    struct plog_check_report report;
    int rc = (parity ? plog_parity : plog_verify)(ORACLE_DIR, &options, &report,
                                                  NULL);
    return rc ? rc : report.verdict;
}

/* Flips one bit after the other on one machine. */
static void flip_bits(const struct oracle *o, unsigned world)
{
    struct sim s;
    uint64_t draw = seed + world;
    sim_boot(&s, &o->sim.cache, seed);
    int node =
        sim_image_path(&s.cache, ORACLE_DIR "/log/00000000000000000001.jsonl");
    size_t size = node < 0 ? 0 : sim_image_size(&s.cache, node);
    CHECK(size > 0);
    CHECK_INT(verdict_of(&s, false), 0);
    for (size_t bit = 0; bit < size * 8; bit++) {
        if (!all && check_random(&draw) % 64)
            continue;
        unsigned char byte = sim_image_bytes(&s.cache, node)[bit / 8];
        unsigned char flipped = (unsigned char)(byte ^ 1u << bit % 8);
        sim_image_write(&s.cache, node, &flipped, 1, bit / 8);
        bool parity = check_random(&draw) % 16 == 0;
        if (verdict_of(&s, parity) == 0) {
            tally->missed++;
            printf("# world %u: bit %zu flipped, and CLEAN\n", world, bit);
        }
        tally->flips++;
        sim_image_write(&s.cache, node, &byte, 1, bit / 8);
    }
    sim_halt(&s);
}

/* ---- The storm ---------------------------------------------------------- */

static void exhaust(unsigned k)
{
    char name[40];
    struct oracle o;
    snprintf(name, sizeof name, "tiny world %u", k);
    oracle_begin(&o, name, &made, seed + k, &tally->crashes);
    o.again_every = 64;
    oracle_ended(&o, 0, 0); /* the machine that it begins on */
    write_world(&o, tiny_world(k));
    oracle_crash_all(&o);
    flip_bits(&o, k);
    oracle_end(&o);
    tally->worlds++;
}

static void init(void)
{
    struct oracle o;
    oracle_begin(&o, "init", NULL, seed, &tally->crashes);
    o.again_every = all ? 4 : 256;
    if (!all)
        o.breadth = (struct sim_breadth){3, 4, 8};
    oracle_init(&o, PLOG_LAST_WRITE_WINS, 0);
    sim_image_copy(&made, &o.sim.cache);
    oracle_crash_all(&o);
    oracle_end(&o);
}

/* Every WORKERS-th world from `first` on, in a child with its own tally. */
static pid_t worker(unsigned first)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid)
        return pid;
    tally += 1 + first;
    for (unsigned k = first; k < WORLDS; k += WORKERS)
        exhaust(k);
    fflush(stdout);
    _exit(tally->missed || tally->crashes.broken ? 1 : 0);
}

static void exhaust_all(void)
{
    pid_t pids[WORKERS];
    int status = 1;
    for (unsigned i = 0; i < WORKERS; i++)
        pids[i] = worker(i);
    for (unsigned i = 0; i < WORKERS; i++) {
        CHECK_INT(waitpid(pids[i], &status, 0), pids[i]);
        CHECK_INT(status, 0);
        const struct tally *t = &tally[1 + i];
        tally->flips += t->flips;
        tally->missed += t->missed;
        tally->worlds += t->worlds;
        oracle_add(&tally->crashes, &t->crashes);
    }
}

static void storm(void)
{
    const char *budget = getenv("STORM_BUDGET");
    double began = world_seconds();
    double until = began + (budget ? strtod(budget, NULL) : 10);
    uint64_t draw = seed;
    size_t bytes = (1 + WORKERS) * sizeof *tally;
    tally = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tally == MAP_FAILED)
        abort();
    init();
    oracle_report(&tally->crashes, "init", world_seconds() - began);
    if (all)
        exhaust_all();
    else
        do
            exhaust((unsigned)(check_random(&draw) % WORLDS));
        while (world_seconds() < until);
    oracle_report(&tally->crashes, "crashes, init's among them",
                  world_seconds() - began);
    printf("# %lu of %d worlds, seed %" PRIu64 "; %lu bits flipped, %lu"
           " missed\n",
           tally->worlds, WORLDS, seed, tally->flips, tally->missed);
    CHECK_UINT(tally->crashes.broken, 0);
    CHECK_UINT(tally->missed, 0);
    CHECK(tally->crashes.torn > 0 && tally->crashes.again > 0 &&
          tally->crashes.checked > 0 && tally->flips > 0);
    sim_image_free(&made);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"every crash of every tiny log, and every bit", storm}};
    seed = check_seed();
    all = getenv("STORM_ALL") != NULL;
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
