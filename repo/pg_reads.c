#include "repo/pg_reads.h"

#include "base/mem.h"
#include "repo/decode.h"
#include "repo/read_sql.h"
#include "repo/version.h"

#include <stdlib.h>

struct pg_reads {
    struct repo_reads face; /* first: what callers hold */
    struct pg_pool *pool;
    struct read_sql_set *sql;
    int64_t timeout_ms;
    char *price_provider;
};

enum { READ_STATEMENTS_MAX = 4, BATCH_MAX = 1 + READ_STATEMENTS_MAX };

/* The first of each batch. */
static const struct pg_statement version_statement = {"data_version", repo_version_sql, READ_SQL_COUNT};

/* One read under way. */
struct reading {
    const struct pg_reads *reads;
    enum read_kind kind;
    int64_t limit;
    bool reversed; /* the rows come oldest first and are served newest first */
    const struct read_sql *statements[READ_STATEMENTS_MAX];
    size_t count;
    repo_read_done *done;
    void *arg;
};

struct pg_answer {
    struct repo_answer face; /* first */
    struct arena *arena;
    PGresult *results[READ_STATEMENTS_MAX]; /* rows point into them */
};

static void release(struct repo_answer *face)
{
    struct pg_answer *answer = (struct pg_answer *)face;
    for (size_t i = 0; i < READ_STATEMENTS_MAX; i++) {
        PQclear(answer->results[i]);
    }
    arena_free(answer->arena);
    free(answer);
}

/* --- Which statements answer a query --- */

static const char *const document_names[READ_KIND_COUNT + 1] = {
    [READ_ACCOUNT_TOTALS] = "account-totals",
    [READ_POSITIONS] = "positions",
    [READ_TRADES] = "trades",
    [READ_CRYPTO_PRICES] = "crypto-prices",
    [READ_SINCE_INCEPTION] = "since-inception-values",
    [READ_LEADERBOARD] = "leaderboard",
    [READ_ANALYTICS_ALL] = "analytics",
    [READ_ANALYTICS_ONE] = NULL, /* its time is in its row */
    [READ_CONVERSATIONS] = "conversations",
};

static void add(struct reading *reading, unsigned sql)
{
    reading->statements[reading->count++] = read_sql_get(reading->reads->sql, sql);
}

static unsigned cursor_bound(const struct trade_cursor *cursor)
{
    return cursor->kind == CURSOR_NONE ? 0 : cursor->kind == CURSOR_TIME ? 1 : 2;
}

static void choose_trades(struct reading *reading, const struct read_query *query)
{
    bool of_model = query->model_id.p;
    if (read_query_is_page(query)) {
        unsigned before = cursor_bound(&query->before);
        unsigned after = cursor_bound(&query->after);
        reading->reversed = after && !before;
        add(reading, read_sql_trades_page(of_model, before, after));
    } else {
        add(reading, of_model ? SQL_TRADES_FEED_MODEL : SQL_TRADES_FEED);
    }
}

static void choose(struct reading *reading, const struct read_query *query)
{
    bool of_model = query->model_id.p;
    if (document_names[query->kind]) {
        add(reading, SQL_DOCUMENT);
    }
    switch (query->kind) {
    case READ_ACCOUNT_TOTALS:
        add(reading, query->has_min_marker ? SQL_EQUITY_SINCE : SQL_EQUITY_FEED);
        break;
    case READ_POSITIONS:
        add(reading, SQL_POSITION_MODELS);
        add(reading, SQL_POSITIONS);
        break;
    case READ_TRADES:
        choose_trades(reading, query);
        break;
    case READ_CRYPTO_PRICES:
        add(reading, SQL_PRICES);
        break;
    case READ_SINCE_INCEPTION:
        add(reading, SQL_INCEPTIONS);
        break;
    case READ_LEADERBOARD:
        add(reading, SQL_LEADERS);
        add(reading, SQL_LEADERS_COMPUTED);
        break;
    case READ_ANALYTICS_ALL:
        add(reading, SQL_ANALYTICS_ALL);
        break;
    case READ_ANALYTICS_ONE:
        add(reading, SQL_ANALYTICS_ONE);
        break;
    case READ_CONVERSATIONS:
        add(reading, of_model ? SQL_CONVERSATIONS_MODEL : SQL_CONVERSATIONS);
        add(reading, of_model ? SQL_MESSAGES_MODEL : SQL_MESSAGES);
        add(reading, of_model ? SQL_CYCLES_MODEL : SQL_CYCLES);
        break;
    case READ_KIND_COUNT:
        break;
    }
}

static void add_limit(struct params *params, const struct read_query *query)
{
    if (query->limit != READ_NO_LIMIT) {
        params_add_i64(params, query->limit);
    } else if (query->kind == READ_TRADES) {
        params_add_i64(params, TRADES_PAGE_DEFAULT);
    } else {
        params_add_binary(params, col_kind_oid(COL_I64), (struct slice){NULL, 0});
    }
}

static void add_param(struct params *params, enum read_param kind, const struct pg_reads *reads,
                      const struct read_query *query)
{
    switch (kind) {
    case PARAM_NONE:
        break;
    case PARAM_DOCUMENT:
        params_add_text(params, slice_of(document_names[query->kind]));
        break;
    case PARAM_PROVIDER:
        params_add_text(params, slice_of(reads->price_provider));
        break;
    case PARAM_MODEL:
        params_add_text(params, query->model_id);
        break;
    case PARAM_MARKER:
        params_add_i64(params, query->min_marker);
        break;
    case PARAM_LIMIT:
        add_limit(params, query);
        break;
    case PARAM_BEFORE_TIME:
        params_add_f64(params, query->before.exit_time_s);
        break;
    case PARAM_BEFORE_ID:
        params_add_text(params, query->before.id);
        break;
    case PARAM_AFTER_TIME:
        params_add_f64(params, query->after.exit_time_s);
        break;
    case PARAM_AFTER_ID:
        params_add_text(params, query->after.id);
        break;
    }
}

/* --- From results to an answer --- */

/* The answer's array for rows of the table. */
static void set_rows(struct repo_answer *answer, const struct table *table, const void *rows, size_t count)
{
    if (table == &table_feed_documents) {
        answer->document = count ? rows : NULL;
    } else if (table == &table_account_equity_snapshots) {
        answer->equity = rows;
        answer->equity_count = count;
    } else if (table == &table_position_feed_models) {
        answer->position_models = rows;
        answer->position_model_count = count;
    } else if (table == &table_positions) {
        answer->positions = rows;
        answer->position_count = count;
    } else if (table == &table_trades) {
        answer->trades = rows;
        answer->trade_count = count;
    } else if (table == &table_price_latest) {
        answer->prices = rows;
        answer->price_count = count;
    } else if (table == &table_since_inception_values) {
        answer->inceptions = rows;
        answer->inception_count = count;
    } else if (table == &table_leaderboard_entries) {
        /* Stored entries come first; only without any are there computed ones. */
        if (!answer->leader_count) {
            answer->leaders = rows;
            answer->leader_count = count;
        }
    } else if (table == &table_model_analytics) {
        answer->analytics = rows;
        answer->analytics_count = count;
    } else if (table == &table_conversations) {
        answer->conversations = rows;
        answer->conversation_count = count;
    } else if (table == &table_conversation_messages) {
        answer->messages = rows;
        answer->message_count = count;
    } else if (table == &table_decision_cycles) {
        answer->cycles = rows;
        answer->cycle_count = count;
    }
}

static bool decode_rows(struct pg_answer *answer, const struct table *table, const PGresult *result, bool reversed,
                        struct err *err)
{
    int count = PQntuples(result);
    char *rows = count ? arena_zalloc(answer->arena, (size_t)count * table->row_size) : NULL;
    for (int i = 0; i < count; i++) {
        int place = reversed ? count - 1 - i : i;
        if (!table_decode(table, result, i, 0, rows + (size_t)place * table->row_size, answer->arena, err)) {
            return false;
        }
    }
    if (table == &table_model_analytics && answer->face.kind == READ_ANALYTICS_ALL) {
        for (struct model_analytics_row *row = (void *)rows;
             row && row < (struct model_analytics_row *)(void *)rows + count; row++) {
            row->payload = row->bulk_payload.p ? row->bulk_payload : row->payload;
        }
    }
    set_rows(&answer->face, table, rows, (size_t)count);
    return true;
}

/* Cuts conversations and cycles together to the first `limit` by feed_ordinal, and the messages of what goes. */
static void cut_conversations(struct repo_answer *answer, int64_t limit)
{
    size_t conversations = 0;
    size_t cycles = 0;
    while (conversations + cycles < (size_t)limit) {
        bool more = conversations < answer->conversation_count;
        if (more && (cycles == answer->cycle_count ||
                     answer->conversations[conversations].feed_ordinal.v <= answer->cycles[cycles].feed_ordinal.v)) {
            conversations++;
        } else if (cycles < answer->cycle_count) {
            cycles++;
        } else {
            break;
        }
    }
    size_t messages = 0;
    for (size_t i = 0; i < conversations; i++) {
        while (messages < answer->message_count &&
               answer->messages[messages].conversation_id.v == answer->conversations[i].id.v) {
            messages++;
        }
    }
    answer->conversation_count = conversations;
    answer->cycle_count = cycles;
    answer->message_count = messages;
}

static void on_batch(void *arg, PGresult *const *results, const struct err *batch_err)
{
    struct reading *reading = arg;
    struct err err = ERR_INIT;
    struct pg_answer *answer = NULL;
    if (batch_err) {
        err = *batch_err;
        goto out;
    }
    answer = mem_zalloc(sizeof *answer);
    answer->face.kind = reading->kind;
    answer->face.release = release;
    size_t bytes = 0;
    size_t guess = 1024;
    for (size_t i = 0; i < reading->count; i++) {
        answer->results[i] = results[i + 1];
        bytes += PQresultMemorySize(answer->results[i]);
        guess += (size_t)PQntuples(answer->results[i]) * reading->statements[i]->table->row_size;
    }
    answer->arena = arena_new(guess);
    bool versioned = repo_version_decode(results[0], &answer->face.version, &err);
    PQclear(results[0]);
    if (!versioned) {
        release(&answer->face);
        answer = NULL;
        goto out;
    }
    for (size_t i = 0; i < reading->count; i++) {
        if (!decode_rows(answer, reading->statements[i]->table, answer->results[i], reading->reversed, &err)) {
            err_wrap(&err, "%s", reading->statements[i]->statement.name);
            release(&answer->face);
            answer = NULL;
            goto out;
        }
    }
    if (reading->kind == READ_CONVERSATIONS && reading->limit != READ_NO_LIMIT) {
        cut_conversations(&answer->face, reading->limit);
    }
    answer->face.bytes = bytes + arena_used(answer->arena);
out:
    if (!answer && err.code != ERR_UNAVAILABLE && err.code != ERR_TIMEOUT) {
        err.code = ERR_INTERNAL;
    }
    reading->done(reading->arg, answer ? &answer->face : NULL, answer ? NULL : &err);
    free(reading);
}

static void start_read(struct repo_reads *face, const struct read_query *query, repo_read_done *done, void *arg)
{
    struct pg_reads *reads = (struct pg_reads *)face;
    struct reading *reading = mem_zalloc(sizeof *reading);
    *reading = (struct reading){.reads = reads, .kind = query->kind, .limit = query->limit, .done = done, .arg = arg};
    choose(reading, query);

    struct arena *arena = arena_new(0);
    struct params params[READ_STATEMENTS_MAX];
    struct pg_query queries[BATCH_MAX] = {{&version_statement, NULL}};
    for (size_t i = 0; i < reading->count; i++) {
        params[i] = params_on(arena);
        for (const enum read_param *kind = reading->statements[i]->params; *kind != PARAM_NONE; kind++) {
            add_param(&params[i], *kind, reads, query);
        }
        queries[i + 1] = (struct pg_query){&reading->statements[i]->statement, &params[i]};
    }
    pg_pool_submit(reads->pool, queries, 1 + reading->count, reads->timeout_ms, on_batch, reading);
    arena_free(arena);
}

struct repo_reads *pg_reads_new(struct pg_pool *pool, const struct pg_reads_config *config)
{
    struct pg_reads *reads = mem_zalloc(sizeof *reads);
    reads->face.read = start_read;
    reads->pool = pool;
    reads->sql = read_sql_set_new();
    reads->timeout_ms = config->query_timeout_ms;
    reads->price_provider = mem_strndup(config->price_provider, strlen(config->price_provider));
    return &reads->face;
}

void pg_reads_free(struct repo_reads *reads)
{
    struct pg_reads *own = (struct pg_reads *)reads;
    if (own) {
        read_sql_set_free(own->sql);
        free(own->price_provider);
        free(own);
    }
}
