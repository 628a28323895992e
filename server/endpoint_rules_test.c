/* The detector is measured: documents of each endpoint's shape are changed in one place, in every way that is told
 * apart, and the comparison by the endpoint's rules must say what was changed, where and how, and nothing else. */
#include "base/mem.h"
#include "base/testing.h"
#include "server/documents_testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHANGES = 300, EXPECTED_MOST = 2, PATH_SIZE = 512 };

/* -- One change --------------------------------------------------------------------------------------------------- */

struct line {
    enum parity_class class;
    char path[PATH_SIZE];
};

struct change {
    const struct shape *shape;
    cJSON *document;
    struct line expected[EXPECTED_MOST];
    unsigned expected_count;
    bool either; /* any one of those expected is right */
};

static void expect(struct change *change, enum parity_class class, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void expect(struct change *change, enum parity_class class, const char *format, ...)
{
    assert_true(change->expected_count < EXPECTED_MOST);
    struct line *line = &change->expected[change->expected_count++];
    line->class = class;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line->path, sizeof line->path, format, arguments);
    va_end(arguments);
}

/* "[id=gpt-5_3]" of a row, or "[3]". */
static void row_name(const struct change *change, const cJSON *row, unsigned index, char out[PATH_SIZE])
{
    static const char *const keys[] = {"id", "model_id"};
    for (unsigned i = change->shape->kind == READ_POSITIONS; i < 2; i++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(row, keys[i]);
        bool known = cJSON_IsString(value) || cJSON_IsNumber(value) || cJSON_IsBool(value);
        if (i == 1 && change->shape->kind != READ_POSITIONS && change->shape->kind != READ_ANALYTICS_ALL &&
            change->shape->kind != READ_CONVERSATIONS)
            break;
        if (!known)
            continue;
        struct buf text = BUF_INIT;
        json_put_cjson(&text, value);
        bool plain = cJSON_IsString(value) && value->valuestring[0] > '9' &&
                     !strpbrk(value->valuestring, " \"\\,[]={}") && strcmp(value->valuestring, "true") != 0;
        for (const char *p = plain ? value->valuestring : ""; *p; p++)
            plain = plain && (unsigned char)*p < 0x80;
        (void)snprintf(out, PATH_SIZE, "[%s=%s]", keys[i], plain ? value->valuestring : buf_cstr(&text));
        buf_free(&text);
        return;
    }
    (void)snprintf(out, PATH_SIZE, "[%u]", index);
}

/* Whether another row has that name too. */
static bool is_taken(const struct change *change, const cJSON *row)
{
    char name[2][PATH_SIZE];
    row_name(change, row, 0, name[0]);
    const cJSON *other;
    cJSON_ArrayForEach(other, cJSON_GetObjectItemCaseSensitive(change->document, change->shape->rows))
    {
        row_name(change, other, 0, name[1]);
        if (other != row && strcmp(name[0], name[1]) == 0)
            return true;
    }
    return false;
}

/* A value somewhere in the document, and what leads there. */
struct spot {
    cJSON *value, *around;
    cJSON *row; /* of an array with identity, when the spot lies in one */
    unsigned row_index;
    char row_path[PATH_SIZE]; /* up to the array */
    char path[PATH_SIZE];
};

struct search {
    const struct change *change;
    unsigned left; /* values to pass by */
    struct spot found;
};

static bool is_row_array(const struct change *change, const cJSON *node)
{
    return change->shape->form == IN_ARRAY && node->string && strcmp(node->string, change->shape->rows) == 0;
}

/* Walks all values but the document and serverTime. False when it is found. */
static bool walk(struct search *search, cJSON *node, const struct spot *so_far)
{
    unsigned index = 0;
    cJSON *child;
    cJSON_ArrayForEach(child, node)
    {
        struct spot spot = *so_far;
        spot.value = child;
        spot.around = node;
        if (cJSON_IsObject(node)) {
            bool odd = strchr(child->string, ' ');
            if (strcmp(child->string, "serverTime") == 0)
                continue;
            (void)snprintf(spot.path, PATH_SIZE, odd ? "%.300s[\"%s\"]" : "%.300s.%s", so_far->path, child->string);
        } else if (is_row_array(search->change, node)) {
            char name[PATH_SIZE];
            spot.row = child;
            spot.row_index = index;
            (void)snprintf(spot.row_path, PATH_SIZE, "%s", so_far->path);
            row_name(search->change, child, index, name);
            (void)snprintf(spot.path, PATH_SIZE, "%.200s%.300s", so_far->path, name);
        } else {
            (void)snprintf(spot.path, PATH_SIZE, "%.300s[%u]", so_far->path, index);
        }
        index++;
        if (search->left-- == 0) {
            search->found = spot;
            return false;
        }
        if (!walk(search, child, &spot))
            return false;
    }
    return true;
}

static unsigned count_spots(const struct change *change, cJSON *document)
{
    struct search search = {.change = change, .left = UINT32_MAX};
    struct spot top = {.path = "$"};
    assert_true(walk(&search, document, &top));
    return UINT32_MAX - search.left;
}

static struct spot some_spot(const struct change *change)
{
    struct search search = {.change = change, .left = chance(count_spots(change, change->document))};
    struct spot top = {.path = "$"};
    assert_false(walk(&search, change->document, &top));
    return search.found;
}

/* What a change within a row says: the class at the path, unless it changed what tells the row from others. */
static void expect_at(struct change *change, const struct spot *spot, const char *name_before, enum parity_class class)
{
    if (spot->row && spot->value != spot->row) {
        char name[PATH_SIZE];
        row_name(change, spot->row, spot->row_index, name);
        if (strcmp(name, name_before) != 0) {
            expect(change, PARITY_MISSING, "%.200s%.300s", spot->row_path, name_before);
            expect(change, PARITY_EXTRA, "%.200s%.300s", spot->row_path, name);
            return;
        }
    }
    expect(change, class, "%s", spot->path);
}

static void replace(const struct spot *spot, cJSON *by)
{
    if (cJSON_IsArray(spot->around)) {
        assert_true(cJSON_ReplaceItemViaPointer(spot->around, spot->value, by));
        return;
    }
    char *key = mem_strndup(spot->value->string, strlen(spot->value->string));
    assert_true(cJSON_ReplaceItemInObjectCaseSensitive(spot->around, key, by));
    free(key);
}

/* A value of another type than `value`, or NULL when this throw gave the same. */
static cJSON *other_type(const cJSON *value)
{
    char text[64];
    cJSON *other;
    switch (chance(6)) {
    case 0:
        other = cJSON_CreateNull();
        break;
    case 1:
        other = cJSON_CreateObject();
        break;
    case 2:
        other = cJSON_CreateArray();
        break;
    case 3:
        (void)snprintf(text, sizeof text, "%.17g", cJSON_IsNumber(value) ? value->valuedouble : 0.0);
        other = cJSON_CreateString(cJSON_IsNumber(value) ? text : "");
        break;
    case 4:
        other = cJSON_CreateNumber(0);
        break;
    default:
        other = cJSON_CreateBool(0);
    }
    bool truths = cJSON_IsBool(other) && cJSON_IsBool(value);
    if (truths || (other->type & 0xFF) == (value->type & 0xFF)) {
        cJSON_Delete(other);
        return NULL;
    }
    return other;
}

/* Another string: a character more, another, in the other case, or none. */
static cJSON *other_string(const char *text)
{
    char other[256];
    (void)snprintf(other, sizeof other, "%s", text);
    switch (chance(4)) {
    case 0:
        (void)snprintf(other, sizeof other, "%.200s\xF0\x9F\x98\x81", text);
        break;
    case 1:
        for (char *p = other; *p; p++) {
            if (*p >= 'a' && *p <= 'z') {
                *p = (char)(*p - 'a' + 'A');
                break;
            }
        }
        break;
    case 2:
        for (char *p = other; *p; p++) {
            if (*p >= '0' && *p <= '9') {
                *p = *p == '9' ? '1' : (char)(*p + 1);
                break;
            }
        }
        break;
    default:
        other[0] = '\0';
    }
    return strcmp(other, text) == 0 ? NULL : cJSON_CreateString(other);
}

/* Another number that is as near as can be, or of the other sign. */
static cJSON *other_number(double value)
{
    switch (chance(4)) {
    case 0:
        return cJSON_CreateNumber(-value);
    case 1:
        return cJSON_CreateNumber(nextafter(value, chance(2) ? INFINITY : -INFINITY));
    case 2:
        return cJSON_CreateNumber(fabs(value) < 1e15 ? value + 1 : value - 1);
    default:
        return value + 0.001 > value ? cJSON_CreateNumber(value + 0.001) : NULL;
    }
}

static bool change_value(struct change *change)
{
    struct spot spot = some_spot(change);
    char name[PATH_SIZE] = "";
    if (spot.row)
        row_name(change, spot.row, spot.row_index, name);
    if (spot.value == spot.row)
        return false; /* whole rows are another change's matter */
    cJSON *other = NULL;
    enum parity_class class = PARITY_VALUE;
    if (chance(3) == 0) {
        other = other_type(spot.value);
        class = PARITY_TYPE;
    } else if (cJSON_IsString(spot.value)) {
        other = other_string(spot.value->valuestring);
    } else if (cJSON_IsNumber(spot.value)) {
        other = other_number(spot.value->valuedouble);
    } else if (cJSON_IsBool(spot.value)) {
        other = cJSON_CreateBool(!cJSON_IsTrue(spot.value));
    }
    if (!other)
        return false;
    replace(&spot, other);
    spot.value = other;
    if (spot.row && is_taken(change, spot.row))
        return false; /* two rows with one name: which was changed? */
    expect_at(change, &spot, name, class);
    return true;
}

/* A key goes. */
static bool change_absent(struct change *change)
{
    struct spot spot = some_spot(change);
    if (!cJSON_IsObject(spot.around) || spot.value == spot.row)
        return false;
    char name[PATH_SIZE] = "";
    if (spot.row)
        row_name(change, spot.row, spot.row_index, name);
    enum parity_class class = cJSON_IsNull(spot.value) ? PARITY_NULL_ABSENT : PARITY_MISSING;
    cJSON *gone = cJSON_DetachItemViaPointer(spot.around, spot.value);
    expect_at(change, &spot, name, class);
    cJSON_Delete(gone);
    return true;
}

/* A key comes, or changes its case. */
static bool change_key(struct change *change)
{
    struct spot spot = some_spot(change);
    if (!cJSON_IsObject(spot.value))
        return false;
    bool null = chance(2);
    if (null)
        cJSON_AddNullToObject(spot.value, "new_key");
    else
        cJSON_AddItemToObject(spot.value, "new_key", some_members("new", 2));
    expect(change, null ? PARITY_NULL_ABSENT : PARITY_EXTRA, "%s.new_key", spot.path);
    return true;
}

static bool change_swapped(struct change *change)
{
    struct spot spot = some_spot(change);
    cJSON *other = spot.value->next;
    if (!cJSON_IsObject(spot.around) || !other || !other->string || cJSON_IsObject(spot.value) ||
        cJSON_IsArray(spot.value) || cJSON_IsObject(other) || cJSON_IsArray(other) ||
        strcmp(other->string, "serverTime") == 0 || strcmp(other->string, "model_id") == 0 ||
        strcmp(spot.value->string, "id") == 0 || strcmp(spot.value->string, "model_id") == 0 ||
        strcmp(other->string, "id") == 0 || cJSON_Compare(spot.value, other, true))
        return false;
    bool truths = cJSON_IsBool(spot.value) && cJSON_IsBool(other);
    enum parity_class class = truths || (spot.value->type & 0xFF) == (other->type & 0xFF) ? PARITY_VALUE : PARITY_TYPE;
    char *key = spot.value->string;
    spot.value->string = other->string;
    other->string = key;
    size_t around = strlen(spot.path) - strlen(key);
    expect(change, class, "%s", spot.path);
    expect(change, class, "%.*s%s", (int)around, spot.path, spot.value->string);
    return true;
}

/* As cJSON_InsertItemInArray, which in some versions refuses what it should not. */
static void insert(cJSON *array, unsigned index, cJSON *item)
{
    if (!array)
        fail();
    cJSON *all = cJSON_CreateArray();
    for (unsigned i = 0, count = (unsigned)cJSON_GetArraySize(array); i < count; i++) {
        if (i == index)
            assert_true(cJSON_AddItemToArray(all, item));
        assert_true(cJSON_AddItemToArray(all, cJSON_DetachItemFromArray(array, 0)));
    }
    array->child = all->child;
    all->child = NULL;
    cJSON_Delete(all);
}

/* A row, or a message, goes or comes twice. */
static bool change_rows(struct change *change)
{
    struct spot spot = some_spot(change);
    if (!cJSON_IsArray(spot.around))
        return false;
    bool named = spot.value == spot.row;
    if (chance(2)) {
        cJSON_Delete(cJSON_DetachItemViaPointer(spot.around, spot.value));
        expect(change, PARITY_MISSING, "%s", spot.path);
        return true;
    }
    cJSON *twin = cJSON_Duplicate(spot.value, true);
    if (named) {
        insert(spot.around, chance((unsigned)cJSON_GetArraySize(spot.around)), twin);
        expect(change, PARITY_DUPLICATE, "%s", spot.path);
        return true;
    }
    unsigned index = 0;
    for (const cJSON *before = spot.around->child; before != spot.value; before = before->next)
        index++;
    insert(spot.around, index, twin);
    char *bracket = strrchr(spot.path, '[');
    assert_non_null(bracket);
    expect(change, PARITY_EXTRA, "%.*s[%u]", (int)(bracket - spot.path), spot.path, index + 1);
    return true;
}

static bool change_order(struct change *change)
{
    if (change->shape->form != IN_ARRAY)
        return false;
    cJSON *rows = cJSON_GetObjectItemCaseSensitive(change->document, change->shape->rows);
    int count = cJSON_GetArraySize(rows);
    int first = (int)chance((unsigned)count - 4);
    int apart = chance(2) ? 1 : 3; /* with one between them, more than one answer is right */
    char name[2][PATH_SIZE];
    row_name(change, cJSON_GetArrayItem(rows, first), (unsigned)first, name[0]);
    row_name(change, cJSON_GetArrayItem(rows, first + apart), (unsigned)(first + apart), name[1]);
    cJSON *exchanged[2] = {cJSON_GetArrayItem(rows, first), cJSON_GetArrayItem(rows, first + apart)};
    cJSON *members = exchanged[0]->child;
    exchanged[0]->child = exchanged[1]->child;
    exchanged[1]->child = members;
    change->either = apart == 1;
    for (int i = 0; i < 2; i++)
        expect(change, PARITY_ORDER, "$.%s%s", change->shape->rows, name[i]);
    return true;
}

/* -- What the comparison says ------------------------------------------------------------------------------------- */

struct told {
    struct line lines[8];
    unsigned count;
};

static bool note(void *arg, const struct parity_difference *difference)
{
    struct told *told = arg;
    if (told->count < 8) {
        struct line *line = &told->lines[told->count++];
        line->class = difference->class;
        (void)snprintf(line->path, sizeof line->path, "%.*s", SLICE_ARG(difference->path));
    }
    return true;
}

static enum parity_class mirrored(enum parity_class class)
{
    return class == PARITY_MISSING ? PARITY_EXTRA : class == PARITY_EXTRA ? PARITY_MISSING : class;
}

static bool is_told(const struct told *told, const struct line *line, bool swapped)
{
    for (unsigned i = 0; i < told->count; i++) {
        enum parity_class class = swapped ? mirrored(told->lines[i].class) : told->lines[i].class;
        if (class == line->class && strcmp(told->lines[i].path, line->path) == 0)
            return true;
    }
    return false;
}

static void fail_with(const struct change *change, struct slice left, struct slice right, const struct told *told)
{
    struct buf text = BUF_INIT;
    for (unsigned i = 0; i < change->expected_count; i++)
        buf_printf(&text, "expected %s %s\n", parity_class_name(change->expected[i].class), change->expected[i].path);
    for (unsigned i = 0; i < told->count; i++)
        buf_printf(&text, "told %s %s\n", parity_class_name(told->lines[i].class), told->lines[i].path);
    fail_msg("%s: %s\n%.*s\n%.*s", change->shape->rows, buf_cstr(&text), SLICE_ARG(left), SLICE_ARG(right));
}

static void assert_told(const struct change *change, struct slice left, struct slice right, bool swapped)
{
    struct told told = {.count = 0};
    struct parity_counts counts;
    struct err err = ERR_INIT;
    if (!parity_compare(left, right, endpoints[change->shape->kind].parity_rules, note, &told, &counts, &err))
        fail_msg("%s", err.text);
    unsigned matches = 0;
    for (unsigned i = 0; i < change->expected_count; i++)
        matches += is_told(&told, &change->expected[i], swapped);
    unsigned wanted = change->either ? 1 : change->expected_count;
    if (told.count != wanted || matches != wanted || parity_counts_sum(&counts) != wanted)
        fail_with(change, left, right, &told);
}

static void check_change(const struct change *change, const cJSON *original)
{
    struct buf before = BUF_INIT;
    struct buf after = BUF_INIT;
    struct buf shuffled = BUF_INIT;
    json_put_cjson(&before, original);
    json_put_cjson(&after, change->document);
    put_shuffled(&shuffled, change->document);
    assert_true(json_check(buf_slice(&shuffled), NULL, NULL));
    assert_told(change, buf_slice(&before), buf_slice(&after), false);
    assert_told(change, buf_slice(&before), buf_slice(&shuffled), false);
    bool by_index = false; /* paths with indices say where it is on the left */
    for (unsigned i = 0; i < change->expected_count; i++) {
        const char *bracket = strrchr(change->expected[i].path, '[');
        by_index = by_index || (bracket && bracket[1] >= '0' && bracket[1] <= '9');
    }
    if (!by_index)
        assert_told(change, buf_slice(&shuffled), buf_slice(&before), true);
    buf_free(&before);
    buf_free(&after);
    buf_free(&shuffled);
}

static void every_change_is_told(void **state)
{
    (void)state;
    static bool (*const changes[])(struct change *) = {
        change_value, change_value, change_value, change_absent, change_key, change_swapped, change_rows, change_order,
    };
    const unsigned kinds = sizeof changes / sizeof changes[0];
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        chance_state = 20251026 + s;
        unsigned made[sizeof changes / sizeof changes[0]] = {0};
        for (unsigned i = 0; i < CHANGES;) {
            cJSON *original = some_document(&shapes[s]);
            for (unsigned again = 0; again < 10; again++) {
                struct change change = {.shape = &shapes[s], .document = cJSON_Duplicate(original, true)};
                unsigned kind = chance(kinds);
                if (changes[kind](&change)) {
                    check_change(&change, original);
                    made[kind]++;
                    i++;
                }
                cJSON_Delete(change.document);
            }
            cJSON_Delete(original);
        }
        for (unsigned kind = 0; kind < kinds; kind++) {
            if (made[kind] == 0 && shapes[s].form == IN_ARRAY)
                fail_msg("%s: change %u was never made", shapes[s].rows, kind);
        }
    }
}

static void nothing_is_told_of_the_same(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        chance_state = 7 + s;
        for (unsigned i = 0; i < 60; i++) {
            struct change same = {.shape = &shapes[s], .document = some_document(&shapes[s])};
            check_change(&same, same.document);
            struct buf texts[2] = {BUF_INIT, BUF_INIT};
            put_shuffled(&texts[0], same.document);
            put_shuffled(&texts[1], same.document);
            assert_told(&same, buf_slice(&texts[0]), buf_slice(&texts[1]), false);
            buf_free(&texts[0]);
            buf_free(&texts[1]);
            cJSON_Delete(same.document);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_is_told),
        cmocka_unit_test(nothing_is_told_of_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
