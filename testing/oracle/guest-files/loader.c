// SPDX-License-Identifier: Apache-2.0
/*
 * The first and only process of the oracle's guest: loads modules as it is told, and reports what the
 * kernel said. The host writes commands to a virtio-serial port, one a line, fields apart by a tab:
 *
 *   load FILE FLAGS NAME     finit_module(2); what /sys/module/NAME/taint has afterwards
 *   copy FILE FLAGS NAME     the same by init_module(2), from memory (which has no flags)
 *   insmod FILE FLAGS NAME   the same by insmod(8), whose exit status stands in the place of errno
 *   unload NAME              delete_module(2)
 *   write PATH TEXT          a sysctl
 *   end                      the last command
 *
 * Each is answered by lines: "log TEXT" for each new record of /dev/kmsg, then
 * "done ERRNO MODULE-TAINT KERNEL-TAINT" ("-" for a module that is not there).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char port_path[] = "/dev/vport0p1";
static int port, kmsg;

static void fail(const char *what)
{
	fprintf(stderr, "oracle: cannot %s: %s\n", what, strerror(errno));
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void answer(const char *text, size_t length)
{
	while (length > 0) {
		ssize_t written = write(port, text, length);

		if (written < 0 && errno != EAGAIN && errno != EINTR)
			fail("answer");
		if (written <= 0) {
			usleep(1000);
			continue;
		}
		text += written;
		length -= written;
	}
}

/* Reads a line; while the host is not connected, the port is at its end. */
static int command(char *line, size_t size)
{
	static char buffer[65536];
	static size_t start, end;

	for (;;) {
		char *newline = memchr(buffer + start, '\n', end - start);

		if (newline) {
			size_t length = newline - (buffer + start);

			if (length >= size)
				fail("take a command that long");
			memcpy(line, buffer + start, length);
			line[length] = '\0';
			start += length + 1;
			return 1;
		}
		memmove(buffer, buffer + start, end - start);
		end -= start;
		start = 0;

		ssize_t got = read(port, buffer + end, sizeof(buffer) - end);

		if (got > 0)
			end += got;
		else
			usleep(2000);
	}
}

static void report_log(void)
{
	char record[8192 + 8];

	for (;;) {
		memcpy(record, "log ", 4);
		ssize_t got = read(kmsg, record + 4, 8192);

		if (got < 0 && errno == EPIPE)
			continue;
		if (got <= 0)
			return;
		record[4 + got] = '\0';
		/* "6,339,5140900,-;text" and, on lines of their own, keys of devices. */
		char *text = strchr(record, ';');
		char *newline = text ? strchr(text, '\n') : NULL;

		if (!newline)
			continue;
		memcpy(text - 3, "log ", 4);
		answer(text - 3, newline - text + 4);
	}
}

static void read_word(const char *path, char *word, size_t size)
{
	int file = open(path, O_RDONLY);
	ssize_t got = file < 0 ? -1 : read(file, word, size - 1);

	if (file >= 0)
		close(file);
	strcpy(word + (got < 0 ? 0 : got), got < 0 ? "-" : "");
	word[strcspn(word, "\n")] = '\0';
}

static void report_done(int error, const char *name)
{
	char path[300], taint[64], tainted[64], line[200];

	snprintf(path, sizeof(path), "/sys/module/%s/taint", name);
	read_word(path, taint, sizeof(taint));
	read_word("/proc/sys/kernel/tainted", tainted, sizeof(tainted));
	int length = snprintf(line, sizeof(line), "done\t%d\t%s\t%s\n", error, taint, tainted);

	answer(line, length);
}

static int load(const char *path, int flags)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);

	if (file < 0)
		fail("open a module");
	int error = syscall(SYS_finit_module, file, "", flags) == 0 ? 0 : errno;

	close(file);
	return error;
}

/* Drivers of the port, in the order of their numbers, where the kernel has none built in. */
static void load_drivers(void)
{
	char path[40];

	for (int number = 0;; number++) {
		snprintf(path, sizeof(path), "/drivers/%d.ko", number);
		if (access(path, F_OK) < 0)
			return;
		if (load(path, 0) != 0)
			fail("load a driver of the port");
	}
}

static int copy(const char *path)
{
	struct stat info;
	int file = open(path, O_RDONLY | O_CLOEXEC);

	if (file < 0 || fstat(file, &info) < 0)
		fail("open a module");
	char *bytes = malloc(info.st_size + 1);

	if (!bytes || read(file, bytes, info.st_size) != info.st_size)
		fail("read a module");
	int error = syscall(SYS_init_module, bytes, info.st_size, "") == 0 ? 0 : errno;

	free(bytes);
	close(file);
	return error;
}

static int insmod(const char *path)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		fail("fork");
	if (child == 0) {
		execl("/bin/busybox", "insmod", path, (char *)NULL);
		_exit(127);
	}
	if (waitpid(child, &status, 0) < 0)
		fail("wait for insmod");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int write_text(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	int error = file < 0 || write(file, text, strlen(text)) < 0 ? errno : 0;

	if (file >= 0)
		close(file);
	return error;
}

static int perform(char **field, const char **name)
{
	*name = field[3] ? field[3] : "";
	if (!strcmp(field[0], "load"))
		return load(field[1], atoi(field[2]));
	if (!strcmp(field[0], "copy"))
		return copy(field[1]);
	if (!strcmp(field[0], "insmod"))
		return insmod(field[1]);
	*name = field[1];
	if (!strcmp(field[0], "unload"))
		return syscall(SYS_delete_module, field[1], O_NONBLOCK) == 0 ? 0 : errno;
	if (!strcmp(field[0], "write"))
		return write_text(field[1], field[2]);
	fail("understand a command");
	return 0;
}

int main(void)
{
	char line[1024];

	mount("devtmpfs", "/dev", "devtmpfs", 0, "");
	mount("proc", "/proc", "proc", 0, "");
	mount("sysfs", "/sys", "sysfs", 0, "");
	mount("securityfs", "/sys/kernel/security", "securityfs", 0, "");
	load_drivers();
	for (int tries = 0; (port = open(port_path, O_RDWR | O_CLOEXEC)) < 0; tries++) {
		if (tries == 5000)
			fail("open the port");
		usleep(2000);
	}
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		fail("open /dev/kmsg");
	/* The host saves the machine when it sees this line on the console. */
	puts("oracle-is-ready");
	fflush(stdout);

	while (command(line, sizeof(line))) {
		char *rest = line, *field[5] = { 0 };
		const char *name;

		for (int i = 0; i < 4; i++)
			field[i] = strsep(&rest, "\t");
		if (!strcmp(field[0], "end"))
			break;
		int error = perform(field, &name);

		report_log();
		report_done(error, name);
	}
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
