// SPDX-License-Identifier: Apache-2.0
/*
 * bulkhead-landlock: runs a command under Landlock, in the jail that it is in, for the launcher.
 *
 *     bulkhead-landlock COMMAND [ARGUMENT]...
 *
 * Without a command it prints which version of Landlock the kernel has, 0 for none.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include "landlock.h"

static int fail(const char *command, const char *what)
{
	(void)fprintf(stderr, "bulkhead: Cannot start \"%s\" in its jail: %s: %s; run bulkhead apply\n", command, what,
		      strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	int abi, rules;

	if (argc < 2) {
		abi = landlock_abi();
		return printf("%d\n", abi < 0 ? 0 : abi) < 0;
	}
	rules = landlock_open();
	if (rules < 0 || landlock_enforce(rules))
		return fail(argv[1], "Landlock cannot be applied");
	(void)close(rules);
	(void)execv(argv[1], argv + 1);
	return fail(argv[1], "it cannot be executed");
}
