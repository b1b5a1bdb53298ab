/* deltas.c - see deltas.h. */
#include "deltas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

void deltas_init(struct deltas *r)
{
    memset(r, 0, sizeof *r);
    heap_init(&r->h);
    plog_delta_parser_init(&r->p, &r->h.io);
}

void deltas_fini(struct deltas *r)
{
    free(r->text);
    plog_delta_parser_fini(&r->p);
    CHECK_UINT(r->h.live, 0);
}

int deltas_parse_max(struct deltas *r, const char *text, size_t n, size_t max)
{
    free(r->text);
    r->text = malloc(n ? n : 1);
    if (!r->text)
        abort();
    if (n)
        memcpy(r->text, text, n);
    memset(&r->err, 0, sizeof r->err);
    return plog_delta_parse(&r->p, plog_span(r->text, n), max, &r->d, &r->err);
}

int deltas_parse(struct deltas *r, const char *text)
{
    return deltas_parse_max(r, text, strlen(text), DELTAS_LINE * 4);
}

bool deltas_span(struct plog_span s, const char *want)
{
    return check_bytes(s.p, s.n, want, strlen(want), want, __FILE__, __LINE__);
}

void deltas_refused(struct deltas *r, const char *text, const char *member)
{
    bool ok = CHECK_INT(deltas_parse(r, text), PLOG_E_INPUT);
    ok &= CHECK_INT(r->err.code, PLOG_E_INPUT);
    ok &= CHECK_TEXT(r->err.member, member);
    ok &= CHECK(!r->err.has_offset);
    ok &= CHECK(strstr(r->err.message, member) == r->err.message);
    ok &= CHECK(r->err.hint[0] != '\0');
    if (!ok)
        printf("  of %s: %s\n", text, r->err.message);
    CHECK_INT(plog_delta_parse(&r->p, plog_span_text(text), DELTAS_LINE * 4,
                               &r->d, NULL),
              PLOG_E_INPUT);
}

void deltas_taken(struct deltas *r, const char *text)
{
    if (!CHECK_INT(deltas_parse(r, text), 0))
        printf("  of %s: %s\n", text, r->err.message);
}
