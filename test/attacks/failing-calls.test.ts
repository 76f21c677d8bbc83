/**
 * Each system call of the launchers made to fail in turn: a command, and php-fpm, run as the tenant in its cgroup and its
 * jail, or not at all.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { compileExec, compileFpm } from '../../scripts/entry.ts';
import { reasonToSkip } from '../jail/stage.ts';
import { systemCalls } from './system-calls.ts';

const instance = 'bulkhead-failing-calls';
const program = fileURLToPath(new URL('../../bulkhead', import.meta.url));
const [jailed, plain] = [620_310, 620_311] as const;

/** Returns the bounding set that a process with such a status has. */
const boundingSet = (status: string) =>
  BigInt(`0x${/^CapBnd:\t([0-9a-f]+)$/m.exec(status)?.[1] ?? ''}`);
/** Capabilities of setuid programs that PHP starts outside jails. Source: entry/become.c. */
const setuidPrograms = 0x2004_25fbn;

suite('launchers with failing system calls', { skip: reasonToSkip() }, () => {
  const launchers = { exec: compileExec(), fpm: compileFpm() };
  let scratch = '';
  let hostMounts = '';
  let hierarchies = 0;
  const run = (file: string, ...args: readonly string[]) =>
    spawnSync(file, args, { encoding: 'utf8', timeout: patienceMilliseconds });
  const bulkhead = (...args: readonly string[]) => run(program, '--instance', instance, ...args);

  before(() => {
    bulkhead('release', '--kill');
    scratch = mkdtempSync(`/srv/${instance}-`);
    chmodSync(scratch, 0o755);
    const jail = `<jail profile="web"><path at="${scratch}"/></jail>`;
    const tenants = `<tenant uid="${jailed}">${jail}</tenant><tenant uid="${plain}"/>`;
    writeFileSync(`${scratch}/policy.xml`, `<bulkhead version="1">${tenants}</bulkhead>\n`);
    for (const name of ['old-kernel', 'show-self']) {
      const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
      execFileSync('gcc', ['-O2', '-static', '-o', `${scratch}/${name}`, source]);
    }
    mkdirSync(`${scratch}/8.4`);
    writeFileSync(`${scratch}/8.4/php.conf`, '');
    assert.equal(bulkhead('apply', `${scratch}/policy.xml`).status, 0);
    const launch = readFileSync(`/run/${instance}/launch`, 'utf8');
    hierarchies = launch.match(/^root /gm)?.length ?? 0;
    assert.ok(hierarchies > 0);
    hostMounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')[0] ?? '';
  });
  after(() => {
    bulkhead('release', '--kill');
    rmSync(scratch, { recursive: true });
    rmSync(`/var/lib/${instance}`, { recursive: true, force: true });
  });

  /** Returns the output of a program that started, or undefined if none did. */
  function startedWithout(call: number, file: string, ...words: readonly string[]) {
    const env = { ...process.env, LISTEN_FDNAMES: '/run/a.sock' };
    const { stdout } = spawnSync(`${scratch}/old-kernel`, [`=${call}`, file, ...words], {
      encoding: 'utf8',
      timeout: patienceMilliseconds,
      env,
    });
    return stdout.includes('Uid:') ? stdout : undefined;
  }

  function checkIdentity(text: string, uid: number, label: string): void {
    assert.match(text, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'), label);
    assert.match(text, new RegExp(`^Gid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'), label);
    assert.match(text, /^Groups:\t ?$/m, label);
    for (const set of ['Inh', 'Prm', 'Eff', 'Amb'])
      assert.match(text, new RegExp(`^Cap${set}:\\t0+$`, 'm'), label);
    const places = text.match(new RegExp(`:/${instance}/u${uid}$`, 'gm')) ?? [];
    assert.equal(places.length, hierarchies, label);
    assert.equal(text.includes(hostMounts), uid === plain, label);
  }

  for (const [kind, uid] of [
    ['a tenant', plain],
    ['a tenant with a jail', jailed],
  ] as const) {
    test(`bulkhead-exec starts nothing outside for ${kind}, whichever call fails`, () => {
      let started = 0;
      const words = ['--instance', instance, `${uid}`, '--', `${scratch}/show-self`];
      for (const call of systemCalls) {
        const text = startedWithout(call, launchers.exec, ...words);
        if (text === undefined) continue;
        started++;
        const label = `call ${call}:\n${text}`;
        checkIdentity(text, uid, label);
        assert.equal(boundingSet(text), 0n, label);
        assert.match(text, /^NoNewPrivs:\t1$/m, label);
      }
      // Most calls are not needed at all.
      assert.ok(started > 200, `${started}`);
    });

    test(`bulkhead-fpm starts nothing outside for ${kind}, whichever call fails`, () => {
      let started = 0;
      const show = `${scratch}/show-self`;
      const words = ['tenant', instance, `${uid}`, show, `${scratch}/8.4/php.conf`];
      for (const call of systemCalls) {
        const text = startedWithout(call, launchers.fpm, ...words);
        if (text === undefined) continue;
        started++;
        const label = `call ${call}:\n${text}`;
        checkIdentity(text, uid, label);
        const isJailed = uid === jailed;
        assert.equal(boundingSet(text) & ~(isJailed ? 0n : setuidPrograms), 0n, label);
        assert.match(text, new RegExp(`^NoNewPrivs:\\t${isJailed ? 1 : 0}$`, 'm'), label);
        const config = isJailed ? '/.bulkhead/fpm/8.4/php.conf' : `${scratch}/8.4/php.conf`;
        assert.ok(text.includes(`\0--fpm-config\0${config}\0`), label);
      }
      assert.ok(started > 200, `${started}`);
    });
  }

  test('bulkhead-fpm starts nothing as root in a slice, whichever call fails', () => {
    let started = 0;
    const words = ['slice', instance, '65534:65534', `${scratch}/show-self`, '/x.conf'];
    for (const call of systemCalls) {
      const text = startedWithout(call, launchers.fpm, ...words);
      if (text === undefined) continue;
      started++;
      const label = `call ${call}:\n${text}`;
      assert.match(text, /^Uid:\t65534\t65534\t65534\t65534$/m, label);
      assert.match(text, /^Gid:\t65534\t65534\t65534\t65534$/m, label);
      assert.match(text, /^Groups:\t65534 $/m, label);
      for (const set of ['Inh', 'Prm', 'Eff', 'Amb'])
        assert.match(text, new RegExp(`^Cap${set}:\\t0+$`, 'm'), label);
    }
    assert.ok(started > 200, `${started}`);
  });
});
