/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of pam_bulkhead.so. */
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
/* Whether the account has a jail: 1, 0, or -1, with the reason, if that cannot be known. */
int find_jail(struct tenant *t);
/* Whether nobody could say which account it is. */
bool is_lookup_broken(const struct tenant *t);

/* pam-account.c: PAM_IGNORE, or PAM_PERM_DENIED for a jailed tenant of a service that cannot enter its jail. */
int admit_account(pam_handle_t *pamh, struct tenant *t);
/* Notes that the tenant's session has entered its jail. */
void keep_entered(pam_handle_t *pamh, const struct tenant *t);
/* Whether this process has one of the names; the last is NULL. */
bool has_process_name(const char *const *names);

#endif
