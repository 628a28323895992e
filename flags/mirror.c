/* The flags in Redis. */
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/num.h"
#include "cache/script.h"
#include "flags/store.h"

#include <hiredis/hiredis.h>

/* Something else under the name than a mirror is overwritten. */
static const char write_text[] = "local old = redis.pcall('GET', KEYS[1])\n"
                                 "if type(old) == 'string' then\n"
                                 "  local version = string.match(old, '^{\"version\":(%d+)[,}]')\n"
                                 "  if version and tonumber(version) > tonumber(ARGV[1]) then return 0 end\n"
                                 "end\n"
                                 "redis.call('SET', KEYS[1], ARGV[2])\n"
                                 "return 1";

void flag_mirror_put(struct buf *out, const struct flag_store_rows *rows)
{
    struct json_writer w = json_writer_on(out);
    struct buf text = BUF_INIT;
    json_begin_object(&w);
    json_key(&w, SLICE("version"));
    json_i64(&w, rows->version);
    json_key(&w, SLICE("flags"));
    json_begin_object(&w);
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        const struct flag_stored *stored = &rows->flags[i];
        if (!stored->set && !stored->version)
            continue;
        json_key(&w, slice_of(flag_name((enum flag)i)));
        json_begin_object(&w);
        json_key(&w, SLICE("value"));
        buf_clear(&text);
        if (stored->set) {
            flag_value_put(&text, (enum flag)i, stored->value);
            json_string(&w, buf_slice(&text));
        } else {
            json_null(&w);
        }
        json_key(&w, SLICE("version"));
        json_i64(&w, stored->version);
        json_end_object(&w);
    }
    json_end_object(&w);
    json_end_object(&w);
    buf_free(&text);
}

static bool take_version(const cJSON *object, int64_t *version)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, "version");
    if (!cJSON_IsNumber(number) || !(number->valuedouble >= 0) || number->valuedouble > (double)NUM_EXACT_INTEGER_MAX)
        return false;
    *version = (int64_t)number->valuedouble;
    return (double)*version >= number->valuedouble;
}

/* False when it is no flag's entry at all; a value of a newer program is left out. */
static bool take_flag(const cJSON *entry, struct flag_store_rows *rows)
{
    struct flag_stored stored = {.set = false};
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(entry, "value");
    if (!cJSON_IsObject(entry) || !take_version(entry, &stored.version) ||
        !(cJSON_IsNull(value) || cJSON_IsString(value)))
        return false;
    stored.set = cJSON_IsString(value);
    enum flag flag = flag_find(slice_of(entry->string));
    if (flag != FLAG_COUNT &&
        (!stored.set || flag_value_parse(flag, slice_of(value->valuestring), &stored.value, NULL)))
        rows->flags[flag] = stored;
    return true;
}

bool flag_mirror_parse(struct slice text, struct flag_store_rows *rows, struct err *err)
{
    *rows = (struct flag_store_rows){.version = 0};
    cJSON *tree = json_parse(text, err);
    if (!tree)
        return err_wrap(err, "the flags in Redis");
    const cJSON *flags = cJSON_GetObjectItemCaseSensitive(tree, "flags");
    bool good = cJSON_IsObject(tree) && cJSON_IsObject(flags) && take_version(tree, &rows->version);
    for (const cJSON *entry = good ? flags->child : NULL; good && entry; entry = entry->next)
        good = take_flag(entry, rows);
    cJSON_Delete(tree);
    if (!good)
        *rows = (struct flag_store_rows){.version = 0};
    return good || err_set(err, ERR_INVALID, "what stands in Redis in the place of the flags is something else");
}

bool flag_mirror_write(struct redisContext *link, const struct cache_space *space, const struct flag_store_rows *rows,
                       struct err *err)
{
    const struct cache_script script = cache_script_of(write_text);
    const struct cache_key key = cache_key_flags(space);
    struct buf text = BUF_INIT;
    char version[NUM_TEXT_SIZE];
    flag_mirror_put(&text, rows);
    const struct cache_script_call call = {
        .keys = {&key},
        .key_count = 1,
        .args = {{version, num_format_i64(version, rows->version)}, buf_slice(&text)},
        .arg_count = 2};
    struct redisReply *reply = cache_script_run_blocking(link, &script, &call, err);
    if (reply)
        freeReplyObject(reply);
    buf_free(&text);
    return reply != NULL;
}

bool flag_mirror_read(struct redisContext *link, const struct cache_space *space, struct flag_store_rows *rows,
                      struct err *err)
{
    const struct cache_key key = cache_key_flags(space);
    const char *words[] = {"GET", cache_key_text(&key).p};
    const size_t sizes[] = {3, cache_key_text(&key).n};
    redisAppendCommandArgv(link, 2, words, sizes);
    struct redisReply *reply = redis_blocking_reply(link, err);
    if (!reply)
        return false;
    bool good = reply->type == REDIS_REPLY_STRING ? flag_mirror_parse((struct slice){reply->str, reply->len}, rows, err)
                                                  : err_set(err, ERR_NOT_FOUND, "Redis has no flags");
    freeReplyObject(reply);
    return good;
}
