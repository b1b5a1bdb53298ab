/* cli.c - see cli.h. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "out.h"
#include "proc.h"

__attribute__((weak)) const struct plog_io *cli_io(void)
{
    return NULL;
}

void cli_options(const struct cli *c, struct plog_options *o)
{
    *o = (struct plog_options){.struct_size = sizeof *o,
                               .io = cli_io(),
                               .wait_seconds = c->wait,
                               .vkey = c->vkey,
                               .allow_network_fs = c->network_fs_ok};
}

/* ---- The passphrase ----------------------------------------------------- */

/* Reads to the end or until the buffer is full.  Returns the bytes, or < 0
 * with errno. */
static ssize_t read_all(int fd, char *buf, size_t cap)
{
    size_t len = 0;
    while (len < cap) {
        ssize_t n = read(fd, buf + len, cap - len);
        if (n < 0 && errno == EINTR && !proc_interrupted())
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static void warn_if_shared(struct cli *c, int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
        fail_note(c,
                  "warning: others may read the passphrase file (mode "
                  "%03o); 600 is right",
                  (unsigned)(st.st_mode & 0777));
}

/* Takes one line end away and refuses what no passphrase can be. */
static int secret_check(struct cli_secret *s, const char *path, size_t len,
                        struct plog_error *err)
{
    if (len > 0 && s->text[len - 1] == '\n')
        len--;
    s->text[len] = '\0';
    if (len == 0)
        return fail_set(err, PLOG_E_ARG, "the passphrase file %s is empty",
                        path);
    if (len > CLI_SECRET_MAX)
        return fail_set(err, PLOG_E_ARG,
                        "the passphrase is longer than %d bytes",
                        CLI_SECRET_MAX);
    if (strlen(s->text) != len || strchr(s->text, '\n'))
        return fail_set(err, PLOG_E_ARG,
                        "the passphrase file %s holds more than one line, or a"
                        " NUL byte",
                        path);
    s->given = true;
    return 0;
}

int cli_secret_read(struct cli *c, struct cli_secret *s, struct plog_error *err)
{
    return cli_secret_read_from(c, c->passphrase_file, s, err);
}

int cli_secret_read_from(struct cli *c, const char *path, struct cli_secret *s,
                         struct plog_error *err)
{
    s->given = false;
    if (!path)
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail_errno(err, errno, "cannot open the passphrase file %s",
                          path);
    warn_if_shared(c, fd);
    ssize_t n = read_all(fd, s->text, sizeof s->text - 1);
    int rc = n < 0 ? fail_errno(err, errno,
                                "cannot read the passphrase file %s", path)
                   : secret_check(s, path, (size_t)n, err);
    close(fd);
    if (rc != 0)
        cli_secret_wipe(s);
    return rc;
}

void cli_secret_wipe(struct cli_secret *s)
{
    explicit_bzero(s, sizeof *s);
}

/* ---- Opening ------------------------------------------------------------ */

/* The options and, in `secret`, the passphrase they point to; the caller wipes
 * it. */
static int options_to_write(struct cli *c, struct cli_secret *secret,
                            struct plog_options *o, struct plog_error *err)
{
    proc_no_core();
    int rc = cli_secret_read(c, secret, err);
    if (rc != 0)
        return rc;
    cli_options(c, o);
    o->passphrase = secret->given ? secret->text : NULL;
    return 0;
}

int cli_open(struct cli *c, plog **out, struct plog_error *err)
{
    struct cli_secret secret;
    struct plog_options o;
    int rc = options_to_write(c, &secret, &o, err);
    if (rc != 0)
        return rc;
    rc = plog_open(out, c->args[0], &o, err);
    cli_secret_wipe(&secret);
    return rc;
}

int cli_rehearse(struct cli *c, const struct plog_group *group,
                 struct plog_error *err)
{
    struct cli_secret secret;
    struct plog_options o;
    int rc = options_to_write(c, &secret, &o, err);
    if (rc != 0)
        return rc;
    rc = plog_rehearse(c->args[0], &o, group, err);
    cli_secret_wipe(&secret);
    return rc;
}

int cli_open_reader(struct cli *c, plog_reader **out, struct plog_error *err)
{
    struct plog_options o;
    cli_options(c, &o);
    return plog_reader_open(out, c->args[0], &o, err);
}

int cli_strategy(struct cli *c, const char *text, enum plog_strategy *out)
{
    if (plog_strategy_parse(text, out) != 0)
        return fail_usage(c,
                          "unknown strategy '%s'; there are last-write-wins, "
                          "arrival, highest-confidence, keep-local and "
                          "merge-json",
                          text);
    if (*out == PLOG_CUSTOM)
        return fail_usage(c, "the strategy custom needs a callback of the "
                             "library; the command has none");
    return -1;
}

/* ---- Running ------------------------------------------------------------ */

static const struct cli_command *find(const struct cli *c, const char *name)
{
    for (size_t i = 0; i < c->command_count; i++) {
        if (strcmp(c->commands[i].name, name) == 0)
            return &c->commands[i];
    }
    return NULL;
}

#define NAME_MOST 16 /* bytes of a word that may be a command, with its NUL */

/* How many letters must be changed, added, left out or exchanged with the next
 * one to make `a` of `b`; both are shorter than NAME_MOST. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NAME_MOST + 1], la = strlen(a), lb = strlen(b);
    for (size_t i = 0; i <= la; i++)
        for (size_t k = 0; k <= lb; k++) {
            size_t *now = rows[i % 3], *up = rows[(i + 2) % 3];
            if (i == 0 || k == 0) {
                now[k] = i + k;
                continue;
            }
            size_t least = up[k - 1] + (a[i - 1] != b[k - 1]);
            if (up[k] + 1 < least)
                least = up[k] + 1;
            if (now[k - 1] + 1 < least)
                least = now[k - 1] + 1;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] &&
                a[i - 2] == b[k - 1] && rows[(i + 1) % 3][k - 2] + 1 < least)
                least = rows[(i + 1) % 3][k - 2] + 1;
            now[k] = least;
        }
    return rows[la % 3][lb];
}

static int no_command(struct cli *c, const char *name)
{
    const char *nearest = NULL;
    size_t least = 3; /* more is another word */
    for (size_t i = 0; strlen(name) < NAME_MOST && i < c->command_count; i++) {
        if (strlen(c->commands[i].name) >= NAME_MOST)
            continue;
        size_t n = distance(name, c->commands[i].name);
        if (n < least && 2 * n <= strlen(name)) {
            least = n;
            nearest = c->commands[i].name;
        }
    }
    if (nearest)
        return fail_usage(c, "there is no command '%s'; is it '%s'?", name,
                          nearest);
    return fail_usage(c, "there is no command '%s'", name);
}

static void list_commands(const struct cli *c, FILE *f)
{
    fputs("usage: paritylog COMMAND DIR ...\n\n", f);
    for (size_t i = 0; i < c->command_count; i++)
        fprintf(f, "  %-11s %s\n", c->commands[i].name, c->commands[i].summary);
    fputs("\n  help [COMMAND]   how a command is called (also COMMAND "
          "--help)\n  --version        the version\n\n"
          "All take --json, --quiet and --wait SECONDS.  The manual is "
          "paritylog(1).\n",
          f);
}

static void print_version(const struct cli *c)
{
    struct out o;
    if (!c->json) {
        printf("paritylog %s (format %d)\n", PLOG_VERSION, PLOG_FORMAT);
        return;
    }
    out_init(&o, stdout);
    out_object(&o, NULL);
    out_text(&o, "schema", "paritylog/version/1");
    out_text(&o, "version", PLOG_VERSION);
    out_uint(&o, "format", PLOG_FORMAT);
    out_end(&o);
}

static int help(struct cli *c, int argc, char **argv)
{
    const struct cli_command *command;
    int at = 1;
    while (at < argc && strcmp(argv[at], "--json") == 0)
        at++; /* of errors: the text is for people */
    if (at >= argc || strcmp(argv[at], "help") == 0) {
        list_commands(c, stdout);
        return 0;
    }
    command = find(c, argv[at]);
    if (!command)
        return no_command(c, argv[at]);
    cli_help(command);
    return 0;
}

static int dispatch(struct cli *c, int argc, char **argv)
{
    if (argc == 0) {
        if (c->json)
            return fail_usage(c, "a command is missing");
        list_commands(c, stderr);
        return plog_exit_status(PLOG_E_ARG);
    }
    if (strcmp(argv[0], "--version") == 0) {
        print_version(c);
        return 0;
    }
    if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 ||
        strcmp(argv[0], "-h") == 0)
        return help(c, argc, argv);
    const struct cli_command *command = find(c, argv[0]);
    if (!command)
        return no_command(c, argv[0]);
    c->command = command;
    return command->run(c, argc, argv);
}

/* Standard output is data: what could not be written is an error, also when
 * it shows only now. */
static int finish(struct cli *c, int status)
{
    struct plog_error err = {.code = 0};
    bool lost = out_flush_failed();
    if (!lost && close(STDOUT_FILENO) != 0) {
        fail_set(&err, PLOG_E_IO, "closing standard output failed: %s",
                 strerror(errno));
        lost = true;
    }
    if (!lost)
        return status;
    if (!c->failed)
        fail(c, PLOG_E_IO, &err, NULL);
    return plog_exit_status(out_code());
}

int cli_main(const struct cli_command *commands, size_t count, int argc,
             char **argv)
{
    struct cli c = {.commands = commands,
                    .command_count = count,
                    .max_findings = CLI_FINDINGS_DEFAULT};
    proc_start();
    out_start();
    /* Looked for first, so that an error in the options before it is JSON
     * too. */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0)
            c.json = true;
    }
    int skip = argc > 1 && strcmp(argv[1], "--json") == 0 ? 2 : 1;
    if (skip > argc)
        skip = argc;
    return finish(&c, dispatch(&c, argc - skip, argv + skip));
}
