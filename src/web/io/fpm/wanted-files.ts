/** Every file that has to be there, with its text. */
import { printChoice, type Choice } from '../../core/fpm/service/choice.ts';
import { serviceConfig } from '../../core/fpm/service/config.ts';
import { mainFile } from '../../core/fpm/service/main-file.ts';
import type { Service } from '../../core/fpm/service/split.ts';
import {
  distributionDropIn,
  serviceName,
  serviceUnit,
  socketName,
  socketUnit,
} from '../../core/fpm/service/units.ts';
import type { Checked } from './checked-split.ts';
import { configPath, type FpmContext } from './context.ts';
import { file, type Content, type FileSet } from './file-set.ts';
import type { FpmInputs } from './inputs.ts';
import type { Installed } from './installed.ts';
import type { Layout } from './layout.ts';

export function wantedFiles(
  context: FpmContext,
  choice: Choice,
  { main, includes, files }: FpmInputs,
  { split, services, pinned }: Checked,
  installed: Installed,
): FileSet {
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
    ...services.flatMap((each) => serviceFiles(context, each)),
    ...[...pinned].flatMap((uid) => filesOf(layout, uid, installed)),
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

function filesOf(
  layout: Layout,
  uid: number,
  { files, units }: Installed,
): readonly (readonly [string, Content])[] {
  const paths = [...units].flatMap(([name, unit]) => {
    if (unit.uid !== uid) return [];
    const path = `${layout.units}/${name}`;
    const id = { tenant: unit, ...(unit.site === undefined ? {} : { site: unit.site }) };
    return unit.type === 'socket' ? [path] : [path, configPath(layout, id)];
  });
  return paths.flatMap((path) => {
    const content = files.get(path);
    return content === undefined ? [] : [[path, content] as const];
  });
}
