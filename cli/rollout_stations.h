/* The stations of an endpoint's life: legacy, shadow, canary, repo, and its retired files; and what is missing for the
 * next one. */
#ifndef NOF0_CLI_ROLLOUT_STATIONS_H
#define NOF0_CLI_ROLLOUT_STATIONS_H

#include "cli/rollout_store.h"

enum { ROLLOUT_ITEMS_MAX = 8, ROLLOUT_ITEM_SIZE = 600 };

/* What must hold, and whether it does. */
struct rollout_items {
    struct rollout_item {
        bool holds;
        char text[ROLLOUT_ITEM_SIZE];
    } items[ROLLOUT_ITEMS_MAX];
    size_t count;
    size_t missing; /* of these, how many do not hold */
};

/* The plan that leads an endpoint, or all of them (FLAG_COUNT), to a value: nof0ctl cutover's own. */
struct rollout_plan rollout_cutover_plan(enum flag flag, struct flag_value to, int64_t soak_ms, int64_t comparisons);

/* What must hold before the flag may take its next value, by what `look` says of `plan`'s track `at`. */
bool rollout_check_next(struct session *session, const struct settings *settings, const struct rollout_plan *plan,
                        const struct rollout_look *look, size_t at, struct flag_value next, struct rollout_items *items,
                        struct err *err) MUST_CHECK;

/* What must hold before the endpoint's legacy files, and what keeps them, may go: rows answer everybody since `age_ms`
 * at least, no comparison found a difference as long as the files were kept, nobody keeps them any more, and what the
 * configuration says where no store answers is the same. */
bool rollout_check_retirement(struct session *session, const struct settings *settings, const struct rollout_plan *plan,
                              const struct rollout_look *look, size_t at, int64_t age_ms, struct rollout_items *items,
                              struct err *err) MUST_CHECK;

/* The flag that says whether the endpoint's files are kept. */
enum flag rollout_dual_write(enum flag read);

/* Appends a line for each item: "  ok     ..." or "  lacks  ...". */
void rollout_put_items(struct buf *out, const struct rollout_items *items);

#endif
