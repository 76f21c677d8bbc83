/**
 * Runs programs on a host with a panel: the panel's tree is mounted over `/usr/local`, and its accounts lie above `/etc`,
 * in a namespace of its own. A mount over `/etc/passwd` itself would go as soon as anybody adds an account to the host.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { PanelTree } from './panel-tree.ts';

const mounts = `
  mount --bind "$0/usr/local" /usr/local
  mount -t overlay overlay -o "ro,lowerdir=$0/etc:/etc" /etc`;

const namespace = ['unshare', '-m', '--propagation', 'private', 'sh', '-ec'] as const;

/** Runs a command with the tree's panel and accounts. */
export function runWithPanel({ root }: Pick<PanelTree, 'root'>, command: readonly string[]) {
  mkdirSync(`${root}/usr/local`, { recursive: true });
  const [program, ...args] = namespace;
  const all = [...args, `${mounts}\n exec "$@"`, root, ...command];
  return spawnSync(program, all, { encoding: 'utf8' });
}

/** Returns a script that runs the program with its own arguments, as the same process. */
export const inPanelNamespace = ({ root }: Pick<PanelTree, 'root'>, program: string): string =>
  `#!/bin/sh\nexec ${namespace.join(' ')} '${mounts}\n exec ${program} "$@"' ${root} "$@"\n`;
