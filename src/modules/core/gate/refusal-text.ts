/**
 * A refusal in a line: `2026-11-26T09:00:00.000Z lve.ko was refused: insmod (process 1234, uid 0),
 * SHA-256 …`.
 */
import { printable } from '../../../../packages/base/printable.ts';

export interface ShownRefusal {
  readonly name: string;
  readonly from: 'file' | 'memory';
  readonly command: string;
  readonly pid: number;
  readonly uid: number;
  readonly loaded: boolean;
  readonly sha256: string;
  /** Whether it was not hashed because its file system does not keep contents as they are. */
  readonly unstable?: boolean;
}

export function formatGateRefusal(refusal: ShownRefusal): string {
  const { name, from, command, pid, uid, loaded, sha256, unstable } = refusal;
  const what = from === 'memory' ? 'A module from memory' : name;
  const done = loaded ? 'is not on the list, and was loaded' : 'was refused';
  const shown = unstable === true ? `, ${unstableText}` : `, SHA-256 ${sha256}`;
  const digest = from === 'memory' ? '' : shown;
  return printable(`${what} ${done}: ${command} (process ${pid}, uid ${uid})${digest}`);
}

const unstableText =
  'no digest: it lies on a file system that a program or another host serves, or on an overlay, where it can be another file the next time';
