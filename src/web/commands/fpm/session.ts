/**
 * The common start of all `web fpm` commands: the policy's tenants, and the installed PHP versions.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { listSome } from '../../../../packages/base/list.ts';
import type { Cause, Problem } from '../../../../packages/base/problem.ts';
import type { PolicyOptions } from '../../../cli/shared/command.ts';
import { defaultPolicy } from '../../../cli/shared/policy-option.ts';
import { loadPolicyOrReport, pathsFor, failWith } from '../../../cli/shared/session.ts';
import { runsSystemd } from '../../../host/cgroups/systemd-delegation.ts';
import type { Driver } from '../../../host/driver.ts';
import type { Paths } from '../../../host/paths.ts';
import { probeDriver } from '../../../host/probe.ts';
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { entryFile, packageFile } from '../../../sys/package-files.ts';
import { jailOf, siteName, type Policy, type Tenant } from '../../../policy/policy.ts';
import type { ServiceEntry, ServiceId } from '../../core/fpm/service/units.ts';
import { fpmLayoutOf } from '../../io/fpm/layout.ts';
import type { FpmContext } from '../../io/fpm/context.ts';
import { systemdVersion } from '../../../host/systemd/systemctl.ts';
import { dividedPrograms, findWebPrograms } from '../../io/find-programs.ts';
import type { FpmProgram, WebPrograms } from '../../io/servers.ts';

export interface FpmOptions extends PolicyOptions {
  readonly php?: string;
}

export interface FpmSession {
  readonly paths: Paths;
  readonly policy: Policy;
  readonly driver: Driver;
  /** Contexts of the PHP versions that were asked for. */
  readonly contexts: readonly FpmContext[];
}

/**
 * The builds that a command is about: those that Bulkhead serves, and for commands that give no service, those, too, that
 * it has divided and would not divide today.
 */
export type Builds = 'served' | 'divided';

/** Returns the session, or an exit status after the problem has been printed. */
export async function startSession(
  options: FpmOptions,
  command: Command,
  builds: Builds,
): Promise<FpmSession | ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const cannot = (problem: Omit<Problem, 'action'>): ExitCode =>
    failWith({ action: "manage tenants' PHP-FPM", ...problem });
  if (process.geteuid?.() !== 0) return cannot({ reason: 'only root may', hint: 'run it as root' });
  if (!runsSystemd())
    return cannot({ reason: 'systemd is not the init of this host, and a service needs it' });
  const version = (await systemdVersion()) ?? 0;
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  if (loaded === undefined) return exitCodes.failed;
  const { policy } = loaded;
  const driver = probeDriver(paths, policy.driver);
  if (!driver.ok) return failWith(driver.error);
  const web = findWebPrograms();
  const hasPollLimit = version >= pollLimitVersion;
  const layoutOf = (fpm: FpmProgram) => fpmLayoutOf(paths, fpm, hasPollLimit);
  const divided = dividedPrograms(web, paths);
  const programs = (builds === 'served' ? web.fpm : divided).filter(
    ({ php }) => options.php === undefined || php === options.php,
  );
  if (programs.length === 0) return cannot(noProgram(options.php, web));
  const policyFile = resolve(options.policy);
  for (const path of [policyFile, packageFile('libexec'), entryFile('bulkhead-fpm')])
    if (!plainPath.test(path))
      return cannot({
        object: path,
        reason: 'systemd reads the path differently in a unit',
        hint: 'use one of letters, digits, "/", ".", "_", "-", "+" and "@"',
      });
  return {
    paths,
    policy,
    driver: driver.value,
    contexts: programs.map((fpm) => ({
      paths,
      fpm,
      others: divided.filter((each) => each.php !== fpm.php),
      web,
      layout: layoutOf(fpm),
      policy,
      ...(policyFile === defaultPolicy ? {} : { policyFile }),
      entryOf: entryFor(paths, policy, driver.value),
    })),
  };
}

/** Returns why there is no program: the build that was asked for, or any build, is not served, or is not here. */
export function noProgram(
  php: string | undefined,
  { fpm, notServed = [] }: Pick<WebPrograms, 'fpm' | 'notServed'>,
): Cause {
  const other = notServed.find((each) => each.php !== undefined && each.php === (php ?? each.php));
  if (other !== undefined)
    return { reason: `it cannot serve ${other.program} (${other.configuration}): ${other.reason}` };
  if (php !== undefined && fpm.length > 0) {
    const names = listSome(fpm.map((each) => each.php));
    return { reason: `there is no PHP-FPM ${php}`, hint: `name one that is here: ${names}` };
  }
  return {
    reason: `there is no PHP-FPM${php === undefined ? '' : ` ${php}`} where a distribution or a panel installs it`,
    hint: 'install it; see bulkhead web status',
  };
}

const plainPath = /^[A-Za-z0-9/._@+-]+$/;

/** The first systemd version with PollLimitIntervalSec=. Source: systemd.socket(5). */
const pollLimitVersion = 255;

/**
 * Returns how services enter their cgroups. Tenants of resellers are in Bulkhead's own tree with every
 * driver.
 */
export function entryFor(
  { instance }: Pick<Paths, 'instance'>,
  { tenants }: Pick<Policy, 'tenants'>,
  { capabilities }: Pick<Driver, 'capabilities'>,
) {
  const jailed = new Set(tenants.filter((each) => jailOf(each)).map(({ uid }) => uid));
  const siteJailed = new Set(
    tenants.flatMap(({ uid, sites }) =>
      sites.filter((each) => jailOf(each)).map(({ name }) => siteName(`${uid}`, name)),
    ),
  );
  const resold = new Set(tenants.filter(isResold).map(({ uid }) => uid));
  return ({ tenant: { uid }, site }: ServiceId): ServiceEntry => {
    const isSiteJailed = site !== undefined && siteJailed.has(siteName(`${uid}`, site));
    return {
      kind: capabilities.driver === 'systemd' && !resold.has(uid) ? 'slice' : 'launcher',
      instance,
      isJailed: isSiteJailed || jailed.has(uid),
      ...(isSiteJailed && { isSiteJailed }),
    };
  };
}

const isResold = ({ reseller }: Tenant) => reseller !== undefined;
