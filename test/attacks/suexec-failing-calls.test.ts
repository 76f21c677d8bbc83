/**
 * Each system call of bulkhead-suexec, and of the suexec that it runs, made to fail in turn: a program of the tenant runs in its
 * cgroup and its jail, or not at all.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findTree } from '../cli/launch-stage.ts';
import { server, skip, SuexecStage } from '../web/suexec/stage.ts';
import { systemCalls } from './system-calls.ts';

suite('bulkhead-suexec with failing system calls', { skip }, () => {
  const stage = new SuexecStage('calls');
  stage.register();
  const { roots } = findTree(stage.instance);
  const failing = `${stage.homes}/old-kernel`;
  before(() => {
    if (skip !== false) return;
    stage.installWrapper();
    const compile = (name: string, to: string) => {
      const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
      execFileSync('gcc', ['-O2', '-static', '-o', to, source]);
      chmodSync(to, 0o755);
    };
    compile('old-kernel', failing);
    for (const tenant of ['alice', 'bob'] as const)
      compile('show-self', stage.write(tenant, 'show.cgi', ''));
  });

  for (const tenant of ['alice', 'bob'] as const)
    test(`starts nothing outside for ${tenant}, whichever call fails`, () => {
      const [uid, gid] = [stage.uids[tenant], stage.gids[tenant]];
      let started = 0;
      // With root as the effective user, as the setuid bit has it. One shell starts all of them, which saves most of the time.
      const { stdout: all } = stage.call(
        'setpriv',
        `--ruid=${server}`,
        `--rgid=${server}`,
        '--clear-groups',
        'bash',
        '-pc',
        'cd "$1"; for call in $2; do printf "\\ncall %s\\n" "$call"; "$3" "=$call" "${@:4}" 2>/dev/null; done',
        'bash',
        stage.directoryOf(tenant),
        systemCalls.join(' '),
        failing,
        stage.wrapper,
        `${uid}`,
        `${gid}`,
        'show.cgi',
      );
      const outputs = all.split(/^call (?=\d+$)/m).slice(1);
      assert.equal(outputs.length, systemCalls.length);
      for (const stdout of outputs) {
        if (!stdout.includes('Uid:')) continue;
        started++;
        const label = `call ${stdout}`;
        assert.match(stdout, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'), label);
        assert.match(stdout, new RegExp(`^Gid:\\t${gid}\\t${gid}\\t${gid}\\t${gid}$`, 'm'), label);
        assert.match(stdout, new RegExp(`^Groups:\\t${gid} $`, 'm'), label);
        for (const set of ['Inh', 'Prm', 'Eff', 'Amb'])
          assert.match(stdout, new RegExp(`^Cap${set}:\\t0+$`, 'm'), label);
        const places = stdout.match(new RegExp(`:/${stage.instance}/u${uid}$`, 'gm')) ?? [];
        assert.equal(places.length, roots.length, label);
        if (tenant === 'alice') assert.match(stdout, /^NoNewPrivs:\t1$/m, label);
        if (tenant === 'alice') assert.match(stdout, /^CapBnd:\t0+$/m, label);
      }
      // Most calls are not needed at all.
      assert.ok(started > 200, `${started}`);
    });
});
