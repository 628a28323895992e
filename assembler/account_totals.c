#include "assembler/assembler.h"
#include "assembler/document.h"

static const char marker_key[] = "lastHourlyMarkerRead";

/* The highest marker among the rows; without rows what the client asked for, so that it asks the same again. */
static int64_t last_marker(const struct read_query *query, const struct repo_answer *answer)
{
    bool found = false;
    int64_t highest = 0;
    for (size_t i = 0; i < answer->equity_count; i++) {
        struct col_i64 marker = answer->equity[i].since_inception_hourly_marker;
        if (marker.set && (!found || marker.v > highest)) {
            highest = marker.v;
            found = true;
        }
    }
    if (found)
        return highest;
    return query->has_min_marker ? query->min_marker : 0;
}

bool assemble_account_totals(const struct read_query *query, const struct repo_answer *answer, struct buf *out,
                             struct err *err)
{
    size_t start = out->len;
    struct wire_detail detail;
    if (!document_open_detail(&detail, answer->document, err))
        return false;

    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    json_key(&w, SLICE("accountTotals"));
    json_begin_array(&w);
    bool ok = true;
    for (size_t i = 0; ok && i < answer->equity_count; i++) {
        json_raw(&w, SLICE(""));
        ok = wire_put_object(out, &wire_account_total, &answer->equity[i], err);
    }
    json_end_array(&w);
    /* What the file said of its highest marker is true of the whole feed only. */
    if (query->has_min_marker || !wire_detail_decides(&detail, marker_key)) {
        json_key(&w, SLICE("lastHourlyMarkerRead"));
        json_i64(&w, last_marker(query, answer));
        wire_detail_put_set(&w, &detail, (const char *const[]){"serverTime", marker_key, NULL});
    } else {
        wire_detail_put_set(&w, &detail, (const char *const[]){"serverTime", NULL});
    }
    wire_detail_close(&detail);
    return document_end(out, start, ok);
}
