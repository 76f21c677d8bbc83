/**
 * Sockets that listen, as the kernel lists them:
 *
 *       0: 0100007F:0019 00000000:0000 0A …         /proc/net/tcp: address and port, the other end, the state
 *       1: 00000000000000000000000000000000:0019 …  /proc/net/tcp6: an address of zeros takes IPv4 as well
 *
 * Source: proc_pid_net(5).
 */
const loopback = /^(?:0100007F|0{8}|0{32})$/;

/** Whether something listens at 127.0.0.1 and the port. */
export const listensOnLoopback = (table: string, port: number): boolean =>
  table.split('\n').some((line) => {
    const [, address = '', at = '', state] =
      /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) /.exec(line) ?? [];
    return state === '0A' && Number.parseInt(at, 16) === port && loopback.test(address);
  });
