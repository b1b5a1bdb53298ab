/* rows.c - see rows.h. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "proc.h"
#include "table.h"
#include "text.h"

void rows_init(struct rows *r, enum rows_format format)
{
    *r = (struct rows){.format = format};
}

void rows_fini(struct rows *r)
{
    for (int i = 0; i < r->count; i++)
        free(r->names[i]);
    free(r->names);
    table_free(r->table);
}

void rows_hex(FILE *f, struct plog_span blob)
{
    for (size_t i = 0; i < blob.n; i++)
        fprintf(f, "%02x", (unsigned char)blob.p[i]);
}

static bool is_taken(const struct rows *r, const char *name)
{
    for (int i = 0; i < r->count; i++) {
        if (strcmp(r->names[i], name) == 0)
            return true;
    }
    return false;
}

static int add_name(struct rows *r, const char *name)
{
    size_t room = strlen(name) + 16;
    char *own = malloc(room);
    if (!own)
        return PLOG_E_NOMEM;
    memcpy(own, name, strlen(name) + 1);
    for (int n = 2; is_taken(r, own); n++)
        snprintf(own, room, "%s:%d", name, n);
    r->names[r->count++] = own;
    return 0;
}

static void csv_field(FILE *f, struct plog_span text)
{
    bool plain = text.n > 0;
    for (size_t i = 0; plain && i < text.n; i++)
        plain = !strchr("\",\r\n", text.p[i]) || text.p[i] == '\0';
    if (plain) {
        text_csv(f, text.p, text.n);
        return;
    }
    putc('"', f);
    for (size_t i = 0, n; i < text.n; i += n) {
        const char *quote = memchr(text.p + i, '"', text.n - i);
        n = quote ? (size_t)(quote - text.p) + 1 - i : text.n - i;
        text_csv(f, text.p + i, n);
        if (quote)
            putc('"', f);
    }
    putc('"', f);
}

static int begin(struct rows *r, const struct plog_row *row)
{
    r->begun = true;
    r->names = calloc((size_t)row->count + 1, sizeof *r->names);
    if (!r->names)
        return PLOG_E_NOMEM;
    for (int i = 0; i < row->count; i++) {
        int rc = add_name(r, row->names[i]);
        if (rc != 0)
            return rc;
    }
    switch (r->format) {
    case ROWS_JSON:
        out_init(&r->json, stdout);
        out_array(&r->json, NULL);
        return 0;
    case ROWS_CSV:
        for (int i = 0; i < r->count; i++) {
            if (i > 0)
                putchar(',');
            csv_field(stdout,
                      (struct plog_span){row->names[i], strlen(row->names[i])});
        }
        putchar('\n');
        return 0;
    case ROWS_TABLE:
        r->table = table_new(row->names, row->count);
        return r->table ? 0 : PLOG_E_NOMEM;
    }
    return 0;
}

static void json_blob(struct out *o, const char *name, struct plog_span blob)
{
    out_raw(o, name, "\"", 1);
    rows_hex(o->file, blob);
    putc('"', o->file);
}

/* SQLite writes infinities as Inf; JSON has no such number. */
static bool is_number(struct plog_span text)
{
    size_t sign = text.n > 0 && text.p[0] == '-';
    return text.n > sign && text.p[sign] >= '0' && text.p[sign] <= '9';
}

static void json_row(struct rows *r, const struct plog_row *row)
{
    struct out *o = &r->json;
    out_object(o, NULL);
    for (int i = 0; i < row->count; i++) {
        struct plog_span v = row->values[i];
        int type = row->types[i];
        if (type == ROWS_TEXT)
            out_span(o, r->names[i], v.p, v.n);
        else if (type == ROWS_BLOB)
            json_blob(o, r->names[i], v);
        else if (type != ROWS_NULL && is_number(v))
            out_raw(o, r->names[i], v.p, v.n);
        else
            out_null(o, r->names[i]);
    }
    out_end(o);
}

static void csv_row(const struct plog_row *row)
{
    for (int i = 0; i < row->count; i++) {
        if (i > 0)
            putchar(',');
        if (row->types[i] == ROWS_BLOB)
            rows_hex(stdout, row->values[i]);
        else if (row->types[i] != ROWS_NULL)
            csv_field(stdout, row->values[i]);
    }
    putchar('\n');
}

static int take(struct rows *r, const struct plog_row *row)
{
    int rc = r->begun ? 0 : begin(r, row);
    if (rc != 0 || !row->values)
        return rc;
    if (r->format == ROWS_JSON)
        json_row(r, row);
    else if (r->format == ROWS_CSV)
        csv_row(row);
    else
        rc = table_row(r->table, row);
    return rc;
}

int rows_each(void *arg, const struct plog_row *row)
{
    struct rows *r = arg;
    int rc = take(r, row);
    if (rc == PLOG_E_NOMEM)
        r->lacked_memory = true;
    if (out_failed())
        return PLOG_E_IO;
    return !rc && proc_interrupted() ? PLOG_E_INTERRUPTED : rc;
}

void rows_end(struct rows *r)
{
    if (!r->begun)
        return;
    if (r->format == ROWS_JSON)
        out_end(&r->json);
    else if (r->format == ROWS_TABLE)
        table_end(r->table);
}
