/** The items of `doctor --security` about links: whether servers enter file systems that tenants serve. */
import type { SecurityItem } from '../../../packages/base/security-item.ts';
import type { Paths } from '../../host/paths.ts';
import { readText } from '../../../packages/base/io/read.ts';

const option = 'user_allow_other';

export function symlinksSecurity({ etc }: Paths): readonly SecurityItem[] {
  const path = `${etc}/fuse.conf`;
  const text = readText(path);
  const isSet = text?.split('\n').some((line) => line.trim() === option) === true;
  return [
    {
      item: 'fuse-allow-other',
      key: `${option} in ${path}`,
      verdict: isSet ? 'lacking' : 'good',
      now: isSet ? 'set' : text === undefined ? 'not set (there is no such file)' : 'not set',
      wanted: 'not set',
      why: 'with it servers enter file systems that a program of a tenant serves: it says what lies there and whose that is, and lets them wait for ever',
      breaks: 'mounts of sshfs, rclone and the like that tenants share with other accounts',
      since: undefined,
      remark: isSet ? `put "#" before ${option}` : undefined,
    },
  ];
}
