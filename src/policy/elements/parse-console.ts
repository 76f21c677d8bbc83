/** `<console>` → ConsoleSettings, with every mistake reported. */
import type { Diagnostics } from '../diagnostic.ts';
import { AttributeReader, parseListen } from '../parse-agent.ts';
import { valueKinds } from '../value-kinds.ts';
import type { XmlElement } from '../xml.ts';
import type { ConsoleSettings, ConsoleTls } from './console-settings.ts';

export function readConsole(element: XmlElement, diagnostics: Diagnostics): ConsoleSettings {
  const read = new AttributeReader(element, diagnostics);
  const tls = readTls(element, read, diagnostics);
  return {
    names: read.parsed('names', valueKinds.hosts.parse) ?? [],
    frames: read.parsed('frames', valueKinds.origins.parse) ?? [],
    ...(tls !== undefined && { tls }),
  };
}

function readTls(
  element: XmlElement,
  read: AttributeReader,
  diagnostics: Diagnostics,
): ConsoleTls | undefined {
  const listen = read.parsed('listen', parseListen);
  const certificate = read.parsed('certificate', valueKinds.path.parse);
  const key = read.parsed('key', valueKinds.path.parse);
  const written = ['listen', 'certificate', 'key'].filter((each) => read.text(each) !== undefined);
  if (written.length === 0) return undefined;
  const missing = ['listen', 'certificate', 'key'].filter((each) => !written.includes(each));
  if (missing.length > 0) {
    const names = missing.map((each) => `"${each}"`).join(' and ');
    diagnostics.error(
      element,
      `"${written[0]}" needs ${names}: the console listens on the network only with TLS`,
    );
  }
  if (listen !== undefined && !isAddress(listen.host)) {
    read.error(
      'listen',
      `"${listen.host}" is not an address; write 0.0.0.0 for all addresses, or one of this host`,
    );
    return undefined;
  }
  if (listen === undefined || certificate === undefined || key === undefined) return undefined;
  return { listen, certificate, key };
}

const isAddress = (host: string) => host.includes(':') || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host);
