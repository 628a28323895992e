#include "cli/demo_trader.h"

#include <stdio.h>

static const struct {
    const char *id;
    struct demo_style style;
} arena[] = {
    {"gpt-5", {55, 520000, 700000, 10, 20, 260, 21000, 58, 68, false}},
    {"claude-sonnet-4-5", {19, 960000, 650000, 8, 20, 380, 42000, 60, 75, false}},
    {"gemini-2.5-pro", {100, 550000, 550000, 10, 20, 120, 14000, 56, 72, false}},
    {"grok-4", {20, 620000, 600000, 8, 20, 420, 30000, 60, 78, true}},
    {"deepseek-chat-v3.1", {14, 920000, 800000, 10, 15, 700, 30000, 62, 80, false}},
    {"qwen3-max", {22, 740000, 720000, 15, 25, 300, 50000, 70, 90, true}},
};

static const char *const families[] = {
    "kimi-k2",    "glm-4.6",     "llama-4-maverick", "mistral-large-3", "command-a",       "nova-premier",
    "minimax-m2", "ernie-5",     "hunyuan-t1",       "phi-5",           "jamba-large-1.7", "nemotron-ultra",
    "granite-4",  "solar-pro-2", "exaone-4",         "falcon-h1",       "yi-lightning-2",  "doubao-seed-1.6",
    "step-3",     "o4-mini",     "grok-4-fast",      "deepseek-r1",     "qwen3-coder",     "gemini-2.5-flash",
};

static const char *const editions[] = {"", "-thinking", "-turbo", "-preview"};

enum {
    ARENA = sizeof arena / sizeof arena[0],
    FAMILIES = sizeof families / sizeof families[0],
    EDITIONS = sizeof editions / sizeof editions[0],
};

static void draw_style(struct demo_random *random, struct demo_style *style)
{
    *style = (struct demo_style){
        .weight = demo_random_between(random, 10, 70),
        .long_ppm = demo_random_between(random, 350000, 950000),
        .follow_ppm = demo_random_between(random, 400000, 850000),
        .leverage_least = demo_random_between(random, 2, 10),
        .leverage_most = demo_random_between(random, 12, 25),
        .horizon = demo_random_between(random, 60, 700),
        .risk_ppm = demo_random_between(random, 8000, 45000),
        .confidence_least = demo_random_between(random, 50, 65),
        .confidence_most = demo_random_between(random, 68, 92),
        .terse = demo_random_chance(random, 400000),
    };
}

void demo_model(size_t index, struct demo_random *random, char id[DEMO_ID_SIZE], struct demo_style *style)
{
    if (index < ARENA) {
        (void)snprintf(id, DEMO_ID_SIZE, "%s", arena[index].id);
        *style = arena[index].style;
        return;
    }
    size_t further = index - ARENA;
    size_t round = further / FAMILIES;
    draw_style(random, style);
    if (round < EDITIONS)
        (void)snprintf(id, DEMO_ID_SIZE, "%s%s", families[further % FAMILIES], editions[round]);
    else
        (void)snprintf(id, DEMO_ID_SIZE, "%s-v%zu", families[further % FAMILIES], round - EDITIONS + 2);
}
