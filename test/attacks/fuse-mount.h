/*
 * How a FUSE file system is mounted without a library: by fusermount3, which is setuid root, or as root by mount(2) with
 * the arguments that fusermount3 uses, as uid $FUSE_UID.
 */
#ifndef FUSE_MOUNT_H
#define FUSE_MOUNT_H
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what) {
    fprintf(stderr, "FUSE: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int mount_directly(const char *place, const char *name, int everybody) {
    const char *text = getenv("FUSE_UID");
    unsigned uid = text == NULL ? 0 : (unsigned)strtoul(text, NULL, 10);
    int fd = open("/dev/fuse", O_RDWR);
    if (fd < 0) fail("/dev/fuse");
    char options[256];
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u%s", fd, uid, uid,
             everybody ? ",allow_other" : "");
    if (mount(name, place, "fuse", MS_NOSUID | MS_NODEV, options) != 0) fail("mount");
    return fd;
}

static int receive(int socket) {
    char byte, space[CMSG_SPACE(sizeof(int))];
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    if (recvmsg(socket, &message, 0) <= 0) fail("nothing came from fusermount3");
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL) fail("no descriptor came from fusermount3");
    int fd;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

static int mount_by_helper(const char *place, const char *name, int everybody) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) fail("socketpair");
    pid_t child = fork();
    if (child == 0) {
        char number[16], options[256];
        snprintf(number, sizeof number, "%d", pair[0]);
        snprintf(options, sizeof options, "fsname=%s%s", name, everybody ? ",allow_other" : "");
        setenv("_FUSE_COMMFD", number, 1);
        execlp("fusermount3", "fusermount3", "-o", options, "--", place, (char *)NULL);
        fail("fusermount3");
    }
    close(pair[0]);
    int fd = receive(pair[1]);
    waitpid(child, NULL, 0);
    return fd;
}

static void answer_init(int fd) {
    static char request[1 << 20];
    if (read(fd, request, sizeof request) < 0) fail("read");
    struct fuse_in_header *in = (struct fuse_in_header *)request;
    struct fuse_init_in *asked = (struct fuse_init_in *)(in + 1);
    struct {
        struct fuse_out_header header;
        struct fuse_init_out body;
    } out;
    memset(&out, 0, sizeof out);
    out.header.len = sizeof out;
    out.header.unique = in->unique;
    out.body.major = FUSE_KERNEL_VERSION;
    out.body.minor = asked->minor;
    out.body.max_write = 4096;
    if (write(fd, &out, sizeof out) < 0) fail("write");
}

static int mount_fuse(const char *place, const char *name, int everybody) {
    return geteuid() == 0 ? mount_directly(place, name, everybody)
                          : mount_by_helper(place, name, everybody);
}

#endif
