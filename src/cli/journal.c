/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the journal, by sd-journal. */
#include "cli/journal.h"

#include <systemd/sd-journal.h>

#include "basic/macros.h"

#define LINE_MAX_BYTES 2048U
#define JOURNAL_LINES_MAX 1000U

static void journal_closep(sd_journal **j) {
        if (*j)
                sd_journal_close(*j);
}

/* Matches of one record are joined by "and", records by "or". Only root's processes are believed when they name a container. */
static int add_matches(sd_journal *j, const JournalQuery *q) {
        const struct {
                const char *first, *value, *second;
        } rows[] = {
                { "_SYSTEMD_UNIT=", q->unit, NULL },
                { "UNIT=", q->unit, "_PID=1" },
                { "CONTAINER=", q->container, "_UID=0" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                if (isempty(rows[i].value))
                        continue;
                _cleanup_free_ char *match = strjoin(rows[i].first, rows[i].value);
                if (!match)
                        return -ENOMEM;
                int r = sd_journal_add_match(j, match, 0);
                if (r >= 0 && rows[i].second)
                        r = sd_journal_add_match(j, rows[i].second, 0);
                if (r >= 0)
                        r = sd_journal_add_disjunction(j);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Consoles write colours and titles: cuts escape sequences (ECMA-48: CSI …final byte, OSC …ST or BEL, ESC and one more) and the
 * carriage returns at the end, in place. */
static void strip_terminal_sequences(char *s) {
        char *to = s;

        for (const char *p = s; *p;) {
                if (*p != '\x1b') {
                        *to++ = *p++;
                        continue;
                }
                p++;
                if (*p == '[') {
                        for (p++; *p && (*p < '@' || *p > '~'); p++)
                                ;
                        p += *p != '\0';
                } else if (*p == ']') {
                        for (p++; *p && *p != '\a' && *p != '\x1b'; p++)
                                ;
                        p += *p == '\a' ? 1 : p[0] && p[1] == '\\' ? 2 : 0;
                } else
                        p += *p != '\0';
        }
        while (to > s && to[-1] == '\r')
                to--;
        *to = '\0';
}

/* The field's value, escaped for a terminal; NULL if there is none. */
static char *get_field(sd_journal *j, const char *field) {
        const void *bytes;
        size_t n;

        if (sd_journal_get_data(j, field, &bytes, &n) < 0)
                return NULL;
        const size_t skip = strlen(field) + 1;
        if (n < skip)
                return NULL;
        _cleanup_free_ char *copy =
                strndup((const char *) bytes + skip, MIN(n - skip, (size_t) LINE_MAX_BYTES));
        if (!copy)
                return NULL;
        strip_terminal_sequences(copy);
        return str_escape_for_display(copy);
}

static void format_record(sd_journal *j, StrBuf *out) {
        _cleanup_free_ char *message = get_field(j, "MESSAGE"), *pid = get_field(j, "_PID");
        _cleanup_free_ char *identifier = get_field(j, "SYSLOG_IDENTIFIER");
        uint64_t t = 0;
        struct tm tm;
        char stamp[32] = "";

        if (sd_journal_get_realtime_usec(j, &t) >= 0) {
                const time_t seconds = (time_t) (t / USEC_PER_SEC);
                if (localtime_r(&seconds, &tm) &&
                    strftime(stamp, sizeof(stamp), "%b %d %H:%M:%S ", &tm) == 0)
                        stamp[0] = '\0';
        }
        strbuf_addf(out, "%s%s%s%s%s: %s\n", stamp, identifier ?: "unknown", pid ? "[" : "",
                    strempty(pid), pid ? "]" : "", strempty(message));
}

/* Opens it at the first record to show; *ret_back: how many there are from there on. */
static int open_at(const JournalQuery *q, sd_journal **ret, unsigned *ret_back) {
        _cleanup_(journal_closep) sd_journal *j = NULL;
        unsigned back = 0;

        int r = sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY);
        if (r >= 0)
                r = add_matches(j, q);
        if (r >= 0)
                r = sd_journal_seek_tail(j);
        while (r >= 0 && back < MIN(q->lines, JOURNAL_LINES_MAX) && sd_journal_previous(j) > 0) {
                uint64_t t;
                if (sd_journal_get_realtime_usec(j, &t) < 0 || t < q->since_usec) {
                        if (sd_journal_next(j) <= 0)
                                back = 0;
                        break;
                }
                back++;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(j);
        *ret_back = back;
        return 0;
}

unsigned journal_format(const JournalQuery *q, StrBuf *out) {
        _cleanup_(journal_closep) sd_journal *j = NULL;
        unsigned back = 0, shown = 0;

        if (open_at(q, &j, &back) < 0)
                return 0;
        for (bool more = back > 0; more && shown<back; more = sd_journal_next(j)> 0) {
                if (shown == 0)
                        strbuf_add(out, "\n");
                format_record(j, out);
                shown++;
        }
        return shown;
}

static int print_record(sd_journal *j, FILE *f) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ char *text = NULL;

        format_record(j, &b);
        if (strbuf_finish(&b, &text) < 0)
                return -ENOMEM;
        return fputs(text, f) < 0 ? -errno : 0;
}

int journal_print(const JournalQuery *q, bool follow, FILE *f, Error *reterr) {
        _cleanup_(journal_closep) sd_journal *j = NULL;
        unsigned back = 0;

        int r = open_at(q, &j, &back);
        /* the record we stand on is the first to show, if there is one */
        for (bool more = back > 0; r >= 0 && more; more = sd_journal_next(j) > 0)
                r = print_record(j, f);
        if (r >= 0 && back == 0 && follow)
                (void) sd_journal_previous(
                        j); /* a journal at its very end has no next record, ever */
        while (r >= 0 && follow) {
                if (fflush(f) != 0)
                        return 0; /* nobody reads any more; main() looks at the stream */
                r = sd_journal_wait(j, UINT64_MAX);
                while (r >= 0 && sd_journal_next(j) > 0)
                        r = print_record(j, f);
        }
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Reading the journal failed") : 0;
}
