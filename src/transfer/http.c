/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Downloads, by libcurl(3). Its headers are not needed: numbers of its options and results are part of its binary interface, and are given here. */
#include "transfer/http.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <netdb.h>
#include <nss.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/format.h"
#include "basic/http-part.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/time.h"
#include "basic/url.h"
#include "transfer/http-root.h"

#define CONNECT_SECONDS 30L
#define SLOW_BYTES 100L /* a second, for so many seconds: it is broken off */
#define SLOW_SECONDS 60L
#define BUFFER_BYTES (256L << 10)
#define PROGRESS_USEC (100 * USEC_PER_MSEC)
#define DISCARDED_MAX (1U << 20) /* of pages for people, and of headers */
#define ERROR_SIZE 256           /* CURL_ERROR_SIZE */

/* CURLOPT_… */
enum {
        OPTION_TIMEOUT = 13,
        OPTION_LOW_SPEED_LIMIT = 19,
        OPTION_LOW_SPEED_TIME = 20,
        OPTION_NOPROGRESS = 43,
        OPTION_FOLLOWLOCATION = 52,
        OPTION_CONNECTTIMEOUT = 78,
        OPTION_BUFFERSIZE = 98,
        OPTION_NOSIGNAL = 99,
        OPTION_PROTOCOLS = 181,
        OPTION_WRITEDATA = 10001,
        OPTION_URL = 10002,
        OPTION_RANGE = 10007,
        OPTION_ERRORBUFFER = 10010,
        OPTION_USERAGENT = 10018,
        OPTION_HTTPHEADER = 10023,
        OPTION_HEADERDATA = 10029,
        OPTION_CAINFO = 10065,
        OPTION_WRITEFUNCTION = 20011,
        OPTION_HEADERFUNCTION = 20079,
        OPTION_XFERINFODATA = 10057,
        OPTION_XFERINFOFUNCTION = 20219,
};
#define PROTOCOLS_HTTP_HTTPS 3L
/* CURLINFO_… */
#define INFO_REDIRECT_URL (0x100000 + 31)
#define INFO_RESPONSE_CODE (0x200000 + 2)

typedef int (*GlobalInit)(long flags);
typedef void *(*EasyInit)(void);
typedef int (*EasySetopt)(void *handle, int option, ...);
typedef int (*EasyGetinfo)(void *handle, int what, ...);
typedef int (*EasyPerform)(void *handle);
typedef void (*EasyCleanup)(void *handle);
typedef const char *(*EasyStrerror)(int code);
typedef void *(*SlistAppend)(void *list, const char *text);
typedef void (*SlistFree)(void *list);
#define CALL(h, type, name) ((type) dlsym((h)->library, name))

static const char *const names[] = {
        "curl_global_init",   "curl_easy_init",    "curl_easy_setopt",
        "curl_easy_getinfo",  "curl_easy_perform", "curl_easy_cleanup",
        "curl_easy_strerror", "curl_slist_append", "curl_slist_free_all",
};

/* ---- before the sandbox ---- */

static int open_library(Http *h, Error *reterr) {
        static const char *const libraries[] = { "libcurl.so.4", "libcurl-gnutls.so.4" };
        for (size_t i = 0; i < ELEMENTSOF(libraries) && !h->library; i++)
                h->library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
        bool complete = h->library;
        for (size_t i = 0; complete && i < ELEMENTSOF(names); i++)
                complete = dlsym(h->library, names[i]);
        if (complete && CALL(h, GlobalInit, "curl_global_init")(3) == 0)
                h->handle = CALL(h, EasyInit, "curl_easy_init")();
        if (h->handle)
                return 0;
        int r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                          "Nothing can be downloaded here: %s is not installed", libraries[0]);
        error_hint(reterr, "install libcurl (Debian: libcurl4)");
        return r;
}

int http_open(Http *h, Error *reterr) {
        int r = open_library(h, reterr);
        if (r < 0)
                return r;
        r = http_make_root(&h->root_fd, reterr);
        if (r < 0)
                return r;
        /* others would load libraries, and ask services, that are not there any more */
        (void) __nss_configure_lookup("hosts",
                                      "files dns"); /* else names are not found, and that is told */
        return 0;
}

void http_done(Http *h) {
        if (h->handle)
                CALL(h, EasyCleanup, "curl_easy_cleanup")(h->handle);
        h->handle = NULL; /* the library has threads and tables: it stays open */
        h->root_fd = fd_close(h->root_fd);
}

/* ---- what comes ---- */

typedef struct Get {
        Http *http;
        const HttpFile *file;
        char *url;        /* after redirections */
        char *validator;  /* of what is in the file so far, for If-Range: */
        char *shown;      /* the URL, for messages */
        uint64_t size;    /* bytes in the file */
        uint64_t total;   /* as the server says; UINT64_MAX: it does not */
        usec_t told_usec; /* of the progress */
        usec_t end_usec;  /* it is given up then; USEC_INFINITY: never */
        unsigned redirects;
        char error[ERROR_SIZE]; /* the library's words */
        /* of this answer */
        bool answered, begun; /* with a status; with bytes of the file */
        size_t discarded;     /* bytes that are none of the file */
        bool ranged;          /* a part was asked for */
        HttpPart part;        /* {}: none is said */
        uint64_t end;         /* of the part: no byte comes behind it */
        uint64_t length;      /* UINT64_MAX: not said */
        char etag[256], modified[64];
        int write_error;       /* negative errno */
        bool too_large, other; /* it is longer than it may be; it is not what was asked for */
} Get;

static long status_of(const Get *g) {
        long status = 0;
        return CALL(g->http, EasyGetinfo, "curl_easy_getinfo")(g->http->handle, INFO_RESPONSE_CODE,
                                                               &status) == 0
                       ? status
                       : 0;
}

static const char *header_value(const char *line, const char *name) {
        const size_t n = strlen(name);
        if (strncasecmp(line, name, n) != 0 || line[n] != ':')
                return NULL;
        return line + n + 1 + strspn(line + n + 1, WHITESPACE);
}

static void take_header(char *to, size_t size, const char *value) {
        const size_t n = strcspn(value, "\r\n");
        if (n < size) { /* a longer one is none */
                memcpy(to, value, n);
                to[n] = '\0';
        }
}

static size_t on_header(const char *text, size_t one, size_t n, void *userdata) {
        Get *g = userdata;
        char line[512];
        const char *value;
        const size_t size = one * n;
        g->discarded += size;
        if (g->discarded > DISCARDED_MAX)
                return 0;
        if (size >= sizeof(line))
                return size;
        memcpy(line, text, size);
        line[size] = '\0';
        if (startswith(line, "HTTP/")) { /* of a proxy before, perhaps */
                g->answered = true;
                g->length = UINT64_MAX;
                g->part = (HttpPart){ 0 };
                g->etag[0] = g->modified[0] = '\0';
        } else if ((value = header_value(line, "ETag")))
                take_header(g->etag, sizeof(g->etag), value);
        else if ((value = header_value(line, "Last-Modified")))
                take_header(g->modified, sizeof(g->modified), value);
        else if ((value = header_value(line, "Content-Length")))
                (void) sscanf(value, "%" SCNu64, &g->length);
        else if ((value = header_value(line, "Content-Range"))) {
                if (http_part_parse(value, &g->part) < 0)
                        g->part = (HttpPart){ 0 };
        }
        return size;
}

/* From the beginning, and all of it. */
static void forget(Get *g) {
        g->size = 0;
        g->total = UINT64_MAX;
        g->validator = mfree(g->validator);
}

/* Is it the rest of what is there, of the same file? Servers have said what they like. */
static bool is_rest(const Get *g) {
        return g->ranged && http_part_continues(&g->part, g->size, g->total) &&
               streq(g->validator, g->validator[0] == '"' ? g->etag : g->modified);
}

/* The first bytes of a file: do they go on with what is there? */
static int begin_answer(Get *g) {
        const long status = status_of(g);
        g->begun = true;
        g->end = UINT64_MAX;
        if (status == 206) {
                if (!is_rest(g))
                        return -EBADMSG;
                g->end = g->part.end;
                g->total = g->part.total != UINT64_MAX ? g->part.total : g->total;
        } else { /* the whole file */
                forget(g);
                g->total = g->length;
                /* one that is weak is of no use for parts */
                if (g->etag[0] == '"' || g->modified[0])
                        g->validator = strdup(g->etag[0] == '"' ? g->etag : g->modified);
        }
        return ftruncate(g->file->fd, (off_t) g->size) < 0 ||
                               lseek(g->file->fd, (off_t) g->size, SEEK_SET) < 0
                       ? -errno
                       : 0;
}

static void tell(Get *g) {
        const usec_t now = now_usec(CLOCK_MONOTONIC);
        if (g->file->progress_fd < 0 || g->size == 0 || now - g->told_usec < PROGRESS_USEC)
                return;
        g->told_usec = now;
        (void) dprintf(g->file->progress_fd, "0 %" PRIu64 " %" PRIu64 "\n", g->size,
                       g->total == UINT64_MAX ? 0 : g->total); /* nobody may look */
}

/* About once in a second, also when nothing comes. */
static int on_time(void *userdata, int64_t total, int64_t now, int64_t up_total, int64_t up_now) {
        tell(userdata);
        return 0;
}

static size_t on_bytes(const char *bytes, size_t one, size_t n, void *userdata) {
        Get *g = userdata;
        const size_t size = one * n;
        const long status = status_of(g);
        if (status != 200 && status != 206) { /* a page for people */
                g->discarded += size;
                return g->discarded > DISCARDED_MAX ? 0 : size;
        }
        int r = g->begun ? 0 : begin_answer(g);
        if (r >= 0 && size > g->end - g->size)
                r = -EBADMSG;
        g->other = r == -EBADMSG;
        g->too_large = r >= 0 && (size > g->file->size_max || g->size > g->file->size_max - size ||
                                  (g->total != UINT64_MAX && g->total > g->file->size_max));
        if (r < 0 || g->too_large) {
                g->write_error = g->other ? 0 : r;
                return 0;
        }
        r = fd_write_full(g->file->fd, bytes, size);
        if (r < 0) {
                g->write_error = r;
                return 0;
        }
        g->size += size;
        tell(g);
        return size;
}

/* ---- what is said when it fails ---- */

// clang-format off
static const struct Result {
        int code;
        enum { NEVER, LATER, BEGUN } retry; /* it may go on later; if something has come already */
        const char *words, *hint;
} results[] = {
        { 3,  NEVER, "this is no URL", NULL },
        { 5,  NEVER, "the proxy was not found", "look at http_proxy and https_proxy in the environment" },
        { 6,  NEVER, "the host was not found", "look at the name, and at the name servers in /etc/resolv.conf" },
        { 7,  BEGUN, "no connection", "nothing listens there, or a firewall is in the way" },
        { 16, LATER, "the connection was broken off", NULL },
        { 18, LATER, "the connection was broken off, a part of the file is missing", NULL },
        { 28, BEGUN, "the server takes too long", NULL },
        { 35, BEGUN, "no encrypted connection", NULL },
        { 52, LATER, "the server answered nothing", NULL },
        { 55, LATER, "the connection was broken off", NULL },
        { 56, LATER, "the connection was broken off", NULL },
        { 60, NEVER, "the server's certificate is not trusted", "its authority must be in the host's /etc/ssl/certs, or in the file that $SSL_CERT_FILE names" },
        { 77, NEVER, "there are no certificates of authorities", "install ca-certificates" },
        { 92, LATER, "the connection was broken off", NULL },
        { 95, LATER, "the connection was broken off", NULL },
};
// clang-format on

static const struct Result *result_of(int code) {
        for (size_t i = 0; i < ELEMENTSOF(results); i++)
                if (results[i].code == code)
                        return &results[i];
        return NULL;
}

static int get_failed(const Get *g, int code, Error *reterr) {
        const struct Result *k = result_of(code);
        const char *detail =
                g->error[0] ? g->error : CALL(g->http, EasyStrerror, "curl_easy_strerror")(code);
        int r = error_set(reterr, code == 28 ? -ETIMEDOUT : -EREMOTEIO,
                          code == 28 ? ERROR_TIMEOUT : ERROR_FAILED,
                          "Downloading '%s' failed: %s%s%.*s%s", g->shown, k ? k->words : "",
                          k ? " (" : "", (int) strcspn(detail, "\r\n"), detail, k ? ")" : "");
        if (k && k->hint)
                error_hint(reterr, "%s", k->hint);
        return r;
}

static int page_failed(const Get *g, Error *reterr) {
        return error_set(reterr, -EREMOTEIO, ERROR_FAILED,
                         "Downloading '%s' failed: the server sends more than 1M that is not of "
                         "the file",
                         g->shown);
}

static int status_failed(const Get *g, long status, Error *reterr) {
        const char *words = status == 401   ? " (it wants a password)"
                            : status == 403 ? " (it is forbidden)"
                            : status == 429 ? " (too many requests)"
                            : status >= 500 ? " (the server's own error)"
                                            : "";
        return error_set(reterr, -EREMOTEIO, ERROR_FAILED,
                         "Downloading '%s' failed: the server answers %ld%s", g->shown, status,
                         words);
}

static int write_failed(const Get *g, Error *reterr) {
        _cleanup_free_ char *limit = format_bytes(g->file->size_max);
        if (g->too_large)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "'%s' is larger than %s, the limit of a download", g->shown,
                                 strempty(limit));
        if (g->other)
                return error_set(reterr, -EBADMSG, ERROR_FAILED,
                                 "Downloading '%s' failed: the server sends another part than "
                                 "was asked for",
                                 g->shown);
        int r = error_set_errno(reterr, g->write_error, ERROR_FAILED, "Downloading '%s' failed",
                                g->shown);
        if (IN_SET(g->write_error, -ENOSPC, -EDQUOT))
                error_hint(reterr, "make room in the pool of images");
        return r;
}

/* ---- the requests ---- */

static int set_options(Get *g) {
        const EasySetopt set = CALL(g->http, EasySetopt, "curl_easy_setopt");
        void *h = g->http->handle;
        int bad = 0;
        bad |= set(h, OPTION_PROTOCOLS, PROTOCOLS_HTTP_HTTPS);
        bad |= set(h, OPTION_FOLLOWLOCATION, 0L);
        bad |= set(h, OPTION_NOSIGNAL, 1L);
        bad |= set(h, OPTION_BUFFERSIZE, BUFFER_BYTES);
        bad |= set(h, OPTION_NOPROGRESS, 0L);
        bad |= set(h, OPTION_XFERINFOFUNCTION, on_time);
        bad |= set(h, OPTION_XFERINFODATA, (void *) g);
        bad |= set(h, OPTION_CONNECTTIMEOUT, CONNECT_SECONDS);
        bad |= set(h, OPTION_LOW_SPEED_LIMIT, SLOW_BYTES);
        bad |= set(h, OPTION_LOW_SPEED_TIME, SLOW_SECONDS);
        bad |= set(h, OPTION_USERAGENT, "berth/" BERTH_VERSION);
        bad |= set(h, OPTION_ERRORBUFFER, g->error);
        bad |= set(h, OPTION_WRITEFUNCTION, on_bytes);
        bad |= set(h, OPTION_WRITEDATA, (void *) g);
        bad |= set(h, OPTION_HEADERFUNCTION, on_header);
        bad |= set(h, OPTION_HEADERDATA, (void *) g);
        bad |= set(h, OPTION_CAINFO, "/" HTTP_CERTIFICATES);
        return bad ? -EINVAL : 0;
}

/* At least one, since 0 is without an end for the library. */
static long seconds_left(const Get *g) {
        const usec_t now = now_usec(CLOCK_MONOTONIC);
        if (g->end_usec == USEC_INFINITY)
                return 0;
        return g->end_usec <= now ? 1 : (long) ((g->end_usec - now) / USEC_PER_SEC) + 1;
}

/* One request. The library's result, or a negative errno. */
static int request(Get *g) {
        const EasySetopt set = CALL(g->http, EasySetopt, "curl_easy_setopt");
        _cleanup_free_ char *condition = NULL, *range = NULL;
        void *h = g->http->handle, *headers = NULL;
        g->answered = g->begun = g->too_large = g->other = false;
        g->discarded = 0;
        g->write_error = 0;
        g->error[0] = '\0';
        g->length = UINT64_MAX;
        g->part = (HttpPart){ 0 };
        g->etag[0] = g->modified[0] = '\0';
        g->ranged = g->size > 0 && g->validator;
        if (g->ranged) {
                condition = strjoin("If-Range: ", g->validator);
                range = strf("%" PRIu64 "-", g->size);
                if (!condition || !range)
                        return -ENOMEM;
                headers = CALL(g->http, SlistAppend, "curl_slist_append")(NULL, condition);
                if (!headers)
                        return -ENOMEM;
        }
        int r = set(h, OPTION_URL, g->url) || set(h, OPTION_RANGE, range) ||
                                set(h, OPTION_TIMEOUT, seconds_left(g)) ||
                                set(h, OPTION_HTTPHEADER, headers)
                        ? -ENOMEM
                        : CALL(g->http, EasyPerform, "curl_easy_perform")(h);
        (void) set(h, OPTION_HTTPHEADER, NULL); /* cannot fail */
        CALL(g->http, SlistFree, "curl_slist_free_all")(headers);
        return r;
}

static int follow(Get *g, Error *reterr) {
        const char *to = NULL;
        (void) CALL(g->http, EasyGetinfo, "curl_easy_getinfo")(g->http->handle, INFO_REDIRECT_URL,
                                                               &to); /* NULL then */
        if (g->redirects++ >= HTTP_REDIRECTS_MAX)
                return error_set(reterr, -ELOOP, ERROR_LIMIT_EXCEEDED,
                                 "Downloading '%s' failed: more than %d redirections", g->shown,
                                 HTTP_REDIRECTS_MAX);
        if (!to || !url_is_valid(to))
                return error_set(reterr, -EPERM, ERROR_FAILED,
                                 "Downloading '%s' failed: it is redirected to '%.200s', which is "
                                 "neither http nor https",
                                 g->shown, to ?: "nowhere");
        if (url_is_https(g->url) && !url_is_https(to)) {
                _cleanup_free_ char *shown = url_for_display(to);
                return error_set(reterr, -EPERM, ERROR_FAILED,
                                 "Downloading '%s' failed: it is redirected from https to '%.200s'",
                                 g->shown, strempty(shown));
        }
        return free_and_strdup(&g->url, to) < 0 ? error_oom(reterr) : 0;
}

static int begin_anew(Get *g, Error *reterr) {
        forget(g);
        (void) write_failed(g, reterr);
        return -EAGAIN;
}

/* The answer has ended: the file, too? 1; -EAGAIN: no. */
static int complete(Get *g, Error *reterr) {
        g->write_error = g->begun ? 0 : begin_answer(g); /* of an answer without a byte */
        g->other = g->write_error == -EBADMSG;
        if (g->other)
                return begin_anew(g, reterr);
        if (g->write_error < 0)
                return write_failed(g, reterr);
        if (g->total == UINT64_MAX || g->size >= g->total)
                return 1;
        (void) error_set(reterr, -EREMOTEIO, ERROR_FAILED,
                         "Downloading '%s' failed: the server sends %" PRIu64 " of %" PRIu64
                         " bytes",
                         g->shown, g->size, g->total);
        return -EAGAIN;
}

/* With redirections. 1, 0: see http_get(); -EAGAIN: it may go on later, *reterr says what happened. */
static int attempt(Get *g, Error *reterr) {
        g->redirects = 0;
        if (free_and_strdup(&g->url, g->file->url) < 0)
                return error_oom(reterr);
        for (;;) {
                int code = request(g), r = 0;
                if (code < 0)
                        return error_oom(reterr);
                if (g->too_large || g->write_error < 0)
                        return write_failed(g, reterr);
                if (g->other)
                        return begin_anew(g, reterr);
                /* one that was an error is that, however its page ends */
                const long status = g->answered ? status_of(g) : 0;
                if (code == 0 && status >= 300 && status < 400 && status != 304) {
                        r = follow(g, reterr);
                        if (r < 0)
                                return r;
                        continue;
                }
                if (code != 0 && status < 400) {
                        if (g->discarded > DISCARDED_MAX)
                                return page_failed(g, reterr);
                        r = get_failed(g, code, reterr);
                        const struct Result *k = result_of(code);
                        return k && (k->retry == LATER || (k->retry == BEGUN && g->size > 0))
                                       ? -EAGAIN
                                       : r;
                }
                if (status == 416 && g->size > 0) {
                        forget(g);
                        (void) status_failed(g, status, reterr);
                        return -EAGAIN;
                }
                if (IN_SET(status, 404L, 410L))
                        return 0;
                if (status != 200 && status != 206) {
                        r = status_failed(g, status, reterr);
                        return IN_SET(status, 429L, 502L, 503L, 504L) ? -EAGAIN : r;
                }
                return complete(g, reterr);
        }
}

int http_get(Http *h, const HttpFile *f, Error *reterr) {
        Get g = { .http = h, .file = f, .total = UINT64_MAX, .end_usec = USEC_INFINITY };
        if (f->seconds_max > 0)
                g.end_usec = now_usec(CLOCK_MONOTONIC) + f->seconds_max * USEC_PER_SEC;
        int r = set_options(&g) < 0 ? error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                                                "libcurl is too old for a download")
                                    : 0;
        g.shown = url_for_display(f->url);
        if (r >= 0 && !g.shown)
                r = error_oom(reterr);
        uint64_t most = 0; /* bytes that were there at a time: less is no progress */
        for (unsigned failures = 0, attempts = 0; r >= 0;) {
                _cleanup_error_ Error e = ERROR_NULL;
                r = attempt(&g, &e);
                if (r != -EAGAIN) {
                        r = r < 0 ? error_take(reterr, &e) : r;
                        break;
                }
                failures = g.size > most ? 1 : failures + 1;
                most = MAX(g.size, most);
                if (failures > HTTP_RETRIES_MAX || ++attempts >= HTTP_ATTEMPTS_MAX ||
                    now_usec(CLOCK_MONOTONIC) >= g.end_usec)
                        r = error_take(reterr, &e);
                else {
                        (void) usleep(250000U << failures); /* 0.5, 1, 2, 4 seconds */
                        r = 0;
                }
        }
        free(g.url);
        free(g.validator);
        free(g.shown);
        return r;
}
