/*
 * test_fs.c - a network file system is refused for writing, unless told; and
 * what doctor says of the file system and the space.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "fs.h"
#include "world.h"

static uint64_t type, free_bytes;

static int fake(void *ctx, int fd, struct plog_fs *out)
{
    (void)ctx, (void)fd;
    out->type = type;
    out->free_bytes = free_bytes;
    return 0;
}

static const struct plog_io *faked(uint64_t t, uint64_t f)
{
    static struct plog_io io;
    io = *plog_io_posix();
    io.file_system = fake;
    type = t;
    free_bytes = f;
    return &io;
}

#define NFS 0x6969
#define EXT4 0xef53
#define PLENTY (1ull << 40)

static int open_over(struct world *w, const struct plog_io *io,
                     struct plog_error *err)
{
    struct plog_options o = {.struct_size = sizeof o, .io = io};
    int rc = plog_open(&w->p, w->dir, &o, err);
    if (!rc)
        plog_close(w->p);
    w->p = NULL;
    return rc;
}

static void refused(void)
{
    struct world w;
    struct plog_error err = {0};
    struct plog_replay_report replayed;
    char vkey[PLOG_VKEY_MAX], fresh[600];
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(world_put(&w, "a", "1", "x", NULL), 0);
    world_close(&w);
    CHECK_INT(open_over(&w, faked(NFS, PLENTY), &err), PLOG_E_IO);
    CHECK(strstr(err.message, "network file system (nfs)") != NULL);
    CHECK(strstr(err.hint, PLOG_FS_MARKER) != NULL);
    struct plog_replay_options r = {.struct_size = sizeof r,
                                    .io = faked(0xff534d42, PLENTY)};
    CHECK_INT(plog_replay(w.dir, &r, &replayed, &err), PLOG_E_IO);
    r.fresh = true; /* which sets the store aside, but not for nothing */
    CHECK_INT(plog_replay(w.dir, &r, &replayed, &err), PLOG_E_IO);
    CHECK(world_has(&w, "store.db"));
    CHECK(!world_has(&w, "quarantine"));
    snprintf(fresh, sizeof fresh, "%.500s-fresh", w.dir);
    struct plog_init_options i = {.struct_size = sizeof i,
                                  .io = faked(NFS, PLENTY)};
    CHECK_INT(plog_init(fresh, &i, vkey, &err), PLOG_E_IO);
    /* Reading is as ever. */
    plog_reader *reader;
    struct plog_options o = {.struct_size = sizeof o, .io = faked(NFS, PLENTY)};
    CHECK_INT(plog_reader_open(&reader, w.dir, &o, &err), 0);
    plog_reader_close(reader);
    /* Told: by an option, for this handle; nothing of it stays. */
    o.allow_network_fs = true;
    CHECK_INT(plog_open(&w.p, w.dir, &o, &err), 0);
    CHECK_INT(world_put(&w, "b", "2", "x", NULL), 0);
    world_close(&w);
    r.allow_network_fs = true;
    CHECK_INT(plog_replay(w.dir, &r, &replayed, &err), 0);
    i.allow_network_fs = true;
    CHECK_INT(plog_init(fresh, &i, vkey, &err), 0);
    CHECK_INT(open_over(&w, faked(NFS, PLENTY), &err), PLOG_E_IO);
    /* By a file, once and for all. */
    world_write(world_path(&w, PLOG_FS_MARKER), "", 0);
    CHECK_INT(open_over(&w, faked(NFS, PLENTY), &err), 0);
    world_end(&w, 3);
}

static void others_pass(void)
{
    static const uint64_t types[] = {EXT4,       0x58465342, 0x01021994,
                                     0x65735546, 0x794c7630, 0x12345};
    struct world w;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    world_close(&w);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        CHECK_INT(open_over(&w, faked(types[i], PLENTY), NULL), 0);
    struct plog_io none = *plog_io_posix();
    none.file_system = NULL;
    CHECK_INT(open_over(&w, &none, NULL), 0);
    world_end(&w, 1);
}

struct heard {
    enum plog_health file_system, space;
};

static int hear(void *arg, const struct plog_checkup *c)
{
    struct heard *h = arg;
    if (!strcmp(c->name, "file system"))
        h->file_system = c->health;
    if (!strcmp(c->name, "free space"))
        h->space = c->health;
    return 0;
}

static int doctor(struct world *w, uint64_t t, uint64_t f, struct heard *h)
{
    struct plog_doctor_report r;
    struct plog_doctor_options o = {.struct_size = sizeof o,
                                    .io = faked(t, f),
                                    .quick = true,
                                    .checkup = hear,
                                    .arg = h};
    CHECK_INT(plog_doctor(w->dir, &o, &r, NULL), 0);
    return r.verdict;
}

static void doctor_says(void)
{
    struct world w;
    struct heard h;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    world_close(&w);
    CHECK_INT(doctor(&w, EXT4, PLENTY, &h), 0);
    CHECK_INT(h.file_system, PLOG_HEALTH_OK);
    CHECK_INT(h.space, PLOG_HEALTH_OK);
    CHECK_INT(doctor(&w, EXT4, 1 << 20, &h), PLOG_E_IO);
    CHECK_INT(h.space, PLOG_HEALTH_BAD);
    CHECK_INT(doctor(&w, NFS, PLENTY, &h), PLOG_E_IO);
    CHECK_INT(h.file_system, PLOG_HEALTH_BAD);
    CHECK_INT(doctor(&w, 0x65735546, PLENTY, &h), 0);
    CHECK_INT(h.file_system, PLOG_HEALTH_WARN);
    CHECK_INT(doctor(&w, 0x01021994, PLENTY, &h), 0);
    CHECK_INT(h.file_system, PLOG_HEALTH_WARN);
    CHECK_INT(doctor(&w, 0x777, PLENTY, &h), 0);
    CHECK_INT(h.file_system, PLOG_HEALTH_NOTE);
    world_write(world_path(&w, PLOG_FS_MARKER), "", 0);
    CHECK_INT(doctor(&w, NFS, PLENTY, &h), 0);
    CHECK_INT(h.file_system, PLOG_HEALTH_WARN);
    world_end(&w, 1);
}

/* A drill that would not fit writes nothing. */
static void no_room_for_a_drill(void)
{
    struct world w;
    struct plog_drill_report r;
    struct plog_error err = {0};
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(world_put(&w, "a", "1", "x", NULL), 0);
    world_close(&w);
    struct plog_drill_options o = {.struct_size = sizeof o,
                                   .io = faked(EXT4, 4096)};
    CHECK_INT(plog_drill(w.dir, &o, &r, &err), PLOG_E_IO);
    CHECK(strstr(err.message, "4096 are free") != NULL);
    CHECK(strstr(err.hint, "--scratch") != NULL);
    CHECK(!world_has(&w, "drill.json"));
    o.io = faked(EXT4, PLENTY);
    CHECK_INT(plog_drill(w.dir, &o, &r, &err), 0);
    CHECK_INT(r.verdict, 0);
    CHECK(world_has(&w, "drill.json"));
    world_end(&w, 2);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"refused", refused},
        {"others pass", others_pass},
        {"doctor says", doctor_says},
        {"no room for a drill", no_room_for_a_drill},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
