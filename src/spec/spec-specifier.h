/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Specifiers in settings: "%i" and the like, those of systemd.unit(5) that mean something for a container. Rows with
 * FIELD_SPECIFIERS take them, in NAME.berth, drop-ins and profiles; never in NAME.nspawn or on the command line, where
 * systemd-nspawn takes a percent sign as it is. */
#pragma once

#include "basic/error.h"

/* Replaces all specifiers of a value. name: the container's. subject: "Bind= at /etc/berth/web.berth:7", for the error of an unknown
 * one. 0, or 1 with *ret_secret ("%m") and no text: it tells of the host, and the file is not trusted with that. */
int spec_specifiers_expand(const char *value, const char *name, bool trusted, const char *subject,
                           char **ret, char *ret_secret, Error *reterr);

/* The canonical text of a spec as a settings file: percent signs of rows that take specifiers are doubled. NULL: out of memory. */
char *spec_specifiers_escape_text(const char *text);
