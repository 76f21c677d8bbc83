/** Changes of the policy that go back by themselves, whatever happened to the agent and to their file. */
import assert from 'node:assert/strict';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { PolicyResponse } from '../../src/agent/api/policy-api.ts';
import {
  announceGoingBack,
  isWhole,
  packTexts,
} from '../../src/agent/policy/goes-back/going-back.ts';
import {
  damagedFiles,
  goingBackEntries,
  goingBackFile,
  notGoingBack,
  type GoingBack,
} from '../../src/agent/policy/goes-back/going-back-file.ts';
import { keyOfText } from '../../src/store/changes/change-store.ts';
import { eventually } from '../../testing/patience.ts';
import { delegated, pendingOf, start, textBefore } from './going-back-stage.ts';
import { Stage, uids, type Reply } from './stage.ts';

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- says what the answer is
const okay = <T>(reply: Reply): T => {
  assert.equal(reply.status, 200, reply.text);
  return reply.json<T>();
};

/** A change of the text of now whose agent was killed before it was written. */
function neverWritten({ policyFile }: Stage): Partial<GoingBack> {
  const now = readFileSync(policyFile, 'utf8');
  const after = now.replace('200%', '300%');
  return { texts: packTexts(now, after), afterKey: keyOfText(after), isWritten: false };
}

test('a start after the time writes the text before back', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const lines: string[] = [];
  const before = textBefore(readFileSync(stage.policyFile, 'utf8'));
  assert.ok(announceGoingBack(stage.paths, pendingOf(stage, -5)).ok);
  using changes = start(stage, lines);
  await changes.begin();
  assert.equal(readFileSync(stage.policyFile, 'utf8'), before);
  assert.ok(!existsSync(goingBackFile(stage.paths)));
  assert.match(lines.join('\n'), /went back/);
});

test('a change that was killed before it was written leaves the one before as it is', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const lines: string[] = [];
  const before = textBefore(readFileSync(stage.policyFile, 'utf8'));
  const first = pendingOf(stage, 1);
  const second = pendingOf(stage, 3600, { uid: uids.acme, user: 'acme', ...neverWritten(stage) });
  for (const each of [first, second]) assert.ok(announceGoingBack(stage.paths, each).ok);
  using changes = start(stage, lines);
  await changes.begin();
  await eventually('it goes back', () => readFileSync(stage.policyFile, 'utf8') === before);
  await eventually('nothing is left', () => !existsSync(goingBackFile(stage.paths)));
});

test('an edit while no agent ran stays, and the rest goes back', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  assert.ok(announceGoingBack(stage.paths, pendingOf(stage, -5)).ok);
  const edited = readFileSync(stage.policyFile, 'utf8').replace('200%', '250%');
  writeFileSync(stage.policyFile, edited);
  using changes = start(stage, []);
  await changes.begin();
  assert.equal(readFileSync(stage.policyFile, 'utf8'), textBefore(edited));
});

test('a change goes back once a policy with errors is corrected', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  assert.ok(announceGoingBack(stage.paths, pendingOf(stage, -5)).ok);
  const good = readFileSync(stage.policyFile, 'utf8');
  const wrong = good.replace('200%', '200 apples');
  writeFileSync(stage.policyFile, wrong);
  const lines: string[] = [];
  using changes = start(stage, lines);
  await changes.begin();
  assert.equal(readFileSync(stage.policyFile, 'utf8'), wrong);
  assert.match(lines.join('\n'), /the policy has errors/);
  writeFileSync(stage.policyFile, good.replace('200%', '210%'));
  await changes.begin();
  assert.match(readFileSync(stage.policyFile, 'utf8'), /210%[^]*package="small"/);
});

test('a change that cannot go back does not hold up the one of another account', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const now = readFileSync(stage.policyFile, 'utf8');
  assert.ok(announceGoingBack(stage.paths, pendingOf(stage, -5)).ok);
  // Root has removed the package since.
  const former = now.replace('<tenant user="alice"/>', '<tenant user="alice" package="gone"/>');
  const acme = { uid: uids.acme, user: 'acme', texts: packTexts(former, now) };
  assert.ok(announceGoingBack(stage.paths, pendingOf(stage, -5, acme)).ok);
  const edited = now.replace('200%', '250%');
  writeFileSync(stage.policyFile, edited);
  const lines: string[] = [];
  using changes = start(stage, lines);
  await changes.begin();
  assert.equal(readFileSync(stage.policyFile, 'utf8'), textBefore(edited));
  assert.match(lines.join('\n'), /would have some then[^]*went back/);
});

test('resellers leave no change of root without a time', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const announce = (uid: number) => announceGoingBack(stage.paths, pendingOf(stage, 60, { uid }));
  for (let uid = 1; uid <= 16; uid++) assert.ok(announce(uid).ok);
  assert.ok(!announce(17).ok);
  assert.ok(announce(0).ok);
});

test('a change that was never written goes nowhere', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const now = readFileSync(stage.policyFile, 'utf8');
  const lines: string[] = [];
  assert.ok(announceGoingBack(stage.paths, pendingOf(stage, -5, neverWritten(stage))).ok);
  using changes = start(stage, lines);
  await changes.begin();
  assert.equal(readFileSync(stage.policyFile, 'utf8'), now);
  assert.ok(!existsSync(goingBackFile(stage.paths)));
  assert.match(lines.join('\n'), /by root was never written/);
});

test('a file that was edited after the agent was killed decides what goes back', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const written = readFileSync(stage.policyFile, 'utf8');
  const edited = written.replace('200%', '250%');
  const killed = { isWritten: false };
  for (const [text, expected, said] of [
    [edited, textBefore(edited), /by root was being written when the agent ended[^]*went back/],
    // Nothing of it is left, and nothing of it was ever written.
    [written.replace('user="bob"', 'user="bob" package="hidden"'), undefined, /nothing goes back/],
    [textBefore(edited), undefined, /nothing goes back/],
  ] as const) {
    writeFileSync(stage.policyFile, written);
    assert.ok(announceGoingBack(stage.paths, pendingOf(stage, -5, killed)).ok);
    writeFileSync(stage.policyFile, text);
    const lines: string[] = [];
    using changes = start(stage, lines);
    await changes.begin();
    assert.equal(readFileSync(stage.policyFile, 'utf8'), expected ?? text);
    assert.match(lines.join('\n'), said);
    assert.ok(!existsSync(goingBackFile(stage.paths)));
  }
});

test('a change goes back whose agent was killed, once the edit after it has no errors', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const good = readFileSync(stage.policyFile, 'utf8');
  assert.ok(announceGoingBack(stage.paths, pendingOf(stage, -5, { isWritten: false })).ok);
  writeFileSync(stage.policyFile, good.replace('</bulkhead>', ''));
  using changes = start(stage, []);
  await changes.begin();
  writeFileSync(stage.policyFile, good.replace('200%', '210%'));
  await changes.begin();
  assert.match(readFileSync(stage.policyFile, 'utf8'), /210%[^]*package="small"/);
});

test('a damaged file is kept and reported, and what is whole in it goes back', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const now = readFileSync(stage.policyFile, 'utf8');
  const file = goingBackFile(stage.paths);
  mkdirSync(stage.paths.state, { recursive: true });
  const acme = { uid: uids.acme, user: 'acme' };
  const whole = pendingOf(stage, 3600, acme);
  const damaged = pendingOf(stage, 3600, { texts: `${whole.texts.slice(0, -40)}AAAA` });
  for (const text of ['', '\u0000', '{}', '[{"at":0}]', JSON.stringify([damaged, whole])]) {
    for (const each of damagedFiles(stage.paths)) rmSync(each);
    writeFileSync(file, text);
    const lines: string[] = [];
    using changes = start(stage, lines);
    await changes.begin();
    assert.equal(readFileSync(stage.policyFile, 'utf8'), now);
    const [aside = ''] = damagedFiles(stage.paths);
    assert.equal(readFileSync(aside, 'utf8'), text);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /policy-goes-back.json.damaged-[^]*stays in force/);
    assert.equal(changes.takeAlarms().length, 1);
    assert.equal(notGoingBack(stage.paths)?.object, aside);
    assert.deepEqual(goingBackEntries(stage.paths), text.includes('acme') ? [whole] : []);
    // It is said once.
    changes.noticeEdit();
    assert.equal(lines.length, 1);
  }
  // Whoever announces another one loses nothing either.
  writeFileSync(file, 'x');
  assert.ok(announceGoingBack(stage.paths, whole).ok);
  assert.equal(damagedFiles(stage.paths).length, 2);
});

test('a kill after a damaged file got its second name leaves one copy of it', async () => {
  await using stage = await Stage.start();
  const file = goingBackFile(stage.paths);
  mkdirSync(stage.paths.state, { recursive: true });
  writeFileSync(file, 'x');
  linkSync(file, `${file}.damaged-20270114T100359123Z`);
  assert.ok(announceGoingBack(stage.paths, pendingOf(stage, 60)).ok);
  assert.equal(damagedFiles(stage.paths).length, 1);
  assert.equal(goingBackEntries(stage.paths).length, 1);
});

test('a file that cannot be read stays, and no change is announced in it', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const file = goingBackFile(stage.paths);
  mkdirSync(file, { recursive: true });
  const lines: string[] = [];
  using changes = start(stage, lines);
  await changes.begin();
  assert.match(lines.join('\n'), /policy-goes-back.json[^]*a directory/);
  assert.ok(!announceGoingBack(stage.paths, pendingOf(stage, 60)).ok);
  assert.ok(existsSync(file));
});

test('the largest policies go back', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const now = readFileSync(stage.policyFile, 'utf8');
  const quotes = `<!--${'"'.repeat(15 * 2 ** 20)}-->`;
  const large = { texts: packTexts(now + quotes, quotes), afterKey: keyOfText(quotes) };
  assert.ok(isWhole(pendingOf(stage, 60, large)));
});

test('a clock that was set back makes the time no longer', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const entry = pendingOf(stage, 0, { at: Date.now() + 1e10, seconds: 60 });
  assert.ok(announceGoingBack(stage.paths, entry).ok);
  const { token } = await stage.login(0);
  const { pending } = okay<PolicyResponse>(await stage.with(token, '/v1/policy'));
  assert.ok(pending && pending.secondsLeft <= 60);
  const soon = pendingOf(stage, 0, { at: Date.now() + 1e10, seconds: 1 });
  const before = textBefore(readFileSync(stage.policyFile, 'utf8'));
  assert.ok(announceGoingBack(stage.paths, soon).ok);
  using changes = start(stage, []);
  await changes.begin();
  await eventually('it goes back', () => readFileSync(stage.policyFile, 'utf8') === before);
});
