/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a spec's security settings to BPF bytes, by libseccomp (opened on demand), cached by digest: compiling takes tens of
 * milliseconds, a start must not. */
#pragma once

#include "spec/spec.h"

/* Returns a descriptor of the program (struct sock_filter array; a sealed memfd or a read-only cache file), or -EBADF in *ret_fd if
 * the spec wants no filter. cache_directory: "/run/berth/seccomp", NULL: no cache. The cache key covers everything the
 * program depends on: filter words, capabilities, architecture, format version, libseccomp's version. */
int seccomp_compile(const ContainerSpec *spec, const char *cache_directory, int *ret_fd,
                    Error *reterr);
/* Names and @groups that SystemCallFilter= takes; for checks before compiling. */
bool seccomp_word_is_known(const char *word);
