/** Files in the record: what they were before a change of ours, and what they are without it. */
import { decodeText } from '../../../../packages/base/io/regular-file.ts';
import { contentAfter, sameBytes, type FileContent } from '../../../sys/files/host-file.ts';
import { removeOptions } from '../../core/boot/fstab.ts';
import {
  ownWords,
  type BootRecord,
  type RecordedFile,
  type StoredContent,
} from '../../core/boot/record.ts';
import { removeWords, sameButBlanks } from '../../core/boot/words.ts';

export const stored = (content: FileContent | undefined): StoredContent | null => {
  if (content === undefined) return null;
  const { bytes, ...rest } = content;
  return { base64: Buffer.from(bytes).toString('base64'), ...rest };
};

const restored = (content: StoredContent | null): FileContent | undefined => {
  if (content === null) return undefined;
  const { base64, ...rest } = content;
  return { bytes: Buffer.from(base64, 'base64'), ...rest };
};

interface Before {
  readonly content: FileContent | undefined;
  /** Whether somebody has edited it since; then only our words are taken out. */
  readonly isEdited: boolean;
}

/** Returns a file as it is without the change of the record. */
export function contentBefore(
  file: RecordedFile,
  now: FileContent | undefined,
  record: BootRecord,
): Before {
  const before = restored(file.before);
  const after = restored(file.after);
  const isOurs = sameBytes(now, before) || (after !== undefined && sameBytes(now, after));
  if (isOurs) return { content: before, isEdited: false };
  // Somebody has removed it: it is not made again.
  if (now === undefined) return { content: undefined, isEdited: true };
  const text = without(file, decodeText(now.bytes), record);
  // An entry may have had some of the words before.
  if (before !== undefined && sameButBlanks(text, without(file, decodeText(before.bytes), record)))
    return { content: before, isEdited: false };
  return { content: contentAfter(now, text), isEdited: true };
}

function without({ role }: RecordedFile, text: string, record: BootRecord): string {
  if (role === 'fstab') return removeOptions(text, record.fstab);
  const words = ownWords(record);
  // Bulkhead's own file never had the words that ours replace.
  return removeWords(text, role === 'own' ? words.map(({ word }) => ({ word })) : words);
}
