import type { Words } from '../words.ts';

export const shell: Words['shell'] = {
  pages: {
    overview: 'Übersicht',
    own: 'Ihr Verbrauch',
    incident: (id) => `Vorfall ${id}`,
    tenants: 'Kunden',
    incidents: 'Vorfälle',
    policy: 'Richtlinie',
    whatIf: 'Was wäre wenn',
    protection: 'Schutz',
    modules: 'Module',
    system: 'Mehr',
  },
  navigation: 'Seiten',
  skipToContent: 'Zum Inhalt',
  skipToFind: 'Zum Suchfeld',
  find: 'Kunde, Reseller oder Paket suchen',
  sortedTenants: 'Kunden nach Verbrauch',
  connecting: 'Verbindung wird aufgebaut…',
  liveNow: 'Live',
  live: (time) => `Live · ${time}`,
  reconnecting: 'Neue Verbindung…',
  paused: 'Angehalten',
  theme: 'Farben',
  themes: { system: 'wie das System', light: 'hell', dark: 'dunkel' },
  language: 'Sprache',
  languageFailed: (name) =>
    `${name} konnte nicht geladen werden: es kam keine Antwort. Bitte später noch einmal wählen.`,
  asUser: (user) => `als ${user}`,
  readOnly: 'nur lesen',
  signOut: 'Abmelden',
  noSuchPage: 'Diese Seite gibt es nicht',
  noSuchPageHint:
    'Die Adresse stammt vielleicht aus einer anderen Version oder ist für andere Rechte.',
  toOverview: 'Zur Übersicht',
  otherLogin: {
    title: (other) => `Als ${other} weitermachen?`,
    why: (user, other) =>
      `Angemeldet ist ${user}. Eine Adresse wurde geöffnet, die als ${other} anmeldet. Wer das nicht wollte, bleibt als ${user} angemeldet.`,
    madeBy: (user, by) => `${user} (Anmeldung durch ${by})`,
    keep: (user) => `Als ${user} angemeldet bleiben`,
    replace: (other) => `Als ${other} weitermachen`,
  },
  login: {
    title: 'Anmelden',
    how: 'Dieser Befehl auf dem Server, als root oder als Kunde, gibt eine Adresse aus, die einmal anmeldet.',
    ended: 'Die Sitzung ist beendet.',
    badCode: 'Der Anmeldecode gilt nicht: er wurde benutzt oder ist älter als zwei Minuten.',
    failed: 'Die Anmeldung ist gescheitert.',
    inFrame: 'Diese Seite steht im Rahmen eines Kontrollpanels. Bitte dort neu laden.',
  },
};
