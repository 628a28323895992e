/* The SQL of every read, as one table: name, text, which table's rows come, which parameters go in. What the queries
 * mean stands in repo/read_query.h; that each uses an index is held by repo/read_plans_test.c. */
#ifndef NOF0_REPO_READ_SQL_H
#define NOF0_REPO_READ_SQL_H

#include "repo/pg_pool.h"
#include "repo/table.h"

enum read_sql_id {
    SQL_DOCUMENT,
    SQL_EQUITY_FEED,
    SQL_EQUITY_SINCE,
    SQL_POSITION_MODELS,
    SQL_POSITIONS,
    SQL_TRADES_FEED,
    SQL_TRADES_FEED_MODEL,
    SQL_PRICES,
    SQL_INCEPTIONS,
    SQL_LEADERS,
    SQL_LEADERS_COMPUTED,
    SQL_ANALYTICS_ALL,
    SQL_ANALYTICS_ONE,
    SQL_CONVERSATIONS,
    SQL_CONVERSATIONS_MODEL,
    SQL_MESSAGES,
    SQL_MESSAGES_MODEL,
    SQL_CYCLES,
    SQL_CYCLES_MODEL,
    SQL_TRADES_PAGE, /* the first of SQL_TRADES_PAGE_COUNT, see read_sql_trades_page */
};
enum { SQL_TRADES_PAGE_COUNT = 18, READ_SQL_COUNT = SQL_TRADES_PAGE + SQL_TRADES_PAGE_COUNT };

/* The parameters, in order: $1, $2, ... A limit may be NULL: none. */
enum read_param {
    PARAM_NONE, /* ends the list */
    PARAM_DOCUMENT,
    PARAM_PROVIDER,
    PARAM_MODEL,
    PARAM_MARKER,
    PARAM_LIMIT,
    PARAM_BEFORE_TIME,
    PARAM_BEFORE_ID,
    PARAM_AFTER_TIME,
    PARAM_AFTER_ID,
};
enum { READ_PARAMS_MAX = 4 };

struct read_sql {
    struct pg_statement statement;
    const struct table *table; /* the result's columns are this table's, in .def order */
    enum read_param params[READ_PARAMS_MAX + 1];
};

/* Immutable once made. */
struct read_sql_set;
struct read_sql_set *read_sql_set_new(void);
void read_sql_set_free(struct read_sql_set *set);
/* id from 0 to READ_SQL_COUNT - 1. Lives as long as the set. */
const struct read_sql *read_sql_get(const struct read_sql_set *set, unsigned id);

/* Which of the trade pages: one model's or all; bounded before and after by nothing (0), a time (1) or an id (2), as in
 * struct trade_cursor. Newest first, but oldest first when there is an `after` alone. */
unsigned read_sql_trades_page(bool of_model, unsigned before, unsigned after);

#endif
