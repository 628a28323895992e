/* How a row looks on the wire: which JSON key speaks of which column, declared once per kind of row
 * (assembler/wire_*.def) and used both ways: the assembler writes rows with it, ingest reads JSON objects with it.
 *
 * A column that is SQL NULL is absent on the wire. Whatever a column cannot say stands in the row's wire_detail, a JSON
 * object (SQL NULL when there is nothing to say, as in nearly every row):
 *     {"set": {"key": value, ...}, "unset": ["key", ...]}
 * "set" overrides or adds members (an explicit null, a key that nof0 does not know, a value of unusual type), "unset"
 * removes a member that would follow from other columns (a position's symbol). */
#ifndef NOF0_ASSEMBLER_WIRE_H
#define NOF0_ASSEMBLER_WIRE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json_write.h"
#include "base/slice.h"

enum wire_kind {
    WIRE_TEXT,  /* struct slice: a string */
    WIRE_F64,   /* struct col_f64: a number */
    WIRE_I64,   /* struct col_i64: an integer within +-2^53 */
    WIRE_I32,   /* struct col_i64: an integer that fits 32 bits */
    WIRE_BOOL,  /* struct col_bool */
    WIRE_JSON,  /* struct slice of JSON text without blanks: any value, null included */
    WIRE_JSONB, /* the same as Postgres spells jsonb, with blanks: it goes out without them */
};

struct wire_field {
    const char *key;
    struct slice lead; /* the key as it goes out: in quotes, a colon behind it */
    size_t offset;     /* of the column in the row struct */
    enum wire_kind kind;
    bool required; /* an object without it (or with null) is a bad row */
};

/* A key may stand in two fields one behind the other, of which at most one column is set: the second, of kind
 * WIRE_JSONB, takes the values that the first cannot. */
struct wire_shape {
    const char *noun; /* "trade": for messages */
    const struct wire_field *fields;
    size_t field_count;
    size_t detail_offset; /* of wire_detail in the row struct */
    bool lenient;         /* a value of another type in an optional field goes to wire_detail and is no bad row */
    bool strict;          /* the row has no wire_detail: unknown members are faults; only read, never written */
};

extern const struct wire_shape wire_account_total;  /* account_equity_snapshots_row */
extern const struct wire_shape wire_position;       /* positions_row */
extern const struct wire_shape wire_position_model; /* position_feed_models_row; "positions" goes beside it */
extern const struct wire_shape wire_trade;          /* trades_row */
extern const struct wire_shape wire_price;          /* price_latest_row */
extern const struct wire_shape wire_inception;      /* since_inception_values_row */
extern const struct wire_shape wire_leader;         /* leaderboard_entries_row */
extern const struct wire_shape wire_conversation;   /* conversations_row; "messages" goes beside it */
extern const struct wire_shape wire_message;        /* conversation_messages_row */
extern const struct wire_shape wire_cycle;          /* decision_cycles_row */
extern const struct wire_shape wire_trader_state;   /* trader_state_row; strict, as the next two */
extern const struct wire_shape wire_market_asset;   /* market_assets_row */
extern const struct wire_shape wire_market_context; /* market_asset_ctx_row */

/* A parsed wire_detail. Empty (all NULL) when the column was SQL NULL. */
struct wire_detail {
    struct cJSON *root; /* owned */
    const struct cJSON *set;
    const struct cJSON *unset;
};

/* Parses a wire_detail; text.p == NULL gives an empty one. False (ERR_INTERNAL) when it is not what the comment above
 * says; *detail is then empty. Close with wire_detail_close. */
bool wire_detail_open(struct wire_detail *detail, struct slice text, struct err *err);
void wire_detail_close(struct wire_detail *detail);
/* True when the detail sets or unsets the key, so that the columns have no say in it. */
bool wire_detail_decides(const struct wire_detail *detail, const char *key);
/* Writes the members of "set", but not those whose key is one of `except` (a NULL-ended list, or NULL). */
void wire_detail_put_set(struct json_writer *w, const struct wire_detail *detail, const char *const *except);

/* Appends the row as a JSON object. False (ERR_INTERNAL, naming the row) when its wire_detail is not what the comment
 * above says or a number in it is not finite; out may then have grown. */
bool wire_put_object(struct buf *out, const struct wire_shape *shape, const void *row, struct err *err);

/* The same, but only the members, into an object that the caller began and ends; `detail` is the row's. */
bool wire_put_members(struct json_writer *w, const struct wire_shape *shape, const void *row,
                      const struct wire_detail *detail, struct err *err);

#endif
