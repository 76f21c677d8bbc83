/** Debian's and Ubuntu's GRUB, which reads /etc/default/grub.d. */
import { failed, type Problem } from '../../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../../packages/base/result.ts';
import { namesIn } from '../../../../../packages/base/io/read.ts';
import { at, hasFile, hasProgram } from '../../../../host/boot/boot-host.ts';
import { grubFileText, isInGrubCfg, withoutComments } from '../../../core/boot/grub-file.ts';
import { changesOf } from '../../../core/boot/record.ts';
import { removeWords } from '../../../core/boot/words.ts';
import { readBootFile, type PlannedHost } from '../boot-file.ts';
import type { BootLoader, LoaderPlan } from './loader.ts';

const directory = 'etc/default/grub.d';
const own = `${directory}/90-bulkhead.cfg`;
const made = 'boot/grub/grub.cfg';

export const grub: BootLoader = {
  name: 'grub',
  title: 'GRUB',
  isThere: (host) =>
    hasProgram(host, 'update-grub') && hasFile(host, 'etc/default/grub') && hasFile(host, made),
  read(host) {
    const others = namesIn(at(host, directory)).filter((each) => each.endsWith('.cfg'));
    const texts: string[] = [];
    for (const path of ['etc/default/grub', ...others.map((each) => `${directory}/${each}`)]) {
      const read = readBootFile(host, path);
      if (!read.ok) return read;
      texts.push(withoutComments(read.value?.text ?? ''));
    }
    // A word that ours has replaced stays in its file, before ours.
    const replaced = changesOf(host.earlier)
      .flatMap(({ words }) => words.flatMap(({ instead }) => instead ?? []))
      .map((word) => ({ word }));
    return ok([removeWords(texts.join('\n'), replaced)]);
  },
  plan(host, words): Result<LoaderPlan, Problem> {
    const commands = [['update-grub']];
    if (words.length === 0) return ok({ edits: [], commands });
    const read = readBootFile(host, own);
    if (!read.ok) return read;
    const isOurs = changesOf(host.earlier).some(({ files }) =>
      files.some(({ path }) => path === own),
    );
    if (read.value !== undefined && !isOurs)
      return failed({
        action: 'write',
        object: at(host, own),
        reason: 'it is there already, and no record says that Bulkhead wrote it',
        hint: 'remove it, run update-grub, and try again',
      });
    const after = grubFileText(words, read.value?.text);
    return ok({
      edits: [{ path: own, role: 'own', before: read.value?.content, after }],
      commands,
    });
  },
  undoCommands: () => [['update-grub']],
  check,
};

/** A file that the shell reads after ours may have set the variable anew. */
function check(host: PlannedHost, words: readonly string[]): Result<readonly string[], Problem> {
  const read = readBootFile(host, made);
  if (!read.ok) return read;
  if (isInGrubCfg(read.value?.text ?? '', words)) return ok([]);
  return failed({
    action: 'change the boot options',
    reason: `update-grub has written no entry to /${made} that ends with them`,
    hint: `a file in /${directory} after 90-bulkhead.cfg, or one in /etc/grub.d, sets other options; correct it, or add ${words.join(' ')} there`,
  });
}
