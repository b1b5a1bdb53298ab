/*
 * prepare.c - a request becomes lines and store rows, inside the transaction
 * and before anything is logged.
 *
 * Everything that can be refused is refused here: an id that stands for other
 * content, a merge over the limit, a custom strategy or a hook that says no.
 * What the request did to store and work is then taken back.
 */

#include "engine.h"
#include "redact.h"
#include "schema.h"

/* ---- One new delta ------------------------------------------------------ */

static struct plog_span logged_at(struct plog_work *w)
{
    bool first = !w->opened;
    w->opened = true;
    return first ? plog_span_text(w->logged_at) : plog_span(NULL, 0);
}

/* Hashes the line that starts at `from`, ends it, and moves the tree. */
static int end_line(struct plog_work *w, size_t from, unsigned char *leaf,
                    struct plog_error *err)
{
    plog_hash_leaf(w->lines.data + from, w->lines.len - from, leaf);
    if (plog_tree_add(&w->tree, leaf))
        return plog_fail(err, PLOG_E_ARG, "the log is full");
    w->next_seq++;
    if (plog_buf_add_char(&w->lines, '\n'))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    return 0;
}

static int add_delta(plog *p, struct plog_work *w, struct plog_item *item,
                     unsigned char *leaf, struct plog_error *err)
{
    struct plog_store *s = &p->legs.store;
    struct plog_entry *e = &item->entry;
    struct plog_current now;
    struct plog_decision d;
    size_t payload_at, from = w->lines.len;
    e->seq = w->next_seq;
    int rc = plog_fold_get(&s->fold, e->delta.resource_text,
                           e->delta.record_id_text, &now, err);
    if (!rc)
        rc = plog_fold_decide(&s->fold, w->rules.strategy, e, &now,
                              w->rules.line_max, &d, err);
    if (rc)
        return rc;
    uint64_t previous = now.last;
    e->skipped = d.skipped;
    e->merged = d.by_callback ? d.merged : plog_span(NULL, 0);
    e->logged_at = logged_at(w);
    if (plog_entry_format(&w->lines, e, &payload_at))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    /* What a custom strategy logs comes on top of what was counted. */
    if (w->lines.len > PLOG_GROUP_MAX)
        return plog_fail(err, PLOG_E_INPUT,
                         "the group would be larger than %u bytes; send it in"
                         " parts",
                         PLOG_GROUP_MAX);
    size_t length = w->lines.len - from;
    if (length > w->rules.line_max + PLOG_LINE_SLACK)
        return plog_fail(err, PLOG_E_INPUT,
                         "the line would have %zu bytes,"
                         " more than this log allows",
                         length);
    rc = plog_fold_put(&s->fold, e, &now, &d, payload_at, err);
    if (!rc)
        rc = plog_store_add_event(s, e, plog_span(w->lines.data + from, length),
                                  previous, err);
    return rc ? rc : end_line(w, from, leaf, err);
}

/* Also of a line that is redacted in the store already copies may be left,
 * which nobody looked for under an order that came along. */
static int mark_pending(struct plog_store *s, const struct plog_entry *e,
                        struct plog_error *err)
{
    struct plog_order o;
    return e->control != PLOG_CONTROL_REDACT || plog_order_parse(e, &o)
               ? 0
               : plog_store_unscrubbed(s, o.seq, o.seq, err);
}

static int add_control(plog *p, struct plog_work *w, struct plog_item *item,
                       unsigned char *leaf, struct plog_error *err)
{
    struct plog_store *s = &p->legs.store;
    struct plog_entry *e = &item->entry;
    size_t from = w->lines.len;
    e->seq = w->next_seq;
    if (plog_control_format(&w->lines, e->seq, e->control, e->args,
                            logged_at(w)))
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    int rc = plog_store_apply_control(s, &w->rules, e, err);
    if (!rc)
        rc = mark_pending(s, e, err);
    if (!rc)
        rc = plog_store_add_event(
            s, e, plog_span(w->lines.data + from, w->lines.len - from), 0, err);
    return rc ? rc : end_line(w, from, leaf, err);
}

/* ---- One of them -------------------------------------------------------- */

static int add_item(plog *p, struct plog_work *w, struct plog_item *item,
                    struct plog_receipt *out, struct plog_error *err)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    int rc;
    if (item->entry.control != PLOG_CONTROL_NONE)
        rc = add_control(p, w, item, leaf, err);
    else {
        rc = plog_engine_repeat(p, item, out, err);
        if (rc != PLOG_END)
            return rc;
        rc = add_delta(p, w, item, leaf, err);
    }
    if (!rc && out)
        memcpy(out->leaf, leaf, sizeof leaf);
    return rc;
}

/* ---- The caller's hook -------------------------------------------------- */

/* The hook writes its own tables and nothing else. */
static int guard(void *arg, int action, const char *a, const char *b,
                 const char *schema, const char *trigger)
{
    (void)arg, (void)schema, (void)trigger;
    switch (action) {
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_VIEW:
    case SQLITE_DROP_INDEX:
    case SQLITE_ALTER_TABLE:
        if (action == SQLITE_ALTER_TABLE)
            return plog_schema_is_ours(b) ? SQLITE_DENY : SQLITE_OK;
        return plog_schema_is_ours(a) ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_CREATE_INDEX:
        return plog_schema_is_ours(b) ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_PRAGMA: /* full-text tables and R*Trees ask some, too */
        return plog_sql_pragma_tells(a, b) ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_CREATE_TRIGGER:      /* would never fire: they are off */
    case SQLITE_CREATE_TEMP_TRIGGER: /* fires although they are off */
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return SQLITE_DENY;
    default:
        return SQLITE_OK;
    }
}

/* No authorizer sees what a conflict clause does: INSERT OR ROLLBACK ends the
 * transaction, as some errors of SQLite do, and with it goes what the others of
 * the batch wrote. */
static int ended(struct plog_work *w, int answer, struct plog_error *err)
{
    w->ended = true;
    plog_fail(err, PLOG_E_HOOK,
              "the store's transaction was ended inside the caller's hook, by"
              " its SQL or an error of SQLite; it returned %d",
              answer);
    plog_err_hint(err, "nothing was logged; leave OR ROLLBACK, ON CONFLICT"
                       " ROLLBACK and RAISE(ROLLBACK) out of its SQL");
    return PLOG_E_HOOK;
}

int plog_engine_in_transaction(plog *p, const struct plog_work *w,
                               struct plog_error *err)
{
    if (!w->ended)
        return plog_store_in_transaction(&p->legs.store, err);
    plog_fail(err, PLOG_E_LOCKED,
              "the transaction that this group shared was ended inside another"
              " caller's hook; nothing was logged");
    plog_err_hint(err, "send the same again");
    return PLOG_E_LOCKED;
}

/* A full-text table of the caller's keeps what it has to write until COMMIT,
 * and behind the log an error of that would leave the group in doubt; at a
 * savepoint it writes, too. */
static int flush_own(plog *p, struct plog_error *err)
{
    sqlite3 *db = p->legs.store.db;
    /* A statement that it has left unfinished is in the way, too, and will be
     * again. */
    int rc = plog_sql_exec(db, "SAVEPOINT hook; RELEASE hook", err);
    return rc == PLOG_E_DIVERGED || rc == PLOG_E_LOCKED
               ? plog_fail(err, PLOG_E_HOOK,
                           "what the caller's hook wrote cannot be kept: %s",
                           sqlite3_errmsg(db))
               : rc;
}

static int run_hook(plog *p, struct plog_work *w, const struct plog_request *r,
                    struct plog_error *err)
{
    if (!r->hook)
        return 0;
    sqlite3 *db = p->legs.store.db;
    uint64_t *seqs = plog_alloc(p->io, (r->delta_count + 1) * sizeof *seqs);
    if (!seqs)
        return plog_fail(err, PLOG_E_NOMEM, "out of memory");
    for (size_t i = 0; i < r->delta_count; i++)
        seqs[i] = r->items[i].duplicate_of ? r->items[i].duplicate_of
                                           : r->items[i].entry.seq;
    plog_store_rest(&p->legs.store); /* or it could not drop its own table */
    sqlite3_set_authorizer(db, guard, NULL);
    int answer = r->hook(r->hook_arg, db, seqs, r->delta_count);
    sqlite3_set_authorizer(db, NULL, NULL);
    plog_free(p->io, seqs);
    if (sqlite3_get_autocommit(db))
        return ended(w, answer, err);
    return answer == 0 ? flush_own(p, err)
                       : plog_fail(err, PLOG_E_HOOK,
                                   "the caller's hook returned %d", answer);
}

/* ---- A key rotation ----------------------------------------------------- */

/* Both keys sign where the entry stands, so it is made here and stands alone
 * in its group. */
static int make_rotation(plog *p, struct plog_work *w, struct plog_request *r,
                         struct plog_error *err)
{
    unsigned char root[PLOG_HASH_SIZE];
    const struct plog_keychain *k = &p->legs.chain;
    const struct plog_vkey *to = &r->goes_to->vkey;
    if (w->lines.len || r->next)
        return plog_fail(err, PLOG_E_ARG, "a key rotation shares no group");
    if (strcmp(to->name, p->origin) != 0)
        return plog_fail(err, PLOG_E_ARG, "the new key has another name");
    if (plog_keychain_find(k, to->id_text) ||
        plog_keyring_find(&p->legs.keys, plog_span_text(to->id_text)))
        return plog_fail(err, PLOG_E_ARG, "the key id %s was used already",
                         to->id_text);
    if (k->count >= PLOG_KEYS_MAX)
        return plog_fail(err, PLOG_E_ARG, "a log has at most %d keys",
                         PLOG_KEYS_MAX);
    plog_tree_root(&w->tree, root);
    r->args.len = 0;
    int rc =
        plog_rotation_make(&r->args, w->next_seq, root, &p->signer, r->goes_to);
    if (rc)
        return plog_fail(err, rc, "signing the rotation failed");
    r->items[0].entry.args = plog_span(r->args.data, r->args.len);
    return 0;
}

/* ---- An order to redact ------------------------------------------------- */

static int no_order(uint64_t seq, struct plog_error *err)
{
    plog_fail(err, PLOG_E_DIVERGED,
              "entry %llu is redacted, and neither the store nor orders/ has an"
              " order for that",
              (unsigned long long)seq);
    plog_err_seq(err, seq);
    plog_err_hint(err, "run: paritylog parity DIR");
    return PLOG_E_DIVERGED;
}

/* A redacted line needs another order only where the log has none of its own:
 * the store follows the log's alone, and so does whoever looks for copies of a
 * payload that came back.
 * Returns 0: one came along that makes the line what it is. */
static int may_order_again(plog *p, struct plog_request *r,
                           struct plog_span line,
                           struct plog_entry_parser *parser,
                           struct plog_error *err)
{
    struct plog_orders orders;
    struct plog_buf seqs, same;
    plog_buf_init(&seqs, p->io);
    plog_buf_init(&same, p->io);
    plog_orders_init(&orders, p->io, &p->legs.dir, &p->legs.keys);
    orders.chain = &p->legs.chain;
    int is = 0;
    int rc = plog_store_orders_of(&p->legs.store, r->target, &seqs, err);
    if (!rc && seqs.len)
        rc = plog_fail(err, PLOG_E_EXISTS, "entry %llu is redacted already",
                       (unsigned long long)r->target);
    if (!rc)
        is = plog_orders_redact(&orders, parser, r->target, line, &same);
    if (is < 0)
        rc = plog_orders_brought_fail(&orders, is, err);
    if (!rc && (!is || !plog_span_equal(plog_span(same.data, same.len), line)))
        rc = no_order(r->target, err);
    plog_orders_fini(&orders);
    plog_buf_fini(&same);
    plog_buf_fini(&seqs);
    return rc;
}

static int order_of(plog *p, struct plog_request *r, struct plog_span line,
                    struct plog_entry_parser *parser, struct plog_error *err)
{
    struct plog_order o = {.seq = r->target};
    struct plog_entry e;
    struct plog_buf redacted;
    int rc = plog_entry_parse(parser, line, &e, err);
    if (rc)
        return rc;
    if (e.control != PLOG_CONTROL_NONE)
        return plog_fail(err, PLOG_E_INPUT,
                         "entry %llu is a control entry and has no payload",
                         (unsigned long long)r->target);
    plog_line_leaf(line, o.leaf);
    plog_buf_init(&redacted, r->io);
    rc = e.redacted ? plog_buf_add_span(&redacted, line)
                    : plog_redacted_format(&redacted, &e, o.leaf);
    if (!rc) {
        plog_sha256(redacted.data, redacted.len, o.line);
        r->args.len = 0;
        rc = plog_order_format(&r->args, &o, r->reason);
    }
    plog_buf_fini(&redacted);
    r->items[0].entry.args = plog_span(r->args.data, r->args.len);
    if (rc)
        return plog_fail(err, rc, "out of memory");
    return e.redacted ? may_order_again(p, r, line, parser, err) : 0;
}

/* Made from the line as the log has it.  A line of the last segment forces a
 * new one: the file that is written to is never replaced. */
static int make_order(plog *p, struct plog_work *w, struct plog_request *r,
                      struct plog_error *err)
{
    struct plog_entry_parser parser;
    struct plog_buf line;
    if (r->target == 0 || r->target > p->legs.head.commit.size)
        return plog_fail(err, PLOG_E_NOT_FOUND, "there is no entry %llu",
                         (unsigned long long)r->target);
    if (r->target <= p->legs.head.rules.floor)
        return plog_fail_pruned(err, r->target, p->legs.head.rules.floor);
    plog_entry_parser_init(&parser, p->io);
    plog_buf_init(&line, p->io);
    int rc = plog_engine_logged_line(p, r->target, &line, err);
    if (!rc)
        rc = order_of(p, r, plog_span(line.data, line.len), &parser, err);
    w->fresh |= r->target >= p->legs.head.segment;
    plog_buf_fini(&line);
    plog_entry_parser_fini(&parser);
    return rc;
}

/* ---- Any other control entry -------------------------------------------- */

static int make_control(plog *p, struct plog_request *r, struct plog_error *err)
{
    r->args.len = 0;
    int rc = r->make(r->make_arg, p, &r->args, err);
    r->items[0].entry.args = plog_span(r->args.data, r->args.len);
    return rc;
}

/* ---- A request ---------------------------------------------------------- */

static int add_items(plog *p, struct plog_work *w, struct plog_request *r,
                     struct plog_error *err)
{
    uint64_t before = w->next_seq;
    int rc = 0;
    for (size_t i = 0; !rc && i < r->count; i++) {
        bool has_receipt = r->receipts && (i < r->delta_count ||
                                           r->control != PLOG_CONTROL_NONE);
        rc = add_item(p, w, &r->items[i], has_receipt ? &r->receipts[i] : NULL,
                      err);
        if (rc && i < r->delta_count)
            plog_err_index(err, i);
    }
    /* Of repeats alone nothing is committed, so the hook must not write. */
    return rc || w->next_seq == before ? rc : run_hook(p, w, r, err);
}

/* What a refused request did to the store. */
static void take_back(plog *p, enum plog_isolation how, bool wrote,
                      struct plog_work *w)
{
    struct plog_store *s = &p->legs.store;
    switch (how) {
    case PLOG_ALONE:
        plog_store_rollback(s);
        break;
    case PLOG_MARKED:
        plog_recent_back(&s->recent);
        if (plog_sql_run(s->rollback_to, NULL) ||
            plog_sql_run(s->release, NULL))
            plog_store_rollback(s); /* the whole batch fails: write_batch */
        break;
    case PLOG_PLAIN:
        w->spoiled |= wrote;
        break;
    }
}

int plog_engine_prepare(plog *p, struct plog_work *w, struct plog_request *r,
                        enum plog_isolation how, struct plog_error *err)
{
    struct plog_store *s = &p->legs.store;
    struct plog_tree tree = w->tree;
    struct plog_rules rules = w->rules;
    uint64_t next_seq = w->next_seq;
    size_t length = w->lines.len;
    bool opened = w->opened;
    int changes = sqlite3_total_changes(s->db);
    int rc = plog_engine_in_transaction(p, w, err);
    if (!rc && how == PLOG_MARKED)
        rc = plog_sql_run(s->savepoint, err);
    plog_recent_save(&s->recent);
    if (!rc && r->control == PLOG_CONTROL_ROTATE)
        rc = make_rotation(p, w, r, err);
    if (!rc && r->control == PLOG_CONTROL_REDACT)
        rc = make_order(p, w, r, err);
    if (!rc && r->make)
        rc = make_control(p, r, err);
    if (!rc)
        rc = add_items(p, w, r, err);
    if (!rc && how == PLOG_MARKED)
        rc = plog_sql_run(s->release, err);
    if (!rc)
        return 0;
    w->tree = tree;
    w->rules = rules;
    w->next_seq = next_seq;
    w->lines.len = length;
    w->opened = opened;
    take_back(p, how, sqlite3_total_changes(s->db) != changes, w);
    return rc;
}
