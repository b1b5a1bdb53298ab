/* cmd_compact.c - paritylog compact: what every peer has received goes. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "progress.h"
#include "text.h"

static void print_json(const struct plog_compact_report *r)
{
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/compact/1");
    out_bool(&o, "dry_run", r->dry_run);
    out_bool(&o, "undone", r->undone);
    out_bool(&o, "resumed", r->resumed);
    out_bool(&o, "remade", r->remade);
    out_bool(&o, "discard", r->discard);
    out_uint(&o, "from", r->from);
    out_uint(&o, "to", r->to);
    out_text_or_null(&o, "why", r->why[0] ? r->why : NULL);
    out_uint(&o, "peers", r->peers);
    out_text_or_null(&o, "holder", r->holder[0] ? r->holder : NULL);
    out_uint(&o, "holder_cursor", r->holder_cursor);
    out_uint(&o, "segments", r->segments);
    out_uint(&o, "entries", r->entries);
    out_uint(&o, "bytes", r->bytes);
    out_uint(&o, "archived_bytes", r->archived_bytes);
    if (r->entry)
        out_uint(&o, "entry", r->entry);
    else
        out_null(&o, "entry");
    if (r->snapshot[0]) {
        out_object(&o, "snapshot");
        out_text(&o, "file", r->snapshot);
        out_hash(&o, "sha256", r->digest);
        out_uint(&o, "bytes", r->snapshot_bytes);
        out_uint(&o, "records", r->records);
        out_uint(&o, "ids", r->ids);
        out_end(&o);
    } else
        out_null(&o, "snapshot");
    out_uint(&o, "trimmed", r->trimmed);
    out_text_or_null(&o, "quarantine", r->quarantine);
    out_uint(&o, "own_tables", r->own_tables);
    out_uint(&o, "aside", r->aside);
    out_uint(&o, "left", r->left);
    out_text_or_null(&o, "left_file", r->left ? r->left_file : NULL);
    out_double(&o, "seconds", r->seconds);
    out_end(&o);
}

static void print_text(const struct cli *c, const struct plog_compact_report *r)
{
    unsigned long long from = r->from, to = r->to, segments = r->segments;
    if (r->resumed)
        puts("finished a compaction that was cut off");
    if (r->remade)
        puts(c->dry_run
                 ? "would make the snapshot at the floor anew, from archive/"
                 : "made the snapshot at the floor anew, from archive/");
    if (r->why[0]) {
        printf("nothing to take away: ");
        text_safe(stdout, r->why, strlen(r->why));
        putchar('\n');
    } else if (c->dry_run) {
        printf("dry run, nothing changed: the floor would move from %llu to"
               " %llu\n%llu segments, %llu entries, %llu bytes would %s\n",
               from, to, segments, (unsigned long long)r->entries,
               (unsigned long long)r->bytes,
               r->to < r->from ? "come back"
               : r->discard    ? "be removed"
                               : "go to archive/");
    } else if (r->undone) {
        printf("undone: the floor is back at %llu, %llu segments came back from"
               " archive/, by entry %llu\n",
               to, segments, (unsigned long long)r->entry);
    } else {
        printf("the floor moved from %llu to %llu, by entry %llu\n", from, to,
               (unsigned long long)r->entry);
        printf("%llu segments, %llu entries, %llu bytes %s", segments,
               (unsigned long long)r->entries, (unsigned long long)r->bytes,
               r->discard ? "removed\n" : "in archive/, as ");
        if (!r->discard)
            printf("%llu bytes\n", (unsigned long long)r->archived_bytes);
        printf("%s: %llu records, %llu ids, %llu bytes\n", r->snapshot,
               (unsigned long long)r->records, (unsigned long long)r->ids,
               (unsigned long long)r->snapshot_bytes);
    }
    if (r->holder[0] && !r->undone) {
        printf("peer ");
        text_safe(stdout, r->holder, strlen(r->holder));
        printf(" holds the floor, at entry %llu\n",
               (unsigned long long)r->holder_cursor);
    }
    if (r->trimmed)
        printf("%llu events dropped from the store\n",
               (unsigned long long)r->trimmed);
}

static void print_aside(const struct plog_compact_report *r)
{
    if (r->aside)
        printf("%llu files in archive/, snapshots/ and below the floor in log/"
               " that are not of this log as it is %s to quarantine/\n",
               (unsigned long long)r->aside, r->dry_run ? "would go" : "went");
    if (r->left)
        printf("%llu snapshots that nothing needs stay, the first is %s: the"
               " store cannot tell whether it is of this log; move it out of"
               " the directory, unless you know what for it is there\n",
               (unsigned long long)r->left, r->left_file);
}

static void print_old_store(const struct plog_compact_report *r)
{
    if (!r->quarantine[0])
        return;
    printf("the store was built anew; the old one is set aside in ");
    text_safe(stdout, r->quarantine, strlen(r->quarantine));
    putchar('\n');
    if (r->own_tables)
        printf("%llu tables of your own left behind in the old store\n",
               (unsigned long long)r->own_tables);
}

static int run(struct cli *c, struct plog_compact_options o)
{
    struct plog_error err = {.code = 0};
    struct plog_compact_report report;
    struct cli_secret secret = {.given = false};
    struct progress progress;
    progress_init(&progress, c);
    o.struct_size = sizeof o;
    o.io = cli_io();
    o.wait_seconds = c->wait;
    o.vkey = c->vkey;
    o.dry_run = c->dry_run;
    o.progress = progress_tick;
    o.arg = &progress;
    o.allow_network_fs = c->network_fs_ok;
    int rc = cli_secret_read(c, &secret, &err);
    o.passphrase = secret.given ? secret.text : NULL;
    if (rc == 0)
        rc = plog_compact(c->args[0], &o, &report, &err);
    cli_secret_wipe(&secret);
    progress_clear(&progress);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    if (c->json)
        print_json(&report);
    else {
        print_text(c, &report);
        print_old_store(&report);
        print_aside(&report);
    }
    return 0;
}

int cmd_compact(struct cli *c, int argc, char **argv)
{
    struct plog_compact_options o = {.struct_size = sizeof o};
    const struct cli_option own[] = {
        {"discard", CLI_FLAG, &o.discard, 0, 0},
        {"trim-store", CLI_FLAG, &o.trim_store, 0, 0},
        {"undo", CLI_FLAG, &o.undo, 0, 0}};
    const struct cli_spec spec = {CLI_KEY | CLI_PASSPHRASE | CLI_DRY_RUN |
                                      CLI_NETWORK_FS,
                                  own, CLI_COUNT(own), 1, 1};
    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    if (o.undo && (o.discard || o.trim_store))
        return fail_usage(c, "--undo goes with neither --discard nor"
                             " --trim-store");
    return run(c, o);
}
