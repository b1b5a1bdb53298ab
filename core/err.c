/* err.c - codes, words, strategies, and filling errors. */
#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct code {
    int value, exit_status;
    const char *word, *text;
};

static const struct code codes[] = {
#define PLOG_CODE_ROW(name, value, exit_status, word, text)                    \
    {value, exit_status, word, text},
    PLOG_CODES(PLOG_CODE_ROW)
#undef PLOG_CODE_ROW
};

static const struct code *find(int code)
{
    static const struct code unknown = {0, 1, "UNKNOWN", "an unknown error"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].value == code)
            return &codes[i];
    return &unknown;
}

const char *plog_hint_step(const char *hint)
{
    static const char run[] = "run: ";
    bool has = strncmp(hint, run, sizeof run - 1) == 0;
    return has ? hint + sizeof run - 1 : hint;
}

const char *plog_strerror(int code)
{
    return find(code)->text;
}

const char *plog_code_word(int code)
{
    return find(code)->word;
}

int plog_exit_status(int code)
{
    return find(code)->exit_status;
}

static const char *const strategies[PLOG_STRATEGIES] = {
    "last-write-wins", "arrival",    "highest-confidence",
    "keep-local",      "merge-json", "custom"};

const char *plog_strategy_name(enum plog_strategy s)
{
    return (unsigned)s < PLOG_STRATEGIES ? strategies[s] : NULL;
}

int plog_strategy_parse(const char *name, enum plog_strategy *out)
{
    for (unsigned i = 0; i < PLOG_STRATEGIES; i++)
        if (strcmp(name, strategies[i]) == 0) {
            *out = (enum plog_strategy)i;
            return 0;
        }
    return PLOG_E_ARG;
}

int plog_fail(struct plog_error *err, int code, const char *format, ...)
{
    va_list ap;
    char message[sizeof err->message];
    if (!err)
        return code;
    va_start(ap, format); /* arguments may lie in `err` itself */
    vsnprintf(message, sizeof message, format, ap);
    va_end(ap);
    memset(err, 0, sizeof *err);
    memcpy(err->message, message, sizeof message);
    err->code = code;
    return code;
}

/* What to do about an errno value, where that depends on it alone; "" when it
 * does not.  Who knows more says more. */
static const char *step_of(int rc)
{
    switch (-rc) {
    case ENOSPC:
    case EDQUOT:
        return PLOG_MAKE_ROOM;
    case EFBIG:
        return "let files be longer than that: ulimit -f";
    case EMFILE:
    case ENFILE:
        return "let more files be open at once: ulimit -n";
    case EACCES:
    case EPERM:
        return "run it as the user to whom the file belongs";
    case EROFS:
        return "mount the disk so that it can be written to, or work on a copy"
               " of DIR on another one";
    case EIO:
        return "the disk itself failed: keep a copy of DIR on another one (cp"
               " -a) before anything else; dmesg may say more";
    default:
        return "";
    }
}

int plog_fail_io(struct plog_error *err, int rc, const char *file,
                 const char *doing)
{
    char buf[128];
    int code = rc == -ENOMEM ? PLOG_E_NOMEM : PLOG_E_IO;
    const char *why = strerror_r(-rc, buf, sizeof buf);
    plog_fail(err, code, "%s: %s", doing, why);
    plog_err_file(err, file);
    plog_err_hint(err, "%s", step_of(rc));
    return code;
}

bool plog_err_no_room(const struct plog_error *err)
{
    return err && strcmp(err->hint, PLOG_MAKE_ROOM) == 0;
}

int plog_say_nomem(struct plog_error *err, int rc)
{
    if (rc == PLOG_E_NOMEM && err && err->code != rc)
        plog_fail(err, rc, "out of memory");
    return rc;
}

int plog_done(struct plog_error *err, int rc)
{
    if (rc >= 0 && err && err->code)
        memset(err, 0, sizeof *err);
    return plog_say_nomem(err, rc);
}

int plog_stopped(struct plog_error *err, int answer)
{
    if (answer < 0)
        plog_fail(err, answer, "the caller's callback returned %d", answer);
    return answer;
}

int plog_take_options(void *own, size_t own_size, const void *given,
                      struct plog_error *err)
{
    const unsigned char *from = given;
    uint32_t size = 0, has = (uint32_t)own_size;
    memset(own, 0, own_size);
    memcpy(own, &has, sizeof has);
    if (!given)
        return 0;
    memcpy(&size, given, sizeof size);
    if (size <= sizeof size || size > own_size + 4096)
        return plog_fail(err, PLOG_E_ARG,
                         "struct_size is %u; it must be the sizeof of the"
                         " struct that is given",
                         (unsigned)size);
    for (size_t i = own_size; i < size; i++)
        if (from[i])
            return plog_fail(err, PLOG_E_ARG,
                             "the options ask for what a later version has");
    memcpy(own, given, size < own_size ? size : own_size);
    memcpy(own, &has, sizeof has);
    return 0;
}

void plog_err_hint(struct plog_error *err, const char *format, ...)
{
    va_list ap;
    if (!err)
        return;
    va_start(ap, format);
    vsnprintf(err->hint, sizeof err->hint, format, ap);
    va_end(ap);
}

void plog_err_file(struct plog_error *err, const char *file)
{
    if (err)
        snprintf(err->file, sizeof err->file, "%s", file ? file : "");
}

void plog_err_at(struct plog_error *err, const char *file, uint64_t offset)
{
    plog_err_file(err, file);
    if (err) {
        err->offset = offset;
        err->has_offset = true;
    }
}

void plog_err_seq(struct plog_error *err, uint64_t seq)
{
    if (err)
        err->seq = seq;
}

void plog_err_line(struct plog_error *err, uint64_t line)
{
    if (err)
        err->line = line;
}

void plog_err_member(struct plog_error *err, const char *member)
{
    if (err)
        snprintf(err->member, sizeof err->member, "%s", member);
}

void plog_err_index(struct plog_error *err, uint64_t index)
{
    if (err) {
        err->index = index;
        err->has_index = true;
    }
}

int plog_fail_pruned(struct plog_error *err, uint64_t seq, uint64_t floor)
{
    char name[64];
    snprintf(name, sizeof name, "snapshots/%020llu.jsonl.gz",
             (unsigned long long)floor);
    plog_fail(err, PLOG_E_PRUNED,
              "entry %llu was compacted away; the earliest one here is %llu,"
              " and %s stands for those below",
              (unsigned long long)seq, (unsigned long long)floor + 1, name);
    plog_err_file(err, name);
    plog_err_seq(err, floor + 1);
    plog_err_hint(err,
                  "entries up to %llu may be in archive/: paritylog"
                  " restore DIR --out NEWDIR --at SEQ reads them",
                  (unsigned long long)floor);
    return PLOG_E_PRUNED;
}
