/** Enabling tenants' entries at a real Apache: what is missing, which files are written, and what undoes that. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { formatProblem } from '../../../packages/base/problem.ts';
import { eventually } from '../../../testing/patience.ts';
import { planApacheRemoval } from '../../../src/web/io/entries/apache.ts';
import { stagedSuite, type EntriesStage } from '../entries-stage.ts';
import { uids } from '../stage.ts';
import { apacheSites, three } from './apache-stage.ts';

await stagedSuite('enabling entries at Apache', suite);

function suite(stage: EntriesStage): void {
  const { at, apache, survey, plan, carriedOut, prepare, started, enabled, burst } =
    apacheSites(stage);

  test('web entries enable reports missing mod_qos, a missing include, and configuration errors', async () => {
    await prepare({ qos: false });
    const without = await plan(three);
    assert.ok(without.ok);
    assert.deepEqual(without.value.enforced, []);
    assert.match(
      without.value.notes[0]?.message ?? '',
      /mod_qos is not loaded.*apt-get install libapache2-mod-qos/,
    );
    await stage.clear();

    await prepare({ include: false });
    const not = await plan(three);
    assert.ok(not.ok);
    const [note] = not.value.notes;
    assert.match(
      note?.message ?? '',
      new RegExp(`IncludeOptional ${at(`bulkhead/u${uids.owner}.conf`)}`),
    );
    assert.deepEqual(note?.about, [`${at('vhosts/a.conf')}:1`]);

    stage.write('vhosts/broken.conf', '# nothing\nNonsense 1\n');
    const broken = await plan(three);
    assert.match(broken.ok ? '' : formatProblem(broken.error), /broken\.conf:2: Invalid command/);
    assert.equal(existsSync(at('bulkhead')), false);
  });

  test('web entries enable --edit-vhosts writes the line into an Apache vhost; disable removes it', async () => {
    await prepare({ include: false });
    await started();
    const before = readFileSync(at('vhosts/a.conf'), 'utf8');
    const done = await carriedOut(await plan(three, true));
    assert.deepEqual(done, { ok: true, value: 'reloaded' });
    const line = `IncludeOptional ${at(`bulkhead/u${uids.owner}.conf`)}`;
    assert.ok(readFileSync(at('vhosts/a.conf'), 'utf8').includes(`${line}\n`));
    const again = await plan(three, true);
    assert.deepEqual(again.ok && again.value.changes, []);
    await eventually('it is in force', async () => (await burst(5))[508] === 2);
    const removed = await carriedOut(planApacheRemoval(apache(), await survey()));
    assert.ok(removed.ok, removed.ok ? '' : formatProblem(removed.error));
    assert.equal(readFileSync(at('vhosts/a.conf'), 'utf8'), before);
  });

  test("web entries disable restores Apache's files, and enable undoes what Apache refuses", async () => {
    await prepare();
    await started();
    const before = readdirSync(stage.directory).toSorted();
    await enabled();
    const planned = await plan(three);
    assert.deepEqual(planned.ok && planned.value.changes, []);
    const removed = await carriedOut(planApacheRemoval(apache(), await survey()));
    assert.ok(removed.ok, removed.ok ? '' : formatProblem(removed.error));
    assert.deepEqual(readdirSync(stage.directory).toSorted(), before);
    assert.deepEqual(readdirSync(at('conf-enabled')), []);

    // A directive that is only accepted once: Apache refuses what is about to be written.
    writeFileSync(at('vhosts/z.conf'), '<IfFile "bulkhead">\nNonsense 1\n</IfFile>\n');
    const refused = await carriedOut(await plan(three));
    assert.match(
      refused.ok ? '' : formatProblem(refused.error),
      /z\.conf:2.*everything is as before/,
    );
    assert.deepEqual(readdirSync(at('conf-enabled')), []);
    assert.deepEqual(readdirSync(at('state')), []);
    assert.equal(existsSync(at('bulkhead')), false);
    rmSync(at('vhosts/z.conf'));
    await enabled();
  });
}
