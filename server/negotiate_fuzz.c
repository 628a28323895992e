/* Header values of any bytes: no crash, and what must hold for every list. */
#include "base/buf.h"
#include "server/negotiate.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of exactly that size, so that a read behind the end is seen. */
    char *copy = malloc(size ? size : 1);
    if (size)
        memcpy(copy, data, size);
    struct slice value = {copy, size};
    (void)negotiate_gzip(value);
    (void)negotiate_not_modified(value, "W/\"0123\"");

    /* A good tag in front is found whatever follows, and a refusal of gzip at the end is heeded. */
    struct buf list = BUF_INIT;
    buf_append_str(&list, "\"x\", \"0123\" ,");
    buf_append_slice(&list, value);
    if (!negotiate_not_modified(buf_slice(&list), "W/\"0123\""))
        abort();
    buf_clear(&list);
    buf_append_slice(&list, value);
    buf_append_str(&list, ",gzip;q=0");
    if (negotiate_gzip(buf_slice(&list)))
        abort();
    buf_free(&list);
    free(copy);
    return 0;
}
