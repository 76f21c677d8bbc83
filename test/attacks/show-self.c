/* Prints what the kernel says of this process, whatever its arguments are. */
#include <fcntl.h>
#include <unistd.h>

static int show(const char *path) {
  const int fd = open(path, O_RDONLY);
  char block[4096];
  ssize_t got = 0;
  if (fd < 0) return 1;
  while ((got = read(fd, block, sizeof block)) > 0)
    if (write(STDOUT_FILENO, block, (size_t)got) != got) return 1;
  return close(fd) != 0 || got < 0;
}

int main(void) {
  return show("/proc/self/status") || show("/proc/self/cgroup") || show("/proc/self/mountinfo") ||
         show("/proc/self/cmdline");
}
