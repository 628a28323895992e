/* What the demo knows, as the JSON of the feeds. */
#ifndef NOF0_CLI_DEMO_PUT_H
#define NOF0_CLI_DEMO_PUT_H

#include "base/json_write.h"
#include "cli/demo_sim.h"

/* Members in one call each. */
void demo_put_text(struct json_writer *w, const char *key, const char *text);
void demo_put_int(struct json_writer *w, const char *key, int64_t value);
void demo_put_number(struct json_writer *w, const char *key, double value);
void demo_put_flag(struct json_writer *w, const char *key, bool value);
void demo_put_null(struct json_writer *w, const char *key);
void demo_put_money(struct json_writer *w, const char *key, int64_t micros); /* dollars and prices */
void demo_put_coins(struct json_writer *w, const char *key, int64_t size);
void demo_put_hundredths(struct json_writer *w, const char *key, int64_t value);
void demo_put_seconds(struct json_writer *w, const char *key, int64_t micros); /* six decimals of a second */
void demo_put_millis(struct json_writer *w, const char *key, int64_t micros);  /* cut to three */

/* The member "positions" of an account at offset_us into the slot. */
void demo_put_positions(struct json_writer *w, const struct demo_trader *trader, const struct demo_market *market,
                        int64_t offset_us);
/* One element of trades. */
void demo_put_trade(struct json_writer *w, const struct demo_trader *trader, const struct demo_trade *trade);
/* One element of analytics, as of now_us. Sorts the tally's samples. */
void demo_put_analytics(struct json_writer *w, struct demo_model_state *model, int64_t now_us);

/* The exit plan {target, stop, condition}, or {} without one. */
void demo_put_exit_plan(struct json_writer *w, const struct demo_position *position);

#endif
