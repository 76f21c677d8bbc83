/* SPDX-License-Identifier: Apache-2.0 */
/* The two parts of pam_bulkhead.so. */
#ifndef BULKHEAD_PAM_H
#define BULKHEAD_PAM_H

#include "entry.h"
#include <security/pam_modules.h>

#define STATE_SIZE 4096

/* Whose session is opened. */
struct tenant {
	const char *instance, *user, *service;
	uid_t number;
	char uid[16]; /* the same as text; empty where nobody could tell */
	char state[STATE_SIZE];
	struct failure why; /* it was refused */
};

/* pam-jail.c: PAM_SUCCESS inside, PAM_IGNORE for an account without a jail. */
int open_jail(pam_handle_t *pamh, int flags, struct tenant *t);
/* Whether nobody could say which account it is. */
bool is_lookup_broken(const struct tenant *t);

#endif
