/** Attacks on a host in a fleet: by what fetches releases, by tenants, and by releases that ask for more than they may. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { HostStage } from '../fleet/host-stage.ts';
import { accountsObstacle, addSystemAccount, removeAccount } from './accounts-stage.ts';

const stage = new HostStage('bulkhead-fleet-attack', 897_200);
const { uids } = stage;
const [first = 0] = uids;
const skip = stage.skip === false ? accountsObstacle() : stage.skip;
const courier = 'bulkhead-fleet';
const limit = (processes: number) => `<defaults><processes limit="${processes}"/></defaults>`;

describe('attacks on a host in a fleet', { skip }, () => {
  let courierUid = 0;
  before(() => {
    courierUid = addSystemAccount(courier);
  });
  stage.register();
  after(() => removeAccount(courier));

  const unchanged = async () => {
    const { release, newestGeneration } = await stage.state();
    assert.equal(release?.generation, 5);
    assert.equal(newestGeneration, 5);
    assert.equal(stage.processesMax(first), '100');
  };
  const refused = async (bundle: string, reason: RegExp) => {
    const done = await stage.cli('accept', stage.file(bundle));
    assert.equal(done.status, 4, `${done.stderr}${done.stdout}`);
    assert.match(done.stderr, reason);
    await unchanged();
  };
  /** Changes the fields of a bundle, as nobody can who has no key. */
  const changed = (bundle: string, change: (fields: Record<string, unknown>) => object) =>
    JSON.stringify(change(JSON.parse(bundle) as Record<string, unknown>));

  test('the courier may hand over a release, and nothing else', async () => {
    const file = stage.release(5, limit(100), { watchSeconds: 1 });
    const done = await stage.cliAs(courierUid, 'accept', file, '--wait', '10min');
    assert.equal(done.status, 0, `${done.stderr}\n${stage.agent.log}`);
    for (const word of ['keep', 'back', 'resume']) {
      const asked = await stage.agent.ask(`/v1/fleet/${word}`, courierUid, 'POST');
      assert.equal(asked.status, 403, asked.text);
    }
    const hold = await stage.agent.ask('/v1/fleet/hold?seconds=600', courierUid, 'POST');
    assert.equal(hold.status, 403);
    assert.equal((await stage.agent.ask('/v1/fleet', courierUid)).status, 200);
    assert.equal((await stage.cli('keep')).status, 0);
  });

  test('a tenant can neither see nor change anything of it', async () => {
    assert.equal((await stage.agent.ask('/v1/fleet', first)).status, 403);
    for (const word of ['release', 'keep', 'back', 'resume', 'hold?seconds=600']) {
      const asked = await stage.agent.ask(`/v1/fleet/${word}`, first, 'POST');
      assert.equal(asked.status, 403, asked.text);
    }
    await unchanged();
  });

  test('junk is refused, and the courier has a pace', async () => {
    await refused('{}', /Cannot take the release/);
    await refused('[]', /Cannot take the release/);
    await refused('{"format":1}', /Cannot take the release/);
    await refused('{"format":7}', /its format 7 is newer/);
    await refused('\0'.repeat(1_000), /Cannot take the release/);
    const file = stage.file('{}');
    const texts: string[] = [];
    for (let each = 0; each < 8; each++)
      texts.push((await stage.cliAs(courierUid, 'accept', file)).stderr);
    assert.ok(
      texts.some((each) => each.includes('too many were handed over')),
      texts.join(''),
    );
    await unchanged();
  });

  test('an older release, another host and another fleet are refused', async () => {
    await refused(stage.bundle(4, limit(10)), /is older than 5/);
    const other = changed(stage.bundle(6, limit(10)), (fields) => {
      const twin = JSON.parse(stage.bundle(6, limit(10))) as { host: object };
      return { ...fields, host: { ...twin.host, document: '{}' } };
    });
    await refused(other, /not in the release/);
    await refused(stage.bundle(6, limit(10), { fleet: 'another' }), /for the fleet "another"/);
  });

  test('a policy that was not signed is refused, and a bomb is not unpacked', async () => {
    const bomb = zstdCompressSync(Buffer.alloc(2 ** 28)).toString('base64');
    for (const policy of [zstdCompressSync('<bulkhead version="1"/>').toString('base64'), bomb])
      await refused(
        changed(stage.bundle(6, limit(10)), (fields) => ({ ...fields, policy })),
        /the policy is not the one that was signed/,
      );
  });

  test('a release says nothing that root does not accept', async () => {
    const asks: readonly (readonly [policy: string, reason: RegExp])[] = [
      [`<defaults><jail profile="none"/></defaults>`, /add "no-jail" to "accept"/],
      [`<agent listen="127.0.0.1:9100" token="/etc/shadow"/>`, /<agent.*does not accept/],
      [
        `<agent><alerts><webhook to="administrator" url="http://192.0.2.1/"/></alerts></agent>`,
        /does not accept/,
      ],
      [`<fleet name="example" host="web-001" accept="agent"/>`, /does not accept/],
    ];
    let generation = 6;
    for (const [policy, reason] of asks) {
      const file = stage.release(generation++, policy);
      const done = await stage.cli('accept', file);
      assert.equal(done.status, 4, done.stderr);
      assert.match(done.stderr, reason);
      const { release, state } = await stage.state();
      assert.equal(state, 'refused');
      assert.equal(release?.generation, 5);
      assert.equal(stage.processesMax(first), '100');
    }
  });

  test('two releases at once, and one again and again, lead to one of them', async () => {
    const long = { watchSeconds: 3600 };
    const files = [20, 21, 22].map((each) => stage.release(each, limit(each), long));
    const done = await Promise.all(files.map((file) => stage.cli('accept', file)));
    const taken = done.filter(({ status }) => status === 0);
    assert.equal(taken.length, 1, done.map(({ stderr }) => stderr).join(''));
    const { release } = await stage.until('it watches', ({ state }) => state === 'watching');
    assert.equal(stage.processesMax(first), `${release?.generation}`);
    const changes = () => readFileSync(join(stage.directory, 'policy.xml'), 'utf8');
    const policy = changes();
    const same = files[(release?.generation ?? 20) - 20] ?? '';
    for (let each = 0; each < 5; each++) await stage.cli('accept', same);
    assert.equal(changes(), policy);
    assert.equal((await stage.state()).release?.phase, 'watching');
    assert.equal((await stage.cli('back')).status, 0);
    await stage.until('it is back', (state) => state.release?.generation === 5);
  });
});
