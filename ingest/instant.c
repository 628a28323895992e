#include "ingest/instant.h"

#include "base/num.h"

#include <math.h>
#include <string.h>

bool instant_cut_seconds(double seconds, int64_t *ms)
{
    if (!(fabs(seconds) < INSTANT_MS_MOST))
        return false;
    if (fabs(seconds) < 1e-6) { /* its text has an exponent */
        *ms = seconds < 0 ? -1 : 0;
        return true;
    }

    char text[NUM_TEXT_SIZE];
    size_t length = num_format_double(text, seconds);
    size_t at = 0;
    bool negative = text[0] == '-';
    if (negative)
        at++;
    int64_t whole = 0;
    for (; at < length && text[at] != '.'; at++)
        whole = whole * 10 + (text[at] - '0');
    at++;
    for (int i = 0; i < 3; i++, at++)
        whole = whole * 10 + (at < length ? text[at] - '0' : 0);
    bool more = false;
    for (; at < length; at++)
        more = more || text[at] != '0';
    *ms = negative ? -whole - more : whole;
    return true;
}

bool instant_us_of_seconds(double seconds, int64_t *us)
{
    if (!(seconds > INSTANT_TIMESTAMPTZ_LEAST && seconds < INSTANT_TIMESTAMPTZ_MOST))
        return false;
    *us = (int64_t)llround(seconds * 1e6);
    return true;
}

static bool of_number(double number, int64_t *ms)
{
    if (number < 1e11)
        return instant_cut_seconds(number, ms);
    if (!(number <= (double)NUM_EXACT_INTEGER_MAX))
        return false;
    *ms = (int64_t)floor(number);
    return true;
}

/* Takes exactly `digits` digits off *text. */
static bool take_digits(const char **text, int digits, int *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        *value = *value * 10 + (**text - '0');
    }
    return true;
}

static bool take_char(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar: whole eras of 400 years, years that begin in March. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static bool is_date(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month - 1] + (month == 2 && leap);
}

/* "", "Z", "+02:00", "-0530" at the end of the text; minutes east of UTC. */
static bool take_zone(const char *text, int *minutes)
{
    *minutes = 0;
    if (*text == '\0' || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return true;
    int sign = *text == '+' ? 1 : -1;
    int hour = 0;
    int minute = 0;
    if (*text != '+' && *text != '-')
        return false;
    text++;
    if (!take_digits(&text, 2, &hour))
        return false;
    (void)take_char(&text, ':');
    if (*text && !take_digits(&text, 2, &minute))
        return false;
    *minutes = sign * (hour * 60 + minute);
    return *text == '\0' && hour < 24 && minute < 60;
}

static bool of_iso(const char *text, int64_t *ms)
{
    int year, month, day;
    int hour, minute;
    int second = 0;
    int fraction = 0;
    if (!take_digits(&text, 4, &year) || !take_char(&text, '-') || !take_digits(&text, 2, &month) ||
        !take_char(&text, '-') || !take_digits(&text, 2, &day) || !is_date(year, month, day))
        return false;
    if (!take_char(&text, 'T') && !take_char(&text, 't') && !take_char(&text, ' '))
        return false;
    if (!take_digits(&text, 2, &hour) || !take_char(&text, ':') || !take_digits(&text, 2, &minute))
        return false;
    if (take_char(&text, ':')) {
        if (!take_digits(&text, 2, &second))
            return false;
        if (take_char(&text, '.')) {
            int scale = 100;
            if (*text < '0' || *text > '9')
                return false;
            for (; *text >= '0' && *text <= '9'; text++, scale /= 10)
                fraction += (*text - '0') * scale;
        }
    }
    int zone;
    if (hour > 23 || minute > 59 || second > 60 || !take_zone(text, &zone))
        return false;
    int64_t minutes = (days_of(year, month, day) * 24 + hour) * 60 + minute - zone;
    *ms = (minutes * 60 + second) * 1000 + fraction;
    return true;
}

bool instant_of_any(const cJSON *value, int64_t *ms)
{
    if (cJSON_IsNumber(value))
        return of_number(value->valuedouble, ms);
    if (!cJSON_IsString(value))
        return false;
    double number;
    if (num_parse_double(slice_of(value->valuestring), &number))
        return of_number(number, ms);
    return of_iso(value->valuestring, ms);
}
