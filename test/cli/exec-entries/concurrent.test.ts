/** `bulkhead exec --entry` of several commands at once: they take turns, and no more start than the limit allows. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { eventually } from '../../../testing/patience.ts';
import { HangingProcess, skip as noAttack } from '../../attacks/hanging-process.ts';
import { instance, skipWithoutAccount, uidWithoutAccount } from '../exec-stage.ts';
import { launcher } from '../../../testing/launcher.ts';
import {
  account,
  assertFree,
  end,
  endWithChildren,
  limitEntries,
  running,
  slots,
  useEntries,
} from './stage.ts';

describe('bulkhead exec --entry of several commands', { skip: skipWithoutAccount }, () => {
  useEntries();

  test('makes concurrent commands wait for the lock in turn', async () => {
    limitEntries(1);
    fs.writeFileSync(`${slots()}/lock`, '');
    const holder = spawn('flock', [`${slots()}/lock`, 'sh', '-c', 'echo held; exec sleep 3600'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    running.push(holder);
    await once(holder.stdout, 'data');
    const { ino } = fs.statSync(`${slots()}/lock`);
    const waiting = () =>
      fs
        .readFileSync('/proc/locks', 'utf8')
        .split('\n')
        .filter((line) => line.includes('->') && line.includes(`:${ino} `)).length;
    let printed = '';
    for (let each = 0; each < 2; each++) {
      const own = [launcher, '--instance', instance, '--entry', account, '--', 'sh', '-c'];
      const words = [...own, 'echo entered; exec sleep 3600'];
      const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
      running.push(child);
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (data: Buffer) => (printed += data.toString()));
    }
    await eventually('both wait', () => waiting() === 2 || printed !== '');
    assert.equal(printed, '');
    // The shell that flock started has the lock, too, and then became sleep.
    await endWithChildren(holder);
    await eventually('both are done', () => printed.split('\n').length > 2);
    assert.equal(printed.match(/^entered$/gm)?.length, 1);
    assert.equal(printed.match(/all 1 of its entries/g)?.length, 1);
  });

  test('runs 3 of 12 that start at once with a limit of 3', async () => {
    limitEntries(3);
    const own = [launcher, '--instance', instance, '--entry', account, '--'];
    const wait = ['sh', '-c', 'echo entered; exec sleep 3600'];
    const script = `for n in 1 2 3 4 5 6 7 8 9 10 11 12; do "$@" & done; wait`;
    // A killed process may be a parent of others, so a whole group is killed.
    const child = spawn('setsid', ['sh', '-c', script, 'sh', ...own, ...wait], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const pids: number[] = [];
    try {
      const seen = { entered: 0, refused: 0 };
      child.stdout.on('data', (data: Buffer) => {
        seen.entered += data.toString().split('\n').length - 1;
      });
      child.stderr.on('data', (data: Buffer) => {
        seen.refused += data.toString().split('all 3 of its entries').length - 1;
      });
      await eventually('all started or refused', () => seen.entered + seen.refused === 12);
      assert.equal(seen.entered, 3);
    } finally {
      for (const name of fs.readdirSync(slots()).filter((each) => /^\d+$/.test(each)))
        pids.push(Number(fs.readFileSync(`${slots()}/${name}`, 'utf8').split(' ')[0]));
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      await once(child, 'exit');
    }
  });

  test(
    'frees the lock when it is killed while it looks at a process that blocks its readers',
    { skip: noAttack },
    async () => {
      using hostile = await HangingProcess.start(uidWithoutAccount + 1);
      fs.writeFileSync(`${slots()}/1`, `${hostile.hanging} 1\n`);
      const own = ['--instance', instance, '--entry', account, '--', 'true'];
      const child = spawn(launcher, own, { stdio: 'ignore' });
      running.push(child);
      const readers = `/proc/${child.pid}/task/${child.pid}/children`;
      await eventually(
        'another process looks',
        () => child.exitCode !== null || fs.readFileSync(readers, 'utf8') !== '',
      );
      await end(child);
      assertFree();
    },
  );
});
