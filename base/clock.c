#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id, int64_t units_per_second)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * units_per_second + (int64_t)now.tv_nsec / (1000000000 / units_per_second);
}

int64_t clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME, 1000);
}

int64_t clock_mono_ms(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000);
}

int64_t clock_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000000);
}

static struct tm split(int64_t wall_ms, int *milliseconds)
{
    int64_t seconds = wall_ms / 1000;
    int64_t rest = wall_ms % 1000;
    if (rest < 0) {
        rest += 1000;
        seconds--;
    }
    if (milliseconds)
        *milliseconds = (int)rest;
    time_t when = (time_t)seconds;
    struct tm parts;
    (void)gmtime_r(&when, &parts);
    return parts;
}

char *clock_format_iso(char out[CLOCK_ISO_SIZE], int64_t wall_ms)
{
    int milliseconds;
    struct tm t = split(wall_ms, &milliseconds);
    size_t n = strftime(out, CLOCK_ISO_SIZE, "%Y-%m-%dT%H:%M:%S", &t);
    (void)snprintf(out + n, CLOCK_ISO_SIZE - n, ".%03dZ", milliseconds);
    return out;
}

char *clock_format_http(char out[CLOCK_HTTP_DATE_SIZE], int64_t wall_ms)
{
    /* strftime's %a and %b follow the locale; the protocol's names do not. */
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm t = split(wall_ms, NULL);
    (void)snprintf(out, CLOCK_HTTP_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[t.tm_wday % 7],
                   (unsigned)t.tm_mday % 100u, months[t.tm_mon % 12], (unsigned)(t.tm_year + 1900) % 10000u,
                   (unsigned)t.tm_hour % 100u, (unsigned)t.tm_min % 100u, (unsigned)t.tm_sec % 100u);
    return out;
}
