/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls of libarchive(3), for archive.c and archive-write.c. Its headers are not needed: what is used of it has been the same since
 * version 3.0. */
#pragma once

#include <dlfcn.h>
#include <sys/types.h>

#include "archive/archive.h"

#define RESULT_EOF 1
#define RESULT_WARN (-20) /* it can go on */

/* Functions by their return values and arguments: h the archive, e an entry, s a string, i an int, l an int64_t, p a pointer. */
typedef void *(*Fn_p)(void);
typedef void *(*Fn_p_h)(void *);
typedef int (*Fn_i_h)(void *);
typedef int (*Fn_i_hi)(void *, int);
typedef int (*Fn_i_hp)(void *, void *);
typedef int (*Fn_i_hppp)(void *, const void **, size_t *, int64_t *);
typedef const char *(*Fn_s_h)(void *);
typedef int64_t (*Fn_l_h)(void *);
typedef long (*Fn_long_h)(void *);
typedef unsigned (*Fn_u_h)(void *);
typedef ssize_t (*Fn_z_hpz)(void *, const void *, size_t);
typedef void (*Fn_v_h)(void *);
typedef void (*Fn_v_hs)(void *, const char *);
typedef void (*Fn_v_hu)(void *, unsigned);
typedef void (*Fn_v_hl)(void *, int64_t);
typedef void (*Fn_v_hll)(void *, int64_t, long);
typedef void (*Fn_v_hspz)(void *, const char *, const void *, size_t);
typedef int (*Fn_i_hiiiis)(void *, int, int, int, int, const char *);
typedef int (*Fn_i_hipppps)(void *, int, int *, int *, int *, int *, const char **);
typedef int64_t (*Fn_l_hi)(void *, int);
typedef ssize_t (*Fn_z_hpz_read)(void *, void *, size_t);
typedef void (*Fn_v_his)(void *, int, const char *, ...);
/* What opens, reads or writes, and closes: none, the second, none. */
typedef ssize_t ArchiveRead(void *handle, void *userdata, const void **ret_block);
typedef ssize_t ArchiveWrite(void *handle, void *userdata, const void *bytes, size_t n);
typedef int (*Fn_i_hp_read)(void *, void *, void *, ArchiveRead *, void *);
typedef int (*Fn_i_hp_write)(void *, void *, void *, ArchiveWrite *, void *);
typedef int (*Fn_i_hspz)(void *, const char **, const void **, size_t *);

/* archive_open_library() has seen to it that it is there. */
#define CALL(a, type, name) ((type) dlsym((a)->library, name))

/* Access lists: between their form in archives and that of extended attributes (xattr(7), acl(5)). get: 1 and *ret (allocated), 0: there is none. set: -EBADMSG. */
int archive_acl_get(const Archive *a, void *entry, bool of_default, void **ret, size_t *ret_size);
int archive_acl_set(const Archive *a, void *entry, bool of_default, const void *value, size_t size);

/* Opens for reading what is in fd, in these formats. */
int archive_open_reader(Archive *a, int fd, const char *const *formats, size_t n, Error *reterr);
int archive_add_filter(Archive *a, Error *reterr);
/* Opens for writing, when the format and the filter are set. The library's result. */
int archive_open_writer(Archive *a, int fd);
/* "Reading the archive failed: …", in the kernel's words or the library's, with a hint. */
int archive_library_failed(const Archive *a, const char *what, Error *reterr);
