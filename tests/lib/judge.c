/* judge.c - holds a log to its ledger (ledger.h) after a crash. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "ledger.h"
#include "sha256.h"

#define PATIENCE 600 /* seconds for a lock, when many share a machine */

static int print_finding(void *arg, const struct plog_finding *f)
{
    (void)arg;
    printf("#   %s %s seq %" PRIu64 " offset %" PRIu64 ": want %s, got %s\n",
           plog_code_word(f->verdict), f->file, f->seq, f->offset, f->expected,
           f->found);
    return 0;
}

/* The verdict of parity; `loud`: every finding is printed. */
/* Whether the kernel has found its own file system damaged. */
static bool is_unsound(struct ledger *l, int rc, const struct plog_error *err)
{
    return rc == PLOG_E_IO && ledger_unsound(l, err->message);
}

static int parity(struct ledger *l, bool loud)
{
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .wait_seconds = PATIENCE,
                                   .finding = loud ? print_finding : NULL};
    struct plog_check_report report = {0};
    struct plog_error err = {0};
    int rc = plog_parity(l->dir, &o, &report, &err);
    if (!is_unsound(l, rc, &err) && !CHECK_INT(rc, 0))
        printf("#   parity: %s\n", err.message);
    return report.verdict;
}

/* ---- Before anything is opened for writing ------------------------------ */

/* What a crash may leave: the store behind, an unfinished group at the end.
 * Never a store ahead of the log, nor damage. */
static void look(struct ledger *l)
{
    struct plog_status s = {0};
    struct plog_error err = {0};
    int rc = plog_read_status(l->dir, NULL, &s, &err);
    if (is_unsound(l, rc, &err))
        return;
    if (!CHECK_INT(rc, 0)) {
        printf("#   status: %s\n", err.message);
        return;
    }
    if (!CHECK(s.store_size <= s.log_size))
        printf("#   status: %s, store at %llu, log at %llu\n",
               plog_code_word(s.verdict), (unsigned long long)s.store_size,
               (unsigned long long)s.log_size);
    if (!s.has_store)
        return; /* a new one was being built in its place */
    int verdict = parity(l, false);
    l->behind += verdict == PLOG_E_BEHIND;
    l->torn += verdict == PLOG_E_TORN;
    if (!CHECK(verdict == 0 || verdict == PLOG_E_BEHIND ||
               verdict == PLOG_E_TORN ||
               (l->frail && verdict == PLOG_E_DIVERGED))) {
        printf("#   before opening: %s\n", plog_code_word(verdict));
        parity(l, true);
    }
}

/* ---- Opening ------------------------------------------------------------ */

static void make_store_anew(struct ledger *l)
{
    struct plog_replay_options o = {.struct_size = sizeof o, .fresh = true};
    struct plog_replay_report replayed;
    struct plog_error err = {0};
    l->anew++;
    if (!CHECK_INT(plog_replay(l->dir, &o, &replayed, &err), 0))
        printf("#   replay --fresh: %s\n", err.message);
}

/* Opens as the next writer would; finishes an init, and a replay --fresh, that
 * was cut off before it was acknowledged.  NULL: it does not open. */
static plog *reopen(struct ledger *l, const struct plog_io *io)
{
    struct plog_init_options init = {.struct_size = sizeof init,
                                     .io = io,
                                     .origin = l->origin,
                                     .segment_size_bytes = l->segment_size};
    struct plog_options o = {
        .struct_size = sizeof o, .io = io, .wait_seconds = PATIENCE};
    struct plog_error err = {0};
    struct plog_replay_report replayed;
    char vkey[PLOG_VKEY_MAX];
    plog *p = NULL;
    if (!l->made) {
        int rc = plog_init(l->dir, &init, vkey, &err);
        if (!CHECK(rc == 0 || rc == PLOG_E_EXISTS))
            printf("#   init again: %d %s\n", rc, err.message);
    }
    int rc = plog_open(&p, l->dir, &o, &err);
    if (rc == PLOG_E_BEHIND || rc == PLOG_E_PRUNED) { /* no store, or at 0 */
        CHECK_INT(plog_replay(l->dir, NULL, &replayed, &err), 0);
        rc = plog_open(&p, l->dir, &o, &err);
    }
    if (rc == PLOG_E_DIVERGED && l->frail) {
        make_store_anew(l);
        rc = plog_open(&p, l->dir, &o, &err);
    }
    if (!is_unsound(l, rc, &err) && !CHECK_INT(rc, 0))
        printf("#   open: %s (%s)\n", err.message, err.hint);
    return p;
}

/* An acknowledged group, sent again, is known: also below the floor. */
static void send_again(struct ledger *l, plog *p)
{
    static char texts[LEDGER_MOST][LEDGER_TEXT];
    struct plog_span spans[LEDGER_MOST];
    struct plog_receipt got[LEDGER_MOST];
    struct plog_error err = {0};
    unsigned group = (unsigned)(check_random(&l->seed) % LEDGER_GROUPS);
    for (unsigned tries = 0; tries < LEDGER_GROUPS; tries++)
        if (l->groups[group = (group + 1) % LEDGER_GROUPS].acknowledged)
            break;
    if (!l->groups[group].acknowledged)
        return;
    unsigned count = ledger_count(group);
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = spans, .delta_count = count};
    for (unsigned i = 0; i < count; i++)
        spans[i] =
            (struct plog_span){texts[i], ledger_delta(texts[i], group, i)};
    int rc = plog_append_group(p, &g, got, &err);
    if (rc == PLOG_E_DIVERGED && l->frail)
        return; /* parity will find it, too */
    if (!CHECK_INT(rc, 0)) {
        printf("#   group %u again: %s\n", group, err.message);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        uint64_t seq = l->groups[group].first + i;
        CHECK(got[i].duplicate);
        CHECK_UINT(got[i].seq, seq);
        CHECK_BYTES(got[i].leaf, 32, l->entries[seq].leaf, 32);
    }
}

/* ---- The log against the ledger ----------------------------------------- */

struct walk {
    struct ledger *l;
    uint64_t last;        /* seq of the line before */
    unsigned group, left; /* of the group that is under way */
    unsigned wrong;
};

/* The line of a delta holds what was sent, white space and all. */
static bool same_content(unsigned group, unsigned i, const char *line,
                         size_t len)
{
    static char text[LEDGER_TEXT];
    size_t n = ledger_delta(text, group, i);
    text[n] = '\0';
    char *from = strstr(text, "\"payload\":"), *to = strstr(text, "}}");
    return memmem(line, len, text + 1, (size_t)(from - text) - 1) &&
           memmem(line, len, from, (size_t)(to - from) + 1);
}

static bool leaf_is(const char *line, size_t len, bool redacted,
                    const unsigned char *want)
{
    unsigned char leaf[PLOG_HASH_SIZE];
    char word[80] = "\"redacted\":\"";
    if (!redacted) {
        plog_hash_leaf(line, len, leaf);
        return memcmp(leaf, want, sizeof leaf) == 0;
    }
    size_t n = strlen(word);
    sodium_bin2base64(word + n, sizeof word - n, want, PLOG_HASH_SIZE,
                      sodium_base64_VARIANT_ORIGINAL);
    return memmem(line, len, word, strlen(word)) != NULL;
}

/* The next line of the group under way, or the first of another one. */
static bool in_order(struct walk *w, uint64_t seq, unsigned group, unsigned i)
{
    if (group >= LEDGER_GROUPS || !w->l->groups[group].attempted)
        return false;
    if (i == 0 && w->left == 0) {
        uint64_t first = w->l->groups[group].first;
        w->group = group;
        w->left = ledger_count(group);
        if (first && first != seq)
            return false;
        w->l->groups[group].first = seq;
    }
    return w->left > 0 && group == w->group &&
           i == ledger_count(group) - w->left--;
}

static bool line_holds(struct walk *w, uint64_t seq, const char *line,
                       size_t len)
{
    struct ledger *l = w->l;
    unsigned group, i;
    char start[64];
    snprintf(start, sizeof start, "%.*s", len > 60 ? 60 : (int)len, line);
    char *second = strchr(start, ',');
    bool delta =
        second && sscanf(second, ",\"id\":\"g%u-%u\"", &group, &i) == 2;
    bool redacted = memmem(line, len, ",\"redacted\":\"", 13) != NULL;
    if (delta && !in_order(w, seq, group, i))
        return false;
    if (!delta && (w->left || !strstr(start, ",\"control\":\"")))
        return false;
    if (l->entries[seq].known &&
        !leaf_is(line, len, redacted, l->entries[seq].leaf))
        return false;
    if (delta && !redacted && !same_content(group, i, line, len))
        return false;
    if (redacted ? !l->entries[seq].due : l->entries[seq].redacted)
        return false;
    if (!redacted) /* from now on it stands */
        plog_hash_leaf(line, len, l->entries[seq].leaf);
    l->entries[seq].known |= !redacted;
    return true;
}

static int walk_line(void *arg, uint64_t seq, const char *line, size_t len)
{
    struct walk *w = arg;
    if (w->last && seq != w->last + 1)
        w->wrong++;
    w->last = seq;
    if (seq < LEDGER_ENTRIES && line_holds(w, seq, line, len))
        return 0;
    w->wrong++;
    printf("#   entry %" PRIu64 " is not as promised: %.*s\n", seq,
           len > 300 ? 300 : (int)len, line);
    return 0;
}

static void count_groups(struct ledger *l)
{
    for (unsigned g = 0; g < LEDGER_GROUPS; g++) {
        bool counted = l->groups[g].counted;
        if (!l->groups[g].attempted)
            continue;
        l->groups[g].counted = true;
        /* Its place was told when it was acknowledged; the walk came by. */
        if (l->groups[g].acknowledged)
            CHECK(l->groups[g].first > 0);
        else if (l->groups[g].first == 0)
            l->lost_groups += !counted;
        else
            l->kept_groups += !counted;
    }
}

static void walk(struct ledger *l)
{
    struct walk w = {.l = l};
    struct plog_status s = {0};
    struct plog_head head = {0};
    struct plog_error err = {0};
    plog_reader *r = NULL;
    CHECK_INT(plog_read_status(l->dir, NULL, &s, NULL), 0);
    CHECK_INT(s.verdict, 0);
    if (!CHECK_INT(plog_reader_open(&r, l->dir, NULL, NULL), 0))
        return;
    CHECK_INT(plog_reader_head(r, &head, NULL), 0);
    CHECK_UINT(head.size, s.log_size);
    CHECK(head.size < LEDGER_ENTRIES);
    CHECK(head.size >= l->size); /* nothing acknowledged is above the end */
    int rc = s.floor < head.size
                 ? plog_reader_log(r, s.floor + 1, 0, walk_line, &w, &err)
                 : 0;
    if (!CHECK_INT(rc, 0))
        printf("#   log: %s\n", err.message);
    CHECK(s.floor == head.size || w.last == head.size);
    CHECK_UINT(w.left, 0);
    CHECK_UINT(w.wrong, 0);
    l->size = head.size;
    plog_reader_close(r);
    count_groups(l);
}

void ledger_judge(struct ledger *l, const struct plog_io *io)
{
    l->judged++;
    if (l->made && check_random(&l->seed) % 3 == 0)
        look(l); /* not always: a reader leaves a -shm behind */
    plog *p = l->unsound ? NULL : reopen(l, io);
    if (!p)
        return;
    l->made = true;
    if (check_random(&l->seed) % 4 == 0)
        send_again(l, p);
    plog_close(p);
    if (l->frail && parity(l, false) == PLOG_E_DIVERGED)
        make_store_anew(l);
    CHECK_INT(parity(l, true), 0);
    if (!l->unsound)
        walk(l);
}
