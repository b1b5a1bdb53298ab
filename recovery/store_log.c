/* store_log.c - see store_log.h. */
#include "store_log.h"

#include "check.h"
#include "compaction.h"
#include "snapshot.h"
#include "strays.h"

#include <stdio.h>

/* Orders that the store has applied; they count when their own group is
 * proven, which plog_store_log_next notes. */
static int read_orders(struct plog_store_log *s, struct plog_error *err)
{
    sqlite3_stmt *q = NULL;
    struct plog_order order;
    int rc = plog_sql_prepare(s->store->db,
                              "SELECT e.line FROM main.redactions r JOIN"
                              " main.events e ON e.seq=r.seq",
                              &q, err);
    while (!rc && (rc = plog_sql_row(q, err)) == 0) {
        int is = plog_order_read(&s->parser, plog_sql_text(q, 0), &order);
        if (is < 0 || (is && plog_orders_add(&s->orders, &order, 0)))
            rc = plog_fail(err, PLOG_E_NOMEM, "out of memory");
    }
    sqlite3_finalize(q);
    return rc == PLOG_END ? 0 : rc;
}

/* Behind what was compacted away.  A store that still has all events needs no
 * snapshot for that; but one that could not be read now is no missing one: the
 * log would begin elsewhere than the one that it replaces. */
static int by_snapshot(const struct plog_store_log *s,
                       const struct plog_store_head *head,
                       const struct plog_dir *dir, struct plog_tree *tree,
                       struct plog_commit *last, struct plog_error *err)
{
    struct plog_segment_header h;
    int rc = plog_snapshot_base(dir, s->store, head, &s->keys, &h, err);
    if (rc == PLOG_END || (head->rules.base == 0 && plog_check_is_verdict(rc)))
        return PLOG_END;
    if (rc)
        return rc;
    *tree = h.tree;
    *last = h.last;
    return 0;
}

static int find_base(struct plog_store_log *s,
                     const struct plog_store_head *head,
                     const struct plog_keyring *trusted,
                     const struct plog_dir *dir, bool beside,
                     struct plog_error *err)
{
    int rc = by_snapshot(s, head, dir, &s->tree, &s->last, err);
    if (beside && (rc == PLOG_E_PRUNED || rc == PLOG_E_CORRUPT)) {
        int found = plog_strays_floor(dir, trusted, &s->keys, head->rules.floor,
                                      &s->tree, &s->last, err);
        if (found == PLOG_END)
            plog_err_hint(err, "copy it, or archive/, from a backup: the store"
                               " was trimmed, or made from it, and neither log/"
                               " nor archive/ leads to it");
        else
            rc = found;
    }
    s->passed = s->last.size;
    return rc == PLOG_END ? 0 : rc;
}

int plog_store_log_open(struct plog_store_log *s, struct plog_store *store,
                        const struct plog_store_head *head,
                        const struct plog_keyring *trusted,
                        const struct plog_dir *dir, bool beside,
                        struct plog_error *err)
{
    memset(s, 0, sizeof *s);
    s->store = store;
    memcpy(s->origin, head->origin, sizeof s->origin);
    plog_tree_init(&s->tree);
    plog_buf_init(&s->text, store->io);
    plog_entry_parser_init(&s->parser, store->io);
    plog_orders_init(&s->orders, store->io, dir, trusted);
    s->orders.chain = &s->keys;
    int rc = plog_store_keys(store, head, trusted, &s->keys, err);
    if (!rc)
        rc = plog_sql_prepare(
            store->db,
            "SELECT line FROM main.checkpoints WHERE size>?1 ORDER BY size",
            &s->commits, err);
    if (!rc)
        rc = plog_sql_prepare(store->db,
                              "SELECT seq,line FROM main.events WHERE seq>?1"
                              " ORDER BY seq",
                              &s->events, err);
    if (!rc)
        rc = plog_sql_prepare(store->db,
                              "SELECT first FROM main.segments ORDER BY first",
                              &s->segments, err);
    if (!rc)
        rc = read_orders(s, err);
    if (!rc)
        rc = find_base(s, head, trusted, dir, beside, err);
    return rc ? rc : plog_store_log_seek(s, &s->tree, &s->last, err);
}

/* The log's name behind the last commit. */
static void set_name(struct plog_store_log *s)
{
    const char *name = plog_keychain_name(
        &s->keys, s->last.size ? s->last.size : 1, s->origin);
    if (name != s->origin)
        snprintf(s->origin, sizeof s->origin, "%s", name);
}

int plog_store_log_seek(struct plog_store_log *s, const struct plog_tree *tree,
                        const struct plog_commit *last, struct plog_error *err)
{
    s->tree = *tree;
    s->last = *last;
    set_name(s);
    sqlite3_reset(s->commits);
    sqlite3_reset(s->events);
    sqlite3_reset(s->segments);
    plog_sql_bind_u64(s->commits, 1, last->size);
    plog_sql_bind_u64(s->events, 1, last->size);
    int rc = plog_sql_next(s->events, &s->event_ready, err);
    return rc ? rc : plog_sql_next(s->segments, &s->segment_ready, err);
}

void plog_store_log_close(struct plog_store_log *s)
{
    if (!s->store)
        return;
    sqlite3_finalize(s->commits);
    sqlite3_finalize(s->events);
    sqlite3_finalize(s->segments);
    plog_buf_fini(&s->text);
    plog_orders_fini(&s->orders);
    plog_entry_parser_fini(&s->parser);
    s->store = NULL;
}

static int unproven(const struct plog_store_log *s, int code, const char *why,
                    struct plog_error *err)
{
    plog_fail(err, code, "store.db: %s", why);
    plog_err_file(err, PLOG_STORE_FILE);
    plog_err_seq(err, s->last.size + 1);
    return code;
}

/* The first entry of a group, and no other, says when it was logged: else the
 * commits between are missing, and what hangs together is no group. */
static int check_place(struct plog_store_log *s, struct plog_span line,
                       bool opens, struct plog_error *err)
{
    struct plog_entry e;
    int rc = plog_entry_parse(&s->parser, line, &e, NULL);
    if (rc == PLOG_E_NOMEM)
        return plog_fail(err, rc, "out of memory");
    /* What is no entry at all, the root says. */
    return rc || opens == (e.logged_at.n > 0)
               ? 0
               : unproven(s, PLOG_E_DIVERGED, "a commit row is missing", err);
}

/* Adds the lines up to `size` to the text and to the tree. */
static int take_lines(struct plog_store_log *s, struct plog_tree *tree,
                      uint64_t size, struct plog_error *err)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    int rc = 0;
    while (!rc && tree->size < size) {
        if (!s->event_ready || plog_sql_u64(s->events, 0) != tree->size + 1)
            return unproven(s, PLOG_E_DIVERGED, "an event row is missing", err);
        struct plog_span line = plog_sql_text(s->events, 1);
        if (line.n == 0 || memchr(line.p, '\n', line.n) ||
            s->text.len > PLOG_GROUP_MAX + PLOG_LINE_SLACK)
            return unproven(s, PLOG_E_DIVERGED, "an event row holds no line",
                            err);
        rc = check_place(s, line, tree->size == s->last.size, err);
        if (rc)
            return rc;
        plog_line_leaf(line, leaf);
        s->redacted |= plog_line_is_redacted(line);
        if (plog_line_is_redacted(line) &&
            (rc = plog_orders_need(&s->orders, tree->size + 1, leaf, line)) &&
            rc != PLOG_E_TAMPERED && rc != PLOG_E_UNKNOWN_KEY)
            return plog_orders_doubt_fail(&s->orders, rc, "an order to redact",
                                          err);
        if (rc)
            return unproven(s, rc,
                            "a redacted line, and no order that makes it this"
                            " one",
                            err);
        if (plog_tree_add(tree, leaf) ||
            plog_buf_add(&s->text, line.p, line.n) ||
            plog_buf_add_char(&s->text, '\n'))
            return plog_fail(err, PLOG_E_NOMEM, "out of memory");
        rc = plog_sql_next(s->events, &s->event_ready, err);
    }
    return rc;
}

static int check_group(struct plog_store_log *s, const struct plog_tree *tree,
                       const struct plog_commit *c, struct plog_error *err)
{
    unsigned char root[PLOG_HASH_SIZE];
    plog_tree_root(tree, root);
    if (memcmp(root, c->root, sizeof root) != 0)
        return unproven(s, PLOG_E_TAMPERED,
                        "the lines of a group do not hash to its signed root",
                        err);
    const struct plog_vkey *key = plog_keychain_at(&s->keys, c->size);
    if (!key || strcmp(key->id_text, c->key) != 0)
        return unproven(s, PLOG_E_TAMPERED,
                        "a commit is signed by a key that is not in force"
                        " there",
                        err);
    if (!plog_checkpoint_verify(key, key->name, c->size, c->root, c->sig))
        return unproven(s, PLOG_E_TAMPERED,
                        "the signature of a commit does not hold", err);
    return 0;
}

/* The group is proven, and so are the orders in it.  Returns 1 when there are
 * any, 0, or PLOG_E_NOMEM. */
static int meet_orders(struct plog_store_log *s, struct plog_span text)
{
    struct plog_order order;
    int any = 0;
    while (text.n) {
        const char *lf = memchr(text.p, '\n', text.n);
        struct plog_span line = plog_span(text.p, (size_t)(lf - text.p));
        int is = plog_order_read(&s->parser, line, &order);
        if (is < 0)
            return is;
        if (is)
            plog_orders_meet(&s->orders, &order);
        any |= is;
        text = plog_span(lf + 1, text.n - line.n - 1);
    }
    return any;
}

/* Whether a segment begins at entry `first`; rows before it are passed. */
static int begins(struct plog_store_log *s, uint64_t first, bool *yes,
                  struct plog_error *err)
{
    int rc = 0;
    while (!rc && s->segment_ready && plog_sql_u64(s->segments, 0) < first) {
        s->odd_segment |= plog_sql_u64(s->segments, 0) > s->passed;
        rc = plog_sql_next(s->segments, &s->segment_ready, err);
    }
    s->passed = first;
    *yes = s->segment_ready && plog_sql_u64(s->segments, 0) == first;
    return rc;
}

int plog_store_log_next(struct plog_store_log *s, struct plog_stored_group *g,
                        struct plog_error *err)
{
    struct plog_tree tree = s->tree;
    struct plog_commit c;
    s->text.len = 0;
    s->redacted = false;
    int rc = plog_sql_row(s->commits, err);
    if (rc == PLOG_END && s->event_ready)
        return unproven(s, PLOG_E_DIVERGED, "entries without a commit", err);
    if (rc)
        return rc;
    struct plog_span line = plog_sql_text(s->commits, 0);
    if (plog_commit_parse(line, &c) || c.size <= s->last.size)
        return unproven(s, PLOG_E_DIVERGED, "a commit row is not one", err);
    rc = take_lines(s, &tree, c.size, err);
    if (!rc)
        rc = check_group(s, &tree, &c, err);
    if (rc)
        return rc;
    if (plog_buf_add(&s->text, line.p, line.n) ||
        plog_buf_add_char(&s->text, '\n'))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    g->first = s->last.size + 1;
    g->size = c.size;
    g->commit = c;
    g->text = plog_span(s->text.data, s->text.len);
    rc = meet_orders(s, g->text);
    if (rc < 0)
        return plog_fail(err, rc, "out of memory");
    g->odd_size = rc || s->redacted;
    rc = begins(s, g->first, &g->begins_segment, err);
    if (rc)
        return rc;
    g->begins_segment |= g->first == 1;
    /* A restored copy begins a segment where it goes on, too. */
    g->odd_size |=
        strcmp(s->origin, plog_keychain_name(&s->keys, c.size, s->origin)) != 0;
    s->tree = tree;
    s->last = c;
    set_name(s);
    return 0;
}

int plog_store_log_bare_end(struct plog_store_log *s, bool *bare,
                            struct plog_error *err)
{
    *bare = false;
    return s->last.size ? begins(s, s->last.size + 1, bare, err) : 0;
}

int plog_store_log_undone(struct plog_store *store, uint64_t base,
                          uint64_t *begins, struct plog_error *err)
{
    struct plog_compaction c;
    bool pending;
    *begins = base;
    int rc = plog_compaction_last_sets(store, &c, &pending, err);
    if (!rc && c.to < base)
        *begins = c.to;
    return rc == PLOG_END || plog_check_is_verdict(rc) ? 0 : rc;
}
