/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Error → terminal or journal, and the exit status of the program. */
#include "cli/complain.h"

#include "basic/log.h"

int complain(Error *e, ExitConvention convention) {
        if (!error_is_set(e)) /* a bug, but never a silent one */
                (void) error_set(e, -EINVAL, ERROR_FAILED, "An unknown error occurred");
        log_error_object(LOG_ERR, e);

        int status = error_id_to_exit_status(e->id);
        if (convention == EXIT_OF_VERB && status != 2)
                status = 1;
        error_done(e);
        return status;
}
