/**
 * Names of what a fleet's servers carry: streams in the account of the centre, and the subjects that one host may use.
 *
 *     stream    subject         the host H
 *     DOCS      doc.H           gets its own, and hears `hint.doc.H`
 *     ROLLOUT   rollout.record  gets it, and hears `hint.rollout`
 *     STATUS    status.H        publishes its own
 *     EVENTS    events.H        publishes its own
 *     MARKS     mark.H          gets its own
 *
 * The centre asks H over `fleet.ask.H`, a service of the hosts' account that the centre's imports: hosts cannot ask.
 *
 * A host may publish to nothing else, but for one answer to each question, and no subject of it has a wildcard.
 */

export type StreamName = 'DOCS' | 'ROLLOUT' | 'STATUS' | 'EVENTS' | 'MARKS';

export const docSubject = (host: string): string => `doc.${host}`;
export const statusSubject = (host: string): string => `status.${host}`;
export const eventsSubject = (host: string): string => `events.${host}`;
export const markSubject = (host: string): string => `mark.${host}`;
export const recordSubject = 'rollout.record';

export const docHintSubject = (host: string): string => `hint.doc.${host}`;
export const recordHintSubject = 'hint.rollout';

const directGet = (stream: StreamName, subject: string) =>
  `$JS.API.DIRECT.GET.${stream}.${subject}`;

/** Requests that are answered with the last message of a subject, or with the status 404 if there is none. */
export const docRequest = (host: string): string => directGet('DOCS', docSubject(host));
export const markRequest = (host: string): string => directGet('MARKS', markSubject(host));
export const recordRequest: string = directGet('ROLLOUT', recordSubject);

/** Subjects that a host may publish to, and those that it may hear. `*` and templates of NATS can take the place of the host. */
export const hostPublishes = (host: string): readonly string[] => [
  statusSubject(host),
  eventsSubject(host),
  docRequest(host),
  markRequest(host),
  recordRequest,
];
export const hostHears = (host: string): readonly string[] => [
  docHintSubject(host),
  recordHintSubject,
];

/** The subject on which a host answers the centre. */
export const askSubject = (host: string): string => `fleet.ask.${host}`;

/** The beginning of the subjects on which a client gets answers. */
export const inboxPrefix = (name: string): string => `_INBOX.${name}`;

/** Bytes of the largest message: a bundle of a large policy. */
export const messageBytesMax = 8 * 2 ** 20;
/** Bytes of the largest record of a rollout, or mark. */
export const recordBytesMax = 256 * 2 ** 10;
/** Bytes of the largest message of a host. */
export const hostMessageBytesMax = 16 * 2 ** 10;
/** Messages of one host that wait to be collected. */
export const waitingEventsMax = 1000;

/** Bytes of all streams on a server. */
export const storeBytesMax = 8 * 2 ** 30;
/** Bytes that all hosts together can fill. The rest is the centre's, which must always be able to call a rollout back. */
export const eventsBytesMax = 4 * 2 ** 30;
export const statusBytesMax = 2 ** 29;
