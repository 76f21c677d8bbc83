/**
 * `bulkhead setup` on this kernel, as far as it measures and limits nothing: asked on a terminal, repeated, interrupted,
 * contradicted, and undone.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { after, afterEach, before, suite, test } from 'node:test';
import { pathsOf } from '../../src/host/paths.ts';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import type { StatusJson } from '../../src/cli/commands/json.ts';
import type {
  SetupJson,
  SetupNextJson,
  SetupStatusJson,
  SetupUndoJson,
} from '../../src/setup/commands/json.ts';
import { defaultAnswers } from '../../src/setup/commands/questions.ts';
import { Journal, runSteps } from '../../src/setup/commands/run-steps.ts';
import type { Step } from '../../src/setup/core/step.ts';
import { lookAtHost } from '../../src/setup/io/look.ts';
import { setupLock } from '../../src/setup/io/lock.ts';
import { readRecord, recordFile } from '../../src/setup/io/record-file.ts';
import { setElement } from '../../src/policy/elements/edit-elements.ts';
import { lockFile } from '../../src/sys/files/flock.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { hostHere } from '../conformance/host-here.ts';

const instance = 'bulkhead-setup';
const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : false;
const paths = pathsOf(instance);
const root = suiteDirectory('setup');
const policy = `${root}/policy.xml`;
const answers = `${root}/answers.json`;
const uid = 61_991;

const args = (words: readonly string[]) => [
  '--instance',
  instance,
  'setup',
  ...words,
  '-p',
  policy,
];
const setup = (...words: readonly string[]) =>
  spawnSync('./bulkhead', args(words), { encoding: 'utf8', input: '' });
const answer = (more: Readonly<Record<string, unknown>> = {}) =>
  writeFileSync(
    answers,
    JSON.stringify({ version: 1, tenants: `${uid}-${uid}`, level: 'observe', ...more }),
  );
const run = () => setup('--answers', answers, '--json');
const done = () => {
  const { status, stdout, stderr } = run();
  assert.equal(status, 0, stderr);
  return jsonOf<SetupJson>('setup', stdout);
};
const leftOver = () =>
  [paths.runtime, paths.state, policy, setupLock(paths)].filter((each) => existsSync(each));
const clean = () => {
  setup('undo', '--yes');
  rmSync(recordFile(paths), { force: true });
  spawnSync('./bulkhead', ['--instance', instance, 'release', '--all', '--yes']);
  rmSync(policy, { force: true });
};

suite('bulkhead setup, observing', { skip }, () => {
  before(clean);
  afterEach(clean);

  test('a dry run changes nothing', () => {
    answer();
    const { status, stdout } = setup('--answers', answers, '--dry-run', '--json');
    assert.equal(status, 0);
    const plan = jsonOf<SetupJson>('setup', stdout);
    assert.deepEqual([plan.dryRun, plan.steps[0]?.state], [true, 'to do']);
    assert.deepEqual(leftOver(), []);
    assert.match(
      setup('--dry-run').stdout,
      /^System +.*Linux[\s\S]*Plan \(level limit[\s\S]*Nothing/,
    );
  });

  test('it names tenants, repeats nothing, and undo leaves nothing', () => {
    answer();
    const first = done();
    const policyLayer = (of: Pick<SetupJson, 'layers'>) =>
      of.layers.find(({ key }) => key === 'policy')?.state;
    assert.deepEqual([policyLayer(first), first.problems], ['enforced', []]);
    const text = readFileSync(policy, 'utf8');
    assert.match(text, /<tenants uids="61991-61991"\/>/);
    const record = readFileSync(recordFile(paths), 'utf8');
    done();
    assert.equal(readFileSync(policy, 'utf8'), text);
    assert.equal(readFileSync(recordFile(paths), 'utf8'), record);
    const ladder = setup('status', '--json');
    assert.equal(ladder.status, 0, ladder.stderr);
    const found = jsonOf<SetupStatusJson>('setup status', ladder.stdout);
    assert.deepEqual([found.level, found.slippedBack], ['observe', []]);
    assert.equal(found.steps['policy']?.state, 'done');
    const words = ['--instance', instance, 'status', '-p', policy, '--score'];
    const score = spawnSync('./bulkhead', [...words, '--json'], { encoding: 'utf8' });
    assert.deepEqual(jsonOf<StatusJson>('status', score.stdout).counts, found.counts);
    const said = spawnSync('./bulkhead', words, { encoding: 'utf8' }).stdout;
    assert.match(said, /\n\d+ layers: .* open.*; see bulkhead setup status\n$/);
    const undone = setup('undo', '--yes', '--json');
    assert.equal(undone.status, 0, undone.stderr);
    const list = jsonOf<SetupUndoJson>('setup undo', undone.stdout).undone;
    assert.deepEqual(list.slice(-2), ['the policy', 'files of Bulkhead']);
    assert.deepEqual(leftOver(), []);
  });

  test('another answer for a step that is done has no effect, which is said', () => {
    answer();
    assert.deepEqual(done().notes, []);
    const text = readFileSync(policy, 'utf8');
    answer({ limits: 'medium', alerts: 'admin@example.org' });
    const [limits = '', alerts = '', ...others] = done().notes;
    assert.match(
      limits,
      /^"limits" was "starter" in .*"medium" has no effect.*policy\.xml instead$/,
    );
    assert.match(alerts, /^"alerts" was "root"/);
    assert.deepEqual(others, []);
    assert.equal(readFileSync(policy, 'utf8'), text);
    assert.deepEqual(done().notes, []);
    answer({ limits: 'starter' });
    assert.match(setup('--answers', answers, '--dry-run').stdout, /\nNote: "limits" was "medium"/);
  });

  test('a policy of before keeps its text, and gets it back', () => {
    const mine = `<bulkhead version="1">\n  <!-- mine -->\n  <tenant uid="${uid}"/> <!-- ours -->\n</bulkhead>\n`;
    writeFileSync(policy, mine, { mode: 0o640 });
    answer({ tenants: '61000-61999' });
    done();
    const edited = readFileSync(policy, 'utf8');
    assert.ok(edited.includes(`  <!-- mine -->\n  <tenant uid="${uid}"/> <!-- ours -->\n`), edited);
    assert.match(edited, /<host limits="observe"\/>/);
    assert.match(edited, /<mail to="administrator" address="root"\/>/);
    assert.equal(setup('undo', '--yes').status, 0);
    assert.equal(readFileSync(policy, 'utf8'), mine);
  });

  test('what the administrator changes after it stays after an undo', () => {
    answer();
    done();
    const mine = readFileSync(policy, 'utf8').replace(
      '</bulkhead>',
      '  <!-- mine -->\n</bulkhead>',
    );
    writeFileSync(policy, mine);
    const { status, stderr } = setup('undo', '--yes');
    assert.equal(status, 0, stderr);
    assert.match(stderr, /was changed after setup wrote it, and stays/);
    assert.equal(readFileSync(policy, 'utf8'), mine);
    assert.ok(!existsSync(`${policy}.before-setup`));
  });

  test('an earlier policy is put next to one that was changed since', () => {
    const before = `<bulkhead version="1"><tenant uid="${uid}"/></bulkhead>\n`;
    writeFileSync(policy, before);
    answer();
    done();
    appendFileSync(policy, '<!-- mine -->\n');
    assert.equal(setup('undo', '--yes').status, 0);
    assert.match(readFileSync(policy, 'utf8'), /<alerts>[\s\S]*<!-- mine -->/);
    assert.equal(readFileSync(`${policy}.before-setup`, 'utf8'), before);
    rmSync(`${policy}.before-setup`);
  });

  test('a host has one policy', () => {
    answer();
    done();
    const other = spawnSync(
      './bulkhead',
      ['--instance', instance, 'setup', 'status', '-p', `${root}/other.xml`],
      { encoding: 'utf8' },
    );
    assert.equal(other.status, 1);
    assert.match(other.stderr, /this host was set up with .*policy\.xml; leave --policy out/);
    const plain = ['--instance', instance, 'setup', 'status', '--json'];
    const { stdout } = spawnSync('./bulkhead', plain, { encoding: 'utf8' });
    const { layers } = jsonOf<SetupStatusJson>('setup status', stdout);
    assert.equal(layers.find(({ key }) => key === 'policy')?.state, 'enforced');
  });

  /** The reasons why nothing was begun. */
  const refused = (...words: readonly string[]) => {
    const { status, stderr } = setup(...words);
    assert.notEqual(status, 0, words.join(' '));
    assert.ok(!existsSync(recordFile(paths)), stderr);
    return stderr;
  };

  test('a policy of a newer version is left alone', () => {
    const newer = '<bulkhead version="2"><tenants uids="1-2" more="1"/></bulkhead>\n';
    writeFileSync(policy, newer);
    answer();
    for (const words of [['--dry-run'], ['--answers', answers]])
      assert.match(
        refused(...words),
        /^bulkhead: Cannot set up this host: .*policy\.xml has version "2" .* knows "1"; install/,
      );
    assert.equal(readFileSync(policy, 'utf8'), newer);
  });

  test('answers that the host contradicts are refused before anything is begun', () => {
    answer({ except: ['nobody-of-here'] });
    for (const words of [[], ['--dry-run']])
      assert.match(
        refused('--answers', answers, ...words),
        /Cannot use the answers .*answers\.json.*"except" names "nobody-of-here"/,
      );
    assert.deepEqual(leftOver(), []);
  });

  test('another program at the socket or port of the agent is named', async () => {
    const server = createServer().listen(0, '127.0.0.1').unref();
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    writeFileSync(
      policy,
      `<bulkhead version="1"><tenant uid="${uid}"/><agent listen="127.0.0.1:${port}" token="/nowhere"/></bulkhead>\n`,
    );
    answer();
    assert.match(refused('--answers', answers), new RegExp(`listens on 127.0.0.1 port ${port}`));
    server.close();
    await once(server, 'close');
    rmSync(policy);
    mkdirSync(paths.runtime, { recursive: true });
    const other = createServer().listen(`${paths.runtime}/web.sock`).unref();
    await once(other, 'listening');
    assert.match(refused('--answers', answers), /another program listens at .*\/web\.sock/);
    other.close();
    await once(other, 'close');
    assert.deepEqual(done().problems, []);
  });

  test('without a policy, limits name what would raise them', () => {
    const { layers } = jsonOf<SetupStatusJson>('setup status', setup('status', '--json').stdout);
    const of = (name: string) => layers.find(({ key }) => key === `limit ${name}`);
    assert.equal(of('processes')?.improve, 'bulkhead setup');
    assert.equal(of('network')?.state, 'open');
    assert.match(of('network')?.improve ?? '', /bulkhead defaults set network.send=VALUE/);
    assert.match(
      of('disk')?.improve ?? '',
      /quotas|bulkhead setup, then bulkhead defaults set disk/,
    );
  });

  test('the score shows what is known although the policy has a mistake', () => {
    answer();
    done();
    appendFileSync(policy, '<oops');
    const words = ['--instance', instance, 'status', '-p', policy, '--score'];
    const score = spawnSync('./bulkhead', [...words, '--json'], { encoding: 'utf8' });
    assert.equal(score.status, 1);
    const { counts, unknown } = jsonOf<StatusJson>('status', score.stdout);
    assert.ok((counts?.unknown ?? 0) > 0);
    assert.deepEqual(unknown, ['no policy is in use, and the agent does not answer']);
    const ladder = jsonOf<SetupStatusJson>('setup status', setup('status', '--json').stdout);
    assert.deepEqual(counts, ladder.counts);
    const { stdout, stderr } = spawnSync('./bulkhead', words, { encoding: 'utf8' });
    assert.match(stderr, /policy\.xml:\d+:/);
    assert.match(stdout, /^\d+ layers: .* unknown.*; see bulkhead setup status\n$/);
  });

  test('a policy with a mistake makes the state unknown, not open', () => {
    answer();
    done();
    appendFileSync(policy, '<oops');
    const { layers } = jsonOf<SetupStatusJson>('setup status', setup('status', '--json').stdout);
    const states = layers.filter(({ key }) => /^(policy|limit cpu|jails)$/.test(key));
    assert.deepEqual(
      states.map(({ state }) => state),
      ['unknown', 'unknown', 'unknown'],
    );
  });

  test('a run that is killed at any step is continued by the next', async () => {
    answer();
    for (const key of ['policy', 'alerts', 'limits-observed']) {
      const child = spawn('./bulkhead', args(['--answers', answers]), { stdio: 'ignore' });
      const isIn = () =>
        existsSync(recordFile(paths)) &&
        new RegExp(`"${key}": {\\s*"state": "started"`).test(
          readFileSync(recordFile(paths), 'utf8'),
        );
      await eventually(`the step "${key}" has begun`, isIn);
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      assert.match(setup('status').stdout, /started +/);
      assert.deepEqual(done().problems, []);
      const { stdout } = setup('status', '--json');
      const { steps } = jsonOf<SetupStatusJson>('setup status', stdout);
      assert.deepEqual(
        Object.values(steps).map(({ state }) => state),
        ['done', 'done', 'done'],
      );
      assert.equal(setup('undo', '--yes').status, 0);
      assert.deepEqual(leftOver(), []);
    }
  });

  test('a step that fails is undone, named, and tried again by the next run', () => {
    const wrong = `<bulkhead version="1"><tenant uid="${uid}"/><agent><alerts smtp=":"/></agent></bulkhead>\n`;
    writeFileSync(policy, wrong);
    answer();
    const failed = run();
    assert.equal(failed.status, 1);
    const { problems } = jsonOf<SetupJson>('setup', failed.stdout);
    assert.match(problems[0]?.reason ?? '', /HOST:PORT/);
    assert.equal(readFileSync(policy, 'utf8'), wrong);
    writeFileSync(policy, wrong.replace(' smtp=":"', ''));
    assert.deepEqual(done().problems, []);
  });

  test('a step that is killed, repeated, and fails then gives the policy of before back', async () => {
    answer();
    done();
    const text = readFileSync(policy, 'utf8');
    const look = lookAtHost(paths, policy);
    const session = { paths, file: policy, reader: new PolicyReader(), capabilities: [], look };
    const running = (commands: Step['commands']) => {
      const record = readRecord(paths, defaultAnswers(look));
      assert.ok(record.ok && record.value !== undefined);
      const step: Step = {
        key: 'limits',
        level: 'observe',
        title: 'Limit',
        changes: '',
        customers: '',
        edit: () => setElement(text, [{ name: 'host' }], { limits: 'enforce' }),
        commands,
        undo: () => [],
        layers: [],
      };
      const silent = { begins: () => undefined, ends: () => undefined };
      return runSteps(session, new Journal(session, record.value), [step], silent);
    };
    const killed = running(() => {
      throw new Error('killed');
    });
    await assert.rejects(killed, /killed/);
    assert.match(readFileSync(policy, 'utf8'), /limits="enforce"/);
    const failed = await running(() => [['check', '/nonexistent']]);
    assert.ok(failed.ok && failed.value.length === 1);
    assert.equal(readFileSync(policy, 'utf8'), text);
  });

  test('next says what it needs, and that nothing watches here', () => {
    assert.match(setup('next').stderr, /Cannot go on with the setup: it has not run on this host/);
    answer();
    done();
    const { status, stdout } = setup('next', '--json');
    assert.equal(status, 0);
    const said = jsonOf<SetupNextJson>('setup next', stdout);
    assert.deepEqual([said.raised, said.problems], [[], []]);
    for (const { key, reason } of said.waiting) {
      assert.match(key, /^limit (cpu|memory|processes|io)$/);
      assert.match(reason, /setup --level limit/);
    }
  });

  test('a damaged record stops it before anything changes', () => {
    answer();
    done();
    const text = readFileSync(policy, 'utf8');
    writeFileSync(recordFile(paths), '{"version": 1, "answers": {');
    for (const words of [['--answers', answers], ['status'], ['next'], ['undo', '--yes']]) {
      const { status, stderr } = setup(...words);
      assert.equal(status, 1, words.join(' '));
      assert.match(stderr, /Cannot read the record of the setup "?.*setup\.json"?: it is damaged/);
    }
    assert.equal(readFileSync(policy, 'utf8'), text);
  });

  test('one setup runs at a time', () => {
    answer();
    using lock = held();
    assert.ok(lock !== undefined);
    const { status, stderr } = run();
    assert.equal(status, 1);
    assert.match(stderr, /another setup runs/);
    assert.ok(!existsSync(policy));
  });

  test('without a terminal it needs answers, and nobody but root may', () => {
    const { status, stderr } = setup();
    assert.equal(status, 2);
    assert.match(stderr, /nobody can be asked here; add --answers FILE, --yes or --dry-run/);
    const other = setup('--dry-run', '--try', 'nobody-of-here');
    assert.equal(other.status, 2);
    assert.match(other.stderr, /Cannot try changes on "nobody-of-here": no account/);
    const nobody = ['--reuid', '65534', '--clear-groups', './bulkhead', ...args(['--dry-run'])];
    const refused = spawnSync('setpriv', nobody, { encoding: 'utf8' });
    assert.match(refused.stderr, /Cannot set up this host: only root may/);
    assert.deepEqual(leftOver(), []);
  });

  /** Types the lines at a terminal, and the last one when it is asked whether to go on. */
  const typing = async (lines: readonly string[], last: string) => {
    const command = ['./bulkhead', ...args([])].join(' ');
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.write(lines.map((each) => `${each}\n`).join(''));
    let seen = '';
    let isAsked = false;
    for await (const chunk of child.stdout) {
      seen += String(chunk);
      if (isAsked || !seen.includes('Do this?')) continue;
      isAsked = true;
      child.stdin.end(`${last}\n`);
    }
    if (child.exitCode === null) await once(child, 'exit');
    return { seen, status: child.exitCode };
  };

  test('it asks six questions, explains wrong answers, and does what was said', async () => {
    const lines = [`${uid}`, `${uid}-${uid}`, '', 'many', 'none', '', 'none', 'observe'];
    const { seen, status } = await typing(lines, 'y');
    assert.match(seen, /1 of 6[\s\S]*That is not possible: it must be a range/);
    assert.match(seen, /3 of 6[\s\S]*must be 1 to 10000, or none[\s\S]*6 of 6/);
    assert.match(seen, /level observe, tenants 61991-61991, limits starter,\s+entries none/);
    assert.match(seen, /Name the tenants in a policy and apply it … .*done/);
    assert.match(seen, /left out: you want no alerts/);
    assert.match(readFileSync(policy, 'utf8'), /61991-61991/);
    assert.equal(status, 0);
  });

  test('it changes nothing if the plan is refused', async () => {
    const { status } = await typing(['', '', '', '', '', ''], 'n');
    assert.equal(status, 1);
    assert.deepEqual(leftOver(), []);
  });
});

function held() {
  const lock = lockFile(setupLock(paths), { waitMs: 0 });
  assert.ok(lock.ok);
  return lock.value;
}

after(() => {
  for (const each of [paths.runtime, paths.state]) rmSync(each, { recursive: true, force: true });
});
