// SPDX-License-Identifier: Apache-2.0
/*
 * enter INSTANCE KEY LANDLOCK COMMAND [ARGUMENT]...: enters a jail by the functions of entry/, as the launcher does after
 * it joined the cgroup, and with the caller's environment and descriptors. LANDLOCK is `yes`, or `no` for a look without it.
 */
#define _GNU_SOURCE
#include "../../entry/entry.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct confinement with = { .landlock = -1 };
	struct jail jail = { .filter = true };
	struct account account = { .home = "/", .shell = "/bin/sh" };
	struct failure why = { "" };

	if (argc < 5)
		return 2;
	jail.landlock = !strcmp(argv[3], "yes");
	account.uid = (uid_t)strtoul(argv[2], NULL, 10);
	account.gid = (gid_t)account.uid;
	if (!enter_vault(argv[1], &why) && !enter_jail(argv[1], argv[2], &jail, &with, &why) &&
	    !replace_standard(&why) && !become(&account, GAIN_NOTHING, &why) && !confine(&with, &why)) {
		(void)execvp(argv[4], argv + 4);
		(void)fprintf(stderr, "enter: %s: %s\n", argv[4], strerror(errno));
		return errno == ENOENT ? 127 : 126;
	}
	(void)fprintf(stderr, "enter: %s\n", why.text);
	return 1;
}
