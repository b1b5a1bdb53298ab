/*
 * peers.c - who receives the log, and how far each has it.
 *
 * A cursor moves only on what the peer said: up, never past the head, and with
 * a root only if it is the log's own.  Going back is an entry of the log.
 */

#include "check.h"
#include "compact.h"
#include "engine.h"
#include "rehearse.h"
#include "paritylog_recovery.h"
#include "walk.h"

struct change {
    const struct plog_peer_options *o;
    struct plog_peer_report *report;
    const struct plog_io *io;
    struct plog_span name;
    uint64_t seq;
    const unsigned char *root;           /* NULL: none was given */
    unsigned char known[PLOG_HASH_SIZE]; /* ... before */
};

/* ---- Its row ------------------------------------------------------------ */

struct row {
    uint64_t cursor;
    bool proven;
    unsigned char root[PLOG_HASH_SIZE];
};

/* Returns 0 or PLOG_END. */
static int read_row(struct plog_store *s, struct plog_span name,
                    struct row *out, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    memset(out, 0, sizeof *out);
    int rc = plog_sql_prepare(
        s->db, "SELECT cursor,root FROM main.peers WHERE name=?1", &q, err);
    if (!rc) {
        plog_sql_bind(q, 1, name);
        rc = plog_sql_row(q, err);
    }
    if (!rc) {
        struct plog_span root = plog_sql_text(q, 1);
        out->cursor = plog_sql_u64(q, 0);
        out->proven = root.n == PLOG_HASH_SIZE;
        if (out->proven)
            memcpy(out->root, root.p, PLOG_HASH_SIZE);
    }
    sqlite3_finalize(q);
    return rc;
}

static int unknown(const struct change *c, struct plog_error *err)
{
    plog_fail(err, PLOG_E_NOT_FOUND, "there is no peer %.*s",
              (int)(c->name.n < 200 ? c->name.n : 200), c->name.p);
    plog_err_hint(err, "run: paritylog peer list DIR");
    return PLOG_E_NOT_FOUND;
}

static int put_row(struct plog_store *s, const struct change *c,
                   struct plog_error *err)
{
    char seen[40];
    sqlite3_stmt *q = NULL;
    plog_instant_format(plog_instant_now(c->io), seen);
    int rc = plog_sql_prepare(s->db,
                              "UPDATE main.peers SET cursor=?2, root=?3,"
                              " seen=?4 WHERE name=?1",
                              &q, err);
    if (!rc) {
        plog_sql_bind(q, 1, c->name);
        plog_sql_bind_u64(q, 2, c->seq);
        if (c->root)
            sqlite3_bind_blob(q, 3, c->root, PLOG_HASH_SIZE, SQLITE_STATIC);
        plog_sql_bind(q, 4, plog_span_text(seen));
        rc = plog_sql_run(q, err);
    }
    sqlite3_finalize(q);
    return rc ? rc : plog_store_commit(s, err);
}

/* ---- The log's root ----------------------------------------------------- */

static int root_at(plog *p, uint64_t seq, unsigned char *root,
                   struct plog_error *err)
{
    const struct plog_store_head *h = &p->legs.head;
    struct plog_walk w;
    struct plog_log_group g;
    struct plog_tree tree;
    int rc = plog_walk_open(&w, &p->legs.dir, &p->legs.keys, err);
    uint64_t first = rc ? 0 : plog_segment_of(&w.segments, seq + 1);
    if (!rc && first == 0)
        rc = plog_fail_pruned(err, seq, h->rules.floor);
    if (!rc) {
        w.chain.chain = p->legs.chain;
        w.stop_segment = p->rehearses ? 0 : h->segment;
        w.stop_offset = h->offset;
        rc = plog_walk_start_segment(&w, first, err);
    }
    tree = w.chain.tree;
    while (!rc && tree.size < seq) {
        tree = w.chain.tree;
        rc = plog_walk_next(&w, &g, err);
        for (size_t i = 0; !rc && i < g.count && tree.size < seq; i++)
            rc = plog_tree_add(&tree, plog_scan_line(&w.scan, i)->leaf);
    }
    if (rc == PLOG_END)
        rc = plog_fail(err, PLOG_E_ROLLBACK, "the log ends before entry %llu",
                       (unsigned long long)seq);
    if (!rc)
        plog_tree_root(&tree, root);
    plog_walk_close(&w);
    return rc;
}

static int check_root(plog *p, const struct change *c, struct plog_error *err)
{
    unsigned char root[PLOG_HASH_SIZE];
    if (!c->root)
        return 0;
    int rc = root_at(p, c->seq, root, err);
    if (rc || memcmp(root, c->root, sizeof root) == 0)
        return rc;
    plog_fail(err, PLOG_E_FORK,
              "the peer has another history: the root of %llu entries is not"
              " the one that it says",
              (unsigned long long)c->seq);
    plog_err_seq(err, c->seq);
    plog_err_hint(err, "keep both copies; compare: paritylog checkpoint DIR");
    return PLOG_E_FORK;
}

/* ---- What the store says of them ---------------------------------------- */

/* The head bounds what a peer can have, and the log has the root of what it
 * says.  Below the floor nobody can tell any more. */
static int check_row(plog *p, struct plog_span name, const struct row *r,
                     struct plog_error *err)
{
    const struct plog_store_head *h = &p->legs.head;
    unsigned char root[PLOG_HASH_SIZE];
    const char *what = "has received more than there is";
    int rc = 0;
    if (r->cursor <= h->commit.size) {
        if (!r->proven || r->cursor < h->rules.floor || r->cursor == 0)
            return 0;
        rc = root_at(p, r->cursor, root, err);
        if (rc || memcmp(root, r->root, sizeof root) == 0)
            return rc;
        what = "named another root than the log has";
    }
    plog_fail(err, PLOG_E_DIVERGED, "by the store, peer %.*s %s (entry %llu)",
              (int)(name.n < 200 ? name.n : 200), name.p, what,
              (unsigned long long)r->cursor);
    plog_err_file(err, "store.db");
    plog_err_hint(err, "ask the peer what it has; then: paritylog peer rewind"
                       " DIR NAME SEQ");
    return PLOG_E_DIVERGED;
}

int plog_peers_check(plog *p, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = plog_sql_prepare(p->legs.store.db, "SELECT name FROM main.peers",
                              &q, err);
    while (!rc && (rc = plog_sql_row(q, err)) == 0) {
        struct plog_span name = plog_sql_text(q, 0);
        struct row r;
        rc = read_row(&p->legs.store, name, &r, err);
        if (!rc)
            rc = check_row(p, name, &r, err);
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? 0 : rc;
}

/* ---- Acknowledging, going back ------------------------------------------ */

static int refuse(struct plog_error *err, uint64_t before, uint64_t seq)
{
    plog_fail(err, PLOG_E_INPUT,
              "the peer has acknowledged entry %llu; %llu would go back",
              (unsigned long long)before, (unsigned long long)seq);
    plog_err_hint(err, "if it lost entries, run: paritylog peer rewind DIR NAME"
                       " SEQ");
    return PLOG_E_INPUT;
}

/* A typing error, or what shows that the log was put back from a copy: only the
 * one who acknowledges knows which.  Each entry that is appended then makes two
 * histories of it. */
static int beyond(const struct change *c, uint64_t end, struct plog_error *err)
{
    char root[48] = "ROOT";
    plog_fail(err, PLOG_E_INPUT,
              "the log ends at entry %llu; nobody can have %llu, unless this"
              " log was set back",
              (unsigned long long)end, (unsigned long long)c->seq);
    if (c->root)
        plog_check_hash(c->root, root);
    plog_err_hint(err,
                  "if the peer does have it, append nothing here: this is an"
                  " older copy (parity DIR --expect-head %llu:%s), and the"
                  " peer's log the longer one; bring DIR back from it",
                  (unsigned long long)c->seq, root);
    return PLOG_E_INPUT;
}

/* Where the peer stands, and that the log goes as far as it says. */
static int read_peer(plog *p, struct change *c, struct row *now,
                     struct plog_error *err)
{
    const struct plog_store_head *h = &p->legs.head;
    uint64_t end =
        p->rehearses > h->commit.size ? p->rehearses : h->commit.size;
    int rc = read_row(&p->legs.store, c->name, now, err);
    if (rc)
        return rc == PLOG_END ? unknown(c, err) : rc;
    c->report->before = c->report->cursor = now->cursor;
    return c->seq > end ? beyond(c, end, err) : 0;
}

static int move(plog *p, void *arg, struct plog_error *err)
{
    struct change *c = arg;
    struct row now;
    int rc = read_peer(p, c, &now, err);
    if (!rc && c->seq < now.cursor)
        rc = refuse(err, now.cursor, c->seq);
    if (!rc)
        rc = check_root(p, c, err);
    if (!rc && !c->root && c->seq == now.cursor && now.proven) {
        /* said again, without what was proven */
        memcpy(c->known, now.root, sizeof c->known);
        c->root = c->known;
    }
    if (!rc && !c->o->dry_run)
        rc = put_row(&p->legs.store, c, err);
    if (!rc)
        c->report->cursor = c->seq;
    return rc;
}

/* A lost acknowledgement delays a compaction.  A lost rewind would let one take
 * away what the peer lacks, so it is an entry: also a store from before it,
 * copied back, comes to it. */
static int make_rewind(void *arg, plog *p, struct plog_buf *args,
                       struct plog_error *err)
{
    struct change *c = arg;
    struct row now;
    struct plog_peer_args a = {.name = c->name, .cursor = c->seq};
    uint64_t floor = p->legs.head.rules.floor;
    int rc = read_peer(p, c, &now, err);
    if (!rc && c->seq >= now.cursor)
        rc = plog_fail(err, PLOG_E_INPUT,
                       "the peer stands at entry %llu; going back means below"
                       " that",
                       (unsigned long long)now.cursor);
    if (!rc && c->seq < floor)
        rc = plog_fail_pruned(err, c->seq + 1, floor);
    if (rc)
        return rc;
    c->report->cursor = c->seq;
    return plog_peer_args_format(args, PLOG_CONTROL_PEER_REWIND, &a)
               ? plog_fail(err, PLOG_E_NOMEM, "out of memory")
               : 0;
}

/* ---- Adding, evicting --------------------------------------------------- */

static int make_add(void *arg, plog *p, struct plog_buf *args,
                    struct plog_error *err)
{
    struct change *c = arg;
    struct row now;
    struct plog_peer_args a = {.name = c->name};
    int rc = read_row(&p->legs.store, c->name, &now, err);
    if (rc == 0) {
        plog_fail(err, PLOG_E_EXISTS, "there is a peer of that name");
        plog_err_hint(err, "run: paritylog peer list DIR");
        return PLOG_E_EXISTS;
    }
    if (rc < 0)
        return rc;
    return plog_peer_args_format(args, PLOG_CONTROL_PEER_ADD, &a)
               ? plog_fail(err, PLOG_E_NOMEM, "out of memory")
               : 0;
}

static int make_evict(void *arg, plog *p, struct plog_buf *args,
                      struct plog_error *err)
{
    struct change *c = arg;
    struct row now;
    struct plog_peer_args a = {.name = c->name,
                               .reason = plog_span_text(c->o->reason)};
    int rc = read_row(&p->legs.store, c->name, &now, err);
    if (rc)
        return rc == PLOG_END ? unknown(c, err) : rc;
    a.cursor = c->report->before = c->report->cursor = now.cursor;
    return plog_peer_args_format(args, PLOG_CONTROL_PEER_EVICT, &a)
               ? plog_fail(err, PLOG_E_NOMEM, "out of memory")
               : 0;
}

/* A dry run asks what the real one would, and keeps nothing. */
struct rehearsal {
    struct change *c;
    plog_control_make *make;
};

static int rehearse(plog *p, void *arg, struct plog_error *err)
{
    struct rehearsal *r = arg;
    struct plog_buf args;
    plog_buf_init(&args, r->c->io);
    int rc = r->make(r->c, p, &args, err);
    plog_buf_fini(&args);
    return rc;
}

static int log_change(plog *p, struct change *c, enum plog_control control,
                      plog_control_make *make, struct plog_error *err)
{
    struct plog_receipt receipt;
    struct rehearsal r = {c, make};
    if (c->o->dry_run)
        return plog_engine_locked(p, rehearse, &r, err);
    int rc = plog_engine_control(p, control, make, c, &receipt, err);
    c->report->entry = rc ? 0 : receipt.seq;
    return rc;
}

/* ---- Calls -------------------------------------------------------------- */

static int begin(struct change *c, struct plog_peer_options *own,
                 const char *dir, const char *name,
                 const struct plog_peer_options *given,
                 struct plog_peer_report *report, plog **p,
                 struct plog_error *err)
{
    struct plog_options open = {.struct_size = sizeof open};
    memset(report, 0, sizeof *report);
    *p = NULL;
    if (plog_take_options(own, sizeof *own, given, err))
        return PLOG_E_ARG;
    c->o = own;
    c->report = report;
    c->io = own->io ? own->io : plog_io_posix();
    open.io = own->io;
    open.wait_seconds = own->wait_seconds;
    open.passphrase = own->passphrase;
    open.vkey = own->vkey;
    open.allow_network_fs = own->allow_network_fs;
    int rc = plog_json_text_check("name", name, PLOG_NAME_MAX, c->io, err);
    if (rc)
        return rc;
    c->name = plog_span_text(name);
    return own->dry_run ? plog_rehearse_open(p, dir, &open, err)
                        : plog_open(p, dir, &open, err);
}

int plog_peer_add(const char *dir, const char *name,
                  const struct plog_peer_options *options,
                  struct plog_peer_report *report, struct plog_error *err)
{
    struct plog_peer_options own;
    struct change c = {.seq = 0};
    plog *p;
    int rc = begin(&c, &own, dir, name, options, report, &p, err);
    if (!rc)
        rc = log_change(p, &c, PLOG_CONTROL_PEER_ADD, make_add, err);
    plog_close(p);
    return plog_done(err, rc);
}

int plog_peer_evict(const char *dir, const char *name,
                    const struct plog_peer_options *options,
                    struct plog_peer_report *report, struct plog_error *err)
{
    struct plog_peer_options own;
    struct change c = {.seq = 0};
    plog *p;
    int rc = begin(&c, &own, dir, name, options, report, &p, err);
    if (!rc)
        rc = plog_json_text_check("reason", own.reason, PLOG_NAME_MAX, c.io,
                                  err);
    if (!rc)
        rc = log_change(p, &c, PLOG_CONTROL_PEER_EVICT, make_evict, err);
    plog_close(p);
    return plog_done(err, rc);
}

int plog_peer_ack(const char *dir, const char *name, uint64_t seq,
                  const unsigned char *root,
                  const struct plog_peer_options *options,
                  struct plog_peer_report *report, struct plog_error *err)
{
    struct plog_peer_options own;
    struct change c = {.seq = seq, .root = root};
    plog *p;
    int rc = begin(&c, &own, dir, name, options, report, &p, err);
    if (!rc)
        rc = plog_engine_locked(p, move, &c, err);
    plog_close(p);
    return plog_done(err, rc);
}

int plog_peer_rewind(const char *dir, const char *name, uint64_t seq,
                     const struct plog_peer_options *options,
                     struct plog_peer_report *report, struct plog_error *err)
{
    struct plog_peer_options own;
    struct change c = {.seq = seq};
    plog *p;
    int rc = begin(&c, &own, dir, name, options, report, &p, err);
    if (!rc)
        rc = log_change(p, &c, PLOG_CONTROL_PEER_REWIND, make_rewind, err);
    plog_close(p);
    return plog_done(err, rc);
}
