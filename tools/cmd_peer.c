/* cmd_peer.c - paritylog peer: who receives the log, and how far each is. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "fail.h"
#include "out.h"
#include "paritylog_recovery.h"
#include "proc.h"
#include "text.h"

/* ---- list --------------------------------------------------------------- */

struct listing {
    struct cli *c;
    struct out_list list;
    uint64_t max_lag; /* UINT64_MAX: none */
    uint64_t max_age; /* seconds; 0: none */
    unsigned count;
};

static bool lags(const struct listing *l, const struct plog_peer *p)
{
    return p->lag > l->max_lag;
}

/* For how long nothing was heard of it: since it last acknowledged, or was
 * added; or where that entry is gone, at least since the first one left. */
static double silence(const struct plog_peer *p)
{
    if (p->seen_age >= 0)
        return p->seen_age;
    return p->added_age >= 0 ? p->added_age : p->lag_seconds;
}

static bool is_old(const struct listing *l, const struct plog_peer *p)
{
    return l->max_age && silence(p) > (double)l->max_age;
}

static void put_json(struct listing *l, const struct plog_peer *p)
{
    struct out *o = out_list_row(&l->list);
    out_object(o, NULL);
    out_span(o, "name", p->name.p, p->name.n);
    out_uint(o, "cursor", p->cursor);
    if (p->proven)
        out_hash(o, "root", p->root);
    else
        out_null(o, "root");
    out_uint(o, "added", p->added);
    if (p->seen.n)
        out_span(o, "seen", p->seen.p, p->seen.n);
    else
        out_null(o, "seen");
    out_object(o, "lag");
    out_uint(o, "entries", p->lag);
    out_uint(o, "bytes", p->lag_bytes);
    out_double(o, "seconds", p->lag_seconds);
    out_end(o);
    out_bool(o, "holds_floor", p->holds_floor);
    out_array(o, "over");
    if (lags(l, p))
        out_text(o, NULL, "lag");
    if (is_old(l, p))
        out_text(o, NULL, "age");
    out_end(o);
    out_end(o);
}

static void put_text(struct listing *l, const struct plog_peer *p)
{
    if (l->count == 0)
        printf("%10s %10s %12s %10s  %-27s  %s\n", "cursor", "entries", "bytes",
               "seconds", "last seen", "peer");
    printf("%10llu %10llu %12llu %10.0f  ", (unsigned long long)p->cursor,
           (unsigned long long)p->lag, (unsigned long long)p->lag_bytes,
           p->lag_seconds);
    size_t columns = p->seen.n ? text_safe(stdout, p->seen.p, p->seen.n)
                               : text_safe(stdout, "never", 5);
    printf("%*s", columns < 29 ? (int)(29 - columns) : 2, "");
    text_safe(stdout, p->name.p, p->name.n);
    puts(p->holds_floor ? "  holds the floor" : "");
}

static void warn(struct listing *l, const struct plog_peer *p)
{
    char lack[64] = "", old[96] = "";
    if (lags(l, p))
        snprintf(lack, sizeof lack, " lacks %llu entries",
                 (unsigned long long)p->lag);
    if (is_old(l, p))
        snprintf(old, sizeof old, "%s was %s %.0f seconds",
                 lags(l, p) ? " and" : "",
                 p->seen_age < 0 ? "never heard of in" : "not heard of for",
                 silence(p));
    fail_note(l->c,
              "warning: peer %.*s%s%s; when it is gone for good: paritylog "
              "peer evict DIR NAME --reason TEXT",
              (int)p->name.n, p->name.p, lack, old);
}

static int list_one(void *arg, const struct plog_peer *p)
{
    struct listing *l = arg;
    if (l->c->json)
        put_json(l, p);
    else
        put_text(l, p);
    if (lags(l, p) || is_old(l, p))
        warn(l, p);
    l->count++;
    return 0;
}

static int list(struct cli *c, uint64_t max_lag, uint64_t max_age)
{
    struct plog_error err = {.code = 0};
    struct listing l = {.c = c, .max_lag = max_lag, .max_age = max_age};
    struct plog_options o;
    cli_options(c, &o);
    out_list_init(&l.list, "paritylog/peers/1", "peers");
    int rc = plog_peers(c->args[0], &o, list_one, &l, &err);
    if (c->json && rc == 0)
        out_list_end(&l.list);
    else if (rc == 0 && l.count == 0)
        puts("no peer was added, or each was evicted");
    return rc != 0 ? fail(c, rc, &err, NULL) : 0;
}

/* ---- Changes ------------------------------------------------------------ */

static void print_change(struct cli *c, const char *what, const char *name,
                         const struct plog_peer_report *r)
{
    struct out o;
    if (!c->json) {
        if (c->dry_run)
            puts("dry run, nothing changed");
        else if (strcmp(what, "add") == 0 || strcmp(what, "evict") == 0)
            printf("%s, by entry %llu\n",
                   strcmp(what, "add") == 0 ? "added" : "evicted",
                   (unsigned long long)r->entry);
        else
            printf("the cursor moved from %llu to %llu\n",
                   (unsigned long long)r->before,
                   (unsigned long long)r->cursor);
        return;
    }
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/peer/1");
    out_text(&o, "action", what);
    out_bool(&o, "dry_run", c->dry_run);
    out_text(&o, "name", name);
    out_uint(&o, "before", r->before);
    out_uint(&o, "cursor", r->cursor);
    if (r->entry)
        out_uint(&o, "entry", r->entry);
    else
        out_null(&o, "entry");
    out_end(&o);
}

/* SEQ, or SEQ:ROOT. */
static bool read_ack(const char *text, uint64_t *seq, unsigned char *root,
                     bool *has_root)
{
    char number[24];
    const char *colon = strchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : strlen(text);
    *has_root = colon != NULL;
    if (n == 0 || n >= sizeof number)
        return false;
    memcpy(number, text, n);
    number[n] = '\0';
    return text_read_number(number, seq) &&
           (!colon || text_read_hash(colon + 1, strlen(colon + 1), root));
}

static int change(struct cli *c, const char *what, const char *reason)
{
    struct plog_error err = {.code = 0};
    struct plog_peer_report report;
    struct cli_secret secret = {.given = false};
    const char *dir = c->args[0], *name = c->args[1];
    unsigned char root[PLOG_HASH_SIZE];
    bool has_root = false;
    uint64_t seq = 0;
    struct plog_peer_options o = {.struct_size = sizeof o,
                                  .io = cli_io(),
                                  .wait_seconds = c->wait,
                                  .reason = reason,
                                  .dry_run = c->dry_run,
                                  .allow_network_fs = c->network_fs_ok};
    if (c->arg_count > 2 && !read_ack(c->args[2], &seq, root, &has_root))
        return fail_usage(c, "SEQ or SEQ:ROOT is expected, not '%s'",
                          c->args[2]);
    if (has_root && strcmp(what, "rewind") == 0)
        return fail_usage(c, "peer rewind takes SEQ alone; `peer ack` compares"
                             " a root");
    proc_no_core();
    int rc = cli_secret_read(c, &secret, &err);
    o.passphrase = secret.given ? secret.text : NULL;
    if (rc != 0)
        ;
    else if (strcmp(what, "add") == 0)
        rc = plog_peer_add(dir, name, &o, &report, &err);
    else if (strcmp(what, "evict") == 0)
        rc = plog_peer_evict(dir, name, &o, &report, &err);
    else if (strcmp(what, "rewind") == 0)
        rc = plog_peer_rewind(dir, name, seq, &o, &report, &err);
    else
        rc = plog_peer_ack(dir, name, seq, has_root ? root : NULL, &o, &report,
                           &err);
    cli_secret_wipe(&secret);
    if (rc != 0)
        return fail(c, rc, &err, NULL);
    print_change(c, what, name, &report);
    return 0;
}

/* 90, 90s, 15m, 12h, 30d; not 0, which would be no limit. */
static bool read_duration(const char *text, uint64_t *out)
{
    static const struct {
        char name;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char number[24];
    size_t n = strlen(text);
    uint64_t unit = 1;
    for (size_t i = 0; n && i < CLI_COUNT(units); i++)
        if (text[n - 1] == units[i].name)
            unit = units[i].seconds;
    if (n && strchr("smhd", text[n - 1]))
        n--;
    if (n == 0 || n >= sizeof number)
        return false;
    memcpy(number, text, n);
    number[n] = '\0';
    if (!text_read_number(number, out) || *out == 0 || *out > INT64_MAX / unit)
        return false;
    *out *= unit;
    return true;
}

int cmd_peer(struct cli *c, int argc, char **argv)
{
    static const struct {
        const char *name, *takes;
        size_t args;
        const char *without; /* options of the others */
    } actions[] = {
        {"list", "DIR alone", 1,
         "reason dry-run passphrase-file network-fs-ok"},
        {"add", "DIR and NAME", 2, "reason max-lag max-age"},
        {"evict", "DIR and NAME", 2, "max-lag max-age"},
        {"ack", "DIR, NAME and SEQ[:ROOT]", 3, "reason max-lag max-age"},
        {"rewind", "DIR, NAME and SEQ", 3, "reason max-lag max-age"}};
    char mode[16];
    const char *reason = NULL, *age = NULL;
    uint64_t max_lag = UINT64_MAX, max_age = 0;
    const struct cli_option own[] = {
        {"reason", CLI_TEXT, &reason, 0, 0},
        {"max-lag", CLI_NUMBER, &max_lag, 0, INT64_MAX},
        {"max-age", CLI_TEXT, &age, 0, 0}};
    const struct cli_spec spec = {CLI_PASSPHRASE | CLI_DRY_RUN | CLI_NETWORK_FS,
                                  own, CLI_COUNT(own), 2, 4};
    int status = cli_parse(c, argc, argv, &spec);
    if (status >= 0)
        return status;
    size_t i = 0;
    while (i < CLI_COUNT(actions) && strcmp(c->args[0], actions[i].name) != 0)
        i++;
    if (i == CLI_COUNT(actions))
        return fail_usage(c,
                          "peer takes list, add, ack, rewind or evict, not"
                          " '%s'",
                          c->args[0]);
    c->args++; /* then DIR is the first, as everywhere */
    c->arg_count--;
    if (c->arg_count != actions[i].args)
        return fail_usage(c, "peer %s takes %s", actions[i].name,
                          actions[i].takes);
    snprintf(mode, sizeof mode, "peer %s", actions[i].name);
    status = cli_without(c, mode, actions[i].without);
    if (status >= 0)
        return status;
    if (age && !read_duration(age, &max_age))
        return fail_usage(c,
                          "--max-age takes a number above 0 with s, m, h or"
                          " d, not '%s'",
                          age);
    if (i == 2 && !reason)
        return fail_usage(c, "peer evict needs --reason TEXT: it is signed into"
                             " the log");
    return i == 0 ? list(c, max_lag, max_age)
                  : change(c, actions[i].name, reason);
}
