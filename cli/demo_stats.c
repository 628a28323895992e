#include "cli/demo_stats.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

void demo_moments_add(struct demo_moments *moments, int64_t value)
{
    if (moments->count == 0 || value < moments->least)
        moments->least = value;
    if (moments->count == 0 || value > moments->most)
        moments->most = value;
    moments->count++;
    moments->sum += value;
    moments->squares += (__int128)value * value;
}

void demo_moments_remove(struct demo_moments *moments, int64_t value)
{
    moments->count--;
    moments->sum -= value;
    moments->squares -= (__int128)value * value;
}

double demo_moments_sum(const struct demo_moments *moments, int64_t scale)
{
    return (double)moments->sum / (double)scale;
}

double demo_moments_mean(const struct demo_moments *moments, int64_t scale)
{
    return moments->count ? (double)moments->sum / ((double)moments->count * (double)scale) : 0;
}

double demo_moments_deviation(const struct demo_moments *moments, int64_t scale)
{
    if (moments->count < 2)
        return 0;
    __int128 n = moments->count;
    __int128 spread = n * moments->squares - moments->sum * moments->sum;
    return sqrt((double)spread / ((double)n * (double)(n - 1))) / (double)scale;
}

double demo_moments_least(const struct demo_moments *moments, int64_t scale)
{
    return moments->count ? (double)moments->least / (double)scale : 0;
}

double demo_moments_most(const struct demo_moments *moments, int64_t scale)
{
    return moments->count ? (double)moments->most / (double)scale : 0;
}

void demo_samples_add(struct demo_samples *samples, int64_t value)
{
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity ? 2 * samples->capacity : 64;
        samples->values = mem_realloc(samples->values, samples->capacity * sizeof *samples->values);
    }
    samples->values[samples->count++] = value;
}

static int by_value(const void *a, const void *b)
{
    const int64_t *left = a;
    const int64_t *right = b;
    return (*left > *right) - (*left < *right);
}

double demo_samples_median(struct demo_samples *samples, int64_t scale)
{
    if (samples->count == 0)
        return 0;
    qsort(samples->values, samples->count, sizeof *samples->values, by_value);
    int64_t low = samples->values[(samples->count - 1) / 2];
    int64_t high = samples->values[samples->count / 2];
    return (double)(low + high) / (2.0 * (double)scale);
}

void demo_samples_free(struct demo_samples *samples)
{
    free(samples->values);
    *samples = (struct demo_samples){NULL, 0, 0};
}

/* The value at place `rank` of the sorted whole. */
static int64_t at_rank(const struct demo_counts *counts, int64_t rank)
{
    int64_t value = 0;
    while (value < DEMO_COUNTS_MOST && rank >= counts->of[value])
        rank -= counts->of[value++];
    return value;
}

double demo_counts_median(const struct demo_counts *counts, int64_t scale)
{
    int64_t total = 0;
    for (int i = 0; i <= DEMO_COUNTS_MOST; i++)
        total += counts->of[i];
    if (total == 0)
        return 0;
    return (double)(at_rank(counts, (total - 1) / 2) + at_rank(counts, total / 2)) / (2.0 * (double)scale);
}
