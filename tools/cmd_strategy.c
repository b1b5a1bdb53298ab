/* cmd_strategy.c - paritylog strategy: how deltas are resolved. */
#include <stdio.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "receipt.h"

struct change {
    enum plog_strategy before, after;
    bool wanted; /* a new one was named */
    bool done;
    struct plog_receipt receipt;
};

static void print_json(const struct cli *c, const struct change *change)
{
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/strategy/1");
    if (c->dry_run)
        out_bool(&o, "dry_run", true);
    out_text(&o, "strategy",
             plog_strategy_name(change->done ? change->after : change->before));
    if (change->wanted) {
        out_text(&o, "wanted", plog_strategy_name(change->after));
        out_text(&o, "previous", plog_strategy_name(change->before));
        out_bool(&o, "changed", change->done);
    }
    if (change->done)
        receipt_json(&o, "receipt", &change->receipt,
                     (struct plog_span){NULL, 0});
    out_end(&o);
}

static void print_text(const struct cli *c, const struct change *change)
{
    const char *before = plog_strategy_name(change->before);
    const char *after = plog_strategy_name(change->after);
    if (!change->wanted)
        printf("%s\n", before);
    else if (change->before == change->after)
        printf("%s, as before\n", after);
    else if (c->dry_run)
        printf("dry run, nothing changed: it would go from %s to %s\n", before,
               after);
    else
        printf("%s, from seq %llu on (before: %s)\n", after,
               (unsigned long long)change->receipt.seq + 1, before);
}

static int apply(struct cli *c, struct change *change, struct plog_error *err)
{
    plog *p = NULL;
    int rc = cli_open(c, &p, err);
    if (rc != 0)
        return rc;
    rc = plog_set_strategy(p, change->after, &change->receipt, err);
    change->done = rc == 0;
    plog_close(p);
    return rc;
}

/* A log without a store has no strategy at hand; the verdict says why. */
static int look(struct cli *c, struct change *change, struct plog_error *err)
{
    struct plog_status s = {.verdict = 0};
    struct plog_options o;
    cli_options(c, &o);
    int rc = plog_read_status(c->args[0], &o, &s, err);
    if (rc == 0 && !s.has_store)
        rc = s.verdict == PLOG_E_BEHIND
                 ? fail_set(err, s.verdict, "there is a log but no store")
                 : fail_set(err, s.verdict, "the store cannot be read: %s",
                            plog_strerror(s.verdict));
    if (rc == 0 && s.verdict == PLOG_E_FOREIGN) { /* is it another's? */
        plog_reader *r = NULL;
        rc = cli_open_reader(c, &r, err);
        plog_reader_close(r);
    }
    change->before = s.strategy;
    return rc;
}

int cmd_strategy(struct cli *c, int argc, char **argv)
{
    const struct cli_spec spec = {CLI_PASSPHRASE | CLI_DRY_RUN | CLI_NETWORK_FS,
                                  NULL, 0, 1, 2};
    struct plog_error err = {.code = 0};
    struct change change = {.wanted = false};

    int status = cli_parse(c, argc, argv, &spec);
    if (status < 0 && c->arg_count > 1) {
        change.wanted = true;
        status = cli_strategy(c, c->args[1], &change.after);
    } else if (status < 0) {
        status = cli_without(c, "strategy without S",
                             "dry-run passphrase-file network-fs-ok");
    }
    if (status >= 0)
        return status;
    int rc = look(c, &change, &err);
    if (rc == 0 && change.wanted && change.before != change.after)
        rc = c->dry_run ? cli_rehearse(c, NULL, &err) : apply(c, &change, &err);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    if (c->json)
        print_json(c, &change);
    else
        print_text(c, &change);
    return 0;
}
