/* doctor_archive.c - what was compacted away, in archive/; see
 * doctor.h. */
#include <stdio.h>
#include <stdlib.h>

#include "archive.h"
#include "check.h"
#include "doctor.h"
#include "redact.h"

#define NAME "archive"

struct archived {
    struct plog_doctor *d;
    struct plog_dir dir; /* with the archive */
    struct plog_walk walk;
    uint64_t floor, first, files;
    uint64_t told; /* faults */
    bool kept;     /* the last compaction archived what it took away, ... */
    uint64_t from; /* ... behind this entry */
    uint64_t whole, whole_seq; /* lines under an order; the first one, */
    uint64_t whole_in;         /* ... and its segment */
    struct plog_buf all,
        read;                /* uint64_t: files; those the log leads through */
    struct plog_buf log;     /* ... and of log/ */
    struct plog_buf ordered; /* uint64_t: entries with an order in the store,
                              * whether or not archive/ still has it */
};

/* Which files the log leads through. */
static int note_read(struct archived *a, struct plog_error *err)
{
    size_t n = plog_segment_count(&a->read);
    uint64_t first = a->walk.first;
    if (n && plog_segment_at(&a->read, n - 1) == first)
        return 0;
    return plog_buf_add(&a->read, &first, sizeof first)
               ? plog_fail(err, PLOG_E_NOMEM, "out of memory")
               : 0;
}

static int tell(struct archived *a, struct plog_error *err)
{
    const struct plog_doctor_options *o = a->d->o;
    struct plog_progress p = {a->walk.chain.last.size, a->floor, a->walk.bytes,
                              NAME};
    return o->progress && o->progress(o->arg, &p)
               ? plog_fail(err, PLOG_E_INTERRUPTED, "stopped")
               : 0;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* @list  ascending */
static bool is_in(const struct plog_buf *list, uint64_t n)
{
    return list->len &&
           bsearch(&n, list->data, list->len / sizeof n, sizeof n, by_number);
}

/* Whether the fault at hand is no more than that the order for a redacted line
 * was discarded, by the store's word: a copy of the file from a backup may have
 * the payload. */
static bool is_ordered(struct archived *a, int rc)
{
    const struct plog_fault *f = &a->walk.scan.fault;
    return rc == PLOG_E_TAMPERED && !a->walk.gap && f->no_order &&
           is_in(&a->ordered, f->seq) &&
           !plog_orders_find(&a->walk.orders, f->seq);
}

/* A fault, and which entries were passed over for it; to 0: not known. */
static void say_fault(struct archived *a, int rc, const struct plog_error *why,
                      bool gap, uint64_t from, uint64_t to)
{
    char range[80] = "";
    const char *next = gap ? "where it was not discarded, copy that file from a"
                             " backup"
                           : "copy that file from a backup";
    if (!gap && to > from)
        snprintf(range, sizeof range, "; passed over: entries %llu to %llu",
                 (unsigned long long)from, (unsigned long long)to);
    if (!gap && (rc == PLOG_E_FORK || rc == PLOG_E_FOREIGN) && why->hint[0])
        next = why->hint;
    a->told++;
    plog_doctor_say(a->d, NAME, gap ? PLOG_HEALTH_WARN : PLOG_HEALTH_BAD, next,
                    "%s: %s%s%s%s", plog_code_word(rc), why->file,
                    why->file[0] ? ": " : "", why->message, range);
}

/* @entry  the redacted one */
static void say_unproven(struct archived *a, const struct plog_error *why,
                         uint64_t entry, uint64_t from, uint64_t to)
{
    char range[80] = "";
    if (to > from)
        snprintf(range, sizeof range, "; passed over: entries %llu to %llu",
                 (unsigned long long)from, (unsigned long long)to);
    a->told++;
    plog_doctor_say(a->d, NAME, PLOG_HEALTH_WARN,
                    "keep it: a copy from before the redaction would bring the"
                    " payload back",
                    "%s: entry %llu is redacted, which is not proven: archive/"
                    " does not have the order any more%s",
                    why->file, (unsigned long long)entry, range);
}

/* A compaction that discards leaves a gap; the last one did not, so what is
 * missing behind the entry that it began with was there. */
static bool is_discarded(const struct archived *a)
{
    return a->walk.gap && !(a->kept && a->walk.first > a->from + 1);
}

/* Behind a fault, as verify does: what one compaction discarded is a gap for
 * ever, and must not hide what befalls the rest. */
static int go_on(struct archived *a, int rc, struct plog_error *err)
{
    uint64_t from, to;
    while (plog_check_is_verdict(rc) && !a->d->stopped) {
        struct plog_error why = *err;
        bool gap = is_discarded(a), ordered = is_ordered(a, rc);
        uint64_t entry = a->walk.scan.fault.seq;
        int was = rc;
        if (a->walk.first >= a->walk.log_first) { /* what follows is the log */
            say_fault(a, was, &why, gap, 0, 0);
            return PLOG_END;
        }
        int noted = note_read(a, err);
        if (noted)
            return noted;
        rc = plog_walk_resync(&a->walk, &from, &to, err);
        if (ordered)
            say_unproven(a, &why, entry, from, rc ? 0 : to);
        else
            say_fault(a, was, &why, gap, from, rc ? 0 : to);
    }
    return rc;
}

/* A file of before a redaction, put back: the line is right, signed, and older
 * than the order, so that nothing else finds it. */
static void look_for_payloads(struct archived *a,
                              const struct plog_log_group *g)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    for (size_t i = 0; i < g->count; i++) {
        const struct plog_order *o =
            plog_orders_find(&a->walk.orders, g->first + i);
        struct plog_span line = plog_scan_text(&a->walk.scan, i);
        if (plog_line_is_redacted(line) ||
            (!o && !is_in(&a->ordered, g->first + i)))
            continue;
        plog_line_leaf(line, leaf);
        if (o && memcmp(leaf, o->leaf, sizeof leaf) != 0)
            continue; /* it is about another log's */
        if (a->whole++ == 0) {
            a->whole_seq = g->first + i;
            a->whole_in = a->walk.first;
        }
    }
}

/* Up to the log, whose header says what archive/ must end in. */
static int read_all(struct archived *a, struct plog_error *err)
{
    struct plog_log_group g;
    int rc = plog_walk_start(&a->walk, err);
    const struct plog_compaction *last =
        plog_orders_floor(&a->walk.orders, a->floor);
    a->kept = last && last->archive && last->from < last->to;
    a->from = last ? last->from : 0;
    if (rc)
        rc = go_on(a, rc, err);
    while (!rc) {
        rc = plog_walk_next_archived(&a->walk, &g, err);
        if (!rc)
            look_for_payloads(a, &g);
        if (!rc)
            rc = note_read(a, err);
        if (!rc)
            rc = tell(a, err);
        else if (rc != PLOG_END)
            rc = go_on(a, rc, err);
    }
    return rc == PLOG_END ? 0 : rc;
}

static void say(struct archived *a, int rc, const struct plog_error *why)
{
    struct plog_doctor *d = a->d;
    bool bad = plog_check_is_verdict(rc) || rc == PLOG_END;
    if (rc && !bad)
        plog_doctor_say(d, NAME, PLOG_HEALTH_UNKNOWN, why->hint, "%s: %s",
                        why->file, why->message);
    else if (rc && a->told == 0)
        plog_doctor_say(d, NAME, PLOG_HEALTH_BAD,
                        "copy that file from a backup", "%s: %s%s%s",
                        plog_code_word(rc), why->file, why->file[0] ? ": " : "",
                        why->message);
    else if (a->told == 0 && a->whole == 0)
        plog_doctor_say(d, NAME, PLOG_HEALTH_OK, NULL,
                        "%llu files, entries %llu to %llu, whole",
                        (unsigned long long)a->files,
                        (unsigned long long)a->first,
                        (unsigned long long)a->floor);
}

/* An undo brings them within reach of whoever takes payloads out. */
static void say_payloads(const struct archived *a)
{
    struct plog_doctor *d = a->d;
    char name[PLOG_ARCHIVE_NAME], next[160];
    if (a->whole == 0)
        return;
    bool undo = plog_doctor_open_store(d) &&
                plog_compaction_can_undo(&d->reader.store, &d->reader.dir,
                                         a->whole_seq, a->floor);
    if (d->reader.store_open)
        plog_store_rest(&d->reader.store);
    plog_archive_name(a->whole_in, name);
    if (undo)
        snprintf(next, sizeof next,
                 "paritylog compact DIR --undo, then paritylog compact DIR,"
                 " which takes out what is in log/ then");
    else
        snprintf(next, sizeof next,
                 "put that file back as it was behind the redaction, or move"
                 " it out of DIR: no undo reaches it");
    plog_doctor_say(d, NAME, PLOG_HEALTH_BAD, next,
                    "%llu payloads are back that were redacted, the first is"
                    " of entry %llu, in " NAME "/%s",
                    (unsigned long long)a->whole,
                    (unsigned long long)a->whole_seq, name);
}

/* Files at or below the floor, and the first of them. */
static int list(struct archived *a, struct plog_error *err)
{
    int rc = plog_archive_segments(&a->d->reader.dir, &a->all, err);
    for (size_t i = 0; i < plog_segment_count(&a->all); i++) {
        uint64_t first = plog_segment_at(&a->all, i);
        if (first > a->floor)
            continue;
        a->files++;
        if (a->first == 0 || first < a->first)
            a->first = first;
    }
    return rc;
}

/* Files of another history, or another log, that are in nobody's way so far. */
static void say_strangers(const struct archived *a)
{
    uint64_t count = 0, first = 0;
    char name[PLOG_ARCHIVE_NAME];
    for (size_t i = 0; i < plog_segment_count(&a->all); i++) {
        uint64_t at = plog_segment_at(&a->all, i);
        bool odd = at < a->walk.log_first
                       ? !is_in(&a->read, at)
                       : at > a->floor && !is_in(&a->log, at);
        count += odd;
        if (odd && (first == 0 || at < first))
            first = at;
    }
    if (count == 0)
        return;
    plog_archive_name(first, name);
    plog_doctor_say(a->d, NAME, PLOG_HEALTH_WARN,
                    "move it out of DIR, unless you know what for it is there",
                    "%llu files begin where no segment of this log does, the"
                    " first is %s",
                    (unsigned long long)count, name);
}

/* Whether what the store knows is about what archive/ has: one of another log
 * or history has orders for entries of its own, and of one that stands at
 * another floor nobody can tell. */
static bool is_of_this(struct archived *a)
{
    const struct plog_check_report *r = &a->d->report->legs;
    struct plog_store_head h;
    return r->counts[-PLOG_E_FORK] + r->counts[-PLOG_E_FOREIGN] == 0 &&
           plog_store_get_head(&a->d->reader.store, &h, NULL) == 0 &&
           h.rules.floor == a->floor;
}

/* What cannot be read tells nothing. */
static int read_ordered(struct archived *a, struct plog_error *err)
{
    struct plog_store *s = &a->d->reader.store;
    int rc = 0;
    if (plog_doctor_open_store(a->d)) {
        if (is_of_this(a))
            rc = plog_store_ordered(s, 0, a->floor, &a->ordered, err);
        plog_store_rest(s);
    }
    return rc == PLOG_E_NOMEM ? rc : 0;
}

static int look(struct archived *a, struct plog_error *err)
{
    int rc = list(a, err);
    if (!rc && a->files)
        rc = read_ordered(a, err);
    if (rc || a->files == 0)
        return rc;
    rc = plog_dir_segments(&a->dir, &a->log, err);
    a->dir.with_archive = true;
    if (!rc)
        rc = plog_walk_open(&a->walk, &a->dir, &a->d->reader.keys, err);
    if (!rc)
        rc = read_all(a, err);
    return rc;
}

int plog_doctor_archive(struct plog_doctor *d, struct plog_error *err)
{
    struct archived a = {
        .d = d, .dir = d->reader.dir, .floor = d->report->legs.floor};
    struct plog_error why = {.code = 0};
    if (d->reader.dir.log < 0 || a.floor == 0)
        return 0;
    plog_buf_init(&a.all, d->io);
    plog_buf_init(&a.read, d->io);
    plog_buf_init(&a.log, d->io);
    plog_buf_init(&a.ordered, d->io);
    int rc = look(&a, &why);
    if (rc == PLOG_E_INTERRUPTED || rc == PLOG_E_NOMEM) {
        if (err)
            *err = why;
    } else if (rc || a.files) {
        say(&a, rc, &why);
        say_payloads(&a);
        if (!rc)
            say_strangers(&a);
        rc = 0;
    }
    plog_walk_close(&a.walk);
    plog_buf_fini(&a.ordered);
    plog_buf_fini(&a.log);
    plog_buf_fini(&a.read);
    plog_buf_fini(&a.all);
    return rc;
}
