/** The files of ours that are there now, of one PHP version. */
import { pathOfBound } from '../../core/fpm/service/listen.ts';
import { isConfigName, parseUnitName, type UnitName } from '../../core/fpm/service/units.ts';
import { contentAt, type Content, type FileSet } from '../../../sys/files/file-set.ts';
import type { FpmLayout } from './layout.ts';
import { namesIn } from '../../../../packages/base/io/read.ts';

export interface Installed {
  readonly files: FileSet;
  /** Our units, by name. */
  readonly units: ReadonlyMap<string, UnitName>;
}

export function readInstalled(layout: FpmLayout): Installed {
  const units = new Map(
    namesIn(layout.units).flatMap((name) => {
      const unit = parseUnitName(layout, name);
      return unit === undefined ? [] : [[name, unit] as const];
    }),
  );
  const paths = [
    ...[...units.keys()].map((name) => `${layout.units}/${name}`),
    ...namesIn(layout.directory)
      .filter(isConfigName)
      .map((name) => `${layout.directory}/${name}`),
    ...namesIn(layout.links).flatMap((each) =>
      namesIn(`${layout.links}/${each}`).map((name) => `${layout.links}/${each}/${name}`),
    ),
    layout.choice,
    layout.main,
    layout.leftOut,
    layout.dropIn,
  ];
  const files = paths.flatMap((path): readonly (readonly [string, Content])[] => {
    const content = contentAt(path);
    return content === undefined ? [] : [[path, content]];
  });
  return { files: new Map(files), units };
}

/** Returns the paths at which a unit listens, by its own text. */
export function streamsOf(content: Content | undefined): readonly string[] {
  if (content?.kind !== 'file') return [];
  return [...content.text.matchAll(/^ListenStream=(.+)$/gm)].map(([, stream = '']) =>
    pathOfBound(stream),
  );
}

/** Returns the service that a socket starts, by its own text. */
export function serviceOf(content: Content | undefined): string | undefined {
  return content?.kind === 'file' ? /^Service=(.+)$/m.exec(content.text)?.[1] : undefined;
}
