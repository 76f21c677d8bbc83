/*
 * What programs of tenants do every day and must go on doing in a jail. Prints a line each; run in a directory of the tenant's.
 *
 *     works      rename to another directory
 *     BROKEN     make a pipe: EACCES
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(const char *what, long answer) {
  int error = errno;
  if (answer >= 0)
    printf("works      %s\n", what);
  else
    printf("BROKEN     %s: %s\n", what, strerrorname_np(error));
  fflush(stdout);
}

static int make(const char *path) { return close(open(path, O_CREAT | O_RDWR, 0600)); }

static void files(void) {
  must("make directories", mkdir("a", 0700) | mkdir("b", 0700));
  must("make a file", make("a/file"));
  must("rename to another directory", rename("a/file", "b/file"));
  must("exchange over directories", make("a/other") | renameat2(AT_FDCWD, "a/other", AT_FDCWD, "b/file", RENAME_EXCHANGE));
  must("another name in another directory", link("b/file", "a/name"));
  must("a symbolic link", symlink("../b/file", "a/link"));
  must("follow it", open("a/link", O_RDWR));
  must("truncate by name", truncate("b/file", 5));
  must("truncate when it is opened", open("b/file", O_WRONLY | O_TRUNC));
  must("make a pipe", mkfifo("a/pipe", 0600));
  must("remove a file", unlink("a/name"));
  must("remove a directory", mkdir("c", 0700) | rmdir("c"));
  int unnamed = open(".", O_TMPFILE | O_RDWR, 0600);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", unnamed);
  must("name a file without a name", linkat(AT_FDCWD, path, AT_FDCWD, "b/named", AT_SYMLINK_FOLLOW));
  must("a file in /tmp", make("/tmp/file"));
  must("move it from /tmp to /var/tmp", system("mv /tmp/file /var/tmp/file") == 0 ? 0 : -1);
  must("memory that is shared by name", shm_open("/everyday", O_CREAT | O_RDWR, 0600));
  shm_unlink("/everyday");
}

/* A file in memory, and a pipe, are opened once more by their names in /proc. */
static void descriptors(void) {
  int memory = memfd_create("everyday", 0), ends[2];
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
  must("open a file in memory again", open(path, O_RDWR));
  must("a pipe", pipe(ends));
  snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
  must("open it again", open(path, O_RDONLY));
}

static int meet(int kind, const char *name, int is_abstract) {
  struct sockaddr_un at = {AF_UNIX, {0}};
  int one = socket(AF_UNIX, kind, 0), two = socket(AF_UNIX, kind, 0);
  strncpy(at.sun_path + is_abstract, name, sizeof at.sun_path - 2);
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + is_abstract + strlen(name));
  if (bind(one, (struct sockaddr *)&at, length)) return -1;
  if (kind == SOCK_STREAM && listen(one, 1)) return -1;
  return connect(two, (struct sockaddr *)&at, length);
}

static void devices(void) {
  int null = open("/dev/null", O_RDWR), terminal = posix_openpt(O_RDWR | O_NOCTTY);
  struct winsize size = {24, 80, 0, 0};
  must("write to /dev/null", write(null, "x", 1));
  must("a terminal", terminal);
  must("its size", ioctl(terminal, TIOCSWINSZ, &size));
  grantpt(terminal);
  unlockpt(terminal);
  int other = open(ptsname(terminal), O_RDWR | O_NOCTTY);
  must("the other side of it", other);
  must("ask that for its size", ioctl(other, TIOCGWINSZ, &size));
  char name[64];
  must("its name", ttyname_r(other, name, sizeof name) || strcmp(name, ptsname(terminal)) ? -1 : 0);
}

static void processes(void) {
  char path[64];
  must("run a program", system("/usr/bin/true"));
  must("run a program of its own", system("cp /usr/bin/true own && ./own") == 0 ? 0 : -1);
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  snprintf(path, sizeof path, "/proc/%d/environ", (int)child);
  must("look into a process that it began", open(path, O_RDONLY));
  must("see it in /proc", access(path, F_OK));
  must("end it", kill(child, SIGKILL));
  waitpid(child, NULL, 0);
}

int main(void) {
  files();
  descriptors();
  must("a socket in a directory", meet(SOCK_STREAM, "b/socket", 0));
  must("an abstract socket", meet(SOCK_STREAM, "everyday", 1));
  must("abstract datagrams", meet(SOCK_DGRAM, "everyday-datagrams", 1));
  devices();
  processes();
  return 0;
}
