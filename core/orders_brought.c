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
#include <stdio.h>
#include <stdlib.h>

#include "proof.h"

#define PROOF_FILE_MAX (2u << 20) /* a compact entry names peers and keys */

/* ---- Reading them ------------------------------------------------------- */

/* What the entry of a proof is, for the file that is the next one.  Whether it
 * is one of ours. */
static int take_entry(struct plog_orders *o, const struct plog_proof_report *r)
{
    struct plog_entry_parser parser;
    struct plog_order order;
    size_t before = o->floors.len + o->brought.len;
    size_t file = o->files.len / sizeof(struct plog_order_file) + 1;
    plog_entry_parser_init(&parser, o->dir->io);
    int rc = plog_order_read(&parser, r->entry, &order);
    if (rc >= 0)
        rc = rc && order.at == r->seq
                 ? plog_orders_add(o, &order, file)
                 : plog_orders_keep_floor(o, &parser, r->entry, file);
    plog_entry_parser_fini(&parser);
    return rc ? rc : o->floors.len + o->brought.len > before;
}

static int take_proof(struct plog_orders *o, const char *name,
                      struct plog_span text)
{
    struct plog_proof_report r;
    struct plog_order_file f = {.from = PLOG_ORDER_UNKNOWN};
    int rc = plog_proof_read(text, &r, &f.note);
    if (rc)
        return rc == PLOG_E_NOMEM ? rc : 0;
    snprintf(f.name, sizeof f.name, "%.60s", name);
    int is = take_entry(o, &r);
    free(r.memory);
    return is > 0 ? plog_buf_add(&o->files, &f, sizeof f) : is;
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
        rc = take_proof(o, name, plog_span(text.data, text.len));
    else if (rc == -ENOMEM)
        rc = PLOG_E_NOMEM;
    else { /* what is no file of ours, the line that needs it will miss */
        if (!plog_io_says_odd(rc) && rc != -EFBIG)
            o->read = PLOG_ORDERS_PART;
        rc = 0;
    }
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

/* What has the name of the folder, and is none, holds none: nobody needs one to
 * read a whole line. */
static int no_folder(struct plog_orders *o, int rc)
{
    if (rc != -ENOENT)
        o->read = rc == -ENOTDIR || plog_io_says_odd(rc) ? PLOG_ORDERS_NO_FOLDER
                                                         : PLOG_ORDERS_PART;
    return 0;
}

static int read_all(struct plog_orders *o)
{
    const struct plog_io *io = o->dir->io;
    int dir = io->open_at(io->ctx, o->dir->dir, PLOG_ORDERS_DIR,
                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (dir < 0)
        return no_folder(o, dir);
    struct names n = {o, dir, 0};
    int rc = io->list(io->ctx, dir, each_name, &n);
    io->close(io->ctx, dir);
    if (rc < 0)
        o->read = PLOG_ORDERS_PART;
    return n.rc;
}

/* An entry of which there is no file is none of ours. */
static void forget(struct plog_orders *o)
{
    size_t kept = 0, n = o->floors.len / sizeof(struct plog_known_floor);
    struct plog_known_floor *f = (void *)o->floors.data;
    for (size_t i = 0; i < n; i++)
        if (!f[i].file)
            f[kept++] = f[i];
    o->floors.len = kept * sizeof *f;
    o->brought.len = o->files.len = 0;
    o->read = PLOG_ORDERS_UNREAD;
}

int plog_orders_read_folder(struct plog_orders *o)
{
    if (o->read || !o->dir || !o->keys)
        return 0;
    o->read = PLOG_ORDERS_ALL;
    int rc = read_all(o);
    if (!rc)
        rc = plog_orders_settle(o);
    if (rc)
        forget(o);
    plog_orders_sort(o);
    return rc;
}

/* ---- Whose they are ----------------------------------------------------- */

/* What is not by the key that it names, never is. */
static int ask_all(struct plog_orders *o)
{
    struct plog_order_file *f = (void *)o->files.data;
    int rc = 0;
    for (size_t i = 0; !rc && i < o->files.len / sizeof *f; i++)
        if (f[i].from == PLOG_ORDER_UNKNOWN || f[i].from == PLOG_ORDER_CLAIMED)
            rc = plog_orders_whose(o, &f[i].note, &f[i].from);
    return rc;
}

const char *plog_orders_strange(const struct plog_orders *o, size_t file,
                                char key[PLOG_KEYID_TEXT])
{
    const struct plog_order_file *f = (const void *)o->files.data;
    if (!file)
        return NULL;
    const unsigned char *id = f[file - 1].note.key_id;
    snprintf(key, PLOG_KEYID_TEXT, "%02x%02x%02x%02x", id[0], id[1], id[2],
             id[3]);
    return f[file - 1].name;
}

bool plog_orders_is_strange(const struct plog_orders *o, size_t file)
{
    const struct plog_order_file *f = (const void *)o->files.data;
    return f[file - 1].from == PLOG_ORDER_UNKNOWN;
}

const char *plog_orders_wanted(const struct plog_orders *o,
                               char key[PLOG_KEYID_TEXT])
{
    return plog_orders_strange(o, o->wanted, key);
}

int plog_orders_strange_fail(const char *what, const char *file,
                             const char *key, struct plog_error *err)
{
    plog_fail(err, PLOG_E_UNKNOWN_KEY,
              "%s by a key that is trusted here, found orders/%s by key %s",
              what, file, key);
    plog_err_file(err, PLOG_ORDERS_DIR);
    plog_err_hint(err, "run: paritylog verify DIR");
    return PLOG_E_UNKNOWN_KEY;
}

static void mark(const struct plog_orders *o, size_t file, bool *held,
                 bool *unknown)
{
    const struct plog_order_file *f = (const void *)o->files.data;
    if (!file)
        return;
    *held |= f[file - 1].from == PLOG_ORDER_PROVEN;
    *unknown = f[file - 1].from <= PLOG_ORDER_UNKNOWN;
}

int plog_orders_settle(struct plog_orders *o)
{
    unsigned now = (o->chain ? o->chain->count : 0) + 1;
    if (o->asked == now || o->files.len == 0)
        return 0;
    int rc = ask_all(o);
    struct plog_known_order *k = (void *)o->brought.data;
    for (size_t i = 0; !rc && i < o->brought.len / sizeof *k; i++)
        mark(o, k[i].file, &k[i].held, &k[i].unknown);
    struct plog_known_floor *f = (void *)o->floors.data;
    for (size_t i = 0; !rc && i < o->floors.len / sizeof *f; i++)
        mark(o, f[i].file, &f[i].held, &f[i].unknown);
    o->asked = rc ? 0 : now;
    return rc;
}

/* ---- Those alone -------------------------------------------------------- */

int plog_orders_brought(struct plog_orders *o,
                        const struct plog_known_order **list, size_t *count)
{
    int rc = plog_orders_read_folder(o);
    if (!rc)
        rc = plog_orders_settle(o);
    if (!rc && (o->read == PLOG_ORDERS_PART || o->ahead_unreadable))
        rc = PLOG_E_IO;
    *list = (const void *)o->brought.data;
    *count = rc ? 0 : o->brought.len / sizeof **list;
    return rc;
}

int plog_orders_unproven(struct plog_orders *o, bool *any)
{
    const struct plog_order_file *f;
    const struct plog_known_order *list;
    size_t n;
    int rc = plog_orders_brought(o, &list, &n);
    f = (const void *)o->files.data;
    *any = false;
    for (size_t i = 0; !rc && i < o->files.len / sizeof *f; i++)
        *any |=
            f[i].from == PLOG_ORDER_UNKNOWN || f[i].from == PLOG_ORDER_CLAIMED;
    return rc;
}

int plog_orders_name_folder(int rc, struct plog_error *err)
{
    plog_err_file(err, PLOG_ORDERS_DIR);
    plog_err_hint(err, "see that the disk is well and that every file there can"
                       " be read");
    return rc;
}

int plog_orders_brought_fail(const struct plog_orders *o, int rc,
                             struct plog_error *err)
{
    return plog_orders_doubt_fail(
        o, rc, "an order to redact what is whole in log/", err);
}

/* The first one about this line: of the log's own, or of those that came along,
 * the proven or the claimed. */
static int first_about(const struct plog_buf *of, bool proven,
                       struct plog_entry_parser *parser, uint64_t seq,
                       struct plog_span line, struct plog_order *order,
                       struct plog_buf *out)
{
    const struct plog_known_order *list = (const void *)of->data;
    struct plog_entry e;
    size_t n = of->len / sizeof *list;
    int rc = 0;
    for (size_t i = plog_orders_from(of, seq);
         !rc && i < n && list[i].order.seq == seq; i++) {
        if (list[i].file && (list[i].held != proven || list[i].unknown))
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

static int brought_about(struct plog_orders *o,
                         struct plog_entry_parser *parser, uint64_t seq,
                         struct plog_span line, bool proven,
                         struct plog_order *order, struct plog_buf *out)
{
    const struct plog_known_order *list;
    size_t n;
    int rc = plog_orders_brought(o, &list, &n);
    return rc ? rc
              : first_about(&o->brought, proven, parser, seq, line, order, out);
}

int plog_orders_redact(struct plog_orders *o, struct plog_entry_parser *parser,
                       uint64_t seq, struct plog_span line,
                       struct plog_buf *out)
{
    struct plog_order order;
    return brought_about(o, parser, seq, line, true, &order, out);
}

int plog_orders_claim(struct plog_orders *o, struct plog_entry_parser *parser,
                      uint64_t seq, struct plog_span line,
                      struct plog_order *order)
{
    struct plog_buf redacted;
    plog_buf_init(&redacted, o->list.io);
    int is = brought_about(o, parser, seq, line, false, order, &redacted);
    plog_buf_fini(&redacted);
    return is;
}

int plog_orders_about(struct plog_orders *o, struct plog_entry_parser *parser,
                      uint64_t seq, struct plog_span line,
                      struct plog_order *order, bool *own, struct plog_buf *out)
{
    int is = brought_about(o, parser, seq, line, true, order, out);
    *own = is == 0;
    if (is == 0)
        is = plog_orders_load(o);
    return is ? is
              : first_about(&o->list, false, parser, seq, line, order, out);
}
