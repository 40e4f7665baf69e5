/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The root directory of downloads. */
#pragma once

#include "basic/error.h"

#define HTTP_CERTIFICATES \
        "certificates.pem" /* of authorities, in it; not there: the host has none */

/* In memory, with what names are resolved with, and the certificates that $CURL_CA_BUNDLE or $SSL_CERT_FILE names, else the host's: a variable that names no
 * file is an error. *ret: a new descriptor of the directory. */
int http_make_root(int *ret, Error *reterr);
