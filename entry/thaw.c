// SPDX-License-Identifier: Apache-2.0
/*
 * Thaws what the agent has frozen, and restores the CPU limits that it has lowered, when the agent no longer can: when it
 * has not written for three seconds, when it has ended, or when this process is told to end.
 *
 *     bulkhead-thaw /run/bulkhead/database-frozen < PIPE > PIPE
 *
 *     /sys/fs/cgroup/bulkhead/u1001/s-shop.example/cgroup.freeze
 *     /sys/fs/cgroup/bulkhead/u1002/cgroup.freeze <TAB> /var/lib/bulkhead/stopped/1002
 *
 *     bulkhead-thaw /run/bulkhead/database-quotas < PIPE > PIPE
 *
 *     /sys/fs/cgroup/bulkhead/u1001/cpu.max <TAB> 100000 100000 <TAB> 1001
 *
 * The agent writes a cgroup to the record before it changes it, and a byte now and then, each of which gets one back. A
 * cgroup with a second path is also what `bulkhead stop --freeze` freezes, and stays frozen while that file says so. A
 * CPU limit has the text that restores it.
 * Source: src/database/io/hold/record.ts, src/host/cgroups/lowered-quotas.ts.
 *
 * Nothing that the agent does may keep this from its work: it reads no message, and it has no thread, no library and no
 * memory to wait for.
 */
#define _GNU_SOURCE
#include "program.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define SILENCE_MS 3000
#define AGAIN_MS 500
/* How long to try what fails; systemd waits for longer. */
#define LAST_MS 10000
#define REPORTS_MAX 20
#define CGROUP1_MAGIC 0x27e0eb
#define CGROUP2_MAGIC 0x63677270
#define LINE_SIZE (4 * PATH_SIZE)
#define STOP_SIZE 65536

static volatile sig_atomic_t told;

static void on_signal(int number)
{
	(void)number;
	told = 1;
}

static void report(const char *what, const char *path)
{
	static int reports;

	if (reports++ < REPORTS_MAX)
		(void)fprintf(stderr, "bulkhead: Cannot %s %s: %s\n", what, path, reason_of(errno));
}

enum answer { NO, YES, UNKNOWN };

/* In a text of JSON, a quotation mark inside of a value has a backslash. */
static enum answer keeps_frozen(const char *stop)
{
	static char text[STOP_SIZE];
	int fd = stop ? open_owned(AT_FDCWD, stop, O_RDONLY, S_IFREG) : -1;
	int failed;

	if (!stop || (fd < 0 && (errno == ENOENT || errno == NOT_OWNED)))
		return NO;
	failed = fd < 0 || read_text(fd, text, sizeof(text));
	if (failed)
		report("read", stop);
	close_if_open(fd);
	if (failed)
		return UNKNOWN;
	return strstr(text, "\"frozen\":true") ? YES : NO;
}

/* Whether the cgroup of the file is thawed, unless it is stopped. */
static bool thaw_open(int fd, const char *path, const char *stop)
{
	bool is_v2 = strlen(path) > 7 && !strcmp(path + strlen(path) - 7, ".freeze");
	const char *text = is_v2 ? "0" : "THAWED", *back = is_v2 ? "1" : "FROZEN";
	enum answer keeps = keeps_frozen(stop);

	if (keeps != NO)
		return keeps == YES;
	if (write(fd, text, strlen(text)) < 0 && errno != ENODEV) {
		report("thaw", path);
		return false;
	}
	/* It was stopped meanwhile. */
	if (keeps_frozen(stop) == YES && write(fd, back, strlen(back)) < 0)
		report("freeze again", path);
	return true;
}

static bool is_cpu_limit(const char *path)
{
	const char *name = strrchr(path, '/');

	return name && !strncmp(name, "/cpu.", 5);
}

static bool restore_open(int fd, const char *path, const char *text)
{
	if (!text || write(fd, text, strcspn(text, "\t")) >= 0 || errno == ENODEV)
		return true;
	report("restore", path);
	return false;
}

/*
 * Whether nothing is left to thaw there: it is thawed, gone, or no cgroup. A shortage, such as of descriptors, passes.
 * `more`: the stop, or the text of a CPU limit.
 */
static bool thaw(const char *path, const char *more)
{
	int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool is_done = true;
	struct statfs fs;

	if (fd < 0) {
		if (errno == ENOENT || errno == ENODEV)
			return true;
		report("open", path);
		return false;
	}
	if (!fstatfs(fd, &fs) && (fs.f_type == CGROUP1_MAGIC || fs.f_type == CGROUP2_MAGIC))
		is_done = is_cpu_limit(path) ? restore_open(fd, path, more) : thaw_open(fd, path, more);
	(void)close(fd);
	return is_done;
}

/* Whether nothing is left to thaw. */
static bool thaw_all(const char *record)
{
	static char line[LINE_SIZE];
	int fd = open_owned(AT_FDCWD, record, O_RDONLY, S_IFREG);
	FILE *lines = fd < 0 ? NULL : fdopen(fd, "r");
	bool is_done = true;

	if (!lines) {
		is_done = errno == ENOENT;
		if (!is_done)
			report("read", record);
		close_if_open(fd);
		return is_done;
	}
	while (fgets(line, sizeof(line), lines)) {
		char *stop;

		line[strcspn(line, "\n")] = '\0';
		stop = strchr(line, '\t');
		if (stop)
			*stop++ = '\0';
		is_done = thaw(line, stop) && is_done;
	}
	is_done = !ferror(lines) && is_done;
	(void)fclose(lines);
	return is_done;
}

static void ignore(ssize_t result)
{
	(void)result;
}

/* It must not wait for a processor behind those that it watches, nor be what the kernel kills for want of memory. */
static void take_precedence(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	/* In some containers none of this is allowed. */
	if (fd >= 0)
		ignore(write(fd, "-1000", 5));
	close_if_open(fd);
	ignore(setpriority(PRIO_PROCESS, 0, -20));
	ignore(mlockall(MCL_CURRENT | MCL_FUTURE));
}

static long long now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whether the agent lives: 1 if it has written, 0 if it has not, -1 if it has ended. */
static int hear(void)
{
	char bytes[4096];
	ssize_t got = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (got > 0) {
		/* An agent that does not read has enough of them. */
		if (write(STDOUT_FILENO, ".", 1) < 0)
			return errno == EAGAIN ? 1 : -1;
		return 1;
	}
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal }, ignored = { .sa_handler = SIG_IGN };
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	sigset_t during, before;
	long long due;

	if (argc != 2 || argv[1][0] != '/')
		end(2, "usage: bulkhead-thaw RECORD");
	(void)sigemptyset(&during);
	for (size_t i = 0; i < 3; i++) {
		static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

		(void)sigaddset(&during, signals[i]);
		(void)sigaction(signals[i], &action, NULL);
	}
	(void)sigaction(SIGPIPE, &ignored, NULL);
	(void)sigprocmask(SIG_BLOCK, &during, &before);
	(void)fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	(void)fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
	take_precedence();
	due = now_ms() + SILENCE_MS;
	while (!told) {
		long long left = due - now_ms();
		struct timespec wait = { .tv_sec = left > 0 ? left / 1000 : 0, .tv_nsec = left > 0 ? left % 1000 * 1000000 : 0 };
		int heard = ppoll(&input, 1, &wait, &before) > 0 ? hear() : 0;

		if (heard < 0)
			break;
		if (heard)
			due = now_ms() + SILENCE_MS;
		else if (now_ms() >= due) {
			(void)thaw_all(argv[1]);
			/* An agent that was stopped may still freeze something when it goes on. */
			due = now_ms() + AGAIN_MS;
		}
	}
	/* Nobody comes after this process but the next agent. */
	due = now_ms() + LAST_MS;
	while (!thaw_all(argv[1]) && now_ms() < due)
		(void)poll(NULL, 0, AGAIN_MS);
	return 0;
}
