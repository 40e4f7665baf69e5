/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a container's name to the image it starts from: in the search path of systemd-machined(8). */
#pragma once

#include "basic/error.h"

/* Searches the pool (image/image.h) for a directory, subvolume, disk image, block device or stack of layers, or directory of versions of those, of this name. The result
 * is an absolute path without symlinks; *ret_option (may be NULL) says what it is: "directory", "image" or
 * "mstack", as the options are called. ERROR_ROOT_NOT_FOUND says where was looked;
 * ERROR_NO_PRIVILEGES if a place could not be searched by this user. */
int image_find(const char *name, char **ret_path, const char **ret_option, Error *reterr);
/* All names of what image_find() finds, sorted, without hidden ones. Places that this user cannot read are left out. */
int image_list(char ***ret_names, Error *reterr);
/* The same with another search path, for tests. */
int image_find_in(char *const *places, const char *name, char **ret_path, const char **ret_option,
                  Error *reterr);
int image_list_in(char *const *places, char ***ret_names, Error *reterr);

/* "/srv/web/", "/srv/web.raw", "/srv/web.mstack" → "web": the default container name of a directory or disk image; what a name cannot hold is left out. "/" → the host name. */
int image_name_from_path(const char *path, char **ret, Error *reterr);
