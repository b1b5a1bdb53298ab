/*
 * test_rotate.c - going over to another signing key: what verifies under which
 * key, forged rotations, and a kill at every I/O call of a rotation.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "key.h"
#include "killing.h"
#include "rotate.h"
#include "world.h"

#define PATH 600

static int rotate(const struct world *w, struct plog_rotate_report *r)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    return plog_key_rotate(w->dir, &o, r, NULL);
}

static int put(struct world *w, int n)
{
    char id[16];
    snprintf(id, sizeof id, "r%d", n);
    return world_put(w, NULL, id, "1", NULL);
}

static int verify_pinned(const struct world *w, const char *vkey)
{
    struct world_found f;
    struct plog_check_options o = {.struct_size = sizeof o, .vkey = vkey};
    return world_verify(w, &o, &f);
}

/* ---- Good ones ---------------------------------------------------------- */

static void several_in_a_row(void)
{
    struct world w;
    struct plog_rotate_report r[3];
    char shown[PLOG_VKEY_MAX];
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(put(&w, i), 0);
        CHECK_INT(rotate(&w, &r[i]), 0); /* w.p stays open: it follows */
        CHECK_UINT(r[i].keys, (unsigned)i + 2);
    }
    CHECK_TEXT(r[0].old_vkey, w.vkey);
    CHECK_TEXT(r[1].old_vkey, r[0].new_vkey);
    for (int i = 3; i < 20; i++)
        CHECK_INT(put(&w, i), 0);
    world_close(&w);
    CHECK_INT(plog_key_show(w.dir, NULL, shown, NULL), 0);
    CHECK_TEXT(shown, r[2].new_vkey);
    const char *all[] = {w.vkey, r[0].new_vkey, r[1].new_vkey, r[2].new_vkey};
    for (int i = 0; i < 4; i++)
        CHECK_INT(verify_pinned(&w, all[i]), 0);
    /* Each of them also without the directory's own keys, as a copy of log/
     * has it. */
    struct world bare = w;
    snprintf(bare.dir, sizeof bare.dir, "%.400s-bare", w.dir);
    world_copy(w.dir, bare.dir);
    world_remove(world_path(&bare, "keys"));
    for (int i = 0; i < 4; i++)
        CHECK_INT(verify_pinned(&bare, all[i]), 0);
    struct world other;
    world_make(&other, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(verify_pinned(&w, other.vkey), PLOG_E_UNKNOWN_KEY);
    world_end(&other, 1);
    world_end(&w, 24);
}

/* ---- Forged ones -------------------------------------------------------- */

/* A log by hand: what a holder of the keys could write and must not. */
struct forge {
    struct plog_signer a, b, c;
    struct plog_tree tree;
    struct plog_commit last;
    struct plog_buf log, args;
    char dir[PATH];
};

static void forge_line(struct forge *f, enum plog_control control,
                       const char *args, size_t n, bool opens)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    size_t from = f->log.len;
    CHECK_INT(plog_control_format(
                  &f->log, f->tree.size + 1, control, plog_span(args, n),
                  opens ? plog_span_text("2026-01-02T03:04:05.000000Z")
                        : plog_span(NULL, 0)),
              0);
    plog_hash_leaf(f->log.data + from, f->log.len - from, leaf);
    CHECK_INT(plog_tree_add(&f->tree, leaf), 0);
    CHECK_INT(plog_buf_add_char(&f->log, '\n'), 0);
}

static void forge_commit(struct forge *f, const struct plog_signer *by)
{
    struct plog_commit *c = &f->last;
    c->size = f->tree.size;
    plog_tree_root(&f->tree, c->root);
    memcpy(c->key, by->vkey.id_text, sizeof c->key);
    CHECK_INT(plog_signer_sign(by, by->vkey.name, c->size, c->root, c->sig), 0);
    CHECK_INT(plog_commit_format(&f->log, c), 0);
    CHECK_INT(plog_buf_add_char(&f->log, '\n'), 0);
}

static void forge_strategy(struct forge *f, const struct plog_signer *by)
{
    static const char args[] = "{\"strategy\":\"arrival\"}";
    forge_line(f, PLOG_CONTROL_STRATEGY, args, sizeof args - 1, true);
    forge_commit(f, by);
}

static void forge_args(struct forge *f, int64_t size_off,
                       const struct plog_signer *from,
                       const struct plog_signer *to)
{
    unsigned char root[PLOG_HASH_SIZE];
    plog_tree_root(&f->tree, root);
    f->args.len = 0;
    CHECK_INT(plog_rotation_make(
                  &f->args, (uint64_t)((int64_t)f->tree.size + 1 + size_off),
                  root, from, to),
              0);
}

static void forge_rotate(struct forge *f, const struct plog_signer *from,
                         const struct plog_signer *to)
{
    forge_args(f, 0, from, to);
    forge_line(f, PLOG_CONTROL_ROTATE, f->args.data, f->args.len, true);
    forge_commit(f, from);
}

static void forge_start(struct forge *f)
{
    static const char args[] = "{\"strategy\":\"arrival\",\"max_line\":4096,"
                               "\"segment_size\":1000000}";
    const struct plog_io *io = plog_io_posix();
    struct plog_commit none = {0};
    memset(f, 0, sizeof *f);
    plog_buf_init(&f->log, io);
    plog_buf_init(&f->args, io);
    plog_tree_init(&f->tree);
    CHECK_INT(plog_signer_generate(&f->a, io, "forged", NULL), 0);
    CHECK_INT(plog_signer_generate(&f->b, io, "forged", NULL), 0);
    CHECK_INT(plog_signer_generate(&f->c, io, "forged", NULL), 0);
    CHECK_INT(plog_header_format(&f->log, "forged", &f->tree, &none), 0);
    CHECK_INT(plog_buf_add_char(&f->log, '\n'), 0);
    forge_line(f, PLOG_CONTROL_INIT, args, sizeof args - 1, true);
    forge_commit(f, &f->a);
}

/* Ends the log with two good groups, so that nothing can be torn, and gives
 * the first verdict. */
static int forge_look(struct forge *f);

static int forge_end(struct forge *f, const struct plog_signer *by)
{
    forge_strategy(f, by);
    forge_strategy(f, by);
    return forge_look(f);
}

static int forge_look(struct forge *f)
{
    static int count;
    struct world w = {.p = NULL};
    struct world_found found;
    char vkey[PLOG_VKEY_MAX];
    snprintf(w.dir, sizeof w.dir, "%s/forged-%d", check_dir(), count++);
    snprintf(f->dir, sizeof f->dir, "%s/log", w.dir);
    CHECK_INT(mkdir(w.dir, 0700), 0);
    CHECK_INT(mkdir(f->dir, 0700), 0);
    world_write(world_path(&w, "log/00000000000000000001.jsonl"), f->log.data,
                f->log.len);
    plog_vkey_format(&f->a.vkey, vkey);
    struct plog_check_options o = {.struct_size = sizeof o, .vkey = vkey};
    world_verify(&w, &o, &found);
    plog_buf_fini(&f->log);
    plog_buf_fini(&f->args);
    plog_signer_fini(&f->a);
    plog_signer_fini(&f->b);
    plog_signer_fini(&f->c);
    return found.count ? found.first[0].verdict : 0;
}

static void flip(struct forge *f, const char *member, int at)
{
    char *p = memmem(f->args.data, f->args.len, member, strlen(member));
    REQUIRE(p != NULL);
    p += strlen(member) + (size_t)at;
    *p = *p == 'A' ? 'B' : 'A';
}

static void forged(void)
{
    struct forge f;
    forge_start(&f);
    forge_rotate(&f, &f.a, &f.b);
    forge_rotate(&f, &f.b, &f.c);
    CHECK_INT(forge_end(&f, &f.c), 0);

    static const char *const sigs[] = {"\"old_sig\":\"", "\"new_sig\":\"",
                                       "\"root\":\""};
    for (int i = 0; i < 3; i++) {
        forge_start(&f);
        forge_args(&f, 0, &f.a, &f.b);
        flip(&f, sigs[i], 5);
        forge_line(&f, PLOG_CONTROL_ROTATE, f.args.data, f.args.len, true);
        forge_commit(&f, &f.a);
        CHECK_INT(forge_end(&f, &f.b), PLOG_E_TAMPERED);
    }
    forge_start(&f); /* well signed, over another history */
    forge_args(&f, 1, &f.a, &f.b);
    forge_line(&f, PLOG_CONTROL_ROTATE, f.args.data, f.args.len, true);
    forge_commit(&f, &f.a);
    CHECK_INT(forge_end(&f, &f.b), PLOG_E_CORRUPT);

    forge_start(&f); /* the root of another place */
    unsigned char zero[PLOG_HASH_SIZE] = {0};
    f.args.len = 0;
    CHECK_INT(plog_rotation_make(&f.args, 2, zero, &f.a, &f.b), 0);
    forge_line(&f, PLOG_CONTROL_ROTATE, f.args.data, f.args.len, true);
    forge_commit(&f, &f.a);
    CHECK_INT(forge_end(&f, &f.b), PLOG_E_TAMPERED);

    forge_start(&f); /* an id that was used */
    forge_rotate(&f, &f.a, &f.b);
    forge_rotate(&f, &f.b, &f.a);
    CHECK_INT(forge_end(&f, &f.a), PLOG_E_CORRUPT);

    forge_start(&f); /* away from a key that is not in force */
    forge_args(&f, 0, &f.b, &f.c);
    forge_line(&f, PLOG_CONTROL_ROTATE, f.args.data, f.args.len, true);
    forge_commit(&f, &f.a);
    CHECK_INT(forge_end(&f, &f.a), PLOG_E_CORRUPT);

    static const char strategy[] = "{\"strategy\":\"arrival\"}";
    for (int first = 0; first < 2; first++) { /* two entries in its group */
        forge_start(&f);
        if (!first)
            forge_line(&f, PLOG_CONTROL_STRATEGY, strategy, sizeof strategy - 1,
                       true);
        forge_args(&f, 0, &f.a, &f.b);
        forge_line(&f, PLOG_CONTROL_ROTATE, f.args.data, f.args.len, first);
        if (first)
            forge_line(&f, PLOG_CONTROL_STRATEGY, strategy, sizeof strategy - 1,
                       false);
        forge_commit(&f, &f.a);
        CHECK_INT(forge_end(&f, &f.b), PLOG_E_CORRUPT);
    }
    forge_start(&f); /* the retired key goes on, as a thief would */
    forge_rotate(&f, &f.a, &f.b);
    CHECK_INT(forge_end(&f, &f.a), PLOG_E_TAMPERED);

    forge_start(&f); /* also as the last group, which is no torn one */
    forge_rotate(&f, &f.a, &f.b);
    forge_strategy(&f, &f.a);
    CHECK_INT(forge_look(&f), PLOG_E_TAMPERED);

    forge_start(&f); /* the rotation is committed by the new key */
    forge_args(&f, 0, &f.a, &f.b);
    forge_line(&f, PLOG_CONTROL_ROTATE, f.args.data, f.args.len, true);
    forge_commit(&f, &f.b);
    CHECK_INT(forge_end(&f, &f.b), PLOG_E_UNKNOWN_KEY);

    forge_start(&f); /* a key without a rotation */
    CHECK_INT(forge_end(&f, &f.b), PLOG_E_UNKNOWN_KEY);
}

/* ---- A kill at each call ------------------------------------------------ */

static int act(void *arg, const struct plog_io *io)
{
    struct plog_rotate_report r;
    struct plog_rotate_options o = {.struct_size = sizeof o, .io = io};
    return plog_key_rotate(arg, &o, &r, NULL);
}

struct counts {
    unsigned keys, current, secret, both;
};

static int count_key(void *arg, const struct plog_key_info *k)
{
    struct counts *n = arg;
    n->keys += k->in_log;
    n->current += k->current;
    n->secret += k->secret;
    n->both += k->current && k->secret && k->trusted;
    return 0;
}

static unsigned sleeps;

static void count_sleep(void *ctx, int64_t ns)
{
    sleeps++;
    plog_io_posix()->sleep_ns(ctx, ns);
}

/* Whoever opens next waits for nothing that a killed rotation left. */
static void killed_everywhere(void)
{
    struct world w, base;
    struct plog_io io = *plog_io_posix();
    io.sleep_ns = count_sleep;
    sleeps = 0;
    bool again = true;
    unsigned olds = 0, news = 0;
    long n = 1;
    world_make(&base, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(put(&base, 1), 0);
    world_close(&base);
    for (; again && n < 500; n++) {
        struct counts k = {0};
        w = base;
        snprintf(w.dir, sizeof w.dir, "%.400s-%ld", base.dir, n);
        world_copy(base.dir, w.dir);
        again = killing_run(n, act, w.dir);
        w.options.io = &io;
        CHECK_INT(world_open(&w), 0);
        if (!w.p)
            break;
        CHECK_INT(put(&w, 2), 0);
        world_close(&w);
        w.options.io = base.options.io;
        CHECK_UINT(sleeps, 0);
        CHECK(!world_has(&w, "keys/signing.key.new"));
        CHECK_INT(plog_key_list(w.dir, NULL, count_key, &k, NULL), 0);
        CHECK_UINT(k.current, 1);
        CHECK_UINT(k.both, 1);
        olds += k.keys == 1;
        news += k.keys == 2;
        world_end(&w, k.keys == 2 ? 4 : 3);
        world_remove(w.dir);
    }
    CHECK(!again);
    CHECK(olds > 5 && news > 3); /* kills before and behind the entry */
    printf("# %ld calls: %u kills left the old key in force, %u the new one\n",
           n - 1, olds, news - 1);
}

static int open_only(void *arg, const struct plog_io *io)
{
    struct plog_options o = {.struct_size = sizeof o, .io = io};
    plog *p;
    int rc = plog_open(&p, arg, &o, NULL);
    plog_close(p);
    return rc;
}

/* Whoever ends or undoes what a killed rotation left is killed as well: the
 * next rotation finds nothing in its way. */
static void settling_killed(void)
{
    struct world w, left;
    unsigned kills = 0;
    char kept[520];
    world_make(&left, PLOG_LAST_WRITE_WINS, 0);
    world_close(&left);
    w = left;
    snprintf(w.dir, sizeof w.dir, "%.400s-w", left.dir);
    snprintf(kept, sizeof kept, "%.500s-kept", left.dir);
    world_copy(left.dir, kept);
    for (long n = 17; killing_run(n, act, left.dir) && n < 500; n += 9) {
        bool again = true;
        for (long m = 1; again && m < 200; m++) {
            world_copy(left.dir, w.dir);
            again = killing_run(m, open_only, w.dir);
            kills += again;
            if (!CHECK_INT(act(w.dir, plog_io_posix()), 0))
                printf("# killed at %ld, then at %ld\n", n, m);
            world_remove(w.dir);
        }
        CHECK(!again);
        world_remove(left.dir);
        world_copy(kept, left.dir);
    }
    CHECK(kills > 40);
    printf("# %u kills of what ends a killed rotation\n", kills);
}

static long syncs; /* until one fails */

static int failing_fdatasync(void *ctx, int fd)
{
    return syncs-- == 0 ? -EIO : plog_io_posix()->fdatasync(ctx, fd);
}

/* Where a sync fails, of the log or of a key.  When nobody knows whether the
 * entry is on disk both secrets stay, for the next opening to choose from. */
static void a_sync_fails(void)
{
    struct world w, base;
    struct plog_io io = *plog_io_posix();
    struct plog_rotate_options o = {.struct_size = sizeof o, .io = &io};
    unsigned unknown = 0, refused = 0;
    int rc = PLOG_E_IO;
    io.fdatasync = failing_fdatasync;
    world_make(&base, PLOG_LAST_WRITE_WINS, 0);
    world_close(&base);
    for (long n = 0; rc && n < 50; n++) {
        struct plog_rotate_report r;
        struct plog_error err = {.code = 0};
        struct counts k = {0};
        w = base;
        snprintf(w.dir, sizeof w.dir, "%.400s-%ld", base.dir, n);
        world_copy(base.dir, w.dir);
        syncs = n;
        rc = plog_key_rotate(w.dir, &o, &r, &err);
        CHECK_INT(err.code, rc);
        CHECK((syncs >= 0) == (rc == 0));
        if (rc == PLOG_E_INDETERMINATE) {
            CHECK(world_has(&w, "keys/signing.key.new"));
            CHECK(!strstr(err.hint, "is not in use"));
            unknown++;
        } else
            refused += rc != 0;
        CHECK_INT(world_open(&w), 0);
        CHECK_INT(put(&w, 1), 0);
        world_close(&w);
        CHECK(!world_has(&w, "keys/signing.key.new"));
        CHECK_INT(plog_key_list(w.dir, NULL, count_key, &k, NULL), 0);
        CHECK_UINT(k.both, 1);
        if (rc == 0)
            CHECK_UINT(k.keys, 2);
        world_end(&w, k.keys == 2 ? 3 : 2);
        world_remove(w.dir);
    }
    CHECK_INT(rc, 0);
    CHECK(unknown >= 1 && refused >= 1);
}

/* ---- Keys --------------------------------------------------------------- */

static void trust(void)
{
    struct world w, other;
    struct plog_check_options none = {.struct_size = sizeof none};
    struct world_found f;
    bool added = false;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    world_make(&other, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(plog_key_trust(w.dir, other.vkey, true, NULL, &added, NULL), 0);
    CHECK(added);
    CHECK_INT(plog_key_trust(w.dir, other.vkey, false, NULL, &added, NULL), 0);
    CHECK(added);
    CHECK_INT(plog_key_trust(w.dir, other.vkey, false, NULL, &added, NULL), 0);
    CHECK(!added);
    CHECK_INT(plog_key_trust(w.dir, "no key", false, NULL, &added, NULL),
              PLOG_E_INPUT);
    CHECK_INT(world_verify(&w, &none, &f), 0);
    world_end(&other, 1);
    world_end(&w, 1);
}

static void passphrases(void)
{
    struct world w;
    struct plog_rotate_report r;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    struct plog_rotate_options o = {.struct_size = sizeof o,
                                    .new_passphrase = "sesame"};
    CHECK_INT(plog_key_rotate(w.dir, &o, &r, NULL), 0);
    CHECK_INT(put(&w, 1), PLOG_E_KEY); /* it has no passphrase: refused */
    struct plog_error err = {.code = 0};
    CHECK_INT(world_append(&w,
                           "{\"resource\":\"r\",\"record_id\":\"1\","
                           "\"op\":\"delete\",\"occurred_at\":"
                           "\"2026-01-01T00:00:00Z\",\"provenance\":"
                           "{\"source\":\"s\",\"confidence\":1}}",
                           NULL, &err),
              PLOG_E_KEY);
    CHECK(strstr(err.message, "a handle keeps no passphrase") != NULL);
    world_close(&w);
    CHECK_INT(world_open(&w), PLOG_E_KEY);
    plog *p = NULL;
    CHECK_INT(plog_open(&p, w.dir, &w.options, &err), PLOG_E_KEY);
    CHECK(p == NULL);
    CHECK_TEXT(err.message,
               "the signing key is encrypted and no passphrase was given");
    w.options.passphrase = "sesame";
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(put(&w, 1), 0);
    world_end(&w, 3);
}

/* A key that is there while another rotation holds the lock is that one's;
 * nobody settles it, nor what is gone when the lock is ours. */
static const char *gone; /* at the lock; NULL: nothing */

static int lock_and_lose(void *ctx, int fd, uint64_t byte, int mode)
{
    int rc = plog_io_posix()->lock_byte(ctx, fd, byte, mode);
    if (!rc && byte == 1 && mode == 2 && gone)
        CHECK_INT(unlink(gone), 0);
    return rc;
}

static void while_another_rotates(void)
{
    struct world w;
    struct plog_io io = *plog_io_posix();
    struct plog_signer s;
    char next[PATH];
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    world_close(&w);
    snprintf(next, sizeof next, "%s", world_path(&w, "keys/signing.key.new"));
    int keys = open(world_path(&w, "keys"), O_RDONLY | O_DIRECTORY);
    CHECK_INT(plog_signer_generate(&s, &io, "other", NULL), 0);
    CHECK_INT(plog_signer_save_next(&s, &io, keys, NULL, NULL), 0);
    int lock = io.open_at(NULL, AT_FDCWD, world_path(&w, "lock"), O_RDWR, 0);
    CHECK_INT(io.lock_byte(NULL, lock, 1, 2), 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(put(&w, 1), 0);
    CHECK(access(next, F_OK) == 0);
    CHECK_INT(io.close(NULL, lock), 0);
    io.lock_byte = lock_and_lose;
    w.options.io = &io;
    gone = next; /* it had taken its name meanwhile, say */
    CHECK_INT(world_open(&w), 0);
    gone = NULL;
    CHECK_INT(put(&w, 2), 0);
    CHECK_INT(plog_signer_save_next(&s, &io, keys, NULL, NULL), 0);
    CHECK_INT(world_open(&w), 0); /* left by one that was cut off */
    CHECK(access(next, F_OK) != 0);
    plog_signer_fini(&s);
    close(keys);
    world_end(&w, 3);
}

static const char *cut_off_in; /* keys/ of the log; NULL: done */

/* As if the holder of the lock had been killed in a rotation of its own, while
 * we waited for it. */
static int lock_after_a_kill(void *ctx, int fd, uint64_t byte, int mode)
{
    const struct plog_io *io = plog_io_posix();
    struct plog_signer s = {.secret = NULL};
    int rc = io->lock_byte(ctx, fd, byte, mode);
    if (rc || byte != 1 || mode != 2 || !cut_off_in)
        return rc;
    int keys = open(cut_off_in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_INT(plog_signer_generate(&s, io, "left", NULL), 0);
    CHECK_INT(plog_signer_save_next(&s, io, keys, NULL, NULL), 0);
    plog_signer_fini(&s);
    close(keys);
    cut_off_in = NULL;
    return 0;
}

/* What another rotation left is settled first, also when it was cut off only
 * after we had opened. */
static void after_one_that_was_killed(void)
{
    struct world w;
    struct world_found f;
    struct plog_rotate_report r;
    struct plog_io io = *plog_io_posix();
    struct plog_rotate_options o = {.struct_size = sizeof o, .io = &io};
    struct plog_error err = {0};
    char keys[PATH];
    io.lock_byte = lock_after_a_kill;
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    CHECK_INT(put(&w, 1), 0);
    snprintf(keys, sizeof keys, "%s", world_path(&w, "keys"));
    cut_off_in = keys;
    if (!CHECK_INT(plog_key_rotate(w.dir, &o, &r, &err), 0))
        printf("#   %s\n", err.message);
    CHECK(cut_off_in == NULL);
    CHECK_UINT(r.keys, 2);
    CHECK_TEXT(r.old_vkey, w.vkey);
    CHECK(!world_has(&w, "keys/signing.key.new"));
    CHECK_INT(put(&w, 2), 0);
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    world_close(&w);
}

/* Damage in the rotation itself: one finding, and the new key goes on. */
static void damaged(void)
{
    struct world w;
    struct world_found f;
    struct plog_rotate_report r;
    size_t len;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(put(&w, 1), 0);
    CHECK_INT(rotate(&w, &r), 0);
    for (int i = 2; i < 6; i++)
        CHECK_INT(put(&w, i), 0);
    world_close(&w);
    const char *path = world_path(&w, "log/00000000000000000001.jsonl");
    char *text = world_read(path, &len);
    char *at = strstr(text, "\"new_sig\":\"");
    REQUIRE(at != NULL);
    char was = at[20];
    at[20] = was == 'A' ? 'B' : 'A';
    world_write(path, text, len);
    CHECK_INT(world_verify(&w, NULL, &f), PLOG_E_TAMPERED);
    CHECK_UINT(f.count, 1);
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_TAMPERED);
    CHECK_UINT(f.count, 1);
    CHECK_UINT(f.first[0].seq, 3);
    CHECK_UINT(f.report.head.size, 7);
    at[20] = was;
    world_write(path, text, len);
    free(text);
    world_end(&w, 7);
}

static void bounded(void)
{
    struct world w;
    struct plog_rotate_report r;
    unsigned n = 0;
    int rc;
    world_make(&w, PLOG_LAST_WRITE_WINS, 4096);
    struct plog_rotate_options dry = {.struct_size = sizeof dry,
                                      .dry_run = true};
    CHECK_INT(plog_key_rotate(w.dir, &dry, &r, NULL), 0);
    CHECK_UINT(r.size, 2); /* the entry it would be */
    CHECK_UINT(r.keys, 2);
    while ((rc = rotate(&w, &r)) == 0)
        n++;
    CHECK_INT(rc, PLOG_E_ARG);
    CHECK_UINT(n, PLOG_KEYS_MAX - 1);
    CHECK_INT(plog_key_rotate(w.dir, &dry, &r, NULL), PLOG_E_ARG);
    struct plog_rotate_options wet = {.struct_size = sizeof wet};
    struct plog_error err = {0};
    CHECK_INT(plog_key_rotate(w.dir, &wet, &r, &err), PLOG_E_ARG);
    CHECK_TEXT(err.message, "a log has at most 64 keys");
    CHECK_INT(plog_key_rotate(world_path(&w, "none"), &dry, &r, NULL),
              PLOG_E_NOTHING);
    CHECK_INT(put(&w, 1), 0);
    CHECK_INT(verify_pinned(&w, w.vkey), 0);
    world_end(&w, PLOG_KEYS_MAX + 1);
}

/* What was forgotten of a chain counts for nothing. */
static void an_empty_chain(void)
{
    static struct plog_keychain chain;
    static struct plog_rotation r;
    static struct plog_signer a, b;
    const char *why = NULL;
    CHECK_INT(plog_signer_generate(&a, plog_io_posix(), "k", NULL), 0);
    CHECK_INT(plog_signer_generate(&b, plog_io_posix(), "k", NULL), 0);
    r.size = 5;
    r.old_key = a.vkey;
    r.new_key = b.vkey;
    CHECK_INT(plog_keychain_add(&chain, &a.vkey, 0), 0);
    chain.count = 0;
    CHECK_INT(plog_keychain_rotate(&chain, &r, &why), PLOG_E_CORRUPT);
    CHECK_TEXT(why, "a rotation away from a key that is not in force");
    CHECK_UINT(chain.count, 0);
    CHECK_INT(plog_keychain_add(&chain, &a.vkey, 0), 0);
    CHECK_INT(plog_keychain_rotate(&chain, &r, &why), 0);
    CHECK_UINT(chain.count, 2);
    plog_signer_fini(&a);
    plog_signer_fini(&b);
}

/* What a rotation would come to; nothing changes. */
static void rehearsed(void)
{
    struct world w;
    struct plog_rotate_report r;
    struct plog_rotate_options dry = {.struct_size = sizeof dry,
                                      .dry_run = true};
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(put(&w, 1), 0);
    world_close(&w);
    CHECK_INT(plog_key_rotate(w.dir, &dry, &r, NULL), 0);
    CHECK_UINT(r.size, 3);
    CHECK_UINT(r.keys, 2);
    CHECK_TEXT(r.old_vkey, w.vkey);
    CHECK_TEXT(r.new_vkey, "");
    CHECK(!world_has(&w, "keys/signing.key.new"));
    CHECK_UINT(world_size(&w), 2);
    CHECK_INT(rotate(&w, &r), 0);
    CHECK_UINT(r.size, 3);
    world_end(&w, 3);
}

/* The store's own list is compared, too. */
static void store_rows(void)
{
    struct world w;
    struct world_found f;
    struct plog_rotate_report r;
    world_make(&w, PLOG_LAST_WRITE_WINS, 0);
    CHECK_INT(rotate(&w, &r), 0);
    world_close(&w);
    world_sql(&w, "DELETE FROM rotations");
    CHECK_INT(world_parity(&w, NULL, &f), PLOG_E_DIVERGED);
    CHECK_UINT(f.first[0].seq, 2);
    world_sql(&w, "INSERT INTO rotations VALUES(2)");
    CHECK_INT(world_parity(&w, NULL, &f), 0);
    world_end(&w, 2);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"several in a row", several_in_a_row},
        {"forged", forged},
        {"killed at each call", killed_everywhere},
        {"a sync fails", a_sync_fails},
        {"and what settles it as well", settling_killed},
        {"trust", trust},
        {"passphrases", passphrases},
        {"after one that was killed", after_one_that_was_killed},
        {"while another rotates", while_another_rotates},
        {"a damaged rotation", damaged},
        {"64 keys", bounded},
        {"an empty chain", an_empty_chain},
        {"rehearsed", rehearsed},
        {"rows of the store", store_rows},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
