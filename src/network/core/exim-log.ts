/**
 * Messages that programs of this host handed to Exim, in its main log:
 *
 *     2026-12-01 08:00:00 1vQ8Xb-0000000EXXX-2pXy <= alice@host.example U=alice P=local S=435
 *
 * The account follows the sender at once, and Exim writes it. Everything else of a line may be somebody's choice: a
 * sender in quotes can have blanks, and a line of a message that came over the network has `H=` there.
 * Source: the chapter "Log files" of Exim's specification.
 */
const time = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?(?: [+-]\d{4})?/;
const sender = /(?:"(?:[^"\\]|\\.)*"(?:@\S*)?|[^\s"]\S*)/;
const arrival = new RegExp(
  `^${time.source} (?:\\[\\d+\\] )?[\\w-]{16,23} <= ${sender.source} (?:R=\\S+ )?U=(\\S{1,64}) P=local(?:-\\w+)? `,
);

/** Returns the account that handed over a message; undefined for every other line. */
export const eximSubmitter = (line: string): string | undefined => arrival.exec(line)?.[1];
