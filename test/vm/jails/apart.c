/*
 * What reaches from one process to another of the same uid in another mount namespace, and past mount namespaces. Prints a
 * line each, `WHAT ok` or `WHAT ERRNO`, and changes nothing.
 *
 *     apart as UID WORDS...      the same as that uid, which no other program is started for
 *     apart hold NAME SOCKET     is reached: abstract sockets NAME and NAME.d; /, /etc/hostname and SOCKET itself handed
 *                                over by the socket SOCKET; prints its process id, and stays
 *     apart reach PID            a process that holds
 *     apart sockets NAME         of one that holds
 *     apart take SOCKET          takes what it hands over, and uses it
 *     apart userns               makes user namespaces
 *     apart run SCRIPT           starts programs in all ways there are, a script among them; those that the broker
 *                                runs last
 *     apart load FILE            maps a file as a library is
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char secret[16] = "in memory";

static void say(const char *what, long answer) {
  int error = errno;
  printf("%s %s\n", what, answer >= 0 ? "ok" : strerrorname_np(error));
  fflush(stdout);
}

static socklen_t abstract(struct sockaddr_un *address, const char *name) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  strcpy(address->sun_path + 1, name);
  return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
}

static void must(int answer, const char *what) {
  if (answer >= 0) return;
  perror(what);
  exit(1);
}

static int listening(const char *name, int type) {
  struct sockaddr_un address;
  socklen_t bytes = abstract(&address, name);
  int fd = socket(AF_UNIX, type, 0);
  must(bind(fd, (struct sockaddr *)&address, bytes), name);
  if (type == SOCK_STREAM) must(listen(fd, 16), name);
  return fd;
}

static int at_path(const char *path, int listens) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  strcpy(address.sun_path, path);
  if (listens) unlink(path);
  must(listens ? bind(fd, (struct sockaddr *)&address, sizeof address)
               : connect(fd, (struct sockaddr *)&address, sizeof address), path);
  if (listens) must(listen(fd, 16), path);
  return fd;
}

union control {
  char bytes[CMSG_SPACE(sizeof(int))];
  struct cmsghdr align;
};

static void give(int to, int fd) {
  char byte = 0;
  struct iovec data = {&byte, 1};
  union control control;
  struct msghdr message = {
    .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  sendmsg(to, &message, 0);
}

static void hold(const char *name, const char *path) {
  char datagrams[100];
  snprintf(datagrams, sizeof datagrams, "%s.d", name);
  listening(name, SOCK_STREAM);
  listening(datagrams, SOCK_DGRAM);
  int gives = at_path(path, 1), top = open("/", O_RDONLY | O_DIRECTORY);
  int file = open("/etc/hostname", O_PATH), own = open(path, O_PATH);
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
  /* A peer that only tries whether it can connect leaves at once. */
  signal(SIGPIPE, SIG_IGN);
  printf("%d %p\n", getpid(), (void *)secret);
  fflush(stdout);
  for (;;) {
    int to = accept(gives, NULL, NULL);
    if (to < 0) continue;
    give(to, top);
    give(to, file);
    give(to, own);
    close(to);
  }
}

static void open_below(int pid, const char *name, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  say(name, open(path, flags));
}

static void reach(int pid, void *address) {
  char text[16], path[64];
  struct iovec here = {text, sizeof text}, there = {address, sizeof text};
  open_below(pid, "root", O_RDONLY | O_DIRECTORY);
  open_below(pid, "root/etc", O_RDONLY | O_DIRECTORY);
  open_below(pid, "cwd", O_RDONLY | O_DIRECTORY);
  open_below(pid, "fd/0", O_RDONLY);
  open_below(pid, "ns/mnt", O_RDONLY);
  open_below(pid, "ns/ipc", O_RDONLY);
  open_below(pid, "mem", O_RDONLY);
  open_below(pid, "environ", O_RDONLY);
  snprintf(path, sizeof path, "/proc/%d/exe", pid);
  say("exe", readlink(path, text, sizeof text));
  say("process_vm_readv", process_vm_readv(pid, &here, 1, &there, 1, 0));
  int process = syscall(SYS_pidfd_open, pid, 0);
  say("pidfd_getfd", process < 0 ? process : syscall(SYS_pidfd_getfd, process, 0, 0));
  say("kcmp", syscall(SYS_kcmp, getpid(), pid, 0, 0, 0));
  long attached = ptrace(PTRACE_SEIZE, pid, NULL, NULL);
  say("ptrace", attached);
}

static void sockets(const char *name) {
  struct sockaddr_un address;
  char datagrams[100];
  socklen_t bytes = abstract(&address, name);
  say("stream", connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, bytes));
  snprintf(datagrams, sizeof datagrams, "%s.d", name);
  bytes = abstract(&address, datagrams);
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  say("datagram", sendto(fd, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&address, bytes));
  say("connected datagram", connect(fd, (struct sockaddr *)&address, bytes));
}

/* The kernel leaves out what the receiver may not have. */
static int taken(int from) {
  char byte;
  struct iovec data = {&byte, 1};
  union control control;
  struct msghdr message = {
    .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  if (recvmsg(from, &message, 0) <= 0) return -1;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  int fd = -1;
  if (header && header->cmsg_len == CMSG_LEN(sizeof fd)) memcpy(&fd, CMSG_DATA(header), sizeof fd);
  if (fd < 0) errno = EPERM;
  return fd;
}

static void take(const char *path) {
  int from = at_path(path, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char name[64];
  int fd = taken(from);
  say("directory", fd < 0 ? fd : openat(fd, "etc", O_RDONLY | O_DIRECTORY));
  fd = taken(from);
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  say("file", fd < 0 ? fd : open(name, O_RDONLY));
  fd = taken(from);
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", fd);
  say("socket", fd < 0 ? fd : connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address));
}

enum way { BY_NAME, BY_DESCRIPTOR, FROM_MEMORY, WITHOUT_PRIVILEGES };

static void start(enum way way, char *const words[]) {
  char *none[] = {NULL}, block[65536];
  int quiet = open("/dev/null", O_RDWR), fd = -1;
  for (int i = 0; i < 3; i++) dup2(quiet, i);
  if (way == WITHOUT_PRIVILEGES) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (way == BY_DESCRIPTOR) fd = open(words[0], O_PATH | O_CLOEXEC);
  if (way == FROM_MEMORY) {
    int from = open(words[0], O_RDONLY);
    fd = memfd_create("program", 0);
    for (ssize_t got; (got = read(from, block, sizeof block)) > 0;)
      if (write(fd, block, got) != got) return;
  }
  if (fd >= 0) syscall(SYS_execveat, fd, "", words, none, AT_EMPTY_PATH);
  else execve(words[0], words, none);
}

/* Whether it was started, whatever it does then. */
static void try(const char *what, enum way way, char *const words[]) {
  int ends[2], error = 0;
  must(pipe2(ends, O_CLOEXEC), "pipe");
  if (fork() == 0) {
    /* Its end must not be one of those that are replaced. */
    int end = fcntl(ends[1], F_DUPFD_CLOEXEC, 10);
    start(way, words);
    error = errno;
    if (write(end, &error, sizeof error) < 0) _exit(2);
    _exit(1);
  }
  close(ends[1]);
  if (read(ends[0], &error, sizeof error) <= 0) error = 0;
  close(ends[0]);
  wait(NULL);
  errno = error;
  say(what, error ? -1 : 0);
}

static void run(char *script) {
  char *program[] = {"/bin/true", NULL}, *written[] = {script, NULL};
  char *linker[] = {"/lib64/ld-linux-x86-64.so.2", "/bin/true", NULL};
  char *setuid_root[] = {"/usr/bin/passwd", "--help", NULL}, *setgid_root[] = {"/usr/bin/crontab", "-V", NULL};
  char *su[] = {"/usr/bin/su", "--version", NULL};
  try("program", BY_NAME, program);
  try("script", BY_NAME, written);
  try("descriptor", BY_DESCRIPTOR, program);
  try("memory", FROM_MEMORY, program);
  try("linker", BY_NAME, linker);
  try("setuid without effect", WITHOUT_PRIVILEGES, setuid_root);
  try("setgid without effect", WITHOUT_PRIVILEGES, setgid_root);
  try("su", BY_NAME, su);
  try("setuid", BY_NAME, setuid_root);
  try("setgid", BY_NAME, setgid_root);
}

static void load(const char *path) {
  int fd = open(path, O_RDONLY);
  must(fd, path);
  say("readable", mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
  say("library", mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
}

/* Looked into as one that was started as that uid: what changes its uid cannot be. */
static void become(int uid) {
  must(setgroups(0, NULL), "setgroups");
  must(setresgid(uid, uid, uid), "setresgid");
  must(setresuid(uid, uid, uid), "setresuid");
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void user_namespaces(void) {
  pid_t child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
  if (child == 0) _exit(0);
  say("clone", child);
  if (child > 0) waitpid(child, NULL, 0);
  say("unshare", unshare(CLONE_NEWUSER));
}

int main(int argc, char **argv) {
  if (argc > 3 && !strcmp(argv[1], "as")) {
    become(atoi(argv[2]));
    argv += 2;
    argc -= 2;
  }
  const char *what = argc > 1 ? argv[1] : "";
  if (!strcmp(what, "hold") && argc == 4) hold(argv[2], argv[3]);
  else if (!strcmp(what, "reach") && argc == 4) reach(atoi(argv[2]), (void *)strtoul(argv[3], NULL, 0));
  else if (!strcmp(what, "sockets") && argc == 3) sockets(argv[2]);
  else if (!strcmp(what, "take") && argc == 3) take(argv[2]);
  else if (!strcmp(what, "userns") && argc == 2) user_namespaces();
  else if (!strcmp(what, "run") && argc == 3) run(argv[2]);
  else if (!strcmp(what, "load") && argc == 3) load(argv[2]);
  else return 2;
  return 0;
}
