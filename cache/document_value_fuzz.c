/* Any bytes: no crash, and what is taken is written back to the same bytes. */
#include "cache/document_value.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct document_value value;
    struct buf again = BUF_INIT;
    if (document_value_decode((struct slice){(const char *)data, size}, &value)) {
        document_value_encode(&value, &again);
        if (again.len != size || memcmp(again.data, data, size) != 0)
            abort();
    }
    /* The checksum would stop nearly everything, so the bytes also serve as a document's parts. */
    if (size >= 16) {
        size_t etag = data[0] % (size - 15);
        value = (struct document_value){.version = (int64_t)(data[1] * 257U),
                                        .etag = {(const char *)data, etag},
                                        .body = {(const char *)data + etag, size - etag}};
        struct document_value back;
        buf_clear(&again);
        document_value_encode(&value, &again);
        if (!document_value_decode(buf_slice(&again), &back) || !slice_equal(back.body, value.body) ||
            !slice_equal(back.etag, value.etag) || back.version != value.version)
            abort();
        again.data[data[2] % again.len] ^= (char)(data[3] | 1);
        if (document_value_decode(buf_slice(&again), &back))
            abort();
    }
    buf_free(&again);
    return 0;
}
