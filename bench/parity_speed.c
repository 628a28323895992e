/* parity_speed ENDPOINT LEFT RIGHT: how fast two files are compared by the endpoint's rules, and, beside it, parsed by
 * cJSON. Prints the differences, and MB (10^6 bytes of both texts) a second of processor time: comparing, parsing. */
#include "base/file.h"
#include "base/json_read.h"
#include "legacy/file.h"
#include "server/endpoints.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <time.h>

enum { LEAST_MS = 200 };

static double cpu_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct pair {
    struct slice text[2];
    const struct parity_rule *rules;
    struct parity_counts counts;
};

static bool compare(struct pair *pair)
{
    struct err err = ERR_INIT;
    return parity_compare(pair->text[0], pair->text[1], pair->rules, NULL, NULL, &pair->counts, &err);
}

static bool parse(struct pair *pair)
{
    cJSON *parsed[2];
    for (int side = 0; side < 2; side++)
        parsed[side] = cJSON_ParseWithLength(pair->text[side].p, pair->text[side].n);
    bool both = parsed[0] && parsed[1];
    cJSON_Delete(parsed[0]);
    cJSON_Delete(parsed[1]);
    return both;
}

/* MB a second, or 0 when it fails. */
static double speed(struct pair *pair, bool (*what)(struct pair *pair))
{
    double began = cpu_s();
    double took = 0;
    long times = 0;
    do {
        if (!what(pair))
            return 0;
        times++;
        took = cpu_s() - began;
    } while (took < LEAST_MS / 1e3);
    return (double)(pair->text[0].n + pair->text[1].n) / 1e6 * (double)times / took;
}

int main(int argc, char **argv)
{
    struct pair pair = {.rules = NULL};
    struct buf content[2] = {BUF_INIT, BUF_INIT};
    int code = 2;
    for (size_t i = 0; argc == 4 && i < READ_KIND_COUNT; i++) {
        if (strcmp(endpoints[i].name, argv[1]) == 0)
            pair.rules = endpoints[i].parity_rules;
    }
    if (!pair.rules) {
        (void)fputs("usage: parity_speed ENDPOINT LEFT RIGHT\n", stderr);
        goto out;
    }
    for (int side = 0; side < 2; side++) {
        struct err err = ERR_INIT;
        if (!file_read(argv[2 + side], (size_t)LEGACY_FILE_MAX, &content[side], &err)) {
            (void)fprintf(stderr, "parity_speed: %s\n", err.text);
            goto out;
        }
        if (!json_check(buf_slice(&content[side]), NULL, NULL)) {
            (void)fprintf(stderr, "parity_speed: %s: is no JSON\n", argv[2 + side]);
            goto out;
        }
        pair.text[side] = buf_slice(&content[side]);
    }
    double comparing = speed(&pair, compare);
    double parsing = speed(&pair, parse);
    printf("%llu %.2f %.2f\n", (unsigned long long)parity_counts_sum(&pair.counts), comparing, parsing);
    code = comparing > 0 && parsing > 0 ? 0 : 2;
out:
    buf_free(&content[0]);
    buf_free(&content[1]);
    return code;
}
