/**
 * The command table: `--help` is generated from it, and a command is loaded only when it is used.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { loadCommand } from '../../src/cli/shared/command-table.ts';
import { makeProgram, makeWholeProgram } from '../../src/cli/program.ts';
import { capabilities } from '../../src/capabilities.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const sources = new URL('../../src/', import.meta.url).href;

const run = (args: readonly string[], flags: readonly string[] = []) =>
  spawnSync(process.execPath, [...flags, main, ...args], { encoding: 'utf8' });

/** Files of src/, and packages, that a command line has loaded. */
function loadedBy(args: readonly string[]): readonly string[] {
  const hook = `import { registerHooks } from 'node:module';
    import { writeSync } from 'node:fs';
    registerHooks({ load(url, context, next) { writeSync(2, 'loaded ' + url + '\\n'); return next(url, context); } });`;
  const { stderr } = run(args, ['--import', `data:text/javascript,${encodeURIComponent(hook)}`]);
  const urls = [...stderr.matchAll(/^loaded (.*)$/gm)].map(([, url = '']) => url);
  return urls.map((url) => (url.startsWith(sources) ? url.slice(sources.length) : url));
}

test('--help lists commands the same before and after they are loaded', async () => {
  const program = makeProgram(capabilities);
  const load = async (command: Command): Promise<void> => {
    const listed = command.helpInformation();
    for (const each of command.commands) await loadCommand(each);
    assert.equal(command.helpInformation(), listed);
    for (const each of command.commands) await load(each);
  };
  await load(program);
  const kernelModules = (whole: typeof program) =>
    whole.commands.find((each) => each.name() === 'modules');
  const printed = run(['modules', '--help']).stdout;
  assert.ok(printed.startsWith(kernelModules(program)?.helpInformation() ?? '-'), printed);
});

test('every command has a summary, and options, arguments or subcommands', async () => {
  const program = await makeWholeProgram(capabilities);
  for (const command of [program, ...program.commands].flatMap((each) => each.commands)) {
    assert.notEqual(command.description(), '', command.name());
    const options = command.options.length + command.commands.length;
    assert.ok(options > 0 || command.registeredArguments.length > 0, command.name());
  }
});

test('every feature has enable, disable and status, and no other verbs for these', async () => {
  const program = await makeWholeProgram(capabilities);
  const all = (parent: Command): readonly Command[] => [
    parent,
    ...parent.commands.flatMap((each) => all(each)),
  ];
  const features: string[] = [];
  for (const command of all(program)) {
    const verbs = command.commands.map((each) => each.name());
    for (const old of ['on', 'off', 'watch', 'restore', 'refresh', 'update', 'discover', 'split'])
      assert.ok(!verbs.includes(old), `${command.name()} ${old}`);
    assert.ok(!command.options.some(({ long }) => long === '--undo'), command.name());
    if (!verbs.includes('enable')) continue;
    features.push(command.name());
    for (const verb of ['disable', 'status'])
      assert.ok(verbs.includes(verb), `${command.name()} ${verb}`);
  }
  assert.deepEqual(features.toSorted(), [
    'app',
    'cloudlinux',
    'confine',
    'console',
    'db',
    'entries',
    'fpm',
    'gate',
    'guard',
    'harden',
    'hooks',
    'pam',
    'suexec',
    'units',
  ]);
});

test('help and --help print the same wherever the words are', () => {
  for (const [words, same] of [
    [
      ['set', '--help'],
      ['help', 'set'],
    ],
    [
      ['set', '--help'],
      ['--instance', 'other', 'set', '-h'],
    ],
    [
      ['modules', 'scan', '--help'],
      ['modules', 'help', 'scan'],
    ],
    [
      ['modules', '--help'],
      ['help', 'modules'],
    ],
    [['--help'], ['help']],
    [['--help'], []],
    [['--help'], ['--help', 'set']],
  ] as const) {
    const expected = run(words);
    const got = run(same);
    assert.match(expected.stdout, /^Usage: bulkhead/);
    assert.equal(got.stdout, expected.stdout, same.join(' '));
    assert.equal(got.status, 0);
  }
});

test('an unknown command or verb is a usage error with a suggestion', () => {
  const { status, stderr } = run(['chekc']);
  assert.equal(status, 2);
  assert.match(stderr, /unknown command 'chekc'\n\(Did you mean check\?\)/);
  const verb = run(['web', 'entries', 'enabel']);
  assert.equal(verb.status, 2);
  assert.match(verb.stderr, /unknown command 'enabel'\n\(Did you mean enable\?\)/);
});

test('--help loads no command', () => {
  const loaded = loadedBy(['--help']);
  assert.ok(loaded.includes('cli/program.ts'), loaded.join('\n'));
  const ours = loaded.filter((each) => each.endsWith('.ts'));
  assert.deepEqual(ours.toSorted(), [
    'capabilities.ts',
    'cli/capability.ts',
    'cli/program.ts',
    'cli/shared/command-table.ts',
    'cli/shared/command.ts',
    'cli/version.ts',
    'cloudlinux/commands/cloudlinux-commands.ts',
    'main.ts',
    'sys/package-files.ts',
  ]);
});

test('check loads the policy parser, and neither drivers, FFI nor HTTP', () => {
  const loaded = loadedBy(['check', '--policy', '/nonexistent/policy.xml']);
  assert.ok(loaded.includes('policy/parse.ts'), loaded.join('\n'));
  for (const heavy of ['host/probe.ts', 'agent/api/client.ts', 'node:http', 'node:crypto']) {
    assert.ok(!loaded.includes(heavy), heavy);
  }
  assert.ok(!loaded.some((each) => each.includes('koffi')));
});
