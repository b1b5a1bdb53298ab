/* cmd_checkpoint.c - paritylog checkpoint: the last commit as a note. */
#include <stdio.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "progress.h"

static void print(const struct cli *c, const char *origin,
                  const struct plog_head *head, const char *note)
{
    struct out o;
    if (!c->json) {
        fputs(note, stdout);
        return;
    }
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/checkpoint/1");
    out_text(&o, "origin", origin);
    out_uint(&o, "size", head->size);
    out_hash(&o, "root", head->root);
    out_text(&o, "key", head->key);
    out_text(&o, "note", note);
    out_end(&o);
}

/* Notes the head in the witness file, after verifying the log against it. */
static int note_head(struct cli *c, struct plog_error *err)
{
    struct progress progress;
    struct plog_witness_report report;
    struct plog_check_options o = {.struct_size = sizeof o,
                                   .io = cli_io(),
                                   .vkey = c->vkey,
                                   .wait_seconds = c->wait,
                                   .progress = progress_tick,
                                   .arg = &progress};
    progress_init(&progress, c);
    int rc = plog_witness(c->args[0], c->witness, &o, &report, err);
    progress_clear(&progress);
    if (rc == 0 && !c->quiet)
        fail_note(c,
                  report.appended ? "noted: %llu entries"
                                  : "known already: %llu entries",
                  (unsigned long long)report.head.size);
    return rc;
}

int cmd_checkpoint(struct cli *c, int argc, char **argv)
{
    const struct cli_spec spec = {CLI_KEY | CLI_WITNESS, NULL, 0, 1, 1};
    struct plog_error err = {.code = 0};
    struct plog_head head = {.size = 0};
    char note[PLOG_CHECKPOINT_MAX];
    plog_reader *r = NULL;

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    int rc = c->witness ? note_head(c, &err) : 0;
    if (rc == 0)
        rc = cli_open_reader(c, &r, &err);
    if (rc == 0)
        rc = plog_reader_checkpoint(r, note, &err);
    if (rc == 0)
        rc = plog_reader_head(r, &head, &err);
    if (rc == 0)
        print(c, plog_reader_origin(r), &head, note);
    plog_reader_close(r);
    return rc == 0 ? 0 : fail(c, rc, &err, NULL);
}
