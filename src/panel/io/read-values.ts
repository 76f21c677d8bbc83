/** Reads files of keys and values, and the limits in them. */
import type { PinnedDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { readLimits, wrongIn, type LimitField } from '../core/limit-fields.ts';
import { parseKeyValues, type LineForm } from '../core/key-values.ts';
import type { PanelPackage, StatedLimits } from '../core/panel-data.ts';
import type { PanelFiles } from './panel-files.ts';

const bytesMax = 256 * 2 ** 10;

/** The maximum size of a file that lists domains or resellers. */
export const listBytesMax = 4 * 2 ** 20;

export interface ReadValues {
  readonly values: ReadonlyMap<string, string>;
  /** The path of the file. */
  readonly from: string;
}

/** Reads a file of keys and values; undefined after its problem was kept. */
export function readValues(
  files: PanelFiles,
  directory: PinnedDirectory,
  name: string,
  form: LineForm,
): ReadValues | undefined {
  // Descriptions of Virtualmin's domains have whatever bytes their owner sent.
  const text = files.text(directory, name, { bytesMax, anyBytes: form === 'webmin' });
  if (text === undefined) return undefined;
  const from = `${directory.path}/${name}`;
  const parsed = parseKeyValues(text, form);
  if (!parsed.ok) {
    files.add({ ...parsed.error, action: 'read', object: from });
    return undefined;
  }
  const { values, wrong } = parsed.value;
  if (wrong !== undefined) files.add(wrongIn(from, wrong));
  return { values, from };
}

/** Returns the limits of a file, and keeps the problems with them. */
export function limitsOf(
  files: PanelFiles,
  { values, from }: ReadValues,
  fields: readonly LimitField[],
): StatedLimits {
  const { limits, problems } = readLimits(values, fields, from);
  files.addAll(problems);
  return limits;
}

export interface PackageForm {
  readonly form: LineForm;
  readonly fields: readonly LimitField[];
  /** The names of limits that the panel enforces itself. */
  readonly own: readonly string[];
  /** The end of a package's file name. */
  readonly ending: string;
  /** A name in the directory that does not name a package. */
  readonly skip?: string;
}

/** Reads every package of a directory. */
export function readPackages(
  files: PanelFiles,
  directory: PinnedDirectory,
  { form, fields, own, ending, skip }: PackageForm,
  owner?: string,
): readonly PanelPackage[] {
  return files.names(directory).flatMap((file) => {
    if (!file.endsWith(ending) || file === skip) return [];
    const read = readValues(files, directory, file, form);
    if (read === undefined) return [];
    return [
      {
        name: file.slice(0, file.length - ending.length),
        from: read.from,
        limits: limitsOf(files, read, fields),
        ownLimits: ownLimitsOf(read, own),
        ...(owner === undefined ? {} : { owner }),
      },
    ];
  });
}

/** Returns the limits that the panel enforces itself, as they are written. */
export const ownLimitsOf = (
  { values }: ReadValues,
  own: readonly string[],
): ReadonlyMap<string, string> => new Map(own.flatMap((key) => entryOf(values, key)));

function entryOf(values: ReadonlyMap<string, string>, key: string) {
  const value = values.get(key) ?? '';
  return value === '' ? [] : [[key, value] as const];
}

/** Returns the fields that are not empty. */
export const given = <Field extends string>(
  fields: Readonly<Record<Field, string | undefined>>,
): Readonly<Partial<Record<Field, string>>> => {
  const entries = Object.entries<string | undefined>(fields);
  const filled = entries.filter(([, text]) => text !== undefined && text !== '');
  return Object.fromEntries(filled) as Partial<Record<Field, string>>;
};
