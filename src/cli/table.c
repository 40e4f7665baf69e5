/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables on the terminal and in JSON. */
#include "cli/table.h"

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "cli/json.h"
#include "sys/tty.h"

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

#define TERMINAL_WIDTH_DEFAULT 80U

size_t terminal_width(int fd) {
        const char *text = getenv("COLUMNS");
        unsigned rows, columns = 0;

        if (!isatty(fd))
                return 0;
        if (text && parse_u32(text, &columns) >= 0 && columns > 0)
                return columns;
        return tty_get_size(fd, &rows, &columns) >= 0 && columns > 0 ? columns
                                                                     : TERMINAL_WIDTH_DEFAULT;
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

TableCell *table_add_decimal(Table *t, uint64_t scaled, unsigned digits) {
        TableCell *c = append_cell(t, CELL_DECIMAL);
        if (c) {
                c->number = scaled;
                c->digits = digits;
        }
        return c;
}

void table_cell_take_text(Table *t, TableCell *c, char *take_text) {
        if (!take_text)
                t->failed = true;
        if (!c) {
                free(take_text);
                return;
        }
        free(c->text);
        c->text = take_text;
}

/* Allocated. */
static char *join_first(char *const *l, size_t shown) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        const size_t n = strv_length(l);
        char *text;

        for (size_t i = 0; i < MIN(n, shown); i++)
                strbuf_addf(&b, "%s%s", i > 0 ? " " : "", l[i]);
        if (n > shown)
                strbuf_addf(&b, " +%zu", n - shown);
        return strbuf_finish(&b, &text) < 0 ? NULL : text;
}

TableCell *table_add_strv(Table *t, char *const *l, size_t shown) {
        TableCell *c = append_cell(t, CELL_LIST);

        if (!c)
                return NULL;
        c->list = strv_copy(l);
        if (!c->list)
                t->failed = true;
        if (!strv_isempty(l))
                table_cell_take_text(t, c, join_first(l, MAX(shown, (size_t) 1)));
        return c;
}

void table_done(Table *t) {
        for (size_t i = 0; i < t->n_cells; i++) {
                free(t->cells[i].text);
                strv_free(t->cells[i].list);
        }
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
        case CELL_DECIMAL: {
                unsigned long long unit = 1;
                for (unsigned i = 0; i < c->digits; i++)
                        unit *= 10;
                if (c->digits == 0)
                        return strf("%llu", (unsigned long long) c->number);
                return strf("%llu.%0*llu", c->number / unit, (int) c->digits, c->number % unit);
        }
        default:
                return strdup("-");
        }
}

/* ---- fitting ---- */

/* A table as it is laid out: all texts, and how wide each column is (0: it is not shown). */
typedef struct Layout {
        const Table *table;
        char **texts; /* a cell each */
        size_t *widths;
} Layout;

static void layout_done(Layout *l) {
        for (size_t i = 0; l->texts && i < l->table->n_cells; i++)
                free(l->texts[i]);
        free(l->texts);
        free(l->widths);
}

static size_t total_width(const Layout *l) {
        size_t sum = 0, n = 0;

        for (size_t i = 0; i < l->table->n_columns; i++) {
                sum += l->widths[i];
                n += l->widths[i] > 0;
        }
        return n > 0 ? sum + (n - 1) * COLUMN_GAP : 0;
}

/* As total_width(), if all is cut that can be. */
static size_t least_total_width(const Layout *l) {
        size_t sum = total_width(l);

        for (size_t i = 0; i < l->table->n_columns; i++) {
                const size_t least = l->table->columns[i].least_width;
                if (least > 0 && l->widths[i] > least)
                        sum -= l->widths[i] - least;
        }
        return sum;
}

static void layout_fit(Layout *l, size_t width) {
        const TableColumn *columns = l->table->columns;

        while (least_total_width(l) > width) {
                size_t out = SIZE_MAX;
                for (size_t i = 0; i < l->table->n_columns; i++)
                        if (l->widths[i] > 0 && columns[i].rank > 0 &&
                            (out == SIZE_MAX || columns[i].rank > columns[out].rank))
                                out = i;
                if (out == SIZE_MAX)
                        break;
                l->widths[out] = 0;
        }
        while (total_width(l) > width) {
                size_t widest = SIZE_MAX;
                for (size_t i = 0; i < l->table->n_columns; i++)
                        if (columns[i].least_width > 0 && l->widths[i] > columns[i].least_width &&
                            (widest == SIZE_MAX || l->widths[i] > l->widths[widest]))
                                widest = i;
                if (widest == SIZE_MAX)
                        break;
                l->widths[widest]--;
        }
}

static int layout_make(const Table *t, const TableStyle *style, Layout *l) {
        l->table = t;
        l->widths = new0(size_t, t->n_columns);
        l->texts = new0(char *, t->n_cells + 1);
        if (!l->widths || !l->texts)
                return -ENOMEM;
        for (size_t i = 0; style->legend && i < t->n_columns; i++)
                if (!t->columns[i].json_only)
                        l->widths[i] = text_width(t->columns[i].title);
        for (size_t i = 0; i < t->n_cells; i++) {
                const size_t column = i % t->n_columns;
                if (t->columns[column].json_only)
                        continue;
                l->texts[i] = cell_to_text(t->cells + i);
                if (!l->texts[i])
                        return -ENOMEM;
                const size_t width = MAX(text_width(l->texts[i]), (size_t) 1);
                l->widths[column] = MAX(l->widths[column], width);
        }
        if (style->width > 0)
                layout_fit(l, style->width);
        return 0;
}

/* Where the n-th character of s begins. */
static const char *skip_characters(const char *s, size_t n) {
        for (; *s; s++)
                if (((unsigned char) *s & 0xc0) != 0x80 && n-- == 0)
                        break;
        return s;
}

/* Appends text, cut to a width that it exceeds. */
static void add_cut(StrBuf *out, const char *text, size_t width, bool cut_beginning) {
        const size_t n = text_width(text);

        if (n <= width)
                strbuf_add(out, text);
        else if (cut_beginning)
                strbuf_addf(out, "…%s", skip_characters(text, n - width + 1));
        else {
                strbuf_add_bytes(out, text, (size_t) (skip_characters(text, width - 1) - text));
                strbuf_add(out, "…");
        }
}

static void add_padding(StrBuf *b, size_t n) {
        for (size_t i = 0; i < n; i++)
                strbuf_add(b, " ");
}

static bool is_last_column(const Layout *l, size_t column) {
        for (size_t i = column + 1; i < l->table->n_columns; i++)
                if (l->widths[i] > 0)
                        return false;
        return true;
}

static void add_text_cell(const Layout *l, size_t column, const char *text, const char *color,
                          StrBuf *out) {
        const TableColumn *c = l->table->columns + column;
        const size_t width = l->widths[column], padding = width - MIN(width, text_width(text));
        const bool last = is_last_column(l, column);

        if (c->align_right)
                add_padding(out, padding);
        strbuf_add(out, strempty(color));
        add_cut(out, text, width, c->cut_beginning);
        strbuf_add(out, color ? COLOR_OFF : "");
        if (!last)
                add_padding(out, (c->align_right ? 0 : padding) + COLUMN_GAP);
        else
                strbuf_add(out, "\n");
}

static int format_text(const Table *t, const TableStyle *style, char **ret) {
        _cleanup_(strbuf_done) StrBuf out = { 0 };
        _cleanup_(layout_done) Layout l = { 0 };

        int r = layout_make(t, style, &l);
        if (r < 0)
                return r;
        for (size_t i = 0; style->legend && i < t->n_columns; i++)
                if (l.widths[i] > 0)
                        add_text_cell(&l, i, t->columns[i].title, style->color ? COLOR_BOLD : NULL,
                                      &out);
        for (size_t i = 0; i < t->n_cells; i++)
                if (l.widths[i % t->n_columns] > 0)
                        add_text_cell(&l, i % t->n_columns, l.texts[i],
                                      style->color ? t->cells[i].color : NULL, &out);
        return strbuf_finish(&out, ret);
}

static void add_json_cell(JsonWriter *w, const char *key, const TableCell *c) {
        switch (c->type) {
        case CELL_NUMBER:
                json_add_number(w, key, c->number);
                break;
        case CELL_DECIMAL:
                json_add_decimal(w, key, c->number, c->digits);
                break;
        case CELL_BOOLEAN:
                json_add_boolean(w, key, c->number);
                break;
        case CELL_LIST:
                json_add_strv(w, key, c->list);
                break;
        default:
                json_add_string(w, key, c->type == CELL_STRING ? c->text : NULL);
        }
}

void table_add_json_row(const Table *t, size_t row, JsonWriter *w) {
        json_begin_object(w, NULL);
        for (size_t i = 0; i < t->n_columns; i++)
                add_json_cell(w, t->columns[i].key, t->cells + row * t->n_columns + i);
        json_end(w);
}

static int format_json(const Table *t, bool pretty, char **ret, Error *reterr) {
        _cleanup_(json_writer_done) JsonWriter w = { .pretty = pretty };

        json_begin_array(&w, NULL);
        for (size_t row = 0; row < t->n_cells / t->n_columns; row++)
                table_add_json_row(t, row, &w);
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
