/* cmd_key.c - paritylog key show|list|rotate|trust: the keys of a log. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "proc.h"

/* ---- show --------------------------------------------------------------- */

static int show(struct cli *c)
{
    struct plog_error err = {.code = 0};
    struct plog_options o;
    struct out out;
    char vkey[PLOG_VKEY_MAX];
    cli_options(c, &o);
    int rc = plog_key_show(c->args[1], &o, vkey, &err);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    if (!c->json) {
        printf("%s\n", vkey);
        return 0;
    }
    out_init(&out, stdout);
    out_object(&out, NULL);
    out_text(&out, "schema", "paritylog/key/1");
    out_text(&out, "vkey", vkey);
    out_end(&out);
    return 0;
}

/* ---- list --------------------------------------------------------------- */

struct listing {
    const struct cli *c;
    struct out_list list;
};

static int list_json(struct listing *l, const struct plog_key_info *k)
{
    struct out *o = out_list_row(&l->list);
    out_object(o, NULL);
    out_text(o, "id", k->id);
    out_text(o, "vkey", k->vkey);
    out_bool(o, "in_log", k->in_log);
    if (k->in_log)
        out_uint(o, "from", k->from);
    if (k->to)
        out_uint(o, "to", k->to);
    out_bool(o, "current", k->current);
    out_bool(o, "trusted", k->trusted);
    out_bool(o, "secret", k->secret);
    out_end(o);
    return 0;
}

static int list_one(void *arg, const struct plog_key_info *k)
{
    struct listing *l = arg;
    char range[64] = "not of this log";
    if (l->c->json)
        return list_json(l, k);
    if (k->in_log && k->to)
        snprintf(range, sizeof range, "sizes %llu to %llu",
                 (unsigned long long)k->from, (unsigned long long)k->to);
    else if (k->in_log)
        snprintf(range, sizeof range, "sizes from %llu, in force",
                 (unsigned long long)k->from);
    printf("%s  %s%s%s\n          %s\n", k->id, range,
           k->trusted ? "" : ", not in keys/",
           k->secret ? ", its secret is here" : "", k->vkey);
    return 0;
}

static int list(struct cli *c)
{
    struct plog_error err = {.code = 0};
    struct plog_options o;
    struct listing l = {.c = c};
    cli_options(c, &o);
    out_list_init(&l.list, "paritylog/key-list/1", "keys");
    int rc = plog_key_list(c->args[1], &o, list_one, &l, &err);
    if (c->json && rc == 0)
        out_list_end(&l.list);
    return rc != 0 ? fail(c, rc, &err, NULL) : 0;
}

/* ---- rotate ------------------------------------------------------------- */

static void say_rotation(const struct cli *c,
                         const struct plog_rotate_report *r)
{
    struct out out;
    if (c->json) {
        out_init(&out, stdout);
        out_object(&out, NULL);
        out_text(&out, "schema", "paritylog/key-rotate/1");
        out_bool(&out, "dry_run", c->dry_run);
        out_text(&out, "old", r->old_vkey);
        if (!c->dry_run)
            out_text(&out, "new", r->new_vkey);
        out_uint(&out, "size", r->size);
        out_uint(&out, "keys", r->keys);
        out_end(&out);
    } else if (c->dry_run)
        printf("dry run, nothing changed: entry %llu would be the last that"
               " %s signs\n",
               (unsigned long long)r->size, r->old_vkey);
    else
        printf("%s\n", r->new_vkey);
}

static int rotate(struct cli *c, const char *new_file)
{
    struct plog_error err = {.code = 0};
    struct plog_rotate_report report;
    struct cli_secret old_secret = {.given = false}, next = {.given = false};
    struct plog_rotate_options o = {.struct_size = sizeof o,
                                    .io = cli_io(),
                                    .wait_seconds = c->wait,
                                    .dry_run = c->dry_run};
    proc_no_core();
    int rc = cli_secret_read(c, &old_secret, &err);
    if (rc == 0)
        rc = cli_secret_read_from(c, new_file, &next, &err);
    o.passphrase = old_secret.given ? old_secret.text : NULL;
    o.new_passphrase = next.given ? next.text : NULL;
    if (rc == 0)
        rc = plog_key_rotate(c->args[1], &o, &report, &err);
    cli_secret_wipe(&old_secret);
    cli_secret_wipe(&next);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    say_rotation(c, &report);
    return 0;
}

/* ---- trust -------------------------------------------------------------- */

static int trust(struct cli *c)
{
    struct plog_error err = {.code = 0};
    struct plog_options o;
    struct out out;
    bool added = false;
    cli_options(c, &o);
    int rc =
        plog_key_trust(c->args[1], c->args[2], c->dry_run, &o, &added, &err);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    if (!c->json) {
        printf("%s\n", !added       ? "trusted already"
                       : c->dry_run ? "dry run, nothing changed: it would be"
                                      " added"
                                    : "added to keys/");
        return 0;
    }
    out_init(&out, stdout);
    out_object(&out, NULL);
    out_text(&out, "schema", "paritylog/key-trust/1");
    out_bool(&out, "dry_run", c->dry_run);
    out_text(&out, "vkey", c->args[2]);
    out_bool(&out, "added", added);
    out_end(&out);
    return 0;
}

/* ---- All ---------------------------------------------------------------- */

/* The options of `rotate` and `trust` that the others do not heed. */
static int refuse_options(struct cli *c, const char *what)
{
    if (strcmp(what, "trust") == 0)
        return cli_without(c, "key trust",
                           "passphrase-file new-passphrase-file");
    return strcmp(what, "rotate") == 0
               ? -1
               : cli_without(c, strcmp(what, "show") ? "key list" : "key show",
                             "dry-run passphrase-file new-passphrase-file");
}

int cmd_key(struct cli *c, int argc, char **argv)
{
    const char *new_file = NULL;
    const struct cli_option own[] = {
        {"new-passphrase-file", CLI_TEXT, &new_file, 0, 0}};
    const struct cli_spec spec = {CLI_PASSPHRASE | CLI_DRY_RUN, own,
                                  CLI_COUNT(own), 2, 3};
    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    const char *what = c->args[0];
    bool trusts = strcmp(what, "trust") == 0;
    if (strcmp(what, "show") != 0 && strcmp(what, "list") != 0 &&
        strcmp(what, "rotate") != 0 && !trusts)
        return fail_usage(c, "key takes show, list, rotate or trust, not '%s'",
                          what);
    if (c->arg_count != (trusts ? 3 : 2))
        return fail_usage(c, "key %s takes %s", what,
                          trusts ? "DIR and VKEY" : "DIR alone");
    status = refuse_options(c, what);
    if (status >= 0)
        return status;
    if (strcmp(what, "show") == 0)
        return show(c);
    if (strcmp(what, "list") == 0)
        return list(c);
    return trusts ? trust(c) : rotate(c, new_file);
}
