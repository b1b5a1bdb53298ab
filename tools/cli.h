/*
 * cli.h - what all commands share: the table they stand in, their options,
 * opening a directory, ending.
 *
 * A command is a function that parses its options with cli_parse, calls the
 * library and formats what it gives.  Its return value is the exit status.
 * Data goes to standard output, all else to standard error.
 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include "paritylog.h"

struct cli;

struct cli_command {
    const char *name;
    int (*run)(struct cli *c, int argc, char **argv);
    const char *summary; /* one line */
    const char *usage;   /* what follows the name */
    const char *help;    /* its own options, a line each; may be "" */
};

/* The options that several commands take.  All take --json, --wait, --quiet
 * and --help, also where there is nothing to wait for, so that a script can
 * give them always. */
enum cli_common {
    CLI_KEY = 1,
    CLI_EXPECT_HEAD = 2,
    CLI_PASSPHRASE = 4,
    CLI_MAX_FINDINGS = 8,
    CLI_DRY_RUN = 16,
    CLI_WITNESS = 32,
    CLI_NETWORK_FS = 64
};

#define CLI_FINDINGS_DEFAULT 100
#define CLI_FINDINGS_LIMIT 1000000

#define CLI_TEXTS_MAX 64
struct cli_texts {
    const char *text[CLI_TEXTS_MAX];
    size_t count;
};

struct cli {
    const struct cli_command *commands; /* the whole table */
    size_t command_count;
    const struct cli_command *command; /* the one that runs; NULL: none yet */
    char **args;                       /* what is left beside options */
    size_t arg_count;
    bool json, quiet, dry_run, help, network_fs_ok;
    double wait; /* as plog_options.wait_seconds */
    const char *vkey;
    bool has_expect_head;
    uint64_t expect_size;
    unsigned char expect_root[PLOG_HASH_SIZE];
    uint64_t max_findings;
    const char *passphrase_file;
    const char *witness;
    struct cli_texts given; /* the names of the options, as they came */
    bool failed;            /* an error was printed */
};

/* Kinds of an option, by what `into` points to. */
enum cli_kind {
    CLI_FLAG,    /* bool */
    CLI_NUMBER,  /* uint64_t within min..max */
    CLI_TEXT,    /* const char * */
    CLI_TEXTS,   /* struct cli_texts: the one that may be given again */
    CLI_SECONDS, /* double, in the library's sense of waiting */
    CLI_HEAD     /* struct cli: SIZE:ROOT */
};

struct cli_option {
    const char *name; /* without the dashes */
    enum cli_kind kind;
    void *into;
    uint64_t min, max;
};

struct cli_spec {
    unsigned common; /* of enum cli_common */
    const struct cli_option *own;
    size_t own_count;
    size_t min_args, max_args; /* beside options, DIR included */
};

#define CLI_COUNT(array) (sizeof(array) / sizeof *(array))

/* Parses options into `c`.  Returns -1 to go on, else the exit status: wrong
 * usage, or --help was answered. */
int cli_parse(struct cli *c, int argc, char **argv,
              const struct cli_spec *spec);

/* Refuses an option that was given and that `mode` does not heed.
 * @options  those, with a blank between
 * Returns -1 to go on, else the exit status. */
int cli_without(struct cli *c, const char *mode, const char *options);

/* Prints how `command` is called, with its options. */
void cli_help(const struct cli_command *command);

/* Whether `text` is what the option asks for; says what is wrong if not.
 * Returns -1 to go on, else the exit status. */
int cli_strategy(struct cli *c, const char *text, enum plog_strategy *out);

/* The library's options as the command line has them. */
void cli_options(const struct cli *c, struct plog_options *o);

/*
 * Opens c->args[0] for appending, with the passphrase when there is one; the
 * passphrase is wiped before this returns.  Returns as plog_open.
 */
PLOG_MUST_CHECK int cli_open(struct cli *c, plog **out, struct plog_error *err);

/* The same for a dry run, as plog_rehearse. */
PLOG_MUST_CHECK int cli_rehearse(struct cli *c, const struct plog_group *group,
                                 struct plog_error *err);

/* Opens c->args[0] for reading.  Returns as plog_reader_open. */
PLOG_MUST_CHECK int cli_open_reader(struct cli *c, plog_reader **out,
                                    struct plog_error *err);

#define CLI_SECRET_MAX 1024
struct cli_secret {
    char text[CLI_SECRET_MAX + 2]; /* a line end and a NUL */
    bool given;
};
/* Reads the passphrase out of `path`; NULL: none is given. */
PLOG_MUST_CHECK int cli_secret_read_from(struct cli *c, const char *path,
                                         struct cli_secret *s,
                                         struct plog_error *err);
/* Reads the passphrase file, if one is named.  Warns when others may read
 * it.  Returns 0, PLOG_E_IO or PLOG_E_ARG. */
PLOG_MUST_CHECK int cli_secret_read(struct cli *c, struct cli_secret *s,
                                    struct plog_error *err);
void cli_secret_wipe(struct cli_secret *s);

/*
 * The I/O table that all commands run over; NULL is the library's default.
 * Weak: a test links another one that watches the order of writes and syncs.
 */
const struct plog_io *cli_io(void);

/* Finds and runs a command; the body of main. */
int cli_main(const struct cli_command *commands, size_t count, int argc,
             char **argv);

#endif
