/*
 * init.c - making a log, and finishing an init that was cut off.
 *
 * Order: directories -> key -> first segment (header, init entry, commit; one
 * rename) -> store.  Each step is on disk before the next begins, so whatever
 * is there tells how far an earlier init came.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "fs.h"
#include "legs.h"

struct setup {
    const struct plog_io *io;
    const struct plog_init_options *options;
    struct plog_init_args args;
    struct plog_signer signer;
    struct plog_legs legs;
};

/* plog- and a UUIDv7: milliseconds, then random bits. */
static int default_origin(const struct plog_io *io, char *out, size_t cap,
                          struct plog_error *err)
{
    unsigned char u[16];
    uint64_t ms = (uint64_t)(io->clock_real_ns(io->ctx) / 1000000);
    if (io->random(io->ctx, u, sizeof u))
        return plog_fail(err, PLOG_E_IO, "no randomness for a name");
    for (int i = 0; i < 6; i++)
        u[i] = (unsigned char)(ms >> (8 * (5 - i)));
    u[6] = (unsigned char)(0x70 | (u[6] & 0x0f));
    u[8] = (unsigned char)(0x80 | (u[8] & 0x3f));
    snprintf(out, cap,
             "plog-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
             "%02x%02x%02x%02x%02x%02x",
             u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10],
             u[11], u[12], u[13], u[14], u[15]);
    return 0;
}

static int check_options(struct setup *s, struct plog_error *err)
{
    const struct plog_init_options *o = s->options;
    s->args.strategy = o->strategy;
    s->args.line_max =
        o->line_max_bytes ? o->line_max_bytes : PLOG_LINE_DEFAULT;
    s->args.segment_size =
        o->segment_size_bytes ? o->segment_size_bytes : PLOG_SEGMENT_DEFAULT;
    if (!plog_strategy_name(s->args.strategy))
        return plog_fail(err, PLOG_E_ARG, "no such strategy");
    if (s->args.line_max < PLOG_LINE_MIN || s->args.line_max > PLOG_LINE_MAX)
        return plog_fail(err, PLOG_E_ARG, "max-line must be %u to %u bytes",
                         PLOG_LINE_MIN, PLOG_LINE_MAX);
    if (s->args.segment_size < PLOG_SEGMENT_MIN ||
        s->args.segment_size > PLOG_SEGMENT_MAX)
        return plog_fail(err, PLOG_E_ARG,
                         "segment-size must be %u to %llu bytes",
                         PLOG_SEGMENT_MIN, PLOG_SEGMENT_MAX);
    if (o->origin && !plog_origin_valid(plog_span_text(o->origin)))
        return plog_fail(err, PLOG_E_ARG,
                         "an origin has 1 to %d bytes, no"
                         " white space, no control character, no +",
                         PLOG_ORIGIN_MAX);
    return 0;
}

/* The name DIR in its parent must be on disk, too. */
static int sync_parent(const struct plog_io *io, const char *path,
                       struct plog_error *err)
{
    char parent[PLOG_DIR_PATH_MAX];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (!slash || !slash[1])
        return 0; /* the root itself has none */
    slash[slash == parent] = '\0';
    int fd = io->open_at(io->ctx, AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0);
    int rc = fd < 0 ? fd : io->fsync(io->ctx, fd);
    if (fd >= 0)
        io->close(io->ctx, fd);
    return rc ? plog_fail_io(err, rc, "..", "syncing the parent directory") : 0;
}

static int exists(struct plog_error *err)
{
    plog_fail(err, PLOG_E_EXISTS, "there is a log or a store here already");
    plog_err_hint(err, "run: paritylog status DIR");
    return PLOG_E_EXISTS;
}

static int lost(const char *relic, struct plog_error *err)
{
    plog_fail(err, PLOG_E_EXISTS, "there was a log here: %s is left of it",
              relic);
    plog_err_hint(err, "run: paritylog status DIR; or make the log elsewhere");
    return PLOG_E_EXISTS;
}

/* A key beside an empty log/ may be what an init left that was cut off.  Where
 * more is left, a log was lost, and another one under its key would be taken
 * for it. */
static int refuse_relics(const struct plog_dir *d, struct plog_error *err)
{
    const char *relic;
    int rc = plog_dir_relic(d, &relic);
    if (rc)
        return plog_fail_io(err, rc, relic, "looking for it");
    if (!relic)
        return 0;
    return lost(relic, err);
}

static int any_name(void *arg, const char *name)
{
    (void)arg, (void)name;
    return 1;
}

/* Where log/ is there and keys/ is not: a file in it is not of an init that was
 * cut off, for the key is there before. */
static int refuse_full(const struct plog_dir *d, struct plog_error *err)
{
    const struct plog_io *io = d->io;
    int fd = io->open_at(io->ctx, d->dir, "log", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return 0; /* opening it says what is wrong */
    int rc = io->list(io->ctx, fd, any_name, NULL);
    io->close(io->ctx, fd);
    return rc > 0 ? exists(err) : rc ? plog_fail_io(err, rc, "log", "list") : 0;
}

/* ... and the other way round: a key is made behind log/. */
static int refuse_key(const struct plog_dir *d, struct plog_error *err)
{
    static const char path[] = "keys/signing.key";
    const struct plog_io *io = d->io;
    struct plog_stat st;
    int fd = io->open_at(io->ctx, d->dir, "keys", O_RDONLY | O_DIRECTORY, 0);
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
        return 0; /* opening it says what is wrong */
    int rc = fd < 0 ? fd : io->stat_at(io->ctx, fd, "signing.key", &st);
    if (fd >= 0)
        io->close(io->ctx, fd);
    if (rc && rc != -ENOENT)
        return plog_fail_io(err, rc, path, "looking for it");
    return rc ? 0 : lost(path, err);
}

/* Before anything is made. */
static int refuse_lost(struct setup *s, const char *path,
                       struct plog_error *err)
{
    struct plog_stat st;
    const struct plog_io *io = s->io;
    struct plog_dir d = {.io = io};
    d.dir = io->open_at(io->ctx, AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    if (d.dir == -ENOENT || d.dir == -ENOTDIR)
        return 0; /* it is new, or opening it says what is wrong */
    if (d.dir < 0)
        return plog_fail_io(err, d.dir, path, "opening a directory");
    bool no_log = io->stat_at(io->ctx, d.dir, "log", &st) == -ENOENT;
    bool no_keys = io->stat_at(io->ctx, d.dir, "keys", &st) == -ENOENT;
    int rc = no_log || no_keys ? refuse_relics(&d, err) : 0;
    if (!rc && no_log)
        rc = refuse_key(&d, err);
    else if (!rc && no_keys)
        rc = refuse_full(&d, err);
    io->close(io->ctx, d.dir);
    return rc;
}

/* How long the path of DIR is, links followed, or will be when its parent has
 * it; 0 when that cannot be said, and making it will tell why. */
static size_t path_length(const struct plog_io *io, const char *path)
{
    char real[PLOG_DIR_PATH_MAX], parent[PLOG_DIR_PATH_MAX];
    size_t n = strlen(path), base;
    int rc = io->real_path(io->ctx, path, real, sizeof real);
    if (rc != -ENOENT || n >= sizeof parent)
        return rc == -ENAMETOOLONG ? sizeof real : rc ? 0 : strlen(real);
    while (n > 1 && path[n - 1] == '/')
        n--;
    for (base = n; base > 0 && path[base - 1] != '/';)
        base--;
    snprintf(parent, sizeof parent, "%.*s", (int)base, base ? path : "");
    rc = io->real_path(io->ctx, base ? parent : ".", real, sizeof real);
    if (rc)
        return rc == -ENAMETOOLONG ? sizeof real : 0;
    return strlen(real) + 1 + n - base;
}

/* Before anything is made: the store there could not be opened. */
static int check_path(const struct plog_io *io, const char *path,
                      struct plog_error *err)
{
    if (!path)
        return plog_fail(err, PLOG_E_ARG, "no directory was given");
    size_t n = path_length(io, path);
    if (n <= PLOG_DIR_MAX)
        return 0;
    plog_fail(err, PLOG_E_ARG,
              "the path of the directory has %zu bytes, links followed; a log"
              " is made where it has at most %d, for SQLite's own limit",
              n, PLOG_DIR_MAX);
    plog_err_hint(err, "choose a shorter path, or mount the directory there");
    return PLOG_E_ARG;
}

static int make_directories(struct setup *s, const char *path,
                            struct plog_error *err)
{
    struct plog_dir d;
    struct plog_options o = {.struct_size = sizeof o,
                             .wait_seconds = s->options->wait_seconds,
                             .allow_network_fs = s->options->allow_network_fs};
    int rc = refuse_lost(s, path, err);
    if (!rc)
        rc = plog_dir_open(&d, s->io, path, PLOG_DIR_MAKE, false, err);
    if (rc)
        return rc;
    rc = sync_parent(s->io, d.path, err);
    if (!rc && s->io->fsync(s->io->ctx, d.dir))
        rc = plog_fail(err, PLOG_E_IO, "syncing the directory failed");
    plog_dir_close(&d);
    if (!rc)
        rc = plog_legs_open(&s->legs, s->io, path, PLOG_DIR_WRITE, &o, err);
    s->legs.options = NULL; /* `o` ends here */
    if (!rc)
        rc = plog_dir_lock(&s->legs.dir, false, s->legs.wait_seconds, err);
    /* Another init may have made the key while we waited, and been cut off. */
    if (!rc)
        rc = plog_keyring_load(&s->legs.keys, s->io, s->legs.dir.keys, NULL,
                               err);
    return rc;
}

static int make_key(struct setup *s, struct plog_error *err)
{
    char origin[PLOG_ORIGIN_MAX + 1];
    struct plog_stat st;
    const struct plog_init_options *o = s->options;
    int keys = s->legs.dir.keys;
    int rc = s->io->stat_at(s->io->ctx, keys, "signing.key", &st);
    if (rc == 0) { /* an init that was cut off, and only that */
        rc = plog_signer_load(&s->signer, s->io, keys, o->passphrase, err);
        if (!rc && o->origin && strcmp(o->origin, s->signer.vkey.name))
            rc = exists(err);
        return rc;
    }
    if (o->origin)
        snprintf(origin, sizeof origin, "%s", o->origin);
    else if ((rc = default_origin(s->io, origin, sizeof origin, err)) < 0)
        return rc;
    rc = plog_signer_generate(&s->signer, s->io, origin, err);
    return rc ? rc
              : plog_signer_save(&s->signer, s->io, keys, o->passphrase, err);
}

/* Header, init entry and its commit. */
static int format_first_segment(struct setup *s, struct plog_buf *b,
                                struct plog_buf *args)
{
    struct plog_tree tree;
    struct plog_commit c = {0};
    unsigned char leaf[PLOG_HASH_SIZE];
    char logged_at[40];
    plog_instant_format(plog_instant_now(s->io), logged_at);
    plog_tree_init(&tree);
    int rc = plog_header_format(b, s->signer.vkey.name, &tree, &c);
    if (!rc)
        rc = plog_buf_add_char(b, '\n');
    size_t from = b->len;
    if (!rc)
        rc = plog_init_args_format(args, &s->args);
    if (!rc)
        rc = plog_control_format(b, 1, PLOG_CONTROL_INIT,
                                 plog_span(args->data, args->len),
                                 plog_span_text(logged_at));
    if (rc)
        return rc;
    plog_hash_leaf(b->data + from, b->len - from, leaf);
    rc = plog_tree_add(&tree, leaf);
    c.size = 1;
    plog_tree_root(&tree, c.root);
    memcpy(c.key, s->signer.vkey.id_text, sizeof c.key);
    if (!rc)
        rc =
            plog_signer_sign(&s->signer, s->signer.vkey.name, 1, c.root, c.sig);
    if (!rc)
        rc = plog_buf_add_char(b, '\n');
    if (!rc)
        rc = plog_commit_format(b, &c);
    return rc ? rc : plog_buf_add_char(b, '\n');
}

static int make_log(struct setup *s, struct plog_error *err)
{
    char name[PLOG_SEGMENT_NAME];
    struct plog_buf b, args;
    plog_buf_init(&b, s->io);
    plog_buf_init(&args, s->io);
    plog_segment_name(1, name);
    int rc = format_first_segment(s, &b, &args);
    if (rc)
        rc = plog_fail(err, rc, "making the first segment failed");
    else {
        rc = plog_io_write_file(s->io, s->legs.dir.log, name, ".new", b.data,
                                b.len, 0600, false);
        if (rc)
            rc = plog_fail_segment(err, rc, 1, "writing the first segment");
    }
    plog_buf_fini(&args);
    plog_buf_fini(&b);
    return rc;
}

/* What an earlier init left: nothing, or a log of the init entry alone.
 * Anything more is somebody's log. */
static int look(struct setup *s, bool *has_log, struct plog_error *err)
{
    struct plog_walk w;
    struct plog_log_group g;
    int rc = plog_walk_open(&w, &s->legs.dir, &s->legs.keys, err);
    *has_log = rc != PLOG_E_NOTHING && rc != PLOG_E_ROLLBACK;
    if (!*has_log) {
        plog_walk_close(&w);
        return refuse_relics(&s->legs.dir, err);
    }
    if (!rc)
        rc = plog_walk_start(&w, err);
    while (!rc)
        rc = plog_walk_next(&w, &g, err);
    bool init_only = rc == PLOG_END && w.chain.last.size == 1;
    plog_walk_close(&w);
    if (rc == PLOG_E_IO || rc == PLOG_E_NOMEM) /* that says nothing of it */
        return rc;
    return init_only ? 0 : exists(err);
}

static bool sync_failed(const struct plog_store *s)
{
    return s->moved == SQLITE_IOERR_FSYNC || s->moved == SQLITE_IOERR_DIR_FSYNC;
}

/* On disk while it is empty: whatever fails up to then, a disk that is full as
 * well, leaves a store that the next init takes for one to be finished.  Behind
 * that there is nothing that could not be made again from the log. */
static int make_store(struct setup *s, struct plog_error *err)
{
    struct plog_legs *l = &s->legs;
    int rc = plog_legs_open_store(l, true, err);
    if (rc)
        return rc == PLOG_E_DIVERGED ? exists(err) : rc;
    if (!l->store.has_tables)
        rc = plog_store_create_tables(&l->store, s->signer.vkey.name, err);
    if (!rc)
        rc = plog_store_get_head(&l->store, &l->head, err);
    if (!rc && l->head.commit.size)
        return exists(err); /* both legs are whole: no init was cut off */
    if (!rc && (rc = plog_store_settle(&l->store, err)) != 0)
        plog_err_hint(err, sync_failed(&l->store)
                               ? "begin in a new directory: what a failed sync"
                                 " was for may be in memory alone"
                               : "the same init goes on from here, once there"
                                 " is room and the disk works");
    if (!rc)
        rc = plog_legs_replay(l, NULL, err);
    if (!rc)
        plog_store_checkpoint(&l->store); /* as a close: the log has it */
    return rc;
}

int plog_init(const char *dir, const struct plog_init_options *given,
              char *vkey, struct plog_error *err)
{
    struct plog_init_options own;
    const struct plog_init_options *options = &own;
    if (plog_take_options(&own, sizeof own, given, err))
        return PLOG_E_ARG;
    struct setup s;
    bool has_log = false;
    memset(&s, 0, sizeof s);
    s.io = options->io ? options->io : plog_io_posix();
    s.options = options;
    int rc = check_options(&s, err);
    if (rc)
        return rc;
    rc = check_path(s.io, dir, err);
    if (!rc)
        rc = plog_path_outside(s.io, NULL, dir, err);
    if (!rc)
        rc = make_directories(&s, dir, err);
    if (!rc)
        rc = plog_fs_check(&s.legs.dir, s.legs.network_fs, err);
    if (!rc)
        rc = look(&s, &has_log, err);
    if (!rc)
        rc = make_key(&s, err);
    if (!rc && !has_log)
        rc = plog_keyring_load(&s.legs.keys, s.io, s.legs.dir.keys, NULL, err);
    if (!rc && !has_log)
        rc = make_log(&s, err);
    if (!rc)
        rc = make_store(&s, err);
    if (!rc)
        plog_vkey_format(&s.signer.vkey, vkey);
    plog_signer_fini(&s.signer);
    plog_legs_close(&s.legs);
    return plog_done(err, rc);
}
