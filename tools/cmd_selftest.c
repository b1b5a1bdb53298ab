/* cmd_selftest.c - paritylog selftest: whether a log can be kept here. */
#include <stdio.h>
#include <string.h>

#include "child.h"
#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "proc.h"
#include "progress.h"
#include "text.h"

#define SECONDS_MAX 59

struct job {
    struct cli *c;
    struct out out;
    struct progress progress;
};

static int on_progress(void *arg, const struct plog_progress *p)
{
    return progress_tick(&((struct job *)arg)->progress, p);
}

static void print_json(struct out *o, const struct plog_test *t)
{
    out_object(o, NULL);
    out_text(o, "name", t->name);
    out_text(o, "result", plog_test_word(t->result));
    out_text(o, "found", t->found);
    out_text_or_null(o, "next", t->next);
    out_object(o, "figures");
    for (size_t i = 0; i < t->figure_count; i++)
        out_double(o, t->figures[i].name, t->figures[i].value);
    out_end(o);
    out_end(o);
}

static int on_test(void *arg, const struct plog_test *t)
{
    struct job *j = arg;
    progress_clear(&j->progress);
    if (j->c->json) {
        print_json(&j->out, t);
        return 0;
    }
    printf("%-4s  %s: ", plog_test_word(t->result), t->name);
    text_safe(stdout, t->found, strlen(t->found));
    putchar('\n');
    if (t->next[0]) {
        fputs("      next: ", stdout);
        text_safe(stdout, t->next, strlen(t->next));
        putchar('\n');
    }
    fflush(stdout); /* it takes a while until the next one */
    return 0;
}

static void begin(struct job *j)
{
    if (!j->c->json)
        return;
    out_init(&j->out, stdout);
    out_object(&j->out, NULL);
    out_text(&j->out, "schema", "paritylog/selftest/1");
    out_array(&j->out, "tests");
}

static void end(struct job *j, const struct plog_selftest_report *r, int rc)
{
    const char *verdict = rc           ? plog_code_word(rc)
                          : r->verdict ? "failed"
                                       : "passed";
    if (!j->c->json) {
        printf("%s: %llu ok, %llu warnings, %llu failed, %llu skipped; %llu"
               " kills, %llu ends at a disk call, %llu errors; %.1f s, seed"
               " %llu\n",
               verdict, (unsigned long long)r->counts[PLOG_TEST_OK],
               (unsigned long long)r->counts[PLOG_TEST_WARN],
               (unsigned long long)r->counts[PLOG_TEST_FAIL],
               (unsigned long long)r->counts[PLOG_TEST_SKIP],
               (unsigned long long)r->kills, (unsigned long long)r->calls,
               (unsigned long long)r->faults, r->seconds,
               (unsigned long long)r->seed);
        return;
    }
    out_end(&j->out);
    out_text(&j->out, "verdict", verdict);
    out_object(&j->out, "counts");
    for (int i = 0; i < PLOG_TEST_RESULTS; i++)
        out_uint(&j->out, plog_test_word((enum plog_test_result)i),
                 r->counts[i]);
    out_end(&j->out);
    out_uint(&j->out, "kills", r->kills);
    out_uint(&j->out, "calls", r->calls);
    out_uint(&j->out, "errors", r->faults);
    out_uint(&j->out, "seed", r->seed);
    out_double(&j->out, "seconds", r->seconds);
    out_end(&j->out);
}

int cmd_selftest(struct cli *c, int argc, char **argv)
{
    struct job j = {.c = c};
    struct child child;
    struct plog_selftest_report report;
    struct plog_selftest_options o = {.struct_size = sizeof o,
                                      .io = cli_io(),
                                      .test = on_test,
                                      .progress = on_progress,
                                      .arg = &j};
    uint64_t seconds = 30;
    const struct cli_option own[] = {
        {"seconds", CLI_NUMBER, &seconds, 1, SECONDS_MAX},
        {"seed", CLI_NUMBER, &o.seed, 1, 1000000006}};
    const struct cli_spec spec = {CLI_NETWORK_FS, own, CLI_COUNT(own), 1, 1};
    struct plog_error err = {.code = 0};

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    o.seconds = (double)seconds;
    o.allow_network_fs = c->network_fs_ok;
    child_init(&child);
    o.host = &child.host;
    proc_no_core();
    progress_init(&j.progress, c);
    begin(&j);
    int rc = plog_selftest(c->args[0], &o, &report, &err);
    child_fini(&child);
    progress_clear(&j.progress);
    if (rc == 0 || c->json) /* a whole document all the same */
        end(&j, &report, rc);
    return rc ? fail(c, rc, &err, NULL) : plog_exit_status(report.verdict);
}
