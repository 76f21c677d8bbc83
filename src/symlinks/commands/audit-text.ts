/** The findings of an audit, for people and for programs. */
import { count } from '../../../packages/base/list.ts';
import { formatCause } from '../../../packages/base/problem.ts';
import { printable } from '../../../packages/base/printable.ts';
import { terminalOf, wrap, type Terminal } from '../../cli/shared/terminal.ts';
import {
  isAtLeast,
  linkSeverities,
  type LinkFinding,
  type LinkSeverity,
} from '../core/audit/finding.ts';
import { formatPath, textOfBytes } from '../core/audit/shown-path.ts';
import type { Audit } from '../io/audit/audit.ts';
import type { HomeProblem } from '../io/audit/protocol.ts';
import type { SymlinksAuditJson } from './json.ts';

export type NameOf = (uid: number) => string;

const indent = ' '.repeat(8);

export function auditText(audit: Audit, shown: LinkSeverity, nameOf: NameOf): string {
  const terminal = terminalOf(process.stdout);
  const findings = audit.findings.filter((each) => isAtLeast(each.severity, shown));
  return [
    ...findings.map((each) => findingText(each, nameOf, terminal)),
    ...audit.problems.map((each) => problemText(each, nameOf)),
    ...remarks(audit, shown, findings.length),
    summary(audit),
  ].join('\n');
}

function findingText(finding: LinkFinding, nameOf: NameOf, { colors, columns }: Terminal): string {
  const { kind, severity, path, target, tenant, reason, file } = finding;
  const paint = { high: colors.red, medium: colors.yellow, low: colors.dim }[severity];
  const arrow =
    target === undefined ? '' : ` ${kind === 'link' ? '->' : '='} ${formatPath(target)}`;
  const where = kind === 'hard link' && target === undefined ? `; inode ${inodeOf(file)}` : '';
  return [
    `${paint(severity.padEnd(indent.length))}${formatPath(path)}${arrow}`,
    wrap(`${indent}${nameOf(tenant)}: ${printable(reason)}${where}`, columns, indent),
  ].join('\n');
}

const inodeOf = (file: string | undefined) => file?.split(':').at(-1) ?? '';

const problemText = ({ tenant, path, cause, kind }: HomeProblem, nameOf: NameOf) =>
  `${kind === 'skipped' ? 'Skipped' : 'Not read'}: ${formatPath(path)} of ${nameOf(tenant)}: ${printable(formatCause(cause))}`;

function remarks(audit: Audit, shown: LinkSeverity, told: number): readonly string[] {
  const all = linkSeverities
    .filter((each) => isAtLeast(each, shown))
    .reduce((sum, each) => sum + audit.found[each], 0);
  const hidden = linkSeverities
    .filter((each) => !isAtLeast(each, shown))
    .reduce((sum, each) => sum + audit.found[each], 0);
  return [
    ...(all > told ? [`Note: ${all - told} more were found in homes that have very many`] : []),
    ...(hidden > 0 ? [`Note: ${hidden} of less severity are not shown; --all shows them`] : []),
    ...(audit.indexIsFull
      ? ['Note: there are too many hard links to tell the other name of each']
      : []),
  ];
}

function summary({ homes, entries, links, found }: Audit): string {
  const counts = linkSeverities.map((each) => `${found[each]} ${each}`).join(', ');
  return `${count(homes, 'home')}, ${count(entries, 'name')}, ${count(links, 'symbolic link')}: ${counts}`;
}

export function auditJson(audit: Audit, shown: LinkSeverity, nameOf: NameOf): SymlinksAuditJson {
  return {
    ...audit,
    findings: audit.findings
      .filter((each) => isAtLeast(each.severity, shown))
      .map(({ kind, severity, tenant, owner, targetOwner, reason, file, ...paths }) => ({
        severity,
        kind,
        tenant: { uid: tenant, name: nameOf(tenant) },
        ...pathJson('path', paths.path),
        ...pathJson('target', paths.target),
        ...pathJson('leadsTo', paths.leadsTo),
        owner,
        targetOwner: targetOwner ?? null,
        reason,
        inode: file === undefined ? null : inodeOf(file),
      })),
    problems: audit.problems.map(({ tenant, path, cause, kind }) => ({
      kind,
      tenant: { uid: tenant, name: nameOf(tenant) },
      ...pathJson('path', path),
      reason: formatCause(cause),
    })),
  };
}

/** Returns the text, and the bytes if they are not text. */
function pathJson<Key extends string, Path extends string | undefined>(
  key: Key,
  path: Path,
): PathJson<Key, Path> {
  const text = path === undefined ? null : textOfBytes(path);
  const json =
    path === undefined || text !== undefined
      ? { [key]: text }
      : {
          [key]: formatPath(path),
          [`${key}Base64`]: Buffer.from(path, 'latin1').toString('base64'),
        };
  return json as PathJson<Key, Path>;
}

type PathJson<Key extends string, Path> = Readonly<
  Record<Key, string | (undefined extends Path ? null : never)> &
    Partial<Record<`${Key}Base64`, string>>
>;
