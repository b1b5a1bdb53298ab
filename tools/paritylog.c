/*
 * paritylog.c - the table of commands.
 *
 * Each is a file cmd_NAME.c of its own; what they share is in cli.h.
 */
#include "cmd.h"

#define WAIT                                                                   \
    "  --wait SECONDS         for another process's lock (default 10)\n"
#define KEY "  --key VKEY             pin this verifier key\n"
#define HEAD                                                                   \
    "  --expect-head SIZE:ROOT  fail when the log does not contain it\n"
#define PASS                                                                   \
    "  --passphrase-file F    holds the passphrase of the signing key\n"
#define FINDINGS "  --max-findings N       findings to show (default 100)\n"
#define PIN "  --require-pin          fail (12) without --key\n"
#define JSON "  --json                 the report and errors as JSON\n"
#define JSON_ERRORS "  --json                 errors as JSON\n"
#define QUIET "  --quiet                no progress, no summary\n"
#define WITNESS                                                                \
    "  --witness FILE         signed heads, kept elsewhere, that must be in "  \
    "it\n"
#define FORMAT                                                                 \
    "  --format F             text (default), json, junit, sarif, github\n"
#define NETWORK                                                                \
    "  --network-fs-ok        write on a network file system all the same\n"
#define THREADS                                                                \
    "  --threads N            1, or 2: read ahead beside (default 2 on two\n"  \
    "                         processors); up to 64, as 2\n"
#define DRY "  --dry-run              say what would be done, change nothing\n"

/* clang-format off */
static const struct cli_command commands[] = {
    {"init", cmd_init, "make an empty log, its store and its key",
     "DIR [--origin NAME] [--strategy S] [--segment-size BYTES]\n"
     "           [--max-line BYTES] [--passphrase-file F] [--network-fs-ok] [--json]",
     "  --origin NAME          the log's name (default: plog- and a UUID)\n"
     "  --strategy S           last-write-wins (default), arrival,\n"
     "                         highest-confidence, keep-local, merge-json\n"
     "  --segment-size BYTES   when to begin a new file (default 16 MiB, 4096 to\n"
     "                         1 TiB)\n"
     "  --max-line BYTES       of one delta (default 1 MiB, 1024 to 16 MiB)\n"
     PASS NETWORK WAIT JSON},
    {"append", cmd_append, "append deltas, as durable groups",
     "DIR [FILE|-] [--group N] [--receipts]\n"
     "           [--passphrase-file F] [--network-fs-ok] [--wait SECONDS]\n"
     "           [--json] [--quiet]",
     "  FILE                   JSON Lines; - or none: standard input\n"
     "  --group N              close a group at N lines and not before\n"
     "  --receipts             a receipt for each line, on standard output\n"
     PASS NETWORK WAIT JSON QUIET},
    {"get", cmd_get, "show a record", "DIR RESOURCE ID [--json]",
     JSON_ERRORS},
    {"history", cmd_history, "show the entries of a record, oldest first",
     "DIR RESOURCE ID [--json]", JSON_ERRORS},
    {"query", cmd_query, "run an SQL statement that only reads",
     "DIR SQL [--format table|json|csv] [--json]",
     "  --format F             table (default), json, csv\n"
     "  --json                 --format json, and errors as JSON\n"},
    {"log", cmd_log, "show entry lines as they are",
     "DIR [--from SEQ] [--to SEQ] [--follow] [--json]",
     "  --from SEQ             the first (default 1; with --follow, 0 is what\n"
     "                         comes next)\n"
     "  --to SEQ               the last\n"
     "  --follow               go on with what is appended\n" JSON_ERRORS},
    {"status", cmd_status, "show where both legs stand",
     "DIR [--json]", JSON},
    {"verify", cmd_verify, "check the log alone",
     "DIR [--format text|json|junit|sarif|github] [--key VKEY]\n"
     "           [--require-pin] [--expect-head SIZE:ROOT] [--witness FILE]\n"
     "           [--max-findings N] [--threads N] [--json] [--quiet]",
     FORMAT KEY PIN HEAD WITNESS FINDINGS THREADS WAIT JSON QUIET},
    {"parity", cmd_parity, "check the log and the store against each other",
     "DIR [--format text|json|junit|sarif|github] [--key VKEY]\n"
     "           [--require-pin] [--expect-head SIZE:ROOT] [--witness FILE]\n"
     "           [--since FILE] [--watermark FILE] [--max-lag N]\n"
     "           [--max-findings N] [--threads N] [--json] [--quiet]",
     FORMAT "  --since FILE           a signed note: what lies below is not checked\n"
            "  --watermark FILE       where the note of a clean head goes\n"
            "  --max-lag N            entries that the store may be behind (default "
            "0)\n" KEY PIN HEAD WITNESS
         FINDINGS THREADS WAIT JSON QUIET},
    {"replay", cmd_replay, "apply to the store what it lacks",
     "DIR [--dry-run] [--to SEQ] [--fresh] [--account FILE|-]\n"
     "           [--network-fs-ok] [--key VKEY] [--wait SECONDS]\n"
     "           [--json] [--quiet]",
     DRY "  --to SEQ               stop at the last group that ends there or\n"
         "                         before\n"
         "  --fresh                set the store aside in quarantine/ and "
         "build a\n"
         "                         new one\n"
         "  --account FILE|-       what became of each entry, as JSON Lines\n"
         NETWORK KEY WAIT JSON QUIET},
    {"rebuild", cmd_rebuild, "make one leg from the other in a new place",
     "DIR --store|--log --out PATH|--install [--dry-run] [--key VKEY]\n"
     "           [--network-fs-ok] [--wait SECONDS] [--json] [--quiet]",
     "  --store                the store, from the log\n"
     "  --log                  the log, from the store\n"
     "  --out PATH             a path that is not there yet\n"
     "  --install              in place; what stands there goes to quarantine/\n"
     DRY NETWORK KEY WAIT JSON QUIET},
    {"restore", cmd_restore, "bring back a log as it was, in a new place",
     "DIR --out NEWDIR [--at SEQ|TIME] [--adopt SIZE:ROOT|--continue-as NAME]\n"
     "           [--passphrase-file F] [--dry-run] [--network-fs-ok]\n"
     "           [--key VKEY] [--wait SECONDS] [--json] [--quiet]",
     "  --out NEWDIR           a path that is not there yet\n"
     "  --at SEQ|TIME          the last commit at or before it (default: all)\n"
     "  --adopt SIZE:ROOT      take the signing key along, if this is the head\n"
     "                         that is restored\n"
     "  --continue-as NAME     go on under this name, with a signing key of its\n"
     "                         own\n"
     "  --passphrase-file F    for that key\n" DRY NETWORK KEY WAIT JSON QUIET},
    {"drill", cmd_drill, "rehearse a restore: is all there, how long does it take",
     "DIR [--scratch PATH] [--key VKEY] [--wait SECONDS] [--json]\n"
     "           [--quiet]",
     "  --scratch PATH         where, not there yet (default: inside DIR)\n" KEY
         WAIT JSON QUIET},
    {"doctor", cmd_doctor, "look at everything that only needs reading",
     "DIR [--quick] [--key VKEY] [--wait SECONDS] [--json] [--quiet]",
     "  --quick                compare the heads of both legs only\n" KEY WAIT
         JSON QUIET},
    {"selftest", cmd_selftest, "try whether a log can be kept here",
     "DIR [--seconds N] [--seed N] [--network-fs-ok] [--json] [--quiet]",
     "  DIR                    any directory; a folder is made in it and removed\n"
     "  --seconds N            how long it may take, 1 to 59 (default 30)\n"
     "  --seed N               draw as the run did that named it\n"
     "  --network-fs-ok        a network file system is a warning\n" JSON QUIET},
    {"salvage", cmd_salvage, "read, or heal from the store, a damaged log",
     "DIR [--from-store] [--out FILE] [--dry-run] [--max-findings N]\n"
     "           [--network-fs-ok] [--key VKEY] [--wait SECONDS] [--json] [--quiet]",
     "  --from-store           heal damaged and missing segments from the store\n"
     "  --out FILE             write every intact line there; a new file\n" DRY
         NETWORK FINDINGS KEY WAIT JSON QUIET},
    {"inspect", cmd_inspect, "say what is wrong with the lines of any JSONL file",
     "FILE [--max-findings N] [--json] [--quiet]",
     "  FILE                   plain or gzip; it is only read\n" FINDINGS JSON
         QUIET},
    {"checkpoint", cmd_checkpoint, "print the last commit as a signed note",
     "DIR [--witness FILE] [--key VKEY] [--json] [--quiet]",
     "  --witness FILE         verify the log against it, and note the head in\n"
     "                         it\n" KEY WAIT JSON QUIET},
    {"prove", cmd_prove, "prove that an entry is in the log",
     "DIR SEQ [--at SIZE] [--hide-entry] [--out FILE] [--key VKEY]\n"
     "       paritylog prove DIR --from CHECKPOINT [--at SIZE] [--out FILE]\n"
     "           [--key VKEY]",
     "  --at SIZE              under the commit of this size (default: the last)\n"
     "  --hide-entry           leave the entry's line out\n"
     "  --from CHECKPOINT      prove instead that the log extends the one that\n"
     "                         this file is a checkpoint of\n"
     "  --out FILE             a new file (default: standard output)\n" KEY WAIT
         JSON_ERRORS QUIET},
    {"verify-proof", cmd_verify_proof, "check a proof, without any log",
     "FILE --key VKEY [--key VKEY ...] [--entry FILE] [--order FILE] [--json]",
     "  --key VKEY             a verifier key that you trust; each checkpoint is\n"
     "                         checked under the one that it names\n"
     "  --entry FILE           the entry's line, where the proof hides it\n"
     "  --order FILE           of a redacted entry: a proof of its order\n" JSON},
    {"strategy", cmd_strategy, "show or change how deltas are resolved",
     "DIR [S] [--dry-run] [--passphrase-file F] [--network-fs-ok]\n"
     "           [--wait SECONDS] [--json]",
     "  S                      the new one: see init\n" DRY PASS NETWORK WAIT JSON},
    {"cursor", cmd_cursor, "list or set where pulls from sources stand",
     "list DIR [--json]\n"
     "       paritylog cursor set DIR SOURCE RESOURCE CURSOR [--dry-run]\n"
     "           [--passphrase-file F] [--network-fs-ok] [--wait SECONDS]\n"
     "           [--json]",
     "  list                   source, resource, cursor and the entry that set it\n"
     "  set                    by an entry of its own; RESOURCE may be '*' for all\n"
     DRY PASS NETWORK WAIT JSON},
    {"peer", cmd_peer, "who receives the log, and how far each is",
     "list DIR [--max-lag ENTRIES] [--max-age TIME] [--json]\n"
     "       paritylog peer add DIR NAME [--dry-run] [--passphrase-file F]\n"
     "           [--network-fs-ok] [--wait SECONDS] [--json]\n"
     "       paritylog peer ack DIR NAME SEQ[:ROOT] [--dry-run]\n"
     "           [--passphrase-file F] [--network-fs-ok] [--wait SECONDS]\n"
     "           [--json]\n"
     "       paritylog peer rewind DIR NAME SEQ [--dry-run]\n"
     "           [--passphrase-file F] [--network-fs-ok] [--wait SECONDS]\n"
     "           [--json]\n"
     "       paritylog peer evict DIR NAME --reason TEXT [--dry-run]\n"
     "           [--passphrase-file F] [--network-fs-ok] [--wait SECONDS]\n"
     "           [--json]",
     "  list                   cursor, lag in entries, bytes and seconds\n"
     "  ack                    NAME has received the entries up to SEQ\n"
     "  rewind                 NAME has lost entries and stands at SEQ again\n"
     "  --max-lag ENTRIES      warn of peers that lack more\n"
     "  --max-age TIME         warn of peers not heard of (90s, 15m, 12h, 30d)\n"
     "  --reason TEXT          why, signed into the log\n" DRY PASS NETWORK WAIT
         JSON},
    {"rotate", cmd_rotate, "end the last segment and begin the next",
     "DIR [--passphrase-file F] [--network-fs-ok] [--wait SECONDS] [--json]",
     PASS NETWORK WAIT JSON},
    {"compact", cmd_compact, "take away what every peer has received",
     "DIR [--dry-run] [--discard] [--trim-store] [--undo]\n"
     "           [--passphrase-file F] [--key VKEY] [--network-fs-ok]\n"
     "           [--wait SECONDS] [--json]",
     "  --discard              remove segments instead of archiving them\n"
     "  --trim-store           drop old events from the store, too\n"
     "  --undo                 bring back what the last one archived\n" DRY PASS
         KEY NETWORK WAIT JSON},
    {"redact", cmd_redact, "remove a payload, keep its proof",
     "DIR SEQ --reason TEXT [--dry-run] [--passphrase-file F]\n"
     "           [--key VKEY] [--wait SECONDS] [--json]\n"
     "       paritylog redact DIR --list [--json]",
     "  --reason TEXT          why; signed into the log, 1 to 255 bytes\n"
     "  --list                 what was redacted, when and why\n" DRY PASS KEY
         WAIT JSON},
    {"key", cmd_key, "show, rotate or trust keys",
     "show|list DIR [--json]\n"
     "       paritylog key rotate DIR [--passphrase-file F]\n"
     "           [--new-passphrase-file F] [--dry-run] [--wait SECONDS] "
     "[--json]\n"
     "       paritylog key trust DIR VKEY [--dry-run] [--json]",
     "  show                   the verifier key in force\n"
     "  list                   every key with the sizes that it signs\n"
     "  rotate                 go over to a new signing key\n"
     "  trust                  add a verifier key to keys/\n" DRY PASS
     "  --new-passphrase-file F  for the new key (default: as the old one)\n"
         WAIT JSON},
};
/* clang-format on */

int main(int argc, char **argv)
{
    return cli_main(commands, sizeof commands / sizeof *commands, argc, argv);
}
