/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A session in the container. */
#include "worker/program.h"

int operation_session(Worker *w, Error *reterr) {
        return operation_exec(w, reterr);
}
