/** The reasons for the states of layers of protection, and what raises them. */
import type { layerTexts } from '../../../../../packages/base/layer-texts.ts';
import { numbersOf } from '../numbers.ts';
import type { Catalogue } from '../words.ts';
import { helps, reasons } from './support.ts';

const { count, number, list } = numbersOf('de');
const tenants = (value: number) => count(value, { one: 'Kunde', other: 'Kunden' });
const sites = (value: number) => count(value, { one: 'Site', other: 'Sites' });
const shownMax = 5;
const policyStates: Readonly<Record<string, string | undefined>> = {
  refused: 'abgelehnt',
  failed: 'nicht ganz angewendet',
  absent: 'nicht vorhanden',
};

/** Lists names: the first ones, and the number of the others. */
function some(names: readonly string[]): string {
  const more = names.length - shownMax;
  return list([...names.slice(0, shownMax), ...(more > 0 ? [`${number(more)} weitere`] : [])]);
}

const ofLayers: Catalogue<typeof layerTexts> = {
  english: (text) => text,
  'no policy': () => 'es gibt keine Richtlinie',
  'not applied': () => 'sie ist nicht angewendet',
  differences: (value) =>
    `${count(value, { one: 'Unterschied', other: 'Unterschiede' })} zwischen der Richtlinie und dem Kernel`,
  'in force': (value) => `in Kraft für ${tenants(value)}`,
  'for later': () => 'für Kunden, die noch kommen; bisher gibt es keinen',
  'no tenant has it': () => 'kein Kunde hat sie',
  'all tenants': tenants,
  'some tenants': (part, all) => `${number(part)} von ${tenants(all)}`,
  'not fully applied': () => 'die Richtlinie ist nicht ganz angewendet',
  'host cannot': () => 'dieser Server kann sie nicht durchsetzen',
  'only observed': () => 'die Richtlinie beobachtet Grenzen nur',
  starting: () => 'er startet',
  'policy state': (state) => `Zustand seiner Richtlinie: ${policyStates[state] ?? state}`,
  polls: () => 'er sucht neue Prozesse bei jeder Messung',
  'no history': () => 'er bewahrt keine Messwerte auf',
  'not at boot': () => 'er läuft, startet aber nicht mit dem Server',
  'agent works': () => 'er verschiebt Prozesse, misst und bewahrt Messwerte auf',
  'at source': () => 'beim Start',
  'at login': () => 'bei der Anmeldung',
  caught: () => 'nachträglich verschoben',
  'not covered': () => 'nicht abgedeckt',
  'outside the jail': () => 'außerhalb des Jails',
  'jail unknown': () => 'ob im Jail, ist unbekannt',
  'only root sees it': () => 'nur root sieht es',
  'needs cgroup v2': () => 'es braucht cgroup v2',
  'bpf unknown': (file) => `ob BPF in Kraft ist, ist unbekannt: ${file} fehlt`,
  'no bpf': (file, modules) =>
    `dieser Kernel fragt keine BPF-Programme: „bpf“ steht nicht in ${file} (${modules})`,
  'no types': (file) =>
    `dieser Kernel ist ohne die Beschreibung seiner Typen gebaut: ${file} fehlt`,
  'outside possible': () => 'ein Prozess kann außerhalb seiner Cgroup laufen',
  'outside refused': () => 'der Kernel lehnt Kunden außerhalb ihrer Cgroups ab',
  'outside reported': () => 'Prozesse außerhalb ihrer Cgroups werden gemeldet',
  'tenants unknown': (value) =>
    value === 1 ? 'ein Kunde ist noch nicht bekannt' : `${tenants(value)} sind noch nicht bekannt`,
  'autoload possible': () => 'Kunden können den Kernel Module laden lassen',
  'autoload refused': () => 'Kunden lassen den Kernel keine Module laden',
  'autoload reported': () => 'Module, die Kunden den Kernel laden lassen, werden gemeldet',
  'set otherwise': (wanted, is) => `eingestellt war „${wanted}“, jetzt ist es „${is}“`,
  'listed modules': () => 'nur Module der Liste werden geladen',
  'other modules reported': () => 'Module, die nicht auf der Liste sind, werden gemeldet',
  'every module': () => 'root kann jedes Modul laden',
  'links followed': () => 'Webserver folgen jedem Link',
  'not as wanted': () => 'geladen ist etwas anderes, als die Richtlinie verlangt',
  'link refused': () => 'gerade probiert: ein fremder Link wird abgelehnt',
  'links reported': () => 'fremde Links werden gemeldet, und ihnen wird gefolgt',
  'reach open': () => 'Kunden erreichen Mailserver, Metadatendienste und die Ports anderer Kunden',
  'reach refused': () => 'eben versucht: was <reach> verweigert, kommt nicht hinaus',
  'reach reported': () => 'was <reach> verweigern würde, wird gemeldet und kommt hinaus',
  'no tenant yet': () => 'es gibt noch keinen Kunden',
  'no jail': () => 'kein Kunde hat ein Jail',
  'jails ready': (ready, all) =>
    `${number(ready)} von ${count(all, { one: 'Jail', other: 'Jails' })} bereit`,
  'processes outside': (value) =>
    `${count(value, { one: 'Prozess', other: 'Prozesse' })} dieser Kunden außerhalb`,
  'kept apart': () => 'der Kernel hält sie auseinander',
  'no systemd': () => 'systemd ist nicht das Init dieses Servers',
  before: (program) => `vor ${program}`,
  'web server for root': () => 'Webserver zeigen ihre Einstellungen nur root',
  'not enabled at': (...servers) => `nicht eingeschaltet in ${list(servers)}`,
  'files differ': () => 'Dateien weichen von der Richtlinie ab',
  sites,
  'some sites': (part, all) => `${number(part)} von ${sites(all)}`,
  'state for root': () => 'nur root sieht ihren Zustand',
  'apps not applied': (part, all) => `${number(part)} von ${number(all)} nicht angewendet`,
  applications: (all) => count(all, { one: 'Anwendung', other: 'Anwendungen' }),
  'rights in servers': (value) =>
    `Bulkhead hat seine Rechte in ${count(value, { one: 'Server', other: 'Servern' })}`,
  'no rights at': (...sockets) => `Bulkhead hat keine Rechte bei ${some(sockets)}`,
  sandboxes: (value) =>
    `${count(value, { one: 'Daemon', other: 'Daemons' })} mit Sandbox, ab dem nächsten Start`,
  'not confined': (...daemons) => `ohne Sandbox: ${some(daemons)}`,
  'settings good': (value) =>
    `${count(value, { one: 'Einstellung', other: 'Einstellungen' })} wie empfohlen`,
  'settings lacking': (...settings) => `es fehlt: ${some(settings)}`,
  'boot option written': (option) =>
    `die Boot-Option „${option}“ ist eingetragen, für den nächsten Start`,
  'in the policy': (element) => `${element} in der Richtlinie`,
  'jail by default': (element) => `${element} in <defaults> der Richtlinie`,
  'first and next': (first, next) => `${first}, dann ${next}`,
  'stop observing': () =>
    'bulkhead setup --level limit; oder limits="observe" aus der Richtlinie entfernen',
  'kernel with types': () =>
    'ein Kernel mit CONFIG_DEBUG_INFO_BTF, wie die der Distributionen ihn haben',
  'kernel with bpf': () =>
    'dieser Kernel ist ohne CONFIG_BPF_LSM gebaut; ein Kernel mit dieser Option hilft',
  'boot with bpf': () =>
    '„bulkhead setup boot“ trägt es in die Boot-Optionen ein; danach den Server neu starten',
};

export const layers = { ...ofLayers, ...reasons, ...helps };
