/* cmd_get.c - paritylog get: one record as it stands. */
#include <stdio.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"

#include <string.h>

static void print(const struct plog_record *r)
{
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_span(&o, "resource", r->resource.p, r->resource.n);
    out_span(&o, "record_id", r->record_id.p, r->record_id.n);
    out_raw(&o, "payload", r->payload.p, r->payload.n);
    out_span(&o, "source", r->source.p, r->source.n);
    out_double(&o, "confidence", r->confidence);
    out_span(&o, "occurred_at", r->occurred_at.p, r->occurred_at.n);
    out_uint(&o, "version", r->version);
    out_uint(&o, "seq", r->seq);
    out_end(&o);
}

static void say_which(struct plog_error *err, const struct plog_record *r)
{
    if (r->version == 0) {
        fail_set(err, PLOG_E_NOT_FOUND, "there never was such a record");
        snprintf(err->hint, sizeof err->hint,
                 "see which there are: paritylog query DIR 'SELECT * FROM"
                 " records LIMIT 10'");
        return;
    }
    fail_set(err, PLOG_E_NOT_FOUND,
             "the record was deleted (a tombstone of version %llu)",
             (unsigned long long)r->version);
    err->seq = r->seq;
    snprintf(err->hint, sizeof err->hint,
             "paritylog history DIR RESOURCE RECORD_ID shows what it was");
}

int cmd_get(struct cli *c, int argc, char **argv)
{
    const struct cli_spec spec = {0, NULL, 0, 3, 3};
    struct plog_error err = {.code = 0};
    struct plog_record record = {.version = 0};
    plog_reader *r = NULL;

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    int rc = cli_open_reader(c, &r, &err);
    if (rc == 0) {
        rc = plog_reader_get(
            r, (struct plog_span){c->args[1], strlen(c->args[1])},
            (struct plog_span){c->args[2], strlen(c->args[2])}, &record, &err);
        if (rc == PLOG_E_NOT_FOUND)
            say_which(&err, &record);
    }
    if (rc == 0)
        print(&record);
    else
        status = fail(c, rc, &err, NULL);
    plog_reader_close(r);
    return rc == 0 ? 0 : status;
}
