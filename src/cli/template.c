/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --template=: which directory is made, and of what. */
#include "cli/template.h"

#include <sys/stat.h>

#include "basic/log.h"
#include "basic/path.h"
#include "image/image-work.h"

int template_place(const char *path, char **ret, Error *reterr) {
        _cleanup_free_ char *place = NULL, *real = NULL;
        struct stat st;

        if (lstat(path, &st) >= 0 || errno != ENOENT)
                return 0;
        if (path_extract_directory(path, &place) < 0)
                return error_oom(reterr);
        real = streq(place, IMAGE_POOL) ? strdup(place) : realpath(place, NULL);
        if (!real)
                return error_set_errno(
                        reterr, -errno, ERROR_ROOT_NOT_FOUND,
                        "'%s', where the directory '%s' is to be made, cannot be used", place,
                        path);
        *ret = path_join(real, path_last_component(path));
        return *ret ? 1 : error_oom(reterr);
}

int template_resolve(RunRequest *q, SpecDraft *d, Error *reterr) {
        const ContainerSpec *spec = spec_draft_spec(d);
        _cleanup_free_ char *real = NULL, *directory = NULL;
        struct stat st;

        if (!q->template)
                return 0;
        if (!spec->name && !spec_root_path(spec)) {
                (void) error_set(reterr, -EINVAL, ERROR_USAGE,
                                 "--template=%s names no directory to make", q->template);
                error_hint(reterr, "give one with --directory= or --machine=");
                return -EINVAL;
        }
        real = realpath(q->template, NULL);
        if (!real)
                return error_set_errno(reterr, -errno, ERROR_ROOT_NOT_FOUND,
                                       "Template '%s' cannot be used", q->template);
        if (stat(real, &st) >= 0 && !S_ISDIR(st.st_mode))
                return error_set(reterr, -ENOTDIR, ERROR_NOT_A_ROOT,
                                 "Template '%s' is not a directory", q->template);
        free(q->template);
        q->template = TAKE_PTR(real);
        if (spec_root_path(spec))
                return 0;
        directory = path_join(IMAGE_POOL, spec->name);
        return directory ? spec_draft_set(d, spec_field_by_key("Container", "Directory"), directory,
                                          SOURCE_COMMAND, "made of a template", reterr)
                         : error_oom(reterr);
}

int template_check(const RunRequest *q, const ContainerSpec *spec, Error *reterr) {
        if (!q->template || (!spec->root.image && !spec->root.mstack && !spec->root.ephemeral))
                return 0;
        (void) error_set(reterr, -EINVAL, ERROR_CONFLICT, "Template '%s' %s", q->template,
                         !spec->root.directory
                                 ? "makes a directory, not a disk image or stack"
                                 : "makes what is kept, and --ephemeral keeps nothing");
        if (!spec->root.directory)
                error_hint(reterr, "give a directory with --directory=");
        else
                error_hint(reterr, "start the template itself: --ephemeral -D %s", q->template);
        return -EINVAL;
}

int template_use(const RunRequest *q, const ContainerSpec *spec, Error *reterr) {
        if (!q->template)
                return 0;
        int r = image_make_from(q->template, spec->root.directory, reterr);
        if (r < 0 || q->quiet)
                return r;
        if (r > 0)
                log_info("Made '%s' of template '%s'", spec->root.directory, q->template);
        else
                log_info("'%s' is there already, nothing is made of template '%s'",
                         spec->root.directory, q->template);
        return 0;
}
