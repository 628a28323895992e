#include "cli/demo_text.h"

#include "cli/demo_trader.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static int64_t power_of_ten(int exponent)
{
    int64_t power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

void demo_put_decimal(struct buf *out, int64_t value, int scale, int digits)
{
    if (digits < scale) {
        value = demo_mul_div(value, 1, power_of_ten(scale - digits));
        scale = digits;
    }
    while (scale > 0 && value % 10 == 0) {
        value /= 10;
        scale--;
    }
    int64_t one = power_of_ten(scale);
    int64_t whole = value < 0 ? -(value / one) : value / one;
    int64_t rest = value < 0 ? -(value % one) : value % one;
    buf_printf(out, "%s%" PRId64, value < 0 ? "-" : "", whole);
    if (scale > 0)
        buf_printf(out, ".%0*" PRId64, scale, rest);
}

int demo_price_places(size_t symbol)
{
    int places = 0;
    for (int64_t half_tick = demo_symbols[symbol].tick / 2; half_tick % DEMO_PRICE_ONE != 0; half_tick *= 10)
        places++;
    return places;
}

void demo_put_price(struct buf *out, size_t symbol, int64_t price)
{
    demo_put_decimal(out, price, 6, demo_price_places(symbol));
}

char *demo_human_time(char out[DEMO_HUMAN_TIME_SIZE], int64_t at_us)
{
    time_t seconds = (time_t)(at_us / 1000000);
    struct tm utc;
    (void)gmtime_r(&seconds, &utc);
    size_t n = strftime(out, DEMO_HUMAN_TIME_SIZE, "%Y-%m-%d %H:%M:%S", &utc);
    (void)snprintf(out + n, DEMO_HUMAN_TIME_SIZE - n, ".%06d", (int)(at_us % 1000000));
    return out;
}

const char *demo_pick(struct demo_random *random, const char *const *texts, size_t count)
{
    return texts[demo_random_between(random, 0, (int64_t)count - 1)];
}

/* {P}: the level, {D}: below or above, {d}: drop under or climb over. */
static const char *const conditions[] = {
    "A 4‑hour candle closing {D} {P}",
    "Hourly close {D} {P} while the 4h MACD turns against the trade",
    "Price should {d} {P} on a 3‑minute close",
    "Give up if {S} spends 30 minutes {D} {P}",
    "4h close {D} {P} (20‑period EMA lost)",
    "Momentum gone: 3‑minute RSI(14) stuck on the wrong side of 50 and price {D} {P}",
    "Any daily close {D} {P}",
    "If funding flips and {S} trades {D} {P}, the thesis is dead",
};

void demo_condition(struct demo_random *random, size_t symbol, int64_t direction, int64_t level, char *out)
{
    struct buf text = BUF_INIT;
    for (const char *at = DEMO_PICK(random, conditions); *at; at++) {
        if (at[0] != '{') {
            buf_append_char(&text, *at);
            continue;
        }
        if (at[1] == 'P')
            demo_put_price(&text, symbol, level);
        else if (at[1] == 'S')
            buf_append_str(&text, demo_symbols[symbol].name);
        else if (at[1] == 'D')
            buf_append_str(&text, direction > 0 ? "below" : "above");
        else
            buf_append_str(&text, direction > 0 ? "drop under" : "climb over");
        at += 2;
    }
    (void)snprintf(out, DEMO_PLAN_SIZE, "%s", buf_cstr(&text));
    buf_free(&text);
}
