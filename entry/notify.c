// SPDX-License-Identifier: Apache-2.0
/*
 * Passes on what a service in a jail tells systemd of itself.
 *
 * The socket of systemd is not in the jail: process 1 reads it before all else, and whoever writes to it all the time
 * keeps the host from its work. So a process stays behind that listens in the jail and sends to systemd's socket. It
 * passes on what that very service says, without descriptors, a few times a second; what is too much waits, and whoever
 * sends it. It is in the cgroup of the tenant, whose limits hold for it, and ends with the service.
 */
#define _GNU_SOURCE
#include "entry.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* glibc before 2.31; the same number everywhere. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#define MESSAGE_MAX 4096
/* As many at once as a service says when it starts and ends; then one after each pause. */
#define AT_ONCE 20
#define PAUSE_MILLISECONDS 500
#define LAST_MAX 8
/* How many descriptors the process that passes on keeps. */
#define KEPT 3

/* What a service says of itself alone: not which process it is, and nothing that comes with descriptors. */
static const char *const accepted[] = { "READY=1",  "RELOADING=1", "STOPPING=1",	   "WATCHDOG=1",     "STATUS=",
					"ERRNO=",   "BUSERROR=",   "MONOTONIC_USEC=", "WATCHDOG_USEC=", "WATCHDOG=trigger",
					"EXTEND_TIMEOUT_USEC=", NULL };

struct relay {
	int from, to, main_fd;
	pid_t main;
	uid_t uid;
	struct sockaddr_un address;
	socklen_t length;
	int left;
};

static int is_accepted(const char *line, size_t length)
{
	for (const char *const *each = accepted; *each; each++) {
		size_t word = strlen(*each);
		int is_prefix = (*each)[word - 1] == '=';

		if (length >= word && !memcmp(line, *each, word) && (is_prefix || length == word))
			return 1;
	}
	return 0;
}

/* Copies the lines that are accepted; how many bytes. */
static size_t filter(const char *from, size_t length, char *to)
{
	size_t made = 0;

	while (length > 0) {
		const char *end = memchr(from, '\n', length);
		size_t line = end ? (size_t)(end - from) : length;

		if (is_accepted(from, line)) {
			memcpy(to + made, from, line);
			made += line;
			to[made++] = '\n';
		}
		from += line + (end != NULL);
		length -= line + (end != NULL);
	}
	return made;
}

/*
 * Sends it as PID, which root may claim. A PID that has ended and been waited for cannot be claimed (ESRCH): its last
 * words go out as this process's own, which systemd finds in the same unit.
 */
static void pass_on(const struct relay *r, char *text, size_t length)
{
	union {
		char space[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr aligned;
	} control = { .space = { 0 } };
	struct ucred who = { .pid = r->main, .uid = r->uid, .gid = getgid() };
	struct iovec data = { .iov_base = text, .iov_len = length };
	struct msghdr message = { .msg_name = (void *)(size_t)&r->address, .msg_namelen = r->length, .msg_iov = &data,
				  .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_CREDENTIALS;
	header->cmsg_len = CMSG_LEN(sizeof(who));
	memcpy(CMSG_DATA(header), &who, sizeof(who));
	if (sendmsg(r->to, &message, MSG_NOSIGNAL) >= 0 || errno != ESRCH)
		return;
	message.msg_control = NULL;
	message.msg_controllen = 0;
	(void)sendmsg(r->to, &message, MSG_NOSIGNAL);
}

/* Takes one message, if there is one: 1, or 0. Descriptors have no room, so the kernel closes them. */
static int take(struct relay *r)
{
	char text[MESSAGE_MAX], kept[MESSAGE_MAX + 1];
	union {
		char space[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr aligned;
	} control;
	struct iovec data = { .iov_base = text, .iov_len = sizeof(text) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.space,
				  .msg_controllen = sizeof(control.space) };
	ssize_t got = recvmsg(r->from, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *header = got < 0 ? NULL : CMSG_FIRSTHDR(&message);
	struct ucred who = { 0 };
	size_t length;

	if (got < 0)
		return errno == EINTR;
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS)
		memcpy(&who, CMSG_DATA(header), sizeof(who));
	if (who.pid != r->main || (message.msg_flags & MSG_TRUNC))
		return 1;
	length = filter(text, (size_t)got, kept);
	if (length > 0) {
		pass_on(r, kept, length);
		r->left--;
	}
	return 1;
}

/* Until the service has ended. */
static void listen_on(struct relay *r, const char *path)
{
	struct pollfd both[] = { { .fd = r->main_fd, .events = POLLIN }, { .fd = r->from, .events = POLLIN } };

	for (;;) {
		int count = poll(both, r->left > 0 ? 2 : 1, r->left < AT_ONCE ? PAUSE_MILLISECONDS : -1);

		if (count < 0 && errno != EINTR)
			break;
		if (count == 0 && r->left < AT_ONCE)
			r->left++;
		if (count > 0 && both[0].revents)
			break;
		if (count > 0 && both[1].revents)
			(void)take(r);
	}
	for (int last = 0; last < LAST_MAX && take(r); last++)
		;
	(void)unlink(path);
}

/* Nothing that the service was given stays open here: its three descriptors take the places of input and output. */
static void detach(struct relay *r)
{
	int *const kept[] = { &r->from, &r->to, &r->main_fd };

	for (int each = 0; each < KEPT; each++) {
		*kept[each] = fcntl(*kept[each], F_DUPFD, KEPT);
		if (*kept[each] < 0)
			_exit(1);
	}
	for (int each = 0; each < KEPT; each++)
		*kept[each] = dup2(*kept[each], each);
	if (close_from(KEPT))
		_exit(1);
	if (chdir("/"))
		_exit(1);
}

static int open_address(struct relay *r, const char *text)
{
	size_t length = strlen(text);

	if (length < 2 || length >= sizeof(r->address.sun_path) || (text[0] != '/' && text[0] != '@')) {
		errno = EINVAL;
		return -1;
	}
	r->address.sun_family = AF_UNIX;
	memcpy(r->address.sun_path, text, length);
	if (text[0] == '@')
		r->address.sun_path[0] = '\0';
	r->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (text[0] == '/'));
	r->to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return r->to;
}

/* The socket that the service speaks to, which nobody but its tenant may. */
static int open_inside(struct relay *r, const char *directory, char *path, size_t size)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int length = snprintf(path, size, "%s/notify-%d", directory, (int)r->main), on = 1;

	if (length < 0 || (size_t)length >= sizeof(at.sun_path) || (size_t)length >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(at.sun_path, path, (size_t)length);
	(void)unlink(path);
	r->from = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (r->from < 0 || setsockopt(r->from, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ||
	    bind(r->from, (struct sockaddr *)&at, sizeof(at)) || chown(path, r->uid, (gid_t)-1))
		return -1;
	return 0;
}

/* What ends a service does not end the process that passes on its last words and removes its socket. */
static void outlive_service(void)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE };

	for (size_t each = 0; each < sizeof(ignored) / sizeof(ignored[0]); each++)
		(void)signal(ignored[each], SIG_IGN);
	(void)setsid();
	(void)prctl(PR_SET_NAME, "bulkhead-notify", 0, 0, 0);
}

/*
 * In a process of its own: makes the socket, tells that (0, or an errno), and passes on. Who makes the socket removes it,
 * whenever the launcher is killed.
 */
__attribute__((noreturn)) static void serve(struct relay *r, const char *directory, int tell)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int error;

	outlive_service();
	(void)umask(0177);
	error = open_inside(r, directory, path, sizeof(path)) ? errno : 0;
	/* The launcher may have been killed; listen_on() finds out. */
	(void)!write(tell, &error, sizeof(error));
	if (error)
		_exit(1);
	detach(r);
	listen_on(r, path);
	_exit(0);
}

static int start_relay(struct relay *r, const char *directory, struct failure *f)
{
	int ends[2], error = 0;
	ssize_t got = 0;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		return fail(f, "what passes on to systemd cannot be started: %s", strerror(errno));
	child = fork();
	if (child == 0)
		serve(r, directory, ends[1]);
	error = child < 0 ? errno : 0;
	(void)close(ends[1]);
	while (child > 0 && (got = read(ends[0], &error, sizeof(error))) < 0 && errno == EINTR)
		;
	(void)close(ends[0]);
	if (child > 0 && got == (ssize_t)sizeof(error))
		return error ? fail(f, "its socket for systemd cannot be made: %s", strerror(error)) : 0;
	return fail(f, "what passes on to systemd cannot be started: %s", error ? strerror(error) : "it has ended");
}

/* In the vault. */
int relay_notifications(const char *address, const char *instance, const char *key, uid_t uid, char *inside, size_t size,
			struct failure *f)
{
	struct relay r = { .from = -1, .to = -1, .main = getpid(), .main_fd = -1, .uid = uid, .left = AT_ONCE };
	char directory[PATH_SIZE];
	int failed;

	(void)snprintf(directory, sizeof(directory), "/run/%s/jail/in/tenant/%s", instance, key);
	(void)snprintf(inside, size, "/.bulkhead/notify-%d", (int)r.main);
	r.main_fd = (int)syscall(SYS_pidfd_open, r.main, 0);
	if (open_address(&r, address) < 0)
		failed = fail(f, "$NOTIFY_SOCKET cannot be used: %s", strerror(errno));
	else if (r.main_fd < 0)
		failed = fail(f, "what passes on to systemd cannot be started: %s", strerror(errno));
	else
		failed = start_relay(&r, directory, f);
	close_if_open(r.to);
	close_if_open(r.main_fd);
	return failed;
}
