/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a spec's security settings to BPF bytes; names become numbers by libseccomp (opened on demand). Cached by digest, since even
 * opening the library costs more than reading the result. */
#pragma once

#include "spec/spec.h"

/* Returns a descriptor of the program (struct sock_filter array; a sealed memfd or a read-only cache file), or -EBADF in *ret_fd if
 * the spec wants no filter. cache_directory: "/run/berth/seccomp", NULL: no cache. The cache key covers the tables, filter words,
 * capabilities and architecture; not libseccomp's version: /run is new at each boot, and only names younger than the library matter. */
int seccomp_compile(const ContainerSpec *spec, const char *cache_directory, int *ret_fd,
                    Error *reterr);
/* Names and @groups that SystemCallFilter= takes, "~" in front allowed; for checks before compiling. Without libseccomp all are. */
bool seccomp_word_is_known(const char *word);

/* "NAME ACTION" lines for all system calls of the native architecture that libseccomp knows: allow, refuse, filter (socket), ignore. For the
 * manual and tests. Allocated. */
int seccomp_describe(const ContainerSpec *spec, char **ret, Error *reterr);
