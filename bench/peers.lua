-- For wrk: the numbers that bench/peers.py reads, as one line of JSON behind wrk's own report. "times" are pairs of how
-- long answers took, ascending, and how many took so long.
function done(summary, latency)
    local e = summary.errors
    local times = {}
    for i = 1, #latency do
        times[i] = string.format("[%d,%d]", latency(i))
    end
    io.write(string.format(
        'nof0 {"requests":%d,"bytes":%d,"us":%d,"p50_us":%d,"p99_us":%d,"errors":%d,"times":[%s]}\n', summary.requests,
        summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
        e.connect + e.read + e.write + e.status + e.timeout, table.concat(times, ",")))
end
