/** Every file that has to be there, with its text. */
import { formatChoice, type ServiceChoice } from '../../core/fpm/service/choice.ts';
import { serviceConfig } from '../../core/fpm/service/config.ts';
import { pinnedConfig } from '../../core/fpm/service/pinned.ts';
import { mainFile } from '../../core/fpm/service/main-file.ts';
import type { SplitService } from '../../core/fpm/service/split.ts';
import {
  distributionDropIn,
  poolOfSocket,
  serviceName,
  serviceUnit,
  socketName,
  socketUnit,
} from '../../core/fpm/service/units.ts';
import type { Checked } from './checked-split.ts';
import { configPath, type FpmContext } from './context.ts';
import { file, type Content, type FileSet } from '../../../sys/files/file-set.ts';
import type { FpmInputs } from './inputs.ts';
import { serviceOf, streamsOf, type Installed } from './installed.ts';
import type { RootsWill } from './roots-will.ts';

export function wantedFiles(
  context: FpmContext,
  choice: ServiceChoice,
  { main, includes, files }: FpmInputs,
  { split, services, pinned, will }: Checked,
  installed: Installed,
): FileSet {
  const { layout, policyFile } = context;
  const made = mainFile(main, includes, split.keptFiles, layout.links, layout.emptySocket);
  const leftOut = files.filter((each) => !split.keptFiles.includes(each));
  return new Map<string, Content>([
    [layout.choice, file(formatChoice(choice))],
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
    ...services.flatMap((each) => serviceFiles(context, each)),
    ...[...pinned].flatMap((uid) => pinnedFiles(context, uid, installed, will)),
  ]);
}

/** Returns the text for bulkhead-fpm-sync, which works without Bulkhead. */
const leftOutText = (patterns: readonly string[], paths: readonly string[]) =>
  [...patterns.map((each) => `include ${each}`), ...paths.map((each) => `file ${each}`), ''].join(
    '\n',
  );

function serviceFiles(
  { layout, fpm, entryOf }: FpmContext,
  service: SplitService,
): readonly (readonly [string, Content])[] {
  const { uid, gid } = service.tenant;
  const unitPath = (name: string) => `${layout.units}/${name}`;
  return [
    [configPath(layout, service), file(serviceConfig(service, fpm.php), 0o640, gid)],
    [unitPath(serviceName(layout, service)), file(serviceUnit(layout, service, entryOf(service)))],
    ...service.pools.map(
      (pool) =>
        [
          unitPath(socketName(layout, uid, pool.name)),
          file(socketUnit(layout, service, pool)),
        ] as const,
    ),
  ];
}

/** Returns the files that are installed for a tenant, as far as root still wants them. */
function pinnedFiles(
  { layout }: FpmContext,
  uid: number,
  { files, units }: Installed,
  will: RootsWill,
): readonly (readonly [string, Content])[] {
  const at = (name: string) => files.get(`${layout.units}/${name}`);
  const sockets = [...units].flatMap(([name, unit]) => {
    if (unit.type !== 'socket' || unit.uid !== uid) return [];
    const content = at(name);
    const isGiven = streamsOf(content).every((listen) => will.gives(uid, listen));
    return content !== undefined && isGiven ? [{ name, content }] : [];
  });
  const services = [...units].flatMap(([name, unit]) => {
    const own = sockets.filter(({ content }) => serviceOf(content) === name);
    if (unit.type !== 'service' || unit.uid !== uid || own.length === 0) return [];
    const { site } = unit;
    const path = configPath(layout, { tenant: unit, ...(site !== undefined && { site }) });
    const config = files.get(path);
    const pools = own.map(
      ({ name: socket, content }) =>
        [poolOfSocket(socket), will.sectionAt(streamsOf(content)[0] ?? '')] as const,
    );
    const content = at(name);
    if (config?.kind !== 'file' || content === undefined) return [];
    const text = pinnedConfig(config.text, new Map(pools), will.entriesOf(uid, site));
    return [[path, { ...config, text }] as const, [`${layout.units}/${name}`, content] as const];
  });
  return [
    ...services,
    ...sockets.map(({ name, content }) => [`${layout.units}/${name}`, content] as const),
  ];
}
