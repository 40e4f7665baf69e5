/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a container starts from, by its name, and the name of a container, by its directory or disk image. */
#include "image/image-find.h"

#include <sys/utsname.h>

#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/image.h"
#include "spec/spec.h"

int image_find_in(char *const *places, const char *name, char **ret_path, const char **ret_option,
                  Error *reterr) {
        _cleanup_(image_freep) Image *i = NULL;
        int r = spec_check_name(name, reterr);
        if (r >= 0)
                r = image_lookup(places, name, &i, reterr);
        if (r == -ENOENT)
                error_hint(
                        reterr,
                        "make /var/lib/machines/%s, import one (berth import-tar FILE %s), or run a "
                        "directory or a disk image (berth run -D DIRECTORY, --image=FILE)",
                        name, name);
        if (r < 0)
                return r;
        char *real = realpath(i->path, NULL);
        if (!real)
                return error_set_errno(reterr, -errno, ERROR_FAILED,
                                       "Image '%s' cannot be resolved", i->path);
        *ret_path = real;
        if (ret_option)
                *ret_option = i->kind == IMAGE_MSTACK ? "mstack"
                              : image_is_tree(i)      ? "directory"
                                                      : "image";
        return 0;
}

int image_find(const char *name, char **ret_path, const char **ret_option, Error *reterr) {
        return image_find_in(image_places, name, ret_path, ret_option, reterr);
}

int image_list_in(char *const *places, char ***ret_names, Error *reterr) {
        _cleanup_(image_list_done) ImageList l = { 0 };
        _cleanup_strv_free_ char **names = NULL;
        int r = image_enumerate(places, /* hidden= */ false, &l, reterr);
        if (r < 0)
                return r;
        for (size_t k = 0; k < l.n; k++)
                if (container_name_is_valid(l.images[k]->name) &&
                    strv_extend(&names, l.images[k]->name) < 0)
                        return error_oom(reterr);
        *ret_names = TAKE_PTR(names);
        return 0;
}

int image_list(char ***ret_names, Error *reterr) {
        return image_list_in(image_places, ret_names, reterr);
}

static bool name_character_is_valid(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               IN_SET(c, '-', '.', '_');
}

/* Leaves out what a name cannot hold, in place: characters, ".." and dots and dashes at the ends. */
static void clean_name(char *s) {
        size_t n = 0;

        for (const char *p = s; *p && n < CONTAINER_NAME_MAX; p++) {
                if (!name_character_is_valid(*p))
                        continue;
                if (IN_SET(*p, '.', '-') && (n == 0 || (*p == '.' && s[n - 1] == '.')))
                        continue;
                s[n++] = *p;
        }
        while (n > 0 && IN_SET(s[n - 1], '.', '-'))
                n--;
        s[n] = '\0';
}

int image_name_from_path(const char *path, char **ret, Error *reterr) {
        _cleanup_free_ char *simple = path_simplify(path), *name = NULL;
        struct utsname uts;

        if (!simple)
                return error_oom(reterr);
        const char *last = path_last_component(simple);
        if (isempty(last) && uname(&uts) == 0)
                last = uts.nodename;
        const char *suffix = endswith(last, ".raw") ?: endswith(last, ".mstack");
        name = suffix && suffix != last ? strndup(last, (size_t) (suffix - last)) : strdup(last);
        if (!name)
                return error_oom(reterr);
        clean_name(name);
        if (!container_name_is_valid(name)) {
                int r = error_set(reterr, -EINVAL, ERROR_INVALID_NAME,
                                  "No container name can be made of the path '%s'", path);
                error_hint(reterr, "give one with --machine=NAME");
                return r;
        }
        *ret = TAKE_PTR(name);
        return 0;
}
