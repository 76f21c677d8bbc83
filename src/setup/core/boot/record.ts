/** The record of what `setup boot` has changed, in /var/lib/bulkhead/setup-boot.json, which `setup boot undo` follows. */
import { isObject } from '../../../../packages/base/json.ts';
import { bootOptionNames, type BootOptionName, type FstabOption } from './option.ts';
import type { BootWord } from './words.ts';

export const loaderNames = ['grub', 'grubby', 'systemd-boot'] as const;
export type LoaderName = (typeof loaderNames)[number];

/**
 *     own      Bulkhead's own file of GRUB
 *     line     a command line and nothing else: /etc/kernel/cmdline
 *     entry    a file with a command line in it: /etc/default/grub, an entry of the boot loader
 *     fstab    /etc/fstab
 */
export type FileRole = 'own' | 'line' | 'entry' | 'fstab';
const roles: readonly string[] = ['own', 'line', 'entry', 'fstab'] satisfies readonly FileRole[];

export interface StoredContent {
  readonly base64: string;
  readonly mode: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

export interface RecordedFile {
  /** The path below the root, without its first slash. */
  readonly path: string;
  readonly role: FileRole;
  readonly before: StoredContent | null;
  /** The content after the change; null if it is not known yet. */
  readonly after: StoredContent | null;
}

export interface BootRecord {
  /**
   *     started  files may have been changed; the next run undoes it
   *     written  all is written, and in force from the next boot
   */
  readonly state: 'started' | 'written';
  /** The time of the change, in ISO 8601, UTC. */
  readonly at: string;
  /** The boot in which it was changed. */
  readonly bootId: string;
  /** The boot loader; null if only /etc/fstab was changed. */
  readonly loader: LoaderName | null;
  readonly options: readonly BootOptionName[];
  readonly words: readonly BootWord[];
  readonly fstab: readonly FstabOption[];
  readonly files: readonly RecordedFile[];
  /** The change that was written before, and is in force again once this one is undone. */
  readonly earlier?: BootRecord;
}

/** Returns a change and the ones before it, the latest first. */
export const changesOf = (record: BootRecord | undefined): readonly BootRecord[] =>
  record === undefined ? [] : [record, ...changesOf(record.earlier)];

/** Returns the words that this change has added, and none before it. */
export function ownWords({ words, earlier }: BootRecord): readonly BootWord[] {
  const kept = new Set(changesOf(earlier).flatMap((each) => each.words.map(({ word }) => word)));
  return words.filter(({ word }) => !kept.has(word));
}

const version = 1;

export const bootRecordText = (record: BootRecord): string =>
  `${JSON.stringify({ version, ...record }, null, 2)}\n`;

/** Parses the record; undefined if it is damaged, or of another version. */
export function parseBootRecord(text: string): BootRecord | undefined {
  try {
    const read: unknown = JSON.parse(text);
    if (!isObject(read) || read['version'] !== version) return undefined;
    const { version: _version, ...rest } = read;
    return isRecord(rest) ? rest : undefined;
  } catch {
    return undefined;
  }
}

type Value = Readonly<Record<string, unknown>>;

const isRecord = (value: Value): value is Value & BootRecord =>
  (value['state'] === 'started' || value['state'] === 'written') &&
  isText(value['at']) &&
  isText(value['bootId']) &&
  (value['loader'] === null || includes(loaderNames, value['loader'])) &&
  isList(value['options'], (each) => includes(bootOptionNames, each)) &&
  isList(value['words'], isWord) &&
  isList(
    value['fstab'],
    (each) => isObject(each) && isText(each['mountPoint']) && isText(each['option']),
  ) &&
  isList(value['files'], isFile) &&
  (value['earlier'] === undefined || (isObject(value['earlier']) && isRecord(value['earlier'])));

const isText = (value: unknown): value is string => typeof value === 'string';
const includes = (names: readonly string[], value: unknown) =>
  isText(value) && names.includes(value);
const isList = (value: unknown, check: (each: unknown) => boolean) =>
  Array.isArray(value) && value.every(check);

const isWord = (value: unknown) =>
  isObject(value) &&
  isText(value['word']) &&
  ['undefined', 'string'].includes(typeof value['instead']);

/** A path that leads out of the root would be written by undo. */
const isFile = (value: unknown) =>
  isObject(value) &&
  isText(value['path']) &&
  !value['path'].split('/').includes('..') &&
  includes(roles, value['role']) &&
  isContent(value['before']) &&
  isContent(value['after']);

const isContent = (value: unknown) =>
  value === null ||
  (isObject(value) && isText(value['base64']) && typeof value['mode'] === 'number');
