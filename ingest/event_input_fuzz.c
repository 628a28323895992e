/* Any bytes as a file: items lie one behind the other, and what is left out between them is blank or told. */
#include "ingest/event_input.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    enum { MOST = 1000 };
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0)
        return 0;
    if (write(fd, bytes, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    struct event_input *input = event_input_new(fd, MOST);
    struct event_input_item item;
    struct err err = {ERR_NONE, ""};
    uint64_t at = 0;
    enum event_input_step step;
    while ((step = event_input_next(input, &item, &err)) == EVENT_INPUT_ITEM) {
        if (item.start < at || item.end > size || item.start + item.text.n > item.end ||
            memcmp(bytes + item.start, item.text.p, item.text.n) != 0)
            abort();
        at = item.end;
    }
    if (step != EVENT_INPUT_END && (step != EVENT_INPUT_FAULT || !err.text[0]))
        abort();
    event_input_free(input);
    (void)close(fd);
    return 0;
}
