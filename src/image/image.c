/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking images up by name, and listing them. */
#include "image/image.h"

#include <dirent.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "sys/btrfs.h"
#include "sys/version-pick.h"

#define ENTRIES_MAX (8 * IMAGES_MAX) /* of a place: settings, locks and the like are in it, too */

static const char *const search_path[] = {
        "/etc/machines",
        "/run/machines",
        "/var/lib/machines",
        "/var/lib/container",
        "/usr/local/lib/machines",
        "/usr/lib/machines",
        NULL,
};
char *const *const image_places = (char *const *) search_path;

static const char *const image_kind_table[_IMAGE_KIND_MAX] = {
        [IMAGE_DIRECTORY] = "directory", [IMAGE_SUBVOLUME] = "subvolume", [IMAGE_RAW] = "raw",
        [IMAGE_BLOCK] = "block",         [IMAGE_MSTACK] = "mstack",
};
DEFINE_STRING_TABLE_LOOKUP(image_kind, ImageKind);

/* What the name of an entry may end with, in the order in which they are tried. */
static const struct Form {
        const char *suffix; /* of the entry */
        mode_t type;        /* of the image */
        ImageKind kind;
        const char *version; /* suffix of the versions in it; NULL: it is an image itself */
} forms[] = {
        { "", S_IFDIR, IMAGE_DIRECTORY, NULL },
        { "", S_IFBLK, IMAGE_BLOCK, NULL },
        { ".raw", S_IFREG, IMAGE_RAW, NULL },
        { ".raw", S_IFBLK, IMAGE_BLOCK, NULL },
        { ".mstack", S_IFDIR, IMAGE_MSTACK, NULL },
        { ".v", S_IFDIR, IMAGE_DIRECTORY, "" },
        { ".raw.v", S_IFREG, IMAGE_RAW, ".raw" },
        { ".mstack.v", S_IFDIR, IMAGE_MSTACK, ".mstack" },
};

Image *image_free(Image *i) {
        if (!i)
                return NULL;
        free(i->name);
        free(i->entry);
        free(i->path);
        free(i);
        return NULL;
}

void image_list_done(ImageList *l) {
        for (size_t i = 0; i < l->n; i++)
                image_free(l->images[i]);
        free(l->images);
        *l = (ImageList){ 0 };
}

bool image_name_is_valid(const char *name) {
        const size_t n = strlen(strempty(name));
        if (n == 0 || n > IMAGE_NAME_MAX || strchr(name, '/') || streq(name, ".") ||
            streq(name, "..") || startswith(name, ".#") || !utf8_is_valid(name, n))
                return false;
        for (const char *p = name; *p; p++)
                if (ascii_is_control(*p))
                        return false;
        return true;
}

int image_check_name(const char *name, Error *reterr) {
        if (image_name_is_valid(name))
                return 0;
        _cleanup_free_ char *shown = str_escape_for_display(strempty(name));
        int r = error_set(reterr, -EINVAL, ERROR_INVALID_NAME, "Invalid image name '%.80s'",
                          strempty(shown));
        error_hint(reterr,
                   "a name has no slash and no control characters, does not begin with "
                   "'.#', and is at most %u bytes long",
                   IMAGE_NAME_MAX);
        return r;
}

bool image_is_hidden(const Image *i) {
        return i->name[0] == '.';
}

bool image_is_tree(const Image *i) {
        return IN_SET(i->kind, IMAGE_DIRECTORY, IMAGE_SUBVOLUME);
}

/* ---- one image ---- */

static int image_new(const char *name, const char *entry, const char *path, const struct stat *st,
                     ImageKind kind, Image **ret) {
        _cleanup_(image_freep) Image *i = new0(Image, 1);
        struct stat link;
        if (!i || free_and_strdup(&i->name, name) < 0 || free_and_strdup(&i->entry, entry) < 0 ||
            free_and_strdup(&i->path, path) < 0)
                return -ENOMEM;
        i->st = *st;
        i->kind = kind == IMAGE_DIRECTORY && btrfs_is_subvolume(path, st) ? IMAGE_SUBVOLUME : kind;
        i->link = lstat(entry, &link) == 0 && S_ISLNK(link.st_mode);
        i->versioned = !streq(entry, path);
        i->vendor = path_startswith(entry, "/usr") != NULL;
        i->usage = i->usage_exclusive = i->limit = i->limit_exclusive = IMAGE_SIZE_UNKNOWN;
        *ret = TAKE_PTR(i);
        return 1;
}

/* 1, 0: it is not of this form, or a negative errno. */
static int try_form(const char *place, const char *name, const struct Form *form, Image **ret) {
        _cleanup_free_ char *entry = strjoin(place, "/", name, form->suffix), *picked = NULL,
                            *path = NULL;
        struct stat st;
        if (!entry)
                return -ENOMEM;
        if (!form->suffix[0] && (endswith(name, ".v") || endswith(name, ".mstack")))
                return 0; /* is of another form, under a shorter name */
        if (stat(entry, &st) < 0)
                return IN_SET(errno, ENOENT, ENOTDIR) ? 0 : -errno;
        if (!form->version)
                return (st.st_mode & S_IFMT) != form->type
                               ? 0
                               : image_new(name, entry, entry, &st, form->kind, ret);
        int r = version_pick(entry, name, form->version, form->type, &picked);
        if (IN_SET(r, -ENOENT, -ENOTDIR))
                return 0;
        if (r < 0)
                return r;
        path = path_join(entry, picked);
        if (!path)
                return -ENOMEM;
        if (stat(path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        return image_new(name, entry, path, &st, form->kind, ret);
}

/* What is at NAME itself when that is no image: a reason to go no further. */
static int check_other(const char *place, const char *name, Error *reterr) {
        _cleanup_free_ char *path = strjoin(place, "/", name);
        struct stat st, link;
        if (!path)
                return error_oom(reterr);
        if (lstat(path, &link) < 0)
                return 0;
        if (stat(path, &st) < 0)
                return error_set_errno(reterr, -errno, ERROR_ROOT_NOT_FOUND,
                                       "Image '%s' is a symbolic link that leads nowhere", path);
        if (S_ISDIR(st.st_mode))
                return 0;
        int r = error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                          "'%s' is neither a directory nor a disk image", path);
        error_hint(reterr, "the names of disk images end with '.raw'");
        return r;
}

/* 1, 0: there is none in this place, or an Error. */
static int lookup_in_place(const char *place, const char *name, Image **ret, Error *reterr) {
        for (size_t i = 0; i < ELEMENTSOF(forms); i++) {
                int r = try_form(place, name, forms + i, ret);
                if (r == -ENOMEM)
                        return error_oom(reterr);
                if (r < 0)
                        return error_set_errno(
                                reterr, r, r == -EACCES ? ERROR_NO_PRIVILEGES : ERROR_FAILED,
                                "'%s' cannot be searched for image '%s'", place, name);
                if (r > 0)
                        return 1;
        }
        return check_other(place, name, reterr);
}

int image_lookup(char *const *places, const char *name, Image **ret, Error *reterr) {
        int r = image_check_name(name, reterr);
        if (!places)
                places = image_places;
        STRV_FOREACH(place, places) {
                if (r == 0)
                        r = lookup_in_place(*place, name, ret, reterr);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        if (r < 0)
                return r;
        _cleanup_free_ char *list = strv_join(places, ", ");
        return error_set(reterr, -ENOENT, ERROR_ROOT_NOT_FOUND, "There is no image '%s' in %s",
                         name, strempty(list));
}

int image_at_path(const char *path, Image **ret, Error *reterr) {
        _cleanup_free_ char *place = NULL, *name = NULL;
        const char *last = path_last_component(path);
        if (path_extract_directory(path, &place) < 0)
                return error_oom(reterr);
        for (size_t i = ELEMENTSOF(forms); i-- > 0;) {
                const char *end = endswith(last, forms[i].suffix);
                if (!end || end == last)
                        continue;
                free(name);
                name = strndup(last, (size_t) (end - last));
                if (!name)
                        return error_oom(reterr);
                int r = try_form(place, name, forms + i, ret);
                if (r != 0)
                        return r > 0 ? 0
                                     : error_set_errno(reterr, r, ERROR_FAILED,
                                                       "'%s' cannot be looked at", path);
        }
        return error_set(reterr, -ENOENT, ERROR_ROOT_NOT_FOUND, "'%s' is no image", path);
}

/* ---- all images ---- */

/* The names that an entry may give to images; which of them are some is found out by looking them up. */
static int add_names(const char *entry, bool hidden, char ***names) {
        for (size_t i = 0; i < ELEMENTSOF(forms); i++) {
                const char *end = endswith(entry, forms[i].suffix);
                if (!end || (i > 0 && streq(forms[i].suffix, forms[i - 1].suffix)))
                        continue;
                _cleanup_free_ char *name = strndup(entry, (size_t) (end - entry));
                if (!name)
                        return -ENOMEM;
                if (image_name_is_valid(name) && (hidden || name[0] != '.') &&
                    strv_consume(names, TAKE_PTR(name)) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static int compare_images(const void *a, const void *b) {
        return strcmp((*(Image *const *) a)->name, (*(Image *const *) b)->name);
}

static bool list_has(const ImageList *l, size_t n_sorted, const char *name) {
        Image key = { .name = (char *) name };
        const Image *at = &key;
        return n_sorted > 0 && bsearch(&at, l->images, n_sorted, sizeof(Image *), compare_images);
}

static int list_place(const char *place, bool hidden, ImageList *l) {
        _cleanup_strv_free_ char **names = NULL;
        const size_t n_before = l->n;
        int r = 0;
        DIR *d = opendir(place);
        if (!d)
                return 0; /* a place that is not there, or that this user may not see, holds nothing for him */
        unsigned n = 0;
        for (struct dirent *e = readdir(d); e && r >= 0 && n < ENTRIES_MAX; e = readdir(d), n++)
                r = add_names(e->d_name, hidden, &names);
        (void) closedir(d); /* was only read */
        if (r < 0)
                return r;
        if (names)
                qsort(names, strv_length(names), sizeof(char *), compare_names);
        STRV_FOREACH(name, names) {
                Image *i;
                if ((name > names && streq(name[0], name[-1])) || l->n >= IMAGES_MAX ||
                    list_has(l, n_before, *name) || lookup_in_place(place, *name, &i, NULL) <= 0)
                        continue;
                Image **at = ARRAY_APPEND(l->images, l->n);
                if (!at) {
                        image_free(i);
                        return -ENOMEM;
                }
                *at = i;
        }
        if (l->n > 0)
                qsort(l->images, l->n, sizeof(Image *), compare_images);
        return 0;
}

int image_enumerate(char *const *places, bool hidden, ImageList *ret, Error *reterr) {
        _cleanup_(image_list_done) ImageList l = { 0 };
        STRV_FOREACH(place, places ?: image_places)
                if (list_place(*place, hidden, &l) < 0)
                        return error_oom(reterr);
        *ret = l;
        l = (ImageList){ 0 };
        return 0;
}
