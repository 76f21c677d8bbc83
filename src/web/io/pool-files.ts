/**
 * Finds the files in which each php-fpm pool is written: the main file, and all that it includes.
 */
import { readFpmFiles } from '../../host/servers/fpm-files.ts';
import type { ConfigLine, ReadProblem } from '../core/directive.ts';
import { parseFpmFile } from '../core/fpm/file.ts';

interface PoolPlaces {
  /** Places by pool name, in the order in which php-fpm reads them. */
  readonly places: ReadonlyMap<string, readonly ConfigLine[]>;
  readonly problems: readonly ReadProblem[];
}

/** Reads the places of pools. */
export function readPoolPlaces(configuration: string): PoolPlaces {
  const { files, problems } = readFpmFiles(configuration, (text) => parseFpmFile(text).includes);
  const places = new Map<string, ConfigLine[]>();
  for (const { file, text } of files)
    for (const { name, line } of parseFpmFile(text).sections)
      places.set(name, [...(places.get(name) ?? []), { file, line }]);
  return { places, problems };
}
