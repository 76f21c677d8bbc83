/** `bulkhead fleet trust sign` */
import { examples, type CommandModule, type ExitCode } from '../../../cli/shared/command.ts';
import { failWith } from '../../../cli/shared/output.ts';
import { readTrust } from '../../io/directory/fleet-directory.ts';
import { keyOption, type SigningOptions, withFleetOptions } from '../shared-options.ts';
import { signAndShow } from './sign-next.ts';

function sign(options: SigningOptions): ExitCode {
  const kept = readTrust(options.directory);
  if (!kept.ok) return failWith(kept.error);
  const { next, trust } = kept.value;
  if (next !== undefined) return signAndShow(kept.value, next, options);
  return failWith({
    action: 'sign the trust',
    reason: `nothing waits for signatures: version ${trust.version} is complete`,
  });
}

export const command: CommandModule = {
  define(command, run) {
    withFleetOptions(command)
      .addOption(keyOption())
      .addHelpText('after', examples(['bulkhead fleet trust sign', 'look at it first: trust show']))
      .action(run(sign));
  },
};
