/* busy.c - see busy.h. */
#include "busy.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "order_shim.h"

#define KEYS_MOST 40 /* a log takes 64 */
#define PATIENCE 600 /* seconds for a lock, when many share a machine */

struct writer {
    struct busy *b;
    const struct ledger *l;
    const struct plog_io *io;
    plog *p;
    uint64_t seed;
    unsigned number;
    char vkey[PLOG_VKEY_MAX];
    char out[600]; /* where copies go */
    struct plog_error err;
};

static uint64_t draw(struct writer *w, uint64_t below)
{
    return check_random(&w->seed) % below;
}

static void tell(struct writer *w, enum ledger_kind kind, uint32_t number)
{
    struct ledger_note n = {.kind = kind, .number = number};
    ledger_tell(w->l->pipe[1], &n);
}

static uint64_t head(struct writer *w, struct plog_head *out)
{
    memset(out, 0, sizeof *out);
    return plog_get_head(w->p, out, NULL) == 0 ? out->size : 0;
}

/* ---- A table that sees syncs fail ---------------------------------------- */

static struct busy *watched;
static unsigned failed_here; /* of this process */

static int saw(int rc)
{
    if (rc < 0) {
        failed_here++;
        atomic_fetch_add(&watched->failed, 1);
    }
    return rc;
}

static int watch_datasync(void *ctx, int fd)
{
    return saw(order_io()->fdatasync(ctx, fd));
}

static int watch_sync(void *ctx, int fd)
{
    return saw(order_io()->fsync(ctx, fd));
}

static const struct plog_io *watching_io(struct busy *b)
{
    static struct plog_io io;
    watched = b;
    io = *order_io();
    io.fdatasync = watch_datasync;
    io.fsync = watch_sync;
    return &io;
}

/* ---- Operations: each returns a code ------------------------------------ */

/* The sync of a group has failed: it is in doubt, and another sync would say
 * that all is well, so nothing goes through this handle any more. */
static int after_failure(struct writer *w, int rc, const struct plog_group *g)
{
    struct ledger_note n = {.kind = LEDGER_WRONG, .code = rc};
    struct plog_receipt got[LEDGER_MOST];
    int again =
        rc == PLOG_E_INDETERMINATE ? plog_append_group(w->p, g, got, NULL) : 0;
    if (rc != 0 && (again == 0 || again == PLOG_E_POISONED))
        if (rc != PLOG_E_INDETERMINATE || again == PLOG_E_POISONED)
            return rc;
    n.code = again ? again : rc;
    snprintf(n.text, sizeof n.text,
             "append after a failed sync: %d, and once more: %d", rc, again);
    ledger_tell(w->l->pipe[1], &n);
    return rc;
}

static int append(struct writer *w, unsigned group)
{
    static char texts[LEDGER_MOST][LEDGER_TEXT];
    struct plog_span spans[LEDGER_MOST];
    struct plog_receipt got[LEDGER_MOST];
    unsigned count = ledger_count(group);
    struct plog_group g = {
        .struct_size = sizeof g, .deltas = spans, .delta_count = count};
    struct ledger_note n = {
        .kind = LEDGER_DONE, .number = group, .count = count};
    for (unsigned i = 0; i < count; i++)
        spans[i] =
            (struct plog_span){texts[i], ledger_delta(texts[i], group, i)};
    tell(w, LEDGER_ATTEMPT, group);
    unsigned failed = failed_here;
    int rc = plog_append_group(w->p, &g, got, &w->err);
    if (failed_here != failed)
        rc = after_failure(w, rc, &g);
    if (rc)
        return rc;
    for (unsigned i = 0; i < count; i++) {
        n.got[i].seq = got[i].seq;
        memcpy(n.got[i].leaf, got[i].leaf, sizeof n.got[i].leaf);
    }
    ledger_tell(w->l->pipe[1], &n);
    return 0;
}

static int op_append(struct writer *w)
{
    unsigned group = atomic_fetch_add(&w->b->next, 1);
    if (group < w->b->most)
        return append(w, group);
    atomic_store(&w->b->next, w->b->most);
    usleep(200);
    return 0;
}

static int op_again(struct writer *w)
{
    unsigned next = atomic_load(&w->b->next);
    if (next > w->b->most)
        next = w->b->most;
    return next ? append(w, (unsigned)draw(w, next)) : 0;
}

static int op_strategy(struct writer *w)
{
    enum plog_strategy s = (enum plog_strategy)draw(w, PLOG_CUSTOM);
    return plog_set_strategy(w->p, s, NULL, &w->err);
}

static int op_segment(struct writer *w)
{
    uint64_t first;
    return plog_new_segment(w->p, &first, &w->err);
}

/* What every call may say while a new store is not there, or stands at 0. */
static bool half_made(struct writer *w, int rc)
{
    return (rc == PLOG_E_BEHIND || rc == PLOG_E_PRUNED ||
            (rc == PLOG_E_DIVERGED && w->b->tight)) &&
           atomic_load(&w->b->fresh);
}

static int op_reopen(struct writer *w)
{
    struct plog_options o = {
        .struct_size = sizeof o, .io = w->io, .wait_seconds = PATIENCE};
    plog_close(w->p);
    w->p = NULL;
    int rc = plog_open(&w->p, w->l->dir, &o, &w->err);
    /* A replay --fresh was cut off, or is under way: replay makes the store. */
    for (int i = 0; half_made(w, rc) && i < 100; i++) {
        struct plog_replay_report r;
        rc = plog_replay(w->l->dir, NULL, &r, &w->err);
        if (rc == 0)
            rc = plog_open(&w->p, w->l->dir, &o, &w->err);
    }
    if (rc == 0)
        tell(w, LEDGER_OPENED, w->number);
    return rc;
}

static int op_ack(struct writer *w)
{
    struct plog_peer_options o = {
        .struct_size = sizeof o, .io = w->io, .wait_seconds = PATIENCE};
    struct plog_peer_report r;
    struct plog_head h;
    uint64_t size = head(w, &h);
    if (size == 0)
        return 0;
    int rc = draw(w, 2)
                 ? plog_peer_ack(w->l->dir, "p", size, h.root, &o, &r, &w->err)
                 : plog_peer_ack(w->l->dir, "p", 1 + draw(w, size), NULL, &o,
                                 &r, &w->err);
    if (rc == PLOG_E_NOT_FOUND)
        rc = plog_peer_add(w->l->dir, "p", &o, &r, &w->err);
    return rc;
}

static int op_compact(struct writer *w)
{
    struct plog_compact_options o = {.struct_size = sizeof o,
                                     .io = w->io,
                                     .wait_seconds = PATIENCE,
                                     .trim_store = draw(w, 2),
                                     .discard = draw(w, 4) == 0,
                                     .undo = draw(w, 5) == 0};
    struct plog_compact_report r;
    if (o.undo) { /* of a trimmed store it makes a new one */
        o.discard = o.trim_store = false;
        atomic_store(&w->b->fresh, true);
    }
    return plog_compact(w->l->dir, &o, &r, &w->err);
}

static int op_redact(struct writer *w)
{
    struct plog_redact_options o = {.struct_size = sizeof o,
                                    .io = w->io,
                                    .wait_seconds = PATIENCE,
                                    .reason = "storm"};
    struct plog_redact_report r;
    struct plog_head h;
    uint64_t size = head(w, &h);
    if (size < 3)
        return 0;
    uint64_t seq = 2 + draw(w, size - 1);
    tell(w, LEDGER_DUE, (uint32_t)seq);
    int rc = plog_redact(w->l->dir, seq, &o, &r, &w->err);
    if (rc == 0)
        tell(w, LEDGER_REDACTED, (uint32_t)seq);
    return rc;
}

static int op_key(struct writer *w)
{
    struct plog_rotate_options o = {
        .struct_size = sizeof o, .io = w->io, .wait_seconds = PATIENCE};
    struct plog_rotate_report r;
    if (atomic_fetch_add(&w->b->keys, 1) >= KEYS_MOST)
        return 0;
    return plog_key_rotate(w->l->dir, &o, &r, &w->err);
}

static int op_replay(struct writer *w)
{
    struct plog_replay_options o = {.struct_size = sizeof o,
                                    .io = w->io,
                                    .wait_seconds = PATIENCE,
                                    .fresh = draw(w, 3) == 0};
    struct plog_replay_report r;
    if (o.fresh)
        atomic_store(&w->b->fresh, true);
    return plog_replay(w->l->dir, &o, &r, &w->err);
}

static int op_restore(struct writer *w)
{
    struct plog_restore_options o = {
        .struct_size = sizeof o, .io = w->io, .wait_seconds = PATIENCE};
    struct plog_restore_report r;
    busy_remove(w->out);
    return plog_restore(w->l->dir, w->out, &o, &r, &w->err);
}

static int op_rebuild(struct writer *w)
{
    struct plog_rebuild_options o = {
        .struct_size = sizeof o, .io = w->io, .wait_seconds = PATIENCE};
    struct plog_rebuild_report r;
    busy_remove(w->out);
    int rc = draw(w, 2)
                 ? plog_rebuild_log(w->l->dir, w->out, &o, &r, &w->err)
                 : plog_rebuild_store(w->l->dir, w->out, &o, &r, &w->err);
    /* Only after a compaction was undone may the store not be all of it. */
    if (!rc && r.verdict)
        snprintf(w->err.message, sizeof w->err.message, "%s", r.why);
    return rc ? rc : r.verdict;
}

/* What may come back while others write and maintain, besides 0. */
struct operation {
    const char *name;
    unsigned weight;
    int (*run)(struct writer *w);
    int allowed[4];
};
static const struct operation operations[] = {
    {"append", 60, op_append, {0}},
    {"again", 10, op_again, {0}},
    {"strategy", 3, op_strategy, {0}},
    {"segment", 5, op_segment, {PLOG_PRESENT}},
    {"reopen", 4, op_reopen, {0}},
    {"ack", 8, op_ack, {PLOG_E_INPUT, PLOG_E_EXISTS}},
    {"compact", 6, op_compact, {PLOG_E_LOCKED, PLOG_E_INPUT}},
    {"redact",
     5,
     op_redact,
     {PLOG_E_LOCKED, PLOG_E_INPUT, PLOG_E_PRUNED, PLOG_E_NOT_FOUND}},
    {"key", 2, op_key, {PLOG_E_LOCKED}},
    {"replay", 2, op_replay, {0}},
    {"restore", 2, op_restore, {0}},
    {"rebuild", 2, op_rebuild, {PLOG_E_PRUNED}},
};
#define OPERATIONS (sizeof operations / sizeof *operations)

/* ---- A writer's life ---------------------------------------------------- */

static bool may(const struct operation *o, int rc)
{
    bool found = rc == 0;
    for (size_t i = 0; i < sizeof o->allowed / sizeof *o->allowed; i++)
        found |= o->allowed[i] == rc;
    return found;
}

static bool has_no_room(const struct writer *w, int rc)
{
    return (w->b->frail && rc == PLOG_E_DIVERGED) || rc == PLOG_E_IO ||
           rc == PLOG_E_INDETERMINATE || rc == PLOG_E_POISONED;
}

static void judge(struct writer *w, const struct operation *o, int rc)
{
    struct ledger_note n = {.kind = LEDGER_DID, .code = rc};
    snprintf(n.text, sizeof n.text, "%s", o->name);
    if (half_made(w, rc) && (op_reopen(w) == 0 || w->b->tight))
        return;
    if (w->b->tight && has_no_room(w, rc)) {
        ledger_tell(w->l->pipe[1], &n);
        usleep(200);
        if (rc != PLOG_E_IO)
            op_reopen(w);
        return;
    }
    if (!may(o, rc)) {
        if (atomic_load(&w->b->over)) {
            usleep(300); /* a dead disk answers at once */
            return;
        }
        n.kind = LEDGER_WRONG;
        usleep(1000);
        snprintf(n.text, sizeof n.text, "%s: %.150s %.60s seq %llu", o->name,
                 w->err.message, w->err.file, (unsigned long long)w->err.seq);
    }
    ledger_tell(w->l->pipe[1], &n);
}

static const struct operation *choose(struct writer *w)
{
    unsigned all = 0;
    for (size_t i = 0; i < OPERATIONS; i++)
        all += operations[i].weight;
    uint64_t at = draw(w, all);
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (at < operations[i].weight)
            return &operations[i];
        at -= operations[i].weight;
    }
    return operations;
}

static const struct operation *find(const char *name)
{
    const struct operation *o = operations;
    while (strcmp(o->name, name) != 0)
        o++;
    return o;
}

static bool begin(struct writer *w)
{
    static const struct operation opening = {.name = "open"};
    struct plog_init_options o = {.struct_size = sizeof o,
                                  .io = w->io,
                                  .wait_seconds = PATIENCE,
                                  .origin = w->l->origin,
                                  .segment_size_bytes = w->l->segment_size};
    int rc = w->l->made ? 0 : PLOG_E_IO;
    while (rc == PLOG_E_IO) { /* one that was cut off is to be called again */
        static const struct operation init = {.name = "init",
                                              .allowed = {PLOG_E_EXISTS}};
        rc = plog_init(w->l->dir, &o, w->vkey, &w->err);
        judge(w, &init, rc);
        if (rc == 0)
            tell(w, LEDGER_MADE, w->number);
        if (!w->b->tight)
            break;
    }
    do
        judge(w, &opening, op_reopen(w));
    while (!w->p && w->b->tight);
    return w->p != NULL;
}

static void live(struct writer *w)
{
    if (!begin(w))
        return;
    while (w->p || w->b->tight) {
        const struct operation *o = w->p ? choose(w) : find("reopen");
        memset(&w->err, 0, sizeof w->err);
        judge(w, o, o->run(w));
    }
}

pid_t busy_start(struct busy *b, const struct ledger *l, unsigned number,
                 uint64_t seed)
{
    pid_t parent = getpid();
    fflush(stdout);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    static struct writer w;
    w = (struct writer){
        .b = b, .l = l, .io = watching_io(b), .seed = seed, .number = number};
    snprintf(w.out, sizeof w.out, "%s.out%u", l->dir, number);
    live(&w);
    for (;;) /* an end of its own would look like a crash of ours */
        pause();
}

/* Memory that is mapped from a file system that was shut down cannot be read:
 * SIGBUS, at SQLite's shared memory. */
static bool died_as_it_may(const struct busy *b, int status)
{
    int how = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return how == SIGKILL || (how == SIGBUS && atomic_load(&b->over));
}

void busy_stop(struct busy *b, pid_t pid)
{
    int status = 0;
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!CHECK(died_as_it_may(b, status)))
        printf("#   it ended with status 0x%x\n", (unsigned)status);
}

struct busy *busy_share(void)
{
    struct busy *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b == MAP_FAILED)
        abort();
    memset(b, 0, sizeof *b);
    return b;
}

void busy_reset(struct busy *b, unsigned most)
{
    atomic_store(&b->next, 0);
    atomic_store(&b->keys, 0);
    atomic_store(&b->over, false);
    atomic_store(&b->fresh, false);
    atomic_store(&b->failed, 0);
    b->most = most;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void busy_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
