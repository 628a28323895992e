#include "cli/parity_watch.h"

#include "base/clock.h"
#include "base/mem.h"
#include "ingest/capture_time.h"

#include <poll.h>
#include <stdlib.h>

enum { NO_RESULT = 2 };

/* What was said of each endpoint in the round before. */
struct memory {
    struct buf said[READ_KIND_COUNT];
    bool any;
};

/* What a reader should hear of an endpoint again only when it changed; sizes are left out, since data grow. */
static void put_news(struct buf *out, const struct parity_endpoint *endpoint)
{
    const struct parity_style plain = {.max_diffs = SIZE_MAX};
    buf_printf(out, "%s %s ", parity_verdict_name(endpoint->verdict), endpoint->reason ? endpoint->reason : "");
    parity_put_counts(out, &endpoint->counts);
    parity_put_endpoint_differences(out, endpoint, &plain);
}

static void put_time(struct buf *out, const struct parity_result *result)
{
    const int64_t us_per_ms = 1000;
    char time[CLOCK_ISO_SIZE];
    buf_printf(out, "%s ", clock_format_iso(time, result->ended_us / us_per_ms));
}

/* The line of the round, and what changed since the one before. */
static void put_changes(struct buf *out, struct memory *memory, const struct parity_result *result,
                        const struct parity_style *style)
{
    struct buf lines = BUF_INIT;
    struct buf differences = BUF_INIT;
    for (size_t i = 0; i < result->count; i++) {
        struct buf said = BUF_INIT;
        put_news(&said, &result->endpoints[i]);
        if (!slice_equal(buf_slice(&said), buf_slice(&memory->said[i]))) {
            parity_put_endpoint_line(&lines, result, i, style);
            parity_put_endpoint_differences(&differences, &result->endpoints[i], style);
        }
        buf_free(&memory->said[i]);
        memory->said[i] = said;
    }
    if (!memory->any) {
        parity_put_table(out, result, style);
    } else {
        put_time(out, result);
        parity_put_summary(out, result);
        buf_append_char(out, '\n');
        buf_append_slice(out, buf_slice(&lines));
        buf_append_slice(out, buf_slice(&differences));
    }
    memory->any = true;
    buf_free(&lines);
    buf_free(&differences);
}

static void show(const struct parity_result *result, struct memory *memory, const struct parity_watch_options *options)
{
    struct buf page = BUF_INIT;
    if (options->json) {
        parity_put_json(&page, result, &options->style);
    } else if (options->redraw) {
        buf_append_str(&page, "\x1b[H\x1b[J");
        put_time(&page, result);
        buf_append_str(&page, "\n");
        parity_put_table(&page, result, &options->style);
    } else {
        put_changes(&page, memory, result, &options->style);
    }
    (void)fwrite(page.data, 1, page.len, options->out);
    (void)fflush(options->out);
    buf_free(&page);
}

int parity_watch(struct parity_check *check, const struct parity_watch_options *options)
{
    struct memory memory = {0};
    int64_t start_ms = clock_mono_ms();
    int code = NO_RESULT;
    const struct parity_result *result;
    while ((result = parity_check_run(check)) != NULL) {
        code = parity_result_code(result);
        options->checked(options->arg, check);
        show(result, &memory, options);
        int64_t now_ms = clock_mono_ms();
        struct pollfd stop = {.fd = options->stop_fd, .events = POLLIN};
        if (poll(&stop, 1, (int)(capture_next_tick(start_ms, options->every_ms, now_ms) - now_ms)) > 0)
            break;
    }
    for (size_t i = 0; i < READ_KIND_COUNT; i++)
        buf_free(&memory.said[i]);
    return code;
}
