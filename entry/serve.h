/* SPDX-License-Identifier: Apache-2.0 */
/* A tenant's application behind a socket of systemd: serve.c, and its variables: variables.c. */
#ifndef BULKHEAD_SERVE_H
#define BULKHEAD_SERVE_H

#include "entry.h"

struct service {
	const char *name;	 /* NULL: the command is no application */
	const char *environment; /* a file with variables, or NULL */
	unsigned int idle_seconds; /* 0: it is never stopped for that */
	unsigned int ready_seconds; /* in which it has to listen; 0: READY_MILLISECONDS */
	unsigned int end_seconds;  /* before it is killed once it was asked to end; 0: STOP_MILLISECONDS */
	bool takes_descriptor;	 /* rather than a path in PORT */
	bool takes_tcp;		 /* a TCP port in PORT, in a network of its own */
	bool is_private;	 /* only processes of this account are served */
};

/* Whether it is a name that a path can have as its last part: lower-case letters, digits and dashes. */
bool is_application(const char *name);

/* Runs the command, with these variables, until it ends, is idle, or this process gets SIGTERM. */
__attribute__((noreturn)) void serve(const struct service *service, char **command, const struct environment *e);

/* variables.c */

/* Whether it is a regular file; SIZE, which may be NULL, becomes its size. */
bool is_file(int fd, unsigned long long *size);

#define VARIABLES_MAX 512

struct variables {
	char *list[VARIABLES_MAX + 1];
	size_t count;
};

/* Copies LIST, and adds what the file PATH sets, if it is not NULL. Lines that are not understood are reported. */
void start_variables(struct variables *all, char **list, const char *path);
void put_variable(struct variables *all, const char *name, const char *value);

#endif
