/**
 * The self-test of the programs: a uid of nobody's may not connect, and none of its packets leaves; its neighbour may do
 * both. It is tried on loopback by datagrams, so nothing reaches another host.
 */
import { closeSync } from 'node:fs';
import type { Cause } from '../../../../packages/base/problem.ts';
import { formatErrno } from '../../../../packages/base/io/errno.ts';
import { selfTestId } from '../../../sys/bpf/self-test.ts';
import { setFileUid, setThreadUids } from '../../../sys/syscalls.ts';
import { connectSocket, openSocket, sendTo } from '../../../sys/sockets/socket-calls.ts';

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
/** 127.0.0.1, the port that discards. */
const address = Uint8Array.of(AF_INET, 0, 0, 9, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
/** Leaves a uid as it is. */
const same = 0xffff_ffff;

/** The uids of tests; their neighbours come after them. */
const uids = { first: 0xfff2_0000, count: 0x7fff };

/** Returns the uid of a generation's test, below those that the kernel reserves. */
export const canaryUid = (generation: string): number => selfTestId(generation, uids);

/** Returns why the programs cannot be relied on. */
export function networkSelfTestProblem(generation: string): Cause | undefined {
  const canary = canaryUid(generation);
  const neighbor = canary + uids.count + 1;
  const tried = [
    { what: 'a connection', refused: connectAs(canary), passed: connectAs(neighbor) },
    { what: 'a packet', refused: sendAs(canary), passed: sendAs(neighbor) },
  ];
  for (const { what, refused, passed } of tried) {
    if (passed !== undefined)
      return { reason: `it cannot be tried: ${what} on loopback failed: ${passed}` };
    if (refused === undefined)
      return {
        reason: `the kernel took the programs and does not ask them: ${what} that should be refused was not`,
        hint: 'see whether this process is in a container',
      };
    if (refused !== formatErrno('EPERM'))
      return { reason: `${what} that should be refused failed otherwise: ${refused}` };
  }
  return undefined;
}

/** Calls `use` with a socket, and returns the error, if there is one. */
function withSocket(use: (fd: number) => string | undefined): string | undefined {
  const opened = openSocket(AF_INET, SOCK_DGRAM_CLOEXEC, 0);
  if ('error' in opened) return formatErrno(opened.error);
  try {
    return use(opened.fd);
  } finally {
    closeSync(opened.fd);
  }
}

/** The real uid of the caller counts. */
const connectAs = (uid: number): string | undefined =>
  withSocket((fd) => {
    const own = process.getuid?.() ?? 0;
    const problem = setThreadUids(uid, same, same);
    if (problem !== undefined) return formatErrno(problem);
    try {
      const errno = connectSocket(fd, address);
      return errno === undefined ? undefined : formatErrno(errno);
    } finally {
      setThreadUids(own, same, same);
    }
  });

/** The uid with which the socket was made counts. */
function sendAs(uid: number): string | undefined {
  const own = process.geteuid?.() ?? 0;
  setFileUid(uid);
  try {
    return withSocket((fd) => {
      const errno = sendTo(fd, Uint8Array.of(0), address);
      return errno === undefined ? undefined : formatErrno(errno);
    });
  } finally {
    setFileUid(own);
  }
}
