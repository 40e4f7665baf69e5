/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* placeholder: no filter yet */
#include "spec/seccomp-compile.h"

int seccomp_compile(const ContainerSpec *spec, const char *cache_directory, int *ret_fd,
                    Error *reterr) {
        *ret_fd = -EBADF;
        return 0;
}
