// `bulkhead jail enter` on a real terminal of root, and what is left behind there when it has ended.
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { findTree } from '../cli/launch-stage.ts';
import { TestTerminal, waitFor } from '../cli/test-terminal.ts';
import { reasonToSkip } from './stage.ts';

const instance = 'bulkhead-jail-enter';
const obstacle = existsSync('/usr/bin/script') ? reasonToSkip() : 'needs script(1)';
const skip = obstacle || (findTree(instance).roots.length === 0 ? 'needs cgroups' : false);
const program = fileURLToPath(new URL('../../bulkhead', import.meta.url));
const uid = 620_400;
const size = { columns: 80, rows: 24 } as const;

describe('bulkhead jail enter at a terminal', { skip }, () => {
  const scratch = suiteDirectory('jail-enter', '/var/tmp', 0o755);
  const policy = `${scratch}/policy.xml`;
  const bulkhead = (...args: readonly string[]) =>
    spawnSync(program, ['--instance', instance, ...args], {
      encoding: 'utf8',
      timeout: patienceMilliseconds,
    });
  const see = (script: string) =>
    bulkhead('exec', `${uid}`, '--', 'sh', '-c', script).stdout.trim();
  const quote = (word: string) => `'${word.replaceAll("'", String.raw`'\''`)}'`;
  /** Returns a command for a root shell that runs a script in the jail. */
  const enter = (script: string) =>
    `${program} --instance ${instance} jail enter -p ${policy} ${uid} -- sh -c ${quote(script)}`;

  /**
   * Runs a shell script of root on a terminal, and returns all that was on its screen when it ended.
   */
  async function show(
    script: string,
    use: (
      terminal: TestTerminal,
      shows: (text: string) => Promise<void>,
    ) => Promise<void> | void = () => {},
  ): Promise<string> {
    const terminal = new TestTerminal(script, size);
    const text = () => terminal.screen.usual.replaceAll('\r', '');
    await use(terminal, (wanted) =>
      waitFor(
        () => text().includes(wanted),
        () => `"${wanted}" is not shown: ${text()}`,
      ),
    );
    await terminal.end();
    return text();
  }

  before(() => {
    bulkhead('release', '--kill');
    const tenant = `<tenant uid="${uid}"><jail profile="web"/></tenant>`;
    writeFileSync(policy, `<bulkhead version="1">${tenant}</bulkhead>\n`);
    const { status, stderr } = bulkhead('apply', policy);
    assert.equal(status, 0, stderr);
  });
  after(() => {
    bulkhead('release', '--kill');
    rmSync(`/var/lib/${instance}`, { recursive: true, force: true });
  });

  test("lets no process left behind read root's keys or draw on root's screen", async () => {
    const thief = `$SIG{HUP} = "IGNORE"; open my $file, ">>", "/tmp/stolen"; select $file; $| = 1; print "began\\n";
      while (1) { sysread(STDIN, my $key, 1) and print $key; syswrite STDERR, "DRAWN"; select undef, undef, undef, 0.01 }`;
    const left = `exec 3<&0; setsid perl -e ${quote(thief)} <&3 & until grep -q began /tmp/stolen 2>/dev/null; do sleep 0.05; done`;
    const lines = Array.from({ length: 12 }, (_, index) => `password-${index}`);
    const type = `for i in $(seq ${lines.length}); do read -r line; echo "root: $line"; done`;
    const text = await show(
      `stty -echo; ${enter(left)}; echo back in the shell; ${type}`,
      async (terminal, shows) => {
        await shows('back in the shell');
        for (const line of lines) {
          terminal.press(`${line}\n`);
          await shows(`root: ${line}\n`);
        }
      },
    );
    assert.doesNotMatch(text.slice(text.indexOf('back in the shell')), /DRAWN/);
    assert.equal(see('cat /tmp/stolen'), 'began');
    see('pkill -KILL perl; rm /tmp/stolen');
  });

  test("gives the command its own terminal, with the size of root's", async () => {
    const look =
      'tty; stty size; tty </dev/tty | grep -c . ; test -t 0 && test -t 1 && test -t 2 && echo all';
    const text = await show(
      `${enter(look)}; ${enter('echo reads; read -r key; until stty size | grep "42 101"; do sleep 0.05; done')}; stty size`,
      async (terminal, shows) => {
        await shows('reads');
        terminal.resize({ columns: 101, rows: 42 });
        terminal.press('\r');
        await shows('42 101');
      },
    );
    assert.match(text, /^\/dev\/tty-std(?:in|out|err)\n24 80\n1\nall$/m);
    assert.equal(text.split('42 101').length, 3, text);
  });

  test('passes keys, exit status and terminal modes', async () => {
    const modes = `stty erase '^H'; before=$(stty -g); [ "$(${enter('stty -g')})" ]`;
    const waits = enter(
      `trap 'echo interrupted; exit 5' INT; echo waits; while :; do sleep 0.05; done`,
    );
    const script = [
      modes,
      enter('stty -a | grep -o "erase = ^H"'),
      `${waits}; echo "status $?"`,
      `${enter('exit 7')}; echo "status $?"`,
      `${enter('kill -TERM $$')}; echo "status $?"`,
      `${enter('read -r line; echo "got $line"; cat; exit 3')}; echo "status $?"`,
      '[ "$(stty -g)" = "$before" ] && echo restored',
    ].join('; ');
    const text = await show(script, async (terminal, shows) => {
      await shows('waits');
      terminal.press('\u0003');
      await shows('status 143');
      terminal.press('a line\r');
      await shows('got a line');
      terminal.press('\u0004');
    });
    assert.match(text, /erase = \^H/);
    assert.match(text, /interrupted\nstatus 5\nstatus 7\nstatus 143\n[^]*status 3\nrestored\n/);
  });

  test('shows all output, even while another process has the terminal open', async () => {
    const much = `seq -f 'line %g' 20000; sleep 100 & echo last`;
    const text = await show(`${enter(much)}; echo "status $?"`);
    assert.match(text, /line 19999\nline 20000\nlast\nstatus 0\n/);
    assert.equal(text.match(/^line \d+$/gm)?.length, 20_000);
  });

  test('passes pipes on, and gives them no terminal', async () => {
    const through = enter('cat; test -t 1 || echo piped; : 2>/dev/null </dev/tty && echo reached');
    const text = await show(
      `x=$(echo given | ${through} 2>/dev/null); echo "$x"; echo input | ${enter('cat; tty; test -t 1 && echo shown')}`,
    );
    assert.match(text, /^given\npiped\ninput\nnot a tty\nshown\n$/m);
    const { status, stdout } = bulkhead(
      'jail',
      'enter',
      '-p',
      policy,
      `${uid}`,
      '--',
      'sh',
      '-c',
      'echo plain; exit 9',
    );
    assert.deepEqual([status, stdout], [9, 'plain\n']);
  });

  test('ends the command on a signal, and restores the terminal', async () => {
    const waits = enter('echo waits; sleep 1000');
    const by = (signal: string) =>
      `before=$(stty -g); ${waits} & wait_for=$!; echo "relay $!"; fg %1 >/dev/null; echo "status $?"; [ "$(stty -g)" = "$before" ] && echo restored by ${signal}`;
    for (const [signal, status] of [
      ['TERM', 143],
      ['HUP', 129],
    ] as const) {
      const text = await show(`set -m; ${by(signal)}`, async (terminal, shows) => {
        await shows('waits');
        const pid = Number(/relay (\d+)/.exec(terminal.screen.usual)?.[1]);
        process.kill(pid, `SIG${signal}`);
      });
      assert.match(text, new RegExp(`status ${status}\\nrestored by ${signal}\\n`));
    }
  });
});
