/*
 * test_key_list.c - the keys that a log had and those that are trusted: listed
 * with and without a store, trusted one by one, two keys with one id, folders
 * that are full, missing or odd.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "key.h"
#include "line.h"
#include "sha256.h"
#include "tree.h"
#include "world.h"

#define FIRST "log/00000000000000000001.jsonl"

/* Two keys with one id, which is 32 bits of a hash of name and key: two names
 * for the key that the randomness of `sevens` gives. */
#define SAME_ID "cea87f53"
#define PUBLIC "AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
#define OWN_NAME "log-1220"
#define OWN OWN_NAME "+" SAME_ID "+" PUBLIC
#define TWIN "log-170255+" SAME_ID "+" PUBLIC

/* ---- Logs --------------------------------------------------------------- */

static struct plog_io io; /* the real one, which the cases change */

static int sevens(void *ctx, void *p, size_t n)
{
    (void)ctx;
    memset(p, 7, n);
    return 0;
}

/* A log of two entries; closed. */
static void make(struct world *w)
{
    io = *plog_io_posix();
    world_make(w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(w, "a", "1", "a", NULL), 0);
    world_close(w);
}

/* One whose key has a twin. */
static void make_own(struct world *w)
{
    struct plog_init_options o = {.struct_size = sizeof o, .origin = OWN_NAME};
    io = *plog_io_posix();
    memset(w, 0, sizeof *w);
    io.random = sevens;
    o.io = &io;
    snprintf(w->dir, sizeof w->dir, "%.400s/own", check_dir());
    world_remove(w->dir);
    CHECK_INT(plog_init(w->dir, &o, w->vkey, NULL), 0);
    CHECK_TEXT(w->vkey, OWN);
    io.random = plog_io_posix()->random;
}

static void rotate(const struct world *w, struct plog_rotate_report *r)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    CHECK_INT(plog_key_rotate(w->dir, &o, r, NULL), 0);
}

static void write_key(const struct world *w, const char *name, const char *text)
{
    char below[80], line[PLOG_VKEY_MAX + 1];
    snprintf(below, sizeof below, "keys/%s", name);
    snprintf(line, sizeof line, "%s\n", text);
    world_write(world_path(w, below), line, strlen(line));
}

/* ---- Listing ------------------------------------------------------------ */

struct listed {
    struct plog_key_info k[70];
    int count, stop_at, answer;
};

static int take(void *arg, const struct plog_key_info *k)
{
    struct listed *l = arg;
    if (l->count < 70)
        l->k[l->count] = *k;
    return ++l->count == l->stop_at ? l->answer : 0;
}

static int list(const struct world *w, struct listed *l, struct plog_error *err)
{
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    memset(l, 0, sizeof *l);
    memset(err, 0, sizeof *err);
    return plog_key_list(w->dir, &o, take, l, err);
}

static const char *id_of(const char *vkey)
{
    static char id[PLOG_KEYID_TEXT];
    memcpy(id, strchr(vkey, '+') + 1, sizeof id - 1);
    return id;
}

/* From the store, and from the log when there is none: the same. */
static void with_and_without_a_store(void)
{
    struct world w;
    struct plog_rotate_report r;
    struct plog_error err;
    struct listed l;
    char shown[PLOG_VKEY_MAX];
    make(&w);
    rotate(&w, &r); /* entry 3 */
    write_key(&w, "other.vkey", OWN);
    for (int torn = 0; torn < 3; torn++) {
        CHECK_INT(list(&w, &l, &err), 0);
        CHECK_INT(l.count, 3);
        CHECK_TEXT(l.k[0].vkey, w.vkey);
        CHECK(l.k[0].in_log && l.k[0].trusted && !l.k[0].current);
        CHECK(!l.k[0].secret);
        CHECK_UINT(l.k[0].from, 1);
        CHECK_UINT(l.k[0].to, 3);
        CHECK_TEXT(l.k[1].vkey, r.new_vkey);
        CHECK(l.k[1].in_log && l.k[1].trusted && l.k[1].current);
        CHECK(l.k[1].secret);
        CHECK_UINT(l.k[1].from, 4);
        CHECK_UINT(l.k[1].to, 0);
        CHECK_TEXT(l.k[2].vkey, OWN);
        CHECK(!l.k[2].in_log && l.k[2].trusted && !l.k[2].current);
        CHECK(!l.k[2].secret);
        CHECK_INT(plog_key_show(w.dir, NULL, shown, NULL), 0);
        CHECK_TEXT(shown, r.new_vkey);
        world_drop_store(&w);
        if (torn == 1) { /* a torn end hides no key */
            FILE *f = fopen(world_path(&w, FIRST), "a");
            REQUIRE(f);
            fputs("{\"seq\":4,", f);
            fclose(f);
        }
    }
}

/* The lines of the log's two entries, as those of one group: the second loses
 * its logged_at. */
static void join_lines(struct plog_buf *b, const char *at,
                       struct plog_tree *tree)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    for (const char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        size_t len = (size_t)(end - at), from = b->len;
        const char *own = memmem(at, len, ",\"logged_at\":", 13);
        if (!strncmp(at, "{\"commit\"", 9))
            continue;
        bool second = own && !strncmp(at, "{\"seq\":2,", 9);
        CHECK_INT(plog_buf_add(b, at, second ? (size_t)(own - at) : len), 0);
        CHECK_INT(plog_buf_add_text(b, second ? "}\n" : "\n"), 0);
        plog_hash_leaf(b->data + from, b->len - from - 1, leaf);
        if (from) /* no header */
            CHECK_INT(plog_tree_add(tree, leaf), 0);
    }
}

/* One commit signs both entries. */
static void join_groups(const struct world *w)
{
    struct plog_signer s;
    struct plog_tree tree;
    struct plog_buf b;
    struct plog_commit c = {.size = 2};
    size_t n;
    char *log = world_read(world_path(w, FIRST), &n);
    int keys = open(world_path(w, "keys"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    plog_tree_init(&tree);
    plog_buf_init(&b, &io);
    join_lines(&b, log, &tree);
    free(log);
    plog_tree_root(&tree, c.root);
    CHECK_INT(plog_signer_load(&s, &io, keys, NULL, NULL), 0);
    memcpy(c.key, s.vkey.id_text, sizeof c.key);
    CHECK_INT(plog_signer_sign(&s, s.vkey.name, c.size, c.root, c.sig), 0);
    plog_signer_fini(&s);
    close(keys);
    CHECK_INT(plog_commit_format(&b, &c), 0);
    CHECK_INT(plog_buf_add_char(&b, '\n'), 0);
    world_write(world_path(w, FIRST), b.data, b.len);
    plog_buf_fini(&b);
}

/* The first key signs from the first entry on, be there no commit of it. */
static void a_first_group_of_two(void)
{
    struct world w;
    struct world_found f;
    struct plog_error err;
    struct listed l;
    make(&w);
    join_groups(&w);
    world_drop_store(&w);
    CHECK_INT(world_verify(&w, NULL, &f), 0);
    CHECK_UINT(f.report.entries, 2);
    CHECK_INT(list(&w, &l, &err), 0);
    CHECK_INT(l.count, 1);
    CHECK_UINT(l.k[0].from, 1);
    CHECK_UINT(l.k[0].to, 0);
    CHECK(l.k[0].current && l.k[0].trusted);
}

static void a_damaged_log_without_a_store(void)
{
    struct world w;
    struct plog_error err;
    struct listed l;
    char shown[PLOG_VKEY_MAX];
    size_t n;
    make(&w);
    world_drop_store(&w);
    char *bytes = world_read(world_path(&w, FIRST), &n);
    char *header_end = strchr(bytes, '\n');
    world_write(world_path(&w, FIRST), bytes,
                (size_t)(header_end - bytes) + 1 + 9);
    CHECK_INT(list(&w, &l, &err), PLOG_E_TORN); /* no commit is left */
    CHECK_INT(plog_key_show(w.dir, NULL, shown, NULL), PLOG_E_TORN);
    world_write(world_path(&w, FIRST), bytes, (size_t)(header_end - bytes) + 1);
    CHECK_INT(list(&w, &l, &err), 0);
    CHECK_INT(plog_key_show(w.dir, NULL, shown, &err), PLOG_E_NOTHING);
    CHECK_TEXT(err.message, "the log has no commit yet");
    header_end[40] ^= 1;
    world_write(world_path(&w, FIRST), bytes, n);
    CHECK(list(&w, &l, &err) < 0);
    CHECK_INT(l.count, 0);
    header_end[40] ^= 1;
    world_write(world_path(&w, FIRST), bytes, n);
    CHECK_INT(list(&w, &l, &err), 0);
    world_write(world_path(&w, "log/odd"), "", 0);
    CHECK_INT(list(&w, &l, &err), PLOG_E_CORRUPT);
    CHECK_TEXT(err.file, "log/odd");
    CHECK_INT(l.count, 0);
    free(bytes);
}

/* Not trusted any more, or only by the id that another has taken. */
static void trusted_or_not(void)
{
    struct world w;
    struct plog_rotate_report r;
    struct plog_error err;
    struct listed l;
    char below[80];
    make_own(&w);
    rotate(&w, &r);
    CHECK_INT(list(&w, &l, &err), 0);
    CHECK(l.count == 2 && l.k[0].trusted && l.k[1].trusted);
    snprintf(below, sizeof below, "keys/%s.vkey", SAME_ID);
    CHECK_INT(unlink(world_path(&w, below)), 0);
    CHECK_INT(list(&w, &l, &err), 0);
    CHECK(l.count == 2 && !l.k[0].trusted && l.k[1].trusted);
    CHECK_TEXT(l.k[0].vkey, OWN);
    write_key(&w, "twin.vkey", TWIN);
    CHECK_INT(list(&w, &l, &err), 0);
    CHECK(l.count == 2 && !l.k[0].trusted && l.k[1].trusted);
    /* Without the key in force none is. */
    snprintf(below, sizeof below, "keys/%s.vkey", id_of(r.new_vkey));
    CHECK_INT(unlink(world_path(&w, below)), 0);
    CHECK_INT(list(&w, &l, &err), PLOG_E_UNKNOWN_KEY);
    CHECK_INT(l.count, 0);
}

static void the_callback_stops_it(void)
{
    struct world w;
    struct plog_rotate_report r;
    make(&w);
    rotate(&w, &r);
    write_key(&w, "other.vkey", OWN);
    for (int at = 1; at <= 4; at++) {
        struct listed l = {.stop_at = at, .answer = 42};
        CHECK_INT(plog_key_list(w.dir, NULL, take, &l, NULL), at < 4 ? 42 : 0);
        CHECK_INT(l.count, at < 4 ? at : 3);
    }
}

/* Which secret is there, if one can be told. */
static void secrets(void)
{
    static const struct {
        const char *text;
        bool known;
    } all[] = {
        {"", false},
        {"\n", false},
        {"PRIVATE+KEY+x+", false},
        {"PRIVATE+KEY+x+%.7s", false},
        {"PRIVATE+KEY+x+%.8s", false},
        {"PRIVATE+KEY+x+%.8s+", true},
        {"a+b+c+%.8s+and more", true},
        {"a+b+%.8s+and more", false},
        {"no plus at all", false},
    };
    struct world w;
    struct plog_error err;
    struct listed l;
    make(&w);
    const char *path = world_path(&w, "keys/signing.key");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char text[100];
        const char *format = all[i].text, *id = strstr(format, "%.");
        int n =
            snprintf(text, sizeof text, "%.*s%.*s%s",
                     id ? (int)(id - format) : (int)strlen(format), format,
                     id ? atoi(id + 2) : 0, id_of(w.vkey), id ? id + 4 : "");
        path = world_path(&w, "keys/signing.key");
        world_write(path, text, (size_t)n);
        CHECK_INT(list(&w, &l, &err), 0);
        if (!CHECK(l.count == 1 && l.k[0].secret == all[i].known))
            printf("#   `%s`\n", text);
    }
    for (int kind = 0; kind < 4; kind++) {
        path = world_path(&w, "keys/signing.key");
        CHECK_INT(remove(path), 0);
        if (kind == 1)
            CHECK_INT(mkdir(path, 0700), 0);
        if (kind == 2)
            CHECK_INT(symlink("x", path), 0);
        if (kind == 3)
            CHECK_INT(mkfifo(path, 0600), 0);
        CHECK_INT(list(&w, &l, &err), 0);
        CHECK(l.count == 1 && !l.k[0].secret);
        if (kind == 0)
            world_write(path, "", 0);
    }
}

static int failing_rc;

static int failing_open(void *ctx, int dir, const char *name, int flags,
                        uint32_t mode)
{
    if (strcmp(name, "signing.key") == 0 && failing_rc)
        return failing_rc;
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

static void a_secret_that_cannot_be_opened(void)
{
    static const struct {
        int rc, expected;
    } all[] = {
        {-EIO, PLOG_E_IO},    {-ENOMEM, PLOG_E_NOMEM},
        {-EMFILE, PLOG_E_IO}, {-ENFILE, PLOG_E_IO},
        {-EACCES, 0},         {-EPERM, 0},
    };
    struct world w;
    struct plog_error err;
    struct listed l;
    make(&w);
    io.open_at = failing_open;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        failing_rc = all[i].rc;
        CHECK_INT(list(&w, &l, &err), all[i].expected);
        CHECK_INT(l.count, all[i].expected == 0);
        if (all[i].expected)
            CHECK_TEXT(err.file, "keys/signing.key");
    }
    failing_rc = 0;
}

/* ---- Trusting ----------------------------------------------------------- */

static int trust(const struct world *w, const char *vkey, bool dry_run,
                 bool *added, struct plog_error *err)
{
    memset(err, 0, sizeof *err);
    return plog_key_trust(w->dir, vkey, dry_run, NULL, added, err);
}

/* An id means one key: of the log's own, or of one that is trusted. */
static void another_key_with_that_id(void)
{
    struct world w;
    struct plog_error err;
    struct plog_rotate_report r;
    struct listed l;
    bool added;
    make_own(&w);
    CHECK_INT(trust(&w, TWIN, false, &added, &err), PLOG_E_EXISTS);
    CHECK(strstr(err.message, SAME_ID) != NULL && !added);
    CHECK_INT(trust(&w, OWN, false, &added, &err), 0);
    CHECK(!added); /* it is there */
    rotate(&w, &r);
    CHECK_INT(unlink(world_path(&w, "keys/" SAME_ID ".vkey")), 0);
    CHECK_INT(trust(&w, TWIN, true, &added, &err), PLOG_E_EXISTS);
    CHECK(!added);
    CHECK_INT(trust(&w, OWN, true, &added, &err), 0);
    CHECK(added);
    CHECK(!world_has(&w, "keys/" SAME_ID ".vkey"));
    CHECK_INT(trust(&w, OWN, false, &added, &err), 0);
    CHECK(added);
    CHECK(world_has(&w, "keys/" SAME_ID ".vkey"));
    /* Where a file already says otherwise, nobody is trusted. */
    write_key(&w, "twin.vkey", TWIN);
    CHECK_INT(list(&w, &l, &err), PLOG_E_KEY);
    CHECK(strstr(err.message, "two different keys have the id " SAME_ID));
    CHECK_INT(trust(&w, r.new_vkey, false, &added, &err), PLOG_E_KEY);
}

/* Also where the log itself never had that id. */
static void another_trusted_key_with_that_id(void)
{
    struct world w;
    struct plog_error err;
    bool added;
    make(&w);
    CHECK_INT(trust(&w, OWN, false, &added, &err), 0);
    CHECK(added);
    CHECK_INT(trust(&w, TWIN, false, &added, &err), PLOG_E_EXISTS);
    CHECK_TEXT(err.message, "another key has the id " SAME_ID);
    CHECK(!added);
    CHECK_INT(trust(&w, OWN, false, &added, &err), 0);
    CHECK(!added);
}

/* What trusting is for: the log's own key is not trusted yet, so that nobody
 * can read which keys it had. */
static void the_key_that_is_missing(void)
{
    struct world w;
    struct plog_error err;
    struct listed l;
    char below[80];
    bool added;
    make(&w);
    snprintf(below, sizeof below, "keys/%s.vkey", id_of(w.vkey));
    CHECK_INT(unlink(world_path(&w, below)), 0);
    CHECK_INT(list(&w, &l, &err), PLOG_E_UNKNOWN_KEY);
    CHECK_INT(trust(&w, w.vkey, false, &added, &err), 0);
    CHECK(added);
    CHECK_INT(list(&w, &l, &err), 0);
    CHECK(l.count == 1 && l.k[0].trusted);
    /* A store of another kind has none to tell. */
    world_drop_store(&w);
    CHECK_INT(mkdir(world_path(&w, "store.db"), 0700), 0);
    CHECK_INT(list(&w, &l, &err), PLOG_E_DIVERGED);
    CHECK_INT(l.count, 0);
}

/* With a store the log is made anew, under the key; without one there is
 * nothing that it could be the key of. */
static void where_the_log_is_gone_too(void)
{
    struct world w;
    struct plog_error err = {0};
    bool added = false;
    make(&w);
    world_remove(world_path(&w, "log"));
    world_remove(world_path(&w, "keys"));
    CHECK_INT(trust(&w, w.vkey, true, &added, &err), 0);
    CHECK(added && !world_has(&w, "keys"));
    CHECK_INT(trust(&w, w.vkey, false, &added, &err), 0);
    CHECK(added && world_has(&w, "keys") && !world_has(&w, "log"));
    CHECK_INT(trust(&w, w.vkey, false, &added, &err), 0);
    CHECK(!added);
    world_drop_store(&w);
    world_remove(world_path(&w, "keys"));
    CHECK_INT(trust(&w, w.vkey, false, &added, &err), PLOG_E_NOTHING);
    CHECK(!world_has(&w, "keys"));
}

/* A pin says whom this caller trusts, not what the folder holds. */
static void trusting_under_a_pin(void)
{
    struct world w;
    struct plog_error err = {0};
    bool added = true;
    make(&w);
    struct plog_options o = {.struct_size = sizeof o, .vkey = OWN};
    CHECK_INT(plog_key_trust(w.dir, w.vkey, false, &o, &added, &err), 0);
    CHECK(!added); /* it is in keys/ though not the pin */
    CHECK_INT(plog_key_trust(w.dir, OWN, true, &o, &added, &err), 0);
    CHECK(added); /* the pin is not */
}

static int folder_syncs;
static bool folder_fails;

static int count_sync(void *ctx, int fd)
{
    folder_syncs++;
    return folder_fails ? -EIO : plog_io_posix()->fsync(ctx, fd);
}

static int no_look(void *ctx, int dir, const char *name, struct plog_stat *out)
{
    return strcmp(name, "keys") == 0
               ? -EIO
               : plog_io_posix()->stat_at(ctx, dir, name, out);
}

/* It is made again, as durable as it was; whoever only asks makes none. */
static void without_the_folder(void)
{
    struct world w;
    struct plog_error err;
    struct listed l;
    struct stat st;
    struct plog_io disk = *plog_io_posix();
    bool added = true;
    make(&w);
    disk.fsync = count_sync;
    struct plog_options o = {.struct_size = sizeof o, .vkey = w.vkey},
                        counted = {.struct_size = sizeof counted, .io = &disk};
    world_remove(world_path(&w, "keys"));
    CHECK_INT(list(&w, &l, &err), PLOG_E_UNKNOWN_KEY);
    memset(&l, 0, sizeof l);
    CHECK_INT(plog_key_list(w.dir, &o, take, &l, &err), 0);
    CHECK(l.count == 1 && l.k[0].trusted && !l.k[0].secret);
    CHECK_INT(trust(&w, w.vkey, true, &added, &err), 0);
    CHECK(added && !world_has(&w, "keys"));
    disk.stat_at = no_look;
    for (int dry = 0; dry < 2; dry++)
        CHECK_INT(plog_key_trust(w.dir, w.vkey, dry, &counted, &added, &err),
                  PLOG_E_IO);
    disk.stat_at = plog_io_posix()->stat_at;
    folder_fails = true;
    CHECK_INT(plog_key_trust(w.dir, w.vkey, false, &counted, &added, &err),
              PLOG_E_IO);
    CHECK_TEXT(err.file, "keys");
    CHECK(!added);
    world_remove(world_path(&w, "keys"));
    folder_fails = false;
    folder_syncs = 0;
    CHECK_INT(plog_key_trust(w.dir, w.vkey, false, &counted, &added, &err), 0);
    CHECK(added);
    CHECK(folder_syncs >= 3); /* the directory, the file, the folder */
    CHECK_INT(stat(world_path(&w, "keys"), &st), 0);
    CHECK_INT(st.st_mode & 07777, 0700);
    CHECK_INT(list(&w, &l, &err), 0);
    CHECK(l.count == 1 && l.k[0].trusted && !l.k[0].secret);
}

/* Nor is anything else in its place taken away. */
static void a_file_for_the_folder(void)
{
    struct world w;
    struct plog_error err;
    bool added = true;
    make(&w);
    world_remove(world_path(&w, "keys"));
    world_write(world_path(&w, "keys"), "x", 1);
    CHECK_INT(trust(&w, w.vkey, false, &added, &err), PLOG_E_KEY);
    CHECK_TEXT(err.message, "keys/ is no folder that can be read");
    CHECK(!added && world_has(&w, "keys"));
}

/* keys/ holds so many keys, and whoever adds one too many is told before. */
static void a_full_folder(void)
{
    struct world w;
    struct plog_error err;
    struct plog_rotate_report report;
    struct plog_rotate_options r = {.struct_size = sizeof r};
    bool added;
    make(&w);
    for (int i = 1; i < PLOG_KEYS_MAX; i++) {
        char text[PLOG_VKEY_MAX], name[40], origin[16];
        struct plog_signer s;
        snprintf(origin, sizeof origin, "many-%d", i);
        REQUIRE(plog_signer_generate(&s, &io, origin, NULL) == 0);
        plog_vkey_format(&s.vkey, text);
        plog_signer_fini(&s);
        snprintf(name, sizeof name, "%s.vkey", s.vkey.id_text);
        write_key(&w, name, text);
    }
    CHECK_INT(trust(&w, OWN, true, &added, &err), PLOG_E_ARG);
    CHECK_TEXT(err.message, "keys/ holds 64 keys already");
    CHECK_INT(trust(&w, OWN, false, &added, &err), PLOG_E_ARG);
    CHECK(!added);
    CHECK_INT(trust(&w, w.vkey, false, &added, &err), 0); /* is one of them */
    for (int dry = 1; dry >= 0; dry--) {
        err.message[0] = '\0';
        r.dry_run = dry;
        CHECK_INT(plog_key_rotate(w.dir, &r, &report, &err), PLOG_E_ARG);
        CHECK_TEXT(err.message, "keys/ holds 64 keys already");
    }
    CHECK_UINT(world_size(&w), 2); /* nothing was logged */
    CHECK(!world_has(&w, "keys/signing.key.new"));
}

/* What the stack has when a call begins is anything. */
__attribute__((noinline)) static int
show_after(const char *dir, char *vkey, struct plog_error *err, int seven)
{
    volatile char litter[65536];
    for (size_t i = 0; i < sizeof litter; i++)
        litter[i] = (char)seven;
    return litter[9] == seven ? plog_key_show(dir, NULL, vkey, err) : 0;
}

/* Where nothing can be read nothing is shown. */
static void showing_fails(void)
{
    char vkey[PLOG_VKEY_MAX] = "as it was";
    struct plog_error err = {.code = 0};
    struct world w;
    make(&w);
    CHECK_INT(show_after(w.dir, vkey, &err, 7), 0);
    CHECK_TEXT(vkey, w.vkey);
    strcpy(vkey, "as it was");
    world_drop_store(&w);
    CHECK_INT(truncate(world_path(&w, FIRST), 5), 0);
    CHECK(show_after(w.dir, vkey, &err, 7) < 0);
    CHECK_TEXT(vkey, "as it was");
    world_remove(w.dir);
    CHECK(show_after(w.dir, vkey, &err, 7) < 0);
    CHECK(err.code < 0 && err.message[0]);
    CHECK_TEXT(vkey, "as it was");
}

/* ---- While another has the store ----------------------------------------- */

static int64_t slept; /* microseconds, by SQLite's file layer */

static int sleep_us(sqlite3_vfs *v, int us)
{
    (void)v;
    slept += us;
    return us;
}

/* Each waits as long as it is told and no longer, ten seconds by itself. */
static void another_has_the_store(void)
{
    static const struct {
        double given, seconds;
    } all[] = {{-1, 0}, {0.25, 0.25}, {3, 3}, {0, 10}};
    struct world w;
    struct listed l = {.count = 0};
    struct plog_error err = {.code = 0};
    char shown[PLOG_VKEY_MAX];
    bool added;
    sqlite3 *db = NULL;
    make(&w);
    sqlite3_vfs vfs = *sqlite3_vfs_find(NULL);
    vfs.xSleep = sleep_us;
    io.vfs_base = &vfs;
    CHECK_INT(sqlite3_open(world_path(&w, "store.db"), &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db,
                           "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE;"
                           " UPDATE meta SET floor=0",
                           NULL, NULL, NULL),
              SQLITE_OK);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_options o = {
            .struct_size = sizeof o, .io = &io, .wait_seconds = all[i].given};
        for (int shows = 0; shows < 2; shows++) {
            slept = 0;
            CHECK_INT(shows ? plog_key_show(w.dir, &o, shown, &err)
                            : plog_key_list(w.dir, &o, take, &l, &err),
                      PLOG_E_LOCKED);
            CHECK_INT(err.code, PLOG_E_LOCKED);
            CHECK((double)slept >= all[i].seconds * 0.95e6 &&
                  (double)slept <= all[i].seconds * 1.05e6);
        }
        /* One is trusted all the same, after that time. */
        slept = 0;
        CHECK_INT(plog_key_trust(w.dir, OWN, true, &o, &added, &err), 0);
        CHECK(added);
        CHECK((double)slept >= all[i].seconds * 0.95e6 &&
              (double)slept <= all[i].seconds * 1.05e6);
    }
    CHECK_INT(l.count, 0);
    struct plog_options o = {.struct_size = sizeof o, .io = &io};
    world_remove(world_path(&w, "keys"));
    slept = 0;
    CHECK_INT(plog_key_trust(w.dir, OWN, true, &o, &added, &err), 0);
    CHECK(added && !world_has(&w, "keys"));
    CHECK((double)slept >= 9.5e6 && (double)slept <= 10.5e6);
    sqlite3_close(db);
}

/* ------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"with_and_without_a_store", with_and_without_a_store},
        {"a first group of two", a_first_group_of_two},
        {"a_damaged_log_without_a_store", a_damaged_log_without_a_store},
        {"trusted_or_not", trusted_or_not},
        {"the_callback_stops_it", the_callback_stops_it},
        {"secrets", secrets},
        {"a_secret_that_cannot_be_opened", a_secret_that_cannot_be_opened},
        {"another_key_with_that_id", another_key_with_that_id},
        {"another_trusted_key_with_that_id", another_trusted_key_with_that_id},
        {"the_key_that_is_missing", the_key_that_is_missing},
        {"where_the_log_is_gone_too", where_the_log_is_gone_too},
        {"trusting_under_a_pin", trusting_under_a_pin},
        {"without_the_folder", without_the_folder},
        {"a_file_for_the_folder", a_file_for_the_folder},
        {"a_full_folder", a_full_folder},
        {"showing fails", showing_fails},
        {"another has the store", another_has_the_store},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
