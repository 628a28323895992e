#include "ingest/feed_order.h"

int64_t feed_order_next(struct feed_order *order, struct slice model)
{
    if (!order->started) {
        order->started = true;
        buf_append_slice(&order->model, model);
    } else if (!slice_equal(buf_slice(&order->model), model)) {
        buf_clear(&order->model);
        buf_append_slice(&order->model, model);
        order->run++;
        order->place = 0;
    } else {
        order->place++;
    }
    return order->run * (INT64_C(1) << 32) + (INT64_C(1) << 31) + order->place;
}

void feed_order_free(struct feed_order *order)
{
    buf_free(&order->model);
}
