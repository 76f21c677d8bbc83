import type { protection as english } from '../en/protection.ts';
import { numbersOf } from '../numbers.ts';
import type { Catalogue } from '../words.ts';

const { count, number } = numbersOf('de');
const times = { one: 'Mal', other: 'Mal' };

export const protection: Catalogue<typeof english> = {
  neverRun: 'Unbekannt: Der Befehl lief auf diesem Server noch nie, oder nicht in dieser Version.',
  asOf: (time, ago) => `Stand ${time}, ${ago}. Seitdem kann sich der Server geändert haben.`,
  runIt: 'Dieser Befehl findet es heraus',
  runAgain: 'Dieser Befehl findet es neu heraus',
  unknown: 'unbekannt',
  guards: 'Wächter jetzt',
  guardNames: {
    'strict-placement': 'Platzierung',
    jails: 'Jails',
    'symlink-guard': 'Symlink-Wächter',
    'modules-gate': 'Tor für Kernelmodule',
  },
  guardStates: { on: 'an', watch: 'beobachtet nur', off: 'aus', unknown: 'unbekannt' },
  refused: (value) => `hat ${count(value, times)} abgelehnt`,
  wouldHaveRefused: (value) => `hätte ${count(value, times)} abgelehnt`,
  guardUnknown: 'der Agent sieht ihn nicht',
  refusedUnknown: 'Ablehnungen werden nicht gezählt',
  webRequests: 'Abgelehnte Webanfragen',
  reported: 'gemeldet',
  notReported: 'nicht gemeldet',
  since: (time) => `seit ${time}`,
  notReportedHint: 'kein Webserver meldet sie',
  ladder: 'Schichten des Schutzes',
  noSetup: 'Die Einrichtung lief auf diesem Server nicht.',
  level: (level) => `Die Einrichtung ist auf der Stufe „${level}“.`,
  slippedBack: (layers) =>
    `Nicht mehr in Kraft: ${layers}. Bitte „bulkhead setup“ erneut ausführen.`,
  states: {
    enforced: 'durchgesetzt',
    partly: 'zum Teil',
    watched: 'beobachtet',
    open: 'offen',
    unavailable: 'hier nicht möglich',
    unknown: 'unbekannt',
  },
  boots: { needed: 'Es braucht eine Boot-Option.', written: 'Es gilt ab dem nächsten Start.' },
  reports: (value) => `Bisher ${count(value, { one: 'Meldung', other: 'Meldungen' })}.`,
  reportsUnknown: 'Die Zahl der Meldungen ist unbekannt.',
  next: 'Nächster Schritt:',
  showEnforced: (value) =>
    `${count(value, { one: 'durchgesetzte Schicht', other: 'durchgesetzte Schichten' })} zeigen`,
  proof: 'Angriffe, die probiert wurden',
  nothingBroken: 'Die Richtlinie wird durchgesetzt.',
  broken: (value) =>
    `${count(value, { one: 'Angriff kam', other: 'Angriffe kamen' })} durch, die die Richtlinie verbietet.`,
  proved: (blocked, all, kernel) =>
    `${number(blocked)} von ${number(all)} wurden verhindert, auf Linux ${kernel}.`,
  verdicts: {
    blocked: 'verhindert',
    'not blocked': 'nicht verhindert',
    'not available': 'nicht probiert',
  },
  untried: (value) =>
    `${count(value, { one: 'Angriff', other: 'Angriffe' })} zeigen, die nicht probiert werden konnten`,
  showBlocked: (value) =>
    `${count(value, { one: 'verhinderten Angriff', other: 'verhinderte Angriffe' })} zeigen`,
  scan: 'Prüfung der Kernelmodule',
  scanned: (value, kernel) =>
    `${count(value, { one: 'Modul', other: 'Module' })} von Linux ${kernel}.`,
  unreadable: (value) =>
    `${count(value, { one: 'Datei war', other: 'Dateien waren' })} nicht lesbar.`,
  trustLevel: 'Vertrauen',
  searchModules: 'Name eines Moduls',
  all: 'Alle',
  rejected: 'Nicht erlaubt',
  noModules: 'Kein Modul wird gezeigt',
  levels: {
    contradicted: 'widerlegt',
    unsupported: 'unbelegt',
    consistent: 'stimmig',
    signed: 'signiert',
    reproduced: 'nachgebaut',
  },
  levelHints: {
    contradicted: 'Das Modul widerspricht sich selbst oder bekannten Tatsachen.',
    unsupported: 'Nichts stützt, was es behauptet.',
    consistent: 'Nichts spricht gegen das, was es behauptet.',
    signed: 'Ein Schlüssel hat es signiert, dem der Kernel traut.',
    reproduced: 'Seine Quellen ergeben genau dieses Modul.',
  },
  columns: {
    name: 'Modul',
    claim: 'Behauptet',
    verdict: 'Der Kernel',
    trustLevel: 'Vertrauen',
    evidence: 'Belege',
    loaded: 'Geladen',
  },
  loads: 'lädt es',
  loadsTainting: (taints) => `lädt es, Makel ${taints}`,
  refuses: 'lehnt es ab',
  isLoaded: 'ja',
  isNotLoaded: 'nein',
  noLicense: 'keine Lizenz',
  package: 'Paket',
  noPackage: 'keins bekannt',
  file: 'Datei',
  requirement: 'Forderung der Richtlinie',
  met: 'erfüllt',
  notMet: 'nicht erfüllt',
  denied: 'Gesperrt',
  whyRefused: 'Gründe der Ablehnung',
  noEvidence: 'Es gibt keine.',
  weights: { proof: 'Beweis', lead: 'Hinweis', support: 'Spricht dafür', note: 'Anmerkung' },
  more: 'Die ganze Erklärung',
};
