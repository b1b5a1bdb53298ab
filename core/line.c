/*
 * line.c - commit lines and segment headers.  Entries are in entry.c.
 *
 * Both are written by us alone, so both are read by re-encoding: what a
 * loose reader took from the line must give the same bytes again, and no
 * second spelling can be signed, accepted or compared.
 */
#include "line.h"

#include <stdio.h>

enum plog_line_kind plog_line_kind(struct plog_span line)
{
    static const struct {
        const char *start;
        enum plog_line_kind kind;
    } kinds[] = {
        {"{\"seq\":", PLOG_LINE_ENTRY},
        {"{\"commit\":", PLOG_LINE_COMMIT},
        {"{\"segment\":", PLOG_LINE_SEGMENT},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t n = strlen(kinds[i].start);
        if (line.n > n && !memcmp(line.p, kinds[i].start, n))
            return kinds[i].kind;
    }
    return PLOG_LINE_OTHER;
}

/* Takes everything before `end`, and `end` itself, off the front of `s`. */
static bool take_until(struct plog_span *s, char end, struct plog_span *out)
{
    const char *at = s->n ? memchr(s->p, end, s->n) : NULL;
    if (!at)
        return false;
    *out = plog_span(s->p, (size_t)(at - s->p));
    s->n -= out->n + 1;
    s->p = at + 1;
    return true;
}

struct plog_head plog_commit_head(const struct plog_commit *c)
{
    struct plog_head h = {.size = c->size};
    memcpy(h.root, c->root, sizeof h.root);
    memcpy(h.sig, c->sig, sizeof h.sig);
    memcpy(h.key, c->key, sizeof h.key);
    return h;
}

int plog_commit_format(struct plog_buf *b, const struct plog_commit *c)
{
    size_t before = b->len;
    int rc = plog_buf_add_text(b, "{\"commit\":{\"size\":");
    if (!rc)
        rc = plog_buf_add_u64(b, c->size);
    if (!rc)
        rc = plog_buf_add_text(b, ",\"root\":\"");
    if (!rc)
        rc = plog_buf_add_base64(b, c->root, sizeof c->root);
    if (!rc)
        rc = plog_buf_add_text(b, "\",\"key\":\"");
    if (!rc)
        rc = plog_buf_add_text(b, c->key);
    if (!rc)
        rc = plog_buf_add_text(b, "\",\"sig\":\"");
    if (!rc)
        rc = plog_buf_add_base64(b, c->sig, sizeof c->sig);
    if (!rc)
        rc = plog_buf_add_text(b, "\"}}");
    if (rc)
        b->len = before;
    return rc;
}

static bool key_id_text(struct plog_span s, char *out)
{
    if (s.n != PLOG_KEYID_TEXT - 1)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') ||
              (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

int plog_commit_parse(struct plog_span line, struct plog_commit *out)
{
    struct plog_span size, root, key, sig;
    struct plog_commit c;
    memset(&c, 0, sizeof c);
    bool shaped =
        plog_span_take(&line, "{\"commit\":{\"size\":") &&
        take_until(&line, ',', &size) && plog_span_take(&line, "\"root\":\"") &&
        take_until(&line, '"', &root) && plog_span_take(&line, ",\"key\":\"") &&
        take_until(&line, '"', &key) && plog_span_take(&line, ",\"sig\":\"") &&
        take_until(&line, '"', &sig) && plog_span_take(&line, "}}") &&
        line.n == 0;
    /* Each part has one spelling: decimal without leading zero, canonical
     * base64, lower-case hex.  So the whole has one, too. */
    if (!shaped || plog_u64_parse(size, &c.size) || c.size == 0 ||
        plog_base64_decode(root, c.root, sizeof c.root) ||
        !key_id_text(key, c.key) ||
        plog_base64_decode(sig, c.sig, sizeof c.sig))
        return PLOG_E_CORRUPT;
    *out = c;
    return 0;
}

static int format_note(struct plog_buf *b, const char *origin,
                       const struct plog_commit *last)
{
    unsigned char id[4];
    struct plog_buf note;
    for (int i = 0; i < 4; i++) {
        unsigned byte = 0;
        if (sscanf(last->key + 2 * i, "%2x", &byte) != 1)
            return PLOG_E_CORRUPT;
        id[i] = (unsigned char)byte;
    }
    plog_buf_init(&note, b->io);
    int rc =
        plog_note_format(&note, origin, last->size, last->root, id, last->sig);
    if (!rc)
        rc = plog_buf_add_json(b, plog_span(note.data, note.len));
    plog_buf_fini(&note);
    return rc;
}

int plog_header_format(struct plog_buf *b, const char *origin,
                       const struct plog_tree *tree,
                       const struct plog_commit *last)
{
    size_t before = b->len;
    int rc = plog_buf_add_text(b, "{\"segment\":{\"format\":1,\"origin\":");
    if (!rc)
        rc = plog_buf_add_json(b, plog_span_text(origin));
    if (!rc)
        rc = plog_buf_add_text(b, ",\"first\":");
    if (!rc)
        rc = plog_buf_add_u64(b, tree->size + 1);
    if (!rc)
        rc = plog_buf_add_text(b, ",\"tree\":[");
    for (unsigned i = 0; !rc && i < tree->count; i++) {
        rc = plog_buf_add_text(b, i ? ",\"" : "\"");
        if (!rc)
            rc = plog_buf_add_base64(b, tree->hashes[i], PLOG_HASH_SIZE);
        if (!rc)
            rc = plog_buf_add_char(b, '"');
    }
    if (!rc)
        rc = plog_buf_add_text(b, "],\"checkpoint\":");
    if (!rc)
        rc = last->size ? format_note(b, origin, last)
                        : plog_buf_add_text(b, "null");
    if (!rc)
        rc = plog_buf_add_text(b, "}}");
    if (rc)
        b->len = before;
    return rc;
}

/* The unescaped string value, as a text of at most cap - 1 bytes. */
static int string_value(const struct plog_io *io, struct plog_span value,
                        char *out, size_t cap)
{
    struct plog_buf b;
    if (plog_json_kind(value) != 's')
        return PLOG_E_CORRUPT;
    plog_buf_init(&b, io);
    int rc = plog_json_unescape(plog_span(value.p + 1, value.n - 2), &b);
    if (!rc && b.len >= cap)
        rc = PLOG_E_CORRUPT;
    if (!rc) {
        if (b.len)
            memcpy(out, b.data, b.len);
        out[b.len] = '\0';
    }
    plog_buf_fini(&b);
    return rc;
}

static int parse_tree(struct plog_span value, uint64_t first,
                      struct plog_tree *out)
{
    unsigned char hashes[PLOG_TREE_HASHES][PLOG_HASH_SIZE];
    struct plog_json_walk w;
    struct plog_span one;
    unsigned count = 0;
    if (plog_json_kind(value) != 'a' || first == 0)
        return PLOG_E_CORRUPT;
    plog_json_walk(&w, value);
    while (plog_json_next_element(&w, &one)) {
        if (count == PLOG_TREE_HASHES || one.n < 2 || *one.p != '"' ||
            plog_base64_decode(plog_span(one.p + 1, one.n - 2), hashes[count],
                               PLOG_HASH_SIZE))
            return PLOG_E_CORRUPT;
        count++;
    }
    return plog_tree_load(out, first - 1, hashes[0], count);
}

static int parse_checkpoint(const struct plog_io *io, struct plog_span value,
                            struct plog_segment_header *h)
{
    char text[PLOG_CHECKPOINT_MAX];
    struct plog_note note;
    if (plog_json_kind(value) == '0')
        return h->first == 1 ? 0 : PLOG_E_CORRUPT;
    int rc = string_value(io, value, text, sizeof text);
    if (rc)
        return rc;
    if (plog_note_parse(plog_span_text(text), &note) ||
        strcmp(note.origin, h->origin) != 0 || note.size + 1 != h->first)
        return PLOG_E_CORRUPT;
    h->last.size = note.size;
    memcpy(h->last.root, note.root, sizeof note.root);
    memcpy(h->last.sig, note.sig, sizeof note.sig);
    snprintf(h->last.key, sizeof h->last.key, "%02x%02x%02x%02x",
             note.key_id[0], note.key_id[1], note.key_id[2], note.key_id[3]);
    return 0;
}

/* Whether the header, written anew, gives the same bytes. */
static int header_spelling(const struct plog_io *io, struct plog_span line,
                           const struct plog_segment_header *h)
{
    struct plog_buf again;
    unsigned char root[PLOG_HASH_SIZE];
    plog_buf_init(&again, io);
    int rc = plog_header_format(&again, h->origin, &h->tree, &h->last);
    if (!rc && !plog_span_equal(line, plog_span(again.data, again.len)))
        rc = PLOG_E_CORRUPT;
    plog_buf_fini(&again);
    plog_tree_root(&h->tree, root);
    if (!rc && h->last.size && memcmp(root, h->last.root, sizeof root) != 0)
        rc = PLOG_E_CORRUPT;
    return rc;
}

int plog_header_parse(struct plog_json *json, struct plog_span line,
                      struct plog_segment_header *out)
{
    struct plog_json_fault fault;
    struct plog_json_walk w;
    struct plog_span name, value, members[5];
    static const char *const names[5] = {"format", "origin", "first", "tree",
                                         "checkpoint"};
    memset(out, 0, sizeof *out);
    int rc = plog_json_check(json, line, &fault);
    if (rc)
        return rc == PLOG_E_NOMEM ? rc : PLOG_E_CORRUPT;
    plog_json_walk(&w, line);
    if (!plog_json_next(&w, &name, &value) || !plog_span_is(name, "segment") ||
        plog_json_kind(value) != 'o')
        return PLOG_E_CORRUPT;
    plog_json_walk(&w, value);
    for (int i = 0; i < 5; i++) {
        if (!plog_json_next(&w, &name, &members[i]) ||
            !plog_span_is(name, names[i]))
            return PLOG_E_CORRUPT;
        if (i == 0 && plog_u64_parse(members[0], &out->format))
            return PLOG_E_CORRUPT;
        if (i == 0 && out->format != PLOG_FORMAT)
            return PLOG_E_FORMAT;
    }
    rc = string_value(json->names.io, members[1], out->origin,
                      sizeof out->origin);
    if (!rc && (!plog_origin_valid(plog_span_text(out->origin)) ||
                plog_u64_parse(members[2], &out->first)))
        rc = PLOG_E_CORRUPT;
    if (!rc)
        rc = parse_tree(members[3], out->first, &out->tree);
    if (!rc)
        rc = parse_checkpoint(json->names.io, members[4], out);
    if (!rc)
        rc = header_spelling(json->names.io, line, out);
    return rc;
}
