/**
 * Pseudo terminals by FFI: text that a program writes to one side comes out of the other, as if somebody typed it.
 *
 * Sources: pts(4), ioctl_tty(2), asm-generic/ioctls.h.
 */
import { closeSync, constants, openSync } from 'node:fs';
import koffi from 'koffi';
import { failed, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import { causeOf, errnoName } from '../../packages/base/io/errno.ts';

const libc = koffi.load('libc.so.6');
const cIoctl = libc.func('int ioctl(int fd, unsigned long request, void *value)');
const ioctlOfNumber = libc.func('int ioctl(int fd, unsigned long request, unsigned long value)');

const requests = {
  TCGETS: 0x5401,
  TCSETS: 0x5402,
  TCFLSH: 0x540b,
  TIOCGWINSZ: 0x5413,
  TIOCSWINSZ: 0x5414,
  TIOCGPTPEER: 0x5441,
  TIOCSPTLCK: 0x40045431,
} as const;
const TCIFLUSH = 0;
const O_CLOEXEC = 0o2000000;
/** struct termios and struct winsize, with room to spare. */
const settingsBytes = 64;

export interface TerminalPair {
  /** Our side: reads return the program's output, and writes are its input. Never waits. */
  readonly master: number;
  /** The program's side. */
  readonly slave: number;
}

export function openTerminalPair(): Result<TerminalPair, Problem> {
  const cannot = { action: 'open', object: '/dev/ptmx' };
  const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;
  let master: number;
  try {
    master = openSync('/dev/ptmx', O_RDWR | O_NOCTTY | O_NONBLOCK);
  } catch (error) {
    const cause = causeOf(error);
    const hint = 'all terminals are in use; see kernel.pty.max';
    return failed({ ...cannot, ...cause, ...(cause.errno === 'ENOSPC' && { hint }) });
  }
  const unlocked = cIoctl(master, requests.TIOCSPTLCK, new Int32Array(1));
  const flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
  const slave = unlocked < 0 ? -1 : ioctlOfNumber(master, requests.TIOCGPTPEER, flags);
  if (slave >= 0) return ok({ master, slave });
  const errno = errnoName(koffi.errno());
  closeSync(master);
  return failed({ ...cannot, reason: 'the other side of the terminal cannot be opened', errno });
}

/** Copies the modes of a terminal, such as how it erases, to another. */
export function copyTerminalModes(from: number, to: number): void {
  const modes = new Uint8Array(settingsBytes);
  if (cIoctl(from, requests.TCGETS, modes) === 0) cIoctl(to, requests.TCSETS, modes);
}

/** Copies rows and columns; the other terminal's programs get SIGWINCH if these have changed. */
export function copyTerminalSize(from: number, to: number): void {
  const size = new Uint8Array(settingsBytes);
  if (cIoctl(from, requests.TIOCGWINSZ, size) === 0) cIoctl(to, requests.TIOCSWINSZ, size);
}

/** Discards typed input that was not read yet. */
export const discardInput = (terminal: number): void =>
  void ioctlOfNumber(terminal, requests.TCFLSH, TCIFLUSH);
