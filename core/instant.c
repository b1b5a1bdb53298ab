/* instant.c - RFC 3339 times as instants: see delta.h. */
#include <stdio.h>

#include "delta.h"

static bool two(const char *p, int *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return false;
    *out = (p[0] - '0') * 10 + p[1] - '0';
    return true;
}

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && leap(year));
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar, counted in
 * years that begin in March, so that the leap day comes last. */
static int64_t days_since_1970(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t of_era_days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    return era * 146097 + of_era_days - 719468;
}

static bool parse_date(const char *p, int *year, int *month, int *day)
{
    int century, rest;
    return two(p, &century) && two(p + 2, &rest) && p[4] == '-' &&
           two(p + 5, month) && p[7] == '-' && two(p + 8, day) &&
           (*year = century * 100 + rest, *month >= 1 && *month <= 12) &&
           *day >= 1 && *day <= days_in(*year, *month);
}

/* `.` and one to nine digits; returns the bytes taken, 0 when wrong. */
static size_t parse_fraction(const char *p, size_t n, int32_t *nanos)
{
    size_t i = 1;
    int32_t unit = 100000000;
    *nanos = 0;
    for (; i < n && p[i] >= '0' && p[i] <= '9'; i++) {
        if (i > 9)
            return 0;
        *nanos += (p[i] - '0') * unit;
        unit /= 10;
    }
    return i > 1 ? i : 0;
}

static bool parse_offset(const char *p, size_t n, int *seconds)
{
    int hours, minutes;
    *seconds = 0;
    if (n == 1)
        return *p == 'Z' || *p == 'z';
    if (n != 6 || (*p != '+' && *p != '-') || p[3] != ':' ||
        !two(p + 1, &hours) || !two(p + 4, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *seconds = (hours * 60 + minutes) * 60 * (*p == '-' ? -1 : 1);
    return true;
}

int plog_instant_parse(struct plog_span text, struct plog_instant *out)
{
    int year, month, day, hour, minute, second, offset;
    const char *p = text.p;
    size_t at = 19;
    int32_t nanos = 0;
    if (text.n < 20 || text.n > 35 || !parse_date(p, &year, &month, &day) ||
        (p[10] != 'T' && p[10] != 't') || !two(p + 11, &hour) || p[13] != ':' ||
        !two(p + 14, &minute) || p[16] != ':' || !two(p + 17, &second) ||
        hour > 23 || minute > 59 || second > 59)
        return PLOG_E_INPUT;
    if (p[at] == '.') {
        size_t taken = parse_fraction(p + at, text.n - at, &nanos);
        if (taken == 0)
            return PLOG_E_INPUT;
        at += taken;
    }
    if (at >= text.n || !parse_offset(p + at, text.n - at, &offset))
        return PLOG_E_INPUT;
    out->nanos = nanos;
    out->seconds = days_since_1970(year, month, day) * 86400 + hour * 3600 +
                   minute * 60 + second - offset;
    return 0;
}

int plog_instant_compare(struct plog_instant a, struct plog_instant b)
{
    if (a.seconds != b.seconds)
        return a.seconds < b.seconds ? -1 : 1;
    return (a.nanos > b.nanos) - (a.nanos < b.nanos);
}

struct plog_instant plog_instant_now(const struct plog_io *io)
{
    int64_t ns = io->clock_real_ns(io->ctx), seconds = ns / 1000000000;
    seconds -= ns % 1000000000 < 0; /* before 1970 */
    return (struct plog_instant){seconds, (int32_t)(ns - seconds * 1000000000)};
}

void plog_instant_format(struct plog_instant t, char *out)
{
    /* An offset may push a time out of the years that have a spelling. */
    const int64_t first = -62167219200, last = 253402300799;
    if (t.seconds < first)
        t = (struct plog_instant){first, 0};
    if (t.seconds > last)
        t = (struct plog_instant){last, 999999999};
    int64_t days = t.seconds / 86400, rest = t.seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int64_t z = days + 719468; /* the way back of days_since_1970 */
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t m = (5 * of_year + 2) / 153;
    int64_t day = of_year - (153 * m + 2) / 5 + 1;
    int64_t month = m < 10 ? m + 3 : m - 9;
    snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
             (int)((year + era * 400 + (month <= 2)) % 10000), (int)month % 100,
             (int)day % 100, (int)(rest / 3600) % 100, (int)(rest / 60 % 60),
             (int)(rest % 60), (int)(t.nanos / 1000) % 1000000);
}
