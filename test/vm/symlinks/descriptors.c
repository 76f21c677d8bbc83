/* What a task of a server's user can do with descriptors that were opened with O_PATH, and by calls that follow a link
 * and open nothing: `descriptors UID`. It prints a line for each, with what was read or the error.
 *
 * The links are those of tree.sh. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif

static int base;

static void say(const char *name, int ok) {
  printf("%s: %s\n", name, ok ? "ok" : strerrorname_np(errno));
  fflush(stdout);
}

static void say_text(const char *name, int fd) {
  char text[8] = "";

  if (fd < 0) {
    say(name, 0);
    return;
  }
  ssize_t bytes = read(fd, text, sizeof text - 1);
  text[strcspn(text, "\n")] = 0;
  printf("%s: %s\n", name, bytes < 0 ? strerrorname_np(errno) : text);
  fflush(stdout);
  close(fd);
}

static int path_of(const char *name) {
  int fd = openat(base, name, O_PATH | O_CLOEXEC);
  if (fd < 0)
    fprintf(stderr, "%s: %s\n", name, strerror(errno));
  return fd;
}

static const char *link_of(int fd) {
  static char path[64];

  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return path;
}

/* As nginx does under disable_symlinks. */
static int as_nginx(const char *name, const char *file, int with_fstat) {
  struct stat of_link, of_directory;
  int directory = openat(base, name, O_PATH | O_DIRECTORY | O_CLOEXEC);

  if (directory < 0)
    return -1;
  if (fstatat(base, name, &of_link, AT_SYMLINK_NOFOLLOW))
    return -1;
  if (with_fstat && fstat(directory, &of_directory))
    say(" fstat", 0);
  int fd = openat(directory, file, O_RDONLY);
  int error = errno;
  close(directory);
  errno = error;
  return fd;
}

static void in_child(const char *name, int fd) {
  fflush(stdout);
  pid_t child = fork();
  if (!child) {
    say_text(name, openat(fd, "secret", O_RDONLY));
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

static void passed_on(const char *name, int fd) {
  int pair[2];
  char byte = 0, space[CMSG_SPACE(sizeof fd)];
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};

  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  sendmsg(pair[0], &message, 0);
  message.msg_controllen = sizeof space;
  recvmsg(pair[1], &message, 0);
  header = CMSG_FIRSTHDR(&message);
  printf("%s: %s\n", name, header && header->cmsg_len == CMSG_LEN(sizeof fd) ? "ok" : "nothing came");
  close(pair[0]);
  close(pair[1]);
}

static void of_descriptors(void) {
  struct stat info;

  say_text("as nginx, own", as_nginx("owndir", "f", 1));
  say_text("as nginx, other", as_nginx("otherdir", "secret", 0));
  say_text("as nginx, other, with fstat", as_nginx("otherdir", "secret", 1));
  int other = path_of("otherdir"), file = path_of("other");
  say_text("below it", openat(other, "secret", O_RDONLY));
  say("stat below it", !fstatat(other, "secret", &info, 0));
  say_text("below it, once more", openat(other, "dir/f", O_RDONLY));
  say_text("an absolute path beside it", openat(other, "/home/bob/www/secret", O_RDONLY));
  say("fstat", !fstat(file, &info));
  say("fstatat of nothing", !fstatat(file, "", &info, AT_EMPTY_PATH));
  say_text("by /proc/self/fd", open(link_of(file), O_RDONLY));
  int again = open(link_of(other), O_PATH);
  say_text("opened again with O_PATH", openat(again, "secret", O_RDONLY));
  int copy = dup(other);
  say_text("a copy", openat(copy, "secret", O_RDONLY));
  close(copy);
  int tree = syscall(SYS_open_tree, other, "", AT_EMPTY_PATH | OPEN_TREE_CLOEXEC);
  say_text("by open_tree of it", tree < 0 ? -1 : openat(tree, "secret", O_RDONLY));
  int by_link = syscall(SYS_open_tree, base, "otherdir", OPEN_TREE_CLOEXEC);
  say_text("by open_tree of the link", by_link < 0 ? -1 : openat(by_link, "secret", O_RDONLY));
  in_child("in a child", other);
  passed_on("passed on", other);
  int entered = !fchdir(other);
  say("fchdir", entered);
  if (entered && chdir("/"))
    exit(1);
  /* The way without a link is open all the time. */
  say_text("without a link", open("/home/bob/www/secret", O_RDONLY));
  int right = open("/home/bob/www", O_PATH);
  say_text("without a link, with O_PATH", openat(right, "secret", O_RDONLY));
  close(right);
  for (int fd = 3; fd < 64; fd++)
    if (fd != base)
      close(fd);
  say("stat when they are closed", !stat("/home/bob/www", &info));
  say("chdir when they are closed", !chdir("/home/bob/www") && !chdir("/"));
}

static void of_calls(void) {
  char path[] = "/home/alice/www/other", bytes[64];
  struct statfs info;

  say("statfs", !statfs(path, &info));
  say("listxattr", listxattr(path, bytes, sizeof bytes) >= 0);
  say("getxattr", getxattr(path, "user.none", bytes, sizeof bytes) >= 0 || errno == ENODATA || errno == EOPNOTSUPP);
  say("getxattr of the system's", getxattr(path, "system.posix_acl_access", bytes, sizeof bytes) >= 0 || errno == ENODATA || errno == EOPNOTSUPP);
  say("chmod", !chmod("/home/alice/www/servers", 0600));
  say("chmod without a link", !chmod("/srv/servers", 0600));
}

int main(int argc, char **argv) {
  unsigned id = argc == 2 ? atoi(argv[1]) : 0;

  if (!id || setgroups(0, NULL) || setgid(id) || setuid(id))
    return 2;
  base = open("/home/alice/www", O_PATH | O_DIRECTORY);
  if (base < 0)
    return 1;
  of_descriptors();
  of_calls();
  return 0;
}
