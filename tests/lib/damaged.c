/* damaged.c - see damaged.h. */
#include "damaged.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Damage -------------------------------------------------------------- */

void damaged_slice(struct damaged_file *f, size_t segment, size_t at, size_t n)
{
    if (n == 0)
        return;
    if (f->count == DAMAGED_PIECES)
        abort();
    struct piece *p = &f->pieces[f->count++];
    p->literal = false;
    p->segment = segment;
    p->at = at;
    p->n = n;
}

void damaged_none(const struct sample *s, struct damaged *d)
{
    d->count = SAMPLE_SEGMENTS;
    for (size_t i = 0; i < SAMPLE_SEGMENTS; i++) {
        d->files[i].first = s->segments[i].first;
        d->files[i].count = 0;
        damaged_slice(&d->files[i], i, 0, s->segments[i].size);
    }
}

void damaged_edit(const struct sample *s, struct damaged *d, size_t segment,
                  size_t from, size_t to, const char *bytes, size_t n)
{
    struct damaged_file *f = &d->files[segment];
    f->count = 0;
    damaged_slice(f, segment, 0, from);
    if (n) {
        struct piece *p = &f->pieces[f->count++];
        p->literal = true;
        p->n = n;
        memcpy(p->bytes, bytes, n);
    }
    damaged_slice(f, segment, to, s->segments[segment].size - to);
}

void damaged_drop(struct damaged *d, size_t file)
{
    d->count--;
    memmove(&d->files[file], &d->files[file + 1],
            (d->count - file) * sizeof *d->files);
}

static int by_name(const void *a, const void *b)
{
    const struct served_file *x = a, *y = b;
    return strcmp(x->name, y->name);
}

void damaged_serve(const struct sample *s, const struct damaged *d,
                   struct served *v, char *buf, size_t cap)
{
    v->count = d->count;
    for (size_t i = 0; i < d->count; i++) {
        const struct damaged_file *f = &d->files[i];
        struct served_file *to = &v->files[i];
        snprintf(to->name, sizeof to->name, "%020llu.jsonl",
                 (unsigned long long)f->first);
        to->data = buf;
        to->size = 0;
        for (size_t k = 0; k < f->count; k++) {
            const struct piece *p = &f->pieces[k];
            if (p->n > cap)
                abort();
            memcpy(buf,
                   p->literal ? p->bytes : s->segments[p->segment].data + p->at,
                   p->n);
            buf += p->n;
            cap -= p->n;
            to->size += p->n;
        }
    }
    qsort(v->files, v->count, sizeof *v->files, by_name);
}

/* ---- Damage as text ------------------------------------------------------ */

static bool untouched(const struct sample *s, const struct damaged_file *f)
{
    for (size_t i = 0; i < SAMPLE_SEGMENTS; i++)
        if (f->first == s->segments[i].first)
            return f->count == 1 && !f->pieces[0].literal &&
                   f->pieces[0].segment == i && f->pieces[0].at == 0 &&
                   f->pieces[0].n == s->segments[i].size;
    return false;
}

static size_t piece_text(const struct piece *p, char *out, size_t cap)
{
    int n = 0;
    if (!p->literal)
        return (size_t)snprintf(out, cap, "s%zu.%zu.%zu", p->segment, p->at,
                                p->n);
    n = snprintf(out, cap, "=");
    for (size_t i = 0; i < p->n; i++)
        n += snprintf(out + n, cap - (size_t)n, "%02x",
                      (unsigned)(unsigned char)p->bytes[i]);
    return (size_t)n;
}

void damaged_text(const struct sample *s, const struct damaged *d, char *out,
                  size_t cap)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < SAMPLE_SEGMENTS; i++) {
        bool there = false;
        for (size_t k = 0; k < d->count; k++)
            there |= d->files[k].first == s->segments[i].first;
        if (!there)
            n += (size_t)snprintf(out + n, cap - n, "-%llu;",
                                  (unsigned long long)s->segments[i].first);
    }
    for (size_t i = 0; i < d->count; i++) {
        const struct damaged_file *f = &d->files[i];
        if (untouched(s, f))
            continue;
        n += (size_t)snprintf(out + n, cap - n,
                              "%llu:", (unsigned long long)f->first);
        for (size_t k = 0; k < f->count; k++) {
            if (k)
                n += (size_t)snprintf(out + n, cap - n, ",");
            n += piece_text(&f->pieces[k], out + n, cap - n);
        }
        n += (size_t)snprintf(out + n, cap - n, ";");
    }
    if (n >= cap)
        abort();
}

/* ---- The place ----------------------------------------------------------- */

static size_t common(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t n = 0;
    while (n < a_size && n < b_size && a[n] == b[n])
        n++;
    return n;
}

static bool only_lfs(const char *p, size_t n)
{
    while (n > 0 && p[n - 1] == '\n')
        n--;
    return n == 0;
}

static void name_file(struct place *p, uint64_t first)
{
    snprintf(p->file, sizeof p->file, "log/%020llu.jsonl",
             (unsigned long long)first);
}

/* The unit with this bytes' turn differs at `at` of the file. */
static void differs(const struct sample *s, const struct served_file *f,
                    size_t at, const struct sample_unit *u, struct place *p)
{
    const char *want = u ? s->segments[u->segment].data + u->at : NULL;
    size_t d = common(want, u ? u->n : 0, f->data + at, f->size - at);
    size_t line = at + d;
    while (line > at && f->data[line - 1] != '\n')
        line--;
    p->unit = u;
    p->from = at;
    p->to = at + d;
    p->line = line;
    p->tail = f->data + at;
    p->tail_size = f->size - at;
    /* A commit in the place of an entry is told of its whole group. */
    bool commit =
        f->size - line >= 10 && memcmp(f->data + line, "{\"commit\":", 10) == 0;
    for (size_t i = 0; u && !commit && i < s->line_count; i++) {
        const struct sample_line *l = &s->lines[i];
        if (l->segment == u->segment && l->at == u->at + line - at &&
            l->kind == SAMPLE_ENTRY)
            p->seq = l->seq;
    }
}

static bool stands(const struct sample *s, const struct served_file *f,
                   size_t at, const struct sample_unit *u)
{
    return u->n <= f->size - at && memcmp(s->segments[u->segment].data + u->at,
                                          f->data + at, u->n) == 0;
}

/* The unit that follows `unit`, of this kind or the padding; NULL: none. */
static const struct sample_unit *next_of(const struct sample *s, size_t *unit,
                                         enum sample_kind kind)
{
    if (kind == SAMPLE_GROUP && *unit < s->unit_count &&
        s->units[*unit].kind == SAMPLE_HEADER)
        ++*unit; /* no header is due inside a file */
    if (*unit >= s->unit_count)
        return NULL;
    const struct sample_unit *u = &s->units[*unit];
    return kind == SAMPLE_HEADER && u->kind != kind ? NULL : u;
}

/* Reads one file from its header on.  Returns whether it is as it must be. */
static bool read_file(const struct sample *s, const struct served_file *f,
                      size_t *unit, struct place *p)
{
    size_t at = 0;
    const struct sample_unit *u = next_of(s, unit, SAMPLE_HEADER);
    if (!u || !stands(s, f, 0, u)) {
        differs(s, f, 0, u, p);
        p->to = 0; /* a fault of a header is at its start */
        p->line = 0;
        return false;
    }
    at = u->n;
    ++*unit;
    while (at < f->size) {
        if (p->last && only_lfs(f->data + at, f->size - at)) {
            p->whole = *unit + 1 >= s->unit_count;
            return true;
        }
        u = next_of(s, unit, SAMPLE_GROUP);
        if (!u || u->kind != SAMPLE_GROUP || !stands(s, f, at, u)) {
            differs(s, f, at, u, p);
            return false;
        }
        at += u->n;
        p->size = u->size;
        ++*unit;
    }
    p->whole = *unit + 1 >= s->unit_count;
    return true;
}

void damaged_place(const struct sample *s, const struct served *v,
                   struct place *p)
{
    size_t unit = 0;
    memset(p, 0, sizeof *p);
    for (size_t i = 0; i < v->count; i++) {
        const struct served_file *f = &v->files[i];
        uint64_t first = strtoull(f->name, NULL, 10);
        p->last = i + 1 == v->count;
        name_file(p, first);
        if (first != p->size + 1) {
            p->missing = true;
            p->seq = p->size + 1;
            name_file(p, p->seq);
            return;
        }
        if (!read_file(s, f, &unit, p))
            return;
    }
    p->clean = true;
}

/* ---- What a check says --------------------------------------------------- */

/* Whether a tail holds a whole line of a group that comes after `u`. */
static bool holds_later_line(const struct sample *s, const struct place *p)
{
    for (size_t i = 0; i < s->line_count; i++) {
        const struct sample_line *l = &s->lines[i];
        if (l->kind != SAMPLE_HEADER && p->unit &&
            &s->units[l->unit] > p->unit &&
            memmem(p->tail, p->tail_size, s->segments[l->segment].data + l->at,
                   l->n))
            return true;
    }
    return false;
}

static const char *first_fits(const struct place *p,
                              const struct world_finding *f)
{
    if (strcmp(f->file, p->file) != 0)
        return "the finding is in another file";
    if (f->leg != PLOG_LEG_LOG)
        return "the finding is not of the log";
    if (p->missing)
        return f->verdict == PLOG_E_CORRUPT && !f->has_offset &&
                       f->seq == p->seq
                   ? NULL
                   : "it does not say that the segment is missing";
    if (!f->has_offset || f->offset < p->from || f->offset > p->to)
        return "the finding is at another place";
    if (p->unit && p->unit->kind == SAMPLE_GROUP && f->seq &&
        (f->seq < p->unit->first || f->seq > p->unit->size + 1))
        return "the finding names another group";
    return NULL;
}

/* The first header gives the log its name: where another stands in it, the
 * headers that follow are those of another log. */
static bool names_first_header(const struct sample *s, const struct place *p,
                               const struct world_found *f)
{
    for (unsigned i = 0; i < f->count && i < WORLD_FINDINGS; i++)
        if (f->first[i].verdict != PLOG_E_FOREIGN || f->first[i].offset)
            return false;
    return p->unit == &s->units[0];
}

const char *damaged_verify(const struct sample *s, const struct place *p,
                           const struct world_found *f, bool one)
{
    int verdict = f->report.verdict;
    if (p->clean) {
        if (verdict || f->count)
            return "nothing is wrong with it";
        return f->report.head.size == p->size ? NULL : "it is at another head";
    }
    if (verdict == 0 || f->count == 0)
        return "damage was not detected";
    if (verdict == PLOG_E_TORN &&
        (!p->last || p->missing || holds_later_line(s, p)))
        return "damage passes for an unfinished group";
    if (f->first[0].verdict == PLOG_E_TORN &&
        (f->count > 1 || verdict != PLOG_E_TORN))
        return "something is found behind an unfinished group";
    if (one && f->count > 1 && !names_first_header(s, p, f))
        return "more than one place is named";
    return first_fits(p, &f->first[0]);
}

const char *damaged_parity(const struct sample *s, const struct place *p,
                           const struct world_found *f)
{
    const struct world_finding *first = &f->first[0];
    int verdict = f->report.verdict;
    bool padding = p->unit && p->unit->kind == SAMPLE_PADDING;
    (void)s;
    if (p->clean && p->whole)
        return verdict || f->count ? "nothing is wrong with it" : NULL;
    if (verdict == 0 || f->count == 0)
        return "damage was not detected";
    if (plog_exit_status(verdict) != 5 && !(padding && verdict == PLOG_E_TORN))
        return "the store testifies, and it is not heard";
    if (p->clean) /* groups are missing at the end */
        return verdict == PLOG_E_ROLLBACK && first->leg == PLOG_LEG_LOG
                   ? NULL
                   : "it does not say that groups are missing at the end";
    const uint64_t *counts = f->report.counts;
    if (counts[-PLOG_E_DIVERGED] || counts[-PLOG_E_AHEAD] ||
        counts[-PLOG_E_BEHIND])
        return "the store is blamed, and it is whole";
    const char *why = first_fits(p, first);
    if (why || p->missing || padding)
        return why;
    if (first->offset != p->line)
        return "the finding is at another line";
    return p->seq && first->seq != p->seq ? "the finding names another entry"
                                          : NULL;
}
