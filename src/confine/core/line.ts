/** One line of a drop-in, and its reason. */
export interface Line {
  /** The setting's name in systemd.exec(5): `ProtectSystem`. */
  readonly key: string;
  readonly value: string;
  readonly why: string;
  /** The first version of systemd that knows it. */
  readonly since: number;
  /** Whether the service cannot start in the sandbox without this line, so an older systemd cannot have any of it. */
  readonly required?: true;
}

/** The facts about a host that the lines depend on. */
export interface ServiceFacts {
  /** The version of systemd. */
  readonly version: number;
  /** Directories with homes of tenants; `/home` among them. */
  readonly homes: readonly string[];
  /** Files that the main process has open for writing. */
  readonly written: readonly string[];
  /** The MTA that accepts mail from programs of this host, by a program with a set-id bit. */
  readonly mailer: 'exim4' | 'postfix' | undefined;
  /** The user that Apache runs as, and its modules. */
  readonly apache: { readonly user: string; readonly modules: ReadonlySet<string> };
  /** nginx's loaded modules: `50-mod-http-lua.conf`. */
  readonly nginxModules: readonly string[];
  /** Whether a PHP-FPM pool has a `chroot`. */
  readonly chrootPools: boolean;
  /** Whether Dovecot delivers through filters of its users. */
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

/** Returns a line that drops earlier assignments, of the unit: such lists add up otherwise. */
export const reset = (key: string): Line => line(key, '', 'lists of the unit would add up', 231);

/** Returns a path for a list of paths; systemd expands `%`, splits at spaces and knows escapes. */
export function pathWord(path: string, prefix = '-'): string {
  const text = prefix + path.replaceAll('%', '%%');
  return /[\s"'\\]/.test(text) ? `"${text.replaceAll(/["\\]/g, '\\$&')}"` : text;
}

/** Returns a line that makes paths writable; systemd ignores missing ones. */
export const writable = (paths: readonly string[], why: string): Line =>
  line('ReadWritePaths', paths.map((path) => pathWord(path)).join(' '), why);

export const hidden = (paths: readonly string[], why: string): Line =>
  line('InaccessiblePaths', paths.map((path) => pathWord(path)).join(' '), why);

/** Returns a command that runs as root outside the sandbox, before anything else of the service. */
export const prepare = (command: string, why: string): Line => ({
  ...line('ExecCondition', `+${command}`, why, 243),
  required: true,
});
