// SPDX-License-Identifier: Apache-2.0
/*
 * Sees directories as a tenant does. php-fpm checks a configuration under a uid that no account has, but the master will
 * run as the tenant.
 *
 * The real and the saved uid stay root's. So no tenant can signal, trace or stop this process, which starts nothing, and
 * strict placement allows it.
 */
#define _GNU_SOURCE
#include "entry.h"
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

int look_as(struct account *account, const char *instance, const char *key, struct failure *f)
{
	const struct jail no_confinement = { .state = JAIL_READY };
	struct failure why = { "" };
	struct confinement with;

	if (find_groups(account, f))
		return -1;
	if (key[0] && (enter_vault(instance, &why) || enter_jail(instance, key, &no_confinement, &with, &why)))
		return fail(f, "its jail cannot be entered: %s", why.text);
	if (setgroups(account->group_count, account->groups) || setegid(account->gid) || seteuid(account->uid))
		return fail(f, "cannot look as uid %u: %s", account->uid, strerror(errno));
	if (geteuid() != account->uid || getuid() != 0)
		return fail(f, "cannot look as uid %u", account->uid);
	return 0;
}
