/* Any bytes as JSON: what the check takes, the parser takes too and nothing is lost between reading and writing; what
 * it does not take is still walked without a step outside. */
#include "base/json_read.h"
#include "base/json_write.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct looked {
    struct slice text;
    size_t last;
};

static bool look_at_fault(void *arg, const struct json_fault *fault)
{
    struct looked *looked = arg;
    unsigned long line;
    unsigned long column;
    json_locate(looked->text, fault->offset, &line, &column);
    if (fault->offset > looked->text.n || fault->line != line || fault->column != column || !fault->what[0])
        abort();
    if (!memchr(fault->path, '\0', sizeof fault->path) || !memchr(fault->what, '\0', sizeof fault->what))
        abort();
    return true;
}

static bool look_at_element(void *arg, size_t index, struct slice element)
{
    struct looked *looked = arg;
    if (element.n == 0 || element.p < looked->text.p || element.p + element.n > looked->text.p + looked->text.n)
        abort();
    looked->last = index;
    return true;
}

static bool look_at_member(void *arg, struct slice key, struct slice value)
{
    struct buf plain = BUF_INIT;
    json_unescape(&plain, key);
    buf_free(&plain);
    return look_at_element(arg, 0, value);
}

static void check_round_trip(struct slice text)
{
    struct err err = ERR_INIT;
    cJSON *tree = json_parse(text, &err);
    if (!tree)
        abort();
    struct buf once = BUF_INIT;
    json_put_cjson(&once, tree);
    cJSON *again = json_parse(buf_slice(&once), &err);
    if (!again)
        abort();
    struct buf twice = BUF_INIT;
    json_put_cjson(&twice, again);
    if (!slice_equal(buf_slice(&once), buf_slice(&twice)))
        abort();
    cJSON_Delete(tree);
    cJSON_Delete(again);
    buf_free(&once);
    buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct looked looked = {.text = text};
    bool good = json_check(text, look_at_fault, &looked);
    struct json_walk walk = {SLICE("a"), look_at_element, look_at_member, &looked};
    bool walked = json_walk(text, &walk);
    if (good) {
        size_t first = 0;
        while (text.p[first] == ' ' || text.p[first] == '\t' || text.p[first] == '\r' || text.p[first] == '\n')
            first++;
        if (walked != (text.p[first] == '{'))
            abort();
        check_round_trip(text);
    }
    return 0;
}
