/* What is told of items. Outcomes are made by reading; those that only a database gives come from the black-box tests.
 */
#include "base/testing.h"
#include "server/ingest_reply.h"

#include <string.h>

#define TICK "{\"symbol\":\"B\\\"C\",\"price\":1,\"timestamp\":2}"

static struct event_batch *batch_of(const char *const *items, size_t count)
{
    struct event_batch *batch = event_batch_new(EVENT_PRICES, "arena");
    for (size_t i = 0; i < count; i++)
        event_batch_add(batch, slice_of(items[i]));
    return batch;
}

static void expect(struct buf *said, const char *expected)
{
    assert_string_equal(buf_cstr(said), expected);
    buf_clear(said);
}

static void a_document_speaks_of_every_item(void **state)
{
    (void)state;
    const char *const items[] = {TICK, "{\"symbol\":\"BTC\"}", "[]", "{"};
    struct event_batch *batch = batch_of(items, 4);
    struct buf said = BUF_INIT;
    ingest_put_document(&said, batch);
    expect(&said,
           "{\"accepted\":0,\"duplicate\":0,\"rejected\":3,\"items\":["
           "{\"index\":0,\"id\":\"B\\\"C\",\"status\":\"pending\"},"
           "{\"index\":1,\"id\":\"BTC\",\"status\":\"rejected\",\"code\":\"invalid\",\"path\":\"$.price\",\"reason\":"
           "\"is missing\"},"
           "{\"index\":2,\"status\":\"rejected\",\"code\":\"invalid\",\"path\":\"$\",\"reason\":\"must be an object, "
           "is an array\"},"
           "{\"index\":3,\"status\":\"rejected\",\"code\":\"invalid\",\"path\":\"$\",\"reason\":\"line 1, column 2: "
           "the text ends too early\"}]}");
    event_batch_free(batch);
    batch = batch_of(NULL, 0);
    ingest_put_document(&said, batch);
    expect(&said, "{\"accepted\":0,\"duplicate\":0,\"rejected\":0,\"items\":[]}");
    assert_int_equal(ingest_status(batch), 200);
    event_batch_free(batch);
    buf_free(&said);
}

static void lines_that_fare_the_same_share_one(void **state)
{
    (void)state;
    const char *const items[] = {TICK, TICK, TICK, "[]", TICK};
    const uint64_t lines[] = {1, 2, 4, 5, 6};
    struct event_batch *batch = batch_of(items, 5);
    struct buf said = BUF_INIT;
    ingest_put_lines(&said, batch, lines);
    expect(&said, "{\"lines\":[1,2],\"status\":\"pending\"}\n"
                  "{\"line\":4,\"status\":\"pending\"}\n"
                  "{\"line\":5,\"status\":\"rejected\",\"code\":\"invalid\",\"path\":\"$\",\"reason\":\"must be an "
                  "object, is an array\"}\n"
                  "{\"line\":6,\"status\":\"pending\"}\n");
    event_batch_free(batch);
    buf_free(&said);
}

static void all_that_is_bad_is_422(void **state)
{
    (void)state;
    const char *const items[] = {"[]", "{}"};
    struct event_batch *batch = batch_of(items, 2);
    assert_int_equal(ingest_status(batch), 422);
    event_batch_free(batch);
}

static void the_last_line_says_how_it_ended(void **state)
{
    (void)state;
    struct buf said = BUF_INIT;
    const struct event_counts counts = {3, 2, 1};
    ingest_put_summary(&said, &counts);
    expect(&said, "{\"done\":true,\"accepted\":3,\"duplicate\":2,\"rejected\":1}\n");
    ingest_put_abort(&said, 7, "unavailable", "say \"it\" again");
    expect(&said, "{\"done\":false,\"line\":7,\"error\":{\"code\":\"unavailable\",\"message\":\"say \\\"it\\\" "
                  "again\"}}\n");
    buf_free(&said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_speaks_of_every_item),
        cmocka_unit_test(lines_that_fare_the_same_share_one),
        cmocka_unit_test(all_that_is_bad_is_422),
        cmocka_unit_test(the_last_line_says_how_it_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
