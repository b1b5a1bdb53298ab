/*
 * test_doctor.c - doctor as a library call: it stops when told, goes on when
 * a check cannot be made, and its verdict is that of the legs first.  What it
 * says of the file system and the space is in test_fs.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "dir.h"
#include "world.h"

/* ---- What was heard ----------------------------------------------------- */

#define HEARD_MAX 24

struct heard {
    unsigned count, stop_at; /* 0: never */
    char name[HEARD_MAX][24];
    enum plog_health health[HEARD_MAX];
};

static int hear(void *arg, const struct plog_checkup *c)
{
    struct heard *h = arg;
    CHECK(h->count < HEARD_MAX);
    CHECK(c->found[0] != '\0');
    snprintf(h->name[h->count], sizeof h->name[0], "%s", c->name);
    h->health[h->count++] = c->health;
    return h->count == h->stop_at;
}

/* The worst that was said under a name; -1: nothing. */
static int said(const struct heard *h, const char *name)
{
    int worst = -1;
    for (unsigned i = 0; i < h->count; i++)
        if (!strcmp(h->name[i], name) && (int)h->health[i] > worst)
            worst = (int)h->health[i];
    return worst;
}

static int doctor(const struct world *w, const struct plog_io *io, bool quick,
                  struct heard *h, struct plog_doctor_report *r)
{
    struct plog_doctor_options o = {.struct_size = sizeof o,
                                    .io = io,
                                    .quick = quick,
                                    .checkup = hear,
                                    .arg = h};
    unsigned stop_at = h->stop_at;
    memset(h, 0, sizeof *h);
    h->stop_at = stop_at;
    return plog_doctor(w->dir, &o, r, NULL);
}

static void make(struct world *w)
{
    world_make(w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(world_put(w, "a", "1", "x", NULL), 0);
    world_close(w);
}

/* ---- Cases -------------------------------------------------------------- */

static void all_of_it(void)
{
    static const char *const names[] = {
        "directory",    "file system", "free space", "signing key",
        "trusted keys", "SQLite",      "libsodium",  "log and store",
        "quarantine",   "last drill",  "clock"};
    struct world w;
    struct heard h = {0};
    struct plog_doctor_report r;
    struct plog_error err = {0};
    make(&w);
    CHECK_INT(doctor(&w, NULL, false, &h, &r), 0);
    CHECK_INT(r.verdict, 0);
    CHECK_INT(r.legs.entries, 2);
    uint64_t sum = 0;
    for (int i = 0; i < PLOG_HEALTHS; i++)
        sum += r.counts[i];
    CHECK_UINT(sum, h.count);
    CHECK_INT(h.count, sizeof names / sizeof *names);
    for (unsigned i = 0; i < h.count; i++)
        CHECK_TEXT(h.name[i], names[i]);
    CHECK_INT(said(&h, "log and store"), PLOG_HEALTH_OK);
    CHECK_INT(said(&h, "last drill"), PLOG_HEALTH_WARN);
    /* Without a callback, and with a structure of another version. */
    CHECK_INT(plog_doctor(w.dir, NULL, &r, &err), 0);
    CHECK_INT(r.verdict, 0);
    struct plog_doctor_options odd = {.struct_size = 1};
    CHECK_INT(plog_doctor(w.dir, &odd, &r, &err), PLOG_E_ARG);
    world_end(&w, 2);
}

static void drilled(void)
{
    struct world w;
    struct heard h = {0};
    struct plog_doctor_report r;
    struct plog_drill_report d;
    make(&w);
    CHECK_INT(plog_drill(w.dir, NULL, &d, NULL), 0);
    CHECK_INT(doctor(&w, NULL, true, &h, &r), 0);
    CHECK_INT(said(&h, "last drill"), PLOG_HEALTH_OK);
    CHECK_INT(said(&h, "log and store"), PLOG_HEALTH_NOTE);
    CHECK_INT(r.legs.head.size, 2);
    world_end(&w, 2);
}

static unsigned opened;

static int count_opened(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    opened++;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* Whoever says stop waits neither for parity nor hears another word, nor is
 * anything looked at behind the legs. */
static void stops(void)
{
    struct world w;
    struct heard h = {0};
    struct plog_doctor_report r;
    struct plog_io io = *plog_io_posix();
    io.open_at = count_opened;
    make(&w);
    opened = 0;
    CHECK_INT(doctor(&w, &io, false, &h, &r), 0);
    unsigned all = h.count, needed = opened;
    for (unsigned at = 1; at < all; at++) {
        h.stop_at = at;
        opened = 0;
        CHECK_INT(doctor(&w, &io, false, &h, &r), PLOG_E_INTERRUPTED);
        CHECK(at != 8 || opened < needed); /* 8: of the legs */
        CHECK_INT(h.count, at);
        CHECK_INT(r.verdict, PLOG_E_INTERRUPTED);
        CHECK_UINT(r.legs.entries, at < 8 ? 0 : 2);
    }
    world_end(&w, 2);
}

/* A table in which one folder cannot be opened, log/ cannot be listed, or the
 * clock is another one. */
static const char *closed;
static int64_t late_ns;
static bool no_list, is_log[256];

static int fake_open_at(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    if (closed && !strcmp(name, closed))
        return -EACCES;
    int fd = plog_io_posix()->open_at(ctx, dir, name, flags, mode);
    if (fd >= 0 && fd < 256)
        is_log[fd] = !strcmp(name, "log");
    return fd;
}

static int fake_list(void *ctx, int dir,
                     int (*each)(void *arg, const char *name), void *arg)
{
    bool fails = no_list && dir >= 0 && dir < 256 && is_log[dir];
    return fails ? -EIO : plog_io_posix()->list(ctx, dir, each, arg);
}

static int64_t fake_clock(void *ctx)
{
    return plog_io_posix()->clock_real_ns(ctx) + late_ns;
}

static const struct plog_io *faked(const char *name, bool list, int64_t late)
{
    static struct plog_io io;
    io = *plog_io_posix();
    io.open_at = fake_open_at;
    io.list = fake_list;
    io.clock_real_ns = fake_clock;
    closed = name;
    no_list = list;
    late_ns = late;
    return &io;
}

static void cannot_look(void)
{
    struct world w;
    struct heard h = {0};
    struct plog_doctor_report r;
    struct plog_replay_report replayed;
    struct plog_replay_options fresh = {.struct_size = sizeof fresh,
                                        .fresh = true};
    make(&w);
    CHECK_INT(plog_replay(w.dir, &fresh, &replayed, NULL), 0);
    CHECK_INT(doctor(&w, NULL, true, &h, &r), 0);
    CHECK_INT(said(&h, "quarantine"), PLOG_HEALTH_NOTE);
    CHECK_INT(doctor(&w, faked("quarantine", false, 0), true, &h, &r), 0);
    CHECK_INT(said(&h, "quarantine"), PLOG_HEALTH_UNKNOWN);
    CHECK_INT(r.verdict, 0);
    /* No list of segments: the legs cannot be told, the drill can. */
    for (int quick = 0; quick < 2; quick++) {
        CHECK_INT(doctor(&w, faked(NULL, true, 0), quick, &h, &r), 0);
        CHECK_INT(said(&h, "directory"), PLOG_HEALTH_UNKNOWN);
        CHECK_INT(said(&h, "free space"), PLOG_HEALTH_UNKNOWN);
        CHECK_INT(said(&h, "log and store"), PLOG_HEALTH_BAD);
        CHECK_INT(said(&h, "last drill"), PLOG_HEALTH_WARN);
        CHECK_INT(said(&h, "clock"), PLOG_HEALTH_OK);
        CHECK_INT(r.verdict, PLOG_E_IO);
    }
    world_end(&w, 2);
}

static void clock_goes_wrong(void)
{
    const int64_t day = 86400LL * 1000000000;
    struct world w;
    struct heard h = {0};
    struct plog_doctor_report r;
    struct plog_drill_report d;
    make(&w);
    CHECK_INT(plog_drill(w.dir, NULL, &d, NULL), 0);
    CHECK_INT(doctor(&w, faked(NULL, false, -3 * day), true, &h, &r), 0);
    CHECK_INT(said(&h, "clock"), PLOG_HEALTH_WARN);
    CHECK_INT(said(&h, "last drill"), PLOG_HEALTH_WARN);
    CHECK_INT(r.verdict, 0);
    CHECK_INT(doctor(&w, faked(NULL, false, 31 * day), true, &h, &r), 0);
    CHECK_INT(said(&h, "clock"), PLOG_HEALTH_OK);
    CHECK_INT(said(&h, "last drill"), PLOG_HEALTH_OK);
    CHECK_INT(doctor(&w, faked(NULL, false, 33 * day), true, &h, &r), 0);
    CHECK_INT(said(&h, "last drill"), PLOG_HEALTH_WARN);
    world_end(&w, 2);
}

/* The key is bad and the store gone: the legs' code; then the key's. */
static void legs_first(void)
{
    struct world w;
    struct heard h = {0};
    struct plog_doctor_report r;
    make(&w);
    CHECK_INT(chmod(world_path(&w, "keys/signing.key"), 0640), 0);
    CHECK_INT(doctor(&w, NULL, false, &h, &r), 0);
    CHECK_INT(r.verdict, PLOG_E_KEY);
    world_remove(world_path(&w, "store.db"));
    world_remove(world_path(&w, "store.db-wal"));
    for (int quick = 0; quick < 2; quick++) {
        CHECK_INT(doctor(&w, NULL, quick, &h, &r), 0);
        CHECK_INT(said(&h, "signing key"), PLOG_HEALTH_BAD);
        CHECK_INT(said(&h, "log and store"), PLOG_HEALTH_BAD);
        CHECK_INT(r.verdict, PLOG_E_BEHIND);
        CHECK_INT(r.legs.verdict, PLOG_E_BEHIND);
    }
    CHECK_INT(chmod(world_path(&w, "keys/signing.key"), 0600), 0);
    struct plog_replay_report replayed;
    CHECK_INT(plog_replay(w.dir, NULL, &replayed, NULL), 0);
    CHECK_INT(doctor(&w, NULL, false, &h, &r), 0);
    CHECK_INT(r.verdict, 0);
    world_end(&w, 2);
}

/* Of what parity finds, the first; and what to do about that. */
static int hear_legs(void *arg, const struct plog_checkup *c)
{
    if (strcmp(c->name, "log and store") == 0)
        snprintf(arg, 600, "%s; do %s", c->found, c->next);
    return 0;
}

static void first_finding(void)
{
    struct world w;
    struct plog_doctor_report r;
    char said_of[600] = "";
    struct plog_doctor_options o = {
        .struct_size = sizeof o, .checkup = hear_legs, .arg = said_of};
    make(&w);
    world_sql(&w, "UPDATE events SET line=line||' ' WHERE seq=1;"
                  " DELETE FROM checkpoints WHERE size=2");
    CHECK_INT(plog_doctor(w.dir, &o, &r, NULL), 0);
    CHECK_INT(r.legs.verdict, PLOG_E_DIVERGED);
    CHECK(r.legs.counts[-PLOG_E_DIVERGED] > 1);
    CHECK_TEXT(said_of, "DIVERGED; first: DIVERGED in the store, store.db seq 1"
                        "; do paritylog replay DIR --fresh (keeps this store"
                        " in quarantine/)");
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"all of it", all_of_it},
        {"a drill", drilled},
        {"it stops when told", stops},
        {"what cannot be looked at", cannot_look},
        {"a clock that went wrong", clock_goes_wrong},
        {"the legs' verdict first", legs_first},
        {"the first finding", first_finding},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
