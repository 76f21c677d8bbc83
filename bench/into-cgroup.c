// SPDX-License-Identifier: Apache-2.0
/*
 * Runs a command in a cgroup, in one of two ways: `move` writes itself into cgroup.procs and becomes the command; `clone`
 * starts it there by clone3() and waits for it.
 *
 *     into-cgroup move|clone CGROUP COMMAND...
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int move(int cgroup)
{
	int fd = openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, "0", 1) != 1 ? -1 : 0;
}

static pid_t start(int cgroup)
{
	struct clone_args arguments = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)cgroup };

	return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

int main(int argc, char **argv)
{
	int cgroup, status = 1;
	pid_t child = 0;

	if (argc < 4)
		return 2;
	cgroup = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0)
		return 1;
	if (!strcmp(argv[1], "move") ? move(cgroup) : (child = start(cgroup)) < 0) {
		perror(argv[1]);
		return 1;
	}
	if (child == 0) {
		(void)execvp(argv[3], argv + 3);
		_exit(127);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
