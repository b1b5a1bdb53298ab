/*
 * test_orders.c - which orders to redact, and which compact entry, count for a
 * reading: the list by itself, and the log looked through ahead.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "check.h"
#include "orders_dir.h"
#include "peers.h"
#include "world.h"

static struct plog_io io; /* the real one, which the cases change */
static struct plog_orders o;

static struct plog_order order(uint64_t seq, uint64_t at, int leaf,
                               const char *line)
{
    struct plog_order r = {.seq = seq, .at = at};
    memset(r.leaf, leaf, sizeof r.leaf);
    plog_sha256(line, strlen(line), r.line);
    return r;
}

static int need(uint64_t seq, int leaf, const char *line)
{
    unsigned char hash[PLOG_HASH_SIZE];
    memset(hash, leaf, sizeof hash);
    return plog_orders_need(&o, seq, hash, plog_span_text(line));
}

/* ---- The list ----------------------------------------------------------- */

static void add(uint64_t seq, uint64_t at, int leaf, const char *line,
                bool held)
{
    struct plog_order r = order(seq, at, leaf, line);
    CHECK_INT(plog_orders_add(&o, &r, held), 0);
    if (held) {
        struct plog_known_order *all = (void *)o.brought.data;
        struct plog_known_order *k = &all[o.brought.len / sizeof *all - 1];
        k->held = true;
        k->unknown = false;
    }
}

static uint64_t found_at(uint64_t seq)
{
    const struct plog_order *r = plog_orders_find(&o, seq);
    return r ? r->at : 0;
}

static void list_begin(void)
{
    io = *plog_io_posix();
    plog_orders_init(&o, &io, NULL, NULL);
    add(5, 20, 1, "five", false);
    add(3, 11, 1, "three", false);
    add(5, 9, 2, "five", false);
    add(5, 30, 1, "other", false);
    add(1, 8, 1, "one", false);
}

static void the_first_order_about_an_entry(void)
{
    list_begin();
    CHECK_UINT(found_at(1), 8);
    CHECK_UINT(found_at(3), 11);
    CHECK_UINT(found_at(5), 9);
    CHECK_UINT(found_at(2), 0);
    CHECK_UINT(found_at(4), 0);
    CHECK_UINT(found_at(6), 0);
    CHECK_UINT(found_at(0), 0);
    add(8, 50, 1, "eight", false); /* in their order already */
    add(8, 60, 1, "eight", false);
    add(7, 70, 1, "seven", false);
    CHECK_UINT(found_at(8), 50);
    CHECK_UINT(found_at(7), 70);
    plog_orders_fini(&o);
}

/* An order makes good the one line that it orders, of the one entry. */
static void only_the_line_it_orders(void)
{
    list_begin();
    CHECK_INT(need(5, 2, "five"), 0);
    CHECK_INT(need(5, 1, "five"), 0);
    CHECK_INT(need(5, 1, "other"), 0);
    CHECK_INT(need(5, 2, "other"), PLOG_E_TAMPERED);
    CHECK_INT(need(5, 3, "five"), PLOG_E_TAMPERED);
    CHECK_INT(need(5, 1, "fivE"), PLOG_E_TAMPERED);
    CHECK_INT(need(3, 1, "five"), PLOG_E_TAMPERED);
    CHECK_INT(need(4, 1, "five"), PLOG_E_TAMPERED);
    CHECK_INT(need(6, 1, "five"), PLOG_E_TAMPERED);
    plog_orders_fini(&o);
}

/* What was needed must be met, as it was. */
static void needed_and_not_met(void)
{
    size_t i = 0;
    list_begin();
    add(7, 40, 1, "seven", true);
    CHECK(plog_orders_unheld(&o, &i) == NULL);
    CHECK_INT(need(5, 1, "five"), 0);
    CHECK_INT(need(5, 1, "other"), 0);
    CHECK_INT(need(3, 1, "three"), 0);
    CHECK_INT(need(7, 1, "seven"), 0);
    struct plog_order r = order(3, 11, 9, "three"); /* another leaf */
    plog_orders_meet(&o, &r);
    r = order(3, 11, 1, "thrEe"); /* another line */
    plog_orders_meet(&o, &r);
    r = order(4, 11, 1, "three"); /* another entry */
    plog_orders_meet(&o, &r);
    static const uint64_t ats[] = {11, 20, 30};
    i = 0;
    for (int k = 0; k < 3; k++) {
        const struct plog_known_order *u = plog_orders_unheld(&o, &i);
        REQUIRE(u);
        CHECK_UINT(u->order.at, ats[k]);
    }
    CHECK(plog_orders_unheld(&o, &i) == NULL);
    r = order(3, 11, 1, "three");
    plog_orders_meet(&o, &r);
    r = order(5, 30, 1, "other");
    plog_orders_meet(&o, &r);
    i = 0;
    const struct plog_known_order *last = plog_orders_unheld(&o, &i);
    CHECK(last && last->order.at == 20);
    CHECK(plog_orders_unheld(&o, &i) == NULL);
    plog_orders_fini(&o);
}

/* Of those that make the same line, one that is held will do: whichever was
 * found first. */
static void one_of_them_is_held(void)
{
    for (int late = 0; late < 2; late++) { /* held when the line was met? */
        size_t i = 0;
        list_begin();
        add(3, 5, 1, "three", true);
        add(3, 9, 1, "three", true);
        struct plog_known_order *k = (void *)o.brought.data;
        k[0].held = false; /* claimed */
        k[1].held = !late;
        CHECK_INT(need(3, 1, "three"), 0);
        CHECK((plog_orders_unheld(&o, &i) == NULL) == !late);
        k[1].held = true;
        i = 0;
        CHECK(plog_orders_unheld(&o, &i) == NULL);
        i = 0; /* who copies the line takes the log's own along, too */
        CHECK(plog_orders_above(&o, 10, &i) != NULL);
        plog_orders_fini(&o);
    }
}

/* What is not met is told with the file that would make it good, if anybody
 * knew its key; a broken one would not. */
static void beside_an_unknown_one(void)
{
    struct plog_order_file files[] = {{.from = PLOG_ORDER_BROKEN},
                                      {.from = PLOG_ORDER_UNKNOWN},
                                      {.from = PLOG_ORDER_UNKNOWN}};
    struct plog_order r = order(3, 70, 1, "three");
    struct plog_order other = order(3, 71, 2, "three");
    for (size_t n = 1; n <= 3; n++) {
        size_t i = 0;
        list_begin();
        CHECK_INT(plog_buf_add(&o.files, files, n * sizeof *files), 0);
        o.asked = 1;
        CHECK_INT(plog_orders_add(&o, &r, 1), 0);
        if (n > 1) /* of another line */
            CHECK_INT(plog_orders_add(&o, &other, 2), 0);
        if (n > 2)
            CHECK_INT(plog_orders_add(&o, &r, 3), 0);
        CHECK_INT(need(3, 1, "three"), 0);
        const struct plog_known_order *k = plog_orders_unheld(&o, &i);
        REQUIRE(k != NULL);
        CHECK_UINT(k->order.at, 11);
        CHECK_UINT(plog_orders_file(&o, k), n > 2 ? 3 : 0);
        plog_orders_fini(&o);
    }
}

/* ---- The floor ---------------------------------------------------------- */

static void add_floor(uint64_t at, uint64_t to, bool brought, bool held)
{
    struct plog_known_floor f = {.file = brought, .held = held};
    struct plog_buf b;
    plog_buf_init(&b, &io);
    f.args_at = o.floor_args.len;
    f.args_n = orders_floor_args(to, &b).n;
    f.entry.at = at;
    f.entry.to = to;
    CHECK_INT(plog_buf_add(&o.floor_args, b.data, b.len), 0);
    CHECK_INT(plog_buf_add(&o.floors, &f, sizeof f), 0);
    plog_buf_fini(&b);
}

static void meet_floor(uint64_t at, uint64_t to)
{
    struct plog_buf b;
    plog_buf_init(&b, &io);
    plog_orders_meet_floor(&o, at, orders_floor_args(to, &b));
    plog_buf_fini(&b);
}

static uint64_t at_of(const struct plog_compaction *c)
{
    return c ? c->at : 0;
}

static uint64_t unheld_at(void)
{
    const struct plog_known_floor *f = plog_orders_floor_unheld(&o);
    return f ? f->entry.at : 0;
}

/* The log's last one counts, if it reaches; else the last one that came
 * along and reaches. */
static void which_floor(void)
{
    static const struct {
        struct {
            uint64_t at, to;
            bool brought;
        } have[4];
        uint64_t size, at;
    } all[] = {
        {{{0}}, 5, 0},
        {{{20, 10, false}}, 10, 20},
        {{{20, 10, false}}, 9, 20},
        {{{20, 10, false}}, 11, 0},
        {{{20, 10, false}, {30, 4, false}}, 10, 0}, /* undone */
        {{{30, 4, false}, {20, 10, false}}, 10, 0},
        {{{30, 12, false}, {20, 10, false}}, 10, 30},
        {{{20, 10, true}}, 10, 20},
        {{{20, 10, true}}, 11, 0},
        {{{20, 10, true}, {30, 12, true}}, 10, 30},
        {{{30, 12, true}, {20, 10, true}}, 10, 30},
        {{{30, 9, true}, {20, 10, true}}, 10, 20},
        {{{20, 10, true}, {15, 3, false}}, 10, 20},
        {{{20, 10, true}, {15, 10, false}}, 10, 15},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        io = *plog_io_posix();
        plog_orders_init(&o, &io, NULL, NULL);
        for (int k = 0; k < 4 && all[i].have[k].at; k++)
            add_floor(all[i].have[k].at, all[i].have[k].to,
                      all[i].have[k].brought, all[i].have[k].brought);
        if (!CHECK_UINT(at_of(plog_orders_floor(&o, all[i].size)), all[i].at))
            printf("#   row %zu\n", i);
        plog_orders_fini(&o);
    }
}

static void the_floor_of_exactly(void)
{
    io = *plog_io_posix();
    plog_orders_init(&o, &io, NULL, NULL);
    add_floor(20, 10, false, false);
    add_floor(30, 5, false, false);
    add_floor(40, 10, false, false);
    add_floor(35, 10, false, false);
    CHECK_UINT(at_of(plog_orders_floor_at(&o, 10)), 40);
    CHECK_UINT(at_of(plog_orders_floor_at(&o, 5)), 30);
    CHECK(plog_orders_floor_at(&o, 6) == NULL);
    CHECK_INT(plog_orders_doubt(&o), 0);
    plog_orders_fini(&o);
}

/* One that was needed and not met is missed, unless another that was met
 * reaches as far. */
static void a_floor_that_is_not_met(void)
{
    io = *plog_io_posix();
    plog_orders_init(&o, &io, NULL, NULL);
    add_floor(20, 10, false, false);
    add_floor(30, 12, false, false);
    CHECK(plog_orders_floor_unheld(&o) == NULL);
    CHECK(plog_orders_floor_held(&o) == NULL);
    CHECK_UINT(at_of(plog_orders_floor(&o, 10)), 30);
    CHECK_UINT(unheld_at(), 30);
    meet_floor(30, 11); /* not these arguments */
    meet_floor(31, 12);
    CHECK_UINT(unheld_at(), 30);
    meet_floor(20, 10); /* the one in an unfinished group is none of the log */
    CHECK(plog_orders_floor_unheld(&o) == NULL);
    CHECK_UINT(at_of(plog_orders_floor_held(&o)), 20);
    meet_floor(30, 12);
    CHECK(plog_orders_floor_unheld(&o) == NULL);
    CHECK_UINT(at_of(plog_orders_floor_held(&o)), 30);
    plog_orders_fini(&o);
    /* And not when the one that was met does not reach. */
    plog_orders_init(&o, &io, NULL, NULL);
    add_floor(30, 12, false, false);
    add_floor(20, 9, false, false);
    CHECK_UINT(at_of(plog_orders_floor(&o, 10)), 30);
    meet_floor(20, 9);
    CHECK(plog_orders_floor_held(&o) == NULL);
    CHECK_UINT(unheld_at(), 30);
    meet_floor(30, 12);
    CHECK(plog_orders_floor_unheld(&o) == NULL);
    CHECK_UINT(at_of(plog_orders_floor_held(&o)), 30);
    plog_orders_fini(&o);
}

/* Numbers of two logs are not compared: the log's own counts, whatever number
 * one has that came along; and both are held to the header behind them. */
static void a_floor_of_another_log(void)
{
    io = *plog_io_posix();
    plog_orders_init(&o, &io, NULL, NULL);
    add_floor(63, 33, true, true);
    add_floor(57, 48, false, false);
    CHECK_UINT(at_of(plog_orders_floor(&o, 48)), 57);
    CHECK_UINT(unheld_at(), 57);
    CHECK(plog_orders_floor_held(&o) == NULL);
    meet_floor(57, 48);
    CHECK_UINT(at_of(plog_orders_floor_held(&o)), 57);
    o.floor_root_at = 48;
    CHECK(plog_orders_floor_forks(&o) == NULL);
    o.floor_root[0] = 1;
    CHECK_UINT(at_of(plog_orders_floor_forks(&o)), 57);
    plog_orders_fini(&o);
    plog_orders_init(&o, &io, NULL, NULL); /* the own one does not reach */
    add_floor(63, 33, true, true);
    add_floor(57, 20, false, false);
    CHECK_UINT(at_of(plog_orders_floor(&o, 33)), 63);
    meet_floor(57, 20);
    CHECK_UINT(at_of(plog_orders_floor_held(&o)), 63);
    o.floor_root_at = 33;
    o.floor_root[0] = 1;
    CHECK_UINT(at_of(plog_orders_floor_forks(&o)), 63);
    plog_orders_fini(&o);
}

/* The name of the file whose key is not known is told, whatever else would
 * reach there if its signature held. */
static void beside_a_broken_one(void)
{
    char key[PLOG_KEYID_TEXT];
    struct plog_order_file files[] = {
        {.from = PLOG_ORDER_UNKNOWN, .name = "unknown"},
        {.from = PLOG_ORDER_BROKEN, .name = "broken"}};
    io = *plog_io_posix();
    for (int exactly = 0; exactly < 2; exactly++) {
        plog_orders_init(&o, &io, NULL, NULL);
        CHECK_INT(plog_buf_add(&o.files, files, sizeof files), 0);
        o.asked = 1;
        add_floor(30, 20, true, false);
        add_floor(40, 20, true, false);
        struct plog_known_floor *f = (void *)o.floors.data;
        f[1].file = 2;
        f[0].unknown = f[1].unknown = true;
        CHECK((exactly ? plog_orders_floor_at(&o, 20)
                       : plog_orders_floor(&o, 20)) == NULL);
        CHECK_TEXT(plog_orders_wanted(&o, key), "unknown");
        plog_orders_fini(&o);
    }
}

static void *no_memory(void *ctx, void *p, size_t n)
{
    return n ? NULL : plog_io_posix()->alloc(ctx, p, n);
}

/* No answer is not the answer that there is none. */
static void no_memory_for_a_floor(void)
{
    io = *plog_io_posix();
    plog_orders_init(&o, &io, NULL, NULL);
    add_floor(20, 10, false, false);
    io.alloc = no_memory;
    CHECK(plog_orders_floor(&o, 10) == NULL);
    CHECK_INT(plog_orders_doubt(&o), PLOG_E_NOMEM);
    plog_orders_fini(&o);
}

/* ---- Looking ahead ------------------------------------------------------ */

static struct plog_dir d;
static struct plog_keyring ring;

static void dir_begin(void)
{
    orders_dir_begin(&d, &io, &ring, &o);
}

static void dir_end(void)
{
    orders_dir_end(&d, &o);
}

static void order_line(struct plog_buf *b, uint64_t seq, uint64_t at)
{
    struct plog_order r = order(seq, at, 1, "line");
    struct plog_buf args;
    plog_buf_init(&args, b->io);
    CHECK_INT(plog_order_format(&args, &r, plog_span_text("why")), 0);
    CHECK_INT(plog_control_format(b, at, PLOG_CONTROL_REDACT,
                                  plog_span(args.data, args.len),
                                  plog_span("", 0)),
              0);
    CHECK_INT(plog_buf_add_char(b, '\n'), 0);
    plog_buf_fini(&args);
}

#define LONG_LINE (PLOG_LINE_MAX + PLOG_LINE_SLACK + 5)

/* Two segments with an order and a compact entry each, other lines between
 * them, one of them longer than any may be. */
static void write_log(void)
{
    struct plog_buf b;
    char name[PLOG_SEGMENT_NAME];
    plog_buf_init(&b, plog_io_posix());
    CHECK_INT(plog_buf_add_text(&b, "{\"segment\":{}}\n"), 0);
    order_line(&b, 3, 11);
    CHECK_INT(plog_buf_reserve(&b, LONG_LINE), 0);
    memset(b.data + b.len, 'x', LONG_LINE);
    b.len += LONG_LINE;
    CHECK_INT(plog_buf_add_text(&b, "\nno line of ours\n\n"), 0);
    orders_floor_line(&b, 9, 12);
    plog_segment_name(1, name);
    orders_dir_put(d.log, name, b.data, b.len);
    b.len = 0;
    order_line(&b, 4, 21);
    orders_floor_line(&b, 19, 22);
    plog_segment_name(20, name);
    orders_dir_put(d.log, name, b.data, b.len);
    plog_buf_fini(&b);
}

static void looks_through_the_log(void)
{
    dir_begin();
    write_log();
    CHECK_UINT(found_at(3), 11);
    CHECK_UINT(found_at(4), 21);
    CHECK_UINT(found_at(5), 0);
    CHECK_INT(need(3, 1, "line"), 0);
    CHECK_INT(need(5, 1, "line"), PLOG_E_TAMPERED);
    CHECK_UINT(at_of(plog_orders_floor(&o, 19)), 22);
    CHECK_UINT(at_of(plog_orders_floor_at(&o, 9)), 12);
    dir_end();
}

/* Of an odd file whoever reads the log speaks; the others count. */
static void odd_files_in_the_log(void)
{
    dir_begin();
    write_log();
    orders_dir_put(d.log, "odd", "x", 1);
    CHECK_INT(mkdirat(d.log, "00000000000000000030.jsonl", 0700), 0);
    CHECK_UINT(found_at(3), 11);
    CHECK_UINT(found_at(4), 21);
    CHECK_INT(plog_orders_doubt(&o), 0);
    dir_end();
}

/* What was not read may hold the order: nobody says then that there is
 * none. */
static void unreadable_segments(void)
{
    dir_begin();
    write_log();
    io.open_at = orders_failing_open;
    orders_unreadable = "00000000000000000020.jsonl";
    CHECK_INT(need(3, 1, "line"), 0);
    CHECK_INT(need(4, 1, "line"), PLOG_E_IO);
    CHECK_INT(plog_orders_doubt(&o), PLOG_E_IO);
    dir_end();
    dir_begin();
    io.list = orders_failing_list;
    orders_unreadable = NULL;
    orders_unlisted = d.log;
    CHECK_INT(need(3, 1, "line"), PLOG_E_IO);
    orders_unlisted = -1;
    dir_end();
    dir_begin();
    write_log();
    io.alloc = no_memory;
    CHECK(plog_orders_find(&o, 3) == NULL);
    CHECK(plog_orders_floor(&o, 3) == NULL);
    CHECK(plog_orders_floor_at(&o, 9) == NULL);
    CHECK_INT(need(3, 1, "line"), PLOG_E_NOMEM);
    dir_end();
}

/* ---- Later ones ---------------------------------------------------------- */

static void write_short(uint64_t first, uint64_t seq, uint64_t other,
                        uint64_t at)
{
    struct plog_buf b;
    char name[PLOG_SEGMENT_NAME];
    plog_buf_init(&b, plog_io_posix());
    order_line(&b, seq, at);
    order_line(&b, other, at + 1);
    orders_floor_line(&b, 9, at + 2);
    plog_segment_name(first, name);
    orders_dir_put(d.log, name, b.data, b.len);
    plog_buf_fini(&b);
}

/* An order that was logged since the first look is found by a second one, and
 * those that were known are not there twice. */
static void logged_since(void)
{
    dir_begin();
    write_short(1, 3, 7, 11);
    CHECK_INT(need(3, 1, "line"), 0);
    write_short(20, 3, 5, 21); /* of entry 3 once more */
    CHECK_INT(need(5, 1, "line"), 0);
    CHECK_UINT(found_at(3), 11);
    CHECK_UINT(o.list.len / sizeof(struct plog_known_order), 4);
    CHECK_INT(need(6, 1, "line"), PLOG_E_TAMPERED);
    dir_end();
    dir_begin(); /* also where the first look was for that one */
    write_short(1, 3, 7, 11);
    CHECK_INT(need(5, 1, "line"), PLOG_E_TAMPERED);
    write_short(20, 3, 5, 21);
    CHECK_INT(need(5, 1, "line"), 0);
    dir_end();
    dir_begin();
    write_short(1, 3, 7, 11);
    CHECK_INT(need(3, 1, "line"), 0);
    io.alloc = no_memory;
    CHECK_INT(need(5, 1, "line"), PLOG_E_NOMEM);
    io.alloc = plog_io_posix()->alloc;
    write_short(20, 3, 5, 21);
    CHECK_INT(need(5, 1, "line"), 0);
    dir_end();
}

static long fails_nth; /* counted down; 0: none */

static void *fails_once(void *ctx, void *p, size_t n)
{
    if (n && fails_nth && --fails_nth == 0)
        return NULL;
    return plog_io_posix()->alloc(ctx, p, n);
}

/* Each allocation: what was not found for lack of memory is not missing. */
static void memory_fails_once(void)
{
    bool all = false;
    for (long n = 1; !all && n < 200; n++) {
        dir_begin();
        write_short(1, 3, 7, 11);
        CHECK_INT(need(3, 1, "line"), 0);
        write_short(20, 3, 5, 21);
        io.alloc = fails_once;
        fails_nth = n;
        int rc = need(5, 1, "line");
        all = fails_nth > 0;
        CHECK_INT(rc, all ? 0 : PLOG_E_NOMEM);
        fails_nth = 0;
        CHECK_INT(need(5, 1, "line"), 0);
        dir_end();
        dir_begin();
        write_short(1, 3, 7, 11);
        io.alloc = fails_once;
        fails_nth = n;
        uint64_t at = at_of(plog_orders_floor(&o, 9));
        all &= fails_nth > 0;
        CHECK(at == (fails_nth > 0 ? 13 : 0));
        CHECK_INT(plog_orders_doubt(&o), at ? 0 : PLOG_E_NOMEM);
        fails_nth = 0;
        dir_end();
    }
    CHECK(all);
}

/* Segments of the archive count where they are asked for; of damaged ones
 * somebody else speaks. */
static void in_the_archive(void)
{
    bool all = false;
    for (long n = -1; !all && n < 50; n++) {
        dir_begin();
        d.with_archive = true;
        CHECK_INT(mkdirat(d.dir, PLOG_ARCHIVE_DIR, 0700), 0);
        int archive = openat(d.dir, PLOG_ARCHIVE_DIR, O_RDONLY | O_DIRECTORY);
        orders_dir_put(archive, "00000000000000000001.jsonl.gz", "no gzip", 7);
        write_short(20, 3, 5, 21);
        io.list = orders_failing_list;
        io.alloc = fails_once;
        orders_unlisted = n < 0 ? archive : -1;
        fails_nth = n < 0 ? 0 : n;
        int rc = need(3, 1, "line");
        all = fails_nth > 0;
        CHECK_INT(rc, n > 0 && !all ? PLOG_E_NOMEM : 0);
        if (n < 0) /* another one may lie where nobody could look */
            CHECK_INT(need(6, 1, "line"), PLOG_E_IO);
        orders_unlisted = -1;
        fails_nth = 0;
        close(archive);
        dir_end();
    }
    CHECK(all);
}

/* ------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"the_first_order_about_an_entry", the_first_order_about_an_entry},
        {"only_the_line_it_orders", only_the_line_it_orders},
        {"needed_and_not_met", needed_and_not_met},
        {"one_of_them_is_held", one_of_them_is_held},
        {"beside_an_unknown_one", beside_an_unknown_one},
        {"which_floor", which_floor},
        {"the_floor_of_exactly", the_floor_of_exactly},
        {"a_floor_that_is_not_met", a_floor_that_is_not_met},
        {"a_floor_of_another_log", a_floor_of_another_log},
        {"beside_a_broken_one", beside_a_broken_one},
        {"no_memory_for_a_floor", no_memory_for_a_floor},
        {"looks_through_the_log", looks_through_the_log},
        {"odd_files_in_the_log", odd_files_in_the_log},
        {"unreadable_segments", unreadable_segments},
        {"logged_since", logged_since},
        {"memory_fails_once", memory_fails_once},
        {"in_the_archive", in_the_archive},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
