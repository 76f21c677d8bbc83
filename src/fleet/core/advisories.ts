/**
 * Advisories about versions of nats-server from 2.10.27 on, judged by how a fleet's servers are configured. Source:
 * https://advisories.nats.io and the records of the CVEs, as of 2026-12.
 */

type Version = readonly [major: number, minor: number, patch: number];

interface Advisory {
  readonly id: string;
  /** The first version that has the mistake; all before the fixes if absent. */
  readonly since?: Version;
  /** The first version without it in each series; later series have none. */
  readonly fixed: readonly Version[];
  /** The reason why nobody can use it here, or the danger. */
  readonly why: string;
  readonly isDanger?: true;
}

const march: readonly Version[] = [
  [2, 11, 15],
  [2, 12, 6],
];
const june: readonly Version[] = [
  [2, 11, 16],
  [2, 12, 7],
  [2, 14, 0],
];
const noLeafNodes = 'leaf nodes are off';
const noWebSockets = 'WebSockets are off';
const noMqtt = 'MQTT is off';

const advisories: readonly Advisory[] = [
  {
    id: 'CVE-2025-30215',
    fixed: [
      [2, 10, 27],
      [2, 11, 1],
    ],
    why: 'requests about streams are not held to their account',
    isDanger: true,
  },
  {
    id: 'CVE-2026-33249',
    since: [2, 11, 0],
    fixed: march,
    why: 'a host can have traces sent to subjects that it may not publish to',
    isDanger: true,
  },
  {
    id: 'CVE-2026-27571',
    fixed: [
      [2, 11, 12],
      [2, 12, 3],
    ],
    why: noWebSockets,
  },
  {
    id: 'CVE-2026-27889',
    fixed: [
      [2, 11, 14],
      [2, 12, 5],
    ],
    why: noWebSockets,
  },
  {
    id: 'CVE-2026-29785',
    fixed: [
      [2, 11, 14],
      [2, 12, 5],
    ],
    why: noLeafNodes,
  },
  { id: 'CVE-2026-33217', fixed: march, why: noMqtt },
  { id: 'CVE-2026-33218', fixed: march, why: noLeafNodes },
  { id: 'CVE-2026-33223', fixed: march, why: 'nothing reads the header Nats-Request-Info' },
  { id: 'CVE-2026-33246', fixed: march, why: noLeafNodes },
  { id: 'CVE-2026-33248', fixed: march, why: 'clients have no certificates' },
  {
    id: 'GHSA-9983-vrx2-fg9c',
    fixed: march,
    why: "only the centre reaches the streams' administration",
  },
  { id: 'GHSA-38x3-76xf-cq45', fixed: june, why: 'no_auth_user is not set' },
  { id: 'GHSA-jx8g-9g95-6322', fixed: june, why: 'nothing is denied by a list' },
  {
    id: 'GHSA-7qmq-8cc4-hxwg',
    fixed: [
      [2, 12, 12],
      [2, 14, 3],
    ],
    why: noMqtt,
  },
];

export interface JudgedVersion {
  /** Dangers, with the remedy. */
  readonly concerned: readonly string[];
  /** Advisories that nobody can use here, with the reason. */
  readonly unconcerned: readonly string[];
}

/** Judges a version such as `2.10.27`; null: the server did not answer. */
export function judgeVersion(version: string | null): JudgedVersion {
  if (version === null) return { concerned: [], unconcerned: [] };
  const [, ...digits] = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})/.exec(version) ?? [];
  const [major, minor, patch] = digits.map(Number);
  if (major === undefined || minor === undefined || patch === undefined)
    return { concerned: [`its version "${version}" is not known`], unconcerned: [] };
  const open = advisories.filter((each) => has(each, [major, minor, patch]));
  return {
    concerned: open.filter(isDanger).map(({ id, why, fixed }) => `${id}: ${why}; ${remedy(fixed)}`),
    unconcerned: open.filter((each) => !isDanger(each)).map(({ id, why }) => `${id}: ${why}`),
  };
}

const isDanger = (advisory: Advisory): boolean => advisory.isDanger === true;

const remedy = (fixed: readonly Version[]) =>
  `update to ${fixed.map((each) => each.join('.')).join(' or ')}`;

function has({ since = [0, 0, 0], fixed }: Advisory, version: Version): boolean {
  if (compare(version, since) < 0) return false;
  const series = fixed.find(([major, minor]) => major === version[0] && minor === version[1]);
  if (series !== undefined) return compare(version, series) < 0;
  // A later series that needed the fix shows that one between them needs it too.
  return fixed.some((each) => compare(version, each) < 0);
}

const compare = (a: Version, b: Version) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
