/* cmd_doctor.c - paritylog doctor: everything that only needs reading, in one
 * report. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "progress.h"
#include "text.h"

struct job {
    struct cli *c;
    struct out out;
    struct progress progress;
};

static int on_progress(void *arg, const struct plog_progress *p)
{
    return progress_tick(&((struct job *)arg)->progress, p);
}

static int on_checkup(void *arg, const struct plog_checkup *c)
{
    struct job *j = arg;
    progress_clear(&j->progress);
    if (j->c->json) {
        out_object(&j->out, NULL);
        out_text(&j->out, "name", c->name);
        out_text(&j->out, "health", plog_health_word(c->health));
        out_text(&j->out, "found", c->found);
        out_text_or_null(&j->out, "next", c->next);
        out_end(&j->out);
        return 0;
    }
    printf("%-7s  %-14s ", plog_health_word(c->health), c->name);
    text_safe(stdout, c->found, strlen(c->found));
    putchar('\n');
    if (c->next[0]) {
        printf("%24s next: ", "");
        text_safe(stdout, c->next, strlen(c->next));
        putchar('\n');
    }
    return 0;
}

static void begin(struct job *j)
{
    if (!j->c->json)
        return;
    out_init(&j->out, stdout);
    out_object(&j->out, NULL);
    out_text(&j->out, "schema", "paritylog/doctor/1");
    out_array(&j->out, "checkups");
}

static void end(struct job *j, const struct plog_doctor_report *r, bool quick)
{
    const char *word = r->verdict ? plog_code_word(r->verdict)
                       : quick    ? "HEADS_EQUAL"
                                  : "CLEAN";
    if (!j->c->json) {
        printf("%s: %llu ok, %llu to note, %llu warnings, %llu bad, %llu not"
               " known; %.2f s\n",
               word, (unsigned long long)r->counts[PLOG_HEALTH_OK],
               (unsigned long long)r->counts[PLOG_HEALTH_NOTE],
               (unsigned long long)r->counts[PLOG_HEALTH_WARN],
               (unsigned long long)r->counts[PLOG_HEALTH_BAD],
               (unsigned long long)r->counts[PLOG_HEALTH_UNKNOWN], r->seconds);
        return;
    }
    out_end(&j->out);
    out_text(&j->out, "verdict", word);
    out_object(&j->out, "counts");
    for (int i = 0; i < PLOG_HEALTHS; i++)
        out_uint(&j->out, plog_health_word((enum plog_health)i), r->counts[i]);
    out_end(&j->out);
    out_double(&j->out, "seconds", r->seconds);
    out_end(&j->out);
}

int cmd_doctor(struct cli *c, int argc, char **argv)
{
    struct job j = {.c = c};
    struct plog_doctor_report report;
    struct plog_doctor_options o = {.struct_size = sizeof o,
                                    .io = cli_io(),
                                    .checkup = on_checkup,
                                    .progress = on_progress,
                                    .arg = &j};
    const struct cli_option own[] = {{"quick", CLI_FLAG, &o.quick, 0, 0}};
    const struct cli_spec spec = {CLI_KEY, own, CLI_COUNT(own), 1, 1};
    struct plog_error err = {.code = 0};

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    o.vkey = c->vkey;
    o.wait_seconds = c->wait;
    progress_init(&j.progress, c);
    begin(&j);
    int rc = plog_doctor(c->args[0], &o, &report, &err);
    progress_clear(&j.progress);
    if (rc != 0) {
        if (c->json) { /* a whole document all the same */
            report.verdict = rc;
            end(&j, &report, o.quick);
        }
        return fail(c, rc, &err, NULL);
    }
    end(&j, &report, o.quick);
    return plog_exit_status(report.verdict);
}
