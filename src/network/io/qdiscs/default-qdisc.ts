/**
 * `net.core.default_qdisc`: what devices get that come later. It is the host's; containers have no such file.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import type { Problem } from '../../../../packages/base/problem.ts';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import type { Paths } from '../../../host/paths.ts';
import type { QdiscRecord } from '../../core/qdiscs/record.ts';
import { writeQdiscRecord } from './record-file.ts';

const fileOf = ({ proc }: Paths) => `${proc}/sys/net/core/default_qdisc`;

const read = (paths: Paths): string | undefined => readText(fileOf(paths))?.trim();

/** Sets fq, once. What somebody sets after us stays. Returns what failed. */
export function setDefaultQdisc(paths: Paths, record: QdiscRecord): readonly Problem[] {
  const now = read(paths);
  if (now === undefined || now === 'fq' || record.defaultQdisc !== undefined) return [];
  const noted = writeQdiscRecord(paths, { ...record, defaultQdisc: now });
  if (!noted.ok) return [noted.error];
  const failure = write(paths, 'fq');
  if (failure === undefined) return [];
  const undone = writeQdiscRecord(paths, record);
  return [failure, ...(undone.ok ? [] : [undone.error])];
}

interface Restored {
  readonly left: Pick<QdiscRecord, 'defaultQdisc'>;
  readonly problems: readonly Problem[];
}

/** Puts back what was there, if it is still fq. */
export function restoreDefaultQdisc(paths: Paths, before: string | undefined): Restored {
  if (before === undefined || read(paths) !== 'fq') return { left: {}, problems: [] };
  const failure = write(paths, before);
  return failure === undefined
    ? { left: {}, problems: [] }
    : { left: { defaultQdisc: before }, problems: [failure] };
}

function write(paths: Paths, kind: string): Problem | undefined {
  const { O_WRONLY, O_TRUNC, O_NOFOLLOW } = constants;
  try {
    const fd = openSync(fileOf(paths), O_WRONLY | O_TRUNC | O_NOFOLLOW);
    try {
      writeSync(fd, `${kind}\n`);
    } finally {
      closeSync(fd);
    }
    return undefined;
  } catch (error) {
    return { ...causeOf(error), action: 'set net.core.default_qdisc to', object: kind };
  }
}
