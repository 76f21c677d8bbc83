// SPDX-License-Identifier: Apache-2.0
// Which jail a process of a tenant belongs in, by the state files of jails.
#define _GNU_SOURCE
#include "entry.h"
#include <errno.h>
#include <stdio.h>

/* Reads the state file of the jail KEY: 1, 0 if there is none, or -1. */
static int find_jail(const char *instance, struct choice *choice, struct failure *f)
{
	const char *const names[] = { instance, "jail", "tenants", choice->key, NULL };

	if (!read_run(names, choice->state, sizeof(choice->state)))
		return parse_jail(choice->state, &choice->jail, f) ? -1 : 1;
	if (errno == ENOENT)
		return 0;
	return fail(f, "its state cannot be read: %s; run bulkhead apply", reason_of(errno));
}

int choose_jail(const char *instance, uid_t uid, const char *site, struct choice *choice, struct failure *f)
{
	int found = 0;

	choice->is_of_site = false;
	if (site) {
		(void)snprintf(choice->key, sizeof(choice->key), "%u-%s", uid, site);
		found = find_jail(instance, choice, f);
		choice->is_of_site = found > 0;
	}
	if (!found) {
		(void)snprintf(choice->key, sizeof(choice->key), "%u", uid);
		found = find_jail(instance, choice, f);
	}
	if (!found)
		choice->key[0] = '\0';
	return found < 0 ? -1 : 0;
}

int need_built(const struct jail *jail, struct failure *f)
{
	if (jail->state == JAIL_READY)
		return 0;
	if (jail->state == JAIL_FAILED)
		return fail(f, "it could not be built: %s; when that is done, run bulkhead apply",
			    jail->why ? jail->why : "bulkhead jail status says why");
	return fail(f, "it is not built yet; run bulkhead apply");
}
