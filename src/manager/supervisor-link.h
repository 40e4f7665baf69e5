/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket: where supervisors connect and say HELLO. Only root may, whatever the socket's mode is. */
#pragma once

#include "manager/container.h"

int links_listen(Manager *m, Error *reterr); /* on m->listen_fd */
Link *link_free(Link *l);
int link_send(Link *l, ControlType type);
/* fd: the supervisor's end of a stream socket (borrowed). */
int link_attach(Link *l, int fd, bool history_only);
