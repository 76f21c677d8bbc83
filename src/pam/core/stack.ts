/** The modules of one type that a service runs, with all that its file includes. */
import { jumpOnSuccess, parsePamFile, type ModuleLine, type PamType } from './pam-file.ts';

export interface StackEntry extends ModuleLine {
  /** The file that has the line: `common-session`. */
  readonly file: string;
  /** The number of substacks that it is in. */
  readonly depth: number;
}

export type Stack = readonly StackEntry[];

/** The text of a service's file; absent if there is none. */
export type PamReader = (file: string) => string | undefined;

/** The nesting at which libpam stops: 32. */
const nestingMax = 32;
/** A number above any host's. Files that include each other twice double with each level. */
const entriesMax = 10_000;
const filesMax = 1_000;

/** Returns the service's modules; a service without a line of this type uses `other`. */
export function stackOf(service: string, type: PamType, read: PamReader): Stack {
  const own = ownStackOf(service, type, read);
  return own.length > 0 || service === 'other' ? own : ownStackOf('other', type, read);
}

export function ownStackOf(service: string, type: PamType, read: PamReader): Stack {
  const entries: StackEntry[] = [];
  let files = 0;
  const add = (file: string, depth: number, nesting: number): void => {
    if (nesting > nestingMax || ++files > filesMax) return;
    for (const each of parsePamFile(read(file) ?? '')) {
      if (entries.length >= entriesMax) return;
      if (each.type !== undefined && each.type !== type) continue;
      if (each.kind === 'module') entries.push({ ...each, file, depth });
      else add(each.file, each.substack ? depth + 1 : depth, nesting + 1);
    }
  };
  add(service, 0, 0);
  return entries;
}

/**
 * Returns the modules that are skipped when the module at `index` succeeds. A substack counts as
 * one module.
 */
export function jumpedOver(stack: Stack, index: number): Stack {
  const from = stack[index];
  if (from === undefined) return [];
  let left = jumpOnSuccess(from.control);
  let end = index + 1;
  while (left > 0 && (stack[end]?.depth ?? -1) >= from.depth) {
    do end++;
    while ((stack[end]?.depth ?? -1) > from.depth);
    left--;
  }
  return stack.slice(index + 1, end);
}
