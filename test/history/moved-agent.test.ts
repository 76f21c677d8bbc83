/** A tenant's history from another host, as a real agent shows it: always with its origin. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { MovedIncidentResponse } from '../../src/agent/api/api.ts';
import type { MovedResponse } from '../../src/agent/history/history-api.ts';
import type {
  ChartJson,
  FaultsJson,
  IncidentJson,
  UsageJson,
} from '../../src/cli/commands/json.ts';
import { readMoved, writeMoved } from '../../src/store/moved/moved-file.ts';
import { jsonOf, responseOf } from '../../testing/json-output.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { AgentStage } from '../agent/agent-stage.ts';
import { program } from '../agent/running-agent.ts';
import { value } from '../store/samples.ts';
import { mountProblem, SmallDisk } from '../store/small-disk.ts';
import { begin, end, MovedHost } from './moved-host.ts';

const stage = new AgentStage('bulkhead-moved-agent', 48_100);

suite('a history from another host', { skip: stage.skip }, () => {
  const scratch = suiteDirectory('moved-agent');
  const file = join(scratch, 'alice.history');
  const there = new MovedHost('bulkhead-moved-there');
  stage.register();

  const run = (uid: number, ...args: readonly string[]) => {
    const identity = ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
    const command = [program, '--instance', stage.instance, ...args];
    const env = { ...process.env, NO_COLOR: '1', TZ: 'UTC' };
    return spawnSync('setpriv', [...identity, ...command], { encoding: 'utf8', env });
  };
  const done = (...args: readonly string[]) => {
    const { status, stdout, stderr } = run(0, ...args);
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const alice = `${stage.alice}`;
  const timeOf = (at: number) => new Date(at).toISOString().slice(0, 16).replace('T', ' ');
  const period = ['--from', timeOf(begin), '--to', timeOf(end)];

  test('is taken from a host of another fleet only if root says so', () => {
    there.join('example', 'web-017');
    there.record(1001, 'alice');
    there.done('history', 'export', 'alice', '--to', file);
    const refused = run(0, 'history', 'import', file, '--unverified', '--as', alice);
    assert.match(refused.stderr, /from the fleet "example", and this host is in none/);
    const printed = done('history', 'import', file, '--unverified', '--other-fleet', '--as', alice);
    assert.match(printed, /5 hours and 2 incidents from web-017, where it was alice/);
    const nobody = run(stage.alice + 90, 'history', 'export', alice, '--to', 'x');
    assert.match(nobody.stderr, /only root may/);
  });

  test('usage shows it apart, with its origin', () => {
    const printed = done('usage', alice, ...period);
    assert.match(printed, /From web-017, where it was alice with uid 1001, exported /);
    assert.match(printed, /5h(?: 0m)? of this period measured there/);
    assert.match(printed, /^7 faults there: cpu 7$/m);
    const { rows, moved } = jsonOf<UsageJson>('usage', done('usage', alice, ...period, '--json'));
    assert.deepEqual([rows[0]?.faults, moved?.[0]?.faults], [{}, { 'cpu.limit': 7 }]);
    assert.ok(Math.abs((moved?.[0]?.metrics.cpu?.average ?? 0) - 2.625) < 0.01);
    assert.doesNotMatch(done('usage', ...period), /web-017/);
    assert.doesNotMatch(done('usage', `${stage.bob}`, ...period), /web-017/);
  });

  test('faults lists its incidents, and incident shows one', () => {
    const printed = done('faults', alice, ...period);
    assert.match(printed, /^No limit was hit/);
    assert.match(printed, new RegExp(`"bulkhead incident ID --of ${alice}@web-017" shows one`));
    const listed = done('faults', alice, ...period, '--json', '-n', '1', '--limit', 'cpu');
    const { incidents, moved } = jsonOf<FaultsJson>('faults', listed);
    assert.deepEqual([incidents, moved?.[0]?.incidents.length, moved?.[0]?.total], [[], 1, 2]);
    const none = done('faults', alice, ...period, '--severity', 'killed');
    assert.match(none, /From web-017.*: no limit was hit in this period/);
    const of = ['--of', `${alice}@web-017`];
    const text = done('incident', '2', ...of);
    assert.match(text, /^Incident +2, from web-017$/m);
    assert.match(text, /php secret\.php/);
    const shown = jsonOf<IncidentJson>('incident', done('incident', '2', ...of, '--json'));
    assert.deepEqual([shown.faults, 'host' in shown && shown.host], [4, 'web-017']);
    assert.match(run(0, 'incident', '9', ...of).stderr, /that host has recorded none/);
  });

  test('chart fills the time before with it, and says so', () => {
    const chart = ['chart', alice, '--period', '30d', '--metric', 'cpu'];
    const { panels, notes } = jsonOf<ChartJson>('chart', done(...chart, '--json'));
    assert.ok(panels[0]?.averages.some((each) => each !== null && each > 3));
    assert.match(notes.join(' '), /until .*: from web-017, without its incidents/);
    assert.match(done(...chart), /from web-017/);
  });

  test('its tenant sees it, another one and the reseller do not', async () => {
    // By the API: a program like this one does not fit into the memory of these tenants.
    const path = `/v1/moved?tenant=${alice}&from=${begin}&to=${end}&metric=cpu&count=9`;
    const own = responseOf('GET /v1/moved', 200, (await stage.agent.ask(path, stage.alice)).text);
    assert.equal((own as MovedResponse).records[0]?.host, 'web-017');
    const incident = `/v1/moved/incidents/2?tenant=${alice}&host=web-017`;
    const { text } = await stage.agent.ask(incident, stage.alice);
    const shown = responseOf('GET /v1/moved/incidents/2', 200, text) as MovedIncidentResponse;
    assert.equal(shown.evidence[0]?.processes[0]?.command, 'php secret.php');
    for (const other of [stage.bob, stage.reseller, stage.alice + 90])
      for (const each of [path, incident])
        assert.equal((await stage.agent.ask(each, other)).status, 404);
  });

  test('a full disk keeps what was there', { skip: mountProblem() }, () => {
    using disk = new SmallDisk(scratch);
    const history = join(disk.path, 'history');
    const records = value(readMoved(`${stage.agent.host.paths.state}/history`, `u${stage.alice}`));
    assert.ok(records);
    value(writeMoved(history, 'u1', records));
    disk.fill();
    const more = { ...records, records: Array(200).fill(records.records).flat() };
    const written = writeMoved(history, 'u1', {
      ...more,
      since: 2,
      records: more.records.map((each, index) => ({ ...each, name: `${index * 7919}`.repeat(9) })),
    });
    assert.match(written.ok ? '' : written.error.reason, /space/);
    assert.deepEqual(value(readMoved(history, 'u1')), records);
  });
});
