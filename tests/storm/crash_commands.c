/*
 * crash_commands.c - crashes of everything that is not an append: compaction
 * in its kinds, redaction, rotation of the key and of the segment, peers,
 * replay, rebuild, salvage, restore.
 *
 * Each is run on a simulated disk with the same log: five segments, two peers,
 * a redaction.  Of every disk that a crash could leave: it opens (after the
 * same command again, where the command is what mends a log that does not);
 * head and root are those before the command or behind it; parity is CLEAN;
 * and, of one in four, the command can be run again and parity is CLEAN then.
 *
 * Some four operations of each, drawn by the seed; STORM_ALL: every one.
 * CHECK_SEED.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "oracle.h"
#include "paritylog_recovery.h"
#include "world.h"

#define DELTAS 23
#define LAST (DELTAS + 1) /* seq of the last one; 1 is init's entry */
#define SEGMENT 4096
#define DIR ORACLE_DIR

static struct oracle_counts counts;
static uint64_t seed, middle = 9;
static struct sim_image base, compacted;
static struct plog_head head; /* of the base */
static bool all;

/* ---- The commands ------------------------------------------------------- */

/* Options of any kind begin with their size and the table. */
#define OPTIONS(type, ...)                                                     \
    struct type o = {.struct_size = sizeof o, .io = &s->io, __VA_ARGS__}

static int compact_with(struct sim *s, bool discard, bool trim, bool undo,
                        struct plog_error *err)
{
    struct plog_compact_report r;
    OPTIONS(plog_compact_options, .discard = discard, .trim_store = trim,
            .undo = undo);
    return plog_compact(DIR, &o, &r, err);
}

static int compact(struct sim *s, struct plog_error *err)
{
    return compact_with(s, false, false, false, err);
}
static int compact_discard(struct sim *s, struct plog_error *err)
{
    return compact_with(s, true, false, false, err);
}
static int compact_trim(struct sim *s, struct plog_error *err)
{
    return compact_with(s, false, true, false, err);
}
static int compact_undo(struct sim *s, struct plog_error *err)
{
    return compact_with(s, false, false, true, err);
}

static int redact(struct sim *s, uint64_t seq, struct plog_error *err)
{
    struct plog_redact_report r;
    OPTIONS(plog_redact_options, .reason = "asked for");
    return plog_redact(DIR, seq, &o, &r, err);
}
static int redact_middle(struct sim *s, struct plog_error *err)
{
    return redact(s, middle, err);
}
static int redact_last(struct sim *s, struct plog_error *err)
{
    return redact(s, LAST, err);
}

static int rotate_key(struct sim *s, struct plog_error *err)
{
    struct plog_rotate_report r;
    OPTIONS(plog_rotate_options, .dry_run = false);
    return plog_key_rotate(DIR, &o, &r, err);
}

static int rotate_segment(struct sim *s, struct plog_error *err)
{
    plog *p;
    uint64_t first;
    OPTIONS(plog_options, .wait_seconds = 1);
    int rc = plog_open(&p, DIR, &o, err);
    if (rc)
        return rc;
    rc = plog_new_segment(p, &first, err);
    plog_close(p);
    return rc == PLOG_PRESENT ? 0 : rc;
}

static int peer_add(struct sim *s, struct plog_error *err)
{
    struct plog_peer_report r;
    OPTIONS(plog_peer_options, .dry_run = false);
    return plog_peer_add(DIR, "third", &o, &r, err);
}
static int peer_evict(struct sim *s, struct plog_error *err)
{
    struct plog_peer_report r;
    OPTIONS(plog_peer_options, .reason = "gone");
    return plog_peer_evict(DIR, "second", &o, &r, err);
}
static int peer_rewind(struct sim *s, struct plog_error *err)
{
    struct plog_peer_report r;
    OPTIONS(plog_peer_options, .dry_run = false);
    return plog_peer_rewind(DIR, "second", 3, &o, &r, err);
}

static int replay_with(struct sim *s, bool fresh, struct plog_error *err)
{
    struct plog_replay_report r;
    OPTIONS(plog_replay_options, .fresh = fresh);
    return plog_replay(DIR, &o, &r, err);
}
static int replay_fresh(struct sim *s, struct plog_error *err)
{
    return replay_with(s, true, err);
}
static int replay(struct sim *s, struct plog_error *err)
{
    return replay_with(s, false, err);
}

static int salvage(struct sim *s, struct plog_error *err)
{
    struct plog_salvage_report r;
    OPTIONS(plog_salvage_options, .from_store = true);
    return plog_salvage(DIR, &o, &r, err);
}
static int install_log(struct sim *s, struct plog_error *err)
{
    struct plog_rebuild_report r;
    OPTIONS(plog_rebuild_options, .install = true);
    return plog_rebuild_log(DIR, NULL, &o, &r, err);
}
static int install_store(struct sim *s, struct plog_error *err)
{
    struct plog_rebuild_report r;
    OPTIONS(plog_rebuild_options, .install = true);
    return plog_rebuild_store(DIR, NULL, &o, &r, err);
}

static int restore_with(struct sim *s, const char *as, struct plog_error *err)
{
    struct plog_restore_report r;
    OPTIONS(plog_restore_options, .continue_as = as);
    return plog_restore(DIR, "/out", &o, &r, err);
}
static int restore(struct sim *s, struct plog_error *err)
{
    return restore_with(s, NULL, err);
}
static int restore_as(struct sim *s, struct plog_error *err)
{
    return restore_with(s, "other", err);
}

/* ---- What they begin on ------------------------------------------------- */

static void lose_store(struct sim *s)
{
    int dir = sim_image_path(&s->cache, DIR);
    sim_image_unlink(&s->cache, dir, "store.db");
    sim_image_unlink(&s->cache, dir, "store.db-wal");
}

static void flip_log(struct sim *s)
{
    int node = sim_image_path(&s->cache, DIR "/log/00000000000000000001.jsonl");
    unsigned char byte = sim_image_bytes(&s->cache, node)[700] ^ 1;
    sim_image_write(&s->cache, node, &byte, 1, 700);
}

static void lose_log(struct sim *s)
{
    int dir = sim_image_path(&s->cache, DIR "/log");
    sim_image_unlink(&s->cache, dir, "00000000000000000001.jsonl");
}

static const struct command {
    const char *name;
    int (*run)(struct sim *s, struct plog_error *err);
    void (*damage)(struct sim *s); /* what it mends; NULL: nothing */
    bool compacted;                /* begins on a compacted log */
    bool mends;                    /* until it is done the log may not open */
    int again;                     /* what running it twice may say, too */
} commands[] = {
    {"compact", compact, NULL, false, false, 0},
    {"compact --discard", compact_discard, NULL, false, false, 0},
    {"compact --trim-store", compact_trim, NULL, false, false, 0},
    {"compact --undo", compact_undo, NULL, true, false, PLOG_E_INPUT},
    {"redact in the middle", redact_middle, NULL, false, false, 0},
    {"redact in the last segment", redact_last, NULL, false, false, 0},
    {"key rotate", rotate_key, NULL, false, false, 0},
    {"rotate", rotate_segment, NULL, false, false, 0},
    {"peer add", peer_add, NULL, false, false, PLOG_E_EXISTS},
    {"peer evict", peer_evict, NULL, false, false, PLOG_E_NOT_FOUND},
    {"peer rewind", peer_rewind, NULL, false, false, PLOG_E_INPUT},
    {"replay --fresh", replay_fresh, NULL, false, true, 0},
    {"replay --fresh from a snapshot", replay_fresh, NULL, true, true, 0},
    {"replay without a store", replay, lose_store, false, true, 0},
    {"rebuild --store --install", install_store, lose_store, false, true, 0},
    {"salvage --from-store", salvage, flip_log, false, true, 0},
    {"rebuild --log --install", install_log, lose_log, false, true, 0},
    {"restore", restore, NULL, false, false, PLOG_E_EXISTS},
    {"restore --continue-as", restore_as, NULL, false, false, PLOG_E_EXISTS},
};
#define COMMANDS (sizeof commands / sizeof *commands)
static const struct command *command; /* that is being crashed */

/* ---- The storm ---------------------------------------------------------- */

static const char *holds(struct oracle *o, struct sim *s,
                         struct plog_error *err)
{
    if (!command->mends && check_random(&o->seed) % 4)
        return NULL;
    int rc = command->run(s, err);
    return rc == 0 || rc == command->again ? NULL : "it cannot be run again";
}

static int run_command(struct sim *s, struct plog_error *err)
{
    return command->run(s, err);
}

static void crash_command(const struct command *c)
{
    struct oracle o;
    struct plog_error err = {0};
    command = c;
    oracle_begin(&o, c->name, c->compacted ? &compacted : &base, seed + 1,
                 &counts);
    o.holds = holds;
    o.mend = c->mends ? run_command : NULL;
    o.breadth = (struct sim_breadth){3, 4, 6};
    o.again_breadth = (struct sim_breadth){1, 1, 2};
    o.again_every = 32;
    o.twice_every = 16;
    o.parity_every = 1;
    oracle_ended(&o, 0, 0);
    if (c->damage) {
        c->damage(&o.sim);
        sim_image_free(&o.start);
        sim_image_copy(&o.start, &o.sim.cache);
    }
    int rc = c->run(&o.sim, &err);
    if (!CHECK_INT(rc, 0))
        printf("#   %s: %s\n", c->name, err.message);
    oracle_ended(&o, 0, rc);
    o.op_every = all ? 1 : (unsigned)o.sim.history.count / 4 + 1;
    double began = world_seconds();
    struct oracle_counts before = counts;
    oracle_crash_all(&o);
    printf("#   %-32s %4zu operations, %6lu disks, %lu broken, %.1f s\n",
           c->name, o.sim.history.count, counts.distinct - before.distinct,
           counts.broken - before.broken, world_seconds() - began);
    fflush(stdout);
    oracle_end(&o);
}

static void fill(struct oracle *o)
{
    char text[1200], id[16], record[16], payload[400];
    oracle_open(o);
    for (int i = 0; i < DELTAS; i++) {
        memset(payload, 'x', sizeof payload);
        snprintf(payload, sizeof payload, "{\"v\":\"%d%0*d\"}", i, 200, 0);
        snprintf(id, sizeof id, "i%d", i);
        snprintf(record, sizeof record, "r%d", i % 5);
        bool gone = i % 7 == 6;
        struct world_delta d = {.id = i % 2 ? id : NULL,
                                .record = record,
                                .op = gone ? "delete" : "upsert",
                                .payload = gone ? "null" : payload};
        world_text(text, sizeof text, &d);
        CHECK_INT(plog_append(o->p, text, strlen(text), NULL, NULL), 0);
    }
    oracle_close(o);
}

static void make(void)
{
    struct oracle o;
    struct sim *s = &o.sim;
    struct plog_peer_report r;
    struct plog_error err = {0};
    oracle_begin(&o, "base", NULL, seed, &counts);
    o.sim.recording = false;
    oracle_init(&o, PLOG_MERGE_JSON, SEGMENT);
    fill(&o);
    struct plog_peer_options p = {.struct_size = sizeof p, .io = &s->io};
    CHECK_INT(plog_peer_add(DIR, "first", &p, &r, NULL), 0);
    CHECK_INT(plog_peer_add(DIR, "second", &p, &r, NULL), 0);
    CHECK(oracle_head(s, &head));
    CHECK_INT(plog_peer_ack(DIR, "first", head.size, head.root, &p, &r, NULL),
              0);
    CHECK_INT(plog_peer_ack(DIR, "second", head.size, head.root, &p, &r, NULL),
              0);
    CHECK_INT(redact(s, 4, &err), 0);
    CHECK_INT(oracle_parity(s), 0);
    sim_image_copy(&base, &s->cache);
    CHECK_INT(compact(s, &err), 0);
    CHECK_INT(oracle_parity(s), 0);
    sim_image_copy(&compacted, &s->cache);
    oracle_end(&o);
}

static void storm(void)
{
    double began = world_seconds();
    make();
    for (size_t i = 0; i < COMMANDS; i++)
        crash_command(&commands[i]);
    oracle_report(&counts, "crashes of commands", world_seconds() - began);
    printf("# seed %" PRIu64 "\n", seed);
    CHECK_UINT(counts.broken, 0);
    sim_image_free(&base);
    sim_image_free(&compacted);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"crashes of every other command", storm}};
    all = getenv("STORM_ALL") != NULL;
    seed = check_seed();
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
