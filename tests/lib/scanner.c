/* scanner.c - see scanner.h. */
#include "scanner.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

char *scanner_exact(const char *p, size_t n)
{
    char *copy = malloc(n ? n : 1);
    if (!copy)
        abort();
    if (n)
        memcpy(copy, p, n);
    return copy;
}

void scanner_init(struct scanner *r)
{
    heap_init(&r->h);
    plog_json_init(&r->j, &r->h.io);
    plog_buf_init(&r->out, &r->h.io);
    r->fault.offset = 0;
    r->fault.what = NULL;
}

void scanner_fini(struct scanner *r)
{
    plog_json_fini(&r->j);
    plog_buf_fini(&r->out);
    CHECK_UINT(r->h.live, 0);
}

int scanner_compact(struct scanner *r, const char *p, size_t n)
{
    char *copy = scanner_exact(p, n);
    r->fault.what = NULL;
    int rc = plog_json_compact(&r->j, plog_span(copy, n), &r->out, &r->fault);
    free(copy);
    return rc;
}

int scanner_check(struct scanner *r, const char *p, size_t n)
{
    char *copy = scanner_exact(p, n);
    r->fault.what = NULL;
    int rc = plog_json_check(&r->j, plog_span(copy, n), &r->fault);
    free(copy);
    return rc;
}
