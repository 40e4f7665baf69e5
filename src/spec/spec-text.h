/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The canonical text of a spec: settings-file grammar, one spelling, sections and keys in table order, defaults left out.
 * spec_text_parse(spec_text_print(s)) equals s, FIELD_INTERNAL fields included. Linked into the supervisor: libc only. */
#pragma once

#include "spec/spec.h"

int spec_text_print(const ContainerSpec *s, bool internal, char **ret);
/* Reads what spec_text_print() wrote; anything unknown is an error: both ends are ours. */
int spec_text_parse(const char *text, ContainerSpec **ret, Error *reterr);
