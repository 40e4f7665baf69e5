/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a fuzz target over the files of the given directories: what -Dfuzz=true does not need, all other builds do. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "fuzz.h"

#define INPUT_MAX (4U << 20)

static int run_file(const char *directory, const char *name) {
        _cleanup_free_ char *path = path_join(directory, name), *bytes = NULL;
        size_t size;
        int r;

        r = path ? file_read_all(AT_FDCWD, path, INPUT_MAX, &bytes, &size) : -ENOMEM;
        if (r < 0) {
                fprintf(stderr, "'%s' cannot be read: %s\n", path, strerror(-r));
                return r;
        }
        /* A copy of exactly that size: AddressSanitizer sees the end. */
        uint8_t *copy = malloc(size > 0 ? size : 1);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, bytes, size);
        fprintf(stderr, "%s\n", path); /* the last one is the one that crashed */
        (void) LLVMFuzzerTestOneInput(copy, size);
        free(copy);
        return 0;
}

int main(int argc, char **argv) {
        unsigned n = 0;

        for (int i = 1; i < argc; i++) {
                DIR *d = argv[i][0] == '-' ? NULL : opendir(argv[i]); /* options are libFuzzer's */

                if (!d)
                        continue;
                for (struct dirent *entry; (entry = readdir(d));)
                        if (entry->d_name[0] != '.') {
                                if (run_file(argv[i], entry->d_name) < 0)
                                        return 1;
                                n++;
                        }
                (void) closedir(d);
        }
        printf("%u inputs\n", n);
        return n == 0; /* an empty corpus is a mistake */
}
