/* For tests: documents of each endpoint's shape with values by chance, and their texts in other bytes. */
#ifndef NOF0_SERVER_DOCUMENTS_TESTING_H
#define NOF0_SERVER_DOCUMENTS_TESTING_H

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/testing.h"
#include "server/endpoints.h"

#include <math.h>
#include <stdio.h>

enum { ROWS_MOST = 24 };

/* -- Chance ------------------------------------------------------------------------------------------------------- */

static uint64_t chance_state;

/* 0 to n - 1; splitmix64. */
static unsigned chance(unsigned n)
{
    if (n == 0)
        fail();
    uint64_t z = chance_state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return (unsigned)((z ^ z >> 31) % n);
}

/* -- Documents ---------------------------------------------------------------------------------------------------- */

/* What an endpoint's document holds. `rows` is its array, or the object that has its rows by name. Fields, one letter
 * each: i identity, m model_id, s string, f double, n integer, b truth, 0 null, e empty object, p exit plan, P
 * positions by symbol, T table of metrics, M messages. */
struct shape {
    enum read_kind kind;
    enum { IN_ARRAY, BY_NAME, ALONE } form;
    const char *rows;
    const char *fields;
};
static const struct shape shapes[] = {
    {READ_ACCOUNT_TOTALS, IN_ARRAY, "accountTotals", "imffffnnP"},
    {READ_POSITIONS, IN_ARRAY, "accountTotals", "mP"},
    {READ_TRADES, IN_ARRAY, "trades", "imssffffnnbb00epf"},
    {READ_CRYPTO_PRICES, BY_NAME, "prices", "sfn"},
    {READ_SINCE_INCEPTION, IN_ARRAY, "sinceInceptionValues", "imffn"},
    {READ_LEADERBOARD, IN_ARRAY, "leaderboard", "innnfff"},
    {READ_ANALYTICS_ALL, IN_ARRAY, "analytics", "imffTTs"},
    {READ_ANALYTICS_ONE, ALONE, "analytics", "imffTTs"},
    {READ_CONVERSATIONS, IN_ARRAY, "conversations", "imsnsssp0"}, /* cycles */
    {READ_CONVERSATIONS, IN_ARRAY, "conversations", "mM"},        /* messages */
};

static cJSON *some_string(void)
{
    static const char *const parts[] = {
        "long",   "BTC", "a \"quote\"",      "line\n", "\xC3\xA9t\xC3\xA9", "\xE2\x86\x92",
        "back\\", "{[,", "\xF0\x9F\x98\x80", "0.5",    "stop below 42"};
    char text[200];
    (void)snprintf(text, sizeof text, "%s%s %u", parts[chance(11)], parts[chance(11)], chance(1000));
    return cJSON_CreateString(text);
}

static double some_double(void)
{
    static const double scales[] = {1e-6, 0.01, 1, 1000, 1e9};
    return ((double)chance(2000001) - 1000000.5) / 777 * scales[chance(5)];
}

static cJSON *some_members(const char *prefix, unsigned count)
{
    cJSON *object = cJSON_CreateObject();
    for (unsigned i = 0; i < count; i++) {
        char key[40];
        (void)snprintf(key, sizeof key, "%s_%u", prefix, i);
        cJSON_AddNumberToObject(object, key, i % 3 ? some_double() : chance(100));
    }
    return object;
}

static cJSON *some_messages(void)
{
    cJSON *messages = cJSON_CreateArray();
    for (unsigned i = 0, count = 2 + chance(4); i < count; i++) {
        cJSON *message = cJSON_CreateObject();
        cJSON_AddItemToObject(message, "content", some_string());
        cJSON_AddStringToObject(message, "role", i % 2 ? "assistant" : "user");
        cJSON_AddNumberToObject(message, "timestamp", 1761470000 + i);
        cJSON_AddItemToArray(messages, message);
    }
    return messages;
}

static cJSON *some_positions(void)
{
    static const char *const symbols[] = {"BTC", "ETH", "odd key"};
    cJSON *positions = cJSON_CreateObject();
    for (unsigned i = 0, count = chance(4); i < count; i++) {
        cJSON *position = some_members("position", 3);
        cJSON_AddItemToObject(position, "exit_plan", some_members("plan", chance(3)));
        cJSON_AddNullToObject(position, "index_col");
        cJSON_AddItemToObject(positions, symbols[i], position);
    }
    return positions;
}

static void add_field(cJSON *row, char field, unsigned place, unsigned row_index)
{
    char key[32];
    char text[64];
    (void)snprintf(key, sizeof key, "field_%c%u", field, place);
    switch (field) {
    case 'i':
        /* Some that a path must put in quotes. */
        (void)snprintf(text, sizeof text,
                       row_index % 7 == 3   ? "%u"
                       : row_index % 7 == 5 ? "id \"%u\""
                                            : "gpt-5_%u",
                       row_index);
        cJSON_AddStringToObject(row, "id", text);
        break;
    case 'm':
        (void)snprintf(text, sizeof text, "model-%u", row_index);
        cJSON_AddStringToObject(row, "model_id", text);
        break;
    case 's':
        cJSON_AddItemToObject(row, key, some_string());
        break;
    case 'f':
        cJSON_AddNumberToObject(row, key, chance(9) ? some_double() : 0);
        break;
    case 'n':
        cJSON_AddNumberToObject(row, key, chance(3) ? chance(1000000) : 1122014183665846.0);
        break;
    case 'b':
        cJSON_AddBoolToObject(row, key, chance(2) == 1);
        break;
    case '0':
        cJSON_AddNullToObject(row, key);
        break;
    case 'e':
        cJSON_AddObjectToObject(row, key);
        break;
    case 'p':
        cJSON_AddItemToObject(row, key, some_members("plan", 3));
        break;
    case 'P':
        cJSON_AddItemToObject(row, "positions", some_positions());
        break;
    case 'T':
        cJSON_AddItemToObject(row, key, some_members("metric", 12));
        break;
    default:
        cJSON_AddItemToObject(row, "messages", some_messages());
    }
}

static cJSON *some_row(const struct shape *shape, unsigned index)
{
    cJSON *row = cJSON_CreateObject();
    for (unsigned i = 0; shape->fields[i]; i++)
        add_field(row, shape->fields[i], i, index);
    return row;
}

static cJSON *some_document(const struct shape *shape)
{
    cJSON *document = cJSON_CreateObject();
    if (shape->form == ALONE) {
        cJSON_AddItemToObject(document, shape->rows, some_row(shape, 1));
    } else {
        cJSON *rows = shape->form == IN_ARRAY ? cJSON_AddArrayToObject(document, shape->rows)
                                              : cJSON_AddObjectToObject(document, shape->rows);
        for (unsigned i = 0, count = 5 + chance(ROWS_MOST - 5); i < count; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "S%u", i);
            if (shape->form == IN_ARRAY)
                cJSON_AddItemToArray(rows, some_row(shape, i));
            else
                cJSON_AddItemToObject(rows, name, some_row(shape, i));
        }
    }
    cJSON_AddNumberToObject(document, "lastHourlyMarkerRead", chance(200));
    if (shape->kind != READ_LEADERBOARD)
        cJSON_AddNumberToObject(document, "serverTime", 1761500000000 + chance(1000000));
    return document;
}

/* -- Texts -------------------------------------------------------------------------------------------------------- */

static void put_blanks(struct buf *out)
{
    for (unsigned i = chance(8); i > 5; i--)
        buf_append_char(out, " \n\t\r"[chance(4)]);
}

/* A number in one of its spellings. */
static void put_number(struct buf *out, double value)
{
    json_put_double(out, value);
    bool whole = floor(value) == value && fabs(value) < 1e15;
    if (whole && chance(3) == 0)
        buf_append_str(out, chance(2) ? ".0" : "e0");
}

static void put_string(struct buf *out, const char *text)
{
    struct buf plain = BUF_INIT;
    json_put_string(&plain, slice_of(text));
    for (size_t i = 0; i < plain.len; i++) {
        char c = plain.data[i];
        if (((c >= 'a' && c <= 'z') || c == '/') && (i == 0 || plain.data[i - 1] != '\\') && chance(40) == 0)
            buf_printf(out, "\\u%04x", (unsigned)c);
        else
            buf_append_char(out, c);
    }
    buf_free(&plain);
}

/* In other bytes: keys in any order, blanks, spellings. */
static void put_shuffled(struct buf *out, const cJSON *node)
{
    enum { MEMBERS_MOST = 64 };
    put_blanks(out);
    if (cJSON_IsObject(node) || cJSON_IsArray(node)) {
        const cJSON *members[MEMBERS_MOST];
        unsigned count = 0;
        const cJSON *member;
        cJSON_ArrayForEach(member, node)
        {
            assert_true(count < MEMBERS_MOST);
            members[count++] = member;
        }
        for (unsigned i = count; cJSON_IsObject(node) && i > 1; i--) {
            unsigned other = chance(i);
            const cJSON *swapped = members[i - 1];
            members[i - 1] = members[other];
            members[other] = swapped;
        }
        buf_append_char(out, cJSON_IsObject(node) ? '{' : '[');
        put_blanks(out);
        for (unsigned i = 0; i < count; i++) {
            if (i)
                buf_append_char(out, ',');
            if (cJSON_IsObject(node)) {
                put_blanks(out);
                put_string(out, members[i]->string);
                put_blanks(out);
                buf_append_char(out, ':');
            }
            put_shuffled(out, members[i]);
        }
        buf_append_char(out, cJSON_IsObject(node) ? '}' : ']');
    } else if (cJSON_IsNumber(node)) {
        put_number(out, node->valuedouble);
    } else if (cJSON_IsString(node)) {
        put_string(out, node->valuestring);
    } else {
        json_put_cjson(out, node);
    }
    put_blanks(out);
}

#endif
