/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables on the terminal and in JSON. */
#include "cli/table.h"

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "cli/json.h"

static const char *const json_mode_table[_JSON_MODE_MAX] = {
        [JSON_OFF] = "off",
        [JSON_SHORT] = "short",
        [JSON_PRETTY] = "pretty",
};
DEFINE_STRING_TABLE_LOOKUP(json_mode, JsonMode)

#define COLUMN_GAP 2U

bool terminal_wants_color(int fd) {
        const char *term = getenv("TERM");

        return isatty(fd) && isempty(getenv("NO_COLOR")) && term && !streq(term, "dumb");
}

size_t text_width(const char *s) {
        size_t n = 0;

        for (; *s; s++)
                n += ((unsigned char) *s & 0xc0) != 0x80;
        return n;
}

static TableCell *append_cell(Table *t, CellType type) {
        TableCell *c = ARRAY_APPEND(t->cells, t->n_cells);
        if (!c) {
                t->failed = true;
                return NULL;
        }
        c->type = type;
        return c;
}

TableCell *table_add_string(Table *t, const char *s) {
        TableCell *c = append_cell(t, s ? CELL_STRING : CELL_EMPTY);
        if (c && s && free_and_strdup(&c->text, s) < 0)
                t->failed = true;
        return c;
}

TableCell *table_add_number(Table *t, uint64_t n) {
        TableCell *c = append_cell(t, CELL_NUMBER);
        if (c)
                c->number = n;
        return c;
}

TableCell *table_add_boolean(Table *t, bool b) {
        TableCell *c = append_cell(t, CELL_BOOLEAN);
        if (c)
                c->number = b;
        return c;
}

void table_done(Table *t) {
        for (size_t i = 0; i < t->n_cells; i++)
                free(t->cells[i].text);
        free(t->cells);
        t->cells = NULL;
        t->n_cells = 0;
}

/* What people see of a cell; allocated. */
static char *cell_to_text(const TableCell *c) {
        if (c->text)
                return str_escape_for_display(c->text);
        switch (c->type) {
        case CELL_NUMBER:
                return strf("%llu", (unsigned long long) c->number);
        case CELL_BOOLEAN:
                return strdup(c->number ? "yes" : "no");
        default:
                return strdup("-");
        }
}

static void add_padding(StrBuf *b, size_t n) {
        for (size_t i = 0; i < n; i++)
                strbuf_add(b, " ");
}

static bool is_last_column(const Table *t, size_t column) {
        for (size_t i = column + 1; i < t->n_columns; i++)
                if (!t->columns[i].json_only)
                        return false;
        return true;
}

static void add_text_cell(const Table *t, size_t column, size_t width, const char *text,
                          const char *color, StrBuf *out) {
        const size_t padding = width - MIN(width, text_width(text));
        const bool right = t->columns[column].align_right, last = is_last_column(t, column);

        if (right)
                add_padding(out, padding);
        if (color)
                strbuf_addf(out, "%s%s" COLOR_OFF, color, text);
        else
                strbuf_add(out, text);
        if (!last)
                add_padding(out, (right ? 0 : padding) + COLUMN_GAP);
        else
                strbuf_add(out, "\n");
}

static int format_text(const Table *t, const TableStyle *style, char **ret) {
        _cleanup_(strbuf_done) StrBuf out = { 0 };
        _cleanup_free_ size_t *widths = new0(size_t, t->n_columns);
        if (!widths)
                return -ENOMEM;

        for (size_t i = 0; i < t->n_columns; i++)
                widths[i] = style->legend ? text_width(t->columns[i].title) : 0;
        for (size_t i = 0; i < t->n_cells; i++) {
                _cleanup_free_ char *text = cell_to_text(t->cells + i);
                if (!text)
                        return -ENOMEM;
                widths[i % t->n_columns] = MAX(widths[i % t->n_columns], text_width(text));
        }

        for (size_t i = 0; style->legend && i < t->n_columns; i++)
                if (!t->columns[i].json_only)
                        add_text_cell(t, i, widths[i], t->columns[i].title,
                                      style->color ? COLOR_BOLD : NULL, &out);
        for (size_t i = 0; i < t->n_cells; i++) {
                const size_t column = i % t->n_columns;
                _cleanup_free_ char *text = cell_to_text(t->cells + i);
                if (!text)
                        return -ENOMEM;
                if (!t->columns[column].json_only)
                        add_text_cell(t, column, widths[column], text,
                                      style->color ? t->cells[i].color : NULL, &out);
        }
        return strbuf_finish(&out, ret);
}

static int format_json(const Table *t, bool pretty, char **ret, Error *reterr) {
        _cleanup_(json_writer_done) JsonWriter w = { .pretty = pretty };

        json_begin_array(&w, NULL);
        for (size_t i = 0; i < t->n_cells; i++) {
                const size_t column = i % t->n_columns;
                const char *key = t->columns[column].key;
                const TableCell *c = t->cells + i;

                if (column == 0)
                        json_begin_object(&w, NULL);
                if (c->type == CELL_NUMBER)
                        json_add_number(&w, key, c->number);
                else if (c->type == CELL_BOOLEAN)
                        json_add_boolean(&w, key, c->number);
                else
                        json_add_string(&w, key, c->type == CELL_STRING ? c->text : NULL);
                if (column == t->n_columns - 1)
                        json_end(&w);
        }
        json_end(&w);
        return json_finish(&w, ret, reterr);
}

int table_format(const Table *t, const TableStyle *style, char **ret, Error *reterr) {
        if (t->failed)
                return error_oom(reterr);
        if (t->n_cells % t->n_columns != 0)
                return error_set(reterr, -EINVAL, ERROR_FAILED, "The table has an incomplete row");
        if (style->json != JSON_OFF)
                return format_json(t, style->json == JSON_PRETTY, ret, reterr);
        return format_text(t, style, ret) < 0 ? error_oom(reterr) : 0;
}

int table_print(const Table *t, FILE *f, const TableStyle *style, Error *reterr) {
        _cleanup_free_ char *text = NULL;

        int r = table_format(t, style, &text, reterr);
        if (r < 0)
                return r;
        (void) fputs(text, f); /* main() looks at the stream's state when it ends */
        return 0;
}
