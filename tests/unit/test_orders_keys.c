/*
 * test_orders_keys.c - an order that came along, proven by a key that only the
 * rotations further ahead name: how many of those count, how often the log is
 * looked through for them, and what fails on the way.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "orders_dir.h"
#include "rotate.h"
#include "world.h"

#define FIRST "00000000000000000001.jsonl"

static struct plog_io io; /* the real one, which the cases change */
static struct plog_orders o;
static struct plog_dir d;
static struct plog_keyring ring;
static struct plog_signer signer; /* of the log that gave the order */
static struct plog_buf proof;

static int take_text(void *arg, const char *text, size_t len)
{
    (void)arg;
    return plog_buf_add(&proof, text, len);
}

/* A log with an order about entry 2 as entry 3: its proof, and its key. */
static void make_proof(void)
{
    struct world w;
    struct plog_redact_report r;
    struct plog_redact_options q = {.struct_size = sizeof q, .reason = "why"};
    struct plog_prove_options p = {.struct_size = sizeof p, .out = take_text};
    plog_buf_init(&proof, plog_io_posix());
    world_make(&w, PLOG_ARRIVAL, 0);
    CHECK_INT(world_put(&w, "a", "1", "one", NULL), 0);
    CHECK_INT(plog_redact(w.dir, 2, &q, &r, NULL), 0);
    CHECK_UINT(r.order, 3);
    world_close(&w);
    CHECK_INT(plog_prove(w.dir, 3, &p, NULL), 0);
    int keys = open(world_path(&w, "keys"), O_RDONLY | O_DIRECTORY);
    CHECK_INT(plog_signer_load(&signer, plog_io_posix(), keys, NULL, NULL), 0);
    close(keys);
}

/* A rotation, at whatever place: nobody has verified it. */
static void add_rotation(struct plog_buf *b, uint64_t seq,
                         const struct plog_signer *from,
                         const struct plog_signer *to)
{
    unsigned char root[PLOG_HASH_SIZE] = {1};
    struct plog_buf args;
    plog_buf_init(&args, b->io);
    CHECK_INT(plog_rotation_make(&args, seq, root, from, to), 0);
    CHECK_INT(plog_control_format(
                  b, seq, PLOG_CONTROL_ROTATE, plog_span(args.data, args.len),
                  plog_span_text("2026-01-02T03:04:05.000000Z")),
              0);
    CHECK_INT(plog_buf_add_char(b, '\n'), 0);
    plog_buf_fini(&args);
}

/* A directory whose log names `others` other keys before the one that signed,
 * two a rotation, and has the proof twice. */
static void begin(unsigned others)
{
    struct plog_signer a, b;
    struct plog_buf log;
    make_proof();
    orders_dir_begin(&d, &io, &ring, &o);
    CHECK_INT(mkdirat(d.dir, PLOG_ORDERS_DIR, 0700), 0);
    plog_buf_init(&log, plog_io_posix());
    for (unsigned i = 0; i < others; i += 2) {
        CHECK_INT(plog_signer_generate(&a, &io, signer.vkey.name, NULL), 0);
        CHECK_INT(plog_signer_generate(&b, &io, signer.vkey.name, NULL), 0);
        if (i + 1 < others)
            add_rotation(&log, i + 2, &a, &b);
        else
            add_rotation(&log, i + 2, &a, &signer);
        plog_signer_fini(&a);
        plog_signer_fini(&b);
    }
    if (others % 2 == 0) {
        CHECK_INT(plog_signer_generate(&a, &io, signer.vkey.name, NULL), 0);
        add_rotation(&log, others + 2, &signer, &a);
        plog_signer_fini(&a);
    }
    orders_dir_put(d.log, FIRST, log.data, log.len);
    plog_buf_fini(&log);
    int folder = openat(d.dir, PLOG_ORDERS_DIR, O_RDONLY | O_DIRECTORY);
    orders_dir_put(folder, "3", proof.data, proof.len);
    orders_dir_put(folder, "3-again", proof.data, proof.len);
    close(folder);
    o.looks_ahead = true;
}

static void end(void)
{
    orders_dir_end(&d, &o);
    plog_buf_fini(&proof);
    plog_signer_fini(&signer);
}

/* How many came along and are claimed, for that alone; below 0: the code. */
static int brought(void)
{
    const struct plog_known_order *list;
    size_t n;
    int rc = plog_orders_brought(&o, &list, &n);
    int claimed = 0;
    CHECK(rc == 0 || n == 0);
    for (size_t i = 0; i < n; i++) {
        CHECK(list[i].order.seq == 2 && list[i].file && !list[i].held);
        claimed += !list[i].unknown;
    }
    return rc ? rc : claimed;
}

/* A log has at most so many keys, and so many are tried: of more, whoever wrote
 * them does not mean this log. */
static void as_many_as_a_log_has(void)
{
    static const struct {
        unsigned others;
        int found;
    } all[] = {
        {0, 2}, {1, 2}, {62, 2}, {63, 2}, {64, 0}, {65, 0}, {80, 0},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        begin(all[i].others);
        if (!CHECK_INT(brought(), all[i].found))
            printf("# behind %u others\n", all[i].others);
        end();
    }
}

static unsigned opened;     /* how often the segment was */
static unsigned unreadable; /* ... and cannot be, so often */

static int counting_open(void *ctx, int dir, const char *name, int flags,
                         uint32_t mode)
{
    if (strcmp(name, FIRST) == 0) {
        opened++;
        if (unreadable && unreadable--)
            return -EIO;
    }
    return plog_io_posix()->open_at(ctx, dir, name, flags, mode);
}

/* For however many proofs, and however often: also where it cannot be read. */
static void looked_for_once(void)
{
    begin(3);
    io.open_at = counting_open;
    opened = unreadable = 0;
    for (int i = 0; i < 2; i++) {
        CHECK_INT(brought(), 2);
        CHECK_UINT(opened, 1);
    }
    end();
    begin(3);
    io.open_at = counting_open;
    opened = 0;
    unreadable = 1;
    for (int i = 0; i < 2; i++) {
        CHECK_INT(brought(), PLOG_E_IO);
        CHECK_UINT(opened, 1);
    }
    end();
}

static long left; /* allocations until one fails */

static void *fails_once(void *ctx, void *p, size_t n)
{
    return n && left-- == 0 ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

/* Keys that were not found for want of memory are looked for again. */
static void no_memory(void)
{
    long n = 0;
    for (bool all = false; !all && n < 200; n++) {
        begin(1);
        io.alloc = fails_once;
        left = n;
        int rc = brought();
        all = left >= 0;
        CHECK_INT(rc, all ? 2 : PLOG_E_NOMEM);
        left = -1;
        if (!CHECK_INT(brought(), 2))
            printf("# behind allocation %ld\n", n);
        end();
    }
    CHECK(n > 3 && n < 200);
}

static void how_it_is_said(void)
{
    struct plog_error err = {0};
    CHECK_INT(plog_orders_brought_fail(&o, PLOG_E_NOMEM, &err), PLOG_E_NOMEM);
    CHECK_TEXT(err.message, "out of memory");
    CHECK_TEXT(err.file, "");
    o.read = PLOG_ORDERS_ALL; /* it is log/, then, that cannot be read */
    CHECK_INT(plog_orders_brought_fail(&o, PLOG_E_IO, &err), PLOG_E_IO);
    CHECK_TEXT(err.message, "looking for an order to redact what is whole in"
                            " log/ failed");
    CHECK_TEXT(err.file, "");
    o.read = PLOG_ORDERS_PART;
    CHECK_INT(plog_orders_brought_fail(&o, PLOG_E_IO, &err), PLOG_E_IO);
    CHECK_INT(err.code, PLOG_E_IO);
    CHECK_TEXT(err.file, PLOG_ORDERS_DIR);
    CHECK(strstr(err.message, "orders/ cannot be read") != NULL);
    CHECK(err.hint[0] != '\0');
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"as many as a log has", as_many_as_a_log_has},
        {"looked for once", looked_for_once},
        {"no memory", no_memory},
        {"how it is said", how_it_is_said},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
