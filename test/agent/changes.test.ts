/** Edits by hand, by commands and by undo, as the agent and `policy log` see them; tenants see nothing. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type {
  PolicyChangeJson,
  PolicyDiffJson,
  PolicyLogJson,
  PolicyShowJson,
  PolicyUndoJson,
} from '../../src/cli/commands/changes/json.ts';
import type { StatusResponse } from '../../src/agent/api/status-response.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { AgentStage } from './agent-stage.ts';
import { program } from './running-agent.ts';

const stage = new AgentStage('bulkhead-agent-changes', 885_000);
const { alice, skip, instance } = stage;

describe('the record of changes', { skip }, () => {
  stage.register();

  const run = (...args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(program, ['--instance', instance, ...args], {
      encoding: 'utf8',
      env: { ...process.env, SUDO_USER: 'carol\u001b[2J' },
    });
    return { status, stdout, stderr };
  };
  const done = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = run(...args);
    assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const log = (...args: readonly string[]) =>
    jsonOf<PolicyLogJson>('policy log', done('policy', 'log', '--json', ...args)).changes;
  const facts = ({ number, way, user, outcome }: PolicyChangeJson) => [number, way, user, outcome];
  const policy = () => readFileSync(stage.agent.policyFile, 'utf8');
  const byHand = (change: (text: string) => string) =>
    writeFileSync(stage.agent.policyFile, change(policy()));
  const set = (...args: readonly string[]) => done('set', ...args, '-p', stage.agent.policyFile);

  let original = '';

  test('has an edit by a command, and one by hand', async () => {
    const { agent } = stage;
    assert.deepEqual(log().map(facts), [[1, 'by hand', undefined, 'in force']]);
    original = policy();
    set(`${alice}`, 'memory=700MiB');
    await agent.until('the set is in force', () => log()[0]?.outcome === 'in force');
    byHand((text) =>
      text.replace('700MiB', '800MiB').replace('<tenant', '<!-- \u0085 -->\n<tenant'),
    );
    await agent.until('the edit by hand is seen', () => log()[0]?.number === 3);
    const changes = log('--tenant', `${alice}`);
    assert.deepEqual(changes.map(facts), [
      [3, 'by hand', undefined, 'in force'],
      [2, 'set', 'root', 'in force'],
    ]);
    assert.equal(changes[1]?.remark, String.raw`SUDO_USER=carol\u{1b}[2J`);
    const { from, to, setting } = changes[0]?.values?.[0] ?? {};
    assert.deepEqual([setting, from, to], ['memory.limit', '700MiB', '800MiB']);
    assert.match(
      done('policy', 'log'),
      /^ +3 .* somebody, by hand: in force\n.*memory\.limit 700MiB → 800MiB/m,
    );
  });

  test('the last change and the one before are undone to the byte, a replaced value is not', async () => {
    const conflict = run('policy', 'undo', '2', '--yes');
    assert.equal(conflict.status, 1);
    assert.match(conflict.stderr, /memory.*cannot be undone: .*\n.*nothing was changed/);
    assert.match(run('policy', 'undo', '3').stderr, /pass --yes/);
    const before = policy();
    const dry = jsonOf<PolicyUndoJson>(
      'policy undo',
      done('policy', 'undo', '3', '--dry-run', '--json'),
    );
    assert.deepEqual([dry.written, dry.values?.[0]?.to, policy()], [false, '700MiB', before]);
    assert.match(done('policy', 'undo', '3', '--yes'), /^Undid change 3 in /);
    done('policy', 'undo', '2', '--yes');
    assert.equal(policy(), original);
    await stage.agent.until('all is in force', () => log()[0]?.outcome === 'in force');
    assert.deepEqual(
      log().map(({ number, way }) => [number, way]),
      [
        [5, 'policy undo 2'],
        [4, 'policy undo 3'],
        [3, 'by hand'],
        [2, 'set'],
        [1, 'by hand'],
      ],
    );
  });

  test('undoes an older change, and keeps later ones', () => {
    set(`${alice}`, 'processes=333');
    assert.match(policy(), /limit="333"/);
    const [last] = log();
    assert.deepEqual([last?.way, last?.values?.map(({ to }) => to)], ['set', ['333']]);
    set(`${alice}`, 'cpu=77%');
    const undone = done('policy', 'undo', `${last?.number}`, '--yes', '--json');
    assert.equal(jsonOf<PolicyUndoJson>('policy undo', undone).written, true);
    // The policy has ports, in which any number may be.
    assert.doesNotMatch(policy(), /limit="333"/);
    assert.match(policy(), /limit="77%"/);
  });

  test('shows and compares the texts, also a refused one', async () => {
    const shown = jsonOf<PolicyShowJson>('policy show', done('policy', 'show', '1', '--json'));
    assert.match(shown.text, /<bulkhead/);
    assert.equal(done('policy', 'show'), policy());
    const diff = jsonOf<PolicyDiffJson>('policy diff', done('policy', 'diff', '2', '--json'));
    assert.equal(diff.values?.at(-1)?.to, '700MiB');
    assert.match(done('policy', 'diff', '1', '2'), /^\+.*700MiB/m);
    const good = policy();
    byHand((text) => text.replace('77%', '77 apples'));
    await stage.agent.until('it is refused', () => log()[0]?.outcome === 'refused');
    assert.match(log()[0]?.problems.join('\n') ?? '', /77 apples/);
    assert.equal(done('policy', 'show'), good);
    done('policy', 'undo', `${log()[0]?.number}`, '--yes');
    assert.equal(policy(), good);
  });

  test('is for root only', () => {
    const state = `/var/lib/${instance}/history`;
    const words = [process.execPath, '-e', `require('fs').openSync('${state}/changes.db', 'r')`];
    const tenant = spawnSync(words[0] ?? '', words.slice(1), {
      uid: alice,
      gid: alice,
      encoding: 'utf8',
    });
    assert.match(tenant.stderr, /EACCES/);
  });

  test('reports in the status that it cannot be written, and applies nevertheless', async () => {
    const { agent } = stage;
    const history = `/var/lib/${instance}/history`;
    spawnSync('mv', [`${history}/changes.db`, `${history}/kept.db`]);
    spawnSync('ln', ['-s', 'kept.db', `${history}/changes.db`]);
    byHand((text) => text.replace('77%', '66%'));
    await agent.until('the status has the problem', async () => {
      const { policy: state } = (await agent.ask('/v1/status')).json<StatusResponse>();
      return (
        state.state === 'in force' && state.problems.some((each) => each.includes('changes.db'))
      );
    });
    // The status may be of the policy before.
    await agent.until('it applies', () => run('verify', '-p', agent.policyFile).status === 0);
    assert.match(run('doctor').stdout, /Cannot use ".*changes\.db"/);
    const { status, stderr } = run('set', `${alice}`, 'cpu=55%', '-p', agent.policyFile);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /changes\.db/);
  });
});
