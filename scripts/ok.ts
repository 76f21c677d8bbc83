/** The gate: format, lint, layers, words, types, what runs as root, generated files, and every test that needs no kernel. */
import { globSync } from 'node:fs';
import { root, runSteps, tests, tool, type Step } from './steps.ts';

/** Suites that load the machine; `npm test` runs them one by one. */
export const kernelSuites = [
  'test/conformance/kernel.test.ts',
  'test/conformance/systemd.test.ts',
  'test/conformance/demo.test.ts',
  'test/cli/exec.test.ts',
  'test/cli/exec-accounts.test.ts',
  'test/cli/exec-entries.test.ts',
  'test/cli/exec-launch-file.test.ts',
  'test/cli/exec-process.test.ts',
  'test/cli/exec-script.test.ts',
  'test/cli/exec-tenants.test.ts',
  'test/cli/package.test.ts',
  'test/cli/top-screen.test.ts',
  'test/agent/advise.test.ts',
  'test/agent/agent.test.ts',
  'test/agent/agent-incidents.test.ts',
  'test/agent/alerts.test.ts',
  'test/agent/alerts-mail.test.ts',
  'test/agent/alerts-webhook.test.ts',
  'test/agent/exposition-promtool.test.ts',
  'test/agent/site-limits.test.ts',
  'test/agent/soak.test.ts',
  ...globSync('test/attacks/*.test.ts', { cwd: root }).sort(),
  'test/placer/parts.test.ts',
  'test/placer/forks.test.ts',
  'test/placer/placement.test.ts',
  'test/placer/recovery.test.ts',
  'test/prove/prove.test.ts',
  'test/prove/prove-command.test.ts',
  'test/store/damaged-files.test.ts',
  'test/store/durability.test.ts',
  'packages/modules/test/io/dkms.test.ts',
  'packages/modules/test/io/evidence.test.ts',
  'packages/modules/test/io/false-alarms.test.ts',
  'packages/modules/test/io/sandbox.test.ts',
  'packages/modules/test/io/real-modules.test.ts',
  'packages/modules/test/io/rebuild.test.ts',
  'packages/modules/test/io/source-match.test.ts',
  'test/jail/attacks/attacks.test.ts',
  'test/jail/attacks/landlock.test.ts',
  'test/jail/attacks/sites.test.ts',
  'test/jail/broker.test.ts',
  'test/jail/broker-confined.test.ts',
  'test/jail/broker-mail.test.ts',
  'test/jail/broker-passwd.test.ts',
  'test/jail/fpm.test.ts',
  'test/jail/kernel.test.ts',
  'test/jail/launcher.test.ts',
  'test/jail/session.test.ts',
  'test/jail/sites.test.ts',
  'test/pam/enable.test.ts',
  'test/pam/step.test.ts',
  'test/web/entries-agent.test.ts',
  'test/web/entries-apache.test.ts',
  'test/web/entries-members.test.ts',
  'test/web/entries-sites.test.ts',
  'test/web/entries-strict.test.ts',
  'test/web/entries.test.ts',
  'test/web/placed.test.ts',
  'test/web/programs.test.ts',
];

export function okSteps(): readonly Step[] {
  const files = globSync(['test/!(vm)/**/*.test.ts', 'packages/*/test/**/*.test.ts'], {
    cwd: root,
  });
  return [
    { name: 'format', command: [tool('prettier'), '--check', '--log-level', 'warn', '.'] },
    { name: 'lint', command: [tool('oxlint'), '--type-aware', '--deny-warnings'] },
    { name: 'layers', command: [process.execPath, 'scripts/layers.ts'] },
    { name: 'words', command: [process.execPath, 'scripts/words.ts'] },
    { name: 'types', command: [tool('tsc'), '-p', 'tsconfig.json'] },
    { name: 'privileged programs', command: [process.execPath, 'scripts/privileged.ts'] },
    { name: 'generated files', command: [process.execPath, 'scripts/generate.ts', '--check'] },
    tests('unit tests', files.filter((file) => !kernelSuites.includes(file)).sort()),
  ];
}

if (import.meta.main) process.exitCode = (await runSteps(okSteps())) ? 0 : 1;
