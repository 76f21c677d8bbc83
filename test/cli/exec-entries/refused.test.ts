/** `bulkhead exec --entry` starts nothing when its files cannot be trusted, and reports what it refuses. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { eventually } from '../../../testing/patience.ts';
import { formatEntrySlots } from '../../../src/host/entry-slots.ts';
import { assertRefused, instance, launch, skipWithoutAccount } from '../exec-stage.ts';
import {
  account,
  assertFull,
  end,
  entries,
  limitEntries,
  options,
  running,
  slots,
  started,
  useEntries,
} from './stage.ts';

describe('bulkhead exec --entry that is refused', { skip: skipWithoutAccount }, () => {
  useEntries();

  test('starts nothing when the limit is damaged or slots cannot be written', () => {
    const whole = formatEntrySlots({ limit: 1 });
    for (const text of [
      '',
      '1\n',
      whole.slice(0, -1),
      whole.replace('limit 1', 'limit 0'),
      whole.replace('limit 1', 'limit x'),
      whole.replace('entries 1', 'entries 2'),
      whole.replace('entries', 'launch'),
      `${whole}\0`,
      whole.replace('end', 'reseller ../1\nend'),
    ]) {
      fs.writeFileSync(`${slots()}/limit`, text);
      assertRefused(
        launch(account, ['id'], options),
        /^bulkhead: Cannot use .*\/limit: .*; run bulkhead apply$/m,
      );
    }
    limitEntries(1);
    fs.mkdirSync(`${slots()}/lock`);
    assertRefused(launch(account, ['id'], options), /cannot be locked or written/);
    fs.rmdirSync(`${slots()}/lock`);
    fs.mkdirSync(`${slots()}/1`);
    assertRefused(launch(account, ['id'], options), /cannot be locked or written/);
  });

  test('reports a refused command to the agent, and works without one', async (t) => {
    if (!fs.existsSync('/usr/bin/perl')) return t.skip('perl is not installed');
    limitEntries(1);
    await started();
    const socket = `/run/${instance}/web.sock`;
    const listen =
      'use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; bind(S, sockaddr_un($ARGV[0])) or die; $| = 1; print "ready\\n"; while (sysread(S, my $text, 4096)) { print "$text\\n" }';
    const agent = spawn('perl', ['-e', listen, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    running.push(agent);
    let told = '';
    agent.stdout.on('data', (data: Buffer) => (told += data.toString()));
    await eventually('it listens', () => told.includes('ready'));
    assertFull();
    launch(account, ['a "b" \\'], options);
    await eventually('it is told of both', () => told.split('\n').length >= 4);
    const texts = told
      .split('\n')
      .slice(1, 3)
      .map((line) => line.slice(line.indexOf('{')));
    assert.deepEqual(
      texts.map((text) => JSON.parse(text) as unknown),
      ['id', ''].map((url) => ({
        owner: account,
        of: `u${account}`,
        site: '',
        client: '',
        method: 'exec',
        url,
      })),
    );
    // Nobody takes it any more, or it cannot be sent at all.
    await end(agent);
    assertFull();
    fs.rmSync(socket);
    assertFull();
  });

  test('refuses links in place of its directories', () => {
    for (const path of [slots(), entries]) {
      fs.renameSync(path, `${path}.aside`);
      fs.symlinkSync(`${path}.aside`, path);
      assertRefused(launch(account, ['id'], options), /Cannot use .*a link is in its place/);
      fs.rmSync(path);
      fs.renameSync(`${path}.aside`, path);
    }
  });
});
