#include "ingest/wire_check.h"

#include "ingest/canonical.h"
#include "ingest/digest.h"
#include "ingest/instant.h"

#include <inttypes.h>
#include <stdarg.h>

void wire_fault(const struct wire_reader *reader, const char *path, const char *name, const char *format, ...)
{
    struct buf what = BUF_INIT;
    va_list arguments;
    va_start(arguments, format);
    buf_vprintf(&what, format, arguments);
    va_end(arguments);
    reader->on_fault(reader->arg, wire_path_key(reader->arena, path, name), buf_cstr(&what));
    buf_free(&what);
}

bool wire_check_key(const struct wire_reader *reader, struct slice text, const char *path, const char *name)
{
    if (text.n > 0 && text.n <= WIRE_KEY_MAX)
        return true;
    if (text.n == 0)
        wire_fault(reader, path, name, "must not be empty");
    else
        wire_fault(reader, path, name, "is longer than %d bytes", WIRE_KEY_MAX);
    return false;
}

bool wire_cut_time(const struct wire_reader *reader, double seconds, const char *path, const char *name, int64_t *ms)
{
    if (instant_cut_seconds(seconds, ms))
        return true;
    wire_fault(reader, path, name, "is out of range for an instant in seconds");
    return false;
}

bool wire_check_positions(const struct wire_reader *reader, const cJSON *map, const char *path)
{
    if (!map || cJSON_IsNull(map))
        return true;
    if (!cJSON_IsObject(map)) {
        wire_fault(reader, path, "positions", "must be an object, is %s", wire_type_name(map));
        return false;
    }
    const char *map_path = wire_path_key(reader->arena, path, "positions");
    struct wire_reader lax = *reader;
    lax.partial = true;
    bool good = true;
    const cJSON *position;
    cJSON_ArrayForEach(position, map)
    {
        struct positions_row row = {0};
        good = wire_read_object(&lax, &wire_position, position,
                                wire_path_key(reader->arena, map_path, position->string), &row) &&
               good;
    }
    return good;
}

bool wire_cut_account_total(const struct wire_reader *reader, struct account_equity_snapshots_row *row,
                            const char *path)
{
    int64_t ms;
    if (!row->ts_s.set)
        return true;
    if (!wire_cut_time(reader, row->ts_s.v, path, "timestamp", &ms))
        return false;
    row->ts_ms = col_i64(ms);
    return true;
}

bool wire_cut_trade(const struct wire_reader *reader, struct trades_row *row, const char *path)
{
    int64_t ms;
    if (row->exit_time_s.set && instant_cut_seconds(row->exit_time_s.v, &ms))
        row->exit_ts_ms = col_i64(ms);
    if (!row->entry_time_s.set)
        return true;
    if (!wire_cut_time(reader, row->entry_time_s.v, path, "entry_time", &ms))
        return false;
    row->entry_ts_ms = col_i64(ms);
    return true;
}

static bool has_member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key) != NULL;
}

void wire_derive_cycle(const struct wire_reader *reader, const cJSON *object, struct decision_cycles_row *row)
{
    if (row->user_prompt.p)
        row->prompt_digest = digest_hex(reader->arena, row->user_prompt);
    const cJSON *answer = cJSON_GetObjectItemCaseSensitive(object, "llm_response");
    bool failed = cJSON_IsObject(answer) && has_member(answer, "failed_json_response_raw_text");
    row->success = col_bool(!failed);
    if (failed)
        row->error_message = SLICE("the model's answer was no JSON");
    int64_t us;
    if (row->timestamp_s.set && instant_us_of_seconds(row->timestamp_s.v, &us))
        row->executed_at = col_i64(us);
}

bool wire_is_cycle(const cJSON *object)
{
    return !has_member(object, "messages") || has_member(object, "llm_response") || has_member(object, "user_prompt") ||
           has_member(object, "cycle_id");
}

const char *const wire_message_roles[] = {"system", "user", "assistant", NULL};

bool wire_read_message(const struct wire_reader *reader, const cJSON *object, const char *path,
                       struct conversation_messages_row *row)
{
    bool good = wire_read_object(reader, &wire_message, object, path, row);
    const char *const *role = wire_message_roles;
    while (row->role.p && *role && !slice_is(row->role, *role))
        role++;
    if (!*role) {
        wire_fault(reader, path, "role", "must be system, user or assistant");
        good = false;
    }
    int64_t ms;
    const cJSON *timestamp = cJSON_GetObjectItemCaseSensitive(object, "timestamp");
    if (timestamp && instant_of_any(timestamp, &ms))
        row->ts_ms = col_i64(ms);
    row->metadata = SLICE("{}");
    return good;
}

struct slice wire_opening_digest(const struct wire_reader *reader, struct slice model, const cJSON *messages)
{
    struct buf opening = BUF_INIT;
    json_put_string(&opening, model);
    if (messages->child)
        json_put_canonical(&opening, messages->child);
    struct slice digest = digest_hex(reader->arena, buf_slice(&opening));
    buf_free(&opening);
    return digest;
}

struct slice wire_position_id(struct arena *arena, struct slice model, struct slice symbol, int64_t entry_ms)
{
    return slice_of(arena_printf(arena, "%.*s:%.*s:%" PRId64, SLICE_ARG(model), SLICE_ARG(symbol), entry_ms));
}
