/* scan_entry.c - one entry line, by itself and by its place in the group. */
#include <stdio.h>

#include "scan_window.h"
#include "sha256.h"

/* It came along, and by itself proves nothing. */
static int by_unknown_key(struct plog_scan *s, uint64_t offset, uint64_t seq)
{
    char key[PLOG_KEYID_TEXT] = "?";
    const char *name = plog_orders_wanted(s->chain->orders, key);
    plog_scan_fault(s, PLOG_E_UNKNOWN_KEY, offset, seq, "a redacted line");
    snprintf(s->fault.expected, sizeof s->fault.expected,
             "an order by a key that is trusted here");
    snprintf(s->fault.found, sizeof s->fault.found, "orders/%.63s by key %s",
             name ? name : "?", key);
    s->fault.in_orders = true;
    return PLOG_E_UNKNOWN_KEY;
}

/* A redacted line needs the order that makes it good. */
static int judge_redacted(struct plog_scan *s, const struct plog_entry *e,
                          struct plog_span line, uint64_t offset)
{
    struct plog_orders *orders = s->chain->orders;
    int rc = orders ? plog_orders_need(orders, e->seq, e->leaf, line)
                    : PLOG_E_TAMPERED;
    if (rc == PLOG_E_TAMPERED) {
        plog_scan_fault(s, rc, offset, e->seq,
                        "a redacted line, and no order that makes it this one");
        s->fault.no_order = true;
        return rc;
    }
    if (rc == PLOG_E_UNKNOWN_KEY)
        return by_unknown_key(s, offset, e->seq);
    struct plog_error err = {.code = 0};
    if (rc) {
        plog_orders_doubt_fail(orders, rc, "the order to redact it", &err);
        plog_scan_fault(s, rc, offset, e->seq, "%.190s", err.message);
        s->fault.in_orders = strcmp(err.file, PLOG_ORDERS_DIR) == 0;
    }
    return rc;
}

/* The floor that it sets, to be met when the group holds. */
static void take_compaction(struct plog_scan *s, const struct plog_entry *e)
{
    s->floor.len = 0;
    s->floor_at = e->seq;
    if (plog_buf_add_span(&s->floor, e->args))
        plog_scan_fault(s, PLOG_E_NOMEM, s->offset, e->seq, "out of memory");
}

/* What a control entry tells about other lines. */
static void take_control(struct plog_scan *s, const struct plog_entry *e)
{
    struct plog_order order;
    if (plog_rotation_of(e, &s->rotation) == 0)
        s->has_rotation = true;
    if (e->control == PLOG_CONTROL_REDACT && !plog_order_parse(e, &order) &&
        plog_buf_add(&s->ordered, &order, sizeof order))
        plog_scan_fault(s, PLOG_E_NOMEM, s->offset, e->seq, "out of memory");
    if (e->control == PLOG_CONTROL_COMPACT)
        take_compaction(s, e);
}

static bool goes_over(const struct plog_entry *e)
{
    return e->control == PLOG_CONTROL_ROTATE ||
           e->control == PLOG_CONTROL_RESTORE;
}

/* Judges one entry line by itself and by its place in the group; the first
 * fault of the group is kept, because the commit may explain it better. */
void plog_scan_judge(struct plog_scan *s, struct plog_span line,
                     uint64_t offset, uint64_t seq, bool opens,
                     struct plog_entry *e, struct plog_fault *first)
{
    struct plog_error err = {0};
    int rc = plog_entry_parse(&s->parser, line, e, &err);
    e->redacted &= rc == 0;
    if (first->code)
        return;
    s->fault.code = 0;
    if (rc)
        plog_scan_fault(s, rc, offset, seq, "%.190s", err.message);
    else if (e->seq != seq) {
        plog_scan_fault(s, PLOG_E_CORRUPT, offset, seq, "out of order");
        snprintf(s->fault.expected, sizeof s->fault.expected, "seq %llu",
                 (unsigned long long)seq);
        snprintf(s->fault.found, sizeof s->fault.found, "seq %llu",
                 (unsigned long long)e->seq);
    } else if (opens != (e->logged_at.n > 0))
        plog_scan_fault(s, PLOG_E_CORRUPT, offset, seq,
                        opens ? "the group's first entry has no logged_at"
                              : "logged_at inside a group: a commit line is"
                                " missing before it");
    else if ((seq == 1) != (e->control == PLOG_CONTROL_INIT))
        plog_scan_fault(s, PLOG_E_CORRUPT, offset, seq,
                        "init is the first entry, and only that");
    else if ((rc = plog_control_check(e, &s->parser.decoded)) != 0)
        plog_scan_fault(s, rc, offset, seq,
                        rc == PLOG_E_FORMAT
                            ? "control `%s` needs a later version"
                        : rc == PLOG_E_TAMPERED
                            ? "control `%s`: a signature inside does not"
                              " verify"
                            : "control `%s` makes no sense",
                        plog_control_name(e->control));
    else if (s->has_rotation || (goes_over(e) && !opens))
        plog_scan_fault(s, PLOG_E_CORRUPT, offset, seq,
                        "a key rotation is the only entry of its group");
    else if (e->redacted)
        (void)judge_redacted(s, e, line, offset);
    else
        take_control(s, e);
    if (s->fault.code)
        *first = s->fault;
}

bool plog_scan_ordinary(struct plog_scan *s, struct plog_span line,
                        uint64_t offset, uint64_t seq, bool opens,
                        struct plog_sketch *sketch, unsigned char *leaf)
{
    const struct plog_ahead_line *known =
        s->ahead ? plog_ahead_line(s->ahead, offset, line.n) : NULL;
    if (known)
        *sketch = known->sketch;
    else if (!plog_sketch_read(line, s->window.data + s->window.len, sketch))
        return false;
    /* Of whatever is wrong with its place, plog_scan_judge says it. */
    if (sketch->seq != seq || sketch->opens != opens || seq == 1 ||
        s->has_rotation)
        return false;
    if (known && known->hashed)
        memcpy(leaf, known->leaf, PLOG_HASH_SIZE);
    else
        plog_hash_leaf(line.p, line.n, leaf);
    return true;
}
