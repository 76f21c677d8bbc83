/*
 * A directory and a file for each of COUNT slices from uid FIRST on, on disk: what applying a policy to them cannot do
 * without.
 *
 *   slices-floor write|remove FIRST COUNT
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static const char text[] = "[Slice]\nCPUAccounting=yes\nIOAccounting=yes\nMemoryAccounting=yes\nTasksAccounting=yes\n"
  "CPUQuota=50%\nCPUQuotaPeriodSec=100ms\nCPUWeight=100\nMemoryHigh=infinity\nMemoryMax=209715200\n"
  "MemorySwapMax=0\nTasksMax=40\n";
int main(int argc, char **argv) {
  char name[128];
  int first = atoi(argv[2]), last = first + atoi(argv[3]);
  for (int uid = first; uid < last; uid++) {
    snprintf(name, sizeof name, "/etc/systemd/system/user-%d.slice.d", uid);
    char *end = name + strlen(name);
    if (*argv[1] == 'r') {
      strcpy(end, "/90-bare.conf");
      unlink(name);
      *end = 0;
      rmdir(name);
      continue;
    }
    if (mkdir(name, 0755)) return 1;
    strcpy(end, "/90-bare.conf");
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0 || write(fd, text, sizeof text - 1) < 0 || close(fd)) return 1;
  }
  int fd = open("/etc/systemd/system", O_RDONLY);
  return syncfs(fd);
}
