/*
 * orders_brought.c - orders that came along from the log that this one was
 * copied from: see orders.h.
 *
 * They are none of the log at hand, so its store has no row of them, and no
 * reading comes to them.  Each lies in orders/ with a proof under a key of the
 * log that gave them; which keys those may be: orders_keys.c.
 */
#include "orders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define PROOF_FILE_MAX (2u << 20) /* a compact entry names peers and keys */

/* ---- Reading them ------------------------------------------------------- */

static int take_proof(struct plog_orders *o, struct plog_span text)
{
    struct plog_proof_report r;
    struct plog_entry_parser parser;
    struct plog_order order;
    enum plog_order_from from;
    int rc = plog_orders_prove(o, text, &r, &from);
    o->unproven |= rc == PLOG_END || (!rc && from == PLOG_ORDER_CLAIMED);
    if (rc)
        return rc == PLOG_END ? 0 : rc;
    plog_entry_parser_init(&parser, o->dir->io);
    rc = plog_order_read(&parser, r.entry, &order);
    if (rc >= 0)
        rc = rc && order.at == r.seq
                 ? plog_orders_add(o, &order, from)
                 : plog_orders_keep_floor(o, &parser, r.entry, from);
    plog_entry_parser_fini(&parser);
    free(r.memory);
    return rc;
}

static int read_proof(struct plog_orders *o, int dir, const char *name)
{
    const struct plog_io *io = o->dir->io;
    struct plog_buf text;
    if (name[0] == '.')
        return 0;
    plog_buf_init(&text, io);
    int rc = plog_io_read_all(io, dir, name, PROOF_FILE_MAX, &text);
    if (!rc)
        rc = take_proof(o, plog_span(text.data, text.len));
    else if (rc == -ENOMEM)
        rc = PLOG_E_NOMEM;
    else /* what is no file of ours, the line that needs it will miss */
        rc = plog_io_says_odd(rc) || rc == -EFBIG
                 ? 0
                 : plog_orders_or_unreadable(o, PLOG_E_IO);
    plog_buf_fini(&text);
    return rc;
}

struct names {
    struct plog_orders *o;
    int dir, rc;
};

static int each_name(void *arg, const char *name)
{
    struct names *n = arg;
    n->rc = read_proof(n->o, n->dir, name);
    return n->rc;
}

static int open_folder(const struct plog_dir *d)
{
    return d->io->open_at(d->io->ctx, d->dir, PLOG_ORDERS_DIR,
                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

static int read_proofs(struct plog_orders *o, int dir)
{
    const struct plog_io *io = o->dir->io;
    struct names n = {o, dir, 0};
    int rc = io->list(io->ctx, dir, each_name, &n);
    io->close(io->ctx, dir);
    return n.rc ? n.rc : rc < 0 ? plog_orders_or_unreadable(o, PLOG_E_IO) : 0;
}

int plog_orders_look_at_brought(struct plog_orders *o)
{
    if (!o->keys)
        return 0;
    int dir = open_folder(o->dir);
    if (dir < 0)
        return dir == -ENOENT ? 0 : plog_orders_or_unreadable(o, PLOG_E_IO);
    return read_proofs(o, dir);
}

/* ---- Those alone -------------------------------------------------------- */

/* What is no folder holds none: nobody needs one to read a whole line. */
static int read_alone(struct plog_orders *o, struct plog_orders *only)
{
    int dir = open_folder(o->dir);
    if (dir < 0)
        return dir == -ENOENT || dir == -ENOTDIR || plog_io_says_odd(dir)
                   ? 0
                   : PLOG_E_IO;
    int rc = read_proofs(only, dir);
    return rc ? rc : plog_orders_doubt(only);
}

int plog_orders_brought(struct plog_orders *o,
                        const struct plog_known_order **list, size_t *count)
{
    struct plog_orders only;
    unsigned keys = o->chain ? o->chain->count : 0;
    bool known = o->brought_read && o->brought_keys == keys;
    int rc = 0;
    if (!known && o->dir && o->keys) {
        plog_orders_init(&only, o->list.io, o->dir, o->keys);
        only.for_ = o;
        rc = read_alone(o, &only);
        struct plog_buf was = o->brought;
        o->brought = only.list;
        only.list = was;
        o->unproven = only.unproven;
        plog_orders_hold_floors(o, &only);
        plog_orders_fini(&only);
    }
    o->brought_read = !rc;
    o->brought_keys = keys;
    *list = (const void *)o->brought.data;
    *count = rc ? 0 : o->brought.len / sizeof **list;
    return rc;
}

int plog_orders_settle(struct plog_orders *o)
{
    const struct plog_known_order *list;
    size_t n;
    if (!plog_orders_any_claimed(o))
        return 0;
    int rc = plog_orders_brought(o, &list, &n);
    for (size_t i = 0; !rc && i < n; i++)
        if (list[i].held)
            plog_orders_meet(o, &list[i].order);
    return rc;
}

int plog_orders_unproven(struct plog_orders *o, bool *any)
{
    const struct plog_known_order *list;
    size_t n;
    int rc = plog_orders_brought(o, &list, &n);
    *any = !rc && o->unproven;
    return rc;
}

int plog_orders_brought_fail(int rc, struct plog_error *err)
{
    if (rc != PLOG_E_IO)
        return plog_fail(err, rc, "out of memory");
    plog_fail(err, rc,
              "orders/ cannot be read, and may hold an order to redact"
              " what is whole in log/");
    plog_err_file(err, PLOG_ORDERS_DIR);
    plog_err_hint(err, "see that the disk is well and that every file there can"
                       " be read");
    return rc;
}

/* The first one about entry `seq` or a later one, or n. */
static size_t lower_bound(const struct plog_known_order *list, size_t n,
                          uint64_t seq)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (list[mid].order.seq < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The first one about this line, of those that are `held`. */
static int first_about(struct plog_orders *o, struct plog_entry_parser *parser,
                       uint64_t seq, struct plog_span line, bool held,
                       struct plog_order *order, struct plog_buf *out)
{
    const struct plog_known_order *list;
    struct plog_entry e;
    size_t n, i;
    int rc = plog_orders_brought(o, &list, &n);
    if (rc || n == 0)
        return rc;
    for (i = lower_bound(list, n, seq);
         !rc && i < n && list[i].order.seq == seq; i++) {
        if (list[i].held != held)
            continue;
        rc = plog_entry_parse(parser, line, &e, NULL);
        if (!rc)
            rc = plog_order_apply(&list[i].order, line, &e, out);
        *order = list[i].order;
        if (!rc)
            return 1;
        rc = rc == PLOG_E_NOMEM ? rc : 0; /* it is not about this line */
    }
    return rc;
}

int plog_orders_redact(struct plog_orders *o, struct plog_entry_parser *parser,
                       uint64_t seq, struct plog_span line,
                       struct plog_buf *out)
{
    struct plog_order order;
    return first_about(o, parser, seq, line, true, &order, out);
}

int plog_orders_claim(struct plog_orders *o, struct plog_entry_parser *parser,
                      uint64_t seq, struct plog_span line,
                      struct plog_order *order)
{
    struct plog_buf redacted;
    plog_buf_init(&redacted, o->list.io);
    int is = first_about(o, parser, seq, line, false, order, &redacted);
    plog_buf_fini(&redacted);
    return is;
}
