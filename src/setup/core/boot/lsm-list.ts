/**
 * The security modules that the kernel is to start, with `bpf` among them.
 *
 *     lockdown,capability,landlock,yama,apparmor       /sys/kernel/security/lsm
 *     lsm=lockdown,landlock,yama,apparmor,bpf,integrity
 *
 * `lsm=` replaces the kernel's own list, so it names everything that is in force. `integrity` has to be in it if the
 * kernel has it: kernels before 6.4 do not show it as a security module, and stop at the first file that IMA measures if
 * it is missing. Other kernels ignore the name. Sources: security/security.c, ordered_lsm_parse;
 * security/integrity/iint.c.
 */

/** Always first, and never in the option. */
const first = 'capability';
/** The kernel puts these last, wherever the option has them. */
const last = ['integrity', 'ima', 'evm'];

export function lsmList(
  inForce: readonly string[],
  config: ReadonlyMap<string, string>,
): readonly string[] {
  const named = new Set(inForce.filter((each) => each !== first));
  if (config.get('INTEGRITY') === 'y') named.add('integrity');
  const ordered = [...named].filter((each) => each !== 'bpf' && !last.includes(each));
  return [...ordered, 'bpf', ...last.filter((each) => named.has(each))];
}

/** Words that keep security modules from starting, which the list then lacks. */
const turnOff = /^(?:(?:selinux|apparmor)=0|security=.+)$/;

/** Returns what people have to know about the list; undefined if nothing keeps modules out. */
export function remarkOnList(commandLine: string): string | undefined {
  const words = commandLine.split(/\s+/).filter((each) => turnOff.test(each));
  if (words.length === 0) return undefined;
  const named = words.join(' ');
  return `the list names only what is in force now: modules that ${named} keeps out stay out, also if somebody removes ${named} later; to start them again, remove it, run bulkhead setup boot undo, reboot, and run bulkhead setup boot`;
}
