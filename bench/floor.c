/* The floor under Bulkhead's speed: the same system calls from C, and nothing else.
 *
 *   floor make LIST      LIST has what to do, an operation a line, fields separated by tabs:
 *   floor remove LIST      make PATH          mkdir
 *   floor read LIST        write PATH TEXT    open, write, close
 *   floor usage LIST       read PATH          open, read, close; with "usage" pread on a kept descriptor
 *                          mark PATH          with "usage" the same, and a write that begins a peak anew
 *                          list PATH          open, getdents, close
 *                          visit PATH         moves itself into a cgroup and uses some CPU time there
 *   floor run COMMAND [ARGUMENT]...
 *
 * LIST is read before any clock starts. Then each line on standard input is one pass over all of it,
 * and the answer is a line with the nanoseconds that the pass took. "remove" undoes "make" from the
 * last line to the first. "run" starts a command once, its output thrown away, and answers with
 * nanoseconds from start to exit, its peak memory in KiB and its CPU time in microseconds. Linux counts
 * the memory of the process that starts another towards its peak, so a large one cannot measure it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum kind { MAKE, WRITE, READ, LIST, VISIT, MARK };

struct operation {
  enum kind kind;
  const char *path;
  const char *text;
  size_t length;
  int fd;
};

static struct operation *operations;
static size_t count;

static void die(const char *what, const char *path) {
  fprintf(stderr, "floor: cannot %s %s: %s\n", what, path, strerror(errno));
  exit(1);
}

static long long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void add(char *line) {
  const char *word = strtok(line, "\t");
  struct operation *each = &operations[count++];
  each->path = strtok(NULL, "\t");
  each->text = strtok(NULL, "\t");
  each->length = each->text == NULL ? 0 : strlen(each->text);
  each->fd = -1;
  if (strcmp(word, "make") == 0) each->kind = MAKE;
  else if (strcmp(word, "write") == 0) each->kind = WRITE;
  else if (strcmp(word, "read") == 0) each->kind = READ;
  else if (strcmp(word, "visit") == 0) each->kind = VISIT;
  else if (strcmp(word, "mark") == 0) each->kind = MARK;
  else each->kind = LIST;
}

static void load(const char *path) {
  char *line = NULL;
  size_t size = 0, capacity = 0;
  ssize_t length;
  FILE *file = fopen(path, "r");
  if (file == NULL) die("open", path);
  while ((length = getline(&line, &size, file)) > 0) {
    if (count == capacity) {
      capacity = capacity == 0 ? 1024 : capacity * 2;
      operations = realloc(operations, capacity * sizeof *operations);
      if (operations == NULL) die("keep", path);
    }
    if (line[length - 1] == '\n') line[length - 1] = 0;
    add(strdup(line));
  }
  free(line);
  fclose(file);
}

static void write_file(const struct operation *each) {
  const int fd = open(each->path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) die("open", each->path);
  if (write(fd, each->text, each->length) < 0) die("write", each->path);
  close(fd);
}

static void read_file(const struct operation *each) {
  char buffer[4096];
  const int fd = open(each->path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) die("open", each->path);
  if (read(fd, buffer, sizeof buffer) < 0) die("read", each->path);
  close(fd);
}

static void list_directory(const struct operation *each) {
  DIR *directory = opendir(each->path);
  if (directory == NULL) die("open", each->path);
  while (readdir(directory) != NULL) continue;
  closedir(directory);
}

/* The kernel charges what a process has used when it gives up the processor, or at the next tick. */
static void visit(const struct operation *each) {
  const struct operation join = {.path = each->path, .text = "0", .length = 1};
  const long long begin = now_ns();
  write_file(&join);
  while (now_ns() - begin < 10000) continue;
  sched_yield();
}

static void perform(const struct operation *each) {
  switch (each->kind) {
    case MAKE:
      if (mkdir(each->path, 0755) != 0) die("make", each->path);
      return;
    case WRITE:
      write_file(each);
      return;
    case READ:
    case MARK:
      read_file(each);
      return;
    case LIST:
      list_directory(each);
      return;
    case VISIT:
      visit(each);
      return;
  }
}

static void perform_all(void) {
  for (size_t i = 0; i < count; i++) perform(&operations[i]);
}

static void undo_all(void) {
  for (size_t i = count; i-- > 0;) {
    if (operations[i].kind == MAKE && rmdir(operations[i].path) != 0)
      die("remove", operations[i].path);
  }
}

static void open_all(void) {
  for (size_t i = 0; i < count; i++) {
    const int how = operations[i].kind == MARK ? O_RDWR : O_RDONLY;
    operations[i].fd = open(operations[i].path, how | O_CLOEXEC);
    if (operations[i].fd < 0) die("open", operations[i].path);
  }
}

static void read_kept(void) {
  char buffer[4096];
  for (size_t i = 0; i < count; i++) {
    if (pread(operations[i].fd, buffer, sizeof buffer, 0) < 0) die("read", operations[i].path);
    if (operations[i].kind == MARK && write(operations[i].fd, "0", 1) != 1)
      die("write", operations[i].path);
  }
}

static int run(char **command) {
  posix_spawn_file_actions_t actions;
  struct rusage usage;
  pid_t child;
  int status;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  const long long begin = now_ns();
  errno = posix_spawnp(&child, command[0], &actions, NULL, command, environ);
  if (errno != 0) die("start", command[0]);
  if (wait4(child, &status, 0, &usage) != child) die("wait for", command[0]);
  const long long end = now_ns();
  if (status != 0) {
    fprintf(stderr, "floor: %s exited with status %d\n", command[0], status);
    return 1;
  }
  const long long microseconds = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL +
                                 usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  printf("%lld %ld %lld\n", end - begin, usage.ru_maxrss, microseconds);
  return 0;
}

static int usage_error(void) {
  fprintf(stderr, "usage: floor make|remove|read|usage LIST, or floor run COMMAND...\n");
  return 2;
}

int main(int argc, char **argv) {
  if (argc < 3) return usage_error();
  /* Ten thousand cgroups with their files kept open. */
  struct rlimit files = {1000000, 1000000};
  setrlimit(RLIMIT_NOFILE, &files);
  const char *mode = argv[1];
  if (strcmp(mode, "run") == 0) return run(argv + 2);
  void (*pass)(void) = perform_all;
  if (strcmp(mode, "remove") == 0) pass = undo_all;
  else if (strcmp(mode, "usage") == 0) pass = read_kept;
  else if (strcmp(mode, "make") != 0 && strcmp(mode, "read") != 0) return usage_error();
  load(argv[2]);
  if (pass == read_kept) open_all();
  for (int c; (c = getchar()) != EOF;) {
    if (c != '\n') continue;
    const long long begin = now_ns();
    pass();
    printf("%lld\n", now_ns() - begin);
    fflush(stdout);
  }
  return 0;
}
