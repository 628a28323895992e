-- For wrk: the numbers that bench/peers.py reads, as one line of JSON behind wrk's own report.
function done(summary, latency)
    local e = summary.errors
    io.write(string.format(
        'nof0 {"requests":%d,"bytes":%d,"us":%d,"p50_us":%d,"p99_us":%d,"errors":%d}\n', summary.requests,
        summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
        e.connect + e.read + e.write + e.status + e.timeout))
end
