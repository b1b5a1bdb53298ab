/* fail.c - see fail.h. */
#include "fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "out.h"
#include "text.h"

/* What to do next where the library does not say.  Only looks, waits or
 * mends; nothing here may destroy. */
static const char *default_hint(int code)
{
    switch (code) {
    case PLOG_E_LOCKED:
        return "wait longer for the other process with --wait SECONDS";
    case PLOG_E_NOTHING:
        return "see that the path is right; `paritylog init DIR` makes a "
               "new log";
    case PLOG_E_NOT_FOUND:
        return "`paritylog status DIR` says how far the log goes";
    case PLOG_E_BEHIND:
        return "see what is missing with `paritylog replay DIR --dry-run`";
    case PLOG_E_AHEAD:
    case PLOG_E_DIVERGED:
    case PLOG_E_TORN:
    case PLOG_E_CORRUPT:
    case PLOG_E_TAMPERED:
    case PLOG_E_ROLLBACK:
    case PLOG_E_FORK:
    case PLOG_E_FOREIGN:
        return "see all findings with `paritylog parity DIR`";
    case PLOG_E_INDETERMINATE:
    case PLOG_E_POISONED:
        return "see the state of the disk, then `paritylog status DIR`; "
               "sending the same lines with the same ids again is safe";
    default:
        return "";
    }
}

const char *fail_hint(int code, const struct plog_error *err)
{
    return err->hint[0] ? err->hint : default_hint(code);
}

static const char *command_name(const struct cli *c)
{
    return c->command ? c->command->name : "";
}

static void safe(const char *text)
{
    text_safe(stderr, text, strlen(text));
}

static void say_durable(const struct fail_more *more)
{
    char root[TEXT_BASE64(PLOG_HASH_SIZE)];
    text_base64(more->root, PLOG_HASH_SIZE, root);
    if (more->lines)
        fprintf(stderr, "  durable: lines 1 to %llu of this input",
                (unsigned long long)more->lines);
    else
        fputs("  durable: no line of this input", stderr);
    fprintf(stderr, "; the log stands at size %llu, root %s\n",
            (unsigned long long)more->size, root);
}

/* FILE, line N, column N (byte N), seq N, member NAME: */
static void say_place(const struct plog_error *err,
                      const struct fail_more *more)
{
    const char *comma = "";
    if (err->file[0]) {
        safe(strcmp(err->file, "-") == 0 ? "standard input" : err->file);
        comma = ", ";
    }
    if (err->line) {
        fprintf(stderr, "%sline %llu", comma, (unsigned long long)err->line);
        comma = ", ";
    }
    if (more && more->column) {
        fprintf(stderr, "%scolumn %llu", comma,
                (unsigned long long)more->column);
        comma = ", ";
    }
    if (err->has_offset) {
        fprintf(stderr, "%sbyte %llu", comma, (unsigned long long)err->offset);
        comma = ", ";
    }
    if (err->seq) {
        fprintf(stderr, "%sseq %llu", comma, (unsigned long long)err->seq);
        comma = ", ";
    }
    /* Most messages begin with the member already. */
    if (err->member[0] &&
        strncmp(err->message, err->member, strlen(err->member)) != 0) {
        fprintf(stderr, "%smember ", comma);
        safe(err->member);
        comma = ", ";
    }
    if (*comma)
        fputs(": ", stderr);
}

static void say_text(const struct cli *c, int code,
                     const struct plog_error *err, const struct fail_more *more)
{
    const char *hint = fail_hint(code, err);
    fprintf(stderr, "paritylog%s%s: %s: ", c->command ? " " : "",
            command_name(c), plog_code_word(code));
    say_place(err, more);
    safe(err->message[0] ? err->message : plog_strerror(code));
    putc('\n', stderr);
    if (*hint) {
        fputs("  next: ", stderr);
        safe(hint);
        putc('\n', stderr);
    }
    if (more && more->has_durable)
        say_durable(more);
}

static void say_json(int code, const struct plog_error *err,
                     const struct fail_more *more)
{
    struct out o;
    const char *hint = fail_hint(code, err);
    out_init(&o, stderr);
    out_object(&o, NULL);
    out_object(&o, "error");
    out_text(&o, "code", plog_code_word(code));
    out_text(&o, "message",
             err->message[0] ? err->message : plog_strerror(code));
    if (*hint)
        out_text(&o, "hint", hint);
    if (err->file[0])
        out_text(&o, "file", err->file);
    if (err->line)
        out_uint(&o, "line", err->line);
    if (err->has_offset)
        out_uint(&o, "offset", err->offset);
    if (more && more->column)
        out_uint(&o, "column", more->column);
    if (err->member[0])
        out_text(&o, "member", err->member);
    if (err->seq)
        out_uint(&o, "seq", err->seq);
    if (more && more->has_durable) {
        out_object(&o, "durable");
        out_uint(&o, "lines", more->lines);
        out_uint(&o, "size", more->size);
        out_hash(&o, "root", more->root);
        out_end(&o);
    }
    out_end(&o);
    out_end(&o);
}

/* Of a file that the caller names; "" for what says nothing by itself. */
static const char *step_of(int why)
{
    switch (why) {
    case EEXIST:
        return "name a path that is not there yet";
    case ENOENT:
    case ENOTDIR:
        return "see that the path is right";
    case EISDIR:
        return "name a file, not a folder";
    case EACCES:
    case EPERM:
        return "see whose file that is, or name another";
    case ENOSPC:
    case EDQUOT:
        return "make room on the disk of that file, or name one on another";
    case EROFS:
        return "name one on a disk that can be written to";
    default:
        return "";
    }
}

int fail(struct cli *c, int rc, const struct plog_error *err,
         const struct fail_more *more)
{
    static const struct plog_error nothing;
    struct plog_error output = {.code = PLOG_E_IO};
    if (!err)
        err = &nothing;
    int code = err->code < 0 ? err->code : rc < 0 ? rc : PLOG_E_IO;
    if (out_failed()) {
        code = output.code = out_code();
        snprintf(output.message, sizeof output.message,
                 "writing to standard output failed: %s",
                 code == PLOG_E_IO ? strerror(out_errno())
                                   : "interrupted, and nobody read it");
        if (code == PLOG_E_IO)
            snprintf(output.hint, sizeof output.hint, "%s",
                     step_of(out_errno()));
        err = &output;
    }
    if (c->json)
        say_json(code, err, more);
    else
        say_text(c, code, err, more);
    c->failed = true;
    return plog_exit_status(code);
}

int fail_set(struct plog_error *err, int code, const char *format, ...)
{
    va_list args;
    *err = (struct plog_error){.code = code};
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return code;
}

int fail_errno(struct plog_error *err, int why, const char *format, ...)
{
    char what[400];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    fail_set(err, why == EEXIST ? PLOG_E_EXISTS : PLOG_E_IO, "%s: %s", what,
             strerror(why));
    snprintf(err->hint, sizeof err->hint, "%s", step_of(why));
    return err->code;
}

int fail_usage(struct cli *c, const char *format, ...)
{
    struct plog_error err = {.code = PLOG_E_ARG};
    va_list args;
    va_start(args, format);
    vsnprintf(err.message, sizeof err.message, format, args);
    va_end(args);
    if (c->command)
        snprintf(err.hint, sizeof err.hint,
                 "`paritylog help %s` says how it is called", c->command->name);
    else
        snprintf(err.hint, sizeof err.hint,
                 "`paritylog help` lists the commands");
    return fail(c, PLOG_E_ARG, &err, NULL);
}

void fail_note(const struct cli *c, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (c->json) {
        struct out o;
        out_init(&o, stderr);
        out_object(&o, NULL);
        out_text(&o, "note", text);
        out_end(&o);
        return;
    }
    fprintf(stderr, "paritylog %s: ", command_name(c));
    safe(text);
    putc('\n', stderr);
}
