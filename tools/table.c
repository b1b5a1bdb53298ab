/* table.c - see table.h. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"
#include "text.h"

#define HELD_ROWS 100
#define HELD_BYTES ((size_t)1 << 20)
#define WIDTH_MAX 60 /* a longer cell pushes its row, not the whole column */

/* A cell that is held back: where its text ends, and its columns. */
struct cell {
    size_t end, width;
};

struct table {
    size_t columns;
    size_t *widths;
    FILE *text; /* all held cells, one behind the other */
    char *held;
    size_t held_bytes;
    struct cell *cells; /* (HELD_ROWS + 1) * columns, the names first */
    size_t cell_count;
    bool printing; /* the widths are settled */
};

static int hold(struct table *t, size_t column, size_t width)
{
    if (fflush(t->text) != 0)
        return PLOG_E_NOMEM;
    t->cells[t->cell_count++] = (struct cell){t->held_bytes, width};
    if (width > WIDTH_MAX)
        width = WIDTH_MAX;
    if (t->widths[column] < width)
        t->widths[column] = width;
    return 0;
}

struct table *table_new(const char *const *names, int columns)
{
    struct table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->columns = (size_t)columns;
    t->widths = calloc(t->columns + 1, sizeof *t->widths);
    t->cells = calloc((HELD_ROWS + 1) * t->columns + 1, sizeof *t->cells);
    t->text = open_memstream(&t->held, &t->held_bytes);
    if (!t->widths || !t->cells || !t->text) {
        table_free(t);
        return NULL;
    }
    for (size_t i = 0; i < t->columns; i++) {
        if (hold(t, i, text_safe(t->text, names[i], strlen(names[i]))) != 0) {
            table_free(t);
            return NULL;
        }
    }
    return t;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    if (t->text)
        fclose(t->text);
    free(t->held);
    free(t->widths);
    free(t->cells);
    free(t);
}

static void pad(char c, size_t n)
{
    while (n-- > 0)
        putchar(c);
}

/* Follows a cell of `width` columns: padding, or the end of the line. */
static void after_cell(const struct table *t, size_t column, size_t width)
{
    if (column + 1 == t->columns)
        putchar('\n');
    else
        pad(' ',
            (width < t->widths[column] ? t->widths[column] - width : 0) + 2);
}

static void print_held(struct table *t)
{
    size_t at = 0;
    for (size_t i = 0; i < t->cell_count; i++) {
        size_t column = i % t->columns;
        fwrite(t->held + at, 1, t->cells[i].end - at, stdout);
        at = t->cells[i].end;
        after_cell(t, column, t->cells[i].width);
        if (i + 1 != t->columns)
            continue;
        for (size_t k = 0; k < t->columns; k++) {
            pad('-', t->widths[k]);
            after_cell(t, k, t->widths[k]);
        }
    }
    t->cell_count = 0;
    t->printing = true;
}

static size_t print_value(FILE *f, struct plog_span value, int type)
{
    if (type == ROWS_NULL)
        return text_safe(f, "NULL", 4);
    if (type != ROWS_BLOB)
        return text_safe(f, value.p, value.n);
    fputs("x'", f);
    rows_hex(f, value);
    fputs("'", f);
    return value.n * 2 + 3;
}

int table_row(struct table *t, const struct plog_row *row)
{
    FILE *f = t->printing ? stdout : t->text;
    for (size_t i = 0; i < t->columns; i++) {
        size_t width = print_value(f, row->values[i], row->types[i]);
        int rc = 0;
        if (t->printing)
            after_cell(t, i, width);
        else
            rc = hold(t, i, width);
        if (rc != 0)
            return rc;
    }
    if (!t->printing && (t->cell_count == (HELD_ROWS + 1) * t->columns ||
                         t->held_bytes > HELD_BYTES))
        print_held(t);
    return 0;
}

void table_end(struct table *t)
{
    if (!t->printing)
        print_held(t);
}
