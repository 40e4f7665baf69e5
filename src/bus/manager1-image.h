/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Client of berthd: images. What is done may take long: these wait for as long as it does, and what is given up is given up there, too. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"
#include "basic/time.h"

typedef struct ImageInfo {
        char *name, *type, *path; /* harmless on terminals */
        bool read_only;
        usec_t birth_usec, modified_usec;                        /* 0: not known */
        uint64_t usage, usage_exclusive, limit, limit_exclusive; /* UINT64_MAX: not known, none */
} ImageInfo;
void image_info_done(ImageInfo *i);

typedef struct ImageInfoList {
        ImageInfo *infos;
        size_t n;
} ImageInfoList;
void image_info_list_done(ImageInfoList *l);

/* Hidden ones too; sorted by name. */
int manager1_list_images(sd_bus *bus, ImageInfoList *ret, Error *reterr);
int manager1_describe_image(sd_bus *bus, const char *name, ImageInfo *ret, Error *reterr);
int manager1_measure_image(sd_bus *bus, const char *name, uint64_t *ret_files, uint64_t *ret_bytes,
                           uint64_t *ret_disk, Error *reterr);
/* What it says of itself; NULL or "" where it does not. The operating system's PRETTY_NAME. */
typedef struct ImageIdentity {
        char *hostname, *os, *id;
} ImageIdentity;
void image_identity_done(ImageIdentity *i);
int manager1_identify_image(sd_bus *bus, const char *name, ImageIdentity *ret, Error *reterr);

/* progress_fd: a pipe for lines "FILES BYTES", closed here; -EBADF: none. */
int manager1_clone_image(sd_bus *bus, const char *name, const char *new_name, bool read_only,
                         int progress_fd, Error *reterr);
int manager1_rename_image(sd_bus *bus, const char *name, const char *new_name, Error *reterr);
int manager1_remove_image(sd_bus *bus, const char *name, Error *reterr);
int manager1_mark_image(sd_bus *bus, const char *name, bool read_only, Error *reterr);
/* name NULL: of the pool; UINT64_MAX: none */
int manager1_limit_image(sd_bus *bus, const char *name, uint64_t bytes, Error *reterr);
typedef int (*ImageRemoved)(const char *name, uint64_t bytes, void *userdata);
int manager1_clean_pool(sd_bus *bus, bool all, ImageRemoved removed, void *userdata, Error *reterr);

/* ---- snapshots ---- */

typedef struct SnapshotInfo {
        char *image, *name, *type, *path; /* harmless on terminals */
        bool named;                       /* by somebody */
        usec_t taken_usec;
        uint64_t usage; /* UINT64_MAX: not known */
} SnapshotInfo;

typedef struct SnapshotInfoList {
        SnapshotInfo *infos;
        size_t n;
} SnapshotInfoList;
void snapshot_info_list_done(SnapshotInfoList *l);

/* name "": of all images; each image's the oldest first */
int manager1_list_snapshots(sd_bus *bus, const char *name, SnapshotInfoList *ret, Error *reterr);
/* as (may be NULL): its name; progress_fd as above; *ret_name (allocated): its name */
int manager1_create_snapshot(sd_bus *bus, const char *name, const char *as, bool force,
                             int progress_fd, char **ret_name, Error *reterr);
/* *ret_kept (allocated): the name of what was kept */
int manager1_roll_back_image(sd_bus *bus, const char *name, const char *snapshot, int progress_fd,
                             char **ret_kept, Error *reterr);
int manager1_remove_snapshot(sd_bus *bus, const char *name, const char *snapshot, Error *reterr);
int manager1_prune_snapshots(sd_bus *bus, const char *name, uint64_t keep, usec_t max_age_usec,
                             ImageRemoved removed, void *userdata, Error *reterr);
/* snapshot NULL: the newest. change: A, M, D; kind: d, f, l, …; path: harmless on terminals */
typedef int (*SnapshotChanged)(char change, char kind, const char *path, void *userdata);
/* by_file: where descriptors can be passed; else only some thousand changes can be listed. */
int manager1_compare_snapshot(sd_bus *bus, const char *name, const char *snapshot, bool by_file,
                              SnapshotChanged changed, void *userdata, Error *reterr);
/* What OpenSnapshotChanges has returned. -EBADMSG: it is no such file, or not sealed; what `changed` has returned. */
int snapshot_changes_read(int fd, SnapshotChanged changed, void *userdata);
