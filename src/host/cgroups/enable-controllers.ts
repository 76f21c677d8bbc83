/**
 * Sets up the v2 tree without systemd: the controllers have to be enabled in the root cgroup's
 * `cgroup.subtree_control`. This only adds controllers and never removes one.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Controller } from '../../limits/limit.ts';
import { failed } from '../../../packages/base/problem.ts';
import { ok } from '../../../packages/base/result.ts';
import type { Delegation } from './cgroup-driver.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';

export function enableControllers(
  mountPoint: string,
  controllers: readonly Controller[],
): Delegation {
  const file = `${mountPoint}/cgroup.subtree_control`;
  const missing = () => {
    const enabled = new Set(readFileSync(file, 'utf8').split(/\s+/));
    return controllers.filter((each) => !enabled.has(each));
  };
  return {
    pending() {
      const names = missing();
      if (names.length === 0) return [];
      return [
        {
          id: 'controllers',
          summary: `controllers ${names.join(' ')} for cgroups below ${mountPoint}`,
          names: [names.join(' '), mountPoint],
        },
      ];
    },
    make() {
      try {
        writeFileSync(
          file,
          missing()
            .map((each) => `+${each}`)
            .join(' '),
        );
        return ok(undefined);
      } catch (error) {
        return failed({ action: 'enable controllers in', object: file, ...causeOf(error) });
      }
    },
    unmake: () => ok(undefined),
  };
}

/** v1 needs no set-up. */
export const noDelegation: Delegation = {
  pending: () => [],
  make: () => ok(undefined),
  unmake: () => ok(undefined),
};
