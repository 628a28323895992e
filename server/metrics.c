#include "server/metrics.h"

#include <inttypes.h>
#include <stddef.h>

/* Every number: where it stands in a report, its name, its labels, and what it says. Rows of one name stand together.
 */
static const struct metric {
    size_t offset;
    const char *name;
    const char *labels;
    const char *help; /* NULL: that of the row before */
    bool gauge;
} metrics[] = {
#define AT(field) offsetof(struct worker_report, field)
    {AT(http.requests), "nof0_http_requests_total", "", "Requests answered by the HTTP layer.", false},
    {AT(http.connections_accepted), "nof0_http_connections_total", "{outcome=\"accepted\"}", "Client connections.",
     false},
    {AT(http.connections_refused), "nof0_http_connections_total", "{outcome=\"refused\"}", NULL, false},
    {AT(http.connections_open), "nof0_http_connections_open", "", "Client connections that are open.", true},
    {AT(http.bytes_in), "nof0_http_bytes_total", "{direction=\"in\"}", "Bytes read from and written to clients.",
     false},
    {AT(http.bytes_out), "nof0_http_bytes_total", "{direction=\"out\"}", NULL, false},
    {AT(http.protocol_errors), "nof0_http_faults_total", "{kind=\"protocol\"}",
     "Requests that were no good HTTP, or too slow.", false},
    {AT(http.timeouts), "nof0_http_faults_total", "{kind=\"timeout\"}", NULL, false},
    {AT(stream.clients), "nof0_stream_clients", "", "Clients of the live stream.", true},
    {AT(stream.events), "nof0_stream_events_total", "", "Live events sent, to each client.", false},
    {AT(stream.dropped_slow), "nof0_stream_dropped_total", "{reason=\"slow\"}",
     "Clients of the live stream that were sent away.", false},
    {AT(stream.dropped_shutdown), "nof0_stream_dropped_total", "{reason=\"shutdown\"}", NULL, false},
    {AT(stream.dropped_reconfigured), "nof0_stream_dropped_total", "{reason=\"reconfigured\"}", NULL, false},
    {AT(stream.dropped_switched_off), "nof0_stream_dropped_total", "{reason=\"switched_off\"}", NULL, false},
    {AT(stream.resumes), "nof0_stream_resumes_total", "", "Clients that came with the id of their last event.", false},
    {AT(stream.resets), "nof0_stream_resets_total", "", "Of these, told to read everything anew.", false},
    {AT(hot_hits), "nof0_cache_reads_total", "{result=\"target\"}", "API reads by where their answer came from.",
     false},
    {AT(answers.hits), "nof0_cache_reads_total", "{result=\"hit\"}", NULL, false},
    {AT(answers.stale), "nof0_cache_reads_total", "{result=\"stale\"}", NULL, false},
    {AT(answers.misses), "nof0_cache_reads_total", "{result=\"miss\"}", NULL, false},
    {AT(answers.stale_errors), "nof0_cache_stale_if_error_total", "",
     "Old answers served because no new one could be made.", false},
    {AT(answers.joined), "nof0_cache_joined_total", "", "Misses that waited for an answer somebody else was making.",
     false},
    {AT(answers.rebuilds), "nof0_cache_rebuilds_total", "", "Reads of Postgres for an answer to be kept.", false},
    {AT(answers.unchanged), "nof0_cache_unchanged_total", "", "Of these, whose answer was the one in memory.", false},
    {AT(answers.failures), "nof0_cache_rebuild_failures_total", "", "Of these, without an answer.", false},
    {AT(answers.evictions), "nof0_cache_evictions_total", "", "Answers that left memory to make room.", false},
    {AT(answers.entries), "nof0_cache_entries", "", "Answers in memory.", true},
    {AT(answers.bytes), "nof0_cache_bytes", "", "What they take.", true},
    {AT(answers.redis_hits), "nof0_cache_redis_hits_total", "", "Misses for which Redis had a fresh answer.", false},
    {AT(answers.redis.fresh), "nof0_cache_redis_reads_total", "{result=\"fresh\"}",
     "Looks into Redis by what was found.", false},
    {AT(answers.redis.stale), "nof0_cache_redis_reads_total", "{result=\"stale\"}", NULL, false},
    {AT(answers.redis.doubted), "nof0_cache_redis_reads_total", "{result=\"doubted\"}", NULL, false},
    {AT(answers.redis.misses), "nof0_cache_redis_reads_total", "{result=\"miss\"}", NULL, false},
    {AT(answers.redis.errors), "nof0_cache_redis_reads_total", "{result=\"error\"}", NULL, false},
    {AT(answers.redis.stored), "nof0_cache_redis_writes_total", "{result=\"stored\"}", "Answers offered to Redis.",
     false},
    {AT(answers.redis.refused), "nof0_cache_redis_writes_total", "{result=\"refused\"}", NULL, false},
    {AT(answers.redis.claims), "nof0_cache_claims_total", "", "Rebuild locks taken in Redis.", false},
    {AT(answers.redis.waits), "nof0_cache_waits_total", "", "Waits for another process's rebuild.", false},
    {AT(answers.redis.overtimes), "nof0_cache_overtimes_total", "", "Of these, too long: built here as well.", false},
#undef AT
};

enum { METRIC_COUNT = sizeof metrics / sizeof metrics[0] };

static uint64_t *number(struct worker_report *report, const struct metric *metric)
{
    return (uint64_t *)(void *)((char *)report + metric->offset);
}

static uint64_t value(const struct worker_report *report, const struct metric *metric)
{
    return *(const uint64_t *)(const void *)((const char *)report + metric->offset);
}

void metrics_sum(const struct worker_report *reports, size_t count, struct worker_report *sum)
{
    *sum = (struct worker_report){0};
    for (size_t i = 0; i < count; i++)
        for (size_t m = 0; m < METRIC_COUNT; m++)
            *number(sum, &metrics[m]) += value(&reports[i], &metrics[m]);
}

static void put(struct buf *out, const char *name, const char *labels, const char *help, bool gauge, uint64_t n)
{
    if (help)
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, gauge ? "gauge" : "counter");
    buf_printf(out, "%s%s %" PRIu64 "\n", name, labels, n);
}

void metrics_print(const struct worker_report *sum, struct answer_shared *shared, struct buf *out)
{
    for (size_t m = 0; m < METRIC_COUNT; m++)
        put(out, metrics[m].name, metrics[m].labels, metrics[m].help, metrics[m].gauge, value(sum, &metrics[m]));
    struct cache_floors *floors = &shared->floors;
    put(out, "nof0_cache_invalidations_total", "", "Announced changes that made answers old.", false,
        atomic_load_explicit(&shared->announcements, memory_order_relaxed));
    put(out, "nof0_cache_announcements_heard", "", "1 while announced changes arrive.", true,
        atomic_load(&floors->connected));
    put(out, "nof0_cache_announcements_lost_total", "", "Losses of the connection that brings them.", false,
        atomic_load(&floors->losses));
}

void metrics_print_lanes(const struct event_lanes_counts *counts, struct buf *out)
{
    put(out, "nof0_ingest_items_total", "{result=\"accepted\"}", "Items of events that came to their end.", false,
        counts->accepted);
    put(out, "nof0_ingest_items_total", "{result=\"duplicate\"}", NULL, false, counts->duplicate);
    put(out, "nof0_ingest_items_total", "{result=\"rejected\"}", NULL, false, counts->rejected);
    put(out, "nof0_ingest_transactions_total", "", "Tries to store what was waiting.", false, counts->transactions);
    put(out, "nof0_ingest_failures_total", "", "Batches that could not be stored in time.", false, counts->failures);
    put(out, "nof0_ingest_refused_total", "", "Batches for which there was no room.", false, counts->refused);
    put(out, "nof0_ingest_queued_bytes", "", "Events in memory that wait to be stored.", true, counts->queued_bytes);
}
