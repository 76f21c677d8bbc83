// SPDX-License-Identifier: Apache-2.0
/*
 * Thaws what the agent has frozen when the agent no longer can: when it has not written for three seconds, when it has
 * ended, or when this process is told to end.
 *
 *     bulkhead-thaw /run/bulkhead/database-frozen < PIPE > PIPE
 *
 *     /sys/fs/cgroup/bulkhead/u1001/s-shop.example/cgroup.freeze
 *     /sys/fs/cgroup/bulkhead/u1002/cgroup.freeze <TAB> /var/lib/bulkhead/stopped/1002
 *
 * The agent writes a cgroup to the record before it freezes it, and a byte now and then, each of which gets one back. A
 * cgroup with a second path is also what `bulkhead stop --freeze` freezes, and stays frozen while that file says so.
 * Source: src/database/io/hold/record.ts.
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

/* In a text of JSON, a quotation mark inside of a value has a backslash. */
static bool keeps_frozen(const char *stop)
{
	static char text[STOP_SIZE];
	int fd = open_owned(AT_FDCWD, stop, O_RDONLY, S_IFREG);
	bool keeps = fd >= 0 && !read_text(fd, text, sizeof(text)) && strstr(text, "\"frozen\":true");

	close_if_open(fd);
	return keeps;
}

static void thaw(const char *path, const char *stop)
{
	bool is_v2 = strlen(path) > 7 && !strcmp(path + strlen(path) - 7, ".freeze");
	const char *text = is_v2 ? "0" : "THAWED";
	int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct statfs fs;

	/* It is gone, and nothing is frozen in it. */
	if (fd < 0)
		return;
	if (!fstatfs(fd, &fs) && (fs.f_type == CGROUP1_MAGIC || fs.f_type == CGROUP2_MAGIC) && !(stop && keeps_frozen(stop))) {
		if (write(fd, text, strlen(text)) < 0 && errno != ENODEV)
			(void)fprintf(stderr, "bulkhead: Cannot thaw %s: %s\n", path, strerror(errno));
		/* It was stopped meanwhile. */
		if (stop && keeps_frozen(stop) && write(fd, is_v2 ? "1" : "FROZEN", is_v2 ? 1 : 6) < 0)
			(void)fprintf(stderr, "bulkhead: Cannot freeze %s again: %s\n", path, strerror(errno));
	}
	(void)close(fd);
}

static void thaw_all(const char *record)
{
	static char line[LINE_SIZE];
	int fd = open_owned(AT_FDCWD, record, O_RDONLY, S_IFREG);
	FILE *lines = fd < 0 ? NULL : fdopen(fd, "r");

	if (!lines) {
		if (errno != ENOENT)
			(void)fprintf(stderr, "bulkhead: Cannot read %s: %s\n", record, reason_of(errno));
		close_if_open(fd);
		return;
	}
	while (fgets(line, sizeof(line), lines)) {
		char *stop;

		line[strcspn(line, "\n")] = '\0';
		stop = strchr(line, '\t');
		if (stop)
			*stop++ = '\0';
		thaw(line, stop);
	}
	(void)fclose(lines);
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
			thaw_all(argv[1]);
			/* An agent that was stopped may still freeze something when it goes on. */
			due = now_ms() + AGAIN_MS;
		}
	}
	thaw_all(argv[1]);
	return 0;
}
