/**
 * The text of hooks. A script of the administrator's keeps all of its lines, and gets these after its first one:
 *
 *     # bulkhead: begin (bulkhead panel hooks disable)
 *     '/usr/libexec/bulkhead/libexec/bulkhead-panel-hook' </dev/null >/dev/null 2>&1 || :
 *     # bulkhead: end
 */
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Cause } from '../../../packages/base/problem.ts';

const begin = '# bulkhead: begin (bulkhead panel hooks disable)\n';
const end = '# bulkhead: end\n';
const shell = '#!/bin/sh\n';

/** Paths that a shell and Python take between single quotes as they are. */
const plainPath = /^\/[A-Za-z0-9/._+@-]+$/;

export const canQuote = (path: string): boolean => plainPath.test(path);

const blockOf = (program: string): string =>
  `${begin}[ ! -x '${program}' ] || '${program}' </dev/null >/dev/null 2>&1 || :\n${end}`;

export const hasBlock = (text: string): boolean => text.includes(begin);

/** Whether the begin of the call is there, and its end is not. */
export const isCut = (text: string): boolean =>
  hasBlock(text) && !text.includes(end, text.indexOf(begin));

/** Adds the call to a shell script, which may not exist yet. */
export function addBlock(text: string | undefined, program: string): Result<string, Cause> {
  if (text === undefined) return ok(shell + blockOf(program));
  const without = removeBlock(text) ?? shell;
  const [first = ''] = without.split('\n', 1);
  if (!/^#! *\/(?:usr\/)?bin\/(?:env +)?(?:ba|da)?sh(?: +-\S+)?\s*$/.test(first))
    return fail({
      reason: 'its first line names no shell',
      hint: `add a call of ${program} to it yourself`,
    });
  const at = first.length + 1;
  const head = without.length < at ? `${without}\n` : without.slice(0, at);
  return ok(head + blockOf(program) + without.slice(at));
}

/** Returns the script without the call; undefined if nothing else is left. */
export function removeBlock(text: string): string | undefined {
  const from = text.indexOf(begin);
  const to = from === -1 ? -1 : text.indexOf(end, from);
  if (to === -1) return text;
  const rest = text.slice(0, from) + text.slice(to + end.length);
  return rest === shell ? undefined : rest;
}

/** Whether the text is a script of ours, for whichever path of the program. */
export function isOwnScript(text: string): boolean {
  const [, program] = /\[ ! -x '([^']*)' \]/.exec(text) ?? [];
  return program !== undefined && text === ownScript(program);
}

/** Returns a script of ours that a shell and Python run alike: panels with CPAPI start theirs by Python. */
export const ownScript = (program: string): string => `#!/bin/sh
''':'
${blockOf(program)}exit 0
'''
import os, subprocess
if os.access('${program}', os.X_OK):
    subprocess.call(['${program}'], stdin=subprocess.DEVNULL)
`;
