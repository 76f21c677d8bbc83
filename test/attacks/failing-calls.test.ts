/** Each system call of the launcher made to fail in turn: a command runs as the tenant in its cgroup, or not at all. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { compileExec } from '../../scripts/entry.ts';
import { publicScratch, reasonToSkip } from '../jail/stage.ts';
import { systemCalls } from './system-calls.ts';

const instance = 'bulkhead-failing-calls';
const program = fileURLToPath(new URL('../../bulkhead', import.meta.url));
const [jailed, plain] = [620_310, 620_311] as const;

suite('launcher with failing system calls', { skip: reasonToSkip() }, () => {
  const launcher = compileExec();
  let scratch = '';
  let hostMounts = '';
  const run = (file: string, ...args: readonly string[]) =>
    spawnSync(file, args, { encoding: 'utf8', timeout: patienceMilliseconds });
  const bulkhead = (...args: readonly string[]) => run(program, '--instance', instance, ...args);

  before(() => {
    bulkhead('release', '--kill');
    scratch = publicScratch(instance);
    const tenants = `<tenant uid="${jailed}"><jail profile="web"/></tenant><tenant uid="${plain}"/>`;
    writeFileSync(`${scratch}/policy.xml`, `<bulkhead version="1">${tenants}</bulkhead>\n`);
    const source = fileURLToPath(new URL('old-kernel.c', import.meta.url));
    execFileSync('gcc', ['-O2', '-static', '-o', `${scratch}/old-kernel`, source]);
    assert.equal(bulkhead('apply', `${scratch}/policy.xml`).status, 0);
    hostMounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')[0] ?? '';
  });
  after(() => {
    bulkhead('release', '--kill');
    rmSync(scratch, { recursive: true });
    rmSync(`/var/lib/${instance}`, { recursive: true, force: true });
  });

  /** Returns the output of a command that started, or undefined if none did. */
  function startedWithout(call: number, uid: number): string | undefined {
    const files = ['status', 'cgroup', 'mountinfo'].map((each) => `/proc/self/${each}`);
    const words = ['--instance', instance, `${uid}`, '--', 'cat', ...files];
    const { stdout } = run(`${scratch}/old-kernel`, `=${call}`, launcher, ...words);
    return stdout.includes('Uid:') ? stdout : undefined;
  }

  for (const [kind, uid] of [
    ['a tenant', plain],
    ['a tenant with a jail', jailed],
  ] as const)
    test(`launcher starts nothing outside for ${kind}, whichever call fails`, () => {
      let started = 0;
      for (const call of systemCalls) {
        const text = startedWithout(call, uid);
        if (text === undefined) continue;
        started++;
        const label = `call ${call}:\n${text}`;
        assert.match(text, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'), label);
        assert.match(text, new RegExp(`^Gid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'), label);
        assert.match(text, /^Groups:\t ?$/m, label);
        for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'])
          assert.match(text, new RegExp(`^Cap${set}:\\t0+$`, 'm'), label);
        assert.match(text, /^NoNewPrivs:\t1$/m, label);
        const places = text.match(new RegExp(`:/${instance}/u${uid}$`, 'gm')) ?? [];
        assert.ok(places.length >= 1, label);
        const isOutside = text.includes(hostMounts);
        assert.equal(isOutside, uid === plain, label);
      }
      // Most calls are not needed at all.
      assert.ok(started > 200, `${started}`);
    });
});
