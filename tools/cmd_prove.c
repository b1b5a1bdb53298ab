/* cmd_prove.c - paritylog prove and verify-proof. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "fail.h"
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
            fail_set(err, PLOG_E_IO, "cannot read the file: %s", strerror(why));
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
    FILE *out;
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
    return fwrite(text, 1, len, job->out) != len;
}

static int open_out(struct job *job, const char *path, struct plog_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    job->out = fd < 0 ? NULL : fdopen(fd, "w");
    if (job->out)
        return 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    return fail_set(err, why == EEXIST ? PLOG_E_EXISTS : PLOG_E_IO, "%s: %s",
                    path, strerror(why));
}

/* The name of a new file is on disk when its folder is. */
static bool sync_folder(const char *path)
{
    char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash)
        slash[slash == folder] = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    free(folder);
    return ok;
}

static int close_out(struct job *job, const char *path, int rc,
                     struct plog_error *err)
{
    if (job->out == stdout || !job->out)
        return rc;
    bool bad = fflush(job->out) != 0 || fsync(fileno(job->out)) != 0;
    int why = errno;
    bad |= fclose(job->out) != 0;
    if (rc) /* it holds no proof, and it is ours */
        unlink(path);
    else
        bad |= !sync_folder(path);
    return bad && !rc ? fail_set(err, PLOG_E_IO, "%s: %s", path, strerror(why))
                      : rc;
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
    struct job job = {.out = stdout};
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
    if (!from && (!text_read_number(c->args[1], &seq) || seq == 0))
        return fail_usage(c, "SEQ is a number from 1 on, not '%s'", c->args[1]);
    o.vkey = c->vkey;
    o.wait_seconds = c->wait;
    progress_init(&job.progress, c);
    int rc = out ? open_out(&job, out, &err) : 0;
    if (!rc) {
        rc = from ? consistency(c->args[0], from, &o, &err)
                  : plog_prove(c->args[0], seq, &o, &err);
        rc = close_out(&job, out, rc, &err);
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
        puts("redacted   the proof is of its leaf; the rest of this line only "
             "the"
             " order to redact it vouches for");
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
    const char *entry = NULL;
    struct cli_texts trusted = {.count = 0};
    const struct cli_option own[] = {{"key", CLI_TEXTS, &trusted, 0, 0},
                                     {"entry", CLI_TEXT, &entry, 0, 0}};
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
