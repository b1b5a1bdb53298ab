/* cmd_replay.c - paritylog replay: the store gets what it lacks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "progress.h"
#include "text.h"

struct job {
    struct progress progress;
    FILE *account; /* NULL: none is kept */
    int failed;    /* errno of writing to it; 0: none */
};

static int on_progress(void *arg, const struct plog_progress *p)
{
    return progress_tick(&((struct job *)arg)->progress, p);
}

/* ---- The account of entries --------------------------------------------- */

static int on_entry(void *arg, const struct plog_replayed *e)
{
    static const char *const words[] = {"applied", "skipped", "present"};
    struct job *j = arg;
    FILE *f = j->account;
    if (!f)
        return 0;
    int n = e->strategy ? fprintf(f,
                                  "{\"seq\":%llu,\"state\":\"%s\",\"reason\":"
                                  "\"%s\"}\n",
                                  (unsigned long long)e->seq, words[e->state],
                                  e->strategy)
                        : fprintf(f, "{\"seq\":%llu,\"state\":\"%s\"}\n",
                                  (unsigned long long)e->seq, words[e->state]);
    if (n < 0)
        j->failed = errno;
    return n < 0;
}

static int open_account(struct job *j, const char *dir, const char *path,
                        struct plog_error *err)
{
    if (!path)
        return 0;
    if (strcmp(path, "-") == 0) {
        j->account = stdout;
        return 0;
    }
    int rc = plog_path_outside(cli_io(), dir, path, err);
    if (rc)
        return rc;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    j->account = fd < 0 ? NULL : fdopen(fd, "w");
    if (j->account)
        return 0;
    return fail_errno(err, errno, "%s", path);
}

/* A replay that the account stopped was not interrupted by anybody. */
static int close_account(struct job *j, const char *path, int rc,
                         struct plog_error *err)
{
    if (!j->account || j->account == stdout)
        return rc;
    if (!j->failed && fflush(j->account) != 0)
        j->failed = errno;
    if (fclose(j->account) != 0 && !j->failed)
        j->failed = errno;
    if (!j->failed || (rc && rc != PLOG_E_INTERRUPTED))
        return rc;
    return fail_errno(err, j->failed,
                      "%s: the account could not be written whole", path);
}

/* ---- The report --------------------------------------------------------- */

static void print_json(const struct plog_replay_report *r)
{
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/replay/1");
    out_bool(&o, "dry_run", r->dry_run);
    out_bool(&o, "fresh", r->fresh);
    out_uint(&o, "base", r->base);
    out_uint(&o, "from", r->from);
    out_uint(&o, "to", r->to);
    out_uint(&o, "applied", r->applied);
    out_uint(&o, "present", r->present);
    out_uint(&o, "skipped", r->skipped);
    out_uint(&o, "torn_bytes", r->torn_bytes);
    out_text_or_null(&o, "quarantine", r->quarantine);
    out_uint(&o, "own_tables", r->own_tables);
    out_bool(&o, "remade", r->remade);
    out_head(&o, &r->head);
    out_double(&o, "seconds", r->seconds);
    out_end(&o);
}

static void print_text(const struct plog_replay_report *r)
{
    const char *would = r->dry_run ? "would be " : "";
    char root[TEXT_BASE64(PLOG_HASH_SIZE)];
    text_base64(r->head.root, PLOG_HASH_SIZE, root);
    if (r->dry_run)
        printf("dry run, nothing changed\n");
    if (r->applied)
        printf("%llu entries %sapplied (seq %llu to %llu; %llu of them "
               "skipped by the strategy)\n",
               (unsigned long long)r->applied, would,
               (unsigned long long)r->from, (unsigned long long)r->to,
               (unsigned long long)r->skipped);
    else
        printf("nothing to apply\n");
    printf("%llu entries were there\n", (unsigned long long)r->present);
    if (r->torn_bytes)
        printf("an unfinished group of %llu bytes %sset aside\n",
               (unsigned long long)r->torn_bytes, would);
    if (r->fresh)
        printf("the store %sbuilt anew\n", would);
    if (r->remade)
        puts(r->dry_run
                 ? "would make the snapshot at the floor anew, from archive/"
                 : "made the snapshot at the floor anew, from archive/");
    if (r->base)
        printf("from the snapshot of entry %llu\n",
               (unsigned long long)r->base);
    if (r->quarantine[0]) {
        printf("set aside in ");
        text_safe(stdout, r->quarantine, strlen(r->quarantine));
        putchar('\n');
    }
    if (r->own_tables)
        printf("%llu tables of your own %sleft behind in the old store\n",
               (unsigned long long)r->own_tables, would);
    printf("head: size %llu, root %s; %.2f s\n",
           (unsigned long long)r->head.size, root, r->seconds);
}

int cmd_replay(struct cli *c, int argc, char **argv)
{
    struct job j = {.account = NULL};
    const char *account = NULL;
    struct plog_replay_report report = {.from = 0};
    struct plog_replay_options o = {.struct_size = sizeof o,
                                    .io = cli_io(),
                                    .progress = on_progress,
                                    .entry = on_entry,
                                    .arg = &j};
    const struct cli_option own[] = {{"to", CLI_NUMBER, &o.to, 1, INT64_MAX},
                                     {"fresh", CLI_FLAG, &o.fresh, 0, 0},
                                     {"account", CLI_TEXT, &account, 0, 0}};
    const struct cli_spec spec = {CLI_KEY | CLI_DRY_RUN | CLI_NETWORK_FS, own,
                                  CLI_COUNT(own), 1, 1};
    struct plog_error err = {.code = 0};

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    o.vkey = c->vkey;
    o.wait_seconds = c->wait;
    o.allow_network_fs = c->network_fs_ok;
    o.dry_run = c->dry_run;
    if (!account)
        o.entry = NULL;
    progress_init(&j.progress, c);
    int rc = open_account(&j, c->args[0], account, &err);
    if (rc == 0) {
        rc = plog_replay(c->args[0], &o, &report, &err);
        rc = close_account(&j, account, rc, &err);
    }
    progress_clear(&j.progress);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    if (j.account == stdout)
        return 0; /* nothing but the account there */
    if (c->json)
        print_json(&report);
    else
        print_text(&report);
    return 0;
}
