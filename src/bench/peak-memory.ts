import { existsSync, readFileSync } from 'node:fs';

const STATUS = '/proc/self/status';

/**
 * The most memory this process has had, in bytes. On Linux not what `getrusage` says: that begins with what the process
 * had which started this one.
 */
export function peakMemory(): number {
  const found = existsSync(STATUS) ? /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(STATUS, 'utf8')) : null;
  return (found === null ? process.resourceUsage().maxRSS : Number(found[1])) * 1024;
}
