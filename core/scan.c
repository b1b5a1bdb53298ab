/*
 * scan.c - see scan.h: groups.  Headers are in scan_header.c, entry lines in
 * scan_entry.c, the end of the damage is found in scan_tail.c.
 */
#include "scan_window.h"

#include <stdarg.h>
#include <stdio.h>

#define LINES_MAX (PLOG_GROUP_MAX / 64) /* no entry line is shorter */

void plog_chain_init(struct plog_chain *c, const struct plog_keyring *keys)
{
    memset(c, 0, sizeof *c);
    plog_tree_init(&c->tree);
    plog_hash_empty(c->last.root);
    c->keys = keys;
}

void plog_scan_open(struct plog_scan *s, const struct plog_io *io, int fd,
                    uint64_t limit, bool is_last, struct plog_chain *chain)
{
    memset(s, 0, sizeof *s);
    s->io = io;
    s->fd = fd;
    s->limit = limit;
    s->is_last = is_last;
    s->chain = chain;
    plog_buf_init(&s->window, io);
    plog_buf_init(&s->lines, io);
    plog_buf_init(&s->sketches, io);
    plog_buf_init(&s->ordered, io);
    plog_buf_init(&s->floor, io);
    plog_entry_parser_init(&s->parser, io);
}

void plog_scan_ahead(struct plog_scan *s)
{
    s->ahead = plog_ahead_start(s->io, s->fd, s->limit);
}

void plog_scan_close(struct plog_scan *s)
{
    if (!s->io)
        return;
    plog_ahead_stop(s->ahead);
    s->ahead = NULL;
    plog_buf_fini(&s->window);
    plog_buf_fini(&s->lines);
    plog_buf_fini(&s->sketches);
    plog_buf_fini(&s->ordered);
    plog_buf_fini(&s->floor);
    plog_entry_parser_fini(&s->parser);
    s->io = NULL;
    s->offset = s->limit = 0; /* nothing of it is at hand */
}

int plog_scan_fault(struct plog_scan *s, int code, uint64_t offset,
                    uint64_t seq, const char *format, ...)
{
    va_list ap;
    s->fault.code = code;
    s->fault.offset = offset;
    s->fault.seq = seq;
    s->fault.expected[0] = s->fault.found[0] = '\0';
    s->fault.in_orders = s->fault.no_order = false;
    va_start(ap, format);
    vsnprintf(s->fault.what, sizeof s->fault.what, format, ap);
    va_end(ap);
    return code;
}

int plog_scan_error(const struct plog_scan *s, uint64_t first,
                    struct plog_error *err)
{
    char shown[PLOG_SEGMENT_FILE];
    plog_segment_file(first, false, shown);
    plog_fail(err, s->fault.code, "%s%s%s%s%s", s->fault.what,
              s->fault.expected[0] ? ": expected " : "", s->fault.expected,
              s->fault.found[0] ? ", found " : "", s->fault.found);
    if (s->fault.in_orders && s->fault.code != PLOG_E_UNKNOWN_KEY) {
        plog_err_seq(err, s->fault.seq);
        return plog_orders_name_folder(s->fault.code, err);
    }
    plog_err_at(err, shown, s->fault.offset);
    plog_err_seq(err, s->fault.seq);
    plog_err_hint(err, s->fault.code == PLOG_E_FORMAT
                           ? "use a newer paritylog"
                           : "run: paritylog verify DIR");
    return s->fault.code;
}

/* ---- Groups ------------------------------------------------------------- */

struct plog_span plog_scan_text(const struct plog_scan *s, size_t i)
{
    const struct plog_scan_line *l = plog_scan_line(s, i);
    return plog_span(s->window.data + l->at, l->n);
}

const struct plog_scan_line *plog_scan_line(const struct plog_scan *s, size_t i)
{
    return (const struct plog_scan_line *)(void *)s->lines.data + i;
}

const struct plog_sketch *plog_scan_sketch(const struct plog_scan *s, size_t i)
{
    return (const struct plog_sketch *)(void *)s->sketches.data + i;
}

/* What the group keeps of a line, but its place in the window. */
struct kept {
    struct plog_scan_line line;
    struct plog_sketch sketch;
};

/* Judges a line that is no commit, and hashes it. */
static void judge_line(struct plog_scan *s, struct plog_span line, uint64_t seq,
                       bool opens, struct kept *k, struct plog_fault *first)
{
    struct plog_entry e;
    uint64_t offset = k->line.offset;
    enum plog_line_kind kind = plog_line_kind(line);
    if (kind == PLOG_LINE_ENTRY && !first->code &&
        plog_scan_ordinary(s, line, offset, seq, opens, &k->sketch,
                           k->line.leaf))
        return;
    k->sketch.seq = 0;
    e.redacted = false;
    if (kind == PLOG_LINE_ENTRY)
        plog_scan_judge(s, line, offset, seq, opens, &e, first);
    else if (!first->code) {
        plog_scan_fault(s, PLOG_E_CORRUPT, offset, seq,
                        line.n ? "not a line of this format"
                               : "an empty line inside the log");
        *first = s->fault;
    }
    if (e.redacted)
        memcpy(k->line.leaf, e.leaf, sizeof e.leaf);
    else
        plog_hash_leaf(line.p, line.n, k->line.leaf);
}

static int keep_line(struct plog_scan *s, struct plog_span line, struct kept *k)
{
    k->line.at = (size_t)(line.p - s->window.data);
    k->line.n = line.n;
    int rc = s->sketches_kept
                 ? plog_buf_add(&s->sketches, &k->sketch, sizeof k->sketch)
                 : 0;
    return rc ? rc : plog_buf_add(&s->lines, &k->line, sizeof k->line);
}

/* Reads entries up to the commit line; `*at` ends behind it. */
static int read_lines(struct plog_scan *s, uint64_t *at, uint64_t seq,
                      struct plog_span *commit, struct plog_fault *first)
{
    const size_t max = PLOG_LINE_MAX + PLOG_LINE_SLACK;
    const uint64_t begin = *at, begin_seq = seq;
    struct plog_span line;
    uint64_t end = 0; /* of the content, when the first empty line was met */
    bool end_known = false;
    for (;;) {
        uint64_t base = s->window_at;
        int rc = plog_window_line(s, begin, *at, max, &line);
        if (rc < 0)
            return rc;
        if (base != s->window_at) { /* the window slid: move the lines, too */
            struct plog_scan_line *l = (void *)s->lines.data;
            for (size_t i = 0; i < s->lines.len / sizeof *l; i++)
                l[i].at -= (size_t)(s->window_at - base);
        }
        if (rc && first->code) {
            s->fault = *first; /* what came before explains it */
            return s->fault.code = PLOG_E_CORRUPT;
        }
        if (rc == PLOG_WINDOW_LONG)
            return plog_scan_fault(s, PLOG_E_CORRUPT, *at, seq,
                                   "a line longer than any may be");
        if (rc)
            return plog_scan_fault(s, PLOG_E_CORRUPT, *at, seq,
                                   "the group has no commit line");
        if (*at + line.n - begin > (uint64_t)PLOG_GROUP_MAX + max)
            return plog_scan_fault(s, PLOG_E_CORRUPT, begin, begin_seq,
                                   "a group longer than any may be");
        struct kept k;
        k.line.offset = *at;
        *at += line.n + 1;
        if (plog_line_kind(line) == PLOG_LINE_COMMIT) {
            *commit = line;
            return 0;
        }
        judge_line(s, line, seq, k.line.offset == begin, &k, first);
        if (line.n == 0 && !end_known && plog_scan_content_end(s, &end))
            return s->fault.code;
        end_known |= line.n == 0;
        if (end_known && k.line.offset >= end) { /* padding, to the limit */
            s->fault = *first;
            return s->fault.code = PLOG_E_CORRUPT;
        }
        if (s->lines.len / sizeof(struct plog_scan_line) >= LINES_MAX)
            return plog_scan_fault(s, PLOG_E_CORRUPT, begin, begin_seq,
                                   "more lines than a group can have");
        if (keep_line(s, line, &k))
            return plog_scan_fault(s, PLOG_E_NOMEM, k.line.offset, seq,
                                   "out of memory");
        seq++;
    }
}

static int root_fault(struct plog_scan *s, const struct plog_log_group *g,
                      const unsigned char *root)
{
    struct plog_buf b;
    plog_scan_fault(s, PLOG_E_TAMPERED, g->begin, g->first,
                    "the lines of entries %llu to %llu do not hash to their"
                    " signed root",
                    (unsigned long long)g->first, (unsigned long long)g->size);
    plog_buf_init(&b, s->io);
    if (!plog_buf_add_base64(&b, g->commit.root, PLOG_HASH_SIZE) &&
        !plog_buf_add_base64(&b, root, PLOG_HASH_SIZE)) {
        snprintf(s->fault.expected, sizeof s->fault.expected, "root %.44s",
                 b.data);
        snprintf(s->fault.found, sizeof s->fault.found, "root %.44s",
                 b.data + 44);
    }
    plog_buf_fini(&b);
    return PLOG_E_TAMPERED;
}

static int wrong_size(struct plog_scan *s, const struct plog_log_group *g,
                      uint64_t offset)
{
    plog_scan_fault(s, PLOG_E_CORRUPT, offset, g->first,
                    "the commit signs another number of entries");
    snprintf(s->fault.expected, sizeof s->fault.expected, "size %llu",
             (unsigned long long)(s->chain->last.size + g->count));
    snprintf(s->fault.found, sizeof s->fault.found, "size %llu",
             (unsigned long long)g->commit.size);
    return PLOG_E_CORRUPT;
}

/* Whether lines and commit belong together. */
static int check_commit(struct plog_scan *s, struct plog_log_group *g,
                        struct plog_tree *tree, uint64_t offset)
{
    unsigned char root[PLOG_HASH_SIZE];
    if (plog_commit_parse(g->commit_line, &g->commit))
        return plog_scan_fault(s, PLOG_E_CORRUPT, offset, g->first,
                               "the commit line is not one");
    if (g->commit.size != s->chain->last.size + g->count || g->count == 0)
        return wrong_size(s, g, offset);
    g->size = g->commit.size;
    int rc = plog_scan_checkpoint(s, s->chain->origin, &g->commit, offset);
    if (rc)
        return rc;
    g->root_checked = !s->chain->broken;
    for (size_t i = 0; g->root_checked && i < g->count; i++)
        if (plog_tree_add(tree, plog_scan_line(s, i)->leaf))
            return plog_scan_fault(s, PLOG_E_CORRUPT, offset, g->first,
                                   "more entries than a log can have");
    plog_tree_root(tree, root);
    if (g->root_checked && memcmp(root, g->commit.root, sizeof root) != 0)
        return root_fault(s, g, root);
    s->as_signed = g->root_checked;
    return 0;
}

/* What a rotation says of the log that it stands in: the root before it, and
 * the key that it takes over from.  Then the new key is in force. */
static int apply_rotation(struct plog_scan *s, const struct plog_log_group *g)
{
    unsigned char root[PLOG_HASH_SIZE];
    const char *why = NULL;
    plog_tree_root(&s->chain->tree, root);
    if (g->root_checked && memcmp(root, s->rotation.root, sizeof root) != 0)
        return plog_scan_fault(s, PLOG_E_TAMPERED, g->begin, g->first,
                               "a key rotation over another history");
    int rc = plog_keychain_rotate(&s->chain->chain, &s->rotation, &why);
    return rc ? plog_scan_fault(s, rc, g->begin, g->first, "%s", why) : 0;
}

/* A restored copy that goes on: from this group on the log has the name of the
 * new key, and already its commit is by that. */
static int apply_restore(struct plog_scan *s, const struct plog_log_group *g)
{
    if (s->first != g->first)
        return plog_scan_fault(s, PLOG_E_CORRUPT, g->begin, g->first,
                               "a restore entry that begins no segment");
    int rc = apply_rotation(s, g);
    if (!rc)
        memcpy(s->chain->origin, s->rotation.new_key.name,
               sizeof s->chain->origin);
    return rc;
}

/* Judges the group: what is wrong with a line explains more than what is then
 * wrong with the commit.  A member that nobody knows is a newer format when
 * the signature vouches for it, and tampering when it does not. */
static int judge_group(struct plog_scan *s, struct plog_log_group *g,
                       const struct plog_fault *first, uint64_t offset)
{
    struct plog_tree tree = s->chain->tree;
    bool restores = s->has_rotation && s->rotation.restores && !first->code;
    g->root_checked = !s->chain->broken;
    int rc = restores ? apply_restore(s, g) : 0;
    if (!rc)
        rc = check_commit(s, g, &tree, offset);
    if (first->code && rc != PLOG_E_UNKNOWN_KEY && rc != PLOG_E_FOREIGN) {
        s->fault = *first;
        if (first->code == PLOG_E_FORMAT && rc)
            s->fault.code = PLOG_E_TAMPERED;
        return s->fault.code;
    }
    if (!rc && plog_scan_settle(s, &g->commit))
        rc = plog_scan_fault(s, PLOG_E_CORRUPT, offset, g->size,
                             "more keys than a log may have");
    if (!rc && s->has_rotation && !restores)
        rc = apply_rotation(s, g);
    if (rc)
        return rc;
    if (g->root_checked)
        s->chain->tree = tree;
    s->chain->last = g->commit;
    s->chain->claimed = false;
    const struct plog_order *o = (const void *)s->ordered.data;
    for (size_t i = 0;
         s->chain->orders && g->root_checked && i < s->ordered.len / sizeof *o;
         i++)
        plog_orders_meet(s->chain->orders, &o[i]);
    if (s->chain->orders && g->root_checked && s->floor_at)
        plog_orders_meet_floor(s->chain->orders, s->floor_at,
                               plog_span(s->floor.data, s->floor.len));
    return 0;
}

/* Nothing but LFs up to the end of the last segment is padding. */
static int at_end(struct plog_scan *s)
{
    uint64_t end;
    if (s->offset >= s->limit)
        return PLOG_END;
    if (!s->is_last)
        return 0;
    plog_window_jump(s, s->offset);
    if (s->offset < s->window_at + s->window.len &&
        s->window.data[s->offset - s->window_at] != '\n')
        return 0;
    int rc = plog_scan_content_end(s, &end);
    if (rc)
        return rc;
    plog_window_jump(s, s->offset);
    return end <= s->offset ? PLOG_END : 0;
}

int plog_scan_group(struct plog_scan *s, struct plog_log_group *g)
{
    struct plog_fault first;
    uint64_t at = s->offset;
    memset(g, 0, sizeof *g);
    memset(&first, 0, sizeof first);
    s->lines.len = s->sketches.len = 0;
    s->has_rotation = s->as_signed = false;
    s->ordered.len = 0;
    s->floor.len = 0;
    s->floor_at = 0;
    int rc = at_end(s);
    if (rc)
        return rc;
    plog_window_jump(s, at);
    g->begin = at;
    g->first = s->chain->last.size + 1;
    rc = read_lines(s, &at, g->first, &g->commit_line, &first);
    if (rc)
        return rc;
    g->end = at;
    g->count = s->lines.len / sizeof(struct plog_scan_line);
    uint64_t commit_at = at - g->commit_line.n - 1;
    struct plog_chain *before = NULL;
    if (s->has_rotation && s->rotation.restores) { /* it may not hold */
        before = plog_alloc(s->io, sizeof *before);
        if (!before)
            return plog_scan_fault(s, PLOG_E_NOMEM, at, g->first,
                                   "out of memory");
        *before = *s->chain;
    }
    rc = judge_group(s, g, &first, commit_at);
    if (!rc) {
        s->offset = at;
        s->as_signed = false; /* there is no fault */
    } else if (before)
        *s->chain = *before;
    plog_free(s->io, before);
    return rc;
}
