/** The gate: build, format, lint, layers, words, types, what runs as root, generated files, and every test that needs no kernel. */
import { globSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { root, runSteps, tests, tool, type Step } from './steps.ts';

/**
 * Suites that change this machine, as its cgroups and accounts. Those of a lane run one by one; the lanes run at the same
 * time, so that suites of two lanes may not share accounts, instances, or programs of the kernel, and only the first lane
 * adds accounts.
 */
export const kernelLanes: readonly (readonly string[])[] = [
  [
    'test/conformance/kernel.test.ts',
    'test/conformance/kernel-apply.test.ts',
    'test/conformance/systemd.test.ts',
    'test/conformance/demo.test.ts',
    'test/cli/exec.test.ts',
    'test/cli/exec-accounts.test.ts',
    'test/cli/exec-entries/concurrent.test.ts',
    'test/cli/exec-entries/refused.test.ts',
    'test/cli/exec-entries/slots.test.ts',
    'test/cli/exec-launch-file.test.ts',
    'test/cli/exec-process.test.ts',
    'test/cli/exec-script.test.ts',
    'test/cli/exec-tenants.test.ts',
    'test/cli/top-screen.test.ts',
    'test/agent/advise.test.ts',
    'test/agent/agent.test.ts',
    'test/agent/agent-incidents.test.ts',
    'test/agent/alerts.test.ts',
    'test/agent/changes.test.ts',
    'test/agent/alerts-mail.test.ts',
    'test/agent/alerts-webhook.test.ts',
    'test/agent/exposition-promtool.test.ts',
    'test/agent/observe.test.ts',
    'test/agent/log-agent.test.ts',
    'test/agent/monitoring.test.ts',
    'test/agent/site-limits.test.ts',
    'test/agent/soak.test.ts',
    'test/fleet/host.test.ts',
    'test/fleet/host-restarts.test.ts',
    ...globSync('test/attacks/**/*.test.ts', { cwd: root }).sort(),
    'test/fleet/pull-agent.test.ts',
    'test/history/moved-agent.test.ts',
    'test/history/push-agent.test.ts',
    'test/network/agent-part.test.ts',
    'test/network/exclusive-programs.test.ts',
    'test/network/mail-firewall.test.ts',
    'test/network/mail/exim.test.ts',
    'test/network/qdiscs/kernel.test.ts',
    'test/network/reserved-ports.test.ts',
    'test/panel/agent.test.ts',
    'test/network/counting.test.ts',
    'test/network/limits.test.ts',
    'test/placer/parts.test.ts',
    'test/placer/forks.test.ts',
    'test/placer/placement.test.ts',
    'test/placer/program.test.ts',
    'test/placer/recovery.test.ts',
    'test/network/status-wait.test.ts',
    'test/web/placed.test.ts',
  ],
  [
    'test/cli/package.test.ts',
    'test/console/page/policy-kernel.test.ts',
    'test/console/policy-agent.test.ts',
    'test/database/clients.test.ts',
    'test/database/counts/quota-kernel.test.ts',
    'test/database/freezer.test.ts',
    'test/database/holder.test.ts',
    'test/database/thaw.test.ts',
    'test/digest/agent.test.ts',
    'test/pam/ftp/daemons.test.ts',
    'test/prove/network.test.ts',
    'test/prove/prove.test.ts',
    'test/prove/prove-command.test.ts',
    'test/store/damaged-files.test.ts',
    'test/store/durability.test.ts',
    'test/jail/agent/asking.test.ts',
    'test/jail/attacks/attacks.test.ts',
    'test/jail/attacks/landlock.test.ts',
    'test/jail/attacks/sites.test.ts',
    'test/jail/broker.test.ts',
    'test/jail/broker-confined.test.ts',
    'test/jail/broker-mail.test.ts',
    'test/jail/broker-passwd.test.ts',
    'test/jail/build.test.ts',
    'test/jail/databases/sockets.test.ts',
    'test/jail/drop.test.ts',
    'test/jail/fpm-launcher.test.ts',
    'test/jail/fpm/serving.test.ts',
    'test/jail/fpm/site.test.ts',
    'test/jail/fpm/starting.test.ts',
    'test/jail/kernel.test.ts',
    'test/jail/launcher.test.ts',
    'test/jail/launcher-services.test.ts',
    'test/jail/session/account.test.ts',
    'test/jail/session/interrupted.test.ts',
    'test/jail/session/listed.test.ts',
    'test/jail/session/opened.test.ts',
    'test/jail/session/refused.test.ts',
    'test/jail/sites.test.ts',
    'test/jail/sites-applied.test.ts',
    'test/package/build.test.ts',
    'test/package/life.test.ts',
    'test/package/repository.test.ts',
    'test/pam/enable.test.ts',
    'test/pam/enable-refused.test.ts',
    'test/pam/step.test.ts',
    'test/pam/step-cgroups.test.ts',
    'test/pam/step-slices.test.ts',
    'test/pam/step-stopped.test.ts',
    'test/setup/boot/command.test.ts',
    'test/setup/boot/real-programs.test.ts',
    'test/setup/follow.test.ts',
    'test/setup/observe.test.ts',
    'test/web/access-logs/agent.test.ts',
    'test/web/entries-agent.test.ts',
    'test/web/entries-members.test.ts',
    'test/web/entries-sites.test.ts',
    'test/web/entries-strict.test.ts',
    'test/web/entries/apache-counting.test.ts',
    'test/web/entries/apache-enable.test.ts',
    'test/web/entries/nginx-counting.test.ts',
    'test/web/entries/nginx-enable.test.ts',
    'test/web/fpm/launcher/identity.test.ts',
    'test/web/fpm/launcher/refused.test.ts',
    'test/web/fpm/launcher/usage.test.ts',
    'test/web/fpm/launcher-sites.test.ts',
    'test/web/programs.test.ts',
    'test/web/suexec/command.test.ts',
    'test/web/suexec/killed.test.ts',
    'test/web/suexec/mpm-itk.test.ts',
    'test/web/suexec/suexec.test.ts',
  ],
];

/** Suites that compute for minutes, and change nothing of the machine; `npm test` runs them beside the others. */
export const heavySuites = [
  'packages/modules/test/io/evidence.test.ts',
  'packages/modules/test/io/false-alarms.test.ts',
  'packages/modules/test/io/sandbox.test.ts',
  'packages/modules/test/io/real-modules.test.ts',
  'packages/modules/test/io/rebuild.test.ts',
  'packages/modules/test/io/source-match.test.ts',
  ...globSync('test/fleet/nats/**/*.test.ts', { cwd: root }).sort(),
  'test/history/dashboards.test.ts',
  'test/history/push-servers.test.ts',
  ...globSync('test/console/page/**/*.test.ts', {
    cwd: root,
    exclude: ['test/console/page/policy-kernel.test.ts'],
  }).sort(),
];

/** Heavy suites of five minutes and more, which only `npm test -- --long` runs. */
export const longSuites = ['packages/modules/test/io/dkms.test.ts'];

/** Builds the program that tests start; see testing/program.ts. */
export const buildStep: Step = {
  name: 'build',
  command: [process.execPath, 'scripts/build.ts'],
};

export function okSteps(): readonly Step[] {
  const files = globSync(['test/!(vm)/**/*.test.ts', 'packages/*/test/**/*.test.ts'], {
    cwd: root,
  });
  const apart = [...kernelLanes.flat(), ...heavySuites, ...longSuites];
  return [
    { name: 'format', command: [tool('oxfmt'), '--check'] },
    { name: 'lint', command: [tool('oxlint'), '--type-aware', '--deny-warnings'] },
    { name: 'layers', command: [process.execPath, 'scripts/layers.ts'] },
    { name: 'words', command: [process.execPath, 'scripts/words.ts'] },
    { name: 'types', command: [tool('tsc'), '-p', 'tsconfig.json'] },
    {
      name: 'types in the browser',
      command: [tool('tsc'), '-p', 'test/console/page/tsconfig.json'],
    },
    { name: 'privileged programs', command: [process.execPath, 'scripts/privileged.ts'] },
    { name: 'generated files', command: [process.execPath, 'scripts/generate.ts', '--check'] },
    unitTests(files.filter((file) => !apart.includes(file)).sort()),
  ];
}

/** The unit tests. What fails beside thousands of others is tried once more, without what has passed. */
function unitTests(files: readonly string[]): Step {
  const state = `${root}node_modules/.cache/unit-tests.json`;
  mkdirSync(dirname(state), { recursive: true });
  rmSync(state, { force: true });
  const step = tests('unit tests', files);
  const [node = '', ...rest] = step.command;
  return {
    ...step,
    command: [node, `--test-rerun-failures=${state}`, ...rest],
    again: 'what fails once is to be corrected, and a fault of the code comes back',
  };
}

if (import.meta.main)
  process.exitCode = (await runSteps({ build: buildStep, first: okSteps() })) ? 0 : 1;
