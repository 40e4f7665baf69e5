/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls: mkdir, open(O_EXCL), write, stat, fchown, fchmod, fsync; rename. Names that begin with a dot are read by nobody. */
#include "cli/settings-write.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/id.h"
#include "basic/path.h"
#include "basic/str.h"

char *settings_path(const char *name, const char *drop_in, bool runtime) {
        const char *directory = runtime ? SETTINGS_RUN : SETTINGS_ETC;

        return drop_in ? strf("%s/%s.berth.d/%s", directory, name, drop_in)
                       : strf("%s/%s.berth", directory, name);
}

int settings_check_privileges(Error *reterr) {
        if (geteuid() == 0)
                return 0;
        int r = error_set(reterr, -EPERM, ERROR_NO_PRIVILEGES, "Only root can write settings");
        error_hint(reterr, "use sudo");
        return r;
}

static int cannot_write(const char *path, int code, Error *reterr) {
        return error_set_errno(reterr, code, ERROR_FAILED, "Settings file '%s' cannot be written",
                               path);
}

/* Secrets of settings stay with those who can read them: a new file has the owner and the mode of the one that it replaces, and no
 * more than the mode of another one that it is made from, whose owner may be anybody. */
static int set_mode(int fd, const char *path, const char *like) {
        struct stat st;

        if (!like)
                return 0;
        if (stat(like, &st) < 0) {
                if (errno != ENOENT)
                        return -errno;
                return fchmod(fd, 0644) < 0 ? -errno : 0;
        }
        const bool replaced = streq(path, like);
        if (!S_ISREG(st.st_mode)) /* a link to /dev/null */
                st.st_mode = 0644;
        else if (replaced && fchown(fd, st.st_uid, st.st_gid) < 0)
                return -errno;
        return fchmod(fd, st.st_mode & (replaced ? 0777 : 0644)) < 0 ? -errno : 0;
}

int staged_file_write(StagedFile *f, const char *path, const char *like, const char *text,
                      Error *reterr) {
        _cleanup_free_ char *directory = NULL;
        char digits[ID128_STRING_MAX];
        Id128 id;

        *f = (StagedFile){ .path = strdup(path) };
        if (!f->path || path_extract_directory(path, &directory) < 0)
                return error_oom(reterr);
        f->directory_made = access(directory, F_OK) < 0;
        int r = mkdir_parents(directory, 0755);
        if (r >= 0)
                r = id128_random(&id);
        if (r < 0)
                return cannot_write(path, r, reterr);
        f->temporary = strf("%s/.#%s.%.16s", directory, path_last_component(path),
                            id128_to_string(id, digits));
        if (!f->temporary)
                return error_oom(reterr);
        _cleanup_close_ int fd =
                open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return cannot_write(path, -errno, reterr);
        r = fd_write_full(fd, text, strlen(text));
        if (r >= 0)
                r = set_mode(fd, path, like);
        if (r >= 0 && fsync(fd) < 0)
                r = -errno;
        return r < 0 ? cannot_write(path, r, reterr) : 0;
}

int staged_file_commit(StagedFile *f, Error *reterr) {
        if (rename(f->temporary, f->path) < 0)
                return cannot_write(f->path, -errno, reterr);
        f->temporary = mfree(f->temporary);
        f->directory_made = false;
        return 0;
}

void staged_file_done(StagedFile *f) {
        _cleanup_free_ char *directory = NULL;

        if (f->temporary)
                (void) unlink(f->temporary); /* may not have come to be */
        if (f->directory_made && f->path && path_extract_directory(f->path, &directory) >= 0)
                (void) rmdir(directory); /* only if it is empty */
        free(f->path);
        free(f->temporary);
        *f = (StagedFile){ 0 };
}
