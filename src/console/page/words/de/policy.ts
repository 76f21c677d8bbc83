import type { policy as english } from '../en/policy.ts';
import { numbersOf } from '../numbers.ts';
import type { Catalogue } from '../words.ts';

const { count, number } = numbersOf('de');
const tenants = { one: 'Kunde', other: 'Kunden' };

export const policy: Catalogue<typeof english> = {
  view: 'Ansicht',
  views: { forms: 'Formulare', text: 'Text', advice: 'Empfehlungen', changes: 'Änderungen' },
  toWhatIf: 'Was wäre mit anderen Grenzen?',
  toPolicy: 'Zurück zur Richtlinie',
  notEditable:
    'Formulare können diese Richtlinie nicht ändern: Ihr XML hat Fehler, oder sie hat ein anderes Format. Hier hilft der Text oder ein Editor auf dem Server.',
  mayNothing: 'Die Richtlinie erlaubt hier keine Änderung.',
  may: (what) => `Darf ändern: ${what}.`,
  rights: { limits: 'Grenzen', packages: 'Pakete' },
  packages: 'Pakete',
  packagesHint:
    'Ein Kunde hat die Werte seines Pakets, und die der Vorgaben, wo das Paket keine hat.',
  noPackages: 'Es gibt noch keine Pakete.',
  defaults: 'Vorgaben',
  defaultsHint: 'Für alle ohne andere Werte',
  haveIt: (value) => `${count(value, { one: 'Kunde hat', other: 'Kunden haben' })} es`,
  inheritedMark: '(geerbt)',
  newPackage: 'Neues Paket:',
  setItsLimits: 'Grenzen setzen…',
  nameTaken: 'Es gibt ein Paket mit diesem Namen.',
  nameWrong: 'Ein Name hat Buchstaben, Ziffern, Leerzeichen und . _ - @ + & < > ( ).',
  changeNamed: (name) => `${name} ändern…`,
  resellers: 'Reseller',
  resellersHint: 'Die Schranken gelten für alle Kunden eines Resellers zusammen.',
  noBounds: 'Keine Schranken.',
  promised: (sum) => `(seinen Kunden versprochen: ${sum})`,
  promisedAndUnlimited: (sum, unlimited) =>
    `(seinen Kunden versprochen: ${sum}, dazu ${count(unlimited, tenants)} ohne Grenze)`,
  tenants: 'Kunden',
  ownTenants: 'Kunden mit eigenen Werten',
  yourTenants: 'Ihre Kunden',
  noOwnTenants: 'Kein Kunde hat eigene Werte.',
  noTenants: 'Es gibt noch keine Kunden',
  allTenants: (value) => `Alle ${count(value, tenants)}`,
  titles: {
    defaults: () => 'Grenzen der Vorgaben',
    package: (name) => `Grenzen des Pakets ${name}`,
    reseller: (name) => `Schranken des Resellers ${name}`,
    tenant: (name) => `Grenzen von ${name}`,
    site: (name) => `Grenzen von ${name}`,
  },
  emptyInherited: 'Ein leeres Feld heißt: Der Wert wird geerbt.',
  emptyNoLimit: 'Ein leeres Feld heißt: Die Vorgaben haben keine solche Grenze.',
  emptyNoBound: 'Ein leeres Feld heißt: keine Schranke.',
  notWritten: 'Die Richtlinie hat für diesen Kunden kein Element. Die Änderung fügt eins hinzu.',
  moreLimits: 'Weitere Grenzen',
  package: 'Paket',
  noPackage: 'keins',
  packageFromElsewhere: (name) => `wie bisher: ${name}`,
  noValue: 'jetzt ohne Grenze',
  ownValue: (value, line) =>
    `jetzt ${value}, eigener Wert${line === undefined ? '' : ` in Zeile ${line}`}`,
  fromDefaults: (value, line) =>
    `jetzt ${value}, aus den Vorgaben${line === undefined ? '' : ` in Zeile ${line}`}`,
  fromPackage: (value, name, line) =>
    `jetzt ${value}, aus Paket ${name}${line === undefined ? '' : ` in Zeile ${line}`}`,
  willInherit: 'wird geerbt',
  forExample: (value) => `Zum Beispiel ${value}.`,
  orUnlimited: 'Oder unlimited.',
  removeOwn: 'Element entfernen',
  removePackage: 'Paket entfernen',
  seeChange: 'Zeigen, was sich ändert',
  nothingTyped: 'Noch ist nichts anders als in der Richtlinie.',
  many: {
    titles: {
      limits: (value) => `Eine Grenze von ${count(value, tenants)}`,
      packages: (value) => `Paket von ${count(value, tenants)}`,
    },
    value: 'Wert',
    emptyRemoves: 'Ein leeres Feld entfernt ihren eigenen Wert: Er wird geerbt.',
    missing: (value) =>
      `${count(value, { one: 'von ihnen steht nicht in der Richtlinie und ändert sich', other: 'von ihnen stehen nicht in der Richtlinie und ändern sich' })} nicht.`,
    ownStay: (value) =>
      `${count(value, { one: 'Kunde hat', other: 'Kunden haben' })} eigene Grenzen, die bleiben.`,
  },
  whatWouldChange: 'Was sich ändern würde',
  nothingChanges: 'Nichts würde sich ändern',
  nothingChangesHint: 'Das steht schon in der Richtlinie.',
  otherText:
    'Inzwischen hat jemand die Datei geändert. Das ist dieselbe Änderung am Text von jetzt.',
  otherEffects:
    'Inzwischen hat sich der Server geändert. Nichts wurde geschrieben; das würde jetzt geschehen.',
  inTheFile: 'In der Datei',
  inTheKernel: (value) => `Im Kernel: ${count(value, { one: 'Wert', other: 'Werte' })}`,
  noOperations: 'Kein Wert im Kernel ändert sich.',
  operations: 'Änderungen im Kernel',
  host: 'der Server',
  actions: {
    create: (cgroup = '') =>
      cgroup === ''
        ? 'Die Cgroup aller Kunden wird angelegt'
        : `Die Cgroup ${cgroup} wird angelegt`,
    move: (from = '', to = '') => `Prozesse kommen aus ${from} nach ${to}`,
    remove: (cgroup = '', processes = '0') =>
      processes === '0'
        ? `Die Cgroup ${cgroup} wird entfernt`
        : `Die Cgroup ${cgroup} wird entfernt; Prozesse darin: ${processes}`,
    'write unit': (file = '', ...settings) => `${file}: ${settings.join(', ')}`,
    'remove unit': (unit = '') => `Die Grenzen von ${unit} werden entfernt`,
    'reload units': () => 'systemd liest seine Dateien neu',
    delegate: (unit = '') => `Die systemd-Unit ${unit} bekommt eine Cgroup für Bulkhead`,
    controllers: (names = '', mountPoint = '') =>
      `Controller werden unterhalb von ${mountPoint} eingeschaltet: ${names}`,
  },
  quota: (mountPoint) => (mountPoint === undefined ? 'Quota' : `Quota auf ${mountPoint}`),
  quotaValue: (space, files) => `${space}, Dateien: ${files}`,
  showOperations: (value) => `${count(value, { one: 'Wert', other: 'Werte' })} zeigen`,
  affected: (value) =>
    value === 0
      ? 'Kein Kunde ist betroffen.'
      : `${count(value, { one: 'Kunde ist', other: 'Kunden sind' })} betroffen:`,
  andMore: (value) => `und ${count(value, { one: 'weiterer', other: 'weitere' })}`,
  watchOut: 'Achtung',
  warningKinds: {
    policy: 'Richtlinie:',
    'in use': 'In Gebrauch:',
    memory: 'Speicher in Gebrauch:',
    promised: 'Versprochen:',
    removed: 'Grenzen entfallen:',
  },
  warnings: {
    removed: (tenants) =>
      `${count(tenants, { one: 'Kunde hätte', other: 'Kunden hätten' })} keine Grenzen mehr`,
    'in use': (tenants, limit) =>
      `${count(tenants, { one: 'Kunde nutzt', other: 'Kunden nutzen' })} jetzt mehr als die neue Grenze: ${limit}`,
    memory: (tenants, limit) =>
      `${count(tenants, { one: 'Kunde nutzt', other: 'Kunden nutzen' })} jetzt mehr als die neue Grenze: ${limit}. Der Kernel gibt Seitencache frei und verweigert mehr, wenn das nicht reicht`,
    promised: (limit, before, after) =>
      `${limit}: den Kunden wäre das ${after}-Fache dessen zugesagt, was der Host hat; jetzt ist es das ${before}-Fache`,
  },
  goBack: 'Von selbst zurückgehen, wenn ich es nicht behalte, nach',
  goBackAfter: 'Zeit bis zum Zurückgehen',
  typeToConfirm: (word) =>
    `Das kann laufenden Programmen schaden. Zur Bestätigung „${word}“ eingeben:`,
  applyWord: 'anwenden',
  back: 'Zurück',
  writeAndApply: 'Schreiben und anwenden',
  writing: 'Wird geschrieben…',
  lines: 'Zeilen der Datei',
  fromLine: (line) => `Ab Zeile ${line}`,
  line: (line) => `Zeile ${line}`,
  added: 'neu:',
  removed: 'entfernt:',
  moreLines: (value) => `… und ${count(value, { one: 'weitere Zeile', other: 'weitere Zeilen' })}`,
  states: {
    'in force': 'Die Änderung ist in Kraft.',
    failed: 'Die Änderung ist geschrieben, aber ein Teil konnte nicht angewendet werden.',
    refused: 'Der Agent hat die neue Richtlinie abgelehnt. Die vorige bleibt in Kraft.',
    kept: 'Die Änderung ist geschrieben. Sie wird gerade angewendet.',
  },
  goesBackIn: (time) => `Sie geht in ${time} zurück, wenn niemand sie behält.`,
  recordedAs: (value) => `Sie ist als Änderung ${value} verzeichnet.`,
  notRecorded: 'Sie ist nicht verzeichnet und kann hier nicht rückgängig gemacht werden.',
  done: 'Fertig',
  undo: 'Rückgängig…',
  undoNumber: (value) => `Änderung ${value} rückgängig machen…`,
  undoTitle: (value) => `Änderung ${value} rückgängig machen`,
  textTitle: 'Text der Richtlinie ändern',
  textLabel: 'Text der Richtlinie',
  readOnlyOnPhones: 'Auf dem Telefon ist der Text nur zum Lesen.',
  position: (line, column) => `Zeile ${line}, Spalte ${column}`,
  noMistakes: 'Keine Fehler gefunden.',
  severities: { error: 'Fehler', warning: 'Warnung', note: 'Hinweis' },
  discard: 'Meine Änderungen verwerfen',
  changedBelow:
    'Die Datei wurde während der Bearbeitung geändert. Ihr Text bleibt. Diese Zeilen haben sich geändert:',
  textConflict:
    'Die Datei hat einen anderen Text als zu Beginn. Bitte erst diese Zeilen übernehmen, sonst gehen sie verloren:',
  planAnyway: 'Zeigen, was mein Text ändert',
  period: 'Zeitraum',
  days: (value) => count(value, { one: 'Tag', other: 'Tage' }),
  measured: (time) => `Gemessen: ${time} dieses Zeitraums.`,
  nothingMeasured: 'In diesem Zeitraum wurde nichts gemessen',
  nothingMeasuredHint: 'Niemand weiß, wie die Grenzen passen. Der Agent misst, solange er läuft.',
  noAdvice: 'Keine Grenze braucht eine Änderung',
  noAdviceHint: 'Kein Kunde hat eine Grenze erreicht, soweit die Messungen reichen.',
  hitAt: (faults, value) =>
    `${number(faults)}-mal bei ${value} erreicht: mehr ist nötig; wie viel, zeigt sich erst mit einer höheren Grenze`,
  hitElsewhere: (faults) =>
    `${number(faults)}-mal ohne eigene Grenze erreicht: die Grenze einer anderen Cgroup galt`,
  useThis: 'Übernehmen…',
  changesOf: (name) => `Änderungen von ${name}.`,
  allChanges: 'Alle Änderungen zeigen',
  olderChanges: 'Ältere Änderungen',
  latestChanges: 'Neueste Änderungen',
  noChanges: 'Keine Änderungen verzeichnet',
  noChangesHint: 'Änderungen erscheinen hier, seit der Agent sie verzeichnet.',
  changeNumber: (value) => `Änderung ${value}`,
  noValues: 'Kein Wert hat sich geändert, nur Layout oder Kommentare.',
  linesOf: (value) => `Zeilen der Änderung ${value}`,
  linesUnknown: 'Der Text davor ist nicht bekannt.',
  whatIfHint:
    'Spielt gemessene Nutzung gegen andere Grenzen durch. Auf dem Server ändert sich nichts.',
  with: 'Mit',
  withLimits: 'anderen Grenzen eines Elements',
  withText: 'einem anderen Text',
  limitsOf: 'Grenzen von',
  replay: 'Durchspielen',
  result: 'Was geschehen wäre',
  replayed: (from, to, measured) => `${from} bis ${to}, davon ${measured} gemessen.`,
  withoutHistory: (value) =>
    `${count(value, { one: 'Mitglied hat', other: 'Mitglieder haben' })} keine Messungen.`,
  nobodyNotices: 'Niemand hätte etwas gemerkt',
  nobodyNoticesHint: 'Soweit die Messungen reichen.',
  unknown: 'unbekannt',
  unknownHint:
    'Unbekannt: Die jetzige Grenze hat Nutzung zurückgehalten, oder es gibt keine solche Messung. Niemand weiß, was darüber hinaus gewollt war.',
  effects: {
    slowed: 'gebremst',
    refused: 'abgelehnt',
    reclaimed: 'Seitencache zurückgenommen',
    ended: 'beendet',
    'less, unknown': 'seltener, unbekannt wie viel',
    unknown: 'unbekannt',
  },
  promisedTitle: 'Allen Kunden versprochen, neben dem Vorhandenen',
  times: (value) => `${value}-fach`,
  unlimitedTenants: (value) => `${count(value, tenants)} ohne Grenze`,
  columns: {
    who: 'Wer',
    setting: 'Einstellung',
    now: 'Jetzt',
    after: 'Dann',
    limit: 'Grenze',
    there: 'Vorhanden',
    change: 'Jetzt → dann',
    effect: 'Wirkung',
    least: 'Mindestens',
    most: 'Höchstens',
    stretches: 'Wie oft',
    happened: 'Tatsächliche Treffer',
    faults: 'Treffer',
    neverHit: 'Nie erreicht mit',
    oneHit: 'Zu 1 % erreicht mit',
    why: 'Weil',
    use: 'Ändern',
  },
};
