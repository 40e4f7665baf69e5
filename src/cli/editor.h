/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user's editor: the one program of the host that berth runs, because its user asked for it. */
#pragma once

#include "basic/error.h"

/* Has the user edit a file; returns when the editor has ended well. $SYSTEMD_EDITOR, $EDITOR, $VISUAL, else editor(1), nano(1), vim(1) or
 * vi(1). Without a terminal only $SYSTEMD_EDITOR is taken. */
int editor_run(const char *path, Error *reterr);
