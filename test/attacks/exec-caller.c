// SPDX-License-Identifier: Apache-2.0
/*
 * Careless callers of the launcher, each as root:
 *
 *     exec-caller descriptors COUNT FILE PROGRAM ARGS…   with this many open: files, directories, pipes, sockets
 *     exec-caller closed PROGRAM ARGS…                   without input, output for errors, and with output as 1
 *     exec-caller large VARIABLES ARGUMENTS PROGRAM ARGS…   with this many KiB of each, in addition
 *     exec-caller nameless PROGRAM                       without arguments, not even a name
 *     exec-caller key PROGRAM ARGS…                      with a key in the keyring of its session
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

#define PIECE 65536
#define KIND_COUNT 5

static void need(int condition, const char *what)
{
	if (condition)
		return;
	perror(what);
	exit(99);
}

static void raise_limit(int which, rlim_t to)
{
	const struct rlimit limit = { .rlim_cur = to, .rlim_max = to };

	need(!setrlimit((__rlimit_resource_t)which, &limit), "setrlimit");
}

/* What root may have open: none of it is marked to be closed. */
static void open_descriptors(int count, const char *file)
{
	int ends[2];

	raise_limit(RLIMIT_NOFILE, (rlim_t)count + 100);
	for (int made = 0; made < count; made++) {
		int fd = -1;

		switch (made % KIND_COUNT) {
		case 0:
			fd = open(file, O_RDWR);
			break;
		case 1:
			fd = open("/", O_RDONLY | O_DIRECTORY);
			break;
		case 2:
			fd = open("/root", O_PATH | O_DIRECTORY);
			break;
		case 3:
			fd = open(file, O_PATH);
			break;
		default:
			if (made % 2)
				need(!pipe(ends), "pipe");
			else
				need(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
			fd = ends[0];
			need(close(ends[1]) == 0, "close");
			break;
		}
		need(fd >= 0, "open");
	}
}

static char **lengthened(char **list, long kib, const char *start)
{
	size_t count = 0, more = (size_t)kib * 1024 / PIECE, at;
	char **made;

	while (list[count])
		count++;
	made = calloc(count + more + 1, sizeof(*made));
	need(made != NULL, "calloc");
	memcpy(made, list, count * sizeof(*made));
	for (at = count; at < count + more; at++) {
		made[at] = malloc(PIECE);
		need(made[at] != NULL, "malloc");
		memset(made[at], 'x', PIECE - 1);
		made[at][PIECE - 1] = '\0';
		/* No two variables have one name. */
		need(snprintf(made[at], PIECE, start, (int)(at - count)) > 0, "snprintf");
		made[at][strlen(made[at])] = '=';
	}
	return made;
}

int main(int argc, char **argv)
{
	const char *how = argc > 2 ? argv[1] : "";

	if (!strcmp(how, "descriptors") && argc > 4) {
		open_descriptors(atoi(argv[2]), argv[3]);
		execv(argv[4], argv + 4);
	} else if (!strcmp(how, "closed")) {
		need(!close(STDIN_FILENO) && !close(STDERR_FILENO), "close");
		execv(argv[2], argv + 2);
	} else if (!strcmp(how, "large") && argc > 4) {
		raise_limit(RLIMIT_STACK, 64U << 20);
		execve(argv[4], lengthened(argv + 4, atol(argv[3]), "argument%d"),
		       lengthened(environ, atol(argv[2]), "LARGE_%d"));
	} else if (!strcmp(how, "key")) {
		need(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0, "keyctl");
		need(syscall(SYS_add_key, "user", "bulkhead-key", "x", 1, KEY_SPEC_SESSION_KEYRING) >= 0, "add_key");
		execv(argv[2], argv + 2);
	} else if (!strcmp(how, "nameless")) {
		execve(argv[2], (char *[]){ NULL }, environ);
	}
	perror(how);
	return 99;
}
