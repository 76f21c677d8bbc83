/** `web entries disable` on a host without web servers and without entries. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { layouts } from '../../../src/layouts/layouts.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import { mainFile } from '../../../testing/program.ts';

const skip = process.geteuid?.() === 0 ? false : 'only root may hide the programs of this host';
const instance = 'bulkhead-entries-none';
const root = join(import.meta.dirname, '../../..');

after(() => {
  for (const each of ['/run', '/var/lib'])
    rmSync(`${each}/${instance}`, { recursive: true, force: true });
});

test(
  'web entries disable prints JSON if asked to, also when there is nothing to do',
  { skip },
  () => {
    const programs = layouts
      .flatMap(({ nginx, apache }) => [nginx ?? [], apache ?? []].flat())
      .map(({ program }) => program)
      .filter((program) => existsSync(program));
    const hidden = programs.map((each) => `mount --bind /dev/null ${each}`);
    const disable = (...args: readonly string[]) => {
      const run = `exec scripts/with-node ${mainFile} --instance ${instance} web entries disable ${args.join(' ')}`;
      const script = [...hidden, run].join(' && ');
      return spawnSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script], {
        cwd: root,
        encoding: 'utf8',
      });
    };
    assert.equal(disable().stdout, 'Entries are not enabled here\n');
    const { status, stdout, stderr } = disable('--json');
    assert.equal(status, 0, stderr);
    assert.deepEqual(jsonOf('web entries disable', stdout), { servers: [] });
  },
);
