/* sweep_worlds.c - see sweep_worlds.h. */
#include "sweep_worlds.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "killing.h"
#include "files.h"
#include "world.h"

char *sweep_delta(char *out, size_t cap, const char *id, const char *record,
                  int fill)
{
    char payload[4200];
    struct world_delta d = {.id = id, .record = record, .payload = payload};
    snprintf(payload, sizeof payload, "{\"v\":\"%0*d\"}", fill, 7);
    return world_text(out, cap, &d);
}

static void put(plog *p, const char *id, const char *record)
{
    char text[5000];
    sweep_delta(text, sizeof text, id, record, 60);
    CHECK_INT(plog_append(p, text, strlen(text), NULL, NULL), 0);
}

static plog *open_log(const char *dir)
{
    plog *p = NULL;
    CHECK_INT(plog_open(&p, dir, NULL, NULL), 0);
    return p;
}

static void new_segment(plog *p)
{
    uint64_t first;
    CHECK_INT(plog_new_segment(p, &first, NULL), 0);
}

static void set_cursor(plog *p)
{
    struct plog_cursor c = {{"src", 3}, {"*", 1}, {"page 7", 6}};
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = &c, .cursor_count = 1};
    CHECK_INT(plog_append_group(p, &g, NULL, NULL), 0);
}

/* The checkpoint as it is now, and what inspect is to look at. */
static void write_beside(const char *top, const char *dir)
{
    static const char lines[] =
        "{\"a\":1}\n{\"a\":1}\n{\"a\":\n\n[1]\n{\"b\":2";
    char note[PLOG_CHECKPOINT_MAX], path[600];
    plog_reader *r = NULL;
    CHECK_INT(plog_reader_open(&r, dir, NULL, NULL), 0);
    CHECK_INT(plog_reader_checkpoint(r, note, NULL), 0);
    plog_reader_close(r);
    snprintf(path, sizeof path, "%.580s/file", top);
    world_write(path, note, strlen(note));
    snprintf(path, sizeof path, "%.580s/lines", top);
    world_write(path, lines, sizeof lines - 1);
}

/* A verifier key that the log does not know. */
static void write_other_key(const char *top)
{
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .origin = "sweep.example/stranger"};
    char vkey[PLOG_VKEY_MAX], path[600];
    snprintf(path, sizeof path, "%.580s/stranger", top);
    CHECK_INT(plog_init(path, &o, vkey, NULL), 0);
    tree_remove(path);
    snprintf(path, sizeof path, "%.580s/vkey", top);
    world_write(path, vkey, strlen(vkey));
}

static void make_plain(const char *top)
{
    char beside[600], dir[700];
    static const char *const records[] = {"r1", "r2", "r3"};
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .origin = SWEEP_ORIGIN,
                                  .segment_size_bytes = 4096};
    struct plog_redact_options ro = {.struct_size = sizeof ro,
                                     .reason = "a test"};
    struct plog_redact_report rr;
    struct plog_peer_report pr;
    struct plog_head at_8;
    char vkey[PLOG_VKEY_MAX], id[SWEEP_TEXT];
    snprintf(beside, sizeof beside, "%s/plain", top);
    snprintf(dir, sizeof dir, "%s/log", beside);
    CHECK(mkdir(beside, 0700) == 0);
    CHECK_INT(plog_init(dir, &o, vkey, NULL), 0);
    plog *p = open_log(dir);
    for (int i = 1; i <= 9; i++) {
        snprintf(id, sizeof id, "i%d", i);
        put(p, id, records[i % 3]);
        if (i == 4)
            write_beside(beside, dir);
        if (i == 7)
            CHECK_INT(plog_get_head(p, &at_8, NULL), 0);
        if (i == 4 || i == 7)
            new_segment(p);
    }
    set_cursor(p);
    plog_close(p);
    CHECK_INT(plog_peer_add(dir, "p", NULL, &pr, NULL), 0);
    CHECK_INT(plog_peer_ack(dir, "p", 8, at_8.root, NULL, &pr, NULL), 0);
    write_other_key(beside);
    CHECK_INT(plog_redact(dir, SWEEP_REDACTED, &ro, &rr, NULL), 0);
}

/* Makes `name` as a copy of `of`; its log. */
static const char *copy_world(const char *top, const char *of, const char *name)
{
    static char dir[600];
    char from[600];
    snprintf(from, sizeof from, "%s/%s", top, of);
    snprintf(dir, sizeof dir, "%s/%s", top, name);
    tree_copy(from, dir);
    strcat(dir, "/log");
    return dir;
}

static int compact_over(void *arg, const struct plog_io *io)
{
    struct plog_compact_options o = {.struct_size = sizeof o, .io = io};
    struct plog_compact_report r;
    return plog_compact(arg, &o, &r, NULL);
}

static void make_compacted(const char *dir)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report r;
    CHECK_INT(compact_over((void *)(uintptr_t)dir, plog_io_posix()), 0);
    CHECK_INT(plog_key_rotate(dir, &o, &r, NULL), 0);
    plog *p = open_log(dir);
    put(p, "j1", "r1");
    plog_close(p);
}

/* Kills compactions of copies ever later, until one has begun to take segments
 * away. */
static void make_halfway(const char *top)
{
    char path[600];
    struct plog_status st = {.below_floor = 0};
    snprintf(path, sizeof path, "%s/halfway", top);
    for (long n = 20; n < 400 && st.below_floor == 0; n += 3) {
        const char *dir = copy_world(top, "plain", "halfway");
        bool killed = killing_run(n, compact_over, (void *)(uintptr_t)dir);
        CHECK(killed);
        CHECK_INT(plog_read_status(dir, NULL, &st, NULL), 0);
        if (!killed)
            return;
        if (st.below_floor == 0)
            tree_remove(path);
    }
    CHECK(st.below_floor > 0);
}

static void remove_store(const char *dir)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char path[700];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/store.db%s", dir, ends[i]);
        unlink(path);
    }
}

/* The store of `plain`, and a log that goes on. */
static void make_behind(const char *top, const char *dir)
{
    static const char *const files[] = {"store.db", "store.db-wal"};
    struct world w = {.p = NULL};
    char from[700], to[700];
    size_t n;
    snprintf(w.dir, sizeof w.dir, "%.500s", dir);
    uint64_t size = world_size(&w);
    plog *p = open_log(dir);
    put(p, "k1", "r1");
    new_segment(p);
    put(p, "k2", "r2");
    plog_close(p);
    char *line = world_line(&w, size + 1, &n);
    snprintf(to, sizeof to, "%s/behind/lines", top);
    world_write(to, line, n);
    free(line);
    remove_store(dir);
    for (int i = 0; i < 2; i++) {
        snprintf(from, sizeof from, "%s/plain/log/%s", top, files[i]);
        snprintf(to, sizeof to, "%s/%s", dir, files[i]);
        if (access(from, F_OK) == 0)
            world_copy(from, to);
    }
}

/* The path of the last segment, or of the middle one. */
static void segment_of(const char *dir, bool last, char *out, size_t cap)
{
    struct tree t;
    char path[700];
    snprintf(path, sizeof path, "%s/log", dir);
    tree_read(&t, path);
    REQUIRE(t.count > 1);
    snprintf(out, cap, "%s/%s", path, t.files[last ? t.count - 1 : 1].name);
    tree_free(&t);
}

static void tear(const char *dir)
{
    char path[900];
    segment_of(dir, true, path, sizeof path);
    FILE *f = fopen(path, "ab");
    REQUIRE(f != NULL);
    fputs("{\"seq\":99,\"torn", f);
    CHECK(fclose(f) == 0);
}

static void damage(const char *dir)
{
    char path[900];
    size_t n;
    segment_of(dir, false, path, sizeof path);
    char *bytes = world_read(path, &n);
    bytes[n / 2] ^= 1;
    world_write(path, bytes, n);
    free(bytes);
}

/* ---- By name ------------------------------------------------------------ */

static void make_logless(const char *dir)
{
    char path[700];
    snprintf(path, sizeof path, "%s/log", dir);
    tree_remove(path);
}

void sweep_make_world(const char *top, const char *name)
{
    static const struct {
        const char *name, *of;
        void (*make)(const char *dir);
    } all[] = {
        {"compacted", "plain", make_compacted},
        {"cut", "behind", tear},
        {"damaged", "plain", damage},
        {"storeless", "plain", remove_store},
        {"logless", "plain", make_logless},
    };
    char path[700];
    snprintf(path, sizeof path, "%s/%s", top, name);
    if (access(path, F_OK) == 0 || !name[0])
        return;
    if (strcmp(name, "plain") == 0) {
        make_plain(top);
        return;
    }
    sweep_make_world(top, strcmp(name, "cut") == 0 ? "behind" : "plain");
    if (strcmp(name, "behind") == 0)
        make_behind(top, copy_world(top, "plain", name));
    else if (strcmp(name, "halfway") == 0)
        make_halfway(top);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(name, all[i].name) == 0)
            all[i].make(copy_world(top, all[i].of, name));
}

void sweep_make_worlds(const char *top)
{
    static const char *const names[] = {"plain",     "compacted", "behind",
                                        "cut",       "halfway",   "damaged",
                                        "storeless", "logless"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        sweep_make_world(top, names[i]);
}
