/** `bulkhead web suexec` killed at many instants: Apache finds a suexec that works, and the next run completes it. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageFile } from '../../../src/sys/package-files.ts';
import { showSelf, skip, SuexecStage } from './stage.ts';

const link = '/usr/lib/apache2/suexec';

suite('bulkhead web suexec that is killed', { skip }, () => {
  const stage = new SuexecStage('kill');
  stage.register();
  const words = (verb: string) =>
    stage.inside(packageFile('bulkhead'), '--instance', stage.instance, 'web', 'suexec', verb);
  const starts = () => {
    const [uid, gid] = [`${stage.uids.bob}`, `${stage.gids.bob}`];
    const ran = stage.callAsServer(stage.directoryOf('bob'), link, uid, gid, 'a.cgi');
    assert.match(ran.stdout, new RegExp(`^Uid:\\t${uid}\\t`, 'm'), ran.stderr);
  };

  test('leaves a suexec that starts programs, and is completed by the next run', async () => {
    stage.write('bob', 'a.cgi', showSelf);
    stage.mustCall('rm', link);
    stage.mustCall('update-alternatives', '--install', link, 'suexec', `${link}-custom`, '10');
    for (const verb of ['enable', 'disable']) {
      const begin = performance.now();
      stage.call(...words('status').slice(2));
      const whole = performance.now() - begin;
      for (const after of [0.5, 0.7, 0.8, 0.9]) {
        const [file = '', ...args] = words(verb);
        const killed = spawn(file, args, { stdio: 'ignore' });
        const ended = once(killed, 'exit');
        await sleep(whole * after);
        killed.kill('SIGKILL');
        await ended;
        starts();
      }
      assert.equal(stage.call(...words(verb).slice(2)).status, 0, verb);
      starts();
    }
    assert.equal(stage.mustCall('readlink', '-f', link), `${link}-custom\n`);
  });
});
