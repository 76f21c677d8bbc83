/** Source with one file changed or removed, without making a copy. */
import {
  baseNameOf,
  directoryWithSlash,
  type SourceTree,
} from '../../packages/modules/core/source/source-tree.ts';

/** Returns the altered tree; `content` is undefined for a removed file. */
export const alteredTree = (
  tree: SourceTree,
  path: string,
  content: Uint8Array | undefined,
): SourceTree => ({
  list: (directory) => {
    const names = tree.list(directory);
    const gone = content === undefined && directory === directoryWithSlash(path).replace(/\/$/, '');
    return gone ? names?.filter((each) => each !== baseNameOf(path)) : names;
  },
  read: (each) => (each === path ? content : tree.read(each)),
});

/** Changes the first letter of a file's first declaration; returns undefined if there is none. */
export function withLetterChanged(bytes: Uint8Array): Uint8Array | undefined {
  const text = Buffer.from(bytes).toString('latin1');
  const changed = text.replace(
    /^(\s*)(?:s(?=tatic |truct )|e(?=num |xtern )|i(?=nt )|v(?=oid ))/m,
    '$1Q',
  );
  return changed === text ? undefined : Buffer.from(changed, 'latin1');
}
