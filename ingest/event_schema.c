#include "ingest/event_schema.h"

#include "base/num.h"
#include "ingest/event_inside.h"
#include "ingest/instant.h"

#include <stdlib.h>

/* Parts of a schema are trees that are put into each other. cJSON prints no large integer exactly, so numbers are put
 * in as text. */
static cJSON *number(double value)
{
    char text[NUM_TEXT_SIZE];
    text[num_format_double(text, value)] = '\0';
    return cJSON_CreateRaw(text);
}

static cJSON *texts(const char *const *list)
{
    cJSON *array = cJSON_CreateArray();
    for (; *list; list++)
        cJSON_AddItemToArray(array, cJSON_CreateString(*list));
    return array;
}

static cJSON *text_alone(const char *text)
{
    return texts((const char *const[]){text, NULL});
}

static void describe(cJSON *part, const char *text)
{
    if (!cJSON_GetObjectItemCaseSensitive(part, "description"))
        cJSON_AddStringToObject(part, "description", text);
}

static void limit(cJSON *part, const char *low, double least, const char *high, double most)
{
    cJSON_AddItemToObject(part, low, number(least));
    cJSON_AddItemToObject(part, high, number(most));
}

static cJSON *typed(const char *type, bool nullable)
{
    cJSON *part = cJSON_CreateObject();
    if (nullable)
        cJSON_AddItemToObject(part, "type", texts((const char *const[]){type, "null", NULL}));
    else
        cJSON_AddStringToObject(part, "type", type);
    return part;
}

static bool is_any(enum wire_kind kind)
{
    return kind == WIRE_JSON || kind == WIRE_JSONB;
}

/* A member of a shape. A key that stands twice takes any value; so does an optional one where the shape is lenient. */
static cJSON *field_part(const struct wire_shape *shape, size_t index, bool partial)
{
    const struct wire_field *field = &shape->fields[index];
    bool required = field->required && !partial;
    bool twice = index + 1 < shape->field_count && strcmp(field[1].key, field->key) == 0;
    cJSON *part = NULL;
    if (twice || (shape->lenient && !required && !is_any(field->kind))) {
        part = cJSON_CreateObject();
        describe(part, field->kind == WIRE_TEXT ? "a text; any other value is kept as it came"
                                                : "a number; any other value is kept as it came");
        return part;
    }
    switch (field->kind) {
    case WIRE_TEXT:
        return typed("string", !required);
    case WIRE_F64:
        return typed("number", !required);
    case WIRE_I64:
        part = typed("integer", !required);
        limit(part, "minimum", -(double)NUM_EXACT_INTEGER_MAX, "maximum", (double)NUM_EXACT_INTEGER_MAX);
        return part;
    case WIRE_I32:
        part = typed("integer", !required);
        limit(part, "minimum", INT32_MIN, "maximum", INT32_MAX);
        return part;
    case WIRE_BOOL:
        return typed("boolean", !required);
    case WIRE_JSON:
    case WIRE_JSONB:
        break;
    }
    return cJSON_CreateObject();
}

static void add_rule(cJSON *part, const struct event_rule *rule)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(part, "type");
    cJSON *values;
    switch (rule->kind) {
    case RULE_KEY:
        cJSON_AddItemToObject(part, "minLength", number(1));
        cJSON_AddItemToObject(part, "maxLength", number(WIRE_KEY_MAX));
        break;
    case RULE_SECONDS:
        limit(part, "exclusiveMinimum", -INSTANT_MS_MOST, "exclusiveMaximum", INSTANT_MS_MOST);
        describe(part, "in seconds since 1970");
        break;
    case RULE_TIMESTAMPTZ:
        limit(part, "exclusiveMinimum", INSTANT_TIMESTAMPTZ_LEAST, "exclusiveMaximum", INSTANT_TIMESTAMPTZ_MOST);
        describe(part, "in seconds since 1970");
        break;
    case RULE_POSITIVE:
        cJSON_AddItemToObject(part, "exclusiveMinimum", number(0));
        break;
    case RULE_NOT_NEGATIVE:
        cJSON_DeleteItemFromObjectCaseSensitive(part, "minimum");
        cJSON_AddItemToObject(part, "minimum", number(0));
        break;
    case RULE_STATUS:
        values = texts(event_statuses);
        if (cJSON_IsArray(type))
            cJSON_AddItemToArray(values, cJSON_CreateNull());
        cJSON_AddItemToObject(part, "enum", values);
        break;
    }
}

static void add_object_members(cJSON *properties, const struct event_form *form)
{
    for (const char *const *key = form->objects; *key; key++) {
        cJSON_DeleteItemFromObjectCaseSensitive(properties, *key);
        cJSON_AddItemToObject(properties, *key, typed("object", true));
    }
}

/* The members of a form; what stands beside and is read by hand is the caller's to add. */
static cJSON *form_schema(const struct event_form *form, bool partial)
{
    const struct wire_shape *shape = form->shape;
    cJSON *schema = cJSON_CreateObject();
    cJSON_AddStringToObject(schema, "type", "object");
    cJSON *properties = cJSON_AddObjectToObject(schema, "properties");
    cJSON *required = cJSON_CreateArray();
    for (size_t i = 0; i < form->extra_count; i++) {
        const struct event_extra *extra = &form->extras[i];
        cJSON *part = typed(extra->type == EXTRA_TEXT ? "string" : "number", !extra->required);
        describe(part, extra->doc);
        cJSON_AddItemToObject(properties, extra->key, part);
        if (extra->required)
            cJSON_AddItemToArray(required, cJSON_CreateString(extra->key));
    }
    for (size_t i = 0; shape && i < shape->field_count; i++) {
        const struct wire_field *field = &shape->fields[i];
        if (cJSON_GetObjectItemCaseSensitive(properties, field->key))
            continue;
        cJSON_AddItemToObject(properties, field->key, field_part(shape, i, partial));
        if (field->required && !partial)
            cJSON_AddItemToArray(required, cJSON_CreateString(field->key));
    }
    for (const char *const *key = form->also_required; *key; key++) {
        cJSON *part = cJSON_GetObjectItemCaseSensitive(properties, *key);
        cJSON *type = cJSON_GetObjectItemCaseSensitive(part, "type");
        if (cJSON_IsArray(type)) /* without null */
            cJSON_ReplaceItemInObjectCaseSensitive(part, "type", cJSON_CreateString(type->child->valuestring));
        cJSON_AddItemToArray(required, cJSON_CreateString(*key));
    }
    add_object_members(properties, form);
    for (const struct event_rule *rule = form->rules; rule->key; rule++)
        add_rule(cJSON_GetObjectItemCaseSensitive(properties, rule->key), rule);
    if (required->child)
        cJSON_AddItemToObject(schema, "required", required);
    else
        cJSON_Delete(required);
    if (shape && shape->strict)
        cJSON_AddBoolToObject(schema, "additionalProperties", false);
    return schema;
}

static cJSON *properties_of(cJSON *schema)
{
    return cJSON_GetObjectItemCaseSensitive(schema, "properties");
}

/* Inside of an account total nothing of a position is required, and nothing but its types is looked at. */
static cJSON *total_schema(void)
{
    static const char *const nothing[] = {NULL};
    static const struct event_rule no_rules[] = {{NULL, RULE_KEY}};
    const struct event_form position = {&wire_position, NULL, 0, nothing, nothing, nothing, no_rules};
    cJSON *schema = form_schema(&event_form_total, false);
    cJSON *map = cJSON_GetObjectItemCaseSensitive(properties_of(schema), "positions");
    describe(map, "symbol -> position");
    cJSON_AddItemToObject(map, "additionalProperties", form_schema(&position, true));
    return schema;
}

static cJSON *trade_schema(void)
{
    cJSON *schema = form_schema(event_form_of(EVENT_TRADES), false);
    cJSON *total = total_schema();
    describe(total, "what the model owned then; stored with the trade, or neither is. Of the same model_id");
    cJSON_AddItemToObject(properties_of(schema), "account_total", total);
    return schema;
}

/* {"if": {"properties": {key: {"enum": [value]}}, "required": [key]}} */
static cJSON *says(const char *key, const char *value)
{
    cJSON *test = cJSON_CreateObject();
    cJSON *properties = cJSON_AddObjectToObject(test, "properties");
    cJSON *part = cJSON_AddObjectToObject(properties, key);
    cJSON_AddStringToObject(part, "const", value);
    cJSON_AddItemToObject(test, "required", text_alone(key));
    return test;
}

static cJSON *position_schema(void)
{
    cJSON *schema = form_schema(event_form_of(EVENT_POSITIONS), false);
    cJSON *otherwise = cJSON_CreateObject();
    cJSON *properties = cJSON_AddObjectToObject(otherwise, "properties");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(properties, "exit_price"), "type", "null");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(properties, "exit_time"), "type", "null");
    cJSON_AddItemToObject(schema, "if", says("status", "closed"));
    cJSON_AddItemToObject(schema, "else", otherwise);
    return schema;
}

static cJSON *message_schema(void)
{
    static const char *const nothing[] = {NULL};
    static const struct event_rule no_rules[] = {{NULL, RULE_KEY}};
    const struct event_form form = {&wire_message, NULL, 0, nothing, nothing, nothing, no_rules};
    cJSON *schema = form_schema(&form, false);
    cJSON *properties = properties_of(schema);
    cJSON_AddItemToObject(cJSON_GetObjectItemCaseSensitive(properties, "role"), "enum", texts(wire_message_roles));
    describe(cJSON_GetObjectItemCaseSensitive(properties, "timestamp"),
             "seconds, milliseconds, or a text of ISO 8601; anything else is kept and stands for no instant");
    return schema;
}

static cJSON *requires(const char *key)
{
    cJSON *test = cJSON_CreateObject();
    cJSON_AddItemToObject(test, "required", text_alone(key));
    return test;
}

/* As wire_is_cycle tells them apart. */
static cJSON *conversation_schema(void)
{
    static const char *const of_cycles[] = {"llm_response", "user_prompt", "cycle_id", NULL};
    cJSON *talk = form_schema(event_form_of(EVENT_CONVERSATIONS), false);
    cJSON *messages = typed("array", false);
    cJSON_AddItemToObject(messages, "minItems", number(1));
    cJSON_AddItemToObject(messages, "items", message_schema());
    cJSON_AddItemToObject(properties_of(talk), "messages", messages);

    cJSON *cycle = form_schema(&event_form_cycle, false);
    cJSON *timestamp = typed("number", false);
    describe(timestamp, "in seconds since 1970");
    cJSON_ReplaceItemInObjectCaseSensitive(properties_of(cycle), "timestamp", timestamp);

    cJSON *schema = cJSON_CreateObject();
    cJSON_AddStringToObject(schema, "type", "object");
    cJSON *test = cJSON_AddObjectToObject(schema, "if");
    cJSON *any = cJSON_AddArrayToObject(test, "anyOf");
    cJSON *no_messages = cJSON_CreateObject();
    cJSON_AddItemToObject(no_messages, "not", requires("messages"));
    cJSON_AddItemToArray(any, no_messages);
    for (const char *const *key = of_cycles; *key; key++)
        cJSON_AddItemToArray(any, requires(*key));
    cJSON_AddItemToObject(schema, "then", cycle);
    cJSON_AddItemToObject(schema, "else", talk);
    return schema;
}

static cJSON *schema_of(enum event_kind kind)
{
    switch (kind) {
    case EVENT_TRADES:
        return trade_schema();
    case EVENT_POSITIONS:
        return position_schema();
    case EVENT_ACCOUNT_TOTALS:
        return total_schema();
    case EVENT_CONVERSATIONS:
        return conversation_schema();
    default:
        return form_schema(event_form_of(kind), false);
    }
}

static const char *const docs[EVENT_KIND_COUNT] = {
#define EVENT(id, name, noun, doc) [EVENT_##id] = (doc),
#include "ingest/event_kinds.def"
#undef EVENT
};

static const char *const nouns[EVENT_KIND_COUNT] = {
#define EVENT(id, name, noun, doc) [EVENT_##id] = (noun),
#include "ingest/event_kinds.def"
#undef EVENT
};

void event_schema_put(struct buf *out, enum event_kind kind)
{
    cJSON *schema = cJSON_CreateObject();
    cJSON_AddStringToObject(schema, "$schema", "https://json-schema.org/draft/2020-12/schema");
    cJSON_AddStringToObject(schema, "title", nouns[kind]);
    cJSON_AddStringToObject(schema, "description", docs[kind]);
    cJSON_AddStringToObject(schema, "$comment",
                            "Made by nof0ctl ingest --schema. Beyond it: no key twice in one object, nothing nested "
                            "deeper than 64, plain integers within 2^53, doubles finite, no U+0000, and maxLength "
                            "counts bytes of UTF-8.");
    cJSON *body = schema_of(kind);
    for (cJSON *member = body->child; member;) {
        cJSON *next = member->next;
        cJSON *taken = cJSON_DetachItemViaPointer(body, member);
        char *key = taken->string;
        taken->string = NULL;
        cJSON_AddItemToObject(schema, key, taken);
        cJSON_free(key);
        member = next;
    }
    cJSON_Delete(body);
    char *text = cJSON_Print(schema);
    buf_append_str(out, text);
    buf_append_char(out, '\n');
    cJSON_free(text);
    cJSON_Delete(schema);
}
