// SPDX-License-Identifier: Apache-2.0
/*
 * The least that a program before suexec can cost: it writes itself into a tenant's cgroups and becomes suexec, without a
 * check of anything. Setuid root, as suexec wants its caller to be another user than root.
 *
 * Compiled with SUEXEC, the path of suexec, and FILES, the paths of the files to write, as C strings.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static const char *const files[] = { FILES, NULL };
	uid_t caller = getuid();

	(void)argc;
	if (setresuid(0, 0, 0))
		return 1;
	for (const char *const *each = files; *each; each++) {
		int fd = open(*each, O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, "0", 1) != 1)
			return 1;
		(void)close(fd);
	}
	if (setresuid(caller, 0, 0))
		return 1;
	(void)execv(SUEXEC, argv);
	return 1;
}
