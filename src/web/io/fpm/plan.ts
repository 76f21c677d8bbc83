/** What has to change so that each tenant that was chosen has its service, and nobody else. Changes nothing. */
import { mkdirSync } from 'node:fs';
import { failed, type Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { privateDirectory } from '../../../sys/files/private-directory.ts';
import type { Policy } from '../../../policy/policy.ts';
import { isChosen, isNobody, printChoice, type Choice } from '../../core/fpm/service/choice.ts';
import { ownPool, ownSocket, serviceConfig } from '../../core/fpm/service/config.ts';
import { listenOf, type Listen } from '../../core/fpm/service/listen.ts';
import { mainFile } from '../../core/fpm/service/main-file.ts';
import {
  splitPools,
  type Service,
  type ServicePool,
  type ServiceTenant,
  type Split,
} from '../../core/fpm/service/split.ts';
import {
  distributionDropIn,
  serviceName,
  serviceUnit,
  socketName,
  socketUnit,
  unitStem,
  type Entry,
} from '../../core/fpm/service/units.ts';
import { checkMain, checkService } from './check.ts';
import { readHostView, type HostView } from './facts.ts';
import {
  changesBetween,
  file,
  sameContent,
  type Content,
  type FileChange,
  type FileSet,
} from './file-set.ts';
import { readFpmInputs, type FpmInputs } from './inputs.ts';
import { readInstalled, streamsOf, type Installed } from './installed.ts';
import type { Layout } from './layout.ts';
import { isFound } from './sockets.ts';
import { unitStates, type UnitState } from './systemctl.ts';
import type { FpmProgram } from '../servers.ts';
import { chmodSync } from 'node:fs';

export interface FpmContext {
  readonly paths: Paths;
  readonly fpm: FpmProgram;
  readonly layout: Layout;
  readonly policy: Policy;
  /** The policy's file, where the program that divides again would not use it by itself. */
  readonly policyFile?: string;
  readonly entryOf: (tenant: ServiceTenant) => Entry;
}

export interface SocketChange {
  readonly unit: string;
  readonly uid: number;
  readonly listen: Listen;
}

export interface Refusal {
  readonly uid: number;
  readonly user: string;
  readonly reason: string;
}

export interface FpmPlan {
  readonly services: readonly Service[];
  readonly kept: Split['kept'];
  /** Tenants whose new configuration php-fpm does not accept; they keep what they had. */
  readonly refused: readonly Refusal[];
  readonly writes: readonly FileChange[];
  readonly removals: readonly FileChange[];
  readonly before: FileSet;
  /** All that are to be there. */
  readonly sockets: readonly SocketChange[];
  /** Sockets that do not listen yet, and those that are not to be there. */
  readonly opening: readonly SocketChange[];
  readonly closing: readonly SocketChange[];
  readonly leaving: readonly number[];
  /** Services that read another configuration than they run with. */
  readonly changed: readonly number[];
  readonly distribution: 'restart' | 'reload' | 'leave';
  readonly states: ReadonlyMap<string, UnitState>;
}

export const isDone = ({ writes, removals, opening, closing, leaving }: FpmPlan): boolean =>
  [writes, removals, opening, closing, leaving].every((each) => each.length === 0);

export async function planFpm(
  context: FpmContext,
  choice: Choice,
): Promise<Result<FpmPlan, Problem>> {
  const { layout, fpm, paths, policy } = context;
  const inputs = await readFpmInputs(fpm);
  if (!inputs.ok) return inputs;
  const states = await unitStates(`${unitStem(layout)}@*`);
  if (!states.ok) return states;
  const host = readHostView(paths, policy, inputs.value.sections);
  const installed = readInstalled(layout);
  const scratch = scratchDirectory(paths);
  if (!scratch.ok) return scratch;
  using directory = scratch.value;
  const checked = await checkedSplit(
    context,
    choice,
    inputs.value,
    host,
    installed,
    directory.path,
  );
  const main = await checkedMain(context, inputs.value, checked.split, directory.path);
  if (!main.ok) return main;
  const wanted = wantedFiles(context, choice, inputs.value, checked, installed);
  return ok(planOf(layout, checked, installed, wanted, states.value));
}

/** Where the accounts of tenants can read what is meant for them. */
function scratchDirectory({ runtime }: Paths) {
  try {
    mkdirSync(runtime, { recursive: true, mode: 0o755 });
    const directory = privateDirectory(runtime);
    chmodSync(directory.path, 0o711);
    return ok(directory);
  } catch (error) {
    const reason = (error as Error).message;
    return failed({ action: 'make a directory in', object: runtime, reason });
  }
}

interface Checked {
  readonly split: Split;
  readonly services: readonly Service[];
  readonly refused: readonly Refusal[];
  /** Among the services, those that keep their files as they are installed. */
  readonly pinned: ReadonlySet<number>;
}

/** Who is refused stays with the distribution's service, or with the files that it has. */
async function checkedSplit(
  context: FpmContext,
  choice: Choice,
  inputs: FpmInputs,
  host: HostView,
  installed: Installed,
  scratch: string,
): Promise<Checked> {
  const { layout, fpm } = context;
  const split = (isTaken: (uid: number) => boolean) =>
    splitPools(inputs.sections, inputs.files, {
      ...host,
      isChosen: (uid) => isChosen(choice, uid) && isTaken(uid),
    });
  const first = split(() => true);
  const services = withOwnPools(first, choice, host, fpm.php);
  const refused: Refusal[] = [];
  for (const service of services) {
    const { uid, user } = service.tenant;
    const text = serviceConfig(service, fpm.php);
    const now = installed.files.get(configPath(layout, uid));
    if (now?.kind === 'file' && now.text === text) continue;
    const reason = await checkService(
      layout,
      service,
      text,
      context.entryOf(service.tenant),
      scratch,
    );
    if (reason !== undefined) refused.push({ uid, user, reason });
  }
  const isInstalled = (uid: number) => installed.files.has(configPath(layout, uid));
  const pinned = new Set(refused.map(({ uid }) => uid).filter(isInstalled));
  const isTaken = (uid: number) => pinned.has(uid) || refused.every((each) => each.uid !== uid);
  const taken = refused.length === 0 ? first : split(isTaken);
  return {
    split: taken,
    services: withOwnPools(taken, choice, host, fpm.php).filter(({ tenant }) =>
      isTaken(tenant.uid),
    ),
    refused,
    pinned,
  };
}

const configPath = ({ directory }: Layout, uid: number) => `${directory}/${uid}.conf`;

function withOwnPools(
  { services }: Split,
  choice: Choice,
  { tenants, gidOf }: HostView,
  php: string,
): readonly Service[] {
  const served = new Set(services.map(({ tenant }) => tenant.uid));
  const webGroup = webGroups.find((each) => gidOf(each) !== undefined) ?? 'root';
  const own = tenants
    .filter(({ uid }) => choice.own.has(uid) && !served.has(uid))
    .map((tenant) => ownService(tenant, php, webGroup));
  return [...services, ...own].sort((a, b) => a.tenant.uid - b.tenant.uid);
}

/** Of Debian, and of others. */
const webGroups = ['www-data', 'nginx', 'apache'];

function ownService(tenant: ServiceTenant, php: string, webGroup: string): Service {
  const text = ownPool(tenant, php, webGroup);
  const listen = listenOf(ownSocket(tenant.user, php));
  if (typeof listen === 'string') throw new Error(listen);
  const pool: ServicePool = {
    name: `bulkhead-${tenant.user}`,
    listen,
    owner: 'root',
    group: webGroup,
    mode: '0660',
    backlog: 511,
    pm: 'dynamic',
  };
  const path = "a pool of Bulkhead's own";
  return {
    tenant,
    pools: [pool],
    files: [{ path, text, isPublic: true, sections: [], includes: [] }],
  };
}

async function checkedMain(
  { layout }: FpmContext,
  inputs: FpmInputs,
  split: Split,
  scratch: string,
): Promise<Result<void, Problem>> {
  const links = `${scratch}/pools`;
  const { main, includes, sections } = inputs;
  const made = mainFile(main, includes, split.keptFiles, links, layout.emptySocket);
  const gone = new Set(split.services.flatMap(({ pools }) => pools.map(({ name }) => name)));
  const stay = sections.filter(({ name }) => !gone.has(name));
  const paths = new Map([...made.links].map(([name, to]) => [`${links}/${name}`, to]));
  const reason = await checkMain(layout, made.text, paths, stay, scratch);
  if (reason === undefined) return ok(undefined);
  return failed({ action: 'divide the pools of', object: layout.configuration, reason });
}

function wantedFiles(
  context: FpmContext,
  choice: Choice,
  { main, includes, files }: FpmInputs,
  { split, services, pinned }: Checked,
  installed: Installed,
): FileSet {
  if (isNobody(choice)) return new Map();
  const { layout, policyFile } = context;
  const made = mainFile(main, includes, split.keptFiles, layout.links, layout.emptySocket);
  const leftOut = files.filter((each) => !split.keptFiles.includes(each));
  return new Map<string, Content>([
    [layout.choice, file(printChoice(choice))],
    [layout.main, file(made.text)],
    [
      layout.leftOut,
      file(
        leftOutText(
          includes.map(({ pattern }) => pattern),
          leftOut.map(({ path }) => path),
        ),
      ),
    ],
    [layout.dropIn, file(distributionDropIn(layout, policyFile))],
    ...[...made.links].map(
      ([name, target]) => [`${layout.links}/${name}`, { kind: 'link', target }] as const,
    ),
    ...services.flatMap((each) =>
      pinned.has(each.tenant.uid)
        ? filesOf(layout, each.tenant.uid, installed)
        : serviceFiles(context, each),
    ),
  ]);
}

/** What the script reads that goes on without us. */
const leftOutText = (patterns: readonly string[], paths: readonly string[]) =>
  [...patterns.map((each) => `include ${each}`), ...paths.map((each) => `file ${each}`), ''].join(
    '\n',
  );

function serviceFiles(
  { layout, fpm, entryOf }: FpmContext,
  service: Service,
): readonly (readonly [string, Content])[] {
  const { uid, gid } = service.tenant;
  const unitPath = (name: string) => `${layout.units}/${name}`;
  return [
    [configPath(layout, uid), file(serviceConfig(service, fpm.php), 0o640, gid)],
    [
      unitPath(serviceName(layout, uid)),
      file(serviceUnit(layout, service, entryOf(service.tenant))),
    ],
    ...service.pools.map(
      (pool) =>
        [
          unitPath(socketName(layout, uid, pool.name)),
          file(socketUnit(layout, service, pool)),
        ] as const,
    ),
  ];
}

function filesOf(
  layout: Layout,
  uid: number,
  { files, units }: Installed,
): readonly (readonly [string, Content])[] {
  const names = [...units].filter(([, unit]) => unit.uid === uid).map(([name]) => name);
  const paths = [configPath(layout, uid), ...names.map((name) => `${layout.units}/${name}`)];
  return paths.flatMap((path) => {
    const content = files.get(path);
    return content === undefined ? [] : [[path, content] as const];
  });
}

function planOf(
  layout: Layout,
  { services, split, refused }: Checked,
  installed: Installed,
  wanted: FileSet,
  states: ReadonlyMap<string, UnitState>,
): FpmPlan {
  const changes = changesBetween(installed.files, wanted);
  const unitPath = (name: string) => `${layout.units}/${name}`;
  const isWanted = (name: string) => wanted.has(unitPath(name));
  const differs = (path: string) => !sameContent(installed.files.get(path), wanted.get(path));
  const units = [...installed.units];
  const wantedSockets = socketsIn(layout, wanted);
  const gone = units.filter(([name]) => !isWanted(name));
  const isThere = (path: string) => installed.files.has(path);
  return {
    services,
    kept: split.kept,
    refused,
    writes: changes.filter(({ to }) => to !== undefined),
    removals: changes.filter(({ to }) => to === undefined),
    before: installed.files,
    sockets: wantedSockets,
    opening: wantedSockets.filter(
      ({ unit, listen }) =>
        states.get(unit)?.active !== 'active' || differs(unitPath(unit)) || !isFound(listen),
    ),
    closing: gone.flatMap(([unit, { uid, type }]) =>
      type === 'socket'
        ? streamsOf(installed.files.get(unitPath(unit))).flatMap((stream) =>
            socketChange(unit, uid, stream),
          )
        : [],
    ),
    leaving: gone.flatMap(([, { uid, type }]) => (type === 'service' ? [uid] : [])),
    changed: services
      .map(({ tenant }) => tenant.uid)
      .filter((uid) => isThere(configPath(layout, uid)))
      .filter(
        (uid) => differs(configPath(layout, uid)) || differs(unitPath(serviceName(layout, uid))),
      ),
    distribution: differs(layout.dropIn)
      ? 'restart'
      : changes.some(({ path }) => path === layout.main || path.startsWith(`${layout.links}/`))
        ? 'reload'
        : 'leave',
    states,
  };
}

function socketsIn(layout: Layout, files: FileSet): readonly SocketChange[] {
  return [...files].flatMap(([path, content]) => {
    const unit = path.slice(layout.units.length + 1);
    const uid = /@(\d+):.*\.socket$/.exec(unit)?.[1];
    if (uid === undefined || !path.startsWith(`${layout.units}/`)) return [];
    return streamsOf(content).flatMap((stream) => socketChange(unit, Number(uid), stream));
  });
}

function socketChange(unit: string, uid: number, stream: string): readonly SocketChange[] {
  const listen = listenOf(stream);
  return typeof listen === 'string' ? [] : [{ unit, uid, listen }];
}
