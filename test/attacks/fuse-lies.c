/*
 * A FUSE file system of one name, "x", that says of it what it likes:
 *
 *     fuse-lies MOUNTPOINT link UID TARGET     a symbolic link of that owner
 *     fuse-lies MOUNTPOINT file FIRST SECOND   a file with the contents of FIRST when it is read from its beginning for the
 *                                              first time after it was opened, and of SECOND the next time
 *
 * The contents are as long as the longer one; the shorter is followed by zeros. It prints "mounted", serves until it is
 * killed, and says each time that a file is read from its beginning.
 */
#define _GNU_SOURCE
#include "fuse-mount.h"
#include <stdint.h>
#include <sys/stat.h>

enum { ROOT = 1, NAME = 2 };

static const char *target;
static unsigned owner;
static char *contents[2];
static size_t length;
static int next_content = 1, served;

static void answer(int fd, uint64_t unique, int error, const void *body, size_t bytes) {
    static char out[1 << 18];
    struct fuse_out_header header = {
        .len = sizeof header + bytes, .error = error, .unique = unique};
    memcpy(out, &header, sizeof header);
    if (bytes > 0) memcpy(out + sizeof header, body, bytes);
    if (write(fd, out, header.len) < 0 && errno != ENOENT) fail("write");
}

static struct fuse_attr attributes(uint64_t node) {
    struct fuse_attr attr = {.ino = node, .nlink = 1, .blksize = 4096};
    if (node == ROOT) {
        attr.mode = S_IFDIR | 0755;
        attr.uid = getuid();
    } else if (target != NULL) {
        attr.mode = S_IFLNK | 0777;
        attr.uid = owner;
        attr.size = strlen(target);
    } else {
        attr.mode = S_IFREG | 0644;
        attr.size = length;
    }
    return attr;
}

static void read_file(int fd, struct fuse_in_header *in) {
    struct fuse_read_in *asked = (struct fuse_read_in *)(in + 1);
    size_t bytes = asked->offset >= length ? 0 : length - asked->offset;

    if (asked->offset == 0) {
        next_content = !next_content;
        printf("read %d\n", ++served);
        fflush(stdout);
    }
    if (bytes > asked->size) bytes = asked->size;
    answer(fd, in->unique, 0, contents[next_content] + asked->offset, bytes);
}

static void serve(int fd, struct fuse_in_header *in) {
    const char *name = (const char *)(in + 1);
    struct fuse_entry_out entry = {.nodeid = NAME, .attr = attributes(NAME)};
    struct fuse_attr_out attr = {.attr = attributes(in->nodeid)};
    struct fuse_open_out opened = {.open_flags = FOPEN_DIRECT_IO};

    switch (in->opcode) {
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        return;
    case FUSE_LOOKUP:
        if (strcmp(name, "x") == 0) answer(fd, in->unique, 0, &entry, sizeof entry);
        else answer(fd, in->unique, -ENOENT, NULL, 0);
        return;
    case FUSE_GETATTR:
        answer(fd, in->unique, 0, &attr, sizeof attr);
        return;
    case FUSE_READLINK:
        answer(fd, in->unique, 0, target, strlen(target));
        return;
    case FUSE_OPEN:
        next_content = 1;
        answer(fd, in->unique, 0, &opened, sizeof opened);
        return;
    case FUSE_READ:
        read_file(fd, in);
        return;
    case FUSE_RELEASE:
    case FUSE_FLUSH:
        answer(fd, in->unique, 0, NULL, 0);
        return;
    default:
        answer(fd, in->unique, -ENOSYS, NULL, 0);
    }
}

static size_t load(const char *path, char **into) {
    int fd = open(path, O_RDONLY);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) fail(path);
    *into = calloc(1, 1 << 24);
    if (*into == NULL || read(fd, *into, info.st_size) != info.st_size) fail(path);
    close(fd);
    return info.st_size;
}

int main(int count, char **words) {
    static char request[1 << 20];
    if (count != 5) return 2;
    if (strcmp(words[2], "link") == 0) {
        owner = (unsigned)strtoul(words[3], NULL, 10);
        target = words[4];
    } else {
        size_t first = load(words[3], &contents[0]), second = load(words[4], &contents[1]);
        length = first > second ? first : second;
    }
    int fd = mount_fuse(words[1], "lies", 1);
    answer_init(fd);
    printf("mounted\n");
    fflush(stdout);
    while (read(fd, request, sizeof request) > 0) serve(fd, (struct fuse_in_header *)request);
    return 0;
}
