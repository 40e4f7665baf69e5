/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --template=: the root directory is made of another one with the first start. */
#pragma once

#include "cli/compile.h"

/* The template without links, and the directory that it is for: with a name alone, one in the pool. */
int template_resolve(RunRequest *q, SpecDraft *d, Error *reterr);
/* Where a directory that is to be made is, without links: 1; or 0: there is something, be it a link that leads nowhere. */
int template_place(const char *path, char **ret, Error *reterr);
/* When all is read: settings files may have named another root. */
int template_check(const RunRequest *q, const ContainerSpec *spec, Error *reterr);
/* Makes the directory, if it is missing. */
int template_use(const RunRequest *q, const ContainerSpec *spec, Error *reterr);
