/* What rows must be like beyond their wire's shape, for files and for events alike. Every fault is told to the reader.
 */
#ifndef NOF0_INGEST_WIRE_CHECK_H
#define NOF0_INGEST_WIRE_CHECK_H

#include "ingest/wire_read.h"
#include "repo/rows.h"

/* The length that a text may have which is a key in the database. */
enum { WIRE_KEY_MAX = 800 };

/* Tells a fault of the member `name` of the object at `path`. */
void wire_fault(const struct wire_reader *reader, const char *path, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Checks a text that becomes a key: not empty, not longer than WIRE_KEY_MAX. */
bool wire_check_key(const struct wire_reader *reader, struct slice text, const char *path, const char *name);

/* Cuts seconds that become a key or an order to milliseconds; false when they are out of range. */
bool wire_cut_time(const struct wire_reader *reader, double seconds, const char *path, const char *name, int64_t *ms);

/* The map `positions` of an account total, which is stored whole: its positions are only looked at. NULL is good. */
bool wire_check_positions(const struct wire_reader *reader, const cJSON *map, const char *path);

/* The instants of an account total and a trade as integers; false when one that is a key is out of range. */
bool wire_cut_account_total(const struct wire_reader *reader, struct account_equity_snapshots_row *row,
                            const char *path);
bool wire_cut_trade(const struct wire_reader *reader, struct trades_row *row, const char *path);

/* What follows from a decision cycle's other columns: digest, success, instant. */
void wire_derive_cycle(const struct wire_reader *reader, const cJSON *object, struct decision_cycles_row *row);

/* Whether an element of /api/conversations is a decision cycle; else it is a conversation. */
bool wire_is_cycle(const cJSON *object);

/* Who may say something in a conversation; ended by NULL. */
extern const char *const wire_message_roles[];

/* A message of a conversation, but for what says where it stands. */
bool wire_read_message(const struct wire_reader *reader, const cJSON *object, const char *path,
                       struct conversation_messages_row *row);

/* The model and the first message say which conversation this is; several that begin alike get numbers behind it
 * ("{digest}-{number}" is conversations.source_key). In the reader's arena. */
struct slice wire_opening_digest(const struct wire_reader *reader, struct slice model, const cJSON *messages);

/* "{model}:{symbol}:{entry_ms}": positions.id. In the arena. */
struct slice wire_position_id(struct arena *arena, struct slice model, struct slice symbol, int64_t entry_ms);

#endif
