/*
 * scrub_find.c - whether a line, or bytes of a database, are what is looked
 * for; see scrub.h.
 *
 * However many targets there are, a line costs one look-up by its seq, and
 * bytes one look at each place: a table of bits says which places are worth
 * more.
 */
#include <errno.h>
#include <stdlib.h>

#include "scrub.h"

#define SALT 24
#define HALF PLOG_SCRUB_HALF
#define FURTHEST PLOG_SCRUB_OVERLAP /* behind its start a line is looked at */
#define ALIKE 400 /* bytes that no other log has; a page holds so many */

static const char seq_key[] = "{\"seq\":";

struct half {
    char text[HALF];
    bool second;
    const struct plog_scrub_target *target;
};

static size_t hash(const char *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return (x * 2654435761u) >> 16;
}

static int by_text(const void *a, const void *b)
{
    return memcmp(((const struct half *)a)->text,
                  ((const struct half *)b)->text, HALF);
}

int plog_scrub_search_init(struct plog_scrub_search *s,
                           const struct plog_io *io,
                           const struct plog_scrub_target *t, size_t count)
{
    memset(s, 0, sizeof *s);
    s->targets = t;
    s->count = count;
    plog_buf_init(&s->halves, io);
    for (size_t i = 0; i < 2 * count; i++) {
        struct half h = {.second = i % 2, .target = &t[i / 2]};
        if (!h.target->salt[0])
            continue;
        memcpy(h.text, h.target->salt + i % 2 * HALF, HALF);
        s->may[hash(h.text) / 8] |= (unsigned char)(1u << hash(h.text) % 8);
        if (plog_buf_add(&s->halves, &h, sizeof h)) {
            plog_scrub_search_fini(s);
            return -ENOMEM;
        }
    }
    if (s->halves.len)
        qsort(s->halves.data, s->halves.len / sizeof(struct half),
              sizeof(struct half), by_text);
    return 0;
}

void plog_scrub_search_fini(struct plog_scrub_search *s)
{
    plog_buf_fini(&s->halves);
}

/* ---- Salts -------------------------------------------------------------- */

/* The first half of a salt that these HALF bytes are; NULL: none. */
static const struct half *half_at(const struct plog_scrub_search *s,
                                  const char *p)
{
    const struct half *all = (const void *)s->halves.data;
    size_t low = 0, high = s->halves.len / sizeof *all, n = high;
    if (!(s->may[hash(p) / 8] >> hash(p) % 8 & 1))
        return NULL;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (memcmp(all[mid].text, p, HALF) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && !memcmp(all[low].text, p, HALF) ? &all[low] : NULL;
}

/* Whose whole salt is in a line. */
static const struct plog_scrub_target *
by_salt(const struct plog_scrub_search *s, struct plog_span line)
{
    if (s->halves.len == 0)
        return NULL;
    const struct half *end = (const void *)(s->halves.data + s->halves.len);
    for (size_t i = 0; i + SALT <= line.n; i++) {
        const struct half *h = half_at(s, line.p + i);
        for (; h && h < end && !memcmp(h->text, line.p + i, HALF); h++)
            if (!h->second && !memcmp(line.p + i, h->target->salt, SALT))
                return h->target;
    }
    return NULL;
}

/* ---- Lines -------------------------------------------------------------- */

/* The target that has the seq which a line begins with. */
static const struct plog_scrub_target *by_seq(const struct plog_scrub_search *s,
                                              struct plog_span line)
{
    size_t n = sizeof seq_key - 1;
    uint64_t seq;
    if (line.n < n || memcmp(line.p, seq_key, n) != 0)
        return NULL;
    const char *digits = line.p + n;
    size_t rest = line.n - n < 21 ? line.n - n : 21;
    const char *comma = memchr(digits, ',', rest);
    if (!comma ||
        plog_u64_parse(plog_span(digits, (size_t)(comma - digits)), &seq))
        return NULL;
    size_t i = plog_first_from(s->targets, s->count, sizeof *s->targets,
                               offsetof(struct plog_scrub_target, seq), seq);
    return i < s->count && s->targets[i].seq == seq ? &s->targets[i] : NULL;
}

/* `,"resource":...,"record_id":...` of the target, as it is written. */
static struct plog_span record_of(const struct plog_scrub_target *t)
{
    static const char from[] = ",\"resource\":", to[] = ",\"op\":";
    const char *end = t->redacted.p + t->redacted.n;
    const char *a = memmem(t->redacted.p, t->redacted.n, from, sizeof from - 1);
    const char *b = a ? memmem(a, (size_t)(end - a), to, sizeof to - 1) : NULL;
    return b ? plog_span(a, (size_t)(b - a)) : plog_span(NULL, 0);
}

/* The line of the target, byte for byte, or one that says it is: of a damaged
 * copy the salt tells, or the seq that it begins with and its record.  A line
 * of another log may have the same seq, and is not touched. */
const struct plog_scrub_target *
plog_scrub_find_line(const struct plog_scrub_search *s, struct plog_span line,
                     bool loose)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    const struct plog_scrub_target *t = by_seq(s, line);
    if (t && plog_span_equal(line, t->redacted))
        return NULL;
    if (t) {
        plog_hash_leaf(line.p, line.n, leaf);
        if (memcmp(leaf, t->leaf, sizeof leaf) == 0)
            return t;
    }
    if (!loose)
        return NULL;
    struct plog_span record = t ? record_of(t) : plog_span(NULL, 0);
    if (record.n && memmem(line.p, line.n, record.p, record.n))
        return t;
    return by_salt(s, line);
}

/* ---- Databases ---------------------------------------------------------- */

/* How many bytes the line shares with what became of it, up to where the
 * payload stood: `from` is behind the record, `to` behind the first letter of
 * the member that comes next, in which the two differ. */
static void where_they_part(const struct plog_scrub_target *t, size_t *from,
                            size_t *to)
{
    static const char op[] = ",\"op\":\"";
    struct plog_span record = record_of(t);
    const char *end = t->redacted.p + t->redacted.n;
    const char *quote = NULL;
    *from = *to = t->redacted.n;
    if (!record.n)
        return;
    const char *behind = record.p + record.n;
    *from = (size_t)(behind - t->redacted.p);
    if ((size_t)(end - behind) > sizeof op - 1)
        quote = memchr(behind + sizeof op - 1, '"',
                       (size_t)(end - behind) - (sizeof op - 1));
    if (quote && end - quote > 4) /* ","o of occurred_at */
        *to = (size_t)(quote - t->redacted.p) + 4;
}

/* Whether a line that begins here has its payload, in a page that holds its
 * beginning.  One of another log parts earlier. */
static bool begins_whole(const struct plog_scrub_target *t, struct plog_span at)
{
    size_t from, to, n = 0;
    where_they_part(t, &from, &to);
    to = to < FURTHEST ? to : FURTHEST;
    while (n < to && n < at.n && at.p[n] == t->redacted.p[n])
        n++;
    return n < to && n < at.n && (n >= from || n >= ALIKE);
}

/* Half a salt is enough: one of both is whole when a page cuts it. */
bool plog_scrub_find_bytes(const struct plog_scrub_search *s, const char *p,
                           size_t n)
{
    for (size_t i = 0; s->halves.len && i + HALF <= n; i++)
        if (half_at(s, p + i))
            return true;
    const char *end = p + n;
    while (n >= sizeof seq_key &&
           (p = memmem(p, n, seq_key, sizeof seq_key - 1)) != NULL) {
        const struct plog_scrub_target *t =
            by_seq(s, plog_span(p, (size_t)(end - p)));
        if (t && begins_whole(t, plog_span(p, (size_t)(end - p))))
            return true;
        p++;
        n = (size_t)(end - p);
    }
    return false;
}
