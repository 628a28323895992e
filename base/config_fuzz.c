/* Any bytes as a config file: whatever is accepted must print and read back to the same values; and any bytes as a
 * password in a connection string: masking hides all of it. */
#include "base/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sample {
    char *name;
    int64_t port;
    bool on;
    int choice;
    char *deep;
    double share;
};

static const char *const choices[] = {"one", "two", NULL};

static const struct config_row rows[] = {
    {.key = "a.name", .type = CONFIG_TEXT, .offset = offsetof(struct sample, name), .default_text = "x"},
    {.key = "a.port", .type = CONFIG_INT, .offset = offsetof(struct sample, port), .default_text = "1", .most = 99},
    {.key = "a.on", .type = CONFIG_BOOL, .offset = offsetof(struct sample, on), .default_text = "true"},
    {.key = "b",
     .type = CONFIG_ENUM,
     .offset = offsetof(struct sample, choice),
     .default_text = "one",
     .names = choices},
    {.key = "c.d.e", .type = CONFIG_TEXT, .offset = offsetof(struct sample, deep), .default_text = ""},
    {.key = "c.d.share", .type = CONFIG_SHARE, .offset = offsetof(struct sample, share), .default_text = "0.5"},
};
static const struct config_table table = {rows, sizeof rows / sizeof rows[0], sizeof(struct sample)};

static const char *lookup(void *arg, const char *name)
{
    (void)arg;
    return name[0] == 'E' ? "\xc3\xa9${x}" : name[0] == 'B' ? "\xff" : NULL;
}

static void check_round_trip(const struct sample *sample)
{
    struct buf printed = BUF_INIT;
    struct buf faults = BUF_INIT;
    struct sample again;
    config_print(&table, sample, &printed);
    if (!config_parse(&table, buf_slice(&printed), "printed", lookup, NULL, &again, &faults))
        abort();
    for (size_t i = 0; i < table.row_count; i++)
        if (!config_row_equal(&rows[i], sample, &again))
            abort();
    config_release(&table, &again);
    buf_free(&printed);
    buf_free(&faults);
}

static void expect_masked(const struct buf *secret, const char *masked)
{
    struct buf out = BUF_INIT;
    config_mask(buf_slice(secret), &out);
    if (!slice_is(buf_slice(&out), masked))
        abort();
    buf_free(&out);
}

/* Whatever the password is made of, nothing of it comes out. */
static void check_mask(struct slice password)
{
    struct buf secret = BUF_INIT;
    buf_append_str(&secret, "host=h password='");
    for (size_t i = 0; i < password.n; i++) {
        if (password.p[i] == '\'' || password.p[i] == '\\')
            buf_append_char(&secret, '\\');
        buf_append_char(&secret, password.p[i]);
    }
    buf_append_str(&secret, "' port=1");
    expect_masked(&secret, "host=h password=*** port=1");

    buf_clear(&secret);
    buf_append_str(&secret, "redis://u:");
    buf_append_slice(&secret, password);
    buf_append_str(&secret, "@h/1");
    expect_masked(&secret, "redis://u:***@h/1");
    buf_free(&secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct buf faults = BUF_INIT;
    struct sample sample;
    if (config_parse(&table, text, "f", lookup, NULL, &sample, &faults)) {
        check_round_trip(&sample);
        config_release(&table, &sample);
    }
    buf_free(&faults);
    check_mask(text);
    struct buf masked = BUF_INIT;
    config_mask(text, &masked);
    buf_free(&masked);
    return 0;
}
