/**
 * The administrator's choice by `guard enable`, `enable --watch` or `disable`, in
 * /var/lib/bulkhead/symlinks-guard.json. Without a choice the guard is on if the policy has it.
 */
import type { Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { readBounded, decodeText } from '../../../../packages/base/io/regular-file.ts';
import { replaceStateFile } from '../../../../packages/base/io/replace-file.ts';
import type { GuardMode } from '../../core/guard/rule.ts';

export type GuardChoice = GuardMode | 'off';

/** Returns the path of the lock for reading the choice to act on it, and for changing it. */
export const choiceLock = ({ runtime }: Paths): string => `${runtime}/symlinks-guard.lock`;

const pathOf = ({ state }: Paths) => `${state}/symlinks-guard.json`;
const bytesMax = 4096;

export function readGuardChoice(paths: Paths): GuardChoice {
  const read = readBounded(pathOf(paths), bytesMax, { links: 'refuse' });
  if (!read.ok) return 'on';
  try {
    const { mode } = JSON.parse(decodeText(read.value)) as { readonly mode?: unknown };
    return mode === 'watch' || mode === 'off' ? mode : 'on';
  } catch {
    return 'on';
  }
}

export const writeChoice = (paths: Paths, mode: GuardChoice): Result<void, Problem> =>
  replaceStateFile(pathOf(paths), `${JSON.stringify({ mode })}\n`);
