/** The stage of attacks whose programs run in a directory. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { attacks } from '../../src/prove/attacks/attacks.ts';
import type { Attack, Stage } from '../../src/prove/core/attack.ts';
import { otherHost } from '../../src/prove/core/other-host.ts';
import { attackerLimits } from '../../src/prove/core/scratch-policy.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

export const scratch = suiteDirectory('prove-attacks', '/var/tmp');

export const at = (name: string) => join(scratch, name);

export const stage: Stage = {
  architecture: 'x64',
  cores: 2,
  uids: { attacker: 65_600, neighbour: 65_601, control: 65_602, server: 65_603 },
  homes: { attacker: at('attacker'), neighbour: at('neighbour'), control: at('control') },
  sites: { attacker: at('attacker-site'), neighbour: at('neighbour-site') },
  shared: at('shared'),
  hidden: at('hidden'),
  neighbour: process.pid,
  socket: 'bulkhead-no-such-socket',
  neighbourPort: 9,
  keptPort: 9,
  other: otherHost(1),
  otherMissing: undefined,
  sendLimit: undefined,
  limits: attackerLimits,
  jailed: false,
  landlocked: false,
  cgroups: {
    attacker: [at('cgroup/u1')],
    neighbour: [at('cgroup/u2')],
    control: [at('cgroup/u3')],
    top: [at('cgroup')],
  },
  accountHomes: [],
  descriptorsMax: 100,
  availableBytes: 2 ** 33,
  freeBytes: 2 ** 33,
  node: [process.execPath, 'koffi'],
};

export const byName = (name: string): Attack => {
  const found = attacks.find((each) => each.name === name);
  assert.ok(found, name);
  return found;
};
