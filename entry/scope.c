// SPDX-License-Identifier: Apache-2.0
// Moves this process into a tenant that is a slice of systemd: systemd makes a scope there, with the process in it.
#define _GNU_SOURCE
#include "entry.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOKS_PER_QUESTION 10
#define QUICK_LOOKS 30
#define QUICK_MS 20
#define SLOW_MS 200
/* An answer can get lost; the bus itself waits as long. */
#define ANSWER_MS 25000
#define LAST_LOOK_MS 100
#define ANSWER_LOOK_MS 5

struct scope {
	char slice[NAME_SIZE], name[NAME_SIZE], directory[2 * PATH_SIZE], path[4 * PATH_SIZE];
};

static bool name_scope(const struct destination *to, const char *slices, struct scope *scope)
{
	char site[NAME_SIZE / 2] = "", dash[] = "-";

	if (to->site && !escape_dashes(to->site, site, sizeof(site)))
		return false;
	if (!to->site)
		dash[0] = '\0';
	(void)snprintf(scope->slice, sizeof(scope->slice), "user-%u%s%s.slice", to->uid, dash, site);
	(void)snprintf(scope->name, sizeof(scope->name), "%s-%u%s%s.scope", to->instance, to->uid, dash, site);
	(void)snprintf(scope->directory, sizeof(scope->directory), "%s/user-%u.slice%s%s", slices, to->uid, to->site ? "/" : "",
		       to->site ? scope->slice : "");
	(void)snprintf(scope->path, sizeof(scope->path), "%s/%s", scope->directory, scope->name);
	return true;
}

/* Whether we have set limits of that unit. */
static bool has_drop_in(const char *instance, const char *unit)
{
	char path[PATH_SIZE * 2];

	(void)snprintf(path, sizeof(path), "/etc/systemd/system/%s.d/90-%s.conf", unit, instance);
	return exists(AT_FDCWD, path) != 0;
}

bool is_slice(const char *instance, uid_t uid)
{
	char unit[32];

	(void)snprintf(unit, sizeof(unit), "user-%u.slice", uid);
	return has_drop_in(instance, unit);
}

bool has_site_slice(const struct destination *to, const char *slices)
{
	struct scope scope;

	return name_scope(to, slices, &scope) && has_drop_in(to->instance, scope.slice);
}

/* Whether this process is below the slice, as a unit with Slice= is. */
static bool is_in_slice(const struct scope *scope)
{
	char text[16384], below[PATH_SIZE * 2 + 8], *line;
	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	int failed = fd < 0 ? -1 : read_text(fd, text, sizeof(text));

	close_if_open(fd);
	(void)snprintf(below, sizeof(below), "0::%s/", scope->directory + strlen("/sys/fs/cgroup"));
	for (line = failed ? NULL : text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, below, strlen(below)))
			return true;
	}
	return false;
}

/* In the child, with all signals blocked: no handler of the program that opens a session may run here. */
__attribute__((noreturn)) static void call_systemd(const struct scope *scope, const char *pid)
{
	char *const arguments[] = { "busctl", "--quiet", "--timeout=30", "call", "org.freedesktop.systemd1",
				    "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "StartTransientUnit",
				    "ssa(sv)a(sa(sv))", (char *)(uintptr_t)scope->name, "fail", "6",
				    "Description", "s", "Processes that Bulkhead placed",
				    "Slice", "s", (char *)(uintptr_t)scope->slice, "Delegate", "b", "true",
				    "TasksMax", "t", "18446744073709551615", "CollectMode", "s", "inactive-or-failed",
				    "PIDs", "au", "1", (char *)(uintptr_t)pid, "0", NULL };
	char *const environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	for (int fd = 0; fd <= 2; fd++)
		(void)dup2(null, fd);
	(void)close_from(3);
	for (int each = 1; each < NSIG; each++)
		(void)signal(each, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* The real uid is the caller's in su, who could stop it by that. */
	if (!setresuid(0, 0, 0))
		(void)execve("/usr/bin/busctl", arguments, environment);
	_exit(127);
}

static long milliseconds_until(const struct timespec *end)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (end->tv_sec - now.tv_sec) * 1000 + (end->tv_nsec - now.tv_nsec) / 1000000;
}

static void sleep_milliseconds(long milliseconds)
{
	const struct timespec pause = { .tv_nsec = milliseconds * 1000000 };

	(void)nanosleep(&pause, NULL);
}

/* systemd makes the scope with this process in it, a moment after the answer. */
static void ask_systemd(const struct scope *scope, long milliseconds)
{
	struct timespec end;
	sigset_t all, before;
	char pid[16];
	pid_t child, ended;

	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += milliseconds / 1000;
	end.tv_nsec += milliseconds % 1000 * 1000000;
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	child = fork();
	if (child == 0)
		call_systemd(scope, pid);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	while (child > 0 && ((ended = waitpid(child, NULL, WNOHANG)) == 0 || (ended < 0 && errno == EINTR))) {
		if (milliseconds_until(&end) <= 0)
			(void)kill(child, SIGKILL);
		sleep_milliseconds(ANSWER_LOOK_MS);
	}
}

/*
 * One that is there already, or is being made for somebody else, is entered by a write; one that is about to end has to be
 * made again. systemd is asked at first, and again each time that ten looks have not found it.
 */
static int join_scope(const struct destination *to, const struct scope *scope, struct failure *f)
{
	struct timespec end;
	long left;

	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += to->patience;
	for (unsigned looks = 1;; looks++) {
		bool is_there = exists(AT_FDCWD, scope->path) == 1;

		if (is_there && may_join(to, scope->path, f))
			return -1;
		if (is_there && !move_self(scope->path))
			return 0;
		if (may_join(to, scope->directory, f))
			return -1;
		left = milliseconds_until(&end);
		if (left < LAST_LOOK_MS && is_there)
			return refuse_to_join(to, f, "%s cannot be joined", scope->path);
		if (left < LAST_LOOK_MS)
			return refuse_to_join(to, f, "systemd made no scope in %s within %u s", scope->directory, to->patience);
		if (looks % LOOKS_PER_QUESTION == 1) {
			ask_systemd(scope, left < ANSWER_MS ? left : ANSWER_MS);
			if (exists(AT_FDCWD, scope->path) == 1)
				continue;
		}
		sleep_milliseconds(looks > QUICK_LOOKS ? SLOW_MS : QUICK_MS);
	}
}

int join_slice(const struct destination *to, const char *slices, struct failure *f)
{
	struct scope scope;

	if (!name_scope(to, slices, &scope))
		return fail(f, "The name of the site \"%.100s\" is too long for systemd", to->site);
	if (to->site && !has_drop_in(to->instance, scope.slice))
		return fail(f, "\"%s\" has no site \"%s\": %s has no limits; see bulkhead status", to->tenant, to->site,
			    scope.slice);
	if (to->stays && is_in_slice(&scope))
		return 0;
	return join_scope(to, &scope, f);
}
