/* ledger.c - see ledger.h: the notes; what is held to them is in judge.c. */
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

_Static_assert(sizeof(struct ledger_note) <= PIPE_BUF,
               "a note is written as a whole");

int64_t ledger_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- Deltas ------------------------------------------------------------- */

/* A number that belongs to (group, i, what), the same at every call. */
static uint64_t drawn(unsigned group, unsigned i, unsigned what)
{
    uint64_t state = ((uint64_t)group << 16) ^ (i << 8) ^ what;
    return check_random(&state);
}

unsigned ledger_count(unsigned group)
{
    static const unsigned counts[] = {1, 1, 1, 2, 3, LEDGER_MOST};
    return counts[drawn(group, 0, 1) % 6];
}

/* Mostly small; now and then more than a segment holds. */
static size_t padding(unsigned group, unsigned i)
{
    uint64_t r = drawn(group, i, 2);
    if (r % 40 == 0)
        return 9000 + r % 11000;
    return r % 8 == 1 ? r % 3000 : r % 200;
}

size_t ledger_delta(char *out, unsigned group, unsigned i)
{
    uint64_t r = drawn(group, i, 3);
    bool gone = r % 9 == 0; /* a delete */
    int n =
        snprintf(out, LEDGER_TEXT,
                 "{\"id\":\"g%u-%u\",\"resource\":\"r\",\"record_id\":"
                 "\"%u\",\"op\":\"%s\",\"payload\":",
                 group, i, (unsigned)(r / 9 % 17), gone ? "delete" : "upsert");
    size_t at = (size_t)n;
    if (gone) {
        at += (size_t)sprintf(out + at, "null");
    } else {
        size_t pad = padding(group, i);
        at += (size_t)sprintf(out + at, "{\"g\":%u,\"k%u\":%u,\"pad\":\"",
                              group, (unsigned)(r % 5), i);
        memset(out + at, 'a' + (int)(r % 26), pad);
        at += pad;
        at += (size_t)sprintf(out + at, "\"}");
    }
    at += (size_t)sprintf(out + at,
                          ",\"occurred_at\":\"2026-01-02T03:%02u:%02uZ\","
                          "\"provenance\":{\"source\":\"s\",\"confidence\":"
                          "0.%u}}",
                          (unsigned)(r % 60), (unsigned)(r / 60 % 60),
                          (unsigned)(r / 7 % 10));
    return at;
}

/* ---- Notes -------------------------------------------------------------- */

void ledger_tell(int pipe, const struct ledger_note *note)
{
    while (write(pipe, note, sizeof *note) < 0 && errno == EINTR)
        ;
}

bool ledger_init(struct ledger *l, uint64_t seed)
{
    memset(l, 0, sizeof *l);
    l->seed = seed;
    return CHECK(pipe2(l->pipe, O_CLOEXEC) == 0) &&
           CHECK(fcntl(l->pipe[0], F_SETFL, O_NONBLOCK) == 0);
}

void ledger_close(struct ledger *l)
{
    close(l->pipe[0]);
    close(l->pipe[1]);
}

void ledger_begin(struct ledger *l, const char *dir)
{
    snprintf(l->dir, sizeof l->dir, "%s", dir);
    snprintf(l->origin, sizeof l->origin, "storm-%lu", l->logs++);
    memset(l->groups, 0, sizeof l->groups);
    memset(l->entries, 0, sizeof l->entries);
    l->made = false;
    l->segment_size = 4096u << check_random(&l->seed) % 4;
    l->size = 0;
}

static void count_op(struct ledger *l, const char *name, bool refused)
{
    for (size_t i = 0; i < sizeof l->ops / sizeof *l->ops; i++) {
        if (!l->ops[i].name[0])
            snprintf(l->ops[i].name, sizeof l->ops[i].name, "%.23s", name);
        if (strcmp(l->ops[i].name, name) != 0)
            continue;
        l->ops[i].done += !refused;
        l->ops[i].refused += refused;
        return;
    }
}

bool ledger_unsound(struct ledger *l, const char *message)
{
    if (l->shaky && (strstr(message, strerror(EBADMSG)) ||
                     strstr(message, strerror(EUCLEAN))))
        l->unsound = true;
    return l->unsound;
}

/* A receipt: the seqs of a group follow each other. */
static void acknowledge(struct ledger *l, const struct ledger_note *n)
{
    uint64_t first = n->got[0].seq;
    if (!CHECK(n->number < LEDGER_GROUPS && n->count >= 1 &&
               n->count <= LEDGER_MOST))
        return;
    CHECK(l->groups[n->number].attempted);
    for (unsigned i = 0; i < n->count; i++) {
        uint64_t seq = n->got[i].seq;
        CHECK_UINT(seq, first + i);
        if (!CHECK(seq > 0 && seq < LEDGER_ENTRIES))
            return;
        if (l->entries[seq].known)
            CHECK_BYTES(n->got[i].leaf, 32, l->entries[seq].leaf, 32);
        memcpy(l->entries[seq].leaf, n->got[i].leaf, 32);
        l->entries[seq].known = true;
        if (seq > l->size)
            l->size = seq;
    }
    if (l->groups[n->number].first) /* told before, or seen in the log */
        CHECK_UINT(first, l->groups[n->number].first);
    l->groups[n->number].first = first;
    if (l->groups[n->number].acknowledged)
        return;
    l->groups[n->number].acknowledged = true;
    l->acked_groups++;
    l->acked_deltas += n->count;
}

static void take(struct ledger *l, const struct ledger_note *n)
{
    l->notes++;
    switch (n->kind) {
    case LEDGER_MADE:
        l->made = true;
        break;
    case LEDGER_OPENED:
        l->opened++;
        break;
    case LEDGER_ATTEMPT:
        if (CHECK(n->number < LEDGER_GROUPS))
            l->groups[n->number].attempted = true;
        break;
    case LEDGER_DONE:
        acknowledge(l, n);
        break;
    case LEDGER_DUE:
        if (CHECK(n->number < LEDGER_ENTRIES))
            l->entries[n->number].due = true;
        break;
    case LEDGER_REDACTED:
        l->entries[n->number].redacted = true;
        break;
    case LEDGER_DID:
        count_op(l, n->text, n->code != 0);
        break;
    default:
        if (ledger_unsound(l, n->text))
            break;
        if (l->wrong++ >= 5)
            break; /* they tend to repeat */
        check_true(false, "an operation came back with what it may", __FILE__,
                   __LINE__);
        printf("#   %s: %d (%s)\n", n->text, n->code, plog_code_word(n->code));
    }
}

bool ledger_take(struct ledger *l, int64_t wait_us)
{
    struct ledger_note n;
    struct pollfd p = {l->pipe[0], POLLIN, 0};
    struct timespec t = {wait_us / 1000000, wait_us % 1000000 * 1000};
    bool any = false;
    if (wait_us > 0 && ppoll(&p, 1, &t, NULL) <= 0)
        return false;
    while (read(l->pipe[0], &n, sizeof n) == (ssize_t)sizeof n) {
        take(l, &n);
        any = true;
    }
    return any;
}

void ledger_listen(struct ledger *l, int64_t us)
{
    int64_t until = ledger_now_us() + us, left = us;
    do
        ledger_take(l, left);
    while ((left = until - ledger_now_us()) > 0);
}

void ledger_report(const struct ledger *l)
{
    printf("# %lu logs, judged %lu times: before opening %lu behind, %lu torn;"
           " %lu deltas acknowledged in %lu groups, unacknowledged groups: %lu"
           " kept, %lu not\n#",
           l->logs, l->judged, l->behind, l->torn, l->acked_deltas,
           l->acked_groups, l->kept_groups, l->lost_groups);
    for (size_t i = 0; i < sizeof l->ops / sizeof *l->ops; i++)
        if (l->ops[i].name[0])
            printf(" %s %lu (%lu refused)", l->ops[i].name, l->ops[i].done,
                   l->ops[i].refused);
    printf("\n");
}
