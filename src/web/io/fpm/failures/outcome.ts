/**
 * The outcome of the last division, for later readers. The caller of a reload may be a panel, which shows its output to
 * nobody.
 *
 *     {"begun":true}                                                          /run/bulkhead/fpm-8.4.outcome
 *     {"problem":"Cannot use …","refused":[]}
 *     {"refused":[{"user":"alice","reason":"/etc/php/8.4/fpm/pool.d/alice.conf:9: …"}]}
 */
import { existsSync, globSync } from 'node:fs';
import type { Paths } from '../../../../host/paths.ts';
import { isPhpId } from '../../../../layouts/service-names.ts';
import { isLocked } from '../../../../sys/files/flock.ts';
import { readText } from '../../../../../packages/base/io/read.ts';
import { replaceFile } from '../../../../../packages/base/io/replace-file.ts';
import type { FpmFailure } from '../../../core/fpm/failures.ts';

export interface SplitOutcome {
  /** The division goes on, or was killed. */
  readonly begun?: true;
  readonly problem?: string;
  readonly refused?: readonly { readonly user: string; readonly reason: string }[];
}

type Runtime = Pick<Paths, 'runtime'>;

const pathOf = ({ runtime }: Runtime, php: string) => `${runtime}/fpm-${php}.outcome`;

/** Records the outcome. If it cannot be written, nobody learns of it later. */
export function recordOutcome(paths: Runtime, php: string, outcome: SplitOutcome): void {
  replaceFile(pathOf(paths, php), `${JSON.stringify(outcome)}\n`);
}

/** Returns what the last divisions left undone, for all PHP versions with tenants' services. */
export function outcomeFailures(
  paths: Pick<Paths, 'runtime' | 'etc' | 'instance'>,
): readonly FpmFailure[] {
  return globSync(pathOf(paths, '*')).flatMap((path): readonly FpmFailure[] => {
    const php = /\/fpm-([^/]+)\.outcome$/.exec(path)?.[1] ?? '';
    const outcome = parse(readText(path) ?? '');
    if (!isPhpId(php) || outcome === undefined) return [];
    if (!existsSync(`${paths.etc}/${paths.instance}/fpm/${php}/tenants`)) return [];
    const { begun, problem, refused = [] } = outcome;
    if (problem !== undefined) return [{ kind: 'division', php, reason: problem }];
    // Whoever divides holds the lock.
    if (begun === true && !isLocked(`${paths.runtime}/fpm-${php}.lock`))
      return [{ kind: 'division', php, reason: 'it did not come to its end' }];
    return refused.map(({ user, reason }) => ({ kind: 'refused', php, user, reason }));
  });
}

/** Parses the file, which is root's. A file from another version of Bulkhead is ignored. */
function parse(text: string): SplitOutcome | undefined {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === 'object' && found !== null ? found : undefined;
  } catch {
    return undefined;
  }
}
