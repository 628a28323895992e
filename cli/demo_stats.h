/* Means, deviations and medians of integers, exact until the last division, so that a result does not depend on the
 * order of the values or on the machine. */
#ifndef NOF0_CLI_DEMO_STATS_H
#define NOF0_CLI_DEMO_STATS_H

#include <stddef.h>
#include <stdint.h>

struct demo_moments {
    int64_t count;
    int64_t least;
    int64_t most;
    __int128 sum;
    __int128 squares;
};

void demo_moments_add(struct demo_moments *moments, int64_t value);
/* Also used to take a value back out of a moving window; least and most are then meaningless. */
void demo_moments_remove(struct demo_moments *moments, int64_t value);

/* Divided by `scale`: the unit of the values. 0 for no value; the deviation is that of a sample (n - 1) and 0 for fewer
 * than two. */
double demo_moments_sum(const struct demo_moments *moments, int64_t scale);
double demo_moments_mean(const struct demo_moments *moments, int64_t scale);
double demo_moments_deviation(const struct demo_moments *moments, int64_t scale);
double demo_moments_least(const struct demo_moments *moments, int64_t scale);
double demo_moments_most(const struct demo_moments *moments, int64_t scale);

/* Every value kept, for a median: 8 bytes each. */
struct demo_samples {
    int64_t *values;
    size_t count;
    size_t capacity;
};
void demo_samples_add(struct demo_samples *samples, int64_t value);
/* Sorts the values. 0 for none; the mean of the middle two for an even count. */
double demo_samples_median(struct demo_samples *samples, int64_t scale);
void demo_samples_free(struct demo_samples *samples);

/* Counts of the values 0 to DEMO_COUNTS_MOST, for a median of very many values. */
enum { DEMO_COUNTS_MOST = 100 };
struct demo_counts {
    int64_t of[DEMO_COUNTS_MOST + 1];
};
double demo_counts_median(const struct demo_counts *counts, int64_t scale);

#endif
