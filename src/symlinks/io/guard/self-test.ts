/**
 * The self-test of the guard: this thread takes a group that nobody has, which each generation of the programs refuses,
 * and opens two links of an owner that nobody is. It stays root otherwise, so that nothing else can be the reason of a
 * refusal.
 */
import { closeSync, lchownSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cause, Errno } from '../../../../packages/base/problem.ts';
import { neverCalled, selfTestId } from '../../../sys/bpf/self-test.ts';
import { causeOf, errnoOf } from '../../../../packages/base/io/errno.ts';
import { privateDirectory } from '../../../../packages/base/io/private-directory.ts';
import { setFileGid } from '../../../sys/syscalls.ts';

/** Uids that no account has, below those that the kernel keeps. */
const owner = 0xfff0_0001;
const otherOwner = 0xfff0_0002;

/** Returns the group of a generation's self-test, far above the groups of accounts. */
export const selfTestGroup = (generation: string): number =>
  selfTestId(generation, { first: 0xf000_0000, count: 0x0ff0_0000 });

/** Runs the self-test; returns the reason if the guard cannot be relied on. */
export function guardSelfTestProblem(group: number): Cause | undefined {
  try {
    using directory = privateDirectory('/run');
    const [own, other] = ['own', 'other'].map((name) => join(directory.path, name)) as [
      string,
      string,
    ];
    makeLink(own, owner);
    makeLink(other, otherOwner);
    const refused = { own: openAs(group, `${own}-link`), other: openAs(group, `${other}-link`) };
    return judge(refused.own, refused.other);
  } catch (error) {
    const cause = causeOf(error);
    return { ...cause, reason: `it cannot be tried whether it refuses: ${cause.reason}` };
  }
}

function makeLink(path: string, fileOwner: number): void {
  writeFileSync(path, '', { flag: 'wx', mode: 0o600 });
  symlinkSync(path, `${path}-link`);
  lchownSync(path, fileOwner, fileOwner);
  lchownSync(`${path}-link`, owner, owner);
}

/** Returns the error of opening it with this group, if there is one. */
function openAs(group: number, path: string): Errno | undefined {
  setFileGid(group);
  try {
    closeSync(openSync(path, 'r'));
    return undefined;
  } catch (error) {
    return errnoOf(error);
  } finally {
    setFileGid(process.getegid?.() ?? 0);
  }
}

function judge(own: Errno | undefined, other: Errno | undefined): Cause | undefined {
  if (own !== undefined)
    return { reason: `a link that should be followed was refused: ${own}`, errno: own };
  if (other === 'EACCES') return undefined;
  const followed = neverCalled('a link that should be refused was followed');
  if (other === undefined) return followed;
  return { ...followed, reason: `a link that should be refused failed otherwise: ${other}` };
}
