/* cmd_status.c - paritylog status: heads compared, nothing else. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "text.h"

/* Comparing heads says nothing about content: the good word is not CLEAN. */
static const char *word(const struct plog_status *s)
{
    return s->verdict == PLOG_OK ? "HEADS_EQUAL" : plog_code_word(s->verdict);
}

static void root_json(struct out *o, bool known, const unsigned char *root)
{
    if (known)
        out_hash(o, "root", root);
    else
        out_null(o, "root");
}

#define WAL_MUCH 2000 /* frames; a writer moves them at 1,000 */

static void print_json(const struct plog_status *s)
{
    struct out o;
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/status/1");
    out_text_or_null(&o, "origin", s->origin);
    out_text_or_null(&o, "strategy",
                     s->has_store ? plog_strategy_name(s->strategy) : NULL);
    out_object(&o, "log");
    out_uint(&o, "size", s->log_size);
    root_json(&o, s->log_has_commit, s->log_root);
    out_uint(&o, "segments", s->segments);
    out_uint(&o, "bytes", s->log_bytes);
    out_uint(&o, "floor", s->floor);
    out_uint(&o, "tail_bytes", s->tail_bytes);
    out_uint(&o, "below_floor", s->below_floor);
    out_end(&o);
    if (s->has_store) {
        out_object(&o, "store");
        out_uint(&o, "size", s->store_size);
        out_hash(&o, "root", s->store_root);
        out_uint(&o, "bytes", s->store_bytes);
        out_uint(&o, "wal_bytes", s->wal_bytes);
        out_uint(&o, "wal_frames", s->wal_frames);
        out_uint(&o, "wal_moved", s->wal_moved);
        out_uint(&o, "base", s->base);
        out_uint(&o, "peers", s->peers);
        out_uint(&o, "redactions", s->redactions);
        out_uint(&o, "pending", s->pending);
        out_end(&o);
    } else {
        out_null(&o, "store");
    }
    out_text_or_null(&o, "store_why", s->store_why);
    out_text(&o, "verdict", word(s));
    out_end(&o);
}

static void head_text(const char *leg, uint64_t size, bool known,
                      const unsigned char *root)
{
    char text[TEXT_BASE64(PLOG_HASH_SIZE)] = "unknown";
    if (known)
        text_base64(root, PLOG_HASH_SIZE, text);
    printf("%-9s size %llu, root %s\n", leg, (unsigned long long)size, text);
}

static void print_text(const struct plog_status *s)
{
    printf("%s\n", word(s));
    if (s->origin[0])
        printf("origin    %s\n", s->origin);
    head_text("log", s->log_size, s->log_has_commit, s->log_root);
    printf("          segments %llu, bytes %llu, floor %llu\n",
           (unsigned long long)s->segments, (unsigned long long)s->log_bytes,
           (unsigned long long)s->floor);
    if (s->below_floor)
        printf("          %llu segments below the floor wait: run paritylog"
               " compact DIR\n",
               (unsigned long long)s->below_floor);
    if (s->tail_bytes)
        printf("          %llu bytes after the last commit\n",
               (unsigned long long)s->tail_bytes);
    if (s->has_store) {
        head_text("store", s->store_size, true, s->store_root);
        printf("          %llu bytes, SQLite WAL %llu bytes, strategy %s\n",
               (unsigned long long)s->store_bytes,
               (unsigned long long)s->wal_bytes,
               plog_strategy_name(s->strategy));
        if (s->wal_frames - s->wal_moved > WAL_MUCH)
            printf("          %llu frames of the WAL are not in the database"
                   " yet: a reader may hold them\n",
                   (unsigned long long)(s->wal_frames - s->wal_moved));
        if (s->peers)
            printf("          %llu peers\n", (unsigned long long)s->peers);
        if (s->redactions)
            printf("          %llu redacted, %llu of them pending\n",
                   (unsigned long long)s->redactions,
                   (unsigned long long)s->pending);
    } else {
        printf("store     %s", s->store_why[0] ? "cannot be read: " : "none");
        text_safe(stdout, s->store_why, strlen(s->store_why));
        printf("\n");
    }
    printf("Only heads were compared; `paritylog parity` compares content.\n");
}

int cmd_status(struct cli *c, int argc, char **argv)
{
    const struct cli_spec spec = {0, NULL, 0, 1, 1};
    struct plog_error err = {.code = 0};
    struct plog_status s = {.verdict = 0};
    struct plog_options o;

    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    cli_options(c, &o);
    int rc = plog_read_status(c->args[0], &o, &s, &err);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    if (c->json)
        print_json(&s);
    else
        print_text(&s);
    return plog_exit_status(s.verdict);
}
