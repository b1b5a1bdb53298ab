/* out.c - see out.h. */
#include "out.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc.h"
#include "text.h"

static int first_errno;
static bool to_file; /* which takes what it gets at once */

/* ---- Standard output ---------------------------------------------------- */

/* One write that does not block, but for a terminal that was stopped.  Returns
 * as write(2). */
static ssize_t write_some(const char *p, size_t n)
{
    if (to_file)
        return write(STDOUT_FILENO, p, n);
    if (proc_wait_output() < 0) {
        errno = EINTR;
        return -1;
    }
    return write(STDOUT_FILENO, p, n < PIPE_BUF ? n : PIPE_BUF);
}

/* Behind a failure nothing more is written: no line goes on behind a gap, and
 * nothing that ends the process waits once more. */
static ssize_t write_out(void *cookie, const char *p, size_t n)
{
    size_t done = 0;
    (void)cookie;
    while (done < n && first_errno == 0) {
        ssize_t some = write_some(p + done, n - done);
        if (some > 0)
            done += (size_t)some;
        else if (some == 0)
            first_errno = ENOSPC; /* nothing taken, and no reason given */
        else if (errno != EINTR || proc_interrupted())
            first_errno = errno;
    }
    if (first_errno)
        errno = first_errno;
    return (ssize_t)done;
}

/* Without memory for it the C library's own stays, which may wait. */
void out_start(void)
{
    const cookie_io_functions_t calls = {.write = write_out};
    struct stat st;
    FILE *f = fopencookie(NULL, "w", calls);
    if (!f)
        return;
    to_file = fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode);
    if (isatty(STDOUT_FILENO) == 1)
        setvbuf(f, NULL, _IOLBF, 0);
    stdout = f;
}

int out_code(void)
{
    return first_errno == EINTR && proc_interrupted() ? PLOG_E_INTERRUPTED
                                                      : PLOG_E_IO;
}

bool out_failed(void)
{
    if (ferror(stdout) && first_errno == 0)
        first_errno = errno ? errno : EIO;
    return first_errno != 0;
}

bool out_flush_failed(void)
{
    if (fflush(stdout) != 0 && first_errno == 0)
        first_errno = errno ? errno : EIO;
    return out_failed();
}

int out_errno(void)
{
    return first_errno;
}

int out_line(void *arg, uint64_t seq, const char *line, size_t len)
{
    (void)arg;
    (void)seq;
    text_json(stdout, line, len);
    putc('\n', stdout);
    if (out_failed())
        return PLOG_E_IO;
    return proc_interrupted() ? PLOG_E_INTERRUPTED : 0;
}

static void string(FILE *f, const char *p, size_t n)
{
    putc('"', f);
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)p[i];
        size_t len = text_utf8(p + i, n - i);
        if (len == 0)
            fputs("\\ufffd", f);
        else if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", f);
        else if (text_steers(p + i, len))
            fprintf(f, "\\u%04x", text_code(p + i, len));
        else
            fwrite(p + i, 1, len, f);
        i += len ? len : 1;
    }
    putc('"', f);
}

/* Begins a member or element: the comma before it and its name. */
static void begin(struct out *o, const char *name)
{
    if (!o->first)
        putc(',', o->file);
    o->first = false;
    if (name) {
        string(o->file, name, strlen(name));
        putc(':', o->file);
    }
}

static void open_level(struct out *o, const char *name, char open, char close)
{
    assert(o->depth < OUT_DEPTH);
    begin(o, name);
    putc(open, o->file);
    o->close[o->depth++] = close;
    o->first = true;
}

void out_init(struct out *o, FILE *file)
{
    *o = (struct out){.file = file, .first = true};
}

void out_object(struct out *o, const char *name)
{
    open_level(o, name, '{', '}');
}

void out_array(struct out *o, const char *name)
{
    open_level(o, name, '[', ']');
}

void out_list_init(struct out_list *l, const char *schema, const char *name)
{
    *l = (struct out_list){.schema = schema, .name = name};
}

struct out *out_list_row(struct out_list *l)
{
    struct out *o = &l->out;
    if (l->begun)
        return o;
    l->begun = true;
    out_init(o, stdout);
    out_object(o, NULL);
    out_text(o, "schema", l->schema);
    out_array(o, l->name);
    return o;
}

void out_list_end(struct out_list *l)
{
    struct out *o = out_list_row(l);
    out_end(o);
    out_end(o);
}

void out_end(struct out *o)
{
    assert(o->depth > 0);
    putc(o->close[--o->depth], o->file);
    o->first = o->depth == 0;
    if (o->depth == 0)
        putc('\n', o->file);
}

void out_span(struct out *o, const char *name, const char *p, size_t n)
{
    begin(o, name);
    string(o->file, p, n);
}

void out_text(struct out *o, const char *name, const char *text)
{
    out_span(o, name, text, strlen(text));
}

void out_text_or_null(struct out *o, const char *name, const char *text)
{
    if (text && *text)
        out_text(o, name, text);
    else
        out_null(o, name);
}

void out_raw(struct out *o, const char *name, const char *p, size_t n)
{
    begin(o, name);
    text_json(o->file, p, n);
}

void out_uint(struct out *o, const char *name, uint64_t value)
{
    begin(o, name);
    fprintf(o->file, "%llu", (unsigned long long)value);
}

void out_double(struct out *o, const char *name, double value)
{
    char text[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        double again = strtod(text, NULL);
        if (memcmp(&again, &value, sizeof again) == 0)
            break;
    }
    out_raw(o, name, text, strlen(text));
}

void out_bool(struct out *o, const char *name, bool value)
{
    begin(o, name);
    fputs(value ? "true" : "false", o->file);
}

void out_null(struct out *o, const char *name)
{
    begin(o, name);
    fputs("null", o->file);
}

void out_base64(struct out *o, const char *name, const unsigned char *p,
                size_t n)
{
    char text[TEXT_BASE64(PLOG_SIG_SIZE)];
    assert(n <= PLOG_SIG_SIZE);
    text_base64(p, n, text);
    out_text(o, name, text);
}

void out_hash(struct out *o, const char *name, const unsigned char *hash)
{
    out_base64(o, name, hash, PLOG_HASH_SIZE);
}

void out_head(struct out *o, const struct plog_head *h)
{
    out_object(o, "head");
    out_uint(o, "size", h->size);
    out_hash(o, "root", h->root);
    out_end(o);
}
