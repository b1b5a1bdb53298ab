/*
 * test_reader_calls.c - who may call a reader, and when: not from its own
 * callbacks, whose call goes on undisturbed, and not in a child of the process
 * that opened it.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

static struct world w;
static plog_reader *r;
static plog_sub *s;

static struct plog_span span(const char *text)
{
    return (struct plog_span){text, strlen(text)};
}

static void open_it(void)
{
    struct plog_cursor cursors[] = {
        {span("s"), span("a"), span("1")},
        {span("s"), span("b"), span("2")},
    };
    struct plog_group g = {.struct_size = sizeof g,
                           .cursors = cursors,
                           .cursor_count = sizeof cursors / sizeof *cursors};
    world_make(&w, PLOG_ARRIVAL, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(world_put(&w, NULL, "1", "v", NULL), 0);
    CHECK_INT(plog_append_group(w.p, &g, NULL, NULL), 0);
    CHECK_INT(plog_reader_open(&r, w.dir, NULL, NULL), 0);
    CHECK_INT(plog_subscribe(&s, w.dir, 1, NULL, NULL), 0);
    size_t n = strcspn(w.vkey, "+");
    CHECK(n > 0);
    CHECK_BYTES(plog_reader_origin(r), strlen(plog_reader_origin(r)), w.vkey,
                n);
}

static void close_it(void)
{
    plog_sub_close(s);
    plog_reader_close(r);
    world_end(&w, world_size(&w));
}

/* ---- All that a reader does -------------------------------------------------
 */

static struct plog_error err;
static unsigned told; /* calls of the callback of what is called outside */
static bool inside;
static int wrong; /* calls inside that were not refused as they should */

static void inner(void);

static int on_line(void *arg, uint64_t seq, const char *line, size_t len)
{
    char before[2000];
    (void)arg, (void)seq;
    if (inside)
        return 0;
    told++;
    snprintf(before, sizeof before, "%.*s", (int)len, line);
    inner();
    wrong += strncmp(before, line, len) != 0;
    return 0;
}

static int on_cursor(void *arg, const struct plog_cursor *c, uint64_t seq)
{
    return on_line(arg, seq, c->cursor.p, c->cursor.n);
}

static int on_row(void *arg, const struct plog_row *row)
{
    return on_line(arg, 1, row->values[0].p, row->values[0].n);
}

static int on_stop(void *arg)
{
    (void)arg;
    if (!inside && ++told < 4)
        inner();
    return 0;
}

static int call_head(void)
{
    struct plog_head h;
    return plog_reader_head(r, &h, &err);
}
static int call_get(void)
{
    struct plog_record got;
    return plog_reader_get(r, span("r"), span("1"), &got, &err);
}
static int call_history(void)
{
    return plog_reader_history(r, span("r"), span("1"), on_line, NULL, &err);
}
static int call_log(void)
{
    return plog_reader_log(r, 1, 0, on_line, NULL, &err);
}
static int call_cursor(void)
{
    struct plog_span got;
    return plog_reader_cursor(r, span("s"), span("a"), &got, &err);
}
static int call_cursors(void)
{
    return plog_reader_cursors(r, on_cursor, NULL, &err);
}
static int call_query(void)
{
    return plog_reader_query(r, "SELECT line FROM events", on_row, NULL, &err);
}
static int call_long_query(void)
{
    plog_reader_set_stop(r, on_stop, NULL);
    int rc = plog_reader_query(
        r,
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c"
        " LIMIT 50000) SELECT 'most ' || max(x) FROM c",
        on_row, NULL, &err);
    plog_reader_set_stop(r, NULL, NULL);
    return rc;
}
static int call_checkpoint(void)
{
    char note[PLOG_CHECKPOINT_MAX];
    return plog_reader_checkpoint(r, note, &err);
}

static const struct call {
    const char *name;
    int (*run)(void);
    unsigned calls; /* back, at least */
} calls[] = {
    {"head", call_head, 0},
    {"get", call_get, 0},
    {"history", call_history, 3},
    {"log", call_log, 6},
    {"cursor", call_cursor, 0},
    {"cursors", call_cursors, 2},
    {"query", call_query, 6},
    {"long query", call_long_query, 2},
    {"checkpoint", call_checkpoint, 0},
};
#define CALLS (sizeof calls / sizeof *calls)

/* Each of them, from within the one that is under way. */
static void inner(void)
{
    struct plog_error outer = err;
    inside = true;
    for (size_t i = 0; i < CALLS; i++) {
        if (calls[i].run == call_long_query)
            continue; /* it would take the outer one's `stop` away */
        err = (struct plog_error){.code = 0};
        if (calls[i].run() == PLOG_E_ARG && err.code == PLOG_E_ARG &&
            strstr(err.message, "callback"))
            continue;
        wrong++;
        printf("#   %s: %d %s\n", calls[i].name, err.code, err.message);
    }
    inside = false;
    err = outer;
}

/* ---- Cases ------------------------------------------------------------------
 */

static void from_a_callback(void)
{
    open_it();
    for (size_t i = 0; i < CALLS; i++)
        for (int again = 0; again < 2; again++) {
            err = (struct plog_error){.code = 0};
            told = 0;
            if (!CHECK_INT(calls[i].run(), 0) || !CHECK_INT(wrong, 0) ||
                !CHECK(told >= calls[i].calls))
                printf("#   %s, asked %u times: %s\n", calls[i].name, told,
                       err.message);
        }
    close_it();
}

static int stop_with;

static int stop_line(void *arg, uint64_t seq, const char *line, size_t len)
{
    (void)arg, (void)seq, (void)line, (void)len;
    return stop_with;
}
static int stop_cursor(void *arg, const struct plog_cursor *c, uint64_t seq)
{
    (void)arg, (void)c, (void)seq;
    return stop_with;
}
static int stop_redaction(void *arg, const struct plog_redaction *red)
{
    (void)arg, (void)red;
    return stop_with;
}
static int stop_peer(void *arg, const struct plog_peer *p)
{
    (void)arg, (void)p;
    return stop_with;
}
static int stop_key(void *arg, const struct plog_key_info *k)
{
    (void)arg, (void)k;
    return stop_with;
}

/* `rc` is what the callback said, and `err` tells of it, not of a call before.
 */
static void is_told(int rc)
{
    CHECK_INT(rc, stop_with);
    CHECK_INT(err.code, stop_with < 0 ? stop_with : 0);
    CHECK((strstr(err.message, "the caller's callback returned") != NULL) ==
          (stop_with < 0));
    CHECK(!err.hint[0] && !err.seq);
    err = (struct plog_error){.code = PLOG_E_CORRUPT,
                              .message = "of before",
                              .hint = "of before",
                              .seq = 7};
}

/* What a callback returns is returned, also where it is what the library itself
 * calls an end, or an error. */
static void what_it_returns(void)
{
    static const int all[] = {1, 2, 7, -1, -9, -1000};
    struct plog_redact_options o = {.struct_size = sizeof o, .reason = "x"};
    struct plog_redact_report report;
    open_it();
    CHECK_INT(plog_redact(w.dir, 2, &o, &report, NULL), 0);
    struct plog_peer_options po = {.struct_size = sizeof po, .reason = "x"};
    struct plog_peer_report pr;
    CHECK_INT(plog_peer_add(w.dir, "p", &po, &pr, NULL), 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        stop_with = all[i];
        is_told(plog_reader_log(r, 1, 0, stop_line, NULL, &err));
        is_told(plog_reader_history(r, span("r"), span("1"), stop_line, NULL,
                                    &err));
        is_told(plog_reader_cursors(r, stop_cursor, NULL, &err));
        is_told(plog_redactions(w.dir, NULL, stop_redaction, NULL, &err));
        is_told(plog_key_list(w.dir, NULL, stop_key, NULL, &err));
        is_told(plog_peers(w.dir, NULL, stop_peer, NULL, &err));
    }
    close_it();
}

/* Whom a callback of his own stops may call again. */
static int stop_at_once(void *arg, uint64_t seq, const char *line, size_t len)
{
    (void)arg, (void)seq, (void)line, (void)len;
    return -1000;
}

static void stopped_there(void)
{
    open_it();
    for (int i = 0; i < 2; i++) {
        CHECK_INT(plog_reader_log(r, 1, 0, stop_at_once, NULL, NULL), -1000);
        CHECK_INT(plog_reader_history(r, span("r"), span("1"), stop_at_once,
                                      NULL, NULL),
                  -1000);
        CHECK_INT(plog_reader_query(r, "SELECT nothing", on_row, NULL, NULL),
                  PLOG_E_SQL);
        CHECK_INT(call_get(), 0);
    }
    close_it();
}

/* Which of the calls a child gets refused, with words. */
static int in_child(void)
{
    uint64_t seq;
    const char *line;
    size_t len;
    for (size_t i = 0; i <= CALLS; i++) {
        err = (struct plog_error){.code = 0};
        int rc = i < CALLS ? calls[i].run()
                           : plog_sub_next(s, 0, &seq, &line, &len, &err);
        if (rc != PLOG_E_ARG || !strstr(err.message, "fork"))
            return (int)i + 1;
    }
    plog_sub_close(s);
    plog_reader_close(r);
    /* SQLite would believe that this process has its parent's locks. */
    plog_reader *own = NULL;
    int rc = plog_reader_open(&own, w.dir, NULL, &err);
    return rc == PLOG_E_ARG && !own && strstr(err.hint, "exec") ? 0 : 99;
}

static void in_a_child(void)
{
    uint64_t seq;
    const char *line;
    size_t len;
    int status = -1;
    open_it();
    CHECK_INT(call_get(), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(in_child());
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
    for (size_t i = 0; i < CALLS; i++)
        CHECK_INT(calls[i].run(), 0);
    CHECK_INT(plog_sub_next(s, 0, &seq, &line, &len, NULL), 0);
    close_it();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"from a callback", from_a_callback},
        {"what it returns", what_it_returns},
        {"stopped there", stopped_there},
        {"in a child", in_a_child},
    };
    return check_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
