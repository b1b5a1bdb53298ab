/* cmd_checkpoint.c - paritylog checkpoint: the last commit as a note. */
#include <stdio.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"

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

int cmd_checkpoint(struct cli *c, int argc, char **argv)
{
    const struct cli_spec spec = {0, NULL, 0, 1, 1};
    struct plog_error err = {.code = 0};
    struct plog_head head = {.size = 0};
    char note[PLOG_CHECKPOINT_MAX];
    plog_reader *r = NULL;

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    int rc = cli_open_reader(c, &r, &err);
    if (rc == 0)
        rc = plog_reader_checkpoint(r, note, &err);
    if (rc == 0)
        rc = plog_reader_head(r, &head, &err);
    if (rc == 0)
        print(c, plog_reader_origin(r), &head, note);
    plog_reader_close(r);
    return rc == 0 ? 0 : fail(c, rc, &err, NULL);
}
