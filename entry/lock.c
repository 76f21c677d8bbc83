// SPDX-License-Identifier: Apache-2.0
// Locks a file. The kernel gives the lock to those who wait in turn, and takes it from a process that ends.
#define _GNU_SOURCE
#include "entry.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

#define LOCK_SECONDS 10

static void do_nothing(int signal)
{
	(void)signal;
}

int open_lock(int at, const char *name)
{
	/* More than once, since this process may not run between the timer and the lock. */
	const struct itimerval timer = { .it_value.tv_sec = LOCK_SECONDS, .it_interval.tv_sec = 1 };
	const struct sigaction wake = { .sa_handler = do_nothing };
	struct itimerval left;
	struct sigaction before;
	sigset_t alarms, mask;
	int fd = openat(at, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int failed, error;

	if (fd < 0)
		return -1;
	(void)sigemptyset(&alarms);
	(void)sigaddset(&alarms, SIGALRM);
	(void)sigaction(SIGALRM, &wake, &before);
	(void)sigprocmask(SIG_UNBLOCK, &alarms, &mask);
	(void)setitimer(ITIMER_REAL, &timer, &left);
	failed = flock(fd, LOCK_EX);
	/* A process that was stopped meanwhile may find the lock free, in spite of the alarm. */
	if (failed && errno == EINTR)
		failed = flock(fd, LOCK_EX | LOCK_NB);
	error = errno;
	(void)setitimer(ITIMER_REAL, &left, NULL);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	(void)sigaction(SIGALRM, &before, NULL);
	if (!failed)
		return fd;
	(void)close(fd);
	errno = error;
	return -1;
}
