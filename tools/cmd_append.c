/*
 * cmd_append.c - paritylog append: deltas from a file or standard input.
 *
 * Each group is durable before its receipts are printed and before the next
 * one is read.  Whatever ends the run, the error says how many lines of the
 * input are durable.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "fail.h"
#include "lines.h"
#include "out.h"
#include "proc.h"
#include "receipt.h"
#include "text.h"

struct run {
    struct cli *c;
    plog *p;
    struct lines in;
    struct plog_span *deltas; /* of the group, `room` of each */
    struct plog_receipt *receipts;
    size_t room;
    bool print_receipts;
    uint64_t lines; /* durable */
    uint64_t duplicates, skipped, warned;
    struct plog_head head; /* when the last group was committed, or at first */
};

static int make_room(struct run *run, struct plog_error *err)
{
    size_t room = run->in.count;
    if (room <= run->room)
        return 0;
    struct plog_span *d = realloc(run->deltas, room * sizeof *d);
    if (d)
        run->deltas = d;
    struct plog_receipt *r = realloc(run->receipts, room * sizeof *r);
    if (r)
        run->receipts = r;
    if (!d || !r)
        return fail_set(err, PLOG_E_NOMEM, "out of memory for a group");
    run->room = room;
    return 0;
}

static void count(struct run *run)
{
    for (size_t i = 0; i < run->in.count; i++) {
        const struct plog_receipt *r = &run->receipts[i];
        /* A duplicate's receipt names an older head. */
        if (r->size > run->head.size) {
            run->head.size = r->size;
            memcpy(run->head.root, r->root, sizeof run->head.root);
        }
        run->duplicates += run->receipts[i].duplicate;
        run->skipped += run->receipts[i].skipped;
        run->warned += run->receipts[i].warned;
    }
    run->lines += run->in.count;
}

static int print_receipts(struct run *run)
{
    struct out o;
    for (size_t i = 0; i < run->in.count && !out_failed(); i++) {
        out_init(&o, stdout);
        receipt_json(&o, NULL, &run->receipts[i],
                     text_member(run->deltas[i], "id"));
    }
    return out_flush_failed() ? PLOG_E_IO : 0;
}

/* Makes the group that was read durable. */
static int append(struct run *run, struct plog_error *err)
{
    int rc = make_room(run, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < run->in.count; i++)
        run->deltas[i] = lines_get(&run->in, i);
    const struct plog_group group = {.struct_size = sizeof group,
                                     .deltas = run->deltas,
                                     .delta_count = run->in.count};
    rc = plog_append_group(run->p, &group, run->receipts, err);
    if (rc != 0)
        return rc;
    count(run);
    return run->print_receipts ? print_receipts(run) : 0;
}

/* Turns "delta 3 of the call, byte 17" into a place in the input. */
static void locate(struct run *run, struct plog_error *err,
                   struct fail_more *more)
{
    if (!err->has_index || err->index >= run->in.count)
        return;
    more->column = err->has_offset ? err->offset + 1 : 0;
    lines_locate(&run->in, (size_t)err->index, err);
}

static void say_durable(struct run *run, struct fail_more *more)
{
    more->has_durable = true;
    more->lines = run->lines;
    more->size = run->head.size;
    memcpy(more->root, run->head.root, sizeof more->root);
}

static void print_summary(struct run *run)
{
    struct out o;
    uint64_t appended = run->lines - run->duplicates;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/append/1");
    out_uint(&o, "lines", run->lines);
    out_uint(&o, "appended", appended);
    out_uint(&o, "duplicates", run->duplicates);
    out_uint(&o, "skipped", run->skipped);
    out_uint(&o, "warned", run->warned);
    out_uint(&o, "size", run->head.size);
    out_hash(&o, "root", run->head.root);
    out_end(&o);
}

static void say_summary(struct run *run)
{
    char root[TEXT_BASE64(PLOG_HASH_SIZE)];
    text_base64(run->head.root, PLOG_HASH_SIZE, root);
    fail_note(run->c,
              "%llu line%s durable: %llu appended (%llu of them skipped by the "
              "strategy), %llu duplicates; size %llu, root %s",
              (unsigned long long)run->lines, run->lines == 1 ? "" : "s",
              (unsigned long long)(run->lines - run->duplicates),
              (unsigned long long)run->skipped,
              (unsigned long long)run->duplicates,
              (unsigned long long)run->head.size, root);
}

/* Everything is durable: nothing that could fail for another process's sake is
 * asked any more. */
static int finish(struct run *run)
{
    if (run->print_receipts || run->c->quiet)
        return 0;
    if (run->c->json)
        print_summary(run);
    else
        say_summary(run);
    return out_flush_failed() ? PLOG_E_IO : 0;
}

static int append_all(struct run *run)
{
    struct plog_error err = {.code = 0};
    struct fail_more more = {.has_durable = false};
    int rc = plog_get_head(run->p, &run->head, &err);
    while (rc == 0) {
        rc = lines_next_group(&run->in, &err);
        if (rc != 0)
            break;
        rc = append(run, &err);
        if (rc != 0)
            locate(run, &err, &more);
        else if (proc_interrupted())
            rc = fail_set(&err, PLOG_E_INTERRUPTED,
                          "interrupted between two groups");
    }
    if (rc == PLOG_END)
        rc = finish(run);
    if (rc == 0)
        return 0;
    say_durable(run, &more);
    return fail(run->c, rc, &err, &more);
}

static int open_input(const char *name, struct plog_error *err)
{
    if (strcmp(name, "-") == 0)
        return STDIN_FILENO;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        fail_errno(err, errno, "cannot open the input");
        snprintf(err->file, sizeof err->file, "%s", name);
    }
    return fd;
}

int cmd_append(struct cli *c, int argc, char **argv)
{
    struct run run = {.c = c};
    uint64_t at_most = 0;
    const struct cli_option own[] = {
        {"group", CLI_NUMBER, &at_most, 1, 1000000},
        {"receipts", CLI_FLAG, &run.print_receipts, 0, 0}};
    const struct cli_spec spec = {CLI_PASSPHRASE | CLI_NETWORK_FS, own,
                                  CLI_COUNT(own), 1, 2};
    struct plog_error err = {.code = 0};

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    const char *name = c->arg_count > 1 ? c->args[1] : "-";
    int fd = open_input(name, &err);
    if (fd < 0)
        return fail(c, PLOG_E_IO, &err, NULL);
    lines_init(&run.in, fd, name, (size_t)at_most);
    int rc = cli_open(c, &run.p, &err);
    status = rc == 0 ? append_all(&run) : fail(c, rc, &err, NULL);
    plog_close(run.p);
    lines_fini(&run.in);
    free(run.deltas);
    free(run.receipts);
    if (fd != STDIN_FILENO)
        close(fd);
    return status;
}
