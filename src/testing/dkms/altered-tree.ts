/** Source with one file changed or taken away, of which no copy is made. */
import {
  nameOf,
  directoryOf,
  type SourceTree,
} from '../../kernel-modules/core/source/source-tree.ts';

/** `content` is undefined for a file that is taken away. */
export const alteredTree = (
  tree: SourceTree,
  path: string,
  content: Uint8Array | undefined,
): SourceTree => ({
  list: (directory) => {
    const names = tree.list(directory);
    const gone = content === undefined && directory === directoryOf(path).replace(/\/$/, '');
    return gone ? names?.filter((each) => each !== nameOf(path)) : names;
  },
  read: (each) => (each === path ? content : tree.read(each)),
});

/** The first declaration of a file with another first letter; undefined where there is none. */
export function withLetterChanged(bytes: Uint8Array): Uint8Array | undefined {
  const text = Buffer.from(bytes).toString('latin1');
  const changed = text.replace(
    /^(\s*)(?:s(?=tatic |truct )|e(?=num |xtern )|i(?=nt )|v(?=oid ))/m,
    '$1Q',
  );
  return changed === text ? undefined : Buffer.from(changed, 'latin1');
}
