/**
 * The paths at which a distribution, a repository or a panel puts its web servers and its PHP. Each layout is one file
 * of data.
 *
 * In the texts about PHP, `{version}` stands for the version, and `{digits}` for the version without its dot:
 *
 *     /opt/plesk/php/{version}/sbin/php-fpm      plesk-php{digits}-fpm.service      of 8.3
 */

export interface Layout {
  /** The distribution, repository or panel, as people call it. */
  readonly origin: string;
  readonly php?: PhpLayout;
  readonly apache?: ApacheLayout;
  readonly nginx?: NginxLayout;
  readonly liteSpeed?: LiteSpeedLayout;
  /** Web servers that Bulkhead finds and cannot serve. */
  readonly unserved?: readonly UnservedServer[];
  /** A pattern of programs of PHP that Bulkhead finds and cannot serve. */
  readonly unservedPhp?: string;
}

export interface PhpLayout {
  /** Matches the version; without it, the layout has one PHP. */
  readonly version?: RegExp;
  /**
   * The name of each build, different in all layouts. It is part of the names of units and directories: lower-case
   * letters, digits, dots and hyphens.
   */
  readonly id: string;
  readonly program: string;
  /** The main file of the configuration. */
  readonly configuration: string;
  /** The directory of pool files; absent if they are in directories of accounts. */
  readonly pools?: string;
  /** An account of the panel's own, which writes the pool files. php-fpm reads them as root all the same. */
  readonly poolWriter?: string;
  /** The systemd unit. */
  readonly unit: string;
  /** A directory that only root can write to, for Bulkhead's own sockets. It exists before the unit starts. */
  readonly sockets: string;
  /** Patterns of what php-fpm reads when it starts, apart from the program and the pools. */
  readonly settings: readonly string[];
  /** Whether other programs may have the path: it counts only together with its configuration. */
  readonly isCommonName?: true;
}

export interface ApacheLayout {
  readonly program: string;
  /** The main file of the configuration. */
  readonly configuration: string;
  /** A file that shows which layout it is, where several have the same program and main file. */
  readonly mark?: string;
  /** The directory of the configuration. */
  readonly directory: string;
  /** Paths of mod_info; the first that exists counts. */
  readonly modInfo: readonly string[];
  /** The file with the variables of its environment. */
  readonly environment?: string;
  /** The path of Bulkhead's own file, which the main file includes. */
  readonly ownFile: string;
  /** The file with its process id, if the configuration names none. */
  readonly pidFile: string;
}

export interface NginxLayout {
  readonly program: string;
  /** The directory of the configuration. */
  readonly directory: string;
}

export interface LiteSpeedLayout {
  /** The directory that its configuration calls `$SERVER_ROOT`. */
  readonly serverRoot: string;
  /** Main files of editions; the first that exists and is the program's counts. */
  readonly configurations: readonly LiteSpeedConfiguration[];
}

export interface LiteSpeedConfiguration {
  readonly file: string;
  /** Matches the programs that read it, by the name to which all links lead. */
  readonly readBy: RegExp;
}

export interface UnservedServer {
  readonly name: string;
  readonly program: string;
}
