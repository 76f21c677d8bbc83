/*
 * What a tenant would try with a descriptor of a directory outside that somebody left open for it, with a process of its
 * own uid outside, and with an abstract socket of another. Prints a line each, and does no harm where it works:
 *
 *     blocked      open a file below it: EACCES
 *     NOT BLOCKED  open a file below it: it worked
 *
 *     by-way DIRECTORY FILE PID SOCKET
 *
 * DIRECTORY is a descriptor of a directory of the tenant's with `file`, `program`, `below/` and the UNIX socket `socket`;
 * FILE one of a file of the tenant's that was opened to read.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void must_fail(const char *what, long answer) {
  int error = errno;
  printf("%s %s: %s\n", answer >= 0 ? "NOT BLOCKED" : "blocked    ", what,
         answer >= 0 ? "it worked" : strerrorname_np(error));
  fflush(stdout);
}

static void descriptors(int directory, int file) {
  char path[64];
  must_fail("open a file below it", openat(directory, "file", O_RDONLY));
  must_fail("open it to write", openat(directory, "file", O_WRONLY));
  must_fail("open the directory itself", openat(directory, ".", O_RDONLY | O_DIRECTORY));
  must_fail("open a directory below it", openat(directory, "below", O_RDONLY | O_DIRECTORY));
  must_fail("open what is above it", openat(directory, "../..", O_RDONLY | O_DIRECTORY));
  must_fail("make a file", openat(directory, "made", O_CREAT | O_RDWR, 0600));
  must_fail("make a directory", mkdirat(directory, "made-directory", 0700));
  must_fail("make a link", symlinkat("x", directory, "made-link"));
  must_fail("make another name", linkat(directory, "file", directory, "name", 0));
  must_fail("rename", renameat(directory, "file", directory, "below/file"));
  renameat(directory, "below/file", directory, "file");
  must_fail("remove", unlinkat(directory, "removable", 0));
  must_fail("make a pipe", mknodat(directory, "made-pipe", S_IFIFO | 0600, 0));
  snprintf(path, sizeof path, "/proc/self/fd/%d/file", directory);
  must_fail("open a file by way of /proc/self/fd", open(path, O_RDONLY));
  must_fail("truncate by way of /proc/self/fd", truncate(path, 0));
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  must_fail("open to write what was opened to read", open(path, O_WRONLY));
  pid_t child = fork();
  if (child == 0) {
    char *words[] = {"program", NULL};
    syscall(SYS_execveat, directory, "program", words, NULL, 0);
    _exit(errno);
  }
  int status = 0;
  waitpid(child, &status, 0);
  errno = WEXITSTATUS(status);
  must_fail("run a program", errno == 0 ? 0 : -1);
}

static void of_process(pid_t pid, const char *name, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  must_fail(path + 6 + strcspn(path + 6, "/"), open(path, flags));
}

static void process(pid_t pid) {
  char byte, path[64];
  struct iovec own = {&byte, 1}, other = {NULL, 1};
  of_process(pid, "root", O_RDONLY | O_DIRECTORY);
  of_process(pid, "root/etc/passwd", O_RDONLY);
  of_process(pid, "cwd", O_RDONLY | O_DIRECTORY);
  of_process(pid, "environ", O_RDONLY);
  of_process(pid, "mem", O_RDWR);
  of_process(pid, "maps", O_RDONLY);
  of_process(pid, "fd", O_RDONLY | O_DIRECTORY);
  of_process(pid, "ns/mnt", O_RDONLY);
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  must_fail("see that it is there", access(path, F_OK));
  int attached = ptrace(PTRACE_SEIZE, pid, NULL, NULL);
  must_fail("ptrace", attached);
  /* There is nothing at this address: where it may be read at all, the answer is another one. */
  long got = process_vm_readv(pid, &own, 1, &other, 1, 0);
  must_fail("process_vm_readv", got < 0 && errno == EPERM ? -1 : 0);
  must_fail("kcmp", syscall(SYS_kcmp, pid, getpid(), 0, 0, 0));
  must_fail("pidfd_getfd", syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, pid, 0), 0, 0));
}

static int reach(int kind, const char *name, int is_abstract) {
  struct sockaddr_un to = {AF_UNIX, {0}};
  int fd = socket(AF_UNIX, kind, 0);
  strncpy(to.sun_path + is_abstract, name, sizeof to.sun_path - 2);
  size_t length = offsetof(struct sockaddr_un, sun_path) + is_abstract + strlen(name);
  int answer = connect(fd, (struct sockaddr *)&to, (socklen_t)length);
  close(fd);
  return answer;
}

/* What Landlock is not asked about, or not told to refuse. */
static void left_open(int directory, pid_t pid) {
  struct stat about;
  DIR *listed = fdopendir(dup(directory));
  must_fail("names in the directory itself", listed != NULL && readdir(listed) != NULL ? 0 : -1);
  must_fail("attributes of a file below it", fstatat(directory, "file", &about, 0));
  must_fail("mode of a file below it", fchmodat(directory, "file", 0600, 0));
  must_fail("signals", kill(pid, 0));
  must_fail("go there", fchdir(directory));
  must_fail("connect to a socket there", reach(SOCK_STREAM, "socket", 0));
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  int directory = atoi(argv[1]);
  pid_t pid = atoi(argv[3]);
  if (fcntl(directory, F_GETFD) < 0 || fcntl(atoi(argv[2]), F_GETFD) < 0) return 3;
  descriptors(directory, atoi(argv[2]));
  process(pid);
  must_fail("connect to an abstract socket", reach(SOCK_STREAM, argv[4], 1));
  puts("--");
  left_open(directory, pid);
  return 0;
}
