/* The head and the chunked body from any bytes: no matter how they are cut, the result is the same and within the
 * bytes. The first byte says where to cut. */
#include "server/http_chunk.h"
#include "server/http_parse.h"

#include <stdlib.h>

static const struct http_limits limits = {.max_uri = 60, .max_headers = 300, .max_body = 100};

static void require(bool truth)
{
    if (!truth)
        abort();
}

static void check_head(const char *bytes, size_t n, size_t cut)
{
    struct http_head whole;
    struct http_head parts;
    http_head_start(&whole);
    http_head_start(&parts);
    enum http_head_state expected = http_head_read(&whole, bytes, n, &limits);
    enum http_head_state state = http_head_read(&parts, bytes, cut, &limits);
    if (state == HTTP_HEAD_MORE)
        state = http_head_read(&parts, bytes, n, &limits);
    require(state == expected && whole.status == parts.status && whole.size == parts.size);
    if (state == HTTP_HEAD_BAD)
        require(whole.status >= 400 && whole.reason);
    if (state != HTTP_HEAD_DONE)
        return;
    require(whole.size <= n && memcmp(bytes + whole.size - 2, "\r\n", 2) == 0);
    require(!(whole.chunked && whole.has_length));
    require(whole.path.at + whole.path.n <= whole.size && whole.query.at + whole.query.n <= whole.size);
    for (unsigned i = 0; i < whole.field_count; i++) {
        require(whole.fields[i].value.at + whole.fields[i].value.n <= whole.size);
        require(!memchr(bytes + whole.fields[i].value.at, '\r', whole.fields[i].value.n));
    }
}

static void check_chunks(const char *bytes, size_t n, size_t cut)
{
    struct http_chunks chunks;
    struct buf whole = BUF_INIT;
    struct buf parts = BUF_INIT;
    size_t used;
    size_t first;
    size_t second = 0;
    http_chunks_start(&chunks, limits.max_body, 100);
    enum http_chunks_state expected = http_chunks_read(&chunks, bytes, n, &used, &whole);
    http_chunks_start(&chunks, limits.max_body, 100);
    enum http_chunks_state state = http_chunks_read(&chunks, bytes, cut, &first, &parts);
    if (state == HTTP_CHUNKS_MORE)
        state = http_chunks_read(&chunks, bytes + cut, n - cut, &second, &parts);
    require(state == expected && used == first + second && slice_equal(buf_slice(&whole), buf_slice(&parts)));
    require(whole.len <= limits.max_body);
    buf_free(&whole);
    buf_free(&parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const char *bytes = (const char *)data + 1;
    size_t n = size - 1;
    size_t cut = data[0] % (n + 1);
    check_head(bytes, n, cut);
    check_chunks(bytes, n, cut);
    return 0;
}
