/*
 * Each way in which a process can try to reach an address and port, as a line: its name, a tab, and "through", "refused"
 * (EPERM), "impossible" (this kernel or account has no such way), or "silence". It becomes the uid first, and makes one
 * socket before.
 *
 *     network-ways UID IPV4 IPV6 PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#define IPPROTO_UDPLITE_NUMBER 136
#define ROUTING_HEADER 57
#define FAST_OPEN_CONNECT 30
#define ESTABLISHED 1 /* net/tcp_states.h */
#define WAIT_MS 30000
/* Ways that few hosts have: most say nothing to what they do not know. */
#define SILENT_WAIT_MS 1000

enum result { THROUGH, REFUSED, IMPOSSIBLE, SILENCE };
static const char *const results[] = { "through", "refused", "impossible", "silence" };

static struct sockaddr_in to4;
static struct sockaddr_in6 to6, mapped;
/* Made before the process became the tenant's. */
static int of_root = -1;

static enum result failed(void)
{
  if (errno == EPERM || errno == EACCES)
    return REFUSED;
  return IMPOSSIBLE;
}

static int wait_ms = WAIT_MS;

/* Waits for the end of a handshake. */
static enum result outcome(int fd)
{
  struct pollfd polled = { .fd = fd, .events = POLLOUT };
  struct tcp_info info = {};
  socklen_t length = sizeof(info), error_length = sizeof(int);
  int error = 0;

  poll(&polled, 1, wait_ms);
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_length);
  if (error) {
    errno = error;
    return failed();
  }
  if (!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) && info.tcpi_state != ESTABLISHED)
    return SILENCE;
  return polled.revents & POLLOUT ? THROUGH : SILENCE;
}

static enum result connecting(int fd, const void *to, socklen_t length)
{
  if (fd < 0)
    return IMPOSSIBLE;
  if (connect(fd, to, length) && errno != EINPROGRESS)
    return failed();
  return outcome(fd);
}

static int stream(int family, int protocol)
{
  return socket(family, SOCK_STREAM | SOCK_NONBLOCK, protocol);
}

static enum result tcp(void) { return connecting(stream(AF_INET, 0), &to4, sizeof(to4)); }
static enum result tcp6(void) { return connecting(stream(AF_INET6, 0), &to6, sizeof(to6)); }
static enum result tcp_mapped(void) { return connecting(stream(AF_INET6, 0), &mapped, sizeof(mapped)); }
static enum result mptcp(void) { return connecting(stream(AF_INET, IPPROTO_MPTCP), &to4, sizeof(to4)); }
static enum result mptcp6(void) { return connecting(stream(AF_INET6, IPPROTO_MPTCP), &to6, sizeof(to6)); }
static enum result mptcp_mapped(void) { return connecting(stream(AF_INET6, IPPROTO_MPTCP), &mapped, sizeof(mapped)); }

static enum result by_other_protocol(int type, int protocol)
{
  wait_ms = SILENT_WAIT_MS;
  return connecting(socket(AF_INET, type | SOCK_NONBLOCK, protocol), &to4, sizeof(to4));
}
static enum result sctp(void) { return by_other_protocol(SOCK_STREAM, IPPROTO_SCTP); }
static enum result dccp(void) { return by_other_protocol(6 /* SOCK_DCCP */, 33); }

static enum result roots(void) { return connecting(of_root, &to4, sizeof(to4)); }

static enum result with_routing(int type)
{
  unsigned char header[24] = { 0, 2, 0, 1 };
  int fd = stream(AF_INET6, 0);

  wait_ms = SILENT_WAIT_MS;
  header[2] = type;
  header[3] = type == 2;
  memcpy(header + 8, &to6.sin6_addr, 16);
  if (setsockopt(fd, IPPROTO_IPV6, ROUTING_HEADER, header, sizeof(header)))
    return IMPOSSIBLE;
  return connecting(fd, &to6, sizeof(to6));
}
static enum result routed(void) { return with_routing(2); }
static enum result segment_routed(void) { return with_routing(4); }

static enum result with_options(void)
{
  unsigned char header[8] = { 0, 0, 1, 4 };
  int fd = stream(AF_INET6, 0);

  wait_ms = SILENT_WAIT_MS;
  if (setsockopt(fd, IPPROTO_IPV6, 59 /* IPV6_DSTOPTS */, header, sizeof(header)))
    return IMPOSSIBLE;
  return connecting(fd, &to6, sizeof(to6));
}

static enum result fast_opening(int fd, const void *to, socklen_t length)
{
  if (fd < 0)
    return IMPOSSIBLE;
  if (sendto(fd, "EHLO\r\n", 6, MSG_FASTOPEN, to, length) < 0 && errno != EINPROGRESS)
    return failed();
  return outcome(fd);
}
static enum result fast_open(void) { return fast_opening(stream(AF_INET, 0), &to4, sizeof(to4)); }
static enum result fast_open6(void) { return fast_opening(stream(AF_INET6, 0), &to6, sizeof(to6)); }
static enum result fast_open_mapped(void) { return fast_opening(stream(AF_INET6, 0), &mapped, sizeof(mapped)); }
static enum result fast_open_mptcp(void) { return fast_opening(stream(AF_INET, IPPROTO_MPTCP), &to4, sizeof(to4)); }
static enum result fast_open_roots(void) { return fast_opening(of_root, &to4, sizeof(to4)); }

static enum result fast_open_option(void)
{
  int fd = stream(AF_INET, 0), yes = 1;

  if (setsockopt(fd, IPPROTO_TCP, FAST_OPEN_CONNECT, &yes, sizeof(yes)))
    return IMPOSSIBLE;
  if (connect(fd, (void *)&to4, sizeof(to4)) && errno != EINPROGRESS)
    return failed();
  if (write(fd, "EHLO\r\n", 6) < 0 && errno != EINPROGRESS && errno != EAGAIN)
    return failed();
  return outcome(fd);
}

/* Submits one request to a new ring, and waits for its result. */
static int submitted(struct io_uring_sqe request, unsigned flags)
{
  struct io_uring_params params = { .flags = flags, .sq_thread_idle = 1000 };
  int ring = syscall(SYS_io_uring_setup, 4, &params), tries;
  char *queue, *done;
  struct io_uring_sqe *requests;
  unsigned *head, *tail, *array;

  if (ring < 0)
    return -ENOSYS;
  queue = mmap(0, params.sq_off.array + params.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
  done = mmap(0, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
  requests = mmap(0, params.sq_entries * sizeof(*requests), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
  if (queue == MAP_FAILED || done == MAP_FAILED || requests == MAP_FAILED)
    return -ENOSYS;
  tail = (unsigned *)(queue + params.sq_off.tail);
  array = (unsigned *)(queue + params.sq_off.array);
  requests[0] = request;
  array[0] = 0;
  __atomic_store_n(tail, 1, __ATOMIC_RELEASE);
  syscall(SYS_io_uring_enter, ring, 1, 0, flags & IORING_SETUP_SQPOLL ? IORING_ENTER_SQ_WAKEUP : 0, 0, 0);
  head = (unsigned *)(done + params.cq_off.tail);
  for (tries = 0; tries < wait_ms; tries++) {
    if (__atomic_load_n(head, __ATOMIC_ACQUIRE))
      return ((struct io_uring_cqe *)(done + params.cq_off.cqes))->res;
    usleep(1000);
  }
  return -ETIMEDOUT;
}

static enum result ring_outcome(int fd, int result)
{
  if (result == -ETIMEDOUT)
    return SILENCE;
  if (result < 0 && result != -EINPROGRESS) {
    errno = -result;
    return failed();
  }
  return outcome(fd);
}

static enum result ring_connecting(unsigned flags)
{
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct io_uring_sqe request = { .opcode = IORING_OP_CONNECT, .fd = fd, .addr = (unsigned long)&to4, .off = sizeof(to4) };

  return ring_outcome(fd, submitted(request, flags));
}
static enum result ring_connect(void) { return ring_connecting(0); }

static enum result ring_thread_connect(void)
{
  wait_ms = SILENT_WAIT_MS;
  return ring_connecting(IORING_SETUP_SQPOLL);
}

static enum result ring_fast_open(void)
{
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct iovec text = { "EHLO\r\n", 6 };
  struct msghdr message = { .msg_name = &to4, .msg_namelen = sizeof(to4), .msg_iov = &text, .msg_iovlen = 1 };
  struct io_uring_sqe request = { .opcode = IORING_OP_SENDMSG, .fd = fd, .addr = (unsigned long)&message, .len = 1, .msg_flags = MSG_FASTOPEN };

  return ring_outcome(fd, submitted(request, 0));
}

/* A socket that is kept while the process leaves the network of the host. */
static enum result kept_from_outside(void)
{
  int fd = stream(AF_INET, 0);

  wait_ms = SILENT_WAIT_MS;
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
    return IMPOSSIBLE;
  return connecting(fd, &to4, sizeof(to4));
}

static enum result own_network(void)
{
  wait_ms = SILENT_WAIT_MS;
  return unshare(CLONE_NEWUSER | CLONE_NEWNET) ? IMPOSSIBLE : tcp();
}

static enum result raw(void) { return socket(AF_INET, SOCK_RAW, IPPROTO_TCP) < 0 ? REFUSED : THROUGH; }
static enum result packet(void) { return socket(AF_PACKET, SOCK_RAW, htons(3)) < 0 ? REFUSED : THROUGH; }

static enum result datagram(int family, int protocol, const void *to, socklen_t length)
{
  int fd = socket(family, SOCK_DGRAM, protocol);

  if (fd < 0)
    return IMPOSSIBLE;
  return sendto(fd, "x", 1, 0, to, length) < 0 ? failed() : THROUGH;
}
static enum result udp(void) { return datagram(AF_INET, 0, &to4, sizeof(to4)); }
static enum result udp6(void) { return datagram(AF_INET6, 0, &to6, sizeof(to6)); }
static enum result udp_mapped(void) { return datagram(AF_INET6, 0, &mapped, sizeof(mapped)); }
static enum result udp4_of_6(void) { return datagram(AF_INET6, 0, &to4, sizeof(to4)); }
static enum result udplite(void) { return datagram(AF_INET, IPPROTO_UDPLITE_NUMBER, &to4, sizeof(to4)); }

static enum result udp_connected(void)
{
  int fd = socket(AF_INET, SOCK_DGRAM, 0);

  if (connect(fd, (void *)&to4, sizeof(to4)) || send(fd, "x", 1, 0) < 0)
    return failed();
  return THROUGH;
}

static const struct {
  const char *name;
  enum result (*run)(void);
} ways[] = {
  { "tcp", tcp }, { "tcp6", tcp6 }, { "tcp mapped", tcp_mapped },
  { "tcp6 routing header", routed }, { "tcp6 segment routing", segment_routed }, { "tcp6 options", with_options },
  { "mptcp", mptcp }, { "mptcp6", mptcp6 }, { "mptcp mapped", mptcp_mapped }, { "sctp", sctp }, { "dccp", dccp },
  { "fast open", fast_open }, { "fast open 6", fast_open6 }, { "fast open mapped", fast_open_mapped },
  { "fast open mptcp", fast_open_mptcp }, { "fast open option", fast_open_option },
  { "io_uring", ring_connect }, { "io_uring thread", ring_thread_connect }, { "io_uring fast open", ring_fast_open },
  { "root's socket", roots }, { "root's socket, fast open", fast_open_roots },
  { "kept socket", kept_from_outside }, { "own network", own_network }, { "raw", raw }, { "packet", packet },
  { "udp", udp }, { "udp6", udp6 }, { "udp mapped", udp_mapped }, { "udp ipv4 of an ipv6 socket", udp4_of_6 },
  { "udp connected", udp_connected }, { "udplite", udplite },
};

int main(int count, char **words)
{
  unsigned at;

  if (count != 5)
    return 2;
  to4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(atoi(words[4])) };
  to6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(atoi(words[4])) };
  if (inet_pton(AF_INET, words[2], &to4.sin_addr) != 1 || inet_pton(AF_INET6, words[3], &to6.sin6_addr) != 1)
    return 2;
  mapped = to6;
  memset(&mapped.sin6_addr, 0, 10);
  memset((char *)&mapped.sin6_addr + 10, 0xff, 2);
  memcpy((char *)&mapped.sin6_addr + 12, &to4.sin_addr, 4);
  for (at = 0; at < sizeof(ways) / sizeof(*ways); at++) {
    pid_t child = fork();
    uid_t uid = atoi(words[1]);

    if (!child) {
      enum result result;

      of_root = stream(AF_INET, 0);
      if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
        _exit(2);
      result = ways[at].run();
      printf("%s\t%s\n", ways[at].name, results[result]);
      fflush(stdout);
      _exit(0);
    }
    waitpid(child, 0, 0);
  }
  return 0;
}
