/** One line of a drop-in, and what it is for. */
export interface Line {
  /** As in systemd.exec(5): `ProtectSystem`. */
  readonly key: string;
  readonly value: string;
  readonly why: string;
  /** The first version of systemd that knows it. */
  readonly since: number;
  /** Without it the service does not start in the sandbox, so an older systemd cannot have any of it. */
  readonly required?: true;
}

/** What of a host the lines depend on. */
export interface Facts {
  /** Of systemd. */
  readonly version: number;
  /** Directories with homes of tenants; `/home` among them. */
  readonly homes: readonly string[];
  /** Files that the main process has open for writing. */
  readonly written: readonly string[];
  /** What accepts mail from programs of this host, by a program with a set-id bit. */
  readonly mailer: 'exim4' | 'postfix' | undefined;
  /** As Apache runs. */
  readonly apache: { readonly user: string; readonly modules: ReadonlySet<string> };
  /** nginx's loaded modules: `50-mod-http-lua.conf`. */
  readonly nginxModules: readonly string[];
  /** A pool of PHP-FPM has a `chroot`. */
  readonly chrootPools: boolean;
  /** Dovecot delivers through filters of its users. */
  readonly sieve: boolean;
  /** Directories of Bulkhead, which no daemon needs. */
  readonly ownDirectories: readonly string[];
}

export const line = (key: string, value: string, why: string, since = 231): Line => ({
  key,
  value,
  why,
  since,
});

/** An earlier assignment, of the unit, no longer counts: such lists add up otherwise. */
export const reset = (key: string): Line => line(key, '', 'lists of the unit would add up', 231);

/** In a list of paths; systemd expands `%`, splits at spaces and knows escapes. */
export function pathWord(path: string, prefix = '-'): string {
  const text = prefix + path.replaceAll('%', '%%');
  return /[\s"'\\]/.test(text) ? `"${text.replaceAll(/["\\]/g, '\\$&')}"` : text;
}

/** Paths that are not there are left out by systemd itself. */
export const writable = (paths: readonly string[], why: string): Line =>
  line('ReadWritePaths', paths.map((path) => pathWord(path)).join(' '), why);

export const hidden = (paths: readonly string[], why: string): Line =>
  line('InaccessiblePaths', paths.map((path) => pathWord(path)).join(' '), why);

/** As root outside of the sandbox, before anything else of the service. */
export const prepare = (command: string, why: string): Line => ({
  ...line('ExecCondition', `+${command}`, why, 243),
  required: true,
});
