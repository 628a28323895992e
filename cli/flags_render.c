#include "cli/flags_render.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/parity_text.h"
#include "cli/text_table.h"

#include <inttypes.h>
#include <stdlib.h>

enum { US_PER_MS = 1000 };

static void add_number(struct text_table *table, size_t column, int64_t number)
{
    char text[NUM_TEXT_SIZE];
    text_table_add(table, column, (struct slice){text, num_format_i64(text, number)});
}

static void add_time(struct text_table *table, size_t column, int64_t us)
{
    char text[CLOCK_ISO_SIZE];
    text_table_add(table, column, slice_of(clock_format_iso(text, us / US_PER_MS)));
}

/* --- flags --- */

enum { FLAG_, VALUE, FROM, DEFAULT, STORED, ENVIRONMENT, VERSION, CHANGED, BY, PARITY, COLUMNS };

static const char *const heads[COLUMNS] = {"flag",        "value",   "from",    "default", "stored",
                                           "environment", "version", "changed", "by",      "parity"};

/* The endpoint that has the fewest comparisons speaks for the flag. */
static void put_parity(struct buf *out, const struct flags_parity *parity, int64_t needed)
{
    char time[CLOCK_ISO_SIZE];
    size_t least = 0;
    for (size_t i = 1; i < parity->count; i++)
        if (parity->green[i].comparisons < parity->green[least].comparisons)
            least = i;
    const struct parity_green *green = &parity->green[least];
    if (parity->count > 1)
        buf_printf(out, "%s: ", parity->endpoints[least]);
    buf_printf(out, "%" PRIu64, green->comparisons);
    if (green->comparisons < (uint64_t)needed)
        buf_printf(out, " of %" PRId64, needed);
    buf_append_str(out, " green");
    if (green->since_us)
        buf_printf(out, " since %s", clock_format_iso(time, green->since_us / US_PER_MS));
    if (green->mismatch_us)
        buf_printf(out, ", last difference %s", clock_format_iso(time, green->mismatch_us / US_PER_MS));
}

static void add_value(struct text_table *table, size_t column, enum flag flag, struct flag_value value)
{
    struct buf text = BUF_INIT;
    flag_value_put(&text, flag, value);
    text_table_add(table, column, buf_slice(&text));
    buf_free(&text);
}

static void add_flag(struct text_table *table, const struct flags_state *state, enum flag flag)
{
    const struct flag_view *view = &state->view;
    const struct flag_state *now = &view->set.states[flag];
    const struct flag_logged *changed = &state->changed[flag];
    text_table_row(table);
    text_table_add(table, FLAG_, slice_of(flag_name(flag)));
    add_value(table, VALUE, flag, now->value);
    text_table_add(table, FROM, slice_of(flag_source_name(now->source)));
    add_value(table, DEFAULT, flag, view->defaults[flag]);
    if (view->rows.flags[flag].set)
        add_value(table, STORED, flag, view->rows.flags[flag].value);
    if (view->overrides.present[flag])
        add_value(table, ENVIRONMENT, flag, view->overrides.values[flag]);
    if (now->version)
        add_number(table, VERSION, now->version);
    if (changed->id) {
        add_time(table, CHANGED, changed->at_us);
        text_table_add(table, BY, changed->actor);
    }
    if (state->parity[flag].count) {
        struct buf text = BUF_INIT;
        put_parity(&text, &state->parity[flag], state->needed);
        text_table_add(table, PARITY, buf_slice(&text));
        buf_free(&text);
    }
}

void flags_put_table(struct buf *out, const struct flags_state *state)
{
    struct text_table *table = text_table_new(heads, COLUMNS);
    for (enum flag flag = 0; flag < FLAG_COUNT; flag++)
        add_flag(table, state, flag);
    text_table_put(out, table);
    text_table_free(table);
}

static void put_time_json(struct json_writer *w, const char *key, int64_t us)
{
    char time[CLOCK_ISO_SIZE];
    json_key(w, slice_of(key));
    if (us)
        json_string(w, slice_of(clock_format_iso(time, us / US_PER_MS)));
    else
        json_null(w);
}

static void put_parity_json(struct json_writer *w, const struct flags_state *state, enum flag flag)
{
    const struct flags_parity *parity = &state->parity[flag];
    json_key(w, SLICE("parity"));
    json_begin_array(w);
    for (size_t i = 0; i < parity->count; i++) {
        const struct parity_green *green = &parity->green[i];
        json_begin_object(w);
        json_key(w, SLICE("endpoint"));
        json_string(w, slice_of(parity->endpoints[i]));
        json_key(w, SLICE("comparisons"));
        json_i64(w, (int64_t)green->comparisons);
        json_key(w, SLICE("needed"));
        json_i64(w, state->needed);
        put_time_json(w, "since", green->since_us);
        put_time_json(w, "last", green->last_us);
        json_key(w, SLICE("mismatches"));
        json_i64(w, (int64_t)green->mismatches);
        put_time_json(w, "last_mismatch", green->mismatch_us);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_flag_json(struct json_writer *w, const struct flags_state *state, enum flag flag)
{
    json_begin_object(w);
    flag_view_put(w, &state->view, flag);
    json_key(w, SLICE("changed"));
    if (state->changed[flag].id)
        flag_logged_put(w, &state->changed[flag]);
    else
        json_null(w);
    put_parity_json(w, state, flag);
    json_end_object(w);
}

void flags_put_flag_json(struct buf *out, const struct flags_state *state, enum flag flag)
{
    struct json_writer w = json_writer_on(out);
    put_flag_json(&w, state, flag);
    buf_append_char(out, '\n');
}

void flags_put_json(struct buf *out, const struct flags_state *state)
{
    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    json_key(&w, SLICE("version"));
    json_i64(&w, state->view.set.version);
    json_key(&w, SLICE("flags"));
    json_begin_array(&w);
    for (enum flag flag = 0; flag < FLAG_COUNT; flag++)
        put_flag_json(&w, state, flag);
    json_end_array(&w);
    json_end_object(&w);
    buf_append_char(out, '\n');
}

/* --- the log --- */

enum { LOG_ID, LOG_AT, LOG_FLAG, LOG_FROM, LOG_TO, LOG_BY, LOG_ORIGIN, LOG_FORCED, LOG_REASON, LOG_COLUMNS };

static const char *const log_heads[LOG_COLUMNS] = {"id", "at",     "flag",   "from",  "to",
                                                   "by", "origin", "forced", "reason"};

struct flags_log {
    struct text_table *table; /* NULL: JSON is wanted */
    struct buf json;
    struct json_writer w;
};

static struct slice value_or_config(struct slice value)
{
    return value.p ? value : SLICE("(config)");
}

struct flags_log *flags_log_new(bool json)
{
    struct flags_log *log = mem_zalloc(sizeof *log);
    log->w = json_writer_on(&log->json);
    if (!json)
        log->table = text_table_new(log_heads, LOG_COLUMNS);
    return log;
}

void flags_log_free(struct flags_log *log)
{
    if (!log)
        return;
    text_table_free(log->table);
    buf_free(&log->json);
    free(log);
}

void flags_log_add(struct flags_log *log, const struct flag_logged *logged)
{
    if (!log->table) {
        flag_logged_put(&log->w, logged);
        return;
    }
    text_table_row(log->table);
    add_number(log->table, LOG_ID, logged->id);
    add_time(log->table, LOG_AT, logged->at_us);
    text_table_add(log->table, LOG_FLAG, slice_of(flag_name(logged->flag)));
    text_table_add(log->table, LOG_FROM, value_or_config(logged->from));
    text_table_add(log->table, LOG_TO, value_or_config(logged->to));
    text_table_add(log->table, LOG_BY, logged->actor);
    text_table_add(log->table, LOG_ORIGIN, logged->origin);
    text_table_add(log->table, LOG_FORCED, logged->forced ? SLICE("forced") : SLICE(""));
    text_table_add(log->table, LOG_REASON, logged->reason);
}

void flags_log_put(struct buf *out, const struct flags_log *log)
{
    if (log->table)
        text_table_put(out, log->table);
    else
        buf_printf(out, "{\"changes\":[%.*s]}\n", SLICE_ARG(buf_slice(&log->json)));
}

void flags_put_change(struct buf *out, const struct flag_logged *logged, bool json)
{
    if (json) {
        struct json_writer w = json_writer_on(out);
        flag_logged_put(&w, logged);
        buf_append_char(out, '\n');
        return;
    }
    char time[CLOCK_ISO_SIZE];
    struct slice from = value_or_config(logged->from);
    struct slice to = value_or_config(logged->to);
    buf_printf(out, "%s  %s  ", clock_format_iso(time, logged->at_us / US_PER_MS), flag_name(logged->flag));
    parity_text_put(out, from);
    buf_append_str(out, " -> ");
    parity_text_put(out, to);
    buf_append_str(out, logged->forced ? ", forced, by " : ", by ");
    parity_text_put(out, logged->actor);
    if (!slice_is(logged->origin, "operator")) {
        buf_append_str(out, " (");
        parity_text_put(out, logged->origin);
        buf_append_char(out, ')');
    }
    buf_append_str(out, ": ");
    parity_text_put(out, logged->reason);
    buf_append_char(out, '\n');
}
