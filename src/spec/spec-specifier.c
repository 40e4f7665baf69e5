/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of specifiers: one row a letter. What is in a value when it was replaced must not end a word or a path of the setting, so only
 * plain words are taken from the host. */
#include "spec/spec-specifier.h"

#include <fcntl.h>
#include <sys/utsname.h>

#include "basic/env-file.h"
#include "basic/fd.h"
#include "basic/id.h"
#include "basic/strv.h"
#include "spec/spec-fields.h"

#define ID_FILE_MAX 64U /* bytes */
#define OS_RELEASE_MAX 65536U
#define EXPANDED_MAX SPEC_TEXT_MAX

typedef struct Specifier Specifier;
struct Specifier {
        char letter;
        bool of_host; /* nothing that a file beside an image should learn */
        int (*expand)(const Specifier *s, const char *name, char **ret, Error *reterr);
        const char *text; /* for expand */
};

static int expand_text(const Specifier *s, const char *name, char **ret, Error *reterr) {
        *ret = strdup(s->text);
        return *ret ? 0 : error_oom(reterr);
}

static int expand_name(const Specifier *s, const char *name, char **ret, Error *reterr) {
        if (!name)
                return error_set(
                        reterr, -EINVAL, ERROR_INVALID_NAME,
                        "Specifier '%%%c' stands for the container's name, which is not known yet",
                        s->letter);
        *ret = strdup(name);
        return *ret ? 0 : error_oom(reterr);
}

/* A file that holds one id, with dashes or without. */
static int expand_id(const Specifier *s, const char *name, char **ret, Error *reterr) {
        _cleanup_free_ char *text = NULL;
        char digits[ID128_STRING_MAX];
        Id128 id;

        int r = file_read_all(AT_FDCWD, s->text, ID_FILE_MAX, &text, NULL);
        if (r >= 0)
                r = id128_parse(strstrip(text), &id);
        if (r < 0)
                return error_set_errno(
                        reterr, r, ERROR_INVALID_SETTING,
                        "Specifier '%%%c' stands for what '%s' says, which cannot be read",
                        s->letter, s->text);
        *ret = strdup(id128_to_string(id, digits));
        return *ret ? 0 : error_oom(reterr);
}

/* As systemd names them: where the kernel's name has another spelling. */
static const char *const architectures[][2] = {
        { "x86_64", "x86-64" },
        { "i386", "x86" },
        { "i486", "x86" },
        { "i586", "x86" },
        { "i686", "x86" },
        { "aarch64", "arm64" },
        { "aarch64_be", "arm64-be" },
        { "armv6l", "arm" },
        { "armv7l", "arm" },
        { "armv8l", "arm" },
        { "ppc64le", "ppc64-le" },
        { "ppcle", "ppc-le" },
};

static const char *architecture(const char *machine) {
        for (size_t i = 0; i < ELEMENTSOF(architectures); i++)
                if (streq(architectures[i][0], machine))
                        return architectures[i][1];
        return machine;
}

static int expand_system(const Specifier *s, const char *name, char **ret, Error *reterr) {
        struct utsname u;

        if (uname(&u) < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED,
                                       "The kernel's name is not known");
        switch (s->letter) {
        case 'a':
                *ret = strdup(architecture(u.machine));
                break;
        case 'v':
                *ret = strdup(u.release);
                break;
        case 'l':
                *ret = strndup(u.nodename, strcspn(u.nodename, "."));
                break;
        default:
                *ret = strdup(u.nodename);
        }
        return *ret ? 0 : error_oom(reterr);
}

/* A field that the file does not have is empty, as with systemd. */
static int expand_os_release(const Specifier *s, const char *name, char **ret, Error *reterr) {
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_free_ char **fields = NULL;

        int r = file_read_all(AT_FDCWD, "/etc/os-release", OS_RELEASE_MAX, &text, NULL);
        if (r == -ENOENT)
                r = file_read_all(AT_FDCWD, "/usr/lib/os-release", OS_RELEASE_MAX, &text, NULL);
        if (r < 0)
                return error_set_errno(
                        reterr, r, ERROR_INVALID_SETTING,
                        "Specifier '%%%c' stands for %s= of the host's os-release, which cannot be read",
                        s->letter, s->text);
        if (env_file_parse(text, &fields) < 0)
                return error_oom(reterr);
        *ret = strdup(strempty(strv_env_get(fields, s->text)));
        return *ret ? 0 : error_oom(reterr);
}

static const Specifier specifiers[] = {
        /* clang-format off */
        { '%', false, expand_text,       "%" },
        { 'i', false, expand_name,       NULL },
        { 'n', false, expand_name,       NULL },
        { 'C', false, expand_text,       "/var/cache" },
        { 'E', false, expand_text,       "/etc" },
        { 'L', false, expand_text,       "/var/log" },
        { 'S', false, expand_text,       "/var/lib" },
        { 't', false, expand_text,       "/run" },
        { 'T', false, expand_text,       "/tmp" },
        { 'V', false, expand_text,       "/var/tmp" },
        { 'm', true,  expand_id,         "/etc/machine-id" },
        { 'b', true,  expand_id,         "/proc/sys/kernel/random/boot_id" },
        { 'a', true,  expand_system,     NULL },
        { 'H', true,  expand_system,     NULL },
        { 'l', true,  expand_system,     NULL },
        { 'v', true,  expand_system,     NULL },
        { 'o', true,  expand_os_release, "ID" },
        { 'w', true,  expand_os_release, "VERSION_ID" },
        { 'W', true,  expand_os_release, "VARIANT_ID" },
        { 'B', true,  expand_os_release, "BUILD_ID" },
        { 'M', true,  expand_os_release, "IMAGE_ID" },
        { 'A', true,  expand_os_release, "IMAGE_VERSION" },
        /* clang-format on */
};

static const Specifier *specifier_find(char letter) {
        for (size_t i = 0; i < ELEMENTSOF(specifiers); i++)
                if (specifiers[i].letter == letter)
                        return specifiers + i;
        return NULL;
}

/* Host names and versions have no other characters; quotes, spaces and colons would change what the setting says. */
static bool is_plain(const char *s) {
        for (; *s; s++)
                if (!ascii_is_alnum(*s) && !strchr("._-+~^", *s))
                        return false;
        return true;
}

/* at: behind the percent sign. */
static int unknown_specifier(const char *at, const char *subject, Error *reterr) {
        const unsigned char first = (unsigned char) *at;
        int r;

        if (first == '\0')
                r = error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                              "The value of %s ends with '%%', which begins a specifier", subject);
        else if (first >= 0x80)
                r = error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                              "A specifier that is no ASCII character is in %s", subject);
        else
                r = error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                              "Unknown specifier '%%%c' in %s", first, subject);
        error_hint(reterr,
                   "write '%%%%' for a percent sign; berth.settings(5) lists the specifiers");
        return r;
}

int spec_specifiers_expand(const char *value, const char *name, bool trusted, const char *subject,
                           char **ret, char *ret_secret, Error *reterr) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };

        for (const char *p = value; *p; p++) {
                const size_t n = strcspn(p, "%");
                strbuf_add_bytes(&b, p, n);
                p += n;
                if (*p == '\0')
                        break;

                const Specifier *s = specifier_find(*++p);
                _cleanup_free_ char *text = NULL;
                if (!s || *p == '\0')
                        return unknown_specifier(p, subject, reterr);
                if (s->of_host && !trusted) {
                        *ret_secret = s->letter;
                        return 1;
                }
                int r = s->expand(s, name, &text, reterr);
                if (r < 0)
                        return r;
                if (s->of_host && !is_plain(text))
                        return error_set(
                                reterr, -EINVAL, ERROR_INVALID_SETTING,
                                "Specifier '%%%c' in %s stands for '%s', which is not a plain word",
                                s->letter, subject, text);
                strbuf_add(&b, text);
                if (b.size > EXPANDED_MAX)
                        return error_set(
                                reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                "With its specifiers replaced the value of %s is longer than %u bytes",
                                subject, EXPANDED_MAX);
        }
        return strbuf_finish(&b, ret) < 0 ? error_oom(reterr) : 0;
}

char *spec_specifiers_escape_text(const char *text) {
        _cleanup_free_ char *section = NULL;
        StrBuf b = { 0 };
        char *escaped;

        for (const char *line = text; *line;) {
                const size_t n = strcspn(line, "\n"), key_length = strcspn(line, "=");
                bool takes = false;
                if (line[0] == '[' && n > 2) {
                        free(section);
                        section = strndup(line + 1, n - 2);
                } else if (section && key_length < n) {
                        _cleanup_free_ char *key = strndup(line, key_length);
                        const SpecField *f = key ? spec_field_by_key(section, key) : NULL;
                        takes = f && (f->flags & FIELD_SPECIFIERS);
                }
                for (size_t i = 0; i < n; i++) {
                        strbuf_add_bytes(&b, line + i, 1);
                        if (takes && line[i] == '%')
                                strbuf_add(&b, "%");
                }
                line += n;
                if (*line == '\n') {
                        strbuf_add(&b, "\n");
                        line++;
                }
        }
        return strbuf_finish(&b, &escaped) < 0 ? NULL : escaped;
}
