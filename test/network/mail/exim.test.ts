/** A real Exim: what it logs is counted, and the limit of docs/network.md holds for each account. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { unpackPackages } from '../../../testing/unpacked-packages.ts';
import { eximSubmitter } from '../../../src/network/core/exim-log.ts';

const packages = [
  'exim4-daemon-light',
  'exim4-base',
  'libdb5.3t64',
  'libgnutls-dane0t64',
  'libidn12',
  'libnsl2',
  'libtirpc3t64',
  'libunbound8',
];
const isRoot = process.getuid?.() === 0;
const unpacked = isRoot ? unpackPackages('exim', packages) : undefined;
const skip =
  unpacked === undefined ? 'only root makes layers' : unpacked.ok ? false : unpacked.reason;

const script = fileURLToPath(new URL('exim.sh', import.meta.url));
const page = fileURLToPath(new URL('../../../docs/network.md', import.meta.url));

/** The configuration of the page, with limits that a test reaches. */
function documented(): string {
  const [, text = ''] = /```exim\n([^`]*)```/.exec(readFileSync(page, 'utf8')) ?? [];
  const small = text.replaceAll('1000 / 1h', '6 / 1h').replaceAll('100 / 1h', '3 / 1h');
  assert.match(small, / 6 \/ 1h .* 3 \/ 1h /s);
  return small;
}

const main = `primary_hostname = host.example
queue_only
keep_environment =
untrusted_set_sender = *
`;

interface Ran {
  readonly lines: readonly string[];
  readonly log: string;
}

function handOver(
  configuration: string,
  messages: readonly (readonly [uid: number, sender: string])[],
): Ran {
  assert.ok(unpacked?.ok);
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-exim-'));
  try {
    writeFileSync(`${directory}/conf`, main + configuration);
    const words = ['--mount', '--propagation', 'private', 'sh', script, unpacked.root];
    const input = messages.map((each) => `${each.join(' ')}\n`).join('');
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      [...words, `${directory}/conf`, `${directory}/log`],
      { encoding: 'utf8', input },
    );
    assert.equal(status, 0, stderr);
    return { lines: stdout.split('\n'), log: readFileSync(`${directory}/log`, 'utf8') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const submitters = (log: string) => log.split('\n').flatMap((line) => eximSubmitter(line) ?? []);
const alice = 63_001;
const bob = 63_002;

suite('a real Exim', { skip }, () => {
  test('a forged sender counts for its own account', () => {
    const forged = [
      '"a U=bob P=local S=1"@x.example',
      '"\\" U=bob P=local S=1"@x.example',
      'U=bob@local.example',
      '<>',
    ];
    const { log } = handOver('', [
      ...forged.map((each) => [alice, each] as const),
      [bob, 'bob@host.example'],
    ]);
    assert.deepEqual(submitters(log), [...forged.map(() => 'alice'), 'bob'], log);
  });

  test('the documented limit holds each account by itself, and answers nobody', () => {
    const many = Array.from({ length: 9 }, () => [alice, 'victim@far.example'] as const);
    const { lines, log } = handOver(documented(), [...many, [bob, 'bob@host.example']]);
    const queued = lines.filter((line) => /^queue .*<(victim|bob)@/.test(line));
    const frozen = queued.filter((line) => line.includes('*** frozen ***'));
    assert.equal(lines.filter((line) => line.endsWith(' ok')).length, 7, lines.join('\n'));
    assert.equal(queued.length, 7, lines.join('\n'));
    assert.equal(frozen.length, 3, lines.join('\n'));
    assert.ok(frozen.every((line) => line.includes('victim@')));
    assert.doesNotMatch(log, /<= <>/, 'no message goes back to a sender that a script has chosen');
    assert.match(log, /uid 63001 .* held/);
    assert.match(log, /uid 63001 .* dropped/);
  });
});
