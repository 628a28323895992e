#include "base/testing.h"
#include "parity/scan.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t mask_of(const char *bytes, const char *wanted)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < PARITY_SCAN_BLOCK; i++)
        mask |= (uint64_t)(bytes[i] && strchr(wanted, bytes[i])) << i;
    return mask;
}

static void assert_masks(const char *bytes)
{
    struct parity_masks fast;
    struct parity_masks portable;
    parity_scan_masks(bytes, &fast);
    parity_scan_masks_portable(bytes, &portable);
    assert_memory_equal(&fast, &portable, sizeof fast);
    assert_true(fast.quotes == mask_of(bytes, "\""));
    assert_true(fast.backslashes == mask_of(bytes, "\\"));
    assert_true(fast.commas == mask_of(bytes, ","));
    assert_true(fast.opens == mask_of(bytes, "{["));
    assert_true(fast.closes == mask_of(bytes, "}]"));
}

static void every_byte_is_known_at_every_place(void **state)
{
    (void)state;
    char bytes[PARITY_SCAN_BLOCK];
    for (unsigned at = 0; at < PARITY_SCAN_BLOCK; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            for (unsigned i = 0; i < PARITY_SCAN_BLOCK; i++)
                bytes[i] = (char)(byte ^ 0x80);
            bytes[at] = (char)byte;
            assert_masks(bytes);
        }
    }
}

static void any_mixture_is_known(void **state)
{
    (void)state;
    static const char alphabet[] = "\"\\,{}[]a1 \x80\xFF";
    unsigned seed = 7;
    for (unsigned round = 0; round < 5000; round++) {
        char bytes[PARITY_SCAN_BLOCK];
        for (unsigned i = 0; i < PARITY_SCAN_BLOCK; i++) {
            seed = seed * 1103515245 + 12345;
            bytes[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        assert_masks(bytes);
    }
}

/* Where a container ends, byte by byte. */
static size_t end_of(const char *text)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; text[i]; i++) {
        if (in_string) {
            if (text[i] == '\\')
                i++;
            else
                in_string = text[i] != '"';
        } else if (text[i] == '"') {
            in_string = true;
        } else if (text[i] == '{' || text[i] == '[') {
            depth++;
        } else if ((text[i] == '}' || text[i] == ']') && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* Strings of every length before a quote that may be escaped by any number of backslashes, over the blocks' borders. */
static void escapes_are_followed_over_blocks(void **state)
{
    (void)state;
    for (size_t before = 0; before < 140; before++) {
        for (size_t backslashes = 0; backslashes < 70; backslashes++) {
            char text[512];
            int n = snprintf(text, sizeof text, "[\"%*s", (int)before, "");
            memset(text + n, '\\', backslashes);
            n += (int)backslashes;
            /* An odd number escapes the quote, so that the string goes on to the second. */
            (void)snprintf(text + n, sizeof text - (size_t)n, "\"]%s", backslashes % 2 ? "\"]]]" : " ]");
            size_t expected = (size_t)n + (backslashes % 2 ? 4 : 2);
            const char *end = parity_scan_value(text, text + strlen(text));
            assert_non_null(end);
            assert_int_equal(end - text, expected);
            assert_null(parity_scan_value(text, text + expected - 1));
            const char *behind = json_skip_string(text + 1, text + strlen(text));
            assert_int_equal(behind - text, expected - 1);
        }
    }
}

static void containers_end_where_they_do(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[]",
        "{}",
        "[[[]],[{}]]rest",
        "{\"a\":\"}\",\"b\":[\"]\",{\"c\":\"\\\"}\"}]} , {}",
        "[\"0123456789012345678901234567890123456789012345678901234567890123456789\",[0]]]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *end = parity_scan_value(texts[i], texts[i] + strlen(texts[i]));
        assert_non_null(end);
        assert_int_equal(end - texts[i], end_of(texts[i]));
        for (size_t n = 0; n < end_of(texts[i]); n++)
            assert_null(parity_scan_value(texts[i], texts[i] + n));
    }
    const char *comma = ",";
    assert_null(parity_scan_value(comma, comma));
    assert_null(parity_scan_value(comma, comma + 1));
}

static void equal_bytes_are_counted(void **state)
{
    (void)state;
    enum { SIZE = 3 * 4096 + 77 };
    char *a = calloc(1, SIZE);
    char *b = calloc(1, SIZE);
    assert_int_equal(parity_scan_equal(a, b, SIZE), SIZE);
    assert_int_equal(parity_scan_equal(a, b, 0), 0);
    for (size_t at = 0; at < SIZE; at += at < 300 ? 1 : 61) {
        b[at] = 1;
        assert_int_equal(parity_scan_equal(a, b, SIZE), at);
        assert_int_equal(parity_scan_equal(a, b, at), at);
        b[at] = 0;
    }
    free(a);
    free(b);
}

static void siblings_are_counted_up_to_the_limit(void **state)
{
    (void)state;
    const char *text = "[{\"a\":[1,2],\"b\":\",\"},{\"a\":[1,{\"c\":3,\"d\":4}],\"b\":5},6]";
    const char *first = text + 1;
    struct parity_levels levels;
    const char *end = text + strlen(text);
    assert_ptr_equal(parity_scan_siblings(first, end, &levels), end);
    assert_null(parity_scan_siblings(first, end - 1, &levels));
    assert_int_equal(levels.used, 1);
    assert_int_equal(levels.level[0].count, 2);
    assert_ptr_equal(levels.level[0].last, end - 2);

    const char *inner = strstr(text, "\"d\":4");
    assert_null(parity_scan_siblings(first, inner + 5, &levels));
    assert_int_equal(levels.used, 4);
    assert_int_equal(levels.level[0].count, 1);
    assert_ptr_equal(levels.level[0].last, strstr(text, "{\"a\":[1,{"));
    assert_ptr_equal(levels.level[1].open, levels.level[0].last);
    assert_int_equal(levels.level[1].count, 0);
    assert_int_equal(levels.level[2].count, 1);
    assert_ptr_equal(levels.level[2].last, strstr(text, "{\"c\""));
    assert_ptr_equal(levels.level[3].open, strstr(text, "{\"c\""));
    assert_int_equal(levels.level[3].count, 1);
    assert_ptr_equal(levels.level[3].last, inner);

    /* Deeper than there are levels: what was counted before stays right. */
    char deep[300];
    memset(deep, '[', sizeof deep);
    deep[1] = deep[3] = '1';
    deep[2] = deep[4] = ',';
    assert_null(parity_scan_siblings(deep + 1, deep + sizeof deep, &levels));
    assert_int_equal(levels.used, JSON_MAX_DEPTH + 1);
    assert_int_equal(levels.level[0].count, 2);
    assert_ptr_equal(levels.level[0].last, deep + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_known_at_every_place),
        cmocka_unit_test(any_mixture_is_known),
        cmocka_unit_test(escapes_are_followed_over_blocks),
        cmocka_unit_test(containers_end_where_they_do),
        cmocka_unit_test(equal_bytes_are_counted),
        cmocka_unit_test(siblings_are_counted_up_to_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
