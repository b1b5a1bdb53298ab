/* cmd_cursor.c - paritylog cursor: where pulls from sources stand. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "text.h"

/* ---- list --------------------------------------------------------------- */

struct listing {
    struct cli *c;
    struct out_list list;
};

static void put(struct out *o, const struct plog_cursor *k, uint64_t seq)
{
    out_span(o, "source", k->source.p, k->source.n);
    out_span(o, "resource", k->resource.p, k->resource.n);
    out_span(o, "cursor", k->cursor.p, k->cursor.n);
    out_uint(o, "seq", seq);
}

static int list_one(void *arg, const struct plog_cursor *k, uint64_t seq)
{
    struct listing *l = arg;
    if (l->c->json) {
        struct out *o = out_list_row(&l->list);
        out_object(o, NULL);
        put(o, k, seq);
        out_end(o);
        return 0;
    }
    const struct plog_span *texts[] = {&k->source, &k->resource, &k->cursor};
    for (int i = 0; i < 3; i++) {
        text_safe(stdout, texts[i]->p, texts[i]->n);
        putchar('\t');
    }
    printf("%llu\n", (unsigned long long)seq);
    return 0;
}

static int list(struct cli *c)
{
    struct plog_error err = {.code = 0};
    struct listing l = {.c = c};
    plog_reader *r = NULL;
    int rc = cli_open_reader(c, &r, &err);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    out_list_init(&l.list, "paritylog/cursor-list/1", "cursors");
    rc = plog_reader_cursors(r, list_one, &l, &err);
    if (c->json && rc == 0)
        out_list_end(&l.list);
    plog_reader_close(r);
    return rc != 0 ? fail(c, rc, &err, NULL) : 0;
}

/* ---- set ---------------------------------------------------------------- */

static struct plog_span span_of(const char *text)
{
    return (struct plog_span){text, strlen(text)};
}

static int rehearse(struct cli *c, const struct plog_cursor *k,
                    struct plog_error *err)
{
    const struct plog_group g = {
        .struct_size = sizeof g, .cursors = k, .cursor_count = 1};
    return cli_rehearse(c, &g, err);
}

static int append(struct cli *c, const struct plog_cursor *k,
                  struct plog_error *err)
{
    struct plog_group g = {
        .struct_size = sizeof g, .cursors = k, .cursor_count = 1};
    plog *p = NULL;
    int rc = cli_open(c, &p, err);
    if (rc == 0)
        rc = plog_append_group(p, &g, NULL, err);
    plog_close(p);
    return rc;
}

/* Without the lock: it is set, whoever else is at work.  0: unknown. */
static uint64_t size_now(struct cli *c)
{
    struct plog_head head;
    plog_reader *r = NULL;
    bool known = cli_open_reader(c, &r, NULL) == 0 &&
                 plog_reader_head(r, &head, NULL) == 0;
    plog_reader_close(r);
    return known ? head.size : 0;
}

static int set(struct cli *c)
{
    struct plog_error err = {.code = 0};
    struct plog_cursor k = {.source = span_of(c->args[1]),
                            .resource = span_of(c->args[2]),
                            .cursor = span_of(c->args[3])};
    struct out o;
    int rc = c->dry_run ? rehearse(c, &k, &err) : append(c, &k, &err);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    uint64_t size = c->dry_run ? 0 : size_now(c);
    if (!c->json) {
        if (c->dry_run)
            printf("dry run, nothing changed\n");
        else if (size == 0)
            printf("set\n");
        else
            printf("set, at size %llu\n", (unsigned long long)size);
        return 0;
    }
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/cursor-set/1");
    out_bool(&o, "dry_run", c->dry_run);
    out_span(&o, "source", k.source.p, k.source.n);
    out_span(&o, "resource", k.resource.p, k.resource.n);
    out_span(&o, "cursor", k.cursor.p, k.cursor.n);
    if (size == 0)
        out_null(&o, "size");
    else
        out_uint(&o, "size", size);
    out_end(&o);
    return 0;
}

int cmd_cursor(struct cli *c, int argc, char **argv)
{
    const struct cli_spec spec = {CLI_PASSPHRASE | CLI_DRY_RUN | CLI_NETWORK_FS,
                                  NULL, 0, 2, 5};
    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    const char *what = c->args[0];
    bool sets = strcmp(what, "set") == 0;
    if (!sets && strcmp(what, "list") != 0)
        return fail_usage(c, "cursor takes list or set, not '%s'", what);
    c->args++; /* then DIR is the first, as everywhere */
    c->arg_count--;
    if (c->arg_count != (sets ? 4 : 1))
        return fail_usage(c, "cursor %s takes %s", what,
                          sets ? "DIR, SOURCE, RESOURCE and CURSOR"
                               : "DIR alone");
    status = sets ? -1
                  : cli_without(c, "cursor list",
                                "dry-run passphrase-file network-fs-ok");
    if (status >= 0)
        return status;
    return sets ? set(c) : list(c);
}
