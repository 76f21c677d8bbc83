/** The broker lets tenants in jails change their passwords, and nothing else in /etc. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { eventually } from '../../testing/patience.ts';
import { skip, launcher, BrokerStage, exeOf } from './broker-stage.ts';

const stage = new BrokerStage('pwd');
const { instance, alice, bob, uids, ownEtc, brokerArgs, inside, mustApply, listen } = stage;

const [first, second] = ['correct horse battery', 'staple of another wall'] as const;
const withOwnEtc = [
  'unshare',
  '--mount',
  'sh',
  '-ec',
  'cp -a /etc "$1"; mount --bind "$1" /etc; printf %s "$2" | chpasswd; shift 2; exec "$@"',
  'sh',
  ownEtc,
  `${alice}:${first}\n`,
  ...brokerArgs,
] as const;
const shadowOf = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`${alice}:`));

describe('passwd through bulkhead-broker', { skip }, () => {
  stage.register();

  before(async () => {
    mustApply('<jail profile="web" commands="passwd"/>');
    await listen(withOwnEtc);
  });

  test('changes a password at a terminal when the current one is right', async () => {
    const [copy, host] = [shadowOf(`${ownEtc}/shadow`), shadowOf('/etc/shadow')];
    assert.match(inside('passwd -S').stdout, new RegExp(`^${alice} P `));
    const said = await converse(`script -qefc 'passwd; stty -a' /dev/null`, [
      ['Current password: ', first],
      ['New password: ', second],
      ['Retype new password: ', second],
    ]);
    assert.match(said, /password updated successfully/);
    assert.match(said, /[^-]echo\b/);
    for (const each of [first, second])
      assert.ok(!`${said}${stage.log}`.includes(each), `${said}${stage.log}`);
    assert.notEqual(shadowOf(`${ownEtc}/shadow`), copy);
    assert.equal(shadowOf('/etc/shadow'), host);
    const back = inside('passwd', `${second}\n${first}\n${first}\n`);
    assert.equal(back.status, 0, back.stderr);
    assert.match(stage.log, /: passwd: exit status 0$/m);
  });

  test('refuses dangerous arguments of passwd', () => {
    for (const words of [
      'root',
      bob,
      alice,
      '-l',
      '-d',
      '-u',
      '-e',
      '-a',
      '-Sa',
      '-S root',
      '-S -a',
      '-R /tmp',
      '-P /tmp',
      '-q',
      '--stdin',
      '-r files',
      '-- root',
      `"$(printf -- '-S\\nx')"`,
    ]) {
      const { status, stdout, stderr } = inside(`passwd ${words}`, `${first}\n`);
      assert.deepEqual([status, stdout], [77, ''], `${words}: ${stderr}`);
    }
  });

  test('limits password attempts, one after another and at once', async () => {
    const copy = shadowOf(`${ownEtc}/shadow`);
    const attempt = (word: string, input = `${word}\n${second}\n${second}\n`) =>
      inside('passwd', input);
    await eventually('the next attempt is refused', () => {
      const wrong = attempt('a guess');
      assert.notEqual(wrong.status, 0);
      const next = attempt('another');
      return next.status === 75 && /less than 10 seconds ago/.test(next.stderr);
    });
    const endless = 'head -c 100000 /dev/zero | passwd';
    await eventually(
      'more than answers is refused',
      () => ![0, 75].includes(inside(endless).status ?? 0),
    );
    const asked = 'Current password: ';
    let held: ChildProcess | undefined;
    await eventually('it asks', async () => {
      held = spawn(launcher, ['--instance', instance, alice, '--', 'passwd']);
      let said = '';
      held.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const ended = once(held, 'exit');
      await eventually(
        'it asks, or has ended',
        () => said.includes(asked) || held?.exitCode !== null,
      );
      if (!said.includes(asked)) await ended;
      return said.includes(asked);
    });
    const pid = await eventually('it runs', () =>
      readdirSync('/proc').find((each) => exeOf(each)?.endsWith('/passwd')),
    );
    // The program has no terminal, no descriptor but pipes, and nothing of the caller's.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    assert.equal(fields[4], '0');
    const descriptors = readdirSync(`/proc/${pid}/fd`);
    assert.deepEqual(descriptors.sort(), ['0', '1', '2']);
    for (const each of descriptors) assert.match(readlinkSync(`/proc/${pid}/fd/${each}`), /^pipe:/);
    assert.match(
      readFileSync(`/proc/${pid}/status`, 'utf8'),
      new RegExp(`^Uid:\\s+${uids.alice}\\s+0`, 'm'),
    );
    const meanwhile = attempt(first);
    assert.deepEqual(
      [meanwhile.status, /being changed already/.test(meanwhile.stderr)],
      [75, true],
    );
    held?.stdin?.write(`${first}\n${second}\n`);
    held?.kill('SIGKILL');
    await eventually('it has ended', () => exeOf(pid) === undefined);
    assert.equal(shadowOf(`${ownEtc}/shadow`), copy);
    await eventually('who knows it can try again', () => attempt(first).status === 0);
    assert.notEqual(shadowOf(`${ownEtc}/shadow`), copy);
  });
});

/** Returns the output of a command inside, while each of its questions is answered. */
async function converse(
  command: string,
  answers: readonly (readonly [question: string, answer: string])[],
): Promise<string> {
  const child = spawn(launcher, ['--instance', instance, alice, '--', 'sh', '-c', command]);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const closed = once(child, 'close');
  let from = 0;
  for (const [question, answer] of answers) {
    await eventually(
      question,
      () => text.includes(question, from),
      () => `${text}${stage.log}`,
    );
    from = text.length;
    child.stdin.write(`${answer}\n`);
  }
  await closed;
  return text;
}
