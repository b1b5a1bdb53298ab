/* one_place.c - see one_place.h. */
#include "one_place.h"

#include <execinfo.h>
#include <stdio.h>

#include "check.h"
#include "files.h"

#define PLACES 4000
#define FRAMES 40

static struct {
    bool on;
    uint64_t fail; /* the place to fail at; 0: none */
    void *end;     /* where the operation was called */
    bool failed;
    uint64_t at[PLACES];
    char text[PLACES][120];
    size_t count, now;
} places;

static bool is_known(uint64_t place)
{
    for (size_t i = 0; i < places.count; i++)
        if (places.at[i] == place)
            return true;
    return false;
}

bool one_place_fails(const char *text, uint64_t more)
{
    void *frames[FRAMES];
    if (!places.on)
        return false;
    int n = backtrace(frames, FRAMES), calls = 0;
    while (calls < n && frames[calls] != places.end)
        calls++;
    uint64_t place = tree_hash_bytes(1, frames, (size_t)calls * sizeof *frames);
    place = tree_hash_bytes(place, &more, sizeof more);
    place += place == 0;
    if (!places.fail && places.count < PLACES && !is_known(place)) {
        snprintf(places.text[places.count], sizeof *places.text, "%s", text);
        places.at[places.count++] = place;
    }
    if (places.failed || place != places.fail)
        return false;
    places.failed = true;
    return true;
}

/* A function of its own: the compiler calls it from two places. */
#if defined(__clang__)
#define BY_ITSELF __attribute__((noinline))
#else
#define BY_ITSELF __attribute__((noinline, noclone))
#endif
static int BY_ITSELF call(int (*act)(void *arg), void *arg)
{
    places.end = __builtin_return_address(0);
    places.failed = false;
    places.on = true;
    int rc = act(arg);
    places.on = false;
    return rc;
}

int one_place_run(size_t n, int (*act)(void *arg), void *arg)
{
    if (n == 0)
        places.count = 0;
    places.now = n;
    places.fail = n ? places.at[n - 1] : 0;
    int rc = call(act, arg);
    if (n == 0)
        CHECK(places.count > 0 && places.count < PLACES);
    else
        CHECK(places.failed);
    return rc;
}

size_t one_place_count(void)
{
    return places.count;
}

const char *one_place_text(size_t n)
{
    return n ? places.text[n - 1] : "unharmed";
}

size_t one_place_now(void)
{
    return places.now;
}

bool one_place_has_failed(void)
{
    return places.failed;
}

void one_place_pause(bool on)
{
    places.on = !on;
}
