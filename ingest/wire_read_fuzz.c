/* Any JSON object through every wire shape: what is read without a fault must be written back with equal content. */
#include "base/json_read.h"
#include "ingest/canonical.h"
#include "ingest/instant.h"
#include "ingest/wire_read.h"
#include "repo/table.h"

#include <stdint.h>
#include <stdlib.h>

static const struct {
    const struct wire_shape *shape;
    const struct table *table;
} shapes[] = {
    {&wire_account_total, &table_account_equity_snapshots},
    {&wire_position, &table_positions},
    {&wire_trade, &table_trades},
    {&wire_price, &table_price_latest},
    {&wire_inception, &table_since_inception_values},
    {&wire_leader, &table_leaderboard_entries},
    {&wire_message, &table_conversation_messages},
    {&wire_cycle, &table_decision_cycles},
};

static void on_fault(void *arg, const char *path, const char *what)
{
    (void)arg;
    if (!*path || !*what)
        abort();
}

static void through(size_t which, const cJSON *object, struct arena *arena)
{
    const struct wire_reader reader = {.arena = arena, .on_fault = on_fault, .partial = true};
    void *row = arena_zalloc(arena, shapes[which].table->row_size);
    if (!wire_read_object(&reader, shapes[which].shape, object, "$", row))
        return;
    struct buf out = BUF_INIT;
    if (!wire_put_object(&out, shapes[which].shape, row, NULL))
        abort();
    cJSON *back = json_parse(buf_slice(&out), NULL);
    if (!back || !json_same_content(object, back))
        abort();
    cJSON_Delete(back);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    cJSON *tree = json_parse((struct slice){(const char *)bytes, size}, NULL);
    if (!tree)
        return 0;
    struct arena *arena = arena_new(0);
    int64_t ms;
    (void)instant_of_any(cJSON_IsObject(tree) && tree->child ? tree->child : tree, &ms);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        through(i, tree, arena);
    arena_free(arena);
    cJSON_Delete(tree);
    return 0;
}
