/** The output of `prove`, and the policy that it writes. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { colorsIf } from '../../src/cli/shared/terminal.ts';
import {
  entryText,
  hostText,
  formatAttackList,
  summaryText,
  waitingText,
} from '../../src/prove/commands/text.ts';
import { attacks } from '../../src/prove/attacks/attacks.ts';
import type { Attack } from '../../src/prove/core/attack.ts';
import { scratchPolicy, attackerLimits } from '../../src/prove/core/scratch-policy.ts';
import { noNetwork } from './no-network.ts';
import { type ProofEntry } from '../../src/prove/core/verdict.ts';
import { type ProvedHost } from '../../src/prove/io/host-report.ts';

const plain = { columns: 60, isTerminal: false, colors: colorsIf(false) };
const entry: ProofEntry = {
  attack: 'home',
  summary: 'read it',
  verdict: 'blocked',
  detail: 'refused: EACCES open',
  demanded: true,
  remedy: 'chmod 700 on home directories',
};

suite('output of bulkhead prove', () => {
  test('entryText() marks demanded attacks, and shows remedies only where one got through', () => {
    assert.match(entryText(entry, plain), /^home {20}\* blocked {7}refused: EACCES open$/);
    assert.match(
      entryText({ ...entry, demanded: false }, plain),
      /^home +blocked {7}refused: EACCES open$/,
    );
    const open = entryText({ ...entry, verdict: 'not blocked', detail: 'read "secret"' }, plain);
    assert.match(open, /\* not blocked {3}read "secret"\n +to block it: chmod\n/);
    assert.doesNotMatch(entryText({ ...entry, verdict: 'not available' }, plain), /to block it/);
  });

  test('entryText() stays within the terminal, and clears the line of the running attack', () => {
    const long = { ...entry, verdict: 'not blocked' as const, detail: 'word '.repeat(40).trim() };
    for (const line of entryText(long, plain).split('\n')) assert.ok(line.length <= 60, line);
    assert.ok(entryText(entry, { ...plain, isTerminal: true }).startsWith('\r\u001b[K'));
    assert.ok(waitingText({ name: 'home' } as Attack).startsWith('\rhome'));
  });

  test('entryText() is red only for attacks that the policy demands to block', () => {
    const colors = colorsIf(true);
    const painted = (more: Partial<ProofEntry>) =>
      entryText({ ...entry, verdict: 'not blocked', ...more }, { ...plain, colors });
    assert.ok(painted({}).includes(colors.red('not blocked  ')));
    assert.ok(painted({ demanded: false }).includes(colors.yellow('not blocked  ')));
    assert.ok(painted({ verdict: 'blocked' }).includes(colors.green('blocked      ')));
  });

  test('summaryText() counts verdicts, and names demanded attacks that got through', () => {
    const entries = [
      entry,
      { ...entry, attack: 'kill', verdict: 'not blocked' },
      { ...entry, attack: 'fuse', verdict: 'not blocked', demanded: false },
      { ...entry, attack: 'module', verdict: 'not available' },
    ] as const;
    assert.equal(
      summaryText(entries, plain),
      '\n1 blocked, 2 not blocked, 1 not available here\nThe policy demands these, and they were not blocked: kill',
    );
    assert.equal(
      summaryText([entry], plain),
      '\n1 blocked, 0 not blocked, 0 not available here; nothing that the policy demands is open',
    );
    assert.match(summaryText([], plain), /^\n0 blocked, 0 not blocked, 0 not available here;/);
  });

  test("hostText() makes the policy's name printable, and reports unknown security modules", () => {
    const host: ProvedHost = {
      kernel: '6.12.0',
      cgroups: 'v2',
      driver: 'cgroup2',
      reason: '',
      securityModules: undefined,
      settings: { 'fs.protected_symlinks': '1', 'kernel.dmesg_restrict': undefined },
      weakLimits: [],
      defences: [{ name: 'Agent', on: false, detail: 'not running' }],
    };
    assert.equal(
      hostText(host, '/etc/p\u001b[2J.xml', { columns: 200 }),
      [
        'Kernel     6.12.0, cgroup v2, driver cgroup2',
        'Security   the kernel does not say which security modules it has',
        'Sysctl     fs.protected_symlinks=1',
        'Agent      not running',
        'Weak       no limit',
        'Policy     /etc/p\\u{1b}[2J.xml; what it demands has a star',
        '',
      ].join('\n'),
    );
    assert.match(
      hostText(host, undefined, { columns: 200 }),
      /there is none, so nothing is demanded/,
    );
  });

  test('formatAttackList() prints a line for each attack with the limit in the policy', () => {
    const lines = formatAttackList(attacks).split('\n');
    assert.equal(lines.length, attacks.length + 1);
    assert.match(lines[1] ?? '', /^busy-loop +cpu limit +a busy loop on every processor$/);
  });
});

suite('scratchPolicy()', () => {
  const tenants = { attacker: 65_600, neighbour: 65_601, control: 65_602 };
  const none = {
    cpu: undefined,
    memory: undefined,
    processes: undefined,
    write: undefined,
    space: undefined,
    files: undefined,
  };

  test('writes no element for a limit that is not set, and rounds no limit', () => {
    const text = scratchPolicy(tenants, none, {
      driver: undefined,
      jail: undefined,
      strict: false,
      network: noNetwork,
    });
    assert.match(text, /<tenant uid="65600"><\/tenant>/);
    assert.doesNotMatch(text, /<host|<placement|<jail/);
    const limited = scratchPolicy(tenants, attackerLimits, {
      driver: undefined,
      jail: undefined,
      strict: false,
      network: noNetwork,
    });
    assert.match(
      limited,
      /<tenant uid="65600"><cpu limit="20%"\/><memory limit="64MiB"\/><io write="2MiB\/s"\/><processes limit="40"\/><disk space="8MiB" files="200"\/><\/tenant>/,
    );
  });
});
