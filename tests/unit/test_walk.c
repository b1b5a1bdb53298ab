/*
 * test_walk.c - where a walk over the segments begins, and whether the log
 * stands where the store says: the head, the keys and the files, each wrong
 * in one way.
 *
 * On the parts of an open handle; what a check says of whole directories is
 * in test_damage.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "commit_at.h"
#include "engine.h"
#include "sample.h"

#define FIRST "log/00000000000000000001.jsonl"

static struct world w;
static struct plog_error err;
static struct plog_walk walk;
static struct plog_log_group group;

/* ---- A table that fails -----------------------------------------------------
 */

static struct plog_io io;
static struct plog_dir dir;
static long opens = -1, reads = -1; /* that succeed; < 0: all */

static int f_open(void *c, int d, const char *n, int f, uint32_t m)
{
    if (opens >= 0 && strstr(n, ".jsonl") && opens-- == 0)
        return -EIO;
    return plog_io_posix()->open_at(c, d, n, f, m);
}
static int64_t f_read(void *c, int fd, void *p, size_t n, uint64_t at)
{
    if (reads >= 0 && reads-- == 0) {
        reads = 0;
        return -EIO;
    }
    return plog_io_posix()->pread(c, fd, p, n, at);
}

/* The handle's directory over that table. */
static const struct plog_dir *directory(void)
{
    io = *plog_io_posix();
    io.open_at = f_open;
    io.pread = f_read;
    opens = reads = -1;
    dir = w.p->legs.dir;
    dir.io = &io;
    return &dir;
}

/* Segments of about three entries, and groups of two. */
static void make(void)
{
    char text[2][1500], payload[900];
    memset(payload, 'p', sizeof payload);
    snprintf(payload, 8, "{\"v\":\"x");
    payload[7] = 'x';
    snprintf(payload + sizeof payload - 3, 3, "\"}");
    world_make(&w, PLOG_ARRIVAL, 4096);
    for (int i = 0; i < 6; i++) {
        struct plog_span all[2];
        for (int k = 0; k < 2; k++) {
            struct world_delta d = {.record = k ? "1" : "2",
                                    .payload = payload};
            world_text(text[k], sizeof text[k], &d);
            all[k] = (struct plog_span){text[k], strlen(text[k])};
        }
        struct plog_group g = {
            .struct_size = sizeof g, .deltas = all, .delta_count = 2};
        CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    }
    err = (struct plog_error){.code = 0};
}

static struct plog_legs *legs(void)
{
    return &w.p->legs;
}

/* ---- The head's commit ------------------------------------------------------
 */

static void same(struct plog_store_head *h)
{
    (void)h;
}
static void other_size(struct plog_store_head *h)
{
    h->commit.size--;
}
static void other_root(struct plog_store_head *h)
{
    h->commit.root[3] ^= 1;
}
static void other_key(struct plog_store_head *h)
{
    h->commit.key[0] = h->commit.key[0] == 'a' ? 'b' : 'a';
}
static void other_sig(struct plog_store_head *h)
{
    h->commit.sig[9] ^= 1;
}
static void near_start(struct plog_store_head *h)
{
    h->offset = 1;
}
static void at_start(struct plog_store_head *h)
{
    h->offset = 0;
}
static void in_a_line(struct plog_store_head *h)
{
    h->offset -= 3;
}
static void beyond(struct plog_store_head *h)
{
    h->offset += 100000;
}
static void other_origin(struct plog_store_head *h)
{
    h->origin[0] ^= 1;
}

static void the_commit_stands(void)
{
    static const struct {
        void (*change)(struct plog_store_head *);
        int code;
    } all[] = {
        {same, 0},
        {other_size, PLOG_END},
        {other_root, PLOG_END},
        {other_key, PLOG_END},
        {other_sig, PLOG_END},
        {near_start, PLOG_END},
        {at_start, PLOG_END},
        {in_a_line, PLOG_END},
        {beyond, PLOG_END},
    };
    struct plog_keychain none = {.count = 0}, other = {.count = 0};
    make();
    int fd = legs()->tail.fd;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_store_head h = legs()->head;
        all[i].change(&h);
        if (!CHECK_INT(
                plog_commit_stands(&legs()->dir, &legs()->chain, fd, &h, &err),
                all[i].code))
            printf("# case %zu: %s\n", i, err.message);
    }
    struct plog_store_head h = legs()->head;
    CHECK_INT(plog_commit_stands(&legs()->dir, &none, fd, &h, &err),
              PLOG_E_UNKNOWN_KEY);
    struct plog_vkey k = legs()->chain.keys[0];
    snprintf(k.id_text, sizeof k.id_text, "0123abcd");
    CHECK_INT(plog_keychain_add(&other, &k, 0), 0);
    CHECK_INT(plog_commit_stands(&legs()->dir, &other, fd, &h, &err),
              PLOG_E_UNKNOWN_KEY);
    CHECK(strstr(err.message, h.commit.key) != NULL);
    other_origin(&h); /* the key's name counts, not the store's word */
    CHECK(plog_commit_stands(&legs()->dir, &none, fd, &h, &err) == PLOG_END);
    h = legs()->head;
    directory();
    for (reads = 0; reads < 2; reads++) {
        long n = reads;
        CHECK_INT(plog_commit_stands(&dir, &legs()->chain, fd, &h, &err),
                  PLOG_E_IO);
        reads = n;
    }
    reads = -1;
    world_end(&w, 13);
}

/* A line that no commit is as long as, and the header of another log. */
static void other_lines(void)
{
    struct plog_buf b;
    struct plog_tree tree;
    struct plog_commit last = {.size = 0};
    char path[700];
    make();
    struct plog_store_head h = legs()->head;
    plog_buf_init(&b, plog_io_posix());
    plog_tree_init(&tree);
    snprintf(path, sizeof path, "%s/other", w.dir);
    for (int i = 0; i < 3; i++) {
        b.len = 0;
        CHECK_INT(plog_header_format(&b, h.origin, &tree, &last), 0);
        CHECK_INT(plog_buf_add_char(&b, '\n'), 0);
        for (int k = 0; i == 1 && k < 9000; k++)
            CHECK_INT(plog_buf_add_char(&b, 'x'), 0);
        if (i == 2)
            CHECK_INT(plog_header_format(&b, "another.log", &tree, &last), 0);
        if (i)
            CHECK_INT(plog_buf_add_char(&b, '\n'), 0);
        world_write(path, b.data, b.len);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        h.offset = b.len;
        CHECK_INT(
            plog_commit_stands(&legs()->dir, &legs()->chain, fd, &h, &err),
            i == 2 ? PLOG_E_FOREIGN : PLOG_END);
        close(fd);
    }
    CHECK_TEXT(err.message, "the segment belongs to another log");
    plog_buf_fini(&b);
    CHECK_INT(unlink(path), 0);
    world_end(&w, 13);
}

/* ---- Where the store's head lies in the log ---------------------------------
 */

static void no_segment(struct plog_store_head *h)
{
    h->segment += 1000;
}
static void ahead(struct plog_store_head *h)
{
    h->commit.size = 99;
    h->offset = 5;
}
static void within_a_group(struct plog_store_head *h)
{
    h->commit.size = 6; /* groups end at 1, 3, 5, 7 */
    h->offset = 5;
}
static void forked(struct plog_store_head *h)
{
    h->commit.root[0] ^= 1;
}
static void foreign(struct plog_store_head *h)
{
    h->origin[0] ^= 1;
    h->offset = 5;
}

static void located(void)
{
    static const struct {
        void (*change)(struct plog_store_head *);
        int code;
    } all[] = {
        {same, 0},
        {near_start, 0}, /* not there, and found by its size */
        {no_segment, 0},
        {other_sig, 0},
        {ahead, PLOG_E_ROLLBACK},
        {within_a_group, PLOG_E_FORK},
        {forked, PLOG_E_FORK},
        {foreign, PLOG_E_FOREIGN},
    };
    make();
    struct plog_store_head kept = legs()->head;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        all[i].change(&legs()->head);
        CHECK_INT(plog_walk_open(&walk, &legs()->dir, &legs()->keys, NULL), 0);
        if (!CHECK_INT(plog_legs_locate(legs(), &walk, &err), all[i].code))
            printf("# case %zu: %s\n", i, err.message);
        if (!all[i].code) {
            CHECK_UINT(walk.chain.last.size, 13);
            CHECK_INT(plog_walk_next(&walk, &group, NULL), PLOG_END);
        }
        plog_walk_close(&walk);
        legs()->head = kept;
    }
    /* No key that is trusted: the log says so, when it is read. */
    legs()->keys.count = 0;
    CHECK_INT(plog_walk_open(&walk, &legs()->dir, &legs()->keys, NULL), 0);
    CHECK_INT(plog_legs_locate(legs(), &walk, &err), PLOG_E_UNKNOWN_KEY);
    plog_walk_close(&walk);
    legs()->keys.count = 1;
    struct plog_log_end none = {.segment = 0}; /* no segment to renew */
    char nowhere[128] = "x";
    CHECK_INT(plog_legs_renew(legs(), &none, nowhere, &err), 0);
    CHECK_TEXT(nowhere, "");
    /* Removing what has no header: each call may fail. */
    struct plog_log_end end = {.headless = true, .torn_segment = 77};
    char name[128];
    CHECK_INT(plog_legs_renew(legs(), &end, name, &err), PLOG_E_IO);
    CHECK(strstr(err.message, "removing an unborn segment") != NULL);
    world_end(&w, 13);
}

/* ---- Where the log ends
 * ------------------------------------------------------- */

/* Cuts the log behind the last entry line: its group is an unfinished one. */
static void cut_commit(void)
{
    char name[64], path[700];
    size_t n;
    CHECK_INT(plog_walk_open(&walk, &legs()->dir, &legs()->keys, NULL), 0);
    size_t count = plog_segment_count(&walk.segments);
    snprintf(name, sizeof name, "log/%020llu.jsonl",
             (unsigned long long)plog_segment_at(&walk.segments, count - 1));
    plog_walk_close(&walk);
    snprintf(path, sizeof path, "%s", world_path(&w, name));
    char *text = world_read(path, &n);
    char *last = text;
    for (char *at = text; (at = strstr(at, "{\"commit\":{\"size\"")); at++)
        last = at;
    world_write(path, text, (size_t)(last - text));
    free(text);
}

static int end_of(void)
{
    struct plog_log_end found;
    err = (struct plog_error){.code = 0};
    CHECK_INT(plog_walk_open(&walk, &legs()->dir, &legs()->keys, NULL), 0);
    CHECK_INT(plog_walk_start(&walk, &err), 0);
    int rc = plog_legs_find_end(&walk, &found, &err);
    plog_walk_close(&walk);
    return rc;
}

/* What a line or the log's beginning was believed for must be one of the log
 * in the end. */
static void believed(void)
{
    struct plog_redact_options redact = {.struct_size = sizeof redact,
                                         .reason = "asked for"};
    struct plog_redact_report redacted;
    make();
    CHECK_INT(plog_redact(w.dir, 2, &redact, &redacted, NULL), 0);
    CHECK_UINT(redacted.order, 14);
    CHECK_INT(end_of(), 0);
    cut_commit();
    CHECK_INT(end_of(), PLOG_E_TAMPERED);
    CHECK_TEXT(err.message, "entry 2 is redacted, and the order for it at 14 is"
                            " not one of the log");
    CHECK_UINT(err.seq, 2);
    world_close(&w);
    struct plog_compact_options compact = {.struct_size = sizeof compact};
    struct plog_compact_report compacted;
    struct plog_peer_options peer = {.struct_size = sizeof peer};
    struct plog_peer_report acknowledged;
    sample_begin_compacted(&w);
    CHECK_INT(plog_peer_ack(w.dir, "far", 30, NULL, &peer, &acknowledged, NULL),
              0);
    CHECK_INT(plog_compact(w.dir, &compact, &compacted, NULL), 0);
    CHECK(compacted.to > 0);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(end_of(), 0);
    cut_commit();
    CHECK_INT(end_of(), PLOG_E_CORRUPT);
    CHECK(strstr(err.message, "the log begins behind entry 1") != NULL);
    world_close(&w);
}

/* Keys that nobody trusts, found only at the end. */
static void trusted_no_more(void)
{
    struct plog_log_end found;
    make();
    CHECK_INT(plog_walk_open(&walk, &legs()->dir, &legs()->keys, NULL), 0);
    CHECK_INT(plog_legs_locate(legs(), &walk, &err), 0);
    legs()->keys.count = 0;
    CHECK_INT(plog_legs_find_end(&walk, &found, &err), PLOG_E_UNKNOWN_KEY);
    legs()->keys.count = 1;
    plog_walk_close(&walk);
    world_end(&w, 13);
}

/* A replay applies what is whole and lets an unfinished end be, for the repair
 * to set aside. */
static void replayed(void)
{
    make();
    char away[700];
    snprintf(away, sizeof away, "%s-away", w.dir);
    world_close(&w);
    world_copy(w.dir, away);
    CHECK_INT(world_open(&w), 0);
    CHECK_INT(world_put(&w, NULL, "5", "whole", NULL), 0);
    CHECK_INT(world_put(&w, NULL, "6", "cut", NULL), 0);
    cut_commit();
    struct world old = w; /* the store of before over the log of now */
    old.p = NULL;
    snprintf(old.dir, sizeof old.dir, "%.500s", away);
    world_remove(world_path(&old, "log"));
    char log[700];
    snprintf(log, sizeof log, "%s", world_path(&w, "log"));
    world_copy(log, world_path(&old, "log"));
    world_close(&w);
    struct plog_legs l;
    struct plog_options o = {.struct_size = sizeof o};
    CHECK_INT(
        plog_legs_open(&l, plog_io_posix(), old.dir, PLOG_DIR_WRITE, &o, NULL),
        0);
    CHECK_INT(plog_dir_lock(&l.dir, false, 1, NULL), 0);
    CHECK_INT(plog_legs_open_store(&l, false, NULL), 0);
    CHECK_INT(plog_legs_replay(&l, NULL, &err), 0);
    CHECK_UINT(l.head.commit.size, 14);
    /* One that fails leaves the head as the store has it. */
    l.keys.count = 0;
    uint64_t offset = l.head.offset;
    CHECK_INT(plog_legs_replay(&l, NULL, &err), PLOG_E_UNKNOWN_KEY);
    CHECK_UINT(l.head.commit.size, 14);
    CHECK_UINT(l.head.offset, offset);
    plog_legs_close(&l);
    CHECK_TEXT(world_record(&old, "5"), "{\"v\":\"whole\"} v1");
    CHECK_TEXT(world_record(&old, "6"), "none");
    CHECK_INT(world_open(&old), 0); /* which mends the end */
    world_end(&old, 14);
}

/* A store without entries, and a log that holds none either. */
static void nothing_there(void)
{
    char path[700];
    make();
    world_sql(&w, "DELETE FROM events; DELETE FROM checkpoints;"
                  " DELETE FROM segments");
    memset(&legs()->head.commit, 0, sizeof legs()->head.commit);
    plog_tail_close(&legs()->tail);
    CHECK_INT(plog_walk_open(&walk, &legs()->dir, &legs()->keys, NULL), 0);
    for (size_t i = 1; i < plog_segment_count(&walk.segments); i++) {
        char name[64];
        snprintf(name, sizeof name, "log/%020llu.jsonl",
                 (unsigned long long)plog_segment_at(&walk.segments, i));
        CHECK_INT(unlink(world_path(&w, name)), 0);
    }
    plog_walk_close(&walk);
    snprintf(path, sizeof path, "%s", world_path(&w, FIRST));
    CHECK_INT(truncate(path, 20), 0); /* an unborn one */
    CHECK_INT(plog_legs_repair(legs(), true, &err), PLOG_E_NOTHING);
    CHECK_TEXT(err.message, "the log holds no entry");
    CHECK_INT(access(path, F_OK), 0);
    legs()->head.commit.size = 3; /* of no log: it has no name */
    CHECK_INT(plog_legs_repair(legs(), true, &err), PLOG_E_ROLLBACK);
    legs()->head.commit.size = 0;
    CHECK_INT(unlink(path), 0);
    CHECK_INT(plog_legs_repair(legs(), true, &err), PLOG_E_ROLLBACK);
    CHECK_TEXT(err.message,
               "the log is gone: log/ holds no segment, but store.db is there");
    legs()->head.commit.size = 3;
    CHECK_INT(plog_legs_repair(legs(), true, &err), PLOG_E_ROLLBACK);
    world_close(&w);
}

/* ---- Segments ---------------------------------------------------------------
 */

static void segments(void)
{
    make();
    struct plog_store_head h = legs()->head;
    CHECK_INT(plog_walk_open(&walk, &legs()->dir, &legs()->keys, NULL), 0);
    size_t count = plog_segment_count(&walk.segments);
    CHECK(count >= 3);
    CHECK_INT(plog_walk_start_segment(&walk, 777, &err), PLOG_E_CORRUPT);
    CHECK_TEXT(err.file, "log/00000000000000000777.jsonl");
    CHECK_UINT(err.seq, 777);
    h.segment = 777;
    CHECK_INT(plog_walk_start_at(&walk, &h, &err), PLOG_END);
    plog_walk_close(&walk);
    /* It stops where it is told to, whatever lies behind. */
    CHECK_INT(plog_walk_open(&walk, &legs()->dir, &legs()->keys, NULL), 0);
    uint64_t second = plog_segment_at(&walk.segments, 1);
    walk.stop_segment = second;
    walk.stop_offset = 1u << 30;
    CHECK_INT(plog_walk_start(&walk, &err), 0);
    int rc;
    while ((rc = plog_walk_next(&walk, &group, &err)) == 0)
        ;
    CHECK_INT(rc, PLOG_END);
    CHECK_UINT(walk.first, second);
    CHECK_UINT(walk.chain.last.size, plog_segment_at(&walk.segments, 2) - 1);
    plog_walk_close(&walk);
    world_end(&w, 13);
}

/* The same behind damage, and when the disk fails at it. */
static void behind_damage(void)
{
    uint64_t from, to;
    size_t n;
    make();
    char path[700];
    snprintf(path, sizeof path, "%s", world_path(&w, FIRST));
    char *log = world_read(path, &n);
    char *commit = strrchr(log, '{'); /* of the last commit in the segment */
    while (commit > log && commit[-1] != '\n')
        commit--;
    memcpy(commit + 3, "oops", 4);
    world_write(path, log, n);
    for (int stop = 0; stop < 2; stop++) {
        CHECK_INT(plog_walk_open(&walk, directory(), &legs()->keys, NULL), 0);
        if (stop) {
            walk.stop_segment = 1;
            walk.stop_offset = n;
        }
        CHECK_INT(plog_walk_start(&walk, &err), 0);
        int rc;
        while ((rc = plog_walk_next(&walk, &group, &err)) == 0)
            ;
        CHECK_INT(rc, PLOG_E_CORRUPT);
        uint64_t good = walk.chain.last.size;
        CHECK_INT(plog_walk_resync(&walk, &from, &to, &err),
                  stop ? PLOG_END : 0);
        CHECK_UINT(from, good + 1);
        CHECK(stop ? to == 0 : to > good);
        plog_walk_close(&walk);
    }
    for (int how = 0; how < 2; how++) {
        CHECK_INT(plog_walk_open(&walk, directory(), &legs()->keys, NULL), 0);
        CHECK_INT(plog_walk_start(&walk, &err), 0);
        while (plog_walk_next(&walk, &group, &err) == 0)
            ;
        if (how)
            opens = 0; /* of the next segment */
        else {
            reads = 0; /* of this one */
            walk.scan.window.len = 0;
        }
        CHECK_INT(plog_walk_resync(&walk, &from, &to, &err), PLOG_E_IO);
        CHECK_UINT(to, 0);
        opens = reads = -1;
        plog_walk_close(&walk);
    }
    free(log);
    world_close(&w);
}

/* ... and the next segment is no file: it is passed over, too. */
static void damage_and_no_file(void)
{
    uint64_t from, to;
    char path[700], name[60];
    size_t n;
    make();
    snprintf(path, sizeof path, "%s", world_path(&w, FIRST));
    char *log = world_read(path, &n);
    log[n - 5] ^= 1; /* in the last commit of the segment */
    world_write(path, log, n);
    free(log);
    CHECK_INT(plog_walk_open(&walk, directory(), &legs()->keys, NULL), 0);
    uint64_t second = plog_segment_at(&walk.segments, 1);
    uint64_t third = plog_segment_at(&walk.segments, 2);
    snprintf(name, sizeof name, "log/%020" PRIu64 ".jsonl", second);
    world_remove(world_path(&w, name));
    CHECK_INT(mkdir(world_path(&w, name), 0700), 0);
    CHECK_INT(plog_walk_start(&walk, &err), 0);
    while (plog_walk_next(&walk, &group, &err) == 0)
        ;
    CHECK_INT(plog_walk_resync(&walk, &from, &to, &err), PLOG_E_CORRUPT);
    CHECK_UINT(walk.first, second);
    CHECK_INT(plog_walk_resync(&walk, &from, &to, &err), 0);
    CHECK_UINT(walk.first, third);
    CHECK_UINT(to, third - 1);
    CHECK_UINT(walk.bytes, n); /* of the first; the other has none */
    plog_walk_close(&walk);
    world_close(&w);
}

/* ---- Keys that lie ahead ----------------------------------------------------
 */

static char pin[PLOG_VKEY_MAX];

/* Rotated twice; `pin` is the last key, and the log begins with the first. */
static void make_rotated(void)
{
    struct plog_rotate_options o = {.struct_size = sizeof o};
    struct plog_rotate_report r;
    make();
    for (int i = 0; i < 2; i++) {
        CHECK_INT(plog_key_rotate(w.dir, &o, &r, NULL), 0);
        CHECK_INT(world_put(&w, NULL, "1", "x", NULL), 0);
    }
    snprintf(pin, sizeof pin, "%s", r.new_vkey);
}

static int verify(struct world_found *f)
{
    struct plog_check_options o = {.struct_size = sizeof o, .vkey = pin};
    return world_verify(&w, &o, f);
}

/* Lines that are no rotations do not hide those that are: the damage is what
 * is found, and not that nobody knows the key. */
static void rotations_ahead(void)
{
    const char *lines[] = {
        NULL, /* the second rotation, before the first */
        "x",
        "{\"seq\":9,\"control\":\"rotate\",\"args\":{\"size\":2,\"root\":\"no "
        "entry, and longer than that",
        "{\"seq\":9,\"control\":\"rotate\",\"args\":{\"size\":9,\"root\":"
        "\"nothing of a rotation but its name\"},\"logged_at\":"
        "\"2026-01-02T03:04:05.000000Z\"}",
        "{\"seq\":9,\"control\":\"redact\",\"args\":{\"size\":9,\"root\":"
        "\"nothing of a rotation\"},\"logged_at\":"
        "\"2026-01-02T03:04:05.000000Z\"}",
        NULL, /* longer than any line */
    };
    struct world_found f;
    make_rotated();
    char *second = world_line(&w, 16, NULL);
    CHECK(strstr(second, "\"rotate\"") != NULL);
    lines[0] = second;
    world_close(&w);
    world_remove(world_path(&w, "keys"));
    CHECK_INT(verify(&f), 0);
    size_t n;
    char *log = world_read(world_path(&w, FIRST), &n);
    size_t head = (size_t)(strchr(log, '\n') + 1 - log);
    size_t most = PLOG_LINE_MAX + PLOG_LINE_SLACK + 100;
    char *text = malloc(n + most);
    if (!text)
        abort();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        size_t m = lines[i] ? strlen(lines[i]) : most - 1;
        memcpy(text, log, head);
        if (lines[i])
            memcpy(text + head, lines[i], m);
        else
            memset(text + head, 'x', m);
        text[head + m] = '\n';
        memcpy(text + head + m + 1, log + head, n - head);
        world_write(world_path(&w, FIRST), text, n + m + 1);
        verify(&f);
        bool ok = CHECK_UINT(f.report.counts[-PLOG_E_UNKNOWN_KEY], 0);
        ok &= CHECK_INT(plog_exit_status(f.report.verdict), 5);
        if (!ok)
            printf("# %s\n", lines[i] ? lines[i] : "(long)");
    }
    memcpy(text, log, n); /* at the end, without an LF */
    memset(text + n, 'x', most - 1);
    world_write(world_path(&w, FIRST), text, n + most - 1);
    verify(&f);
    CHECK_UINT(f.report.counts[-PLOG_E_UNKNOWN_KEY], 0);
    free(text);
    free(log);
    free(second);
}

/* A log that begins behind its floor, with a key that only a rotation above
 * the floor leads away from. */
static void above_a_floor(void)
{
    struct world_found f;
    struct plog_status status;
    sample_begin_compacted(&w);
    sample_compact(&w);
    char vkey[PLOG_VKEY_MAX];
    CHECK_INT(plog_read_status(w.dir, NULL, &status, NULL), 0);
    CHECK(status.floor > 0);
    CHECK_INT(plog_key_show(w.dir, NULL, vkey, NULL), 0);
    CHECK(strcmp(vkey, w.vkey) != 0);
    const char *pins[] = {vkey, w.vkey};
    for (int i = 0; i < 2; i++) {
        snprintf(pin, sizeof pin, "%s", pins[i]);
        CHECK_INT(verify(&f), 0);
    }
    struct world other;
    world_make(&other, PLOG_ARRIVAL, 0);
    snprintf(pin, sizeof pin, "%s", other.vkey);
    CHECK_INT(plog_exit_status(verify(&f)) != 0, 1);
    world_close(&other);
}

/* A segment ahead that is no file is left to the walk to find; one that cannot
 * be read ends it. */
static void files_ahead(void)
{
    struct plog_keyring ring = {.count = 1};
    make_rotated();
    CHECK_INT(plog_vkey_parse(plog_span_text(pin), &ring.keys[0]), 0);
    CHECK_INT(plog_walk_open(&walk, directory(), &ring, NULL), 0);
    CHECK_INT(plog_walk_start(&walk, &err), 0);
    CHECK_UINT(walk.chain.chain.count, 1);
    plog_walk_close(&walk);
    for (long n = 0; n < 2; n++) { /* the first one; and while it looks ahead */
        CHECK_INT(plog_walk_open(&walk, directory(), &ring, NULL), 0);
        opens = n;
        CHECK_INT(plog_walk_start(&walk, &err), PLOG_E_IO);
        plog_walk_close(&walk);
        CHECK_INT(plog_walk_open(&walk, directory(), &ring, NULL), 0);
        reads = n;
        CHECK_INT(plog_walk_start(&walk, &err), PLOG_E_IO);
        plog_walk_close(&walk);
    }
    CHECK_INT(plog_walk_open(&walk, directory(), &ring, NULL), 0);
    char name[64], path[700];
    snprintf(name, sizeof name, "log/%020llu.jsonl",
             (unsigned long long)plog_segment_at(&walk.segments, 1));
    snprintf(path, sizeof path, "%s", world_path(&w, name));
    CHECK_INT(unlink(path), 0);
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK_INT(plog_walk_start(&walk, &err), 0);
    CHECK_UINT(walk.chain.chain.count, 1);
    int rc;
    while ((rc = plog_walk_next(&walk, &group, &err)) == 0)
        ;
    CHECK_INT(plog_exit_status(rc), 5);
    plog_walk_close(&walk);
    world_close(&w);
}

/* A segment without any commit names no key. */
static void no_commit(void)
{
    size_t n;
    struct plog_keyring ring = {.count = 0};
    make();
    char path[700];
    snprintf(path, sizeof path, "%s", world_path(&w, FIRST));
    char *log = world_read(path, &n);
    size_t head = (size_t)(strchr(log, '\n') + 1 - log);
    world_write(path, log, head);
    CHECK_INT(plog_walk_open(&walk, directory(), &ring, NULL), 0);
    CHECK_INT(plog_walk_start(&walk, &err), 0);
    CHECK_UINT(walk.chain.chain.count, 0);
    plog_walk_close(&walk);
    /* And one whose first commit lies far behind, where reading fails. */
    char *text = malloc(n + (600 << 10));
    if (!text)
        abort();
    memcpy(text, log, head);
    memset(text + head, 'x', 600 << 10);
    text[head + (600 << 10) - 1] = '\n';
    memcpy(text + head + (600 << 10), log + head, n - head);
    world_write(path, text, n + (600 << 10));
    CHECK_INT(plog_walk_open(&walk, directory(), &ring, NULL), 0);
    reads = 2;
    CHECK_INT(plog_walk_start(&walk, &err), PLOG_E_IO);
    plog_walk_close(&walk);
    free(text);
    free(log);
    world_close(&w);
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"the commit stands", the_commit_stands},
        {"other lines", other_lines},
        {"located", located},
        {"believed", believed},
        {"trusted no more", trusted_no_more},
        {"replayed", replayed},
        {"nothing there", nothing_there},
        {"segments", segments},
        {"behind damage", behind_damage},
        {"damage and no file", damage_and_no_file},
        {"rotations ahead", rotations_ahead},
        {"above a floor", above_a_floor},
        {"files ahead", files_ahead},
        {"no commit", no_commit},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
