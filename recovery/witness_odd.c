/*
 * witness_odd.c - lines of a witness file that belong to no note.
 *
 * A crash leaves the beginning of a note, cut at any byte; the next note ends
 * the line first.  So the lines are read as notes that were cut off, one behind
 * the other: each is the next line of such a one, whole or the beginning of it,
 * and the line that follows a beginning begins a note again.  What is neither
 * was changed.
 */
#include <stdio.h>

#include "witness.h"

static bool begins(struct plog_span whole, struct plog_span part)
{
    return part.n <= whole.n && memcmp(whole.p, part.p, part.n) == 0;
}

static bool is_base64(struct plog_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'A' && s.p[i] <= 'Z') &&
            !(s.p[i] >= 'a' && s.p[i] <= 'z') &&
            !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '+' &&
            s.p[i] != '/' && (s.p[i] != '=' || s.n - i > 2))
            return false;
    return true;
}

/* Of a log whose key is known, or of the note before.  Where there is neither,
 * of any.  @part  or the beginning of it */
static bool is_origin(const struct plog_witness_odd *o, struct plog_span s,
                      bool part)
{
    for (unsigned i = 0; i <= o->keys->count; i++) {
        struct plog_span name = plog_span_text(
            i < o->keys->count ? o->keys->keys[i].name : o->name);
        if (name.n && begins(name, s) && (part || name.n == s.n))
            return s.n > 0;
    }
    return o->keys->count == 0 && !o->name[0] && s.n > 0 &&
           s.n <= PLOG_ORIGIN_MAX && !memchr(s.p, '\0', s.n);
}

/* The beginning of the fifth line: a dash, the name, and base64 of 68 bytes,
 * which only where it does not end may be all of it. */
static bool is_signature(struct plog_span origin, struct plog_span s, bool open)
{
    char head[PLOG_ORIGIN_MAX + 8];
    int n = snprintf(head, sizeof head, "\xe2\x80\x94 %.*s ", (int)origin.n,
                     origin.p);
    size_t m = s.n < (size_t)n ? s.n : (size_t)n;
    return s.n > 0 && begins(plog_span(head, (size_t)n), plog_span(s.p, m)) &&
           s.n - m < 92u + open && is_base64(plog_span(s.p + m, s.n - m));
}

/* Whether it is line `o->line` of a note, whole. */
static bool is_whole(const struct plog_witness_odd *o, struct plog_span s)
{
    uint64_t size;
    switch (o->line) {
    case 0:
        return is_origin(o, s, false);
    case 1:
        return plog_u64_parse(s, &size) == 0;
    case 2:
        return s.n == 44 && is_base64(s);
    default:
        return o->line == 3 && s.n == 0;
    }
}

/* Whether it is the beginning of that line. */
static bool is_part(const struct plog_witness_odd *o, struct plog_span s,
                    bool open)
{
    uint64_t size;
    switch (o->line) {
    case 0:
        return is_origin(o, s, true);
    case 1:
        return plog_u64_parse(s, &size) == 0;
    case 2:
        return s.n > 0 && s.n <= 44 && is_base64(s);
    default:
        return o->line == 4 && is_signature(o->origin, s, open);
    }
}

void plog_witness_odd_line(struct plog_witness_odd *o, struct plog_span s,
                           uint64_t line, bool open)
{
    if (o->first == 0)
        o->first = line;
    if (o->line && (open || !is_whole(o, s)) && !is_part(o, s, open))
        o->line = 0;
    if (!open && is_whole(o, s)) {
        if (o->line == 0)
            o->origin = s;
        o->line++;
    } else if (is_part(o, s, open)) {
        o->line = 0;
    } else {
        o->changed = true;
    }
}

void plog_witness_odd_end(struct plog_witness_odd *o, uint64_t *changed)
{
    if (o->changed && *changed == 0)
        *changed = o->first;
    o->line = 0;
    o->first = 0;
    o->changed = false;
}
