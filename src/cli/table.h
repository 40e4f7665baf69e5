/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows and columns for people, or the same as a JSON array of objects for programs. */
#pragma once

#include <stdio.h>

#include "basic/error.h"
#include "basic/macros.h"
#include "basic/strtable.h"

typedef enum JsonMode {
        JSON_OFF,
        JSON_SHORT,  /* one line */
        JSON_PRETTY, /* indented */
        _JSON_MODE_MAX,
        _JSON_MODE_INVALID = -EINVAL,
} JsonMode;
DECLARE_STRING_TABLE_LOOKUP(json_mode, JsonMode);

typedef struct TableColumn {
        const char *title; /* for people: "NAME" */
        const char *key;   /* in JSON: "name" */
        bool align_right;
        bool json_only;
        /* When the terminal is too narrow, columns with a rank are left out, the highest first; then those with a least width are cut
         * down to it, at their end or where paths say least, at the beginning. */
        unsigned rank;
        size_t least_width; /* 0: is never cut */
        bool cut_beginning;
} TableColumn;

typedef enum CellType {
        CELL_EMPTY,
        CELL_STRING,
        CELL_NUMBER,
        CELL_BOOLEAN,
        CELL_LIST,
        CELL_DECIMAL
} CellType;

typedef struct TableCell {
        CellType type;
        char *text; /* CELL_STRING, and for people instead of a number or boolean; owned */
        uint64_t number;
        char **list;       /* CELL_LIST, in JSON; owned */
        unsigned digits;   /* CELL_DECIMAL: behind the point of `number` */
        const char *color; /* a literal, or NULL */
} TableCell;

typedef struct Table {
        const TableColumn *columns; /* borrowed */
        size_t n_columns;
        TableCell *cells; /* row after row */
        size_t n_cells;
        bool failed;
} Table;

#define COLOR_GREEN "\x1b[0;32m"
#define COLOR_RED "\x1b[0;31m"
#define COLOR_YELLOW "\x1b[0;33m"
#define COLOR_GREY "\x1b[0;90m"
#define COLOR_BOLD "\x1b[1m"
#define COLOR_OFF "\x1b[0m"

/* Cells are added from left to right, row after row; values are copied. NULL gives an empty cell: "-", null. The cell is
 * returned for colour or other words; NULL when out of memory (remembered). */
TableCell *table_add_string(Table *t, const char *s);
TableCell *table_add_number(Table *t, uint64_t n);
TableCell *table_add_boolean(Table *t, bool b);
/* For people the first `shown` words (at least one) and how many more there are: "192.0.2.2 +1". */
TableCell *table_add_strv(Table *t, char *const *l, size_t shown);
/* 1234 with two digits: 12.34 */
TableCell *table_add_decimal(Table *t, uint64_t scaled, unsigned digits);
/* What people read instead of the number. Takes the text; NULL is out of memory. */
void table_cell_take_text(Table *t, TableCell *c, char *take_text);
void table_done(Table *t);

/* One row as an object, for a stream of them. */
struct JsonWriter;
void table_add_json_row(const Table *t, size_t row, struct JsonWriter *w);

typedef struct TableStyle {
        JsonMode json;
        bool legend; /* the line of titles */
        bool color;
        size_t width; /* of the terminal; 0: as wide as it is */
} TableStyle;
int table_format(const Table *t, const TableStyle *style, char **ret, Error *reterr);
int table_print(const Table *t, FILE *f, const TableStyle *style, Error *reterr);

/* A terminal that wants colours: $NO_COLOR and TERM=dumb are heeded. */
bool terminal_wants_color(int fd);
/* Columns of the terminal on fd ($COLUMNS is heeded); 0: it is none, and nothing has to fit. */
size_t terminal_width(int fd);
/* Terminal columns that UTF-8 text takes, as far as a table needs to know: combining marks count as one. */
size_t text_width(const char *s);
