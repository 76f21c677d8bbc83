/**
 * `npm run bench`: how fast Bulkhead is, compared with what the kernel needs anyway. Both are
 * measured in the same run, in turn, so that the ratios mean something on a machine that does other
 * things.
 *
 * Needs root and cgroups; makes and removes an instance of its own.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { logToStderr } from '../testing/progress.ts';
import { lockFile } from '../src/sys/files/flock.ts';
import { ensurePrerequisites } from '../testing/prerequisites.ts';
import { benchAgain, benchCreate } from './apply.ts';
import { benchAgent } from './agent.ts';
import { benchAudit } from './audit.ts';
import type { Bench } from './bench.ts';
import { benchColdApp } from './cold-app.ts';
import { benchColdRequest } from './cold-request.ts';
import { benchConsole } from './console.ts';
import { benchConsolePage } from './console-page.ts';
import { benchDatabase } from './database/database.ts';
import { benchDiscovery } from './discovery.ts';
import { benchExec } from './exec.ts';
import { benchExecGuest } from './exec-guest.ts';
import { benchCourier } from './courier.ts';
import { benchFleet } from './fleet.ts';
import { benchFleetCrowd } from './fleet-crowd.ts';
import { benchFleetOffline } from './fleet-offline.ts';
import { benchFleetServers } from './fleet-servers.ts';
import { buildFloor } from './floor.ts';
import { benchInstall } from './install.ts';
import { benchJail } from './jail.ts';
import { benchJailLogin } from './jail-login.ts';
import { describeMachine, formatMachine } from './machine.ts';
import { benchHistory } from './history.ts';
import { benchHistoryPush } from './history-push.ts';
import { benchIdleTenants } from './idle-tenants.ts';
import { benchLogin } from './login.ts';
import { benchLostRequests } from './lost-requests.ts';
import { benchAllModules, benchModules, benchPackage, benchSource } from './modules.ts';
import { benchNeighbor } from './neighbor.ts';
import { benchNetwork, benchNetworkGuest } from './network/network.ts';
import { benchPlacement } from './placement.ts';
import { benchStorms } from './storms.ts';
import { benchPlan } from './plan.ts';
import { benchRequests } from './requests.ts';
import type { Section } from './samples.ts';
import { instance, Scratch } from './scratch.ts';
import { benchSetup } from './setup.ts';
import { benchSimulate } from './simulate.ts';
import { benchSlicesGuest } from './slices-guest.ts';
import { benchStart, build } from './start.ts';
import { formatSection } from './table.ts';
import { formatProblem } from '../packages/base/problem.ts';
import { benchLsm } from './lsm.ts';
import { benchSuexec } from './suexec.ts';
import { benchSymlinks } from './symlinks.ts';
import { benchUsage } from './usage.ts';
import { benchWeb } from './web.ts';

const benches: Readonly<Record<string, (bench: Bench) => Promise<Section | readonly Section[]>>> = {
  create: benchCreate,
  again: benchAgain,
  usage: benchUsage,
  exec: benchExec,
  'exec-guest': benchExecGuest,
  suexec: benchSuexec,
  jail: benchJail,
  'jail-login': benchJailLogin,
  login: benchLogin,
  'slices-guest': benchSlicesGuest,
  start: benchStart,
  plan: benchPlan,
  setup: benchSetup,
  agent: benchAgent,
  console: benchConsole,
  'console-page': benchConsolePage,
  placement: benchPlacement,
  storms: benchStorms,
  history: benchHistory,
  simulate: benchSimulate,
  courier: benchCourier,
  fleet: benchFleet,
  'fleet-servers': benchFleetServers,
  'fleet-crowd': benchFleetCrowd,
  'fleet-offline': benchFleetOffline,
  'history-push': benchHistoryPush,
  modules: benchModules,
  'all-modules': benchAllModules,
  package: benchPackage,
  source: benchSource,
  web: benchWeb,
  discovery: benchDiscovery,
  requests: benchRequests,
  'cold-request': benchColdRequest,
  'cold-app': benchColdApp,
  'idle-tenants': benchIdleTenants,
  'lost-requests': benchLostRequests,
  neighbor: benchNeighbor,
  network: benchNetwork,
  'network-guest': benchNetworkGuest,
  database: benchDatabase,
  audit: benchAudit,
  symlinks: benchSymlinks,
  lsm: benchLsm,
  install: benchInstall,
};

const help = `usage: npm run bench -- [--only NAME]... [--quick] [--tenants N] [--json]

Measures Bulkhead beside C loops that do the same system calls.

  --only NAME  one of ${Object.keys(benches).join(', ')}; may be repeated
  --quick      fewer rounds: for trying out, not for quoting
  --tenants N  of idle-tenants, instead of 1,000
  --json       machine and figures as JSON

Examples:
  npm run bench -- --only cold-request --only lost-requests
  npm run bench -- --only idle-tenants --tenants 200
`;

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'number') return options;
  const ready = await ensurePrerequisites('bench', logToStderr);
  if (!ready.ok) return refuse(`Cannot run ${ready.reason}`);
  if (process.getuid?.() !== 0) return refuse('Cannot create cgroups: run this as root');
  const lock = lockFile(`/run/${instance}.lock`, { waitMs: 0 });
  if (!lock.ok) return refuse(formatProblem(lock.error));
  const directory = mkdtempSync(`${tmpdir()}/${instance}-`);
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => interruption.abort());
  }
  try {
    removeInstance(directory);
    await run(options, directory, interruption.signal);
    return 0;
  } catch (error) {
    // Ctrl-C also ends the programs that are being measured; a turn later it is known whether that
    // was the reason.
    await nextTurn();
    if (!interruption.signal.aborted) throw error;
    logToStderr('Interrupted; removing what was made');
    return 130;
  } finally {
    removeInstance(directory);
    rmSync(directory, { recursive: true, force: true });
    lock.value.release();
  }
}

interface Options {
  readonly names: readonly string[];
  readonly quick: boolean;
  readonly tenants: number | undefined;
  readonly json: boolean;
}

/** Returns the options, or the exit status where there is nothing to run. */
function readOptions(): Options | number {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        quick: { type: 'boolean', default: false },
        tenants: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(help);
      return 0;
    }
    const unknown = values.only?.find((name) => !Object.hasOwn(benches, name));
    if (unknown !== undefined) throw new Error(`There is no benchmark "${unknown}"`);
    const names = values.only ?? Object.keys(benches);
    return { names, quick: values.quick, tenants: countOf(values.tenants), json: values.json };
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n${help}`);
    return 2;
  }
}

const tenantsMax = 5_000;

function countOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= tenantsMax) return count;
  throw new Error(`--tenants is "${text}"; it should be a number from 1 to ${tenantsMax}`);
}

async function run(
  { names, quick, tenants, json }: Options,
  directory: string,
  signal: AbortSignal,
) {
  const machine = describeMachine();
  const bench: Bench = {
    directory,
    floor: buildFloor(directory),
    built: build(),
    quick,
    ...(tenants === undefined ? {} : { tenants }),
    signal,
  };
  if (!json) process.stdout.write(`${formatMachine(machine)}\n`);
  const sections: Section[] = [];
  for (const name of names) {
    logToStderr(`Measuring: ${name}`);
    const measured = [(await benches[name]?.(bench)) ?? []].flat();
    signal.throwIfAborted();
    sections.push(...measured);
    if (!json)
      for (const section of measured) process.stdout.write(`\n${formatSection(section)}\n`);
  }
  if (json) process.stdout.write(`${JSON.stringify({ machine, quick, sections }, undefined, 2)}\n`);
}

/** Removes the instance that this run, or an earlier one that was killed, has left. */
function removeInstance(directory: string): void {
  new Scratch(directory, 1)[Symbol.dispose]();
}

function refuse(message: string): number {
  logToStderr(`bench: ${message}`);
  return 1;
}

process.exitCode = await main();
