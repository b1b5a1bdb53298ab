/* cmd_prove.c - paritylog prove and verify-proof. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "new_file.h"
#include "out.h"
#include "progress.h"
#include "text.h"

#define NOTE_MAX 4096

/* Reads a whole file; the caller frees it. */
static int read_file(const char *path, size_t max, char **out, size_t *n,
                     struct plog_error *err)
{
    FILE *f = fopen(path, "rbe");
    char *text = f ? malloc(max + 1) : NULL;
    *out = NULL;
    *n = text ? fread(text, 1, max + 1, f) : 0;
    int why = f ? (ferror(f) ? EIO : 0) : errno;
    if (f)
        fclose(f);
    bool full = *n > max;
    if (why || !text || full) {
        free(text);
        if (why)
            fail_errno(err, why, "cannot read the file");
        else
            fail_set(err, full ? PLOG_E_INPUT : PLOG_E_NOMEM,
                     full ? "longer than %zu bytes"
                          : "out of memory for %zu bytes",
                     max);
        snprintf(err->file, sizeof err->file, "%s", path);
        return err->code;
    }
    *out = text;
    return 0;
}

/* ---- prove -------------------------------------------------------------- */

struct job {
    struct progress progress;
    struct new_file file; /* not open: standard output */
};

static int on_progress(void *arg, const struct plog_progress *p)
{
    struct job *job = arg;
    return progress_tick(&job->progress, p);
}

static int on_text(void *arg, const char *text, size_t len)
{
    struct job *job = arg;
    progress_clear(&job->progress);
    if (job->file.f)
        return new_file_write(&job->file, text, len);
    return fwrite(text, 1, len, stdout) != len;
}

static int consistency(const char *dir, const char *from,
                       const struct plog_prove_options *o,
                       struct plog_error *err)
{
    char *note;
    size_t n;
    int rc = read_file(from, NOTE_MAX, &note, &n, err);
    if (!rc)
        rc = plog_prove_consistency(dir, note, n, o, err);
    free(note);
    return rc;
}

int cmd_prove(struct cli *c, int argc, char **argv)
{
    struct job job = {.file = {.f = NULL}};
    struct plog_prove_options o = {.struct_size = sizeof o,
                                   .io = cli_io(),
                                   .out = on_text,
                                   .progress = on_progress,
                                   .arg = &job};
    const char *out = NULL, *from = NULL;
    uint64_t seq = 0;
    const struct cli_option own[] = {
        {"at", CLI_NUMBER, &o.at, 1, INT64_MAX},
        {"from", CLI_TEXT, &from, 0, 0},
        {"hide-entry", CLI_FLAG, &o.hide_entry, 0, 0},
        {"out", CLI_TEXT, &out, 0, 0}};
    const struct cli_spec spec = {CLI_KEY, own, CLI_COUNT(own), 1, 2};
    struct plog_error err = {.code = 0};

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    if ((c->arg_count == 2) == (from != NULL))
        return fail_usage(c, "give either SEQ or --from CHECKPOINT");
    if (from && o.hide_entry)
        return fail_usage(c, "prove --from takes no --hide-entry");
    if (!from && (!text_read_number(c->args[1], &seq) || seq == 0))
        return fail_usage(c, "SEQ is a number from 1 on, not '%s'", c->args[1]);
    o.vkey = c->vkey;
    o.wait_seconds = c->wait;
    progress_init(&job.progress, c);
    int rc = out ? new_file_open(&job.file, c->args[0], out, 0644, &err) : 0;
    if (!rc) {
        rc = from ? consistency(c->args[0], from, &o, &err)
                  : plog_prove(c->args[0], seq, &o, &err);
        rc = new_file_close(&job.file, rc, &err);
    }
    progress_clear(&job.progress);
    return rc ? fail(c, rc, &err, NULL) : 0;
}

/* ---- verify-proof ------------------------------------------------------- */

static void print_json(const struct plog_proof_report *r)
{
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/verify-proof/1");
    out_text(&o, "kind", r->consistency ? "consistency" : "inclusion");
    out_text(&o, "origin", r->origin);
    out_uint(&o, "size", r->size);
    out_hash(&o, "root", r->root);
    if (r->consistency) {
        out_uint(&o, "old_size", r->old_size);
        out_hash(&o, "old_root", r->old_root);
    } else {
        out_uint(&o, "seq", r->seq);
        out_hash(&o, "leaf", r->leaf);
        out_span(&o, "entry", r->entry.p, r->entry.n);
        out_bool(&o, "redacted", r->redacted);
        if (r->redacted)
            out_uint(&o, "order", r->order);
    }
    out_end(&o);
}

static void print_text(const struct plog_proof_report *r)
{
    char root[TEXT_BASE64(PLOG_HASH_SIZE)];
    text_base64(r->root, PLOG_HASH_SIZE, root);
    printf("PROVEN\n");
    if (r->consistency)
        printf("the log of %llu entries extends the one of %llu\n",
               (unsigned long long)r->size, (unsigned long long)r->old_size);
    else
        printf("entry %llu is in the log of %llu entries\n",
               (unsigned long long)r->seq, (unsigned long long)r->size);
    printf("origin     ");
    text_safe(stdout, r->origin, strlen(r->origin));
    printf("\nroot       %s\n", root);
    if (r->consistency)
        return;
    printf("entry      ");
    text_safe(stdout, r->entry.p, r->entry.n);
    putchar('\n');
    if (r->redacted)
        printf("redacted   by entry %llu, which is proven, too\n",
               (unsigned long long)r->order);
}

/* Of a redacted line the proof says nothing but that its leaf is in the log:
 * without the order, whoever has one leaf could have any line PROVEN. */
static int check_order(const char *path, const char *keys,
                       struct plog_proof_report *r, struct plog_error *err)
{
    char *text, leaf[TEXT_BASE64(PLOG_HASH_SIZE)];
    size_t n;
    if (r->redacted && path) {
        int rc = read_file(path, PLOG_PROOF_FILE_MAX, &text, &n, err);
        if (!rc)
            rc = plog_verify_order(text, n, keys, r, err);
        if (rc && !err->file[0])
            snprintf(err->file, sizeof err->file, "%s", path);
        free(text);
        return rc;
    }
    if (path)
        return fail_set(err, PLOG_E_INPUT,
                        "--order: the proof is of no redacted line");
    if (!r->redacted)
        return 0;
    text_base64(r->leaf, PLOG_HASH_SIZE, leaf);
    fail_set(err, PLOG_E_INPUT,
             "entry %llu was redacted: its leaf %s is in the log of %llu"
             " entries, and the rest of this line only the order to redact it"
             " proves",
             (unsigned long long)r->seq, leaf, (unsigned long long)r->size);
    snprintf(err->hint, sizeof err->hint,
             "give --order FILE: `paritylog redact DIR --list` names the entry,"
             " and `paritylog prove DIR SEQ` makes the proof of it");
    return err->code;
}

/* Without the LF that a text file ends with. */
static size_t line_length(const char *p, size_t n)
{
    return n && p[n - 1] == '\n' ? n - 1 : n;
}

/* The keys as the library takes them: with white space between. */
static char *join(const struct cli_texts *t)
{
    size_t n = 1;
    for (size_t i = 0; i < t->count; i++)
        n += strlen(t->text[i]) + 1;
    char *all = calloc(n, 1), *at = all;
    for (size_t i = 0; all && i < t->count; i++) {
        at = stpcpy(at, t->text[i]);
        *at++ = '\n';
    }
    return all;
}

int cmd_verify_proof(struct cli *c, int argc, char **argv)
{
    struct plog_proof_report report = {.memory = NULL};
    const char *entry = NULL, *order = NULL;
    struct cli_texts trusted = {.count = 0};
    const struct cli_option own[] = {{"key", CLI_TEXTS, &trusted, 0, 0},
                                     {"entry", CLI_TEXT, &entry, 0, 0},
                                     {"order", CLI_TEXT, &order, 0, 0}};
    const struct cli_spec spec = {0, own, CLI_COUNT(own), 1, 1};
    struct plog_error err = {.code = 0};
    char *text = NULL, *line = NULL, *keys = NULL;
    size_t n = 0, m = 0;

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    if (trusted.count == 0)
        return fail_usage(c, "--key VKEY is missing: the key that you trust");
    int rc = read_file(c->args[0], PLOG_PROOF_FILE_MAX, &text, &n, &err);
    if (!rc && entry)
        rc = read_file(entry, PLOG_PROOF_FILE_MAX, &line, &m, &err);
    if (!rc && !(keys = join(&trusted)))
        rc = fail_set(&err, PLOG_E_NOMEM, "out of memory");
    if (!rc)
        rc = plog_verify_proof(text, n, keys, line, line_length(line, m),
                               &report, &err);
    if (!rc && entry && report.consistency)
        rc = fail_set(&err, PLOG_E_INPUT, "--entry: the proof is of no entry");
    if (!rc)
        rc = check_order(order, keys, &report, &err);
    if (!rc && c->json)
        print_json(&report);
    else if (!rc)
        print_text(&report);
    free(report.memory);
    free(text);
    free(line);
    free(keys);
    return rc ? fail(c, rc, &err, NULL) : 0;
}
