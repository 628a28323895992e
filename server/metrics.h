/* /metrics: the workers' numbers in the Prometheus text format, version 0.0.4. */
#ifndef NOF0_SERVER_METRICS_H
#define NOF0_SERVER_METRICS_H

#include "base/buf.h"
#include "ingest/event_lanes.h"
#include "server/worker_report.h"

/* What all workers have together: counters and sizes are added up. Names where each stands are in docs/api.md. */
void metrics_sum(const struct worker_report *reports, size_t count, struct worker_report *sum);

/* Appends the page. */
void metrics_print(const struct worker_report *sum, struct answer_shared *shared, struct buf *out);

/* Appends what the lanes of events did. */
void metrics_print_lanes(const struct event_lanes_counts *counts, struct buf *out);

#endif
