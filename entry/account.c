// SPDX-License-Identifier: Apache-2.0
// The account of a tenant, as the host's name service knows it.
#define _GNU_SOURCE
#include "entry.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX (1U << 20)
#define GROUPS_MAX 65536

/* The account of a name, or of UID where that is not 0; 1 if there is none, -1 if nobody could tell. */
static int look_up(const char *name, uid_t uid, struct passwd *account)
{
	for (size_t size = 4096; size <= TEXT_MAX; size *= 4) {
		struct passwd *found = NULL;
		char *text = malloc(size);
		int error;

		if (!text)
			return -1;
		error = uid ? getpwuid_r(uid, account, text, size, &found) : getpwnam_r(name, account, text, size, &found);
		if (found)
			return 0;
		free(text);
		if (error != ERANGE) {
			/* Some services say by these that there is none. Source: getpwnam_r(3). */
			errno = error;
			return !error || error == ENOENT || error == ESRCH ? 1 : -1;
		}
	}
	errno = ERANGE;
	return -1;
}

int find_groups(struct account *account, struct failure *f)
{
	int count = 64;

	while (count <= GROUPS_MAX) {
		int room = count;
		gid_t *groups = calloc((size_t)room, sizeof(*groups));

		if (!groups)
			return fail(f, "Cannot look up the groups of \"%s\": %s", account->name, strerror(errno));
		if (getgrouplist(account->name, account->gid, groups, &count) >= 0) {
			account->groups = groups;
			account->group_count = (size_t)count;
			return 0;
		}
		free(groups);
		if (count <= room)
			count = room * 2;
	}
	return fail(f, "Cannot look up the groups of \"%s\": it has too many", account->name);
}

static int check_uid(const char *tenant, uid_t uid, struct failure *f)
{
	if (uid != 0 && uid != (uid_t)-1)
		return 0;
	return fail(f, "\"%s\" is not a tenant: uid \"%u\" never is", tenant, uid);
}

int find_account(const char *tenant, struct account *account, struct failure *f)
{
	bool is_number = tenant[strspn(tenant, "0123456789")] == '\0';
	unsigned long long number = 0;
	struct passwd found;
	int answer;

	memset(account, 0, sizeof(*account));
	if (!is_account_name(tenant))
		return fail(f, "The name given is not a tenant: no account can have it; see bulkhead status");
	if (is_number && tenant[0] == '0')
		return fail(f, "\"%s\" is not a tenant: uid \"%s\" never is", tenant, tenant);
	if (is_number && !parse_number(tenant, '\0', UINT_MAX - 1, &number))
		return fail(f, "\"%s\" is not a tenant: there is no such uid; see bulkhead status", tenant);
	answer = look_up(tenant, (uid_t)number, &found);
	if (answer < 0)
		return fail(f, "Cannot look up the account \"%s\": %s", tenant, strerror(errno));
	if (answer > 0 && !is_number)
		return fail(f, "\"%s\" is not a tenant: there is no such account; see bulkhead status", tenant);
	if (answer > 0) {
		account->uid = (uid_t)number;
		account->gid = (gid_t)number;
		account->home = "/";
		account->shell = "/bin/sh";
		(void)snprintf(account->name, sizeof(account->name), "%s", tenant);
		return 0;
	}
	account->uid = found.pw_uid;
	account->gid = found.pw_gid;
	account->home = found.pw_dir;
	account->shell = found.pw_shell[0] ? found.pw_shell : "/bin/sh";
	if ((size_t)snprintf(account->name, sizeof(account->name), "%s", found.pw_name) >= sizeof(account->name))
		return fail(f, "\"%.60s\" is not a tenant: its name is too long", tenant);
	if (check_uid(tenant, account->uid, f))
		return -1;
	return find_groups(account, f);
}

bool is_stopped(const char *instance, uid_t uid, bool unknown)
{
	char path[PATH_SIZE];
	int found;

	(void)snprintf(path, sizeof(path), "/var/lib/%s/stopped/%u", instance, uid);
	found = exists(AT_FDCWD, path);
	return found < 0 ? unknown : found == 1;
}
