/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Downloads of files by http and https. libcurl does it, which is opened on demand: so does a process in a sandbox, with a network. */
#pragma once

#include "basic/error.h"

#define HTTP_REDIRECTS_MAX 10
#define HTTP_RETRIES_MAX 4 /* of what was broken off, without a byte more in between */
#define HTTP_ATTEMPTS_MAX 100

/* What is to be downloaded, and where to. */
typedef struct HttpFile {
        const char *url; /* valid (basic/url.h) */
        int fd;          /* of an empty file, for writing */
        uint64_t size_max;
        unsigned seconds_max; /* that it may take in all; 0: as long as it takes */
        int progress_fd;      /* "0 BYTES TOTAL" lines; or -EBADF */
} HttpFile;

typedef struct Http {
        void *library, *handle;
        int root_fd; /* what of the host's files it needs, copied */
} Http;
#define HTTP_NULL \
        { .root_fd = -EBADF }

/* Opens the library, and makes the directory which is to be the root: needs the rights that http_get() shall not have. */
int http_open(Http *h, Error *reterr);
void http_done(Http *h);

/* 1: it is there, as long as the server says; 0: the server has no such file. What is broken off goes on from where it was, if the server can do that and the
 * file is still the same, else from its beginning. Redirections lead to http and https alone, and from https to https. */
int http_get(Http *h, const HttpFile *f, Error *reterr);
