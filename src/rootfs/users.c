/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The payload's user: looked up in the container's own passwd(5) and group(5) by reading them, so that nothing of the
 * container (NSS modules, getent) runs. The files are hostile: regular, limited in size, and every number is checked. */
#include <limits.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "rootfs/rootfs.h"
#include "sys/resolve.h"

#define USER_FILE_MAX (4U << 20)
#define USER_NAME_MAX 256U
#define USER_GROUPS_MAX 1024U

enum {
        PASSWD_NAME,
        PASSWD_UID = 2,
        PASSWD_GID,
        PASSWD_HOME = 5,
        PASSWD_SHELL,
        PASSWD_FIELDS
};
enum {
        GROUP_NAME,
        GROUP_GID = 2,
        GROUP_MEMBERS,
        GROUP_FIELDS
};

/* Splits one line in place. False unless it has exactly n fields. */
static bool split_fields(char *line, char **fields, size_t n) {
        for (size_t i = 0; i < n; i++) {
                fields[i] = line;
                line = strchr(line, ':');
                if (i + 1 == n)
                        return line == NULL;
                if (!line)
                        return false;
                *line++ = '\0';
        }
        return false;
}

/* Next line of *text, which is cut at its end; NULL when there is none. */
static char *next_line(char **text) {
        char *line = *text;

        if (!line || line[0] == '\0')
                return NULL;
        char *end = strchr(line, '\n');
        if (end)
                *end++ = '\0';
        *text = end;
        return line;
}

static bool user_name_is_valid(const char *s) {
        const size_t n = strlen(s);

        if (n == 0 || n > USER_NAME_MAX || strchr("-+.", s[0]) || !utf8_is_valid(s, n))
                return false;
        for (const char *c = s; *c; c++)
                if ((unsigned char) *c <= ' ' || *c == 0x7f || strchr(":/,\"'\\", *c))
                        return false;
        return true;
}

static bool is_number(const char *s) {
        return s[0] != '\0' && s[strspn(s, "0123456789")] == '\0';
}

/* 0 with *ret = NULL if the file does not exist. */
static int read_user_file(const Rootfs *r, const char *path, char **ret, Error *reterr) {
        size_t size;

        int k = resolve_read_file(r->root_fd, path, USER_FILE_MAX, ret, &size);
        if (k == -ENOENT || k == -ENOTDIR) {
                *ret = NULL;
                return 0;
        }
        if (k == -EINVAL)
                return error_set(reterr, k, ERROR_NOT_A_ROOT,
                                 "%s in the container is not a regular file", path);
        if (k == -E2BIG)
                return error_set(reterr, k, ERROR_LIMIT_EXCEEDED,
                                 "%s in the container is larger than %u MiB", path,
                                 USER_FILE_MAX >> 20);
        if (k < 0)
                return error_set_errno(reterr, k, ERROR_SETUP_FAILED,
                                       "reading %s in the container failed", path);
        return 0;
}

static int set_user(Rootfs *r, uid_t uid, gid_t gid, const char *name, const char *home,
                    const char *shell, Error *reterr) {
        r->user.uid = uid;
        r->user.gid = gid;
        if (free_and_strdup(&r->user.name, name) < 0 ||
            free_and_strdup(&r->user.home,
                            home && path_is_absolute(home) && path_is_valid(home) ? home : NULL) <
                    0 ||
            free_and_strdup(&r->user.shell, shell && path_is_absolute(shell) && path_is_valid(shell)
                                                    ? shell
                                                    : NULL) < 0)
                return error_oom(reterr);
        return 0;
}

/* Looks for a passwd line by name, or by number if name is NULL. 1: found and set, 0: not there. */
static int find_passwd(Rootfs *r, char *text, const char *name, uid_t number, Error *reterr) {
        char *fields[PASSWD_FIELDS], *line;
        uid_t uid, gid;

        while ((line = next_line(&text))) {
                if (!split_fields(line, fields, PASSWD_FIELDS))
                        continue;
                const bool valid = parse_uid(fields[PASSWD_UID], &uid) >= 0 &&
                                   parse_uid(fields[PASSWD_GID], &gid) >= 0;
                if (name ? !streq(fields[PASSWD_NAME], name) : !valid || uid != number)
                        continue;
                if (!valid)
                        return error_set(
                                reterr, -EBADMSG, ERROR_NO_SUCH_USER,
                                "the entry of user '%s' in the container's /etc/passwd has a bad user or group ID",
                                name);
                /* A number that has a name nobody can have is known by its number. */
                if (!name && !user_name_is_valid(fields[PASSWD_NAME]))
                        fields[PASSWD_NAME] = fields[PASSWD_UID];
                int k = set_user(r, uid, gid, fields[PASSWD_NAME], fields[PASSWD_HOME],
                                 fields[PASSWD_SHELL], reterr);
                return k < 0 ? k : 1;
        }
        return 0;
}

static bool members_have(const char *members, const char *name) {
        const size_t n = strlen(name);

        for (const char *m = members;; m++) {
                const size_t k = strcspn(m, ",");
                if (k == n && strncmp(m, name, n) == 0)
                        return true;
                m += k;
                if (*m == '\0')
                        return false;
        }
}

static int add_group(Rootfs *r, gid_t gid, Error *reterr) {
        for (size_t i = 0; i < r->user.n_groups; i++)
                if (r->user.groups[i] == gid)
                        return 0;
        if (r->user.n_groups >= USER_GROUPS_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "user '%s' is in more than %u groups", r->user.name,
                                 USER_GROUPS_MAX);
        gid_t *g = ARRAY_APPEND(r->user.groups, r->user.n_groups);
        if (!g)
                return error_oom(reterr);
        *g = gid;
        return 0;
}

/* The primary group and those that list the user. */
static int find_groups(Rootfs *r, Error *reterr) {
        char *fields[GROUP_FIELDS], *line;
        gid_t gid;

        _cleanup_free_ char *text = NULL;
        int k = read_user_file(r, "/etc/group", &text, reterr);
        if (k >= 0)
                k = add_group(r, r->user.gid, reterr);
        if (k < 0)
                return k;
        char *rest = text;
        while ((line = next_line(&rest))) {
                if (!split_fields(line, fields, GROUP_FIELDS) ||
                    parse_uid(fields[GROUP_GID], &gid) < 0 ||
                    !members_have(fields[GROUP_MEMBERS], r->user.name))
                        continue;
                k = add_group(r, gid, reterr);
                if (k < 0)
                        return k;
        }
        return 0;
}

static int no_such_user(const char *user, Error *reterr) {
        _cleanup_free_ char *shown = str_escape_for_display(user);

        error_set(reterr, -ENOENT, ERROR_NO_SUCH_USER, "there is no user '%s' in the container",
                  strempty(shown));
        error_hint(reterr,
                   "add the user to the container's /etc/passwd, or give a numeric user ID");
        return -ENOENT;
}

static int bad_user(const char *user, Error *reterr) {
        _cleanup_free_ char *shown = str_escape_for_display(user);

        error_set(reterr, -EINVAL, ERROR_NO_SUCH_USER, "'%s' is not a user name or user ID",
                  strempty(shown));
        error_hint(reterr, "give a name from the container's /etc/passwd, or a number from 0 to "
                           "4294967294 other than 65535");
        return -EINVAL;
}

static int find_root(Rootfs *r, bool want_shell, Error *reterr) {
        _cleanup_free_ char *text = NULL;

        int k = set_user(r, 0, 0, "root", "/root", NULL, reterr);
        if (k < 0 || !want_shell)
                return k;
        k = read_user_file(r, "/etc/passwd", &text, reterr);
        if (k < 0 || !text)
                return k;
        k = find_passwd(r, text, NULL, 0, reterr);
        if (k < 0)
                return k;
        r->user.gid = 0;
        return 0;
}

int rootfs_find_user(Rootfs *r, const char *user, bool want_shell, Error *reterr) {
        _cleanup_free_ char *text = NULL;
        uid_t number = 0;

        r->user.groups = mfree(r->user.groups);
        r->user.n_groups = 0;
        if (!user || streq(user, "root") || streq(user, "0"))
                return find_root(r, want_shell, reterr);
        const bool numeric = is_number(user);
        if (numeric ? strlen(user) > 10 || parse_uid(user, &number) < 0 : !user_name_is_valid(user))
                return bad_user(user, reterr);
        int k = read_user_file(r, "/etc/passwd", &text, reterr);
        if (k < 0)
                return k;
        k = find_passwd(r, text, numeric ? NULL : user, number, reterr);
        if (k < 0)
                return k;
        if (k > 0)
                return find_groups(r, reterr);
        if (!numeric)
                return no_such_user(user, reterr);
        return set_user(r, number, number, user, NULL, NULL, reterr);
}
