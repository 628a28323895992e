/* Any bytes as a number: what is taken must be what strtod reads, and must come back from its own text. */
#include "base/num.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void check_round_trip(double value)
{
    char text[NUM_TEXT_SIZE];
    size_t n = num_format_double(text, value);
    double back;
    if (n > sizeof text || !num_parse_double((struct slice){text, n}, &back) || bits_of(back) != bits_of(value))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    double value;
    if (num_parse_double(text, &value)) {
        char *copy = strndup(text.p, text.n);
        double expected = strtod(copy, NULL);
        free(copy);
        if (bits_of(expected) != bits_of(value))
            abort();
        check_round_trip(value);
    }
    int64_t integer;
    if (num_parse_i64(text, &integer)) {
        char out[NUM_TEXT_SIZE];
        size_t n = num_format_i64(out, integer);
        if (n != size || memcmp(out, data, n) != 0)
            abort();
    }
    if (size >= sizeof value) {
        memcpy(&value, data, sizeof value);
        if (value - value == 0)
            check_round_trip(value);
    }
    return 0;
}
