/* said.c - see said.h. */
#include "said.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

static char said[20000];

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *format, ...)
{
    size_t n = strlen(said);
    va_list ap;
    va_start(ap, format);
    vsnprintf(said + n, sizeof said - n, format, ap);
    va_end(ap);
}

static bool is_drawn(char c)
{
    return isalnum((unsigned char)c) || c == '+' || c == '/' || c == '=';
}

/* A text, with `#` for each word that was drawn: a hash, or the name of a key,
 * which has a digit in eight of hex. */
static void add_text(const char *text)
{
    while (*text) {
        size_t n = 0;
        if (strncmp(text, "plog-", 5) == 0) { /* a name that nobody gave */
            add("#");
            text += strspn(text, "plog-0123456789abcdef");
            continue;
        }
        while (is_drawn(text[n]))
            n++;
        bool hash = n == 44 && text[43] == '=';
        bool key = n == 8 && strspn(text, "0123456789abcdef") >= 8;
        if (hash || key)
            add("#");
        else if (n)
            add("%.*s", (int)n, text);
        else
            add("%c", text[n++]);
        text += n;
    }
}

static int say_finding(void *arg, const struct plog_finding *f)
{
    (void)arg;
    add("%s in %s", plog_code_word(f->verdict), plog_leg_name(f->leg));
    if (f->file[0])
        add(", %s", f->file);
    if (f->has_offset)
        add(" at %" PRIu64, f->offset);
    if (f->seq)
        add(", entry %" PRIu64, f->seq);
    add(": want ");
    add_text(f->expected);
    add("; got ");
    add_text(f->found);
    add("; do %.17s\n", f->next);
    return 0;
}

static int say_unchecked(void *arg, const struct plog_unchecked *u)
{
    (void)arg;
    add("unchecked %s %" PRIu64 "-%" PRIu64 ": %s\n", plog_leg_name(u->leg),
        u->from, u->to, u->why);
    return 0;
}

const char *said_check(said_check_fn *check, const char *dir,
                       const struct plog_check_options *given)
{
    struct plog_check_options o = *given;
    struct plog_check_report r;
    struct plog_error err = {0};
    o.struct_size = sizeof o;
    o.finding = say_finding;
    o.unchecked = say_unchecked;
    said[0] = '\0';
    int rc = check(dir, &o, &r, &err);
    if (rc)
        add("%s: %s\n", plog_code_word(rc), err.message);
    add("%s, head %" PRIu64 ", %" PRIu64 " entries %" PRIu64 "-%" PRIu64
        ", %" PRIu64 " records, floor %" PRIu64 ", %" PRIu64
        " segments, store %d %" PRIu64 ", since %" PRIu64 ", pending %" PRIu64
        "\n",
        plog_code_word(r.verdict), r.head.size, r.entries, r.from, r.to,
        r.records, r.floor, r.segments, r.has_store, r.store_size, r.since,
        r.pending);
    return said;
}
