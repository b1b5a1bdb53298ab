/* redact.c - see redact.h. */
#include "redact.h"

#include <stdlib.h>

static const char mark[] = ",\"redacted\":\"";

#define HASH_TEXT 44 /* base64 of a hash */
#define TAIL (sizeof mark - 1 + HASH_TEXT + 2)

/* ---- The line ----------------------------------------------------------- */

/* The hash that a line ends with, as its last member.  A hash has no quotes, so
 * what stands there belongs to the line and not to some value inside it, such
 * as the args of a control entry. */
static bool last_hash(struct plog_span line, unsigned char *out)
{
    return line.n > TAIL &&
           memcmp(line.p + line.n - TAIL, mark, sizeof mark - 1) == 0 &&
           memcmp(line.p + line.n - 2, "\"}", 2) == 0 &&
           plog_base64_decode(
               plog_span(line.p + line.n - 2 - HASH_TEXT, HASH_TEXT), out,
               PLOG_HASH_SIZE) == 0;
}

bool plog_line_is_redacted(struct plog_span line)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    return last_hash(line, leaf);
}

void plog_line_leaf(struct plog_span line, unsigned char leaf[PLOG_HASH_SIZE])
{
    if (!last_hash(line, leaf))
        plog_hash_leaf(line.p, line.n, leaf);
}

int plog_redacted_format(struct plog_buf *b, const struct plog_entry *e,
                         const unsigned char *leaf)
{
    struct plog_entry rest = *e;
    size_t before = b->len, at;
    rest.delta.payload = rest.delta.meta = plog_span(NULL, 0);
    rest.merged = rest.salt = plog_span(NULL, 0);
    int rc = plog_entry_format(b, &rest, &at);
    if (rc)
        return rc;
    b->len--; /* its closing bracket */
    rc = plog_buf_add_text(b, mark);
    if (!rc)
        rc = plog_buf_add_base64(b, leaf, PLOG_HASH_SIZE);
    if (!rc)
        rc = plog_buf_add_text(b, "\"}");
    if (rc)
        b->len = before;
    return rc;
}

/* ---- The order ---------------------------------------------------------- */

int plog_order_format(struct plog_buf *args, const struct plog_order *o,
                      struct plog_span reason)
{
    int rc = plog_buf_add_text(args, "{\"seq\":");
    if (!rc)
        rc = plog_buf_add_u64(args, o->seq);
    if (!rc)
        rc = plog_buf_add_text(args, ",\"leaf\":\"");
    if (!rc)
        rc = plog_buf_add_base64(args, o->leaf, sizeof o->leaf);
    if (!rc)
        rc = plog_buf_add_text(args, "\",\"line\":\"");
    if (!rc)
        rc = plog_buf_add_base64(args, o->line, sizeof o->line);
    if (!rc)
        rc = plog_buf_add_text(args, "\",\"reason\":");
    if (!rc)
        rc = plog_buf_add_json(args, reason);
    return rc ? rc : plog_buf_add_char(args, '}');
}

/* Bytes of a checked JSON string when decoded. */
static size_t decoded_length(struct plog_span raw)
{
    size_t n = 0;
    for (size_t i = 1; i + 1 < raw.n; i++, n++) {
        if (raw.p[i] != '\\')
            continue;
        if (raw.p[++i] != 'u')
            continue;
        unsigned long code = strtoul(
            (char[]){raw.p[i + 1], raw.p[i + 2], raw.p[i + 3], raw.p[i + 4], 0},
            NULL, 16);
        bool pair = code >= 0xd800 && code < 0xdc00;
        i += pair ? 10 : 4;
        n += pair ? 3 : code >= 0x800 ? 2 : code >= 0x80;
    }
    return n;
}

int plog_order_parse(const struct plog_entry *e, struct plog_order *out)
{
    static const char *const names[] = {"seq", "leaf", "line", "reason"};
    struct plog_span v[4];
    out->at = e->seq;
    if (!plog_json_members(e->args, names, v, 4) ||
        plog_u64_parse(v[0], &out->seq) || out->seq == 0 ||
        out->seq >= e->seq ||
        !plog_json_bytes(v[1], out->leaf, PLOG_HASH_SIZE) ||
        !plog_json_bytes(v[2], out->line, PLOG_HASH_SIZE) ||
        plog_json_kind(v[3]) != 's')
        return PLOG_E_CORRUPT;
    size_t n = decoded_length(v[3]);
    return n == 0 || n > PLOG_REASON_MAX ? PLOG_E_CORRUPT : 0;
}

int plog_order_read(struct plog_entry_parser *parser, struct plog_span line,
                    struct plog_order *out)
{
    static const char word[] = "\"control\":\"redact\",";
    struct plog_entry e;
    struct plog_order own;
    if (line.n <= 64 || !memmem(line.p, 64, word, sizeof word - 1))
        return 0;
    int rc = plog_entry_parse(parser, line, &e, NULL);
    if (rc == PLOG_E_NOMEM)
        return rc;
    return !rc && e.control == PLOG_CONTROL_REDACT &&
           !plog_order_parse(&e, out ? out : &own);
}

int plog_order_apply(const struct plog_order *o, struct plog_span line,
                     const struct plog_entry *entry, struct plog_buf *out)
{
    unsigned char hash[PLOG_HASH_SIZE];
    out->len = 0;
    if (entry->seq != o->seq || entry->control != PLOG_CONTROL_NONE)
        return PLOG_E_CORRUPT;
    plog_line_leaf(line, hash);
    if (memcmp(hash, o->leaf, sizeof hash) != 0)
        return PLOG_E_CORRUPT;
    int rc = entry->redacted ? plog_buf_add_span(out, line)
                             : plog_redacted_format(out, entry, o->leaf);
    if (rc)
        return rc;
    plog_sha256(out->data, out->len, hash);
    return memcmp(hash, o->line, sizeof hash) ? PLOG_E_CORRUPT : 0;
}
