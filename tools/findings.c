/* findings.c - see findings.h. */
#include "findings.h"

#include <stdlib.h>
#include <string.h>

/* Ranges are few by nature; this only bounds memory. */
#define RANGES_MIN 100

void findings_init(struct findings *f, size_t limit)
{
    *f = (struct findings){.limit = limit};
}

static void free_finding(struct plog_finding *f)
{
    free((char *)f->file);
    free((char *)f->expected);
    free((char *)f->found);
    free((char *)f->next);
}

void findings_fini(struct findings *f)
{
    for (size_t i = 0; i < f->count; i++)
        free_finding(&f->list[i]);
    for (size_t i = 0; i < f->range_count; i++)
        free((char *)f->ranges[i].why);
    free(f->list);
    free(f->ranges);
}

static const char *copy(const char *text)
{
    return strdup(text ? text : "");
}

/* Makes room for one more of `size` bytes in a list that may grow. */
static int grow(void **list, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return 0;
    size_t more = *room ? *room * 2 : 16;
    void *bigger = realloc(*list, more * size);
    if (!bigger)
        return PLOG_E_NOMEM;
    *list = bigger;
    *room = more;
    return 0;
}

int findings_add(struct findings *f, const struct plog_finding *finding)
{
    void *list = f->list;
    /* The first of each verdict is kept whatever comes before it. */
    bool *seen = &f->seen[-finding->verdict];
    if (f->count >= f->limit && (*seen || f->limit == 0))
        return 0;
    *seen = true;
    int rc = grow(&list, f->count, &f->room, sizeof *f->list);
    f->list = list;
    if (rc != 0)
        return rc;
    struct plog_finding own = *finding;
    own.file = copy(finding->file);
    own.expected = copy(finding->expected);
    own.found = copy(finding->found);
    own.next = copy(finding->next);
    if (!own.file || !own.expected || !own.found || !own.next) {
        free_finding(&own);
        return PLOG_E_NOMEM;
    }
    f->list[f->count++] = own;
    return 0;
}

int findings_add_range(struct findings *f, const struct plog_unchecked *range)
{
    void *list = f->ranges;
    size_t limit = f->limit > RANGES_MIN ? f->limit : RANGES_MIN;
    if (f->range_count >= limit) {
        f->dropped_ranges++;
        return 0;
    }
    int rc = grow(&list, f->range_count, &f->range_room, sizeof *f->ranges);
    f->ranges = list;
    if (rc != 0)
        return rc;
    struct plog_unchecked own = *range;
    own.why = copy(range->why);
    if (!own.why)
        return PLOG_E_NOMEM;
    f->ranges[f->range_count++] = own;
    return 0;
}
