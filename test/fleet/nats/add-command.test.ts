/** `bulkhead fleet server add`: what it writes, and what it refuses. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { FleetServerAddJson } from '../../../src/fleet/commands/json.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { done, modeOf, run } from './fleet-command.ts';
import { skipWithoutNats } from './servers.ts';

const names = ['nats-1.example.org', 'nats-2.example.org', 'nats-3.example.org'];

suite('bulkhead fleet server add', { skip: skipWithoutNats }, () => {
  const one = suiteDirectory('fleet-server-add');

  test('makes three of one, with what the hosts of before know', async () => {
    const add = (...more: readonly string[]) =>
      run('server', 'add', '--directory', one, '--json', ...more);
    await done('server', 'init', '--name', 'example', '--directory', one, names[0] ?? '');
    await done('host', 'add', '--directory', one, 'web-1');
    const text = (name: string) => readFileSync(join(one, name), 'utf8');
    const before = text('servers.json');
    for (const [addresses, reason] of [
      [['nats-2.example.org'], /two more/],
      [names.slice(0, 2), /already/],
      [['nats-2.example.org', '10.0.0.1'], /not a DNS name/],
    ] as const) {
      const { status, stderr } = await add(...addresses);
      assert.equal(status, 1);
      assert.match(stderr, reason);
    }
    renameSync(join(one, 'ca.key'), join(one, 'away'));
    assert.match((await add(...names.slice(1))).stderr, /did not keep the key/);
    assert.equal(text('servers.json'), before);
    renameSync(join(one, 'away'), join(one, 'ca.key'));
    const said = await add(...names.slice(1));
    assert.equal(said.status, 0, said.stderr);
    const shown = jsonOf<FleetServerAddJson>('fleet server add', said.stdout);
    assert.deepEqual([shown.servers, shown.without], [names, []]);
    for (const name of names) {
      assert.match(text(`servers/${name}/nats.conf`), /nats-route:\/\/nats-3\.example\.org/);
      assert.equal(text(`servers/${name}/ca.pem`), text(`servers/${names[0]}/ca.pem`));
    }
    for (const name of ['centre.json', 'credentials/web-1.json'])
      assert.match(text(name), /"servers":\["tls:\/\/nats-1[^\]]*nats-3\.example\.org:4222"\]/);
    for (const name of ['ca.key', 'centre.json', 'servers.json', 'credentials/web-1.json'])
      assert.equal(modeOf(join(one, name)), '600');
    assert.match(
      (await add('nats-4.example.org', 'nats-5.example.org')).stderr,
      /it has 3 servers/,
    );
  });
});
