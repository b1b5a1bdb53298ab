/* compaction.c - see compaction.h. */
#include "compaction.h"

/* ---- Writing ------------------------------------------------------------ */

static int add_hash(struct plog_buf *b, const char *before,
                    const unsigned char *hash)
{
    int rc = plog_buf_add_text(b, before);
    if (!rc)
        rc = plog_buf_add_char(b, '"');
    if (!rc)
        rc = plog_buf_add_base64(b, hash, PLOG_HASH_SIZE);
    return rc ? rc : plog_buf_add_char(b, '"');
}

static int add_number(struct plog_buf *b, const char *before, uint64_t n)
{
    int rc = plog_buf_add_text(b, before);
    return rc ? rc : plog_buf_add_u64(b, n);
}

static int add_raw(struct plog_buf *b, const char *before, struct plog_span raw)
{
    int rc = plog_buf_add_text(b, before);
    return rc ? rc : plog_buf_add_span(b, raw);
}

int plog_compaction_format(struct plog_buf *b, const struct plog_compaction *c)
{
    int rc = add_number(b, "{\"from\":", c->from);
    if (!rc)
        rc = add_number(b, ",\"to\":", c->to);
    if (!rc)
        rc = add_hash(b, ",\"root\":", c->root);
    if (!rc)
        rc = plog_buf_add_text(b, c->archive ? ",\"archive\":true"
                                             : ",\"archive\":false");
    if (!rc)
        rc = c->has_snapshot ? add_hash(b, ",\"snapshot\":", c->snapshot)
                             : plog_buf_add_text(b, ",\"snapshot\":null");
    if (!rc)
        rc = plog_buf_add_text(b, ",\"strategy\":");
    if (!rc)
        rc = plog_buf_add_json(
            b, plog_span_text(plog_strategy_name(c->rules.strategy)));
    if (!rc)
        rc = add_number(b, ",\"max_line\":", c->rules.line_max);
    if (!rc)
        rc = add_number(b, ",\"segment_size\":", c->rules.segment_size);
    if (!rc)
        rc = add_raw(b, ",\"peers\":", c->peers);
    if (!rc)
        rc = add_raw(b, ",\"rotations\":", c->rotations);
    return rc ? rc : plog_buf_add_char(b, '}');
}

int plog_compaction_add_rotation(struct plog_buf *b, const struct plog_entry *e)
{
    bool restores = e->control == PLOG_CONTROL_RESTORE;
    int rc = add_number(b, "{\"seq\":", e->seq);
    if (!rc)
        rc = add_raw(b, restores ? ",\"restore\":" : ",\"rotate\":", e->args);
    return rc ? rc : plog_buf_add_char(b, '}');
}

/* ---- Reading ------------------------------------------------------------ */

static bool take_rules(const struct plog_span *v, struct plog_init_args *out)
{
    char name[32];
    if (plog_json_kind(v[0]) != 's' || v[0].n > sizeof name)
        return false;
    memcpy(name, v[0].p + 1, v[0].n - 2);
    name[v[0].n - 2] = '\0';
    return plog_strategy_parse(name, &out->strategy) == 0 &&
           plog_u64_parse(v[1], &out->line_max) == 0 &&
           plog_u64_parse(v[2], &out->segment_size) == 0 && out->line_max > 0 &&
           out->line_max <= PLOG_LINE_MAX && out->segment_size > 0;
}

/* Exactly the members `names`, in order; `optional` of them may be left out at
 * the end.  Returns how many there are, or -1. */
static int take_members(struct plog_span object, const char *const *names,
                        struct plog_span *values, int count, int optional)
{
    struct plog_json_walk w;
    struct plog_span name, value;
    int n = 0;
    if (plog_json_kind(object) != 'o')
        return -1;
    plog_json_walk(&w, object);
    while (plog_json_next(&w, &name, &value)) {
        if (n == count || !plog_span_is(name, names[n]))
            return -1;
        values[n++] = value;
    }
    return n >= count - optional ? n : -1;
}

static int take_rotation(struct plog_span raw, uint64_t *seq,
                         struct plog_rotation *out)
{
    static const char *const rotate[] = {"seq", "rotate"};
    static const char *const restore[] = {"seq", "restore"};
    struct plog_span v[2];
    memset(out, 0, sizeof *out);
    if (take_members(raw, rotate, v, 2, 0) == 2 && !plog_u64_parse(v[0], seq))
        return plog_rotation_parse(v[1], *seq, out);
    if (take_members(raw, restore, v, 2, 0) == 2 && !plog_u64_parse(v[0], seq))
        return plog_restore_parse(v[1], *seq, out);
    return PLOG_E_CORRUPT;
}

int plog_compaction_keys(const struct plog_compaction *c, uint64_t size,
                         struct plog_keychain *out)
{
    struct plog_json_walk w;
    struct plog_span raw;
    struct plog_rotation r;
    const char *why = NULL;
    uint64_t seq, last = 0;
    int rc = 0;
    out->count = 0;
    out->unsettled = out->guessed = false;
    plog_json_walk(&w, c->rotations);
    while (!rc && plog_json_next_element(&w, &raw)) {
        rc = take_rotation(raw, &seq, &r);
        if (!rc && (seq <= last || seq > c->to))
            rc = PLOG_E_CORRUPT;
        last = seq;
        if (rc || seq > size)
            continue;
        if (out->count == 0)
            rc = plog_keychain_add(out, &r.old_key, 0);
        if (!rc)
            rc = plog_keychain_rotate(out, &r, &why);
    }
    return rc;
}

void plog_compact_peers(struct plog_compact_peers *p, const struct plog_io *io,
                        const struct plog_compaction *c)
{
    plog_buf_init(&p->text, io);
    plog_json_walk(&p->walk, c->peers);
}

void plog_compact_peers_fini(struct plog_compact_peers *p)
{
    plog_buf_fini(&p->text);
}

int plog_compact_peers_next(struct plog_compact_peers *p,
                            struct plog_compact_peer *out)
{
    static const char *const names[] = {"name", "seq", "root"};
    struct plog_span raw, v[3];
    if (!plog_json_next_element(&p->walk, &raw))
        return PLOG_END;
    int n = take_members(raw, names, v, 3, 1);
    if (n < 0 || plog_json_kind(v[0]) != 's' ||
        plog_u64_parse(v[1], &out->cursor))
        return PLOG_E_CORRUPT;
    out->has_root = n == 3;
    if (out->has_root && !plog_json_bytes(v[2], out->root, PLOG_HASH_SIZE))
        return PLOG_E_CORRUPT;
    p->text.len = 0;
    int rc = plog_buf_reserve(&p->text, v[0].n);
    if (!rc)
        rc = plog_json_unescape(plog_span(v[0].p + 1, v[0].n - 2), &p->text);
    out->name = plog_span(p->text.data, p->text.len);
    if (!rc && (out->name.n == 0 || out->name.n > PLOG_NAME_MAX))
        rc = PLOG_E_CORRUPT;
    return rc;
}

/* Every peer is one; the cut lies at or below each cursor. */
static int check_peers(const struct plog_compaction *c,
                       const struct plog_io *io)
{
    struct plog_compact_peers p;
    struct plog_compact_peer peer;
    int rc;
    uint64_t count = 0;
    plog_compact_peers(&p, io, c);
    while ((rc = plog_compact_peers_next(&p, &peer)) == 0) {
        count++;
        if (c->to > c->from && peer.cursor < c->to)
            rc = PLOG_E_CORRUPT;
        if (rc)
            break;
    }
    plog_compact_peers_fini(&p);
    if (rc == PLOG_END)
        rc = c->to > c->from && count == 0 ? PLOG_E_CORRUPT : 0;
    return rc;
}

static int parse(struct plog_span args, uint64_t seq, const struct plog_io *io,
                 struct plog_compaction *c)
{
    static const char *const names[] = {
        "from",     "to",       "root",         "archive", "snapshot",
        "strategy", "max_line", "segment_size", "peers",   "rotations"};
    struct plog_span v[10];
    struct plog_keychain keys;
    memset(c, 0, sizeof *c);
    if (take_members(args, names, v, 10, 0) != 10 ||
        plog_u64_parse(v[0], &c->from) || plog_u64_parse(v[1], &c->to) ||
        !plog_json_bytes(v[2], c->root, PLOG_HASH_SIZE) ||
        !take_rules(&v[5], &c->rules) || plog_json_kind(v[8]) != 'a' ||
        plog_json_kind(v[9]) != 'a')
        return PLOG_E_CORRUPT;
    c->at = seq;
    c->archive = plog_json_kind(v[3]) == 't';
    c->has_snapshot = plog_json_kind(v[4]) == 's';
    c->peers = v[8];
    c->rotations = v[9];
    if ((!c->archive && plog_json_kind(v[3]) != 'f') || c->from == c->to ||
        c->to >= seq || c->from >= seq || c->has_snapshot != (c->to > 0) ||
        (c->has_snapshot ? !plog_json_bytes(v[4], c->snapshot, PLOG_HASH_SIZE)
                         : plog_json_kind(v[4]) != '0'))
        return PLOG_E_CORRUPT;
    int rc = check_peers(c, io);
    return rc ? rc : plog_compaction_keys(c, c->to, &keys);
}

int plog_compaction_parse(const struct plog_entry *e, const struct plog_io *io,
                          struct plog_compaction *out)
{
    return parse(e->args, e->seq, io, out);
}

int plog_compaction_read(struct plog_entry_parser *parser,
                         struct plog_span line, struct plog_compaction *out)
{
    static const char mark[] = "\"control\":\"compact\"";
    struct plog_entry e;
    if (line.n <= 64 || !memmem(line.p, 64, mark, sizeof mark - 1))
        return 0;
    int rc = plog_entry_parse(parser, line, &e, NULL);
    if (!rc && e.control != PLOG_CONTROL_COMPACT)
        return 0;
    if (!rc)
        rc = plog_compaction_parse(&e, parser->decoded.io, out);
    return rc == PLOG_E_NOMEM ? rc : rc == 0;
}
