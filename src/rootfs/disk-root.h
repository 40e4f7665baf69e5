/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The root that is on a disk image: its mounts come to the supervisor as one detached tree. */
#pragma once

#include "basic/error.h"
#include "spec/spec.h"

/* Attaches it where nothing else is (DISK_MOUNT_POINT); from then on it is a directory like any other. *ret_fd: O_PATH of its root. When the
 * container starts anew, in a copy of the mount namespace, it is there already. */
int disk_root_open(const ContainerSpec *spec, int *ret_fd, Error *reterr);
/* A layer over the root hides what is mounted below that: each gets a layer of its own, in its place. directory_fd is the image's root, layer_fd the
 * root of the layer over it; attributes and userns_fd (or -EBADF) are for the lower mounts. */
int disk_root_layers(int directory_fd, int layer_fd, uint64_t attributes, int userns_fd,
                     bool read_only, Error *reterr);
