/* options.c - parsing command lines; declared in cli.h. */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "fail.h"
#include "text.h"

#define OPTIONS_MAX 24
#define FIRST_OPTION 256 /* getopt's value of the first long option */

struct parser {
    struct cli_option known[OPTIONS_MAX];
    struct option longs[OPTIONS_MAX + 1];
    size_t count;
};

static void add(struct parser *p, struct cli_option option)
{
    assert(p->count < OPTIONS_MAX);
    p->known[p->count] = option;
    p->longs[p->count] = (struct option){
        .name = option.name,
        .has_arg = option.kind == CLI_FLAG ? no_argument : required_argument,
        .val = FIRST_OPTION + (int)p->count};
    p->count++;
}

static void prepare(struct parser *p, struct cli *c,
                    const struct cli_spec *spec)
{
    const struct {
        unsigned bit; /* 0: every command has it */
        struct cli_option option;
    } common[] = {
        {0, {"json", CLI_FLAG, &c->json, 0, 0}},
        {0, {"help", CLI_FLAG, &c->help, 0, 0}},
        {0, {"wait", CLI_SECONDS, &c->wait, 0, 0}},
        {0, {"quiet", CLI_FLAG, &c->quiet, 0, 0}},
        {CLI_KEY, {"key", CLI_TEXT, &c->vkey, 0, 0}},
        {CLI_EXPECT_HEAD, {"expect-head", CLI_HEAD, c, 0, 0}},
        {CLI_PASSPHRASE,
         {"passphrase-file", CLI_TEXT, &c->passphrase_file, 0, 0}},
        {CLI_MAX_FINDINGS,
         {"max-findings", CLI_NUMBER, &c->max_findings, 0, CLI_FINDINGS_LIMIT}},
        {CLI_DRY_RUN, {"dry-run", CLI_FLAG, &c->dry_run, 0, 0}},
        {CLI_NETWORK_FS, {"network-fs-ok", CLI_FLAG, &c->network_fs_ok, 0, 0}},
        {CLI_WITNESS, {"witness", CLI_TEXT, &c->witness, 0, 0}},
    };
    memset(p, 0, sizeof *p);
    for (size_t i = 0; i < CLI_COUNT(common); i++) {
        if (common[i].bit == 0 || (spec->common & common[i].bit) != 0)
            add(p, common[i].option);
    }
    for (size_t i = 0; i < spec->own_count; i++)
        add(p, spec->own[i]);
}

static int take_text(struct cli *c, const struct cli_option *o,
                     const char *text)
{
    struct cli_texts *t = o->into;
    if (t->count == CLI_TEXTS_MAX)
        return fail_usage(c, "--%s may be given %d times", o->name,
                          CLI_TEXTS_MAX);
    t->text[t->count++] = text;
    return -1;
}

static int take_number(struct cli *c, const struct cli_option *o,
                       const char *text)
{
    uint64_t value;
    if (!text_read_number(text, &value) || value < o->min || value > o->max)
        return fail_usage(c, "--%s wants a number from %llu to %llu, not '%s'",
                          o->name, (unsigned long long)o->min,
                          (unsigned long long)o->max, text);
    *(uint64_t *)o->into = value;
    return -1;
}

/* The library takes 0 for its default and < 0 for "never wait". */
static int take_seconds(struct cli *c, const struct cli_option *o,
                        const char *text)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (strspn(text, "0123456789.") != strlen(text) || end == text || *end ||
        errno != 0 || !isfinite(value) || value > 1e9)
        return fail_usage(c, "--%s wants seconds, not '%s'", o->name, text);
    *(double *)o->into = value > 0 ? value : -1;
    return -1;
}

static int take_head(struct cli *c, const struct cli_option *o,
                     const char *text)
{
    char number[24];
    const char *colon = strchr(text, ':');
    size_t digits = colon ? (size_t)(colon - text) : sizeof number;
    if (digits < sizeof number) {
        memcpy(number, text, digits);
        number[digits] = '\0';
        if (text_read_number(number, &c->expect_size) &&
            text_read_hash(colon + 1, strlen(colon + 1), c->expect_root)) {
            c->has_expect_head = true;
            return -1;
        }
    }
    return fail_usage(c,
                      "--%s wants SIZE:ROOT, a number and the base64 of 32 "
                      "bytes, not '%s'",
                      o->name, text);
}

static bool was_given(const struct cli *c, const char *name, size_t n)
{
    for (size_t i = 0; i < c->given.count; i++)
        if (strncmp(c->given.text[i], name, n) == 0 && !c->given.text[i][n])
            return true;
    return false;
}

/* Of two values one would be passed over without a word: of two keys that are
 * to be pinned, say. */
static int note_given(struct cli *c, const struct cli_option *o)
{
    if (was_given(c, o->name, strlen(o->name)))
        return o->kind == CLI_FLAG || o->kind == CLI_TEXTS
                   ? -1
                   : fail_usage(c, "--%s may be given once", o->name);
    assert(c->given.count < CLI_TEXTS_MAX);
    c->given.text[c->given.count++] = o->name;
    return -1;
}

int cli_without(struct cli *c, const char *mode, const char *options)
{
    for (const char *p = options; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        if (was_given(c, p, n))
            return fail_usage(c, "%s takes no --%.*s", mode, (int)n, p);
        p += n;
    }
    return -1;
}

static int take(struct cli *c, const struct cli_option *o, const char *text)
{
    int status = note_given(c, o);
    if (status >= 0)
        return status;
    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)o->into = true;
        return -1;
    case CLI_TEXT:
        *(const char **)o->into = text;
        return -1;
    case CLI_TEXTS:
        return take_text(c, o, text);
    case CLI_NUMBER:
        return take_number(c, o, text);
    case CLI_SECONDS:
        return take_seconds(c, o, text);
    case CLI_HEAD:
        return take_head(c, o, text);
    }
    return -1;
}

static int refuse(struct cli *c, int result, char **argv)
{
    const char *word = argv[optind - 1];
    if (result == ':')
        return fail_usage(c, "%s wants a value", word);
    if (optopt >= FIRST_OPTION)
        return fail_usage(c, "%s takes no value", word);
    if (optopt)
        return fail_usage(c, "there is no option -%c", optopt);
    return fail_usage(c, "there is no option %s, or more than one begins so",
                      word);
}

int cli_parse(struct cli *c, int argc, char **argv, const struct cli_spec *spec)
{
    struct parser p;
    prepare(&p, c, spec);
    optind = 1;
    opterr = 0;
    for (;;) {
        int result = getopt_long(argc, argv, ":h", p.longs, NULL);
        if (result == -1)
            break;
        if (result == 'h') {
            c->help = true;
            continue;
        }
        if (result < FIRST_OPTION)
            return refuse(c, result, argv);
        int status = take(c, &p.known[result - FIRST_OPTION], optarg);
        if (status >= 0)
            return status;
    }
    if (c->help) {
        cli_help(c->command);
        return 0;
    }
    c->args = argv + optind;
    c->arg_count = (size_t)(argc - optind);
    if (c->arg_count < spec->min_args)
        return fail_usage(c, "arguments are missing");
    if (c->arg_count > spec->max_args)
        return fail_usage(c, "there are too many arguments, from '%s' on",
                          c->args[spec->max_args]);
    return -1;
}

void cli_help(const struct cli_command *command)
{
    printf("usage: paritylog %s %s\n\n%s.\n", command->name, command->usage,
           command->summary);
    if (*command->help)
        printf("\n%s", command->help);
    fputs("\nThe manual is paritylog(1).\n", stdout);
}
