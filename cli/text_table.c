#include "cli/text_table.h"

#include "base/mem.h"
#include "cli/parity_text.h"

#include <stdlib.h>

struct text_table {
    const char *const *heads;
    size_t columns;
    size_t rows;
    struct buf *cells; /* rows * columns */
};

struct text_table *text_table_new(const char *const *heads, size_t columns)
{
    struct text_table *table = mem_zalloc(sizeof *table);
    table->heads = heads;
    table->columns = columns;
    return table;
}

void text_table_free(struct text_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->rows * table->columns; i++)
        buf_free(&table->cells[i]);
    free(table->cells);
    free(table);
}

void text_table_row(struct text_table *table)
{
    size_t count = table->rows * table->columns;
    table->cells = mem_realloc(table->cells, (count + table->columns) * sizeof(struct buf));
    for (size_t i = 0; i < table->columns; i++)
        table->cells[count + i] = (struct buf)BUF_INIT;
    table->rows++;
}

void text_table_add(struct text_table *table, size_t column, struct slice text)
{
    parity_text_put(&table->cells[(table->rows - 1) * table->columns + column], text);
}

/* 0 when no row has anything. */
static size_t width_of(const struct text_table *table, size_t column)
{
    size_t width = 0;
    for (size_t row = 0; row < table->rows; row++) {
        size_t cell = parity_text_width(buf_slice(&table->cells[row * table->columns + column]));
        width = cell > width ? cell : width;
    }
    size_t head = strlen(table->heads[column]);
    return width && head > width ? head : width;
}

static void put_line(struct buf *out, const struct text_table *table, const size_t *widths, size_t row)
{
    size_t begin = out->len;
    for (size_t column = 0; column < table->columns; column++) {
        if (!widths[column])
            continue;
        struct slice text = row < table->rows ? buf_slice(&table->cells[row * table->columns + column])
                                              : slice_of(table->heads[column]);
        if (out->len > begin)
            buf_append_str(out, "  ");
        buf_append_slice(out, text);
        buf_printf(out, "%*s", (int)(widths[column] - parity_text_width(text)), "");
    }
    while (out->len > begin && out->data[out->len - 1] == ' ')
        out->len--;
    buf_append_char(out, '\n');
}

void text_table_put(struct buf *out, const struct text_table *table)
{
    size_t *widths = mem_calloc(table->columns, sizeof *widths);
    for (size_t column = 0; column < table->columns; column++)
        widths[column] = width_of(table, column);
    put_line(out, table, widths, table->rows);
    for (size_t row = 0; row < table->rows; row++)
        put_line(out, table, widths, row);
    free(widths);
}
