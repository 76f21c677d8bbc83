// SPDX-License-Identifier: Apache-2.0
/*
 * Lists that outlive a restart: accounts that must not run outside a jail are in /var/lib/INSTANCE/jailed, sites in jailed-sites
 * beside it.
 */
#define _GNU_SOURCE
#include "entry.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_SIZE (KEY_MAX + 1)

/* Whether a line of the list is the name or the uid: 1, 0, or -1 if it cannot be read. */
static int has_line(int fd, const char *user, const char *uid)
{
	char line[LINE_SIZE], block[4096];
	size_t length = 0;
	ssize_t got;

	while ((got = read(fd, block, sizeof(block))) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			if (block[i] != '\n') {
				if (length < sizeof(line) - 1)
					line[length] = block[i];
				length++;
				continue;
			}
			line[length < sizeof(line) ? length : 0] = '\0';
			if (line[0] && (!strcmp(line, user) || !strcmp(line, uid)))
				return 1;
			length = 0;
		}
	}
	return got < 0 ? -1 : 0;
}

static int open_list(int host, const char *instance, const char *list)
{
	const char *const names[] = { instance, list, NULL };
	int above = openat(host, "var/lib", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = above < 0 ? -1 : open_below(above, names, O_RDONLY, S_IFREG);
	int error = errno;

	close_if_open(above);
	errno = error;
	return fd;
}

int open_jailed(int host, const char *instance)
{
	return open_list(host, instance, "jailed");
}

/* Closes the list, too. */
static int is_listed(int fd, const char *user, const char *uid)
{
	int found = fd < 0 ? (errno == ENOENT ? 0 : -1) : has_line(fd, user, uid);
	int error = errno;

	close_if_open(fd);
	errno = error;
	return found;
}

int is_jailed(int host, const char *instance, const char *user, const char *uid)
{
	return is_listed(open_jailed(host, instance), user, uid);
}

int is_site_jailed(int host, const char *instance, const char *key)
{
	return is_listed(open_list(host, instance, "jailed-sites"), key, key);
}

int check_never_jailed(const char *instance, const char *uid, const char *site, struct failure *f)
{
	int host = open_host(), listed = is_jailed(host, instance, uid, uid), error;
	char key[KEY_MAX];

	if (!listed && site) {
		(void)snprintf(key, sizeof(key), "%s-%s", uid, site);
		listed = is_site_jailed(host, instance, key);
	}
	error = errno;
	close_if_open(host);
	if (listed < 0)
		return fail(f, "whether it has a jail cannot be read: %s", reason_of(error));
	return listed ? fail(f, "its jail is not there any more, or not yet; run bulkhead apply") : 0;
}
