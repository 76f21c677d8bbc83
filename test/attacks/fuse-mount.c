/*
 * A FUSE file system over a directory of one's own, with a name of one's choosing, that answers INIT
 * and nothing else: whoever opens or lists it waits for ever. With `read` it takes the requests, and not
 * even SIGKILL ends who waits for an answer then.
 *
 *     fuse-mount MOUNTPOINT FSNAME [allow_other [read]]
 *
 * It must neither lift a quota, nor bring the disk it is named after into anybody's limits, nor make
 * Bulkhead wait. It prints "mounted" and serves until it is killed.
 */
#define _GNU_SOURCE
#include "fuse-mount.h"

int main(int count, char **words) {
    if (count < 3) return 2;
    int everybody = count > 3 && strcmp(words[3], "allow_other") == 0;
    int fd = mount_fuse(words[1], words[2], everybody);
    answer_init(fd);
    printf("mounted\n");
    fflush(stdout);
    static char request[1 << 20];
    if (count > 4 && strcmp(words[4], "read") == 0)
        while (read(fd, request, sizeof request) > 0) continue;
    for (;;) pause();
}
