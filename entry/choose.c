// SPDX-License-Identifier: Apache-2.0
// Which jail a process of a tenant belongs in, by the state files of jails.
#define _GNU_SOURCE
#include "entry.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

/* How long the home of the site KEY is, if PATH is in it; 0 otherwise, and for a jail that was removed meanwhile. */
static int match_home(const char *instance, const char *key, const char *path, size_t *length, struct failure *f)
{
	struct choice choice;

	*length = 0;
	if ((size_t)snprintf(choice.key, sizeof(choice.key), "%s", key) >= sizeof(choice.key))
		return 0;
	if (find_jail(instance, &choice, f) < 0)
		return -1;
	if (!choice.key[0] || !choice.jail.home)
		return 0;
	*length = strlen(choice.jail.home);
	if (strncmp(path, choice.jail.home, *length) || (path[*length] && path[*length] != '/'))
		*length = 0;
	return 0;
}

int find_jailed_site(const char *instance, const char *uid, const char *path, char *site, size_t size, struct failure *f)
{
	const char *const names[] = { instance, "jail", "tenants", NULL };
	int fd = open_run(names, O_RDONLY | O_DIRECTORY, S_IFDIR), failed = 0;
	size_t prefix = strlen(uid), longest = 0, length;
	DIR *states = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *each;

	site[0] = '\0';
	if (!states) {
		failed = errno == ENOENT && fd < 0 ? 0 : fail(f, "the states of jails cannot be read: %s", reason_of(errno));
		close_if_open(fd);
		return failed;
	}
	while (!failed && (errno = 0, (each = readdir(states)) != NULL)) {
		const char *name = each->d_name + prefix + 1;

		if (strncmp(each->d_name, uid, prefix) || each->d_name[prefix] != '-' || !is_site(name))
			continue;
		failed = match_home(instance, each->d_name, path, &length, f);
		if (length > longest && (size_t)snprintf(site, size, "%s", name) < size)
			longest = length;
	}
	if (!failed && errno)
		failed = fail(f, "the states of jails cannot be read: %s", strerror(errno));
	(void)closedir(states);
	return failed;
}
