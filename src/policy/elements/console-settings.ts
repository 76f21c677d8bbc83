/** The settings of `<console>`: who may call and frame the console, and where it listens with TLS. */

export interface ConsoleSettings {
  /** Names by which browsers may call the console, besides the host's own and those in the certificate. */
  readonly names: readonly string[];
  /** Origins of panels that may show it in a frame: `https://panel.example:2083`. */
  readonly frames: readonly string[];
  /** Absent: it listens only on its unix socket. */
  readonly tls?: ConsoleTls;
}

export interface ConsoleTls {
  readonly listen: { readonly host: string; readonly port: number };
  /** The file with the certificate and its issuers' certificates. */
  readonly certificate: string;
  /** The file with the private key. */
  readonly key: string;
}
